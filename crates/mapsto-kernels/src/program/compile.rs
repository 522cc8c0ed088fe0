//! From steps to a list of loops: pairs of steps that have a loop of their own are joined, and each value gets its place.

use super::lane::Lane;
use super::loops::{BLOCK, OPS, Op};
use super::{Prim, Program, Step};
use crate::simd::Isa;

/// A block of elements.
#[derive(Clone, Copy)]
#[repr(align(128))]
pub(super) struct Block(pub [u8; BLOCK]);

/// A loop and its operands: the result's place, then those of the arguments.
pub(super) struct Instr {
    pub op: u8,
    pub r: [u16; 5],
}

/// A program for one type. The operands lie in a table: the result, the inputs, the parameters, the constants and the
/// temporaries.
pub(super) struct Compiled {
    pub instrs: Vec<Instr>,
    pub constants: Vec<Block>,
    pub temps: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Node {
    Leaf,
    Run(Op, [usize; 4], usize),
}

impl Node {
    fn from(&self) -> &[usize] {
        match self {
            Node::Leaf => &[],
            Node::Run(_, from, n) => &from[..*n],
        }
    }
}

fn op_of(prim: Prim) -> Op {
    #[rustfmt::skip]
    const ALL: [Op; Op::ShiftRight as usize + 1] = {
        use Op::*;
        [
            Add, Sub, Mul, Div, Neg, Abs, Sign, Max, Min,
            Gt, Ge, Eq, IsNan, And, Or, Xor, Not, Select,
            Fma, Exp, ExpOfNegative, ExpM1, Ln, Ln1p, Tanh, Sigmoid, Erf, Cdf, Density,
            Sqrt, Pow, Sin, Cos, Tan, Exp2, Floor, Ceil, Round,
            Quotient, BitAnd, BitOr, BitXor, ShiftLeft, ShiftRight,
        ]
    };
    ALL[prim as usize]
}

/// How often each value is used.
fn uses(nodes: &[Node], result: usize) -> Vec<usize> {
    let mut uses = vec![0; nodes.len()];
    uses[result] = 1;
    for i in (0..nodes.len()).rev() {
        if uses[i] > 0 {
            nodes[i].from().iter().for_each(|&j| uses[j] += 1);
        }
    }
    uses
}

/// Joins a step with the only use of an earlier one, where a loop does both. Roundings stay as they are: a product and a
/// sum never become one fused step.
fn join(nodes: &mut [Node], result: usize) {
    let uses = uses(nodes, result);
    for i in 0..nodes.len() {
        let Node::Run(op, [a, b, c, _], _) = nodes[i] else { continue };
        let part = |at: usize, wanted: Op| match nodes[at] {
            Node::Run(op, from, _) if op == wanted && uses[at] == 1 => Some((from[0], from[1])),
            _ => None,
        };
        let three = |op: Op, at: usize, inner: Op, other: usize| {
            part(at, inner).map(|(p, q)| Node::Run(op, [p, q, other, 0], 3))
        };
        let choice = |op: Op, inner: Op| part(a, inner).map(|(p, q)| Node::Run(op, [p, q, b, c], 4));
        let joined = match op {
            Op::Add => three(Op::MulAdd, a, Op::Mul, b)
                .or_else(|| three(Op::MulAdd, b, Op::Mul, a))
                .or_else(|| three(Op::AddAdd, a, Op::Add, b)),
            Op::Sub => three(Op::MulSub, a, Op::Mul, b).or_else(|| three(Op::SubMul, b, Op::Mul, a)),
            Op::Mul => three(Op::MulMul, a, Op::Mul, b)
                .or_else(|| three(Op::AddMul, a, Op::Add, b))
                .or_else(|| three(Op::AddMul, b, Op::Add, a))
                .or_else(|| three(Op::SubThenMul, a, Op::Sub, b))
                .or_else(|| three(Op::SubThenMul, b, Op::Sub, a)),
            Op::Div => part(b, Op::Add).map(|(p, q)| Node::Run(Op::DivAdd, [a, p, q, 0], 3)),
            Op::Select => choice(Op::SelectGt, Op::Gt)
                .or_else(|| choice(Op::SelectGe, Op::Ge))
                .or_else(|| choice(Op::SelectEq, Op::Eq)),
            _ => None,
        };
        if let Some(joined) = joined {
            nodes[i] = joined;
        }
    }
}

/// Joins the steps of a polynomial, `y = y x + c` with fused steps, constants and one `x`, and gives for each value the constants
/// of the steps that end in it.
fn join_polynomials(nodes: &mut [Node], steps: &[Step], result: usize) -> Vec<Vec<usize>> {
    let uses = uses(nodes, result);
    let mut constants = vec![Vec::new(); nodes.len()];
    let mut inside = vec![false; nodes.len()];
    for top in (0..nodes.len()).rev() {
        if inside[top] || uses[top] == 0 {
            continue;
        }
        // The steps from the last to the first, and what the first begins with.
        let chain = |x: usize| {
            let (mut at, mut chain) = (top, Vec::new());
            while let Node::Run(Op::Fma, [a, b, c, _], _) = nodes[at]
                && matches!(steps[c], Step::Constant(_))
                && (at == top || uses[at] == 1)
                && (a == x || b == x)
            {
                chain.push((at, c));
                at = if b == x { a } else { b };
            }
            (chain, at)
        };
        let Node::Run(Op::Fma, [a, b, ..], _) = nodes[top] else { continue };
        let ((one, start), (other, other_start)) = (chain(b), chain(a));
        let (chain, start, x) =
            if one.len() >= other.len() { (one, start, b) } else { (other, other_start, a) };
        if chain.len() > 1 {
            chain.iter().for_each(|(at, _)| inside[*at] = true);
            constants[top] = chain.iter().rev().map(|(_, c)| *c).collect();
            nodes[top] = Node::Run(Op::Horner, [x, start, 0, 0], 2);
        }
    }
    constants
}

/// Compiles for a type; none where it lacks a primitive, as integers lack the exponential.
pub(super) fn compile<T: Lane>(program: &Program) -> Option<Compiled> {
    let mut nodes: Vec<Node> = (program.steps.iter())
        .map(|step| match *step {
            Step::Do(prim, [a, b, c]) => Node::Run(op_of(prim), [a, b, c, 0], prim.arity()),
            _ => Node::Leaf,
        })
        .collect();
    let mut result = program.result;
    if nodes[result] == Node::Leaf {
        nodes.push(Node::Run(Op::Copy, [result, 0, 0, 0], 1));
        result = nodes.len() - 1;
    }
    join(&mut nodes, result);
    let polynomials = join_polynomials(&mut nodes, &program.steps, result);
    let loops: &[_; OPS] = T::loops(Isa::Portable);
    let mut left = uses(&nodes, result);
    let mut places = vec![0; nodes.len()];
    let mut constants = Vec::new();
    for (i, step) in program.steps.iter().enumerate() {
        match *step {
            Step::Input(k) => places[i] = 1 + k,
            Step::Param(k) => places[i] = 1 + program.inputs + k,
            Step::Constant(x) if left[i] > 0 => {
                places[i] = 1 + program.inputs + program.params + constants.len();
                constants.push(Block::filled(T::constant(x)));
            }
            _ => {}
        }
    }
    // Those of a polynomial once more, one after the other.
    let mut places_of_constants = vec![0; nodes.len()];
    for (i, chain) in polynomials.iter().enumerate().filter(|(i, _)| left[*i] > 0) {
        places_of_constants[i] = 1 + program.inputs + program.params + constants.len();
        for &c in chain {
            if let Step::Constant(x) = program.steps[c] {
                constants.push(Block::filled(T::constant(x)));
            }
        }
    }
    let first = 1 + program.inputs + program.params + constants.len();
    let (mut free, mut temps, mut instrs) = (Vec::new(), 0, Vec::new());
    for i in 0..nodes.len() {
        let Node::Run(op, _, _) = nodes[i] else { continue };
        if left[i] == 0 {
            continue;
        }
        loops[op as usize]?;
        let mut r = [0; 5];
        for (to, &j) in r[1..].iter_mut().zip(nodes[i].from()) {
            *to = places[j] as u16;
            left[j] -= 1;
            if left[j] == 0 && places[j] >= first {
                // The result may take this place at once: a loop reads a block before it writes it.
                free.push(places[j]);
            }
        }
        if op == Op::Horner {
            (r[3], r[4]) = (places_of_constants[i] as u16, polynomials[i].len() as u16);
        }
        if i != result {
            places[i] = free.pop().unwrap_or_else(|| {
                temps += 1;
                first + temps - 1
            });
        }
        r[0] = places[i] as u16;
        instrs.push(Instr { op: op as u8, r });
    }
    assert!(first + temps <= u16::MAX as usize, "a program of {} steps is too long to run", nodes.len());
    Some(Compiled { instrs, constants, temps })
}
