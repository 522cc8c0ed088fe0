//! What must hold for every method of the list, whatever it computes: shapes, seeds, completeness, and what a linear model adds.

use mapsto_explain::{Ask, METHODS, Method, Model, Shown};
use mapsto_nn::prelude::*;
use mapsto_nn::{ItemMut, Path};
use mapsto_tensor::Error;

fn in_f64(mut net: Sequential) -> Sequential {
    net.visit_mut(&mut Path::new(), &mut |_, item| {
        if let ItemMut::Param(p) = item {
            *p = Param::new(p.to(DType::F64));
        }
    });
    net
}

/// Small networks with inputs: smooth, rectified, and of pictures.
fn networks() -> Vec<(&'static str, Sequential, Tensor)> {
    seed(5);
    let smooth = in_f64(seq![Linear::new(4, 6), Tensor::tanh, Linear::new(6, 3)]);
    let rectified =
        in_f64(seq![Linear::new(4, 9), Tensor::relu, Linear::new(9, 5), Tensor::relu, Linear::new(5, 3)]);
    let pooled = in_f64(seq![
        Conv2d::new(1, 3, 3).padding(1),
        Tensor::relu,
        MaxPool2d::new(2),
        Flatten::new(),
        Linear::new(12, 3)
    ]);
    let rows = Tensor::randn([5, 4]).to(DType::F64);
    let pictures = Tensor::randn([3, 1, 4, 4]).to(DType::F64);
    vec![("smooth", smooth, rows.clone()), ("rectified", rectified, rows), ("pooled", pooled, pictures)]
}

/// What a method shows of a model; none where it says that it cannot be asked so.
fn shown(method: &dyn Method, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Option<Shown> {
    let refusals = ["grad-cam looks at pictures", "the model has no layer of convolutions"];
    match method.explain(model, x, ask) {
        Ok(found) => Some(found.shown),
        Err(e) if refused(&e, &refusals) => None,
        Err(e) => panic!("{}: {e}", method.name()),
    }
}

fn refused(e: &Error, known: &[&str]) -> bool {
    e.help_text().is_some() && known.iter().any(|known| e.message().starts_with(known))
}

/// The question that any method can be asked about these inputs.
fn ask(x: &Tensor) -> Ask {
    let n = x.shape()[0];
    let truth = Tensor::from_vec((0..n as i64).map(|i| i % 3).collect::<Vec<_>>(), [n]);
    Ask::new().class(1).truth(truth).samples(60)
}

fn numbers(shown: &Shown) -> Vec<u64> {
    let of = |x: &Tensor| x.to(DType::F64).to_vec::<f64>();
    let all = match shown {
        Shown::Attributions(x) | Shown::Inputs(x) | Shown::Points(x) => of(x),
        Shown::Importance { values, spread } => [values.clone(), spread.clone()].concat(),
        Shown::Curves(curves) => {
            curves.iter().flat_map(|c| [c.at.clone(), c.scores.clone()].concat()).collect()
        }
        Shown::Tensors(all) => all.iter().flat_map(|(_, x)| of(x)).collect(),
        Shown::Histograms(all) => all.iter().flat_map(|h| h.counts.iter().map(|c| *c as f64)).collect(),
    };
    all.into_iter().map(f64::to_bits).collect()
}

#[test]
fn every_method_answers_in_its_shape_and_the_same_for_the_same_seed() {
    let (mut asked, mut answered) = (0, 0);
    for (name, net, x) in networks() {
        for method in METHODS {
            asked += 1;
            let Some(first) = shown(*method, &Model::of(&net), &x, &ask(&x)) else { continue };
            answered += 1;
            if let Shown::Attributions(found) | Shown::Inputs(found) = &first {
                assert_eq!(found.shape(), x.shape(), "{name}: {}", method.name());
                assert!(found.is_finite(), "{name}: {}", method.name());
            }
            seed(99); // what is drawn elsewhere does not matter
            let again = shown(*method, &Model::of(&net), &x, &ask(&x)).unwrap();
            assert_eq!(numbers(&first), numbers(&again), "{name}: {}", method.name());
        }
    }
    assert!(answered + 2 >= asked, "{answered} of {asked}");
    println!("{answered} of {asked} questions answered, twice with the same bits");
}

#[test]
fn attributions_that_claim_to_add_up_do() {
    let (mut compared, mut methods) = (0, 0);
    for method in METHODS.iter().filter(|method| method.is_complete()) {
        methods += 1;
        for (name, net, x) in networks() {
            let one = Tensor::full(&x.shape()[1..], 0.3).to(DType::F64);
            let two = Tensor::stack(&[one.clone(), -&one], 0);
            for baseline in [None, Some(one), Some(two)] {
                let ask = Ask { baseline, samples: Some(2000), ..Ask::new().class(2) };
                let found = method
                    .explain(&Model::of(&net), &x, &ask)
                    .unwrap_or_else(|e| panic!("{}: {e}", method.name()));
                let n = x.shape()[0];
                let sums = found.attributions().unwrap().reshape([n, x.len() / n]).sum(1).to_vec::<f64>();
                let base =
                    found.base.unwrap_or_else(|| panic!("{} says no score of its baseline", method.name()));
                for i in 0..n {
                    let wanted = found.scores[i] - base[i];
                    // An integral over a function with kinks is as good as its points are many.
                    let close =
                        if name != "smooth" && method.name().contains("integrated") { 2e-3 } else { 1e-9 };
                    assert!(
                        (sums[i] - wanted).abs() < close,
                        "{} {name}: {} and not {wanted}",
                        method.name(),
                        sums[i]
                    );
                    compared += 1;
                }
            }
        }
    }
    assert!(methods >= 2 && compared >= 70, "{methods} {compared}");
    println!("{compared} sums of {methods} methods compared");
}

/// Of f(x) = w · x + 1 each number adds `w · (x − b)`; what has no weight adds nothing, and numbers that play one part add the same.
#[test]
fn of_a_linear_model_each_number_adds_its_share() {
    let w = tensor![2.0, -3.0, 0.0, 0.5, 0.5].to(DType::F64);
    let model = Model::asked(|x: &Tensor| (x * &w).sum(1) + 1.0);
    let x = tensor![[1.0, 2.0, 5.0, 4.0, 4.0], [-1.0, 0.5, 3.0, 0.0, 0.0]].to(DType::F64);
    let b = tensor![0.5, 0.0, 1.0, -1.0, -1.0].to(DType::F64);
    let wanted = (&w * (&x - &b)).to_vec::<f64>();
    let mut compared = 0;
    for method in METHODS.iter().filter(|method| method.is_complete()) {
        let ask = Ask::new().baseline(b.clone()).samples(2000);
        let found = method.explain(&model, &x, &ask).unwrap_or_else(|e| panic!("{}: {e}", method.name()));
        let found = found.attributions().unwrap().to_vec::<f64>();
        for (found, wanted) in found.iter().zip(&wanted) {
            assert!((found - wanted).abs() < 1e-9, "{}: {found} and not {wanted}", method.name());
            compared += 1;
        }
    }
    assert!(compared >= 20);
    println!("{compared} shares compared");
}
