//! Two-dimensional average pooling.

use super::avg_pool3d::averages;
use super::max_pool2d::{Pool2d, channels_last, filled_channels_last};
use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::backend::Size2;
use crate::backend::cpu::{in_class, slice, with_float};
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use mapsto_kernels::pool::{avg_pool2d, avg_pool2d_backward, avg_pool2d_channels_last};

impl Tensor {
    /// The mean of each `k × k` window, the windows lying side by side.
    ///
    /// * Shape: `[n, c, h, w] → [n, c, h / k, w / k]`, what is left over at the end being left out.
    /// * Gradient: `dy / k²` to each element of a window.   * ONNX: `AveragePool`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[[[1.0, 2.0, 0.0, 5.0], [4.0, 3.0, 0.0, 1.0]]]];
    /// assert_close!(x.avg_pool2d(2).flatten(0), [2.5, 1.5]);
    /// ```
    /// # Panics
    /// When the images are not `[n, c, h, w]` of floats, or the windows do not fit them.
    #[track_caller]
    pub fn avg_pool2d(&self, k: impl Into<Size2>) -> Tensor {
        self.avg_pool2d_with(Pool2d::new(k))
    }

    /// [`avg_pool2d`](Tensor::avg_pool2d) with any stride and padding; the padding counts as zeros, also in the divisor
    /// (as by default in PyTorch), unless the pool says otherwise.
    ///
    /// * Shape: `[n, c, h, w] → [n, c, oh, ow]` with `oh = (h + 2·padding − k) / stride + 1`, rounded up with `ceil_mode`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = tensor![[[[3.0, 6.0, 9.0]]]].avg_pool2d_with(Pool2d::new([1, 3]).stride(1).padding([0, 1]));
    /// assert_close!(y.flatten(0), [3.0, 6.0, 5.0]);
    /// ```
    /// # Panics
    /// As [`avg_pool2d`](Tensor::avg_pool2d).
    #[track_caller]
    pub fn avg_pool2d_with(&self, pool: Pool2d) -> Tensor {
        pool.of_averages("avg_pool2d");
        pool.check("avg_pool2d", self);
        match pool.is_plain() {
            true => fused(AvgPool2d { pool }, &[self]),
            false => named("avg_pool2d", || averages(self, pool)),
        }
    }
}

struct AvgPool2d {
    pool: Pool2d,
}
impl Fused for AvgPool2d {
    fn name(&self) -> &'static str {
        "avg_pool2d"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each(xs, y, (self.pool.kernel[0] * self.pool.kernel[1]) as u64)
    }
    fn attrs(&self, say: Say<'_>) {
        self.pool.say(say);
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let shape = self.pool.check("avg_pool2d", xs[0]);
        let ([n, c, oh, ow], [kh, kw]) = (shape, self.pool.kernel);
        xs[0].window(self.pool.window()).reshape([n * c, kh * kw, oh * ow]).mean(1).reshape(shape)
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let (s, out) = (self.pool.shape(xs[0].shape()), self.pool.check("avg_pool2d", xs[0]));
        if let Some(last) = channels_last(xs[0]) {
            let x = in_class(&last);
            return Some(with_float!(x.dtype(), T => {
                filled_channels_last(out, xs[0].dtype(), |y: &mut [T]| avg_pool2d_channels_last(&s, out[1], slice(&x), y))
            }).into());
        }
        let x = in_class(xs[0]);
        let y = with_float!(x.dtype(), T => Tensor::filled_by(out, |y: &mut [T]| avg_pool2d(&s, slice(&x), y)));
        Some(y.to(xs[0].dtype()).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let (g, s) = (in_class(g), self.pool.shape(at.shape(0)));
        let dx = with_float!(g.dtype(), T => Tensor::filled_by(at.shape(0), |dx: &mut [T]| avg_pool2d_backward(&s, slice(&g), dx)));
        Some(dx.into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("avg_pool2d", "The mean of each `k × k` window, the windows lying side by side.", Takes::Floats, samples).built(|a| Ok(boxed(AvgPool2d { pool: Pool2d::of(a)? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 4, 6], &d)], |x| x[0].avg_pool2d(2));
    s.of(&[(&[1, 2, 5, 5], &d)], |x| x[0].avg_pool2d_with(Pool2d::new(3).stride(2).padding(1)));
    s.of(&[(&[0, 2, 4, 4], &d)], |x| x[0].avg_pool2d(2));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn avg_pool2d() {
        let d = || floats(-2.0..2.0);
        check(|x| x.avg_pool2d(2)).shapes([&[2, 2, 5, 4]]).on(d());
        check(|x| x.avg_pool2d_with(Pool2d::new([3, 2]).stride([2, 1]).padding([1, 0]))).shapes([&[1, 2, 4, 3]]).on(d());
        for pool in [Pool2d::new(2), Pool2d::new(3).stride(2).padding(1), Pool2d::new([1, 4]).stride(1)] {
            let last = Tensor::randn([2, 8, 7, 5]).permute([0, 3, 1, 2]);
            for dtype in [DType::F32, DType::BF16] {
                let (last, y) = (last.to(dtype), last.to(dtype).avg_pool2d_with(pool));
                assert_eq!(y.to_vec::<f32>(), last.contiguous().avg_pool2d_with(pool).to_vec::<f32>());
                assert_eq!(y.layout().strides()[1], 1);
            }
            check_fused(|| AvgPool2d { pool }, &[(&[3, 2, 8, 7], d())]);
        }
    }
}
