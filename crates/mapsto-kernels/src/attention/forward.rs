//! The forward pass: for each strip of queries the softmax over the keys, taken as they pass by.

use super::product::{Before, product};
use super::{AttentionShape, Heads, Hidden, KEYS, STRIP, hide, share};
use crate::elements::elements;
use crate::gemm::pack::{Strip, interleave};
use crate::gemm::tile::prefetch_run;
use crate::gemm::{Gemm, Mat};
use crate::real::Float;
use crate::simd::vectorize;
use crate::threads::{Pieces, parallel};
use crate::workspace::scratch;

/// [`super::attention`], its arguments checked.
pub fn forward<T: Gemm + Float>(
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
    let groups = strips.div_ceil(TOGETHER);
    let job = Forward { s, scale: T::from_f64(scale), q, hidden, y: Pieces::new(y), log: Pieces::new(log) };
    let numbers = elements([s.s, s.d]).saturating_add(elements([s.s, s.e]));
    let cost = elements([s.heads_in_all(), s.t, numbers]);
    parallel(s.heads_in_all() * groups, cost, |task| {
        let (at, group) = (task / groups, task % groups);
        let for_strip = (s.d + s.e + KEYS) * STRIP + s.e * STRIP;
        let mut space = scratch::<T>(numbers.saturating_add(for_strip));
        let (space, for_keys) = space.split_at_mut(for_strip);
        let (for_keys, for_values) = for_keys.split_at_mut(s.s * s.d);
        let last = ((group + 1) * TOGETHER).min(strips);
        let seen = s.seen((last * STRIP).min(s.t) - 1, &hidden);
        let k = gathered(for_keys, part(k, s, at, 0, seen, s.d));
        let v = gathered(for_values, part(v, s, at, 0, seen, s.e));
        (group * TOGETHER..last).for_each(|i| job.strip(at, i * STRIP, k, v, space));
    });
}

/// Strips of one task, which gathers keys and values for all of them.
const TOGETHER: usize = 8;

struct Forward<'a, T> {
    s: &'a AttentionShape,
    scale: T,
    q: Heads<'a, T>,
    hidden: Hidden<'a, T>,
    y: Pieces<T>,
    log: Pieces<T>,
}

impl<T: Gemm + Float> Forward<'_, T> {
    /// The results of the strip of queries from `query` on, from the head's keys and values.
    fn strip(&self, at: usize, query: usize, k: Mat<T>, v: Mat<T>, space: &mut [T]) {
        let Forward { s, scale, q, hidden, y, log } = *self;
        let rows = STRIP.min(s.t - query);
        let (lanes, dense) = space.split_at_mut((s.d + s.e + KEYS) * STRIP);
        let (lanes, _) = lanes.as_chunks_mut::<STRIP>();
        let (queries, rest) = lanes.split_at_mut(s.d);
        let (scores, sums) = rest.split_at_mut(KEYS);

        across(queries, q, s.heads, at, query, rows, scale);
        let mut softmax = Running { highest: [T::LOWEST; STRIP], sum: [T::ZERO; STRIP] };
        let seen = s.seen(query + rows - 1, &hidden);
        for key in (0..seen).step_by(KEYS) {
            q.prefetch(s.heads, at, share(s, query + STRIP, key, seen), s.d);
            let keys = KEYS.min(seen - key);
            let scores = &mut scores[..keys];
            product(
                block(k, key, keys),
                strip(queries, s.d),
                scores.as_flattened_mut(),
                STRIP,
                Before::Dropped,
            );
            hide(s, hidden, at, query, key, scores);
            let shrink = softmax.take(scores);
            let before = if key > 0 { Before::Scaled(&shrink) } else { Before::Dropped };
            product(block(v, key, keys).t(), strip(scores, keys), sums.as_flattened_mut(), STRIP, before);
        }

        let (tops, logs, scales) = softmax.end();
        let turned = Strip { data: sums.as_flattened(), start: 0, lane: STRIP as isize, step: 1 };
        interleave(dense, s.e, s.e, rows, turned);
        vectorize(
            #[inline(always)]
            || {
                for (i, row) in dense.chunks_exact(s.e).take(rows).enumerate() {
                    let to = ((at / s.heads * s.t + query + i) * s.heads + at % s.heads) * s.e;
                    // SAFETY: each row of each head is written by the one task of its strip.
                    let to = unsafe { y.get(to, s.e) };
                    to.iter_mut().zip(row).for_each(|(y, &sum)| *y = sum * scales[i]);
                }
            },
        );
        // SAFETY: as above.
        unsafe { log.get(at * s.t + query, rows) }.copy_from_slice(&tops[..rows]);
        // SAFETY: as above.
        unsafe { log.get((s.heads_in_all() + at) * s.t + query, rows) }.copy_from_slice(&logs[..rows]);
    }
}

/// The rows of a matrix one after the other. Heads that share their rows with others are so far apart that a block of
/// keys and one of values fall on the same half of the L1 cache, and every row on a page of its own.
pub(super) fn gathered<'a, T: Gemm>(space: &'a mut [T], x: Mat<'a, T>) -> Mat<'a, T> {
    if x.row_stride == x.cols as isize {
        return x;
    }
    let space = &mut space[..x.rows * x.cols];
    let rows = x.data.as_ptr().wrapping_add(x.offset);
    for (i, to) in space.chunks_exact_mut(x.cols).enumerate() {
        prefetch_run(rows.wrapping_offset((i as isize + AHEAD) * x.row_stride), x.cols);
        let from = (x.offset as isize + i as isize * x.row_stride) as usize;
        to.copy_from_slice(&x.data[from..from + x.cols]);
    }
    Mat::row_major(space, x.rows, x.cols)
}

/// Rows by which a row is asked for before it is gathered.
const AHEAD: isize = 8;

/// Some rows of a matrix.
pub(super) fn block<T>(x: Mat<'_, T>, first: usize, rows: usize) -> Mat<'_, T> {
    Mat { rows, offset: (x.offset as isize + first as isize * x.row_stride) as usize, ..x }
}

/// `out[j][l]` is `scale` times number `j` of row `first + l` of a head; 0 beyond the last row.
pub(super) fn across<T: Gemm + Float>(
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

impl<T: Float> Running<T> {
    /// Turns a block of scores into exponentials; gives the factors of what was summed beside a lower maximum.
    fn take(&mut self, scores: &mut [[T; STRIP]]) -> [T; STRIP] {
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
                shrink
            },
        )
    }

    /// The highest scores, the logarithms of the sums of exponentials beside them, and what to multiply by to divide by the
    /// sums. Where all is hidden the logarithm is infinite and the factor 0, so that nothing comes of it, either way.
    fn end(self) -> ([T; STRIP], [T; STRIP], [T; STRIP]) {
        vectorize(
            #[inline(always)]
            || {
                let (mut tops, mut logs, mut scales) = (self.highest, self.sum, self.sum);
                for l in 0..STRIP {
                    // A sum of NaN is none of this kind.
                    let nothing = (self.highest[l] == T::LOWEST) & (self.sum[l] == T::ZERO);
                    tops[l] = T::select(nothing, T::ZERO, self.highest[l]);
                    logs[l] = T::select(nothing, T::INFINITY, self.sum[l].ln());
                    scales[l] = T::select(nothing, T::ZERO, self.sum[l].recip());
                }
                (tops, logs, scales)
            },
        )
    }
}
