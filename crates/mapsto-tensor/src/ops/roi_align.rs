//! Boxes of feature maps in one size: what a detector's second stage reads.

use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::PerAxis;
use crate::shape::Shape;
use crate::storage::pool::room_for;
use crate::{DType, Tensor, fail};

/// How [`Tensor::roi_align`] reads boxes.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = Tensor::arange(0..16).to(DType::F32).reshape([1, 1, 4, 4]);
/// let y = x.roi_align(&tensor![[0.0, 0.0, 0.0, 8.0, 8.0]], RoiAlign::new(2).scale(0.5).samples(2).aligned());
/// assert_close!(y.flatten(0), [2.5, 4.5, 10.5, 12.5]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoiAlign {
    size: [usize; 2],
    scale: f64,
    samples: Option<usize>,
    aligned: bool,
}

impl RoiAlign {
    /// So many rows and columns of each box.
    pub fn new(size: impl Into<PerAxis<2>>) -> RoiAlign {
        RoiAlign { size: size.into().0, scale: 1.0, samples: None, aligned: false }
    }
    /// With boxes in units of which an element of the map is `1 / scale` (torchvision: `spatial_scale`).
    pub fn scale(self, scale: f64) -> RoiAlign {
        RoiAlign { scale, ..self }
    }
    /// With `samples²` points in each part of a box, and not as many as there are elements (torchvision: `sampling_ratio`).
    pub fn samples(self, samples: usize) -> RoiAlign {
        RoiAlign { samples: Some(samples), ..self }
    }
    /// With an element's centre half a unit from its edge, which the paper leaves out, and boxes of any size, as Detectron2.
    pub fn aligned(self) -> RoiAlign {
        RoiAlign { aligned: true, ..self }
    }

    /// Of each part of a box along an axis of `size`, the elements and their weights: the mean of points on lines between
    /// elements. What lies more than an element outside is 0.
    fn taps(&self, d: usize, start: f64, end: f64, size: usize, r: &dyn Fn(f64) -> f64) -> Vec<Vec<(usize, f64)>> {
        let offset = if self.aligned { 0.5 } else { 0.0 };
        let [start, end] = [start, end].map(|x| r(r(x * r(self.scale)) - offset));
        let length = r(end - start);
        let length = if self.aligned { length } else { length.max(1.0) };
        let bin = r(length / self.size[d] as f64);
        let count = self.samples.map_or_else(|| bin.ceil(), |n| n as f64);
        let (n, step) = (size as f64, r(bin / count));
        let part = |p: usize| {
            let mut weights = std::collections::BTreeMap::new();
            let from = r(start + r(p as f64 * bin));
            let place = |i: f64| r(from + r(r((i + 0.5) * bin) / count));
            // The points that may lie in the image: a box may be far larger.
            let ends = [(-1.0 - from) / step, (n - from) / step];
            let (least, most) = (ends[0].min(ends[1]).floor() - 1.0, ends[0].max(ends[1]).ceil() + 1.0);
            let mut i = least.max(0.0);
            while i < count && i <= most {
                let at = place(i);
                i += 1.0;
                if at < -1.0 || at > n {
                    continue;
                }
                let at = at.clamp(0.0, n - 1.0);
                let low = at.floor();
                *weights.entry(low as usize).or_insert(0.0) += (1.0 - (at - low)) / count;
                if at > low {
                    *weights.entry(low as usize + 1).or_insert(0.0) += (at - low) / count;
                }
            }
            weights.into_iter().collect()
        };
        (0..self.size[d]).map(part).collect()
    }
}

impl Tensor {
    /// The parts of boxes of feature maps, each the mean of points on lines between elements: He et al. (2017), Mask R-CNN,
    /// arXiv:1703.06870, section 3.
    ///
    /// A box is `[image, left, top, right, bottom]`.
    ///
    /// * Shape: `[n, c, h, w], [boxes, 5] → [boxes, c, rows, columns]`.   * Gradient: to the maps; none to the boxes, as in torchvision.
    /// * torchvision: `ops.roi_align`.   * ONNX: `RoiAlign`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[[[1.0, 2.0], [3.0, 4.0]]]];
    /// assert_close!(x.roi_align(&tensor![[0.0, 0.0, 0.0, 1.0, 1.0]], RoiAlign::new(1)).flatten(0), [2.5]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, a box is not of finite numbers, its image is not there, or a size is 0.
    #[track_caller]
    pub fn roi_align(&self, boxes: &Tensor, options: RoiAlign) -> Tensor {
        const OP: &str = "roi_align";
        if !self.dtype().is_float() || !boxes.dtype().is_float() {
            fail!(OP, "maps and boxes are floats, these are {} and {}", self.dtype(), boxes.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        if self.rank() != 4 || boxes.rank() != 2 || boxes.shape()[1] != 5 {
            fail!(OP, "maps [n, c, h, w] and boxes [k, 5] are needed, these are {:?} and {:?}", self.shape(), boxes.shape();
                  help = "a box is [image, left, top, right, bottom]");
        }
        let ([n, c, h, w], count) = (self.dims(), boxes.shape()[0]);
        if h * w == 0 || options.size.contains(&0) || options.samples == Some(0) {
            fail!(OP, "boxes of {:?} parts from maps {:?}", options.size, self.shape(); help = "no size may be 0");
        }
        if !options.scale.is_finite() || options.scale <= 0.0 {
            fail!(OP, "the scale is {}", options.scale; help = "it is above 0");
        }
        let [oh, ow] = options.size;
        let shape = Shape::new(&[count, c, oh, ow]).fit(OP);
        if !self.device().backend().has_numbers() {
            return self.device().scope(|| Tensor::full_of(shape, 0.0, self.dtype()));
        }
        let single = self.dtype() != DType::F64;
        let r = |x: f64| if single { f64::from(x as f32) } else { x };
        // Where there is no memory for the result, there is none for its parts.
        drop(room_for::<f64>(shape.iter().product()));
        let numbers = boxes.detach().to(DType::F64).to_vec::<f64>();
        let mut images = Vec::with_capacity(count);
        let mut parts = Vec::with_capacity(count);
        for (i, b) in numbers.chunks_exact(5).enumerate() {
            if b.iter().any(|x| !x.is_finite()) {
                fail!(OP, "box {i} is {b:?}"; help = "boxes are finite numbers");
            }
            if b[0].fract() != 0.0 || !(0.0..n as f64).contains(&b[0]) {
                fail!(OP, "box {i} is of image {}, and there are {n}", b[0]);
            }
            images.push(b[0] as i64);
            parts.push([options.taps(0, r(b[2]), r(b[4]), h, &r), options.taps(1, r(b[1]), r(b[3]), w, &r)]);
        }
        let most = |d: usize| parts.iter().flat_map(|p| &p[d]).map(Vec::len).max().unwrap_or(0).max(1);
        let each = most(0) * most(1);
        let all = (count * oh * ow).saturating_mul(each);
        let (mut at, mut weight) = (room_for(all), room_for(all));
        for [rows, columns] in &parts {
            for row in rows {
                for column in columns {
                    let start = at.len();
                    for (y, a) in row {
                        at.extend(column.iter().map(|(x, _)| (y * w + x) as i64));
                        weight.extend(column.iter().map(|(_, b)| a * b));
                    }
                    at.resize(start + each, -1);
                    weight.resize(start + each, 0.0);
                }
            }
        }
        named(OP, || {
            let (image, at, weight) = self.device().scope(|| {
                let weight = Tensor::from_vec(weight, [count, oh * ow, each]).to(self.dtype());
                (Tensor::from_vec(images, [count]), Tensor::from_vec(at, [count, oh * ow, each]), weight)
            });
            self.flatten(2).sample_places(&image, &at, &weight).reshape(shape)
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("roi_align", "The parts of boxes of feature maps, each the mean of points on lines between elements.", Takes::Floats, samples).made_of("sample_places"),
];

/// Boxes of three kinds of place: inside, reaching out, and of no area. They are no inputs, since they say images as whole numbers,
/// which may not be moved by a little.
fn some_boxes(x: &Tensor) -> Tensor {
    let boxes = [[0.0, 0.5, 0.25, 3.0, 4.0], [1.0, -2.0, 1.0, 1.0, 9.0], [0.0, 1.0, 1.0, 1.0, 1.0]];
    x.device().scope(|| tensor_of(&boxes).to(x.dtype()))
}

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 5, 4], &d)], |x| x[0].roi_align(&some_boxes(&x[0]), RoiAlign::new([2, 3])));
    s.of(&[(&[2, 3, 5, 4], &d)], |x| {
        x[0].roi_align(&some_boxes(&x[0]), RoiAlign::new(2).scale(0.5).samples(2).aligned())
    });
    s.of(&[(&[2, 1, 3, 3], &d)], |x| x[0].roi_align(&some_boxes(&x[0]).slice(0, ..0), RoiAlign::new(2)));
}

fn tensor_of(boxes: &[[f64; 5]]) -> Tensor {
    Tensor::from_slice(&boxes.concat(), [boxes.len(), 5])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn roi_align() {
        let boxes = || tensor_of(&[[0.0, 0.5, 0.25, 3.0, 4.0], [1.0, -2.0, 1.0, 1.5, 9.0], [0.0, 3.0, 2.0, 1.0, 1.0]]);
        for options in [RoiAlign::new([2, 3]), RoiAlign::new(2).aligned(), RoiAlign::new(3).scale(0.5).samples(3)] {
            check(move |x| x.roi_align(&boxes().to(x.dtype()), options)).shapes([&[2, 2, 5, 4]]).on(floats(-2.0..2.0));
        }
        // Of a plane that is a line in both directions, the value in the middle of each part.
        check(|x| x.roi_align(&tensor_of(&[[0.0, 1.0, 0.5, 3.0, 2.5]]).to(x.dtype()), RoiAlign::new(2).samples(2)))
            .shapes([&[1, 1, 4, 5]])
            .formula(|[x]| {
                let at = |y: f64, z: f64| {
                    let (i, j) = (y.floor() as usize, z.floor() as usize);
                    let of = |a: usize, b: usize| x.at(&[0, 0, a, b]);
                    let (s, t) = (y.fract(), z.fract());
                    (1.0 - s) * ((1.0 - t) * of(i, j) + t * of(i, j + 1)) + s * ((1.0 - t) * of(i + 1, j) + t * of(i + 1, j + 1))
                };
                Numbers::from_fn(&[1, 1, 2, 2], |o| {
                    let point = |k: usize, start: f64, part: usize| start + part as f64 + 0.25 + 0.5 * k as f64;
                    (0..4).map(|k| at(point(k / 2, 0.5, o[2]), point(k % 2, 1.0, o[3]))).sum::<f64>() / 4.0
                })
            })
            .on(floats(-2.0..2.0));
        // A box far larger than the image takes no time and has nothing in most parts.
        let huge = Tensor::ones([1, 1, 2, 2]).roi_align(&tensor![[0.0, -1e9, -1e9, 1e9, 1e9]], RoiAlign::new(4));
        assert_eq!(huge.select(2, 0).to_vec::<f32>(), [0.0; 4]);
    }

    #[test]
    fn boxes_that_are_none_are_named() {
        let error = |b: Tensor, o| catch(|| Tensor::zeros([1, 1, 2, 2]).roi_align(&b, o)).unwrap_err().message().to_string();
        let one = RoiAlign::new(1);
        assert_eq!(error(tensor![[0.0, 1.0, 1.0, 2.0]], one), "roi_align: maps [n, c, h, w] and boxes [k, 5] are needed, these are [1, 1, 2, 2] and [1, 4]");
        assert_eq!(error(tensor![[1.0, 1.0, 1.0, 2.0, 2.0]], one), "roi_align: box 0 is of image 1, and there are 1");
        assert_eq!(error(tensor![[0.0, f64::NAN, 1.0, 2.0, 2.0]], one), "roi_align: box 0 is [0.0, NaN, 1.0, 2.0, 2.0]");
        assert_eq!(error(tensor![[0.0, 1.0, 1.0, 2.0, 2.0]], one.scale(0.0)), "roi_align: the scale is 0");
        assert_eq!(error(tensor![[0.0, 1.0, 1.0, 2.0, 2.0]], RoiAlign::new(0)), "roi_align: boxes of [0, 0] parts from maps [1, 1, 2, 2]");
    }
}
