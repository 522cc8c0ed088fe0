//! Operands laid out for tiles: each number as one bf16 or as the sum of two, in pairs of steps.

use std::arch::x86_64::*;
use std::ops::Range;

use super::super::super::Mat;
use super::super::super::tile::prefetch;
use super::amx::{AREA, PANEL, STEPS, TILE};

/// The order of the elements of an operand's tiles. Step `j` and step `j + 16` of a block make a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Lane by lane, as a left operand has them.
    Lanes,
    /// Pair by pair, as a right operand has them.
    Pairs,
}

/// Some of an operand's lanes (A's rows or B's columns) and steps, of which one or the other lie side by side.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub lanes: Mat<'a, f32>,
    pub order: Order,
}

/// Elements of `lanes` by `steps` in parts.
pub const fn packed(lanes: usize, steps: usize, parts: usize) -> usize {
    lanes.div_ceil(PANEL) * steps.div_ceil(STEPS) * parts * 2 * AREA
}

impl Source<'_> {
    /// Packs panel by panel, block of 32 steps by block, part by part, tile by tile; missing lanes and steps are zeros. Gives
    /// whether the parts hold what they should: of two parts not where a number is not finite, or almost too large.
    ///
    /// # Panics
    /// If `to` is too short.
    ///
    /// # Safety
    /// The processor has AVX-512 with BW, VL and BF16, and the matrix lies in its slice.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub unsafe fn pack<const PARTS: usize>(
        &self,
        lanes: Range<usize>,
        steps: Range<usize>,
        to: &mut [u32],
    ) -> bool {
        assert!(to.len() >= packed(lanes.len(), steps.len(), PARTS));
        let mut most = _mm512_setzero_si512();
        let blocks = steps.len().div_ceil(STEPS);
        let panels = lanes.len().div_ceil(PANEL);
        let side_by_side = self.lanes.row_stride == 1;
        // Where lanes lie side by side, neighbouring panels share their lines.
        for i in 0..panels * blocks {
            let (panel, block) =
                if side_by_side { (i % panels, i / panels) } else { (i / blocks, i % blocks) };
            for half in 0..2 {
                let first = lanes.start + panel * PANEL + half * TILE;
                let step = steps.start + block * STEPS;
                let place = ((panel * blocks + block) * PARTS * 2 + half) * AREA;
                // SAFETY: the block's tiles lie in `to`, as asserted; what is read, in the matrix.
                unsafe {
                    self.block::<PARTS>(
                        first..lanes.end.min(first + TILE),
                        step..steps.end.min(step + STEPS),
                        to.as_mut_ptr().add(place),
                        &mut most,
                    );
                }
            }
        }
        // Twice the bits of 2¹²⁷.
        _mm512_reduce_max_epu32(most) < 0xfe00_0000
    }

    /// Up to 16 lanes and 32 steps; the tiles of the parts are two tiles apart.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn block<const PARTS: usize>(
        &self,
        lanes: Range<usize>,
        steps: Range<usize>,
        to: *mut u32,
        most: &mut __m512i,
    ) {
        let Mat { data, row_stride: lane, col_stride: step, .. } = self.lanes;
        let from = data.as_ptr().wrapping_offset(self.lanes.index(lanes.start, steps.start));
        let by_lanes = lane != 1;
        // A register is one line of the tile that has the order of the matrix: a lane's steps, or lanes at a step.
        let (lines, length, apart, ahead) = if by_lanes {
            (lanes.len(), steps.len(), lane, 2 * STEPS as isize)
        } else {
            (steps.len(), lanes.len(), step, STEPS as isize * step)
        };
        for j in 0..TILE {
            let early = from.wrapping_offset(j as isize * apart);
            let late = if by_lanes {
                early.wrapping_add(TILE)
            } else {
                from.wrapping_offset((j + TILE) as isize * apart)
            };
            prefetch(early.wrapping_offset(ahead));
            prefetch(late.wrapping_offset(ahead));
            let counts = if by_lanes {
                if j < lines { [length, length.saturating_sub(TILE)] } else { [0; 2] }
            } else {
                [if j < lines { length } else { 0 }, if j + TILE < lines { length } else { 0 }]
            };
            // SAFETY: only the steps and lanes that there are.
            let (early, late) = unsafe { (load(early, counts[0]), load(late, counts[1])) };
            let parts = split::<PARTS>(early, late, most);
            for part in 0..PARTS {
                // SAFETY: line `j` of the part's tile.
                unsafe { _mm512_storeu_si512(to.add(part * 2 * AREA + j * TILE).cast(), parts[part]) };
            }
        }
        if by_lanes != (self.order == Order::Lanes) {
            for part in 0..PARTS {
                // SAFETY: the part's tile.
                unsafe { transpose(to.add(part * 2 * AREA)) };
            }
        }
    }
}

/// The first `n` of 16 numbers, then zeros.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load(from: *const f32, n: usize) -> __m512 {
    let mask = ((1u32 << n.min(TILE)) - 1) as __mmask16;
    // SAFETY: the caller vouches for the first `n`; the others are not touched.
    unsafe { _mm512_maskz_loadu_ps(mask, from) }
}

/// Pairs of bf16, `early` in the lower halves: each number rounded to the nearest, ties to even; and of two parts then what
/// remains of it, rounded alike, so that both together are within 2⁻¹⁷ of it. Two parts take note of the largest magnitude,
/// as twice a number's bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn split<const PARTS: usize>(early: __m512, late: __m512, most: &mut __m512i) -> [__m512i; PARTS] {
    const ORDER: [u16; 32] = {
        let (mut order, mut j) = ([0; 32], 0);
        while j < TILE {
            (order[2 * j], order[2 * j + 1]) = (j as u16, (TILE + j) as u16);
            j += 1;
        }
        order
    };
    // SAFETY: an array as long as a register.
    let order = unsafe { _mm512_loadu_si512(ORDER.as_ptr().cast()) };
    let (mut early, mut late) = (early, late);
    if PARTS > 1 {
        let twice = |x: __m512i| _mm512_add_epi32(x, x);
        *most = _mm512_max_epu32(*most, twice(_mm512_castps_si512(early)));
        *most = _mm512_max_epu32(*most, twice(_mm512_castps_si512(late)));
    }
    let mut parts = [order; PARTS];
    for part in 0..PARTS {
        // SAFETY: both are 64 bytes, of which any are a value.
        let halves = unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(late, early)) };
        parts[part] = _mm512_permutexvar_epi16(order, halves);
        if part + 1 < PARTS {
            let upper = _mm512_set1_epi32(0xffff_0000u32 as i32);
            early = _mm512_sub_ps(early, _mm512_castsi512_ps(_mm512_slli_epi32::<16>(parts[part])));
            late = _mm512_sub_ps(late, _mm512_castsi512_ps(_mm512_and_si512(parts[part], upper)));
        }
    }
    parts
}

/// Transposes a tile in place: pairs, fours, then quarters and halves of registers change places.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn transpose(tile: *mut u32) {
    let mut r = [_mm512_setzero_si512(); 16];
    for (j, r) in r.iter_mut().enumerate() {
        // SAFETY: line `j` of the caller's tile.
        *r = unsafe { _mm512_loadu_si512(tile.add(j * TILE).cast()) };
    }
    let mut s = r;
    for i in 0..8 {
        s[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        s[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for i in 0..4 {
        let (a, b, c, d) = (s[4 * i], s[4 * i + 1], s[4 * i + 2], s[4 * i + 3]);
        r[4 * i] = _mm512_unpacklo_epi64(a, c);
        r[4 * i + 1] = _mm512_unpackhi_epi64(a, c);
        r[4 * i + 2] = _mm512_unpacklo_epi64(b, d);
        r[4 * i + 3] = _mm512_unpackhi_epi64(b, d);
    }
    // Now quarter q of r[4·i + j] is column 4·q + j of rows 4·i .. 4·i + 4.
    for j in 0..4 {
        let (a, b, c, d) = (r[j], r[4 + j], r[8 + j], r[12 + j]);
        let (ab, cd) =
            (_mm512_shuffle_i32x4::<0b01_00_01_00>(a, b), _mm512_shuffle_i32x4::<0b01_00_01_00>(c, d));
        let (ef, gh) =
            (_mm512_shuffle_i32x4::<0b11_10_11_10>(a, b), _mm512_shuffle_i32x4::<0b11_10_11_10>(c, d));
        s[j] = _mm512_shuffle_i32x4::<0b10_00_10_00>(ab, cd);
        s[4 + j] = _mm512_shuffle_i32x4::<0b11_01_11_01>(ab, cd);
        s[8 + j] = _mm512_shuffle_i32x4::<0b10_00_10_00>(ef, gh);
        s[12 + j] = _mm512_shuffle_i32x4::<0b11_01_11_01>(ef, gh);
    }
    for (j, s) in s.iter().enumerate() {
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(tile.add(j * TILE).cast(), *s) };
    }
}
