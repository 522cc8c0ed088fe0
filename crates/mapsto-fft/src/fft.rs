//! The discrete Fourier transform of a complex tensor along one axis, and its inverse.

use crate::rows::Fft;
use crate::transform::{Transform, moved, resized, signal};
use mapsto_tensor::Tensor;
use mapsto_tensor::graph::apply;

/// The discrete Fourier transform of a complex tensor along its last axis: `y_k = Σⱼ x_j e^(−2πi jk/n)`.
///
/// * Shape: `[.., n, 2] → [.., n, 2]`, floats only.   * Gradient: `dx` is the inverse transform of `dy`, without its factor.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let x = tensor![[1.0, 0.0], [0.0, 1.0]];               // 1, i
/// assert_close!(mapsto_fft::fft(&x), [[1.0, 1.0], [1.0, -1.0]]);
/// ```
/// # Panics
/// When the last axis is not the pair of real and imaginary part, or there is nothing to transform.
#[track_caller]
pub fn fft(x: &Tensor) -> Tensor {
    fft_with(x, Transform::new())
}

/// [`fft()`] along any axis, of any length, with the factor where it is wanted.
///
/// * Shape: `[.., m, 2] → [.., n, 2]`, cut or filled with zeros to `n` numbers.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let x = tensor![[3.0, 0.0]];
/// assert_close!(fft_with(&x, Transform::new().n(2).norm(Norm::Forward)), [[1.5, 0.0], [1.5, 0.0]]);
/// ```
/// # Panics
/// As [`fft()`], and when there is no such axis.
#[track_caller]
pub fn fft_with(x: &Tensor, how: Transform) -> Tensor {
    along("fft", x, how, false)
}

/// The inverse of [`fft()`]: `x_j = 1/n Σₖ y_k e^(2πi jk/n)`.
///
/// * Shape: `[.., n, 2] → [.., n, 2]`, floats only.   * Gradient: `dy` is the transform of `dx`, times `1/n`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let x = tensor![[1.0, 0.0], [0.0, 1.0]];
/// assert_close!(ifft(&fft(&x)), x);
/// ```
/// # Panics
/// As [`fft()`].
#[track_caller]
pub fn ifft(x: &Tensor) -> Tensor {
    ifft_with(x, Transform::new())
}

/// [`ifft`] along any axis, of any length, with the factor where it is wanted.
///
/// * Shape: `[.., m, 2] → [.., n, 2]`, cut or filled with zeros to `n` numbers.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let x = tensor![[3.0, 0.0]];
/// assert_close!(ifft_with(&x, Transform::new().n(2).norm(Norm::Forward)), [[3.0, 0.0], [3.0, 0.0]]);
/// ```
/// # Panics
/// As [`fft_with`].
#[track_caller]
pub fn ifft_with(x: &Tensor, how: Transform) -> Tensor {
    along("ifft", x, how, true)
}

/// The transform along one axis, for those of several axes too.
#[track_caller]
pub(crate) fn along(op: &str, x: &Tensor, how: Transform, inverse: bool) -> Tensor {
    let (axis, n, norm) = how.fit(op, signal(op, x), |size| size);
    let last = x.rank() - 2;
    let rows = moved(&resized(x, axis, n), axis, last);
    moved(&apply(Fft { inverse, scale: norm.scale(n, inverse) }, &[&rows]), last, axis)
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;
    use std::f64::consts::TAU;

    /// The transform of rows `[n, m, 2]` along the first axis, by its formula.
    fn formula(x: &Numbers, n: usize, sign: f64, scale: f64) -> Numbers {
        let m = x.shape[1];
        Numbers::from_fn(&[n, m, 2], |at| {
            let term = |j: usize| {
                let (s, c) = (sign * TAU * (j * at[0] % n) as f64 / n as f64).sin_cos();
                let (re, im) = (x.at(&[j, at[1], 0]), x.at(&[j, at[1], 1]));
                if at[2] == 0 { re * c - im * s } else { re * s + im * c }
            };
            scale * (0..n.min(x.shape[0])).map(term).sum::<f64>()
        })
    }

    #[test]
    fn fft_and_ifft() {
        for (n, size) in [(5, 5), (8, 8), (6, 4), (3, 5), (1, 1), (12, 12), (7, 7), (16, 9)] {
            for norm in [Norm::Backward, Norm::Ortho, Norm::Forward] {
                let how = Transform::new().axis(0).n(n).norm(norm);
                let on = [&[size, 2, 2][..]];
                check(move |x| fft_with(x, how))
                    .shapes(on)
                    .formula(move |[x]| formula(x, n, -1.0, norm.scale(n, false)))
                    .on(floats(-2.0..2.0));
                check(move |x| ifft_with(x, how))
                    .shapes(on)
                    .formula(move |[x]| formula(x, n, 1.0, norm.scale(n, true)))
                    .on(floats(-2.0..2.0));
            }
        }
    }

    #[test]
    fn lengths_of_every_kind_keep_their_digits_and_cancel() {
        seed(1);
        for n in [2, 30, 97, 128, 1000, 1009, 4096, 5003] {
            let z = Tensor::randn([2, n, 2]).to(DType::F64);
            let y = fft(&z);
            assert_tensors_close(&ifft(&y), &z, 1e-12, 0.0, "the inverse");
            let power = |z: &Tensor| z.square().sum(..).item();
            let (a, b) = (power(&y) / n as f64, power(&z));
            assert!((a / b - 1.0).abs() < 1e-12, "Parseval: {a} and {b} for {n}");
            let single = fft(&z.to(DType::F32)).to(DType::F64);
            let worst = (single - &y).abs().max(..).item() / y.abs().max(..).item();
            assert!(worst < 2e-6, "{n}: {worst}");
        }
    }

    #[test]
    fn many_rows_give_the_same_bits_on_any_number_of_threads() {
        seed(2);
        let z = Tensor::randn([300, 96, 2]);
        let of = |n| {
            mapsto_kernels::threads::with_threads(n, || (fft(&z).to_vec::<f32>(), rfft(&z).to_vec::<f32>()))
        };
        assert!(of(1) == of(2) && of(1) == of(7));
    }
}
