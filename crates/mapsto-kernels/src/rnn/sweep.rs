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
#[inline(always)]
pub fn lay<T: Float>(tiles: &mut [T], row: usize, x: &[T]) {
    for (x, to) in x.chunks(SIDE).zip(tiles[row * SIDE..].chunks_mut(AREA)) {
        fill(&mut to[..SIDE], x);
    }
}

/// Copies a short row and fills up with zeros; whole tiles' sides without a call.
#[inline(always)]
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
        self.count * self.step()
    }

    /// The depth of one tile.
    pub fn step(&self) -> usize {
        if let Lines::Rows = self.lines { SIDE } else { HIGH }
    }
}

/// The product of lines of tiles with a run of panels of at most three registers.
///
/// Loop nest: panels › micro-tiles of lines › tiles › the numbers of a line. All addresses of a step are one pointer and a
/// constant; where each line has a pointer of its own, as in a product of any strides, eight additions a step compete with
/// 24 multiply-adds (8 rows by 256 × 1024: 166 GFLOP/s of the 180 that a core's registers reach, and so 178).
///
/// Steps are not unrolled: from four on LLVM gathers a row's numbers into one load and deals them out by shuffles, which
/// more than doubles the time.
pub struct Sweep<'a, T> {
    pub left: Left<'a, T>,
    /// Lines, at most [`HIGH`] rows or [`SIDE`] columns.
    pub lines: usize,
    /// All panels, one after the other.
    pub panels: &'a [T],
    /// The depth of the panels, and from which part of it the sums are made: `left` has what follows.
    pub depth: usize,
    pub from: usize,
    /// Where the panels of the run begin, and where the last ends.
    pub edges: &'a [usize],
    /// The columns of all panels that are not padding.
    pub cols: usize,
    /// Valid for `lines` rows of `cols` numbers, `stride` apart, of which the run's are nobody else's.
    pub c: *mut T,
    pub stride: usize,
    pub add: bool,
    pub bias: Option<&'a [T]>,
}

impl<T: Float> Kernel<T> for Sweep<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) {
        let (left, deep) = (self.left, self.left.depth());
        assert!(left.count > 0 && self.bias.is_none_or(|bias| bias.len() >= self.cols));
        for edge in self.edges.windows(2) {
            let panel = &self.panels[edge[0] * self.depth..edge[1] * self.depth];
            let panel = &panel[self.from * (edge[1] - edge[0])..][..deep * (edge[1] - edge[0])];
            let mut i = 0;
            while i < self.lines {
                let high = match (left.lines, self.lines - i) {
                    (Lines::Rows, 1) => 1,
                    (Lines::Rows, 2) => 2,
                    (Lines::Rows, 3 | 4) => 4,
                    _ => L::ROWS,
                };
                let (first, last) = match left.lines {
                    Lines::Rows => (i * SIDE, (i + high - 1) * SIDE + SIDE - 1),
                    Lines::Columns => (i, (HIGH - 1) * SIDE + i + high - 1),
                };
                assert!(last < AREA && (left.count - 1) * left.pitch + last < left.tiles.len());
                // SAFETY: the assertions, and the caller's promise for C.
                unsafe {
                    let spot = Spot {
                        a: left.tiles.as_ptr().add(first),
                        pitch: left.pitch,
                        count: left.count,
                        b: panel.as_ptr(),
                        c: self.c.add(i * self.stride + edge[0]),
                        stride: self.stride,
                        height: high.min(self.lines - i),
                        width: edge[1].min(self.cols) - edge[0],
                        add: self.add,
                        bias: self.bias.map_or(std::ptr::null(), |bias| bias[edge[0]..].as_ptr()),
                    };
                    let registers = (edge[1] - edge[0]) / L::N;
                    match (left.lines, high) {
                        (Lines::Rows, 1) => spot.across::<L, 1, SIDE, SIDE, 1>(registers),
                        (Lines::Rows, 2) => spot.across::<L, 2, SIDE, SIDE, 1>(registers),
                        (Lines::Rows, 4) => spot.across::<L, 4, SIDE, SIDE, 1>(registers),
                        (lines, _) => {
                            if L::MANY {
                                match lines {
                                    Lines::Rows => spot.across::<L, 8, SIDE, SIDE, 1>(registers),
                                    Lines::Columns => spot.across::<L, 8, HIGH, 1, SIDE>(registers),
                                }
                            } else {
                                spot.across::<L, 4, HIGH, 1, SIDE>(registers)
                            }
                        }
                    }
                }
                i += high;
            }
        }
    }
}

/// One micro-tile: where its operands lie and where it goes.
struct Spot<T> {
    a: *const T,
    pitch: usize,
    count: usize,
    b: *const T,
    c: *mut T,
    stride: usize,
    height: usize,
    width: usize,
    add: bool,
    bias: *const T,
}

impl<T: Float> Spot<T> {
    /// `MR` lines, `LINE` apart, of tiles of `DEEP` numbers, `STEP` apart.
    #[inline(always)]
    unsafe fn across<
        L: Lanes<Elem = T>,
        const MR: usize,
        const DEEP: usize,
        const LINE: usize,
        const STEP: usize,
    >(
        &self,
        registers: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match registers {
                1 => L::alone(
                    #[inline(always)]
                    || self.tile::<L, MR, 1, DEEP, LINE, STEP>(),
                ),
                2 => L::alone(
                    #[inline(always)]
                    || self.tile::<L, MR, 2, DEEP, LINE, STEP>(),
                ),
                _ => L::alone(
                    #[inline(always)]
                    || self.tile::<L, MR, 3, DEEP, LINE, STEP>(),
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
    ) {
        // SAFETY: the caller's promise; only `height` rows of `width` are touched.
        unsafe {
            for i in 0..MR.min(self.height) {
                for v in 0..NV {
                    prefetch(self.c.wrapping_add(i * self.stride + v * L::N));
                }
            }
            let mut acc = [[L::splat(T::default()); NV]; MR];
            let (mut a, mut b) = (self.a, self.b);
            for _ in 0..self.count {
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
                a = a.wrapping_add(self.pitch);
                b = b.wrapping_add(DEEP * NV * L::N);
            }
            if self.height == MR && self.width == NV * L::N {
                self.store_whole(acc)
            } else {
                self.store_part(acc)
            }
        }
    }

    /// Stores a tile of which all lies in C. (With rows and columns counted for every tile, the sums were kept in memory; so
    /// they are if this is shared with the products' tiles: a training step of 44 ms instead of 19.)
    #[inline(always)]
    unsafe fn store_whole<L: Lanes<Elem = T>, const MR: usize, const NV: usize>(
        &self,
        mut acc: [[L; NV]; MR],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let c = |i: usize, v: usize| self.c.add(i * self.stride + v * L::N);
            if self.add {
                for i in 0..MR {
                    for v in 0..NV {
                        acc[i][v] = acc[i][v].add(L::load(c(i, v)));
                    }
                }
            }
            if !self.bias.is_null() {
                for v in 0..NV {
                    let bias = L::load(self.bias.add(v * L::N));
                    for i in 0..MR {
                        acc[i][v] = acc[i][v].add(bias);
                    }
                }
            }
            for i in 0..MR {
                for v in 0..NV {
                    acc[i][v].store(c(i, v));
                }
            }
        }
    }

    /// Stores the rows and columns of a tile that lie in C.
    #[inline(always)]
    unsafe fn store_part<L: Lanes<Elem = T>, const MR: usize, const NV: usize>(&self, acc: [[L; NV]; MR]) {
        // SAFETY: the caller's promise.
        unsafe {
            for (i, row) in acc.iter().enumerate().take(self.height) {
                for (v, &sum) in row.iter().enumerate() {
                    let n = self.width.saturating_sub(v * L::N).min(L::N);
                    let (mut x, c) = (sum, self.c.wrapping_add(i * self.stride + v * L::N));
                    if self.add {
                        x = x.add(L::load_first(c, n));
                    }
                    if !self.bias.is_null() {
                        x = x.add(L::load_first(self.bias.wrapping_add(v * L::N), n));
                    }
                    x.store_first(c, n);
                }
            }
        }
    }
}
