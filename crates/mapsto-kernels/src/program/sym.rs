//! `Sym`, the number that stands for itself: arithmetic on it writes down the steps of a program.

use super::{Params, Prim, Program, Step};
use crate::real::{Bits, Real, Value};
use std::cell::{Cell, RefCell};
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

/// A value in a program being written down; exists within [`Program::of`] only.
#[derive(Clone, Copy, Debug)]
pub struct Sym(Term);

/// A mask in a program being written down.
#[derive(Clone, Copy, Debug)]
pub struct SymMask(Sym);

#[derive(Clone, Copy, Debug)]
enum Term {
    Step(usize),
    /// A number that no step holds yet, so that constants can be `const`.
    Number(f64),
}

thread_local! {
    static STEPS: RefCell<Option<Vec<Step>>> = const { RefCell::new(None) };
    static PARAMS: Cell<Params> = const { Cell::new(Params::NONE) };
}

/// The place of a step, which is written down if no equal one is there.
fn place(step: Step) -> usize {
    STEPS.with_borrow_mut(|steps| {
        let steps = steps.as_mut().expect("a Sym is used outside of `Program::of`");
        steps.iter().position(|s| s.same(&step)).unwrap_or_else(|| {
            steps.push(step);
            steps.len() - 1
        })
    })
}

impl Sym {
    fn at(self) -> usize {
        match self.0 {
            Term::Step(at) => at,
            Term::Number(x) => place(Step::Constant(x)),
        }
    }
    pub(super) fn step(at: usize) -> Sym {
        Sym(Term::Step(at))
    }
    pub(super) fn prim(prim: Prim, xs: &[Sym]) -> Sym {
        let mut from = [0; 3];
        from.iter_mut().zip(xs).for_each(|(from, x)| *from = x.at());
        Sym::step(place(Step::Do(prim, from)))
    }
    /// A step that takes no other.
    pub(super) fn leaf(leaf: Step) -> Sym {
        match leaf {
            Step::Constant(x) => Sym(Term::Number(x)),
            leaf => Sym::step(place(leaf)),
        }
    }
    pub(super) fn is_one(self) -> bool {
        matches!(self.0, Term::Number(1.0))
    }
    /// 1 where the value is not 0.
    pub(super) fn as_mask(self) -> SymMask {
        SymMask(self)
    }
}

impl SymMask {
    /// The mask as a number, 0 or 1.
    pub fn as_sym(self) -> Sym {
        self.0
    }
}

pub(super) fn trace(inputs: usize, params: Params, f: impl FnOnce(&[Sym]) -> Sym) -> Program {
    let mut f = Some(f);
    written(inputs, params, &mut |xs| f.take().expect("it is called once")(xs))
}

/// Called through a pointer, so that it is compiled once and not for each operation.
fn written(inputs: usize, params: Params, f: &mut dyn FnMut(&[Sym]) -> Sym) -> Program {
    /// Gives the steps of an outer trace back, also when `f` panics.
    struct Outer(Option<Vec<Step>>, Params);
    impl Drop for Outer {
        fn drop(&mut self) {
            STEPS.set(self.0.take());
            PARAMS.set(self.1);
        }
    }
    let steps = STEPS.replace(Some((0..inputs).map(Step::Input).collect()));
    let outer = Outer(steps, PARAMS.replace(params));
    let xs: Vec<Sym> = (0..inputs).map(Sym::step).collect();
    let result = f(&xs).at();
    let steps = STEPS.take().expect("taken by nobody else");
    drop(outer);
    needed(&steps, result, inputs)
}

/// The program without the steps that its result does not depend on.
fn needed(steps: &[Step], result: usize, inputs: usize) -> Program {
    let mut used = vec![false; steps.len()];
    used[..inputs].fill(true);
    used[result] = true;
    for i in (0..steps.len()).rev() {
        if let (true, Step::Do(prim, from)) = (used[i], steps[i]) {
            from[..prim.arity()].iter().for_each(|&j| used[j] = true);
        }
    }
    let mut to = vec![0; steps.len()];
    let mut kept = Vec::new();
    for (i, step) in steps.iter().enumerate().filter(|(i, _)| used[*i]) {
        to[i] = kept.len();
        kept.push(match *step {
            Step::Do(prim, mut from) => {
                from[..prim.arity()].iter_mut().for_each(|j| *j = to[*j]);
                Step::Do(prim, from)
            }
            step => step,
        });
    }
    Program::new(kept, to[result], inputs)
}

macro_rules! operators {
    ($($operator:ident $method:ident $prim:ident;)*) => {$(
        impl $operator for Sym {
            type Output = Sym;
            fn $method(self, b: Sym) -> Sym {
                Sym::prim(Prim::$prim, &[self, b])
            }
        }
    )*};
}
operators! {
    Add add Add;
    Sub sub Sub;
    Mul mul Mul;
    Div div Div;
}

impl Neg for Sym {
    type Output = Sym;
    fn neg(self) -> Sym {
        Sym::prim(Prim::Neg, &[self])
    }
}

macro_rules! connectives {
    ($($operator:ident $method:ident $prim:ident;)*) => {$(
        impl $operator for SymMask {
            type Output = SymMask;
            fn $method(self, b: SymMask) -> SymMask {
                Sym::prim(Prim::$prim, &[self.0, b.0]).as_mask()
            }
        }
    )*};
}
connectives! {
    BitAnd bitand And;
    BitOr bitor Or;
    BitXor bitxor Xor;
}

impl Not for SymMask {
    type Output = SymMask;
    fn not(self) -> SymMask {
        Sym::prim(Prim::Not, &[self.0]).as_mask()
    }
}

macro_rules! methods {
    ($($method:ident($($b:ident),*) $prim:ident;)*) => {$(
        fn $method(self, $($b: Sym),*) -> Sym {
            Sym::prim(Prim::$prim, &[self, $($b),*])
        }
    )*};
}
macro_rules! comparisons {
    ($($method:ident($($b:ident),*) $prim:ident;)*) => {$(
        fn $method(self, $($b: Sym),*) -> SymMask {
            Sym::prim(Prim::$prim, &[self, $($b),*]).as_mask()
        }
    )*};
}

impl Value for Sym {
    type Mask = SymMask;
    const ZERO: Sym = Sym(Term::Number(0.0));
    const ONE: Sym = Sym(Term::Number(1.0));
    methods! {
        plus(b) Add;
        minus(b) Sub;
        times(b) Mul;
        negated() Neg;
        abs() Abs;
        sign() Sign;
        max(b) Max;
        min(b) Min;
    }
    comparisons! {
        gt(b) Gt;
        ge(b) Ge;
        eq(b) Eq;
        is_nan() IsNan;
    }
    fn select(mask: SymMask, a: Sym, b: Sym) -> Sym {
        Sym::prim(Prim::Select, &[mask.0, a, b])
    }
}

impl Bits for Sym {
    methods! {
        quotient(b) Quotient;
        bit_and(b) BitAnd;
        bit_or(b) BitOr;
        bit_xor(b) BitXor;
        shift_left(b) ShiftLeft;
        shift_right(b) ShiftRight;
    }
}

impl Real for Sym {
    const HALF: Sym = Sym(Term::Number(0.5));
    const TWO: Sym = Sym(Term::Number(2.0));
    const NAN: Sym = Sym(Term::Number(f64::NAN));
    const INFINITY: Sym = Sym(Term::Number(f64::INFINITY));
    fn from_f64(x: f64) -> Sym {
        Sym(Term::Number(x))
    }
    fn param(index: usize, x: f64) -> Sym {
        let params = PARAMS.get();
        let declared = params.values().get(index);
        assert!(
            declared.is_some_and(|d| d.to_bits() == x.to_bits()),
            "parameter {index} is {x}, but the operation declares {:?}",
            params.values()
        );
        Sym::step(place(Step::Param(index)))
    }
    methods! {
        fma(a, b) Fma;
        exp() Exp;
        exp_of_negative() ExpOfNegative;
        exp_m1() ExpM1;
        ln() Ln;
        ln_1p() Ln1p;
        tanh() Tanh;
        sigmoid() Sigmoid;
        erf() Erf;
        sqrt() Sqrt;
        powf(b) Pow;
        sin() Sin;
        cos() Cos;
        tan() Tan;
        exp2() Exp2;
        floor() Floor;
        ceil() Ceil;
        round() Round;
    }
    fn normal(self) -> (Sym, Sym) {
        (Sym::prim(Prim::Cdf, &[self]), Sym::prim(Prim::Density, &[self]))
    }
}
