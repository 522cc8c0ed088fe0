//! The gated linear unit: one half of the features decides how much of the other passes.

use super::{LayerKind, channels};
use crate::{AtLengths, Layer, Module};
use mapsto_spec::Entry;
use mapsto_tensor::{Tensor, fail};

/// `y = a · σ(b)`, where `a` and `b` are the two halves of the last axis.
///
/// * Shape: `[.., 2·d] → [.., d]`.
/// * PyTorch: `GLU()`; Keras has the function `glu`.
///
/// Source: Dauphin, Fan, Auli, Grangier (2016), Language modeling with gated convolutional networks, arXiv:1612.08083, equation 1.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_close!(Glu::new().forward(&tensor![[3.0, 5.0, 0.0, 100.0]]), [[1.5, 5.0]]);
/// ```
#[derive(Clone, Debug, Default, Module)]
#[module(crate = crate)]
pub struct Glu {}

impl Glu {
    /// Along the last axis.
    pub fn new() -> Glu {
        Glu {}
    }
}

impl Layer for Glu {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        match x.shape().last() {
            Some(n) if n.is_multiple_of(2) => {
                let [a, b] = x.chunk(-1);
                a * b.sigmoid()
            }
            _ => fail!("glu", "[.., an even number] was expected, found {:?}", x.shape()),
        }
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        AtLengths::each(self, x)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "glu",
    "One half of the last axis, each times the sigmoid of the other.",
    |args, input| {
        channels(args, input)?;
        if !input[input.len() - 1].is_multiple_of(2) {
            return Err(args.misfit("", format!("the last axis of {input:?} has no two halves")));
        }
        Ok(Box::new(Glu::new()))
    },
);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn glu() {
        check_layer(Glu::new).gives([3, 4], [3, 2]);
        let e = catch(|| Glu::new().forward(&Tensor::ones([2, 3]))).unwrap_err();
        assert_eq!(e.message(), "glu: [.., an even number] was expected, found [2, 3]");
    }
}
