//! Products over axes.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::keep;
use crate::Tensor;
use crate::backend::Reduction;
use crate::backend::cpu::{in_class, slice, with_float};
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::reduce::{axes_of, count, mask_of, reduce, unreduce};
use crate::shape::{Axes, MAX_RANK};
use mapsto_kernels::product::product_backward;

impl Tensor {
    /// The product over axes: `y = Π x`; 1 of nothing; integers multiply to i64.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`.
    /// * Gradient: `dxᵢ = dy Π_{k≠i} xₖ`, exact where elements are zero.   * ONNX: `ReduceProd`.
    ///
    /// Products on the way may leave the range of the dtype: the result is finite wherever the whole product is.
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
impl Prod {
    /// The axes that are left, then those that go.
    fn order(&self, rank: usize) -> Vec<usize> {
        (0..rank).filter(|&i| !self.mask[i]).chain((0..rank).filter(|&i| self.mask[i])).collect()
    }
    /// What falls together in one product as a row, and the length of the rows.
    fn rows(&self, x: &Tensor) -> (Tensor, usize) {
        (in_class(&x.permute(self.order(x.rank()))), count(&self.mask, x.shape()))
    }
}
impl Fused for Prod {
    fn is_full(&self) -> bool {
        true
    }
    fn name(&self) -> &'static str {
        "prod"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
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
        let mut x = xs[0].permute(self.order(rank)).reshape(joined(xs[0].shape(), &left, &gone));
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
    /// A product of a few may be beyond f32 where that of all is not.
    fn wide(&self) -> bool {
        true
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        Some(reduce(Reduction::Product, xs[0], &self.mask, false).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let x = at.x();
        let (rows, n) = self.rows(x);
        let g = in_class(g);
        let dx = with_float!(x.dtype(), T => Tensor::filled_by(*rows.shape_of(), |dx: &mut [T]| {
            product_backward(slice(&rows), [g.len(), n, 1], slice(&g), dx)
        }));
        let order = self.order(x.rank());
        let back: Vec<usize> = (0..order.len()).map(|i| order.iter().position(|&o| o == i).unwrap_or(i)).collect();
        Some(dx.permute(back).to(x.dtype()).into())
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

    /// Small inputs give small results, to as many digits.
    #[test]
    fn small_numbers_keep_their_digits() {
        let x = floats(0.5..2.0).draw(&[3, 5], 1);
        assert_close!((&x * 0.1).prod(1) * 1e5, x.prod(1));
        assert_close!((&x * 0.01).prod(1) * 1e10, x.prod(1));
    }

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

    /// Every order of what is large, small and zero, in every dtype, by the values and by both derivatives.
    #[test]
    fn what_lies_on_the_way_need_be_no_number() {
        for (dtype, large) in [(DType::F16, 1e3), (DType::BF16, 1e30), (DType::F32, 1e30), (DType::F64, 1e300)] {
            let orders = [[0, 1, 2, 3], [0, 1, 3, 2], [2, 3, 0, 1], [0, 2, 1, 3], [2, 0, 3, 1], [3, 0, 1, 2]];
            for order in orders {
                for last in [1.0 / large, 0.0] {
                    let values = [large, large, 1.0 / large, last];
                    let x = Tensor::from_vec(order.map(|i| values[i]).to_vec(), [1, 4]).to(dtype).leaf();
                    let y = x.prod(1);
                    let want = if last == 0.0 { 0.0 } else { 1.0 };
                    assert!((y.item() - want).abs() < 0.02, "{dtype} {order:?}: {y:?}");
                    let first = y.sum(..).backward();
                    let dx: Vec<f64> = first.of(&x).to(DType::F64).to_vec();
                    for (k, &i) in order.iter().enumerate() {
                        let want = match last == 0.0 {
                            true if i < 3 => 0.0,
                            true => large,
                            false => 1.0 / values[i],
                        };
                        assert!((dx[k] - want).abs() <= 0.02 * want, "{dtype} {order:?} {k}: {} {want}", dx[k]);
                    }
                }
            }
        }
        // ∂²/∂x₀∂x₁ of the product is that of the others.
        let x = tensor![1e25, 1e25, 1e-25, 1e-25].leaf();
        let [dx] = grad(&x.prod(..), [&x]);
        let bent = dx.slice(0, 2..3).sum(..).backward();
        assert_close!(bent.of(&x).slice(0, ..2), [1.0, 1.0]);
    }
}
