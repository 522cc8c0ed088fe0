//! The activations as named layers, for model files and summaries; in code, `Tensor::relu` is a layer itself.

use super::LayerKind;
use crate::module::is_relu;
use crate::{Layer, Module};
use mapsto_spec::Bounds;
use mapsto_tensor::Tensor;
use std::borrow::Cow;
use std::fmt;

/// An elementwise function, or a softmax, with its name: what `"relu"` in a model file becomes.
///
/// * Shape: `[..] → [..]`.
/// ```
/// use mapsto_nn::prelude::*;
/// let leaky = Activation::new("leaky_relu(0.1)", |x| x.leaky_relu(0.1));
/// assert_close!(leaky.forward(&tensor![-1.0, 2.0]), [-0.1, 2.0]);
/// assert_eq!(leaky.describe(), "leaky_relu(0.1)");
/// ```
#[derive(Module)]
#[module(crate = crate)]
pub struct Activation {
    #[module(skip)]
    name: Cow<'static, str>,
    #[module(skip)]
    f: Box<dyn Fn(&Tensor) -> Tensor + Send + Sync>,
    #[module(skip)]
    relu: bool,
}

impl Activation {
    /// The function `f` under a name.
    pub fn new<F>(name: impl Into<Cow<'static, str>>, f: F) -> Activation
    where
        F: Fn(&Tensor) -> Tensor + Send + Sync + 'static,
    {
        Activation { name: name.into(), f: Box::new(f), relu: is_relu::<F>() }
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

    fn is_relu(&self) -> bool {
        self.relu
    }
}

impl fmt::Debug for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Activation({})", self.name)
    }
}

fn plain(name: &'static str, f: fn(&Tensor) -> Tensor) -> mapsto_tensor::Result<Box<dyn Layer>> {
    Ok(Box::new(Activation::new(name, f)))
}

pub(super) const RELU: LayerKind = LayerKind {
    name: "relu",
    doc: "`max(x, 0)`.",
    build: |_, _| Ok(Box::new(Activation::new("relu", Tensor::relu))),
};

pub(super) const LEAKY_RELU: LayerKind = LayerKind {
    name: "leaky_relu",
    doc: "`x` above 0, the given slope times `x` below.",
    build: |args, _| {
        let slope = Bounds::FINITE.main(args, "slope", 0.01)?;
        Ok(Box::new(Activation::new(format!("leaky_relu({slope})"), move |x: &Tensor| x.leaky_relu(slope))))
    },
};

pub(super) const ELU: LayerKind = LayerKind {
    name: "elu",
    doc: "`x` above 0, `alpha (eˣ − 1)` below.",
    build: |args, _| {
        let alpha = Bounds::AT_LEAST_0.main(args, "alpha", 1.0)?;
        Ok(Box::new(Activation::new(format!("elu({alpha})"), move |x: &Tensor| x.elu(alpha))))
    },
};

pub(super) const GELU: LayerKind =
    LayerKind { name: "gelu", doc: "`x Φ(x)`, exact.", build: |_, _| plain("gelu", Tensor::gelu) };

pub(super) const GELU_TANH: LayerKind = LayerKind {
    name: "gelu_tanh",
    doc: "`x Φ(x)` by its tanh approximation.",
    build: |_, _| plain("gelu_tanh", Tensor::gelu_tanh),
};

pub(super) const SILU: LayerKind =
    LayerKind { name: "silu", doc: "`x σ(x)`.", build: |_, _| plain("silu", Tensor::silu) };

pub(super) const SIGMOID: LayerKind =
    LayerKind {
        name: "sigmoid", doc: "`1 / (1 + e⁻ˣ)`.", build: |_, _| plain("sigmoid", Tensor::sigmoid)
    };

pub(super) const TANH: LayerKind =
    LayerKind { name: "tanh", doc: "Hyperbolic tangent.", build: |_, _| plain("tanh", Tensor::tanh) };

pub(super) const SOFTPLUS: LayerKind =
    LayerKind { name: "softplus", doc: "`log(1 + eˣ)`.", build: |_, _| plain("softplus", Tensor::softplus) };

pub(super) const SOFTMAX: LayerKind = LayerKind {
    name: "softmax",
    doc: "Probabilities over the last axis; the cross-entropy loss wants the values before it.",
    build: |_, _| plain("softmax", |x| x.softmax(-1)),
};

pub(super) const LOG_SOFTMAX: LayerKind = LayerKind {
    name: "log_softmax",
    doc: "Logarithms of probabilities over the last axis.",
    build: |_, _| plain("log_softmax", |x| x.log_softmax(-1)),
};

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
