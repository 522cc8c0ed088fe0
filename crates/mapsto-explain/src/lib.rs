//! Why a model said what it said: one list of methods, one way to ask them.
//!
//! A [`Model`] maps a batch to scores, a [`Method`] of the list [`METHODS`] explains them, an [`Ask`] says which class, against which
//! baseline and with which seed, and an [`Explanation`] holds what was found.
//!
//! ```
//! use mapsto_explain::{Ask, Model, method};
//! use mapsto_nn::prelude::*;
//! let net = seq![Linear::new(3, 4), Tensor::tanh, Linear::new(4, 2)];
//! let x = tensor![[1.0, -2.0, 0.5]];
//! let found = method("saliency")?.explain(&Model::of(&net), &x, &Ask::new().class(1))?;
//! assert_eq!(found.attributions()?.shape(), x.shape());
//! # Ok::<(), mapsto_tensor::Error>(())
//! ```

mod ask;
mod by_rule;
mod coalitions;
mod explanation;
mod features;
mod gradients;
mod least_squares;
mod method;
pub mod methods;
mod model;
mod paths;
mod sanity;
mod symmetric;

pub use ask::{Ask, Target};
pub use explanation::{Curve, Explanation, Histogram, Shown};
pub use features::Features;
pub use method::{Method, Needs, method};
pub use methods::METHODS;
pub use model::Model;
pub use sanity::{Sanity, randomised};
