//! The gradients of each sample, of every kind of layer: against a pass for each sample alone.

use mapsto_nn::LAYERS;
use mapsto_nn::prelude::*;
use mapsto_tensor::graph::per_sample_grads;

const INPUTS: [&[usize]; 7] = [&[4], &[3, 4], &[4, 6], &[2, 6, 6], &[6, 4, 4], &[4, 6, 6], &[2, 4, 6, 6]];

#[test]
fn every_layer_has_the_gradients_of_each_sample() {
    const N: usize = 4;
    let (mut seen, mut refused) = (Vec::new(), Vec::new());
    for kind in LAYERS {
        for input in INPUTS {
            seed(3);
            let Ok(mut layer) = mapsto_spec::build::<dyn Layer>(&kind.sample(), input) else { continue };
            if layer.parameter_count() == 0 {
                continue;
            }
            layer.convert(DType::F64);
            let shape = [&[N], input].concat();
            let x = if layer.input_dtype().is_float() {
                Tensor::randn(shape).to(DType::F64)
            } else {
                // Ids that every layer of ids has.
                (Tensor::rand(shape) * 2.0).floor().to(DType::I64)
            };
            let weights = Tensor::randn(layer.forward(&x).shape()[1..].to_vec()).to(DType::F64);
            // A loss that asks for the whole output, and whose derivative does too.
            let losses = |x: &Tensor| {
                let y = layer.forward(x) * &weights;
                (y.square() + &y).reshape([x.shape()[0], weights.len()]).sum(1)
            };
            let params: Vec<Tensor> = layer.parameters().iter().map(|(_, p)| p.clone()).collect();
            let found = per_sample_grads(&record(|| losses(&x)), &params);
            for i in 0..N {
                let alone = record(|| losses(&x.slice(0, i as isize..i as isize + 1))).sum(..);
                for (k, wanted) in grad_or_zeros(&alone, &params).iter().enumerate() {
                    let got = found[k].select(0, i as isize);
                    let off = (&got - wanted).abs().max(..).item();
                    let name = &layer.parameters()[k].0;
                    assert!(
                        off <= 1e-9 * (1.0 + wanted.abs().max(..).item()),
                        "{} on {input:?}: {name} of sample {i} is off by {off}",
                        kind.name
                    );
                }
            }
            // In training, what mixes samples is refused by name, and nothing else is.
            match catch(|| per_sample_grads(&train(|| losses(&x)), &params)) {
                Ok(found) => assert!(found.iter().all(Tensor::is_finite)),
                Err(e) => {
                    assert!(
                        e.message().contains("mixes the samples of a batch in training"),
                        "{}: {e}",
                        kind.name
                    );
                    refused.push(kind.name);
                }
            }
            seen.push(kind.name);
        }
    }
    refused.dedup();
    assert_eq!(refused, ["batch_norm1d", "batch_norm2d", "batch_norm3d"]);
    seen.dedup();
    for name in [
        "linear",
        "conv1d",
        "conv2d",
        "conv_transpose2d",
        "embedding",
        "layer_norm",
        "lstm",
        "gru",
        "rnn",
        "attention",
        "transformer_block",
        "prelu",
    ] {
        assert!(seen.contains(&name), "{name} is not among {seen:?}");
    }
}

#[test]
fn the_sum_over_samples_is_the_gradient_of_the_sum() {
    seed(8);
    let net =
        seq![Conv2d::new(1, 4, 3), Tensor::relu, GroupNorm::new(2, 4), Flatten::new(), Linear::new(64, 5)];
    let (x, ids) = (Tensor::randn([7, 1, 6, 6]), tensor![0, 1, 2, 3, 4, 0, 1]);
    let losses = train(|| -(net.forward(&x).log_softmax(-1) * ids.one_hot(5).to(DType::F32)).sum(1));
    let params: Vec<Tensor> = net.parameters().iter().map(|(_, p)| p.clone()).collect();
    let found = per_sample_grads(&losses, &params);
    let grads = losses.sum(..).backward();
    for (p, each) in params.iter().zip(&found) {
        assert_close!(each.sum(0), grads.of(p));
    }
}

/// Losses of pairs, as contrastive ones are: each sample is mixed with one that is far away in the batch.
#[test]
fn a_pair_is_seen_as_mixed_wherever_it_stands() {
    seed(4);
    for (n, i, j) in [(38, 0, 37), (64, 5, 42), (80, 11, 48), (30, 0, 24), (50, 1, 49)] {
        let (x, w) = (Tensor::randn([n, 3]), Tensor::randn([1, 3]).parameter());
        let mut places: Vec<i64> = (0..n as i64).collect();
        places.swap(i, j);
        let at = Tensor::from_vec(places, n);
        let losses = train(|| {
            let h = x.linear(&w, None).squeeze(1);
            (&h - h.index_select(0, &at)).square() + h.square()
        });
        let each = &per_sample_grads(&losses, &[&w])[0];
        for k in [0, i, j, n - 1] {
            let [alone] = grad(&train(|| losses.select(0, k as isize)), [&w]);
            assert_close!(each.select(0, k as isize), alone);
        }
    }
}
