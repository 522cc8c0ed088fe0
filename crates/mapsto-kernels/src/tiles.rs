//! Rows in tiles of 32 numbers, the last one filled up: the form in which sums over a row have the same bits at any width of
//! the registers.

use crate::real::Float;

/// Numbers of a tile.
pub(crate) const LANES: usize = 32;

/// Calls `f(start, tile)` for each 32 elements; the last tile is filled up with `pad`.
#[inline(always)]
pub(crate) fn tiles1<T: Float>(x: &[T], pad: T, mut f: impl FnMut(usize, &[T; LANES])) {
    let (whole, rest) = x.as_chunks::<LANES>();
    let mut last = [pad; LANES];
    last[..rest.len()].copy_from_slice(rest);
    // `f` stands here once: inlined twice, LLVM leaves the shorter copy scalar.
    for k in 0..x.len().div_ceil(LANES) {
        f(k * LANES, if k < whole.len() { &whole[k] } else { &last });
    }
}

/// [`tiles1`] of two slices of one length, filled up with zeros.
#[inline(always)]
pub(crate) fn tiles2<T: Float>(a: &[T], b: &[T], mut f: impl FnMut(usize, &[T; LANES], &[T; LANES])) {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut last = [[T::ZERO; LANES]; 2];
    last[0][..a_rest.len()].copy_from_slice(a_rest);
    last[1][..b_rest.len()].copy_from_slice(b_rest);
    for k in 0..a.len() + !a_rest.is_empty() as usize {
        let (a, b) = if k < a.len() { (&a[k], &b[k]) } else { (&last[0], &last[1]) };
        f(k * LANES, a, b);
    }
}

/// A row's sum.
#[inline(always)]
pub(crate) fn sum<T: Float>(x: &[T]) -> T {
    sum_of(
        x,
        T::ZERO,
        #[inline(always)]
        |x| x,
    )
}

/// The sum of what `f` gives for each element of a row; of `rest`, with which the last tile is filled, it gives 0.
#[inline(always)]
pub(crate) fn sum_of<T: Float>(x: &[T], rest: T, f: impl Fn(T) -> T) -> T {
    in_blocks(
        x,
        #[inline(always)]
        |_, x| {
            let mut sums = [T::ZERO; LANES];
            tiles1(
                x,
                rest,
                #[inline(always)]
                |_, x| {
                    for l in 0..LANES {
                        sums[l] += f(x[l]);
                    }
                },
            );
            total(sums)
        },
    )
}

/// Elements of a row that are summed in the row's own type; the sums of more blocks are added in f64.
pub(crate) const BLOCK: usize = 4096;

/// The sum of what `f(start, block)` gives for each block of a row: a long row keeps its digits.
#[inline(always)]
pub(crate) fn in_blocks<T: Float>(x: &[T], mut f: impl FnMut(usize, &[T]) -> T) -> T {
    let mut all = 0.0;
    for (k, x) in x.chunks(BLOCK).enumerate() {
        all += f(k * BLOCK, x).to_f64();
    }
    T::from_f64(all)
}

/// The sum of the lanes, pairwise.
#[inline(always)]
pub(crate) fn total<T: Float>(mut x: [T; LANES]) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            x[l] += x[l + half];
        }
        half /= 2;
    }
    x[0]
}
