//! Averaged weights beside PyTorch's: `golden/swa.py` writes the numbers.

use super::{all_close, numbers};
use crate::prelude::*;
use crate::schedules::SwaLr;
use crate::update_bn;
use mapsto_spec::Json;
use mapsto_tensor::DType;

fn lines(kind: &str) -> Vec<Json> {
    let text = include_str!("../../golden/swa.jsonl");
    let lines = text.lines().map(|line| Json::parse(line).unwrap());
    lines.filter(|line| line.get("kind").and_then(Json::str) == Some(kind)).collect()
}

#[test]
fn the_learning_rate_goes_as_swalr() {
    let lines = lines("swalr");
    assert_eq!(lines.len(), 5);
    for line in lines {
        let number = |key: &str| line.get("setting").and_then(|s| s.get(key)?.number()).unwrap();
        let schedule = SwaLr::new(number("swa_lr"), number("anneal") as u64);
        let schedule = if number("linear") == 1.0 { schedule.linear() } else { schedule };
        let expected = numbers(line.get("numbers").unwrap());
        let found: Vec<f64> = (0..9).map(|t| schedule.lr(t, number("base"))).collect();
        all_close(&line.to_string(), &found, &expected, 1e-12);
    }
}

#[test]
fn a_training_has_the_averages_and_statistics_of_pytorch() {
    let line = &lines("training")[0];
    let list = |json: &Json| json.list().unwrap().iter().map(numbers).collect::<Vec<_>>();
    let [x, y] = ["x", "y"].map(|key| numbers(line.get(key).unwrap()));
    let (x, y) = (Tensor::from_vec(x, [4, 8, 3]), Tensor::from_vec(y, [4, 8, 1]));
    let [x, y] = [x.to(DType::F32), y.to(DType::F32)];
    let build = || seq![Linear::new(3, 4), BatchNorm1d::new(4), Linear::new(4, 1)];
    let (mut net, mut shown) = (build(), build());
    let start = list(line.get("start").unwrap());
    let named = net.state_dict().into_iter().zip(&start);
    let start: Vec<(String, Tensor)> = named
        .map(|((name, t), v)| (name, Tensor::from_vec(v.clone(), v.len()).reshape(t.shape()).to(DType::F32)))
        .collect();
    net.load_state_dict(start, &Exceptions::none()).unwrap();
    let (mut opt, mut swa) = (Sgd::new(0.1), Swa::new(&net));
    let mut expected = list_of_lists(line.get("epochs").unwrap()).into_iter();
    for epoch in 1..=5 {
        for i in 0..4 {
            let (x, y) = (x.select(0, i), y.select(0, i));
            let grads = train(|| mse(&net.forward(&x), &y)).backward();
            opt.step(&mut net, grads);
        }
        if epoch >= 2 {
            swa.update(&net);
            swa.apply_to(&mut shown).unwrap();
            update_bn(&shown, (0..4).map(|i| x.select(0, i)));
            for ((name, found), expected) in shown.state_dict().iter().zip(expected.next().unwrap()) {
                let found: Vec<f64> = found.to(DType::F64).to_vec();
                all_close(&format!("{name} after epoch {epoch}"), &found, &expected, 2e-5);
            }
        }
    }
    assert!(expected.next().is_none());
}

fn list_of_lists(json: &Json) -> Vec<Vec<Vec<f64>>> {
    json.list().unwrap().iter().map(|epoch| epoch.list().unwrap().iter().map(numbers).collect()).collect()
}
