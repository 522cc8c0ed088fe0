//! Tests of pictures in every format: what is read of small files that Pillow wrote is what Pillow sees in them.

use super::*;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/pictures")
}

/// The shape and the numbers that are to be seen.
type Seen = (Vec<usize>, Vec<f32>);

/// Each file with the shape and the numbers that are to be seen, or nothing where it must be refused.
fn files() -> Vec<(&'static str, Option<Seen>)> {
    let line = |line: &'static str| {
        let (name, rest) = line.split_once(' ').unwrap();
        let Some((shape, numbers)) = rest.split_once("] ") else { return (name, None) };
        let shape = shape.trim_start_matches('[').split(", ").map(|n| n.parse().unwrap()).collect();
        (name, Some((shape, numbers.split(' ').map(|v| v.parse().unwrap()).collect())))
    };
    include_str!("../../golden/pictures.txt").lines().map(line).collect()
}

#[test]
fn every_format_is_read_as_pillow_reads_it() {
    let files = files();
    assert!(files.len() > 20);
    for (name, seen) in files {
        let read = read_image(folder().join(name), Color::Rgb);
        let Some((shape, numbers)) = seen else {
            let e = read.unwrap_err();
            assert!(
                e.message().ends_with("a picture in CMYK, whose numbers are amounts of ink and no light"),
                "{e}"
            );
            continue;
        };
        let read = read.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(read.shape(), shape, "{name}");
        let furthest =
            read.to_vec::<f32>().iter().zip(&numbers).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(furthest < 1e-6, "{name}: {furthest}");
        let gray = read_image(folder().join(name), Color::Gray).unwrap();
        assert_eq!(gray.shape(), [1, shape[1], shape[2]], "{name}");
        let pixels = shape[1] * shape[2];
        for (i, &found) in gray.to_vec::<f32>().iter().enumerate() {
            let [r, g, b] = [0, 1, 2].map(|c| numbers[c * pixels + i]);
            let want = 0.2126 * r + 0.7152 * g + 0.0722 * b;
            // Eight bits are rounded to eight bits.
            assert!((found - want).abs() < 1.01 / 255.0, "{name}: {found} {want}");
        }
    }
}

/// Whatever is cut off or changed in a file of any format is an error about data, or another picture; never a panic, and no
/// memory beyond the bound.
#[test]
fn damaged_files_of_every_format_are_refused() {
    for (name, seen) in files() {
        let whole = std::fs::read(folder().join(name)).unwrap();
        let check = |bytes: &[u8], what: String| match parse_image(bytes, Color::Rgb) {
            Ok(x) => assert!(x.to_vec::<f32>().iter().all(|v| (0.0..=1.0).contains(v)), "{name} {what}"),
            Err(e) => assert!(e.kind() == ErrorKind::Data && e.help_text().is_some(), "{name} {what}: {e}"),
        };
        // A first frame may be whole where later ones are missing.
        if seen.is_some() && !name.starts_with("moving") && !name.starts_with("pages") {
            for end in (0..whole.len() / 2).step_by(7) {
                assert!(parse_image(&whole[..end], Color::Rgb).is_err(), "{name} up to {end}");
            }
        }
        for at in 0..whole.len().min(90) {
            check(&whole[..at], format!("up to {at}"));
            for byte in [0, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                check(&bytes, format!("{byte} at {at}"));
            }
        }
    }
}

#[test]
fn a_picture_that_claims_to_be_vast_is_refused_in_every_format() {
    // Little more than headers: GIF, BMP and WebP of 40,000 × 40,000 pixels (WebP, which cannot say as much: 16,000 × 16,000).
    let side = 40_000_u32;
    let gif = {
        let small = std::fs::read(folder().join("palette.gif")).unwrap();
        [&small[..6], &(side as u16).to_le_bytes(), &(side as u16).to_le_bytes(), &small[10..]].concat()
    };
    let bmp = {
        let head =
            [&40_u32.to_le_bytes()[..], &side.to_le_bytes(), &side.to_le_bytes(), &[1, 0, 24, 0], &[0; 24]];
        [&b"BM"[..], &[0; 8], &54_u32.to_le_bytes(), &head.concat(), &[0; 64]].concat()
    };
    let webp = {
        let size = (15_999_u32 | 15_999 << 14).to_le_bytes();
        let chunk = [&b"VP8L"[..], &32_u32.to_le_bytes(), &[0x2f], &size, &[0; 27]].concat();
        [&b"RIFF"[..], &(chunk.len() as u32 + 4).to_le_bytes(), b"WEBP", &chunk].concat()
    };
    for (name, bytes) in [("gif", gif), ("bmp", bmp), ("webp", webp)] {
        let e = parse_image(&bytes, Color::Rgb).expect_err(name);
        assert!(
            e.message().contains("GiB of memory, more than 1 GiB") || e.message().contains("limit"),
            "{name}: {e}"
        );
    }
}
