//! What a device must be able to do: a narrow list of primitives; everything else is composed of them.

mod across;
pub mod cpu;
pub mod host;
pub(crate) mod multiply;
#[cfg(test)]
pub(crate) mod proof;
pub(crate) mod tiles;
mod window;

use crate::random::{Distribution, Draw};
use crate::shape::Shape;
use crate::storage::pool;
pub use crate::written::Written;
use crate::{DType, Tensor};
pub use mapsto_kernels::program::{Params, Program};
pub use mapsto_kernels::sort::Order;
use std::ptr::NonNull;
pub(crate) use tiles::CHUNK;
pub use window::{Size2, Window};

/// A device's primitives. Every tensor given is a constant of that device with any layout; every result is a new,
/// row-major constant. Shapes, dtypes and indices have been checked by the caller.
pub trait Backend: Send + Sync + 'static {
    /// The device's name, which is its identity: `cpu`.
    fn name(&self) -> &'static str;
    /// Whether the CPU reaches its memory.
    fn is_host(&self) -> bool {
        true
    }
    /// A block of memory of defined content, aligned to 64 bytes; none if there is none left.
    fn alloc(&self, bytes: usize) -> Option<NonNull<u8>> {
        pool::alloc(bytes)
    }
    /// Takes a block of `alloc` back.
    fn free(&self, block: NonNull<u8>, bytes: usize) {
        pool::free(block, bytes)
    }
    /// Waits until everything asked for has been done.
    fn sync(&self) {}

    /// An elementwise operation on inputs broadcast to `shape`. It is computed in the class of the last input's dtype
    /// (conditions come first) and stored as `dtype`.
    fn map(&self, op: &dyn MapOp, xs: &[&Tensor], shape: &Shape, dtype: DType) -> Tensor;
    /// A reduction over the axes of `mask`, which vanish; positions come as i64, and need exactly one axis.
    fn reduce(&self, kind: Reduction, x: &Tensor, mask: &[bool]) -> Tensor;
    /// Running sums along an axis.
    fn scan(&self, x: &Tensor, axis: usize, direction: Direction) -> Tensor;
    /// `[batch, m, k] × [batch, k, n] → [batch, m, n]`, or all of them without a batch; either batch may be broadcast by
    /// stride 0. Operands of f32 may be rounded as [`matmul_precision`](crate::matmul_precision) says.
    fn matmul(&self, a: &Tensor, b: &Tensor) -> Tensor;
    /// `y[.., i, ..] = x[.., index[.., i, ..], ..]` along an axis; `index` has the rank of `x`.
    fn gather(&self, x: &Tensor, axis: usize, index: &Tensor) -> Tensor;
    /// `x` with `y[.., index[.., i, ..], ..] += src[.., i, ..]` along an axis, added in order of i; in place if `x` is
    /// alone.
    fn scatter_add(&self, x: Tensor, axis: usize, index: &Tensor, src: &Tensor) -> Tensor;
    /// Whole slices along an axis: `y[.., i, ..] = x[.., index[i], ..]`, for a list of indices.
    fn index_select(&self, x: &Tensor, axis: usize, index: &Tensor) -> Tensor;
    /// `x` with the slices of `src` added: `y[.., index[i], ..] += src[.., i, ..]`, in order of i; in place if `x` is
    /// alone.
    fn index_add(&self, x: Tensor, axis: usize, index: &Tensor, src: &Tensor) -> Tensor;
    /// The positions (i64) that sort along an axis; equal elements keep their order, NaN counts as the largest.
    fn argsort(&self, x: &Tensor, axis: usize, order: Order) -> Tensor;
    /// The first `k` of those positions along an axis.
    fn topk(&self, x: &Tensor, axis: usize, k: usize, order: Order) -> Tensor {
        self.argsort(x, axis, order).slice(axis, ..k as isize)
    }
    /// The windows of images as columns: `[n, c, h, w] → [n, c·kh·kw, oh·ow]`, 0 in the padding.
    fn window(&self, x: &Tensor, window: &Window) -> Tensor;
    /// The transpose of `window` for images of `[h, w]`: each element added to the point it came from.
    fn window_transpose(&self, cols: &Tensor, window: &Window, image: [usize; 2]) -> Tensor;
    /// Random numbers: element i is a pure function of the draw and i.
    fn random(&self, draw: Draw, distribution: Distribution, shape: &Shape, dtype: DType) -> Tensor;
}

/// An elementwise operation as a device reads it: a program of a few primitives.
pub trait MapOp: Send + Sync {
    /// The operation's name.
    fn name(&self) -> &'static str;
    /// What it computes of real numbers.
    fn program(&self) -> Written;
    /// What it computes of integers, which wrap around; none where it has no value at integers.
    fn int_program(&self) -> Option<Written>;
    /// The parameters of its programs.
    fn params(&self) -> Params {
        Params::NONE
    }
    /// Computes f32 by a loop of its own, if it has one: with the bits of the program.
    fn own(&self, xs: &[&[f32]], y: &mut [f32]) -> bool {
        let _ = (xs, y);
        false
    }
    /// The same of one element, by the function that the program was written from.
    #[cfg(test)]
    fn f32(&self, xs: &[f32]) -> f32;
    /// As `f32`.
    #[cfg(test)]
    fn f64(&self, xs: &[f64]) -> f64;
    /// As `f32`.
    #[cfg(test)]
    fn i64(&self, xs: &[i64]) -> i64;
}

/// The ways to reduce an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// The sum, in a fixed pairwise order; 0 of nothing.
    Sum,
    /// The product, in a fixed pairwise order; 1 of nothing.
    Product,
    /// The largest; NaN if any is.
    Max,
    /// The smallest; NaN if any is.
    Min,
    /// The position of the first largest, or of the first NaN.
    ArgMax,
    /// The position of the first smallest, or of the first NaN.
    ArgMin,
}

/// The way of a running sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the first element to the last.
    Forward,
    /// From the last element to the first.
    Backward,
}
