//! Scaled dot-product attention: each query's mean of the values, weighted by how well their keys fit it.

use crate::autocast::low;
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::cpu::{slice, widened, with_float};
use crate::elementwise::same_dtype;
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused, times};
use crate::shape::broadcast;
use crate::storage::Plain;
use crate::{DType, Layout, Shape, Tensor, fail, keep};
use mapsto_kernels::attention::{self as kernel, AttentionShape, Heads, Hidden};

/// Which keys a query sees in [`attention`].
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = Tensor::ones([1, 1, 3, 2]);
/// let v = tensor![[[[1.0], [2.0], [6.0]]]];
/// assert_close!(attention(&x, &x, &v, Mask::None).flatten(0), [3.0, 3.0, 3.0]);
/// assert_close!(attention(&x, &x, &v, Mask::Causal).flatten(0), [1.0, 1.5, 3.0]);
/// let mask = tensor![true, false, true];
/// assert_close!(attention(&x, &x, &v, &mask).flatten(0), [3.5, 3.5, 3.5]);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Mask {
    /// It sees all.
    None,
    /// It sees those up to its own place. Where there are more keys than queries, the queries are the last ones, as
    /// when a text is continued.
    Causal,
    /// Of bool: it sees those where the tensor is true. Of floats: the tensor is added to the scores. Either is
    /// broadcast to `[b, heads, t, s]`.
    Tensor(Tensor),
}

impl From<&Tensor> for Mask {
    fn from(mask: &Tensor) -> Mask {
        Mask::Tensor(mask.clone())
    }
}

impl From<Tensor> for Mask {
    fn from(mask: Tensor) -> Mask {
        Mask::Tensor(mask)
    }
}

/// `softmax(q kᵀ / √d + mask) v` for each sequence and head, in one pass that never holds the weights `[t, s]`.
///
/// A query that sees no key, as padding may have it, gives 0, and no gradient passes through it.
///
/// * Shape: `[b, heads, t, d], [b, heads, s, d], [b, heads, s, e] → [b, heads, t, e]`, floats of one dtype. Views such
///   as `x.reshape([b, t, heads, d]).swap(1, 2)` are read in place, and `y.swap(1, 2).reshape([b, t, heads * e])` of
///   the result costs nothing either.
/// * Gradient: with the weights `p`, `dv = pᵀ dy`, `ds = p (dy vᵀ − Σₑ dy y)`, `dq = ds k / √d`, `dk = dsᵀ q / √d`; the
///   weights are computed again.
/// * Source: Vaswani et al. (2017), arXiv:1706.03762, eq. 1; Dao et al. (2022), arXiv:2205.14135.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let q = tensor![[[[1.0], [0.0]]]];
/// let (k, v) = (tensor![[[[0.0], [3f64.ln()]]]], tensor![[[[4.0], [8.0]]]]);
/// assert_close!(attention(&q, &k, &v, Mask::None).flatten(0), [7.0, 6.0]);
/// ```
/// # Panics
/// When the shapes do not fit or the dtypes differ; when there are fewer keys than queries under [`Mask::Causal`].
#[track_caller]
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, mask: impl Into<Mask>) -> Tensor {
    attend(q, k, v, mask.into(), None)
}

/// [`attention`] with another factor than `1 / √d`.
#[track_caller]
pub(super) fn attend(q: &Tensor, k: &Tensor, v: &Tensor, mask: Mask, scale: Option<f64>) -> Tensor {
    let bias = if let Mask::Tensor(bias) = &mask { Some(bias) } else { None };
    if let Some([Some(q), Some(k), Some(v), bias]) = low([Some(q), Some(k), Some(v), bias]) {
        return attend(&q, &k, &v, bias.map_or(mask, Mask::Tensor), scale);
    }
    let s = check_shapes(q, k, v, &mask);
    let causal = matches!(mask, Mask::Causal);
    let op = Attention { causal, scale: scale.unwrap_or(root(s.d)) };
    match mask {
        Mask::Tensor(seen) if seen.dtype() == DType::Bool => fused(op, &[q, k, v, &as_bias(&seen, q)]),
        Mask::Tensor(bias) => fused(op, &[q, k, v, &bias]),
        Mask::None | Mask::Causal => fused(op, &[q, k, v]),
    }
}

/// `1 / √d`.
fn root(d: usize) -> f64 {
    1.0 / (d.max(1) as f64).sqrt()
}

/// `softmax(q kᵀ / √d + mask)`: how much each query of [`attention`] takes from each key. For looking at; attention itself
/// never holds them.
///
/// * Shape: `[b, heads, t, d], [b, heads, s, d] → [b, heads, t, s]`, each row adding up to 1, or all 0 where a query sees no key.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let (q, k) = (tensor![[[[1.0], [0.0]]]], tensor![[[[0.0], [3f64.ln()]]]]);
/// assert_close!(attention_weights(&q, &k, Mask::None).flatten(2), [[[0.25, 0.75, 0.5, 0.5]]]);
/// assert_close!(attention_weights(&q, &k, Mask::Causal).flatten(2), [[[1.0, 0.0, 0.5, 0.5]]]);
/// ```
/// # Panics
/// As [`attention`].
#[track_caller]
pub fn attention_weights(q: &Tensor, k: &Tensor, mask: impl Into<Mask>) -> Tensor {
    weigh(q, k, mask.into(), None)
}

#[track_caller]
pub(super) fn weigh(q: &Tensor, k: &Tensor, mask: Mask, scale: Option<f64>) -> Tensor {
    if let Some([Some(q), Some(k)]) = low([Some(q), Some(k)]) {
        return weigh(&q, &k, mask, scale);
    }
    let s = check_shapes(q, k, k, &mask);
    Shape::new(&[s.b, s.heads, s.t, s.s]).fit("attention");
    // In f32 at least, as the kernel computes them: scores may leave the range of 16 bits.
    let dtype = if q.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
    let mask = match mask {
        Mask::Tensor(bias) if bias.dtype() != DType::Bool => Mask::Tensor(bias.to(dtype)),
        other => other,
    };
    let scores = (q.to(dtype) * scale.unwrap_or(root(s.d))).matmul(&k.to(dtype).t()); // [b, heads, t, s]
    weights(masked(scores, &mask)).to(q.dtype())
}

/// The softmax of the scores; 0 for a query all of whose scores are `-inf`, which a plain softmax makes NaN.
#[track_caller]
fn weights(scores: Tensor) -> Tensor {
    if scores.is_empty() {
        return scores;
    }
    let nothing = scores.detach().max(keep(-1)).eq(f64::NEG_INFINITY);
    scores.masked_fill(&nothing, 0.0).softmax(-1).masked_fill(&nothing, 0.0)
}

/// The scores `[.., t, s]` with the mask applied.
#[track_caller]
fn masked(scores: Tensor, mask: &Mask) -> Tensor {
    match mask {
        Mask::None => scores,
        Mask::Causal => {
            let (t, s) = (scores.shape()[2] as i64, scores.shape()[3] as i64);
            let later = scores.device().scope(|| Tensor::arange(0..s).gt(Tensor::arange(s - t..s).unsqueeze(1)));
            scores.masked_fill(&later, f64::NEG_INFINITY)
        }
        Mask::Tensor(seen) if seen.dtype() == DType::Bool => as_bias(seen, &scores) + scores,
        Mask::Tensor(bias) => scores + bias,
    }
}

/// 0 where a bool mask is true, -inf elsewhere.
fn as_bias(seen: &Tensor, like: &Tensor) -> Tensor {
    let never = like.device().scope(|| Tensor::full_of((), f64::NEG_INFINITY, like.dtype()));
    seen.choose(0.0, &never)
}

#[track_caller]
fn check_shapes(q: &Tensor, k: &Tensor, v: &Tensor, mask: &Mask) -> AttentionShape {
    const OP: &str = "attention";
    same_dtype(OP, q, k);
    same_dtype(OP, q, v);
    if !q.dtype().is_float() {
        fail!(OP, "floats are needed, these are {}", q.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    for (name, x) in [("queries", q), ("keys", k), ("values", v)] {
        if x.rank() != 4 {
            fail!(OP, "the {name} must be [b, heads, t, d], they are {:?}", x.shape();
                  help = "cut the heads from the last axis: `x.reshape([b, t, heads, d]).swap(1, 2)`");
        }
    }
    let ([b, heads, t, d], [_, _, s, e]) = (q.dims(), v.dims());
    if k.shape()[..2] != [b, heads] || k.shape()[3] != d {
        fail!(OP, "queries {:?} and keys {:?} do not fit", q.shape(), k.shape(); help = "the keys must be [{b}, {heads}, any, {d}]");
    }
    if v.shape()[..2] != [b, heads] || k.shape()[2] != s {
        fail!(OP, "keys {:?} and values {:?} do not fit      {} ≠ {s}", k.shape(), v.shape(), k.shape()[2];
              help = "there is one value for each key: [{b}, {heads}, {}, any]", k.shape()[2]);
    }
    Shape::new(&[b, heads, t, e]).fit(OP);
    match mask {
        Mask::Causal if s < t => {
            fail!(OP, "{t} queries cannot look back on {s} keys"; help = "a causal mask needs a key for each query: use `Mask::None`")
        }
        Mask::Tensor(m) => {
            if m.dtype() != DType::Bool {
                same_dtype(OP, q, m);
            }
            let full = Shape::new(&[b, heads, t, s]);
            if m.rank() > 4 || broadcast(OP, m.shape_of(), &full) != full {
                fail!(OP, "a mask of {:?} does not fit scores of {:?}", m.shape(), &full[..]; help = "it must broadcast to [b, heads, t, s]");
            }
        }
        _ => {}
    }
    AttentionShape { b, heads, t, s, d, e }
}

/// Of queries, keys, values and, perhaps, a bias.
struct Attention {
    causal: bool,
    scale: f64,
}

impl Attention {
    fn hidden<'a, T: Plain>(&self, bias: Option<&'a Tensor>, s: &AttentionShape) -> Hidden<'a, T> {
        match bias {
            Some(bias) => Hidden::Bias(heads(bias, &bias.layout().broadcast_to(&[s.b, s.heads, s.t, s.s].into()))),
            None if self.causal => Hidden::Later,
            None => Hidden::Nothing,
        }
    }
}

impl Fused for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        3..=4
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        // The scores `q kᵀ`, their softmax, and the weighted sum of the values.
        let scores = times(&[xs[0].count() / xs[0].last().max(1), xs[1].shape[2] as u64]);
        Cost::products(xs, y, times(&[scores, xs[0].last() + xs[2].last()])).plus(times(&[5, scores]))
    }
    fn attrs(&self, say: Say<'_>) {
        say("causal", self.causal.into());
        say("scale", self.scale.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let [q, k, v] = [xs[0], xs[1], xs[2]];
        let mask = match xs.get(3) {
            Some(bias) => Mask::from(*bias),
            None if self.causal => Mask::Causal,
            None => Mask::None,
        };
        weights(masked((q * self.scale).matmul(&k.t()), &mask)).matmul(v)
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let s = shape_of(xs)?;
        let [q, k, v] = [xs[0], xs[1], xs[2]].map(in_rows);
        let bias = xs.get(3).map(|bias| widened(bias));
        let mut log = None;
        let y = with_float!(q.dtype(), T => Tensor::filled_by([s.b, s.t, s.heads, s.e], |y: &mut [T]| {
            log = Some(Tensor::filled_by([2, s.b, s.heads, s.t], |log: &mut [T]| {
                let [q, k, v] = [&q, &k, &v].map(|x| heads(x, x.layout()));
                kernel::attention(&s, self.scale, q, k, v, self.hidden(bias.as_ref(), &s), y, log)
            }));
        }));
        Some(Fast { y: y.to(xs[0].dtype()).swap(1, 2), kept: log.into_iter().collect() })
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let xs: Vec<&Tensor> = (0..at.inputs()).map(|i| at.input(i)).collect();
        let s = shape_of(&xs)?;
        if xs.len() == 4 && at.wants(3) {
            return None; // a bias that is learned needs the weights themselves
        }
        let [q, k, v, g] = [xs[0], xs[1], xs[2], g].map(in_rows);
        let bias = xs.get(3).map(|bias| widened(bias));
        let y = widened(&at.y().swap(1, 2)).contiguous();
        let size = q.len() + k.len() + v.len();
        let all = with_float!(q.dtype(), T => Tensor::filled_by(size, |all: &mut [T]| {
            let [q, k, v, g] = [&q, &k, &v, &g].map(|x| heads(x, x.layout()));
            let hidden = self.hidden(bias.as_ref(), &s);
            kernel::attention_backward(&s, self.scale, [q, k, v], hidden, slice(&y), slice(&at.kept()[0]), g, all)
        }));
        let mut grads: Vec<Option<Tensor>> = (0..3)
            .map(|i| {
                let ((offset, row), shape) = (s.gradients()[i], *xs[i].shape_of());
                let [_, _, rows, n] = [0, 1, 2, 3].map(|axis| shape[axis] as isize);
                let mut layout = Layout { offset, ..Layout::contiguous(shape) };
                layout.strides[..4].copy_from_slice(&[rows * row as isize, n, row as isize, 1]);
                at.wants(i).then(|| Tensor::raw(all.0.storage.clone(), layout, all.dtype()))
            })
            .collect();
        grads.resize(xs.len(), None);
        Some(grads.into())
    }
    fn keeps_output(&self) -> bool {
        true
    }
}

/// The sizes, where none of them is 0.
fn shape_of(xs: &[&Tensor]) -> Option<AttentionShape> {
    let ([b, heads, t, d], [_, _, s, e]) = (xs[0].dims(), xs[2].dims());
    [b, heads, t, s, d, e].iter().all(|&n| n > 0).then_some(AttentionShape { b, heads, t, s, d, e })
}

/// In f32 or f64, with the numbers of a row side by side.
fn in_rows(x: &Tensor) -> Tensor {
    let x = widened(x);
    if x.shape()[3] == 1 || x.layout().strides()[3] == 1 { x } else { x.contiguous() }
}

fn heads<'a, T: Plain>(x: &'a Tensor, layout: &Layout) -> Heads<'a, T> {
    let mut strides: [isize; 4] = std::array::from_fn(|i| layout.strides()[i]);
    if layout.shape[3] == 1 {
        strides[3] = 1; // of one number any stride is as good
    }
    Heads { data: x.storage().as_slice(), offset: layout.offset(), strides }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("attention", "`softmax(q kᵀ / √d + mask) v` for each sequence and head, in one pass that never holds the weights `[t, s]`.", Takes::Floats, of_attention).built(|a| Ok(boxed(Attention { causal: a.need("causal")?, scale: a.need("scale")? }))),
    OpKind::new("attention_weights", "`softmax(q kᵀ / √d + mask)`: how much each query of `attention` takes from each key.", Takes::Floats, of_attention_weights).made_of("matmul, choose and softmax"),
];

fn of_attention(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    let [q, k, v]: [&[usize]; 3] = [&[2, 2, 3, 4], &[2, 2, 5, 4], &[2, 2, 5, 3]];
    s.of(&[(q, &d), (k, &d), (v, &d)], |x| attention(&x[0], &x[1], &x[2], Mask::None));
    s.of(&[(q, &d), (k, &d), (v, &d)], |x| attention(&x[0], &x[1], &x[2], Mask::Causal));
    s.of(&[(q, &d), (k, &d), (v, &d), (&[3, 5], &d)], |x| attention(&x[0], &x[1], &x[2], &x[3]));
    s.of(&[(&[0, 2, 3, 4], &d), (&[0, 2, 3, 4], &d), (&[0, 2, 3, 4], &d)], |x| attention(&x[0], &x[1], &x[2], Mask::None));
}

fn of_attention_weights(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    let [q, k]: [&[usize]; 2] = [&[2, 2, 3, 4], &[2, 2, 5, 4]];
    s.of(&[(q, &d), (k, &d)], |x| attention_weights(&x[0], &x[1], Mask::None));
    s.of(&[(q, &d), (k, &d)], |x| attention_weights(&x[0], &x[1], Mask::Causal));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn attention() {
        let d = || floats(-2.0..2.0);
        let full = |mask: fn() -> Mask| move |q: &Tensor, k: &Tensor, v: &Tensor| super::attention(q, k, v, mask());
        check3(full(|| Mask::None)).shapes([&[2, 1, 3, 2], &[2, 1, 4, 2], &[2, 1, 4, 3]]).on(d(), d(), d());
        check3(full(|| Mask::Causal)).shapes([&[1, 2, 3, 2], &[1, 2, 4, 2], &[1, 2, 4, 2]]).on(d(), d(), d());
        check3(full(|| Mask::Tensor(tensor![true, false, true])))
            .shapes([&[1, 1, 2, 4], &[1, 1, 3, 4], &[1, 1, 3, 1]])
            .on(d(), d(), d());
        check3(full(|| Mask::Causal)).shapes([&[1, 2, 0, 3], &[1, 2, 4, 3], &[1, 2, 4, 3]]).on(d(), d(), d());
        for (t, s, causal) in [(5, 9, false), (40, 40, true), (33, 70, true)] {
            let op = || Attention { causal, scale: 0.3 };
            check_fused(op, &[(&[2, 3, t, 20], d()), (&[2, 3, s, 20], d()), (&[2, 3, s, 12], d())]);
        }
        let op = || Attention { causal: false, scale: 0.5 };
        let x: &[usize] = &[1, 2, 35, 8];
        check_fused(op, &[(x, d()), (x, d()), (x, d()), (&[2, 1, 35], d())]);
    }

    #[test]
    fn a_query_that_sees_no_key_gives_0_and_spoils_no_gradient() {
        let mut random = crate::random::Keyed::new(&[7]);
        let mut draw = |shape: [usize; 4]| {
            let values: Vec<f64> = (0..shape.iter().product()).map(|_| random.normal()).collect();
            Tensor::from_vec(values, shape)
        };
        // Of two sequences the second is all padding; in the first a query in the midst sees nothing.
        let (mask, x) = (tensor![[[[true, true, false], [false, false, false], [true, true, true]]], [[[false; 3]; 3]]], draw([2, 2, 3, 4]));
        let (k, v, g) = (draw([2, 2, 3, 4]), draw([2, 2, 3, 5]), draw([2, 2, 3, 5]));
        let bias = as_bias(&mask, &x);
        let run = |dtype: DType, mask: &Tensor, seen_alone: bool| {
            let [q, k, v] = [&x, &k, &v].map(|x| x.to(dtype).leaf());
            let mask = if mask.dtype() == DType::Bool { mask.clone() } else { mask.to(dtype) };
            let y = super::attention(&q, &k, &v, &mask);
            let mut g = g.to(dtype);
            if seen_alone {
                g = g.masked_fill(&y.detach().eq(0.0), 0.0);
            }
            let grads = y.backward_with(&g);
            [y.detach(), grads.of(&q).clone(), grads.of(&k).clone(), grads.of(&v).clone()]
        };
        let want = run(DType::F64, &mask, true);
        assert_eq!(want[0].slice(0, 1..).abs().max(..).item(), 0.0);
        assert_eq!(want[0].slice(2, 1..2).abs().max(..).item(), 0.0);
        for mask in [&mask, &bias] {
            for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-5), (DType::F16, 1e-2), (DType::BF16, 1e-1)] {
                for (got, want) in run(dtype, mask, false).iter().zip(&want) {
                    let error = (got.to(DType::F64) - want).abs().max(..).item();
                    assert!(error < tolerance, "{dtype}: {error}"); // NaN is not below
                }
            }
            let [q, k] = [&x, &k].map(|x| x.leaf());
            let compose = || Attention { causal: false, scale: 0.5 }.compose(&[&q, &k, &v, &bias]);
            let error = (compose() - &want[0]).abs().max(..).item();
            assert!(error < 1e-12 && compose().backward_with(&g).is_finite());
            let [second] = grad(&compose().square().sum(..), [&q]);
            assert!(second.is_finite());
        }
        let weights = attention_weights(&x, &k, &mask);
        assert_close!(weights.slice(0, 1..).sum(..), 0.0);
        assert!(super::attention(&x, &k.slice(2, 0..0), &v.slice(2, 0..0), Mask::None).eq(0.0).all(..).to_vec::<bool>()[0]);
    }

    #[test]
    fn heads_cut_from_one_matrix_are_read_and_written_in_place() {
        let x = Tensor::randn([2, 5, 24]).leaf();
        let [q, k, v] = x.chunk(-1).map(|z| z.reshape([2, 5, 2, 4]).swap(1, 2));
        let y = super::attention(&q, &k, &v, Mask::Causal).swap(1, 2);
        assert!(y.layout().is_contiguous());
        assert_eq!(y.sum(..).backward().of(&x).shape(), [2, 5, 24]);
    }

    #[test]
    fn heads_of_one_number_may_lie_anyhow() {
        let plain = Tensor::randn([1, 1, 5, 1]);
        let across = plain.swap(-1, -2).contiguous().swap(-1, -2);
        let [a, b] = [&plain, &across].map(|x| super::attention(x, x, x, Mask::None));
        assert_eq!(a.to_vec::<f32>(), b.to_vec::<f32>());
        let (leaf, g) = (plain.leaf(), Tensor::ones([1, 1, 1, 5]));
        let y = super::attention(&leaf, &across.flip(3), &across, Mask::None);
        assert!(y.swap(-1, -2).backward_with(&g).of(&leaf).is_finite());
    }

    #[test]
    fn a_mistake_names_both_shapes_and_the_fix() {
        let error = |q: &[usize], k: &[usize], v: &[usize], mask: Mask| {
            let [q, k, v] = [q, k, v].map(Tensor::zeros);
            catch(|| super::attention(&q, &k, &v, mask)).unwrap_err().to_string()
        };
        let x: &[usize] = &[2, 3, 4, 8];
        assert_eq!(
            error(&[2, 4, 24], x, x, Mask::None),
            "attention: the queries must be [b, heads, t, d], they are [2, 4, 24]\nhelp: cut the heads from the last axis: `x.reshape([b, t, heads, d]).swap(1, 2)`"
        );
        assert_eq!(
            error(x, &[2, 3, 4, 6], x, Mask::None),
            "attention: queries [2, 3, 4, 8] and keys [2, 3, 4, 6] do not fit\nhelp: the keys must be [2, 3, any, 8]"
        );
        assert_eq!(
            error(x, x, &[2, 3, 5, 8], Mask::None),
            "attention: keys [2, 3, 4, 8] and values [2, 3, 5, 8] do not fit      4 ≠ 5\nhelp: there is one value for each key: [2, 3, 4, any]"
        );
        assert_eq!(
            error(x, &[2, 3, 1, 8], &[2, 3, 1, 8], Mask::Causal),
            "attention: 4 queries cannot look back on 1 keys\nhelp: a causal mask needs a key for each query: use `Mask::None`"
        );
        let mask = Mask::Tensor(Tensor::ones([7, 1, 4, 4]));
        assert!(error(x, x, x, mask).contains("[7, 1, 4, 4]"));
    }
}
