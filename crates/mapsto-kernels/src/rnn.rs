//! Recurrent networks over whole sequences, forward and backward: the plain one, the LSTM and the GRU.
//!
//! Sequences may be of different lengths, and may be read from their ends ([`Sequences`]). They stand from the longest to the
//! shortest, so the sequences of a block that have a step are its first rows, and padded steps cost nothing but their zeros.
//!
//! The samples of a batch do not see each other, so a block of [`ROWS`] sequences runs through all its steps alone, and
//! threads never wait for one another within a sequence; products cut by columns instead would hand over at each step.
//! Weights are packed once for the whole way and stay in each core's L2 cache (1 MiB for a hidden size of 256).
//!
//! Loop nest of the way forward: blocks (in parallel) › the inputs' share of the gates of all steps › steps: the state's
//! share (`panels.rs`), the cell. Of the way back: blocks (in parallel) › steps: the cell, the gradient of the state before;
//! then, over all steps, the gradients of the inputs and of the weights (`slopes.rs`). Where there is one block only, the
//! panels of each product are shared out instead.
//!
//! Measured (`cargo bench -p mapsto-kernels 32x64x128`: f32, 32 sequences of 64 steps of 128, hidden size 256; two cores
//! of a Sapphire Rapids Xeon, in percent of what their registers reach): an LSTM forward 5.4 ms (78 %), backward 11.1 ms
//! (77 %); a GRU 3.9 ms (81 %) and 8.3 ms (77 %). Of an LSTM's backward 82 % are the micro-kernel, 7 % the cells, 4 %
//! laying out the gates' gradients, 3 % packing the weights' right operands. Through products of any strides, which
//! packed the gates' gradients anew for each use, and with the functions of [`Float`] for the gates, the LSTM took 6.3
//! and 12.9 ms, the GRU 4.4 and 9.6. A single sequence, for which micro-tiles of one row are there: 0.45 and 0.75 ms, in
//! tiles of 8 rows 1.29 and 2.13.
//!
//! Tried: the inputs' share in chunks of 8 or 16 steps rather than all at once (one core, 16 sequences: 5.1 ms all at once,
//! 4.9 to 5.4 in chunks), and as one product with the state's share, of 1.5 MiB of weights (5.5); blocks of 16 rows (5.3).
//! Asking, during a step's product, for the place where the next step's gradients are put: 2 % of the chain backward, nothing
//! that is seen of the whole.

mod gate;
mod gru;
mod lstm;
mod panels;
mod plain;
mod slopes;
mod sweep;

pub use gru::{Gru, GruGrads, GruKept};
pub use lstm::{Lstm, LstmGrads, LstmKept};
pub use plain::{Bend, Plain, PlainGrads};

use crate::elements::elements;
use crate::gemm::Gemm;
use crate::real::Float;
use crate::simd::vectorize_light;
use panels::Panels;

/// The numbers sequences are made of, f32 and f64, for each of which the recurrences are compiled once (see [`Gemm`]).
pub trait Rnn: Gemm {
    /// [`Plain::forward`], its lengths checked.
    fn plain(plain: &Plain<Self>, y: &mut [Self]);
    /// [`Plain::backward`], its lengths checked.
    fn plain_backward(plain: &Plain<Self>, y: &[Self], dy: &[Self], grads: PlainGrads<Self>);
    /// [`Lstm::forward`], its lengths checked.
    fn lstm(lstm: &Lstm<Self>, gates: &mut [Self], cells: &mut [Self], y: &mut [Self]);
    /// [`Lstm::backward`], its lengths checked.
    fn lstm_backward(lstm: &Lstm<Self>, kept: LstmKept<Self>, dy: &[Self], grads: LstmGrads<Self>);
    /// [`Gru::forward`], its lengths checked.
    fn gru(gru: &Gru<Self>, gates: &mut [Self], u: &mut [Self], y: &mut [Self]);
    /// [`Gru::backward`], its lengths checked.
    fn gru_backward(gru: &Gru<Self>, kept: GruKept<Self>, dy: &[Self], grads: GruGrads<Self>);
}

macro_rules! rnn {
    ($($t:ty)*) => {$(
        impl Rnn for $t {
            #[inline(never)]
            fn plain(plain: &Plain<$t>, y: &mut [$t]) {
                plain::forward(plain, y)
            }
            #[inline(never)]
            fn plain_backward(plain: &Plain<$t>, y: &[$t], dy: &[$t], grads: PlainGrads<$t>) {
                plain::backward(plain, y, dy, grads)
            }
            #[inline(never)]
            fn lstm(lstm: &Lstm<$t>, gates: &mut [$t], cells: &mut [$t], y: &mut [$t]) {
                lstm::forward(lstm, gates, cells, y)
            }
            #[inline(never)]
            fn lstm_backward(lstm: &Lstm<$t>, kept: LstmKept<$t>, dy: &[$t], grads: LstmGrads<$t>) {
                lstm::backward(lstm, kept, dy, grads)
            }
            #[inline(never)]
            fn gru(gru: &Gru<$t>, gates: &mut [$t], u: &mut [$t], y: &mut [$t]) {
                gru::forward(gru, gates, u, y)
            }
            #[inline(never)]
            fn gru_backward(gru: &Gru<$t>, kept: GruKept<$t>, dy: &[$t], grads: GruGrads<$t>) {
                gru::backward(gru, kept, dy, grads)
            }
        }
    )*};
}
rnn!(f32 f64);

/// Sequences in a block.
const ROWS: usize = sweep::HIGH;

/// The sizes of a batch of sequences and of what remembers them, and how their steps are read.
///
/// ```
/// use mapsto_kernels::rnn::Sequences;
/// let all = Sequences { batch: 2, steps: 5, inputs: 3, hidden: 4, ..Sequences::WHOLE };
/// let ragged = Sequences { lengths: Some(&[5, 2]), is_reversed: true, ..all };
/// assert_ne!(all, ragged);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequences<'a> {
    /// Sequences.
    pub batch: usize,
    /// Steps of each, at least 1.
    pub steps: usize,
    /// Features of a step, at least 1.
    pub inputs: usize,
    /// Features of the state.
    pub hidden: usize,
    /// How many of its steps each sequence has, none more than the one before it; `None` where all have all. What stands in the
    /// steps after them is not read, and their states and gradients are 0.
    pub lengths: Option<&'a [usize]>,
    /// Whether each sequence is read from its last step to the first.
    pub is_reversed: bool,
}

impl Sequences<'_> {
    /// Nothing: whole sequences, read forwards, whose sizes are to be filled in.
    pub const WHOLE: Sequences<'static> =
        Sequences { batch: 0, steps: 0, inputs: 0, hidden: 0, lengths: None, is_reversed: false };

    /// Steps of all sequences.
    fn rows(&self) -> usize {
        elements([self.batch, self.steps])
    }

    /// Multiply-adds of the way forward with this many gates.
    fn cost(&self, gates: usize) -> usize {
        elements([self.rows(), gates, self.hidden, self.inputs.saturating_add(self.hidden)])
    }

    /// Panics unless the operands have the lengths that these sizes and this many gates give.
    fn check<T>(&self, name: &str, gates: usize, x: &[T], w_ih: &[T], w_hh: &[T]) {
        assert!(
            self.steps > 0 && self.inputs > 0,
            "{name}: sequences have at least one step and one feature"
        );
        if let Some(lengths) = self.lengths {
            assert_eq!(lengths.len(), self.batch, "{name}: a length for each sequence");
            let fall = lengths.windows(2).all(|w| w[0] >= w[1]) && lengths.iter().all(|&n| n <= self.steps);
            assert!(fall, "{name}: lengths fall, from at most {}", self.steps);
        }
        let wide = elements([gates, self.hidden]);
        for (what, len, want) in [
            ("x", x.len(), elements([self.rows(), self.inputs])),
            ("w_ih", w_ih.len(), elements([wide, self.inputs])),
            ("w_hh", w_hh.len(), elements([wide, self.hidden])),
        ] {
            assert_eq!(len, want, "{name}: {what} has not the elements that {self:?} asks for");
        }
    }

    /// The steps that a sequence has.
    fn len(&self, sequence: usize) -> usize {
        self.lengths.map_or(self.steps, |lengths| lengths[sequence])
    }

    /// How many of the `rows` sequences from `first` on have a step.
    fn active(&self, first: usize, rows: usize, step: usize) -> usize {
        match self.lengths {
            None => rows,
            Some(lengths) => lengths[first..first + rows].partition_point(|&n| n > step),
        }
    }

    /// The steps of the block of sequences that begins with `first`, in the order in which they are read, each with the number of
    /// those before it.
    fn order(&self, first: usize) -> impl DoubleEndedIterator<Item = (usize, usize)> + use<> {
        let (n, is_reversed) = (self.len(first), self.is_reversed);
        (0..n).map(move |i| (if is_reversed { n - 1 - i } else { i }, i))
    }

    /// The step that is read before this one, if there is one.
    fn previous(&self, sequence: usize, step: usize) -> Option<usize> {
        match self.is_reversed {
            false => step.checked_sub(1),
            true => (step + 1 < self.len(sequence)).then_some(step + 1),
        }
    }

    /// The state before a step of a sequence, which is row `sequence − first`: of `h0`, or of `y` at the step read before.
    fn before<'a, T>(&self, first: usize, h0: &'a [T], y: &'a [T], row: usize, step: usize) -> &'a [T] {
        let h = self.hidden;
        match self.previous(first + row, step) {
            None => &h0[row * h..][..h],
            Some(previous) => &y[(row * self.steps + previous) * h..][..h],
        }
    }

    /// The place of a step's state among all, and the state before it.
    fn now_and_before<'a, T>(
        &self,
        first: usize,
        h0: &'a [T],
        y: &'a mut [T],
        row: usize,
        step: usize,
    ) -> (&'a mut [T], &'a [T]) {
        let h = self.hidden;
        let at = |step: usize| (row * self.steps + step) * h;
        match self.previous(first + row, step) {
            None => (&mut y[at(step)..][..h], &h0[row * h..][..h]),
            Some(previous) if previous < step => {
                let (past, now) = y.split_at_mut(at(step));
                (&mut now[..h], &past[at(previous)..][..h])
            }
            Some(previous) => {
                let (now, past) = y.split_at_mut(at(previous));
                (&mut now[at(step)..][..h], &past[..h])
            }
        }
    }

    /// The inputs' share of the gates of the sequences from `first` on, at every step that they have; and zeros for the states of
    /// those that they have not.
    fn shares<T: Gemm>(
        &self,
        first: usize,
        w_ih: &Panels<T>,
        x: &[T],
        gates: &mut [T],
        y: &mut [T],
        b: Option<&[T]>,
    ) {
        let (h, wide) = (self.hidden, gates.len() / (y.len() / self.hidden));
        let rows = y.len() / (self.steps * h);
        let x = &x[first * self.steps * self.inputs..][..rows * self.steps * self.inputs];
        if self.lengths.is_none() {
            return w_ih.times_dense(x, self.inputs, gates, b);
        }
        for row in 0..rows {
            let (start, n) = (row * self.steps, self.len(first + row));
            let x = &x[start * self.inputs..][..n * self.inputs];
            w_ih.times_dense(x, self.inputs, &mut gates[start * wide..][..n * wide], b);
            y[(start + n) * h..(start + self.steps) * h].fill(T::default());
        }
    }
}

/// The gradients through no states at all.
fn clear<'a, T: Default + Clone + 'a>(grads: impl Iterator<Item = &'a mut [T]>) {
    grads.for_each(|grad| grad.fill(T::default()));
}

/// Steps whose gradients are added up before they are added to those of the others.
const STEPS: usize = 32;

/// `y[j] += Σ x[i, j]` over rows.
fn add_rows<T: Float>(x: &[T], y: &mut [T]) {
    for row in x.chunks_exact(y.len()) {
        vectorize_light(
            #[inline(always)]
            || y.iter_mut().zip(row).for_each(|(y, &x)| *y += x),
        );
    }
}

/// The slope of `sigmoid` where its value is `y`.
#[inline(always)]
fn sigmoid_slope<T: Float>(y: T) -> T {
    y * (T::ONE - y)
}

/// The slope of `tanh` where its value is `y`.
#[inline(always)]
fn tanh_slope<T: Float>(y: T) -> T {
    T::ONE - y * y
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, with_isa};
    use crate::threads::with_threads;

    const ALL: Sequences = Sequences::WHOLE;
    const CASES: [Sequences; 9] = [
        Sequences { batch: 1, steps: 1, inputs: 1, hidden: 1, ..ALL },
        Sequences { batch: 3, steps: 19, inputs: 5, hidden: 7, ..ALL },
        Sequences { batch: 10, steps: 5, inputs: 17, hidden: 33, ..ALL },
        Sequences { batch: 8, steps: 2, inputs: 3, hidden: 100, ..ALL },
        Sequences { batch: 21, steps: 9, inputs: 30, hidden: 50, ..ALL },
        Sequences { batch: 10, steps: 5, inputs: 17, hidden: 33, is_reversed: true, ..ALL },
        Sequences { batch: 3, steps: 19, inputs: 5, hidden: 7, lengths: Some(&[17, 3, 0]), ..ALL },
        Sequences { batch: 11, steps: 40, inputs: 5, hidden: 7, lengths: Some(&LENGTHS), ..ALL },
        Sequences { batch: 11, steps: 40, inputs: 5, hidden: 7, lengths: Some(&LENGTHS), is_reversed: true },
    ];
    const LENGTHS: [usize; 11] = [40, 40, 37, 33, 32, 31, 2, 2, 2, 1, 0];

    fn numbers(n: usize, key: usize) -> Vec<f64> {
        (0..n).map(|i| (((i + 31 * key) * 7919) % 1009) as f64 / 504.5 - 1.0).collect()
    }

    /// The numbers of the steps that each sequence has: what is written for the others is not read.
    fn seen(sizes: Sequences, x: Vec<f64>) -> Vec<f64> {
        let each = x.len() / sizes.rows();
        let rows = x.chunks(each).enumerate();
        rows.filter(|(i, _)| i % sizes.steps < sizes.len(i / sizes.steps))
            .flat_map(|(_, row)| row)
            .copied()
            .collect()
    }

    /// All results of a plain network, forward and backward.
    fn plain(sizes: Sequences) -> Vec<Vec<f64>> {
        let Sequences { batch, inputs, hidden: h, .. } = sizes;
        let (all, lens) = (sizes.rows() * h, [sizes.rows() * inputs, batch * h, h * inputs, h * h, h]);
        let [x, h0, w_ih, w_hh, b] = std::array::from_fn(|i| numbers(lens[i], i));
        let plain = Plain { sizes, bend: Bend::Tanh, x: &x, h0: &h0, w_ih: &w_ih, w_hh: &w_hh, b: Some(&b) };
        let mut y = vec![9.0; all];
        plain.forward(&mut y);
        let [mut dx, mut dh, mut dw_ih, mut dw_hh, mut db] = std::array::from_fn(|i| numbers(lens[i], 9));
        let (w_ih, w_hh, b) = (Some(&mut dw_ih[..]), Some(&mut dw_hh[..]), Some(&mut db[..]));
        let grads = PlainGrads { x: Some(&mut dx), h0: &mut dh, w_ih, w_hh, b };
        plain.backward(&y, &numbers(all, 8), grads);
        vec![y, dx, dh, dw_ih, dw_hh, db]
    }

    /// All results of an LSTM, forward and backward.
    fn lstm(sizes: Sequences) -> Vec<Vec<f64>> {
        let Sequences { batch, inputs, hidden: h, .. } = sizes;
        let (state, all) = (batch * h, sizes.rows() * h);
        let lens = [sizes.rows() * inputs, state, state, 4 * h * inputs, 4 * h * h, 4 * h];
        let [x, h0, c0, w_ih, w_hh, b] = std::array::from_fn(|i| numbers(lens[i], i));
        let b = Some(&b[..]);
        let lstm = Lstm { sizes, x: &x, h0: &h0, c0: &c0, w_ih: &w_ih, w_hh: &w_hh, b };
        let [mut gates, mut cells, mut y] = [4 * all, all, all].map(|n| vec![9.0; n]);
        lstm.forward(&mut gates, &mut cells, &mut y);
        let [mut dx, mut dh, mut dc, mut dw_ih, mut dw_hh, mut db] =
            std::array::from_fn(|i| numbers(lens[i], 9));
        let grads = LstmGrads {
            x: Some(&mut dx),
            h0: &mut dh,
            c0: &mut dc,
            w_ih: Some(&mut dw_ih),
            w_hh: Some(&mut dw_hh),
            b: Some(&mut db),
        };
        lstm.backward(LstmKept { gates: &gates, cells: &cells, y: &y }, &numbers(all, 8), grads);
        vec![seen(sizes, gates), seen(sizes, cells), y, dx, dh, dc, dw_ih, dw_hh, db]
    }

    /// All results of a GRU, forward and backward.
    fn gru(sizes: Sequences) -> Vec<Vec<f64>> {
        let Sequences { batch, inputs, hidden: h, .. } = sizes;
        let all = sizes.rows() * h;
        let lens = [sizes.rows() * inputs, batch * h, 3 * h * inputs, 3 * h * h, 3 * h, 3 * h];
        let [x, h0, w_ih, w_hh, b_ih, b_hh] = std::array::from_fn(|i| numbers(lens[i], i));
        let b = Some([&b_ih[..], &b_hh[..]]);
        let gru = Gru { sizes, x: &x, h0: &h0, w_ih: &w_ih, w_hh: &w_hh, b };
        let [mut gates, mut u, mut y] = [3 * all, all, all].map(|n| vec![9.0; n]);
        gru.forward(&mut gates, &mut u, &mut y);
        let [mut dx, mut dh, mut dw_ih, mut dw_hh, mut b_ih, mut b_hh] =
            std::array::from_fn(|i| numbers(lens[i], 9));
        let grads = GruGrads {
            x: Some(&mut dx),
            h0: &mut dh,
            w_ih: Some(&mut dw_ih),
            w_hh: Some(&mut dw_hh),
            b: Some([&mut b_ih, &mut b_hh]),
        };
        gru.backward(GruKept { gates: &gates, u: &u, y: &y }, &numbers(all, 8), grads);
        vec![seen(sizes, gates), seen(sizes, u), y, dx, dh, dw_ih, dw_hh, b_ih, b_hh]
    }

    #[test]
    fn every_family_agrees_and_threads_change_no_bit() {
        for sizes in CASES {
            for run in [plain, lstm, gru] {
                let plain = with_isa(Isa::Portable, || run(sizes));
                for &isa in Isa::available() {
                    let one = with_isa(isa, || with_threads(1, || run(sizes)));
                    for (i, (a, b)) in plain.iter().zip(&one).enumerate() {
                        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-11 * (1.0 + a.abs());
                        assert!(a.iter().zip(b).all(near), "{isa:?} {sizes:?}: result {i}");
                    }
                    for threads in [2, 8] {
                        assert!(
                            with_isa(isa, || with_threads(threads, || run(sizes))) == one,
                            "{isa:?} {sizes:?}"
                        );
                    }
                }
            }
        }
    }
}
