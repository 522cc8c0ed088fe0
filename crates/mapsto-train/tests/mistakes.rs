//! What a mistake in a model or its data is told by `fit`, `evaluate` and `predict`: an error that names the layer, the
//! batch with its samples and the user's line.

use mapsto_data::prelude::*;
use mapsto_nn::prelude::*;
use mapsto_train::prelude::*;
use mapsto_train::{evaluate, predict};

fn set() -> InMemory {
    InMemory::new(Tensor::ones([10, 4]), Tensor::zeros([10]).to(DType::I64))
}

/// A model whose third layer does not fit its second.
fn net() -> Sequential {
    seq![Linear::new(4, 9), Tensor::relu, Linear::new(2, 3)]
}

/// The error at which line of this file, and what it says.
fn check(error: mapsto_tensor::Error, line: u32, says: &[&str]) {
    let place = error.location().expect("a place").into_owned();
    assert!(place.ends_with(&format!("mistakes.rs:{line}:{}", place.rsplit(':').next().unwrap())), "{place}");
    for part in says {
        assert!(error.to_string().contains(part), "{error}\ndoes not say {part}");
    }
}

#[test]
fn fit_returns_the_mistake_with_layer_batch_and_line() {
    let mut trainer = Trainer::new(Sgd::new(0.1), cross_entropy).quiet();
    let (wrong, line) = (trainer.fit(&mut net(), set().batches(5), None), line!());
    check(
        wrong.unwrap_err(),
        line,
        &["epoch 1, batch 1 (samples 0, 1, 2 and 2 more)", "layer 2: Linear(2 → 3)", "takes 2 features"],
    );

    // A loss that cannot read the outputs.
    let mut trainer = Trainer::new(Sgd::new(0.1), mse).quiet();
    let (wrong, line) = (trainer.fit(&mut seq![Linear::new(4, 3)], set().batches(5), None), line!());
    check(wrong.unwrap_err(), line, &["mse", "batch 1"]);

    // A model that only validation data does not fit.
    let val = InMemory::new(Tensor::ones([2, 7]), Tensor::zeros([2]).to(DType::I64));
    let mut trainer = Trainer::new(Sgd::new(0.1), cross_entropy).quiet();
    let (wrong, line) =
        (trainer.fit(&mut seq![Linear::new(4, 3)], set().batches(5), val.batches(2)), line!());
    check(wrong.unwrap_err(), line, &["validation > batch 1 (samples 0, 1)", "layer 0: Linear(4 → 3)"]);
}

#[test]
fn evaluate_and_predict_return_it_too() {
    let (wrong, line) = (evaluate(&net(), &set().batches(5), &cross_entropy, &[]), line!());
    check(wrong.unwrap_err(), line, &["batch 1", "layer 2: Linear(2 → 3)"]);
    let (wrong, line) = (predict(&net(), &set().batches(5)), line!());
    check(wrong.unwrap_err(), line, &["batch 1", "layer 2: Linear(2 → 3)"]);
}

#[test]
fn a_loss_of_ones_own_does_not_broadcast_outputs_against_targets() {
    let (squares, line) = (|y: &Tensor, t: &Tensor| (y - t).square().mean(..), line!());
    for (y, t) in [(vec![10, 1], vec![10]), (vec![10], vec![10, 1])] {
        let set = InMemory::new(Tensor::ones([10, 4]), Tensor::zeros(&t[..]));
        let mut model = seq![Linear::new(4, 1), move |x: &Tensor| x.reshape([&[x.rows()], &y[1..]].concat())];
        let wrong = Trainer::new(Sgd::new(0.1), squares).quiet().fit(&mut model, set.batches(10), None);
        check(wrong.unwrap_err(), line, &["outputs [10", "would be broadcast to [10, 10]", "squeeze"]);
        let wrong = evaluate(&model, &set.batches(10), &squares, &[]);
        check(wrong.unwrap_err(), line, &["would be broadcast to [10, 10]"]);
    }
}

#[test]
fn a_loss_that_is_no_number_is_told_what_is_missing() {
    let set = InMemory::new(Tensor::ones([10, 4]), Tensor::zeros([10, 1]));
    let each = |y: &Tensor, t: &Tensor| (y - t).square();
    let wrong = Trainer::new(Sgd::new(0.1), each).quiet().fit(&mut Linear::new(4, 1), set.batches(5), None);
    let e = wrong.unwrap_err().to_string();
    assert!(
        e.contains("a loss must be one number") && e.contains("[5, 1]") && e.contains(".mean(..)"),
        "{e}"
    );
    let each = |net: &Linear, b: &Sample| (b.x.apply(net) - &b.y).square();
    let wrong = Trainer::of(Sgd::new(0.1), each).quiet().fit(&mut Linear::new(4, 1), set.batches(5), None);
    assert!(wrong.unwrap_err().to_string().contains("a loss must be one number"));
}

#[test]
fn a_run_is_not_resumed_with_other_layers() {
    let path = std::env::temp_dir().join(format!("mapsto-mistakes-{}.safetensors", std::process::id()));
    let set = InMemory::new(Tensor::ones([10, 4]), Tensor::zeros([10, 2]));
    let fit = |mut model: Sequential, resume: bool| {
        let trainer = Trainer::new(Adam::new(0.1), mse).quiet().epochs(if resume { 2 } else { 1 });
        let trainer = if resume { trainer.resume(&path) } else { trainer };
        let state = mapsto_train::callbacks::Checkpoint::last().to(&path);
        trainer.on(state).fit(&mut model, set.clone().batches(5), None)
    };
    fit(seq![Linear::new(4, 3), Tensor::relu, Linear::new(3, 2)], false).unwrap();
    let saved = std::fs::read(&path).unwrap();
    let refused = |model: Sequential, says: &str| {
        let e = fit(model, true).unwrap_err().to_string();
        assert!(e.contains(says) && e.contains("resume with the model that the run was started with"), "{e}");
        assert_eq!(std::fs::read(&path).unwrap(), saved, "the state is left as it was");
    };
    refused(seq![Linear::new(4, 3), Tensor::gelu, Linear::new(3, 2)], "gelu");
    refused(seq![Linear::new(4, 3), Tensor::relu, Linear::new(3, 2), Tensor::relu], "4");
    refused(seq![Linear::new(4, 5), Tensor::relu, Linear::new(5, 2)], "[5");
    refused(seq![Linear::new(4, 3), Tensor::relu, Dropout::new(0.5), Linear::new(3, 2)], "2.");
    // All weights come from the state, however they would have begun.
    let first = Linear::new(4, 3).init(mapsto_nn::init::Zeros);
    fit(seq![first, Tensor::relu, Linear::new(3, 2)], true).unwrap();
    std::fs::remove_file(path).unwrap();
}
