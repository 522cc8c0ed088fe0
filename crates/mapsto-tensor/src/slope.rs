//! Derivatives of elementwise operations in one pass: `g · f′(v)` as an operation of its own, differentiable again.

use crate::elementwise::{Binary, Own, Params, Real, binary, zip, zip_onto};
use crate::graph::{At, Keep, Op, Say, Vjp};
use crate::{DType, Tensor};

/// The slope of an operation, as a function of the value that its derivative keeps: its input or its result.
pub(crate) trait Slope: Copy + Send + Sync + 'static {
    /// The name, as a trace shows it.
    const NAME: &'static str;
    /// As [`Binary::OWN`].
    const OWN: Own = Own::Never;
    /// Whether what the derivative of the slope is made of may leave the range of f32 where the whole does not: a high power
    /// does, a bounded function does not.
    const WIDE: bool = false;
    /// As [`Binary::DOUBLE`].
    const DOUBLE: bool = false;
    /// As [`Binary::SINGLE`].
    const SINGLE: bool = false;
    /// `times` in the form for single precision.
    #[inline(always)]
    fn times_single<R: Real>(self, g: R, v: R) -> R {
        self.times(g, v)
    }
    /// Says every attribute, as [`Op::attrs`].
    fn slope_attrs(self, _say: Say<'_>) {}
    /// `g · f′`. Not the slope alone: where it is 0 the gradient is exactly 0, even if `g` is infinite.
    fn times<R: Real>(self, g: R, v: R) -> R;
    /// As [`Binary::params`].
    fn params(self) -> Params {
        Params::NONE
    }
    /// The derivative of the slope by `v`; none where it is zero almost everywhere.
    fn bend(self, v: &Tensor) -> Option<Tensor>;
    /// `g` times that derivative.
    fn bent(self, g: &Tensor, v: &Tensor) -> Option<Tensor> {
        self.bend(v).map(|bend| g * bend)
    }
}

/// `g · f′(v)` in one pass. Give `v` detached where the slope has no `bend`.
pub(crate) fn times_slope<S: Slope>(slope: S, g: &Tensor, v: &Tensor) -> Tensor {
    zip(Times(slope), g, v)
}

/// [`times_slope`] written over `g`, where nobody else holds it.
pub(crate) fn times_slope_onto<S: Slope>(slope: S, g: Tensor, v: &Tensor) -> Tensor {
    zip_onto(Times(slope), g, v)
}

/// The product with a slope as a value.
pub(crate) fn slope<S: Slope>(slope: S) -> Box<dyn Op> {
    binary(Times(slope))
}

#[derive(Clone, Copy)]
struct Times<S>(S);
impl<S: Slope> Binary for Times<S> {
    const NAME: &'static str = S::NAME;
    const KEEP: Keep = Keep::INPUTS;
    const OWN: Own = S::OWN;
    const DOUBLE: bool = S::DOUBLE;
    fn attrs(self, say: Say<'_>) {
        self.0.slope_attrs(say)
    }
    #[inline(always)]
    fn f<R: Real>(self, g: R, v: R) -> R {
        self.0.times(g, v)
    }
    const SINGLE: bool = S::SINGLE;
    #[inline(always)]
    fn single<R: Real>(self, g: R, v: R) -> R {
        self.0.times_single(g, v)
    }
    fn params(self) -> Params {
        self.0.params()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        let bent = if at.wants(1) { bent(self.0, g, at.a(), at.b()) } else { None };
        Vjp::from([at.wants(0).then(|| times_slope(self.0, g, at.b())), bent])
    }
}

/// `d g f″(v)`, in a wider type where `d g`, or what `f″` is made of, may be no number of the inputs' own.
fn bent<S: Slope>(slope: S, d: &Tensor, g: &Tensor, v: &Tensor) -> Option<Tensor> {
    bent_by(&|g, v| slope.bent(g, v), S::WIDE, d, g, v)
}

/// The same, compiled once for all slopes.
fn bent_by(
    bent: &dyn Fn(&Tensor, &Tensor) -> Option<Tensor>,
    leaves_f32: bool,
    d: &Tensor,
    g: &Tensor,
    v: &Tensor,
) -> Option<Tensor> {
    let wide = match v.dtype() {
        DType::F16 | DType::BF16 => DType::F32,
        DType::F32 if leaves_f32 => DType::F64,
        _ => return bent(&(d * g), v),
    };
    Some(bent(&(d.to(wide) * g.to(wide)), &v.to(wide))?.to(v.dtype()))
}

#[test]
fn a_gradient_is_written_over_only_where_nobody_else_holds_it() {
    use crate::prelude::*;
    let (x, g) = (Tensor::randn([3, 7]).leaf(), Tensor::randn([3, 7]));
    let before = g.to_vec::<f32>();
    let beside = x.gelu().backward_with(&g);
    let onto = (x.gelu() * 2.0).backward_with(&g);
    assert_eq!(g.to_vec::<f32>(), before);
    assert_eq!(onto.of(&x).to_vec::<f32>(), (beside.of(&x) * 2.0).to_vec::<f32>());
}

#[test]
fn a_zero_slope_stops_even_an_infinite_gradient() {
    use crate::prelude::*;
    let x = tensor![-1.0, 2.0].leaf();
    let grads = x.relu().backward_with(&tensor![f32::INFINITY, 3.0]);
    assert_close!(grads.of(&x), [0.0, 3.0]);
}
