//! The heavy kernels, compiled in this crate once for f32 and once for f64: a generic function would be compiled again,
//! for every family of instructions, by each crate that calls it.

use crate::conv::{self, ConvShape};
use crate::gemm::tile::Finish;
use crate::gemm::{self, Activation, Mat};

/// What [`crate::gemm::Gemm`] numbers can do, each as the public function of that name describes.
pub trait Routines: Sized {
    fn product(a: Mat<Self>, b: Mat<Self>, c: &mut [Self], finish: Finish<Self>);
    fn conv2d(
        s: &ConvShape,
        x: &[Self],
        w: &[Self],
        bias: Option<&[Self]>,
        activation: Activation,
        y: &mut [Self],
    );
    fn conv2d_data(s: &ConvShape, g: &[Self], w: &[Self], dx: &mut [Self]);
    fn conv2d_weight(s: &ConvShape, x: &[Self], g: &[Self], dw: &mut [Self]);
}

macro_rules! routines {
    ($t:ty) => {
        impl Routines for $t {
            #[inline(never)]
            fn product(a: Mat<$t>, b: Mat<$t>, c: &mut [$t], finish: Finish<$t>) {
                gemm::product(a, b, c, finish)
            }
            #[inline(never)]
            fn conv2d(
                s: &ConvShape,
                x: &[$t],
                w: &[$t],
                bias: Option<&[$t]>,
                activation: Activation,
                y: &mut [$t],
            ) {
                conv::forward(s, x, w, bias, activation, y)
            }
            #[inline(never)]
            fn conv2d_data(s: &ConvShape, g: &[$t], w: &[$t], dx: &mut [$t]) {
                conv::data(s, g, w, dx)
            }
            #[inline(never)]
            fn conv2d_weight(s: &ConvShape, x: &[$t], g: &[$t], dw: &mut [$t]) {
                conv::weights(s, x, g, dw)
            }
        }
    };
}
routines!(f32);
routines!(f64);
