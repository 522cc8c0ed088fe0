//! What the bytes of a table say as text: unpacked where they are gzip, and brought from older encodings to UTF-8.

use crate::Encoding;
use flate2::read::MultiGzDecoder;
use mapsto_tensor::{Error, ErrorKind, Result};
use std::borrow::Cow;
use std::io::Read;

/// No table that fits into memory as text is larger; a few bytes of gzip can stand for any number of others.
const MOST: u64 = 64 << 30;

/// How much larger than its gzip a table may be. Text shrinks to a tenth or so, and nothing but zeros to a thousandth.
const RATIO: u64 = 400;

/// The characters of Windows-1252 from 0x80 to 0x9f, which Latin-1 leaves to control codes; 0 where there is none.
const WINDOWS: [u32; 32] = [
    0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0,
    0x017d, 0, 0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a,
    0x0153, 0, 0x017e, 0x0178,
];

/// The text of a file, without the mark of its byte order.
pub(super) fn decode(bytes: Cow<'_, [u8]>, name: &str, encoding: Encoding) -> Result<Vec<u8>> {
    let bytes: Cow<[u8]> = match *bytes {
        [0x1f, 0x8b, 8, ..] => unpacked(&bytes, name)?.into(),
        _ => bytes,
    };
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = *bytes {
        let error = Error::new(ErrorKind::Data, format!("{name}: the text is UTF-16"));
        return Err(error.help("save it as UTF-8"));
    }
    match encoding {
        Encoding::Utf8 => Ok(match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => rest.to_vec(),
            // A file that was read for this is not copied.
            None => bytes.into_owned(),
        }),
        Encoding::Latin1 => Ok(bytes.iter().map(|&b| char::from(b)).collect::<String>().into_bytes()),
        Encoding::Windows1252 => {
            let text: String = bytes.iter().map(|&b| windows(b)).collect();
            Ok(text.into_bytes())
        }
    }
}

fn windows(byte: u8) -> char {
    let code = match byte {
        0x80..=0x9f => WINDOWS[usize::from(byte - 0x80)],
        _ => byte.into(),
    };
    if code == 0 { char::from(byte) } else { char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER) }
}

fn unpacked(bytes: &[u8], name: &str) -> Result<Vec<u8>> {
    let most = (bytes.len() as u64).saturating_mul(RATIO).clamp(1 << 24, MOST);
    let mut text = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(most + 1).read_to_end(&mut text);
    read.map_err(|e| {
        Error::new(ErrorKind::Data, format!("{name}: the gzip is damaged: {e}")).help("fetch the file again")
    })?;
    if text.len() as u64 > most {
        let message =
            format!("{name}: {} bytes of gzip hold more than {most}, which is no table", bytes.len());
        return Err(Error::new(ErrorKind::Data, message).help("unpack the file if it is one"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn older_encodings_and_gzip_give_the_same_text() {
        let read = |bytes: &[u8], encoding| {
            String::from_utf8(decode(bytes.into(), "t.csv", encoding).unwrap()).unwrap()
        };
        assert_eq!(read("\u{feff}é".as_bytes(), Encoding::Utf8), "é");
        assert_eq!(read(b"caf\xe9 \x93", Encoding::Latin1), "café \u{93}");
        assert_eq!(read(b"caf\xe9 \x93x\x94 \x80", Encoding::Windows1252), "café “x” €");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all("a,b\n1,é\n".as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        assert_eq!(read(&packed, Encoding::Utf8), "a,b\n1,é\n");
        let e = decode(packed[..packed.len() - 9].into(), "t.csv.gz", Encoding::Utf8).unwrap_err();
        assert!(e.message().starts_with("t.csv.gz: the gzip is damaged"), "{e}");
        let e = decode(b"\xff\xfea\0".as_slice().into(), "t.csv", Encoding::Utf8).unwrap_err();
        assert_eq!(e.message(), "t.csv: the text is UTF-16");
    }

    #[test]
    fn a_few_bytes_do_not_become_all_of_memory() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..40 {
            packed.write_all(&vec![b'0'; 1 << 20]).unwrap();
        }
        let e = decode(packed.finish().unwrap().into(), "t.csv.gz", Encoding::Utf8).unwrap_err();
        assert!(e.message().contains("which is no table"), "{e}");
    }
}
