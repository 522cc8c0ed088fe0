//! Functions of one number at the corners of f64 (zeros of both signs, the least numbers, poles, the largest numbers, infinities and
//! NaN): values and gradients against PyTorch's, `corners/corners.jsonl`, which `corners/corners.py` made.

use mapsto_tensor::graph::{Attrs, apply};
use mapsto_tensor::prelude::*;
use mapsto_tensor::{grad, ops, record};
use std::collections::{BTreeMap, BTreeSet};

/// Where PyTorch's number is another one: the operations, `y` or `g`, and why. That ours are right is in `references.rs`, `accuracy.rs`
/// and `tails.rs`.
const OTHERWISE: &[(&[&str], &str, &str)] = &[
    (&["sign"], "y", "NaN has no sign"),
    (&["abs", "elu", "celu", "selu"], "g", "NaN has no slope"),
    (&["digamma"], "g", "PyTorch's trigamma has 9 digits, and misses its poles"),
    (
        &["erfcx", "i0e", "i1e", "expm1", "sigmoid", "tanh"],
        "g",
        "PyTorch's slope is a difference that cancels in the tail",
    ),
    (&["acosh", "asinh"], "g", "PyTorch's square overflows"),
    (&["gelu"], "y", "PyTorch's tail is a difference that cancels"),
    (&["ndtr"], "y", "likewise"),
    (&["gelu"], "g", "PyTorch's formula cancels in the tail"),
    (&["hardsigmoid"], "g", "PyTorch's sixth is one of f32"),
    (&["i0", "i1"], "y", "PyTorch has NaN at infinity"),
    (&["i0", "i1"], "g", "PyTorch has NaN where the function is infinite, and ½ for the least number"),
    (&["log_ndtr"], "g", "PyTorch's quotient loses its digits in the tail, and is NaN further out"),
    (&["mish", "silu", "softsign"], "g", "PyTorch has NaN at infinity"),
    (&["sinc"], "y", "PyTorch's product with π is not 0 at whole numbers"),
    (&["sinc"], "g", "PyTorch's slope is 0 near 0, and loses its digits far out"),
    (&["tanhshrink"], "y", "PyTorch's difference cancels"),
    (&["tanhshrink"], "g", "likewise"),
];

/// The numbers of a list of JSON, which holds no brackets within.
fn list(text: &str, key: &str) -> Vec<f64> {
    let from = text.find(&format!("\"{key}\": [")).expect("the list") + key.len() + 5;
    let to = from + text[from..].find(']').expect("its end");
    text[from..to].split(", ").map(|v| v.trim_matches('"').parse().expect("a number")).collect()
}

#[test]
fn functions_of_one_number_at_the_corners_are_pytorchs() {
    let text = include_str!("corners/corners.jsonl");
    let points = list(text.lines().next().expect("the points"), "points");
    let (mut compared, mut wrong, mut used) = (0, BTreeMap::<&str, Vec<String>>::new(), BTreeSet::new());
    for line in text.lines().skip(1) {
        let name = line.split('"').nth(3).expect("a name");
        let kind = ops::kind(name).unwrap_or_else(|| panic!("no operation {name}"));
        let make = || {
            let attrs = [
                ("alpha", 1.0),
                ("lo", -1.0),
                ("hi", 1.0),
                ("lambda", 0.5),
                ("beta", 1.0),
                ("threshold", 20.0),
            ];
            (0..1 << attrs.len()).find_map(|set: usize| {
                let with = attrs.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1);
                kind.build(with.fold(Attrs::new(), |a, (_, (key, v))| a.with(key, *v))).ok()
            })
        };
        let x = Tensor::from_vec(points.clone(), [points.len()]).leaf();
        let y = record(|| apply(make().unwrap_or_else(|| panic!("{name} is not built")), &[&x]));
        let g = if y.is_recorded() { grad(&y.sum(..), [&x])[0].clone() } else { Tensor::zeros_like(&x) };
        for (key, found) in [("y", y), ("g", g)] {
            for ((x, found), want) in points.iter().zip(found.to_vec::<f64>()).zip(list(line, key)) {
                compared += 1;
                let close = (found - want).abs() <= 1e-11 * want.abs() + 1e-300;
                if close || found == want || (found.is_nan() && want.is_nan()) {
                    continue;
                }
                if let Some(i) = OTHERWISE.iter().position(|(names, k, _)| names.contains(&name) && *k == key)
                {
                    used.insert(i);
                    continue;
                }
                wrong.entry(name).or_default().push(format!("{key}({x:?}) = {found:e}, PyTorch {want:e}"));
            }
        }
    }
    assert!(compared > 4000, "{compared}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(used.len(), OTHERWISE.len(), "a line of OTHERWISE is not needed");
}
