//! Sequences of different lengths: PyTorch's packed ones, and that padding, neighbours and threads change no bit.

use super::{Cell, Recurrent};
use crate::golden::{all_close, numbers, tensor_of};
use crate::prelude::*;
use mapsto_kernels::threads::with_threads;
use mapsto_spec::Json;
use mapsto_tensor::Device;
use mapsto_tensor::check::far;

fn tensors(json: &Json, name: &str) -> Vec<Tensor> {
    json.get(name).and_then(Json::list).unwrap().iter().map(tensor_of).collect()
}

/// The sum of `cos(i)` times each number.
fn weighed(x: &Tensor) -> Tensor {
    let weights: Vec<f64> = (0..x.len()).map(|i| (i as f64).cos()).collect();
    (x * Tensor::from_vec(weights, x.shape()).to_device(x.device())).sum(..)
}

fn follows<C: Cell>(json: &Json) {
    let size = |name: &str| json.get(name).and_then(Json::number).unwrap() as usize;
    let lengths: Vec<usize> = numbers(json.get("lengths").unwrap()).into_iter().map(|n| n as usize).collect();
    let (x, first) = (tensor_of(json.get("input").unwrap()), tensors(json, "first"));
    let (inputs, hidden) = (x.shape()[2], first[first.len() - 1].shape()[2]);
    let mut layer = Recurrent::<C>::new(inputs, hidden).layers(size("depth"));
    if size("directions") == 2 {
        layer = layer.bidirectional();
    }
    if first[0].shape()[2] != hidden {
        layer = layer.projected(first[0].shape()[2]);
    }
    let state = json.get("state").and_then(Json::object).unwrap();
    if !state.iter().any(|(name, _)| name.starts_with("bias")) {
        layer = layer.no_bias();
    }
    layer.convert(DType::F64);
    let state = state.iter().map(|(name, p)| (name.clone(), tensor_of(p)));
    layer.load_state_dict(state, &Exceptions::none()).unwrap();
    for device in [Device::cpu(), far::device()] {
        layer.to_device(device);
        let x = x.to_device(device).leaf();
        let first: Vec<Tensor> = first.iter().map(|s| s.to_device(device).leaf()).collect();
        let given = C::State::try_from(first.clone()).ok().unwrap();
        let (y, last) = record(|| layer.with_lengths(&x, &lengths, Some(&given)));
        let close = |what: &str, found: &Tensor, json: &Json| {
            assert_eq!(found.shape(), tensor_of(json).shape(), "{what}");
            let what = format!("{what} of {} on {device:?}", layer.describe());
            all_close(&what, &found.to_vec::<f64>(), &tensor_of(json).to_vec::<f64>(), 1e-8);
        };
        close("the output", &y, json.get("output").unwrap());
        let of = |name: &str| json.get(name).and_then(Json::list).unwrap();
        last.as_ref().iter().zip(of("last")).for_each(|(found, json)| close("the last state", found, json));
        let loss = last.as_ref().iter().fold(weighed(&y), |sum, s| sum + weighed(s));
        let grads = loss.backward();
        close("the input's gradient", grads.of(&x), json.get("of_input").unwrap());
        first.iter().zip(of("of_first")).for_each(|(s, json)| close("the first state's", grads.of(s), json));
        let wanted = json.get("of_state").and_then(Json::object).unwrap();
        assert_eq!(wanted.len(), layer.parameters().len());
        for (name, p) in layer.parameters() {
            let (_, json) = wanted.iter().find(|(n, _)| *n == name).unwrap();
            close(&name, grads.of(&p), json);
        }
    }
}

#[test]
fn ragged_batches_are_what_pytorch_makes_of_packed_sequences() {
    let mut count = 0;
    for line in include_str!("../../golden/ragged.jsonl").lines() {
        let json = Json::parse(line).unwrap();
        match json.get("layer").and_then(Json::str).unwrap() {
            "lstm" => follows::<LstmSteps>(&json),
            "gru" => follows::<GruSteps>(&json),
            "rnn" => follows::<RnnSteps>(&json),
            "rnn_relu" => follows::<RnnReluSteps>(&json),
            name => panic!("{name}"),
        }
        count += 1;
    }
    assert_eq!(count, 8);
}

fn bits(x: &Tensor) -> Vec<u32> {
    x.to_vec::<f32>().into_iter().map(f32::to_bits).collect()
}

const LENGTHS: [usize; 11] = [3, 7, 1, 7, 5, 0, 2, 6, 7, 4, 1];

/// Sequences of [`LENGTHS`], padded with `filling` to `steps`.
fn padded(x: &Tensor, filling: f64, steps: usize) -> Tensor {
    let (n, t) = (LENGTHS.len(), x.shape()[1]);
    let x = Tensor::cat(&[x.clone(), Tensor::zeros([n, steps - t, 3])], 1);
    let is_step: Vec<bool> = LENGTHS.iter().flat_map(|&n| (0..steps).map(move |j| j < n)).collect();
    Tensor::from_vec(is_step, [n, steps, 1]).choose(&x, filling)
}

/// The outputs, the last states, and all gradients but those at padded steps.
fn results<C: Cell>(layer: &Recurrent<C>, x: &Tensor, lengths: &[usize]) -> Vec<Vec<u32>> {
    let x = x.leaf();
    let (y, last) = record(|| layer.with_lengths(&x, lengths, None));
    let loss = last.as_ref().iter().fold(y.square().sum(..), |sum, s| sum + s.sum(..));
    let grads = loss.backward();
    let steps = 0..7;
    let mut all = vec![bits(&y.slice(1, steps.clone())), bits(&grads.of(&x).slice(1, steps))];
    all.extend(last.as_ref().iter().map(bits));
    all.extend(layer.parameters().iter().map(|(_, p)| bits(grads.of(p))));
    all
}

fn keeps_its_bits<C: Cell>() {
    let layer = Recurrent::<C>::new(3, 5).layers(2).bidirectional();
    let x = Tensor::randn([LENGTHS.len(), 7, 3]);
    let first = results(&layer, &padded(&x, 0.0, 7), &LENGTHS);
    for (filling, steps) in [(f64::NAN, 7), (1e30, 7), (0.0, 12), (f64::NAN, 9)] {
        assert_eq!(
            results(&layer, &padded(&x, filling, steps), &LENGTHS),
            first,
            "{filling} to {steps} steps"
        );
    }
    for threads in [1, 3] {
        let again = with_threads(threads, || results(&layer, &padded(&x, 0.0, 7), &LENGTHS));
        assert_eq!(again, first, "{threads} threads");
    }
    // Each sequence by itself, and each in another place of the batch.
    let (y, last) = layer.with_lengths(&x, &LENGTHS, None);
    for (i, &n) in LENGTHS.iter().enumerate().filter(|(_, n)| **n > 0) {
        let at = i as isize;
        let alone = x.slice(0, at..at + 1).slice(1, ..n as isize);
        let (one, end) = layer.with_state(&alone, None);
        assert_eq!(bits(&y.slice(0, at..at + 1).slice(1, ..n as isize)), bits(&one), "sequence {i}");
        for (all, one) in last.as_ref().iter().zip(end.as_ref()) {
            assert_eq!(bits(&all.slice(1, at..at + 1)), bits(one), "the last state of sequence {i}");
        }
        assert_eq!(y.select(0, at).slice(0, n as isize..).abs().sum(..).item(), 0.0);
    }
    let order: Vec<i64> = (0..LENGTHS.len() as i64).map(|i| i * 4 % LENGTHS.len() as i64).collect();
    let lengths: Vec<usize> = order.iter().map(|&i| LENGTHS[i as usize]).collect();
    let order = Tensor::from_vec(order, LENGTHS.len());
    let (moved, end) = layer.with_lengths(&x.index_select(0, &order), &lengths, None);
    assert_eq!(bits(&moved), bits(&y.index_select(0, &order)));
    for (moved, all) in end.as_ref().iter().zip(last.as_ref()) {
        assert_eq!(bits(moved), bits(&all.index_select(1, &order)));
    }
}

#[test]
fn a_padded_step_changes_no_bit_and_neither_do_neighbours_or_threads() {
    keeps_its_bits::<LstmSteps>();
    let lstm = Lstm::new(3, 5).layers(2).bidirectional().proj_size(2);
    let x = Tensor::randn([LENGTHS.len(), 7, 3]);
    let first = results(&lstm, &padded(&x, 0.0, 7), &LENGTHS);
    for (filling, steps) in [(f64::NAN, 7), (0.0, 12), (f64::NAN, 9)] {
        assert_eq!(
            results(&lstm, &padded(&x, filling, steps), &LENGTHS),
            first,
            "{filling} to {steps} steps"
        );
    }
    keeps_its_bits::<GruSteps>();
    keeps_its_bits::<RnnSteps>();
    keeps_its_bits::<RnnReluSteps>();
}

#[test]
fn lengths_that_do_not_fit_are_named() {
    let (gru, x) = (Gru::new(3, 4), Tensor::zeros([2, 5, 3]));
    let error = |n: &[usize]| catch(|| gru.forward_lengths(&x, n)).unwrap_err().message().to_string();
    assert_eq!(error(&[5]), "gru: 1 lengths for 2 sequences");
    assert_eq!(error(&[5, 6]), "gru: sequence 1 is said to have 6 steps, and there are 5");
    let e = catch(|| Gru::new(3, 4).merge(super::Merge::Sum)).unwrap_err();
    assert_eq!(e.help_text(), Some("`.bidirectional()` comes before `.merge(..)`"));
    assert_eq!(gru.forward_lengths(&x, &[0, 0]).shape(), [2, 5, 4]);
}
