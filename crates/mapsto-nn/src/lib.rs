//! Layers, losses, initialisers, optimizers and schedules of mapsto.
//!
//! A [`Module`] is what a model holds, a [`Layer`] is what it does. Losses are functions of outputs and targets, optimizers
//! change the parameters of a module by gradients, schedules say how fast. Everything that can be named in a model file
//! stands in a list: [`layers::LAYERS`], [`losses::LOSSES`], [`optim::OPTIMIZERS`], [`schedules::SCHEDULES`],
//! [`init::INITS`].

mod budget;
mod check_layer;
mod convolution;
mod ctc_decode;
pub mod distributions;
mod golden;
mod grad_scaler;
pub mod init;
pub mod layers;
pub mod losses;
mod module;
mod norms;
mod of_code;
pub mod optim;
mod outputs;
mod pooling;
pub mod recurrent;
pub mod schedules;
mod settings;
mod spec;
mod table;

pub use check_layer::{LayerCheck, check_layer};
pub use convolution::PaddingMode;
pub use ctc_decode::{ctc_beam_decode, ctc_greedy_decode};
pub use grad_scaler::GradScaler;
pub use layers::*;
pub use losses::*;
/// Implements [`Module`] by visiting every field under its name.
pub use mapsto_derive::Module;
pub use module::{
    Apply, AtLengths, Averages, ByChannel, Ema, Exceptions, Hooked, Item, ItemMut, Layer, LayerHook, Line,
    LoadReport, Module, ModuleExt, Param, Path, Segment, State, Swa, Then, Tied, Weighted, apart, cumulative,
    deep_copy, frozen, matches, update_bn,
};
pub use optim::*;
pub use outputs::Outputs;
pub use schedules::*;
pub use spec::ModelSpec;

/// What the code of `#[derive(Module)]` names.
#[doc(hidden)]
pub mod derived {
    pub use crate::module::{AsLayer, Cloner, NoLayer, NotCloned};
    pub use std::boxed::Box;
    pub use std::string::String;
    pub use std::vec::Vec;
}

/// What most programs use; `use mapsto_nn::prelude::*;`.
pub mod prelude {
    pub use crate::init::Init;
    pub use crate::layers::*;
    pub use crate::losses::*;
    pub use crate::optim::{Adagrad, Adam, AdamW, Optimizer, OptimizerState, RmsProp, Sgd, check_rule};
    pub use crate::schedules::{
        Constant, Cosine, ExponentialDecay, Horizon, LinearWarmup, Schedule, StepDecay,
    };
    pub use crate::{
        Apply, Ema, Exceptions, Item, ItemMut, Layer, LoadReport, ModelSpec, Module, ModuleExt, PaddingMode,
        Param, Path, State, Swa, frozen, seq,
    };
    pub use mapsto_tensor::prelude::*;
}
