//! Embedding: ids become rows of a table.

use super::index_select::index_add;
use crate::check::{floats, ints};
use crate::kind::{OpKind, Samples, Takes};
use crate::graph::{At, Cost, Keep, Op, Outline, Ran, Vjp, apply};
use crate::indices::positions;
use crate::shape::Shape;
use crate::{Tensor, fail};

impl Tensor {
    /// For ids, their rows of a table: `y[.., :] = table[id, :]`.
    ///
    /// * Shape: `[..], [v, d] → [.., d]`, ids in `0..v`.   * Gradient: `dtable[id, :] += dy[.., :]`.   * ONNX: `Gather`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let table = tensor![[0.0, 0.1], [1.0, 1.1], [2.0, 2.1]];
    /// assert_close!(tensor![2, 0].embedding(&table), [[2.0, 2.1], [0.0, 0.1]]);
    /// ```
    /// # Panics
    /// When the table has not two axes, or an id is not within it.
    #[track_caller]
    pub fn embedding(&self, table: &Tensor) -> Tensor {
        if table.rank() != 2 {
            fail!("embedding", "the table must be [ids, size], it is {:?}", table.shape());
        }
        let [v, d] = table.dims();
        let ids = positions("embedding", self, v);
        self.shape().iter().copied().chain([d]).collect::<Shape>().fit("embedding");
        apply(Embedding, &[table, &ids])
    }
}

struct Embedding;
impl Op for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=2
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::moved(xs, y)
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let (table, ids) = (xs[0], xs[1]);
        let list = ids.reshape([ids.len()]);
        let rows = table.device().backend().index_select(table, 0, &list);
        let mut shape = ids.shape().to_vec();
        shape.push(table.shape()[1]);
        rows.reshape(shape).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE.input(1)
    }
    /// A table of each sample's own, side by side.
    fn vjp_each(&self, at: &At<'_>, g: &Tensor, n: usize) -> Vjp {
        let &[v, d] = at.shape(0) else { return Vjp::from([None, None]) };
        let ids = at.b().detach().reshape([n, at.b().len() / n]);
        let first = ids.device().scope(|| Tensor::arange(0..n as i64)).reshape([n, 1]) * v as i64;
        let list = (ids + first).reshape([at.b().len()]);
        let rows = g.reshape([list.len(), d]);
        Vjp::from([Some(index_add(Shape::new(&[n * v, d]), 0, &list, &rows)), None])
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let list = at.b().reshape([at.b().len()]);
        let rows = g.reshape([list.len(), at.shape(0)[1]]);
        Vjp::from([Some(index_add(Shape::new(at.shape(0)), 0, &list, &rows)), None])
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("embedding", "For ids, their rows of a table: `y[.., :] = table[id, :]`.", Takes::Floats, samples).built(|_| Ok(Box::new(Embedding))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[5, 3], &d), (&[2, 4], &ints(0..5))], |x| x[1].embedding(&x[0]));
    s.of(&[(&[4, 1], &d), (&[], &ints(0..4))], |x| x[1].embedding(&x[0]));
    s.of(&[(&[4, 2], &d), (&[0], &ints(0..4))], |x| x[1].embedding(&x[0]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn embedding() {
        check2(|i, t| i.embedding(t)).shapes([&[2, 3], &[4, 5]])
            .formula(|[i, t]| Numbers::from_fn(&[2, 3, 5], |at| t.at(&[i.at(&at[..2]) as usize, at[2]])))
            .on(ints(0..4), floats(-2.0..2.0));
        check2(|i, t| i.embedding(t)).shapes([&[], &[4, 2]]).on(ints(0..4), floats(-2.0..2.0));
        let e = catch(|| tensor![[0, 1], [2, 7]].embedding(&Tensor::zeros([4, 2]))).unwrap_err();
        assert_eq!(e.message(), "embedding: the index 7 at [1, 1] is not within 0..4");
    }
}
