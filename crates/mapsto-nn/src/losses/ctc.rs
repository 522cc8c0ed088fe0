//! Connectionist temporal classification: sequences of labels whose places among the steps nobody knows.

use super::{Loss, LossKind, Pointwise, REDUCTION, check_outputs};
use crate::Outputs;
use mapsto_spec::{Entry, type_of};
use mapsto_tensor::{DType, Tensor, fail, keep};
use std::borrow::Cow;

/// `−mean 1/Lᵢ · log p(labels of i | y_i)`, where the probability of a sequence of `L` labels is the sum over all ways to spread them over the
/// steps, each step being a label or the blank, class 0, and repetitions counting as one: `a a _ b` and `_ a b b` both say `a b`.
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

/// [`ctc`], for a list.
#[derive(Clone, Copy, Debug)]
struct Ctc;

/// What stands for the logarithm of 0: finite, so that its slope is 0 and not NaN.
const NEVER: f64 = -1e30;

impl Pointwise for Ctc {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        check_outputs("ctc", Outputs::Logits, y);
        let (n, longest) = checked(y, target);
        let [_, steps, _] = y.dims();
        // Of 16 bits in f32: so small a number is none there.
        let half = matches!(y.dtype(), DType::F16 | DType::BF16);
        let log_p = if half { y.to(DType::F32) } else { y.clone() }.log_softmax(-1); // [n, steps, k]
        let device = y.device();
        // The labels with a blank around each: [n, 2·longest + 1]; where there is none, a blank stands for it.
        let lengths = target.ge(0).to(DType::I64).sum(keep(1)); // [n, 1]
        let labels = target.maximum(0);
        let blanks = device.scope(|| Tensor::full_of([n, longest], 0, DType::I64));
        let spread = Tensor::stack(&[&blanks, &labels], 2).reshape([n, 2 * longest]);
        let spread = Tensor::cat(&[&spread, &device.scope(|| Tensor::full_of([n, 1], 0, DType::I64))], 1);
        let states = 2 * longest + 1;
        // Of a label that differs from the one before, the blank between may be left out.
        let skips = spread.slice(1, 2..).ne(spread.slice(1, ..-2)).and(&spread.slice(1, 2..).ne(0));
        let skips = Tensor::cat(&[&device.scope(|| Tensor::full_of([n, 2], 0, DType::Bool)), &skips], 1);
        let at = |t: usize| log_p.select(1, t as isize).gather(1, &spread); // [n, states]
        let place = device.scope(|| Tensor::arange(0..states as i64)).unsqueeze(0);
        let mut alpha = place.lt(2).choose(at(0), NEVER);
        for t in 1..steps {
            let before = alpha.pad(&[(0, 0), (2, 0)], NEVER);
            let (stay, next) = (&alpha, before.slice(1, 1..states as isize + 1));
            let skip = skips.choose(before.slice(1, ..states as isize), NEVER);
            alpha = Tensor::stack(&[stay, &next, &skip], 2).logsumexp(-1) + at(t);
        }
        // It ends in the last label or in the blank after it.
        let ends = place.eq(&lengths * 2).or(&place.eq(&lengths * 2 - 1));
        let total = ends.choose(&alpha, NEVER).logsumexp(-1);
        let counts = lengths.squeeze(1).maximum(1).to(total.dtype());
        (-total / counts).to(y.dtype())
    }
}

/// The number of sequences and of the labels of the longest.
#[track_caller]
fn checked(y: &Tensor, target: &Tensor) -> (usize, usize) {
    let ([n, steps, k], &[m, longest]) = (if y.rank() == 3 { y.dims() } else { [0; 3] }, target.shape())
    else {
        fail!(
            "ctc",
            "outputs [n, steps, k] and labels [n, longest] were expected, found {:?} and {:?}",
            y.shape(),
            target.shape()
        );
    };
    if n != m || n == 0 || longest == 0 {
        fail!(
            "ctc",
            "outputs [n, steps, k] and labels [n, longest] were expected, found {:?} and {:?}",
            y.shape(),
            target.shape()
        );
    }
    if target.dtype().is_float() {
        fail!("ctc", "labels are integers, these targets are {}", target.dtype(); help = "convert them with `.to(DType::I64)`");
    }
    for (i, row) in target.to_vec::<i64>().chunks(longest.max(1)).enumerate() {
        let labels: Vec<i64> = row.iter().copied().take_while(|&id| id >= 0).collect();
        if row[labels.len()..].iter().any(|&id| id >= 0) || labels.iter().any(|&id| id == 0 || id >= k as i64)
        {
            fail!("ctc", "the labels {row:?} of sample {i} are not within 1..{k}"; help = "class 0 is the blank, and −1 fills up at the end");
        }
        // Between equal labels there has to be a blank.
        let needed = labels.len() + labels.windows(2).filter(|w| w[0] == w[1]).count();
        if needed > steps {
            fail!("ctc", "the labels {row:?} of sample {i} need {needed} steps, and there are {steps}");
        }
    }
    (n, longest)
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
        let y = (Tensor::randn([2, 5, 3]) * 1e4).leaf();
        let loss = ctc(&y, &tensor![[1, 2, 2], [2, -1, -1]]);
        assert!(loss.item().is_finite() && loss.backward().of(&y).is_finite());
    }
}
