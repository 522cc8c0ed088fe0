//! Sums of very many f32 numbers keep their digits: every operation that adds up, forward and backward, on hundreds of
//! thousands of equal addends, beside the same in f64.

use mapsto_tensor::ops::{Conv1dOptions, Conv2dOptions, Conv3dOptions, Mask, OPS, Pool2d, Window, attention};
use mapsto_tensor::ops::{ConvTranspose1dOptions, ConvTranspose2dOptions, ConvTranspose3dOptions};
use mapsto_tensor::ops::{Interpolation, Pool3d, Resize};
use mapsto_tensor::prelude::*;

/// The operations that a row tries, and what it computes in a dtype.
type Row = (&'static [&'static str], fn(DType) -> Vec<Tensor>);

/// A tenth, which has no end in binary: a sum that is rounded each time goes astray in one direction.
fn tenths(shape: impl Into<Shape>, d: DType) -> Tensor {
    Tensor::full(shape, 0.1).to(DType::F32).to(d).leaf()
}

/// 0, 1, 0, 1, ..
fn bits(shape: impl Into<Shape>, d: DType) -> Tensor {
    let shape = shape.into();
    let n = shape.iter().product::<usize>();
    Tensor::from_vec((0..n).map(|i| (i % 2) as f32).collect(), shape).to(d).leaf()
}

fn zeros(shape: impl Into<Shape>) -> Tensor {
    Tensor::full_of(shape, 0, DType::I64)
}

/// The gradients of the sum of a tenth of every result.
fn gradients(y: &Tensor, xs: &[&Tensor]) -> Vec<Tensor> {
    let g = y.backward_with(&tenths(y.shape(), y.dtype()).detach());
    xs.iter().map(|x| g.of(x).clone()).collect()
}

/// A result, then the gradients of some inputs.
fn both(y: Tensor, xs: &[&Tensor]) -> Vec<Tensor> {
    let g = gradients(&y, xs);
    [vec![y.detach()], g].concat()
}

/// What is above a tenth, by that: half of what a norm with the shift of a tenth makes of 0 and 1.
fn half(y: Tensor) -> Tensor {
    (y - 0.1).relu()
}

const N: usize = 300_000;

const ROWS: &[Row] = &[
    (&["sum", "mean", "expand"], |d| {
        let x = tenths([1], d);
        let wide = x.expand([N]);
        [
            gradients(&wide, &[&x]),
            vec![
                wide.sum(..),
                wide.mean(..),
                wide.reshape([N / 2, 2]).sum(0),
                wide.reshape([2, N / 2]).mean(0).sum(0),
                tenths([N / 5, 5], d).sum([0, 1]),
                tenths([50, N / 100, 2], d).permute([2, 1, 0]).sum([1, 2]),
            ],
        ]
        .concat()
    }),
    (&["var", "std"], |d| {
        let x = bits([N, 1], d);
        vec![x.var(..), x.std(0), bits([N / 2, 2], d).t().var(0).sum(..)]
    }),
    (&["cumsum"], |d| {
        let x = tenths([N / 2, 2], d);
        both(x.cumsum(0), &[&x])
    }),
    (&["mse", "bce", "bce_with_logits"], |d| {
        let (x, t) = (tenths([N], d), Tensor::zeros([N]).to(d));
        let one = tenths([1], d);
        let all = [x.mse(&t), x.bce(&t), x.bce_with_logits(&t)];
        [all.to_vec(), gradients(&one.expand([N]).mse(&t), &[&one])].concat()
    }),
    (&["cross_entropy"], |d| {
        let x = tenths([1, 3], d);
        let y = x.expand([N / 4, 3]).cross_entropy(&zeros([N / 4]));
        both(y, &[&x])
    }),
    (&["softmax", "log_softmax", "logsumexp"], |d| {
        let mut all = vec![];
        for shape in [[N, 1], [N / 2, 2]] {
            let x = tenths(shape, d);
            for f in [Tensor::softmax, Tensor::log_softmax] {
                let y = f(&x, 0);
                all.push(y.detach());
                let g = y.slice(0, 1..).backward_with(&tenths([shape[0] - 1, shape[1]], d).detach());
                all.push(g.of(&x).slice(0, ..1));
            }
            all.push(x.logsumexp(0));
            // Along the rows.
            let x = tenths([shape[1], shape[0]], d);
            all.push(x.softmax(1).detach());
            all.push(x.logsumexp(1));
        }
        all
    }),
    (&["matmul"], |d| {
        let mut all = vec![];
        for (m, k, n) in [
            (1, N, 1),
            (1, 10_000, 1),
            (2, N, 2),
            (1, N, 8),
            (8, N / 8, 1),
            (1, N / 4, 64),
            (7, N / 8, 3),
            (16, N / 8, 16),
            (64, 30_000, 64),
            (3, 30_000, 300),
        ] {
            for [left, right] in [[false, false], [false, true], [true, false], [true, true]] {
                let lie = |rows, cols, turned| {
                    if turned { tenths([cols, rows], d).t() } else { tenths([rows, cols], d) }
                };
                all.push(lie(m, k, left).matmul(&lie(k, n, right)));
            }
            let apart = |rows: usize, cols: usize| tenths([rows, cols, 2], d).select(2, 0);
            all.push(apart(m, k).matmul(&apart(k, n)));
            all.push(apart(m, k).matmul(&apart(n, k).t()));
            // Through the inner size of a gradient.
            let w = tenths([m, n], d);
            all.extend(gradients(&tenths([k, m], d).matmul(&w), &[&w]));
        }
        all.push(tenths([2, 1, N / 4], d).matmul(&tenths([2, N / 4, 1], d)));
        all.push(tenths([N], d).matmul(&tenths([N], d)));
        all
    }),
    (&["linear"], |d| {
        let mut all = vec![];
        for (inputs, outputs, rows) in [(1, 1, N), (8, 1, N / 4), (1, 8, N / 4), (8, 8, N / 8)] {
            let [x, w, b] = [tenths([rows, inputs], d), tenths([outputs, inputs], d), tenths([outputs], d)];
            all.extend(gradients(&x.linear(&w, Some(&b)), &[&w, &b]));
            all.push(tenths([2, rows], d).linear(&tenths([outputs, rows], d), None));
        }
        all
    }),
    (&["conv2d"], |d| {
        let mut all = vec![];
        let options = Conv2dOptions::new();
        for (x, w, options) in [
            ([4, 1, 400, 400], [1, 1, 3, 3], options),
            ([4, 1, 400, 400], [1, 1, 1, 1], options),
            ([2, 2, 300, 300], [2, 1, 3, 3], options.groups(2)),
            ([1, 8, 300, 300], [8, 8, 3, 3], options.padding(1)),
            ([1, 4, 300, 300], [16, 4, 3, 3], options),
            ([1, 1, 400, 400], [1, 1, 5, 5], options.stride(2)),
            ([1, 1, 700, 700], [1, 1, 700, 700], options),
            ([1, 2, 300, 300], [3, 2, 300, 300], options),
            ([1, 30_000, 3, 3], [2, 30_000, 3, 3], options),
            ([1, 30_000, 3, 3], [2, 30_000, 3, 3], options.padding(1)),
            ([2, 100_000, 1, 1], [1, 100_000, 1, 1], options),
            ([1, 4, 3, 3], [30_000, 4, 3, 3], options.padding(1)),
            ([1, 2, 1, 1], [100_000, 2, 1, 1], options),
        ] {
            let [x, w, b] = [tenths(x, d), tenths(w, d), tenths([w[0]], d)];
            // The gradient of an image by a kernel of its size takes as many products as the square of it.
            let wide = w.shape()[2] > 5;
            let x = if wide { x.detach() } else { x };
            let y = x.conv2d(&w, Some(&b), options);
            all.extend(if wide { both(y, &[&w, &b]) } else { both(y, &[&x, &w, &b]) });
        }
        all
    }),
    (&["conv1d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"], |d| {
        let mut all = vec![];
        let [x, w, b] = [tenths([2, 1, N / 2], d), tenths([1, 1, 3], d), tenths([1], d)];
        all.extend(both(x.conv1d(&w, Some(&b), Conv1dOptions::new()), &[&x, &w, &b]));
        all.extend(both(
            x.conv_transpose1d(&w, Some(&b), ConvTranspose1dOptions::new().stride(2)),
            &[&x, &w, &b],
        ));
        let [x, w] = [tenths([2, 1, 30, 70, 70], d), tenths([1, 1, 3, 2, 2], d)];
        all.extend(both(x.conv3d(&w, None, Conv3dOptions::new()), &[&x, &w]));
        all.extend(both(x.conv_transpose3d(&w, None, ConvTranspose3dOptions::new()), &[&x, &w]));
        let options = ConvTranspose2dOptions::new();
        for (x, w, options) in [
            ([4, 1, 300, 300], [1, 1, 3, 3], options),
            ([2, 2, 300, 300], [2, 1, 2, 2], options.groups(2).stride(2)),
            ([1, 30_000, 3, 3], [30_000, 2, 3, 3], options.padding(1)),
            ([2, 100_000, 1, 1], [100_000, 1, 1, 1], options),
            ([1, 4, 3, 3], [4, 30_000, 2, 2], options.stride(2)),
        ] {
            let [x, w] = [tenths(x, d), tenths(w, d)];
            all.extend(both(x.conv_transpose2d(&w, None, options), &[&x, &w]));
        }
        all
    }),
    (&["window", "window_transpose", "avg_pool2d", "adaptive_avg_pool2d"], |d| {
        let mut all = vec![];
        for side in [224, 500] {
            let x = tenths([1, 1, side, side], d);
            all.push(x.avg_pool2d(side));
            all.push(x.adaptive_avg_pool2d(1));
            all.push(x.adaptive_avg_pool2d([1, 2]));
            all.push(x.avg_pool2d_with(Pool2d::new([side, 3]).stride(2)));
        }
        let x = tenths([1, 1, 160, 160], d);
        all.extend(gradients(&x.avg_pool2d_with(Pool2d::new(80).stride(1)), &[&x]));
        let few = tenths([1, 1, 3, 3], d);
        all.extend(gradients(&few.adaptive_avg_pool2d(600), &[&few]));
        let over = Window { kernel: [60, 60], stride: [1, 1], padding: [0, 0], dilation: [1, 1] };
        let few = tenths([1, 1, 110, 110], d);
        all.extend(gradients(&few.window(over), &[&few]));
        all
    }),
    (&["max_pool2d", "adaptive_max_pool2d"], |d| {
        let mut high = vec![0.0f32; 240 * 240];
        high[120 * 240 + 120] = 1.0;
        let x = Tensor::from_vec(high, [1, 1, 240, 240]).to(d).leaf();
        let few = tenths([1, 1, 1, 1], d);
        [
            gradients(&x.max_pool2d_with(Pool2d::new(120).stride(1)), &[&x]),
            gradients(&few.adaptive_max_pool2d(600), &[&few]),
        ]
        .concat()
    }),
    (
        &[
            "avg_pool1d",
            "avg_pool3d",
            "adaptive_avg_pool1d",
            "adaptive_avg_pool3d",
            "lp_pool1d",
            "lp_pool2d",
            "lp_pool3d",
            "interpolate",
            "sample_places",
            "grid_sample",
            "roi_align",
        ],
        |d| {
            let x = tenths([1, 1, 1, 500, 600], d);
            let image = x.squeeze(2);
            let mut all = vec![
                x.avg_pool3d([1, 500, 600]).detach(),
                x.adaptive_avg_pool3d([1, 1, 2]).detach(),
                image.lp_pool2d(2.0, Pool2d::new([500, 600])).detach(),
                image.interpolate(&Resize::to([1, 2]).mode(Interpolation::Bilinear).antialias()).detach(),
            ];
            let few = tenths([1, 1, 1, 3, 3], d);
            all.extend(gradients(&few.adaptive_avg_pool3d([1, 600, 600]), &[&few]));
            let few = tenths([1, 1, 3], d);
            all.extend(gradients(&few.interpolate(&Resize::to([N]).mode(Interpolation::Linear)), &[&few]));
            let (w, one) = (tenths([1, N, 1], d), zeros([1]));
            all.extend(gradients(&few.sample_places(&one, &zeros([1, N, 1]), &w), &[&few]));
            all.push(
                tenths([1, 1, 3], d).sample_places(&one, &zeros([1, 1, N]), &tenths([1, 1, N], d)).detach(),
            );
            let (many, w) = (tenths([1, N, 1], d), tenths([1, 1, 1], d));
            all.extend(gradients(&many.sample_places(&one, &zeros([1, 1, 1]), &w), &[&w]));
            all
        },
    ),
    (&["max_pool1d", "max_pool3d", "adaptive_max_pool1d", "adaptive_max_pool3d"], |d| {
        let mut high = vec![0.0f32; 240 * 240];
        high[120 * 240 + 120] = 1.0;
        let x = Tensor::from_vec(high, [1, 1, 1, 240, 240]).to(d).leaf();
        let few = tenths([1, 1, 1, 1, 1], d);
        [
            gradients(&x.max_pool3d_with(Pool3d::new([1, 120, 120]).stride(1)), &[&x]),
            gradients(&few.adaptive_max_pool3d([1, 600, 600]), &[&few]),
        ]
        .concat()
    }),
    (&["embedding", "index_select", "index_add", "gather", "scatter", "scatter_add", "index"], |d| {
        let mut all = vec![];
        for inner in [1, 2, 8, 16] {
            let rows = N / inner;
            let w = tenths([3, inner], d);
            all.extend(gradients(&zeros([rows]).embedding(&w), &[&w]));
            all.extend(gradients(&w.index_select(0, &zeros([rows])), &[&w]));
            all.extend(gradients(&w.gather(0, &zeros([rows, inner])), &[&w]));
            all.push(w.scatter_add(0, &zeros([rows, inner]), &tenths([rows, inner], d)).detach());
            let w = tenths([200, inner], d);
            all.extend(gradients(&zeros([rows]).embedding(&w), &[&w]));
            let w = tenths([inner, 3], d);
            all.extend(gradients(&w.index_select(1, &zeros([rows])), &[&w]));
            all.push(w.scatter_add(1, &zeros([inner, rows]), &tenths([inner, rows], d)).detach());
        }
        all
    }),
    (&["layer_norm"], |d| {
        let mut all = vec![];
        for (rows, n) in [(N / 2, 2), (N / 64, 64), (2, N / 2)] {
            let [gamma, beta] = [tenths([n], d), tenths([n], d)];
            let x = bits([rows, n], d);
            all.extend(gradients(&half(x.layer_norm(&gamma, Some(&beta), 1e-5)), &[&gamma, &beta]));
        }
        all
    }),
    (&["batch_norm", "batch_norm_with"], |d| {
        let mut all = vec![];
        for shape in [&[N, 1][..], &[N / 2, 2], &[2, 1, N / 2], &[N / 8, 2, 4]] {
            let c = shape[1];
            let [gamma, beta] = [tenths([c], d), tenths([c], d)];
            let x = bits([shape[0] * shape[2..].iter().product::<usize>(), 1], d).detach();
            let x = if shape.len() == 2 {
                x.expand([shape[0], c])
            } else {
                x.reshape([shape[0], 1, shape[2]]).expand(shape)
            };
            let (y, mean, var) = x.batch_norm(&gamma, &beta, 1e-5);
            all.extend([mean, var]);
            all.extend(gradients(&half(y), &[&gamma, &beta]));
            let stats = [tenths([c], d).detach(), tenths([c], d).detach()];
            all.extend(gradients(
                &x.batch_norm_with(&gamma, &beta, &stats[0], &stats[1], 1e-5),
                &[&gamma, &beta],
            ));
        }
        all
    }),
    (&["attention", "attention_weights", "scaled_dot_product_attention"], |d| {
        let t = 100_000;
        let q = tenths([1, 1, 2, 2], d);
        let [k, v] = [tenths([1, 1, t, 2], d), tenths([1, 1, t, 2], d)];
        let long = both(attention(&q, &k, &v, Mask::None), &[&q]);
        let [k, v] = [bits([1, 1, 3, 2], d), bits([1, 1, 3, 2], d)];
        let q = tenths([1, 1, t, 2], d);
        let wide = attention(&q, &k, &v, Mask::None);
        [long[..1].to_vec(), gradients(&wide, &[&v])].concat()
    }),
    (&["ctc_loss"], |d| {
        let x = tenths([1, 30_000, 3], d);
        both(x.ctc_loss(&tensor![[1, 2, 2]], None), &[&x])
    }),
    (&["lstm", "gru", "rnn"], |d| {
        let (b, t) = (30_000, 3);
        let mut all = vec![];
        let [x, zero] = [tenths([b, t, 1], d), Tensor::zeros([b, 1]).to(d)];
        let [w, u, bias] = [tenths([4, 1], d), tenths([4, 1], d), tenths([4], d)];
        all.extend(gradients(&x.lstm(&zero, &zero, &w, &u, Some(&bias)).0, &[&w, &u, &bias]));
        let [w, u] = [tenths([3, 1], d), tenths([3, 1], d)];
        let biases = [tenths([3], d), tenths([3], d)];
        let y = x.gru(&zero, &w, &u, Some([&biases[0], &biases[1]])).0;
        all.extend(gradients(&y, &[&w, &u, &biases[0], &biases[1]]));
        let [w, u, bias] = [tenths([1, 1], d), tenths([1, 1], d), tenths([1], d)];
        all.extend(gradients(&x.rnn(&zero, &w, &u, Some(&bias)).0, &[&w, &u, &bias]));
        // Many inputs of a step.
        let [x, w] = [tenths([1, 1, N / 4], d), (tenths([4, N / 4], d) * 1e-4).detach()];
        let zero = Tensor::zeros([1, 1]).to(d);
        all.push(x.lstm(&zero, &zero, &w, &Tensor::zeros([4, 1]).to(d), None).0);
        all
    }),
    (
        &[
            "norm",
            "normalize",
            "nansum",
            "nanmean",
            "cosine_similarity",
            "einsum",
            "logcumsumexp",
            "cdist",
            "trapezoid",
            "cumulative_trapezoid",
        ],
        |d| {
            let (x, y) = (tenths([1, N], d), tenths([1, N], d));
            let all = [
                x.norm(2.0, ..),
                x.norm(3.0, 1),
                x.norm(1.0, ..),
                x.nansum(..),
                x.nanmean(1),
                Tensor::einsum("ij,ij->i", &[&x, &y]),
                x.slice(1, ..N / 16).logcumsumexp(1),
                (&x + &y).cdist(&y.detach(), 2.0),
                x.trapezoid(0.5, 1),
                x.cumulative_trapezoid(0.5, 1),
            ];
            // Along equal numbers these have no slope.
            let flat = vec![x.normalize(2.0, 1, 1e-12).detach(), x.cosine_similarity(&y, 1, 1e-8).detach()];
            all.into_iter().flat_map(|y| both(y, &[&x])).chain(flat).collect()
        },
    ),
];

/// The operations that add up nothing, or only as others do that are tried: element by element, views, choices.
#[rustfmt::skip]
const ADDS_NOTHING: &[&str] = &[
    "identity", "abs", "abs_grad", "add", "all", "any", "argmax", "argmin", "argsort", "cast", "cat",
    "ceil", "choose", "chunk", "clamp", "within", "eq", "ne", "lt", "le", "gt", "ge", "contiguous", "cos",
    "div", "div_grad", "dropout", "elu", "elu_grad", "erf", "erf_grad", "exp", "expm1", "floor", "gelu",
    "gelu_grad", "gelu_tanh", "gelu_tanh_grad", "is_inf", "is_nan", "leaky_relu", "leaky_relu_grad", "log",
    "log1p", "and", "or", "xor", "not", "masked_fill", "max", "equal", "maximum", "maximum_grad", "min",
    "minimum", "minimum_grad", "mul", "neg", "one_hot", "pad", "permute", "pow", "pow_grad", "powt",
    "powt_grad_base", "powt_grad_exponent", "prod", "recip", "recip_grad", "relu", "relu_grad", "reshape",
    "round", "rsqrt", "rsqrt_grad", "sigmoid", "sigmoid_grad", "sign", "silu", "silu_grad", "sin", "slice",
    "flip", "softplus", "softplus_grad", "sort", "split", "sqrt", "square", "square_grad", "stack",
    "std_of_var", "sub", "tanh", "tanh_grad", "to_device", "topk",
    "log2", "log10", "exp2", "tan", "tan_grad", "asin", "acos", "atan", "asin_grad", "atan_grad", "sinh",
    "cosh", "asinh", "asinh_grad", "acosh", "acosh_grad", "atanh", "atanh_grad", "trunc", "frac", "lgamma",
    "digamma", "polygamma", "polygamma_grad", "erfinv", "erfinv_grad", "erfc", "sinc", "sinc_grad",
    "nan_to_num", "nan_to_num_grad", "logit", "logit_grad", "log_sigmoid", "log_sigmoid_grad", "relu6",
    "hardtanh", "hardsigmoid", "hardswish", "hardtanh_grad", "hardswish_grad", "hardshrink", "softshrink",
    "tanhshrink", "shrink_grad", "softsign", "softsign_grad", "selu", "selu_grad", "celu", "celu_grad",
    "mish", "mish_grad", "atan2", "hypot", "atan2_grad", "hypot_grad", "remainder", "fmod", "floor_divide",
    "xlogy_grad_x", "xlogy_grad_y", "logaddexp", "logaddexp_grad", "xlogy", "copysign", "heaviside",
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift", "bitwise_not",
    "lerp", "addcmul", "addcdiv", "isclose", "cumprod", "cummax", "cummin", "diff", "median", "quantile",
    "mode", "count_nonzero", "aminmax", "diagonal", "trace", "diag", "tril", "triu", "repeat",
    "repeat_interleave", "roll", "rot90", "movedim", "broadcast_tensors", "meshgrid", "take_along_dim",
    "index_fill", "scatter_reduce", "searchsorted", "bucketize", "unfold", "outer", "kron",
    "max_pool3d_with_indices", "adaptive_max_pool3d_with_indices", "max_unpool1d", "max_unpool2d",
    "max_unpool3d", "affine_grid2d", "affine_grid3d", "box_iou", "nms", "channel_shuffle", "pixel_shuffle",
    "pixel_unshuffle", "pad_with",
    "i0", "i0e", "i1", "i1e", "i0_grad", "i0e_grad", "i1_grad", "i1e_grad", "erfcx", "erfcx_grad", "ndtr",
    "ndtr_grad", "log_ndtr", "log_ndtr_grad", "ndtri", "ndtri_grad", "entr", "entr_grad", "xlog1py", "zeta",
    "gammainc", "gammaincc", "multigammaln", "logaddexp2", "quantiles", "nanquantile", "nanmedian", "kthvalue",
    "msort", "index_copy", "index_reduce", "slice_scatter", "select_scatter", "hstack", "vstack", "dstack",
    "column_stack", "tensor_split", "unbind", "block_diag", "diag_embed", "isin", "take", "fmax", "fmin",
    "cov", "corrcoef", "gamma_path", "gamma_slope", "dirichlet_path", "dirichlet_slope",
];

#[test]
fn sums_of_very_many_numbers_keep_their_digits() {
    let (mut numbers, mut wrong) = (0, vec![]);
    for (names, row) in ROWS {
        let (got, want) = (row(DType::F32), row(DType::F64));
        assert_eq!(got.len(), want.len());
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!(got.dtype() == DType::F32 && want.dtype() == DType::F64 && got.shape() == want.shape());
            let (g, w) = (got.to(DType::F64).to_vec::<f64>(), want.to_vec::<f64>());
            let most = w.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
            let error = g.iter().zip(&w).map(|(g, w)| (g - w).abs() / (w.abs() + 1e-3 * most));
            let error = error.fold(0.0, |m, e| if e <= m { m } else { e });
            numbers += g.len();
            if error >= 1e-5 || error.is_nan() {
                wrong.push(format!("{names:?}, value {i} of shape {:?}: {error:.1e}", got.shape()));
            }
        }
    }
    println!("{numbers} sums");
    assert!(wrong.is_empty(), "{} lose digits:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_operation_is_tried_or_adds_nothing() {
    let missing: Vec<&str> = OPS
        .iter()
        .map(|kind| kind.name)
        .filter(|name| !ROWS.iter().any(|(names, _)| names.contains(name)) && !ADDS_NOTHING.contains(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
