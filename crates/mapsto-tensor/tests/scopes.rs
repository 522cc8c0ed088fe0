//! What is lost, and what is meant: `backward` refuses to drop the gradient of a parameter that was met outside `train`
//! beside a value from inside it, says why nothing was recorded, and lets teachers, target networks and frozen parameters be.

use mapsto_tensor::graph::Grads;
use mapsto_tensor::ops::OPS;
use mapsto_tensor::prelude::*;

fn refused(y: impl Fn() -> Tensor) -> String {
    match catch(|| y().backward_with(&Tensor::ones_like(&y()))) {
        Ok(_) => String::from("accepted"),
        Err(e) => e.to_string(),
    }
}

fn is_lost(message: &str) -> bool {
    message.contains("the gradient of the second would be lost")
}

#[test]
fn every_operation_refuses_to_lose_a_gradient() {
    let (mut kinds, mut joined) = (0, 0);
    // The nearest element is the same wherever a place is moved to by a little, so the places have no gradient to lose.
    let left_out = ["grid_sample"];
    for kind in OPS.iter().filter(|k| k.takes(DType::F32) && !left_out.contains(&k.name)) {
        let before = joined;
        for sample in kind.samples(DType::F32, 11) {
            let floats: Vec<usize> =
                (0..sample.inputs.len()).filter(|&i| sample.inputs[i].dtype().is_float()).collect();
            let parameters: Vec<Tensor> = sample
                .inputs
                .iter()
                .map(|x| if x.dtype().is_float() { x.parameter() } else { x.clone() })
                .collect();
            for &scoped in &floats {
                let joins = |outside: &dyn Fn(&Tensor) -> Tensor, all: &dyn Fn(&[Tensor]) -> Tensor| {
                    let xs: Vec<Tensor> = (0..parameters.len())
                        .map(|i| match i == scoped {
                            true => {
                                train(|| parameters[i].detach() + (&parameters[i] - parameters[i].detach()))
                            }
                            false if floats.contains(&i) => outside(&parameters[i]),
                            false => parameters[i].clone(),
                        })
                        .collect();
                    catch(|| all(&xs)).ok().filter(|y| y.is_recorded())
                };
                let back = |y: &Tensor| match catch(|| y.backward_with(&Tensor::ones_like(y))) {
                    Ok(_) => String::from("accepted"),
                    Err(e) => e.to_string(),
                };
                let plain = |xs: &[Tensor]| (sample.call)(xs);
                // A parameter itself, and a value computed from it.
                for outside in [&(|x: &Tensor| x.clone()) as &dyn Fn(&Tensor) -> Tensor, &|x| x * 1.0] {
                    if floats.len() < 2 {
                        continue;
                    }
                    let Some(y) = joins(outside, &plain) else { continue };
                    assert!(is_lost(&back(&y)), "{}: {}", kind.name, back(&y));
                    joined += 1;
                    // Inside a scope the same is a teacher, and legal.
                    let Some(y) = joins(&|x| x * 1.0, &|xs| train(|| plain(xs))) else { continue };
                    assert_eq!(back(&y), "accepted", "{}", kind.name);
                }
                // What is declared a constant is one.
                for meant in [
                    &(|x: &Tensor| x.detach()) as &dyn Fn(&Tensor) -> Tensor,
                    &|x| no_grad(|| x * 1.0),
                    &|x| x.frozen(),
                ] {
                    let Some(y) = joins(meant, &plain) else { continue };
                    assert_eq!(back(&y), "accepted", "{}", kind.name);
                }
            }
        }
        kinds += usize::from(joined > before);
    }
    println!("{kinds} kinds, {joined} joins refused");
    assert!(kinds > 25 && joined > 300, "{kinds} kinds, {joined} joins");
}

#[test]
fn a_penalty_beside_train_is_refused_in_every_form() {
    let (w, v) = (tensor![1.0, 2.0].parameter(), tensor![3.0, -1.0].parameter());
    let x = tensor![0.5, 0.25];
    let loss = || train(|| (&w * &x).square().sum(..));
    let penalty = || v.square().sum(..) * 0.1;
    type Form<'a> = Box<dyn Fn() -> Tensor + 'a>;
    let forms: Vec<Form<'_>> = vec![
        Box::new(|| loss() + penalty()),
        Box::new(|| penalty() + loss()),
        Box::new(|| loss() - penalty()),
        Box::new(|| loss() * penalty()),
        Box::new(|| loss() + w.square().sum(..)),
        Box::new(|| (loss() + penalty()) * 2.0),
        Box::new(|| train(|| loss() + 1.0) + penalty()),
        Box::new(|| Tensor::stack(&[loss(), penalty()], 0).sum(..)),
        Box::new(|| record(loss) + penalty()),
        // Through a value that is recorded for the sake of a leaf made by hand.
        Box::new(|| loss() + (x.leaf() * &v).sum(..)),
    ];
    for (i, form) in forms.iter().enumerate() {
        let message = refused(form);
        assert!(is_lost(&message), "{i}: {message}");
        assert!(message.contains("scopes.rs:"), "{i}: {message}");
    }
    // A value that is only looked at loses nothing.
    assert!((loss() + penalty()).item() > 0.0);
    // The gradient at an input that was made a leaf is whole.
    let h = x.leaf();
    let [g] = grad(&(train(|| (&h * &w).sum(..)) + penalty()), [&h]);
    assert_close!(g, [1.0, 2.0]);
    let message = catch(|| grad(&(train(|| (&h * &w).sum(..)) + penalty()), [&w])).unwrap_err().to_string();
    assert!(is_lost(&message), "{message}");
}

#[test]
fn what_is_meant_stays_legal() {
    let (student, teacher) = (tensor![1.0, 2.0].parameter(), tensor![3.0, 4.0].parameter());
    let x = tensor![1.0, 1.0];
    let accepted = |grads: Grads, want: [f64; 2]| assert_close!(grads.of(&student), want);
    // A teacher, or a target network, that ran before the scope, and one inside it under `no_grad`.
    let target = &teacher * &x;
    accepted(train(|| (&student * &x - &target).square().sum(..)).backward(), [-4.0, -4.0]);
    accepted(train(|| (&student * &x - no_grad(|| &teacher * &x)).square().sum(..)).backward(), [-4.0, -4.0]);
    // A frozen backbone, in front and beside.
    let backbone = teacher.frozen();
    accepted(train(|| (&student * (&backbone * &x)).sum(..)).backward(), [3.0, 4.0]);
    accepted((train(|| (&student * &x).sum(..)) + (&backbone * &x).sum(..)).backward(), [1.0, 1.0]);
    // A number of one's own, and a constant.
    accepted((train(|| (&student * &x).sum(..)) * 2.0 + x.sum(..)).backward(), [2.0, 2.0]);
    // The gradient at an input of a model in inference mode.
    let input = x.leaf();
    assert_close!((&input * &teacher).square().sum(..).backward().of(&input), [18.0, 32.0]);
    // Whatever was written by hand is a constant.
    let mut weights = &teacher * &x;
    weights.as_mut_slice::<f32>()[0] = 7.0;
    accepted((train(|| (&student * &x).sum(..)) + weights.sum(..)).backward(), [1.0, 1.0]);
}

/// Behind an operation whose derivative is 0 everywhere there is no gradient to lose: its result may stand beside a loss.
#[test]
fn what_has_no_slope_loses_no_gradient() {
    let (w, v) = (tensor![1.0, 2.0].parameter(), tensor![3.2, -1.6].parameter());
    let x = tensor![0.5, 0.25].leaf();
    let loss = || train(|| (&w * 2.0).sum(..));
    type Flat = (&'static str, fn(&Tensor) -> Tensor);
    let flat: [Flat; 19] = [
        ("round", |v| v.round()),
        ("floor", |v| v.floor()),
        ("ceil", |v| v.ceil()),
        ("sign", |v| v.sign()),
        ("round of a value", |v| (v * 2.0).round()),
        ("a value of round", |v| v.round() * 2.0),
        ("gt", |v| v.gt(0.0).to(DType::F32)),
        ("ge", |v| v.ge(0.0).to(DType::F32)),
        ("lt", |v| v.lt(0.0).to(DType::F32)),
        ("le", |v| v.le(0.0).to(DType::F32)),
        ("eq", |v| v.eq(0.0).to(DType::F32)),
        ("ne", |v| v.ne(0.0).to(DType::F32)),
        ("is_nan", |v| v.is_nan().to(DType::F32)),
        ("is_inf", |v| v.is_inf().to(DType::F32)),
        ("argmax", |v| v.argmax(0).to(DType::F32)),
        ("argmin", |v| v.argmin(0).to(DType::F32)),
        ("argsort", |v| v.argsort(0).to(DType::F32)),
        ("topk", |v| v.topk(1, 0).1.to(DType::F32)),
        ("an integer", |v| v.to(DType::I64).to(DType::F32)),
    ];
    for (name, of) in flat {
        let y = loss() + of(&v).sum(..);
        assert_close!(y.backward().of(&w), [2.0, 2.0]);
        // And where the result is recorded for the sake of a leaf made by hand.
        let y = loss() + of(&(&x * &v)).sum(..);
        let message = catch(|| y.backward()).map(|g| assert_close!(g.of(&w), [2.0, 2.0]));
        assert!(message.is_ok(), "{name}: {message:?}");
        // Inside a scope nothing changes: where PyTorch gives zeros, there are zeros.
        let y = train(|| loss() + of(&v).sum(..));
        assert!(y.backward().get(&v).is_none_or(|g| g.to_vec::<f32>() == [0.0, 0.0]), "{name}");
        // The same beside it is still refused.
        assert!(is_lost(&refused(|| loss() + (of(&v) * &v).sum(..))), "{name}");
    }
}

/// A constant from another thread is seen at the gradients, from wherever it came into the scalar.
#[test]
fn a_forward_pass_in_another_thread_is_seen_at_the_gradients() {
    let (w, v) = (tensor![2.0].parameter(), tensor![3.0].parameter());
    let elsewhere =
        |body: fn(&Tensor) -> Tensor| std::thread::scope(|s| s.spawn(|| body(&v)).join().expect("no panic"));
    for (there, missed) in [
        (elsewhere(|v| v * 5.0), true),
        (elsewhere(|v| no_grad(|| v * 5.0)), false),
        (elsewhere(|v| v.detach() * 5.0), false),
        (elsewhere(|v| v.frozen() * 5.0), false),
        (elsewhere(|v| v.round()), false),
        (elsewhere(|v| train(|| v * 5.0)), false),
        (&v * 5.0, false),
    ] {
        let grads = train(|| ((&w * &there).exp() + 1.0).sum(..)).backward();
        assert_eq!(grads.misses_another_thread(), missed);
        let mut sum = train(|| (&w * 2.0).sum(..)).backward();
        sum += grads;
        assert_eq!(sum.misses_another_thread(), missed);
        if missed {
            let message = catch(|| sum.of(&v).clone()).unwrap_err().to_string();
            assert!(message.contains("another thread computed outside of `train(|| ..)`"), "{message}");
        }
    }
}

#[test]
fn the_true_cause_is_named() {
    let w = tensor![2.0].parameter();
    let said = |y: Tensor, what: &str| {
        let message = catch(|| y.backward()).unwrap_err().to_string();
        assert!(message.contains(what), "{message}");
    };
    said(w.square(), "outside `train(|| ..)`, so nothing");
    said(w.reshape([1, 1]).square().sum(..), "outside `train(|| ..)`, so nothing");
    said(train(|| w.frozen().square() * 2.0), "is frozen");
    said(w.frozen().square() * w.square(), "outside `train(|| ..)`, so nothing");
    said(train(|| tensor![2.0].square()), "from constants alone");
    said(train(|| no_grad(|| w.square())), "inside `no_grad`");
    said(train(|| w.detach().square()), "from constants alone");
    let other = std::thread::scope(|s| train(|| s.spawn(|| w.square()).join().expect("no panic")));
    said(other.clone(), "in another thread");
    said(train(|| other.clone() * 2.0), "in another thread");
    // Where the scope is opened inside the thread, all is well.
    let inside = std::thread::scope(|s| s.spawn(|| train(|| w.square())).join().expect("no panic"));
    assert_close!(inside.backward().of(&w), [4.0]);
}

/// A derivative of a value that was computed outside `train` must not be half recorded: the part of the parameter in the
/// derivative alone, without the one through the value.
#[test]
fn second_derivatives_are_whole_or_refused() {
    let (w, x) = (tensor![0.7].parameter(), tensor![0.3].leaf());
    let slope = |y: &Tensor| grad(y, [&x])[0].square().sum(..);
    let inside = train(|| slope(&(&w * &x).tanh().sum(..)));
    let (t, d) = ((0.21f64).tanh(), 1.0 - (0.21f64).tanh().powi(2));
    // (w (1 − t²))² by w: 2 w d² − 4 w² d² t x.
    assert_close!(inside.backward().of(&w), [2.0 * 0.7 * d * d - 4.0 * 0.49 * d * d * t * 0.3]);
    for y in [|w: &Tensor, x: &Tensor| (w * x).tanh().sum(..), |w: &Tensor, x: &Tensor| (w * x).exp().sum(..)]
    {
        let penalty = slope(&y(&w, &x));
        let grads = penalty.backward();
        assert!(grads.get(&w).is_none() && grads.get(&x).is_some());
        let message = refused(|| train(|| (&w * 1.0).sum(..)) + slope(&y(&w, &x)));
        assert!(is_lost(&message), "{message}");
    }
}
