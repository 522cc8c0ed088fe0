//! The tensor itself: what it holds, how it is read, and how its only owner may write to it.

use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::fail;
use crate::graph::{LeafId, LeafKind, Origin};
use crate::layout::Layout;
use crate::shape::Shape;
use crate::storage::{Buffer, Shared, Storage};

/// An n-dimensional array that remembers how it was made. Cloning is one reference count.
/// Values never change under you: writing to a tensor that others hold writes to a copy.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = tensor![[1.0, 2.0], [3.0, 4.0]];
/// assert_eq!((x.shape(), x.dtype()), (&[2, 2][..], DType::F32));
/// assert_close!(x.matmul(&x), [[7.0, 10.0], [15.0, 22.0]]);
/// ```
#[derive(Clone)]
#[must_use]
pub struct Tensor(pub(crate) Shared<Inner>);

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) storage: Storage,
    pub(crate) layout: Layout,
    pub(crate) dtype: DType,
    pub(crate) origin: Origin,
}

impl Tensor {
    /// A constant of a freshly written, row-major storage, which was made for `shape.count()` elements.
    pub(crate) fn from_storage(storage: Storage, shape: Shape, dtype: DType) -> Tensor {
        Tensor(Shared::by(|| Inner {
            storage,
            layout: Layout::contiguous(shape),
            dtype,
            origin: Origin::Constant,
        }))
    }

    /// A constant whose elements lie in a device's own memory, one after the other in row-major order: how a
    /// [`Backend`](crate::backend::Backend) gives its results.
    ///
    /// # Panics
    /// When the elements are too many to be addressed.
    #[track_caller]
    pub fn from_buffer(device: Device, buffer: Buffer, shape: impl Into<Shape>, dtype: DType) -> Tensor {
        let shape = shape.into();
        Tensor::from_storage(Storage::of(device, buffer, shape.count(), dtype), shape, dtype)
    }

    /// The device's memory, to be written by the device; none where the tensor is not alone, or lies in host memory.
    pub fn buffer_mut(&mut self) -> Option<&mut Buffer> {
        Shared::get_mut(&mut self.0)?.storage.buffer_mut()
    }

    /// A constant that sees a storage through a layout. What sees more than its input (`expand`, `reshape`, a broadcast) has
    /// checked before that its elements can be counted.
    pub(crate) fn raw(storage: Storage, layout: Layout, dtype: DType) -> Tensor {
        debug_assert!(crate::shape::product(&layout.shape).is_some());
        Tensor(Shared::new(Inner { storage, layout, dtype, origin: Origin::Constant }))
    }

    /// The sizes of the axes.
    #[inline]
    pub fn shape(&self) -> &[usize] {
        &self.0.layout.shape
    }

    /// The sizes of exactly `N` axes: `let [n, c, h, w] = x.dims();`.
    ///
    /// # Panics
    /// When the tensor has another number of axes.
    #[track_caller]
    pub fn dims<const N: usize>(&self) -> [usize; N] {
        match self.shape().try_into() {
            Ok(dims) => dims,
            Err(_) => fail!("dims", "{N} axes are named, {:?} has {}", self.shape(), self.rank()),
        }
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape().len()
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.0.layout.shape.known_count()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The kind of number of the elements.
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// The device that holds it.
    pub fn device(&self) -> Device {
        self.0.storage.device()
    }

    /// Where the elements lie in the storage.
    pub fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// The storage, of which this tensor may see a part.
    pub fn storage(&self) -> &Storage {
        &self.0.storage
    }

    /// The shape as a value.
    pub(crate) fn shape_of(&self) -> &Shape {
        &self.0.layout.shape
    }

    /// The same values without their history: a constant.
    pub fn detach(&self) -> Tensor {
        match self.0.origin {
            Origin::Constant => self.clone(),
            _ => Tensor::raw(self.0.storage.clone(), self.0.layout, self.0.dtype),
        }
    }

    /// The same values as a leaf: a point at which gradients are wanted, recorded in any mode but `no_grad`.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// let x = tensor![3.0].leaf();
    /// assert_close!(x.square().sum(..).backward().of(&x), [6.0]);
    /// ```
    /// # Panics
    /// When the elements are not floats.
    #[track_caller]
    pub fn leaf(&self) -> Tensor {
        self.with_leaf(LeafKind::Hand)
    }

    /// The same values as a parameter: a leaf that is recorded in [`train`](crate::train) and
    /// [`record`](crate::record) only.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[track_caller]
    pub fn parameter(&self) -> Tensor {
        self.with_leaf(LeafKind::Parameter)
    }

    #[track_caller]
    fn with_leaf(&self, kind: LeafKind) -> Tensor {
        if !self.dtype().is_float() {
            fail!("leaf", "only floats have gradients, this is {}", self.dtype(); help = "convert it with `.to(DType::F32)`");
        }
        let mut inner = (*self.0).clone();
        inner.origin = Origin::Leaf(LeafId::new(), kind);
        Tensor(Shared::new(inner))
    }

    /// The identity of a leaf; none for constants and results.
    pub fn leaf_id(&self) -> Option<LeafId> {
        match self.0.origin {
            Origin::Leaf(id, _) => Some(id),
            _ => None,
        }
    }

    /// Whether it is the recorded result of an operation.
    pub fn is_recorded(&self) -> bool {
        matches!(self.0.origin, Origin::Made(_))
    }

    /// The elements in row-major order.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![[1.0, 2.0], [3.0, 4.0]].t().to_vec::<f32>(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    /// # Panics
    /// When `T` is not the dtype's type, unless both are floats or both are integers and nothing can be lost.
    #[track_caller]
    pub fn to_vec<T: Element>(&self) -> Vec<T> {
        let lossless = match (self.dtype(), T::DTYPE) {
            (a, b) if a == b => true,
            (DType::F16 | DType::BF16, DType::F32 | DType::F64) | (DType::F32, DType::F64) => true,
            (DType::U8 | DType::I8 | DType::Bool, DType::I32 | DType::I64) | (DType::I32, DType::I64) => true,
            _ => false,
        };
        if !lossless {
            fail!("to_vec", "the elements are {}, {} was asked for", self.dtype(), T::DTYPE;
                  help = "convert them first: `.to(DType::{:?})`", T::DTYPE);
        }
        crate::backend::carry::read(&self.detach())
    }

    /// The single element as f64, whatever the dtype; [`item_i64`](Tensor::item_i64) is exact for all integers.
    ///
    /// # Panics
    /// When there is not exactly one element, or it is an integer that f64 cannot hold.
    #[track_caller]
    pub fn item(&self) -> f64 {
        if self.len() != 1 {
            fail!("item", "one element was expected, {:?} has {}", self.shape(), self.len());
        }
        if self.dtype() == DType::I64 {
            let v = self.item_i64();
            if v as f64 as i128 != v as i128 {
                fail!("item", "f64 cannot hold {v}"; help = "`item_i64` is exact for every integer");
            }
            return v as f64;
        }
        crate::backend::carry::first(self)
    }

    /// The single element of integers or bool, exactly.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![i64::MAX].item_i64(), i64::MAX);
    /// assert_eq!(tensor![true].item_i64(), 1);
    /// ```
    /// # Panics
    /// When there is not exactly one element, or it is a float.
    #[track_caller]
    pub fn item_i64(&self) -> i64 {
        if self.len() != 1 {
            fail!("item_i64", "one element was expected, {:?} has {}", self.shape(), self.len());
        }
        if self.dtype().is_float() {
            fail!("item_i64", "integers are needed, this is {}", self.dtype(); help = "use `item`, or convert it with `.to(DType::I64)`");
        }
        crate::backend::carry::read::<i64>(&self.detach())[0]
    }

    /// The same leaf with other values of the same shape and dtype: how a parameter is loaded or updated as a whole.
    ///
    /// # Panics
    /// When shape or dtype differ.
    #[track_caller]
    pub fn replace(&mut self, values: &Tensor) {
        if self.shape() != values.shape() || self.dtype() != values.dtype() {
            fail!(
                "replace",
                "{:?} of {} cannot take the values of {:?} of {}",
                self.shape(),
                self.dtype(),
                values.shape(),
                values.dtype()
            );
        }
        let values = values.detach().contiguous();
        let origin = match &self.0.origin {
            Origin::Leaf(id, kind) => Origin::Leaf(*id, *kind),
            _ => Origin::Constant,
        };
        self.0 = Shared::new(Inner { origin, ..(*values.0).clone() });
    }

    /// Whether every element is finite; integers always are.
    pub fn is_finite(&self) -> bool {
        !self.dtype().is_float() || self.device().backend().is_finite(self)
    }
}

#[test]
fn writing_copies_only_when_shared_and_keeps_the_leaf() {
    let mut x = Tensor::ones([3]).parameter();
    let id = x.leaf_id();
    let address = x.storage().address();
    x.as_mut_slice::<f32>()[1] = 5.0;
    assert_eq!((x.storage().address(), x.leaf_id()), (address, id));
    let other = x.clone();
    x.as_mut_slice::<f32>()[1] = 7.0;
    assert_ne!(x.storage().address(), address);
    assert_eq!((x.leaf_id(), x.to_vec::<f32>()[1], other.to_vec::<f32>()[1]), (id, 7.0, 5.0));
}
