//! The smallest elements over axes.

use super::max::extreme;
use crate::Tensor;
use crate::backend::Reduction;
use crate::shape::Axes;

impl Tensor {
    /// The smallest element over axes; NaN if any is. (`minimum` compares two tensors.)
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`.
    /// * Gradient: `dy` to the smallest element, shared equally if several are equal.   * ONNX: `ReduceMin`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 5.0], [7.0, 3.0]];
    /// assert_close!(x.min(-1), [1.0, 3.0]);
    /// assert_eq!(x.min(..).item(), 1.0);
    /// ```
    /// # Panics
    /// When there is no such axis, or it has no elements.
    #[track_caller]
    pub fn min(&self, axes: impl Into<Axes>) -> Tensor {
        extreme("min", Reduction::Min, self, axes.into())
    }
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn min() {
        check(|x| x.unsqueeze(0).min(0)).on(floats(-2.0..2.0));
        check(|x| x.min(keep([0, 2]))).shapes([&[3, 5, 4]]).on(floats(-2.0..2.0));
        assert!(tensor![1.0, f64::NAN].min(..).item().is_nan());
    }
}
