//! The grid of an affine map: where each place of a new image comes from.

use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::PerAxis;
use crate::shape::Shape;
use crate::storage::pool::room_for;
use crate::{DType, Tensor, fail};

/// What −1 and 1 are along the axes of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Its edges, PyTorch's default (`align_corners=False`).
    Edges,
    /// The centres of its outermost elements (`align_corners=True`).
    Centres,
}

impl Tensor {
    /// The places `θ · (column, row, 1)` for [`grid_sample`](Tensor::grid_sample), of images of this size.
    ///
    /// * Shape: `[n, 2, 3] → [n, h, w, 2]`.   * Gradient: to the maps.   * PyTorch: `F.affine_grid`.   * ONNX: `AffineGrid`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let mirror = tensor![[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]];
    /// let grid = mirror.affine_grid2d([1, 2], Ends::Edges);
    /// assert_close!(grid.flatten(0), [0.5, 0.0, -0.5, 0.0]);
    /// let x = tensor![[[[1.0, 2.0]]]];
    /// assert_close!(x.grid_sample(&grid, GridSample::new()).flatten(0), [2.0, 1.0]);
    /// ```
    /// # Panics
    /// When the maps are not `[n, 2, 3]` of floats, or a size is 0.
    #[track_caller]
    pub fn affine_grid2d(&self, size: impl Into<PerAxis<2>>, ends: Ends) -> Tensor {
        grid("affine_grid2d", self, &size.into().0, ends)
    }

    /// The places `θ · (column, row, slice, 1)` for [`grid_sample`](Tensor::grid_sample), of volumes of this size.
    ///
    /// * Shape: `[n, 3, 4] → [n, d, h, w, 3]`.   * Gradient: to the maps.   * PyTorch: `F.affine_grid`.   * ONNX: `AffineGrid`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let theta = Tensor::eye(3).pad(&[(0, 0), (0, 1)], 0.0).unsqueeze(0);
    /// assert_close!(theta.affine_grid3d([1, 1, 2], Ends::Centres).flatten(0), [-1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    /// ```
    /// # Panics
    /// When the maps are not `[n, 3, 4]` of floats, or a size is 0.
    #[track_caller]
    pub fn affine_grid3d(&self, size: impl Into<PerAxis<3>>, ends: Ends) -> Tensor {
        grid("affine_grid3d", self, &size.into().0, ends)
    }
}

#[track_caller]
fn grid(op: &str, theta: &Tensor, size: &[usize], ends: Ends) -> Tensor {
    let axes = size.len();
    if !theta.dtype().is_float() || theta.rank() != 3 || theta.shape()[1..] != [axes, axes + 1] {
        fail!(op, "maps [n, {axes}, {}] of floats are needed, these are {:?} of {}", axes + 1, theta.shape(), theta.dtype());
    }
    if size.contains(&0) {
        fail!(op, "a grid of {size:?} has no places");
    }
    let n = theta.shape()[0];
    let shape: Shape = [n].into_iter().chain(size.iter().copied()).chain([axes]).collect();
    shape.fit(op);
    named(op, || {
        if theta.dtype().size() < 4 {
            return grid(op, &theta.to(DType::F32), size, ends).to(theta.dtype());
        }
        let along = |d: usize| {
            let count = size[d];
            let last = match ends {
                _ if count == 1 => 0.0,
                Ends::Edges => 1.0 - 1.0 / count as f64,
                Ends::Centres => 1.0,
            };
            let value = |i: usize| if count == 1 { 0.0 } else { last * (2.0 * i as f64 / (count - 1) as f64 - 1.0) };
            let line: Shape = (0..axes).map(|axis| if axis == d { count } else { 1 }).collect();
            let mut values = room_for(count);
            values.extend((0..count).map(value));
            theta.device().scope(|| Tensor::from_vec::<f64>(values, line).to(theta.dtype()))
        };
        let places = size.iter().product::<usize>();
        let column = |line: Tensor| line.expand(size).reshape([places, 1]);
        let ones = theta.device().scope(|| Tensor::full_of([places, 1], 1.0, theta.dtype()));
        let base: Vec<Tensor> = (0..axes).rev().map(|d| column(along(d))).chain([ones]).collect();
        // The maps on the left: so all of them are rows of one product, and of one in the gradient.
        theta.matmul(&Tensor::cat(&base, 1).t()).swap(1, 2).reshape(shape)
    })
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("affine_grid2d", "The places of an affine map of images.", Takes::Floats, of_images).made_of("matmul"),
    OpKind::new("affine_grid3d", "The places of an affine map of volumes.", Takes::Floats, of_volumes).made_of("matmul"),
];

fn of_images(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 2, 3], &d)], |x| x[0].affine_grid2d([3, 2], Ends::Edges));
    s.of(&[(&[1, 2, 3], &d)], |x| x[0].affine_grid2d([1, 4], Ends::Centres));
    s.of(&[(&[0, 2, 3], &d)], |x| x[0].affine_grid2d([1, 4], Ends::Centres));
}

fn of_volumes(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].affine_grid3d([2, 3, 1], Ends::Edges));
    s.of(&[(&[1, 3, 4], &d)], |x| x[0].affine_grid3d(2, Ends::Centres));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn affine_grids() {
        check(|x| x.affine_grid2d([3, 4], Ends::Edges)).shapes([&[2, 2, 3]])
            .formula(|[x]| Numbers::from_fn(&[2, 3, 4, 2], |at| {
                let (column, row) = ((2 * at[2] + 1) as f64 / 4.0 - 1.0, (2 * at[1] + 1) as f64 / 3.0 - 1.0);
                let of = |k| x.at(&[at[0], at[3], k]);
                of(0) * column + of(1) * row + of(2)
            }))
            .on(floats(-2.0..2.0));
        check(|x| x.affine_grid3d([2, 1, 3], Ends::Centres)).shapes([&[1, 3, 4]]).on(floats(-2.0..2.0));
        let e = catch(|| Tensor::zeros([2, 3]).affine_grid2d(2, Ends::Edges)).unwrap_err();
        assert_eq!(e.message(), "affine_grid2d: maps [n, 2, 3] of floats are needed, these are [2, 3] of f32");
    }
}
