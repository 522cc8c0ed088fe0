//! Settings for some of the parameters, chosen by name.

use mapsto_spec::Bounds;

use super::{Args, Entry, Result, Value};
use mapsto_tensor::{Error, ErrorKind};

/// What is different for the parameters of a group; what is not set is as for all others.
///
/// ```
/// use mapsto_nn::prelude::*;
/// let opt = Sgd::new(0.1).decay(1e-4).group("*.bias", |g| g.decay(0.0)).group("head.*", |g| g.lr(1.0));
/// # let _ = opt;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Group {
    pub(super) lr: Option<f64>,
    pub(super) decay: Option<f64>,
}

impl Group {
    /// Another learning rate at the start; it follows the schedule in proportion.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    #[must_use]
    pub fn lr(self, lr: f64) -> Group {
        Group { lr: Some(Bounds::AT_LEAST_0.check("group", "learning rate", lr)), ..self }
    }

    /// Another weight decay.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    #[must_use]
    pub fn decay(self, decay: f64) -> Group {
        Group { decay: Some(Bounds::AT_LEAST_0.check("group", "decay", decay)), ..self }
    }

    /// The entry of a group of parameters whose names fit the pattern.
    pub(super) fn entry(&self, pattern: &str) -> Entry {
        let settings = [("lr", self.lr), ("decay", self.decay)];
        let given = settings.into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.fold(Entry::new(pattern), |entry, (name, value)| entry.with_option(name, value))
    }

    /// These settings, completed by those of `other`.
    pub(super) fn or(self, other: Group) -> Group {
        Group { lr: self.lr.or(other.lr), decay: self.decay.or(other.decay) }
    }
}

/// How a file writes groups.
pub(super) const SPELLING: &str =
    r#"a group is a pattern of names and its settings, such as `groups = [{ "0.*" = true, lr = 0.1 }]`"#;

/// The group that `{ "*.bias" = true, decay = 0.0 }` describes.
pub(super) fn from_entry(entry: &Entry) -> Result<(Group, Entry)> {
    if let Some(value) = entry.value.as_ref().filter(|value| **value != Value::Bool(true)) {
        let mistake = format!("group: `{}` is a pattern, and has the value {value}", entry.name);
        return Err(Error::new(ErrorKind::Usage, mistake).help(SPELLING));
    }
    let mut args = Args::new("group", entry);
    let [lr, decay] = ["lr", "decay"].map(|name| Bounds::AT_LEAST_0.optional(&mut args, name));
    let group = Group { lr: lr?, decay: decay? };
    let entry = args.finish()?;
    if group == Group::default() {
        let mistake = format!("group: `{}` changes nothing: it has neither `lr` nor `decay`", entry.name);
        return Err(Error::new(ErrorKind::Usage, mistake).help(SPELLING));
    }
    Ok((group, entry))
}

#[test]
fn groups_that_say_nothing_or_say_it_wrongly_show_how_it_is_said() {
    for wrong in [
        Entry::new("0.*"),
        Entry::new("0.*").with_value(true),
        Entry::new("0.*").with_value(0.1),
        Entry::new("pattern").with_value("0.*").with_option("lr", 0.1),
    ] {
        let e = from_entry(&wrong).unwrap_err();
        assert_eq!(e.help_text(), Some(SPELLING), "{wrong}: {e}");
    }
    let right = Entry::new("0.*").with_value(true).with_option("lr", 0.1);
    assert_eq!(from_entry(&right).unwrap().0, Group::default().lr(0.1));
}

#[test]
fn settings_complete_each_other() {
    let (a, b) = (Group::default().lr(1.0), Group::default().lr(2.0).decay(3.0));
    assert_eq!(a.or(b), Group { lr: Some(1.0), decay: Some(3.0) });
    assert!(from_entry(&Entry::new("*").with_option("lr", -1.0)).is_err());
}
