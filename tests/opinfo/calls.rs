//! How each of PyTorch's calls is written here, and which of its options have no counterpart.

#[path = "convolutions.rs"]
mod convolutions;
#[path = "elementwise.rs"]
mod elementwise;
#[path = "images.rs"]
mod images;
#[path = "indices.rs"]
mod indices;
#[path = "layers.rs"]
mod layers;
#[path = "losses.rs"]
mod losses;
#[path = "more.rs"]
mod more;
#[path = "networks.rs"]
mod networks;
#[path = "places.rs"]
mod places;
#[path = "pools.rs"]
mod pools;
#[path = "shapes.rs"]
mod shapes;
#[path = "special.rs"]
mod special;

use super::read::Sample;
use mapsto::ops::{Order, Pool};
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

    /// The windows of a pool along `N` axes, whose arguments stand in another order for averages.
    fn pool<const N: usize>(&self, average: bool) -> Result<Pool<N>, NotCompared> {
        let sizes = |i: usize, name: &str| {
            let found = wholes(self.arg(i, name).filter(|json| json.list() != Some(&[]))?)?;
            let of = |n: &isize| usize::try_from(*n).ok();
            match found.len() {
                1 => Some([of(&found[0])?; N]),
                n if n == N => found.iter().map(of).collect::<Option<Vec<_>>>()?.try_into().ok(),
                _ => None,
            }
        };
        let Some(kernel) = sizes(1, "kernel_size") else { return no("sizes that no call can write") };
        let mut pool = Pool::new(kernel);
        if let Some(stride) = sizes(2, "stride") {
            pool = pool.stride(stride);
        }
        if self.arg(3, "padding").is_some() {
            let Some(padding) = sizes(3, "padding") else { return no("sizes that no call can write") };
            pool = pool.padding(padding);
        }
        if !average && let Some(dilation) = sizes(4, "dilation") {
            pool = pool.dilation(dilation);
        }
        if self.flag(if average { 4 } else { 5 }, "ceil_mode") {
            pool = pool.ceil_mode();
        }
        if average && self.arg(5, "count_include_pad").and_then(Json::bool) == Some(false) {
            pool = pool.exclude_pad();
        }
        if average && let Some(divisor) = self.arg(6, "divisor_override").and_then(Json::int) {
            let Ok(divisor) = usize::try_from(divisor) else { return no("sizes that no call can write") };
            pool = pool.divisor_override(divisor);
        }
        Ok(pool)
    }

    /// A batch of samples of `rank` axes, which a single one is no batch of; and the results without it again.
    fn batch(&self, rank: usize, f: impl FnOnce(&Tensor) -> Vec<Tensor>) -> Found {
        let Some(x) = self.tensor(0, "input") else { return no("no input") };
        if !x.dtype().is_float() {
            return no("layers of integers");
        }
        if x.rank() == rank {
            return Ok(f(&x.unsqueeze(0)).iter().map(|y| y.squeeze(0)).collect());
        }
        Ok(f(x))
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
        let x = &match self.dtype() {
            Some(dtype) if !op.ends_with("_like") && op != "linspace" => x.to(dtype),
            _ if becomes_float => x.to(DType::F32),
            _ => x.clone(),
        };
        let found = self.elementwise(op, x).or_else(|| self.pairs(op)).or_else(|| self.reductions(op, x));
        let found = found
            .or_else(|| self.special(op, x))
            .or_else(|| self.shapes(op, x))
            .or_else(|| self.indices(op, x))
            .or_else(|| self.images(op, x))
            .or_else(|| self.losses(op, x))
            .or_else(|| self.layers(op, x))
            .or_else(|| self.places(op, x))
            .or_else(|| self.networks(op, x))
            .or_else(|| self.pools(op, x))
            .or_else(|| self.convolutions(op, x))
            .or_else(|| self.more(op, x));
        found.unwrap_or_else(|| panic!("`{op}` is in no list of calls.rs, or an argument of it is missing"))
    }

    /// Calls whose first operand is a number.
    fn of_number(&self, op: &str) -> Found {
        let found = self.made(op).or_else(|| self.pairs(op)).or_else(|| self.special_pairs(op));
        found.unwrap_or_else(|| no("no tensor is given"))
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
                // PyTorch's order of equal elements is stable up to 16 of them, or where that is asked for.
                if x.dtype() == DType::Bool && x.len() > 16 {
                    return Some(no("positions of equal elements, whose order PyTorch leaves open"));
                }
                let order = if self.flag(2, "descending") { Order::Descending } else { Order::Ascending };
                if op == "argsort" {
                    one(x.argsort_with(along(1), order))
                } else {
                    let (values, at) = x.sort_with(along(1), order);
                    Ok(vec![values, at])
                }
            }
            "topk" => {
                let order = match self.arg(3, "largest").and_then(Json::bool) {
                    Some(false) => Order::Ascending,
                    _ => Order::Descending,
                };
                let (values, at) = x.topk_with(self.int(1, "k").unwrap_or(1) as usize, along(2), order);
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
}
