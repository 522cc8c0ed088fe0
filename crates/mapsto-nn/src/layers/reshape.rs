//! Other axes for the numbers of a sample.

use super::LayerKind;
use crate::{Layer, Module, budget};
use mapsto_spec::Entry;
use mapsto_tensor::{Tensor, fail};

/// The numbers of each sample, in their order, with these sizes; −1 for one size stands for what is left.
///
/// * Shape: `[n, ..] → [n, sizes..]`.
/// * PyTorch: `Unflatten(1, sizes)` behind a `Flatten`; Keras: `Reshape(sizes)`.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_eq!(Reshape::new([3, -1]).forward(&Tensor::zeros([2, 12])).shape(), [2, 3, 4]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Reshape {
    #[module(skip)]
    sizes: Vec<i64>,
}

impl Reshape {
    /// To these sizes after the batch.
    ///
    /// # Panics
    /// When a size is below 0, but for one that is −1.
    #[track_caller]
    pub fn new(sizes: impl Into<Vec<i64>>) -> Reshape {
        let sizes = sizes.into();
        if let Some(wrong) = wrong(&sizes) {
            fail!("reshape", "{wrong}");
        }
        Reshape { sizes }
    }
}

/// What is wrong with sizes.
fn wrong(sizes: &[i64]) -> Option<String> {
    let open = sizes.iter().filter(|&&n| n == -1).count();
    (open > 1 || sizes.iter().any(|&n| n < -1))
        .then(|| format!("sizes must be at least 0, but for one of -1, got {sizes:?}"))
}

/// Sizes with what is left in the place of −1, where they hold `count` numbers.
fn filled(sizes: &[i64], count: usize) -> Option<Vec<usize>> {
    let known = sizes.iter().filter(|&&n| n >= 0).try_fold(1usize, |all, &n| all.checked_mul(n as usize))?;
    let open = sizes.contains(&-1);
    let left = if open { count.checked_div(known)? } else { 1 };
    let fits = known.checked_mul(left) == Some(count);
    fits.then(|| sizes.iter().map(|&n| if n < 0 { left } else { n as usize }).collect())
}

impl Layer for Reshape {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let Some((n, rest)) = x.shape().split_first() else {
            fail!("reshape", "[n, ..] was expected, found a tensor without axes");
        };
        match filled(&self.sizes, rest.iter().product()) {
            Some(sizes) => x.reshape([&[*n][..], &sizes].concat()),
            None => fail!("reshape", "samples of {rest:?} do not fit {:?}", self.sizes;
                          help = "the sizes hold as many numbers as a sample; -1 stands for what is left"),
        }
    }

    fn describe(&self) -> String {
        format!("Reshape({:?})", self.sizes)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.sizes.clone()))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "reshape",
    "The numbers of each sample, in their order, with the given sizes.",
    |args, input| {
        let sizes: Vec<i64> = args.main()?;
        if let Some(wrong) = wrong(&sizes) {
            return Err(args.error("", wrong));
        }
        let Some(filled) = filled(&sizes, input.iter().product()) else {
            let e = args.misfit("", format!("samples of {input:?} do not fit {sizes:?}"));
            return Err(e.help("the sizes hold as many numbers as a sample; -1 stands for what is left"));
        };
        budget::output(args, &filled)?;
        Ok(Box::new(Reshape { sizes }))
    },
)
.options(&[("", "the sizes after the batch; -1 for one of them stands for what is left")])
.example(|| Entry::new("reshape").with_value(vec![2_i64, -1]));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn reshape() {
        check_layer(|| Reshape::new([3, -1])).gives([2, 6], [2, 3, 2]);
        check_layer(|| Reshape::new([6])).gives([2, 3, 2], [2, 6]);
        let e = catch(|| Reshape::new([4, -1]).forward(&Tensor::ones([2, 6]))).unwrap_err();
        assert_eq!(e.message(), "reshape: samples of [6] do not fit [4, -1]");
        let e = catch(|| Reshape::new([-1, -1])).unwrap_err();
        assert_eq!(e.message(), "reshape: sizes must be at least 0, but for one of -1, got [-1, -1]");
        assert!(catch(|| Reshape::new([0, -1]).forward(&Tensor::ones([2, 6]))).is_err());
        assert_eq!(Reshape::new([0, 3]).forward(&Tensor::ones([2, 0])).shape(), [2, 0, 3]);
    }
}
