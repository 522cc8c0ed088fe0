//! Functions of one number and of two.

use super::{Call, Found, no, number, one};
use mapsto::prelude::*;
use mapsto::spec::Json;

impl Call<'_> {
    pub(super) fn elementwise(&self, op: &str, x: &Tensor) -> Option<Found> {
        let slope = |i, name, default| self.number(i, name, default);
        if !x.dtype().is_float() && matches!(op, "positive" | "ceil" | "floor" | "trunc" | "round") {
            return Some(one(x.clone()));
        }
        Some(one(match op {
            "abs" => x.abs(),
            "acos" => x.acos(),
            "acosh" => x.acosh(),
            "asin" => x.asin(),
            "asinh" => x.asinh(),
            "atan" => x.atan(),
            "atanh" => x.atanh(),
            "ceil" => x.ceil(),
            "cos" => x.cos(),
            "cosh" => x.cosh(),
            "digamma" => x.digamma(),
            "erf" => x.erf(),
            "erfc" => x.erfc(),
            "erfinv" => x.erfinv(),
            "exp" => x.exp(),
            "exp2" => x.exp2(),
            "expm1" => x.expm1(),
            "floor" => x.floor(),
            "frac" => x.frac(),
            "isinf" => x.is_inf(),
            "isnan" => x.is_nan(),
            "lgamma" => x.lgamma(),
            "log" => x.log(),
            "log10" => x.log10(),
            "log1p" => x.log1p(),
            "log2" => x.log2(),
            "logical_not" => x.ne(0).not(),
            "logit" => match self.arg(1, "eps") {
                Some(eps) => {
                    let eps = number(eps)?;
                    if eps > 0.5 {
                        return Some(no("a `logit` whose limits cross"));
                    }
                    x.clamp(eps, 1.0 - eps).logit()
                }
                None => x.logit(),
            },
            "nan_to_num" if x.dtype() == DType::Bool => return Some(no("arithmetic of bool")),
            "nan_to_num" => x.nan_to_num(),
            "neg" => x.neg(),
            "nn.functional.celu" => x.celu(slope(1, "alpha", 1.0)),
            "nn.functional.elu" => x.elu(slope(1, "alpha", 1.0)),
            "nn.functional.gelu" => match self.arg(1, "approximate").and_then(Json::str) {
                Some("tanh") => x.gelu_tanh(),
                Some("none") | None => x.gelu(),
                _ => return Some(no("an unknown `approximate`, which is two methods here")),
            },
            "nn.functional.hardshrink" if slope(1, "lambd", 0.5) < 0.0 => {
                return Some(no("a `lambda` below 0, which is refused here"));
            }
            "nn.functional.hardshrink" => x.hardshrink(slope(1, "lambd", 0.5)),
            "nn.functional.hardsigmoid" => x.hardsigmoid(),
            "nn.functional.hardswish" => x.hardswish(),
            "nn.functional.hardtanh" | "nn.functional.relu6" if !x.dtype().is_float() => {
                return Some(no("layers of integers"));
            }
            "nn.functional.hardtanh" => x.hardtanh(slope(1, "min_val", -1.0), slope(2, "max_val", 1.0)),
            "nn.functional.leaky_relu" => x.leaky_relu(slope(1, "negative_slope", 0.01)),
            "nn.functional.logsigmoid" => x.log_sigmoid(),
            "nn.functional.mish" => x.mish(),
            "nn.functional.relu" => x.relu(),
            "nn.functional.relu6" => x.relu6(),
            "nn.functional.selu" => x.selu(),
            "nn.functional.silu" => x.silu(),
            "nn.functional.softplus" => {
                // Beyond its threshold PyTorch's is not exact.
                let (beta, threshold) = (slope(1, "beta", 1.0), slope(2, "threshold", 20.0));
                let scaled = x * beta;
                scaled.gt(threshold).choose(x, &(scaled.softplus() / beta))
            }
            "nn.functional.softshrink" => x.softshrink(slope(1, "lambd", 0.5)),
            "nn.functional.softsign" => x.softsign(),
            "nn.functional.tanhshrink" => x.tanhshrink(),
            "polygamma" | "special.polygamma" => return Some(self.polygamma()),
            "positive" => x.clone(),
            "reciprocal" => x.recip(),
            "round" => match self.int(1, "decimals").unwrap_or(0) {
                0 => x.round(),
                n if n > 0 => (x * 10f64.powi(n as i32)).round() / 10f64.powi(n as i32),
                n => (x / 10f64.powi(-n as i32)).round() * 10f64.powi(-n as i32),
            },
            "rsqrt" => x.rsqrt(),
            "sigmoid" => x.sigmoid(),
            "sign" | "sgn" if x.dtype() == DType::Bool => return Some(no("arithmetic of bool")),
            "sign" | "sgn" => x.sign(),
            "sin" => x.sin(),
            "sinc" => x.sinc(),
            "sinh" => x.sinh(),
            "sqrt" => x.sqrt(),
            "square" if x.dtype() == DType::Bool => return Some(no("arithmetic of bool")),
            "square" => x.square(),
            "tan" => x.tan(),
            "tanh" => x.tanh(),
            "trunc" => x.trunc(),
            _ => return None,
        }))
    }

    fn polygamma(&self) -> Found {
        // PyTorch's own order: the number stands first in its function, and second in its method.
        match (self.tensor(0, "self"), self.int(1, "n")) {
            (Some(x), Some(n)) if x.dtype().is_float() => one(x.polygamma(n as usize)),
            (Some(x), Some(n)) => one(x.to(DType::F32).polygamma(n as usize)),
            _ => no("`polygamma` without an order"),
        }
    }

    pub(super) fn pairs(&self, op: &str) -> Option<Found> {
        const KNOWN: [&str; 26] = [
            "add",
            "sub",
            "mul",
            "div",
            "true_divide",
            "pow",
            "maximum",
            "minimum",
            "eq",
            "ne",
            "ge",
            "gt",
            "le",
            "lt",
            "logical_and",
            "logical_or",
            "logical_xor",
            "__radd__",
            "__rsub__",
            "__rmul__",
            "__rdiv__",
            "__rpow__",
            "max",
            "min",
            "where",
            "clamp",
        ];
        let is_pair = self.tensor(1, "other").is_some();
        if !KNOWN.contains(&op) || (matches!(op, "max" | "min") && !is_pair) {
            return None;
        }
        Some(self.of_pairs(op))
    }

    fn of_pairs(&self, op: &str) -> Found {
        if op == "where" {
            let (Some(a), Some(cond), Some(b)) = (self.tensor(0, ""), self.tensor(1, ""), self.tensor(2, ""))
            else {
                return no("`where` of numbers");
            };
            return one(cond.choose(a, b));
        }
        if op == "clamp" {
            return self.clamp();
        }
        let [a, b] = self.promoted()?;
        let scaled = |b: &Tensor| match self.arg(2, "alpha") {
            None => Some(b.clone()),
            Some(alpha) => Some(match alpha {
                Json::Int(n) => b * *n,
                other => b * number(other)?,
            }),
        };
        let bools = a.dtype() == DType::Bool;
        if bools
            && !matches!(
                op,
                "eq" | "ne"
                    | "logical_and"
                    | "logical_or"
                    | "logical_xor"
                    | "maximum"
                    | "minimum"
                    | "max"
                    | "min"
                    | "div"
                    | "true_divide"
                    | "__rdiv__"
            )
        {
            return no("arithmetic and order of bool");
        }
        let float = |x: &Tensor| if x.dtype().is_float() { x.clone() } else { x.to(DType::F32) };
        one(match op {
            "add" | "__radd__" | "sub" | "__rsub__" => {
                let Some(scaled) = scaled(&b) else { return no("an `alpha` that is no number") };
                match op {
                    "sub" => a - scaled,
                    "__rsub__" => scaled - a,
                    _ => a + scaled,
                }
            }
            "mul" | "__rmul__" => a * b,
            "div" | "true_divide" => match self.arg(2, "rounding_mode").and_then(Json::str) {
                Some("floor") => a.floor_divide(&b),
                Some(_) if !a.dtype().is_float() => return no("whole numbers divided towards 0"),
                Some(_) => (a / b).trunc(),
                None => float(&a) / float(&b),
            },
            "__rdiv__" => float(&b) / float(&a),
            "pow" | "__rpow__" if !a.dtype().is_float() => return no("powers of integers"),
            "pow" => match self.sample.args.get(1).and_then(number) {
                Some(p) => a.pow(p),
                None => a.powt(&b),
            },
            "__rpow__" => b.powt(&a),
            "maximum" | "max" | "minimum" | "min" if bools => {
                let y = if op.starts_with("max") { a.or(&b) } else { a.and(&b) };
                return one(y);
            }
            "maximum" | "max" => a.maximum(&b),
            "minimum" | "min" => a.minimum(&b),
            "eq" => a.eq(&b),
            "ne" => a.ne(&b),
            "ge" => a.ge(&b),
            "gt" => a.gt(&b),
            "le" => a.le(&b),
            "lt" => a.lt(&b),
            "logical_and" => a.ne(0).and(&b.ne(0)),
            "logical_or" => a.ne(0).or(&b.ne(0)),
            "logical_xor" => a.ne(0).xor(&b.ne(0)),
            other => unreachable!("{other}"),
        })
    }

    fn clamp(&self) -> Found {
        let Some(x) = self.tensor(0, "input") else { return no("no input") };
        let (low, high) = (self.tensor(1, "min"), self.tensor(2, "max"));
        if x.dtype() == DType::Bool {
            return no("arithmetic and order of bool");
        }
        if low.or(high).is_some_and(|bound| bound.dtype() != x.dtype()) {
            return no("bounds of another dtype");
        }
        match (low, high) {
            (None, None) => {
                match (self.arg(1, "min").and_then(number), self.arg(2, "max").and_then(number)) {
                    (Some(a), Some(b)) if x.dtype().is_float() => one(x.clamp(a, b)),
                    (Some(a), Some(b)) => one(x.clamp(a as i64, b as i64)),
                    _ => no("`clamp` with one bound: `maximum` or `minimum`"),
                }
            }
            // Bounds that are tensors: the same by definition.
            (low, high) => {
                let y = low.map_or_else(|| x.clone(), |low| x.maximum(low));
                one(high.map_or_else(|| y.clone(), |high| y.minimum(high)))
            }
        }
    }
}
