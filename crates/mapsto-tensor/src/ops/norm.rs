//! Norms of vectors, and vectors of norm 1.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::{Axes, Axis};
use crate::error::named;
use crate::{Scalar, Tensor, fail, keep};
use crate::reduce::{in_units, left_of};

impl Tensor {
    /// The `p`-norm over axes: `(Σ |x|ᵖ)^(1/p)`; the largest size for `∞`, the smallest for `−∞`, and the number of elements that are not 0 for 0.
    ///
    /// It is a number wherever it is one of the dtype: squares on the way do not overflow.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`; floats only.   * Gradient: `dx = sign(x) (|x| / y)ᵖ⁻¹ dy`, 0 where `y` is 0.
    /// * ONNX: `ReduceL2`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[3.0, -4.0], [0.0, 2.0]];
    /// assert_close!(x.norm(2.0, -1), [5.0, 2.0]);
    /// assert_close!(x.norm(1.0, -1), [7.0, 2.0]);
    /// assert_eq!(x.norm(f64::INFINITY, ..).item(), 4.0);
    /// ```
    /// # Panics
    /// When there is no such axis, `p` is NaN, or the elements are not floats.
    #[track_caller]
    pub fn norm(&self, p: f64, axes: impl Into<Axes>) -> Tensor {
        let axes = axes.into();
        let mask = axes.mask("norm", self.shape());
        if !self.dtype().is_float() {
            fail!("norm", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        if p.is_nan() {
            fail!("norm", "`p` must be a number, got NaN");
        }
        let list: Vec<usize> = (0..self.rank()).filter(|&i| mask[i]).collect();
        named("norm", || {
            let y = kept(self, p, &list);
            if axes.keep { y } else { y.reshape(left_of(&mask, self.shape())) }
        })
    }

    /// Each vector along an axis divided by its `p`-norm, which counts as `eps` at least.
    ///
    /// * Shape: `[..] → [..]`, floats only. PyTorch takes `eps` 1e-12.   * Gradient: that of the quotient.
    /// * ONNX: `LpNormalization`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[3.0, 4.0], [0.0, 0.0]].normalize(2.0, -1, 1e-12), [[0.6, 0.8], [0.0, 0.0]]);
    /// ```
    /// # Panics
    /// As [`norm`](Tensor::norm); when `eps` is not finite.
    #[track_caller]
    pub fn normalize(&self, p: f64, axis: impl Into<Axis>, eps: f64) -> Tensor {
        let axis = axis.into();
        let eps = Scalar::Float(eps).attribute("normalize", "eps", self);
        named("normalize", || match axis.of_nothing("normalize", self.shape()) {
            true => self / self.norm(p, ..).maximum(eps),
            false => self / self.norm(p, keep(axis.of("normalize", self.shape()))).maximum(eps),
        })
    }
}

/// The norm with the axes it runs over kept.
#[track_caller]
fn kept(x: &Tensor, p: f64, axes: &[usize]) -> Tensor {
    match p {
        0.0 => x.ne(0.0).to(x.dtype()).sum(keep(axes)),
        1.0 => x.abs().sum(keep(axes)),
        f64::INFINITY => x.abs().max(keep(axes)),
        f64::NEG_INFINITY => x.abs().min(keep(axes)),
        _ => {
            // In units of the largest size, so that the powers are numbers.
            let (part, unit) = in_units(x, axes, 0.0);
            let sum = if p == 2.0 { part.square() } else { part.abs().pow(p) }.sum(keep(axes));
            // Nothing has no direction: its slope is 0 and not that of the root.
            let nothing = sum.detach().eq(0.0);
            let safe = nothing.choose(1.0, &sum);
            let root = if p == 2.0 { safe.sqrt() } else { safe.pow(1.0 / p) };
            nothing.choose(0.0, root) * unit
        }
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("norm", "The `p`-norm over axes.", Takes::Floats, of_norm).made_of("abs, pow, sum and max"),
    OpKind::new("normalize", "Each vector along an axis divided by its norm.", Takes::Floats, of_normalize).made_of("norm, maximum and div"),
];

fn of_norm(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].norm(2.0, -1));
    s.of(&[(&[3, 5], &d)], |x| x[0].norm(3.0, keep(0)));
    s.of(&[(&[3, 5], &d)], |x| x[0].norm(1.0, ..));
    s.of(&[(&[3, 5], &d)], |x| x[0].norm(f64::INFINITY, 1));
    s.of(&[(&[0, 3], &d)], |x| x[0].norm(2.0, 0));
}

fn of_normalize(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].normalize(2.0, -1, 1e-12));
    s.of(&[(&[4, 3], &d)], |x| x[0].normalize(1.0, 0, 1e-12));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn norms() {
        for p in [0.5, 1.0, 2.0, 3.0] {
            check(move |x| x.norm(p, 1))
                .shapes([&[3, 7]])
                .formula(move |[x]| x.reduced(&[1], |v| v.iter().map(|v| v.abs().powf(p)).sum::<f64>().powf(1.0 / p)))
                .on(floats(-2.0..2.0).avoiding(0.0));
        }
        check(|x| x.norm(-2.0, keep(0))).shapes([&[4, 2]]).on(floats(0.5..2.0));
        check(|x| x.norm(f64::NEG_INFINITY, 0)).shapes([&[4, 2]]).on(floats(0.5..2.0));
        check(|x| x.normalize(2.0, -1, 1e-12)).shapes([&[3, 4]]).on(floats(-2.0..2.0));
        assert_eq!(tensor![0.0, 3.0, -1.0].norm(0.0, ..).item(), 2.0);
        assert_close!(tensor![3e30, 4e30].norm(2.0, ..), 5e30);
        let x = tensor![0.0, 0.0].leaf();
        assert_close!(x.norm(2.0, ..).backward().of(&x), [0.0, 0.0]);
    }
}
