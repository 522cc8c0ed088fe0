//! Pictures: files as tensors, the right way up, within a bound on memory, whatever the bytes are.

mod encode;
mod ending;
mod format;
#[cfg(test)]
mod golden;
mod orientation;
mod pixels;

pub use encode::encode_png;
pub(crate) use format::{KINDS, START, starts_as_picture};
pub use format::{PICTURE_ENDINGS, is_picture_name};

use format::Format;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageReader, Limits};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor, catch};
use orientation::Orientation;
use std::io::Cursor;
use std::path::Path;

/// How many channels images are read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// One channel: luminance.
    Gray,
    /// Three channels: red, green, blue.
    Rgb,
}

/// The most memory that one picture may take while it is read, in bytes: that of 70 million pixels in colour.
const MOST: u64 = 1 << 30;

/// Reads a PNG, JPEG, WebP, GIF, BMP or TIFF file: `[1, h, w]` or `[3, h, w]`, `f32` in 0 ..= 1.
///
/// A picture is turned as its EXIF orientation asks, so `h` and `w` are those of the picture as it is seen. All that the file holds
/// of a pixel is kept: 8 bits a channel are multiples of 1/255, 16 bits of 1/65535. What is transparent lies on white, as viewers show it. Of an
/// animation the first frame is read, and of a TIFF file the first page.
///
/// # Errors
/// When the file cannot be read, is damaged, is a picture for print (CMYK), or would need more than 1 GiB.
pub fn read_image(path: impl AsRef<Path>, color: Color) -> Result<Tensor> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    parse_image(&bytes, color).map_err(|e| e.context(path.display()))
}

/// Reads the bytes of a picture file, as [`read_image`] does.
///
/// ```
/// use mapsto_data::{Color, parse_image};
/// let e = parse_image(b"%PDF-1.7", Color::Gray).unwrap_err();
/// assert_eq!(e.message(), "no picture: neither PNG, JPEG, WebP, GIF, BMP nor TIFF");
/// ```
///
/// # Errors
/// As [`read_image`].
pub fn parse_image(bytes: &[u8], color: Color) -> Result<Tensor> {
    let Some(format) = Format::of(bytes) else {
        return Err(damaged(format!("no picture: neither {KINDS}")));
    };
    // Decoders are other people's code; what they panic about is a damaged file.
    let image = catch(|| decode(bytes, format, color))
        .unwrap_or_else(|e| Err(damaged(format!("the decoder gave up: {}", e.message()))))?;
    if format == Format::Jpeg && !ending::is_whole(bytes) {
        return Err(damaged("the file ends before its picture does"));
    }
    let seen = Orientation::of(bytes);
    let stored = [image.height() as usize, image.width() as usize];
    let read = pixels::of(image, color);
    let (channels, [h, w]) = (read.channels(), seen.size(stored));
    Ok(Tensor::filled_by::<f32>([channels, h, w], |to| {
        // [h, w, c] → [c, h, w]
        if seen.is_upright() {
            return read.planes(to);
        }
        for (c, plane) in to.chunks_exact_mut(h * w).enumerate() {
            for (y, row) in plane.chunks_exact_mut(w).enumerate() {
                for (x, out) in row.iter_mut().enumerate() {
                    let [from_y, from_x] = seen.source(stored, [y, x]);
                    *out = read.at((from_y * stored[1] + from_x) * channels + c);
                }
            }
        }
    }))
}

/// The pixels as they are stored, if all that is made of them stays within [`MOST`].
fn decode(bytes: &[u8], format: Format, color: Color) -> Result<DynamicImage> {
    if format == Format::Jpeg && ending::components(bytes) == Some(4) {
        return Err(for_print());
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format.decoder());
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MOST);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(wrong)?;
    let (w, h) = decoder.dimensions();
    if w == 0 || h == 0 {
        return Err(damaged(format!("a picture of {w} × {h} pixels")));
    }
    if decoder.original_color_type() == ExtendedColorType::Cmyk8 {
        return Err(for_print());
    }
    let channels = if color == Color::Gray { 1 } else { 3 };
    // What the decoder gives, as much again of what is made of it, and the tensor.
    let stored = decoder.color_type();
    let each = u64::from(stored.bytes_per_pixel() / stored.channel_count());
    let on_white = if stored.has_alpha() { 4 * channels } else { 0 };
    let pixel = u64::from(stored.bytes_per_pixel()) + (each + 4) * channels + on_white;
    let need = u64::from(w).saturating_mul(u64::from(h)).saturating_mul(pixel);
    if need > MOST {
        let message = format!(
            "a picture of {w} × {h} pixels needs {:.1} GiB of memory, more than {} GiB",
            need as f64 / (1u64 << 30) as f64,
            MOST >> 30
        );
        return Err(Error::new(ErrorKind::Data, message).help("make it smaller first"));
    }
    // A frame of an animation may claim to be larger than its picture.
    decoder.set_limits(limits).map_err(wrong)?;
    DynamicImage::from_decoder(decoder).map_err(wrong)
}

/// What a decoder complained of.
fn wrong(e: ImageError) -> Error {
    let message = first_lower(&e.to_string());
    match e {
        ImageError::Unsupported(_) => {
            Error::new(ErrorKind::Data, message).help("save it as PNG, with 8 or 16 bits a channel")
        }
        _ => damaged(message),
    }
}

/// What is said of CMYK: which colours it means depends on ink and paper, and programs disagree about what is dark in it.
fn for_print() -> Error {
    Error::new(ErrorKind::Data, "a picture in CMYK, whose numbers are amounts of ink and no light")
        .help("convert it to RGB first, with a program that knows its colour profile")
}

fn damaged(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Data, message).help("the file is damaged, or not the picture that its name says")
}

fn first_lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::orientation::tests::{exif, with_app1};
    use super::*;
    use image::{GrayImage, ImageFormat, Luma};
    use std::io::Write;

    /// A gray picture `[[0, 51, 102], [153, 204, 255]]` as PNG, or as JPEG of blocks of 8 × 8 pixels each.
    fn picture(format: ImageFormat, block: u32) -> Vec<u8> {
        let at = |x, y| Luma([((y / block * 3 + x / block) * 51) as u8]);
        let mut bytes = Cursor::new(Vec::new());
        GrayImage::from_fn(3 * block, 2 * block, at).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// A PNG file with one more chunk after the header.
    fn with_chunk(png: &[u8], name: &[u8], content: &[u8]) -> Vec<u8> {
        let mut crc = flate2::Crc::new();
        crc.update(&[name, content].concat());
        let (length, sum) = ((content.len() as u32).to_be_bytes(), crc.sum().to_be_bytes());
        [&png[..33], &length, name, content, &sum, &png[33..]].concat()
    }

    /// What each orientation makes of the picture, in fifths: as `PIL.ImageOps.exif_transpose` of Pillow 13 gives it.
    const SEEN: [&[&[u8]]; 8] = [
        &[&[0, 1, 2], &[3, 4, 5]],
        &[&[2, 1, 0], &[5, 4, 3]],
        &[&[5, 4, 3], &[2, 1, 0]],
        &[&[3, 4, 5], &[0, 1, 2]],
        &[&[0, 3], &[1, 4], &[2, 5]],
        &[&[3, 0], &[4, 1], &[5, 2]],
        &[&[5, 2], &[4, 1], &[3, 0]],
        &[&[2, 5], &[1, 4], &[0, 3]],
    ];

    #[test]
    fn all_eight_orientations_are_seen_as_pillow_sees_them() {
        let (png, jpeg) = (picture(ImageFormat::Png, 1), picture(ImageFormat::Jpeg, 8));
        for (i, seen) in SEEN.into_iter().enumerate() {
            let want: Vec<u8> = seen.concat();
            let fifths = |x: &[f32]| x.iter().map(|v| (v * 5.0).round() as u8).collect::<Vec<u8>>();
            for little in [true, false] {
                let tag = exif(i as u16 + 1, little);
                for color in [Color::Gray, Color::Rgb] {
                    let x = parse_image(&with_chunk(&png, b"eXIf", &tag), color).unwrap();
                    assert_eq!(x.shape()[1..], [seen.len(), seen[0].len()]);
                    assert_eq!(
                        fifths(&x.to_vec::<f32>()),
                        want.repeat(x.shape()[0]),
                        "orientation {}",
                        i + 1
                    );
                    let file = with_app1(&jpeg, &[b"Exif\0\0", &tag[..]].concat());
                    let x = parse_image(&file, color).unwrap();
                    assert_eq!(x.shape()[1..], [seen.len() * 8, seen[0].len() * 8]);
                    // The middle of each block, where JPEG is exact enough.
                    let middles = x.slice(1, 4..).slice(2, 4..);
                    let (h, w) = (seen.len(), seen[0].len());
                    let all = middles.to_vec::<f32>();
                    let [wide, high] = [middles.shape()[2], middles.shape()[1]];
                    let one =
                        |k: usize| all[(k / (h * w)) * wide * high + (k / w % h) * 8 * wide + k % w * 8];
                    let found: Vec<f32> = (0..x.shape()[0] * h * w).map(one).collect();
                    assert_eq!(fifths(&found), want.repeat(x.shape()[0]), "orientation {}", i + 1);
                }
            }
        }
    }

    /// Files of a few hundred bytes on which the JPEG decoder panics, found by damaging one byte after another.
    #[test]
    fn what_a_decoder_panics_about_is_a_damaged_file() {
        let jpeg = picture(ImageFormat::Jpeg, 8);
        let mut gave_up = 0;
        for at in 0..jpeg.len() {
            for byte in [0, 1, 2, 3, 0x11, 0x21, 0x22, 0x41, 0xc1, 0xc2, 0xff] {
                let mut bytes = jpeg.clone();
                bytes[at] = byte;
                if let Err(e) = parse_image(&bytes, Color::Rgb) {
                    assert_eq!(e.kind(), ErrorKind::Data, "{e}");
                    gave_up += usize::from(e.message().starts_with("the decoder gave up"));
                }
            }
        }
        for crash in [&include_bytes!("crash_1.bin")[..], include_bytes!("crash_2.bin")] {
            let e = parse_image(crash, Color::Rgb).unwrap_err();
            assert!(e.message().starts_with("the decoder gave up: "), "{e}");
            assert_eq!(e.kind(), ErrorKind::Data);
            gave_up += 1;
        }
        assert!(gave_up >= 2);
    }

    #[test]
    fn a_picture_too_large_for_its_memory_is_refused_before_it_is_decoded() {
        // A gray PNG of 22,000 × 22,000 zeros: half a megabyte as a file, 484 MB decoded, gigabytes as a tensor.
        let (w, h) = (22_000u32, 22_000u32);
        let mut z = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        let row = vec![0u8; w as usize + 1];
        for _ in 0..64 {
            z.write_all(&row).unwrap();
        }
        let header = [&w.to_be_bytes()[..], &h.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
        let start = [&b"\x89PNG\r\n\x1a\n"[..], &[0; 25]].concat();
        let mut png = with_chunk(&start, b"IHDR", &header);
        png.drain(8..33);
        let whole = [png, with_chunk(&[0; 33], b"IDAT", &z.finish().unwrap())[33..].to_vec()].concat();
        for (color, need) in [(Color::Rgb, "7.2"), (Color::Gray, "2.7")] {
            let e = parse_image(&whole, color).unwrap_err();
            let want =
                format!("a picture of 22000 × 22000 pixels needs {need} GiB of memory, more than 1 GiB");
            assert_eq!(e.message(), want);
        }
    }
}
