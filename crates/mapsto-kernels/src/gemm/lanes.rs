//! One vector register of floats: the few instructions that the matrix and convolution kernels are written in.

#[cfg(target_arch = "x86_64")]
mod x86;

use crate::simd::{self, Isa};
use crate::workspace::Plain;

/// A register of [`Lanes::N`] numbers.
///
/// # Safety
/// Callers of the methods must run on a processor with the register's family, in code compiled for it: that is,
/// inside [`dispatch`]. Pointers must be valid for the lanes they name, at any alignment.
pub unsafe trait Lanes: Copy {
    /// What it holds.
    type Elem: Float;
    /// How many.
    const N: usize;
    /// Whether there are 32 registers rather than 16. It decides between the shapes of micro-tiles: those behind an
    /// `if L::MANY` that is false are not even compiled, which a `match` on [`ROWS`](Lanes::ROWS) leaves to LLVM.
    const MANY: bool;
    /// Rows of a micro-tile: rows × [`TILE`] accumulators, [`TILE`] operands and a broadcast fill the registers.
    const ROWS: usize = if Self::MANY { 8 } else { 4 };
    /// The same for products: rows and registers across. Six rows of four registers take fewer loads than eight of three
    /// (10 for 24 multiply-adds rather than 11), and eight and sixteen registers across divide evenly.
    const HIGH: usize = if Self::MANY { 6 } else { 4 };
    const WIDE: usize = if Self::MANY { 4 } else { 3 };

    /// Runs `f` in a function of its own, compiled for the family. (Inlined side by side into one function, the shapes of a
    /// micro-tile shared its registers for their addresses: 64³ ran at 140 GFLOP/s instead of 151.)
    unsafe fn alone<R>(f: impl FnOnce() -> R) -> R;

    unsafe fn splat(x: Self::Elem) -> Self;
    unsafe fn load(p: *const Self::Elem) -> Self;
    unsafe fn store(self, p: *mut Self::Elem);
    /// The first `n ≤ N` lanes; zeros after.
    unsafe fn load_first(p: *const Self::Elem, n: usize) -> Self;
    unsafe fn store_first(self, p: *mut Self::Elem, n: usize);
    /// Stores the lanes that `mask` names, side by side from `p`.
    unsafe fn store_dense(self, p: *mut Self::Elem, mask: u32);
    /// `x · y + self`, rounded once where the family can.
    unsafe fn fma(self, x: Self, y: Self) -> Self;
    unsafe fn add(self, x: Self) -> Self;
    /// `max(self, 0)`, which is 0 for −0 too; NaN stays NaN.
    unsafe fn relu(self) -> Self;

    /// The sum of the lanes, by halves.
    #[inline(always)]
    unsafe fn sum(self) -> Self::Elem {
        let mut lanes = [Self::Elem::default(); 16];
        const { assert!(Self::N <= 16 && Self::N.is_power_of_two()) };
        // SAFETY: there is room for the lanes.
        unsafe { self.store(lanes.as_mut_ptr()) };
        let mut half = Self::N / 2;
        while half > 0 {
            for l in 0..half {
                let other = lanes[l + half];
                lanes[l] += other;
            }
            half /= 2;
        }
        lanes[0]
    }
}

/// Registers across a micro-tile: 3 × 16 columns of f32 with AVX-512.
pub const TILE: usize = 3;

/// A number the kernels compute with, and its register in each family.
pub trait Float:
    Plain
    + Default
    + PartialOrd
    + Send
    + Sync
    + std::ops::AddAssign
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + 'static
{
    /// In portable code.
    type Narrow: Lanes<Elem = Self>;
    /// With AVX2.
    #[cfg(target_arch = "x86_64")]
    type Avx2: Lanes<Elem = Self>;
    /// With AVX-512.
    #[cfg(target_arch = "x86_64")]
    type Avx512: Lanes<Elem = Self>;
}

impl Float for f32 {
    #[cfg(target_arch = "x86_64")]
    type Narrow = x86::F32x4;
    #[cfg(not(target_arch = "x86_64"))]
    type Narrow = Narrow<f32, 4>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = x86::F32x8;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = x86::F32x16;
}

impl Float for f64 {
    #[cfg(target_arch = "x86_64")]
    type Narrow = x86::F64x2;
    #[cfg(not(target_arch = "x86_64"))]
    type Narrow = Narrow<f64, 2>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = x86::F64x4;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = x86::F64x8;
}

/// A piece of work written for any register.
pub trait Kernel<T: Float> {
    /// What it gives.
    type Out;
    /// Does it; must be `#[inline(always)]`.
    ///
    /// # Safety
    /// As for [`Lanes`]: only [`dispatch`] calls it.
    unsafe fn run<L: Lanes<Elem = T>>(self) -> Self::Out;
}

/// Runs `kernel` with the register of the family in use.
#[inline]
pub fn dispatch<T: Float, K: Kernel<T>>(kernel: K) -> K::Out {
    match simd::isa() {
        // Not by `vectorize`, which asks again and so has each kernel compiled for all families: seven versions, not three.
        // SAFETY: `isa` gives only what the processor has, and the closure is compiled for that family.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe {
            simd::in_avx512(
                #[inline(always)]
                || kernel.run::<T::Avx512>(),
            )
        },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe {
            simd::in_avx2(
                #[inline(always)]
                || kernel.run::<T::Avx2>(),
            )
        },
        // SAFETY: portable code runs anywhere.
        _ => unsafe { kernel.run::<T::Narrow>() },
    }
}

/// Lanes in an array, for LLVM to place: in NEON's registers on AArch64.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy)]
pub struct Narrow<T, const N: usize>([T; N]);

#[cfg(not(target_arch = "x86_64"))]
macro_rules! narrow {
    ($t:ty, $n:literal) => {
        // SAFETY: plain Rust on arrays; pointers are read and written within the lanes that the caller vouches for.
        unsafe impl Lanes for Narrow<$t, $n> {
            type Elem = $t;
            const N: usize = $n;
            const MANY: bool = false;

            #[inline(never)]
            unsafe fn alone<R>(f: impl FnOnce() -> R) -> R {
                f()
            }
            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                Narrow([x; $n])
            }
            #[inline(always)]
            unsafe fn load(p: *const $t) -> Self {
                // SAFETY: the caller vouches for N elements.
                Narrow(unsafe { p.cast::<[$t; $n]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $t) {
                // SAFETY: as above.
                unsafe { p.cast::<[$t; $n]>().write_unaligned(self.0) }
            }
            #[inline(always)]
            unsafe fn load_first(p: *const $t, n: usize) -> Self {
                // SAFETY: the caller vouches for n elements.
                Narrow(std::array::from_fn(|i| if i < n { unsafe { *p.add(i) } } else { 0.0 }))
            }
            #[inline(always)]
            unsafe fn store_first(self, p: *mut $t, n: usize) {
                for i in 0..n.min($n) {
                    // SAFETY: as above.
                    unsafe { *p.add(i) = self.0[i] };
                }
            }
            #[inline(always)]
            unsafe fn store_dense(self, mut p: *mut $t, mask: u32) {
                for i in 0..$n {
                    if mask >> i & 1 != 0 {
                        // SAFETY: the caller vouches for as many elements as the mask has ones.
                        unsafe { *p = self.0[i] };
                        p = p.wrapping_add(1);
                    }
                }
            }
            #[inline(always)]
            unsafe fn fma(self, x: Self, y: Self) -> Self {
                Narrow(std::array::from_fn(|i| x.0[i].mul_add(y.0[i], self.0[i])))
            }
            #[inline(always)]
            unsafe fn add(self, x: Self) -> Self {
                Narrow(std::array::from_fn(|i| self.0[i] + x.0[i]))
            }
            #[inline(always)]
            unsafe fn relu(self) -> Self {
                Narrow(self.0.map(|x| if x <= 0.0 { 0.0 } else { x }))
            }
        }
    };
}
#[cfg(not(target_arch = "x86_64"))]
narrow!(f32, 4);
#[cfg(not(target_arch = "x86_64"))]
narrow!(f64, 2);

#[cfg(test)]
mod tests {
    use super::*;

    struct Moves;
    impl Kernel<f32> for Moves {
        type Out = ();
        #[inline(always)]
        unsafe fn run<L: Lanes<Elem = f32>>(self) {
            let x: [f32; 16] = std::array::from_fn(|i| i as f32 - 3.0);
            for n in 0..=L::N {
                let mut y = [-9.0; 17];
                // SAFETY: the arrays are longer than any register.
                unsafe { L::load_first(x.as_ptr(), n).store(y.as_mut_ptr()) };
                assert!((0..L::N).all(|i| y[i] == if i < n { x[i] } else { 0.0 }));
                let mut y = [-9.0; 17];
                // SAFETY: as above.
                unsafe { L::load(x.as_ptr()).relu().store_first(y.as_mut_ptr(), n) };
                assert!((0..17).all(|i| y[i] == if i < n { x[i].max(0.0) } else { -9.0 }));
            }
            let mut y = [-9.0; 17];
            // SAFETY: as above.
            unsafe { L::load(x.as_ptr()).store_dense(y.as_mut_ptr(), 0b1010) };
            assert_eq!(y[..3], [x[1], x[3], -9.0]);
            // SAFETY: as above.
            unsafe { L::splat(f32::NAN).relu().store(y.as_mut_ptr()) };
            assert!(y[..L::N].iter().all(|y| y.is_nan()));
        }
    }

    #[test]
    fn every_register_moves_the_lanes_it_is_told_to() {
        for &isa in Isa::available() {
            simd::with_isa(isa, || dispatch(Moves));
        }
    }
}
