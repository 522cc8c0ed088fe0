//! Conversion between dtypes.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::{MapOp, Params, Program, Written};
use crate::graph::{At, Cost, Keep, Meaning, Meant, Op, Outline, Ran, Say, Vjp, apply};
use crate::written::written;
use crate::{DType, Tensor};

impl Tensor {
    /// The elements as another dtype. Floats round to nearest; floats become integers towards zero and saturate;
    /// integers wrap; anything but zero is true.
    ///
    /// * Gradient: converted back, between floats; integers have none.   * ONNX: `Cast`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1.9, -1.9].to(DType::I64).to_vec::<i64>(), [1, -1]);
    /// assert_close!(tensor![1, 2].to(DType::F32) / 2.0, [0.5, 1.0]);
    /// ```
    #[track_caller]
    pub fn to(&self, dtype: DType) -> Tensor {
        if dtype == self.dtype() {
            return self.clone();
        }
        apply(Cast { dtype }, &[self])
    }

    /// As [`to`](Tensor::to), for a result that is given away: without a look at the count of its owners.
    pub(crate) fn stored_as(self, dtype: DType) -> Tensor {
        if dtype == self.dtype() { self } else { self.to(dtype) }
    }
}

struct Cast {
    dtype: DType,
}
impl Op for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::moved(xs, y)
    }
    fn attrs(&self, say: Say<'_>) {
        say("dtype", self.dtype.into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let x = xs[0];
        x.device().backend().map(&Same, xs, x.shape_of(), self.dtype).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        g.to(at.dtype(0)).into()
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        xs.of(0)
    }
}

/// The conversion itself happens where tiles are read and stored.
struct Same;
impl MapOp for Same {
    fn name(&self) -> &'static str {
        "cast"
    }
    fn program(&self) -> Written {
        written::<Same>(&Params::NONE, || Program::of(1, |x| x[0]))
    }
    fn int_program(&self) -> Option<Written> {
        Some(self.program())
    }
    fn is_identity(&self) -> bool {
        true
    }
    #[cfg(test)]
    fn f32(&self, xs: &[f32]) -> f32 {
        xs[0]
    }
    #[cfg(test)]
    fn f64(&self, xs: &[f64]) -> f64 {
        xs[0]
    }
    #[cfg(test)]
    fn i64(&self, xs: &[i64]) -> i64 {
        xs[0]
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("cast", "The elements in another dtype.", Takes::All, samples).built(|a| Ok(Box::new(Cast { dtype: a.need("dtype")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.each(d.clone(), |x| x[0].to(DType::F32));
    s.each(d.clone(), |x| x[0].to(DType::F64));
    s.of(&[(&[3, 5], &d)], |x| x[0].to(DType::I64));
    s.of(&[(&[3, 5], &d)], |x| x[0].to(DType::Bool));
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    #[test]
    fn cast() {
        let x = tensor![0.1, -300.0, 3e9];
        assert_eq!(x.to(DType::U8).to_vec::<u8>(), [0, 0, 255]);
        assert_eq!(x.to(DType::Bool).to_vec::<bool>(), [true; 3]);
        assert_eq!(tensor![300, -1].to(DType::U8).to_vec::<u8>(), [44, 255]);
        for d in [DType::F16, DType::BF16, DType::F64] {
            let back = tensor![0.5, -2.0].to(d).to(DType::F32);
            assert_eq!(back.to_vec::<f32>(), [0.5, -2.0], "{d}");
        }
        let x = tensor![1.5].leaf();
        assert_close!((x.to(DType::F64) * 2.0).sum(..).backward().of(&x), [2.0]);
    }
}
