//! What a device must be able to do: a narrow list of primitives; everything else is composed of them.

mod across;
pub(crate) mod carry;
pub mod cpu;
pub(crate) mod host;
pub(crate) mod multiply;
pub(crate) mod order;
pub(crate) mod outline;
#[cfg(test)]
pub(crate) mod proof;
pub(crate) mod recurrent;
pub(crate) mod reductions;
mod slices;
pub(crate) mod tiles;
mod window;

use crate::graph::{At, Fast, Fused, Vjp};
use crate::layout::Layout;
use crate::random::{Distribution, Draw};
use crate::scalar::Scalar;
use crate::shape::Shape;
pub use crate::storage::Buffer;
pub use crate::written::Written;
use crate::{DType, Tensor};
pub(crate) use host::counted;
pub use mapsto_kernels::program::{Params, Program};
pub use mapsto_kernels::sort::Order;
pub use window::{PerAxis, Size2, Window};

/// A device's primitives. Every tensor given is a constant of that device with any layout; every result is a new,
/// row-major constant. Shapes, dtypes and indices have been checked by the caller.
pub trait Backend: Send + Sync + 'static {
    /// The device's name, which is its identity: `cpu`.
    fn name(&self) -> &'static str;
    /// Whether its tensors lie in the CPU's memory. Those of other devices lie in [`Buffer`]s, which they make themselves
    /// ([`Tensor::from_buffer`]), and the CPU sees them through `read` and `write` alone.
    fn is_host(&self) -> bool {
        false
    }
    /// Whether there are numbers to be read. Where there are none, checks of values are left out.
    fn has_numbers(&self) -> bool {
        true
    }
    /// Waits until everything asked for has been done.
    fn sync(&self) {}

    /// A tensor whose elements are about to be written: arbitrary, but defined.
    fn empty(&self, shape: &Shape, dtype: DType) -> Tensor {
        self.fill(Scalar::Int(0), shape, dtype)
    }
    /// A tensor of one value, which the caller has checked to be one of `dtype`.
    fn fill(&self, value: Scalar, shape: &Shape, dtype: DType) -> Tensor;
    /// A tensor of the numbers whose bytes these are, in row-major order; a bool is a byte of 0 or 1.
    fn write(&self, bytes: &[u8], shape: &Shape, dtype: DType) -> Tensor;
    /// Writes the bytes of all elements of `x` in row-major order to `to`, which has their size. This may wait for the
    /// device; all else may be queued.
    fn read(&self, x: &Tensor, to: &mut [u8]);
    /// Copies the elements of `x` to the places `at` in the storage of `to`, which is alone and of the same dtype. The shape
    /// of `at` is that of `x`, and no two of its places are one.
    fn copy(&self, x: &Tensor, to: &mut Tensor, at: &Layout);
    /// Requires every element of `ids` (i64) to be one of `0..n`. A device that only queues this may raise the error later,
    /// at the next `read`.
    ///
    /// # Errors
    /// The first element that is not, with its number in row-major order.
    fn within(&self, ids: &Tensor, n: usize) -> Result<(), (usize, i64)>;
    /// A fused operation by one kernel, if the device has one that fits; else the operation is composed of others. A device
    /// knows operations by their names and attributes.
    fn fast(&self, op: &dyn Fused, xs: &[&Tensor]) -> Option<Fast> {
        let _ = (op, xs);
        None
    }
    /// The derivative of such an operation by one kernel, after its result came from `fast`.
    fn fast_vjp(&self, op: &dyn Fused, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let _ = (op, at, g);
        None
    }
    /// Changes `x` in place by one kernel, if the device has one that fits, and what is remembered of it; else the update is
    /// composed of operations.
    fn update(&self, op: &dyn Update, x: &mut Tensor, g: &Tensor, memory: &mut [Tensor]) -> bool {
        let _ = (op, x, g, memory);
        false
    }
    /// Whether every element is finite.
    fn is_finite(&self, x: &Tensor) -> bool {
        // x · 0 is 0 for finite numbers and NaN otherwise.
        crate::no_grad(|| (x.detach() * 0.0).sum(..).item() == 0.0)
    }

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

/// A change of a tensor in place by its gradient: what an optimizer does to each parameter.
pub trait Update {
    /// The rule's name.
    fn name(&self) -> &str;
    /// The kernel of the CPU: changes `x` and `memory`, which lie row-major in the CPU's memory as floats of one dtype, f32
    /// or f64; `false` if it does not fit them.
    fn cpu(&self, x: &mut Tensor, g: &Tensor, memory: &mut [Tensor]) -> bool;
}

/// An elementwise operation as a device reads it: a program of a few primitives.
pub trait MapOp: Send + Sync {
    /// The operation's name.
    fn name(&self) -> &'static str;
    /// What it computes of real numbers.
    fn program(&self) -> Written;
    /// What it computes of numbers in single and half precision, where that is another form of it.
    fn single_program(&self) -> Option<Written> {
        None
    }
    /// What it computes of integers, which wrap around; none where it has no value at integers.
    fn int_program(&self) -> Option<Written>;
    /// The parameters of its programs.
    fn params(&self) -> Params {
        Params::NONE
    }
    /// Whether half and single precision are to be computed in double and rounded once, in whichever form.
    fn in_double(&self) -> bool {
        false
    }
    /// Whether each result is the input as it is, in another dtype at most: nothing is computed then.
    fn is_identity(&self) -> bool {
        false
    }
    /// Computes f32 by a loop of its own, if it has one: with the bits of the program.
    fn own(&self, xs: &[&[f32]], y: &mut [f32]) -> bool {
        let _ = (xs, y);
        false
    }
    /// The same of one element, by the function that the program was written from.
    #[cfg(test)]
    fn f32(&self, xs: &[f32]) -> f32;
    /// What single precision computes of an element in double, by the form for it.
    #[cfg(test)]
    fn single_in_double(&self, xs: &[f64]) -> f64 {
        self.f64(xs)
    }
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
