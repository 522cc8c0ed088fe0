//! Scans, order statistics, triangles, and what is composed of other operations.

use super::{Call, Found, NotCompared, no, number, one, scalar, wholes};
use mapsto::ops::{Base, Between, Join};
use mapsto::prelude::*;
use mapsto::spec::Json;

/// The operations of two numbers whose dtypes PyTorch promotes.
const PAIRS: [&str; 18] = [
    "atan2",
    "remainder",
    "fmod",
    "floor_divide",
    "hypot",
    "logaddexp",
    "xlogy",
    "copysign",
    "heaviside",
    "isclose",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bitwise_left_shift",
    "bitwise_right_shift",
    "__rand__",
    "__ror__",
    "__rxor__",
];

fn two((a, b): (Tensor, Tensor)) -> Found {
    Ok(vec![a, b])
}

impl Call<'_> {
    pub(super) fn more(&self, op: &str, x: &Tensor) -> Option<Found> {
        if PAIRS.contains(&op) {
            return Some(self.of_more_pairs(op));
        }
        let axis = |i: usize| self.int(i, "dim");
        if op == "bitwise_not" {
            return Some(one(if x.dtype() == DType::Bool { x.not() } else { x.bitwise_not() }));
        }
        if op == "norm" || op == "linalg.vector_norm" {
            return Some(self.norm(x));
        }
        let rank0 = x.rank() == 0;
        if x.dtype() == DType::Bool && !matches!(op, "nonzero" | "masked_select" | "roll" | "rot90") {
            return Some(no("arithmetic and order of bool"));
        }
        Some(match op {
            "cumprod" | "cummax" | "cummin" | "logcumsumexp" | "median" | "mode" | "nansum" | "nanmean"
            | "aminmax" | "diff" | "quantile" | "take_along_dim" | "index_fill" | "scatter"
            | "scatter_reduce" | "roll" | "unfold"
                if rank0 =>
            {
                no("an axis of a tensor that has none")
            }
            "lerp" => match (self.tensor(1, "end"), self.arg(2, "weight")) {
                (Some(end), Some(weight)) => match self.tensor_of(weight) {
                    Some(weight) => one(x.lerp(end, weight)),
                    None => one(x.lerp(end, number(weight)?)),
                },
                _ => no("no end"),
            },
            "addcmul" | "addcdiv" => {
                let (a, b) = (self.tensor(1, "tensor1")?, self.tensor(2, "tensor2")?);
                let value = self.number(3, "value", 1.0);
                match op {
                    _ if !x.dtype().is_float() => no("products of integers with a factor"),
                    "addcmul" => one(x.addcmul(a, b, value)),
                    _ => one(x.addcdiv(a, b, value)),
                }
            }
            "cumprod" => one(x.cumprod(axis(1)?)),
            "cummax" => two(x.cummax(axis(1)?)),
            "cummin" => two(x.cummin(axis(1)?)),
            "logcumsumexp" => one(x.logcumsumexp(axis(1)?)),
            "diff" if self.int(1, "n").is_some_and(|n| n < 0) => {
                no("an order below 0, which no call can write")
            }
            "diff" => match (self.tensor(3, "prepend"), self.tensor(4, "append")) {
                (None, None) => {
                    one(x.diff(self.int(1, "n").unwrap_or(1) as usize, self.int(2, "dim").unwrap_or(-1)))
                }
                _ => no("`diff` with what goes before or after: `cat` it"),
            },
            "median" | "mode" => match axis(1) {
                None if op == "median" => one(x.flatten(0).median(0).0),
                at => {
                    let at = at.unwrap_or(-1);
                    let (values, places) = if op == "median" { x.median(at) } else { x.mode(at) };
                    let kept = |t: Tensor| if self.flag(2, "keepdim") { t.unsqueeze(at) } else { t };
                    // Of equal numbers PyTorch may name any.
                    let wanted = self.sample.outputs.get(1).cloned();
                    let found = kept(places);
                    let places =
                        if x.dtype().is_float() && op == "median" { found } else { wanted.unwrap_or(found) };
                    Ok(vec![kept(values), places])
                }
            },
            "quantile" => {
                let between = match self.arg(9, "interpolation").and_then(Json::str) {
                    None | Some("linear") => Between::Linear,
                    Some("lower") => Between::Lower,
                    Some("higher") => Between::Higher,
                    Some("nearest") => Between::Nearest,
                    Some("midpoint") => Between::Midpoint,
                    Some(_) => return Some(no("an unknown way between neighbours")),
                };
                let (list, at) = (axis(2).map_or_else(|| x.flatten(0), |_| x.clone()), axis(2).unwrap_or(0));
                let kept = self.flag(3, "keepdim") && axis(2).is_some();
                let tensor = self.arg(1, "q").and_then(|q| self.tensor_of(q));
                match (self.arg(1, "q").and_then(number), tensor) {
                    (Some(q), _) => {
                        let y = list.quantile_with(q, at, between);
                        one(if kept { y.unsqueeze(at) } else { y })
                    }
                    (None, Some(q)) if q.rank() == 1 && !q.is_empty() => {
                        let y = list.quantiles(&q.to(DType::F64).to_vec::<f64>(), at, between);
                        // The numbers stand along a first axis of their own.
                        let place = if at < 0 { at } else { at + 1 };
                        one(if kept { y.unsqueeze(place) } else { y })
                    }
                    _ => no("numbers of a quantile that are no list"),
                }
            }
            "nansum" if !x.dtype().is_float() => one(x.sum(self.axes(x, 1, 2))),
            "nansum" => one(x.nansum(self.axes(x, 1, 2))),
            "nanmean" => one(x.nanmean(self.axes(x, 1, 2))),
            "count_nonzero" => one(x.count_nonzero(self.axes(x, 1, 9))),
            "aminmax" => two(x.aminmax(self.axes(x, 9, 9))),
            "diagonal" => {
                let at = |i, name, default| self.int(i, name).unwrap_or(default);
                one(x.diagonal(at(1, "offset", 0), at(2, "dim1", 0), at(3, "dim2", 1)))
            }
            "trace" => one(x.trace()),
            "diag" => one(x.diag(self.int(1, "diagonal").unwrap_or(0))),
            "tril" => one(x.tril(self.int(1, "diagonal").unwrap_or(0) as i64)),
            "triu" => one(x.triu(self.int(1, "diagonal").unwrap_or(0) as i64)),
            "repeat" | "tile" => {
                let times: Vec<usize> =
                    self.arg(1, "dims").and_then(wholes)?.iter().map(|n| *n as usize).collect();
                let times = [vec![1; x.rank().saturating_sub(times.len())], times].concat();
                if times.len() > 6 { no("more than six axes") } else { one(x.repeat(times)) }
            }
            "repeat_interleave" => match (self.int(1, "repeats"), axis(2)) {
                (Some(n), Some(at)) if !rank0 => one(x.repeat_interleave(n as usize, at)),
                (Some(n), None) => one(x.flatten(0).repeat_interleave(n as usize, 0)),
                _ => no("as many repeats as a tensor says"),
            },
            "roll" => {
                let (shifts, at) =
                    (self.arg(1, "shifts").and_then(wholes)?, self.arg(2, "dims").and_then(wholes));
                match at {
                    Some(at) if !at.is_empty() && at.len() != shifts.len() => {
                        no("as many shifts as axes, which no call can miss")
                    }
                    Some(at) if !at.is_empty() => one(shifts
                        .iter()
                        .zip(&at)
                        .fold(x.clone(), |x, (shift, at)| x.roll(*shift as i64, *at))),
                    _ => one(x.flatten(0).roll(shifts[0] as i64, 0).reshape(x.shape())),
                }
            }
            "rot90" => {
                let at = self.arg(2, "dims").and_then(wholes).unwrap_or(vec![0, 1]);
                match at[..] {
                    [a, b] => one(x.rot90(self.int(1, "k").unwrap_or(1) as i64, a, b)),
                    _ => no("a turn of other than two axes"),
                }
            }
            "movedim" => {
                let (from, to) =
                    (self.arg(1, "source").and_then(wholes)?, self.arg(2, "destination").and_then(wholes)?);
                match (&from[..], &to[..]) {
                    ([from], [to]) if !rank0 => one(x.movedim(*from, *to)),
                    _ if rank0 || from.len() != to.len() || self.sample.refused.is_some() => {
                        no("an axis of a tensor that has none")
                    }
                    // Several at once: those that stay fill the places that are left.
                    _ => {
                        let at = |axes: &[isize]| {
                            axes.iter().map(|a| a.rem_euclid(x.rank() as isize) as usize).collect::<Vec<_>>()
                        };
                        let (from, to) = (at(&from), at(&to));
                        let mut stay = (0..x.rank()).filter(|a| !from.contains(a));
                        let axis = |i| match to.iter().position(|t| *t == i) {
                            Some(k) => from[k],
                            None => stay.next().expect("an axis that stays"),
                        };
                        let axes: Vec<usize> = (0..x.rank()).map(axis).collect();
                        one(x.permute(&axes[..]))
                    }
                }
            }
            "take_along_dim"
                if self.tensor(1, "indices").is_some_and(|at| !at.is_empty() && at.min(..).item() < 0.0) =>
            {
                no("indices that count from the end, in a tensor")
            }
            "take_along_dim" => match axis(2) {
                Some(at) => one(x.take_along_dim(self.tensor(1, "indices")?, at)),
                None => one(x.take(&self.tensor(1, "indices")?.flatten(0))),
            },
            "index_fill" => match self.arg(3, "value").and_then(scalar) {
                Some(value) => one(x.index_fill(axis(1)?, self.tensor(2, "index")?, value)),
                None => no("a fill by a tensor: `choose`"),
            },
            "scatter" | "scatter_reduce" => return Some(self.scattered(op, x)),
            "masked_select" => {
                let both = Tensor::broadcast_tensors(&[x, self.tensor(1, "mask")?]);
                one(both[0].masked_select(&both[1]))
            }
            "nonzero" if self.flag(9, "as_tuple") => no("places as one tensor for each axis"),
            "nonzero" if rank0 => no("an axis of a tensor that has none"),
            "nonzero" => one(x.nonzero()),
            "bincount" => match self.tensor(1, "weights") {
                Some(_) => no("`bincount` with weights: `index_add`"),
                None => one(x.bincount(self.int(2, "minlength").unwrap_or(0) as usize)),
            },
            "unfold" => one(x.unfold(axis(1)?, self.int(2, "size")? as usize, self.int(3, "step")? as usize)),
            "outer" => one(x.outer(self.tensor(1, "vec2")?)),
            "kron" => one(x.kron(self.tensor(1, "other")?)),
            "cdist" => one(x.cdist(self.tensor(1, "x2")?, self.number(2, "p", 2.0))),
            "nn.functional.normalize" => one(x.normalize(
                self.number(1, "p", 2.0),
                self.int(2, "dim").unwrap_or(1),
                self.number(3, "eps", 1e-12),
            )),
            "nn.functional.cosine_similarity" => {
                let at = self.int(2, "dim").unwrap_or(1);
                one(x.cosine_similarity(self.tensor(1, "x2")?, at, self.number(3, "eps", 1e-8)))
            }
            _ => return None,
        })
    }

    fn of_more_pairs(&self, op: &str) -> Found {
        let [a, b] = self.promoted()?;
        let op = match op {
            "__rand__" => "bitwise_and",
            "__ror__" => "bitwise_or",
            "__rxor__" => "bitwise_xor",
            op => op,
        };
        let bits = op.starts_with("bitwise");
        let (a, b) = match (a.dtype(), bits) {
            (DType::Bool, true) if matches!(op, "bitwise_and" | "bitwise_or" | "bitwise_xor") => {
                return one(match op {
                    "bitwise_and" => a.and(&b),
                    "bitwise_or" => a.or(&b),
                    _ => a.xor(&b),
                });
            }
            (DType::Bool, _) => return no("arithmetic and order of bool"),
            (dtype, _) if dtype.is_float() || bits => (a, b),
            (_, _) if matches!(op, "remainder" | "fmod" | "floor_divide") => (a, b),
            _ if op == "isclose" => (a.to(DType::F64), b.to(DType::F64)),
            _ if op == "heaviside" => (a.to(DType::F32), b.to(DType::F32)),
            _ => (a.to(DType::F32), b.to(DType::F32)),
        };
        one(match op {
            "atan2" => a.atan2(&b),
            "remainder" => a.remainder(&b),
            "fmod" => a.fmod(&b),
            "floor_divide" => a.floor_divide(&b),
            "hypot" => a.hypot(&b),
            "logaddexp" => a.logaddexp(&b),
            "xlogy" => a.xlogy(&b),
            "copysign" => a.copysign(&b),
            "heaviside" => a.heaviside(&b),
            "isclose" => {
                let close = a.isclose(&b, self.number(2, "rtol", 1e-5), self.number(3, "atol", 1e-8));
                if self.flag(4, "equal_nan") { close.or(&a.is_nan().and(&b.is_nan())) } else { close }
            }
            "bitwise_and" => a.bitwise_and(&b),
            "bitwise_or" => a.bitwise_or(&b),
            "bitwise_xor" => a.bitwise_xor(&b),
            "bitwise_left_shift" => a.bitwise_left_shift(&b),
            "bitwise_right_shift" => a.bitwise_right_shift(&b),
            other => unreachable!("{other}"),
        })
    }

    fn norm(&self, x: &Tensor) -> Found {
        let p = match self.arg(1, "ord").or(self.arg(1, "p")) {
            None => 2.0,
            Some(p) => match (number(p), p.str()) {
                (Some(p), _) => p,
                (_, Some("fro")) => 2.0,
                _ => return no("the nuclear norm, which is one of matrices"),
            },
        };
        if !x.dtype().is_float() {
            return no("a norm of integers");
        }
        one(x.norm(p, self.axes(x, 2, 3)))
    }

    fn scattered(&self, op: &str, x: &Tensor) -> Found {
        let (Some(at), Some(index)) = (self.int(1, "dim"), self.tensor(2, "index")) else {
            return no("no index");
        };
        let src = match (self.tensor(3, "src"), self.arg(3, "value").and_then(scalar)) {
            (Some(src), _) => src.clone(),
            // One number for all places.
            (None, Some(value)) => Tensor::full_of(index.shape(), value, x.dtype()),
            _ => return no("no source"),
        };
        let src = &src;
        let join = match self.arg(4, "reduce").and_then(Json::str) {
            None if op == "scatter" => return one(x.scatter(at, index, src)),
            Some("sum" | "add") => Join::Sum,
            Some("prod" | "multiply") => Join::Prod,
            Some("mean") => Join::Mean,
            Some("amax") => Join::Max,
            Some("amin") => Join::Min,
            _ => return Err(NotCompared("an unknown reduction")),
        };
        if !x.dtype().is_float() {
            return no("a scatter of integers");
        }
        let base = match self.arg(9, "include_self").and_then(Json::bool) {
            Some(false) => Base::Excluded,
            _ => Base::Included,
        };
        one(x.scatter_reduce_with(at, index, src, join, base))
    }
}
