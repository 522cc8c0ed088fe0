//! Losses that are the mean of a function of pairs (output, target): one pass forward and one backward.

use crate::backend::cpu::{as_class, slice, with_float};
use crate::elementwise::same_dtype;
use crate::graph::{At, Fast, Fused, Op, Vjp, boxed, fused};
use crate::{Tensor, fail};
use mapsto_kernels::map::map2;
use mapsto_kernels::real::Real;

/// A function of an output and its target, whose mean is a loss.
pub(crate) trait PairLoss: Copy + Send + Sync + 'static {
    /// The operation's name.
    const NAME: &'static str;
    /// The value at one pair.
    fn f<R: Real>(self, x: R, t: R) -> R;
    /// The derivative by the output.
    fn slope<R: Real>(self, x: R, t: R) -> R;
    /// The values in other operations, before the mean: the definition.
    fn compose(self, x: &Tensor, t: &Tensor) -> Tensor;
}

/// The mean of a pair loss over all elements.
#[track_caller]
pub(crate) fn mean_of<P: PairLoss>(loss: P, x: &Tensor, t: &Tensor) -> Tensor {
    if x.shape() != t.shape() {
        fail!(P::NAME, "outputs {:?} and targets {:?} differ in shape", x.shape(), t.shape();
              help = "a loss never broadcasts; `reshape` or `unsqueeze` one of them");
    }
    same_dtype(P::NAME, x, t);
    if !x.dtype().is_float() {
        fail!(P::NAME, "floats are needed, these are {}", x.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    fused(MeanOf(loss), &[x, t])
}

/// The mean of a pair loss as a value.
pub(crate) fn mean_op<P: PairLoss>(loss: P) -> Box<dyn Op> {
    boxed(MeanOf(loss))
}

struct MeanOf<P>(P);

/// Values are summed in f64, block by block in order: the same bits for any number of threads, as there is but one.
const BLOCK: usize = 64;

impl<P: PairLoss> Fused for MeanOf<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        self.0.compose(xs[0], xs[1]).mean(..)
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let (x, t) = (as_class(xs[0]), as_class(xs[1]));
        let loss = self.0;
        let sum: f64 = with_float!(x.dtype(), T => {
            let (x, t) = (slice::<T>(&x), slice::<T>(&t));
            let mut values = [<T as Default>::default(); BLOCK];
            x.chunks(BLOCK).zip(t.chunks(BLOCK)).map(|(x, t)| {
                let values = &mut values[..x.len()];
                map2(x, t, values, #[inline(always)] move |x, t| loss.f(x, t));
                values.iter().map(|v| Real::to_f64(*v)).sum::<f64>()
            }).sum()
        });
        Some(Tensor::full_of((), sum / x.len() as f64, xs[0].dtype()).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        if at.wants(1) {
            return None; // targets with a gradient are rare: the definition knows it
        }
        let (x, t) = (as_class(at.a()), as_class(at.b()));
        let (loss, scale) = (self.0, g.item() / x.len() as f64);
        let dx = with_float!(x.dtype(), T => Tensor::filled_by(at.shape(0), |dx: &mut [T]| {
            let scale = <T as Real>::from_f64(scale);
            map2(slice::<T>(&x), slice::<T>(&t), dx, #[inline(always)] move |x, t| loss.slope(x, t) * scale)
        }));
        Some([Some(dx.stored_as(at.dtype(0))), None].into())
    }
}
