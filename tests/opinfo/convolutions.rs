//! Convolutions of one to three dimensions, and transposed ones.

use super::{Call, Found, no, one, wholes};
use mapsto::ops::{ConvOptions, ConvTransposeOptions, Padding};
use mapsto::prelude::*;
use mapsto::spec::Json;

impl Call<'_> {
    pub(super) fn convolutions(&self, op: &str, x: &Tensor) -> Option<Found> {
        Some(match op {
            "nn.functional.conv1d" => self.convolved::<1>(x),
            "nn.functional.conv2d" => self.convolved::<2>(x),
            "nn.functional.conv3d" => self.convolved::<3>(x),
            "nn.functional.conv_transpose1d" => self.transposed::<1>(x),
            "nn.functional.conv_transpose2d" => self.transposed::<2>(x),
            "nn.functional.conv_transpose3d" => self.transposed::<3>(x),
            _ => return None,
        })
    }

    /// A setting of each axis: one number for all of them, or a list.
    pub(super) fn each<const D: usize>(&self, i: usize, name: &str, usual: usize) -> Option<[usize; D]> {
        let Some(json) = self.arg(i, name) else { return Some([usual; D]) };
        let sizes: Option<Vec<usize>> = wholes(json)?.iter().map(|n| usize::try_from(*n).ok()).collect();
        match sizes?[..] {
            [all] => Some([all; D]),
            ref sizes => sizes.try_into().ok(),
        }
    }

    fn convolved<const D: usize>(&self, x: &Tensor) -> Found {
        let padding = match self.arg(4, "padding").and_then(Json::str) {
            Some("same") => Some(Padding::Same),
            Some("valid") => Some(Padding::Each([0; D])),
            Some(_) => None,
            None => self.each::<D>(4, "padding", 0).map(Padding::Each),
        };
        let (stride, dilation) = (self.each::<D>(3, "stride", 1), self.each::<D>(5, "dilation", 1));
        let (Some(stride), Some(padding), Some(dilation)) = (stride, padding, dilation) else {
            return no("sizes that no call can write");
        };
        let Some(groups) = usize::try_from(self.int(6, "groups").unwrap_or(1)).ok() else {
            return no("sizes that no call can write");
        };
        let options = ConvOptions { stride, padding, dilation, groups };
        self.of_layer(x, D, |x, w, b| options.convolve(x, w, b))
    }

    fn transposed<const D: usize>(&self, x: &Tensor) -> Found {
        let (stride, padding) = (self.each::<D>(3, "stride", 1), self.each::<D>(4, "padding", 0));
        let (output_padding, dilation) =
            (self.each::<D>(5, "output_padding", 0), self.each::<D>(7, "dilation", 1));
        let (Some(stride), Some(padding), Some(output_padding), Some(dilation)) =
            (stride, padding, output_padding, dilation)
        else {
            return no("sizes that no call can write");
        };
        let groups = self.int(6, "groups").unwrap_or(1) as usize;
        let options = ConvTransposeOptions { stride, padding, output_padding, dilation, groups };
        self.of_layer(x, D, |x, w, b| options.convolve(x, w, b))
    }

    /// The convolution of a batch, which a single sample lacks.
    fn of_layer(
        &self,
        x: &Tensor,
        dimensions: usize,
        f: impl FnOnce(&Tensor, &Tensor, Option<&Tensor>) -> Tensor,
    ) -> Found {
        let (Some(w), b) = (self.tensor(1, "weight"), self.tensor(2, "bias")) else { return no("no weight") };
        if !x.dtype().is_float() {
            return no("layers of integers");
        }
        match x.rank() == dimensions + 1 {
            true => one(f(&x.unsqueeze(0), w, b).squeeze(0)),
            false => one(f(x, w, b)),
        }
    }
}
