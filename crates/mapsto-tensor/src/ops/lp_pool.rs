//! Power-average pooling: the p-norm of each window.

use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::pooling::{Pool, Pool1d, Pool2d, Pool3d};
use crate::{DType, Tensor, fail};

impl Tensor {
    /// `(Σ xᵖ)^(1/p)` of each window of a sequence; with an infinite p the largest magnitude. A window that is cut off counts
    /// as if what lacks were as its mean.
    ///
    /// * Shape: `[n, c, l] → [n, c, o]` as in [`avg_pool1d_with`](Tensor::avg_pool1d_with), without padding.   * Gradient: 0 where the sum is 0.
    /// * PyTorch: `F.lp_pool1d`; with an odd p, numbers below 0 count as such there and here.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[[3.0, 4.0, 0.0, 2.0]]].lp_pool1d(2.0, Pool1d::new(2)), [[[5.0, 2.0]]]);
    /// ```
    /// # Panics
    /// When `p` is 0 or NaN, the pool has padding, dilation or a divisor, or the windows do not fit.
    #[track_caller]
    pub fn lp_pool1d(&self, p: f64, pool: Pool1d) -> Tensor {
        pool.norm(self, p)
    }

    /// The same of windows of images.
    ///
    /// * Shape: `[n, c, h, w] → [n, c, oh, ow]` as in [`avg_pool2d_with`](Tensor::avg_pool2d_with), without padding.   * Gradient: 0 where the sum is 0.
    /// * ONNX: `LpPool`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[[[3.0, 4.0], [0.0, 12.0]]]].lp_pool2d(2.0, Pool2d::new(2)).flatten(0), [13.0]);
    /// ```
    /// # Panics
    /// As [`lp_pool1d`](Tensor::lp_pool1d).
    #[track_caller]
    pub fn lp_pool2d(&self, p: f64, pool: Pool2d) -> Tensor {
        pool.norm(self, p)
    }

    /// The same of windows of volumes.
    ///
    /// * Shape: `[n, c, d, h, w] → [n, c, od, oh, ow]` as in [`avg_pool3d_with`](Tensor::avg_pool3d_with), without padding.   * Gradient: 0 where the sum is 0.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![1.0, 2.0].reshape([1, 1, 2, 1, 1]);
    /// assert_close!(x.lp_pool3d(1.0, Pool3d::new([2, 1, 1])).flatten(0), [3.0]);
    /// ```
    /// # Panics
    /// As [`lp_pool1d`](Tensor::lp_pool1d).
    #[track_caller]
    pub fn lp_pool3d(&self, p: f64, pool: Pool3d) -> Tensor {
        pool.norm(self, p)
    }
}

impl<const N: usize> Pool<N> {
    /// The p-norm of each window, along whatever number of axes: [`Tensor::lp_pool2d`] and its like.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(Pool1d::new(2).norm(&tensor![[[3.0, 4.0, 0.0, 2.0]]], 2.0), [[[5.0, 2.0]]]);
    /// ```
    /// # Panics
    /// As [`Tensor::lp_pool1d`].
    #[track_caller]
    pub fn norm(self, x: &Tensor, p: f64) -> Tensor {
        let op = ["", "lp_pool1d", "lp_pool2d", "lp_pool3d"][N];
        if p == 0.0 || p.is_nan() {
            fail!(op, "p is {p}"; help = "it is any number but 0; 2 is Euclid's norm");
        }
        if self.padding != [0; N] || !self.count_include_pad || self.divisor_override.is_some() {
            fail!(op, "a norm of windows has neither padding nor a divisor"; help = "`pad` adds zeros first");
        }
        self.of_averages(op);
        self.out_of(op, x);
        named(op, || {
            if p.is_infinite() {
                let y = self.max(&(x.abs() * p.signum()));
                return if p > 0.0 { y } else { -y };
            }
            // Powers leave the range of f32 long before their roots do.
            let wide = x.to(DType::F64);
            let powers = if p == 2.0 { wide.square() } else { wide.pow(p) };
            let sum = self.mean(&powers) * self.kernel.iter().product::<usize>() as f64;
            // At 0 a root has no slope.
            let zero = sum.detach().eq(0.0);
            zero.choose(1.0, &sum).pow(1.0 / p).masked_fill(&zero, 0f64.powf(1.0 / p)).to(x.dtype())
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("lp_pool1d", "The p-norm of each window of a sequence.", Takes::Floats, of_1d).made_of("avg_pool1d and pow"),
    OpKind::new("lp_pool2d", "The p-norm of each window of an image.", Takes::Floats, of_2d).made_of("avg_pool2d and pow"),
    OpKind::new("lp_pool3d", "The p-norm of each window of a volume.", Takes::Floats, of_3d).made_of("avg_pool3d and pow"),
];

fn of_1d(s: &mut Samples) {
    let d = floats(0.1..2.0);
    s.of(&[(&[2, 3, 5], &d)], |x| x[0].lp_pool1d(2.0, Pool1d::new(2)));
    s.of(&[(&[2, 1, 5], &d)], |x| x[0].lp_pool1d(1.5, Pool1d::new(2).ceil_mode()));
    s.of(&[(&[0, 1, 5], &d)], |x| x[0].lp_pool1d(3.0, Pool1d::new(2)));
}

fn of_2d(s: &mut Samples) {
    let d = floats(0.1..2.0);
    s.of(&[(&[2, 3, 5, 4], &d)], |x| x[0].lp_pool2d(2.0, Pool2d::new(2)));
    s.of(&[(&[2, 1, 5, 3], &d)], |x| x[0].lp_pool2d(3.0, Pool2d::new([3, 2]).stride(1)));
}

fn of_3d(s: &mut Samples) {
    let d = floats(0.1..2.0);
    s.of(&[(&[1, 2, 2, 5, 4], &d)], |x| x[0].lp_pool3d(2.0, Pool3d::new(2)));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn norms_of_windows() {
        let d = || floats(0.1..2.0);
        check(|x| x.lp_pool1d(3.0, Pool1d::new(2))).shapes([&[2, 2, 5]])
            .formula(|[x]| Numbers::from_fn(&[2, 2, 2], |at| (0..2).map(|j| x.at(&[at[0], at[1], 2 * at[2] + j]).powi(3)).sum::<f64>().cbrt()))
            .on(d());
        check(|x| x.lp_pool1d(1.5, Pool1d::new(3).stride(2).ceil_mode())).shapes([&[2, 1, 6]]).on(d());
        check(|x| x.lp_pool2d(2.0, Pool2d::new(2))).shapes([&[1, 2, 4, 5]]).on(floats(-2.0..2.0));
        check(|x| x.lp_pool2d(f64::INFINITY, Pool2d::new(2))).shapes([&[1, 2, 4, 5]]).on(floats(-2.0..2.0));
        check(|x| x.lp_pool3d(2.0, Pool3d::new([1, 2, 2]).stride(1))).shapes([&[1, 1, 2, 3, 3]]).on(d());
        let x = Tensor::zeros([1, 1, 2]).leaf();
        assert_close!(x.lp_pool1d(2.0, Pool1d::new(2)).sum(..).backward().of(&x).flatten(0), [0.0, 0.0]);
        assert_close!(tensor![[[-3.0, 2.0]]].lp_pool1d(f64::NEG_INFINITY, Pool1d::new(2)).flatten(0), [2.0]);
        // Squares that f32 cannot hold.
        assert_close!(tensor![[[3e30, 4e30]]].lp_pool1d(2.0, Pool1d::new(2)).flatten(0) / 1e30, [5.0]);
    }

    #[test]
    fn what_a_norm_cannot_have_is_named() {
        let error = |p, pool| catch(|| Tensor::zeros([1, 1, 4]).lp_pool1d(p, pool)).unwrap_err().message().to_string();
        assert_eq!(error(0.0, Pool1d::new(2)), "lp_pool1d: p is 0");
        assert_eq!(error(2.0, Pool1d::new(2).padding(1)), "lp_pool1d: a norm of windows has neither padding nor a divisor");
        assert_eq!(error(2.0, Pool1d::new(5)), "lp_pool1d: the window [5] does not fit the image [4] (stride [5], padding [0])");
    }
}
