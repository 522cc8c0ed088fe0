//! The loops that programs are made of: for each primitive, type and family of instructions one loop over whole blocks.
//!
//! An operand walks from block to block or stays on one (a constant, a parameter, a number that is broadcast), so no loop
//! needs a second version. A block is 128 bytes: with 64 a chain of steps is 10 to 30 % slower. A polynomial stays in registers for
//! up to six of its steps.
#![allow(clippy::missing_safety_doc)] // said once, at `Loop`

use crate::real::{Bits, Float, Real, Value};

/// Bytes of a block.
pub const BLOCK: usize = 128;

/// Where an operand lies: its first block, and 1 if it walks from block to block or 0 if it stays.
#[derive(Clone, Copy)]
pub struct Operand {
    pub at: *mut u8,
    pub step: usize,
}

/// A loop over `blocks` blocks. `r` says which operand of the table is the result and which ones are the arguments.
///
/// # Safety
/// Every operand that `r` names must have that many blocks (or one, if it stays) of initialised elements of the loop's
/// type; the result's must be writable, and must not overlap an argument unless both begin at the same place. The
/// processor must have the loop's instructions.
pub type Loop = unsafe fn(table: *const Operand, r: &[u16; 5], blocks: usize);

/// How many loops a type can have.
pub const OPS: usize = Op::Horner as usize + 1;

/// A loop: a primitive, in the order of [`Prim`](super::Prim), or two of them with the same roundings and without a trip
/// through memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[rustfmt::skip]
pub enum Op {
    Add, Sub, Mul, Div, Neg, Abs, Sign, Max, Min,
    Gt, Ge, Eq, IsNan, And, Or, Xor, Not, Select,
    Fma, Exp, ExpOfNegative, ExpM1, Ln, Ln1p, Tanh, Sigmoid, Erf, Cdf, Density,
    Sqrt, Pow, Sin, Cos, Tan, Exp2, Floor, Ceil, Round,
    Quotient, BitAnd, BitOr, BitXor, ShiftLeft, ShiftRight,
    /// `a b + c`
    MulAdd,
    /// `a b − c`
    MulSub,
    /// `c − a b`
    SubMul,
    /// `a b c`
    MulMul,
    /// `(a + b) c`
    AddMul,
    /// `a + b + c`
    AddAdd,
    /// `(a − b) c`
    SubThenMul,
    /// `a / (b + c)`
    DivAdd,
    /// `x` where `a > b`, else `y`
    SelectGt,
    /// `x` where `a ≥ b`, else `y`
    SelectGe,
    /// `x` where `a = b`, else `y`
    SelectEq,
    /// `a`
    Copy,
    /// A polynomial by Horner's rule: the steps `y = y x + c`, each fused, of as many constants as `r` says last.
    Horner,
}

/// Computes those elements of a block again, one by one, whose arguments the loop cannot take.
#[inline(always)]
fn alone<T: Copy, const W: usize>(
    y: &mut [T; W],
    x: &[T; W],
    is_far: impl Fn(T) -> bool,
    slow: impl Fn(T) -> T,
) {
    if x.iter().fold(false, |any, x| any | is_far(*x)) {
        y.iter_mut().zip(x).filter(|(_, x)| is_far(**x)).for_each(|(y, x)| *y = slow(*x));
    }
}

macro_rules! table {
    ($name:ident $T:ident $feature:literal $($op:ident($($a:ident),+) $e:expr $(, unless $x:ident $far:expr => $slow:expr)?;)*
     $(@ $horner:ident)?) => {
        pub mod $name {
            use super::*;
            type T = $T;
            const W: usize = BLOCK / size_of::<T>();
            pub static TABLE: [Option<Loop>; OPS] = {
                let mut table: [Option<Loop>; OPS] = [None; OPS];
                $({
                    #[cfg_attr(target_arch = "x86_64", target_feature(enable = $feature))]
                    unsafe fn run(table: *const Operand, r: &[u16; 5], blocks: usize) {
                        // SAFETY: the caller vouches for the operands, see `Loop`.
                        unsafe {
                            let mut to = (*table.add(r[0] as usize)).at as *mut [T; W];
                            let mut i = 0;
                            $(
                                i += 1;
                                let operand = *table.add(r[i] as usize);
                                let mut $a = (operand.at as *const [T; W], operand.step);
                            )+
                            for _ in 0..blocks {
                                let mut y = [T::default(); W];
                                {
                                    $(let $a = *$a.0;)+
                                    for j in 0..W {
                                        $(let $a = $a[j];)+
                                        y[j] = $e;
                                    }
                                    $(alone(&mut y, &$x, |$x| $far, |$x| $slow);)?
                                }
                                *to = y;
                                to = to.add(1);
                                $($a.0 = $a.0.add($a.1);)+
                            }
                        }
                    }
                    table[Op::$op as usize] = Some(run as Loop);
                })*
                $({
                    #[cfg_attr(target_arch = "x86_64", target_feature(enable = $feature))]
                    unsafe fn run(table: *const Operand, r: &[u16; 5], blocks: usize) {
                        // SAFETY: the caller vouches for the operands, see `Loop`, and for one block of each constant, which
                        // lie one after the other.
                        unsafe {
                            let at = |i: usize| *table.add(r[i] as usize);
                            let mut to = at(0).at as *mut [T; W];
                            let (mut x, mut start) = (at(1).at as *const [T; W], at(2).at as *const [T; W]);
                            let (constants, n) = (at(3).at as *const [T; W], r[4] as usize);
                            for _ in 0..blocks {
                                let mut y = *start;
                                let x_here = *x;
                                let mut k = 0;
                                while n - k >= 6 {
                                    let c = [0, 1, 2, 3, 4, 5].map(|i| (*constants.add(k + i))[0]);
                                    for j in 0..W {
                                        let (x, v) = (x_here[j], y[j]);
                                        let v = v.fma(x, c[0]).fma(x, c[1]).fma(x, c[2]);
                                        y[j] = v.fma(x, c[3]).fma(x, c[4]).fma(x, c[5]);
                                    }
                                    k += 6;
                                }
                                while n - k >= 2 {
                                    let c = [0, 1].map(|i| (*constants.add(k + i))[0]);
                                    for j in 0..W {
                                        y[j] = y[j].fma(x_here[j], c[0]).fma(x_here[j], c[1]);
                                    }
                                    k += 2;
                                }
                                if k < n {
                                    let c = (*constants.add(k))[0];
                                    for j in 0..W {
                                        y[j] = y[j].fma(x_here[j], c);
                                    }
                                }
                                *to = y;
                                to = to.add(1);
                                (x, start) = (x.add(at(1).step), start.add(at(2).step));
                            }
                        }
                    }
                    table[Op::$horner as usize] = Some(run as Loop);
                })?
                table
            };
        }
    };
}

macro_rules! any_number {
    ($name:ident $T:ident $feature:literal $($more:tt)*) => {
        table! { $name $T $feature
            Add(a, b) a.plus(b);
            Sub(a, b) a.minus(b);
            Mul(a, b) a.times(b);
            Neg(a) a.negated();
            Abs(a) Value::abs(a);
            Sign(a) Value::sign(a);
            Max(a, b) Value::max(a, b);
            Min(a, b) Value::min(a, b);
            Gt(a, b) T::select(a > b, T::ONE, T::ZERO);
            Ge(a, b) T::select(a >= b, T::ONE, T::ZERO);
            Eq(a, b) T::select(a == b, T::ONE, T::ZERO);
            IsNan(a) T::select(Value::is_nan(a), T::ONE, T::ZERO);
            And(a, b) T::select(a == T::ZERO, T::ZERO, b);
            Or(a, b) T::select(a == T::ZERO, b, T::ONE);
            Xor(a, b) T::select(a == b, T::ZERO, T::ONE);
            Not(a) T::ONE.minus(a);
            Select(m, a, b) T::select(m != T::ZERO, a, b);
            MulAdd(a, b, c) a.times(b).plus(c);
            MulSub(a, b, c) a.times(b).minus(c);
            SubMul(a, b, c) c.minus(a.times(b));
            MulMul(a, b, c) a.times(b).times(c);
            AddMul(a, b, c) a.plus(b).times(c);
            AddAdd(a, b, c) a.plus(b).plus(c);
            SubThenMul(a, b, c) a.minus(b).times(c);
            SelectGt(a, b, x, y) T::select(a > b, x, y);
            SelectGe(a, b, x, y) T::select(a >= b, x, y);
            SelectEq(a, b, x, y) T::select(a == b, x, y);
            Copy(a) a;
            $($more)*
        }
    };
}

macro_rules! integer {
    ($name:ident $T:ident $feature:literal) => {
        any_number! { $name $T $feature
            Quotient(a, b) a.quotient(b);
            BitAnd(a, b) a.bit_and(b);
            BitOr(a, b) a.bit_or(b);
            BitXor(a, b) a.bit_xor(b);
            ShiftLeft(a, b) a.shift_left(b);
            ShiftRight(a, b) a.shift_right(b);
        }
    };
}

macro_rules! real {
    ($name:ident $T:ident $feature:literal) => {
        any_number! { $name $T $feature
            Div(a, b) a / b;
            DivAdd(a, b, c) a / (b + c);
            Fma(a, b, c) Real::fma(a, b, c);
            Exp(a) Real::exp(a);
            ExpOfNegative(a) Real::exp_of_negative(a);
            ExpM1(a) Real::exp_m1(a);
            Ln(a) Real::ln(a);
            Ln1p(a) Real::ln_1p(a);
            Tanh(a) Real::tanh(a);
            Sigmoid(a) Real::sigmoid(a);
            Erf(a) Real::erf(a);
            Cdf(a) Real::normal(a).0;
            Density(a) Real::normal(a).1;
            Sqrt(a) Real::sqrt(a);
            Pow(a, b) Real::powf(a, b);
            Sin(a) a.sin_near(), unless a a.is_far() => Real::sin(a);
            Cos(a) a.cos_near(), unless a a.is_far() => Real::cos(a);
            Tan(a) a.tan_near(), unless a a.is_far() => Real::tan(a);
            Exp2(a) Real::exp2(a);
            Floor(a) Real::floor(a);
            Ceil(a) Real::ceil(a);
            Round(a) Real::round(a);
            @ Horner
        }
    };
}

// SSE2 is what every x86-64 has; elsewhere nothing is switched on.
real!(f32_portable f32 "sse2");
real!(f64_portable f64 "sse2");
integer!(i64_portable i64 "sse2");
integer!(i32_portable i32 "sse2");
integer!(u8_portable u8 "sse2");
integer!(i8_portable i8 "sse2");

#[cfg(target_arch = "x86_64")]
pub use x86::*;
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    real!(f32_avx512 f32 "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt");
    real!(f32_avx2 f32 "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt");
    real!(f64_avx512 f64 "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt");
    real!(f64_avx2 f64 "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt");
    integer!(i64_avx2 i64 "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt");
    integer!(i32_avx2 i32 "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt");
    integer!(u8_avx2 u8 "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt");
    integer!(i8_avx2 i8 "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt");
}

#[test]
fn primitives_and_loops_have_one_order() {
    use super::Prim;
    for (prim, op) in [
        (Prim::Add, Op::Add),
        (Prim::Select, Op::Select),
        (Prim::Density, Op::Density),
        (Prim::Round, Op::Round),
        (Prim::ShiftRight, Op::ShiftRight),
    ] {
        assert_eq!(prim as usize, op as usize, "{prim:?}");
    }
    // Each is one of floats or of integers at least.
    assert!(f32_portable::TABLE.iter().zip(&i64_portable::TABLE).all(|(f, i)| f.is_some() || i.is_some()));
}
