//! Weights that keep the variance of signals through layers with rectifying activations.

use super::{Fan, Init, InitKind, Normal, Uniform, fans};
use mapsto_spec::{Args, Bounds, Entry};
use mapsto_tensor::{Result, Tensor};

/// Uniform in ±`√(6 / ((1 + a²) · fan))`, a being the slope of the activation below 0.
///
/// PyTorch: `kaiming_uniform_`; Keras: `HeUniform`.
///
/// Source: He, Zhang, Ren, Sun (2015), Delving deep into rectifiers, arXiv:1502.01852, eq. 10 and 15.
/// ```
/// use mapsto_nn::init::{Init, KaimingUniform};
/// let w = KaimingUniform::new().tensor(&[300, 150]);
/// assert!(w.abs().max(..).item() <= (6.0 / 150f64).sqrt());
/// // The slope √5 gives ±1/√fan_in, the default of `Linear` and `Conv2d`.
/// let w = KaimingUniform::new().slope(5f64.sqrt()).tensor(&[300, 100]);
/// assert!(w.abs().max(..).item() <= 0.1 && w.abs().max(..).item() > 0.099);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KaimingUniform {
    slope: f64,
    fan: Fan,
}

/// Normal with standard deviation `√(2 / ((1 + a²) · fan))`, a being the slope of the activation below 0.
///
/// PyTorch: `kaiming_normal_`; Keras: `HeNormal`, which is truncated.
///
/// Source: He, Zhang, Ren, Sun (2015), arXiv:1502.01852, eq. 10 and 15.
/// ```
/// use mapsto_nn::init::{Init, KaimingNormal};
/// let w = KaimingNormal::new().tensor(&[300, 200]);
/// assert!((w.square().mean(..).sqrt().item() - 0.1).abs() < 0.002);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KaimingNormal {
    slope: f64,
    fan: Fan,
}

macro_rules! with_slope {
    ($($t:ident),*) => {$(
        impl $t {
            /// For ReLU, keeping the variance of the forward pass.
            pub fn new() -> $t {
                $t { slope: 0.0, fan: Fan::In }
            }

            /// For a leaky ReLU of this slope.
            ///
            /// # Panics
            /// When it is not finite.
            #[track_caller]
            #[must_use]
            pub fn slope(self, slope: f64) -> $t {
                $t { slope: Bounds::FINITE.check("kaiming", "slope", slope), ..self }
            }

            /// Keeps the variance of the given pass.
            #[must_use]
            pub fn fan(self, fan: Fan) -> $t {
                $t { fan, ..self }
            }

            fn variance(&self, shape: &[usize]) -> f64 {
                let (fan_in, fan_out) = fans(shape);
                let fan = match self.fan {
                    Fan::In => fan_in,
                    Fan::Out => fan_out,
                };
                2.0 / ((1.0 + self.slope * self.slope) * fan.max(1) as f64)
            }

            fn said(&self, name: &str) -> Entry {
                let fan = match self.fan {
                    Fan::In => "in",
                    Fan::Out => "out",
                };
                Entry::new(name).with_option("slope", self.slope).with_option("fan", fan)
            }

            fn from_args(args: &mut Args) -> Result<$t> {
                let slope = Bounds::FINITE.option(args, "slope", 0.0)?;
                let fan = match args.get_or("fan", "in".to_string())?.as_str() {
                    "in" => Fan::In,
                    "out" => Fan::Out,
                    other => return Err(args.error("fan", format!("`fan` is \"in\" or \"out\", found \"{other}\""))),
                };
                Ok($t { slope, fan })
            }
        }

        impl Default for $t {
            fn default() -> $t {
                $t::new()
            }
        }
    )*};
}
with_slope!(KaimingUniform, KaimingNormal);

impl Init for KaimingUniform {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        Uniform::symmetric((3.0 * self.variance(shape)).sqrt()).tensor(shape)
    }

    fn entry(&self) -> Option<Entry> {
        Some(self.said(UNIFORM.name))
    }
}

impl Init for KaimingNormal {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        Normal::new(self.variance(shape).sqrt()).tensor(shape)
    }

    fn entry(&self) -> Option<Entry> {
        Some(self.said(NORMAL.name))
    }
}

pub(super) const UNIFORM: InitKind = InitKind::new(
    "kaiming_uniform",
    "Uniform, keeping variances through rectifiers (He et al. 2015).",
    |args, ()| Ok(Box::new(KaimingUniform::from_args(args)?)),
)
.options(&[
    ("slope", "the slope of the activation below 0"),
    ("fan", "which pass keeps its variance: `\"in\"` the forward pass, `\"out\"` the backward pass"),
]);

pub(super) const NORMAL: InitKind = InitKind::new(
    "kaiming_normal",
    "Normal, keeping variances through rectifiers (He et al. 2015).",
    |args, ()| Ok(Box::new(KaimingNormal::from_args(args)?)),
)
.options(&[
    ("slope", "the slope of the activation below 0"),
    ("fan", "which pass keeps its variance: `\"in\"` the forward pass, `\"out\"` the backward pass"),
]);

#[test]
fn the_variance_survives_a_deep_stack_of_rectifiers() {
    let mut x = Tensor::randn([64, 128]);
    for _ in 0..20 {
        x = x.matmul(&KaimingNormal::new().tensor(&[128, 128]).t()).relu();
    }
    let power = x.square().mean(..).item();
    assert!((0.2..5.0).contains(&power), "{power}");
}

#[test]
fn the_spread_follows_the_chosen_fan_and_slope() {
    let w = KaimingUniform::new().fan(Fan::Out).slope(1.0).tensor(&[64, 8, 5, 5]);
    assert!((w.square().mean(..).sqrt().item() / (1.0 / 1600f64).sqrt() - 1.0).abs() < 0.02);
    let entry = mapsto_spec::Entry::new("kaiming_normal").with_option("fan", "up");
    assert!(mapsto_spec::filled::<dyn Init>(&entry, &()).err().unwrap().message().contains("found \"up\""));
}
