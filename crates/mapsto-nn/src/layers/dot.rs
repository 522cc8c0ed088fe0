//! The product of two tensors along an axis of each, sample by sample.

use crate::Module;
use mapsto_tensor::{Tensor, fail};

/// `y[n, i.., j..] = Σ_k a[n, i.., k, ..] b[n, j.., k, ..]` along one axis of both, of two inputs: a program calls it, and no file names it.
///
/// * Shape: `[n, d], [n, d] → [n, 1]`; `[n, t, d], [n, s, d] → [n, t, s]`; the axes that are left, those of `a` first.
/// * PyTorch has none: `torch.einsum`; Keras: `Dot`.
/// ```
/// use mapsto_nn::prelude::*;
/// let (a, b) = (tensor![[1.0, 2.0], [3.0, 4.0]], tensor![[5.0, 6.0], [0.0, 1.0]]);
/// assert_close!(Dot::new(1).forward(&a, &b), [[17.0], [4.0]]);
/// assert_close!(Dot::new(1).normalized().forward(&a, &(&a * 2.0)), [[1.0], [1.0]]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
#[module(crate = crate)]
pub struct Dot {
    #[module(skip)]
    axes: [isize; 2],
    #[module(skip)]
    is_normalized: bool,
}

impl Dot {
    /// Along this axis of both, axis 0 being the batch; −1 is the last one.
    pub fn new(axis: isize) -> Dot {
        Dot { axes: [axis, axis], is_normalized: false }
    }

    /// Along this axis of the first and that of the second.
    pub fn along(axes: [isize; 2]) -> Dot {
        Dot { axes, is_normalized: false }
    }

    /// The same of vectors of length 1, whose product is the cosine of their angle. Keras: `normalize=True`.
    #[must_use]
    pub fn normalized(self) -> Dot {
        Dot { is_normalized: true, ..self }
    }

    /// The product.
    ///
    /// # Panics
    /// When the batches or the axes are of other sizes, or an axis is that of the batch.
    #[track_caller]
    pub fn forward(&self, a: &Tensor, b: &Tensor) -> Tensor {
        let axis = |x: &Tensor, axis: isize| {
            let at = if axis < 0 { axis + x.rank() as isize } else { axis };
            (at >= 1 && at < x.rank() as isize).then_some(at as usize)
        };
        let (Some(i), Some(j)) = (axis(a, self.axes[0]), axis(b, self.axes[1])) else {
            fail!(
                "dot",
                "the axes {:?} are not within {:?} and {:?} after the batch",
                self.axes,
                a.shape(),
                b.shape()
            );
        };
        if a.shape()[0] != b.shape()[0] || a.shape()[i] != b.shape()[j] {
            fail!("dot", "batches and the axes {i} and {j} differ: {:?} and {:?}", a.shape(), b.shape());
        }
        let ready = |x: &Tensor, at: usize| {
            let x = if self.is_normalized { x.normalize(2.0, at as isize, 1e-12) } else { x.clone() };
            let x = x.movedim(at as isize, -1);
            let left: Vec<usize> = x.shape()[1..x.rank() - 1].to_vec();
            let rows: usize = left.iter().product();
            (x.reshape([x.shape()[0], rows, x.shape()[x.rank() - 1]]), left)
        };
        let ((a, left), (b, right)) = (ready(a, i), ready(b, j));
        let y = a.matmul(&b.t());
        let mut shape = [&[y.shape()[0]], &left[..], &right[..]].concat();
        if shape.len() == 1 {
            shape.push(1);
        }
        y.reshape(&shape[..])
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    #[test]
    fn products_are_those_of_einsum_and_have_its_gradients() {
        let (a, b) = (Tensor::randn([2, 3, 4]), Tensor::randn([2, 4, 5]));
        let y = Tensor::einsum("nik,nkj->nij", &[&a, &b]);
        assert_close!(Dot::along([2, 1]).forward(&a, &b), y);
        let (p, q) = (Tensor::randn([3, 4]), Tensor::randn([3, 4]));
        let cosine = CosineSimilarity::new().forward(&p, &q);
        assert_close!(Dot::new(-1).normalized().forward(&p, &q).squeeze(1), cosine);
        let leaf = a.leaf();
        let grads = train(|| Dot::along([-1, 1]).forward(&leaf, &b).sum(..)).backward();
        assert_close!(grads.of(&leaf), b.sum(-1).unsqueeze(1).expand([2, 3, 4]));
        let e = catch(|| Dot::new(1).forward(&a, &b)).unwrap_err();
        assert_eq!(e.message(), "dot: batches and the axes 1 and 1 differ: [2, 3, 4] and [2, 4, 5]");
        let e = catch(|| Dot::new(0).forward(&a, &b)).unwrap_err();
        assert!(e.message().contains("are not within"), "{e}");
    }
}
