//! What the error function lacks to 1.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep};
use crate::slope::times_slope;
use crate::Tensor;

impl Tensor {
    /// `1 − erf(x)` of each element, to all digits where it is small.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = −2/√π e^(−x²) dy`.   * ONNX: `Sub(1, Erf(x))`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 2.0].erfc(), [1.84270, 1.0, 0.00468]);
    /// assert!((tensor![9.0].erfc().item() / 4.137_032e-37 - 1.0).abs() < 1e-6);
    /// ```
    #[track_caller]
    pub fn erfc(&self) -> Tensor {
        map(Erfc, self)
    }
}

#[derive(Clone, Copy)]
struct Erfc;
impl Unary for Erfc {
    const NAME: &'static str = "erfc";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        // Twice the normal distribution at −√2 x, with what rounding takes from that argument. Limited where both ends are reached.
        let x = x.max(R::from_f64(-30.0)).min(R::from_f64(30.0));
        let root = R::from_f64(std::f64::consts::SQRT_2);
        let at = x * root;
        let lost = x.fma(root, -at) - x * R::from_f64(9.667_293_313_452_913e-17);
        let (tail, density) = (-at).normal();
        (tail - density * lost) * R::TWO
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        -times_slope(super::erf::Bell, g, at.x())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("erfc", "`1 − erf(x)` of each element, to all digits where it is small.", Takes::Floats, of_erfc).built(|_| Ok(unary(Erfc))),
];

fn of_erfc(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].erfc());
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn erfc() {
        check(|x| x.erfc()).on(floats(-4.0..4.0));
        // Values of mpmath.
        let x = Tensor::from_vec(vec![-3.0, -0.1, 1e-9, 0.5, 1.0, 3.0, 10.0, 26.0], [8]);
        let want = Tensor::from_vec(vec![1.999_977_909_503_001_5, 1.112_462_916_018_284_8, 0.999_999_998_871_620_8, 0.479_500_122_186_953_5, 0.157_299_207_050_285_13, 2.209_049_699_858_544e-5, 2.088_487_583_762_545e-45, 5.663_192_408_856_143e-296], [8]);
        assert!((x.erfc() / want - 1.0).abs().max(..).item() < 4e-15, "{:?}", x.erfc());
        assert_close!((x.erfc() + x.erf()), [1.0; 8]);
    }
}
