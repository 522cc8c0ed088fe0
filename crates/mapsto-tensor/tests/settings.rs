//! Settings of tensor functions are checked as all settings are: what is no number, or out of its range, is refused by a message
//! that names the function, and what is allowed runs.

use mapsto_tensor::graph::Grads;
use mapsto_tensor::prelude::*;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

struct Setting {
    name: &'static str,
    run: fn(f64),
    refused: &'static [f64],
    allowed: &'static [f64],
}

fn x() -> Tensor {
    Tensor::ones([2, 3])
}

fn grads() -> Grads {
    let w = tensor![3.0, 4.0].leaf();
    w.sum(..).backward()
}

/// Every public function that takes a setting as f64.
const SETTINGS: &[Setting] = &[
    Setting {
        name: "elu",
        run: |v| drop(x().elu(v)),
        refused: &[NAN, INF, -INF, 1e39],
        allowed: &[1.0, 0.0, -1.0],
    },
    Setting {
        name: "leaky_relu",
        run: |v| drop(x().leaky_relu(v)),
        refused: &[NAN, INF, -INF, 1e39],
        allowed: &[0.01, 0.0, -1.0, 2.0],
    },
    Setting {
        name: "linspace",
        run: |v| drop(Tensor::linspace(v, 1.0, 3)),
        refused: &[NAN, INF, -INF, 1e39],
        allowed: &[0.0, 5.0],
    },
    Setting {
        name: "linspace",
        run: |v| drop(Tensor::linspace(0.0, v, 3)),
        refused: &[NAN, INF, -INF, 1e39],
        allowed: &[1.0, -5.0],
    },
    Setting {
        name: "uniform",
        run: |v| drop(Tensor::uniform([2], 0.0, v)),
        refused: &[NAN, INF, -1.0, 1e39],
        allowed: &[1.0],
    },
    Setting {
        name: "uniform",
        run: |v| drop(Tensor::uniform([2], v, 0.0)),
        refused: &[NAN, -INF, 1.0, -1e39],
        allowed: &[-1.0],
    },
    Setting {
        name: "normal",
        run: |v| drop(Tensor::normal([2], 0.0, v)),
        refused: &[NAN, INF, -1.0, 1e39],
        allowed: &[0.0, 1.0],
    },
    Setting {
        name: "normal",
        run: |v| drop(Tensor::normal([2], v, 1.0)),
        refused: &[NAN, INF, -INF, 1e39],
        allowed: &[0.0, -1.0],
    },
    Setting {
        name: "bernoulli",
        run: |v| drop(Tensor::bernoulli([2], v)),
        refused: &[NAN, INF, -0.1, 1.1],
        allowed: &[0.0, 0.5, 1.0],
    },
    Setting {
        name: "dropout",
        run: |v| drop(train(|| x().dropout(v))),
        refused: &[NAN, INF, -0.1, 1.1],
        allowed: &[0.0, 0.5],
    },
    Setting {
        name: "layer_norm",
        run: |v| drop(x().layer_norm(&Tensor::ones([3]), None, v)),
        refused: &[NAN, INF, -1.0],
        allowed: &[1e-5],
    },
    Setting {
        name: "batch_norm",
        run: |v| drop(x().batch_norm(&Tensor::ones([3]), &Tensor::ones([3]), v)),
        refused: &[NAN, INF, -1.0],
        allowed: &[1e-5],
    },
    Setting {
        name: "batch_norm",
        run: |v| {
            let one = Tensor::ones([3]);
            drop(x().batch_norm_with(&one, &one, &one, &one, v));
        },
        refused: &[NAN, INF, -1.0],
        allowed: &[1e-5],
    },
    Setting {
        name: "cross_entropy",
        run: |v| drop(CrossEntropyOptions::new().label_smoothing(v)),
        refused: &[NAN, INF, -0.1, 1.1],
        allowed: &[0.0, 1.0],
    },
    Setting {
        name: "cross_entropy",
        run: |v| drop(CrossEntropyOptions::new().weights(tensor![1.0, v])),
        refused: &[NAN, INF, -0.1],
        allowed: &[0.0, 2.0],
    },
    Setting { name: "clamp", run: |v| drop(x().clamp(v, 1.0)), refused: &[NAN, 2.0], allowed: &[0.0, -INF] },
    Setting { name: "clamp", run: |v| drop(x().clamp(0.0, v)), refused: &[NAN, -1.0], allowed: &[1.0, INF] },
    Setting {
        name: "clip_norm",
        run: |v| _ = grads().clip_norm(v),
        refused: &[NAN, INF, 0.0, -1.0],
        allowed: &[1.0],
    },
    Setting {
        name: "clip_value",
        run: |v| grads().clip_value(v),
        refused: &[NAN, INF, 0.0, -1.0],
        allowed: &[1.0],
    },
    Setting {
        name: "scale",
        run: |v| grads().scale(v),
        refused: &[NAN, INF, -INF],
        allowed: &[0.0, -1.0, 0.5],
    },
    Setting {
        name: "scale",
        run: |v| drop(grads() * v),
        refused: &[NAN, INF, -INF],
        allowed: &[0.0, -1.0, 0.5],
    },
    Setting {
        name: "clip_norm",
        run: |v| {
            let w = tensor![3.0, 4.0].leaf();
            let mut grads = (&w * v).sum(..).backward();
            _ = grads.clip_norm(1.0);
        },
        refused: &[NAN, INF],
        allowed: &[1.0],
    },
];

#[test]
fn numbers_out_of_range_are_refused_in_every_function() {
    let mut tried = 0;
    for setting in SETTINGS {
        for &v in setting.refused {
            let message = match catch(|| (setting.run)(v)) {
                Ok(()) => panic!("{} takes {v}", setting.name),
                Err(e) => e.to_string(),
            };
            assert!(message.starts_with(&format!("{}: ", setting.name)), "{}: {message}", setting.name);
            tried += 1;
        }
        for &v in setting.allowed {
            assert!(catch(|| (setting.run)(v)).is_ok(), "{} refuses {v}", setting.name);
            tried += 1;
        }
    }
    assert!(SETTINGS.len() > 20 && tried > 100, "{} {tried}", SETTINGS.len());
}

/// Sizes and places that there are not.
#[test]
fn sizes_that_do_not_fit_are_refused_in_every_function() {
    type Wrong = (&'static str, fn());
    let wrong: &[Wrong] = &[
        ("reshape", || drop(x().reshape([-5, 1]))),
        ("reshape", || drop(x().reshape([-2]))),
        ("reshape", || drop(x().reshape([-1, -1]))),
        ("reshape", || drop(x().reshape([i64::MIN, 1]))),
        ("reshape", || drop(x().reshape([4, 2]))),
        ("reshape", || drop(x().reshape([-1, 0]))),
        ("permute", || drop(x().permute([0, 0]))),
        ("squeeze", || drop(x().squeeze(0))),
        ("unsqueeze", || drop(x().unsqueeze(3))),
        ("flatten", || drop(x().flatten(2))),
        ("expand", || drop(x().expand([3, 3]))),
        ("slice", || drop(x().slice(2, ..1))),
        ("split", || drop(x().split(&[1, 3], 1))),
        ("chunk", || drop(x().chunk::<2>(1))),
        ("topk", || drop(x().topk(4, 1))),
        ("one_hot", || drop(tensor![3].one_hot(3))),
        ("pad", || drop(x().pad(&[(1, 1)], 0.0))),
        ("cat", || drop(Tensor::cat(&[x(), Tensor::ones([2, 4, 1])], 0))),
        ("stack", || drop(Tensor::stack(&[x(), Tensor::ones([2, 4])], 0))),
        ("index_select", || drop(x().index_select(1, &tensor![3]))),
        ("gather", || drop(x().gather(1, &tensor![[3], [0]]))),
        ("max", || drop(x().max(2))),
        ("sum", || drop(x().sum([0, 0]))),
        ("softmax", || drop(x().softmax(2))),
        ("layer_norm", || drop(x().layer_norm(&Tensor::ones([2]), None, 1e-5))),
    ];
    for (name, run) in wrong {
        let message = match catch(run) {
            Ok(()) => panic!("{name} takes what does not fit"),
            Err(e) => e.to_string(),
        };
        assert!(message.starts_with(&format!("{name}: ")), "{name}: {message}");
    }
    assert!(wrong.len() > 20);
}

/// A loss takes targets of another dtype in one way, as a method of a tensor and as a function.
#[test]
fn losses_take_targets_of_any_dtype() {
    type Loss = (&'static str, fn(&Tensor, &Tensor) -> Tensor);
    let losses: [Loss; 4] = [
        ("mse", |y, t| y.mse(t)),
        ("bce", |y, t| y.bce(t)),
        ("bce_with_logits", |y, t| y.bce_with_logits(t)),
        ("cross_entropy", |y, t| {
            y.cross_entropy(&t.to(if t.dtype().is_float() { t.dtype() } else { DType::F32 }))
        }),
    ];
    let y = tensor![[0.25, 0.75], [0.5, 0.125]];
    let t = tensor![[0.0, 1.0], [1.0, 0.0]];
    let mut tried = 0;
    for (name, loss) in losses {
        for of in [DType::F16, DType::BF16, DType::F32, DType::F64] {
            let y = y.to(of).leaf();
            let want = loss(&y, &t.to(of));
            let slope = want.backward().of(&y).to(DType::F64).to_vec::<f64>();
            for to in [DType::F16, DType::BF16, DType::F32, DType::F64, DType::I64, DType::U8, DType::Bool] {
                let got = loss(&y, &t.to(to));
                assert_eq!((got.dtype(), got.item()), (of, want.item()), "{name} {of} {to}");
                assert_eq!(got.backward().of(&y).to(DType::F64).to_vec::<f64>(), slope, "{name} {of} {to}");
                tried += 1;
            }
        }
        let message = catch(|| loss(&tensor![[1, 0], [0, 1]], &t)).unwrap_err().to_string();
        assert!(message.starts_with(&format!("{name}: ")) && message.contains("floats"), "{message}");
    }
    assert_eq!(tried, 4 * 4 * 7);
}
