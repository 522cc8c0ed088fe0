//! The tensor of mapsto: values, views, operations and their derivatives.

pub mod autocast;
pub mod backend;
mod by_number;
pub mod check;
mod convolution;
pub mod create;
mod device;
mod display;
mod dtype;
pub mod elementwise;
pub mod error;
pub mod graph;
mod indices;
pub mod kind;
mod layout;
pub mod operators;
pub mod ops;
mod pair_loss;
pub mod pairing;
mod pooling;
mod precision;
pub mod random;
mod reduce;
mod scalar;
mod scope;
mod sequence;
mod shape;
mod slope;
pub mod storage;
mod tensor;
mod ternary;
pub mod trace;
mod written;

pub use autocast::{autocast, autocast_dtype};
pub use device::Device;
pub use dtype::{Class, DType, Element};
pub use error::{Error, ErrorKind, Result, catch};
pub use graph::{Grads, LeafId, grad, grad_or_zeros, grad_with, trace};
pub use layout::Layout;
pub use precision::{MatmulPrecision, Operands, matmul_precision, with_matmul_precision};
pub use random::seed;
pub use scalar::Scalar;
pub use scope::{
    infer, is_recomputing, is_recording, is_training, no_grad, outside, record, train, with_frozen,
};
pub use sequence::Walk;
pub use shape::{Axes, Axis, MAX_ELEMENTS, MAX_RANK, Shape, keep, product};
pub use tensor::Tensor;

/// Host memory: what is live, what is cached, what was copied.
pub mod memory {
    pub use crate::storage::pool::{MemoryStats, room_for, stats, trim};
}

/// What most programs use; `use mapsto_tensor::prelude::*;`.
pub mod prelude {
    pub use crate::graph::{Grads, grad, grad_or_zeros, grad_with};
    pub use crate::ops::*;
    pub use crate::{
        DType, Device, Error, ErrorKind, MatmulPrecision, Result, Shape, Tensor, Walk, assert_close,
        autocast, autocast_dtype, catch, infer, is_training, keep, matmul_precision, memory, no_grad, random,
        record, seed, tensor, trace, train, with_matmul_precision,
    };
}
