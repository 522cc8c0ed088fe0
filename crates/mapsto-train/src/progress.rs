//! Progress: one live line and one row an epoch. The one place in the library that writes to the terminal (standard
//! error), because a training run that says nothing is taken for a hung one; `Trainer::quiet` silences it.

use crate::callbacks::{Callback, Moment, Run};
use crate::history::Row;
use mapsto_tensor::{Error, Result};
use std::io::{self, IsTerminal, Write};

/// Shows a run as it goes: loss, metrics, learning rate, samples a second, the share of time spent waiting for data, and
/// the time left.
///
/// ```
/// use mapsto_train::Progress;
/// let progress = Progress::rows_to(Vec::new()); // plain rows, to any writer
/// # let _ = progress;
/// ```
pub struct Progress {
    out: Out,
    /// The columns of the last header printed.
    header: Vec<String>,
}

enum Out {
    Rows(Box<dyn Write + Send>),
    #[cfg(feature = "progress")]
    Live(Option<indicatif::ProgressBar>),
}

impl Progress {
    /// A live line on standard error where that is a terminal, plain rows there otherwise.
    #[must_use]
    pub fn auto() -> Progress {
        if io::stderr().is_terminal() { Progress::live() } else { Progress::rows() }
    }

    /// A live line and rows, on standard error; rows only without the feature `progress`.
    #[must_use]
    pub fn live() -> Progress {
        #[cfg(feature = "progress")]
        return Progress { out: Out::Live(None), header: Vec::new() };
        #[cfg(not(feature = "progress"))]
        Progress::rows()
    }

    /// One plain row an epoch, on standard error.
    #[must_use]
    pub fn rows() -> Progress {
        Progress::rows_to(io::stderr())
    }

    /// One plain row an epoch, to a writer.
    #[must_use]
    pub fn rows_to(writer: impl Write + Send + 'static) -> Progress {
        Progress { out: Out::Rows(Box::new(writer)), header: Vec::new() }
    }

    fn start(&mut self) {
        self.header.clear();
        #[cfg(feature = "progress")]
        if let Out::Live(bar) = &mut self.out {
            *bar = Some(live_line());
        }
    }

    fn step(&mut self, run: &Run<'_>) {
        #[cfg(feature = "progress")]
        if let Out::Live(Some(bar)) = &self.out {
            let p = run.pace;
            if bar.length() != Some(p.batches as u64) {
                bar.set_length(p.batches as u64);
            }
            bar.set_position(p.batch as u64);
            // Drawn a few times a second: a message for each of thousands of steps would cost more than the steps.
            if p.batch.is_multiple_of(message_interval(p.batches)) || p.batch == p.batches {
                bar.set_prefix(format!("{}/{}", p.epoch, p.epochs));
                // The least important comes last, where a narrow terminal cuts.
                bar.set_message(format!(
                    "loss {:.4}  {} left  {} samples/s  {:.0} % waiting",
                    p.loss,
                    duration(p.seconds_left),
                    short(p.samples_per_second),
                    100.0 * p.waiting
                ));
            }
        }
        #[cfg(not(feature = "progress"))]
        let _ = run;
    }

    fn row(&mut self, run: &Run<'_>) -> Result<()> {
        let Some(row) = run.history.rows.last() else { return Ok(()) };
        let columns: Vec<String> = row.values.iter().map(|(name, _)| name.clone()).collect();
        if columns != self.header {
            self.line(&header(&columns))?;
            self.header = columns;
        }
        self.line(&cells(row, run.pace.epochs, run.pace.seconds_left))
    }

    fn end(&mut self, run: &Run<'_>) -> Result<()> {
        #[cfg(feature = "progress")]
        if let Out::Live(bar) = &mut self.out
            && let Some(bar) = bar.as_ref()
        {
            bar.finish_and_clear();
        }
        if let Some(reason) = &run.history.stopped {
            self.line(&format!("stopped: {reason}"))?;
        }
        Ok(())
    }

    fn line(&mut self, text: &str) -> Result<()> {
        let write = |w: &mut dyn Write| writeln!(w, "{text}").and_then(|()| w.flush());
        let written = match &mut self.out {
            Out::Rows(writer) => write(writer),
            #[cfg(feature = "progress")]
            Out::Live(Some(bar)) => bar.suspend(|| write(&mut io::stderr())),
            #[cfg(feature = "progress")]
            Out::Live(None) => write(&mut io::stderr()),
        };
        match written {
            // Whoever closed the pipe no longer wants to see progress; the training goes on.
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Error::io("progress", e)),
            _ => Ok(()),
        }
    }
}

impl Callback for Progress {
    fn name(&self) -> String {
        "show progress".into()
    }

    fn moments(&self) -> &'static [Moment] {
        &[Moment::Start, Moment::Step, Moment::EpochEnd, Moment::End]
    }

    fn at(&mut self, moment: Moment, run: &mut Run<'_>) -> Result<()> {
        match moment {
            Moment::Start => self.start(),
            Moment::Step => self.step(run),
            Moment::EpochEnd => self.row(run)?,
            Moment::End => self.end(run)?,
            _ => {}
        }
        Ok(())
    }
}

#[cfg(feature = "progress")]
fn live_line() -> indicatif::ProgressBar {
    use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(8));
    let style = ProgressStyle::with_template("epoch {prefix}  {bar:20.cyan/dim} {pos:>5}/{len}  {wide_msg}");
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar
}

#[cfg(feature = "progress")]
fn message_interval(batches: usize) -> usize {
    (batches / 200).max(1)
}

const NARROWEST: usize = 8;

fn header(columns: &[String]) -> String {
    let mut text = format!("{:>7}", "epoch");
    for c in columns {
        text += &format!("  {c:>NARROWEST$}");
    }
    text + &format!("  {:>8}  {:>9}  {:>7}  {:>7}  {:>7}", "lr", "samples/s", "waiting", "time", "left")
}

fn cells(row: &Row, epochs: usize, left: f64) -> String {
    let mut text = format!("{:>7}", format!("{}/{epochs}", row.epoch));
    for (name, value) in &row.values {
        let width = name.chars().count().max(NARROWEST);
        text += &format!("  {:>width$}", number(*value));
    }
    let waiting = format!("{:.0} %", 100.0 * row.waiting);
    let (rate, time, left) = (short(row.samples_per_second), duration(row.seconds), duration(left));
    text + &format!("  {:>8}  {rate:>9}  {waiting:>7}  {time:>7}  {left:>7}", number(row.lr))
}

/// Four decimals, or a power of ten where those would show little.
fn number(v: f64) -> String {
    if v == 0.0 || (1e-3..1e5).contains(&v.abs()) || !v.is_finite() {
        format!("{v:.4}")
    } else {
        format!("{v:.2e}")
    }
}

/// A count of samples in at most five characters.
fn short(v: f64) -> String {
    match v {
        v if !v.is_finite() => "-".into(),
        v if v < 1e4 => format!("{v:.0}"),
        v if v < 1e6 => format!("{:.1}k", v / 1e3),
        v => format!("{:.1}M", v / 1e6),
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() => "-".into(),
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0}m{:02.0}s", (s / 60.0).floor(), s % 60.0),
        s => format!("{:.0}h{:02.0}m", (s / 3600.0).floor(), (s % 3600.0) / 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_line_up_with_their_header() {
        let names = ["loss", "val top-5 accuracy"];
        let values = names.iter().map(|n| (n.to_string(), 0.123_456)).collect();
        let row = Row {
            epoch: 3,
            step: 1,
            lr: 3e-4,
            values,
            seconds: 75.5,
            samples_per_second: 12_345.0,
            waiting: 0.031,
        };
        let (head, line) = (header(&names.map(str::to_string)), cells(&row, 12, 4000.0));
        assert_eq!(head.chars().count(), line.chars().count());
        assert_eq!(
            line,
            "   3/12    0.1235              0.1235   3.00e-4      12.3k      3 %     76 s   66m40s"
        );
    }

    #[test]
    fn numbers_stay_short() {
        assert_eq!([1e-9, 0.5, 12345.678, 1e9].map(number), ["1.00e-9", "0.5000", "12345.6780", "1.00e9"]);
        assert_eq!(
            [3.0, 59.6, 3725.0, 86_400.0, f64::NAN].map(duration),
            ["3.0 s", "60 s", "62m05s", "24h00m", "-"]
        );
    }
}
