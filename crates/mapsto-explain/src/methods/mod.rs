//! The methods, one file each, and the list that names them.
//!
//! A file holds a unit struct that implements [`Method`], its documentation (what it says, formula, source, when it lies, an example with a
//! number) and a test.

mod counterfactual;
mod feature_ablation;
mod kernel_shap;
mod lime;
mod occlusion;
mod partial_dependence;
mod pca;
mod permutation_importance;
mod saliency;
mod shapley;
mod tsne;

pub use counterfactual::Counterfactual;
pub use feature_ablation::FeatureAblation;
pub use kernel_shap::KernelShap;
pub use lime::Lime;
pub use occlusion::Occlusion;
pub use partial_dependence::PartialDependence;
pub use pca::Pca;
pub use permutation_importance::PermutationImportance;
pub use saliency::Saliency;
pub use shapley::Shapley;
pub use tsne::Tsne;

use crate::Method;

/// Every method, in the order in which they are shown.
pub const METHODS: &[&dyn Method] = &[
    // By gradients.
    &Saliency,
    // By asking.
    &Shapley,
    &KernelShap,
    &Lime,
    &FeatureAblation,
    &Occlusion,
    &PermutationImportance,
    &PartialDependence,
    &Counterfactual,
    &Pca,
    &Tsne,
];
