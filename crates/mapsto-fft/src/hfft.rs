//! Transforms of signals whose transform is real: `hfft` and its inverse.

use crate::complex::conj;
use crate::fft::along;
use crate::rfft::{half_along, real_along};
use crate::rfftn::steps;
use crate::transform::{Transform, TransformN, real_signal, signal};
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

/// The real transform along the last two axes of a signal with `x_(−i, −j) = conj(x_(i, j))`, of which half of the last axis is given.
///
/// * Shape: `[.., h, m, 2] → [.., h, 2 (m − 1)]`, floats only.   * Gradient: those of [`hfft`] and of [`fft`](crate::fft()).
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let x = tensor![[3.0, 1.0], [5.0, -1.0]];
/// assert_close!(hfft2(&ihfft2(&x)), x);
/// ```
/// # Panics
/// As [`irfft`](crate::irfft()), and where there are not two axes.
#[track_caller]
pub fn hfft2(x: &Tensor) -> Tensor {
    hfft2_with(x, &TransformN::new())
}

/// [`hfft2`] along two axes (or others), of any lengths of the result, with the factor where it is wanted.
///
/// * Shape: `[.., h, m, 2] → [.., h', w']`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(hfft2_with(&Tensor::ones([3, 4, 2]), &TransformN::new().sizes(&[2, 5])).shape(), [2, 5]);
/// ```
/// # Panics
/// As [`hfftn_with`].
#[track_caller]
pub fn hfft2_with(x: &Tensor, how: &TransformN) -> Tensor {
    to_real("hfft2", x, &how.plane())
}

/// The inverse of [`hfft2`]: half of the last axis.
///
/// * Shape: `[.., h, w] → [.., h, ⌊w/2⌋ + 1, 2]`, floats only.   * Gradient: those of [`ihfft`] and of [`ifft`](crate::ifft()).
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_close!(real(&ihfft2(&tensor![[4.0, 0.0], [0.0, 0.0]])), [[1.0, 1.0], [1.0, 1.0]]);
/// ```
/// # Panics
/// As [`rfft`](crate::rfft()), and where there are not two axes.
#[track_caller]
pub fn ihfft2(x: &Tensor) -> Tensor {
    ihfft2_with(x, &TransformN::new())
}

/// [`ihfft2`] along two axes (or others), of any lengths, with the factor where it is wanted.
///
/// * Shape: `[.., h, w] → [.., h', ⌊w'/2⌋ + 1, 2]`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(ihfft2_with(&Tensor::ones([3, 4]), &TransformN::new().sizes(&[2, 5])).shape(), [2, 3, 2]);
/// ```
/// # Panics
/// As [`hfftn_with`].
#[track_caller]
pub fn ihfft2_with(x: &Tensor, how: &TransformN) -> Tensor {
    from_whole("ihfft2", x, &how.plane())
}

/// The real transform along all axes of a signal with `x_(−j) = conj(x_j)`, of which half of the last axis is given.
///
/// * Shape: `[.., m, 2] → [.., 2 (m − 1)]`, floats only.   * Gradient: those of [`hfft`] and of [`fft`](crate::fft()).
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let x = tensor![[[3.0, 1.0], [5.0, -1.0]]];
/// assert_close!(hfftn(&ihfftn(&x)), x);
/// ```
/// # Panics
/// As [`irfft`](crate::irfft()).
#[track_caller]
pub fn hfftn(x: &Tensor) -> Tensor {
    hfftn_with(x, &TransformN::new())
}

/// [`hfftn`] along some axes, half of the one named last, of any lengths of the result, with the factor where it is wanted.
///
/// * Shape: `[a, .., m, 2] → [a', .., n]`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(hfftn_with(&Tensor::ones([6, 3, 2]), &TransformN::new().axes(&[1]).sizes(&[5])).shape(), [6, 5]);
/// ```
/// # Panics
/// As [`irfft`](crate::irfft()), where there is no such axis or one is named twice, and where sizes and axes are not as many.
#[track_caller]
pub fn hfftn_with(x: &Tensor, how: &TransformN) -> Tensor {
    to_real("hfftn", x, how)
}

/// The inverse of [`hfftn`]: half of the last axis.
///
/// * Shape: `[.., n] → [.., ⌊n/2⌋ + 1, 2]`, floats only.   * Gradient: those of [`ihfft`] and of [`ifft`](crate::ifft()).
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(ihfftn(&Tensor::ones([2, 3, 4])).shape(), [2, 3, 3, 2]);
/// ```
/// # Panics
/// As [`rfft`](crate::rfft()).
#[track_caller]
pub fn ihfftn(x: &Tensor) -> Tensor {
    ihfftn_with(x, &TransformN::new())
}

/// [`ihfftn`] along some axes, half of the one named last, of any lengths, with the factor where it is wanted.
///
/// * Shape: `[a, .., n] → [a', .., ⌊n'/2⌋ + 1, 2]`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(ihfftn_with(&Tensor::ones([6, 3, 4]), &TransformN::new().axes(&[2, 0])).shape(), [4, 3, 4, 2]);
/// ```
/// # Panics
/// As [`hfftn_with`].
#[track_caller]
pub fn ihfftn_with(x: &Tensor, how: &TransformN) -> Tensor {
    from_whole("ihfftn", x, how)
}

#[track_caller]
fn to_real(op: &str, x: &Tensor, how: &TransformN) -> Tensor {
    let (last, others) = steps(op, signal(op, x), how);
    let y = others.into_iter().fold(x.clone(), |y, step| along(op, &y, step, false));
    half_along(op, &conj(&y), last, false)
}

#[track_caller]
fn from_whole(op: &str, x: &Tensor, how: &TransformN) -> Tensor {
    let (last, others) = steps(op, real_signal(op, x), how);
    let y = conj(&real_along(op, x, last, true));
    others.into_iter().fold(y, |y, step| along(op, &y, step, true))
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
