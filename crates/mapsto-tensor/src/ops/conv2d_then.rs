//! What follows a convolution of images in the same pass: a bias, a norm, a sum, a ReLU.

use super::conv2d::following;
use crate::autocast::low;
use crate::elementwise::same_dtype;
use crate::kind::OpKind;
use crate::ops::Conv2dOptions;
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
    bias: Option<&'a Tensor>,
    norm: Option<[&'a Tensor; 3]>,
    add: Option<&'a Tensor>,
    relu: bool,
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

    /// The inputs of the operation besides x and w, in the order that [`Follows`] tells.
    pub(super) fn inputs(self) -> impl Iterator<Item = &'a Tensor> {
        self.bias.into_iter().chain(self.norm.into_iter().flatten()).chain(self.add)
    }

    pub(super) fn follows(&self) -> Follows {
        let (bias, norm, add) = (self.bias.is_some(), self.norm.is_some(), self.add.is_some());
        Follows { bias, norm, add, relu: self.relu }
    }

    /// Its bias is checked with the weight.
    #[track_caller]
    fn check(&self, x: &Tensor, w: &Tensor, options: &Conv2dOptions) {
        let ([n, _, h, width], [o, _, kh, kw]) = (x.dims(), w.dims());
        let [oh, ow] = options.out([kh, kw], [h, width]).expect("checked before");
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

impl Tensor {
    /// A convolution and what follows it, in one pass: `relu((conv(x, w) + bias − mean) · scale + shift + add)`, of which
    /// [`Conv2dThen`] says how much is there. That is a bias, a batch norm with given statistics, the way around a residual block,
    /// and a ReLU. The bits are those of the steps one by one.
    ///
    /// * Shape: as [`conv2d`](Tensor::conv2d); `bias`, `mean`, `scale` and `shift` are `[o]`, `add` is the result's shape.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, w) = (tensor![[[[1.0, -1.0]]]], tensor![[[[3.0]]]]);
    /// let (mean, scale, shift) = (tensor![1.0], tensor![2.0], tensor![3.0]);
    /// let then = Conv2dThen::new().norm(&mean, &scale, &shift).relu();
    /// assert_close!(x.conv2d_then(&w, Conv2dOptions::new(), then).flatten(0), [7.0, 0.0]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn conv2d_then(&self, w: &Tensor, options: Conv2dOptions, then: Conv2dThen<'_>) -> Tensor {
        let [mean, scale, shift] = then.norm.map_or([None; 3], |norm| norm.map(Some));
        if let Some([Some(x), Some(w), bias, mean, scale, shift, add]) =
            low([Some(self), Some(w), then.bias, mean, scale, shift, then.add])
        {
            let norm = match (&mean, &scale, &shift) {
                (Some(mean), Some(scale), Some(shift)) => Some([mean, scale, shift]),
                _ => None,
            };
            let then = Conv2dThen { bias: bias.as_ref(), norm, add: add.as_ref(), ..then };
            return x.conv2d_then(&w, options, then);
        }
        let (x, moves) = options.placed(self, w, then.bias);
        then.check(self, w, &options);
        following(&x, w, moves, then)
    }
}

/// What follows the sums, by what there is: the inputs after x and w are the bias, the mean, the scale and the shift of a norm, and
/// what is added, in this order.
#[derive(Clone, Copy, Default)]
pub(super) struct Follows {
    pub(super) bias: bool,
    pub(super) norm: bool,
    pub(super) add: bool,
    pub(super) relu: bool,
}

impl Follows {
    /// The bias, the norm's mean, scale and shift, and what is added.
    pub(super) fn of<'a, X>(&self, xs: &'a [X]) -> [Option<&'a X>; 5] {
        let mut rest = xs[2..].iter();
        let there = [self.bias, self.norm, self.norm, self.norm, self.add];
        there.map(|there| if there { rest.next() } else { None })
    }
}

/// A convolution with what follows is an operation of the kind `conv2d`.
pub(super) const KINDS: &[OpKind] = &[];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::ops::conv2d::{Conv2d, biased};
    use crate::prelude::*;

    #[test]
    fn what_follows_in_the_same_pass_is_what_follows() {
        let d = || floats(-0.5..0.5);
        let options = Conv2dOptions::new().padding(1);
        for (shape, outputs) in [([2, 3, 6, 5], 4), ([3, 16, 10, 9], 20)] {
            let (w, add) = ([outputs, shape[1], 3, 3], [shape[0], outputs, shape[2], shape[3]]);
            let relu = move || Conv2d { follows: Follows { bias: true, relu: true, ..Follows::default() }, ..biased(options) };
            check_fused(relu, &[(&shape, d()), (&w, d()), (&[outputs], d())]);
            let all = move || Conv2d { follows: Follows { bias: true, norm: true, add: true, relu: true }, ..biased(options) };
            let outputs = [outputs];
            let each = || (&outputs[..], d());
            let [bias, mean, scale, shift] = [each(), each(), each(), each()];
            check_fused(all, &[(&shape, d()), (&w, d()), bias, mean, scale, shift, (&add, d())]);
        }
        let (x, w) = (Tensor::ones([1, 2, 3, 3]), Tensor::ones([4, 2, 3, 3]));
        let error = catch(|| x.conv2d_then(&w, options, Conv2dThen::new().plus(&Tensor::ones([4])))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "conv2d: the tensor to add [4] does not fit the result [1, 4, 3, 3]\nhelp: it must be [1, 4, 3, 3]"
        );
    }
}
