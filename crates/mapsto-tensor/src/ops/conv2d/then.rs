//! What follows a convolution in the same pass.

use super::{Conv2dOptions, window};
use crate::elementwise::same_dtype;
use crate::{Tensor, fail};

/// What follows a convolution in the same pass: [`Tensor::conv2d_then`].
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let bias = tensor![1.0];
/// let then = Conv2dThen::new().bias(&bias).relu();
/// assert_close!(tensor![[[[-3.0]]]].conv2d_then(&tensor![[[[1.0]]]], Conv2dOptions::new(), then).flatten(0), [0.0]);
/// ```
#[derive(Clone, Copy, Default)]
pub struct Conv2dThen<'a> {
    pub(super) bias: Option<&'a Tensor>,
    pub(super) norm: Option<[&'a Tensor; 3]>,
    pub(super) add: Option<&'a Tensor>,
    pub(super) relu: bool,
}

impl<'a> Conv2dThen<'a> {
    /// Nothing.
    pub fn new() -> Conv2dThen<'a> {
        Conv2dThen::default()
    }
    /// A number added to each output channel, first of all.
    pub fn bias(self, bias: &'a Tensor) -> Conv2dThen<'a> {
        Conv2dThen { bias: Some(bias), ..self }
    }
    /// `(y − mean) · scale + shift` with three numbers for each output channel, next: a batch norm with given statistics.
    pub fn norm(self, mean: &'a Tensor, scale: &'a Tensor, shift: &'a Tensor) -> Conv2dThen<'a> {
        Conv2dThen { norm: Some([mean, scale, shift]), ..self }
    }
    /// A tensor of the result's shape, added next.
    pub fn plus(self, add: &'a Tensor) -> Conv2dThen<'a> {
        Conv2dThen { add: Some(add), ..self }
    }
    /// `max(0, x)`, last of all.
    pub fn relu(self) -> Conv2dThen<'a> {
        Conv2dThen { relu: true, ..self }
    }

    /// Its bias is checked with the weight.
    #[track_caller]
    pub(super) fn check(&self, x: &Tensor, w: &Tensor, options: &Conv2dOptions) {
        let ([n, _, h, width], [o, ..]) = (x.dims(), w.dims::<4>());
        let [oh, ow] = window(options, w).out([h, width]).expect("checked before");
        let [mean, scale, shift] = self.norm.map_or([None; 3], |norm| norm.map(Some));
        for (what, t, shape) in [
            ("mean", mean, &[o][..]),
            ("scale", scale, &[o]),
            ("shift", shift, &[o]),
            ("tensor to add", self.add, &[n, o, oh, ow]),
        ] {
            let Some(t) = t else { continue };
            same_dtype("conv2d", x, t);
            if t.shape() != shape {
                fail!("conv2d", "the {what} {:?} does not fit the result {:?}", t.shape(), [n, o, oh, ow]; help = "it must be {shape:?}");
            }
        }
    }
}
