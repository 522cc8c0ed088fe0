//! The methods, one file each, and the list that names them.
//!
//! A file holds a unit struct that implements [`Method`], its documentation (what it says, formula, source, when it lies, an example with a
//! number) and a test.

mod saliency;

pub use saliency::Saliency;

use crate::Method;

/// Every method, in the order in which they are shown.
pub const METHODS: &[&dyn Method] = &[
    // By gradients.
    &Saliency,
    // By asking.
];
