//! The long short-term memory: a state that gates may keep, change and show.

use super::recurrence::Recurrence;
use super::{ROWS, Sequences, sigmoid_slope, tanh_slope, transposed_product};
use crate::blocks::for_blocks;
use crate::gemm::{Activation, Epilogue, Gemm, Mat, Write, gemm};
use crate::real::Real;
use crate::reduce;
use crate::simd::vectorize;
use crate::workspace::scratch;

/// The inputs of an LSTM over a batch of sequences, row-major.
///
/// With `a = w_ih·x + w_hh·h + b` in four parts `i, f, g, o` of the hidden size, at each step
/// `c ← σ(f) c + σ(i) tanh(g)`, `h ← σ(o) tanh(c)`.
#[derive(Clone, Copy)]
pub struct Lstm<'a, T> {
    /// The sizes.
    pub sizes: Sequences,
    /// `[batch, steps, inputs]`.
    pub x: &'a [T],
    /// The first state, `[batch, hidden]`.
    pub h0: &'a [T],
    /// The first cell, `[batch, hidden]`.
    pub c0: &'a [T],
    /// `[4·hidden, inputs]`.
    pub w_ih: &'a [T],
    /// `[4·hidden, hidden]`.
    pub w_hh: &'a [T],
    /// `[4·hidden]`.
    pub b: Option<&'a [T]>,
}

/// What the way forward writes and the way back reads.
#[derive(Clone, Copy)]
pub struct LstmKept<'a, T> {
    /// The four gates after their functions, `[batch, steps, 4·hidden]`.
    pub gates: &'a [T],
    /// The cells, `[batch, steps, hidden]`.
    pub cells: &'a [T],
    /// The states, `[batch, steps, hidden]`.
    pub y: &'a [T],
}

/// The gradients that the way back writes; those that are `None` are not computed.
pub struct LstmGrads<'a, T> {
    /// Of `x`.
    pub x: Option<&'a mut [T]>,
    /// Of `h0`; on entry, the gradient of the last state besides that in `dy`.
    pub h0: &'a mut [T],
    /// Of `c0`; on entry, the gradient of the last cell.
    pub c0: &'a mut [T],
    /// Of `w_ih`.
    pub w_ih: Option<&'a mut [T]>,
    /// Of `w_hh`.
    pub w_hh: Option<&'a mut [T]>,
    /// Of `b`.
    pub b: Option<&'a mut [T]>,
}

impl<T: Gemm> Lstm<'_, T> {
    /// Writes the gates, the cells and the states of all steps.
    ///
    /// ```
    /// use mapsto_kernels::rnn::{Lstm, Sequences};
    /// let sizes = Sequences { batch: 1, steps: 1, inputs: 1, hidden: 1 };
    /// let (w_ih, w_hh) = ([0.0, 0.0, 1.0, 0.0], [0.0; 4]);
    /// let lstm = Lstm { sizes, x: &[2.0f64], h0: &[0.0], c0: &[1.0], w_ih: &w_ih, w_hh: &w_hh, b: None };
    /// let (mut gates, mut cells, mut y) = ([0.0; 4], [0.0], [0.0]);
    /// lstm.forward(&mut gates, &mut cells, &mut y);
    /// assert_eq!(gates, [0.5, 0.5, 2.0f64.tanh(), 0.5]);
    /// assert_eq!(cells, [0.5 + 0.5 * 2.0f64.tanh()]);
    /// ```
    ///
    /// # Panics
    /// If a slice has another length than the sizes ask for.
    pub fn forward(&self, gates: &mut [T], cells: &mut [T], y: &mut [T]) {
        self.check();
        self.check_kept(gates.len(), cells.len(), y.len());
        T::lstm(self, gates, cells, y)
    }

    /// Writes the gradients, from `dy`, that of the states of all steps.
    ///
    /// With `dh` the gradient of a state from `dy` and from the step after it, and likewise `dc`:
    /// `dc += dh σ(o) (1 − tanh²(c))`; `di = dc g`, `df = dc c₋`, `dg = dc i`, `do = dh tanh(c)`, each times its
    /// function's slope, are the step's `da`; and `dh₋ = da·w_hh`, `dc₋ = dc f`.
    ///
    /// # Panics
    /// If a slice has another length than the sizes ask for.
    pub fn backward(&self, kept: LstmKept<'_, T>, dy: &[T], grads: LstmGrads<'_, T>) {
        self.check();
        self.check_kept(kept.gates.len(), kept.cells.len(), kept.y.len());
        let state = self.sizes.batch * self.sizes.hidden;
        assert_eq!((grads.h0.len(), grads.c0.len()), (state, state), "lstm: gradients of the first state");
        assert_eq!(dy.len(), kept.y.len(), "lstm: the gradient of y");
        T::lstm_backward(self, kept, dy, grads)
    }

    fn check(&self) {
        let (s, state) = (&self.sizes, self.sizes.batch * self.sizes.hidden);
        s.check("lstm", 4, self.x, self.w_ih, self.w_hh);
        assert_eq!((self.h0.len(), self.c0.len()), (state, state), "lstm: the first state of {s:?}");
        assert!(self.b.is_none_or(|b| b.len() == 4 * s.hidden), "lstm: the bias of {s:?}");
    }

    fn check_kept(&self, gates: usize, cells: usize, y: usize) {
        let n = self.sizes.rows() * self.sizes.hidden;
        assert_eq!((gates, cells, y), (4 * n, n, n), "lstm: gates, cells and states of {:?}", self.sizes);
    }
}

/// [`Lstm::forward`] with lengths checked.
pub(crate) fn forward<T: Gemm + Real>(lstm: &Lstm<T>, gates: &mut [T], cells: &mut [T], y: &mut [T]) {
    let Sequences { steps, inputs, hidden: h, .. } = lstm.sizes;
    let x = Mat::row_major(lstm.x, lstm.sizes.rows(), inputs);
    let w_ih = Mat::row_major(lstm.w_ih, 4 * h, inputs).t();
    gemm(x, w_ih, gates, Write::Overwrite, Epilogue { bias: lstm.b, activation: Activation::None });

    let w = Recurrence::new(Mat::row_major(lstm.w_hh, 4 * h, h).t());
    let (wide, narrow) = (4 * steps * h, steps * h);
    let chunks = [ROWS * wide, ROWS * narrow, ROWS * narrow];
    for_blocks([gates, cells, y], chunks, lstm.sizes.cost(4), |block, [gates, cells, y]| {
        let rows = y.len() / narrow;
        let (h0, c0) = (&lstm.h0[block * ROWS * h..], &lstm.c0[block * ROWS * h..]);
        let mut before = w.room();
        for t in 0..steps {
            match t {
                0 => w.pack(&mut before, rows, h0, 0, h),
                _ => w.pack(&mut before, rows, y, (t - 1) * h, narrow),
            }
            w.times(&before, rows, &mut gates[t * 4 * h..], wide, true);
            for row in 0..rows {
                let (past, now) = cells.split_at_mut(row * narrow + t * h);
                let c_before = if t == 0 { &c0[row * h..][..h] } else { &past[past.len() - h..] };
                let gates = &mut gates[row * wide + t * 4 * h..][..4 * h];
                vectorize(
                    #[inline(always)]
                    || cell(gates, c_before, &mut now[..h], &mut y[row * narrow + t * h..][..h]),
                );
            }
        }
    });
}

/// One step of one sequence: the functions of the gates in place, the cell and the state.
#[inline(always)]
fn cell<T: Real>(gates: &mut [T], c_before: &[T], c: &mut [T], y: &mut [T]) {
    let h = y.len();
    let (i, rest) = gates.split_at_mut(h);
    let (f, rest) = rest.split_at_mut(h);
    let (g, o) = rest.split_at_mut(h);
    assert!(c_before.len() == h && c.len() == h && o.len() == h);
    for j in 0..h {
        i[j] = i[j].sigmoid();
        f[j] = f[j].sigmoid();
        g[j] = g[j].tanh();
        o[j] = o[j].sigmoid();
        c[j] = f[j] * c_before[j] + i[j] * g[j];
        y[j] = o[j] * c[j].tanh();
    }
}

/// [`Lstm::backward`] with lengths checked.
pub(crate) fn backward<T: Gemm + Real>(
    lstm: &Lstm<T>,
    kept: LstmKept<'_, T>,
    dy: &[T],
    grads: LstmGrads<'_, T>,
) {
    let Sequences { steps, inputs, hidden: h, .. } = lstm.sizes;
    let rows = lstm.sizes.rows();
    let w = Recurrence::new(Mat::row_major(lstm.w_hh, 4 * h, h));
    let wide = 4 * steps * h;
    let mut da = scratch::<T>(rows * 4 * h);
    let chunks = [ROWS * wide, ROWS * h, ROWS * h];
    for_blocks([&mut da, grads.h0, grads.c0], chunks, lstm.sizes.cost(4), |block, [da, dh, dc]| {
        let rows = dh.len() / h;
        let mut packed = w.room();
        for t in (0..steps).rev() {
            for row in 0..rows {
                let at = ((block * ROWS + row) * steps + t) * h;
                let c_before = if t == 0 {
                    &lstm.c0[(block * ROWS + row) * h..][..h]
                } else {
                    &kept.cells[at - h..][..h]
                };
                let (gates, c, dy) = (&kept.gates[4 * at..][..4 * h], &kept.cells[at..][..h], &dy[at..][..h]);
                let (dh, dc) = (&dh[row * h..][..h], &mut dc[row * h..][..h]);
                let da = &mut da[row * wide + t * 4 * h..][..4 * h];
                vectorize(
                    #[inline(always)]
                    || cell_backward(gates, c_before, c, dy, dh, dc, da),
                );
            }
            w.pack(&mut packed, rows, da, t * 4 * h, wide);
            w.times(&packed, rows, dh, h, false);
        }
    });

    let da = Mat::row_major(&da, rows, 4 * h);
    if let Some(dx) = grads.x {
        let w_ih = Mat::row_major(lstm.w_ih, 4 * h, inputs);
        gemm(da, w_ih, dx, Write::Overwrite, Epilogue::none());
    }
    if let Some(dw) = grads.w_ih {
        transposed_product(da, Mat::row_major(lstm.x, rows, inputs), dw);
    }
    if let Some(dw) = grads.w_hh {
        let before = lstm.sizes.before(lstm.h0, kept.y);
        transposed_product(da, Mat::row_major(&before, rows, h), dw);
    }
    if let Some(db) = grads.b {
        reduce::sum(da.data, [1, rows, 4 * h], db);
    }
}

/// One step of one sequence backwards: the gradients of the gates before their functions, and that of the cell before.
#[inline(always)]
fn cell_backward<T: Real>(
    gates: &[T],
    c_before: &[T],
    c: &[T],
    dy: &[T],
    dh: &[T],
    dc: &mut [T],
    da: &mut [T],
) {
    let h = c.len();
    let (i, rest) = gates.split_at(h);
    let (f, rest) = rest.split_at(h);
    let (g, o) = rest.split_at(h);
    let (di, rest) = da.split_at_mut(h);
    let (df, rest) = rest.split_at_mut(h);
    let (dg, d_o) = rest.split_at_mut(h);
    assert!(o.len() == h && d_o.len() == h);
    assert!(c_before.len() == h && dy.len() == h && dh.len() == h && dc.len() == h);
    for j in 0..h {
        let (dh, shown) = (dy[j] + dh[j], c[j].tanh());
        let d = dc[j] + dh * o[j] * tanh_slope(shown);
        di[j] = d * g[j] * sigmoid_slope(i[j]);
        df[j] = d * c_before[j] * sigmoid_slope(f[j]);
        dg[j] = d * i[j] * tanh_slope(g[j]);
        d_o[j] = dh * shown * sigmoid_slope(o[j]);
        dc[j] = d * f[j];
    }
}
