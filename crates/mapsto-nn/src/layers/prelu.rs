//! The rectifier whose slope below 0 is learned.

use super::{LayerKind, channels};
use crate::{Layer, Module, Param, budget};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, fail};

/// `y = x` above 0 and `w x` below, with a slope `w` of each channel or one of all.
///
/// * Shape: `[n, channels, ..] → [n, channels, ..]`, or `[..] → [..]` with one slope.
/// * Parameters: `weight` `[channels]` or `[1]`, 0.25.
/// * PyTorch: `PReLU(channels)`; Keras: `PReLU(shared_axes=..)`; ONNX: `PRelu`.
///
/// Source: He, Zhang, Ren, Sun (2015), Delving deep into rectifiers, arXiv:1502.01852, equation 1.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_close!(PRelu::new(2).forward(&tensor![[-4.0, 3.0]]), [[-1.0, 3.0]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct PRelu {
    /// The slopes below 0.
    pub weight: Param,
    slope: f64,
}

impl PRelu {
    /// A slope of each of so many channels; 1 for one of all.
    pub fn new(channels: usize) -> PRelu {
        PRelu { weight: Param::new(Tensor::full([channels], 0.25)), slope: 0.25 }
    }

    /// The same beginning with another slope.
    ///
    /// # Panics
    /// When it is not finite.
    #[track_caller]
    #[must_use]
    pub fn slope(self, slope: f64) -> PRelu {
        let slope = Bounds::FINITE.check("prelu", "slope", slope);
        PRelu { weight: Param::new(Tensor::full([self.weight.len()], slope)), slope }
    }
}

impl Layer for PRelu {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let channels = self.weight.len();
        if channels != 1 && (x.rank() < 2 || x.shape()[1] != channels) {
            fail!("prelu", "[n, {channels}, ..] was expected, found {:?}", x.shape());
        }
        let w = self.weight.reshape([&[channels][..], &vec![1; x.rank().saturating_sub(2)]].concat());
        let w = if x.rank() == 0 { w.squeeze(0) } else { w };
        x.relu() - (-x).relu() * w
    }

    fn describe(&self) -> String {
        format!("PRelu({})", self.weight.len())
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_value(self.slope);
        Some(entry.with_option("shared", self.weight.len() == 1))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "prelu",
    "`x` above 0, a learned slope times `x` below, which begins with the given one.",
    |args, input| {
        let slope = Bounds::FINITE.main(args, "slope", 0.25)?;
        let shared = args.get_or("shared", false)?;
        let channels = if shared { 1 } else { channels(args, input)? };
        budget::weight(args, &[channels])?;
        // One channel has one slope, which is that of all.
        args.record("shared", channels == 1);
        Ok(Box::new(PRelu::new(channels).slope(slope)))
    },
)
.options(&[("", "the slope below 0 at first"), ("shared", "whether one slope serves all channels")]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn prelu() {
        check_layer(|| PRelu::new(3)).gives([2, 3, 2], [2, 3, 2]);
        check_layer(|| PRelu::new(1).slope(-0.5)).gives([4], [4]);
        let e = catch(|| PRelu::new(3).forward(&Tensor::ones([2, 4]))).unwrap_err();
        assert_eq!(e.message(), "prelu: [n, 3, ..] was expected, found [2, 4]");
    }
}
