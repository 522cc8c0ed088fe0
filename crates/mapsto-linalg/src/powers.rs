//! Powers and exponentials of matrices.

use crate::batch::{eye, side};
use crate::solve::inverse;
use mapsto_tensor::{DType, Result, Tensor};

/// Each square matrix multiplied with itself `n` times; for a negative `n`, its inverse; for 0 the identity, with a gradient of 0.
///
/// * Shape: `[.., m, m] → [.., m, m]`, floats only.   * Gradient: that of the products.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let a = tensor![[1.0, 1.0], [0.0, 1.0]];
/// assert_close!(mapsto_linalg::matrix_power(&a, 5)?, [[1.0, 5.0], [0.0, 1.0]]);
/// assert_close!(mapsto_linalg::matrix_power(&a, -2)?, [[1.0, -2.0], [0.0, 1.0]]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When `n` is negative and a matrix is singular, or holds NaN or infinity.
/// # Panics
/// When the matrices are not square.
#[track_caller]
pub fn matrix_power(a: &Tensor, n: i64) -> Result<Tensor> {
    let m = side("matrix_power", a);
    if n == 0 {
        // The identity, which still comes of `a`: its gradient is 0, whatever numbers stand there.
        let everywhere = a.device().scope(|| Tensor::full_of(a.shape(), 1, DType::Bool));
        return Ok(a.masked_fill(&everywhere, 0.0) + eye(m, a));
    }
    let mut square = if n < 0 { inverse(a)? } else { a.clone() };
    let (mut left, mut power) = (n.unsigned_abs(), None::<Tensor>);
    while left > 0 {
        if left % 2 == 1 {
            power = Some(power.map_or_else(|| square.clone(), |p| p.matmul(&square)));
        }
        left /= 2;
        if left > 0 {
            square = square.matmul(&square);
        }
    }
    Ok(power.expect("at least one factor"))
}

/// The bound of the norm up to which the polynomial of degree 16 is exact in f64: `θ¹⁷ / 17! < 2⁻⁵³`.
const MOST: f64 = 0.75;

/// The exponential of each square matrix, `Σ Aᵏ / k!`, computed in f64.
///
/// The matrix is halved until it is small, the sum is taken to the 16th power, and the result is squared as many times.
///
/// * Shape: `[.., n, n] → [.., n, n]`, floats only.   * Gradient: that of the products.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let turn = tensor![[0.0, -1.0], [1.0, 0.0]];
/// assert_close!(mapsto_linalg::matrix_exp(&turn), [[0.54030, -0.84147], [0.84147, 0.54030]]);
/// ```
/// # Panics
/// When the matrices are not square. Source: Moler and Van Loan, *Nineteen dubious ways to compute the exponential of a matrix* (2003), method
/// 3; Paterson and Stockmeyer, *On the number of nonscalar multiplications necessary to evaluate polynomials* (1973).
#[track_caller]
pub fn matrix_exp(a: &Tensor) -> Tensor {
    let n = side("matrix_exp", a);
    if a.is_empty() {
        return a.clone();
    }
    let wide = a.to(DType::F64);
    let halvings = if a.device().backend().has_numbers() {
        let norm = wide.detach().norm(1.0, -1).max(..).item();
        // Of NaN and infinity the result is NaN, whatever is done.
        if norm.is_finite() && norm > MOST { (norm / MOST).log2().ceil() as i32 } else { 0 }
    } else {
        0
    };
    let x = wide * 2f64.powi(-halvings);
    let one = eye(n, &x);
    let x2 = x.matmul(&x);
    let x3 = x2.matmul(&x);
    let x4 = x2.matmul(&x2);
    let factorial = |k: i32| -> f64 { (1..=k).map(f64::from).product() };
    // c₁₆ x⁴ + .., four powers at a time.
    let four = |k: i32| {
        &one / factorial(k) + &x / factorial(k + 1) + &x2 / factorial(k + 2) + &x3 / factorial(k + 3)
    };
    let mut y = four(12) + &x4 / factorial(16);
    for k in [8, 4, 0] {
        y = four(k) + x4.matmul(&y);
    }
    for _ in 0..halvings {
        y = y.matmul(&y);
    }
    y.to(a.dtype())
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn exponentials_and_powers_obey_their_laws() {
        seed(10);
        for scale in [1e-3, 0.3, 3.0, 20.0] {
            let x = Tensor::randn([2, 5, 5]).to(DType::F64) * scale;
            let skew = &x - x.t();
            let y = matrix_exp(&skew);
            let one = Tensor::eye(5).to(DType::F64).expand([2, 5, 5]);
            assert_tensors_close(&y.matmul(&y.t()), &one, 1e-11, 0.0, "a rotation");
            let small = &x * (3.0 / scale.max(3.0));
            let there = matrix_exp(&small).matmul(&matrix_exp(&-&small));
            assert_tensors_close(&there, &one, 1e-6, 0.0, "there and back");
            let d = x.diagonal(0, -2, -1);
            let found = matrix_exp(&(d.unsqueeze(-1) * Tensor::eye(5).to(DType::F64)));
            assert_tensors_close(&found.diagonal(0, -2, -1), &d.exp(), 1e-12, 1e-11, "a diagonal");
        }
        let a = Tensor::randn([3, 4, 4]).to(DType::F64);
        let two = a.matmul(&a);
        assert_tensors_close(
            &matrix_power(&a, 7).unwrap(),
            &two.matmul(&two).matmul(&two).matmul(&a),
            1e-9,
            1e-9,
            "7",
        );
        let leaf = (&a + f64::INFINITY).leaf();
        let one = matrix_power(&leaf, 0).unwrap();
        assert_tensors_close(&one, &Tensor::eye(4).to(DType::F64).expand([3, 4, 4]), 0.0, 0.0, "0");
        assert!(one.sum(..).backward().of(&leaf).eq(0.0).all(..).item() == 1.0);
        assert!(matrix_exp(&tensor![[f64::NAN]]).item().is_nan());
        assert_eq!(matrix_exp(&Tensor::zeros([0, 0])).shape(), [0, 0]);
    }

    #[test]
    fn derivatives() {
        check(|x| matrix_exp(x)).shapes([&[3, 3]]).on(floats(-1.0..1.0));
        check(|x| matrix_exp(x)).shapes([&[2, 2, 2]]).on(floats(-2.0..2.0));
        check(|x| matrix_power(x, 3).unwrap()).shapes([&[3, 3]]).on(floats(-1.0..1.0));
        let shifted = |x: &Tensor| x + Tensor::eye(2).to(x.dtype()).to_device(x.device()) * 4.0;
        check(move |x| matrix_power(&shifted(x), -2).unwrap()).shapes([&[2, 2]]).on(floats(-1.0..1.0));
        let e = matrix_power(&Tensor::zeros([2, 2]), -1).unwrap_err();
        assert!(e.message().contains("is singular"), "{e}");
    }
}
