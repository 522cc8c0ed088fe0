//! Products of matrices, convolutions, attention and recurrent networks.

use super::inputs::*;
use super::{Case, smooth};
use mapsto::Walk;
use mapsto::ops::{Conv1dOptions, Conv2dOptions, Conv3dOptions, Mask, attention};
use mapsto::ops::{ConvTranspose1dOptions, ConvTranspose2dOptions, ConvTranspose3dOptions};
use mapsto::prelude::*;

/// Sequences of which the last is little more than half as long as the first, which has all steps.
fn shorter(x: &[Tensor]) -> Walk {
    let (n, t) = (x[0].shape()[0], x[0].shape()[1]);
    Walk::new().lengths(&(0..n).map(|i| t - i * t / (2 * n)).collect::<Vec<_>>())
}

pub static CASES: &[Case] = &[
    smooth(
        "attention",
        heads,
        |x| attention(&x[0], &x[1], &x[2], Mask::Causal),
        "F.scaled_dot_product_attention(a, b, c, is_causal=True)",
    ),
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
    smooth(
        "gru",
        gru,
        |x| x[0].gru(&x[1], &x[2], &x[3], None).0,
        "torch.gru(a, b[None], [c, d], False, 1, 0.0, False, False, True)[0]",
    ),
    smooth("linear", dense, |x| x[0].linear(&x[1], Some(&x[2])), "F.linear(a, b, c)"),
    smooth(
        "lstm",
        lstm,
        |x| x[0].lstm(&x[1], &x[2], &x[3], &x[4], None).0,
        "torch.lstm(a, (b[None], c[None]), [d, e], False, 1, 0.0, False, False, True)[0]",
    ),
    smooth("matmul", product, |x| x[0].matmul(&x[1]), "a @ b"),
    smooth("matmul/batch", products, |x| x[0].matmul(&x[1]), "a @ b"),
    smooth("matmul/thin", thin, |x| x[0].matmul(&x[1]), "a @ b"),
    smooth(
        "rnn",
        rnn,
        |x| x[0].rnn(&x[1], &x[2], &x[3], None).0,
        "torch.rnn_tanh(a, b[None], [c, d], False, 1, 0.0, False, False, True)[0]",
    ),
    smooth(
        "rnn/lengths",
        rnn,
        |x| x[0].rnn_along(&x[1], &x[2], &x[3], None, &shorter(x)).0,
        "(lambda p: torch.nn.utils.rnn.pad_packed_sequence(torch.nn.utils.rnn.PackedSequence(torch.rnn_tanh(p.data, p.batch_sizes, b[None], [c, d], False, 1, 0.0, False, False)[0], p.batch_sizes), True)[0])(torch.nn.utils.rnn.pack_padded_sequence(a, [a.shape[1] - i * a.shape[1] // (2 * a.shape[0]) for i in range(a.shape[0])], True))",
    ),
    smooth(
        "gru/lengths",
        gru,
        |x| x[0].gru_along(&x[1], &x[2], &x[3], None, &shorter(x)).0,
        "(lambda p: torch.nn.utils.rnn.pad_packed_sequence(torch.nn.utils.rnn.PackedSequence(torch.gru(p.data, p.batch_sizes, b[None], [c, d], False, 1, 0.0, False, False)[0], p.batch_sizes), True)[0])(torch.nn.utils.rnn.pack_padded_sequence(a, [a.shape[1] - i * a.shape[1] // (2 * a.shape[0]) for i in range(a.shape[0])], True))",
    ),
    smooth(
        "lstm/lengths",
        lstm,
        |x| x[0].lstm_along(&x[1], &x[2], &x[3], &x[4], None, &shorter(x)).0,
        "(lambda p: torch.nn.utils.rnn.pad_packed_sequence(torch.nn.utils.rnn.PackedSequence(torch.lstm(p.data, p.batch_sizes, (b[None], c[None]), [d, e], False, 1, 0.0, False, False)[0], p.batch_sizes), True)[0])(torch.nn.utils.rnn.pack_padded_sequence(a, [a.shape[1] - i * a.shape[1] // (2 * a.shape[0]) for i in range(a.shape[0])], True))",
    ),
];
