//! Progress: one live line and one row an epoch. The one place in the library that writes to the terminal (standard
//! error), because a training run that says nothing is taken for a hung one; `Trainer::quiet` silences it.

use crate::callbacks::{Callback, Moment, Note, Run};
use crate::history::Row;
use mapsto_tensor::Result;
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
    /// Whether it ends with the reason why a run ended early.
    says_why: bool,
    /// Who else looks at the run at the same moments.
    watchers: Vec<Watcher>,
}

/// A look at a run as it goes.
type Watcher = Box<dyn FnMut(Moment, &Run<'_>) + Send>;

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
        return Progress { out: Out::Live(None), header: Vec::new(), says_why: true, watchers: Vec::new() };
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
        Progress {
            out: Out::Rows(Box::new(writer)),
            header: Vec::new(),
            says_why: true,
            watchers: Vec::new(),
        }
    }

    /// Leaves it to the program to say why a run ended before its last epoch ([`History::stopped`](crate::History::stopped)).
    #[must_use]
    pub fn without_reason(self) -> Progress {
        Progress { says_why: false, ..self }
    }

    /// Shows the run to somebody else too, at its start, after each step and each epoch, and at its end. Like the progress itself, who
    /// looks is no part of the run's state: with and without it a run gives the same bits and is resumed alike.
    ///
    /// ```
    /// use mapsto_train::Progress;
    /// use mapsto_train::callbacks::Moment;
    /// let progress = Progress::rows_to(std::io::sink()).also(|moment, run| {
    ///     if moment == Moment::EpochEnd {
    ///         println!("{:?}", run.value("loss"));
    ///     }
    /// });
    /// # let _ = progress;
    /// ```
    #[must_use]
    pub fn also(mut self, watch: impl FnMut(Moment, &Run<'_>) + Send + 'static) -> Progress {
        self.watchers.push(Box::new(watch));
        self
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
                bar.set_message(live_text(p));
            }
        }
        #[cfg(not(feature = "progress"))]
        let _ = run;
    }

    fn row(&mut self, run: &Run<'_>) {
        let Some(row) = run.history.rows.last() else { return };
        let columns: Vec<String> = row.values.iter().map(|(name, _)| name.clone()).collect();
        if columns != self.header {
            self.line(&header(&columns));
            self.header = columns;
        }
        self.line(&cells(row, run.pace.epochs, run.pace.seconds_left));
    }

    fn end(&mut self, run: &Run<'_>) {
        #[cfg(feature = "progress")]
        if let Out::Live(bar) = &mut self.out
            && let Some(bar) = bar.as_ref()
        {
            bar.finish_and_clear();
        }
        if let Some(reason) = run.history.stopped.as_ref().filter(|_| self.says_why) {
            self.line(&format!("stopped: {reason}"));
        }
    }

    fn line(&mut self, text: &str) {
        let write = |w: &mut dyn Write| writeln!(w, "{text}").and_then(|()| w.flush());
        let written = match &mut self.out {
            Out::Rows(writer) => write(writer),
            #[cfg(feature = "progress")]
            Out::Live(Some(bar)) => bar.suspend(|| write(&mut io::stderr())),
            #[cfg(feature = "progress")]
            Out::Live(None) => write(&mut io::stderr()),
        };
        // A reader that went away, a terminal that was closed or a full disk behind a log: the training goes on, and all that a
        // row says is in its history.
        _ = written;
    }
}

impl Callback for Progress {
    fn name(&self) -> String {
        "show progress".into()
    }

    fn moments(&self) -> &'static [Moment] {
        &[Moment::Start, Moment::Step, Moment::EpochEnd, Moment::End]
    }

    fn said(&mut self, note: &Note) {
        self.line(&format!("look   {}\n       help: {}", note.text, note.help));
    }

    fn at(&mut self, moment: Moment, run: &mut Run<'_>) -> Result<()> {
        match moment {
            Moment::Start => self.start(),
            Moment::Step => self.step(run),
            Moment::EpochEnd => self.row(run),
            Moment::End => self.end(run),
            _ => {}
        }
        for watch in &mut self.watchers {
            watch(moment, run);
        }
        Ok(())
    }
}

#[cfg(feature = "progress")]
fn live_line() -> indicatif::ProgressBar {
    use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(8));
    let style = ProgressStyle::with_template("{prefix}  {bar:10.cyan/dim} {pos}/{len}  {wide_msg}");
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar
}

/// What stands behind the bar; the least important comes last, where a narrow terminal cuts.
#[cfg(feature = "progress")]
fn live_text(p: &crate::callbacks::Pace) -> String {
    format!(
        "loss {}  {} left  {}/s  {:.0} % waiting",
        number(p.loss),
        duration(p.seconds_left),
        short(p.samples_per_second),
        100.0 * p.waiting
    )
}

#[cfg(feature = "progress")]
fn message_interval(batches: usize) -> usize {
    (batches / 200).max(1)
}

const NARROWEST: usize = 7;

/// What a row may take: the width of a terminal that nobody has widened.
const WIDEST: usize = 80;

/// The width of the first column.
const EPOCH: usize = 7;

/// What is said of an epoch beside its values, the most important first, with its width.
const ABOUT: [(&str, usize); 5] = [("left", 6), ("lr", 8), ("samples/s", 9), ("waiting", 7), ("time", 6)];

/// The order in which those stand.
const SHOWN: [usize; 5] = [1, 2, 3, 4, 0];

/// The columns that fit: values of the validation, then those of the training, then as much about the epoch as there is room.
struct Layout {
    /// Blanks before each column but the first.
    gap: usize,
    /// Which values, by position.
    values: Vec<usize>,
    /// How many of [`ABOUT`].
    about: usize,
    /// Whether a value was left out.
    cut: bool,
}

impl Layout {
    fn of(columns: &[String]) -> Layout {
        let all = Layout { gap: 2, values: (0..columns.len()).collect(), about: ABOUT.len(), cut: false };
        if all.width(columns) <= WIDEST {
            return all;
        }
        let (mut order, training): (Vec<usize>, Vec<usize>) =
            (0..columns.len()).partition(|&i| columns[i].starts_with("val "));
        order.extend(training);
        let mut layout = Layout { gap: 1, values: Vec::new(), about: 1, cut: true };
        for i in order {
            layout.values.push(i);
            if layout.width(columns) > WIDEST {
                layout.values.pop();
            }
        }
        layout.values.sort_unstable();
        layout.cut = layout.values.len() < columns.len();
        while layout.about < ABOUT.len() {
            layout.about += 1;
            if layout.width(columns) > WIDEST {
                layout.about -= 1;
                break;
            }
        }
        layout
    }

    fn width(&self, columns: &[String]) -> usize {
        let values = self.values.iter().map(|&i| self.gap + width(&columns[i]));
        let about = ABOUT[..self.about].iter().map(|(_, width)| self.gap + width);
        EPOCH + values.chain(about).sum::<usize>() + if self.cut { self.gap + 1 } else { 0 }
    }

    /// A row of texts: the epoch, one for each value, and what is said about the epoch, in the order of [`ABOUT`].
    fn row(&self, columns: &[String], epoch: &str, values: &[String], about: &[String; 5]) -> String {
        let mut text = format!("{epoch:>EPOCH$}");
        for &i in &self.values {
            text += &format!("{:>1$}", values[i], self.gap + width(&columns[i]));
        }
        for i in SHOWN.into_iter().filter(|&i| i < self.about) {
            text += &format!("{:>1$}", about[i], self.gap + ABOUT[i].1);
        }
        text
    }
}

fn width(column: &str) -> usize {
    column.chars().count().max(NARROWEST)
}

fn header(columns: &[String]) -> String {
    let layout = Layout::of(columns);
    let text = layout.row(columns, "epoch", columns, &ABOUT.map(|(name, _)| name.to_string()));
    if layout.cut { format!("{text}{:>1$}", "…", layout.gap + 1) } else { text }
}

fn cells(row: &Row, epochs: usize, left: f64) -> String {
    let (columns, values): (Vec<String>, Vec<String>) =
        row.values.iter().map(|(name, value)| (name.clone(), number(*value))).unzip();
    let about = [
        duration(left),
        number(row.lr),
        short(row.samples_per_second),
        format!("{:.0} %", 100.0 * row.waiting),
        duration(row.seconds),
    ];
    Layout::of(&columns).row(&columns, &format!("{}/{epochs}", row.epoch), &values, &about)
}

/// Four decimals, fewer for large numbers, or a power of ten where those would show little: seven characters, and a sign.
fn number(v: f64) -> String {
    match v.abs() {
        size if size == 0.0 || (1e-3..1e2).contains(&size) || !size.is_finite() => format!("{v:.4}"),
        size if (1e2..1e5).contains(&size) => format!("{v:.1}"),
        _ => format!("{v:.2e}"),
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
    // Rounded before it is divided: 119.7 s are two minutes, not one and 60 seconds.
    let whole = seconds.round();
    let minutes = (seconds / 60.0).round();
    match seconds {
        s if !s.is_finite() => "-".into(),
        s if s < 9.95 => format!("{s:.1} s"),
        _ if whole < 100.0 => format!("{whole:.0} s"),
        _ if whole < 6000.0 => format!("{:.0}m{:02.0}s", (whole / 60.0).floor(), whole % 60.0),
        _ => format!("{:.0}h{:02.0}m", (minutes / 60.0).floor(), minutes % 60.0),
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
        assert_eq!(head, "  epoch    loss val top-5 accuracy       lr samples/s waiting   time   left");
        assert_eq!(line, "   3/12  0.1235             0.1235  3.00e-4     12.3k     3 %   76 s 66m40s");
    }

    #[test]
    fn every_row_fits_80_columns() {
        let metrics = [
            "loss",
            "accuracy",
            "macro f1",
            "top-5 accuracy",
            "weighted precision",
            "mae",
            "rmse",
            "recall of cat",
        ];
        for count in 1..=metrics.len() {
            for prefixes in [&[""][..], &["", "val "]] {
                let names =
                    prefixes.iter().flat_map(|p| metrics[..count].iter().map(move |m| format!("{p}{m}")));
                let values: Vec<(String, f64)> = names.map(|n| (n, 99_999.123)).collect();
                let columns: Vec<String> = values.iter().map(|(n, _)| n.clone()).collect();
                let row = Row {
                    epoch: 100,
                    step: 1,
                    lr: 1e-5,
                    values,
                    seconds: 5999.0,
                    samples_per_second: 123_456_789.0,
                    waiting: 1.0,
                };
                let (head, line) = (header(&columns), cells(&row, 100, 359_999.0));
                assert!(head.chars().count() <= 80 && line.chars().count() <= 80, "{head}\n{line}");
                assert!(head.contains("loss") && head.contains("left"), "{head}");
                assert_eq!(Layout::of(&columns).values.len() < columns.len(), head.ends_with('…'));
            }
        }
        let usual = ["loss", "accuracy", "val loss", "val accuracy"].map(String::from);
        assert_eq!(
            header(&usual),
            "  epoch    loss accuracy val loss val accuracy       lr samples/s waiting   left"
        );
    }

    #[cfg(feature = "progress")]
    #[test]
    fn the_live_line_fits_80_columns() {
        let pace = crate::callbacks::Pace {
            loss: 1234.5678,
            seconds_left: 5999.0,
            samples_per_second: 99_900.0,
            waiting: 0.12,
            ..crate::callbacks::Pace::default()
        };
        // `100/100  ━━━━━━━━━─ 1875/1875  ` before it.
        let text = live_text(&pace);
        assert!(7 + 2 + 10 + 1 + 9 + 2 + text.chars().count() <= 80, "{text}");
    }

    #[test]
    fn no_duration_has_60_of_a_unit_and_none_falls_as_time_goes_on() {
        let mut before = 0.0;
        for tenths in 0..400_000_u32 {
            let said = duration(f64::from(tenths) / 10.0);
            let unit = |letter: char| match letter {
                's' => 1.0,
                'm' => 60.0,
                _ => 3600.0,
            };
            let parts = said.split_inclusive(char::is_alphabetic).map(|part| {
                let (number, letter) = part.split_at(part.len() - 1);
                let number: f64 = number.trim().parse().unwrap();
                (number, letter.chars().next().unwrap())
            });
            let parts: Vec<(f64, char)> = parts.collect();
            assert!(parts[1..].iter().all(|(number, _)| *number < 60.0), "{tenths}: {said}");
            let seconds: f64 = parts.iter().map(|(number, letter)| number * unit(*letter)).sum();
            assert!(
                seconds >= before && (seconds - f64::from(tenths) / 10.0).abs() <= 30.0,
                "{tenths}: {said}"
            );
            before = seconds;
        }
    }

    #[test]
    fn a_row_that_cannot_be_shown_ends_no_training() {
        struct Fails(io::ErrorKind);
        impl Write for Fails {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(self.0.into())
            }
        }
        use crate::Trainer;
        use mapsto_data::{Dataset, InMemory};
        use mapsto_nn::prelude::*;
        for kind in [io::ErrorKind::BrokenPipe, io::ErrorKind::StorageFull, io::ErrorKind::Other] {
            let set = InMemory::new(Tensor::ones([2, 1]), Tensor::ones([2, 1]));
            let mut trainer =
                Trainer::new(Sgd::new(0.1), mse).epochs(2).progress(Progress::rows_to(Fails(kind)));
            let history = trainer.fit(&mut Linear::new(1, 1), set.batches(1), None).unwrap();
            assert_eq!(history.rows.len(), 2, "{kind}");
        }
    }

    #[test]
    fn numbers_stay_short() {
        assert_eq!([1e-9, 0.5, 12345.678, 1e9].map(number), ["1.00e-9", "0.5000", "12345.7", "1.00e9"]);
        assert_eq!(
            [3.0, 59.6, 3725.0, 86_400.0, f64::NAN].map(duration),
            ["3.0 s", "60 s", "62m05s", "24h00m", "-"]
        );
    }
}
