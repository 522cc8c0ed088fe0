//! Logarithms and powers to the bases 2 and 10.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, map, unary};
use crate::graph::{At, Keep};
use crate::Tensor;

impl Tensor {
    /// `log₂ x` of each element; `−∞` at 0, NaN below.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy / (x ln 2)`.   * ONNX: `Div(Log(x), ln 2)`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.5, 1.0, 8.0].log2(), [-1.0, 0.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn log2(&self) -> Tensor {
        map(Log2, self)
    }

    /// `log₁₀ x` of each element; `−∞` at 0, NaN below.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = dy / (x ln 10)`.   * ONNX: `Div(Log(x), ln 10)`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.1, 1.0, 1000.0].log10(), [-1.0, 0.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn log10(&self) -> Tensor {
        map(Log10, self)
    }

    /// `2ˣ` of each element.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = ln 2 · y dy`.   * ONNX: `Pow(2, x)`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-1.0, 0.0, 3.0].exp2(), [0.5, 1.0, 8.0]);
    /// ```
    #[track_caller]
    pub fn exp2(&self) -> Tensor {
        map(Exp2, self)
    }
}

#[derive(Clone, Copy)]
struct Log2;
impl Unary for Log2 {
    const NAME: &'static str = "log2";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let log = x.ln();
        log.fma(R::from_f64(std::f64::consts::LOG2_E), log * R::from_f64(2.035_527_374_093_103_3e-17))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        g / at.x() * std::f64::consts::LOG2_E
    }
}

#[derive(Clone, Copy)]
struct Log10;
impl Unary for Log10 {
    const NAME: &'static str = "log10";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let log = x.ln();
        log.fma(R::from_f64(std::f64::consts::LOG10_E), log * R::from_f64(1.098_319_650_216_765e-17))
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        g / at.x() * std::f64::consts::LOG10_E
    }
}

#[derive(Clone, Copy)]
struct Exp2;
impl Unary for Exp2 {
    const NAME: &'static str = "exp2";
    const FULL: bool = true;
    const KEEP: Keep = Keep::OUTPUT;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.exp2()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        g * at.y() * std::f64::consts::LN_2
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("log2", "`log₂ x` of each element; `−∞` at 0, NaN below.", Takes::Floats, of_log2).built(|_| Ok(unary(Log2))),
    OpKind::new("log10", "`log₁₀ x` of each element; `−∞` at 0, NaN below.", Takes::Floats, of_log10).built(|_| Ok(unary(Log10))),
    OpKind::new("exp2", "`2ˣ` of each element.", Takes::Floats, of_exp2).built(|_| Ok(unary(Exp2))),
];

fn of_log2(s: &mut Samples) {
    s.each(floats(0.1..4.0), |x| x[0].log2());
}

fn of_log10(s: &mut Samples) {
    s.each(floats(0.1..4.0), |x| x[0].log10());
}

fn of_exp2(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].exp2());
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn logarithms_and_powers() {
        check(|x| x.log2()).reference(f64::log2).on(floats(0.1..9.0));
        check(|x| x.log10()).reference(f64::log10).on(floats(0.1..9.0));
        check(|x| x.exp2()).reference(f64::exp2).on(floats(-8.0..8.0));
    }

    #[test]
    fn whole_powers_are_exact() {
        let n = Tensor::arange(-126..128).to(DType::F32);
        assert_eq!(n.exp2().log2().to_vec::<f32>(), n.to_vec::<f32>());
    }
}
