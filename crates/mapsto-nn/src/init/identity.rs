//! Weights that pass their input on as it is.

use super::{Init, InitKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;

/// `gain` where output and input have the same number, for kernels in their middle, and 0 elsewhere.
///
/// PyTorch: `eye_` for matrices and `dirac_` for kernels; Keras: `Identity`.
/// ```
/// use mapsto_nn::init::{Identity, Init};
/// use mapsto_nn::prelude::*;
/// assert_close!(Identity::new().tensor(&[2, 3]), [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
/// let mut conv = Conv2d::new(2, 2, 3).padding(1).init(Identity::new());
/// let x = Tensor::randn([1, 2, 4, 4]);
/// assert_close!(conv.forward(&x), &x);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Identity {
    gain: f64,
}

impl Identity {
    /// With gain 1.
    pub fn new() -> Identity {
        Identity { gain: 1.0 }
    }

    /// The same times `gain`.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    #[must_use]
    pub fn gain(self, gain: f64) -> Identity {
        Identity { gain: Bounds::AT_LEAST_0.check("identity", "gain", gain) }
    }
}

impl Default for Identity {
    fn default() -> Identity {
        Identity::new()
    }
}

impl Init for Identity {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        let mut y = Tensor::full(shape, self.gain);
        // Each axis of the kernel has one place, and both axes of channels the diagonal, as products of ones and zeros.
        for (axis, &size) in shape.iter().enumerate().skip(2) {
            let middle = Tensor::arange(0..size as i64).eq((size / 2) as i64);
            y = along(&middle, axis, shape.len()).choose(&y, 0.0);
        }
        if let [rows, columns, ..] = *shape {
            let (rows, columns) = (Tensor::arange(0..rows as i64), Tensor::arange(0..columns as i64));
            let diagonal = along(&rows, 0, shape.len()).eq(along(&columns, 1, shape.len()));
            y = diagonal.choose(&y, 0.0);
        }
        y
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_option("gain", self.gain))
    }
}

/// Numbers along one of several axes.
fn along(x: &Tensor, axis: usize, axes: usize) -> Tensor {
    let mut shape = vec![1; axes];
    shape[axis] = x.len();
    x.reshape(shape)
}

pub(super) const KIND: InitKind =
    InitKind::new("identity", "The input as it is, for kernels at their middle.", |args, ()| {
        Ok(Box::new(Identity { gain: Bounds::AT_LEAST_0.option(args, "gain", 1.0)? }))
    })
    .options(&[("gain", "a factor on all weights")]);

#[test]
fn each_output_has_one_input() {
    for shape in [&[4, 4][..], &[2, 5], &[5, 2, 3], &[3, 3, 2, 3]] {
        let w = Identity::new().gain(2.0).tensor(shape);
        assert_eq!(w.shape(), shape);
        assert_eq!(w.sum(..).item(), 2.0 * shape[0].min(shape[1]) as f64, "{shape:?}");
    }
    assert_eq!(Identity::new().tensor(&[3]).to_vec::<f32>(), [1.0; 3]);
}
