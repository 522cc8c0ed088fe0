//! Panels: strips of a matrix laid out in the very order in which the micro-kernel reads them.

use super::lanes::{Float, Kernel, Lanes, dispatch};
use super::tile::prefetch;
use crate::elements::elements;
use crate::simd;

/// Where a strip's elements lie: lane `j` at step `k` is `data[start + j·lane + k·step]`.
#[derive(Clone, Copy)]
pub struct Strip<'a, T> {
    pub data: &'a [T],
    pub start: isize,
    pub lane: isize,
    pub step: isize,
}

/// `panel[k·width + j] = strip(j, k)` for `k < steps` and `j < lanes`, and 0 for `lanes ≤ j < width`.
///
/// Three ways, by which of the strides is 1: lanes side by side are copied; steps side by side are transposed in
/// 8 × 8 blocks of registers; else a plain loop.
pub fn interleave<T: Float>(panel: &mut [T], width: usize, lanes: usize, steps: usize, strip: Strip<T>) {
    let panel = &mut panel[..steps * width];
    if lanes == 0 || steps == 0 {
        return;
    }
    let at = |j: usize, k: usize| (strip.start + j as isize * strip.lane + k as isize * strip.step) as usize;
    if strip.lane == 1 {
        // The corners are the extremes of the strip.
        for (j, k) in [(0, 0), (lanes - 1, 0), (0, steps - 1), (lanes - 1, steps - 1)] {
            assert!(at(j, k) < strip.data.len());
        }
        return dispatch(Rows { panel, width, lanes, steps, strip });
    }
    if lanes < width {
        panel.chunks_exact_mut(width).for_each(|row| row[lanes..].fill(T::default()));
    }
    let done = if strip.step == 1 { in_blocks(panel, width, lanes, steps, strip) } else { (0, 0) };
    // What the blocks left: the last lanes of all steps, and the last steps of the first lanes.
    for k in 0..steps {
        for j in if k < done.1 { done.0 } else { 0 }..lanes {
            panel[k * width + j] = strip.data[at(j, k)];
        }
    }
}

/// Lanes that lie side by side, copied a register at a time.
struct Rows<'a, T> {
    panel: &'a mut [T],
    width: usize,
    lanes: usize,
    steps: usize,
    strip: Strip<'a, T>,
}

impl<T: Float> Kernel<T> for Rows<'_, T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) {
        let Rows { panel, width, lanes, steps, strip } = self;
        assert!(panel.len() >= elements([steps, width]) && lanes <= width);
        // SAFETY: `interleave` has checked the strip's corners, and the panel is as long as asserted.
        unsafe {
            for k in 0..steps {
                let from = strip.data.as_ptr().offset(strip.start + k as isize * strip.step);
                let to = panel.as_mut_ptr().add(k * width);
                let ahead = from.wrapping_offset(AHEAD * strip.step);
                let mut j = 0;
                while j + L::N <= lanes {
                    prefetch(ahead.wrapping_add(j));
                    L::load(from.add(j)).store(to.add(j));
                    j += L::N;
                }
                copy::<L>(from.wrapping_add(j), to.add(j), lanes - j, width - j);
            }
        }
    }
}

/// Lanes that lie side by side, dealt out to narrow panels one after the other, each as [`interleave`] fills it: step by
/// step, since neighbouring panels share the strip's cache lines (1152 × 2048 × 384 by the transpose: 12.7 ms, panel by
/// panel 13.0).
pub fn deal<T: Float>(panels: &mut [T], width: usize, lanes: usize, steps: usize, strip: Strip<T>) {
    assert!(strip.lane == 1 && panels.len() >= elements([lanes.next_multiple_of(width), steps]));
    for k in [0, steps - 1] {
        let from = (strip.start + k as isize * strip.step) as usize;
        assert!(lanes <= strip.data.len() && from <= strip.data.len() - lanes);
    }
    dispatch(Deal { panels, width, lanes, steps, strip })
}

struct Deal<'a, T> {
    panels: &'a mut [T],
    width: usize,
    lanes: usize,
    steps: usize,
    strip: Strip<'a, T>,
}

impl<T: Float> Kernel<T> for Deal<'_, T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) {
        let Deal { panels, width, lanes, steps, strip } = self;
        let whole = lanes / width;
        // SAFETY: `deal` has checked the strip's first and last step and the panels' length.
        unsafe {
            for k in 0..steps {
                let row = strip.data.as_ptr().offset(strip.start + k as isize * strip.step);
                let to = panels.as_mut_ptr().add(k * width);
                for line in (0..lanes).step_by(16) {
                    prefetch(row.wrapping_offset(AHEAD * strip.step).wrapping_add(line));
                }
                for p in 0..whole {
                    copy::<L>(row.add(p * width), to.add(p * width * steps), width, width);
                }
                if whole * width < lanes {
                    copy::<L>(
                        row.add(whole * width),
                        to.add(whole * width * steps),
                        lanes - whole * width,
                        width,
                    );
                }
            }
        }
    }
}

/// `lanes` numbers, then zeros up to `width`.
#[inline(always)]
unsafe fn copy<L: Lanes>(from: *const L::Elem, to: *mut L::Elem, lanes: usize, width: usize) {
    let mut j = 0;
    while j < width {
        let n = L::N.min(width - j);
        // SAFETY: the caller's promise.
        unsafe {
            L::load_first(from.wrapping_add(j), n.min(lanes.saturating_sub(j))).store_first(to.add(j), n)
        };
        j += n;
    }
}

/// Steps by which a strip is asked for before it is copied.
const AHEAD: isize = 8;

/// Transposes whole 8 × 8 blocks where the family can; gives the lanes and steps it has done.
#[cfg(target_arch = "x86_64")]
fn in_blocks<T: Float>(
    panel: &mut [T],
    width: usize,
    lanes: usize,
    steps: usize,
    strip: Strip<T>,
) -> (usize, usize) {
    if simd::isa() < simd::Isa::Avx2 || size_of::<T>() != 4 {
        return (0, 0);
    }
    let done = (lanes / 8 * 8, steps / 8 * 8);
    if done.0 == 0 || done.1 == 0 {
        return (0, 0);
    }
    // The slices' own checks, once for all blocks: the corners are the extremes.
    for (j, k) in [(0, 0), (done.0 - 1, 0), (0, done.1 - 1), (done.0 - 1, done.1 - 1)] {
        let at = strip.start + j as isize * strip.lane + k as isize;
        assert!(at >= 0 && (at as usize) < strip.data.len() && k * width + j < panel.len());
    }
    for j in (0..done.0).step_by(8) {
        for k in (0..done.1).step_by(8) {
            let from = strip.start + j as isize * strip.lane + k as isize;
            // SAFETY: AVX2 is there; the block lies within both slices, whose corners were checked; T has 4 bytes
            // and any bits are a value of it.
            unsafe {
                let from = strip.data.as_ptr().offset(from).cast();
                transpose(from, strip.lane, panel.as_mut_ptr().add(k * width + j).cast(), width)
            }
        }
    }
    done
}

#[cfg(not(target_arch = "x86_64"))]
fn in_blocks<T: Float>(_: &mut [T], _: usize, _: usize, _: usize, _: Strip<T>) -> (usize, usize) {
    let _ = simd::isa();
    (0, 0)
}

/// `to[k·width + j] = from[j·lane + k]` for an 8 × 8 block: pairs, then fours, then halves change places.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn transpose(from: *const f32, lane: isize, to: *mut f32, width: usize) {
    use std::arch::x86_64::*;
    // SAFETY: the caller vouches for the 8 rows of 8 on both sides.
    unsafe {
        let r: [__m256; 8] = simd::array(|j| _mm256_loadu_ps(from.offset(j as isize * lane)));
        let mut s = r;
        for i in 0..4 {
            s[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            s[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        let mut t = s;
        for i in 0..2 {
            let (a, b) = (4 * i, 4 * i + 2);
            t[a] = _mm256_shuffle_ps::<0b01_00_01_00>(s[a], s[b]);
            t[a + 1] = _mm256_shuffle_ps::<0b11_10_11_10>(s[a], s[b]);
            t[a + 2] = _mm256_shuffle_ps::<0b01_00_01_00>(s[a + 1], s[b + 1]);
            t[a + 3] = _mm256_shuffle_ps::<0b11_10_11_10>(s[a + 1], s[b + 1]);
        }
        for k in 0..4 {
            _mm256_storeu_ps(to.add(k * width), _mm256_permute2f128_ps::<0x20>(t[k], t[k + 4]));
            _mm256_storeu_ps(to.add((k + 4) * width), _mm256_permute2f128_ps::<0x31>(t[k], t[k + 4]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, with_isa};

    #[test]
    fn a_panel_holds_the_strip_in_every_layout_and_family() {
        let data: Vec<f32> = (0..4000).map(|i| i as f32 + 1.0).collect();
        for &isa in Isa::available() {
            for (lanes, width, steps) in
                [(1, 8, 5), (8, 8, 8), (7, 8, 9), (13, 16, 30), (48, 48, 17), (20, 24, 3)]
            {
                for (lane, step, start) in
                    [(1, 60, 3), (61, 1, 0), (3, 200, 0), (-1, 55, 100), (-70, 1, 3500)]
                {
                    if start + (lanes - 1) * lane + (steps - 1) * step >= 4000 {
                        continue;
                    }
                    let mut panel = vec![-1.0f32; (steps * width + 5) as usize];
                    let strip = Strip { data: &data, start, lane, step };
                    with_isa(isa, || {
                        interleave(&mut panel, width as usize, lanes as usize, steps as usize, strip)
                    });
                    for k in 0..steps {
                        for j in 0..width {
                            let want =
                                if j < lanes { data[(start + j * lane + k * step) as usize] } else { 0.0 };
                            assert_eq!(
                                panel[(k * width + j) as usize],
                                want,
                                "{isa:?} {lanes} {lane} {step} {j} {k}"
                            );
                        }
                    }
                    assert!(panel[(steps * width) as usize..].iter().all(|&x| x == -1.0));
                }
            }
        }
    }
}
