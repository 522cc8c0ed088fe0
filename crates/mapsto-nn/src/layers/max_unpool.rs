//! Max pooling backwards: each maximum goes back to where it was found.

use crate::Module;
use crate::pooling::{positive, spoken};
use mapsto_tensor::Tensor;
use mapsto_tensor::ops::{PerAxis, Pool};

/// Zeros with each number at its position, of two inputs: a program calls it, and no file names it.
///
/// Positions are those of `max_pool1d_with_indices`, `max_pool2d_with_indices` and `max_pool3d_with_indices`.
///
/// * Shape: `[n, c, h', w'], [n, c, h', w'] → [n, c, (h' − 1)·stride − 2·padding + kernel, ..]`; one axis or three likewise.
/// * PyTorch: `MaxUnpool1d`, `MaxUnpool2d`, `MaxUnpool3d`; Keras has none; ONNX: `MaxUnpool`.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_tensor::ops::Pool2d;
/// let x = tensor![[[[1.0, 2.0], [5.0, 4.0]]]];
/// let (y, at) = x.max_pool2d_with_indices(Pool2d::new(2));
/// assert_close!(MaxUnpool2d::new(2).forward(&y, &at).flatten(0), [0.0, 0.0, 5.0, 0.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct MaxUnpool<const N: usize> {
    #[module(skip)]
    pool: Pool<N>,
}

/// Max pooling of sequences backwards.
pub type MaxUnpool1d = MaxUnpool<1>;
/// Max pooling of images backwards.
pub type MaxUnpool2d = MaxUnpool<2>;
/// Max pooling of volumes backwards.
pub type MaxUnpool3d = MaxUnpool<3>;

impl<const N: usize> MaxUnpool<N> {
    /// Of windows of this size, side by side.
    ///
    /// # Panics
    /// When a side is 0.
    #[track_caller]
    pub fn new(kernel: impl Into<PerAxis<N>>) -> MaxUnpool<N> {
        MaxUnpool { pool: Pool::new(positive(NAMES[N], "kernel", kernel)) }
    }

    /// The same of steps of this size between windows.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn stride(self, stride: impl Into<PerAxis<N>>) -> MaxUnpool<N> {
        MaxUnpool { pool: self.pool.stride(positive(NAMES[N], "stride", stride)) }
    }

    /// The same of so much padding.
    #[must_use]
    pub fn padding(self, padding: impl Into<PerAxis<N>>) -> MaxUnpool<N> {
        MaxUnpool { pool: self.pool.padding(padding) }
    }

    /// Its windows in words: `MaxUnpool2d(2×2)`.
    pub fn describe(&self) -> String {
        spoken("MaxUnpool", &self.pool)
    }
}

const NAMES: [&str; 4] = ["", "max_unpool1d", "max_unpool2d", "max_unpool3d"];

macro_rules! unpools {
    ($($n:literal, $plain:ident, $with:ident, $size:ty, $into:expr;)*) => {$(
        impl MaxUnpool<$n> {
            /// The maxima `y` at their positions, among zeros.
            ///
            /// # Panics
            /// When the positions have another shape, or one is not within the output.
            #[track_caller]
            pub fn forward(&self, y: &Tensor, at: &Tensor) -> Tensor {
                y.$plain(at, self.pool)
            }

            /// The same in an output of a given size, less than a stride more or less than that. PyTorch: `output_size`.
            ///
            /// # Panics
            /// As `forward`, and when the size is another.
            #[track_caller]
            pub fn forward_to(&self, y: &Tensor, at: &Tensor, size: impl Into<PerAxis<$n>>) -> Tensor {
                let size: [usize; $n] = size.into().0;
                #[allow(clippy::redundant_closure_call)]
                y.$with(at, self.pool, ($into)(size))
            }
        }
    )*};
}

unpools! {
    1, max_unpool1d, max_unpool1d_with, usize, |[n]: [usize; 1]| n;
    2, max_unpool2d, max_unpool2d_with, [usize; 2], |n| n;
    3, max_unpool3d, max_unpool3d_with, [usize; 3], |n| n;
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use mapsto_tensor::ops::{Pool1d, Pool2d, Pool3d};

    #[test]
    fn maxima_return_to_where_they_were_found() {
        let (x, pool) = (Tensor::randn([2, 3, 7]), Pool1d::new(3).stride(2));
        let (y, at) = x.max_pool1d_with_indices(pool);
        let layer = MaxUnpool1d::new(3).stride(2);
        assert_eq!(layer.describe(), "MaxUnpool1d(3, stride 2)");
        let z = layer.forward(&y, &at);
        assert_eq!(z.shape(), [2, 3, 7]);
        // Every maximum stands where `x` has it, and everything else is 0.
        assert_close!(z.ne(0.0).choose(&x, 0.0), z);
        assert_close!(z.max_pool1d_with_indices(pool).0.maximum(0.0), y.maximum(0.0));
        let image = Tensor::randn([1, 2, 5, 4]);
        let (y, at) = image.max_pool2d_with_indices(Pool2d::new(2));
        let back = MaxUnpool2d::new(2).forward_to(&y, &at, [5, 4]);
        assert_eq!((back.shape(), back.ne(0.0).sum(..).item()), (&[1, 2, 5, 4][..], 8.0));
        let (y, at) = Tensor::randn([1, 1, 2, 2, 2]).leaf().max_pool3d_with_indices(Pool3d::new(2));
        assert_eq!(MaxUnpool3d::new(2).forward(&y, &at).shape(), [1, 1, 2, 2, 2]);
        let leaf = tensor![[[2.0, 3.0]]].leaf();
        let weight = tensor![[[1.0, 10.0, 100.0, 1000.0]]];
        let loss = train(|| (MaxUnpool1d::new(2).forward(&leaf, &tensor![[[1, 2]]]) * &weight).sum(..));
        assert_close!(loss.backward().of(&leaf), [[[10.0, 100.0]]]);
        assert!(catch(|| MaxUnpool1d::new(0)).is_err());
    }
}
