//! The forward pass: for each strip of queries the softmax over the keys, taken as they pass by.

use super::product::product;
use super::{AttentionShape, Heads, Hidden, KEYS, STRIP, hide};
use crate::gemm::pack::{Strip, interleave};
use crate::gemm::{Gemm, Mat};
use crate::real::Real;
use crate::simd::vectorize;
use crate::threads::{Pieces, parallel};
use crate::workspace::scratch;

/// [`super::attention`], its arguments checked.
pub fn forward<T: Gemm + Real>(
    s: &AttentionShape,
    scale: f64,
    q: Heads<T>,
    k: Heads<T>,
    v: Heads<T>,
    hidden: Hidden<T>,
    y: &mut [T],
    log: &mut [T],
) {
    let strips = s.t.div_ceil(STRIP);
    let (y, log) = (Pieces::new(y), Pieces::new(log));
    let cost = s.heads_in_all() * s.t * s.s * (s.d + s.e);
    parallel(s.heads_in_all() * strips, cost, |task| {
        let (at, query) = (task / strips, task % strips * STRIP);
        let rows = STRIP.min(s.t - query);
        let mut space = scratch::<T>((s.d + s.e + KEYS) * STRIP + s.e * STRIP);
        let (lanes, dense) = space.split_at_mut((s.d + s.e + KEYS) * STRIP);
        let (lanes, _) = lanes.as_chunks_mut::<STRIP>();
        let (queries, rest) = lanes.split_at_mut(s.d);
        let (scores, sums) = rest.split_at_mut(KEYS);

        across(queries, q, s.heads, at, query, rows, T::from_f64(scale));
        let mut softmax = Running { highest: [T::LOWEST; STRIP], sum: [T::ZERO; STRIP] };
        let seen = s.seen(query + rows - 1, &hidden);
        for key in (0..seen).step_by(KEYS) {
            let keys = KEYS.min(seen - key);
            let scores = &mut scores[..keys];
            product(
                part(k, s, at, key, keys, s.d),
                strip(queries, s.d),
                scores.as_flattened_mut(),
                STRIP,
                false,
            );
            hide(s, hidden, at, query, key, scores);
            softmax.take(scores, sums, key > 0);
            let values = part(v, s, at, key, keys, s.e).t();
            product(values, strip(scores, keys), sums.as_flattened_mut(), STRIP, key > 0);
        }

        let logs = softmax.end(sums);
        let turned = Strip { data: sums.as_flattened(), start: 0, lane: STRIP as isize, step: 1 };
        interleave(dense, s.e, s.e, rows, turned);
        // SAFETY: each row of each head is written by the one task of its strip.
        unsafe {
            log.get(at * s.t + query, rows).copy_from_slice(&logs[..rows]);
            for (i, row) in dense.chunks_exact(s.e).take(rows).enumerate() {
                let to = ((at / s.heads * s.t + query + i) * s.heads + at % s.heads) * s.e;
                y.get(to, s.e).copy_from_slice(row);
            }
        }
    });
}

/// `out[j][l]` is `scale` times number `j` of row `first + l` of a head; 0 beyond the last row.
pub(super) fn across<T: Gemm + Real>(
    out: &mut [[T; STRIP]],
    x: Heads<T>,
    heads: usize,
    at: usize,
    first: usize,
    rows: usize,
    scale: T,
) {
    let strip =
        Strip { data: x.data, start: x.row(heads, at, first), lane: x.strides[2], step: x.strides[3] };
    let steps = out.len();
    interleave(out.as_flattened_mut(), STRIP, rows, steps, strip);
    vectorize(
        #[inline(always)]
        || out.as_flattened_mut().iter_mut().for_each(|x| *x *= scale),
    );
}

/// Rows `first ..` of a head, as a matrix.
pub(super) fn part<'a, T: Copy>(
    x: Heads<'a, T>,
    s: &AttentionShape,
    at: usize,
    first: usize,
    rows: usize,
    cols: usize,
) -> Mat<'a, T> {
    let [_, _, row_stride, col_stride] = x.strides;
    Mat { data: x.data, rows, cols, row_stride, col_stride, offset: x.row(s.heads, at, first) as usize }
}

/// Rows of lanes as a matrix.
pub(super) fn strip<T: Copy>(x: &[[T; STRIP]], rows: usize) -> Mat<'_, T> {
    Mat::row_major(x[..rows].as_flattened(), rows, STRIP)
}

/// The softmax of each lane so far: the highest score, and the sum of exponentials beside it.
struct Running<T> {
    highest: [T; STRIP],
    sum: [T; STRIP],
}

impl<T: Real> Running<T> {
    /// Turns a block of scores into exponentials and, `again`, scales down what was summed beside a lower maximum.
    fn take(&mut self, scores: &mut [[T; STRIP]], sums: &mut [[T; STRIP]], again: bool) {
        vectorize(
            #[inline(always)]
            || {
                let mut highest = self.highest;
                for x in scores.iter() {
                    for l in 0..STRIP {
                        // NaN is passed over here, and enters the sum below.
                        highest[l] = T::select(x[l] > highest[l], x[l], highest[l]);
                    }
                }
                let (mut shift, mut shrink) = (highest, highest);
                for l in 0..STRIP {
                    // Where all so far is hidden, -inf − -inf would be NaN; the exponentials are 0.
                    shift[l] = T::select(highest[l] == T::LOWEST, T::ZERO, highest[l]);
                    shrink[l] = (self.highest[l] - shift[l]).exp_of_negative();
                }
                let mut sum = [T::ZERO; STRIP];
                for x in scores.iter_mut() {
                    for l in 0..STRIP {
                        x[l] = (x[l] - shift[l]).exp_of_negative();
                        sum[l] += x[l];
                    }
                }
                for l in 0..STRIP {
                    self.sum[l] = self.sum[l] * shrink[l] + sum[l];
                }
                self.highest = highest;
                if again {
                    for x in sums.iter_mut() {
                        for l in 0..STRIP {
                            x[l] *= shrink[l];
                        }
                    }
                }
            },
        )
    }

    /// Divides by the sums of exponentials; gives their logarithms.
    fn end(self, sums: &mut [[T; STRIP]]) -> [T; STRIP] {
        vectorize(
            #[inline(always)]
            || {
                let (mut logs, mut scale) = (self.highest, self.sum);
                for l in 0..STRIP {
                    logs[l] += self.sum[l].ln();
                    scale[l] = self.sum[l].recip();
                }
                for x in sums.iter_mut() {
                    for l in 0..STRIP {
                        x[l] *= scale[l];
                    }
                }
                logs
            },
        )
    }
}
