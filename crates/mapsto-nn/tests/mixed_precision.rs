//! Mixed precision as a whole: the dtypes are PyTorch's, every kind of layer runs and learns, and training in bf16 gets as far as in f32.

use mapsto_kernels::threads::with_threads;
use mapsto_nn::prelude::*;
use mapsto_nn::{GradScaler, LAYERS};
use mapsto_spec::Json;

/// What `autocast` to bf16 gives for the operands of a line of the golden file.
fn result(op: &str, xs: &[Tensor]) -> Tensor {
    let (x, w, ids) = (&xs[0], Tensor::rand([3, 3]), tensor![0, 2, 1]);
    let [ones, zeros] = [Tensor::ones([3]), Tensor::zeros([3])];
    match op {
        "matmul" => x.matmul(xs.get(1).unwrap_or(&w)),
        "linear" => x.linear(&w, Some(&zeros)),
        "einsum" => Tensor::einsum("ij,jk->ik", &[x, &w]),
        "exp" => x.exp(),
        "expm1" => x.expm1(),
        "log" => x.log(),
        "log2" => x.log2(),
        "log10" => x.log10(),
        "log1p" => x.log1p(),
        "recip" => x.recip(),
        "rsqrt" => x.rsqrt(),
        "sinh" => x.sinh(),
        "cosh" => x.cosh(),
        "tan" => x.tan(),
        "asin" => x.asin(),
        "acos" => x.acos(),
        "erfinv" => x.erfinv(),
        "softplus" => x.softplus(),
        "pow" => x.pow(1.5),
        "powt" => x.powt(x),
        "square" => x.square(),
        "softmax" => x.softmax(-1),
        "log_softmax" => x.log_softmax(-1),
        "logsumexp" => x.logsumexp(-1),
        "sum" => x.sum(..),
        "prod" => x.prod(..),
        "mean" => x.mean(..),
        "max" => x.max(..),
        "var" => x.var(..),
        "cumsum" => x.cumsum(0),
        "cumprod" => x.cumprod(0),
        "norm" => x.norm(2.0, ..),
        "relu" => x.relu(),
        "tanh" => x.tanh(),
        "sigmoid" => x.sigmoid(),
        "gelu" => x.gelu(),
        "silu" => x.silu(),
        "sin" => x.sin(),
        "sqrt" => x.sqrt(),
        "abs" => x.abs(),
        "erf" => x.erf(),
        "dropout" => train(|| x.dropout(0.5)),
        "t" => x.t(),
        "layer_norm" => x.layer_norm(&ones, Some(&zeros), 1e-5),
        "batch_norm" => x.batch_norm(&ones, &zeros, 1e-5).0,
        "rms_norm" => x.apply(&RmsNorm::new(3)),
        "cross_entropy" => cross_entropy(x, &ids),
        "mse" => mse(x, &w),
        "mae" => mae(x, &w),
        "huber" => huber(x, &w),
        "smooth_l1" => SmoothL1::new(1.0).loss(x, &w),
        "bce_with_logits" => bce_with_logits(x, &w),
        "kl_div" => kl_div(&x.log_softmax(-1), &w.softmax(-1)),
        "cosine_similarity" => x.cosine_similarity(&w.to(x.dtype()), -1, 1e-8),
        "cdist" => x.cdist(&w.to(x.dtype()), 2.0),
        "embedding" => ids.embedding(x),
        "add" => x + &xs[1],
        "sub" => x - &xs[1],
        "mul" => x * &xs[1],
        "div" => x / &xs[1],
        "maximum" => x.maximum(&xs[1]),
        "atan2" => x.atan2(&xs[1]),
        "cat" => Tensor::cat(xs, 0),
        "stack" => Tensor::stack(xs, 0),
        "choose" => w.gt(0.4).choose(x, &xs[1]),
        "conv2d" => image(x).apply(&Conv2d::new(3, 3, 3)),
        "conv_transpose2d" => image(x).apply(&ConvTranspose2d::new(3, 3, 3)),
        "avg_pool2d" => image(x).apply(&AvgPool2d::new(2)),
        "max_pool2d" => image(x).apply(&MaxPool2d::new(2)),
        "attention" => {
            let q = Tensor::rand([1, 2, 3, 4]).to(x.dtype());
            attention(&q, &q, &q, Mask::None)
        }
        "lstm" => Tensor::rand([2, 3, 4]).apply(&Lstm::new(4, 3)),
        "gru" => Tensor::rand([2, 3, 4]).apply(&Gru::new(4, 3)),
        "rnn" => Tensor::rand([2, 3, 4]).apply(&Rnn::new(4, 3)),
        other => panic!("`{other}` is not known here"),
    }
}

fn image(like: &Tensor) -> Tensor {
    Tensor::rand([2, 3, 4, 4]).to(like.dtype())
}

#[test]
fn dtypes_are_those_of_pytorch() {
    // A mean is what losses written by hand end in, so it is not rounded; and PyTorch's CPU alone leaves GRUs in f32.
    const OURS: [(&str, DType); 2] = [("mean", DType::F32), ("gru", DType::BF16)];
    let lines = include_str!("../golden/autocast.jsonl").lines();
    let mut seen = 0;
    for json in lines.map(|line| Json::parse(line).unwrap()) {
        let text = |key: &str| json.get(key).and_then(Json::str).unwrap_or("").to_string();
        let of = |name: &str| if name == "bf16" { DType::BF16 } else { DType::F32 };
        let op = text("op");
        let wanted = match text("gpu").as_str() {
            _ if OURS.iter().any(|(ours, _)| *ours == op) => {
                OURS.iter().find(|(ours, _)| *ours == op).unwrap().1
            }
            "f32" => DType::F32,
            _ => of(&text("cpu")),
        };
        let operands = json.get("operands").unwrap().list().unwrap();
        let xs: Vec<Tensor> =
            operands.iter().map(|d| (Tensor::rand([3, 3]) * 0.5 + 0.2).to(of(d.str().unwrap()))).collect();
        let y = autocast(DType::BF16, || result(&op, &xs));
        assert_eq!(y.dtype(), wanted, "{op} of {operands:?}");
        seen += 1;
    }
    assert!(seen >= 160, "{seen}");
}

const INPUTS: [&[usize]; 7] = [&[4], &[3, 4], &[4, 6], &[2, 6, 6], &[6, 4, 4], &[4, 6, 6], &[2, 4, 6, 6]];

#[test]
fn every_layer_runs_in_low_precision_near_its_values_with_gradients_in_f32() {
    let mut seen = Vec::new();
    for kind in LAYERS {
        for input in INPUTS {
            seed(3);
            let Ok(layer) = mapsto_spec::build::<dyn Layer>(&kind.sample(), input) else { continue };
            let shape = [&[4], input].concat();
            let x = if layer.input_dtype().is_float() {
                Tensor::randn(shape)
            } else {
                Tensor::zeros(shape).to(DType::I64)
            };
            for dtype in [DType::BF16, DType::F16] {
                let run = |dtype: DType, training: bool| {
                    seed(7);
                    let f = || autocast(dtype, || layer.forward(&x)).to(DType::F32);
                    if training { train(f) } else { f() }
                };
                for training in [false, true] {
                    let (y, exact) = (run(dtype, training), run(DType::F32, training));
                    let off = ((&y - &exact).norm(2.0, ..) / (exact.norm(2.0, ..) + 1e-3)).item();
                    assert!(off < 0.05, "{} on {input:?} in {dtype}, training: {training}: {off}", kind.name);
                    if training && layer.parameter_count() > 0 {
                        let (grads, exact) =
                            (y.square().sum(..).backward(), exact.square().sum(..).backward());
                        for (name, p) in layer.parameters() {
                            let (g, e) = (grads.of(&p), exact.of(&p));
                            assert_eq!(g.dtype(), DType::F32, "{}: {name}", kind.name);
                            let off = ((g - e).norm(2.0, ..) / (e.norm(2.0, ..) + 0.1)).item();
                            assert!(
                                off < 0.15,
                                "{} on {input:?} in {dtype}: the gradient of {name} is off by {off}",
                                kind.name
                            );
                        }
                    }
                }
            }
            seen.push(kind.name);
        }
    }
    seen.dedup();
    assert!(seen.len() >= LAYERS.len() - 3, "{} of {}", seen.len(), LAYERS.len());
}

/// The losses of two runs with the same weights and batches, in f32 and in `dtype`.
fn losses<L: Layer>(build: impl Fn() -> L, x: &Tensor, y: &Tensor, steps: usize, dtype: DType) -> f64 {
    seed(5);
    let mut net = build();
    let mut opt = AdamW::new(3e-3);
    let mut scaler = GradScaler::new();
    let mut last = f64::NAN;
    for _ in 0..steps {
        let loss = train(|| autocast(dtype, || cross_entropy(&net.forward(x), y)));
        assert_eq!(loss.dtype(), DType::F32);
        last = loss.item();
        if dtype == DType::F16 {
            let grads = scaler.scale(&loss).backward();
            scaler.step(&mut opt, &mut net, grads);
        } else {
            opt.step(&mut net, loss.backward());
        }
    }
    assert!(net.parameters().iter().all(|(_, p)| p.dtype() == DType::F32));
    last
}

#[test]
fn a_classifier_and_a_transformer_learn_as_far_as_in_f32() {
    seed(2);
    let x = Tensor::randn([96, 1, 8, 8]);
    let y = x.mean(&[1, 2, 3][..]).gt(0.0).to(DType::I64)
        + x.select(3, 0).mean(&[1, 2][..]).gt(0.0).to(DType::I64) * 2;
    let conv = || {
        seq![
            Conv2d::new(1, 8, 3),
            BatchNorm2d::new(8),
            Tensor::relu,
            MaxPool2d::new(2),
            Flatten::new(),
            Linear::new(72, 4)
        ]
    };
    let ids = (Tensor::rand([24, 10]) * 12.0).floor().to(DType::I64);
    let next = ids.roll(1, 1);
    let text = || {
        seq![
            Embedding::new(12, 32),
            PositionalEmbedding::new(10, 32),
            TransformerBlock::new(32, 4).causal(),
            LayerNorm::new(32),
            Linear::new(32, 12)
        ]
    };
    for (name, run) in [
        ("classifier", &(|dtype| losses(conv, &x, &y, 60, dtype)) as &dyn Fn(DType) -> f64),
        ("transformer", &|dtype| losses(text, &ids, &next, 60, dtype)),
    ] {
        let exact = run(DType::F32);
        assert!(exact < 0.8, "{name}: {exact}");
        for dtype in [DType::BF16, DType::F16] {
            let low = run(dtype);
            assert!((low - exact).abs() < 0.05 + 0.1 * exact, "{name} in {dtype}: {low}, in f32 {exact}");
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    seed(4);
    let x = Tensor::randn([64, 3, 12, 12]);
    let net = seq![
        Conv2d::new(3, 8, 3),
        Tensor::relu,
        Flatten::new(),
        Linear::new(800, 100),
        Tensor::gelu,
        Linear::new(100, 10)
    ];
    let ids = (Tensor::rand([64]) * 10.0).floor().to(DType::I64);
    let run = |threads: usize| {
        with_threads(threads, || {
            let loss = train(|| autocast(DType::BF16, || cross_entropy(&net.forward(&x), &ids)));
            let grads = loss.backward();
            let all: Vec<Vec<f32>> =
                net.parameters().iter().map(|(_, p)| grads.of(p).to_vec::<f32>()).collect();
            (loss.item(), all)
        })
    };
    let one = run(1);
    assert!([2, 3, 8].into_iter().all(|n| run(n) == one));
}

/// A layer whose input has come in 16 bits from the layer before.
#[test]
fn experts_take_what_a_layer_before_has_made() {
    seed(6);
    let net = seq![Linear::new(8, 8), MixtureOfExperts::new(8, 6, 3)];
    let x = Tensor::randn([5, 8]);
    for dtype in [DType::BF16, DType::F16] {
        let y = autocast(dtype, || train(|| net.forward(&x)).to(DType::F32));
        assert!((&y - net.forward(&x)).abs().max(..).item() < 0.05, "{dtype}");
    }
}
