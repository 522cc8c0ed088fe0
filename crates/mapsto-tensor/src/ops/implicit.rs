//! Draws that move with the shapes of their distribution: how far a draw goes when a concentration does, its quantile staying the same.
//!
//! A gamma or a Dirichlet draw is made by rejection, so no formula leads from uniform noise to it. Its distribution function does:
//! `F(x; a)` stays what it is, which gives `dx/da = −(∂F/∂a) / (∂F/∂x)`.
//!
//! Source: Figurnov, Mohamed and Mnih (2018), Implicit reparameterization gradients, arXiv:1805.08498. The derivatives by the
//! concentration are those of each term of the series and of each step of the continued fraction.

use super::lgamma::digamma_of;
use crate::by_number::by_numbers;
use crate::check::floats;
use crate::elementwise::same_dtype;
use crate::graph::{At, Keep, Op, Ran, Vjp, apply};
use crate::kind::{OpKind, Samples, Takes};
use crate::{DType, Tensor, fail, keep};

/// Draws `x` of the gamma distribution with rate 1 as a function of their concentrations `a`: what [`random::gamma`](crate::random::gamma)
/// gives, for a sampler of one's own.
///
/// * Shape: `[..], [..] → [..]`, floats of one dtype.   * Gradient: `da = dx/da · dy`; none for `x`, which is what was drawn. The second
///   derivative is NaN.
/// ```
/// use mapsto_tensor::ops::gamma_path;
/// use mapsto_tensor::prelude::*;
/// // Of concentration 1 half of the distribution lies below ln 2.
/// let (a, x) = (tensor![1.0].leaf(), tensor![0.69315]);
/// let y = gamma_path(&a, &x);
/// assert_close!(y, x);
/// assert_close!(y.sum(..).backward().of(&a), [0.96805]);
/// ```
/// # Panics
/// When the shapes or the dtypes differ.
#[track_caller]
pub fn gamma_path(a: &Tensor, x: &Tensor) -> Tensor {
    apply(GammaPath, &[a, x])
}

/// Rows `x` of shares, drawn of the Dirichlet distribution, as a function of their concentrations `a`: what
/// [`random::dirichlet`](crate::random::dirichlet) gives, for a sampler of one's own.
///
/// * Shape: `[.., k], [.., k] → [.., k]`, floats of one dtype.   * Gradient: `daᵢ = sᵢ (dyᵢ − Σ x dy)` with the slope sᵢ of share i as a draw
///   of the beta distribution, over `1 − xᵢ`; none for `x`. The second derivative is NaN.
/// ```
/// use mapsto_tensor::ops::dirichlet_path;
/// use mapsto_tensor::prelude::*;
/// // Of concentrations a and 1 the share below x is xᵃ, so that dx/da = −x ln(x) / a.
/// let a = tensor![[1.0, 1.0]].leaf();
/// let y = dirichlet_path(&a, &tensor![[0.5, 0.5]]).select(1, 0);
/// assert_close!(y.sum(..).backward().of(&a), [[0.34657, -0.34657]]);
/// ```
/// # Panics
/// When the shapes or the dtypes differ.
#[track_caller]
pub fn dirichlet_path(a: &Tensor, x: &Tensor) -> Tensor {
    apply(DirichletPath, &[a, x])
}

/// The result is the second input.
fn drawn(name: &str, xs: &[&Tensor]) -> Ran {
    same_dtype(name, xs[0], xs[1]);
    if xs[0].shape() != xs[1].shape() {
        fail!(name, "concentrations {:?} and draws {:?} are of different shapes", xs[0].shape(), xs[1].shape());
    }
    xs[1].clone().into()
}

struct GammaPath;
impl Op for GammaPath {
    fn name(&self) -> &'static str {
        "gamma_path"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=2
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        drawn(self.name(), xs)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        Vjp::from([at.wants(0).then(|| g * gamma_slopes(at)), None])
    }
    fn jvp(&self, at: &At<'_>, dxs: &[Option<Tensor>]) -> Tensor {
        dxs[0].as_ref().map_or_else(|| Tensor::zeros_like(at.b()), |da| da * gamma_slopes(at))
    }
}

struct DirichletPath;
impl Op for DirichletPath {
    fn name(&self) -> &'static str {
        "dirichlet_path"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=2
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        drawn(self.name(), xs)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let da = || share_slopes(at) * (g - (at.b().detach() * g).sum(keep(-1)));
        Vjp::from([at.wants(0).then(da), None])
    }
    fn jvp(&self, at: &At<'_>, dxs: &[Option<Tensor>]) -> Tensor {
        let Some(da) = &dxs[0] else { return Tensor::zeros_like(at.b()) };
        let moved = da * share_slopes(at);
        &moved - at.b().detach() * moved.sum(keep(-1))
    }
}

fn gamma_slopes(at: &At<'_>) -> Tensor {
    apply(GAMMA_SLOPE, &[at.a(), &at.b().detach()])
}

fn share_slopes(at: &At<'_>) -> Tensor {
    let a = at.a();
    apply(SHARE_SLOPE, &[a, &at.b().detach(), &a.sum(keep(-1)).expand(a.shape())])
}

/// A slope of draws as an operation: numbers of numbers.
struct Slope<const N: usize> {
    name: &'static str,
    f: fn([f64; N]) -> f64,
}

const GAMMA_SLOPE: Slope<2> = Slope { name: "gamma_slope", f: |[a, x]| gamma_slope(a, x) };
const SHARE_SLOPE: Slope<3> = Slope { name: "dirichlet_slope", f: |[a, x, all]| share_slope(a, x, all) };

impl<const N: usize> Op for Slope<N> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        N..=N
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        xs.iter().for_each(|x| same_dtype(self.name, xs[0], x));
        by_numbers(std::array::from_fn(|i| xs[i]), xs[0].shape_of(), &self.f).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    /// NaN: a second derivative of a draw would be a path of its own, and a number that means nothing is never given. It is no refusal,
    /// because a derivative by other tensors may come along here.
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        Vjp::from(std::array::from_fn::<_, N, _>(|i| (i == 0 && at.wants(0)).then(|| g.detach() * f64::NAN)))
    }
}

/// `dx/da` of a gamma draw x with concentration a.
fn gamma_slope(a: f64, x: f64) -> f64 {
    if !(a > 0.0 && x > 0.0 && a.is_finite() && x.is_finite()) {
        return f64::NAN;
    }
    if a > LARGE {
        return large_gamma_slope(a, x / a);
    }
    if x < a + 1.0 {
        // P = xᵃ e⁻ˣ / Γ(a + 1) · Σ tₙ with tₙ = xⁿ / (a + 1) .. (a + n).
        let (mut sum, mut bend) = (1.0, 0.0);
        let (mut t, mut reciprocals, mut n) = (1.0, 0.0, a);
        while t > 1e-17 * sum {
            n += 1.0;
            t *= x / n;
            reciprocals += 1.0 / n;
            sum += t;
            bend -= t * reciprocals;
        }
        return x / a * (sum * (digamma_of(a + 1.0) - x.ln()) - bend);
    }
    // Q = xᵃ e⁻ˣ / Γ(a) · h with the continued fraction h of Abramowitz and Stegun (1964), 6.5.31, as Lentz evaluates it.
    let mut b = x + 1.0 - a;
    let mut h = Lentz::new(b, -1.0);
    for i in 1..STEPS {
        let i = i as f64;
        b += 2.0;
        if h.step((i * (a - i), i), (b, -1.0)) {
            break;
        }
    }
    x * (h.value * (x.ln() - digamma_of(a)) + h.bend)
}

/// From here on the series needs thousands of terms, and that of the large concentration is exact to 10 digits.
const LARGE: f64 = 1e5;
/// The most steps of a continued fraction, of which it needs some roots of its largest parameter.
const STEPS: usize = 1_000_000;

/// With `x = λ a`, the draw's normal score is `√a η + c(η) / √a + ..` with `η²/2 = λ − 1 − ln λ`, Temme's; it stays the same.
fn large_gamma_slope(a: f64, ratio: f64) -> f64 {
    let u = ratio - 1.0;
    let half = if u.abs() < 0.01 {
        // u²/2 − u³/3 + ..: λ − 1 and ln λ would cancel.
        u * u * (2..12).rev().fold(0.0, |sum, k| (if k % 2 == 0 { 1.0 } else { -1.0 }) / f64::from(k) + u * sum)
    } else {
        u - u.ln_1p()
    };
    let eta = (2.0 * half).sqrt().copysign(u);
    let slope = if eta == 0.0 { 1.0 } else { u / ratio / eta };
    let (c, bend) = (1.0 / 3.0 - u / 36.0, -1.0 / 36.0);
    ratio - (eta - c / a) / (2.0 * (slope + bend / a))
}

/// `dx/da / (1 − x)` of a share x, drawn of the beta distribution with concentrations a and `all − a`.
fn share_slope(a: f64, x: f64, all: f64) -> f64 {
    let b = all - a;
    if !(a > 0.0 && b >= 0.0 && all.is_finite() && (0.0..=1.0).contains(&x)) {
        return f64::NAN;
    }
    // A share alone is 1 whatever its concentration; at 0 none moves.
    if b == 0.0 || x == 0.0 {
        return 0.0;
    }
    let far = x > (a + 1.0) / (all + 2.0);
    // With I the share of the beta distribution below x: I or 1 − I is its density times x (1 − x) h / p.
    let (p, q, z) = if far { (b, a, 1.0 - x) } else { (a, b, x) };
    let h = beta_fraction(p, q, z, far);
    if far {
        x / b * (h.value * (x.ln() - digamma_of(a) + digamma_of(all)) + h.bend)
    } else {
        x / a * (h.value * (digamma_of(a + 1.0) - digamma_of(all) - x.ln()) - h.bend)
    }
}

/// The continued fraction of the incomplete beta function (Abramowitz and Stegun 1964, 26.5.8) and its derivative by `p`, or by
/// `q` where `second`.
fn beta_fraction(p: f64, q: f64, z: f64, second: bool) -> Lentz {
    // The value of a quotient of linear factors, and its derivative by the parameter asked for.
    let ratio = |top: [(f64, f64); 2], under: [(f64, f64); 2]| {
        let value = z * (top[0].0 / under[0].0) * (top[1].0 / under[1].0);
        let up = top[0].1 * (top[1].0 / under[1].0) / under[0].0 + top[1].1 * (top[0].0 / under[0].0) / under[1].0;
        (value, z * up - value * (under[0].1 / under[0].0 + under[1].1 / under[1].0))
    };
    let (dp, dq) = if second { (0.0, 1.0) } else { (1.0, 0.0) };
    let (first, bend) = ratio([(p + q, dp + dq), (1.0, 0.0)], [(p + 1.0, dp), (1.0, 0.0)]);
    let mut h = Lentz::new(1.0, 0.0);
    h.step((-first, -bend), (1.0, 0.0));
    for m in 1..STEPS {
        let m = m as f64;
        let at = p + 2.0 * m;
        let even = ratio([(m, 0.0), (q - m, dq)], [(at - 1.0, dp), (at, dp)]);
        h.step(even, (1.0, 0.0));
        let odd = ratio([(p + m, dp), (p + q + m, dp + dq)], [(at, dp), (at + 1.0, dp)]);
        if h.step((-odd.0, -odd.1), (1.0, 0.0)) {
            break;
        }
    }
    h
}

/// A continued fraction `1 / (b₀ + a₁ / (b₁ + ..))` with its derivative, by the method of Lentz as Thompson and Barnett (1986) have it.
struct Lentz {
    value: f64,
    bend: f64,
    /// `1 / C`, which begins at 0, and `D`, each with its derivative.
    c: (f64, f64),
    d: (f64, f64),
}

impl Lentz {
    fn new(b: f64, bend: f64) -> Lentz {
        let d = 1.0 / kept(b);
        Lentz { value: d, bend: -d * d * bend, c: (0.0, 0.0), d: (d, -d * d * bend) }
    }

    /// One step, of a numerator and a denominator with their derivatives; whether it changed nothing.
    fn step(&mut self, (a, da): (f64, f64), (b, db): (f64, f64)) -> bool {
        let d = 1.0 / kept(b + a * self.d.0);
        let dd = -d * d * (db + da * self.d.0 + a * self.d.1);
        let c = kept(b + a * self.c.0);
        let dc = db + da * self.c.0 + a * self.c.1;
        let (by, change) = (c * d, dc * d + c * dd);
        let before = self.bend;
        self.bend = self.bend * by + self.value * change;
        self.value *= by;
        (self.c, self.d) = ((1.0 / c, -dc / (c * c)), (d, dd));
        (by - 1.0).abs() < 3e-16 && (self.bend - before).abs() <= 1e-15 * self.bend.abs()
    }
}

/// No denominator is 0.
fn kept(v: f64) -> f64 {
    if v == 0.0 { 1e-300 } else { v }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("gamma_path", "Draws of the gamma distribution as a function of their concentrations.", Takes::Floats, of_gamma_path).built(|_| Ok(Box::new(GammaPath) as Box<dyn Op>)),
    OpKind::new("gamma_slope", "How far gamma draws move with their concentrations.", Takes::Floats, of_gamma_slope).built(|_| Ok(Box::new(GAMMA_SLOPE) as Box<dyn Op>)),
    OpKind::new("dirichlet_path", "Draws of the Dirichlet distribution as a function of their concentrations.", Takes::Floats, of_dirichlet_path).built(|_| Ok(Box::new(DirichletPath) as Box<dyn Op>)),
    OpKind::new("dirichlet_slope", "How far shares of Dirichlet draws move with their concentrations, over `1 − x`.", Takes::Floats, of_dirichlet_slope).built(|_| Ok(Box::new(SHARE_SLOPE) as Box<dyn Op>)),
];

/// Draws at fixed quantiles, which are functions of their concentrations: differences of them are the slopes.
fn at_quantiles(a: &Tensor, quantile: impl Fn(f64, f64) -> f64) -> Tensor {
    if !a.device().backend().has_numbers() {
        return a.detach();
    }
    let v = a.detach().to(DType::F64).to_vec::<f64>();
    let of = |(i, a): (usize, &f64)| quantile(*a, 0.05 + 0.9 * (0.618_034 * (i + 1) as f64).fract());
    let x = v.iter().enumerate().map(of).collect::<Vec<f64>>();
    a.device().scope(|| Tensor::from_vec(x, a.shape())).to(a.dtype())
}

/// The number below which the share `u` of the gamma distribution lies, by bisection.
fn gamma_quantile(a: f64, u: f64) -> f64 {
    let (mut low, mut high) = (0.0, 20.0 + 10.0 * a);
    while high - low > 1e-15 * high {
        let middle = 0.5 * (low + high);
        if middle == low || middle == high {
            break;
        }
        if super::gammainc::shares(a, middle).0 < u { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

fn of_gamma_path(s: &mut Samples) {
    s.each(floats(0.3..9.0), |x| gamma_path(&x[0], &at_quantiles(&x[0], gamma_quantile)));
}

/// Of concentrations that the input does not move.
fn of_gamma_slope(s: &mut Samples) {
    s.each(floats(0.3..9.0), |x| {
        let a = at_quantiles(&x[0], |_, u| 9.0 * u);
        apply(GAMMA_SLOPE, &[&a, &Tensor::full_like(&a, 2.5)])
    });
}

/// Of concentrations a and 1 the share below x is `xᵃ`, and of 1 and b it is `1 − (1 − x)ᵇ`.
fn of_dirichlet_path(s: &mut Samples) {
    s.each(floats(0.4..6.0), |a| {
        let x = at_quantiles(&a[0], |a, u| u.powf(1.0 / a));
        let rows = |p: &Tensor, q: &Tensor| Tensor::stack(&[p, q], -1);
        dirichlet_path(&rows(&a[0], &Tensor::ones_like(&a[0])), &rows(&x, &(1.0 - &x))).select(-1, 0)
    });
    s.each(floats(0.4..6.0), |b| {
        let x = at_quantiles(&b[0], |b, u| 1.0 - u.powf(1.0 / b));
        let rows = |p: &Tensor, q: &Tensor| Tensor::stack(&[p, q], -1);
        dirichlet_path(&rows(&Tensor::ones_like(&b[0]), &b[0]), &rows(&x, &(1.0 - &x))).select(-1, 0)
    });
}

fn of_dirichlet_slope(s: &mut Samples) {
    s.each(floats(0.3..9.0), |x| {
        let a = at_quantiles(&x[0], |_, u| 9.0 * u);
        apply(SHARE_SLOPE, &[&a, &Tensor::full_like(&a, 0.25), &(&a + 1.5)])
    });
}

#[cfg(test)]
mod tests {
    use super::{gamma_slope, share_slope};
    use crate::prelude::*;

    #[test]
    fn draws_move_with_their_concentrations() {
        // Values of mpmath: −(∂F/∂a) / (∂F/∂x) with 60 digits.
        for (a, x, want) in GAMMAS {
            let got = gamma_slope(a, x);
            let bound = if a > super::LARGE { 1e-9 } else { 3e-12 };
            assert!((got / want - 1.0).abs() < bound, "{a} {x}: {got:e}, {want:e}");
        }
        for (a, x, all, want) in SHARES {
            let got = share_slope(a, x, all);
            assert!((got / want - 1.0).abs() < 1e-11, "{a} {x} {all}: {got:e}, {want:e}");
        }
        assert_eq!([share_slope(2.0, 1.0, 2.0), share_slope(2.0, 0.0, 3.0)], [0.0, 0.0]);
        assert!(gamma_slope(f64::NAN, 1.0).is_nan() && gamma_slope(1.0, -1.0).is_nan());
        // In the first order only: a second derivative is no number.
        let a = tensor![2.0].leaf();
        let first = grad(&random::standard_gamma(&a).sum(..), [&a]);
        assert!(grad(&first[0].sum(..), [&a])[0].item().is_nan());
    }

    const GAMMAS: [(f64, f64, f64); 19] = [
        (0.001, 1e-10, 2.2450279000472743e-06),
        (0.001, 0.5, 461.992_167_189_240_04),
        (0.3, 0.01, 0.149_206_953_561_458_88),
        (0.3, 1.4, 3.130_048_107_989_362_3),
        (0.3, 8.0, 5.270_421_589_631_534_5),
        (1.0, 2.0, 1.631_691_462_349_700_7),
        (1.0, 1e-05, 0.000_119_357_719_788_305_15),
        (2.5, 3.0, 1.169_262_006_737_663_6),
        (2.5, 0.02, 0.040_364_890_133_514_915),
        (2.5, 30.0, 2.870_701_721_535_223),
        (12.0, 10.0, 0.924_345_006_812_473_2),
        (100.0, 70.0, 0.833_623_861_571_692_9),
        (100.0, 140.0, 1.179_610_460_446_782),
        (9_000.0, 9_100.0, 1.005_553_714_131_713_7),
        (9_000.0, 8_700.0, 0.983_163_204_484_978_3),
        (99_000.0, 99_500.0, 1.002_522_699_707_567_4),
        (200_000.0, 199_000.0, 0.997_496_654_131_549_6),
        (200_000.0, 201_500.0, 1.003_741_496_448_246_7),
        (1_000_000.0, 1_000_000.0, 1.000_000_166_666_683_3),
    ];
    const SHARES: [(f64, f64, f64, f64); 15] = [
        (0.01, 1e-08, 0.5, 1.982330540524078e-05),
        (0.3, 0.2, 1.3, 1.341_198_260_361_750_3),
        (0.3, 0.97, 1.3, 3.282_825_695_574_143),
        (1.0, 0.5, 2.0, std::f64::consts::LN_2),
        (2.0, 0.3, 5.0, 0.199_298_451_365_989_23),
        (2.0, 0.9, 5.0, 0.344_507_569_434_476_3),
        (2.0, 0.01, 100.0, 0.007_528_173_891_448_241),
        (50.0, 0.6, 80.0, 0.012_338_342_761_222_832),
        (50.0, 0.66, 80.0, 0.012_941_156_642_851_533),
        (700.0, 0.1, 7_000.0, 0.000_142_897_965_787_887_45),
        (700.0, 0.11, 7_000.0, 0.000_149_816_099_466_012_97),
        (3.0, 0.999, 3.01, 0.393_955_836_047_727_8),
        (20_000.0, 0.5, 40_000.0, 2.5000416670833305e-05),
        (20_000.0, 0.504, 40_000.0, 2.5100153144456352e-05),
        (1.0, 2e-06, 100_000.0, 4.611274226387181e-06),
    ];
}
