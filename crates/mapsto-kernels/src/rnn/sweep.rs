//! The micro-kernel of recurrent networks: a panel of a packed matrix streams past a few lines of tiles.

use crate::gemm::lanes::{Float, Kernel, Lanes};
use crate::gemm::tile::prefetch;

/// Rows of a tile: a micro-tile's rows with AVX-512.
pub const HIGH: usize = 8;
/// Columns of a tile: a register of f32 with AVX-512, and a cache line.
pub const SIDE: usize = 16;
/// Numbers of a tile.
pub const AREA: usize = HIGH * SIDE;

/// Writes a row of numbers into a row of tiles that lie side by side, and zeros up to the last tile's end.
#[inline]
pub fn lay<T: Float>(tiles: &mut [T], row: usize, x: &[T]) {
    for (x, to) in x.chunks(SIDE).zip(tiles[row * SIDE..].chunks_mut(AREA)) {
        fill(&mut to[..SIDE], x);
    }
}

/// Copies a short row and fills up with zeros; whole tiles' sides without a call.
#[inline]
pub fn fill<T: Float>(to: &mut [T], x: &[T]) {
    let (whole, rest) = x.as_chunks::<SIDE>();
    let (sides, end) = to.split_at_mut(whole.len() * SIDE);
    for (to, x) in sides.as_chunks_mut::<SIDE>().0.iter_mut().zip(whole) {
        *to = *x;
    }
    if !end.is_empty() {
        end[..rest.len()].copy_from_slice(rest);
        end[rest.len()..].fill(T::default());
    }
}

/// The lines of tiles that a product's rows are made from; it sums along the other side, tile after tile.
#[derive(Clone, Copy)]
pub enum Lines {
    /// Of tiles side by side: the products of what was laid.
    Rows,
    /// Of tiles one above the other: the products of its transpose.
    Columns,
}

/// The left operand of a product.
#[derive(Clone, Copy)]
pub struct Left<'a, T> {
    /// Number (i, j) of tile `t` is `tiles[t·pitch + i·SIDE + j]`.
    pub tiles: &'a [T],
    /// From one tile to the next.
    pub pitch: usize,
    /// Tiles.
    pub count: usize,
    /// What it consists of.
    pub lines: Lines,
}

impl<T> Left<'_, T> {
    /// The depth of the sums.
    pub fn depth(&self) -> usize {
        self.count * if let Lines::Rows = self.lines { SIDE } else { HIGH }
    }
}

/// The product of lines of tiles with one panel of at most three registers, as wide as `width` asks for.
///
/// Loop nest: micro-tiles of lines › tiles › the numbers of a line. All addresses of a step are one pointer and a constant;
/// where each line has a pointer of its own, as in a product of any strides, eight additions a step compete with 24
/// multiply-adds (8 rows by 256 × 1024: 166 GFLOP/s of the 180 that a core's registers reach, and so 178).
///
/// Steps are not unrolled: from four on LLVM gathers a row's numbers into one load and deals them out by shuffles, which
/// more than doubles the time.
pub struct Sweep<'a, T> {
    pub left: Left<'a, T>,
    /// Lines, at most [`HIGH`] rows or [`SIDE`] columns.
    pub lines: usize,
    pub panel: &'a [T],
    pub width: usize,
    /// Valid for `lines` rows of `width` numbers, `stride` apart.
    pub c: *mut T,
    pub stride: usize,
    pub add: bool,
    pub bias: Option<&'a [T]>,
}

impl<T: Float> Kernel<T> for Sweep<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) {
        let Left { tiles, pitch, count, lines } = self.left;
        let wide = self.width.next_multiple_of(L::N);
        assert!(count > 0 && self.panel.len() >= self.left.depth() * wide);
        assert!(self.bias.is_none_or(|b| b.len() >= self.width));
        let mut i = 0;
        while i < self.lines {
            let high = match (lines, self.lines - i) {
                (Lines::Rows, 1) => 1,
                (Lines::Rows, 2) => 2,
                (Lines::Rows, 3 | 4) => 4,
                _ => L::ROWS,
            };
            let (first, last) = match lines {
                Lines::Rows => (i * SIDE, (i + high - 1) * SIDE + SIDE - 1),
                Lines::Columns => (i, (HIGH - 1) * SIDE + i + high - 1),
            };
            assert!(last < AREA && (count - 1) * pitch + last < tiles.len());
            // SAFETY: the assertions, and the caller's promise for C.
            unsafe {
                let a = tiles.as_ptr().add(first);
                match (lines, high) {
                    (Lines::Rows, 1) => self.across::<L, 1, SIDE, SIDE, 1>(a, i),
                    (Lines::Rows, 2) => self.across::<L, 2, SIDE, SIDE, 1>(a, i),
                    (Lines::Rows, _) if L::ROWS == 4 => self.across::<L, 4, SIDE, SIDE, 1>(a, i),
                    (Lines::Rows, 4) => self.across::<L, 4, SIDE, SIDE, 1>(a, i),
                    (Lines::Rows, _) => self.across::<L, 8, SIDE, SIDE, 1>(a, i),
                    (Lines::Columns, _) if L::ROWS == 4 => self.across::<L, 4, HIGH, 1, SIDE>(a, i),
                    (Lines::Columns, _) => self.across::<L, 8, HIGH, 1, SIDE>(a, i),
                }
            }
            i += high;
        }
    }
}

impl<T: Float> Sweep<'_, T> {
    /// `MR` lines, `LINE` apart, of tiles of `DEEP` numbers, `STEP` apart, from line `i` on.
    #[inline(always)]
    unsafe fn across<
        L: Lanes<Elem = T>,
        const MR: usize,
        const DEEP: usize,
        const LINE: usize,
        const STEP: usize,
    >(
        &self,
        a: *const T,
        i: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.width.div_ceil(L::N) {
                1 => L::alone(
                    #[inline(always)]
                    || self.tile::<L, MR, 1, DEEP, LINE, STEP>(a, i),
                ),
                2 => L::alone(
                    #[inline(always)]
                    || self.tile::<L, MR, 2, DEEP, LINE, STEP>(a, i),
                ),
                _ => L::alone(
                    #[inline(always)]
                    || self.tile::<L, MR, 3, DEEP, LINE, STEP>(a, i),
                ),
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<
        L: Lanes<Elem = T>,
        const MR: usize,
        const NV: usize,
        const DEEP: usize,
        const LINE: usize,
        const STEP: usize,
    >(
        &self,
        mut a: *const T,
        first: usize,
    ) {
        // SAFETY: the caller's promise; only `lines` rows of `width` are touched.
        unsafe {
            let height = MR.min(self.lines - first);
            let c = self.c.add(first * self.stride);
            for i in 0..height {
                for v in 0..NV {
                    prefetch(c.wrapping_add(i * self.stride + v * L::N));
                }
            }
            let mut acc = [[L::splat(T::default()); NV]; MR];
            let mut b = self.panel.as_ptr();
            for _ in 0..self.left.count {
                for k in 0..DEEP {
                    let mut row = [L::splat(T::default()); NV];
                    for v in 0..NV {
                        row[v] = L::load(b.add((k * NV + v) * L::N));
                    }
                    for i in 0..MR {
                        let x = L::splat(*a.add(i * LINE + k * STEP));
                        for v in 0..NV {
                            acc[i][v] = acc[i][v].fma(x, row[v]);
                        }
                    }
                }
                a = a.wrapping_add(self.left.pitch);
                b = b.wrapping_add(DEEP * NV * L::N);
            }
            for i in 0..MR {
                if i >= height {
                    break;
                }
                for v in 0..NV {
                    let n = (self.width - v * L::N).min(L::N);
                    let (mut x, c) = (acc[i][v], c.add(i * self.stride + v * L::N));
                    if self.add {
                        x = x.add(L::load_first(c, n));
                    }
                    if let Some(bias) = self.bias {
                        x = x.add(L::load_first(bias.as_ptr().add(v * L::N), n));
                    }
                    if n == L::N { x.store(c) } else { x.store_first(c, n) }
                }
            }
        }
    }
}
