//! Matrix products of f32 whose operands are rounded to bf16: faster on some processors, for 8 significant bits of each
//! operand instead of 24.
//!
//! bf16 is the upper half of an f32: the same exponents, fewer digits. An operand is rounded to the nearest, ties to even,
//! as it is laid out for the product; that moves it by at most 2⁻⁸ of itself. The product of two such numbers is exact in
//! f32 unless it over- or underflows, and the sum is taken in f32. A, B and C themselves stay f32. NaN stays NaN and ±∞ stays
//! ±∞; what lies within half a last bf16 digit of f32's largest number, or above, becomes ±∞; numbers below 2⁻¹²⁶, the
//! smallest with all their digits, become ±0, since VDPBF16PS takes them so.
//!
//! There are three ways to the same operands, the same exact products and sums in f32. [`Way::Tiles`] packs bf16 for AMX,
//! [`Way::Pairs`] in pairs of steps for VDPBF16PS, which adds two products to a sum. [`Way::Singles`] makes rounded copies in
//! f32 and multiplies them as any others. Which is fastest is a matter of the processor ([`Way::fastest`]), and so are the
//! last bits of a result: where the ways cut long sums differs, and sums below 2⁻¹²⁶ are 0 in pairs and tiles. Threads do not
//! enter into it.
//!
//! Measured in one run (`cargo bench -p mapsto-kernels --bench kernels -- bf16`) on a Sapphire Rapids Xeon whose registers
//! reach 160 GFLOP/s a core in f32 and 82 by VDPBF16PS: GFLOP/s on one thread in f32 ([`gemm`](super::gemm)), in singles, in
//! pairs, in tiles, and by [`gemm_x3`].
//!
//! | product | f32 | singles | pairs | tiles | x3 |
//! |---|---|---|---|---|---|
//! | 64³ | 144 | 107 | 47 | 225 | 154 |
//! | 1024³ | 153 | 138 | 71 | 695 | 375 |
//! | 2048 × 384 × 1152, B transposed | 145 | 137 | 55 | 658 | 403 |
//! | 2048 × 1152 × 384 | 139 | 122 | 52 | 625 | 337 |
//! | 1152 × 2048 × 384, A transposed | 117 | 106 | 61 | 533 | 273 |
//! | 2048 × 384 × 65, B transposed | 115 | 85 | 45 | 193 | 213 |
//!
//! Tiles are held back by packing both operands, which moves 4 bytes in and 2 out for each number. What singles lose to f32
//! is the pass that rounds, which waits for memory: a GPT's training step of 545 ms takes 595. Asking for its rows ahead of
//! their use gained nothing. Pairs come to two thirds of what the instruction can do, on a quiet machine to 80 to 88 %.

#[cfg(target_arch = "x86_64")]
mod pairs;
#[cfg(target_arch = "x86_64")]
mod tiles;
mod way;

pub use way::{Way, is_faster_than_f32};

use super::tile::Finish;
use super::{Epilogue, Gemm, LONG, MACS, Mat, SMALL, UNPACKED, Write, checked, half, in_batch};
use crate::cast::Cast;
use crate::elements::elements;
use crate::simd::vectorize;
use crate::threads::for_chunks;
use crate::workspace::{Scratch, scratch};
use ::half::bf16;

/// C = A·B or C += A·B, then the epilogue, as [`gemm`](super::gemm) does, with the elements of A and B rounded to bf16.
///
/// The bits do not depend on the number of threads.
///
/// ```
/// use mapsto_kernels::gemm::bf16::{Way, gemm};
/// use mapsto_kernels::gemm::{Epilogue, Mat, Write};
/// let (a, b) = ([1.0f32, 1.0 + 1.0 / 512.0], [3.0, 5.0]);
/// let mut c = [0.0];
/// let (a, b) = (Mat::row_major(&a, 1, 2), Mat::row_major(&b, 2, 1));
/// gemm(Way::fastest(), a, b, &mut c, Write::Overwrite, Epilogue::none());
/// assert_eq!(c, [8.0]);
/// ```
///
/// # Panics
/// If the sizes do not fit, a matrix reaches outside its slice, or the processor lacks the way.
pub fn gemm(way: Way, a: Mat<f32>, b: Mat<f32>, c: &mut [f32], write: Write, epilogue: Epilogue<f32>) {
    let finish = checked(&a, &b, c, write, epilogue);
    let available = Way::available();
    assert!(available.contains(&way), "gemm: this processor lacks {way:?}; it has {available:?}");
    if c.is_empty() {
        return;
    }
    match way {
        #[cfg(target_arch = "x86_64")]
        Way::Pairs if a.rows > 1 && b.cols > 1 && elements([a.rows, a.cols, b.cols]) > UNPACKED => {
            pairs::product(a, b, c, finish)
        }
        #[cfg(target_arch = "x86_64")]
        Way::Tiles if tiles::pay(a.rows, a.cols, b.cols) => {
            tiles::product::<1>(a, b, c, finish);
        }
        _ => {
            let (mut x, mut y) = (scratch(elements([a.rows, a.cols])), scratch(elements([b.rows, b.cols])));
            f32::product(rounded(a, &mut x), rounded(b, &mut y), c, finish)
        }
    }
}

/// C = A·B, then the epilogue, of numbers that are bf16 already, on what multiplies them faster than f32; false, and nothing
/// done, where nothing does or the product is too small.
pub(super) fn whole(a: Mat<bf16>, b: Mat<bf16>, c: &mut [f32], finish: Finish<f32>) -> bool {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    // Long sums of a small result are cut along k in f32.
    let small = m <= FEW || n <= FEW || elements([m, k, n]) <= UNPACKED || k >= LONG && m * n <= SMALL;
    match Way::fastest() {
        #[cfg(target_arch = "x86_64")]
        Way::Pairs if !small => pairs::product(a, b, c, finish),
        #[cfg(target_arch = "x86_64")]
        Way::Tiles if tiles::pay(m, k, n) => {
            let (mut x, mut y) = (scratch(elements([m, k])), scratch(elements([k, n])));
            tiles::product::<1>(half::widened(a, &mut x), half::widened(b, &mut y), c, finish);
        }
        _ => return false,
    }
    true
}

/// Rows or columns up to which laying operands out in pairs costs more than it saves.
const FEW: usize = 8;

/// `batch` products as [`gemm_batch`](super::gemm_batch) does, each as [`gemm`] above.
///
/// ```
/// use mapsto_kernels::gemm::bf16::{Way, gemm_batch};
/// use mapsto_kernels::gemm::{Mat, Write};
/// let x = [1.0f32, 2.0, 1.0 / 3.0];
/// let mut c = [0.0; 3];
/// let one = |i: usize| Mat::row_major(&x[i..=i], 1, 1);
/// gemm_batch(Way::fastest(), 3, one, one, &mut c, Write::Overwrite);
/// assert_eq!(c, [1.0, 4.0, 0.333984375 * 0.333984375]);
/// ```
///
/// # Panics
/// If the sizes do not fit, or differ from one product to another, or the processor lacks the way.
pub fn gemm_batch<'a>(
    way: Way,
    batch: usize,
    a: impl Fn(usize) -> Mat<'a, f32> + Sync,
    b: impl Fn(usize) -> Mat<'a, f32> + Sync,
    c: &mut [f32],
    write: Write,
) {
    in_batch(batch, a, b, c, |a, b, c| gemm(way, a, b, c, write, Epilogue::none()));
}

/// C = A·B, then the epilogue, of operands taken as sums of two bf16, where the processor has tiles ([`Way::Tiles`]), they
/// are worth while, and `with_isa` does not rule AVX-512 out; else [`gemm`](super::gemm), which leaves nothing out.
///
/// With x₀ the bf16 nearest to x and x₁ the one nearest to x − x₀,
///
/// > a·b ≈ a₀b₀ + a₀b₁ + a₁b₀
///
/// is computed: three exact products, which keep 16 digits of a number's 24 and leave at most 2⁻¹⁵|a·b| out, some 2⁻¹⁸
/// usually. Sums are f32's. It is what PyTorch's precision `"high"` allows ("bf16x3"; Henry, Tang and Heinecke, "Leveraging
/// the bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations", 2019). If an operand holds a NaN, an
/// infinity, or a number of 2¹²⁷ or more, the product is computed again by [`gemm`](super::gemm). Numbers and terms below
/// 2⁻¹⁰⁹ may lose more digits: at most 2⁻¹²³ of a term whose factors are at most 1.
///
/// The bits do not depend on the number of threads.
///
/// ```
/// use mapsto_kernels::gemm::bf16::gemm_x3;
/// use mapsto_kernels::gemm::{Epilogue, Mat};
/// let (a, b) = ([1.0f32, 1.0 + 1.0 / 512.0], [3.0, 5.0]);
/// let mut c = [0.0];
/// gemm_x3(Mat::row_major(&a, 1, 2), Mat::row_major(&b, 2, 1), &mut c, Epilogue::none());
/// assert_eq!(c, [8.009765625]);
/// ```
///
/// # Panics
/// If the sizes do not fit, or a matrix reaches outside its slice.
pub fn gemm_x3(a: Mat<f32>, b: Mat<f32>, c: &mut [f32], epilogue: Epilogue<f32>) {
    let finish = checked(&a, &b, c, Write::Overwrite, epilogue);
    if c.is_empty() {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if has_x3() && tiles::pay(a.rows, a.cols, b.cols) && tiles::product::<2>(a, b, c, finish) {
        return;
    }
    f32::product(a, b, c, finish)
}

/// Whether [`gemm_x3`] is anything but [`gemm`](super::gemm) on this processor.
pub fn has_x3() -> bool {
    Way::fastest() == Way::Tiles
}

/// `batch` products as [`gemm_batch`](super::gemm_batch) does, each as [`gemm_x3`].
///
/// ```
/// use mapsto_kernels::gemm::Mat;
/// use mapsto_kernels::gemm::bf16::gemm_batch_x3;
/// let x = [1.0f32, 2.0, 1.0 / 3.0];
/// let mut c = [0.0; 3];
/// let one = |i: usize| Mat::row_major(&x[i..=i], 1, 1);
/// gemm_batch_x3(3, one, one, &mut c);
/// assert_eq!(c, [1.0, 4.0, x[2] * x[2]]);
/// ```
///
/// # Panics
/// If the sizes do not fit, or differ from one product to another.
pub fn gemm_batch_x3<'a>(
    batch: usize,
    a: impl Fn(usize) -> Mat<'a, f32> + Sync,
    b: impl Fn(usize) -> Mat<'a, f32> + Sync,
    c: &mut [f32],
) {
    in_batch(batch, a, b, c, |a, b, c| gemm_x3(a, b, c, Epilogue::none()));
}

/// The bits of the nearest bf16, as VDPBF16PS will take them: in the lower half.
#[inline(always)]
fn bits(x: f32) -> u32 {
    let x = if x.abs() < f32::MIN_POSITIVE { 0.0f32.copysign(x) } else { x };
    Cast::<bf16>::cast(x).to_bits() as u32
}

/// A row of sums on its way to memory.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn add_row(row: &mut [f32], sums: &[f32], add: bool) {
    row.iter_mut().zip(sums).for_each(|(y, &x)| *y = if add { *y + x } else { x });
}

/// The epilogue of a row.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn end_row(row: &mut [f32], bias: Option<&[f32]>, relu: bool) {
    if let Some(bias) = bias {
        row.iter_mut().zip(bias).for_each(|(y, &b)| *y += b);
    }
    if relu {
        row.iter_mut().for_each(|y| *y = if *y <= 0.0 { 0.0 } else { *y });
    }
}

/// A dense copy of a matrix with its elements rounded, by rows or by columns as it lies.
fn rounded<'s>(x: Mat<f32>, copy: &'s mut Scratch<f32>) -> Mat<'s, f32> {
    if x.row_stride == 1 && x.col_stride != 1 {
        return rounded(x.t(), copy).t();
    }
    let (rows, cols) = (x.rows, x.cols);
    // Some rows at a time, as many as make about 4096 elements.
    let few = (4096 / cols.max(1)).max(1);
    for_chunks(copy, few * cols, rows * cols, |block, copy| {
        vectorize(
            #[inline(always)]
            || {
                for (i, row) in copy.chunks_exact_mut(cols).enumerate() {
                    let i = block * few + i;
                    if x.col_stride == 1 {
                        let at = x.index(i, 0) as usize;
                        let from = &x.data[at..at + cols];
                        row.iter_mut().zip(from).for_each(|(y, &x)| *y = f32::from_bits(bits(x) << 16));
                    } else {
                        let from = (0..cols).map(|j| x.at(i, j));
                        row.iter_mut().zip(from).for_each(|(y, x)| *y = f32::from_bits(bits(x) << 16));
                    }
                }
            },
        );
    });
    Mat::row_major(copy, rows, cols)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LIES, Lie, lay, narrow, numbers, reference};
    use super::super::{Activation, gemm as f32_gemm, gemm_batch as batch_of_f32};
    use super::*;
    use crate::simd::{Isa, with_isa};
    use crate::threads::with_threads;

    fn round(x: f32) -> f32 {
        f32::from_bits(bits(x) << 16)
    }

    #[test]
    fn numbers_round_to_the_nearest_and_ties_to_even() {
        // Every bf16, and what lies beyond it: nothing, a hair, just under half, half, just over, all but a hair.
        for upper in 0..=u16::MAX as u32 {
            for lower in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
                let x = f32::from_bits(upper << 16 | lower);
                let y = round(x);
                assert!(y.to_bits() & 0xffff == 0 && y.is_sign_negative() == x.is_sign_negative());
                if x.is_nan() {
                    assert!(y.is_nan());
                } else if x.is_subnormal() || x == 0.0 {
                    assert!(y == 0.0, "{x:e} is {y:e}");
                } else if x.is_infinite() || x.abs() as f64 >= 2f64.powi(128) - 2f64.powi(119) {
                    assert!(y.is_infinite(), "{x:e} is {y:e}");
                } else {
                    // In f64 the neighbours, of which the upper may be 2¹²⁸, and the distances are exact.
                    let (down, gap) = (f32::from_bits(upper << 16) as f64, 2f64.powi(-7));
                    let gap = gap * 2f64.powi((upper >> 7 & 0xff) as i32 - 127);
                    let up = down + if x < 0.0 { -gap } else { gap };
                    let beyond = (x as f64 - down).abs() / gap;
                    let want = if beyond > 0.5 || beyond == 0.5 && upper & 1 == 1 { up } else { down };
                    assert_eq!(y as f64, want, "{x:e}");
                    assert!((y as f64 - x as f64).abs() <= 2f64.powi(-8) * (x as f64).abs());
                }
            }
        }
    }

    /// All ways against f64 on rounded operands, on one thread and several.
    fn compare(m: usize, k: usize, n: usize, la: Lie, lb: Lie) {
        let (a, b) = (numbers(2 * m * k + 4 * (m + k) + 8, 1), numbers(2 * k * n + 4 * (k + n) + 8, 2));
        let (a, b, c0, bias) = (narrow(&a), narrow(&b), narrow(&numbers(m * n, 3)), narrow(&numbers(n, 4)));
        let coarse = |x: &[f32]| x.iter().map(|&x| round(x) as f64).collect::<Vec<f64>>();
        let (ra, rb) = (coarse(&a), coarse(&b));
        let product = reference(lay(&ra, m, k, la), lay(&rb, k, n, lb));
        for (write, biased, activation) in [
            (Write::Overwrite, false, Activation::None),
            (Write::Add, true, Activation::None),
            (Write::Overwrite, true, Activation::Relu),
        ] {
            for &way in Way::available() {
                let run = |threads| {
                    let mut c = c0.clone();
                    let epilogue = Epilogue { bias: biased.then_some(&bias[..]), activation };
                    let (a, b) = (lay(&a, m, k, la), lay(&b, k, n, lb));
                    with_threads(threads, || gemm(way, a, b, &mut c, write, epilogue));
                    c
                };
                let c = run(1);
                for i in 0..m * n {
                    let mut want = product[i] + if write == Write::Add { c0[i] as f64 } else { 0.0 };
                    want += if biased { bias[i % n] as f64 } else { 0.0 };
                    want = if activation == Activation::Relu { want.max(0.0) } else { want };
                    // The products are exact, so that nothing but the rounding of k sums of about √k remains.
                    let most = 1.5e-6 * (k as f64).sqrt() + 1e-6;
                    assert!(
                        (c[i] as f64 - want).abs() <= most,
                        "{way:?} {m} {k} {n} {la:?} {lb:?} {write:?}: {} {want}",
                        c[i]
                    );
                }
                for threads in [2, 8] {
                    assert!(
                        run(threads) == c,
                        "{way:?} {m} {k} {n} {la:?} {lb:?}: other bits on {threads} threads"
                    );
                }
            }
        }
    }

    #[test]
    fn products_of_every_size_and_layout_agree_with_f64_on_rounded_operands() {
        let sizes = [(1, 1, 1), (2, 4, 4), (1, 300, 700), (700, 300, 1), (9, 17, 49), (33, 200, 65)];
        let larger =
            [(65, 385, 33), (3, 5, 1200), (1200, 3, 5), (20, 9000, 12), (130, 51, 300), (50, 1601, 70)];
        for &(m, k, n) in sizes.iter().chain(&larger) {
            compare(m, k, n, Lie::Rows, Lie::Rows);
            compare(m, k, n, Lie::Rows, Lie::Cols);
            compare(m, k, n, Lie::Cols, Lie::Rows);
        }
        for la in LIES {
            for lb in LIES {
                compare(5, 7, 6, la, lb);
                compare(1, 90, 37, la, lb);
                compare(20, 35, 60, la, lb);
                compare(61, 35, 20, la, lb);
            }
        }
    }

    #[test]
    fn what_is_not_finite_stays_so_and_what_is_not_normal_counts_as_nothing() {
        const N: usize = 40;
        let product = |way, x: f32, y: f32| {
            // Row 3 of A and column 5 of B hold the numbers at step 7, and ones elsewhere.
            let (mut a, mut b) = (vec![1.0f32; N * N], vec![1.0f32; N * N]);
            (a[3 * N + 7], b[7 * N + 5]) = (x, y);
            let mut c = vec![0.0; N * N];
            let (a, b) = (Mat::row_major(&a, N, N), Mat::row_major(&b, N, N));
            gemm(way, a, b, &mut c, Write::Overwrite, Epilogue::none());
            c[3 * N + 5]
        };
        for &way in Way::available() {
            // A NaN whose digits all lie in the half that is cut off, too.
            for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001)] {
                assert!(product(way, nan, 2.0).is_nan() && product(way, 2.0, nan).is_nan());
            }
            assert!(product(way, f32::INFINITY, 0.0).is_nan());
            assert_eq!(product(way, f32::INFINITY, -2.0), f32::NEG_INFINITY);
            assert_eq!(product(way, f32::MAX, 2.0f32.powi(-10)), f32::INFINITY);
            assert_eq!(product(way, 1e-39, 1e38), 39.0);
            assert_eq!(product(way, f32::MIN_POSITIVE, 2.0f32.powi(126)), 40.0);
        }
    }

    #[test]
    fn a_batch_is_its_products() {
        for (batch, m, k, n) in [(5, 3, 4, 5), (3, 40, 50, 60), (2, 1, 30, 20)] {
            let (a, b) = (narrow(&numbers(batch * m * k, 5)), narrow(&numbers(batch * k * n, 6)));
            let one_a = |i: usize| Mat::row_major(&a[i * m * k..][..m * k], m, k);
            let one_b = |i: usize| Mat::row_major(&b[i * k * n..][..k * n], k, n);
            for &way in Way::available() {
                let mut want = vec![0.0f32; batch * m * n];
                for (i, c) in want.chunks_exact_mut(m * n).enumerate() {
                    gemm(way, one_a(i), one_b(i), c, Write::Overwrite, Epilogue::none());
                }
                for threads in [1, 2, 8] {
                    let mut c = vec![1.0f32; batch * m * n];
                    with_threads(threads, || gemm_batch(way, batch, one_a, one_b, &mut c, Write::Overwrite));
                    assert_eq!(c, want, "{way:?}, {threads} threads");
                }
                let mut whole = vec![0.0f32; batch * m * n];
                batch_of_f32(batch, one_a, one_b, &mut whole, Write::Overwrite);
                assert_ne!(whole, want, "nothing was rounded");
            }
        }
    }

    #[test]
    fn products_of_two_parts_keep_sixteen_digits_in_every_layout() {
        let sizes = [(33, 200, 65), (130, 51, 300), (300, 51, 130), (50, 1601, 70), (7, 5, 3), (1, 90, 40)];
        let layouts = LIES.into_iter().flat_map(|la| LIES.map(|lb| (la, lb)));
        let cases = sizes.map(|size| (size, Lie::Rows, Lie::Rows)).into_iter();
        for ((m, k, n), la, lb) in cases.chain(layouts.map(|(la, lb)| ((61, 35, 50), la, lb))) {
            let (a, b) = (numbers(2 * m * k + 4 * (m + k) + 8, 1), numbers(2 * k * n + 4 * (k + n) + 8, 2));
            let (a, b, bias) = (narrow(&a), narrow(&b), narrow(&numbers(n, 4)));
            let wide = |x: &[f32]| x.iter().map(|&x| x as f64).collect::<Vec<f64>>();
            let (a64, b64) = (wide(&a), wide(&b));
            let product = reference(lay(&a64, m, k, la), lay(&b64, k, n, lb));
            let sizes = |x: &[f64]| x.iter().map(|x| x.abs()).collect::<Vec<f64>>();
            let terms = reference(lay(&sizes(&a64), m, k, la), lay(&sizes(&b64), k, n, lb));
            let run = |threads| {
                let mut c = vec![7.0; m * n];
                let epilogue = Epilogue { bias: Some(&bias), activation: Activation::Relu };
                with_threads(threads, || gemm_x3(lay(&a, m, k, la), lay(&b, k, n, lb), &mut c, epilogue));
                c
            };
            let c = run(1);
            for i in 0..m * n {
                let want = (product[i] + bias[i % n] as f64).max(0.0);
                let most = 2f64.powi(-15) * terms[i] + 1e-6 * (k as f64).sqrt();
                assert!((c[i] as f64 - want).abs() <= most, "{m} {k} {n} {la:?} {lb:?}: {} {want}", c[i]);
            }
            // By far nearer, all in all, than the products of one part, which are off by 2⁻⁹ or so.
            let off = (0..m * n).map(|i| (c[i] as f64 - (product[i] + bias[i % n] as f64).max(0.0)).powi(2));
            let size = product.iter().map(|x| x * x).sum::<f64>();
            assert!(off.sum::<f64>() < size * 2f64.powi(-32), "{m} {k} {n} {la:?} {lb:?}");
            for threads in [2, 8] {
                assert!(run(threads) == c, "{m} {k} {n} {la:?} {lb:?}: other bits on {threads} threads");
            }
        }
    }

    #[test]
    fn what_two_parts_cannot_hold_is_multiplied_as_f32() {
        const N: usize = 70;
        let (mut a, mut b) = (narrow(&numbers(N * N, 1)), narrow(&numbers(N * N, 2)));
        let of = |a: &[f32], b: &[f32]| {
            let (a, b) = (Mat::row_major(a, N, N), Mat::row_major(b, N, N));
            let (mut x3, mut whole) = (vec![0.0; N * N], vec![0.0; N * N]);
            gemm_x3(a, b, &mut x3, Epilogue::none());
            f32_gemm(a, b, &mut whole, Write::Overwrite, Epilogue::none());
            let bits = |x: Vec<f32>| x.into_iter().map(f32::to_bits).collect::<Vec<u32>>();
            (bits(x3), bits(whole))
        };
        let (x3, whole) = of(&a, &b);
        assert_eq!(x3 != whole, has_x3());
        for special in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, -2f32.powi(127)] {
            for at in [0, 37 * N + 5, N * N - 1] {
                let kept = std::mem::replace(&mut a[at], special);
                let (x3, whole) = of(&a, &b);
                assert_eq!(x3, whole, "{special} in A");
                a[at] = kept;
                let kept = std::mem::replace(&mut b[at], special);
                let (x3, whole) = of(&a, &b);
                assert_eq!(x3, whole, "{special} in B");
                b[at] = kept;
            }
        }
    }

    #[test]
    fn without_avx512_the_fastest_way_is_singles() {
        assert!(Way::available().contains(&Way::fastest()));
        assert_eq!(with_isa(Isa::Portable, Way::fastest), Way::Singles);
        assert!(!with_isa(Isa::Portable, is_faster_than_f32) && !with_isa(Isa::Portable, has_x3));
    }

    #[test]
    #[should_panic(expected = "gemm: inner sizes differ: 2 × 3 and 2 × 3")]
    fn inner_sizes_must_agree() {
        let x = [0.0f32; 6];
        let a = Mat::row_major(&x, 2, 3);
        gemm(Way::Singles, a, a, &mut [0.0; 6], Write::Overwrite, Epilogue::none());
    }
}
