//! Where tensors live and are computed: a value in scope, the CPU unless said otherwise.

use crate::backend::{Backend, cpu::Cpu, outline::Outline};
use std::cell::Cell;
use std::fmt;

/// A device: a backend that holds and computes tensors.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// assert_eq!(Tensor::zeros([2]).device(), Device::cpu());
/// ```
#[derive(Clone, Copy)]
pub struct Device(&'static dyn Backend);

/// Named once: wherever `&Cpu` becomes a backend again, it may get another table of methods, and then two handles of the
/// CPU are told to be the same by their names alone.
static CPU: &dyn Backend = &Cpu;

thread_local! {
    static CURRENT: Cell<Device> = Cell::new(Device::cpu());
}

impl Device {
    /// The CPU.
    pub fn cpu() -> Device {
        Device(CPU)
    }

    /// The device that computes shapes and dtypes and no numbers: what a network would do and need, before there is memory
    /// for it. Reading a number of it is an error.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// let x = Device::shape().scope(|| Tensor::zeros([1 << 40, 3]));
    /// assert_eq!(x.matmul(&x.t().slice(1, ..5)).shape(), [1 << 40, 5]);
    /// ```
    pub fn shape() -> Device {
        Device(&Outline)
    }

    /// A device computed by a backend of one's own.
    pub const fn new(backend: &'static dyn Backend) -> Device {
        Device(backend)
    }

    /// The device on which new tensors are made on this thread.
    pub fn current() -> Device {
        CURRENT.with(Cell::get)
    }

    /// Runs `body` with this device as the current one.
    pub fn scope<R>(self, body: impl FnOnce() -> R) -> R {
        struct Back(Device);
        impl Drop for Back {
            fn drop(&mut self) {
                CURRENT.with(|c| c.set(self.0));
            }
        }
        let _back = Back(CURRENT.with(|c| c.replace(self)));
        body()
    }

    /// The backend that computes.
    #[inline]
    pub fn backend(self) -> &'static dyn Backend {
        self.0
    }
}

impl PartialEq for Device {
    #[inline]
    fn eq(&self, other: &Device) -> bool {
        // The same pointer is the same backend; another may still be, as a backend without fields has no one address.
        #[allow(ambiguous_wide_pointer_comparisons)]
        let same = std::ptr::eq(self.0, other.0);
        let (a, b) = (self.0.name(), other.0.name());
        same || std::ptr::eq(a, b) || a == b
    }
}
impl Eq for Device {}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}
