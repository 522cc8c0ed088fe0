//! Average pooling of sequences and volumes, and with windows that are cut off or have a divisor of their own.

use crate::backend::cpu::{in_class, slice, with_float};
use crate::check::floats;
use crate::error::named;
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::PerAxis;
use crate::pooling::{Pool, Pool1d, Pool3d, Rule, as_volumes, from_volumes, table};
use crate::Tensor;
use mapsto_kernels::pool::{mean_pool_spans, mean_pool_spans_backward};

impl Tensor {
    /// The mean of each `k` places of a sequence, the windows lying side by side.
    ///
    /// * Shape: `[n, c, l] → [n, c, l / k]`, what is left over at the end being left out.
    /// * Gradient: `dy / k` to each element of a window.   * ONNX: `AveragePool`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[[1.0, 2.0, 0.0, 5.0, 9.0]]].avg_pool1d(2), [[[1.5, 2.5]]]);
    /// ```
    /// # Panics
    /// When the input is not `[n, c, l]` of floats, or the windows do not fit it.
    #[track_caller]
    pub fn avg_pool1d(&self, k: impl Into<PerAxis<1>>) -> Tensor {
        self.avg_pool1d_with(Pool1d::new(k))
    }

    /// [`avg_pool1d`](Tensor::avg_pool1d) with any stride and padding; the padding counts as zeros, also in the divisor (as by
    /// default in PyTorch), unless the pool says otherwise.
    ///
    /// * Shape: `[n, c, l] → [n, c, o]` with `o = (l + 2·padding − k) / stride + 1`, rounded up with `ceil_mode`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, pool) = (tensor![[[3.0, 6.0, 9.0]]], Pool1d::new(3).stride(1).padding(1));
    /// assert_close!(x.avg_pool1d_with(pool), [[[3.0, 6.0, 5.0]]]);
    /// assert_close!(x.avg_pool1d_with(pool.exclude_pad()), [[[4.5, 6.0, 7.5]]]);
    /// ```
    /// # Panics
    /// As [`avg_pool1d`](Tensor::avg_pool1d).
    #[track_caller]
    pub fn avg_pool1d_with(&self, pool: Pool1d) -> Tensor {
        pool.mean(self)
    }

    /// The mean of each `k × k × k` window of a volume, the windows lying side by side.
    ///
    /// * Shape: `[n, c, d, h, w] → [n, c, d / k, h / k, w / k]`, what is left over at the end being left out.
    /// * Gradient: `dy / k³` to each element of a window.   * ONNX: `AveragePool`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 2.0], [4.0, 3.0]].reshape([1, 1, 2, 1, 2]);
    /// assert_close!(x.avg_pool3d([2, 1, 2]).flatten(0), [2.5]);
    /// ```
    /// # Panics
    /// When the volumes are not `[n, c, d, h, w]` of floats, or the windows do not fit them.
    #[track_caller]
    pub fn avg_pool3d(&self, k: impl Into<PerAxis<3>>) -> Tensor {
        self.avg_pool3d_with(Pool3d::new(k))
    }

    /// [`avg_pool3d`](Tensor::avg_pool3d) with any stride and padding; the padding counts as zeros, also in the divisor (as by
    /// default in PyTorch), unless the pool says otherwise.
    ///
    /// * Shape: `[n, c, d, h, w] → [n, c, od, oh, ow]` with `od = (d + 2·padding − k) / stride + 1`, rounded up with `ceil_mode`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![1.0, 2.0, 3.0].reshape([1, 1, 1, 1, 3]);
    /// assert_close!(x.avg_pool3d_with(Pool3d::new([1, 1, 2]).ceil_mode()).flatten(0), [1.5, 3.0]);
    /// assert_close!(x.avg_pool3d_with(Pool3d::new([1, 1, 2]).divisor_override(1)).flatten(0), [3.0]);
    /// ```
    /// # Panics
    /// As [`avg_pool3d`](Tensor::avg_pool3d).
    #[track_caller]
    pub fn avg_pool3d_with(&self, pool: Pool3d) -> Tensor {
        pool.mean(self)
    }
}

impl<const N: usize> Pool<N> {
    /// The mean of each window, along whatever number of axes: [`Tensor::avg_pool2d_with`] and its like.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(Pool1d::new(2).mean(&tensor![[[1.0, 2.0, 0.0, 5.0]]]), [[[1.5, 2.5]]]);
    /// ```
    /// # Panics
    /// As [`Tensor::avg_pool2d`].
    #[track_caller]
    pub fn mean(self, x: &Tensor) -> Tensor {
        let op = ["", "avg_pool1d", "avg_pool2d", "avg_pool3d"][N];
        self.of_averages(op);
        self.out_of(op, x);
        named(op, || match self.of_images().filter(|_| self.is_plain()) {
            Some(pool) if N == 1 => x.unsqueeze(2).avg_pool2d_with(pool).squeeze(2),
            Some(pool) => x.avg_pool2d_with(pool),
            None => averages(x, self),
        })
    }
}

/// The mean of each window, of windows that fit.
#[track_caller]
pub(super) fn averages<const N: usize>(x: &Tensor, pool: Pool<N>) -> Tensor {
    let rule = Rule::Sliding(pool.of_volumes());
    from_volumes::<N>(fused(AvgPool { rule }, &[&as_volumes::<N>(x)]))
}

/// The mean of each window of volumes.
pub(super) struct AvgPool {
    pub(super) rule: Rule,
}
impl Fused for AvgPool {
    fn name(&self) -> &'static str {
        if matches!(self.rule, Rule::Sliding(_)) { "avg_pool3d" } else { "adaptive_avg_pool3d" }
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 1)
    }
    fn attrs(&self, say: Say<'_>) {
        self.rule.say(say);
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let (x, s) = (xs[0], self.rule.spans(self.name(), xs[0]));
        let ([n, c, ..], [od, oh, ow]) = (x.dims::<5>(), s.out());
        let (table, most) = table(&s);
        let [a, b, c_] = self.rule.divisors(&s);
        let divisors = a.iter().flat_map(|a| b.iter().flat_map(|b| c_.iter().map(|c| *a as f64 * *b as f64 * *c as f64).collect::<Vec<_>>()).collect::<Vec<_>>());
        let (table, divisors) = x.device().scope(|| {
            let divisors = Tensor::from_vec(divisors.collect::<Vec<_>>(), [od * oh * ow]).to(x.dtype());
            (Tensor::from_vec(table, [od * oh * ow * most]), divisors)
        });
        let plane: usize = s.size.iter().product();
        let padded = x.reshape([s.planes, plane]).pad(&[(0, 0), (0, 1)], 0.0);
        let all = padded.index_select(1, &table).reshape([s.planes, od * oh * ow, most]);
        (all.sum(2) / divisors).reshape([n, c, od, oh, ow])
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let (x, [od, oh, ow]) = (in_class(xs[0]), self.rule.out(self.name(), xs[0]));
        let [n, c, ..] = xs[0].dims::<5>();
        let y = with_float!(x.dtype(), T => Tensor::filled_by([n, c, od, oh, ow], |y: &mut [T]| {
            // Where there is no memory for the result, there is none for its windows.
            let s = self.rule.spans(self.name(), xs[0]);
            mean_pool_spans(&s, &self.rule.divisors(&s), slice(&x), y)
        }));
        Some(y.to(xs[0].dtype()).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let (g, s) = (in_class(g), self.rule.spans(self.name(), at.x()));
        let divisors = self.rule.divisors(&s);
        let dx = with_float!(g.dtype(), T => Tensor::filled_by(at.shape(0), |dx: &mut [T]| mean_pool_spans_backward(&s, &divisors, slice(&g), dx)));
        Some(dx.into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("avg_pool1d", "The mean of each window of a sequence.", Takes::Floats, of_sequences).made_of("avg_pool2d and avg_pool3d"),
    OpKind::new("avg_pool3d", "The mean of each window of a volume.", Takes::Floats, samples).built(|a| Ok(boxed(AvgPool { rule: Rule::sliding(a)? }))),
];

fn of_sequences(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 5], &d)], |x| x[0].avg_pool1d(2));
    s.of(&[(&[1, 2, 6], &d)], |x| x[0].avg_pool1d_with(Pool1d::new(3).stride(2).padding(1).ceil_mode()));
    s.of(&[(&[1, 2, 6], &d)], |x| x[0].avg_pool1d_with(Pool1d::new(3).stride(1).padding(1).exclude_pad()));
    s.of(&[(&[0, 2, 4], &d)], |x| x[0].avg_pool1d(2));
}

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 2, 4, 3, 5], &d)], |x| x[0].avg_pool3d([2, 1, 3]));
    s.of(&[(&[1, 2, 3, 4, 5], &d)], |x| x[0].avg_pool3d_with(Pool3d::new(2).stride([1, 2, 3]).padding(1).ceil_mode()));
    s.of(&[(&[1, 1, 4, 5, 3], &d)], |x| x[0].avg_pool3d_with(Pool3d::new(3).stride(2).padding(1).exclude_pad()));
    s.of(&[(&[1, 1, 4, 5, 3], &d)], |x| x[0].avg_pool3d_with(Pool3d::new(2).divisor_override(3)));
    s.of(&[(&[2, 0, 4, 2, 2], &d)], |x| x[0].avg_pool3d(2));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn averages_of_any_windows() {
        let d = || floats(-2.0..2.0);
        check(|x| x.avg_pool1d(3)).shapes([&[2, 2, 7]])
            .formula(|[x]| Numbers::from_fn(&[2, 2, 2], |at| (0..3).map(|j| x.at(&[at[0], at[1], 3 * at[2] + j])).sum::<f64>() / 3.0))
            .on(d());
        check(|x| x.avg_pool1d_with(Pool1d::new(4).stride(3).padding(2).ceil_mode())).shapes([&[2, 1, 7]]).on(d());
        check(|x| x.avg_pool2d_with(Pool2d::new([3, 2]).stride(2).padding(1).exclude_pad())).shapes([&[1, 2, 4, 6]]).on(d());
        check(|x| x.avg_pool2d_with(Pool2d::new(2).divisor_override(3).ceil_mode())).shapes([&[1, 2, 3, 3]]).on(d());
        check(|x| x.avg_pool3d(2)).shapes([&[1, 2, 2, 5, 4]])
            .formula(|[x]| Numbers::from_fn(&[1, 2, 1, 2, 2], |at| {
                (0..8).map(|j| x.at(&[at[0], at[1], j / 4, 2 * at[3] + j / 2 % 2, 2 * at[4] + j % 2])).sum::<f64>() / 8.0
            }))
            .on(d());
        let pools = [Pool3d::new(2), Pool3d::new(3).stride(2).padding(1), Pool3d::new([1, 4, 2]).stride(1).exclude_pad(), Pool3d::new(3).padding(1).ceil_mode()];
        for pool in [pools[0], pools[1], pools[2], pools[3], pools[3].exclude_pad(), pools[3].divisor_override(5)] {
            check_fused(|| AvgPool { rule: Rule::Sliding(pool) }, &[(&[2, 2, 5, 6, 4], d())]);
        }
        let x = Tensor::randn([2, 3, 9, 8]);
        for pool in [Pool2d::new(2), Pool2d::new(3).stride(2).padding(1)] {
            assert_close!(averages(&x, pool), x.avg_pool2d_with(pool));
        }
    }

    #[test]
    fn what_an_average_cannot_have_is_named() {
        let error = |pool| catch(|| Tensor::zeros([1, 1, 4]).avg_pool1d_with(pool)).unwrap_err().message().to_string();
        assert_eq!(error(Pool1d::new(2).dilation(2)), "avg_pool1d: windows with dilation [2] are averaged nowhere");
        assert_eq!(error(Pool1d::new(2).divisor_override(0)), "avg_pool1d: the divisor is 0");
        assert_eq!(error(Pool1d::new(5)), "avg_pool1d: the window [5] does not fit the image [4] (stride [5], padding [0])");
    }
}
