//! Conversion between element types, slice to slice: how tiles of stored numbers become numbers to compute with, and back.
//!
//! * float → narrower float: to nearest, ties to even; too large becomes infinite; NaN stays NaN.
//! * float → integer: towards zero, clamped to the integer's range; NaN becomes 0 (Rust's `as`).
//! * integer → narrower integer: the low bits, as two's complement (Rust's `as`, NumPy, PyTorch).
//! * anything → bool: whether it is not zero (NaN is not zero); bool → number: 0 or 1.

#[cfg(target_arch = "x86_64")]
use crate::simd::{Isa, isa};
use crate::simd::{vectorize, vectorize_light};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// A value that converts to `To` by the rules of this module.
///
/// ```
/// use mapsto_kernels::cast::Cast;
/// let [a, b, c]: [u8; 3] = [Cast::<u8>::cast(2.9f32), Cast::<u8>::cast(-1.0f32), Cast::<u8>::cast(300.0f32)];
/// assert_eq!([a, b, c], [2, 0, 255]);
/// ```
pub trait Cast<To>: Copy {
    /// Whether slices are converted with AVX-512 too: the families below it convert between 64 bits and other numbers, and
    /// from and to bf16, in several steps or one by one.
    const WIDE: bool = false;
    /// This value as a `To`.
    fn cast(self) -> To;
    /// Converts the elements of `x` into `y`, which has the same length.
    #[inline]
    fn cast_slice(x: &[Self], y: &mut [To]) {
        if Self::WIDE {
            vectorize(
                #[inline(always)]
                || one_by_one(x, y),
            );
        } else {
            vectorize_light(
                #[inline(always)]
                || one_by_one(x, y),
            );
        }
    }
}

#[inline(always)]
fn one_by_one<From: Cast<To>, To>(x: &[From], y: &mut [To]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x.cast();
    }
}

/// Converts every element of `x`, into `y`.
///
/// ```
/// let mut y = [0i64; 3];
/// mapsto_kernels::cast::cast(&[1.5f32, -2.5, f32::NAN], &mut y);
/// assert_eq!(y, [1, -2, 0]);
/// ```
///
/// # Panics
/// If the lengths differ.
pub fn cast<From: Cast<To>, To>(x: &[From], y: &mut [To]) {
    assert_eq!(x.len(), y.len(), "cast: lengths differ");
    From::cast_slice(x, y);
}

/// Writes 1 for what is true, and 0 for what is not.
///
/// ```
/// let mut y = [9u8; 3];
/// mapsto_kernels::cast::truths(&[0.5f32, 0.0, f32::NAN], &mut y);
/// assert_eq!(y, [1, 0, 1]);
/// ```
///
/// # Panics
/// If the lengths differ.
pub fn truths<T: Cast<bool>>(x: &[T], y: &mut [u8]) {
    assert_eq!(x.len(), y.len(), "cast: lengths differ");
    vectorize_light(
        #[inline(always)]
        || y.iter_mut().zip(x).for_each(|(y, x)| *y = x.cast() as u8),
    );
}

macro_rules! numbers {
    ($($a:ident => $($b:ident)*;)*) => {$(
        $(impl Cast<$b> for $a {
            const WIDE: bool = size_of::<$a>() == 8;
            #[inline(always)]
            fn cast(self) -> $b {
                self as $b
            }
        })*
        impl Cast<bool> for $a {
            #[inline(always)]
            fn cast(self) -> bool {
                self != 0 as $a
            }
        }
        impl Cast<$a> for bool {
            #[inline(always)]
            fn cast(self) -> $a {
                self as u8 as $a
            }
        }
        impl Cast<$a> for f16 {
            #[inline(always)]
            fn cast(self) -> $a {
                self.to_f32() as $a
            }
        }
        impl Cast<$a> for bf16 {
            #[inline(always)]
            fn cast(self) -> $a {
                widen(self) as $a
            }
        }
    )*};
}
numbers! {
    f64 => f32 f64 i64 i32 u8 i8;
    i64 => f32 f64 i64 i32 u8 i8;
    i32 => f32 f64 i64 i32 u8 i8;
    u8 => f32 f64 i64 i32 u8 i8;
    i8 => f32 f64 i64 i32 u8 i8;
}

macro_rules! plain {
    ($($a:ident => $b:ident: $f:expr;)*) => {$(
        impl Cast<$b> for $a {
            const WIDE: bool = size_of::<$a>() == 8 || size_of::<$a>() == 2 || size_of::<$b>() == 2;
            #[inline(always)]
            fn cast(self) -> $b {
                $f(self)
            }
        }
    )*};
}
plain! {
    f32 => f32: |x| x;
    f32 => f64: |x| x as f64;
    f32 => i32: to_i32;
    f32 => u8: |x| to_i32(clamped(x, 0.0, 255.0)) as u8;
    f32 => i8: |x| to_i32(clamped(x, -128.0, 127.0)) as i8;
    f32 => bool: |x| x != 0.0;
    bool => f32: |x| x as u8 as f32;
    bool => bool: |x| x;
    bf16 => f32: widen;
    f32 => bf16: round;
    f64 => bf16: |x| round(to_odd(x));
    i64 => bf16: |x| round(to_odd(x as f64));
    i32 => bf16: |x| round(to_odd(x as f64));
    u8 => bf16: |x| round(x as f32);
    i8 => bf16: |x| round(x as f32);
    bool => bf16: |x| round(x as u8 as f32);
    f16 => bool: |x: f16| x.to_bits() << 1 != 0; // all but the sign: `half` compares with branches
    bf16 => bool: |x: bf16| x.to_bits() << 1 != 0;
    f16 => f16: |x| x;
    bf16 => bf16: |x| x;
    f16 => bf16: |x: f16| round(x.to_f32());
}

/// To f16 by way of f32, which it is rounded from eight at a time.
macro_rules! by_f32 {
    ($($a:ident: $f:expr;)*) => {$(
        impl Cast<f16> for $a {
            #[inline(always)]
            fn cast(self) -> f16 {
                f16::from_f32($f(self))
            }
            #[inline]
            fn cast_slice(x: &[$a], y: &mut [f16]) {
                let mut room = [0f32; 64];
                for (x, y) in x.chunks(64).zip(y.chunks_mut(64)) {
                    let room = &mut room[..x.len()];
                    vectorize(
                        #[inline(always)]
                        || room.iter_mut().zip(x).for_each(|(near, x)| *near = $f(*x)),
                    );
                    f32::cast_slice(room, y);
                }
            }
        }
    )*};
}
by_f32! {
    f64: to_odd;
    // An i64 that f64 cannot hold is infinite in f16, and in bf16 off by 2⁻⁵³ of itself before rounding to 2⁻⁹.
    i64: |x| to_odd(x as f64);
    i32: |x| to_odd(x as f64);
    u8: |x| x as f32;
    i8: |x| x as f32;
    bool: |x| x as u8 as f32;
    bf16: widen;
}

// With AVX-512 eight numbers are converted at once; the families below do it one by one.
impl Cast<i64> for f32 {
    const WIDE: bool = true;
    #[inline(always)]
    fn cast(self) -> i64 {
        const TOP: f32 = 9_223_372_036_854_775_808.0;
        let near = if self.abs() < TOP { self } else { 0.0 };
        // SAFETY: it is a number within the range of i64.
        let inside = unsafe { near.to_int_unchecked::<i64>() };
        let above = if self >= TOP { i64::MAX } else { inside };
        if self <= -TOP { i64::MIN } else { above }
    }
}

impl Cast<f32> for f16 {
    #[inline(always)]
    fn cast(self) -> f32 {
        self.to_f32()
    }
    #[inline]
    fn cast_slice(x: &[f16], y: &mut [f32]) {
        let mut done = 0;
        #[cfg(target_arch = "x86_64")]
        if isa() >= Isa::Avx2 {
            // SAFETY: the processor has F16C, which belongs to this family.
            done = unsafe { eights::widen(x, y) };
        }
        x[done..].convert_to_f32_slice(&mut y[done..]);
    }
}
impl Cast<f16> for f32 {
    #[inline(always)]
    fn cast(self) -> f16 {
        f16::from_f32(self)
    }
    #[inline]
    fn cast_slice(x: &[f32], y: &mut [f16]) {
        let mut done = 0;
        #[cfg(target_arch = "x86_64")]
        if isa() >= Isa::Avx2 {
            // SAFETY: as above.
            done = unsafe { eights::round(x, y) };
        }
        y[done..].convert_from_f32_slice(&x[done..]);
    }
}

/// Eight f16 at a time. `half` does so too, with a call for each eight, which takes four times as long.
#[cfg(target_arch = "x86_64")]
mod eights {
    use half::f16;
    use std::arch::x86_64::*;

    /// As f32; gives how many are done.
    #[target_feature(enable = "avx,f16c")]
    pub(super) fn widen(x: &[f16], y: &mut [f32]) -> usize {
        let (x, y) = (x.as_chunks::<8>().0, y.as_chunks_mut::<8>().0);
        for (y, x) in y.iter_mut().zip(x) {
            // SAFETY: eight numbers each.
            unsafe { _mm256_storeu_ps(y.as_mut_ptr(), _mm256_cvtph_ps(_mm_loadu_si128(x.as_ptr().cast()))) }
        }
        8 * x.len()
    }

    /// Rounded to the nearest, ties to even; gives how many are done.
    #[target_feature(enable = "avx,f16c")]
    pub(super) fn round(x: &[f32], y: &mut [f16]) -> usize {
        let (x, y) = (x.as_chunks::<8>().0, y.as_chunks_mut::<8>().0);
        for (y, x) in y.iter_mut().zip(x) {
            // SAFETY: eight numbers each.
            unsafe {
                let halves = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm256_loadu_ps(x.as_ptr()));
                _mm_storeu_si128(y.as_mut_ptr().cast(), halves);
            }
        }
        8 * x.len()
    }
}

/// Rust's `as` in steps that are vectorized: 13 instead of 99 µs for 100,000 numbers.
#[inline(always)]
fn to_i32(x: f32) -> i32 {
    const TOP: f32 = 2_147_483_648.0;
    let near = if x.abs() < TOP { x } else { 0.0 };
    // SAFETY: it is a number within the range of i32.
    let inside = unsafe { near.to_int_unchecked::<i32>() };
    let above = if x >= TOP { i32::MAX } else { inside };
    if x <= -TOP { i32::MIN } else { above }
}

/// The nearest number of a range; NaN as it is.
#[inline(always)]
fn clamped(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// bf16 is the upper half of an f32.
#[inline(always)]
fn widen(x: bf16) -> f32 {
    f32::from_bits((x.to_bits() as u32) << 16)
}

/// Rounds by adding just under half of the last kept bit; a carry into the exponent is what rounding up means there.
/// (`bf16::from_f32` does the same with a branch, which keeps loops over it scalar.)
#[inline(always)]
fn round(x: f32) -> bf16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    let quiet = bits >> 16 | 0x40; // the payload may lie in the dropped bits: keep it a NaN
    bf16::from_bits(if x.is_nan() { quiet } else { rounded } as u16)
}

/// The f32 on the way from f64 to a half: where inexact, the neighbour whose last bit is 1. It is never a tie, so that
/// rounding it again gives what rounding `x` at once would (Boldo & Melquiond 2008, "Emulation of FMA and correctly
/// rounded sums"). `f16::from_f64` rounds twice on processors with F16C, and one tie in 2¹³ goes wrong.
#[inline(always)]
fn to_odd(x: f64) -> f32 {
    let near = x as f32;
    let above = (near as f64).abs() > x.abs();
    let odd = f32::from_bits(near.to_bits().wrapping_sub(above as u32) | 1);
    if (near as f64 == x) | x.is_nan() { near } else { odd }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_integers() {
        let x = [0.0f32, -0.9, 1.9, -7.5, 1e3, -1e3, 1e30, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        let (mut b, mut i, mut l, mut t) = ([0u8; 10], [0i8; 10], [0i64; 10], [true; 10]);
        cast(&x, &mut b);
        cast(&x, &mut i);
        cast(&x, &mut l);
        cast(&x, &mut t);
        assert_eq!(b, [0, 0, 1, 0, 255, 0, 255, 255, 0, 0]);
        assert_eq!(i, [0, 0, 1, -7, 127, -128, 127, 127, -128, 0]);
        assert_eq!(l, [0, 0, 1, -7, 1000, -1000, i64::MAX, i64::MAX, i64::MIN, 0]);
        assert_eq!(t, [false, true, true, true, true, true, true, true, true, true]);
        let (mut b, mut i) = ([0u8; 3], [0i8; 3]);
        cast(&[-1i64, 256, 300], &mut b);
        cast(&[200u8, 3, 255], &mut i);
        assert_eq!((b, i), ([255, 0, 44], [-56, 3, -1]));
    }

    #[test]
    fn every_half_goes_out_and_back() {
        let bits: Vec<u16> = (0..=u16::MAX).collect();
        let x: Vec<f16> = bits.iter().map(|&b| f16::from_bits(b)).collect();
        let z: Vec<bf16> = bits.iter().map(|&b| bf16::from_bits(b)).collect();
        let (mut wide, mut back) = (vec![0f32; x.len()], vec![f16::ZERO; x.len()]);
        cast(&x, &mut wide);
        cast(&wide, &mut back);
        let (mut zwide, mut zback) = (vec![0f32; x.len()], vec![bf16::ZERO; x.len()]);
        cast(&z, &mut zwide);
        cast(&zwide, &mut zback);
        for i in 0..x.len() {
            assert_eq!(wide[i].to_bits() << 1 >> 1 > 0x7f80_0000, x[i].is_nan());
            assert!(x[i].is_nan() || back[i].to_bits() == bits[i]);
            assert!(if z[i].is_nan() { zback[i].is_nan() } else { zback[i].to_bits() == bits[i] });
        }
    }

    #[test]
    fn floats_round_to_nearest_even() {
        // Around every bf16: halfway, and a hair to either side, against exact arithmetic in f64.
        for b in (0..0x7f80u32).step_by(7) {
            let (low, high) = (f32::from_bits(b << 16) as f64, f32::from_bits((b + 1) << 16) as f64);
            for low16 in [0x7fff, 0x8000, 0x8001] {
                let x = f32::from_bits(b << 16 | low16);
                let up = low16 > 0x8000 || (low16 == 0x8000 && b & 1 == 1);
                let y: bf16 = x.cast();
                assert_eq!(y.to_f64(), if up { high } else { low }, "{x}");
                let negative: bf16 = (-x).cast();
                assert_eq!(negative, -y);
            }
        }
        // 1 + 2⁻¹¹ + 2⁻⁴⁰ is above halfway between two f16; rounded to f32 first it would be a tie, and go down.
        let y: f16 = (1.0 + 2f64.powi(-11) + 2f64.powi(-40)).cast();
        assert_eq!(y.to_f64(), 1.0 + 2f64.powi(-10));
        let y: f16 = (-1.0 - 2f64.powi(-11) + 2f64.powi(-40)).cast();
        assert_eq!(y.to_f64(), -1.0);
        let z: [bf16; 4] = [1.0 + 2f64.powi(-8) + 2f64.powi(-40), 1e300, -1e-300, 1.0].map(|x: f64| x.cast());
        assert_eq!(z.map(bf16::to_f64), [1.0 + 2f64.powi(-7), f64::INFINITY, 0.0, 1.0]);
        let y: f16 = 70_000i64.cast();
        assert_eq!(y, f16::INFINITY);
    }

    #[test]
    fn floats_to_integers_as_rust_does_it() {
        let edges =
            [2f32.powi(31), 2f32.powi(63), 2_147_483_520.0, 9_223_371_487_098_961_920.0, 255.5, 128.0, 0.5];
        let x: Vec<f32> = (0..300)
            .map(|i| (i as f32 - 150.0) * 1.7)
            .chain(edges.iter().flat_map(|&e| [e, -e, e * 1.5, -e * 1.5]))
            .chain([f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-40])
            .collect();
        for &family in crate::simd::Isa::available() {
            for n in [0, 1, 7, 8, 33, x.len()] {
                macro_rules! same {
                    ($($t:ident)*) => {$({
                        let (mut y, want) = (vec![1 as $t; n], x[x.len() - n..].iter().map(|&x| x as $t));
                        crate::simd::with_isa(family, || cast(&x[x.len() - n..], &mut y));
                        assert!(y.iter().copied().eq(want), "{} {family:?} {n}", stringify!($t));
                    })*};
                }
                same!(i64 i32 u8 i8);
                let (mut half, mut back) = (vec![f16::ZERO; n], vec![0f32; n]);
                crate::simd::with_isa(family, || (cast(&x[..n], &mut half), cast(&half, &mut back)));
                for i in 0..n {
                    let (want, wide) = (f16::from_f32(x[i]), half[i].to_f32());
                    assert!(half[i].to_bits() == want.to_bits() || half[i].is_nan() && want.is_nan());
                    assert!(back[i].to_bits() == wide.to_bits() || back[i].is_nan() && wide.is_nan());
                }
            }
        }
    }

    #[test]
    fn slices_are_converted_as_single_numbers_are() {
        let x: Vec<i64> = (0..200).map(|i| (i - 100) * (i - 100) * (i - 100) * 8_800_000_007 + i).collect();
        macro_rules! same {
            ($($a:ident => $($b:ident)*;)*) => {$($({
                for &family in crate::simd::Isa::available() {
                    let x: Vec<$a> = x.iter().map(|&x| Cast::<$a>::cast(x as f64)).collect();
                    let mut y: Vec<$b> = x.iter().map(|_| Cast::<$b>::cast(0u8)).collect();
                    crate::simd::with_isa(family, || cast(&x, &mut y));
                    let want = x.iter().map(|&x| Cast::<$b>::cast(x));
                    assert!(y.iter().copied().eq(want), "{} {} {family:?}", stringify!($a), stringify!($b));
                }
            })*)*};
        }
        same! {
            f64 => f32 f64 f16 bf16 i64 i32 u8 i8;
            f32 => f32 f64 f16 bf16 i64 i32 u8 i8;
            i64 => f32 f64 f16 bf16 i64 i32 u8 i8;
            i32 => f32 f64 f16 bf16 i64 i32 u8 i8;
            u8 => f32 f64 f16 bf16 i64 i32 u8 i8;
            bf16 => f32 f64 f16 bf16 i64 i32 u8 i8;
        }
    }

    #[test]
    fn bools_and_lengths() {
        let mut y = [0f64; 2];
        cast(&[true, false], &mut y);
        assert_eq!(y, [1.0, 0.0]);
        cast::<f32, f16>(&[], &mut []);
        assert!(std::panic::catch_unwind(|| cast(&[1f32], &mut [0f64; 2])).is_err());
    }
}
