//! The activations as named layers, for model files and summaries; in code, `Tensor::relu` is a layer itself.

use super::LayerKind;
use crate::module::activation_then;
use crate::{Layer, Module, Then};
use mapsto_spec::{Bounds, Entry, type_of};
use mapsto_tensor::Tensor;
use std::any::TypeId;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// An elementwise function, or a softmax, with its name: what `"relu"` in a model file becomes.
///
/// * Shape: `[..] → [..]`.
/// ```
/// use mapsto_nn::prelude::*;
/// let leaky = Activation::new("leaky_relu(0.1)", |x| x.leaky_relu(0.1));
/// assert_close!(leaky.forward(&tensor![-1.0, 2.0]), [-0.1, 2.0]);
/// assert_eq!(leaky.describe(), "leaky_relu(0.1)");
/// ```
#[derive(Clone, Module)]
#[module(crate = crate)]
pub struct Activation {
    #[module(skip)]
    name: Cow<'static, str>,
    #[module(skip)]
    f: Arc<dyn Fn(&Tensor) -> Tensor + Send + Sync>,
    #[module(skip)]
    function: TypeId,
    #[module(skip)]
    entry: Option<Entry>,
}

impl Activation {
    /// The function `f` under a name.
    pub fn new<F>(name: impl Into<Cow<'static, str>>, f: F) -> Activation
    where
        F: Fn(&Tensor) -> Tensor + Send + Sync + 'static,
    {
        let entry = mapsto_spec::entry_of_function::<dyn Layer, F>(&[]);
        Activation { name: name.into(), f: Arc::new(f), function: TypeId::of::<F>(), entry }
    }

    /// The function `f` of one number that a file gives.
    fn of(
        kind: &LayerKind,
        number: f64,
        f: impl Fn(&Tensor) -> Tensor + Send + Sync + 'static,
    ) -> Box<dyn Layer> {
        let entry = Some(Entry::new(kind.name).with_value(number));
        Box::new(Activation { entry, ..Activation::new(format!("{}({number})", kind.name), f) })
    }
}

impl Layer for Activation {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        (self.f)(x)
    }

    fn name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    fn entry(&self) -> Option<Entry> {
        self.entry.clone()
    }

    fn as_then(&self) -> Option<Then<'_>> {
        Some(Then::Activation { layer: self, function: self.function })
    }

    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        activation_then(self, self.function, x, then)
    }
}

/// Whether a function is one of the activations below, of which a layer before it may ask for its kernel's sake.
pub(crate) fn is_activation<F: 'static>() -> bool {
    [
        type_of(&Tensor::relu),
        type_of(&Tensor::gelu),
        type_of(&Tensor::gelu_tanh),
        type_of(&Tensor::silu),
        type_of(&Tensor::sigmoid),
        type_of(&Tensor::tanh),
        type_of(&Tensor::softplus),
        type_of(&softmax),
        type_of(&log_softmax),
    ]
    .contains(&TypeId::of::<F>())
}

impl fmt::Debug for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Activation({})", self.name)
    }
}

pub(super) const RELU: LayerKind = LayerKind::new("relu", "`max(x, 0)`.", |_, _| Ok(Box::new(Tensor::relu)))
    .function(|| type_of(&Tensor::relu));

pub(super) const LEAKY_RELU: LayerKind =
    LayerKind::new("leaky_relu", "`x` above 0, the given slope times `x` below.", |args, _| {
        let slope = Bounds::FINITE.main(args, "slope", 0.01)?;
        Ok(Activation::of(&LEAKY_RELU, slope, move |x| x.leaky_relu(slope)))
    })
    .options(&[("", "the slope below 0")]);

pub(super) const ELU: LayerKind =
    LayerKind::new("elu", "`x` above 0, `alpha (eˣ − 1)` below.", |args, _| {
        let alpha = Bounds::AT_LEAST_0.main(args, "alpha", 1.0)?;
        Ok(Activation::of(&ELU, alpha, move |x| x.elu(alpha)))
    })
    .options(&[("", "how far below 0 it goes")]);

pub(super) const GELU: LayerKind =
    LayerKind::new("gelu", "`x Φ(x)`, exact.", |_, _| Ok(Box::new(Tensor::gelu)))
        .function(|| type_of(&Tensor::gelu));

pub(super) const GELU_TANH: LayerKind =
    LayerKind::new("gelu_tanh", "`x Φ(x)` by its tanh approximation.", |_, _| {
        Ok(Box::new(Tensor::gelu_tanh))
    })
    .function(|| type_of(&Tensor::gelu_tanh));

pub(super) const SILU: LayerKind = LayerKind::new("silu", "`x σ(x)`.", |_, _| Ok(Box::new(Tensor::silu)))
    .function(|| type_of(&Tensor::silu));

pub(super) const SIGMOID: LayerKind =
    LayerKind::new("sigmoid", "`1 / (1 + e⁻ˣ)`.", |_, _| Ok(Box::new(Tensor::sigmoid)))
        .function(|| type_of(&Tensor::sigmoid));

pub(super) const TANH: LayerKind =
    LayerKind::new("tanh", "Hyperbolic tangent.", |_, _| Ok(Box::new(Tensor::tanh)))
        .function(|| type_of(&Tensor::tanh));

pub(super) const SOFTPLUS: LayerKind =
    LayerKind::new("softplus", "`log(1 + eˣ)`.", |_, _| Ok(Box::new(Tensor::softplus)))
        .function(|| type_of(&Tensor::softplus));

pub(super) const SOFTMAX: LayerKind = LayerKind::new(
    "softmax",
    "Probabilities over the last axis; the cross-entropy loss wants the values before it.",
    |_, _| Ok(Box::new(softmax)),
)
.function(|| type_of(&softmax));

pub(super) const LOG_SOFTMAX: LayerKind =
    LayerKind::new("log_softmax", "Logarithms of probabilities over the last axis.", |_, _| {
        Ok(Box::new(log_softmax))
    })
    .function(|| type_of(&log_softmax));

#[track_caller]
fn softmax(x: &Tensor) -> Tensor {
    x.softmax(-1)
}

#[track_caller]
fn log_softmax(x: &Tensor) -> Tensor {
    x.log_softmax(-1)
}

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::Entry;

    #[test]
    fn every_activation_is_a_layer_with_its_values() {
        // Values by the formulas, evaluated in f64.
        let expected: [(&str, [f64; 2]); 11] = [
            ("relu", [0.0, 2.0]),
            ("leaky_relu", [-0.01, 2.0]),
            ("elu", [(-1f64).exp() - 1.0, 2.0]),
            ("gelu", [-0.158655, 1.954500]),
            ("gelu_tanh", [-0.158808, 1.954598]),
            ("silu", [-1.0 / (1.0 + 1f64.exp()), 2.0 / (1.0 + (-2f64).exp())]),
            ("sigmoid", [1.0 / (1.0 + 1f64.exp()), 1.0 / (1.0 + (-2f64).exp())]),
            ("tanh", [(-1f64).tanh(), 2f64.tanh()]),
            ("softplus", [(1.0 + (-1f64).exp()).ln(), (1.0 + 2f64.exp()).ln()]),
            ("softmax", [1.0 / (1.0 + 3f64.exp()), 1.0 / (1.0 + (-3f64).exp())]),
            ("log_softmax", [-(1.0 + 3f64.exp()).ln(), -(1.0 + (-3f64).exp()).ln()]),
        ];
        for (name, [a, b]) in expected {
            let build = move || ModelSpec::new([2], [Entry::new(name)]).build().unwrap();
            let y = build().forward(&tensor![[-1.0, 2.0]]).to_vec::<f32>();
            assert!((y[0] as f64 - a).abs() < 2e-6 && (y[1] as f64 - b).abs() < 2e-6, "{name}: {y:?}");
            check_layer(build).gives([3, 2], [3, 2]);
        }
    }
}
