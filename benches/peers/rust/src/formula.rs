//! The numbers of `benches/peers/formula.py`.

/// Number `i` of a series, evenly spread over [−0.5, 0.5).
pub fn noise(series: u32, i: usize) -> f64 {
    let h = (i as u32).wrapping_mul(2_654_435_761).wrapping_add(series.wrapping_mul(2_246_822_519));
    let h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    let h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    ((h ^ (h >> 16)) >> 8) as f64 / (1 << 24) as f64 - 0.5
}

/// The p-th tensor of a model: a weight if it has two or more axes, a bias otherwise.
pub fn weight(p: u32, shape: &[usize]) -> Vec<f32> {
    let spread = if shape.len() > 1 { 2.0 / (shape[1..].iter().product::<usize>() as f64).sqrt() } else { 0.2 };
    (0..shape.iter().product()).map(|i| (noise(p, i) * spread) as f32).collect()
}

/// The k-th batch of noise.
pub fn batch(k: u32, count: usize) -> Vec<f32> {
    (0..count).map(|i| (noise(1000 + k, i) * 12f64.sqrt()) as f32).collect()
}

/// The k-th batch of pictures of ten classes.
pub fn pictures(k: u32, count: usize) -> Vec<f32> {
    let picture = |i: usize| {
        let (class, row, column) = ((i / 784 * 7 + 3) % 10, i % 784 / 28, i % 28);
        let pattern = noise(999, class * 49 + row / 4 * 7 + column / 4);
        ((0.5 * pattern + noise(1000 + k, i)) * 12f64.sqrt()) as f32
    };
    (0..count * 784).map(picture).collect()
}

/// The classes of the pictures.
pub fn labels(count: usize) -> Vec<u32> {
    (0..count as u32).map(|i| (i * 7 + 3) % 10).collect()
}
