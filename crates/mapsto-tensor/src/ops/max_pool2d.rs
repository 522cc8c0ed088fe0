//! Two-dimensional max pooling: the strongest response of each window.

use super::max_pool3d::largest;
use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::cpu::{in_class, slice, with_float};
use crate::backend::Size2;
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::storage::Plain;
use crate::{DType, Tensor};
use mapsto_kernels::gemm::Activation;
use mapsto_kernels::pool::{max_pool2d, max_pool2d_backward, max_pool2d_channels_last, max_pool2d_values};

pub use crate::pooling::{Pool, Pool1d, Pool2d, Pool3d};

impl Tensor {
    /// The largest element of each `k × k` window, the windows lying side by side; NaN if any is.
    ///
    /// * Shape: `[n, c, h, w] → [n, c, h / k, w / k]`, what is left over at the end being left out.
    /// * Gradient: `dy` to the first largest element of each window.   * ONNX: `MaxPool`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[[[1.0, 2.0, 0.0, 5.0], [4.0, 3.0, 0.0, 0.0]]]];
    /// assert_close!(x.max_pool2d(2).flatten(0), [4.0, 5.0]);
    /// ```
    /// # Panics
    /// When the images are not `[n, c, h, w]` of floats, or the windows do not fit them.
    #[track_caller]
    pub fn max_pool2d(&self, k: impl Into<Size2>) -> Tensor {
        self.max_pool2d_with(Pool2d::new(k))
    }

    /// [`max_pool2d`](Tensor::max_pool2d) with any stride, padding and dilation; what lies in the padding is never the largest.
    ///
    /// * Shape: `[n, c, h, w] → [n, c, oh, ow]` with `oh = (h + 2·padding − dilation·(k − 1) − 1) / stride + 1`, rounded up with `ceil_mode`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = tensor![[[[-1.0, -2.0, -3.0]]]].max_pool2d_with(Pool2d::new([1, 3]).stride([1, 2]).padding([0, 1]));
    /// assert_close!(y.flatten(0), [-1.0, -2.0]);
    /// ```
    /// # Panics
    /// As [`max_pool2d`](Tensor::max_pool2d).
    #[track_caller]
    pub fn max_pool2d_with(&self, pool: Pool2d) -> Tensor {
        pool.of_maxima("max_pool2d");
        pool.check("max_pool2d", self);
        match pool.is_plain() {
            true => fused(MaxPool2d { pool, relu: false }, &[self]),
            false => named("max_pool2d", || largest(self, pool)),
        }
    }

    /// `max(0, ·)` of [`max_pool2d_with`](Tensor::max_pool2d_with), in the same pass. It is also the pooling of `relu(x)`:
    /// the largest of what is above 0 is the largest, if that is above 0.
    ///
    /// * Gradient: `dy` to the first largest element of each window, where that is above 0.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[[[1.0, 2.0, -1.0, -5.0]]]];
    /// assert_close!(x.max_pool2d_relu(Pool2d::new([1, 2])).flatten(0), [2.0, 0.0]);
    /// ```
    /// # Panics
    /// As [`max_pool2d`](Tensor::max_pool2d).
    #[track_caller]
    pub fn max_pool2d_relu(&self, pool: Pool2d) -> Tensor {
        pool.of_maxima("max_pool2d");
        pool.check("max_pool2d", self);
        match pool.is_plain() {
            true => fused(MaxPool2d { pool, relu: true }, &[self]),
            false => named("max_pool2d", || largest(self, pool).relu()),
        }
    }
}

/// Images whose channels lie next to each other, as `[n, h, w, c]`.
pub(super) fn channels_last(x: &Tensor) -> Option<Tensor> {
    let last = (!x.layout().is_contiguous()).then(|| x.permute([0, 2, 3, 1]))?;
    (last.layout().is_contiguous() && !last.is_empty()).then_some(last)
}

/// A result `[n, c, h, w]` that lies so.
pub(super) fn filled_channels_last<T: Plain>(
    [n, c, h, w]: [usize; 4],
    dtype: DType,
    fill: impl FnOnce(&mut [T]),
) -> Tensor {
    Tensor::filled_by([n, h, w, c], fill).stored_as(dtype).permute([0, 3, 1, 2])
}

struct MaxPool2d {
    pool: Pool2d,
    relu: bool,
}
impl MaxPool2d {
    fn activation(&self) -> Activation {
        if self.relu { Activation::Relu } else { Activation::None }
    }
}
impl Fused for MaxPool2d {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 1)
    }
    fn attrs(&self, say: Say<'_>) {
        self.pool.say(say);
        say("relu", self.relu.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let shape = self.pool.check("max_pool2d", xs[0]);
        let ([n, c, oh, ow], [kh, kw], [ph, pw]) = (shape, self.pool.kernel, self.pool.padding);
        let padded = xs[0].pad(&[(0, 0), (0, 0), (ph, ph), (pw, pw)], f64::NEG_INFINITY);
        let cols = padded.window(self.pool.padding(0).window()).reshape([n * c, kh * kw, oh * ow]);
        // By position, not by `max`: of equal elements the first takes the whole gradient.
        let at = cols.detach().argmax(1).unsqueeze(1);
        let y = cols.gather(1, &at).reshape(shape);
        if self.relu { y.relu() } else { y }
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let (s, out) = (self.pool.shape(xs[0].shape()), self.pool.check("max_pool2d", xs[0]));
        let differentiable = xs[0].is_recorded() || xs[0].leaf_id().is_some();
        if let Some(last) = channels_last(xs[0]).filter(|_| !differentiable) {
            let x = in_class(&last);
            return Some(with_float!(x.dtype(), T => filled_channels_last(out, xs[0].dtype(), |y: &mut [T]| {
                max_pool2d_channels_last(&s, out[1], slice(&x), self.activation(), y)
            })).into());
        }
        let x = in_class(xs[0]);
        let mut at = None;
        let y = with_float!(x.dtype(), T => Tensor::filled_by(out, |y: &mut [T]| {
            if differentiable {
                at = Some(Tensor::filled_by(out, |at: &mut [i32]| max_pool2d(&s, slice(&x), self.activation(), y, at)));
            } else {
                max_pool2d_values(&s, slice(&x), self.activation(), y)
            }
        }));
        Some(Fast { y: y.to(xs[0].dtype()), kept: at.into_iter().collect() })
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let (g, s) = (in_class(g), self.pool.shape(at.shape(0)));
        let y = self.relu.then(|| in_class(&at.y().detach()));
        let dx = with_float!(g.dtype(), T => Tensor::filled_by(at.shape(0), |dx: &mut [T]| {
            max_pool2d_backward(&s, slice(&g), slice(&at.kept()[0]), y.as_ref().map(slice::<T>), dx)
        }));
        Some(dx.into())
    }
    fn keeps_output(&self) -> bool {
        self.relu
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("max_pool2d", "The largest element of each `k × k` window, the windows lying side by side; NaN if any is.", Takes::Floats, samples).built(|a| Ok(boxed(MaxPool2d { pool: Pool2d::of(a)?, relu: a.need("relu")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 4, 6], &d)], |x| x[0].max_pool2d(2));
    s.of(&[(&[1, 2, 5, 5], &d)], |x| x[0].max_pool2d_with(Pool2d::new(3).stride(2).padding(1)));
    s.of(&[(&[1, 2, 4, 4], &d.clone().avoiding(0.0))], |x| x[0].max_pool2d_relu(Pool2d::new(2)));
    s.of(&[(&[0, 2, 4, 4], &d)], |x| x[0].max_pool2d(2));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn max_pool2d() {
        let d = || floats(-2.0..2.0);
        check(|x| x.max_pool2d(2)).shapes([&[2, 2, 5, 4]]).on(d());
        check(|x| x.max_pool2d_with(Pool2d::new([3, 2]).stride([2, 1]).padding([1, 0]))).shapes([&[1, 2, 4, 3]]).on(d());
        for pool in [Pool2d::new(2), Pool2d::new(3).stride(2).padding(1), Pool2d::new([1, 4]).stride(1)] {
            let last = Tensor::randn([2, 8, 7, 5]).permute([0, 3, 1, 2]);
            for dtype in [DType::F32, DType::BF16] {
                let (last, y) = (last.to(dtype), last.to(dtype).max_pool2d_with(pool));
                assert_eq!(y.to_vec::<f32>(), last.contiguous().max_pool2d_with(pool).to_vec::<f32>());
                assert_eq!(y.layout().strides()[1], 1);
            }
            for relu in [false, true] {
                check_fused(|| MaxPool2d { pool, relu }, &[(&[3, 2, 8, 7], d())]);
            }
        }
    }

    #[test]
    fn the_first_of_equal_elements_takes_the_gradient_in_both_forms() {
        let x = Tensor::zeros([1, 1, 2, 4]).leaf();
        let first = [[1.0, 0.0, 1.0, 0.0], [0.0; 4]];
        let of = |g: &Tensor| g.squeeze(0).squeeze(0);
        assert_close!(of(x.max_pool2d(2).sum(..).backward().of(&x)), first);
        assert_close!(of(&grad(&x.max_pool2d(2).sum(..), [&x])[0]), first);
        assert!(tensor![[[[1.0, f64::NAN]]]].max_pool2d([1, 2]).item().is_nan());
    }

    #[test]
    fn windows_that_do_not_fit_are_named() {
        let error = |pool| catch(|| Tensor::zeros([1, 1, 2, 2]).max_pool2d_with(pool)).unwrap_err().message().to_string();
        assert_eq!(error(Pool2d::new(3)), "max_pool2d: the window [3, 3] does not fit the image [2, 2] (stride [3, 3], padding [0, 0])");
        assert_eq!(error(Pool2d::new(2).padding(2)), "max_pool2d: padding [2, 2] is more than half of the window [2, 2]");
    }
}
