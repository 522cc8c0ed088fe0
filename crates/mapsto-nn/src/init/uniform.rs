//! Uniformly distributed weights.

use super::{Init, InitKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::DType;
use mapsto_tensor::Tensor;
use mapsto_tensor::random::{self, Distribution, Stream};

/// Uniform between two bounds.
///
/// PyTorch: `uniform_`; Keras: `RandomUniform`.
/// ```
/// use mapsto_nn::init::{Init, Uniform};
/// let w = Uniform::new(-0.5, 0.5).tensor(&[1000]);
/// assert!(w.abs().max(..).item() <= 0.5);
/// assert!((w.square().mean(..).sqrt().item() - 0.5 / 3f64.sqrt()).abs() < 0.02);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uniform {
    lo: f64,
    hi: f64,
}

impl Uniform {
    /// Uniform in `lo..hi`.
    ///
    /// # Panics
    /// When a bound is not finite, or `lo` is above `hi`.
    #[track_caller]
    pub fn new(lo: f64, hi: f64) -> Uniform {
        if let Err(wrong) = in_order(lo, hi) {
            mapsto_tensor::fail!("uniform", "{wrong}");
        }
        Uniform { lo, hi }
    }

    /// Uniform in `-bound..bound`.
    ///
    /// # Panics
    /// When `bound` is negative or not finite.
    #[track_caller]
    pub fn symmetric(bound: f64) -> Uniform {
        let bound = Bounds::AT_LEAST_0.check("uniform", "bound", bound);
        Uniform { lo: -bound, hi: bound }
    }
}

/// What is wrong with two bounds.
fn in_order(lo: f64, hi: f64) -> Result<(), String> {
    if !(lo.is_finite() && hi.is_finite() && lo <= hi) {
        return Err(format!("the bounds must be finite and in rising order, got {:?}", [lo, hi]));
    }
    Ok(())
}

impl Init for Uniform {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        Tensor::random(random::next(Stream::Init), Distribution::Uniform(self.lo, self.hi), shape, DType::F32)
    }

    fn entry(&self) -> Option<Entry> {
        let Uniform { lo, hi } = *self;
        Some(match lo == -hi {
            true => Entry::new(KIND.name).with_value(hi),
            false => Entry::new(KIND.name).with_value(vec![lo, hi]),
        })
    }
}

pub(super) const KIND: InitKind = InitKind::new(
    "uniform",
    "Uniform between minus and plus the given bound, or between a pair of bounds.",
    |args, ()| {
        let bounds = match args.main_optional::<mapsto_spec::Value>()? {
            Some(mapsto_spec::Value::List(_)) => args.main::<[f64; 2]>()?,
            _ => Bounds::AT_LEAST_0.main(args, "bound", 0.1).map(|b| [-b, b])?,
        };
        in_order(bounds[0], bounds[1]).map_err(|wrong| args.error("", wrong))?;
        Ok(Box::new(Uniform::new(bounds[0], bounds[1])))
    },
)
.options(&[("", "the largest size; or a pair of bounds, as in `{ uniform = [-0.1, 0.3] }`")]);

#[test]
fn bounds_can_be_a_pair() {
    let entry = mapsto_spec::Entry::new("uniform").with_value(vec![1.0, 2.0]);
    let w = mapsto_spec::filled::<dyn Init>(&entry, &()).unwrap().0.tensor(&[100]);
    assert!(w.min(..).item() >= 1.0 && w.max(..).item() <= 2.0);
    let wrong = mapsto_spec::Entry::new("uniform").with_value(vec![1.0, -1.0]);
    assert!(
        mapsto_spec::filled::<dyn Init>(&wrong, &())
            .err()
            .unwrap()
            .message()
            .contains("in rising order, got [1.0, -1.0]")
    );
}
