//! Derivatives of a program by one of its inputs: forward mode, step by step, to any order.

use super::{Prim, Program, Step, Sym};
use crate::real::{Real, Value};

impl Program {
    /// The derivative by an input, as a program of the same inputs and parameters; derive it again for higher orders.
    ///
    /// Where two equal numbers meet in `max` or `min`, it is that of the second one, so `max(x, 0)` has the slope 0 at 0;
    /// `sign`, `floor` and other steps have the slope 0 everywhere.
    /// ```
    /// use mapsto_kernels::program::Program;
    /// use mapsto_kernels::real::Real;
    /// let cube = Program::of(1, |x| x[0] * x[0] * x[0]);
    /// assert_eq!(cube.derivative(0).eval(&[].into(), &[2.0]), 12.0);
    /// assert_eq!(cube.derivative(0).derivative(0).eval(&[].into(), &[2.0]), 12.0);
    /// ```
    ///
    /// # Panics
    /// When there is no such input.
    pub fn derivative(&self, input: usize) -> Program {
        assert!(input < self.inputs, "program: no input {input} of {}", self.inputs);
        Program::of(self.inputs, |_| {
            let mut values: Vec<Sym> = Vec::with_capacity(self.steps.len());
            let mut slopes: Vec<Option<Sym>> = Vec::with_capacity(self.steps.len());
            for step in &self.steps {
                values.push(match *step {
                    Step::Do(prim, from) => {
                        let xs: Vec<Sym> = from[..prim.arity()].iter().map(|&i| values[i]).collect();
                        Sym::prim(prim, &xs)
                    }
                    leaf => Sym::leaf(leaf),
                });
                slopes.push(match *step {
                    Step::Input(i) if i == input => Some(Sym::ONE),
                    Step::Do(prim, from) => {
                        let at = |k: usize| (values[from[k]], slopes[from[k]]);
                        slope(prim, at, *values.last().expect("just pushed"))
                    }
                    _ => None,
                });
            }
            slopes[self.result].unwrap_or(Sym::ZERO)
        })
    }
}

/// `a + b` of what may be zero everywhere.
fn sum(a: Option<Sym>, b: Option<Sym>) -> Option<Sym> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

/// A slope times another number, where the slope may be 1.
fn times(slope: Sym, by: Sym) -> Sym {
    if slope.is_one() { by } else { slope * by }
}

/// The slope of `y = prim(..)`; `at` gives an argument and its slope. None is zero everywhere.
fn slope(prim: Prim, at: impl Fn(usize) -> (Sym, Option<Sym>), y: Sym) -> Option<Sym> {
    let (a, da) = at(0);
    let other = |k: usize| if k < prim.arity() { at(k) } else { (a, None) };
    let ((b, db), (_, dc)) = (other(1), other(2));
    let choose = |mask, x: Option<Sym>, y: Option<Sym>| {
        (x.is_some() || y.is_some())
            .then(|| Sym::select(mask, x.unwrap_or(Sym::ZERO), y.unwrap_or(Sym::ZERO)))
    };
    let one = Sym::ONE;
    match prim {
        Prim::Add => sum(da, db),
        Prim::Sub => match (da, db) {
            (Some(da), Some(db)) => Some(da - db),
            (da, None) => da,
            (None, Some(db)) => Some(-db),
        },
        Prim::Mul => sum(da.map(|da| times(da, b)), db.map(|db| times(db, a))),
        Prim::Div => sum(da.map(|da| da / b), db.map(|db| -(times(db, y) / b))),
        Prim::Neg => da.map(|da| -da),
        Prim::Abs => da.map(|da| times(da, a.sign())),
        Prim::Max => choose(b.ge(a), db, da),
        Prim::Min => choose(a.ge(b), db, da),
        Prim::Select => choose(a.as_mask(), db, dc),
        Prim::Fma => sum(sum(da.map(|da| times(da, b)), db.map(|db| times(db, a))), dc),
        Prim::Exp | Prim::ExpOfNegative => da.map(|da| times(da, y)),
        Prim::ExpM1 => da.map(|da| times(da, a.exp())),
        Prim::Ln => da.map(|da| da / a),
        Prim::Ln1p => da.map(|da| da / (one + a)),
        Prim::Tanh => da.map(|da| times(da, one - y * y)),
        Prim::Sigmoid => da.map(|da| times(da, y * (one - y))),
        Prim::Erf => {
            let peak = Sym::from_f64(std::f64::consts::FRAC_2_SQRT_PI);
            da.map(|da| times(da, peak * (-(a * a)).exp()))
        }
        Prim::Cdf => da.map(|da| times(da, a.normal().1)),
        Prim::Density => da.map(|da| times(da, -(a * y))),
        Prim::Sqrt => da.map(|da| da / (y + y)),
        Prim::Pow => sum(da.map(|da| times(da, b * a.powf(b - one))), db.map(|db| times(db, y * a.ln()))),
        Prim::Sin => da.map(|da| times(da, a.cos())),
        Prim::Cos => da.map(|da| times(da, -a.sin())),
        Prim::Tan => da.map(|da| times(da, y.fma(y, one))),
        Prim::Exp2 => da.map(|da| times(da, y * Sym::from_f64(std::f64::consts::LN_2))),
        // Constant almost everywhere.
        Prim::Sign | Prim::Floor | Prim::Ceil | Prim::Round => None,
        Prim::Quotient | Prim::BitAnd | Prim::BitOr | Prim::BitXor | Prim::ShiftLeft | Prim::ShiftRight => {
            None
        }
        Prim::Gt | Prim::Ge | Prim::Eq | Prim::IsNan | Prim::And | Prim::Or | Prim::Xor | Prim::Not => None,
    }
}
