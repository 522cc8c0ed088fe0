//! The numbers of a dtype: which comes next, and which sign one has.

use crate::elementwise::{Operand, same_dtype};
use crate::kind::OpKind;
use crate::by_number::by_number;
use crate::shape::broadcast;
use crate::{DType, Tensor, fail};

impl Tensor {
    /// The number of the dtype that comes after each element in the direction of another; the other itself where both are equal.
    ///
    /// * Shape: `[..], [..] → broadcast`, floats only; or a tensor and a number.   * Gradient: none.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1.0, 1.0].nextafter(tensor![2.0, 0.0]).to_vec::<f32>(), [1.0f32.next_up(), 1.0f32.next_down()]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn nextafter(&self, other: impl Into<Operand>) -> Tensor {
        let other = other.into().like("nextafter", self);
        same_dtype("nextafter", self, &other);
        if !self.dtype().is_float() {
            fail!("nextafter", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        let shape = broadcast("nextafter", self.shape_of(), other.shape_of());
        // The bits behind the point, and the least exponent.
        let (bits, least) = match self.dtype() {
            DType::F64 => (52, -1022),
            DType::F16 => (10, -14),
            DType::BF16 => (7, -126),
            _ => (23, -126),
        };
        by_number(self, &other, shape, &move |x, to| next(x, to, bits, least))
    }

    /// Whether the sign bit is set: of negative numbers, and of −0.
    ///
    /// * Shape: `[..] → [..]` (bool), any number.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![-1.0, -0.0, 0.0].signbit().to_vec::<bool>(), [true, true, false]);
    /// ```
    #[track_caller]
    pub fn signbit(&self) -> Tensor {
        match self.dtype().is_float() {
            true => crate::error::named("signbit", || Tensor::ones_like(self).copysign(self.detach()).lt(0.0)),
            false => crate::error::named("signbit", || self.lt(0)),
        }
    }
}

/// The next number with so many bits behind the point; what is too large becomes infinite where it is stored.
fn next(x: f64, to: f64, bits: i32, least: i32) -> f64 {
    if x.is_nan() || to.is_nan() {
        return f64::NAN;
    }
    if x == to {
        return to;
    }
    let up = to > x;
    if bits == 52 {
        return if up { x.next_up() } else { x.next_down() };
    }
    let tiny = 2f64.powi(least - bits);
    if x == 0.0 {
        return if up { tiny } else { -tiny };
    }
    if x.is_infinite() {
        return (2.0 - 2f64.powi(-bits)) * 2f64.powi(1 - least) * x.signum();
    }
    let exponent = x.abs().log2().floor() as i32;
    // What rounding may have made of the logarithm.
    let exponent = if 2f64.powi(exponent) > x.abs() { exponent - 1 } else if 2f64.powi(exponent + 1) <= x.abs() { exponent + 1 } else { exponent };
    let away = up == (x > 0.0);
    let lower = !away && x.abs() == 2f64.powi(exponent) && exponent > least;
    let step = 2f64.powi(exponent.max(least) - bits - i32::from(lower));
    if up { x + step } else { x - step }
}

pub(super) const KINDS: &[OpKind] = &[];

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    #[test]
    fn nextafter() {
        let x: Vec<f32> = [0.0, 1.0, 1.5, 3.999, 1e-45, 1.1754944e-38, 1.1754942e-38, 3.4028235e38, 7e-41, 0.1].into_iter().flat_map(|v: f32| [v, -v]).collect();
        let n = x.len();
        let all = Tensor::from_slice(&x, [n]);
        for (to, next) in [(f64::INFINITY, f32::next_up as fn(f32) -> f32), (f64::NEG_INFINITY, f32::next_down)] {
            let want: Vec<f32> = x.iter().map(|x| next(*x)).collect();
            assert_eq!(all.nextafter(Tensor::full([n], to)).to_vec::<f32>(), want);
        }
        let ends = tensor![f64::INFINITY, f64::NEG_INFINITY, 2.0].nextafter(tensor![0.0, 0.0, 2.0]);
        assert_eq!(ends.to_vec::<f32>(), [f32::MAX, f32::MIN, 2.0]);
        let half = tensor![1.0, 65504.0].to(DType::F16).nextafter(tensor![0.0, f64::INFINITY].to(DType::F16));
        assert_eq!(half.to(DType::F64).to_vec::<f64>(), [1.0 - 2f64.powi(-11), f64::INFINITY]);
        let double = Tensor::from_vec(vec![1.0], [1]);
        assert_eq!(double.nextafter(2.0).to_vec::<f64>(), [1f64.next_up()]);
        assert!(tensor![f64::NAN].nextafter(1.0).item().is_nan() && tensor![1.0].nextafter(tensor![f64::NAN]).item().is_nan());
        assert_eq!(tensor![-3, 0].signbit().to_vec::<bool>(), [true, false]);
    }
}
