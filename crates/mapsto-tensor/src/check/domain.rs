//! Where the numbers of a check come from.

use crate::random::Keyed;
use crate::{DType, Tensor};
use std::ops::Range;

/// Where the numbers of a check come from.
#[derive(Clone, Debug)]
pub struct Domain {
    pub(super) range: Range<f64>,
    pub(super) avoided: Vec<f64>,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Floats,
    Integers,
    Bools,
}

/// Floats drawn evenly from a range.
pub fn floats(range: Range<f64>) -> Domain {
    Domain { range, avoided: Vec::new(), kind: Kind::Floats }
}

/// Integers (i64) drawn evenly from a range: indices and class ids, which have no derivative.
pub fn ints(range: Range<i64>) -> Domain {
    Domain { range: range.start as f64..range.end as f64, avoided: Vec::new(), kind: Kind::Integers }
}

/// Truths drawn evenly, which have no derivative.
pub fn bools() -> Domain {
    Domain { range: 0.0..2.0, avoided: Vec::new(), kind: Kind::Bools }
}

impl Domain {
    /// Leaves out a neighbourhood of 1e-3 around a point, such as a kink where there is no derivative.
    pub fn avoiding(mut self, point: f64) -> Domain {
        self.avoided.push(point);
        self
    }

    /// Numbers of this domain: f64, i64 or bool. The same key gives the same numbers.
    pub fn draw(&self, shape: &[usize], key: u64) -> Tensor {
        let mut random = Keyed::new(&[0x636865636b, key]);
        let count: usize = shape.iter().product();
        if self.kind != Kind::Floats {
            let values: Vec<i64> =
                (0..count).map(|_| random.uniform(self.range.start, self.range.end).floor() as i64).collect();
            let drawn = Tensor::from_vec(values, shape);
            return if self.kind == Kind::Bools { drawn.to(DType::Bool) } else { drawn };
        }
        let values: Vec<f64> = (0..count)
            .map(|_| {
                loop {
                    let v = random.uniform(self.range.start, self.range.end);
                    if self.avoided.iter().all(|a| (v - a).abs() > 1e-3) {
                        return v;
                    }
                }
            })
            .collect();
        Tensor::from_vec(values, shape)
    }
}
