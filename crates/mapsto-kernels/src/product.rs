//! Products of floats and their derivatives, in which no partial product leaves the range of numbers: a running product is a
//! mantissa beside an exponent of its own.

use crate::elements::elements;
use crate::real::Float;
use crate::reduce::Source;
use crate::reduce::fold::{InRange, Steps, fold_from};
use crate::threads::for_chunks;

/// `m · 2ᵉ`, where the size of `m` is from 1 to 2, or `m` is 0, infinite or NaN.
#[derive(Clone, Copy)]
struct Scaled {
    m: f64,
    e: i64,
}

impl Scaled {
    const ONE: Scaled = Scaled { m: 1.0, e: 0 };

    fn of<T: Float>(x: T) -> Scaled {
        let x = x.to_f64();
        match x == 0.0 || x.is_normal() || !x.is_finite() {
            true => Scaled { m: x, e: 0 }.brought(),
            // What has no bit above its exponent gets one.
            false => Scaled { m: x * f64::powi(2.0, 64), e: -64 }.brought(),
        }
    }

    /// The same with the exponent of `m` moved to `e`.
    #[inline(always)]
    fn brought(self) -> Scaled {
        if self.m == 0.0 || !self.m.is_finite() {
            return self;
        }
        let bits = self.m.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as i64 - 1023;
        Scaled { m: f64::from_bits(bits & !(0x7ff << 52) | 1023 << 52), e: self.e + exponent }
    }

    #[inline(always)]
    fn times(self, other: Scaled) -> Scaled {
        Scaled { m: self.m * other.m, e: self.e + other.e }.brought()
    }

    fn value<T: Float>(self) -> T {
        if self.m == 0.0 || !self.m.is_finite() {
            return T::from_f64(self.m);
        }
        // In two halves, since a power of two alone may be no number; only the second one rounds.
        let e = self.e.clamp(-2400, 2400) as i32;
        let (first, second) = (e / 2, e - e / 2);
        T::from_f64(self.m * f64::powi(2.0, first) * f64::powi(2.0, second))
    }
}

/// Products: `y[o, i] = Πⱼ x[o, j, i]` for `dims = [outer, n, inner]`; 1 where `n` is 0. Finite wherever the whole product is.
///
/// ```
/// let mut y = [0f32; 2];
/// mapsto_kernels::product::product(&[1e30, 1e30, 0., 1e30, 1e30, 1e-40], [2, 3, 1], &mut y);
/// assert_eq!(y[0], 0.0);
/// assert!((y[1] / 1e20 - 1.0).abs() < 1e-4);
/// ```
///
/// # Panics
/// If a slice's length is not what `dims` says (also in the other function here).
pub fn product<T: Float>(x: &[T], dims: [usize; 3], y: &mut [T]) {
    let [outer, n, inner] = dims;
    let lengths = (elements(dims), elements([outer, inner]));
    assert_eq!((x.len(), y.len()), lengths, "product: lengths and {dims:?}");
    if x.is_empty() {
        return y.fill(T::ONE);
    }
    let bring = |at: isize, step: isize, to: &mut [T]| {
        to.iter_mut().enumerate().for_each(|(i, t)| *t = x[at as usize + i * step as usize]);
    };
    let (kept, gone) = ([(outer, (n * inner) as isize), (inner, 1)], [(n, inner as isize)]);
    let kept = if inner == 1 { &kept[..1] } else { &kept };
    product_from(&Source { plain: Some(x), bring: &bring, offset: 0, kept, gone: &gone }, y);
}

/// Elements whose product is taken by itself before it meets the exponent.
const BLOCK: usize = 256;

/// The [`product`] of each result of a source; 1 of nothing.
///
/// Almost always no partial product leaves the normal numbers, and if one does the result is 0, infinite or NaN: what is
/// below them counts as 0. Only those results are computed again, with an exponent beside the mantissa.
pub fn product_from<T: Float>(x: &Source<'_, T>, y: &mut [T]) {
    let steps = Steps::of::<InRange<T>>();
    fold_from(&steps, x, None, y);
    let rare = |y: T| y == T::ZERO || !y.is_finite();
    let n: usize = x.gone.iter().map(|axis| axis.0).product();
    if n <= 1 || !y.iter().any(|y| rare(*y)) {
        return if n == 1 {
            as_they_are(x, y)
        };
    }
    let chunk = (BLOCK / n).max(1);
    for_chunks(y, chunk, y.len().saturating_mul(n), |i, y| {
        let mut room = [T::ZERO; BLOCK];
        for (k, y) in y.iter_mut().enumerate().filter(|(_, y)| rare(**y)) {
            let mut running = Scaled::ONE;
            x.spans(i * chunk + k, 0..n, &mut room, &mut |x| {
                let mut block = [T::ZERO];
                (steps.rows)(x, x.len(), &[], &mut block);
                running = match block {
                    [block] if !rare(block) => running.times(Scaled::of(block)),
                    _ if x.contains(&T::ZERO) => running.times(Scaled::of(nothing_of(x))),
                    _ => x.iter().fold(running, |p, &x| p.times(Scaled::of(x))),
                };
            });
            *y = running.value();
        }
    });
}

/// Products of one element each: numbers below the normal ones too.
fn as_they_are<T: Float>(x: &Source<'_, T>, y: &mut [T]) {
    let mut room = [T::ZERO];
    for (k, y) in y.iter_mut().enumerate() {
        x.spans(k, 0..1, &mut room, &mut |x| *y = x[0]);
    }
}

/// A product with a zero among its factors: 0 with the sign of all, or NaN.
fn nothing_of<T: Float>(x: &[T]) -> T {
    let sign = |x: T| if x < T::ZERO { -T::ONE } else { T::ONE };
    x.iter().fold(T::ONE, |p, &x| p * if x != T::ZERO && x.is_finite() { sign(x) } else { x })
}

/// The derivative of [`product`]: `dx[o, j, i] = g[o, i] Π_{k ≠ j} x[o, k, i]`, without a division, which zeros would forbid.
///
/// ```
/// let mut dx = [0f32; 3];
/// mapsto_kernels::product::product_backward(&[1e30, 1e30, 0.], [1, 3, 1], &[1e-30], &mut dx);
/// assert_eq!(dx[..2], [0.0, 0.0]);
/// assert!((dx[2] / 1e30 - 1.0).abs() < 1e-6);
/// ```
pub fn product_backward<T: Float>(x: &[T], dims: [usize; 3], g: &[T], dx: &mut [T]) {
    let [outer, n, inner] = dims;
    let fits = x.len() == outer * n * inner && dx.len() == x.len() && g.len() == outer * inner;
    assert!(fits, "product: lengths and {dims:?}");
    // The products of all that come before each element, then times those of all that come after it.
    let mut before = vec![Scaled::ONE; n];
    for (k, &g) in g.iter().enumerate() {
        let at = |j: usize| k / inner * n * inner + j * inner + k % inner;
        let mut running = Scaled::of(g);
        for j in 0..n {
            before[j] = running;
            running = running.times(Scaled::of(x[at(j)]));
        }
        let mut after = Scaled::ONE;
        for j in (0..n).rev() {
            dx[at(j)] = before[j].times(after).value();
            after = after.times(Scaled::of(x[at(j)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<T: Float>(x: &[T]) -> (T, Vec<T>) {
        let (mut y, mut dx) = ([T::ZERO], vec![T::ZERO; x.len()]);
        product(x, [1, x.len(), 1], &mut y);
        product_backward(x, [1, x.len(), 1], &[T::ONE], &mut dx);
        (y[0], dx)
    }

    #[test]
    fn every_order_of_large_and_small_numbers_gives_their_product() {
        let sizes = [1e30f64, 1e-30, 3e25, 1e-25, -2.0, 1e-42];
        for a in 0..6 {
            for b in 0..6 {
                for c in 0..6 {
                    for d in 0..6 {
                        let x = [a, b, c, d].map(|i| sizes[i] as f32);
                        let want = x.map(f64::from);
                        let (y, dx) = of(&x);
                        let near = |got: f32, want: f64| {
                            let rounded = want as f32;
                            got == rounded || ((got as f64 - want) / want).abs() < 1e-6 && rounded.is_normal()
                        };
                        assert!(near(y, want.iter().product()), "{x:?}: {y:e}");
                        for j in 0..4 {
                            let others: f64 = (0..4).filter(|&k| k != j).map(|k| want[k]).product();
                            assert!(near(dx[j], others), "{x:?} {j}: {:e}", dx[j]);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn many_factors_leave_the_range_and_come_back() {
        for n in [100, 255, 256, 257, 5000, 9001] {
            for inner in [1, 3] {
                // Half of them shrink the product and half bring it back; the last one decides.
                let of =
                    |j: usize, last: f32| if j + 1 == n { last } else { [1.5f32, 0.5][(2 * j / n).min(1)] };
                for last in [3.0, 0.0, -0.0, f32::INFINITY, f32::NAN] {
                    let x: Vec<f32> = (0..n * inner).map(|i| of(i / inner, last)).collect();
                    let want =
                        (0..n).fold(Scaled::ONE, |p, j| p.times(Scaled::of(of(j, last)))).value::<f32>();
                    let mut y = vec![0.0; inner];
                    product(&x, [1, n, inner], &mut y);
                    for y in y {
                        let near =
                            (y - want).abs() <= 1e-5 * want.abs() || y == want || y.is_nan() && want.is_nan();
                        assert!(
                            near && y.is_sign_negative() == want.is_sign_negative() || y.is_nan(),
                            "{y} {want}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn zeros_infinities_and_columns() {
        let inf = f64::INFINITY;
        assert_eq!(of(&[1e300, 1e300, 0.0]), (0.0, vec![0.0, 0.0, inf]));
        let least = f64::from_bits(1);
        assert!(
            (of(&[1e300, 1e300, 1e-300, 1e-300, least, -1e300]).0 / (-1e300 * least) - 1.0).abs() < 1e-12
        );
        assert!(of(&[inf, 0.0]).0.is_nan() && of(&[f64::NAN, 1.0]).0.is_nan());
        assert_eq!(of(&[inf, -2.0]).0, -inf);
        assert_eq!(of::<f32>(&[]).0, 1.0);
        let (x, mut y, mut dx) = ([1e30f32, 2.0, 1e30, 3.0, 1e-30, 4.0], [0.0; 2], [0.0; 6]);
        product(&x, [1, 3, 2], &mut y);
        product_backward(&x, [1, 3, 2], &[1.0, 10.0], &mut dx);
        assert!((y[0] / 1e30 - 1.0).abs() < 1e-6 && y[1] == 24.0);
        assert_eq!([dx[1], dx[3], dx[5]], [120.0, 80.0, 60.0]);
        assert!((dx[0] - 1.0).abs() < 1e-6 && dx[4].is_infinite());
    }
}
