//! The transform of a complex tensor along several axes, one after the other.

use crate::fft::along;
use crate::transform::{Transform, TransformN, signal};
use mapsto_tensor::Tensor;

/// The transform of a complex tensor along its last two axes, as of an image.
///
/// * Shape: `[.., h, w, 2] → [.., h, w, 2]`, floats only.   * Gradient: that of [`fft`](crate::fft()) along each axis.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let dot = from_real(&tensor![[1.0, 0.0], [0.0, 0.0]]);
/// assert_close!(real(&fft2(&dot)), [[1.0, 1.0], [1.0, 1.0]]);
/// ```
/// # Panics
/// As [`fft`](crate::fft()), and where there are not two axes.
#[track_caller]
pub fn fft2(x: &Tensor) -> Tensor {
    fft2_with(x, &TransformN::new())
}

/// [`fft2`] along two axes (or others), of any lengths, with the factor where it is wanted.
///
/// * Shape: `[.., h, w, 2] → [.., h', w', 2]`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(fft2_with(&Tensor::ones([3, 4, 2]), &TransformN::new().sizes(&[8, 8])).shape(), [8, 8, 2]);
/// ```
/// # Panics
/// As [`fftn_with`].
#[track_caller]
pub fn fft2_with(x: &Tensor, how: &TransformN) -> Tensor {
    all("fft2", x, &how.plane(), false)
}

/// The inverse of [`fft2`].
///
/// * Shape: `[.., h, w, 2] → [.., h, w, 2]`, floats only.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let x = from_real(&tensor![[1.0, 2.0], [3.0, 5.0]]);
/// assert_close!(ifft2(&fft2(&x)), x);
/// ```
/// # Panics
/// As [`fft2`].
#[track_caller]
pub fn ifft2(x: &Tensor) -> Tensor {
    ifft2_with(x, &TransformN::new())
}

/// [`ifft2`] along two axes (or others), of any lengths, with the factor where it is wanted.
///
/// * Shape: `[.., h, w, 2] → [.., h', w', 2]`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(ifft2_with(&Tensor::ones([3, 4, 2]), &TransformN::new().axes(&[1, 0])).shape(), [3, 4, 2]);
/// ```
/// # Panics
/// As [`fftn_with`].
#[track_caller]
pub fn ifft2_with(x: &Tensor, how: &TransformN) -> Tensor {
    all("ifft2", x, &how.plane(), true)
}

/// The transform of a complex tensor along all axes but that of the pair.
///
/// * Shape: `[a, b, .., 2] → [a, b, .., 2]`, floats only.   * Gradient: that of [`fft`](crate::fft()) along each axis.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_close!(real(&fftn(&from_real(&Tensor::ones([1, 2, 2])))), [[[4.0, 0.0], [0.0, 0.0]]]);
/// ```
/// # Panics
/// As [`fft`](crate::fft()).
#[track_caller]
pub fn fftn(x: &Tensor) -> Tensor {
    fftn_with(x, &TransformN::new())
}

/// [`fftn`] along some axes, of any lengths, with the factor where it is wanted.
///
/// * Shape: `[a, b, .., 2] → [a', b', .., 2]`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(fftn_with(&Tensor::ones([3, 4, 5, 2]), &TransformN::new().sizes(&[2, 7])).shape(), [3, 2, 7, 2]);
/// ```
/// # Panics
/// As [`fft`](crate::fft()), where there is no such axis or one is named twice, and where sizes and axes are not as many.
#[track_caller]
pub fn fftn_with(x: &Tensor, how: &TransformN) -> Tensor {
    all("fftn", x, how, false)
}

/// The inverse of [`fftn`].
///
/// * Shape: `[a, b, .., 2] → [a, b, .., 2]`, floats only.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let x = from_real(&tensor![[[1.0, 2.0], [3.0, 5.0]]]);
/// assert_close!(real(&ifftn(&fftn(&x))), real(&x));
/// ```
/// # Panics
/// As [`fftn`].
#[track_caller]
pub fn ifftn(x: &Tensor) -> Tensor {
    ifftn_with(x, &TransformN::new())
}

/// [`ifftn`] along some axes, of any lengths, with the factor where it is wanted.
///
/// * Shape: `[a, b, .., 2] → [a', b', .., 2]`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_eq!(ifftn_with(&Tensor::ones([3, 4, 2]), &TransformN::new().axes(&[0])).shape(), [3, 4, 2]);
/// ```
/// # Panics
/// As [`fftn_with`].
#[track_caller]
pub fn ifftn_with(x: &Tensor, how: &TransformN) -> Tensor {
    all("ifftn", x, how, true)
}

#[track_caller]
fn all(op: &str, x: &Tensor, how: &TransformN, inverse: bool) -> Tensor {
    let mut y = x.clone();
    for (axis, n, norm) in how.each(op, signal(op, x)) {
        y = along(op, &y, Transform::of(n, axis, norm), inverse);
    }
    y
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;

    #[test]
    fn several_axes_are_one_after_the_other() {
        check(|x| fft2(x)).shapes([&[3, 4, 2]]).on(floats(-2.0..2.0));
        check(|x| ifftn_with(x, &TransformN::new().sizes(&[2, 5]).norm(Norm::Ortho)))
            .shapes([&[2, 3, 4, 2]])
            .on(floats(-2.0..2.0));
        let x = floats(-2.0..2.0).draw(&[3, 4, 5, 2], 1);
        let steps = (0..3).fold(x.clone(), |x, axis| fft_with(&x, Transform::new().axis(axis)));
        assert_tensors_close(&fftn(&x), &steps, 1e-12, 0.0, "fftn");
        assert_tensors_close(&ifftn(&steps), &x, 1e-12, 0.0, "ifftn");
        assert_tensors_close(&ifft2(&fft2(&x)), &x, 1e-12, 0.0, "ifft2");
    }
}
