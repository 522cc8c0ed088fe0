//! Elements that take the places of an index, and the gradient of those that stayed: the last that came to each place.

use super::{BLOCK, by_columns, require, within};
use crate::elements::elements;
use crate::threads::{Pieces, for_chunks};

/// Puts elements in places, in order of `j`: `x[o, indices[o, j, i], i] = g[o, j, i]`, so the last that comes to a place stays.
///
/// ```
/// let mut x = [1, 2];
/// mapsto_kernels::index::replace(&mut x, [1, 2, 1], &[0, 0], 2, &[5, 3]);
/// assert_eq!(x, [3, 2]);
/// ```
///
/// # Panics
/// As [`select`](super::select).
pub fn replace<T: Copy + Send + Sync>(x: &mut [T], dims: [usize; 3], indices: &[i64], m: usize, g: &[T]) {
    let [outer, n, inner] = dims;
    check(x.len(), dims, indices, m, g.len());
    if g.is_empty() {
        return;
    }
    let cost = 4 * g.len();
    if inner == 1 {
        let group = (BLOCK / n.max(m)).max(1);
        return for_chunks(x, group * n, cost, |k, x| {
            let first = k * group * m;
            let rows = g[first..].chunks_exact(m).zip(indices[first..].chunks_exact(m));
            for (row, (x, (g, indices))) in x.chunks_exact_mut(n).zip(rows).enumerate() {
                for (j, (&i, &g)) in indices.iter().zip(g).enumerate() {
                    x[within(i, n, first + row * m + j)] = g;
                }
            }
        });
    }
    require(indices, n);
    debug_assert_eq!(outer * m * inner, g.len());
    let pieces = Pieces::new(x);
    by_columns(dims, cost, |o, columns| {
        for j in 0..m {
            let at = (o * m + j) * inner + columns.start;
            let (indices, g) = (&indices[at..][..columns.len()], &g[at..][..columns.len()]);
            for (c, (&i, &g)) in columns.clone().zip(indices.iter().zip(g)) {
                // SAFETY: `x` is borrowed until all is done; blocks have columns of their own; `i` is within 0..n by `require`.
                unsafe { *pieces.at((o * n + i as usize) * inner + c) = g };
            }
        }
    });
}

/// The gradient of what [`replace`] puts: `dg[o, j, i] = g[o, indices[o, j, i], i]` where element j stayed, else 0 (the default
/// of `T`). Who stayed is found in a list of owners for each row, which lies near the core.
///
/// ```
/// let mut dg = [9; 2];
/// mapsto_kernels::index::replace_backward(&[5, 7], [1, 2, 1], &[0, 0], 2, &mut dg);
/// assert_eq!(dg, [0, 5]);
/// ```
///
/// # Panics
/// As [`select`](super::select).
pub fn replace_backward<T: Copy + Default + Send + Sync>(
    g: &[T],
    dims: [usize; 3],
    indices: &[i64],
    m: usize,
    dg: &mut [T],
) {
    let [_, n, inner] = dims;
    check(g.len(), dims, indices, m, dg.len());
    if dg.is_empty() {
        return;
    }
    assert!(u32::try_from(m).is_ok(), "replace: {m} elements along an axis");
    require(indices, n);
    let cost = 4 * dg.len();
    if inner == 1 {
        let group = (BLOCK / n.max(m)).max(1);
        return for_chunks(dg, group * m, cost, |k, dg| {
            let mut owner = vec![0u32; n];
            for (row, dg) in dg.chunks_exact_mut(m).enumerate() {
                let row = k * group + row;
                let (indices, g) = (&indices[row * m..][..m], &g[row * n..][..n]);
                for (j, &i) in (0u32..).zip(indices) {
                    owner[i as usize] = j;
                }
                for (j, (d, &i)) in (0u32..).zip(dg.iter_mut().zip(indices)) {
                    *d = if owner[i as usize] == j { g[i as usize] } else { T::default() };
                }
            }
        });
    }
    let pieces = Pieces::new(dg);
    by_columns(dims, cost, |o, columns| {
        let width = columns.len();
        let mut owner = vec![0u32; n * width];
        let row = |j: usize| (o * m + j) * inner + columns.start;
        for j in 0..m {
            for (c, &i) in indices[row(j)..][..width].iter().enumerate() {
                owner[i as usize * width + c] = j as u32;
            }
        }
        for j in 0..m {
            // SAFETY: `dg` is borrowed until all is done; blocks have columns of their own.
            let dg = unsafe { pieces.get(row(j), width) };
            for (c, (d, &i)) in dg.iter_mut().zip(&indices[row(j)..][..width]).enumerate() {
                let stayed = owner[i as usize * width + c] == j as u32;
                *d = if stayed { g[(o * n + i as usize) * inner + columns.start + c] } else { T::default() };
            }
        }
    });
}

fn check(x: usize, dims: [usize; 3], indices: &[i64], m: usize, g: usize) {
    let [outer, _, inner] = dims;
    assert_eq!(x, elements(dims), "replace: x has not the elements of {dims:?}");
    assert_eq!(g, elements([outer, m, inner]), "replace: g has not the elements of [{outer}, {m}, {inner}]");
    assert_eq!(g, indices.len(), "replace: one index for each element");
}

#[test]
fn the_last_stays_on_any_number_of_threads() {
    use crate::threads::with_threads;
    let cases = [
        ([1, 5, 3], 4),
        ([0, 3, 2], 2),
        ([2, 3, 2], 0),
        ([3, 200, 33], 300),
        ([40, 10, 1], 300),
        ([1, 7, 2000], 50),
    ];
    for (dims @ [outer, n, inner], m) in cases {
        let x: Vec<i64> = (0..(outer * n * inner) as i64).map(|i| i * 7919 % 1013 + 1).collect();
        let g: Vec<i64> = (0..(outer * m * inner) as i64).map(|i| i * 7907 % 1009 + 2000).collect();
        let indices: Vec<i64> = (0..g.len()).map(|i| ((i * i * 31 + i * 17) % n) as i64).collect();
        let place = |at: usize| (at / inner / m * n + indices[at] as usize) * inner + at % inner;
        let (mut want, mut owner) = (x.clone(), vec![usize::MAX; x.len()]);
        for at in 0..g.len() {
            (want[place(at)], owner[place(at)]) = (g[at], at);
        }
        let of = |at: usize| if owner[place(at)] == at { x[place(at)] } else { 0 };
        let dwant: Vec<i64> = (0..g.len()).map(of).collect();
        for threads in [1, 2, 8] {
            let (mut y, mut dg) = (x.clone(), vec![-1; g.len()]);
            with_threads(threads, || {
                replace(&mut y, dims, &indices, m, &g);
                replace_backward(&x, dims, &indices, m, &mut dg);
            });
            assert!(y == want && dg == dwant, "{dims:?} {m}");
        }
    }
    let outside = std::panic::catch_unwind(|| replace(&mut [1, 2], [1, 2, 1], &[2], 1, &[5]));
    assert!(outside.is_err());
}
