//! Golden numbers: what PyTorch, or a formula in NumPy, makes of every entry of a list, to which ours is held.
//!
//! The files stand in `golden/`, each beside the script that wrote it: one line for each setting, with the entry of a training
//! file.

#![cfg(test)]

mod momenta;
mod options;
mod swa;
mod transformers;

use crate::optim::{Looks, Objective, Part};
use crate::prelude::*;
use mapsto_spec::{Entry, Family, Json};
use mapsto_tensor::Device;
use mapsto_tensor::check::far;
use std::collections::BTreeSet;

/// The lines of a file, with their entries.
fn lines(text: &str) -> Vec<(Entry, Json)> {
    let read = |line: &str| {
        let json = Json::parse(line).unwrap();
        (Entry::from_json(json.get("entry").unwrap()).unwrap(), json)
    };
    text.lines().map(read).collect()
}

pub(crate) fn numbers(json: &Json) -> Vec<f64> {
    json.list().unwrap().iter().map(|x| x.number().unwrap()).collect()
}

/// That the lines are of every kind of a family, but for those that are proved in another way.
fn check_complete<T: Family + ?Sized>(lines: &[(Entry, Json)], others: &[&str]) {
    let seen: BTreeSet<&str> = lines.iter().map(|(entry, _)| entry.name.as_str()).collect();
    let kinds = T::kinds().iter().map(|kind| kind.name);
    let missing: Vec<&str> = kinds.filter(|name| !seen.contains(name) && !others.contains(name)).collect();
    assert!(missing.is_empty(), "no golden numbers of the {} {missing:?}", T::NOUN);
}

pub(crate) fn all_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * e.abs().max(1.0), "{what}: element {i} is {f}, not {e}");
    }
}

/// A matrix and a vector that an optimizer moves, with gradients that follow a formula.
struct Run {
    net: Linear,
    opt: Box<dyn Optimizer>,
    step: u64,
    is_valley: bool,
}

impl Run {
    fn new(entry: &Entry, device: Device, dtype: DType) -> Run {
        let mut net = Linear::new(4, 3);
        let start = |k: usize, n: usize| (0..n).map(|i| ((i + k) as f64).cos()).collect::<Vec<_>>();
        net.weight = Param::new(Tensor::from_vec(start(0, 12), [3, 4]).to(dtype).to_device(device));
        net.bias = Some(Param::new(Tensor::from_vec(start(1, 3), 3).to(dtype).to_device(device)));
        let opt = mapsto_spec::build::<dyn Optimizer>(entry, &()).unwrap();
        let is_valley = opt.looks() == Looks::AlwaysAtTheSame;
        Run { net, opt, step: 0, is_valley }
    }

    fn params(&self) -> [&Param; 2] {
        [&self.net.weight, self.net.bias.as_ref().unwrap()]
    }

    fn values(&self) -> Vec<f64> {
        self.params().iter().flat_map(|p| p.to(DType::F64).to_vec::<f64>()).collect()
    }

    fn advance(&mut self) {
        self.step += 1;
        let mut course = Course { net: &mut self.net, step: self.step, is_valley: self.is_valley };
        self.opt.descend(&mut course).unwrap();
    }

    /// The values that are to be judged.
    fn shown(&mut self) -> Vec<f64> {
        self.opt.eval(&mut self.net).unwrap();
        let shown = self.values();
        self.opt.train(&mut self.net).unwrap();
        shown
    }

    /// The same, continued by an optimizer that knows the saved state alone.
    fn resumed(&self, entry: &Entry) -> Run {
        let mut opt = mapsto_spec::build::<dyn Optimizer>(entry, &()).unwrap();
        let net = self.net.clone();
        opt.load_state(&net, &self.opt.state()).unwrap();
        Run { net, opt, ..*self }
    }
}

/// The parameters with their gradients: of a formula of the step, or in Rosenbrock's valley, for optimizers that look at the loss.
struct Course<'m> {
    net: &'m mut Linear,
    step: u64,
    is_valley: bool,
}

impl Objective for Course<'_> {
    fn model(&mut self) -> Part<'_> {
        Part::whole(self.net)
    }

    fn gradients(&mut self) -> mapsto_tensor::Result<(f64, Grads)> {
        let params = [&self.net.weight, self.net.bias.as_ref().unwrap()];
        let x: Vec<f64> = params.iter().flat_map(|p| p.to(DType::F64).to_vec::<f64>()).collect();
        let (mut loss, mut g) = (0.0, vec![0.0; x.len()]);
        for i in 0..x.len() {
            if !self.is_valley {
                let (k, i_of) = if i < 12 { (0, i) } else { (1, i - 12) };
                g[i] =
                    0.7 * x[i] * (1 + i_of % 3) as f64 + (0.9 * self.step as f64 + (i_of + k) as f64).sin();
            } else if i + 1 < x.len() {
                let (d, e) = (x[i + 1] - x[i] * x[i], 1.0 - x[i]);
                loss += 10.0 * d * d + e * e;
                g[i + 1] += 20.0 * d;
                g[i] += -40.0 * d * x[i] - 2.0 * e;
            }
        }
        let (mut grads, mut at) = (Grads::new(), 0);
        for p in params {
            let part = &g[at..at + p.len()];
            at += p.len();
            grads.insert(p.id(), Tensor::from_slice(part, p.shape()).to(p.dtype()).to_device(p.device()));
        }
        Ok((loss, grads))
    }
}

#[test]
fn every_optimizer_follows_the_trajectory_of_pytorch_or_of_its_paper() {
    let lines = lines(include_str!("../golden/optimizers.jsonl"));
    check_complete::<dyn Optimizer>(&lines, &[]);
    for (entry, json) in &lines {
        let golden = |t: u64| json.get("steps").and_then(|s| s.get(&t.to_string())).map(numbers);
        let mut run = Run::new(entry, Device::cpu(), DType::F64);
        let mut resumed: Option<Run> = None;
        for t in 1..=100 {
            run.advance();
            if let Some(golden) = golden(t) {
                all_close(&format!("{entry} after {t} steps"), &run.shown(), &golden, 1e-9);
            }
            match &mut resumed {
                Some(resumed) => resumed.advance(),
                None if t == 50 => resumed = Some(run.resumed(entry)),
                None => {}
            }
        }
        let bits = |run: &Run| run.values().into_iter().map(f64::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(&run), bits(&resumed.unwrap()), "{entry}: a saved state continues otherwise");
        for (device, dtype, tolerance) in
            [(Device::cpu(), DType::F32, 1e-4), (far::device(), DType::F64, 1e-9)]
        {
            let mut run = Run::new(entry, device, dtype);
            for t in 1..=10 {
                run.advance();
                if let Some(golden) = golden(t) {
                    let what = format!("{entry} in {dtype} on {device:?} after {t} steps");
                    // A few digits more or less lead to another place in the valley, and to the same end.
                    if !run.is_valley || dtype == DType::F64 || t <= 2 {
                        all_close(&what, &run.shown(), &golden, tolerance);
                    }
                }
            }
        }
    }
    assert!(lines.len() >= 48, "{} trajectories", lines.len());
}

pub(crate) fn tensor_of(json: &Json) -> Tensor {
    let shape = numbers(json.get("shape").unwrap()).into_iter().map(|n| n as usize).collect::<Vec<_>>();
    Tensor::from_vec(numbers(json.get("values").unwrap()), shape)
}

#[test]
fn every_loss_has_the_value_and_the_gradient_of_pytorch_or_of_its_paper() {
    let mut entries = Vec::new();
    for line in include_str!("../golden/losses.jsonl").lines() {
        let json = Json::parse(line).unwrap();
        let ys: Vec<Tensor> =
            json.get("outputs").and_then(Json::list).unwrap().iter().map(|y| tensor_of(y).leaf()).collect();
        let target = json.get("target").map(tensor_of);
        let ids = json.get("ids").and_then(Json::bool) == Some(true);
        let target = target.map(|t| if ids { t.to(DType::I64) } else { t });
        let loss = match json.get("entry") {
            Some(entry) => {
                let entry = Entry::from_json(entry).unwrap();
                let loss = mapsto_spec::build::<dyn Loss>(&entry, &()).unwrap();
                let (y, target) = (&ys[0], target.unwrap());
                let away = loss.loss(&y.to_device(far::device()), &target.to_device(far::device()));
                let here = loss.loss(y, &target);
                assert_eq!(away.device(), far::device(), "{entry}");
                all_close(&format!("{entry} on another device"), &[away.item()], &[here.item()], 1e-9);
                entries.push((entry, json.clone()));
                here
            }
            None => {
                let margin = json.get("margin").and_then(Json::number).unwrap();
                match (&ys[..], target, json.get("function").and_then(Json::str).unwrap()) {
                    ([a, b], Some(t), "cosine_embedding") => cosine_embedding(a, b, &t, margin),
                    ([a, b], Some(t), "margin_ranking") => margin_ranking(a, b, &t, margin),
                    ([a, p, n], None, "triplet_margin") => triplet_margin(a, p, n, margin),
                    _ => panic!("{line}"),
                }
            }
        };
        let what = line.split(", \"outputs\"").next().unwrap();
        all_close(what, &[loss.item()], &[json.get("loss").and_then(Json::number).unwrap()], 1e-9);
        let grads = loss.backward();
        let expected = json.get("gradients").and_then(Json::list).unwrap();
        for (y, expected) in ys.iter().zip(expected) {
            all_close(&format!("{what}: gradient"), &grads.of(y).to_vec::<f64>(), &numbers(expected), 1e-9);
        }
    }
    check_complete::<dyn Loss>(&entries, &[]);
    assert!(entries.len() >= 45, "{} losses", entries.len());
}

#[test]
fn every_schedule_has_the_rates_of_pytorch_or_of_its_formula() {
    let lines = lines(include_str!("../golden/schedules.jsonl"));
    check_complete::<dyn Schedule>(&lines, &[]);
    let horizon = Horizon { steps: 100, epoch: 10 };
    for (entry, json) in &lines {
        let schedule = mapsto_spec::build::<dyn Schedule>(entry, &horizon).unwrap();
        let rates: Vec<f64> = (0..horizon.steps).map(|t| schedule.lr(t, 0.5)).collect();
        all_close(&entry.to_string(), &rates, &numbers(json.get("rates").unwrap()), 1e-12);
        mapsto_spec::check_entry::<dyn Schedule>(entry, &horizon);
    }
}

#[test]
fn every_layer_gives_what_pytorch_gives_with_the_same_weights() {
    let lines = lines(include_str!("../golden/layers.jsonl"));
    for (entry, json) in &lines {
        let x = tensor_of(json.get("input").unwrap());
        let ids = json.get("ids").and_then(Json::bool) == Some(true);
        let mut model = ModelSpec::new(&x.shape()[1..], [entry.clone()]).build().unwrap();
        model.convert(DType::F64);
        let state = json.get("state").and_then(Json::object).unwrap();
        let state = state.iter().map(|(name, p)| (format!("0.{name}"), tensor_of(p)));
        model.load_state_dict(state, &Exceptions::none()).unwrap_or_else(|e| panic!("{entry}: {e}"));
        let x = if ids { x.to(DType::I64) } else { x };
        let expected = tensor_of(json.get("output").unwrap());
        for device in [Device::cpu(), far::device()] {
            model.to_device(device);
            let y = model.forward(&x.to_device(device));
            assert_eq!((y.shape(), y.device()), (expected.shape(), device), "{entry}");
            all_close(&format!("{entry} on {device:?}"), &y.to_vec::<f64>(), &expected.to_vec::<f64>(), 1e-9);
        }
    }
    // What makes numbers at random, is made of other layers, or is no layer of PyTorch's, is proved beside its definition;
    // what stood in training scripts before has golden losses of whole trainings, and attention and transformers a file of their own.
    let others = [
        "batch_norm1d",
        "batch_norm2d",
        "dropout",
        "flatten",
        "positional_embedding",
        "attention",
        "transformer_block",
        "transformer_encoder_layer",
        "transformer_encoder",
        "feed_forward",
        "rotary_embedding",
        "sinusoidal_embedding",
        "mixture_of_experts",
        "residual",
        "repeat",
        "sequential",
        "checkpointed",
        "channel_dropout",
        "drop_path",
        "alpha_dropout",
        "gaussian_noise",
        "gaussian_dropout",
        "squeeze_excite",
        "time_distributed",
        "masking",
        "feature_alpha_dropout",
        // Draws are given beside the definition, to PyTorch's function too; ids have formulas of their own.
        "fractional_max_pool2d",
        "fractional_max_pool3d",
        "discretization",
        "category_encoding",
        "hashing",
        "integer_lookup",
    ];
    check_complete::<dyn Layer>(&lines, &others);
}
