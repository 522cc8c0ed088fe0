//! A row-major copy of a view, where kernels or readers want one.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::graph::{At, Cost, Keep, Meaning, Meant, Op, Outline, Ran, Vjp, apply};

impl Tensor {
    /// The same elements in row-major order; the tensor itself when they are already.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert!(Tensor::zeros([2, 3]).t().contiguous().layout().is_contiguous());
    /// ```
    #[track_caller]
    pub fn contiguous(&self) -> Tensor {
        if self.layout().is_contiguous() {
            return self.clone();
        }
        apply(Contiguous, &[self])
    }
}

struct Contiguous;
impl Op for Contiguous {
    fn name(&self) -> &'static str {
        "contiguous"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::moved(xs, y)
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        crate::backend::carry::copy(xs[0]).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, _: &At<'_>, g: &Tensor) -> Vjp {
        g.clone().into()
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        xs.of(0)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("contiguous", "The same elements in row-major order; the tensor itself when they are already.", Takes::All, samples).built(|_| Ok(Box::new(Contiguous))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].t().contiguous());
    s.of(&[(&[2, 3], &d)], |x| x[0].contiguous());
    s.of(&[(&[0, 3], &d)], |x| x[0].flip(1).contiguous());
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn contiguous() {
        check(|x| x.unsqueeze(0).unsqueeze(-1).swap(0, 1).contiguous()).on(floats(-2.0..2.0));
    }
}
