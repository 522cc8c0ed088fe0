//! Muon: matrices step by the orthogonal matrix that is nearest to their momentum; vectors by AdamW.

use super::setting::{DECAY, Held, LR, Setting, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, SlotShape, Update, lr, norm};
use crate::Module;
use mapsto_spec::Bounds;
use mapsto_tensor::{Grads, Tensor};

/// Of a parameter with two axes or more, as a matrix `[a, b]` of its first axis and the others: `m ← μ m + g`,
/// `p ← p − lr (0.2 √max(a, b) · O(g + μ m) + λ p)`, where `O` is five Newton-Schulz steps
/// `x ← 3.4445 x − 4.775 (x xᵀ) x + 2.0315 (x xᵀ)² x` from `x / ‖x‖`, which bring all singular values near 1. Other parameters follow
/// [`AdamW`](super::AdamW) with β = 0.9 and 0.999 and ε = 10⁻⁸.
///
/// μ is 0.95 and λ 0.1. With the factor `0.2 √max(a, b)` steps are of AdamW's size, so that one learning rate serves all parameters.
///
/// PyTorch: `optim.Muon` with `adjust_lr_fn="match_rms_adamw"`, for matrices alone and in bfloat16; Keras: `Muon`.
///
/// Source: Jordan et al. (2024), Muon: an optimizer for hidden layers in neural networks; Liu, Su, et al. (2025), Muon is scalable
/// for LLM training, arXiv:2502.16982, equation 4, for the factor.
/// ```
/// use mapsto_nn::optim::Muon;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let grads = train(|| w.forward(&tensor![[50.0]]).sum(..)).backward();
/// Muon::new(0.1).decay(0.0).step(&mut w, grads);
/// // Five steps bring 1 to 0.7, near enough.
/// assert!((w.weight.item() - (1.0 - 0.1 * 0.2 * 0.7)).abs() < 1e-3);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Muon {
    rule: MuonRule,
    memory: Memory,
}

/// AdamW's settings for parameters that are no matrices.
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPS: f64 = 1e-8;

#[derive(Clone, Copy, Debug)]
struct MuonRule {
    momentum: f64,
    decay: f64,
}

impl Muon {
    /// With μ = 0.95 and decay 0.1; 10⁻³ is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> Muon {
        Muon { rule: MuonRule { momentum: 0.95, decay: 0.1 }, memory: Memory::new(lr) }
    }

    settings!(momentum, decay);
}

impl MuonRule {
    /// In the order in which an entry says them.
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![KEPT.at(&mut self.momentum), DECAY.at(&mut self.decay)]
    }
}

impl Rule for MuonRule {
    const KERNEL: bool = false;

    fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn slot_shape(&self) -> SlotShape {
        |slot, shape| if slot == 1 && shape.len() >= 2 { vec![0] } else { shape.to_vec() }
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let [m, v] = memory else { unreachable!("its slots were asked for") };
        let keep = 1.0 - now.lr * now.decay.unwrap_or(self.decay);
        if p.rank() < 2 {
            *m = &*m * BETA1 + g * (1.0 - BETA1);
            *v = &*v * BETA2 + g.square() * (1.0 - BETA2);
            now.require_finite_squares(v);
            let step = &*m / ((&*v / now.begun(BETA2)).sqrt() + EPS);
            return p * keep - step * (now.lr / now.begun(BETA1));
        }
        *m = &*m * self.momentum + g;
        let (a, b) = (p.shape()[0], p.len() / p.shape()[0].max(1));
        let ahead = (g + &*m * self.momentum).reshape([a, b]);
        let factor = 0.2 * (a.max(b) as f64).sqrt();
        p * keep - orthogonal(&ahead).reshape(p.shape()) * (now.lr * factor)
    }
}

/// Near to the orthogonal matrix that is nearest to `x` `[a, b]`.
fn orthogonal(x: &Tensor) -> Tensor {
    let [a, b] = x.dims();
    // Of the smaller side, so that the products are small.
    let mut y = if a > b { x.t() } else { x.clone() };
    y /= norm(x).max(1e-30);
    for _ in 0..5 {
        let gram = y.matmul(&y.t());
        let odd = &gram * -4.775 + gram.matmul(&gram) * 2.0315;
        y = &y * 3.4445 + odd.matmul(&y);
    }
    if a > b { y.t() } else { y }
}

impl Optimizer for Muon {
    by_rule!("muon");
}

const KEPT: Setting = Setting::new("momentum", Bounds::SHARE, "the share of the last direction that is kept");

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "muon",
    "Orthogonal steps of matrices, AdamW for the rest (Jordan et al. 2024).",
    |args, ()| {
        let mut opt = Muon::new(lr(args, 1e-3)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    },
)
.options(&[LR, KEPT.told(), DECAY.told(), GROUPS]);

#[cfg(test)]
mod tests {
    use super::orthogonal;
    use crate::prelude::*;

    #[test]
    fn singular_values_come_near_1() {
        for shape in [[3, 5], [5, 3], [4, 4]] {
            let x = orthogonal(&(Tensor::randn(shape) * 1e20).to(DType::F64));
            assert_eq!(x.shape(), shape);
            let gram = if shape[0] <= shape[1] { x.matmul(&x.t()) } else { x.t().matmul(&x) };
            // Traces of the gram matrix: as many singular values, each between 0.3 and 1.3.
            let n = shape[0].min(shape[1]) as f64;
            let trace = (&gram * Tensor::eye(gram.shape()[0]).to(DType::F64)).sum(..).item();
            assert!((0.3 * n..1.5 * n).contains(&trace), "{trace}");
        }
        assert_eq!(orthogonal(&Tensor::zeros([2, 3])).to_vec::<f32>(), [0.0; 6]);
    }
}
