//! Each vector brought to length 1.

use super::LayerKind;
use crate::{AtLengths, Layer, Module};
use mapsto_spec::Entry;
use mapsto_tensor::Tensor;

/// `y = x / max(‖x‖₂, 10⁻¹²)` over the last axis: what cosines are compared by.
///
/// * Shape: `[.., size] → [.., size]`.
/// * PyTorch: `nn.functional.normalize(x, dim=-1)`; Keras: `UnitNormalization`; ONNX: `LpNormalization`.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = UnitNormalization.forward(&tensor![[3.0, 4.0], [0.0, 0.0]]);
/// assert_close!(y, [[0.6, 0.8], [0.0, 0.0]]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
#[module(crate = crate)]
pub struct UnitNormalization;

impl Layer for UnitNormalization {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.normalize(2.0, -1, 1e-12)
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        AtLengths::each(self, x)
    }

    fn describe(&self) -> String {
        "UnitNormalization".into()
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("unit_normalization", "Brings each vector along the last axis to length 1.", |_, _| {
        Ok(Box::new(UnitNormalization))
    });

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn unit_normalization() {
        check_layer(|| UnitNormalization).gives([3, 4], [3, 4]);
        check_layer(|| UnitNormalization).gives([2, 3, 5], [2, 3, 5]);
    }
}
