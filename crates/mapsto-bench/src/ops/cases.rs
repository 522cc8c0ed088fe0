//! The operations that are measured: one line each, with the same work in PyTorch's words (`a`, `b`, `c` are the operands).

use super::cell::{Input, Layout, Values};
use Values::{Bits, Ids, Normal, Positive, Unit};
use mapsto::backend::Window;
use mapsto::kind::OpKind;
use mapsto::ops::{Conv1dOptions, Conv2dOptions, Conv3dOptions, Mask, attention};
use mapsto::ops::{ConvTranspose1dOptions, ConvTranspose2dOptions, ConvTranspose3dOptions};
use mapsto::prelude::*;

/// One operation of the registry, or one way to use it.
pub struct Case {
    /// The kind in the registry, and after a `/` which way to use it.
    pub name: &'static str,
    /// The operands at a size, of a rank that the layout suits.
    pub inputs: fn(usize, Layout) -> Vec<Input>,
    pub run: fn(&[Tensor]) -> Tensor,
    pub torch: &'static str,
    /// Whether it has a gradient.
    pub smooth: bool,
}

impl Case {
    /// The kind in the registry.
    pub fn kind(&self) -> &'static OpKind {
        let name = self.name.split('/').next().unwrap_or(self.name);
        mapsto::ops::kind(name).unwrap_or_else(|| panic!("no operation is called {name}"))
    }
}

const fn smooth(
    name: &'static str,
    inputs: fn(usize, Layout) -> Vec<Input>,
    run: fn(&[Tensor]) -> Tensor,
    torch: &'static str,
) -> Case {
    Case { name, inputs, run, torch, smooth: true }
}

const fn flat(
    name: &'static str,
    inputs: fn(usize, Layout) -> Vec<Input>,
    run: fn(&[Tensor]) -> Tensor,
    torch: &'static str,
) -> Case {
    Case { smooth: false, ..smooth(name, inputs, run, torch) }
}

/// Rows and columns, or images.
fn elementwise(size: usize, layout: Layout) -> Vec<usize> {
    if layout == Layout::ChannelsLast { images(size) } else { matrix(size) }
}
fn matrix(size: usize) -> Vec<usize> {
    [[1, 1], [25, 40], [250, 400], [1000, 1000], [2500, 4000]][size].to_vec()
}
fn cube(size: usize) -> Vec<usize> {
    [[1, 1, 1], [5, 10, 20], [20, 50, 100], [50, 100, 200], [100, 200, 500]][size].to_vec()
}
fn images(size: usize) -> Vec<usize> {
    [[1, 1, 1, 1], [2, 5, 10, 10], [10, 16, 25, 25], [20, 50, 25, 40], [50, 50, 50, 80]][size].to_vec()
}

fn laid(shape: Vec<usize>, values: Values) -> Input {
    Input { shape, values, laid: true }
}
fn weight(shape: Vec<usize>, values: Values) -> Input {
    Input { shape, values, laid: false }
}

fn one(size: usize, layout: Layout) -> Vec<Input> {
    vec![laid(elementwise(size, layout), Normal)]
}
fn positive(size: usize, layout: Layout) -> Vec<Input> {
    vec![laid(elementwise(size, layout), Positive)]
}
fn unit(size: usize, layout: Layout) -> Vec<Input> {
    vec![laid(elementwise(size, layout), Unit)]
}
fn two(size: usize, layout: Layout) -> Vec<Input> {
    vec![laid(elementwise(size, layout), Normal), laid(elementwise(size, layout), Normal)]
}
fn two_positive(size: usize, layout: Layout) -> Vec<Input> {
    vec![laid(elementwise(size, layout), Positive), laid(elementwise(size, layout), Positive)]
}
fn probabilities(size: usize, layout: Layout) -> Vec<Input> {
    vec![laid(elementwise(size, layout), Unit), laid(elementwise(size, layout), Unit)]
}
fn with_mask(size: usize, layout: Layout) -> Vec<Input> {
    let mut xs = two(size, layout);
    xs.insert(0, laid(elementwise(size, layout), Bits));
    xs
}
fn masked(size: usize, layout: Layout) -> Vec<Input> {
    vec![laid(elementwise(size, layout), Normal), laid(elementwise(size, layout), Bits)]
}
fn row_added(size: usize, layout: Layout) -> Vec<Input> {
    let shape = matrix(size);
    let row = vec![shape[1]];
    let _ = layout;
    vec![laid(shape, Normal), weight(row, Normal)]
}
fn of_three_axes(size: usize, _: Layout) -> Vec<Input> {
    vec![laid(cube(size), Normal)]
}
fn near_one(size: usize, _: Layout) -> Vec<Input> {
    vec![laid(cube(size), Positive)]
}
fn narrow(size: usize, _: Layout) -> Vec<Input> {
    let n = [1, 500, 50_000, 500_000, 5_000_000][size];
    vec![laid(vec![n, if size == 0 { 1 } else { 2 }], Normal)]
}
fn picks_like(size: usize, _: Layout) -> Vec<Input> {
    let shape = matrix(size);
    vec![laid(shape.clone(), Normal), weight(shape.clone(), Ids(shape[1]))]
}
fn adds_like(size: usize, layout: Layout) -> Vec<Input> {
    let mut xs = picks_like(size, layout);
    xs.push(laid(matrix(size), Normal));
    xs
}
fn picked_rows(size: usize, _: Layout) -> Vec<Input> {
    let shape = matrix(size);
    vec![laid(shape.clone(), Normal), weight(vec![shape[0]], Ids(shape[0]))]
}
fn picked_columns(size: usize, _: Layout) -> Vec<Input> {
    let shape = matrix(size);
    vec![laid(shape.clone(), Normal), weight(vec![shape[1]], Ids(shape[1]))]
}
fn classes(size: usize, _: Layout) -> Vec<Input> {
    let shape = matrix(size);
    vec![laid(shape.clone(), Normal), weight(vec![shape[0]], Ids(shape[1]))]
}
fn small_ids(size: usize, layout: Layout) -> Vec<Input> {
    let n = [1, 50, 5000, 50_000, 500_000][size];
    let _ = layout;
    vec![laid(vec![n], Positive)]
}
fn product(size: usize, _: Layout) -> Vec<Input> {
    let [m, k, n] = [[1, 1, 1], [32, 32, 32], [256, 400, 256], [1000, 1000, 1000], [4000, 2500, 64]][size];
    vec![laid(vec![m, k], Normal), laid(vec![k, n], Normal)]
}
fn products(size: usize, _: Layout) -> Vec<Input> {
    let [b, m] = [[1, 1], [4, 16], [100, 32], [256, 64], [256, 200]][size];
    vec![laid(vec![b, m, m], Normal), laid(vec![b, m, m], Normal)]
}
fn thin(size: usize, _: Layout) -> Vec<Input> {
    let [m, k] = [[1, 1], [250, 4], [10_000, 10], [60_000, 16], [1_000_000, 10]][size];
    vec![laid(vec![m, k], Normal), laid(vec![k, k], Normal)]
}
fn dense(size: usize, _: Layout) -> Vec<Input> {
    let [m, k, n] = [[1, 1, 1], [16, 64, 32], [128, 784, 128], [1000, 1000, 256], [5000, 2000, 512]][size];
    vec![laid(vec![m, k], Normal), weight(vec![n, k], Normal), weight(vec![n], Normal)]
}
fn convolved(size: usize, k: usize, groups: bool) -> Vec<Input> {
    let [n, c, side] = [[1, 1, 1], [1, 8, 11], [8, 16, 28], [32, 32, 32], [64, 64, 48]][size];
    let w = vec![c, if groups { 1 } else { c }, k, k];
    vec![laid(vec![n, c, side, side], Normal), weight(w, Normal)]
}
fn conv3(size: usize, _: Layout) -> Vec<Input> {
    convolved(size, 3, false)
}
fn conv1(size: usize, _: Layout) -> Vec<Input> {
    convolved(size, 1, false)
}
fn depthwise(size: usize, _: Layout) -> Vec<Input> {
    convolved(size, 3, true)
}
fn along(size: usize, _: Layout) -> Vec<Input> {
    let [n, c, length] = [[1, 1, 3], [2, 8, 60], [8, 16, 800], [32, 32, 1000], [64, 64, 2400]][size];
    vec![laid(vec![n, c, length], Normal), weight(vec![c, c, 3], Normal)]
}
fn volumes(size: usize, _: Layout) -> Vec<Input> {
    let [n, c, side] = [[1, 1, 3], [1, 4, 6], [2, 8, 18], [8, 16, 20], [8, 32, 32]][size];
    vec![laid(vec![n, c, side, side, side], Normal), weight(vec![c, c, 3, 3, 3], Normal)]
}
fn pooled(size: usize, _: Layout) -> Vec<Input> {
    let [n, c, side] = [[1, 1, 2], [1, 10, 10], [8, 16, 28], [32, 32, 32], [64, 64, 48]][size];
    vec![laid(vec![n, c, side, side], Normal)]
}
fn per_channel(size: usize, _: Layout) -> Vec<Input> {
    let shape = if size == 0 { vec![2, 1, 1, 1] } else { images(size) };
    let c = vec![shape[1]];
    vec![laid(shape, Normal), weight(c.clone(), Positive), weight(c, Normal)]
}
fn given_per_channel(size: usize, layout: Layout) -> Vec<Input> {
    let mut xs = per_channel(size, layout);
    let c = xs[1].shape.clone();
    xs.extend([weight(c.clone(), Normal), weight(c, Positive)]);
    xs
}
fn per_feature(size: usize, _: Layout) -> Vec<Input> {
    let shape = matrix(size);
    let k = vec![shape[1]];
    vec![laid(shape, Normal), weight(k.clone(), Positive), weight(k, Normal)]
}
fn heads(size: usize, _: Layout) -> Vec<Input> {
    let [b, h, t, d] =
        [[1, 1, 1, 1], [1, 2, 16, 32], [2, 4, 128, 64], [8, 8, 256, 64], [16, 12, 512, 64]][size];
    (0..3).map(|_| laid(vec![b, h, t, d], Normal)).collect()
}
fn recurrent(size: usize, gates: usize) -> Vec<Input> {
    let [b, t, k, h] =
        [[1, 1, 1, 1], [2, 8, 32, 32], [16, 20, 64, 128], [32, 64, 128, 256], [64, 128, 256, 512]][size];
    let mut xs = vec![laid(vec![b, t, k], Normal)];
    xs.extend((0..if gates == 4 { 2 } else { 1 }).map(|_| weight(vec![b, h], Unit)));
    xs.extend([k, h].map(|width| weight(vec![gates * h, width], Unit)));
    xs
}
fn lstm(size: usize, _: Layout) -> Vec<Input> {
    recurrent(size, 4)
}
fn gru(size: usize, _: Layout) -> Vec<Input> {
    recurrent(size, 3)
}

/// All cases.
pub static CASES: &[Case] = &[
    smooth("atan2", two, |x| x[0].atan2(&x[1]), "a.atan2(b)"),
    smooth("hypot", two, |x| x[0].hypot(&x[1]), "a.hypot(b)"),
    smooth("remainder", two_positive, |x| x[0].remainder(&x[1]), "a.remainder(b)"),
    smooth("logaddexp", two, |x| x[0].logaddexp(&x[1]), "a.logaddexp(b)"),
    smooth("xlogy", two_positive, |x| x[0].xlogy(&x[1]), "a.xlogy(b)"),
    smooth("copysign", two, |x| x[0].copysign(&x[1]), "a.copysign(b)"),
    flat("heaviside", two, |x| x[0].heaviside(&x[1]), "a.heaviside(b)"),
    smooth("lerp", two, |x| x[0].lerp(&x[1], 0.3), "a.lerp(b, 0.3)"),
    smooth("cumprod", one, |x| x[0].cumprod(-1), "a.cumprod(-1)"),
    smooth("norm", one, |x| x[0].norm(2.0, -1), "a.norm(2, -1)"),
    smooth("log2", positive, |x| x[0].log2(), "a.log2()"),
    smooth("log10", positive, |x| x[0].log10(), "a.log10()"),
    smooth("exp2", one, |x| x[0].exp2(), "a.exp2()"),
    smooth("tan", one, |x| x[0].tan(), "a.tan()"),
    smooth("asin", unit, |x| x[0].asin(), "a.asin()"),
    smooth("atan", one, |x| x[0].atan(), "a.atan()"),
    smooth("sinh", one, |x| x[0].sinh(), "a.sinh()"),
    smooth("asinh", one, |x| x[0].asinh(), "a.asinh()"),
    smooth("atanh", unit, |x| x[0].atanh(), "a.atanh()"),
    flat("trunc", one, |x| x[0].trunc(), "a.trunc()"),
    smooth("lgamma", positive, |x| x[0].lgamma(), "a.lgamma()"),
    smooth("erfinv", unit, |x| x[0].erfinv(), "a.erfinv()"),
    smooth("erfc", one, |x| x[0].erfc(), "a.erfc()"),
    smooth("sinc", one, |x| x[0].sinc(), "a.sinc()"),
    smooth("nan_to_num", one, |x| x[0].nan_to_num(), "a.nan_to_num()"),
    smooth("logit", unit, |x| x[0].logit(), "a.logit()"),
    smooth("log_sigmoid", one, |x| x[0].log_sigmoid(), "F.logsigmoid(a)"),
    smooth("hardtanh", one, |x| x[0].hardtanh(-1.0, 1.0), "F.hardtanh(a)"),
    smooth("hardswish", one, |x| x[0].hardswish(), "F.hardswish(a)"),
    smooth("softshrink", one, |x| x[0].softshrink(0.5), "F.softshrink(a)"),
    smooth("tanhshrink", one, |x| x[0].tanhshrink(), "F.tanhshrink(a)"),
    smooth("softsign", one, |x| x[0].softsign(), "F.softsign(a)"),
    smooth("selu", one, |x| x[0].selu(), "F.selu(a)"),
    smooth("mish", one, |x| x[0].mish(), "F.mish(a)"),
    smooth("abs", one, |x| x[0].abs(), "a.abs()"),
    smooth("adaptive_avg_pool2d", pooled, |x| x[0].adaptive_avg_pool2d(1), "F.adaptive_avg_pool2d(a, 1)"),
    smooth("adaptive_max_pool2d", pooled, |x| x[0].adaptive_max_pool2d(2), "F.adaptive_max_pool2d(a, 2)"),
    smooth("add", two, |x| &x[0] + &x[1], "a + b"),
    smooth("add/row", row_added, |x| &x[0] + &x[1], "a + b"),
    flat("all", one, |x| x[0].all(..), "a.all()"),
    flat("all/last", one, |x| x[0].all(-1), "a.all(-1)"),
    flat("any", one, |x| x[0].any(..), "a.any()"),
    flat("argmax", one, |x| x[0].argmax(-1), "a.argmax(-1)"),
    flat("argmax/first", one, |x| x[0].argmax(0), "a.argmax(0)"),
    flat("argmax/narrow", narrow, |x| x[0].argmax(-1), "a.argmax(-1)"),
    flat("argmin", one, |x| x[0].argmin(-1), "a.argmin(-1)"),
    flat("argsort", one, |x| x[0].argsort(-1), "a.argsort(dim=-1, stable=True)"),
    smooth(
        "attention",
        heads,
        |x| attention(&x[0], &x[1], &x[2], Mask::Causal),
        "F.scaled_dot_product_attention(a, b, c, is_causal=True)",
    ),
    smooth("avg_pool2d", pooled, |x| x[0].avg_pool2d(2), "F.avg_pool2d(a, 2)"),
    smooth(
        "batch_norm",
        per_channel,
        |x| x[0].batch_norm(&x[1], &x[2], 1e-5).0,
        "F.batch_norm(a, None, None, b, c, True)",
    ),
    smooth(
        "batch_norm_with",
        given_per_channel,
        |x| x[0].batch_norm_with(&x[3], &x[4], &x[1], &x[2], 1e-5),
        "F.batch_norm(a, d.detach(), e.detach(), b, c, False)",
    ),
    smooth("bce", probabilities, |x| x[0].bce(&x[1].detach()), "F.binary_cross_entropy(a, b.detach())"),
    smooth(
        "bce_with_logits",
        probabilities,
        |x| x[0].bce_with_logits(&x[1].detach()),
        "F.binary_cross_entropy_with_logits(a, b.detach())",
    ),
    smooth("cast/f32", one, |x| x[0].to(DType::F32), "a.to(torch.float32)"),
    smooth("cast/f64", one, |x| x[0].to(DType::F64), "a.to(torch.float64)"),
    smooth("cast/f16", one, |x| x[0].to(DType::F16), "a.to(torch.float16)"),
    smooth("cast/bf16", one, |x| x[0].to(DType::BF16), "a.to(torch.bfloat16)"),
    flat("cast/i64", one, |x| x[0].to(DType::I64), "a.to(torch.int64)"),
    flat("cast/u8", positive, |x| x[0].to(DType::U8), "a.to(torch.uint8)"),
    flat("cast/bool", one, |x| x[0].to(DType::Bool), "a.to(torch.bool)"),
    smooth("cat", two, |x| Tensor::cat(x, 0), "torch.cat([a, b], 0)"),
    smooth("cat/last", two, |x| Tensor::cat(x, 1), "torch.cat([a, b], 1)"),
    flat("ceil", one, |x| x[0].ceil(), "a.ceil()"),
    smooth("choose", with_mask, |x| x[0].choose(&x[1], &x[2]), "torch.where(a, b, c)"),
    smooth("clamp", one, |x| x[0].clamp(0, 2), "a.clamp(0, 2)"),
    flat("eq", two, |x| x[0].eq(&x[1]), "a == b"),
    flat("lt", two, |x| x[0].lt(&x[1]), "a < b"),
    flat("ge", two, |x| x[0].ge(&x[1]), "a >= b"),
    smooth("contiguous", one, |x| x[0].contiguous(), "a.contiguous()"),
    smooth(
        "conv2d",
        conv3,
        |x| x[0].conv2d(&x[1], None, Conv2dOptions::new().padding(1)),
        "F.conv2d(a, b, None, 1, 1)",
    ),
    smooth("conv2d/1x1", conv1, |x| x[0].conv2d(&x[1], None, Conv2dOptions::new()), "F.conv2d(a, b)"),
    smooth(
        "conv2d/stride",
        conv3,
        |x| x[0].conv2d(&x[1], None, Conv2dOptions::new().padding(1).stride(2)),
        "F.conv2d(a, b, None, 2, 1)",
    ),
    smooth(
        "conv2d/depthwise",
        depthwise,
        |x| x[0].conv2d(&x[1], None, Conv2dOptions::new().padding(1).groups(x[0].shape()[1])),
        "F.conv2d(a, b, None, 1, 1, 1, a.shape[1])",
    ),
    smooth(
        "conv1d",
        along,
        |x| x[0].conv1d(&x[1], None, Conv1dOptions::new().padding(1)),
        "F.conv1d(a, b, None, 1, 1)",
    ),
    smooth(
        "conv3d",
        volumes,
        |x| x[0].conv3d(&x[1], None, Conv3dOptions::new().padding(1)),
        "F.conv3d(a, b, None, 1, 1)",
    ),
    smooth(
        "conv_transpose1d",
        along,
        |x| x[0].conv_transpose1d(&x[1], None, ConvTranspose1dOptions::new().stride(2)),
        "F.conv_transpose1d(a, b, None, 2)",
    ),
    smooth(
        "conv_transpose2d",
        conv3,
        |x| x[0].conv_transpose2d(&x[1], None, ConvTranspose2dOptions::new().stride(2)),
        "F.conv_transpose2d(a, b, None, 2)",
    ),
    smooth(
        "conv_transpose3d",
        volumes,
        |x| x[0].conv_transpose3d(&x[1], None, ConvTranspose3dOptions::new().stride(2)),
        "F.conv_transpose3d(a, b, None, 2)",
    ),
    smooth("cos", one, |x| x[0].cos(), "a.cos()"),
    smooth("cross_entropy", classes, |x| x[0].cross_entropy(&x[1]), "F.cross_entropy(a, b)"),
    smooth("cumsum", one, |x| x[0].cumsum(-1), "a.cumsum(-1)"),
    smooth("cumsum/first", one, |x| x[0].cumsum(0), "a.cumsum(0)"),
    smooth("div", two_positive, |x| &x[0] / &x[1], "a / b"),
    smooth("elu", one, |x| x[0].elu(1.0), "F.elu(a)"),
    smooth("embedding", picked_rows, |x| x[1].embedding(&x[0]), "F.embedding(b, a)"),
    smooth("erf", one, |x| x[0].erf(), "a.erf()"),
    smooth("exp", one, |x| x[0].exp(), "a.exp()"),
    smooth("expm1", one, |x| x[0].expm1(), "a.expm1()"),
    smooth("flip", one, |x| x[0].flip(0).contiguous(), "a.flip(0)"),
    smooth("flip/last", one, |x| x[0].flip(-1).contiguous(), "a.flip(-1)"),
    flat("floor", one, |x| x[0].floor(), "a.floor()"),
    smooth("gather", picks_like, |x| x[0].gather(1, &x[1]), "a.gather(1, b)"),
    smooth("gelu", one, |x| x[0].gelu(), "F.gelu(a)"),
    smooth("gelu_tanh", one, |x| x[0].gelu_tanh(), "F.gelu(a, approximate='tanh')"),
    smooth(
        "gru",
        gru,
        |x| x[0].gru(&x[1], &x[2], &x[3], None).0,
        "torch.gru(a, b[None], [c, d], False, 1, 0.0, False, False, True)[0]",
    ),
    smooth("index_select", picked_rows, |x| x[0].index_select(0, &x[1]), "a.index_select(0, b)"),
    smooth("index_select/last", picked_columns, |x| x[0].index_select(1, &x[1]), "a.index_select(1, b)"),
    flat("is_inf", one, |x| x[0].is_inf(), "a.isinf()"),
    flat("is_nan", one, |x| x[0].is_nan(), "a.isnan()"),
    smooth(
        "layer_norm",
        per_feature,
        |x| x[0].layer_norm(&x[1], Some(&x[2]), 1e-5),
        "F.layer_norm(a, a.shape[1:], b, c)",
    ),
    smooth("leaky_relu", one, |x| x[0].leaky_relu(0.01), "F.leaky_relu(a)"),
    smooth("linear", dense, |x| x[0].linear(&x[1], Some(&x[2])), "F.linear(a, b, c)"),
    smooth("log", positive, |x| x[0].log(), "a.log()"),
    smooth("log1p", positive, |x| x[0].log1p(), "a.log1p()"),
    smooth("log_softmax", one, |x| x[0].log_softmax(-1), "a.log_softmax(-1)"),
    flat("and", two, |x| x[0].and(&x[1]), "a & b"),
    flat("or", two, |x| x[0].or(&x[1]), "a | b"),
    flat("xor", two, |x| x[0].xor(&x[1]), "a ^ b"),
    flat("not", one, |x| x[0].not(), "~a"),
    smooth("logsumexp", one, |x| x[0].logsumexp(-1), "a.logsumexp(-1)"),
    smooth(
        "lstm",
        lstm,
        |x| x[0].lstm(&x[1], &x[2], &x[3], &x[4], None).0,
        "torch.lstm(a, (b[None], c[None]), [d, e], False, 1, 0.0, False, False, True)[0]",
    ),
    smooth("masked_fill", masked, |x| x[0].masked_fill(&x[1], 0), "a.masked_fill(b, 0)"),
    smooth("matmul", product, |x| x[0].matmul(&x[1]), "a @ b"),
    smooth("matmul/batch", products, |x| x[0].matmul(&x[1]), "a @ b"),
    smooth("matmul/thin", thin, |x| x[0].matmul(&x[1]), "a @ b"),
    smooth("max", one, |x| x[0].max(..), "a.amax()"),
    smooth("max/last", one, |x| x[0].max(-1), "a.amax(-1)"),
    smooth("max/first", one, |x| x[0].max(0), "a.amax(0)"),
    smooth("max_pool2d", pooled, |x| x[0].max_pool2d(2), "F.max_pool2d(a, 2)"),
    smooth("maximum", two, |x| x[0].maximum(&x[1]), "torch.maximum(a, b)"),
    smooth("mean", one, |x| x[0].mean(..), "a.mean()"),
    smooth("mean/last", one, |x| x[0].mean(-1), "a.mean(-1)"),
    smooth("min", one, |x| x[0].min(..), "a.amin()"),
    smooth("minimum", two, |x| x[0].minimum(&x[1]), "torch.minimum(a, b)"),
    smooth("mse", two, |x| x[0].mse(&x[1]), "F.mse_loss(a, b)"),
    smooth("mul", two, |x| &x[0] * &x[1], "a * b"),
    smooth("neg", one, |x| -&x[0], "-a"),
    flat("one_hot", small_ids, |x| x[0].one_hot(10), "F.one_hot(a.long(), 10).float()"),
    smooth("pad", one, |x| x[0].pad(&vec![(1, 1); x[0].rank()], 0), "F.pad(a, [1, 1] * a.dim())"),
    smooth(
        "permute",
        of_three_axes,
        |x| x[0].permute([2, 0, 1]).contiguous(),
        "a.permute(2, 0, 1).contiguous()",
    ),
    smooth("pow", positive, |x| x[0].pow(2.5), "a ** 2.5"),
    smooth("powt", two_positive, |x| x[0].powt(&x[1]), "a ** b"),
    smooth("prod", near_one, |x| x[0].prod(-1), "a.prod(-1)"),
    smooth("recip", positive, |x| x[0].recip(), "a.reciprocal()"),
    smooth("relu", one, |x| x[0].relu(), "a.relu()"),
    smooth("reshape", one, |x| x[0].reshape([-1]), "a.reshape(-1)"),
    flat("round", one, |x| x[0].round(), "a.round()"),
    smooth("rsqrt", positive, |x| x[0].rsqrt(), "a.rsqrt()"),
    smooth("scatter_add", adds_like, |x| x[0].scatter_add(1, &x[1], &x[2]), "a.scatter_add(1, b, c)"),
    smooth("sigmoid", one, |x| x[0].sigmoid(), "a.sigmoid()"),
    flat("sign", one, |x| x[0].sign(), "a.sign()"),
    smooth("silu", one, |x| x[0].silu(), "F.silu(a)"),
    smooth("sin", one, |x| x[0].sin(), "a.sin()"),
    smooth(
        "slice",
        one,
        |x| x[0].slice(-1, x[0].shape()[x[0].rank() - 1] / 4..).contiguous(),
        "a[..., a.shape[-1] // 4:].contiguous()",
    ),
    smooth("softmax", one, |x| x[0].softmax(-1), "a.softmax(-1)"),
    smooth("softmax/first", of_three_axes, |x| x[0].softmax(0), "a.softmax(0)"),
    smooth("softmax/middle", of_three_axes, |x| x[0].softmax(1), "a.softmax(1)"),
    smooth("softplus", one, |x| x[0].softplus(), "F.softplus(a)"),
    smooth("sort", one, |x| x[0].sort(-1).0, "a.sort(-1, stable=True)[0]"),
    smooth("sqrt", positive, |x| x[0].sqrt(), "a.sqrt()"),
    smooth("square", one, |x| x[0].square(), "a.square()"),
    smooth("stack", two, |x| Tensor::stack(x, 0), "torch.stack([a, b], 0)"),
    smooth("stack/last", two, |x| Tensor::stack(x, -1), "torch.stack([a, b], -1)"),
    smooth("std", one, |x| x[0].std(-1), "a.std(-1, correction=0)"),
    smooth("sub", two, |x| &x[0] - &x[1], "a - b"),
    smooth("sum", one, |x| x[0].sum(..), "a.sum()"),
    smooth("sum/last", one, |x| x[0].sum(-1), "a.sum(-1)"),
    smooth("sum/first", one, |x| x[0].sum(0), "a.sum(0)"),
    smooth("sum/middle", of_three_axes, |x| x[0].sum(1), "a.sum(1)"),
    smooth("sum/narrow", narrow, |x| x[0].sum(-1), "a.sum(-1)"),
    smooth("tanh", one, |x| x[0].tanh(), "a.tanh()"),
    smooth(
        "topk",
        one,
        |x| x[0].topk(x[0].shape()[x[0].rank() - 1].min(5), -1).0,
        "a.topk(min(5, a.shape[-1]), -1)[0]",
    ),
    smooth("var", one, |x| x[0].var(..), "a.var(correction=0)"),
    smooth("var/last", one, |x| x[0].var(-1), "a.var(-1, correction=0)"),
    smooth(
        "window",
        pooled,
        |x| x[0].window(Window::new([2, 2])).reshape([x[0].shape()[0] as i64, -1]),
        "F.unfold(a, 2).flatten(1)",
    ),
];

/// Kinds that no case measures, and why.
#[cfg(test)]
pub const NOT_MEASURED: &[(&str, &str)] = &[
    ("fmod", "is as remainder"),
    ("floor_divide", "is as remainder"),
    ("bitwise_and", "is of integers alone"),
    ("bitwise_or", "is of integers alone"),
    ("bitwise_xor", "is of integers alone"),
    ("bitwise_not", "is of integers alone"),
    ("bitwise_left_shift", "is of integers alone"),
    ("bitwise_right_shift", "is of integers alone"),
    ("addcmul", "is mul and add"),
    ("addcdiv", "is div and add"),
    ("isclose", "is comparisons"),
    ("logcumsumexp", "is as cumprod"),
    ("cummax", "is as cumprod, with positions"),
    ("cummin", "is as cummax"),
    ("diff", "is slice and sub"),
    ("normalize", "is norm and div"),
    ("cosine_similarity", "is norms and a product"),
    ("cdist", "is sub and norm"),
    ("median", "is argsort and gather"),
    ("quantile", "is sort"),
    ("mode", "is argsort and cummax"),
    ("nansum", "is choose and sum"),
    ("nanmean", "is choose and mean"),
    ("count_nonzero", "is ne and sum"),
    ("aminmax", "is min and max"),
    ("diagonal", "moves few elements"),
    ("trace", "moves few elements"),
    ("diag", "moves few elements"),
    ("tril", "moves few elements"),
    ("triu", "moves few elements"),
    ("repeat", "is a copy"),
    ("repeat_interleave", "is a copy"),
    ("roll", "is slice and cat"),
    ("rot90", "is a view"),
    ("movedim", "is a view"),
    ("broadcast_tensors", "is views"),
    ("meshgrid", "is views"),
    ("take_along_dim", "is gather"),
    ("index_fill", "is choose"),
    ("scatter_reduce", "is as scatter_add"),
    ("searchsorted", "is index_select, round by round"),
    ("bucketize", "is searchsorted"),
    ("unfold", "is index_select"),
    ("outer", "is mul"),
    ("kron", "is mul"),
    ("einsum", "is matmul"),
    ("acos", "is as asin"),
    ("cosh", "is as sinh"),
    ("acosh", "is as asinh"),
    ("frac", "is as trunc"),
    ("digamma", "is a part of lgamma with its gradient"),
    ("polygamma", "is as digamma"),
    ("relu6", "is as hardtanh"),
    ("hardsigmoid", "is as hardswish"),
    ("hardshrink", "is as softshrink"),
    ("celu", "is as selu"),
    ("identity", "moves no element"),
    ("attention_weights", "is for looking at"),
    ("scaled_dot_product_attention", "is attention"),
    ("chunk", "is a view"),
    ("split", "is a view"),
    ("index", "is a view"),
    ("expand", "is a view; the layout `broadcast` reads such"),
    ("ne", "is as eq"),
    ("le", "is as lt"),
    ("gt", "is as lt"),
    ("dropout", "draws other random numbers than PyTorch"),
    ("to_device", "moves to another device"),
    ("std_of_var", "is a part of std"),
    ("equal", "is made by derivatives"),
    ("within", "is made by derivatives"),
    ("index_add", "is made by derivatives"),
    ("scatter", "is made by derivatives"),
    ("window_transpose", "is made by derivatives"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::cell::{Cell, DTYPES, Pass};

    #[test]
    fn every_kind_of_the_registry_is_measured_or_says_why_not() {
        let measured = |name: &str| CASES.iter().any(|case| case.kind().name == name);
        let excused = |name: &str| NOT_MEASURED.iter().any(|(n, _)| *n == name) || name.contains("_grad");
        for kind in mapsto::ops::OPS {
            assert!(measured(kind.name) != excused(kind.name), "{}: in both lists, or in none", kind.name);
        }
        for (i, case) in CASES.iter().enumerate() {
            assert!(CASES[..i].iter().all(|other| other.name != case.name), "{} stands twice", case.name);
        }
    }

    #[test]
    fn every_case_runs_on_small_operands_of_every_dtype_and_layout() {
        let mut ran = 0;
        for case in CASES {
            for layout in Layout::ALL {
                for (dtype, size) in (0..DTYPES.len()).flat_map(|dtype| [(dtype, 0), (dtype, 1)]) {
                    for pass in [Pass::Forward, Pass::Both] {
                        let cell = Cell { case, dtype, size, layout, pass };
                        if cell.exists() {
                            cell.prepare().call();
                            ran += 1;
                        }
                    }
                }
            }
        }
        println!("{ran} cells ran");
    }
}
