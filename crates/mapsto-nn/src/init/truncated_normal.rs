//! Normally distributed weights without the far tails.

use super::{Init, InitKind, outline};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::DType;
use mapsto_tensor::Tensor;
use mapsto_tensor::random::{self, Distribution, Stream};

/// Normal with mean 0, cut off at twice the standard deviation (or another multiple).
///
/// Drawn by inverting the distribution function, so each number is a function of one uniform number; rejection would
/// need a number of draws that depends on the values. `std` is that of the normal before the cut.
///
/// PyTorch: `trunc_normal_`; Keras: `TruncatedNormal`.
/// ```
/// use mapsto_nn::init::{Init, TruncatedNormal};
/// let w = TruncatedNormal::new(0.02).tensor(&[10_000]);
/// assert!(w.abs().max(..).item() <= 0.04);
/// assert!((w.square().mean(..).sqrt().item() - 0.02 * 0.8796).abs() < 0.0005);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TruncatedNormal {
    std: f64,
    cut: f64,
}

impl TruncatedNormal {
    /// Cut off at ±2 `std`.
    ///
    /// # Panics
    /// When `std` is negative or not finite.
    #[track_caller]
    pub fn new(std: f64) -> TruncatedNormal {
        let std = Bounds::AT_LEAST_0.check("truncated_normal", "standard deviation", std);
        TruncatedNormal { std, cut: 2.0 }
    }

    /// The same, cut off at ±`cut` standard deviations.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn cut(self, cut: f64) -> TruncatedNormal {
        TruncatedNormal { cut: Bounds::ABOVE_0.check("truncated_normal", "cut", cut), ..self }
    }
}

impl Init for TruncatedNormal {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        if let Some(outline) = outline(shape) {
            return outline;
        }
        // 1 − 2⁻⁵³ at most, so that a far cut stays finite.
        let edge = erf(self.cut / std::f64::consts::SQRT_2).min(1.0 - f64::EPSILON);
        let draw = random::next(Stream::Init);
        let u = Tensor::random(draw, Distribution::Uniform(-edge, edge), shape, DType::F64);
        let bound = self.cut * self.std;
        let values: Vec<f32> = u
            .to_vec::<f64>()
            .into_iter()
            .map(|u| (self.std * std::f64::consts::SQRT_2 * inverse_erf(u)).clamp(-bound, bound) as f32)
            .collect();
        Tensor::from_vec(values, shape)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.std).with_option("cut", self.cut))
    }
}

pub(super) const KIND: InitKind = InitKind::new(
    "truncated_normal",
    "Normal with the given standard deviation, cut off at `cut` times it.",
    |args, ()| {
        let std = Bounds::AT_LEAST_0.main(args, "standard deviation", 0.02)?;
        let cut = Bounds::ABOVE_0.option(args, "cut", 2.0)?;
        Ok(Box::new(TruncatedNormal::new(std).cut(cut)))
    },
)
.options(&[("", "the standard deviation"), ("cut", "how many standard deviations are kept")]);

fn erf(x: f64) -> f64 {
    mapsto_kernels::real::Real::erf(x)
}

/// The x at which erf is y, for |y| < 1.
///
/// Winitzki's closed form (2008, relative error 2·10⁻³) made exact by Newton's method, whose derivative is known.
fn inverse_erf(y: f64) -> f64 {
    let a = 0.147;
    let l = (1.0 - y * y).ln();
    let t = 2.0 / (std::f64::consts::PI * a) + l / 2.0;
    let mut x = ((t * t - l / a).sqrt() - t).max(0.0).sqrt().copysign(y);
    for _ in 0..4 {
        let slope = std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp();
        x -= (erf(x) - y) / slope;
    }
    x
}

#[test]
fn the_inverse_of_erf_is_one() {
    for y in [-0.999, -0.9, -0.5, -1e-9, 0.0, 1e-3, 0.3, 0.7, 0.95, 0.9999] {
        let back = erf(inverse_erf(y));
        assert!((back - y).abs() < 1e-14, "{y} {back}");
    }
}
