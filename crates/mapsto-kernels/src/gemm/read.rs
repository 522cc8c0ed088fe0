//! What a kernel reads as registers of numbers: numbers of the same type, and halves, which are widened on their way.

use super::lanes::{Float, Lanes};
use half::{bf16, f16};

/// An element that is read as a `T`.
pub trait Read<T: Float>: Copy + Send + Sync {
    /// The number that it is.
    fn wide(self) -> T;
    /// A register of them, and the first `n` lanes of one with zeros after.
    ///
    /// # Safety
    /// As for [`Lanes::load`] and [`Lanes::load_first`].
    unsafe fn load<L: Lanes<Elem = T>>(p: *const Self) -> L;
    /// # Safety
    /// As above.
    unsafe fn load_first<L: Lanes<Elem = T>>(p: *const Self, n: usize) -> L;
}

impl<T: Float> Read<T> for T {
    #[inline(always)]
    fn wide(self) -> T {
        self
    }
    #[inline(always)]
    unsafe fn load<L: Lanes<Elem = T>>(p: *const T) -> L {
        // SAFETY: the caller's promise.
        unsafe { L::load(p) }
    }
    #[inline(always)]
    unsafe fn load_first<L: Lanes<Elem = T>>(p: *const T, n: usize) -> L {
        // SAFETY: the caller's promise.
        unsafe { L::load_first(p, n) }
    }
}

macro_rules! halves {
    ($($h:ty: $widen:expr;)*) => {$(
        impl Read<f32> for $h {
            #[inline(always)]
            fn wide(self) -> f32 {
                $widen(self.to_bits())
            }
            #[inline(always)]
            unsafe fn load<L: Lanes<Elem = f32>>(p: *const $h) -> L {
                // LLVM makes one widening instruction, a shift and no store of the loop.
                let mut lanes = [0f32; 16];
                for (i, x) in lanes.iter_mut().enumerate().take(L::N) {
                    // SAFETY: the caller vouches for N elements.
                    *x = unsafe { p.add(i).read_unaligned() }.wide();
                }
                // SAFETY: there are as many lanes.
                unsafe { L::load(lanes.as_ptr()) }
            }
            #[inline(always)]
            unsafe fn load_first<L: Lanes<Elem = f32>>(p: *const $h, n: usize) -> L {
                let mut lanes = [0f32; 16];
                for (i, x) in lanes.iter_mut().enumerate().take(n.min(L::N)) {
                    // SAFETY: the caller vouches for n elements.
                    *x = unsafe { p.add(i).read_unaligned() }.wide();
                }
                // SAFETY: as above.
                unsafe { L::load(lanes.as_ptr()) }
            }
        }
    )*};
}

halves! {
    // The upper half of an f32.
    bf16: |bits: u16| f32::from_bits((bits as u32) << 16);
    f16: of_f16;
}

/// The digits and the exponent of an f16 stand in an f32 as they are, 2¹¹² times too small; ∞ and NaN keep their exponent of ones.
#[inline(always)]
fn of_f16(bits: u16) -> f32 {
    let size = ((bits & 0x7fff) as u32) << 13;
    let number = f32::from_bits(size) * f32::from_bits((127 + 112) << 23);
    let special = f32::from_bits(size | 0x7f80_0000);
    let size = if bits & 0x7fff >= 0x7c00 { special } else { number };
    f32::from_bits(size.to_bits() | ((bits & 0x8000) as u32) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_is_widened_to_the_bits_that_its_crate_gives() {
        for bits in 0..=u16::MAX {
            let (h, b) = (f16::from_bits(bits), bf16::from_bits(bits));
            assert!(
                h.wide().to_bits() == h.to_f32().to_bits() || h.is_nan() && h.wide().is_nan(),
                "{bits:#x}"
            );
            assert!(
                b.wide().to_bits() == b.to_f32().to_bits() || b.is_nan() && b.wide().is_nan(),
                "{bits:#x}"
            );
        }
    }
}
