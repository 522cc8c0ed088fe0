//! PCA: the plane in which what the model makes of the samples varies most.

use crate::coalitions::rows;
use crate::symmetric::eigen;
use crate::{Ask, Explanation, Method, Model, Needs, Shown};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// What the model gives for the samples, in the two directions in which it varies most: `(y − mean) · V`, where the columns of `V` are the
/// first eigenvectors of the covariance of `y`.
///
/// The model should give embeddings, such as the outputs of its last layer but one; `ask` is not read. Of each direction the number that is
/// largest without its sign is positive, as in scikit-learn. A note says which share of the variance the plane shows: what is near in it may be far apart in
/// what it hides. It costs one answer a sample and the eigenvectors of a matrix of the embeddings' width, or of the number of
/// samples where there are fewer.
///
/// Source: Pearson, 1901; Hotelling, 1933. scikit-learn: `PCA(n_components=2)`.
/// ```
/// use mapsto_explain::{Ask, Model, Shown, method};
/// use mapsto_tensor::prelude::*;
/// let found = method("pca")?.explain(&Model::asked(|x: &Tensor| x.clone()), &tensor![[0.0, 0.0, 1.0], [3.0, 4.0, 1.0]], &Ask::new())?;
/// let Shown::Points(points) = found.shown else { panic!() };
/// assert_close!(points, [[-2.5, 0.0], [2.5, 0.0]]);
/// # Ok::<(), Error>(())
/// ```
pub struct Pca;

impl Method for Pca {
    fn name(&self) -> &'static str {
        "pca"
    }
    fn says(&self) -> &'static str {
        "where each sample lies in the plane in which what the model gives varies most"
    }
    fn needs(&self) -> Needs {
        Needs::Answers
    }
    fn is_global(&self) -> bool {
        true
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, _: &Ask) -> Result<Explanation> {
        let y = model.scores(x)?;
        let (points, shares) = Pca::plane(&y)?;
        let mut found = Explanation::new(Shown::Points(points));
        let [first, second] = shares.map(|share| 100.0 * share);
        found.notes.push(format!(
            "the plane shows {:.1} % of the variance: {first:.1} % along the first axis, {second:.1} % along the second",
            first + second
        ));
        Ok(found)
    }
}

impl Pca {
    /// The places `[n, 2]` of embeddings `[n, d]`, and the share of the variance along each axis; zeros where there is none.
    ///
    /// # Errors
    /// The embeddings have another number of axes, are not finite, or are of fewer than two samples.
    pub fn plane(embeddings: &Tensor) -> Result<(Tensor, [f64; 2])> {
        let y = finite(embeddings)?;
        let (n, d) = (y.len(), y[0].len());
        let mean: Vec<f64> = (0..d).map(|k| y.iter().map(|row| row[k]).sum::<f64>() / n as f64).collect();
        let y: Vec<Vec<f64>> =
            y.iter().map(|row| row.iter().zip(&mean).map(|(y, m)| y - m).collect()).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        // YᵀY and YYᵀ have the same eigenvalues but for zeros, and v = Yᵀu.
        let columns: Vec<Vec<f64>> = match d <= n {
            true => (0..d).map(|k| y.iter().map(|row| row[k]).collect()).collect(),
            false => y.clone(),
        };
        let side = columns.len();
        let products = (0..side * side).map(|ij| dot(&columns[ij / side], &columns[ij % side])).collect();
        let pairs = eigen(products, side).ok_or_else(|| {
            Error::new(ErrorKind::Data, "the eigenvectors of the embeddings' covariance were not found")
                .help("are some embeddings larger than others by many orders of magnitude?")
        })?;
        let whole: f64 = y.iter().map(|row| dot(row, row)).sum();
        let (mut points, mut shares) = (vec![0.0; 2 * n], [0.0; 2]);
        for (axis, (value, vector)) in pairs.into_iter().take(2).enumerate() {
            // What rounding leaves of a variance that is zero has no direction.
            if value <= 1e-13 * whole || value <= 0.0 {
                break;
            }
            let mut v = match d <= n {
                true => vector,
                false => {
                    (0..d).map(|k| (0..n).map(|i| y[i][k] * vector[i]).sum::<f64>() / value.sqrt()).collect()
                }
            };
            // Of numbers that are equal but for rounding, the first decides.
            let most = v.iter().map(|v| v.abs()).fold(0.0, f64::max);
            if v.iter().find(|v| v.abs() >= most * (1.0 - 1e-10)).is_some_and(|v| *v < 0.0) {
                v.iter_mut().for_each(|v| *v = -*v);
            }
            (0..n).for_each(|i| points[2 * i + axis] = dot(&y[i], &v));
            shares[axis] = value / whole;
        }
        Ok((Tensor::from_vec(points, [n, 2]), shares))
    }
}

/// The rows of embeddings `[n, d]` of at least two samples.
pub(crate) fn finite(embeddings: &Tensor) -> Result<Vec<Vec<f64>>> {
    match *embeddings.shape() {
        [n, d] if n > 1 && d > 0 => {}
        _ => {
            let message = format!(
                "a projection needs embeddings [samples, numbers] of two samples or more, found {:?}",
                embeddings.shape()
            );
            return Err(
                Error::new(ErrorKind::Usage, message).help("flatten what the layer gives for each sample")
            );
        }
    }
    if !embeddings.is_finite() {
        return Err(Error::new(ErrorKind::NonFinite, "the embeddings are not finite")
            .help("look for NaN in the inputs and in the weights"));
    }
    Ok(rows(embeddings))
}

#[test]
fn wide_and_narrow_embeddings_have_the_same_plane() {
    let mut draw = mapsto_tensor::random::Keyed::new(&[5]);
    let narrow: Vec<f64> = (0..12 * 5).map(|k| draw.normal() * [3.0, 2.0, 0.3, 0.2, 0.1][k % 5]).collect();
    let narrow = Tensor::from_vec(narrow, [12, 5]);
    let wide = Tensor::cat(&[narrow.clone(), Tensor::zeros([12, 20]).to(mapsto_tensor::DType::F64)], 1);
    let ((a, shares), (b, _)) = (Pca::plane(&narrow).unwrap(), Pca::plane(&wide).unwrap());
    assert!((a - b).abs().max(..).item() < 1e-10);
    assert!(
        shares[0] > shares[1] && shares[0] + shares[1] > 0.9 && shares[0] + shares[1] < 1.0,
        "{shares:?}"
    );
    let same = Pca::plane(&Tensor::ones([4, 3])).unwrap();
    assert_eq!((same.0.abs().max(..).item(), same.1), (0.0, [0.0; 2]));
    assert!(Pca::plane(&Tensor::ones([1, 3])).is_err() && Pca::plane(&Tensor::ones([4])).is_err());
}
