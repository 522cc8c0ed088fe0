//! Between an image's own layout, channel by channel, and the inner one of some kernels, in which all channels of a
//! point lie side by side and fill registers.

use crate::gemm::pack::{Strip, interleave};
use crate::simd;

/// `to[p·width + c] = from[c·plane + p]` for `c < channels`, and 0 for `channels ≤ c < width`, for each of the points p
/// of `to`. `width` is a multiple of the registers in use.
///
/// # Panics
/// If `from` is too short.
pub fn gather(to: &mut [f32], width: usize, from: &[f32], plane: usize, channels: usize) {
    let points = to.len() / width;
    if points == 0 {
        return;
    }
    assert!(channels <= width && (channels - 1) * plane + points <= from.len(), "gather: too few channels");
    #[cfg(target_arch = "x86_64")]
    if simd::isa() == simd::Isa::Avx512 {
        assert!(width.is_multiple_of(16));
        for c in (0..width).step_by(16) {
            let rows = channels.saturating_sub(c).min(16);
            for p in (0..points).step_by(16) {
                let count = (points - p).min(16);
                // SAFETY: AVX-512 is there; the block's rows and points lie within both slices, as asserted above.
                unsafe {
                    let from = from.as_ptr().add((c.min(channels - 1)) * plane + p);
                    x86::square(from, plane, rows, count, to.as_mut_ptr().add(p * width + c), width)
                }
            }
        }
        return;
    }
    let _ = simd::isa();
    interleave(to, width, channels, points, Strip { data: from, start: 0, lane: plane as isize, step: 1 });
}

/// A patch of 4 × 4 points of an image, and how much of it is inside.
#[derive(Clone, Copy)]
pub struct Patch {
    /// The channels to be stored, at most a register of them.
    pub channels: usize,
    /// Elements from one channel to the next.
    pub plane: usize,
    /// The image's columns.
    pub columns: usize,
    /// Rows of the patch inside the image, up to 4.
    pub rows: usize,
    /// Columns of the patch inside the image, up to 4.
    pub inside: usize,
}

impl Patch {
    /// `to[c·plane + r·columns + q] = from[(4·r + q)·lanes + c]` for the channels and points that are inside.
    ///
    /// # Safety
    /// `from` holds 16 registers of `lanes`; `to` is valid for all that is written.
    pub unsafe fn scatter(&self, from: *const f32, lanes: usize, to: *mut f32) {
        #[cfg(target_arch = "x86_64")]
        if lanes == 16 && simd::isa() == simd::Isa::Avx512 {
            // SAFETY: AVX-512 is there, and the caller vouches for both sides.
            return unsafe { x86::scatter(self, from, to) };
        }
        for c in 0..self.channels {
            for r in 0..self.rows {
                for q in 0..self.inside {
                    // SAFETY: the caller's promise.
                    unsafe {
                        *to.add(c * self.plane + r * self.columns + q) = *from.add((4 * r + q) * lanes + c)
                    };
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Patch;
    use std::arch::x86_64::*;

    /// `to[p·width + c] = from[c·plane + p]` for 16 channels c, of which `rows` are there, and `count ≤ 16` points.
    ///
    /// # Safety
    /// AVX-512; `from` is valid for `rows` rows of `count`, `to` for `count` registers, `width` apart.
    #[target_feature(enable = "avx512f,avx512vl")]
    pub unsafe fn square(
        from: *const f32,
        plane: usize,
        rows: usize,
        count: usize,
        to: *mut f32,
        width: usize,
    ) {
        let mask = ((1u32 << count) - 1) as __mmask16;
        // SAFETY: the caller vouches for the rows and points that are touched.
        unsafe {
            let load = |c: usize| {
                if c < rows { _mm512_maskz_loadu_ps(mask, from.add(c * plane)) } else { _mm512_setzero_ps() }
            };
            // Pairs, then fours: q[g][k] holds in its quarter l the point 4·l + k of channels 4·g ..
            let mut q = [[_mm512_setzero_ps(); 4]; 4];
            for g in 0..4 {
                q[g] = fours([load(4 * g), load(4 * g + 1), load(4 * g + 2), load(4 * g + 3)]);
            }
            // Then quarters change places.
            for k in 0..4 {
                let even = |a, b| _mm512_shuffle_f32x4::<0x88>(a, b);
                let odd = |a, b| _mm512_shuffle_f32x4::<0xdd>(a, b);
                let (a, b) = (even(q[0][k], q[1][k]), even(q[2][k], q[3][k]));
                let (c, d) = (odd(q[0][k], q[1][k]), odd(q[2][k], q[3][k]));
                for (l, column) in [even(a, b), even(c, d), odd(a, b), odd(c, d)].into_iter().enumerate() {
                    if 4 * l + k < count {
                        _mm512_storeu_ps(to.add((4 * l + k) * width), column);
                    }
                }
            }
        }
    }

    /// Transposes the 4 × 4 block in each quarter of four registers.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn fours(r: [__m512; 4]) -> [__m512; 4] {
        let low = |a, b| _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
        let high = |a, b| _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
        let (a, b) = (low(r[0], r[1]), low(r[2], r[3]));
        let (c, d) = (high(r[0], r[1]), high(r[2], r[3]));
        [
            _mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)),
            _mm512_castpd_ps(_mm512_unpacklo_pd(c, d)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(c, d)),
        ]
    }

    /// [`Patch::scatter`] of registers of 16 channels: after `fours`, a quarter is one channel's row of the patch.
    ///
    /// # Safety
    /// AVX-512, and as for [`Patch::scatter`].
    #[target_feature(enable = "avx512f,avx512vl")]
    pub unsafe fn scatter(patch: &Patch, from: *const f32, to: *mut f32) {
        let mask = ((1u32 << patch.inside) - 1) as __mmask8;
        // SAFETY: the caller vouches for both sides; only rows, columns and channels inside are touched.
        unsafe {
            for r in 0..patch.rows {
                let load = |q: usize| _mm512_loadu_ps(from.add((4 * r + q) * 16));
                let rows = fours([load(0), load(1), load(2), load(3)]);
                let to = to.add(r * patch.columns);
                for k in 0..4 {
                    let quarters = [
                        _mm512_castps512_ps128(rows[k]),
                        _mm512_extractf32x4_ps::<1>(rows[k]),
                        _mm512_extractf32x4_ps::<2>(rows[k]),
                        _mm512_extractf32x4_ps::<3>(rows[k]),
                    ];
                    for (l, quarter) in quarters.into_iter().enumerate() {
                        let c = 4 * l + k;
                        if c < patch.channels {
                            _mm_mask_storeu_ps(to.add(c * patch.plane), mask, quarter);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, with_isa};

    #[test]
    fn channels_of_a_point_lie_side_by_side_and_go_back() {
        let x: Vec<f32> = (0..40 * 60).map(|i| i as f32 + 1.0).collect();
        for &isa in Isa::available() {
            for (channels, points) in [(1usize, 1), (16, 16), (5, 33), (33, 7), (32, 14)] {
                let width = channels.next_multiple_of(16);
                let mut to = vec![-1.0; points * width];
                with_isa(isa, || gather(&mut to, width, &x, 60, channels));
                for (i, &y) in to.iter().enumerate() {
                    let (p, c) = (i / width, i % width);
                    assert_eq!(y, if c < channels { x[c * 60 + p] } else { 0.0 }, "{isa:?} {p} {c}");
                }
            }
            for (channels, rows, inside, lanes) in [(16, 4, 4, 16), (3, 2, 4, 16), (4, 4, 1, 4), (8, 3, 3, 8)]
            {
                let mut y = vec![0.0; 16 * 50];
                let patch = Patch { channels, plane: 50, columns: 6, rows, inside };
                // SAFETY: both slices are long enough.
                with_isa(isa, || unsafe { patch.scatter(x.as_ptr(), lanes, y.as_mut_ptr()) });
                for (i, &y) in y.iter().enumerate() {
                    let (c, r, q) = (i / 50, i % 50 / 6, i % 50 % 6);
                    let there = c < channels && r < rows && q < inside;
                    assert_eq!(y, if there { x[(4 * r + q) * lanes + c] } else { 0.0 }, "{isa:?}");
                }
            }
        }
    }
}
