//! Which frequency each number of a transform stands for, and the order in which they are shown.

use mapsto_tensor::{Axis, Tensor, fail};

/// The frequencies of the numbers of an `n`-point [`fft`](crate::fft()) of samples `d` apart: `0, 1, .., −2, −1` over `n d`.
///
/// * Shape: `→ [n]`, f32.
/// * Units: cycles in the unit of `d`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_fft::fftfreq(4, 0.5), [0.0, 0.5, -1.0, -0.5]);
/// ```
/// # Panics
/// When `d` is 0 or not finite.
#[track_caller]
pub fn fftfreq(n: usize, d: f64) -> Tensor {
    let k = |i: usize| if i < n.div_ceil(2) { i as f64 } else { i as f64 - n as f64 };
    frequencies("fftfreq", (0..n).map(k), n, d)
}

/// The frequencies of the numbers of an [`rfft`](crate::rfft()) of `n` samples `d` apart: `0, 1, .., ⌊n/2⌋` over `n d`.
///
/// * Shape: `→ [⌊n/2⌋ + 1]`, f32.
/// * Units: cycles in the unit of `d`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_fft::rfftfreq(4, 0.5), [0.0, 0.5, 1.0]);
/// ```
/// # Panics
/// When `d` is 0 or not finite.
#[track_caller]
pub fn rfftfreq(n: usize, d: f64) -> Tensor {
    frequencies("rfftfreq", (0..n / 2 + 1).map(|i| i as f64), n, d)
}

#[track_caller]
fn frequencies(op: &str, k: impl Iterator<Item = f64>, n: usize, d: f64) -> Tensor {
    if !d.is_finite() || d == 0.0 || n == 0 {
        fail!(op, "{n} samples {d} apart have no frequencies"; help = "give at least one sample, and a distance that is finite and not 0");
    }
    let list: Vec<f32> = k.map(|k| (k / (n as f64 * d)) as f32).collect();
    let count = list.len();
    Tensor::from_vec(list, count)
}

/// An axis turned so that frequency 0 stands in the middle. Of a complex tensor name an axis before that of the pair.
///
/// * Shape: `[..] → [..]`, every dtype.   * Gradient: `dy` turned back.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// assert_close!(fftshift(&fftfreq(4, 0.25), 0), [-2.0, -1.0, 0.0, 1.0]);
/// ```
/// # Panics
/// When there is no such axis.
#[track_caller]
pub fn fftshift(x: &Tensor, axis: impl Into<Axis>) -> Tensor {
    let axis = axis.into().of("fftshift", x.shape());
    x.roll((x.shape()[axis] / 2) as i64, axis)
}

/// The inverse of [`fftshift`]; another turn where the axis has an odd size.
///
/// * Shape: `[..] → [..]`, every dtype.   * Gradient: `dy` turned back.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let x = tensor![0.0, 1.0, 2.0, -2.0, -1.0];
/// assert_close!(ifftshift(&fftshift(&x, 0), 0), x);
/// ```
/// # Panics
/// When there is no such axis.
#[track_caller]
pub fn ifftshift(x: &Tensor, axis: impl Into<Axis>) -> Tensor {
    let axis = axis.into().of("ifftshift", x.shape());
    x.roll(-((x.shape()[axis] / 2) as i64), axis)
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn frequencies_and_shifts() {
        assert_close!(fftfreq(5, 1.0), [0.0, 0.2, 0.4, -0.4, -0.2]);
        assert_close!(fftfreq(1, 2.0), [0.0]);
        assert_close!(rfftfreq(5, 0.1), [0.0, 2.0, 4.0]);
        assert_close!(fftshift(&tensor![[0, 1, 2]], 1).to(DType::F32), [[2.0, 0.0, 1.0]]);
        check(|x| fftshift(x, -2)).shapes([&[5, 2]]).on(floats(-2.0..2.0));
        for n in 1..7 {
            let x = Tensor::arange(0..n);
            assert_eq!(ifftshift(&fftshift(&x, 0), 0).to_vec::<i64>(), x.to_vec::<i64>());
        }
        let e = catch(|| fftfreq(4, 0.0)).unwrap_err();
        assert_eq!(e.message(), "fftfreq: 4 samples 0 apart have no frequencies");
    }
}
