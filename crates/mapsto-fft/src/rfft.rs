//! The discrete Fourier transform of a real tensor, of which half is enough, and its inverse.

use crate::rows::{Irfft, Rfft};
use crate::transform::{Transform, moved, real_signal, resized, signal};
use mapsto_tensor::graph::apply;
use mapsto_tensor::{MAX_RANK, Tensor, fail};

/// The first `⌊n/2⌋ + 1` numbers of the discrete Fourier transform of a real tensor along its last axis; the others are their conjugates.
///
/// * Shape: `[.., n] → [.., ⌊n/2⌋ + 1, 2]`, floats only.   * Gradient: `dx_j = Σₖ Re(dy_k e^(2πi jk/n))` over those numbers.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let y = mapsto_fft::rfft(&tensor![0.0, 1.0, 0.0, -1.0]);
/// assert_close!(y, [[0.0, 0.0], [0.0, -2.0], [0.0, 0.0]]);
/// ```
/// # Panics
/// When the elements are not floats, there is nothing to transform, or the tensor has six axes already.
#[track_caller]
pub fn rfft(x: &Tensor) -> Tensor {
    rfft_with(x, Transform::new())
}

/// [`rfft`] along any axis, of any length, with the factor where it is wanted.
///
/// * Shape: `[.., m] → [.., ⌊n/2⌋ + 1, 2]`, cut or filled with zeros to `n` numbers.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(rfft_with(&Tensor::ones([5, 3]), Transform::new().axis(0).n(8)).shape(), [5, 3, 2]);
/// ```
/// # Panics
/// As [`rfft`], and when there is no such axis.
#[track_caller]
pub fn rfft_with(x: &Tensor, how: Transform) -> Tensor {
    real_along("rfft", x, how, false)
}

/// The real tensor whose [`rfft`] this is, of even length: `n = 2 (m − 1)`. The imaginary parts of the first number, and of the last one
/// where `n` is even, are not read: those of a real tensor are 0.
///
/// * Shape: `[.., m, 2] → [.., 2 (m − 1)]`, floats only.   * Gradient: the transform of `dx` times `1/n`, twice for the numbers that stand for their conjugates too.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let x = tensor![3.0, 1.0, 2.0];
/// assert_close!(irfft_with(&rfft(&x), Transform::new().n(3)), x);   // an odd length must be said
/// ```
/// # Panics
/// When the last axis is not the pair of real and imaginary part, or fewer than two numbers leave the length unknown.
#[track_caller]
pub fn irfft(x: &Tensor) -> Tensor {
    irfft_with(x, Transform::new())
}

/// [`irfft`] along any axis, of any length of the result, with the factor where it is wanted.
///
/// * Shape: `[.., m, 2] → [.., n]`, cut or filled with zeros to `⌊n/2⌋ + 1` numbers.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let y = tensor![[4.0, 0.0]];
/// assert_close!(irfft_with(&y, Transform::new().n(4)), [1.0, 1.0, 1.0, 1.0]);
/// ```
/// # Panics
/// As [`irfft`], and when there is no such axis.
#[track_caller]
pub fn irfft_with(x: &Tensor, how: Transform) -> Tensor {
    half_along("irfft", x, how, true)
}

/// The real transform along one axis; `inverse` says whose factor it takes.
#[track_caller]
pub(crate) fn real_along(op: &str, x: &Tensor, how: Transform, inverse: bool) -> Tensor {
    let (axis, n, norm) = how.fit(op, real_signal(op, x), |size| size);
    if x.rank() == MAX_RANK {
        fail!(op, "the result of {:?} would have more than {MAX_RANK} axes", x.shape(); help = "`flatten` joins axes of the batch");
    }
    let last = x.rank() - 1;
    let rows = moved(&resized(x, axis, n), axis, last);
    moved(&apply(Rfft { scale: norm.scale(n, inverse) }, &[&rows]), last, axis)
}

/// The transform of half a row to a real one along one axis; `inverse` says whose factor it takes.
#[track_caller]
pub(crate) fn half_along(op: &str, x: &Tensor, how: Transform, inverse: bool) -> Tensor {
    let (axis, n, norm) = how.fit(op, signal(op, x), |size| 2 * (size.max(1) - 1));
    let last = x.rank() - 2;
    let rows = moved(&resized(x, axis, n / 2 + 1), axis, last);
    moved(&apply(Irfft { n, scale: norm.scale(n, inverse) }, &[&rows]), last, axis)
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;
    use std::f64::consts::TAU;

    #[test]
    fn rfft_is_the_first_half_of_fft() {
        for (n, size) in [(1, 1), (2, 2), (5, 5), (8, 8), (6, 4), (3, 5), (9, 9)] {
            for norm in [Norm::Backward, Norm::Ortho, Norm::Forward] {
                let how = Transform::new().axis(0).n(n).norm(norm);
                let formula = move |[x]: [&Numbers; 1]| {
                    Numbers::from_fn(&[n / 2 + 1, 2, 2], |at| {
                        let angle = |j: usize| -TAU * (j * at[0] % n) as f64 / n as f64;
                        let wave = |j: usize| if at[2] == 0 { angle(j).cos() } else { angle(j).sin() };
                        norm.scale(n, false)
                            * (0..n.min(size)).map(|j| x.at(&[j, at[1]]) * wave(j)).sum::<f64>()
                    })
                };
                check(move |x| rfft_with(x, how)).shapes([&[size, 2]]).formula(formula).on(floats(-2.0..2.0));
            }
        }
    }

    #[test]
    fn irfft_is_a_sum_of_waves() {
        for (n, size) in [(1, 1), (2, 2), (3, 2), (8, 5), (9, 5), (4, 5), (7, 2), (6, 1)] {
            for norm in [Norm::Backward, Norm::Ortho, Norm::Forward] {
                let how = Transform::new().axis(0).n(n).norm(norm);
                let formula = move |[z]: [&Numbers; 1]| {
                    Numbers::from_fn(&[n, 2], |at| {
                        let term = |k: usize| {
                            let (s, c) = (TAU * (k * at[0] % n) as f64 / n as f64).sin_cos();
                            let alone = k == 0 || 2 * k == n;
                            let (re, im) = (z.at(&[k, at[1], 0]), z.at(&[k, at[1], 1]));
                            if alone { re * c } else { 2.0 * (re * c - im * s) }
                        };
                        norm.scale(n, true) * (0..(n / 2 + 1).min(size)).map(term).sum::<f64>()
                    })
                };
                check(move |z| irfft_with(z, how))
                    .shapes([&[size, 2, 2]])
                    .formula(formula)
                    .on(floats(-2.0..2.0));
            }
        }
    }

    #[test]
    fn they_cancel_for_every_length() {
        seed(3);
        for n in [1, 2, 3, 16, 45, 101, 1024, 1999] {
            let x = Tensor::randn([3, n]).to(DType::F64);
            let z = rfft(&x);
            assert_tensors_close(&irfft_with(&z, Transform::new().n(n)), &x, 1e-12, 0.0, "the inverse");
            assert_tensors_close(
                &z,
                &fft(&from_real(&x)).slice(1, ..n / 2 + 1),
                1e-10,
                0.0,
                "half of the whole",
            );
        }
    }

    #[test]
    fn halves_are_computed_in_f32_and_rounded_once() {
        let x = tensor![0.1, 0.7, -0.3, 2.0, 1.0];
        for dtype in [DType::F16, DType::BF16] {
            let low = x.to(dtype);
            let want = rfft(&low.to(DType::F32)).to(dtype);
            assert_eq!(rfft(&low).to_vec::<f32>(), want.to_vec::<f32>());
        }
    }

    #[test]
    fn what_has_no_room_or_no_length_is_refused() {
        let e = catch(|| rfft(&Tensor::zeros([1, 1, 1, 1, 1, 3]))).unwrap_err();
        assert_eq!(e.message(), "rfft: the result of [1, 1, 1, 1, 1, 3] would have more than 6 axes");
        let e = catch(|| irfft(&tensor![[1.0, 0.0]])).unwrap_err();
        assert!(e.message().starts_with("irfft: a transform of length 0 was asked for"), "{e}");
        assert_eq!(rfft(&Tensor::zeros([0, 3])).shape(), [0, 2, 2]);
        assert!(rfft(&tensor![1.0, f64::NAN]).select(0, 0).select(0, 0).item().is_nan());
    }
}
