//! Weights of which each input has few that are not 0.

use super::{Init, InitKind, Normal, outline};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;
use mapsto_tensor::random::{self, Stream};

/// Normal numbers, of which in each column the share `zeros`, rounded up, is 0; axes after the first are taken together.
///
/// PyTorch: `sparse_(sparsity=zeros, std=0.01)`; Keras has none.
///
/// Source: Martens (2010), Deep learning via Hessian-free optimization, section 5.
/// ```
/// use mapsto_nn::init::{Init, Sparse};
/// let w = Sparse::new(0.75).tensor(&[8, 3]);
/// assert_eq!(w.ne(0.0).to(mapsto_tensor::DType::F32).sum(0).to_vec::<f32>(), [2.0; 3]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sparse {
    zeros: f64,
    std: f64,
}

impl Sparse {
    /// With this share of zeros, the others of standard deviation 0.01.
    ///
    /// # Panics
    /// When it is not in 0..1.
    #[track_caller]
    pub fn new(zeros: f64) -> Sparse {
        Sparse { zeros: Bounds::SHARE.check("sparse", "zeros", zeros), std: 0.01 }
    }

    /// The same of another standard deviation.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    #[must_use]
    pub fn std(self, std: f64) -> Sparse {
        Sparse { std: Bounds::AT_LEAST_0.check("sparse", "std", std), ..self }
    }
}

impl Init for Sparse {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        if let Some(outline) = outline(shape) {
            return outline;
        }
        let rows = shape.first().copied().unwrap_or(1);
        let mut values = Normal::new(self.std).tensor(shape).to_vec::<f32>();
        let columns = values.len() / rows.max(1);
        let none = (self.zeros * rows as f64).ceil() as usize;
        for column in 0..columns {
            let order = random::permutation(random::next(Stream::Init), rows);
            order.iter().take(none).for_each(|&row| values[row as usize * columns + column] = 0.0);
        }
        Tensor::from_vec(values, shape)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.zeros).with_option("std", self.std))
    }
}

pub(super) const KIND: InitKind = InitKind::new(
    "sparse",
    "Normal, with the given share of zeros in each column (Martens 2010).",
    |args, ()| {
        let zeros = Bounds::SHARE.main(args, "zeros", 0.9)?;
        Ok(Box::new(Sparse { zeros, std: Bounds::AT_LEAST_0.option(args, "std", 0.01)? }))
    },
)
.options(&[("", "the share of zeros"), ("std", "the standard deviation of the others")]);

#[test]
fn the_others_are_normal() {
    let w = Sparse::new(0.5).std(2.0).tensor(&[100, 10, 4]);
    let found = (w.square().mean(..).item() * 2.0).sqrt();
    assert!((found - 2.0).abs() < 0.1, "{found}");
    assert_eq!(Sparse::new(0.3).tensor(&[0, 3]).len(), 0);
}
