//! Matrix products in the precision in use: the one place where tensors choose what is taken of their operands.

use crate::storage::Plain;
use crate::{Operands, matmul_precision};
use half::{bf16 as Bf16, f16};
use mapsto_kernels::gemm::bf16::{self, Way};
use mapsto_kernels::gemm::{self, Epilogue, Mat, Write, half as sixteen, integers};

/// The floats that affine maps are computed in.
pub(crate) trait Affine: Multiply {
    /// What sums are taken in.
    type Sum;
    /// C = A·B, then the epilogue, of dense rows.
    fn multiply(a: Mat<Self>, b: Mat<Self>, c: &mut [Self], epilogue: Epilogue<Self::Sum>);
}

/// The types that tensors are multiplied in.
pub(crate) trait Multiply: Plain {
    /// `batch` products of one size, one after the other.
    fn multiply_batch<'a>(
        batch: usize,
        a: impl Fn(usize) -> Mat<'a, Self> + Sync,
        b: impl Fn(usize) -> Mat<'a, Self> + Sync,
        c: &mut [Self],
    );
}

impl Affine for f32 {
    type Sum = f32;
    fn multiply(a: Mat<f32>, b: Mat<f32>, c: &mut [f32], epilogue: Epilogue<f32>) {
        match matmul_precision().operands() {
            Operands::Whole => gemm::gemm(a, b, c, Write::Overwrite, epilogue),
            Operands::Halved => bf16::gemm_x3(a, b, c, epilogue),
            Operands::Rounded => bf16::gemm(Way::fastest(), a, b, c, Write::Overwrite, epilogue),
        }
    }
}

impl Multiply for f32 {
    fn multiply_batch<'a>(
        batch: usize,
        a: impl Fn(usize) -> Mat<'a, f32> + Sync,
        b: impl Fn(usize) -> Mat<'a, f32> + Sync,
        c: &mut [f32],
    ) {
        match matmul_precision().operands() {
            Operands::Whole => gemm::gemm_batch(batch, a, b, c, Write::Overwrite),
            Operands::Halved => bf16::gemm_batch_x3(batch, a, b, c),
            Operands::Rounded => bf16::gemm_batch(Way::fastest(), batch, a, b, c, Write::Overwrite),
        }
    }
}

impl Affine for f64 {
    type Sum = f64;
    fn multiply(a: Mat<f64>, b: Mat<f64>, c: &mut [f64], epilogue: Epilogue<f64>) {
        gemm::gemm(a, b, c, Write::Overwrite, epilogue)
    }
}

impl Multiply for f64 {
    fn multiply_batch<'a>(
        batch: usize,
        a: impl Fn(usize) -> Mat<'a, f64> + Sync,
        b: impl Fn(usize) -> Mat<'a, f64> + Sync,
        c: &mut [f64],
    ) {
        gemm::gemm_batch(batch, a, b, c, Write::Overwrite)
    }
}

macro_rules! halves {
    ($($t:ty)*) => {$(
        impl Affine for $t {
            type Sum = f32;
            fn multiply(a: Mat<$t>, b: Mat<$t>, c: &mut [$t], epilogue: Epilogue<f32>) {
                sixteen::gemm(a, b, c, epilogue)
            }
        }
        impl Multiply for $t {
            fn multiply_batch<'a>(
                batch: usize,
                a: impl Fn(usize) -> Mat<'a, $t> + Sync,
                b: impl Fn(usize) -> Mat<'a, $t> + Sync,
                c: &mut [$t],
            ) {
                sixteen::gemm_batch(batch, a, b, c)
            }
        }
    )*};
}
halves!(f16 Bf16);

macro_rules! wholes {
    ($($t:ty)*) => {$(
        impl Multiply for $t {
            fn multiply_batch<'a>(
                batch: usize,
                a: impl Fn(usize) -> Mat<'a, $t> + Sync,
                b: impl Fn(usize) -> Mat<'a, $t> + Sync,
                c: &mut [$t],
            ) {
                integers::gemm_batch(batch, a, b, c)
            }
        }
    )*};
}
wholes!(i32 i64);
