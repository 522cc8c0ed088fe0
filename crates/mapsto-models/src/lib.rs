//! Well-known networks, ready to train, with parameters named as their reference implementations name them.
//!
//! ```
//! use mapsto_models::resnet18;
//! use mapsto_nn::prelude::*;
//! let model = resnet18(10).small_images();
//! assert_eq!(model.forward(&Tensor::zeros([2, 3, 32, 32])).shape(), [2, 10]);
//! ```

mod gpt;
mod resnet;
mod sampling;

pub use gpt::Gpt;
pub use resnet::{BasicBlock, ResNet, resnet18, resnet34};
pub use sampling::Sampling;

/// What most programs use; `use mapsto_models::prelude::*;`.
pub mod prelude {
    pub use crate::{Gpt, ResNet, Sampling, resnet18, resnet34};
}
