//! Runs that are over: resumed, they are still over; begun anew, they know nothing of what was before.

use mapsto_data::prelude::*;
use mapsto_nn::prelude::*;
use mapsto_train::callbacks::{Checkpoint, EarlyStop, each_epoch};
use mapsto_train::{History, ModelFile, Trainer};
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

/// What a process that is killed may leave beside its last state: no best model, one of a later epoch, a damaged one.
#[test]
fn a_resumed_run_goes_on_with_the_best_model_that_its_state_knew() {
    let (best, last) = (place("kept-best"), place("kept-last"));
    let of = |lr: f64, epochs| {
        let trainer = Trainer::new(Sgd::new(lr), mse).epochs(epochs).quiet().label("data", "a line");
        trainer.on(Checkpoint::best("loss").to(&best)).on(Checkpoint::last().every(3).to(&last))
    };
    let read = |path: &PathBuf| std::fs::read(path).unwrap();
    fit(&mut of(0.01, 3));
    let (best_of_3, state_of_3) = (read(&best), read(&last));
    fit(&mut of(0.01, 7));
    let best_of_7 = read(&best);
    assert_eq!(ModelFile::from_bytes(&best_of_7).unwrap().best_epoch(), Some(7));
    let damaged = best_of_3.iter().rev().copied().collect();
    for left in [None, Some(best_of_7.clone()), Some(damaged), Some(best_of_3.clone())] {
        // The same number of epochs, then more that are worse, then more as they would have come.
        for (lr, epochs, wanted) in [(0.01, 3, &best_of_3), (9.0, 5, &best_of_3), (0.01, 7, &best_of_7)] {
            match &left {
                Some(bytes) => std::fs::write(&best, bytes).unwrap(),
                None => std::fs::remove_file(&best).unwrap(),
            }
            std::fs::write(&last, &state_of_3).unwrap();
            fit(&mut of(lr, epochs).resume(&last));
            assert!(read(&best) == *wanted, "{epochs} epochs at {lr}");
        }
    }
    std::fs::remove_file(best).unwrap();
    std::fs::remove_file(last).unwrap();
}

#[test]
fn a_best_model_that_was_removed_is_written_again_at_the_end() {
    let path = place("removed");
    let removed = path.clone();
    // At this rate every epoch is worse than the first.
    let trainer = Trainer::new(Sgd::new(1.05), mse).epochs(4).quiet().on(Checkpoint::best("loss").to(&path));
    let history = fit(&mut trainer.on(each_epoch(move |run| {
        if run.pace.epoch == 2 {
            std::fs::remove_file(&removed).unwrap();
        }
        Ok(())
    })));
    let losses = history.column("loss");
    assert!(losses.windows(2).all(|pair| pair[1] > pair[0]), "{losses:?}");
    assert_eq!(ModelFile::read(&path).unwrap().best_epoch(), Some(1));
    std::fs::remove_file(path).unwrap();
}

/// A folder that is removed, and one that is removed and made again as by a new run in its place.
#[cfg(unix)]
#[test]
fn a_run_writes_into_no_folder_but_its_own() {
    for again in [false, true] {
        let folder = place("folder");
        std::fs::create_dir(&folder).unwrap();
        let spoilt = folder.clone();
        let trainer = Trainer::new(Sgd::new(0.01), mse).epochs(4).quiet().folder(&folder);
        let mut trainer = trainer.on(Checkpoint::last()).on(each_epoch(move |run| {
            if run.pace.epoch == 2 {
                std::fs::remove_dir_all(&spoilt).unwrap();
                if again {
                    std::fs::create_dir(&spoilt).unwrap();
                }
            }
            Ok(())
        }));
        seed(1);
        let ended = trainer.fit(&mut Linear::new(1, 1), line().batches(4), None).unwrap_err();
        // The state of the second epoch is written at once, and fails by itself where the folder is gone.
        assert!(!again || ended.message().contains("was removed, and another is there"), "{ended}");
        assert_eq!(folder.exists(), again);
        _ = std::fs::remove_dir_all(folder);
    }
}
