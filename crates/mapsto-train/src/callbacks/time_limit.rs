//! A limit of time: the run ends cleanly after the step in which it is over, and can be resumed.

use super::{Callback, CallbackKind, Moment, Run};
use mapsto_spec::Entry;
use mapsto_tensor::{Error, ErrorKind, Result};
use std::time::{Duration, Instant};

/// Ends a run after the step in which a time is over, with its state saved as at an interrupt.
///
/// The time is that of one process, validation and checkpoints included: a run that is resumed has it once more. An epoch that is under way
/// is not validated; `mapsto train --resume RUN` goes on within it, to the same bits. Lightning calls it `max_time`.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_nn::prelude::*;
/// use mapsto_train::Trainer;
/// use mapsto_train::callbacks::TimeLimit;
/// use std::time::Duration;
/// let set = InMemory::new(tensor![[1.0], [2.0]], tensor![[2.0], [4.0]]);
/// let mut trainer = Trainer::new(Sgd::new(0.01), mse).epochs(100).on(TimeLimit::new(Duration::ZERO)).quiet();
/// let history = trainer.fit(&mut Linear::new(1, 1), set.batches(1), None)?;
/// assert_eq!(history.stopped.unwrap(), "the time limit of 0s was over in epoch 1 after batch 1");
/// assert_eq!(TimeLimit::parse("1h30m")?.limit(), Duration::from_secs(5400));
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TimeLimit {
    limit: Duration,
    start: Instant,
}

const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

impl TimeLimit {
    /// So long at most, from the start of the training.
    #[must_use]
    pub fn new(limit: Duration) -> TimeLimit {
        TimeLimit { limit, start: Instant::now() }
    }

    /// As text: `30m`, `1h30m`, `90s`, `2d`.
    ///
    /// # Errors
    /// When it is no such text, or 0.
    pub fn parse(text: &str) -> Result<TimeLimit> {
        let wrong = || {
            let message = format!("time limit: {text:?} is no length of time");
            Error::new(ErrorKind::Usage, message)
                .help("write days, hours, minutes and seconds with their letters, such as \"30m\", \"1h30m\" or \"90s\"")
        };
        let (mut rest, mut seconds, mut units) = (text.trim(), 0_u64, UNITS.iter());
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = rest[digits..].trim_start();
            // Larger units come first, each at most once.
            let (name, size) = units.by_ref().find(|(name, _)| rest.starts_with(name)).ok_or_else(wrong)?;
            seconds = number.checked_mul(*size).and_then(|s| seconds.checked_add(s)).ok_or_else(wrong)?;
            rest = rest[name.len()..].trim_start();
        }
        if seconds == 0 { Err(wrong()) } else { Ok(TimeLimit::new(Duration::from_secs(seconds))) }
    }

    /// The time it allows.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }

    fn text(&self) -> String {
        let mut left = self.limit.as_secs();
        let mut text = String::new();
        for (name, size) in UNITS {
            if left >= size {
                text += &format!("{}{name}", left / size);
                left %= size;
            }
        }
        if text.is_empty() { "0s".into() } else { text }
    }
}

impl Callback for TimeLimit {
    fn name(&self) -> String {
        format!("end after the step in which {} are over", self.text())
    }

    fn moments(&self) -> &'static [Moment] {
        &[Moment::Start, Moment::Step, Moment::EpochEnd]
    }

    fn at(&mut self, moment: Moment, run: &mut Run<'_>) -> Result<()> {
        match moment {
            Moment::Start => self.start = Instant::now(),
            _ if self.start.elapsed() >= self.limit => {
                run.stop_now(format!("the time limit of {} was over", self.text()));
            }
            _ => {}
        }
        Ok(())
    }

    fn entry(&self) -> Option<Entry> {
        // A file has no word for less than a second.
        (self.limit.as_secs() > 0).then(|| Entry::new(KIND.name).with_value(self.text()))
    }
}

pub(super) const KIND: CallbackKind = CallbackKind::new(
    "time_limit",
    "Ends the run cleanly after the step in which a time is over; it can be resumed.",
    |args, ()| {
        let text: String = args.main_or("1h".to_string())?;
        let limit = TimeLimit::parse(&text).map_err(|e| {
            let said = args.error("", e.message());
            e.help_text().into_iter().fold(said, |said, help| said.help(help))
        })?;
        Ok(Box::new(limit))
    },
)
.options(&[("", "days, hours, minutes and seconds with their letters, such as \"30m\" or \"1h30m\"")]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_written() {
        for (text, seconds, said) in [
            ("30m", 1800, "30m"),
            ("1h30m", 5400, "1h30m"),
            ("90s", 90, "1m30s"),
            ("2d", 172_800, "2d"),
            (" 1d 2h ", 93_600, "1d2h"),
            ("0h5s", 5, "5s"),
        ] {
            let limit = TimeLimit::parse(text).unwrap();
            assert_eq!((limit.limit().as_secs(), limit.text().as_str()), (seconds, said));
            assert_eq!(TimeLimit::parse(&limit.text()).unwrap().limit(), limit.limit());
        }
        for wrong in ["", "0s", "30", "m", "m30", "30x", "1m1h", "1h1h", "-5s", "1.5h", "99999999999999999d"]
        {
            assert!(TimeLimit::parse(wrong).unwrap_err().message().contains("no length of time"), "{wrong}");
        }
    }
}
