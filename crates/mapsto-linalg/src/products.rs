//! Products of several matrices, of vectors in space, and the matrix of powers.

use mapsto_tensor::{Axis, MAX_RANK, Tensor, fail};
use std::borrow::Borrow;

/// The product of two or more matrices, in the order that takes the fewest multiplications. The first and the last may be vectors.
///
/// * Shape: `[a, b], [b, c], .., [y, z] → [a, z]`; without `a` if the first is `[b]`, without `z` if the last is `[y]`.
/// * Gradient: that of the products.
/// ```
/// # use mapsto_tensor::prelude::*;
/// // A row times two large matrices is cheap from the left.
/// let y = mapsto_linalg::multi_dot(&[Tensor::ones([1, 10]), Tensor::ones([10, 20]), Tensor::ones([20, 5])]);
/// assert_close!(y, [[200.0, 200.0, 200.0, 200.0, 200.0]]);
/// ```
/// # Panics
/// When there are fewer than two, or the shapes do not fit. Source: Cormen, Leiserson, Rivest and Stein, *Introduction to algorithms*, 15.2.
#[track_caller]
pub fn multi_dot<T: Borrow<Tensor>>(factors: &[T]) -> Tensor {
    let mut all: Vec<Tensor> = factors.iter().map(|f| f.borrow().clone()).collect();
    let count = all.len();
    if count < 2 {
        fail!("multi_dot", "{count} matrices are no product"; help = "give at least two");
    }
    let (is_row, is_column) = (all[0].rank() == 1, all[count - 1].rank() == 1);
    if is_row {
        all[0] = all[0].unsqueeze(0);
    }
    if is_column {
        all[count - 1] = all[count - 1].unsqueeze(-1);
    }
    for (i, pair) in all.windows(2).enumerate() {
        if pair.iter().any(|x| x.rank() != 2) || pair[0].shape()[1] != pair[1].shape()[0] {
            fail!("multi_dot", "factor {i}, {:?}, and factor {}, {:?}, do not fit", pair[0].shape(), i + 1, pair[1].shape();
                  help = "matrices [a, b], [b, c], .. are needed; the first and the last may be vectors");
        }
    }
    let mut sizes: Vec<usize> = all.iter().map(|x| x.shape()[0]).collect();
    sizes.push(all[count - 1].shape()[1]);
    // The least cost of each run of factors, and where it is split.
    let (mut least, mut split) = (vec![vec![0.0; count]; count], vec![vec![0; count]; count]);
    for length in 2..=count {
        for i in 0..=count - length {
            let j = i + length - 1;
            let cost = |k: usize| {
                least[i][k] + least[k + 1][j] + (sizes[i] * sizes[j + 1]) as f64 * sizes[k + 1] as f64
            };
            let best = (i..j).min_by(|a, b| cost(*a).total_cmp(&cost(*b))).expect("two factors");
            (least[i][j], split[i][j]) = (cost(best), best);
        }
    }
    let mut y = product(&all, &split, 0, count - 1);
    if is_row {
        y = y.squeeze(0);
    }
    if is_column { y.squeeze(-1) } else { y }
}

#[track_caller]
fn product(all: &[Tensor], split: &[Vec<usize>], i: usize, j: usize) -> Tensor {
    if i == j {
        return all[i].clone();
    }
    let k = split[i][j];
    product(all, split, i, k).matmul(&product(all, split, k + 1, j))
}

/// The powers `x⁰, x¹, .., xⁿ⁻¹` of each element, the matrix of Vandermonde.
///
/// * Shape: `[.., m] → [.., m, n]`, floats only.   * Gradient: that of running products.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_linalg::vander(&tensor![2.0, 3.0], 4), [[1.0, 2.0, 4.0, 8.0], [1.0, 3.0, 9.0, 27.0]]);
/// ```
/// PyTorch's `n` is the number of elements where none is given.
///
/// # Panics
/// When there is no axis, no room for another, the elements are not floats, or `n` is 0.
#[track_caller]
pub fn vander(x: &Tensor, n: usize) -> Tensor {
    if x.rank() == 0 || x.rank() == MAX_RANK || !x.dtype().is_float() || n == 0 {
        fail!("vander", "{n} powers of {:?} of {} were asked for", x.shape(), x.dtype();
              help = "at least one power of a tensor of floats, with one to {} axes, is needed", MAX_RANK - 1);
    }
    let x = x.unsqueeze(-1);
    let ones = Tensor::ones_like(&x).detach();
    if n == 1 {
        return ones;
    }
    let mut shape = x.shape().to_vec();
    shape[x.rank() - 1] = n - 1;
    Tensor::cat(&[ones, x.expand(&shape[..]).cumprod(-1)], -1)
}

/// The cross product of vectors in space: at right angles to both, as long as the area between them.
///
/// * Shape: `[.., 3, ..], [.., 3, ..] → broadcast`, any number, of one dtype.   * Gradient: `da = b × dy`, `db = dy × a`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let y = mapsto_linalg::cross(&tensor![1.0, 0.0, 0.0], &tensor![0.0, 1.0, 0.0], -1);
/// assert_close!(y, [0.0, 0.0, 1.0]);
/// ```
/// # Panics
/// When the axis has not three elements, the tensors have not as many axes, or the shapes do not broadcast.
#[track_caller]
pub fn cross(a: &Tensor, b: &Tensor, axis: impl Into<Axis>) -> Tensor {
    let axis = axis.into().of("cross", a.shape());
    if a.rank() != b.rank() || a.shape()[axis] != 3 || b.shape()[axis] != 3 {
        fail!("cross", "vectors of three elements along axis {axis} are needed, these are {:?} and {:?}", a.shape(), b.shape();
              help = "both have as many axes, and 3 along this one");
    }
    // yᵢ = aᵢ₊₁ bᵢ₊₂ − aᵢ₊₂ bᵢ₊₁
    a.roll(-1, axis) * b.roll(-2, axis) - a.roll(-2, axis) * b.roll(-1, axis)
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn products_in_the_best_order_are_the_products() {
        seed(11);
        let sizes = [3, 30, 2, 17, 5];
        let all: Vec<Tensor> = sizes.windows(2).map(|s| Tensor::randn([s[0], s[1]]).to(DType::F64)).collect();
        let plain = all[0].matmul(&all[1]).matmul(&all[2]).matmul(&all[3]);
        assert_tensors_close(&multi_dot(&all), &plain, 1e-10, 0.0, "four matrices");
        let v = Tensor::ones([5]).to(DType::F64);
        let w = Tensor::ones([3]).to(DType::F64);
        let y = multi_dot(&[&w, &all[0], &all[1], &all[2], &all[3], &v]);
        assert_eq!(y.shape(), [0; 0]);
        assert!((y.item() - plain.sum(..).item()).abs() < 1e-9);
        check2(|a, b| multi_dot(&[a, b, &a.t()]))
            .shapes([&[2, 3], &[3, 3]])
            .on(floats(-1.0..1.0), floats(-1.0..1.0));
        let e = catch(|| multi_dot(&[&all[0], &all[2]])).unwrap_err();
        assert_eq!(e.message(), "multi_dot: factor 0, [3, 30], and factor 1, [2, 17], do not fit");
        assert!(catch(|| multi_dot(&[&v])).is_err());
    }

    #[test]
    fn powers_and_cross_products() {
        check(|x| vander(x, 4)).shapes([&[2, 3]]).on(floats(-2.0..2.0));
        assert_close!(vander(&tensor![0.0, 2.0], 1), [[1.0], [1.0]]);
        assert!(catch(|| vander(&tensor![1.0], 0)).is_err());
        check2(|a, b| cross(a, b, 0)).shapes([&[3, 2], &[3, 1]]).on(floats(-2.0..2.0), floats(-2.0..2.0));
        let [a, b] = [1, 2].map(|seed| floats(-2.0..2.0).draw(&[4, 3], seed));
        let y = cross(&a, &b, -1);
        let zero = Tensor::zeros([4]).to(DType::F64);
        assert_tensors_close(&(&y * &a).sum(-1), &zero, 1e-12, 0.0, "at right angles");
        let lengths = |x: &Tensor| x.square().sum(-1);
        let area = lengths(&a) * lengths(&b) - (&a * &b).sum(-1).square();
        assert_tensors_close(&lengths(&y), &area, 1e-10, 0.0, "the area");
        let e = catch(|| cross(&Tensor::ones([2]), &Tensor::ones([2]), 0)).unwrap_err();
        assert_eq!(
            e.message(),
            "cross: vectors of three elements along axis 0 are needed, these are [2] and [2]"
        );
    }
}
