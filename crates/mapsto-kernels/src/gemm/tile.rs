//! The micro-kernel: a tile of C held in registers while the panels stream by, and what is done as it is stored.

use super::lanes::{Float, Kernel, Lanes, TILE};

/// `acc[i][v] = Σₖ a[k·ROWS + i] · b(k)[v·N ..]` for `i < MR`, `v < NV`: for each k, `NV` loads and `MR` broadcasts feed
/// `MR · NV` multiply-adds, which two ports retire two a cycle; 24 independent sums hide their latency of 4.
///
/// # Safety
/// As for [`Lanes`]: `a` has `steps` groups of `ROWS`, and each `b(k)` is valid for `NV` registers.
#[inline(always)]
pub unsafe fn tile<L: Lanes, const MR: usize, const NV: usize>(
    steps: usize,
    a: *const L::Elem,
    b: impl Fn(usize) -> *const L::Elem,
) -> [[L; NV]; MR] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut acc = [[L::splat(L::Elem::default()); NV]; MR];
        for k in 0..steps {
            let (a, b) = (a.add(k * L::ROWS), b(k));
            prefetch(a.wrapping_add(16 * L::ROWS)); // 4 % in a product of 512, 3 % in a convolution
            let mut row = [L::splat(L::Elem::default()); NV];
            for v in 0..NV {
                row[v] = L::load(b.add(v * L::N));
            }
            for i in 0..MR {
                let x = L::splat(*a.add(i));
                for v in 0..NV {
                    acc[i][v] = acc[i][v].fma(x, row[v]);
                }
            }
        }
        acc
    }
}

/// What becomes of a finished tile.
#[derive(Clone, Copy)]
pub struct Finish<'a, T> {
    /// Add to what C holds.
    pub add: bool,
    /// Then add this, one for each column of C.
    pub bias: Option<&'a [T]>,
    /// Then take max(·, 0).
    pub relu: bool,
}

/// C (`rows × cols`, its rows `stride` apart) from packed panels of A (of `ROWS` rows) and of B (of `TILE` registers).
///
/// Loop nest: panels of B (each stays in L1: 192 steps of 48 f32 are 36 KiB) › panels of A (streaming from L2) › steps.
pub struct Block<'a, T> {
    pub steps: usize,
    pub rows: usize,
    pub cols: usize,
    pub a: &'a [T],
    pub b: &'a [T],
    pub c: *mut T,
    pub stride: usize,
    pub finish: Finish<'a, T>,
}

impl<T: Float> Kernel<T> for Block<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) {
        let Block { steps, rows, cols, a, b, c, stride, finish } = self;
        assert!(a.len() >= steps * rows.next_multiple_of(L::ROWS));
        assert!(b.len() >= steps * cols.next_multiple_of(L::N));
        assert!(finish.bias.is_none_or(|bias| bias.len() >= cols));
        for j in (0..cols).step_by(TILE * L::N) {
            let width = (cols - j).min(TILE * L::N);
            for i in (0..rows).step_by(L::ROWS) {
                let bias = finish.bias.map_or(std::ptr::null(), |bias| bias[j..].as_ptr());
                // SAFETY: the panels are as long as asserted, and C's rows are the caller's promise.
                unsafe {
                    let (a, b) = (a.as_ptr().add(i * steps), b.as_ptr().add(j * steps));
                    let c = c.add(i * stride + j);
                    let height = (rows - i).min(L::ROWS);
                    let spot = Spot { c, stride, height, width, bias, add: finish.add, relu: finish.relu };
                    match (L::ROWS, width.div_ceil(L::N)) {
                        (8, 1) => spot.compute::<L, 8, 1>(steps, a, b),
                        (8, 2) => spot.compute::<L, 8, 2>(steps, a, b),
                        (8, _) => spot.compute::<L, 8, TILE>(steps, a, b),
                        (_, 1) => spot.compute::<L, 4, 1>(steps, a, b),
                        (_, 2) => spot.compute::<L, 4, 2>(steps, a, b),
                        _ => spot.compute::<L, 4, TILE>(steps, a, b),
                    }
                }
            }
        }
    }
}

/// Where one tile goes.
struct Spot<T> {
    c: *mut T,
    stride: usize,
    height: usize,
    width: usize,
    bias: *const T,
    add: bool,
    relu: bool,
}

impl<T: Float> Spot<T> {
    #[inline(always)]
    unsafe fn compute<L: Lanes<Elem = T>, const MR: usize, const NV: usize>(
        &self,
        steps: usize,
        a: *const T,
        b: *const T,
    ) {
        // SAFETY: panels and C are valid by the caller's promise; only `height` rows of `width` are touched.
        unsafe {
            for i in 0..MR.min(self.height) {
                for v in 0..NV {
                    prefetch(self.c.add(i * self.stride + v * L::N));
                }
            }
            let acc = tile::<L, MR, NV>(steps, a, |k| b.add(k * NV * L::N));
            for i in 0..MR {
                if i >= self.height {
                    return;
                }
                for v in 0..NV {
                    let n = (self.width - v * L::N).min(L::N);
                    let (mut x, c) = (acc[i][v], self.c.add(i * self.stride + v * L::N));
                    if self.add {
                        x = x.add(L::load_first(c, n));
                    }
                    if !self.bias.is_null() {
                        x = x.add(L::load_first(self.bias.add(v * L::N), n));
                    }
                    if self.relu {
                        x = x.relu();
                    }
                    if n == L::N { x.store(c) } else { x.store_first(c, n) }
                }
            }
        }
    }
}

/// Asks for the cache line of `p` ahead of its use.
#[inline(always)]
pub fn prefetch<T>(p: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults, whatever the address; SSE is part of x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(p.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = p;
}
