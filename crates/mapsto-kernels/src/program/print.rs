//! A program as text: one line to read, and a function of C to compile.

use super::{Lane, Prim, Program, Step};
use std::fmt;

/// What C code of programs needs before it: the primitives. Compile it with `-ffp-contract=off`.
pub const C_PRELUDE: &str = include_str!("prelude.h");

impl Prim {
    /// Its name, as [`Program`] shows it and C calls it.
    pub fn name(self) -> &'static str {
        use Prim::*;
        match self {
            Add => "add",
            Sub => "sub",
            Mul => "mul",
            Div => "div",
            Neg => "neg",
            Abs => "abs",
            Sign => "sign",
            Max => "max",
            Min => "min",
            Gt => "gt",
            Ge => "ge",
            Eq => "eq",
            IsNan => "is_nan",
            And => "and",
            Or => "or",
            Xor => "xor",
            Not => "not",
            Select => "select",
            Fma => "fma",
            Exp => "exp",
            ExpOfNegative => "exp_of_negative",
            ExpM1 => "expm1",
            Ln => "ln",
            Ln1p => "ln_1p",
            Tanh => "tanh",
            Sigmoid => "sigmoid",
            Erf => "erf",
            Cdf => "cdf",
            Density => "density",
            Sqrt => "sqrt",
            Pow => "pow",
            Sin => "sin",
            Cos => "cos",
            Tan => "tan",
            Exp2 => "exp2",
            Floor => "floor",
            Ceil => "ceil",
            Round => "round",
            Quotient => "quotient",
            BitAnd => "bit_and",
            BitOr => "bit_or",
            BitXor => "bit_xor",
            ShiftLeft => "shift_left",
            ShiftRight => "shift_right",
        }
    }

    /// The sign between two operands, in Rust and C.
    fn sign(self) -> Option<&'static str> {
        Some(match self {
            Prim::Add => "+",
            Prim::Sub => "-",
            Prim::Mul => "*",
            Prim::Div => "/",
            Prim::Gt => ">",
            Prim::Ge => ">=",
            Prim::Eq => "==",
            Prim::And => "&",
            Prim::Or => "|",
            Prim::Xor => "^",
            _ => return None,
        })
    }
}

/// The formula; what is used more than once has a name.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut uses = vec![0; self.steps.len()];
        for step in &self.steps {
            if let Step::Do(prim, from) = step {
                from[..prim.arity()].iter().for_each(|&i| uses[i] += 1);
            }
        }
        let mut text: Vec<String> = Vec::new();
        for (i, step) in self.steps.iter().enumerate() {
            let inner =
                |s: &String| if s.contains(' ') && !s.ends_with(')') { format!("({s})") } else { s.clone() };
            let line = match *step {
                Step::Input(k) => ["x", "y", "z", "w"].get(k).map_or(format!("x{k}"), |s| s.to_string()),
                Step::Param(k) => format!("p{k}"),
                Step::Constant(x) => x.to_string(),
                Step::Do(Prim::Neg, [a, ..]) => format!("-{}", inner(&text[a])),
                Step::Do(prim, [a, b, _]) if prim.sign().is_some() => {
                    // Sums and products in parentheses, so that the order of the roundings can be seen.
                    format!("({} {} {})", text[a], prim.sign().unwrap_or_default(), text[b])
                }
                Step::Do(prim, from) => {
                    let from: Vec<&str> = from[..prim.arity()].iter().map(|&j| outer(&text[j])).collect();
                    format!("{}({})", prim.name(), from.join(", "))
                }
            };
            let shared = uses[i] > 1 && i != self.result && matches!(step, Step::Do(..));
            if shared {
                write!(f, "t{i} = {}; ", outer(&line))?;
            }
            text.push(if shared { format!("t{i}") } else { line });
        }
        f.write_str(outer(&text[self.result]))
    }
}

/// The text without parentheses around all of it.
fn outer(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) else { return text };
    let mut depth = 0;
    let closes = inner.chars().any(|c| {
        depth += (c == '(') as i32 - (c == ')') as i32;
        depth < 0
    });
    if closes { text } else { inner }
}

impl Program {
    /// A function of C for a type: `T name(T x0, T x1, .., const T *p)`, of one element of each input and the parameters.
    /// [`C_PRELUDE`] must come before it.
    ///
    /// ```
    /// use mapsto_kernels::program::Program;
    /// use mapsto_kernels::real::Value;
    /// let relu = Program::of(1, |x| x[0].max(Value::ZERO));
    /// assert!(relu.c::<f32>("relu").starts_with("static float relu(float x0, const float *p) {"));
    /// ```
    pub fn c<T: Lane>(&self, name: &str) -> String {
        let (c, suffix) = (T::C, T::NAME);
        let mut text = format!("static {c} {name}(");
        (0..self.inputs).for_each(|i| text += &format!("{c} x{i}, "));
        text += &format!("const {c} *p) {{\n    (void)p;\n");
        for (i, step) in self.steps.iter().enumerate() {
            let value = match *step {
                Step::Input(k) => format!("x{k}"),
                Step::Param(k) => format!("p[{k}]"),
                Step::Constant(x) => T::c_literal(x),
                Step::Do(Prim::Select, [a, b, c]) => format!("v{a} != 0 ? v{b} : v{c}"),
                Step::Do(Prim::Not, [a, ..]) => format!("v{a} == 0"),
                Step::Do(Prim::IsNan, [a, ..]) => format!("v{a} != v{a}"),
                Step::Do(prim @ (Prim::Gt | Prim::Ge | Prim::Eq | Prim::Div), [a, b, _]) => {
                    format!("v{a} {} v{b}", prim.sign().unwrap_or_default())
                }
                Step::Do(Prim::And, [a, b, _]) => format!("v{a} != 0 && v{b} != 0"),
                Step::Do(Prim::Or, [a, b, _]) => format!("v{a} != 0 || v{b} != 0"),
                Step::Do(Prim::Xor, [a, b, _]) => format!("(v{a} != 0) != (v{b} != 0)"),
                Step::Do(prim, from) => {
                    let from: Vec<String> = from[..prim.arity()].iter().map(|j| format!("v{j}")).collect();
                    format!("m_{}_{suffix}({})", prim.name(), from.join(", "))
                }
            };
            text += &format!("    const {c} v{i} = {value};\n");
        }
        text + &format!("    return v{};\n}}\n", self.result)
    }
}

/// A number as C reads it back exactly.
pub(super) fn c_float(x: f64, shortest: String, suffix: &str) -> String {
    if x.is_nan() {
        "NAN".to_string()
    } else if x.is_infinite() {
        if x > 0.0 { "INFINITY".to_string() } else { "-INFINITY".to_string() }
    } else {
        format!("{shortest}{suffix}")
    }
}

#[cfg(test)]
mod tests {
    use crate::program::{Program, Sym};
    use crate::real::{Real, Value};

    #[test]
    fn a_program_reads_as_a_formula() {
        let p = Program::of(2, |x| {
            let s = x[0].sigmoid();
            x[1] * (s * (Sym::ONE + x[0] * (Sym::ONE - s)))
        });
        assert_eq!(p.to_string(), "t2 = sigmoid(x); y * (t2 * (1 + (x * (1 - t2))))");
        assert_eq!(Program::of(1, |x| (-x[0]).exp()).to_string(), "exp(-x)");
        assert_eq!(Program::of(1, |x| (x[0] + x[0]) * (x[0] - x[0])).to_string(), "(x + x) * (x - x)");
    }
}
