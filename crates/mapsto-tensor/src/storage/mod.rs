//! The bytes behind a tensor: one block of a device's memory, shared by every view of it and returned when the last goes.
//!
//! With the kernels this is the only place of mapsto that may use `unsafe`.

pub mod pool;

use crate::device::Device;
use crate::dtype::{DType, Element};
use half::{bf16, f16};
use std::ptr::NonNull;

/// A block of device memory. Its content is written before the tensor that owns it is shared, or by its only owner.
pub struct Storage {
    address: NonNull<u8>,
    bytes: usize,
    device: Device,
}

// SAFETY: the block is owned by this value alone; shared access is read-only and writing needs `&mut`.
unsafe impl Send for Storage {}
// SAFETY: as above.
unsafe impl Sync for Storage {}

/// A number type whose every bit pattern is a value, so that bytes may be read as it. (`bool` is read as `u8`.)
pub trait Plain: Element {}
impl Plain for f32 {}
impl Plain for f64 {}
impl Plain for f16 {}
impl Plain for bf16 {}
impl Plain for i64 {}
impl Plain for i32 {}
impl Plain for u8 {}
impl Plain for i8 {}

impl Storage {
    /// A block for `count` elements; its content is arbitrary, but defined.
    pub fn new(device: Device, count: usize, dtype: DType) -> Storage {
        let bytes =
            count.checked_mul(dtype.size()).filter(|&b| b <= isize::MAX as usize).unwrap_or_else(|| {
                crate::fail!("storage", "{count} elements of {dtype} exceed the address space")
            });
        Storage { address: device.backend().alloc(bytes), bytes, device }
    }

    /// The device whose memory this is.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The address of the block on its device.
    pub fn address(&self) -> *mut u8 {
        self.address.as_ptr()
    }

    /// The size of the block.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The elements, read as `T`. Only for devices whose memory the CPU reaches.
    pub fn as_slice<T: Plain>(&self) -> &[T] {
        debug_assert!(self.device.backend().is_host());
        // SAFETY: host blocks are 64-byte aligned, initialised, `bytes` long, and every bit pattern is a `T`.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr().cast(), self.bytes / size_of::<T>()) }
    }

    /// The elements, to be written as `T`.
    pub fn as_mut_slice<T: Plain>(&mut self) -> &mut [T] {
        debug_assert!(self.device.backend().is_host());
        // SAFETY: as in `as_slice`, and `&mut self` is the only access.
        unsafe { std::slice::from_raw_parts_mut(self.address.as_ptr().cast(), self.bytes / size_of::<T>()) }
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        self.device.backend().free(self.address, self.bytes)
    }
}
