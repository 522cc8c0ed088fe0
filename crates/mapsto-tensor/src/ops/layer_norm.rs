//! Layer normalisation: each row to mean 0 and variance 1.

use crate::autocast::full;
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::cpu::{in_class, slice, with_float};
use crate::elementwise::same_dtype;
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::reduce::{centred, in_units};
use crate::{Tensor, fail, keep};
use mapsto_kernels::norm::{layer_norm, layer_norm_backward};

impl Tensor {
    /// `y = (x − mean) / √(var + ε) · γ + β` over the last axes, as many as `γ` has, with the population's variance;
    /// without `β` nothing is added.
    ///
    /// * Shape: `[.., d], [d], [d] → [.., d]`.   * ONNX: `LayerNormalization`.
    /// * Gradient: with `z = (x − mean) / √(var + ε)`, `h = γ dy` and means over a row,
    ///   `dx = (h − mean(h) − z mean(z h)) / √(var + ε)`, `dγ = Σ dy z`, `dβ = Σ dy`.
    /// * Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = tensor![[1.0, 5.0]].layer_norm(&tensor![1.0, 2.0], Some(&tensor![10.0, 20.0]), 0.0);
    /// assert_close!(y, [[9.0, 22.0]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn layer_norm(&self, gamma: &Tensor, beta: Option<&Tensor>, eps: f64) -> Tensor {
        const OP: &str = "layer_norm";
        if let Some([Some(x), Some(gamma), beta]) = full([Some(self), Some(gamma), beta]) {
            return x.layer_norm(&gamma, beta.as_ref(), eps);
        }
        if !self.dtype().is_float() {
            fail!(OP, "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        same_dtype(OP, self, gamma);
        if !(eps.is_finite() && eps >= 0.0) {
            fail!("layer_norm", "eps must be finite and at least 0, got {eps}");
        }
        if gamma.rank() == 0 || !self.shape().ends_with(gamma.shape()) {
            fail!(OP, "gamma {:?} does not fit x {:?}", gamma.shape(), self.shape(); help = "it must have the sizes of the last axes of x");
        }
        let Some(beta) = beta else { return fused(LayerNorm { eps }, &[self, gamma]) };
        same_dtype(OP, self, beta);
        if gamma.shape() != beta.shape() {
            fail!(OP, "gamma {:?} and beta {:?} differ in shape", gamma.shape(), beta.shape());
        }
        fused(LayerNorm { eps }, &[self, gamma, beta])
    }
}

/// Of x, γ and, perhaps, β.
struct LayerNorm {
    eps: f64,
}
impl Fused for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=3
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 8)
    }
    fn attrs(&self, say: Say<'_>) {
        say("eps", self.eps.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let axes: Vec<usize> = (xs[0].rank() - xs[1].rank()..xs[0].rank()).collect();
        let (z, unit) = in_units(&centred(xs[0], &axes), &axes, 1.0);
        let rstd = (z.square().mean(keep(&axes[..])) + self.eps / &unit / unit).rsqrt();
        let y = z * rstd * xs[1];
        match xs.get(2) {
            Some(beta) => y + *beta,
            None => y,
        }
    }
    fn vjp_each(&self, at: &At<'_>, g: &Tensor, n: usize) -> Vjp {
        let (x, gamma) = (at.input(0).detach(), at.input(1).detach());
        let (size, mut grads) = (gamma.len(), vec![None; at.inputs()]);
        let rows = x.len() / size.max(1);
        if rows == 0 || !rows.is_multiple_of(n) {
            return grads.into();
        }
        let own = |all: &Tensor| all.reshape([n, rows / n, size]).sum(1);
        grads[1] = at.wants(1).then(|| own(&(x.layer_norm(&Tensor::ones_like(&gamma), None, self.eps) * g)));
        if at.inputs() == 3 {
            grads[2] = at.wants(2).then(|| own(g));
        }
        grads.into()
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let n = xs[1].len();
        if let Some(p) = xs[1..].iter().find(|p| !xs[0].shape().ends_with(p.shape()) || p.len() != n) {
            fail!("layer_norm", "{:?} are not the last axes of {:?}", p.shape(), xs[0].shape());
        }
        if n == 0 {
            return None;
        }
        let (x, gamma, beta) = (in_class(xs[0]), in_class(xs[1]), xs.get(2).map(|beta| in_class(beta)));
        let (mut mean, mut rstd) = (None, None);
        let y = with_float!(x.dtype(), T => Tensor::filled_by(x.shape(), |y: &mut [T]| {
            mean = Some(Tensor::filled_by([x.len() / n, 2], |mean: &mut [T]| {
                rstd = Some(Tensor::filled_by(x.len() / n, |rstd: &mut [T]| {
                    let (gamma, beta) = (Some(slice(&gamma)), beta.as_ref().map(slice));
                    layer_norm(slice(&x), n, gamma, beta, self.eps, y, mean.as_chunks_mut().0, rstd)
                }));
            }));
        }));
        Some(Fast { y: y.to(xs[0].dtype()), kept: [mean, rstd].into_iter().flatten().collect() })
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let (x, gamma, g) = (in_class(at.input(0)), in_class(at.input(1)), in_class(g));
        let (mean, rstd) = (&at.kept()[0], &at.kept()[1]);
        let (mut dgamma, mut dbeta) = (None, None);
        let dx = with_float!(x.dtype(), T => Tensor::filled_by(at.shape(0), |dx: &mut [T]| {
            dgamma = Some(Tensor::filled_by(at.shape(1), |dgamma: &mut [T]| {
                dbeta = Some(Tensor::filled_by(at.shape(1), |dbeta: &mut [T]| {
                    let (mean, rstd, weight) = (slice::<T>(mean).as_chunks().0, slice(rstd), Some(slice(&gamma)));
                    layer_norm_backward(slice(&x), gamma.len(), weight, mean, rstd, slice(&g), dx, dgamma, dbeta)
                }));
            }));
        }));
        let mut grads = vec![Some(dx), dgamma, dbeta];
        grads.truncate(at.inputs());
        Some(grads.into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("layer_norm", "`y = (x − mean) / √(var + ε) · γ + β` over the last axes, as many as `γ` has, with the population's variance.", Takes::Floats, samples).built(|a| Ok(boxed(LayerNorm { eps: a.need("eps")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d), (&[5], &d), (&[5], &d)], |x| x[0].layer_norm(&x[1], Some(&x[2]), 1e-5));
    s.of(&[(&[2, 3, 4], &d), (&[4], &d)], |x| x[0].layer_norm(&x[1], None, 1e-3));
    s.of(&[(&[0, 4], &d), (&[4], &d)], |x| x[0].layer_norm(&x[1], None, 1e-5));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    /// Small inputs give small results, to as many digits.
    #[test]
    fn small_numbers_keep_their_digits() {
        let (x, w) = (floats(-2.0..2.0).draw(&[3, 5], 1), floats(-2.0..2.0).draw(&[5], 2));
        let of = |w: &Tensor| x.layer_norm(w, None, 1e-3);
        assert_close!(of(&(&w * 1e-6)) * 1e6, of(&w));
    }

    #[test]
    fn layer_norm() {
        let d = || floats(-2.0..2.0);
        check3(|x, w, b| x.layer_norm(w, Some(b), 1e-3)).shapes([&[3, 5], &[5], &[5]]).tolerance(4.0).on(d(), d(), d());
        check3(|x, w, b| x.layer_norm(w, Some(b), 1e-3)).shapes([&[2, 3, 4], &[3, 4], &[3, 4]]).tolerance(4.0).on(d(), d(), d());
        check_fused(|| LayerNorm { eps: 1e-3 }, &[(&[70, 33], d()), (&[33], d())]);
        check_fused(|| LayerNorm { eps: 1e-3 }, &[(&[70, 33], d()), (&[33], d()), (&[33], d())]);
        let e = catch(|| Tensor::zeros([2, 8]).layer_norm(&Tensor::ones([4]), None, 0.0)).unwrap_err();
        assert_eq!(e.message(), "layer_norm: gamma [4] does not fit x [2, 8]");
    }
}
