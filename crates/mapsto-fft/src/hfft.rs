//! Transforms of signals whose transform is real: `hfft` and its inverse.

use crate::complex::conj;
use crate::rfft::{half_along, real_along};
use crate::transform::Transform;
use mapsto_tensor::Tensor;

/// The real transform of a signal with `x_(n−j) = conj(x_j)`, of which the first half is given: [`irfft`](crate::irfft()) of the conjugates, without its
/// factor.
///
/// * Shape: `[.., m, 2] → [.., 2 (m − 1)]`, floats only.   * Gradient: that of `irfft`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let x = tensor![[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]];
/// assert_close!(mapsto_fft::hfft(&x), [3.0, 1.0, 3.0, -3.0]);
/// ```
/// # Panics
/// As [`irfft`](crate::irfft()).
#[track_caller]
pub fn hfft(x: &Tensor) -> Tensor {
    hfft_with(x, Transform::new())
}

/// [`hfft`] along any axis, of any length of the result, with the factor where it is wanted.
///
/// * Shape: `[.., m, 2] → [.., n]`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(hfft_with(&Tensor::ones([3, 4, 2]), Transform::new().axis(0).n(5)).shape(), [5, 4]);
/// ```
/// # Panics
/// As [`irfft_with`](crate::irfft_with).
#[track_caller]
pub fn hfft_with(x: &Tensor, how: Transform) -> Tensor {
    half_along("hfft", &conj(x), how, false)
}

/// The inverse of [`hfft`]: the conjugates of [`rfft`](crate::rfft()), divided by `n`.
///
/// * Shape: `[.., n] → [.., ⌊n/2⌋ + 1, 2]`, floats only.   * Gradient: that of `rfft`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let x = tensor![3.0, 1.0, 3.0, -3.0];
/// assert_close!(ihfft(&x), [[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]]);
/// ```
/// # Panics
/// As [`rfft`](crate::rfft()).
#[track_caller]
pub fn ihfft(x: &Tensor) -> Tensor {
    ihfft_with(x, Transform::new())
}

/// [`ihfft`] along any axis, of any length, with the factor where it is wanted.
///
/// * Shape: `[.., m] → [.., ⌊n/2⌋ + 1, 2]`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(ihfft_with(&Tensor::ones([3, 4]), Transform::new().axis(0).n(5)).shape(), [3, 4, 2]);
/// ```
/// # Panics
/// As [`rfft_with`](crate::rfft_with).
#[track_caller]
pub fn ihfft_with(x: &Tensor, how: Transform) -> Tensor {
    conj(&real_along("ihfft", x, how, true))
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;

    #[test]
    fn hfft_is_the_transform_of_the_whole_signal() {
        for n in [4, 5, 9] {
            let x = floats(-2.0..2.0).draw(&[n], 1);
            let how = Transform::new().n(n);
            let whole = fft(&from_real(&x));
            assert_tensors_close(
                &ihfft(&x),
                &(conj(&whole) / n as f64).slice(0, ..n / 2 + 1),
                1e-12,
                0.0,
                "ihfft",
            );
            assert_tensors_close(&hfft_with(&ihfft(&x), how), &x, 1e-12, 0.0, "hfft of ihfft");
        }
        check(|x| hfft(x)).shapes([&[4, 2]]).on(floats(-2.0..2.0));
        check(|x| ihfft_with(x, Transform::new().norm(Norm::Ortho))).shapes([&[2, 5]]).on(floats(-2.0..2.0));
    }
}
