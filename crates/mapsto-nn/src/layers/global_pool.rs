//! Global pooling: each channel becomes one number, its mean or its maximum over all places.

use super::{LayerKind, channels};
use crate::{Layer, Module};
use mapsto_spec::Entry;
use mapsto_tensor::{Tensor, fail};

/// The mean of each channel, `y[n, c] = mean of x[n, c, ..]`.
///
/// * Shape: `[n, channels, ..] → [n, channels]`.
/// * PyTorch: `AdaptiveAvgPool2d(1)` and `Flatten`; Keras: `GlobalAveragePooling1D`, `GlobalAveragePooling2D` and
///   `GlobalAveragePooling3D`; ONNX: `GlobalAveragePool`.
///
/// Source: Lin, Chen, Yan (2013), Network in network, arXiv:1312.4400, section 3.2.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_close!(GlobalAvgPool::new().forward(&tensor![[[1.0, 3.0], [0.0, 4.0]]]), [[2.0, 2.0]]);
/// ```
#[derive(Clone, Debug, Default, Module)]
#[module(crate = crate)]
pub struct GlobalAvgPool {}

/// The maximum of each channel, `y[n, c] = max of x[n, c, ..]`.
///
/// * Shape: `[n, channels, ..] → [n, channels]`.
/// * PyTorch: `AdaptiveMaxPool2d(1)` and `Flatten`; Keras: `GlobalMaxPooling1D`, `GlobalMaxPooling2D` and `GlobalMaxPooling3D`; ONNX: `GlobalMaxPool`.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_close!(GlobalMaxPool::new().forward(&tensor![[[1.0, 3.0], [0.0, 4.0]]]), [[3.0, 4.0]]);
/// ```
#[derive(Clone, Debug, Default, Module)]
#[module(crate = crate)]
pub struct GlobalMaxPool {}

impl GlobalAvgPool {
    /// Over all places.
    pub fn new() -> GlobalAvgPool {
        GlobalAvgPool {}
    }
}

impl GlobalMaxPool {
    /// Over all places.
    pub fn new() -> GlobalMaxPool {
        GlobalMaxPool {}
    }
}

/// The places of each channel on one axis.
#[track_caller]
fn places(name: &str, x: &Tensor) -> Tensor {
    if x.rank() < 2 || x.shape()[2..].contains(&0) {
        fail!(name, "[n, channels, ..] was expected, found {:?}", x.shape());
    }
    let places = x.shape()[2..].iter().product::<usize>();
    x.reshape([x.shape()[0], x.shape()[1], places])
}

impl Layer for GlobalAvgPool {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        places("global_avg_pool", x).mean(-1)
    }
    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(AVG.name))
    }
}

impl Layer for GlobalMaxPool {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        places("global_max_pool", x).max(-1)
    }
    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(MAX.name))
    }
}

pub(super) const AVG: LayerKind =
    LayerKind::new("global_avg_pool", "The mean of each channel over all places.", |args, input| {
        channels(args, input)?;
        Ok(Box::new(GlobalAvgPool::new()))
    });

pub(super) const MAX: LayerKind =
    LayerKind::new("global_max_pool", "The maximum of each channel over all places.", |args, input| {
        channels(args, input)?;
        Ok(Box::new(GlobalMaxPool::new()))
    });

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn global_pools() {
        check_layer(GlobalAvgPool::new).gives([2, 3, 2, 4], [2, 3]);
        check_layer(GlobalMaxPool::new).gives([2, 3, 5], [2, 3]);
        let e = catch(|| GlobalMaxPool::new().forward(&Tensor::ones([2, 3, 0]))).unwrap_err();
        assert_eq!(e.message(), "global_max_pool: [n, channels, ..] was expected, found [2, 3, 0]");
    }
}
