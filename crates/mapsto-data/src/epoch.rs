//! `Epoch`: one pass over a loader's batches, read here or by workers ahead of time, never in another order.

use crate::batches::sealed::Reading;
use crate::{Batch, Loader, Rows, Sample};
use mapsto_tensor::random::{self, Keyed, RandomState};
use mapsto_tensor::{Error, ErrorKind, Result, catch, no_grad};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

/// The batches of one epoch, in order; made by [`Loader::epoch`].
///
/// An error ends it. Dropping it early stops the workers and waits until they have.
pub struct Epoch<B = Sample> {
    plan: Arc<Plan<B>>,
    /// The next batch, counted from the start of the epoch.
    next: usize,
    /// The worker whose turn is next is in front: worker `w` of `n` reads batches `first + w`, `first + w + n`, …
    workers: VecDeque<Worker<B>>,
    over: bool,
}

/// All that decides what is in the epoch's batches.
struct Plan<B> {
    loader: Arc<Loader<B>>,
    order: Vec<usize>,
    seed: u64,
    epoch: u64,
}

struct Worker<B> {
    batches: Receiver<Result<Batch<B>>>,
    thread: JoinHandle<()>,
}

// Keeps what datasets and transforms draw from the thread's own randomness apart from everything else.
const BATCH: u64 = 0x62_61_74_63_68;

impl<B: Rows> Epoch<B> {
    pub(crate) fn start(
        loader: Arc<Loader<B>>,
        order: Vec<usize>,
        seed: u64,
        epoch: u64,
        first: usize,
    ) -> Epoch<B> {
        let plan = Arc::new(Plan { loader, order, seed, epoch });
        let left = plan.loader.len().saturating_sub(first);
        let count = plan.loader.workers.min(left);
        let workers =
            (0..count).map(|w| plan.employ(first + w, count)).collect::<Option<VecDeque<Worker<B>>>>();
        // Without threads to be had the batches are read here: the same bits, only later.
        Epoch { plan, next: first, workers: workers.unwrap_or_default(), over: false }
    }

    /// The number of the batch that comes next: what to give to [`Loader::epoch_from`] to go on from here.
    pub fn position(&self) -> usize {
        self.next
    }
}

impl<B: Rows> Iterator for Epoch<B> {
    type Item = Result<Batch<B>>;

    fn next(&mut self) -> Option<Result<Batch<B>>> {
        if self.over || self.next >= self.plan.loader.len() {
            return None;
        }
        let batch = match self.workers.pop_front() {
            None => self.plan.read(self.next),
            Some(worker) => {
                let batch = worker.batches.recv().unwrap_or_else(|_| {
                    Err(Error::new(
                        ErrorKind::Data,
                        format!("the worker reading batch {} stopped", self.next),
                    ))
                });
                self.workers.push_back(worker);
                batch
            }
        };
        self.next += 1;
        self.over = batch.is_err();
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // An error may end it at any batch.
        (0, Some(self.plan.loader.len().saturating_sub(self.next)))
    }
}

impl<B> Drop for Epoch<B> {
    fn drop(&mut self) {
        // Every receiver goes before any thread is waited for: a worker blocked on a full channel must see it close.
        let threads: Vec<JoinHandle<()>> = self.workers.drain(..).map(|worker| worker.thread).collect();
        for thread in threads {
            // A worker's panics were turned into errors on its way.
            let _ = thread.join();
        }
    }
}

impl<B: Rows> Plan<B> {
    /// Starts a worker on batches `first`, `first + step`, …; none where the system has no thread to give.
    fn employ(self: &Arc<Plan<B>>, first: usize, step: usize) -> Option<Worker<B>> {
        let (finished, batches) = sync_channel(self.loader.prefetch.min(self.loader.len()));
        let plan = self.clone();
        let work = move || {
            for k in (first..plan.loader.len()).step_by(step) {
                let batch = plan.read(k);
                let over = batch.is_err();
                if finished.send(batch).is_err() || over {
                    break;
                }
            }
        };
        let thread = Builder::new().name("mapsto-loader".into()).spawn(work).ok()?;
        Some(Worker { batches, thread })
    }

    /// Batch `k`, whoever reads it.
    fn read(&self, k: usize) -> Result<Batch<B>> {
        let size = self.loader.batch_size();
        let from = k * size;
        let indices = self.order[from..(from + size).min(self.order.len())].to_vec();
        let at = Reading { seed: self.seed, epoch: self.epoch, indices: &indices };
        let data = self.with_own_randomness(k, || self.loader.read(at))?;
        Ok(Batch { data, indices })
    }

    /// Runs `body` with thread-local randomness that depends on the batch only, and turns its panics into errors.
    ///
    /// A dataset may well call `Tensor::randn`: without this its numbers would depend on which thread reads the batch.
    fn with_own_randomness<T>(&self, k: usize, body: impl FnOnce() -> Result<T>) -> Result<T> {
        let before = random::state();
        let seed = Keyed::new(&[self.seed, BATCH, self.epoch, k as u64]).bits();
        random::set_state(&RandomState { seed, ..RandomState::default() });
        let outcome =
            catch(|| no_grad(body)).map_err(|e| e.context(format!("batch {k} of epoch {}", self.epoch)));
        random::set_state(&before);
        outcome.and_then(|read| read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dataset, InMemory, Noise, Preprocess, SampleKey, Shift, preprocess::Normalize};
    use mapsto_tensor::Tensor;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn images(n: usize) -> InMemory {
        let bytes: Vec<u8> = (0..n * 36).map(|i| (i * 7 % 251) as u8).collect();
        InMemory::from_pixels(Tensor::from_vec(bytes, [n, 1, 6, 6]), Tensor::arange(0..n as i64))
    }

    fn bits(epoch: Epoch) -> Vec<(Vec<u32>, Vec<i64>, Vec<usize>)> {
        epoch
            .map(|batch| batch.unwrap())
            .map(|b| (b.x.to_vec::<f32>().iter().map(|v| v.to_bits()).collect(), b.y.to_vec(), b.indices))
            .collect()
    }

    #[test]
    fn the_same_bits_for_any_number_of_workers_and_after_resuming() {
        let loader = images(103)
            .batches(10)
            .shuffle()
            .seed(11)
            .transform(Shift::new(2))
            .transform(Noise::new(0.1))
            .transform(|x: Tensor, _: SampleKey| &x + &Tensor::randn(x.shape()))
            .preprocess(Preprocess::new().then(Normalize::new([0.5], [0.25])));
        let want = bits(loader.epoch(2));
        assert_eq!(want.len(), 11);
        for workers in [1, 4, 30] {
            let loader = loader.clone().workers(workers);
            assert_eq!(bits(loader.epoch(2)), want, "{workers} workers");
            for first in [1, 5, 10, 11, 12] {
                assert_eq!(
                    bits(loader.epoch_from(2, first)),
                    want[first.min(11)..],
                    "{workers} workers from {first}"
                );
            }
        }
        assert_ne!(bits(loader.epoch(3)), want);
        assert_ne!(bits(loader.seed(12).epoch(2)), want);
    }

    #[test]
    fn reading_leaves_the_threads_own_randomness_alone() {
        random::seed(9);
        let want = Tensor::randn([4]).to_vec::<f32>();
        random::seed(9);
        images(20)
            .batches(4)
            .transform(|x: Tensor, _: SampleKey| &x + &Tensor::randn(x.shape()))
            .epoch(0)
            .count();
        assert_eq!(Tensor::randn([4]).to_vec::<f32>(), want);
    }

    /// Fails in the given way at sample 23 and counts what was read.
    struct Failing(fn() -> Result<Sample>, AtomicUsize);

    impl Dataset for Failing {
        fn len(&self) -> usize {
            1000
        }
        fn get(&self, i: usize) -> Result<Sample> {
            self.1.fetch_add(1, Ordering::SeqCst);
            if i == 23 { (self.0)() } else { Ok(Sample { x: Tensor::zeros([2]), y: Tensor::zeros([1]) }) }
        }
    }

    #[test]
    fn a_damaged_sample_ends_the_epoch_by_name_and_the_workers_stop() {
        let damaged: fn() -> Result<Sample> = || Err(Error::new(ErrorKind::Data, "not a PNG file"));
        let panicking: fn() -> Result<Sample> = || panic!("a bug in a decoder");
        for (how, what) in
            [(damaged, "sample 23: not a PNG file"), (panicking, "sample 23: a bug in a decoder")]
        {
            for workers in [0, 1, 4] {
                let set = Arc::new(Failing(how, AtomicUsize::new(0)));
                let batches: Vec<_> = set.batches(5).workers(workers).prefetch(1).epoch(0).collect();
                assert_eq!(batches.len(), 5, "batches 0 to 3, then the error");
                assert!(batches[..4].iter().all(|b| b.is_ok()));
                assert_eq!(batches[4].as_ref().err().unwrap().message(), what);
                // Each worker had room for one finished batch and one in its hands.
                assert!(set.1.load(Ordering::SeqCst) <= 25 + 5 * 3 * workers, "{workers}: {:?}", set.1);
                assert_eq!(Arc::strong_count(&set), 1, "the workers are gone");
            }
        }
    }

    #[test]
    fn a_panic_in_a_transform_names_transform_and_sample() {
        let fussy = |x: Tensor, key: SampleKey| match key.sample {
            7 => panic!("too dark"),
            _ => x,
        };
        for workers in [0, 2] {
            let outcome: Result<Vec<Batch>> =
                images(20).batches(4).transform(fussy).workers(workers).epoch(0).collect();
            let e = outcome.err().unwrap();
            assert_eq!(e.message(), "batch 1 of epoch 0: transform of sample 7: too dark");
        }
    }

    #[test]
    fn prefetch_is_bounded_and_an_abandoned_epoch_ends() {
        let never: fn() -> Result<Sample> = || Err(Error::new(ErrorKind::Data, "unreachable"));
        let set = Arc::new(Failing(never, AtomicUsize::new(0)));
        drop(set.batches(1).workers(1).prefetch(usize::MAX).epoch(0));
        let set = Arc::new(Failing(never, AtomicUsize::new(0)));
        let mut epoch = set.batches(1).workers(2).prefetch(3).epoch(0);
        epoch.next().unwrap().unwrap();
        assert_eq!(epoch.position(), 1);
        drop(epoch);
        // One taken; of each worker 3 waiting, 1 in hand and 1 more begun before the channel closed.
        assert!(set.1.load(Ordering::SeqCst) <= 1 + 2 * 5, "{:?}", set.1);
        assert_eq!(Arc::strong_count(&set), 1);
    }
}
