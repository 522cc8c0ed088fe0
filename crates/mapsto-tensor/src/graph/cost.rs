//! What an operation costs, told by shapes and dtypes alone: arithmetic, and memory read and written.

use crate::shape::Shape;
use crate::{DType, Tensor};
use std::iter::Sum;
use std::ops::Add;

/// The shape and the dtype of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outline {
    /// The sizes of the axes.
    pub shape: Shape,
    /// The kind of number.
    pub dtype: DType,
}

impl Outline {
    /// The number of elements.
    pub fn count(&self) -> u64 {
        self.shape.iter().fold(1, |n, &size| n.saturating_mul(size as u64))
    }

    /// The size of the last axis; 1 without axes.
    pub fn last(&self) -> u64 {
        self.shape.last().map_or(1, |&n| n as u64)
    }

    fn bytes(&self) -> u64 {
        self.count().saturating_mul(self.dtype.size() as u64)
    }
}

impl From<&Tensor> for Outline {
    fn from(x: &Tensor) -> Outline {
        Outline { shape: *x.shape_of(), dtype: x.dtype() }
    }
}

/// What an operation costs. A product followed by a sum counts as two, every other function of numbers as one.
///
/// ```
/// use mapsto_tensor::graph::trace;
/// use mapsto_tensor::prelude::*;
/// let (a, b) = (Tensor::ones([2, 3]), Tensor::ones([3, 5]));
/// let (_, graph) = trace(|| a.matmul(&b).tanh());
/// let cost = graph.cost();
/// assert_eq!(cost.macs, 2 * 3 * 5);
/// assert_eq!(cost.flops, 2 * (2 * 3 * 5) + 10);
/// assert_eq!(cost.bytes, 4 * (6 + 15 + 10) + 4 * (10 + 10));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations.
    pub flops: u64,
    /// Those of them that come in pairs, a multiplication followed by an addition, counted in pairs.
    pub macs: u64,
    /// Bytes of the inputs and of the result, each once.
    pub bytes: u64,
}

impl Cost {
    /// Nothing: a view.
    pub const NONE: Cost = Cost { flops: 0, macs: 0, bytes: 0 };

    /// No arithmetic, but every input is read and the result is written.
    pub fn moved(xs: &[Outline], y: &Outline) -> Cost {
        let bytes = xs.iter().map(Outline::bytes).fold(y.bytes(), u64::saturating_add);
        Cost { bytes, ..Cost::NONE }
    }

    /// Some operations for each element of the result.
    pub fn each(xs: &[Outline], y: &Outline, flops: u64) -> Cost {
        Cost { flops: y.count().saturating_mul(flops), ..Cost::moved(xs, y) }
    }

    /// Some operations for each element of the first input.
    pub fn each_input(xs: &[Outline], y: &Outline, flops: u64) -> Cost {
        Cost { flops: xs.first().map_or(0, |x| x.count().saturating_mul(flops)), ..Cost::moved(xs, y) }
    }

    /// Products followed by sums.
    pub fn products(xs: &[Outline], y: &Outline, macs: u64) -> Cost {
        Cost { flops: macs.saturating_mul(2), macs, ..Cost::moved(xs, y) }
    }

    /// With more operations.
    pub fn plus(self, flops: u64) -> Cost {
        Cost { flops: self.flops.saturating_add(flops), ..self }
    }
}

/// A product of sizes, at most the largest number: shapes without numbers may be larger than any memory.
pub(crate) fn times(sizes: &[u64]) -> u64 {
    sizes.iter().fold(1, |n, &size| n.saturating_mul(size))
}

impl Add for Cost {
    type Output = Cost;
    fn add(self, other: Cost) -> Cost {
        Cost {
            flops: self.flops.saturating_add(other.flops),
            macs: self.macs.saturating_add(other.macs),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Cost>>(all: I) -> Cost {
        all.fold(Cost::NONE, Add::add)
    }
}

#[test]
fn costs_of_more_than_can_be_counted_do_not_wrap() {
    use crate::prelude::*;
    let (_, graph) = super::trace(|| {
        Device::shape().scope(|| {
            let x = Tensor::zeros([1 << 24, 1 << 20]);
            let square = Tensor::zeros([1 << 20, 1 << 20]);
            (x.matmul(&square), x.linear(&square, None))
        })
    });
    assert_eq!((graph.cost().macs, graph.cost().flops), (u64::MAX, u64::MAX));
}
