//! Standard deviations over axes.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::keep;
use crate::Tensor;
use crate::shape::Axes;

impl Tensor {
    /// The population's standard deviation over axes: `y = √(Σ (x − mean)² / n)`.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`; floats only.
    /// * Gradient: `dx = (x − mean) dy / (n y)`; NaN where all elements are equal.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[1.0, 3.0], [2.0, 8.0]].std(-1), [1.0, 3.0]);
    /// ```
    /// # Panics
    /// When there is no such axis, or the elements are no floats.
    #[track_caller]
    pub fn std(&self, axes: impl Into<Axes>) -> Tensor {
        self.var_with(axes, 0).sqrt()
    }

    /// The standard deviation with divisor `n − ddof` under the root: 1 is usual for a sample.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0, 3.0, 4.0].std_with(.., 1), 1.29099);
    /// ```
    /// # Panics
    /// As [`std`](Tensor::std).
    #[track_caller]
    pub fn std_with(&self, axes: impl Into<Axes>, ddof: usize) -> Tensor {
        self.var_with(axes, ddof).sqrt()
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("std", "The population's standard deviation over axes: `y = √(Σ (x − mean)² / n)`.", Takes::Floats, samples).made_of("var and sqrt"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].std(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].std(keep(1)));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].std([0, 2]));
    s.of(&[(&[3, 5], &d)], |x| x[0].std(..));
    s.of(&[(&[1, 7], &d)], |x| x[0].std(0));
    s.of(&[(&[3, 5], &d)], |x| x[0].std_with(-1, 1));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn std() {
        check(|x| x.std(-1)).shapes([&[3, 5]]).on(floats(-2.0..2.0));
        check(|x| x.std_with(keep(0), 1)).shapes([&[4, 2]]).on(floats(-2.0..2.0));
        assert_close!(tensor![[1.0, 3.0]].std(keep(..)), [[1.0]]);
    }
}
