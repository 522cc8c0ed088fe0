//! Repeating without copying: axes of size 1 stretched to a bigger size.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::graph::{At, Cost, Keep, Meaning, Meant, Op, Outline, Ran, Say, Vjp, apply};
use super::Sizes;
use crate::shape::Shape;
use crate::{Tensor, fail};

impl Tensor {
    /// The same elements repeated along axes of size 1 and along axes added in front; a view, nothing is copied.
    ///
    /// * Shape: `[3, 1] → [2, 3, 4]`.   * Gradient: the sum over the repetitions.   * ONNX: `Expand`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[1.0], [2.0]].expand([2, 2]), [[1.0, 1.0], [2.0, 2.0]]);
    /// assert_eq!(Tensor::ones([3, 1]).expand([-1, 4]).shape(), [3, 4]);
    /// ```
    /// A size of `-1` leaves the axis as it is.
    ///
    /// # Panics
    /// When an axis has neither size 1 nor the wanted size, or `-1` stands where the tensor has no axis.
    #[track_caller]
    pub fn expand(&self, shape: impl Into<Sizes>) -> Tensor {
        let shape = shape.into().over("expand", self.shape()).fit("expand");
        let lead = shape.len().checked_sub(self.rank());
        let fits = lead.is_some_and(|l| self.shape().iter().zip(&shape[l..]).all(|(&have, &want)| have == want || have == 1));
        if !fits {
            fail!("expand", "{:?} cannot be repeated to {shape:?}", self.shape(); help = "only axes of size 1 repeat, aligned at the last axis");
        }
        apply(Expand { shape }, &[self])
    }
}

struct Expand {
    shape: Shape,
}
impl Op for Expand {
    fn name(&self) -> &'static str {
        "expand"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, _: &[Outline], _: &Outline) -> Cost {
        Cost::NONE
    }
    fn attrs(&self, say: Say<'_>) {
        say("shape", self.shape[..].into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let x = xs[0];
        Tensor::raw(x.0.storage.clone(), x.layout().broadcast_to(&self.shape), x.dtype()).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, _: &At<'_>, g: &Tensor) -> Vjp {
        g.clone().into() // the engine sums broadcasting away
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        xs.of(0)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("expand", "The same elements repeated along axes of size 1 and along axes added in front; a view, nothing is copied.", Takes::All, samples).built(|a| Ok(Box::new(Expand { shape: crate::shape::shape_from(a.need("shape")?)? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 1], &d)], |x| x[0].expand([2, 3, 4]));
    s.of(&[(&[], &d)], |x| x[0].expand([5]));
    s.of(&[(&[1, 2], &d)], |x| x[0].expand([0, 2]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn expand() {
        check(|x| {
            let mut shape = vec![3];
            shape.extend(x.shape());
            x.expand(shape)
        })
        .formula(|[x]| {
            let mut shape = vec![3];
            shape.extend(&x.shape);
            Numbers { shape, values: x.values.repeat(3) }
        })
        .on(floats(-2.0..2.0));
    }

    #[test]
    fn an_axis_left_open_keeps_its_size() {
        use crate::prelude::*;
        assert_eq!(Tensor::ones([3, 1]).expand([2, -1, 4]).shape(), [2, 3, 4]);
        let e = catch(|| Tensor::ones([3]).expand([-1, 3])).unwrap_err();
        assert_eq!(e.message(), "expand: [-1, 3] leaves axis 0 open, which [3] does not have");
    }
}
