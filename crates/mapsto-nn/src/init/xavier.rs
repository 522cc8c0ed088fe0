//! Weights that keep the variance of signals and of gradients through layers with symmetric activations.

use super::{Init, InitKind, Normal, Uniform, fans};
use mapsto_spec::{Args, Bounds, Entry};
use mapsto_tensor::{Result, Tensor};

/// Uniform in ±`gain · √(6 / (fan_in + fan_out))`.
///
/// PyTorch: `xavier_uniform_`; Keras: `GlorotUniform`.
///
/// Source: Glorot, Bengio (2010), Understanding the difficulty of training deep feedforward neural networks, eq. 16.
/// ```
/// use mapsto_nn::init::{Init, XavierUniform};
/// let w = XavierUniform::new().tensor(&[200, 100]);
/// assert!(w.abs().max(..).item() <= (6.0 / 300f64).sqrt());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct XavierUniform {
    gain: f64,
}

/// Normal with standard deviation `gain · √(2 / (fan_in + fan_out))`.
///
/// PyTorch: `xavier_normal_`; Keras: `GlorotNormal`, which is truncated.
///
/// Source: Glorot, Bengio (2010), eq. 12 in its normal form.
/// ```
/// use mapsto_nn::init::{Init, XavierNormal};
/// let w = XavierNormal::new().tensor(&[200, 100]);
/// assert!((w.square().mean(..).sqrt().item() - (2.0 / 300f64).sqrt()).abs() < 0.002);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct XavierNormal {
    gain: f64,
}

macro_rules! with_gain {
    ($($t:ident),*) => {$(
        impl $t {
            /// With gain 1, for linear layers, sigmoid and (roughly) tanh.
            pub fn new() -> $t {
                $t { gain: 1.0 }
            }

            /// The same times `gain`; 5/3 is usual for tanh.
            ///
            /// # Panics
            /// When it is negative or not finite.
            #[track_caller]
            #[must_use]
            pub fn gain(self, gain: f64) -> $t {
                $t { gain: Bounds::AT_LEAST_0.check("xavier", "gain", gain) }
            }
        }

        impl Default for $t {
            fn default() -> $t {
                $t::new()
            }
        }
    )*};
}
with_gain!(XavierUniform, XavierNormal);

impl Init for XavierUniform {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        Uniform::symmetric(self.gain * (6.0 / sum_of_fans(shape)).sqrt()).tensor(shape)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(UNIFORM.name).with_option("gain", self.gain))
    }
}

impl Init for XavierNormal {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        Normal::new(self.gain * (2.0 / sum_of_fans(shape)).sqrt()).tensor(shape)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(NORMAL.name).with_option("gain", self.gain))
    }
}

fn sum_of_fans(shape: &[usize]) -> f64 {
    let (fan_in, fan_out) = fans(shape);
    (fan_in + fan_out).max(1) as f64
}

pub(super) const UNIFORM: InitKind = InitKind::new(
    "xavier_uniform",
    "Uniform, keeping variances through symmetric activations (Glorot, Bengio 2010).",
    |args, ()| Ok(Box::new(XavierUniform { gain: gain(args)? })),
)
.options(&[("gain", "a factor on all weights")]);

pub(super) const NORMAL: InitKind = InitKind::new(
    "xavier_normal",
    "Normal, keeping variances through symmetric activations (Glorot, Bengio 2010).",
    |args, ()| Ok(Box::new(XavierNormal { gain: gain(args)? })),
)
.options(&[("gain", "a factor on all weights")]);

fn gain(args: &mut Args) -> Result<f64> {
    Bounds::AT_LEAST_0.option(args, "gain", 1.0)
}

#[test]
fn the_spread_of_both_forms_is_the_same() {
    let shape = [64, 32, 3, 3];
    let expected = 2.0 * (2.0 / (9.0 * 96.0_f64)).sqrt();
    for w in [XavierUniform::new().gain(2.0).tensor(&shape), XavierNormal::new().gain(2.0).tensor(&shape)] {
        assert!((w.square().mean(..).sqrt().item() / expected - 1.0).abs() < 0.02);
    }
}
