//! Named entries with options, read from model and training files: the mechanism behind every registry of mapsto.
//!
//! A layer, loss, optimizer, schedule, initialiser or transform is written as an [`Entry`]: a name, one main value
//! and options (`{ conv2d = 32, kernel = 3 }`, or just `"relu"`). A registry is a plain list of [`Kind`]s of one
//! [`Family`]; the kind found by name reads its entry through [`Args`], which fills in defaults and records them, so that what was left
//! unsaid can be printed. Every mistake points at its place ([`Span`], [`Source`]) and offers the nearest name.

mod args;
mod bounds;
mod entry;
mod from_value;
mod json;
mod kind;
mod nearest;
mod source;
mod span;
mod synonyms;
mod value;

pub use args::{Args, Asked};
pub use bounds::{Bounds, at_least_1, brief, count_option};
pub use entry::Entry;
pub use from_value::FromValue;
pub use json::Json;
pub use kind::{
    Build, Family, Kind, build, check_entry, check_family, entry_of_function, filled, find, kind_of_function,
    type_of,
};
pub use nearest::{distance, nearest};
pub use source::Source;
pub use span::Span;
pub use value::Value;
