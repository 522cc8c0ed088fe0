//! The plain recurrent network: each state is a line of the input and of the state before it, bent once.

use super::gate::Gate;
use super::panels::{Panels, To};
use super::slopes::{Slopes, Weight};
use super::sweep::lay;
use super::{ROWS, Rnn, STEPS, Sequences, add_rows, clear, tanh_slope};
use crate::blocks::for_blocks;
use crate::elements::elements;
use crate::gemm::{Gemm, Mat};
use crate::reduce;
use crate::simd::vectorize;
use crate::workspace::scratch;

/// What bends a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bend {
    /// The hyperbolic tangent.
    Tanh,
    /// What is negative becomes 0; NaN stays.
    Relu,
}

/// The inputs of a plain network over a batch of sequences, row-major: at each step `h ← f(w_ih·x + w_hh·h + b)`.
#[derive(Clone, Copy)]
pub struct Plain<'a, T> {
    /// The sizes.
    pub sizes: Sequences<'a>,
    /// `f`.
    pub bend: Bend,
    /// `[batch, steps, inputs]`.
    pub x: &'a [T],
    /// The first state, `[batch, hidden]`.
    pub h0: &'a [T],
    /// `[hidden, inputs]`.
    pub w_ih: &'a [T],
    /// `[hidden, hidden]`.
    pub w_hh: &'a [T],
    /// `[hidden]`.
    pub b: Option<&'a [T]>,
}

/// The gradients that the way back writes; those that are `None` are not computed.
pub struct PlainGrads<'a, T> {
    /// Of `x`.
    pub x: Option<&'a mut [T]>,
    /// Of `h0`; on entry, the gradient of the last state besides that in `dy`.
    pub h0: &'a mut [T],
    /// Of `w_ih`.
    pub w_ih: Option<&'a mut [T]>,
    /// Of `w_hh`.
    pub w_hh: Option<&'a mut [T]>,
    /// Of `b`.
    pub b: Option<&'a mut [T]>,
}

impl<T: Rnn> Plain<'_, T> {
    /// Writes the states of all steps.
    ///
    /// ```
    /// use mapsto_kernels::rnn::{Bend, Plain, Sequences};
    /// let sizes = Sequences { batch: 1, steps: 2, inputs: 1, hidden: 1, ..Sequences::WHOLE };
    /// let plain = Plain { sizes, bend: Bend::Relu, x: &[2.0f64, -1.0], h0: &[0.0], w_ih: &[1.0], w_hh: &[3.0], b: None };
    /// let mut y = [0.0; 2];
    /// plain.forward(&mut y);
    /// assert_eq!(y, [2.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// If a slice has another length than the sizes ask for.
    pub fn forward(&self, y: &mut [T]) {
        self.check(y.len());
        if !y.is_empty() {
            T::plain(self, y)
        }
    }

    /// Writes the gradients, from the states `y` and from `dy`, theirs.
    ///
    /// With `dh` the gradient of a state from `dy` and from the step after it: `da = dh f'`, and `dh₋ = da·w_hh`.
    ///
    /// # Panics
    /// If a slice has another length than the sizes ask for.
    pub fn backward(&self, y: &[T], dy: &[T], grads: PlainGrads<'_, T>) {
        self.check(y.len());
        assert_eq!(grads.h0.len(), self.h0.len(), "rnn: the gradient of the first state");
        assert_eq!(dy.len(), y.len(), "rnn: the gradient of y");
        if y.is_empty() {
            return clear([grads.x, grads.w_ih, grads.w_hh, grads.b].into_iter().flatten());
        }
        T::plain_backward(self, y, dy, grads)
    }

    fn check(&self, y: usize) {
        let s = &self.sizes;
        s.check("rnn", 1, self.x, self.w_ih, self.w_hh);
        assert_eq!(self.h0.len(), elements([s.batch, s.hidden]), "rnn: the first state of {s:?}");
        assert!(self.b.is_none_or(|b| b.len() == s.hidden), "rnn: the bias of {s:?}");
        assert_eq!(y, elements([s.rows(), s.hidden]), "rnn: the states of {s:?}");
    }
}

/// [`Plain::forward`] with lengths checked.
pub fn forward<T: Gemm + Gate>(plain: &Plain<T>, y: &mut [T]) {
    let s @ Sequences { batch, steps, inputs, hidden: h, .. } = plain.sizes;
    let w_ih = Panels::new(&[Mat::row_major(plain.w_ih, h, inputs).t()]);
    let w_hh = Panels::new(&[Mat::row_major(plain.w_hh, h, h).t()]);
    let narrow = elements([steps, h]);
    let mut lines = scratch::<T>(batch * narrow);
    let chunk = elements([ROWS, narrow]);
    for_blocks([y, &mut lines], [chunk; 2], s.cost(1), |block, [y, lines]| {
        let (first, rows) = (block * ROWS, y.len() / narrow);
        s.shares(first, &w_ih, plain.x, lines, y, plain.b);
        let h0 = &plain.h0[first * h..];
        let mut state = w_hh.room();
        for (t, _) in s.order(first) {
            let rows = s.active(first, rows, t);
            for row in 0..rows {
                lay(&mut state, row, s.before(first, h0, y, row, t));
            }
            let to = To { c: &mut lines[t * h..], stride: narrow, add: true, bias: None };
            w_hh.times(w_hh.rows(&state), rows, to);
            for row in 0..rows {
                let at = row * narrow + t * h;
                let (a, y) = (&lines[at..][..h], &mut y[at..][..h]);
                vectorize(
                    #[inline(always)]
                    || bend(plain.bend, a, y),
                );
            }
        }
    });
}

#[inline(always)]
fn bend<T: Gate>(bend: Bend, a: &[T], y: &mut [T]) {
    match bend {
        Bend::Tanh => y.iter_mut().zip(a).for_each(|(y, &a)| *y = T::tanh1(a)),
        Bend::Relu => y.iter_mut().zip(a).for_each(|(y, &a)| *y = if a < T::ZERO { T::ZERO } else { a }),
    }
}

/// [`Plain::backward`] with lengths checked.
pub fn backward<T: Gemm + Gate>(plain: &Plain<T>, y: &[T], dy: &[T], grads: PlainGrads<'_, T>) {
    let s @ Sequences { batch, steps, inputs, hidden: h, .. } = plain.sizes;
    let w_hh = Panels::new(&[Mat::row_major(plain.w_hh, h, h)]);
    let mut slopes = Slopes::new(s, 1);
    let (block, layout) = (slopes.block(), slopes.layout());
    let mut sums = scratch::<T>(batch.div_ceil(ROWS) * h);
    let slices = [slopes.all(), &mut sums, grads.h0];
    for_blocks(slices, [block, h, ROWS * h], s.cost(1), |block, [slopes, sums, dh]| {
        let (first, rows) = (block * ROWS, dh.len() / h);
        if rows < ROWS || s.lengths.is_some() {
            slopes.fill(T::ZERO);
        }
        sums.fill(T::ZERO);
        // Of some steps, so that no sum is rounded very often.
        let mut recent = scratch::<T>(h);
        recent.fill(T::ZERO);
        let mut da = scratch::<T>(rows * h);
        for (t, earlier) in s.order(first).rev() {
            let active = s.active(first, rows, t);
            da[active * h..].fill(T::ZERO);
            for row in 0..active {
                let at = ((first + row) * steps + t) * h;
                let (y, dy) = (&y[at..][..h], &dy[at..][..h]);
                let (dh, da) = (&dh[row * h..][..h], &mut da[row * h..][..h]);
                vectorize(
                    #[inline(always)]
                    || bend_backward(plain.bend, y, dy, dh, da),
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
        reduce::sum(&sums, [1, batch.div_ceil(ROWS), h], db);
    }
    if let Some(dx) = grads.x {
        slopes.times(0, &Panels::new(&[Mat::row_major(plain.w_ih, h, inputs)]), dx);
    }
    let input = |b: usize, t: usize| &plain.x[(b * steps + t) * inputs..][..inputs];
    let before = |b: usize, t: usize| s.before(0, plain.h0, y, b, t);
    let (parts, mut wanted) = (&[Some(0)], Vec::new());
    if let Some(dw) = grads.w_ih {
        wanted.push(Weight { parts, cols: inputs, right: &input, dw });
    }
    if let Some(dw) = grads.w_hh {
        wanted.push(Weight { parts, cols: h, right: &before, dw });
    }
    slopes.weights(&mut wanted);
}

#[inline(always)]
fn bend_backward<T: Gate>(bend: Bend, y: &[T], dy: &[T], dh: &[T], da: &mut [T]) {
    let h = y.len();
    assert!(dy.len() == h && dh.len() == h && da.len() == h);
    match bend {
        Bend::Tanh => (0..h).for_each(|j| da[j] = (dy[j] + dh[j]) * tanh_slope(y[j])),
        // The gradient at NaN passes, as in the elementwise function.
        Bend::Relu => (0..h).for_each(|j| da[j] = if y[j] <= T::ZERO { T::ZERO } else { dy[j] + dh[j] }),
    }
}
