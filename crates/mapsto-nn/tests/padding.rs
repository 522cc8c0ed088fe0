//! Sequences of different lengths: what stands after the last step of a sequence changes no bit of the answer, of every layer that a file can name.

use mapsto_nn::prelude::*;
use mapsto_nn::{AtLengths, LAYERS};
use mapsto_spec::{Entry, Value};

const STEPS: usize = 5;
const LENGTHS: [usize; 4] = [3, 5, 1, 2];

/// Layers that read sequences, each with options that change how.
fn variants(name: &str, sample: Entry) -> Vec<Entry> {
    let with = |options: &[(&str, Value)]| {
        options.iter().fold(sample.clone(), |entry, (name, value)| entry.with_option(*name, value.clone()))
    };
    let yes = || Value::from(true);
    match name {
        "rnn" | "rnn_relu" | "lstm" | "gru" => vec![
            sample.clone(),
            with(&[("last", yes())]),
            with(&[("bidirectional", yes()), ("layers", 2_usize.into())]),
            with(&[("bidirectional", yes()), ("merge", "sum".into()), ("last", yes())]),
        ],
        "attention" => vec![
            sample.clone(),
            with(&[("causal", yes())]),
            with(&[("kv_heads", 1_usize.into()), ("rotary", 1.0.into()), ("bias_kv", yes())]),
            with(&[("alibi", yes()), ("window", 2_usize.into()), ("zero_attn", yes())]),
        ],
        "transformer_encoder_layer" | "transformer_encoder" | "transformer_block" => {
            vec![sample.clone(), with(&[("causal", yes())])]
        }
        _ => vec![sample],
    }
}

fn bits(x: &Tensor) -> Vec<u64> {
    x.to(DType::F64).to_vec::<f64>().into_iter().map(f64::to_bits).collect()
}

/// The steps that sequences have, and what stands for each sequence as a whole.
fn told(y: &AtLengths) -> Vec<Vec<u64>> {
    match y {
        AtLengths::Samples(y) => vec![bits(y)],
        AtLengths::Steps(y) => (0..LENGTHS.len())
            .map(|i| bits(&y.select(0, i as isize).slice(0, ..LENGTHS[i] as isize)))
            .collect(),
    }
}

/// `x` with something else after the last step of each sequence.
fn soiled(x: &Tensor, filth: f64) -> Tensor {
    let parts: Vec<Tensor> = (0..LENGTHS.len())
        .map(|i| {
            let (row, n) = (x.select(0, i as isize), LENGTHS[i] as isize);
            let mut shape = row.shape().to_vec();
            shape[0] -= LENGTHS[i];
            Tensor::cat(&[row.slice(0, ..n), Tensor::full_of(&shape[..], filth, row.dtype())], 0)
        })
        .collect();
    Tensor::stack(&parts, 0)
}

#[test]
fn a_padded_step_changes_no_bit_of_the_answer() {
    let (mut keep, mut refuse) = (Vec::new(), Vec::new());
    for kind in LAYERS {
        for entry in variants(kind.name, kind.sample()) {
            for input in [&[STEPS, 4][..], &[STEPS], &[STEPS, 6, 6]] {
                seed(4);
                let Ok(layer) = mapsto_spec::build::<dyn Layer>(&entry, input) else { continue };
                let shape = [&[LENGTHS.len()], input].concat();
                let ids = !layer.input_dtype().is_float();
                let x = match ids {
                    false => Tensor::randn(shape),
                    true => (Tensor::rand(shape) * 2.0).floor().to(DType::I64),
                };
                let Ok(Ok(y)) = catch(|| layer.at_lengths(&x, &LENGTHS)) else {
                    refuse.push(kind.name);
                    continue;
                };
                keep.push(kind.name);
                for filth in if ids { [1.0, 0.0, 1.0] } else { [1e6, -3.0, 0.0] } {
                    let other = layer.at_lengths(&soiled(&x, filth), &LENGTHS).unwrap();
                    assert!(
                        told(&other) == told(&y),
                        "{entry} on {input:?}: {filth} after the last step shows"
                    );
                }
                // The whole container: also what is not finite, and more padding, stay without effect, and so do they for gradients.
                let net = Masking::new(seq![mapsto_spec::build::<dyn Layer>(&entry, input).unwrap()]);
                let of = |x: &Tensor| bits(&net.forward_lengths(x, &LENGTHS));
                let clean = of(&x);
                if !ids {
                    assert!(of(&soiled(&x, f64::NAN)) == clean, "{entry}: NaN after the last step shows");
                    let leaf = soiled(&x, 7.0).leaf();
                    let loss = train(|| net.forward_lengths(&leaf, &LENGTHS).square().sum(..));
                    if loss.is_recorded() {
                        let grads = loss.backward();
                        let none = soiled(&grads.of(&leaf).clone(), 0.0);
                        assert!(bits(grads.of(&leaf)) == bits(&none), "{entry}: padding has a gradient");
                    }
                }
                let mut shape = x.shape().to_vec();
                shape[1] = 3;
                let longer = Tensor::cat(&[x.clone(), Tensor::full_of(&shape[..], 1.0, x.dtype())], 1);
                let y = net.forward_lengths(&x, &LENGTHS);
                let z = net.forward_lengths(&longer, &LENGTHS);
                let is_whole = matches!(layer.at_lengths(&x, &LENGTHS), Ok(AtLengths::Samples(_)));
                let z = if is_whole { z } else { z.slice(1, ..STEPS as isize) };
                assert!(bits(&z) == bits(&y), "{entry} on {input:?}: more padding shows");
            }
        }
    }
    keep.dedup();
    refuse.dedup();
    for name in [
        "linear",
        "layer_norm",
        "embedding",
        "lstm",
        "gru",
        "rnn",
        "rnn_relu",
        "attention",
        "transformer_block",
        "transformer_encoder_layer",
        "transformer_encoder",
        "feed_forward",
        "dropout",
        "residual",
        "parallel",
        "repeat",
        "sequential",
        "masking",
        "additive_attention",
        "luong_attention",
        "relu",
        "softmax",
        "rms_norm",
        "normalization",
    ] {
        assert!(keep.contains(&name), "{name} knows no lengths");
    }
    // What mixes steps, or looks at the whole batch, is refused.
    for name in ["conv1d", "flatten", "batch_norm1d", "max_pool1d", "global_avg_pool", "reshape", "permute"] {
        assert!(refuse.contains(&name) && !keep.contains(&name), "{name} is not refused");
    }
    println!("{} layers keep to lengths, {} are refused", keep.len(), refuse.len());
}

#[test]
fn sequences_of_a_batch_are_sequences_alone() {
    for name in ["rnn", "lstm", "gru", "attention", "transformer_encoder_layer", "transformer_block"] {
        seed(8);
        let kind = LAYERS.iter().find(|kind| kind.name == name).unwrap();
        for entry in variants(name, kind.sample()) {
            let net = Masking::new(seq![mapsto_spec::build::<dyn Layer>(&entry, &[STEPS, 4]).unwrap()]);
            let x = soiled(&Tensor::randn([4, STEPS, 4]), 0.0);
            let y = net.forward(&x);
            for (i, &n) in LENGTHS.iter().enumerate() {
                let (i, n) = (i as isize, n as isize);
                let alone = net.forward(&x.slice(0, i..i + 1).slice(1, ..n));
                let within = y.slice(0, i..i + 1);
                let within = if within.rank() == 3 { within.slice(1, ..n) } else { within };
                let off = (&alone - &within).abs().max(..).item();
                assert!(off < 1e-6, "{entry}: the sequence {i} alone is {off} off");
            }
        }
    }
}
