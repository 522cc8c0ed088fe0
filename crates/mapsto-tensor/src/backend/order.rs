//! The order of axes in which an elementwise operation runs and its result lies in memory.
//!
//! It is row-major unless the operands of the result's shape lie otherwise: of transposes or of images whose channels lie next
//! to each other the result is of the same kind, as in PyTorch and NumPy. The operation then runs over memory in one piece.
//! Along axes on which all operands only repeat it runs once, and its result is copied.

use super::carry;
use crate::Tensor;
use crate::layout::Layout;
use crate::shape::{MAX_RANK, Shape};
use smallvec::SmallVec;

/// Axes from the outermost in memory to the innermost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
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

    /// The axes, the outermost in memory first.
    pub fn axes(&self) -> &[usize] {
        &self.axes[..self.rank]
    }

    /// The order that puts axes back.
    pub fn back(&self) -> SmallVec<[usize; MAX_RANK]> {
        let mut back = SmallVec::from_elem(0, self.rank);
        self.axes().iter().enumerate().for_each(|(to, from)| back[*from] = to);
        back
    }

    /// An operand of a result of this shape with its axes put into this order; one element stands for all of them, in
    /// whatever shape.
    pub fn view(&self, x: &Tensor, shape: &Shape) -> Tensor {
        let alike =
            if x.len() == 1 { *x.layout() } else { x.layout().broadcast_to(shape).permute(self.axes()) };
        Tensor::raw(x.0.storage.clone(), alike, x.dtype())
    }

    /// Runs an elementwise operation on operands whose axes are put into this order.
    pub fn run(
        &self,
        xs: &[&Tensor],
        shape: &Shape,
        run: impl FnOnce(&[&Tensor], &Shape) -> Tensor,
    ) -> Tensor {
        let views: SmallVec<[Tensor; 3]> = xs.iter().map(|x| self.view(x, shape)).collect();
        let xs: SmallVec<[&Tensor; 3]> = views.iter().collect();
        let shape: Shape = self.axes().iter().map(|i| shape[*i]).collect();
        let y = run(&xs, &shape);
        Tensor::raw(y.0.storage.clone(), y.layout().permute(&self.back()), y.dtype())
    }
}

/// Runs an elementwise operation without the axes along which all operands only repeat, and repeats its result; none, with
/// nothing run, where there are no such axes.
pub(super) fn once(
    xs: &[&Tensor],
    shape: &Shape,
    run: impl FnOnce(&[&Tensor], &Shape) -> Tensor,
) -> Option<Tensor> {
    // The common case first: a bias is added to rows.
    if xs.iter().any(|x| x.shape_of() == shape && x.layout().is_contiguous()) {
        return None;
    }
    let layouts: SmallVec<[Layout; 3]> = xs.iter().map(|x| x.layout().broadcast_to(shape)).collect();
    let repeats = |i: usize| shape[i] > 1 && layouts.iter().all(|layout| layout.strides()[i] == 0);
    let narrow: Shape = (0..shape.len()).map(|i| if repeats(i) { 1 } else { shape[i] }).collect();
    if narrow == *shape {
        return None;
    }
    let view = |(x, layout): (&&Tensor, &Layout)| {
        Tensor::raw(x.0.storage.clone(), Layout { shape: narrow, ..*layout }, x.dtype())
    };
    let views: SmallVec<[Tensor; 3]> = xs.iter().zip(&layouts).map(view).collect();
    let xs: SmallVec<[&Tensor; 3]> = views.iter().collect();
    let y = run(&xs, &narrow);
    Some(carry::copy(&Tensor::raw(y.0.storage.clone(), y.layout().broadcast_to(shape), y.dtype())))
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
    fn what_repeats_is_computed_once_and_lies_in_rows() {
        let (row, column) = (Tensor::randn([1, 1, 5]), Tensor::randn([3, 1, 1]));
        let number = Tensor::randn([1, 1, 1]);
        for x in [&row, &column, &number] {
            for dtype in [DType::F32, DType::F16, DType::F64] {
                let (x, shape) = (x.to(dtype), [3usize, 4, 5]);
                let wide = x.expand(shape);
                let full = wide.contiguous();
                for (y, want) in [
                    (wide.exp(), full.exp()),
                    (&wide * &wide, &full * &full),
                    (wide.to(DType::I64).to(dtype), full.to(DType::I64).to(dtype)),
                    (wide.gt(0).choose(&wide, 0), full.gt(0).choose(&full, 0)),
                    (wide.swap(0, 2).abs(), full.swap(0, 2).contiguous().abs()),
                ] {
                    assert!(y.layout().is_contiguous(), "{:?}", y.layout());
                    assert_eq!(y.to(DType::F64).to_vec::<f64>(), want.to(DType::F64).to_vec::<f64>());
                }
            }
        }
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
