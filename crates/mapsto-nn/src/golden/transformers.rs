//! Attention, transformers and their parts are held to PyTorch's: outputs and gradients at every input and weight. What holds for
//! them without numbers of others (order, padding, caches, threads) stands here too.

use super::{all_close, numbers, tensor_of};
use crate::prelude::*;
use mapsto_kernels::threads::with_threads;
use mapsto_spec::{Entry, Json};
use mapsto_tensor::ops::{AttentionOptions, scaled_dot_product_attention};
use std::cell::RefCell;

/// A line of the file.
struct Case {
    json: Json,
    inputs: Vec<Tensor>,
}

impl Case {
    fn new(line: &str) -> Case {
        let json = Json::parse(line).unwrap();
        let inputs = json.get("inputs").and_then(Json::object).unwrap();
        Case { inputs: inputs.iter().map(|(_, x)| tensor_of(x).leaf()).collect(), json }
    }

    fn mask(&self, name: &str) -> Option<Tensor> {
        self.json.get("masks").and_then(|masks| masks.get(name)).map(tensor_of)
    }

    /// What is seen, by the masks named; those of 0 and 1 are bools.
    fn seen(&self, mask: bool, keys: bool) -> Seen {
        let mut seen = Seen::all();
        if let Some(m) = self.mask("mask").filter(|_| mask) {
            let bools = m.to_vec::<f64>().iter().all(|&x| x == 0.0 || x == 1.0);
            seen = seen.mask(&if bools { m.ne(0.0) } else { m });
        }
        if let Some(k) = self.mask("keys").filter(|_| keys) {
            seen = seen.keys(&k.ne(0.0));
        }
        seen
    }

    /// That `run` gives the output and the gradients of the file, with its weights in `model`.
    fn hold<M: Module>(&self, what: &str, prefix: &str, mut model: M, run: impl Fn(&M, &[Tensor]) -> Tensor) {
        model.convert(DType::F64);
        let state = self.json.get("state").and_then(Json::object).unwrap();
        let weights = state.iter().map(|(name, p)| (format!("{prefix}{name}"), tensor_of(p)));
        model.load_state_dict(weights, &Exceptions::none()).unwrap_or_else(|e| panic!("{what}: {e}"));
        let expected = tensor_of(self.json.get("output").unwrap());
        let y = record(|| run(&model, &self.inputs));
        assert_eq!(y.shape(), expected.shape(), "{what}");
        all_close(what, &y.to_vec::<f64>(), &expected.to_vec::<f64>(), 1e-9);
        let factors: Vec<f64> = (0..y.len()).map(|i| (i as f64).cos()).collect();
        let grads = record(|| (y * Tensor::from_vec(factors, expected.shape())).sum(..)).backward();
        let names = self.json.get("inputs").and_then(Json::object).unwrap();
        let golden = |name: &str| {
            numbers(self.json.get("gradients").unwrap().get(name).unwrap().get("values").unwrap())
        };
        for ((name, _), x) in names.iter().zip(&self.inputs) {
            all_close(
                &format!("{what}: gradient of {name}"),
                &grads.of(x).to_vec::<f64>(),
                &golden(name),
                1e-9,
            );
        }
        for (name, p) in model.parameters() {
            let found = grads.get(&p).map_or(vec![0.0; p.len()], |g| g.to_vec::<f64>());
            all_close(&format!("{what}: gradient of {name}"), &found, &golden(&name[prefix.len()..]), 1e-9);
        }
    }
}

#[test]
fn attention_and_transformers_give_what_pytorchs_give() {
    let layer = || TransformerEncoderLayer::new(4, 2).hidden(3);
    let decoder = || TransformerDecoderLayer::new(4, 2).hidden(3);
    let mut entries = 0;
    for line in include_str!("../../golden/transformers.jsonl").lines() {
        let case = Case::new(line);
        if let Some(entry) = case.json.get("entry") {
            let entry = Entry::from_json(entry).unwrap();
            let model = ModelSpec::new(&case.inputs[0].shape()[1..], [entry.clone()]).build().unwrap();
            case.hold(&entry.to_string(), "0.", model, |model, x| model.forward(&x[0]));
            entries += 1;
            continue;
        }
        let (seen, keys, mask) = (case.seen(true, true), case.seen(false, true), case.seen(true, false));
        let attention = MultiHeadAttention::new(4, 2);
        match case.json.get("case").and_then(Json::str).unwrap() {
            what @ "of itself" => case.hold(what, "", attention, |a, x| a.among(&x[0], &seen)),
            what @ "of a memory" => case.hold(what, "", attention, |a, x| a.attend(&x[0], &x[1], &seen)),
            what @ "of weights" => {
                case.hold(what, "", attention, |a, x| a.weights(&x[0], &x[1], &mask).mean(1))
            }
            what @ "of others" => case.hold(what, "", attention.kdim(3).vdim(5), |a, x| {
                a.attend_to(&x[0], &x[1], &x[2], Seen::all())
            }),
            what @ "of an encoder" => {
                case.hold(what, "", TransformerEncoder::new(1, layer), |e, x| e.encode(&x[0], &seen));
            }
            what @ "of a decoder layer" => {
                case.hold(what, "", decoder(), |d, x| d.decode(&x[0], &x[1], &mask, &keys));
            }
            what @ "of a decoder layer, norm first" => {
                case.hold(what, "", decoder().norm_first(), |d, x| d.decode(&x[0], &x[1], &mask, &keys));
            }
            what @ "of a transformer" => {
                let encoder = TransformerEncoder::new(1, layer).norm(LayerNorm::new(4));
                let decoder = TransformerDecoder::new(2, decoder).norm(LayerNorm::new(4));
                case.hold(what, "", Transformer::new(encoder, decoder), |m, x| {
                    m.forward(&x[0], &x[1], &keys, &mask)
                });
            }
            what if what.starts_with("of scaled products, ") => {
                let options = AttentionOptions {
                    attn_mask: case
                        .mask("mask")
                        .map(|m| if what.ends_with("hidden") { m.ne(0.0) } else { m }),
                    is_causal: what.ends_with("causal"),
                    scale: what.ends_with("grouped").then_some(0.3),
                    enable_gqa: what.ends_with("grouped"),
                    ..Default::default()
                };
                case.hold(what, "", Identity::new(), |_, x| {
                    scaled_dot_product_attention(&x[0], &x[1], &x[2], &options)
                });
            }
            other => panic!("{other}"),
        }
    }
    assert!(entries >= 15, "{entries}");
}

fn bits(x: &Tensor) -> Vec<u32> {
    x.to_vec::<f32>().into_iter().map(f32::to_bits).collect()
}

/// Attentions of every kind that look back, on steps of 16 numbers.
fn looking_back() -> Vec<(&'static str, MultiHeadAttention)> {
    let causal = || MultiHeadAttention::new(16, 4).causal();
    vec![
        ("plain", causal()),
        ("grouped", causal().kv_heads(2)),
        ("one head of keys", causal().kv_heads(1).no_bias()),
        ("rotary", causal().rotary(RotaryEmbedding::new()).qk_norm()),
        (
            "rotary in part, grouped",
            causal().kv_heads(2).rotary(RotaryEmbedding::new().fraction(0.5).interleaved()),
        ),
        ("alibi", causal().alibi()),
        ("relative", causal().relative(RelativePositionBias::new(4).buckets(8, 16).causal())),
        ("window", causal().window(3)),
        ("keys of their own", causal().kdim(16).vdim(16).kv_heads(2)),
    ]
}

#[test]
fn what_comes_later_changes_no_bit() {
    let (x, other) = (Tensor::randn([2, 40, 16]), Tensor::randn([2, 40, 16]) * 50.0);
    let changed = Tensor::cat(&[x.slice(1, ..33), other.slice(1, 33..)], 1);
    let mut seen_a_change = 0;
    for (what, layer) in looking_back() {
        let (y, z) = (layer.forward(&x), layer.forward(&changed));
        assert_eq!(bits(&y.slice(1, ..33)), bits(&z.slice(1, ..33)), "{what}");
        seen_a_change += usize::from(bits(&y) != bits(&z));
    }
    assert_eq!(seen_a_change, looking_back().len());
    let layer = || TransformerEncoderLayer::new(16, 4).hidden(8);
    let encoder = TransformerEncoder::new(2, || layer().attention(|a| a.causal()));
    let (y, z) = (encoder.forward(&x), encoder.forward(&changed));
    assert_eq!(bits(&y.slice(1, ..33)), bits(&z.slice(1, ..33)));
    let decoder = TransformerDecoderLayer::new(16, 4).hidden(8);
    let decode = |x: &Tensor| decoder.decode(x, &other, Seen::all().causal(), Seen::all()).slice(1, ..33);
    assert_eq!(bits(&decode(&x)), bits(&decode(&changed)));
}

/// What is run on the steps of a batch.
type Run = dyn Fn(&Tensor) -> Tensor;

#[test]
fn a_padded_key_changes_no_bit_of_outputs_and_gradients() {
    let there = Tensor::arange(0..40).lt(tensor![[37], [12]]); // [2, 40]
    let x = Tensor::randn([2, 40, 16]);
    let garbage = there.unsqueeze(-1).choose(&x, &(Tensor::randn([2, 40, 16]) * 1e3));
    let seen = Seen::all().keys(&there);
    let kinds = looking_back().into_iter().map(|(what, layer)| {
        let seen = seen.clone();
        let run: Box<Run> = Box::new(move |x| layer.among(x, &seen));
        (what, run)
    });
    let (plain, encoder) = (
        MultiHeadAttention::new(16, 2),
        TransformerEncoder::new(2, || TransformerEncoderLayer::new(16, 4).hidden(8).norm_first()),
    );
    let (other, another) = (seen.clone(), seen.clone());
    let both_ways: [(&str, Box<Run>); 2] = [
        ("both ways", Box::new(move |x| plain.among(x, &other))),
        ("an encoder", Box::new(move |x| encoder.encode(x, &another))),
    ];
    for (what, run) in kinds.collect::<Vec<_>>().into_iter().chain(both_ways) {
        let both = |x: &Tensor| {
            let x = x.leaf();
            let y = record(|| run(&x).masked_fill(&there.not().unsqueeze(-1).expand([2, 40, 16]), 0.0));
            (bits(&y), bits(&record(|| y.square().sum(..)).backward().of(&x).slice(1, ..12)))
        };
        let (a, b) = (both(&x), both(&garbage));
        assert!(a.0 == b.0, "{what}: outputs differ");
        assert!(a.1 == b.1, "{what}: gradients differ");
    }
}

#[test]
fn a_query_without_any_key_gives_the_bias_of_the_output_alone() {
    let layer = MultiHeadAttention::new(8, 2);
    let x = Tensor::randn([1, 3, 8]).leaf();
    let none = Seen::all().keys(&tensor![[false, false, false]]);
    let y = record(|| layer.among(&x, &none));
    assert_close!(y.select(1, 0), layer.out.bias().unsqueeze(0));
    assert!(y.sum(..).backward().of(&layer.qkv.weight).is_finite());
}

#[test]
fn step_by_step_gives_the_numbers_of_the_whole_sequence() {
    let x = Tensor::randn([2, 11, 16]).to(DType::F64);
    for (what, mut layer) in looking_back() {
        layer.convert(DType::F64);
        let whole = layer.forward(&x);
        for cuts in [vec![11], vec![1; 11], vec![4, 1, 1, 5]] {
            let (mut cache, mut from, mut parts) = (AttentionCache::new(), 0, Vec::new());
            for n in cuts {
                parts.push(layer.step(&x.slice(1, from..from + n), &mut cache));
                from += n;
            }
            let error = (Tensor::cat(&parts, 1) - &whole).abs().max(..).item();
            assert!(error < 1e-12, "{what}: {error}");
        }
    }
    let layer = || TransformerEncoderLayer::new(16, 4).hidden(8).gated().norm_first().norm(RmsNorm::new);
    let llama = || layer().attention(|a| a.causal().kv_heads(2).rotary(RotaryEmbedding::new()));
    let mut model = TransformerEncoder::new(2, llama).norm(RmsNorm::new(16));
    model.convert(DType::F64);
    let (whole, mut cache) = (model.forward(&x), model.cache());
    for t in 0..11 {
        let error =
            (model.step(&x.slice(1, t..t + 1), &mut cache) - whole.slice(1, t..t + 1)).abs().max(..).item();
        assert!(error < 1e-12, "step {t}: {error}");
    }
    let e = catch(|| model.step(&x, &mut [])).unwrap_err();
    assert_eq!(e.message(), "transformer_encoder: 0 caches do not fit 2 layers");
    let mut decoder = TransformerDecoder::new(2, || {
        let layer = TransformerDecoderLayer::new(16, 4).hidden(8).norm_first();
        layer.attention(|a| a.kv_heads(2).rotary(RotaryEmbedding::new()))
    });
    decoder.convert(DType::F64);
    let (memory, mut cache) = (Tensor::randn([2, 6, 16]).to(DType::F64), decoder.cache());
    let keys = Seen::all().keys(&Tensor::arange(0..6).lt(tensor![[6], [2]]));
    let whole = decoder.decode(&x, &memory, Seen::all().causal(), &keys);
    for t in 0..11 {
        let y = decoder.step(&x.slice(1, t..t + 1), &memory, &keys, &mut cache);
        let error = (y - whole.slice(1, t..t + 1)).abs().max(..).item();
        assert!(error < 1e-12, "step {t}: {error}");
    }
}

#[test]
fn self_attention_without_positions_does_not_know_the_order() {
    let order = tensor![3, 0, 4, 1, 2];
    let x = Tensor::randn([2, 5, 16]).to(DType::F64);
    let run = |layer: &RefCell<Box<dyn Layer>>, x: &Tensor| {
        layer.borrow_mut().convert(DType::F64);
        layer.borrow().forward(x)
    };
    let moved = |layer: Box<dyn Layer>| {
        let layer = RefCell::new(layer);
        let y = run(&layer, &x).index_select(1, &order);
        (run(&layer, &x.index_select(1, &order)) - y).abs().max(..).item()
    };
    let attention = || MultiHeadAttention::new(16, 4);
    let encoder = || TransformerEncoder::new(2, || TransformerEncoderLayer::new(16, 4).hidden(8));
    for layer in
        [Box::new(attention()) as Box<dyn Layer>, Box::new(attention().kv_heads(2)), Box::new(encoder())]
    {
        let error = moved(layer);
        assert!(error < 1e-12, "{error}");
    }
    for layer in [attention().rotary(RotaryEmbedding::new()), attention().alibi(), attention().causal()] {
        assert!(moved(Box::new(layer)) > 1e-3);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let x = Tensor::randn([3, 70, 16]);
    let there = Tensor::arange(0..70).lt(tensor![[70], [33], [1]]);
    let layer = || TransformerEncoderLayer::new(16, 4).hidden(24).activation(Tensor::silu).gated();
    let encoder =
        TransformerEncoder::new(2, || layer().attention(|a| a.kv_heads(2).rotary(RotaryEmbedding::new())));
    let run = || {
        seed(4);
        let x = x.leaf();
        let y = train(|| encoder.encode(&x, Seen::all().keys(&there).causal()));
        let grads = train(|| y.square().sum(..)).backward();
        let weights = encoder.parameters().into_iter().flat_map(|(_, p)| bits(grads.of(&p)));
        (bits(&y), bits(grads.of(&x)), weights.collect::<Vec<_>>())
    };
    let one = with_threads(1, run);
    for threads in [2, 3, 8] {
        assert!(with_threads(threads, run) == one, "{threads} threads");
    }
}
