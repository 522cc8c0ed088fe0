//! Normally distributed weights.

use super::{Init, InitKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::DType;
use mapsto_tensor::Tensor;
use mapsto_tensor::random::{self, Distribution, Stream};

/// Normal with a given standard deviation, and mean 0 unless told otherwise.
///
/// PyTorch: `normal_`; Keras: `RandomNormal`.
/// ```
/// use mapsto_nn::init::{Init, Normal};
/// let w = Normal::new(0.1).tensor(&[100, 100]);
/// assert!((w.square().mean(..).sqrt().item() - 0.1).abs() < 0.005);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal {
    std: f64,
    mean: f64,
}

impl Normal {
    /// Normal with mean 0.
    ///
    /// # Panics
    /// When `std` is negative or not finite.
    #[track_caller]
    pub fn new(std: f64) -> Normal {
        Normal { std: Bounds::AT_LEAST_0.check("normal", "standard deviation", std), mean: 0.0 }
    }

    /// The same around another mean.
    ///
    /// # Panics
    /// When it is not finite.
    #[track_caller]
    #[must_use]
    pub fn mean(self, mean: f64) -> Normal {
        Normal { mean: Bounds::FINITE.check("normal", "mean", mean), ..self }
    }
}

impl Init for Normal {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        let draw = random::next(Stream::Init);
        Tensor::random(draw, Distribution::Normal(self.mean, self.std), shape, DType::F32)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.std).with_option("mean", self.mean))
    }
}

pub(super) const KIND: InitKind =
    InitKind::new("normal", "Normal with the given standard deviation.", |args, ()| {
        let std = Bounds::AT_LEAST_0.main(args, "standard deviation", 0.01)?;
        Ok(Box::new(Normal::new(std).mean(Bounds::FINITE.option(args, "mean", 0.0)?)))
    })
    .options(&[("", "the standard deviation"), ("mean", "the mean")]);

#[test]
fn the_mean_is_where_it_was_put() {
    let w = Normal::new(1.0).mean(5.0).tensor(&[10_000]);
    assert!((w.mean(..).item() - 5.0).abs() < 0.05);
}
