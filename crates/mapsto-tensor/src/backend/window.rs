//! Windows that slide over images: their sizes, and how many fit.

use crate::shape::product;

/// A size along each of `D` axes: `3` means 3 along each of them, `[3, 5]` one an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerAxis<const D: usize>(pub [usize; D]);

/// Rows and columns: `3` means 3 × 3, `[3, 5]` means 3 × 5.
pub type Size2 = PerAxis<2>;

impl<const D: usize> From<usize> for PerAxis<D> {
    fn from(n: usize) -> PerAxis<D> {
        PerAxis([n; D])
    }
}
impl<const D: usize> From<[usize; D]> for PerAxis<D> {
    fn from(n: [usize; D]) -> PerAxis<D> {
        PerAxis(n)
    }
}

/// Windows of `kernel` points, `dilation` apart, every `stride` points of an image with `padding` points around it.
///
/// ```
/// use mapsto_tensor::ops::Window;
/// assert_eq!(Window::new(3).out([28, 28]), Some([26, 26]));
/// assert_eq!(Window::new(3).stride(2).padding(1).out([28, 28]), Some([14, 14]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns of a window.
    pub kernel: [usize; 2],
    /// Rows and columns from one window to the next.
    pub stride: [usize; 2],
    /// Rows and columns added on each side of the image.
    pub padding: [usize; 2],
    /// Rows and columns from one point of a window to the next.
    pub dilation: [usize; 2],
}

impl Window {
    /// Dense windows at every place where they fit.
    pub fn new(kernel: impl Into<Size2>) -> Window {
        Window { kernel: kernel.into().0, stride: [1, 1], padding: [0, 0], dilation: [1, 1] }
    }

    /// With another distance between windows.
    pub fn stride(self, stride: impl Into<Size2>) -> Window {
        Window { stride: stride.into().0, ..self }
    }

    /// With points around the image.
    pub fn padding(self, padding: impl Into<Size2>) -> Window {
        Window { padding: padding.into().0, ..self }
    }

    /// With another distance between the points of a window.
    pub fn dilation(self, dilation: impl Into<Size2>) -> Window {
        Window { dilation: dilation.into().0, ..self }
    }

    /// How many windows there are in each direction, `(size + 2·padding − dilation·(kernel − 1) − 1) / stride + 1`, of
    /// an image of `[h, w]` points; none if not even one fits, a size is 0, or the points of a window, of the padded image
    /// or of the result cannot be counted.
    pub fn out(&self, image: [usize; 2]) -> Option<[usize; 2]> {
        let (mut out, mut rooms) = ([0; 2], [0; 2]);
        for d in 0..2 {
            if self.kernel[d] == 0 || self.stride[d] == 0 || self.dilation[d] == 0 {
                return None;
            }
            let reach = (self.kernel[d] - 1).checked_mul(self.dilation[d])?.checked_add(1)?;
            let room = image[d].checked_add(self.padding[d].checked_mul(2)?)?;
            out[d] = room.checked_sub(reach)? / self.stride[d] + 1;
            rooms[d] = room;
        }
        // If the places of the padded image can be counted, so can the windows, which are fewer.
        (product(&self.kernel).is_some() && product(&rooms).is_some()).then_some(out)
    }
}
