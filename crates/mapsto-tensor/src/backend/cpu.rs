//! The CPU backend: tensors become slices, and the kernels do the rest.

use super::host::{self, with_size, with_type};
use super::multiply::Multiply;
use super::order as memory;
use super::{Backend, Direction, MapOp, Order, Reduction, Update, Window, reductions, tiles};
use crate::dtype::Class;
use crate::graph::{At, Fast, Fused, Vjp};
use crate::random::{Distribution, Draw};
use crate::scalar::Scalar;
use crate::shape::Shape;
use crate::storage::pool::room_for;
use crate::storage::{Plain, Storage};
use crate::{DType, Device, Layout, Tensor};
use half::{bf16, f16};
use mapsto_kernels::conv::{self, ConvShape};
use mapsto_kernels::gemm::Mat;
use mapsto_kernels::real::{Float, Number, Real};
use mapsto_kernels::{index, philox, scan, sort};
use std::borrow::Cow;

/// Runs `$body` with `$t` standing for the type that arithmetic on `$dtype` is done in.
macro_rules! with_class {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype.class() {
            Class::F32 => {
                type $t = f32;
                $body
            }
            Class::F64 => {
                type $t = f64;
                $body
            }
            Class::I64 => {
                type $t = i64;
                $body
            }
        }
    };
}

/// Runs `$body` with `$t` standing for the type that arithmetic on floats of `$dtype` is done in: f32 or f64.
macro_rules! with_float {
    ($dtype:expr, $t:ident => $body:expr) => {
        if $dtype == $crate::DType::F64 {
            type $t = f64;
            $body
        } else {
            type $t = f32;
            $body
        }
    };
}
pub(crate) use with_float;

/// The CPU.
pub struct Cpu;

impl Backend for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn is_host(&self) -> bool {
        true
    }

    fn empty(&self, shape: &Shape, dtype: DType) -> Tensor {
        host::empty(shape, dtype)
    }

    fn fill(&self, value: Scalar, shape: &Shape, dtype: DType) -> Tensor {
        host::fill(value, shape, dtype)
    }

    fn write(&self, bytes: &[u8], shape: &Shape, dtype: DType) -> Tensor {
        host::write(bytes, shape, dtype)
    }

    fn read(&self, x: &Tensor, to: &mut [u8]) {
        host::read(x, to)
    }

    fn copy(&self, x: &Tensor, to: &mut Tensor, at: &Layout) {
        host::copy(x, to, at)
    }

    fn within(&self, ids: &Tensor, n: usize) -> Result<(), (usize, i64)> {
        index::check_bounds(slice(&ids.contiguous()), n)
    }

    fn fast(&self, op: &dyn Fused, xs: &[&Tensor]) -> Option<Fast> {
        op.cpu(xs)
    }

    fn fast_vjp(&self, op: &dyn Fused, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        op.cpu_vjp(at, g)
    }

    fn update(&self, op: &dyn Update, x: &mut Tensor, g: &Tensor, memory: &mut [Tensor]) -> bool {
        op.cpu(x, g, memory)
    }

    fn is_finite(&self, x: &Tensor) -> bool {
        host::is_finite(x)
    }

    fn map(&self, op: &dyn MapOp, xs: &[&Tensor], shape: &Shape, dtype: DType) -> Tensor {
        tiles::map(op, xs, shape, dtype)
    }

    fn reduce(&self, kind: Reduction, x: &Tensor, mask: &[bool]) -> Tensor {
        reductions::reduce(kind, x, mask)
    }

    fn scan(&self, x: &Tensor, axis: usize, direction: Direction) -> Tensor {
        fn run<T: Number + Plain>(x: &Tensor, axis: usize, direction: Direction) -> Tensor {
            let dims = around(x.shape(), axis);
            Tensor::filled_by(*x.shape_of(), |y: &mut [T]| match direction {
                Direction::Forward => scan::cumsum(slice(x), dims, y),
                Direction::Backward => scan::cumsum_reverse(slice(x), dims, y),
            })
        }
        // Of a transpose the result is one too.
        if let Some(order) = memory::Order::of(&[x], x.shape_of()) {
            let along = order.axes().iter().position(|a| *a == axis).expect("the order names every axis");
            return self.scan(&order.view(x, x.shape_of()), along, direction).permute(order.back());
        }
        let y = with_class!(x.dtype(), T => run::<T>(&in_class(x), axis, direction));
        if x.dtype().is_float() { y.stored_as(x.dtype()) } else { y }
    }

    fn matmul(&self, a: &Tensor, b: &Tensor) -> Tensor {
        fn run<T: Multiply>(a: &Tensor, b: &Tensor) -> Tensor {
            let last = a.rank() - 1;
            let batch = if last == 2 { a.shape()[0] } else { 1 };
            let (left, right) = (matrices::<T>(a), matrices::<T>(b));
            let shape = a.shape_of().with(last, b.shape()[last]);
            Tensor::filled_by(shape, |c: &mut [T]| T::multiply_batch(batch, left, right, c))
        }
        match a.dtype() {
            DType::F64 => run::<f64>(a, b),
            DType::F32 => run::<f32>(a, b),
            DType::F16 => run::<f16>(a, b),
            DType::BF16 => run::<bf16>(a, b),
            DType::I64 => run::<i64>(a, b),
            DType::I32 => run::<i32>(a, b),
            // What i32 gives, cut to fewer bits, is what wraps in the type itself.
            narrow => run::<i32>(&a.to(DType::I32), &b.to(DType::I32)).to(narrow),
        }
    }

    fn gather(&self, x: &Tensor, axis: usize, index: &Tensor) -> Tensor {
        let (x, index) = (x.contiguous(), index.contiguous());
        let (dims, m) = (around(x.shape(), axis), index.shape()[axis]);
        let mut y = Storage::new(Device::cpu(), index.len(), x.dtype());
        with_size!(x.dtype(), T => {
            index::gather(moved::<T>(&x), dims, slice(&index), m, &mut y.as_mut_slice::<T>()[..index.len()])
        });
        Tensor::from_storage(y, *index.shape_of(), x.dtype())
    }

    fn scatter_add(&self, x: Tensor, axis: usize, index: &Tensor, src: &Tensor) -> Tensor {
        let (index, src, dtype) = (index.contiguous(), in_class(src), x.dtype());
        let (dims, m) = (around(x.shape(), axis), index.shape()[axis]);
        let mut y = in_class(&x);
        drop(x); // so that `y` is alone, if nobody else holds `x`, and is written in place
        with_class!(y.dtype(), T => index::scatter_add(y.as_mut_slice::<T>(), dims, slice(&index), m, slice(&src)));
        y.to(dtype)
    }

    fn index_select(&self, x: &Tensor, axis: usize, index: &Tensor) -> Tensor {
        let index = index.contiguous();
        let shape = x.shape_of().with(axis, index.len());
        let mut y = Storage::new(Device::cpu(), shape.count(), x.dtype());
        // Of rows of a wider table, or of one that repeats, no copy is made.
        if axis == 0
            && let (false, Ok(pitch)) = (x.layout().is_contiguous(), usize::try_from(x.layout().strides()[0]))
            && slices_are_dense(x.layout())
        {
            let sizes = [x.shape()[0], x.shape()[1..].iter().product()];
            with_size!(x.dtype(), T => {
                let from = x.storage().as_slice::<T>().get(x.layout().offset()..).unwrap_or_default();
                index::select_apart(from, sizes, pitch, slice(&index), &mut y.as_mut_slice::<T>()[..shape.count()])
            });
            return Tensor::from_storage(y, shape, x.dtype());
        }
        let x = x.contiguous();
        with_size!(x.dtype(), T => {
            let to = &mut y.as_mut_slice::<T>()[..shape.count()];
            index::select(moved::<T>(&x), around(x.shape(), axis), slice(&index), to)
        });
        Tensor::from_storage(y, shape, x.dtype())
    }

    fn index_add(&self, x: Tensor, axis: usize, index: &Tensor, src: &Tensor) -> Tensor {
        let (index, src, dtype) = (index.contiguous(), in_class(src), x.dtype());
        let dims = around(x.shape(), axis);
        let mut y = in_class(&x);
        drop(x); // as above
        with_class!(y.dtype(), T => index::select_add(y.as_mut_slice::<T>(), dims, slice(&index), slice(&src)));
        y.to(dtype)
    }

    fn argsort(&self, x: &Tensor, axis: usize, order: Order) -> Tensor {
        let last = x.rank() - 1;
        let rows = in_class(&x.swap(axis, last));
        let n = rows.shape()[last];
        let at = Tensor::filled_by(*rows.shape_of(), |at: &mut [i64]| {
            if n > 0 {
                with_class!(rows.dtype(), T => sort::argsort(slice::<T>(&rows), n, order, at))
            }
        });
        at.swap(axis, last).contiguous()
    }

    fn topk(&self, x: &Tensor, axis: usize, k: usize, order: Order) -> Tensor {
        let last = x.rank() - 1;
        let rows = in_class(&x.swap(axis, last));
        let n = rows.shape()[last];
        let at = Tensor::filled_by(rows.shape_of().with(last, k), |at: &mut [i64]| {
            if n > 0 && k > 0 {
                with_class!(rows.dtype(), T => sort::topk(slice::<T>(&rows), n, k, order, at))
            }
        });
        at.swap(axis, last).contiguous()
    }

    fn window(&self, x: &Tensor, window: &Window) -> Tensor {
        let (x, s) = (x.contiguous(), conv_shape(x.shape(), window));
        let shape = columns(&s);
        let mut y = Storage::new(Device::cpu(), shape.count(), x.dtype());
        with_type!(x.dtype(), T => conv::window(&s, slice::<T>(&x), &mut y.as_mut_slice::<T>()[..shape.count()]));
        Tensor::from_storage(y, shape, x.dtype())
    }

    fn window_transpose(&self, cols: &Tensor, window: &Window, image: [usize; 2]) -> Tensor {
        let [n, rows, _] = cols.dims();
        let shape = [n, rows / (window.kernel[0] * window.kernel[1]), image[0], image[1]];
        let (s, values) = (conv_shape(&shape, window), in_class(cols));
        with_class!(values.dtype(), T => {
            Tensor::filled_by(shape, |x: &mut [T]| conv::window_transpose(&s, slice(&values), x))
        })
        .to(cols.dtype())
    }

    fn random(&self, draw: Draw, distribution: Distribution, shape: &Shape, dtype: DType) -> Tensor {
        fn run<T: Float + Plain>(draw: Draw, distribution: Distribution, shape: &Shape) -> Tensor {
            Tensor::filled_by(*shape, |out: &mut [T]| match distribution {
                Distribution::Uniform(lo, hi) => {
                    philox::uniform(draw, Real::from_f64(lo), Real::from_f64(hi), out)
                }
                Distribution::Normal(mean, std) => {
                    philox::normal(draw, Real::from_f64(mean), Real::from_f64(std), out)
                }
                Distribution::Bernoulli(p) => {
                    let mut hits = room_for(out.len());
                    hits.resize(out.len(), 0u8);
                    philox::bernoulli(draw, p, &mut hits);
                    out.iter_mut().zip(hits).for_each(|(o, h)| *o = if h == 1 { T::ONE } else { T::ZERO });
                }
            })
        }
        match dtype.class() {
            Class::F64 => run::<f64>(draw, distribution, shape),
            _ => run::<f32>(draw, distribution, shape),
        }
        .to(dtype)
    }
}

/// Whether each slice of the first axis lies in one piece, row-major.
fn slices_are_dense(layout: &Layout) -> bool {
    let mut step = 1;
    layout.shape().iter().zip(layout.strides()).skip(1).rev().all(|(&n, &stride)| {
        let even = n == 1 || stride == step;
        step *= n as isize;
        even
    })
}

/// The sizes of a convolution with these windows; of its channels, the windows concern the inputs alone.
pub(crate) fn conv_shape(x: &[usize], window: &Window) -> ConvShape {
    let Window { kernel, stride, padding, dilation } = *window;
    ConvShape {
        n: x[0],
        c_in: x[1],
        h: x[2],
        w: x[3],
        c_out: 1,
        kernel,
        stride,
        padding,
        dilation,
        groups: 1,
    }
}

/// Whose sizes `Tensor::window` has checked.
fn columns(s: &ConvShape) -> Shape {
    let [oh, ow] = s.out();
    Shape::new(&[s.n, s.c_in * s.kernel[0] * s.kernel[1], oh * ow])
}

/// The tensor row-major in the type that arithmetic on it is done in; borrowed, if it is that already.
#[inline]
pub(crate) fn as_class(x: &Tensor) -> Cow<'_, Tensor> {
    if x.dtype() == DType::F32 && x.layout().is_contiguous() {
        return Cow::Borrowed(x);
    }
    let dtype = match x.dtype().class() {
        Class::F32 => DType::F32,
        Class::F64 => DType::F64,
        Class::I64 => DType::I64,
    };
    if x.dtype() == dtype && x.layout().is_contiguous() {
        Cow::Borrowed(x)
    } else {
        // The narrower numbers are moved.
        let narrow = x.dtype().size() < dtype.size();
        Cow::Owned(if narrow { x.contiguous().to(dtype) } else { x.to(dtype).contiguous() })
    }
}

/// The same, owned.
pub(crate) fn in_class(x: &Tensor) -> Tensor {
    as_class(x).into_owned()
}

/// The tensor in f32 or f64, in whatever layout it has; borrowed, if it is that already.
pub(crate) fn as_widened(x: &Tensor) -> Cow<'_, Tensor> {
    match x.dtype() {
        DType::F32 | DType::F64 => Cow::Borrowed(x),
        _ => Cow::Owned(x.to(DType::F32)),
    }
}

/// The same, owned.
pub(crate) fn widened(x: &Tensor) -> Tensor {
    as_widened(x).into_owned()
}

/// The elements of a tensor known to be row-major and of type `T`.
pub(crate) fn slice<T: Plain>(x: &Tensor) -> &[T] {
    x.as_slice().unwrap_or_else(|| {
        panic!("a row-major tensor of {} was expected, this is {:?}", T::DTYPE, x.layout())
    })
}

/// The elements of a row-major tensor as numbers of the same size, to be moved.
pub(crate) fn moved<T: Plain>(x: &Tensor) -> &[T] {
    &x.storage().as_slice()[x.layout().offset()..][..x.len()]
}

/// `[outer, n, inner]` around an axis.
pub(crate) fn around(shape: &[usize], axis: usize) -> [usize; 3] {
    [shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()]
}

/// The tensor as row-major `[outer, n, inner]` with the axes of `mask` in the middle; copied only if they are not
/// neighbours already.
pub(crate) fn rows_of<'a>(x: &'a Tensor, mask: &[bool]) -> (Cow<'a, Tensor>, [usize; 3]) {
    let ends = (mask.iter().position(|&gone| gone), mask.iter().rposition(|&gone| gone));
    let (Some(first), Some(last)) = ends else { return (as_class(x), [x.len(), 1, 1]) };
    if mask[first..=last].iter().all(|&gone| gone) {
        let [outer, _, _] = around(x.shape(), first);
        let [_, _, inner] = around(x.shape(), last);
        return (as_class(x), [outer, x.shape()[first..=last].iter().product(), inner]);
    }
    let (gone, left): (Vec<usize>, Vec<usize>) = (0..x.rank()).partition(|&i| mask[i]);
    let count = |axes: &[usize]| axes.iter().map(|&i| x.shape()[i]).product();
    let dims = [count(&left), count(&gone), 1];
    let order: Vec<usize> = left.into_iter().chain(gone).collect();
    (Cow::Owned(in_class(&x.permute(order))), dims)
}

/// The matrices of a `[batch, rows, cols]` tensor, or the one of a `[rows, cols]` tensor, in whatever layout it has.
fn matrices<'a, T: Plain>(x: &'a Tensor) -> impl Fn(usize) -> Mat<'a, T> + Sync {
    let stride = if x.rank() == 3 { x.layout().strides()[0] } else { 0 };
    let first = matrix(x);
    move |i| Mat { offset: (first.offset as isize + i as isize * stride) as usize, ..first }
}

/// The last two axes of a tensor as a matrix, in whatever layout it has.
pub(crate) fn matrix<T: Plain>(x: &Tensor) -> Mat<'_, T> {
    let (layout, last) = (x.layout(), x.rank() - 1);
    Mat {
        data: x.storage().as_slice(),
        rows: layout.shape()[last - 1],
        cols: layout.shape()[last],
        row_stride: layout.strides()[last - 1],
        col_stride: layout.strides()[last],
        offset: layout.offset(),
    }
}
