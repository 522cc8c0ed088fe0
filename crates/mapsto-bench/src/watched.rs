//! What watching a training costs: W3's network by the trainer with all that every run has, where every second step is looked into. Steps
//! that are looked into and those that are not stand side by side, so that what else the machine does plays little part.

use crate::formula::{labels, pictures};
use crate::timing::{Mode, report_first};
use crate::training::cnn_net;
use mapsto::prelude::*;
use mapsto::training::callbacks::{Callback, Checkpoint, Health, MetricsLog, Moment, Run};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// So many batches make an epoch here, and so many one of MNIST, with as many looks in the first.
const BATCHES: usize = 250;
const OF_MNIST: (f64, f64) = (938.0, 11.0);

/// What the clock saw, in milliseconds.
#[derive(Default)]
struct Times {
    bare: Vec<f64>,
    looked_into: Vec<f64>,
    ends: Vec<f64>,
}

/// Looks into every second step, and takes the time of each and of the end of each epoch.
struct Clock {
    times: Arc<Mutex<Times>>,
    last: Instant,
    ended: Option<Instant>,
}

impl Callback for Clock {
    fn name(&self) -> String {
        "take the time of each step".into()
    }

    fn moments(&self) -> &'static [Moment] {
        &[Moment::Start, Moment::Step, Moment::EpochEnd, Moment::End]
    }

    fn at(&mut self, moment: Moment, run: &mut Run<'_>) -> Result<()> {
        let mut times = self.times.lock().expect("one thread trains");
        let since = |then: Instant| 1e3 * then.elapsed().as_secs_f64();
        match (moment, self.ended.take()) {
            (Moment::Start, _) => {}
            (Moment::EpochEnd, _) => self.ended = Some(Instant::now()),
            // The first step of an epoch holds the end of the epoch before; the end of the last is that of the run.
            (Moment::Step, Some(_)) => {}
            (Moment::Step, None) if self.looks_into(run.pace.step) => {
                times.looked_into.push(since(self.last))
            }
            (Moment::Step, None) => times.bare.push(since(self.last)),
            (_, ended) => times.ends.extend(ended.map(since)),
        }
        self.last = Instant::now();
        Ok(())
    }

    fn looks_into(&self, step: u64) -> bool {
        step.is_multiple_of(2)
    }
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

/// W3watched.
pub fn run(mode: Mode) {
    let x = pictures(0, 64 * BATCHES).reshape([64 * BATCHES as i64, 1, 28, 28]);
    let set = InMemory::new(x, labels(64 * BATCHES, 10));
    let folder = std::env::temp_dir().join(format!("mapsto-watched-{}", std::process::id()));
    let times = Arc::new(Mutex::new(Times::default()));
    let round = |is_watched: bool| {
        seed(0);
        let mut model = cnn_net();
        let mut trainer =
            Trainer::new(Adam::new(1e-3), cross_entropy).metric(Accuracy::new()).folder(&folder).quiet();
        if is_watched {
            let clock = Clock { times: times.clone(), last: Instant::now(), ended: None };
            trainer = trainer.on(clock).on(Health::new()).on(Checkpoint::best("loss"));
            trainer = trainer.on(Checkpoint::last()).on(MetricsLog::new());
        }
        let history = trainer.fit(&mut model, set.clone().batches(64), None).expect("the batches are whole");
        history.last("loss").expect("an epoch has a loss")
    };
    let (bare, watched) = (round(false), round(true));
    assert_eq!(bare.to_bits(), watched.to_bits(), "watching changed the loss {bare} to {watched}");
    match mode {
        Mode::First => report_first("W3watched"),
        Mode::Check => eprintln!("# mapsto W3watched: the same loss {bare:.6} bare and watched"),
        Mode::Time => {
            (0..4).for_each(|_| assert_eq!(round(true).to_bits(), bare.to_bits()));
            let times = std::mem::take(&mut *times.lock().expect("one thread trains"));
            let (step, look, end) = (median(times.bare), median(times.looked_into), median(times.ends));
            let (steps, looks) = OF_MNIST;
            let share = |ms: f64| 100.0 * ms / (steps * step);
            println!(
                "mapsto W3watched {step:.3} ms a step, {look:.3} ms one that is looked into, {end:.1} ms the end of an epoch: health {:.2} % of an \
                 epoch of {steps} steps, with checkpoints and logs {:.2} %",
                share(looks * (look - step)),
                share(looks * (look - step) + end)
            );
        }
    }
    let _ = std::fs::remove_dir_all(folder);
}
