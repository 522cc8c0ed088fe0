//! Comparing tensors with numbers, with a message that shows where they differ.

use crate::{DType, Tensor};

/// What a tensor can be compared with: a tensor, or nested arrays of numbers.
pub trait Expected {
    /// The expected tensor, in f64.
    fn expected(&self) -> Tensor;
}

impl Expected for Tensor {
    fn expected(&self) -> Tensor {
        self.detach().to(DType::F64)
    }
}
impl Expected for &Tensor {
    fn expected(&self) -> Tensor {
        (*self).expected()
    }
}
impl<const N: usize> Expected for [f64; N] {
    fn expected(&self) -> Tensor {
        Tensor::from_slice(self, N)
    }
}
impl<const N: usize, const M: usize> Expected for [[f64; M]; N] {
    fn expected(&self) -> Tensor {
        Tensor::from_slice(self.as_flattened(), [N, M])
    }
}
impl<const N: usize, const M: usize, const K: usize> Expected for [[[f64; K]; M]; N] {
    fn expected(&self) -> Tensor {
        Tensor::from_slice(self.as_flattened().as_flattened(), [N, M, K])
    }
}
impl Expected for f64 {
    fn expected(&self) -> Tensor {
        Tensor::from_slice(&[*self], ())
    }
}

/// Requires two tensors to have one shape and close elements: `|a − b| ≤ atol + rtol · |b|`; NaN equals NaN.
///
/// # Panics
/// When they differ, with the place, both values and `what`.
#[track_caller]
pub fn assert_tensors_close(a: &Tensor, b: &Tensor, atol: f64, rtol: f64, what: &str) {
    assert_eq!(a.shape(), b.shape(), "{what}: the shapes differ");
    let (x, y) = (crate::backend::carry::read_f64(a), crate::backend::carry::read_f64(b));
    let bad = x.iter().zip(&y).position(|(&x, &y)| !is_close(x, y, atol, rtol));
    if let Some(i) = bad {
        let mut rest = i;
        let mut place: Vec<usize> = a
            .shape()
            .iter()
            .rev()
            .map(|&n| {
                let k = rest % n;
                rest /= n;
                k
            })
            .collect();
        place.reverse();
        panic!("{what}: element {place:?} is {}, {} was expected (atol {atol:e}, rtol {rtol:e})", x[i], y[i]);
    }
}

/// Whether numbers are as close as that; what is not finite is close to itself alone.
pub(crate) fn is_close(x: f64, y: f64, atol: f64, rtol: f64) -> bool {
    let is_near = || x.is_finite() && y.is_finite() && (x - y).abs() <= atol + rtol * y.abs();
    x == y || (x.is_nan() && y.is_nan()) || is_near()
}

#[test]
fn what_is_not_finite_is_close_to_itself_alone() {
    let values = [1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MAX];
    for (i, &x) in values.iter().enumerate() {
        for (j, &y) in values.iter().enumerate() {
            assert_eq!(is_close(x, y, 1e-5, 1e-4), i == j, "{x} and {y}");
        }
    }
}

/// Requires a tensor to be close to another or to nested arrays: within 1e-5 and 1e-4 of the value, in one shape.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// assert_close!(tensor![1.0, 2.0] / 3.0, [0.33333, 0.66667]);
/// ```
#[macro_export]
macro_rules! assert_close {
    ($a:expr, $b:expr $(,)?) => {
        $crate::check::assert_tensors_close(
            &$a,
            &$crate::check::Expected::expected(&$b),
            1e-5,
            1e-4,
            stringify!($a),
        )
    };
}
