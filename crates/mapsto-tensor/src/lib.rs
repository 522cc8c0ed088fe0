//! The tensor of mapsto: values, views, operations and their derivatives.

pub mod error;

pub use error::{Error, ErrorKind, Result, catch};

/// What most programs use; `use mapsto_tensor::prelude::*;`.
pub mod prelude {
    pub use crate::{Error, ErrorKind, Result, catch};
}
