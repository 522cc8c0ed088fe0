//! Standard deviations over axes.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::keep;
use crate::elementwise::{Real, Unary, map, unary};
use super::var::{Var, Wanted};
use crate::backend::cpu::widened;
use crate::graph::{At, Cost, Fast, Fused, Keep, Outline, Say, Vjp, boxed, fused};
use crate::reduce::{centred, in_units, left_of};
use crate::{Tensor, fail};
use crate::shape::Axes;

impl Tensor {
    /// The population's standard deviation over axes: `y = √(Σ (x − mean)² / n)`.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`; floats only.
    /// * Gradient: `dx = (x − mean) dy / (n y)`; 0 where all elements are equal.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[1.0, 3.0], [2.0, 8.0]].std(-1), [1.0, 3.0]);
    /// ```
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[track_caller]
    pub fn std(&self, axes: impl Into<Axes>) -> Tensor {
        self.std_with(axes, 0)
    }

    /// The standard deviation with divisor `n − ddof` under the root: 1 is usual for a sample.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0, 3.0, 4.0].std_with(.., 1), 1.29099);
    /// ```
    /// # Panics
    /// As [`std`](Tensor::std).
    #[track_caller]
    pub fn std_with(&self, axes: impl Into<Axes>, ddof: usize) -> Tensor {
        let axes = axes.into();
        let mask = axes.mask("std", self.shape());
        if !self.dtype().is_float() {
            fail!("std", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        let y = fused(Std(Var { mask, ddof }), &[self]);
        if axes.keep { y } else { y.reshape(left_of(&mask, self.shape())) }
    }
}

/// Keeps the axes it reduces with size 1. It is not a root of a variance that is computed before: the squares of 10²⁰ are no
/// numbers of f32.
struct Std(Var);
impl Fused for Std {
    fn name(&self) -> &'static str {
        "std"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 4)
    }
    fn attrs(&self, say: Say<'_>) {
        self.0.attrs(say)
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let axes = self.0.axes(xs[0]);
        let (z, unit) = in_units(&centred(xs[0], &axes), &axes, 0.0);
        map(StdOfVar, &(z.square().sum(keep(&axes[..])) / self.0.divisor(xs[0].shape()))) * unit
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        Some(self.0.moments(xs[0], Wanted::Deviation))
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        // The deviation of each element in units of the result first: what follows cannot leave the range of numbers.
        let y = widened(&at.y());
        let flat = y.eq(0.0);
        let z = (widened(at.x()) - &at.kept()[0] - &at.kept()[1]) / flat.choose(1.0, &y);
        Some((z * flat.choose(0.0, widened(g) / self.0.divisor(at.shape(0)))).into())
    }
    fn keeps_output(&self) -> bool {
        true
    }
}

/// The root of a variance. Where that is 0 no element can make it smaller, and the derivative is 0, as in PyTorch.
#[derive(Clone, Copy)]
struct StdOfVar;
impl Unary for StdOfVar {
    const NAME: &'static str = "std_of_var";
    const KEEP: Keep = Keep::OUTPUT;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.sqrt()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        let y = at.y();
        let flat = y.detach().eq(0.0);
        flat.choose(0.0, g / (flat.choose(1.0, y) * 2.0))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("std", "The population's standard deviation over axes: `y = √(Σ (x − mean)² / n)`.", Takes::Floats, samples).built(|a| Ok(boxed(Std(Var::of(a)?)))),
    OpKind::new("std_of_var", "`√x` of a variance, with the derivative 0 where that is 0.", Takes::Floats, of_std_of_var).built(|_| Ok(unary(StdOfVar))),
];

fn of_std_of_var(s: &mut Samples) {
    s.each(floats(0.1..4.0), |x| map(StdOfVar, &x[0]));
}

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].std(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].std(keep(1)));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].std([0, 2]));
    s.of(&[(&[3, 5], &d)], |x| x[0].std(..));
    s.of(&[(&[3, 5], &d)], |x| x[0].std_with(-1, 1));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn std() {
        check(|x| x.std(-1)).shapes([&[3, 5]]).on(floats(-2.0..2.0));
        check(|x| x.std_with(keep(0), 1)).shapes([&[4, 2]]).on(floats(-2.0..2.0));
        let var = || Var { mask: std::array::from_fn(|i| i == 1), ddof: 1 };
        check_fused(|| Std(var()), &[(&[4, 9, 3], floats(-3.0..3.0))]);
        assert_close!(tensor![[1.0, 3.0]].std(keep(..)), [[1.0]]);
        for value in [0.0, 0.1, 1e6] {
            let x = Tensor::full([3], value).leaf();
            let y = x.std(..);
            assert_eq!((y.item(), y.backward().of(&x).to_vec::<f32>()), (0.0, vec![0.0; 3]));
        }
        let far = Tensor::arange(0..1001).to(DType::F16).leaf();
        let y = far.std(..);
        assert!((y.item() - 288.96).abs() < 0.2 && y.backward().of(&far).is_finite());
    }
}
