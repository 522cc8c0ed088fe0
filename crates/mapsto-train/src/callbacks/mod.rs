//! Callbacks: what happens beside the training loop, at which moments of it.
//!
//! A callback declares its moments and is called at those only, so that [`Trainer::explain`](crate::Trainer::explain)
//! tells the truth. To add one: a file here with the type, and its line below.

mod checkpoint;
mod each;
mod early_stop;
mod gradients;
mod health;
mod inside;
mod keep;
mod metrics_log;
mod reduce_on_plateau;
mod run;
mod tensorboard;
mod time_limit;

pub use checkpoint::Checkpoint;
pub(crate) use checkpoint::SAVES_BEST;
pub use each::{EachEpoch, EachStep, each_epoch, each_step};
pub use early_stop::EarlyStop;
pub use gradients::Gradients;
pub use health::Health;
pub use inside::{Inside, LayerInside, UnitsInside};
pub(crate) use keep::FOLDER as CHECKPOINTS;
pub use keep::Keep;
pub use metrics_log::MetricsLog;
pub use reduce_on_plateau::ReduceOnPlateau;
pub(crate) use run::Wishes;
pub use run::{Column, Note, Pace, Run};
pub use tensorboard::TensorBoard;
pub use time_limit::TimeLimit;

use mapsto_spec::{Entry, Family, Kind};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};
use std::path::PathBuf;

/// Every callback that a training file can name.
///
/// ```
/// use mapsto_spec::{Entry, build};
/// use mapsto_train::callbacks::Callback;
/// let callback = build::<dyn Callback>(&Entry::new("early_stop").with_value("val loss"), &()).unwrap();
/// assert_eq!(callback.name(), "stop early when `val loss` has not improved for 5 epochs, and restore the best weights");
/// let said = r#"{ early_stop = "val loss", patience = 5, least = 0.0 }"#;
/// assert_eq!(callback.entry().unwrap().to_string(), said);
/// ```
pub const CALLBACKS: &[CallbackKind] = &[
    early_stop::KIND,
    checkpoint::BEST,
    checkpoint::LAST,
    keep::BEST,
    keep::EVERY,
    reduce_on_plateau::KIND,
    time_limit::KIND,
    tensorboard::KIND,
    health::KIND,
];

/// A callback that files can name: its name, one line about it, and how to build it from its entry.
pub type CallbackKind = Kind<dyn Callback>;

/// A place in the training loop where callbacks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Moment {
    /// Once, before the first epoch (also of a resumed run).
    Start,
    /// Before the first batch of an epoch.
    EpochStart,
    /// Before each optimizer step, when its gradients are clipped: [`Callback::gradients`] is called.
    Gradients,
    /// After the optimizer steps of a batch.
    Step,
    /// After an epoch's validation, when its row is in the history.
    EpochEnd,
    /// Once, after the step in which the user asked to stop.
    Interrupted,
    /// Once, after the last epoch, however the run ended (but for an error).
    End,
}

/// Something that runs beside the training loop.
///
/// ```
/// use mapsto_tensor::Result;
/// use mapsto_train::callbacks::{Callback, Moment, Run};
/// /// Stops once the loss is small enough.
/// struct GoodEnough(f64);
/// impl Callback for GoodEnough {
///     fn name(&self) -> String {
///         format!("stop at a loss below {}", self.0)
///     }
///     fn moments(&self) -> &'static [Moment] {
///         &[Moment::EpochEnd]
///     }
///     fn at(&mut self, _: Moment, run: &mut Run) -> Result<()> {
///         if run.value("loss").is_some_and(|loss| loss < self.0) {
///             run.stop("the loss is small enough");
///         }
///         Ok(())
///     }
/// }
/// assert_eq!(GoodEnough(0.01).name(), "stop at a loss below 0.01");
/// ```
pub trait Callback: Send {
    /// What it does, in a few words.
    fn name(&self) -> String;

    /// The moments at which it is called.
    fn moments(&self) -> &'static [Moment];

    /// Called at each of its moments but [`Moment::Gradients`], in the order in which callbacks were added.
    ///
    /// # Errors
    /// An error ends the training with it.
    fn at(&mut self, moment: Moment, run: &mut Run<'_>) -> Result<()>;

    /// Called at [`Moment::Gradients`], between clipping and the step: it may look at the gradients, change them, and set the
    /// learning rate of this step.
    ///
    /// # Errors
    /// An error ends the training with it.
    fn gradients(&mut self, at: &mut Gradients<'_>) -> Result<()> {
        let _ = at;
        Ok(())
    }

    /// Layers whose outputs it wants to see while training, as a pattern of names such as `"blocks.*.fc"`.
    fn watches(&self) -> Option<&str> {
        None
    }

    /// Shows the output of a layer that it [`watches`](Callback::watches): what the last operation gave that used a parameter of
    /// the layer itself.
    fn saw(&mut self, layer: &str, y: &Tensor) {
        let _ = (layer, y);
    }

    /// Whether it wants to look into a step, counted from 1: then [`inside`](Callback::inside) is called after it. To look costs some
    /// time, so it should not be every step.
    fn looks_into(&self, step: u64) -> bool {
        let _ = step;
        false
    }

    /// Shows gradients, changes and units of a step that it [`looks_into`](Callback::looks_into).
    fn inside(&mut self, look: &Inside) {
        let _ = look;
    }

    /// Shows what another callback [says](Run::say).
    fn said(&mut self, note: &Note) {
        let _ = note;
    }

    /// What it must remember for a resumed run to go on as an uninterrupted one would.
    fn state(&self) -> CallbackState {
        CallbackState::default()
    }

    /// Takes back what [`Callback::state`] gave.
    ///
    /// # Errors
    /// When the state is of another callback.
    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        let _ = state;
        Ok(())
    }

    /// The file that it writes, in the trainer's folder or elsewhere: a trainer refuses two callbacks that write the same.
    fn file(&self) -> Option<PathBuf> {
        None
    }

    /// The entry that a file names it by, with every setting; `None` for what no file can hold.
    fn entry(&self) -> Option<Entry> {
        None
    }
}

/// What a callback remembers: numbers and tensors by name.
#[derive(Clone, Debug, Default)]
pub struct CallbackState {
    /// Numbers by name; every bit is kept.
    pub numbers: Vec<(String, f64)>,
    /// Tensors by name.
    pub tensors: Vec<(String, Tensor)>,
}

impl CallbackState {
    /// A number of this state.
    ///
    /// # Errors
    /// When it is missing: the state is of another callback.
    pub fn number(&self, name: &str) -> Result<f64> {
        self.numbers.iter().find(|(n, _)| n == name).map(|(_, v)| *v).ok_or_else(|| {
            Error::new(ErrorKind::Model, format!("callback state: `{name}` is missing"))
                .help("resume with the callbacks, in the order, that the run was started with")
        })
    }
}

/// Finds two callbacks that write the same file, of which one would be lost.
///
/// # Errors
/// What the two do, and the file.
pub(crate) fn check_files<'a>(callbacks: impl Iterator<Item = &'a dyn Callback>) -> Result<()> {
    let writing: Vec<(PathBuf, String)> = callbacks.filter_map(|c| Some((c.file()?, c.name()))).collect();
    for (i, (file, second)) in writing.iter().enumerate() {
        let Some((_, first)) = writing[..i].iter().find(|(earlier, _)| earlier == file) else { continue };
        let message = format!(
            "callbacks: two of them write {} and would overwrite each other: {first}, and {second}",
            file.display()
        );
        return Err(Error::new(ErrorKind::Usage, message)
            .help("leave one of them out; in a program, `Checkpoint::to` gives it a file of its own"));
    }
    Ok(())
}

impl Family for dyn Callback {
    const NOUN: &'static str = "callback";
    type Given = ();
    fn kinds() -> &'static [CallbackKind] {
        CALLBACKS
    }
    fn entry_of(callback: &dyn Callback, (): &()) -> Option<Entry> {
        callback.entry()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(entry: &Entry) -> Result<(Box<dyn Callback>, Entry)> {
        mapsto_spec::filled(entry, &())
    }

    #[test]
    fn every_callback_says_its_entry() {
        mapsto_spec::check_family::<dyn Callback>(&[&()]);
        let check = |entry: Entry| mapsto_spec::check_entry::<dyn Callback>(&entry, &());
        let stop = Entry::new("early_stop").with_value("loss").with_option("patience", 3_usize);
        check(stop.with_option("least", 0.25));
        check(Entry::new("best").with_value("loss").with_option("every", 2_usize));
        check(Entry::new("last").with_option("every", 2_usize));
        // A path of its own is no setting of a file.
        assert_eq!(Checkpoint::last().to("elsewhere").entry(), None);
    }

    #[test]
    fn every_kind_builds_with_its_defaults_written_down() {
        let rendered: Vec<String> =
            CALLBACKS.iter().map(|k| filled(&Entry::new(k.name)).unwrap().1.to_string()).collect();
        assert_eq!(
            rendered,
            [
                r#"{ early_stop = "val loss", patience = 5, least = 0.0 }"#,
                r#"{ best = "val loss", every = 1 }"#,
                "{ last = true, every = 1 }",
                r#"{ keep_best = 3, watch = "val loss" }"#,
                "{ keep_every = 1 }",
                r#"{ reduce_on_plateau = "val loss", factor = 0.1, patience = 10, threshold = 0.0001, absolute = false, cooldown = 0, min_lr = 0.0 }"#,
                r#"{ time_limit = "1h" }"#,
                "\"tensorboard\"",
                "\"health\"",
            ]
        );
    }

    #[test]
    fn no_two_callbacks_write_the_same_file() {
        // Whatever kind writes a file, twice and beside every other.
        let built = |name: &str| filled(&Entry::new(name)).unwrap().0;
        for (a, b) in CALLBACKS.iter().flat_map(|a| CALLBACKS.iter().map(move |b| (a.name, b.name))) {
            let pair = [built(a), built(b)];
            let refused = check_files(pair.iter().map(|c| &**c)).is_err();
            assert_eq!(refused, a == b && pair[0].file().is_some(), "{a} {b}");
        }
        let two = [Checkpoint::best("val accuracy"), Checkpoint::best("val loss")];
        let error = check_files(two.iter().map(|c| c as &dyn Callback)).unwrap_err();
        assert!(error.message().contains("two of them write best.safetensors"), "{error}");
        let [first, second] = two;
        let apart = [first, second.to("other.safetensors")];
        check_files(apart.iter().map(|c| c as &dyn Callback)).unwrap();
    }

    #[test]
    fn entries_are_checked() {
        let error = |entry: Entry| filled(&entry).err().unwrap().to_string();
        assert!(error(Entry::new("early_stp")).contains("did you mean `early_stop`"));
        assert!(
            error(Entry::new("early_stop").with_option("patience", 0_usize))
                .contains("`patience` must be at least 1, got 0")
        );
        assert!(error(Entry::new("best").with_option("evry", 2_usize)).contains("did you mean `every`"));
    }
}
