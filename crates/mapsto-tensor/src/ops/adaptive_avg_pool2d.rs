//! Adaptive average pooling: the mean of each of a given number of windows, whatever the size of the image.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::Size2;
use crate::backend::cpu::{in_class, slice, with_float};
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::shape::Shape;
use crate::{Tensor, fail, keep};
use mapsto_kernels::adaptive_pool::{AdaptivePoolShape, adaptive_avg_pool2d, adaptive_avg_pool2d_backward};

impl Tensor {
    /// The mean of each window, the windows dividing the image into `out` rows and columns; `1` is the mean of the whole
    /// image, global average pooling (Lin, Chen, Yan 2013, arXiv:1312.4400).
    ///
    /// Window i of n along an axis of length h reaches from `⌊i·h / n⌋` up to `⌈(i + 1)·h / n⌉` (PyTorch's rule): where n
    /// does not divide h, neighbours share a row.
    ///
    /// * Shape: `[n, c, h, w] → [n, c, oh, ow]`.
    /// * Gradient: `dy / (size of the window)` to each element of a window.   * ONNX: `GlobalAveragePool` for 1.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[[[1.0, 2.0, 3.0, 4.0, 6.0]]]];
    /// assert_close!(x.adaptive_avg_pool2d([1, 3]).flatten(0), [1.5, 3.0, 5.0]);
    /// assert_close!(x.adaptive_avg_pool2d(1).flatten(0), [3.2]);
    /// ```
    /// # Panics
    /// When the images are not `[n, c, h, w]` of floats, or a size is 0.
    #[track_caller]
    pub fn adaptive_avg_pool2d(&self, out: impl Into<Size2>) -> Tensor {
        let out = out.into().0;
        windows("adaptive_avg_pool2d", self, out);
        fused(AdaptiveAvgPool2d { out }, &[self])
    }
}

/// The sizes for the kernels.
///
/// # Panics
/// When the images are not `[n, c, h, w]` of floats, or a size is 0.
#[track_caller]
pub(super) fn windows(op: &str, x: &Tensor, out: [usize; 2]) -> AdaptivePoolShape {
    if !x.dtype().is_float() {
        fail!(op, "floats are needed, these are {}", x.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    let &[n, c, h, w] = x.shape() else {
        fail!(op, "the input must be [n, c, h, w], it is {:?}", x.shape(); help = "`unsqueeze` adds an axis");
    };
    if h * w == 0 || out.contains(&0) {
        fail!(op, "an image {:?} cannot be divided into {out:?} windows", [h, w]; help = "no size may be 0");
    }
    Shape::new(&[n, c, out[0], out[1]]).fit(op);
    AdaptivePoolShape { planes: n * c, h, w, out }
}

/// `[n, c]` and the rows and columns of windows: the shape of the result.
pub(super) fn pooled(x: &Tensor, out: [usize; 2]) -> [usize; 4] {
    let [n, c, ..] = x.dims::<4>();
    [n, c, out[0], out[1]]
}

struct AdaptiveAvgPool2d {
    out: [usize; 2],
}
impl Fused for AdaptiveAvgPool2d {
    fn name(&self) -> &'static str {
        "adaptive_avg_pool2d"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 1)
    }
    fn attrs(&self, say: Say<'_>) {
        say("out", self.out.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let s = windows("adaptive_avg_pool2d", xs[0], self.out);
        // The mean over rows, then over columns, each a product with a matrix of shares.
        let [rows, columns] = [(0, s.h), (1, s.w)].map(|(d, size)| {
            let mut shares = vec![0.0f64; self.out[d] * size];
            for i in 0..self.out[d] {
                let window = s.window(d, i);
                let share = 1.0 / window.len() as f64;
                shares[i * size..][window].fill(share);
            }
            xs[0].device().scope(|| Tensor::from_vec(shares, [self.out[d], size])).to(xs[0].dtype())
        });
        rows.matmul(xs[0]).matmul(&columns.t()) // [n, c, oh, w] → [n, c, oh, ow]
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        if self.out == [1, 1] {
            return Some(xs[0].mean(keep([2, 3])).into()); // of any view, and of 16 bits as they lie
        }
        let (x, s) = (in_class(xs[0]), windows("adaptive_avg_pool2d", xs[0], self.out));
        let out = pooled(xs[0], self.out);
        let y = with_float!(x.dtype(), T => Tensor::filled_by(out, |y: &mut [T]| adaptive_avg_pool2d(&s, slice(&x), y)));
        Some(y.to(xs[0].dtype()).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let &[n, c, h, w] = at.shape(0) else { return None };
        if self.out == [1, 1] {
            return Some((g / (h * w) as f64).expand(at.shape(0)).into());
        }
        let g = in_class(g);
        let s = AdaptivePoolShape { planes: n * c, h, w, out: self.out };
        let dx = with_float!(g.dtype(), T => Tensor::filled_by(at.shape(0), |dx: &mut [T]| {
            adaptive_avg_pool2d_backward(&s, slice(&g), dx)
        }));
        Some(dx.into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("adaptive_avg_pool2d", "The mean of each window, the windows dividing the image into `out` rows and columns; `1` is the mean of the whole image, global average pooling (Lin, Chen, Yan 2013, arXiv:1312.4400).", Takes::Floats, samples).built(|a| Ok(boxed(AdaptiveAvgPool2d { out: a.need("out")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 5, 7], &d)], |x| x[0].adaptive_avg_pool2d([3, 2]));
    s.of(&[(&[1, 2, 4, 4], &d)], |x| x[0].adaptive_avg_pool2d(1));
    s.of(&[(&[0, 2, 4, 4], &d)], |x| x[0].adaptive_avg_pool2d(2));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn adaptive_avg_pool2d() {
        let d = || floats(-2.0..2.0);
        check(|x| x.adaptive_avg_pool2d(1)).shapes([&[2, 3, 4, 3]]).on(d());
        check(|x| x.adaptive_avg_pool2d([3, 2])).shapes([&[1, 2, 4, 5]]).on(d());
        for out in [[1, 1], [2, 2], [3, 5], [7, 9]] {
            check_fused(|| AdaptiveAvgPool2d { out }, &[(&[3, 2, 8, 7], d())]);
        }
        let x = Tensor::randn([2, 3, 6, 4]);
        assert_close!(x.adaptive_avg_pool2d([3, 2]), x.avg_pool2d(2));
    }

    #[test]
    fn images_that_cannot_be_divided_are_named() {
        let error = |x: Tensor, n: usize| catch(|| x.adaptive_avg_pool2d(n)).unwrap_err().message().to_string();
        assert_eq!(
            error(Tensor::zeros([1, 1, 2, 0]), 1),
            "adaptive_avg_pool2d: an image [2, 0] cannot be divided into [1, 1] windows"
        );
        assert_eq!(error(Tensor::zeros([2, 2]), 1), "adaptive_avg_pool2d: the input must be [n, c, h, w], it is [2, 2]");
    }
}
