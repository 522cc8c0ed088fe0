//! The sums of a run by the processor's own gathering of sixteen places, where it has that.

use super::axis::RUN;
use crate::real::Float;

/// A number that views through grids are made of.
pub trait Seen: Float {
    /// Sums of a run of as many neighbours as there are lists; whether the processor has a way of its own. The bits are those of
    /// the ordinary loop.
    ///
    /// # Safety
    /// Places that are not below 0 are places of `x`, in the whole of each list.
    #[doc(hidden)]
    unsafe fn gather(at: &[[i32; RUN]], weight: &[[Self; RUN]], x: &[Self], y: &mut [Self]) -> bool {
        let _ = (at, weight, x, y);
        false
    }
}

impl Seen for f64 {}

impl Seen for f32 {
    #[cfg(target_arch = "x86_64")]
    unsafe fn gather(at: &[[i32; RUN]], weight: &[[f32; RUN]], x: &[f32], y: &mut [f32]) -> bool {
        use crate::simd::{Isa, isa};
        if isa() < Isa::Avx512 || y.len() > RUN {
            return false;
        }
        // SAFETY: the processor has AVX-512; the rest is the caller's promise.
        unsafe { sixteen(at, weight, x, y) };
        true
    }
}

/// # Safety
/// As [`Seen::gather`], with AVX-512; y is no longer than a run.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn sixteen(at: &[[i32; RUN]], weight: &[[f32; RUN]], x: &[f32], y: &mut [f32]) {
    use std::arch::x86_64::*;
    const { assert!(RUN.is_multiple_of(16)) };
    let (none, zero) = (_mm512_setzero_ps(), _mm512_setzero_si512());
    for (group, y) in y.chunks_mut(16).enumerate() {
        let mut sum = none;
        for (at, weight) in at.iter().zip(weight) {
            // SAFETY: a run has whole groups of sixteen; what is gathered are places of x, as the caller promises.
            unsafe {
                let at = _mm512_loadu_si512(at.as_ptr().add(16 * group).cast());
                let there = _mm512_cmpge_epi32_mask(at, zero);
                let x = _mm512_mask_i32gather_ps::<4>(none, there, at, x.as_ptr().cast());
                let weight = _mm512_loadu_ps(weight.as_ptr().add(16 * group));
                sum = _mm512_mask_add_ps(sum, there, sum, _mm512_mul_ps(weight, x));
            }
        }
        let mask = ((1u32 << y.len()) - 1) as u16;
        // SAFETY: the mask has a bit for each element of y.
        unsafe { _mm512_mask_storeu_ps(y.as_mut_ptr(), mask, sum) };
    }
}
