//! The positional embedding: attention sees a set of steps, and a learned vector tells each where it stands.

use super::LayerKind;
use crate::init::{Init, Normal};
use crate::{AtLengths, Layer, Module, Param};
use mapsto_spec::Entry;
use mapsto_tensor::{Tensor, fail};

/// Adds a learned vector to each step: `y[.., t, :] = x[.., t, :] + w[t, :]`.
///
/// * Shape: `[.., t, size] → [.., t, size]`, `t` being at most the context.
/// * Parameters: `weight` `[context, size]`, normal with standard deviation 0.02.
/// * PyTorch and Keras have none.
///
/// Source: Radford et al. (2018), Improving language understanding by generative pre-training, §3.1.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut layer = PositionalEmbedding::new(3, 1);
/// layer.weight.set(&tensor![[0.1], [0.2], [0.3]])?;
/// assert_close!(layer.forward(&tensor![[[1.0], [2.0]]]), [[[1.1], [2.2]]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct PositionalEmbedding {
    /// The vectors, `[context, size]`.
    pub weight: Param,
}

impl PositionalEmbedding {
    /// Vectors of `size` for up to `context` steps.
    pub fn new(context: usize, size: usize) -> PositionalEmbedding {
        PositionalEmbedding { weight: Param::new(Normal::new(0.02).tensor(&[context, size])) }
    }
}

impl PositionalEmbedding {
    /// The same for steps the first of which stands at the place `from`, as those are that continue a text.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let (layer, x) = (PositionalEmbedding::new(5, 2), Tensor::randn([1, 5, 2]));
    /// assert_close!(layer.after(&x.slice(1, 3..), 3), layer.forward(&x).slice(1, 3..));
    /// ```
    /// # Panics
    /// When there is no such place, or the steps are of another size.
    #[track_caller]
    pub fn after(&self, x: &Tensor, from: usize) -> Tensor {
        let ([context, size], shape) = (self.weight.dims(), x.shape());
        let &[.., t, have] = shape else {
            fail!("positional_embedding", "the input must be [.., t, {size}], it is {shape:?}");
        };
        if t > context.saturating_sub(from) || have != size {
            let after = if from > 0 { format!(" after {from} others") } else { String::new() };
            fail!("positional_embedding", "steps {shape:?}{after} do not fit positions {:?}", [context, size];
                  help = "the input must be [.., t, {size}] with t at most {context}");
        }
        x + self.weight.slice(0, from as isize..(from + t) as isize)
    }
}

impl Layer for PositionalEmbedding {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.after(x, 0)
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        AtLengths::each(self, x)
    }

    fn describe(&self) -> String {
        let [context, size] = self.weight.dims();
        format!("PositionalEmbedding({context} × {size})")
    }

    fn entry(&self) -> Option<Entry> {
        // A file gives it as many steps as there are; with room for more it would be another layer, which is found where
        // the spec is compared with the model.
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "positional_embedding",
    "Adds a learned vector to each step, telling where it stands.",
    |args, input| {
        let [steps, size] = super::steps(args, input)?;
        crate::budget::weight(args, &[steps, size])?;
        Ok(Box::new(PositionalEmbedding::new(steps, size)))
    },
);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn positional_embedding() {
        check_layer(|| PositionalEmbedding::new(4, 3)).gives([2, 4, 3], [2, 4, 3]);
        check_layer(|| PositionalEmbedding::new(4, 3)).gives([2, 2, 3], [2, 2, 3]);
        let error = catch(|| PositionalEmbedding::new(4, 3).forward(&Tensor::ones([2, 5, 3]))).unwrap_err();
        assert_eq!(error.message(), "positional_embedding: steps [2, 5, 3] do not fit positions [4, 3]");
        let error = catch(|| PositionalEmbedding::new(4, 3).after(&Tensor::ones([2, 1, 3]), 4)).unwrap_err();
        let said = "positional_embedding: steps [2, 1, 3] after 4 others do not fit positions [4, 3]";
        assert_eq!(error.message(), said);
    }
}
