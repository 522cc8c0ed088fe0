//! Flattening: images become rows of features.

use super::LayerKind;
use crate::{Layer, Module};
use mapsto_spec::Entry;
use mapsto_tensor::Tensor;

/// All axes after the batch become one.
///
/// * Shape: `[n, ..] → [n, product of the rest]`.
/// * PyTorch: `Flatten`; Keras: `Flatten`; ONNX: `Flatten`.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_eq!(Tensor::zeros([8, 64, 7, 7]).apply(&Flatten::new()).shape(), [8, 3136]);
/// ```
#[derive(Clone, Debug, Default, Module)]
#[module(crate = crate)]
pub struct Flatten {}

impl Flatten {
    /// Flattens everything but the batch axis.
    pub fn new() -> Flatten {
        Flatten {}
    }
}

impl Layer for Flatten {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        // A row of single numbers is [n, 1]: `flatten(1)` asks for an axis 1.
        if x.rank() == 1 { x.unsqueeze(1) } else { x.flatten(1) }
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("flatten", "All axes after the batch become one.", |_, _| Ok(Box::new(Flatten::new())));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn flatten() {
        check_layer(Flatten::new).gives([2, 3, 4], [2, 12]);
        check_layer(Flatten::new).gives([2, 3], [2, 3]);
        check_layer(Flatten::new).gives([3], [3, 1]);
    }
}
