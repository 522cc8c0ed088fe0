//! Momenta that go against the learning rate, beside PyTorch's: `golden/momenta.py` writes the numbers.

use super::{all_close, lines, numbers};
use crate::module::Param;
use crate::prelude::*;
use mapsto_spec::Entry;
use mapsto_tensor::{DType, Grads};

#[test]
fn momenta_cycle_as_pytorchs_and_weights_follow() {
    let lines = lines(include_str!("../../golden/momenta.jsonl"));
    assert_eq!(lines.len(), 6);
    let horizon = Horizon { steps: 60, epoch: 10 };
    for (entry, json) in lines {
        let optimizer = Entry::from_json(json.get("optimizer").unwrap()).unwrap();
        let what = format!("{entry} with {optimizer}");
        let schedule = mapsto_spec::build::<dyn Schedule>(&entry, &horizon).unwrap();
        let mut opt = mapsto_spec::build::<dyn Optimizer>(&optimizer, &()).unwrap();
        let base = opt.lr();
        let momenta: Vec<f64> = (0..60).map(|t| schedule.momentum(t).unwrap()).collect();
        all_close(&what, &momenta, &numbers(json.get("momenta").unwrap()), 1e-12);
        let mut net = Linear::new(2, 1).no_bias();
        net.weight = Param::new(Tensor::from_vec(vec![1.0, -2.0], [1, 2]));
        assert_eq!(net.weight.dtype(), DType::F64);
        let curvature = Tensor::from_vec(vec![1.0, 3.0], [1, 2]);
        let mut course = Vec::new();
        for t in 0..60 {
            opt.set_lr(schedule.lr(t, base));
            opt.set_momentum(momenta[t as usize]);
            assert_eq!(opt.momentum(), Some(momenta[t as usize]));
            let mut grads = Grads::new();
            grads.insert(net.weight.id(), net.weight.detach() * &curvature);
            opt.step(&mut net, grads);
            course.extend(net.weight.to_vec::<f64>());
        }
        all_close(&what, &course, &numbers(json.get("weights").unwrap()), 1e-9);
    }
}

#[test]
fn what_has_no_momentum_says_so() {
    use crate::optim::{Adagrad, Asgd, Lookahead, WeightEma};
    let of = |opt: &dyn Optimizer| opt.momentum();
    assert_eq!(of(&Sgd::new(0.1)), None);
    assert_eq!(of(&Sgd::new(0.1).momentum(0.5)), Some(0.5));
    assert_eq!(of(&AdamW::new(0.1)), Some(0.9));
    assert_eq!(of(&WeightEma::new(Adam::new(0.1).betas(0.7, 0.9))), Some(0.7));
    assert_eq!(of(&Lookahead::new(Adam::new(0.1))), Some(0.9));
    assert_eq!((of(&Adagrad::new(0.1)), of(&Asgd::new(0.1))), (None, None));
    let e = catch(|| Optimizer::set_momentum(&mut Sgd::new(0.1), 0.9)).unwrap_err();
    assert_eq!(e.message(), "sgd: there is no momentum that could be set");
}
