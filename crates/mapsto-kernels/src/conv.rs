//! Two-dimensional convolution (in the field's sense: cross-correlation) and its two derivatives, mostly without im2col.
//!
//! The direct way (`direct.rs`) covers every shape; Winograd's (`winograd.rs`) takes 3 × 3 kernels of stride 1 in f32 below the
//! number of multiplications in the definition; small images and strided gradients are one matrix product over the batch
//! (`batch.rs`), and depthwise kernels are stencils (`depthwise.rs`). `fastest.rs` chooses by shape.
//!
//! Measured (`cargo bench -p mapsto-kernels conv`, f32, one core of a Sapphire Rapids Xeon whose registers reach
//! 180 GFLOP/s, on a shared machine), 64 images, 3 × 3 taps, 32 → 64 channels of 14 × 14: directly forward 3.0 ms
//! (154 GFLOP/s), data 3.5 ms, weights 3.3 ms; in Winograd's points 1.8, 1.6 and 2.0 ms. 1 → 32 channels of 28 × 28,
//! directly: forward 0.59 ms, weights 0.53 ms, both bound by memory.

mod batch;
mod broadcast;
mod channels_last;
mod depthwise;
mod direct;
mod dots;
mod ending;
mod exact;
mod fastest;
mod multiply;
mod packed;
mod planes;
mod shifted;
mod weight;
mod window;
mod winograd;

pub use ending::{Ending, Norm};
pub use packed::Packed;
pub use window::{window, window_transpose};

use crate::elements::elements;
use crate::gemm::Gemm;
use fastest::Way;

/// The numbers images are made of, f32 and f64, for each of which the convolutions are compiled once (see [`Gemm`]).
pub trait Conv: Gemm {
    /// How images of this shape are convolved.
    fn way(s: &ConvShape) -> Way;
    /// [`Packed::new`], its length checked.
    fn pack(s: &ConvShape, w: &[Self]) -> Packed<Self>;
    /// [`conv2d_packed`], its lengths checked.
    fn forward(
        s: &ConvShape,
        x: &[Self],
        w: &[Self],
        packed: &Packed<Self>,
        ending: &Ending<Self>,
        y: &mut [Self],
    );
    /// [`conv2d_data`], its lengths checked.
    fn data(s: &ConvShape, g: &[Self], w: &[Self], dx: &mut [Self]);
    /// [`conv2d_weight`], its lengths checked.
    fn weights(s: &ConvShape, x: &[Self], g: &[Self], dw: &mut [Self]);
}

macro_rules! conv {
    ($t:ty, $ways:ident) => {
        impl Conv for $t {
            fn way(s: &ConvShape) -> Way {
                $ways::way(s)
            }
            #[inline(never)]
            fn pack(s: &ConvShape, w: &[$t]) -> Packed<$t> {
                $ways::pack(s, w)
            }
            #[inline(never)]
            fn forward(
                s: &ConvShape,
                x: &[$t],
                w: &[$t],
                packed: &Packed<$t>,
                ending: &Ending<$t>,
                y: &mut [$t],
            ) {
                $ways::forward(s, x, w, packed, ending, y)
            }
            #[inline(never)]
            fn data(s: &ConvShape, g: &[$t], w: &[$t], dx: &mut [$t]) {
                $ways::data(s, g, w, dx)
            }
            #[inline(never)]
            fn weights(s: &ConvShape, x: &[$t], g: &[$t], dw: &mut [$t]) {
                $ways::weights(s, x, g, dw)
            }
        }
    };
}
// Only f32 has the ways that trade digits for speed.
conv!(f32, fastest);
conv!(f64, exact);

/// The sizes of a convolution: x is `[n, c_in, h, w]`, w is `[c_out, c_in / groups, kernel…]`, y is `[n, c_out, out…]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Images.
    pub n: usize,
    /// Input channels.
    pub c_in: usize,
    /// Rows of an image.
    pub h: usize,
    /// Columns of an image.
    pub w: usize,
    /// Output channels.
    pub c_out: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Input rows and columns from one output to the next.
    pub stride: [usize; 2],
    /// Zeros put before the first and after the last row and column.
    pub padding: [usize; 2],
    /// Input rows and columns from one tap of the kernel to the next.
    pub dilation: [usize; 2],
    /// Parts into which the channels are split, each convolved alone.
    pub groups: usize,
}

impl ConvShape {
    /// Rows and columns of the output: `(h + 2·padding - dilation·(kernel - 1) - 1) / stride + 1`.
    ///
    /// ```
    /// # use mapsto_kernels::conv::ConvShape;
    /// let s = ConvShape { n: 1, c_in: 1, h: 28, w: 28, c_out: 32, kernel: [3, 3], stride: [2, 2],
    ///     padding: [1, 1], dilation: [1, 1], groups: 1 };
    /// assert_eq!((s.out(), s.macs()), ([14, 14], 32 * 14 * 14 * 9));
    /// ```
    ///
    /// # Panics
    /// If the kernel is larger than the padded image, a stride or a kernel's side is 0, or a padded side is past counting.
    pub fn out(&self) -> [usize; 2] {
        std::array::from_fn(|d| {
            let (size, p) = ([self.h, self.w][d], self.padding[d]);
            assert!(
                self.stride[d] > 0 && self.kernel[d] > 0 && self.dilation[d] > 0,
                "convolution: a size 0 in {self:?}"
            );
            let reach = self.dilation[d].saturating_mul(self.kernel[d] - 1).saturating_add(1);
            let padded = p.saturating_mul(2).saturating_add(size);
            assert!(
                padded.max(self.stride[d]) <= MOST,
                "convolution: {size} + 2·{p} inputs by a stride of {} are too many to count",
                self.stride[d]
            );
            assert!(reach <= padded, "convolution: a kernel of reach {reach} on {size} + 2·{p} inputs");
            (padded - reach) / self.stride[d] + 1
        })
    }

    /// Multiply-adds of the forward pass: `n · c_out · out · (c_in / groups) · kernel`.
    pub fn macs(&self) -> usize {
        let [oh, ow] = self.out();
        elements([self.n, self.c_out, oh, ow, self.taps()])
    }

    /// Terms of one output: input channels of a group × kernel.
    fn taps(&self) -> usize {
        elements([self.c_in / self.groups, self.kernel[0], self.kernel[1]])
    }

    /// Input and output channels of a group.
    fn per_group(&self) -> (usize, usize) {
        (self.c_in / self.groups, self.c_out / self.groups)
    }

    fn check(&self, x: usize, w: usize, y: usize) {
        let g = self.groups;
        assert!(g > 0, "convolution: 0 groups");
        assert!(
            self.c_in.is_multiple_of(g) && self.c_out.is_multiple_of(g),
            "convolution: channels do not split into {g} groups: {self:?}"
        );
        let [oh, ow] = self.out();
        assert_eq!(
            x,
            elements([self.n, self.c_in, self.h, self.w]),
            "convolution: elements of the input of {self:?}"
        );
        assert_eq!(
            w,
            elements([self.c_out, self.taps()]),
            "convolution: elements of the weights of {self:?}"
        );
        assert_eq!(
            y,
            elements([self.n, self.c_out, oh, ow]),
            "convolution: elements of the output of {self:?}"
        );
    }

    /// In how many parts of output rows an image is computed, so that few images still share out.
    fn parts(&self, panels: usize) -> usize {
        (16 / elements([self.n, self.groups]).max(1)).clamp(1, panels)
    }
}

/// The largest padded side and stride: sums of some of them, with their signs, fit a word.
const MOST: usize = isize::MAX as usize / 4;

/// `y[n, o, p] = ending(Σ w[o, c, i, j] · x[n, c, p·stride + (i, j)·dilation - padding])`.
///
/// ```
/// # use mapsto_kernels::conv::{ConvShape, Ending, conv2d};
/// let s = ConvShape { n: 1, c_in: 1, h: 2, w: 3, c_out: 1, kernel: [1, 2], stride: [1, 1],
///     padding: [0, 0], dilation: [1, 1], groups: 1 };
/// let mut y = [0.0f32; 4];
/// conv2d(&s, &[1., 2., 3., 4., 5., 6.], &[10., 1.], &Ending::none(), &mut y);
/// assert_eq!(y, [12., 23., 45., 56.]);
/// ```
///
/// # Panics
/// If a slice's length is not that of the shape.
pub fn conv2d<T: Conv>(s: &ConvShape, x: &[T], w: &[T], ending: &Ending<T>, y: &mut [T]) {
    s.check(x.len(), w.len(), y.len());
    if y.is_empty() {
        return ending.check(s.c_out, 0);
    }
    conv2d_packed(s, x, w, &Packed::new(s, w), ending, y)
}

/// [`conv2d`] by weights `w` of which [`Packed::new`] has made its copy before: for weights that are used again and again.
///
/// # Panics
/// If a slice's length is not that of the shape, or the packed weights do not fit it.
pub fn conv2d_packed<T: Conv>(
    s: &ConvShape,
    x: &[T],
    w: &[T],
    packed: &Packed<T>,
    ending: &Ending<T>,
    y: &mut [T],
) {
    s.check(x.len(), w.len(), y.len());
    ending.check(s.c_out, y.len());
    assert!(packed.fits(s), "conv2d: weights packed for another shape or processor than {s:?}");
    if !y.is_empty() {
        T::forward(s, x, w, packed, ending, y)
    }
}

/// The gradient of the input, from the gradient `g` of the output: `dx[n, c, q] = Σ w[o, c, i, j] · g[n, o, p]` over the
/// (o, i, j, p) whose tap falls on q; `dx` is overwritten.
///
/// Each phase of the stride is a convolution of stride 1 over `g` with the taps that reach that phase.
///
/// # Panics
/// If a slice's length is not that of the shape.
pub fn conv2d_data<T: Conv>(s: &ConvShape, g: &[T], w: &[T], dx: &mut [T]) {
    s.check(dx.len(), w.len(), g.len());
    if dx.is_empty() {
        return;
    }
    if g.is_empty() {
        return dx.fill(T::default());
    }
    T::data(s, g, w, dx)
}

/// The gradient of the weights: `dw[o, c, i, j] = Σ x[n, c, p·stride + (i, j)·dilation - padding] · g[n, o, p]` over
/// images and outputs; `dw` is overwritten.
///
/// # Panics
/// If a slice's length is not that of the shape.
pub fn conv2d_weight<T: Conv>(s: &ConvShape, x: &[T], g: &[T], dw: &mut [T]) {
    s.check(x.len(), dw.len(), g.len());
    if x.is_empty() || g.is_empty() {
        return dw.fill(T::default());
    }
    T::weights(s, x, g, dw)
}

#[cfg(test)]
mod tests;
