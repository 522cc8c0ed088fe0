//! The logarithm of a sum of exponentials, without overflow: a smooth maximum.

use super::softmax::is_narrow;
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::cpu::{in_class, slice, widened, with_float};
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::reduce::{axes_of, count, left_of, mask_of, unreduce};
use crate::shape::{Axes, MAX_RANK};
use crate::{DType, Tensor, fail, keep};
use mapsto_kernels::softmax::{logsumexp, softmax};

impl Tensor {
    /// `y = ln Σ eˣ` over axes; `−∞` of nothing.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`; floats only.
    /// * Gradient: `dx = e^(x − y) dy`, the softmax.   * ONNX: `ReduceLogSumExp`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[0.0, 0.0], [1000.0, 1000.0]].logsumexp(-1), [0.69315, 1000.69315]);
    /// ```
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[track_caller]
    pub fn logsumexp(&self, axes: impl Into<Axes>) -> Tensor {
        let axes = axes.into();
        let mask = axes.mask("logsumexp", self.shape());
        if !self.dtype().is_float() {
            fail!("logsumexp", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        if count(&mask, self.shape()) == 0 {
            let y = self.sum(axes);
            return Tensor::full_like(&y, f64::NEG_INFINITY);
        }
        let y = fused(LogSumExp { mask }, &[self]);
        if axes.keep { y } else { y.reshape(left_of(&mask, self.shape())) }
    }
}

/// Keeps the axes it sums over with size 1.
struct LogSumExp {
    mask: [bool; MAX_RANK],
}
impl LogSumExp {
    fn axes(&self, x: &Tensor) -> Vec<usize> {
        (0..x.rank()).filter(|&i| self.mask[i]).collect()
    }
}
impl LogSumExp {
    /// The order of the axes in which the kernel reads them, and `[outer, n, inner]` there.
    fn walk(&self, x: &Tensor) -> (Vec<usize>, [usize; 3]) {
        let (gone, left): (Vec<usize>, Vec<usize>) = (0..x.rank()).partition(|&i| self.mask[i]);
        let (first, end) = (gone.first().copied().unwrap_or(0), gone.last().map_or(0, |last| last + 1));
        let size = |axes: std::ops::Range<usize>| x.shape()[axes].iter().product::<usize>();
        let dims = [size(0..first), count(&self.mask, x.shape()), size(end..x.rank())];
        if end - first == gone.len() && !is_narrow(dims) {
            return ((0..x.rank()).collect(), dims);
        }
        (left.into_iter().chain(gone).collect(), [left_of(&self.mask, x.shape()).iter().product(), dims[1], 1])
    }
}
impl Fused for LogSumExp {
    fn is_full(&self) -> bool {
        true
    }
    fn name(&self) -> &'static str {
        "logsumexp"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 4)
    }
    fn attrs(&self, say: Say<'_>) {
        say("axes", axes_of(&self.mask));
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let axes = self.axes(xs[0]);
        // The shift must stay finite where all are infinite: ∞ − ∞ is NaN.
        let top = if xs[0].dtype() == DType::F64 { f64::MAX } else { f32::MAX as f64 };
        let shift = xs[0].detach().max(keep(&axes[..])).clamp(-top, top);
        (xs[0] - &shift).exp().sum(keep(&axes[..])).log() + shift
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let x = xs[0];
        let (order, dims) = self.walk(x);
        let rows = in_class(&x.permute(order));
        let y = with_float!(x.dtype(), T => Tensor::filled_by(left_of(&self.mask, x.shape()), |y: &mut [T]| {
            logsumexp(slice(&rows), dims, y)
        }));
        Some(unreduce(&y, &self.mask, x.shape()).to(x.dtype()).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        // Not e^(x − y): where y is large, its rounding would change every exponential.
        let x = at.x();
        let (order, dims) = self.walk(x);
        let rows = in_class(&x.permute(&order[..]));
        let p = with_float!(x.dtype(), T => Tensor::filled_by(*rows.shape_of(), |p: &mut [T]| softmax(slice(&rows), dims, p)));
        let back: Vec<usize> = (0..x.rank()).map(|i| order.iter().position(|&o| o == i).unwrap_or(i)).collect();
        Some((p.permute(back) * widened(g)).into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("logsumexp", "`y = ln Σ eˣ` over axes; `−∞` of nothing.", Takes::Floats, samples).built(|a| Ok(boxed(LogSumExp { mask: mask_of(a)? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].logsumexp(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].logsumexp(keep(1)));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].logsumexp([0, 2]));
    s.of(&[(&[3, 5], &d)], |x| x[0].logsumexp(..));
    s.of(&[(&[1, 7], &d)], |x| x[0].logsumexp(0));
    s.of(&[(&[], &d)], |x| x[0].logsumexp(..));
    s.of(&[(&[0, 3], &d)], |x| x[0].logsumexp(0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn logsumexp() {
        check(|x| x.unsqueeze(0).logsumexp(-1)).on(floats(-3.0..3.0));
        check(|x| x.logsumexp(keep([0, 2]))).shapes([&[3, 4, 2]]).on(floats(-3.0..3.0));
        let mask = |axes: &[usize]| std::array::from_fn(|i| axes.contains(&i));
        check_fused(|| LogSumExp { mask: mask(&[1]) }, &[(&[4, 9, 3], floats(-3.0..3.0))]);
        check_fused(|| LogSumExp { mask: mask(&[1]) }, &[(&[2, 40, 37], floats(-3.0..3.0))]);
        check_fused(|| LogSumExp { mask: mask(&[0, 2]) }, &[(&[4, 9, 3], floats(-3.0..3.0))]);
        let inf = f64::INFINITY;
        assert_close!(tensor![[-inf, -inf], [inf, 0.0]].logsumexp(-1), [-inf, inf]);
        for top in [1e6, 1e8, -1e30] {
            let x = Tensor::full([3], top).leaf();
            assert_close!(x.logsumexp(..).backward().of(&x), [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]);
        }
        assert_close!(Tensor::zeros([2, 0]).logsumexp(1), [-inf, -inf]);
    }
}
