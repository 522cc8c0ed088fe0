//! Between an image's own layout, channel by channel, and the inner one of some kernels, in which all channels of a
//! point lie side by side and fill registers.

use super::Ending;
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

/// Where results go: an image in its own layout, and what is still to be done to them.
#[derive(Clone, Copy)]
pub struct Finish<'a> {
    pub y: *mut f32,
    pub ending: Ending<'a, f32>,
    /// Elements from one channel to the next.
    pub plane: usize,
}

/// A patch of 4 × 4 points: which of its rows and columns are inside the image, and the image's columns.
#[derive(Clone, Copy)]
pub struct Patch {
    pub rows: usize,
    pub inside: usize,
    pub columns: usize,
}

impl Finish<'_> {
    /// `y[to + c·plane + p]` from `from[p·width + c]` for `count` points p and channels `c0 + c`, through the whole ending.
    ///
    /// # Safety
    /// `from` holds `count` rows of whole registers; `y`, and what is added to it, reach as far as the formula names.
    pub unsafe fn line(
        &self,
        from: *const f32,
        width: usize,
        channels: std::ops::Range<usize>,
        count: usize,
        to: usize,
    ) {
        #[cfg(target_arch = "x86_64")]
        if simd::isa() == simd::Isa::Avx512 {
            // SAFETY: AVX-512 is there, and the caller vouches for both sides.
            return unsafe { x86::line(self, from, width, channels, count, to) };
        }
        for (i, c) in channels.enumerate() {
            let bias = self.ending.bias.map(|b| b[c]);
            let norm = self.ending.norm.map(|n| (n.mean[c], n.scale[c], n.shift[c]));
            for p in 0..count {
                // SAFETY: the caller's promise.
                let mut x = unsafe { *from.add(p * width + i) };
                if let Some(bias) = bias {
                    x += bias;
                }
                if let Some((mean, scale, shift)) = norm {
                    x = (x - mean) * scale + shift;
                }
                // SAFETY: the caller's promise.
                unsafe { self.store(to + i * self.plane + p, x) };
            }
        }
    }

    /// `y[to + c·plane + r·columns + q]` from `from[(4·r + q)·lanes + c]` for `channels` channels and what is inside of a
    /// patch, through the ending but for its bias and norm.
    ///
    /// # Safety
    /// `from` holds 16 registers of `lanes`; `y`, and what is added to it, reach as far as the formula names.
    pub unsafe fn patch(&self, patch: Patch, from: *const f32, lanes: usize, channels: usize, to: usize) {
        #[cfg(target_arch = "x86_64")]
        if lanes == 16 && simd::isa() == simd::Isa::Avx512 {
            // SAFETY: AVX-512 is there, and the caller vouches for both sides.
            return unsafe { x86::patch(self, patch, from, channels, to) };
        }
        for c in 0..channels {
            for r in 0..patch.rows {
                for q in 0..patch.inside {
                    // SAFETY: the caller's promise.
                    unsafe {
                        let x = *from.add((4 * r + q) * lanes + c);
                        self.store(to + c * self.plane + r * patch.columns + q, x)
                    };
                }
            }
        }
    }

    /// One result: the sum, the ReLU.
    unsafe fn store(&self, at: usize, mut x: f32) {
        if let Some(add) = self.ending.add {
            x += add[at];
        }
        if self.ending.relu() && x <= 0.0 {
            x = 0.0;
        }
        // SAFETY: the caller's promise.
        unsafe { *self.y.add(at) = x };
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Finish, Patch};
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
        let mask = ones(count);
        // SAFETY: the caller vouches for the rows and points that are touched.
        unsafe {
            let load = |c: usize| {
                if c < rows { _mm512_maskz_loadu_ps(mask, from.add(c * plane)) } else { _mm512_setzero_ps() }
            };
            for (p, column) in turned(load).into_iter().enumerate().take(count) {
                _mm512_storeu_ps(to.add(p * width), column);
            }
        }
    }

    /// The transpose of the 16 registers that `load` gives.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn turned(load: impl Fn(usize) -> __m512) -> [__m512; 16] {
        // Pairs, then fours: q[g][k] holds in its quarter l the column 4·l + k of rows 4·g ..
        let mut q = [[_mm512_setzero_ps(); 4]; 4];
        for g in 0..4 {
            q[g] = fours([load(4 * g), load(4 * g + 1), load(4 * g + 2), load(4 * g + 3)]);
        }
        // Then quarters change places.
        let mut columns = [_mm512_setzero_ps(); 16];
        for k in 0..4 {
            let (a, b) = (even(q[0][k], q[1][k]), even(q[2][k], q[3][k]));
            let (c, d) = (odd(q[0][k], q[1][k]), odd(q[2][k], q[3][k]));
            columns[k] = even(a, b);
            columns[4 + k] = even(c, d);
            columns[8 + k] = odd(a, b);
            columns[12 + k] = odd(c, d);
        }
        columns
    }

    /// The quarters 0 and 2 of both.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn even(a: __m512, b: __m512) -> __m512 {
        _mm512_shuffle_f32x4::<0x88>(a, b)
    }

    /// The quarters 1 and 3 of both.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn odd(a: __m512, b: __m512) -> __m512 {
        _mm512_shuffle_f32x4::<0xdd>(a, b)
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

    /// [`Finish::line`] in squares of 16 points by 16 channels.
    ///
    /// # Safety
    /// AVX-512, and as for [`Finish::line`].
    #[target_feature(enable = "avx512f,avx512vl")]
    pub unsafe fn line(
        finish: &Finish,
        from: *const f32,
        width: usize,
        channels: std::ops::Range<usize>,
        count: usize,
        to: usize,
    ) {
        let Finish { y, ending, plane } = *finish;
        let zero = _mm512_setzero_ps();
        for c in (0..channels.len()).step_by(16) {
            let there = (channels.len() - c).min(16);
            let of = ones(there);
            // SAFETY: the caller vouches for the rows, channels and points that are touched.
            unsafe {
                let each = |v: &[f32]| _mm512_maskz_loadu_ps(of, v[channels.start + c..].as_ptr());
                let bias = ending.bias.map(each);
                let norm = ending.norm.map(|n| (each(n.mean), each(n.scale), each(n.shift)));
                for p in (0..count).step_by(16) {
                    let points = (count - p).min(16);
                    let load = |i: usize| {
                        let row = from.add((p + i.min(points - 1)) * width + c);
                        let mut x = _mm512_loadu_ps(row);
                        if let Some(bias) = bias {
                            x = _mm512_add_ps(x, bias);
                        }
                        if let Some((mean, scale, shift)) = norm {
                            // Rounded twice, as the norm alone rounds.
                            x = _mm512_add_ps(_mm512_mul_ps(_mm512_sub_ps(x, mean), scale), shift);
                        }
                        x
                    };
                    let mask = ones(points);
                    for (i, mut x) in turned(load).into_iter().enumerate().take(there) {
                        let at = to + (c + i) * plane + p;
                        if let Some(add) = ending.add {
                            x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(mask, add.as_ptr().add(at)));
                        }
                        if ending.relu() {
                            x = _mm512_add_ps(_mm512_max_ps(zero, x), zero);
                        }
                        _mm512_mask_storeu_ps(y.add(at), mask, x);
                    }
                }
            }
        }
    }

    /// The lowest `n ≤ 16` of 16 bits.
    fn ones(n: usize) -> __mmask16 {
        ((1u32 << n) - 1) as __mmask16
    }

    /// [`Finish::patch`] of registers of 16 channels: after `fours`, a quarter is one channel's row of the patch.
    ///
    /// # Safety
    /// AVX-512, and as for [`Finish::patch`].
    #[target_feature(enable = "avx512f,avx512vl")]
    pub unsafe fn patch(finish: &Finish, patch: Patch, from: *const f32, channels: usize, to: usize) {
        let Finish { y, ending, plane } = *finish;
        let (mask, zero) = (ones(patch.inside) as __mmask8, _mm_setzero_ps());
        // SAFETY: the caller vouches for both sides; only rows, columns and channels inside are touched.
        unsafe {
            for r in 0..patch.rows {
                let load = |q: usize| _mm512_loadu_ps(from.add((4 * r + q) * 16));
                let rows = fours([load(0), load(1), load(2), load(3)]);
                for k in 0..4 {
                    let quarters = [
                        _mm512_castps512_ps128(rows[k]),
                        _mm512_extractf32x4_ps::<1>(rows[k]),
                        _mm512_extractf32x4_ps::<2>(rows[k]),
                        _mm512_extractf32x4_ps::<3>(rows[k]),
                    ];
                    for (l, mut x) in quarters.into_iter().enumerate() {
                        let c = 4 * l + k;
                        if c >= channels {
                            continue;
                        }
                        let at = to + c * plane + r * patch.columns;
                        if let Some(add) = ending.add {
                            x = _mm_add_ps(x, _mm_maskz_loadu_ps(mask, add.as_ptr().add(at)));
                        }
                        if ending.relu() {
                            x = _mm_add_ps(_mm_max_ps(zero, x), zero);
                        }
                        _mm_mask_storeu_ps(y.add(at), mask, x);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::Norm;
    use crate::gemm::Activation;
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
            let add = vec![-50.0; 16 * 50];
            let ending = Ending { add: Some(&add), activation: Activation::Relu, ..Ending::none() };
            for (channels, rows, inside, lanes) in [(16, 4, 4, 16), (3, 2, 4, 16), (4, 4, 1, 4), (8, 3, 3, 8)]
            {
                let mut y = vec![-1.0; 16 * 50];
                let finish = Finish { y: y.as_mut_ptr(), ending, plane: 50 };
                let patch = Patch { rows, inside, columns: 6 };
                // SAFETY: both slices are long enough.
                with_isa(isa, || unsafe { finish.patch(patch, x.as_ptr(), lanes, channels, 0) });
                for (i, &y) in y.iter().enumerate() {
                    let (c, r, q) = (i / 50, i % 50 / 6, i % 50 % 6);
                    let there = c < channels && r < rows && q < inside;
                    let want = if there { (x[(4 * r + q) * lanes + c] - 50.0).max(0.0) } else { -1.0 };
                    assert_eq!(y, want, "{isa:?}");
                }
            }
            let (bias, mean) = (vec![4.0; 40], vec![3.0; 40]);
            let (scale, shift) = (vec![2.0; 40], (0..40).map(|c| c as f32).collect::<Vec<_>>());
            let norm = Norm { mean: &mean, scale: &scale, shift: &shift };
            let ending = Ending { bias: Some(&bias), norm: Some(norm), ..Ending::none() };
            for (channels, count) in [(3..4, 1), (2..21, 35), (0..16, 16)] {
                let mut y = vec![-1.0; 40 * 40];
                let finish = Finish { y: y.as_mut_ptr(), ending, plane: 40 };
                // SAFETY: both slices are long enough.
                with_isa(isa, || unsafe { finish.line(x.as_ptr(), 32, channels.clone(), count, 7) });
                for (i, &y) in y.iter().enumerate() {
                    let (c, p) = (i.wrapping_sub(7) / 40, i.wrapping_sub(7) % 40);
                    let there = i >= 7 && c < channels.len() && p < count;
                    let want = 2.0 * (x[(p % 40) * 32 + c % 32] + 1.0) + (channels.start + c % 40) as f32;
                    assert_eq!(y, if there { want } else { -1.0 }, "{isa:?} {c} {p}");
                }
            }
        }
    }
}
