//! A relu that lets some of the negative side through, so that no unit dies.

use crate::Tensor;
use crate::elementwise::{Real, Unary, map};
use crate::graph::{At, Keep};
use crate::slope::{Slope, times_slope};

impl Tensor {
    /// `x` where positive, else `slope · x`, of each element.
    ///
    /// Source: Maas, Hannun, Ng (2013), Rectifier nonlinearities improve neural network acoustic models, ICML.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy` where `x > 0`, else `slope · dy`.   * ONNX: `LeakyRelu`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-2.0, 0.0, 2.0].leaky_relu(0.01), [-0.02, 0.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn leaky_relu(&self, slope: f64) -> Tensor {
        map(LeakyRelu { slope }, self)
    }
}

#[derive(Clone, Copy)]
struct LeakyRelu {
    slope: f64,
}
impl Unary for LeakyRelu {
    const NAME: &'static str = "leaky_relu";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x * R::select(x > R::ZERO, R::ONE, R::from_f64(self.slope))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(self, g, &at.x().detach())
    }
}

impl Slope for LeakyRelu {
    const NAME: &'static str = "leaky_relu_grad";
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g * R::select(x > R::ZERO, R::ONE, R::from_f64(self.slope))
    }
    fn bend(self, _: &Tensor) -> Option<Tensor> {
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn leaky_relu() {
        check(|x| x.leaky_relu(0.1))
            .reference(|x| if x > 0.0 { x } else { 0.1 * x })
            .on(floats(-3.0..3.0).avoiding(0.0));
    }
}
