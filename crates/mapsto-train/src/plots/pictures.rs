//! A sheet of small pictures with captions, such as the samples a model gets wrong.

use super::{FAINT, INK, heading, page, text};
use crate::evaluate::Mistake;
use crate::png::{data_uri, png};
use mapsto_tensor::{DType, Result, Tensor};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// A picture with two lines under it.
#[derive(Clone, Debug)]
pub struct Picture {
    /// `[h, w]`, or `[c, h, w]` with one channel (grey) or three (red, green, blue); any scale.
    pub pixels: Tensor,
    /// The first line.
    pub title: String,
    /// The second line, quieter.
    pub note: String,
}

/// Draws pictures on a sheet under a heading; each is stretched from its own least to its own greatest value.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::plots::{Picture, pictures};
/// let picture = Picture { pixels: tensor![[0.0, 1.0], [0.5, 0.0]], title: "a 2 × 2".into(), note: String::new() };
/// assert!(pictures("pictures", "one of them", &[picture]).unwrap().contains("a 2 × 2"));
/// ```
///
/// # Errors
/// Only if the drawing library fails.
pub fn pictures(title: &str, below: &str, pictures: &[Picture]) -> Result<String> {
    let tiles: Vec<Tile> = pictures.iter().map(|p| Tile::grey_or_color(&p.pixels)).collect();
    sheet(title, below, &tiles, |i| (&pictures[i].title, &pictures[i].note))
}

/// Draws the most confident mistakes: the true class, the class it was given, and how sure the model was.
///
/// `sample` gives the pixels of a sample of the set by its index. At most 32 are drawn.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::{Mistake, plots};
/// let wrong = [Mistake { index: 7, actual: 3, predicted: 5, confidence: 0.98 }];
/// let svg = plots::misclassified(&wrong, &[], |_| Ok(Tensor::eye(8))).unwrap();
/// assert!(svg.contains("3, taken for 5"));
/// ```
///
/// # Errors
/// What `sample` reports; else only if the drawing library fails.
pub fn misclassified(
    mistakes: &[Mistake],
    classes: &[String],
    sample: impl Fn(usize) -> Result<Tensor>,
) -> Result<String> {
    let name = |c: usize| classes.get(c).cloned().unwrap_or_else(|| c.to_string());
    let drawn = mistakes.iter().take(32);
    let drawn = drawn.map(|m| {
        Ok(Picture {
            pixels: sample(m.index)?,
            title: format!("{}, taken for {}", name(m.actual), name(m.predicted)),
            note: format!("{:.0} % sure, no. {}", 100.0 * m.confidence, m.index),
        })
    });
    let drawn = drawn.collect::<Result<Vec<Picture>>>()?;
    let below = match mistakes.len() {
        n if n > drawn.len() => format!("the {} most confident of {n} mistakes", drawn.len()),
        n => format!("all {n} mistakes, the most confident first"),
    };
    pictures("misclassified", &below, &drawn)
}

/// The side a picture is drawn at, and the most pixels of it.
const SIDE: usize = 112;
const MOST: usize = 56;
/// A picture as colours.
pub(super) struct Tile {
    pub(super) width: usize,
    pub(super) colors: Vec<RGBColor>,
}

impl Tile {
    /// Grey, or red-green-blue, stretched to the full range; wide ones are thinned out.
    pub(super) fn grey_or_color(pixels: &Tensor) -> Tile {
        let (channels, h, w) = match *pixels.shape() {
            [h, w] => (1, h, w),
            [c, h, w] => (if c == 3 { 3 } else { 1 }, h, w),
            _ => (1, 1, pixels.len()),
        };
        let values = pixels.to(DType::F64).to_vec::<f64>();
        let (low, high) = extent(&values[..channels * h * w]);
        let shade = |v: f64| {
            let t = (v - low) / (high - low);
            if t.is_finite() { (255.0 * t).round() as u8 } else { 0 }
        };
        let stride = h.max(w).div_ceil(MOST).max(1);
        let (rows, width) = (h.div_ceil(stride), w.div_ceil(stride));
        let color = |i: usize| {
            let at = (i / width) * stride * w + (i % width) * stride;
            let of = |c: usize| shade(values[(c % channels) * h * w + at]);
            RGBColor(of(0), of(1), of(2))
        };
        Tile { width, colors: (0..rows * width).map(color).collect() }
    }

    /// The picture as an element of SVG: one PNG, since rectangles side by side show seams wherever a page is not drawn at its own size.
    fn element(&self, x: i32, y: i32) -> String {
        if self.colors.is_empty() {
            return String::new();
        }
        let rows = self.colors.len() / self.width;
        let dot = (SIDE / self.width.max(rows)).max(1);
        let pixels: Vec<u8> = self.colors.iter().flat_map(|c| [c.0, c.1, c.2]).collect();
        format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" style=\"image-rendering:pixelated\" href=\"{}\"/>\n",
            self.width * dot,
            rows * dot,
            data_uri(&png(self.width, rows, &pixels))
        )
    }
}

/// The least and greatest finite value.
pub(super) fn extent(values: &[f64]) -> (f64, f64) {
    let finite = values.iter().filter(|v| v.is_finite());
    finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)))
}

pub(super) fn sheet<'a>(
    title: &str,
    below: &str,
    tiles: &[Tile],
    caption: impl Fn(usize) -> (&'a str, &'a str),
) -> Result<String> {
    let columns = (tiles.len() as f64).sqrt().ceil().clamp(1.0, 8.0) as usize;
    let rows = tiles.len().div_ceil(columns);
    let captioned = (0..tiles.len()).any(|i| !caption(i).0.is_empty());
    let (step_x, step_y) =
        (SIDE as i32 + if captioned { 40 } else { 16 }, SIDE as i32 + if captioned { 52 } else { 16 });
    let size = ((48 + columns as i32 * step_x).max(360) as u32, (88 + rows as i32 * step_y) as u32);
    let place = |i: usize| (24 + (i % columns) as i32 * step_x, 80 + (i / columns) as i32 * step_y);
    let svg = page(size, |area| {
        heading(area, title, below)?;
        for i in 0..tiles.len() {
            let (x, y) = place(i);
            let (first, second) = caption(i);
            if captioned {
                area.draw_text(first, &text(12, INK, HPos::Left, VPos::Top), (x, y + SIDE as i32 + 6))?;
                area.draw_text(second, &text(11, FAINT, HPos::Left, VPos::Top), (x, y + SIDE as i32 + 22))?;
            }
        }
        Ok(())
    })?;
    let images: String =
        tiles.iter().enumerate().map(|(i, tile)| tile.element(place(i).0, place(i).1)).collect();
    Ok(svg.replace("</svg>", &format!("{images}</svg>")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_one_image_whatever_it_shows() {
        let picture = |pixels| Picture { pixels, title: String::new(), note: String::new() };
        let drawn = |pixels| pictures("t", "", &[picture(pixels)]).unwrap();
        let noise = drawn(Tensor::rand([28, 28]));
        let count = |svg: &str, what: &str| svg.matches(what).count();
        assert_eq!(count(&noise, "<rect"), count(&drawn(Tensor::zeros([28, 28])), "<rect"));
        assert_eq!(count(&noise, "<image"), 1);
        assert!(noise.contains("width=\"112\" height=\"112\"") && noise.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn odd_pictures_do_no_harm() {
        let nan = Tensor::full([4, 4], f64::NAN);
        let list = [
            nan,
            Tensor::zeros([3, 200, 100]),
            Tensor::ones([5]),
            Tensor::ones([2, 3, 3]),
            Tensor::zeros([0, 0]),
        ];
        let list: Vec<Picture> =
            list.into_iter().map(|pixels| Picture { pixels, title: "t".into(), note: "n".into() }).collect();
        assert!(pictures("odd", "", &list).unwrap().starts_with("<svg"));
        assert!(misclassified(&[], &[], |_| Ok(Tensor::ones([1]))).unwrap().contains("all 0 mistakes"));
    }
}
