//! Reduces the learning rate when a column has stopped improving.

use super::{Callback, CallbackKind, CallbackState, Gradients, Moment, Run};
use crate::metrics::Better;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Error, ErrorKind, Result};
use std::collections::BTreeMap;

/// Multiplies the learning rates of all optimizers by a factor, when a column has not improved for more than some epochs.
///
/// The factor is 0.1 and the patience 10 epochs. A value improves on the best one by a share of it, the threshold of 10⁻⁴, or by a
/// number where it is [`absolute`](ReduceOnPlateau::absolute); after a reduction `cooldown` epochs count for nothing. Whether a
/// column improves upwards or downwards is known of it. The rate goes down to `min_lr`, and no more where it would change by 10⁻⁸ or less.
///
/// It does not go with a schedule, which sets the learning rate at every step. A run that is resumed goes on as if it had not been stopped.
///
/// PyTorch: `lr_scheduler.ReduceLROnPlateau`, with `threshold_mode="abs"` for `absolute`; Keras: `ReduceLROnPlateau`.
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_nn::prelude::*;
/// use mapsto_train::callbacks::ReduceOnPlateau;
/// use mapsto_train::prelude::*;
/// // The loss cannot fall.
/// let set = InMemory::new(tensor![[0.0], [0.0]], tensor![[1.0], [-1.0]]);
/// let mut line = Linear::new(1, 1).no_bias();
/// let plateau = ReduceOnPlateau::watching("loss").patience(1).factor(0.5);
/// let history = Trainer::new(Sgd::new(0.1), mse).on(plateau).epochs(6).quiet().fit(&mut line, set.batches(2), None)?;
/// let rates: Vec<f64> = history.rows.iter().map(|row| row.lr).collect();
/// assert_eq!(rates, [0.1, 0.1, 0.1, 0.05, 0.05, 0.025]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReduceOnPlateau {
    column: String,
    factor: f64,
    patience: usize,
    threshold: f64,
    absolute: bool,
    cooldown: usize,
    min_lr: f64,
    better: Better,
    seen: Seen,
}

/// What it has seen of its column.
#[derive(Clone, Debug, Default)]
struct Seen {
    best: Option<f64>,
    bad: usize,
    resting: usize,
    reductions: u64,
    /// How many of them each optimizer has taken over.
    applied: BTreeMap<String, u64>,
}

/// The smallest change of a learning rate.
const LEAST: f64 = 1e-8;

impl ReduceOnPlateau {
    /// Of a column such as `val loss`, by a factor of 0.1 after 10 epochs.
    #[must_use]
    pub fn watching(column: impl Into<String>) -> ReduceOnPlateau {
        ReduceOnPlateau {
            column: column.into(),
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            absolute: false,
            cooldown: 0,
            min_lr: 0.0,
            better: Better::Lower,
            seen: Seen::default(),
        }
    }

    /// The same by another factor.
    ///
    /// # Panics
    /// When it is not in 0..1; at 0 the rate falls to `min_lr` at once.
    #[must_use]
    #[track_caller]
    pub fn factor(self, factor: f64) -> ReduceOnPlateau {
        ReduceOnPlateau { factor: Bounds::SHARE.check(KIND.name, "factor", factor), ..self }
    }

    /// How many epochs without improvement are borne.
    #[must_use]
    pub fn patience(self, epochs: usize) -> ReduceOnPlateau {
        ReduceOnPlateau { patience: epochs, ..self }
    }

    /// By what share of the best value another one must be better.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn threshold(self, threshold: f64) -> ReduceOnPlateau {
        ReduceOnPlateau { threshold: Bounds::AT_LEAST_0.check(KIND.name, "threshold", threshold), ..self }
    }

    /// The threshold is a number and not a share.
    #[must_use]
    pub fn absolute(self) -> ReduceOnPlateau {
        ReduceOnPlateau { absolute: true, ..self }
    }

    /// How many epochs after a reduction count for nothing.
    #[must_use]
    pub fn cooldown(self, epochs: usize) -> ReduceOnPlateau {
        ReduceOnPlateau { cooldown: epochs, ..self }
    }

    /// The rate below which it does not go.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn min_lr(self, min_lr: f64) -> ReduceOnPlateau {
        ReduceOnPlateau { min_lr: Bounds::AT_LEAST_0.check(KIND.name, "min_lr", min_lr), ..self }
    }

    /// Takes notice of an epoch's value.
    fn see(&mut self, value: f64) {
        let best = self.seen.best.unwrap_or(self.better.worst());
        let limit = match (self.absolute, self.better) {
            (false, Better::Lower) => best * (1.0 - self.threshold),
            (false, Better::Higher) => best * (1.0 + self.threshold),
            (true, Better::Lower) => best - self.threshold,
            (true, Better::Higher) => best + self.threshold,
        };
        let seen = &mut self.seen;
        match self.better.improves(value, limit, 0.0) {
            true => (seen.best, seen.bad) = (Some(value), 0),
            false => seen.bad += 1,
        }
        if seen.resting > 0 {
            (seen.resting, seen.bad) = (seen.resting - 1, 0);
        }
        if seen.bad > self.patience {
            (seen.resting, seen.bad, seen.reductions) = (self.cooldown, 0, seen.reductions + 1);
        }
    }

    /// The rate after a reduction.
    fn reduced(&self, lr: f64) -> f64 {
        let new = (lr * self.factor).max(self.min_lr);
        if lr - new > LEAST { new } else { lr }
    }
}

impl Callback for ReduceOnPlateau {
    fn name(&self) -> String {
        format!(
            "multiply the learning rate by {} when `{}` has not improved for more than {} epochs",
            self.factor, self.column, self.patience
        )
    }

    fn moments(&self) -> &'static [Moment] {
        &[Moment::Start, Moment::Gradients, Moment::EpochEnd]
    }

    fn at(&mut self, moment: Moment, run: &mut Run<'_>) -> Result<()> {
        if moment == Moment::Start {
            if run.has_schedule {
                let message = format!("{}: the schedule sets the learning rate at every step", KIND.name);
                return Err(Error::new(ErrorKind::Usage, message).help("leave one of the two out"));
            }
            // What an earlier run left behind says nothing of this one.
            if run.history.rows.is_empty() {
                self.seen = Seen::default();
            }
        }
        self.better = run.column(&self.column)?.better;
        if let (Moment::EpochEnd, Some(value)) = (moment, run.value(&self.column)) {
            self.see(value);
        }
        Ok(())
    }

    fn gradients(&mut self, at: &mut Gradients<'_>) -> Result<()> {
        let due = self.seen.reductions;
        let applied = self.seen.applied.get(at.by).copied().unwrap_or(0);
        if applied < due {
            let lr = (applied..due).fold(at.optimizer.lr(), |lr, _| self.reduced(lr));
            at.optimizer.set_lr(lr);
            self.seen.applied.insert(at.by.to_string(), due);
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        let seen = &self.seen;
        let numbers = [
            ("bad", seen.bad as f64),
            ("resting", seen.resting as f64),
            ("reductions", seen.reductions as f64),
        ];
        let mut numbers: Vec<(String, f64)> = numbers.map(|(n, v)| (n.to_string(), v)).to_vec();
        numbers.extend(seen.best.map(|best| ("best".to_string(), best)));
        numbers.extend(seen.applied.iter().map(|(by, n)| (format!("{APPLIED}{by}"), *n as f64)));
        CallbackState { numbers, tensors: Vec::new() }
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        let applied =
            state.numbers.iter().filter_map(|(n, v)| Some((n.strip_prefix(APPLIED)?.to_string(), *v as u64)));
        self.seen = Seen {
            best: state.number("best").ok(),
            bad: state.number("bad")? as usize,
            resting: state.number("resting")? as usize,
            reductions: state.number("reductions")? as u64,
            applied: applied.collect(),
        };
        Ok(())
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_value(self.column.as_str()).with_option("factor", self.factor);
        let entry = entry.with_option("patience", self.patience).with_option("threshold", self.threshold);
        let entry = entry.with_option("absolute", self.absolute).with_option("cooldown", self.cooldown);
        Some(entry.with_option("min_lr", self.min_lr))
    }
}

const APPLIED: &str = "applied ";

pub(super) const KIND: CallbackKind = CallbackKind::new(
    "reduce_on_plateau",
    "Multiplies the learning rate by a factor when a column has stopped improving.",
    |args, ()| {
        let plateau = ReduceOnPlateau::watching(args.main_or("val loss".to_string())?);
        let plateau = plateau.factor(Bounds::SHARE.option(args, "factor", 0.1)?);
        let plateau = plateau.patience(args.get_or("patience", 10)?);
        let plateau = plateau.threshold(Bounds::AT_LEAST_0.option(args, "threshold", 1e-4)?);
        let plateau = if args.get_or("absolute", false)? { plateau.absolute() } else { plateau };
        let plateau = plateau.cooldown(args.get_or("cooldown", 0)?);
        Ok(Box::new(plateau.min_lr(Bounds::AT_LEAST_0.option(args, "min_lr", 0.0)?)))
    },
)
.options(&[
    ("", "the column that is watched"),
    ("factor", "what the learning rate is multiplied by"),
    ("patience", "the epochs without improvement that are borne"),
    ("threshold", "by what share of the best value another one must be better"),
    ("absolute", "whether the threshold is a number and not a share"),
    ("cooldown", "the epochs after a reduction that count for nothing"),
    ("min_lr", "the rate below which it does not go"),
]);

/// Against `ReduceLROnPlateau` of PyTorch, see `tests/golden/make_plateau.py`.
#[test]
fn it_reduces_where_pytorch_does() {
    let mut lines = 0;
    for line in include_str!("../../tests/golden/plateau.txt").lines() {
        let (settings, rates) = line.split_once(" : ").unwrap();
        let words: Vec<&str> = settings.split(' ').collect();
        let [mode, factor, patience, threshold, kind, cooldown, min_lr] = words[..] else { panic!("{line}") };
        let number = |text: &str| text.parse::<f64>().unwrap();
        let plateau = ReduceOnPlateau::watching("x").factor(number(factor)).threshold(number(threshold));
        let plateau = plateau.patience(patience.parse().unwrap()).cooldown(cooldown.parse().unwrap());
        let mut plateau = plateau.min_lr(number(min_lr));
        plateau.absolute = kind.starts_with("abs");
        plateau.better = if mode.starts_with("max") { Better::Higher } else { Better::Lower };
        let mut lr = 0.5;
        for (t, expected) in rates.split(' ').map(number).enumerate() {
            let t = t as f64;
            let before = plateau.seen.reductions;
            plateau.see(2.0 + (0.7 * t).sin() + 3.0 / (1.0 + t));
            if plateau.seen.reductions > before {
                lr = plateau.reduced(lr);
            }
            assert!((lr - expected).abs() < 1e-12, "{line}: {lr} after {t}");
        }
        lines += 1;
    }
    assert_eq!(lines, 12);
}
