//! A sum of floats that does not depend on their order, so that metrics merge exactly at any batch size.

/// An exact running sum of `f64` values: the value read at the end is the true sum rounded once.
///
/// Kept as a short list of non-overlapping partial sums (Shewchuk 1997, "Adaptive precision floating-point arithmetic",
/// the method of Python's `math.fsum`), so that any grouping of the same values gives the same bits.
///
/// ```
/// use mapsto_train::metrics::ExactSum;
/// let mut s = ExactSum::default();
/// for x in [1e16, 1.0, -1e16] {
///     s.add(x);
/// }
/// assert_eq!(s.value(), 1.0); // plain addition gives 0
/// ```
#[derive(Clone, Debug, Default)]
pub struct ExactSum {
    partials: Vec<f64>,
    /// The sum of the infinities and NaNs met, which have no exact sum.
    special: f64,
}

impl ExactSum {
    /// Adds one value.
    pub fn add(&mut self, x: f64) {
        if !x.is_finite() {
            self.special += x;
            return;
        }
        let (mut x, mut kept) = (x, 0);
        for i in 0..self.partials.len() {
            let mut y = self.partials[i];
            if x.abs() < y.abs() {
                std::mem::swap(&mut x, &mut y);
            }
            let high = x + y;
            let low = y - (high - x);
            if low != 0.0 {
                self.partials[kept] = low;
                kept += 1;
            }
            x = high;
        }
        self.partials.truncate(kept);
        self.partials.push(x);
    }

    /// Adds everything `other` has summed.
    pub fn merge(&mut self, other: &ExactSum) {
        self.special += other.special;
        other.partials.iter().for_each(|&p| self.add(p));
    }

    /// Adds `a · b` without rounding it: the product and what it lacks.
    pub(super) fn add_product(&mut self, a: f64, b: f64) {
        let product = a * b;
        self.add(product);
        if product.is_finite() {
            self.add(a.mul_add(b, -product));
        }
    }

    /// `n · ab − a · b` of exact sums, rounded once: what a covariance is of the sums of values and of their products.
    pub(super) fn spread(n: u64, ab: &ExactSum, a: &ExactSum, b: &ExactSum) -> f64 {
        if [ab, a, b].iter().any(|sum| sum.special != 0.0) {
            return f64::NAN;
        }
        let mut all = ExactSum::default();
        ab.partials.iter().for_each(|&p| all.add_product(n as f64, p));
        for &p in &a.partials {
            b.partials.iter().for_each(|&q| all.add_product(-p, q));
        }
        all.value()
    }

    /// The sum, correctly rounded.
    #[must_use]
    pub fn value(&self) -> f64 {
        if self.special != 0.0 {
            return self.special; // infinite, or NaN (which differs from 0 too)
        }
        let mut rest = self.partials.iter().rev().copied();
        let Some(mut high) = rest.next() else { return 0.0 };
        let mut low = 0.0;
        while let Some(y) = rest.next() {
            let x = high;
            high = x + y;
            low = y - (high - x);
            if low != 0.0 {
                // Half-way cases round by the sign of what is left below.
                if rest.next().is_some_and(|next| (low < 0.0) == (next < 0.0)) {
                    let twice = low * 2.0;
                    let up = high + twice;
                    if twice == up - high {
                        high = up;
                    }
                }
                return high;
            }
        }
        high + low
    }

    /// The state as text that [`ExactSum::from_text`] reads back without losing a bit.
    pub(crate) fn to_text(&self) -> String {
        let bits: Vec<String> =
            [self.special].iter().chain(&self.partials).map(|p| format!("{:x}", p.to_bits())).collect();
        bits.join("+")
    }

    pub(crate) fn from_text(text: &str) -> Option<ExactSum> {
        let mut values = text.split('+').map(|p| u64::from_str_radix(p, 16).ok().map(f64::from_bits));
        let special = values.next()??;
        Some(ExactSum { special, partials: values.collect::<Option<Vec<f64>>>()? })
    }
}

impl PartialEq for ExactSum {
    /// Equal sums, however they were grouped.
    fn eq(&self, other: &ExactSum) -> bool {
        self.value().to_bits() == other.value().to_bits()
    }
}

impl FromIterator<f64> for ExactSum {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> ExactSum {
        let mut sum = ExactSum::default();
        values.into_iter().for_each(|x| sum.add(x));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of very different sizes, from a linear congruential sequence.
    fn values(n: usize) -> Vec<f64> {
        let mut s = 1_u64;
        (0..n)
            .map(|i| {
                s = s.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((s >> 11) as f64 / (1_u64 << 53) as f64 - 0.5) * 10_f64.powi((i % 30) as i32 - 15)
            })
            .collect()
    }

    #[test]
    fn any_grouping_gives_the_same_bits() {
        let v = values(1000);
        let whole: ExactSum = v.iter().copied().collect();
        for size in [1, 3, 64, 999] {
            let mut merged = ExactSum::default();
            for chunk in v.rchunks(size) {
                merged.merge(&chunk.iter().rev().copied().collect());
            }
            assert_eq!(merged.value().to_bits(), whole.value().to_bits(), "groups of {size}");
        }
    }

    #[test]
    fn a_spread_loses_nothing_far_from_zero() {
        // 1e9 + 0, 1, 2: the variance is 2/3, and n² of it is 6; plain sums of squares give 0 or worse.
        let (mut squares, mut sum) = (ExactSum::default(), ExactSum::default());
        for x in [1e9, 1e9 + 1.0, 1e9 + 2.0] {
            squares.add_product(x, x);
            sum.add(x);
        }
        assert_eq!(ExactSum::spread(3, &squares, &sum, &sum), 6.0);
        sum.add(f64::INFINITY);
        assert!(ExactSum::spread(3, &squares, &sum, &sum).is_nan());
    }

    #[test]
    fn rounds_once_and_survives_text() {
        // Python: math.fsum([1e100, 1.0, -1e100, 1e-100, 1e50, -1.0, -1e50]) = 1e-100
        let sum: ExactSum = [1e100, 1.0, -1e100, 1e-100, 1e50, -1.0, -1e50].into_iter().collect();
        assert_eq!(sum.value(), 1e-100);
        assert_eq!(ExactSum::from_text(&sum.to_text()).unwrap(), sum);
        // Python: math.fsum([0.1] * 10) = 1.0
        assert_eq!([0.1; 10].into_iter().collect::<ExactSum>().value(), 1.0);
        assert!([1.0, f64::NAN].into_iter().collect::<ExactSum>().value().is_nan());
        assert_eq!([1.0, f64::INFINITY].into_iter().collect::<ExactSum>().value(), f64::INFINITY);
    }
}
