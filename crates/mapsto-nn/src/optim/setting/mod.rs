//! The settings of optimizers, each said once: for builders in Rust, for entries of files and for the reference of options.

#[macro_use]
mod alike;

use super::{Args, Bounds, Entry, Memory, Result};
use mapsto_spec::count_option;

/// A number that can be set, what it may be and what it means.
#[derive(Clone, Copy)]
pub(super) struct Setting {
    name: &'static str,
    bounds: Bounds,
    doc: &'static str,
}

/// Where a rule holds a setting.
pub(super) enum Held<'a> {
    Number(Setting, &'a mut f64),
    /// At least 1.
    Count((&'static str, &'static str), &'a mut usize),
    Flag((&'static str, &'static str), &'a mut bool),
}

/// The learning rate, the value of every optimizer's entry.
pub(super) const LR: (&str, &str) = ("", "the learning rate");
pub(super) const BETA1: Setting =
    Setting::new("beta1", Bounds::SHARE, "how slowly the mean of the gradients changes");
pub(super) const BETA2: Setting =
    Setting::new("beta2", Bounds::SHARE, "how slowly the mean of their squares changes");
pub(super) const EPS: Setting =
    Setting::new("eps", Bounds::ABOVE_0, "what is added to a variance or a size before it is divided by");
pub(super) const DECAY: Setting = Setting::new("decay", Bounds::AT_LEAST_0, "the weight decay");
pub(super) const MOMENTUM: Setting =
    Setting::new("momentum", Bounds::SHARE, "the share of the last step that is taken again");

/// The flag of Adam and AdamW.
pub(super) const AMSGRAD: (&str, &str) =
    ("amsgrad", "whether steps are in units of the gradient's largest typical size so far");
/// The flag of optimizers that PyTorch has both ways.
pub(super) const DECOUPLED: (&str, &str) =
    ("decoupled", "whether the weight decay stands beside the step and not inside the gradient");

impl Setting {
    pub(super) const fn new(name: &'static str, bounds: Bounds, doc: &'static str) -> Setting {
        Setting { name, bounds, doc }
    }

    /// Its line in a list of options.
    pub(super) const fn told(self) -> (&'static str, &'static str) {
        (self.name, self.doc)
    }

    /// Where a rule holds it.
    pub(super) fn at(self, x: &mut f64) -> Held<'_> {
        Held::Number(self, x)
    }

    /// `x`, which an optimizer of this name was given.
    #[track_caller]
    pub(super) fn check(self, optimizer: &str, x: f64) -> f64 {
        self.bounds.check(optimizer, self.name, x)
    }
}

/// Reads settings from an entry; what it does not say stays as it is.
pub(super) fn read(args: &mut Args, settings: Vec<Held<'_>>) -> Result<()> {
    for held in settings {
        match held {
            Held::Number(setting, x) => *x = setting.bounds.option(args, setting.name, *x)?,
            Held::Count((name, _), n) => *n = count_option(args, name, *n)?,
            Held::Flag((name, _), flag) => *flag = args.get_or(name, *flag)?,
        }
    }
    Ok(())
}

/// An entry with settings.
pub(super) fn say(entry: Entry, settings: Vec<Held<'_>>) -> Entry {
    settings.into_iter().fold(entry, |entry, held| match held {
        Held::Number(setting, x) => entry.with_option(setting.name, *x),
        Held::Count((name, _), n) => entry.with_option(name, *n),
        Held::Flag((name, _), flag) => entry.with_option(name, *flag),
    })
}

/// Where the momentum stands among settings, or β₁, if it is above 0.
pub(super) fn momentum(settings: Vec<Held<'_>>) -> Option<&mut f64> {
    settings.into_iter().find_map(|held| match held {
        Held::Number(setting, x) if [MOMENTUM.name, BETA1.name].contains(&setting.name) && *x > 0.0 => {
            Some(x)
        }
        _ => None,
    })
}

/// The entry of an optimizer of this name: its learning rate, its settings and its groups.
pub(super) fn told(name: &str, memory: &Memory, settings: Vec<Held<'_>>) -> Entry {
    memory.with_groups(say(Entry::new(name).with_value(memory.base()), settings))
}

/// The builders of settings that many optimizers have: `settings!(betas, eps, decay)`.
macro_rules! settings {
    ($($name:ident),*) => {
        $(settings!(@ $name);)*
    };
    (@ betas) => {
        /// The same with other β₁ and β₂.
        ///
        /// # Panics
        /// When one of them is not in 0..1.
        #[track_caller]
        #[must_use]
        pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
            self.rule.beta1 = $crate::optim::setting::BETA1.check(KIND.name, beta1);
            self.rule.beta2 = $crate::optim::setting::BETA2.check(KIND.name, beta2);
            self
        }
    };
    (@ eps) => {
        /// The same with another ε.
        ///
        /// # Panics
        /// When it is not finite and above 0.
        #[track_caller]
        #[must_use]
        pub fn eps(mut self, eps: f64) -> Self {
            self.rule.eps = $crate::optim::setting::EPS.check(KIND.name, eps);
            self
        }
    };
    (@ decay) => {
        /// The same with weight decay λ.
        ///
        /// # Panics
        /// When it is not finite and at least 0.
        #[track_caller]
        #[must_use]
        pub fn decay(mut self, decay: f64) -> Self {
            self.rule.decay = $crate::optim::setting::DECAY.check(KIND.name, decay);
            self
        }
    };
    (@ momentum) => {
        /// The same with momentum μ.
        ///
        /// # Panics
        /// When it is not in 0..1.
        #[track_caller]
        #[must_use]
        pub fn momentum(mut self, momentum: f64) -> Self {
            self.rule.momentum = $crate::optim::setting::MOMENTUM.check(KIND.name, momentum);
            self
        }
    };
}

#[test]
fn what_is_read_is_said_again() {
    const ALPHA: Setting = Setting::new("alpha", Bounds::SHARE, "a share");
    fn all(x: &mut (f64, usize, bool)) -> Vec<Held<'_>> {
        vec![ALPHA.at(&mut x.0), Held::Count(("every", ""), &mut x.1), Held::Flag(("is_wide", ""), &mut x.2)]
    }
    let mut x = (0.5, 3, false);
    let entry = Entry::new("x").with_option("alpha", 0.25).with_option("is_wide", true);
    let mut args = Args::new("optimizer", &entry);
    read(&mut args, all(&mut x)).unwrap();
    let filled = args.finish().unwrap();
    assert_eq!(filled.to_string(), "{ x = true, alpha = 0.25, every = 3, is_wide = true }");
    assert!(say(Entry::new("x"), all(&mut x)).agrees(&filled));
}
