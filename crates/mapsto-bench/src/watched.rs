//! What watching a training costs: W3's network by the trainer, bare, with its health looked at, and with all that every run has.

use crate::formula::{labels, pictures};
use crate::timing::{Mode, report_first};
use crate::training::cnn_net;
use mapsto::prelude::*;
use mapsto::training::callbacks::{Checkpoint, Health, MetricsLog};
use std::time::Instant;

/// So many batches make an epoch, about those of MNIST: eight looks and two early ones, and what is written at its end.
const BATCHES: usize = 800;

/// The least seconds of a round, of several that are run in turn.
const ROUNDS: usize = 3;

/// W3watched.
pub fn run(mode: Mode) {
    let x = pictures(0, 64 * BATCHES).reshape([64 * BATCHES as i64, 1, 28, 28]);
    let set = InMemory::new(x, labels(64 * BATCHES, 10));
    let folder = std::env::temp_dir().join(format!("mapsto-watched-{}", std::process::id()));
    let round = |how: usize| {
        seed(0);
        let mut model = cnn_net();
        let mut trainer =
            Trainer::new(Adam::new(1e-3), cross_entropy).metric(Accuracy::new()).folder(&folder).quiet();
        if how >= 1 {
            trainer = trainer.on(Health::new());
        }
        if how == 2 {
            trainer = trainer.on(Checkpoint::best("loss")).on(Checkpoint::last()).on(MetricsLog::new());
        }
        let start = Instant::now();
        let history = trainer.fit(&mut model, set.clone().batches(64), None).expect("the batches are whole");
        let seconds = start.elapsed().as_secs_f64();
        (seconds, history.last("loss").expect("an epoch has a loss"))
    };
    let losses: Vec<f64> = (0..3).map(|how| round(how).1).collect();
    assert!(
        losses.iter().all(|loss| loss.to_bits() == losses[0].to_bits()),
        "watching changed the losses: {losses:?}"
    );
    match mode {
        Mode::First => report_first("W3watched"),
        Mode::Check => eprintln!("# mapsto W3watched: the same loss {:.6} bare and watched", losses[0]),
        Mode::Time => {
            let mut least = [f64::INFINITY; 3];
            for _ in 0..ROUNDS {
                for (how, least) in least.iter_mut().enumerate() {
                    *least = least.min(round(how).0);
                }
            }
            let step = |seconds: f64| 1e3 * seconds / BATCHES as f64;
            let more = |how: usize| 100.0 * (least[how] / least[0] - 1.0);
            println!(
                "mapsto W3watched bare {:.3} ms a step, health {:+.2} %, with checkpoints and logs of an epoch of {BATCHES} steps {:+.2} %",
                step(least[0]),
                more(1),
                more(2)
            );
        }
    }
    let _ = std::fs::remove_dir_all(folder);
}
