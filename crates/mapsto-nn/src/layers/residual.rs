//! The residual connection: a layer learns what to add to its input.

use super::LayerKind;
use crate::module::MOST;
use crate::spec::build_layers;
use crate::{AtLengths, Layer, Module, Then};
use mapsto_spec::Entry;
use mapsto_tensor::{DType, Tensor, fail};

/// `y = x + f(x)`, or `g(x) + f(x)` with a shortcut `g` where the shapes differ.
///
/// * Shape: that of `f`, which must be that of `x` (or of `g(x)`).
/// * PyTorch and Keras have none.
///
/// Source: He, Zhang, Ren, Sun (2015), Deep residual learning, arXiv:1512.03385, eq. 1 and 2.
/// ```
/// use mapsto_nn::prelude::*;
/// let block = Residual::new(|x: &Tensor| x * 2.0);
/// assert_close!(block.forward(&tensor![1.0]), [3.0]);
/// let block = Residual::new(Linear::new(4, 8)).shortcut(Linear::new(4, 8).no_bias());
/// assert_eq!(block.forward(&Tensor::ones([2, 4])).shape(), [2, 8]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Residual<F, G = fn(&Tensor) -> Tensor> {
    body: F,
    shortcut: Option<G>,
}

impl<F: Layer> Residual<F> {
    /// Adds the input to what `body` makes of it.
    pub fn new(body: F) -> Residual<F> {
        Residual { body, shortcut: None }
    }

    /// The same with `shortcut` in the way of the input.
    pub fn shortcut<G: Layer>(self, shortcut: G) -> Residual<F, G> {
        Residual { body: self.body, shortcut: Some(shortcut) }
    }
}

impl<F: Layer, G: Layer> Layer for Residual<F, G> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_then(x, &[]).0
    }

    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        let around = self.shortcut.forward(x);
        let mut after = [Then::Plus(&around); MOST];
        let count = then.len().min(MOST - 1);
        after[1..=count].copy_from_slice(&then[..count]);
        match self.body.forward_then(x, &after[..=count]) {
            (y, 0) if y.shape() != around.shape() => {
                fail!("residual", "the body gives {:?} and the way around it {:?}", y.shape(), around.shape();
                      help = "keep the shape inside, or give a shortcut that changes it alike")
            }
            (y, 0) => (Then::Plus(&around).apply(&y), 0),
            (y, taken) => (y, taken - 1),
        }
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> Result<AtLengths, String> {
        match (self.body.at_lengths(x, lengths)?, self.shortcut.at_lengths(x, lengths)?) {
            (AtLengths::Steps(y), AtLengths::Steps(around)) if y.shape() == around.shape() => {
                Ok(AtLengths::Steps(Then::Plus(&around).apply(&y)))
            }
            (AtLengths::Samples(y), AtLengths::Samples(around)) if y.shape() == around.shape() => {
                Ok(AtLengths::Samples(Then::Plus(&around).apply(&y)))
            }
            _ => Err(self.describe()),
        }
    }

    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        let block = Residual::new(self.body.clone_layer()?);
        Some(match &self.shortcut {
            Some(shortcut) => Box::new(block.shortcut(shortcut.clone_layer()?)),
            None => Box::new(block),
        })
    }

    fn describe(&self) -> String {
        match &self.shortcut {
            Some(g) => format!("Residual({}; shortcut {})", self.body.describe(), g.describe()),
            None => format!("Residual({})", self.body.describe()),
        }
    }

    fn inner(&self) -> Vec<(String, &dyn Layer)> {
        let mut inner = vec![("body".to_string(), &self.body as &dyn Layer)];
        inner.extend(self.shortcut.iter().map(|g| ("shortcut".to_string(), g as &dyn Layer)));
        inner
    }

    fn input_dtype(&self) -> DType {
        self.body.input_dtype()
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_value(self.body.entries()?);
        match &self.shortcut {
            Some(shortcut) => Some(entry.with_option("shortcut", shortcut.entries()?)),
            None => Some(entry),
        }
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("residual", "Adds the input to what the given layers make of it.", |args, input| {
        let entries: Vec<Entry> = args.main()?;
        let shortcut: Option<Vec<Entry>> = args.optional("shortcut")?;
        let body = build_layers(&entries, input)?;
        args.record_main(body.entries);
        let around = match &shortcut {
            Some(entries) => build_layers(entries, input)?,
            None => build_layers(&[], input)?,
        };
        if body.output != around.output {
            let message =
                format!("the body gives {:?} and the way around it {:?}", body.output, around.output);
            return Err(args
                .misfit("shortcut", message)
                .help("keep the shape inside, or add `shortcut = [..]`"));
        }
        let block = Residual::new(body.layers);
        Ok(match shortcut {
            Some(_) => {
                args.record("shortcut", around.entries);
                Box::new(block.shortcut(around.layers))
            }
            None => Box::new(block),
        })
    })
    .options(&[
        ("", "the layers whose output is added to their input"),
        ("shortcut", "layers in the way of the input, where the shapes differ"),
    ])
    .example(|| Entry::new("residual").with_value(vec![Entry::new("relu")]));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn residual() {
        check_layer(|| Residual::new(seq![Linear::new(3, 5), Tensor::tanh, Linear::new(5, 3)]))
            .gives([2, 3], [2, 3]);
        check_layer(|| Residual::new(Linear::new(3, 4)).shortcut(Linear::new(3, 4))).gives([2, 3], [2, 4]);
        let names = Residual::new(seq![Linear::new(1, 1)]).shortcut(Linear::new(1, 1)).parameters();
        assert_eq!(names[0].0, "body.0.weight");
        assert_eq!(names[2].0, "shortcut.weight");
    }

    #[test]
    fn shapes_never_broadcast() {
        let error = catch(|| Residual::new(Linear::new(3, 1)).forward(&Tensor::ones([2, 3]))).unwrap_err();
        assert_eq!(error.message(), "residual: the body gives [2, 1] and the way around it [2, 3]");
    }
}
