//! Products over axes.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::keep;
use crate::Tensor;
use crate::backend::Reduction;
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::reduce::{axes_of, mask_of, reduce, unreduce};
use crate::shape::{Axes, MAX_RANK};

impl Tensor {
    /// The product over axes: `y = Π x`; 1 of nothing; integers multiply to i64.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`.
    /// * Gradient: `dxᵢ = dy Π_{k≠i} xₖ`, exact where elements are zero.   * ONNX: `ReduceProd`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 2.0], [3.0, 4.0]];
    /// assert_close!(x.prod(-1), [2.0, 12.0]);
    /// assert_eq!(x.prod(..).item(), 24.0);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn prod(&self, axes: impl Into<Axes>) -> Tensor {
        let axes = axes.into();
        let mask = axes.mask("prod", self.shape());
        let y = fused(Prod { mask }, &[self]);
        if axes.keep { unreduce(&y, &mask, self.shape()) } else { y }
    }
}

struct Prod {
    mask: [bool; MAX_RANK],
}
impl Fused for Prod {
    fn name(&self) -> &'static str {
        "prod"
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 1)
    }
    fn attrs(&self, say: Say<'_>) {
        say("axes", axes_of(&self.mask));
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        if !xs[0].dtype().is_float() {
            return reduce(Reduction::Product, xs[0], &self.mask, false);
        }
        let rank = xs[0].rank();
        let (gone, left): (Vec<usize>, Vec<usize>) = (0..rank).partition(|&i| self.mask[i]);
        let order: Vec<usize> = left.iter().chain(&gone).copied().collect();
        let mut x = xs[0].permute(order).reshape(joined(xs[0].shape(), &left, &gone));
        let last = left.len();
        if x.shape()[last] == 0 {
            return x.sum(last) + 1.0; // of nothing, and it depends on x all the same
        }
        // Halves multiply each other: the derivative needs no division, which zeros would forbid.
        while x.shape()[last] > 1 {
            let n = x.shape()[last] as isize;
            let half = x.slice(last, ..n / 2) * x.slice(last, n / 2..n / 2 * 2);
            x = if n % 2 == 0 { half } else { Tensor::cat(&[half, x.slice(last, n - 1..)], last) };
        }
        x.squeeze(last)
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        Some(reduce(Reduction::Product, xs[0], &self.mask, false).into())
    }
    fn cpu_vjp(&self, _: &At<'_>, _: &Tensor) -> Option<Vjp> {
        None
    }
}

/// The sizes left, and the product of those gone.
fn joined(shape: &[usize], left: &[usize], gone: &[usize]) -> Vec<usize> {
    let mut sizes: Vec<usize> = left.iter().map(|&i| shape[i]).collect();
    sizes.push(gone.iter().map(|&i| shape[i]).product());
    sizes
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("prod", "The product over axes: `y = Π x`; 1 of nothing; integers multiply to i64.", Takes::Numbers, samples).built(|a| Ok(boxed(Prod { mask: mask_of(a)? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].prod(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].prod(keep(1)));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].prod([0, 2]));
    s.of(&[(&[3, 5], &d)], |x| x[0].prod(..));
    s.of(&[(&[1, 7], &d)], |x| x[0].prod(0));
    s.of(&[(&[], &d)], |x| x[0].prod(..));
    s.of(&[(&[0, 3], &d)], |x| x[0].prod(0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn prod() {
        check(|x| x.prod(..)).tolerance(4.0).on(floats(0.5..1.5));
        check(|x| x.prod(keep([0, 2]))).shapes([&[3, 4, 2]]).tolerance(4.0).on(floats(-1.5..1.5));
        check(|x| x.prod(1)).shapes([&[2, 5, 3]]).tolerance(4.0).on(floats(-1.5..1.5));
        let mask = |axes: &[usize]| std::array::from_fn(|i| axes.contains(&i));
        check_fused(|| Prod { mask: mask(&[1]) }, &[(&[4, 9, 3], floats(-1.5..1.5))]);
        let x = tensor![2.0, 0.0, 3.0].leaf();
        assert_close!(x.prod(..).backward().of(&x), [0.0, 6.0, 0.0]);
        assert_eq!(tensor![2, 3, 4].prod(..).to_vec::<i64>(), [24]);
    }
}
