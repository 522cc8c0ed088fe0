//! Rotary positions: pairs of features are turned by an angle that grows with the place, so that a product knows the distance.

use super::LayerKind;
use crate::{Layer, Module};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{DType, Tensor, fail};

/// Turns each pair of features of the step at place `p` by the angle `p · base^(−2i/r)`, `i` being the number of the pair and `r`
/// how many features are turned.
///
/// A product of two turned vectors depends on the distance of their places alone.
///
/// * Shape: `[.., t, d] → [.., t, d]`.
/// * A pair is a feature and the one half of `r` behind it, as in Llama and GPT-NeoX; [`interleaved`](RotaryEmbedding::interleaved)
///   pairs neighbours, as the paper and GPT-J do.
/// * ONNX: `RotaryEmbedding`; Keras: `keras_hub.layers.RotaryEmbedding`; PyTorch: `torchtune.modules.RotaryPositionalEmbeddings`,
///   which is interleaved.
///
/// Source: Su et al. (2021), RoFormer, arXiv:2104.09864, equation 34.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = RotaryEmbedding::new().forward(&tensor![[1.0, 0.0], [1.0, 0.0]]);
/// assert_close!(y, [[1.0, 0.0], [1f64.cos(), 1f64.sin()]]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
#[module(crate = crate)]
pub struct RotaryEmbedding {
    base: f64,
    fraction: f64,
    interleaved: bool,
}

impl Default for RotaryEmbedding {
    fn default() -> RotaryEmbedding {
        RotaryEmbedding::new()
    }
}

impl RotaryEmbedding {
    /// All features, with the base 10,000.
    pub fn new() -> RotaryEmbedding {
        RotaryEmbedding { base: 10_000.0, fraction: 1.0, interleaved: false }
    }

    /// The same with another base: a larger one turns more slowly.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn base(self, base: f64) -> RotaryEmbedding {
        RotaryEmbedding { base: Bounds::ABOVE_0.check("rotary_embedding", "base", base), ..self }
    }

    /// The same of this fraction of the features, the first ones; the others are left as they are.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    #[must_use]
    pub fn fraction(self, fraction: f64) -> RotaryEmbedding {
        let fraction = Bounds::UP_TO_1.check("rotary_embedding", "fraction", fraction);
        RotaryEmbedding { fraction, ..self }
    }

    /// The same, where neighbours are a pair.
    #[must_use]
    pub fn interleaved(self) -> RotaryEmbedding {
        RotaryEmbedding { interleaved: true, ..self }
    }

    /// What is turned of `d` features, if that is pairs.
    pub(super) fn turned(&self, d: usize) -> Option<usize> {
        let turned = (self.fraction * d as f64).round() as usize;
        turned.is_multiple_of(2).then_some(turned)
    }

    /// Its base and fraction, where a file can name it.
    pub(super) fn settings(&self) -> Option<[f64; 2]> {
        (!self.interleaved).then_some([self.base, self.fraction])
    }

    /// Turns steps the first of which stands at the place `from`.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let (turn, x) = (RotaryEmbedding::new(), Tensor::randn([5, 8]));
    /// assert_close!(turn.rotate(&x.slice(0, 2..), 2), turn.forward(&x).slice(0, 2..));
    /// ```
    /// # Panics
    /// When there are less than two axes, or what is turned is no pairs.
    #[track_caller]
    pub fn rotate(&self, x: &Tensor, from: usize) -> Tensor {
        let &[.., t, d] = x.shape() else {
            fail!("rotary_embedding", "steps [.., t, d] were expected, found {:?}", x.shape());
        };
        let Some(r) = self.turned(d) else {
            fail!("rotary_embedding", "{} of {d} features are no pairs", self.fraction * d as f64;
                  help = "an even number of features can be turned");
        };
        if r == 0 || x.is_empty() {
            return x.clone();
        }
        let wide = if matches!(x.dtype(), DType::F16 | DType::BF16) { x.to(DType::F32) } else { x.clone() };
        // In f64: the angles of late places lose the digits of f32.
        let (cos, sin) = x.device().scope(|| {
            let places = Tensor::arange(from as i64..(from + t) as i64).to(DType::F64).unsqueeze(1);
            let pairs = Tensor::arange(0..(r / 2) as i64).to(DType::F64);
            let angles = places * (pairs * (-2.0 / r as f64 * self.base.ln())).exp(); // [t, r / 2]
            (angles.cos().to(wide.dtype()), angles.sin().to(wide.dtype()))
        });
        let rest = (r < d).then(|| wide.slice(-1, r as isize..));
        let turned = if r < d { wide.slice(-1, ..r as isize) } else { wide };
        let turned = if self.interleaved {
            let pairs = turned.reshape([&turned.shape()[..turned.rank() - 1], &[r / 2, 2]].concat());
            let (a, b) = (pairs.select(-1, 0), pairs.select(-1, 1));
            Tensor::stack(&[&a * &cos - &b * &sin, &b * &cos + &a * &sin], -1).reshape(turned.shape())
        } else {
            let [a, b] = turned.chunk(-1);
            Tensor::cat(&[&a * &cos - &b * &sin, &b * &cos + &a * &sin], -1)
        };
        let y = rest.map_or(turned.clone(), |rest| Tensor::cat(&[turned.clone(), rest], -1));
        y.to(x.dtype())
    }
}

impl Layer for RotaryEmbedding {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.rotate(x, 0)
    }

    fn entry(&self) -> Option<Entry> {
        Some(
            Entry::new(KIND.name)
                .with_option("base", self.base)
                .with_option("fraction", self.fraction)
                .with_option("interleaved", self.interleaved),
        )
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "rotary_embedding",
    "Turns pairs of features by angles that grow with the place of the step.",
    |args, input| {
        let base = Bounds::ABOVE_0.option(args, "base", 10_000.0)?;
        let fraction = Bounds::UP_TO_1.option(args, "fraction", 1.0)?;
        let layer = RotaryEmbedding { base, fraction, interleaved: args.get_or("interleaved", false)? };
        let [_, features] = super::steps(args, input)?;
        if layer.turned(features).is_none() {
            let wrong = format!("{} of {features} features are no pairs", fraction * features as f64);
            return Err(args.misfit("", wrong));
        }
        Ok(Box::new(layer))
    },
)
.options(&[
    ("base", "how slowly the last pair turns"),
    ("fraction", "how much of the features is turned"),
    (
        "interleaved",
        "whether neighbours are a pair, instead of a feature and the one half of the features behind it",
    ),
]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn rotary_embedding() {
        check_layer(RotaryEmbedding::new).gives([2, 3, 4], [2, 3, 4]);
        check_layer(|| RotaryEmbedding::new().interleaved().base(100.0)).gives([2, 3, 4], [2, 3, 4]);
        check_layer(|| RotaryEmbedding::new().fraction(0.5)).gives([1, 3, 8], [1, 3, 8]);
        check_layer(|| RotaryEmbedding::new().fraction(0.0)).gives([3, 5], [3, 5]);
        let e = catch(|| RotaryEmbedding::new().forward(&Tensor::ones([2, 3]))).unwrap_err();
        assert_eq!(e.message(), "rotary_embedding: 3 of 3 features are no pairs");
        assert!(catch(|| RotaryEmbedding::new().forward(&Tensor::ones([3]))).is_err());
    }

    #[test]
    fn products_know_the_distance_alone() {
        let (q, k) = (Tensor::randn([1, 16]).to(DType::F64), Tensor::randn([1, 16]).to(DType::F64));
        for turn in [RotaryEmbedding::new(), RotaryEmbedding::new().interleaved()] {
            let score = |i: usize, j: usize| (turn.rotate(&q, i) * turn.rotate(&k, j)).sum(..).item();
            assert!((score(7, 3) - score(100_007, 100_003)).abs() < 1e-9);
            assert!((score(7, 3) - score(7, 4)).abs() > 1e-6);
        }
        let x = Tensor::randn([1, 4, 8]);
        assert_close!(RotaryEmbedding::new().forward(&x).square().sum(-1), x.square().sum(-1));
        assert_eq!(RotaryEmbedding::new().forward(&x.to(DType::BF16)).dtype(), DType::BF16);
    }
}
