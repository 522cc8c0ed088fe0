//! The transforms against PyTorch's samples, `golden/transforms.jsonl`: results and derivatives of both orders.
#![cfg(test)]

use crate::*;
use mapsto_spec::Json;
use mapsto_tensor::check::assert_tensors_close;
use mapsto_tensor::prelude::*;
use mapsto_tensor::{grad_with, record};

fn list(json: Option<&Json>) -> Option<Vec<f64>> {
    Some(json?.list()?.iter().map(|v| v.number().expect("a number")).collect())
}

fn tensor(line: &Json, key: &str) -> Tensor {
    let of =
        |i| list(line.get(key).and_then(|pair| pair.index(i))).unwrap_or_else(|| panic!("{key} of {line}"));
    let shape: Vec<usize> = of(0).iter().map(|n| *n as usize).collect();
    Tensor::from_vec(of(1), &shape[..])
}

fn norm(line: &Json) -> Norm {
    match line.get("norm").and_then(Json::str) {
        Some("ortho") => Norm::Ortho,
        Some("forward") => Norm::Forward,
        _ => Norm::Backward,
    }
}

fn one(line: &Json) -> Transform {
    let int = |key: &str| line.get(key).and_then(Json::int);
    let how = Transform::new().norm(norm(line)).axis(int("dim").unwrap_or(-1) as isize);
    int("n").map_or(how, |n| how.n(n as usize))
}

fn many(line: &Json) -> TransformN {
    let axes = line
        .get("dim")
        .map(|dim| dim.int().map_or_else(|| list(Some(dim)).expect("axes"), |axis| vec![axis as f64]));
    let mut how = TransformN::new().norm(norm(line));
    if let Some(axes) = axes {
        how = how.axes(&axes.iter().map(|a| *a as isize).collect::<Vec<_>>());
    }
    match list(line.get("s")) {
        Some(sizes) => how.sizes(&sizes.iter().map(|n| *n as usize).collect::<Vec<_>>()),
        None => how,
    }
}

fn pieces(line: &Json) -> Stft {
    let int = |key: &str| line.get(key).and_then(Json::int).expect("an integer");
    let length = int("win_length") as usize;
    let how = Stft::new(int("n_fft") as usize).hop(int("hop") as usize).win_length(length);
    let how = how.window(&SignalWindow::Hamming.periodic_of(length, DType::F64));
    let how = if int("center") == 1 { how } else { how.not_centered() };
    let how = if int("normalized") == 1 { how.normalized() } else { how };
    let how = if int("onesided") == 1 { how } else { how.two_sided() };
    match line.get("pad_mode").and_then(Json::str) {
        Some("constant") => how.border(Border::Constant(0.0)),
        _ => how,
    }
}

fn call(line: &Json, x: &Tensor) -> Tensor {
    let op = line.get("op").and_then(Json::str).expect("a name");
    let is_complex = line.get("complex").and_then(Json::int) == Some(1);
    let z = || if is_complex { x.clone() } else { from_real(x) };
    match op {
        "fft" => fft_with(&z(), one(line)),
        "ifft" => ifft_with(&z(), one(line)),
        "rfft" => rfft_with(x, one(line)),
        "irfft" => irfft_with(&z(), one(line)),
        "hfft" => hfft_with(&z(), one(line)),
        "ihfft" => ihfft_with(x, one(line)),
        "fft2" => fft2_with(&z(), &many(line)),
        "ifft2" => ifft2_with(&z(), &many(line)),
        "rfft2" => rfft2_with(x, &many(line)),
        "irfft2" => irfft2_with(&z(), &many(line)),
        "fftn" => fftn_with(&z(), &many(line)),
        "ifftn" => ifftn_with(&z(), &many(line)),
        "rfftn" => rfftn_with(x, &many(line)),
        "irfftn" => irfftn_with(&z(), &many(line)),
        "hfft2" => hfft2_with(&z(), &many(line)),
        "ihfft2" => ihfft2_with(x, &many(line)),
        "hfftn" => hfftn_with(&z(), &many(line)),
        "ihfftn" => ihfftn_with(x, &many(line)),
        "stft" => stft(x, &pieces(line)),
        "istft" => istft(&z(), &pieces(line)),
        _ => panic!("{op}"),
    }
}

/// The gradient that arrives, as in `golden/transforms.py`.
fn wave(y: &Tensor) -> Tensor {
    Tensor::from_vec((0..y.len()).map(|k| (0.37 * k as f64 + 1.0).cos()).collect(), y.shape())
}

#[test]
fn transforms_and_their_derivatives_are_those_of_pytorch() {
    let mut lines = 0;
    for text in include_str!("../golden/transforms.jsonl").lines() {
        let line = Json::parse(text).expect("a line of JSON");
        let what = &text[..text.len().min(160)];
        let x = tensor(&line, "x").leaf();
        let y = call(&line, &x);
        let close = |found: &Tensor, key: &str| {
            assert_tensors_close(found, &tensor(&line, key), 1e-8, 1e-9, &format!("{key} of {what}"));
        };
        close(&y, "y");
        let sum = record(|| (&y * wave(&y)).sum(..));
        close(&grad_with(&sum, &Tensor::ones_like(&sum), &[&x])[0], "g");
        let sum = record(|| y.square().sum(..));
        let q = grad_with(&sum, &Tensor::ones_like(&sum), &[&x]).remove(0);
        let sum = record(|| (&q * wave(&q)).sum(..));
        close(&grad_with(&sum, &Tensor::ones_like(&sum), &[&x])[0], "h");
        lines += 1;
    }
    assert!(lines >= 190, "{lines} samples");
}
