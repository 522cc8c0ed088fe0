//! Recurrent networks over whole sequences, forward and backward: the LSTM and the GRU.
//!
//! Everything that does not wait for the step before is one product over all steps: the inputs' share of the gates on the
//! way forward; the gradients of the inputs and of both weights on the way back. What remains is a chain, `h ↦ h·W`
//! and the cell, step by step.
//!
//! Loop nest of the chain: blocks of [`ROWS`] sequences (in parallel) › steps › panels of W › inner size. The samples of a
//! batch do not see each other, so a block runs through all its steps alone and threads never wait for each other: a
//! product cut by columns instead would hand over once a step. W is packed once for the whole chain and stays in each
//! core's L2 cache (1 MiB for a hidden size of 256); where there is one block only, its panels are shared out at each step.

mod gru;
mod lstm;
mod recurrence;

pub use gru::{Gru, GruGrads, GruKept};
pub use lstm::{Lstm, LstmGrads, LstmKept};
pub(crate) use {gru::backward as gru_backward, gru::forward as gru_forward};
pub(crate) use {lstm::backward as lstm_backward, lstm::forward as lstm_forward};

use crate::gemm::{Epilogue, Gemm, Mat, Write, gemm};
use crate::real::Real;
use crate::threads::for_chunks;
use crate::workspace::{Scratch, scratch};

/// Sequences in a block: a micro-tile's rows with AVX-512.
const ROWS: usize = 8;

/// The sizes of a batch of sequences and of what remembers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequences {
    /// Sequences.
    pub batch: usize,
    /// Steps of each, at least 1.
    pub steps: usize,
    /// Features of a step.
    pub inputs: usize,
    /// Features of the state.
    pub hidden: usize,
}

impl Sequences {
    /// Steps of all sequences.
    fn rows(&self) -> usize {
        self.batch * self.steps
    }

    /// Multiply-adds of the chain with this many gates.
    fn cost(&self, gates: usize) -> usize {
        self.rows() * gates * self.hidden * self.hidden
    }

    /// Panics unless the operands have the lengths that these sizes and this many gates give.
    fn check<T>(&self, name: &str, gates: usize, x: &[T], w_ih: &[T], w_hh: &[T]) {
        assert!(self.steps > 0, "{name}: sequences have at least one step");
        let wide = gates * self.hidden;
        for (what, len, want) in [
            ("x", x.len(), self.rows() * self.inputs),
            ("w_ih", w_ih.len(), wide * self.inputs),
            ("w_hh", w_hh.len(), wide * self.hidden),
        ] {
            assert_eq!(len, want, "{name}: {what} has not the elements that {self:?} asks for");
        }
    }

    /// The state before each step, `[batch, steps, hidden]`: `h0` and all but the last of `y`.
    fn before<T: Gemm>(&self, h0: &[T], y: &[T]) -> Scratch<T> {
        let (steps, h) = (self.steps, self.hidden);
        let mut before = scratch::<T>(y.len());
        for_chunks(&mut before, steps * h, y.len(), |i, to| {
            to[..h].copy_from_slice(&h0[i * h..][..h]);
            to[h..].copy_from_slice(&y[i * steps * h..][..(steps - 1) * h]);
        });
        before
    }
}

/// `c = aᵀ·b`, both of as many rows.
fn transposed_product<T: Gemm>(a: Mat<T>, b: Mat<T>, c: &mut [T]) {
    gemm(a.t(), b, c, Write::Overwrite, Epilogue::none());
}

/// The slope of `sigmoid` where its value is `y`.
#[inline(always)]
fn sigmoid_slope<T: Real>(y: T) -> T {
    y * (T::ONE - y)
}

/// The slope of `tanh` where its value is `y`.
#[inline(always)]
fn tanh_slope<T: Real>(y: T) -> T {
    T::ONE - y * y
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, with_isa};
    use crate::threads::with_threads;

    const CASES: [Sequences; 4] = [
        Sequences { batch: 1, steps: 1, inputs: 1, hidden: 1 },
        Sequences { batch: 3, steps: 4, inputs: 5, hidden: 7 },
        Sequences { batch: 8, steps: 2, inputs: 3, hidden: 100 },
        Sequences { batch: 21, steps: 3, inputs: 30, hidden: 50 },
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
