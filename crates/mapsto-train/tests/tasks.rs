//! What the trainer promises to tasks that are more than a loss of outputs and targets: steps on parts, exact resumption,
//! streams, terms, and callbacks between gradients and step.

use mapsto_data::prelude::*;
use mapsto_nn::prelude::*;
use mapsto_train::callbacks::{Callback, Gradients, Moment, Run};
use mapsto_train::prelude::*;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("mapsto-tasks-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn bits(model: &dyn Module) -> Vec<u32> {
    model.state_dict().iter().flat_map(|(_, t)| t.to_vec::<f32>()).map(f32::to_bits).collect()
}

fn mlp(i: usize, o: usize) -> Sequential {
    seq![Linear::new(i, 16), Tensor::tanh, Linear::new(16, o)]
}

/// Stops the run after a step.
struct StopAt(u64, Interrupt);

impl Callback for StopAt {
    fn name(&self) -> String {
        "stop the test".into()
    }
    fn moments(&self) -> &'static [Moment] {
        &[Moment::Step]
    }
    fn at(&mut self, _: Moment, run: &mut Run<'_>) -> Result<()> {
        if run.pace.step == self.0 {
            self.1.request();
        }
        Ok(())
    }
}

#[derive(Module)]
#[module(crate = mapsto_nn)]
struct Gan {
    g: Sequential,
    d: Sequential,
}

struct Adversarial;

impl Task<Gan, Tensor> for Adversarial {
    fn loss(&self, gan: &Gan, real: &Tensor) -> Step {
        let n = real.rows();
        let fake = infer(|| Tensor::randn([n, 2]).apply(&gan.g));
        let y = Tensor::cat(&[real.apply(&gan.d), fake.apply(&gan.d)], 0);
        let target = Tensor::cat(&[Tensor::ones([n, 1]), Tensor::zeros([n, 1])], 0);
        Step::new(bce_with_logits(&y, &target)).output(&y, &target)
    }

    fn step(&self, gan: &mut Gan, real: &Tensor, cx: &mut Cx<'_>) -> Result<Step> {
        let step = cx.descend_by("d", &mut gan.d, |d| {
            let fake = infer(|| Tensor::randn([real.rows(), 2]).apply(&gan.g));
            bce_with_logits(&real.apply(d), &Tensor::ones([real.rows(), 1]))
                + bce_with_logits(&fake.apply(d), &Tensor::zeros([real.rows(), 1]))
        })?;
        let n = real.rows();
        let g = cx.descend(&mut gan.g, |g| {
            let y = Tensor::randn([n, 2]).apply(g);
            bce_with_logits(&y.apply(&gan.d), &Tensor::ones([n, 1]))
        })?;
        Ok(step.term("generator", &g.loss))
    }
}

fn gan() -> Gan {
    seed(1);
    Gan { g: mlp(2, 2), d: seq![Linear::new(2, 16), Tensor::tanh, Dropout::new(0.2), Linear::new(16, 1)] }
}

fn real() -> Samples<Tensor> {
    (0..40).map(|i| tensor![3.0 + 0.01 * i as f64, -1.0]).collect()
}

#[test]
fn a_gan_stopped_in_the_middle_of_an_epoch_resumes_with_the_same_bits() {
    let folder = folder("gan");
    let trainer = |interrupt: Interrupt, stop: u64| {
        Trainer::task(Adam::new(1e-2), Adversarial)
            .optimizer("d", Adam::new(5e-3).group("d.*.bias", |g| g.lr(1e-3)))
            .schedule(Cosine::new(20))
            .on(Checkpoint::last().to(folder.join("last.safetensors")))
            .on(Checkpoint::best("generator").to(folder.join("best.safetensors")))
            .on(StopAt(stop, interrupt.clone()))
            .interrupt(interrupt)
            .clip_norm(1.0)
            .seed(9)
            .epochs(3)
            .quiet()
    };
    let load = || real().batches(10).shuffle().seed(4);
    let mut whole = gan();
    let expected = trainer(Interrupt::new(), u64::MAX).fit(&mut whole, load(), None).unwrap();
    assert_eq!(expected.rows.last().unwrap().step, 24, "12 batches, two steps each");
    for stop in [12, 16, 2] {
        let history = trainer(Interrupt::new(), stop).fit(&mut gan(), load(), None).unwrap();
        assert!(history.interrupted, "{stop}");
        seed(77);
        let mut resumed = Gan {
            g: mlp(2, 2),
            d: seq![Linear::new(2, 16), Tensor::tanh, Dropout::new(0.2), Linear::new(16, 1)],
        };
        let again = trainer(Interrupt::new(), u64::MAX).resume(folder.join("last.safetensors"));
        let mut again = again;
        let history = again.fit(&mut resumed, load(), None).unwrap();
        assert_eq!(bits(&resumed), bits(&whole), "stopped after step {stop}");
        let values = |h: &History| h.rows.iter().map(|r| (r.step, r.values.clone())).collect::<Vec<_>>();
        assert_eq!(values(&history), values(&expected), "stopped after step {stop}");
    }
    // Another set of optimizers is named.
    let mut other =
        Trainer::task(Adam::new(1e-2), Adversarial).resume(folder.join("last.safetensors")).quiet();
    let text = other.fit(&mut gan(), load(), None).unwrap_err().to_string();
    assert!(text.contains("optimizer `d`: the saved run had one, this one has none"), "{text}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_step_changes_the_part_that_is_lent_and_no_other() {
    struct OneSide;
    impl Task<Gan, Tensor> for OneSide {
        fn loss(&self, gan: &Gan, real: &Tensor) -> Step {
            real.apply(&gan.g).apply(&gan.d).square().mean(..).into()
        }
        fn step(&self, gan: &mut Gan, real: &Tensor, cx: &mut Cx<'_>) -> Result<Step> {
            cx.descend(&mut gan.g, |g| real.apply(g).apply(&gan.d).square().mean(..))
        }
    }
    let (before, mut after) = (gan(), gan());
    let names = Arc::new(Mutex::new(Vec::new()));
    let look = Look { names: names.clone(), ..Look::default() };
    Trainer::task(Sgd::new(0.1), OneSide).on(look).quiet().fit(&mut after, real().batches(40), None).unwrap();
    assert_eq!(bits(&before.d), bits(&after.d));
    assert_ne!(bits(&before.g), bits(&after.g));
    let seen = names.lock().unwrap();
    assert_eq!(*seen, ["main g.0.bias", "main g.0.weight", "main g.2.bias", "main g.2.weight"]);
}

#[derive(Default)]
struct Look {
    names: Arc<Mutex<Vec<String>>>,
    outputs: Arc<Mutex<Vec<String>>>,
    lr: Option<f64>,
}

impl Callback for Look {
    fn name(&self) -> String {
        "look at gradients and layers".into()
    }
    fn moments(&self) -> &'static [Moment] {
        &[Moment::Gradients]
    }
    fn at(&mut self, _: Moment, _: &mut Run<'_>) -> Result<()> {
        panic!("not one of its moments")
    }
    fn gradients(&mut self, at: &mut Gradients<'_>) -> Result<()> {
        if let (Some(lr), 0) = (self.lr, at.step) {
            at.optimizer.set_lr(lr);
        }
        self.names.lock().unwrap().extend(at.each().iter().map(|(name, _)| format!("{} {name}", at.by)));
        Ok(())
    }
    fn watches(&self) -> Option<&str> {
        Some("2")
    }
    fn saw(&mut self, layer: &str, y: &Tensor) {
        self.outputs.lock().unwrap().push(format!("{layer} gave {:?}", y.shape()));
    }
}

#[test]
fn callbacks_set_the_rate_of_a_step_and_see_layers() {
    seed(1);
    let (mut model, outputs) = (mlp(2, 1), Arc::new(Mutex::new(Vec::new())));
    let before = bits(&model);
    let set = InMemory::new(Tensor::ones([4, 2]), Tensor::ones([4, 1]));
    let look = || Look { outputs: outputs.clone(), lr: Some(0.0), ..Look::default() };
    let trainer = Trainer::new(Sgd::new(0.5), mse).on(look()).quiet();
    assert!(trainer.explain().contains("gradients: look at gradients and layers"));
    let mut trainer = trainer;
    trainer.fit(&mut model, set.batches(4), None).unwrap();
    assert_eq!(bits(&model), before, "a rate of 0 changes nothing");
    assert_eq!(*outputs.lock().unwrap(), ["2 gave [4, 1]"]);

    // A rate that a callback has set once is there after a resumption.
    let folder = folder("rate");
    let path = folder.join("last.safetensors");
    let run = |epochs: usize, resume: bool| {
        seed(1);
        let mut model = mlp(2, 1);
        let look = Look { lr: Some(0.01), ..Look::default() };
        let last = Checkpoint::last().to(&path);
        let mut trainer = Trainer::new(Sgd::new(0.5), mse).on(look).on(last).epochs(epochs).quiet();
        if resume {
            trainer = trainer.resume(&path);
        }
        trainer.fit(&mut model, set.batches(2), None).unwrap();
        bits(&model)
    };
    let whole = run(4, false);
    run(2, false);
    assert_eq!(run(4, true), whole);
    std::fs::remove_dir_all(folder).unwrap();
}

/// Points on a line without end, whose place is its state.
struct Line(u64);

impl Source<Linear, Sample> for Line {
    fn next(&mut self, model: &Linear) -> Option<Result<Sample>> {
        self.0 += 1;
        // What the model says now decides what comes next, as with an agent.
        let shift = (model.weight.item() * 8.0).floor();
        let x = Tensor::randn([8, 1]) + self.0 as f64 * 0.01 + shift * 0.01;
        Some(Ok(Sample { y: &x * 3.0, x }))
    }
    fn state(&self) -> Vec<(String, Tensor)> {
        vec![("place".into(), tensor![self.0 as i64])]
    }
    fn load_state(&mut self, state: Vec<(String, Tensor)>) -> Result<()> {
        self.0 = state[0].1.item() as u64;
        Ok(())
    }
}

#[test]
fn a_stream_goes_on_where_it_was() {
    let folder = folder("stream");
    let run = |stop: u64, resume: bool| {
        seed(3);
        let mut model = Linear::new(1, 1).no_bias();
        let interrupt = Interrupt::new();
        let mut trainer = Trainer::new(Adam::new(0.1), mse)
            .batches_per_epoch(10)
            .on(Checkpoint::last().to(folder.join("last.safetensors")))
            .on(StopAt(stop, interrupt.clone()))
            .interrupt(interrupt)
            .epochs(5)
            .quiet();
        if resume {
            trainer = trainer.resume(folder.join("last.safetensors"));
        }
        trainer.fit(&mut model, Line(0), None).unwrap();
        model
    };
    let whole = run(u64::MAX, false);
    assert!((whole.weight.item() - 3.0).abs() < 0.2);
    run(17, false);
    assert_eq!(bits(&run(u64::MAX, true)), bits(&whole));
    let text = |trainer: Trainer| {
        trainer.quiet().fit(&mut Linear::new(1, 1), Line(0), None).unwrap_err().to_string()
    };
    assert!(text(Trainer::new(Adam::new(0.1), mse)).contains("batches_per_epoch"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn terms_have_columns_that_callbacks_may_watch() {
    let loss = |model: &Linear, batch: &Sample| {
        let y = batch.x.apply(model);
        let near = mse(&y, &batch.y);
        Step::new(&near * 2.0).term("near", &near).named("y", &y, &batch.y)
    };
    let set = InMemory::new(Tensor::ones([8, 1]), Tensor::zeros([8, 1]));
    let trainer = || Trainer::of(Sgd::new(0.1), loss).metric(Mae::new().of("y")).epochs(3).quiet();
    let mut model = Linear::new(1, 1);
    let watching = |column: &str| trainer().on(EarlyStop::watching(column));
    let history = watching("val near").fit(&mut model, set.batches(4), set.batches(8)).unwrap();
    let names: Vec<&str> = history.rows[2].values.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["loss", "y mae", "near", "val loss", "val y mae", "val near"]);
    let row = &history.rows[2];
    assert!((row.value("loss").unwrap() - 2.0 * row.value("near").unwrap()).abs() < 1e-6);
    let text = watching("val neer").fit(&mut model, set.batches(4), set.batches(8)).unwrap_err().to_string();
    assert!(text.contains("did you mean `val near`?"), "{text}");
}

#[test]
fn a_large_batch_of_tokens_is_the_sum_of_small_ones() {
    let words: Samples<Vec<i64>> =
        (0..12).map(|i| (0..2 + i % 5).map(|j| ((i + j) % 4) as i64).collect()).collect();
    let loss = |table: &Embedding, words: &Ragged| {
        let (given, wanted) = words.shifted();
        Step::new(cross_entropy(&given.pack(&given.padded().apply(table)), &wanted.packed()))
            .weight(given.total())
    };
    let run = |size: usize, accumulate: usize| {
        seed(2);
        let mut table = Embedding::new(4, 4);
        let mut trainer = Trainer::of(Sgd::new(0.5), loss).accumulate(accumulate).epochs(2).quiet();
        let history = trainer.fit(&mut table, words.batches(size), words.batches(5)).unwrap();
        (table.weight.to_vec::<f32>(), history.last("val loss").unwrap())
    };
    let (whole, parts) = (run(12, 1), run(5, 3));
    assert!(whole.0.iter().zip(&parts.0).all(|(a, b)| (a - b).abs() < 1e-6));
    assert!((whole.1 - parts.1).abs() < 1e-6);
}

#[test]
fn mistakes_in_a_task_are_named() {
    struct Wrong(&'static str);
    impl Task<Gan, Tensor> for Wrong {
        fn loss(&self, gan: &Gan, real: &Tensor) -> Step {
            real.apply(&gan.d).square().mean(..).into()
        }
        fn step(&self, gan: &mut Gan, real: &Tensor, cx: &mut Cx<'_>) -> Result<Step> {
            match self.0 {
                "name" => cx.descend_by("e", gan, |gan| self.loss(gan, real)),
                "foreign" => cx.descend(&mut gan_of_ones_own(), |gan| self.loss(gan, real)),
                "twice" => {
                    cx.descend(&mut gan.d, |d| real.apply(d).square().mean(..))?;
                    cx.descend(&mut gan.d, |d| real.apply(d).square().mean(..))
                }
                _ => {
                    gan.g = mlp(3, 2);
                    cx.descend(&mut gan.d, |d| real.apply(&gan.g).apply(d).square().mean(..))
                }
            }
        }
    }
    fn gan_of_ones_own() -> Gan {
        Gan { g: mlp(2, 2), d: mlp(2, 1) }
    }
    let text = |what, accumulate| {
        let mut trainer = Trainer::task(Sgd::new(0.1), Wrong(what)).optimizer("d", Sgd::new(0.1)).quiet();
        trainer = trainer.accumulate(accumulate);
        trainer.fit(&mut gan(), real().batches(20), None).unwrap_err().to_string()
    };
    assert!(text("name", 1).contains("no optimizer is called `e`"));
    assert!(text("name", 1).contains("there are main, d"));
    assert!(text("foreign", 1).contains("`g.0.weight` of the part that is to learn is not of the model"));
    assert!(text("twice", 2).contains("takes several steps for a batch"));
    assert!(
        text("shape", 1).contains("epoch 1, batch 1 (samples 0, 1, 2 and 17 more)"),
        "{}",
        text("shape", 1)
    );
}

/// Judges a batch and takes no step.
struct Forgetful;

impl Task<Linear, Sample> for Forgetful {
    fn loss(&self, net: &Linear, b: &Sample) -> Step {
        mse(&b.x.apply(net), &b.y).into()
    }
    fn step(&self, net: &mut Linear, b: &Sample, _: &mut Cx<'_>) -> Result<Step> {
        Ok(self.loss(net, b))
    }
}

#[test]
fn a_run_without_a_step_is_told() {
    let set = InMemory::new(Tensor::ones([4, 1]), Tensor::zeros([4, 1]));
    let fit = |mut trainer: Trainer<Forgetful>| trainer.fit(&mut Linear::new(1, 1), set.batches(2), None);
    let e = fit(Trainer::task(Sgd::new(0.1), Forgetful).quiet()).unwrap_err().to_string();
    assert!(e.contains("no optimizer was used in the whole run") && e.contains("cx.descend"), "{e}");
}

#[test]
fn a_loss_with_a_derivative_by_its_inputs_is_validated() {
    let loss = |net: &Linear, b: &Sample| {
        let x = b.x.leaf();
        let y = x.apply(net);
        let [slope] = grad(&y.sum(..), [&x]);
        mse(&y, &b.y) + (slope - 1.0).square().mean(..)
    };
    let set = InMemory::new(Tensor::ones([4, 1]), Tensor::zeros([4, 1]));
    let mut trainer = Trainer::of(Sgd::new(0.1), loss).quiet();
    let history = trainer.fit(&mut Linear::new(1, 1), set.clone().batches(2), set.batches(2)).unwrap();
    assert!(history.rows[0].values.iter().any(|(name, value)| name == "val loss" && *value > 0.0));
}

/// Stopped in the middle of an epoch and gone on with, optimizers that average, look again or are watched give the same bits, and
/// what is validated and saved is what they are judged at.
#[test]
fn optimizers_that_average_or_look_again_resume_to_the_bit() {
    use mapsto_nn::optim::{Asgd, Lbfgs, Lookahead, Optimizer, Sam, ScheduleFreeAdamW, WeightEma};
    use mapsto_train::callbacks::{Checkpoint, ReduceOnPlateau};
    type Build = fn() -> Box<dyn Optimizer>;
    let all: [(&str, usize, Build); 6] = [
        ("schedule_free", 8, || Box::new(ScheduleFreeAdamW::new(0.05))),
        ("asgd", 8, || Box::new(Asgd::new(0.05).t0(2.0))),
        ("sam", 8, || Box::new(Sam::new(Adam::new(0.01)))),
        ("lookahead", 8, || Box::new(Lookahead::new(Sam::new(Sgd::new(0.05))).k(3))),
        ("ema", 8, || Box::new(WeightEma::new(Adam::new(0.02)).beta(0.8))),
        ("lbfgs", 64, || Box::new(Lbfgs::new(1.0).max_iter(3))),
    ];
    for (name, batch, build) in all {
        let folder = folder(name);
        let x = Tensor::linspace(-2.0, 2.0, 64).reshape([64, 1]);
        let set = InMemory::new(x.clone(), x.square());
        let model = || {
            mapsto_tensor::seed(3);
            seq![Linear::new(1, 8), Tensor::tanh, Dropout::new(0.1), Linear::new(8, 1)]
        };
        let trainer = || {
            let plateau = ReduceOnPlateau::watching("loss").patience(0).factor(0.7);
            Trainer::new(build(), mse)
                .epochs(4)
                .seed(7)
                .quiet()
                .folder(&folder)
                .on(Checkpoint::last())
                .on(plateau)
        };
        let mut whole = model();
        let expected =
            trainer().fit(&mut whole, set.batches(batch).seed(5).shuffle(), set.batches(64)).unwrap();
        // What was validated last is what the model holds now.
        let found = evaluate(&whole, &set.batches(64), &mse, &[]).unwrap();
        assert_eq!(Some(found.loss), expected.last("val loss"), "{name}");
        assert!(expected.last("val loss").unwrap() < expected.rows[0].values[1].1, "{name}: {expected:?}");

        let (interrupt, mut part) = (Interrupt::new(), model());
        let at = if batch == 64 { 2 } else { 13 };
        let mut stopped = trainer().interrupt(interrupt.clone()).on(StopAt(at, interrupt));
        assert!(
            stopped
                .fit(&mut part, set.batches(batch).seed(5).shuffle(), set.batches(64))
                .unwrap()
                .interrupted
        );
        let mut rest = model();
        let mut resumed = trainer().resume(folder.join("last.safetensors"));
        resumed.fit(&mut rest, set.batches(batch).seed(5).shuffle(), set.batches(64)).unwrap();
        assert_eq!(bits(&rest), bits(&whole), "{name}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn an_optimizer_that_looks_again_is_refused_where_it_cannot() {
    use mapsto_nn::optim::{Lbfgs, Sam};
    use mapsto_train::callbacks::ReduceOnPlateau;
    let set = InMemory::new(Tensor::ones([8, 1]), Tensor::ones([8, 1]));
    let mut model = Linear::new(1, 1);
    let mut message = |mut trainer: Trainer, batch: usize| {
        trainer.fit(&mut model, set.batches(batch), None).unwrap_err().message().to_string()
    };
    let lbfgs = || Trainer::new(Lbfgs::new(1.0), mse).quiet();
    assert!(
        message(lbfgs(), 4).contains("Lbfgs compares one step with the next, and an epoch has 2 batches")
    );
    assert!(message(lbfgs().clip_norm(1.0), 8).contains("Lbfgs needs the gradient as it is"));
    let sam = Trainer::new(Sam::new(Sgd::new(0.1)), mse).quiet().accumulate(2);
    assert!(message(sam, 4).contains("Sam(Sgd) computes the loss of its batch again"));
    let both =
        Trainer::new(Sgd::new(0.1), mse).quiet().schedule(Constant).on(ReduceOnPlateau::watching("loss"));
    assert_eq!(message(both, 4), "reduce_on_plateau: the schedule sets the learning rate at every step");
}
