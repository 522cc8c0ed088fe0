//! Matrix products: the operation that neural networks spend their time in.

use crate::autocast::low;
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::same_dtype;
use crate::graph::{At, Cost, Op, Outline, Ran, Vjp, apply, times};
use crate::shape::{Shape, broadcast};
use crate::{Tensor, fail};

impl Tensor {
    /// The matrix product `yᵢⱼ = Σₖ aᵢₖ bₖⱼ` over the last two axes; axes before them are batches and broadcast.
    /// A vector on the left is a row, on the right a column. Transposed views are read in place.
    ///
    /// * Shape: `[.., m, k] × [.., k, n] → [.., m, n]`.   * Gradient: `da = dy bᵀ`, `db = aᵀ dy`.   * ONNX: `MatMul`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let a = tensor![[1.0, 2.0], [3.0, 4.0]];
    /// assert_close!(a.matmul(&tensor![1.0, -1.0]), [-1.0, -1.0]);
    /// assert_close!(a.matmul(&a.t()), [[5.0, 11.0], [11.0, 25.0]]);
    /// ```
    /// Integers wrap in their own type, as in PyTorch. f16 and bf16 are summed in f32 and rounded once; on processors that multiply
    /// bf16 faster than f32, numbers and sums of large bf16 products below 2⁻¹²⁶ count as 0, likewise as in PyTorch.
    ///
    /// # Panics
    /// When the inner sizes differ, the batches do not broadcast, or the elements are not numbers of one dtype.
    #[track_caller]
    pub fn matmul(&self, other: &Tensor) -> Tensor {
        let (a, b) = (self, other);
        if let Some([Some(a), Some(b)]) = low([Some(a), Some(b)]) {
            return a.matmul(&b);
        }
        same_dtype("matmul", a, b);
        if a.dtype() == crate::DType::Bool {
            fail!("matmul", "numbers are needed, these are bool"; help = "convert them with `.to(DType::I32)`");
        }
        if a.rank() == 0 || b.rank() == 0 {
            fail!("matmul", "at least one axis is needed: {:?} × {:?}", a.shape(), b.shape(); help = "multiply by a number with `*`");
        }
        match (a.rank(), b.rank()) {
            (1, 1) => return a.unsqueeze(0).matmul(&b.unsqueeze(1)).reshape(()),
            (1, _) => return a.unsqueeze(0).matmul(b).squeeze(-2),
            (_, 1) => return a.matmul(&b.unsqueeze(1)).squeeze(-1),
            _ => {}
        }
        let (ra, rb) = (a.rank(), b.rank());
        let (k, n) = (a.shape()[ra - 1], b.shape()[rb - 1]);
        if k != b.shape()[rb - 2] {
            let (sa, sb, inner) = (a.shape(), b.shape(), b.shape()[rb - 2]);
            if k == n {
                fail!("matmul", "inner sizes differ: {sa:?} × {sb:?}      {k} ≠ {inner}";
                      help = "the right operand looks transposed; try `x.matmul(&w.t())`");
            }
            fail!("matmul", "inner sizes differ: {sa:?} × {sb:?}      {k} ≠ {inner}";
                  help = "the last axis of the left operand must equal the second last of the right one");
        }
        apply(MatMul, &[a, b])
    }
}

/// A constant of the same elements under another shape; copied only where the layout forces it.
fn flat(x: &Tensor, shape: &[usize]) -> Tensor {
    let x = x.detach();
    crate::no_grad(|| x.reshape(shape))
}

struct MatMul;
impl Op for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=2
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::products(xs, y, times(&[y.count(), xs[0].last()]))
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let (a, b) = (xs[0], xs[1]);
        let (ra, rb) = (a.rank(), b.rank());
        let (m, k, n) = (a.shape()[ra - 2], a.shape()[ra - 1], b.shape()[rb - 1]);
        if (ra, rb) == (2, 2) {
            Shape::new(&[m, n]).fit("matmul");
            return a.device().backend().matmul(a, b).into();
        }
        let batch = broadcast("matmul", &Shape::new(&a.shape()[..ra - 2]), &Shape::new(&b.shape()[..rb - 2]));
        let sizes = |rows: usize, cols: usize| batch.iter().copied().chain([rows, cols]).collect::<Shape>().fit("matmul");
        let shape = sizes(m, n);
        let y = if rb == 2 && a.layout().is_contiguous() {
            // One matrix on the right: all rows on the left form one tall matrix.
            let rows = a.shape()[..ra - 1].iter().product::<usize>();
            let tall = flat(a, &[1, rows, k]);
            a.device().backend().matmul(&tall, &flat(b, &[1, k, n]))
        } else {
            let stretch = |x: &Tensor, rows: usize, cols: usize| {
                let full = Tensor::raw(x.0.storage.clone(), x.layout().broadcast_to(&sizes(rows, cols)), x.dtype());
                flat(&full, &[batch.known_count(), rows, cols])
            };
            a.device().backend().matmul(&stretch(a, m, k), &stretch(b, k, n))
        };
        Tensor::raw(y.0.storage.clone(), crate::Layout::contiguous(shape), y.dtype()).into()
    }
    fn vjp_each(&self, at: &At<'_>, g: &Tensor, n: usize) -> Vjp {
        let (&[k, m], true) = (at.shape(1), at.wants(1)) else { return Vjp::from([None, None]) };
        let each = g.len() / m.max(1) / n;
        Vjp::from([None, Some(at.a().detach().reshape([n, each, k]).t().matmul(&g.reshape([n, each, m])))])
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        at.both(
            || g.matmul(&at.b().t()),
            || {
                if at.b().rank() == 2 && at.a().rank() > 2 {
                    // One weight for many batches: the sum over batches happens inside one long product.
                    let (k, n) = (at.a().shape()[at.a().rank() - 1], g.shape()[g.rank() - 1]);
                    // Not -1: of no elements nobody knows how many rows they were.
                    let rows: usize = g.shape()[..g.rank() - 1].iter().product();
                    return at.a().reshape([rows, k]).t().matmul(&g.reshape([rows, n]));
                }
                at.a().t().matmul(g)
            },
        )
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("matmul", "The matrix product `yᵢⱼ = Σₖ aᵢₖ bₖⱼ` over the last two axes; axes before them are batches and broadcast.", Takes::Floats, samples).built(|_| Ok(Box::new(MatMul))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3], &d), (&[3, 4], &d)], |x| x[0].matmul(&x[1]));
    s.of(&[(&[5, 1], &d), (&[1, 7], &d)], |x| x[0].matmul(&x[1]));
    s.of(&[(&[3], &d), (&[3], &d)], |x| x[0].matmul(&x[1]));
    s.of(&[(&[2, 1, 3, 2], &d), (&[4, 2, 3], &d)], |x| x[0].matmul(&x[1]));
    s.of(&[(&[2, 3, 4], &d), (&[4, 2], &d)], |x| x[0].matmul(&x[1]));
    s.of(&[(&[4], &d), (&[2, 4, 3], &d)], |x| x[0].matmul(&x[1]));
    s.of(&[(&[0, 3], &d), (&[3, 2], &d)], |x| x[0].matmul(&x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn matmul() {
        let product = |a: &Tensor, b: &Tensor| a.matmul(b);
        for (a, b) in [
            (vec![3, 4], vec![4, 2]),
            (vec![2, 3, 4], vec![4, 5]),
            (vec![2, 1, 3, 4], vec![3, 4, 2]),
            (vec![4], vec![4]),
            (vec![4], vec![2, 4, 3]),
            (vec![2, 3, 4], vec![4]),
            (vec![0, 4], vec![4, 3]),
            (vec![2, 0], vec![0, 3]),
        ] {
            check2(product).shapes([&a[..], &b[..]]).on(floats(-2.0..2.0), floats(-2.0..2.0));
        }
        let a = Tensor::randn([5, 7, 3]);
        let b = Tensor::randn([4, 7]).t().to(DType::F32);
        let slow = (a.swap(1, 2).unsqueeze(-1) * &b).sum(2);
        assert_close!(a.swap(1, 2).matmul(&b), slow);
    }

    #[test]
    fn whole_numbers_wrap_in_their_own_type() {
        let a = Tensor::from_vec(vec![1i64 << 31, 3, -5, 200, 7, 100], [2, 3]);
        let b = Tensor::from_vec(vec![1i64 << 32, 2, 90, 250], [2, 2]);
        let want = [(1i64 << 31).wrapping_mul(1 << 32).wrapping_add(3 * 90), (2i64 << 31) + 3 * 250];
        let y = a.slice(1, 0..2).matmul(&b).to_vec::<i64>();
        assert_eq!(y[..2], want);
        let small = Tensor::from_vec(vec![200i64, 3, 100, 7, 50, 60], [2, 3]);
        for dtype in [DType::I64, DType::I32, DType::U8, DType::I8] {
            let x = small.to(dtype);
            let exact = small.to(dtype).to(DType::I64);
            let want = exact.matmul(&exact.t()).to(dtype);
            let y = x.matmul(&x.t());
            assert_eq!((y.dtype(), y.to_vec::<i64>()), (dtype, want.to_vec::<i64>()));
        }
        let e = catch(|| Tensor::zeros([2, 2]).eq(0).matmul(&Tensor::zeros([2, 2]).eq(0))).unwrap_err();
        assert_eq!(e.to_string(), "matmul: numbers are needed, these are bool\nhelp: convert them with `.to(DType::I32)`");
    }

    #[test]
    fn a_mistake_names_both_shapes_and_the_fix() {
        let e = catch(|| Tensor::zeros([32, 784]).matmul(&Tensor::zeros([128, 784]))).unwrap_err();
        assert_eq!(
            e.to_string(),
            "matmul: inner sizes differ: [32, 784] × [128, 784]      784 ≠ 128\nhelp: the right operand looks transposed; try `x.matmul(&w.t())`"
        );
    }
}
