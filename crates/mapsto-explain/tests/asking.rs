//! Methods that only ask the model: against captum, shap, lime and scikit-learn (`golden/asking.json`), and against the definition of
//! Shapley values.

use mapsto_explain::methods::{Occlusion, Pca, PermutationImportance, Tsne};
use mapsto_explain::{Ask, Features, METHODS, Model, Needs, Shown, method};
use mapsto_spec::Json;
use mapsto_tensor::prelude::*;
use mapsto_tensor::random::Keyed;
use std::collections::BTreeMap;

fn floats(json: &Json) -> Vec<f64> {
    json.list().expect("a list").iter().map(|v| v.number().expect("a number")).collect()
}

fn sizes(json: &Json) -> Vec<usize> {
    floats(json).into_iter().map(|n| n as usize).collect()
}

fn tensor_of(json: &Json) -> Tensor {
    let [shape, values] = [0, 1].map(|i| json.index(i).expect("a shape and values"));
    Tensor::from_vec(floats(values), &sizes(shape)[..])
}

/// A network of the golden file, made of its weights; without a name, what it is given.
fn network(json: &Json, name: &str) -> impl Fn(&Tensor) -> Tensor + use<> {
    let parts = json.get("nets").and_then(|nets| nets.get(name)).and_then(Json::list);
    let parts: Vec<Tensor> = parts.unwrap_or_default().iter().map(tensor_of).collect();
    move |x: &Tensor| match &parts[..] {
        [a, b, c, d] if a.rank() == 2 => (x.matmul(a) + b).tanh().matmul(c) + d,
        [w, b, c, d] => x.conv2d(w, Some(b), Default::default()).relu().flatten(1).matmul(c) + d,
        _ => x.clone(),
    }
}

/// R² of one score, accuracy of several.
fn metric(y: &Tensor, truth: &[f64]) -> f64 {
    let n = truth.len() as f64;
    if y.shape()[1] > 1 {
        let said = y.argmax(1).to_vec::<i64>();
        return said.iter().zip(truth).filter(|(a, b)| **a as f64 == **b).count() as f64 / n;
    }
    let mean = truth.iter().sum::<f64>() / n;
    let error: f64 = y.to_vec::<f64>().iter().zip(truth).map(|(y, t)| (y - t).powi(2)).sum();
    1.0 - error / truth.iter().map(|t| (t - mean).powi(2)).sum::<f64>()
}

/// What the crate answers to a case of the golden file.
fn answer(json: &Json, case: &Json) -> Result<Tensor> {
    let text = |key: &str| case.get(key).and_then(Json::str).expect("a text");
    let number = |key: &str| case.get(key).and_then(Json::number);
    let count = |key: &str| number(key).map(|n| n as usize);
    let input = |key: &str| Some(tensor_of(json.get("inputs")?.index(count(key)?)?));
    let f = network(json, text("net"));
    let (model, x) = (Model::asked(&f), input("x").expect("x"));
    let features = match case.get("features") {
        Some(of) => Features::new(sizes(of))?,
        None => Features::each(x.shape()[1..].iter().product()),
    };
    let mut ask =
        Ask { baseline: input("baseline"), width: number("width"), ..Ask::new() }.features(features.clone());
    ask = count("target").map_or(ask.clone(), |class| ask.class(class));
    ask.samples = count("samples");
    let flat = |rows: Vec<Vec<f64>>| {
        let shape = [rows.len(), rows[0].len()];
        Tensor::from_vec(rows.concat(), shape)
    };
    if let (Some(window), Some(step)) = (case.get("window"), case.get("step")) {
        return Occlusion.over(&model, &x, &ask, &sizes(window), &sizes(step))?.attributions();
    }
    if let Some(order) = case.get("orders") {
        let order: Vec<Vec<usize>> = order.list().expect("orders").iter().map(sizes).collect();
        let truth = input("truth").expect("truth").to_vec::<f64>();
        let orders = vec![order; features.len()];
        let found = PermutationImportance.by(&model, &x, &features, &orders, |y| Ok(metric(y, &truth)))?;
        let Shown::Importance { values, spread } = found.shown else { panic!("no importance") };
        return Ok(flat(vec![values, spread]));
    }
    if let Some(steps) = count("steps") {
        let perplexity = number("perplexity").expect("a perplexity");
        let (places, divergence) = Tsne::places(&x, input("start").as_ref(), perplexity, steps)?;
        return Ok(if steps == 1000 { Tensor::from_vec(vec![divergence], [1]) } else { places });
    }
    if let Some(shares) = case.get("shares") {
        let (places, found) = Pca::plane(&x)?;
        assert!(floats(shares).iter().zip(found).all(|(a, b)| (a - b).abs() < 1e-10), "{found:?}");
        return Ok(places);
    }
    let found = method(text("method"))?.explain(&model, &x, &ask)?;
    match (&found.shown, count("column")) {
        (Shown::Curves(curves), Some(column)) => {
            let curve = &curves[column];
            Ok(flat([vec![curve.at.clone(), curve.scores.clone()], curve.each.clone()].concat()))
        }
        _ => found.attributions(),
    }
}

#[test]
fn answers_are_those_of_captum_shap_lime_and_scikit_learn() {
    let json = Json::parse(include_str!("../golden/asking.json")).expect("JSON");
    let (mut compared, mut wrong): (BTreeMap<&str, usize>, Vec<String>) = Default::default();
    for (i, case) in json.get("cases").and_then(Json::list).expect("cases").iter().enumerate() {
        let name = case.get("method").and_then(Json::str).expect("a method");
        let found = answer(&json, case).unwrap_or_else(|e| panic!("{name}, case {i}: {e}"));
        let wanted = tensor_of(case.get("found").expect("what was found"));
        assert_eq!(found.shape(), wanted.shape(), "{name}, case {i}");
        // scikit-learn takes distances for t-SNE in f32.
        let (within, relative) = match name {
            "t-sne" => (1e-6, 1e-4),
            _ => (case.get("within").and_then(Json::number).unwrap_or(1e-9), 1e-9),
        };
        for (found, wanted) in found.to_vec::<f64>().iter().zip(wanted.to_vec::<f64>()) {
            let apart = (found - wanted).abs();
            if apart > within + relative * wanted.abs() {
                wrong.push(format!("{name}, case {i}: {found} and not {wanted}"));
            }
            *compared.entry(name).or_default() += 1;
        }
    }
    println!("numbers compared: {compared:?}");
    assert!(wrong.is_empty(), "{} numbers:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared.len() == 10 && compared.values().sum::<usize>() > 2000, "{compared:?}");
}

/// All orders of these players.
fn orders(players: &[usize]) -> Vec<Vec<usize>> {
    if players.is_empty() {
        return vec![vec![]];
    }
    let starting = |first: &usize| {
        let rest: Vec<usize> = players.iter().filter(|j| *j != first).copied().collect();
        orders(&rest).into_iter().map(|order| [vec![*first], order].concat()).collect::<Vec<_>>()
    };
    players.iter().flat_map(starting).collect()
}

/// The Shapley values of a game by their first definition: the mean over all orders of what each player adds.
fn by_orders(worth: &dyn Fn(&[bool]) -> f64, m: usize) -> Vec<f64> {
    let all = orders(&(0..m).collect::<Vec<_>>());
    let mut sums = vec![0.0; m];
    for order in &all {
        let mut inside = vec![false; m];
        for j in order {
            let before = worth(&inside);
            inside[*j] = true;
            sums[*j] += worth(&inside) - before;
        }
    }
    sums.into_iter().map(|sum| sum / all.len() as f64).collect()
}

/// What a model says of a batch.
type Says = Box<dyn Fn(&Tensor) -> Tensor>;

/// Models of five numbers in which the first two play the same part and the last plays none.
fn models(draw: &mut Keyed) -> Vec<Says> {
    let w: [f64; 5] = std::array::from_fn(|_| draw.normal());
    let all = |x: &Tensor| [0, 1, 2, 3].map(|k| x.select(1, k));
    vec![
        Box::new(move |x| {
            let [a, b, c, d] = all(x);
            (a + b) * w[0] + c * w[1] + d * w[2] + w[3]
        }),
        Box::new(move |x| {
            let [a, b, c, d] = all(x);
            (a * b * w[0] + c * w[1]).tanh() * (d * w[2]).exp()
        }),
        Box::new(move |x| {
            let [a, b, c, d] = all(x);
            (&a + &b - c * w[1]).relu() * w[4] + d.square() * a * b
        }),
    ]
}

#[test]
fn what_plays_the_same_part_gets_the_same_and_what_plays_none_gets_nothing() {
    let mut draw = Keyed::new(&[21]);
    let (mut symmetric, mut dummy, mut complete, mut enumerated) = (0, 0, 0, 0);
    for trial in 0..6 {
        let same = draw.normal();
        let row: Vec<f64> = [same, same].into_iter().chain((0..3).map(|_| draw.normal())).collect();
        let zero: Vec<f64> = [0.3, 0.3].into_iter().chain((0..3).map(|_| draw.normal())).collect();
        let (x, baseline) = (Tensor::from_vec(row.clone(), [1, 5]), Tensor::from_vec(zero.clone(), [5]));
        for f in models(&mut draw) {
            let model = Model::asked(&f);
            for method in METHODS.iter().filter(|m| m.needs() == Needs::Answers && !m.is_global()) {
                let (name, ask) = (method.name(), Ask::new().baseline(baseline.clone()).samples(64));
                // A counterfactual attributes nothing, and wants classes.
                let Ok(found) = method.explain(&model, &x, &ask) else {
                    assert_eq!(name, "counterfactual");
                    continue;
                };
                let values = found.attributions().unwrap().to_vec::<f64>();
                assert!((values[0] - values[1]).abs() < 1e-9, "{name}, {trial}: {values:?}");
                symmetric += 1;
                // The line that LIME fits is penalized and leans on all features.
                if name != "lime" {
                    assert!(values[4].abs() < 1e-9, "{name}, {trial}: {values:?}");
                    dummy += 1;
                }
                if !method.is_complete() {
                    continue;
                }
                let total = found.scores[0] - found.base.expect("a base")[0];
                assert!((values.iter().sum::<f64>() - total).abs() < 1e-9, "{name}, {trial}");
                complete += 1;
                let worth = |inside: &[bool]| {
                    let mixed =
                        (0..5).map(|j| if inside[j] { row[j] } else { zero[j] }).collect::<Vec<f64>>();
                    f(&Tensor::from_vec(mixed, [1, 5])).item()
                };
                for (value, wanted) in values.iter().zip(by_orders(&worth, 5)) {
                    assert!((value - wanted).abs() < 1e-9, "{name}, {trial}: {value} and not {wanted}");
                    enumerated += 1;
                }
            }
        }
    }
    println!(
        "compared: {symmetric} symmetries, {dummy} dummies, {complete} sums, {enumerated} values with all orders"
    );
    assert!(symmetric >= 80 && dummy >= 70 && complete >= 36 && enumerated >= 180);
}
