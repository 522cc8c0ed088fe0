//! mapsto ↦: a neural-network framework, from one neuron to a trained model.
//!
//! `x ↦ f(x)`: everything is a mapping. Tensors remember how they were made, models are plain structs, gradients are values,
//! and training is a loop that you can write yourself or leave to the [`Trainer`](training::Trainer):
//!
//! ```
//! use mapsto::prelude::*;
//! seed(1);
//! let (x, y) = (tensor![[0., 0.], [0., 1.], [1., 0.], [1., 1.]], tensor![[0.], [1.], [1.], [0.]]);
//! let mut net = seq![Linear::new(2, 8), Tensor::tanh, Linear::new(8, 1)];
//! let mut opt = Adam::new(0.05);
//! for _ in 0..500 {
//!     let loss = train(|| bce_with_logits(&net.forward(&x), &y));
//!     opt.step(&mut net, loss.backward());
//! }
//! assert_close!(net.forward(&x).sigmoid().round(), y);
//! ```
//!
//! This crate is what programs depend on: it gathers the crates below it under one name. What a beginner needs is in the
//! [`prelude`]; the rest is in the modules [`nn`], [`models`], [`data`], [`training`] and [`spec`].
//!
//! # Features
//! * `images` (default): folders of PNG and JPEG images, through the `image` crate.
//! * `plots` (default): SVG plots of a run, through `plotters`.
//! * `progress` (default): a live line while training, through `indicatif`.
//! * `signals` (default): Ctrl-C finishes the step and saves, through `ctrlc`.
//! * `fft`: the module `fft`, Fourier transforms and windows, through `rustfft` and `realfft`.
//! * `linalg`: the module `linalg`, linear algebra, through `nalgebra`.

pub use mapsto_kernels::simd::{Isa, isa};
pub use mapsto_kernels::threads::{set_threads, threads, with_threads};
pub use mapsto_tensor::*;

/// Implements [`nn::Module`]: a struct visits its fields by name.
pub use mapsto_nn::Module;
pub use mapsto_nn::seq;

/// Modules, layers, initialisers, losses, optimizers and schedules.
pub mod nn {
    pub use mapsto_nn::*;
}

/// Well-known networks: ResNet and GPT.
pub mod models {
    pub use mapsto_models::*;
}

/// Explanations of what a model says, one method a file.
pub mod explain {
    pub use mapsto_explain::*;
}

/// Datasets, transforms, preprocessing and loaders.
pub mod data {
    pub use mapsto_data::*;
}

/// The trainer, metrics, callbacks, model files, run folders and plots.
pub mod training {
    pub use mapsto_train::*;
}

/// Named entries with options: how layers, losses and the like are written in files.
pub mod spec {
    pub use mapsto_spec::*;
}

/// Fourier transforms with derivatives, `stft` and windows, and complex tensors as pairs (feature `fft`).
#[cfg(feature = "fft")]
pub mod fft {
    pub use mapsto_fft::*;
}

/// Linear algebra with derivatives: solving, decompositions, norms of matrices (feature `linalg`).
#[cfg(feature = "linalg")]
pub mod linalg {
    pub use mapsto_linalg::*;
}

/// Every kind of operation: those of [`ops::OPS`], and those of the optional crates that this program was built with.
///
/// ```
/// assert!(mapsto::kinds().any(|kind| kind.name == "matmul"));
/// ```
pub fn kinds() -> impl Iterator<Item = &'static kind::OpKind> {
    let lists = [
        ops::OPS,
        #[cfg(feature = "fft")]
        mapsto_fft::OPS,
        #[cfg(feature = "linalg")]
        mapsto_linalg::OPS,
    ];
    lists.into_iter().flatten()
}

/// The names that first programs need; `use mapsto::prelude::*;`. Everything else is imported from its module:
/// [`ops`], [`nn`], [`data`], [`training`].
pub mod prelude {
    pub use mapsto_data::{Dataset, InMemory, Table, mnist};
    pub use mapsto_nn::{
        Adam, AdamW, Apply, BatchNorm2d, Conv2d, Dropout, Embedding, Flatten, Layer, LayerNorm, Linear, Lstm,
        MaxPool2d, Module, ModuleExt, Optimizer, Param, Sequential, Sgd, bce_with_logits, cross_entropy, mse,
        seq,
    };
    pub use mapsto_tensor::{
        DType, Error, Result, Tensor, assert_close, catch, grad, keep, no_grad, seed, tensor, train,
    };
    pub use mapsto_train::callbacks::EarlyStop;
    pub use mapsto_train::metrics::Accuracy;
    pub use mapsto_train::{Trainer, evaluate, load, save};
}
