//! Formats of pictures: by which bytes a file of each begins, and by which names it goes.

use image::ImageFormat;
use std::path::Path;

/// A format that pictures are read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Png,
    Jpeg,
    WebP,
    Gif,
    Bmp,
    Tiff,
}

/// The formats, for messages.
pub(crate) const KINDS: &str = "PNG, JPEG, WebP, GIF, BMP nor TIFF";

/// The endings of the names of pictures, in lower case.
pub const PICTURE_ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"];

/// How much of a file says what it is.
pub(crate) const START: usize = 12;

impl Format {
    /// The format of a file that begins with these bytes.
    pub(super) fn of(start: &[u8]) -> Option<Format> {
        match start {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Format::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
            [b'B', b'M', ..] => Some(Format::Bmp),
            [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => Some(Format::Tiff),
            _ => None,
        }
    }

    pub(super) fn decoder(self) -> ImageFormat {
        match self {
            Format::Png => ImageFormat::Png,
            Format::Jpeg => ImageFormat::Jpeg,
            Format::WebP => ImageFormat::WebP,
            Format::Gif => ImageFormat::Gif,
            Format::Bmp => ImageFormat::Bmp,
            Format::Tiff => ImageFormat::Tiff,
        }
    }
}

/// Whether a file begins as pictures do.
pub(crate) fn starts_as_picture(start: &[u8]) -> bool {
    Format::of(start).is_some()
}

/// Whether a file is a picture by its name, whatever the case: `.png`, `.jpg`, `.jpeg`, `.webp`, `.gif`, `.bmp`, `.tif`, `.tiff`.
///
/// ```
/// assert!(mapsto_data::is_picture_name("cats/1.JPG") && !mapsto_data::is_picture_name("cats/notes.txt"));
/// ```
pub fn is_picture_name(path: impl AsRef<Path>) -> bool {
    let ending = path.as_ref().extension().unwrap_or_default().to_string_lossy().to_lowercase();
    PICTURE_ENDINGS.contains(&ending.as_str())
}

#[test]
fn every_ending_is_known_in_either_case_and_no_other() {
    for ending in PICTURE_ENDINGS {
        assert!(
            is_picture_name(format!("a/b.{ending}"))
                && is_picture_name(format!("B.{}", ending.to_uppercase()))
        );
    }
    for other in ["png", "a.svg", "a.png.txt", "", ".png"] {
        assert!(!is_picture_name(other), "{other}");
    }
}
