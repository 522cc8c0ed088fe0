//! The registers of AVX-512, AVX2 and SSE2, which every x86-64 has.
//!
//! SSE2 gives what arrays of numbers give, bit for bit, without LLVM having to find the registers in them.

use std::arch::x86_64::*;

use super::Lanes;

/// The methods that all families share, with other instructions.
macro_rules! shared {
    ($name:ident, $t:ty, $set1:ident, $zero:ident, $load:ident, $store:ident, $add:ident, $max:ident) => {
        #[inline(always)]
        unsafe fn splat(x: $t) -> Self {
            // SAFETY: the caller runs on the family and vouches for the pointer.
            unsafe { $name($set1(x)) }
        }
        #[inline(always)]
        unsafe fn load(p: *const $t) -> Self {
            // SAFETY: the caller runs on the family and vouches for the pointer.
            unsafe { $name($load(p)) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut $t) {
            // SAFETY: the caller runs on the family and vouches for the pointer.
            unsafe { $store(p, self.0) }
        }
        #[inline(always)]
        unsafe fn add(self, x: Self) -> Self {
            // SAFETY: the caller runs on the family.
            unsafe { $name($add(self.0, x.0)) }
        }
        #[inline(always)]
        unsafe fn relu(self) -> Self {
            // The instruction gives its second operand where either is NaN or both are zeros; −0 + 0 is 0.
            // SAFETY: the caller runs on the family.
            unsafe { $name($add($max($zero(), self.0), $zero())) }
        }
    };
}

/// The method that only AVX-512 has instructions for.
macro_rules! one_by_one {
    ($t:ty, $n:literal) => {
        #[inline(always)]
        unsafe fn store_dense(self, mut p: *mut $t, mask: u32) {
            let mut lanes = [0.0; $n];
            // SAFETY: the array has N lanes; only as many elements as the mask has ones are written at `p`.
            unsafe {
                self.store(lanes.as_mut_ptr());
                for i in 0..$n {
                    if mask >> i & 1 != 0 {
                        *p = lanes[i];
                        p = p.add(1);
                    }
                }
            }
        }
    };
}

macro_rules! sse2 {
    ($name:ident, $t:ty, $n:literal, $raw:ty, $set1:ident, $zero:ident, $load:ident, $store:ident, $mul:ident,
     $add:ident, $max:ident) => {
        #[derive(Clone, Copy)]
        pub struct $name($raw);

        // SAFETY: each method is the instruction it names, which every x86-64 has; the caller vouches for pointers.
        unsafe impl Lanes for $name {
            type Elem = $t;
            const N: usize = $n;
            const MANY: bool = false;
            shared!($name, $t, $set1, $zero, $load, $store, $add, $max);

            #[inline(never)]
            unsafe fn alone<R>(f: impl FnOnce() -> R) -> R {
                f()
            }
            #[inline(always)]
            unsafe fn load_first(p: *const $t, n: usize) -> Self {
                let mut lanes = [0.0; $n];
                for i in 0..n.min($n) {
                    // SAFETY: the caller vouches for n elements.
                    lanes[i] = unsafe { *p.add(i) };
                }
                // SAFETY: the array has N lanes.
                unsafe { Self::load(lanes.as_ptr()) }
            }
            #[inline(always)]
            unsafe fn store_first(self, p: *mut $t, n: usize) {
                let mut lanes = [0.0; $n];
                // SAFETY: the array has N lanes, and the caller vouches for n elements at `p`.
                unsafe {
                    self.store(lanes.as_mut_ptr());
                    for i in 0..n.min($n) {
                        *p.add(i) = lanes[i];
                    }
                }
            }
            one_by_one!($t, $n);
            #[inline(always)]
            unsafe fn fma(self, x: Self, y: Self) -> Self {
                // Rounded twice: without FMA `mul_add` is a call into the C library.
                // SAFETY: as above.
                unsafe { $name($add($mul(x.0, y.0), self.0)) }
            }
        }
    };
}
sse2!(
    F32x4,
    f32,
    4,
    __m128,
    _mm_set1_ps,
    _mm_setzero_ps,
    _mm_loadu_ps,
    _mm_storeu_ps,
    _mm_mul_ps,
    _mm_add_ps,
    _mm_max_ps
);
sse2!(
    F64x2,
    f64,
    2,
    __m128d,
    _mm_set1_pd,
    _mm_setzero_pd,
    _mm_loadu_pd,
    _mm_storeu_pd,
    _mm_mul_pd,
    _mm_add_pd,
    _mm_max_pd
);

/// The lowest `n` of 32 bits.
#[inline(always)]
fn ones(n: usize) -> u32 {
    ((1u64 << n) - 1) as u32
}

macro_rules! avx512 {
    ($name:ident, $t:ty, $n:literal, $raw:ty, $mask:ty, $set1:ident, $zero:ident, $load:ident, $store:ident,
     $maskload:ident, $maskstore:ident, $compress:ident, $fma:ident, $add:ident, $max:ident) => {
        #[derive(Clone, Copy)]
        pub struct $name($raw);

        // SAFETY: each method is the instruction it names; the caller runs on AVX-512 and vouches for pointers.
        unsafe impl Lanes for $name {
            type Elem = $t;
            const N: usize = $n;
            const MANY: bool = true;
            shared!($name, $t, $set1, $zero, $load, $store, $add, $max);

            #[inline(always)]
            unsafe fn alone<R>(f: impl FnOnce() -> R) -> R {
                // SAFETY: as above.
                unsafe { crate::simd::alone_avx512(f) }
            }
            #[inline(always)]
            unsafe fn load_first(p: *const $t, n: usize) -> Self {
                // SAFETY: as above; masked lanes are not touched.
                unsafe { $name($maskload(ones(n) as $mask, p)) }
            }
            #[inline(always)]
            unsafe fn store_first(self, p: *mut $t, n: usize) {
                // SAFETY: as above; masked lanes are not touched.
                unsafe { $maskstore(p, ones(n) as $mask, self.0) }
            }
            #[inline(always)]
            unsafe fn store_dense(self, p: *mut $t, mask: u32) {
                // Compressing in a register and storing under a mask: the one-instruction form is slow on Zen 4.
                // SAFETY: as above; only as many elements as the mask has ones are touched.
                unsafe {
                    let dense = $compress(mask as $mask, self.0);
                    $maskstore(p, ones(mask.count_ones() as usize) as $mask, dense)
                }
            }
            #[inline(always)]
            unsafe fn fma(self, x: Self, y: Self) -> Self {
                // SAFETY: as above.
                unsafe { $name($fma(x.0, y.0, self.0)) }
            }
        }
    };
}
avx512!(
    F32x16,
    f32,
    16,
    __m512,
    __mmask16,
    _mm512_set1_ps,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_maskz_loadu_ps,
    _mm512_mask_storeu_ps,
    _mm512_maskz_compress_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps,
    _mm512_max_ps
);
avx512!(
    F64x8,
    f64,
    8,
    __m512d,
    __mmask8,
    _mm512_set1_pd,
    _mm512_setzero_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_maskz_loadu_pd,
    _mm512_mask_storeu_pd,
    _mm512_maskz_compress_pd,
    _mm512_fmadd_pd,
    _mm512_add_pd,
    _mm512_max_pd
);

macro_rules! avx2 {
    ($name:ident, $t:ty, $n:literal, $raw:ty, $int:ty, $set1:ident, $zero:ident, $load:ident, $store:ident,
     $maskload:ident, $maskstore:ident, $fma:ident, $add:ident, $max:ident) => {
        #[derive(Clone, Copy)]
        pub struct $name($raw);

        impl $name {
            /// All ones in the first `n` lanes.
            #[inline(always)]
            unsafe fn mask(n: usize) -> __m256i {
                const WINDOW: [$int; 2 * $n] = {
                    let mut w = [0; 2 * $n];
                    let mut i = 0;
                    while i < $n {
                        w[i] = -1;
                        i += 1;
                    }
                    w
                };
                // SAFETY: n ≤ N, so the N elements from N - n lie in the window.
                unsafe { _mm256_loadu_si256(WINDOW.as_ptr().add($n - n.min($n)).cast()) }
            }
        }

        // SAFETY: each method is the instruction it names; the caller runs on AVX2 and vouches for pointers.
        unsafe impl Lanes for $name {
            type Elem = $t;
            const N: usize = $n;
            const MANY: bool = false;
            shared!($name, $t, $set1, $zero, $load, $store, $add, $max);

            #[inline(always)]
            unsafe fn alone<R>(f: impl FnOnce() -> R) -> R {
                // SAFETY: as above.
                unsafe { crate::simd::alone_avx2(f) }
            }
            #[inline(always)]
            unsafe fn load_first(p: *const $t, n: usize) -> Self {
                // SAFETY: as above; masked lanes are not touched.
                unsafe { $name($maskload(p, Self::mask(n))) }
            }
            #[inline(always)]
            unsafe fn store_first(self, p: *mut $t, n: usize) {
                // SAFETY: as above; masked lanes are not touched.
                unsafe { $maskstore(p, Self::mask(n), self.0) }
            }
            one_by_one!($t, $n);
            #[inline(always)]
            unsafe fn fma(self, x: Self, y: Self) -> Self {
                // SAFETY: as above.
                unsafe { $name($fma(x.0, y.0, self.0)) }
            }
        }
    };
}
avx2!(
    F32x8,
    f32,
    8,
    __m256,
    i32,
    _mm256_set1_ps,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_maskload_ps,
    _mm256_maskstore_ps,
    _mm256_fmadd_ps,
    _mm256_add_ps,
    _mm256_max_ps
);
avx2!(
    F64x4,
    f64,
    4,
    __m256d,
    i64,
    _mm256_set1_pd,
    _mm256_setzero_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_maskload_pd,
    _mm256_maskstore_pd,
    _mm256_fmadd_pd,
    _mm256_add_pd,
    _mm256_max_pd
);
