//! How variables vary together.

use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::{Tensor, fail};

impl Tensor {
    /// The covariances of variables, a row of observations for each: `Σ (x − x̄)(y − ȳ) / (n − ddof)`; PyTorch and NumPy take 1 for `ddof`.
    ///
    /// * Shape: `[k, n] → [k, k]`, and `[n] → []`, floats only.   * Gradient: that of the products.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = tensor![[1.0, 2.0, 3.0], [4.0, 1.0, 0.0]].cov(1);
    /// assert_close!(y, [[1.0, -2.0], [-2.0, 4.33333]]);
    /// ```
    /// # Panics
    /// When there are neither one nor two axes, or not more observations than `ddof`.
    #[track_caller]
    pub fn cov(&self, ddof: usize) -> Tensor {
        let (k, n) = observed("cov", self);
        if n <= ddof {
            fail!("cov", "{n} observations, `ddof` is {ddof}"; help = "more observations than `ddof` are needed");
        }
        named("cov", || {
            let apart = apart(&self.reshape([k, n]));
            let y = apart.matmul(&apart.t()) / (n - ddof) as f64;
            if self.rank() == 1 { y.reshape(()) } else { y }
        })
    }

    /// The correlations of variables, a row of observations for each: covariances over the deviations of both, from −1 to 1; NaN of a
    /// variable that is constant.
    ///
    /// * Shape: `[k, n] → [k, k]`, and `[n] → []`, floats only.   * Gradient: that of the quotient.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = tensor![[1.0, 2.0, 3.0], [4.0, 1.0, 0.0]].corrcoef();
    /// assert_close!(y, [[1.0, -0.96077], [-0.96077, 1.0]]);
    /// ```
    /// # Panics
    /// When there are neither one nor two axes, or no observations.
    #[track_caller]
    pub fn corrcoef(&self) -> Tensor {
        let (k, n) = observed("corrcoef", self);
        if n == 0 {
            fail!("corrcoef", "there are no observations, the shape is {:?}", self.shape());
        }
        named("corrcoef", || {
            // Of lengths 1, whose squares leave the range of numbers nowhere.
            let apart = apart(&self.reshape([k, n])).normalize(2.0, 1, 0.0);
            let y = apart.matmul(&apart.t()).clamp(-1.0, 1.0);
            if self.rank() == 1 { y.reshape(()) } else { y }
        })
    }
}

/// How far the observations are from their mean: twice, for the first mean is rounded where it is far from 0.
#[track_caller]
fn apart(rows: &Tensor) -> Tensor {
    let less = |x: &Tensor| x - x.mean(crate::keep(1));
    less(&less(rows))
}

/// How many variables and observations there are.
#[track_caller]
fn observed(op: &str, x: &Tensor) -> (usize, usize) {
    if !x.dtype().is_float() {
        fail!(op, "floats are needed, these are {}", x.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    match *x.shape() {
        [n] => (1, n),
        [k, n] => (k, n),
        _ => fail!(op, "a list or a matrix is needed, the shape is {:?}", x.shape(); help = "a row of observations for each variable"),
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("cov", "The covariances of variables.", Takes::Floats, of_cov).made_of("mean, sub and matmul"),
    OpKind::new("corrcoef", "The correlations of variables.", Takes::Floats, of_corrcoef).made_of("mean, normalize and matmul"),
];

fn of_cov(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].cov(1));
    s.of(&[(&[7], &d)], |x| x[0].cov(0));
}

fn of_corrcoef(s: &mut Samples) {
    s.of(&[(&[3, 6], &floats(-2.0..2.0))], |x| x[0].corrcoef());
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn together() {
        let covariance = |x: &Numbers, i: usize, j: usize| {
            let mean = |i: usize| (0..5).map(|k| x.at(&[i, k])).sum::<f64>() / 5.0;
            (0..5).map(|k| (x.at(&[i, k]) - mean(i)) * (x.at(&[j, k]) - mean(j))).sum::<f64>() / 4.0
        };
        check(|x| x.cov(1)).shapes([&[3, 5]]).absolute(1.0)
            .formula(move |[x]| Numbers::from_fn(&[3, 3], |at| covariance(x, at[0], at[1])))
            .on(floats(-2.0..2.0));
        check(|x| x.corrcoef().slice(0, ..1).slice(1, 1..)).shapes([&[3, 5]]).absolute(1.0)
            .formula(move |[x]| Numbers::from_fn(&[1, 2], |at| {
                let j = at[1] + 1;
                covariance(x, 0, j) / (covariance(x, 0, 0) * covariance(x, j, j)).sqrt()
            }))
            .on(floats(-2.0..2.0));
        assert_close!(tensor![1.0, 2.0, 4.0].cov(1), 2.33333);
        assert_close!(tensor![1.0, 2.0, 4.0].corrcoef(), 1.0);
        let e = catch(|| tensor![[1.0], [2.0]].cov(1)).unwrap_err();
        assert_eq!(e.message(), "cov: 1 observations, `ddof` is 1");
    }
}
