//! The caching pool of host memory: freed blocks wait in size classes for the next tensor of their size.
//!
//! A steady training loop asks for the same sizes again and again; after the first step every block comes from here and
//! the system's allocator is never called. Where it is called for a large block, what the pool holds is bounded: beyond twice
//! the most that was in use at such a time, the large blocks that were used longest ago go back (a tensor that grew one step
//! at a time left a block of each of its sizes). Bounded by what is in use just then, a training step would lose in its
//! backward pass what its next forward pass needs. Blocks are zeroed when they first come from the system, so that reading a
//! block before writing it is defined, and aligned to 64 bytes (2 MiB from 4 MiB on, which lets the kernel use huge pages
//! where it does so unasked; asking by `madvise` put two thirds of a GPT's memory on huge pages and won nothing: training
//! steps of 564 to 568 ms with them, of 566 to 569 without).

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What the pool holds and has done since the program's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryStats {
    /// Bytes in living tensors, rounded up to size classes; those of at most 64 bytes lie in their handles and are not
    /// counted.
    pub live_bytes: usize,
    /// Bytes freed and waiting for reuse.
    pub cached_bytes: usize,
    /// How often the system's allocator was asked for tensor memory.
    pub system_allocations: usize,
    /// How often a shared tensor was copied because someone wrote to it.
    pub copies: usize,
}

static COPIES: AtomicUsize = AtomicUsize::new(0);

/// The state of host memory.
///
/// ```
/// let before = mapsto_tensor::memory::stats().live_bytes;
/// let x = mapsto_tensor::Tensor::zeros([1024]);
/// assert!(mapsto_tensor::memory::stats().live_bytes >= before + 4096 || before > 0);
/// # drop(x);
/// ```
pub fn stats() -> MemoryStats {
    let mut stats =
        MemoryStats { live_bytes: 0, cached_bytes: 0, system_allocations: 0, copies: COPIES.load(Relaxed) };
    for (class, list) in CLASSES.iter().enumerate() {
        let list = lock(list);
        stats.live_bytes += list.live * size_of_class(class);
        stats.cached_bytes += list.free.len() * size_of_class(class);
        stats.system_allocations += list.system;
    }
    stats
}

pub(crate) fn count_copy() {
    COPIES.fetch_add(1, Relaxed);
}

/// Returns every cached block to the system.
pub fn trim() {
    for (class, list) in CLASSES.iter().enumerate() {
        let blocks = std::mem::take(&mut lock(list).free);
        for block in blocks {
            // SAFETY: every block in list `class` was allocated with exactly this layout.
            unsafe { dealloc(block.0.as_ptr(), layout(class)) }
        }
    }
}

/// Gives idle large blocks back, those of the class that was used longest ago first, until the pool holds no more than twice
/// the most bytes that were in use. A steady loop never comes here: it finds its blocks in the lists.
#[cold]
fn bound_idle() {
    static MOST: AtomicUsize = AtomicUsize::new(0);
    loop {
        let (mut live, mut idle, mut oldest) = (0, 0, None);
        for (class, list) in CLASSES.iter().enumerate() {
            let (list, size) = (lock(list), size_of_class(class));
            live += list.live * size;
            if size >= LARGE && !list.free.is_empty() {
                idle += list.free.len() * size;
                oldest = oldest.into_iter().chain([(list.used, class)]).min();
            }
        }
        let most = MOST.fetch_max(live, Relaxed).max(live);
        let Some((_, class)) = oldest.filter(|_| live + idle > 2 * most) else { return };
        let block = lock(&CLASSES[class]).free.pop();
        // SAFETY: every block in list `class` was allocated with exactly this layout.
        block.into_iter().for_each(|block| unsafe { dealloc(block.0.as_ptr(), layout(class)) });
    }
}

struct Block(NonNull<u8>);
// SAFETY: a free block is owned by the list it lies in.
unsafe impl Send for Block {}

/// The blocks of one size. The counts lie under the same lock as the list: an atomic each would cost more than all else.
struct Class {
    free: Vec<Block>,
    live: usize,
    system: usize,
    /// When a block was last taken from the list, or given back, by [`CLOCK`]; of large blocks only.
    used: usize,
}

/// Counts large blocks that are taken and given back.
static CLOCK: AtomicUsize = AtomicUsize::new(0);
/// Bytes from which a block is large: smaller ones hardly add up, and the system gives memory in larger pieces anyway.
const LARGE: usize = 1 << 20;

/// Four classes for every doubling, from 64 bytes on: at most a fifth of a block is wasted.
static CLASSES: [Mutex<Class>; 4 * 42] =
    [const { Mutex::new(Class { free: Vec::new(), live: 0, system: 0, used: 0 }) }; 4 * 42];

fn lock(class: &Mutex<Class>) -> std::sync::MutexGuard<'_, Class> {
    // A class is consistent after any panic: push, pop and counting are its only changes.
    class.lock().unwrap_or_else(|e| e.into_inner())
}

fn class_of(bytes: usize) -> usize {
    let units = bytes.div_ceil(64).max(1);
    if units <= 4 {
        return units - 1;
    }
    // units in (4·2^k, 8·2^k] is cut into four steps of 2^k.
    let k = (units - 1).ilog2() as usize - 2;
    let step = (units - 1) >> k; // 4..=7
    4 + 4 * k + (step - 4)
}

fn size_of_class(class: usize) -> usize {
    if class < 4 {
        return 64 * (class + 1);
    }
    let (k, step) = ((class - 4) / 4, (class - 4) % 4 + 4);
    64 * ((step + 1) << k)
}

fn layout(class: usize) -> Layout {
    let size = size_of_class(class);
    let align = if size >= 4 << 20 { 2 << 20 } else { 64 };
    Layout::from_size_align(size, align).expect("class sizes are below isize::MAX")
}

/// A block of at least this many bytes; none if the system has no memory for it, even after it got back what lay unused.
pub(crate) fn alloc(bytes: usize) -> Option<NonNull<u8>> {
    let index = class_of(bytes);
    let mut class = lock(CLASSES.get(index)?);
    class.live += 1;
    if bytes >= LARGE {
        class.used = CLOCK.fetch_add(1, Relaxed);
    }
    if let Some(block) = class.free.pop() {
        return Some(block.0);
    }
    class.system += 1;
    drop(class);
    if bytes >= LARGE {
        bound_idle();
    }
    let ask = || {
        // SAFETY: class sizes are not zero.
        NonNull::new(unsafe { alloc_zeroed(layout(index)) })
    };
    ask()
        .or_else(|| {
            trim();
            ask()
        })
        .or_else(|| {
            let mut class = lock(&CLASSES[index]);
            class.live -= 1;
            class.system -= 1;
            None
        })
}

/// An empty list with room for `count` elements.
///
/// # Panics
/// When the system has no memory for them.
#[track_caller]
pub fn room_for<T>(count: usize) -> Vec<T> {
    let mut list = Vec::new();
    if list.try_reserve_exact(count).is_err() {
        no_memory(count.saturating_mul(size_of::<T>()));
    }
    list
}

/// Raises that the system has no memory left: an error that `catch` catches, and not the end of the process.
#[cold]
#[track_caller]
pub(crate) fn no_memory(bytes: usize) -> ! {
    crate::fail!("memory", "{bytes} bytes are needed, and the system has less";
                 help = "smaller sizes or batches need less")
}

/// # Safety
/// The block must come from [`alloc`] for as many bytes, and nobody may use it any more.
pub(crate) unsafe fn free(block: NonNull<u8>, bytes: usize) {
    let mut class = lock(&CLASSES[class_of(bytes)]);
    class.live -= 1;
    if bytes >= LARGE {
        class.used = CLOCK.fetch_add(1, Relaxed);
    }
    class.free.push(Block(block));
}

#[test]
fn every_size_fits_its_class_and_wastes_at_most_a_fifth() {
    let most = if cfg!(miri) { 300 } else { 5000 };
    for bytes in (0..most).chain([1 << 20, (1 << 20) + 1, 3 << 30, 1 << 40]) {
        let (c, size) = (class_of(bytes), size_of_class(class_of(bytes)));
        assert!(size >= bytes && (bytes <= 256 || size - bytes <= bytes / 4 + 64), "{bytes} {size}");
        assert_eq!(class_of(size), c, "{bytes}");
    }
}

#[test]
#[cfg(not(miri))] // it asks for more than there is, at which an interpreter ends
fn what_the_system_cannot_give_is_none_and_not_counted() {
    for bytes in [1 << 47, 1 << 52, isize::MAX as usize] {
        assert!(alloc(bytes).is_none(), "{bytes}");
    }
    let class = lock(&CLASSES[class_of(1 << 47)]);
    assert_eq!((class.live, class.system), (0, 0));
}
