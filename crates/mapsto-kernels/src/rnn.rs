//! Recurrent networks over whole sequences, forward and backward: the LSTM and the GRU.
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
mod slopes;
mod sweep;

pub use gru::{Gru, GruGrads, GruKept};
pub use lstm::{Lstm, LstmGrads, LstmKept};

use crate::elements::elements;
use crate::gemm::Gemm;
use crate::real::Float;
use crate::simd::vectorize_light;

/// The numbers sequences are made of, f32 and f64, for each of which the recurrences are compiled once (see [`Gemm`]).
pub trait Rnn: Gemm {
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

/// The sizes of a batch of sequences and of what remembers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequences {
    /// Sequences.
    pub batch: usize,
    /// Steps of each, at least 1.
    pub steps: usize,
    /// Features of a step, at least 1.
    pub inputs: usize,
    /// Features of the state.
    pub hidden: usize,
}

impl Sequences {
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
        let wide = elements([gates, self.hidden]);
        for (what, len, want) in [
            ("x", x.len(), elements([self.rows(), self.inputs])),
            ("w_ih", w_ih.len(), elements([wide, self.inputs])),
            ("w_hh", w_hh.len(), elements([wide, self.hidden])),
        ] {
            assert_eq!(len, want, "{name}: {what} has not the elements that {self:?} asks for");
        }
    }

    /// The state before a step of a sequence: of `h0`, or of `y` one step earlier.
    fn before<'a, T>(&self, h0: &'a [T], y: &'a [T], sequence: usize, step: usize) -> &'a [T] {
        let h = self.hidden;
        match step {
            0 => &h0[sequence * h..][..h],
            _ => &y[(sequence * self.steps + step - 1) * h..][..h],
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

    const CASES: [Sequences; 5] = [
        Sequences { batch: 1, steps: 1, inputs: 1, hidden: 1 },
        Sequences { batch: 3, steps: 19, inputs: 5, hidden: 7 },
        Sequences { batch: 10, steps: 5, inputs: 17, hidden: 33 },
        Sequences { batch: 8, steps: 2, inputs: 3, hidden: 100 },
        Sequences { batch: 21, steps: 9, inputs: 30, hidden: 50 },
    ];

    fn numbers(n: usize, key: usize) -> Vec<f64> {
        (0..n).map(|i| (((i + 31 * key) * 7919) % 1009) as f64 / 504.5 - 1.0).collect()
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
        vec![gates, cells, y, dx, dh, dc, dw_ih, dw_hh, db]
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
        vec![gates, u, y, dx, dh, dw_ih, dw_hh, b_ih, b_hh]
    }

    #[test]
    fn every_family_agrees_and_threads_change_no_bit() {
        for sizes in CASES {
            for run in [lstm, gru] {
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
