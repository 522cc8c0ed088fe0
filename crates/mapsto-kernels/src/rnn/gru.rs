//! The gated recurrent unit: a state of which a gate says how much is new.

use super::recurrence::Recurrence;
use super::{ROWS, Sequences, sigmoid_slope, tanh_slope, transposed_product};
use crate::blocks::for_blocks;
use crate::gemm::{Activation, Epilogue, Gemm, Mat, Write, gemm};
use crate::real::Real;
use crate::reduce;
use crate::simd::vectorize;
use crate::workspace::scratch;

/// The inputs of a GRU over a batch of sequences, row-major.
///
/// With `a = w_ih·x + b_ih` and `u = w_hh·h + b_hh`, each in three parts `r, z, n` of the hidden size, at each step
/// `r = σ(a_r + u_r)`, `z = σ(a_z + u_z)`, `n = tanh(a_n + r u_n)`, `h ← (1 − z) n + z h`.
#[derive(Clone, Copy)]
pub struct Gru<'a, T> {
    /// The sizes.
    pub sizes: Sequences,
    /// `[batch, steps, inputs]`.
    pub x: &'a [T],
    /// The first state, `[batch, hidden]`.
    pub h0: &'a [T],
    /// `[3·hidden, inputs]`.
    pub w_ih: &'a [T],
    /// `[3·hidden, hidden]`.
    pub w_hh: &'a [T],
    /// Both biases, `[3·hidden]` each.
    pub b: Option<[&'a [T]; 2]>,
}

/// What the way forward writes and the way back reads.
#[derive(Clone, Copy)]
pub struct GruKept<'a, T> {
    /// `r, z, n` after their functions, `[batch, steps, 3·hidden]`.
    pub gates: &'a [T],
    /// `u_n`, `[batch, steps, hidden]`.
    pub u: &'a [T],
    /// The states, `[batch, steps, hidden]`.
    pub y: &'a [T],
}

/// The gradients that the way back writes; those that are `None` are not computed.
pub struct GruGrads<'a, T> {
    /// Of `x`.
    pub x: Option<&'a mut [T]>,
    /// Of `h0`; on entry, the gradient of the last state besides that in `dy`.
    pub h0: &'a mut [T],
    /// Of `w_ih`.
    pub w_ih: Option<&'a mut [T]>,
    /// Of `w_hh`.
    pub w_hh: Option<&'a mut [T]>,
    /// Of both biases.
    pub b: Option<[&'a mut [T]; 2]>,
}

impl<T: Gemm> Gru<'_, T> {
    /// Writes the gates, the state's share of the new one, and the states of all steps.
    ///
    /// ```
    /// use mapsto_kernels::rnn::{Gru, Sequences};
    /// let sizes = Sequences { batch: 1, steps: 1, inputs: 1, hidden: 1 };
    /// let gru = Gru { sizes, x: &[2.0f64], h0: &[1.0], w_ih: &[0.0, 0.0, 1.0], w_hh: &[0.0; 3], b: None };
    /// let (mut gates, mut u, mut y) = ([0.0; 3], [0.0], [0.0]);
    /// gru.forward(&mut gates, &mut u, &mut y);
    /// assert_eq!(gates, [0.5, 0.5, 2.0f64.tanh()]);
    /// assert_eq!(y, [2.0f64.tanh() + 0.5 * (1.0 - 2.0f64.tanh())]);
    /// ```
    ///
    /// # Panics
    /// If a slice has another length than the sizes ask for.
    pub fn forward(&self, gates: &mut [T], u: &mut [T], y: &mut [T]) {
        self.check();
        self.check_kept(gates.len(), u.len(), y.len());
        T::gru(self, gates, u, y)
    }

    /// Writes the gradients, from `dy`, that of the states of all steps.
    ///
    /// With `dh` the gradient of a state from `dy` and from the step after it: `dn = dh (1 − z)`, `dz = dh (h₋ − n)` and
    /// `dr = da_n u_n`, each times its function's slope, are the step's `da`; `du` is `da` but for `du_n = da_n r`; and
    /// `dh₋ = dh z + du·w_hh`.
    ///
    /// # Panics
    /// If a slice has another length than the sizes ask for.
    pub fn backward(&self, kept: GruKept<'_, T>, dy: &[T], grads: GruGrads<'_, T>) {
        self.check();
        self.check_kept(kept.gates.len(), kept.u.len(), kept.y.len());
        assert_eq!(
            grads.h0.len(),
            self.sizes.batch * self.sizes.hidden,
            "gru: the gradient of the first state"
        );
        assert_eq!(dy.len(), kept.y.len(), "gru: the gradient of y");
        T::gru_backward(self, kept, dy, grads)
    }

    fn check(&self) {
        let s = &self.sizes;
        s.check("gru", 3, self.x, self.w_ih, self.w_hh);
        assert_eq!(self.h0.len(), s.batch * s.hidden, "gru: the first state of {s:?}");
        let fits = |b: [&[T]; 2]| b.iter().all(|b| b.len() == 3 * s.hidden);
        assert!(self.b.is_none_or(fits), "gru: the biases of {s:?}");
    }

    fn check_kept(&self, gates: usize, u: usize, y: usize) {
        let n = self.sizes.rows() * self.sizes.hidden;
        assert_eq!((gates, u, y), (3 * n, n, n), "gru: gates and states of {:?}", self.sizes);
    }
}

/// [`Gru::forward`] with lengths checked.
pub(crate) fn forward<T: Gemm + Real>(gru: &Gru<T>, gates: &mut [T], u: &mut [T], y: &mut [T]) {
    let Sequences { steps, inputs, hidden: h, .. } = gru.sizes;
    let x = Mat::row_major(gru.x, gru.sizes.rows(), inputs);
    let w_ih = Mat::row_major(gru.w_ih, 3 * h, inputs).t();
    let [b_ih, b_hh] = gru.b.map_or([None; 2], |b| b.map(Some));
    gemm(x, w_ih, gates, Write::Overwrite, Epilogue { bias: b_ih, activation: Activation::None });

    let w = Recurrence::new(Mat::row_major(gru.w_hh, 3 * h, h).t());
    let (wide, narrow) = (3 * steps * h, steps * h);
    let chunks = [ROWS * wide, ROWS * narrow, ROWS * narrow];
    for_blocks([gates, u, y], chunks, gru.sizes.cost(3), |block, [gates, u, y]| {
        let rows = y.len() / narrow;
        let h0 = &gru.h0[block * ROWS * h..];
        let (mut before, mut shares) = (w.room(), scratch::<T>(rows * 3 * h));
        for t in 0..steps {
            match t {
                0 => w.pack(&mut before, rows, h0, 0, h),
                _ => w.pack(&mut before, rows, y, (t - 1) * h, narrow),
            }
            if let Some(b) = b_hh {
                shares.chunks_exact_mut(3 * h).for_each(|row| row.copy_from_slice(b));
            }
            w.times(&before, rows, &mut shares, 3 * h, b_hh.is_some());
            for row in 0..rows {
                let (past, now) = y.split_at_mut(row * narrow + t * h);
                let h_before = if t == 0 { &h0[row * h..][..h] } else { &past[past.len() - h..] };
                let gates = &mut gates[row * wide + t * 3 * h..][..3 * h];
                let (shares, u) = (&shares[row * 3 * h..][..3 * h], &mut u[row * narrow + t * h..][..h]);
                vectorize(
                    #[inline(always)]
                    || cell(gates, shares, h_before, u, &mut now[..h]),
                );
            }
        }
    });
}

/// One step of one sequence: the functions of the gates in place, and the state.
#[inline(always)]
fn cell<T: Real>(gates: &mut [T], shares: &[T], h_before: &[T], u: &mut [T], y: &mut [T]) {
    let h = y.len();
    let (r, rest) = gates.split_at_mut(h);
    let (z, n) = rest.split_at_mut(h);
    let (u_r, rest) = shares.split_at(h);
    let (u_z, u_n) = rest.split_at(h);
    assert!(n.len() == h && u_n.len() == h && h_before.len() == h && u.len() == h);
    for j in 0..h {
        r[j] = (r[j] + u_r[j]).sigmoid();
        z[j] = (z[j] + u_z[j]).sigmoid();
        n[j] = (n[j] + r[j] * u_n[j]).tanh();
        u[j] = u_n[j];
        y[j] = n[j] + z[j] * (h_before[j] - n[j]);
    }
}

/// [`Gru::backward`] with lengths checked.
///
/// A step's gradients lie as `n, r, z, u_n`: the first three parts are `da`, the last three `du`, so that each is one
/// matrix; `da`'s `n` stands before `r, z`, for which its products are two.
pub(crate) fn backward<T: Gemm + Real>(gru: &Gru<T>, kept: GruKept<'_, T>, dy: &[T], grads: GruGrads<'_, T>) {
    let Sequences { steps, inputs, hidden: h, .. } = gru.sizes;
    let rows = gru.sizes.rows();
    let w = Recurrence::new(Mat::row_major(gru.w_hh, 3 * h, h));
    let wide = 4 * steps * h;
    let mut d = scratch::<T>(rows * 4 * h);
    for_blocks([&mut d, grads.h0], [ROWS * wide, ROWS * h], gru.sizes.cost(3), |block, [d, dh]| {
        let rows = dh.len() / h;
        let mut packed = w.room();
        for t in (0..steps).rev() {
            for row in 0..rows {
                let at = ((block * ROWS + row) * steps + t) * h;
                let h_before =
                    if t == 0 { &gru.h0[(block * ROWS + row) * h..][..h] } else { &kept.y[at - h..][..h] };
                let (gates, u, dy) = (&kept.gates[3 * at..][..3 * h], &kept.u[at..][..h], &dy[at..][..h]);
                let (dh, d) = (&mut dh[row * h..][..h], &mut d[row * wide + t * 4 * h..][..4 * h]);
                vectorize(
                    #[inline(always)]
                    || cell_backward(gates, u, h_before, dy, dh, d),
                );
            }
            w.pack(&mut packed, rows, d, t * 4 * h + h, wide);
            w.times(&packed, rows, dh, h, true);
        }
    });

    let d = Mat::row_major(&d, rows, 4 * h);
    let part = |from: usize, parts: usize| Mat { cols: parts * h, offset: from * h, ..d };
    let (n, rz, du) = (part(0, 1), part(1, 2), part(1, 3));
    if let Some(dx) = grads.x {
        let w_ih = Mat::row_major(gru.w_ih, 3 * h, inputs);
        let (w_rz, w_n) = (Mat { rows: 2 * h, ..w_ih }, Mat { rows: h, offset: 2 * h * inputs, ..w_ih });
        gemm(rz, w_rz, dx, Write::Overwrite, Epilogue::none());
        gemm(n, w_n, dx, Write::Add, Epilogue::none());
    }
    if let Some(dw) = grads.w_ih {
        let (dw_rz, dw_n) = dw.split_at_mut(2 * h * inputs);
        transposed_product(rz, Mat::row_major(gru.x, rows, inputs), dw_rz);
        transposed_product(n, Mat::row_major(gru.x, rows, inputs), dw_n);
    }
    if let Some(dw) = grads.w_hh {
        let before = gru.sizes.before(gru.h0, kept.y);
        transposed_product(du, Mat::row_major(&before, rows, h), dw);
    }
    if let Some([b_ih, b_hh]) = grads.b {
        let mut sums = scratch::<T>(4 * h);
        reduce::sum(d.data, [1, rows, 4 * h], &mut sums);
        b_hh.copy_from_slice(&sums[h..]);
        b_ih[..2 * h].copy_from_slice(&sums[h..3 * h]);
        b_ih[2 * h..].copy_from_slice(&sums[..h]);
    }
}

/// One step of one sequence backwards: the gradients `n, r, z, u_n`, and the state's own part of that before.
#[inline(always)]
fn cell_backward<T: Real>(gates: &[T], u: &[T], h_before: &[T], dy: &[T], dh: &mut [T], d: &mut [T]) {
    let h = u.len();
    let (r, rest) = gates.split_at(h);
    let (z, n) = rest.split_at(h);
    let (dn, rest) = d.split_at_mut(h);
    let (dr, rest) = rest.split_at_mut(h);
    let (dz, du) = rest.split_at_mut(h);
    assert!(n.len() == h && du.len() == h && h_before.len() == h && dy.len() == h && dh.len() == h);
    for j in 0..h {
        let g = dy[j] + dh[j];
        let a_n = g * (T::ONE - z[j]) * tanh_slope(n[j]);
        dn[j] = a_n;
        dr[j] = a_n * u[j] * sigmoid_slope(r[j]);
        dz[j] = g * (h_before[j] - n[j]) * sigmoid_slope(z[j]);
        du[j] = a_n * r[j];
        dh[j] = g * z[j];
    }
}
