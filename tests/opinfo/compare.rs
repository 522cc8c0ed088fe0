//! When a number is PyTorch's, and the gradient that arrives at results.

use mapsto::prelude::*;

/// The tolerances that PyTorch's tests have for a dtype: absolute, and relative to the expected number.
fn tolerance(dtype: DType) -> (f64, f64) {
    match dtype {
        DType::F64 => (1e-7, 1e-7),
        DType::F32 => (1e-5, 1.3e-6),
        _ => (0.0, 0.0),
    }
}

/// How two tensors differ, if they do. A dtype may differ where PyTorch gives i64 or f32 and we another that holds the same.
pub fn difference(found: &Tensor, wanted: &Tensor) -> Option<String> {
    if found.shape() != wanted.shape() {
        return Some(format!("the shape is {:?}, and PyTorch's {:?}", found.shape(), wanted.shape()));
    }
    let (atol, rtol) = tolerance(if found.dtype().is_float() { found.dtype() } else { wanted.dtype() });
    let of = |t: &Tensor| t.to(DType::F64).to_vec::<f64>();
    let near =
        |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= atol + rtol * b.abs();
    let (a, b) = (of(found), of(wanted));
    let at = a.iter().zip(&b).position(|(a, b)| !near(*a, *b))?;
    Some(format!("element {at} is {}, and PyTorch's {}", a[at], b[at]))
}

/// The gradient that arrives, as in `write.py`.
pub fn wave(y: &Tensor) -> Tensor {
    let values = (0..y.len()).map(|k| (0.37 * k as f64 + 1.0).cos()).collect();
    Tensor::from_vec::<f64>(values, y.shape()).to(y.dtype())
}
