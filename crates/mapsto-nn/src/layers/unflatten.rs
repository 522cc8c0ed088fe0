//! One axis cut into several.

use super::LayerKind;
use crate::{Layer, Module, budget};
use mapsto_spec::Entry;
use mapsto_tensor::{Tensor, fail};

/// Axis `axis` in these sizes, whose product is its own; the batch is axis 0.
///
/// * Shape: `[n, .., a · b, ..] → [n, .., a, b, ..]`.
/// * PyTorch: `Unflatten(axis, sizes)`.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_eq!(Unflatten::new(1, [2, 3]).forward(&Tensor::zeros([4, 6, 5])).shape(), [4, 2, 3, 5]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Unflatten {
    axis: usize,
    #[module(skip)]
    sizes: Vec<usize>,
}

impl Unflatten {
    /// Cuts this axis into these.
    ///
    /// # Panics
    /// When it is axis 0, the batch.
    #[track_caller]
    pub fn new(axis: usize, sizes: impl Into<Vec<usize>>) -> Unflatten {
        if axis == 0 {
            fail!("unflatten", "axis 0 is the batch"; help = "the axes of a sample count from 1");
        }
        Unflatten { axis, sizes: sizes.into() }
    }

    fn fits(&self, size: Option<&usize>) -> bool {
        let all = self.sizes.iter().try_fold(1usize, |all, &n| all.checked_mul(n));
        size.is_some() && size.copied() == all
    }
}

impl Layer for Unflatten {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let (shape, axis) = (x.shape(), self.axis);
        if !self.fits(shape.get(axis)) {
            fail!("unflatten", "axis {axis} of {shape:?} is not {:?}", self.sizes; help = "the product of the sizes is that of the axis");
        }
        x.reshape([&shape[..axis], &self.sizes, &shape[axis + 1..]].concat())
    }

    fn describe(&self) -> String {
        format!("Unflatten({}, {:?})", self.axis, self.sizes)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.sizes.clone()).with_option("axis", self.axis))
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("unflatten", "One axis cut into several of the given sizes.", |args, input| {
        let (sizes, axis): (Vec<usize>, usize) = (args.main()?, mapsto_spec::count_option(args, "axis", 1)?);
        let layer = Unflatten { axis, sizes };
        if !layer.fits(input.get(axis - 1)) {
            let wrong =
                format!("axis {axis} of samples of {input:?}, counted from 1, is not {:?}", layer.sizes);
            return Err(args.misfit("", wrong).help("the product of the sizes is that of the axis"));
        }
        budget::output(args, input)?;
        Ok(Box::new(layer))
    })
    .options(&[("", "the sizes"), ("axis", "the axis, those of a sample counting from 1")])
    .example(|| Entry::new("unflatten").with_value(vec![2_usize, 2]));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn unflatten() {
        check_layer(|| Unflatten::new(1, [2, 3])).gives([2, 6], [2, 2, 3]);
        check_layer(|| Unflatten::new(2, [1, 2])).gives([2, 3, 2, 2], [2, 3, 1, 2, 2]);
        let e = catch(|| Unflatten::new(1, [4, 2]).forward(&Tensor::ones([2, 6]))).unwrap_err();
        assert_eq!(e.message(), "unflatten: axis 1 of [2, 6] is not [4, 2]");
        assert!(catch(|| Unflatten::new(3, [1]).forward(&Tensor::ones([2, 6]))).is_err());
        assert!(catch(|| Unflatten::new(0, [2])).unwrap_err().message().contains("axis 0 is the batch"));
    }
}
