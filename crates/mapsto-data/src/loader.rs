//! `Loader`: a dataset cut into batches, in an order that depends on the seed and the epoch and on nothing else.

use crate::{Dataset, Epoch, Info, Preprocess, Transform};
use mapsto_tensor::random::{self, Keyed, Stream};
use mapsto_tensor::{Tensor, error, fail};
use std::sync::Arc;

/// Reads a dataset batch by batch: in order or shuffled, on this thread or on workers, with transforms on the way.
///
/// The batches of an epoch, and every random transform in them, are a pure function of the seed and the epoch: equal
/// bits for any number of workers, and after an interruption ([`epoch_from`](Loader::epoch_from)).
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let set = InMemory::new(Tensor::zeros([100, 3]), Tensor::zeros([100, 1]));
/// let loader = set.batches(32).shuffle().seed(7).drop_last().workers(2);
/// assert_eq!((loader.len(), loader.samples()), (3, 96));
/// for batch in loader.epoch(0) {
///     assert_eq!(batch?.x.shape(), [32, 3]);
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Loader {
    pub(crate) dataset: Arc<dyn Dataset>,
    pub(crate) size: usize,
    pub(crate) transforms: Vec<Arc<dyn Transform>>,
    pub(crate) preprocess: Preprocess,
    pub(crate) workers: usize,
    pub(crate) prefetch: usize,
    order: Order,
    last: Last,
    seed: Option<u64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    Given,
    Shuffled,
}

/// What becomes of a last batch that is not full.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    Kept,
    Dropped,
}

/// A number of samples read together.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The inputs, `[n, ..]`.
    pub x: Tensor,
    /// The targets, `[n]` (class ids) or `[n, ..]`.
    pub y: Tensor,
    /// Which samples of the dataset these are.
    pub indices: Vec<usize>,
}

// Keeps the randomness of the order apart from that of splits and transforms with the same seed.
const ORDER: u64 = 0x6f_72_64_65_72;

impl Loader {
    /// Batches of `size` samples, in the set's order, the last one smaller if need be, read on the calling thread.
    ///
    /// # Panics
    /// If `size` is 0.
    #[track_caller]
    pub fn new(dataset: impl Dataset + 'static, size: usize) -> Loader {
        if size == 0 {
            fail!("batches", "a batch of 0 samples"; help = "the smallest batch has 1 sample");
        }
        Loader {
            dataset: Arc::new(dataset),
            size,
            transforms: Vec::new(),
            preprocess: Preprocess::new(),
            workers: 0,
            prefetch: 2,
            order: Order::Given,
            last: Last::Kept,
            seed: None,
        }
    }

    /// Reads the samples in a random order, another in each epoch.
    pub fn shuffle(mut self) -> Loader {
        self.order = Order::Shuffled;
        self
    }

    /// Sets the seed of the order and of the transforms. Without it, the thread's seed counts when an epoch begins.
    pub fn seed(mut self, seed: u64) -> Loader {
        self.seed = Some(seed);
        self
    }

    /// Leaves out the last batch where it is not full.
    pub fn drop_last(mut self) -> Loader {
        self.last = Last::Dropped;
        self
    }

    /// Reads on `n` background threads, ahead of the code that uses the batches; 0 reads on the calling thread.
    pub fn workers(mut self, n: usize) -> Loader {
        self.workers = n;
        self
    }

    /// How many finished batches each worker may have waiting (2 unless said): the bound on memory.
    ///
    /// # Panics
    /// If `batches` is 0.
    #[track_caller]
    pub fn prefetch(mut self, batches: usize) -> Loader {
        if batches == 0 {
            fail!("prefetch", "workers need room for one batch"; help = "use `.workers(0)` to read without threads");
        }
        self.prefetch = batches;
        self
    }

    /// Adds a transform of the inputs, after those already there.
    pub fn transform(mut self, transform: impl Transform + 'static) -> Loader {
        self.transforms.push(Arc::new(transform));
        self
    }

    /// Sets the deterministic steps that come after the transforms, and that travel with the model.
    pub fn preprocess(mut self, preprocess: Preprocess) -> Loader {
        self.preprocess = preprocess;
        self
    }

    /// The number of batches in an epoch.
    pub fn len(&self) -> usize {
        match self.last {
            Last::Kept => self.dataset.len().div_ceil(self.size),
            Last::Dropped => self.dataset.len() / self.size,
        }
    }

    /// Whether an epoch has no batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of samples in an epoch.
    pub fn samples(&self) -> usize {
        self.dataset.len().min(self.len() * self.size)
    }

    /// The number of samples in a full batch.
    pub fn batch_size(&self) -> usize {
        self.size
    }

    /// The set that is read.
    pub fn dataset(&self) -> &Arc<dyn Dataset> {
        &self.dataset
    }

    /// The deterministic steps after the transforms.
    pub fn preprocessing(&self) -> &Preprocess {
        &self.preprocess
    }

    /// What is known about the set.
    pub fn info(&self) -> Info {
        self.dataset.info()
    }

    /// Whether the order is random.
    pub fn is_shuffled(&self) -> bool {
        self.order == Order::Shuffled
    }

    /// The batches of epoch `epoch`.
    ///
    /// Each item is a batch, or the error that ended the epoch: it names the damaged sample. A panic in the dataset or
    /// in a transform is such an error too.
    pub fn epoch(&self, epoch: u64) -> Epoch {
        self.epoch_from(epoch, 0)
    }

    /// The batches of epoch `epoch` from batch `first` on, with the same bits as if the ones before had been read.
    ///
    /// ```
    /// use mapsto_data::prelude::*;
    /// use mapsto_tensor::prelude::*;
    /// let x = Tensor::arange(0..10);
    /// let loader = InMemory::new(x.clone(), x).batches(4).shuffle().seed(1);
    /// let whole: Vec<_> = loader.epoch(3).map(|b| b.unwrap().indices).collect();
    /// let rest: Vec<_> = loader.epoch_from(3, 1).map(|b| b.unwrap().indices).collect();
    /// assert_eq!(rest, whole[1..]);
    /// ```
    pub fn epoch_from(&self, epoch: u64, first: usize) -> Epoch {
        let seed = self.seed_now();
        Epoch::start(Arc::new(self.clone()), self.order(epoch), seed, epoch, first)
    }

    /// The order in which epoch `epoch` reads the samples.
    pub fn order(&self, epoch: u64) -> Vec<usize> {
        match self.order {
            Order::Given => (0..self.dataset.len()).collect(),
            Order::Shuffled => Keyed::new(&[self.seed_now(), ORDER, epoch]).permutation(self.dataset.len()),
        }
    }

    /// Inputs and targets of one more epoch, for plain loops: `for (x, y) in loader.iter()`.
    ///
    /// Each call is a new epoch: it takes one draw of the thread's data stream as the epoch's number.
    ///
    /// ```
    /// use mapsto_data::prelude::*;
    /// use mapsto_tensor::prelude::*;
    /// let set = InMemory::new(tensor![[1.0], [2.0], [3.0]], tensor![0, 1, 0]);
    /// let mut sum = 0.0;
    /// for (x, _) in &set.batches(2).shuffle() {
    ///     sum += x.sum(..).item();
    /// }
    /// assert_eq!(sum, 6.0);
    /// ```
    ///
    /// # Panics
    /// The iterator, where [`epoch`](Loader::epoch) gives an error.
    pub fn iter(&self) -> Pairs {
        Pairs(self.epoch(random::next(Stream::Data).draw))
    }

    fn seed_now(&self) -> u64 {
        self.seed.unwrap_or_else(|| random::state().seed)
    }
}

impl IntoIterator for &Loader {
    type Item = (Tensor, Tensor);
    type IntoIter = Pairs;

    fn into_iter(self) -> Pairs {
        self.iter()
    }
}

/// Inputs and targets of an epoch; see [`Loader::iter`].
pub struct Pairs(Epoch);

impl Iterator for Pairs {
    type Item = (Tensor, Tensor);

    #[track_caller]
    fn next(&mut self) -> Option<(Tensor, Tensor)> {
        match self.0.next()? {
            Ok(batch) => Some((batch.x, batch.y)),
            Err(e) => error::raise(e),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InMemory;

    fn numbers(n: i64) -> InMemory {
        InMemory::new(Tensor::arange(0..n), Tensor::arange(0..n))
    }

    #[test]
    fn lengths_with_and_without_the_last_batch() {
        for (n, size, kept, dropped) in [(10, 4, 3, 2), (8, 4, 2, 2), (3, 4, 1, 0), (0, 4, 0, 0)] {
            let loader = numbers(n).batches(size);
            assert_eq!((loader.len(), loader.samples()), (kept, n as usize));
            assert_eq!(loader.epoch(0).count(), kept);
            let loader = loader.drop_last().workers(2);
            assert_eq!((loader.len(), loader.samples()), (dropped, dropped * size));
            assert_eq!(loader.epoch(0).count(), dropped);
        }
    }

    #[test]
    fn the_order_follows_seed_and_epoch() {
        let loader = numbers(50).batches(8);
        assert_eq!(loader.order(3), (0..50).collect::<Vec<_>>());
        let shuffled = loader.shuffle().seed(5);
        let mut sorted = shuffled.order(0);
        assert_ne!(sorted, (0..50).collect::<Vec<_>>());
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
        assert_ne!(shuffled.order(0), shuffled.order(1));
        assert_eq!(shuffled.order(1), shuffled.clone().order(1));
        assert_ne!(shuffled.order(0), shuffled.seed(6).order(0));
    }

    #[test]
    fn plain_loops_shuffle_anew_and_follow_the_threads_seed() {
        let loader = numbers(50).batches(50).shuffle();
        let run = || -> Vec<Vec<i64>> { (0..2).map(|_| loader.iter().next().unwrap().1.to_vec()).collect() };
        random::seed(3);
        let first = run();
        assert_ne!(first[0], first[1]);
        random::seed(3);
        assert_eq!(run(), first);
        random::seed(4);
        assert_ne!(run(), first);
    }
}
