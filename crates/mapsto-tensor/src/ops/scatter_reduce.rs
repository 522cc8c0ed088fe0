//! Elements written to places named by indices, or joined with what is there.

use super::gather::{check_shapes, first_of, reached};
use super::scatter_add::check_source;
use crate::backend::carry;
use crate::backend::cpu::{around, moved, slice};
use crate::backend::host::with_size;
use crate::check::{floats, ints};
use crate::elementwise::same_dtype;
use crate::error::named;
use crate::graph::{At, Cost, Fast, Fused, Keep, Op, Outline, Ran, Say, Vjp, apply, boxed, fused};
use crate::indices::positions;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::Axis;
use crate::storage::Plain;
use crate::{DType, Error, ErrorKind, Result, Tensor, fail};
use mapsto_kernels::index;
use mapsto_kernels::real::Number;

impl Tensor {
    /// With the elements of `src` at the places of an index along an axis; of several for one place the last counts.
    ///
    /// * Shape: `[a, n], [b, m], [c, k] → [a, n]` along the last axis: an index that is smaller than the tensor or the source reaches
    ///   the first elements of their axes; any number.   * Gradient: each `dy` to where its element came from.
    /// * ONNX: `ScatterElements`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = Tensor::zeros([3]).scatter(0, &tensor![2, 0, 2], &tensor![1.0, 2.0, 3.0]);
    /// assert_close!(y, [2.0, 0.0, 3.0]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, the dtypes differ, or an index is not within the axis.
    #[track_caller]
    pub fn scatter(&self, axis: impl Into<Axis>, index: &Tensor, src: &Tensor) -> Tensor {
        let Some((axis, index, src)) = checked("scatter", self, axis.into(), index, src) else { return self.clone() };
        named("scatter", || reached(self, axis, index.shape(), &|x| fused(Scatter { axis, join: None }, &[x, &index, &src])))
    }

    /// With the elements of `src` joined to what is at the places of an index along an axis.
    ///
    /// * Shape: as [`scatter`](Tensor::scatter); sums and means of floats.   * Gradient: that of the sum, mean, product or extreme, which equals share evenly.
    /// * ONNX: `ScatterElements`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, index, src) = (tensor![1.0, 2.0], tensor![0, 0, 1], tensor![5.0, 3.0, 0.5]);
    /// assert_close!(x.scatter_reduce(0, &index, &src, Join::Max), [5.0, 2.0]);
    /// assert_close!(x.scatter_reduce(0, &index, &src, Join::Mean), [3.0, 1.25]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, the dtypes differ, or an index is not within the axis.
    #[track_caller]
    pub fn scatter_reduce(&self, axis: impl Into<Axis>, index: &Tensor, src: &Tensor, join: Join) -> Tensor {
        self.scatter_reduce_with(axis, index, src, join, Base::Included)
    }

    /// [`scatter_reduce`](Tensor::scatter_reduce) that counts what is at the places, or leaves it out: PyTorch's `include_self`.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, index, src) = (tensor![9.0, 2.0], tensor![0, 0], tensor![5.0, 3.0]);
    /// assert_close!(x.scatter_reduce_with(0, &index, &src, Join::Max, Base::Excluded), [5.0, 2.0]);
    /// ```
    /// # Panics
    /// As [`scatter_reduce`](Tensor::scatter_reduce).
    #[track_caller]
    pub fn scatter_reduce_with(&self, axis: impl Into<Axis>, index: &Tensor, src: &Tensor, join: Join, base: Base) -> Tensor {
        let Some((axis, index, src)) = checked("scatter_reduce", self, axis.into(), index, src) else { return self.clone() };
        if matches!(join, Join::Sum | Join::Mean) && !self.dtype().is_float() {
            fail!("scatter_reduce", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        named("scatter_reduce", || reached(self, axis, index.shape(), &|x| reduced(x, axis, &index, &src, join, base)))
    }
}

/// What [`Tensor::scatter_reduce_with`] makes of a part that the index reaches.
#[track_caller]
fn reduced(x: &Tensor, axis: usize, index: &Tensor, src: &Tensor, join: Join, base: Base) -> Tensor {
    // A count has no place in 16 bits.
    if join == Join::Mean && x.dtype().size() < 4 {
        let [wide, src] = [x, src].map(|x| x.to(DType::F32));
        return reduced(&wide, axis, index, &src, join, base).to(x.dtype());
    }
    let ones = |x: &Tensor| Tensor::ones_like(&x.detach());
    let (start, counts) = match base {
        Base::Included => (x.clone(), ones(x)),
        Base::Excluded => {
            // Where nothing comes to, all stays as it is.
            let many = Tensor::zeros_like(x).to(DType::I64);
            let met = fused(Scatter { axis, join: None }, &[&many, index, &ones(src).to(DType::I64)]).ne(0);
            let counts = met.choose(Tensor::zeros_like(x), ones(x));
            let first = match join {
                Join::Prod => ones(x),
                Join::Sum | Join::Mean => Tensor::zeros_like(x),
                // One of the elements themselves changes no extreme.
                Join::Max | Join::Min => fused(Scatter { axis, join: None }, &[&x.detach(), index, &src.detach()]),
            };
            (met.choose(first, x), counts)
        }
    };
    match join {
        Join::Sum => start.scatter_add(axis, index, src),
        Join::Mean => start.scatter_add(axis, index, src) / counts.scatter_add(axis, index, &ones(src)),
        Join::Prod => fused(Scatter { axis, join: Some(join) }, &[&start, index, src]),
        Join::Max | Join::Min => apply(Extreme { axis, join, counts: base == Base::Included }, &[&start, index, src]),
    }
}

/// Whether [`Tensor::scatter_reduce_with`] counts what is at the places already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// It counts as one more element.
    Included,
    /// It is left out where an element comes.
    Excluded,
}

/// How [`Tensor::scatter_reduce`] joins the elements that meet at a place, with the one that was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// Their product.
    Prod,
    /// The largest (PyTorch: `amax`).
    Max,
    /// The smallest (PyTorch: `amin`).
    Min,
}

/// The axis, the positions and their elements, checked; none where a device has no numbers.
#[track_caller]
fn checked(op: &str, x: &Tensor, axis: Axis, index: &Tensor, src: &Tensor) -> Option<(usize, Tensor, Tensor)> {
    let axis = axis.of(op, x.shape());
    same_dtype(op, x, src);
    check_shapes(op, x.shape(), axis, index.shape());
    check_source(op, index, src);
    let index = positions(op, index, x.shape()[axis]);
    let src = named(op, || first_of(src, index.shape(), None));
    x.device().backend().has_numbers().then_some((axis, index, src))
}

/// An extreme of all that meet at a place, whose gradient those that are equal to it share evenly.
struct Extreme {
    axis: usize,
    join: Join,
    /// Whether what was there counts among them.
    counts: bool,
}
impl Op for Extreme {
    fn name(&self) -> &'static str {
        "scatter_reduce"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        3..=3
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::moved(xs, y).plus(xs[2].count())
    }
    fn attrs(&self, say: Say<'_>) {
        Scatter { axis: self.axis, join: Some(self.join) }.attrs(say);
        if !self.counts {
            say("counts", false.into());
        }
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        fused(Scatter { axis: self.axis, join: Some(self.join) }, xs).into()
    }
    fn keep(&self) -> Keep {
        Keep::BOTH
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let (index, y) = (at.b(), at.y().detach());
        let mine = at.a().detach().eq(&y);
        let mine = if self.counts { mine } else { mine.and(&mine.not()) };
        let theirs = at.input(2).detach().eq(y.gather(self.axis, index));
        // A count has no place in 16 bits.
        let inner = if g.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
        let count = mine.to(inner).scatter_add(self.axis, index, &theirs.to(inner));
        let share = (g.to(inner) / count.maximum(1.0)).to(g.dtype());
        let of_src = at.wants(2).then(|| theirs.choose(share.gather(self.axis, index), 0.0));
        // Where nothing else comes, what was there is the extreme of itself.
        let alone = count.eq(0.0).and(&y.eq(&y));
        Vjp::from([at.wants(0).then(|| mine.or(&alone).choose(&share, 0.0)), None, of_src])
    }
}

/// The last element that comes to a place, or the product or an extreme of all that meet there.
struct Scatter {
    axis: usize,
    join: Option<Join>,
}
impl Scatter {
    const WORDS: [(&'static str, Option<Join>); 4] =
        [("last", None), ("prod", Some(Join::Prod)), ("max", Some(Join::Max)), ("min", Some(Join::Min))];

    fn named(word: &str) -> Result<Option<Join>> {
        let found = Scatter::WORDS.iter().find(|(name, _)| *name == word);
        found.map(|(_, join)| *join).ok_or_else(|| {
            Error::new(ErrorKind::Model, format!("the attribute `join` cannot be {word}: it is one of last, prod, max, min"))
        })
    }

    /// What `src` makes of `y`, both row-major and of this type.
    fn joined<T: Number + Plain>(&self, mut y: Tensor, index: &Tensor, src: &Tensor) -> Tensor {
        let (dims, m) = (around(y.shape(), self.axis), index.shape()[self.axis]);
        let join = match self.join {
            None => |_, new| new,
            Some(Join::Max) => T::max,
            Some(Join::Min) => T::min,
            Some(_) => T::times,
        };
        index::scatter(y.as_mut_slice::<T>(), dims, slice(index), m, slice(src), join);
        y
    }
}
impl Fused for Scatter {
    fn name(&self) -> &'static str {
        "scatter_reduce"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        3..=3
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::moved(xs, y).plus(xs[2].count())
    }
    fn attrs(&self, say: Say<'_>) {
        say("axis", self.axis.into());
        let word = Scatter::WORDS.iter().find(|(_, join)| *join == self.join);
        say("join", word.map_or("sum", |(name, _)| *name).into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let (x, src, places) = (xs[0], xs[2], places(xs[0], self.axis, xs[1]));
        match self.join {
            None => {
                let mut from = itself(x);
                places.iter().enumerate().for_each(|(i, place)| from[*place] = (x.len() + i) as i64);
                picked(x, src, from)
            }
            Some(Join::Max) => joined(x, src, &places, &|a, b| a.maximum(b)),
            Some(Join::Min) => joined(x, src, &places, &|a, b| a.minimum(b)),
            Some(_) => joined(x, src, &places, &|a, b| a * b),
        }
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let (x, index, src) = (xs[0], xs[1].contiguous(), xs[2]);
        if self.join.is_none() {
            return Some(replaced(x, self.axis, &index, src).into());
        }
        // Products of many keep their digits in f64.
        let inner = match x.dtype() {
            dtype if dtype.is_float() && self.join == Some(Join::Prod) => DType::F64,
            DType::F16 | DType::BF16 => DType::F32,
            dtype => dtype,
        };
        let (y, src) = (x.detach().to(inner).contiguous(), src.detach().to(inner).contiguous());
        let y = match inner {
            DType::F32 => self.joined::<f32>(y, &index, &src),
            DType::F64 => self.joined::<f64>(y, &index, &src),
            DType::I64 => self.joined::<i64>(y, &index, &src),
            _ => return None,
        };
        Some(y.to(x.dtype()).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        // What equals share is found by the definition.
        if self.join.is_some() {
            return None;
        }
        let (axis, index) = (self.axis, &at.b().contiguous());
        let zeros = |shape: &[usize], dtype| g.device().scope(|| Tensor::full_of(shape, 0, dtype));
        let of_x = || replaced(g, axis, index, &zeros(index.shape(), g.dtype()));
        let of_src = || stayed(g, axis, index);
        Some(Vjp::from([at.wants(0).then(of_x), None, at.wants(2).then(of_src)]))
    }
}

/// A copy of `x` with the elements of `src` at the places of a checked, row-major index.
fn replaced(x: &Tensor, axis: usize, index: &Tensor, src: &Tensor) -> Tensor {
    let (mut y, src) = (carry::copy(&x.detach()), src.contiguous());
    let (dims, m) = (around(x.shape(), axis), index.shape()[axis]);
    with_size!(x.dtype(), S => index::replace(y.bytes_as_mut::<S>(), dims, slice(index), m, moved(&src)));
    y
}

/// The elements of `g` at the places of a checked, row-major index, where an element was the last that came there; elsewhere 0.
fn stayed(g: &Tensor, axis: usize, index: &Tensor) -> Tensor {
    let (g, m) = (g.contiguous(), index.shape()[axis]);
    let mut dg = g.device().backend().empty(index.shape_of(), g.dtype());
    with_size!(g.dtype(), S => index::replace_backward(moved::<S>(&g), around(g.shape(), axis), slice(index), m, dg.bytes_as_mut::<S>()));
    dg
}

/// The place of each element of a checked index in row-major order.
#[track_caller]
fn places(x: &Tensor, axis: usize, index: &Tensor) -> Vec<usize> {
    let (n, m) = (x.shape()[axis], index.shape()[axis]);
    let inner: usize = x.shape()[axis + 1..].iter().product();
    let place = |(i, at): (usize, i64)| (i / (m * inner) * n + at as usize) * inner + i % inner;
    index.to_vec::<i64>().into_iter().enumerate().map(place).collect()
}

/// Elements of `x` and of `src` behind it, in the shape of `x`.
#[track_caller]
fn picked(x: &Tensor, src: &Tensor, from: Vec<i64>) -> Tensor {
    let all = Tensor::cat(&[x.reshape([-1]), src.reshape([-1])], 0);
    let count = from.len();
    all.index_select(0, &x.device().scope(|| Tensor::from_vec(from, [count]))).reshape(x.shape())
}

/// The place of each element of a tensor, in row-major order.
#[track_caller]
fn itself(x: &Tensor) -> Vec<i64> {
    let mut from = crate::memory::room_for(x.len());
    from.extend(0..x.len() as i64);
    from
}

/// What meets at each place, joined in pairs again and again: as many rounds as bits in the largest number of them.
#[track_caller]
fn joined(x: &Tensor, src: &Tensor, places: &[usize], join: &dyn Fn(&Tensor, &Tensor) -> Tensor) -> Tensor {
    let list = |at: Vec<usize>| {
        let count = at.len();
        let at: Vec<i64> = at.into_iter().map(|i| i as i64).collect();
        x.device().scope(|| Tensor::from_vec(at, [count]))
    };
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|&i| places[i]);
    let mut touched: Vec<usize> = order.iter().map(|&i| places[i]).collect();
    touched.dedup();
    // At each place first what is there, then the sources in their order.
    let mut met: Vec<Vec<usize>> = (0..touched.len()).map(|k| vec![k]).collect();
    for (i, from) in order.iter().enumerate() {
        let k = touched.partition_point(|place| *place < places[*from]);
        met[k].push(touched.len() + i);
    }
    let there = x.reshape([-1]).index_select(0, &list(touched.clone()));
    let mut all = Tensor::cat(&[there, src.reshape([-1]).index_select(0, &list(order))], 0);
    while met.iter().any(|m| m.len() > 1) {
        let (mut first, mut second, mut alone) = (Vec::new(), Vec::new(), Vec::new());
        for (k, pair) in met.iter().enumerate().flat_map(|(k, m)| m.chunks(2).map(move |pair| (k, pair))) {
            match pair {
                [a, b] => {
                    first.push((k, *a));
                    second.push(*b);
                }
                rest => alone.push((k, rest[0])),
            }
        }
        met.iter_mut().for_each(Vec::clear);
        first.iter().chain(&alone).enumerate().for_each(|(i, (k, _))| met[*k].push(i));
        let of = |pairs: Vec<(usize, usize)>| all.index_select(0, &list(pairs.into_iter().map(|(_, at)| at).collect()));
        all = Tensor::cat(&[join(&of(first), &all.index_select(0, &list(second))), of(alone)], 0);
    }
    let whole = all.index_select(0, &list(met.into_iter().map(|m| m[0]).collect()));
    let mut from = itself(x);
    touched.iter().enumerate().for_each(|(k, place)| from[*place] = (x.len() + k) as i64);
    picked(x, &whole, from)
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("scatter_reduce", "Elements joined with what is at the places of an index along an axis.", Takes::Floats, samples).built(|a| {
        let (axis, join) = (a.need("axis")?, Scatter::named(a.need("join")?)?);
        Ok(match join {
            Some(join @ (Join::Max | Join::Min)) => Box::new(Extreme { axis, join, counts: a.may("counts")?.unwrap_or(true) }) as Box<dyn Op>,
            join => boxed(Scatter { axis, join }),
        })
    }),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d), (&[3, 4], &ints(0..5)), (&[3, 4], &d)], |x| x[0].scatter_reduce(1, &x[1], &x[2], Join::Prod));
    s.of(&[(&[4, 2], &d), (&[7, 2], &ints(0..4)), (&[7, 2], &d)], |x| x[0].scatter_reduce(0, &x[1], &x[2], Join::Max));
    s.of(&[(&[4, 2], &d), (&[7, 2], &ints(0..4)), (&[7, 2], &d)], |x| x[0].scatter_reduce(0, &x[1], &x[2], Join::Mean));
    s.of(&[(&[4, 2], &d), (&[7, 2], &ints(0..4)), (&[7, 2], &d)], |x| x[0].scatter(0, &x[1], &x[2]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn scattered() {
        let d = || floats(-2.0..2.0);
        check3(|x, i, s| x.scatter(0, i, s)).shapes([&[4, 3], &[5, 3], &[5, 3]])
            .formula(|[x, i, s]| Numbers::from_fn(&[4, 3], |at| {
                (0..5).rev().find(|&k| i.at(&[k, at[1]]) == at[0] as f64).map_or(x.at(at), |k| s.at(&[k, at[1]]))
            }))
            .on(d(), ints(0..4), d());
        type Fold = fn(f64, f64) -> f64;
        let folds: [(Join, Fold); 4] = [(Join::Sum, |a, b| a + b), (Join::Prod, |a, b| a * b), (Join::Max, f64::max), (Join::Min, f64::min)];
        for (join, fold) in folds {
            check3(move |x, i, s| x.scatter_reduce(1, i, s, join)).shapes([&[2, 4], &[2, 9], &[2, 9]])
                .formula(move |[x, i, s]| Numbers::from_fn(&[2, 4], |at| {
                    (0..9).filter(|&k| i.at(&[at[0], k]) == at[1] as f64).fold(x.at(at), |y, k| fold(y, s.at(&[at[0], k])))
                }))
                .on(d(), ints(0..4), d());
        }
        for (_, join) in Scatter::WORDS {
            check_fused(|| Scatter { axis: 1, join }, &[(&[2, 4, 3], d()), (&[2, 9, 3], ints(0..4)), (&[2, 9, 3], d())]);
            check_fused(|| Scatter { axis: 0, join }, &[(&[40], d()), (&[90], ints(0..40)), (&[90], d())]);
        }
        for join in [Join::Sum, Join::Mean, Join::Prod, Join::Max, Join::Min] {
            check3(move |x, i, s| x.scatter_reduce_with(1, i, s, join, Base::Excluded)).shapes([&[3, 4], &[2, 5], &[2, 6]])
                .formula(move |[x, i, s]| Numbers::from_fn(&[3, 4], |at| {
                    let met: Vec<f64> = (0..5).filter(|&k| at[0] < 2 && i.at(&[at[0], k]) == at[1] as f64).map(|k| s.at(&[at[0], k])).collect();
                    match join {
                        _ if met.is_empty() => x.at(at),
                        Join::Sum => met.iter().sum(),
                        Join::Mean => met.iter().sum::<f64>() / met.len() as f64,
                        Join::Prod => met.iter().product(),
                        Join::Max => met.into_iter().fold(f64::NEG_INFINITY, f64::max),
                        Join::Min => met.into_iter().fold(f64::INFINITY, f64::min),
                    }
                }))
                .on(d(), ints(0..4), d());
        }
        // Equals share evenly, as in PyTorch.
        let (x, src) = (tensor![2.0, 1.0, 7.0].leaf(), tensor![2.0, 2.0, 0.0, 1.0].leaf());
        let y = x.scatter_reduce(0, &tensor![0, 0, 0, 1], &src, Join::Max);
        let grads = (y * tensor![3.0, 1.0, 1.0]).sum(..).backward();
        assert_close!(grads.of(&x), [1.0, 0.5, 1.0]);
        assert_close!(grads.of(&src), [1.0, 1.0, 0.0, 0.5]);
        let y = x.scatter_reduce_with(0, &tensor![0, 0, 0, 1], &src, Join::Max, Base::Excluded);
        let grads = (y * tensor![3.0, 1.0, 1.0]).sum(..).backward();
        assert_close!(grads.of(&x), [0.0, 0.0, 1.0]);
        assert_close!(grads.of(&src), [1.5, 1.5, 0.0, 1.0]);
        for dtype in DType::ALL {
            let y = tensor![0, 1, 1].to(dtype).scatter(0, &tensor![2, 1, 2], &tensor![1, 0, 0].to(dtype));
            assert_eq!((y.dtype(), y.to(DType::I64).to_vec::<i64>()), (dtype, vec![0, 0, 0]));
        }
        let x = tensor![1.0, f64::NAN, 3.0];
        let y = x.scatter_reduce(0, &tensor![0, 1, 2], &tensor![f64::NAN, 2.0, 4.0], Join::Max).to_vec::<f32>();
        assert!(y[0].is_nan() && y[1].is_nan() && y[2] == 4.0);
        // Values of torch.scatter_reduce.
        let y = Tensor::ones([2]).scatter_reduce(0, &tensor![0, 0, 1], &tensor![2.0, 6.0, 5.0], Join::Mean);
        assert_close!(y, [3.0, 3.0]);
        let ones = Tensor::ones([70001]).to(DType::F16);
        let y = Tensor::ones([1]).to(DType::F16).scatter_reduce(0, &Tensor::zeros([70001]).to(DType::I64), &ones, Join::Mean);
        assert_eq!(y.to(DType::F32).item(), 1.0);
        assert_eq!(tensor![1, 2].scatter_reduce(0, &tensor![1, 1], &tensor![7, 3], Join::Max).to_vec::<i64>(), [1, 7]);
    }
}
