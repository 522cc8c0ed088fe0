//! Whole numbers of any size to the ids of few bins, without a list of what there is.

use super::LayerKind;
use crate::{Layer, Module};
use mapsto_spec::{Entry, at_least_1};
use mapsto_tensor::{DType, Tensor};

/// The bin of each whole number: a hash of 64 bits, modulo the number of bins. Equal numbers share a bin, and others may.
///
/// The hash is the finaliser of SplitMix64, the same on every machine; Keras hashes the decimal digits by FarmHash, so its bins are others.
///
/// * Shape: `[..] → [..]`, of ids (i64) below the number of bins.   * Gradient: none.
/// * PyTorch has none; Keras: `Hashing`.
///
/// Source: Weinberger et al. (2009), Feature hashing for large scale multitask learning, arXiv:0902.2206; the hash: Steele, Lea, Flood (2014), Fast splittable
/// pseudorandom number generators, figure 17, with a first addition.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = Hashing::new(10).forward(&tensor![0, 1, 1, 1_000_000_007]);
/// assert_eq!(y.to_vec::<i64>(), [5, 5, 5, 6]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
#[module(crate = crate)]
pub struct Hashing {
    bins: usize,
}

impl Hashing {
    /// So many bins.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn new(bins: usize) -> Hashing {
        Hashing { bins: at_least_1("hashing", "bins", bins) }
    }
}

/// The output of SplitMix64 for a seed.
fn mixed(seed: i64) -> u64 {
    let z = (seed as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Layer for Hashing {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        super::integer_lookup::each("hashing", x, |id| (mixed(id) % self.bins as u64) as i64)
    }

    fn describe(&self) -> String {
        format!("Hashing({} bins)", self.bins)
    }

    fn input_dtype(&self) -> DType {
        DType::I64
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.bins))
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("hashing", "The bin of each whole number, by a hash.", |args, _| {
        let bins: usize = args.main()?;
        if bins == 0 {
            return Err(args.error("", "the number of bins must be at least 1, got 0"));
        }
        Ok(Box::new(Hashing { bins }))
    })
    .options(&[("", "the number of bins")])
    .example(|| Entry::new("hashing").with_value(9_usize));

#[cfg(test)]
mod tests {
    use super::mixed;
    use crate::prelude::*;

    #[test]
    fn hashing() {
        // The first outputs of SplitMix64 with the seed 0, as its author's program gives them.
        assert_eq!(mixed(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(mixed(0x9E37_79B9_7F4A_7C15_u64 as i64), 0x6E78_9E6A_A1B9_65F4);
        let y = Hashing::new(7).forward(&Tensor::arange(-5000..5000));
        let counts = y.bincount(7).to_vec::<i64>();
        assert!(counts.len() == 7 && counts.iter().all(|&n| (1300..1560).contains(&n)), "{counts:?}");
        let e = catch(|| Hashing::new(7).forward(&tensor![0.5])).unwrap_err();
        assert!(e.message().contains("whole numbers were expected"), "{e}");
        assert!(catch(|| Hashing::new(0)).is_err());
    }
}
