//! The methods, one file each, and the list that names them.
//!
//! A file holds a unit struct that implements [`Method`], its documentation (what it says, formula, source, when it lies, an example with a
//! number) and a test.

mod activation_maximisation;
mod counterfactual;
mod deconvolution;
mod deep_lift;
mod feature_ablation;
mod filters;
mod grad_cam;
mod gradient_shap;
mod guided_backprop;
mod histograms;
mod input_x_gradient;
mod integrated_gradients;
mod kernel_shap;
mod lime;
mod occlusion;
mod partial_dependence;
mod pca;
mod permutation_importance;
mod saliency;
mod shapley;
mod smooth_grad;
mod tsne;

pub use activation_maximisation::ActivationMaximisation;
pub use counterfactual::Counterfactual;
pub use deconvolution::Deconvolution;
pub use deep_lift::DeepLift;
pub use feature_ablation::FeatureAblation;
pub use filters::Filters;
pub use grad_cam::GradCam;
pub use gradient_shap::GradientShap;
pub use guided_backprop::GuidedBackprop;
pub use histograms::Histograms;
pub use input_x_gradient::InputXGradient;
pub use integrated_gradients::IntegratedGradients;
pub use kernel_shap::KernelShap;
pub use lime::Lime;
pub use occlusion::Occlusion;
pub use partial_dependence::PartialDependence;
pub use pca::Pca;
pub use permutation_importance::PermutationImportance;
pub use saliency::Saliency;
pub use shapley::Shapley;
pub use smooth_grad::SmoothGrad;
pub use tsne::Tsne;

use crate::Method;

/// Every method, in the order in which they are shown.
pub const METHODS: &[&dyn Method] = &[
    // By gradients.
    &Saliency,
    &InputXGradient,
    &IntegratedGradients,
    &SmoothGrad,
    &GradientShap,
    &DeepLift,
    &GuidedBackprop,
    &Deconvolution,
    &GradCam,
    &ActivationMaximisation,
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
    // By looking inside.
    &Filters,
    &Histograms,
];
