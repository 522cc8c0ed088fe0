//! The losses, one file each, and the list of those that can be named in a file: how far outputs are from their targets.
//!
//! Every loss is a mean, so that it does not change with the size of the batch, and none broadcasts: shapes that differ are
//! an error that names both.

mod bce;
mod bce_with_logits;
mod cross_entropy;
mod huber;
mod kl_div;
mod mae;
mod mse;
mod nll;
mod penalty;

pub use bce::bce;
pub use bce_with_logits::bce_with_logits;
pub use cross_entropy::{CrossEntropy, cross_entropy};
pub use huber::{Huber, huber};
pub use kl_div::kl_div;
pub use mae::mae;
pub use mse::mse;
pub use nll::nll;
pub use penalty::{l1_penalty, l2_penalty};

use crate::Outputs;
use mapsto_spec::{Entry, Family, Kind};
use mapsto_tensor::{DType, Result, Tensor, fail};
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

    /// What it takes the outputs for, which reports of classes and probabilities follow; none where it does not say.
    fn outputs(&self) -> Option<Outputs> {
        None
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
    fn outputs(&self) -> Option<Outputs> {
        (**self).outputs()
    }
    fn entry(&self) -> Option<Entry> {
        (**self).entry()
    }
}

/// A function, and what it takes outputs for.
struct Saying<F>(F, Outputs);

impl<F: Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static> Loss for Saying<F> {
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        (self.0)(y, target)
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

/// A loss that is a function, for a list.
fn boxed<F>(f: F, outputs: Outputs) -> Result<Box<dyn Loss>>
where
    F: Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
{
    Ok(Box::new(Saying(f, outputs)))
}

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
    target.to(y.dtype())
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
mod tests {
    use crate::layers::LAYERS;
    use crate::losses::LOSSES;
    use crate::prelude::*;
    use mapsto_spec::Entry;

    type NamedLoss = (&'static str, fn(&Tensor, &Tensor) -> Tensor);

    const ELEMENTWISE: [NamedLoss; 6] = [
        ("mse", mse),
        ("mae", mae),
        ("huber", huber),
        ("bce", bce),
        ("bce_with_logits", bce_with_logits),
        ("kl_div", kl_div),
    ];

    #[test]
    fn every_loss_says_its_entry_and_functions_are_known_by_their_types() {
        mapsto_spec::check_family::<dyn Loss>(&[&()]);
        let check = |entry: Entry| mapsto_spec::check_entry::<dyn Loss>(&entry, &());
        check(Entry::new("huber").with_value(2.0));
        let smooth = Entry::new("cross_entropy").with_option("label_smoothing", 0.25);
        check(smooth.with_option("weights", vec![0.5, 2.0]).with_option("ignore_index", -1_i64));
        fn said(loss: &dyn Loss) -> String {
            loss.entry().map_or("nothing".into(), |entry| entry.to_string())
        }
        assert_eq!(said(&mse), "\"mse\"");
        assert_eq!(said(&huber), "{ huber = 1.0 }");
        assert_eq!(said(&cross_entropy), "{ cross_entropy = true, label_smoothing = 0.0 }");
        assert_eq!(Loss::outputs(&cross_entropy), Some(crate::Outputs::Logits));
        mod other {
            pub fn mse(y: &super::Tensor, _: &super::Tensor) -> super::Tensor {
                y.sum(..)
            }
        }
        // Of the same name, and another function.
        assert_eq!(Loss::name(&other::mse), "mse");
        assert_eq!((said(&other::mse), Loss::outputs(&other::mse)), ("nothing".into(), None));
        assert_eq!(said(&|y: &Tensor, t: &Tensor| mse(y, t)), "nothing");
    }

    #[test]
    fn unequal_shapes_are_an_error_that_names_both() {
        for (name, loss) in ELEMENTWISE {
            let error = catch(|| loss(&Tensor::full([4, 1], 0.5), &Tensor::full([4], 0.5))).unwrap_err();
            assert_eq!(error.message(), format!("{name}: outputs [4, 1] and targets [4] differ in shape"));
            assert_eq!(error.help_text(), Some("reshape one of them: `target.reshape([4, 1])`"));
        }
        let error = catch(|| cross_entropy(&Tensor::ones([4, 3]), &tensor![0, 1])).unwrap_err();
        assert_eq!(
            error.message(),
            "cross_entropy: logits [4, 3] and class ids [2] do not fit      [4] ≠ [2]"
        );
        let error = catch(|| cross_entropy(&Tensor::ones([2, 3]), &tensor![0, 3])).unwrap_err();
        assert_eq!(error.message(), "cross_entropy: class id 3 at position 1 is not within 0..3");
    }

    #[test]
    fn a_target_adopts_the_dtype_of_floats_and_other_outputs_are_refused() {
        let mut pairs = 0;
        for (name, loss) in
            ELEMENTWISE.into_iter().chain([("cross_entropy", cross_entropy as _), ("nll", nll as _)])
        {
            let ids = ["cross_entropy", "nll"].contains(&name);
            let want = if ids { loss(&outputs(name, [2, 3]), &tensor![1, 0]).item() } else { 0.0 };
            assert!(want.is_finite());
            for dtype in [DType::I64, DType::I32, DType::U8, DType::Bool] {
                let target = if ids { tensor![1, 0] } else { tensor![[1.0, 0.0, 1.0]] };
                let y = Tensor::ones(if ids { vec![2, 3] } else { vec![1, 3] }).to(dtype);
                let e = catch(|| loss(&y, &target)).unwrap_err();
                assert!(
                    e.message().starts_with(name) && e.message().contains("must be floats"),
                    "{name} of {dtype}: {e}"
                );
                if !ids {
                    let y = outputs(name, [1, 3]);
                    let found = loss(&y, &target.to(dtype)).item();
                    assert!((found - loss(&y, &target).item()).abs() < 1e-6, "{name} to {dtype}");
                }
                pairs += 1;
            }
            for dtype in [DType::F16, DType::BF16, DType::F64] {
                if !ids {
                    let loss = loss(&outputs(name, [1, 3]).to(dtype), &tensor![[1.0, 0.0, 1.0]]);
                    assert_eq!(loss.dtype(), dtype, "{name}");
                    pairs += 1;
                }
            }
        }
        let e = catch(|| nll(&tensor![[-1.0, -1.0]], &tensor![0.0])).unwrap_err();
        assert!(e.message().contains("class ids are integers"), "{e}");
        println!("{pairs} pairs of dtypes");
    }

    #[test]
    fn gradients_equal_central_differences() {
        seed(3);
        let target = Tensor::rand([4, 3]).to(DType::F64);
        let target = &target / target.sum(keep(-1));
        for (name, loss) in
            ELEMENTWISE.into_iter().chain([("cross_entropy", cross_entropy as _), ("nll", nll_of as _)])
        {
            let y = (outputs(name, [4, 3]).to(DType::F64) * 0.8 + 0.1).leaf();
            let found = loss(&y, &target).backward().of(&y).to_vec::<f64>();
            for (i, g) in found.into_iter().enumerate() {
                let at = |e: f64| {
                    let mut values = y.to_vec::<f64>();
                    values[i] += e;
                    loss(&Tensor::from_vec(values, [4, 3]), &target).item()
                };
                let numeric = (at(1e-6) - at(-1e-6)) / 2e-6;
                assert!((g - numeric).abs() < 1e-8, "{name}[{i}]: {g} {numeric}");
            }
        }
    }

    /// Outputs that the loss takes: numbers from 0 to 1, or for log-probabilities below 0.
    fn outputs(name: &str, shape: [usize; 2]) -> Tensor {
        let below = if ["kl_div", "nll"].contains(&name) { 1.25 } else { 0.0 };
        Tensor::rand(shape) - below
    }

    fn nll_of(y: &Tensor, _: &Tensor) -> Tensor {
        nll(y, &tensor![0, 2, 1, 1])
    }

    #[test]
    fn every_loss_and_every_last_layer_are_legal_or_refused() {
        // By the operation that made the outputs; what is not known may be anything, and has only its range checked.
        type Takes = fn(&str) -> bool;
        let scores: Takes = |layer| ["linear", "leaky_relu"].contains(&layer);
        let anything: Takes = |_| true;
        let shares: Takes = |layer| !["linear", "leaky_relu", "log_softmax"].contains(&layer);
        let logs: Takes = |layer| !["linear", "leaky_relu", "softmax", "sigmoid"].contains(&layer);
        let rules = [
            ("mse", anything),
            ("mae", anything),
            ("huber", anything),
            ("bce", shares),
            ("bce_with_logits", scores),
            ("cross_entropy", scores),
            ("nll", logs),
            ("kl_div", logs),
        ];
        assert_eq!(rules.map(|(name, _)| name), LOSSES.iter().map(|l| l.name).collect::<Vec<_>>()[..]);
        let activations = LAYERS.iter().filter(|kind| {
            let args = &mut mapsto_spec::Args::new("layer", &Entry::new(kind.name));
            (kind.build)(args, &[3]).is_ok_and(|layer| layer.parameters().is_empty())
        });
        let (mut pairs, mut refused) = (0, 0);
        let x = Tensor::rand([4, 5]);
        let names: Vec<&str> = activations.map(|kind| kind.name).chain(["linear"]).collect();
        for name in &names {
            let last = match *name {
                "linear" => seq![Linear::new(5, 3)],
                // What passes numbers on says of them what was known before.
                "dropout" | "flatten" => continue,
                name => seq![Linear::new(5, 3), ModelSpec::new([3], [Entry::new(name)]).build().unwrap()],
            };
            let y = train(|| last.forward(&x));
            for (loss, takes) in &rules {
                let outputs =
                    mapsto_spec::build::<dyn Loss>(&Entry::new(*loss), &()).unwrap().outputs().unwrap();
                let found = outputs.check(loss, &y);
                assert_eq!(
                    found.is_ok(),
                    takes(name),
                    "{name} before {loss}: {found:?}; an operation says by `meaning` what its results are, and which layers \
                     end in what a loss takes stands in `rules`"
                );
                pairs += 1;
                refused += usize::from(found.is_err());
            }
            // The function says the same as the entry of the list; no mistake is hidden behind a view.
            let seen = train(|| y.unsqueeze(0).squeeze(0).to(DType::F64));
            let found = catch(|| cross_entropy(&seen, &tensor![0, 1, 2, 0]));
            assert_eq!(found.is_ok(), scores(name), "{name}: {found:?}");
        }
        assert_eq!(pairs, (names.len() - 2) * rules.len(), "{names:?}");
        assert!(pairs >= 96 && refused >= 31, "{refused} of {pairs} refused: {names:?}");
    }

    #[test]
    fn a_batch_without_samples_is_an_error_of_every_loss() {
        for kind in LOSSES {
            let loss = mapsto_spec::build::<dyn Loss>(&Entry::new(kind.name), &()).unwrap();
            let target = match kind.name {
                "nll" => Tensor::zeros([0]).to(DType::I64),
                _ => Tensor::zeros([0, 3]),
            };
            let e = catch(|| loss.loss(&Tensor::zeros([0, 3]), &target)).unwrap_err();
            assert_eq!(
                e.message(),
                format!(
                    "{}: the outputs [0, 3] hold no sample, and the mean of nothing is undefined",
                    kind.name
                )
            );
        }
    }

    #[test]
    fn probabilities_are_legal_as_targets_and_one_score_is_no_distribution() {
        let x = Tensor::rand([4, 5]);
        let (teacher, student) = (Linear::new(5, 3), Linear::new(5, 3));
        train(|| {
            let shares = teacher.forward(&x).softmax(-1);
            let _ = cross_entropy(&student.forward(&x), &shares);
            let _ = kl_div(&student.forward(&x).log_softmax(-1), &shares.detach());
            // A mixture of distributions is one, and its logarithm may go into either loss.
            let mixed = (&shares + student.forward(&x).softmax(-1)) * 0.5;
            let _ = nll(&mixed.log(), &tensor![0, 1, 2, 0]);
            let _ = bce(&(student.forward(&x).tanh() * 0.5 + 0.5), &shares.detach());
            let one = student.forward(&x).slice(1, ..1);
            for loss in [mse, bce] {
                let e = catch(|| loss(&one.softmax(-1), &Tensor::ones([4, 1]))).unwrap_err();
                assert!(e.message().contains("`softmax` of one number is constant"), "{e}");
            }
        });
    }

    #[test]
    fn losses_of_batches_merge_to_that_of_all() {
        let t = Tensor::rand([6, 2]);
        for (name, loss) in ELEMENTWISE {
            let y = outputs(name, [6, 2]);
            let parts = [0..1_isize, 1..6].map(|r| {
                let (y, t) = (y.slice(0, r.clone()), t.slice(0, r));
                (loss.weight(&t), loss.loss(&y, &t).item())
            });
            let merged =
                parts.iter().map(|(w, l)| w * l).sum::<f64>() / parts.iter().map(|(w, _)| w).sum::<f64>();
            assert!((merged - loss(&y, &t).item()).abs() < 1e-6, "{name}");
        }
    }
}
