//! The products between the transforms: for each point a small matrix product, its left operand read where it lies.

use crate::gemm::lanes::Lanes;
use crate::gemm::tile::prefetch;

/// Registers across a tile of sums: 6 × 4 of the 32 registers of AVX-512 hold sums, or 4 × 3 of 16. (8 × 3 would do as
/// well, but channels come in multiples of 64.)
pub const fn across<L: Lanes>() -> usize {
    if L::ROWS == 8 { 4 } else { 3 }
}

/// Steps for which a panel of the right operand stays in L1: 128 · 64 · 4 bytes are 32 of its 48 KiB.
const STEPS: usize = 128;

/// `c[i·apart + j] (+)= Σₖ a[i·row + k·step] · b[k·width + j]` for `rows` rows and `width` columns.
pub struct Product {
    pub rows: usize,
    pub steps: usize,
    pub a: *const f32,
    pub row: usize,
    pub step: usize,
    pub b: *const f32,
    /// Whole registers, at most [`across`].
    pub width: usize,
    pub c: *mut f32,
    /// Whether to add to what `c` holds.
    pub add: bool,
}

impl Product {
    /// Computes it: pieces of steps › groups of rows › steps.
    ///
    /// # Safety
    /// As for [`Lanes`]; the pointers are valid for all that the formula names.
    #[inline(always)]
    pub unsafe fn run<L: Lanes<Elem = f32>>(&self) {
        // SAFETY: the caller's promise.
        unsafe {
            match (L::ROWS, self.width / L::N) {
                (8, 1) => self.rows::<L, 8, 4, 1>(),
                (8, 2) => self.rows::<L, 8, 4, 2>(),
                (8, 3) => self.rows::<L, 8, 4, 3>(),
                (8, _) => self.rows::<L, 6, 3, 4>(),
                (_, 1) => self.rows::<L, 4, 2, 1>(),
                (_, 2) => self.rows::<L, 4, 2, 2>(),
                _ => self.rows::<L, 4, 2, 3>(),
            }
        }
    }

    #[inline(always)]
    unsafe fn rows<L: Lanes<Elem = f32>, const MR: usize, const HALF: usize, const NV: usize>(&self) {
        let pieces = self.steps.div_ceil(STEPS).max(1);
        let groups = self.rows.div_ceil(MR);
        for piece in 0..pieces {
            let steps = self.steps * piece / pieces..self.steps * (piece + 1) / pieces;
            let add = self.add || piece > 0;
            for group in 0..groups {
                let (from, to) = (self.rows * group / groups, self.rows * (group + 1) / groups);
                // SAFETY: the caller's promise.
                unsafe {
                    if to - from > HALF {
                        self.tile::<L, MR, NV>(steps.clone(), from, to - from, add)
                    } else {
                        self.tile::<L, HALF, NV>(steps.clone(), from, to - from, add)
                    }
                }
            }
        }
    }

    /// `count ≤ MR` rows; the others repeat the last and are not stored.
    #[inline(always)]
    unsafe fn tile<L: Lanes<Elem = f32>, const MR: usize, const NV: usize>(
        &self,
        steps: std::ops::Range<usize>,
        from: usize,
        count: usize,
        add: bool,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut acc = [[L::splat(0.0); NV]; MR];
            let mut a: [*const f32; MR] = std::array::from_fn(|i| {
                self.a.add((from + i.min(count - 1)) * self.row + steps.start * self.step)
            });
            let mut b = self.b.add(steps.start * NV * L::N);
            for _ in steps {
                let mut row = [L::splat(0.0); NV];
                for v in 0..NV {
                    row[v] = L::load(b.add(v * L::N));
                    prefetch(b.wrapping_add((v + 8 * NV) * L::N));
                }
                b = b.add(NV * L::N);
                for i in 0..MR {
                    let x = L::splat(*a[i]);
                    a[i] = a[i].add(self.step);
                    for v in 0..NV {
                        acc[i][v] = acc[i][v].fma(x, row[v]);
                    }
                }
            }
            for i in 0..MR {
                if i >= count {
                    return;
                }
                for v in 0..NV {
                    let c = self.c.add((from + i) * self.width + v * L::N);
                    if add {
                        acc[i][v] = acc[i][v].add(L::load(c));
                    }
                    acc[i][v].store(c);
                }
            }
        }
    }
}
