//! Operations that move elements: shapes, parts and indices.

use super::{Call, Found, no, one, whole, wholes};
use mapsto::prelude::*;
use mapsto::spec::Json;

impl Call<'_> {
    pub(super) fn places(&self, op: &str, x: &Tensor) -> Option<Found> {
        let list = |i: usize, name: &str| self.arg(i, name).and_then(wholes).unwrap_or_default();
        let axis = |i: usize| self.int(i, "dim");
        Some(match op {
            "cat" | "stack" => {
                let Some(parts) = self.all() else { return Some(no("parts that are no tensors")) };
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
            "unbind" if x.rank() == 0 => no("an axis of a tensor that has none"),
            "unbind" => Ok(x.unbind(axis(1).unwrap_or(0))),
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
                    (start, end) => {
                        let [a, b] = [start, end].map(|at| at.rem_euclid(x.rank().max(1) as isize) as usize);
                        if a > b || self.sample.refused.is_some() {
                            return Some(no("sizes that no call can write"));
                        }
                        let n = x.shape()[a..=b].iter().product();
                        one(x.reshape([&x.shape()[..a], &[n], &x.shape()[b + 1..]].concat()))
                    }
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
                    Some(start) if start.rank() == 0 && matches!(start.dtype(), DType::I64) => {
                        start.item_i64() as isize
                    }
                    Some(_) => return Some(no("a start that is a tensor")),
                    None => self.int(2, "start")?,
                };
                let n = x.shape()[at.rem_euclid(x.rank().max(1) as isize) as usize] as isize;
                let start = if start < 0 { start + n } else { start };
                if start < 0 {
                    return Some(no(
                        "a start before the first element, which the ends of a slice are cut to",
                    ));
                }
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
                _ => one(x.scatter_add(axis(1)?, self.tensor(2, "index")?, self.tensor(3, "src")?)),
            },
            "masked_fill" => {
                return Some(self.filled(x, self.tensor(1, "mask")?));
            }
            "nn.functional.one_hot" => match self.int(1, "num_classes") {
                Some(n) if n > 0 => one(x.one_hot(n as usize)),
                // As many as the ids say.
                _ if !x.is_empty() => one(x.one_hot(x.max(..).item_i64().max(0) as usize + 1)),
                _ => no("ids of nothing, whose number of classes is not said"),
            },
            "index_add" => match (x.rank(), self.number(4, "alpha", 1.0)) {
                (0, _) => no("an axis of a tensor that has none"),
                _ if !x.dtype().is_float() => no("a scatter of integers"),
                (_, alpha) => {
                    one(x.index_add(axis(1)?, self.tensor(2, "index")?, &(self.tensor(3, "source")? * alpha)))
                }
            },
            _ => return None,
        })
    }

    fn chunk(&self, x: &Tensor) -> Found {
        let axis = self.int(2, "dim").unwrap_or(0);
        let n = x.shape()[axis.rem_euclid(x.rank().max(1) as isize) as usize];
        let k = self.int(1, "chunks").unwrap_or(1) as usize;
        if k == 0 {
            return no("sizes that no call can write");
        }
        // The last one is shorter, and there may be fewer than were asked for.
        let size = n.div_ceil(k).max(1);
        Ok(x.split(&(0..n).step_by(size).map(|i| size.min(n - i)).collect::<Vec<_>>(), axis))
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
    pub(super) fn sizes(&self, x: &Tensor, i: usize) -> Option<Vec<usize>> {
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
}
