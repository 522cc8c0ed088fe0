//! How exactly f32 matrices are multiplied: a scope, where PyTorch has the switch `set_float32_matmul_precision`.

use crate::{DType, scope};
use mapsto_kernels::gemm::bf16;
use std::fmt;

/// What products of f32 matrices may leave out of their operands for speed.
///
/// Rounding to bf16 takes the elements of both operands to the nearest bf16 (8 significant bits, ties to even), which moves
/// each by at most 2⁻⁸ of itself. The products of elements are then exact and summed in f32, and the result is f32. Nothing
/// that is stored changes: tensors, parameters, gradients and an optimizer's moments stay f32. A result is then off by at
/// most 2⁻⁷ of the sum of its terms' magnitudes, and by about 0.2 % of its usual size, since the errors of many terms go both
/// ways. NaN and infinities stay what they are; numbers from 3.3962e38 become infinite, and numbers below 2⁻¹²⁶ zero.
///
/// It concerns [`matmul`](crate::Tensor::matmul) and [`linear`](crate::Tensor::linear), and what is composed of them,
/// wherever they compute in f32 (so also for f16 tensors, not for f64). Convolution, attention and the recurrent layers
/// have kernels of their own, which stay in f32.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let (x, w) = (tensor![[1.0 + 1.0 / 512.0, 2.0]], tensor![[3.0], [1.0]]);
/// let [exact, coarse] = [MatmulPrecision::Highest, MatmulPrecision::Bf16]
///     .map(|p| with_matmul_precision(p, || x.matmul(&w)).item());
/// assert_eq!([exact, coarse], [5.005859375, 5.0]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatmulPrecision {
    /// Operands keep all their digits: the default.
    #[default]
    Highest,
    /// Operands are taken as sums of two bf16, which keep 16 of their 24 digits, where that is faster than f32 on this
    /// processor, and else keep all: PyTorch's `"high"`. It is faster on the tiles of AMX (Intel's Xeons since 2023, on
    /// Linux). A result is then off by at most 2⁻¹⁵ of the sum of its terms' magnitudes, usually by a thousandth of a percent.
    High,
    /// Operands are rounded to bf16 where that is faster than f32 on this processor, and else are not: PyTorch's
    /// `"medium"`. It is faster on the tiles of AMX, and is taken to be on AMD's processors with AVX512-BF16 (Zen 4 and
    /// later). It is not on Intel's that have AVX512-BF16 but no tiles, where it is half as fast as f32 (Sapphire Rapids: 90
    /// and 180 GFLOP/s a core), nor without the instructions. Results therefore depend on the processor.
    Medium,
    /// Operands are rounded to bf16 on every processor, by the faster way it has: to see what that does to a model.
    Bf16,
}

impl MatmulPrecision {
    /// All of them, from the most precise.
    pub const ALL: [MatmulPrecision; 4] =
        [MatmulPrecision::Highest, MatmulPrecision::High, MatmulPrecision::Medium, MatmulPrecision::Bf16];

    /// The word for it in files: `highest`, `high`, `medium` or `bf16`.
    ///
    /// ```
    /// use mapsto_tensor::MatmulPrecision;
    /// assert_eq!(MatmulPrecision::ALL.map(|p| p.name()), ["highest", "high", "medium", "bf16"]);
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            MatmulPrecision::Highest => "highest",
            MatmulPrecision::High => "high",
            MatmulPrecision::Medium => "medium",
            MatmulPrecision::Bf16 => "bf16",
        }
    }

    /// What becomes of the operands of large products on this processor.
    ///
    /// ```
    /// use mapsto_tensor::{MatmulPrecision, Operands};
    /// assert_eq!(MatmulPrecision::Highest.operands(), Operands::Whole);
    /// assert_eq!(MatmulPrecision::Bf16.operands(), Operands::Rounded);
    /// ```
    #[inline]
    pub fn operands(self) -> Operands {
        match self {
            MatmulPrecision::Highest => Operands::Whole,
            MatmulPrecision::High if bf16::has_x3() => Operands::Halved,
            MatmulPrecision::Medium if bf16::is_faster_than_f32() => Operands::Rounded,
            MatmulPrecision::High | MatmulPrecision::Medium => Operands::Whole,
            MatmulPrecision::Bf16 => Operands::Rounded,
        }
    }
}

/// What a product takes of its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operands {
    /// All their 24 digits.
    Whole,
    /// 16 digits, as sums of two bf16.
    Halved,
    /// 8 digits, as bf16.
    Rounded,
}

impl fmt::Display for MatmulPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Runs `body` with a precision for the matrix products it computes on this thread; scopes nest. Operations recorded in it
/// keep the precision for their gradients, wherever `backward` is called, and others keep theirs.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let precise = with_matmul_precision(MatmulPrecision::Medium, matmul_precision);
/// assert_eq!((precise, matmul_precision()), (MatmulPrecision::Medium, MatmulPrecision::Highest));
/// ```
pub fn with_matmul_precision<R>(precision: MatmulPrecision, body: impl FnOnce() -> R) -> R {
    scope::within(|m| m.of_precision(m.precision().with_matmul(precision)), body)
}

/// The precision in use: [`with_matmul_precision`]'s on this thread, else [`MatmulPrecision::Highest`].
#[inline]
pub fn matmul_precision() -> MatmulPrecision {
    scope::precision().matmul()
}

/// What scopes say of how operations compute. It is one byte, which a node copies with its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Precision(u8);

impl Precision {
    /// Nothing is left out.
    pub(crate) const EXACT: Precision = Precision(0);
    const MATMUL: u8 = 3;
    /// Operations choose their dtypes: one of two for products.
    const BF16: u8 = 4;
    const F16: u8 = 8;
    /// Operands of different floats meet in the wider one, here and in derivatives of what was recorded here.
    const MIXED: u8 = 16;

    #[inline]
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    #[inline]
    pub(crate) fn from_bits(bits: u8) -> Precision {
        Precision(bits)
    }

    #[inline]
    pub(crate) fn matmul(self) -> MatmulPrecision {
        match self.0 & Precision::MATMUL {
            0 => MatmulPrecision::Highest,
            1 => MatmulPrecision::High,
            2 => MatmulPrecision::Medium,
            _ => MatmulPrecision::Bf16,
        }
    }

    fn with_matmul(self, precision: MatmulPrecision) -> Precision {
        let of = match precision {
            MatmulPrecision::Highest => 0,
            MatmulPrecision::High => 1,
            MatmulPrecision::Medium => 2,
            MatmulPrecision::Bf16 => 3,
        };
        Precision(self.0 & !Precision::MATMUL | of)
    }

    /// With products in this dtype, or in those of their operands; f16 and bf16 only.
    pub(crate) fn with_products(self, dtype: Option<DType>) -> Precision {
        let of = match dtype {
            None => 0,
            Some(DType::BF16) => Precision::BF16 | Precision::MIXED,
            Some(_) => Precision::F16 | Precision::MIXED,
        };
        Precision(self.0 & Precision::MATMUL | of)
    }

    /// The dtype that products choose.
    pub(crate) fn products(self) -> Option<DType> {
        match self.0 & (Precision::BF16 | Precision::F16) {
            0 => None,
            Precision::BF16 => Some(DType::BF16),
            _ => Some(DType::F16),
        }
    }

    #[inline]
    pub(crate) fn casts(self) -> bool {
        self.0 & (Precision::BF16 | Precision::F16) != 0
    }

    #[inline]
    pub(crate) fn mixes(self) -> bool {
        self.0 & Precision::MIXED != 0
    }

    /// That of the derivative of what was recorded with this one, which has its dtypes.
    #[inline]
    pub(crate) fn of_derivative(self) -> Precision {
        Precision(self.0 & (Precision::MATMUL | Precision::MIXED))
    }
}

#[cfg(test)]
mod tests {
    use super::MatmulPrecision::*;
    use super::*;
    use crate::prelude::*;

    /// The nearest bf16 of each element, by the conversion of dtypes.
    fn round(x: &Tensor) -> Tensor {
        x.to(DType::BF16).to(DType::F32)
    }

    fn norm(x: &Tensor) -> f64 {
        x.to(DType::F64).square().sum(..).item().sqrt()
    }

    #[test]
    fn products_are_those_of_rounded_operands_and_f64_is_left_alone() {
        let (x, w, b) = (Tensor::randn([3, 40, 70]), Tensor::randn([50, 70]), Tensor::randn([50]));
        let coarse = |f: &dyn Fn() -> Tensor| with_matmul_precision(Bf16, f);
        let (rx, rw) = (round(&x), round(&w));
        assert_close!(coarse(&|| x.matmul(&w.t())), rx.matmul(&rw.t()));
        assert_close!(coarse(&|| x.linear(&w, Some(&b))), rx.linear(&rw, Some(&b)));
        assert_close!(coarse(&|| x.matmul(&x.swap(1, 2))), rx.matmul(&rx.swap(1, 2)));
        assert!(norm(&(x.matmul(&w.t()) - rx.matmul(&rw.t()))) > 0.1);
        let (x, w) = (x.to(DType::F64), w.to(DType::F64));
        assert_eq!(coarse(&|| x.matmul(&w.t())).to_vec::<f64>(), x.matmul(&w.t()).to_vec::<f64>());
    }

    #[test]
    fn gradients_have_the_precision_of_what_was_recorded() {
        let (x, w) = (Tensor::randn([30, 70]).leaf(), Tensor::randn([50, 70]).leaf());
        let g = Tensor::randn([30, 50]);
        for linear in [false, true] {
            let forward = || if linear { x.linear(&w, None) } else { x.matmul(&w.t()) };
            let gradients = |y: Tensor| {
                let grads = y.backward_with(&g);
                (grads.of(&x).clone(), grads.of(&w).clone())
            };
            let exact = gradients(forward());
            let coarse = gradients(with_matmul_precision(Bf16, forward));
            let rounded = round(&g);
            assert_close!(&coarse.0, rounded.matmul(&round(&w.detach())));
            assert_close!(&coarse.1, rounded.t().matmul(&round(&x.detach())));
            // Recorded outside of the scope, walked inside of it: nothing is rounded.
            let y = forward();
            let later = with_matmul_precision(Bf16, || {
                let found = gradients(y);
                assert_eq!(matmul_precision(), Bf16);
                found
            });
            assert_eq!(later.0.to_vec::<f32>(), exact.0.to_vec::<f32>());
            assert_eq!(later.1.to_vec::<f32>(), exact.1.to_vec::<f32>());
            // Both operands are off by up to 2⁻⁸ in either direction, so the gradient by less of its length: 0.0024.
            for (a, b) in [(&coarse.0, &exact.0), (&coarse.1, &exact.1)] {
                let off = norm(&(a - b)) / norm(b);
                assert!(off > 0.0 && off < 2f64.powi(-8), "{off}");
            }
        }
    }

    #[test]
    fn high_and_medium_leave_out_what_they_say_and_no_more() {
        let (a, b) = (Tensor::randn([80, 90]), Tensor::randn([90, 100]));
        let products = MatmulPrecision::ALL.map(|p| with_matmul_precision(p, || a.matmul(&b)));
        let [highest, high, medium, coarse] = products.each_ref().map(|x| x.to_vec::<f32>());
        assert_ne!(highest, coarse);
        assert_eq!(medium, if Medium.operands() == Operands::Rounded { coarse } else { highest.clone() });
        assert_eq!(high != highest, High.operands() == Operands::Halved);
        let exact = a.to(DType::F64).matmul(&b.to(DType::F64));
        let off = |i: usize| norm(&(products[i].to(DType::F64) - &exact)) / norm(&exact);
        assert!(off(1) < 2f64.powi(-16) && off(3) > 2f64.powi(-10), "{} {}", off(1), off(3));
    }

    #[test]
    fn second_derivatives_and_other_threads_have_theirs() {
        let (x, w) = (Tensor::randn([4, 6]).leaf(), Tensor::randn([5, 6]).leaf());
        let y = with_matmul_precision(Bf16, || x.linear(&w, None).square().sum(..));
        let [dx] = grad(&y, [&x]);
        let [dw] = grad(&dx.sum(..), [&w]);
        assert_eq!(dw.shape(), [5, 6]);
        with_matmul_precision(Bf16, || {
            let there = std::thread::spawn(matmul_precision).join().expect("it only reads");
            assert_eq!((there, matmul_precision()), (Highest, Bf16));
        });
    }
}
