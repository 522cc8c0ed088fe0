//! Matrix products `C = A·B`, the kernel under linear layers, attention and much of convolution.
//!
//! The method is Goto and van de Geijn's ("Anatomy of high-performance matrix multiplication", 2008): a micro-kernel keeps
//! a tile of C in registers while panels of A and B stream by. What differs: one side of C is cut into tasks, and
//! an operand is packed into panels only where that pays. A's rows, if they are dense, are read where they lie (packing
//! them took 6 % of 1024³); so is B where few rows pass over it and its registers are cache lines (64 × 784 × 64: 160
//! instead of 97 GFLOP/s). Else the operand of the side that is not cut is packed once for all tasks, the other's part by
//! each task.
//!
//! Loop nest: blocks of k that share one packing › tasks along a side of C (in parallel) › k in pieces of at most
//! [`panels::STEPS`] › runs of panels of B › panels of A › panels of B › steps.
//!
//! Measured against the `gemm` crate 0.19 in one run, alternately (f32, GFLOP/s, medians; a Sapphire Rapids Xeon whose
//! registers reach 177 a core): on one thread 64³ 149 (theirs 151), 256³ 162 (167), 512³ 155 (162), 1024³ 155 (163),
//! 2048³ 161 (160), 64 × 784 × 64 165 (145); on two 64³ 145 (150), 256³ 307 (234), 512³ 304 (288), 1024³ 298 (267),
//! 2048³ 319 (295), 64 × 784 × 64 281 (90). What is left at the large sizes is packing B and passing over C again for
//! every 512 steps. Eight rows of three registers, with B's panels outside A's and pieces of 192 steps, gave 144 at 1024³;
//! a product of 64³ lost half to a second thread; smaller tasks (128 or 64 rows) gained nothing.

pub mod bf16;
mod direct;
mod dots;
pub mod half;
pub mod integers;
pub(crate) mod lanes;
mod mat;
mod operand;
pub(crate) mod pack;
mod panels;
mod read;
pub(crate) mod tile;
mod unpacked;

pub(crate) use direct::SERIAL;
pub use mat::Mat;
pub(crate) use tile::sizes;

use crate::elements::elements;
use crate::threads::for_chunks;
use crate::workspace::scratch;
use lanes::Float;
use tile::Finish;

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
///
/// The product is a method without type parameters, so that it is compiled in this crate, once for each of them: a generic
/// function would be compiled again, for every family of instructions, by each crate that calls it. The other heavy
/// kernels, which are made of products, have such a trait of their own.
pub trait Gemm: Float {
    /// [`gemm`] with sizes and slices checked.
    fn product(a: Mat<Self>, b: Mat<Self>, c: &mut [Self], finish: Finish<Self>);
}

macro_rules! gemm {
    ($($t:ty)*) => {$(
        impl Gemm for $t {
            #[inline(never)]
            fn product(a: Mat<$t>, b: Mat<$t>, c: &mut [$t], finish: Finish<$t>) {
                product(a, b, c, finish)
            }
        }
    )*};
}
gemm!(f32 f64);

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
    let finish = checked(&a, &b, c, write, epilogue);
    if !c.is_empty() {
        T::product(a, b, c, finish)
    }
}

/// Panics unless the sizes fit and the matrices lie in their slices; says what is to be done with the product.
fn checked<'e, T: Float>(
    a: &Mat<T>,
    b: &Mat<T>,
    c: &[T],
    write: Write,
    epilogue: Epilogue<'e, T>,
) -> Finish<'e, T> {
    check_sizes(a, b, c, epilogue.bias.map(|bias| bias.len()));
    Finish { add: write == Write::Add, bias: epilogue.bias, relu: epilogue.activation == Activation::Relu }
}

/// Panics unless the sizes fit and the matrices lie in their slices.
fn check_sizes<T: Copy, C>(a: &Mat<T>, b: &Mat<T>, c: &[C], bias: Option<usize>) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert_eq!(k, b.rows, "gemm: inner sizes differ: {m} × {k} and {} × {n}", b.rows);
    assert_eq!(c.len(), elements([m, n]), "gemm: a {m} × {n} result in {} elements", c.len());
    if let Some(biases) = bias {
        assert_eq!(biases, n, "gemm: {biases} biases for {n} columns");
    }
    a.check("the left matrix");
    b.check("the right matrix");
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
    in_batch(batch, a, b, c, |a, b, c| gemm(a, b, c, write, Epilogue::none()));
}

/// The products of a batch, shared out; `one` is one of them, and shares its own work if it is large.
fn in_batch<'a, T: Copy + 'a, C: Send>(
    batch: usize,
    a: impl Fn(usize) -> Mat<'a, T> + Sync,
    b: impl Fn(usize) -> Mat<'a, T> + Sync,
    c: &mut [C],
    one: impl Fn(Mat<'a, T>, Mat<'a, T>, &mut [C]) + Sync,
) {
    if batch == 0 {
        return assert!(c.is_empty(), "gemm_batch: no products, but {} results", c.len());
    }
    if batch == 1 {
        return one(a(0), b(0), c);
    }
    let (first, n) = (a(0), b(0).cols);
    let (m, k) = (first.rows, first.cols);
    assert_eq!(
        c.len(),
        elements([batch, m, n]),
        "gemm_batch: {batch} results of {m} × {n} in {} elements",
        c.len()
    );
    if c.is_empty() {
        return;
    }
    let work = elements([m, n, k]);
    // A large product shares its own work; small ones are shared out, several to a block. Either way the bits are those
    // of `gemm`, so the choice is free.
    let together =
        if work >= 1 << 24 { batch } else { (1usize << 15).div_ceil(work + CALL * MACS).min(batch) };
    for_chunks(c, together * m * n, (work / MACS).saturating_add(CALL).saturating_mul(batch), |block, c| {
        for (i, c) in c.chunks_exact_mut(m * n).enumerate() {
            let (a, b) = (a(block * together + i), b(block * together + i));
            assert_eq!((a.rows, a.cols, b.cols), (m, k, n), "gemm_batch: products of different sizes");
            one(a, b, c);
        }
    });
}

/// What one product costs besides its multiplications, some 0.1 µs. (256 products of 16 × 16 × 4 by one thread: 52 µs.)
const CALL: usize = 256;

// An interpreter (Miri) takes the same ways at sizes a hundred times smaller.

/// Multiplications up to which plain loops win (2 × 4 × 4: 55 ns; 8 × 8 × 8 unpacked: 60 ns; packed: 330 ns).
const TINY: usize = 32;
/// The same where B's rows are not dense, so that the other way is packing.
const TINY_STRIDED: usize = 256;
/// Multiplications up to which a plain kernel does as well as panels or better (256 of 32³ by two threads of a Zen 4: 118 to
/// 124 µs, in panels 116; of 16³ 38).
const UNPACKED: usize = if cfg!(miri) { 1 << 8 } else { 1 << 15 };
/// Steps and columns of a B that any number of rows pass over without being packed.
const THIN: [usize; 2] = [64, 32];
/// k from which a product with a small C (at most [`SMALL`] elements) is cut along k.
const LONG: usize = if cfg!(miri) { 64 } else { 4096 };
const SMALL: usize = 1 << 14;

/// [`gemm`] with sizes and slices checked: the choice of a way, which depends on the sizes and the layout alone.
pub(crate) fn product<T: Gemm>(a: Mat<T>, b: Mat<T>, c: &mut [T], finish: Finish<T>) {
    let (m, k, n, add) = (a.rows, a.cols, b.cols, finish.add);
    let work = elements([m, n, k]);
    if work <= if b.col_stride == 1 { TINY } else { TINY_STRIDED } {
        direct::tiny(a, b, c, add);
        direct::after(c, n, finish);
    } else if m == 1 {
        direct::row_times(a, b, c, add);
        direct::after(c, n, finish);
    } else if n == 1 {
        direct::row_times(b.t(), a.t(), c, add);
        direct::after(c, n, finish);
    } else if n <= k && turned(&a) && turned(&b) {
        // Cᵀ = Bᵀ·Aᵀ reads both in rows; C's few numbers are turned round instead.
        let mut y = scratch::<T>(elements([n, m]));
        product(b.t(), a.t(), &mut y, Finish { add: false, bias: None, relu: false });
        direct::turn(&y, c, n, add);
        direct::after(c, n, finish);
    } else if k >= LONG && m * n <= SMALL && work > UNPACKED {
        panels::in_pieces_of_k(a, b, c, finish, (k / (LONG / 4)).min(16));
    } else {
        whole(a, b, c, finish);
    }
}

/// Whether a matrix lies column by column and not row by row.
fn turned<T>(x: &Mat<T>) -> bool {
    x.row_stride == 1 && x.col_stride != 1
}

/// A product of at least two rows and columns, whose steps are not cut.
fn whole<T: Gemm>(a: Mat<T>, b: Mat<T>, c: &mut [T], finish: Finish<T>) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    if dots::pay(&a, &b) {
        dots::product(a, b, c, finish)
    } else if elements([m, n, k]) <= UNPACKED || k <= THIN[0] && n <= THIN[1] {
        unpacked::product(a, b, c, finish)
    } else {
        panels::product(a, b, c, finish)
    }
}

/// Multiply-adds that take as long as moving an element.
const MACS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, with_isa};
    use crate::threads::with_threads;

    /// Numbers in [-1, 1) without a pattern that a transposed or shifted index would share.
    pub(super) fn numbers(n: usize, seed: u64) -> Vec<f64> {
        let mut s = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            s ^= s << 13;
            s ^= s >> 7;
            s ^= s << 17;
            (s >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    pub(super) fn narrow(x: &[f64]) -> Vec<f32> {
        x.iter().map(|&x| x as f32).collect()
    }

    #[derive(Clone, Copy, Debug)]
    pub(super) enum Lie {
        Rows,
        Cols,
        Flipped,
        Strided,
        Expanded,
        Overlapping,
    }
    pub(super) const LIES: [Lie; 6] =
        [Lie::Rows, Lie::Cols, Lie::Flipped, Lie::Strided, Lie::Expanded, Lie::Overlapping];

    pub(super) fn lay<T: Copy>(data: &[T], rows: usize, cols: usize, lie: Lie) -> Mat<'_, T> {
        let (r, c) = (rows as isize, cols as isize);
        let (row_stride, col_stride, offset) = match lie {
            Lie::Rows => (c + 3, 1, 5),
            Lie::Cols => (1, r + 2, 1),
            Lie::Flipped => (-c, -1, rows * cols - 1),
            Lie::Strided => (2 * c, 2, 0),
            Lie::Expanded => (0, 1, 2),
            Lie::Overlapping => (1, 1, 3),
        };
        Mat { data, rows, cols, row_stride, col_stride, offset }
    }

    pub(super) fn reference(a: Mat<f64>, b: Mat<f64>) -> Vec<f64> {
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
            [(33, 200, 65), (65, 513, 33), (3, 5, 1000), (1000, 3, 5), (20, 9000, 12), (130, 50, 100)];
        // Those of `unpacked` in several blocks, of `dots` by rows and by columns, and of more than one of its sums.
        let thin = [(900, 16, 16), (700, 20, 31), (7, 300, 30), (70, 100, 7), (2, 4100, 3), (33, 64, 18)];
        for &isa in Isa::available() {
            with_isa(isa, || {
                for &(m, k, n) in sizes.iter().chain(&larger).chain(&thin) {
                    compare(m, k, n, Lie::Rows, Lie::Rows);
                    compare(m, k, n, Lie::Rows, Lie::Cols);
                    compare(m, k, n, Lie::Cols, Lie::Rows);
                    compare(m, k, n, Lie::Cols, Lie::Cols);
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
