//! The thread pool: fixed blocks of work, taken by whoever is free, so that results never depend on who did what.
//!
//! One job runs at a time. Its caller works too, and workers *join* a job rather than being waited for: a job ends
//! when its blocks are done, even if some worker never woke. A worker that runs out of work looks out for the next
//! job for [`SPIN`] and then sleeps, so a chain of small kernels does not pay for a wake-up (a system call and some
//! microseconds) each time; a job of two empty blocks takes 0.08 µs while a worker is awake. A call from inside a job,
//! or while another thread has the pool, runs on the spot.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::simd::{self, Isa};

/// How many threads a kernel called from here may use: [`with_threads`]'s number, else [`set_threads`]'s, else one
/// for each core.
///
/// ```
/// use mapsto_kernels::threads::{threads, with_threads};
/// assert_eq!(with_threads(3, threads), 3);
/// ```
pub fn threads() -> usize {
    let here = HERE.get();
    let n = if here > 0 { here } else { EVERYWHERE.load(Relaxed) };
    if n > 0 { n } else { cores() }
}

/// Sets the number of threads for the whole process; 0 is one for each core, the default.
pub fn set_threads(n: usize) {
    EVERYWHERE.store(n.min(MOST), Relaxed);
}

/// Runs `f` with `n` threads (0: one for each core) for the kernels it calls from this thread; scopes nest.
///
/// ```
/// use mapsto_kernels::threads::{threads, with_threads};
/// assert_eq!(with_threads(4, || (threads(), with_threads(1, threads), threads())), (4, 1, 4));
/// ```
pub fn with_threads<R>(n: usize, f: impl FnOnce() -> R) -> R {
    struct Restore(usize);
    impl Drop for Restore {
        fn drop(&mut self) {
            HERE.set(self.0);
        }
    }
    let _restore = Restore(HERE.replace(if n == 0 { cores() } else { n.min(MOST) }));
    f()
}

/// Calls `f(0), … f(blocks - 1)`, each once, on up to [`threads`] threads, and returns when all are done.
///
/// Cut the work by its size, never by the number of threads, and let each block write what no other touches: then the
/// result is the same bits on any machine. `cost` is the whole job's elementary operations, roughly (one fused
/// multiply-add or one element moved is 1); below [`WORTH_SHARING`] the blocks run on the spot, in order.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
/// let sum = AtomicUsize::new(0);
/// mapsto_kernels::threads::parallel(100, 1_000_000, |i| {
///     sum.fetch_add(i, Relaxed);
/// });
/// assert_eq!(sum.into_inner(), 4950);
/// ```
///
/// # Panics
/// With the first panic of `f`; blocks not yet begun are then left out.
#[inline]
pub fn parallel(blocks: usize, cost: usize, f: impl Fn(usize) + Sync) {
    // Called through a pointer, so that the body of `f` is compiled once, not once for each way to run it.
    run(blocks, cost, &f)
}

fn run(blocks: usize, cost: usize, f: &(dyn Fn(usize) + Sync)) {
    if blocks > 1 && cost >= WORTH_SHARING && !INSIDE.get() {
        if blocks > MOST_BLOCKS {
            return in_jobs(blocks, MOST_BLOCKS, cost, f);
        }
        let helpers = threads().min(blocks) - 1;
        if helpers > 0 && share(blocks, helpers, f) {
            return;
        }
    }
    (0..blocks).for_each(f);
}

/// One job after the other, of at most `most` blocks each.
#[cold]
fn in_jobs(blocks: usize, most: usize, cost: usize, f: &(dyn Fn(usize) + Sync)) {
    for from in (0..blocks).step_by(most) {
        run(most.min(blocks - from), cost, &|i| f(from + i));
    }
}

/// Cuts `out` into pieces of `chunk` elements (the last may be shorter) and calls `f(index, piece)` for each, as
/// [`parallel`] does.
///
/// ```
/// let mut x = [0; 7];
/// mapsto_kernels::threads::for_chunks(&mut x, 3, 7, |i, piece| piece.fill(i));
/// assert_eq!(x, [0, 0, 0, 1, 1, 1, 2]);
/// ```
///
/// # Panics
/// If `chunk` is 0 while `out` is not empty, or as `f` does.
pub fn for_chunks<T: Send>(out: &mut [T], chunk: usize, cost: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    let pieces = Pieces::new(out);
    in_chunks(pieces.len, chunk, cost, &|i, start, len| {
        // SAFETY: the pieces [i·chunk, (i + 1)·chunk) do not overlap, and `in_chunks` gives each `i` to one call.
        f(i, unsafe { pieces.get(start, len) });
    });
}

/// Calls `f(index, start, length)` for each piece of `len` elements; compiled once for all types and functions.
fn in_chunks(len: usize, chunk: usize, cost: usize, f: &(dyn Fn(usize, usize, usize) + Sync)) {
    if len == 0 {
        return;
    }
    assert!(chunk > 0, "for_chunks: the pieces have no elements\nhelp: use a piece of at least 1");
    run(len.div_ceil(chunk), cost, &|i| {
        let start = i * chunk;
        f(i, start, chunk.min(len - start));
    });
}

/// Work below this many elementary operations is not shared: it takes about as long as telling another thread.
/// (An interpreter, which looks for mistakes and is not in a hurry, shares everything.)
pub const WORTH_SHARING: usize = if cfg!(miri) { 1 } else { 30_000 };

/// A mutable slice that blocks of one job take disjoint pieces of.
#[derive(Clone, Copy)]
pub(crate) struct Pieces<T> {
    start: *mut T,
    len: usize,
}

// SAFETY: a piece is reached only through `get`, whose caller promises that pieces in use at once do not overlap.
unsafe impl<T: Send> Sync for Pieces<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Pieces<T> {}

impl<T> Pieces<T> {
    /// Of the whole of `out`; the caller keeps `out` borrowed for as long as the pieces are used.
    pub(crate) fn new(out: &mut [T]) -> Pieces<T> {
        Pieces { start: out.as_mut_ptr(), len: out.len() }
    }

    /// A pointer to element `start`, for kernels whose pieces are not contiguous.
    ///
    /// # Safety
    /// As for [`Pieces::get`], for all that is reached through it.
    pub(crate) unsafe fn at(&self, start: usize) -> *mut T {
        assert!(start <= self.len, "a piece begins beyond its slice");
        // SAFETY: in bounds, or one past the end.
        unsafe { self.start.add(start) }
    }

    /// The `len` elements from `start`.
    ///
    /// # Safety
    /// The slice given to `new` is still borrowed, and no other piece in use overlaps this one.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn get<'a>(&self, start: usize, len: usize) -> &'a mut [T] {
        assert!(start <= self.len && len <= self.len - start, "a piece reaches beyond its slice");
        // SAFETY: in bounds by the line above; alone by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}

const MOST: usize = 1024;
/// Blocks of one job. Each thread takes one block too many when none is left, and neither count of [`Job::taken`] may
/// reach 2³² by that: the one would wrap to 0 and give blocks again, the other carry into its neighbour.
const MOST_BLOCKS: usize = u32::MAX as usize - 2 * MOST;
const SPIN: Duration = Duration::from_micros(50);

static EVERYWHERE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static HERE: Cell<usize> = const { Cell::new(0) };
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, |n| n.get()).min(MOST))
}

/// What the workers of one job share; it lies on the caller's stack.
#[repr(align(128))]
struct Job<'a> {
    /// Blocks taken from the front (bits 0-31) and from the back (32-63).
    taken: AtomicU64,
    blocks: usize,
    f: &'a (dyn Fn(usize) + Sync),
    isa: Option<Isa>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Where blocks are taken. The caller begins at the front and workers at the back, so that from kernel to kernel the same
/// end of the data stays in the cache of the same core (Adam on 50,176 numbers by two threads: 16.5 → 15.0 µs).
#[derive(Clone, Copy)]
enum End {
    Front,
    Back,
}

impl Job<'_> {
    /// The next block that nobody has taken.
    fn take(&self, end: End) -> Option<usize> {
        let one = match end {
            End::Front => 1,
            End::Back => 1 << 32,
        };
        let taken = self.taken.fetch_add(one, Relaxed);
        let (front, back) = ((taken & 0xffff_ffff) as usize, (taken >> 32) as usize);
        let left = self.blocks.checked_sub(front + back).filter(|&left| left > 0)?;
        Some(match end {
            End::Front => front,
            End::Back => front + left - 1,
        })
    }

    fn work(&self, end: End) {
        let run = || {
            while let Some(i) = self.take(end) {
                (self.f)(i);
            }
        };
        INSIDE.set(true);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
            self.taken.store(self.blocks as u64, Relaxed);
            let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
            let later = if first.is_none() { first.replace(payload) } else { Some(payload) };
            drop(first);
            discard(later);
        }
        INSIDE.set(false);
    }
}

/// Drops a panic's payload, whose own `drop` may panic: nothing may unwind past a job that others still work on.
fn discard(payload: Option<Box<dyn Any + Send>>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(another); // its drop might panic again, and so on without an end
    }
}

/// The door of the job at hand, in one word so that joining is one compare-and-swap:
/// open (bit 63), the job's number (bits 32-62), how many may join (16-31), how many are in (0-15).
#[repr(align(128))]
struct Gate(AtomicU64);

static GATE: Gate = Gate(AtomicU64::new(0));
static JOB: AtomicPtr<Job<'static>> = AtomicPtr::new(std::ptr::null_mut());
static WORKERS: Mutex<Vec<Worker>> = Mutex::new(Vec::new());

const OPEN: u64 = 1 << 63;
const NUMBER: u64 = 0x7fff_ffff << 32;

struct Worker {
    thread: Thread,
    asleep: Arc<AtomicBool>,
}

/// Runs the job with the pool's help; false if another thread has the pool.
fn share(blocks: usize, helpers: usize, f: &(dyn Fn(usize) + Sync)) -> bool {
    let mut workers = match WORKERS.try_lock() {
        Ok(workers) => workers,
        Err(TryLockError::Poisoned(e)) => e.into_inner(),
        Err(TryLockError::WouldBlock) => return false,
    };
    while workers.len() < helpers {
        match hire(workers.len()) {
            Some(worker) => workers.push(worker),
            None => break, // the system gives no more threads: the caller and those there are do the work
        }
    }
    let job = Job { taken: AtomicU64::new(0), blocks, f, isa: simd::forced(), panic: Mutex::new(None) };
    JOB.store((&raw const job).cast_mut().cast(), Relaxed);
    let number = (GATE.0.load(Relaxed).wrapping_add(1 << 32)) & NUMBER;
    GATE.0.store(OPEN | number | (helpers as u64) << 16, SeqCst);
    for worker in workers.iter().take(helpers) {
        if worker.asleep.swap(false, SeqCst) {
            worker.thread.unpark();
        }
    }
    job.work(End::Front);
    // Nobody joins from here on; those inside still borrow `job`. `work` does not unwind, so this line is reached.
    GATE.0.fetch_and(!OPEN, AcqRel);
    let mut looks = 0u32;
    while GATE.0.load(Acquire) & 0xffff != 0 {
        looks += 1;
        if looks < 4000 { std::hint::spin_loop() } else { thread::yield_now() }
    }
    drop(workers);
    if let Some(payload) = job.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(payload);
    }
    true
}

fn hire(index: usize) -> Option<Worker> {
    let asleep = Arc::new(AtomicBool::new(false));
    let flag = asleep.clone();
    // More threads than cores would spin on the cores that others need.
    let spin = if index + 1 < cores() { SPIN } else { Duration::ZERO };
    let body = move || serve(&flag, spin);
    let handle = thread::Builder::new().name(format!("mapsto-{}", index + 1)).spawn(body).ok()?;
    Some(Worker { thread: handle.thread().clone(), asleep })
}

/// A worker's life: join the job at hand, else look out for the next, else sleep.
fn serve(asleep: &AtomicBool, spin: Duration) {
    let mut done = 0;
    let mut since = Instant::now();
    loop {
        for _ in 0..64 {
            let gate = GATE.0.load(SeqCst);
            if gate & OPEN != 0 && gate & NUMBER != done && join(gate) {
                done = gate & NUMBER;
                since = Instant::now();
            }
            std::hint::spin_loop();
        }
        if since.elapsed() < spin {
            continue;
        }
        asleep.store(true, SeqCst);
        // Whoever opened the gate before seeing `asleep` is seen here; whoever opens it later wakes us.
        let gate = GATE.0.load(SeqCst);
        if gate & OPEN == 0 || gate & NUMBER == done || gate >> 16 & 0xffff == gate & 0xffff {
            while asleep.load(SeqCst) {
                thread::park();
            }
        }
        asleep.store(false, SeqCst);
        since = Instant::now();
    }
}

fn join(gate: u64) -> bool {
    let (inside, most) = (gate & 0xffff, gate >> 16 & 0xffff);
    if inside >= most || GATE.0.compare_exchange(gate, gate + 1, AcqRel, Relaxed).is_err() {
        return false;
    }
    // SAFETY: the gate was open and now counts us in, and `share` keeps the job alive until it counts nobody.
    let job = unsafe { &*JOB.load(Relaxed) };
    simd::with_forced(job.isa, || job.work(End::Back));
    GATE.0.fetch_sub(1, AcqRel);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_runs_once_on_any_number_of_threads() {
        for n in [1, 2, 3, 8, 33] {
            for blocks in [0, 1, 2, 7, 100, 1000] {
                let seen: Vec<AtomicUsize> = (0..blocks).map(|_| AtomicUsize::new(0)).collect();
                with_threads(n, || {
                    parallel(blocks, usize::MAX, |i| {
                        seen[i].fetch_add(1, Relaxed);
                    })
                });
                assert!(seen.iter().all(|s| s.load(Relaxed) == 1), "{n} threads, {blocks} blocks");
            }
        }
    }

    #[test]
    fn work_really_runs_on_several_threads() {
        // Two blocks that wait for each other can only end if two threads run them. Another test may have the pool,
        // and then they run one after the other: the wait gives up and the attempt is repeated.
        let together = || {
            let here = AtomicUsize::new(0);
            let met = AtomicUsize::new(0);
            with_threads(2, || {
                parallel(2, usize::MAX, |_| {
                    here.fetch_add(1, SeqCst);
                    let start = Instant::now();
                    while here.load(SeqCst) < 2 && start.elapsed() < Duration::from_millis(200) {
                        thread::yield_now();
                    }
                    met.fetch_add((start.elapsed() < Duration::from_millis(200)) as usize, SeqCst);
                })
            });
            met.into_inner() == 2
        };
        assert!((0..50).any(|_| together()));
    }

    #[test]
    fn no_block_of_the_largest_job_is_taken_twice_by_the_most_threads() {
        let nothing = |_: usize| {};
        let job = |taken: u64| Job {
            taken: AtomicU64::new(taken),
            blocks: MOST_BLOCKS,
            f: &nothing,
            isa: None,
            panic: Mutex::new(None),
        };
        // All but five blocks are taken, from either end; then each thread finds out for itself that none is left.
        for (front, back) in
            [(MOST_BLOCKS - 5, 0), (0, MOST_BLOCKS - 5), (MOST_BLOCKS / 2, MOST_BLOCKS.div_ceil(2) - 5)]
        {
            let job = job(front as u64 | (back as u64) << 32);
            let mut left: Vec<usize> = (0..4).map(|_| job.take(End::Back).unwrap()).collect();
            left.push(job.take(End::Front).unwrap());
            left.sort();
            assert_eq!(left, (front..front + 5).collect::<Vec<_>>());
            assert!((0..MOST).all(|_| job.take(End::Back).is_none()) && job.take(End::Front).is_none());
        }
        // A panic takes all at once.
        let job = job(MOST_BLOCKS as u64);
        assert!((0..MOST).all(|_| job.take(End::Back).is_none()) && job.take(End::Front).is_none());
    }

    #[test]
    fn more_blocks_than_a_job_holds_run_once_each_in_several() {
        for (blocks, most) in [(10, 3), (9, 3), (1, 3), (0, 3), (100, 64)] {
            let seen: Vec<AtomicUsize> = (0..blocks).map(|_| AtomicUsize::new(0)).collect();
            let count = |i: usize| {
                seen[i].fetch_add(1, Relaxed);
            };
            with_threads(3, || in_jobs(blocks, most, usize::MAX, &count));
            assert!(seen.iter().all(|s| s.load(Relaxed) == 1), "{blocks} blocks by {most}");
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_survives_it() {
        for _ in 0..20 {
            let run = || with_threads(4, || parallel(64, usize::MAX, |i| assert!(i != 13, "block thirteen")));
            let payload = catch_unwind(run).unwrap_err();
            assert_eq!(payload.downcast_ref::<&str>(), Some(&"block thirteen"));
        }
        each_block_runs_once_on_any_number_of_threads();
    }

    #[test]
    fn a_job_inside_a_job_runs_on_the_spot_and_callers_do_not_disturb_each_other() {
        let sum = AtomicUsize::new(0);
        thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for _ in 0..200 {
                        with_threads(3, || {
                            parallel(5, usize::MAX, |i| {
                                parallel(4, usize::MAX, |j| {
                                    sum.fetch_add(i * 4 + j, Relaxed);
                                })
                            })
                        });
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 4 * 200 * 190);
    }

    #[test]
    fn chunks_cover_the_slice_and_know_the_forced_family() {
        let mut x = vec![0usize; 100_003];
        simd::with_isa(Isa::Portable, || {
            with_threads(4, || {
                for_chunks(&mut x, 1000, usize::MAX, |i, piece| {
                    assert_eq!(simd::isa(), Isa::Portable);
                    piece.iter_mut().enumerate().for_each(|(j, x)| *x = i * 1000 + j);
                })
            })
        });
        assert!(x.iter().enumerate().all(|(i, &x)| i == x));
    }
}
