//! The learning rate that goes with averaged weights: from where it is to a constant one.

use super::Schedule;
use mapsto_spec::Bounds;

/// `lr(t) = base + α (lr − base)`, where `α` goes from 0 to 1 over `anneal` steps, `(1 − cos(π t / anneal)) / 2` or along a line, and stays 1.
///
/// The rate that it goes to is a number of its own and no share of the base. In a loop written by hand it counts from the first average
/// on; `Trainer::averaging` does so by itself.
///
/// PyTorch: `swa_utils.SWALR(swa_lr=lr, anneal_epochs=anneal)`, with `anneal_strategy="linear"` for `linear`; Keras has none.
///
/// Source: Izmailov et al. (2018), Averaging weights leads to wider optima and better generalization, arXiv:1803.05407.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_nn::schedules::SwaLr;
/// let schedule = SwaLr::new(0.05, 4);
/// let rates = [0, 2, 4, 9].map(|t| schedule.lr(t, 0.1));
/// assert_eq!(rates.map(|lr| (lr * 1e6_f64).round() / 1e6), [0.1, 0.075, 0.05, 0.05]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SwaLr {
    lr: f64,
    anneal: u64,
    linear: bool,
}

impl SwaLr {
    /// To this rate over so many steps, along half a cosine; at 0 at once.
    ///
    /// # Panics
    /// When `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64, anneal: u64) -> SwaLr {
        SwaLr { lr: Bounds::AT_LEAST_0.check("swa_lr", "lr", lr), anneal, linear: false }
    }

    /// The same along a line.
    #[must_use]
    pub fn linear(self) -> SwaLr {
        SwaLr { linear: true, ..self }
    }

    /// The rate that it goes to, over how many steps, and whether along a line.
    pub fn settings(&self) -> (f64, u64, bool) {
        (self.lr, self.anneal, self.linear)
    }
}

impl Schedule for SwaLr {
    fn lr(&self, step: u64, base: f64) -> f64 {
        if step >= self.anneal {
            return self.lr;
        }
        let t = step as f64 / self.anneal as f64;
        let share = if self.linear { t } else { (1.0 - (std::f64::consts::PI * t).cos()) / 2.0 };
        self.lr * share + base * (1.0 - share)
    }
}

#[test]
fn it_stays_where_it_has_come_to() {
    for schedule in [SwaLr::new(0.2, 3), SwaLr::new(0.2, 3).linear()] {
        let rates: Vec<f64> = (0..6).map(|t| schedule.lr(t, 0.1)).collect();
        assert!(rates[..4].windows(2).all(|w| w[0] < w[1]), "{rates:?}");
        assert_eq!((rates[0], &rates[3..]), (0.1, &[0.2; 3][..]));
    }
    assert_eq!(SwaLr::new(0.2, 0).lr(0, 0.1), 0.2);
}
