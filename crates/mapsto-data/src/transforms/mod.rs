//! Transforms: random changes to the inputs of training, each a pure function of seed, epoch and sample.

mod autocontrast;
mod color_jitter;
mod crop;
mod cutmix;
mod cutout;
mod equalize;
mod flip;
mod gaussian_blur;
mod grayscale;
mod mixup;
mod noise;
mod posterize;
mod rand_augment;
mod random_erasing;
mod resized_crop;
mod rotate;
mod shift;
mod solarize;
mod trivial_augment;

pub use autocontrast::Autocontrast;
pub use color_jitter::ColorJitter;
pub use crop::Crop;
pub use cutmix::Cutmix;
pub use cutout::Cutout;
pub use equalize::Equalize;
pub use flip::Flip;
pub use gaussian_blur::GaussianBlur;
pub use grayscale::Grayscale;
pub use mixup::Mixup;
pub use noise::Noise;
pub use posterize::Posterize;
pub use rand_augment::RandAugment;
pub use random_erasing::RandomErasing;
pub use resized_crop::ResizedCrop;
pub use rotate::Rotate;
pub use shift::Shift;
pub use solarize::Solarize;
pub use trivial_augment::TrivialAugment;

use crate::Sample;
use crate::rows::stack;
use mapsto_spec::{Entry, Family, Kind};
use mapsto_tensor::random::Keyed;
use mapsto_tensor::{Result, Tensor, catch, error};
use std::sync::Arc;

/// A change to the input of a sample, such as a random shift; targets stay as they are, unless samples are mixed.
///
/// Randomness comes from the key alone, so that the same sample in the same epoch changes in the same way no matter which thread reads
/// it. A closure `|x: Tensor, key: SampleKey| ..` is a transform.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let set = InMemory::new(Tensor::ones([4, 2]), Tensor::zeros([4, 1]));
/// let dimmed = set.batches(4).transform(|x: Tensor, key: SampleKey| &x * key.random().uniform(0.5, 1.0));
/// let (x, _) = dimmed.iter().next().unwrap();
/// assert!(x.to_vec::<f32>().iter().all(|&v| (0.5..1.0).contains(&v)));
/// ```
pub trait Transform: Send + Sync {
    /// Its name, for messages.
    fn name(&self) -> &str {
        "transform"
    }

    /// The entry that a file names it by, with every setting; `None` for what no file can hold, such as a closure.
    fn entry(&self) -> Option<Entry> {
        None
    }

    /// The changed input of one sample; `x` has no batch axis.
    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor;

    /// The changed inputs of a batch, `x: [n, ..]`, one key a sample; by default one after the other.
    ///
    /// # Panics
    /// Where `apply` panics, naming the sample.
    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        if keys.is_empty() {
            return x;
        }
        let one = |(i, &key): (usize, &SampleKey)| {
            let context = |e: error::Error| e.context(format!("{} of sample {}", self.name(), key.sample));
            catch(|| self.apply(x.select(0, i as isize), key)).unwrap_or_else(|e| error::raise(context(e)))
        };
        let changed: Vec<Tensor> = keys.iter().enumerate().map(one).collect();
        stack(&changed)
    }

    /// The changed samples of a batch, whose targets stay as they are unless they are mixed with others; `classes` is how many the set
    /// has.
    ///
    /// # Errors
    /// Targets that cannot be mixed.
    fn apply_to(&self, batch: Sample, keys: &[SampleKey], classes: usize) -> Result<Sample> {
        let _ = classes;
        Ok(Sample { x: self.apply_batch(batch.x, keys), y: batch.y })
    }

    /// Whether targets become those of several samples: of classes, probabilities in place of ids.
    fn mixes(&self) -> bool {
        false
    }
}

/// What the randomness of one transform on one sample depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleKey {
    /// The loader's seed.
    pub seed: u64,
    /// The epoch, counted from 0.
    pub epoch: u64,
    /// The sample, counted from 0 in the loader's dataset.
    pub sample: usize,
    /// The transform's place among the loader's transforms: two shifts in a row are two different shifts.
    pub place: usize,
}

impl SampleKey {
    /// The random numbers of this key, from the first.
    pub fn random(&self) -> Keyed {
        const TRANSFORM: u64 = 0x74_72_61_6e_73;
        Keyed::new(&[self.seed, TRANSFORM, self.epoch, self.sample as u64, self.place as u64])
    }
}

/// A transform as a model file names it: how one is built from its entry.
pub type TransformKind = Kind<dyn Transform>;

/// Every transform that a model file can name.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_spec::{Entry, build};
/// let flip = build::<dyn Transform>(&Entry::new("flip"), &())?;
/// assert_eq!(flip.entry().unwrap().to_string(), r#"{ flip = 0.5, axis = "horizontal" }"#);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub const TRANSFORMS: &[TransformKind] = &[
    shift::KIND,
    rotate::KIND,
    flip::KIND,
    crop::KIND,
    noise::KIND,
    resized_crop::KIND,
    color_jitter::KIND,
    grayscale::KIND,
    gaussian_blur::KIND,
    autocontrast::KIND,
    equalize::KIND,
    posterize::KIND,
    solarize::KIND,
    cutout::KIND,
    random_erasing::KIND,
    rand_augment::KIND,
    trivial_augment::KIND,
    mixup::KIND,
    cutmix::KIND,
];

impl Family for dyn Transform {
    const NOUN: &'static str = "transform";
    type Given = ();
    fn kinds() -> &'static [TransformKind] {
        TRANSFORMS
    }
    fn entry_of(transform: &dyn Transform, (): &()) -> Option<Entry> {
        transform.entry()
    }
}

impl<F: Fn(Tensor, SampleKey) -> Tensor + Send + Sync> Transform for F {
    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        self(x, key)
    }
}

impl Transform for Arc<dyn Transform> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn entry(&self) -> Option<Entry> {
        (**self).entry()
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        (**self).apply(x, key)
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        (**self).apply_batch(x, keys)
    }

    fn apply_to(&self, batch: Sample, keys: &[SampleKey], classes: usize) -> Result<Sample> {
        (**self).apply_to(batch, keys, classes)
    }

    fn mixes(&self) -> bool {
        (**self).mixes()
    }
}

impl Transform for Box<dyn Transform> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn entry(&self) -> Option<Entry> {
        (**self).entry()
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        (**self).apply(x, key)
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        (**self).apply_batch(x, keys)
    }

    fn apply_to(&self, batch: Sample, keys: &[SampleKey], classes: usize) -> Result<Sample> {
        (**self).apply_to(batch, keys, classes)
    }

    fn mixes(&self) -> bool {
        (**self).mixes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_every_word() {
        let key = SampleKey { seed: 1, epoch: 2, sample: 3, place: 0 };
        let others = [
            SampleKey { seed: 2, ..key },
            SampleKey { epoch: 3, ..key },
            SampleKey { sample: 4, ..key },
            SampleKey { place: 1, ..key },
        ];
        assert_eq!(key.random().bits(), key.random().bits());
        for other in others {
            assert_ne!(other.random().bits(), key.random().bits(), "{other:?}");
        }
    }

    #[test]
    fn entries_build_and_unknown_ones_are_named() {
        mapsto_spec::check_family::<dyn Transform>(&[&()]);
        let check = |entry: Entry| mapsto_spec::check_entry::<dyn Transform>(&entry, &());
        check(Entry::new("flip").with_value(0.25).with_option("axis", "vertical"));
        let crop = Entry::new("crop").with_value(vec![3_usize, 4]).with_option("from", "center");
        check(crop.with_option("padding", 2_usize));
        let built = |text: Entry| {
            mapsto_spec::filled::<dyn Transform>(&text, &()).map(|(_, entry)| entry.to_string())
        };
        assert_eq!(built(Entry::new("shift").with_value(2usize)).unwrap(), "{ shift = 2 }");
        assert_eq!(built(Entry::new("rotate").with_value(10usize)).unwrap(), "{ rotate = 10 }");
        assert_eq!(built(Entry::new("noise").with_value(0.1)).unwrap(), "{ noise = 0.1 }");
        let crop = Entry::new("crop").with_value(28usize).with_option("padding", 4usize);
        assert_eq!(built(crop).unwrap(), r#"{ crop = 28, from = "random", padding = 4 }"#);
        let e = built(Entry::new("rotat").with_value(3usize)).unwrap_err();
        assert_eq!(e.to_string(), "unknown transform `rotat`\nhelp: did you mean `rotate`?");
        assert!(built(Entry::new("flip").with_value(1.5)).is_err());
        assert!(built(Entry::new("flip").with_option("axis", "diagonal")).is_err());
        assert!(built(Entry::new("shift")).is_err());
    }
}
