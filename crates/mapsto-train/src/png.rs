//! PNG: small pictures as the bytes of a file, and as an address that carries them, so that a page or a plot holds its pictures itself.

use flate2::{Compression, Crc, write::ZlibEncoder};
use std::io::Write as _;

/// The bytes of a PNG file of 8-bit pixels in rows: grey where there is a byte a pixel, red, green and blue where there are three.
///
/// ```
/// let file = mapsto_train::png(2, 1, &[0, 255]);
/// assert!(file.starts_with(b"\x89PNG\r\n\x1a\n"));
/// assert!(mapsto_train::data_uri(&file).starts_with("data:image/png;base64,iVBORw0KGgo"));
/// ```
///
/// Source: Portable Network Graphics Specification, W3C (2003), of which no filter and no palette is used.
///
/// # Panics
/// If the pixels are not one or three bytes each, or there are none.
#[must_use]
#[track_caller]
pub fn png(width: usize, height: usize, pixels: &[u8]) -> Vec<u8> {
    let channels = pixels.len() / (width * height).max(1);
    assert!(
        matches!(channels, 1 | 3) && pixels.len() == width * height * channels,
        "png: {} bytes are no {width} × {height} pixels of 1 or 3 bytes",
        pixels.len()
    );
    let mut rows = ZlibEncoder::new(Vec::new(), Compression::default());
    let mut whole = Ok(());
    for row in pixels.chunks_exact(width * channels) {
        whole = whole.and_then(|()| rows.write_all(&[0])).and_then(|()| rows.write_all(row));
    }
    let body = whole.and_then(|()| rows.finish()).unwrap_or_else(|_| unreachable!("a vector takes all"));
    let mut head = Vec::with_capacity(13);
    head.extend((width as u32).to_be_bytes());
    head.extend((height as u32).to_be_bytes());
    head.extend([8, if channels == 3 { 2 } else { 0 }, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in [(b"IHDR", &head[..]), (b"IDAT", &body), (b"IEND", &[])] {
        let mut sum = Crc::new();
        sum.update(kind);
        sum.update(content);
        file.extend((content.len() as u32).to_be_bytes());
        file.extend(kind);
        file.extend(content);
        file.extend(sum.sum().to_be_bytes());
    }
    file
}

/// The bytes of a PNG file as an address that a page can show without a file beside it.
#[must_use]
pub fn data_uri(png: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("data:image/png;base64,");
    for three in png.chunks(3) {
        let bits = three.iter().fold(0, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place > three.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

/// The letters are those of RFC 4648, section 10.
#[test]
fn addresses_have_the_letters_of_the_standard() {
    for (bytes, letters) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(data_uri(bytes.as_bytes()), format!("data:image/png;base64,{letters}"));
    }
}
