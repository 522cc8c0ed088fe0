//! Elementwise operations written down: a small program of steps that can be read, printed, differentiated and run.
//!
//! An operation is a function `f<R: Real>(x: R) -> R`. With `R = f32` the compiler makes a loop of it; with `R =`
//! [`Sym`] it writes itself down as a [`Program`]. A program runs tile by tile over a fixed set of loops
//! ([`Program::run`]), so another operation costs no compile time; it prints itself as C ([`Program::c`]); and it has
//! derivatives of any order ([`Program::derivative`]). Program and loop give the same bits, except that a NaN may carry
//! another sign or payload.

mod compile;
mod derivative;
mod eval;
mod lane;
mod loops;
mod params;
mod print;
mod run;
mod sym;

#[cfg(test)]
mod tests;

pub use lane::Lane;
pub use params::Params;
pub use print::C_PRELUDE;
pub use sym::{Sym, SymMask};

use compile::Compiled;
use std::fmt;
use std::sync::OnceLock;

/// What a step computes from earlier values. A mask is a number, 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // each is the method of `Value`, `Real` or `Bits` of that name
#[rustfmt::skip]
pub enum Prim {
    Add, Sub, Mul, Div, Neg, Abs, Sign, Max, Min,
    Gt, Ge, Eq, IsNan, And, Or, Xor, Not, Select,
    Fma, Exp, ExpOfNegative, ExpM1, Ln, Ln1p, Tanh, Sigmoid, Erf,
    /// The normal distribution function, the first of [`Real::normal`](crate::real::Real::normal).
    Cdf,
    /// The density of the normal distribution, the second of [`Real::normal`](crate::real::Real::normal).
    Density,
    Sqrt, Pow, Sin, Cos, Tan, Exp2, Floor, Ceil, Round,
    Quotient, BitAnd, BitOr, BitXor, ShiftLeft, ShiftRight,
}

impl Prim {
    /// How many values it takes.
    pub fn arity(self) -> usize {
        use Prim::*;
        match self {
            Add | Sub | Mul | Div | Max | Min | Gt | Ge | Eq | And | Or | Xor | Pow => 2,
            Quotient | BitAnd | BitOr | BitXor | ShiftLeft | ShiftRight => 2,
            Select | Fma => 3,
            _ => 1,
        }
    }

    /// Whether its result is a mask.
    pub fn is_mask(self) -> bool {
        use Prim::*;
        matches!(self, Gt | Ge | Eq | IsNan | And | Or | Xor | Not)
    }
}

/// One value of a program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// An element of an input.
    Input(usize),
    /// A parameter of the operation, the same for all elements.
    Param(usize),
    /// A number.
    Constant(f64),
    /// What a primitive computes of earlier steps, of which the first [`Prim::arity`] count.
    Do(Prim, [usize; 3]),
}

impl Step {
    fn same(&self, other: &Step) -> bool {
        match (self, other) {
            (Step::Constant(a), Step::Constant(b)) => a.to_bits() == b.to_bits(),
            _ => self == other,
        }
    }
}

/// An elementwise function as a list of steps, each of earlier ones; equal steps stand there once.
///
/// ```
/// use mapsto_kernels::program::Program;
/// use mapsto_kernels::real::Value;
/// let relu = Program::of(1, |x| x[0].max(Value::ZERO));
/// assert_eq!(relu.to_string(), "max(x, 0)");
/// let mut y = [0f32; 3];
/// relu.run(&[].into(), &[&[-1.0, 0.5, 2.0]], &mut y);
/// assert_eq!(y, [0.0, 0.5, 2.0]);
/// ```
pub struct Program {
    steps: Vec<Step>,
    result: usize,
    inputs: usize,
    params: usize,
    compiled: [OnceLock<Compiled>; lane::COUNT],
}

impl Program {
    /// Writes a function of `inputs` values down.
    ///
    /// # Panics
    /// When `f` uses [`Real::param`](crate::real::Real::param): see [`Program::with`].
    pub fn of(inputs: usize, f: impl FnOnce(&[Sym]) -> Sym) -> Program {
        sym::trace(inputs, Params::NONE, f)
    }

    /// As [`Program::of`] for a function with parameters.
    ///
    /// # Panics
    /// When `f` uses a parameter that `params` does not hold, or with another value.
    pub fn with(params: Params, inputs: usize, f: impl FnOnce(&[Sym]) -> Sym) -> Program {
        sym::trace(inputs, params, f)
    }

    fn new(steps: Vec<Step>, result: usize, inputs: usize) -> Program {
        let params = steps.iter().map(|s| if let Step::Param(i) = s { i + 1 } else { 0 }).max().unwrap_or(0);
        Program { steps, result, inputs, params, compiled: Default::default() }
    }

    /// The steps in order; a step takes only earlier ones.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Which step is the result.
    pub fn result(&self) -> usize {
        self.result
    }

    /// How many inputs it takes.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// How many parameters it takes.
    pub fn params(&self) -> usize {
        self.params
    }

    /// How many primitives it runs for an element.
    pub fn len(&self) -> usize {
        self.steps.iter().filter(|s| matches!(s, Step::Do(..))).count()
    }

    /// Whether the result is an input or a number as it is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Clone for Program {
    fn clone(&self) -> Program {
        Program::new(self.steps.clone(), self.result, self.inputs)
    }
}

impl PartialEq for Program {
    fn eq(&self, other: &Program) -> bool {
        self.result == other.result
            && self.inputs == other.inputs
            && self.steps.len() == other.steps.len()
            && self.steps.iter().zip(&other.steps).all(|(a, b)| a.same(b))
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Program({self})")
    }
}
