//! Alpha dropout of whole channels, for convolutions with `selu`.

use super::alpha_dropout::dropped;
use super::{LayerKind, channels};
use crate::{Layer, Module};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, fail};

/// In training, sets each channel of each sample to `α = −1.7581`, the least value of `selu`, with probability `p`, and maps all by a line after which
/// a mean of 0 and a variance of 1 are what they were; otherwise the identity.
///
/// * Shape: `[n, channels, ..] → [n, channels, ..]`.
/// * PyTorch: `FeatureAlphaDropout`; Keras: `AlphaDropout` with a `noise_shape`.
///
/// Source: as [`AlphaDropout`](crate::AlphaDropout).
/// ```
/// use mapsto_nn::prelude::*;
/// let y = train(|| FeatureAlphaDropout::new(0.5).forward(&Tensor::ones([4, 8, 3, 3])));
/// let (least, most) = (y.min(-1).min(-1), y.max(-1).max(-1));
/// assert_close!(least, most); // a channel is dropped as a whole
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct FeatureAlphaDropout {
    p: f64,
}

impl FeatureAlphaDropout {
    /// Drops each channel with probability `p`.
    ///
    /// # Panics
    /// When `p` is not in 0..1.
    #[track_caller]
    pub fn new(p: f64) -> FeatureAlphaDropout {
        FeatureAlphaDropout { p: Bounds::SHARE.check("feature_alpha_dropout", "p", p) }
    }
}

impl Layer for FeatureAlphaDropout {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let &[n, c, ..] = x.shape() else {
            fail!("feature_alpha_dropout", "[n, channels, ..] was expected, found {:?}", x.shape());
        };
        let shape: Vec<usize> = [n, c].into_iter().chain(std::iter::repeat_n(1, x.rank() - 2)).collect();
        dropped(x, &shape, self.p)
    }

    fn describe(&self) -> String {
        format!("FeatureAlphaDropout({})", self.p)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.p))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "feature_alpha_dropout",
    "Forgets each channel with the given probability while training, and keeps mean and variance.",
    |args, input| {
        let p = Bounds::SHARE.main(args, "p", 0.5)?;
        channels(args, input)?;
        Ok(Box::new(FeatureAlphaDropout::new(p)))
    },
)
.options(&[("", "the probability to forget, while training")]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn feature_alpha_dropout() {
        check_layer(|| FeatureAlphaDropout::new(0.3)).gives([4, 5, 2], [4, 5, 2]);
        let y = train(|| FeatureAlphaDropout::new(0.3).forward(&Tensor::randn([60, 60, 20])));
        assert!(y.mean(..).item().abs() < 0.05 && (y.std(..).item() - 1.0).abs() < 0.05);
        // As PyTorch: a dropped channel is a·α + b, another a·x + b.
        let (p, alpha) = (0.3_f64, -1.758_099_340_847_376_6_f64);
        let a = 1.0 / ((1.0 - p) * (1.0 + p * alpha * alpha)).sqrt();
        let b = -a * p * alpha;
        let ones = train(|| FeatureAlphaDropout::new(p).forward(&Tensor::ones([50, 3, 2]))).to_vec::<f32>();
        let close = |y: f32, to: f64| (f64::from(y) - to).abs() < 1e-5;
        assert!(ones.iter().all(|&y| close(y, a + b) || close(y, a * alpha + b)));
        assert!(ones.iter().any(|&y| close(y, a + b)) && ones.iter().any(|&y| close(y, a * alpha + b)));
        let e = catch(|| FeatureAlphaDropout::new(0.3).forward(&Tensor::ones([3]))).unwrap_err();
        assert_eq!(e.message(), "feature_alpha_dropout: [n, channels, ..] was expected, found [3]");
    }
}
