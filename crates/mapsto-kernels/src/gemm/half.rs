//! Products of f16 and of bf16: operands are widened to f32 as they are needed, sums are taken in f32, results rounded once.
//!
//! A matrix that is used once or a few times, beside a vector or a thin one, is widened piece by piece in the cache, so that
//! memory moves two bytes a number (1 × 4096 · 4096 × 4096 in bf16: 6.4 ms where it was widened whole). Larger products of
//! bf16 are multiplied as such where the processor does that faster than f32 ([`Way`](super::bf16::Way)); numbers, products
//! and sums below 2⁻¹²⁶ count as 0 there. Everything else is widened whole.

use super::direct::{after, row_times, turn};
use super::mat::{Mat, shifted};
use super::read::Read;
use super::tile::Finish;
use super::{Activation, Epilogue, MACS, THIN, bf16, check_sizes, dots, in_batch, product};
use crate::cast::Cast;
use crate::elements::elements;
use crate::threads::{Pieces, for_chunks, parallel};
use crate::workspace::scratch;

/// The numbers of 16 bits: f16 and bf16.
pub trait Half: Cast<f32> + Read<f32> {
    /// Rounds numbers.
    fn round(x: &[f32], y: &mut [Self]);
    /// The product of large matrices in the type itself, where there is something faster than f32.
    #[doc(hidden)]
    fn whole(a: Mat<Self>, b: Mat<Self>, c: &mut [f32], finish: Finish<f32>) -> bool;
}

impl Half for ::half::f16 {
    fn round(x: &[f32], y: &mut [Self]) {
        f32::cast_slice(x, y)
    }
    fn whole(_: Mat<Self>, _: Mat<Self>, _: &mut [f32], _: Finish<f32>) -> bool {
        false
    }
}

impl Half for ::half::bf16 {
    fn round(x: &[f32], y: &mut [Self]) {
        f32::cast_slice(x, y)
    }
    fn whole(a: Mat<Self>, b: Mat<Self>, c: &mut [f32], finish: Finish<f32>) -> bool {
        bf16::whole(a, b, c, finish)
    }
}

/// C = A·B, then the epilogue, summed in f32 and rounded once; `c` as in [`gemm`](super::gemm).
///
/// The bits do not depend on the number of threads.
///
/// ```
/// use half::f16;
/// use mapsto_kernels::gemm::{Epilogue, Mat, half::gemm};
/// let x = [1.0f32, 2.0, 3.0].map(f16::from_f32);
/// let mut c = [f16::ZERO];
/// gemm(Mat::row_major(&x, 1, 3), Mat::row_major(&x, 3, 1), &mut c, Epilogue::none());
/// assert_eq!(c[0].to_f32(), 14.0);
/// ```
///
/// # Panics
/// If the sizes do not fit, or a matrix reaches outside its slice.
pub fn gemm<H: Half>(a: Mat<H>, b: Mat<H>, c: &mut [H], epilogue: Epilogue<f32>) {
    check_sizes(&a, &b, c, epilogue.bias.map(|bias| bias.len()));
    if !c.is_empty() {
        let relu = epilogue.activation == Activation::Relu;
        way(a, b, c, Finish { add: false, bias: epilogue.bias, relu })
    }
}

/// `batch` products as [`gemm_batch`](super::gemm_batch) does, each as [`gemm`] above.
///
/// ```
/// use half::bf16;
/// use mapsto_kernels::gemm::{Mat, half::gemm_batch};
/// let x = [1.0f32, 2.0, 3.0].map(bf16::from_f32);
/// let mut c = [bf16::ZERO; 3];
/// let one = |i: usize| Mat::row_major(&x[i..=i], 1, 1);
/// gemm_batch(3, one, one, &mut c);
/// assert_eq!(c.map(bf16::to_f32), [1.0, 4.0, 9.0]);
/// ```
///
/// # Panics
/// If the sizes do not fit, or differ from one product to another.
pub fn gemm_batch<'a, H: Half + 'a>(
    batch: usize,
    a: impl Fn(usize) -> Mat<'a, H> + Sync,
    b: impl Fn(usize) -> Mat<'a, H> + Sync,
    c: &mut [H],
) {
    in_batch(batch, a, b, c, |a, b, c| gemm(a, b, c, Epilogue::none()));
}

/// Numbers of a piece: 64 KiB of f32.
const PIECE: usize = if cfg!(miri) { 1 << 8 } else { 1 << 14 };
/// Rows or columns up to which the other operand is widened piece by piece: where its steps are dense, so that a piece is multiplied in dot
/// products, and where its lanes are.
const FEW: [usize; 2] = [32, 16];

/// The choice of a way, by the sizes and the layout alone.
fn way<H: Half>(a: Mat<H>, b: Mat<H>, c: &mut [H], finish: Finish<f32>) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    // Two lanes of a matrix, and two steps of it, may lie side by side.
    let few = |big: &Mat<H>| if big.col_stride == 1 { FEW[0] } else { FEW[1] };
    let dense = |big: &Mat<H>| big.col_stride == 1 || big.row_stride == 1;
    let long = |big: &Mat<H>| dense(big) && elements([big.rows, big.cols]) > PIECE;
    if m == 1 && long(&b) || n == 1 && long(&a) {
        row(a, b, c, finish)
    } else if k <= THIN[0] && n <= THIN[1] && elements([m, k]) > PIECE {
        by_rows(a, b, c, finish)
    } else if m <= few(&b.t()) && m <= n && long(&b.t()) {
        thin(Thin { few: a, big: b.t(), of_columns: true }, c, finish)
    } else if n <= few(&a) && n <= m && long(&a) {
        thin(Thin { few: b.t(), big: a, of_columns: false }, c, finish)
    } else {
        let mut y = scratch::<f32>(c.len());
        if !H::whole(a, b, &mut y, finish) {
            let (mut left, mut right) = (scratch(elements([m, k])), scratch(elements([k, n])));
            product(widened(a, &mut left), widened(b, &mut right), &mut y, finish);
        }
        rounded(&y, c)
    }
}

/// One row or one column: the matrix is read once, and widened in registers.
fn row<H: Half>(a: Mat<H>, b: Mat<H>, c: &mut [H], finish: Finish<f32>) {
    let mut y = scratch::<f32>(c.len());
    let (x, big) = if a.rows == 1 { (a, b) } else { (b.t(), a.t()) };
    let mut wide = scratch(x.cols);
    row_times(widened(x, &mut wide), big, &mut y, false);
    after(&mut y, b.cols, finish);
    rounded(&y, c)
}

/// Blocks of A's rows, each widened, multiplied and rounded while it lies in the cache.
fn by_rows<H: Half>(a: Mat<H>, b: Mat<H>, c: &mut [H], finish: Finish<f32>) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    let mut right = scratch(elements([k, n]));
    let b = widened(b, &mut right);
    let rows = (PIECE / k.max(n)).max(1);
    for_chunks(c, rows * n, elements([m, k]) + elements([m, k, n]) / MACS, |block, c| {
        let offset = shifted(a.offset, block * rows, a.row_stride);
        let part = Mat { rows: c.len() / n, offset, ..a };
        let (mut left, mut y) = (scratch(part.rows * k), scratch(c.len()));
        product(widened(part, &mut left), b, &mut y, finish);
        H::round(&y, c);
    });
}

/// A large matrix beside a thin one, both as lanes by steps: `few` lanes are the rows of C and the large ones its columns, or the other way
/// round.
struct Thin<'a, H> {
    few: Mat<'a, H>,
    big: Mat<'a, H>,
    of_columns: bool,
}

/// Blocks of the large matrix's lanes, in pieces of its steps, each of which is multiplied while it lies in the cache.
fn thin<H: Half>(Thin { few, big, of_columns }: Thin<H>, c: &mut [H], finish: Finish<f32>) {
    let (f, k, lanes) = (few.rows, few.cols, big.rows);
    let mut left = scratch(elements([f, k]));
    let few = in_rows(few, &mut left);
    // Where steps are dense some of them are multiplied by a part of the few that stays in the cache; else all lanes of some steps are
    // widened there.
    let [wide, long] = if big.col_stride == 1 { [32, 512] } else { [512, PIECE / 512] };
    let out = Pieces::new(c);
    parallel(lanes.div_ceil(wide), elements([k, lanes]) + elements([f, k, lanes]) / MACS, |block| {
        let at = block * wide;
        let count = wide.min(lanes - at);
        let mut y = scratch::<f32>(f * count);
        for from in (0..k).step_by(long) {
            let steps = long.min(k - from);
            let piece = Mat { rows: count, cols: steps, offset: big.index(at, from) as usize, ..big };
            let left = Mat { cols: steps, offset: few.offset + from, ..few };
            let sum = Finish { add: from > 0, bias: None, relu: false };
            if big.col_stride == 1 {
                dots::product(left, piece.t(), &mut y, sum);
            } else {
                let mut right = scratch(steps * count);
                product(left, widened(piece, &mut right).t(), &mut y, sum);
            }
        }
        if of_columns {
            let bias = finish.bias.map(|bias| &bias[at..at + count]);
            after(&mut y, count, Finish { bias, ..finish });
            for (i, y) in y.chunks_exact(count).enumerate() {
                // SAFETY: blocks cover disjoint columns of C, which is borrowed throughout.
                H::round(y, unsafe { out.get(i * lanes + at, count) });
            }
        } else {
            let mut turned = scratch::<f32>(y.len());
            turn(&y, &mut turned, f, false);
            after(&mut turned, f, finish);
            // SAFETY: blocks cover disjoint rows of C, which is borrowed throughout.
            H::round(&turned, unsafe { out.get(at * f, count * f) });
        }
    });
}

/// A dense copy of a matrix in f32, by rows.
fn in_rows<'s, H: Half>(x: Mat<H>, copy: &'s mut [f32]) -> Mat<'s, f32> {
    if x.row_stride != 1 || x.col_stride == 1 {
        return widened(x, copy);
    }
    for (i, row) in copy.chunks_exact_mut(x.cols.max(1)).enumerate() {
        row.iter_mut().enumerate().for_each(|(j, y)| *y = x.at(i, j).cast());
    }
    Mat::row_major(copy, x.rows, x.cols)
}

/// A dense copy of a matrix in f32, by rows or by columns as it lies.
pub(super) fn widened<'s, H: Half>(x: Mat<H>, copy: &'s mut [f32]) -> Mat<'s, f32> {
    if x.row_stride == 1 && x.col_stride != 1 {
        return widened(x.t(), copy).t();
    }
    let (rows, cols) = (x.rows, x.cols);
    let few = (4096 / cols.max(1)).max(1);
    for_chunks(copy, few * cols, elements([rows, cols]), |block, copy| {
        if x.col_stride == 1 && (x.row_stride == cols as isize || rows == 1) {
            let at = x.index(block * few, 0) as usize;
            return H::cast_slice(&x.data[at..at + copy.len()], copy);
        }
        for (i, row) in copy.chunks_exact_mut(cols).enumerate() {
            let i = block * few + i;
            if x.col_stride == 1 {
                let at = x.index(i, 0) as usize;
                H::cast_slice(&x.data[at..at + cols], row);
            } else {
                row.iter_mut().enumerate().for_each(|(j, y)| *y = x.at(i, j).cast());
            }
        }
    });
    Mat::row_major(copy, rows, cols)
}

fn rounded<H: Half>(y: &[f32], c: &mut [H]) {
    const MANY: usize = 1 << 13;
    for_chunks(c, MANY, y.len(), |block, c| H::round(&y[block * MANY..][..c.len()], c));
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LIES, Lie, lay, numbers, reference};
    use super::*;
    use crate::simd::{Isa, with_isa};
    use crate::threads::with_threads;

    fn zero<H: Half>() -> H
    where
        f32: Cast<H>,
    {
        0.0f32.cast()
    }

    /// Against f64 on the same operands, on one thread and several.
    fn compare<H: Half + PartialEq>(m: usize, k: usize, n: usize, la: Lie, lb: Lie, ulp: f64)
    where
        f32: Cast<H>,
    {
        let draw = |n: usize, seed: u64| {
            let x: Vec<f32> = numbers(n, seed).into_iter().map(|x| x as f32).collect();
            let mut y = vec![zero::<H>(); n];
            H::round(&x, &mut y);
            y
        };
        let wide = |x: &[H]| x.iter().map(|&x| Cast::<f32>::cast(x) as f64).collect::<Vec<f64>>();
        let (a, b) = (draw(2 * m * k + 4 * (m + k) + 8, 1), draw(2 * k * n + 4 * (k + n) + 8, 2));
        let want = reference(lay(&wide(&a), m, k, la), lay(&wide(&b), k, n, lb));
        let bias: Vec<f32> = numbers(n, 3).into_iter().map(|x| x as f32).collect();
        for relu in [false, true] {
            let run = |threads| {
                let mut c = vec![zero::<H>(); m * n];
                let activation = if relu { Activation::Relu } else { Activation::None };
                let epilogue = Epilogue { bias: relu.then_some(&bias[..]), activation };
                with_threads(threads, || gemm(lay(&a, m, k, la), lay(&b, k, n, lb), &mut c, epilogue));
                c
            };
            let c = run(1);
            for (i, (got, want)) in wide(&c).into_iter().zip(&want).enumerate() {
                let want = if relu { (want + bias[i % n] as f64).max(0.0) } else { *want };
                let most = ulp * want.abs() + 1.5e-6 * (k as f64).sqrt() + 1e-6;
                assert!((got - want).abs() <= most, "{m} {k} {n} {la:?} {lb:?}: {got} {want}");
            }
            assert!([2, 8].iter().all(|&t| run(t) == c), "{m} {k} {n}: other bits on several threads");
        }
    }

    #[test]
    fn products_of_every_way_and_layout_agree_with_f64() {
        let sizes = [
            (1, 1, 1),
            (3, 5, 4),
            (1, 300, 700),
            (4, 100, 900),
            (700, 300, 1),
            (900, 33, 18),
            (40, 50, 60),
            (9, 1100, 40),
            (530, 35, 14),
            (33, 700, 20),
            (100, 801, 70),
        ];
        for &isa in Isa::available() {
            with_isa(isa, || {
                for (m, k, n) in sizes {
                    let lies = if m * k * n > 10_000 { &LIES[..2] } else { &LIES };
                    for &la in lies {
                        for &lb in lies {
                            compare::<::half::f16>(m, k, n, la, lb, 2f64.powi(-11));
                            compare::<::half::bf16>(m, k, n, la, lb, 2f64.powi(-8));
                        }
                    }
                }
            });
        }
    }

    #[test]
    fn a_batch_is_its_products() {
        let x: Vec<::half::f16> = numbers(60 * 12, 1).into_iter().map(::half::f16::from_f64).collect();
        let of = |i: usize| Mat::row_major(&x[i * 12..][..12], 3, 4);
        let (mut c, mut want) = (vec![::half::f16::ZERO; 60 * 9], vec![::half::f16::ZERO; 60 * 9]);
        gemm_batch(60, of, |i| of(i).t(), &mut c);
        want.chunks_exact_mut(9).enumerate().for_each(|(i, c)| gemm(of(i), of(i).t(), c, Epilogue::none()));
        assert_eq!(c, want);
    }
}
