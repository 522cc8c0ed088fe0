//! Matrix products `C = A·B`, the kernel under linear layers, attention and much of convolution.
//!
//! The method is Goto and van de Geijn's ("Anatomy of high-performance matrix multiplication", 2008): strips of A and B
//! are packed into panels in the order of use, and a micro-kernel keeps a tile of C in registers. What differs: the
//! longer side of C is cut into tasks that pack their own strips of one operand, while the other operand, the
//! smaller, is packed once for all tasks.
//!
//! Loop nest: blocks of k that share one packing › tasks along C's longer side (in parallel) › k in pieces of at most
//! [`STEPS`] › panels of B › panels of A › steps.
//!
//! Measured (`cargo bench -p mapsto-kernels`, f32, one core of a Sapphire Rapids Xeon with AVX-512, whose registers reach
//! 180 GFLOP/s; best of many, on a shared machine): 256³ 155 GFLOP/s (86 %), 512³ 161 (89 %), 1024³ 147 (81 %),
//! 2048³ 137 (76 %); on two cores 512³ 292 and 2048³ 280 of 360. Asking for a tile of C before computing it was worth 9 %
//! at 2048³ (138 → 126 ms), asking for A's panel 16 steps ahead 4 % at 512³.

mod direct;
pub(crate) mod lanes;
pub(crate) mod pack;
pub(crate) mod tile;

use lanes::{Float, Kernel, Lanes, TILE, dispatch};
use pack::{Strip, interleave};
use tile::{Block, Finish};

use crate::routines::Routines;
use crate::threads::{Pieces, for_chunks, parallel};
use crate::workspace::{Scratch, scratch};

/// A matrix somewhere in a slice: element (i, j) is `data[offset + i·row_stride + j·col_stride]`.
///
/// Strides may be negative (a flipped view) or zero (an expanded one).
#[derive(Clone, Copy, Debug)]
pub struct Mat<'a, T> {
    /// The slice it lies in.
    pub data: &'a [T],
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Elements from one row to the next.
    pub row_stride: isize,
    /// Elements from one column to the next.
    pub col_stride: isize,
    /// Where element (0, 0) is.
    pub offset: usize,
}

impl<'a, T: Copy> Mat<'a, T> {
    /// Dense rows one after the other, from the start of `data`.
    ///
    /// # Panics
    /// If `data` does not hold exactly `rows · cols` elements.
    pub fn row_major(data: &'a [T], rows: usize, cols: usize) -> Mat<'a, T> {
        assert_eq!(data.len(), rows * cols, "a {rows} × {cols} matrix in {} elements", data.len());
        Mat { data, rows, cols, row_stride: cols as isize, col_stride: 1, offset: 0 }
    }

    /// The transpose; nothing moves.
    pub fn t(self) -> Mat<'a, T> {
        let Mat { data, rows, cols, row_stride, col_stride, offset } = self;
        Mat { data, rows: cols, cols: rows, row_stride: col_stride, col_stride: row_stride, offset }
    }

    fn index(&self, i: usize, j: usize) -> isize {
        self.offset as isize + i as isize * self.row_stride + j as isize * self.col_stride
    }

    fn at(&self, i: usize, j: usize) -> T {
        self.data[self.index(i, j) as usize]
    }

    /// Panics unless every element lies in `data`; after this, kernels may use pointers.
    fn check(&self, name: &str) {
        if self.rows == 0 || self.cols == 0 {
            return;
        }
        let span = |n: usize, stride: isize| isize::try_from(n - 1).ok().and_then(|n| n.checked_mul(stride));
        let inside = (|| {
            let (r, c) = (span(self.rows, self.row_stride)?, span(self.cols, self.col_stride)?);
            let offset = isize::try_from(self.offset).ok()?;
            let first = offset.checked_add(r.min(0))?.checked_add(c.min(0))?;
            let last = offset.checked_add(r.max(0))?.checked_add(c.max(0))?;
            Some(first >= 0 && (last as usize) < self.data.len())
        })();
        assert!(
            inside == Some(true),
            "gemm: {name} reaches outside its {} elements: {} × {} from {} by ({}, {})",
            self.data.len(),
            self.rows,
            self.cols,
            self.offset,
            self.row_stride,
            self.col_stride
        );
    }
}

/// Whether a product replaces the result or adds to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// C = A·B.
    Overwrite,
    /// C += A·B.
    Add,
}

/// A function applied to each result on its way to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x.
    None,
    /// max(x, 0); NaN stays NaN.
    Relu,
}

/// What follows a product before it is stored: `activation(A·B + bias)`, the bias being one number a column.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a, T> {
    /// Added to each row, if there is one: as many numbers as C has columns.
    pub bias: Option<&'a [T]>,
    /// Applied last.
    pub activation: Activation,
}

impl<T> Epilogue<'_, T> {
    /// Nothing follows.
    pub fn none() -> Self {
        Epilogue { bias: None, activation: Activation::None }
    }
}

/// The numbers matrices are made of: f32 and f64.
pub trait Gemm: Float + Routines {}
impl Gemm for f32 {}
impl Gemm for f64 {}

/// C = A·B or C += A·B, then the epilogue; `c` is dense, row by row, of A.rows × B.cols.
///
/// The bits do not depend on the number of threads.
///
/// ```
/// use mapsto_kernels::gemm::{Epilogue, Mat, Write, gemm};
/// let (a, b) = ([1.0f32, 2.0, 3.0, 4.0], [5.0, 6.0]);
/// let mut c = [0.0; 2];
/// gemm(Mat::row_major(&a, 2, 2), Mat::row_major(&b, 2, 1), &mut c, Write::Overwrite, Epilogue::none());
/// assert_eq!(c, [17.0, 39.0]);
/// ```
///
/// # Panics
/// If the sizes do not fit, or a matrix reaches outside its slice.
pub fn gemm<T: Gemm>(a: Mat<T>, b: Mat<T>, c: &mut [T], write: Write, epilogue: Epilogue<T>) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert_eq!(k, b.rows, "gemm: inner sizes differ: {m} × {k} and {} × {n}", b.rows);
    assert_eq!(c.len(), m * n, "gemm: a {m} × {n} result in {} elements", c.len());
    if let Some(bias) = epilogue.bias {
        assert_eq!(bias.len(), n, "gemm: {} biases for {n} columns", bias.len());
    }
    a.check("the left matrix");
    b.check("the right matrix");
    let finish = Finish {
        add: write == Write::Add,
        bias: epilogue.bias,
        relu: epilogue.activation == Activation::Relu,
    };
    if m == 0 || n == 0 {
        return;
    }
    T::product(a, b, c, finish)
}

/// `batch` products, C row-major one after the other: `c[i] (+)= a(i)·b(i)`, all of one size.
///
/// ```
/// use mapsto_kernels::gemm::{Mat, Write, gemm_batch};
/// let x = [1.0f32, 2.0, 3.0];
/// let mut c = [0.0; 3];
/// let one = |i: usize| Mat::row_major(&x[i..=i], 1, 1);
/// gemm_batch(3, one, one, &mut c, Write::Overwrite);
/// assert_eq!(c, [1.0, 4.0, 9.0]);
/// ```
///
/// # Panics
/// If the sizes do not fit, or differ from one product to another.
pub fn gemm_batch<'a, T: Gemm>(
    batch: usize,
    a: impl Fn(usize) -> Mat<'a, T> + Sync,
    b: impl Fn(usize) -> Mat<'a, T> + Sync,
    c: &mut [T],
    write: Write,
) {
    if batch == 0 {
        return assert!(c.is_empty(), "gemm_batch: no products, but {} results", c.len());
    }
    let (first, n) = (a(0), b(0).cols);
    let (m, k) = (first.rows, first.cols);
    assert_eq!(c.len(), batch * m * n, "gemm_batch: {batch} results of {m} × {n} in {} elements", c.len());
    if m * n == 0 {
        return;
    }
    let work = m * n * k;
    // A large product shares its own work; small ones are shared out, several to a block. Either way the bits are those
    // of `gemm`, so the choice is free.
    let together = if work >= 1 << 24 { batch } else { (1usize << 15).div_ceil(work.max(1)).min(batch) };
    for_chunks(c, together * m * n, work.saturating_mul(batch), |block, c| {
        for (i, c) in c.chunks_exact_mut(m * n).enumerate() {
            let (a, b) = (a(block * together + i), b(block * together + i));
            assert_eq!((a.rows, a.cols, b.cols), (m, k, n), "gemm_batch: products of different sizes");
            gemm(a, b, c, write, Epilogue::none());
        }
    });
}

/// Multiplications up to which plain loops win (2 × 4 × 4: 55 ns; 8 × 8 × 8 unpacked: 60 ns; packed: 330 ns).
const TINY: usize = 32;
/// The same where B's rows are not dense, so that the other way is packing.
const TINY_STRIDED: usize = 256;
/// Multiplications up to which packing does not pay where B's rows are dense (32 × 32 × 32: 0.8 µs, packed 1.4 µs).
const UNPACKED: usize = 1 << 15;
/// Steps of k in one packed piece; a panel of B is then at most 192 · 48 · 4 = 36 KiB of the 48 KiB L1 cache. Measured at
/// 1024³ for 96, 128, 192 and 256 steps: 17.5, 16.1, 15.4 and 15.7 ms.
const STEPS: usize = 192;
/// k from which a product with a small C (at most [`SMALL`] elements) is cut along k.
const LONG: usize = 4096;
const SMALL: usize = 1 << 14;
/// Elements of the shared operand packed at a time: 1 MiB of f32, half of an L2 cache. (Tests pack in many rounds.)
const SHARED: usize = if cfg!(test) { 1 << 12 } else { 1 << 18 };

/// [`gemm`] with sizes and slices checked: the choice of a way, which depends on the sizes and the layout alone.
pub(crate) fn product<T: Gemm>(a: Mat<T>, b: Mat<T>, c: &mut [T], finish: Finish<T>) {
    let (m, k, n, add) = (a.rows, a.cols, b.cols, finish.add);
    let dense = b.col_stride == 1;
    if m * n * k <= if dense { TINY } else { TINY_STRIDED } {
        direct::tiny(a, b, c, add);
        after(c, n, finish);
    } else if m == 1 {
        direct::row_times(a, b, c, add);
        after(c, n, finish);
    } else if n == 1 {
        direct::row_times(b.t(), a.t(), c, add);
        after(c, n, finish);
    } else if m * n * k <= UNPACKED && dense {
        dispatch(direct::Unpacked { a, b, c, add });
        after(c, n, finish);
    } else if k >= LONG && m * n <= SMALL {
        in_pieces_of_k(a, b, c, finish);
    } else {
        in_panels(a, b, c, finish);
    }
}

/// The tail of the direct ways.
fn after<T: Gemm>(c: &mut [T], n: usize, finish: Finish<T>) {
    if let Some(bias) = finish.bias {
        c.chunks_exact_mut(n).for_each(|row| row.iter_mut().zip(bias).for_each(|(y, &b)| *y += b));
    }
    if finish.relu {
        c.iter_mut().for_each(|y| *y = if *y < T::default() { T::default() } else { *y });
    }
}

/// A few rows and columns, many steps: a fixed number of pieces of k, each summed alone, then added in order.
fn in_pieces_of_k<T: Gemm>(a: Mat<T>, b: Mat<T>, c: &mut [T], finish: Finish<T>) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    let pieces = (k / 1024).min(16);
    let each = k.div_ceil(pieces);
    let mut parts = scratch::<T>(pieces * m * n);
    for_chunks(&mut parts, m * n, m * n * k, |p, part| {
        let (from, to) = ((p * each).min(k), ((p + 1) * each).min(k));
        let a = Mat { cols: to - from, offset: shifted(a.offset, from, a.col_stride), ..a };
        let b = Mat { rows: to - from, offset: shifted(b.offset, from, b.row_stride), ..b };
        in_panels(a, b, part, Finish { add: false, bias: None, relu: false });
    });
    if !finish.add {
        c.fill(T::default());
    }
    for part in parts.chunks_exact(m * n) {
        c.iter_mut().zip(part).for_each(|(y, &x)| *y += x);
    }
    after(c, n, finish);
}

fn shifted(offset: usize, by: usize, stride: isize) -> usize {
    offset.wrapping_add_signed(by as isize * stride)
}

pub(crate) fn scratch_copy<T: Float>(values: impl ExactSizeIterator<Item = T>) -> Scratch<T> {
    let mut copy = scratch(values.len());
    copy.iter_mut().zip(values).for_each(|(to, x)| *to = x);
    copy
}

/// The register's sizes of the family in use: rows of a panel of A, lanes of a register.
struct Sizes;
impl<T: Float> Kernel<T> for Sizes {
    type Out = (usize, usize);
    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) -> (usize, usize) {
        (L::ROWS, L::N)
    }
}

/// Rows of a panel of A and lanes of a register, in the family in use.
pub(crate) fn sizes<T: Float>() -> (usize, usize) {
    dispatch::<T, _>(Sizes)
}

/// The general way: see the module's loop nest.
fn in_panels<T: Gemm>(a: Mat<T>, b: Mat<T>, c: &mut [T], finish: Finish<T>) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    if k == 0 {
        if !finish.add {
            c.fill(T::default());
        }
        return after(c, n, finish);
    }
    let (high, lanes) = sizes::<T>();
    let wide = TILE * lanes;
    let by_rows = m >= n;
    // The shared operand's panels, the unit of a task along the other side, and how many units make a task: a multiple
    // of the panel, at least 8 tasks where there is enough to do.
    let (short, long, unit) =
        if by_rows { (n.next_multiple_of(lanes), m, high) } else { (m.next_multiple_of(high), n, wide) };
    let most = if by_rows { 256 } else { 4 * wide };
    let task = (long.div_ceil(8)).next_multiple_of(unit).clamp(unit, most.next_multiple_of(unit));
    let pieces = k.div_ceil(STEPS);
    let steps = k.div_ceil(pieces);
    let at_once = (SHARED / (short * steps)).clamp(1, pieces);

    let mut shared = scratch::<T>(at_once * steps * short);
    let out = Pieces::new(c);
    for first in (0..pieces).step_by(at_once) {
        let count = at_once.min(pieces - first);
        let depth = |p: usize| ((first + p) * steps).min(k)..((first + p + 1) * steps).min(k);
        // Pack the shared operand: one block for each piece of k and run of 4 panels.
        let (unit_s, panels) = if by_rows { (wide, n.div_ceil(wide)) } else { (high, m.div_ceil(high)) };
        let runs = panels.div_ceil(4);
        let store = Pieces::new(&mut shared);
        parallel(count * runs, count * steps * short, |block| {
            let (p, run) = (block / runs, block % runs);
            let range = depth(p);
            for panel in run * 4..((run + 1) * 4).min(panels) {
                let at = panel * unit_s;
                let width = if by_rows { (n - at).next_multiple_of(lanes).min(wide) } else { high };
                // SAFETY: panels of one piece, and pieces, lie one after the other; each is packed by one call.
                let to = unsafe { store.get(p * short * steps + at * range.len(), width * range.len()) };
                if by_rows {
                    pack_b(to, b, range.clone(), at, width)
                } else {
                    pack_a(to, a, range.clone(), at, high)
                }
            }
        });
        let shared: &[T] = &shared;
        parallel(long.div_ceil(task), count * steps * m * n, |t| {
            let at = t * task;
            let size = task.min(long - at);
            let mut own = scratch::<T>(steps * size.next_multiple_of(unit));
            for p in 0..count {
                let range = depth(p);
                for start in (0..size).step_by(unit) {
                    if by_rows {
                        pack_a(&mut own[start * range.len()..], a, range.clone(), at + start, high);
                    } else {
                        let width = (size - start).next_multiple_of(lanes).min(wide);
                        pack_b(&mut own[start * range.len()..], b, range.clone(), at + start, width);
                    }
                }
                let shared = &shared[p * steps * short..];
                let last = first + p + 1 == pieces;
                let (rows, cols, corner) = if by_rows { (size, n, at * n) } else { (m, size, at) };
                let bias = if by_rows { finish.bias } else { finish.bias.map(|bias| &bias[at..at + size]) };
                dispatch(Block {
                    steps: range.len(),
                    rows,
                    cols,
                    a: if by_rows { &own } else { shared },
                    b: if by_rows { shared } else { &own },
                    // SAFETY: tasks cover disjoint rows or columns of C, which is borrowed throughout.
                    c: unsafe { out.at(corner) },
                    stride: n,
                    finish: Finish {
                        add: finish.add || first + p > 0,
                        bias: if last { bias } else { None },
                        relu: last && finish.relu,
                    },
                });
            }
        });
    }
}

fn pack_a<T: Float>(to: &mut [T], a: Mat<T>, steps: std::ops::Range<usize>, row: usize, high: usize) {
    let strip =
        Strip { data: a.data, start: a.index(row, steps.start), lane: a.row_stride, step: a.col_stride };
    interleave(to, high, high.min(a.rows - row), steps.len(), strip);
}

fn pack_b<T: Float>(to: &mut [T], b: Mat<T>, steps: std::ops::Range<usize>, col: usize, width: usize) {
    let strip =
        Strip { data: b.data, start: b.index(steps.start, col), lane: b.col_stride, step: b.row_stride };
    interleave(to, width, width.min(b.cols - col), steps.len(), strip);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, with_isa};
    use crate::threads::with_threads;

    /// Numbers in [-1, 1) without a pattern that a transposed or shifted index would share.
    fn numbers(n: usize, seed: u64) -> Vec<f64> {
        let mut s = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            s ^= s << 13;
            s ^= s >> 7;
            s ^= s << 17;
            (s >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    fn narrow(x: &[f64]) -> Vec<f32> {
        x.iter().map(|&x| x as f32).collect()
    }

    #[derive(Clone, Copy, Debug)]
    enum Lie {
        Rows,
        Cols,
        Flipped,
        Strided,
        Expanded,
    }
    const LIES: [Lie; 5] = [Lie::Rows, Lie::Cols, Lie::Flipped, Lie::Strided, Lie::Expanded];

    fn lay<T: Copy>(data: &[T], rows: usize, cols: usize, lie: Lie) -> Mat<'_, T> {
        let (r, c) = (rows as isize, cols as isize);
        let (row_stride, col_stride, offset) = match lie {
            Lie::Rows => (c + 3, 1, 5),
            Lie::Cols => (1, r + 2, 1),
            Lie::Flipped => (-c, -1, rows * cols - 1),
            Lie::Strided => (2 * c, 2, 0),
            Lie::Expanded => (0, 1, 2),
        };
        Mat { data, rows, cols, row_stride, col_stride, offset }
    }

    fn reference(a: Mat<f64>, b: Mat<f64>) -> Vec<f64> {
        let mut c = Vec::new();
        for i in 0..a.rows {
            for j in 0..b.cols {
                c.push((0..a.cols).map(|k| a.at(i, k) * b.at(k, j)).sum());
            }
        }
        c
    }

    fn compare(m: usize, k: usize, n: usize, la: Lie, lb: Lie) {
        let (a64, b64) = (numbers(2 * m * k + 4 * (m + k) + 8, 1), numbers(2 * k * n + 4 * (k + n) + 8, 2));
        let (c0, bias) = (numbers(m * n, 3), numbers(n, 4));
        let (a32, b32, c32, bias32) = (narrow(&a64), narrow(&b64), narrow(&c0), narrow(&bias));
        let product = reference(lay(&a64, m, k, la), lay(&b64, k, n, lb));
        for (write, biased, activation) in [
            (Write::Overwrite, false, Activation::None),
            (Write::Add, true, Activation::None),
            (Write::Overwrite, true, Activation::Relu),
        ] {
            let want = |i: usize| {
                let mut x = product[i] + if write == Write::Add { c0[i] } else { 0.0 };
                x += if biased { bias[i % n] } else { 0.0 };
                if activation == Activation::Relu { x.max(0.0) } else { x }
            };
            let mut c = c0.clone();
            let epilogue = Epilogue { bias: biased.then_some(&bias[..]), activation };
            gemm(lay(&a64, m, k, la), lay(&b64, k, n, lb), &mut c, write, epilogue);
            for i in 0..m * n {
                let (got, want) = (c[i], want(i));
                assert!(
                    (got - want).abs() <= 1e-13 * (k + 1) as f64,
                    "f64 {m} {k} {n} {la:?} {lb:?}: {got} {want}"
                );
            }
            let run = |threads| {
                let mut c = c32.clone();
                let epilogue = Epilogue { bias: biased.then_some(&bias32[..]), activation };
                let (a, b) = (lay(&a32, m, k, la), lay(&b32, k, n, lb));
                with_threads(threads, || gemm(a, b, &mut c, write, epilogue));
                c
            };
            let c = run(1);
            for i in 0..m * n {
                let (got, want) = (c[i] as f64, want(i));
                let most = 1.5e-6 * (k as f64).sqrt() + 1e-6;
                assert!((got - want).abs() <= most, "f32 {m} {k} {n} {la:?} {lb:?} {write:?}: {got} {want}");
            }
            for threads in [2, 8] {
                assert!(run(threads) == c, "{m} {k} {n} {la:?} {lb:?}: {threads} threads give other bits");
            }
        }
    }

    #[test]
    fn products_of_every_size_and_layout_agree_with_f64_in_every_family() {
        let sizes = [(1, 1, 1), (2, 4, 4), (4, 2, 1), (1, 300, 700), (700, 300, 1), (8, 16, 48), (9, 17, 49)];
        let larger =
            [(33, 200, 65), (65, 385, 33), (3, 5, 1000), (1000, 3, 5), (20, 9000, 12), (130, 50, 100)];
        for &isa in Isa::available() {
            with_isa(isa, || {
                for &(m, k, n) in sizes.iter().chain(&larger) {
                    compare(m, k, n, Lie::Rows, Lie::Rows);
                    compare(m, k, n, Lie::Rows, Lie::Cols);
                    compare(m, k, n, Lie::Cols, Lie::Rows);
                }
                for la in LIES {
                    for lb in LIES {
                        compare(5, 7, 6, la, lb);
                        compare(1, 90, 37, la, lb);
                        compare(37, 90, 1, la, lb);
                        compare(20, 35, 60, la, lb);
                        compare(60, 35, 20, la, lb);
                    }
                }
            });
        }
    }

    #[test]
    fn an_empty_inner_size_gives_the_bias_and_empty_results_are_left_alone() {
        let mut c = [7.0f32; 6];
        let bias = [1.0, -2.0, 3.0];
        let (a, b) = (Mat::row_major(&[], 2, 0), Mat::row_major(&[], 0, 3));
        let epilogue = Epilogue { bias: Some(&bias), activation: Activation::Relu };
        gemm(a, b, &mut c, Write::Overwrite, epilogue);
        assert_eq!(c, [1.0, 0.0, 3.0, 1.0, 0.0, 3.0]);
        gemm(a, b, &mut c, Write::Add, Epilogue::none());
        assert_eq!(c, [1.0, 0.0, 3.0, 1.0, 0.0, 3.0]);
        gemm(
            Mat::row_major(&[], 0, 2),
            Mat::row_major(&bias[..2], 2, 1),
            &mut [],
            Write::Add,
            Epilogue::none(),
        );
    }

    #[test]
    fn nan_passes_through_relu() {
        for n in [1, 40] {
            let (a, b) = (vec![f32::NAN; 40 * 40], vec![1.0f32; 40 * n]);
            let mut c = vec![0.0; 40 * n];
            let epilogue = Epilogue { bias: None, activation: Activation::Relu };
            gemm(Mat::row_major(&a, 40, 40), Mat::row_major(&b, 40, n), &mut c, Write::Overwrite, epilogue);
            assert!(c.iter().all(|c| c.is_nan()));
        }
    }

    #[test]
    fn a_batch_is_its_products() {
        for (batch, m, k, n) in [(5, 3, 4, 5), (70, 8, 8, 8), (3, 40, 50, 60), (2, 1, 30, 20)] {
            let (a, b) = (narrow(&numbers(batch * m * k, 5)), narrow(&numbers(batch * k * n, 6)));
            let mat_a = |i: usize| Mat { offset: i * m * k, ..Mat::row_major(&a, batch * m, k) };
            let mat_b = |i: usize| Mat { offset: i * k * n, ..Mat::row_major(&b, batch * k, n) };
            let one_a = |i| Mat { rows: m, ..mat_a(i) };
            let one_b = |i| Mat { rows: k, ..mat_b(i) };
            let mut want = vec![0.0f32; batch * m * n];
            for (i, c) in want.chunks_exact_mut(m * n).enumerate() {
                gemm(one_a(i), one_b(i), c, Write::Overwrite, Epilogue::none());
            }
            for threads in [1, 2, 8] {
                let mut c = vec![1.0f32; batch * m * n];
                with_threads(threads, || gemm_batch(batch, one_a, one_b, &mut c, Write::Overwrite));
                assert_eq!(c, want, "{threads} threads");
            }
        }
    }

    #[test]
    #[should_panic(expected = "gemm: inner sizes differ: 2 × 3 and 2 × 3")]
    fn inner_sizes_must_agree() {
        let x = [0.0f32; 6];
        let a = Mat::row_major(&x, 2, 3);
        gemm(a, a, &mut [0.0; 6], Write::Overwrite, Epilogue::none());
    }

    #[test]
    #[should_panic(expected = "gemm: the left matrix reaches outside its 6 elements: 2 × 3 from 1 by (3, 1)")]
    fn a_matrix_must_lie_in_its_slice() {
        let x = [0.0f32; 6];
        let a = Mat { offset: 1, ..Mat::row_major(&x, 2, 3) };
        gemm(a, Mat::row_major(&x, 3, 2), &mut [0.0; 4], Write::Overwrite, Epilogue::none());
    }
}
