//! Attention `softmax(scale · q kᵀ + bias) v`, forward and backward, without the t × s matrix of its weights.
//!
//! The method is FlashAttention's (Dao et al. 2022, arXiv:2205.14135): the keys pass by in blocks, a running maximum and
//! a running sum of exponentials take the place of the softmax over a whole row, and the backward pass computes the
//! weights again from the logarithm of that sum. What differs: scores are held **transposed**, `[keys, STRIP queries]`,
//! so that the queries lie across the lanes of the registers. Maxima, sums and rescaling are then plain vertical
//! operations, and no product needs its operands packed but the strip of queries.
//!
//! Loop nest, forward: sequences and heads and groups of 8 strips (in parallel) › strips of 32 queries › blocks of
//! [`KEYS`] keys › two products. Backward: sequences and heads and, where those are few, groups of strips (in parallel) ›
//! strips › blocks of keys › five products. A causal mask ends the walk over the keys at the strip's last query. Each
//! task first gathers its head's keys and values, whose rows lie far apart where heads share them: 8 heads of 2048 steps
//! take 71 ms so, forward and backward on two threads, and 89 without.
//!
//! Measured on two cores of a Sapphire Rapids Xeon (AVX-512, f32, causal, counting the products alone): 8 heads of 2048
//! steps of 64 numbers forward 242 and backward 250 of 380 GFLOP/s; 48 heads of 256 steps 201 and 212. Of the latter's
//! time in a GPT's training step the products take three fifths, at nine tenths of the peak, an eighth of which falls on
//! keys hidden beside the diagonal; exponentials and maxima take a twentieth, the rest is gathering and turning rows.

mod backward;
mod forward;
mod product;

use crate::elements::{elements, inside};
use crate::gemm::Gemm;
use crate::gemm::tile::prefetch_run;
use std::ops::Range;

/// The sizes: `b` sequences, each with `t` queries and `s` keys in `heads` heads; queries and keys have `d` numbers,
/// values `e`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// Sequences.
    pub b: usize,
    /// Heads of each.
    pub heads: usize,
    /// Queries of each head.
    pub t: usize,
    /// Keys and values of each head.
    pub s: usize,
    /// Numbers of a query and of a key.
    pub d: usize,
    /// Numbers of a value.
    pub e: usize,
}

impl AttentionShape {
    fn heads_in_all(&self) -> usize {
        elements([self.b, self.heads])
    }

    /// How many keys the queries up to `last` see.
    fn seen(&self, last: usize, bias: &Hidden<'_, impl Copy>) -> usize {
        match bias {
            Hidden::Later => (last + 1 + self.s - self.t).min(self.s),
            _ => self.s,
        }
    }

    /// Where the gradients of queries, keys and values lie in the one buffer of [`attention_backward`]: for each the
    /// start and the distance from one row to the next, the heads side by side within a row. Where the three have the
    /// same shape their rows take turns, `[b, t, 3, heads, d]`, so that they are one matrix, as the product that made
    /// queries, keys and values wants its gradient.
    pub fn gradients(&self) -> [(usize, usize); 3] {
        let AttentionShape { b, heads, t, s, d, e } = *self;
        if t == s && d == e {
            let row = elements([heads, d]);
            [0, 1, 2].map(|i| (elements([i, row]), elements([3, row])))
        } else {
            let (q, k, row) = (elements([b, t, heads, d]), elements([b, s, heads, d]), elements([heads, d]));
            [(0, row), (q, row), (q.saturating_add(k), elements([heads, e]))]
        }
    }
}

/// `[b, heads, rows, columns]` somewhere in a slice: element (b, h, i, j) is `data[offset + Σ index · stride]`.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a, T> {
    /// The slice it lies in.
    pub data: &'a [T],
    /// Where the first element is.
    pub offset: usize,
    /// Elements from one sequence, head, row and column to the next.
    pub strides: [isize; 4],
}

impl<'a, T: Copy> Heads<'a, T> {
    /// Dense `[b, heads, rows, columns]` from the start of `data`.
    pub fn dense(data: &'a [T], [_, heads, rows, columns]: [usize; 4]) -> Heads<'a, T> {
        let [sequence, head] = [elements([heads, rows, columns]), elements([rows, columns])];
        // A stride past counting is found by `check`, unless nothing is that far.
        let [sequence, head, row] = [sequence, head, columns].map(|n| n.min(isize::MAX as usize) as isize);
        Heads { data, offset: 0, strides: [sequence, head, row, 1] }
    }

    /// `[b, t, heads, e]` one after the other, as results are.
    fn results(data: &'a [T], s: &AttentionShape) -> Heads<'a, T> {
        let [t, heads, e] = [s.t, s.heads, s.e].map(|n| n as isize);
        Heads { data, offset: 0, strides: [t * heads * e, e, heads * e, 1] }
    }

    /// Where row `i` of head `at`, counted through all sequences, begins.
    fn row(&self, heads: usize, at: usize, i: usize) -> isize {
        let [b, h, row, _] = self.strides;
        self.offset as isize + (at / heads) as isize * b + (at % heads) as isize * h + i as isize * row
    }

    /// Asks for some rows of a head, each `n` numbers long, ahead of their use: heads that share their rows with others lie
    /// too far apart for the processor to foresee. With the rows of results asked for as well, 48 heads of 256 steps take
    /// 10.2 ms backward on one thread rather than 11.6; on two, which share the memory, 5.0 rather than 5.1.
    fn prefetch(&self, heads: usize, at: usize, rows: Range<usize>, n: usize) {
        for i in rows {
            prefetch_run(self.data.as_ptr().wrapping_offset(self.row(heads, at, i)), n);
        }
    }

    /// Panics unless all of it lies in `data`.
    fn check(&self, name: &str, sizes: [usize; 4]) {
        let axes = std::array::from_fn::<_, 4, _>(|d| (sizes[d], self.strides[d]));
        assert!(
            inside(self.data.len(), self.offset, axes),
            "attention: {name} {sizes:?} by {:?} from {} reach outside their {} elements",
            self.strides,
            self.offset,
            self.data.len()
        );
    }
}

/// Which keys a query does not see.
#[derive(Clone, Copy, Debug)]
pub enum Hidden<'a, T> {
    /// It sees all.
    Nothing,
    /// Those after it: query i sees keys j ≤ i + s − t, so the last query sees all.
    Later,
    /// Those whose score `[b, heads, t, s]` this makes `-inf`; it is added to each.
    Bias(Heads<'a, T>),
}

/// The numbers heads are made of, f32 and f64, for each of which attention is compiled once (see [`Gemm`]).
pub trait Attention: Gemm {
    /// [`attention`], its arguments checked.
    fn forward(
        s: &AttentionShape,
        scale: f64,
        qkv: [Heads<Self>; 3],
        hidden: Hidden<Self>,
        y: &mut [Self],
        log: &mut [Self],
    );
    /// [`attention_backward`], its arguments checked.
    fn backward(
        s: &AttentionShape,
        scale: f64,
        qkv: [Heads<Self>; 3],
        hidden: Hidden<Self>,
        y: &[Self],
        log: &[Self],
        g: Heads<Self>,
        dqkv: &mut [Self],
    );
}

macro_rules! attention {
    ($($t:ty)*) => {$(
        impl Attention for $t {
            #[inline(never)]
            fn forward(
                s: &AttentionShape,
                scale: f64,
                [q, k, v]: [Heads<$t>; 3],
                hidden: Hidden<$t>,
                y: &mut [$t],
                log: &mut [$t],
            ) {
                forward::forward(s, scale, q, k, v, hidden, y, log)
            }
            #[inline(never)]
            fn backward(
                s: &AttentionShape,
                scale: f64,
                qkv: [Heads<$t>; 3],
                hidden: Hidden<$t>,
                y: &[$t],
                log: &[$t],
                g: Heads<$t>,
                dqkv: &mut [$t],
            ) {
                backward::backward(s, scale, qkv, hidden, y, log, g, dqkv)
            }
        }
    )*};
}
attention!(f32 f64);

/// `y = softmax(scale · q kᵀ + bias) v` for each head; `y` is dense, `[b, t, heads, e]`, and `log`, `[2, b, heads, t]`,
/// takes each row's highest score and the logarithm of its sum of exponentials beside it, for the gradient: their sum
/// would round where scores are large. A query that sees no key, all its scores being `-inf`, gives 0, and so do its
/// gradients.
///
/// ```
/// use mapsto_kernels::attention::{AttentionShape, Heads, Hidden, attention};
/// let s = AttentionShape { b: 1, heads: 1, t: 2, s: 2, d: 1, e: 1 };
/// let (q, k, v) = ([0.0f32, 1.0], [0.0, 3f32.ln()], [4.0, 8.0]);
/// let [q, k, v] = [&q, &k, &v].map(|x| Heads::dense(&x[..], [1, 1, 2, 1]));
/// let (mut y, mut log) = ([0.0; 2], [0.0; 4]);
/// attention(&s, 1.0, q, k, v, Hidden::Later, &mut y, &mut log);
/// assert!(y[0] == 4.0 && (y[1] - 7.0).abs() < 1e-5 && (log[1] + log[3] - 4f32.ln()).abs() < 1e-6);
/// ```
///
/// # Panics
/// If a size is 0, the lengths do not fit, the columns of a head are not side by side, or there are fewer keys than
/// queries under [`Hidden::Later`].
pub fn attention<T: Attention>(
    s: &AttentionShape,
    scale: f64,
    q: Heads<T>,
    k: Heads<T>,
    v: Heads<T>,
    hidden: Hidden<T>,
    y: &mut [T],
    log: &mut [T],
) {
    check(s, q, k, v, hidden);
    let rows = elements([s.heads_in_all(), s.t]);
    assert!(
        y.len() == elements([rows, s.e]) && log.len() == elements([2, rows]),
        "attention: the results do not fit {s:?}"
    );
    T::forward(s, scale, [q, k, v], hidden, y, log)
}

/// The gradients through [`attention`] from the gradient `g`, `[b, heads, t, e]`, its result `y` and its `log`: with
/// `p` the weights and `r = Σₑ g y` for each query, `dv = pᵀ g`, `dp = g vᵀ`, `ds = p (dp − r)`, `dq = scale · ds k`
/// and `dk = scale · dsᵀ q`. They are written where [`AttentionShape::gradients`] says.
///
/// # Panics
/// As [`attention`].
pub fn attention_backward<T: Attention>(
    s: &AttentionShape,
    scale: f64,
    [q, k, v]: [Heads<T>; 3],
    hidden: Hidden<T>,
    y: &[T],
    log: &[T],
    g: Heads<T>,
    dqkv: &mut [T],
) {
    check(s, q, k, v, hidden);
    g.check("the gradients", [s.b, s.heads, s.t, s.e]);
    let rows = elements([s.heads_in_all(), s.t]);
    assert!(
        y.len() == elements([rows, s.e]) && log.len() == elements([2, rows]),
        "attention: the results do not fit {s:?}"
    );
    assert_eq!(
        dqkv.len(),
        elements([rows, s.d])
            .saturating_add(elements([s.heads_in_all(), s.s, s.d]))
            .saturating_add(elements([s.heads_in_all(), s.s, s.e])),
        "attention: the gradients of {s:?}"
    );
    T::backward(s, scale, [q, k, v], hidden, y, log, g, dqkv)
}

fn check<T: Copy>(s: &AttentionShape, q: Heads<T>, k: Heads<T>, v: Heads<T>, hidden: Hidden<T>) {
    let AttentionShape { b, heads, t, s: keys, d, e } = *s;
    assert!([b, heads, t, keys, d, e].iter().all(|&n| n > 0), "attention: a size of {s:?} is 0");
    for (name, x, sizes) in [
        ("the queries", q, [b, heads, t, d]),
        ("the keys", k, [b, heads, keys, d]),
        ("the values", v, [b, heads, keys, e]),
    ] {
        assert!(x.strides[3] == 1, "attention: the numbers of {name} are not side by side");
        x.check(name, sizes);
    }
    match hidden {
        Hidden::Nothing => {}
        Hidden::Later => assert!(t <= keys, "attention: {t} queries look back on {keys} keys"),
        Hidden::Bias(bias) => bias.check("the biases", [b, heads, t, keys]),
    }
}

/// Queries that lie across the lanes together: two registers of f32 with AVX-512, four with AVX2.
const STRIP: usize = 32;
/// Keys in a block: its scores, 64 · 32 · 4 = 8 KiB, stay in L1 beside the block's keys and values.
const KEYS: usize = 64;

/// A block of scores, `[keys, queries]`.
type Scores<T> = [[T; STRIP]];

/// Of the strip of queries from `next` on, the rows that are asked for while block `key` of `seen` keys is worked on: all
/// of them by the last block.
fn share(s: &AttentionShape, next: usize, key: usize, seen: usize) -> Range<usize> {
    let blocks = seen.div_ceil(KEYS);
    let row = |block: usize| (next + block * STRIP / blocks).min(s.t);
    row(key / KEYS)..row(key / KEYS + 1)
}

/// Hides what `hidden` says in the scores of keys from `key` on for the strip of queries from `query` on.
#[inline(always)]
fn hide<T: crate::real::Float>(
    s: &AttentionShape,
    hidden: Hidden<T>,
    at: usize,
    query: usize,
    key: usize,
    scores: &mut Scores<T>,
) {
    match hidden {
        Hidden::Nothing => {}
        Hidden::Later if key + scores.len() <= query + s.s - s.t + 1 => {}
        Hidden::Later => {
            for (j, scores) in scores.iter_mut().enumerate() {
                let first = (key + j).saturating_sub(query + s.s - s.t).min(STRIP);
                scores[..first].fill(T::LOWEST);
            }
        }
        Hidden::Bias(bias) => {
            for i in 0..STRIP.min(s.t - query) {
                let from = bias.row(s.heads, at, query + i);
                for (j, scores) in scores.iter_mut().enumerate() {
                    scores[i] += bias.data[(from + (key + j) as isize * bias.strides[3]) as usize];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, with_isa};
    use crate::threads::with_threads;

    fn numbers(n: usize, seed: usize) -> Vec<f64> {
        (0..n).map(|i| (((i + 31 * seed) * 7919) % 1009) as f64 / 500.0 - 1.0).collect()
    }

    /// Everything by the formulas, with the weights written out: `y` `[b, t, h, e]`, then dq, dk and dv
    /// `[b, rows, h, columns]`.
    fn plain(s: &AttentionShape, x: [&[f64]; 5], bias: Option<&[f64]>, later: bool) -> [Vec<f64>; 4] {
        let [q, k, v, g, _] = x;
        let AttentionShape { b, heads, t, s: keys, d, e } = *s;
        let scale = 0.7;
        let mut out = [b * t * heads * e, b * t * heads * d, b * keys * heads * d, b * keys * heads * e]
            .map(|n| vec![0.0; n]);
        let [y, dq, dk, dv] = &mut out;
        for at in 0..b * heads {
            let (q, k, v, g) = (&q[at * t * d..], &k[at * keys * d..], &v[at * keys * e..], &g[at * t * e..]);
            let place = |rows: usize, i: usize, columns: usize| {
                ((at / heads * rows + i) * heads + at % heads) * columns
            };
            for i in 0..t {
                let score = |j: usize| {
                    let dot: f64 = (0..d).map(|c| q[i * d + c] * k[j * d + c]).sum();
                    let hidden = later && j > i + keys - t;
                    if hidden {
                        f64::NEG_INFINITY
                    } else {
                        scale * dot + bias.map_or(0.0, |b| b[i * keys + j])
                    }
                };
                let raw: Vec<f64> = (0..keys).map(score).collect();
                let high = raw.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = raw.iter().map(|x| (x - high).exp()).sum();
                let p: Vec<f64> = raw.iter().map(|x| (x - high).exp() / sum).collect();
                let dp: Vec<f64> =
                    (0..keys).map(|j| (0..e).map(|c| g[i * e + c] * v[j * e + c]).sum()).collect();
                let r: f64 = p.iter().zip(&dp).map(|(p, d)| p * d).sum();
                for j in 0..keys {
                    let ds = scale * p[j] * (dp[j] - r);
                    for c in 0..e {
                        y[place(t, i, e) + c] += p[j] * v[j * e + c];
                        dv[place(keys, j, e) + c] += p[j] * g[i * e + c];
                    }
                    for c in 0..d {
                        dq[place(t, i, d) + c] += ds * k[j * d + c];
                        dk[place(keys, j, d) + c] += ds * q[i * d + c];
                    }
                }
            }
        }
        out
    }

    /// Result, logarithms and gradients by the kernels, the gradients gathered into dense buffers.
    fn run<T: Attention>(s: &AttentionShape, x: [&[T]; 5], bias: bool, later: bool) -> [Vec<T>; 4] {
        let AttentionShape { b, heads, t, s: keys, d, e } = *s;
        let mut y = vec![T::default(); b * t * heads * e];
        let mut log = vec![T::default(); 2 * b * heads * t];
        let [q, k, v, g] = [(x[0], t, d), (x[1], keys, d), (x[2], keys, e), (x[3], t, e)]
            .map(|(x, rows, n)| Heads::dense(x, [b, heads, rows, n]));
        let shared = Heads { data: x[4], offset: 0, strides: [0, 0, keys as isize, 1] };
        let hidden = if later {
            Hidden::Later
        } else if bias {
            Hidden::Bias(shared)
        } else {
            Hidden::Nothing
        };
        attention(s, 0.7, q, k, v, hidden, &mut y, &mut log);
        let mut grads = vec![T::default(); b * heads * (t * d + keys * (d + e))];
        attention_backward(s, 0.7, [q, k, v], hidden, &y, &log, g, &mut grads);
        let [dq, dk, dv] = std::array::from_fn(|i| {
            let ((start, row), (rows, n)) = (s.gradients()[i], [(t, d), (keys, d), (keys, e)][i]);
            (0..b * rows).flat_map(|r| grads[start + r * row..][..heads * n].to_vec()).collect::<Vec<T>>()
        });
        [y, dq, dk, dv]
    }

    #[test]
    fn against_the_formulas_in_every_family_with_the_same_bits_on_any_number_of_threads() {
        for [b, heads, t, s, d, e] in [
            [1, 1, 1, 1, 1, 1],
            [1, 2, 5, 5, 3, 3],
            [2, 3, 33, 40, 16, 8],
            [1, 1, 130, 130, 64, 64],
            [3, 7, 70, 70, 20, 20],
            [1, 2, 32, 200, 33, 70],
        ] {
            let s = AttentionShape { b, heads, t, s, d, e };
            let x = [(t, d, 1), (s.s, d, 2), (s.s, e, 3), (t, e, 4), (t, s.s, 5)];
            let x = x.map(|(rows, n, seed)| numbers(b * heads * rows * n, seed));
            let narrow = x.clone().map(|x| x.iter().map(|&x| x as f32).collect::<Vec<f32>>());
            let (wide, narrow) = (x.each_ref().map(|x| &x[..]), narrow.each_ref().map(|x| &x[..]));
            for (bias, later) in [(false, false), (false, true), (true, false)] {
                let want = plain(&s, wide, bias.then_some(wide[4]), later);
                for &isa in Isa::available() {
                    let (got, low) =
                        with_isa(isa, || (run(&s, wide, bias, later), run(&s, narrow, bias, later)));
                    for part in 0..4 {
                        for ((want, got), low) in want[part].iter().zip(&got[part]).zip(&low[part]) {
                            let what =
                                format!("{s:?} {bias} {later} {isa:?} part {part}: {want} {got} {low}");
                            assert!((want - got).abs() < 1e-12 * (1.0 + want.abs()), "{what}");
                            assert!((want - *low as f64).abs() < 2e-5 * (1.0 + want.abs()), "{what}");
                        }
                    }
                }
                let one = with_threads(1, || run(&s, narrow, bias, later));
                for threads in [2, 8] {
                    assert!(
                        with_threads(threads, || run(&s, narrow, bias, later)) == one,
                        "{s:?} {threads} threads"
                    );
                }
            }
        }
    }

    #[test]
    fn hidden_blocks_leave_no_trace_and_hidden_rows_are_zero() {
        let s = AttentionShape { b: 1, heads: 1, t: 2, s: 100, d: 2, e: 1 };
        let (q, k, v) = (numbers(4, 1), numbers(200, 2), numbers(100, 3));
        // The first query sees the last key alone, the second none.
        let mut bias = vec![f64::NEG_INFINITY; 200];
        bias[99] = 0.0;
        let [q, k, v, bias] = [(&q, 2, 2), (&k, 100, 2), (&v, 100, 1), (&bias, 2, 100)]
            .map(|(x, rows, n)| Heads::dense(&x[..], [1, 1, rows, n]));
        let (mut y, mut log) = ([0.0; 2], [0.0; 4]);
        attention(&s, 1.0, q, k, v, Hidden::Bias(bias), &mut y, &mut log);
        assert_eq!(y, [v.data[99], 0.0]);
        let (g, mut grads) = ([2.0, 3.0], vec![9.0; 304]);
        let g = Heads::dense(&g[..], [1, 1, 2, 1]);
        attention_backward(&s, 1.0, [q, k, v], Hidden::Bias(bias), &y, &log, g, &mut grads);
        // One key alone has all the weight, so no score matters, and its value has the one gradient.
        assert!(grads[..303].iter().all(|&g| g == 0.0) && grads[303] == 2.0, "{grads:?}");
    }

    #[test]
    fn large_scores_keep_the_digits_of_the_weights() {
        let s = AttentionShape { b: 1, heads: 1, t: 1, s: 3, d: 1, e: 1 };
        let (q, k, v, g) = ([1e6f32], [1.0; 3], [1.0, 2.0, 6.0], [1.0]);
        let [q, k, v, g] = [&q[..], &k, &v, &g].map(|x| Heads::dense(x, [1, 1, x.len(), 1]));
        let (mut y, mut log, mut grads) = ([0.0; 1], [0.0; 2], [0.0; 7]);
        attention(&s, 1.0, q, k, v, Hidden::Nothing, &mut y, &mut log);
        attention_backward(&s, 1.0, [q, k, v], Hidden::Nothing, &y, &log, g, &mut grads);
        assert!(
            (y[0] - 3.0).abs() < 1e-6 && grads[4..].iter().all(|dv| (dv - 1.0 / 3.0).abs() < 1e-6),
            "{grads:?}"
        );
    }

    #[test]
    #[should_panic(expected = "attention: 3 queries look back on 2 keys")]
    fn the_past_must_hold_the_queries() {
        let s = AttentionShape { b: 1, heads: 1, t: 3, s: 2, d: 1, e: 1 };
        let x = [0.0f32; 3];
        let x = Heads::dense(&x, [1, 1, 3, 1]);
        attention(&s, 1.0, x, x, x, Hidden::Later, &mut [0.0; 3], &mut [0.0; 6]);
    }
}
