//! `Live`: the report of a training as it grows, served on this machine alone and for as long as the training lasts.

mod http;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mapsto::spec::{Json, Value};
use mapsto::training::callbacks::{Moment, Run};
use mapsto::training::metrics::{Better, better_of};
use mapsto::training::{History, RunFolder};
use mapsto::{Error, Result};

use crate::experiment::Experiment;
use crate::report::{self, Facts};

/// A page that follows a training: curves, what they say, and how far it is.
///
/// ```
/// use mapsto::training::Progress;
/// use mapsto_experiment::{Config, Live, Override};
/// let folder = std::env::temp_dir().join(format!("mapsto-live-{}", std::process::id()));
/// let overrides = [Override::new("train.epochs", 2), Override::new("train.out", folder.display())];
/// let experiment = Config::open("../../examples/tabular.toml", &overrides)?.prepare(|_| ())?;
/// let live = Live::start(&experiment, "irises")?;
/// assert!(live.address().starts_with("http://127.0.0.1:"));
/// let trained = experiment.train(|trainer| trainer.progress(live.watch(Progress::rows_to(std::io::sink()))))?;
/// live.finish(&trained.folder().file("report.html"));
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), mapsto::Error>(())
/// ```
///
/// The training writes down what there is to see and never waits for whoever looks: requests are answered by threads of their own, few at
/// once, each within a few seconds.
pub struct Live {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// What does not change while the training goes on: what stands above the curves, and the sections below them.
    above: String,
    below: Vec<(String, String)>,
    /// The column by which the best epoch is chosen.
    best: Option<String>,
}

/// What the threads that answer know.
struct Shared {
    page: String,
    now: Mutex<Arc<Now>>,
    pace: Mutex<(String, f64)>,
    /// How often somebody asked what there is to see.
    asked: AtomicUsize,
    /// Set when nothing more is answered.
    is_over: AtomicBool,
}

/// What there is to see.
#[derive(Default)]
struct Now {
    version: u64,
    body: String,
    list: String,
    is_done: bool,
}

impl Live {
    /// Serves a page on the loopback address, on a port that is free, until this is dropped or [finished](Live::finish).
    ///
    /// # Errors
    /// The system gives no port.
    pub fn start(experiment: &Experiment, name: &str) -> Result<Live> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(|e| Error::io("127.0.0.1", e))?;
        let address = listener.local_addr().map_err(|e| Error::io("127.0.0.1", e))?;
        let shared = Arc::new(Shared::new(report::page::live(name)));
        let (above, below) = report::page::around(&Facts {
            name: name.to_string(),
            folder: &RunFolder::at(""),
            experiment,
            history: &History::default(),
            test: None,
            best: None,
            averaged: None,
            preflight: experiment.preflight.get().map(|found| found.to_json()),
            env: None,
        })?;
        let best = experiment.config.train.callbacks.iter().find(|callback| callback.name == "best");
        let best = best.and_then(|best| match &best.value {
            Some(Value::Str(column)) => Some(column.clone()),
            _ => None,
        });
        http::serve(listener, Arc::clone(&shared));
        let live = Live { address, shared, above, below, best };
        live.show(&History::default());
        Ok(live)
    }

    /// Where the page is.
    pub fn address(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The progress of a trainer that shows the run here too.
    pub fn watch(&self, progress: mapsto::training::Progress) -> mapsto::training::Progress {
        let mut view = View {
            shared: Arc::clone(&self.shared),
            above: self.above.clone(),
            below: self.below.clone(),
            best: self.best.clone(),
            last: None,
            drawn: None,
        };
        progress.also(move |moment, run| view.at(moment, run))
    }

    /// Shows the report that was written at the end, if there is one, and ends: pages that are open have two seconds to fetch it.
    pub fn finish(self, report: &Path) {
        let page = std::fs::read_to_string(report).unwrap_or_default();
        let between = |from: &str, to: &str| {
            let start = page.find(from)? + from.len();
            Some(page[start..start + page[start..].find(to)?].to_string())
        };
        let body = between("<main>\n", "</main>");
        let list = between("<nav aria-label=\"Sections\"><ol>", "</ol>");
        let text = match body {
            Some(_) => "The training has ended, and this is its report.",
            None => "The training has ended.",
        };
        *lock(&self.shared.pace) = (text.into(), 1.0);
        self.shared.set(|now| Now {
            version: now.version + 1,
            body: body.unwrap_or_else(|| now.body.clone()),
            list: list.unwrap_or_else(|| now.list.clone()),
            is_done: true,
        });
        // A page asks every second: who has it open asks once more in this time.
        let (before, end) =
            (self.shared.asked.load(Ordering::Relaxed), Instant::now() + Duration::from_secs(2));
        while before > 0 && self.shared.asked.load(Ordering::Relaxed) == before && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(if before > 0 { 100 } else { 0 }));
    }

    fn show(&self, history: &History) {
        let body = body(&self.above, &self.below, history, self.best.as_deref());
        self.shared.set(|now| Now { version: now.version + 1, body: body.0, list: body.1, is_done: false });
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Whoever waits for a request is woken by one.
        _ = std::net::TcpStream::connect_timeout(&self.address, Duration::from_millis(200));
    }
}

/// What looks at the run, within the training.
struct View {
    shared: Arc<Shared>,
    above: String,
    below: Vec<(String, String)>,
    best: Option<String>,
    last: Option<Instant>,
    /// When the curves were last drawn, and how long that took.
    drawn: Option<(Instant, Duration)>,
}

impl View {
    fn at(&mut self, moment: Moment, run: &Run<'_>) {
        const PAUSE: Duration = Duration::from_millis(250);
        // Where epochs are short, drawing takes at most a fiftieth of the time.
        let is_due = |(at, took): (Instant, Duration)| at.elapsed() > PAUSE.max(50 * took);
        if moment == Moment::EpochEnd && self.drawn.is_none_or(is_due) {
            let start = Instant::now();
            let (body, list) = body(&self.above, &self.below, run.history, self.best.as_deref());
            self.shared.set(|now| Now { version: now.version + 1, body, list, is_done: false });
            self.drawn = Some((Instant::now(), start.elapsed()));
        }
        if moment == Moment::Step && self.last.is_some_and(|last| last.elapsed() < PAUSE) {
            return;
        }
        self.last = Some(Instant::now());
        // Whoever reads it holds it for the time of a copy; that they meet is no reason to wait.
        if let Ok(mut pace) = self.shared.pace.try_lock() {
            let p = run.pace;
            let within = p.batch as f64 / p.batches.max(1) as f64;
            let done = (p.epoch.saturating_sub(1) as f64 + within.min(1.0)) / p.epochs.max(1) as f64;
            *pace = (report::page::pace(p), done.clamp(0.0, 1.0));
        }
    }
}

/// The page between its head and its end, and its list of sections.
fn body(above: &str, below: &[(String, String)], history: &History, best: Option<&str>) -> (String, String) {
    let best = best.and_then(|column| match better_of(column) {
        Better::Lower => history.min(column),
        Better::Higher => history.max(column),
    });
    let (middle, list) = report::page::middle(history, best.map(|(epoch, _)| epoch));
    let (rest, links): (String, String) = below.iter().cloned().unzip();
    (above.to_string() + &middle + &rest, list + &links)
}

impl Shared {
    fn new(page: String) -> Shared {
        Shared {
            page,
            now: Mutex::default(),
            pace: Mutex::new(("waiting for the first step".into(), 0.0)),
            asked: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    fn set(&self, next: impl FnOnce(&Now) -> Now) {
        let mut now = lock(&self.now);
        *now = Arc::new(next(&now));
    }

    /// The answer to a page that has seen a version.
    fn data(&self, seen: Option<u64>) -> String {
        let now = Arc::clone(&lock(&self.now));
        let (text, share) = lock(&self.pace).clone();
        let is_new = seen != Some(now.version);
        let part = |text: &str| if is_new { Json::Str(text.to_string()) } else { Json::Null };
        Json::Object(vec![
            ("version".into(), Json::Int(now.version as i64)),
            ("text".into(), Json::Str(text)),
            ("share".into(), Json::Float(share)),
            ("done".into(), Json::Bool(now.is_done)),
            ("nav".into(), part(&now.list)),
            ("body".into(), part(&now.body)),
        ])
        .to_string()
    }
}

/// A lock, whatever became of the thread that held it: what it guards is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
