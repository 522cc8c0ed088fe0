//! A program at one point in f64, step by step in the obvious way.

use super::{Params, Prim, Program, Step};
use crate::real::{Real, Value};

impl Program {
    /// The value at one point, in f64.
    ///
    /// ```
    /// use mapsto_kernels::program::Program;
    /// use mapsto_kernels::real::Real;
    /// let silu = Program::of(1, |x| x[0] * x[0].sigmoid());
    /// assert!((silu.eval(&[].into(), &[1.0]) - 0.731058578630005).abs() < 1e-15);
    /// ```
    ///
    /// # Panics
    /// When inputs or parameters are missing.
    pub fn eval(&self, params: &Params, xs: &[f64]) -> f64 {
        let mut values = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            values.push(match *step {
                Step::Input(i) => xs[i],
                Step::Param(i) => params.values()[i],
                Step::Constant(x) => x,
                Step::Do(prim, from) => apply(prim, from.map(|i| values.get(i).copied().unwrap_or(0.0))),
            });
        }
        values[self.result]
    }
}

fn apply(prim: Prim, [a, b, c]: [f64; 3]) -> f64 {
    let mask = |holds: bool| holds as u8 as f64;
    match prim {
        Prim::Add => a + b,
        Prim::Sub => a - b,
        Prim::Mul => a * b,
        Prim::Div => a / b,
        Prim::Neg => -a,
        Prim::Abs => a.abs(),
        Prim::Sign => Value::sign(a),
        Prim::Max => Value::max(a, b),
        Prim::Min => Value::min(a, b),
        Prim::Gt => mask(a > b),
        Prim::Ge => mask(a >= b),
        Prim::Eq => mask(a == b),
        Prim::IsNan => mask(a.is_nan()),
        Prim::And => mask(a != 0.0 && b != 0.0),
        Prim::Or => mask(a != 0.0 || b != 0.0),
        Prim::Xor => mask((a != 0.0) != (b != 0.0)),
        Prim::Not => mask(a == 0.0),
        Prim::Select => [c, b][(a != 0.0) as usize],
        Prim::Fma => a.mul_add(b, c),
        Prim::Exp | Prim::ExpOfNegative => Real::exp(a),
        Prim::ExpM1 => Real::exp_m1(a),
        Prim::Ln => Real::ln(a),
        Prim::Ln1p => Real::ln_1p(a),
        Prim::Tanh => Real::tanh(a),
        Prim::Sigmoid => Real::sigmoid(a),
        Prim::Erf => Real::erf(a),
        Prim::Cdf => a.normal().0,
        Prim::Density => a.normal().1,
        Prim::Sqrt => a.sqrt(),
        Prim::Pow => Real::powf(a, b),
        Prim::Sin => Real::sin(a),
        Prim::Cos => Real::cos(a),
        Prim::Tan => Real::tan(a),
        Prim::Exp2 => Real::exp2(a),
        Prim::Floor => a.floor(),
        Prim::Ceil => a.ceil(),
        Prim::Round => a.round_ties_even(),
        // Of integers alone.
        Prim::Quotient | Prim::BitAnd | Prim::BitOr | Prim::BitXor | Prim::ShiftLeft | Prim::ShiftRight => {
            f64::NAN
        }
    }
}
