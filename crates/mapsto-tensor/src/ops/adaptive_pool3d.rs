//! Adaptive pooling of sequences and volumes, and the positions of the largest elements: a given number of windows, whatever
//! the size.

use super::avg_pool3d::AvgPool;
use super::max_pool3d::{MaxPool, with_positions};
use crate::check::floats;
use crate::error::named;
use crate::graph::{boxed, fused};
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::PerAxis;
use crate::pooling::{Rule, check_divided};
use crate::Tensor;

impl Tensor {
    /// The mean of each of `out` windows, which divide a sequence as in [`adaptive_avg_pool2d`](Tensor::adaptive_avg_pool2d).
    ///
    /// * Shape: `[n, c, l] → [n, c, out]`.   * Gradient: `dy / (size of the window)` to each element of a window.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[[1.0, 2.0, 3.0, 4.0, 6.0]]].adaptive_avg_pool1d(3), [[[1.5, 3.0, 5.0]]]);
    /// ```
    /// # Panics
    /// When the input is not `[n, c, l]` of floats, or a size is 0.
    #[track_caller]
    pub fn adaptive_avg_pool1d(&self, out: usize) -> Tensor {
        check_divided("adaptive_avg_pool1d", self, [out]);
        named("adaptive_avg_pool1d", || self.unsqueeze(2).adaptive_avg_pool2d([1, out]).squeeze(2))
    }

    /// The mean of each window, the windows dividing a volume into `out` parts along each axis as in
    /// [`adaptive_avg_pool2d`](Tensor::adaptive_avg_pool2d).
    ///
    /// * Shape: `[n, c, d, h, w] → [n, c, od, oh, ow]`.   * Gradient: `dy / (size of the window)` to each element of a window.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![1.0, 2.0, 3.0, 4.0, 6.0].reshape([1, 1, 1, 1, 5]);
    /// assert_close!(x.adaptive_avg_pool3d([1, 1, 3]).flatten(0), [1.5, 3.0, 5.0]);
    /// ```
    /// # Panics
    /// When the volumes are not `[n, c, d, h, w]` of floats, or a size is 0.
    #[track_caller]
    pub fn adaptive_avg_pool3d(&self, out: impl Into<PerAxis<3>>) -> Tensor {
        let out = out.into().0;
        check_divided("adaptive_avg_pool3d", self, out);
        fused(AvgPool { rule: Rule::Adaptive(out) }, &[self])
    }

    /// The largest element of each of `out` windows, which divide a sequence as in
    /// [`adaptive_avg_pool2d`](Tensor::adaptive_avg_pool2d); NaN if any is.
    ///
    /// * Shape: `[n, c, l] → [n, c, out]`.   * Gradient: `dy` to the first largest element of each window.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[[1.0, 2.0, 3.0, 4.0, 6.0]]].adaptive_max_pool1d(3), [[[2.0, 4.0, 6.0]]]);
    /// ```
    /// # Panics
    /// When the input is not `[n, c, l]` of floats, or a size is 0.
    #[track_caller]
    pub fn adaptive_max_pool1d(&self, out: usize) -> Tensor {
        check_divided("adaptive_max_pool1d", self, [out]);
        named("adaptive_max_pool1d", || self.unsqueeze(2).adaptive_max_pool2d([1, out]).squeeze(2))
    }

    /// The largest element of each window, the windows dividing a volume into `out` parts along each axis as in
    /// [`adaptive_avg_pool2d`](Tensor::adaptive_avg_pool2d); NaN if any is.
    ///
    /// * Shape: `[n, c, d, h, w] → [n, c, od, oh, ow]`.   * Gradient: `dy` to the first largest element of each window.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![1.0, 2.0, 3.0, 4.0, 6.0].reshape([1, 1, 1, 1, 5]);
    /// assert_close!(x.adaptive_max_pool3d([1, 1, 3]).flatten(0), [2.0, 4.0, 6.0]);
    /// ```
    /// # Panics
    /// When the volumes are not `[n, c, d, h, w]` of floats, or a size is 0.
    #[track_caller]
    pub fn adaptive_max_pool3d(&self, out: impl Into<PerAxis<3>>) -> Tensor {
        let out = out.into().0;
        check_divided("adaptive_max_pool3d", self, out);
        fused(MaxPool { rule: Rule::Adaptive(out), at: false }, &[self])
    }

    /// [`adaptive_max_pool1d`](Tensor::adaptive_max_pool1d), and the positions (i64) of the largest elements, of equals the first.
    ///
    /// * Shape: `[n, c, l] → ([n, c, out], [n, c, out])`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (_, at) = tensor![[[1.0, 2.0, 3.0, 4.0, 6.0]]].adaptive_max_pool1d_with_indices(3);
    /// assert_eq!(at.to_vec::<i64>(), [1, 3, 4]);
    /// ```
    /// # Panics
    /// As [`adaptive_max_pool1d`](Tensor::adaptive_max_pool1d).
    #[track_caller]
    pub fn adaptive_max_pool1d_with_indices(&self, out: usize) -> (Tensor, Tensor) {
        with_indices("adaptive_max_pool1d_with_indices", self, [out])
    }

    /// [`adaptive_max_pool2d`](Tensor::adaptive_max_pool2d), and the positions (i64) of the largest elements in their planes,
    /// `row · w + column`, of equals the first.
    ///
    /// * Shape: `[n, c, h, w] → ([n, c, oh, ow], [n, c, oh, ow])`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (_, at) = tensor![[[[1.0, 2.0], [4.0, 3.0]]]].adaptive_max_pool2d_with_indices(1);
    /// assert_eq!(at.to_vec::<i64>(), [2]);
    /// ```
    /// # Panics
    /// As [`adaptive_max_pool2d`](Tensor::adaptive_max_pool2d).
    #[track_caller]
    pub fn adaptive_max_pool2d_with_indices(&self, out: impl Into<PerAxis<2>>) -> (Tensor, Tensor) {
        with_indices("adaptive_max_pool2d_with_indices", self, out.into().0)
    }

    /// [`adaptive_max_pool3d`](Tensor::adaptive_max_pool3d), and the positions (i64) of the largest elements in their volumes,
    /// `(slice · h + row) · w + column`, of equals the first.
    ///
    /// * Shape: `[n, c, d, h, w] → ([n, c, od, oh, ow], [n, c, od, oh, ow])`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![1.0, 2.0, 4.0, 3.0].reshape([1, 1, 2, 1, 2]);
    /// assert_eq!(x.adaptive_max_pool3d_with_indices(1).1.to_vec::<i64>(), [2]);
    /// ```
    /// # Panics
    /// As [`adaptive_max_pool3d`](Tensor::adaptive_max_pool3d).
    #[track_caller]
    pub fn adaptive_max_pool3d_with_indices(&self, out: impl Into<PerAxis<3>>) -> (Tensor, Tensor) {
        with_indices("adaptive_max_pool3d_with_indices", self, out.into().0)
    }
}

#[track_caller]
fn with_indices<const N: usize>(op: &str, x: &Tensor, out: [usize; N]) -> (Tensor, Tensor) {
    check_divided(op, x, out);
    let out = std::array::from_fn(|d| if d + N < 3 { 1 } else { out[d + N - 3] });
    named(op, || with_positions::<N>(x, Rule::Adaptive(out)))
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("adaptive_avg_pool1d", "The mean of each of a number of windows that divide a sequence.", Takes::Floats, of_avg_1d).made_of("adaptive_avg_pool2d"),
    OpKind::new("adaptive_max_pool1d", "The largest element of each of a number of windows that divide a sequence.", Takes::Floats, of_max_1d).made_of("adaptive_max_pool2d"),
    OpKind::new("adaptive_avg_pool3d", "The mean of each window, the windows dividing a volume into `out` parts along each axis.", Takes::Floats, of_avg_3d).built(|a| Ok(boxed(AvgPool { rule: Rule::adaptive(a)? }))),
    OpKind::new("adaptive_max_pool3d", "The largest element of each window, the windows dividing a volume into `out` parts along each axis.", Takes::Floats, of_max_3d).built(|a| Ok(boxed(MaxPool { rule: Rule::adaptive(a)?, at: false }))),
    OpKind::new("adaptive_max_pool3d_with_indices", "The position of the largest element of each window that divides a volume.", Takes::Floats, of_positions).built(|a| Ok(boxed(MaxPool { rule: Rule::adaptive(a)?, at: true }))),
];

fn of_avg_1d(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 7], &d)], |x| x[0].adaptive_avg_pool1d(3));
    s.of(&[(&[0, 2, 4], &d)], |x| x[0].adaptive_avg_pool1d(2));
}

fn of_max_1d(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 7], &d)], |x| x[0].adaptive_max_pool1d(3));
    s.of(&[(&[0, 2, 4], &d)], |x| x[0].adaptive_max_pool1d(2));
}

fn of_avg_3d(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 1, 4, 5, 7], &d)], |x| x[0].adaptive_avg_pool3d([3, 2, 4]));
    s.of(&[(&[1, 2, 3, 3, 2], &d)], |x| x[0].adaptive_avg_pool3d(1));
    s.of(&[(&[0, 2, 3, 3, 2], &d)], |x| x[0].adaptive_avg_pool3d(2));
}

fn of_max_3d(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 1, 4, 5, 7], &d)], |x| x[0].adaptive_max_pool3d([3, 2, 4]));
    s.of(&[(&[1, 2, 3, 3, 2], &d)], |x| x[0].adaptive_max_pool3d(1));
    s.of(&[(&[0, 2, 3, 3, 2], &d)], |x| x[0].adaptive_max_pool3d(2));
}

fn of_positions(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 1, 4, 5, 7], &d)], |x| x[0].adaptive_max_pool3d_with_indices([3, 2, 4]).1);
    s.of(&[(&[1, 2, 3, 4], &d)], |x| x[0].adaptive_max_pool2d_with_indices(2).1);
    s.of(&[(&[1, 2, 5], &d)], |x| x[0].adaptive_max_pool1d_with_indices(2).1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn adaptive_pools_of_sequences_and_volumes() {
        let d = || floats(-2.0..2.0);
        let part = |l: usize, n: usize, i: usize| i * l / n..((i + 1) * l).div_ceil(n);
        check(|x| x.adaptive_avg_pool1d(3)).shapes([&[2, 2, 7]])
            .formula(move |[x]| Numbers::from_fn(&[2, 2, 3], |at| {
                let part = part(7, 3, at[2]);
                part.clone().map(|j| x.at(&[at[0], at[1], j])).sum::<f64>() / part.len() as f64
            }))
            .on(d());
        check(|x| x.adaptive_max_pool1d(3)).shapes([&[2, 2, 7]])
            .formula(move |[x]| Numbers::from_fn(&[2, 2, 3], |at| part(7, 3, at[2]).map(|j| x.at(&[at[0], at[1], j])).fold(f64::MIN, f64::max)))
            .on(d());
        check(|x| x.adaptive_avg_pool3d([2, 1, 3])).shapes([&[1, 2, 3, 2, 5]]).on(d());
        check(|x| x.adaptive_max_pool3d_with_indices([2, 1, 3]).0).shapes([&[1, 2, 3, 2, 5]]).on(d());
        for out in [[1, 1, 1], [2, 2, 3], [3, 5, 4], [7, 9, 1]] {
            let rule = Rule::Adaptive(out);
            check_fused(|| MaxPool { rule, at: false }, &[(&[2, 2, 5, 4, 3], d())]);
            check_fused(|| AvgPool { rule }, &[(&[2, 2, 5, 4, 3], d())]);
            let x = (Tensor::randn([2, 3, 5, 6, 4]) * 2.0).round();
            let op = MaxPool { rule, at: true };
            let (y, at) = x.adaptive_max_pool3d_with_indices(out);
            assert_eq!(at.to_vec::<i64>(), crate::graph::Fused::compose(&op, &[&x]).to_vec::<i64>());
            assert_close!(y, x.adaptive_max_pool3d(out));
        }
        let x = Tensor::randn([2, 3, 6, 4]);
        assert_close!(x.adaptive_max_pool2d_with_indices([4, 3]).0, x.adaptive_max_pool2d([4, 3]));
        let e = catch(|| Tensor::zeros([1, 1, 0]).adaptive_avg_pool1d(2)).unwrap_err();
        assert_eq!(e.message(), "adaptive_avg_pool1d: an image [0] cannot be divided into [2] windows");
    }
}
