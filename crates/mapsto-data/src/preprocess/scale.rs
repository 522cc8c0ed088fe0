//! `Scale`: multiplies every input by a number.

use super::{Step, StepKind, each_number};
use mapsto_spec::Entry;
use mapsto_tensor::Tensor;

/// `y = factor · x + offset`, for every element.
///
/// ```
/// use mapsto_data::prelude::*;
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
    pub fn new(factor: f64) -> Scale {
        Scale { factor, offset: 0.0 }
    }

    /// Adds `offset` afterwards.
    pub fn offset(self, offset: f64) -> Scale {
        Scale { offset, ..self }
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

pub(super) const KIND: StepKind =
    StepKind::new("scale", "Multiplies by a factor, then adds `offset`.", |args, ()| {
        Ok(Box::new(Scale::new(args.main()?).offset(args.get_or("offset", 0.0)?)))
    })
    .options(&[("", "the factor"), ("offset", "what is added afterwards")])
    .example(|| Entry::new("scale").with_value(0.5));

#[test]
fn elements_are_scaled() {
    let x = Tensor::from_vec(vec![1u8, 255], [2, 1]);
    assert_eq!(Scale::new(0.5).offset(1.0).apply(x).to_vec::<f32>(), [1.5, 128.5]);
}
