//! A reference count whose memory comes from a list of its thread: what tensors, storages and nodes are held by.
//!
//! It differs from [`Arc`](std::sync::Arc) in two things that a small operation feels. There are no weak references, so
//! a handle that finds a count of one is alone, and neither writing nor dropping then needs an atomic
//! read-modify-write (some 6 ns each, of 150 for a whole operation). And a dropped value leaves its block on a list of
//! the thread that dropped it, from which the next value of that size is made.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering::*};

/// A value with several owners; it lives as long as the last of them.
pub(crate) struct Shared<T> {
    at: NonNull<Counted<T>>,
}

struct Counted<T> {
    count: AtomicUsize,
    value: T,
}

// SAFETY: as for `Arc`: owners on several threads share the value, and the last of them drops it.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    const BLOCK: Layout = block_of(Layout::new::<Counted<T>>());

    #[inline]
    pub(crate) fn new(value: T) -> Shared<T> {
        Shared::by(|| value)
    }

    /// The value that `make` makes where it will stay: a large one is not copied there.
    #[inline(always)]
    pub(crate) fn by(make: impl FnOnce() -> T) -> Shared<T> {
        let at = take(Self::BLOCK).cast::<Counted<T>>();
        // SAFETY: the block is new, large enough and aligned for `Counted<T>`.
        unsafe { at.write(Counted { count: AtomicUsize::new(1), value: make() }) };
        Shared { at }
    }

    /// The value to be written, if this is its only owner.
    #[inline]
    pub(crate) fn get_mut(this: &mut Shared<T>) -> Option<&mut T> {
        // A count of one is ours, and while we are borrowed nobody can raise it: that takes a handle.
        if this.counted().count.load(Acquire) != 1 {
            return None;
        }
        // SAFETY: no other reference to the value exists; `Acquire` shows what former owners wrote.
        Some(unsafe { &mut this.at.as_mut().value })
    }

    /// Whether both own the same value.
    #[inline]
    pub(crate) fn is(a: &Shared<T>, b: &Shared<T>) -> bool {
        a.at == b.at
    }

    #[inline]
    fn counted(&self) -> &Counted<T> {
        // SAFETY: the block lives as long as any handle.
        unsafe { self.at.as_ref() }
    }

    /// Drops the value and gives its block back.
    #[inline(never)]
    fn end(&mut self) {
        // SAFETY: the caller was the last owner, so nobody reaches the value or the block any more.
        unsafe {
            ptr::drop_in_place(self.at.as_ptr());
            give(self.at.cast(), Self::BLOCK);
        }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T> Clone for Shared<T> {
    #[inline]
    fn clone(&self) -> Shared<T> {
        let before = self.counted().count.fetch_add(1, Relaxed);
        // As many handles as addresses cannot be held, only forgotten; then the count would wrap and the value be freed.
        if before > isize::MAX as usize {
            std::process::abort();
        }
        Shared { at: self.at }
    }
}

impl<T> Drop for Shared<T> {
    #[inline]
    fn drop(&mut self) {
        let count = &self.counted().count;
        if count.load(Acquire) == 1 || count.fetch_sub(1, AcqRel) == 1 {
            self.end();
        }
    }
}

/// Blocks come in multiples of a cache line, so that few lists serve all types and no two values share a line.
const LINE: usize = 64;
/// Lists for blocks of 1 to 8 lines.
const LISTS: usize = 8;
/// The most blocks that wait on a list. A graph of a million nodes, once dropped, goes back to the system.
const WAITING: usize = 1024;

const fn block_of(value: Layout) -> Layout {
    assert!(value.align() <= LINE && value.size() <= LISTS * LINE);
    match Layout::from_size_align(value.size().next_multiple_of(LINE), LINE) {
        Ok(block) => block,
        Err(_) => unreachable!(),
    }
}

/// The free blocks of a thread by size, each list threaded through its blocks.
struct Free([Cell<List>; LISTS]);

#[derive(Clone, Copy)]
struct List {
    first: *mut List,
    count: usize,
}

const EMPTY: List = List { first: ptr::null_mut(), count: 0 };

thread_local! {
    static FREE: Free = const { Free([const { Cell::new(EMPTY) }; LISTS]) };
}

#[inline]
fn take(block: Layout) -> NonNull<u8> {
    let waiting = FREE.try_with(|free| {
        let list = &free.0[block.size() / LINE - 1];
        let List { first, .. } = list.get();
        // SAFETY: a block on the list is owned by it, and begins with what was the list before it came.
        NonNull::new(first).inspect(|first| list.set(unsafe { first.read() }))
    });
    match waiting {
        Ok(Some(first)) => first.cast(),
        _ => take_from_system(block),
    }
}

#[cold]
fn take_from_system(block: Layout) -> NonNull<u8> {
    // SAFETY: a block has a line at least.
    NonNull::new(unsafe { alloc(block) }).unwrap_or_else(|| handle_alloc_error(block))
}

/// # Safety
/// The block must come from `take` with the same layout and be reached by nobody any more.
unsafe fn give(at: NonNull<u8>, block: Layout) {
    let listed = FREE.try_with(|free| {
        let list = &free.0[block.size() / LINE - 1];
        let rest = list.get();
        if rest.count == WAITING {
            return false;
        }
        let first = at.cast::<List>();
        // SAFETY: the block is the caller's to give, and a line is large enough and aligned for a `List`.
        unsafe { first.write(rest) };
        list.set(List { first: first.as_ptr(), count: rest.count + 1 });
        true
    });
    if listed != Ok(true) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(at.as_ptr(), block) };
    }
}

impl Drop for Free {
    fn drop(&mut self) {
        for (i, list) in self.0.iter().enumerate() {
            let block = Layout::from_size_align((i + 1) * LINE, LINE).expect("a few lines");
            while let Some(first) = NonNull::new(list.get().first) {
                // SAFETY: as in `take`, and the block was allocated with the layout of its list.
                unsafe {
                    list.set(first.read());
                    dealloc(first.as_ptr().cast(), block);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn the_last_owner_drops_the_value_once_on_any_thread() {
        let witness = Arc::new(());
        let (rounds, clones) = if cfg!(miri) { (2, 5) } else { (100, 100) };
        for _ in 0..rounds {
            let shared = Shared::new(witness.clone());
            std::thread::scope(|s| {
                for _ in 0..4 {
                    let mine = shared.clone();
                    s.spawn(move || (0..clones).for_each(|_| assert!(Shared::is(&mine.clone(), &mine))));
                }
            });
            assert_eq!(Arc::strong_count(&witness), 2);
            drop(shared);
            assert_eq!(Arc::strong_count(&witness), 1);
        }
    }

    #[test]
    fn only_who_is_alone_may_write() {
        let mut a = Shared::new(1);
        *Shared::get_mut(&mut a).unwrap() = 2;
        let b = a.clone();
        assert!(Shared::get_mut(&mut a).is_none());
        drop(b);
        assert_eq!((Shared::get_mut(&mut a).copied(), *a), (Some(2), 2));
    }

    #[test]
    fn blocks_are_used_again_and_more_than_may_wait_go_back() {
        let address = |x: &Shared<[u8; 500]>| x.at.as_ptr() as usize;
        let first = Shared::new([1; 500]);
        let at = address(&first);
        drop(first);
        assert_eq!(address(&Shared::new([2; 500])), at);
        let many: Vec<_> = (0..3 * WAITING).map(|i| Shared::new([i as u8; 500])).collect();
        let step = if cfg!(miri) { 499 } else { 1 }; // an interpreter looks at both ends
        assert!(many.iter().enumerate().all(|(i, x)| x.iter().step_by(step).all(|&b| b == i as u8)));
        drop(many);
        FREE.with(|free| assert_eq!(free.0[LISTS - 1].get().count, WAITING));
    }
}
