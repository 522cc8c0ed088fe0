//! Reading, writing and copying tensors in memory that the CPU reaches.

use super::tiles::{self, CHUNK};
use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::scalar::Scalar;
use crate::shape::Shape;
use crate::storage::Storage;
use crate::storage::pool::room_for;
use crate::{Tensor, fail};
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

#[track_caller]
fn on_host(device: Device, op: &str) {
    if !device.backend().is_host() {
        fail!(op, "the memory of {device:?} cannot be reached from the CPU"; help = "move the tensor to the CPU first");
    }
}

/// A row-major copy of a tensor's elements, as a constant.
#[track_caller]
pub(crate) fn copy(x: &Tensor) -> Tensor {
    on_host(x.device(), "copy");
    let mut out = Storage::new(x.device(), x.len(), x.dtype());
    with_type!(x.dtype(), T => tiles::read_all::<T>(x, &mut out.as_mut_slice::<T>()[..x.len()]));
    Tensor::from_storage(out, *x.shape_of(), x.dtype())
}

/// The elements in row-major order as `T`; exact wherever `T` can hold them.
#[track_caller]
pub(crate) fn read<T: Element>(x: &Tensor) -> Vec<T> {
    on_host(x.device(), "to_vec");
    with_type!(x.dtype(), S => {
        let copied: Vec<S>;
        let slice: &[S] = match x.as_slice::<S>() {
            Some(slice) => slice,
            None => {
                let mut buffer = room_for(x.len());
                buffer.resize(x.len(), S::default());
                tiles::read_all(x, &mut buffer);
                copied = buffer;
                &copied
            }
        };
        let mut values = room_for(slice.len());
        values.extend(slice.iter().map(|v| v.convert::<T>()));
        values
    })
}

/// The elements as f64, from any dtype.
#[track_caller]
pub(crate) fn read_f64(x: &Tensor) -> Vec<f64> {
    read(x)
}

/// A new tensor of the elements of a slice.
#[track_caller]
pub(crate) fn write<T: Element>(device: Device, values: &[T], shape: Shape) -> Tensor {
    on_host(device, "from_slice");
    let mut out = Storage::new(device, values.len(), T::DTYPE);
    with_type!(T::DTYPE, S => {
        for (to, v) in out.as_mut_slice::<S>().iter_mut().zip(values) {
            *to = v.convert();
        }
    });
    Tensor::from_storage(out, shape, T::DTYPE)
}

/// Copies a run of numbers, a long one by several threads.
pub(crate) fn copy_run<T: Copy + Send + Sync>(from: &[T], to: &mut [T]) {
    if to.len() <= CHUNK {
        return to.copy_from_slice(from);
    }
    for_chunks(to, CHUNK, from.len(), |i, to| to.copy_from_slice(&from[i * CHUNK..][..to.len()]));
}

/// A new tensor of one value.
#[track_caller]
pub(crate) fn fill(device: Device, shape: Shape, value: Scalar, dtype: DType) -> Tensor {
    on_host(device, "full");
    let value = if dtype == DType::Bool { Scalar::Int((value.to_f64() != 0.0) as i64) } else { value };
    let mut out = Storage::new(device, shape.count(), dtype);
    with_type!(dtype, S => {
        let value = match value {
            Scalar::Float(v) => S::from_f64(v),
            Scalar::Int(v) => S::from_i64(v),
        };
        for_chunks(&mut out.as_mut_slice::<S>()[..shape.count()], CHUNK, shape.count(), |_, y| y.fill(value));
    });
    Tensor::from_storage(out, shape, dtype)
}
