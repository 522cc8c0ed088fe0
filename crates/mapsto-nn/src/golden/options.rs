//! Layers with options that few use: output, gradients and states of PyTorch, in training and in inference.

use super::{all_close, lines, tensor_of};
use crate::prelude::*;
use mapsto_spec::Json;
use mapsto_tensor::Device;
use mapsto_tensor::check::far;

#[test]
fn every_option_gives_the_outputs_the_gradients_and_the_states_of_pytorch() {
    let lines = lines(include_str!("../../golden/options.jsonl"));
    for (entry, json) in &lines {
        for device in [Device::cpu(), far::device()] {
            let what = format!("{entry} on {device:?}");
            let is_ids = json.get("ids").and_then(Json::bool) == Some(true);
            let inputs: Vec<Tensor> =
                json.get("inputs").and_then(Json::list).unwrap().iter().map(tensor_of).collect();
            let mut model = ModelSpec::new(&inputs[0].shape()[1..], [entry.clone()]).build().unwrap();
            model.convert(DType::F64);
            let named = |key: &str| -> Vec<(String, Tensor)> {
                let tensors = json.get(key).and_then(Json::object).unwrap();
                tensors.iter().map(|(name, t)| (name.clone(), tensor_of(t))).collect()
            };
            let count =
                |name: &str, t: Tensor| if name == "num_batches_tracked" { t.to(DType::I64) } else { t };
            let state = named("state").into_iter().map(|(name, t)| (format!("0.{name}"), count(&name, t)));
            model.load_state_dict(state, &Exceptions::none()).unwrap_or_else(|e| panic!("{what}: {e}"));
            model.to_device(device);
            let inputs: Vec<Tensor> = inputs
                .iter()
                .map(|x| if is_ids { x.to(DType::I64) } else { x.clone() }.to_device(device))
                .map(|x| if is_ids { x } else { x.leaf() })
                .collect();
            let close = |part: &str, found: &Tensor, expected: &Tensor| {
                assert_eq!(found.shape(), expected.shape(), "{what}: {part}");
                let found = found.to(DType::F64).to_vec::<f64>();
                all_close(&format!("{what}: {part}"), &found, &expected.to_vec::<f64>(), 1e-9);
            };
            let lr = json.get("lr").and_then(Json::number).unwrap();
            let mut last = None;
            for x in &inputs {
                let y = train(|| model.forward(x));
                let r: Vec<f64> = (0..y.len()).map(|i| (i as f64).cos()).collect();
                let r = Tensor::from_vec(r, y.shape()).to_device(device);
                let grads = train(|| (&y * r).sum(..)).backward();
                if lr > 0.0 {
                    Sgd::new(lr).step(&mut model, grads.clone());
                }
                last = Some((y.detach(), grads));
            }
            let (y, grads) = last.unwrap();
            close("output", &y, &tensor_of(json.get("output").unwrap()));
            let parameters = model.parameters();
            for (name, expected) in named("gradients") {
                let at = parameters.iter().find(|(n, _)| *n == format!("0.{name}")).map(|(_, p)| p);
                let found = grads.of(at.unwrap_or(&inputs[inputs.len() - 1]));
                close(&format!("gradient of `{name}`"), found, &expected);
            }
            let after = model.state_dict();
            for (name, expected) in named("after") {
                let found = &after.iter().find(|(n, _)| *n == format!("0.{name}")).unwrap().1;
                close(&format!("`{name}` after it"), found, &expected);
            }
            let expected = tensor_of(json.get("inference").unwrap());
            close("output in inference", &model.forward(&inputs[0]), &expected);
        }
    }
    assert!(lines.len() >= 62, "{} settings", lines.len());
}
