//! Derivatives of functions rather than of recorded tensors: products with the Jacobian and the Hessian, and these whole.
//!
//! Each takes the function and the point, makes inputs of its own there, and can be differentiated again. Where a value does not depend
//! on the point, as behind `detach`, its derivatives are zeros.

use super::engine::grads_at;
use super::jvp::{point, push};
use crate::shape::{MAX_RANK, Shape};
use crate::{Tensor, fail, record};

/// The value of a function and the product of a direction with its Jacobian: `y = f(x)`, `dxᵢ = Jᵢᵀ dy` for each input, with zeros
/// for one that `y` does not depend on.
///
/// ```
/// use mapsto_tensor::graph::vjp;
/// use mapsto_tensor::prelude::*;
/// let (y, [da, db]) = vjp(|[a, b]| a * b, [&tensor![1.0, 2.0], &tensor![3.0, 4.0]], &tensor![1.0, 10.0]);
/// assert_close!(y, [3.0, 8.0]);
/// assert_close!(da, [3.0, 40.0]);
/// assert_close!(db, [1.0, 20.0]);
/// ```
/// # Panics
/// When `dy` has another shape than the value, or an input is not of floats.
#[track_caller]
pub fn vjp<const N: usize>(
    f: impl FnOnce([&Tensor; N]) -> Tensor,
    xs: [&Tensor; N],
    dy: &Tensor,
) -> (Tensor, [Tensor; N]) {
    xs.iter().for_each(|x| floats("vjp", "the point is", x));
    let points = xs.map(point);
    let y = record(|| f(points.each_ref()));
    floats("vjp", "the value is", &y);
    if y.dtype() != dy.dtype() {
        fail!("vjp", "the direction is {}, and the value {}", dy.dtype(), y.dtype());
    }
    if y.shape() != dy.shape() {
        fail!("vjp", "the direction {:?} has not the shape of the value, {:?}", dy.shape(), y.shape());
    }
    let found = pulled(&y, dy, &points.each_ref());
    let mut found = found.into_iter();
    (y, std::array::from_fn(|_| found.next().expect("one for each input")))
}

/// The matrix of first derivatives: `J[i.., j..] = ∂f(x)[i..] / ∂x[j..]`, of the shape of `f(x)` followed by that of `x`.
///
/// It takes a pass for each element of the value, or of `x` where that has fewer.
/// ```
/// use mapsto_tensor::graph::jacobian;
/// use mapsto_tensor::prelude::*;
/// let j = jacobian(|x| Tensor::stack(&[x.prod(..), x.sum(..)], 0), &tensor![2.0, 3.0]);
/// assert_close!(j, [[3.0, 2.0], [1.0, 1.0]]);
/// ```
/// # Panics
/// When `x` is not of floats, or both together have more than six axes.
#[track_caller]
pub fn jacobian(f: impl FnOnce(&Tensor) -> Tensor, x: &Tensor) -> Tensor {
    let (x, y) = at("jacobian", f, x);
    jacobian_at("jacobian", &y, &x)
}

/// The matrix of second derivatives of a scalar: `H[i.., j..] = ∂²f(x) / ∂x[i..] ∂x[j..]`, of the shape of `x` twice. For its product
/// with a direction, [`hvp`] takes one pass rather than one for each element.
///
/// ```
/// use mapsto_tensor::graph::hessian;
/// use mapsto_tensor::prelude::*;
/// assert_close!(hessian(|x| x.prod(..), &tensor![2.0, 3.0]), [[0.0, 1.0], [1.0, 0.0]]);
/// ```
/// # Panics
/// When the value is no scalar, `x` is not of floats or has more than three axes.
#[track_caller]
pub fn hessian(f: impl FnOnce(&Tensor) -> Tensor, x: &Tensor) -> Tensor {
    let (x, y) = at("hessian", f, x);
    let slope = slope("hessian", &y, &x);
    jacobian_at("hessian", &slope, &x)
}

/// The value of a scalar function and the product of its Hessian with a direction: `f(x)` and `H v`, without the matrix.
///
/// Source: Pearlmutter (1994), Fast exact multiplication by the Hessian.
/// ```
/// use mapsto_tensor::graph::hvp;
/// use mapsto_tensor::prelude::*;
/// let (y, hv) = hvp(|x| x.prod(..), &tensor![2.0, 3.0], &tensor![1.0, 10.0]);
/// assert_close!(y, 6.0);
/// assert_close!(hv, [10.0, 1.0]);
/// ```
/// # Panics
/// When the value is no scalar, `v` has another shape than `x`, or `x` is not of floats.
#[track_caller]
pub fn hvp(f: impl FnOnce(&Tensor) -> Tensor, x: &Tensor, v: &Tensor) -> (Tensor, Tensor) {
    if x.shape() != v.shape() || x.dtype() != v.dtype() {
        let (xs, vs) = (x.shape(), v.shape());
        fail!("hvp", "x is {xs:?} of {}, and its direction {vs:?} of {}", x.dtype(), v.dtype());
    }
    let (x, y) = at("hvp", f, x);
    let slope = slope("hvp", &y, &x);
    // The Hessian is symmetric, so its product with v is also that of v with it, which is one more pass back.
    let hv = pulled(&slope, v, &[&x]).remove(0);
    (y, hv)
}

/// Derivatives are of floats.
#[track_caller]
fn floats(what: &'static str, which: &str, x: &Tensor) {
    if !x.dtype().is_float() {
        fail!(what, "derivatives are of floats, {which} {}", x.dtype(); help = "convert it with `.to(DType::F32)`");
    }
}

/// A function at a point of its own.
#[track_caller]
fn at(what: &'static str, f: impl FnOnce(&Tensor) -> Tensor, x: &Tensor) -> (Tensor, Tensor) {
    floats(what, "the point is", x);
    let x = point(x);
    let y = record(|| f(&x));
    floats(what, "the value is", &y);
    (x, y)
}

/// `Jᵀ dy` for each point; zeros where `y` is a constant or does not depend on it.
#[track_caller]
fn pulled(y: &Tensor, dy: &Tensor, points: &[&Tensor]) -> Vec<Tensor> {
    let mut found = vec![None; points.len()];
    if y.is_recorded() {
        grads_at(y, dy, points, &mut found);
    }
    found.into_iter().zip(points).map(|(g, x)| g.unwrap_or_else(|| Tensor::zeros_like(x))).collect()
}

/// The gradient of a scalar.
#[track_caller]
fn slope(what: &'static str, y: &Tensor, x: &Tensor) -> Tensor {
    if y.len() != 1 {
        fail!(what, "a scalar was expected, {:?} has {} elements", y.shape(), y.len();
              help = "reduce it first, e.g. `y.sum(..)`; `jacobian` is for values of many elements");
    }
    pulled(y, &Tensor::ones_like(y), &[x]).remove(0)
}

#[track_caller]
fn jacobian_at(what: &'static str, y: &Tensor, x: &Tensor) -> Tensor {
    let shape: Vec<usize> = y.shape().iter().chain(x.shape()).copied().collect();
    if shape.len() > MAX_RANK {
        fail!(what, "{:?} and {:?} have more than {MAX_RANK} axes together", y.shape(), x.shape();
              help = "reshape the input or the value to fewer axes, e.g. `x.flatten()`");
    }
    let (m, n) = (y.len(), x.len());
    if m == 0 || n == 0 {
        return Tensor::full_of(Shape::new(&shape), 0.0, y.dtype());
    }
    let unit = |like: &Tensor, i: usize| {
        let mut one = vec![0.0; like.len()];
        one[i] = 1.0;
        like.device().scope(|| Tensor::from_vec(one, like.shape()).to(like.dtype()))
    };
    // Rows by passes back, or columns by passes forward, whichever are fewer.
    record(|| {
        if m <= n {
            let rows: Vec<Tensor> =
                (0..m).map(|i| pulled(y, &unit(y, i), &[x]).remove(0).reshape([n])).collect();
            return Tensor::stack(&rows, 0).reshape(&shape[..]);
        }
        let point = [x.clone()];
        let columns: Vec<Tensor> = (0..n).map(|j| push(y, &point, &[&unit(x, j)]).reshape([m])).collect();
        Tensor::stack(&columns, 1).reshape(&shape[..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    /// A function of two axes to two axes, of which no derivative vanishes.
    fn bent(x: &Tensor) -> Tensor {
        x.matmul(&(x.t() * 0.3)).sin() + x.sum(..).exp() * 0.01
    }

    #[test]
    fn jacobians_of_both_ways_are_those_of_differences() {
        for shape in [[3, 2], [2, 4], [1, 1]] {
            let x = Tensor::randn(shape).to(DType::F64) * 0.5;
            let j = jacobian(bent, &x);
            let y = bent(&x);
            assert_eq!(j.shape(), [y.shape(), x.shape()].concat());
            let (j, step) = (j.reshape([y.len(), x.len()]), 1e-6);
            for k in 0..x.len() {
                let moved = |by: f64| {
                    let mut values = x.to_vec::<f64>();
                    values[k] += by;
                    bent(&Tensor::from_vec(values, shape))
                };
                let numeric = ((moved(step) - moved(-step)) / (2.0 * step)).reshape([y.len()]);
                assert_close!(j.select(1, k), numeric);
            }
        }
    }

    #[test]
    fn a_hessian_is_symmetric_and_its_products_are_those_of_hvp() {
        let f = |x: &Tensor| bent(x).square().sum(..);
        let x = Tensor::randn([2, 3]).to(DType::F64) * 0.5;
        let h = hessian(f, &x).reshape([6, 6]);
        assert_close!(h.t(), h);
        let v = Tensor::randn([2, 3]).to(DType::F64);
        let (y, hv) = hvp(f, &x, &v);
        assert_close!(y, f(&x));
        assert_close!(hv.reshape([6, 1]), h.matmul(&v.reshape([6, 1])));
        let (y, [dx]) = vjp(|[x]| bent(x), [&x], &Tensor::ones([2, 2]).to(DType::F64));
        assert_close!(y, bent(&x));
        assert_close!(dx, jacobian(|x| bent(x).sum(..), &x));
    }

    #[test]
    fn constants_have_zeros_and_what_comes_out_is_differentiable() {
        let x = tensor![1.0, 2.0];
        assert_close!(jacobian(|_| tensor![3.0], &x), [[0.0, 0.0]]);
        assert_close!(hessian(|x| x.sum(..), &x), [[0.0, 0.0], [0.0, 0.0]]);
        assert_close!(hvp(|_| tensor![3.0], &x, &x).1, [0.0, 0.0]);
        assert_eq!(jacobian(|x| x.slice(0, 0..0), &x).shape(), [0, 2]);
        // d/dw of the sum of ∂(w x³)/∂x = 3 x² summed.
        let w = tensor![2.0].leaf();
        let j = jacobian(|x| x * x * x * &w, &x);
        assert_close!(j.sum(..).backward().of(&w), [15.0]);
    }

    #[test]
    fn mistakes_are_named() {
        let x = tensor![1.0, 2.0];
        let message = |f: &dyn Fn()| catch(f).unwrap_err().message().to_string();
        assert_eq!(
            message(&|| drop(hessian(|x| x * 2.0, &x))),
            "hessian: a scalar was expected, [2] has 2 elements"
        );
        assert!(message(&|| drop(hvp(|x| x.sum(..), &x, &tensor![1.0]))).starts_with("hvp: x is [2] of f32"));
        assert!(
            message(&|| drop(vjp(|[x]| x * 2.0, [&x], &tensor![1.0]))).starts_with("vjp: the direction [1]")
        );
        let ids = tensor![1, 2];
        assert_eq!(
            message(&|| drop(jacobian(|x| x * 2, &ids))),
            "jacobian: derivatives are of floats, the point is i64"
        );
        assert_eq!(
            message(&|| drop(jacobian(|x| x.gt(1.0), &x))),
            "jacobian: derivatives are of floats, the value is bool"
        );
        let wide = Tensor::ones([1, 1, 1, 1]);
        assert!(message(&|| drop(jacobian(|x| x * 2.0, &wide))).contains("more than 6 axes together"));
    }
}
