//! A tensor's elements as slices of the CPU's memory: how they are read and written in place, where they lie there.

use crate::graph::Origin;
use crate::shape::Shape;
use crate::storage::{Plain, Shared, Storage, pool};
use crate::tensor::Inner;
use crate::{DType, Device, Tensor, fail};

impl Tensor {
    /// A new row-major constant on the current device, whose memory the CPU must reach, with elements that `fill` writes.
    ///
    /// # Panics
    /// When there is no memory for it.
    #[track_caller]
    pub fn filled_by<T: Plain>(shape: impl Into<Shape>, fill: impl FnOnce(&mut [T])) -> Tensor {
        let shape = shape.into();
        let mut storage = room(&shape, T::DTYPE);
        fill(storage.as_mut_slice());
        Tensor::from_storage(storage, shape, T::DTYPE)
    }

    /// The elements as they lie in memory, when they lie one after the other on the CPU and are of type `T`.
    pub fn as_slice<T: Plain>(&self) -> Option<&[T]> {
        let Inner { layout, dtype, storage, .. } = &*self.0;
        let plain = if *dtype == DType::Bool { DType::U8 } else { *dtype };
        (plain == T::DTYPE && layout.is_contiguous() && storage.is_host())
            .then(|| &storage.as_slice::<T>()[layout.offset..layout.offset + layout.shape.known_count()])
    }

    /// The elements, to be written. Nobody else sees the change: a storage that is shared is copied first.
    /// A leaf stays the same leaf; the result of an operation becomes a constant.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// let mut x = tensor![1.0, 2.0];
    /// let before = x.clone();
    /// x.as_mut_slice::<f32>()[0] = 9.0;
    /// assert_eq!((x.to_vec::<f32>(), before.to_vec::<f32>()), (vec![9.0, 2.0], vec![1.0, 2.0]));
    /// ```
    /// # Panics
    /// When the elements are not of type `T`.
    #[track_caller]
    pub fn as_mut_slice<T: Plain>(&mut self) -> &mut [T] {
        if self.dtype() != T::DTYPE {
            fail!("as_mut_slice", "the elements are {}, not {}", self.dtype(), T::DTYPE);
        }
        let count = self.len();
        if !self.is_alone() {
            pool::count_copy();
            let copy = crate::backend::carry::copy(self);
            let origin = match &self.0.origin {
                Origin::Leaf(id, kind) => Origin::Leaf(*id, *kind),
                _ => Origin::Constant,
            };
            self.0 = Shared::new(Inner { origin, ..(*copy.0).clone() });
            drop(copy);
        }
        let inner = Shared::get_mut(&mut self.0).expect("the tensor is alone now");
        if !matches!(inner.origin, Origin::Leaf(..)) {
            inner.origin = Origin::Constant;
        }
        let offset = inner.layout.offset;
        &mut inner.storage.as_mut_slice::<T>()[offset..offset + count]
    }

    /// Whether the elements lie one after the other and nobody else holds them, so that they may be written.
    pub(crate) fn is_alone(&mut self) -> bool {
        Shared::get_mut(&mut self.0)
            .is_some_and(|inner| inner.layout.is_contiguous() && inner.storage.is_alone())
    }

    /// The elements of a tensor just made, which nobody else holds yet, as the type its storage holds.
    pub(crate) fn bytes_as_mut<T: Plain>(&mut self) -> &mut [T] {
        let count = self.len();
        let inner = Shared::get_mut(&mut self.0).expect("the tensor was just made");
        &mut inner.storage.as_mut_slice::<T>()[..count]
    }

    /// All that the storage holds, of which this tensor may see a part; nobody else holds it.
    pub(crate) fn whole_as_mut<T: Plain>(&mut self) -> &mut [T] {
        Shared::get_mut(&mut self.0).expect("the tensor is alone").storage.as_mut_slice::<T>()
    }
}

/// Memory for a tensor on the current device. It is compiled once, and not for each kernel that fills such memory.
#[track_caller]
#[inline(never)]
fn room(shape: &Shape, dtype: DType) -> Storage {
    Storage::new(Device::current(), shape.count(), dtype)
}
