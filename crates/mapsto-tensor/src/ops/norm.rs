//! Norms of vectors, and vectors of norm 1.

use crate::backend::cpu::{slice, with_float};
use crate::backend::reductions::squares;
use crate::check::floats;
use crate::error::named;
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::kind::{OpKind, Samples, Takes};
use crate::reduce::{axes_of, in_units, left_of, mask_of, unreduce};
use crate::shape::{Axes, Axis, MAX_RANK};
use crate::{DType, Scalar, Tensor, fail, keep};

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
        named("norm", || {
            let y = match p == 2.0 {
                true => fused(Length { mask }, &[self]),
                // Sums of many powers have no place in 16 bits.
                false if self.dtype().size() < 4 => kept(&self.to(DType::F32), p, &axes_in(&mask, self)).to(self.dtype()),
                false => kept(self, p, &axes_in(&mask, self)),
            };
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

fn axes_in(mask: &[bool], x: &Tensor) -> Vec<usize> {
    (0..x.rank()).filter(|&i| mask[i]).collect()
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
            // In units of the size that the sum is most of, so that the powers are numbers.
            let (part, unit) = if p > 0.0 { in_units(x, axes, 0.0) } else { in_smallest(x, axes) };
            let sum = powers(&part, p).sum(keep(axes));
            // Nothing has no direction: its slope is 0 and not that of the root. Of a negative `p` it is an infinite sum.
            let nothing = sum.detach().eq(if p > 0.0 { 0.0 } else { f64::INFINITY });
            let safe = nothing.choose(1.0, &sum);
            let root = if p == 2.0 { safe.sqrt() } else { safe.pow(1.0 / p) };
            let y = nothing.choose(0.0, root) * &unit;
            // An infinite element has no part of an infinite unit.
            unit.is_inf().choose(&unit, y)
        }
    }
}

/// `|x|ᵖ`, with a slope of 0 at 0 where that of the power is infinite, as in PyTorch.
#[track_caller]
fn powers(x: &Tensor, p: f64) -> Tensor {
    if p == 2.0 {
        return x.square();
    }
    if p > 1.0 {
        return x.abs().pow(p);
    }
    let zero = x.detach().eq(0.0);
    zero.choose(if p > 0.0 { 0.0 } else { f64::INFINITY }, zero.choose(1.0, x).abs().pow(p))
}

/// As [`in_units`], of the smallest size.
#[track_caller]
fn in_smallest(x: &Tensor, axes: &[usize]) -> (Tensor, Tensor) {
    if x.is_empty() || axes.iter().any(|&a| x.shape()[a] == 0) {
        return in_units(x, axes, 0.0);
    }
    let least = x.detach().abs().min(keep(axes));
    let unit = least.eq(0.0).choose(1.0, least);
    (x / &unit, unit)
}

/// The norm for `p = 2` with the axes it runs over kept.
struct Length {
    mask: [bool; MAX_RANK],
}
impl Fused for Length {
    fn is_full(&self) -> bool {
        true
    }
    fn name(&self) -> &'static str {
        "norm"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 2)
    }
    fn attrs(&self, say: Say<'_>) {
        say("axes", axes_of(&self.mask));
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        kept(xs[0], 2.0, &axes_in(&self.mask, xs[0]))
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let x = xs[0];
        let sums = squares(x, &self.mask[..x.rank()]);
        // What is infinite or NaN is left to the definition, and so are squares of f64 that have lost digits.
        let least = if x.dtype() == DType::F64 { f64::MIN_POSITIVE / f64::EPSILON.powi(2) } else { 0.0 };
        let safe = slice::<f64>(&sums).iter().fold(true, |safe, sum| safe & (*sum >= least) & (*sum < f64::INFINITY));
        safe.then(|| unreduce(&sums.sqrt().to(x.dtype()), &self.mask, x.shape()).into())
    }
    fn keeps_output(&self) -> bool {
        true
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let (x, y) = (at.x(), at.y().detach().contiguous());
        // A length that is subnormal, or rounded to 16 bits, has not the digits that its slope needs.
        let safe = x.dtype().size() >= 4 && with_float!(x.dtype(), T => slice::<T>(&y).iter().fold(true, |safe, y| {
            safe & (*y == 0.0 || *y >= T::MIN_POSITIVE) & (*y < T::INFINITY)
        }));
        let nothing = safe.then(|| y.eq(0.0))?;
        Some((x / nothing.choose(1.0, &y) * nothing.choose(0.0, g)).into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("norm", "The `p`-norm over axes.", Takes::Floats, of_norm).built(|a| Ok(boxed(Length { mask: mask_of(a)? }))),
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
    fn infinite_elements_have_an_infinite_norm_and_nan_has_none() {
        for p in [1.0, 2.0, 3.0, 0.5, f64::INFINITY] {
            for x in [tensor![1.0, f32::INFINITY], tensor![f32::NEG_INFINITY, -2.0]] {
                assert_eq!(x.norm(p, ..).item(), f64::INFINITY, "{p}");
                assert_eq!(x.to(DType::F64).norm(p, ..).item(), f64::INFINITY, "{p}");
            }
            assert!(tensor![f32::NAN, f32::INFINITY].norm(p, ..).item().is_nan(), "{p}");
        }
        // 1/∞ adds nothing.
        assert_close!(tensor![2.0, f32::INFINITY].norm(-1.0, ..), 2.0);
        assert_close!(tensor![1.0, 1.0].norm(-1.0, ..), 0.5);
        assert_close!(tensor![0.0, 1.0].norm(-1.0, ..), 0.0);
let y = Tensor::ones([70001]).to(DType::F16).norm(3.0, 0).to(DType::F32).item();
        assert!((y - 41.213).abs() < 0.02, "{y}");
    }

    #[test]
    fn zeros_have_no_slope_below_an_exponent_of_one() {
        // Values of torch.linalg.vector_norm.
        let slopes = |p: f64, x: &[f64]| {
            let x = Tensor::from_vec(x.to_vec(), [x.len()]).leaf();
            x.norm(p, ..).backward().of(&x).to_vec::<f64>()
        };
        for (p, x, want) in [
            (0.5, [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
            (0.5, [0.0, -2.0, 1.0], [0.0, -1.707_106_781_186_547_2, 2.414_213_562_373_095]),
            (0.9, [0.0, -2.0, 1.0], [0.0, -1.048_833_563_085_161_5, 1.124_111_979_532_061_3]),
            (-1.0, [0.0, -2.0, 1.0], [0.0, 0.0, 0.0]),
        ] {
            for (got, want) in slopes(p, &x).into_iter().zip(want) {
                assert!((got - want).abs() < 1e-14, "{p} {x:?}: {got} {want}");
            }
        }
    }

    #[test]
    fn norms() {
        for p in [0.5, 1.0, 2.0, 3.0] {
            check(move |x| x.norm(p, 1))
                .shapes([&[3, 7]])
                .formula(move |[x]| x.reduced(&[1], |v| v.iter().map(|v| v.abs().powf(p)).sum::<f64>().powf(1.0 / p)))
                .on(floats(-2.0..2.0).avoiding(0.0));
        }
        let mask = |axes: &[usize]| std::array::from_fn(|i| axes.contains(&i));
        for axes in [&[1][..], &[0, 2], &[0, 1, 2]] {
            check_fused(|| Length { mask: mask(axes) }, &[(&[4, 9, 3], floats(-2.0..2.0))]);
        }
        check(|x| x.norm(-2.0, keep(0))).shapes([&[4, 2]]).on(floats(0.5..2.0));
        check(|x| x.norm(f64::NEG_INFINITY, 0)).shapes([&[4, 2]]).on(floats(0.5..2.0));
        check(|x| x.normalize(2.0, -1, 1e-12)).shapes([&[3, 4]]).on(floats(-2.0..2.0));
        assert_eq!(tensor![0.0, 3.0, -1.0].norm(0.0, ..).item(), 2.0);
        assert_close!(tensor![3e30, 4e30].norm(2.0, ..), 5e30);
        for scale in [1e-39, 1e-30, 1e30, 1e37] {
            let x = (tensor![3.0, 0.0, -4.0] * scale).leaf();
            assert_close!(x.norm(2.0, ..) / scale, 5.0);
            assert_close!(x.norm(2.0, ..).backward().of(&x), [0.6, 0.0, -0.8]);
        }
        for scale in [1e-300, 1e300] {
            let x = tensor![3.0, -4.0].to(DType::F64) * scale;
            assert_close!(x.norm(2.0, ..) / scale, 5.0);
        }
        let x = tensor![0.0, 0.0].leaf();
        assert_close!(x.norm(2.0, ..).backward().of(&x), [0.0, 0.0]);
    }
}
