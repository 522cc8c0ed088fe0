//! New tensors, parts put together in shapes, and grids.

use super::{Call, Found, no, number, one, scalar, whole, wholes};
use mapsto::prelude::*;
use mapsto::spec::Json;

impl Call<'_> {
    /// The tensors of a list, which stands as one argument or is the arguments themselves.
    pub(super) fn all(&self) -> Option<Vec<Tensor>> {
        let from = match &self.sample.args[0] {
            Json::List(list) => list,
            _ => &self.sample.args,
        };
        from.iter().map(|json| self.tensor_of(json).cloned()).collect()
    }

    /// The dtype that a call asks for.
    pub(super) fn dtype(&self) -> Option<DType> {
        let word = self.arg(9, "dtype")?.get("dtype")?.str()?;
        Some(match word {
            "F64" => DType::F64,
            "F32" => DType::F32,
            "I64" => DType::I64,
            "U8" => DType::U8,
            _ => DType::Bool,
        })
    }

    /// What is made of numbers alone.
    pub(super) fn made(&self, op: &str) -> Option<Found> {
        let dtype = self.dtype();
        let sizes = || -> Option<Vec<usize>> {
            self.arg(0, "size").and_then(wholes)?.into_iter().map(|n| usize::try_from(n).ok()).collect()
        };
        let size = |i: usize, name: &str| self.int(i, name).map(usize::try_from);
        let to = |x: Tensor| one(dtype.map_or(x.clone(), |dtype| x.to(dtype)));
        Some(match op {
            "ones" | "zeros" | "full" => {
                let Some(sizes) = sizes() else { return Some(no("sizes that no call can write")) };
                match (op, self.arg(1, "fill_value").and_then(scalar)) {
                    ("ones", _) => to(Tensor::ones(sizes)),
                    ("zeros", _) => to(Tensor::zeros(sizes)),
                    (_, Some(value)) => one(Tensor::full_of(sizes, value, dtype.unwrap_or(DType::F32))),
                    _ => no("no value"),
                }
            }
            "eye" => match (size(0, "n"), size(1, "m")) {
                (Some(Ok(n)), None) => to(Tensor::eye(n)),
                (Some(Ok(n)), Some(Ok(m))) if n == m => to(Tensor::eye(n)),
                (Some(Ok(_)), Some(Ok(_))) => no("ones on the diagonal of a matrix that is not square"),
                _ => no("sizes that no call can write"),
            },
            "arange" => {
                let of = |i, name| self.arg(i, name).and_then(number);
                let (first, second) = (of(0, "start")?, of(1, "end"));
                let (start, end) = second.map_or((0.0, first), |end| (first, end));
                match of(2, "step").unwrap_or(1.0) {
                    1.0 if start.fract() == 0.0 && end.fract() == 0.0 => {
                        to(Tensor::arange(start as i64..end as i64))
                    }
                    _ => no("a range of other than whole numbers one after the other"),
                }
            }
            "linspace" => {
                let of = |i, name| match self.tensor(i, name) {
                    Some(x) => (x.rank() == 0).then(|| x.to(DType::F64).item()),
                    None => self.arg(i, name).and_then(number),
                };
                match (of(0, "start"), of(1, "end"), size(2, "steps")) {
                    _ if dtype.is_some_and(|dtype| !dtype.is_float()) => {
                        no("whole numbers between two others")
                    }
                    (Some(lo), Some(hi), Some(Ok(n))) => one(Tensor::linspace(lo, hi, n)),
                    _ => no("sizes that no call can write"),
                }
            }
            "tril_indices" | "triu_indices" => match (size(0, "row"), size(1, "col")) {
                (Some(Ok(rows)), Some(Ok(columns))) => {
                    let k = self.int(2, "offset").unwrap_or(0) as i64;
                    one(match op {
                        "tril_indices" => Tensor::tril_indices(rows, columns, k),
                        _ => Tensor::triu_indices(rows, columns, k),
                    })
                }
                _ => no("sizes that no call can write"),
            },
            _ => return None,
        })
    }

    pub(super) fn shapes(&self, op: &str, x: &Tensor) -> Option<Found> {
        let like = |value: f64| Tensor::full_of(x.shape(), value, self.dtype().unwrap_or(x.dtype()));
        let each = |f: fn(&Tensor) -> Tensor| {
            self.all().map_or_else(|| no("parts that are no tensors"), |all| Ok(all.iter().map(f).collect()))
        };
        let joined = |f: fn(&[Tensor]) -> Tensor| match self.all() {
            Some(all) if all.iter().any(|part| part.dtype() != all[0].dtype()) => {
                no("parts of several dtypes: here the caller converts")
            }
            Some(all) => one(f(&all)),
            None => no("parts that are no tensors"),
        };
        let offset = || self.int(1, "offset").unwrap_or(0);
        Some(match op {
            "ones_like" => one(like(1.0)),
            "zeros_like" => one(like(0.0)),
            "full_like" => {
                let dtype = self.dtype().unwrap_or(x.dtype());
                match self.arg(1, "fill_value").and_then(scalar) {
                    Some(value) => one(Tensor::full_of(x.shape(), value, dtype)),
                    None => no("no value"),
                }
            }
            "linspace" => return self.made(op),
            "clone" => one(x.clone()),
            "contiguous" => one(x.contiguous()),
            "bool" => one(x.to(DType::Bool)),
            "double" => one(x.to(DType::F64)),
            "float" => one(x.to(DType::F32)),
            "long" => one(x.to(DType::I64)),
            "ravel" => one(if x.rank() == 0 { x.reshape([1]) } else { x.flatten(0) }),
            "reshape_as" | "view_as" => one(x.reshape(self.tensor(1, "other")?.shape())),
            "expand_as" => one(x.expand(self.tensor(1, "other")?.shape())),
            "broadcast_to" => one(x.expand(self.sizes(x, 1)?)),
            "mT" => one(x.t()),
            "flipud" if x.rank() == 0 => no("an axis of a tensor that has none"),
            "fliplr" => one(x.flip(1)),
            "flipud" => one(x.flip(0)),
            "unflatten" => {
                let (at, sizes) =
                    (self.int(1, "dim")?.rem_euclid(x.rank() as isize) as usize, self.arg(2, "sizes"));
                let sizes = sizes.and_then(wholes)?;
                let known: isize = sizes.iter().filter(|n| **n >= 0).product();
                if known == 0 && sizes.contains(&-1) {
                    return Some(no("a −1 beside an axis of none"));
                }
                let n = x.shape()[at] as isize;
                let sizes =
                    sizes.iter().map(|s| if *s < 0 { n / known } else { *s } as usize).collect::<Vec<_>>();
                one(x.reshape([&x.shape()[..at], &sizes, &x.shape()[at + 1..]].concat()))
            }
            "atleast_1d" => each(Tensor::atleast_1d),
            "atleast_2d" => each(Tensor::atleast_2d),
            "atleast_3d" => each(Tensor::atleast_3d),
            "hstack" => joined(Tensor::hstack),
            "vstack" => joined(Tensor::vstack),
            "dstack" => joined(Tensor::dstack),
            "column_stack" => joined(Tensor::column_stack),
            "block_diag" => joined(Tensor::block_diag),
            "cartesian_prod" if self.sample.args.len() == 1 => {
                no("a product of one list, which is the list in PyTorch")
            }
            "cartesian_prod" => joined(Tensor::cartesian_prod),
            "broadcast_tensors" => match self.all() {
                Some(all) => Ok(Tensor::broadcast_tensors(&all)),
                None => no("parts that are no tensors"),
            },
            "meshgrid" => match (self.all(), self.arg(9, "indexing").and_then(Json::str)) {
                (_, Some("xy")) => no("a grid whose first two axes are swapped"),
                (Some(lists), _) if lists.iter().any(|list| list.rank() == 0) => no("a list without an axis"),
                (Some(lists), _) => Ok(Tensor::meshgrid(&lists)),
                _ => no("parts that are no tensors"),
            },
            "combinations" => {
                let r = self.int(1, "r").unwrap_or(2) as usize;
                one(if self.flag(2, "with_replacement") {
                    x.combinations_with_replacement(r)
                } else {
                    x.combinations(r)
                })
            }
            "diag_embed" => {
                let [a, b] =
                    [(2, "dim1", -2), (3, "dim2", -1)].map(|(i, name, at)| self.int(i, name).unwrap_or(at));
                match (offset(), a, b) {
                    (0, -2, -1) => one(x.diag_embed()),
                    _ => no("a diagonal beside the main one, or in other axes than the last two"),
                }
            }
            "linalg.diagonal" => {
                let [a, b] = [("dim1", -2), ("dim2", -1)].map(|(name, at)| self.int(9, name).unwrap_or(at));
                one(x.diagonal(self.int(9, "offset").unwrap_or(0), a, b))
            }
            "tensor_split" => {
                let at = self.int(2, "dim").unwrap_or(0);
                match self.arg(1, "indices_or_sections").and_then(whole) {
                    Some(n) if n >= 0 => Ok(x.tensor_split(n as usize, at)),
                    Some(_) => no("sizes that no call can write"),
                    None => no("places to split at: `split` takes sizes"),
                }
            }
            "einsum" => {
                let equation = self.arg(1, "equation").and_then(Json::str)?;
                match self.all() {
                    _ if !x.dtype().is_float() => no("products of integers"),
                    Some(parts) => one(Tensor::einsum(equation, &parts)),
                    None => no("parts that are no tensors"),
                }
            }
            _ => return None,
        })
    }
}
