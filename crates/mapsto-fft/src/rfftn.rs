//! The transform of a real tensor along several axes: half of the last, whole along the others.

use crate::fft::along;
use crate::rfft::{half_along, real_along};
use crate::transform::{Transform, TransformN, real_signal, signal};
use mapsto_tensor::{Tensor, fail};

/// The transform of a real tensor along its last two axes, half of the last one.
///
/// * Shape: `[.., h, w] → [.., h, ⌊w/2⌋ + 1, 2]`, floats only.   * Gradient: those of [`rfft`](crate::rfft()) and of [`fft`](crate::fft()).
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_close!(real(&rfft2(&tensor![[1.0, 2.0], [3.0, 4.0]])), [[10.0, -2.0], [-4.0, 0.0]]);
/// ```
/// # Panics
/// As [`rfft`](crate::rfft()), and where there are not two axes.
#[track_caller]
pub fn rfft2(x: &Tensor) -> Tensor {
    rfft2_with(x, &TransformN::new())
}

/// [`rfft2`] along two axes (or others), of any lengths, with the factor where it is wanted.
///
/// * Shape: `[.., h, w] → [.., h', ⌊w'/2⌋ + 1, 2]`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(rfft2_with(&Tensor::ones([3, 4]), &TransformN::new().sizes(&[8, 8])).shape(), [8, 5, 2]);
/// ```
/// # Panics
/// As [`rfftn_with`].
#[track_caller]
pub fn rfft2_with(x: &Tensor, how: &TransformN) -> Tensor {
    forward("rfft2", x, &how.plane())
}

/// The real tensor whose [`rfft2`] this is, of an even last size.
///
/// * Shape: `[.., h, m, 2] → [.., h, 2 (m − 1)]`, floats only.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let x = tensor![[1.0, 2.0], [3.0, 5.0], [2.0, 0.0]];
/// assert_close!(irfft2(&rfft2(&x)), x);
/// ```
/// # Panics
/// As [`irfft`](crate::irfft()).
#[track_caller]
pub fn irfft2(x: &Tensor) -> Tensor {
    irfft2_with(x, &TransformN::new())
}

/// [`irfft2`] along two axes (or others), of any lengths of the result, with the factor where it is wanted.
///
/// * Shape: `[.., h, m, 2] → [.., h', w']`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let x = tensor![[1.0, 2.0, 4.0], [3.0, 5.0, 0.0]];
/// assert_close!(irfft2_with(&rfft2(&x), &TransformN::new().sizes(&[2, 3])), x);
/// ```
/// # Panics
/// As [`rfftn_with`].
#[track_caller]
pub fn irfft2_with(x: &Tensor, how: &TransformN) -> Tensor {
    backward("irfft2", x, &how.plane())
}

/// The transform of a real tensor along all axes, half of the last one.
///
/// * Shape: `[.., n] → [.., ⌊n/2⌋ + 1, 2]`, floats only.   * Gradient: those of [`rfft`](crate::rfft()) and of [`fft`](crate::fft()).
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(rfftn(&Tensor::ones([2, 3, 4])).shape(), [2, 3, 3, 2]);
/// ```
/// # Panics
/// As [`rfft`](crate::rfft()).
#[track_caller]
pub fn rfftn(x: &Tensor) -> Tensor {
    rfftn_with(x, &TransformN::new())
}

/// [`rfftn`] along some axes, half of the one named last, of any lengths, with the factor where it is wanted.
///
/// * Shape: `[a, .., n] → [a', .., ⌊n'/2⌋ + 1, 2]`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(rfftn_with(&Tensor::ones([6, 3, 4]), &TransformN::new().axes(&[2, 0])).shape(), [4, 3, 4, 2]);
/// ```
/// # Panics
/// As [`rfft`](crate::rfft()), where there is no such axis or one is named twice, and where sizes and axes are not as many.
#[track_caller]
pub fn rfftn_with(x: &Tensor, how: &TransformN) -> Tensor {
    forward("rfftn", x, how)
}

/// The real tensor whose [`rfftn`] this is, of an even last size.
///
/// * Shape: `[.., m, 2] → [.., 2 (m − 1)]`, floats only.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let x = tensor![[[1.0, 2.0], [3.0, 5.0]]];
/// assert_close!(irfftn(&rfftn(&x)), x);
/// ```
/// # Panics
/// As [`irfft`](crate::irfft()).
#[track_caller]
pub fn irfftn(x: &Tensor) -> Tensor {
    irfftn_with(x, &TransformN::new())
}

/// [`irfftn`] along some axes, of any lengths of the result, with the factor where it is wanted.
///
/// * Shape: `[a, .., m, 2] → [a', .., n]`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(irfftn_with(&Tensor::ones([6, 3, 2]), &TransformN::new().axes(&[1]).sizes(&[5])).shape(), [6, 5]);
/// ```
/// # Panics
/// As [`rfftn_with`].
#[track_caller]
pub fn irfftn_with(x: &Tensor, how: &TransformN) -> Tensor {
    backward("irfftn", x, how)
}

/// Steps of which the last is to be of the real side.
#[track_caller]
pub(crate) fn steps(op: &str, signal: &[usize], how: &TransformN) -> (Transform, Vec<Transform>) {
    let mut steps: Vec<_> =
        how.each(op, signal).into_iter().map(|(axis, n, norm)| Transform::of(n, axis, norm)).collect();
    let Some(last) = steps.pop() else {
        fail!(op, "no axis is named"; help = "name at least one axis, of a tensor that has any")
    };
    (last, steps)
}

#[track_caller]
fn forward(op: &str, x: &Tensor, how: &TransformN) -> Tensor {
    let (last, others) = steps(op, real_signal(op, x), how);
    others.into_iter().fold(real_along(op, x, last, false), |y, step| along(op, &y, step, false))
}

#[track_caller]
fn backward(op: &str, x: &Tensor, how: &TransformN) -> Tensor {
    let (last, others) = steps(op, signal(op, x), how);
    let y = others.into_iter().fold(x.clone(), |y, step| along(op, &y, step, true));
    half_along(op, &y, last, true)
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn rfftn_is_half_of_fftn_and_irfftn_gives_it_back() {
        check(|x| rfft2(x)).shapes([&[3, 4]]).on(floats(-2.0..2.0));
        check(|x| irfft2_with(x, &TransformN::new().sizes(&[3, 5])))
            .shapes([&[3, 3, 2]])
            .on(floats(-2.0..2.0));
        let x = floats(-2.0..2.0).draw(&[3, 4, 5], 1);
        let whole = fftn(&from_real(&x));
        assert_tensors_close(&rfftn(&x), &whole.slice(2, ..3), 1e-12, 0.0, "rfftn");
        let how = TransformN::new().sizes(&[3, 4, 5]);
        assert_tensors_close(&irfftn_with(&rfftn(&x), &how), &x, 1e-12, 0.0, "irfftn");
        let e = catch(|| rfftn(&Tensor::scalar(1.0))).unwrap_err();
        assert_eq!(e.message(), "rfftn: no axis is named");
    }
}
