//! Running sums.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::backend::Direction;
use crate::graph::{At, Keep, Op, Ran, Say, Vjp, apply};
use crate::shape::Axis;

impl Tensor {
    /// Running sums along an axis: `yᵢ = Σ_{k ≤ i} xₖ`; integers sum to i64.
    ///
    /// * Shape: `[..] → [..]`.   * Gradient: `dxᵢ = Σ_{k ≥ i} dyₖ`.   * ONNX: `CumSum`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0, 3.0].cumsum(0), [1.0, 3.0, 6.0]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn cumsum(&self, axis: impl Into<Axis>) -> Tensor {
        let axis = axis.into();
        if axis.of_nothing("cumsum", self.shape()) {
            return self.reshape([1usize]).cumsum(0).reshape(());
        }
        let axis = axis.of("cumsum", self.shape());
        scan(self, CumSum { axis, direction: Direction::Forward })
    }
}

#[track_caller]
fn scan(x: &Tensor, op: CumSum) -> Tensor {
    apply(op, &[x])
}

struct CumSum {
    axis: usize,
    direction: Direction,
}
impl Op for CumSum {
    fn is_full(&self) -> bool {
        true
    }
    fn name(&self) -> &'static str {
        "cumsum"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn attrs(&self, say: Say<'_>) {
        say("axis", self.axis.into());
        say("backward", (self.direction == Direction::Backward).into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        xs[0].device().backend().scan(xs[0], self.axis, self.direction).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, _: &At<'_>, g: &Tensor) -> Vjp {
        let direction = match self.direction {
            Direction::Forward => Direction::Backward,
            Direction::Backward => Direction::Forward,
        };
        scan(g, CumSum { axis: self.axis, direction }).into()
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("cumsum", "Running sums along an axis: `yᵢ = Σ_{k ≤ i} xₖ`; integers sum to i64.", Takes::Numbers, samples).built(|a| Ok(Box::new(CumSum {
        axis: a.need("axis")?,
        direction: if a.need("backward")? { Direction::Backward } else { Direction::Forward },
    }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].cumsum(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].cumsum(1));
    s.of(&[(&[1, 7], &d)], |x| x[0].cumsum(0));
    s.of(&[(&[0, 3], &d)], |x| x[0].cumsum(0));
    s.of(&[(&[3, 5], &d)], |x| scan(&x[0], CumSum { axis: 1, direction: Direction::Backward }));
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use crate::check::*;

    /// Small inputs give small results, to as many digits.
    #[test]
    fn small_numbers_keep_their_digits() {
        let x = floats(-2.0..2.0).draw(&[3, 5], 1);
        assert_close!((&x * 1e-6).cumsum(1) * 1e6, x.cumsum(1));
    }

    #[test]
    fn cumsum() {
        let sums = |v: &[f64]| {
            v.iter()
                .scan(0.0, |sum, v| {
                    *sum += v;
                    Some(*sum)
                })
                .collect::<Vec<f64>>()
        };
        check(|x| x.cumsum(1)).shapes([&[3, 7001]]).formula(move |[x]| x.along(1, sums)).on(floats(0.5..2.0));
        check(|x| x.unsqueeze(0).cumsum(-1)).on(floats(-2.0..2.0));
        check(|x| x.cumsum(1)).shapes([&[2, 4, 3]]).formula(move |[x]| x.along(1, sums)).on(floats(-2.0..2.0));
        check(|x| x.cumsum(0)).shapes([&[5]]).on(ints(-9..9));
        let x = Tensor::randn([3, 4, 5]);
        for dtype in [DType::F32, DType::F16, DType::I32] {
            for (order, axis) in [([2, 1, 0], 0), ([2, 0, 1], 1), ([0, 2, 1], 2), ([1, 0, 2], -2)] {
                let view = (&x * 10).to(dtype).permute(order);
                let y = view.cumsum(axis);
                assert_eq!(y.layout().strides(), view.layout().strides());
                let numbers = |t: Tensor| t.to(DType::F64).to_vec::<f64>();
                assert_eq!(numbers(y), numbers(view.contiguous().cumsum(axis)));
            }
        }
    }
}
