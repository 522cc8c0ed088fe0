//! t-SNE: a place in the plane for each sample, so that neighbours in what the model gives stay neighbours.

use super::pca::{Pca, finite};
use crate::{Ask, Explanation, Method, Model, Needs, Shown};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// Places in the plane whose neighbourhoods `qᵢⱼ ∝ 1 / (1 + |yᵢ − yⱼ|²)` are as near as gradient steps bring them to those of the embeddings,
/// `pᵢⱼ = (pⱼ|ᵢ + pᵢ|ⱼ) / 2n` with `pⱼ|ᵢ ∝ exp(−|xᵢ − xⱼ|² / 2σᵢ²)`: the least `KL(p ‖ q)`.
///
/// The model should give embeddings, such as the outputs of its last layer but one. `width` is the perplexity (30, at most a third of
/// the samples), about the number of neighbours that count; `samples` is the number of steps (1000). Steps, rates and the start from the
/// plane of [`Pca`](super::Pca) are those of scikit-learn, so nothing is drawn and `seed` is not read. It costs `n²` a step, and
/// takes at most 5,000 samples. It lies about distances between groups, about sizes of groups, and about how many there are: noise has
/// groups too when the perplexity is small. Try several.
///
/// Source: van der Maaten and Hinton, 2008; start and rate: Kobak and Berens, 2019. scikit-learn: `TSNE(method='exact')`.
/// ```
/// use mapsto_explain::{Ask, Model, Shown, method};
/// use mapsto_tensor::prelude::*;
/// let x = tensor![[0.0, 0.1], [0.2, 0.0], [0.1, 0.2], [9.0, 9.1], [9.2, 9.0], [9.1, 9.2]];
/// let ask = Ask::new().width(2.0).samples(300);
/// let found = method("t-sne")?.explain(&Model::asked(|x: &Tensor| x.clone()), &x, &ask)?;
/// let Shown::Points(points) = found.shown else { panic!() };
/// let side = points.select(1, 0).to_vec::<f64>();
/// assert!(side[..3].iter().all(|s| s * side[0] > 0.0) && side[3..].iter().all(|s| s * side[0] < 0.0));
/// # Ok::<(), Error>(())
/// ```
pub struct Tsne;

/// The most samples: their pairs fill 200 MB, three times.
const MOST: usize = 5000;
/// Steps in which neighbours attract each other more, so that groups can pass through each other.
const EARLY: usize = 250;
/// By how much.
const MORE: f64 = 12.0;

impl Method for Tsne {
    fn name(&self) -> &'static str {
        "t-sne"
    }
    fn says(&self) -> &'static str {
        "a place in the plane for each sample, so that neighbours stay neighbours"
    }
    fn needs(&self) -> Needs {
        Needs::Answers
    }
    fn is_global(&self) -> bool {
        true
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        let y = model.scores(x)?;
        let n = y.shape()[0];
        let perplexity = ask.width.unwrap_or(30.0f64.min((n as f64 - 1.0) / 3.0).max(1.0));
        let (points, kl) = Tsne::places(&y, None, perplexity, ask.count(1000))?;
        let mut found = Explanation::new(Shown::Points(points));
        found.notes.push(format!("the divergence is {kl:.3} at a perplexity of {perplexity:.0}; distances between groups mean little"));
        Ok(found)
    }
}

impl Tsne {
    /// The places `[n, 2]` of embeddings `[n, d]` after so many steps from `start` (the plane of PCA, small), and their divergence.
    ///
    /// # Errors
    /// Embeddings that [`Pca::plane`] refuses, more than 5,000 of them, a perplexity that is not from 1 to below their number, or a start of
    /// another shape.
    pub fn places(
        embeddings: &Tensor,
        start: Option<&Tensor>,
        perplexity: f64,
        steps: usize,
    ) -> Result<(Tensor, f64)> {
        let x = finite(embeddings)?;
        let n = x.len();
        if n > MOST {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("exact t-SNE compares all pairs of {n} samples, and takes at most {MOST}"),
            )
            .help("draw some of the samples"));
        }
        if !(perplexity >= 1.0 && perplexity < n as f64) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("a perplexity of {perplexity} does not fit {n} samples"),
            )
            .help("give one from 1 to below the number of samples; 5 to 50 is usual"));
        }
        let mut y = match start {
            Some(start) if start.shape() == [n, 2] => finite(start)?.concat(),
            Some(start) => {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("t-SNE of {n} samples starts at [{n}, 2], found {:?}", start.shape()),
                )
                .help("give two numbers for each sample"));
            }
            None => {
                let plane = Pca::plane(embeddings)?.0.to_vec::<f64>();
                let spread = (plane.iter().step_by(2).map(|y| y * y).sum::<f64>() / n as f64).sqrt();
                plane.iter().map(|y| if spread > 0.0 { y / spread * 1e-4 } else { 0.0 }).collect()
            }
        };
        let mut p = neighbourhoods(&x, perplexity);
        let rate = (n as f64 / MORE / 4.0).max(50.0);
        let (mut moved, mut gains) = (vec![0.0; 2 * n], vec![1.0f64; 2 * n]);
        let mut q = vec![0.0; n * n];
        p.iter_mut().for_each(|p| *p *= MORE);
        for step in 0..steps {
            if step == EARLY {
                p.iter_mut().for_each(|p| *p /= MORE);
                // scikit-learn's second round of steps begins at rest.
                (moved, gains) = (vec![0.0; 2 * n], vec![1.0; 2 * n]);
            }
            let momentum = if step < EARLY { 0.5 } else { 0.8 };
            let g = gradient(&p, &y, &mut q);
            for k in 0..2 * n {
                gains[k] = if moved[k] * g[k] < 0.0 { gains[k] + 0.2 } else { gains[k] * 0.8 };
                gains[k] = gains[k].max(0.01);
                moved[k] = momentum * moved[k] - rate * gains[k] * g[k];
                y[k] += moved[k];
            }
        }
        if steps <= EARLY {
            p.iter_mut().for_each(|p| *p /= MORE);
        }
        let total = affinities(&y, &mut q);
        let kl = |(p, q): (&f64, &f64)| {
            if *p > 0.0 { p * (p / (q / total).max(f64::MIN_POSITIVE)).ln() } else { 0.0 }
        };
        let divergence = p.iter().zip(&q).map(kl).sum();
        Ok((Tensor::from_vec(y, [n, 2]), divergence))
    }
}

/// `p`: how much of the neighbourhoods of `i` and `j` the other one is; each σ is found by halving so that the entropy is that of so many equal
/// neighbours.
fn neighbourhoods(x: &[Vec<f64>], perplexity: f64) -> Vec<f64> {
    let n = x.len();
    let square = |i: usize, j: usize| x[i].iter().zip(&x[j]).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let mut p = vec![0.0; n * n];
    for i in 0..n {
        let d: Vec<f64> = (0..n).map(|j| square(i, j)).collect();
        // Distances count from the nearest other, so that not all of the exponentials vanish.
        let nearest = (0..n).filter(|j| *j != i).map(|j| d[j]).fold(f64::INFINITY, f64::min);
        let (mut beta, mut low, mut high) = (1.0, f64::NEG_INFINITY, f64::INFINITY);
        let row = &mut p[i * n..(i + 1) * n];
        for _ in 0..100 {
            let (mut sum, mut weighted) = (0.0, 0.0);
            for j in (0..n).filter(|j| *j != i) {
                row[j] = (-(d[j] - nearest) * beta).exp();
                sum += row[j];
                weighted += (d[j] - nearest) * row[j];
            }
            row.iter_mut().for_each(|p| *p /= sum);
            let apart = sum.ln() + beta * weighted / sum - perplexity.ln();
            if apart.abs() <= 1e-5 {
                break;
            }
            if apart > 0.0 {
                low = beta;
                beta = if high == f64::INFINITY { beta * 2.0 } else { (beta + high) / 2.0 };
            } else {
                high = beta;
                beta = if low == f64::NEG_INFINITY { beta / 2.0 } else { (beta + low) / 2.0 };
            }
        }
    }
    let joint = |ij: usize| (p[ij] + p[ij % n * n + ij / n]) / (2 * n) as f64;
    (0..n * n).map(joint).collect()
}

/// `1 / (1 + |yᵢ − yⱼ|²)` for each pair, and their sum; 0 for a sample and itself.
fn affinities(y: &[f64], q: &mut [f64]) -> f64 {
    let n = y.len() / 2;
    let mut total = 0.0;
    for i in 0..n {
        for j in 0..i {
            let (a, b) = (y[2 * i] - y[2 * j], y[2 * i + 1] - y[2 * j + 1]);
            let w = 1.0 / (1.0 + a * a + b * b);
            (q[i * n + j], q[j * n + i]) = (w, w);
            total += 2.0 * w;
        }
    }
    total
}

/// `4 Σⱼ (pᵢⱼ − qᵢⱼ) (yᵢ − yⱼ) / (1 + |yᵢ − yⱼ|²)`.
fn gradient(p: &[f64], y: &[f64], q: &mut [f64]) -> Vec<f64> {
    let n = y.len() / 2;
    let total = affinities(y, q);
    let mut g = vec![0.0; 2 * n];
    for i in 0..n {
        let (p, q) = (&p[i * n..(i + 1) * n], &q[i * n..(i + 1) * n]);
        for j in 0..n {
            let pull = 4.0 * (p[j] - q[j] / total) * q[j];
            g[2 * i] += pull * (y[2 * i] - y[2 * j]);
            g[2 * i + 1] += pull * (y[2 * i + 1] - y[2 * j + 1]);
        }
    }
    g
}

#[test]
fn the_gradient_is_that_of_the_divergence_and_entropies_are_met() {
    let mut draw = mapsto_tensor::random::Keyed::new(&[11]);
    let x: Vec<Vec<f64>> = (0..14).map(|_| (0..3).map(|_| draw.normal()).collect()).collect();
    let mut y: Vec<f64> = (0..28).map(|_| draw.normal()).collect();
    let p = neighbourhoods(&x, 4.0);
    assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    let mut q = vec![0.0; 14 * 14];
    let g = gradient(&p, &y, &mut q);
    let mut kl = |y: &[f64]| {
        let total = affinities(y, &mut q);
        p.iter().zip(&q).filter(|(p, _)| **p > 0.0).map(|(p, q)| p * (p * total / q).ln()).sum::<f64>()
    };
    for k in 0..28 {
        let at = y[k];
        y[k] = at + 1e-5;
        let above = kl(&y);
        y[k] = at - 1e-5;
        let slope = (above - kl(&y)) / 2e-5;
        y[k] = at;
        assert!((slope - g[k]).abs() < 1e-8, "{k}: {slope} and {}", g[k]);
    }
    let wrong = Tsne::places(&Tensor::ones([4, 2]), None, 4.0, 10).unwrap_err();
    assert_eq!(wrong.message(), "a perplexity of 4 does not fit 4 samples");
}
