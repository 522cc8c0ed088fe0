//! Whether a JPEG file ends where its picture does: decoders fill up what is missing with grey, and say nothing.

/// Whether a JPEG file has the marker of its end (ITU T.81, annex B): one that was cut off on its way has none.
pub(super) fn is_whole(jpeg: &[u8]) -> bool {
    let mut at = 2; // after the marker of the start
    loop {
        let Some(&[0xff, marker]) = jpeg.get(at..).and_then(|rest| rest.first_chunk::<2>()) else {
            return false;
        };
        at += 2;
        match marker {
            0xd9 => return true,
            0xff => at -= 1, // any number of these may stand before a marker
            0x01 | 0xd0..=0xd8 => {}
            _ => {
                let Some(&length) = jpeg.get(at..).and_then(|rest| rest.first_chunk::<2>()) else {
                    return false;
                };
                at += usize::from(u16::from_be_bytes(length));
                if marker == 0xda {
                    at = after_scan(jpeg, at);
                }
            }
        }
    }
}

/// How many components a JPEG file says that its pixels have (ITU T.81, B.2.2): 4 are inks.
pub(super) fn components(jpeg: &[u8]) -> Option<u8> {
    let mut at = 2;
    loop {
        let &[0xff, marker] = jpeg.get(at..)?.first_chunk::<2>()? else { return None };
        at += 2;
        match marker {
            0xff => at -= 1,
            0x01 | 0xd0..=0xd8 => {}
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => return jpeg.get(at + 7).copied(),
            0xd9 | 0xda => return None,
            _ => at += usize::from(u16::from_be_bytes(*jpeg.get(at..)?.first_chunk::<2>()?)),
        }
    }
}

/// Where the next marker stands after the compressed data of a scan, in which `ff 00` is a byte and `ff d0` to `ff d7` count.
fn after_scan(jpeg: &[u8], start: usize) -> usize {
    let pairs = jpeg.get(start..).unwrap_or_default().array_windows::<2>();
    let is_marker = |[a, b]: &[u8; 2]| *a == 0xff && !matches!(b, 0x00 | 0xd0..=0xd7 | 0xff);
    start + pairs.into_iter().position(is_marker).unwrap_or(jpeg.len())
}

#[cfg(test)]
mod tests {
    use crate::{Color, parse_image};
    use image::{GrayImage, ImageFormat, Luma};
    use mapsto_tensor::ErrorKind;
    use std::io::Cursor;

    /// A picture cut off after any number of its bytes is an error, in both formats; whole, also with something behind it.
    #[test]
    fn what_was_cut_off_on_its_way_is_an_error() {
        let picture = GrayImage::from_fn(24, 16, |x, y| Luma([(x * 7 + y * 31) as u8]));
        for format in [ImageFormat::Jpeg, ImageFormat::Png] {
            let mut bytes = Cursor::new(Vec::new());
            picture.write_to(&mut bytes, format).unwrap();
            let bytes = bytes.into_inner();
            for color in [Color::Gray, Color::Rgb] {
                assert!(parse_image(&bytes, color).is_ok());
                assert!(parse_image(&[&bytes[..], b"behind"].concat(), color).is_ok());
                // The last chunk of a PNG holds nothing of the picture.
                let needed = if format == ImageFormat::Png { bytes.len() - 12 } else { bytes.len() };
                for end in 0..needed {
                    let e = parse_image(&bytes[..end], color).expect_err(&format!("{format:?} {end}"));
                    assert_eq!(e.kind(), ErrorKind::Data);
                    let filled = [&bytes[..end], &vec![0; bytes.len() - end]].concat();
                    if format == ImageFormat::Jpeg && bytes[end..].iter().any(|&b| b != 0) {
                        assert!(parse_image(&filled, color).is_err(), "{end} of {}", bytes.len());
                    }
                }
            }
        }
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
        let cut = bytes.into_inner();
        let e = parse_image(&cut[..cut.len() - 40], Color::Gray).unwrap_err();
        assert_eq!(e.message(), "the file ends before its picture does");
    }
}
