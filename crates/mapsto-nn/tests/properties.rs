//! What holds of every layer and every loss by what they are, whatever they compute. Gradients against differences in f64, and names,
//! are in `check_layer`, which the test of each layer calls.

use mapsto_kernels::threads::with_threads;
use mapsto_nn::losses::{LOSSES, Loss};
use mapsto_nn::prelude::*;
use mapsto_nn::{Exceptions, LAYERS};

const INPUTS: [&[usize]; 8] =
    [&[4], &[3, 4], &[4, 6], &[2, 6, 6], &[6, 4, 4], &[4, 6, 6], &[2, 4, 6, 6], &[2, 2, 3, 3, 3]];
const N: usize = 4;

/// Every layer on every input that it takes, of `N` samples.
fn each_layer(mut f: impl FnMut(&str, &dyn Fn() -> Box<dyn Layer>, &Tensor)) {
    let mut seen = Vec::new();
    for kind in LAYERS {
        for input in INPUTS {
            // Only one layer needs so many axes, and not every other one leaves room for the batch.
            if input.len() == 5 && kind.name != "conv_lstm3d" {
                continue;
            }
            let build = || mapsto_spec::build::<dyn Layer>(&kind.sample(), input);
            seed(3);
            let Ok(layer) = build() else { continue };
            let shape = [&[N], input].concat();
            let x = if layer.input_dtype().is_float() {
                Tensor::randn(shape)
            } else {
                // Ids that every layer of ids has.
                (Tensor::rand(shape) * 2.0).floor().to(DType::I64)
            };
            f(&format!("{} on {input:?}", kind.name), &|| build().expect("as before"), &x);
            seen.push(kind.name);
        }
    }
    seen.dedup();
    assert!(seen.len() >= LAYERS.len() - 3, "{} of {}", seen.len(), LAYERS.len());
}

fn bits(x: &Tensor) -> Vec<u64> {
    x.to(DType::F64).to_vec::<f64>().into_iter().map(f64::to_bits).collect()
}

/// How far two results are from each other, beside their size.
fn apart(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.shape(), b.shape());
    let off = (a.to(DType::F64) - b.to(DType::F64)).abs().max(..).item();
    off / (1.0 + b.to(DType::F64).abs().max(..).item())
}

fn gradients(layer: &dyn Layer, x: &Tensor) -> Vec<u64> {
    let y = train(|| layer.forward(x).square().sum(..));
    let params: Vec<Tensor> = layer.parameters().iter().map(|(_, p)| p.clone()).collect();
    if params.is_empty() {
        return Vec::new();
    }
    let grads = y.backward();
    params.iter().flat_map(|p| grads.get(p).map(bits).unwrap_or_default()).collect()
}

#[test]
fn a_batch_is_its_samples_in_any_split_and_any_order() {
    each_layer(|name, build, x| {
        let layer = build();
        let y = layer.forward(x);
        let of = |part: Tensor| layer.forward(&part);
        let halves = Tensor::cat(&[of(x.slice(0, ..1)), of(x.slice(0, 1..))], 0);
        assert!(apart(&halves, &y) < 2e-6, "{name}: parts of a batch give {} more", apart(&halves, &y));
        let order = tensor![2, 0, 3, 1];
        let (moved, wanted) = (of(x.index_select(0, &order)), y.index_select(0, &order));
        assert!(apart(&moved, &wanted) < 2e-6, "{name}: another order gives {} more", apart(&moved, &wanted));
    });
}

#[test]
fn saved_weights_give_the_same_bits_in_a_fresh_layer() {
    each_layer(|name, build, x| {
        let layer = build();
        // What a layer keeps of what it has seen is saved with it.
        let _ = train(|| layer.forward(x));
        let y = layer.forward(x);
        seed(99);
        let mut fresh = build();
        let report = fresh.load_state_dict(layer.state_dict(), &Exceptions::none()).expect("weights fit");
        assert!(report.is_complete(), "{name}");
        assert_eq!(bits(&fresh.forward(x)), bits(&y), "{name}");
    });
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    each_layer(|name, build, x| {
        let of = |threads: usize| {
            with_threads(threads, || {
                seed(5);
                let layer = build();
                (bits(&layer.forward(x)), gradients(&*layer, x))
            })
        };
        let one = of(1);
        assert!(one == of(2) && one == of(5), "{name}");
    });
}

/// Whether training gives something else than inference: only where a layer draws numbers or looks at its batch.
#[test]
fn training_differs_from_inference_only_where_it_is_meant_to() {
    let mut differ = Vec::new();
    each_layer(|name, build, x| {
        let layer = build();
        let before = layer.forward(x);
        let trained = train(|| layer.forward(x)).detach();
        if apart(&trained, &before) > 2e-6 {
            differ.push(name.split(' ').next().expect("a name").to_string());
        }
        assert_eq!(bits(&layer.forward(x)), bits(&layer.forward(x)), "{name}: inference is not repeatable");
    });
    differ.dedup();
    let wrong: Vec<_> = differ.iter().filter(|name| !MEANT.contains(&&***name)).collect();
    assert!(wrong.is_empty(), "{wrong:?} differ in training from inference");
}

/// Layers that draw numbers in training, or look at the whole batch.
const MEANT: &[&str] = &[
    "alpha_dropout",
    "batch_norm1d",
    "batch_norm2d",
    "batch_norm3d",
    "channel_dropout",
    "drop_path",
    "dropout",
    "feature_alpha_dropout",
    "fractional_max_pool2d",
    "fractional_max_pool3d",
    "gaussian_dropout",
    "gaussian_noise",
    "rrelu",
    "spectral_norm",
    "transformer_encoder",
    "transformer_encoder_layer",
];

/// Outputs and targets of which every loss takes some.
fn pairs() -> Vec<(Tensor, Tensor)> {
    seed(6);
    let (n, k) = (6, 5);
    let scores = Tensor::randn([n, k]);
    let probabilities = Tensor::randn([n, k]).softmax(-1);
    let yes = Tensor::rand([n, k]).gt(0.5).to(DType::F32);
    let outputs = [scores.clone(), probabilities.clone(), scores.log_softmax(-1), Tensor::randn([n, 2 * k])];
    let targets = [
        Tensor::randn([n, k]),
        yes.clone(),
        &yes * 2.0 - 1.0,
        (Tensor::rand([n, k]) * 7.0).floor(),
        probabilities,
        (Tensor::rand([n]) * k as f64).floor().to(DType::I64),
        tensor![0, 1, 2, 0, 1, 2],
    ];
    let mut all = Vec::new();
    for y in &outputs {
        all.extend(targets.iter().map(|t| (y.clone(), t.clone())));
    }
    all
}

#[test]
fn losses_are_means_of_values_and_know_no_order_of_samples() {
    let (mut seen, mut summed, pairs) = (Vec::new(), Vec::new(), pairs());
    for kind in LOSSES {
        let entry = kind.sample();
        let build = || mapsto_spec::build::<dyn Loss>(&entry, &()).expect("its own sample");
        let sum = mapsto_spec::build::<dyn Loss>(&entry.clone().with_option("reduction", "sum"), &());
        for (y, target) in &pairs {
            let Ok(value) = catch(|| build().loss(y, target)) else { continue };
            seen.push(kind.name);
            let order = tensor![4, 2, 0, 5, 1, 3];
            let moved = build().loss(&y.index_select(0, &order), &target.index_select(0, &order));
            assert!(apart(&moved, &value) < 2e-6, "{}: another order gives {moved}, not {value}", kind.name);
            let Ok(sum) = &sum else { continue };
            let whole = sum.loss(y, target).item();
            let each = build().pointwise().expect("a sum has values").each(y, target);
            assert!((whole - each.sum(..).item()).abs() < 1e-4 * whole.abs().max(1.0), "{}", kind.name);
            let mean = whole / each.len() as f64;
            assert!(
                (mean - value.item()).abs() < 1e-5 * mean.abs().max(1.0),
                "{}: {mean}, {value}",
                kind.name
            );
            summed.push(kind.name);
        }
    }
    seen.dedup();
    summed.dedup();
    // CTC has sequences of its own, and its test goes over their order.
    let missing: Vec<&str> = LOSSES.iter().map(|k| k.name).filter(|name| !seen.contains(name)).collect();
    assert_eq!(missing, ["ctc"], "these take none of the outputs and targets");
    assert!(summed.len() > 15, "{summed:?}");
}
