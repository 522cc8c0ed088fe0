//! Pictures of attributions: the picture beside itself with what speaks for and against the score laid over it.

use mapsto::{DType, Result, Tensor};

/// Vermilion for what speaks for the score, blue for what speaks against it: told apart by every kind of colour-blindness.
///
/// Source: Okabe and Ito, 2008.
pub const FOR: [f64; 3] = [0.835, 0.369, 0.0];
/// Blue.
pub const AGAINST: [f64; 3] = [0.0, 0.447, 0.698];

/// The least height of a picture that is shown, in pixels.
const HEIGHT: usize = 224;

/// A picture `[c, h, w]` with numbers in 0 ..= 1, and beside it the same in gray under the attributions `[c, h, w]`.
pub fn beside(picture: &Tensor, attributions: &Tensor) -> Tensor {
    let &[c, h, w] = picture.shape() else { return picture.clone() };
    let pixels = shown(picture);
    let of = attributions.to(DType::F64).to_vec::<f64>();
    let sums: Vec<f64> = (0..h * w).map(|i| (0..c).map(|k| of[k * h * w + i]).sum()).collect();
    let most = sums.iter().fold(0.0f64, |most, v| most.max(v.abs())).max(f64::MIN_POSITIVE);
    let scale = HEIGHT.div_ceil(h.max(1)).max(1);
    let gap = 8;
    let (high, wide) = (h * scale, 2 * w * scale + gap);
    let mut out = vec![1.0; 3 * high * wide];
    for y in 0..high {
        for x in 0..w * scale {
            let i = (y / scale) * w + x / scale;
            let color = [0, 1, 2].map(|k| pixels[(k * pixels.len() / 3) + i]);
            let gray = 0.25 + 0.5 * (0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]);
            let heat = if sums[i] >= 0.0 { FOR } else { AGAINST };
            let strength = (sums[i].abs() / most).sqrt();
            for k in 0..3 {
                out[k * high * wide + y * wide + x] = color[k];
                out[k * high * wide + y * wide + w * scale + gap + x] = gray + (heat[k] - gray) * strength;
            }
        }
    }
    Tensor::from_vec(out, [3, high, wide])
}

/// Pictures `[n, c, h, w]` side by side, each stretched to the whole range from black to white where that is asked for by its numbers.
pub fn row(pictures: &[Tensor]) -> Tensor {
    let Some(first) = pictures.first() else { return Tensor::zeros([3, 1, 1]) };
    let (h, w) = (first.shape()[1], first.shape()[2]);
    let across = (pictures.len() as f64).sqrt().ceil() as usize;
    let down = pictures.len().div_ceil(across);
    let scale = (HEIGHT / (h * down).max(1)).max(1);
    let (high, wide) = (down * (h * scale + 2), across * (w * scale + 2));
    let mut out = vec![1.0; 3 * high * wide];
    for (i, picture) in pictures.iter().enumerate() {
        let pixels = shown(&stretched(picture));
        let (top, left) = (i / across * (h * scale + 2), i % across * (w * scale + 2));
        for y in 0..h * scale {
            for x in 0..w * scale {
                let at = (y / scale) * w + x / scale;
                for k in 0..3 {
                    out[k * high * wide + (top + y) * wide + left + x] = pixels[k * h * w + at];
                }
            }
        }
    }
    Tensor::from_vec(out, [3, high, wide])
}

/// The numbers from the least, black, to the greatest, white.
fn stretched(picture: &Tensor) -> Tensor {
    let (least, most) = (picture.min(..).item(), picture.max(..).item());
    if most > least { (picture - least) / (most - least) } else { picture * 0.0 }
}

/// Red, green and blue of each pixel, one after the other.
fn shown(picture: &Tensor) -> Vec<f64> {
    let values: Vec<f64> = picture.to(DType::F64).to_vec::<f64>().iter().map(|v| v.clamp(0.0, 1.0)).collect();
    match picture.shape()[0] {
        3 => values,
        c => {
            let one = &values[..values.len() / c.max(1)];
            [one, one, one].concat()
        }
    }
}

/// A coarse map in characters, of so many columns: darker where more speaks for the score, `-` where most speaks against it.
pub fn letters(attributions: &Tensor, columns: usize) -> Result<Vec<String>> {
    let &[c, h, w] = attributions.shape() else { return Ok(Vec::new()) };
    let of = attributions.to(DType::F64).to_vec::<f64>();
    let columns = columns.min(w).max(1);
    let rows = (columns * h / w.max(1) / 2).clamp(1, h.max(1));
    let mut cells = vec![0.0; rows * columns];
    for (i, v) in of.iter().enumerate() {
        let (y, x) = (i / w % h, i % w);
        cells[y * rows / h * columns + x * columns / w] += v / c as f64;
    }
    let most = cells.iter().fold(0.0f64, |most, v| most.max(v.abs())).max(f64::MIN_POSITIVE);
    let letter = |v: &f64| match (v / most, (v.abs() / most * 5.0).ceil() as usize) {
        (share, _) if share < -0.2 => '-',
        (share, _) if share <= 0.0 => ' ',
        (_, step) => [' ', '.', ':', 'o', 'O', '@'][step.min(5)],
    };
    Ok(cells.chunks(columns).map(|row| row.iter().map(letter).collect::<String>()).collect())
}

#[test]
fn what_speaks_for_the_score_is_vermilion_and_what_speaks_against_it_blue() {
    let picture = Tensor::from_vec(vec![0.0, 1.0, 0.5, 0.5], [1, 2, 2]);
    let found = beside(&picture, &Tensor::from_vec(vec![1.0, -1.0, 0.0, 0.0], [1, 2, 2]));
    assert_eq!(found.shape(), [3, 224, 456]);
    let at = |y: usize, x: usize| [0, 1, 2].map(|k| found.slice(0, k..k + 1).to_vec::<f64>()[y * 456 + x]);
    assert_eq!((at(0, 0), at(0, 112), at(0, 226)), ([0.0; 3], [1.0; 3], [1.0; 3]));
    assert_eq!((at(0, 240), at(0, 440)), (FOR, AGAINST));
    assert_eq!(at(200, 240), [0.5; 3]);
    let letters = letters(&Tensor::from_vec(vec![1.0, -1.0, 0.0, 0.0], [1, 2, 2]), 40).unwrap();
    assert_eq!(letters, ["@-"]);
}
