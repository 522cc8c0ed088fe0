//! The backward pass: the weights are computed again, block by block, and five products make the gradients.

use super::forward::{across, block, gathered, part, strip};
use super::product::{Before, product};
use super::{AttentionShape, Heads, Hidden, KEYS, STRIP, hide, share};
use crate::elements::elements;
use crate::gemm::lanes::{Kernel, Lanes, dispatch};
use crate::gemm::pack::{Strip, interleave};
use crate::gemm::tile::prefetch_run;
use crate::gemm::{Gemm, Mat};
use crate::real::Float;
use crate::simd::vectorize;
use crate::threads::{Pieces, for_chunks, parallel};
use crate::workspace::scratch;
use std::ops::Range;

/// [`super::attention_backward`], its arguments checked.
pub fn backward<T: Gemm + Float>(
    s: &AttentionShape,
    scale: f64,
    x: [Heads<T>; 3],
    hidden: Hidden<T>,
    y: &[T],
    log: &[T],
    g: Heads<T>,
    dqkv: &mut [T],
) {
    let (all, strips) = (s.heads_in_all(), s.t.div_ceil(STRIP));
    let job = Job { s, scale: T::from_f64(scale), x, hidden, y, log, g, out: Pieces::new(dqkv) };
    let cost = elements([all, s.t, s.s, 3 * s.d + 2 * s.e]);
    // The sums for keys and values of one head: alone in a task where there are heads enough, else one for each group
    // of strips. Strips are dealt out in turn, because under a causal mask the later ones have more to do.
    let size = s.s * (s.d + s.e);
    let groups = HEADS_ENOUGH.div_ceil(all).min(strips);
    if groups == 1 {
        return parallel(all, cost, |at| {
            let mut sums = scratch::<T>(size);
            job.strips(at, 0..strips, 1, &mut sums);
            job.keys_and_values(at, &sums);
        });
    }
    let mut sums = scratch::<T>(all * groups * size);
    for_chunks(&mut sums, size, cost, |task, sums| {
        job.strips(task / groups, task % groups..strips, groups, sums);
    });
    for_chunks(&mut sums, groups * size, all * groups * size, |at, sums| {
        let (first, others) = sums.split_at_mut(size);
        for other in others.chunks_exact(size) {
            first.iter_mut().zip(other).for_each(|(sum, &x)| *sum += x);
        }
        job.keys_and_values(at, first);
    });
}

/// Heads from which each is one task.
const HEADS_ENOUGH: usize = 16;

struct Job<'a, T> {
    s: &'a AttentionShape,
    scale: T,
    x: [Heads<'a, T>; 3],
    hidden: Hidden<'a, T>,
    y: &'a [T],
    log: &'a [T],
    g: Heads<'a, T>,
    out: Pieces<T>,
}

impl<T: Gemm + Float> Job<'_, T> {
    /// Writes dq for every `groups`-th strip of a head; the sums `[s, d]` and `[s, e]` for dk and dv begin at 0.
    fn strips(&self, at: usize, strips: Range<usize>, groups: usize, sums: &mut [T]) {
        let Job { s, x: [_, k, v], .. } = *self;
        let for_strip = (2 * s.d + 2 * s.e + 2 * KEYS) * STRIP + (2 * s.d + s.e) * STRIP;
        let mut space = scratch::<T>(for_strip + s.s * (s.d + s.e));
        let (space, for_keys) = space.split_at_mut(for_strip);
        let (for_keys, for_values) = for_keys.split_at_mut(s.s * s.d);
        let k = gathered(for_keys, part(k, s, at, 0, s.s, s.d));
        let v = gathered(for_values, part(v, s, at, 0, s.s, s.e));
        sums.fill(T::ZERO);
        strips.step_by(groups).for_each(|i| {
            self.strip(at, i * STRIP, (i + groups) * STRIP, [k, v], sums, space);
        });
    }

    /// Writes dq for the strip of queries from `query` on and adds to the sums for dk and dv; meanwhile asks for what
    /// the strip from `next` on will read.
    fn strip(
        &self,
        at: usize,
        query: usize,
        next: usize,
        [k, v]: [Mat<T>; 2],
        sums: &mut [T],
        space: &mut [T],
    ) {
        let Job { s, scale, x: [q, ..], hidden, y, log, g, .. } = *self;
        let y = Heads::results(y, s);
        let rows = STRIP.min(s.t - query);
        let (lanes, dense) = space.split_at_mut((2 * s.d + 2 * s.e + 2 * KEYS) * STRIP);
        let (dense, q_rows) = dense.split_at_mut(s.d * STRIP);
        let (q_rows, g_rows) = q_rows.split_at_mut(s.d * STRIP);
        let (lanes, _) = lanes.as_chunks_mut::<STRIP>();
        let (queries, lanes) = lanes.split_at_mut(s.d);
        let (dq, lanes) = lanes.split_at_mut(s.d);
        let (gs, lanes) = lanes.split_at_mut(s.e);
        let (ys, lanes) = lanes.split_at_mut(s.e);
        let (weights, slopes) = lanes.split_at_mut(KEYS);
        let (dk, dv) = sums.split_at_mut(s.s * s.d);

        across(queries, q, s.heads, at, query, rows, scale);
        across(gs, g, s.heads, at, query, rows, T::ONE);
        across(ys, y, s.heads, at, query, rows, T::ONE);
        let (mut tops, mut logs) = ([T::ZERO; STRIP], [T::ZERO; STRIP]);
        tops[..rows].copy_from_slice(&log[at * s.t + query..][..rows]);
        logs[..rows].copy_from_slice(&log[(s.heads_in_all() + at) * s.t + query..][..rows]);
        let dots = dispatch(Dots { g: gs, y: ys });
        let q_rows = gathered(q_rows, part(q, s, at, query, rows, s.d));
        let g_rows = gathered(g_rows, part(g, s, at, query, rows, s.e));

        let seen = s.seen(query + rows - 1, &hidden);
        for key in (0..seen).step_by(KEYS) {
            let ahead = share(s, next, key, seen);
            q.prefetch(s.heads, at, ahead.clone(), s.d);
            g.prefetch(s.heads, at, ahead.clone(), s.e);
            y.prefetch(s.heads, at, ahead, s.e);
            self.prefetch(0, at, share(s, query, key, seen));
            if query + rows == s.t {
                let keys = key..(key + KEYS).min(s.s);
                [1, 2].iter().for_each(|&which| self.prefetch(which, at, keys.clone()));
            }
            let keys = KEYS.min(seen - key);
            let (weights, slopes) = (&mut weights[..keys], &mut slopes[..keys]);
            let (k, v) = (block(k, key, keys), block(v, key, keys));
            product(k, strip(queries, s.d), weights.as_flattened_mut(), STRIP, Before::Dropped);
            product(v, strip(gs, s.e), slopes.as_flattened_mut(), STRIP, Before::Dropped);
            hide(s, hidden, at, query, key, weights);
            vectorize(
                #[inline(always)]
                || {
                    for (p, d) in weights.iter_mut().zip(slopes.iter_mut()) {
                        for l in 0..STRIP {
                            p[l] = ((p[l] - tops[l]) - logs[l]).exp_of_negative();
                            d[l] = p[l] * (d[l] - dots[l]);
                        }
                    }
                },
            );
            let by_query = |x| Mat { cols: rows, ..strip(x, keys) };
            product(by_query(weights), g_rows, &mut dv[key * s.e..], s.e, Before::Kept);
            product(by_query(slopes), q_rows, &mut dk[key * s.d..], s.d, Before::Kept);
            let before = if key > 0 { Before::Kept } else { Before::Dropped };
            product(k.t(), strip(slopes, keys), dq.as_flattened_mut(), STRIP, before);
        }
        let turned = Strip { data: dq.as_flattened(), start: 0, lane: STRIP as isize, step: 1 };
        interleave(dense, s.d, s.d, rows, turned);
        self.write(0, at, query, &dense[..rows * s.d], scale);
    }

    /// Writes dk and dv of a head.
    fn keys_and_values(&self, at: usize, sums: &[T]) {
        let (dk, dv) = sums.split_at(self.s.s * self.s.d);
        self.write(1, at, 0, dk, self.scale);
        self.write(2, at, 0, dv, T::ONE);
    }

    /// Where row `i` of gradient `which` of a head goes, how long it is, and how far it is to the next.
    fn place(&self, which: usize, at: usize, i: usize) -> (usize, usize, usize) {
        let s = self.s;
        let ((start, stride), (count, n)) =
            (s.gradients()[which], [(s.t, s.d), (s.s, s.d), (s.s, s.e)][which]);
        (start + (at / s.heads * count + i) * stride + at % s.heads * n, n, stride)
    }

    /// Asks for the place of some rows ahead of [`Self::write`].
    fn prefetch(&self, which: usize, at: usize, rows: Range<usize>) {
        let (start, n, stride) = self.place(which, at, rows.start);
        for i in 0..rows.len() {
            // SAFETY: nothing is read or written there.
            prefetch_run(unsafe { self.out.at(start + i * stride) }, n);
        }
    }

    /// Writes dense rows, from `first` on, of gradient `which` of a head.
    fn write(&self, which: usize, at: usize, first: usize, rows: &[T], scale: T) {
        let (start, n, stride) = self.place(which, at, first);
        vectorize(
            #[inline(always)]
            || {
                for (i, row) in rows.chunks_exact(n).enumerate() {
                    // SAFETY: the three gradients do not overlap, nor do their rows and heads, and each row of each
                    // head is written by one task.
                    let to = unsafe { self.out.get(start + i * stride, n) };
                    to.iter_mut().zip(row).for_each(|(to, &x)| *to = x * scale);
                }
            },
        );
    }
}

/// `Σₑ g y` of each query, in the order in which [`product`] sums `g vᵀ`: where one key has all the weight, y is its row of v,
/// and the difference of the two is 0 as it should be. Summed in another order it would be the rounding of the sums, times
/// keys or queries that may be large.
struct Dots<'a, T> {
    g: &'a [[T; STRIP]],
    y: &'a [[T; STRIP]],
}

impl<T: Gemm + Float> Kernel<T> for Dots<'_, T> {
    type Out = [T; STRIP];

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) -> [T; STRIP] {
        let mut dots = [T::ZERO; STRIP];
        for j in (0..STRIP).step_by(L::N) {
            let n = L::N.min(STRIP - j);
            // SAFETY: `n` elements from `j` lie in each row and in the result; the caller runs on a processor with `L`.
            unsafe {
                let mut sum = L::splat(T::default());
                for (g, y) in self.g.iter().zip(self.y) {
                    sum = sum.fma(L::load_first(y[j..].as_ptr(), n), L::load_first(g[j..].as_ptr(), n));
                }
                sum.store_first(dots[j..].as_mut_ptr(), n);
            }
        }
        dots
    }
}
