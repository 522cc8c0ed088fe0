//! How each of PyTorch's calls is written here, and which of its options have no counterpart.

use super::read::Sample;
use mapsto::nn::{Huber, Loss, SmoothL1, mae};
use mapsto::ops::{Conv2dOptions, Mask, Order, Pool2d};
use mapsto::prelude::*;
use mapsto::spec::Json;
use mapsto::{Axes, Scalar};

/// Why a sample is not compared.
pub struct NotCompared(pub &'static str);

/// A call with its tensors.
pub struct Call<'a> {
    pub sample: &'a Sample,
    pub tensors: &'a [Tensor],
}

type Found = Result<Vec<Tensor>, NotCompared>;

fn no<T>(reason: &'static str) -> Result<T, NotCompared> {
    Err(NotCompared(reason))
}

fn one(y: Tensor) -> Found {
    Ok(vec![y])
}

/// A number, or one of those that JSON cannot write.
fn number(json: &Json) -> Option<f64> {
    json.number().or_else(|| json.bool().map(f64::from)).or_else(|| json.get("f")?.str()?.parse().ok())
}

fn scalar(json: &Json) -> Option<Scalar> {
    match json {
        Json::Int(x) => Some((*x).into()),
        other => number(other).map(Into::into),
    }
}

fn whole(json: &Json) -> Option<isize> {
    json.int().map(|x| x as isize)
}

/// One whole number or a list of them.
fn wholes(json: &Json) -> Option<Vec<isize>> {
    match json {
        Json::List(list) => list.iter().map(whole).collect(),
        one => Some(vec![whole(one)?]),
    }
}

fn pair(json: &Json) -> Option<[usize; 2]> {
    match wholes(json)?[..] {
        [n] => Some([n as usize; 2]),
        [h, w] => Some([h as usize, w as usize]),
        _ => None,
    }
}

impl Call<'_> {
    /// A positional argument, or the keyword's.
    fn arg(&self, i: usize, name: &str) -> Option<&Json> {
        let by_name = || self.sample.kwargs.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        self.sample.args.get(i).or_else(by_name).filter(|json| **json != Json::Null)
    }

    fn tensor(&self, i: usize, name: &str) -> Option<&Tensor> {
        self.tensor_of(self.arg(i, name)?)
    }

    fn tensor_of(&self, json: &Json) -> Option<&Tensor> {
        self.tensors.get(json.get("t")?.int()? as usize)
    }

    fn int(&self, i: usize, name: &str) -> Option<isize> {
        self.arg(i, name).and_then(whole)
    }

    fn number(&self, i: usize, name: &str, default: f64) -> f64 {
        self.arg(i, name).and_then(number).unwrap_or(default)
    }

    fn flag(&self, i: usize, name: &str) -> bool {
        self.arg(i, name).and_then(Json::bool).unwrap_or(false)
    }

    /// The axes of a reduction: all where none is said.
    fn axes(&self, x: &Tensor, i: usize, keep_at: usize) -> Axes {
        let axes = self.arg(i, "dim").and_then(wholes).unwrap_or_default();
        let rank = x.rank().max(1) as isize;
        let axes: Vec<usize> = axes.iter().map(|a| if *a < 0 { a + rank } else { *a } as usize).collect();
        // A tensor without axes has none to name.
        let axes: Axes = if axes.is_empty() || x.rank() == 0 { (..).into() } else { axes[..].into() };
        if self.flag(keep_at, "keepdim") { keep(axes) } else { axes }
    }

    /// The other operand of an elementwise operation: a tensor, or a number.
    fn operands(&self) -> Result<[Tensor; 2], NotCompared> {
        let of = |json: &Json, like: Option<&Tensor>| match self.tensor_of(json) {
            Some(x) => Some(x.clone()),
            None => match (scalar(json)?, like?) {
                (value, like)
                    if like.dtype().is_float() || json.int().is_some() && like.dtype() != DType::Bool =>
                {
                    Some(Tensor::full_of((), value, like.dtype()))
                }
                (value, _) => {
                    let dtype = if json.int().is_some() { DType::I64 } else { DType::F32 };
                    Some(Tensor::full_of((), value, dtype))
                }
            },
        };
        let (Some(a), Some(b)) = (self.sample.args.first(), self.arg(1, "other")) else {
            return no("an operand is missing");
        };
        let (x, y) = (self.tensor_of(a), self.tensor_of(b));
        match (of(a, y), of(b, x)) {
            (Some(a), Some(b)) => Ok([a, b]),
            _ => no("an operand is neither a tensor nor a number"),
        }
    }

    /// Both operands in one dtype, as PyTorch promotes them: here the caller says which.
    fn promoted(&self) -> Result<[Tensor; 2], NotCompared> {
        let [a, b] = self.operands()?;
        let order = |t: &Tensor| match t.dtype() {
            DType::Bool => 0,
            DType::U8 => 1,
            DType::I64 => 2,
            DType::F32 => 3,
            _ => 4,
        };
        let wide = if order(&a) > order(&b) { a.dtype() } else { b.dtype() };
        Ok([a, b].map(|x| if x.dtype() == wide { x } else { x.to(wide) }))
    }

    fn reduced(&self, values: Tensor) -> Found {
        match self.arg(9, "reduction").and_then(Json::str).unwrap_or("mean") {
            "mean" => one(values.mean(..)),
            "sum" => one(values.sum(..)),
            _ => one(values),
        }
    }

    fn pool(&self) -> Result<Pool2d, NotCompared> {
        let Some(kernel) = self.arg(1, "kernel_size").and_then(pair) else {
            return no("a pool of another rank");
        };
        let stride =
            self.arg(2, "stride").filter(|json| json.list() != Some(&[])).and_then(pair).unwrap_or(kernel);
        let padding = self.arg(3, "padding").and_then(pair).unwrap_or([0, 0]);
        Ok(Pool2d { kernel, stride, padding })
    }

    /// An image with a batch axis, which a single one lacks; and the result without it again.
    fn image(&self, f: impl FnOnce(&Tensor) -> Tensor) -> Found {
        let Some(x) = self.tensor(0, "input") else { return no("no input") };
        if !x.dtype().is_float() {
            return no("layers of integers");
        }
        match x.rank() {
            3 => one(f(&x.unsqueeze(0)).squeeze(0)),
            _ => one(f(x)),
        }
    }

    pub fn run(&self) -> Found {
        let op = self.sample.op.as_str();
        if self.sample.refused.as_deref() == Some("") {
            return no("a refusal without a reason");
        }
        if self.sample.kwargs.iter().any(|(name, _)| name == "out") {
            return no("`out=`: results are new tensors");
        }
        let Some(first) = self.sample.args.first() else { return no("no input") };
        let first = match first {
            Json::List(list) => list.first(),
            other => Some(other),
        };
        let Some(x) = first.and_then(|json| self.tensor_of(json)) else { return self.of_number(op) };
        // Functions of floats, which PyTorch takes of integers and answers in f32: here the caller converts.
        let becomes_float =
            !x.dtype().is_float() && self.sample.outputs.iter().any(|y| y.dtype() == DType::F32);
        let x = &if becomes_float { x.to(DType::F32) } else { x.clone() };
        self.elementwise(op, x)
            .or_else(|| self.pairs(op))
            .or_else(|| self.reductions(op, x))
            .or_else(|| self.places(op, x))
            .or_else(|| self.networks(op, x))
            .unwrap_or_else(|| panic!("`{op}` is in no list of calls.rs"))
    }

    /// Calls whose first operand is a number.
    fn of_number(&self, op: &str) -> Found {
        self.pairs(op).unwrap_or_else(|| no("no tensor is given"))
    }

    fn elementwise(&self, op: &str, x: &Tensor) -> Option<Found> {
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
                Some(_) => return Some(no("`logit` with `eps`: clamp first")),
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
            "nn.functional.softplus" => match (slope(1, "beta", 1.0), slope(2, "threshold", 20.0)) {
                (beta, threshold) if beta * threshold < 15.0 => {
                    return Some(no(
                        "a `softplus` with an early `threshold`, beyond which PyTorch's is not exact",
                    ));
                }
                (beta, _) => (x * beta).softplus() / beta,
            },
            "nn.functional.softshrink" => x.softshrink(slope(1, "lambd", 0.5)),
            "nn.functional.softsign" => x.softsign(),
            "nn.functional.tanhshrink" => x.tanhshrink(),
            "polygamma" => return Some(self.polygamma()),
            "positive" => x.clone(),
            "reciprocal" => x.recip(),
            "round" => match self.int(1, "decimals").unwrap_or(0) {
                0 => x.round(),
                _ => return Some(no("`round` to decimals")),
            },
            "rsqrt" => x.rsqrt(),
            "sigmoid" => x.sigmoid(),
            "sign" if x.dtype() == DType::Bool => return Some(no("arithmetic of bool")),
            "sign" => x.sign(),
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

    fn pairs(&self, op: &str) -> Option<Found> {
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
                Some(_) => return no("`div` with a rounding mode"),
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

    fn reductions(&self, op: &str, x: &Tensor) -> Option<Found> {
        let axes = || self.axes(x, 1, 2);
        let axis = |i: usize| self.int(i, "dim");
        if x.rank() == 0 && matches!(op, "argsort" | "sort" | "topk" | "cumsum" | "softmax" | "log_softmax") {
            return Some(no("an axis of a tensor that has none"));
        }
        let along = |i: usize| axis(i).unwrap_or(-1);
        Some(match op {
            "sum" => one(x.sum(axes())),
            "mean" => one(x.mean(axes())),
            "prod" => one(x.prod(axes())),
            "all" => one(x.all(axes())),
            "any" => one(x.any(axes())),
            "amax" => one(x.max(axes())),
            "amin" => one(x.min(axes())),
            "logsumexp" => one(x.logsumexp(axes())),
            "max" | "min" if x.rank() == 0 => match axis(1) {
                Some(_) => no("an axis of a tensor that has none"),
                None => one(x.clone()),
            },
            "max" | "min" => match axis(1) {
                None => one(if op == "max" { x.max(..) } else { x.min(..) }),
                Some(axis) => {
                    let kept = self.flag(2, "keepdim");
                    let (y, at) = match op {
                        "max" => (x.max(self.axes(x, 1, 2)), x.argmax(axis)),
                        _ => (x.min(self.axes(x, 1, 2)), x.argmin(axis)),
                    };
                    Ok(vec![y, if kept { at.unsqueeze(axis) } else { at }])
                }
            },
            "argmax" | "argmin" => match axis(1) {
                _ if x.rank() == 0 => return Some(no("an axis of a tensor that has none")),
                None => {
                    let flat = x.flatten(0);
                    one(if op == "argmax" { flat.argmax(0) } else { flat.argmin(0) })
                }
                Some(axis) => {
                    let at = if op == "argmax" { x.argmax(axis) } else { x.argmin(axis) };
                    one(if self.flag(2, "keepdim") { at.unsqueeze(axis) } else { at })
                }
            },
            "var" | "std" => return Some(self.spread(op, x)),
            "cumsum" => match x.dtype() {
                DType::Bool => no("arithmetic and order of bool"),
                _ => one(x.cumsum(along(1))),
            },
            "argsort" | "sort" => {
                let order = if self.flag(2, "descending") { Order::Descending } else { Order::Ascending };
                if op == "argsort" {
                    one(x.argsort_with(along(1), order))
                } else {
                    let (values, at) = x.sort_with(along(1), order);
                    Ok(vec![values, at])
                }
            }
            "topk" => {
                if self.arg(3, "largest").and_then(Json::bool) == Some(false) {
                    return Some(no("the smallest k: `topk` of the negative"));
                }
                let (values, at) = x.topk(self.int(1, "k").unwrap_or(1) as usize, along(2));
                // Of equal integers PyTorch may name any.
                if !x.dtype().is_float() {
                    return Some(Ok(vec![values, self.sample.outputs[1].clone()]));
                }
                Ok(vec![values, at])
            }
            "softmax" => one(x.softmax(along(1))),
            "log_softmax" => one(x.log_softmax(along(1))),
            _ => return None,
        })
    }

    fn spread(&self, op: &str, x: &Tensor) -> Found {
        let unbiased =
            self.sample.kwargs.iter().find(|(key, _)| key == "unbiased").and_then(|(_, v)| v.bool());
        let mut correction = match (self.arg(9, "correction").and_then(number), unbiased) {
            (Some(c), _) => c,
            (None, Some(false)) => 0.0,
            _ => 1.0,
        };
        let mut axes = self.axes(x, 1, 3);
        // `var(False)` and `var(dim, False)`.
        if let Some(Json::Bool(unbiased)) = self.sample.args.get(1) {
            (correction, axes) = (f64::from(*unbiased), (..).into());
        } else if let Some(Json::Bool(unbiased)) = self.sample.args.get(2) {
            correction = f64::from(*unbiased);
        }
        if correction.fract() != 0.0 || correction < 0.0 {
            return no("a correction that is no whole number of at least 0");
        }
        let ddof = correction as usize;
        let walked = self.arg(1, "dim").and_then(wholes).unwrap_or_default();
        let n: usize = match walked.is_empty() {
            true => x.len(),
            false => walked.iter().map(|a| x.shape()[a.rem_euclid(x.rank() as isize) as usize]).product(),
        };
        if n <= ddof {
            return no("a variance of fewer values than the correction, which is refused here");
        }
        one(if op == "var" { x.var_with(axes, ddof) } else { x.std_with(axes, ddof) })
    }

    fn places(&self, op: &str, x: &Tensor) -> Option<Found> {
        let list = |i: usize, name: &str| self.arg(i, name).and_then(wholes).unwrap_or_default();
        let all = || -> Option<Vec<Tensor>> {
            let from = if matches!(self.sample.args[0], Json::List(_)) {
                self.sample.args[0].list()?
            } else {
                &self.sample.args
            };
            from.iter().map(|json| self.tensor_of(json).cloned()).collect()
        };
        let axis = |i: usize| self.int(i, "dim");
        Some(match op {
            "cat" | "stack" => {
                let Some(parts) = all() else { return Some(no("parts that are no tensors")) };
                if parts.iter().any(|part| part.dtype() != parts[0].dtype()) {
                    return Some(no("parts of several dtypes: here the caller converts"));
                }
                if op == "cat" && parts.iter().any(|p| p.shape() == [0]) && self.sample.refused.is_none() {
                    return Some(no("empty parts of one axis, which PyTorch skips for old programs"));
                }
                let at = axis(1).unwrap_or(0);
                one(if op == "cat" { Tensor::cat(&parts, at) } else { Tensor::stack(&parts, at) })
            }
            "chunk" => return Some(self.chunk(x)),
            "split" | "split_with_sizes" => {
                let at = axis(2).unwrap_or(0);
                let n = x.shape()[at.rem_euclid(x.rank() as isize) as usize] as isize;
                let sizes: Vec<usize> = match self.arg(1, "split_size") {
                    Some(Json::List(_)) => list(1, "").iter().map(|n| *n as usize).collect(),
                    Some(size) => {
                        let size = whole(size)?.max(1);
                        (0..n).step_by(size as usize).map(|i| size.min(n - i) as usize).collect()
                    }
                    None => return Some(no("no sizes")),
                };
                Ok(x.split(&sizes, at))
            }
            "unbind" => {
                let at = axis(1).unwrap_or(0);
                if x.rank() == 0 {
                    return Some(no("an axis of a tensor that has none"));
                }
                let n = x.shape()[at.rem_euclid(x.rank() as isize) as usize];
                Ok((0..n).map(|i| x.select(at, i)).collect())
            }
            "expand" => one(x.expand(self.sizes(x, 1)?)),
            "reshape" | "view" => {
                if self.arg(1, "shape").is_some_and(|json| json.get("t").is_some() || json.str().is_some()) {
                    return Some(no("a view as another dtype"));
                }
                match self.reshaped(x) {
                    Some(shape) => one(x.reshape(shape)),
                    None => no("a −1 beside an axis of none"),
                }
            }
            "flatten" => {
                match (self.int(1, "start_dim").unwrap_or(0), self.int(2, "end_dim").unwrap_or(-1)) {
                    (start, -1) => one(x.flatten(start)),
                    (start, end) if end == x.rank() as isize - 1 => one(x.flatten(start)),
                    _ => no("`flatten` up to an axis"),
                }
            }
            "flip" => one(list(1, "dims").iter().fold(x.clone(), |x, axis| x.flip(*axis))),
            "permute" => one(x.permute(list(1, "dims"))),
            "transpose" => one(match x.rank() {
                0 => x.clone(),
                _ => x.swap(self.int(1, "dim0")?, self.int(2, "dim1")?),
            }),
            "t" => match x.rank() {
                2 => one(x.t()),
                3.. => no("`t` of more than two axes, which turns the last two here"),
                _ => one(x.clone()),
            },
            "squeeze" => return Some(self.squeeze(x)),
            "unsqueeze" => one(x.unsqueeze(axis(1)?)),
            "select" => one(x.select(axis(1)?, self.int(2, "index")?)),
            "narrow" => {
                let (at, len) = (axis(1)?, self.int(3, "length")?);
                if len < 0 {
                    return Some(no("a length below 0, which as the end of a slice counts from behind"));
                }
                let start = match self.tensor(2, "start") {
                    Some(start) if start.len() == 1 && !start.dtype().is_float() => start.item_i64() as isize,
                    Some(_) => return Some(no("a start that is a tensor")),
                    None => self.int(2, "start")?,
                };
                let n = x.shape()[at.rem_euclid(x.rank().max(1) as isize) as usize] as isize;
                let start = if start < 0 { start + n } else { start };
                one(x.slice(at, start..start + len))
            }
            "gather" => match x.rank() {
                0 => no("an axis of a tensor that has none"),
                _ if self.tensor(2, "index")?.is_empty() => no("an empty index of another rank"),
                _ => one(x.gather(axis(1)?, self.tensor(2, "index")?)),
            },
            "index_select" => match x.rank() {
                0 => no("an axis of a tensor that has none"),
                _ => one(x.index_select(axis(1)?, self.tensor(2, "index")?)),
            },
            "scatter_add" => match x.rank() {
                0 => no("an axis of a tensor that has none"),
                _ if x.dtype() == DType::Bool => no("arithmetic and order of bool"),
                rank if self.sample.refused.is_none()
                    && (0..rank).any(|i| {
                        i as isize != axis(1).unwrap_or(0).rem_euclid(rank as isize)
                            && self.tensor(2, "index").is_some_and(|index| index.shape()[i] < x.shape()[i])
                    }) =>
                {
                    no("an index that leaves out a part of the tensor")
                }
                _ => one(x.scatter_add(axis(1)?, self.tensor(2, "index")?, self.tensor(3, "src")?)),
            },
            "masked_fill" => {
                let mask = self.tensor(1, "mask")?;
                if mask.rank() > x.rank() {
                    return Some(no("a mask bigger than the tensor: `expand` it first"));
                }
                match self.arg(2, "value") {
                    Some(value) if value.get("t").is_none() => match (x.dtype(), scalar(value)) {
                        (DType::Bool, _) => no("a fill of bool by a number"),
                        (_, Some(value)) => one(x.masked_fill(mask, value)),
                        _ => no("no value"),
                    },
                    _ => no("a fill by a tensor: `choose`"),
                }
            }
            "nn.functional.pad" => return Some(self.pad(x)),
            "nn.functional.one_hot" => match self.int(1, "num_classes") {
                Some(n) if n > 0 => one(x.one_hot(n as usize)),
                _ => no("`one_hot` that counts the classes itself"),
            },
            "index_add" => no("`index_add` is called by position of a whole slice"),
            _ => return None,
        })
    }

    fn chunk(&self, x: &Tensor) -> Found {
        let axis = self.int(2, "dim").unwrap_or(0);
        let n = x.shape()[axis.rem_euclid(x.rank().max(1) as isize) as usize];
        let k = self.int(1, "chunks").unwrap_or(1) as usize;
        if k == 0 || !n.is_multiple_of(k) {
            return no("chunks of different sizes: `split` says them");
        }
        Ok(x.split(&vec![n / k; k], axis))
    }

    fn squeeze(&self, x: &Tensor) -> Found {
        let ones = |axis: &isize| x.rank() > 0 && x.shape()[axis.rem_euclid(x.rank() as isize) as usize] == 1;
        let rank = x.rank() as isize;
        let mut axes = match self.arg(1, "dim") {
            Some(json) => wholes(json).unwrap_or_default(),
            None => (0..rank).collect(),
        };
        axes.retain(ones);
        let mut axes: Vec<isize> = axes.iter().map(|a| a.rem_euclid(rank.max(1))).collect();
        axes.sort_unstable();
        axes.dedup();
        one(axes.iter().rev().fold(x.clone(), |x, axis| x.squeeze(*axis)))
    }

    /// Sizes of `expand`, in which −1 keeps an axis.
    fn sizes(&self, x: &Tensor, i: usize) -> Option<Vec<usize>> {
        let wanted = self.arg(i, "size").and_then(wholes)?;
        let lead = wanted.len().checked_sub(x.rank())?;
        Some(
            wanted
                .iter()
                .enumerate()
                .map(|(k, n)| if *n < 0 { x.shape()[k - lead] } else { *n as usize })
                .collect(),
        )
    }

    /// Sizes of `reshape`, in which −1 is what is left.
    fn reshaped(&self, x: &Tensor) -> Option<Vec<usize>> {
        let wanted = match self.arg(1, "shape") {
            Some(json) => wholes(json)?,
            None => Vec::new(),
        };
        // -1 has no value beside an axis of none.
        if wanted.contains(&-1) && wanted.contains(&0) {
            return None;
        }
        let known: usize = wanted.iter().filter(|n| **n >= 0).map(|n| *n as usize).product();
        Some(wanted.iter().map(|n| if *n < 0 { x.len() / known.max(1) } else { *n as usize }).collect())
    }

    fn pad(&self, x: &Tensor) -> Found {
        if self.arg(2, "mode").and_then(Json::str).is_some_and(|mode| mode != "constant") {
            return no("`pad` with a mode other than constant");
        }
        let around = self.arg(1, "pad").and_then(wholes).unwrap_or_default();
        if around.iter().any(|n| *n < 0) {
            return no("`pad` that cuts off: `slice`");
        }
        let mut pairs = vec![(0, 0); x.rank()];
        for (k, pair) in around.chunks(2).enumerate() {
            pairs[x.rank() - 1 - k] = (pair[0] as usize, pair[1] as usize);
        }
        match (x.dtype(), self.arg(3, "value").and_then(scalar)) {
            (DType::Bool, _) => no("a fill of bool by a number"),
            (_, Some(value)) if x.dtype().is_float() => one(x.pad(&pairs, value)),
            (_, Some(_)) => no("a fill of integers by a float"),
            (_, None) => one(x.pad(&pairs, 0)),
        }
    }

    fn networks(&self, op: &str, x: &Tensor) -> Option<Found> {
        let (second, third) = (self.tensor(1, "weight"), self.tensor(2, "bias"));
        let target = || self.tensor(1, "target");
        Some(match op {
            "matmul" | "mm" | "bmm" | "mv" if !x.dtype().is_float() => no("products of integers"),
            "matmul" | "mm" | "bmm" | "mv" => match (x.rank(), self.tensor(1, "other")?) {
                (1, y) if y.rank() == 1 => no("a product of two vectors"),
                (1, y) => one(x.unsqueeze(0).matmul(y).squeeze(-2)),
                (_, y) if y.rank() == 1 => one(x.matmul(&y.unsqueeze(-1)).squeeze(-1)),
                (_, y) => one(x.matmul(y)),
            },
            "nn.functional.linear" => match x.rank() {
                _ if !x.dtype().is_float() => no("layers of integers"),
                _ if second?.rank() != 2 => no("a weight of one axis"),
                1 => one(x.unsqueeze(0).linear(second?, third).squeeze(0)),
                _ => one(x.linear(second?, third)),
            },
            "nn.functional.conv2d" => return Some(self.conv(x)),
            "nn.functional.layer_norm" => {
                let width = self.arg(1, "normalized_shape").and_then(wholes)?;
                let (gamma, beta) = (self.tensor(2, "weight"), self.tensor(3, "bias"));
                match (&width[..], gamma) {
                    ([_], Some(gamma)) => one(x.layer_norm(gamma, beta, self.number(4, "eps", 1e-5))),
                    ([n], None) => {
                        let one_each = Tensor::full_of([*n as usize], 1.0, x.dtype());
                        one(x.layer_norm(&one_each, None, self.number(4, "eps", 1e-5)))
                    }
                    _ => no("a `layer_norm` of several axes"),
                }
            }
            "nn.functional.max_pool2d" => {
                let has = |name: &str| {
                    self.arg(9, name).is_some_and(|json| match json {
                        Json::Bool(on) => *on,
                        other => pair(other) != Some([1, 1]),
                    })
                };
                if has("ceil_mode")
                    || has("dilation")
                    || (has("return_indices") && self.sample.refused.is_none())
                {
                    return Some(no("a pool with `ceil_mode`, `dilation` or `return_indices`"));
                }
                let pool = match self.pool() {
                    Ok(pool) => pool,
                    Err(e) => return Some(Err(e)),
                };
                self.image(|x| x.max_pool2d_with(pool))
            }
            "nn.functional.avg_pool2d" => {
                let with = self.arg(6, "divisor_override").is_some()
                    || self.flag(4, "ceil_mode")
                    || self.arg(5, "count_include_pad").and_then(Json::bool) == Some(false);
                if with {
                    return Some(no(
                        "an average pool with `divisor_override`, `ceil_mode` or without the padding",
                    ));
                }
                let pool = match self.pool() {
                    Ok(pool) => pool,
                    Err(e) => return Some(Err(e)),
                };
                self.image(|x| x.avg_pool2d_with(pool))
            }
            "nn.functional.adaptive_avg_pool2d" | "nn.functional.adaptive_max_pool2d" => {
                if self.flag(2, "return_indices") {
                    return Some(no("a pool with `ceil_mode`, `dilation` or `return_indices`"));
                }
                let size = self.arg(1, "output_size")?;
                if size.list() == Some(&[]) {
                    return Some(no("sizes that no call can write"));
                }
                let axis = |json: &Json, now: usize| {
                    if *json == Json::Null { Some(now) } else { whole(json).map(|n| n as usize) }
                };
                let rank = x.rank();
                let out = match size {
                    Json::List(list) if list.len() == 2 && rank >= 2 => {
                        [axis(&list[0], x.shape()[rank - 2])?, axis(&list[1], x.shape()[rank - 1])?]
                    }
                    one => pair(one).unwrap_or([1, 1]),
                };
                self.image(|x| {
                    if op.contains("avg") { x.adaptive_avg_pool2d(out) } else { x.adaptive_max_pool2d(out) }
                })
            }
            "nn.functional.embedding" => {
                if ["padding_idx", "max_norm", "scale_grad_by_freq"]
                    .iter()
                    .any(|name| self.arg(9, name).is_some())
                {
                    return Some(no("an embedding with options"));
                }
                match self.tensor(1, "ids") {
                    Some(ids)
                        if ids.dtype().is_float() == x.dtype().is_float()
                            && self.sample.refused.is_none() =>
                    {
                        no("ids that are no integers")
                    }
                    Some(ids) => one(ids.embedding(x)),
                    None => no("no ids"),
                }
            }
            "nn.functional.scaled_dot_product_attention" => return Some(self.attention(x)),
            _ if self.arg(9, "reduction").and_then(Json::str) == Some("abc") => {
                no("a reduction that no call can write")
            }
            "nn.functional.mse_loss" => self.reduced((x - target()?).square()),
            "nn.functional.l1_loss" => match self.arg(9, "reduction").and_then(Json::str) {
                None | Some("mean") => one(mae(x, target()?)),
                _ => self.reduced((x - target()?).abs()),
            },
            "nn.functional.huber_loss" | "nn.functional.smooth_l1_loss" => {
                if self.arg(9, "reduction").and_then(Json::str).is_some_and(|r| r != "mean") {
                    return Some(no("a loss with a reduction that is a method of the library's `Pointwise`"));
                }
                let (delta, beta) = (self.number(3, "delta", 1.0), self.number(5, "beta", 1.0));
                match op.contains("huber") {
                    true => one(Huber::new(delta).loss(x, target()?)),
                    false if beta == 0.0 => no("a `smooth_l1` without a width, which is `mae`"),
                    false => one(SmoothL1::new(beta).loss(x, target()?)),
                }
            }
            "nn.functional.binary_cross_entropy" | "nn.functional.binary_cross_entropy_with_logits" => {
                if self.arg(2, "weight").is_some()
                    || self.arg(9, "reduction").and_then(Json::str).is_some_and(|r| r != "mean")
                {
                    return Some(no("a loss with weights or a reduction"));
                }
                if self.arg(9, "pos_weight").is_some() {
                    return Some(no("a loss with weights or a reduction"));
                }
                one(if op.ends_with("logits") { x.bce_with_logits(target()?) } else { x.bce(target()?) })
            }
            "nn.functional.cross_entropy" => {
                let options = ["weight", "ignore_index", "label_smoothing", "reduction"];
                if options.iter().any(|name| self.arg(9, name).is_some_and(|json| json.str() != Some("mean")))
                {
                    return Some(no("a `cross_entropy` with options, which stand in an options struct"));
                }
                match (x.rank(), target()?) {
                    (1, _) => no("a `cross_entropy` of one sample without a batch axis"),
                    (2, target) => one(x.cross_entropy(target)),
                    // Classes lie along the last axis here.
                    (rank, target) => {
                        let last: Vec<usize> = std::iter::once(0).chain(2..rank).chain([1]).collect();
                        let turned =
                            if target.rank() == rank { target.permute(&last[..]) } else { target.clone() };
                        one(x.permute(&last[..]).cross_entropy(&turned))
                    }
                }
            }
            _ => return None,
        })
    }

    fn conv(&self, x: &Tensor) -> Found {
        if !x.dtype().is_float() {
            return no("layers of integers");
        }
        let (Some(weight), bias) = (self.tensor(1, "weight"), self.tensor(2, "bias")) else {
            return no("no weight");
        };
        let of = |i: usize, name: &str, default: usize| match self.arg(i, name) {
            None => Some([default; 2]),
            Some(Json::Str(word)) if word == "valid" => Some([0, 0]),
            Some(json) => pair(json),
        };
        let (Some(stride), Some(padding), Some(dilation)) =
            (of(3, "stride", 1), of(4, "padding", 0), of(5, "dilation", 1))
        else {
            return no("`padding=\"same\"`");
        };
        let groups = self.int(6, "groups").unwrap_or(1) as usize;
        let options = Conv2dOptions { stride, padding, dilation, groups };
        self.image(|x| x.conv2d(weight, bias, options))
    }

    fn attention(&self, q: &Tensor) -> Found {
        let (Some(k), Some(v)) = (self.tensor(1, "key"), self.tensor(2, "value")) else {
            return no("no keys");
        };
        if self.number(4, "dropout_p", 0.0) > 0.0
            || self.arg(9, "scale").is_some()
            || self.flag(9, "enable_gqa")
        {
            return no("attention with dropout, a scale or grouped heads");
        }
        let mask = match (self.tensor(3, "attn_mask"), self.flag(5, "is_causal")) {
            (Some(mask), _) => Mask::Tensor(mask.clone()),
            (None, true) if q.shape().get(2) != k.shape().get(2) => {
                return no("a causal mask of fewer queries than keys, aligned otherwise");
            }
            (None, true) => Mask::Causal,
            (None, false) => Mask::None,
        };
        match q.rank() {
            4 if q.shape()[..2] == k.shape()[..2] => one(mapsto::ops::attention(q, k, v, mask)),
            _ => no("attention of other ranks, or with broadcast heads"),
        }
    }
}
