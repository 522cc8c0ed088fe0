//! Numbers carried between the program and a device, whatever the device: by its `write`, `read`, `copy` and `fill`.

use super::host::with_type;
use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::scalar::Scalar;
use crate::shape::Shape;
use crate::storage::pool::room_for;
use crate::storage::{Plain, bytes_of, bytes_of_mut};
use crate::{Layout, Tensor};

/// A row-major copy of a tensor's elements, as a constant.
#[track_caller]
pub(crate) fn copy(x: &Tensor) -> Tensor {
    let backend = x.device().backend();
    let mut y = backend.empty(&x.shape_of().fit("copy"), x.dtype());
    let at = Layout::contiguous(*x.shape_of());
    backend.copy(x, &mut y, &at);
    y
}

/// The elements in row-major order as `T`; exact wherever `T` can hold them.
#[track_caller]
pub(crate) fn read<T: Element>(x: &Tensor) -> Vec<T> {
    with_type!(x.dtype(), S => converted(&read_plain::<S>(x)))
}

/// The elements as f64, from any dtype.
#[track_caller]
pub(crate) fn read_f64(x: &Tensor) -> Vec<f64> {
    read(x)
}

/// The first element, without memory of its own where that is an f32 of the CPU.
#[track_caller]
pub(crate) fn first(x: &Tensor) -> f64 {
    match x.as_slice::<f32>() {
        Some(x) => x[0] as f64,
        None => read_f64(x)[0],
    }
}

/// The elements in the type that holds them.
#[track_caller]
fn read_plain<S: Plain>(x: &Tensor) -> Vec<S> {
    let mut values = room_for(x.len());
    match x.as_slice::<S>() {
        Some(slice) => values.extend_from_slice(slice),
        None => {
            values.resize(x.len(), S::default());
            x.device().backend().read(x, bytes_of_mut(&mut values));
        }
    }
    values
}

#[track_caller]
fn converted<S: Element, T: Element>(values: &[S]) -> Vec<T> {
    let mut to = room_for(values.len());
    to.extend(values.iter().map(|v| v.convert::<T>()));
    to
}

/// A new tensor of the elements of a slice.
#[track_caller]
pub(crate) fn write<T: Element>(device: Device, values: &[T], shape: Shape) -> Tensor {
    device.backend().write(bytes_of(values), &shape, T::DTYPE)
}

/// A new tensor of one value.
#[track_caller]
pub(crate) fn fill(device: Device, shape: Shape, value: Scalar, dtype: DType) -> Tensor {
    let value = match dtype {
        DType::Bool => Scalar::Int((value.to_f64() != 0.0) as i64),
        _ => value,
    };
    device.backend().fill(value, &shape, dtype)
}

/// The same elements on another device, as a constant.
#[track_caller]
pub(crate) fn carry(x: &Tensor, device: Device) -> Tensor {
    with_type!(x.dtype(), S => {
        let write = |values: &[S]| device.backend().write(bytes_of(values), x.shape_of(), x.dtype());
        match x.as_slice::<S>() {
            Some(values) => write(values),
            None => write(&read_plain::<S>(x)),
        }
    })
}
