//! Batch normalisation: each channel to mean 0 and variance 1 over the batch.

use crate::autocast::full;
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::cpu::{around, in_class, slice, with_float};
use crate::backend::tiles::rows_in_f32;
use crate::elementwise::same_dtype;
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::reduce::{centred, in_units};
use crate::{DType, Tensor, fail, keep, no_grad};
use crate::storage::Plain;
use mapsto_kernels::norm::{batch_norm_apply, batch_norm_backward, batch_norm_given_backward, batch_norm_stats};

impl Tensor {
    /// `y = (x − mean) / √(var + ε) · γ + β` for each channel, with the mean and the population's variance of the
    /// batch, which are returned besides: `(y, mean, var)`. They are constants, for running statistics to be updated by.
    ///
    /// * Shape: `[n, c, ..], [c], [c] → [n, c, ..], [c], [c]`.   * ONNX: `BatchNormalization`.
    /// * Gradient: with `z = (x − mean) / √(var + ε)` and means over the batch,
    ///   `dx = γ / √(var + ε) · (dy − mean(dy) − z mean(dy z))`, `dγ = Σ dy z`, `dβ = Σ dy`.
    /// * Source: Ioffe & Szegedy 2015, arXiv:1502.03167.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 10.0], [3.0, 30.0]];
    /// let (y, mean, var) = x.batch_norm(&Tensor::ones([2]), &Tensor::zeros([2]), 0.0);
    /// assert_close!(y, [[-1.0, -1.0], [1.0, 1.0]]);
    /// assert_close!(mean, [2.0, 20.0]);
    /// assert_close!(var, [1.0, 100.0]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn batch_norm(&self, gamma: &Tensor, beta: &Tensor, eps: f64) -> (Tensor, Tensor, Tensor) {
        // Computed in f32 and stored as the input is.
        if let Some([Some(x), Some(gamma), Some(beta)]) = full([Some(self), Some(gamma), Some(beta)]) {
            let (y, mean, var) = x.batch_norm(&gamma, &beta, eps);
            return (y.to(self.dtype()), mean, var);
        }
        check_channels(self, eps, &[("gamma", gamma), ("beta", beta)]);
        same_dtype("batch_norm", self, gamma);
        same_dtype("batch_norm", self, beta);
        let (means, var) = no_grad(|| statistics(&self.detach()));
        let mean = no_grad(|| means.select(1, 0).contiguous());
        let op = BatchNorm { eps, statistics: Some((means, var.clone())) };
        (fused(op, &[self, gamma, beta]), mean, var)
    }

    /// `y = (x − mean) / √(var + ε) · γ + β` for each channel with given statistics, as a trained network is used.
    ///
    /// * Shape: `[n, c, ..], [c] × 4 → [n, c, ..]`.   * ONNX: `BatchNormalization`.
    /// * Gradient: `dx = γ / √(var + ε) · dy`, and those of all other inputs.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (one, zero) = (tensor![1.0], tensor![0.0]);
    /// let y = tensor![[3.0], [5.0]].batch_norm_with(&tensor![1.0], &tensor![4.0], &one, &zero, 0.0);
    /// assert_close!(y, [[1.0], [2.0]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes of `x`, `gamma` and `beta` differ.
    #[track_caller]
    pub fn batch_norm_with(&self, mean: &Tensor, var: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Tensor {
        if let Some([Some(x), Some(gamma), Some(beta)]) = full([Some(self), Some(gamma), Some(beta)]) {
            return x.batch_norm_with(mean, var, &gamma, &beta, eps).to(self.dtype());
        }
        check_channels(self, eps, &[("mean", mean), ("var", var), ("gamma", gamma), ("beta", beta)]);
        same_dtype("batch_norm", self, gamma);
        same_dtype("batch_norm", self, beta);
        // Statistics of f32 keep their digits and their range beside values of 16 bits.
        let wide = if self.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
        let (mean, var) = (mean.to(wide), var.to(wide));
        fused(GivenNorm { eps }, &[self, &mean, &var, gamma, beta])
    }
}

#[track_caller]
fn check_channels(x: &Tensor, eps: f64, each: &[(&str, &Tensor)]) {
    if !(eps.is_finite() && eps >= 0.0) {
        fail!("batch_norm", "eps must be finite and at least 0, got {eps}");
    }
    if x.rank() < 2 {
        fail!("batch_norm", "the input must be [n, c, ..], it is {:?}", x.shape());
    }
    if !x.dtype().is_float() {
        fail!("batch_norm", "floats are needed, these are {}", x.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    let c = x.shape()[1];
    if let Some((name, t)) = each.iter().find(|(_, t)| t.shape() != [c]) {
        fail!("batch_norm", "x {:?} has {c} channels, {name} is {:?}", x.shape(), t.shape(); help = "it must be [{c}]");
    }
}

/// Mean, in two parts `[c, 2]`, and population's variance of each channel, in the type that arithmetic is done in.
fn statistics(x: &Tensor) -> (Tensor, Tensor) {
    match x.device().backend().fast(&Statistics, &[x]) {
        Some(Fast { y, mut kept }) if kept.len() == 1 => (kept.remove(0), y),
        _ => {
            let mean = x.mean(&other_axes(x)[..]);
            (Tensor::stack(&[mean.clone(), Tensor::zeros_like(&mean)], 1), Statistics.compose(&[x]))
        }
    }
}

/// The variance of each channel, for which a kernel keeps the mean besides, in two parts `[c, 2]`.
struct Statistics;
impl Fused for Statistics {
    fn name(&self) -> &'static str {
        "batch_norm_statistics"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        xs[0].var(&other_axes(xs[0])[..])
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let (x, dims) = Lie::of(xs[0]).rows(xs[0]);
        let mut var = None;
        let mean = with_float!(x.dtype(), T => Tensor::filled_by([dims[1], 2], |mean: &mut [T]| {
            var = Some(Tensor::filled_by(dims[1], |var: &mut [T]| batch_norm_stats(slice(&x), dims, mean.as_chunks_mut().0, var)));
        }));
        Some(Fast { y: var?, kept: vec![mean] })
    }
    fn cpu_vjp(&self, _: &At<'_>, _: &Tensor) -> Option<Vjp> {
        None // statistics are constants
    }
}

/// `1 / √(var + ε)`, in the type that arithmetic is done in.
fn reciprocal(var: &Tensor, eps: f64) -> Tensor {
    let var = in_class(var);
    with_float!(var.dtype(), T => Tensor::filled_by(var.len(), |out: &mut [T]| {
        out.iter_mut().zip(slice::<T>(&var)).for_each(|(o, v)| *o = 1.0 / (v + eps as T).sqrt())
    }))
}

/// `[n, c, the rest]`.
/// How the axes of an input lie: in rows, or with the channels next to each other.
#[derive(Clone, Copy, PartialEq)]
enum Lie {
    Rows,
    ChannelsLast,
}
impl Lie {
    fn of(x: &Tensor) -> Lie {
        let last = x.rank() > 2 && !x.layout().is_contiguous();
        if last && Lie::turned(x).layout().is_contiguous() { Lie::ChannelsLast } else { Lie::Rows }
    }
    /// With the channels as the last axis.
    fn turned(x: &Tensor) -> Tensor {
        let order: Vec<usize> = (0..x.rank()).filter(|&i| i != 1).chain([1]).collect();
        x.permute(order)
    }
    /// The elements row-major in the type that is computed in, as `[n, c, s]`.
    fn rows(self, x: &Tensor) -> (Tensor, [usize; 3]) {
        match self {
            Lie::Rows => (in_class(x), around(x.shape(), 1)),
            Lie::ChannelsLast => {
                let c = x.shape()[1];
                (in_class(&Lie::turned(x)), [x.len() / c.max(1), c, 1])
            }
        }
    }
    /// A result of this shape of what `fill` writes in rows, in a type and then in another.
    fn result<T: Plain>(self, shape: &[usize], dtype: DType, fill: impl FnOnce(&mut [T])) -> Tensor {
        match self {
            Lie::Rows => Tensor::filled_by(shape, fill).stored_as(dtype),
            Lie::ChannelsLast => {
                let last = shape.len() - 1;
                let turned: Vec<usize> = [&shape[..1], &shape[2..], &shape[1..2]].concat();
                let back: Vec<usize> = [0, last].into_iter().chain(1..last).collect();
                Tensor::filled_by(&turned[..], fill).stored_as(dtype).permute(back)
            }
        }
    }
}

fn other_axes(x: &Tensor) -> Vec<usize> {
    (0..x.rank()).filter(|&i| i != 1).collect()
}

/// A tensor of one number a channel, shaped to broadcast against `[n, c, ..]`.
fn by_channel(t: &Tensor, x: &Tensor) -> Tensor {
    let mut shape = vec![1; x.rank() - 1];
    shape[0] = t.len();
    t.reshape(shape)
}

/// Of x, γ and β, with the statistics of x.
struct BatchNorm {
    eps: f64,
    /// Known already, if the caller wanted them as well.
    statistics: Option<(Tensor, Tensor)>,
}
impl Fused for BatchNorm {
    fn mixes_samples(&self) -> bool {
        true
    }
    fn name(&self) -> &'static str {
        "batch_norm"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        3..=3
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 8)
    }
    fn attrs(&self, say: Say<'_>) {
        say("eps", self.eps.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let axes = other_axes(xs[0]);
        let (z, unit) = in_units(&centred(xs[0], &axes), &axes, 1.0);
        let rstd = (z.square().mean(keep(&axes[..])) + self.eps / &unit / unit).rsqrt();
        z * rstd * by_channel(xs[1], xs[0]) + by_channel(xs[2], xs[0])
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let (mean, var) = self.statistics.clone().unwrap_or_else(|| statistics(xs[0]));
        if !xs[0].is_empty() && !var.is_finite() {
            return Some(in_units_of_channels(xs, self.eps));
        }
        let rstd = reciprocal(&var, self.eps);
        let y = apply(xs[0], &mean, &rstd, xs[1], xs[2]);
        Some(Fast { y, kept: vec![mean, rstd] })
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let mean_and_rstd = (&at.kept()[0], &at.kept()[1]);
        let [dx, dgamma, dbeta] = gradients(Statistic::OfBatch, at.input(0), mean_and_rstd, at.input(1), g);
        Some([dx, dgamma, dbeta].into())
    }
}

/// The result where the squares of some channel are not numbers: each channel in units of its largest number.
#[cold]
fn in_units_of_channels(xs: &[&Tensor], eps: f64) -> Fast {
    let x = in_class(xs[0]);
    // Powers of two, which leave every digit as it is.
    let most = x.abs().max(&other_axes(&x)[..]).to(DType::F64).to_vec::<f64>();
    let unit: Vec<f64> = most.iter().map(|m| if m.is_normal() { m.log2().floor().exp2() } else { 1.0 }).collect();
    let unit = Tensor::from_vec(unit, most.len()).to(x.dtype());
    let scaled = &x / by_channel(&unit, &x);
    let (mean, var) = statistics(&scaled);
    let rstd = (var + eps / &unit / &unit).rsqrt();
    let y = apply(&scaled, &mean, &rstd, xs[1], xs[2]).to(xs[0].dtype());
    Fast { y, kept: vec![mean * unit.unsqueeze(1), rstd / unit] }
}

fn apply(x: &Tensor, mean: &Tensor, rstd: &Tensor, gamma: &Tensor, beta: &Tensor) -> Tensor {
    let (lie, mean, gamma, beta) = (Lie::of(x), in_class(mean), in_class(gamma), in_class(beta));
    if x.dtype() != DType::F64 && lie == Lie::Rows {
        let [_, c, s] = around(x.shape(), 1);
        let y = rows_in_f32(x, c * s, &|x, y| {
            let (mean, gamma, beta) = (slice(&mean).as_chunks().0, Some(slice(&gamma)), Some(slice(&beta)));
            batch_norm_apply(x, [x.len() / (c * s), c, s], mean, slice(rstd), gamma, beta, y)
        });
        if let Some(y) = y {
            return y;
        }
    }
    let (values, dims) = lie.rows(x);
    with_float!(x.dtype(), T => lie.result(x.shape(), x.dtype(), |y: &mut [T]| {
        let (gamma, beta) = (Some(slice(&gamma)), Some(slice(&beta)));
        batch_norm_apply(slice(&values), dims, slice::<T>(&mean).as_chunks().0, slice(rstd), gamma, beta, y)
    }))
}

/// Whose statistics the input was normalised by.
#[derive(Clone, Copy, PartialEq)]
enum Statistic {
    OfBatch,
    Given,
}

/// The gradients of x, γ and β.
fn gradients(by: Statistic, x: &Tensor, (mean, rstd): (&Tensor, &Tensor), gamma: &Tensor, g: &Tensor) -> [Option<Tensor>; 3] {
    let (lie, gamma) = (Lie::of(x), in_class(gamma));
    let ((values, dims), (g, _)) = (lie.rows(x), lie.rows(g));
    let (mut dgamma, mut dbeta) = (None, None);
    let dx = with_float!(x.dtype(), T => lie.result(x.shape(), x.dtype(), |dx: &mut [T]| {
        dgamma = Some(Tensor::filled_by(dims[1], |dgamma: &mut [T]| {
            dbeta = Some(Tensor::filled_by(dims[1], |dbeta: &mut [T]| {
                let (mean, rstd, gamma) = (slice::<T>(mean).as_chunks().0, slice(rstd), Some(slice(&gamma)));
                let backward = match by {
                    Statistic::OfBatch => batch_norm_backward,
                    Statistic::Given => batch_norm_given_backward,
                };
                backward(slice(&values), dims, slice(&g), mean, rstd, gamma, dx, dgamma, dbeta)
            }));
        }));
    }));
    [Some(dx), dgamma, dbeta]
}

/// Of x, the mean, the variance, γ and β.
struct GivenNorm {
    eps: f64,
}
impl Fused for GivenNorm {
    fn name(&self) -> &'static str {
        "batch_norm_with"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        5..=5
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 4)
    }
    fn attrs(&self, say: Say<'_>) {
        say("eps", self.eps.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let each = |i: usize| by_channel(xs[i], xs[0]);
        (xs[0] - each(1)) * (each(2) + self.eps).rsqrt() * each(3) + each(4)
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let mean = Tensor::stack(&[xs[1].clone(), Tensor::zeros_like(xs[1])], 1);
        let rstd = reciprocal(xs[2], self.eps);
        let y = apply(xs[0], &mean, &rstd, xs[3], xs[4]);
        Some(Fast { y, kept: vec![in_class(&mean), rstd] })
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        if at.wants(1) || at.wants(2) {
            return None; // statistics with a gradient are rare: the definition knows it
        }
        let mean_and_rstd = (&at.kept()[0], &at.kept()[1]);
        let [dx, dgamma, dbeta] = gradients(Statistic::Given, at.input(0), mean_and_rstd, at.input(3), g);
        Some([dx, None, None, dgamma, dbeta].into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("batch_norm", "`y = (x − mean) / √(var + ε) · γ + β` for each channel, with the mean and the population's variance of the batch, which are returned besides: `(y, mean, var)`.", Takes::Floats, of_batch_norm).built(|a| Ok(boxed(BatchNorm { eps: a.need("eps")?, statistics: None }))),
    OpKind::new("batch_norm_with", "`y = (x − mean) / √(var + ε) · γ + β` for each channel with given statistics, as a trained network is used.", Takes::Floats, of_batch_norm_with).built(|a| Ok(boxed(GivenNorm { eps: a.need("eps")? }))),
];

fn of_batch_norm(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[4, 3], &d), (&[3], &d), (&[3], &d)], |x| x[0].batch_norm(&x[1], &x[2], 1e-5).0);
    s.of(&[(&[2, 3, 2, 4], &d), (&[3], &d), (&[3], &d)], |x| x[0].batch_norm(&x[1], &x[2], 1e-3).0);
}

fn of_batch_norm_with(s: &mut Samples) {
    let (d, v) = (floats(-2.0..2.0), floats(0.5..2.0));
    s.of(&[(&[4, 3], &d), (&[3], &d), (&[3], &v), (&[3], &d), (&[3], &d)], |x| {
        x[0].batch_norm_with(&x[1], &x[2], &x[3], &x[4], 1e-5)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn batch_norm() {
        let d = || floats(-2.0..2.0);
        check3(|x, w, b| x.batch_norm(w, b, 1e-3).0).shapes([&[4, 2], &[2], &[2]]).tolerance(4.0).on(d(), d(), d());
        check3(|x, w, b| x.batch_norm(w, b, 1e-3).0).shapes([&[2, 3, 2, 2], &[3], &[3]]).tolerance(4.0).on(d(), d(), d());
        for shape in [&[70, 5][..], &[6, 3, 4, 5]] {
            let c: &[usize] = &shape[1..2];
            check_fused(|| BatchNorm { eps: 1e-3, statistics: None }, &[(shape, d()), (c, d()), (c, d())]);
            let var = floats(0.5..2.0);
            check_fused(|| GivenNorm { eps: 1e-3 }, &[(shape, d()), (c, d()), (c, var), (c, d()), (c, d())]);
        }
        // (x − mean) / √(var + ε) · γ + β with given statistics.
        let one = |v: f64| Tensor::from_slice(&[v], 1).to(DType::F32);
        let y = tensor![[1.0], [5.0], [-2.0]].batch_norm_with(&one(1.0), &one(4.0), &one(3.0), &one(0.5), 0.0);
        assert_close!(y, [[0.5], [6.5], [-4.0]]);
        let across = tensor![[1.0, 5.0, -2.0]].t();
        assert_close!(across.batch_norm_with(&one(1.0), &one(4.0), &one(3.0), &one(0.5), 0.0), y);
        let x = Tensor::randn([4, 3, 5]);
        let [a, b, c, d] = [Tensor::randn([3]), Tensor::rand([3]) + 0.5, Tensor::randn([3]), Tensor::randn([3])];
        for lying in [x.swap(1, 2).contiguous().swap(1, 2), x.flip(0), x.slice(2, 1..4)] {
            let y = lying.batch_norm_with(&a, &b, &c, &d, 1e-3);
            assert_close!(y, lying.contiguous().batch_norm_with(&a, &b, &c, &d, 1e-3));
        }
        let images = Tensor::randn([2, 4, 5, 3]).permute([0, 3, 1, 2]);
        let (w, g) = (Tensor::randn([3]), Tensor::randn([2, 3, 4, 5]));
        for norm in [
            (|x: &Tensor, w: &Tensor| x.batch_norm(w, w, 1e-3).0) as fn(&Tensor, &Tensor) -> Tensor,
            |x, w| x.batch_norm_with(&Tensor::ones([3]), &(Tensor::ones([3]) * 2.0), w, w, 1e-3),
        ] {
            let of = |x: Tensor| {
                let (x, w) = (x.leaf(), w.clone().leaf());
                let y = norm(&x, &w);
                let grads = y.backward_with(&g);
                (y.detach(), grads.of(&x).clone(), grads.of(&w).clone())
            };
            let (last, rows) = (of(images.clone()), of(images.contiguous()));
            assert_eq!(last.0.layout().strides(), images.layout().strides());
            assert_close!(last.0, rows.0);
            assert_close!(last.1, rows.1);
            assert_close!(last.2, rows.2);
        }
        let x = Tensor::randn([5, 3, 4]);
        let (_, mean, var) = x.batch_norm(&Tensor::ones([3]), &Tensor::zeros([3]), 1e-5);
        assert_close!(mean, x.mean([0, 2]));
        assert_close!(var, x.var([0, 2]));
        let e = catch(|| x.batch_norm(&Tensor::ones([3]), &Tensor::zeros([4]), 1e-5)).unwrap_err();
        assert_eq!(e.to_string(), "batch_norm: x [5, 3, 4] has 3 channels, beta is [4]\nhelp: it must be [3]");
    }
}
