//! The fully connected layer: every output is a weighted sum of every input.

use super::{LayerKind, drawn_by, features, init_option};
use crate::budget;
use crate::init::{Init, Uniform};
use crate::{AtLengths, Layer, Module, Param, Then, Weighted};
use mapsto_spec::Entry;
use mapsto_tensor::{Tensor, fail};

/// Fully connected layer: `y = x Wᵀ + b`.
///
/// * Shape: `[.., inputs] → [.., outputs]`.
/// * Parameters: `weight` `[outputs, inputs]` and `bias` `[outputs]`, both uniform in ±1/√inputs (LeCun, Bottou, Orr,
///   Müller 1998, Efficient backprop, as PyTorch draws them: Kaiming uniform of slope √5).
/// * PyTorch: `Linear`; Keras: `Dense`; ONNX: `Gemm`.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut fc = Linear::new(2, 1);
/// fc.weight.set(&tensor![[2.0, -1.0]])?;
/// fc.bias_mut().set(&tensor![0.5])?;
/// assert_close!(fc.forward(&tensor![[1.0, 1.0], [3.0, 0.0]]), [[1.5], [6.5]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Linear {
    /// The weight, `[outputs, inputs]`.
    pub weight: Param,
    /// The bias, `[outputs]`.
    pub bias: Option<Param>,
    /// How the weight was drawn, where it was in a way of its own.
    #[module(skip)]
    drawn: Option<Box<Entry>>,
}

impl Linear {
    /// A layer from `inputs` to `outputs` features.
    pub fn new(inputs: usize, outputs: usize) -> Linear {
        let init = Uniform::symmetric(1.0 / (inputs.max(1) as f64).sqrt());
        Linear {
            weight: Param::new(init.tensor(&[outputs, inputs])),
            bias: Some(Param::new(init.tensor(&[outputs]))),
            drawn: None,
        }
    }

    /// The same without a bias.
    #[must_use]
    pub fn no_bias(self) -> Linear {
        Linear { bias: None, ..self }
    }

    /// The same with its weight drawn by another initialiser and its bias zero.
    #[must_use]
    pub fn init(self, init: impl Init) -> Linear {
        let (outputs, inputs) = (self.outputs(), self.inputs());
        Linear {
            weight: Param::new(init.tensor(&[outputs, inputs])),
            bias: self.bias.map(|_| Param::new(Tensor::zeros([outputs]))),
            drawn: init.entry().map(Box::new),
        }
    }

    /// The bias, `[outputs]`.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let mut fc = Linear::new(2, 3);
    /// fc.bias_mut().set(&Tensor::ones([3]))?;
    /// assert_close!(fc.bias(), [1.0, 1.0, 1.0]);
    /// # Ok::<(), mapsto_tensor::Error>(())
    /// ```
    /// # Panics
    /// When the layer has no bias; the field `bias` is `None` then.
    #[track_caller]
    pub fn bias(&self) -> &Param {
        match &self.bias {
            Some(bias) => bias,
            None => no_bias_here(),
        }
    }

    /// The bias, to be changed, as [`bias`](Linear::bias).
    ///
    /// # Panics
    /// When the layer has no bias.
    #[track_caller]
    pub fn bias_mut(&mut self) -> &mut Param {
        match &mut self.bias {
            Some(bias) => bias,
            None => no_bias_here(),
        }
    }

    /// Refuses an input of another width, with what to write.
    #[track_caller]
    fn check(&self, x: &Tensor) {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        if x.shape().last() != Some(&inputs) {
            // Planes of a convolution, whose last axis is their width.
            if let [_, rest @ ..] = x.shape()
                && rest.len() > 1
                && (rest.len() > 2 || rest.iter().product::<usize>() == inputs)
            {
                let all: usize = rest.iter().product();
                fail!("linear", "the layer takes {inputs} features, the input {:?} has {} on its last axis", x.shape(), rest[rest.len() - 1];
                      help = "put `Flatten::new()` before the layer, which makes the input [{}, {all}], and make the layer `Linear::new({all}, {outputs})`", x.shape()[0]);
            }
            if let ([n], 1) = (x.shape(), inputs) {
                fail!("linear", "the layer takes batches [n, 1] of one feature, the input [{n}] has no axis of features";
                      help = "give each number an axis of its own: `x.unsqueeze(1)` is [{n}, 1]");
            }
            fail!("linear", "the layer takes {inputs} features, the input {:?} has {}", x.shape(), x.shape().last().unwrap_or(&0);
                  help = "make the layer `Linear::new({}, {outputs})`, or the input one of {inputs} features", x.shape().last().unwrap_or(&0));
        }
    }

    /// The number of input features.
    pub fn inputs(&self) -> usize {
        self.weight.shape()[1]
    }

    /// The number of output features.
    pub fn outputs(&self) -> usize {
        self.weight.shape()[0]
    }
}

#[cold]
#[track_caller]
fn no_bias_here() -> ! {
    fail!("linear", "the layer has no bias"; help = "make it without `.no_bias()`, or ask `layer.bias.is_some()` first")
}

impl Weighted for Linear {
    fn weight(&self) -> &Param {
        &self.weight
    }
    #[track_caller]
    fn forward_by(&self, x: &Tensor, weight: &Tensor) -> Tensor {
        self.check(x);
        x.linear(weight, self.bias.as_deref())
    }
}

impl Layer for Linear {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_by(x, &self.weight)
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        Some(self)
    }

    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        match then {
            [relu, ..] if relu.is_relu() => {
                self.check(x);
                (x.linear_relu(&self.weight, self.bias.as_deref()), 1)
            }
            _ => (self.forward(x), 0),
        }
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        AtLengths::each(self, x)
    }

    fn describe(&self) -> String {
        let bias = if self.bias.is_some() { "" } else { ", no bias" };
        format!("Linear({} → {}{bias})", self.inputs(), self.outputs())
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_value(self.outputs()).with_option("bias", self.bias.is_some());
        Some(drawn_by(entry, &self.drawn))
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("linear", "Fully connected layer with the given number of outputs.", |args, input| {
        let (outputs, inputs): (usize, usize) = (args.main()?, features(args, input)?);
        budget::weight(args, &[outputs, inputs])?;
        let bias = args.get_or("bias", true)?;
        if bias {
            budget::weight(args, &[outputs])?;
        }
        budget::output(args, &[input.iter().product::<usize>() / inputs.max(1), outputs])?;
        let layer = Linear::new(inputs, outputs);
        let layer = if bias { layer } else { layer.no_bias() };
        Ok(Box::new(match init_option(args)? {
            Some(init) => layer.init(init),
            None => layer,
        }))
    })
    .options(&[
        ("", "the number of outputs"),
        ("bias", "whether it has a bias"),
        ("init", "how its weights are drawn, instead of the layer's own way"),
    ])
    .example(|| Entry::new("linear").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn linear() {
        check_layer(|| Linear::new(3, 4)).gives([5, 3], [5, 4]);
        check_layer(|| Linear::new(3, 4).no_bias()).gives([2, 5, 3], [2, 5, 4]);
    }

    #[test]
    fn planes_are_to_be_flattened_first() {
        let help = |inputs: usize, shape: &[usize]| {
            let e = catch(|| Linear::new(inputs, 10).forward(&Tensor::zeros(shape.to_vec()))).unwrap_err();
            e.help_text().unwrap().to_string()
        };
        for (inputs, shape) in [(512, [2, 8, 8, 8].as_slice()), (64, &[2, 8, 8, 8]), (64, &[2, 8, 8])] {
            let all: usize = shape[1..].iter().product();
            let said = help(inputs, shape);
            let followed = format!("makes the input [2, {all}], and make the layer `Linear::new({all}, 10)`");
            assert!(said.contains("`Flatten::new()`") && said.contains(&followed), "{shape:?}: {said}");
            let x = Flatten::new().forward(&Tensor::zeros(shape.to_vec()));
            assert_eq!(Linear::new(all, 10).forward(&x).shape(), [2, 10]);
        }
        // Steps of a sequence, and samples of the wrong width, have nothing to flatten.
        assert!(!help(16, &[2, 7, 8]).contains("Flatten") && !help(16, &[2, 8]).contains("Flatten"));
    }

    #[test]
    fn the_first_weights_are_uniform() {
        let fc = Linear::new(100, 300);
        for p in [&fc.weight, fc.bias.as_ref().unwrap()] {
            assert!(p.abs().max(..).item() <= 0.1);
            assert!((p.square().mean(..).sqrt().item() - 0.1 / 3f64.sqrt()).abs() < 0.004);
        }
        assert!(
            catch(|| Linear::new(2, 2).no_bias().bias().len()).unwrap_err().message().contains("has no bias")
        );
        let zero = Linear::new(4, 2).init(crate::init::Ones);
        assert_close!(zero.forward(&Tensor::ones([1, 4])), [[4.0, 4.0]]);
        assert_eq!(Linear::new(784, 64).no_bias().describe(), "Linear(784 → 64, no bias)");
    }
}
