//! The numbers of the benchmarks: weights, pictures, labels and ids by formulas that every framework computes exactly.
//!
//! The same formulas stand in `benches/peers/formula.py`: so all start from the same weights without a file of them.

use mapsto::nn::{ItemMut, Path};
use mapsto::prelude::*;

/// Number `i` of a series, evenly spread over [−0.5, 0.5): a hash of both, 24 bits of it.
///
/// The hash is the last step of MurmurHash3 (Appleby 2011).
fn noise(series: u32, i: usize) -> f64 {
    let h = (i as u32).wrapping_mul(2_654_435_761).wrapping_add(series.wrapping_mul(2_246_822_519));
    let h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
    let h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
    ((h ^ h >> 16) >> 8) as f64 / (1 << 24) as f64 - 0.5
}

fn tensor_of(shape: &[usize], f: impl Fn(usize) -> f64) -> Tensor {
    Tensor::from_vec((0..shape.iter().product()).map(|i| f(i) as f32).collect(), shape)
}

/// Gives every parameter and state of a model, in their order, the values of the formula: weights uniform in ±1/√fan_in,
/// scales about 1, shifts and means about 0, variances about 0.3.
pub fn fill(model: &mut impl Module) {
    let mut p = 0;
    model.visit_mut(&mut Path::new(), &mut |path, item| {
        let name = path.to_string();
        let values = |shape: &[usize]| {
            let spread = 2.0 / (shape[1..].iter().product::<usize>() as f64).sqrt();
            match name.rsplit('.').next() {
                _ if shape.len() > 1 => tensor_of(shape, |i| noise(p, i) * spread),
                Some("weight") => tensor_of(shape, |i| 1.0 + 0.2 * noise(p, i)),
                Some("running_var") => tensor_of(shape, |i| 0.3 + 0.2 * noise(p, i)),
                _ => tensor_of(shape, |i| 0.2 * noise(p, i)),
            }
        };
        match item {
            ItemMut::Param(w) => w.set(&values(w.shape())).expect("the same shape"),
            ItemMut::State(s) => s.set(values(s.get().shape())),
        }
        p += 1;
    });
}

/// The `k`-th batch of noise: mean 0, variance 1.
pub fn batch(k: u32, shape: &[usize]) -> Tensor {
    tensor_of(shape, |i| noise(1000 + k, i) * 12f64.sqrt())
}

/// The `k`-th batch of pictures of ten classes, `[count, 784]`: half a pattern of 7×7 patches, and noise.
///
/// Of mere noise nothing can be learned, and a network that learns by heart is so sensitive that the losses of one
/// framework differ in the third digit with the order of a sum.
pub fn pictures(k: u32, count: usize) -> Tensor {
    tensor_of(&[count, 784], |i| {
        let (label, row, column) = (label(i / 784, 10), i % 784 / 28, i % 28);
        let pattern = noise(999, label * 49 + row / 4 * 7 + column / 4);
        (0.5 * pattern + noise(1000 + k, i)) * 12f64.sqrt()
    })
}

fn label(i: usize, classes: usize) -> usize {
    (i * 7 + 3) % classes
}

/// Classes in a pattern that no input tells.
pub fn labels(count: usize, classes: usize) -> Tensor {
    Tensor::from_vec((0..count).map(|i| label(i, classes) as i64).collect(), count)
}

/// Ids scattered over a vocabulary.
pub fn ids(shape: &[usize], vocabulary: i64) -> Tensor {
    let id = |i: usize| (i as u32).wrapping_mul(2_654_435_761) as i64 % vocabulary;
    Tensor::from_vec((0..shape.iter().product()).map(id).collect(), shape)
}

#[test]
fn numbers_are_those_of_the_script() {
    // In python: formula.noise(2, 4)[3], formula.pictures(1, 2)[1, 700], formula.weight(0, "weight", (2, 3))[1, 2].
    assert_eq!(noise(2, 3), -0.2222684621810913);
    assert_eq!(pictures(1, 2).to_vec::<f32>()[784 + 700], -1.7345823);
    let mut model = Linear::new(3, 2);
    fill(&mut model);
    assert_eq!(model.weight.to_vec::<f32>()[5], 0.11507075);
    assert_eq!(labels(3, 10).to_vec::<i64>(), [3, 0, 7]);
    assert_eq!(ids(&[3], 10_000).to_vec::<i64>(), [0, 5761, 4226]);
}
