//! What holds for every loss that can be named.

use crate::Outputs;
use crate::layers::LAYERS;
use crate::losses::LOSSES;
use crate::prelude::*;
use mapsto_spec::{Entry, build};

type NamedLoss = (&'static str, fn(&Tensor, &Tensor) -> Tensor);

const ELEMENTWISE: [NamedLoss; 6] = [
    ("mse", mse),
    ("mae", mae),
    ("huber", huber),
    ("bce", bce),
    ("bce_with_logits", bce_with_logits),
    ("kl_div", kl_div),
];

#[test]
fn every_loss_says_its_entry_and_functions_are_known_by_their_types() {
    mapsto_spec::check_family::<dyn Loss>(&[&()]);
    let check = |entry: Entry| mapsto_spec::check_entry::<dyn Loss>(&entry, &());
    check(Entry::new("huber").with_value(2.0));
    let smooth = Entry::new("cross_entropy").with_option("label_smoothing", 0.25);
    check(smooth.with_option("weights", vec![0.5, 2.0]).with_option("ignore_index", -1_i64));
    fn said(loss: &dyn Loss) -> String {
        loss.entry().map_or("nothing".into(), |entry| entry.to_string())
    }
    assert_eq!(said(&mse), "\"mse\"");
    assert_eq!(said(&huber), "{ huber = 1.0 }");
    assert_eq!(said(&cross_entropy), "{ cross_entropy = true, label_smoothing = 0.0 }");
    assert_eq!(Loss::outputs(&cross_entropy), Some(crate::Outputs::Logits));
    mod other {
        pub fn mse(y: &super::Tensor, _: &super::Tensor) -> super::Tensor {
            y.sum(..)
        }
    }
    // Of the same name, and another function.
    assert_eq!(Loss::name(&other::mse), "mse");
    assert_eq!((said(&other::mse), Loss::outputs(&other::mse)), ("nothing".into(), None));
    assert_eq!(said(&|y: &Tensor, t: &Tensor| mse(y, t)), "nothing");
}

#[test]
fn unequal_shapes_are_an_error_that_names_both() {
    for (name, loss) in ELEMENTWISE {
        let error = catch(|| loss(&Tensor::full([4, 1], 0.5), &Tensor::full([4], 0.5))).unwrap_err();
        assert_eq!(error.message(), format!("{name}: outputs [4, 1] and targets [4] differ in shape"));
        assert_eq!(error.help_text(), Some("reshape one of them: `target.reshape([4, 1])`"));
    }
    let error = catch(|| cross_entropy(&Tensor::ones([4, 3]), &tensor![0, 1])).unwrap_err();
    assert_eq!(error.message(), "cross_entropy: logits [4, 3] and class ids [2] do not fit      [4] ≠ [2]");
    let error = catch(|| cross_entropy(&Tensor::ones([2, 3]), &tensor![0, 3])).unwrap_err();
    assert_eq!(error.message(), "cross_entropy: class id 3 at position 1 is not within 0..3");
}

#[test]
fn a_target_adopts_the_dtype_of_floats_and_other_outputs_are_refused() {
    let mut pairs = 0;
    for (name, loss) in
        ELEMENTWISE.into_iter().chain([("cross_entropy", cross_entropy as _), ("nll", nll as _)])
    {
        let ids = ["cross_entropy", "nll"].contains(&name);
        let want = if ids { loss(&outputs(name, [2, 3]), &tensor![1, 0]).item() } else { 0.0 };
        assert!(want.is_finite());
        for dtype in [DType::I64, DType::I32, DType::U8, DType::Bool] {
            let target = if ids { tensor![1, 0] } else { tensor![[1.0, 0.0, 1.0]] };
            let y = Tensor::ones(if ids { vec![2, 3] } else { vec![1, 3] }).to(dtype);
            let e = catch(|| loss(&y, &target)).unwrap_err();
            assert!(
                e.message().starts_with(name) && e.message().contains("must be floats"),
                "{name} of {dtype}: {e}"
            );
            if !ids {
                let y = outputs(name, [1, 3]);
                let found = loss(&y, &target.to(dtype)).item();
                assert!((found - loss(&y, &target).item()).abs() < 1e-6, "{name} to {dtype}");
            }
            pairs += 1;
        }
        for dtype in [DType::F16, DType::BF16, DType::F64] {
            if !ids {
                let loss = loss(&outputs(name, [1, 3]).to(dtype), &tensor![[1.0, 0.0, 1.0]]);
                assert_eq!(loss.dtype(), dtype, "{name}");
                pairs += 1;
            }
        }
    }
    let e = catch(|| nll(&tensor![[-1.0, -1.0]], &tensor![0.0])).unwrap_err();
    assert!(e.message().contains("class ids are integers"), "{e}");
    println!("{pairs} pairs of dtypes");
}

#[test]
fn gradients_equal_central_differences() {
    seed(3);
    let target = Tensor::rand([4, 3]).to(DType::F64);
    let target = &target / target.sum(keep(-1));
    for (name, loss) in
        ELEMENTWISE.into_iter().chain([("cross_entropy", cross_entropy as _), ("nll", nll_of as _)])
    {
        let y = (outputs(name, [4, 3]).to(DType::F64) * 0.8 + 0.1).leaf();
        let found = loss(&y, &target).backward().of(&y).to_vec::<f64>();
        for (i, g) in found.into_iter().enumerate() {
            let at = |e: f64| {
                let mut values = y.to_vec::<f64>();
                values[i] += e;
                loss(&Tensor::from_vec(values, [4, 3]), &target).item()
            };
            let numeric = (at(1e-6) - at(-1e-6)) / 2e-6;
            assert!((g - numeric).abs() < 1e-8, "{name}[{i}]: {g} {numeric}");
        }
    }
}

/// Outputs that the loss takes: numbers from 0 to 1, or for log-probabilities below 0.
fn outputs(name: &str, shape: [usize; 2]) -> Tensor {
    let below = if ["kl_div", "nll"].contains(&name) { 1.25 } else { 0.0 };
    Tensor::rand(shape) - below
}

fn nll_of(y: &Tensor, _: &Tensor) -> Tensor {
    nll(y, &tensor![0, 2, 1, 1])
}

#[test]
fn every_loss_and_every_last_layer_are_legal_or_refused() {
    // By the operation that made the outputs; what is not known may be anything, and has only its range checked.
    type Takes = fn(&str) -> bool;
    const SCORES: [&str; 5] = ["linear", "leaky_relu", "softshrink", "hardshrink", "tanhshrink"];
    // Of what these are composed of nothing is known.
    const UNKNOWN: [&str; 3] = ["threshold", "rrelu", "unit_normalization"];
    let scores: Takes = |layer| SCORES.contains(&layer) || UNKNOWN.contains(&layer);
    let anything: Takes = |_| true;
    let shares: Takes = |layer| !SCORES.contains(&layer) && !["log_softmax", "log_sigmoid"].contains(&layer);
    let logs: Takes = |layer| {
        let others = ["softmax", "sigmoid", "softmin", "hardsigmoid", "log_sigmoid"];
        !SCORES.contains(&layer) && !others.contains(&layer)
    };
    let outputs_of = |name: &str| build::<dyn Loss>(&Entry::new(name), &()).unwrap().outputs().unwrap();
    let takes = |outputs: Outputs| match outputs {
        Outputs::Values => anything,
        Outputs::Probabilities => shares,
        Outputs::Logit | Outputs::Logits => scores,
        Outputs::LogProbabilities => logs,
    };
    let rules: Vec<(&str, Takes)> = LOSSES.iter().map(|l| (l.name, takes(outputs_of(l.name)))).collect();
    for (name, outputs) in [
        ("mse", Outputs::Values),
        ("mae", Outputs::Values),
        ("huber", Outputs::Values),
        ("bce", Outputs::Probabilities),
        ("bce_with_logits", Outputs::Logit),
        ("cross_entropy", Outputs::Logits),
        ("nll", Outputs::LogProbabilities),
        ("kl_div", Outputs::LogProbabilities),
        ("focal", Outputs::Logit),
        ("hinge", Outputs::Logit),
        ("multilabel_margin", Outputs::Logit),
        ("dice", Outputs::Probabilities),
        ("multi_margin", Outputs::Logits),
    ] {
        assert_eq!(outputs_of(name), outputs, "{name}");
    }
    let activations = LAYERS.iter().filter(|kind| {
        let args = &mut mapsto_spec::Args::new("layer", &Entry::new(kind.name));
        (kind.build)(args, &[3]).is_ok_and(|layer| layer.parameters().is_empty())
    });
    let (mut pairs, mut refused) = (0, 0);
    let x = Tensor::rand([4, 5]);
    let names: Vec<&str> = activations.map(|kind| kind.name).chain(["linear"]).collect();
    let passing = [
        "dropout",
        "flatten",
        "channel_dropout",
        "drop_path",
        "alpha_dropout",
        "feature_alpha_dropout",
        "normalization",
        "gaussian_noise",
        "gaussian_dropout",
        "global_avg_pool",
        "global_max_pool",
        "identity",
    ];
    for name in &names {
        let last = match *name {
            "linear" => seq![Linear::new(5, 3)],
            // What passes numbers on says of them what was known before.
            name if passing.contains(&name) => continue,
            name => seq![Linear::new(5, 3), ModelSpec::new([3], [Entry::new(name)]).build().unwrap()],
        };
        let y = train(|| last.forward(&x));
        for (loss, takes) in &rules {
            let found = outputs_of(loss).check(loss, &y);
            assert_eq!(
                found.is_ok(),
                takes(name),
                "{name} before {loss}: {found:?}; an operation says by `meaning` what its results are, and which layers \
                 end in what a loss takes stands in `rules`"
            );
            pairs += 1;
            refused += usize::from(found.is_err());
        }
        // The function says the same as the entry of the list; no mistake is hidden behind a view.
        let seen = train(|| y.unsqueeze(0).squeeze(0).to(DType::F64));
        let found = catch(|| cross_entropy(&seen, &tensor![0, 1, 2, 0]));
        assert_eq!(found.is_ok(), scores(name), "{name}: {found:?}");
    }
    assert_eq!(pairs, (names.len() - passing.len()) * rules.len(), "{names:?}");
    assert!(pairs >= 891 && refused >= 301, "{refused} of {pairs} refused: {names:?}");
}

#[test]
fn a_batch_without_samples_is_an_error_of_every_loss() {
    for kind in LOSSES {
        let loss = mapsto_spec::build::<dyn Loss>(&Entry::new(kind.name), &()).unwrap();
        let target = match kind.name {
            "nll" => Tensor::zeros([0]).to(DType::I64),
            _ => Tensor::zeros([0, 3]),
        };
        let e = catch(|| loss.loss(&Tensor::zeros([0, 3]), &target)).unwrap_err();
        assert_eq!(
            e.message(),
            format!("{}: the outputs [0, 3] hold no sample, and the mean of nothing is undefined", kind.name)
        );
    }
}

#[test]
fn probabilities_are_legal_as_targets_and_one_score_is_no_distribution() {
    let x = Tensor::rand([4, 5]);
    let (teacher, student) = (Linear::new(5, 3), Linear::new(5, 3));
    train(|| {
        let shares = teacher.forward(&x).softmax(-1);
        let _ = cross_entropy(&student.forward(&x), &shares);
        let _ = kl_div(&student.forward(&x).log_softmax(-1), &shares.detach());
        // A mixture of distributions is one, and its logarithm may go into either loss.
        let mixed = (&shares + student.forward(&x).softmax(-1)) * 0.5;
        let _ = nll(&mixed.log(), &tensor![0, 1, 2, 0]);
        let _ = bce(&(student.forward(&x).tanh() * 0.5 + 0.5), &shares.detach());
        let one = student.forward(&x).slice(1, ..1);
        for loss in [mse, bce] {
            let e = catch(|| loss(&one.softmax(-1), &Tensor::ones([4, 1]))).unwrap_err();
            assert!(e.message().contains("`softmax` of one number is constant"), "{e}");
        }
    });
}

/// A target of another shape than a loss takes is refused, also where it would broadcast.
#[test]
fn no_loss_broadcasts() {
    let (mut refused, mut taken) = (0, 0);
    for kind in LOSSES {
        let loss = build::<dyn Loss>(&Entry::new(kind.name), &()).unwrap();
        let below = if loss.outputs() == Some(Outputs::LogProbabilities) { 1.25 } else { 0.0 };
        let y = Tensor::rand([4, 3]) - below;
        for shape in [vec![1, 3], vec![3], vec![1], vec![], vec![4, 1, 3], vec![3, 4], vec![2, 4, 3]] {
            for dtype in [DType::F32, DType::I64] {
                let target = Tensor::ones(&shape[..]).to(dtype);
                assert!(catch(|| loss.loss(&y, &target)).is_err(), "{} takes targets {shape:?}", kind.name);
                refused += 1;
            }
        }
        let even = Tensor::rand([4, 2]) - below;
        let ids = tensor![0, 1, 0, 1];
        let fitting = [(&y, Tensor::ones([4, 3])), (&y, ids), (&even, Tensor::ones([4, 1]))];
        taken += usize::from(fitting.iter().any(|(y, t)| catch(|| loss.loss(y, t)).is_ok()));
    }
    // One reads sequences.
    assert!(taken == LOSSES.len() - 1 && refused >= 450, "{taken} {refused}");
}

#[test]
fn losses_of_batches_merge_to_that_of_all() {
    let t = Tensor::rand([6, 2]);
    for (name, loss) in ELEMENTWISE {
        let y = outputs(name, [6, 2]);
        let parts = [0..1_isize, 1..6].map(|r| {
            let (y, t) = (y.slice(0, r.clone()), t.slice(0, r));
            (loss.weight(&t), loss.loss(&y, &t).item())
        });
        let merged =
            parts.iter().map(|(w, l)| w * l).sum::<f64>() / parts.iter().map(|(w, _)| w).sum::<f64>();
        assert!((merged - loss(&y, &t).item()).abs() < 1e-6, "{name}");
    }
}

/// Of scores as large as a model that diverges gives them, the loss and its gradient are finite.
#[test]
fn extreme_scores_stay_finite() {
    let mut tried = 0;
    for kind in LOSSES {
        let loss = build::<dyn Loss>(&Entry::new(kind.name), &()).unwrap();
        if !matches!(loss.outputs(), Some(Outputs::Logit | Outputs::Logits)) {
            continue;
        }
        let y = tensor![[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4]].leaf();
        let targets = [tensor![0, 0, 1], tensor![[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]];
        let taken = targets.iter().filter_map(|t| catch(|| loss.loss(&y, t)).ok()).map(|loss| {
            assert!(loss.item().is_finite() && loss.backward().of(&y).is_finite(), "{}", kind.name);
        });
        // One takes cosines, and one sequences.
        let taken = taken.count();
        if kind.name == "ctc" {
            continue;
        }
        assert!(taken > 0 || catch(|| loss.loss(&y, &targets[0])).unwrap_err().message().contains("cosines"));
        tried += taken;
    }
    assert!(tried >= 7, "{tried}");
}
