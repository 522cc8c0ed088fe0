//! The same elements with the axes in another order: permute, swap and transpose; all are views.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::graph::{At, Cost, Keep, Meaning, Meant, Op, Outline, Ran, Say, Vjp, apply};
use crate::shape::{Axis, MAX_RANK};
use crate::{Error, ErrorKind, Result, Tensor, fail};

impl Tensor {
    /// The axes in another order: axis `i` of the result is axis `axes[i]` of this.
    ///
    /// * Shape: `[a, b, c] → [c, a, b]` for `[2, 0, 1]`.   * Gradient: the inverse order.   * ONNX: `Transpose`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::zeros([2, 3, 4]).permute([2, 0, 1]).shape(), [4, 2, 3]);
    /// ```
    /// # Panics
    /// When `axes` does not name every axis once.
    #[track_caller]
    pub fn permute<A: Into<Axis> + Copy>(&self, axes: impl AsRef<[A]>) -> Tensor {
        let axes = axes.as_ref();
        let mut order = [0; MAX_RANK];
        let mut seen = [false; MAX_RANK];
        if axes.len() != self.rank() {
            fail!("permute", "{} axes are named, {:?} has {}", axes.len(), self.shape(), self.rank());
        }
        for (i, &a) in axes.iter().enumerate() {
            order[i] = a.into().of("permute", self.shape());
            if std::mem::replace(&mut seen[order[i]], true) {
                fail!("permute", "axis {} is named twice", order[i]);
            }
        }
        apply(Permute { rank: axes.len(), order }, &[self])
    }

    /// With two axes exchanged.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::zeros([2, 3, 4]).swap(0, -1).shape(), [4, 3, 2]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn swap(&self, a: impl Into<Axis>, b: impl Into<Axis>) -> Tensor {
        let (a, b) = (a.into(), b.into());
        if a.of_nothing("swap", self.shape()) && b.of_nothing("swap", self.shape()) {
            return self.clone();
        }
        let (a, b) = (a.of("swap", self.shape()), b.of("swap", self.shape()));
        let mut order: Vec<usize> = (0..self.rank()).collect();
        order.swap(a, b);
        self.permute(order)
    }

    /// The transpose: the last two axes exchanged.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![[1.0, 2.0], [3.0, 4.0]].t().to_vec::<f32>(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    /// # Panics
    /// When there are fewer than two axes.
    #[track_caller]
    pub fn t(&self) -> Tensor {
        if self.rank() < 2 {
            fail!("t", "at least two axes are needed, the shape is {:?}", self.shape());
        }
        self.swap(-2, -1)
    }
}

struct Permute {
    rank: usize,
    order: [usize; MAX_RANK],
}
impl Permute {
    fn built(axes: Vec<usize>) -> Result<Box<dyn Op>> {
        let mut order = [0; MAX_RANK];
        if axes.len() > MAX_RANK || (0..axes.len()).any(|i| !axes.contains(&i)) {
            return Err(Error::new(ErrorKind::Model, format!("{axes:?} does not name every axis once")));
        }
        order[..axes.len()].copy_from_slice(&axes);
        Ok(Box::new(Permute { rank: axes.len(), order }))
    }


    fn order(&self) -> &[usize] {
        &self.order[..self.rank]
    }
}
impl Op for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, _: &[Outline], _: &Outline) -> Cost {
        Cost::NONE
    }
    fn attrs(&self, say: Say<'_>) {
        say("axes", self.order().into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let x = xs[0];
        Tensor::raw(x.0.storage.clone(), x.layout().permute(self.order()), x.dtype()).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, _: &At<'_>, g: &Tensor) -> Vjp {
        let mut back = [0; MAX_RANK];
        self.order().iter().enumerate().for_each(|(to, &from)| back[from] = to);
        g.permute(&back[..self.rank]).into()
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        xs.of(0)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("permute", "The axes in another order: axis `i` of the result is axis `axes[i]` of this.", Takes::All, samples).built(|a| Permute::built(a.need("axes")?)),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].permute([2, 0, 1]));
    s.of(&[(&[3, 5], &d)], |x| x[0].t());
    s.of(&[(&[0, 1, 3], &d)], |x| x[0].swap(0, -1));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn permute() {
        check(|x| x.unsqueeze(0).swap(0, -1)).on(floats(-2.0..2.0));
        check(|x| x.permute((0..x.rank()).rev().collect::<Vec<_>>()))
            .formula(|[x]| {
                let reversed = |at: &[usize]| at.iter().rev().copied().collect::<Vec<_>>();
                Numbers::from_fn(&reversed(&x.shape), |at| x.at(&reversed(at)))
            })
            .on(floats(-2.0..2.0));
    }
}
