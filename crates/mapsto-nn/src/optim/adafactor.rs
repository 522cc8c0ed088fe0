//! Adafactor: Adam without a mean, which remembers of a matrix's squared gradients the means of rows and of columns alone.

use super::setting::{DECAY, Held, LR, Setting, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, SlotShape, Update, lr, norm};
use crate::Module;
use mapsto_spec::Bounds;
use mapsto_tensor::{DType, Grads, Tensor, keep};

/// Of a matrix `r ← βₜ r + (1 − βₜ) mean of g² along the last axis`, `c` likewise along the last but one, and `v = r c / mean(r)`; of a vector
/// `v ← βₜ v + (1 − βₜ) g²`; with `1 − βₜ = t^(−decay_rate)`. Then `u = g / √v`, and
/// `p ← p − ρ max(eps, rms(p)) u / max(1, rms(u) / clip)` with `ρ = min(lr, 1/√t)`.
///
/// The rate of the means is 0.8, eps 10⁻³, clip 1. A weight decay takes `lr λ p` away beside the step. Axes before the last two are
/// matrices of their own.
///
/// PyTorch: `optim.Adafactor`, whose `beta2_decay` is the rate with a minus; Keras: `Adafactor`, where the learning rate of 10⁻³ and
/// `relative_step` are two settings.
///
/// Source: Shazeer, Stern (2018), Adafactor: adaptive learning rates with sublinear memory cost, arXiv:1804.04235, algorithms 4 and 5.
/// ```
/// use mapsto_nn::optim::Adafactor;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[4.0]])?;
/// let grads = train(|| w.forward(&tensor![[50.0]]).sum(..)).backward();
/// Adafactor::new(0.1).step(&mut w, grads);
/// assert_close!(w.weight, [[4.0 - 0.1 * 4.0]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Adafactor {
    rule: AdafactorRule,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
struct AdafactorRule {
    decay_rate: f64,
    eps: f64,
    clip: f64,
    decay: f64,
}

impl Adafactor {
    /// With a rate of 0.8, eps = 10⁻³ and clip 1; 10⁻² is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> Adafactor {
        Adafactor {
            rule: AdafactorRule { decay_rate: 0.8, eps: 1e-3, clip: 1.0, decay: 0.0 },
            memory: Memory::new(lr),
        }
    }

    /// The same whose means forget at another rate.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn decay_rate(mut self, decay_rate: f64) -> Adafactor {
        self.rule.decay_rate = DECAY_RATE.check(KIND.name, decay_rate);
        self
    }

    /// The same with another smallest size of a parameter.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Adafactor {
        self.rule.eps = SIZE.check(KIND.name, eps);
        self
    }

    /// The same with another largest size of a step.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn clip(mut self, clip: f64) -> Adafactor {
        self.rule.clip = CLIP.check(KIND.name, clip);
        self
    }

    settings!(decay);
}

impl AdafactorRule {
    /// In the order in which an entry says them.
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![
            DECAY_RATE.at(&mut self.decay_rate),
            SIZE.at(&mut self.eps),
            CLIP.at(&mut self.clip),
            DECAY.at(&mut self.decay),
        ]
    }
}

impl Rule for AdafactorRule {
    const KERNEL: bool = false;

    fn slots(&self) -> &'static [&'static str] {
        &["rows", "columns", "v"]
    }

    fn slot_shape(&self) -> SlotShape {
        remembered
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let [rows, columns, v] = memory else { unreachable!("its slots were asked for") };
        let t = now.step as f64;
        let fresh = t.powf(-self.decay_rate);
        // The square of the smallest relative step of the dtype, as in PyTorch: a gradient of zeros moves nothing.
        let least = if p.dtype() == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
        let squares = g.square();
        let follow = |mean: &Tensor, new: Tensor| mean * (1.0 - fresh) + new * fresh;
        let root = |x: &Tensor| norm(x) / (x.len().max(1) as f64).sqrt();
        let estimate = if p.rank() < 2 {
            *v = follow(v, squares);
            now.require_finite_squares(v);
            v.clone()
        } else {
            *rows = follow(rows, squares.mean(keep(-1)));
            *columns = follow(columns, squares.mean(keep(-2)));
            now.require_finite_squares(rows);
            // In this order, since the product of both may leave the range of f32.
            &*rows / rows.mean(keep(-2)).maximum(least) * &*columns
        };
        let step = g / estimate.maximum(least * least).sqrt();
        let length = now.lr.min(1.0 / t.sqrt()) * root(p).max(self.eps) / (root(&step) / self.clip).max(1.0);
        p * (1.0 - now.lr * now.decay.unwrap_or(self.decay)) - step * length
    }
}

/// Of a matrix its rows and columns, of a vector all.
fn remembered(slot: usize, shape: &[usize]) -> Vec<usize> {
    let mut shape = shape.to_vec();
    let matrix = shape.len() >= 2;
    if matrix == (slot == 2) {
        return vec![0];
    }
    if matrix {
        let axis = shape.len() - 1 - slot;
        shape[axis] = 1;
    }
    shape
}

impl Optimizer for Adafactor {
    by_rule!("adafactor");
}

const DECAY_RATE: Setting =
    Setting::new("decay_rate", Bounds::ABOVE_0, "how fast the means of squares become slow");
const SIZE: Setting =
    Setting::new("eps", Bounds::ABOVE_0, "the size that a parameter is at least taken to have");
const CLIP: Setting = Setting::new(
    "clip",
    Bounds::ABOVE_0,
    "the root of the mean square that a step has at most, in units of the learning rate",
);

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "adafactor",
    "Adam's steps from means of rows and columns, with little memory (Shazeer, Stern 2018).",
    |args, ()| {
        let mut opt = Adafactor::new(lr(args, 1e-2)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    },
)
.options(&[LR, DECAY_RATE.told(), SIZE.told(), CLIP.told(), DECAY.told(), GROUPS]);

#[cfg(test)]
mod tests {
    use crate::optim::*;
    use crate::prelude::*;

    #[test]
    fn a_matrix_is_remembered_by_its_rows_and_columns() {
        let (mut net, mut opt) = (Linear::new(5, 3), Adafactor::new(0.1));
        let grads = train(|| net.forward(&Tensor::randn([4, 5])).square().sum(..)).backward();
        opt.step(&mut net, grads);
        let state = opt.state();
        let shape = |name: &str| state.tensors.iter().find(|(n, _)| n == name).unwrap().1.shape().to_vec();
        assert_eq!(
            (shape("rows/weight"), shape("columns/weight"), shape("v/weight")),
            (vec![3, 1], vec![1, 5], vec![0])
        );
        assert_eq!((shape("rows/bias"), shape("v/bias")), (vec![0], vec![3]));
    }
}
