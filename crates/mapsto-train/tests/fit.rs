//! What the trainer promises: large-batch accumulation, exact resume, best weights restored, a named stop at the first NaN.

mod plane;
mod stop_at;

use mapsto_data::prelude::*;
use mapsto_nn::prelude::*;
use mapsto_tensor::ErrorKind;
use mapsto_train::prelude::*;
use plane::{bits, net, points};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use stop_at::StopAt;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("mapsto-fit-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

#[test]
fn accumulation_equals_the_large_batch() {
    let run = |batch: usize, accumulate: usize| {
        seed(5);
        let mut model = seq![Linear::new(2, 16), Tensor::tanh, Linear::new(16, 2)];
        // 50 samples in batches of 7: the last batch is smaller, and so must weigh less.
        let history = Trainer::new(Sgd::new(0.3).momentum(0.9), cross_entropy)
            .accumulate(accumulate)
            .regularize(|m: &dyn Module| l2_penalty(m, "*") * 1e-3)
            .epochs(20)
            .quiet()
            .fit(&mut model, points(50).batches(batch), None)
            .unwrap();
        assert_eq!(history.rows.last().unwrap().step, 20);
        (model.state_dict(), history)
    };
    let ((large, h1), (small, h2)) = (run(50, 1), run(7, 8));
    for ((name, a), (_, b)) in large.iter().zip(&small) {
        let worst = (a - b).abs().max(..).item();
        assert!(worst <= 1e-6, "{name} differs by {worst}");
    }
    assert!((h1.last("loss").unwrap() - h2.last("loss").unwrap()).abs() < 1e-6);
}

#[test]
fn an_interrupted_and_resumed_run_gives_the_same_bits() {
    let folder = folder("resume");
    let trainer = |interrupt: Interrupt, stop: u64| {
        Trainer::new(Adam::new(0.01), cross_entropy)
            .schedule(Cosine::new(60))
            .metric(Accuracy::new())
            .on(EarlyStop::watching("val loss").patience(4))
            .on(Checkpoint::last().to(folder.join("last.safetensors")))
            .on(StopAt(stop, interrupt.clone()))
            .interrupt(interrupt)
            .clip_norm(1.0)
            .seed(9)
            .epochs(6)
            .quiet()
    };
    let (train_loader, val) = (|| points(100).batches(10).shuffle().seed(4), || points(40).batches(16));

    let mut whole = net();
    let expected = trainer(Interrupt::new(), u64::MAX).fit(&mut whole, train_loader(), val()).unwrap();
    assert_eq!(expected.rows.len(), 6);

    // In the middle of an epoch, after its last step (before validation), and in the very first step.
    for stop in [27, 30, 1] {
        let mut part = net();
        let history = trainer(Interrupt::new(), stop).fit(&mut part, train_loader(), val()).unwrap();
        assert!(
            history.interrupted && history.rows.len() == (stop as usize - 1) / 10,
            "{stop}: {:?}",
            history.stopped
        );

        seed(77); // the state of randomness is in the file
        let mut resumed = seq![Linear::new(2, 16), Tensor::relu, Dropout::new(0.2), Linear::new(16, 2)];
        let history = trainer(Interrupt::new(), u64::MAX)
            .resume(folder.join("last.safetensors"))
            .fit(&mut resumed, train_loader(), val())
            .unwrap();
        assert_eq!(bits(&resumed), bits(&whole), "stopped after step {stop}");
        for (a, b) in expected.rows.iter().zip(&history.rows) {
            assert_eq!((a.epoch, a.step, a.lr.to_bits()), (b.epoch, b.step, b.lr.to_bits()));
            assert_eq!(a.values, b.values, "stopped after step {stop}");
        }
        assert_eq!(history.rows.len(), 6);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_plain_model_file_is_not_resumed_from() {
    let path = folder("plain").join("model.safetensors");
    save(&net(), &path).unwrap();
    let mut model = net();
    let mut trainer = Trainer::new(Sgd::new(0.1), cross_entropy).resume(&path).quiet();
    let error = trainer.fit(&mut model, points(10).batches(5), None).unwrap_err();
    assert!(error.to_string().contains("no training state"), "{error}");
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn early_stop_restores_the_best_weights() {
    let losses = Arc::new(Mutex::new(Vec::new()));
    let (seen, mut model) = (losses.clone(), net());
    // A learning rate that first helps and then wrecks the model.
    let mut trainer = Trainer::new(Sgd::new(0.2), cross_entropy)
        .schedule(|step: u64, base: f64| if step < 20 { base } else { 400.0 * base })
        .metric(Accuracy::new())
        .on(EarlyStop::watching("val loss").patience(2))
        .on(each_epoch(move |run| {
            seen.lock().unwrap().push(bits(&*run.model));
            Ok(())
        }))
        .epochs(50)
        .quiet();
    let (train_set, val_set) = (points(50), points(40));
    let history = trainer.fit(&mut model, train_set.batches(10).shuffle(), val_set.batches(40)).unwrap();
    let (best, value) = history.min("val loss").unwrap();
    assert_eq!(history.rows.len(), best + 2, "{history}");
    assert!(history.stopped.as_ref().unwrap().contains(&format!("in epoch {best}")), "{:?}", history.stopped);
    assert_eq!(bits(&model), losses.lock().unwrap()[best - 1]);
    let found = evaluate(&model, &val_set.batches(40), &cross_entropy, &[]).unwrap();
    assert_eq!(found.loss, value);
}

#[test]
fn checkpoints_hold_the_best_model_with_its_info() {
    let folder = folder("best");
    let mut model = net();
    let named = points(60).classes(["left", "right"]);
    let history = Trainer::new(Sgd::new(0.5), cross_entropy)
        .metric(Accuracy::new())
        .on(Checkpoint::best("val accuracy"))
        .on(Checkpoint::last())
        .on(MetricsLog::new())
        .folder(&folder)
        .epochs(8)
        .quiet()
        .fit(&mut model, named.batches(12).shuffle(), points(60).batches(60))
        .unwrap();
    let (_, value) = history.max("val accuracy").unwrap();
    let file = ModelFile::read(folder.join("best.safetensors")).unwrap();
    assert_eq!(file.info.classes, ["left", "right"], "what the loader knows travels along");
    let mut best = net();
    file.load_into(&mut best).unwrap();
    let found = evaluate(&best, &points(60).batches(7), &cross_entropy, &[&Accuracy::new()]).unwrap();
    assert_eq!(found.value("accuracy"), Some(value));
    // The training state is a model file too.
    load(&mut best, folder.join("last.safetensors")).unwrap();
    assert_eq!(bits(&best), bits(&model));
    let saved = std::fs::read_to_string(folder.join("metrics.csv")).unwrap();
    assert_eq!(History::from_csv(&saved).unwrap().rows, history.rows);
    assert_eq!(std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap().lines().count(), 8);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_first_nan_is_named() {
    let run = |model: &mut Sequential, trainer: Trainer, set: InMemory| {
        let error = trainer.quiet().fit(model, set.batches(10), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NonFinite, "{error}");
        error.to_string()
    };
    // The logarithm of a negative number, after layer 0.
    let mut model = seq![Linear::new(2, 4), |x: &Tensor| (-x.square() - 1.0).log(), Linear::new(4, 2)];
    let text = run(&mut model, Trainer::new(Sgd::new(0.1), cross_entropy), points(20));
    assert!(text.contains("the loss is NaN in epoch 1, batch 1 of 2 (step 1)"), "{text}");
    assert!(text.contains("after layer `0`: `log` (") && text.contains("fit.rs:"), "{text}");

    // A weight that overflows inside layer 1.
    let mut model = seq![Linear::new(2, 4), Linear::new(4, 2)];
    model.visit_mut(&mut Path::new(), &mut |path, item| {
        if let (ItemMut::Param(p), "1.weight") = (item, path.to_string().as_str()) {
            p.set(&Tensor::full([2, 4], 3e38)).unwrap();
        }
    });
    let text = run(&mut model, Trainer::new(Sgd::new(0.1), cross_entropy), points(20));
    assert!(text.contains("layer `1`: `"), "{text}");

    // A step that blows up is found in the next one, by the parameter.
    let mut model = seq![Linear::new(2, 4), |x: &Tensor| x * 1000.0, Linear::new(4, 2)];
    let text = run(&mut model, Trainer::new(Sgd::new(3e38), cross_entropy), points(20));
    assert!(text.contains("is no longer finite after step 1") && text.contains("batch 2 of 2"), "{text}");

    // A finite loss whose derivative is not: √0.
    let mut model = seq![Linear::new(2, 2), |x: &Tensor| (x - x).sqrt()];
    let text = run(&mut model, Trainer::new(Sgd::new(0.1), cross_entropy), points(20));
    assert!(text.contains("the gradient is not finite") && text.contains("`0.bias`, `0.weight`"), "{text}");

    // The data.
    let x = Tensor::from_vec(vec![1.0_f32, 2.0, 3.0, f32::NAN], [2, 2]);
    let set = InMemory::new(x, Tensor::from_vec(vec![0_i64, 1], [2]));
    let text = run(&mut net(), Trainer::new(Sgd::new(0.1), cross_entropy), set);
    assert!(text.contains("the batch itself is not finite in row 1 (sample 1 of the set)"), "{text}");
}

#[test]
fn watching_what_is_not_there_is_an_error_before_the_first_step() {
    let run = |column: &str, val: Option<Loader>| {
        let mut model = net();
        let before = bits(&model);
        let mut trainer = Trainer::new(Sgd::new(0.1), cross_entropy).on(EarlyStop::watching(column)).quiet();
        let error = trainer.fit(&mut model, points(20).batches(10), val).unwrap_err().to_string();
        assert_eq!(bits(&model), before);
        error
    };
    assert!(run("val loss", None).contains("give `fit` a validation loader"));
    assert!(run("val los", Some(points(10).batches(5))).contains("did you mean `val loss`?"));
}

/// A writer that keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn progress_is_one_header_and_one_row_an_epoch() {
    let kept = Kept::default();
    let mut model = net();
    Trainer::new(Adam::new(0.01), cross_entropy)
        .metric(Accuracy::new())
        .epochs(3)
        .progress(Progress::rows_to(kept.clone()))
        .fit(&mut model, points(50).batches(10), points(20).batches(20))
        .unwrap();
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    for column in
        ["epoch", "loss", "accuracy", "val loss", "val accuracy", "lr", "samples/s", "waiting", "left"]
    {
        assert!(lines[0].contains(column), "{column} in {}", lines[0]);
    }
    assert!(lines[3].trim_start().starts_with("3/3"));
}

#[test]
fn explain_names_everything_in_its_place() {
    let text = Trainer::new(AdamW::new(1e-3), cross_entropy)
        .metric(Accuracy::new())
        .accumulate(4)
        .clip_norm(1.0)
        .on(EarlyStop::watching("val accuracy").patience(3))
        .on(Checkpoint::best("val accuracy"))
        .epochs(12)
        .quiet()
        .explain();
    assert_eq!(
        text,
        "\
start: stop early when `val accuracy` has not improved for 3 epochs, and restore the best weights
start: save the model with the best `val accuracy`
for each of 12 epochs
    for each batch (x, target) of the training loader
        y = model(x), in training mode
        loss = cross_entropy(y, target)
        stop with the name of the layer if the loss is not finite
        gradients = derivative of the loss, by backward
        add them up, each as its loss weighs it; after every 4 batches
            stop with the name of the parameter if a gradient is not finite
            scale the gradients down to a global norm of 1
            step of AdamW, learning rate 0.001
    validation, in inference mode: loss, accuracy
    epoch end: stop early when `val accuracy` has not improved for 3 epochs, and restore the best weights
    epoch end: save the model with the best `val accuracy`
end: stop early when `val accuracy` has not improved for 3 epochs, and restore the best weights
end: save the model with the best `val accuracy`
"
    );
}
