//! Softmax: numbers become probabilities.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::cpu::{around, in_class, slice, with_float};
use crate::backend::tiles::rows_in_f32;
use crate::graph::{At, Cost, Fast, Fused, Meaning, Meant, Outline, Say, Vjp, boxed, fused};
use crate::shape::Axis;
use crate::{Tensor, fail};
use mapsto_kernels::softmax::{softmax, softmax_backward};

impl Tensor {
    /// `yᵢ = e^xᵢ / Σₖ e^xₖ` along an axis: positive numbers that sum to 1.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = y (dy − Σₖ dyₖ yₖ)`; by `backward` exact in the tails, by `grad` within 10⁻⁷.   * ONNX: `Softmax`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, 1.0, 2.0].softmax(-1), [0.09003, 0.24473, 0.66524]);
    /// ```
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[track_caller]
    pub fn softmax(&self, axis: impl Into<Axis>) -> Tensor {
        let axis = axis.into();
        if axis.of_nothing("softmax", self.shape()) {
            return self.reshape([1usize]).softmax(0).reshape(());
        }
        let axis = axis.of("softmax", self.shape());
        if !self.dtype().is_float() {
            fail!("softmax", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        if self.is_empty() {
            return self.clone();
        }
        fused(Softmax { axis }, &[self])
    }
}

struct Softmax {
    axis: usize,
}
impl Fused for Softmax {
    fn is_full(&self) -> bool {
        true
    }
    fn name(&self) -> &'static str {
        "softmax"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 5)
    }
    fn attrs(&self, say: Say<'_>) {
        say("axis", self.axis.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        // Any shift cancels: that by the maximum keeps the exponentials in range, and is a constant.
        let e = (xs[0] - xs[0].detach().max(crate::keep(self.axis))).exp();
        &e / e.sum(crate::keep(self.axis))
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let [_, n, inner] = around(xs[0].shape(), self.axis);
        if inner == 1
            && let Some(y) = rows_in_f32(xs[0], n, &|x, y| softmax(x, [x.len() / n, n, 1], y))
        {
            return Some(y.into());
        }
        let (x, dims, turned) = laid(xs[0], self.axis);
        let y = with_float!(xs[0].dtype(), T => Tensor::filled_by(*x.shape_of(), |y: &mut [T]| softmax(slice(&x), dims, y)));
        Some(back(y, self.axis, turned).to(xs[0].dtype()).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let (y, dims, turned) = laid(&at.y(), self.axis);
        let g = in_class(&if turned { g.swap(self.axis, -1) } else { g.clone() });
        let dx = with_float!(at.dtype(0), T => Tensor::filled_by(*y.shape_of(), |dx: &mut [T]| {
            softmax_backward(slice(&y), slice(&g), dims, dx)
        }));
        Some(back(dx, self.axis, turned).into())
    }
    fn keeps_output(&self) -> bool {
        true
    }
    fn sums_along(&self) -> Option<usize> {
        Some(self.axis)
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        Some(if xs.size(self.axis) == 1 { Meaning::Constant } else { Meaning::Distribution })
    }
}

/// The tensor row-major in the type that arithmetic is done in, with the sizes around `axis`, and whether that axis was
/// exchanged with the last one.
pub(crate) fn laid(x: &Tensor, axis: usize) -> (Tensor, [usize; 3], bool) {
    let dims = around(x.shape(), axis);
    if dims[2] == 1 || !is_narrow(dims) && !x.swap(axis, -1).layout().is_contiguous() {
        return (in_class(x), dims, false);
    }
    (in_class(&x.swap(axis, -1)), [dims[0] * dims[2], dims[1], 1], true)
}

/// Whether there are so few columns that turning them into rows takes less time than their short runs.
pub(crate) fn is_narrow([outer, _, inner]: [usize; 3]) -> bool {
    inner > 1 && (inner < 16 || outer * inner < 64)
}

/// The axes of [`laid`] exchanged back.
pub(crate) fn back(y: Tensor, axis: usize, turned: bool) -> Tensor {
    if turned { y.swap(axis, -1) } else { y }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("softmax", "`yᵢ = e^xᵢ / Σₖ e^xₖ` along an axis: positive numbers that sum to 1.", Takes::Floats, samples).built(|a| Ok(boxed(Softmax { axis: a.need("axis")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].softmax(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].softmax(1));
    s.of(&[(&[1, 7], &d)], |x| x[0].softmax(0));
    s.of(&[(&[0, 3], &d)], |x| x[0].softmax(1));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn softmax() {
        check(|x| x.unsqueeze(-1).softmax(0)).on(floats(-3.0..3.0));
        let soft = |v: &[f64]| {
            let most = v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = v.iter().map(|v| (v - most).exp()).sum();
            v.iter().map(|v| (v - most).exp() / sum).collect::<Vec<f64>>()
        };
        check(|x| x.softmax(-1)).shapes([&[70, 301]]).formula(move |[x]| x.along(1, soft)).on(floats(-3.0..3.0));
        check(|x| x.softmax(1)).shapes([&[2, 5, 3]]).formula(move |[x]| x.along(1, soft)).on(floats(-3.0..3.0));
        check(|x| x.softmax(-1)).shapes([&[3, 40]]).on(floats(-30.0..30.0));
        check_fused(|| Softmax { axis: 1 }, &[(&[7, 33], floats(-3.0..3.0))]);
        check_fused(|| Softmax { axis: 0 }, &[(&[6, 5], floats(-3.0..3.0))]);
        check_fused(|| Softmax { axis: 1 }, &[(&[2, 40, 37], floats(-3.0..3.0))]);
        assert_close!(tensor![1000.0, 1000.0].softmax(-1), [0.5, 0.5]);
    }
}
