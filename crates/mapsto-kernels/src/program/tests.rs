//! Every primitive in every type and family of instructions, and random programs: loops, single steps and C agree.

use super::compile::Block;
use super::lane::Lane;
use super::loops::{BLOCK, OPS, Op, Operand};
use super::*;
use crate::real::{Bits as Integer, Float, Real, Value};
use crate::simd::{Isa, with_isa};

/// Numbers of all kinds by their bits: even steps, all magnitudes, subnormals, infinities, NaN and both zeros.
fn numbers() -> Vec<f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut all = vec![
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        2.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        1e-40,
        -1e-40,
        5e-324,
    ];
    all.extend((0..400).map(|i| (i as f64 - 200.0) * 0.037));
    all.extend((0..300).map(|_| f32::from_bits(random() as u32) as f64));
    all.extend((0..300).map(|_| f64::from_bits(random())));
    all
}

trait Bits: Float + Lane {
    fn same(self, other: Self) -> bool {
        (Value::is_nan(self) && Value::is_nan(other)) || self.pattern() == other.pattern()
    }
    fn pattern(self) -> u64;
}
impl Bits for f32 {
    fn pattern(self) -> u64 {
        self.to_bits() as u64
    }
}
impl Bits for f64 {
    fn pattern(self) -> u64 {
        self.to_bits()
    }
}

/// All loops of a type against the same function of one number.
fn primitives<T: Bits>() -> usize {
    let m = |holds: bool| if holds { T::ONE } else { T::ZERO };
    type F<T> = Box<dyn Fn([T; 4]) -> T>;
    let all: Vec<(Op, F<T>)> = vec![
        (Op::Add, Box::new(|[a, b, ..]| a + b)),
        (Op::Sub, Box::new(|[a, b, ..]| a - b)),
        (Op::Mul, Box::new(|[a, b, ..]| a * b)),
        (Op::Div, Box::new(|[a, b, ..]| a / b)),
        (Op::Neg, Box::new(|[a, ..]| -a)),
        (Op::Abs, Box::new(|[a, ..]| a.abs())),
        (Op::Sign, Box::new(|[a, ..]| a.sign())),
        (Op::Max, Box::new(|[a, b, ..]| a.max(b))),
        (Op::Min, Box::new(|[a, b, ..]| a.min(b))),
        (Op::Gt, Box::new(move |[a, b, ..]| m(a > b))),
        (Op::Ge, Box::new(move |[a, b, ..]| m(a >= b))),
        (Op::Eq, Box::new(move |[a, b, ..]| m(a == b))),
        (Op::IsNan, Box::new(move |[a, ..]| m(Value::is_nan(a)))),
        (Op::Select, Box::new(|[a, b, c, _]| if a != T::ZERO { b } else { c })),
        (Op::Fma, Box::new(|[a, b, c, _]| a.fma(b, c))),
        (Op::Exp, Box::new(|[a, ..]| a.exp())),
        (Op::ExpOfNegative, Box::new(|[a, ..]| a.exp_of_negative())),
        (Op::ExpM1, Box::new(|[a, ..]| a.exp_m1())),
        (Op::Ln, Box::new(|[a, ..]| a.ln())),
        (Op::Ln1p, Box::new(|[a, ..]| a.ln_1p())),
        (Op::Tanh, Box::new(|[a, ..]| a.tanh())),
        (Op::Sigmoid, Box::new(|[a, ..]| a.sigmoid())),
        (Op::Erf, Box::new(|[a, ..]| a.erf())),
        (Op::Cdf, Box::new(|[a, ..]| a.normal().0)),
        (Op::Density, Box::new(|[a, ..]| a.normal().1)),
        (Op::Sqrt, Box::new(|[a, ..]| a.sqrt())),
        (Op::Pow, Box::new(|[a, b, ..]| a.powf(b))),
        (Op::Sin, Box::new(|[a, ..]| a.sin())),
        (Op::Cos, Box::new(|[a, ..]| a.cos())),
        (Op::Tan, Box::new(|[a, ..]| a.tan())),
        (Op::Exp2, Box::new(|[a, ..]| a.exp2())),
        (Op::Floor, Box::new(|[a, ..]| a.floor())),
        (Op::Ceil, Box::new(|[a, ..]| a.ceil())),
        (Op::Round, Box::new(|[a, ..]| a.round())),
        (Op::MulAdd, Box::new(|[a, b, c, _]| a * b + c)),
        (Op::MulSub, Box::new(|[a, b, c, _]| a * b - c)),
        (Op::SubMul, Box::new(|[a, b, c, _]| c - a * b)),
        (Op::MulMul, Box::new(|[a, b, c, _]| a * b * c)),
        (Op::AddMul, Box::new(|[a, b, c, _]| (a + b) * c)),
        (Op::AddAdd, Box::new(|[a, b, c, _]| a + b + c)),
        (Op::SubThenMul, Box::new(|[a, b, c, _]| (a - b) * c)),
        (Op::DivAdd, Box::new(|[a, b, c, _]| a / (b + c))),
        (Op::SelectGt, Box::new(|[a, b, x, y]| if a > b { x } else { y })),
        (Op::SelectGe, Box::new(|[a, b, x, y]| if a >= b { x } else { y })),
        (Op::SelectEq, Box::new(|[a, b, x, y]| if a == b { x } else { y })),
        (Op::Copy, Box::new(|[a, ..]| a)),
    ];
    let numbers: Vec<T> = numbers().into_iter().map(T::from_f64).collect();
    let per_block = BLOCK / size_of::<T>();
    // Four operands, each the numbers in another order; whole blocks of them.
    let blocks = numbers.len() / per_block;
    let count = blocks * per_block;
    let operands: Vec<Vec<T>> =
        [1, 7, 11, 13].map(|k| (0..count).map(|i| numbers[i * k % count]).collect()).into();
    for &isa in Isa::available() {
        for (op, f) in &all {
            let mut y = vec![Block([0; BLOCK]); blocks];
            let mut table = vec![Operand { at: y.as_mut_ptr() as *mut u8, step: 1 }];
            table.extend(operands.iter().map(|x| Operand { at: x.as_ptr() as *mut u8, step: 1 }));
            let run = T::loops(isa)[*op as usize].expect("floats have all loops");
            // SAFETY: five operands of so many blocks, and instructions that the processor has.
            unsafe { run(table.as_ptr(), &[0, 1, 2, 3, 4], blocks) };
            // SAFETY: the loop wrote all of it.
            let y = unsafe { std::slice::from_raw_parts(y.as_ptr() as *const T, count) };
            for i in 0..count {
                let xs = [0, 1, 2, 3].map(|k| operands[k][i]);
                let want = f(xs);
                assert!(y[i].same(want), "{op:?} of {xs:?} is {want}, {isa:?} {} gives {}", T::NAME, y[i]);
            }
        }
    }
    all.len()
}

#[test]
fn every_primitive_has_the_same_bits_in_every_family() {
    // The four on masks alone are seen in `masks`, the six of integers alone and polynomials below.
    assert_eq!([primitives::<f32>(), primitives::<f64>()], [OPS - 11; 2]);
}

#[test]
fn polynomials_of_every_length_have_the_bits_of_their_steps() {
    for n in 1..20 {
        // The powers of one number from a constant on, those of another from a number on that is used again, written the other
        // way round, and a step between two polynomials that is part of neither.
        let c = |k: usize| Sym::from_f64(1.0 / (k as f64 + 1.5) - 0.3);
        let program = Program::of(2, |x| {
            let y = (1..n).fold(c(0), |y, k| y.fma(x[0], c(k)));
            let z = (1..n).fold(y * x[1], |z, k| x[1].fma(z, c(k)));
            let w = (1..n).fold(z.fma(x[0], x[1]), |w, k| w.fma(x[1], c(2 * k)));
            w + y.fma(z, w)
        });
        let xs: Vec<f64> = numbers().into_iter().filter(|x| x.abs() < 4.0).collect();
        let others: Vec<f64> = xs.iter().rev().copied().collect();
        let single = |x: &[f64]| x.iter().map(|x| *x as f32).collect::<Vec<f32>>();
        let (a, b) = (single(&xs), single(&others));
        let by_hand = |x: f32, y: f32| {
            let c = |k: usize| (1.0 / (k as f64 + 1.5) - 0.3) as f32;
            let p = (1..n).fold(c(0), |p, k| p.mul_add(x, c(k)));
            let z = (1..n).fold(p * y, |z, k| y.mul_add(z, c(k)));
            let w = (1..n).fold(z.mul_add(x, y), |w, k| w.mul_add(y, c(2 * k)));
            w + p.mul_add(z, w)
        };
        for &isa in Isa::available() {
            let (mut y, mut narrow) = (vec![0f64; xs.len()], vec![0f32; xs.len()]);
            with_isa(isa, || program.run(&Params::NONE, &[&xs, &others], &mut y));
            with_isa(isa, || program.run(&Params::NONE, &[&a, &b], &mut narrow));
            for i in 0..xs.len() {
                assert!(program.eval(&Params::NONE, &[xs[i], others[i]]).same(y[i]), "{n} steps, {isa:?}");
                assert!(by_hand(a[i], b[i]).same(narrow[i]), "{n} steps of f32, {isa:?}");
            }
        }
    }
}

#[test]
fn integers_have_their_own_primitives_in_every_family() {
    fn six<V: Integer>() -> [fn(V, V) -> V; 6] {
        [V::quotient, V::bit_and, V::bit_or, V::bit_xor, V::shift_left, V::shift_right]
    }
    let programs = six::<Sym>().map(|f| Program::of(2, |x| f(x[0], x[1])));
    macro_rules! agree {
        ($($t:ident)*) => {$(
            let (a, b): (Vec<$t>, Vec<$t>) =
                (0..3000i64).map(|i| ((i * 7919 - 9_000_000) as $t, (i % 83 - 9) as $t)).unzip();
            for (program, f) in programs.iter().zip(six::<$t>()) {
                for &isa in Isa::available() {
                    let mut y = vec![0 as $t; a.len()];
                    with_isa(isa, || program.run(&Params::NONE, &[&a, &b], &mut y));
                    assert!((0..a.len()).all(|i| y[i] == f(a[i], b[i])), "{program} of {}", stringify!($t));
                }
            }
        )*};
    }
    agree!(i64 i32 u8 i8);
    assert!(!programs[0].runs_in::<f32>());
}

#[test]
fn masks() {
    let both = Program::of(2, |x| {
        let (a, b) = (x[0].gt(Value::ZERO), x[1].gt(Value::ZERO));
        let pick = |m, v| Sym::select(m, Real::from_f64(v), Value::ZERO);
        pick(a & b, 1.0) + pick(a | b, 2.0) + pick(a ^ b, 4.0) + pick(!a, 8.0) + pick(x[0].is_nan(), 16.0)
    });
    for (a, b, want) in
        [(1.0, 1.0, 3.0), (1.0, -1.0, 6.0), (-1.0, 1.0, 14.0), (0.0, 0.0, 8.0), (f64::NAN, 0.0, 24.0)]
    {
        assert_eq!(both.eval(&Params::NONE, &[a, b]), want);
        for &isa in Isa::available() {
            let mut y = [0f32; 3];
            with_isa(isa, || both.run(&Params::NONE, &[&[a as f32; 3], &[b as f32]], &mut y));
            assert_eq!(y, [want as f32; 3]);
        }
    }
}

#[test]
fn lengths_that_leave_a_rest_and_programs_of_many_temporaries() {
    // A sum of 40 terms that all must wait: more temporaries than the stack holds.
    let wide = Program::of(2, |x| {
        let terms: Vec<Sym> = (0..40).map(|i| (x[0] * Real::from_f64(i as f64)).max(x[1])).collect();
        let last = terms[39];
        terms.iter().rev().fold(last.abs(), |sum, t| sum - *t * last)
    });
    for n in [0, 1, 31, 32, 33, 511, 512, 513, 5000] {
        let x: Vec<f64> = (0..n).map(|i| (i as f64 - 100.0) / 64.0).collect();
        let mut y = vec![0.0; n];
        wide.run(&Params::NONE, &[&x, &[0.5]], &mut y);
        for (x, y) in x.iter().zip(&y) {
            assert_eq!(*y, wide.eval(&Params::NONE, &[*x, 0.5]));
        }
    }
}

#[test]
fn integers_wrap_in_their_own_type_and_refuse_what_they_lack() {
    let p = Program::of(2, |x| x[0].times(x[1]).plus(Value::ONE).max(Value::ZERO));
    let (a, b): (Vec<i8>, Vec<i8>) = (0..300).map(|i| (i as i8, (i * 7) as i8)).unzip();
    let mut y = vec![0i8; 300];
    p.run(&Params::NONE, &[&a, &b], &mut y);
    assert!((0..300).all(|i| y[i] == a[i].wrapping_mul(b[i]).wrapping_add(1).clamp(0, i8::MAX)));
    assert!(!Program::of(1, |x| x[0].exp()).runs_in::<i64>());
    assert!(
        std::panic::catch_unwind(|| Program::of(1, |x| x[0].exp()).run(
            &Params::NONE,
            &[&[1i64]],
            &mut [0i64]
        ))
        .is_err()
    );
}

#[test]
fn a_parameter_must_be_declared_with_its_value() {
    let leaky = |slope: f64, declared: f64| {
        Program::with([declared].into(), 1, |x| x[0].max(x[0] * Real::param(0, slope)))
    };
    let mut y = [0f32; 2];
    leaky(0.1, 0.1).run(&[0.5].into(), &[&[-2.0, 3.0]], &mut y);
    assert_eq!(y, [-1.0, 3.0]);
    assert!(std::panic::catch_unwind(|| leaky(0.1, 0.2)).is_err());
    // A panic leaves nothing behind that a later program would find.
    assert_eq!(Program::of(1, |x| x[0]).steps(), [Step::Input(0)]);
}
