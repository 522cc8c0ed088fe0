//! The edges of operations: an axis of a tensor without axes, products over nothing, second derivatives at kinks and far
//! out, whole exponents. The values are PyTorch's.

use mapsto_tensor::prelude::*;

type Call = fn(&Tensor, isize) -> Tensor;

/// Every operation that takes an axis where PyTorch takes 0 and −1 without axes, with the result of the one element 3.
const WITHOUT_AXES: &[(&str, Call, f64)] = &[
    ("sum", |x, a| x.sum(a), 3.0),
    ("sum", |x, a| x.sum(keep(a)), 3.0),
    ("mean", |x, a| x.mean(a), 3.0),
    ("prod", |x, a| x.prod(a), 3.0),
    ("max", |x, a| x.max(a), 3.0),
    ("min", |x, a| x.min(keep(a)), 3.0),
    ("var", |x, a| x.var(a), 0.0),
    ("std", |x, a| x.std(a), 0.0),
    ("logsumexp", |x, a| x.logsumexp(a), 3.0),
    ("any", |x, a| x.any(a), 1.0),
    ("all", |x, a| x.all(a), 1.0),
    ("argmax", |x, a| x.argmax(a), 0.0),
    ("argmin", |x, a| x.argmin(a), 0.0),
    ("softmax", |x, a| x.softmax(a), 1.0),
    ("log_softmax", |x, a| x.log_softmax(a), 0.0),
    ("cumsum", |x, a| x.cumsum(a), 3.0),
    ("sort", |x, a| x.sort(a).0, 3.0),
    ("argsort", |x, a| x.argsort(a), 0.0),
    ("topk", |x, a| x.topk(1, a).0, 3.0),
    ("flip", |x, a| x.flip(a), 3.0),
    ("swap", |x, a| x.swap(a, 0), 3.0),
    ("squeeze", |x, a| x.squeeze(a), 3.0),
    ("gather", |x, a| x.gather(a, &tensor![0].reshape(())), 3.0),
    ("index_select", |x, a| x.index_select(a, &tensor![0]), 3.0),
    ("scatter_add", |x, a| x.scatter_add(a, &tensor![0].reshape(()), &Tensor::scalar(0.0)), 3.0),
];

#[test]
fn an_axis_of_a_tensor_without_axes() {
    for &(name, call, want) in WITHOUT_AXES {
        for axis in [0, -1] {
            let x = Tensor::scalar(3.0).leaf();
            let y = catch(|| call(&x, axis)).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!((y.rank(), y.item()), (0, want), "{name} of axis {axis}");
            if y.is_recorded() && y.dtype().is_float() {
                assert!(y.backward().get(&x).is_none_or(|g| g.is_finite()), "{name}");
            }
        }
        for axis in [1, -2] {
            let e = catch(|| call(&Tensor::scalar(3.0), axis))
                .err()
                .unwrap_or_else(|| panic!("{name} takes axis {axis}"));
            assert!(e.message().contains("axis"), "{name}: {e}");
        }
    }
    assert_eq!(Tensor::scalar(3.0).unsqueeze(-1).shape(), [1]);
    assert_eq!(Tensor::scalar(3.0).flatten(0).shape(), [1]);
    // As in PyTorch these need an axis.
    let refused: [Call; 4] = [
        |x, a| x.slice(a, 0..1),
        |x, a| x.select(a, 0),
        |x, a| x.split(&[1], a).remove(0),
        |x, a| Tensor::cat(std::slice::from_ref(x), a),
    ];
    for call in refused {
        assert!(catch(|| call(&Tensor::scalar(3.0), 0)).is_err());
    }
    println!("{} operations without axes", WITHOUT_AXES.len());
}

/// Products with sizes of 0: which inputs, and the call.
#[test]
fn products_over_nothing() {
    type Product = fn(&[Tensor]) -> Tensor;
    let cases: &[(&str, &[&[usize]], Product)] = &[
        ("matmul", &[&[2, 0], &[0, 3]], |x| x[0].matmul(&x[1])),
        ("matmul", &[&[4, 2, 0], &[0, 3]], |x| x[0].matmul(&x[1])),
        ("matmul", &[&[4, 2, 0], &[4, 0, 3]], |x| x[0].matmul(&x[1])),
        ("matmul", &[&[0, 2, 3], &[3, 4]], |x| x[0].matmul(&x[1])),
        ("matmul", &[&[4, 0, 3], &[3, 4]], |x| x[0].matmul(&x[1])),
        ("matmul", &[&[4, 2, 3], &[3, 0]], |x| x[0].matmul(&x[1])),
        ("matmul", &[&[2, 1, 2, 0], &[3, 0, 2]], |x| x[0].matmul(&x[1])),
        ("matmul", &[&[0], &[0]], |x| x[0].matmul(&x[1])),
        ("matmul", &[&[0], &[2, 0, 3]], |x| x[0].matmul(&x[1])),
        ("matmul", &[&[2, 3, 0], &[0]], |x| x[0].matmul(&x[1])),
        ("linear", &[&[2, 0], &[3, 0], &[3]], |x| x[0].linear(&x[1], Some(&x[2]))),
        ("linear", &[&[2, 5, 0], &[3, 0], &[3]], |x| x[0].linear(&x[1], Some(&x[2]))),
        ("linear", &[&[0, 4], &[3, 4], &[3]], |x| x[0].linear(&x[1], Some(&x[2]))),
        ("linear", &[&[2, 0, 4], &[3, 4], &[3]], |x| x[0].linear(&x[1], Some(&x[2]))),
        ("linear", &[&[2, 4], &[0, 4], &[0]], |x| x[0].linear(&x[1], Some(&x[2]))),
        ("linear", &[&[0], &[3, 0], &[3]], |x| x[0].linear(&x[1], Some(&x[2]))),
        ("attention", &[&[1, 2, 3, 4], &[1, 2, 0, 4], &[1, 2, 0, 5]], |x| {
            attention(&x[0], &x[1], &x[2], Mask::None)
        }),
        ("attention", &[&[1, 2, 3, 0], &[1, 2, 3, 0], &[1, 2, 3, 5]], |x| {
            attention(&x[0], &x[1], &x[2], Mask::Causal)
        }),
        ("attention", &[&[1, 2, 0, 4], &[1, 2, 3, 4], &[1, 2, 3, 0]], |x| {
            attention(&x[0], &x[1], &x[2], Mask::None)
        }),
        ("attention", &[&[0, 2, 3, 4], &[0, 2, 3, 4], &[0, 2, 3, 5]], |x| {
            attention(&x[0], &x[1], &x[2], Mask::None)
        }),
        ("conv2d", &[&[0, 2, 5, 5], &[3, 2, 3, 3]], |x| x[0].conv2d(&x[1], None, Conv2dOptions::new())),
        ("conv2d", &[&[2, 0, 5, 5], &[3, 0, 3, 3]], |x| x[0].conv2d(&x[1], None, Conv2dOptions::new())),
        ("conv2d", &[&[2, 2, 5, 5], &[0, 2, 3, 3]], |x| x[0].conv2d(&x[1], None, Conv2dOptions::new())),
        ("conv1d", &[&[2, 0, 5], &[3, 0, 3]], |x| x[0].conv1d(&x[1], None, Conv1dOptions::new())),
        ("conv3d", &[&[2, 0, 3, 3, 3], &[3, 0, 2, 2, 2]], |x| x[0].conv3d(&x[1], None, Conv3dOptions::new())),
        ("conv_transpose1d", &[&[2, 0, 5], &[0, 3, 3]], |x| {
            x[0].conv_transpose1d(&x[1], None, ConvTranspose1dOptions::new())
        }),
        ("conv_transpose2d", &[&[2, 2, 5, 5], &[2, 0, 3, 3]], |x| {
            x[0].conv_transpose2d(&x[1], None, ConvTranspose2dOptions::new())
        }),
        ("conv_transpose3d", &[&[0, 2, 2, 2, 2], &[2, 1, 2, 2, 2]], |x| {
            x[0].conv_transpose3d(&x[1], None, ConvTranspose3dOptions::new())
        }),
        ("layer_norm", &[&[0, 4], &[4], &[4]], |x| x[0].layer_norm(&x[1], Some(&x[2]), 1e-5)),
        ("batch_norm", &[&[0, 4], &[4], &[4]], |x| x[0].batch_norm(&x[1], &x[2], 1e-5).0),
        ("cumsum", &[&[2, 0]], |x| x[0].cumsum(1)),
        ("prod", &[&[2, 0]], |x| x[0].prod(1)),
        ("softmax", &[&[2, 0]], |x| x[0].softmax(1)),
    ];
    for (name, shapes, call) in cases {
        for dtype in [DType::F32, DType::F64, DType::F16] {
            let xs: Vec<Tensor> = shapes.iter().map(|s| Tensor::ones(*s).to(dtype).leaf()).collect();
            let y = catch(|| call(&xs)).unwrap_or_else(|e| panic!("{name} {shapes:?}: {e}"));
            // Sums of nothing are 0; queries of no numbers fit all keys alike, and take the mean of the values.
            let nothing = shapes[0].contains(&0) || shapes[1..].iter().any(|s| s.len() == 4 && s[2] == 0);
            if (name.starts_with("conv") || ["matmul", "attention"].contains(name))
                && nothing
                && !(*name == "attention" && shapes[0][3] == 0)
            {
                assert!(y.eq(0.0).all(..).item() == 1.0, "{name} {shapes:?}: {y}");
            }
            if !y.is_recorded() {
                continue;
            }
            let grads =
                catch(|| y.sum(..).backward()).unwrap_or_else(|e| panic!("{name} {shapes:?} backward: {e}"));
            for x in &xs {
                if let Some(g) = grads.get(x) {
                    assert!(g.shape() == x.shape() && g.is_finite(), "{name} {shapes:?}");
                }
            }
            let second = catch(|| {
                let [g] = grad(&call(&xs).square().sum(..), [&xs[0]]);
                g.square().sum(..).item()
            });
            let second = second.unwrap_or_else(|e| panic!("{name} {shapes:?} twice: {e}"));
            assert!(second.is_finite(), "{name} {shapes:?} twice");
        }
    }
    println!("{} products over nothing, in three dtypes", cases.len());
}

/// First and second derivatives of activations at their kinks and far out. Far out a smooth one is a line.
#[test]
fn derivatives_of_both_orders_at_kinks_and_far_out() {
    type F = fn(&Tensor) -> Tensor;
    // Name, function, (point, first, second).
    type Row = (&'static str, F, &'static [(f64, f64, f64)]);
    let table: &[Row] = &[
        ("relu", |x| x.relu(), &[(0.0, 0.0, 0.0), (1e30, 1.0, 0.0), (-1e30, 0.0, 0.0)]),
        ("leaky_relu", |x| x.leaky_relu(0.25), &[(0.0, 0.25, 0.0), (1e30, 1.0, 0.0), (-1e30, 0.25, 0.0)]),
        (
            "elu",
            |x| x.elu(1.5),
            &[
                (0.0, 1.5, 0.0),
                (-1e-9, 1.5, 1.5),
                (1e-9, 1.0, 0.0),
                (-1.0, 0.551_819_16, 0.551_819_16),
                (1e30, 1.0, 0.0),
                (-1e30, 0.0, 0.0),
                (100.0, 1.0, 0.0),
            ],
        ),
        ("abs", |x| x.abs(), &[(0.0, 0.0, 0.0), (1e30, 1.0, 0.0), (-1e30, -1.0, 0.0)]),
        (
            "gelu",
            |x| x.gelu(),
            &[(0.0, 0.5, 0.797_884_56), (1e30, 1.0, 0.0), (-1e30, 0.0, 0.0), (1e10, 1.0, 0.0)],
        ),
        (
            "gelu_tanh",
            |x| x.gelu_tanh(),
            &[(0.0, 0.5, 0.797_884_56), (1e30, 1.0, 0.0), (-1e30, 0.0, 0.0), (1e10, 1.0, 0.0)],
        ),
        ("silu", |x| x.silu(), &[(0.0, 0.5, 0.5), (1e30, 1.0, 0.0), (-1e30, 0.0, 0.0), (200.0, 1.0, 0.0)]),
        ("softplus", |x| x.softplus(), &[(0.0, 0.5, 0.25), (1e30, 1.0, 0.0), (-1e30, 0.0, 0.0)]),
        ("sigmoid", |x| x.sigmoid(), &[(0.0, 0.25, 0.0), (1e30, 0.0, 0.0), (-1e30, 0.0, 0.0)]),
        ("tanh", |x| x.tanh(), &[(0.0, 1.0, 0.0), (1e30, 0.0, 0.0), (-1e30, 0.0, 0.0)]),
        (
            "erf",
            |x| x.erf(),
            &[(0.0, std::f64::consts::FRAC_2_SQRT_PI, 0.0), (1e30, 0.0, 0.0), (-1e30, 0.0, 0.0)],
        ),
        (
            "clamp",
            |x| x.clamp(-1.0, 1.0),
            &[(1.0, 1.0, 0.0), (-1.0, 1.0, 0.0), (2.0, 0.0, 0.0), (0.0, 1.0, 0.0)],
        ),
        ("square", |x| x.square(), &[(0.0, 0.0, 2.0), (1e15, 2e15, 2.0)]),
        ("pow 3", |x| x.pow(3.0), &[(0.0, 0.0, 0.0), (-2.0, 12.0, -12.0)]),
        ("pow 1", |x| x.pow(1.0), &[(0.0, 1.0, 0.0)]),
        ("pow 0", |x| x.pow(0.0), &[(0.0, 0.0, 0.0)]),
        ("exp", |x| x.exp(), &[(0.0, 1.0, 1.0), (-1e30, 0.0, 0.0)]),
        ("expm1", |x| x.expm1(), &[(0.0, 1.0, 1.0), (-20.0, 2.061_153_6e-9, 2.061_153_6e-9)]),
        ("maximum 0", |x| x.maximum(0.0), &[(0.0, 0.5, 0.0), (1.0, 1.0, 0.0)]),
        ("minimum 0", |x| x.minimum(0.0), &[(0.0, 0.5, 0.0), (1.0, 0.0, 0.0)]),
    ];
    let mut points = 0;
    for (name, f, rows) in table {
        for dtype in [DType::F32, DType::F64] {
            for &(at, first, second) in *rows {
                let x = Tensor::full_of([1], at, dtype).leaf();
                let close = |v: f64, want: f64| (v - want).abs() <= 2e-6 * want.abs() + 1e-30;
                let [g] = grad(&f(&x).sum(..), [&x]);
                let b = f(&x).sum(..).backward();
                assert!(
                    close(g.item(), first) && close(b.of(&x).item(), first),
                    "{name} at {at} ({dtype}): {} instead of {first}",
                    g.item()
                );
                let twice = if g.is_recorded() {
                    catch(|| grad(&g.sum(..), [&x])).map_or(0.0, |[h]| h.item())
                } else {
                    0.0
                };
                assert!(close(twice, second), "{name} twice at {at} ({dtype}): {twice} instead of {second}");
                points += 1;
            }
        }
    }
    println!("{} functions, {points} points", table.len());
}

#[test]
fn whole_exponents_are_within_two_units_in_the_last_place() {
    let x: Vec<f32> = (0..5000).map(|i| 0.05 + i as f32 / 1500.0).collect();
    let (x, mut worst) = (Tensor::from_slice(&x, x.len()), 0.0f64);
    for p in -40..=40 {
        let low: Vec<f32> = x.pow(p as f64).to_vec();
        for (low, x) in low.iter().zip(x.to_vec::<f32>()) {
            let want = (x as f64).powf(p as f64);
            // Near the least normal number the last bits have no smaller ones to be made of.
            if (1e-36..3e38).contains(&want) {
                let ulp = ((want as f32).next_up() - want as f32) as f64;
                worst = worst.max((*low as f64 - want).abs() / ulp);
            }
        }
    }
    println!("81 exponents, {worst:.2} units in the last place at most");
    assert!(worst <= 2.0, "{worst}");
}

#[test]
fn whoever_is_given_the_wrong_number_of_values_says_its_own_name() {
    let said = |body: fn() -> Tensor| catch(body).unwrap_err().message().to_string();
    assert_eq!(said(|| Tensor::from_vec(vec![1.0f32], [2])), "from_vec: 1 values for the shape [2] of 2");
    assert_eq!(said(|| Tensor::from_slice(&[1.0f32], [2])), "from_slice: 1 values for the shape [2] of 2");
    let e = catch(|| Tensor::ones([6, 4]).reshape([-1, -1])).unwrap_err();
    assert_eq!(e.message(), "reshape: 2 sizes are left open by -1, in [-1, -1]");
}
