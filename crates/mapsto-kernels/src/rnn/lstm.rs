//! The long short-term memory: a state that gates may keep, change and show.

use super::gate::Gate;
use super::panels::{Panels, To};
use super::slopes::{Slopes, Weight};
use super::sweep::lay;
use super::{ROWS, Rnn, STEPS, Sequences, add_rows, clear, sigmoid_slope, tanh_slope};
use crate::blocks::for_blocks;
use crate::elements::elements;
use crate::gemm::{Gemm, Mat};
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
    pub sizes: Sequences<'a>,
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

impl<T: Rnn> Lstm<'_, T> {
    /// Writes the gates, the cells and the states of all steps.
    ///
    /// ```
    /// use mapsto_kernels::rnn::{Lstm, Sequences};
    /// let sizes = Sequences { batch: 1, steps: 1, inputs: 1, hidden: 1, ..Sequences::WHOLE };
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
        if !y.is_empty() {
            T::lstm(self, gates, cells, y)
        }
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
        let state = elements([self.sizes.batch, self.sizes.hidden]);
        assert_eq!((grads.h0.len(), grads.c0.len()), (state, state), "lstm: gradients of the first state");
        assert_eq!(dy.len(), kept.y.len(), "lstm: the gradient of y");
        if kept.y.is_empty() {
            return clear([grads.x, grads.w_ih, grads.w_hh, grads.b].into_iter().flatten());
        }
        T::lstm_backward(self, kept, dy, grads)
    }

    fn check(&self) {
        let (s, state) = (&self.sizes, elements([self.sizes.batch, self.sizes.hidden]));
        s.check("lstm", 4, self.x, self.w_ih, self.w_hh);
        assert_eq!((self.h0.len(), self.c0.len()), (state, state), "lstm: the first state of {s:?}");
        assert!(self.b.is_none_or(|b| b.len() == elements([4, s.hidden])), "lstm: the bias of {s:?}");
    }

    fn check_kept(&self, gates: usize, cells: usize, y: usize) {
        let n = elements([self.sizes.rows(), self.sizes.hidden]);
        assert_eq!(
            (gates, cells, y),
            (elements([4, n]), n, n),
            "lstm: gates, cells and states of {:?}",
            self.sizes
        );
    }
}

/// [`Lstm::forward`] with lengths checked.
pub fn forward<T: Gemm + Gate>(lstm: &Lstm<T>, gates: &mut [T], cells: &mut [T], y: &mut [T]) {
    let s @ Sequences { steps, inputs, hidden: h, .. } = lstm.sizes;
    let w_ih = Panels::new(&[Mat::row_major(lstm.w_ih, 4 * h, inputs).t()]);
    let w_hh = Panels::new(&[Mat::row_major(lstm.w_hh, 4 * h, h).t()]);
    let (wide, narrow) = (elements([4, steps, h]), elements([steps, h]));
    let chunks = [elements([ROWS, wide]), elements([ROWS, narrow]), elements([ROWS, narrow])];
    for_blocks([gates, cells, y], chunks, s.cost(4), |block, [gates, cells, y]| {
        let (first, rows) = (block * ROWS, y.len() / narrow);
        s.shares(first, &w_ih, lstm.x, gates, y, lstm.b);
        let (h0, c0) = (&lstm.h0[first * h..], &lstm.c0[first * h..]);
        let mut state = w_hh.room();
        for (t, _) in s.order(first) {
            let rows = s.active(first, rows, t);
            for row in 0..rows {
                lay(&mut state, row, s.before(first, h0, y, row, t));
            }
            let to = To { c: &mut gates[t * 4 * h..], stride: wide, add: true, bias: None };
            w_hh.times(w_hh.rows(&state), rows, to);
            for row in 0..rows {
                let (c, c_before) = s.now_and_before(first, c0, cells, row, t);
                let gates = &mut gates[row * wide + t * 4 * h..][..4 * h];
                let y = &mut y[row * narrow + t * h..][..h];
                vectorize(
                    #[inline(always)]
                    || cell(gates, c_before, c, y),
                );
            }
        }
    });
}

/// One step of one sequence: the functions of the gates in place, the cell and the state.
#[inline(always)]
fn cell<T: Gate>(gates: &mut [T], c_before: &[T], c: &mut [T], y: &mut [T]) {
    let h = y.len();
    let (i, rest) = gates.split_at_mut(h);
    let (f, rest) = rest.split_at_mut(h);
    let (g, o) = rest.split_at_mut(h);
    assert!(c_before.len() == h && c.len() == h && o.len() == h);
    for j in 0..h {
        (i[j], g[j]) = T::sigmoid_tanh(i[j], g[j]);
    }
    for j in 0..h {
        (f[j], o[j]) = T::sigmoid2(f[j], o[j]);
        c[j] = f[j] * c_before[j] + i[j] * g[j];
    }
    for j in 0..h {
        y[j] = o[j] * T::tanh1(c[j]);
    }
}

/// [`Lstm::backward`] with lengths checked.
pub fn backward<T: Gemm + Gate>(lstm: &Lstm<T>, kept: LstmKept<'_, T>, dy: &[T], grads: LstmGrads<'_, T>) {
    let s @ Sequences { batch, steps, inputs, hidden: h, .. } = lstm.sizes;
    let w_hh = Panels::new(&parts(lstm.w_hh, h, h));
    let mut slopes = Slopes::new(s, 4);
    let (block, layout) = (slopes.block(), slopes.layout());
    let mut sums = scratch::<T>(batch.div_ceil(ROWS) * 4 * h);
    let slices = [slopes.all(), &mut sums, grads.h0, grads.c0];
    for_blocks(slices, [block, 4 * h, ROWS * h, ROWS * h], s.cost(4), |block, [slopes, sums, dh, dc]| {
        let (first, rows) = (block * ROWS, dh.len() / h);
        if rows < ROWS || s.lengths.is_some() {
            slopes.fill(T::ZERO);
        }
        sums.fill(T::ZERO);
        // Of some steps, so that no sum is rounded very often.
        let mut recent = scratch::<T>(4 * h);
        recent.fill(T::ZERO);
        let mut da = scratch::<T>(rows * 4 * h);
        for (t, earlier) in s.order(first).rev() {
            let active = s.active(first, rows, t);
            da[active * 4 * h..].fill(T::ZERO);
            for row in 0..active {
                let at = ((first + row) * steps + t) * h;
                let c_before = s.before(0, lstm.c0, kept.cells, first + row, t);
                let (gates, c, dy) = (&kept.gates[4 * at..][..4 * h], &kept.cells[at..][..h], &dy[at..][..h]);
                let (dh, dc) = (&dh[row * h..][..h], &mut dc[row * h..][..h]);
                let da = &mut da[row * 4 * h..][..4 * h];
                vectorize(
                    #[inline(always)]
                    || cell_backward(gates, c_before, c, dy, dh, dc, da),
                );
            }
            add_rows(&da, &mut recent);
            if earlier % STEPS == 0 {
                add_rows(&recent, sums);
                recent.fill(T::ZERO);
            }
            layout.put(slopes, t, &da);
            let to = To { c: dh, stride: h, add: false, bias: None };
            w_hh.times(layout.step(slopes, rows, t, 0, &w_hh), active, to);
        }
    });

    if let Some(db) = grads.b {
        reduce::sum(&sums, [1, batch.div_ceil(ROWS), 4 * h], db);
    }
    if let Some(dx) = grads.x {
        slopes.times(0, &Panels::new(&parts(lstm.w_ih, h, inputs)), dx);
    }
    let parts = &[Some(0), Some(1), Some(2), Some(3)];
    let input = |b: usize, t: usize| &lstm.x[(b * steps + t) * inputs..][..inputs];
    let before = |b: usize, t: usize| s.before(0, lstm.h0, kept.y, b, t);
    let mut wanted = Vec::new();
    if let Some(dw) = grads.w_ih {
        wanted.push(Weight { parts, cols: inputs, right: &input, dw });
    }
    if let Some(dw) = grads.w_hh {
        wanted.push(Weight { parts, cols: h, right: &before, dw });
    }
    slopes.weights(&mut wanted);
}

/// The four parts of a weight.
fn parts<T: Gemm>(w: &[T], hidden: usize, cols: usize) -> [Mat<'_, T>; 4] {
    std::array::from_fn(|i| Mat::row_major(&w[i * hidden * cols..][..hidden * cols], hidden, cols))
}

/// One step of one sequence backwards: the gradients of the gates before their functions, and that of the cell before.
#[inline(always)]
fn cell_backward<T: Gate>(
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
        let (dh, shown) = (dy[j] + dh[j], T::tanh1(c[j]));
        let d = dc[j] + dh * o[j] * tanh_slope(shown);
        di[j] = d * g[j] * sigmoid_slope(i[j]);
        df[j] = d * c_before[j] * sigmoid_slope(f[j]);
        dg[j] = d * i[j] * tanh_slope(g[j]);
        d_o[j] = dh * shown * sigmoid_slope(o[j]);
        dc[j] = d * f[j];
    }
}
