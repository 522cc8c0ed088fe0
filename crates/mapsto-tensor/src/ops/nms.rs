//! Boxes that overlap: by how much, and which of them a detector keeps.

use super::argsort::Order;
use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::{DType, Tensor, fail};

impl Tensor {
    /// Of boxes `[left, top, right, bottom]`, the area that each of one list shares with each of another over the area of both
    /// (intersection over union); NaN of boxes without an area.
    ///
    /// * Shape: `[a, 4], [b, 4] → [a, b]`.   * Gradient: to all sides.   * torchvision: `ops.box_iou`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (a, b) = (tensor![[0.0, 0.0, 2.0, 2.0]], tensor![[1.0, 0.0, 3.0, 2.0], [5.0, 5.0, 6.0, 6.0]]);
    /// assert_close!(a.box_iou(&b), [[1.0 / 3.0, 0.0]]);
    /// ```
    /// # Panics
    /// When these are not boxes of floats.
    #[track_caller]
    pub fn box_iou(&self, other: &Tensor) -> Tensor {
        boxes("box_iou", self);
        boxes("box_iou", other);
        if self.dtype() != other.dtype() {
            fail!("box_iou", "boxes of {} and of {}", self.dtype(), other.dtype(); help = "`.to(..)` makes them one dtype");
        }
        named("box_iou", || {
            // The areas of small boxes are too small for f32, and their shares are not.
            let [a, b] = [self.to(DType::F64).unsqueeze(1), other.to(DType::F64).unsqueeze(0)];
            let area = |x: &Tensor| (x.select(-1, 2) - x.select(-1, 0)) * (x.select(-1, 3) - x.select(-1, 1));
            let shared = |low: usize| {
                let (start, end) = (a.select(-1, low).maximum(b.select(-1, low)), a.select(-1, low + 2).minimum(b.select(-1, low + 2)));
                (end - start).relu()
            };
            let both = shared(0) * shared(1);
            (&both / (area(&a) + area(&b) - &both)).to(self.dtype())
        })
    }

    /// The positions (i64) of the boxes that are kept, the best first: a box goes if it overlaps a better one that is kept by
    /// more than `overlap`, its intersection over union (non-maximum suppression). Of equal scores the first is the better one.
    ///
    /// * Shape: `[k, 4], [k] → [kept]`.   * torchvision: `ops.nms(boxes, scores, iou_threshold)`.   * ONNX: `NonMaxSuppression`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let boxes = tensor![[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [5.0, 5.0, 6.0, 6.0]];
    /// assert_eq!(boxes.nms(&tensor![0.5, 0.9, 0.7], 0.5).to_vec::<i64>(), [1, 2]);
    /// ```
    /// # Panics
    /// When these are not boxes of floats with a score each, or the overlap is not from 0 to 1.
    #[track_caller]
    pub fn nms(&self, scores: &Tensor, overlap: f64) -> Tensor {
        boxes("nms", self);
        if scores.shape() != &self.shape()[..1] || !scores.dtype().is_float() {
            fail!("nms", "scores {:?} of {} for boxes {:?}", scores.shape(), scores.dtype(), self.shape(); help = "each box has one, a float");
        }
        if !(0.0..=1.0).contains(&overlap) {
            fail!("nms", "the overlap is {overlap}"; help = "it is a share, from 0 to 1");
        }
        if !self.device().backend().has_numbers() {
            fail!("nms", "how many boxes are kept depends on numbers, and there are none");
        }
        // In the digits of torchvision, since at the threshold the last one decides.
        let single = self.dtype() != DType::F64;
        let r = |x: f64| if single { f64::from(x as f32) } else { x };
        let sides = self.detach().to(DType::F64).to_vec::<f64>();
        let order = named("nms", || scores.detach().argsort_with(0, Order::Descending).to_vec::<i64>());
        let of = |i: i64| &sides[i as usize * 4..][..4];
        let area = |b: &[f64]| r(r(b[2] - b[0]) * r(b[3] - b[1]));
        let mut kept: Vec<i64> = Vec::new();
        for i in order {
            let b = of(i);
            let goes = kept.iter().any(|&k| {
                let a = of(k);
                let along = |d: usize| r(a[d + 2].min(b[d + 2]) - a[d].max(b[d])).max(0.0);
                let both = r(along(0) * along(1));
                r(both / r(r(area(a) + area(b)) - both)) > overlap
            });
            if !goes {
                kept.push(i);
            }
        }
        let n = kept.len();
        self.device().scope(|| Tensor::from_vec(kept, [n]))
    }
}

#[track_caller]
fn boxes(op: &str, x: &Tensor) {
    if x.rank() != 2 || x.shape()[1] != 4 || !x.dtype().is_float() {
        fail!(op, "boxes [k, 4] of floats are needed, these are {:?} of {}", x.shape(), x.dtype(); help = "a box is [left, top, right, bottom]");
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("box_iou", "The area that boxes share over the area of both.", Takes::Floats, of_box_iou).made_of("arithmetic"),
];

/// Boxes of some area.
fn some(s: &mut Samples, count: usize) -> Tensor {
    let (corner, sides) = (s.draw(&[count, 2], &floats(0.0..2.0)), s.draw(&[count, 2], &floats(0.5..2.0)));
    Tensor::cat(&[&corner, &(&corner + sides)], 1)
}

fn of_box_iou(s: &mut Samples) {
    let (a, b) = (some(s, 3), some(s, 4));
    s.given(vec![a.clone(), b], |x| x[0].box_iou(&x[1]));
    s.given(vec![a.clone(), a.slice(0, ..0)], |x| x[0].box_iou(&x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn boxes_that_overlap() {
        // From corners and sides, so that all are boxes.
        let whole = |x: &Tensor| Tensor::cat(&[x.slice(1, ..2), x.slice(1, ..2) + x.slice(1, 2..).exp()], 1);
        check2(move |a, b| whole(a).box_iou(&whole(b))).shapes([&[3, 4], &[2, 4]]).on(floats(0.0..1.0), floats(0.0..1.0));
        let boxes = Tensor::from_slice(&[0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.5, 2.0, 2.0, 3.0, 3.0, 0.0, 0.0, 1.0, 0.9], [4, 4]);
        let kept = |overlap| boxes.nms(&tensor![0.3, 0.9, 0.5, 0.3], overlap).to_vec::<i64>();
        // An overlap of exactly the threshold is kept.
        assert_eq!((kept(0.5), kept(0.49), kept(1.0)), (vec![1, 2, 0], vec![1, 2], vec![1, 2, 0, 3]));
    }

    #[test]
    fn what_is_no_box_is_named() {
        let error = |f: &dyn Fn() -> Tensor| catch(f).unwrap_err().message().to_string();
        let boxes = || Tensor::zeros([2, 4]);
        assert_eq!(error(&|| Tensor::zeros([2, 5]).nms(&tensor![0.0, 1.0], 0.5)), "nms: boxes [k, 4] of floats are needed, these are [2, 5] of f32");
        assert_eq!(error(&|| boxes().nms(&tensor![0.0], 0.5)), "nms: scores [1] of f32 for boxes [2, 4]");
        assert_eq!(error(&|| boxes().nms(&tensor![0.0, 1.0], 1.5)), "nms: the overlap is 1.5");
        assert_eq!(error(&|| boxes().box_iou(&boxes().to(DType::F64))), "box_iou: boxes of f32 and of f64");
    }
}
