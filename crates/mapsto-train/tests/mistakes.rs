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
