//! Datasets, transforms and loaders of mapsto.
