//! `Scale`: multiplies every input by a number.

use super::{Step, StepKind, each_number};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;

/// `y = factor · x + offset`, for every element.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_data::preprocess::Step;
/// use mapsto_tensor::prelude::*;
/// let y = Scale::new(2.0).offset(-1.0).apply(tensor![[0.0, 0.5, 1.0]]); // 0 ..= 1 becomes −1 ..= 1
/// assert_eq!(y.to_vec::<f32>(), [-1.0, 0.0, 1.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    factor: f64,
    offset: f64,
}

impl Scale {
    /// By `factor`.
    ///
    /// # Panics
    /// When `factor` is 0, which makes all inputs equal, or not finite.
    #[track_caller]
    pub fn new(factor: f64) -> Scale {
        Scale { factor: Bounds::NOT_0.check("scale", "factor", factor), offset: 0.0 }
    }

    /// Adds `offset` afterwards.
    ///
    /// # Panics
    /// When `offset` is not finite.
    #[track_caller]
    #[must_use]
    pub fn offset(self, offset: f64) -> Scale {
        Scale { offset: Bounds::FINITE.check("scale", "offset", offset), ..self }
    }
}

impl Step for Scale {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn apply(&self, x: Tensor) -> Tensor {
        let Scale { factor, offset } = *self;
        each_number(
            x,
            1,
            #[inline(always)]
            |_, x| factor * x + offset,
        )
    }

    fn entry(&self) -> Entry {
        Entry::new(KIND.name).with_value(self.factor).with_option("offset", self.offset)
    }
}

pub(super) const KIND: StepKind = StepKind::new(
    "scale",
    "Multiplies by a factor, then adds `offset`. Pixels are between 0 and 1 already.",
    |args, ()| {
        let factor = args.main()?;
        let factor = Bounds::NOT_0.within(args, "", "factor", factor)?;
        Ok(Box::new(Scale::new(factor).offset(Bounds::FINITE.option(args, "offset", 0.0)?)))
    },
)
.options(&[("", "the factor"), ("offset", "what is added afterwards")])
.example(|| Entry::new("scale").with_value(0.5));

#[test]
fn elements_are_scaled() {
    let x = Tensor::from_vec(vec![1u8, 255], [2, 1]);
    assert_eq!(Scale::new(0.5).offset(1.0).apply(x).to_vec::<f32>(), [1.5, 128.5]);
}
