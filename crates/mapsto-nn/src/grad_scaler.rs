//! Loss scaling: gradients in f16 below 6e-8 are 0, so the loss is multiplied before `backward` and the gradients divided after it.

use crate::{Module, Optimizer};
use mapsto_spec::Bounds;
use mapsto_tensor::{DType, Error, ErrorKind, Grads, LeafId, Result, Tensor, fail, no_grad};

/// A scale for losses that moves by itself: it halves where gradients are not finite, and the step is left out; it doubles after so many
/// steps in a row that were. PyTorch's `torch.amp.GradScaler`, with its numbers.
///
/// For steps in f16, under [`autocast`](mapsto_tensor::autocast()) or of a model in f16. bf16 has the range of f32 and needs none.
/// `Trainer::precision` does all this by itself.
///
/// Source: Micikevicius et al. (2018), Mixed precision training, arXiv:1710.03740, section 3.2.
/// ```
/// use mapsto_nn::{GradScaler, prelude::*};
/// seed(1);
/// let mut net = Linear::new(3, 1);
/// let (x, y) = (Tensor::randn([8, 3]), Tensor::zeros([8, 1]));
/// let (mut opt, mut scaler) = (Sgd::new(0.1), GradScaler::new());
/// for _ in 0..200 {
///     let loss = train(|| autocast(DType::F16, || mse(&net.forward(&x), &y)));
///     let grads = scaler.scale(&loss).backward();
///     scaler.step(&mut opt, &mut net, grads); // divides, and steps where all is finite
/// }
/// assert!(scaler.get_scale() >= 16384.0); // halved once or twice at the start
/// assert!(mse(&net.forward(&x), &y).item() < 1e-2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GradScaler {
    scale: f64,
    growth_factor: f64,
    backoff_factor: f64,
    growth_interval: u64,
    /// Finite steps since the scale last moved.
    growth_tracker: u64,
    skipped: u64,
}

impl Default for GradScaler {
    fn default() -> GradScaler {
        GradScaler::new()
    }
}

impl GradScaler {
    /// From 65536, doubled after 2000 finite steps and halved by one that is not.
    pub fn new() -> GradScaler {
        GradScaler {
            scale: 65536.0,
            growth_factor: 2.0,
            backoff_factor: 0.5,
            growth_interval: 2000,
            growth_tracker: 0,
            skipped: 0,
        }
    }

    /// The same with another scale to begin with. A power of two rounds nothing.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[must_use]
    #[track_caller]
    pub fn init_scale(self, scale: f64) -> GradScaler {
        GradScaler { scale: Bounds::ABOVE_0.check("grad_scaler", "init_scale", scale), ..self }
    }

    /// The same with another factor for growing.
    ///
    /// # Panics
    /// When it is not above 1.
    #[must_use]
    #[track_caller]
    pub fn growth_factor(self, factor: f64) -> GradScaler {
        if !(factor.is_finite() && factor > 1.0) {
            fail!("grad_scaler", "`growth_factor` must be above 1, got {factor}"; help = "2.0 doubles the scale");
        }
        GradScaler { growth_factor: factor, ..self }
    }

    /// The same with another factor for what was too large.
    ///
    /// # Panics
    /// When it is not between 0 and 1.
    #[must_use]
    #[track_caller]
    pub fn backoff_factor(self, factor: f64) -> GradScaler {
        if !(factor > 0.0 && factor < 1.0) {
            fail!("grad_scaler", "`backoff_factor` must be between 0 and 1, got {factor}"; help = "0.5 halves the scale");
        }
        GradScaler { backoff_factor: factor, ..self }
    }

    /// The same growing after another number of finite steps.
    ///
    /// # Panics
    /// When it is 0.
    #[must_use]
    #[track_caller]
    pub fn growth_interval(self, steps: u64) -> GradScaler {
        if steps == 0 {
            fail!("grad_scaler", "`growth_interval` must be at least 1, got 0");
        }
        GradScaler { growth_interval: steps, ..self }
    }

    /// The factor in use.
    pub fn get_scale(&self) -> f64 {
        self.scale
    }

    /// Steps that were left out so far.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The loss times the factor, in f32 at least: call `backward` on it.
    pub fn scale(&self, loss: &Tensor) -> Tensor {
        let wide =
            if matches!(loss.dtype(), DType::F16 | DType::BF16) { loss.to(DType::F32) } else { loss.clone() };
        wide * self.scale
    }

    /// Divides gradients by the factor, those of 16 bits in f32, where they stay; whether all are finite.
    ///
    /// What reads gradients, such as a limit of their norm, belongs behind it.
    pub fn unscale(&self, grads: &mut Grads) -> bool {
        let ids: Vec<LeafId> = grads.iter().map(|(id, _)| id).collect();
        for id in ids {
            let Some(g) = grads.by_id(id) else { continue };
            let wide = if g.dtype() == DType::F64 { g.clone() } else { g.to(DType::F32) };
            grads.insert(id, no_grad(|| wide * (1.0 / self.scale)));
        }
        grads.is_finite()
    }

    /// Moves the factor after a step: whether its gradients were finite.
    ///
    /// # Panics
    /// When the factor would leave the normal numbers of f32: PyTorch goes on with 0 there, and learns nothing.
    #[track_caller]
    pub fn update(&mut self, was_finite: bool) {
        if !was_finite {
            // As numbers of f32, which is what PyTorch keeps.
            let less = (self.scale * self.backoff_factor) as f32;
            if less < f32::MIN_POSITIVE {
                fail!("grad_scaler", "the gradients were not finite at any scale down to {}", self.scale;
                      help = "the loss itself is not finite, or too large for f16: look at it with `detect_anomaly`");
            }
            self.scale = f64::from(less);
            (self.growth_tracker, self.skipped) = (0, self.skipped + 1);
            return;
        }
        self.growth_tracker += 1;
        if self.growth_tracker == self.growth_interval {
            let grown = (self.scale * self.growth_factor) as f32;
            if grown.is_finite() {
                self.scale = f64::from(grown);
            }
            self.growth_tracker = 0;
        }
    }

    /// Divides the gradients, takes the optimizer's step where all are finite, and moves the factor; whether the step was taken.
    pub fn step(&mut self, optimizer: &mut dyn Optimizer, model: &mut dyn Module, mut grads: Grads) -> bool {
        let is_finite = self.unscale(&mut grads);
        if is_finite {
            optimizer.step(model, grads);
        }
        self.update(is_finite);
        is_finite
    }

    /// The factor, the finite steps since it last moved and the steps left out: all that changes.
    pub fn state(&self) -> [f64; 3] {
        [self.scale, self.growth_tracker as f64, self.skipped as f64]
    }

    /// Goes on from what [`state`](GradScaler::state) gave.
    ///
    /// # Errors
    /// When no scaler can be in that state.
    pub fn load_state(&mut self, state: [f64; 3]) -> Result<()> {
        let [scale, tracker, skipped] = state;
        let whole = |v: f64| v >= 0.0 && v.fract() == 0.0 && v < 2f64.powi(53);
        if !(scale.is_finite() && scale > 0.0 && whole(tracker) && whole(skipped))
            || tracker >= self.growth_interval as f64
        {
            return Err(Error::new(
                ErrorKind::Data,
                format!(
                    "grad_scaler: {state:?} is no state of one that grows after {} steps",
                    self.growth_interval
                ),
            )
            .help("give the state of a scaler with the same settings"));
        }
        (self.scale, self.growth_tracker, self.skipped) = (scale, tracker as u64, skipped as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use mapsto_spec::Json;

    #[test]
    fn the_scale_moves_as_pytorch_moves_it() {
        let text = include_str!("../golden/grad_scaler.jsonl");
        let mut seen = 0;
        for line in text.lines() {
            let json = Json::parse(line).unwrap();
            let number = |key: &str| json.get(key).unwrap().number().unwrap();
            let mut scaler = GradScaler::new()
                .init_scale(number("init_scale"))
                .growth_factor(number("growth_factor"))
                .backoff_factor(number("backoff_factor"))
                .growth_interval(number("growth_interval") as u64);
            let mut net = Linear::new(1, 1).no_bias();
            net.weight.set(&tensor![[1.0]]).unwrap();
            let mut opt = Sgd::new(0.25);
            for step in json.get("steps").unwrap().list().unwrap() {
                let [x, scale, tracker, weight] =
                    std::array::from_fn(|i| step.list().unwrap()[i].number().unwrap_or(f64::INFINITY));
                let loss = train(|| (&*net.weight * x).sum(..));
                let grads = scaler.scale(&loss).backward();
                scaler.step(&mut opt, &mut net, grads);
                assert_eq!(
                    [scaler.state()[0], scaler.state()[1], net.weight.item()],
                    [scale, tracker, weight]
                );
                seen += 1;
            }
        }
        assert!(seen >= 100, "{seen}");
    }

    #[test]
    fn small_gradients_survive_and_large_ones_leave_the_step_out() {
        let w = Tensor::ones([1, 1]).leaf();
        let loss = |g: f64| autocast(DType::F16, || Tensor::full([1, 1], 1.0).linear(&w, None).sum(..)) * g;
        assert_eq!(loss(1e-8).backward().of(&w).item(), 0.0, "below the least number of f16");
        let mut scaler = GradScaler::new();
        let mut grads = scaler.scale(&loss(1e-8)).backward();
        assert!(scaler.unscale(&mut grads));
        assert!((grads.of(&w).item() / 1e-8 - 1.0).abs() < 1e-3);
        let mut net = Linear::new(1, 1);
        let before = net.weight.item();
        let large =
            train(|| autocast(DType::F16, || Tensor::full([1, 1], 100.0).linear(&net.weight, None).sum(..)));
        let grads = scaler.scale(&large).backward();
        assert!(!scaler.step(&mut Sgd::new(0.1), &mut net, grads));
        assert_eq!((net.weight.item(), scaler.get_scale(), scaler.skipped()), (before, 32768.0, 1));
    }

    #[test]
    fn a_state_is_gone_on_with_and_nonsense_is_refused() {
        let mut a = GradScaler::new().growth_interval(3);
        [true, true, false, true, true].into_iter().for_each(|finite| a.update(finite));
        let mut b = GradScaler::new().growth_interval(3);
        b.load_state(a.state()).unwrap();
        assert_eq!(a, b);
        for state in
            [[0.0, 0.0, 0.0], [f64::NAN, 0.0, 0.0], [1.0, 3.0, 0.0], [1.0, 0.5, 0.0], [1.0, 0.0, -1.0]]
        {
            assert!(b.load_state(state).is_err(), "{state:?}");
        }
        let mut c = GradScaler::new().init_scale(2e-38);
        assert!(catch(|| c.update(false)).unwrap_err().message().contains("not finite at any scale"));
        let message = |f: fn() -> GradScaler| catch(f).unwrap_err().message().to_string();
        assert!(message(|| GradScaler::new().growth_factor(1.0)).contains("`growth_factor` must be above 1"));
        assert!(
            message(|| GradScaler::new().backoff_factor(1.0))
                .contains("`backoff_factor` must be between 0 and 1")
        );
        assert!(message(|| GradScaler::new().growth_interval(0)).contains("at least 1"));
        assert!(message(|| GradScaler::new().init_scale(0.0)).contains("init_scale"));
    }
}
