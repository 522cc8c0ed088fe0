//! Weighted sums of elements at listed places of planes: what `grid_sample` and `roi_align` are made of.

use crate::backend::cpu::{in_class, slice, with_float};
use crate::check::{floats, ints};
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::kind::{OpKind, Samples, Takes};
use crate::{DType, Tensor, fail};
use mapsto_kernels::resample::{Places, sample as gathered, sample_backward, sample_backward_weights};

impl Tensor {
    /// `y[r, c, p] = Σₖ weight[r, p, k] · x[image[r], c, at[r, p, k]]`: for each row, sums of elements of the planes of one
    /// image. A place below 0 is none.
    ///
    /// * Shape: x `[n, c, size]`, image `[r]`, at and weight `[r, p, k]` → `[r, c, p]`; images and places are i64.
    /// * Gradient: `dx[image[r], c, at[r, p, k]] += weight · dy`, `dweight[r, p, k] = Σ_c x · dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[[1.0, 2.0, 4.0]]];
    /// let y = x.sample_places(&tensor![0], &tensor![[[0, 2], [1, -1]]], &tensor![[[0.5, 0.25], [1.0, 9.0]]]);
    /// assert_close!(y, [[[1.5, 2.0]]]);
    /// ```
    /// # Panics
    /// When the shapes or dtypes do not fit, or an image or a place is not there.
    #[track_caller]
    pub fn sample_places(&self, image: &Tensor, at: &Tensor, weight: &Tensor) -> Tensor {
        const OP: &str = "sample_places";
        if !self.dtype().is_float() || weight.dtype() != self.dtype() {
            fail!(OP, "elements and weights are floats of one dtype, these are {} and {}", self.dtype(), weight.dtype());
        }
        if (image.dtype(), at.dtype()) != (DType::I64, DType::I64) {
            fail!(OP, "images and places are i64, these are {} and {}", image.dtype(), at.dtype(); help = "convert them with `.to(DType::I64)`");
        }
        if self.rank() != 3 || image.rank() != 1 || at.rank() != 3 || at.shape() != weight.shape() || at.shape()[0] != image.len() {
            fail!(OP, "x [n, c, size], images [r], places and weights [r, p, k] are needed, these are {:?}, {:?}, {:?} and {:?}",
                  self.shape(), image.shape(), at.shape(), weight.shape());
        }
        let ([n, c, size], [r, p, k]) = (self.dims(), at.dims());
        if k == 0 {
            fail!(OP, "outputs of no places: {:?}", at.shape());
        }
        crate::shape::Shape::new(&[r, c, p]).fit(OP);
        let image = crate::indices::positions(OP, image, n);
        let _ = crate::indices::positions(OP, &at.lt(0).choose(0, at), size.max(1));
        if size == 0 && at.device().backend().has_numbers() && !at.is_empty() && at.max(..).item_i64() >= 0 {
            fail!(OP, "places of planes without elements: {:?}", self.shape());
        }
        fused(SamplePlaces, &[self, &image, &at.contiguous(), weight])
    }
}

struct SamplePlaces;
impl SamplePlaces {
    fn places<'a>(x: &[usize], image: &'a Tensor, at: &'a Tensor) -> Places<'a> {
        let [_, outs, taps] = at.dims();
        Places { n: x[0], c: x[1], size: x[2], image: slice(image), outs, taps, at: slice(at) }
    }
}
impl Fused for SamplePlaces {
    fn name(&self) -> &'static str {
        "sample_places"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        4..=4
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each(xs, y, 2 * xs[2].last())
    }
    fn attrs(&self, _: Say<'_>) {}
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let (x, at, weight) = (xs[0].index_select(0, xs[1]), xs[2], xs[3]);
        let ([r, p, k], c) = (at.dims(), xs[0].shape()[1]);
        if xs[0].is_empty() || at.is_empty() {
            return xs[0].device().scope(|| Tensor::full_of([r, c, p], 0.0, x.dtype()));
        }
        let flat = at.clamp(0, i64::MAX).reshape([r, 1, p * k]).expand([r, c, p * k]);
        let found = x.gather(2, &flat).reshape([r, c, p, k]);
        let there = at.ge(0).unsqueeze(1);
        (there.choose(found, 0.0) * weight.unsqueeze(1)).sum(3)
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let ([x, w], shape) = ([xs[0], xs[3]].map(in_class), [xs[2].shape()[0], xs[0].shape()[1], xs[2].shape()[1]]);
        let (image, at) = (xs[1].contiguous(), xs[2].contiguous());
        let s = SamplePlaces::places(xs[0].shape(), &image, &at);
        let y = with_float!(x.dtype(), T => Tensor::filled_by(shape, |y: &mut [T]| gathered(&s, slice(&x), slice(&w), y)));
        Some(y.to(xs[0].dtype()).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let [x, w, g] = [at.input(0), at.input(3), g].map(in_class);
        let (image, places) = (at.input(1).contiguous(), at.input(2).contiguous());
        let s = SamplePlaces::places(at.shape(0), &image, &places);
        let dx = at.wants(0).then(|| with_float!(g.dtype(), T => Tensor::filled_by(at.shape(0), |dx: &mut [T]| sample_backward(&s, slice(&w), slice(&g), dx))));
        let dw = at.wants(3).then(|| with_float!(g.dtype(), T => Tensor::filled_by(at.shape(3), |dw: &mut [T]| sample_backward_weights(&s, slice(&x), slice(&g), dw))));
        Some(Vjp::from([dx, None, None, dw]))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("sample_places", "Weighted sums of elements at listed places of the planes of images.", Takes::Floats, samples).built(|_| Ok(boxed(SamplePlaces))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 7], &d), (&[4], &ints(0..2)), (&[4, 5, 3], &ints(-1..7)), (&[4, 5, 3], &d)], |x| x[0].sample_places(&x[1], &x[2], &x[3]));
    s.of(&[(&[1, 2, 4], &d), (&[1], &ints(0..1)), (&[1, 3, 1], &ints(0..4)), (&[1, 3, 1], &d)], |x| x[0].sample_places(&x[1], &x[2], &x[3]));
    s.of(&[(&[2, 3, 7], &d), (&[0], &ints(0..2)), (&[0, 5, 3], &ints(0..7)), (&[0, 5, 3], &d)], |x| x[0].sample_places(&x[1], &x[2], &x[3]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn sample_places() {
        let (image, at) = (ints(0..2).draw(&[3], 1), ints(-1..6).draw(&[3, 4, 2], 2));
        let (i, a) = (image.to_vec::<i64>(), at.to_vec::<i64>());
        check2(move |x, w| x.sample_places(&image.to_device(x.device()), &at.to_device(x.device()), w)).shapes([&[2, 2, 6], &[3, 4, 2]])
            .formula(move |[x, w]| Numbers::from_fn(&[3, 2, 4], |o| {
                let place = |k: usize| a[(o[0] * 4 + o[2]) * 2 + k];
                (0..2).filter(|&k| place(k) >= 0).map(|k| w.at(&[o[0], o[2], k]) * x.at(&[i[o[0]] as usize, o[1], place(k) as usize])).sum()
            }))
            .on(floats(-2.0..2.0), floats(-2.0..2.0));
        for k in [1, 3, 4, 8] {
            check_fused(|| SamplePlaces, &[(&[2, 3, 7], floats(-2.0..2.0)), (&[4], ints(0..2)), (&[4, 5, k], ints(-1..7)), (&[4, 5, k], floats(-2.0..2.0))]);
        }
        let e = catch(|| Tensor::zeros([1, 1, 3]).sample_places(&tensor![0], &tensor![[[3]]], &tensor![[[1.0]]])).unwrap_err();
        assert_eq!(e.message(), "sample_places: the index 3 at [0, 0, 0] is not within 0..3");
        let e = catch(|| Tensor::zeros([1, 1, 3]).sample_places(&tensor![1], &tensor![[[0]]], &tensor![[[1.0]]])).unwrap_err();
        assert_eq!(e.message(), "sample_places: the index 1 at position 0 is not within 0..1");
    }
}
