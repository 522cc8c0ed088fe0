//! Numbers to the ids of the buckets that they fall into.

use super::LayerKind;
use crate::{AtLengths, Layer, Module};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::ops::Side;
use mapsto_tensor::{Tensor, fail};

/// The id of the bucket of each number: how many of the sorted boundaries are at most it. NaN is in the last bucket.
///
/// * Shape: `[..] → [..]`, of ids (i64) from 0 to the number of boundaries.   * Gradient: none.
/// * PyTorch: `torch.bucketize(x, boundaries, right=True)`; Keras: `Discretization`.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = Discretization::new([0.0, 0.5, 1.0]).forward(&tensor![-1.5, 1.0, 3.4, 0.5]);
/// assert_eq!(y.to_vec::<i64>(), [0, 3, 3, 2]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Discretization {
    #[module(skip)]
    boundaries: Vec<f64>,
}

/// What is wrong with boundaries.
fn wrong(boundaries: &[f64]) -> Option<String> {
    if let Some(x) = boundaries.iter().find(|&&x| !Bounds::FINITE.hold(x)) {
        return Some(Bounds::FINITE.complaint("boundary", *x));
    }
    let sorted = boundaries.windows(2).all(|pair| pair[0] < pair[1]);
    if boundaries.is_empty() || !sorted {
        return Some(format!("boundaries rise from one to the next, got {boundaries:?}"));
    }
    None
}

impl Discretization {
    /// Buckets between these boundaries.
    ///
    /// # Panics
    /// When there is none, or they do not rise.
    #[track_caller]
    pub fn new(boundaries: impl Into<Vec<f64>>) -> Discretization {
        let boundaries = boundaries.into();
        if let Some(wrong) = wrong(&boundaries) {
            fail!("discretization", "{wrong}");
        }
        Discretization { boundaries }
    }

    /// Buckets that hold about as many of these numbers each. Keras: `adapt` with `num_bins`.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let layer = Discretization::adapted(&Tensor::arange(0..100).to(DType::F32), 4);
    /// assert_eq!(layer.forward(&tensor![3.0, 30.0, 60.0, 99.0]).to_vec::<i64>(), [0, 1, 2, 3]);
    /// ```
    /// # Panics
    /// When there are fewer than two buckets, or no finite numbers for them.
    #[track_caller]
    pub fn adapted(samples: &Tensor, buckets: usize) -> Discretization {
        let mut all: Vec<f64> = samples.detach().to(mapsto_tensor::DType::F64).to_vec();
        all.retain(|x| x.is_finite());
        if buckets < 2 || all.is_empty() {
            fail!("discretization", "{buckets} buckets of {} finite numbers", all.len(); help = "give at least two buckets, and some numbers");
        }
        all.sort_by(f64::total_cmp);
        let mut boundaries: Vec<f64> = (1..buckets).map(|i| all[i * all.len() / buckets]).collect();
        boundaries.dedup();
        Discretization::new(boundaries)
    }
}

impl Layer for Discretization {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        // Compared in f64, which holds every number of the input and every boundary.
        let boundaries =
            Tensor::from_vec(self.boundaries.clone(), [self.boundaries.len()]).to_device(x.device());
        x.to(mapsto_tensor::DType::F64).bucketize(&boundaries, Side::Right)
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        AtLengths::each(self, x)
    }

    fn describe(&self) -> String {
        format!("Discretization({} buckets)", self.boundaries.len() + 1)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.boundaries.clone()))
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("discretization", "The id of the bucket that each number falls into.", |args, _| {
        let boundaries: Vec<f64> = args.main()?;
        match wrong(&boundaries) {
            Some(wrong) => Err(args.error("", wrong)),
            None => Ok(Box::new(Discretization { boundaries })),
        }
    })
    .options(&[("", "the boundaries between buckets, each above the one before")])
    .example(|| Entry::new("discretization").with_value(vec![0.0, 0.5]));

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn discretization() {
        let layer = Discretization::new([-1.0, 0.25]);
        let x = tensor![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.25, 0.2499, -1.0, -0.0];
        // NumPy: `np.digitize(x, [-1, 0.25])`.
        assert_eq!(layer.forward(&x).to_vec::<i64>(), [2, 2, 0, 2, 1, 1, 1]);
        check_entry::<dyn Layer>(&Entry::new("discretization").with_value(vec![0.5, 2.0]), &[4]);
        assert!(catch(|| Discretization::new([1.0, 1.0])).is_err());
        assert!(catch(|| Discretization::new([])).is_err());
        let spec = |list: Vec<f64>| ModelSpec::new([4], [Entry::new("discretization").with_value(list)]);
        let e = spec(vec![2.0, 1.0]).build().err().unwrap().to_string();
        assert!(e.contains("boundaries rise from one to the next"), "{e}");
        let layers = [
            Entry::new("discretization").with_value(vec![0.5, 2.0]),
            Entry::new("embedding").with_value(3_usize).with_option("size", 2_usize),
        ];
        assert_eq!(
            ModelSpec::new([4], layers).build().unwrap().forward(&Tensor::ones([2, 4])).shape(),
            [2, 4, 2]
        );
    }
}
