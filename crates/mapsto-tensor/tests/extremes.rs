//! Derivatives far from 1, over every kind of operation: the gradient in f32 against that in f64 of the same inputs, at
//! magnitudes from 10⁻³⁰ to 10³⁰ and beside large offsets, wherever f64 says that result and gradient are numbers of f32.

use mapsto_tensor::kind::Sample;
use mapsto_tensor::ops::OPS;
use mapsto_tensor::prelude::*;

const SCALES: [f64; 9] = [1e-30, 1e-20, 1e-10, 1e-4, 1.0, 1e4, 1e10, 1e20, 1e30];
const OFFSETS: [f64; 4] = [1e4, -1e4, 1e6, -1e6];

/// A slope with a root, near which its terms cancel: an error of 10⁻⁶ of its largest value, which is about 1.
const ROOTED: &[&str] = &["gelu", "gelu_tanh", "silu", "gelu_grad", "gelu_tanh_grad", "silu_grad"];

/// Squares of the inputs, or products of two of them, must be numbers of f32 themselves.
const SQUARED: &[&str] = &[
    "batch_norm_with",
    "attention",
    "attention_weights",
    "scaled_dot_product_attention",
    "bce",
    "rsqrt_grad",
];

/// Sums inside decide between the two ends of a gate, whose slope is a difference from 1, as in PyTorch: with large weights
/// they cancel, jump and saturate.
const JUMPING: &[&str] = &["lstm", "gru", "rnn"];

/// An operation whose derivative this test leaves out, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("dropout", "its draw differs from call to call"),
    ("cast", "in f32 it does nothing, and is not recorded"),
    ("round", "0 everywhere"),
    ("ceil", "0 everywhere"),
    ("floor", "0 everywhere"),
    ("sign", "0 everywhere"),
    ("hypot", "its curvature is 0 along the vector, where two terms cancel in f64 too"),
    ("floor_divide", "0 everywhere"),
    ("remainder", "jumps where its quotient changes, and moves with all digits of that"),
    ("fmod", "likewise"),
    ("heaviside", "0 everywhere"),
    ("trunc", "0 everywhere"),
    ("grid_sample", "jumps from one pair of elements to the next, at places that f32 and f64 round apart"),
    ("dirichlet_path", "moves by the distance of a share from 1, of which f32 rounds the share"),
    ("powt_grad_base", "a derivative itself, which its definition differentiates factor by factor"),
    ("powt_grad_exponent", "likewise"),
];

/// The gradients of all float inputs, as f64, by the inputs given; none where the operation refuses them.
fn gradients(sample: &Sample, inputs: &[Tensor], dtype: DType) -> Option<(Tensor, Vec<Vec<f64>>)> {
    let leaves: Vec<Tensor> =
        inputs.iter().map(|x| if x.dtype().is_float() { x.to(dtype).leaf() } else { x.clone() }).collect();
    let y = catch(|| (sample.call)(&leaves)).ok()?;
    if !y.is_recorded() {
        return None;
    }
    let g: Vec<f64> = (0..y.len()).map(|i| 0.5 + (i * 7 % 11) as f64 / 8.0).collect();
    let g = Tensor::from_vec(g, y.shape()).to(y.dtype());
    let grads = y.backward_with(&g);
    let of = |x: &Tensor| grads.get(x).map_or(vec![0.0; x.len()], |g| g.to(DType::F64).to_vec());
    Some((y.detach().to(DType::F64), leaves.iter().filter(|x| x.dtype().is_float()).map(of).collect()))
}

/// Every way to scale `n` inputs: all pairs, and for more of them each alone beside one scale of all others.
fn scalings(n: usize) -> Vec<Vec<f64>> {
    let mut all = Vec::new();
    for first in SCALES {
        if n == 1 {
            all.push(vec![first]);
        }
        for second in SCALES {
            (0..n).filter(|_| n > 1).for_each(|one| {
                let mut scales = vec![second; n];
                scales[one] = first;
                all.push(scales);
            });
        }
    }
    all
}

#[test]
fn gradients_keep_their_digits_at_extreme_inputs() {
    let (mut kinds, mut inputs, mut compared, mut wrong) = (0, 0, 0u64, Vec::<String>::new());
    for kind in OPS.iter().filter(|k| k.takes(DType::F32) && LEFT_OUT.iter().all(|left| left.0 != k.name)) {
        let before = compared;
        for sample in kind.samples(DType::F32, 3).iter().filter(|s| s.inputs.iter().all(|x| x.len() < 200)) {
            let floats = sample.inputs.iter().filter(|x| x.dtype().is_float()).count();
            let moved = OFFSETS.iter().map(|&offset| (vec![1.0; floats], offset));
            for (scales, offset) in scalings(floats).into_iter().map(|s| (s, 0.0)).chain(moved) {
                if JUMPING.contains(&kind.name) && (offset != 0.0 || scales.iter().any(|s| *s > 1.0)) {
                    continue;
                }
                if SQUARED.contains(&kind.name) && scales.iter().any(|s| !(1e-15..1e15).contains(s)) {
                    continue;
                }
                let mut scales = scales.into_iter();
                let mut first = true;
                let xs: Vec<Tensor> = sample
                    .inputs
                    .iter()
                    .map(|x| {
                        if !x.dtype().is_float() {
                            return x.clone();
                        }
                        let shift = if std::mem::take(&mut first) { offset } else { 0.0 };
                        ((x.to(DType::F64) * scales.next().unwrap()) + shift).to(DType::F32)
                    })
                    .collect();
                let Some((y, want)) = gradients(sample, &xs, DType::F64) else { continue };
                let representable =
                    |v: &f64| v.is_finite() && v.abs() < 1e37 && (*v == 0.0 || v.abs() > 1e-35);
                if !y.to_vec::<f64>().iter().all(representable) {
                    continue;
                }
                let Some((_, got)) = gradients(sample, &xs, DType::F32) else {
                    wrong.push(format!("{}: refused in f32 only", kind.name));
                    continue;
                };
                inputs += 1;
                let alone = xs.iter().all(|x| !x.dtype().is_float() || x.shape() == y.shape())
                    && !JOINING.contains(&kind.name);
                for (i, (want, got)) in want.iter().zip(&got).enumerate() {
                    let largest = want.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
                    // A sum that is 0 exactly says nothing of how far its terms cancel.
                    for (w, v) in
                        want.iter().zip(got).filter(|(w, _)| representable(w) && (alone || **w != 0.0))
                    {
                        let least = if ROOTED.contains(&kind.name) {
                            largest.max(1.0)
                        } else if alone {
                            0.0
                        } else {
                            largest
                        };
                        let bound = 1e-4 * w.abs() + 3e-6 * least + 1e-37;
                        compared += 1;
                        let enough =
                            wrong.iter().filter(|m| m.starts_with(&format!("{} ", kind.name))).count() >= 3;
                        if ((v - w).abs() > bound || (v - w).is_nan()) && !enough {
                            let x: Vec<f64> = xs
                                .iter()
                                .map(|x| x.to(DType::F64).to_vec::<f64>().first().copied().unwrap_or(0.0))
                                .collect();
                            wrong.push(format!(
                                "{} input {i} near {x:?}: {v:e} in f32, {w:e} in f64",
                                kind.name
                            ));
                            break;
                        }
                    }
                }
            }
        }
        kinds += (compared > before) as usize;
    }
    println!("{kinds} kinds of {}, {inputs} inputs, {compared} derivatives compared", OPS.len());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(kinds > 60 && compared > 100_000, "{kinds} {compared}");
}

/// Operations of one shape whose elements meet each other all the same.
const JOINING: &[&str] = &[
    "softmax",
    "log_softmax",
    "cumsum",
    "scatter_add",
    "scatter",
    "sort",
    "gather",
    "index_select",
    "scatter_reduce",
    "index_fill",
    "take_along_dim",
    "rot90",
    "tril",
    "normalize",
    "roll",
    "diff",
    "cummin",
    "cummax",
    "logcumsumexp",
    "cumprod",
];

#[test]
fn the_examples() {
    let x = Tensor::full([1, 3], 1e6).leaf();
    for top in [1e6, 1e8, 1e30] {
        let x = Tensor::full([1, 3], top).leaf();
        assert_close!(x.cross_entropy(&tensor![0]).backward().of(&x), [[-2.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]]);
    }
    assert_close!(x.logsumexp(..).backward().of(&x), [[1.0 / 3.0; 3]]);
    let (a, b) = (tensor![1e30].leaf(), tensor![1e25].leaf());
    let db = (&a / &b).sum(..).backward().of(&b).item();
    assert!((db / -1e-20 - 1.0).abs() < 1e-6, "{db:e}");
}

/// The sizes of the gradient that arrives at the first derivative and of the one that arrives at the second: their product
/// is a number, and what lies between them and the result may be none.
const ARRIVING: [(f64, f64); 5] = [(1.0, 1.0), (1e20, 1e-20), (1e-20, 1e20), (1e-30, 1e-5), (1e-25, 1e-25)];
const ARRIVING_HALF: [(f64, f64); 5] = [(1.0, 1.0), (1e3, 1e-3), (1e-3, 1e3), (0.02, 0.05), (1e-2, 1e-3)];

/// Numbers whose least and largest are these are compared to so many digits.
const fn range(dtype: DType) -> (f64, f64, f64) {
    match dtype {
        DType::F16 => (1e-3, 6e4, 2e-2),
        _ => (1e-35, 1e37, 1e-4),
    }
}

/// What a result, its first and its second derivatives are.
struct Bent {
    y: Vec<f64>,
    firsts: Vec<f64>,
    seconds: Vec<Vec<f64>>,
}

/// The second derivatives by every pair of float inputs, weighted by gradients of these sizes; none where there are none.
fn bends(sample: &Sample, inputs: &[Tensor], dtype: DType, size: (f64, f64)) -> Option<Bent> {
    let leaves: Vec<Tensor> =
        inputs.iter().map(|x| if x.dtype().is_float() { x.to(dtype).leaf() } else { x.clone() }).collect();
    let floats: Vec<&Tensor> = leaves.iter().filter(|x| x.dtype().is_float()).collect();
    let y = catch(|| (sample.call)(&leaves)).ok()?;
    let weights = |x: &Tensor, step: usize, size: f64| {
        let w: Vec<f64> = (0..x.len()).map(|i| size * (0.5 + (i * step % 11) as f64 / 8.0)).collect();
        Tensor::from_vec(w, x.shape()).to(x.dtype())
    };
    let wide = |t: &Tensor| t.to(DType::F64).to_vec::<f64>();
    let mut bent = Bent { y: wide(&y.detach()), firsts: Vec::new(), seconds: Vec::new() };
    for x in &floats {
        let Ok([g]) = catch(|| grad(&(&y * weights(&y, 7, size.0)).sum(..), [*x])) else { continue };
        bent.firsts.extend(wide(&g));
        if g.is_recorded() {
            let grads = g.backward_with(&weights(&g, 5, size.1));
            bent.seconds.extend(floats.iter().map(|x| grads.get(x).map_or(vec![0.0; x.len()], &wide)));
        }
    }
    (!bent.seconds.is_empty()).then_some(bent)
}

/// The inputs at which the second derivatives of a sample are compared: none of them has lost its digits.
fn moved(sample: &Sample, dtype: DType, squared: bool) -> Vec<Vec<Tensor>> {
    let n = sample.inputs.iter().filter(|x| x.dtype().is_float()).count();
    let offsets = OFFSETS.iter().filter(|_| n == 1).map(|&offset| (vec![1.0], offset));
    let (least, most, _) = range(dtype);
    let (least, most) = if squared { (least.sqrt(), most.sqrt()) } else { (least, most) };
    let whole = |v: f64| v == 0.0 || (least..most).contains(&v.abs());
    scalings(n)
        .into_iter()
        .map(|scales| (scales, 0.0))
        .chain(offsets)
        .map(|(scales, offset)| {
            let mut scales = scales.into_iter();
            let moved = |x: &Tensor| match x.dtype().is_float() {
                true => ((x.to(DType::F64) * scales.next().unwrap()) + offset).to(dtype),
                false => x.clone(),
            };
            sample.inputs.iter().map(moved).collect::<Vec<_>>()
        })
        .filter(|xs| {
            let floats = xs.iter().filter(|x| x.dtype().is_float());
            floats.flat_map(|x| x.to(DType::F64).to_vec::<f64>()).all(whole)
        })
        .collect()
}

/// Second derivatives of every operation that works element by element. The derivatives of operations, which are operations
/// too, are left to the test above: what lies behind them is a third derivative.
#[test]
fn second_derivatives_keep_their_digits_at_extreme_inputs() {
    let (mut kinds, mut compared, mut wrong) = (0, 0u64, Vec::<String>::new());
    for kind in OPS.iter().filter(|k| k.takes(DType::F32) && !k.name.contains("_grad")) {
        if LEFT_OUT.iter().any(|left| left.0 == kind.name) || JOINING.contains(&kind.name) {
            continue;
        }
        let before = compared;
        let mut found = Vec::new();
        for sample in kind.samples(DType::F32, 3).iter().filter(|s| s.inputs.iter().all(|x| x.len() < 200)) {
            let y = (sample.call)(&sample.inputs);
            let alone = |x: &Tensor| !x.dtype().is_float() || x.shape() == y.shape();
            if y.is_empty() || !sample.inputs.iter().all(alone) {
                continue;
            }
            for (dtype, sizes) in [(DType::F32, ARRIVING), (DType::F16, ARRIVING_HALF)] {
                let (least, most, digits) = range(dtype);
                let representable = |v: &f64| *v == 0.0 || (least..most).contains(&v.abs());
                let root = if ROOTED.contains(&kind.name) { 3e-6f64.max(digits * digits) } else { 0.0 };
                for (xs, size) in moved(sample, dtype, SQUARED.contains(&kind.name))
                    .iter()
                    .flat_map(|xs| sizes.map(|size| (xs, size)))
                {
                    let Some(want) = bends(sample, xs, DType::F64, size) else { continue };
                    let finite = want.firsts.iter().all(|v| v.abs() < most);
                    if !finite || !want.y.iter().all(representable) {
                        continue;
                    }
                    let got = bends(sample, xs, dtype, size).expect("f64 has second derivatives");
                    for (i, (want, got)) in want.seconds.iter().zip(&got.seconds).enumerate() {
                        for (k, (w, v)) in
                            want.iter().zip(got).enumerate().filter(|(_, (w, _))| representable(w))
                        {
                            compared += 1;
                            let bound = digits * w.abs() + root * size.0 * size.1 + 1e-37;
                            if (v - w).abs() > bound || (v - w).is_nan() {
                                let x: Vec<Vec<f64>> = xs.iter().map(|x| x.to(DType::F64).to_vec()).collect();
                                let x: Vec<f64> = x.iter().filter_map(|x| x.get(k).copied()).collect();
                                found.push(format!(
                                    "{} {i} at {x:?}, {size:?}: {v:e} in {dtype}, {w:e} in f64",
                                    kind.name
                                ));
                            }
                        }
                    }
                }
            }
        }
        found.truncate(4);
        wrong.extend(found);
        kinds += usize::from(compared > before);
    }
    println!("{kinds} kinds, {compared} second derivatives compared");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(kinds > 20 && compared > 10_000, "{kinds} {compared}");
}
