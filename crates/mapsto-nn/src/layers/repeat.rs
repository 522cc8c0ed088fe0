//! The same layers several times, each time with weights of its own: what deep networks are stacks of.

use super::LayerKind;
use crate::budget::MOST_LAYERS;
use crate::spec::build_layers;
use crate::{AtLengths, Layer, Module, Sequential, Then};
use mapsto_spec::{Entry, at_least_1};
use mapsto_tensor::{DType, Tensor, fail};

/// `y = f_n(.. f_2(f_1(x)))`, where every `f` is made alike and has its own weights.
///
/// * Shape: that of the last one.
/// * Parameters: those of every copy, `copies.0.0.weight`, `copies.1.0.weight`, ..
/// * PyTorch and Keras have none.
/// ```
/// use mapsto_nn::prelude::*;
/// let deep = Repeat::new(3, || seq![Linear::new(8, 8), Tensor::relu]);
/// assert_eq!(deep.forward(&Tensor::zeros([2, 8])).shape(), [2, 8]);
/// assert_eq!(deep.parameter_count(), 3 * (8 * 8 + 8));
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Repeat {
    copies: Vec<Sequential>,
}

impl Repeat {
    /// So many times what `layers` makes.
    ///
    /// # Panics
    /// When `count` is 0, or more than the 65,536 layers that a model may have.
    #[track_caller]
    pub fn new(count: usize, layers: impl FnMut() -> Sequential) -> Repeat {
        let count = at_least_1("repeat", "count", count);
        if count > MOST_LAYERS {
            fail!("repeat", "{count} copies are more than the {MOST_LAYERS} layers that a model may have");
        }
        Repeat { copies: std::iter::repeat_with(layers).take(count).collect() }
    }
}

impl Layer for Repeat {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.copies.forward(x)
    }

    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        self.copies.forward_then(x, then)
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> Result<AtLengths, String> {
        self.copies.at_lengths(x, lengths)
    }

    fn describe(&self) -> String {
        let one = self.copies.first().map_or(String::new(), Layer::describe);
        format!("Repeat({} × {one})", self.copies.len())
    }

    fn input_dtype(&self) -> DType {
        self.copies.input_dtype()
    }

    fn entry(&self) -> Option<Entry> {
        let layers = self.copies.first()?.entries()?;
        // A closure in code may make something else each time.
        let alike = self.copies.iter().all(|copy| copy.entries().as_ref() == Some(&layers));
        alike.then(|| Entry::new(KIND.name).with_value(self.copies.len()).with_option("layers", layers))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "repeat",
    "The given layers repeated the given number of times, each time with weights of their own.",
    |args, input| {
        let (count, entries): (usize, Vec<Entry>) = (args.main()?, args.required("layers")?);
        if count == 0 {
            return Err(args.error("", "the number of times must be at least 1, got 0"));
        }
        let (mut copies, mut shape) = (Vec::new(), input.to_vec());
        for i in 0..count {
            let built = build_layers(&entries, &shape);
            let built = built.map_err(|e| if i == 0 { e } else { e.context(format!("time {}", i + 1)) })?;
            if i == 0 {
                args.record("layers", built.entries);
            }
            shape = built.output;
            copies.push(built.layers);
        }
        Ok(Box::new(Repeat { copies }))
    },
)
.options(&[("", "how many times"), ("layers", "the layers")])
.example(|| Entry::new("repeat").with_value(2_usize).with_option("layers", vec![Entry::new("tanh")]));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::Entry;

    #[test]
    fn repeat() {
        let e = crate::prelude::catch(|| Repeat::new(1 << 40, || seq![Tensor::tanh])).unwrap_err();
        assert!(e.message().contains("65536 layers"), "{e}");
        check_layer(|| Repeat::new(2, || seq![Linear::new(3, 3), Tensor::tanh])).gives([5, 3], [5, 3]);
        let message = catch(|| Repeat::new(0, || seq![])).unwrap_err();
        assert_eq!(message.message(), "repeat: count must be at least 1, got 0");
        let mut sizes = 1..;
        let uneven = Repeat::new(2, || seq![Dropout::new(1.0 / sizes.next().unwrap() as f64 - 0.5)]);
        assert_eq!(uneven.entry(), None);
    }

    #[test]
    fn each_time_sees_the_shape_of_the_time_before() {
        let repeat =
            |n: usize, layers: Vec<Entry>| Entry::new("repeat").with_value(n).with_option("layers", layers);
        let narrow = repeat(3, vec![Entry::new("linear").with_value(4_usize), Entry::new("relu")]);
        let model = ModelSpec::new([10], [narrow]).build().unwrap();
        let shapes: Vec<Vec<usize>> = model.parameters().iter().map(|(_, p)| p.shape().to_vec()).collect();
        assert_eq!(shapes[..3], [vec![4, 10], vec![4], vec![4, 4]]);
        let halved = repeat(3, vec![Entry::new("max_pool2d").with_value(2_usize)]);
        assert!(ModelSpec::new([1, 8, 8], [halved.clone()]).build().is_ok());
        let e = ModelSpec::new([1, 4, 4], [halved]).build().unwrap_err();
        assert!(e.message().starts_with("layers[0]: time 3: layers[0]: layer `max_pool2d`"), "{e}");
        assert!(
            ModelSpec::new([4], [repeat(0, vec![])])
                .build()
                .unwrap_err()
                .message()
                .contains("at least 1, got 0")
        );
    }
}
