//! W5bf16: W5 with the operands of its matrix products rounded to bf16, and whether a model learns as well by them.

use crate::timing::Mode;
use crate::training::{gpt_steps, gpt_training};
use mapsto::models::Gpt;
use mapsto::prelude::*;
use mapsto::{MatmulPrecision, with_matmul_precision};

/// How far losses in bf16 may lie from those in f32, as a share of them.
const NEAR: f64 = 0.005;

/// W5bf16: its first losses are held to PyTorch's of W5 in f32, and a text is learnt in both precisions: by W5's network
/// after it has been timed, by a small one where nothing is timed.
///
/// The text is another than W5's batch, which the network learns by heart: from step 25 on PyTorch itself goes another way
/// when its first weights change by a millionth (after 50 steps its loss is then 37 % lower), and so does every rounding.
/// W5's learning rate of 1e-3 does the same to the text (1.3 %); with 3e-4 the millionth changes 0.001 %.
pub fn run(mode: Mode) {
    with_matmul_precision(MatmulPrecision::Bf16, || {
        gpt_training("W5bf16").run_held(gpt_steps(mode), "W5", |loss| NEAR * loss, mode);
    });
    seed(1);
    match mode {
        Mode::First => {}
        Mode::Check => compare(Gpt::new(65, 64).blocks(2).width(64).heads(4).no_bias(), 64),
        Mode::Time => compare(Gpt::new(65, 256).no_bias(), 256),
    }
}

/// Requires the loss after 50 steps over a text to be the same in both precisions, nearly.
fn compare(model: Gpt, context: usize) {
    let after = |precision| after_50_steps(model.clone(), context, precision);
    let (exact, coarse) = (after(MatmulPrecision::Highest), after(MatmulPrecision::Bf16));
    let off = coarse / exact - 1.0;
    eprintln!(
        "# mapsto W5bf16 50 steps over a text ({} parameters): loss {coarse:.6}, in f32 {exact:.6}: {:+.3} %",
        model.parameter_count(),
        100.0 * off
    );
    assert!(exact < 2.7, "f32 has learnt little in 50 steps: its loss is {exact}");
    assert!(off != 0.0 && off.abs() < NEAR, "the loss in bf16 is {coarse}, in f32 {exact}");
}

/// The loss of the 51st batch of pieces of a text of two thousand characters.
fn after_50_steps(mut model: Gpt, context: usize, precision: MatmulPrecision) -> f64 {
    let text = include_str!("../../../examples/gpt.txt");
    let mut alphabet: Vec<char> = text.chars().collect();
    alphabet.sort();
    alphabet.dedup();
    let id = |c| alphabet.binary_search(&c).expect("a letter of the text") as i64;
    let text = Tensor::from_vec(text.chars().map(id).collect::<Vec<i64>>(), text.chars().count());
    // The width decides how fast a network may learn: 1e-3 for one of 64.
    let lr = if model.norm.size() > 64 { 3e-4 } else { 1e-3 };
    let mut opt = AdamW::new(lr).decay(0.1);
    seed(2);
    let mut last = f64::NAN;
    for _ in 0..=50 {
        let starts = (Tensor::rand([8, 1]) * (text.len() - context - 1) as f64).floor().to(DType::I64);
        let places = starts + Tensor::arange(0..context as i64); // [8, context]
        let piece = |places: Tensor| text.index_select(0, &places.flatten(0)).reshape([8, context]);
        let (x, next) = (piece(places.clone()), piece(places + 1));
        let loss = with_matmul_precision(precision, || train(|| cross_entropy(&model.forward(&x), &next)));
        last = loss.item();
        opt.step(&mut model, loss.backward());
    }
    last
}
