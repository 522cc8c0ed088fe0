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

#[test]
fn horners_rule() {
    assert_eq!([polynomial(2.0, &[3.0, 0.5, -1.0]), polynomial(7.0, &[4.0])], [12.0, 4.0]);
}
