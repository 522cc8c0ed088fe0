//! The CPU's reductions: which elements fall together, walked as they lie in memory, whatever the view.
//!
//! A view is not copied. Its axes are sorted by their strides and merged, so that a transposed tensor is read as the
//! row-major one that it was; axes that only repeat are not walked. The order of a sum is that of memory.

use super::Reduction;
use super::host::with_type;
use crate::dtype::Class;
use crate::shape::{MAX_RANK, Shape};
use crate::storage::Plain;
use crate::{DType, Tensor};
use half::{bf16, f16};
use mapsto_kernels::cast::{Cast, cast};
use mapsto_kernels::product;
use mapsto_kernels::real::Number;
use mapsto_kernels::reduce::{
    self, Source, argmax_from, argmin_from, max_from, min_from, product_from, squares_from, sum_from,
};
use mapsto_kernels::simd::vectorize_light;
use smallvec::SmallVec;

/// A sum, a product or an extreme over the axes of `mask`; sums and products of integers are i64.
pub(super) fn reduce(kind: Reduction, x: &Tensor, mask: &[bool]) -> Tensor {
    match kind {
        Reduction::Sum => sum(x, mask).stored_as(if x.dtype().is_float() { x.dtype() } else { DType::I64 }),
        Reduction::Product => {
            product(x, mask).stored_as(if x.dtype().is_float() { x.dtype() } else { DType::I64 })
        }
        Reduction::Max | Reduction::Min => extreme(kind, x, mask).stored_as(x.dtype()),
        Reduction::ArgMax | Reduction::ArgMin => position(kind, x, mask),
    }
}

/// A sum in the type that arithmetic is done in.
pub(crate) fn sum(x: &Tensor, mask: &[bool]) -> Tensor {
    if let Some(y) = straight(x, mask) {
        return y;
    }
    let plan = Plan::of(x, mask, Repeats::Counted);
    let y = match x.dtype() {
        DType::F64 => folded::<f64, f64, f64>(x, &plan, sum_from),
        DType::F32 => folded::<f32, f32, f32>(x, &plan, sum_from),
        DType::F16 => folded::<f16, f32, f32>(x, &plan, sum_from),
        DType::BF16 => folded::<bf16, f32, f32>(x, &plan, sum_from),
        DType::I64 => folded::<i64, i64, i64>(x, &plan, sum_from),
        DType::I32 => folded::<i32, i64, i64>(x, &plan, sum_from),
        DType::U8 | DType::Bool => folded::<u8, i64, i64>(x, &plan, sum_from),
        DType::I8 => folded::<i8, i64, i64>(x, &plan, sum_from),
    };
    match plan.times {
        1 => y,
        n if x.dtype().class() == Class::I64 => y * n as i64,
        n => y * n as f64,
    }
}

/// The sums of the squares of floats, in f64.
pub(crate) fn squares(x: &Tensor, mask: &[bool]) -> Tensor {
    let plan = Plan::of(x, mask, Repeats::Counted);
    let y = match x.dtype() {
        DType::F64 => folded::<f64, f64, f64>(x, &plan, squares_from),
        DType::F32 => folded::<f32, f64, f64>(x, &plan, squares_from),
        DType::F16 => folded::<f16, f64, f64>(x, &plan, squares_from),
        DType::BF16 => folded::<bf16, f64, f64>(x, &plan, squares_from),
        other => panic!("squares of floats are summed, these are {other}"),
    };
    if plan.times == 1 { y } else { y * plan.times as f64 }
}

/// A product in the type that arithmetic is done in.
fn product(x: &Tensor, mask: &[bool]) -> Tensor {
    let repeats = (0..x.rank()).any(|i| mask[i] && x.layout().strides()[i] == 0 && x.shape()[i] > 1);
    // Powers are not taken: what repeats is copied, which also finds out whether memory holds as many elements.
    let x = &if repeats { x.contiguous() } else { x.clone() };
    let plan = Plan::of(x, mask, Repeats::Walked);
    match x.dtype() {
        DType::F64 => folded::<f64, f64, f64>(x, &plan, product::product_from),
        DType::F32 => folded::<f32, f32, f32>(x, &plan, product::product_from),
        DType::F16 => folded::<f16, f32, f32>(x, &plan, product::product_from),
        DType::BF16 => folded::<bf16, f32, f32>(x, &plan, product::product_from),
        DType::I64 => folded::<i64, i64, i64>(x, &plan, product_from),
        DType::I32 => folded::<i32, i64, i64>(x, &plan, product_from),
        DType::U8 | DType::Bool => folded::<u8, i64, i64>(x, &plan, product_from),
        DType::I8 => folded::<i8, i64, i64>(x, &plan, product_from),
    }
}

fn extreme(kind: Reduction, x: &Tensor, mask: &[bool]) -> Tensor {
    fn of<S: Plain + Cast<T>, T: Number + Plain>(kind: Reduction, x: &Tensor, plan: &Plan) -> Tensor {
        folded::<S, T, T>(x, plan, if kind == Reduction::Max { max_from } else { min_from })
    }
    let plan = Plan::of(x, mask, Repeats::Ignored);
    match x.dtype() {
        DType::F64 => of::<f64, f64>(kind, x, &plan),
        DType::F32 => of::<f32, f32>(kind, x, &plan),
        DType::F16 => of::<f16, f32>(kind, x, &plan),
        DType::BF16 => of::<bf16, f32>(kind, x, &plan),
        DType::I64 => of::<i64, i64>(kind, x, &plan),
        DType::I32 => of::<i32, i32>(kind, x, &plan),
        DType::U8 | DType::Bool => of::<u8, u8>(kind, x, &plan),
        DType::I8 => of::<i8, i32>(kind, x, &plan),
    }
}

/// The positions of extremes along the axis of `mask`.
fn position(kind: Reduction, x: &Tensor, mask: &[bool]) -> Tensor {
    fn of<S: Plain + Cast<T>, T: Number + Plain>(kind: Reduction, x: &Tensor, plan: &Plan) -> Tensor {
        folded::<S, T, i64>(x, plan, if kind == Reduction::ArgMax { argmax_from } else { argmin_from })
    }
    // Of elements that only repeat, the first is the extreme.
    let plan = Plan::of(x, mask, Repeats::Ignored);
    match x.dtype() {
        DType::F64 => of::<f64, f64>(kind, x, &plan),
        DType::F32 => of::<f32, f32>(kind, x, &plan),
        DType::F16 => of::<f16, f32>(kind, x, &plan),
        DType::BF16 => of::<bf16, f32>(kind, x, &plan),
        DType::I64 => of::<i64, i64>(kind, x, &plan),
        DType::I32 => of::<i32, i32>(kind, x, &plan),
        DType::U8 | DType::Bool => of::<u8, i32>(kind, x, &plan),
        DType::I8 => of::<i8, i32>(kind, x, &plan),
    }
}

/// The largest or the smallest truth over the axes of `mask`, which of nothing is false or true.
pub(crate) fn truth(kind: Reduction, x: &Tensor, mask: &[bool]) -> Tensor {
    let (plan, fold) =
        (Plan::of(x, mask, Repeats::Ignored), if kind == Reduction::Max { max_from } else { min_from });
    let y = if matches!(x.dtype(), DType::U8 | DType::Bool) {
        folded::<u8, u8, u8>(x, &plan, fold) // a byte that is not 0 is true as it is
    } else {
        with_type!(x.dtype(), S => {
            let from = x.storage().as_slice::<S>();
            let is_true = |x: S| {
                let truth: bool = x.cast();
                truth as u8
            };
            plan.run::<u8, u8>(None, &|at, step, to| bring(from, at, step, to, is_true), fold)
        })
    };
    y.to(DType::Bool)
}

/// A sum over neighbouring axes of elements that lie in rows: of small tensors [`Plan::of`] takes longer than all else, 1700
/// instructions.
fn straight(x: &Tensor, mask: &[bool]) -> Option<Tensor> {
    let (first, sizes) = (mask.iter().position(|gone| *gone)?, x.shape());
    let last = first + mask[first..].iter().position(|gone| !gone).unwrap_or(mask.len() - first);
    if mask[last..].iter().any(|gone| *gone) {
        return None;
    }
    let from = x.as_slice::<f32>()?;
    let product = |sizes: &[usize]| sizes.iter().product::<usize>();
    let dims = [product(&sizes[..first]), product(&sizes[first..last]), product(&sizes[last..])];
    let left: Shape = sizes[..first].iter().chain(&sizes[last..]).copied().collect();
    Some(Tensor::filled_by(left, |y: &mut [f32]| reduce::sum(from, dims, y)))
}

/// A fold of stored `S` in `T`.
fn folded<S: Plain + Cast<T>, T: Number + Plain, Y: Plain>(
    x: &Tensor,
    plan: &Plan,
    fold: fn(&Source<'_, T>, &mut [Y]),
) -> Tensor {
    let from = x.storage().as_slice::<S>();
    let plain = (S::DTYPE == T::DTYPE).then(|| x.storage().as_slice::<T>());
    let bring = |at: isize, step: isize, to: &mut [T]| match step {
        1 => cast(&from[at as usize..][..to.len()], to),
        _ => bring(from, at, step, to, S::cast),
    };
    plan.run(plain, &bring, fold)
}

/// Reads numbers at steps from a place.
fn bring<S: Copy, T: Copy>(from: &[S], at: isize, step: isize, to: &mut [T], f: impl Fn(S) -> T) {
    match step {
        1 => {
            let from = &from[at as usize..][..to.len()];
            vectorize_light(
                #[inline(always)]
                || to.iter_mut().zip(from).for_each(|(t, x)| *t = f(*x)),
            )
        }
        0 => to.fill(f(from[at as usize])),
        _ => to.iter_mut().enumerate().for_each(|(i, t)| *t = f(from[(at + i as isize * step) as usize])),
    }
}

/// What becomes of axes that go and only repeat the elements: a sum is multiplied, an extreme stays what it is.
#[derive(Clone, Copy, PartialEq)]
enum Repeats {
    Walked,
    Counted,
    Ignored,
}

/// Sizes and strides.
type Axes = SmallVec<[(usize, isize); MAX_RANK]>;
type Sizes = SmallVec<[usize; MAX_RANK]>;

/// How a view is walked.
struct Plan {
    offset: isize,
    /// Sorted and merged.
    kept: Axes,
    gone: Axes,
    /// How often what is walked falls into each result.
    times: usize,
    /// The sizes of the kept axes as they are walked, and for each of them in the tensor's order its place there.
    walked: Shape,
    order: Sizes,
    /// The sizes of the result, and those with 1 for axes that only repeat.
    shape: Shape,
    narrow: Shape,
}

impl Plan {
    fn of(x: &Tensor, mask: &[bool], repeats: Repeats) -> Plan {
        let layout = x.layout();
        let axes = || layout.shape().iter().copied().zip(layout.strides().iter().copied());
        let (mut kept, mut gone, mut times) =
            (SmallVec::<[(usize, isize, usize); MAX_RANK]>::new(), Axes::new(), 1);
        let (mut shape, mut narrow) = (Sizes::new(), Sizes::new());
        for ((n, stride), &goes) in axes().zip(mask) {
            match goes {
                true if n == 1 => {}
                true if stride == 0 && n > 0 && repeats != Repeats::Walked => {
                    times *= if repeats == Repeats::Counted { n } else { 1 };
                }
                true => gone.push((n, stride)),
                false => {
                    let walks = n == 0 || stride != 0 && n != 1;
                    if walks {
                        kept.push((n, stride, kept.len()));
                    }
                    shape.push(n);
                    narrow.push(if walks { n } else { 1 });
                }
            }
        }
        // Stable, so that a row-major tensor keeps its order.
        kept.sort_by_key(|axis| std::cmp::Reverse(axis.1.unsigned_abs()));
        gone.sort_by_key(|axis| std::cmp::Reverse(axis.1.unsigned_abs()));
        let mut order: Sizes = (0..kept.len()).collect();
        order.sort_by_key(|&k| kept[k].2);
        Plan {
            offset: layout.offset() as isize,
            walked: kept.iter().map(|axis| axis.0).collect(),
            kept: merged(kept.iter().map(|axis| (axis.0, axis.1))),
            gone: if gone.is_empty() { SmallVec::from_slice(&[(1, 1)]) } else { merged(gone.into_iter()) },
            times,
            order,
            shape: Shape::new(&shape),
            narrow: Shape::new(&narrow),
        }
    }

    /// The results, in the order of the tensor's axes.
    fn run<T: Number + Plain, Y: Plain>(
        &self,
        plain: Option<&[T]>,
        bring: &(dyn Fn(isize, isize, &mut [T]) + Sync),
        fold: fn(&Source<'_, T>, &mut [Y]),
    ) -> Tensor {
        let source = Source { plain, bring, offset: self.offset, kept: &self.kept, gone: &self.gone };
        if self.walked == self.shape && self.order.is_sorted() {
            return Tensor::filled_by(self.shape, |y: &mut [Y]| fold(&source, y));
        }
        let y = Tensor::filled_by(self.walked, |y: &mut [Y]| fold(&source, y));
        self.arranged(y)
    }

    /// Results as they were walked, in the order of the tensor's axes.
    fn arranged(&self, y: Tensor) -> Tensor {
        y.permute(&self.order[..]).reshape(self.narrow).expand(self.shape).contiguous()
    }
}

/// The same walk with neighbouring axes as one where a step of the outer is a whole run of the inner.
fn merged(axes: impl Iterator<Item = (usize, isize)>) -> Axes {
    let mut all = Axes::new();
    for (n, stride) in axes {
        match all.last_mut() {
            Some(outer) if outer.1 == stride * n as isize => *outer = (outer.0 * n, stride),
            _ => all.push((n, stride)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    /// Sums, products, extremes and truths of a view, by plain loops over its elements.
    fn checked(x: &Tensor, axes: &[usize], what: &str) {
        let values: Vec<f64> = x.to(DType::F64).to_vec();
        let shape = x.shape();
        let left: Vec<usize> = (0..shape.len()).filter(|i| !axes.contains(i)).collect();
        let count = left.iter().map(|&i| shape[i]).product::<usize>();
        let mut groups = vec![Vec::new(); count];
        for (k, v) in values.iter().enumerate() {
            let (mut rest, mut at) = (k, vec![0; shape.len()]);
            for i in (0..shape.len()).rev() {
                (at[i], rest) = (rest % shape[i], rest / shape[i]);
            }
            groups[left.iter().fold(0, |g, &i| g * shape[i] + at[i])].push(*v);
        }
        let same = |name: &str, y: Tensor, f: &dyn Fn(&[f64]) -> f64, slack: f64| {
            assert_eq!(y.shape(), left.iter().map(|&i| shape[i]).collect::<Vec<_>>(), "{name} {what}");
            let y: Vec<f64> = y.to(DType::F64).to_vec();
            for (y, group) in y.iter().zip(&groups) {
                let (want, size) = (f(group), group.iter().map(|v| v.abs()).sum::<f64>());
                let near = (y - want).abs() <= slack * size || y.is_nan() && want.is_nan();
                assert!(near, "{name} {what} over {axes:?}: {y} {want}");
            }
        };
        let slack = match x.dtype() {
            DType::F16 => 1e-3,
            DType::BF16 => 1e-2,
            DType::F32 => 2f64.powi(-22),
            _ => 1e-15,
        };
        same("sum", x.sum(axes), &|v| v.iter().sum(), slack);
        if x.dtype().is_float() {
            same("mean", x.mean(axes), &|v| v.iter().sum::<f64>() / v.len() as f64, slack);
        }
        same("any", x.any(axes), &|v| v.iter().any(|v| *v != 0.0) as u8 as f64, 0.0);
        same("all", x.all(axes), &|v| v.iter().all(|v| *v != 0.0) as u8 as f64, 0.0);
        if groups.iter().all(|group| !group.is_empty()) {
            same("max", x.max(axes), &|v| v.iter().copied().fold(f64::NEG_INFINITY, f64::max), 0.0);
            same("min", x.min(axes), &|v| v.iter().copied().fold(f64::INFINITY, f64::min), 0.0);
        }
        if x.dtype() == DType::F64 {
            // By logarithms, since a product that runs leaves the range where the whole one may not.
            for (y, group) in x.prod(axes).to_vec::<f64>().iter().zip(&groups) {
                let size = group.iter().map(|v| v.abs().log2()).sum::<f64>().exp2();
                let want = if group.iter().filter(|v| **v < 0.0).count() % 2 == 0 { size } else { -size };
                let near = (y - want).abs() <= 1e-9 * size || *y == want;
                assert!(near, "prod {what} over {axes:?}: {y} {want}");
            }
        }
        if !x.dtype().is_float() {
            let product = |v: &[f64]| v.iter().fold(1i64, |p, &v| p.wrapping_mul(v as i64)) as f64;
            let (y, want) = (x.prod(axes), groups.iter().map(|v| product(v)));
            let y: Vec<f64> = y.to(DType::F64).to_vec();
            assert_eq!(y, want.collect::<Vec<_>>(), "prod {what} over {axes:?}");
        }
    }

    #[test]
    fn every_view_of_every_dtype_is_what_plain_loops_find() {
        for dtype in DType::ALL {
            for [a, b, c] in [
                [1, 1, 1],
                [3, 4, 5],
                [0, 3, 2],
                [2, 0, 3],
                [7, 33, 70],
                [2, 1500, 3],
                [5, 3, 1100],
                [19, 2, 9],
            ] {
                let count = 2 * a * (b + 2) * (c + 3);
                let values: Vec<f64> = (0..count).map(|i| (i * 7919 % 23) as f64 / 4.0 - 2.0).collect();
                let values =
                    if dtype.is_float() { values } else { values.iter().map(|v| (v * 4.0).abs()).collect() };
                let x = Tensor::from_vec(values, [2 * a, b + 2, c + 3]).to(dtype);
                let part = x.slice(0, ..a as isize).slice(1, 1..=b as isize).slice(2, 2..(c + 2) as isize);
                let views = [
                    ("row-major", part.contiguous()),
                    ("cut out", part.clone()),
                    ("turned", part.permute([2, 0, 1])),
                    ("turned round", part.contiguous().permute([2, 1, 0])),
                    (
                        "repeated in front",
                        part.slice(0, ..1.min(a as isize)).expand([if a > 0 { 3 } else { 0 }, b, c]),
                    ),
                    ("repeated", part.slice(2, ..1).expand([a, b, c + 1])),
                ];
                for (what, x) in views {
                    for axes in [&[0usize, 1, 2][..], &[0], &[1], &[2], &[0, 1], &[0, 2], &[1, 2]] {
                        checked(&x, axes, &format!("{dtype} {a} × {b} × {c} {what}"));
                    }
                }
            }
        }
    }
}
