//! The bytes behind a tensor: one block of a device's memory, shared by every view of it and returned when the last goes.
//!
//! With the kernels this is the only place of mapsto that may use `unsafe`.

mod derived;
pub mod pool;
mod shared;

use crate::device::Device;
use crate::dtype::{DType, Element};
use derived::Derived;
use half::{bf16, f16};
pub(crate) use shared::Shared;
use std::ptr::NonNull;
use std::sync::Arc;

/// A handle of a block of device memory; a clone is a handle of the same block. Its content is written before the tensor
/// that owns it is shared, or by its only owner.
#[derive(Clone)]
pub struct Storage(Shared<Block>);

struct Block {
    /// Where the elements are; none if they are few enough to lie here, on a device whose memory the CPU reaches.
    address: Option<NonNull<u8>>,
    bytes: usize,
    device: Device,
    host: bool,
    few: Few,
    derived: Derived,
}

/// A cache line of elements: a number, a bias, a row of targets. It saves the pool's lock, which costs 10 ns each way.
#[repr(align(64))]
struct Few([u8; FEW]);

const FEW: usize = 64;

// SAFETY: the block is owned by this value alone; shared access is read-only and writing needs `&mut`.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

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
    ///
    /// # Panics
    /// When there is no memory for it.
    #[track_caller]
    pub fn new(device: Device, count: usize, dtype: DType) -> Storage {
        let bytes =
            count.checked_mul(dtype.size()).filter(|&b| b <= isize::MAX as usize).unwrap_or_else(|| {
                crate::fail!("storage", "{count} elements of {dtype} exceed the address space")
            });
        let (backend, host) = (device.backend(), device.backend().is_host());
        let address = match host && bytes <= FEW {
            true => None,
            false => match backend.alloc(bytes) {
                None => pool::no_memory(bytes),
                some => some,
            },
        };
        Storage(Shared::new(Block {
            address,
            bytes,
            device,
            host,
            few: Few([0; FEW]),
            derived: Derived::new(),
        }))
    }

    /// The device whose memory this is.
    #[inline]
    pub fn device(&self) -> Device {
        self.0.device
    }

    /// Whether the CPU reaches it.
    #[inline]
    pub(crate) fn is_host(&self) -> bool {
        self.0.host
    }

    /// Whether this is the only handle of the block, which may then be written.
    #[inline]
    pub(crate) fn is_alone(&mut self) -> bool {
        Shared::get_mut(&mut self.0).is_some()
    }

    /// Whether both are handles of the same block.
    pub(crate) fn is(&self, other: &Storage) -> bool {
        Shared::is(&self.0, &other.0)
    }

    /// The address of the block on its device.
    pub fn address(&self) -> *const u8 {
        self.0.address()
    }

    /// The size of the block.
    pub fn bytes(&self) -> usize {
        self.0.bytes
    }

    /// The elements, read as `T`. Only for devices whose memory the CPU reaches.
    #[inline]
    pub fn as_slice<T: Plain>(&self) -> &[T] {
        debug_assert!(self.0.host);
        // SAFETY: host memory is 64-byte aligned, initialised, `bytes` long, and every bit pattern is a `T`.
        unsafe { std::slice::from_raw_parts(self.0.address().cast(), self.0.bytes / size_of::<T>()) }
    }

    /// The form that `make` makes of the elements, remembered until they are written: of those remembered, the one that
    /// `fits`.
    pub(crate) fn derived<D: Send + Sync + 'static>(
        &self,
        fits: impl Fn(&D) -> bool,
        make: impl FnOnce() -> D,
    ) -> Arc<D> {
        self.0.derived.get(fits, make)
    }

    /// The elements, to be written as `T`.
    ///
    /// # Panics
    /// When there is another handle of the block.
    #[inline]
    pub fn as_mut_slice<T: Plain>(&mut self) -> &mut [T] {
        let block = Shared::get_mut(&mut self.0).expect("who writes to a storage is its only owner");
        debug_assert!(block.host);
        block.derived.forget();
        // SAFETY: as in `as_slice`, and `block` is the only access.
        unsafe { std::slice::from_raw_parts_mut(block.address_mut().cast(), block.bytes / size_of::<T>()) }
    }
}

impl Block {
    #[inline]
    fn address(&self) -> *const u8 {
        self.address.map_or(self.few.0.as_ptr(), |at| at.as_ptr())
    }

    #[inline]
    fn address_mut(&mut self) -> *mut u8 {
        self.address.map_or(self.few.0.as_mut_ptr(), NonNull::as_ptr)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(address) = self.address {
            self.device.backend().free(address, self.bytes)
        }
    }
}
