//! The bytes behind a tensor: one block of a device's memory, shared by every view of it and returned when the last goes.
//!
//! With the kernels this is the only place of mapsto that may use `unsafe`.

mod buffer;
mod derived;
pub(crate) mod pool;
mod shared;

use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::fail;
pub use buffer::Buffer;
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
    place: Place,
    bytes: usize,
    device: Device,
    few: Few,
    derived: Derived,
}

/// Where the elements are.
enum Place {
    /// In the block itself, as they are few and the CPU reaches the device's memory.
    Here,
    /// In host memory, in a block of the pool that this owns.
    Host(NonNull<u8>),
    /// Where only the device reaches them.
    Device(Buffer),
}

/// A cache line of elements: a number, a bias, a row of targets. It saves the pool's lock, which costs 10 ns each way.
#[repr(align(64))]
struct Few([u8; FEW]);

const FEW: usize = 64;

// SAFETY: what `place` names is owned by this value alone; shared access is read-only and writing needs `&mut`.
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
    /// A block of host memory for `count` elements of a device; its content is arbitrary, but defined.
    ///
    /// # Panics
    /// When there is no memory for it, or the CPU does not reach the device's memory.
    #[track_caller]
    pub fn new(device: Device, count: usize, dtype: DType) -> Storage {
        let Some(bytes) = count.checked_mul(dtype.size()).filter(|&b| b <= isize::MAX as usize) else {
            fail!("storage", "{count} elements of {dtype} exceed the address space")
        };
        if !device.backend().is_host() {
            out_of_reach("storage", device);
        }
        Storage::in_host(bytes, device)
    }

    /// The same of the CPU, for the elements of a shape that has been checked.
    #[inline]
    #[track_caller]
    pub(crate) fn host(count: usize, dtype: DType) -> Storage {
        Storage::in_host(count * dtype.size(), Device::cpu())
    }

    #[inline(always)]
    #[track_caller]
    fn in_host(bytes: usize, device: Device) -> Storage {
        let place = match bytes <= FEW {
            true => Place::Here,
            false => match pool::alloc(bytes) {
                Some(address) => Place::Host(address),
                None => pool::no_memory(bytes),
            },
        };
        Storage::at(place, bytes, device)
    }

    /// A block of a device's own memory that holds `count` elements.
    pub(crate) fn of(device: Device, buffer: Buffer, count: usize, dtype: DType) -> Storage {
        Storage::at(Place::Device(buffer), count * dtype.size(), device)
    }

    #[inline]
    fn at(place: Place, bytes: usize, device: Device) -> Storage {
        Storage(Shared::by(|| Block { place, bytes, device, few: Few([0; FEW]), derived: Derived::new() }))
    }

    /// The device whose memory this is.
    #[inline]
    pub fn device(&self) -> Device {
        self.0.device
    }

    /// Whether the CPU reaches it.
    #[inline]
    pub(crate) fn is_host(&self) -> bool {
        !matches!(self.0.place, Place::Device(_))
    }

    /// The memory, of a device that the CPU does not reach.
    pub fn buffer(&self) -> Option<&Buffer> {
        match &self.0.place {
            Place::Device(buffer) => Some(buffer),
            _ => None,
        }
    }

    /// The same, to be written; none where there is another handle of the block.
    pub(crate) fn buffer_mut(&mut self) -> Option<&mut Buffer> {
        match &mut Shared::get_mut(&mut self.0)?.place {
            Place::Device(buffer) => Some(buffer),
            _ => None,
        }
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

    /// Where the block is, which tells it from every other living block; of a device that the CPU does not reach, this is
    /// no address of its elements.
    pub fn address(&self) -> *const u8 {
        match &self.0.place {
            Place::Device(buffer) => buffer.identity(),
            _ => self.0.address("storage"),
        }
    }

    /// The size of the block.
    pub fn bytes(&self) -> usize {
        self.0.bytes
    }

    /// The elements, read as `T`.
    ///
    /// # Panics
    /// When the CPU does not reach the device's memory.
    #[inline]
    #[track_caller]
    pub fn as_slice<T: Plain>(&self) -> &[T] {
        let address = self.0.address("as_slice");
        // SAFETY: host memory is 64-byte aligned, initialised, `bytes` long, and every bit pattern is a `T`.
        unsafe { std::slice::from_raw_parts(address.cast(), self.0.bytes / size_of::<T>()) }
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
    /// When there is another handle of the block, or the CPU does not reach the device's memory.
    #[inline]
    #[track_caller]
    pub fn as_mut_slice<T: Plain>(&mut self) -> &mut [T] {
        let block = Shared::get_mut(&mut self.0).expect("who writes to a storage is its only owner");
        block.derived.forget();
        let (address, count) = (block.address_mut("as_mut_slice"), block.bytes / size_of::<T>());
        // SAFETY: as in `as_slice`, and `block` is the only access.
        unsafe { std::slice::from_raw_parts_mut(address.cast(), count) }
    }
}

impl Block {
    #[inline]
    #[track_caller]
    fn address(&self, op: &str) -> *const u8 {
        match &self.place {
            Place::Here => self.few.0.as_ptr(),
            Place::Host(at) => at.as_ptr(),
            Place::Device(_) => out_of_reach(op, self.device),
        }
    }

    #[inline]
    #[track_caller]
    fn address_mut(&mut self, op: &str) -> *mut u8 {
        match &self.place {
            Place::Here => self.few.0.as_mut_ptr(),
            Place::Host(at) => at.as_ptr(),
            Place::Device(_) => out_of_reach(op, self.device),
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Place::Host(address) = self.place {
            // SAFETY: it came from `pool::alloc` for as many bytes, and nobody else has it.
            unsafe { pool::free(address, self.bytes) }
        }
    }
}

/// Raises that memory cannot be read or written by the CPU.
#[cold]
#[track_caller]
fn out_of_reach(op: &str, device: Device) -> ! {
    fail!(op, "the memory of {device:?} cannot be reached from the CPU"; help = "move the tensor first: `.to_device(Device::cpu())`")
}

/// The bytes of numbers; that of a bool is 0 or 1.
pub fn bytes_of<T: Element>(numbers: &[T]) -> &[u8] {
    // SAFETY: there are no elements but numbers and bool, which have no padding; a byte has every value and no alignment.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// Bytes as the numbers that they are, to be written.
///
/// # Panics
/// If they do not begin where such a number may, or end within one.
pub(crate) fn numbers_of_mut<T: Plain>(bytes: &mut [u8]) -> &mut [T] {
    // SAFETY: every bit pattern is a `T`, and a `T` is bytes without padding.
    let (before, numbers, after) = unsafe { bytes.align_to_mut() };
    assert!(before.is_empty() && after.is_empty(), "these bytes are not whole numbers");
    numbers
}

/// The bytes of numbers, to be written.
pub fn bytes_of_mut<T: Plain>(numbers: &mut [T]) -> &mut [u8] {
    // SAFETY: as above, and every bit pattern is a `T`.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), size_of_val(numbers)) }
}
