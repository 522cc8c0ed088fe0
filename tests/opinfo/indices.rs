//! Operations by indices, order and number of equals.

use super::{Call, Found, no, number, one, scalar};
use mapsto::ops::{Base, Between, Join, Side};
use mapsto::prelude::*;
use mapsto::spec::Json;

impl Call<'_> {
    pub(super) fn indices(&self, op: &str, x: &Tensor) -> Option<Found> {
        let axis = |i: usize| self.int(i, "dim");
        let kept = |t: &Tensor, at: isize, i: usize| {
            if self.flag(i, "keepdim") { t.unsqueeze(at) } else { t.clone() }
        };
        if x.rank() == 0
            && matches!(op, "index_copy" | "index_reduce" | "kthvalue" | "nanquantile" | "select_scatter")
        {
            return Some(no("an axis of a tensor that has none"));
        }
        Some(match op {
            "take" => match self.tensor(1, "index")? {
                at if at.is_empty() => one(x.take(at)),
                at if at.min(..).item() < 0.0 && self.sample.refused.is_none() => {
                    no("indices that count from the end, in a tensor")
                }
                at => one(x.take(at)),
            },
            "index_copy" => one(x.index_copy(axis(1)?, self.tensor(2, "index")?, self.tensor(3, "source")?)),
            "index_reduce" => return Some(self.index_reduced(x)),
            "index_put" => {
                let list = self.arg(1, "indices").and_then(Json::list)?;
                let indices: Option<Vec<&Tensor>> = list.iter().map(|json| self.tensor_of(json)).collect();
                let (indices, values) = (indices?, self.tensor(2, "values")?);
                match self.flag(3, "accumulate") {
                    _ if indices.iter().any(|at| at.dtype() == DType::Bool) => {
                        no("places that a mask says: `masked_scatter` or `nonzero`")
                    }
                    true if !x.dtype().is_float() => no("a scatter of integers"),
                    true => one(x.index_put_accumulate(&indices, values)),
                    false => one(x.index_put(&indices, values)),
                }
            }
            "masked_scatter" => {
                let mask = self.tensor(1, "mask")?;
                let [wide, mask] = <[Tensor; 2]>::try_from(Tensor::broadcast_tensors(&[x, mask])).ok()?;
                one(wide.masked_scatter(&mask, self.tensor(2, "source")?))
            }
            "select_scatter" => {
                one(x.select_scatter(axis(2)?, self.int(3, "index")?, self.tensor(1, "src")?))
            }
            "slice_scatter" => {
                let (at, start, end) = (axis(2).unwrap_or(0), self.int(3, "start"), self.int(4, "end"));
                let n = x.shape()[at.rem_euclid(x.rank() as isize) as usize] as isize;
                match self.int(5, "step").unwrap_or(1) {
                    1 => one(x.slice_scatter(
                        at,
                        start.unwrap_or(0)..end.unwrap_or(n).min(n),
                        self.tensor(1, "src")?,
                    )),
                    _ => no("a slice of every second element"),
                }
            }
            "isin" => match (self.tensor(1, "test_elements"), self.flag(9, "invert")) {
                (Some(others), false) => one(x.isin(others)),
                (Some(others), true) => one(x.isin(others).not()),
                _ => no("a search for one number: `eq`"),
            },
            "bucketize" | "searchsorted" => {
                let side = match (self.arg(9, "side").and_then(Json::str), self.flag(9, "right")) {
                    (Some("right"), _) | (_, true) => Side::Right,
                    _ => Side::Left,
                };
                if self.tensor(9, "sorter").is_some() {
                    return Some(no("a list whose order stands in another"));
                }
                match (op, self.tensor(1, "boundaries")) {
                    (_, None) => no("a search for one number that is no tensor"),
                    ("bucketize", Some(list)) => one(x.bucketize(list, side)),
                    _ if x.rank() != 1 => no("several lists to search in"),
                    (_, Some(values)) => one(x.searchsorted(values, side)),
                }
            }
            "kthvalue" => {
                let at = axis(2).unwrap_or(-1);
                let Some(k) = self.int(1, "k").and_then(|k| usize::try_from(k).ok()) else {
                    return Some(no("sizes that no call can write"));
                };
                let (values, places) = x.kthvalue(k, at);
                let places = if x.dtype().is_float() {
                    kept(&places, at, 3)
                } else {
                    self.sample.outputs.get(1)?.clone()
                };
                Ok(vec![kept(&values, at, 3), places])
            }
            "msort" if x.rank() == 0 => no("an axis of a tensor that has none"),
            "msort" => one(x.msort()),
            "nanmedian" => match axis(1) {
                _ if x.rank() == 0 => no("an axis of a tensor that has none"),
                None => one(x.flatten(0).nanmedian(0).0),
                Some(at) => {
                    let (values, places) = x.nanmedian(at);
                    let places = if x.dtype().is_float() {
                        kept(&places, at, 2)
                    } else {
                        self.sample.outputs.get(1)?.clone()
                    };
                    Ok(vec![kept(&values, at, 2), places])
                }
            },
            "nanquantile" => {
                let between = match self.arg(9, "interpolation").and_then(Json::str) {
                    None | Some("linear") => Between::Linear,
                    Some("lower") => Between::Lower,
                    Some("higher") => Between::Higher,
                    Some("nearest") => Between::Nearest,
                    _ => Between::Midpoint,
                };
                match (self.arg(1, "q").and_then(number), axis(2)) {
                    (None, _) => no("several quantiles of what is not NaN"),
                    (Some(q), None) => one(x.flatten(0).nanquantile(q, 0, between)),
                    (Some(q), Some(at)) => one(kept(&x.nanquantile(q, at, between), at, 3)),
                }
            }
            "unique" | "unique_consecutive" => {
                if axis(9).is_some() {
                    return Some(no("different slices: there is `unique` of elements"));
                }
                if op == "unique" && self.arg(9, "sorted").and_then(Json::bool) == Some(false) {
                    return Some(no("elements in an order that PyTorch leaves open"));
                }
                if x.rank() == 0 {
                    return Some(no("an axis of a tensor that has none"));
                }
                if x.dtype() == DType::Bool {
                    return Some(no("arithmetic and order of bool"));
                }
                let (values, places, counts) =
                    if op == "unique" { x.unique() } else { x.unique_consecutive() };
                let mut found = vec![values];
                found.extend(self.flag(9, "return_inverse").then_some(places));
                found.extend(self.flag(9, "return_counts").then_some(counts));
                Ok(found)
            }
            "histogram" => {
                let range = self.arg(9, "range").and_then(Json::list);
                if self.tensor(9, "weight").is_some() || self.flag(9, "density") {
                    return Some(no("a histogram of weights or densities"));
                }
                let Some(bins) = self.int(1, "bins") else {
                    return Some(no("parts of sizes that are given"));
                };
                let ends: Vec<f64> = match range {
                    Some(range) => range.iter().filter_map(number).collect(),
                    None if x.is_empty() => return Some(no("a histogram over a range that is not said")),
                    None => vec![x.min(..).item(), x.max(..).item()],
                };
                if ends[0] >= ends[1] {
                    return Some(no("a histogram over a range that is not said"));
                }
                let (counts, edges) = x.histogram(bins as usize, ends[0], ends[1]);
                Ok(vec![counts, edges])
            }
            "argwhere" if x.rank() == 0 => no("an axis of a tensor that has none"),
            "argwhere" => one(x.nonzero()),
            _ => return None,
        })
    }

    fn index_reduced(&self, x: &Tensor) -> Found {
        let (Some(at), Some(index), Some(src)) =
            (self.int(1, "dim"), self.tensor(2, "index"), self.tensor(3, "source"))
        else {
            return no("no index");
        };
        let join = match self.arg(4, "reduce").and_then(Json::str) {
            Some("prod") => Join::Prod,
            Some("mean") => Join::Mean,
            Some("amax") => Join::Max,
            _ => Join::Min,
        };
        if !x.dtype().is_float() {
            return no("a scatter of integers");
        }
        let base = match self.arg(9, "include_self").and_then(Json::bool) {
            Some(false) => Base::Excluded,
            _ => Base::Included,
        };
        one(x.index_reduce(at, index, src, join, base))
    }

    /// The elements where a mask holds replaced by those of a tensor.
    pub(super) fn filled(&self, x: &Tensor, mask: &Tensor) -> Found {
        let [wide, mask] = match <[Tensor; 2]>::try_from(Tensor::broadcast_tensors(&[x, mask])) {
            Ok(both) => both,
            Err(_) => return no("shapes that no call can write"),
        };
        match (self.arg(2, "value"), self.tensor(2, "value")) {
            _ if x.dtype() == DType::Bool => no("a fill of bool by a number"),
            (_, Some(value)) if value.rank() > 0 => no("a fill by a tensor that has axes: `choose`"),
            (_, Some(value)) if value.dtype() != x.dtype() => no("a fill of another dtype"),
            (_, Some(value)) => one(mask.choose(value, &wide)),
            (Some(value), None) => match scalar(value) {
                Some(value) => one(wide.masked_fill(&mask, value)),
                None => no("no value"),
            },
            _ => no("no value"),
        }
    }
}
