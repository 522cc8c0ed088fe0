//! Adaptive max pooling: the largest of each of a given number of windows, whatever the size of the image.

use super::adaptive_avg_pool2d::{pooled, windows};
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::backend::Size2;
use crate::backend::cpu::{in_class, slice, with_float};
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use mapsto_kernels::adaptive_pool::{AdaptivePoolShape, adaptive_max_pool2d, adaptive_max_pool2d_backward};

impl Tensor {
    /// The largest element of each window, the windows dividing the image into `out` rows and columns as in
    /// [`adaptive_avg_pool2d`](Tensor::adaptive_avg_pool2d); NaN if any is.
    ///
    /// * Shape: `[n, c, h, w] → [n, c, oh, ow]`.
    /// * Gradient: `dy` to the first largest element of each window.   * ONNX: `GlobalMaxPool` for 1.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[[[1.0, 5.0, 3.0, 4.0, 6.0]]]];
    /// assert_close!(x.adaptive_max_pool2d([1, 3]).flatten(0), [5.0, 5.0, 6.0]);
    /// ```
    /// # Panics
    /// When the images are not `[n, c, h, w]` of floats, or a size is 0.
    #[track_caller]
    pub fn adaptive_max_pool2d(&self, out: impl Into<Size2>) -> Tensor {
        let out = out.into().0;
        windows("adaptive_max_pool2d", self, out);
        fused(AdaptiveMaxPool2d { out }, &[self])
    }
}

struct AdaptiveMaxPool2d {
    out: [usize; 2],
}
impl Fused for AdaptiveMaxPool2d {
    fn name(&self) -> &'static str {
        "adaptive_max_pool2d"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 1)
    }
    fn attrs(&self, say: Say<'_>) {
        say("out", self.out.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let s = windows("adaptive_max_pool2d", xs[0], self.out);
        let [oh, ow] = self.out;
        // Windows of different sizes side by side, short ones filled up with their first element, which cannot win again.
        let places: Vec<Vec<i64>> = (0..oh * ow)
            .map(|p| {
                let (rows, columns) = (s.window(0, p / ow), s.window(1, p % ow));
                rows.flat_map(|r| columns.clone().map(move |c| (r * s.w + c) as i64)).collect()
            })
            .collect();
        let most = places.iter().map(Vec::len).max().unwrap_or(0);
        let table: Vec<i64> =
            (0..most).flat_map(|k| places.iter().map(move |p| *p.get(k).unwrap_or(&p[0]))).collect();
        let table = xs[0].device().scope(|| Tensor::from_vec(table, most * oh * ow));
        let columns = xs[0].reshape([s.planes, s.h * s.w]).index_select(1, &table);
        let columns = columns.reshape([s.planes, most, oh * ow]);
        // By position, not by `max`: of equal elements the first takes the whole gradient.
        let at = columns.detach().argmax(1).unsqueeze(1);
        columns.gather(1, &at).reshape(pooled(xs[0], self.out))
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let (x, s) = (in_class(xs[0]), windows("adaptive_max_pool2d", xs[0], self.out));
        let out = pooled(xs[0], self.out);
        let mut at = None;
        let y = with_float!(x.dtype(), T => Tensor::filled_by(out, |y: &mut [T]| {
            at = Some(Tensor::filled_by(out, |at: &mut [i32]| adaptive_max_pool2d(&s, slice(&x), y, at)));
        }));
        Some(Fast { y: y.to(xs[0].dtype()), kept: at.into_iter().collect() })
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let (g, &[n, c, h, w]) = (in_class(g), at.shape(0)) else { return None };
        let s = AdaptivePoolShape { planes: n * c, h, w, out: self.out };
        let dx = with_float!(g.dtype(), T => Tensor::filled_by(at.shape(0), |dx: &mut [T]| {
            adaptive_max_pool2d_backward(&s, slice(&g), slice(&at.kept()[0]), dx)
        }));
        Some(dx.into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("adaptive_max_pool2d", "The largest element of each window, the windows dividing the image into `out` rows and columns as in `adaptive_avg_pool2d`.", Takes::Floats, samples).built(|a| Ok(boxed(AdaptiveMaxPool2d { out: a.need("out")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 5, 7], &d)], |x| x[0].adaptive_max_pool2d([3, 2]));
    s.of(&[(&[1, 2, 4, 4], &d)], |x| x[0].adaptive_max_pool2d(1));
    s.of(&[(&[0, 2, 4, 4], &d)], |x| x[0].adaptive_max_pool2d(2));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn adaptive_max_pool2d() {
        let d = || floats(-2.0..2.0);
        check(|x| x.adaptive_max_pool2d(1)).shapes([&[2, 3, 4, 3]]).on(d());
        check(|x| x.adaptive_max_pool2d([3, 2])).shapes([&[1, 2, 4, 5]]).on(d());
        for out in [[1, 1], [2, 2], [3, 5], [7, 9]] {
            check_fused(|| AdaptiveMaxPool2d { out }, &[(&[3, 2, 8, 7], d())]);
        }
        let x = Tensor::randn([2, 3, 6, 4]);
        assert_close!(x.adaptive_max_pool2d([3, 2]), x.max_pool2d(2));
        let x = Tensor::zeros([1, 1, 1, 3]).leaf();
        assert_close!(x.adaptive_max_pool2d(1).sum(..).backward().of(&x).flatten(0), [1.0, 0.0, 0.0]);
        assert!(tensor![[[[1.0, f64::NAN]]]].adaptive_max_pool2d(1).item().is_nan());
    }
}
