//! Looking into steps changes no bit of a training, finds what is there, and goes on where a run is resumed.

use mapsto_data::prelude::*;
use mapsto_nn::prelude::*;
use mapsto_nn::{Item, ItemMut, Path};
use mapsto_spec::Json;
use mapsto_train::callbacks::{Checkpoint, Health, each_step};
use mapsto_train::{History, Interrupt, Trainer};
use std::path::PathBuf;

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("mapsto-health-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

fn net() -> Sequential {
    seed(3);
    seq![
        Conv2d::new(1, 4, 3).padding(1),
        BatchNorm2d::new(4),
        Tensor::relu,
        Flatten::new(),
        Dropout::new(0.2),
        Linear::new(64, 8),
        Tensor::tanh,
        Linear::new(8, 3)
    ]
}

fn set() -> InMemory {
    seed(4);
    InMemory::new(Tensor::randn([96, 1, 4, 4]), Tensor::randint([96], 0..3))
}

fn weights(model: &Sequential) -> Vec<(String, Vec<u32>)> {
    let bits = |t: &Tensor| t.to_vec::<f32>().into_iter().map(f32::to_bits).collect();
    model.state_dict().iter().map(|(name, t)| (name.clone(), bits(t))).collect()
}

type Made = fn() -> Box<dyn Optimizer>;

fn optimizers() -> Vec<(&'static str, Made)> {
    vec![
        ("sgd", || Box::new(Sgd::new(0.05).momentum(0.9))),
        ("adam", || Box::new(Adam::new(1e-2))),
        ("adamw", || Box::new(AdamW::new(1e-2))),
    ]
}

#[test]
fn no_bit_of_the_training_changes() {
    for (name, optimizer) in optimizers() {
        for precision in [DType::F32, DType::BF16, DType::F16] {
            for accumulate in [1, 3] {
                let train = |looks: bool| -> (Vec<(String, Vec<u32>)>, History) {
                    let mut model = net();
                    let place = folder(name);
                    let mut trainer = Trainer::boxed(optimizer(), Box::new(cross_entropy))
                        .epochs(35)
                        .seed(9)
                        .precision(precision)
                        .accumulate(accumulate)
                        .clip_norm(1.0)
                        .folder(&place)
                        .quiet();
                    if looks {
                        trainer = trainer.on(Health::new());
                    }
                    let history =
                        trainer.fit(&mut model, set().batches(32).shuffle(), set().batches(48)).unwrap();
                    assert_eq!(place.join(Health::FILE).exists(), looks);
                    let _ = std::fs::remove_dir_all(place);
                    (weights(&model), history)
                };
                let ((without, a), (with, b)) = (train(false), train(true));
                assert!(
                    without == with,
                    "{name} in {precision}, {accumulate} batches a step: the bits are others"
                );
                let losses = |h: &History| h.rows.iter().map(|r| r.values.clone()).collect::<Vec<_>>();
                assert_eq!(losses(&a), losses(&b));
            }
        }
    }
}

#[test]
fn the_numbers_are_those_of_the_weights() {
    let place = folder("numbers");
    let mut model = seq![Linear::new(2, 3).no_bias(), Tensor::relu, Linear::new(3, 1).no_bias()];
    // The second unit is dead on every sample: its weights are below 0 and the inputs are not.
    let first = tensor![[1.0, 1.0], [-1.0, -1.0], [0.5, 0.25]];
    model.visit_mut(&mut Path::new(), &mut |path, item| {
        if let (ItemMut::Param(p), "0.weight") = (item, &*path.to_string()) {
            p.set(&first).unwrap();
        }
    });
    let (x, y) = (Tensor::linspace(0.1, 1.0, 80).reshape([40, 2]), Tensor::ones([40, 1]));
    let set = InMemory::new(x, y);
    let before = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = before.clone();
    let mut trainer = Trainer::new(Sgd::new(1e-3), mse)
        .epochs(10)
        .folder(&place)
        .on(Health::new())
        .on(each_step(move |run| {
            let mut state = Vec::new();
            run.model.visit(&mut Path::new(), &mut |_, item| {
                if let Item::Param(p) = item {
                    state.push(p.to_vec::<f32>());
                }
            });
            seen.lock().unwrap().push(state);
            Ok(())
        }))
        .quiet();
    trainer.fit(&mut model, set.batches(40), None).unwrap();
    let text = std::fs::read_to_string(place.join(Health::FILE)).unwrap();
    let look = Json::parse(text.lines().next().unwrap()).unwrap();
    assert_eq!((look.get("step").and_then(Json::int), text.lines().count()), (Some(10), 1));
    let steps = before.lock().unwrap();
    let norm = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    for (i, name) in ["0", "2"].into_iter().enumerate() {
        let layer = look.get("layers").and_then(|l| l.index(i)).unwrap();
        assert_eq!(layer.get("layer").and_then(Json::str), Some(name));
        let (old, new) = (&steps[8][i], &steps[9][i]);
        let change: Vec<f32> = new.iter().zip(old).map(|(a, b)| a - b).collect();
        let number = |key: &str| layer.get(key).and_then(Json::number).unwrap();
        assert!((number("update") - norm(&change) / norm(old)).abs() < 1e-6, "{text}");
        // Plain descent: the change is the gradient times the learning rate, rounded to the weights' digits.
        assert!((number("gradient") * 1e-3 / norm(&change) - 1.0).abs() < 1e-2, "{text}");
    }
    let unit = look.get("units").and_then(|u| u.index(0)).unwrap();
    assert_eq!(unit.get("after").and_then(Json::str), Some("0"));
    assert!((unit.get("dead").and_then(Json::number).unwrap() - 1.0 / 3.0).abs() < 1e-12, "{text}");
    let _ = std::fs::remove_dir_all(place);
}

#[test]
fn a_resumed_run_has_the_lines_of_an_uninterrupted_one() {
    let train = |stop: Option<u64>, place: &PathBuf| {
        let mut history = None;
        for resumes in [false, true] {
            let mut model = net();
            let interrupt = Interrupt::new();
            let raised = interrupt.clone();
            let mut trainer = Trainer::new(Adam::new(1e-2), cross_entropy)
                .epochs(80)
                .seed(9)
                .folder(place)
                .interrupt(interrupt)
                .on(Checkpoint::last())
                .on(Health::new())
                .on(each_step(move |run| {
                    if !resumes && stop == Some(run.pace.step) {
                        raised.request();
                    }
                    Ok(())
                }))
                .quiet();
            if resumes {
                if stop.is_none() {
                    break;
                }
                // What a process would have written that went on and was killed.
                let path = place.join(Health::FILE);
                let mut text = std::fs::read_to_string(&path).unwrap();
                text += "{\"step\":99999,\"found\":\"dead\",\"text\":\"later\",\"help\":\"\"}\nno line\n";
                std::fs::write(&path, text).unwrap();
                trainer = trainer.resume(place.join("last.safetensors"));
            }
            history = Some(trainer.fit(&mut model, set().batches(32).shuffle(), None).unwrap());
        }
        (std::fs::read_to_string(place.join(Health::FILE)).unwrap(), history.unwrap().rows.len())
    };
    let (whole, stopped) = (folder("whole"), folder("stopped"));
    let wanted = train(None, &whole);
    assert_eq!(wanted.0.lines().filter(|l| l.contains("\"layers\"")).count(), 4, "{}", wanted.0);
    assert_eq!(train(Some(131), &stopped), wanted);
    for place in [whole, stopped] {
        let _ = std::fs::remove_dir_all(place);
    }
}
