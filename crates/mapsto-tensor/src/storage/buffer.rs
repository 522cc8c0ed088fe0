//! Memory of a device other than the CPU, as all else sees it: a handle that nobody but the device can open.

use std::any::Any;

/// A block of a device's memory. The device puts whatever names the block there (an address, a list of numbers, nothing at
/// all) in a type of its own, whose `Drop` gives the block back, and takes it out again with [`get`](Buffer::get): a type
/// that others cannot name, they cannot reach.
///
/// ```
/// use mapsto_tensor::backend::Buffer;
/// struct Numbers(Vec<f64>);
/// let mut buffer = Buffer::new(Numbers(vec![1.0, 2.0]));
/// buffer.get_mut::<Numbers>().unwrap().0[1] = 3.0;
/// assert_eq!(buffer.get::<Numbers>().unwrap().0, [1.0, 3.0]);
/// assert!(buffer.get::<Vec<f64>>().is_none());
/// ```
pub struct Buffer(Box<dyn Any + Send + Sync>);

impl Buffer {
    /// A handle that owns what a device calls its memory.
    pub fn new(memory: impl Any + Send + Sync) -> Buffer {
        Buffer(Box::new(memory))
    }

    /// The memory, if it is of this type.
    pub fn get<M: Any>(&self) -> Option<&M> {
        self.0.downcast_ref()
    }

    /// The memory to be written, if it is of this type.
    pub fn get_mut<M: Any>(&mut self) -> Option<&mut M> {
        self.0.downcast_mut()
    }

    /// What tells it from every other living buffer.
    pub(super) fn identity(&self) -> *const u8 {
        std::ptr::from_ref(&*self.0).cast()
    }
}
