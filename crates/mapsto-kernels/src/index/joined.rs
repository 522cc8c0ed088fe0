//! Elements that meet what is at the places of an index.

use super::{BLOCK, by_columns, require};
use crate::elements::elements;
use crate::threads::{Pieces, for_chunks};

/// Joins element by element, in order of `j`: `x[o, indices[o, j, i], i] = join(x[o, indices[o, j, i], i], g[o, j, i])`.
///
/// The join is called by its address: the loops are compiled once for each type.
///
/// ```
/// let mut x = [1.0, 2.0];
/// mapsto_kernels::index::scatter(&mut x, [1, 2, 1], &[0, 0, 1], 3, &[5.0, 3.0, 0.5], f64::max);
/// assert_eq!(x, [5.0, 2.0]);
/// ```
///
/// # Panics
/// As [`select`](super::select).
pub fn scatter<T: Copy + Send + Sync>(
    x: &mut [T],
    dims: [usize; 3],
    indices: &[i64],
    m: usize,
    g: &[T],
    join: fn(T, T) -> T,
) {
    let [outer, n, inner] = dims;
    assert_eq!(x.len(), elements(dims), "scatter: x has not the elements of {dims:?}");
    assert_eq!(
        g.len(),
        elements([outer, m, inner]),
        "scatter: g has not the elements of [{outer}, {m}, {inner}]"
    );
    assert_eq!(g.len(), indices.len(), "scatter: one index for each element");
    require(indices, n);
    if g.is_empty() {
        return;
    }
    let cost = 4 * g.len();
    if inner == 1 {
        let group = (BLOCK / n.max(m)).max(1);
        return for_chunks(x, group * n, cost, |k, x| {
            let parts = k * group * m..;
            let rows = g[parts.clone()].chunks_exact(m).zip(indices[parts].chunks_exact(m));
            for (x, (g, indices)) in x.chunks_exact_mut(n).zip(rows) {
                for (&i, &g) in indices.iter().zip(g) {
                    x[i as usize] = join(x[i as usize], g);
                }
            }
        });
    }
    let pieces = Pieces::new(x);
    by_columns(dims, cost, |o, columns| {
        for j in 0..m {
            let at = (o * m + j) * inner + columns.start;
            let (indices, g) = (&indices[at..][..columns.len()], &g[at..][..columns.len()]);
            for (c, (&i, &g)) in columns.clone().zip(indices.iter().zip(g)) {
                // SAFETY: `x` is borrowed until all is done; blocks have columns of their own; `i` is within 0..n by `require`.
                let x = unsafe { &mut *pieces.at((o * n + i as usize) * inner + c) };
                *x = join(*x, g);
            }
        }
    });
}

#[test]
fn against_plain_loops_on_any_number_of_threads() {
    use crate::threads::with_threads;
    let cases = [
        ([1, 5, 3], 4),
        ([0, 3, 2], 2),
        ([2, 3, 2], 0),
        ([3, 200, 33], 300),
        ([40, 10, 1], 300),
        ([1, 7, 2000], 50),
    ];
    let joins: [fn(i64, i64) -> i64; 3] = [|_, new| new, i64::max, |a, b| (3 * a + b) % 1000];
    for (dims @ [outer, n, inner], m) in cases {
        let x: Vec<i64> = (0..(outer * n * inner) as i64).map(|i| i * 7919 % 1013).collect();
        let g: Vec<i64> = (0..(outer * m * inner) as i64).map(|i| i * 7907 % 1009 - 100).collect();
        let indices: Vec<i64> = (0..g.len()).map(|i| ((i * i * 31 + i * 17) % n) as i64).collect();
        for join in joins {
            let mut want = x.clone();
            for at in 0..g.len() {
                let (o, i) = (at / inner / m, at % inner);
                let place = (o * n + indices[at] as usize) * inner + i;
                want[place] = join(want[place], g[at]);
            }
            for threads in [1, 2, 8] {
                let mut y = x.clone();
                with_threads(threads, || scatter(&mut y, dims, &indices, m, &g, join));
                assert_eq!(y, want, "{dims:?} {m}");
            }
        }
    }
}
