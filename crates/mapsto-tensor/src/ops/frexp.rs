//! Numbers as a fraction and a power of two.

use crate::error::named;
use crate::elementwise::Operand;
use crate::kind::OpKind;
use crate::{DType, Scalar, Tensor, fail};

impl Tensor {
    /// Each element as `m · 2ᵉ` with `½ ≤ |m| < 1`: the fractions `m` and the exponents `e` (i64); of 0, infinity and NaN itself
    /// and 0.
    ///
    /// * Shape: `[..] → ([..], [..])`, floats only.   * Gradient: `dx = 2⁻ᵉ dm`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (m, e) = tensor![1.0, -3.5, 0.0].frexp();
    /// assert_close!(m, [0.5, -0.875, 0.0]);
    /// assert_eq!(e.to_vec::<i64>(), [1, 2, 0]);
    /// ```
    /// # Panics
    /// When the elements are not floats.
    #[track_caller]
    pub fn frexp(&self) -> (Tensor, Tensor) {
        if !self.dtype().is_float() {
            fail!("frexp", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        if !self.device().backend().has_numbers() {
            return (self.clone(), self.device().scope(|| Tensor::full_of(*self.shape_of(), 0, DType::I64)));
        }
        named("frexp", || {
            let exponents: Vec<i64> = self.detach().to(DType::F64).to_vec::<f64>().into_iter().map(exponent).collect();
            let e = self.device().scope(|| Tensor::from_vec(exponents, *self.shape_of()));
            (self.ldexp(-&e), e)
        })
    }

    /// `x · 2ᵉ` of each pair of elements, exactly where the result is a normal number.
    ///
    /// * Shape: `[..], [..] (integers) → broadcast`, floats only; or a tensor and a number.   * Gradient: `dx = 2ᵉ dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 3.0].ldexp(tensor![3, -1]), [8.0, 1.5]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the elements are not floats, or the exponents are not integers.
    #[track_caller]
    pub fn ldexp(&self, exponent: impl Into<Operand>) -> Tensor {
        if !self.dtype().is_float() {
            fail!("ldexp", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        let e = match exponent.into() {
            Operand::Tensor(e) => e,
            Operand::Scalar(Scalar::Float(e)) if e.fract() != 0.0 || e.is_nan() => {
                fail!("ldexp", "exponents are integers, this is {e}"; help = "`x * 2f64.powf({e})` multiplies with any power")
            }
            Operand::Scalar(e) => self.device().scope(|| Tensor::full_of((), e, DType::I64)),
        };
        if e.dtype().is_float() || e.dtype() == DType::Bool {
            fail!("ldexp", "exponents are integers, these are {}", e.dtype(); help = "convert them with `.to(DType::I64)`");
        }
        if !self.device().backend().has_numbers() {
            return self * Tensor::zeros_like(&e).to(self.dtype());
        }
        named("ldexp", || {
            // In three steps, each by a power that is a number. Beyond these exponents every result is 0 or infinite.
            let most = match self.dtype() {
                DType::F64 => 2200,
                DType::F16 => 42,
                _ => 378,
            };
            let exponents: Vec<i64> = e.to(DType::I64).to_vec::<i64>().into_iter().map(|e| e.clamp(-most, most)).collect();
            let powers = |of: fn(i64) -> i64| {
                let powers: Vec<f64> = exponents.iter().map(|&e| 2f64.powi(of(e) as i32)).collect();
                self.device().scope(|| Tensor::from_vec(powers, *e.shape_of())).to(self.dtype())
            };
            let third = powers(|e| e / 3);
            self * &third * &third * powers(|e| e - 2 * (e / 3))
        })
    }
}

/// The exponent of a number, of 0, infinity and NaN 0.
fn exponent(v: f64) -> i64 {
    if v == 0.0 || !v.is_finite() {
        return 0;
    }
    let (v, less) = if v.abs() < f64::MIN_POSITIVE { (v * 2f64.powi(64), 64) } else { (v, 0) };
    ((v.to_bits() >> 52) & 0x7ff) as i64 - 1022 - less
}

pub(super) const KINDS: &[OpKind] = &[];

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn fractions_and_exponents() {
        check(|x| x.ldexp(3)).reference(|x| 8.0 * x).on(floats(-2.0..2.0));
        check(|x| x.frexp().0).shapes([&[3]]).on(floats(1.1..1.9));
        let values = vec![1.0, -3.5, 5e-324, f64::MAX, 0.1, 1023.0, -1e-310, f64::MIN_POSITIVE];
        let x = Tensor::from_vec(values.clone(), [8]);
        let (m, e) = x.frexp();
        assert!(m.abs().ge(0.5).and(&m.abs().lt(1.0)).all(..).item() == 1.0, "{m:?}");
        assert_eq!(m.ldexp(&e).to_vec::<f64>(), values);
        // Values of torch.frexp.
        assert_eq!(e.to_vec::<i64>()[..3], [1, 2, -1073]);
        let (m, e) = tensor![0.0, f64::INFINITY, f64::NAN].frexp();
        assert_eq!((m.to_vec::<f32>()[..2].to_vec(), e.to_vec::<i64>()), (vec![0.0, f32::INFINITY], vec![0, 0, 0]));
        assert!(m.to_vec::<f32>()[2].is_nan());
        assert_eq!(tensor![1.0, 1.0, 1.0].ldexp(tensor![127, -149, 500]).to_vec::<f32>(), [2f32.powi(127), f32::from_bits(1), f32::INFINITY]);
        assert_eq!(tensor![1.5].to(DType::F16).ldexp(15).to(DType::F32).item(), 49152.0);
        let e = catch(|| tensor![1.0].ldexp(2.5)).unwrap_err();
        assert_eq!(e.message(), "ldexp: exponents are integers, this is 2.5");
        let e = catch(|| tensor![1.0].ldexp(tensor![0.5])).unwrap_err();
        assert_eq!(e.message(), "ldexp: exponents are integers, these are f32");
    }
}
