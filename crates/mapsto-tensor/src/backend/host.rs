//! The CPU's side of reading, writing and copying: loops over host memory, of every dtype.

use super::tiles::CHUNK;
use crate::dtype::DType;
use crate::layout::Layout;
use crate::scalar::Scalar;
use crate::shape::Shape;
use crate::storage::pool::room_for;
use crate::storage::{Plain, Storage, bytes_of, bytes_of_mut};
use crate::{Device, MAX_RANK, Tensor};
use mapsto_kernels::copy::{self as kernels, Axis};
use mapsto_kernels::threads::for_chunks;

/// Runs `$body` with `$t` standing for the type whose slices hold `$dtype` (booleans are held as u8).
macro_rules! with_type {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $t = f32;
                $body
            }
            $crate::DType::F64 => {
                type $t = f64;
                $body
            }
            $crate::DType::F16 => {
                type $t = half::f16;
                $body
            }
            $crate::DType::BF16 => {
                type $t = half::bf16;
                $body
            }
            $crate::DType::I64 => {
                type $t = i64;
                $body
            }
            $crate::DType::I32 => {
                type $t = i32;
                $body
            }
            $crate::DType::U8 | $crate::DType::Bool => {
                type $t = u8;
                $body
            }
            $crate::DType::I8 => {
                type $t = i8;
                $body
            }
        }
    };
}
pub(crate) use with_type;

/// Runs `$body` with `$t` standing for one of four types that are as large as `$dtype`: what only moves numbers is compiled
/// for these, and not for each dtype.
macro_rules! with_size {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype.size() {
            1 => {
                type $t = u8;
                $body
            }
            2 => {
                type $t = half::f16;
                $body
            }
            4 => {
                type $t = i32;
                $body
            }
            _ => {
                type $t = i64;
                $body
            }
        }
    };
}
pub(crate) use with_size;

/// A tensor whose elements are arbitrary.
#[track_caller]
pub(super) fn empty(shape: &Shape, dtype: DType) -> Tensor {
    Tensor::from_storage(Storage::host(shape.count(), dtype), *shape, dtype)
}

/// A tensor of numbers given by their bytes.
#[track_caller]
pub(super) fn write(bytes: &[u8], shape: &Shape, dtype: DType) -> Tensor {
    let mut y = empty(shape, dtype);
    with_type!(dtype, S => copy_run(bytes, bytes_of_mut(y.bytes_as_mut::<S>())));
    y
}

/// The bytes of a tensor's elements in row-major order.
pub(super) fn read(x: &Tensor, to: &mut [u8]) {
    with_type!(x.dtype(), S => {
        let rows = x.detach().contiguous();
        copy_run(bytes_of(rows.as_slice::<S>().expect("row-major, in memory the CPU reaches")), to)
    })
}

/// A tensor of one value.
#[track_caller]
pub(super) fn fill(value: Scalar, shape: &Shape, dtype: DType) -> Tensor {
    let mut y = empty(shape, dtype);
    with_type!(dtype, S => {
        let (value, y) = (value.of::<S>(), y.bytes_as_mut::<S>());
        let count = y.len();
        for_chunks(y, CHUNK, count, |_, y| y.fill(value));
    });
    y
}

/// The integers of a range on the current device.
#[track_caller]
pub(crate) fn counted(range: std::ops::Range<i64>, shape: Shape) -> Tensor {
    let count = |to: &mut [i64]| {
        let work = to.len();
        for_chunks(to, CHUNK, work, |i, to| {
            to.iter_mut().zip(range.start + (i * CHUNK) as i64..).for_each(|(y, value)| *y = value);
        })
    };
    if Device::current().backend().is_host() {
        return Tensor::filled_by(shape, count);
    }
    let mut values = room_for(shape.known_count());
    values.resize(shape.known_count(), 0);
    count(&mut values);
    Tensor::from_vec(values, shape)
}

/// Copies the elements of `x` to the places `at` in the storage of `to`.
pub(super) fn copy(x: &Tensor, to: &mut Tensor, at: &Layout) {
    with_size!(x.dtype(), S => copy_as::<S>(x, to, at))
}

fn copy_as<S: Plain>(x: &Tensor, to: &mut Tensor, at: &Layout) {
    let (from, layout, to) = (x.storage().as_slice::<S>(), x.layout(), to.whole_as_mut::<S>());
    let count = x.len();
    if layout.is_contiguous() && at.is_contiguous() {
        return copy_run(&from[layout.offset()..][..count], &mut to[at.offset()..][..count]);
    }
    let mut axes = [Axis { n: 1, from: 0, to: 0 }; MAX_RANK];
    for (axis, ((&n, &from), &to)) in
        axes.iter_mut().zip(x.shape().iter().zip(layout.strides()).zip(at.strides()))
    {
        *axis = Axis { n, from, to };
    }
    kernels::copy(&axes, from, layout.offset(), to, at.offset());
}

/// Copies a run of numbers, a long one by several threads.
fn copy_run<T: Copy + Send + Sync>(from: &[T], to: &mut [T]) {
    if to.len() <= CHUNK {
        return to.copy_from_slice(from);
    }
    for_chunks(to, CHUNK, from.len(), |i, to| to.copy_from_slice(&from[i * CHUNK..][..to.len()]));
}

/// Whether every element is finite.
pub(super) fn is_finite(x: &Tensor) -> bool {
    // x · 0 is 0 for finite numbers and NaN otherwise; the sum vectorises where an early exit would not.
    match x.as_slice::<f32>() {
        Some(x) => x.chunks(4096).all(|c| c.iter().map(|x| x * 0.0).sum::<f32>() == 0.0),
        None => super::carry::read_f64(x).iter().all(|x| x.is_finite()),
    }
}
