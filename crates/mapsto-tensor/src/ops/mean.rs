//! Means over axes.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::keep;
use crate::backend::Reduction;
use crate::backend::reductions::sum;
use crate::graph::{At, Cost, Keep, Op, Outline, Ran, Say, Vjp, apply};
use crate::reduce::{axes_of, count, mask_of, reduce, unreduce};
use crate::shape::{Axes, MAX_RANK};
use crate::{DType, Tensor, fail};

impl Tensor {
    /// The mean over axes: `y = Σ x / n`, summed in f32 at least; NaN of nothing.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`; floats only.
    /// * Gradient: `dx = dy / n`, repeated.   * ONNX: `ReduceMean`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 2.0], [3.0, 6.0]];
    /// assert_close!(x.mean(-1), [1.5, 4.5]);
    /// assert_eq!(x.mean(..).item(), 3.0);
    /// ```
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[track_caller]
    pub fn mean(&self, axes: impl Into<Axes>) -> Tensor {
        let axes = axes.into();
        let mask = axes.mask("mean", self.shape());
        if !self.dtype().is_float() {
            fail!("mean", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        apply(Mean { mask, keep: axes.keep }, &[self])
    }
}

struct Mean {
    mask: [bool; MAX_RANK],
    keep: bool,
}
impl Op for Mean {
    fn is_full(&self) -> bool {
        true
    }
    fn name(&self) -> &'static str {
        "mean"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 1)
    }
    fn attrs(&self, say: Say<'_>) {
        say("axes", axes_of(&self.mask));
        say("keep", self.keep.into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let x = xs[0];
        // In 16 bits the sum could overflow where the mean does not.
        let wide = if x.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
        let (dtype, n, backend) = (x.dtype(), count(&self.mask, x.shape()), x.device().backend());
        // The sum may be infinite where the mean is not.
        let shares = || reduce(Reduction::Sum, &(x.to(wide) / n as f64), &self.mask, self.keep);
        let y = if backend.is_host() {
            let y = sum(x, &self.mask[..x.rank()]) / n as f64;
            let y = if self.keep { unreduce(&y, &self.mask, x.shape()) } else { y };
            if n <= 1 || y.is_finite() { y } else { shares() }
        } else {
            let y = reduce(Reduction::Sum, &x.to(wide), &self.mask, self.keep) / n as f64;
            // Asking another device would wait for all that it has been told to do.
            if n > 1 && backend.has_numbers() { y.abs().lt(f64::INFINITY).choose(&y, shares()) } else { y }
        };
        y.to(dtype).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let g = g / count(&self.mask, at.shape(0)) as f64;
        unreduce(&g, &self.mask, at.shape(0)).expand(at.shape(0)).into()
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("mean", "The mean over axes: `y = Σ x / n`, summed in f32 at least; NaN of nothing.", Takes::Floats, samples).built(|a| Ok(Box::new(Mean { mask: mask_of(a)?, keep: a.need("keep")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].mean(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].mean(keep(1)));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].mean([0, 2]));
    s.of(&[(&[3, 5], &d)], |x| x[0].mean(..));
    s.of(&[(&[1, 7], &d)], |x| x[0].mean(0));
    s.of(&[(&[], &d)], |x| x[0].mean(..));
    s.of(&[(&[0, 3], &d)], |x| x[0].mean(0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn mean() {
        check(|x| x.mean(..)).on(floats(-2.0..2.0));
        check(|x| x.unsqueeze(0).mean(-1)).on(floats(-2.0..2.0));
        check(|x| x.mean(keep([0, 2])))
            .shapes([&[3, 5, 2]])
            .formula(|[x]| x.reduced(&[0, 2], |v| v.iter().sum::<f64>() / 6.0).shaped(&[1, 5, 1]))
            .on(floats(-2.0..2.0));
        assert_eq!(Tensor::full_of([4096], 100.0, DType::F16).mean(..).item(), 100.0); // the sum is beyond f16
    }
}
