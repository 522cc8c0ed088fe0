//! A small product of two matrices for convolutions: the left one is read where it lies, row by row from anywhere, the right
//! one in panels of whole registers.

use crate::gemm::lanes::{Kernel, Lanes, dispatch};
use crate::gemm::sizes;
use crate::gemm::tile::prefetch;

/// Steps for which a panel of the right operand stays in L1: 128 · 64 · 4 bytes are 32 of its 48 KiB.
pub const STEPS: usize = 128;

/// Channels rounded up to registers, and the width of equal panels of them. A tile of sums is as wide as those of products:
/// 6 × 4 of the 32 registers of AVX-512 hold sums, or 4 × 3 of 16. (8 × 3 would do as well, but channels come in multiples
/// of 64.)
pub fn panels(channels: usize) -> (usize, usize) {
    struct Across;
    impl Kernel<f32> for Across {
        type Out = usize;
        #[inline(always)]
        unsafe fn run<L: Lanes<Elem = f32>>(self) -> usize {
            L::WIDE
        }
    }
    let (_, lanes) = sizes::<f32>();
    let registers = channels.div_ceil(lanes);
    let width = registers.div_ceil(registers.div_ceil(dispatch(Across))) * lanes;
    (registers * lanes, width)
}

/// `c[i·width + j] (+)= Σ a[at(i) + r·run + k·step] · b[(r·steps + k)·width + j]` over `runs` runs r of `steps` steps k.
pub struct Product {
    pub rows: usize,
    pub runs: usize,
    pub steps: usize,
    pub a: *const f32,
    /// Elements from one run of a row to the next, and from one step to the next.
    pub run: usize,
    pub step: usize,
    pub b: *const f32,
    /// Whole registers, at most those of a panel.
    pub width: usize,
    pub c: *mut f32,
    /// Whether to add to what `c` holds.
    pub add: bool,
}

impl Product {
    /// Computes it, for rows that begin `at(i)`: groups of rows › runs › steps.
    ///
    /// # Safety
    /// As for [`Lanes`]; the pointers are valid for all that the formula names, and `at` is `#[inline(always)]`.
    #[inline(always)]
    pub unsafe fn compute<L: Lanes<Elem = f32>>(&self, at: impl Fn(usize) -> usize + Copy) {
        // SAFETY: the caller's promise.
        unsafe {
            let registers = self.width / L::N;
            if L::MANY {
                match registers {
                    1 => self.groups::<L, 8, 4, 1>(at),
                    2 => self.groups::<L, 8, 4, 2>(at),
                    3 => self.groups::<L, 8, 4, 3>(at),
                    _ => self.groups::<L, 6, 3, 4>(at),
                }
            } else {
                match registers {
                    1 => self.groups::<L, 4, 2, 1>(at),
                    2 => self.groups::<L, 4, 2, 2>(at),
                    _ => self.groups::<L, 4, 2, 3>(at),
                }
            }
        }
    }

    /// Rows in equal groups of at most `MR`.
    #[inline(always)]
    unsafe fn groups<L: Lanes<Elem = f32>, const MR: usize, const HALF: usize, const NV: usize>(
        &self,
        at: impl Fn(usize) -> usize + Copy,
    ) {
        let groups = self.rows.div_ceil(MR);
        for group in 0..groups {
            let (from, to) = (self.rows * group / groups, self.rows * (group + 1) / groups);
            // SAFETY: the caller's promise.
            unsafe {
                if to - from > HALF {
                    self.tile::<L, MR, NV>(from, to - from, at)
                } else {
                    self.tile::<L, HALF, NV>(from, to - from, at)
                }
            }
        }
    }

    /// `count ≤ MR` rows; the others repeat the last and are not stored.
    #[inline(always)]
    unsafe fn tile<L: Lanes<Elem = f32>, const MR: usize, const NV: usize>(
        &self,
        from: usize,
        count: usize,
        at: impl Fn(usize) -> usize + Copy,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut acc = [[L::splat(0.0); NV]; MR];
            let mut b = self.b;
            for run in 0..self.runs {
                let mut a = [self.a; MR];
                for i in 0..MR {
                    a[i] = self.a.add(at(from + i.min(count - 1)) + run * self.run);
                }
                for _ in 0..self.steps {
                    let mut row = [L::splat(0.0); NV];
                    for v in 0..NV {
                        row[v] = L::load(b.add(v * L::N));
                        prefetch(b.wrapping_add((v + 8 * NV) * L::N));
                    }
                    b = b.add(NV * L::N);
                    for i in 0..MR {
                        let x = L::splat(*a[i]);
                        a[i] = a[i].wrapping_add(self.step);
                        for v in 0..NV {
                            acc[i][v] = acc[i][v].fma(x, row[v]);
                        }
                    }
                }
            }
            for i in 0..MR {
                if i >= count {
                    return;
                }
                for v in 0..NV {
                    let c = self.c.add((from + i) * self.width + v * L::N);
                    if self.add {
                        acc[i][v] = acc[i][v].add(L::load(c));
                    }
                    acc[i][v].store(c);
                }
            }
        }
    }
}
