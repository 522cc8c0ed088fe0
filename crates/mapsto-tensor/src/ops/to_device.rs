//! Tensors carried from one device to another.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::host::with_type;
use crate::graph::{At, Keep, Op, Vjp, record};
use crate::storage::Storage;
use crate::{Device, Tensor, fail};

impl Tensor {
    /// The same elements on another device; the tensor itself when it is there already.
    ///
    /// * Shape: `[..] → [..]`, any number.   * Gradient: carried back.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::ones([2]).to_device(Device::cpu()).device(), Device::cpu());
    /// ```
    /// # Panics
    /// When the CPU does not reach the memory of one of the devices.
    #[track_caller]
    pub fn to_device(&self, device: Device) -> Tensor {
        if device == self.device() {
            return self.clone();
        }
        if let Some(far) = [self.device(), device].into_iter().find(|d| !d.backend().is_host()) {
            fail!("to_device", "the memory of {far:?} cannot be reached from the CPU");
        }
        let (rows, count) = (self.detach().contiguous(), self.len());
        let mut out = Storage::new(device, count, self.dtype());
        with_type!(self.dtype(), T => {
            out.as_mut_slice::<T>()[..count].copy_from_slice(rows.as_slice::<T>().expect("row-major"))
        });
        let y = Tensor::from_storage(out, *self.shape_of(), self.dtype());
        record(Carry { from: self.device() }, y, &[self])
    }
}

struct Carry {
    from: Device,
}
impl Op for Carry {
    fn name(&self) -> &'static str {
        "to_device"
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, _: &At<'_>, g: &Tensor) -> Vjp {
        g.to_device(self.from).into()
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("to_device", "The same elements on another device; the tensor itself when it is there already.", Takes::All, samples),
];

fn samples(s: &mut Samples) {
    s.each(floats(-2.0..2.0), |x| x[0].to_device(crate::check::oracle::device()).to_device(Device::cpu()));
}

#[cfg(test)]
mod tests {
    use crate::check::oracle;
    use crate::prelude::*;

    #[test]
    fn to_device() {
        let far = oracle::device();
        let x = tensor![[1.0, 2.0], [3.0, 4.0]].leaf();
        let y = x.t().to_device(far);
        assert_eq!((y.device(), y.to_vec::<f32>()), (far, vec![1.0, 3.0, 2.0, 4.0]));
        let back = y.square().to_device(Device::cpu());
        assert_close!(back.sum(..).backward().of(&x), [[2.0, 4.0], [6.0, 8.0]]);
        assert_eq!(tensor![true, false].to_device(far).to_vec::<bool>(), [true, false]);
    }
}
