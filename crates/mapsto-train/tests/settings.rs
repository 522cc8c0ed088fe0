//! Settings of callbacks, metrics and the trainer, batches that weigh nothing, and the weights that early stopping restores.

use mapsto_data::prelude::*;
use mapsto_nn::prelude::*;
use mapsto_spec::{Entry, Value};
use mapsto_train::callbacks::{self, CALLBACKS, Checkpoint, EarlyStop, each_epoch};
use mapsto_train::metrics::{self, Accuracy, Average, F1, METRICS, Precision, Recall, TopK};
use mapsto_train::{Trainer, evaluate};
use std::sync::{Arc, Mutex};

const NUMBERS: [f64; 9] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -1e-9, 0.0, 0.5, 1.0, 2.0];

type Fits = fn(f64) -> bool;
const FINITE: Fits = f64::is_finite;
const AT_LEAST_0: Fits = |x| x.is_finite() && x >= 0.0;
const ABOVE_0: Fits = |x| x.is_finite() && x > 0.0;
const WHOLE: Fits = |x| x.is_finite() && x >= 0.0 && x.fract() == 0.0;
const PART: Fits = |x| (0.0..1.0).contains(&x);
const COUNT: Fits = |x| x.is_finite() && x >= 1.0 && x.fract() == 0.0;

#[test]
fn every_setting_of_callbacks_and_metrics_refuses_what_it_cannot_mean() {
    let callbacks: &[(&str, &[(&str, Fits)])] = &[
        ("early_stop", &[("patience", COUNT), ("least", AT_LEAST_0)]),
        ("best", &[("every", COUNT)]),
        ("last", &[("every", COUNT)]),
        ("keep_best", &[("", COUNT)]),
        ("keep_every", &[("", COUNT)]),
        ("time_limit", &[]),
        ("tensorboard", &[]),
        ("health", &[]),
        (
            "reduce_on_plateau",
            &[
                ("factor", PART),
                ("patience", WHOLE),
                ("threshold", AT_LEAST_0),
                ("cooldown", WHOLE),
                ("min_lr", AT_LEAST_0),
            ],
        ),
    ];
    let metrics: &[(&str, &[(&str, Fits)])] = &[
        ("accuracy", &[("threshold", FINITE)]),
        ("balanced_accuracy", &[("threshold", FINITE)]),
        ("precision", &[("threshold", FINITE)]),
        ("recall", &[("threshold", FINITE)]),
        ("specificity", &[("threshold", FINITE)]),
        ("f1", &[("threshold", FINITE)]),
        ("jaccard", &[("threshold", FINITE)]),
        ("mcc", &[("threshold", FINITE)]),
        ("cohen_kappa", &[("threshold", FINITE)]),
        ("hamming", &[("threshold", FINITE)]),
        ("fbeta", &[("beta", ABOVE_0)]),
        ("ece", &[("bins", COUNT)]),
        ("huber", &[("", ABOVE_0)]),
        ("top_k", &[("", COUNT)]),
        ("recall_at_k", &[("", COUNT)]),
        ("hit_rate", &[("", COUNT)]),
        ("ndcg", &[("", COUNT)]),
        ("log_loss", &[]),
        ("brier", &[]),
        ("roc_auc", &[]),
        ("average_precision", &[]),
        ("perplexity", &[]),
        ("mse", &[]),
        ("median_ae", &[]),
        ("max_error", &[]),
        ("mape", &[]),
        ("smape", &[]),
        ("msle", &[]),
        ("r2", &[]),
        ("explained_variance", &[]),
        ("pearson", &[]),
        ("spearman", &[]),
        ("mrr", &[]),
        ("mae", &[]),
        ("rmse", &[]),
    ];
    let kinds = CALLBACKS.iter().map(|k| k.name).chain(METRICS.iter().map(|k| k.name));
    for name in kinds.clone() {
        let rows = callbacks.iter().chain(metrics).filter(|row| row.0 == name).count();
        assert_eq!(rows, 1, "say once in {} what the numbers of `{name}` may be", file!());
    }
    assert_eq!(callbacks.len() + metrics.len(), kinds.count(), "a row is of no entry");
    let mut tried = 0;
    for (name, settings) in callbacks.iter().chain(metrics) {
        for (option, fits) in *settings {
            for x in NUMBERS {
                let whole = x.fract() == 0.0 && [COUNT as usize, WHOLE as usize].contains(&(*fits as usize));
                let value = if whole { Value::Int(x as i64) } else { Value::Float(x) };
                let entry = match *option {
                    "" => Entry::new(*name).with_value(value),
                    option => Entry::new(*name).with_option(option, value),
                };
                let built = match CALLBACKS.iter().any(|k| k.name == *name) {
                    true => mapsto_spec::build::<dyn callbacks::Callback>(&entry, &()).map(drop),
                    false => mapsto_spec::build::<dyn metrics::Metric>(&entry, &()).map(drop),
                };
                assert_eq!(built.is_ok(), fits(x), "{entry}");
                tried += 1;
            }
        }
    }
    assert!(tried >= 9 * NUMBERS.len(), "{tried}");
}

#[test]
fn every_setting_in_rust_refuses_what_it_cannot_mean() {
    let trainer = || Trainer::new(Sgd::new(0.1), mse).quiet();
    type Setter<'a> = (&'a str, Fits, &'a dyn Fn(f64));
    let settings: [Setter<'_>; 7] = [
        ("least", AT_LEAST_0, &|x| drop(EarlyStop::watching("loss").least(x))),
        ("clip_norm", ABOVE_0, &|x| drop(trainer().clip_norm(x))),
        ("clip_value", ABOVE_0, &|x| drop(trainer().clip_value(x))),
        ("accuracy", FINITE, &|x| drop(Accuracy::threshold(x))),
        ("precision", FINITE, &|x| drop(Precision::new(Average::Micro).threshold(x))),
        ("recall", FINITE, &|x| drop(Recall::new(Average::Micro).threshold(x))),
        ("f1", FINITE, &|x| drop(F1::new(Average::Micro).threshold(x))),
    ];
    for (name, fits, set) in settings {
        for x in NUMBERS {
            assert_eq!(catch(|| set(x)).is_ok(), fits(x), "{name}({x})");
        }
    }
    let counts: [&dyn Fn(usize); 4] = [
        &|n| drop(EarlyStop::watching("loss").patience(n)),
        &|n| drop(Checkpoint::last().every(n)),
        &|n| drop(trainer().accumulate(n)),
        &|n| drop(TopK::new(n)),
    ];
    assert!(counts.iter().all(|set| catch(|| set(0)).is_err() && catch(|| set(1)).is_ok()));
    assert!(catch(|| trainer().clip_norm(-1.0)).err().unwrap().message().ends_with("above 0, got -1"));
}

#[test]
fn a_batch_that_is_ignored_as_a_whole_weighs_nothing() {
    let x = tensor![[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, 0.5]];
    let set = InMemory::new(x, tensor![0, 1, -100, -100]);
    let loss = || CrossEntropy::new().ignore_index(-100);
    let seeded = || {
        seed(1);
        Linear::new(2, 2)
    };
    let found = evaluate(&seeded(), &set.batches(2), &loss(), &[]).unwrap();
    let whole = evaluate(&seeded(), &set.batches(4), &loss(), &[]).unwrap();
    assert!((found.loss - whole.loss).abs() < 1e-6);
    // Two batches, the second without weight: the steps of one.
    let fit = |batch, accumulate| {
        let mut net = seeded();
        let mut trainer = Trainer::new(Sgd::new(0.1), loss()).epochs(3).accumulate(accumulate).quiet();
        let history = trainer.fit(&mut net, set.batches(batch), set.batches(batch)).unwrap();
        assert!(history.last("val loss").unwrap().is_finite());
        net
    };
    let one = fit(4, 1);
    assert_close!(fit(2, 1).weight, one.weight.detach());
    assert_close!(fit(2, 2).weight, one.weight.detach());

    let none = InMemory::new(Tensor::ones([2, 2]), tensor![-100, -100]);
    let error = evaluate(&seeded(), &none.batches(2), &loss(), &[]).unwrap_err();
    assert!(error.message().contains("the loss ignores every target"), "{error}");
    let fit = Trainer::new(Sgd::new(0.1), loss()).quiet().fit(&mut seeded(), none.batches(2), None);
    assert!(fit.unwrap_err().message().contains("the loss ignores every target"));
}

#[test]
fn a_validation_loader_without_batches_is_an_error() {
    let set = InMemory::new(Tensor::ones([2, 1]), Tensor::ones([2, 1]));
    let mut trainer = Trainer::new(Sgd::new(0.1), mse).quiet();
    let error = trainer.fit(&mut Linear::new(1, 1), set.batches(2), set.batches(4).drop_last()).unwrap_err();
    assert_eq!(error.message(), "training: the validation loader has no batch");
    let error = evaluate(&Linear::new(1, 1), &set.batches(4).drop_last(), &mse, &[]).unwrap_err();
    assert!(error.message().contains("the loader has no batch"), "{error}");
}

#[test]
fn early_stopping_restores_the_best_weights_it_saw() {
    // The loss falls by less than `least` from the second epoch on, so the best epoch is the last one.
    let set = InMemory::new(Tensor::ones([1, 1]), Tensor::zeros([1, 1]));
    let mut net = Linear::new(1, 1).no_bias();
    net.weight.set(&tensor![[1.0]]).unwrap();
    let last = Arc::new(Mutex::new(0.0));
    let seen = last.clone();
    let history = Trainer::new(Sgd::new(0.05), mse)
        .epochs(20)
        .on(EarlyStop::watching("val loss").patience(3).least(0.3))
        .on(each_epoch(move |run| {
            *seen.lock().unwrap() = run.model.state_dict()[0].1.item();
            Ok(())
        }))
        .quiet()
        .fit(&mut net, set.batches(1), set.batches(1))
        .unwrap();
    assert!(history.stopped.is_some(), "the patience is that of `least`");
    assert_eq!(net.weight.item(), *last.lock().unwrap());
}
