//! The relative position bias: what each head adds to a score is learned for each distance, far distances sharing a number.

use crate::init::{Init, Normal};
use crate::{Module, Param};
use mapsto_tensor::{Tensor, fail};

/// `bias[h, i, j] = w[bucket(j − i), h]`: near distances have a bucket each, farther ones share buckets that widen as their
/// logarithm, and those beyond the largest distance share the last.
///
/// * Shape: for `t` queries and `s` keys, `[heads, t, s]`.
/// * Parameters: `weight` `[buckets, heads]`, standard normal.
/// * Hugging Face: `relative_attention_bias` of T5.
///
/// Source: Raffel et al. (2020), Exploring the limits of transfer learning with a unified text-to-text transformer,
/// arXiv:1910.10683, §2.1, and the authors' program.
/// ```
/// use mapsto_nn::prelude::*;
/// let bias = RelativePositionBias::new(4);
/// assert_eq!(bias.forward(&Tensor::zeros([1, 4, 3, 8]), 5, 2).shape(), [4, 3, 5]);
/// assert_eq!([0, -1, -7, -8, -20, 1, 200].map(|d| bias.bucket(d)), [0, 1, 7, 8, 10, 17, 31]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct RelativePositionBias {
    /// What is added, `[buckets, heads]`.
    pub weight: Param,
    most: usize,
    causal: bool,
}

impl RelativePositionBias {
    /// Of 32 buckets for distances up to 128, half of them for keys that come later.
    pub fn new(heads: usize) -> RelativePositionBias {
        let weight = Param::new(Normal::new(1.0).tensor(&[32, heads]));
        RelativePositionBias { weight, most: 128, causal: false }
    }

    /// The same with this many buckets, which reach up to the distance `most`.
    ///
    /// # Panics
    /// When there are less than 4 buckets, or a quarter of them does not end below `most`.
    #[track_caller]
    #[must_use]
    pub fn buckets(self, buckets: usize, most: usize) -> RelativePositionBias {
        if buckets < 4 || !buckets.is_multiple_of(2) || most <= buckets / 2 {
            fail!("relative_position_bias", "{buckets} buckets do not reach up to a distance of {most}";
                  help = "give an even number of at least 4 buckets, and a distance above half of it");
        }
        let heads = self.weight.shape()[1];
        RelativePositionBias { weight: Param::new(Normal::new(1.0).tensor(&[buckets, heads])), most, ..self }
    }

    /// The same with all buckets for keys that come before, as a decoder has it.
    #[must_use]
    pub fn causal(self) -> RelativePositionBias {
        RelativePositionBias { causal: true, ..self }
    }

    /// The bucket of a key that comes `distance` steps after the query, or before it where that is below 0.
    pub fn bucket(&self, distance: i64) -> usize {
        let all = self.weight.shape()[0];
        let (buckets, first) = match (self.causal, distance > 0) {
            (true, _) => (all, 0),
            (false, later) => (all / 2, if later { all / 2 } else { 0 }),
        };
        let far = if self.causal { (-distance).max(0) } else { distance.abs() } as usize;
        let exact = buckets / 2;
        if far < exact {
            return first + far;
        }
        // In f32, as the authors' program: whole logarithms are where buckets begin.
        let share = (far as f32 / exact as f32).ln() / (self.most as f64 / exact as f64).ln() as f32;
        first + (exact + (share * (buckets - exact) as f32) as usize).min(buckets - 1)
    }

    /// What is added to the scores of queries `[b, heads, t, d]` and `s` keys, the first query standing at the place `at` among the keys.
    ///
    /// # Panics
    /// When the queries have another number of heads.
    #[track_caller]
    pub fn forward(&self, q: &Tensor, s: usize, at: usize) -> Tensor {
        let [buckets, heads] = self.weight.dims();
        let &[_, have, t, _] = q.shape() else {
            fail!("relative_position_bias", "the queries must be [b, heads, t, d], they are {:?}", q.shape());
        };
        if have != heads {
            fail!(
                "relative_position_bias",
                "{have} heads of queries do not fit the weight {:?}",
                [buckets, heads]
            );
        }
        let ids: Vec<i64> = (at as i64..(at + t) as i64)
            .flat_map(|i| (0..s as i64).map(move |j| j - i))
            .map(|distance| self.bucket(distance) as i64)
            .collect();
        let ids = q.device().scope(|| Tensor::from_vec(ids, [t, s]));
        ids.embedding(&self.weight).permute([2, 0, 1]).to(q.dtype()) // [heads, t, s]
    }
}

#[test]
fn buckets_are_those_of_t5() {
    use mapsto_tensor::prelude::*;
    let both = RelativePositionBias::new(2);
    // Of `T5Attention._relative_position_bucket` with 32 buckets and a largest distance of 128, for keys before and after.
    let before = [0, 1, 2, 7, 8, 8, 9, 10, 11, 12, 13, 14, 15, 15, 15];
    let at = [0, 1, 2, 7, 8, 11, 12, 20, 31, 32, 63, 64, 91, 128, 1000];
    assert_eq!(at.map(|d: i64| both.bucket(-d)), before);
    assert_eq!(at.map(|d: i64| both.bucket(d)), before.map(|b| if b == 0 { 0 } else { b + 16 }));
    let causal = RelativePositionBias::new(2).causal();
    assert_eq!([-5, -15, -16, -21, -127, -500, 3].map(|d| causal.bucket(d)), [5, 15, 16, 18, 31, 31, 0]);
    let bias = RelativePositionBias::new(2).buckets(4, 8);
    let y = train(|| bias.forward(&Tensor::zeros([1, 2, 2, 3]), 3, 1));
    assert_eq!(y.shape(), [2, 2, 3]);
    let seen =
        (y.slice(0, 1..).flatten(0).to_vec::<f32>()[2], bias.weight.to_vec::<f32>()[2 * bias.bucket(1) + 1]);
    assert_eq!(seen.0, seen.1);
    assert!(y.sum(..).backward().of(&bias.weight).is_finite());
    let e = catch(|| bias.forward(&Tensor::zeros([1, 3, 2, 3]), 3, 1)).unwrap_err();
    assert_eq!(e.message(), "relative_position_bias: 3 heads of queries do not fit the weight [4, 2]");
    assert!(catch(|| RelativePositionBias::new(2).buckets(3, 8)).is_err());
}
