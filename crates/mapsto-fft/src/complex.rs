//! Complex tensors as tensors `[.., 2]`: making them, their parts, products, lengths and angles.

use crate::transform::{real_signal, signal};
use mapsto_tensor::{Tensor, fail};

/// The complex tensor of a real and an imaginary part.
///
/// * Shape: `[..], [..] → [.., 2]`, floats of one dtype.   * Gradient: the parts of `dz`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_fft::complex(&tensor![1.0], &tensor![2.0]), [[1.0, 2.0]]);
/// ```
/// # Panics
/// When shapes or dtypes differ, or there are six axes already.
#[track_caller]
pub fn complex(re: &Tensor, im: &Tensor) -> Tensor {
    real_signal("complex", re);
    if re.shape() != im.shape() || re.dtype() != im.dtype() {
        fail!("complex", "the parts differ: {:?} of {} and {:?} of {}", re.shape(), re.dtype(), im.shape(), im.dtype();
              help = "give both the same shape and dtype");
    }
    Tensor::stack(&[re, im], -1)
}

/// The complex tensor of a real one: its imaginary parts are 0.
///
/// * Shape: `[..] → [.., 2]`, floats only.   * Gradient: `dx = Re dz`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_fft::from_real(&tensor![3.0]), [[3.0, 0.0]]);
/// ```
/// # Panics
/// When the elements are not floats, or there are six axes already.
#[track_caller]
pub fn from_real(x: &Tensor) -> Tensor {
    real_signal("from_real", x);
    Tensor::stack(&[x, &Tensor::zeros_like(x)], -1)
}

/// The real parts.
///
/// * Shape: `[.., 2] → [..]`, a view.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_fft::real(&tensor![[1.0, 2.0]]), [1.0]);
/// ```
/// # Panics
/// When the last axis is not a pair.
#[track_caller]
pub fn real(z: &Tensor) -> Tensor {
    signal("real", z);
    z.select(-1, 0)
}

/// The imaginary parts.
///
/// * Shape: `[.., 2] → [..]`, a view.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_fft::imag(&tensor![[1.0, 2.0]]), [2.0]);
/// ```
/// # Panics
/// When the last axis is not a pair.
#[track_caller]
pub fn imag(z: &Tensor) -> Tensor {
    signal("imag", z);
    z.select(-1, 1)
}

/// The conjugates: the imaginary parts with the other sign.
///
/// * Shape: `[.., 2] → [.., 2]`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_fft::conj(&tensor![[1.0, 2.0]]), [[1.0, -2.0]]);
/// ```
/// # Panics
/// When the last axis is not a pair.
#[track_caller]
pub fn conj(z: &Tensor) -> Tensor {
    signal("conj", z);
    z * z.device().scope(|| Tensor::from_slice(&[1.0, -1.0], 2)).to(z.dtype())
}

/// The complex product `(a + bi)(c + di) = (ac − bd) + (ad + bc)i`.
///
/// * Shape: `[.., 2], [.., 2] → broadcast`.   * Gradient: `da = dy · conj(b)`, `db = dy · conj(a)`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_fft::complex_mul(&tensor![[0.0, 1.0]], &tensor![[0.0, 1.0]]), [[-1.0, 0.0]]);
/// ```
/// # Panics
/// When a last axis is not a pair, or the shapes do not broadcast.
#[track_caller]
pub fn complex_mul(a: &Tensor, b: &Tensor) -> Tensor {
    signal("complex_mul", a);
    signal("complex_mul", b);
    let ([re, im], [u, v]) = ([real(a), imag(a)], [real(b), imag(b)]);
    complex(&(&re * &u - &im * &v), &(re * v + im * u))
}

/// The complex quotient `a / b`, by Smith's method, so that only a quotient that is too large overflows.
///
/// * Shape: `[.., 2], [.., 2] → broadcast`.   * Gradient: `da = dy / conj(b)`, `db = −dy · conj(a / b²)`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_fft::complex_div(&tensor![[1.0, 0.0]], &tensor![[0.0, 2.0]]), [[0.0, -0.5]]);
/// ```
/// # Panics
/// When a last axis is not a pair, or the shapes do not broadcast. Source: Smith, *Algorithm 116: Complex division* (1962).
#[track_caller]
pub fn complex_div(a: &Tensor, b: &Tensor) -> Tensor {
    signal("complex_div", a);
    signal("complex_div", b);
    let ([re, im], [u, v]) = ([real(a), imag(a)], [real(b), imag(b)]);
    // The larger part of b is divided by: the quotient of its parts is at most 1. The other half is turned by −i.
    let wide = u.detach().abs().ge(v.detach().abs());
    let (large, small) = (wide.choose(&u, &v), wide.choose(&v, -&u));
    let (re, im) = (wide.choose(&re, &im), wide.choose(&im, -&re));
    let r = &small / &large;
    let below = large + small * &r;
    complex(&((&re + &im * &r) / &below), &((&im - &re * &r) / &below))
}

/// The lengths `|z|`, whose squares may leave the range of numbers.
///
/// * Shape: `[.., 2] → [..]`.   * Gradient: `dz = z / |z| · dy`, 0 at the origin.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_fft::complex_abs(&tensor![[3.0, 4.0]]), [5.0]);
/// ```
/// # Panics
/// When the last axis is not a pair.
#[track_caller]
pub fn complex_abs(z: &Tensor) -> Tensor {
    signal("complex_abs", z);
    real(z).hypot(imag(z))
}

/// The angles, from −π to π.
///
/// * Shape: `[.., 2] → [..]`.   * Gradient: `dz = (−im, re) / |z|² · dy`, 0 at the origin.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_fft::angle(&tensor![[0.0, 1.0], [-1.0, 0.0]]), [1.57080, 3.14159]);
/// ```
/// # Panics
/// When the last axis is not a pair.
#[track_caller]
pub fn angle(z: &Tensor) -> Tensor {
    signal("angle", z);
    let (re, im) = (real(z), imag(z));
    // The origin has an angle by its signs and no slope: it is taken from a point that has one, and its gradient is left out.
    let origin = re.detach().eq(0.0).and(&im.detach().eq(0.0));
    let angle = im.atan2(origin.choose(re.device().scope(|| Tensor::full_of((), 1.0, z.dtype())), &re));
    origin.choose(im.detach().atan2(re.detach()), angle)
}

/// The complex numbers of lengths and angles: `r (cos θ + i sin θ)`.
///
/// * Shape: `[..], [..] → [.., 2]`, floats of one dtype.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_fft::polar(&tensor![2.0], &tensor![0.0]), [[2.0, 0.0]]);
/// ```
/// # Panics
/// When shapes or dtypes differ, or there are six axes already.
#[track_caller]
pub fn polar(abs: &Tensor, angle: &Tensor) -> Tensor {
    real_signal("polar", abs);
    if abs.shape() != angle.shape() || abs.dtype() != angle.dtype() {
        fail!("polar", "lengths and angles differ: {:?} of {} and {:?} of {}", abs.shape(), abs.dtype(), angle.shape(), angle.dtype();
              help = "give both the same shape and dtype");
    }
    complex(&(abs * angle.cos()), &(abs * angle.sin()))
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn arithmetic_of_complex_numbers() {
        let d = || floats(0.5..2.0);
        let pairs = [&[3, 2][..], &[2, 1, 2]];
        let at = |x: &Numbers, i: usize| (x.values[2 * i], x.values[2 * i + 1]);
        check2(complex_mul)
            .shapes(pairs)
            .formula(move |[a, b]| {
                Numbers::from_fn(&[2, 3, 2], |p| {
                    let ((a, b), (c, d)) = (at(a, p[1]), at(b, p[0]));
                    if p[2] == 0 { a * c - b * d } else { a * d + b * c }
                })
            })
            .on(d(), d());
        check2(complex_div)
            .shapes(pairs)
            .formula(move |[a, b]| {
                Numbers::from_fn(&[2, 3, 2], |p| {
                    let ((a, b), (c, d)) = (at(a, p[1]), at(b, p[0]));
                    let below = c * c + d * d;
                    if p[2] == 0 { (a * c + b * d) / below } else { (b * c - a * d) / below }
                })
            })
            .on(d(), d());
        check2(complex_div).shapes([&[4, 2], &[4, 2]]).on(d(), floats(-2.0..-0.5));
        check(|z| complex_abs(z)).shapes([&[5, 2]]).on(d());
        check(|z| angle(z)).shapes([&[5, 2]]).on(d());
        check(|z| conj(z)).shapes([&[5, 2]]).on(d());
        check2(polar).shapes([&[5], &[5]]).on(d(), d());
        let z = d().draw(&[6, 2], 1);
        assert_tensors_close(&polar(&complex_abs(&z), &angle(&z)), &z, 1e-14, 0.0, "polar");
        assert_tensors_close(
            &complex_mul(&complex_div(&z, &conj(&z)), &conj(&z)),
            &z,
            1e-14,
            0.0,
            "a / b · b",
        );
    }

    #[test]
    fn the_origin_has_no_slope_and_large_numbers_do_not_overflow() {
        let z = tensor![[0.0, 0.0], [-1.0, 0.0]].leaf();
        assert_close!((complex_abs(&z) + angle(&z)).sum(..).backward().of(&z), [[0.0, 0.0], [-1.0, -1.0]]);
        let large = tensor![[1e30, 1e30], [1e30, -1e30], [0.0, 1e30], [-1e30, 0.0]];
        assert_close!(complex_div(&large, &large), [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]);
        let e = catch(|| complex(&tensor![1.0], &tensor![1.0, 2.0])).unwrap_err();
        assert_eq!(e.message(), "complex: the parts differ: [1] of f32 and [2] of f32");
        let e = catch(|| real(&tensor![1.0])).unwrap_err();
        assert!(e.message().starts_with("real: a complex tensor [.., 2] of floats is needed"), "{e}");
    }
}
