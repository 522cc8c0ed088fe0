//! In which order an epoch reads the samples: a pure function of seed and epoch, so that a run has nothing to save of it.

use mapsto_tensor::{fail, random::Keyed};

/// An order of the samples, another in each epoch if it likes.
///
/// It is a function of what it is told and of nothing else, so a run that is resumed reads on where it was.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// /// The rare class, the last two samples, three times.
/// struct Often;
/// impl Sampler for Often {
///     fn count(&self, len: usize) -> usize {
///         len + 4
///     }
///     fn order(&self, at: &At) -> Vec<usize> {
///         (0..at.len).chain([at.len - 2, at.len - 1, at.len - 2, at.len - 1]).collect()
///     }
/// }
/// let loader = Samples::new(vec![0.5_f32, 1.5, 2.5]).batches(4).sampler(Often);
/// assert_eq!(loader.order(0), [0, 1, 2, 1, 2, 1, 2]);
/// assert_eq!(loader.len(), 2);
/// ```
pub trait Sampler: Send + Sync {
    /// The indices of the samples that an epoch reads, in order: [`count`](Sampler::count) of them, each below `at.len`.
    fn order(&self, at: &At) -> Vec<usize>;

    /// How many samples an epoch reads of a set of `len`; all, unless it says otherwise.
    fn count(&self, len: usize) -> usize {
        len
    }

    /// Whether epochs differ in their order.
    fn is_random(&self) -> bool {
        true
    }
}

/// What an order depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The loader's seed.
    pub seed: u64,
    /// The epoch, counted from 0.
    pub epoch: u64,
    /// The number of samples in the set.
    pub len: usize,
    /// The number of samples in a full batch.
    pub size: usize,
}

/// The set's own order; what a loader has unless told otherwise.
pub(crate) struct InOrder;

impl Sampler for InOrder {
    fn order(&self, at: &At) -> Vec<usize> {
        (0..at.len).collect()
    }

    fn is_random(&self) -> bool {
        false
    }
}

/// A random order, another in each epoch: [`Loader::shuffle`](crate::Loader::shuffle).
pub(crate) struct Shuffled;

// Keeps the randomness of the order apart from that of splits and transforms with the same seed.
const ORDER: u64 = 0x6f_72_64_65_72;
const BATCHES: u64 = 0x62_79_6c_65_6e;

impl Sampler for Shuffled {
    fn order(&self, at: &At) -> Vec<usize> {
        Keyed::new(&[at.seed, ORDER, at.epoch]).permutation(at.len)
    }
}

/// Batches of sequences that are about equally long, so that little is padded: the samples are shuffled, those of every `window`
/// batches are sorted by length, and the full batches come in a random order.
///
/// ```
/// use mapsto_data::prelude::*;
/// let words: Vec<Vec<i64>> = (0..40).map(|i| vec![1; 1 + i % 10]).collect();
/// let lengths: Vec<usize> = words.iter().map(Vec::len).collect();
/// let padding = |loader: Loader<Ragged>| -> usize {
///     let batches = loader.seed(1).epoch(0).map(|b| b.unwrap());
///     batches.map(|b| b.padded().len() - b.total()).sum()
/// };
/// let loader = || Samples::new(words.clone()).batches(4);
/// assert!(padding(loader().sampler(ByLength::new(lengths, 10))) <= 10);
/// assert!(padding(loader().shuffle()) > 60);
/// ```
#[derive(Clone, Debug)]
pub struct ByLength {
    lengths: Vec<usize>,
    window: usize,
}

impl ByLength {
    /// The length of each sample of the set, and how many batches are sorted together.
    ///
    /// # Panics
    /// When `window` is 0.
    #[track_caller]
    pub fn new(lengths: impl Into<Vec<usize>>, window: usize) -> ByLength {
        if window == 0 {
            fail!("by length", "a window of 0 batches"; help = "10 batches leave little padding and much of the random order");
        }
        ByLength { lengths: lengths.into(), window }
    }
}

impl Sampler for ByLength {
    fn order(&self, at: &At) -> Vec<usize> {
        if self.lengths.len() != at.len {
            fail!("by length", "{} lengths for a set of {} samples", self.lengths.len(), at.len;
                help = "give the length of each sample of the set that the loader reads");
        }
        let mut order = Shuffled.order(at);
        for window in order.chunks_mut(at.size * self.window) {
            window.sort_by_key(|&i| self.lengths[i]);
        }
        let full = at.len / at.size;
        let batches = Keyed::new(&[at.seed, BATCHES, at.epoch]).permutation(full);
        let mut mixed: Vec<usize> =
            batches.into_iter().flat_map(|k| order[k * at.size..][..at.size].iter().copied()).collect();
        mixed.extend(&order[full * at.size..]);
        mixed
    }
}

#[test]
fn every_sample_comes_once_in_batches_of_equal_lengths() {
    let lengths: Vec<usize> = (0..50).map(|i| i * 7 % 5).collect();
    let sampler = ByLength::new(lengths.clone(), 100);
    let order = sampler.order(&At { seed: 1, epoch: 2, len: 50, size: 5 });
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    assert!(order.chunks(5).all(|batch| batch.iter().all(|&i| lengths[i] == lengths[batch[0]])));
    let firsts: Vec<usize> = order.chunks(5).map(|batch| lengths[batch[0]]).collect();
    assert!(firsts.windows(2).any(|w| w[0] > w[1]), "the batches are not sorted: {firsts:?}");
    assert_ne!(order, sampler.order(&At { seed: 1, epoch: 3, len: 50, size: 5 }));
}
