//! Datasets, transforms and loaders of mapsto.
//!
//! A [`Dataset`] is a number of samples; a [`Loader`] cuts it into batches, in an order that depends on the seed and the
//! epoch alone; [`Transform`]s vary the inputs of training, and [`Preprocess`] prepares those of training and prediction
//! alike. [`sets`] reads MNIST, IDX files, CSV tables and, with the feature `images`, folders of pictures.

#![forbid(unsafe_code)]
// Methods that return a changed value, and leave theirs as it was, are easily called for nothing.
#![warn(clippy::return_self_not_must_use)]

mod batches;
mod collate;
mod column;
mod dataset;
mod date;
mod delimited;
mod epoch;
#[cfg(feature = "images")]
mod image_parts;
mod in_memory;
mod loader;
mod look;
mod mixing;
#[cfg(feature = "images")]
mod picture;
mod planes;
pub mod preprocess;
mod ragged;
mod reading;
mod retouch;
mod rounded;
mod rows;
mod sampler;
mod samples;
mod selection;
pub mod sets;
mod source;
mod split;
mod subset;
pub mod transforms;
mod weighted;

pub use batches::Batches;
pub use collate::{Collate, Names, Rows};
pub use column::{Column, ColumnKind};
pub use dataset::{Dataset, Info, Sample};
pub use date::{DateOrder, day_of};
pub use delimited::{RowBlock, TableStream};
pub use epoch::Epoch;
#[cfg(feature = "images")]
pub use image_parts::picture_depth;
pub use in_memory::InMemory;
pub use loader::{Batch, Loader, Pairs};
/// Implements [`Collate`] and [`Rows`] by putting every field into batches on its own.
pub use mapsto_derive::Collate;
#[cfg(feature = "images")]
pub use picture::{Color, PICTURE_ENDINGS, encode_png, is_picture_name, parse_image, read_image};
pub use preprocess::{Columns, Normalize, Preprocess, Resize, Scale, Standardize, Step};
pub use ragged::Ragged;
pub use reading::{Encoding, Reading};
pub use rounded::Rounded;
pub use sampler::{At, ByLength, Sampler};
pub use samples::Samples;
#[cfg(feature = "images")]
pub use sets::ImageFolder;
pub use sets::{Idx, Table, idx_folder, mnist};
pub use source::Source;
pub use subset::Subset;
pub use transforms::{
    Autocontrast, ColorJitter, Crop, Cutmix, Cutout, Equalize, Flip, GaussianBlur, Grayscale, Mixup, Noise,
    Posterize, RandAugment, RandomErasing, ResizedCrop, Rotate, SampleKey, Shift, Solarize, Transform,
    TrivialAugment,
};
pub use weighted::Weighted;

/// What `#[derive(Collate)]` writes down.
#[doc(hidden)]
pub mod derived {
    pub use crate::collate::Field;
    pub use mapsto_tensor::{Result, Tensor};
    pub use std::vec::Vec;
}

/// What most programs use; `use mapsto_data::prelude::*;`.
pub mod prelude {
    pub use crate::{
        At, Autocontrast, Batch, ByLength, Collate, ColorJitter, Column, ColumnKind, Columns, Crop, Cutmix,
        Cutout, Dataset, DateOrder, Encoding, Equalize, Flip, GaussianBlur, Grayscale, Idx, InMemory, Info,
        Loader, Mixup, Noise, Normalize, Posterize, Preprocess, Ragged, RandAugment, RandomErasing, Reading,
        Resize, ResizedCrop, Rotate, Rows, Sample, SampleKey, Sampler, Samples, Scale, Shift, Solarize,
        Source, Standardize, Subset, Table, Transform, TrivialAugment, mnist,
    };
    #[cfg(feature = "images")]
    pub use crate::{Color, ImageFolder};
}
