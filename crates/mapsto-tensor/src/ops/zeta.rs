//! Hurwitz' zeta function.

use crate::by_number::ByNumber;
use crate::check::floats;
use crate::elementwise::Operand;
use crate::graph::{Op, apply};
use crate::kind::{OpKind, Samples, Takes};
use crate::{DType, Tensor};

impl Tensor {
    /// Hurwitz' `ζ(s, q) = Σₖ (q + k)⁻ˢ` over k = 0, 1, .. of each pair of elements, with this tensor as `s`; Riemann's for `q = 1`.
    /// It is `∞` for `s = 1` and at the poles `q = 0, −1, ..`, NaN for `s < 1`, and for a negative `q` beside an `s` that is no
    /// whole number.
    ///
    /// Source: Abramowitz and Stegun (1964), 23.1.30 (Euler and Maclaurin's formula).
    ///
    /// * Shape: `[..], [..] → broadcast`, floats only; or a tensor and a number.   * Gradient: `dq = −s ζ(s + 1, q) dy`; none for `s`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![2.0, 3.0, 2.0].zeta(tensor![1.0, 1.0, 0.5]), [1.64493, 1.20206, 4.93480]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or a gradient by `s` is asked for.
    #[track_caller]
    pub fn zeta(&self, q: impl Into<Operand>) -> Tensor {
        let q = q.into().like("zeta", self);
        ZETA.check(self, "the exponent");
        apply(ZETA, &[self, &q])
    }
}

const ZETA: ByNumber = ByNumber {
    name: "zeta",
    f: zeta,
    slope: |at, g| {
        // In f64: beside a pole it may be no number of f32 where the product with `g` is one.
        let (s, q) = (at.a().detach().to(DType::F64), at.b().to(DType::F64));
        -(g.to(DType::F64) * &s * (&s + 1.0).zeta(q)).to(g.dtype())
    },
};

/// `(2k)! / B₂ₖ`.
const RATIOS: [f64; 12] = [
    12.0,
    -720.0,
    30_240.0,
    -1_209_600.0,
    47_900_160.0,
    -1_892_437_580.318_379_2,
    74_724_249_600.0,
    -2_950_130_727_918.164,
    116_467_828_143_500.67,
    -4_597_978_722_407_472.0,
    1.815_210_540_194_354_7e17,
    -7.166_165_256_175_667e18,
];

pub(super) fn zeta(s: f64, q: f64) -> f64 {
    let whole = s.floor() == s;
    if s.is_nan() || q.is_nan() || s < 1.0 || (q < 0.0 && !whole && q.floor() != q) {
        return f64::NAN;
    }
    if s == 1.0 || (q <= 0.0 && q.floor() == q) {
        return f64::INFINITY;
    }
    if q == f64::INFINITY {
        return 0.0;
    }
    if q < -1.0 {
        // The terms on both sides of 0 apart, those on the left counted from 0 as well.
        let part = q - q.floor();
        let sign = if (s * 0.5).floor() == s * 0.5 { 1.0 } else { -1.0 };
        return zeta(s, part) + sign * (zeta(s, 1.0 - part) - zeta(s, 1.0 - q));
    }
    let (mut a, mut term) = (q, q.powf(-s));
    let mut sum = term;
    while a <= 9.0 {
        a += 1.0;
        term = a.powf(-s);
        sum += term;
        if term.abs() < f64::EPSILON * 0.5 * sum.abs() {
            return sum;
        }
    }
    // The last term counts by half, and the rest is an integral with corrections.
    sum += term * a / (s - 1.0) - 0.5 * term;
    let (mut factor, mut power) = (1.0, term);
    for (k, ratio) in RATIOS.iter().enumerate() {
        factor *= s + (2 * k) as f64;
        power /= a;
        let more = factor * power / ratio;
        sum += more;
        if more.abs() <= f64::EPSILON * 0.5 * sum.abs() {
            break;
        }
        factor *= s + (2 * k + 1) as f64;
        power /= a;
    }
    sum
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("zeta", "Hurwitz' `ζ(s, q)` of each pair of elements.", Takes::Floats, samples).built(|_| Ok(Box::new(ZETA) as Box<dyn Op>)),
];

fn samples(s: &mut Samples) {
    s.each(floats(0.3..9.0), |x| Tensor::full_like(&x[0], 2.5).zeta(&x[0]));
    s.each(floats(0.3..9.0), |x| Tensor::full_like(&x[0], 6.0).zeta(&x[0]));
}

#[cfg(test)]
mod tests {
    use super::zeta;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn zetas() {
        check(|q| tensor![2.5].to(q.dtype()).zeta(q)).on(floats(0.3..12.0));
        check(|q| tensor![3.0].to(q.dtype()).zeta(q)).on(floats(-2.7..-2.3));
        // Values of mpmath.
        for (s, q, want) in [(2.0, 1.0, 1.644_934_066_848_226_4), (1.000_1, 1.0, 10_000.577_222_947_539), (3.0, 0.5, 8.414_398_322_117_16), (50.0, 0.7, 55_602_971.216_385_91), (2.5, 1_000_000.0, 6.666_671_666_668_75e-10), (4.0, -0.3, 127.769_981_736_528_1), (2.0, -7.25, 19.610_354_539_293_27), (3.0, -1_000.4, -11.138_148_044_119_584), (2.0, 1.0e-5, 10_000_000_001.644_909)] {
            let y = zeta(s, q);
            assert!((y / want - 1.0).abs() < 4e-15, "ζ({s}, {q}) = {y}, {want}");
        }
        // At its ends as torch.special.zeta, which is NaN for q = ∞.
        assert_eq!([zeta(1.0, 0.1), zeta(2.0, 0.0), zeta(2.0, -1.0), zeta(3.0, f64::INFINITY)], [f64::INFINITY, f64::INFINITY, f64::INFINITY, 0.0]);
        assert!(zeta(2.5, -0.5).is_nan() && zeta(0.5, 1.0).is_nan() && zeta(f64::NAN, 1.0).is_nan());
        assert!((zeta(2.0, -1e15 - 0.5) / (std::f64::consts::PI.powi(2) - 1e-15) - 1.0).abs() < 1e-15);
        let s = tensor![2.0].leaf();
        let e = catch(|| train(|| s.zeta(1.0))).unwrap_err();
        assert_eq!(e.message(), "zeta: there is no derivative by the exponent");
    }
}
