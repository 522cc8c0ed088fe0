//! A language model of characters: `cargo run --release --example gpt`.
//!
//! A small GPT reads `examples/gpt.txt` in pieces of 64 characters and learns to say, at every place, which one comes
//! next. A text of two thousand characters it soon knows by heart; given a first word, it goes on in the same manner.

use mapsto::models::{Gpt, Sampling};
use mapsto::prelude::*;

const TEXT: &str = include_str!("gpt.txt");
const CONTEXT: usize = 64;

pub fn main() {
    seed(1);
    let mut alphabet: Vec<char> = TEXT.chars().collect();
    alphabet.sort();
    alphabet.dedup();
    let id = |c: char| alphabet.iter().position(|&a| a == c).expect("a letter of the text") as i64;
    let text = Tensor::from_vec(TEXT.chars().map(id).collect::<Vec<i64>>(), TEXT.chars().count());

    let mut model = Gpt::new(alphabet.len(), CONTEXT).blocks(2).width(128).heads(4).no_bias();
    println!("{}: {} parameters", model.describe(), model.parameter_count());
    let mut opt = AdamW::new(1e-3).decay(0.1);
    let mut last = 0.0;
    for step in 0..=600 {
        // 16 pieces from anywhere in the text, each with the same piece one character further as its answer.
        let starts = (Tensor::rand([16, 1]) * (text.len() - CONTEXT - 1) as f64).floor().to(DType::I64);
        let places = starts + Tensor::arange(0..CONTEXT as i64); // [16, 64]
        let piece = |places: Tensor| text.index_select(0, &places.flatten(0)).reshape([16, CONTEXT]);
        let (x, next) = (piece(places.clone()), piece(places + 1));
        let loss = train(|| cross_entropy(&model.forward(&x), &next));
        last = loss.item();
        opt.step(&mut model, loss.backward());
        if step % 100 == 0 {
            println!("step {step}: {last:.3} nats a character");
        }
    }

    let prompt: Vec<i64> = "The river".chars().map(id).collect();
    let sampling = Sampling::new().temperature(0.8).top_k(10);
    let more = model.generate(&prompt, 200, &sampling);
    println!("The river{}", more.iter().map(|&i| alphabet[i as usize]).collect::<String>());
    assert!(last < 0.25, "the loss is {last}");
}
