//! Scratch memory for packed panels: kept by each thread and lent again, so that steady work allocates nothing.

use crate::elements::elements;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Lends `len` elements, aligned to 64 bytes, whose values are whatever the last user left (at first zero).
pub(crate) fn scratch<T: Plain>(len: usize) -> Scratch<T> {
    const { assert!(align_of::<T>() <= ALIGN) };
    let bytes = elements([len, size_of::<T>()]);
    if bytes == 0 {
        return Scratch { buffer: None, len, element: PhantomData };
    }
    let old = SHELF.try_with(|shelf| take(&mut shelf.borrow_mut(), bytes)).ok().flatten();
    let buffer = match old {
        Some(buffer) if buffer.layout.size() >= bytes => buffer,
        _ => Buffer::new(bytes),
    };
    Scratch { buffer: Some(buffer), len, element: PhantomData }
}

/// Some numbers in scratch memory.
pub(crate) fn scratch_copy<T: Plain>(values: impl ExactSizeIterator<Item = T>) -> Scratch<T> {
    let mut copy = scratch(values.len());
    copy.iter_mut().zip(values).for_each(|(to, x)| *to = x);
    copy
}

/// Scratch memory on loan; it goes back to the shelf of the thread that drops it.
pub(crate) struct Scratch<T> {
    buffer: Option<Buffer>,
    len: usize,
    element: PhantomData<T>,
}

/// Types for which any bytes are a value, so that scratch memory needs no clearing.
///
/// # Safety
/// Every bit pattern must be a valid value, and dropping one must do nothing.
pub unsafe trait Plain: Copy {}
// SAFETY: any bits are a value of these.
unsafe impl Plain for f32 {}
// SAFETY: as above.
unsafe impl Plain for f64 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for usize {}
// SAFETY: as above.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for i64 {}

const ALIGN: usize = 64;
/// Buffers kept by a thread: as many as the deepest nest of kernels borrows at once.
const SHELVED: usize = 8;

thread_local! {
    static SHELF: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// The smallest buffer that is large enough, else (to be replaced by a larger one) the largest.
fn take(shelf: &mut Vec<Buffer>, bytes: usize) -> Option<Buffer> {
    let fits = |b: &Buffer| b.layout.size() >= bytes;
    let size = |i: &usize| shelf[*i].layout.size();
    let best = (0..shelf.len()).filter(|&i| fits(&shelf[i])).min_by_key(size);
    let i = best.or_else(|| (0..shelf.len()).max_by_key(size))?;
    Some(shelf.swap_remove(i))
}

struct Buffer {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a buffer owns its bytes, as a Vec does; they are reached only through the `Scratch` that holds it.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Buffer {
    fn new(bytes: usize) -> Buffer {
        // A quarter more than asked, so that slowly growing sizes settle soon.
        let size = bytes.saturating_add(bytes / 4).max(4096);
        // What cannot be had is a panic, which can be caught, and not the end of the process.
        let missing = || -> ! { panic!("a kernel's working memory of {bytes} bytes cannot be had") };
        let Ok(layout) = Layout::from_size_align(size, ALIGN).map(|l| l.pad_to_align()) else { missing() };
        // SAFETY: the size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        Buffer { start: NonNull::new(start).unwrap_or_else(|| missing()), layout }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and owned by this value alone.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

impl<T> Drop for Scratch<T> {
    fn drop(&mut self) {
        let Some(buffer) = self.buffer.take() else { return };
        // At the end of a thread the shelf may be gone; then the buffer is freed here.
        let _ = SHELF.try_with(|shelf| {
            let mut shelf = shelf.borrow_mut();
            if shelf.len() < SHELVED {
                shelf.push(buffer);
            }
        });
    }
}

impl<T: Plain> Deref for Scratch<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        let start = self.buffer.as_ref().map_or(NonNull::dangling(), |b| b.start.cast());
        // SAFETY: the buffer holds at least `len` elements, aligned, initialised (zeroed when allocated, and any
        // bits are a `T`), and lives as long as `self`; it is absent only where no bytes are lent, and during drop.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), self.len) }
    }
}

impl<T: Plain> DerefMut for Scratch<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let start = self.buffer.as_ref().map_or(NonNull::dangling(), |b| b.start.cast());
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nest_of_loans_is_met_from_the_shelf_the_second_time() {
        let round = || {
            let (a, b) = (scratch::<f32>(1000), scratch::<f64>(70_000));
            let c = scratch::<f32>(5000);
            assert!(a.as_ptr().addr().is_multiple_of(64) && b.as_ptr().addr().is_multiple_of(64));
            assert_eq!((a.len(), b.len(), c.len()), (1000, 70_000, 5000));
            let mut at = [a.as_ptr() as usize, b.as_ptr() as usize, c.as_ptr() as usize];
            at.sort();
            at
        };
        round();
        assert_eq!(round(), round());
    }
}
