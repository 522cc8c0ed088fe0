//! The bilinear layer: every product of a number of one input with a number of another, weighted and summed.

use crate::init::{Init, Uniform};
use crate::{Module, Param};
use mapsto_tensor::{Tensor, fail};

/// `y[n, o] = Σ a[n, i] w[o, i, j] b[n, j] + bias[o]`, of two inputs: a program calls it, and no file names it.
///
/// * Shape: `[n, left], [n, right] → [n, outputs]`.
/// * Parameters: `weight` `[outputs, left, right]` and `bias` `[outputs]`, both uniform in ±1/√left.
/// * PyTorch: `Bilinear`; Keras has none.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut layer = Bilinear::new(2, 2, 1).no_bias();
/// layer.weight.set(&tensor![[[1.0, 0.0], [0.0, 10.0]]])?;
/// assert_close!(layer.forward(&tensor![[2.0, 3.0]], &tensor![[4.0, 5.0]]), [[158.0]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Bilinear {
    /// The weight, `[outputs, left, right]`.
    pub weight: Param,
    /// The bias, `[outputs]`.
    pub bias: Option<Param>,
}

impl Bilinear {
    /// From `left` and `right` features to `outputs`.
    pub fn new(left: usize, right: usize, outputs: usize) -> Bilinear {
        let init = Uniform::symmetric(1.0 / (left.max(1) as f64).sqrt());
        let weight = Param::new(init.tensor(&[outputs, left, right]));
        Bilinear { weight, bias: Some(Param::new(init.tensor(&[outputs]))) }
    }

    /// The same without a bias.
    #[must_use]
    pub fn no_bias(self) -> Bilinear {
        Bilinear { bias: None, ..self }
    }

    /// The output for both inputs.
    ///
    /// # Panics
    /// When they are not `[n, left]` and `[n, right]`.
    #[track_caller]
    pub fn forward(&self, a: &Tensor, b: &Tensor) -> Tensor {
        let [_, left, right] = self.weight.dims();
        if a.rank() != 2
            || b.rank() != 2
            || [a.shape()[1], b.shape()[1]] != [left, right]
            || a.shape()[0] != b.shape()[0]
        {
            fail!(
                "bilinear",
                "[n, {left}] and [n, {right}] were expected, found {:?} and {:?}",
                a.shape(),
                b.shape()
            );
        }
        let products = a.unsqueeze(0).matmul(&self.weight); // [outputs, n, right]
        let y = (products * b).sum(-1).t();
        self.bias.as_ref().map_or(y.clone(), |bias| y + &**bias)
    }
}

#[test]
fn gradients_reach_both_inputs_and_the_weight() {
    use mapsto_tensor::{DType, catch, train};
    let layer = Bilinear::new(2, 3, 4);
    let (a, b) = (Tensor::randn([5, 2]).leaf(), Tensor::randn([5, 3]).leaf());
    let y = train(|| layer.forward(&a, &b));
    assert_eq!(y.shape(), [5, 4]);
    let grads = y.sum(..).backward();
    // By the definition: the derivative at the weight is the sum of the outer products.
    let outer = a.detach().t().matmul(&b.detach());
    assert!((grads.of(&layer.weight) - outer).abs().max(..).item() < 1e-5);
    assert_eq!(grads.of(&a).dtype(), DType::F32);
    let e = catch(|| layer.forward(&a, &Tensor::ones([4, 3]))).unwrap_err();
    assert_eq!(e.message(), "bilinear: [n, 2] and [n, 3] were expected, found [5, 2] and [4, 3]");
}
