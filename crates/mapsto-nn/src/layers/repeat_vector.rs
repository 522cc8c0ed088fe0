//! The same features as several steps, as a decoder reads what an encoder made of a sequence.

use super::LayerKind;
use crate::{Layer, Module, budget};
use mapsto_spec::{Entry, at_least_1};
use mapsto_tensor::{Tensor, fail};

/// Each sample `times` times as steps of a sequence: `y[n, t, :] = x[n, :]`.
///
/// * Shape: `[n, d] → [n, times, d]`.
/// * Keras: `RepeatVector(times)`.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_close!(RepeatVector::new(2).forward(&tensor![[1.0, 5.0]]), [[[1.0, 5.0], [1.0, 5.0]]]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
#[module(crate = crate)]
pub struct RepeatVector {
    times: usize,
}

impl RepeatVector {
    /// This many steps.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn new(times: usize) -> RepeatVector {
        RepeatVector { times: at_least_1("repeat_vector", "times", times) }
    }
}

impl Layer for RepeatVector {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let &[n, d] = x.shape() else {
            fail!("repeat_vector", "[n, features] was expected, found {:?}", x.shape());
        };
        x.unsqueeze(1).expand([n, self.times, d])
    }

    fn describe(&self) -> String {
        format!("RepeatVector({})", self.times)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.times))
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("repeat_vector", "The same features as the given number of steps.", |args, input| {
        let times: usize = args.main()?;
        if times == 0 {
            return Err(args.error("", "the number of steps must be at least 1, got 0"));
        }
        let &[features] = input else {
            return Err(args
                .misfit("", format!("a sample should be [features], it is {input:?}"))
                .help("put \"flatten\" before it"));
        };
        budget::output(args, &[times, features])?;
        Ok(Box::new(RepeatVector { times }))
    })
    .options(&[("", "the number of steps")])
    .example(|| Entry::new("repeat_vector").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn repeat_vector() {
        check_layer(|| RepeatVector::new(3)).gives([2, 4], [2, 3, 4]);
        let e = catch(|| RepeatVector::new(2).forward(&Tensor::ones([2, 3, 4]))).unwrap_err();
        assert_eq!(e.message(), "repeat_vector: [n, features] was expected, found [2, 3, 4]");
        assert!(catch(|| RepeatVector::new(0)).is_err());
    }
}
