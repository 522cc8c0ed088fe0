//! `Noise`: adds random numbers to the inputs.

use super::{SampleKey, Transform, TransformKind};
use crate::preprocess::floats;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::random::{Distribution, Draw};
use mapsto_tensor::{DType, Tensor};

/// Adds normal numbers of mean 0 to every element: `y = x + std · ε`, `ε ~ N(0, 1)`.
///
/// * Shape: `[..] → [..]`.   * Units: those of the inputs before any preprocessing.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let noisy = Noise::new(0.5).apply(Tensor::zeros([10_000]), key);
/// assert!((noisy.square().sum(..).item() / 10_000.0 - 0.25).abs() < 0.02);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    std: f64,
}

impl Noise {
    /// With standard deviation `std`.
    ///
    /// # Panics
    /// When `std` is negative or not finite.
    #[track_caller]
    pub fn new(std: f64) -> Noise {
        Noise { std: Bounds::AT_LEAST_0.check("noise", "standard deviation", std) }
    }
}

impl Transform for Noise {
    fn name(&self) -> &str {
        "noise"
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        let shape = x.shape().to_vec();
        self.apply_batch(x.reshape([1, x.len()]), &[key]).reshape(shape)
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        if x.is_empty() {
            return floats(x);
        }
        let exact = x.dtype() == DType::F64;
        let mut x = if exact { x.contiguous() } else { floats(x) };
        let width = x.len() / keys.len();
        for (i, key) in keys.iter().enumerate() {
            let row = i * width..(i + 1) * width;
            let draw = Draw { seed: key.random().bits(), stream: 0, draw: 0 };
            let noise = Tensor::random(draw, Distribution::Normal(0.0, self.std), width, DType::F32);
            let noise = noise.as_slice::<f32>().expect("random f32 on the host");
            if exact {
                x.as_mut_slice::<f64>()[row].iter_mut().zip(noise).for_each(|(x, e)| *x += f64::from(*e));
            } else {
                x.as_mut_slice::<f32>()[row].iter_mut().zip(noise).for_each(|(x, e)| *x += e);
            }
        }
        x
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.std))
    }
}

pub(super) const KIND: TransformKind =
    TransformKind::new("noise", "Adds normal numbers of the given standard deviation.", |args, ()| {
        let std = args.main()?;
        Ok(Box::new(Noise::new(Bounds::AT_LEAST_0.within(args, "", "standard deviation", std)?)))
    })
    .options(&[("", "the standard deviation")])
    .example(|| Entry::new("noise").with_value(0.1));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_its_mean_and_deviation_and_leaves_the_input_alone() {
        let keys: Vec<SampleKey> =
            (0..4).map(|sample| SampleKey { seed: 1, epoch: 0, sample, place: 0 }).collect();
        let x = Tensor::full([4, 5000], 3.0);
        let y = Noise::new(0.25).apply_batch(x.clone(), &keys).to_vec::<f32>();
        assert!(x.to_vec::<f32>().iter().all(|&v| v == 3.0));
        let n = y.len() as f64;
        let mean = y.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let var = y.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        assert!((mean - 3.0).abs() < 0.01 && (var.sqrt() - 0.25).abs() < 0.01, "{mean} {var}");
        assert_ne!(y[..5000], y[5000..10_000]);
        let one = Noise::new(0.25).apply(Tensor::full([50, 100], 3.0), keys[2]);
        assert_eq!(one.to_vec::<f32>(), y[10_000..15_000], "a sample alone is as in its batch");
    }
}
