//! The losses, one file each, and the list of those that can be named in a file: how far outputs are from their targets.
//!
//! Every loss is a mean, so that it does not change with the size of the batch ([`Sum`] is the exception that is asked for), and
//! none broadcasts: shapes that differ are
//! an error that names both.

mod arcface;
mod bce;
mod bce_with_logits;
mod categorical_focal;
mod categorical_hinge;
mod circle;
mod cosine_embedding;
mod cosine_similarity;
mod cross_entropy;
mod ctc;
mod dice;
mod focal;
mod gaussian_nll;
mod generalized_cross_entropy;
mod hinge;
mod hinge_embedding;
mod huber;
mod info_nce;
mod kl_div;
mod log_cosh;
mod mae;
mod mape;
mod margin_ranking;
mod mse;
mod msle;
mod multi_margin;
mod multilabel_margin;
mod negative_binomial;
mod nll;
mod nt_xent;
mod penalty;
mod pointwise;
mod poisson_nll;
mod quantile;
mod smooth_l1;
mod soft_margin;
mod squared_hinge;
mod triplet;
mod triplet_margin;
mod triplet_margin_with_distance;
mod tversky;

pub use arcface::ArcFace;
pub use bce::bce;
pub use bce_with_logits::{BceWithLogits, bce_with_logits};
pub use categorical_focal::CategoricalFocal;
pub use categorical_hinge::categorical_hinge;
pub use circle::Circle;
pub use cosine_embedding::cosine_embedding;
pub use cosine_similarity::cosine_similarity;
pub use cross_entropy::{CrossEntropy, cross_entropy};
pub use ctc::{ctc, ctc_lengths};
pub use dice::dice;
pub use focal::Focal;
pub use gaussian_nll::GaussianNll;
pub use generalized_cross_entropy::GeneralizedCrossEntropy;
pub use hinge::hinge;
pub use hinge_embedding::HingeEmbedding;
pub use huber::{Huber, huber};
pub use info_nce::InfoNce;
pub use kl_div::kl_div;
pub use log_cosh::log_cosh;
pub use mae::mae;
pub use mape::mape;
pub use margin_ranking::margin_ranking;
pub use mse::mse;
pub use msle::msle;
pub use multi_margin::MultiMargin;
pub use multilabel_margin::multilabel_margin;
pub use negative_binomial::NegativeBinomial;
pub use nll::{Nll, nll};
pub use nt_xent::NtXent;
pub use penalty::{l1_penalty, l2_penalty};
pub use pointwise::{Pointwise, Sum};
pub use poisson_nll::PoissonNll;
pub use quantile::Quantile;
pub use smooth_l1::SmoothL1;
pub use soft_margin::soft_margin;
pub use squared_hinge::squared_hinge;
pub use triplet::Triplet;
pub use triplet_margin::triplet_margin;
pub use triplet_margin_with_distance::TripletMarginWithDistance;
pub use tversky::Tversky;

/// What `cargo xtask new loss` writes, which has to compile and to pass its test.
#[cfg(test)]
#[path = "../../../../xtask/src/templates/loss.txt"]
mod template;

use crate::Outputs;
use mapsto_spec::{Args, Entry, Family, Kind};
use mapsto_tensor::{DType, Result, Tensor, autocast_dtype, fail};
use std::borrow::Cow;

/// A measure of how far outputs are from their targets, as one number.
///
/// Functions `Fn(&Tensor, &Tensor) -> Tensor` are losses.
/// ```
/// use mapsto_nn::prelude::*;
/// fn largest(y: &Tensor, target: &Tensor) -> Tensor { (y - target).abs().max(..) }
/// let losses: [Box<dyn Loss>; 2] = [Box::new(mse), Box::new(largest)];
/// let (y, target) = (tensor![1.0, 4.0], tensor![1.0, 1.0]);
/// assert_eq!(losses.each_ref().map(|l| l.loss(&y, &target).item()), [4.5, 3.0]);
/// assert_eq!(losses[1].name(), "largest");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a loss",
    note = "a loss is a function of outputs and targets, `fn(&Tensor, &Tensor) -> Tensor`, such as `mse` or `cross_entropy`"
)]
pub trait Loss: Send + Sync {
    /// The loss of the outputs `y` for the targets, without axes.
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor;

    /// The name shown in reports.
    fn name(&self) -> Cow<'static, str> {
        crate::module::short_name(std::any::type_name::<Self>())
    }

    /// How much the mean of a batch with these targets weighs beside those of other batches: the number of its samples,
    /// unless the loss counts them otherwise.
    ///
    /// Batches merge exactly as `Σ weight · loss / Σ weight`.
    fn weight(&self, target: &Tensor) -> f64 {
        target.shape().first().copied().unwrap_or(1) as f64
    }

    /// The loss as the mean of single values, where it is one: its values, its weighted mean and its sum.
    fn pointwise(&self) -> Option<&dyn Pointwise> {
        None
    }

    /// How many outputs it takes for each target.
    fn values_per_target(&self) -> usize {
        1
    }

    /// What it takes the outputs for, which reports of classes and probabilities follow; none where it does not say.
    fn outputs(&self) -> Option<Outputs> {
        None
    }

    /// Whether it takes the outputs for logarithms of what the targets are, which a metric of numbers would compare with these as they
    /// are.
    fn takes_logarithms(&self) -> bool {
        false
    }

    /// The entry that a file names it by, with every setting; `None` for what no file can hold, such as a closure.
    fn entry(&self) -> Option<Entry> {
        None
    }
}

#[diagnostic::do_not_recommend]
impl<F: Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static> Loss for F {
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        self(y, target)
    }
    fn outputs(&self) -> Option<Outputs> {
        let kind = mapsto_spec::kind_of_function::<dyn Loss, F>()?;
        mapsto_spec::build::<dyn Loss>(&Entry::new(kind.name), &()).ok()?.outputs()
    }
    fn entry(&self) -> Option<Entry> {
        mapsto_spec::entry_of_function::<dyn Loss, F>(&())
    }
}

impl Loss for Box<dyn Loss> {
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        (**self).loss(y, target)
    }
    fn name(&self) -> Cow<'static, str> {
        (**self).name()
    }
    fn weight(&self, target: &Tensor) -> f64 {
        (**self).weight(target)
    }
    fn pointwise(&self) -> Option<&dyn Pointwise> {
        (**self).pointwise()
    }
    fn values_per_target(&self) -> usize {
        (**self).values_per_target()
    }
    fn outputs(&self) -> Option<Outputs> {
        (**self).outputs()
    }
    fn takes_logarithms(&self) -> bool {
        (**self).takes_logarithms()
    }
    fn entry(&self) -> Option<Entry> {
        (**self).entry()
    }
}

/// A function, what it takes outputs for, and the values that it is the mean of, where it is a plain one.
struct Saying<F>(F, Outputs, fn(&Tensor, &Tensor) -> Tensor);

impl<F: Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static> Loss for Saying<F> {
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        (self.0)(y, target)
    }
    fn pointwise(&self) -> Option<&dyn Pointwise> {
        Some(self)
    }
    fn name(&self) -> Cow<'static, str> {
        self.0.name()
    }
    fn outputs(&self) -> Option<Outputs> {
        Some(self.1)
    }
    fn entry(&self) -> Option<Entry> {
        self.0.entry()
    }
}

impl<F> Pointwise for Saying<F> {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        (self.2)(y, target)
    }
}

/// A loss that is a function, for a list: the mean of the values that `each` gives.
fn pointwise<F>(f: F, each: fn(&Tensor, &Tensor) -> Tensor, outputs: Outputs) -> Result<Box<dyn Loss>>
where
    F: Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
{
    Ok(Box::new(Saying(f, outputs, each)))
}

/// The option that every loss takes, and its meaning.
const REDUCTION: (&str, &str) =
    ("reduction", "`\"sum\"` for the sum of the values of elements or samples in place of their mean");

/// A line of [`LOSSES`].
pub type LossKind = Kind<dyn Loss>;

/// Every loss that can be named in a file.
///
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_spec::{Entry, build};
/// let loss = build::<dyn Loss>(&Entry::new("huber"), &())?;
/// assert_eq!(loss.loss(&tensor![3.0], &tensor![0.0]).item(), 2.5);
/// assert_eq!(loss.entry().unwrap().to_string(), "{ huber = 1.0 }");
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub const LOSSES: &[LossKind] = &[
    mse::KIND,
    mae::KIND,
    huber::KIND,
    bce::KIND,
    bce_with_logits::KIND,
    cross_entropy::KIND,
    nll::KIND,
    kl_div::KIND,
    smooth_l1::KIND,
    quantile::KIND,
    log_cosh::KIND,
    mape::KIND,
    msle::KIND,
    poisson_nll::KIND,
    gaussian_nll::KIND,
    negative_binomial::KIND,
    hinge::KIND,
    squared_hinge::KIND,
    soft_margin::KIND,
    hinge_embedding::KIND,
    multi_margin::KIND,
    multilabel_margin::KIND,
    focal::KIND,
    categorical_focal::KIND,
    tversky::KIND,
    dice::KIND,
    cosine_similarity::KIND,
    info_nce::KIND,
    nt_xent::KIND,
    arcface::KIND,
    categorical_hinge::KIND,
    generalized_cross_entropy::KIND,
    ctc::KIND,
    circle::KIND,
    triplet::KIND,
];

impl Family for dyn Loss {
    const NOUN: &'static str = "loss";
    type Given = ();
    fn kinds() -> &'static [LossKind] {
        LOSSES
    }
    fn entry_of(loss: &dyn Loss, (): &()) -> Option<Entry> {
        loss.entry()
    }
    fn finish(loss: Box<dyn Loss>, args: &mut Args) -> Result<Box<dyn Loss>> {
        let Some(reduction) = args.take::<String>(REDUCTION.0)? else { return Ok(loss) };
        if !["mean", "sum"].contains(&&*reduction) {
            let message = format!("`reduction` must be \"mean\" or \"sum\", got \"{reduction}\"");
            let error = args.error(REDUCTION.0, message);
            return Err(match &*reduction {
                "none" => error.help(
                    "training lowers one number; in a program `loss.each(&y, &target)` gives the values of single samples",
                ),
                _ => error,
            });
        }
        if reduction.starts_with('m') {
            return Ok(loss);
        }
        let summed = Sum::boxed(loss);
        args.record(REDUCTION.0, reduction);
        summed
            .ok_or_else(|| args.error(REDUCTION.0, "it is no plain mean of single values, so it has no sum"))
    }
}

/// The targets in the dtype of the outputs, their shapes being the same and the outputs not known to be something else: a
/// target adopts that dtype as a number beside a tensor does. Outputs that are not floats are refused, for there is no way
/// down from them.
#[track_caller]
fn alike(loss: &str, outputs: Outputs, y: &Tensor, target: &Tensor) -> Tensor {
    check_outputs(loss, outputs, y);
    if y.shape() != target.shape() {
        let help = if y.len() == target.len() {
            format!("reshape one of them: `target.reshape({:?})`", y.shape())
        } else {
            "a loss compares element by element and never broadcasts".to_string()
        };
        fail!(loss, "outputs {:?} and targets {:?} differ in shape", y.shape(), target.shape(); help = "{help}");
    }
    // Under `autocast` outputs of 16 bits do not take the targets down: they meet in f32.
    let low = matches!(y.dtype(), DType::F16 | DType::BF16) && autocast_dtype().is_some();
    target.to(if low { DType::F32 } else { y.dtype() })
}

/// Checks that there are outputs, of floats, which are not known to be something else than the loss takes them for.
#[track_caller]
fn check_outputs(loss: &str, outputs: Outputs, y: &Tensor) {
    if y.is_empty() {
        fail!(loss, "the outputs {:?} hold no sample, and the mean of nothing is undefined", y.shape();
              help = "leave batches without samples out");
    }
    check_floats(loss, y);
    outputs.require(loss, y);
}

/// Checks that outputs are floats.
#[track_caller]
fn check_floats(loss: &str, y: &Tensor) {
    if !y.dtype().is_float() {
        fail!(loss, "outputs must be floats, these are {}", y.dtype();
              help = "outputs come first and targets second; convert outputs with `.to(DType::F32)`");
    }
}

/// Checks that outputs can be log-probabilities: raw scores would lower such a loss without end, and mean nothing.
#[track_caller]
fn check_log_probabilities(loss: &str, y: &Tensor) {
    check_outputs(loss, Outputs::LogProbabilities, y);
    if let Some((_, most)) = range(y).filter(|(_, most)| *most > slack(y)) {
        fail!(loss, "outputs must be log-probabilities, which are at most 0, got {most}";
              help = "end the model in `log_softmax`, or use `cross_entropy` on the scores as they are");
    }
}

/// Checks that targets are probabilities.
#[track_caller]
fn check_probabilities(loss: &str, target: &Tensor, help: &str) {
    let outside = |(least, most): &(f64, f64)| *least < 0.0 || *most > 1.0 + slack(target);
    if let Some((least, most)) = range(target).filter(outside) {
        fail!(loss, "targets must be probabilities from 0 to 1, they reach from {least} to {most}"; help = "{help}");
    }
}

/// Checks that targets are counts, or sizes: none below 0.
#[track_caller]
fn check_counts(loss: &str, target: &Tensor) {
    if let Some((least, _)) = range(target).filter(|(least, _)| *least < 0.0) {
        fail!(loss, "targets must be counts, which are at least 0, they go down to {least}";
              help = "`mse` or `gaussian_nll` fits numbers of either sign");
    }
}

/// Checks that targets are 0 and 1, in the dtype of the outputs.
#[track_caller]
fn check_yes_or_no(loss: &str, target: &Tensor) {
    let between = || (target * (1.0 - target)).abs().max(..).item() > 0.0;
    if !target.is_empty() && target.device().backend().has_numbers() && between() {
        fail!(loss, "targets must be 0 and 1"; help = "give 1 for yes and 0 for no");
    }
}

/// The least and the largest number, where there are numbers to look at.
fn range(x: &Tensor) -> Option<(f64, f64)> {
    let seen = !x.is_empty() && x.device().backend().has_numbers();
    seen.then(|| (x.detach().min(..).item(), x.detach().max(..).item()))
}

/// What rounding may add to a probability or its logarithm.
fn slack(x: &Tensor) -> f64 {
    if matches!(x.dtype(), DType::F16 | DType::BF16) { 0.05 } else { 1e-3 }
}

/// Checks that `ids` `[..]` are ids of classes on the last axis of `y` `[.., k]`.
#[track_caller]
fn check_ids(loss: &str, y: &Tensor, ids: &Tensor) {
    let Some((&k, rows)) = y.shape().split_last() else {
        fail!(loss, "outputs [.., classes] were expected, found a tensor without axes");
    };
    check_floats(loss, y);
    if ids.dtype().is_float() {
        fail!(loss, "class ids are integers, these targets are {}", ids.dtype();
              help = "convert them with `.to(DType::I64)`; for probabilities use `cross_entropy` or `kl_div`");
    }
    if rows != ids.shape() {
        fail!(loss, "outputs {:?} and class ids {:?} do not fit", y.shape(), ids.shape();
              help = "for outputs [.., classes] give one id for each row, or probabilities of the outputs' shape");
    }
    let wrong = |&(_, &id): &(usize, &i64)| id < 0 || id >= k as i64;
    let values = ids.to_vec::<i64>();
    if let Some((i, id)) = values.iter().enumerate().find(wrong) {
        fail!(loss, "class id {id} of sample {i} is not within 0..{k}"; help = "ids count from 0");
    }
}

#[cfg(test)]
mod tests;
