//! Mixed precision as a scope: products run in f16 or bf16, and what would lose digits there in f32, as in PyTorch's `autocast`.

use crate::elementwise::differ;
use crate::graph::Owned;
use crate::{DType, Tensor, fail, scope};

/// Runs `body` with products of matrices in bf16 or f16: an f32 operand is converted on its way in, and the result is stored
/// in the low dtype. Parameters stay f32, and their gradients come back in f32, since the derivative of a conversion is
/// the conversion back. Everything is summed in f32.
///
/// | what runs | dtype of its result |
/// |---|---|
/// | `matmul`, `linear`, `einsum`, `conv2d`, `attention`, `lstm`, `gru` and the layers made of them | the low one |
/// | `exp`, `expm1`, `exp2`, `log`, `log1p`, `log2`, `log10`, `pow`, `powt`, `rsqrt`, `recip`, `tan`, `sinh`, `cosh`, `asin`, `acos`, `erfinv`, `softplus`, `softmax`, `log_softmax`, `logsumexp`, `sum`, `mean`, `prod`, `cumsum`, `cumprod`, `norm`, `cosine_similarity`, `cdist`, `layer_norm`, losses | f32 |
/// | two operands of different floats, such as `x + y`, `choose`, `cat`, `stack` | the wider one |
/// | `batch_norm` | that of its input, computed in f32 |
/// | everything else | that of its input |
///
/// The scope holds for the forward pass: `backward` differentiates each operation in the dtypes it ran in, wherever it is
/// called. f64 is left alone, and beside it f16 and bf16 are refused as elsewhere. Scopes nest, and `DType::F32` switches the outer one off. Under f16
/// gradients below 6e-8 become 0: multiply the loss before `backward`, as `mapsto::nn::GradScaler` does. bf16 has the range of
/// f32 and needs none of that.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let (x, w) = (Tensor::ones([2, 3]), Tensor::ones([4, 3]).leaf());
/// let y = autocast(DType::BF16, || x.linear(&w, None));
/// assert_eq!(y.dtype(), DType::BF16);
/// assert_eq!(autocast(DType::BF16, || y.softmax(-1)).dtype(), DType::F32);
/// assert_eq!(y.to(DType::F32).sum(..).backward().of(&w).dtype(), DType::F32);
/// ```
/// # Panics
/// When the dtype is none of f16, bf16 and f32.
#[track_caller]
pub fn autocast<R>(dtype: DType, body: impl FnOnce() -> R) -> R {
    let products = match dtype {
        DType::F32 => None,
        DType::BF16 | DType::F16 => Some(dtype),
        other => {
            fail!("autocast", "products cannot choose {other}"; help = "`DType::BF16` or `DType::F16`; `DType::F32` switches an outer scope off")
        }
    };
    scope::within(|m| m.of_precision(m.precision().with_products(products)), body)
}

/// The dtype that products choose here: that of [`autocast`]; none outside of it.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// assert_eq!((autocast_dtype(), autocast(DType::F16, autocast_dtype)), (None, Some(DType::F16)));
/// ```
pub fn autocast_dtype() -> Option<DType> {
    let mode = scope::mode();
    if mode.casts() { mode.precision().products() } else { None }
}

/// The operands of a product in the low dtype, where a scope asks for it and one of them is not in it yet. f64, integers and
/// bools stay what they are.
#[inline]
pub fn low<const N: usize>(xs: [Option<&Tensor>; N]) -> Option<[Option<Tensor>; N]> {
    if !scope::precision().casts() {
        return None;
    }
    let mut all = xs.map(|x| x.cloned());
    lowered(&mut all).then_some(all)
}

/// The same for any number of them.
pub(crate) fn low_list(xs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let mut all: Vec<Option<Tensor>> = xs.iter().map(|&x| Some(x.clone())).collect();
    lowered(&mut all).then(|| all.into_iter().flatten().collect())
}

#[cold]
fn lowered(xs: &mut [Option<Tensor>]) -> bool {
    let Some(dtype) = autocast_dtype() else { return false };
    let mut any = false;
    for x in xs.iter_mut().flatten() {
        if x.dtype().is_float() && x.dtype() != dtype && x.dtype() != DType::F64 {
            *x = x.to(dtype);
            any = true;
        }
    }
    any
}

/// Values in f32, where a scope asks for it and the first of them has 16 bits.
#[inline]
pub fn full<const N: usize>(xs: [Option<&Tensor>; N]) -> Option<[Option<Tensor>; N]> {
    if !scope::precision().casts() || autocast_dtype().is_none() || !xs.first()?.is_some_and(is_half) {
        return None;
    }
    Some(xs.map(|x| x.map(|x| if is_half(x) { x.to(DType::F32) } else { x.clone() })))
}

/// The inputs of an operation, in f32 where they have 16 bits.
#[cold]
pub(crate) fn widened(xs: &[&Tensor]) -> Owned {
    Owned(xs.iter().map(|x| if is_half(x) { x.to(DType::F32) } else { (*x).clone() }).collect())
}

/// Two operands of different floats in the wider of their dtypes, where a scope lets them meet.
///
/// # Panics
/// When none does, or when they are not f32 and of 16 bits.
#[cold]
#[track_caller]
pub(crate) fn widest(op: &str, a: &Tensor, b: &Tensor) -> [Tensor; 2] {
    let Some(dtype) =
        wider(a.dtype(), b.dtype()).filter(|_| scope::precision().mixes() && a.device() == b.device())
    else {
        differ(op, a, b)
    };
    [a.to(dtype), b.to(dtype)]
}

/// Values of different floats in the widest of their dtypes, where a scope lets them meet; none where nothing is to be done.
pub(crate) fn met(xs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let first = xs.first()?.dtype();
    if xs.iter().all(|x| x.dtype() == first) || !scope::precision().mixes() {
        return None;
    }
    let dtype = xs.iter().try_fold(first, |all, x| wider(all, x.dtype()))?;
    Some(xs.iter().map(|x| x.to(dtype)).collect())
}

/// The dtype that holds the numbers of both: of f32 and those of 16 bits.
fn wider(a: DType, b: DType) -> Option<DType> {
    let fits = |d| matches!(d, DType::F32 | DType::F16 | DType::BF16);
    match (a, b) {
        _ if !fits(a) || !fits(b) => None,
        _ if a == b => Some(a),
        _ => Some(DType::F32),
    }
}

fn is_half(x: &Tensor) -> bool {
    matches!(x.dtype(), DType::F16 | DType::BF16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{At, Op, Ran, Vjp, apply, checkpoint, jvp};
    use crate::prelude::*;

    struct Squared;
    impl Op for Squared {
        fn name(&self) -> &'static str {
            "squared"
        }
        fn run(&self, xs: &[&Tensor]) -> Ran {
            no_grad(|| xs[0].matmul(xs[0])).into()
        }
        fn vjp(&self, _: &At<'_>, _: &Tensor) -> Vjp {
            vec![None].into()
        }
    }

    const HALVES: [DType; 2] = [DType::BF16, DType::F16];

    #[test]
    fn products_are_those_of_rounded_operands_and_gradients_are_f32() {
        for dtype in HALVES {
            let (x, w, b) =
                (Tensor::randn([5, 7]).leaf(), Tensor::randn([6, 7]).leaf(), Tensor::randn([6]).leaf());
            let y = autocast(dtype, || x.linear(&w, Some(&b)));
            assert_eq!(y.dtype(), dtype);
            let low = |t: &Tensor| t.detach().to(dtype);
            assert_eq!(
                y.to(DType::F32).to_vec::<f32>(),
                low(&x).linear(&low(&w), Some(&low(&b))).to(DType::F32).to_vec::<f32>()
            );
            let g = Tensor::randn([5, 6]).to(dtype);
            let grads = y.backward_with(&g);
            let [lx, lw, lb] = [&x, &w, &b].map(|t| low(t).leaf());
            let wanted = lx.linear(&lw, Some(&lb)).backward_with(&g);
            for (leaf, half) in [(&x, &lx), (&w, &lw), (&b, &lb)] {
                assert_eq!(grads.of(leaf).dtype(), DType::F32);
                assert_eq!(grads.of(leaf).to_vec::<f32>(), wanted.of(half).to(DType::F32).to_vec::<f32>());
            }
        }
    }

    #[test]
    fn different_floats_meet_in_the_wider_one_and_have_derivatives() {
        let (a, b) = (Tensor::randn([3, 4]).leaf(), Tensor::randn([4]).to(DType::BF16).leaf());
        let f = |a: &Tensor, b: &Tensor| (a * b + b - a * (a * b)).sum(..);
        let y = autocast(DType::BF16, || f(&a, &b));
        assert_eq!(y.dtype(), DType::F32);
        let wide = b.detach().to(DType::F32).leaf();
        let plain = f(&a, &wide);
        assert_close!(&y, plain);
        let (got, want) = (y.backward(), plain.backward());
        assert_close!(got.of(&a), want.of(&a));
        assert_eq!(got.of(&b).dtype(), DType::BF16);
        let off = (got.of(&b).to(DType::F32) - want.of(&wide)).abs().max(..).item();
        assert!(off < 0.05, "{off}");
        assert!(catch(|| &a + &b).is_err(), "outside of the scope they do not meet");
        let wide = a.detach().to(DType::F64);
        assert!(catch(|| autocast(DType::BF16, || &wide + &b)).is_err(), "f64 does not meet 16 bits");
    }

    #[test]
    fn scopes_nest_and_hold_for_operations_as_a_whole() {
        let (x, w) = (Tensor::randn([4, 4]), Tensor::randn([4, 4]));
        autocast(DType::BF16, || {
            assert_eq!(x.matmul(&w).dtype(), DType::BF16);
            assert_eq!(autocast(DType::F32, || x.matmul(&w)).dtype(), DType::F32);
            assert_eq!(no_grad(|| x.matmul(&w)).dtype(), DType::BF16);
            // What an operation is made of stays in its dtype.
            assert_eq!(apply(Squared, &[&x]).dtype(), DType::F32);
            assert_eq!(x.to(DType::F64).matmul(&w.to(DType::F64)).dtype(), DType::F64);
        });
        assert_eq!(x.matmul(&w).dtype(), DType::F32);
        for dtype in [DType::F64, DType::I64] {
            assert!(
                catch(|| autocast(dtype, || ())).unwrap_err().message().contains("products cannot choose")
            );
        }
    }

    #[test]
    fn second_derivatives_tangents_and_checkpoints_have_the_dtypes_of_the_forward_pass() {
        let w = Tensor::randn([3, 3]).leaf();
        let x = Tensor::randn([2, 3]);
        let f = |w: &Tensor| autocast(DType::BF16, || x.matmul(w).tanh().square().sum(..));
        let [dw] = grad(&f(&w), [&w]);
        let [ddw] = grad(&dw.square().sum(..), [&w]);
        let g = |w: &Tensor| x.matmul(w).tanh().square().sum(..);
        let [ew] = grad(&g(&w), [&w]);
        let [eew] = grad(&ew.square().sum(..), [&w]);
        let off = |a: &Tensor, b: &Tensor| ((a - b).norm(2.0, ..) / b.norm(2.0, ..)).item();
        assert!(off(&dw, &ew) < 0.03 && off(&ddw, &eew) < 0.06, "{} {}", off(&dw, &ew), off(&ddw, &eew));
        let v = Tensor::randn([3, 3]);
        let (_, dy) = jvp(|[w]| f(w), [&w], [&v]);
        assert!((dy - (&dw * &v).sum(..)).abs().item() < 0.05 * (&dw * &v).abs().sum(..).item());
        let (held, at) = (x.clone(), w.clone());
        let kept =
            autocast(DType::BF16, || checkpoint(move |w| held.matmul(&w[0]).tanh().square().sum(..), &[&at]));
        assert_eq!(kept.dtype(), DType::F32);
        assert_eq!(kept.to_vec::<f32>(), f(&w).to_vec::<f32>());
        assert_eq!(kept.backward().of(&w).to_vec::<f32>(), f(&w).backward().of(&w).to_vec::<f32>());
    }

    #[test]
    fn f32_keeps_what_f16_would_lose() {
        // e¹² and 300² are beyond f16, and so are sums of many.
        autocast(DType::F16, || {
            let x = tensor![12.0, 300.0].to(DType::F16);
            assert!(x.slice(0, 0..1).exp().is_finite() && x.pow(2.0).is_finite());
            assert_eq!(Tensor::full([4, 50], 1000.0).to(DType::F16).sum(..).item(), 200_000.0);
            assert_eq!(x.mse(&tensor![12.0, 0.0]).item(), 45_000.0);
        });
    }
}
