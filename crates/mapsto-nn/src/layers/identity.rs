//! The identity: a layer that changes nothing, where one is asked for.

use super::LayerKind;
use crate::{AtLengths, Layer, Module};
use mapsto_spec::Entry;
use mapsto_tensor::Tensor;

/// `y = x`.
///
/// * Shape: `[..] → [..]`.
/// * PyTorch: `Identity`; Keras: `Identity`.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_close!(mapsto_nn::layers::Identity::new().forward(&tensor![1.0, 2.0]), [1.0, 2.0]);
/// ```
#[derive(Clone, Copy, Debug, Default, Module)]
#[module(crate = crate)]
pub struct Identity {}

impl Identity {
    /// Changes nothing.
    pub fn new() -> Identity {
        Identity {}
    }
}

impl Layer for Identity {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.clone()
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        AtLengths::each(self, x)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("identity", "Changes nothing.", |_, _| Ok(Box::new(Identity::new())));

#[test]
fn it_is_a_layer() {
    crate::check_layer(Identity::new).gives([2, 3], [2, 3]);
}
