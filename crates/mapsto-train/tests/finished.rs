//! Runs that are over: resumed, they are still over; begun anew, they know nothing of what was before.

use mapsto_data::prelude::*;
use mapsto_nn::prelude::*;
use mapsto_train::callbacks::{Checkpoint, EarlyStop, each_epoch};
use mapsto_train::{History, Trainer};
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn line() -> InMemory {
    let x = Tensor::linspace(-1.0, 1.0, 16).reshape([16, 1]);
    InMemory::new(x.clone(), &x * 3.0 + 1.0)
}

fn place(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("mapsto-finished-{name}-{}.safetensors", std::process::id()))
}

/// A trainer that stops when the loss has not fallen by a half for some epochs.
fn impatient(patience: usize) -> Trainer {
    let stop = EarlyStop::watching("loss").least(0.5).patience(patience);
    Trainer::new(Sgd::new(0.01), mse).epochs(50).quiet().on(stop)
}

fn fit(trainer: &mut Trainer) -> History {
    seed(1);
    trainer.fit(&mut Linear::new(1, 1), line().batches(4), None).unwrap()
}

#[test]
fn a_run_that_was_stopped_early_stays_so_unless_it_may_wait_longer() {
    let path = place("early");
    let with = |patience| impatient(patience).on(Checkpoint::last().to(&path));
    let first = fit(&mut with(2));
    assert!(first.stopped.is_some() && first.rows.len() < 50);
    for _ in 0..3 {
        let again = fit(&mut with(2).resume(&path));
        assert_eq!((again.rows.len(), &again.stopped), (first.rows.len(), &first.stopped));
    }
    let longer = fit(&mut with(5).resume(&path));
    assert!(longer.rows.len() > first.rows.len());
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_second_fit_begins_anew() {
    let path = place("best");
    let mut trainer = impatient(2).on(Checkpoint::best("loss").to(&path));
    let first = fit(&mut trainer);
    std::fs::remove_file(&path).unwrap();
    let second = fit(&mut trainer);
    assert_eq!(first.column("loss"), second.column("loss"));
    assert_eq!(first.stopped, second.stopped);
    assert!(path.is_file(), "the second run has a best model of its own");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn the_time_left_counts_what_callbacks_take() {
    const TAKES: Duration = Duration::from_millis(20);
    let mut said = Vec::new();
    let (tell, told) = std::sync::mpsc::channel();
    let mut trainer = Trainer::new(Sgd::new(0.01), mse).epochs(6).quiet().on(each_epoch(move |run| {
        let _ = tell.send(run.pace.seconds_left);
        let start = Instant::now();
        while start.elapsed() < TAKES {
            std::hint::spin_loop();
        }
        Ok(())
    }));
    fit(&mut trainer);
    drop(trainer);
    said.extend(told);
    // The first epoch has not seen its end yet; after the second, four are left.
    assert!(said[1] >= 4.0 * TAKES.as_secs_f64(), "{said:?}");
    assert_eq!(said[5], 0.0);
}

#[test]
fn what_can_only_train_badly_is_an_error_of_fit_at_the_users_line() {
    let set = InMemory::new(Tensor::rand([8, 2]), tensor![0, 1, 0, 1, 0, 1, 0, 1]);
    let mut net = seq![Linear::new(2, 2), |x: &Tensor| x.softmax(-1)];
    let e =
        Trainer::new(Sgd::new(0.1), cross_entropy).quiet().fit(&mut net, set.batches(4), None).unwrap_err();
    assert!(e.message().contains("probabilities already, made by `softmax`"), "{e}");
    assert!(e.location().unwrap().contains("finished.rs:"), "{e}");
    assert!(e.to_string().contains("epoch 1, batch 1"), "{e}");
    let optimizer = Sgd::new(0.1).group("0.wieght", |g| g.decay(0.0));
    let e = Trainer::new(optimizer, cross_entropy).quiet().fit(&mut net, set.batches(4), None).unwrap_err();
    assert_eq!(e.help_text(), Some("did you mean `0.weight`?"));
    assert!(e.location().unwrap().contains("finished.rs:"), "{e}");
    // Distillation: a teacher's probabilities are targets.
    let soft = InMemory::new(Tensor::rand([8, 2]), Tensor::rand([8, 2]).softmax(-1));
    let mut student = Linear::new(2, 2);
    Trainer::new(Sgd::new(0.1), cross_entropy).quiet().fit(&mut student, soft.batches(4), None).unwrap();
}
