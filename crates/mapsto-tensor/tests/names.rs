//! A message names the operation that the user called, and not one that it is made of: every public operation, on inputs
//! of every dtype and many shapes, most of which are wrong for it.

use mapsto_tensor::ops::{self, Order};
use mapsto_tensor::ops::{Border, Ends, GridSample, Interpolation, Pool1d, Pool3d, Resize, RoiAlign};
use mapsto_tensor::ops::{
    Conv1dOptions, Conv2dOptions, Conv3dOptions, ConvTranspose1dOptions, ConvTranspose2dOptions,
    ConvTranspose3dOptions,
};
use mapsto_tensor::ops::{Pool2d, Window};
use mapsto_tensor::prelude::*;

type Call = fn(&[Tensor], isize) -> Tensor;

/// Every operation by its name: on three tensors, and with a number that serves as an axis or a size.
const CALLS: &[(&str, Call)] = &[
    ("index_put", |x, _| x[0].index_put(&[&x[1]], &x[2])),
    ("addcdiv", |x, a| x[0].addcdiv(&x[1], &x[2], a as f64)),
    ("addcmul", |x, a| x[0].addcmul(&x[1], &x[2], a as f64)),
    ("aminmax", |x, a| x[0].aminmax(a).0),
    ("atan2", |x, _| x[0].atan2(&x[1])),
    ("bincount", |x, a| x[0].bincount(a.unsigned_abs())),
    ("bitwise_and", |x, _| x[0].bitwise_and(&x[1])),
    ("bitwise_left_shift", |x, _| x[0].bitwise_left_shift(&x[1])),
    ("bitwise_not", |x, _| x[0].bitwise_not()),
    ("bitwise_or", |x, _| x[0].bitwise_or(&x[1])),
    ("bitwise_right_shift", |x, _| x[0].bitwise_right_shift(&x[1])),
    ("bitwise_xor", |x, _| x[0].bitwise_xor(&x[1])),
    ("broadcast_tensors", |x, _| Tensor::broadcast_tensors(x)[0].clone()),
    ("bucketize", |x, _| x[0].bucketize(&x[1], ops::Side::Left)),
    ("cdist", |x, _| x[0].cdist(&x[1], 2.0)),
    ("copysign", |x, _| x[0].copysign(&x[1])),
    ("cosine_similarity", |x, a| x[0].cosine_similarity(&x[1], a, 1e-8)),
    ("count_nonzero", |x, a| x[0].count_nonzero(a)),
    ("cummax", |x, a| x[0].cummax(a).0),
    ("cummin", |x, a| x[0].cummin(a).0),
    ("cumprod", |x, a| x[0].cumprod(a)),
    ("diag", |x, a| x[0].diag(a)),
    ("diagonal", |x, a| x[0].diagonal(1, a, 0)),
    ("diff", |x, a| x[0].diff(1, a)),
    ("einsum", |x, _| Tensor::einsum("ij,jk->ik", &x[..2])),
    ("floor_divide", |x, _| x[0].floor_divide(&x[1])),
    ("fmod", |x, _| x[0].fmod(&x[1])),
    ("heaviside", |x, _| x[0].heaviside(&x[1])),
    ("histogram", |x, a| x[0].histogram(a.unsigned_abs(), -1.0, 1.0).0),
    ("hypot", |x, _| x[0].hypot(&x[1])),
    ("index_add", |x, a| x[0].index_add(a, &x[1], &x[2])),
    ("index_fill", |x, a| x[0].index_fill(a, &x[1], 1)),
    ("isclose", |x, a| x[0].isclose(&x[1], 0.1, a as f64)),
    ("kron", |x, _| x[0].kron(&x[1])),
    ("lerp", |x, _| x[0].lerp(&x[1], &x[2])),
    ("logaddexp", |x, _| x[0].logaddexp(&x[1])),
    ("logcumsumexp", |x, a| x[0].logcumsumexp(a)),
    ("masked_select", |x, _| x[0].masked_select(&x[1])),
    ("median", |x, a| x[0].median(a).0),
    ("meshgrid", |x, _| Tensor::meshgrid(x)[0].clone()),
    ("mode", |x, a| x[0].mode(a).0),
    ("movedim", |x, a| x[0].movedim(a, 1)),
    ("nanmean", |x, a| x[0].nanmean(a)),
    ("nansum", |x, a| x[0].nansum(a)),
    ("nonzero", |x, _| x[0].nonzero()),
    ("norm", |x, a| x[0].norm(2.0, a)),
    ("normalize", |x, a| x[0].normalize(2.0, a, 1e-12)),
    ("outer", |x, _| x[0].outer(&x[1])),
    ("quantile", |x, a| x[0].quantile(0.5, a)),
    ("remainder", |x, _| x[0].remainder(&x[1])),
    ("repeat", |x, a| x[0].repeat([2, a.unsigned_abs()])),
    ("repeat_interleave", |x, a| x[0].repeat_interleave(2, a)),
    ("roll", |x, a| x[0].roll(1, a)),
    ("rot90", |x, a| x[0].rot90(1, a, 0)),
    ("scatter", |x, a| x[0].scatter(a, &x[1], &x[2])),
    ("scatter_reduce", |x, a| x[0].scatter_reduce(a, &x[1], &x[2], ops::Join::Mean)),
    ("scaled_dot_product_attention", |x, _| {
        ops::scaled_dot_product_attention(&x[0], &x[1], &x[2], &Default::default())
    }),
    ("searchsorted", |x, _| x[0].searchsorted(&x[1], ops::Side::Left)),
    ("take_along_dim", |x, a| x[0].take_along_dim(&x[1], a)),
    ("trace", |x, _| x[0].trace()),
    ("tril", |x, a| x[0].tril(a as i64)),
    ("triu", |x, a| x[0].triu(a as i64)),
    ("unfold", |x, a| x[0].unfold(a, 2, 1)),
    ("unique", |x, _| x[0].unique().0),
    ("xlogy", |x, _| x[0].xlogy(&x[1])),
    ("acos", |x, _| x[0].acos()),
    ("acosh", |x, _| x[0].acosh()),
    ("asin", |x, _| x[0].asin()),
    ("asinh", |x, _| x[0].asinh()),
    ("atan", |x, _| x[0].atan()),
    ("atanh", |x, _| x[0].atanh()),
    ("celu", |x, a| x[0].celu(a as f64)),
    ("cosh", |x, _| x[0].cosh()),
    ("digamma", |x, _| x[0].digamma()),
    ("erfc", |x, _| x[0].erfc()),
    ("erfinv", |x, _| x[0].erfinv()),
    ("exp2", |x, _| x[0].exp2()),
    ("frac", |x, _| x[0].frac()),
    ("hardshrink", |x, a| x[0].hardshrink(a as f64)),
    ("hardsigmoid", |x, _| x[0].hardsigmoid()),
    ("hardswish", |x, _| x[0].hardswish()),
    ("hardtanh", |x, a| x[0].hardtanh(-1.0, a as f64)),
    ("lgamma", |x, _| x[0].lgamma()),
    ("log10", |x, _| x[0].log10()),
    ("log2", |x, _| x[0].log2()),
    ("log_sigmoid", |x, _| x[0].log_sigmoid()),
    ("logit", |x, _| x[0].logit()),
    ("mish", |x, _| x[0].mish()),
    ("nan_to_num", |x, _| x[0].nan_to_num()),
    ("nan_to_num_with", |x, a| x[0].nan_to_num_with(1e5, a as f64, 0.0)),
    ("polygamma", |x, a| x[0].polygamma(a.unsigned_abs())),
    ("relu6", |x, _| x[0].relu6()),
    ("selu", |x, _| x[0].selu()),
    ("sinc", |x, _| x[0].sinc()),
    ("sinh", |x, _| x[0].sinh()),
    ("softshrink", |x, a| x[0].softshrink(a as f64)),
    ("softsign", |x, _| x[0].softsign()),
    ("tan", |x, _| x[0].tan()),
    ("tanhshrink", |x, _| x[0].tanhshrink()),
    ("trunc", |x, _| x[0].trunc()),
    ("abs", |x, _| x[0].abs()),
    ("adaptive_avg_pool2d", |x, a| x[0].adaptive_avg_pool2d(a.unsigned_abs())),
    ("adaptive_max_pool2d", |x, a| x[0].adaptive_max_pool2d(a.unsigned_abs())),
    ("adaptive_avg_pool1d", |x, a| x[0].adaptive_avg_pool1d(a.unsigned_abs())),
    ("adaptive_avg_pool3d", |x, a| x[0].adaptive_avg_pool3d(a.unsigned_abs())),
    ("adaptive_max_pool1d", |x, a| x[0].adaptive_max_pool1d(a.unsigned_abs())),
    ("adaptive_max_pool3d", |x, a| x[0].adaptive_max_pool3d(a.unsigned_abs())),
    ("adaptive_max_pool1d_with_indices", |x, a| x[0].adaptive_max_pool1d_with_indices(a.unsigned_abs()).0),
    ("adaptive_max_pool2d_with_indices", |x, a| x[0].adaptive_max_pool2d_with_indices(a.unsigned_abs()).0),
    ("adaptive_max_pool3d_with_indices", |x, a| x[0].adaptive_max_pool3d_with_indices(a.unsigned_abs()).0),
    ("affine_grid2d", |x, a| x[0].affine_grid2d(a.unsigned_abs(), Ends::Edges)),
    ("affine_grid3d", |x, a| x[0].affine_grid3d(a.unsigned_abs(), Ends::Centres)),
    ("avg_pool1d", |x, a| x[0].avg_pool1d(a.unsigned_abs())),
    ("avg_pool1d_with", |x, a| x[0].avg_pool1d_with(Pool1d::new(2).padding(a.unsigned_abs()).exclude_pad())),
    ("avg_pool3d", |x, a| x[0].avg_pool3d(a.unsigned_abs())),
    ("avg_pool3d_with", |x, a| x[0].avg_pool3d_with(Pool3d::new(2).divisor_override(a.unsigned_abs()))),
    ("box_iou", |x, _| x[0].box_iou(&x[1])),
    ("channel_shuffle", |x, a| x[0].channel_shuffle(a.unsigned_abs())),
    ("grid_sample", |x, _| x[0].grid_sample(&x[1], GridSample::new())),
    ("interpolate", |x, a| x[0].interpolate(&Resize::to([a.unsigned_abs()]).mode(Interpolation::Bilinear))),
    ("lp_pool1d", |x, a| x[0].lp_pool1d(a as f64, Pool1d::new(2))),
    ("lp_pool2d", |x, a| x[0].lp_pool2d(a as f64, Pool2d::new(2))),
    ("lp_pool3d", |x, a| x[0].lp_pool3d(a as f64, Pool3d::new(1))),
    ("max_pool1d", |x, a| x[0].max_pool1d(a.unsigned_abs())),
    ("max_pool1d_with", |x, a| x[0].max_pool1d_with(Pool1d::new(2).dilation(a.unsigned_abs()))),
    ("max_pool3d", |x, a| x[0].max_pool3d(a.unsigned_abs())),
    ("max_pool3d_with", |x, a| x[0].max_pool3d_with(Pool3d::new(2).stride(a.unsigned_abs()).ceil_mode())),
    ("max_pool1d_with_indices", |x, a| x[0].max_pool1d_with_indices(Pool1d::new(a.unsigned_abs())).0),
    ("max_pool2d_with_indices", |x, a| x[0].max_pool2d_with_indices(Pool2d::new(a.unsigned_abs())).0),
    ("max_pool3d_with_indices", |x, a| x[0].max_pool3d_with_indices(Pool3d::new(a.unsigned_abs())).0),
    ("max_unpool1d", |x, a| x[0].max_unpool1d(&x[1], Pool1d::new(a.unsigned_abs()))),
    ("max_unpool1d_with", |x, a| x[0].max_unpool1d_with(&x[1], Pool1d::new(2), a.unsigned_abs())),
    ("max_unpool2d", |x, a| x[0].max_unpool2d(&x[1], Pool2d::new(a.unsigned_abs()))),
    ("max_unpool2d_with", |x, a| x[0].max_unpool2d_with(&x[1], Pool2d::new(2), a.unsigned_abs())),
    ("max_unpool3d", |x, a| x[0].max_unpool3d(&x[1], Pool3d::new(a.unsigned_abs()))),
    ("max_unpool3d_with", |x, a| x[0].max_unpool3d_with(&x[1], Pool3d::new(2), a.unsigned_abs())),
    ("nms", |x, a| x[0].nms(&x[1], a as f64)),
    ("pad_with", |x, a| x[0].pad_with(&[(0, a.unsigned_abs()), (1, 0)], Border::Reflect)),
    ("pixel_shuffle", |x, a| x[0].pixel_shuffle(a.unsigned_abs())),
    ("pixel_unshuffle", |x, a| x[0].pixel_unshuffle(a.unsigned_abs())),
    ("roi_align", |x, a| x[0].roi_align(&x[1], RoiAlign::new(a.unsigned_abs()))),
    ("sample_places", |x, _| x[0].sample_places(&x[1], &x[2], &x[0])),
    ("add", |x, _| x[0].add(&x[1])),
    ("all", |x, a| x[0].all(a)),
    ("and", |x, _| x[0].and(&x[1])),
    ("any", |x, a| x[0].any(a)),
    ("argmax", |x, a| x[0].argmax(a)),
    ("argmin", |x, a| x[0].argmin(a)),
    ("argsort", |x, a| x[0].argsort(a)),
    ("argsort_with", |x, a| x[0].argsort_with(a, Order::Descending)),
    ("avg_pool2d", |x, a| x[0].avg_pool2d(a.unsigned_abs())),
    ("avg_pool2d_with", |x, a| x[0].avg_pool2d_with(Pool2d::new(2).stride(a.unsigned_abs()))),
    ("batch_norm", |x, _| x[0].batch_norm(&x[1], &x[2], 1e-5).0),
    ("batch_norm_with", |x, _| x[0].batch_norm_with(&x[1], &x[2], &x[1], &x[2], 1e-5)),
    ("bce", |x, _| x[0].bce(&x[1])),
    ("bce_with_logits", |x, _| x[0].bce_with_logits(&x[1])),
    ("cat", |x, a| Tensor::cat(x, a)),
    ("ceil", |x, _| x[0].ceil()),
    ("chunk", |x, a| x[0].chunk::<2>(a)[0].clone()),
    ("clamp", |x, a| x[0].clamp(0.5, a as i64)),
    ("contiguous", |x, _| x[0].contiguous()),
    ("conv1d", |x, a| x[0].conv1d(&x[1], Some(&x[2]), Conv1dOptions::new().groups(a.unsigned_abs()))),
    ("conv3d", |x, a| x[0].conv3d(&x[1], Some(&x[2]), Conv3dOptions::new().groups(a.unsigned_abs()))),
    ("conv_transpose1d", |x, a| {
        x[0].conv_transpose1d(&x[1], Some(&x[2]), ConvTranspose1dOptions::new().groups(a.unsigned_abs()))
    }),
    ("conv_transpose2d", |x, a| {
        x[0].conv_transpose2d(&x[1], Some(&x[2]), ConvTranspose2dOptions::new().groups(a.unsigned_abs()))
    }),
    ("conv_transpose3d", |x, a| {
        x[0].conv_transpose3d(&x[1], Some(&x[2]), ConvTranspose3dOptions::new().groups(a.unsigned_abs()))
    }),
    ("conv2d", |x, a| x[0].conv2d(&x[1], Some(&x[2]), Conv2dOptions::new().groups(a.unsigned_abs()))),
    ("conv2d_then", |x, _| {
        x[0].conv2d_then(&x[1], Conv2dOptions::new(), ops::Conv2dThen::new().bias(&x[2]).plus(&x[1]))
    }),
    ("cos", |x, _| x[0].cos()),
    ("cross_entropy", |x, _| x[0].cross_entropy(&x[1])),
    ("cross_entropy_with", |x, _| {
        x[0].cross_entropy_with(&x[1], &ops::CrossEntropyOptions::new().weights(x[2].clone()))
    }),
    ("cumsum", |x, a| x[0].cumsum(a)),
    ("div", |x, _| x[0].div(&x[1])),
    ("dropout", |x, a| train(|| x[0].dropout(a as f64))),
    ("elu", |x, _| x[0].elu(1.0)),
    ("embedding", |x, _| x[0].embedding(&x[1])),
    ("eq", |x, _| x[0].eq(&x[1])),
    ("erf", |x, _| x[0].erf()),
    ("exp", |x, _| x[0].exp()),
    ("expand", |x, a| x[0].expand([a.unsigned_abs(), 3])),
    ("expm1", |x, _| x[0].expm1()),
    ("flatten", |x, a| x[0].flatten(a)),
    ("flip", |x, a| x[0].flip(a)),
    ("floor", |x, _| x[0].floor()),
    ("gather", |x, a| x[0].gather(a, &x[1])),
    ("ge", |x, _| x[0].ge(&x[1])),
    ("gelu", |x, _| x[0].gelu()),
    ("gelu_tanh", |x, _| x[0].gelu_tanh()),
    ("rnn", |x, _| x[0].rnn(&x[1], &x[2], &x[1], Some(&x[2])).0),
    ("rnn_along", |x, _| x[0].rnn_along(&x[1], &x[2], &x[1], None, &Walk::new().reversed()).0),
    ("rnn_relu", |x, _| x[0].rnn_relu(&x[1], &x[2], &x[1], None).0),
    ("rnn_relu_along", |x, _| x[0].rnn_relu_along(&x[1], &x[2], &x[1], None, &Walk::new()).0),
    ("gru_along", |x, _| x[0].gru_along(&x[1], &x[2], &x[1], None, &Walk::new().lengths(&[1])).0),
    ("lstm_along", |x, _| x[0].lstm_along(&x[1], &x[2], &x[1], &x[2], None, &Walk::new().lengths(&[1])).0),
    ("ctc_loss", |x, _| x[0].ctc_loss(&x[1], Some(&[1]))),
    ("gru", |x, _| x[0].gru(&x[1], &x[2], &x[1], Some([&x[2], &x[2]])).0),
    ("gt", |x, _| x[0].gt(&x[1])),
    ("index", |x, a| x[0].index((.., 1, a..5))),
    ("index_select", |x, a| x[0].index_select(a, &x[1])),
    ("is_inf", |x, _| x[0].is_inf()),
    ("is_nan", |x, _| x[0].is_nan()),
    ("layer_norm", |x, _| x[0].layer_norm(&x[1], Some(&x[2]), 1e-5)),
    ("le", |x, _| x[0].le(&x[1])),
    ("leaky_relu", |x, _| x[0].leaky_relu(0.1)),
    ("linear", |x, _| x[0].linear(&x[1], Some(&x[2]))),
    ("linear_relu", |x, _| x[0].linear_relu(&x[1], Some(&x[2]))),
    ("log", |x, _| x[0].log()),
    ("log1p", |x, _| x[0].log1p()),
    ("log_softmax", |x, a| x[0].log_softmax(a)),
    ("logsumexp", |x, a| x[0].logsumexp(a)),
    ("lstm", |x, _| x[0].lstm(&x[1], &x[2], &x[1], &x[2], None).0),
    ("lt", |x, _| x[0].lt(&x[1])),
    ("masked_fill", |x, a| x[0].masked_fill(&x[1], a as f64 + 0.5)),
    ("matmul", |x, _| x[0].matmul(&x[1])),
    ("max", |x, a| x[0].max(a)),
    ("max_pool2d", |x, a| x[0].max_pool2d(a.unsigned_abs())),
    ("max_pool2d_with", |x, a| x[0].max_pool2d_with(Pool2d::new(2).padding(a.unsigned_abs()))),
    ("max_pool2d_relu", |x, a| x[0].max_pool2d_relu(Pool2d::new(a.unsigned_abs()))),
    ("maximum", |x, _| x[0].maximum(&x[1])),
    ("mean", |x, a| x[0].mean(a)),
    ("min", |x, a| x[0].min(a)),
    ("minimum", |x, _| x[0].minimum(&x[1])),
    ("mse", |x, _| x[0].mse(&x[1])),
    ("mul", |x, _| x[0].mul(&x[1])),
    ("ne", |x, _| x[0].ne(&x[1])),
    ("neg", |x, _| x[0].neg()),
    ("not", |x, _| x[0].not()),
    ("one_hot", |x, a| x[0].one_hot(a.unsigned_abs())),
    ("or", |x, _| x[0].or(&x[1])),
    ("pad", |x, a| x[0].pad(&[(1, a.unsigned_abs()), (0, 1)], 0.5)),
    ("permute", |x, a| x[0].permute([a, 0])),
    ("pow", |x, a| x[0].pow(a as f64 + 0.5)),
    ("pow", |x, a| x[0].pow(a as f64)),
    ("powt", |x, _| x[0].powt(&x[1])),
    ("prod", |x, a| x[0].prod(a)),
    ("recip", |x, _| x[0].recip()),
    ("relu", |x, _| x[0].relu()),
    ("reshape", |x, a| x[0].reshape([a, 2])),
    ("round", |x, _| x[0].round()),
    ("rsqrt", |x, _| x[0].rsqrt()),
    ("scatter_add", |x, a| x[0].scatter_add(a, &x[1], &x[2])),
    ("select", |x, a| x[0].select(a, 1)),
    ("sigmoid", |x, _| x[0].sigmoid()),
    ("sign", |x, _| x[0].sign()),
    ("silu", |x, _| x[0].silu()),
    ("sin", |x, _| x[0].sin()),
    ("slice", |x, a| x[0].slice(a, 1..3)),
    ("softmax", |x, a| x[0].softmax(a)),
    ("softplus", |x, _| x[0].softplus()),
    ("sort", |x, a| x[0].sort(a).0),
    ("sort_with", |x, a| x[0].sort_with(a, Order::Descending).0),
    ("split", |x, a| x[0].split(&[1, 2], a)[0].clone()),
    ("sqrt", |x, _| x[0].sqrt()),
    ("square", |x, _| x[0].square()),
    ("squeeze", |x, a| x[0].squeeze(a)),
    ("stack", |x, a| Tensor::stack(x, a)),
    ("std", |x, a| x[0].std(a)),
    ("std_with", |x, a| x[0].std_with(a, 2)),
    ("sub", |x, _| x[0].sub(&x[1])),
    ("sum", |x, a| x[0].sum(a)),
    ("swap", |x, a| x[0].swap(a, 1)),
    ("t", |x, _| x[0].t()),
    ("tanh", |x, _| x[0].tanh()),
    ("to", |x, _| x[0].to(DType::U8)),
    ("to_device", |x, _| x[0].to_device(Device::shape())),
    ("topk", |x, a| x[0].topk(a.unsigned_abs(), a).0),
    ("unsqueeze", |x, a| x[0].unsqueeze(a)),
    ("var", |x, a| x[0].var(a)),
    ("var_with", |x, a| x[0].var_with(a, 3)),
    ("choose", |x, _| x[0].choose(&x[1], &x[2])),
    ("window", |x, a| {
        x[0].window(Window {
            kernel: [2, 2],
            stride: [a.unsigned_abs(), 1],
            padding: [0, 0],
            dilation: [1, 1],
        })
    }),
    ("window_transpose", |x, a| x[0].window_transpose(Window::new(a.unsigned_abs()), [2, 2])),
    ("atleast_1d", |x, _| x[0].atleast_1d()),
    ("atleast_2d", |x, _| x[0].atleast_2d()),
    ("atleast_3d", |x, _| x[0].atleast_3d()),
    ("block_diag", |x, _| Tensor::block_diag(x)),
    ("cartesian_prod", |x, _| Tensor::cartesian_prod(x)),
    ("column_stack", |x, _| Tensor::column_stack(x)),
    ("combinations", |x, a| x[0].combinations(a.unsigned_abs())),
    ("combinations_with_replacement", |x, a| x[0].combinations_with_replacement(a.unsigned_abs())),
    ("corrcoef", |x, _| x[0].corrcoef()),
    ("cov", |x, a| x[0].cov(a.unsigned_abs())),
    ("cumulative_trapezoid", |x, a| x[0].cumulative_trapezoid(0.5, a)),
    ("diag_embed", |x, _| x[0].diag_embed()),
    ("dstack", |x, _| Tensor::dstack(x)),
    ("entr", |x, _| x[0].entr()),
    ("erfcx", |x, _| x[0].erfcx()),
    ("float_power", |x, _| x[0].float_power(&x[1])),
    ("fmax", |x, _| x[0].fmax(&x[1])),
    ("fmin", |x, _| x[0].fmin(&x[1])),
    ("frexp", |x, _| x[0].frexp().0),
    ("gammainc", |x, _| x[0].gammainc(&x[1])),
    ("gammaincc", |x, _| x[0].gammaincc(&x[1])),
    ("gcd", |x, _| x[0].gcd(&x[1])),
    ("hstack", |x, _| Tensor::hstack(x)),
    ("i0", |x, _| x[0].i0()),
    ("i0e", |x, _| x[0].i0e()),
    ("i1", |x, _| x[0].i1()),
    ("i1e", |x, _| x[0].i1e()),
    ("index_copy", |x, a| x[0].index_copy(a, &x[1], &x[2])),
    ("index_put_accumulate", |x, _| x[0].index_put_accumulate(&[&x[1]], &x[2])),
    ("index_reduce", |x, a| x[0].index_reduce(a, &x[1], &x[2], ops::Join::Mean, ops::Base::Excluded)),
    ("isin", |x, _| x[0].isin(&x[1])),
    ("kthvalue", |x, a| x[0].kthvalue(a.unsigned_abs(), a).0),
    ("lcm", |x, _| x[0].lcm(&x[1])),
    ("ldexp", |x, _| x[0].ldexp(&x[1])),
    ("log_ndtr", |x, _| x[0].log_ndtr()),
    ("logaddexp2", |x, _| x[0].logaddexp2(&x[1])),
    ("masked_scatter", |x, _| x[0].masked_scatter(&x[1], &x[2])),
    ("msort", |x, _| x[0].msort()),
    ("multigammaln", |x, a| x[0].multigammaln(a.unsigned_abs())),
    ("nanmedian", |x, a| x[0].nanmedian(a).0),
    ("nanquantile", |x, a| x[0].nanquantile(0.5, a, ops::Between::Linear)),
    ("ndtr", |x, _| x[0].ndtr()),
    ("ndtri", |x, _| x[0].ndtri()),
    ("nextafter", |x, _| x[0].nextafter(&x[1])),
    ("quantile_with", |x, a| x[0].quantile_with(0.5, a, ops::Between::Lower)),
    ("quantiles", |x, a| x[0].quantiles(&[0.1, 0.5], a, ops::Between::Lower)),
    ("scatter_reduce_with", |x, a| {
        x[0].scatter_reduce_with(a, &x[1], &x[2], ops::Join::Max, ops::Base::Excluded)
    }),
    ("select_scatter", |x, a| x[0].select_scatter(a, 1, &x[1])),
    ("signbit", |x, _| x[0].signbit()),
    ("slice_scatter", |x, a| x[0].slice_scatter(a, 1..2, &x[1])),
    ("take", |x, _| x[0].take(&x[1])),
    ("tensor_split", |x, a| x[0].tensor_split(a.unsigned_abs(), a)[0].clone()),
    ("topk_with", |x, a| x[0].topk_with(a.unsigned_abs(), a, Order::Ascending).0),
    ("trapezoid", |x, a| x[0].trapezoid(0.5, a)),
    ("tril_indices", |_, a| Tensor::tril_indices(a.unsigned_abs(), 3, 0)),
    ("triu_indices", |_, a| Tensor::triu_indices(a.unsigned_abs(), 3, 0)),
    ("unbind", |x, a| x[0].unbind(a).pop().unwrap_or_else(|| x[1].clone())),
    ("unique_consecutive", |x, _| x[0].unique_consecutive().0),
    ("vstack", |x, _| Tensor::vstack(x)),
    ("xlog1py", |x, _| x[0].xlog1py(&x[1])),
    ("zeta", |x, _| x[0].zeta(&x[1])),
    ("xor", |x, _| x[0].xor(&x[1])),
];

/// The operations that stand in the files of `ops/` as methods of tensors.
fn public_methods() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ops");
    let mut names = Vec::new();
    for file in ops::FILES {
        let text = std::fs::read_to_string(format!("{folder}/{file}.rs")).unwrap();
        let of_tensor =
            text.split("\nimpl Tensor {\n").skip(1).map(|block| block.split("\n}\n").next().unwrap());
        for line in of_tensor.flat_map(str::lines) {
            if let Some(rest) = line.strip_prefix("    pub fn ") {
                names.push(rest.split(['(', '<']).next().unwrap().to_string());
            }
        }
    }
    names
}

#[test]
fn messages_name_the_operation_that_was_called() {
    for name in public_methods() {
        let tried = CALLS.iter().any(|(called, _)| *called == name);
        assert!(tried, "give `{name}` a line in `CALLS` of {}", file!());
    }
    let shapes: [&[usize]; 9] =
        [&[], &[0], &[2], &[3], &[2, 3], &[3, 2], &[2, 3, 4], &[2, 3, 4, 4], &[1, 1, 1, 1, 1, 2]];
    let dtypes = [DType::F32, DType::I64, DType::Bool, DType::F16];
    let inputs: Vec<Tensor> = dtypes
        .into_iter()
        .flat_map(|dtype| shapes.map(|shape| (Tensor::full(shape, 7) - 0).to(dtype)))
        .collect();
    let (mut calls, mut errors, mut wrong) = (0u64, 0u64, std::collections::BTreeMap::new());
    for (name, call) in CALLS {
        for (i, a) in inputs.iter().enumerate() {
            // The others go round, so that each operation sees every pair of a first and a second input.
            for (j, b) in inputs.iter().enumerate() {
                let c = &inputs[(i + 5 * j) % inputs.len()];
                for number in [-7, -1, 0, 1, 2, 9] {
                    let Err(e) = catch(|| call(&[a.clone(), b.clone(), c.clone()], number)) else { continue };
                    errors += 1;
                    let said = e.message().split(": ").next().unwrap_or_default();
                    // Forms of one operation share its name.
                    let forms = ["_with", "_then", "_relu", "_along", "_relu_along"]
                        .map(|form| name.strip_suffix(form));
                    let is_own = said == *name || forms.contains(&Some(said));
                    if !is_own || !e.location().is_some_and(|at| at.contains("names.rs:")) {
                        wrong.entry((*name, said.to_string())).or_insert_with(|| {
                            format!(
                                "{e}  [{:?} {:?}, {:?} {:?}, {number}]",
                                a.shape(),
                                a.dtype(),
                                b.shape(),
                                b.dtype()
                            )
                        });
                    }
                }
                calls += 6;
            }
        }
    }
    println!("{} operations, {calls} calls, {errors} errors", CALLS.len());
    assert!(errors > 100_000, "{errors}");
    assert!(wrong.is_empty(), "{} speak of another:\n{wrong:#?}", wrong.len());
}
