//! A layer and what follows it give the same bits in one pass as one by one: every kind of layer with everything that follows.

use mapsto_nn::prelude::*;
use mapsto_nn::{LAYERS, LayerKind, Then};
use mapsto_spec::Entry;
use mapsto_tensor::graph::trace;

const INPUTS: [&[usize]; 6] = [&[4], &[3, 4], &[2, 6, 6], &[6, 4, 4], &[4, 6, 6], &[2, 3, 4, 4]];

type Built = Box<dyn Layer>;

/// A layer of this kind with weights and statistics that are not those of a fresh one.
fn build(kind: &LayerKind, input: &[usize]) -> Option<Built> {
    let entry = if kind.name == "dropout" { Entry::new("dropout").with_value(0.5) } else { kind.sample() };
    mapsto_spec::build::<dyn Layer>(&entry, input).ok().map(stirred)
}

fn stirred(mut layer: Built) -> Built {
    layer.visit_mut(&mut Path::new(), &mut |path, item| match item {
        ItemMut::Param(p) => p.set(&Tensor::randn(p.shape().to_vec())).unwrap(),
        ItemMut::State(s) if ["var", "variance"].iter().any(|end| path.to_string().ends_with(end)) => {
            s.set(Tensor::rand(s.get().shape()) + 0.1)
        }
        ItemMut::State(s) => s.set(Tensor::randn(s.get().shape())),
    });
    layer
}

fn batch(layer: &dyn Layer, shape: &[usize]) -> Tensor {
    let shape = [&[3], shape].concat();
    if layer.input_dtype().is_float() { Tensor::randn(shape) } else { Tensor::zeros(shape).to(DType::I64) }
}

/// The bits of the result, and the gradients of `x` and of all parameters.
fn run(
    layers: &[&dyn Layer],
    x: &Tensor,
    training: bool,
    f: &dyn Fn(&Tensor) -> Tensor,
) -> (Vec<u32>, Vec<Tensor>) {
    seed(5);
    if !training {
        return (bits(&f(x)), Vec::new());
    }
    // What training moves on stands where it stood before for the next run.
    let before: Vec<Tensor> = layers.iter().flat_map(|layer| states(*layer, &mut |s| s.get())).collect();
    let found = trained(layers, x, f);
    let mut before = before.into_iter();
    layers
        .iter()
        .for_each(|layer| _ = states(*layer, &mut |s| s.set(before.next().expect("as many as before"))));
    found
}

/// What `f` makes of each state of a layer.
fn states<R>(layer: &dyn Layer, f: &mut dyn FnMut(&State) -> R) -> Vec<R> {
    let mut all = Vec::new();
    layer.visit(&mut Path::new(), &mut |_, item| {
        if let Item::State(state) = item {
            all.push(f(state));
        }
    });
    all
}

fn trained(layers: &[&dyn Layer], x: &Tensor, f: &dyn Fn(&Tensor) -> Tensor) -> (Vec<u32>, Vec<Tensor>) {
    let x = if x.dtype().is_float() { x.leaf() } else { x.clone() };
    let y = train(|| f(&x));
    if !y.dtype().is_float() {
        return (bits(&y), Vec::new()); // ids have no gradient
    }
    let loss = train(|| (&y * Tensor::randn(y.shape())).sum(..));
    if !loss.is_recorded() {
        return (bits(&y), Vec::new());
    }
    let grads = loss.backward();
    let mut all: Vec<Tensor> = grads.get(&x).into_iter().cloned().collect();
    for layer in layers {
        all.extend(layer.parameters().iter().filter_map(|(_, p)| grads.get(p).cloned()));
    }
    (bits(&y), all)
}

fn bits(t: &Tensor) -> Vec<u32> {
    t.to(DType::F32).to_vec::<f32>().into_iter().map(f32::to_bits).collect()
}

/// That `layer` and `then` give the bits of one pass after the other, by hand and in a list; returns how much ran in one pass.
#[track_caller]
fn check(layer: &dyn Layer, then: &[Then<'_>], layers: &[&dyn Layer], x: &Tensor, training: bool) -> usize {
    let what = format!("{} and {then:?} on {:?}, training: {training}", layer.describe(), x.shape());
    let alone = run(layers, x, training, &|x| then.iter().fold(layer.forward(x), |y, then| then.apply(&y)));
    let together = run(layers, x, training, &|x| x.apply_then(layer, then));
    assert!(alone.0 == together.0, "{what}: other bits");
    assert_eq!(alone.1.len(), together.1.len());
    for (a, b) in alone.1.iter().zip(&together.1) {
        let (error, size) = ((a - b).abs().max(..).item(), a.abs().max(..).item());
        assert!(error <= 1e-5 * size.max(1.0), "{what}: a gradient differs by {error} of {size}");
    }
    if training {
        // Losses ask what their inputs mean, and by whose work.
        let alone = train(|| then.iter().fold(layer.forward(x), |y, then| then.apply(&y)).meaning());
        let together = train(|| x.apply_then(layer, then).meaning());
        assert_eq!(alone, together, "{what}: another meaning");
    }
    let taken = || layer.forward_then(x, then).1;
    if training { train(taken) } else { taken() }
}

#[test]
fn every_layer_with_everything_that_follows() {
    seed(1);
    let mut shared = Vec::new();
    for kind in LAYERS {
        for input in INPUTS {
            let Some(layer) = build(kind, input) else { continue };
            let x = batch(&*layer, input);
            let y = layer.forward(&x);
            if !y.dtype().is_float() {
                continue; // nothing that has a follower's pass reads ids
            }
            let followers = LAYERS.iter().filter_map(|kind| Some((kind, build(kind, &y.shape()[1..])?)));
            for (follower, next) in followers.filter(|(_, next)| next.input_dtype().is_float()) {
                for training in [false, true] {
                    let of = || Then::of(&*next);
                    let then = if training { train(of) } else { of() };
                    if check(&*layer, &[then], &[&*layer, &*next], &x, training) > 0 {
                        shared.push((kind.name, follower.name, training));
                    }
                }
            }
        }
    }
    shared.sort();
    shared.dedup();
    let expected = [
        ("conv2d", "batch_norm2d", false),
        ("conv2d", "relu", false),
        ("conv2d", "relu", true),
        ("depthwise_conv2d", "batch_norm2d", false),
        ("depthwise_conv2d", "relu", false),
        ("depthwise_conv2d", "relu", true),
        ("linear", "relu", false),
        ("linear", "relu", true),
        ("relu", "max_pool2d", false),
        ("relu", "max_pool2d", true),
        ("separable_conv2d", "batch_norm2d", false),
        ("separable_conv2d", "relu", false),
        ("separable_conv2d", "relu", true),
    ];
    assert_eq!(shared, expected, "what shares a pass with what");
}

/// Convolutions by every way of their kernel, with a norm, a sum and a ReLU in all their combinations.
#[test]
fn convolutions_with_a_norm_a_sum_and_a_relu() {
    seed(2);
    for (shape, conv) in [
        ([2, 3, 6, 7], Conv2d::new(3, 5, 3).padding(1)),
        ([3, 16, 10, 9], Conv2d::new(16, 20, 3).padding(1)),
        ([1, 64, 14, 14], Conv2d::new(64, 48, 3).padding(1).no_bias()),
        ([2, 16, 9, 9], Conv2d::new(16, 33, 3).stride(2).padding(1)),
        ([2, 32, 7, 7], Conv2d::new(32, 16, 1)),
        ([2, 32, 8, 8], Conv2d::new(32, 64, 1).stride(2).no_bias()),
        ([2, 8, 7, 6], Conv2d::new(8, 8, 3).groups(4).padding(1)),
        ([1, 3, 20, 20], Conv2d::new(3, 24, 7).stride(2).padding(3).no_bias()),
        ([2, 4, 9, 9], Conv2d::new(4, 6, 3).dilation(2)),
    ] {
        let mut norm = stirred(Box::new(BatchNorm2d::new(conv.outputs())));
        let mut conv = stirred(Box::new(conv));
        let mut x = Tensor::randn(shape) * 2.0 + 1.0;
        for dtype in [DType::F32, DType::F64, DType::F16] {
            norm.convert(dtype);
            conv.convert(dtype);
            x = x.to(dtype);
            let around = conv.forward(&x) * 0.5 + 0.1;
            let (norm_then, plus, relu) = (Then::of(&*norm), Then::Plus(&around), Then::of(&Tensor::relu));
            let half = dtype == DType::F16;
            for (then, fused) in [
                (vec![norm_then], !half),
                (vec![norm_then, relu], !half),
                (vec![plus, relu], !half),
                (vec![norm_then, plus], !half),
                (vec![norm_then, plus, relu], !half),
                (vec![relu, norm_then], true),
            ] {
                let layers = [&*conv, &*norm];
                let training = |on: bool| {
                    if dtype == DType::F64 {
                        let wide =
                            |y: Tensor| y.to_vec::<f64>().into_iter().map(f64::to_bits).collect::<Vec<_>>();
                        let alone = then.iter().fold(conv.forward(&x), |y, then| then.apply(&y));
                        assert!(
                            wide(alone) == wide(x.apply_then(&*conv, &then)),
                            "{} {then:?}",
                            conv.describe()
                        );
                        return conv.forward_then(&x, &then).1;
                    }
                    check(&*conv, &then, &layers, &x, on)
                };
                let all = if then.len() > 1 && matches!(then[1], Then::Norm(_)) { 1 } else { then.len() };
                assert_eq!(
                    training(false),
                    if fused { all } else { 0 },
                    "{} {then:?} {dtype}",
                    conv.describe()
                );
                if dtype == DType::F32 {
                    training(true);
                }
            }
        }
    }
}

#[test]
fn lists_and_residual_blocks_find_what_follows_inside() {
    seed(3);
    let conv = |inputs: usize| Conv2d::new(inputs, 4, 3).padding(1);
    let block = || seq![conv(4), BatchNorm2d::new(4), Tensor::relu, conv(4), BatchNorm2d::new(4)];
    let net = seq![
        seq![conv(2), BatchNorm2d::new(4)],
        Tensor::relu,
        MaxPool2d::new(2),
        Residual::new(block()),
        Tensor::relu,
        Residual::new(block()).shortcut(seq![Conv2d::new(4, 4, 1)]),
        Tensor::gelu,
    ];
    let net = stirred(Box::new(net));
    let x = Tensor::randn([2, 2, 8, 8]);
    let (y, graph) = trace(|| net.forward(&x));
    let count = |name: &str| graph.steps().iter().filter(|step| step.op().name() == name).count();
    let ran = ["conv2d", "max_pool2d", "gelu", "batch_norm_with", "relu"].map(count);
    assert_eq!(ran, [6, 1, 1, 0, 0], "what ran in inference");
    // Without a sum, since the outputs of one are no layers: every layer by itself.
    let alone =
        |layers: &Sequential, x: &Tensor| layers.layers().iter().fold(x.clone(), |x, l| l.forward(&x));
    let first = seq![conv(2), BatchNorm2d::new(4), Tensor::relu, MaxPool2d::new(2), conv(4), Tensor::relu];
    assert_eq!(bits(&first.forward(&x)), bits(&alone(&first, &x)));
    assert_eq!(y.shape(), [2, 4, 4, 4]);
}
