//! Pre-flight: what can be said of data and model before the first step, in about a second: one line each when all is well.
//!
//! A check is one file with one function that adds findings; [`CHECKS`] lists them in the order in which they are shown. None of
//! them draws from the run's randomness, reads the test samples for more than whether they are copies of others, or writes anything.

pub(crate) mod balance;
mod baselines;
pub(crate) mod duplicates;
mod leakage;
pub(crate) mod near;
mod overfit;
mod scale;
pub(crate) mod seen;
mod shapes;

use std::time::Instant;

use mapsto::Result;
use mapsto::random::{set_state, state};
use mapsto::spec::Json;
use mapsto::training::RunFolder;

use crate::experiment::Experiment;
use seen::Seen;

/// How a finding is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// All is well.
    Fine,
    /// It may be meant so.
    Look,
    /// The training, or its result, will probably not be what was wanted.
    Warning,
}

/// What a check found: one line, and what to do about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The check's name.
    pub check: &'static str,
    /// How it is meant.
    pub verdict: Verdict,
    /// The line.
    pub text: String,
    /// What to try, where all is not well.
    pub help: Option<String>,
}

/// What a model must beat to have learnt anything: a score that costs nothing, or next to nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// `majority`, `mean`, `nearest neighbour` or `linear model`.
    pub name: &'static str,
    /// The share of right answers, or the root of the mean squared error.
    pub score: f64,
}

/// Everything that the checks found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preflight {
    /// A line each.
    pub findings: Vec<Finding>,
    /// Scores on samples that are held out of the training.
    pub baselines: Vec<Baseline>,
    /// `accuracy` or `rmse`: what the baselines' scores are.
    pub score: &'static str,
    /// How many samples they were judged on.
    pub judged: usize,
    /// What those samples are, in words.
    pub judged_on: &'static str,
    /// How long it took.
    pub seconds: f64,
}

/// A check: it reads samples that were read once for all, and says what it finds.
type Check = fn(&Experiment, &Seen, &mut Preflight) -> Result<()>;

/// Every check, in the order in which they are shown.
const CHECKS: &[Check] =
    &[shapes::check, balance::check, duplicates::check, leakage::check, scale::check, baselines::check];

impl Experiment {
    /// Looks at data and model before the first step. It leaves both, and the randomness of the run, as they were.
    ///
    /// ```
    /// use mapsto_experiment::{Config, Verdict};
    /// let file = "[data]\nset = 'csv'\npath = '../../data/iris/iris.csv'\nclass = 'species'\nstandardize = true\n\
    ///             [model]\nlayers = [{ linear = 16 }, 'tanh', { linear = 3 }]\n\
    ///             [train]\nloss = 'cross_entropy'\noptimizer = { adam = 1e-2 }\n";
    /// let experiment = Config::parse(file, &[])?.prepare(|_| ())?;
    /// let found = experiment.preflight()?;
    /// assert!(found.findings.iter().any(|f| f.check == "classes" && f.verdict == Verdict::Fine));
    /// assert!(found.baselines.iter().any(|b| b.name == "nearest neighbour" && b.score > 0.7));
    /// # Ok::<(), mapsto::Error>(())
    /// ```
    ///
    /// # Errors
    /// A sample that is damaged.
    pub fn preflight(&self) -> Result<&Preflight> {
        if let Some(found) = self.preflight.get() {
            return Ok(found);
        }
        let found = self.with_randomness_kept(|| {
            let start = Instant::now();
            let seen = Seen::of(self)?;
            let mut found = Preflight::default();
            for check in CHECKS {
                check(self, &seen, &mut found)?;
            }
            found.seconds = start.elapsed().as_secs_f64();
            Ok(found)
        })?;
        Ok(self.preflight.get_or_init(|| found))
    }

    /// Whether a copy of the model can learn a few samples by heart, which every model that is put together rightly can.
    ///
    /// # Errors
    /// A sample that is damaged.
    pub fn preflight_deep(&self) -> Result<Finding> {
        self.with_randomness_kept(|| overfit::check(self))
    }

    fn with_randomness_kept<R>(&self, body: impl FnOnce() -> Result<R>) -> Result<R> {
        let before = state();
        let found = body();
        set_state(&before);
        found
    }
}

impl Finding {
    /// What was found, as a run keeps it.
    pub(crate) fn to_json(&self) -> Json {
        let text = |text: &str| Json::Str(text.to_string());
        let verdict = match self.verdict {
            Verdict::Fine => "fine",
            Verdict::Look => "look",
            Verdict::Warning => "warning",
        };
        Json::Object(vec![
            ("check".into(), text(self.check)),
            ("verdict".into(), text(verdict)),
            ("text".into(), text(&self.text)),
            ("help".into(), self.help.as_deref().map_or(Json::Null, text)),
        ])
    }
}

impl Preflight {
    fn say(&mut self, check: &'static str, verdict: Verdict, text: impl Into<String>, help: Option<String>) {
        self.findings.push(Finding { check, verdict, text: text.into(), help });
    }

    /// Where a run keeps it.
    pub const FILE: &'static str = "preflight.json";

    /// The baselines of a run in one line, where it kept them.
    pub fn baselines_of(folder: &RunFolder) -> Option<String> {
        let text = std::fs::read_to_string(folder.file(Preflight::FILE)).ok()?;
        Json::parse(&text).ok()?.get("in_words")?.str().map(str::to_string)
    }

    /// All of it as a run keeps it.
    pub fn to_json(&self) -> Json {
        let text = |text: &str| Json::Str(text.to_string());
        let baseline = |b: &Baseline| {
            Json::Object(vec![("name".into(), text(b.name)), ("score".into(), Json::Float(b.score))])
        };
        Json::Object(vec![
            ("findings".into(), Json::List(self.findings.iter().map(Finding::to_json).collect())),
            ("score".into(), text(self.score)),
            ("judged".into(), Json::Int(self.judged as i64)),
            ("judged_on".into(), text(self.judged_on)),
            ("baselines".into(), Json::List(self.baselines.iter().map(baseline).collect())),
            ("in_words".into(), self.baselines_in_words().map_or(Json::Null, Json::Str)),
        ])
    }

    /// The baselines in one line: `majority 11.24 %, nearest neighbour 94.10 % (of 2000 validation samples)`; nothing where there
    /// are none.
    pub fn baselines_in_words(&self) -> Option<String> {
        let score = |b: &Baseline| match self.score {
            "accuracy" => format!("{} {:.2} %", b.name, 100.0 * b.score),
            _ => format!("{} {}", b.name, mapsto::training::readable(b.score, 4)),
        };
        let scores = self.baselines.iter().map(score).collect::<Vec<_>>().join(", ");
        let what = if self.score == "accuracy" { "right, of" } else { "root mean squared error, on" };
        (!self.baselines.is_empty()).then(|| format!("{scores} ({what} {} {})", self.judged, self.judged_on))
    }
}

/// `1 sample`, `3 samples`.
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
