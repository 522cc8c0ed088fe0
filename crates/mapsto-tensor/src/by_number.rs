//! Functions of two numbers that have loops of their own, such as series that end where they change no more: computed number
//! by number in f64, over several threads.

use crate::elementwise::same_dtype;
use crate::graph::{At, Keep, Op, Ran, Vjp, is_followed};
use crate::shape::{Shape, broadcast};
use crate::{DType, Tensor, fail};
use mapsto_kernels::threads::for_chunks;

/// How long such a function takes, in steps of a nanosecond, which decides how many threads share the work.
const COST: usize = 300;

/// `f(a, b)` of each pair of elements, broadcast.
pub(crate) fn by_number(
    a: &Tensor,
    b: &Tensor,
    shape: Shape,
    f: &(dyn Fn(f64, f64) -> f64 + Sync),
) -> Tensor {
    by_numbers([a, b], &shape, &|[a, b]| f(a, b))
}

/// `f` of the elements at each place, broadcast.
pub(crate) fn by_numbers<const N: usize>(
    xs: [&Tensor; N],
    shape: &Shape,
    f: &(dyn Fn([f64; N]) -> f64 + Sync),
) -> Tensor {
    let like = xs[0];
    if !like.device().backend().has_numbers() {
        return like.device().scope(|| Tensor::full_of(*shape, 0, like.dtype()));
    }
    let xs = xs.map(|x| x.detach().expand(*shape).to(DType::F64).to_vec::<f64>());
    let mut y = vec![0.0; xs[0].len()];
    let len = y.len();
    for_chunks(&mut y, 256, COST * len, |i, y| {
        y.iter_mut().enumerate().for_each(|(k, y)| *y = f(std::array::from_fn(|j| xs[j][256 * i + k])));
    });
    like.device().scope(|| Tensor::from_vec(y, *shape)).to(like.dtype())
}

/// Such a function as an operation.
pub(crate) struct ByNumber {
    /// Its name.
    pub name: &'static str,
    /// The value at `(a, b)`.
    pub f: fn(f64, f64) -> f64,
    /// The gradient by `b`. There is none by `a`: whoever records it is refused.
    pub slope: fn(&At<'_>, &Tensor) -> Tensor,
}

impl ByNumber {
    /// Checks what the operation takes.
    #[track_caller]
    pub(crate) fn check(&self, a: &Tensor, parameter: &str) {
        if !a.dtype().is_float() {
            fail!(self.name, "floats are needed, these are {}", a.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        if is_followed(a) {
            fail!(self.name, "there is no derivative by {parameter}"; help = "`detach` it");
        }
    }
}

impl Op for ByNumber {
    fn name(&self) -> &'static str {
        self.name
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=2
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        same_dtype(self.name, xs[0], xs[1]);
        let shape = broadcast(self.name, xs[0].shape_of(), xs[1].shape_of());
        by_number(xs[0], xs[1], shape, &self.f).into()
    }
    fn keep(&self) -> Keep {
        Keep::INPUTS
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        Vjp::from([None, at.wants(1).then(|| (self.slope)(at, g))])
    }
}
