//! Which way up a picture is: the orientation that cameras write beside the pixels (EXIF tag 0x0112), found in JPEG, PNG,
//! WebP and TIFF files as Pillow finds it, with every byte of the file in doubt.

/// The orientation of a picture's pixels, 1 to 8 as in EXIF: how to turn what is stored into what is to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Orientation(u8);

/// The tag of the orientation in the first directory of EXIF data.
const TAG: u16 = 0x0112;

/// How an orientation begins in XMP, which is read where EXIF says nothing.
const XMP: &[u8] = b"tiff:Orientation";

impl Orientation {
    /// The orientation that a file claims; upright where it claims none, or one that does not exist.
    pub(super) fn of(file: &[u8]) -> Orientation {
        let notes = match file {
            [0xff, 0xd8, rest @ ..] => in_jpeg(rest),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', rest @ ..] => in_png(rest),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', rest @ ..] => in_webp(rest),
            // A TIFF file is what EXIF data is made like: its own first directory has the tag.
            [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => return Orientation::from(in_exif(file)),
            _ => Notes::default(),
        };
        Orientation::from(in_exif(&notes.exif).or_else(|| in_xmp(notes.xmp)))
    }

    fn from(value: Option<u32>) -> Orientation {
        match value {
            Some(value @ 1..=8) => Orientation(value as u8),
            _ => Orientation(1),
        }
    }

    /// Whether the picture is to be seen as it is stored.
    pub(super) fn is_upright(self) -> bool {
        self.0 == 1
    }

    /// Height and width as seen, of a picture stored with these.
    pub(super) fn size(self, [h, w]: [usize; 2]) -> [usize; 2] {
        if self.0 >= 5 { [w, h] } else { [h, w] }
    }

    /// Row and column, in the stored picture of size `[h, w]`, of what is seen at row `y` and column `x`.
    pub(super) fn source(self, [h, w]: [usize; 2], [y, x]: [usize; 2]) -> [usize; 2] {
        match self.0 {
            2 => [y, w - 1 - x],
            3 => [h - 1 - y, w - 1 - x],
            4 => [h - 1 - y, x],
            5 => [x, y],
            6 => [h - 1 - x, y],
            7 => [h - 1 - x, w - 1 - y],
            8 => [x, w - 1 - y],
            _ => [y, x],
        }
    }
}

/// What a file holds beside its pixels.
#[derive(Default)]
struct Notes<'a> {
    exif: Vec<u8>,
    xmp: &'a [u8],
}

/// The segments of a JPEG file up to its first scan: two bytes of marker, two of length, content.
fn in_jpeg(mut rest: &[u8]) -> Notes<'_> {
    let mut notes = Notes::default();
    loop {
        match rest {
            [0xff, 0xff, ..] => rest = &rest[1..],
            [0xff, 0xd9 | 0xda, ..] => return notes,
            [0xff, kind, high, low, after @ ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low])).saturating_sub(2);
                let Some((content, next)) = after.split_at_checked(length) else { return notes };
                if let (0xe1, Some(exif)) = (*kind, content.strip_prefix(b"Exif\0")) {
                    // One byte of padding follows; EXIF that is too long for one segment goes on in the next.
                    notes.exif.extend(exif.get(1..).unwrap_or_default());
                } else if let (0xe1, Some(xmp)) =
                    (*kind, content.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0"))
                {
                    notes.xmp = xmp;
                }
                rest = next;
            }
            _ => return notes,
        }
    }
}

/// The chunks of a PNG file: four bytes of length, four of name, content, four of checksum.
fn in_png(mut rest: &[u8]) -> Notes<'_> {
    let mut notes = Notes::default();
    while let [a, b, c, d, name @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let Some((name, after)) = name.split_at_checked(4) else { break };
        let Some((content, next)) = after.split_at_checked(length) else { break };
        match name {
            b"eXIf" => notes.exif = content.to_vec(),
            b"iTXt" if content.starts_with(b"XML:com.adobe.xmp\0") => notes.xmp = content,
            b"IEND" => break,
            _ => {}
        }
        rest = next.get(4..).unwrap_or_default();
    }
    notes
}

/// The chunks of a WebP file: four bytes of name, four of length, content, and a byte more where the length is odd.
fn in_webp(mut rest: &[u8]) -> Notes<'_> {
    let mut notes = Notes::default();
    while let Some((&[n0, n1, n2, n3, a, b, c, d], after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let Some((content, next)) = after.split_at_checked(length) else { break };
        match &[n0, n1, n2, n3] {
            b"EXIF" => notes.exif = content.strip_prefix(b"Exif\0\0").unwrap_or(content).to_vec(),
            b"XMP " => notes.xmp = content,
            _ => {}
        }
        rest = next.get(length % 2..).unwrap_or_default();
    }
    notes
}

/// The tag's value in the first directory of EXIF data, which is a small TIFF file.
fn in_exif(tiff: &[u8]) -> Option<u32> {
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let directory = long(4)? as usize;
    let entries = usize::from(short(directory)?);
    // An entry: tag, type, count, and the value itself where it fits four bytes.
    let read = |entry: usize| match (short(entry)?, short(entry + 2)?, long(entry + 4)?) {
        (TAG, 1, 1) => tiff.get(entry + 8).map(|&byte| u32::from(byte)),
        (TAG, 3, 1) => short(entry + 8).map(u32::from),
        (TAG, 4, 1) => long(entry + 8),
        _ => None,
    };
    (0..entries).map(|i| directory + 2 + 12 * i).rev().find_map(read)
}

/// The digit behind `tiff:Orientation="` or `tiff:Orientation>`.
fn in_xmp(text: &[u8]) -> Option<u32> {
    let at = text.windows(XMP.len()).position(|word| word == XMP)?;
    match &text[at + XMP.len()..] {
        [b'=', b'"', digit @ b'0'..=b'9', ..] | [b'>', digit @ b'0'..=b'9', ..] => {
            Some(u32::from(digit - b'0'))
        }
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// EXIF data that claims this orientation, after another tag.
    pub(crate) fn exif(value: u16, little: bool) -> Vec<u8> {
        let short = |v: u16| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let long = |v: u32| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let entry = |tag, value| [&short(tag)[..], &short(3), &long(1), &short(value), &[0, 0]].concat();
        let head: &[u8] = if little { b"II*\0" } else { b"MM\0*" };
        [head, &long(8), &short(2), &entry(0x0100, 7), &entry(TAG, value), &long(0)].concat()
    }

    /// A JPEG file with an APP1 segment before everything else.
    pub(crate) fn with_app1(jpeg: &[u8], content: &[u8]) -> Vec<u8> {
        let length = (content.len() as u16 + 2).to_be_bytes();
        [&jpeg[..2], &[0xff, 0xe1], &length, content, &jpeg[2..]].concat()
    }

    fn jpeg(content: &[u8]) -> u8 {
        Orientation::of(&with_app1(&[0xff, 0xd8, 0xff, 0xd9], content)).0
    }

    #[test]
    fn exif_and_xmp_are_read_in_either_byte_order() {
        for value in 1..=8u16 {
            for little in [true, false] {
                assert_eq!(u16::from(jpeg(&[b"Exif\0\0", &exif(value, little)[..]].concat())), value);
            }
        }
        for wrong in [0, 9, 300] {
            assert_eq!(jpeg(&[b"Exif\0\0", &exif(wrong, true)[..]].concat()), 1);
        }
        let xmp = |text: &str| jpeg(&[b"http://ns.adobe.com/xap/1.0/\0", text.as_bytes()].concat());
        assert_eq!(xmp("<rdf tiff:Orientation=\"6\"/>"), 6);
        assert_eq!(xmp("<tiff:Orientation>3</tiff:Orientation>"), 3);
        assert_eq!(xmp("<rdf/>"), 1);
    }

    #[test]
    fn damage_is_upright_and_never_a_panic() {
        let whole = with_app1(&[0xff, 0xd8, 0xff, 0xd9], &[b"Exif\0\0", &exif(6, true)[..]].concat());
        for end in 0..whole.len() {
            let _ = Orientation::of(&whole[..end]);
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[end] = byte;
                let found = Orientation::of(&bytes).0;
                assert!((1..=8).contains(&found));
            }
        }
    }
}
