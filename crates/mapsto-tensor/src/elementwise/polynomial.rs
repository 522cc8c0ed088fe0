//! Polynomials in the steps that programs are made of.

use super::Real;

/// A polynomial by Horner's rule, the highest power first, in fused steps.
#[inline(always)]
pub(crate) fn polynomial<R: Real>(x: R, c: &[f64]) -> R {
    let mut y = R::from_f64(c[0]);
    for c in &c[1..] {
        y = y.fma(x, R::from_f64(*c));
    }
    y
}

/// A sum of Chebyshev polynomials of `t` in −1..=1, by Clenshaw's recurrence: for functions whose powers would cancel.
#[inline(always)]
pub(crate) fn chebyshev<R: Real>(t: R, c: &[f64]) -> R {
    let twice = t + t;
    let (mut first, mut second) = (R::ZERO, R::ZERO);
    for c in c[1..].iter().rev() {
        (first, second) = (twice.fma(first, R::from_f64(*c) - second), first);
    }
    t.fma(first, R::from_f64(c[0]) - second)
}

#[test]
fn horners_rule() {
    assert_eq!([polynomial(2.0, &[3.0, 0.5, -1.0]), polynomial(7.0, &[4.0])], [12.0, 4.0]);
}

#[test]
fn clenshaws_recurrence() {
    // T₀ + 2 T₁ + 3 T₂ of ½, where T₂ is 2t² − 1.
    assert_eq!(chebyshev(0.5, &[1.0, 2.0, 3.0]), 1.0 + 1.0 - 1.5);
}
