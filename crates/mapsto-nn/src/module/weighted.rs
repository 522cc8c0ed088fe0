//! Layers that have one weight, for what puts another in its place: weight norm and spectral norm.

use super::Param;
use mapsto_tensor::Tensor;

/// A layer with a weight, and the layer's work with another tensor in the place of that weight.
///
/// [`WeightNorm`](crate::WeightNorm) and [`SpectralNorm`](crate::SpectralNorm) wrap such layers, which say so by
/// [`Layer::weighted`](crate::Layer::weighted).
/// ```
/// use mapsto_nn::{Weighted, prelude::*};
/// let layer = Linear::new(2, 1).no_bias();
/// assert_close!(layer.forward_by(&tensor![[1.0, 2.0]], &tensor![[3.0, 4.0]]), [[11.0]]);
/// ```
pub trait Weighted {
    /// The weight, whose name among the parameters is `weight`.
    fn weight(&self) -> &Param;

    /// The axis of the weight along which the outputs lie.
    fn output_axis(&self) -> usize {
        0
    }

    /// The output for the input `x` with this weight.
    fn forward_by(&self, x: &Tensor, weight: &Tensor) -> Tensor;
}
