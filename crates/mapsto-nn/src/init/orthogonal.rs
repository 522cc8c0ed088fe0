//! Weights whose rows (or columns) are orthonormal, so that they neither stretch nor shrink.

use super::{Init, InitKind, Normal, outline};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;

/// A random matrix with orthonormal rows or columns, whichever are fewer, times `gain`.
///
/// Axes after the first are taken together. Uniform over all such matrices: the Gram-Schmidt process applied to normal
/// numbers. Source: Saxe, McClelland, Ganguli (2013), arXiv:1312.6120.
///
/// PyTorch: `orthogonal_`; Keras: `Orthogonal`.
/// ```
/// use mapsto_nn::init::{Init, Orthogonal};
/// use mapsto_nn::prelude::*;
/// let w = Orthogonal::new().tensor(&[2, 5]);
/// assert_close!(w.matmul(&w.t()), [[1.0, 0.0], [0.0, 1.0]]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Orthogonal {
    gain: f64,
}

impl Orthogonal {
    /// With gain 1.
    pub fn new() -> Orthogonal {
        Orthogonal { gain: 1.0 }
    }

    /// The same times `gain`; √2 is usual for ReLU.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    #[must_use]
    pub fn gain(self, gain: f64) -> Orthogonal {
        Orthogonal { gain: Bounds::AT_LEAST_0.check("orthogonal", "gain", gain) }
    }
}

impl Default for Orthogonal {
    fn default() -> Orthogonal {
        Orthogonal::new()
    }
}

impl Init for Orthogonal {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        let rows = shape.first().copied().unwrap_or(1);
        let cols: usize = shape.iter().skip(1).product();
        if let Some(outline) = outline(shape) {
            return outline;
        }
        let (few, many) = (rows.min(cols), rows.max(cols));
        let mut q = Normal::new(1.0)
            .tensor(&[few, many])
            .to_vec::<f32>()
            .iter()
            .map(|&x| x as f64)
            .collect::<Vec<_>>();
        orthonormalise(&mut q, many);
        let wide = Tensor::from_vec(q.into_iter().map(|x| (self.gain * x) as f32).collect(), [few, many]);
        let matrix = if rows <= cols { wide } else { wide.t() };
        matrix.contiguous().reshape(shape)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_option("gain", self.gain))
    }
}

/// Makes the rows, each of length `n`, orthonormal in place.
fn orthonormalise(q: &mut [f64], n: usize) {
    if n == 0 {
        return;
    }
    for i in 0..q.len() / n {
        let (done, rest) = q.split_at_mut(i * n);
        let row = &mut rest[..n];
        // Twice is enough: one pass leaves an error that grows with the condition of the matrix, the second removes it.
        for _ in 0..2 {
            for other in done.chunks_exact(n) {
                let dot: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(other).for_each(|(a, b)| *a -= dot * b);
            }
        }
        let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        row.iter_mut().for_each(|x| *x /= norm);
    }
}

pub(super) const KIND: InitKind =
    InitKind::new("orthogonal", "Orthonormal rows or columns (Saxe et al. 2013).", |args, ()| {
        Ok(Box::new(Orthogonal { gain: Bounds::AT_LEAST_0.option(args, "gain", 1.0)? }))
    })
    .options(&[("gain", "a factor on all weights")]);

#[test]
fn rows_or_columns_are_orthonormal() {
    for shape in [&[16, 16][..], &[40, 12], &[12, 40], &[8, 3, 3, 3], &[64, 3, 3, 3]] {
        let w = Orthogonal::new().gain(2.0).tensor(shape);
        assert_eq!(w.shape(), shape);
        let w = w.reshape([shape[0], shape[1..].iter().product()]);
        let [rows, cols] = w.dims();
        let gram = if rows <= cols { w.matmul(&w.t()) } else { w.t().matmul(&w) };
        let error = (gram - Tensor::eye(rows.min(cols)) * 4.0).abs().max(..).item();
        assert!(error < 1e-5, "{shape:?}: {error}");
    }
}
