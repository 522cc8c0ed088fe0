//! Averages of the weights: what is judged and saved, beside loops written by hand; and resumed to the bit wherever the run was stopped.

mod stop_at;

use mapsto_data::prelude::*;
use mapsto_nn::optim::{Asgd, WeightEma};
use mapsto_nn::prelude::*;
use mapsto_nn::schedules::SwaLr;
use mapsto_nn::update_bn;
use mapsto_train::callbacks::{Checkpoint, ReduceOnPlateau};
use mapsto_train::prelude::*;
use std::path::PathBuf;
use stop_at::StopAt;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("mapsto-averaging-{name}-{}", std::process::id()));
    _ = std::fs::remove_dir_all(&folder);
    folder
}

fn set() -> InMemory {
    let x = Tensor::linspace(-2.0, 2.0, 64).reshape([64, 1]);
    InMemory::new(x.clone(), x.square())
}

fn model() -> Sequential {
    mapsto_tensor::seed(3);
    seq![Linear::new(1, 8), BatchNorm1d::new(8), Tensor::tanh, Dropout::new(0.1), Linear::new(8, 1)]
}

fn bits(model: &Sequential) -> Vec<(String, Vec<u32>)> {
    let bits = |t: Tensor| t.to_vec::<f32>().into_iter().map(f32::to_bits).collect();
    model.state_dict().into_iter().map(|(name, t)| (name, bits(t))).collect()
}

#[test]
fn a_moving_average_is_that_of_the_optimizer_around() {
    let fit = |trainer: Trainer| {
        let mut net = model();
        let mut trainer = trainer.epochs(3).seed(7).quiet();
        let history = trainer.fit(&mut net, set().batches(8).seed(5).shuffle(), set().batches(64)).unwrap();
        let losses: Vec<u64> = history.column("val loss").into_iter().map(|(_, v)| v.to_bits()).collect();
        (bits(&net), losses)
    };
    let around = fit(Trainer::new(WeightEma::new(Adam::new(0.02)).beta(0.8), mse));
    let beside = fit(Trainer::new(Adam::new(0.02), mse).averaging(Averaging::ema(0.8)));
    assert_eq!(around, beside);
    // From a later epoch on, the first validations are of the weights themselves.
    let later = fit(Trainer::new(Adam::new(0.02), mse).averaging(Averaging::ema(0.8).from(3)));
    let plain = fit(Trainer::new(Adam::new(0.02), mse));
    assert_eq!(later.1[..2], plain.1[..2]);
    assert_ne!(later.1[2], plain.1[2]);
}

#[test]
fn a_mean_of_epochs_is_that_of_a_loop_by_hand() {
    let mut net = model();
    let swa = Averaging::swa(2).lr(SwaLr::new(0.02, 2));
    let mut trainer = Trainer::new(Sgd::new(0.1), mse).averaging(swa).epochs(5).seed(7).quiet();
    let history = trainer.fit(&mut net, set().batches(8).seed(5).shuffle(), set().batches(64)).unwrap();

    let mut hand = model();
    let (mut opt, mut swa, mut shown) = (Sgd::new(0.1), Swa::new(&hand), model());
    let loader = set().batches(8).seed(5).shuffle();
    mapsto_tensor::seed(7);
    for epoch in 1..=5_u64 {
        if epoch > 2 {
            opt.set_lr(SwaLr::new(0.02, 2).lr(epoch - 2, 0.1));
        }
        for batch in loader.epoch(epoch - 1) {
            let batch = batch.unwrap();
            let grads = train(|| mse(&hand.forward(&batch.x), &batch.y)).backward();
            opt.step(&mut hand, grads);
        }
        let judged = if epoch >= 2 {
            swa.update(&hand);
            swa.apply_to(&mut shown).unwrap();
            update_bn(&shown, loader.epoch(0).map(|batch| batch.unwrap().x.clone()));
            &shown
        } else {
            &hand
        };
        let expected = evaluate(judged, &set().batches(64), &mse, &[]).unwrap().loss;
        let found = history.rows[epoch as usize - 1].value("val loss").unwrap();
        assert!((found - expected).abs() < 1e-6, "epoch {epoch}: {found}, not {expected}");
    }
    assert_eq!(bits(&net), bits(&shown));
    let rates: Vec<f64> = history.rows.iter().map(|row| (row.lr * 1e9).round() / 1e9).collect();
    assert_eq!(rates, [0.1, 0.1, 0.06, 0.02, 0.02]);
}

#[test]
fn a_run_that_was_stopped_at_any_step_goes_on_to_the_bit() {
    let swa = || Averaging::swa(2).lr(SwaLr::new(0.02, 2));
    type With = fn(Trainer) -> Trainer;
    let all: [(&str, With, Averaging); 3] = [
        ("swa", |t| t, swa()),
        ("scheduled", |t| t.schedule(ExponentialDecay::new(4, 0.9)), swa()),
        ("ema", |t| t, Averaging::ema(0.8).from(2)),
    ];
    for (name, with, averaging) in all {
        let trainer = |folder: &PathBuf| {
            with(Trainer::new(Adam::new(0.05), mse))
                .averaging(averaging.clone())
                .epochs(4)
                .seed(7)
                .quiet()
                .folder(folder)
                .on(Checkpoint::best("val loss"))
                .on(Checkpoint::last())
        };
        let train = || set().batches(16).seed(5).shuffle();
        let (whole_folder, mut whole) = (folder(&format!("{name}-whole")), model());
        let expected = trainer(&whole_folder).fit(&mut whole, train(), set().batches(64)).unwrap();
        let best = std::fs::read(whole_folder.join("best.safetensors")).unwrap();
        let found = evaluate(&whole, &set().batches(64), &mse, &[]).unwrap();
        assert_eq!(Some(found.loss), expected.last("val loss"), "{name}");
        for at in 1..16 {
            let (part_folder, interrupt, mut part) = (folder(name), Interrupt::new(), model());
            let mut stopped = trainer(&part_folder).interrupt(interrupt.clone()).on(StopAt(at, interrupt));
            assert!(stopped.fit(&mut part, train(), set().batches(64)).unwrap().interrupted);
            let mut rest = model();
            let mut resumed = trainer(&part_folder).resume(part_folder.join("last.safetensors"));
            let history = resumed.fit(&mut rest, train(), set().batches(64)).unwrap();
            assert_eq!(bits(&rest), bits(&whole), "{name}, stopped at {at}");
            assert_eq!(std::fs::read(part_folder.join("best.safetensors")).unwrap(), best, "{name} {at}");
            assert_eq!(history.column("val loss"), expected.column("val loss"));
            std::fs::remove_dir_all(&part_folder).unwrap();
        }
        std::fs::remove_dir_all(&whole_folder).unwrap();
    }
}

#[test]
fn files_say_what_their_weights_are() {
    let folder = folder("files");
    let fit = |averaging: Averaging, epochs: usize| {
        let mut trainer = Trainer::new(Sgd::new(0.01), mse).averaging(averaging).epochs(epochs).quiet();
        trainer = trainer.folder(&folder).on(Checkpoint::best("loss")).on(Checkpoint::last());
        trainer.fit(&mut model(), set().batches(8), None).unwrap();
        ["best", "last"].map(|name| {
            let file = ModelFile::read(folder.join(format!("{name}.safetensors"))).unwrap();
            file.averaged().map(str::to_string)
        })
    };
    let said = |text: &str| Some(text.to_string());
    let [best, last] = fit(Averaging::ema(0.5), 2);
    assert_eq!(best, said("moving average with decay 0.5 (EMA)"));
    assert_eq!(last, best);
    let [_, last] = fit(Averaging::swa(2), 3);
    assert_eq!(last, said("mean of the epochs 2 to 3 (SWA)"));
    let explained = Trainer::new(Sgd::new(0.1), mse).averaging(Averaging::swa(2)).quiet().explain();
    assert!(explained.contains("from epoch 2 on, an average of the weights in their place"), "{explained}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_cannot_be_averaged_is_refused() {
    let message = |mut trainer: Trainer| {
        let error = trainer.fit(&mut model(), set().batches(8), None).unwrap_err();
        assert!(error.help_text().is_some(), "{error}");
        error.message().to_string()
    };
    let with = |opt: Box<dyn Optimizer>, averaging| {
        Trainer::boxed(opt, Box::new(mse)).averaging(averaging).epochs(3).quiet()
    };
    let asgd = with(Box::new(Asgd::new(0.1)), Averaging::ema(0.9));
    assert_eq!(message(asgd), "averaging: `Asgd` averages its weights itself");
    let late = with(Box::new(Sgd::new(0.1)), Averaging::swa(4));
    assert_eq!(message(late), "averaging: it begins with epoch 4, and the training has 3");
    let lr = Averaging::swa(2).lr(SwaLr::new(0.1, 1));
    let both = with(Box::new(Sgd::new(0.1)), lr).on(ReduceOnPlateau::watching("loss"));
    assert!(message(both).starts_with("reduce_on_plateau: "));
    let e = catch(|| drop(Averaging::ema(0.9).lr(SwaLr::new(0.1, 1)))).unwrap_err();
    assert_eq!(e.message(), "averaging: an EMA has no learning rate of its own");
    // Another average than the one that the run was started with.
    let folder = folder("other");
    let trainer = |averaging| with(Box::new(Sgd::new(0.1)), averaging).folder(&folder).on(Checkpoint::last());
    trainer(Averaging::ema(0.9)).fit(&mut model(), set().batches(8), None).unwrap();
    let mut other = trainer(Averaging::swa(2)).resume(folder.join("last.safetensors"));
    let e = other.fit(&mut model(), set().batches(8), None).unwrap_err();
    assert!(
        e.message().contains("averaging: the saved run had { ema = true, decay = 0.9, from = 1 }"),
        "{e}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}
