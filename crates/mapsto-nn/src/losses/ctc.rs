//! Connectionist temporal classification: sequences of labels whose places among the steps nobody knows.

use super::{Loss, LossKind, Pointwise, REDUCTION, check_outputs};
use crate::Outputs;
use mapsto_spec::{Entry, type_of};
use mapsto_tensor::{DType, Tensor, fail};
use std::borrow::Cow;

/// `−mean 1/Lᵢ · log p(labels of i | y_i)`, where the probability of a sequence of `L` labels is the sum over all ways to spread them over the
/// steps, each step being a label or the blank, class 0, and repetitions counting as one: `a a _ b` and `_ a b b` both say `a b`.
///
/// Where sequences have different numbers of steps, [`ctc_lengths`]. What such outputs say: [`ctc_greedy_decode`](crate::ctc_greedy_decode).
///
/// * Shape: `[n, steps, k], [n, longest] → []`; outputs are scores of classes, of which class 0 is the blank; targets are ids from 1,
///   shorter ones filled up with −1.
/// * PyTorch: `CTCLoss`, which takes logarithms of probabilities, `[steps, n, k]`, and lengths; Keras: `CTC`.
///
/// Source: Graves, Fernández, Gomez, Schmidhuber (2006), Connectionist temporal classification, equations 6 to 8.
/// ```
/// use mapsto_nn::prelude::*;
/// // Two steps, a blank and a label, all alike: `_ a`, `a _` and `a a` say `a`.
/// let loss = ctc(&Tensor::zeros([1, 2, 2]), &tensor![[1]]);
/// assert_close!(loss, -(0.75f64.ln()));
/// ```
/// # Panics
/// When the shapes do not fit, an id is out of range, or a sequence has more labels than there are steps for.
#[track_caller]
pub fn ctc(y: &Tensor, target: &Tensor) -> Tensor {
    Ctc.each(y, target).mean(..)
}

/// [`ctc`] of sequences of different lengths, padded to the longest: what stands after the last step of one is not read.
///
/// * Shape: `[n, steps, k], [n, longest] → []`, and a number of steps for each of the `n`.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = Tensor::randn([2, 5, 4]);
/// let loss = ctc_lengths(&y, &[5, 3], &tensor![[1, 2], [3, -1]]);
/// let each = [ctc(&y.slice(0, ..1), &tensor![[1, 2]]), ctc(&y.slice(0, 1..).slice(1, ..3), &tensor![[3]])];
/// assert_close!(loss, (&each[0] + &each[1]) / 2.0);
/// ```
/// # Panics
/// As [`ctc`], or when there is not a number of steps from 1 to all for each sequence.
#[track_caller]
pub fn ctc_lengths(y: &Tensor, lengths: &[usize], target: &Tensor) -> Tensor {
    each(y, Some(lengths), target).mean(..)
}

/// [`ctc`], for a list.
#[derive(Clone, Copy, Debug)]
struct Ctc;

impl Pointwise for Ctc {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        each(y, None, target)
    }
}

/// Of each sequence, by its labels.
#[track_caller]
fn each(y: &Tensor, lengths: Option<&[usize]>, target: &Tensor) -> Tensor {
    check_outputs("ctc", Outputs::Logits, y);
    let fits = y.rank() == 3 && target.rank() == 2 && y.shape()[0] == target.shape()[0];
    if !fits || target.is_empty() {
        let help = match target.rank() {
            1 => {
                "`ctc` learns sequences of labels, which programs give; one class for each sample, as data sets of training files have, is for `cross_entropy`"
            }
            _ => "a row of labels for each sample, shorter ones filled up with −1",
        };
        fail!(
            "ctc",
            "outputs [n, steps, k] and labels [n, longest] were expected, found {:?} and {:?}",
            y.shape(),
            target.shape();
            help = "{help}"
        );
    }
    // Of 16 bits in f32, which a sum over steps needs.
    let half = matches!(y.dtype(), DType::F16 | DType::BF16);
    let log_p = if half { y.to(DType::F32) } else { y.clone() }.log_softmax(-1); // [n, steps, k]
    let total = log_p.ctc_loss(target, lengths); // [n]
    let counts = target.ge(0).to(DType::I64).sum(1).maximum(1).to(total.dtype());
    (total / counts).to(y.dtype())
}

impl Loss for Ctc {
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        ctc(y, target)
    }

    fn pointwise(&self) -> Option<&dyn Pointwise> {
        Some(self)
    }

    fn name(&self) -> Cow<'static, str> {
        "ctc".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Logits)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: LossKind = LossKind::new(
    "ctc",
    "Sequences of labels, whose places among the steps nobody knows (Graves et al. 2006).",
    |_, ()| Ok(Box::new(Ctc)),
)
.options(&[REDUCTION])
.function(|| type_of(&ctc));

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    /// The sum over all ways, written out.
    #[test]
    fn it_is_the_sum_over_all_ways() {
        let (steps, k) = (4, 3);
        let y = Tensor::randn([1, steps, k]);
        let p = y.softmax(-1).to_vec::<f32>();
        for labels in [vec![1], vec![1, 2], vec![2, 2], vec![1, 2, 1]] {
            let mut total = 0.0;
            for way in 0..k.pow(steps as u32) {
                let path: Vec<usize> = (0..steps).map(|t| way / k.pow(t as u32) % k).collect();
                let mut said = path.clone();
                said.dedup();
                said.retain(|&c| c != 0);
                if said == labels {
                    total += path.iter().enumerate().map(|(t, &c)| f64::from(p[t * k + c])).product::<f64>();
                }
            }
            let n = labels.len();
            let target = Tensor::from_vec(labels.iter().map(|&c| c as i64).collect(), [1, n]);
            let found = ctc(&y, &target).item();
            assert!((found + total.ln() / n as f64).abs() < 1e-5, "{labels:?}: {found}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let message = |y: [usize; 3], t: Tensor| {
            catch(|| ctc(&Tensor::zeros(y), &t)).unwrap_err().message().to_string()
        };
        assert!(message([1, 2, 3], tensor![[1, 1]]).contains("need 3 steps, and there are 2"));
        assert!(message([1, 2, 3], tensor![[0]]).contains("not within 1..3"));
        assert!(message([1, 2, 3], tensor![[3]]).contains("not within 1..3"));
        assert!(message([2, 2, 3], tensor![[1]]).contains("were expected, found [2, 2, 3] and [1, 1]"));
        let error = catch(|| ctc(&Tensor::zeros([2, 5, 3]), &tensor![1, 2])).unwrap_err();
        assert!(error.help_text().unwrap().contains("is for `cross_entropy`"));
        assert!(message([1, 2, 3], Tensor::full_of([1, 0], 0, DType::I64)).contains("were expected"));
        let y = (Tensor::randn([2, 5, 3]) * 1e4).leaf();
        let loss = ctc(&y, &tensor![[1, 2, 2], [2, -1, -1]]);
        assert!(loss.item().is_finite() && loss.backward().of(&y).is_finite());
    }
}
