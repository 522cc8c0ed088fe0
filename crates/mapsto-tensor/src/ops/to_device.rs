//! Tensors carried from one device to another.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::carry::carry;
use crate::graph::{At, Cost, Keep, Meaning, Meant, Op, Outline, Ran, Vjp, apply};
use crate::{Device, Tensor};

impl Tensor {
    /// The same elements on another device; the tensor itself when it is there already.
    ///
    /// * Shape: `[..] → [..]`, any number.   * Gradient: carried back.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::ones([2]).to_device(Device::cpu()).device(), Device::cpu());
    /// ```
    #[track_caller]
    pub fn to_device(&self, device: Device) -> Tensor {
        if device == self.device() {
            return self.clone();
        }
        apply(Carry { from: self.device(), to: device }, &[self])
    }
}

struct Carry {
    from: Device,
    to: Device,
}
impl Op for Carry {
    fn name(&self) -> &'static str {
        "to_device"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::moved(xs, y)
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        carry(xs[0], self.to).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, _: &At<'_>, g: &Tensor) -> Vjp {
        g.to_device(self.from).into()
    }
    fn jvp(&self, _: &At<'_>, dxs: &[Option<Tensor>]) -> Tensor {
        dxs[0].as_ref().expect("the only input moves").to_device(self.to)
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        xs.of(0)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("to_device", "The same elements on another device; the tensor itself when it is there already.", Takes::All, samples).unique("devices belong to a process"),
];

fn samples(s: &mut Samples) {
    s.each(floats(-2.0..2.0), |x| x[0].to_device(crate::check::far::device()).to_device(Device::cpu()));
}

#[cfg(test)]
mod tests {
    use crate::check::far;
    use crate::prelude::*;

    #[test]
    fn to_device() {
        let far = far::device();
        let x = tensor![[1.0, 2.0], [3.0, 4.0]].leaf();
        let y = x.t().to_device(far);
        assert_eq!((y.device(), y.to_vec::<f32>()), (far, vec![1.0, 3.0, 2.0, 4.0]));
        assert_close!(x.to_device(far).sum(..).backward().of(&x), [[1.0, 1.0], [1.0, 1.0]]);
        let back = y.square().to_device(Device::cpu());
        assert_close!(back.sum(..).backward().of(&x), [[2.0, 4.0], [6.0, 8.0]]);
        assert_eq!(tensor![true, false].to_device(far).to_vec::<bool>(), [true, false]);
    }
}
