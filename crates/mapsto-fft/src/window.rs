//! Windows: weights that let a piece of a signal begin and end softly.

use mapsto_tensor::{DType, Tensor, fail};
use std::f64::consts::{PI, TAU};

/// A window's shape. [`periodic`](SignalWindow::periodic) is for transforms, and what [`stft`](crate::stft()) is usually given; [`symmetric`](SignalWindow::symmetric) is for
/// filters. The names and formulas are those of `torch.signal.windows` and of `scipy.signal.windows`; for `k` from 0 to `m = n − 1`
/// (`m = n`, if periodic):
///
/// ```
/// use mapsto_fft::SignalWindow;
/// use mapsto_tensor::prelude::*;
/// assert_close!(SignalWindow::Hann.periodic(4), [0.0, 0.5, 1.0, 0.5]);
/// assert_close!(SignalWindow::Hann.symmetric(3), [0.0, 1.0, 0.0]);
/// assert_close!(SignalWindow::Kaiser { beta: 12.0 }.symmetric(3), [5.2773e-5, 1.0, 5.2773e-5]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum SignalWindow {
    /// `½ − ½ cos(2πk/m)`.
    Hann,
    /// `0.54 − 0.46 cos(2πk/m)`.
    Hamming,
    /// `α − (1 − α) cos(2πk/m)`.
    GeneralHamming {
        /// The weight `α` of the constant.
        alpha: f64,
    },
    /// `0.42 − 0.5 cos(2πk/m) + 0.08 cos(4πk/m)`.
    Blackman,
    /// The four cosines of Nuttall (1981) whose side lobes are smallest.
    Nuttall,
    /// A triangle: `1 − |2k/m − 1|`.
    Bartlett,
    /// Half a wave: `sin(π (k + ½) / (m + 1))`.
    Cosine,
    /// `I₀(β √(1 − (2k/m − 1)²)) / I₀(β)`, with the modified Bessel function `I₀`.
    Kaiser {
        /// How narrow the window is; PyTorch's default is 12.
        beta: f64,
    },
    /// `exp(−½ ((k − m/2) / σ)²)`.
    Gaussian {
        /// The standard deviation `σ`, in samples.
        std: f64,
    },
    /// `exp(−|k − m/2| / τ)`.
    Exponential {
        /// The distance `τ`, in samples, in which it falls to `1/e`.
        tau: f64,
    },
}

impl SignalWindow {
    /// The window of `n` samples that continues itself when it is repeated, in f32.
    ///
    /// * Shape: `→ [n]`.
    #[doc(alias = "hann_window")]
    #[track_caller]
    pub fn periodic(self, n: usize) -> Tensor {
        self.periodic_of(n, DType::F32)
    }

    /// The window of `n` samples that is its own mirror image, in f32.
    ///
    /// * Shape: `→ [n]`.
    #[track_caller]
    pub fn symmetric(self, n: usize) -> Tensor {
        self.symmetric_of(n, DType::F32)
    }

    /// [`periodic`](SignalWindow::periodic) of a dtype; the numbers are computed in f64.
    ///
    /// # Panics
    /// When the dtype is not a float, or a setting is not a number that the window can have.
    #[track_caller]
    pub fn periodic_of(self, n: usize, dtype: DType) -> Tensor {
        self.values(n, n, dtype)
    }

    /// [`symmetric`](SignalWindow::symmetric) of a dtype; the numbers are computed in f64.
    ///
    /// # Panics
    /// As [`periodic_of`](SignalWindow::periodic_of).
    #[track_caller]
    pub fn symmetric_of(self, n: usize, dtype: DType) -> Tensor {
        self.values(n, n.max(1) - 1, dtype)
    }

    #[track_caller]
    fn values(self, n: usize, m: usize, dtype: DType) -> Tensor {
        if !dtype.is_float() {
            fail!("window", "a window is of floats, {dtype} was asked for"; help = "such as `DType::F32`");
        }
        let (name, setting, is_good) = match self {
            SignalWindow::GeneralHamming { alpha } => ("alpha", alpha, alpha.is_finite()),
            SignalWindow::Kaiser { beta } => ("beta", beta, beta.is_finite() && beta >= 0.0),
            SignalWindow::Gaussian { std } => ("std", std, std.is_finite() && std > 0.0),
            SignalWindow::Exponential { tau } => ("tau", tau, tau.is_finite() && tau > 0.0),
            _ => ("", 0.0, true),
        };
        if !is_good {
            fail!("window", "{self:?} cannot have {name} = {setting}"; help = "give a finite number, above 0 where it is a width");
        }
        // One sample is the middle, in both kinds.
        let values: Vec<f64> =
            if n == 1 { vec![1.0] } else { (0..n).map(|k| self.at(k as f64, m as f64)).collect() };
        Tensor::from_vec(values, n).to(dtype)
    }

    fn at(self, k: f64, m: f64) -> f64 {
        let cosines = |weights: &[f64]| -> f64 {
            let term =
                |(i, a): (usize, &f64)| if i % 2 == 0 { *a } else { -a } * (i as f64 * TAU * k / m).cos();
            weights.iter().enumerate().map(term).sum()
        };
        match self {
            SignalWindow::Hann => cosines(&[0.5, 0.5]),
            SignalWindow::Hamming => cosines(&[0.54, 0.46]),
            SignalWindow::GeneralHamming { alpha } => cosines(&[alpha, 1.0 - alpha]),
            SignalWindow::Blackman => cosines(&[0.42, 0.5, 0.08]),
            SignalWindow::Nuttall => cosines(&[0.363_581_9, 0.489_177_5, 0.136_599_5, 0.010_641_1]),
            SignalWindow::Bartlett => 1.0 - (2.0 * k / m - 1.0).abs(),
            SignalWindow::Cosine => (PI * (k + 0.5) / (m + 1.0)).sin(),
            SignalWindow::Kaiser { beta } => {
                let x = 2.0 * k / m - 1.0;
                bessel(beta * (1.0 - x * x).max(0.0).sqrt()) / bessel(beta)
            }
            SignalWindow::Gaussian { std } => (-0.5 * ((k - m / 2.0) / std).powi(2)).exp(),
            SignalWindow::Exponential { tau } => (-(k - m / 2.0).abs() / tau).exp(),
        }
    }
}

/// `I₀(x)`: the sum of `((x/2)^k / k!)²`, whose terms are positive, so that no digits are lost.
fn bessel(x: f64) -> f64 {
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-17 {
        term *= (x / (2.0 * k)).powi(2);
        sum += term;
        k += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto_spec::Json;
    use mapsto_tensor::prelude::*;

    /// The windows of `torch.signal.windows`, by the names there.
    fn named(name: &str) -> SignalWindow {
        match name {
            "hann" => SignalWindow::Hann,
            "hamming" => SignalWindow::Hamming,
            "general_hamming" => SignalWindow::GeneralHamming { alpha: 0.6 },
            "blackman" => SignalWindow::Blackman,
            "nuttall" => SignalWindow::Nuttall,
            "bartlett" => SignalWindow::Bartlett,
            "cosine" => SignalWindow::Cosine,
            "kaiser" => SignalWindow::Kaiser { beta: 8.5 },
            "gaussian" => SignalWindow::Gaussian { std: 1.5 },
            "exponential" => SignalWindow::Exponential { tau: 2.0 },
            _ => panic!("{name}"),
        }
    }

    #[test]
    fn windows_are_those_of_pytorch() {
        let mut lines = 0;
        for line in include_str!("../golden/windows.jsonl").lines() {
            let json = Json::parse(line).unwrap();
            let (name, n) =
                (json.get("window").unwrap().str().unwrap(), json.get("n").unwrap().int().unwrap() as usize);
            let is_symmetric = json.get("symmetric").unwrap().int().unwrap() == 1;
            let window = named(name);
            let found = if is_symmetric {
                window.symmetric_of(n, DType::F64)
            } else {
                window.periodic_of(n, DType::F64)
            };
            let wanted: Vec<f64> =
                json.get("values").unwrap().list().unwrap().iter().map(|v| v.number().unwrap()).collect();
            let close = found.to_vec::<f64>().iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-12);
            assert!(close && found.len() == wanted.len(), "{line}: {found}");
            lines += 1;
        }
        assert!(lines >= 80, "{lines}");
    }

    #[test]
    fn settings_that_no_window_has_are_named() {
        let e = catch(|| SignalWindow::Gaussian { std: 0.0 }.periodic(4)).unwrap_err();
        assert_eq!(e.message(), "window: Gaussian { std: 0.0 } cannot have std = 0");
        let e = catch(|| SignalWindow::Hann.periodic_of(4, DType::I64)).unwrap_err();
        assert_eq!(e.message(), "window: a window is of floats, i64 was asked for");
        assert_eq!(SignalWindow::Hann.periodic(0).shape(), [0]);
    }
}
