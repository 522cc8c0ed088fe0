//! Operations that copy, choose and move elements.

use super::inputs::*;
use super::{Case, flat, smooth};
use mapsto::ops::{Base, Border, Join};
use mapsto::prelude::*;

/// One more place on each side of the last two axes.
const AROUND: [(usize, usize); 4] = [(0, 0), (0, 0), (1, 1), (1, 1)];

pub static CASES: &[Case] = &[
    smooth("cat", two, |x| Tensor::cat(x, 0), "torch.cat([a, b], 0)"),
    smooth("cat/last", two, |x| Tensor::cat(x, 1), "torch.cat([a, b], 1)"),
    smooth("choose", with_mask, |x| x[0].choose(&x[1], &x[2]), "torch.where(a, b, c)"),
    smooth("contiguous", one, |x| x[0].contiguous(), "a.contiguous()"),
    smooth("embedding", picked_rows, |x| x[1].embedding(&x[0]), "F.embedding(b, a)"),
    smooth("flip", one, |x| x[0].flip(0).contiguous(), "a.flip(0)"),
    smooth("flip/last", one, |x| x[0].flip(-1).contiguous(), "a.flip(-1)"),
    smooth("gather", picks_like, |x| x[0].gather(1, &x[1]), "a.gather(1, b)"),
    smooth("index_select", picked_rows, |x| x[0].index_select(0, &x[1]), "a.index_select(0, b)"),
    smooth("index_select/last", picked_columns, |x| x[0].index_select(1, &x[1]), "a.index_select(1, b)"),
    smooth("masked_fill", masked, |x| x[0].masked_fill(&x[1], 0), "a.masked_fill(b, 0)"),
    flat("one_hot", small_ids, |x| x[0].one_hot(10), "F.one_hot(a.long(), 10).float()"),
    smooth("pad", one, |x| x[0].pad(&vec![(1, 1); x[0].rank()], 0), "F.pad(a, [1, 1] * a.dim())"),
    smooth(
        "permute",
        of_three_axes,
        |x| x[0].permute([2, 0, 1]).contiguous(),
        "a.permute(2, 0, 1).contiguous()",
    ),
    smooth("reshape", one, |x| x[0].reshape([-1]), "a.reshape(-1)"),
    smooth("scatter_add", adds_like, |x| x[0].scatter_add(1, &x[1], &x[2]), "a.scatter_add(1, b, c)"),
    smooth(
        "slice",
        one,
        |x| x[0].slice(-1, x[0].shape()[x[0].rank() - 1] / 4..).contiguous(),
        "a[..., a.shape[-1] // 4:].contiguous()",
    ),
    smooth("stack", two, |x| Tensor::stack(x, 0), "torch.stack([a, b], 0)"),
    smooth("stack/last", two, |x| Tensor::stack(x, -1), "torch.stack([a, b], -1)"),
    smooth("block_diag", two_matrices, Tensor::block_diag, "torch.block_diag(a, b)"),
    smooth("index_copy", copied_rows, |x| x[0].index_copy(0, &x[1], &x[2]), "a.index_copy(0, b, c)"),
    smooth(
        "index_reduce",
        copied_rows,
        |x| x[0].index_reduce(0, &x[1], &x[2], Join::Mean, Base::Included),
        "a.index_reduce(0, b, c, 'mean')",
    ),
    smooth("take", taken, |x| x[0].take(&x[1]), "a.take(b)"),
    smooth(
        "slice_scatter",
        one_and_half,
        |x| x[0].slice_scatter(-1, ..x[1].shape()[1], &x[1]),
        "a.slice_scatter(b, -1, 0, b.shape[1])",
    ),
    smooth(
        "pad_with",
        pooled,
        |x| x[0].pad_with(&AROUND, Border::Reflect),
        "F.pad(a, [1, 1, 1, 1], 'reflect')",
    ),
    smooth(
        "pad_with/replicate",
        pooled,
        |x| x[0].pad_with(&AROUND, Border::Replicate),
        "F.pad(a, [1, 1, 1, 1], 'replicate')",
    ),
    smooth(
        "pad_with/circular",
        pooled,
        |x| x[0].pad_with(&AROUND, Border::Circular),
        "F.pad(a, [1, 1, 1, 1], 'circular')",
    ),
    smooth("pixel_shuffle", shuffled, |x| x[0].pixel_shuffle(2).contiguous(), "F.pixel_shuffle(a, 2)"),
    smooth("pixel_unshuffle", pooled, |x| x[0].pixel_unshuffle(2).contiguous(), "F.pixel_unshuffle(a, 2)"),
    smooth("channel_shuffle", shuffled, |x| x[0].channel_shuffle(2).contiguous(), "F.channel_shuffle(a, 2)"),
];
