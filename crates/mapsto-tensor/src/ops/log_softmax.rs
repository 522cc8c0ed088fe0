//! The logarithm of the softmax, computed without taking the softmax: exact where probabilities would round to 0.

use super::softmax::{back, laid};
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::cpu::{around, in_class, slice, with_float};
use crate::backend::tiles::rows_in_f32;
use crate::graph::{At, Cost, Fast, Fused, Meaning, Meant, Outline, Say, Vjp, boxed, fused};
use crate::shape::Axis;
use crate::{Tensor, fail};
use mapsto_kernels::softmax::{log_softmax, log_softmax_backward};

impl Tensor {
    /// `yᵢ = xᵢ − ln Σₖ e^xₖ` along an axis: log-probabilities.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy − e^y Σₖ dyₖ`; by `backward` exact in the tails, by `grad` within 10⁻⁷.   * ONNX: `LogSoftmax`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, 1.0, 2.0].log_softmax(-1), [-2.40761, -1.40761, -0.40761]);
    /// ```
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[track_caller]
    pub fn log_softmax(&self, axis: impl Into<Axis>) -> Tensor {
        let axis = axis.into();
        if axis.of_nothing("log_softmax", self.shape()) {
            return self.reshape([1usize]).log_softmax(0).reshape(());
        }
        let axis = axis.of("log_softmax", self.shape());
        if !self.dtype().is_float() {
            fail!("log_softmax", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        if self.is_empty() {
            return self.clone();
        }
        fused(LogSoftmax { axis }, &[self])
    }
}

struct LogSoftmax {
    axis: usize,
}
impl Fused for LogSoftmax {
    fn is_full(&self) -> bool {
        true
    }
    fn name(&self) -> &'static str {
        "log_softmax"
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
        let z = xs[0] - xs[0].detach().max(crate::keep(self.axis));
        &z - z.exp().sum(crate::keep(self.axis)).log()
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let [_, n, inner] = around(xs[0].shape(), self.axis);
        if inner == 1
            && let Some(y) = rows_in_f32(xs[0], n, &|x, y| log_softmax(x, [x.len() / n, n, 1], y))
        {
            return Some(y.into());
        }
        let (x, dims, turned) = laid(xs[0], self.axis);
        let y = with_float!(xs[0].dtype(), T => Tensor::filled_by(*x.shape_of(), |y: &mut [T]| log_softmax(slice(&x), dims, y)));
        Some(back(y, self.axis, turned).to(xs[0].dtype()).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let (y, dims, turned) = laid(&at.y(), self.axis);
        let g = in_class(&if turned { g.swap(self.axis, -1) } else { g.clone() });
        let dx = with_float!(at.dtype(0), T => Tensor::filled_by(*y.shape_of(), |dx: &mut [T]| {
            log_softmax_backward(slice(&y), slice(&g), dims, dx)
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
        Some(if xs.size(self.axis) == 1 { Meaning::Constant } else { Meaning::LogDistribution })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("log_softmax", "`yᵢ = xᵢ − ln Σₖ e^xₖ` along an axis: log-probabilities.", Takes::Floats, samples).built(|a| Ok(boxed(LogSoftmax { axis: a.need("axis")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].log_softmax(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].log_softmax(1));
    s.of(&[(&[1, 7], &d)], |x| x[0].log_softmax(0));
    s.of(&[(&[0, 3], &d)], |x| x[0].log_softmax(1));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn log_softmax() {
        check(|x| x.unsqueeze(-1).log_softmax(0)).on(floats(-3.0..3.0));
        let soft = |v: &[f64]| {
            let most = v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = v.iter().map(|v| (v - most).exp()).sum();
            v.iter().map(|v| v - most - sum.ln()).collect::<Vec<f64>>()
        };
        check(|x| x.log_softmax(-1)).shapes([&[70, 301]]).formula(move |[x]| x.along(1, soft)).on(floats(-3.0..3.0));
        check(|x| x.log_softmax(1)).shapes([&[2, 5, 3]]).formula(move |[x]| x.along(1, soft)).on(floats(-3.0..3.0));
        check_fused(|| LogSoftmax { axis: 1 }, &[(&[7, 33], floats(-3.0..3.0))]);
        check_fused(|| LogSoftmax { axis: 0 }, &[(&[6, 5], floats(-3.0..3.0))]);
        check_fused(|| LogSoftmax { axis: 1 }, &[(&[2, 40, 37], floats(-3.0..3.0))]);
        assert_close!(tensor![0.0, 1000.0].log_softmax(-1), [-1000.0, 0.0]);
    }
}
