//! Answers of trained networks: one row through W2's, one image and sixteen through ResNet-18.

use crate::formula::{batch, fill, pictures};
use crate::golden::{assert_pytorchs, golden};
use crate::timing::{Mode, report, report_first, time};
use crate::training::mlp_net;
use mapsto::models::resnet18;
use mapsto::prelude::*;
use std::hint::black_box;

/// W2b1.
pub fn mlp(mode: Mode) {
    let mut model = mlp_net();
    fill(&mut model);
    run("W2b1", "W2b1", mode, &model, &pictures(0, 1));
}

/// W6b1.
pub fn resnet_one(mode: Mode) {
    resnet("W6b1", mode, 1);
}

/// W6b16.
pub fn resnet_sixteen(mode: Mode) {
    resnet("W6b16", mode, 16);
}

fn resnet(name: &str, mode: Mode, images: usize) {
    let mut model = resnet18(1000);
    fill(&mut model);
    run(name, "W6", mode, &model, &batch(0, &[images, 3, 224, 224]));
}

/// Holds the first scores of the first rows to PyTorch's, which has at most two rows of 20, then times the whole.
fn run(name: &str, line: &str, mode: Mode, model: &impl Layer, x: &Tensor) {
    let mut scores = Vec::new();
    let y = model.forward(x);
    let (rows, columns) = (x.shape()[0].min(2), y.shape()[1].min(20));
    for row in y.to_vec::<f32>().chunks_exact(y.shape()[1]).take(rows) {
        scores.extend(row[..columns].iter().map(|&v| v as f64));
    }
    if mode == Mode::First {
        return report_first(name);
    }
    let worst = assert_pytorchs(line, "score", &scores);
    let all = golden(line).len();
    eprintln!("# mapsto {name} {} of {all} scores at most {worst:.1e} from PyTorch's", scores.len());
    if mode == Mode::Time {
        report(name, time(|| drop(model.forward(black_box(x)))));
    }
}
