//! Well-known networks, ready to train, with parameters named as their reference implementations name them.
//!
//! ```
//! use mapsto_models::resnet18;
//! use mapsto_nn::prelude::*;
//! let model = resnet18(10).small_images();
//! assert_eq!(model.forward(&Tensor::zeros([2, 3, 32, 32])).shape(), [2, 10]);
//! ```

mod resnet;

pub use resnet::{BasicBlock, ResNet, resnet18, resnet34};

/// What most programs use; `use mapsto_models::prelude::*;`.
pub mod prelude {
    pub use crate::{ResNet, resnet18, resnet34};
}
