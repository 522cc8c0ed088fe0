//! Attention with the name and the options of PyTorch's function.

use super::attention::{attend, weigh};
use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::ops::Mask;
use crate::scope::is_training;
use crate::shape::broadcast;
use crate::{Shape, Tensor, fail};

/// What [`scaled_dot_product_attention`] takes besides queries, keys and values, under PyTorch's names.
#[derive(Clone, Debug, Default)]
pub struct AttentionOptions {
    /// Of bool: a query sees the keys where it is true. Of floats: it is added to the scores. It is broadcast to `[.., t, s]`.
    pub attn_mask: Option<Tensor>,
    /// The probability to forget a weight; it acts inside of [`train`](crate::train) alone, as every dropout here.
    pub dropout_p: f64,
    /// Whether query `i` sees the keys up to `i` alone. As in PyTorch the first query is beside the first key, also where there are
    /// more keys than queries; [`Mask::Causal`] puts the last beside the last.
    pub is_causal: bool,
    /// What the scores are multiplied by; `1 / √d` where nothing is said.
    pub scale: Option<f64>,
    /// Whether keys and values may have less heads than queries, each serving so many of these one after the other.
    pub enable_gqa: bool,
}

/// `softmax(scale · q kᵀ + mask) v`, as PyTorch's function of this name, with the same options.
///
/// It is [`attention`](super::attention()) for any axes in front, which are broadcast. A query that sees no key gives 0.
///
/// * Shape: `[.., t, d], [.., s, d], [.., s, e] → [.., t, e]`, floats of one dtype.   * Gradient: that of `attention`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// use mapsto_tensor::ops::{AttentionOptions, scaled_dot_product_attention};
/// let (q, k, v) = (tensor![[1.0], [0.0]], tensor![[0.0], [3f64.ln()]], tensor![[4.0], [8.0]]);
/// let y = scaled_dot_product_attention(&q, &k, &v, &AttentionOptions { is_causal: true, ..Default::default() });
/// assert_close!(y, [[4.0], [6.0]]);
/// ```
/// # Panics
/// When the shapes do not fit or the dtypes differ; when both a mask and `is_causal` are given; when `dropout_p` is not in 0..1 or
/// `scale` not finite.
#[track_caller]
pub fn scaled_dot_product_attention(q: &Tensor, k: &Tensor, v: &Tensor, options: &AttentionOptions) -> Tensor {
    const OP: &str = "scaled_dot_product_attention";
    if options.is_causal && options.attn_mask.is_some() {
        fail!(OP, "`attn_mask` and `is_causal` are both given"; help = "hide the later keys in the mask, or leave it out");
    }
    if !(0.0..1.0).contains(&options.dropout_p) {
        fail!(OP, "`dropout_p` must be at least 0 and below 1, got {}", options.dropout_p);
    }
    if let Some(scale) = options.scale.filter(|scale| !scale.is_finite()) {
        fail!(OP, "`scale` must be finite, got {scale}");
    }
    for (name, x) in [("queries", q), ("keys", k), ("values", v)] {
        if x.rank() < 2 || x.rank() != q.rank() {
            fail!(OP, "the {name} must be [.., t, d] with as many axes as the queries {:?}, they are {:?}", q.shape(), x.shape());
        }
    }
    named(OP, || {
        let front = q.rank() - 2;
        let repeated = |name: &str, x: &Tensor| {
            if !options.enable_gqa || front == 0 || x.shape()[front - 1] == q.shape()[front - 1] {
                return x.clone();
            }
            let (heads, of) = (q.shape()[front - 1], x.shape()[front - 1]);
            if of == 0 || !heads.is_multiple_of(of) {
                fail!(OP, "{heads} heads of queries cannot share {of} heads of {name}"; help = "the heads of queries must be a multiple of those of keys and values");
            }
            x.repeat_interleave(heads / of, front - 1)
        };
        let (k, v) = (repeated("keys", k), repeated("values", v));
        let lead = |x: &Tensor| -> Shape { x.shape()[..front].iter().copied().collect() };
        let all = broadcast(OP, &broadcast(OP, &lead(q), &lead(&k)), &lead(&v));
        // [b, heads, rows, columns], views where axes in front already are two.
        let four = |x: &Tensor, rows: usize, columns: usize| {
            let whole: Shape = all.iter().copied().chain([rows, columns]).collect();
            let x = if x.shape() == &whole[..] { x.clone() } else { x.expand(whole) };
            match front {
                0 => x.unsqueeze(0).unsqueeze(0),
                1 => x.unsqueeze(1),
                2 => x,
                _ => {
                    let [n, heads] = [all[..front - 1].iter().product(), all[front - 1]];
                    x.reshape([n, heads, rows, columns])
                }
            }
        };
        let sizes = |x: &Tensor| [x.shape()[front], x.shape()[front + 1]];
        let ([t, d], [s, _], [_, e]) = (sizes(q), sizes(&k), sizes(&v));
        if sizes(&k)[1] != d || sizes(&v)[0] != s {
            fail!(OP, "queries {:?}, keys {:?} and values {:?} do not fit", q.shape(), k.shape(), v.shape(); help = "they must be [.., t, d], [.., s, d] and [.., s, e]");
        }
        let mask = match &options.attn_mask {
            Some(mask) if mask.rank() <= 2 => Mask::Tensor(mask.clone()),
            Some(mask) => Mask::Tensor(four(mask, t, s)),
            None if options.is_causal && t == s => Mask::Causal,
            None if options.is_causal => {
                let at = |n: usize| q.device().scope(|| Tensor::arange(0..n as i64));
                Mask::Tensor(at(s).le(at(t).unsqueeze(1)))
            }
            None => Mask::None,
        };
        let (q, k, v) = (four(q, t, d), four(&k, s, d), four(&v, s, e));
        let y = if options.dropout_p > 0.0 && is_training() {
            weigh(&q, &k, mask, options.scale).dropout(options.dropout_p).matmul(&v)
        } else {
            attend(&q, &k, &v, mask, options.scale)
        };
        if front == 2 { y } else { y.reshape(all.iter().copied().chain([t, e]).collect::<Shape>()) }
    })
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("scaled_dot_product_attention", "`softmax(scale · q kᵀ + mask) v` for any axes in front, with PyTorch's options.", Takes::Floats, of_scaled).made_of("attention"),
];

fn of_scaled(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    let [q, k, v]: [&[usize]; 3] = [&[2, 4, 3, 4], &[2, 2, 5, 4], &[2, 2, 5, 3]];
    s.of(&[(q, &d), (k, &d), (v, &d)], |x| {
        scaled_dot_product_attention(&x[0], &x[1], &x[2], &AttentionOptions { enable_gqa: true, scale: Some(0.3), ..Default::default() })
    });
    s.of(&[(&[3, 4], &d), (&[5, 4], &d), (&[5, 3], &d)], |x| {
        scaled_dot_product_attention(&x[0], &x[1], &x[2], &AttentionOptions { is_causal: true, ..Default::default() })
    });
    s.of(&[(&[2, 3, 4], &d), (&[2, 5, 4], &d), (&[2, 5, 3], &d), (&[3, 5], &d)], |x| {
        scaled_dot_product_attention(&x[0], &x[1], &x[2], &AttentionOptions { attn_mask: Some(x[3].clone()), ..Default::default() })
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn pytorchs_function_with_its_options() {
        let d = || floats(-2.0..2.0);
        let of = |o: fn() -> AttentionOptions| move |q: &Tensor, k: &Tensor, v: &Tensor| scaled_dot_product_attention(q, k, v, &o());
        check3(of(|| AttentionOptions { enable_gqa: true, scale: Some(0.7), ..Default::default() }))
            .shapes([&[1, 4, 2, 2], &[1, 2, 3, 2], &[1, 1, 3, 2]]).on(d(), d(), d());
        check3(of(|| AttentionOptions { is_causal: true, ..Default::default() })).shapes([&[2, 2], &[3, 2], &[3, 2]]).on(d(), d(), d());
        check3(of(|| AttentionOptions { attn_mask: Some(tensor![[true, false, true]]), ..Default::default() }))
            .shapes([&[2, 1, 2, 2, 3], &[2, 1, 1, 3, 3], &[1, 1, 1, 3, 2]]).on(d(), d(), d());
        let x = Tensor::randn([2, 4, 6, 8]);
        let run = |q: &Tensor, k: &Tensor, o: AttentionOptions| scaled_dot_product_attention(q, k, k, &o);
        assert_eq!(run(&x, &x, AttentionOptions::default()).to_vec::<f32>(), attention(&x, &x, &x, Mask::None).to_vec::<f32>());
        let shared = x.slice(1, ..2);
        let want = attention(&x, &shared.repeat_interleave(2, 1), &shared.repeat_interleave(2, 1), Mask::None);
        assert_eq!(run(&x, &shared, AttentionOptions { enable_gqa: true, ..Default::default() }).to_vec::<f32>(), want.to_vec::<f32>());
        // The first query is beside the first key, and what comes after the last has none for it.
        let short = x.slice(2, ..4);
        let (causal, all) = (AttentionOptions { is_causal: true, ..Default::default() }, AttentionOptions { is_causal: true, ..Default::default() });
        assert_close!(run(&short, &x, causal), run(&x, &x, all).slice(2, ..4));
        let dropping = AttentionOptions { dropout_p: 0.5, ..Default::default() };
        assert_ne!(crate::train(|| run(&x, &x, dropping.clone())).to_vec::<f32>(), run(&x, &x, dropping).to_vec::<f32>());
        for (options, wrong) in [
            (AttentionOptions { is_causal: true, attn_mask: Some(tensor![true]), ..Default::default() }, "both given"),
            (AttentionOptions { dropout_p: 1.0, ..Default::default() }, "`dropout_p` must be at least 0 and below 1, got 1"),
            (AttentionOptions { scale: Some(f64::NAN), ..Default::default() }, "`scale` must be finite"),
        ] {
            let e = catch(|| run(&x, &x, options)).unwrap_err();
            assert!(e.message().starts_with("scaled_dot_product_attention: ") && e.message().contains(wrong), "{e}");
        }
        let e = catch(|| run(&x, &x.slice(1, ..3), AttentionOptions { enable_gqa: true, ..Default::default() })).unwrap_err();
        assert!(e.message().contains("4 heads of queries cannot share 3 heads of keys"), "{e}");
    }
}
