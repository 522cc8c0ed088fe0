//! Max pooling backwards: each element goes to the position that it was found at, among zeros.

use crate::check::{floats, ints};
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::PerAxis;
use crate::pooling::{Pool, Pool1d, Pool2d, Pool3d, image_of};
use crate::shape::Shape;
use crate::{Tensor, fail};

impl Tensor {
    /// Zeros with each element at its position, those of [`max_pool1d_with_indices`](Tensor::max_pool1d_with_indices), in a
    /// sequence of `(o − 1)·stride − 2·padding + k` places. Of several elements for one position the last counts.
    ///
    /// * Shape: `[n, c, o], [n, c, o] → [n, c, l]`.   * Gradient: each `dy` to where its element came from.   * ONNX: `MaxUnpool`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let pool = Pool1d::new(2);
    /// let (y, at) = tensor![[[1.0, 2.0, 5.0, 4.0]]].max_pool1d_with_indices(pool);
    /// assert_close!(y.max_unpool1d(&at, pool), [[[0.0, 2.0, 5.0, 0.0]]]);
    /// ```
    /// # Panics
    /// When the positions have another shape, or one is not within the sequence.
    #[track_caller]
    pub fn max_unpool1d(&self, at: &Tensor, pool: Pool1d) -> Tensor {
        unpooled("max_unpool1d", self, at, pool, None)
    }

    /// The same in a sequence of a given length, less than a stride more or less than that.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = tensor![[[2.0]]].max_unpool1d_with(&tensor![[[1]]], Pool1d::new(2), 3);
    /// assert_close!(y, [[[0.0, 2.0, 0.0]]]);
    /// ```
    /// # Panics
    /// As [`max_unpool1d`](Tensor::max_unpool1d), and when the length is another.
    #[track_caller]
    pub fn max_unpool1d_with(&self, at: &Tensor, pool: Pool1d, size: usize) -> Tensor {
        unpooled("max_unpool1d", self, at, pool, Some([size]))
    }

    /// Zeros with each element at its position, those of [`max_pool2d_with_indices`](Tensor::max_pool2d_with_indices), in images
    /// of `(o − 1)·stride − 2·padding + k` rows and columns. Of several elements for one position the last counts.
    ///
    /// * Shape: `[n, c, oh, ow], [n, c, oh, ow] → [n, c, h, w]`.   * Gradient: each `dy` to where its element came from.   * ONNX: `MaxUnpool`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let pool = Pool2d::new(2);
    /// let (y, at) = tensor![[[[1.0, 2.0], [5.0, 4.0]]]].max_pool2d_with_indices(pool);
    /// assert_close!(y.max_unpool2d(&at, pool).flatten(0), [0.0, 0.0, 5.0, 0.0]);
    /// ```
    /// # Panics
    /// As [`max_unpool1d`](Tensor::max_unpool1d).
    #[track_caller]
    pub fn max_unpool2d(&self, at: &Tensor, pool: Pool2d) -> Tensor {
        unpooled("max_unpool2d", self, at, pool, None)
    }

    /// The same in images of a given size, along each axis less than a stride more or less than that.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = tensor![[[[2.0]]]].max_unpool2d_with(&tensor![[[[3]]]], Pool2d::new(2), [2, 3]);
    /// assert_close!(y.flatten(0), [0.0, 0.0, 0.0, 2.0, 0.0, 0.0]);
    /// ```
    /// # Panics
    /// As [`max_unpool1d`](Tensor::max_unpool1d), and when the size is another.
    #[track_caller]
    pub fn max_unpool2d_with(&self, at: &Tensor, pool: Pool2d, size: impl Into<PerAxis<2>>) -> Tensor {
        unpooled("max_unpool2d", self, at, pool, Some(size.into().0))
    }

    /// Zeros with each element at its position, those of [`max_pool3d_with_indices`](Tensor::max_pool3d_with_indices), in volumes
    /// of `(o − 1)·stride − 2·padding + k` places along each axis. Of several elements for one position the last counts.
    ///
    /// * Shape: `[n, c, od, oh, ow], [n, c, od, oh, ow] → [n, c, d, h, w]`.   * Gradient: each `dy` to where its element came from.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, pool) = (tensor![1.0, 2.0].reshape([1, 1, 2, 1, 1]), Pool3d::new([2, 1, 1]));
    /// let (y, at) = x.max_pool3d_with_indices(pool);
    /// assert_close!(y.max_unpool3d(&at, pool).flatten(0), [0.0, 2.0]);
    /// ```
    /// # Panics
    /// As [`max_unpool1d`](Tensor::max_unpool1d).
    #[track_caller]
    pub fn max_unpool3d(&self, at: &Tensor, pool: Pool3d) -> Tensor {
        unpooled("max_unpool3d", self, at, pool, None)
    }

    /// The same in volumes of a given size, along each axis less than a stride more or less than that.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![2.0].reshape([1, 1, 1, 1, 1]);
    /// let y = x.max_unpool3d_with(&Tensor::arange(1..2).reshape(x.shape()), Pool3d::new([2, 1, 1]), [3, 1, 1]);
    /// assert_close!(y.flatten(0), [0.0, 2.0, 0.0]);
    /// ```
    /// # Panics
    /// As [`max_unpool1d`](Tensor::max_unpool1d), and when the size is another.
    #[track_caller]
    pub fn max_unpool3d_with(&self, at: &Tensor, pool: Pool3d, size: impl Into<PerAxis<3>>) -> Tensor {
        unpooled("max_unpool3d", self, at, pool, Some(size.into().0))
    }
}

#[track_caller]
fn unpooled<const N: usize>(op: &str, x: &Tensor, at: &Tensor, pool: Pool<N>, size: Option<[usize; N]>) -> Tensor {
    pool.of_maxima(op);
    let image = image_of::<N>(op, x);
    if at.shape() != x.shape() {
        fail!(op, "positions {:?} for elements {:?}", at.shape(), x.shape(); help = "`max_pool_with_indices` gives both");
    }
    if image.contains(&0) || pool.kernel.contains(&0) || pool.stride.contains(&0) || pool.dilation != [1; N] {
        fail!(op, "nothing was pooled to {image:?} by {pool:?}"; help = "no size may be 0, and the windows have no dilation");
    }
    let usual = |d: usize| {
        let all = (image[d] - 1).checked_mul(pool.stride[d]).and_then(|n| n.checked_add(pool.kernel[d]));
        all.and_then(|all| all.checked_sub(pool.padding[d].checked_mul(2)?)).filter(|n| *n > 0)
    };
    let mut sizes = [0; N];
    for d in 0..N {
        let Some(usual) = usual(d) else {
            fail!(op, "nothing was pooled to {image:?} by windows {:?} with padding {:?}", pool.kernel, pool.padding);
        };
        sizes[d] = size.map_or(usual, |size| size[d]);
        if sizes[d] == 0 || sizes[d].abs_diff(usual) >= pool.stride[d] {
            fail!(op, "a size of {} along axis {}, where it is about {usual}", sizes[d], d + 2; help = "it differs by less than the stride");
        }
    }
    let [n, c] = [x.shape()[0], x.shape()[1]];
    let shape: Shape = [n, c].into_iter().chain(sizes).collect();
    let shape = shape.fit(op);
    let plane = sizes.iter().product::<usize>();
    named(op, || {
        // One zero seen everywhere: its copy is written and nothing read.
        let zeros = x.device().scope(|| Tensor::full_of([1, 1, 1], 0.0, x.dtype())).expand([n, c, plane]);
        zeros.scatter(2, &at.flatten(2), &x.flatten(2)).reshape(shape)
    })
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("max_unpool1d", "Elements at the positions of a sequence that they were found at.", Takes::Floats, of_1d).made_of("scatter"),
    OpKind::new("max_unpool2d", "Elements at the positions of an image that they were found at.", Takes::Floats, of_2d).made_of("scatter"),
    OpKind::new("max_unpool3d", "Elements at the positions of a volume that they were found at.", Takes::Floats, of_3d).made_of("scatter"),
];

fn of_1d(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 3], &d), (&[2, 3, 3], &ints(0..6))], |x| x[0].max_unpool1d(&x[1], Pool1d::new(2)));
    s.of(&[(&[0, 3, 3], &d), (&[0, 3, 3], &ints(0..6))], |x| x[0].max_unpool1d(&x[1], Pool1d::new(2)));
}

fn of_2d(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[1, 2, 3, 2], &d), (&[1, 2, 3, 2], &ints(0..20))], |x| x[0].max_unpool2d_with(&x[1], Pool2d::new(2), [7, 3]));
    s.of(&[(&[1, 2, 3, 2], &d), (&[1, 2, 3, 2], &ints(0..15))], |x| x[0].max_unpool2d(&x[1], Pool2d::new(3).stride(2).padding(1)));
}

fn of_3d(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[1, 2, 1, 2, 2], &d), (&[1, 2, 1, 2, 2], &ints(0..16))], |x| x[0].max_unpool3d(&x[1], Pool3d::new(2)));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn max_unpools() {
        let pool = Pool2d::new([2, 3]);
        check(move |x| {
            let (y, at) = x.max_pool2d_with_indices(pool);
            y.max_unpool2d(&at, pool)
        })
        .shapes([&[2, 2, 4, 6]])
        .formula(|[x]| Numbers::from_fn(&[2, 2, 4, 6], |at| {
            let window = |i: usize| x.at(&[at[0], at[1], at[2] / 2 * 2 + i / 3, at[3] / 3 * 3 + i % 3]);
            let most = (0..6).map(window).fold(f64::MIN, f64::max);
            if x.at(at) == most { most } else { 0.0 }
        }))
        .on(floats(-2.0..2.0));
        let places = Tensor::from_slice(&[4i64, 2, 9, 0], [1, 2, 2]);
        check(move |x| x.max_unpool1d_with(&places.to_device(x.device()), Pool1d::new(3).stride(6), 10)).shapes([&[1, 2, 2]]).on(floats(-2.0..2.0));
        let volume = Tensor::randn([1, 2, 4, 2, 3]);
        let pool = Pool3d::new([2, 2, 3]);
        let (y, at) = volume.max_pool3d_with_indices(pool);
        assert_close!(y.max_unpool3d(&at, pool).max_pool3d_with(pool), y.relu());
    }

    #[test]
    fn what_was_not_pooled_is_named() {
        let error = |at: Tensor, pool, size| catch(|| Tensor::zeros([1, 1, 2]).max_unpool1d_with(&at, pool, size)).unwrap_err().message().to_string();
        let at = || tensor![[[0, 1]]];
        assert_eq!(error(tensor![0, 1], Pool1d::new(2), 4), "max_unpool1d: positions [2] for elements [1, 1, 2]");
        assert_eq!(error(at(), Pool1d::new(2), 6), "max_unpool1d: a size of 6 along axis 2, where it is about 4");
        assert_eq!(error(tensor![[[0, 4]]], Pool1d::new(2), 4), "max_unpool1d: the index 4 at [0, 0, 1] is not within 0..4");
    }
}
