//! The order of axes in which an elementwise operation runs and its result lies in memory.
//!
//! It is row-major unless the operands of the result's shape lie otherwise: of transposes or of images whose channels lie next
//! to each other the result is of the same kind, as in PyTorch and NumPy. The operation then runs over memory in one piece.

use crate::Tensor;
use crate::shape::{MAX_RANK, Shape};
use smallvec::SmallVec;

/// Axes from the outermost in memory to the innermost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    axes: [usize; MAX_RANK],
    rank: usize,
}

impl Order {
    /// The order that the operands of this shape share, if it is another than row-major. An operand in row-major order
    /// decides for that; one that repeats its elements decides nothing.
    pub fn of(xs: &[&Tensor], shape: &Shape) -> Option<Order> {
        let mut found = None;
        for x in xs.iter().filter(|x| x.shape_of() == shape) {
            let (strides, rank) = (x.layout().strides(), shape.len());
            if (0..rank).any(|i| strides[i] == 0 && shape[i] > 1) {
                continue;
            }
            // An axis of one element lies anywhere.
            let key = |i: usize| if shape[i] == 1 { usize::MAX } else { strides[i].unsigned_abs() };
            let mut axes = std::array::from_fn(|i| i);
            axes[..rank].sort_by_key(|i| std::cmp::Reverse(key(*i)));
            let along = |axes: &[usize]| axes.iter().filter(|i| shape[**i] > 1).is_sorted();
            if along(&axes[..rank]) {
                return None;
            }
            found = found.or(Some(Order { axes, rank }));
        }
        found
    }

    fn axes(&self) -> &[usize] {
        &self.axes[..self.rank]
    }

    /// Runs an elementwise operation on operands whose axes are put into this order.
    pub fn run(
        &self,
        xs: &[&Tensor],
        shape: &Shape,
        run: impl FnOnce(&[&Tensor], &Shape) -> Tensor,
    ) -> Tensor {
        let view = |x: &&Tensor| {
            // One element stands for all of them, in whatever shape.
            let alike =
                if x.len() == 1 { *x.layout() } else { x.layout().broadcast_to(shape).permute(self.axes()) };
            Tensor::raw(x.0.storage.clone(), alike, x.dtype())
        };
        let views: SmallVec<[Tensor; 3]> = xs.iter().map(view).collect();
        let xs: SmallVec<[&Tensor; 3]> = views.iter().collect();
        let shape: Shape = self.axes().iter().map(|i| shape[*i]).collect();
        let y = run(&xs, &shape);
        let mut back = [0; MAX_RANK];
        self.axes().iter().enumerate().for_each(|(to, from)| back[*from] = to);
        Tensor::raw(y.0.storage.clone(), y.layout().permute(&back[..self.rank]), y.dtype())
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    /// What the operations give on rows, and the strides that the results have.
    #[track_caller]
    fn check(x: &Tensor, y: &Tensor, strides: &[isize]) {
        let (a, b) = (x.contiguous(), y.contiguous());
        for (got, want) in [(x.exp(), a.exp()), (x + y, &a + &b), (x.lt(y), a.lt(&b)), (x * 2, &a * 2)] {
            assert_eq!(got.layout().strides(), strides, "{:?} and {:?}", x.layout(), y.layout());
            assert_eq!(got.to(DType::F64).to_vec::<f64>(), want.to(DType::F64).to_vec::<f64>());
        }
    }

    #[test]
    fn results_lie_as_their_operands_do() {
        let (x, y) = (Tensor::randn([5, 3]), Tensor::randn([5, 3]));
        check(&x.t(), &y.t(), &[1, 3]);
        let wide = Tensor::randn([5, 9]).slice(1, 2..5);
        check(&wide.t(), &y.t(), &[1, 3]);
        check(&wide, &y, &[3, 1]);
        check(&x.flip(0).t(), &x.t(), &[1, 3]);
        let images = Tensor::randn([2, 4, 5, 3]).permute([0, 3, 1, 2]);
        check(&images, &images.sigmoid(), &[60, 1, 15, 3]);
        check(&images.to(DType::F16), &images.to(DType::F16), &[60, 1, 15, 3]);
    }

    #[test]
    fn operands_that_differ_or_repeat_give_rows() {
        let (x, y) = (Tensor::randn([4, 4]), Tensor::randn([4, 4]));
        assert_eq!((x.t() + &y).layout().strides(), [4, 1]);
        assert_eq!((&y + x.t()).layout().strides(), [4, 1]);
        assert_eq!(x.slice(0, ..1).expand([4, 4]).exp().layout().strides(), [4, 1]);
        let (bias, column) = (Tensor::randn([4]), Tensor::randn([4, 1]));
        for other in [&bias, &column] {
            let z = x.t() * other;
            assert_eq!(z.layout().strides(), [1, 4]);
            assert_eq!(z.contiguous().to_vec::<f32>(), (x.t().contiguous() * other).to_vec::<f32>());
        }
    }
}
