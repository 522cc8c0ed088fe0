//! Common divisors and multiples of whole numbers.

use crate::elementwise::{Operand, same_dtype};
use crate::kind::OpKind;
use crate::shape::broadcast;
use crate::{DType, Tensor, fail};

impl Tensor {
    /// The largest number that divides both, of each pair of elements; 0 of two zeros.
    ///
    /// * Shape: `[..], [..] → broadcast`, integers only; or a tensor and a number.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![12, -12, 0].gcd(tensor![18, 18, 5]).to_vec::<i64>(), [6, 6, 5]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or the elements are not integers.
    #[track_caller]
    pub fn gcd(&self, other: impl Into<Operand>) -> Tensor {
        pairs("gcd", self, other.into(), gcd)
    }

    /// The least number of at least 0 that both divide, of each pair of elements; 0 where one is 0.
    ///
    /// * Shape: `[..], [..] → broadcast`, integers only; or a tensor and a number.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![12, -4, 0].lcm(tensor![18, 6, 5]).to_vec::<i64>(), [36, 12, 0]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or the elements are not integers.
    #[track_caller]
    pub fn lcm(&self, other: impl Into<Operand>) -> Tensor {
        pairs("lcm", self, other.into(), |a, b| match gcd(a, b) {
            0 => 0,
            d => (a / d).wrapping_mul(b).wrapping_abs(),
        })
    }
}

/// Euclid's.
fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a as i64
}

#[track_caller]
fn pairs(op: &str, a: &Tensor, b: Operand, f: fn(i64, i64) -> i64) -> Tensor {
    let b = b.like(op, a);
    same_dtype(op, a, &b);
    if a.dtype().is_float() || a.dtype() == DType::Bool {
        fail!(op, "integers are needed, these are {}", a.dtype(); help = "convert them with `.to(DType::I64)`");
    }
    let shape = broadcast(op, a.shape_of(), b.shape_of());
    if !a.device().backend().has_numbers() {
        return a.device().scope(|| Tensor::full_of(shape, 0, a.dtype()));
    }
    let of = |x: &Tensor| x.expand(shape).to(DType::I64).to_vec::<i64>();
    let mut y = of(a);
    y.iter_mut().zip(of(&b)).for_each(|(y, b)| *y = f(*y, b));
    a.device().scope(|| Tensor::from_vec(y, shape)).to(a.dtype())
}

pub(super) const KINDS: &[OpKind] = &[];

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn divisors_and_multiples() {
        let (a, b) = (ints(-30..30).draw(&[7, 1], 1), ints(-30..30).draw(&[9], 2));
        let (d, m) = (a.gcd(&b), a.lcm(&b));
        assert_eq!((&d * &m).to_vec::<i64>(), (&a * &b).abs().to_vec::<i64>());
        for (d, a) in d.to_vec::<i64>().iter().zip(a.expand([7, 9]).to_vec::<i64>()) {
            assert!(*d == 0 || a % d == 0);
        }
        assert_eq!(tensor![0, 0].gcd(tensor![0, 5]).to_vec::<i64>(), [0, 5]);
        assert_eq!(tensor![12, 200].to(DType::U8).gcd(20).to_vec::<u8>(), [4, 20]);
        assert!(catch(|| tensor![1.0].gcd(2.0)).is_err());
    }
}
