//! What stands beside a tensor in arithmetic and comparisons.

use crate::Tensor;
use crate::scalar::{Scalar, fill_like, scalar_like};

/// The other operand of an operation: a tensor, or a number that adopts the tensor's dtype.
#[derive(Clone)]
pub enum Operand {
    /// A tensor.
    Tensor(Tensor),
    /// A number.
    Scalar(Scalar),
}

impl Operand {
    /// The operand as a tensor fit to meet `x` in arithmetic.
    #[track_caller]
    pub(crate) fn like(self, op: &str, x: &Tensor) -> Tensor {
        match self {
            Operand::Tensor(t) => t,
            Operand::Scalar(v) => scalar_like(op, v, x),
        }
    }

    /// The operand as a tensor whose elements may be put among those of `x`.
    #[track_caller]
    pub(crate) fn among(self, op: &str, x: &Tensor) -> Tensor {
        match self {
            Operand::Tensor(t) => t,
            Operand::Scalar(v) => fill_like(op, v, x),
        }
    }
}

impl From<&Tensor> for Operand {
    fn from(t: &Tensor) -> Operand {
        Operand::Tensor(t.clone())
    }
}
impl From<Tensor> for Operand {
    fn from(t: Tensor) -> Operand {
        Operand::Tensor(t)
    }
}
macro_rules! scalar_operands {
    ($($t:ty)*) => {$(impl From<$t> for Operand { fn from(v: $t) -> Operand { Operand::Scalar(v.into()) } })*};
}
scalar_operands!(f64 f32 i32 i64 usize Scalar);
