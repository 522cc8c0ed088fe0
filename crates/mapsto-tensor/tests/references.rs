//! Every operation of the registry against a reference that knows nothing of its code: a formula of numbers, a formula of
//! whole arrays, or a map of indices for what only moves elements. What is defined by other operations (fused kernels, and
//! methods that are made of others) is compared with that definition on the device `far`, which has no kernels of its own.
//!
//! An operation without a line in the table fails the test.

#[path = "references/functions.rs"]
mod functions;

use mapsto_tensor::check::{Numbers, far};
use mapsto_tensor::graph::{Attr, Attrs, Source, apply, trace};
use mapsto_tensor::ops::{self, OPS};
use mapsto_tensor::prelude::*;

enum Reference {
    /// Of each element, from those of the inputs.
    Each(fn(&[f64], &Attrs) -> f64),
    /// Of the whole result.
    Whole(fn(&[Numbers], &Attrs) -> Numbers),
    /// Which element of the first input, of this shape, stands at a place of the result.
    Map(fn(&[usize], &Attrs, &[usize]) -> Vec<usize>),
    /// The definition in other operations, which have references of their own.
    Composed,
    /// None, for a reason.
    Without(&'static str),
}
use Reference::{Composed, Each, Map, Whole, Without};

fn number(a: &Attrs, name: &str) -> f64 {
    match a.get(name) {
        Some(Attr::Float(v)) => *v,
        Some(Attr::Int(v)) => *v as f64,
        other => panic!("{name} is {other:?}"),
    }
}

fn whole(a: &Attrs, name: &str) -> usize {
    number(a, name) as usize
}

fn list(a: &Attrs, name: &str) -> Vec<usize> {
    match a.get(name) {
        Some(Attr::Ints(v)) => v.iter().map(|&v| v as usize).collect(),
        other => panic!("{name} is {other:?}"),
    }
}

fn truth(v: bool) -> f64 {
    f64::from(u8::from(v))
}

/// A reduction, whose axes stay with size 1 unless it says that they do not.
fn reduced(x: &[Numbers], a: &Attrs, f: impl Fn(&[f64]) -> f64) -> Numbers {
    let axes = list(a, "axes");
    let y = x[0].reduced(&axes, f);
    let shape: Vec<usize> =
        x[0].shape.iter().enumerate().map(|(i, &n)| if axes.contains(&i) { 1 } else { n }).collect();
    if matches!(a.get("keep"), Some(Attr::Bool(true)) | None) { y.shaped(&shape) } else { y }
}

fn variance(v: &[f64], ddof: usize) -> f64 {
    let mean = v.iter().sum::<f64>() / v.len() as f64;
    v.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (v.len() - ddof) as f64
}

fn share(a: f64, b: f64) -> f64 {
    if a == b { 0.5 } else { truth(a > b) }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `2/√π ∫ e^(−t²)` by Simpson's rule: exact to 1e-14.
fn erf(x: f64) -> f64 {
    let (n, f) = (4000, |t: f64| (-t * t).exp());
    let h = x / n as f64;
    let inner: f64 = (1..n).map(|i| if i % 2 == 1 { 4.0 } else { 2.0 } * f(i as f64 * h)).sum();
    std::f64::consts::FRAC_2_SQRT_PI * h / 3.0 * (f(0.0) + inner + f(x))
}

fn cdf(x: f64) -> f64 {
    0.5 * (1.0 + erf(x / 2f64.sqrt()))
}

fn bell(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// `u` of the GELU's tanh form, and its derivative.
fn inner(x: f64) -> (f64, f64) {
    let s = (2.0 / std::f64::consts::PI).sqrt();
    (s * (x + 0.044715 * x.powi(3)), s * (1.0 + 3.0 * 0.044715 * x * x))
}

fn order(v: &[f64], descending: bool) -> Vec<usize> {
    let mut at: Vec<usize> = (0..v.len()).collect();
    at.sort_by(|&i, &j| if descending { v[j].total_cmp(&v[i]) } else { v[i].total_cmp(&v[j]) });
    at
}

/// The position of the first element that no other beats.
fn first(v: &[f64], beats: fn(f64, f64) -> bool) -> f64 {
    (0..v.len()).find(|&i| v.iter().all(|&o| !beats(o, v[i]))).unwrap_or_default() as f64
}

/// Elements of the second input added to zeros at the places that `place` names.
fn added(mut y: Numbers, from: &Numbers, place: impl Fn(&[usize]) -> Vec<usize>) -> Numbers {
    Numbers::from_fn(&from.shape, |at| {
        let to = place(at).iter().zip(&y.shape).fold(0, |p, (i, n)| p * n + i);
        y.values[to] += from.at(at);
        0.0
    });
    y
}

fn replaced(at: &[usize], axis: usize, i: usize) -> Vec<usize> {
    let mut at = at.to_vec();
    at[axis] = i;
    at
}

fn zeros(shape: &[usize]) -> Numbers {
    Numbers::from_fn(shape, |_| 0.0)
}

/// Calls `f(column of the windows, their row, image's place)` for each point of a window inside of the image.
fn windows(image: &[usize], a: &Attrs, mut f: impl FnMut([usize; 3], [usize; 4])) -> [usize; 3] {
    let [k, s, p, d] = ["kernel", "stride", "padding", "dilation"].map(|name| list(a, name));
    let out = |i: usize| (image[2 + i] + 2 * p[i] - d[i] * (k[i] - 1) - 1) / s[i] + 1;
    let (rows, columns) = (image[1] * k[0] * k[1], out(0) * out(1));
    for (n, row) in (0..image[0]).flat_map(|n| (0..rows).map(move |row| (n, row))) {
        for column in 0..columns {
            let (c, i, j) = (row / (k[0] * k[1]), row / k[1] % k[0], row % k[1]);
            let (y, x) = (column / out(1) * s[0] + i * d[0], column % out(1) * s[1] + j * d[1]);
            if (p[0]..p[0] + image[2]).contains(&y) && (p[1]..p[1] + image[3]).contains(&x) {
                f([n, row, column], [n, c, y - p[0], x - p[1]]);
            }
        }
    }
    [image[0], rows, columns]
}

#[rustfmt::skip]
const TABLE: &[(&str, Reference)] = &[
    ("abs", Each(|x, _| x[0].abs())),
    ("abs_grad", Each(|x, _| x[0] * x[1].signum())),
    ("adaptive_avg_pool2d", Composed),
    ("adaptive_max_pool2d", Composed),
    ("add", Each(|x, _| x[0] + x[1])),
    ("all", Whole(|x, a| reduced(x, a, |v| truth(v.iter().all(|v| *v != 0.0))))),
    ("any", Whole(|x, a| reduced(x, a, |v| truth(v.iter().any(|v| *v != 0.0))))),
    ("argmax", Whole(|x, a| { let axis = whole(a, "axis"); x[0].reduced(&[axis], |v| first(v, |a, b| a > b)) })),
    ("argmin", Whole(|x, a| { let axis = whole(a, "axis"); x[0].reduced(&[axis], |v| first(v, |a, b| a < b)) })),
    ("argsort", Whole(|x, a| {
        let down = matches!(a.get("descending"), Some(Attr::Bool(true)));
        x[0].along(whole(a, "axis"), |v| order(v, down).into_iter().map(|i| i as f64).collect())
    })),
    ("attention", Composed),
    ("attention_weights", Composed),
    ("scaled_dot_product_attention", Composed),
    ("avg_pool2d", Composed),
    ("adaptive_avg_pool1d", Composed),
    ("adaptive_avg_pool3d", Composed),
    ("adaptive_max_pool1d", Composed),
    ("adaptive_max_pool3d", Composed),
    ("adaptive_max_pool3d_with_indices", Composed),
    ("affine_grid2d", Composed),
    ("affine_grid3d", Composed),
    ("avg_pool1d", Composed),
    ("avg_pool3d", Composed),
    ("box_iou", Composed),
    ("channel_shuffle", Composed),
    ("grid_sample", Composed),
    ("interpolate", Composed),
    ("lp_pool1d", Composed),
    ("lp_pool2d", Composed),
    ("lp_pool3d", Composed),
    ("max_pool1d", Composed),
    ("max_pool3d", Composed),
    ("max_pool3d_with_indices", Composed),
    ("max_unpool1d", Composed),
    ("max_unpool2d", Composed),
    ("max_unpool3d", Composed),
    ("pad_with", Composed),
    ("pixel_shuffle", Composed),
    ("pixel_unshuffle", Composed),
    ("roi_align", Composed),
    ("sample_places", Composed),
    ("batch_norm", Composed),
    ("batch_norm_with", Composed),
    ("bce", Composed),
    ("bce_with_logits", Composed),
    ("cast", Each(|x, a| match a.get("dtype") {
        Some(Attr::DType(DType::Bool)) => truth(x[0] != 0.0),
        Some(Attr::DType(DType::I64)) => x[0].trunc(),
        Some(Attr::DType(DType::F32)) => x[0] as f32 as f64,
        _ => x[0],
    })),
    ("cat", Whole(|x, a| {
        let axis = whole(a, "axis");
        let mut shape = x[0].shape.clone();
        shape[axis] = x.iter().map(|x| x.shape[axis]).sum();
        Numbers::from_fn(&shape, |at| {
            let mut i = at[axis];
            let part = x.iter().find(|x| { let here = i < x.shape[axis]; i -= if here { 0 } else { x.shape[axis] }; here });
            part.expect("a part").at(&replaced(at, axis, i))
        })
    })),
    ("ceil", Each(|x, _| x[0].ceil())),
    ("chunk", Composed),
    ("clamp", Each(|x, a| x[0].max(number(a, "lo")).min(number(a, "hi")))),
    ("within", Each(|x, a| truth(x[0] >= number(a, "lo") && x[0] <= number(a, "hi")))),
    ("eq", Each(|x, _| truth(x[0] == x[1]))),
    ("ne", Each(|x, _| truth(x[0] != x[1]))),
    ("lt", Each(|x, _| truth(x[0] < x[1]))),
    ("le", Each(|x, _| truth(x[0] <= x[1]))),
    ("gt", Each(|x, _| truth(x[0] > x[1]))),
    ("ge", Each(|x, _| truth(x[0] >= x[1]))),
    ("contiguous", Map(|_, _, at| at.to_vec())),
    ("conv2d", Composed),
    ("conv1d", Composed),
    ("conv3d", Composed),
    ("conv_transpose1d", Composed),
    ("conv_transpose2d", Composed),
    ("conv_transpose3d", Composed),
    ("cos", Each(|x, _| x[0].cos())),
    ("cross_entropy", Composed),
    ("ctc_loss", Composed),
    ("cumsum", Whole(|x, a| {
        let back = !matches!(a.get("backward"), Some(Attr::Bool(false)) | None);
        x[0].along(whole(a, "axis"), |v| (0..v.len()).map(|i| if back { v[i..].iter().sum::<f64>() } else { v[..=i].iter().sum() }).collect())
    })),
    ("div", Each(|x, _| x[0] / x[1])),
    ("div_grad", Each(|x, _| x[0] * x[1] / (x[2] * x[2]))),
    ("dropout", Without("its draw is random: its own test counts what stays and how it is scaled")),
    ("elu", Each(|x, a| if x[0] > 0.0 { x[0] } else { number(a, "alpha") * (x[0].exp() - 1.0) })),
    ("elu_grad", Each(|x, a| x[0] * if x[1] > 0.0 { 1.0 } else { number(a, "alpha") * x[1].exp() })),
    ("embedding", Whole(|x, _| {
        let (table, ids) = (&x[0], &x[1]);
        let shape: Vec<usize> = ids.shape.iter().copied().chain([table.shape[1]]).collect();
        Numbers::from_fn(&shape, |at| { let (last, at) = at.split_last().unwrap(); table.at(&[ids.at(at) as usize, *last]) })
    })),
    ("erf", Each(|x, _| erf(x[0]))),
    ("erf_grad", Each(|x, _| x[0] * std::f64::consts::FRAC_2_SQRT_PI * (-x[1] * x[1]).exp())),
    ("exp", Each(|x, _| x[0].exp())),
    ("expand", Map(|from, _, at| {
        let at = &at[at.len() - from.len()..];
        at.iter().zip(from).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect()
    })),
    ("expm1", Each(|x, _| x[0].exp_m1())),
    ("floor", Each(|x, _| x[0].floor())),
    ("gather", Whole(|x, a| {
        let axis = whole(a, "axis");
        Numbers::from_fn(&x[1].shape, |at| x[0].at(&replaced(at, axis, x[1].at(at) as usize)))
    })),
    ("gelu", Each(|x, _| x[0] * cdf(x[0]))),
    ("gelu_grad", Each(|x, _| x[0] * (cdf(x[1]) + x[1] * bell(x[1])))),
    ("gelu_tanh", Each(|x, _| 0.5 * x[0] * (1.0 + inner(x[0]).0.tanh()))),
    ("gelu_tanh_grad", Each(|x, _| {
        let (u, du) = inner(x[1]);
        x[0] * 0.5 * (1.0 + u.tanh() + x[1] * (1.0 - u.tanh().powi(2)) * du)
    })),
    ("gru", Composed),
    ("rnn", Composed),
    ("index", Composed),
    ("index_select", Whole(|x, a| {
        let axis = whole(a, "axis");
        let shape = replaced(&x[0].shape, axis, x[1].values.len());
        Numbers::from_fn(&shape, |at| x[0].at(&replaced(at, axis, x[1].values[at[axis]] as usize)))
    })),
    ("index_add", Whole(|x, a| {
        let axis = whole(a, "axis");
        added(zeros(&list(a, "shape")), &x[0], |at| replaced(at, axis, x[1].values[at[axis]] as usize))
    })),
    ("is_inf", Composed),
    ("is_nan", Composed),
    ("layer_norm", Composed),
    ("leaky_relu", Each(|x, a| if x[0] > 0.0 { x[0] } else { number(a, "slope") * x[0] })),
    ("leaky_relu_grad", Each(|x, a| x[0] * if x[1] > 0.0 { 1.0 } else { number(a, "slope") })),
    ("linear", Composed),
    ("log", Each(|x, _| x[0].ln())),
    ("log1p", Each(|x, _| x[0].ln_1p())),
    ("log_softmax", Composed),
    ("and", Each(|x, _| truth(x[0] != 0.0 && x[1] != 0.0))),
    ("or", Each(|x, _| truth(x[0] != 0.0 || x[1] != 0.0))),
    ("xor", Each(|x, _| truth((x[0] != 0.0) != (x[1] != 0.0)))),
    ("not", Each(|x, _| truth(x[0] == 0.0))),
    ("logsumexp", Whole(|x, a| reduced(x, a, |v| v.iter().map(|v| v.exp()).sum::<f64>().ln()))),
    ("lstm", Composed),
    ("masked_fill", Composed),
    ("matmul", Whole(|x, _| {
        let (a, b) = (&x[0], &x[1]);
        let (sa, sb) = (&a.shape, &b.shape);
        let rank = sa.len().max(sb.len());
        let size = |s: &[usize], i: usize| if i + s.len() >= rank { s[i + s.len() - rank] } else { 1 };
        let mut shape: Vec<usize> = (0..rank - 2).map(|i| if size(sa, i) == 1 { size(sb, i) } else { size(sa, i) }).collect();
        shape.extend([sa[sa.len() - 2], sb[sb.len() - 1]]);
        let own = |s: &[usize], at: &[usize]| -> Vec<usize> {
            let lead = &at[rank - s.len()..rank - 2];
            lead.iter().zip(s).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect()
        };
        Numbers::from_fn(&shape, |at| (0..sa[sa.len() - 1]).map(|k| {
            let (mut i, mut j) = (own(sa, at), own(sb, at));
            i.extend([at[rank - 2], k]);
            j.extend([k, at[rank - 1]]);
            a.at(&i) * b.at(&j)
        }).sum())
    })),
    ("max", Whole(|x, a| reduced(x, a, |v| v.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v))))),
    ("equal", Each(|x, _| truth(x[0] == x[1]))),
    ("max_pool2d", Composed),
    ("maximum", Each(|x, _| x[0].max(x[1]))),
    ("maximum_grad", Each(|x, _| share(x[0], x[1]))),
    ("mean", Whole(|x, a| reduced(x, a, |v| v.iter().sum::<f64>() / v.len() as f64))),
    ("min", Whole(|x, a| reduced(x, a, |v| v.iter().fold(f64::INFINITY, |m, &v| m.min(v))))),
    ("minimum", Each(|x, _| x[0].min(x[1]))),
    ("minimum_grad", Each(|x, _| share(x[1], x[0]))),
    ("mse", Whole(|x, _| {
        let squares = x[0].values.iter().zip(&x[1].values).map(|(a, b)| (a - b).powi(2));
        Numbers { shape: vec![], values: vec![squares.sum::<f64>() / x[0].values.len() as f64] }
    })),
    ("mul", Each(|x, _| x[0] * x[1])),
    ("neg", Each(|x, _| -x[0])),
    ("one_hot", Whole(|x, a| {
        let shape: Vec<usize> = x[0].shape.iter().copied().chain([whole(a, "classes")]).collect();
        Numbers::from_fn(&shape, |at| { let (last, at) = at.split_last().unwrap(); truth(x[0].at(at) == *last as f64) })
    })),
    ("pad", Whole(|x, a| {
        let (before, after) = (list(a, "before"), list(a, "after"));
        let shape: Vec<usize> = x[0].shape.iter().zip(before.iter().zip(&after)).map(|(n, (b, a))| n + b + a).collect();
        Numbers::from_fn(&shape, |at| {
            let from: Option<Vec<usize>> = at.iter().zip(&before).zip(&x[0].shape)
                .map(|((i, b), &n)| i.checked_sub(*b).filter(|i| *i < n)).collect();
            from.map_or(number(a, "value"), |from| x[0].at(&from))
        })
    })),
    ("permute", Map(|_, a, at| {
        let mut from = vec![0; at.len()];
        list(a, "axes").iter().zip(at).for_each(|(&axis, &i)| from[axis] = i);
        from
    })),
    ("pow", Each(|x, a| x[0].powf(number(a, "p")))),
    ("pow_grad", Each(|x, a| x[0] * number(a, "p") * x[1].powf(number(a, "p") - 1.0))),
    ("powt", Each(|x, _| x[0].powf(x[1]))),
    ("powt_grad_base", Each(|x, _| x[0] * x[2] * x[1].powf(x[2] - 1.0))),
    ("powt_grad_exponent", Each(|x, _| x[0] * x[1].powf(x[2]) * x[1].ln())),
    ("prod", Whole(|x, a| x[0].reduced(&list(a, "axes"), |v| v.iter().product()))),
    ("recip", Each(|x, _| 1.0 / x[0])),
    ("recip_grad", Each(|x, _| -x[0] / (x[1] * x[1]))),
    ("relu", Each(|x, _| x[0].max(0.0))),
    ("relu_grad", Each(|x, _| x[0] * truth(x[1] > 0.0))),
    ("reshape", Whole(|x, a| x[0].shaped(&list(a, "shape")))),
    ("round", Each(|x, _| x[0].round_ties_even())),
    ("rsqrt", Each(|x, _| 1.0 / x[0].sqrt())),
    ("rsqrt_grad", Each(|x, _| -0.5 * x[0] / x[1].sqrt().powi(3))),
    ("scatter_add", Whole(|x, a| {
        let axis = whole(a, "axis");
        added(x[0].clone(), &x[2], |at| replaced(at, axis, x[1].at(at) as usize))
    })),
    ("scatter", Whole(|x, a| {
        let axis = whole(a, "axis");
        added(zeros(&list(a, "shape")), &x[0], |at| replaced(at, axis, x[1].at(at) as usize))
    })),
    ("sigmoid", Each(|x, _| sigmoid(x[0]))),
    ("sigmoid_grad", Each(|x, _| x[0] * sigmoid(x[1]) * (1.0 - sigmoid(x[1])))),
    ("sign", Each(|x, _| if x[0] == 0.0 { 0.0 } else { x[0].signum() })),
    ("silu", Each(|x, _| x[0] * sigmoid(x[0]))),
    ("silu_grad", Each(|x, _| { let s = sigmoid(x[1]); x[0] * s * (1.0 + x[1] * (1.0 - s)) })),
    ("sin", Each(|x, _| x[0].sin())),
    ("slice", Map(|_, a, at| replaced(at, whole(a, "axis"), at[whole(a, "axis")] + whole(a, "start")))),
    ("flip", Map(|from, a, at| { let axis = whole(a, "axis"); replaced(at, axis, from[axis] - 1 - at[axis]) })),
    ("softmax", Whole(|x, a| x[0].along(whole(a, "axis"), |v| {
        let sum: f64 = v.iter().map(|v| v.exp()).sum();
        v.iter().map(|v| v.exp() / sum).collect()
    }))),
    ("softplus", Each(|x, _| (1.0 + x[0].exp()).ln())),
    ("softplus_grad", Each(|x, _| x[0] * sigmoid(x[1]))),
    ("sort", Composed),
    ("split", Composed),
    ("sqrt", Each(|x, _| x[0].sqrt())),
    ("square", Each(|x, _| x[0] * x[0])),
    ("square_grad", Each(|x, _| 2.0 * x[0] * x[1])),
    ("stack", Composed),
    ("std", Whole(|x, a| { let ddof = whole(a, "ddof"); reduced(x, a, |v| variance(v, ddof).sqrt()) })),
    ("std_of_var", Each(|x, _| x[0].sqrt())),
    ("sub", Each(|x, _| x[0] - x[1])),
    ("sum", Whole(|x, a| reduced(x, a, |v| v.iter().sum()))),
    ("tanh", Each(|x, _| x[0].tanh())),
    ("tanh_grad", Each(|x, _| x[0] * (1.0 - x[1].tanh().powi(2)))),
    ("to_device", Map(|_, _, at| at.to_vec())),
    ("topk", Whole(|x, a| {
        let (k, down) = (whole(a, "k"), matches!(a.get("descending"), Some(Attr::Bool(true))));
        x[0].along(whole(a, "axis"), |v| order(v, down)[..k].iter().map(|&i| i as f64).collect())
    })),
    ("var", Whole(|x, a| { let ddof = whole(a, "ddof"); reduced(x, a, |v| variance(v, ddof)) })),
    ("choose", Each(|x, _| if x[0] != 0.0 { x[1] } else { x[2] })),
    ("window", Whole(|x, a| {
        let mut points = Vec::new();
        let shape = windows(&x[0].shape, a, |to, from| points.push((to.to_vec(), x[0].at(&from))));
        points.into_iter().fold(zeros(&shape), |y, (to, v)| added(y, &Numbers { shape: vec![1, 1, 1], values: vec![v] }, |_| to.clone()))
    })),
    ("window_transpose", Whole(|x, a| {
        let (image, k) = (list(a, "image"), list(a, "kernel"));
        let shape = [x[0].shape[0], x[0].shape[1] / (k[0] * k[1]), image[0], image[1]];
        let mut points = Vec::new();
        windows(&shape, a, |from, to| points.push((to.to_vec(), x[0].at(&from))));
        points.into_iter().fold(zeros(&shape), |y, (to, v)| added(y, &Numbers { shape: vec![1, 1, 1, 1], values: vec![v] }, |_| to.clone()))
    })),
    ("identity", Each(|x, _| x[0])),
];

fn numbers(x: &Tensor) -> Numbers {
    Numbers { shape: x.shape().to_vec(), values: x.to(DType::F64).to_vec() }
}

/// What a reference gives for these inputs; `shape` is that of the result.
fn wanted(reference: &Reference, x: &[Numbers], a: &Attrs, shape: &[usize]) -> Option<Numbers> {
    match reference {
        Each(f) => Some(Numbers::from_fn(shape, |at| {
            let own = |x: &Numbers| {
                let at = &at[at.len() - x.shape.len()..];
                x.at(&at.iter().zip(&x.shape).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect::<Vec<_>>())
            };
            f(&x.iter().map(own).collect::<Vec<_>>(), a)
        })),
        Whole(f) => Some(f(x, a)),
        Map(f) => Some(Numbers::from_fn(shape, |at| x[0].at(&f(&x[0].shape, a, at)))),
        Composed | Without(_) => None,
    }
}

fn close(name: &str, got: &Numbers, want: &Numbers) {
    assert_eq!(got.shape, want.shape, "{name}: the shape of the result");
    for (i, (g, w)) in got.values.iter().zip(&want.values).enumerate() {
        let same = g == w || (g.is_nan() && w.is_nan()) || (g - w).abs() <= 1e-10 * w.abs() + 1e-12;
        assert!(same, "{name}: element {i} is {g}, the reference gives {w}");
    }
}

/// Runs every step of a sample again and compares those of `name` with the reference; how many there were.
fn steps(name: &str, reference: &Reference, sample: &mapsto_tensor::kind::Sample) -> usize {
    let (_, graph) = trace(|| sample.run());
    let mut values: Vec<Option<Tensor>> = graph
        .values()
        .iter()
        .map(|v| if let Source::Constant(x) = &v.source { x.clone() } else { None })
        .collect();
    let mut compared = 0;
    for step in graph.steps() {
        let inputs: Option<Vec<Tensor>> = step.inputs.iter().map(|&i| values[i].clone()).collect();
        let Some(inputs) = inputs else { continue };
        let Ok(op) = ops::kind(step.op().name()).expect("it is listed").build(step.attrs()) else { continue };
        let y = apply(op, &inputs.iter().collect::<Vec<_>>());
        if step.op().name() == name
            && let Some(want) =
                wanted(reference, &inputs.iter().map(numbers).collect::<Vec<_>>(), &step.attrs(), y.shape())
        {
            close(name, &numbers(&y), &want);
            compared += 1;
        }
        values[step.output] = Some(y);
    }
    compared
}

/// The sample on `far`, which has no kernel of its own, against the CPU.
fn definition(name: &str, sample: &mapsto_tensor::kind::Sample) -> usize {
    let device = far::device();
    let theirs: Vec<Tensor> = sample.inputs.iter().map(|x| x.to_device(device)).collect();
    let want = device.scope(|| (sample.call)(&theirs)).to_device(Device::cpu());
    close(name, &numbers(&sample.run()), &numbers(&want));
    1
}

#[test]
fn every_operation_has_a_reference() {
    let (mut own, mut composed, mut compared) = (0, 0, 0);
    for kind in OPS {
        let reference = TABLE
            .iter()
            .chain(functions::FUNCTIONS)
            .find(|(name, _)| *name == kind.name)
            .map(|(_, reference)| reference);
        let reference = reference.unwrap_or_else(|| {
            panic!("`{}` has no reference: give it a line in the table of {}", kind.name, file!())
        });
        let dtype =
            [DType::F64, DType::I64, DType::Bool].into_iter().find(|d| kind.takes(*d)).expect("a dtype");
        let before = compared;
        for sample in kind.samples(dtype, 5) {
            compared += match reference {
                Composed => definition(kind.name, &sample),
                Without(_) => 1,
                // Nothing builds a way between devices again: the whole is compared.
                _ if kind.obstacle().is_some() => {
                    let inputs: Vec<Numbers> = sample.inputs.iter().map(numbers).collect();
                    let y = sample.run();
                    let want = wanted(reference, &inputs, &Attrs::new(), y.shape()).expect("a formula");
                    close(kind.name, &numbers(&y), &want);
                    1
                }
                _ => steps(kind.name, reference, &sample),
            };
        }
        assert!(compared > before, "`{}`: no sample was compared with its reference", kind.name);
        match reference {
            Composed => composed += 1,
            Without(why) => println!("{}: {why}", kind.name),
            _ => own += 1,
        }
    }
    for (name, _) in TABLE.iter().chain(functions::FUNCTIONS) {
        assert!(ops::kind(name).is_some(), "`{name}` is no operation");
    }
    println!(
        "{} kinds: {own} by a formula or a map of indices, {composed} by their definition; {compared} results",
        OPS.len()
    );
}
