//! Penalties on the size of weights, to be added to a loss.

use crate::module::{Item, Module, Path, matches, unknown};
use mapsto_tensor::error::raise;
use mapsto_tensor::{DType, Tensor};

/// `Σ |w|` over the parameters whose names fit the pattern: drives small weights to zero (the lasso).
///
/// Source: Tibshirani (1996), Regression shrinkage and selection via the lasso.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut net = Linear::new(2, 1);
/// net.weight.set(&tensor![[3.0, -1.0]])?;
/// assert_eq!(l1_penalty(&net, "weight").item(), 4.0);
/// let grads = train(|| l1_penalty(&net, "weight") * 0.1).backward();
/// assert_close!(grads.of(&net.weight), [[0.1, -0.1]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
/// # Panics
/// When no parameter's name fits.
#[track_caller]
pub fn l1_penalty(model: &(impl Module + ?Sized), pattern: &str) -> Tensor {
    total("l1_penalty", model, pattern, |w| w.abs().sum(..))
}

/// `½ Σ w²` over the parameters whose names fit the pattern; its gradient is `w`, so with plain SGD a factor λ is the same
/// as a weight decay of λ.
///
/// ```
/// use mapsto_nn::prelude::*;
/// let mut net = Linear::new(2, 1);
/// net.weight.set(&tensor![[3.0, -1.0]])?;
/// assert_eq!(l2_penalty(&net, "weight").item(), 5.0);
/// let grads = train(|| l2_penalty(&net, "weight") * 0.1).backward();
/// assert_close!(grads.of(&net.weight), [[0.3, -0.1]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
/// # Panics
/// When no parameter's name fits.
#[track_caller]
pub fn l2_penalty(model: &(impl Module + ?Sized), pattern: &str) -> Tensor {
    total("l2_penalty", model, pattern, |w| w.square().sum(..) * 0.5)
}

#[track_caller]
fn total(
    name: &str,
    model: &(impl Module + ?Sized),
    pattern: &str,
    size: impl Fn(&Tensor) -> Tensor,
) -> Tensor {
    let (mut sum, mut dtype): (Option<Tensor>, Option<DType>) = (None, None);
    model.visit(&mut Path::new(), &mut |path, item| {
        if let Item::Param(p) = item
            && matches(pattern, &path.to_string())
        {
            // Of 16 bits in f32: squares and sums leave their range sooner than the penalty.
            let half = matches!(p.dtype(), DType::F16 | DType::BF16);
            dtype = dtype.filter(|d| *d != p.dtype() && half).or(Some(p.dtype()));
            let term = size(&if half { p.to(DType::F32) } else { (**p).clone() });
            sum = Some(match sum.take() {
                Some(sum) => sum + term,
                None => term,
            });
        }
    });
    match sum {
        Some(sum) => sum.to(dtype.unwrap_or(DType::F32)),
        None => raise(unknown(name, pattern, model)),
    }
}

#[test]
fn squares_of_16_bits_may_leave_their_range() {
    use mapsto_tensor::{assert_close, record, tensor};
    for dtype in [DType::F16, DType::BF16] {
        let mut net = crate::Linear::new(2, 1).no_bias();
        net.weight.set(&tensor![[300.0, -1.0]]).unwrap();
        crate::ModuleExt::convert(&mut net, dtype);
        let loss = record(|| l2_penalty(&net, "weight"));
        assert!(loss.dtype() == dtype && (loss.item() / 45000.5 - 1.0).abs() < 0.01, "{loss}");
        assert_close!(loss.backward().of(&net.weight), [[300.0, -1.0]]);
    }
}

#[test]
fn a_pattern_that_fits_nothing_is_an_error() {
    let error = mapsto_tensor::catch(|| l2_penalty(&crate::Linear::new(1, 1), "wieght")).unwrap_err();
    assert_eq!(error.message(), "l2_penalty: no parameter is called `wieght`");
    assert_eq!(error.help_text(), Some("did you mean `weight`?"));
}
