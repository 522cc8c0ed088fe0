//! One function over every element of one, two or three slices: the loop under every elementwise op.
//!
//! These run on the current thread, over one tile; whoever calls them cuts the tensor into tiles. Write the closure
//! as `#[inline(always)] |x| ..` in the call itself: only what is inlined here becomes vector code. Let it own what it
//! captures (`move`): a parameter behind a reference might overlap `y`, so it is read again for each element.

use crate::simd::{vectorize, vectorize_light};

/// `yᵢ = f(xᵢ)`.
///
/// ```
/// use mapsto_kernels::{map::map1, real::Real};
/// let mut y = [0f32; 3];
/// map1(&[-1.0f32, 0.0, 1.0], &mut y, #[inline(always)] |x| Real::tanh(x));
/// assert!((y[2] - 0.76159).abs() < 1e-5);
/// ```
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn map1<X: Copy, Y>(x: &[X], y: &mut [Y], f: impl Fn(X) -> Y) {
    assert_eq!(x.len(), y.len(), "map1: lengths differ");
    vectorize_light(
        #[inline(always)]
        move || {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = f(x);
            }
        },
    );
}

/// As [`map1`] with AVX-512 too, for functions of so many steps that they do not wait for memory.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn map1_wide<X: Copy, Y>(x: &[X], y: &mut [Y], f: impl Fn(X) -> Y) {
    assert_eq!(x.len(), y.len(), "map1: lengths differ");
    vectorize(
        #[inline(always)]
        move || {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = f(x);
            }
        },
    );
}

/// `yᵢ = f(aᵢ, bᵢ)`.
///
/// ```
/// let mut y = [0f32; 2];
/// mapsto_kernels::map::map2(&[1.0f32, 2.0], &[3.0f32, 4.0], &mut y, #[inline(always)] |a, b| a * b);
/// assert_eq!(y, [3.0, 8.0]);
/// ```
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn map2<A: Copy, B: Copy, Y>(a: &[A], b: &[B], y: &mut [Y], f: impl Fn(A, B) -> Y) {
    assert!(a.len() == y.len() && b.len() == y.len(), "map2: lengths differ");
    vectorize_light(
        #[inline(always)]
        move || {
            for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
                *y = f(a, b);
            }
        },
    );
}

/// As [`map2`] with AVX-512 too; see [`map1_wide`].
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn map2_wide<A: Copy, B: Copy, Y>(a: &[A], b: &[B], y: &mut [Y], f: impl Fn(A, B) -> Y) {
    assert!(a.len() == y.len() && b.len() == y.len(), "map2: lengths differ");
    vectorize(
        #[inline(always)]
        move || {
            for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
                *y = f(a, b);
            }
        },
    );
}

/// `yᵢ = f(aᵢ, bᵢ, cᵢ)`.
///
/// ```
/// let (a, b) = ([1.0f32, 2.0], [3.0f32, 4.0]);
/// let mut y = [0f32; 2];
/// mapsto_kernels::map::map3(&[true, false], &a, &b, &mut y, #[inline(always)] |c, a, b| if c { a } else { b });
/// assert_eq!(y, [1.0, 4.0]);
/// ```
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn map3<A: Copy, B: Copy, C: Copy, Y>(a: &[A], b: &[B], c: &[C], y: &mut [Y], f: impl Fn(A, B, C) -> Y) {
    assert!(a.len() == y.len() && b.len() == y.len() && c.len() == y.len(), "map3: lengths differ");
    vectorize_light(
        #[inline(always)]
        move || {
            for (((y, &a), &b), &c) in y.iter_mut().zip(a).zip(b).zip(c) {
                *y = f(a, b, c);
            }
        },
    );
}

/// `yᵢ = f(yᵢ, xᵢ)`: an update in place.
///
/// ```
/// let mut y = [1.0f32, 2.0];
/// mapsto_kernels::map::update(&mut y, &[10.0f32, 20.0], #[inline(always)] |y, x| y + x);
/// assert_eq!(y, [11.0, 22.0]);
/// ```
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn update<Y: Copy, X: Copy>(y: &mut [Y], x: &[X], f: impl Fn(Y, X) -> Y) {
    assert_eq!(x.len(), y.len(), "update: lengths differ");
    vectorize_light(
        #[inline(always)]
        move || {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = f(*y, x);
            }
        },
    );
}

/// As [`update`] with AVX-512 too; see [`map1_wide`].
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn update_wide<Y: Copy, X: Copy>(y: &mut [Y], x: &[X], f: impl Fn(Y, X) -> Y) {
    assert_eq!(x.len(), y.len(), "update: lengths differ");
    vectorize(
        #[inline(always)]
        move || {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = f(*y, x);
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::real::Real;
    use crate::simd::{Isa, with_isa};

    #[test]
    fn the_same_bits_on_every_processor() {
        let x: Vec<f32> = (0..1003).map(|i| (i as f32 - 500.0) * 0.037).collect();
        macro_rules! everywhere {
            ($($f:expr),*) => {$({
                let want: Vec<u32> = x.iter().map(|&x| $f(x).to_bits()).collect();
                for &isa in Isa::available() {
                    for n in [0, 1, 15, 17, 1003] {
                        let mut y = vec![0f32; n];
                        with_isa(isa, || map1(&x[..n], &mut y, #[inline(always)] |x| $f(x)));
                        let same = y.iter().zip(&want).all(|(y, w)| y.to_bits() == *w || y.is_nan());
                        assert!(same, "{} in {isa:?}", stringify!($f));
                    }
                }
            })*};
        }
        everywhere!(Real::exp, Real::tanh, Real::erf, Real::sigmoid, Real::softplus, Real::ln, Real::exp_m1);
        everywhere!(Real::exp_of_negative, |x| Real::normal(x).0, |x| Real::normal(x).1);
    }

    #[test]
    fn two_three_and_in_place() {
        let a: Vec<f64> = (0..37).map(f64::from).collect();
        let mut y = vec![0.0; 37];
        map2(&a, &a, &mut y, |a, b| a - 2.0 * b);
        assert!(y.iter().zip(&a).all(|(y, a)| *y == -a));
        update(&mut y, &a, |y, a| y + a);
        assert!(y.iter().all(|&y| y == 0.0));
        map3(&a, &a, &a, &mut y, |a, b, c| a * b + c);
        assert_eq!(y[36], 36.0 * 37.0);
        assert!(std::panic::catch_unwind(|| map1(&[1], &mut [0; 2], |x: i32| x)).is_err());
    }
}
