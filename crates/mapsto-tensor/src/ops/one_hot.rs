//! Class ids as rows of zeros with a single one.

use crate::check::floats;
use crate::graph::{At, Cost, Keep, Op, Outline, Ran, Say, Vjp, apply};
use crate::kind::{OpKind, Samples, Takes};
use crate::Scalar;
use crate::shape::{MAX_RANK, Shape};
use crate::{DType, Tensor, fail};

impl Tensor {
    /// For each class id a row (f32) of `classes` zeros with a one at the id.
    ///
    /// * Shape: `[..] → [.., classes]`, integers only.   * ONNX: `OneHot`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![2, 0].one_hot(3), [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
    /// ```
    /// # Panics
    /// When the elements are not integers, or one is not within `0..classes`.
    #[track_caller]
    pub fn one_hot(&self, classes: usize) -> Tensor {
        if self.dtype().is_float() || self.dtype() == DType::Bool {
            fail!("one_hot", "class ids are integers, this is {}", self.dtype(); help = "convert them with `.to(DType::I64)`");
        }
        if self.rank() == MAX_RANK {
            fail!("one_hot", "the ids {:?} have {MAX_RANK} axes, the most there are", self.shape());
        }
        self.shape().iter().copied().chain([classes]).collect::<Shape>().fit("one_hot");
        if let Err((at, id)) = self.device().backend().within(&self.to(DType::I64), classes) {
            let mut rest = at;
            let mut place: Vec<usize> = self.shape().iter().rev().map(|&n| (rest % n, rest /= n).0).collect();
            place.reverse();
            fail!("one_hot", "the class id at {place:?} is {id}, there are {classes} classes";
                  help = "ids count from 0; {} is the last one here", classes as i64 - 1);
        }
        apply(OneHot { classes }, &[self])
    }
}

struct OneHot {
    classes: usize,
}
impl Op for OneHot {
    fn name(&self) -> &'static str {
        "one_hot"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::moved(xs, y)
    }
    fn attrs(&self, say: Say<'_>) {
        say("classes", self.classes.into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let (backend, ids) = (xs[0].device().backend(), xs[0].to(DType::I64).unsqueeze(-1));
        let shape = xs[0].shape().iter().copied().chain([self.classes]).collect::<Shape>();
        let zeros = backend.fill(Scalar::Int(0), &shape, DType::F32);
        let one = backend.fill(Scalar::Int(1), &Shape::from(()), DType::F32);
        backend.scatter_add(zeros, xs[0].rank(), &ids, &one.expand(ids.shape())).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, _: &At<'_>, _: &Tensor) -> Vjp {
        Vjp::from([None])
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("one_hot", "For each class id a row (f32) of `classes` zeros with a one at the id.", Takes::Ints, samples).built(|a| Ok(Box::new(OneHot { classes: a.need("classes")? }))),
];

fn samples(s: &mut Samples) {
    s.each(floats(0.0..4.9), |x| x[0].one_hot(5));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn one_hot() {
        check(|x| x.one_hot(4))
            .without_derivative()
            .formula(|[x]| {
                let shape: Vec<usize> = x.shape.iter().copied().chain([4]).collect();
                Numbers::from_fn(&shape, |at| f64::from(x.at(&at[..at.len() - 1]) == at[at.len() - 1] as f64))
            })
            .on(ints(0..4));
        assert_eq!(tensor![3, 1].to(DType::U8).one_hot(4).to_vec::<f32>(), [0., 0., 0., 1., 0., 1., 0., 0.]);
        let e = catch(|| tensor![[0, 1], [5, 2]].one_hot(3)).unwrap_err();
        assert_eq!(e.message(), "one_hot: the class id at [1, 0] is 5, there are 3 classes");
        assert!(catch(|| tensor![-1].one_hot(3)).unwrap_err().message().contains("at [0] is -1"));
        assert!(catch(|| tensor![1.0].one_hot(3)).unwrap_err().message().contains("are integers, this is f32"));
    }
}
