//! Matrices for the samples of this crate's operations.

use mapsto_tensor::Tensor;
use mapsto_tensor::check::floats;
use mapsto_tensor::kind::Samples;

/// Square matrices of many batches; also none, and none in a batch.
pub(crate) const SQUARE: [&[usize]; 10] = [
    &[1, 1],
    &[2, 2],
    &[3, 3],
    &[4, 4],
    &[2, 2, 2],
    &[2, 1, 2, 2],
    &[1, 3, 3],
    &[0, 2, 2],
    &[0, 0],
    &[2, 0, 0],
];

/// Matrices of every shape.
pub(crate) const ANY: [&[usize]; 12] = [
    &[1, 1],
    &[2, 2],
    &[3, 3],
    &[4, 2],
    &[2, 4],
    &[1, 3],
    &[3, 1],
    &[2, 3, 2],
    &[2, 1, 2, 3],
    &[0, 2, 3],
    &[0, 2],
    &[2, 0],
];

/// Numbers of which the diagonal is far from 0, and each further than the last: well conditioned, with values far from each other.
pub(crate) fn spread(s: &mut Samples, shape: &[usize]) -> Tensor {
    let x = s.draw(shape, &floats(-0.7..0.7));
    let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    let place = |k: usize| if k / n == k % n { 2.0 + 1.5 * (k / n) as f64 } else { 0.0 };
    let diagonal = Tensor::from_vec((0..m * n).map(place).collect::<Vec<f64>>(), [m, n]);
    &x + diagonal.to(x.dtype())
}

/// The same, symmetric.
pub(crate) fn symmetric(s: &mut Samples, shape: &[usize]) -> Tensor {
    let x = spread(s, shape);
    (&x + x.t()) * 0.5
}

/// Inputs of every shape of a list.
pub(crate) fn each(
    s: &mut Samples,
    shapes: &[&[usize]],
    of: fn(&mut Samples, &[usize]) -> Tensor,
    call: fn(&[Tensor]) -> Tensor,
) {
    for shape in shapes {
        let x = of(s, shape);
        s.given(vec![x], call);
    }
}
