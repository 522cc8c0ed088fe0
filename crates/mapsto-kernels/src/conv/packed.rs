//! Weights in the form in which a convolution reads them, made once for many uses.

use super::fastest::{Way, way};
use super::{Conv, ConvShape};
use crate::elements::elements;
use crate::simd::{Isa, isa};
use crate::workspace::Scratch;

/// A convolution's weights as its fastest way wants them: in panels, or in Winograd's points.
///
/// ```
/// # use mapsto_kernels::conv::{ConvShape, Ending, Packed, conv2d_packed};
/// let s = ConvShape { n: 1, c_in: 1, h: 1, w: 3, c_out: 1, kernel: [1, 2], stride: [1, 1],
///     padding: [0, 0], dilation: [1, 1], groups: 1 };
/// let w = [10.0f32, 1.0];
/// let packed = Packed::new(&s, &w);
/// let mut y = [0.0; 2];
/// conv2d_packed(&s, &[1., 2., 3.], &w, &packed, &Ending::none(), &mut y);
/// assert_eq!(y, [12., 23.]);
/// ```
pub struct Packed<T> {
    pub(super) way: Way,
    /// None where the weights are used as they are.
    pub(super) data: Option<Scratch<T>>,
    /// Output channels, input channels of a group, and the kernel.
    sizes: [usize; 4],
    isa: Isa,
}

impl<T: Conv> Packed<T> {
    /// Of the weights `w` for images of this shape.
    ///
    /// # Panics
    /// If `w` has another length than the shape's weights.
    pub fn new(s: &ConvShape, w: &[T]) -> Packed<T> {
        assert_eq!(w.len(), elements([s.c_out, s.taps()]), "conv2d: elements of the weights of {s:?}");
        T::pack(s, w)
    }

    /// Whether they are what images of this shape want, on this processor.
    pub fn fits(&self, s: &ConvShape) -> bool {
        self.sizes == sizes(s) && self.isa == isa() && self.way == T::way(s)
    }

    /// Of weights that are used as they are.
    pub(crate) fn none(s: &ConvShape) -> Packed<T> {
        Packed { way: Way::Direct, data: None, sizes: sizes(s), isa: isa() }
    }
}

impl Packed<f32> {
    pub(super) fn made(s: &ConvShape, data: Option<Scratch<f32>>) -> Packed<f32> {
        Packed { way: way(s), data, sizes: sizes(s), isa: isa() }
    }
}

fn sizes(s: &ConvShape) -> [usize; 4] {
    [s.c_out, s.c_in / s.groups, s.kernel[0], s.kernel[1]]
}
