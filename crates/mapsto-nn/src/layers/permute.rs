//! The axes of a sample in another order.

use super::LayerKind;
use crate::{Layer, Module};
use mapsto_spec::Entry;
use mapsto_tensor::{Tensor, fail};

/// The axes of each sample in this order; they count from 1, since the batch is axis 0 and stays there.
///
/// * Shape: with `[2, 1]`, `[n, a, b] → [n, b, a]`.
/// * Keras: `Permute((2, 1))`; PyTorch: `x.permute(0, 2, 1)`.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_eq!(Permute::new([3, 1, 2]).forward(&Tensor::zeros([5, 28, 30, 3])).shape(), [5, 3, 28, 30]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Permute {
    #[module(skip)]
    axes: Vec<usize>,
}

impl Permute {
    /// The axes in this order.
    ///
    /// # Panics
    /// When they are not 1 up to their number, each once.
    #[track_caller]
    pub fn new(axes: impl Into<Vec<usize>>) -> Permute {
        let axes = axes.into();
        if let Some(wrong) = wrong(&axes) {
            fail!("permute", "{wrong}");
        }
        Permute { axes }
    }
}

/// What is wrong with an order of axes.
fn wrong(axes: &[usize]) -> Option<String> {
    let all = (1..=axes.len()).all(|axis| axes.contains(&axis));
    (!all).then(|| format!("axes must be 1 to {}, each once, got {axes:?}", axes.len()))
}

impl Layer for Permute {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if x.rank() != self.axes.len() + 1 {
            fail!(
                "permute",
                "an order of {} axes does not fit samples of {:?}",
                self.axes.len(),
                x.shape().get(1..).unwrap_or_default()
            );
        }
        let order: Vec<isize> =
            std::iter::once(0).chain(self.axes.iter().map(|&axis| axis as isize)).collect();
        x.permute(order)
    }

    fn describe(&self) -> String {
        format!("Permute({:?})", self.axes)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.axes.clone()))
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("permute", "The axes of each sample in the given order.", |args, input| {
        let axes: Vec<usize> = args.main()?;
        if let Some(wrong) = wrong(&axes) {
            return Err(args.error("", wrong));
        }
        if axes.len() != input.len() {
            return Err(
                args.misfit("", format!("an order of {} axes does not fit samples of {input:?}", axes.len()))
            );
        }
        Ok(Box::new(Permute { axes }))
    })
    .options(&[("", "the axes in their new order, those of a sample counting from 1")])
    .example(|| Entry::new("permute").with_value(vec![2_usize, 1]));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn permute() {
        check_layer(|| Permute::new([2, 1])).gives([2, 3, 4], [2, 4, 3]);
        check_layer(|| Permute::new([1])).gives([2, 3], [2, 3]);
        let e = catch(|| Permute::new([2, 1]).forward(&Tensor::ones([2, 6]))).unwrap_err();
        assert_eq!(e.message(), "permute: an order of 2 axes does not fit samples of [6]");
        let e = catch(|| Permute::new([0, 1])).unwrap_err();
        assert_eq!(e.message(), "permute: axes must be 1 to 2, each once, got [0, 1]");
    }
}
