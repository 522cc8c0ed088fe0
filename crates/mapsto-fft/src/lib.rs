//! Fourier transforms of tensors, with derivatives: [`fft()`], [`rfft`], their inverses and kin, [`stft`], and [`SignalWindow`]s.
//!
//! # Complex numbers
//!
//! A tensor has no complex dtype. **A complex tensor is a tensor of floats `[.., 2]`: the last axis holds the real and the imaginary
//! part**, as PyTorch's `view_as_real` shows them. Axes are counted without that pair: of `[b, t, 2]` the axis −1 is `t`.
//! [`complex`], [`real`], [`imag`], [`complex_mul`], [`complex_abs`] and [`angle`] are for such tensors; addition, and products with
//! numbers, are those of every tensor. Since a tensor has at most six axes, a signal has at most five.
//!
//! ```
//! use mapsto_fft::*;
//! use mapsto_tensor::prelude::*;
//! let z = rfft(&tensor![1.0, 2.0, 3.0, 4.0]);
//! assert_close!(z, [[10.0, 0.0], [-2.0, 2.0], [-2.0, 0.0]]);
//! assert_close!(irfft(&z), [1.0, 2.0, 3.0, 4.0]);
//! ```
//!
//! # Numbers
//!
//! Transforms run in f32 and in f64; f16 and bf16 are computed in f32 and rounded once. A transform is an operation of the graph, and
//! its derivative is a transform, so it can be differentiated again and again. Rows are shared among threads, each computed by one,
//! so any number of threads gives the same bits.

mod complex;
mod fft;
mod fftn;
mod frequencies;
mod golden;
mod hfft;
mod rfft;
mod rfftn;
mod rows;
mod stft;
mod transform;
mod window;

pub use complex::{
    angle, complex, complex_abs, complex_div, complex_mul, conj, from_real, imag, polar, real,
};
pub use fft::{fft, fft_with, ifft, ifft_with};
pub use fftn::{fft2, fft2_with, fftn, fftn_with, ifft2, ifft2_with, ifftn, ifftn_with};
pub use frequencies::{fftfreq, fftshift, ifftshift, rfftfreq};
pub use hfft::{
    hfft, hfft_with, hfft2, hfft2_with, hfftn, hfftn_with, ihfft, ihfft_with, ihfft2, ihfft2_with, ihfftn,
    ihfftn_with,
};
pub use rfft::{irfft, irfft_with, rfft, rfft_with};
pub use rfftn::{irfft2, irfft2_with, irfftn, irfftn_with, rfft2, rfft2_with, rfftn, rfftn_with};
pub use rows::OPS;
pub use stft::{Stft, istft, istft_to, stft};
pub use transform::{Norm, Transform, TransformN};
pub use window::SignalWindow;
