//! Dropout: elements left out at random in training, so that no unit relies on another.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::cpu::{in_class, slice};
use crate::graph::{At, Keep, Op, Ran, Say, Vjp, Fast, Fused, apply, fast};
use crate::random::{self, Distribution, Draw, Stream};
use crate::{DType, Device, Tensor, fail, is_training};
use mapsto_kernels::philox;

impl Tensor {
    /// In training ([`train`](crate::train)), each element becomes 0 with probability `p`, else `x / (1 − p)`, so that
    /// its mean stays; in inference the tensor itself.
    ///
    /// The choice comes from the dropout stream, is a pure function of the seed and the position, and is not stored.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: the same choice, applied to `dy`.   * ONNX: `Dropout`.
    /// * Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov (2014), JMLR 15, in the inverted form.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = Tensor::ones([10_000]);
    /// assert_eq!(x.dropout(0.25).sum(..).item(), 10_000.0);
    /// let y = train(|| x.dropout(0.25));
    /// assert!((y.sum(..).item() / 10_000.0 - 1.0).abs() < 0.05);
    /// assert!(y.to_vec::<f32>().iter().all(|&y| y == 0.0 || y == 1.0 / 0.75));
    /// ```
    /// # Panics
    /// When `p` is not within 0..1, or the elements are not floats.
    #[track_caller]
    pub fn dropout(&self, p: f64) -> Tensor {
        if !(0.0..1.0).contains(&p) {
            fail!("dropout", "the probability {p} is not within 0..1");
        }
        if !self.dtype().is_float() {
            fail!("dropout", "floats are needed, this is {}", self.dtype());
        }
        if p == 0.0 || !is_training() {
            return self.clone();
        }
        apply(Dropout { p, draw: random::next(Stream::Dropout) }, &[self])
    }
}

#[derive(Clone, Copy)]
struct Dropout {
    p: f64,
    draw: Draw,
}

impl Fused for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }
    fn attrs(&self, say: Say<'_>) {
        say("p", self.p.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let x = xs[0];
        let dropped = x
            .device()
            .scope(|| Tensor::random(self.draw, Distribution::Bernoulli(self.p), *x.shape_of(), x.dtype()));
        dropped.gt(0.0).choose(0.0, x * (1.0 / (1.0 - self.p)))
    }
    /// One pass, in which the random words live in registers.
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let (rows, shape) = (in_class(xs[0]), *xs[0].shape_of());
        let y = Device::cpu().scope(|| match rows.dtype() {
            DType::F64 => Tensor::filled_by(shape, |y: &mut [f64]| {
                philox::dropout(self.draw, self.p, slice(&rows), y)
            }),
            _ => Tensor::filled_by(shape, |y: &mut [f32]| {
                philox::dropout(self.draw, self.p, slice(&rows), y)
            }),
        });
        Some(y.to(xs[0].dtype()).into())
    }
    fn cpu_vjp(&self, _: &At<'_>, g: &Tensor) -> Option<Vjp> {
        self.cpu(&[g]).map(|dx| dx.y.into())
    }
}

/// Its derivative needs neither its input nor its result.
impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn attrs(&self, say: Say<'_>) {
        Fused::attrs(self, say)
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        fast(self, xs).unwrap_or_else(|| self.compose(xs).into())
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, _: &At<'_>, g: &Tensor) -> Vjp {
        apply(*self, &[g]).into()
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("dropout", "In training (`train`), each element becomes 0 with probability `p`, else `x / (1 − p)`, so that its mean stays.", Takes::Floats, samples).unique("its draw is of one moment"),
];

fn samples(s: &mut Samples) {
    s.each(floats(-2.0..2.0), |x| x[0].dropout(0.5));
    s.each(floats(-2.0..2.0), |x| apply(Dropout { p: 0.25, draw: Draw { seed: 7, stream: 1, draw: 3 } }, &[&x[0]]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn dropout() {
        check(|x| {
            seed(3);
            train(|| x.square().dropout(0.4))
        })
        .on(floats(-2.0..2.0));
    }

    #[test]
    fn what_is_kept_is_scaled_and_what_is_dropped_is_zero() {
        let x = Tensor::full([20_001], 3.0);
        let y = train(|| x.dropout(0.25)).to_vec::<f32>();
        assert!(y.iter().all(|&v| v == 0.0 || (v - 4.0).abs() < 1e-6));
        let kept = y.iter().filter(|v| **v != 0.0).count() as f64 / y.len() as f64;
        assert!((kept - 0.75).abs() < 0.02, "{kept} kept");
        let ones = |v: f32| v * 0.0 + f32::from(v != 0.0);
        seed(9);
        let leaf = x.leaf();
        let (mask, g) = train(|| {
            let y = leaf.dropout(0.25);
            (y.to_vec::<f32>(), y.sum(..).backward().of(&leaf).to_vec::<f32>())
        });
        assert!(mask.iter().zip(&g).all(|(&m, &g)| (g - ones(m) / 0.75).abs() < 1e-6));
    }

    #[test]
    fn it_acts_in_training_only_and_draws_anew_each_time() {
        let x = Tensor::ones([100]);
        assert_eq!(x.dropout(0.5).to_vec::<f32>(), x.to_vec::<f32>());
        assert_eq!(train(|| x.dropout(0.0)).to_vec::<f32>(), x.to_vec::<f32>());
        let draw = || train(|| x.dropout(0.5)).to_vec::<f32>();
        assert_ne!(draw(), draw());
        seed(1);
        let first = draw();
        seed(1);
        assert_eq!(first, draw());
        for p in [-0.1, 1.0, f64::NAN] {
            assert!(catch(|| x.dropout(p)).unwrap_err().message().contains("is not within 0..1"));
        }
    }
}
