//! What holds for every optimizer that can be named.

use crate::optim::{Closure, Looks, OPTIMIZERS, Objective, OptimizerKind, Part};
use crate::prelude::*;
use mapsto_spec::{Entry, Value};

/// A learning rate by which all move about alike: some find the size of their steps themselves, and it is a factor there.
fn rate(name: &str, lr: f64) -> f64 {
    if ["adadelta", "lars"].contains(&name) { 100.0 * lr } else { lr }
}

/// The entry of a kind with a learning rate, which stands in the optimizer inside where there is one.
fn with_rate(kind: &OptimizerKind, lr: f64) -> Entry {
    let sample = kind.sample();
    match sample.value.clone() {
        Some(Value::Entry(inner)) => sample.with_value(inner.with_value(lr)),
        _ => sample.with_value(rate(kind.name, lr)),
    }
}

/// A model with gradients that are given, whatever its weights.
struct Fixed<'m>(&'m mut Linear, Tensor);

impl Objective for Fixed<'_> {
    fn model(&mut self) -> Part<'_> {
        Part::whole(self.0)
    }
    fn gradients(&mut self) -> mapsto_tensor::Result<(f64, Grads)> {
        let mut grads = Grads::new();
        grads.insert(self.0.weight.id(), self.1.clone());
        Ok((0.0, grads))
    }
}

/// Those that go by gradients alone; L-BFGS goes by the loss, and has tests of its own.
fn by_gradients() -> impl Iterator<Item = &'static OptimizerKind> {
    let looks =
        |kind: &OptimizerKind| mapsto_spec::build::<dyn Optimizer>(&kind.sample(), &()).unwrap().looks();
    OPTIMIZERS.iter().filter(move |kind| looks(kind) != Looks::AlwaysAtTheSame)
}

/// One rule for all: a gradient that is no number is refused in the same words, and nothing moves.
#[test]
fn gradients_that_are_not_finite_are_refused_by_all() {
    let mut checked = 0;
    for kind in OPTIMIZERS {
        for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for dtype in [DType::F32, DType::F64, DType::BF16] {
                let mut opt = mapsto_spec::build::<dyn Optimizer>(&with_rate(kind, 0.1), &()).unwrap();
                if opt.looks() == Looks::AlwaysAtTheSame && dtype == DType::BF16 {
                    continue;
                }
                let mut net = Linear::new(2, 2).no_bias();
                net.convert(dtype);
                let before = net.weight.to(DType::F64).to_vec::<f64>();
                let g = tensor![[1.0, wrong], [-1.0, 0.0]].to(dtype);
                let e = catch(|| opt.descend(&mut Fixed(&mut net, g)).map(drop)).and_then(|r| r).unwrap_err();
                assert_eq!(e.kind(), mapsto_tensor::ErrorKind::NonFinite, "{kind:?}: {e}");
                assert!(e.message().ends_with(": a gradient is infinite or NaN"), "{kind:?}: {e}");
                assert!(e.help_text().is_some());
                assert_eq!(net.weight.to(DType::F64).to_vec::<f64>(), before, "{kind:?} {dtype}");
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 9 * OPTIMIZERS.len() - 3);
}

#[test]
fn every_optimizer_is_built_from_its_name_and_learns() {
    for kind in OPTIMIZERS {
        seed(1);
        let (mut opt, rendered) = mapsto_spec::filled::<dyn Optimizer>(&with_rate(kind, 0.1), &()).unwrap();
        assert_eq!(
            rendered,
            mapsto_spec::filled::<dyn Optimizer>(&rendered, &()).unwrap().1,
            "{}",
            kind.name
        );
        // Of several numbers each: one alone, whose steps are in proportion to it, would never change its sign.
        let mut net = Linear::new(2, 3);
        let (x, y) = (Tensor::randn([16, 2]), Tensor::ones([16, 3]));
        let before = mse(&net.forward(&x), &y).item();
        for _ in 0..100 {
            opt.descend(&mut Closure::new(&mut net, |net: &Linear| mse(&net.forward(&x), &y))).unwrap();
        }
        opt.eval(&mut net).unwrap();
        let after = mse(&net.forward(&x), &y).item();
        assert!(after < 0.2 * before, "{}: {before} → {after}", kind.name);
    }
}

#[test]
fn every_optimizer_says_its_entry() {
    mapsto_spec::check_family::<dyn Optimizer>(&[&()]);
    let group = Entry::new("0.*").with_value(true).with_option("lr", 0.5);
    let groups = vec![Value::from(group), Entry::new("*.bias").with_option("decay", 0.0).into()];
    for (name, option) in [
        ("sgd", "momentum"),
        ("rmsprop", "alpha"),
        ("adagrad", "lr_decay"),
        ("adam", "beta1"),
        ("adamw", "beta2"),
    ] {
        let entry = Entry::new(name).with_value(0.25).with_option(option, 0.625).with_option("decay", 0.125);
        mapsto_spec::check_entry::<dyn Optimizer>(
            &entry.with_option("groups", Value::List(groups.clone())),
            &(),
        );
    }
    mapsto_spec::check_entry::<dyn Optimizer>(&Entry::new("sgd").with_option("nesterov", true), &());
    // A schedule changes the rate of the moment, not what was asked for.
    let mut opt = Sgd::new(0.5);
    opt.set_lr(0.1);
    assert_eq!(opt.entry().unwrap().value, Some(Value::Float(0.5)));
}

#[test]
fn wrong_settings_are_refused() {
    let message = |e: Entry| mapsto_spec::filled::<dyn Optimizer>(&e, &()).err().unwrap().to_string();
    assert!(message(Entry::new("adma")).contains("did you mean `adam`?"));
    assert!(
        message(Entry::new("adam").with_value(-1.0))
            .contains("learning rate must be finite and at least 0, got -1")
    );
    assert!(
        message(Entry::new("adam").with_option("beta1", 1.0))
            .contains("`beta1` must be at least 0 and below 1, got 1")
    );
    assert!(message(Entry::new("sgd").with_option("momentun", 0.9)).contains("did you mean `momentum`?"));
    let group = Entry::new("*.bias").with_option("dekay", 0.0);
    assert!(message(Entry::new("sgd").with_option("groups", vec![group])).contains("did you mean `decay`?"));
}

#[test]
fn a_group_that_changes_nothing_is_refused_before_the_first_step() {
    let net = Linear::new(1, 1);
    let e = Sgd::new(0.1).group("bias", |g| g).check(&net).unwrap_err();
    assert_eq!(e.message(), "sgd: the group `bias` changes nothing");
    assert!(Sgd::new(0.1).group("bias", |g| g.decay(0.0)).check(&net).is_ok());
}

#[test]
fn groups_have_their_own_settings() {
    let group = Entry::new("bias").with_option("lr", 0.5).with_option("decay", 0.0);
    let entry =
        Entry::new("sgd").with_value(0.1).with_option("decay", 1.0).with_option("groups", vec![group]);
    let (mut opt, rendered) = mapsto_spec::filled::<dyn Optimizer>(&entry, &()).unwrap();
    assert!(
        rendered.to_string().ends_with("groups = [{ bias = true, lr = 0.5, decay = 0.0 }] }"),
        "{rendered}"
    );
    let mut net = Linear::new(1, 1);
    net.load_state_dict(
        [("weight".to_string(), tensor![[2.0]]), ("bias".to_string(), tensor![2.0])],
        &Exceptions::none(),
    )
    .unwrap();
    let one = |net: &Linear| {
        let mut grads = Grads::new();
        grads.insert(net.weight.id(), tensor![[1.0]]);
        grads.insert(net.bias.as_ref().unwrap().id(), tensor![1.0]);
        grads
    };
    let grads = one(&net);
    opt.step(&mut net, grads);
    assert_close!(net.weight, [[2.0 - 0.1 * (1.0 + 2.0)]]);
    assert_close!(net.bias.as_deref().unwrap(), [2.0 - 0.5]);
    // A schedule halves every learning rate.
    opt.set_lr(0.05);
    let grads = one(&net);
    opt.step(&mut net, grads);
    assert_close!(net.bias.as_deref().unwrap(), [1.5 - 0.25]);
}

#[test]
fn steps_that_can_do_nothing_are_refused() {
    let (mut net, other) = (Linear::new(1, 1), Linear::new(1, 1));
    let grads = train(|| other.forward(&Tensor::ones([1, 1])).sum(..)).backward();
    let error = catch(|| Sgd::new(0.1).step(&mut net, grads)).unwrap_err();
    assert_eq!(error.message(), "sgd: none of the model's parameters has a gradient");
    let grads = train(|| net.forward(&Tensor::ones([1, 1])).sum(..)).backward();
    let error = catch(|| Sgd::new(0.1).group("*.bias", |g| g.lr(0.0)).step(&mut net, grads)).unwrap_err();
    assert_eq!(error.message(), "sgd: no parameter is called `*.bias`");
    assert!(Sgd::new(0.1).group("bias", |g| g.lr(0.0)).check(&net).is_ok());
    let error = Sgd::new(0.1).group("bais", |g| g.lr(0.0)).check(&net).unwrap_err();
    assert_eq!(error.help_text(), Some("did you mean `bias`?"));
    let loss = |net: &Linear| train(|| net.forward(&Tensor::ones([1, 1])).sum(..));
    let grads = loss(&net).backward();
    net.freeze("*").unwrap();
    let error = catch(|| Sgd::new(0.1).step(&mut net, grads)).unwrap_err();
    assert_eq!(error.message(), "sgd: all 2 parameters of the model are frozen");
    let error = catch(|| loss(&net).backward()).unwrap_err();
    assert!(error.message().contains("is frozen, so nothing was recorded"), "{error}");
}

/// Every optimizer, with gradients of any size in f32: it moves the parameter, or says why not, and never stands still
/// in silence.
#[test]
fn no_gradient_makes_an_optimizer_stand_still() {
    let (mut moved, mut refused) = (0, 0);
    for kind in by_gradients() {
        for options in [&[][..], &["centred"], &["momentum"]] {
            let mut entry = with_rate(kind, 1e-3);
            for option in options {
                entry = match *option {
                    "momentum" => entry.with_option("momentum", 0.9),
                    option => entry.with_option(option, true),
                };
            }
            let Ok(mut opt) = mapsto_spec::build::<dyn Optimizer>(&entry, &()) else { continue };
            for size in [1e-20, 1e-3, 1.0, 1e10, 1e18, 2e19, 1e25, 1e38] {
                let mut net = Linear::new(1, 1).no_bias();
                net.weight.set(&tensor![[0.0]]).unwrap();
                let mut step = |g: f64, net: &mut Linear| {
                    catch(|| opt.descend(&mut Fixed(net, Tensor::full([1, 1], g)))).map(drop)
                };
                match step(size, &mut net) {
                    Ok(()) => {
                        let first = net.weight.item();
                        step(1.0, &mut net).unwrap();
                        assert!(net.weight.item() != first || size > 1e6, "{} {options:?} {size}", kind.name);
                        assert!(first != 0.0, "{} {options:?} {size}", kind.name);
                        moved += 1;
                    }
                    Err(e) => {
                        assert!(size > 1e18, "{} {size}: {e}", kind.name);
                        assert!(e.message().contains("its square is infinite"), "{e}");
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(moved > 30 && refused > 8, "{moved} moved, {refused} refused");
}

/// A part of the forward pass that ran in a thread without a scope is found where it does harm; a teacher does none.
#[test]
fn a_forward_pass_in_another_thread_is_noticed() {
    let (mut net, teacher, x) = (Linear::new(2, 1), Linear::new(2, 1), Tensor::ones([4, 2]));
    let elsewhere = |layer: &Linear| {
        std::thread::scope(|s| s.spawn(|| x.linear(&layer.weight, None)).join().expect("no panic"))
    };
    let h = elsewhere(&net);
    let grads = train(|| (h + net.bias.as_deref().unwrap()).square().sum(..)).backward();
    let message = catch(|| grads.of(&net.weight).clone()).unwrap_err().to_string();
    assert!(message.contains("values that another thread computed outside of `train(|| ..)`"), "{message}");
    let message = catch(|| Sgd::new(0.1).step(&mut net, grads)).unwrap_err().to_string();
    assert!(
        message.contains("`weight` has no gradient, and values that another thread computed"),
        "{message}"
    );
    // A teacher in another thread, beside a model whose parameters all have their gradients, and one inside `no_grad`.
    let target = elsewhere(&teacher);
    let grads = train(|| (net.forward(&x) - target).square().sum(..)).backward();
    Sgd::new(0.1).step(&mut net, grads);
    let h =
        std::thread::scope(|s| s.spawn(|| no_grad(|| x.linear(&net.weight, None))).join().expect("no panic"));
    let grads = train(|| (h + net.bias.as_deref().unwrap()).square().sum(..)).backward();
    Sgd::new(0.1).step(&mut net, grads);
}

#[test]
fn frozen_parameters_stay() {
    let mut net = Linear::new(2, 1);
    net.freeze("weight").unwrap();
    let before = net.weight.to_vec::<f32>();
    let grads = train(|| net.forward(&Tensor::ones([1, 2])).sum(..)).backward();
    AdamW::new(0.1).step(&mut net, grads);
    assert_eq!(net.weight.to_vec::<f32>(), before);
}

/// Every optimizer, in both half precisions: 300 steps far below the last digit move a parameter as far as in f32, and
/// a state saved on the way continues to the same bits.
#[test]
fn half_precision_parameters_do_not_stand_still() {
    let mut checked = 0;
    for kind in by_gradients() {
        for dtype in [DType::BF16, DType::F16] {
            let build = || mapsto_spec::build::<dyn Optimizer>(&with_rate(kind, 1e-4), &()).unwrap();
            let new = |dtype| {
                let mut net = Linear::new(1, 1).no_bias();
                net.weight.set(&tensor![[1.0]]).unwrap();
                net.convert(dtype);
                net
            };
            let step = |net: &mut Linear, opt: &mut dyn Optimizer| {
                let g = tensor![[1.0]].to(net.weight.dtype());
                opt.descend(&mut Fixed(net, g)).unwrap();
            };
            let (mut wide, mut half) = ((new(DType::F32), build()), (new(dtype), build()));
            let mut resumed: Option<(Linear, Box<dyn Optimizer>)> = None;
            for t in 0..300 {
                step(&mut wide.0, &mut *wide.1);
                step(&mut half.0, &mut *half.1);
                if let Some((net, opt)) = &mut resumed {
                    step(net, &mut **opt);
                }
                if t == 150 {
                    let net = half.0.clone();
                    let mut opt = build();
                    opt.load_state(&net, &half.1.state()).unwrap();
                    resumed = Some((net, opt));
                }
            }
            let rounded = wide.0.weight.to(dtype).item();
            assert!(rounded < 0.999, "{}: {rounded}", kind.name);
            assert_eq!(half.0.weight.item(), rounded, "{} {dtype}", kind.name);
            assert_eq!(resumed.unwrap().0.weight.item(), rounded, "{} {dtype}, resumed", kind.name);
            let mut state = half.1.state();
            state.tensors.retain(|(name, _)| name != "master/weight");
            let error = build().load_state(&half.0, &state).unwrap_err();
            assert!(error.message().contains("`master/weight` is missing"), "{error}");
            checked += 1;
        }
    }
    assert_eq!(checked, 2 * by_gradients().count());
}

#[test]
fn a_half_precision_parameter_that_was_written_is_what_counts() {
    let mut net = Linear::new(1, 1).no_bias();
    net.convert(DType::BF16);
    let mut opt = Sgd::new(0.5);
    let mut step = |net: &mut Linear| {
        let mut grads = Grads::new();
        grads.insert(net.weight.id(), tensor![[1.0]].to(DType::BF16));
        opt.step(net, grads);
    };
    step(&mut net);
    net.weight.set(&tensor![[8.0]].to(DType::BF16)).unwrap();
    step(&mut net);
    assert_eq!(net.weight.item(), 7.5);
}

fn one_step(net: &mut Linear, opt: &mut dyn Optimizer) {
    let x = tensor![[1.0, -2.0], [0.5, 3.0]];
    let grads = train(|| net.forward(&x).square().sum(..)).backward();
    opt.step(net, grads);
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_changes_nothing() {
    let mut net = Linear::new(2, 1);
    let mut opt = Adam::new(0.1);
    one_step(&mut net, &mut opt);
    let good = opt.state();
    let mut refuse = |change: &dyn Fn(&mut OptimizerState), text: &str| {
        let mut state = good.clone();
        change(&mut state);
        let error = opt.load_state(&net, &state).unwrap_err();
        assert!(error.message().contains(text), "{error}");
    };
    refuse(&|s| s.name = "Sgd".into(), "it is of `Sgd`, this is `Adam`");
    refuse(&|s| s.tensors[0].0 = "m/head".into(), "no parameter `head`");
    refuse(&|s| s.tensors[0].1 = Tensor::ones([2]), "`m/bias` should be [1] f32, found [2] f32");
    refuse(&|s| s.tensors[2].1 = tensor![-1], "`step/bias` is negative");
    refuse(&|s| s.tensors.swap(0, 1), "out of place");
    refuse(&|s| s.tensors[0].0 = "bias".into(), "does not belong to it");
    refuse(&|s| drop(s.tensors.remove(4)), "does not remember `v` of `weight`");
    refuse(&|s| s.lr = f64::NAN, "learning rate must be finite and at least 0, got NaN");
    assert_eq!(opt.state().tensors.len(), good.tensors.len());
}
