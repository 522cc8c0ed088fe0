//! The adaptive softmax: of very many classes, the rare ones stand in groups, and what is rare is computed rarely and by fewer numbers.

use crate::{Apply, Linear, Module};
use mapsto_tensor::{DType, Tensor, fail};

/// Log-probabilities of classes that are sorted by how frequent they are, and the mean of those of the targets.
///
/// The head scores the most frequent classes and the groups of the others, each of which has two maps of its own through fewer and
/// fewer features: `log p(class) = log p(group) + log p(class | group)`. A group is computed for the rows alone whose targets are in it.
///
/// * Parameters: `head.weight` `[cutoffs[0] + groups, features]`, `tail.i.0.weight` `[features / divᶦ⁺¹, features]` and `tail.i.1.weight`
///   `[classes of the group, features / divᶦ⁺¹]`, as those of [`Linear`](super::Linear) without biases.
/// * PyTorch: `AdaptiveLogSoftmaxWithLoss(features, classes, cutoffs, div_value=4.0)`, with the same names.
///
/// Source: Grave et al. (2016), Efficient softmax approximation for GPUs, arXiv:1609.04309.
/// ```
/// use mapsto_nn::{layers::AdaptiveLogSoftmax, prelude::*};
/// let out = AdaptiveLogSoftmax::new(16, 1000, [10, 100]);
/// let x = Tensor::randn([3, 16]);
/// let (logs, loss) = out.forward(&x, &tensor![2, 50, 999]);
/// assert_close!(loss, -logs.mean(..));
/// assert_close!(out.log_prob(&x).exp().sum(-1), [1.0, 1.0, 1.0]);
/// assert_eq!(out.predict(&x).shape(), [3]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct AdaptiveLogSoftmax {
    /// Scores of the most frequent classes, then of the groups.
    pub head: Linear,
    /// The two maps of each group.
    pub tail: Vec<[Linear; 2]>,
    /// Where each group begins, and the number of classes.
    #[module(skip)]
    cutoffs: Vec<usize>,
}

impl AdaptiveLogSoftmax {
    /// From `features` to `classes`, the groups beginning at `cutoffs`; each has a fourth of the features of the one before.
    ///
    /// # Panics
    /// When the cutoffs do not rise from at least 1 to below the number of classes.
    #[track_caller]
    pub fn new(features: usize, classes: usize, cutoffs: impl Into<Vec<usize>>) -> AdaptiveLogSoftmax {
        AdaptiveLogSoftmax::by(features, classes, cutoffs, 4)
    }

    /// The same, each group having a `div`-th of the features of the one before.
    ///
    /// # Panics
    /// When the cutoffs do not rise, or a group has no features.
    #[track_caller]
    pub fn by(
        features: usize,
        classes: usize,
        cutoffs: impl Into<Vec<usize>>,
        div: usize,
    ) -> AdaptiveLogSoftmax {
        const LAYER: &str = "adaptive_log_softmax";
        let mut cutoffs = cutoffs.into();
        cutoffs.push(classes);
        if cutoffs.len() < 2 || cutoffs[0] == 0 || cutoffs.windows(2).any(|pair| pair[0] >= pair[1]) {
            fail!(
                LAYER,
                "cutoffs must rise from at least 1 to below the {classes} classes, got {:?}",
                &cutoffs[..cutoffs.len() - 1]
            );
        }
        let groups = cutoffs.len() - 1;
        let mut narrow = features;
        let mut tail = Vec::new();
        for i in 0..groups {
            narrow = narrow.checked_div(div).unwrap_or(0);
            if narrow == 0 {
                fail!(LAYER, "group {i} has no features: {features} divided by {div} {} times", i + 1);
            }
            let classes = cutoffs[i + 1] - cutoffs[i];
            tail.push([Linear::new(features, narrow).no_bias(), Linear::new(narrow, classes).no_bias()]);
        }
        AdaptiveLogSoftmax { head: Linear::new(features, cutoffs[0] + groups).no_bias(), tail, cutoffs }
    }

    /// The same with a bias in the head.
    #[must_use]
    pub fn head_bias(self) -> AdaptiveLogSoftmax {
        let (inputs, outputs) = (self.head.inputs(), self.head.outputs());
        AdaptiveLogSoftmax { head: Linear::new(inputs, outputs), ..self }
    }

    /// The log-probabilities of the targets, and minus their mean.
    ///
    /// * Shape: `[n, features], [n] → [n], []`.
    ///
    /// # Panics
    /// When the shapes do not fit, there is no sample, or a target is no class.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, target: &Tensor) -> (Tensor, Tensor) {
        const LAYER: &str = "adaptive_log_softmax";
        let n = self.check(x);
        if target.dtype().is_float() || target.shape() != [n] {
            fail!(
                LAYER,
                "outputs {:?} need class ids [{n}], found {:?} of {}",
                x.shape(),
                target.shape(),
                target.dtype()
            );
        }
        let (ids, classes) = (target.to_vec::<i64>(), self.cutoffs[self.tail.len()]);
        if let Some(id) = ids.iter().find(|&&id| id < 0 || id >= classes as i64) {
            fail!(LAYER, "class id {id} is not within 0..{classes}");
        }
        let first = self.cutoffs[0];
        let group = |id: i64| self.cutoffs.iter().position(|&end| (id as usize) < end).unwrap_or(0);
        // In the head, a class of a group is the group.
        let heads = ids.iter().map(|&id| if group(id) == 0 { id } else { (first + group(id) - 1) as i64 });
        let place = |ids: Vec<i64>| {
            x.device().scope(|| {
                let n = ids.len();
                Tensor::from_vec(ids, [n])
            })
        };
        let chosen =
            |logs: Tensor, ids: &Tensor| logs.log_softmax(-1).gather(-1, &ids.unsqueeze(-1)).squeeze(-1);
        let mut logs = chosen(x.apply(&self.head), &place(heads.collect()));
        for (i, [narrow, wide]) in self.tail.iter().enumerate() {
            let rows: Vec<i64> = (0..n as i64).filter(|&row| group(ids[row as usize]) == i + 1).collect();
            if rows.is_empty() {
                continue;
            }
            let within = rows.iter().map(|&row| ids[row as usize] - self.cutoffs[i] as i64).collect();
            let rows = place(rows);
            let scores = x.index_select(0, &rows).apply(narrow).apply(wide);
            logs = logs.index_add(0, &rows, &chosen(scores, &place(within)));
        }
        let loss = -logs.mean(..);
        (logs, loss)
    }

    /// The log-probabilities of all classes, `[n, features] → [n, classes]`.
    ///
    /// # Panics
    /// When the shape does not fit.
    #[track_caller]
    pub fn log_prob(&self, x: &Tensor) -> Tensor {
        self.check(x);
        let (first, head) = (self.cutoffs[0] as isize, x.apply(&self.head).log_softmax(-1));
        let mut parts = vec![head.slice(1, ..first)];
        for (i, [narrow, wide]) in self.tail.iter().enumerate() {
            let at = first + i as isize;
            parts.push(x.apply(narrow).apply(wide).log_softmax(-1) + head.slice(1, at..at + 1));
        }
        Tensor::cat(&parts, 1)
    }

    /// The likeliest class of each row, `[n, features] → [n]`.
    ///
    /// # Panics
    /// When the shape does not fit.
    #[track_caller]
    pub fn predict(&self, x: &Tensor) -> Tensor {
        self.log_prob(x).argmax(-1).to(DType::I64)
    }

    #[track_caller]
    fn check(&self, x: &Tensor) -> usize {
        match *x.shape() {
            [n, features] if features == self.head.inputs() && n > 0 => n,
            _ => fail!(
                "adaptive_log_softmax",
                "rows [n, {}] were expected, found {:?}",
                self.head.inputs(),
                x.shape()
            ),
        }
    }
}

#[test]
fn the_parts_agree_with_the_whole() {
    use mapsto_tensor::prelude::*;
    let out = AdaptiveLogSoftmax::by(8, 20, [4, 9], 2).head_bias();
    let (x, ids) = (Tensor::randn([5, 8]).leaf(), tensor![0, 3, 4, 19, 8]);
    let (logs, loss) = record(|| out.forward(&x, &ids));
    let whole = record(|| out.log_prob(&x).gather(-1, &ids.unsqueeze(-1)).squeeze(-1));
    assert_close!(&logs, &whole);
    let (part, all) = (loss.backward(), (-whole.mean(..)).backward());
    assert!((part.of(&x) - all.of(&x)).abs().max(..).item() < 1e-6);
    assert!((part.of(&out.tail[1][0].weight) - all.of(&out.tail[1][0].weight)).abs().max(..).item() < 1e-6);
    let e = catch(|| out.forward(&x, &tensor![0, 1, 2, 3, 20])).unwrap_err();
    assert_eq!(e.message(), "adaptive_log_softmax: class id 20 is not within 0..20");
    let e = catch(|| AdaptiveLogSoftmax::new(8, 20, [4, 20])).unwrap_err();
    assert!(
        e.message().contains("cutoffs must rise from at least 1 to below the 20 classes, got [4, 20]"),
        "{e}"
    );
    assert!(
        catch(|| AdaptiveLogSoftmax::new(8, 20, [4, 9]))
            .unwrap_err()
            .message()
            .contains("group 1 has no features")
    );
}
