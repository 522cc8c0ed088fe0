//! Max pooling of sequences and volumes, with any windows, and the positions of the largest elements.

use crate::backend::cpu::{in_class, slice, with_float};
use crate::check::floats;
use crate::error::named;
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::PerAxis;
use crate::pooling::{Pool, Pool1d, Pool2d, Pool3d, Rule, as_volumes, from_volumes, table};
use crate::{DType, Tensor};
use mapsto_kernels::pool::{max_pool_spans, max_pool_spans_backward, max_pool_spans_values};

impl Tensor {
    /// The largest element of each `k` places of a sequence, the windows lying side by side; NaN if any is.
    ///
    /// * Shape: `[n, c, l] → [n, c, l / k]`, what is left over at the end being left out.
    /// * Gradient: `dy` to the first largest element of each window.   * ONNX: `MaxPool`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[[1.0, 2.0, 0.0, 5.0, 9.0]]].max_pool1d(2), [[[2.0, 5.0]]]);
    /// ```
    /// # Panics
    /// When the input is not `[n, c, l]` of floats, or the windows do not fit it.
    #[track_caller]
    pub fn max_pool1d(&self, k: impl Into<PerAxis<1>>) -> Tensor {
        self.max_pool1d_with(Pool1d::new(k))
    }

    /// [`max_pool1d`](Tensor::max_pool1d) with any stride, padding and dilation; what lies in the padding is never the largest.
    ///
    /// * Shape: `[n, c, l] → [n, c, o]` with `o = (l + 2·padding − dilation·(k − 1) − 1) / stride + 1`, rounded up with `ceil_mode`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[[1.0, 2.0, 0.0, 5.0, 9.0]]];
    /// assert_close!(x.max_pool1d_with(Pool1d::new(2).ceil_mode()), [[[2.0, 5.0, 9.0]]]);
    /// assert_close!(x.max_pool1d_with(Pool1d::new(2).stride(1).dilation(3)), [[[5.0, 9.0]]]);
    /// ```
    /// # Panics
    /// As [`max_pool1d`](Tensor::max_pool1d).
    #[track_caller]
    pub fn max_pool1d_with(&self, pool: Pool1d) -> Tensor {
        pool.max(self)
    }

    /// The largest element of each `k × k × k` window of a volume, the windows lying side by side; NaN if any is.
    ///
    /// * Shape: `[n, c, d, h, w] → [n, c, d / k, h / k, w / k]`, what is left over at the end being left out.
    /// * Gradient: `dy` to the first largest element of each window.   * ONNX: `MaxPool`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 2.0], [4.0, 3.0]].reshape([1, 1, 2, 1, 2]);
    /// assert_close!(x.max_pool3d([2, 1, 2]).flatten(0), [4.0]);
    /// ```
    /// # Panics
    /// When the volumes are not `[n, c, d, h, w]` of floats, or the windows do not fit them.
    #[track_caller]
    pub fn max_pool3d(&self, k: impl Into<PerAxis<3>>) -> Tensor {
        self.max_pool3d_with(Pool3d::new(k))
    }

    /// [`max_pool3d`](Tensor::max_pool3d) with any stride, padding and dilation; what lies in the padding is never the largest.
    ///
    /// * Shape: `[n, c, d, h, w] → [n, c, od, oh, ow]` with `od = (d + 2·padding − dilation·(k − 1) − 1) / stride + 1`, rounded up with `ceil_mode`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![1.0, 2.0, 3.0].reshape([1, 1, 1, 1, 3]);
    /// assert_close!(x.max_pool3d_with(Pool3d::new([1, 1, 2]).ceil_mode()).flatten(0), [2.0, 3.0]);
    /// ```
    /// # Panics
    /// As [`max_pool3d`](Tensor::max_pool3d).
    #[track_caller]
    pub fn max_pool3d_with(&self, pool: Pool3d) -> Tensor {
        pool.max(self)
    }

    /// [`max_pool1d_with`](Tensor::max_pool1d_with), and the positions (i64) of the largest elements: of equals the first, the
    /// first NaN if there is one.
    ///
    /// * Shape: `[n, c, l] → ([n, c, o], [n, c, o])`.   * PyTorch: `return_indices=True`; of several NaNs it names the last.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (y, at) = tensor![[[1.0, 2.0, 5.0, 5.0]]].max_pool1d_with_indices(Pool1d::new(2));
    /// assert_close!(y, [[[2.0, 5.0]]]);
    /// assert_eq!(at.to_vec::<i64>(), [1, 2]);
    /// ```
    /// # Panics
    /// As [`max_pool1d`](Tensor::max_pool1d).
    #[track_caller]
    pub fn max_pool1d_with_indices(&self, pool: Pool1d) -> (Tensor, Tensor) {
        with_indices("max_pool1d_with_indices", self, pool)
    }

    /// [`max_pool2d_with`](Tensor::max_pool2d_with), and the positions (i64) of the largest elements in their planes,
    /// `row · w + column`: of equals the first, the first NaN if there is one.
    ///
    /// * Shape: `[n, c, h, w] → ([n, c, oh, ow], [n, c, oh, ow])`.   * PyTorch: `return_indices=True`; of several NaNs it names the last.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (y, at) = tensor![[[[1.0, 2.0], [5.0, 5.0]]]].max_pool2d_with_indices(Pool2d::new(2));
    /// assert_eq!((y.item(), at.item_i64()), (5.0, 2));
    /// ```
    /// # Panics
    /// As [`max_pool2d`](Tensor::max_pool2d).
    #[track_caller]
    pub fn max_pool2d_with_indices(&self, pool: Pool2d) -> (Tensor, Tensor) {
        with_indices("max_pool2d_with_indices", self, pool)
    }

    /// [`max_pool3d_with`](Tensor::max_pool3d_with), and the positions (i64) of the largest elements in their volumes,
    /// `(slice · h + row) · w + column`: of equals the first, the first NaN if there is one.
    ///
    /// * Shape: `[n, c, d, h, w] → ([n, c, od, oh, ow], [n, c, od, oh, ow])`.   * PyTorch: `return_indices=True`; of several NaNs it names the last.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![1.0, 2.0, 7.0, 5.0].reshape([1, 1, 2, 1, 2]);
    /// let (y, at) = x.max_pool3d_with_indices(Pool3d::new([2, 1, 2]));
    /// assert_eq!((y.item(), at.item_i64()), (7.0, 2));
    /// ```
    /// # Panics
    /// As [`max_pool3d`](Tensor::max_pool3d).
    #[track_caller]
    pub fn max_pool3d_with_indices(&self, pool: Pool3d) -> (Tensor, Tensor) {
        with_indices("max_pool3d_with_indices", self, pool)
    }
}

impl<const N: usize> Pool<N> {
    /// The largest element of each window, along whatever number of axes: [`Tensor::max_pool2d_with`] and its like.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(Pool1d::new(2).max(&tensor![[[1.0, 2.0, 0.0, 5.0]]]), [[[2.0, 5.0]]]);
    /// ```
    /// # Panics
    /// As [`Tensor::max_pool2d`].
    #[track_caller]
    pub fn max(self, x: &Tensor) -> Tensor {
        let op = ["", "max_pool1d", "max_pool2d", "max_pool3d"][N];
        self.of_maxima(op);
        self.out_of(op, x);
        named(op, || match self.of_images().filter(|_| self.is_plain()) {
            // Kernels of their own.
            Some(pool) if N == 1 => x.unsqueeze(2).max_pool2d_with(pool).squeeze(2),
            Some(pool) => x.max_pool2d_with(pool),
            None => largest(x, self),
        })
    }
}

/// The largest element of each window, of windows that fit.
#[track_caller]
pub(super) fn largest<const N: usize>(x: &Tensor, pool: Pool<N>) -> Tensor {
    let rule = Rule::Sliding(pool.of_volumes());
    from_volumes::<N>(fused(MaxPool { rule, at: false }, &[&as_volumes::<N>(x)]))
}

#[track_caller]
fn with_indices<const N: usize>(op: &str, x: &Tensor, pool: Pool<N>) -> (Tensor, Tensor) {
    pool.of_maxima(op);
    pool.out_of(op, x);
    named(op, || with_positions::<N>(x, Rule::Sliding(pool.of_volumes())))
}

/// The largest element of each window and its position: gathered by it, which is also how the gradient flows.
#[track_caller]
pub(super) fn with_positions<const N: usize>(x: &Tensor, rule: Rule) -> (Tensor, Tensor) {
    let at = fused(MaxPool { rule, at: true }, &[&as_volumes::<N>(&x.detach())]);
    let y = x.flatten(2).gather(2, &at.flatten(2)).reshape(at.shape());
    (from_volumes::<N>(y), from_volumes::<N>(at))
}

/// The largest element of each window of volumes, or its position in its plane.
pub(super) struct MaxPool {
    pub(super) rule: Rule,
    pub(super) at: bool,
}
impl Fused for MaxPool {
    fn name(&self) -> &'static str {
        match (&self.rule, self.at) {
            (Rule::Sliding(_), false) => "max_pool3d",
            (Rule::Sliding(_), true) => "max_pool3d_with_indices",
            (Rule::Adaptive(_), false) => "adaptive_max_pool3d",
            (Rule::Adaptive(_), true) => "adaptive_max_pool3d_with_indices",
        }
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
        let table = x.device().scope(|| Tensor::from_vec(table, [od * oh * ow * most]));
        let places = table.reshape([1, od * oh * ow, most]).expand([s.planes, od * oh * ow, most]);
        let plane: usize = s.size.iter().product();
        let padded = x.reshape([s.planes, plane]).pad(&[(0, 0), (0, 1)], f64::NEG_INFINITY);
        let all = padded.index_select(1, &table).reshape([s.planes, od * oh * ow, most]);
        // By position, not by `max`: of equal elements the first takes the whole gradient.
        let at = all.detach().argmax(2).unsqueeze(2);
        let y = if self.at { places.gather(2, &at) } else { all.gather(2, &at) };
        y.reshape([n, c, od, oh, ow])
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let (x, [od, oh, ow]) = (in_class(xs[0]), self.rule.out(self.name(), xs[0]));
        let [n, c, ..] = xs[0].dims::<5>();
        let out = [n, c, od, oh, ow];
        let positions = self.at || xs[0].is_recorded() || xs[0].leaf_id().is_some();
        let mut at = None;
        let y = with_float!(x.dtype(), T => Tensor::filled_by(out, |y: &mut [T]| {
            // Where there is no memory for the result, there is none for its windows.
            let s = self.rule.spans(self.name(), xs[0]);
            if positions {
                at = Some(Tensor::filled_by(out, |at: &mut [i32]| max_pool_spans(&s, slice(&x), y, at)));
            } else {
                max_pool_spans_values(&s, slice(&x), y)
            }
        }));
        match at {
            Some(at) if self.at => Some(at.to(DType::I64).into()),
            at => Some(Fast { y: y.to(xs[0].dtype()), kept: at.into_iter().collect() }),
        }
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let (g, s) = (in_class(g), self.rule.spans(self.name(), at.x()));
        let dx = with_float!(g.dtype(), T => Tensor::filled_by(at.shape(0), |dx: &mut [T]| {
            max_pool_spans_backward(&s, slice(&g), slice(&at.kept()[0]), dx)
        }));
        Some(dx.into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("max_pool1d", "The largest element of each window of a sequence.", Takes::Floats, of_sequences).made_of("max_pool2d and max_pool3d"),
    OpKind::new("max_pool3d", "The largest element of each window of a volume; NaN if any is.", Takes::Floats, samples).built(|a| Ok(boxed(MaxPool { rule: Rule::sliding(a)?, at: false }))),
    OpKind::new("max_pool3d_with_indices", "The position of the largest element of each window of a volume.", Takes::Floats, of_positions).built(|a| Ok(boxed(MaxPool { rule: Rule::sliding(a)?, at: true }))),
];

fn of_sequences(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 5], &d)], |x| x[0].max_pool1d(2));
    s.of(&[(&[1, 2, 6], &d)], |x| x[0].max_pool1d_with(Pool1d::new(3).stride(2).padding(1).ceil_mode()));
    s.of(&[(&[1, 2, 6], &d)], |x| x[0].max_pool1d_with(Pool1d::new(2).dilation(3)));
    s.of(&[(&[0, 2, 4], &d)], |x| x[0].max_pool1d(2));
}

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 2, 4, 3, 5], &d)], |x| x[0].max_pool3d([2, 1, 3]));
    s.of(&[(&[1, 2, 3, 4, 5], &d)], |x| x[0].max_pool3d_with(Pool3d::new(2).stride([1, 2, 3]).padding(1).ceil_mode()));
    s.of(&[(&[1, 1, 4, 5, 3], &d)], |x| x[0].max_pool3d_with(Pool3d::new(2).stride(1).dilation([3, 2, 1])));
    s.of(&[(&[2, 0, 4, 2, 2], &d)], |x| x[0].max_pool3d(2));
}

fn of_positions(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 2, 4, 3, 5], &d)], |x| x[0].max_pool3d_with_indices(Pool3d::new([2, 1, 3])).1);
    s.of(&[(&[1, 2, 4, 3], &d)], |x| x[0].max_pool2d_with_indices(Pool2d::new(3).stride(1).padding(1)).0);
    s.of(&[(&[1, 2, 5], &d)], |x| x[0].max_pool1d_with_indices(Pool1d::new(2).ceil_mode()).1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn max_pools_of_any_windows() {
        let d = || floats(-2.0..2.0);
        check(|x| x.max_pool1d(3)).shapes([&[2, 2, 7]])
            .formula(|[x]| Numbers::from_fn(&[2, 2, 2], |at| (0..3).map(|j| x.at(&[at[0], at[1], 3 * at[2] + j])).fold(f64::MIN, f64::max)))
            .on(d());
        check(|x| x.max_pool1d_with(Pool1d::new(2).stride(3).dilation(2).padding(1).ceil_mode())).shapes([&[2, 1, 7]]).on(d());
        check(|x| x.max_pool2d_with(Pool2d::new([3, 2]).stride(2).dilation([1, 3]).ceil_mode())).shapes([&[1, 2, 4, 6]]).on(d());
        check(|x| x.max_pool2d_relu(Pool2d::new(2).ceil_mode())).shapes([&[1, 2, 3, 3]]).on(d());
        check(|x| x.max_pool3d(2)).shapes([&[1, 2, 2, 5, 4]])
            .formula(|[x]| Numbers::from_fn(&[1, 2, 1, 2, 2], |at| {
                (0..8).map(|j| x.at(&[at[0], at[1], j / 4, 2 * at[3] + j / 2 % 2, 2 * at[4] + j % 2])).fold(f64::MIN, f64::max)
            }))
            .on(d());
        check(|x| x.max_pool3d_with_indices(Pool3d::new([1, 2, 2]).stride(1).padding([0, 1, 1])).0).shapes([&[1, 1, 2, 3, 3]]).on(d());
        for pool in [Pool3d::new(2), Pool3d::new(3).stride(2).padding(1), Pool3d::new([1, 4, 2]).stride(1), Pool3d::new(2).dilation([1, 3, 2]).padding([0, 1, 1]).ceil_mode()] {
            check_fused(|| MaxPool { rule: Rule::Sliding(pool), at: false }, &[(&[2, 2, 5, 6, 4], d())]);
            let x = (Tensor::randn([2, 3, 5, 6, 4]) * 2.0).round();
            let op = MaxPool { rule: Rule::Sliding(pool), at: true };
            assert_eq!(x.max_pool3d_with_indices(pool).1.to_vec::<i64>(), op.compose(&[&x]).to_vec::<i64>(), "{pool:?}");
        }
        // The two ways to the same numbers.
        let x = Tensor::randn([2, 3, 9, 8]);
        for pool in [Pool2d::new(2), Pool2d::new(3).stride(2).padding(1)] {
            assert_eq!(largest(&x, pool).to_vec::<f32>(), x.max_pool2d_with(pool).to_vec::<f32>());
        }
    }

    #[test]
    fn nan_is_largest_and_the_padding_never_is() {
        let x = tensor![[[f64::NEG_INFINITY, f64::NEG_INFINITY, f64::NAN, 3.0, f64::NAN]]];
        let (y, at) = x.max_pool1d_with_indices(Pool1d::new(3).stride(2).padding(1));
        let y = y.to_vec::<f32>();
        assert!(y[0] == f32::NEG_INFINITY && y[1].is_nan() && y[2].is_nan());
        assert_eq!(at.to_vec::<i64>(), [0, 2, 4]);
        let x = Tensor::zeros([1, 1, 2, 2, 2]).leaf();
        assert_close!(x.max_pool3d(2).sum(..).backward().of(&x).flatten(0), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let error = |f: &dyn Fn() -> Tensor| catch(f).unwrap_err().message().to_string();
        assert_eq!(error(&|| Tensor::zeros([1, 2]).max_pool1d(2)), "max_pool1d: the input must be [n, c, l], it is [1, 2]");
        assert_eq!(
            error(&|| Tensor::zeros([1, 1, 2]).max_pool1d_with(Pool1d::new(2).dilation(2))),
            "max_pool1d: the window [2] does not fit the image [2] (stride [2], padding [0], dilation [2])"
        );
        assert_eq!(
            error(&|| Tensor::zeros([1, 1, 2, 2, 2]).max_pool3d_with(Pool3d::new(2).padding(2))),
            "max_pool3d: padding [2, 2, 2] is more than half of the window [2, 2, 2]"
        );
        assert_eq!(
            error(&|| Tensor::zeros([1, 1, 2]).max_pool1d_with(Pool1d::new(2).exclude_pad())),
            "max_pool1d: a maximum has no divisor: `exclude_pad` and `divisor_override` are of averages"
        );
    }
}
