//! Datasets, transforms and loaders of mapsto.
//!
//! A [`Dataset`] is a number of samples; a [`Loader`] cuts it into batches, in an order that depends on the seed and the
//! epoch alone; [`Transform`]s vary the inputs of training, and [`Preprocess`] prepares those of training and prediction
//! alike. [`sets`] reads MNIST, IDX files, CSV tables and, with the feature `images`, folders of PNG and JPEG files.

#![forbid(unsafe_code)]

mod dataset;
mod delimited;
mod epoch;
mod in_memory;
mod loader;
#[cfg(feature = "images")]
mod picture;
mod planes;
pub mod preprocess;
mod rounded;
mod rows;
mod selection;
pub mod sets;
mod split;
mod subset;
pub mod transforms;

pub use dataset::{Dataset, Info, Sample};
pub use epoch::Epoch;
pub use in_memory::InMemory;
pub use loader::{Batch, Loader, Pairs};
#[cfg(feature = "images")]
pub use picture::{Color, parse_image, read_image};
pub use preprocess::{Normalize, Preprocess, Resize, Scale, Standardize, Step};
pub use rounded::Rounded;
#[cfg(feature = "images")]
pub use sets::ImageFolder;
pub use sets::{Idx, Table, idx_folder, mnist};
pub use subset::Subset;
pub use transforms::{Crop, Flip, Noise, Rotate, SampleKey, Shift, Transform};

/// What most programs use; `use mapsto_data::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Batch, Crop, Dataset, Flip, Idx, InMemory, Info, Loader, Noise, Normalize, Preprocess, Resize,
        Rotate, Sample, SampleKey, Scale, Shift, Standardize, Step, Subset, Table, Transform, mnist,
    };
    #[cfg(feature = "images")]
    pub use crate::{Color, ImageFolder};
}
