//! `Normalize`: subtracts a known mean and divides by a known standard deviation, per channel.

use super::{Step, StepKind, each_number, numbers, short};
use crate::{SampleKey, Transform};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{DType, Tensor, fail};

/// `y = (x − mean) / std`, with one mean and deviation for all elements, or one per channel (axis 1 of a batch).
///
/// * Shape: `[n, c, ..] → [n, c, ..]`.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let y = Normalize::new([1.0, 10.0], [2.0, 5.0]).apply(tensor![[3.0, 0.0]]);
/// assert_eq!(y.to_vec::<f32>(), [1.0, -2.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Normalize {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Normalize {
    /// With these means and standard deviations; one of each for all channels, or one per channel.
    ///
    /// # Panics
    /// If there are not as many deviations as means, or one is not above 0.
    #[track_caller]
    pub fn new(mean: impl Into<Vec<f64>>, std: impl Into<Vec<f64>>) -> Normalize {
        let (mean, std) = (mean.into(), std.into());
        if let Some(what) = wrong(&mean, &std) {
            fail!("normalize", "{what}");
        }
        Normalize { mean, std }
    }

    /// As a step: the changed inputs of a batch, `x: [n, c, ..]`.
    ///
    /// # Panics
    /// If there is more than one mean, and not one per channel.
    #[track_caller]
    pub fn apply(&self, x: Tensor) -> Tensor {
        normalize("normalize", x, &self.mean, &self.std)
    }
}

impl Step for Normalize {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn apply(&self, x: Tensor) -> Tensor {
        Normalize::apply(self, x)
    }

    fn entry(&self) -> Entry {
        Entry::new(KIND.name).with_value(short(&self.mean)).with_option("std", short(&self.std))
    }
}

impl Transform for Normalize {
    fn name(&self) -> &str {
        KIND.name
    }

    fn apply(&self, x: Tensor, _: SampleKey) -> Tensor {
        Normalize::apply(self, x.unsqueeze(0)).squeeze(0)
    }

    fn apply_batch(&self, x: Tensor, _: &[SampleKey]) -> Tensor {
        Normalize::apply(self, x)
    }
}

/// Whether numbers around a mean were rounded, when they became f32, by as much as their deviation. Whole numbers
/// below 2²⁴ are exact, and what is the mean itself has lost nothing.
fn lost_in_f32(x: &Tensor, mean: &[f64], std: &[f64]) -> Option<(f64, f64)> {
    let is_coarse =
        |mean: f64, std: f64| mean.abs() > f64::from(1 << 24) && mean.abs() * f64::from(f32::EPSILON) > std;
    let varies = |channel: usize, mean: f64| {
        let values = if x.shape().get(1) == Some(&std.len()) { x.select(1, channel) } else { x.clone() };
        !values.is_empty() && (values.to(DType::F64) - mean).abs().max(..).item() > 0.0
    };
    let mut all = mean.iter().copied().zip(std.iter().copied()).enumerate();
    all.find(|&(i, (mean, std))| is_coarse(mean, std) && varies(i, mean)).map(|(_, both)| both)
}

/// In `f64`, where a product with the reciprocal is as good as a quotient once it is rounded, and faster.
#[track_caller]
pub(super) fn normalize(name: &str, x: Tensor, mean: &[f64], std: &[f64]) -> Tensor {
    if x.dtype() == DType::F32
        && let Some((mean, std)) = lost_in_f32(&x, mean, std)
    {
        fail!(name, "inputs in f32 have too few digits for a mean of {mean} and a deviation of {std}";
              help = "give them in f64, as `Tensor::from_vec(numbers, shape)` of f64 and `exact_batch` of a table are");
    }
    if mean.len() > 1 && x.shape().get(1) != Some(&mean.len()) {
        fail!(name, "{} means for inputs {:?}", mean.len(), x.shape();
            help = "there is one mean per channel, axis 1 of a batch, or one for all");
    }
    let scale: Vec<f64> = std.iter().map(|std| 1.0 / std).collect();
    each_number(
        x,
        mean.len(),
        #[inline(always)]
        |channel, x| (x - mean[channel]) * scale[channel],
    )
}

pub(super) fn wrong(mean: &[f64], std: &[f64]) -> Option<String> {
    if mean.is_empty() || mean.len() != std.len() {
        return Some(format!("{} means, but {} standard deviations", mean.len(), std.len()));
    }
    if let Some(bad) = mean.iter().find(|mean| !Bounds::FINITE.hold(**mean)) {
        return Some(Bounds::FINITE.complaint("a mean", *bad));
    }
    let bad = std.iter().find(|std| !Bounds::ABOVE_0.hold(**std))?;
    Some(Bounds::ABOVE_0.complaint("a standard deviation", *bad))
}

pub(super) const KIND: StepKind = StepKind::new(
    "normalize",
    "Subtracts the given mean and divides by `std`; one number each, or one per channel. Pixels are between 0 and 1.",
    |args, ()| {
        let mean = args.main()?;
        let mean = numbers(args, "", mean)?;
        let std = args.required("std")?;
        let std = numbers(args, "std", std)?;
        match wrong(&mean, &std) {
            Some(what) => Err(args.error("std", what)),
            None => Ok(Box::new(Normalize { mean, std })),
        }
    },
)
.options(&[("", "the mean, one number or one for each channel"), ("std", "the standard deviation, likewise")])
.example(|| Entry::new("normalize").with_value(0.5).with_option("std", 0.25));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_normalised_each_by_its_own() {
        let x = Tensor::from_vec((0..8).map(|v| v as f32).collect::<Vec<f32>>(), [2, 2, 2]);
        let y = Normalize::new([0.0, 2.0], [1.0, 0.5]).apply(x.clone());
        assert_eq!(y.to_vec::<f32>(), [0., 1., 0., 2., 4., 5., 8., 10.]);
        assert_eq!(Normalize::new([1.0], [2.0]).apply(x.clone()).to_vec::<f32>()[3..5], [1.0, 1.5]);
        let e = mapsto_tensor::catch(|| Normalize::new([0.0; 3], [1.0; 3]).apply(x)).err().unwrap();
        assert_eq!(e.message(), "normalize: 3 means for inputs [2, 2, 2]");
        assert!(mapsto_tensor::catch(|| Normalize::new([0.0; 2], [1.0])).is_err());
    }

    #[test]
    fn digits_that_f32_has_lost_already_are_missed() {
        let time = |seconds: f64| 1.7e9 + seconds;
        let steps = Normalize::new([time(30.0)], [18.0]);
        let exact = Tensor::from_vec(vec![time(12.0), time(48.0)], [2, 1]);
        assert_eq!(steps.apply(exact.clone()).to_vec::<f64>(), [-1.0, 1.0]);
        let e = mapsto_tensor::catch(|| steps.apply(exact.to(DType::F32))).err().unwrap();
        assert!(e.message().contains("too few digits for a mean of 1700000030"), "{e}");
        // A constant, and whole numbers that f32 holds, lose nothing.
        let x = Tensor::full([3, 2], 1e8);
        assert_eq!(Normalize::new([1e8, 1e8], [1.0, 1.0]).apply(x).to_vec::<f32>(), [0.0; 6]);
        let x = Tensor::from_vec(vec![16_000_000.0f32, 16_000_002.0], [2, 1]);
        assert_eq!(Normalize::new([16_000_001.0], [1.0]).apply(x).to_vec::<f32>(), [-1.0, 1.0]);
    }

    #[test]
    fn a_shared_input_is_left_alone() {
        let x = Tensor::ones([2, 3]);
        let _ = Normalize::new([1.0], [2.0]).apply(x.clone());
        assert_eq!(x.to_vec::<f32>(), [1.0; 6]);
    }
}
