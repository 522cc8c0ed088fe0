//! The methods, one file each, and the list that names them.
//!
//! A file holds a unit struct that implements [`Method`], its documentation (what it says, formula, source, when it lies, an example with a
//! number) and a test.

mod activation_maximisation;
mod deconvolution;
mod deep_lift;
mod filters;
mod grad_cam;
mod gradient_shap;
mod guided_backprop;
mod histograms;
mod input_x_gradient;
mod integrated_gradients;
mod saliency;
mod smooth_grad;

pub use activation_maximisation::ActivationMaximisation;
pub use deconvolution::Deconvolution;
pub use deep_lift::DeepLift;
pub use filters::Filters;
pub use grad_cam::GradCam;
pub use gradient_shap::GradientShap;
pub use guided_backprop::GuidedBackprop;
pub use histograms::Histograms;
pub use input_x_gradient::InputXGradient;
pub use integrated_gradients::IntegratedGradients;
pub use saliency::Saliency;
pub use smooth_grad::SmoothGrad;

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
    // By looking inside.
    &Filters,
    &Histograms,
];
