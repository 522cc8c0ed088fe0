//! Which vector instructions run: found out once, overridable in a test, and the door into code compiled for them.

use std::cell::Cell;
use std::sync::OnceLock;

/// A family of vector instructions that the kernels are compiled for, from the narrowest to the widest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// What the target guarantees: SSE2 on x86-64, NEON on AArch64.
    Portable,
    /// x86-64 with AVX2, FMA and F16C (Intel since 2013, AMD since 2015): 16 registers of 256 bits.
    Avx2,
    /// x86-64 with AVX-512 F, BW, CD, DQ and VL: 32 registers of 512 bits, and masks.
    Avx512,
}

impl Isa {
    /// The families this processor can run, narrowest first; a test walks them with [`with_isa`].
    ///
    /// ```
    /// use mapsto_kernels::simd::Isa;
    /// assert_eq!(Isa::available()[0], Isa::Portable);
    /// ```
    pub fn available() -> &'static [Isa] {
        const ALL: [Isa; 3] = [Isa::Portable, Isa::Avx2, Isa::Avx512];
        &ALL[..=best() as usize]
    }
}

thread_local! {
    static FORCED: Cell<Option<Isa>> = const { Cell::new(None) };
}

/// The family in use on this thread: the widest that the processor has, unless [`with_isa`] says otherwise.
// Not inline: each of some hundred kernels asks, and three lines of its answer are more than most of them need.
#[inline(never)]
pub fn isa() -> Isa {
    match FORCED.get() {
        Some(isa) => isa,
        None => best(),
    }
}

/// Runs `f` with a chosen family on this thread and on the pool's workers that help it; for tests and measurements.
///
/// ```
/// use mapsto_kernels::simd::{Isa, isa, with_isa};
/// assert_eq!(with_isa(Isa::Portable, isa), Isa::Portable);
/// ```
///
/// # Panics
/// If the processor lacks the family.
pub fn with_isa<R>(isa: Isa, f: impl FnOnce() -> R) -> R {
    assert!(isa <= best(), "with_isa: this processor lacks {isa:?}; the widest it has is {:?}", best());
    with_forced(Some(isa), f)
}

/// Runs `f` compiled for the family in use, so that LLVM turns its loops into that family's instructions.
///
/// Everything in `f` must be inlined into it (`#[inline(always)]` on the numeric functions it calls), else those
/// calls keep the baseline's instructions. `mul_add` is one instruction here, except in [`Isa::Portable`] on x86-64,
/// where it is a slow call: write `a * b + c` there, or ask [`has_fma`].
///
/// ```
/// let (x, mut y) = ([1.0f32, 2.0, 3.0], [0.0f32; 3]);
/// mapsto_kernels::simd::vectorize(|| {
///     for (y, x) in y.iter_mut().zip(&x) {
///         *y = x * x;
///     }
/// });
/// assert_eq!(y, [1.0, 4.0, 9.0]);
/// ```
#[inline(always)]
pub fn vectorize<R>(f: impl FnOnce() -> R) -> R {
    match isa() {
        // SAFETY: `isa` gives only what the processor was found to have.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { in_avx512(f) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { in_avx2(f) },
        _ => f(),
    }
}

/// As [`vectorize`] without AVX-512: for loops over memory, of which there are hundreds. Twice as wide registers hardly
/// speed them up, but a third version of each loop costs a third of the whole build.
#[inline(always)]
pub fn vectorize_light<R>(f: impl FnOnce() -> R) -> R {
    match isa() {
        // SAFETY: `isa` gives only what the processor was found to have, and AVX-512 is never had without AVX2.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx2 => unsafe { in_avx2(f) },
        _ => f(),
    }
}

/// `[f(0), f(1), ..]`, as `std::array::from_fn`, whose six nested functions LLVM has to take apart again in each of some
/// hundred kernels: a sixth of what this crate gave it to compile.
#[inline(always)]
pub(crate) fn array<T: Copy, const N: usize>(mut f: impl FnMut(usize) -> T) -> [T; N] {
    let mut array = std::mem::MaybeUninit::<[T; N]>::uninit();
    let start = array.as_mut_ptr().cast::<T>();
    for i in 0..N {
        // SAFETY: the array has N elements. Where `f` panics, nothing is read or dropped.
        unsafe { start.add(i).write(f(i)) };
    }
    // SAFETY: all N elements are written.
    unsafe { array.assume_init() }
}

/// Whether `mul_add` is one instruction in the family in use.
#[inline]
pub fn has_fma() -> bool {
    cfg!(not(target_arch = "x86_64")) || isa() >= Isa::Avx2
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
pub(crate) fn in_avx512<R>(f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
pub(crate) fn in_avx2<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// As `in_avx512`, never inlined.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
pub(crate) fn alone_avx512<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// As `in_avx2`, never inlined.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
pub(crate) fn alone_avx2<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// What this thread forces, for the pool to hand on to its workers.
pub(crate) fn forced() -> Option<Isa> {
    FORCED.get()
}

/// Runs `f` under another thread's choice.
pub(crate) fn with_forced<R>(isa: Option<Isa>, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Isa>);
    impl Drop for Restore {
        fn drop(&mut self) {
            FORCED.set(self.0);
        }
    }
    let _restore = Restore(FORCED.replace(isa));
    f()
}

#[inline]
fn best() -> Isa {
    static BEST: OnceLock<Isa> = OnceLock::new();
    *BEST.get_or_init(detect)
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Isa {
    macro_rules! has {
        ($($f:tt)*) => { $(is_x86_feature_detected!($f))&&* };
    }
    if !has!("avx2" "fma" "f16c" "bmi1" "bmi2" "lzcnt" "popcnt") {
        return Isa::Portable;
    }
    if has!("avx512f" "avx512bw" "avx512cd" "avx512dq" "avx512vl") { Isa::Avx512 } else { Isa::Avx2 }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Isa {
    Isa::Portable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forced_family_nests_and_ends_with_its_scope() {
        let outer = isa();
        for &a in Isa::available() {
            for &b in Isa::available() {
                with_isa(a, || {
                    assert_eq!(with_isa(b, isa), b);
                    assert_eq!(isa(), a);
                });
            }
        }
        assert!(std::panic::catch_unwind(|| with_isa(Isa::Portable, || panic!("on purpose"))).is_err());
        assert_eq!(isa(), outer);
    }

    #[test]
    fn every_family_computes_the_same_sums() {
        let x: Vec<f32> = (0..1003).map(|i| (i % 17) as f32).collect();
        let want: Vec<f32> = x.iter().map(|x| x * 2.0 + 1.0).collect();
        for &family in Isa::available() {
            let mut y = vec![0.0; x.len()];
            with_isa(family, || vectorize(|| y.iter_mut().zip(&x).for_each(|(y, x)| *y = x * 2.0 + 1.0)));
            assert_eq!(y, want, "{family:?}");
        }
    }
}
