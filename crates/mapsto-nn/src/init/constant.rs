//! One value everywhere: zeros for biases, ones for scales.

use super::{Init, InitKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;

/// The same value everywhere.
///
/// PyTorch: `constant_`; Keras: `Constant`.
/// ```
/// use mapsto_nn::init::{Constant, Init};
/// assert_eq!(Constant(0.25).tensor(&[3]).to_vec::<f32>(), [0.25, 0.25, 0.25]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant(
    /// The value.
    pub f64,
);

/// Zero everywhere; the usual start of a bias.
///
/// PyTorch: `zeros_`; Keras: `Zeros`.
/// ```
/// use mapsto_nn::init::{Init, Zeros};
/// assert_eq!(Zeros.tensor(&[2]).to_vec::<f32>(), [0.0, 0.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zeros;

/// One everywhere; the usual start of a norm's scale.
///
/// PyTorch: `ones_`; Keras: `Ones`.
/// ```
/// use mapsto_nn::init::{Init, Ones};
/// assert_eq!(Ones.tensor(&[2]).to_vec::<f32>(), [1.0, 1.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ones;

impl Init for Constant {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        Tensor::full(shape, Bounds::FINITE.check("constant", "value", self.0))
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(CONSTANT.name).with_value(self.0))
    }
}

impl Init for Zeros {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        Tensor::zeros(shape)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(ZEROS.name))
    }
}

impl Init for Ones {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        Tensor::ones(shape)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(ONES.name))
    }
}

pub(super) const ZEROS: InitKind = InitKind::new("zeros", "Zero everywhere.", |_, ()| Ok(Box::new(Zeros)));

pub(super) const ONES: InitKind = InitKind::new("ones", "One everywhere.", |_, ()| Ok(Box::new(Ones)));

pub(super) const CONSTANT: InitKind = InitKind::new("constant", "The given value everywhere.", |args, ()| {
    let value = args.main()?;
    Ok(Box::new(Constant(Bounds::FINITE.within(args, "", "value", value)?)))
})
.options(&[("", "the value")])
.example(|| Entry::new("constant").with_value(0.5));

#[test]
fn constants_fill_any_shape() {
    assert_eq!(Zeros.tensor(&[2, 0, 3]).shape(), [2, 0, 3]);
    assert_eq!(Ones.tensor(&[]).item(), 1.0);
}
