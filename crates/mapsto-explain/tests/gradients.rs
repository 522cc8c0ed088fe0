//! What captum attributes to the inputs of small networks, method for method.

use mapsto_explain::{Ask, Model, method};
use mapsto_nn::prelude::*;
use mapsto_nn::{ItemMut, Path};
use mapsto_spec::Json;
use std::collections::BTreeMap;

fn by_formula(shape: &[usize], k: f64, scale: f64) -> Tensor {
    let n: usize = shape.iter().product();
    Tensor::from_vec((0..n).map(|i| scale * (0.7 * i as f64 + k).cos()).collect(), shape)
}

/// The network of golden/gradients.py with this name, and the shape of its inputs.
fn network(name: &str) -> (Sequential, Vec<usize>) {
    let (mut net, shape) = match name {
        "mlp" => (
            seq![Linear::new(5, 8), Tensor::relu, Linear::new(8, 6), Tensor::tanh, Linear::new(6, 3)],
            vec![4, 5],
        ),
        "smooth" => (
            seq![Linear::new(5, 7), Tensor::sigmoid, Linear::new(7, 6), Tensor::softplus, Linear::new(6, 3)],
            vec![4, 5],
        ),
        "cnn" => (
            seq![
                Conv2d::new(2, 4, 3).padding(1),
                Tensor::relu,
                MaxPool2d::new(2),
                Conv2d::new(4, 5, 3),
                Tensor::relu,
                Flatten::new(),
                Linear::new(20, 3)
            ],
            vec![3, 2, 8, 8],
        ),
        _ => (
            seq![
                Conv2d::new(1, 3, 3),
                |x: &Tensor| x.elu(1.0),
                Conv2d::new(3, 4, 3).stride(2),
                Tensor::softplus,
                AvgPool2d::new(2),
                Flatten::new(),
                Linear::new(4, 3)
            ],
            vec![2, 1, 8, 8],
        ),
    };
    let mut k = 0;
    net.visit_mut(&mut Path::new(), &mut |_, item| {
        if let ItemMut::Param(p) = item {
            let fan = if p.rank() > 1 { p.len() / p.shape()[0] } else { 100 };
            k += 1;
            *p = Param::new(by_formula(p.shape(), f64::from(k), 2.0 / (fan as f64).sqrt()));
        }
    });
    (net, shape)
}

#[test]
fn methods_by_gradients_agree_with_captum() {
    let (mut compared, mut numbers) = (BTreeMap::<String, usize>::new(), 0);
    for line in include_str!("../golden/gradients.jsonl").lines() {
        let line = Json::parse(line).unwrap();
        let word = |key: &str| line.get(key).unwrap().str().unwrap().to_string();
        let list = |key: &str| -> Vec<f64> {
            line.get(key).unwrap().list().unwrap().iter().map(|v| v.number().unwrap()).collect()
        };
        let (net, shape) = network(&word("net"));
        let x = by_formula(&shape, 0.3, 1.5);
        let with = |n: usize| [vec![n], shape[1..].to_vec()].concat();
        let ask = Ask::new().classes(list("classes").iter().map(|c| *c as usize).collect());
        let ask = match word("baseline").as_str() {
            "one" => ask.baseline(by_formula(&with(1), 0.9, 0.5)),
            "three" => ask.baseline(by_formula(&with(3), 2.2, 0.5)),
            _ => ask,
        };
        let name = word("method");
        let found = method(&name).unwrap().explain(&Model::of(&net), &x, &ask).unwrap();
        let found = found.attributions().unwrap().to_vec::<f64>();
        let wanted = list("values");
        assert_eq!(found.len(), wanted.len());
        for (i, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
            let gap = (found - wanted).abs() / wanted.abs().max(1.0);
            assert!(
                gap < 1e-9,
                "{} {name} {}: number {i} is {found}, not {wanted}",
                word("net"),
                word("baseline")
            );
        }
        *compared.entry(name).or_default() += 1;
        numbers += wanted.len();
    }
    assert!(compared.len() >= 7 && numbers > 3000, "{compared:?}");
    println!("{numbers} numbers of captum compared: {compared:?}");
}
