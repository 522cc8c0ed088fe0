//! Pooling: the largest or the mean of each window, and both derivatives; windows of images here, those of volumes in `spans`.

mod channels_last;
mod largest;
mod mean;
mod row;
mod spans;

pub use channels_last::{avg_pool2d_channels_last, max_pool2d_channels_last};
pub(crate) use largest::{add_at, beats, larger};
pub use largest::{max_pool2d, max_pool2d_backward, max_pool2d_values};
pub use mean::{avg_pool2d, avg_pool2d_backward};
pub use spans::{
    Divisors, Span, Spans, max_pool_spans, max_pool_spans_backward, max_pool_spans_values, mean_pool_spans,
    mean_pool_spans_backward,
};

use crate::elements::elements;

/// The sizes of a pooling: x is `[planes, h, w]`, y is `[planes, out…]`; a plane is one channel of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolShape {
    /// Images × channels.
    pub planes: usize,
    /// Rows of a plane.
    pub h: usize,
    /// Columns of a plane.
    pub w: usize,
    /// Rows and columns of a window.
    pub kernel: [usize; 2],
    /// Rows and columns from one window to the next.
    pub stride: [usize; 2],
    /// Rows and columns by which the first windows reach out of the plane, at most half a window.
    pub padding: [usize; 2],
}

impl PoolShape {
    /// Rows and columns of the output: `(h + 2·padding - kernel) / stride + 1`.
    ///
    /// ```
    /// # use mapsto_kernels::pool::PoolShape;
    /// let s = PoolShape { planes: 64, h: 28, w: 28, kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
    /// assert_eq!(s.out(), [14, 14]);
    /// ```
    ///
    /// # Panics
    /// If a window is larger than the padded plane or smaller than twice the padding, or a size or a stride is 0.
    pub fn out(&self) -> [usize; 2] {
        std::array::from_fn(|d| {
            let (size, k, s, p) = ([self.h, self.w][d], self.kernel[d], self.stride[d], self.padding[d]);
            assert!(s > 0 && k > 0, "pooling: a size 0 in {self:?}");
            assert!(p <= k / 2, "pooling: padding {p} is more than half the window {k}");
            assert!(size > 0, "pooling: {} × {} inputs are none", self.h, self.w);
            let padded = p.saturating_mul(2).saturating_add(size);
            assert!(
                padded <= isize::MAX as usize / 4,
                "pooling: {size} + 2·{p} inputs are too many to count"
            );
            assert!(k <= padded, "pooling: a window of {k} on {size} + 2·{p} inputs");
            (padded - k) / s + 1
        })
    }

    fn check(&self, x: usize, y: usize) -> [usize; 2] {
        let [oh, ow] = self.out();
        assert_eq!(x, elements([self.planes, self.h, self.w]), "pooling: elements of the input of {self:?}");
        assert_eq!(y, elements([self.planes, oh, ow]), "pooling: elements of the output of {self:?}");
        [oh, ow]
    }

    /// The part of output `i`'s window in direction `d` that lies in the plane.
    fn inside(&self, d: usize, i: usize) -> std::ops::Range<usize> {
        let (start, size) = (i * self.stride[d], [self.h, self.w][d]);
        start.saturating_sub(self.padding[d])..(start + self.kernel[d] - self.padding[d]).min(size)
    }

    /// For each row of outputs and each point of its windows, in order: `f(outputs, input of the first)` for those whose
    /// point lies in the plane; their inputs are a stride apart. So the inner loop is over outputs, not over a window.
    #[inline(always)]
    fn points(&self, [oh, ow]: [usize; 2], mut f: impl FnMut(std::ops::Range<usize>, usize)) {
        for p in 0..oh {
            for r in self.inside(0, p) {
                // The points that some output has in the plane: a window may be far wider.
                let last = (ow - 1) * self.stride[1];
                for j in self.padding[1].saturating_sub(last)..self.kernel[1].min(self.padding[1] + self.w) {
                    // Outputs q with padding ≤ q·stride + j < padding + w.
                    let from = self.padding[1].saturating_sub(j).div_ceil(self.stride[1]).min(ow);
                    let to =
                        (self.padding[1] + self.w).saturating_sub(j).div_ceil(self.stride[1]).clamp(from, ow);
                    if from < to {
                        f(
                            p * ow + from..p * ow + to,
                            r * self.w + from * self.stride[1] + j - self.padding[1],
                        );
                    }
                }
            }
        }
    }

    /// The windows as lists.
    fn spans(&self) -> Spans {
        let [oh, ow] = self.out();
        let of = |r: std::ops::Range<usize>| Span { start: r.start, end: r.end, step: 1 };
        let along = |d: usize, n: usize| (0..n).map(|i| of(self.inside(d, i))).collect();
        Spans {
            planes: self.planes,
            size: [1, self.h, self.w],
            spans: [vec![of(0..1)], along(0, oh), along(1, ow)],
        }
    }

    fn is_halving(&self) -> bool {
        (self.kernel, self.stride, self.padding) == ([2, 2], [2, 2], [0, 0])
    }
}

/// Planes handled by one block: enough that a block is worth telling a thread about.
fn planes_together(s: &PoolShape) -> usize {
    (16_384 / elements([s.h, s.w]).max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemm::Activation;
    use crate::simd::{Isa, with_isa};
    use crate::threads::with_threads;

    fn shapes() -> Vec<PoolShape> {
        let base = PoolShape { planes: 70, h: 28, w: 28, kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
        vec![
            base,
            PoolShape { planes: 3, h: 7, w: 9, ..base },
            PoolShape { planes: 2, h: 8, w: 11, kernel: [3, 3], padding: [1, 1], ..base },
            PoolShape { h: 6, w: 5, kernel: [3, 2], stride: [1, 3], padding: [1, 0], ..base },
            PoolShape { planes: 2, h: 7, w: 7, kernel: [7, 7], ..base },
            PoolShape { planes: 0, ..base },
        ]
    }

    /// Numbers with many ties.
    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|i| (i * 7919 % 97 % 7) as f32 - 3.0).collect()
    }

    /// The inputs of each window, in order, as (index in x, index in its plane).
    fn windows(s: &PoolShape) -> Vec<Vec<(usize, i32)>> {
        let [oh, ow] = s.out();
        let mut all = Vec::new();
        for p in 0..s.planes * oh * ow {
            let (plane, r, c) = (p / (oh * ow), p / ow % oh, p % ow);
            let mut window = Vec::new();
            for i in 0..s.kernel[0] {
                for j in 0..s.kernel[1] {
                    let (y, x) = (r * s.stride[0] + i, c * s.stride[1] + j);
                    let (Some(y), Some(x)) = (y.checked_sub(s.padding[0]), x.checked_sub(s.padding[1]))
                    else {
                        continue;
                    };
                    if y < s.h && x < s.w {
                        window.push(((plane * s.h + y) * s.w + x, (y * s.w + x) as i32));
                    }
                }
            }
            all.push(window);
        }
        all
    }

    #[test]
    fn pooling_agrees_with_its_definition_on_any_number_of_threads_in_every_family() {
        for s in shapes() {
            let windows = windows(&s);
            let (x, g) = (numbers(s.planes * s.h * s.w), numbers(windows.len()));
            let size = (s.kernel[0] * s.kernel[1]) as f64;
            let (mut largest, mut first, mut mean) = (vec![], vec![], vec![]);
            let (mut dlargest, mut dmean) = (vec![0.0f64; x.len()], vec![0.0f64; x.len()]);
            let mut dpassed = dlargest.clone();
            for (window, &g) in windows.iter().zip(&g) {
                let max = window.iter().map(|w| x[w.0]).fold(f32::MIN, f32::max);
                let at = window.iter().find(|w| x[w.0] == max).unwrap();
                largest.push(max);
                first.push(at.1);
                dlargest[at.0] += g as f64;
                dpassed[at.0] += if max > 0.0 { g as f64 } else { 0.0 };
                mean.push(window.iter().map(|w| x[w.0] as f64).sum::<f64>() / size);
                window.iter().for_each(|w| dmean[w.0] += g as f64 / size);
            }
            let close = |a: &[f32], b: &[f64]| a.iter().zip(b).all(|(&a, b)| (a as f64 - b).abs() < 1e-5);
            for &isa in Isa::available() {
                for threads in [1, 2, 8] {
                    let (mut y, mut at) = (vec![f32::NAN; g.len()], vec![9; g.len()]);
                    let mut dx = vec![f32::NAN; x.len()];
                    with_isa(isa, || {
                        with_threads(threads, || {
                            max_pool2d(&s, &x, Activation::None, &mut y, &mut at);
                            assert_eq!((&y, &at), (&largest, &first), "{s:?}");
                            max_pool2d_backward(&s, &g, &at, None, &mut dx);
                            assert!(close(&dx, &dlargest), "{s:?}");
                            y.fill(f32::NAN);
                            max_pool2d_values(&s, &x, Activation::None, &mut y);
                            assert_eq!(y, largest, "{s:?}");
                            let relu: Vec<f32> = largest.iter().map(|y| y.max(0.0)).collect();
                            max_pool2d_values(&s, &x, Activation::Relu, &mut y);
                            assert_eq!(y, relu, "{s:?}");
                            max_pool2d(&s, &x, Activation::Relu, &mut y, &mut at);
                            assert_eq!((&y, &at), (&relu, &first), "{s:?}");
                            max_pool2d_backward(&s, &g, &at, Some(&y), &mut dx);
                            assert!(close(&dx, &dpassed), "{s:?}");
                            avg_pool2d(&s, &x, &mut y);
                            assert!(close(&y, &mean), "{s:?}");
                            avg_pool2d_backward(&s, &g, &mut dx);
                            assert!(close(&dx, &dmean), "{s:?}");
                        })
                    });
                }
            }
        }
    }

    #[test]
    fn the_first_nan_wins() {
        let s = PoolShape { planes: 1, h: 2, w: 4, kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
        let x = [1.0, f64::NAN, f64::NEG_INFINITY, f64::NEG_INFINITY, f64::NAN, 9.0, f64::NAN, f64::INFINITY];
        for s in [s, PoolShape { stride: [1, 2], ..s }] {
            let (mut y, mut at) = ([0.0; 2], [0; 2]);
            max_pool2d_values(&s, &x, Activation::Relu, &mut y);
            assert!(y.iter().all(|y| y.is_nan()));
            max_pool2d(&s, &x, Activation::None, &mut y, &mut at);
            assert!(y.iter().all(|y| y.is_nan()));
            assert_eq!(at, [1, 6]);
        }
    }
}
