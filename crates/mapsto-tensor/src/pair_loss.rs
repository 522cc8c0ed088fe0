//! Losses that are the mean of a function of pairs (output, target): one pass forward and one backward.

use crate::autocast::full;
use crate::backend::cpu::with_float;
use crate::backend::order::Order;
use crate::backend::tiles::CHUNK;
use crate::backend::{MapOp, Params, Program, Written, tiles};
use crate::elementwise::{Own, same_dtype};
use crate::graph::{At, Cost, Fast, Fused, Op, Outline, Vjp, boxed, fused};
use crate::storage::Plain;
use crate::written::written;
use crate::{Tensor, fail};
use mapsto_kernels::map::map2;
use mapsto_kernels::real::{Float, Real};
use mapsto_kernels::reduce::sum_in_f64;
use mapsto_kernels::threads::for_chunks;

/// A function of an output and its target, whose mean is a loss.
pub(crate) trait PairLoss: Copy + Send + Sync + 'static {
    /// The operation's name.
    const NAME: &'static str;
    /// The value at one pair.
    fn f<R: Real>(self, x: R, t: R) -> R;
    /// The derivative by the output.
    fn slope<R: Real>(self, x: R, t: R) -> R;
    /// As [`Unary::OWN`](crate::elementwise::Unary::OWN), for values and slopes.
    const OWN: Own = Own::Never;
    /// The values in other operations, before the mean: the definition.
    fn compose(self, x: &Tensor, t: &Tensor) -> Tensor;
}

/// The mean of a pair loss over all elements. Targets adopt the dtype of outputs, as numbers beside a tensor do.
#[track_caller]
pub(crate) fn mean_of<P: PairLoss>(loss: P, x: &Tensor, t: &Tensor) -> Tensor {
    if let Some([Some(x), Some(t)]) = full([Some(x), Some(t)]) {
        return mean_of(loss, &x, &t);
    }
    if x.shape() != t.shape() {
        fail!(P::NAME, "outputs {:?} and targets {:?} differ in shape", x.shape(), t.shape();
              help = "a loss never broadcasts; `reshape` or `unsqueeze` one of them");
    }
    if !x.dtype().is_float() {
        fail!(P::NAME, "floats are needed, these are {}", x.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    if t.dtype() != x.dtype() {
        return mean_of(loss, x, &t.to(x.dtype()));
    }
    same_dtype(P::NAME, x, t);
    fused(MeanOf(loss), &[x, t])
}

/// The mean of a pair loss as a value.
pub(crate) fn mean_op<P: PairLoss>(loss: P) -> Box<dyn Op> {
    boxed(MeanOf(loss))
}

struct MeanOf<P>(P);

/// The values of a loss.
struct Values<P>(P);
/// The slopes of a loss times a number.
struct Slopes<P>(P, f64);

impl<P: PairLoss> MapOp for Values<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }
    fn program(&self) -> Written {
        let loss = self.0;
        written::<Values<P>>(&Params::NONE, move || Program::of(2, |v| loss.f(v[0], v[1])))
    }
    fn int_program(&self) -> Option<Written> {
        None
    }
    fn own(&self, xs: &[&[f32]], y: &mut [f32]) -> bool {
        if const { P::OWN.is_never() } {
            return false; // known while compiling, so that the loop is not compiled
        }
        let loss = self.0;
        let runs = P::OWN.runs(y.len());
        if runs {
            map2(
                xs[0],
                xs[1],
                y,
                #[inline(always)]
                move |x, t| loss.f(x, t),
            );
        }
        runs
    }
    #[cfg(test)]
    fn f32(&self, xs: &[f32]) -> f32 {
        self.0.f(xs[0], xs[1])
    }
    #[cfg(test)]
    fn f64(&self, xs: &[f64]) -> f64 {
        self.0.f(xs[0], xs[1])
    }
    #[cfg(test)]
    fn i64(&self, _: &[i64]) -> i64 {
        unreachable!("losses are of floats")
    }
}

impl<P: PairLoss> MapOp for Slopes<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }
    fn program(&self) -> Written {
        let (loss, scale, params) = (self.0, self.1, self.params());
        written::<Slopes<P>>(&params, move || {
            Program::with(params, 2, |v| loss.slope(v[0], v[1]) * Real::param(0, scale))
        })
    }
    fn int_program(&self) -> Option<Written> {
        None
    }
    fn params(&self) -> Params {
        [self.1].into()
    }
    fn own(&self, xs: &[&[f32]], y: &mut [f32]) -> bool {
        if const { P::OWN.is_never() } {
            return false;
        }
        let (loss, scale) = (self.0, self.1 as f32);
        let runs = P::OWN.runs(y.len());
        if runs {
            map2(
                xs[0],
                xs[1],
                y,
                #[inline(always)]
                move |x, t| loss.slope(x, t) * scale,
            );
        }
        runs
    }
    #[cfg(test)]
    fn f32(&self, xs: &[f32]) -> f32 {
        self.0.slope(xs[0], xs[1]) * self.1 as f32
    }
    #[cfg(test)]
    fn f64(&self, xs: &[f64]) -> f64 {
        self.0.slope(xs[0], xs[1]) * self.1
    }
    #[cfg(test)]
    fn i64(&self, _: &[i64]) -> i64 {
        unreachable!("losses are of floats")
    }
}

/// As many values as are computed before they are summed.
const TILE: usize = 1024;

/// So few that clearing a whole tile would cost as much as their values.
const FEW: usize = 64;

/// The sum of an operation's values in f64: tile by tile, and then chunk by chunk, whoever computes them.
fn sum_of<T: Plain + Float + tiles::Compute>(op: &dyn MapOp, xs: [&Tensor; 2]) -> f64 {
    if let [Some(x), Some(t)] = xs.map(|x| x.as_slice::<T>())
        && x.len() <= FEW
    {
        let mut values = [<T as Default>::default(); FEW];
        tiles::over::<T>(op, &[x, t], &mut values[..x.len()]);
        return values[..x.len()].iter().map(|v| Float::to_f64(*v)).sum();
    }
    // A view that repeats may have more elements than memory holds, which asking for a copy of it finds out.
    let even = |x: &Tensor| {
        let strides = x.layout().strides();
        !strides.contains(&0) && strides.last().is_none_or(|step| *step == 1)
    };
    let order = Order::of(&xs, xs[0].shape_of());
    let xs = order.map_or(xs.map(Tensor::detach), |order| xs.map(|x| order.view(x, x.shape_of())));
    let xs = xs.map(|x| if even(&x) { x } else { x.contiguous() });
    let count = xs[0].len();
    let mut parts = vec![0.0; count.div_ceil(CHUNK)];
    for_chunks(&mut parts, 1, 4 * count, |i, part| {
        let [mut values, mut x, mut t] = [[<T as Default>::default(); TILE]; 3];
        let end = count.min((i + 1) * CHUNK);
        for start in (i * CHUNK..end).step_by(TILE) {
            let len = TILE.min(end - start);
            let (x, t) =
                (tiles::piece(&xs[0], start, &mut x[..len]), tiles::piece(&xs[1], start, &mut t[..len]));
            tiles::over::<T>(op, &[x, t], &mut values[..len]);
            part[0] += sum_in_f64(&values[..len]);
        }
    });
    parts.iter().sum()
}

impl<P: PairLoss> Fused for MeanOf<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=2
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 3)
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        self.0.compose(xs[0], xs[1]).mean(..)
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let op = Values(self.0);
        let sum = with_float!(xs[0].dtype(), T => sum_of::<T>(&op, [xs[0], xs[1]]));
        Some(Tensor::rounded((), sum / xs[0].len() as f64, xs[0].dtype()).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        if at.wants(1) {
            return None; // targets with a gradient are rare: the definition knows it
        }
        let x = at.a();
        let op = Slopes(self.0, g.item() / x.len() as f64);
        let dx = x.device().backend().map(&op, &[x, at.b()], x.shape_of(), x.dtype());
        Some([Some(dx), None].into())
    }
}
