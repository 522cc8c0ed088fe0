//! Tensors side by side, one below the other and one behind the other, with the axes that this takes.

use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use std::borrow::Borrow;

impl Tensor {
    /// With at least one axis.
    ///
    /// * Shape: `[] → [1]`, others as they are; every dtype; a view.   * Gradient: `dy` in the shape of x.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::scalar(2.0).atleast_1d().shape(), [1]);
    /// ```
    #[track_caller]
    pub fn atleast_1d(&self) -> Tensor {
        named("atleast_1d", || if self.rank() == 0 { self.reshape([1usize]) } else { self.clone() })
    }

    /// With at least two axes, the last of which is the list's.
    ///
    /// * Shape: `[n] → [1, n]`, `[] → [1, 1]`, others as they are; every dtype; a view.   * Gradient: `dy` in the shape of x.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1.0, 2.0].atleast_2d().shape(), [1, 2]);
    /// ```
    #[track_caller]
    pub fn atleast_2d(&self) -> Tensor {
        named("atleast_2d", || if self.rank() < 2 { self.atleast_1d().unsqueeze(0) } else { self.clone() })
    }

    /// With at least three axes, the first of which is the matrix's.
    ///
    /// * Shape: `[m, n] → [m, n, 1]`, `[n] → [1, n, 1]`, others as they are; every dtype; a view.   * Gradient: `dy` in the shape of x.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1.0, 2.0].atleast_3d().shape(), [1, 2, 1]);
    /// ```
    #[track_caller]
    pub fn atleast_3d(&self) -> Tensor {
        named("atleast_3d", || if self.rank() < 3 { self.atleast_2d().unsqueeze(-1) } else { self.clone() })
    }

    /// The parts side by side: lists one after the other, others along axis 1.
    ///
    /// * Shape: `[2, 3], [2, 4] → [2, 7]`, `[2], [3] → [5]`; every dtype.   * Gradient: each part's slice.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(Tensor::hstack(&[tensor![[1.0], [2.0]], tensor![[3.0], [4.0]]]), [[1.0, 3.0], [2.0, 4.0]]);
    /// ```
    /// # Panics
    /// When there is no part, the other axes differ, or the dtypes do.
    #[track_caller]
    pub fn hstack<T: Borrow<Tensor>>(parts: &[T]) -> Tensor {
        named("hstack", || {
            let parts: Vec<Tensor> = parts.iter().map(|x| x.borrow().atleast_1d()).collect();
            Tensor::cat(&parts, usize::from(parts.first().is_some_and(|x| x.rank() > 1)))
        })
    }

    /// The parts one below the other; a list is a row.
    ///
    /// * Shape: `[2, 3], [4, 3] → [6, 3]`, `[3], [3] → [2, 3]`; every dtype.   * Gradient: each part's slice.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(Tensor::vstack(&[tensor![1.0, 2.0], tensor![3.0, 4.0]]), [[1.0, 2.0], [3.0, 4.0]]);
    /// ```
    /// # Panics
    /// When there is no part, the other axes differ, or the dtypes do.
    #[track_caller]
    pub fn vstack<T: Borrow<Tensor>>(parts: &[T]) -> Tensor {
        named("vstack", || Tensor::cat(&parts.iter().map(|x| x.borrow().atleast_2d()).collect::<Vec<_>>(), 0))
    }

    /// The parts one behind the other, along axis 2.
    ///
    /// * Shape: `[2, 3], [2, 3] → [2, 3, 2]`, `[3], [3] → [1, 3, 2]`; every dtype.   * Gradient: each part's slice.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(Tensor::dstack(&[tensor![1.0, 2.0], tensor![3.0, 4.0]]), [[[1.0, 3.0], [2.0, 4.0]]]);
    /// ```
    /// # Panics
    /// When there is no part, the other axes differ, or the dtypes do.
    #[track_caller]
    pub fn dstack<T: Borrow<Tensor>>(parts: &[T]) -> Tensor {
        named("dstack", || Tensor::cat(&parts.iter().map(|x| x.borrow().atleast_3d()).collect::<Vec<_>>(), 2))
    }

    /// The parts side by side; a list is a column.
    ///
    /// * Shape: `[2], [2, 3] → [2, 4]`; every dtype.   * Gradient: each part's slice.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(Tensor::column_stack(&[tensor![1.0, 2.0], tensor![3.0, 4.0]]), [[1.0, 3.0], [2.0, 4.0]]);
    /// ```
    /// # Panics
    /// When there is no part, the other axes differ, or the dtypes do.
    #[track_caller]
    pub fn column_stack<T: Borrow<Tensor>>(parts: &[T]) -> Tensor {
        named("column_stack", || {
            let column = |x: &Tensor| if x.rank() < 2 { x.reshape([x.len(), 1]) } else { x.clone() };
            Tensor::cat(&parts.iter().map(|x| column(x.borrow())).collect::<Vec<_>>(), 1)
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("hstack", "Tensors side by side.", Takes::All, of_hstack).made_of("cat"),
    OpKind::new("vstack", "Tensors one below the other.", Takes::All, of_vstack).made_of("unsqueeze and cat"),
    OpKind::new("dstack", "Tensors one behind the other.", Takes::All, of_dstack).made_of("unsqueeze and cat"),
    OpKind::new("column_stack", "Tensors side by side, lists as columns.", Takes::All, of_column_stack).made_of("reshape and cat"),
];

fn of_hstack(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3], &d), (&[2, 1], &d)], |x| Tensor::hstack(x));
    s.of(&[(&[2], &d), (&[], &d)], |x| Tensor::hstack(x));
}

fn of_vstack(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3], &d), (&[3], &d)], |x| Tensor::vstack(x));
    s.of(&[(&[], &d), (&[], &d)], |x| Tensor::vstack(x));
}

fn of_dstack(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3], &d), (&[2, 3, 2], &d)], |x| Tensor::dstack(x));
    s.of(&[(&[2], &d), (&[2], &d)], |x| Tensor::dstack(x));
}

fn of_column_stack(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2], &d), (&[2, 3], &d)], |x| Tensor::column_stack(x));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn stacks() {
        let d = || floats(-2.0..2.0);
        check2(|a, b| Tensor::hstack(&[a, b])).shapes([&[2, 3], &[2, 1]])
            .formula(|[a, b]| Numbers::from_fn(&[2, 4], |at| if at[1] < 3 { a.at(at) } else { b.at(&[at[0], 0]) }))
            .on(d(), d());
        check2(|a, b| Tensor::hstack(&[a, b])).shapes([&[3], &[]]).on(d(), d());
        check2(|a, b| Tensor::vstack(&[a, b])).shapes([&[3], &[2, 3]])
            .formula(|[a, b]| Numbers::from_fn(&[3, 3], |at| if at[0] == 0 { a.at(&at[1..]) } else { b.at(&[at[0] - 1, at[1]]) }))
            .on(d(), d());
        check2(|a, b| Tensor::dstack(&[a, b])).shapes([&[3], &[1, 3, 2]])
            .formula(|[a, b]| Numbers::from_fn(&[1, 3, 3], |at| if at[2] == 0 { a.at(&[at[1]]) } else { b.at(&[0, at[1], at[2] - 1]) }))
            .on(d(), d());
        check2(|a, b| Tensor::column_stack(&[a, b])).shapes([&[2], &[2, 2]])
            .formula(|[a, b]| Numbers::from_fn(&[2, 3], |at| if at[1] == 0 { a.at(&[at[0]]) } else { b.at(&[at[0], at[1] - 1]) }))
            .on(d(), d());
        check(|x| x.atleast_3d()).shapes([&[2, 3]]).on(d());
        assert_eq!(Tensor::scalar(1.0).atleast_3d().shape(), [1, 1, 1]);
        let e = catch(|| Tensor::vstack(&[tensor![1.0], tensor![1.0, 2.0]])).unwrap_err();
        assert!(e.message().starts_with("vstack: "), "{e}");
    }
}
