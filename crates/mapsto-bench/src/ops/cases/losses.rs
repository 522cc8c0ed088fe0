//! Losses.

use super::inputs::*;
use super::{Case, smooth};

pub static CASES: &[Case] = &[
    smooth("bce", probabilities, |x| x[0].bce(&x[1].detach()), "F.binary_cross_entropy(a, b.detach())"),
    smooth(
        "bce_with_logits",
        probabilities,
        |x| x[0].bce_with_logits(&x[1].detach()),
        "F.binary_cross_entropy_with_logits(a, b.detach())",
    ),
    smooth("cross_entropy", classes, |x| x[0].cross_entropy(&x[1]), "F.cross_entropy(a, b)"),
    smooth("mse", two, |x| x[0].mse(&x[1]), "F.mse_loss(a, b)"),
    smooth(
        "ctc_loss",
        spoken,
        |x| x[0].ctc_loss(&(&x[1] + 1), None),
        "F.ctc_loss(a.transpose(0, 1), b + 1, (a.shape[1],) * a.shape[0], (b.shape[1],) * a.shape[0], reduction='none')",
    ),
];
