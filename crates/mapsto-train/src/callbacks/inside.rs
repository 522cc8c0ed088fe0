//! What a callback sees that looks into a step: gradients and changes of each layer, and the units that no longer take part.

/// A step from inside, for [`Callback::inside`](super::Callback::inside).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inside {
    /// The step, counted from 1.
    pub step: u64,
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The learning rate of the step.
    pub lr: f64,
    /// Each layer with parameters that the step changes.
    pub layers: Vec<LayerInside>,
    /// Each activation that is followed by a layer with parameters.
    pub units: Vec<UnitsInside>,
}

/// A layer in a step.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerInside {
    /// Its name in the model.
    pub name: String,
    /// The norm of its gradients, after clipping.
    pub gradient: f64,
    /// The norm of the change of its weights by the norm of the weights, `‖Δw‖ / ‖w‖`; none where it has vectors only, such as a norm.
    pub update: Option<f64>,
}

/// An activation in a step.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitsInside {
    /// Its operation, such as `relu`.
    pub op: &'static str,
    /// The layer before it.
    pub after: String,
    /// Whether it has one bound that kills units, as a ReLU has: then the share is of units that gave nothing on the whole batch. Otherwise
    /// it is of values that are nearer to a bound than 1.5 % of the range, as of a tanh.
    pub kills: bool,
    /// The share, 0 to 1.
    pub share: f64,
}
