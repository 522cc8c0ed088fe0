//! Uniformly distributed weights.

use super::{Init, InitKind};
use mapsto_tensor::DType;
use mapsto_tensor::Tensor;
use mapsto_tensor::random::{self, Distribution, Stream};

/// Uniform between two bounds.
///
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
    pub fn new(lo: f64, hi: f64) -> Uniform {
        Uniform { lo, hi }
    }

    /// Uniform in `-bound..bound`.
    pub fn symmetric(bound: f64) -> Uniform {
        Uniform { lo: -bound, hi: bound }
    }
}

impl Init for Uniform {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        Tensor::random(random::next(Stream::Init), Distribution::Uniform(self.lo, self.hi), shape, DType::F32)
    }
}

pub(super) const KIND: InitKind = InitKind {
    name: "uniform",
    doc: "Uniform between minus and plus the given bound, or between a pair of bounds.",
    build: |args| {
        let bounds = match args.main_optional::<mapsto_spec::Value>()? {
            Some(mapsto_spec::Value::List(_)) => args.main::<[f64; 2]>()?,
            _ => args.main_or(0.1_f64).map(|b| [-b, b])?,
        };
        if bounds[0] > bounds[1] {
            return Err(args.error("", format!("the bounds are the wrong way round: {bounds:?}")));
        }
        Ok(Box::new(Uniform::new(bounds[0], bounds[1])))
    },
};

#[test]
fn bounds_can_be_a_pair() {
    let entry = mapsto_spec::Entry::new("uniform").with_value(vec![1.0, 2.0]);
    let w = super::build_init(&entry).unwrap().0.tensor(&[100]);
    assert!(w.min(..).item() >= 1.0 && w.max(..).item() <= 2.0);
    let wrong = mapsto_spec::Entry::new("uniform").with_value(-1.0);
    assert!(super::build_init(&wrong).err().unwrap().message().contains("wrong way round"));
}
