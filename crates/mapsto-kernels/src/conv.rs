//! Two-dimensional convolution (in the field's sense: cross-correlation) and its two derivatives, without im2col.
//!
//! There are two ways. The direct one (`direct.rs`) covers every shape; Winograd's (`winograd.rs`) takes 3 × 3 kernels of
//! stride 1 in f32 below the number of multiplications in the definition, and is chosen by shape in `fastest.rs`.
//!
//! Measured (`cargo bench -p mapsto-kernels conv`, f32, one core of a Sapphire Rapids Xeon whose registers reach
//! 180 GFLOP/s, on a shared machine), 64 images, 3 × 3 taps, 32 → 64 channels of 14 × 14: directly forward 3.0 ms
//! (154 GFLOP/s), data 3.5 ms, weights 3.3 ms; in Winograd's points 1.8, 1.6 and 2.0 ms. 1 → 32 channels of 28 × 28,
//! directly: forward 0.59 ms, weights 0.53 ms, both bound by memory.

mod broadcast;
mod channels_last;
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
mod tests {
    use super::*;
    use crate::gemm::Activation;
    use crate::simd::{Isa, with_isa};
    use crate::threads::with_threads;

    fn numbers(n: usize, seed: u64) -> Vec<f64> {
        let mut s = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            s ^= s << 13;
            s ^= s >> 7;
            s ^= s << 17;
            (s >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    /// Calls `f(y's index, x's index, w's index)` for each term of the definition.
    fn terms(s: &ConvShape, mut f: impl FnMut(usize, usize, usize)) {
        let ([oh, ow], (ci, co)) = (s.out(), s.per_group());
        for n in 0..s.n {
            for o in 0..s.c_out {
                for c in 0..ci {
                    for p in 0..oh * ow {
                        for t in 0..s.kernel[0] * s.kernel[1] {
                            let y = p / ow * s.stride[0] + t / s.kernel[1] * s.dilation[0];
                            let x = p % ow * s.stride[1] + t % s.kernel[1] * s.dilation[1];
                            let (Some(y), Some(x)) =
                                (y.checked_sub(s.padding[0]), x.checked_sub(s.padding[1]))
                            else {
                                continue;
                            };
                            if y < s.h && x < s.w {
                                let channel = n * s.c_in + o / co * ci + c;
                                let weight = (o * ci + c) * s.kernel[0] * s.kernel[1] + t;
                                f((n * s.c_out + o) * oh * ow + p, (channel * s.h + y) * s.w + x, weight);
                            }
                        }
                    }
                }
            }
        }
    }

    fn shapes() -> Vec<ConvShape> {
        let base = ConvShape {
            n: 2,
            c_in: 3,
            h: 9,
            w: 11,
            c_out: 5,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
            groups: 1,
        };
        vec![
            base,
            ConvShape { n: 1, c_out: 40, ..base },
            ConvShape { n: 17, c_in: 1, h: 6, w: 5, c_out: 1, ..base },
            ConvShape { kernel: [1, 1], padding: [0, 0], c_in: 9, c_out: 20, ..base },
            ConvShape { kernel: [1, 1], padding: [0, 0], stride: [2, 2], ..base },
            ConvShape { kernel: [5, 2], padding: [0, 3], ..base },
            ConvShape { stride: [2, 2], ..base },
            ConvShape { stride: [3, 2], kernel: [2, 5], padding: [0, 2], ..base },
            ConvShape { dilation: [2, 3], padding: [2, 3], ..base },
            ConvShape { dilation: [3, 2], stride: [2, 3], padding: [1, 0], kernel: [2, 3], ..base },
            ConvShape { c_in: 6, c_out: 4, groups: 2, stride: [2, 1], ..base },
            ConvShape { c_in: 6, c_out: 6, groups: 6, ..base },
            ConvShape { c_in: 2, c_out: 70, kernel: [2, 2], padding: [0, 0], ..base },
            ConvShape { h: 3, w: 3, kernel: [3, 3], padding: [0, 0], ..base },
            ConvShape { h: 1, w: 40, kernel: [1, 3], padding: [0, 1], c_in: 20, ..base },
            ConvShape { h: 5, w: 4, kernel: [2, 2], padding: [3, 2], ..base }, // more padding than the kernel reaches
            ConvShape { n: 3, h: 14, w: 14, c_in: 4, c_out: 16, ..base },
            ConvShape { n: 1, c_in: 150, c_out: 70, stride: [2, 2], ..base },
            ConvShape { n: 1, c_in: 32, c_out: 300, h: 5, w: 5, kernel: [3, 1], dilation: [2, 1], ..base },
            ConvShape {
                n: 2,
                h: 30,
                w: 31,
                kernel: [7, 7],
                stride: [2, 2],
                padding: [3, 3],
                c_out: 64,
                ..base
            },
        ]
    }

    /// Shapes that are convolved in Winograd's points: uneven tiles and channels, any padding, pieces of many channels.
    fn winograd_shapes() -> Vec<ConvShape> {
        let base = ConvShape { n: 3, c_in: 16, h: 14, w: 14, c_out: 32, ..shapes()[0] };
        vec![
            base,
            ConvShape { n: 11, h: 4, w: 6, c_in: 17, c_out: 20, ..base },
            ConvShape { padding: [0, 2], h: 13, w: 9, c_out: 70, ..base },
            ConvShape { padding: [2, 0], h: 11, w: 12, c_in: 33, c_out: 16, ..base },
            ConvShape { n: 1, h: 23, w: 17, c_in: 150, c_out: 24, ..base },
            ConvShape { n: 9, h: 7, w: 7, c_in: 40, c_out: 100, ..base },
        ]
    }

    fn compare<T: Conv>(
        s: &ConvShape,
        from: impl Fn(f64) -> T + Copy,
        to: impl Fn(T) -> f64,
        tolerance: f64,
    ) {
        let (x, w) = (numbers(s.n * s.c_in * s.h * s.w, 1), numbers(s.c_out * s.taps(), 2));
        let (bias, outs) = (numbers(s.c_out, 3), s.out()[0] * s.out()[1]);
        let g = numbers(s.n * s.c_out * outs, 4);
        let (mut y0, mut dx0, mut dw0) = (vec![0.0; g.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
        terms(s, |y, i, t| {
            y0[y] += x[i] * w[t];
            dx0[i] += g[y] * w[t];
            dw0[t] += g[y] * x[i];
        });
        let cast = |v: &[f64]| v.iter().map(|&v| from(v)).collect::<Vec<T>>();
        let close = |got: &[T], want: &[f64], what: &str| {
            // Sums of many terms have errors of the size of their terms, not of their own.
            let size = (want.iter().map(|x| x * x).sum::<f64>() / want.len().max(1) as f64).sqrt();
            for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
                let most = tolerance * size.max(want.abs());
                assert!((to(got) - want).abs() <= most, "{what} {s:?} at {i}: {} {want}", to(got));
            }
        };
        let (x, w, b, g) = (cast(&x), cast(&w), cast(&bias), cast(&g));
        let (mean, scale) = (cast(&numbers(s.c_out, 7)), cast(&numbers(s.c_out, 5)));
        let (shift, add) = (cast(&numbers(s.c_out, 8)), cast(&numbers(g.len(), 6)));
        let norm = Norm { mean: &mean, scale: &scale, shift: &shift };
        let all = Ending { bias: Some(&b), norm: Some(norm), add: Some(&add), activation: Activation::Relu };
        let run = |threads| {
            let junk = from(f64::NAN);
            let (mut y, mut dx, mut dw) = (vec![junk; g.len()], vec![junk; x.len()], vec![junk; w.len()]);
            let mut z = y.clone();
            with_threads(threads, || {
                conv2d(s, &x, &w, &Ending::none(), &mut y);
                conv2d(s, &x, &w, &all, &mut z);
                // What follows has the same bits in a pass of its own.
                let mut one_by_one = y.clone();
                all.pass(&mut one_by_one, s.c_out, s.out().iter().product());
                assert!(z == one_by_one, "{s:?}: a pass of two has other bits than two passes");
                conv2d_data(s, &g, &w, &mut dx);
                conv2d_weight(s, &x, &g, &mut dw);
            });
            [y, z, dx, dw]
        };
        let one = run(1);
        close(&one[0], &y0, "y");
        let z0: Vec<f64> = y0
            .iter()
            .enumerate()
            .map(|(i, y)| {
                let c = i / outs % s.c_out;
                ((y + bias[c] - to(mean[c])) * to(scale[c]) + to(shift[c]) + to(add[i])).max(0.0)
            })
            .collect();
        close(&one[1], &z0, "relu((y + bias − mean) · scale + shift + add)");
        close(&one[2], &dx0, "dx");
        close(&one[3], &dw0, "dw");
        for threads in [2, 8] {
            assert!(run(threads) == one, "{s:?}: {threads} threads give other bits");
        }
    }

    #[test]
    fn convolutions_and_their_gradients_agree_with_the_definition_in_every_family() {
        for &isa in Isa::available() {
            with_isa(isa, || {
                for s in shapes() {
                    compare(&s, |x| x as f32, |x| x as f64, 2e-5);
                    compare(&s, |x| x, |x| x, 1e-12);
                }
            });
        }
    }

    #[test]
    fn winograds_way_agrees_with_the_definition_in_every_family() {
        for &isa in Isa::available() {
            with_isa(isa, || {
                for s in winograd_shapes() {
                    assert!(winograd::pays(&s));
                    compare(&s, |x| x as f32, |x| x as f64, 2e-5);
                }
            });
        }
    }

    #[test]
    fn windows_are_the_matrix_of_a_convolution_and_the_transpose_is_its_adjoint() {
        for s in shapes() {
            let outs = s.out()[0] * s.out()[1];
            let x = numbers(s.n * s.c_in * s.h * s.w, 1);
            let k = s.kernel[0] * s.kernel[1];
            let mut cols = vec![f64::NAN; s.n * s.c_in * k * outs];
            window(&s, &x, &mut cols);
            let other = numbers(cols.len(), 2);
            let mut back = vec![f64::NAN; x.len()];
            window_transpose(&s, &other, &mut back);
            // One output channel that sums nothing: a depthwise shape whose terms are the copies themselves.
            let copies = ConvShape { c_out: s.c_in, groups: s.c_in, ..s };
            let (mut cols0, mut back0) = (vec![0.0; cols.len()], vec![0.0; x.len()]);
            terms(&copies, |y, i, t| {
                let at = (y / outs * k + t % k) * outs + y % outs;
                cols0[at] = x[i];
                back0[i] += other[at];
            });
            assert_eq!(cols, cols0, "{s:?}");
            assert!(back.iter().zip(&back0).all(|(a, b)| (a - b).abs() < 1e-13), "{s:?}");
        }
    }

    #[test]
    fn no_images_give_no_output_and_a_zero_gradient() {
        let s = ConvShape { n: 0, ..shapes()[0] };
        let w = vec![1.0f32; s.c_out * s.taps()];
        let mut dw = vec![f32::NAN; w.len()];
        conv2d(&s, &[], &w, &Ending::none(), &mut []);
        conv2d_data(&s, &[], &w, &mut []);
        conv2d_weight(&s, &[], &[], &mut dw);
        assert!(dw.iter().all(|&d| d == 0.0));
    }
}
