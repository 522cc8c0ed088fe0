//! `Loader`: a dataset cut into batches, in an order that depends on the seed and the epoch and on nothing else.

use crate::batches::sealed::Reading;
use crate::batches::{Batches, Mapped, Set};
use crate::sampler::{InOrder, Shuffled};
use crate::{At, Collate, Dataset, Epoch, Info, Preprocess, Rows, Sample, SampleKey, Sampler, Transform};
use mapsto_tensor::random::{self, Keyed, Stream};
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor, error, fail};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

/// Reads a dataset batch by batch: in order or shuffled, on this thread or on workers, with transforms on the way.
///
/// The batches of an epoch, and every random transform in them, are a pure function of the seed and the epoch: equal
/// bits for any number of workers, and after an interruption ([`epoch_from`](Loader::epoch_from)). `B` is the type of a batch.
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
pub struct Loader<B = Sample> {
    pub(crate) dataset: Arc<dyn Batches<B>>,
    size: usize,
    transforms: Vec<Arc<dyn Transform>>,
    preprocess: Preprocess,
    /// How a batch is read where there are transforms or preprocessing, which only samples of `x` and `y` have.
    prepare: Option<Prepare<B>>,
    pub(crate) workers: usize,
    pub(crate) prefetch: usize,
    sampler: Arc<dyn Sampler>,
    last: Last,
    seed: Option<u64>,
    /// The epoch under way when the loader is a trainer's source; a clone has none.
    pub(crate) running: Running<B>,
}

type Prepare<B> = fn(&Loader<B>, Reading<'_>) -> Result<B>;

pub(crate) struct Running<B> {
    // Behind a mutex, since other threads read with the loader and what workers send is for one of them.
    pub(crate) epoch: Mutex<Option<Box<Epoch<B>>>>,
    pub(crate) samples: Vec<usize>,
}

impl<B> Default for Running<B> {
    fn default() -> Running<B> {
        Running { epoch: Mutex::new(None), samples: Vec::new() }
    }
}

impl<B> Clone for Loader<B> {
    fn clone(&self) -> Loader<B> {
        Loader {
            dataset: self.dataset.clone(),
            size: self.size,
            transforms: self.transforms.clone(),
            preprocess: self.preprocess.clone(),
            prepare: self.prepare,
            workers: self.workers,
            prefetch: self.prefetch,
            sampler: self.sampler.clone(),
            last: self.last,
            seed: self.seed,
            running: Running::default(),
        }
    }
}

/// What becomes of a last batch that is not full.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    Kept,
    Dropped,
}

/// A number of samples read together: `batch.x` and `batch.y` of a [`Sample`], or the fields of another batch `B`.
#[derive(Clone, Debug)]
pub struct Batch<B = Sample> {
    /// The samples: inputs `[n, ..]` with targets `[n]` (class ids) or `[n, ..]`, or a batch of another type.
    pub data: B,
    /// Which samples of the dataset these are.
    pub indices: Vec<usize>,
}

impl<B> Deref for Batch<B> {
    type Target = B;

    fn deref(&self) -> &B {
        &self.data
    }
}

impl Loader {
    /// Batches of `size` samples, in the set's order, the last one smaller if need be, read on the calling thread.
    ///
    /// # Panics
    /// If `size` is 0.
    #[track_caller]
    pub fn new(dataset: impl Dataset + 'static, size: usize) -> Loader {
        Loader::of(dataset, size)
    }

    /// Adds a transform of the inputs, after those already there.
    #[must_use]
    pub fn transform(mut self, transform: impl Transform + 'static) -> Loader {
        self.transforms.push(Arc::new(transform));
        self.prepare = Some(prepared);
        self
    }

    /// Sets the deterministic steps that come after the transforms, and that travel with the model.
    ///
    /// # Panics
    /// When the steps are meant for other numbers than the set's, as [`Preprocess::fit`] refuses them.
    #[track_caller]
    #[must_use]
    pub fn preprocess(mut self, preprocess: Preprocess) -> Loader {
        if let Some(range) = self.dataset.range().filter(|_| self.transforms.is_empty() && !self.is_empty())
            && let Ok(Sample { x, .. }) = self.dataset.batch(&[0])
            && let Err(e) = preprocess.check(range, &x)
        {
            error::raise(e);
        }
        self.preprocess = preprocess;
        self.prepare = Some(prepared);
        self
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
}

/// Samples with transforms and preprocessing.
fn prepared(loader: &Loader, at: Reading<'_>) -> Result<Sample> {
    let is_prepared = !loader.transforms.is_empty() || !loader.preprocess.is_empty();
    let exact = if is_prepared { loader.dataset.exact_batch(at.indices)? } else { None };
    let rounded = exact.is_some();
    let mut batch = match exact {
        Some(batch) => batch,
        None => loader.dataset.read(at)?,
    };
    let classes =
        if loader.transforms.iter().any(|t| t.mixes()) { loader.dataset.info().classes.len() } else { 0 };
    for (place, transform) in loader.transforms.iter().enumerate() {
        let keys: Vec<SampleKey> = at
            .indices
            .iter()
            .map(|&sample| SampleKey { seed: at.seed, epoch: at.epoch, sample, place })
            .collect();
        batch = transform.apply_to(batch, &keys, classes)?;
    }
    let Sample { x, y } = batch;
    let x = loader.preprocess.apply(x);
    if !rounded {
        return Ok(Sample { x, y });
    }
    let x = x.to(DType::F32);
    let dataset = &loader.dataset;
    check_finite(&x, |i| dataset.name(at.indices[i]), &dataset.info().features)?;
    Ok(Sample { x, y })
}

/// Finds the cells of a table that preprocessing has left, or made, too large for `f32`: all cells of tables are finite.
fn check_finite(x: &Tensor, name: impl Fn(usize) -> String, features: &[String]) -> Result<()> {
    let at = x.as_slice::<f32>().and_then(|x| x.iter().position(|v| !v.is_finite()));
    let (Some(at), Some(&width)) = (at, x.shape().get(1)) else { return Ok(()) };
    let column = at % width;
    let column = features.get(column).map_or(column.to_string(), |name| format!("`{name}`"));
    let message = format!(
        "{}, column {column}: too large, once preprocessed, for the 32 bits that models compute in",
        name(at / width)
    );
    Err(Error::new(ErrorKind::Data, message)
        .help("standardize the inputs, or divide the column by a common number"))
}

impl<B: Rows> Loader<B> {
    /// As [`Loader::new`], of samples of any type.
    #[track_caller]
    pub(crate) fn of<S: Collate<Batch = B>>(dataset: impl Dataset<S> + 'static, size: usize) -> Loader<B> {
        if size == 0 {
            fail!("batches", "a batch of 0 samples"; help = "the smallest batch has 1 sample");
        }
        Loader::reading(Arc::new(Set(dataset, PhantomData)), size)
    }

    fn reading(dataset: Arc<dyn Batches<B>>, size: usize) -> Loader<B> {
        Loader {
            dataset,
            size,
            transforms: Vec::new(),
            preprocess: Preprocess::new(),
            prepare: None,
            workers: 0,
            prefetch: 2,
            sampler: Arc::new(InOrder),
            last: Last::Kept,
            seed: None,
            running: Running::default(),
        }
    }

    /// Reads the samples in a random order, another in each epoch.
    #[must_use]
    pub fn shuffle(self) -> Loader<B> {
        self.sampler(Shuffled)
    }

    /// Reads the samples in an order of one's own, such as [`ByLength`](crate::ByLength).
    #[must_use]
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Loader<B> {
        self.sampler = Arc::new(sampler);
        self
    }

    /// Sets the seed of the order and of the transforms. Without it, the thread's seed counts when an epoch begins.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Loader<B> {
        self.seed = Some(seed);
        self
    }

    /// Leaves out the last batch where it is not full.
    #[must_use]
    pub fn drop_last(mut self) -> Loader<B> {
        self.last = Last::Dropped;
        self
    }

    /// Reads on `n` background threads, ahead of whoever uses the batches; 0 reads on the calling thread.
    #[must_use]
    pub fn workers(mut self, n: usize) -> Loader<B> {
        self.workers = n;
        self
    }

    /// How many finished batches each worker may have waiting (2 unless said): the bound on memory.
    ///
    /// # Panics
    /// If `batches` is 0.
    #[track_caller]
    #[must_use]
    pub fn prefetch(mut self, batches: usize) -> Loader<B> {
        if batches == 0 {
            fail!("prefetch", "workers need room for one batch"; help = "use `.workers(0)` to read without threads");
        }
        self.prefetch = batches;
        self
    }

    /// Makes another batch of each: augmentation, two views of an image, an image that is its own target. What `f` draws comes
    /// from its second argument, which depends on seed, epoch and samples alone.
    ///
    /// ```
    /// use mapsto_data::prelude::*;
    /// use mapsto_tensor::prelude::*;
    /// let set = InMemory::new(Tensor::ones([4, 2]), Tensor::zeros([4, 1]));
    /// let views = set.batches(4).map(|batch, random| (&batch.x * random.uniform(0.5, 1.0), batch.x));
    /// let (dimmed, image) = views.epoch(0).next().unwrap()?.data;
    /// assert_eq!((dimmed.shape(), image.to_vec::<f32>()), (&[4, 2][..], vec![1.0; 8]));
    /// assert!(dimmed.to_vec::<f32>()[0] < 1.0);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn map<C: Rows>(self, f: impl Fn(B, &mut Keyed) -> C + Send + Sync + 'static) -> Loader<C> {
        let (size, workers, prefetch) = (self.size, self.workers, self.prefetch);
        let (sampler, last, seed) = (self.sampler.clone(), self.last, self.seed);
        let mapped = Loader::reading(Arc::new(Mapped { inner: self, f }), size);
        Loader { workers, prefetch, sampler, last, seed, ..mapped }
    }

    /// The number of batches in an epoch.
    pub fn len(&self) -> usize {
        let samples = self.sampler.count(self.dataset.len());
        match self.last {
            Last::Kept => samples.div_ceil(self.size),
            Last::Dropped => samples / self.size,
        }
    }

    /// Whether an epoch has no batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of samples in an epoch.
    pub fn samples(&self) -> usize {
        self.sampler.count(self.dataset.len()).min(self.len() * self.size)
    }

    /// The number of samples in a full batch.
    pub fn batch_size(&self) -> usize {
        self.size
    }

    /// The set that is read.
    pub fn dataset(&self) -> &dyn Batches<B> {
        &*self.dataset
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
        self.sampler.is_random()
    }

    /// The batches of epoch `epoch`.
    ///
    /// Each item is a batch, or the error that ended the epoch: it names the damaged sample. A panic in the dataset or
    /// in a transform is such an error too.
    pub fn epoch(&self, epoch: u64) -> Epoch<B> {
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
    pub fn epoch_from(&self, epoch: u64, first: usize) -> Epoch<B> {
        let seed = self.seed_now();
        Epoch::start(Arc::new(self.clone()), self.order(epoch), seed, epoch, first)
    }

    /// The order in which epoch `epoch` reads the samples.
    ///
    /// # Panics
    /// When a sampler gives another number of samples than it says, or one that the set does not have.
    pub fn order(&self, epoch: u64) -> Vec<usize> {
        let len = self.dataset.len();
        let order = self.sampler.order(&At { seed: self.seed_now(), epoch, len, size: self.size });
        let count = self.sampler.count(len);
        if order.len() != count || order.iter().any(|&i| i >= len) {
            fail!("sampler", "an order of {} samples, not {count} of 0..{len}", order.len();
                help = "`order` gives `count(len)` indices, each below `at.len`");
        }
        order
    }

    /// Reads some samples as they are asked for.
    pub(crate) fn read(&self, at: Reading<'_>) -> Result<B> {
        match self.prepare {
            Some(prepare) => prepare(self, at),
            None => self.dataset.read(at),
        }
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
            Ok(batch) => Some((batch.data.x, batch.data.y)),
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

    #[test]
    fn mapped_batches_depend_on_seed_and_epoch_alone() {
        let loader = numbers(10).batches(4).shuffle().seed(2).map(|batch, random| {
            let drawn = Tensor::from_vec(
                (0..batch.x.len()).map(|_| random.below(1000) as i64).collect(),
                batch.x.len(),
            );
            (batch.x, drawn)
        });
        let drawn = |loader: &Loader<(Tensor, Tensor)>, epoch| -> Vec<(Vec<i64>, Vec<i64>)> {
            loader.epoch(epoch).map(|b| b.unwrap()).map(|b| (b.0.to_vec(), b.1.to_vec())).collect()
        };
        let first = drawn(&loader, 1);
        assert_eq!(first.iter().map(|b| b.0.len()).collect::<Vec<_>>(), [4, 4, 2]);
        assert_eq!(drawn(&loader.clone().workers(2), 1), first);
        assert_eq!(loader.epoch_from(1, 2).next().unwrap().unwrap().1.to_vec::<i64>(), first[2].1);
        assert_ne!(drawn(&loader, 2), first);
        assert_ne!(first[0].1, first[1].1);
    }

    #[test]
    fn an_order_that_is_none_is_refused() {
        struct Wrong(Vec<usize>);
        impl Sampler for Wrong {
            fn order(&self, _: &At) -> Vec<usize> {
                self.0.clone()
            }
        }
        for order in [vec![0, 1], vec![0, 1, 3]] {
            let e =
                mapsto_tensor::catch(|| numbers(3).batches(2).sampler(Wrong(order)).order(0)).unwrap_err();
            assert!(e.message().contains("not 3 of 0..3"), "{e}");
        }
    }
}
