//! Whether the rows of a gradient belong to one sample each.

use crate::{DType, Tensor};
use mapsto_kernels::real::{Float, Real};

/// Whether a gradient is, row by row, that of the scaled losses divided by the scale.
pub(super) fn are_apart(g: &Tensor, scaled: &Tensor, powers: &[f64]) -> bool {
    if !g.shape().first().is_some_and(|rows| rows.is_multiple_of(powers.len())) {
        return false;
    }
    if (g.dtype(), scaled.dtype()) == (DType::F32, DType::F32) {
        return rows_scale(&g.to_vec::<f32>(), &scaled.to_vec::<f32>(), powers);
    }
    let [g, scaled] = [g, scaled].map(|g| g.to(DType::F64).to_vec::<f64>());
    rows_scale(&g, &scaled, powers)
}

/// A power of two moves exponents and no digit, so there is no rounding to speak of.
fn rows_scale<T: Float>(g: &[T], scaled: &[T], powers: &[f64]) -> bool {
    let width = g.len() / powers.len();
    powers.iter().enumerate().all(|(i, &scale)| {
        let (row, scale) = (i * width..(i + 1) * width, <T as Real>::from_f64(scale));
        let most = largest(&g[row.clone()]);
        let bound = <T as Real>::from_f64(1e-9) * most * scale;
        let pairs = g[row.clone()].iter().zip(&scaled[row]);
        // Not stopped at the first, so that it is a loop over registers.
        pairs.fold(true, |near, (&a, &b)| near & ((a * scale - b).abs() <= bound))
    })
}

fn largest<T: Float>(x: &[T]) -> T {
    let (groups, rest) = x.as_chunks::<16>();
    let mut lane = [T::ZERO; 16];
    for x in groups {
        for i in 0..16 {
            lane[i] = T::select(x[i].abs() > lane[i], x[i].abs(), lane[i]);
        }
    }
    lane.iter().chain(rest).fold(T::ZERO, |most, x| if x.abs() > most { x.abs() } else { most })
}
