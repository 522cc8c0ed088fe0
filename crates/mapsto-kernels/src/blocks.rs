//! Several slices cut into blocks at once, so that one pass over many outputs can be shared among threads.

use crate::threads::{Pieces, parallel};

/// Cuts each slice into pieces of its own size, `chunks[k]` elements of `slices[k]`, and calls `f(i, pieces)` with the
/// `i`-th piece of every slice, as [`parallel`] does. All slices must come to the same number of pieces.
///
/// ```
/// let (mut sums, mut rows) = ([0; 2], [1, 2, 3, 4, 5, 6]);
/// mapsto_kernels::blocks::for_blocks([&mut sums, &mut rows], [1, 3], 6, |_, [sum, row]| {
///     sum[0] = row.iter().sum();
///     row.fill(0);
/// });
/// assert_eq!(sums, [6, 15]);
/// ```
///
/// # Panics
/// If the slices come to different numbers of pieces, if a piece of a slice that is not empty would be empty, or as
/// `f` does.
pub fn for_blocks<T: Send, const N: usize>(
    slices: [&mut [T]; N],
    chunks: [usize; N],
    cost: usize,
    f: impl Fn(usize, [&mut [T]; N]) + Sync,
) {
    let count = |k: usize| if slices[k].is_empty() { 0 } else { slices[k].len().div_ceil(chunks[k]) };
    let blocks = if N == 0 { 0 } else { count(0) };
    assert!((0..N).all(|k| count(k) == blocks), "for_blocks: the slices come to different numbers of pieces");
    let slices = slices.map(|slice| (slice.len(), Pieces::new(slice)));
    parallel(blocks, cost, |i| {
        let pieces = std::array::from_fn(|k| {
            let (len, pieces) = &slices[k];
            let start = i * chunks[k];
            // SAFETY: the slices are distinct borrows that outlive `parallel`; the pieces of one slice,
            // [i·chunk, (i + 1)·chunk), do not overlap, and each `i` is given to one call.
            unsafe { pieces.get(start, chunks[k].min(len - start)) }
        });
        f(i, pieces);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::with_threads;

    #[test]
    fn pieces_keep_step_on_any_number_of_threads() {
        for threads in [1, 2, 8] {
            let (mut a, mut b, mut c) = (vec![0usize; 1001], vec![0usize; 4004], vec![0usize; 11]);
            with_threads(threads, || {
                for_blocks([&mut a, &mut b, &mut c], [100, 400, 1], usize::MAX, |i, [a, b, c]| {
                    assert_eq!(b.len(), 4 * a.len());
                    a.fill(i);
                    b.fill(i);
                    c[0] += i;
                })
            });
            assert!(a.iter().enumerate().all(|(j, &i)| i == j / 100));
            assert!(b.iter().enumerate().all(|(j, &i)| i == j / 400));
            assert!(c.iter().enumerate().all(|(j, &i)| i == j));
        }
        for_blocks::<u8, 2>([&mut [], &mut []], [0, 1], 0, |_, _| panic!("no blocks"));
    }

    #[test]
    #[should_panic(expected = "different numbers of pieces")]
    fn slices_out_of_step_are_refused() {
        for_blocks([&mut [0; 4], &mut [0; 4]], [1, 2], 0, |_, _| {});
    }
}
