//! Local response normalisation: each number is divided by the size of its neighbours in the next channels.

use super::{LayerKind, image};
use crate::{Layer, Module};
use mapsto_spec::{Bounds, Entry, at_least_1};
use mapsto_tensor::{Tensor, fail};

/// `y = x / (k + α/size · Σ x²)^β`, the sum taken over `size` channels around each one, those beyond the first and the last being 0.
///
/// * Shape: `[n, channels, ..] → [n, channels, ..]`.
/// * PyTorch: `LocalResponseNorm(size)`; Keras has none; ONNX: `LRN`.
///
/// Source: Krizhevsky, Sutskever, Hinton (2012), ImageNet classification with deep convolutional neural networks, section 3.3, with α
/// divided by the size as in PyTorch.
/// ```
/// use mapsto_nn::prelude::*;
/// let norm = LocalResponseNorm::new(3).alpha(3.0).beta(1.0);
/// let y = norm.forward(&tensor![[1.0, 2.0, 0.0, 3.0]]);
/// assert_close!(y, [[1.0 / 6.0, 2.0 / 6.0, 0.0, 0.3]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct LocalResponseNorm {
    #[module(skip)]
    size: usize,
    alpha: f64,
    beta: f64,
    k: f64,
}

impl LocalResponseNorm {
    /// Over this many channels; α is 10⁻⁴, β 0.75 and k 1.
    ///
    /// # Panics
    /// When there are none.
    #[track_caller]
    pub fn new(size: usize) -> LocalResponseNorm {
        let size = at_least_1("local_response_norm", "size", size);
        LocalResponseNorm { size, alpha: 1e-4, beta: 0.75, k: 1.0 }
    }

    /// The same with another factor α on the mean square.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn alpha(self, alpha: f64) -> LocalResponseNorm {
        LocalResponseNorm { alpha: Bounds::AT_LEAST_0.check("local_response_norm", "alpha", alpha), ..self }
    }

    /// The same with another power β.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn beta(self, beta: f64) -> LocalResponseNorm {
        LocalResponseNorm { beta: Bounds::AT_LEAST_0.check("local_response_norm", "beta", beta), ..self }
    }

    /// The same with another size `k` of nothing.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn k(self, k: f64) -> LocalResponseNorm {
        LocalResponseNorm { k: Bounds::ABOVE_0.check("local_response_norm", "k", k), ..self }
    }
}

impl Layer for LocalResponseNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if x.rank() < 2 {
            fail!("local_response_norm", "[n, channels, ..] was expected, found {:?}", x.shape());
        }
        let mut around = vec![(0, 0); x.rank()];
        around[1] = (self.size / 2, (self.size - 1) / 2);
        let (squares, channels) = (x.square().pad(&around, 0.0), x.shape()[1] as isize);
        let shifted = |i: usize| squares.slice(1, i as isize..i as isize + channels);
        let sum = (1..self.size).fold(shifted(0), |sum, i| sum + shifted(i));
        x / (sum * (self.alpha / self.size as f64) + self.k).pow(self.beta)
    }

    fn describe(&self) -> String {
        format!("LocalResponseNorm({})", self.size)
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_value(self.size).with_option("alpha", self.alpha);
        Some(entry.with_option("beta", self.beta).with_option("k", self.k))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "local_response_norm",
    "Divides each number by the size of its neighbours in the given number of channels.",
    |args, input| {
        let size: usize = args.main()?;
        let alpha = Bounds::AT_LEAST_0.option(args, "alpha", 1e-4)?;
        let beta = Bounds::AT_LEAST_0.option(args, "beta", 0.75)?;
        let k = Bounds::ABOVE_0.option(args, "k", 1.0)?;
        let [channels, ..] = image(args, input)?;
        if size == 0 || size > channels.saturating_mul(2) {
            let message =
                format!("the channels must be at least 1 and at most twice those of {input:?}, got {size}");
            return Err(args.misfit("", message));
        }
        Ok(Box::new(LocalResponseNorm { size, alpha, beta, k }))
    },
)
.options(&[
    ("", "the number of channels"),
    ("alpha", "the factor on the mean square"),
    ("beta", "the power of the size"),
    ("k", "the size of nothing"),
])
.example(|| Entry::new("local_response_norm").with_value(3_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn local_response_norm() {
        check_layer(|| LocalResponseNorm::new(3).alpha(1.0)).gives([2, 4, 2, 2], [2, 4, 2, 2]);
        check_layer(|| LocalResponseNorm::new(2).alpha(1.0).beta(0.5).k(2.0)).gives([2, 3], [2, 3]);
    }
}
