//! Random numbers for one element, as many as a method of rejection asks for: a pure function of the draw and the element.

use super::{Draw, Keyed, Stream, next};
use crate::elementwise::same_dtype;
use crate::shape::{Shape, broadcast};
use crate::{DType, Tensor, fail};
use mapsto_kernels::real::Real;
use mapsto_kernels::threads::for_chunks;

/// The numbers of one element, one after the other.
pub(super) struct Words {
    draw: Draw,
    at: u64,
}

impl Words {
    /// 64 random bits.
    fn bits(&mut self) -> u64 {
        let block = self.draw.block(self.at);
        self.at += 1;
        u64::from(block[0]) << 32 | u64::from(block[1])
    }

    /// Uniform between 0 and 1, neither of which is drawn, with 52 random bits.
    pub(super) fn uniform(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// Standard normal, by the method of Box and Muller (1958).
    pub(super) fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform(), self.uniform());
        (-2.0 * Real::ln(u)).sqrt() * Real::cos(std::f64::consts::TAU * v)
    }
}

/// The next draw of the user's stream, in which each element has words of its own.
pub(super) struct Elements {
    key: u64,
}

impl Elements {
    pub(super) fn next() -> Elements {
        let Draw { seed, stream, draw } = next(Stream::User);
        Elements { key: Keyed::new(&[seed, stream.into(), draw, 1]).bits() }
    }

    /// The words of element `i`.
    pub(super) fn words(&self, i: usize) -> Words {
        Words { draw: Draw { seed: self.key, stream: i as u32, draw: i as u64 >> 32 }, at: 0 }
    }
}

/// Parameters that broadcast together, as floats of one dtype; those of 16 bits too.
#[track_caller]
pub(super) fn together(op: &str, parameters: &[&Tensor]) -> Shape {
    let mut shape = Shape::new(&[]);
    for p in parameters {
        same_dtype(op, parameters[0], p);
        if !p.dtype().is_float() {
            fail!(op, "parameters are floats, these are {}", p.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        shape = broadcast(op, &shape, p.shape_of());
    }
    shape
}

/// Refuses a parameter that `holds` does not hold of.
#[track_caller]
pub(super) fn require(op: &str, name: &str, wanted: &str, parameter: &Tensor, holds: impl Fn(f64) -> bool) {
    if !parameter.device().backend().has_numbers() {
        return;
    }
    let values = parameter.detach().to(DType::F64).to_vec::<f64>();
    if let Some(wrong) = values.into_iter().find(|v| !holds(*v)) {
        fail!(op, "`{name}` must be {wanted}, got {wrong}");
    }
}

/// A number for each element of a parameter, in f64: `draw(words, value)`.
#[track_caller]
pub(super) fn each(parameter: &Tensor, draw: impl Fn(&mut Words, f64) -> f64 + Sync) -> Tensor {
    let (elements, shape) = (Elements::next(), *parameter.shape_of());
    if !parameter.device().backend().has_numbers() {
        return parameter.device().scope(|| Tensor::full_of(shape, 0, DType::F64));
    }
    let mut y = parameter.detach().to(DType::F64).to_vec::<f64>();
    let cost = 200 * y.len();
    for_chunks(&mut y, 256, cost, |i, y| {
        for (k, y) in y.iter_mut().enumerate() {
            *y = draw(&mut elements.words(256 * i + k), *y);
        }
    });
    parameter.device().scope(|| Tensor::from_vec(y, shape))
}

/// Statistics of samples, for the tests of the distributions.
#[cfg(test)]
pub(super) mod judged {
    use crate::{DType, Tensor};

    /// The largest distance between the distribution function of samples and the one they should have (Kolmogorov and
    /// Smirnov), in units of its spread: above 1.95 for one sample in a thousand.
    pub(in crate::random) fn distance(x: &Tensor, cdf: impl Fn(f64) -> f64) -> f64 {
        let mut x = x.to(DType::F64).to_vec::<f64>();
        x.sort_by(f64::total_cmp);
        let n = x.len() as f64;
        let apart = |(i, x): (usize, &f64)| {
            let p = cdf(*x);
            (p - i as f64 / n).abs().max(((i + 1) as f64 / n - p).abs())
        };
        x.iter().enumerate().map(apart).fold(0.0, f64::max) * n.sqrt()
    }

    /// χ² of counts beside the expected shares, less its degrees of freedom, in units of its deviation. Shares below five
    /// expected counts are left out.
    pub(in crate::random) fn chi_square(x: &Tensor, share: impl Fn(i64) -> f64) -> f64 {
        let x = x.to(DType::I64).to_vec::<i64>();
        let n = x.len() as f64;
        let (least, most) = (*x.iter().min().unwrap(), *x.iter().max().unwrap());
        let terms: Vec<f64> = (least..=most)
            .filter(|k| share(*k) * n >= 5.0)
            .map(|k| (x.iter().filter(|x| **x == k).count() as f64 - n * share(k)).powi(2) / (n * share(k)))
            .collect();
        let free = (terms.len() as f64 - 1.0).max(1.0);
        (terms.iter().sum::<f64>() - free) / (2.0 * free).sqrt()
    }

    /// That the same seed gives the same bits on any number of threads, and another seed others.
    #[track_caller]
    pub(in crate::random) fn is_pure(draw: impl Fn() -> Tensor) {
        let on = |threads: usize, seed: u64| {
            crate::seed(seed);
            mapsto_kernels::threads::with_threads(threads, &draw).to(DType::F64).to_vec::<f64>()
        };
        let one = on(1, 5);
        assert!(one == on(2, 5) && one == on(7, 5) && one != on(1, 6));
    }
}

#[test]
fn words_are_even_and_no_two_elements_share_them() {
    super::seed(3);
    let elements = Elements::next();
    let firsts: std::collections::BTreeSet<u64> = (0..4000).map(|i| elements.words(i).bits()).collect();
    assert_eq!(firsts.len(), 4000);
    let mut words = elements.words(1 << 33);
    let mean = (0..10_000).map(|_| words.uniform()).sum::<f64>() / 1e4;
    let square = (0..10_000).map(|_| words.normal().powi(2)).sum::<f64>() / 1e4;
    assert!((mean - 0.5).abs() < 0.012 && (square - 1.0).abs() < 0.06, "{mean} {square}");
}
