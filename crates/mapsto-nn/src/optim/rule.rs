//! The formula of an optimizer for one parameter, and how a device runs it.

use mapsto_kernels::real::Float;
use mapsto_tensor::backend;
use mapsto_tensor::error::raise;
use mapsto_tensor::storage::Plain;
use mapsto_tensor::{DType, Device, Element, Error, ErrorKind, Tensor, fail, no_grad};
use std::panic::Location;

/// A float type that parameters are updated in: f32 or f64.
pub trait Scalar: Plain + Float {}
impl Scalar for f32 {}
impl Scalar for f64 {}

/// The formula of an optimizer, for one parameter.
///
/// ```
/// use mapsto_nn::optim::*;
/// use mapsto_nn::prelude::*;
/// /// Every element moves by `lr` against its gradient's sign.
/// struct SignDescent { memory: Memory }
///
/// #[derive(Clone, Copy)]
/// struct SignRule;
/// impl Rule for SignRule {
///     fn apply<T: Scalar>(&self, now: &Update, p: &mut [T], g: &[T], _: &mut [Tensor]) {
///         let lr = <T as mapsto_tensor::Element>::from_f64(now.lr);
///         p.iter_mut().zip(g).for_each(|(p, &g)| *p = if g > T::ZERO { *p - lr } else { *p + lr });
///     }
/// }
/// impl Optimizer for SignDescent {
///     fn step(&mut self, model: &mut dyn Module, grads: Grads) {
///         self.memory.apply("sign_descent", &SignRule, model, grads)
///     }
///     fn memory(&self) -> &Memory { &self.memory }
///     fn memory_mut(&mut self) -> &mut Memory { &mut self.memory }
/// }
///
/// let mut net = Linear::new(1, 1).no_bias();
/// net.weight.set(&tensor![[1.0]])?;
/// let mut opt = SignDescent { memory: Memory::new(0.25) };
/// let grads = train(|| net.forward(&tensor![[3.0]]).sum(..)).backward();
/// opt.step(&mut net, grads);
/// assert_close!(net.weight, [[0.75]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub trait Rule {
    /// Whether it has a kernel for the CPU, [`apply`](Rule::apply). A rule without one is computed by
    /// [`compose`](Rule::compose) everywhere: several passes over the parameter instead of one, and one formula instead of two.
    const KERNEL: bool = true;

    /// The names of the tensors, zero at first, that are remembered of each parameter.
    fn slots(&self) -> &'static [&'static str] {
        &[]
    }

    /// Their shapes: the parameter's, unless the rule says otherwise.
    fn slot_shape(&self) -> SlotShape {
        |_, shape| shape.to_vec()
    }

    /// Changes the parameter `p` by its gradient `g`; `memory` holds the tensors of [`slots`](Rule::slots).
    ///
    /// # Panics
    /// When the rule has neither this nor [`KERNEL`](Rule::KERNEL)` = false` beside `compose`.
    fn apply<T: Scalar>(&self, now: &Update, p: &mut [T], g: &[T], memory: &mut [Tensor]) {
        let _ = (p, g, memory);
        fail!(now.op, "its rule has no kernel"; help = "write `apply`, or `compose` and `const KERNEL: bool = false`");
    }

    /// The same in operations of tensors, for a device that has no kernel of the rule: gives the changed parameter and
    /// changes `memory`. A rule that does not say it is computed on the CPU, with its numbers carried there and back.
    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let (device, cpu) = (p.device(), Device::cpu());
        let mut near = memory.iter().map(|m| m.to_device(cpu)).collect::<Vec<_>>();
        let (mut p, g) = (p.to_device(cpu), g.to_device(cpu).contiguous());
        cpu.scope(|| by_kernel(self, now, &mut p, &g, &mut near));
        memory.iter_mut().zip(&near).for_each(|(m, near)| *m = near.to_device(device));
        p.to_device(device)
    }
}

/// The shape of a slot, by its position, of a parameter of this shape.
pub type SlotShape = fn(usize, &[usize]) -> Vec<usize>;

/// Applies a rule to tensors in the CPU's memory.
fn by_kernel<R: Rule + ?Sized>(rule: &R, now: &Update, p: &mut Tensor, g: &Tensor, memory: &mut [Tensor]) {
    match p.dtype() {
        DType::F64 => rule.apply(now, p.as_mut_slice::<f64>(), values(g), memory),
        _ => rule.apply(now, p.as_mut_slice::<f32>(), values(g), memory),
    }
}

/// A rule at one moment, as a device sees it.
pub(super) struct Now<'a, R> {
    pub(super) rule: &'a R,
    pub(super) now: Update,
}

impl<R: Rule> backend::Update for Now<'_, R> {
    fn name(&self) -> &str {
        self.now.op
    }
    fn cpu(&self, p: &mut Tensor, g: &Tensor, memory: &mut [Tensor]) -> bool {
        if R::KERNEL {
            by_kernel(self.rule, &self.now, p, g, memory);
        }
        R::KERNEL
    }
}

impl<R: Rule> Now<'_, R> {
    /// Changes a parameter, or the master of one, by the device's kernel or else by operations.
    pub(super) fn run(&self, p: &mut Tensor, g: &Tensor, memory: &mut [Tensor]) {
        if !p.device().backend().update(self, p, g, memory) {
            // Another device would have to be asked for each parameter; there, the next loss shows it.
            if g.device().backend().is_host() && !g.is_finite() {
                self.now.refuse(false);
            }
            let new = no_grad(|| self.rule.compose(&self.now, &p.detach(), g, memory));
            p.replace(&new);
        }
    }
}

/// The circumstances of one update of one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// Its learning rate.
    pub lr: f64,
    /// The number of this update of the parameter, from 1.
    pub step: u64,
    /// The weight decay of its group, if it has its own.
    pub decay: Option<f64>,
    /// The optimizer's name, and the line that took the step.
    pub(super) op: &'static str,
    pub(super) line: &'static Location<'static>,
}

impl Update {
    /// The gradient, or another step, with the weight decay that is `own` where the parameter's group has none: `g + λ p`.
    pub(super) fn with_decay(&self, own: f64, g: &Tensor, p: &Tensor) -> Tensor {
        let decay = self.decay.unwrap_or(own);
        if decay == 0.0 { g.clone() } else { g + p * decay }
    }

    /// `1 − βᵗ`: how much of a running mean that began at 0 is there after `t` steps.
    pub(super) fn begun(&self, beta: f64) -> f64 {
        1.0 - beta.powf(self.step as f64)
    }

    /// As [`require_finite`](Update::require_finite), of running squares that operations have made.
    pub(super) fn require_finite_squares(&self, squares: &Tensor) {
        if squares.device().backend().is_host() && !squares.is_empty() {
            // NaN is the parameter's to show.
            if squares.max(..).item() == f64::INFINITY {
                self.refuse(true);
            }
        }
    }

    /// Stops where a kernel has met a gradient that is not finite, or a running square has become infinite: its element would never
    /// move again, or always in one direction, and nothing would say so.
    pub(super) fn require_finite<T: Scalar>(&self, finite: bool, g: &[T]) {
        if !finite {
            self.refuse(g.iter().all(|g| g.is_finite()));
        }
    }

    #[cold]
    fn refuse(&self, is_finite: bool) -> ! {
        let (mistake, help) = match is_finite {
            true => (
                "a gradient is too large, its square is infinite",
                "standardize inputs and targets, lower the learning rate, or limit gradients before the step, e.g. \
                 `grads.clip_norm(1.0)`; what the optimizer remembers of this parameter is spoilt, so go on from saved weights \
                 and a new optimizer",
            ),
            false => (
                "a gradient is infinite or NaN",
                "leave such a step out, as by `if grads.is_finite() { .. }`, or look for where the number comes from; parts of the \
                 model may have taken this step, so go on from saved weights",
            ),
        };
        raise(
            Error::new(ErrorKind::NonFinite, format!("{}: {mistake}", self.op)).on_line(self.line).help(help),
        )
    }

    /// What of the parameter is added to the gradient, and what of the parameter is kept, by a weight decay that is `own` where the
    /// parameter's group has none.
    pub(super) fn decays(&self, own: f64, is_decoupled: bool) -> (f64, f64) {
        let decay = self.decay.unwrap_or(own);
        if is_decoupled { (0.0, 1.0 - self.lr * decay) } else { (decay, 1.0) }
    }
}

/// Settings as numbers of the parameter's type.
pub(super) fn numbers<T: Scalar, const N: usize>(xs: [f64; N]) -> [T; N] {
    xs.map(<T as Element>::from_f64)
}

/// The elements of what is remembered, to be written.
pub(super) fn slots<T: Scalar, const N: usize>(memory: &mut [Tensor]) -> [&mut [T]; N] {
    let mut memory = memory.iter_mut();
    std::array::from_fn(|_| memory.next().expect("as many as the rule has slots").as_mut_slice::<T>())
}

/// The root of the sum of squares, in f64: squares of f32 leave its range before their root does.
pub(super) fn norm(x: &Tensor) -> f64 {
    x.to(DType::F64).square().sum(..).sqrt().item()
}

/// The elements of a contiguous tensor of the type `T`.
fn values<T: Plain>(t: &Tensor) -> &[T] {
    t.as_slice::<T>().expect("contiguous and converted just before")
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto_tensor::catch;

    #[test]
    fn a_square_without_bound_stops_by_the_optimizers_name() {
        let now = Update { lr: 0.1, step: 1, decay: None, op: "lion", line: Location::caller() };
        now.require_finite(true, &[f64::NAN]);
        let said = |g: f32| catch(|| now.require_finite(false, &[1.0, g])).unwrap_err().to_string();
        assert!(said(1e30).contains("lion: a gradient is too large") && said(1e30).contains("clip_norm"));
        assert!(said(f32::NAN).contains("lion: a gradient is infinite or NaN"));
    }
}
