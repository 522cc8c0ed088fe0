//! A border of one value around a tensor.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::graph::{At, Attr, Cost, Keep, Op, Outline, Ran, Say, Vjp, apply};
use crate::shape::{sum, too_many};
use crate::{Layout, Scalar, Tensor, fail};

impl Tensor {
    /// With `before` and `after` elements of `value` added on each axis: one pair an axis.
    ///
    /// * Shape: `[a, b] → [a + 1 + 2, b]` for `&[(1, 2), (0, 0)]`.   * Gradient: the inner part.   * ONNX: `Pad`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0].pad(&[(1, 2)], 0.0), [0.0, 1.0, 2.0, 0.0, 0.0]);
    /// ```
    /// # Panics
    /// When there is not one pair an axis, or the dtype cannot hold the value.
    #[track_caller]
    pub fn pad(&self, around: &[(usize, usize)], value: impl Into<Scalar>) -> Tensor {
        let value = value.into().held_by("pad", self.dtype());
        if around.len() != self.rank() {
            fail!("pad", "{} pairs for {:?}, which has {} axes", around.len(), self.shape(), self.rank());
        }
        apply(Pad { around: around.to_vec(), value }, &[self])
    }
}

struct Pad {
    around: Vec<(usize, usize)>,
    value: Scalar,
}
impl Op for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::moved(xs, y)
    }
    fn attrs(&self, say: Say<'_>) {
        say("before", Attr::Ints(self.around.iter().map(|a| a.0 as i64).collect()));
        say("after", Attr::Ints(self.around.iter().map(|a| a.1 as i64).collect()));
        say("value", self.value.into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let around = &self.around;
        let mut shape = *xs[0].shape_of();
        for (n, &(before, after)) in shape.iter_mut().zip(around) {
            let Some(wide) = sum([*n, before, after]) else { too_many("pad", &[*n, before, after]) };
            *n = wide;
        }
        let shape = shape.fit("pad");
        let mut y = xs[0].device().scope(|| Tensor::rounded(shape, self.value, xs[0].dtype()));
        let mut inner = Layout { shape: *xs[0].shape_of(), ..*y.layout() };
        if !xs[0].is_empty() {
            inner.offset = around.iter().zip(y.layout().strides()).map(|(a, step)| a.0 * *step as usize).sum();
        }
        xs[0].device().backend().copy(xs[0], &mut y, &inner);
        y.into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let mut g = g.clone();
        for (i, &(before, _)) in self.around.iter().enumerate() {
            g = g.slice(i, before as isize..(before + at.shape(0)[i]) as isize);
        }
        g.into()
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("pad", "With `before` and `after` elements of `value` added on each axis: one pair an axis.", Takes::Numbers, samples).built(|a| {
        let (before, after): (Vec<usize>, Vec<usize>) = (a.need("before")?, a.need("after")?);
        Ok(Box::new(Pad { around: before.into_iter().zip(after).collect(), value: a.need("value")? }))
    }),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3], &d)], |x| x[0].pad(&[(1, 0), (2, 1)], 0.0));
    s.of(&[(&[5], &d)], |x| x[0].pad(&[(0, 3)], 2.0));
    s.of(&[(&[0, 2], &d)], |x| x[0].pad(&[(1, 1), (0, 0)], 1.0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn pad() {
        check(|x| x.reshape([-1]).pad(&[(2, 1)], 0.5))
            .formula(|[x]| {
                let n = x.values.len();
                Numbers::from_fn(&[n + 3], |at| if (2..n + 2).contains(&at[0]) { x.values[at[0] - 2] } else { 0.5 })
            })
            .on(floats(-2.0..2.0));
        check(|x| x.reshape([1, -1, 1]).pad(&[(1, 0), (0, 2), (3, 1)], 0.0)).on(floats(-2.0..2.0));
    }
}
