//! The device `shape`: it computes the shapes and dtypes of results and no numbers, so that what a model would need is
//! known before there is memory for any of it.

use super::{Backend, Buffer, Direction, MapOp, Order, Reduction, Window};
use crate::random::{Distribution, Draw};
use crate::scalar::Scalar;
use crate::shape::Shape;
use crate::{DType, Device, Layout, Tensor, fail};

/// See [`Device::shape`].
pub(crate) struct Outline;

/// The outline of a tensor.
fn outline(shape: &Shape, dtype: DType) -> Tensor {
    Tensor::from_buffer(Device::shape(), Buffer::new(()), *shape, dtype)
}

/// The dtype of sums: integers are summed in i64.
fn of_sums(x: &Tensor) -> DType {
    if x.dtype().is_float() { x.dtype() } else { DType::I64 }
}

impl Backend for Outline {
    fn name(&self) -> &'static str {
        "shape"
    }
    fn has_numbers(&self) -> bool {
        false
    }
    fn fill(&self, _: Scalar, shape: &Shape, dtype: DType) -> Tensor {
        outline(shape, dtype)
    }
    fn write(&self, _: &[u8], shape: &Shape, dtype: DType) -> Tensor {
        outline(shape, dtype)
    }
    fn read(&self, x: &Tensor, _: &mut [u8]) {
        fail!("read", "the device `shape` holds no numbers, this is the outline of {:?} {}", x.shape(), x.dtype();
              help = "compute on another device, such as `Device::cpu()`")
    }
    fn copy(&self, _: &Tensor, _: &mut Tensor, _: &Layout) {}
    fn within(&self, _: &Tensor, _: usize) -> Result<(), (usize, i64)> {
        Ok(())
    }
    fn is_finite(&self, _: &Tensor) -> bool {
        true
    }
    fn map(&self, _: &dyn MapOp, _: &[&Tensor], shape: &Shape, dtype: DType) -> Tensor {
        outline(shape, dtype)
    }
    fn reduce(&self, kind: Reduction, x: &Tensor, mask: &[bool]) -> Tensor {
        let left: Shape = x.shape().iter().zip(mask).filter(|(_, gone)| !**gone).map(|(n, _)| *n).collect();
        outline(
            &left,
            match kind {
                Reduction::ArgMax | Reduction::ArgMin => DType::I64,
                Reduction::Sum | Reduction::Product => of_sums(x),
                Reduction::Max | Reduction::Min => x.dtype(),
            },
        )
    }
    fn scan(&self, x: &Tensor, _: usize, _: Direction) -> Tensor {
        outline(x.shape_of(), of_sums(x))
    }
    fn matmul(&self, a: &Tensor, b: &Tensor) -> Tensor {
        outline(&a.shape_of().with(a.rank() - 1, b.shape()[b.rank() - 1]), a.dtype())
    }
    fn gather(&self, x: &Tensor, _: usize, index: &Tensor) -> Tensor {
        outline(index.shape_of(), x.dtype())
    }
    fn scatter_add(&self, x: Tensor, _: usize, _: &Tensor, _: &Tensor) -> Tensor {
        outline(x.shape_of(), x.dtype())
    }
    fn index_select(&self, x: &Tensor, axis: usize, index: &Tensor) -> Tensor {
        outline(&x.shape_of().with(axis, index.len()), x.dtype())
    }
    fn index_add(&self, x: Tensor, _: usize, _: &Tensor, _: &Tensor) -> Tensor {
        outline(x.shape_of(), x.dtype())
    }
    fn argsort(&self, x: &Tensor, _: usize, _: Order) -> Tensor {
        outline(x.shape_of(), DType::I64)
    }
    fn window(&self, x: &Tensor, window: &Window) -> Tensor {
        let [n, c, h, w] = x.dims();
        let [oh, ow] = window.out([h, w]).expect("checked by the caller");
        outline(&Shape::new(&[n, c * window.kernel[0] * window.kernel[1], oh * ow]), x.dtype())
    }
    fn window_transpose(&self, cols: &Tensor, window: &Window, [h, w]: [usize; 2]) -> Tensor {
        let [n, rows, _] = cols.dims();
        outline(&Shape::new(&[n, rows / (window.kernel[0] * window.kernel[1]), h, w]), cols.dtype())
    }
    fn random(&self, _: Draw, _: Distribution, shape: &Shape, dtype: DType) -> Tensor {
        outline(shape, dtype)
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use crate::{check::far, ops};

    /// Every operation on every sample: what the CPU computes, `shape` foresees; and what `far` computes is near it.
    #[test]
    fn shapes_are_foreseen_and_a_far_device_computes_the_same() {
        let (mut foreseen, mut computed) = (0, 0);
        for kind in ops::OPS {
            for dtype in [DType::F64, DType::F32, DType::F16, DType::I64, DType::U8, DType::Bool] {
                for (i, sample) in kind.samples(dtype, 3).iter().enumerate() {
                    let what = || format!("{} {i} of {dtype}: {sample:?}", kind.name);
                    let on = |device: Device| {
                        seed(5);
                        let inputs = sample.inputs.iter().map(|x| x.to_device(device)).collect::<Vec<_>>();
                        let y = catch(|| device.scope(|| (sample.call)(&inputs)));
                        y.unwrap_or_else(|e| panic!("on {device:?}, {}: {e}", what()))
                    };
                    let y = on(Device::cpu());
                    if kind.name != "to_device" {
                        let outline = on(Device::shape());
                        assert_eq!((outline.shape(), outline.dtype()), (y.shape(), y.dtype()), "{}", what());
                        assert_eq!(outline.device(), Device::shape(), "{}", what());
                        foreseen += 1;
                    }
                    if matches!(dtype, DType::F64 | DType::I64 | DType::U8 | DType::Bool) {
                        let far = on(far::device());
                        assert_eq!((far.shape(), far.dtype()), (y.shape(), y.dtype()), "{}", what());
                        crate::check::assert_tensors_close(&far, &y, 1e-8, 1e-8, &what());
                        computed += 1;
                    }
                }
            }
        }
        println!("{foreseen} results foreseen, {computed} computed on `far`");
    }

    #[test]
    fn outlines_need_no_memory_and_tell_so() {
        let y =
            Device::shape().scope(|| Tensor::ones([1 << 30, 1 << 20]).matmul(&Tensor::zeros([1 << 20, 7])));
        assert_eq!(y.shape(), [1 << 30, 7]);
        let e = catch(|| y.sum(..).item()).unwrap_err();
        assert_eq!(e.message(), "read: the device `shape` holds no numbers, this is the outline of [] f32");
    }
}
