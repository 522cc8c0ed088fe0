//! What outputs that were trained with [`ctc`](crate::ctc) say: the labels of the best path, or the best labels over all paths.

use mapsto_tensor::{DType, Tensor, fail};
use std::collections::BTreeMap;

/// Of each sequence, the labels of its most probable path: the best class of every step, repetitions counting as one, blanks left out.
///
/// * Shape: `[n, steps, k]`, scores or logarithms of probabilities, class 0 the blank; `lengths` are the steps of each sequence, if not
///   all have all of them.
/// * PyTorch has none; Keras: `ctc_decode(strategy="greedy")`.
///
/// Source: Graves, Fernández, Gomez, Schmidhuber (2006), Connectionist temporal classification, section 3.2, best path decoding.
/// ```
/// use mapsto_nn::{ctc_greedy_decode, prelude::*};
/// let y = tensor![1, 1, 0, 1, 2, 2].one_hot(3).to(DType::F32).unsqueeze(0);
/// assert_eq!(ctc_greedy_decode(&y, None), [[1, 1, 2]]);
/// assert_eq!(ctc_greedy_decode(&y, Some(&[4])), [[1, 1]]);
/// ```
/// # Panics
/// When `y` has another shape, or there is not a number of steps of at most all for each sequence.
#[track_caller]
pub fn ctc_greedy_decode(y: &Tensor, lengths: Option<&[usize]>) -> Vec<Vec<i64>> {
    let lengths = checked(y, lengths);
    let best = y.detach().argmax(-1).to_vec::<i64>();
    let steps = y.shape()[1];
    let said = |(i, &n): (usize, &usize)| {
        let mut path = best[i * steps..][..n].to_vec();
        path.dedup();
        path.retain(|&class| class != 0);
        path
    };
    lengths.iter().enumerate().map(said).collect()
}

/// Of each sequence, the most probable labels that a search with so many `beams` finds, the best first, each with the logarithm of its
/// probability: the sum over all paths that say it and were not given up on the way.
///
/// * Shape: as [`ctc_greedy_decode`].
/// * PyTorch: `torchaudio.models.decoder.ctc_decoder`, with a language model; Keras: `ctc_decode(strategy="beam_search")`.
///
/// Source: Hannun, Maas, Jurafsky, Ng (2014), First-pass large vocabulary continuous speech recognition using bi-directional recurrent DNNs,
/// arXiv:1408.2873, algorithm 1, without a language model.
/// ```
/// use mapsto_nn::{ctc_beam_decode, ctc_greedy_decode, prelude::*};
/// // At both steps the blank is likelier than the label; but `_ a`, `a _` and `a a` together beat `_ _`.
/// let y = tensor![[[0.6, 0.4], [0.6, 0.4]]].log();
/// assert_eq!(ctc_greedy_decode(&y, None), [[0; 0]]);
/// let best = &ctc_beam_decode(&y, None, 4)[0][0];
/// assert_eq!(best.0, [1]);
/// assert!((best.1.exp() - 0.64).abs() < 1e-6);
/// ```
/// # Panics
/// When `y` has another shape, there is no beam, or there is not a number of steps of at most all for each sequence.
#[track_caller]
pub fn ctc_beam_decode(y: &Tensor, lengths: Option<&[usize]>, beams: usize) -> Vec<Vec<(Vec<i64>, f64)>> {
    let lengths = checked(y, lengths);
    if beams == 0 {
        fail!("ctc_beam_decode", "at least one beam is needed, got none");
    }
    let [_, steps, k] = y.dims();
    let log_p = y.detach().to(DType::F64).log_softmax(-1).to_vec::<f64>();
    let search = |(i, &n): (usize, &usize)| {
        let mut found: Vec<Beam> = vec![Beam { labels: Vec::new(), blank: 0.0, label: f64::NEG_INFINITY }];
        for row in log_p[i * steps * k..][..n * k].chunks(k) {
            found = advanced(&found, row, beams);
        }
        found.into_iter().map(|beam| (beam.total(), beam.labels)).map(|(p, labels)| (labels, p)).collect()
    };
    lengths.iter().enumerate().map(search).collect()
}

/// Labels, and the logarithms of the probability of all paths that say them and end in the blank, and in their last label.
struct Beam {
    labels: Vec<i64>,
    blank: f64,
    label: f64,
}

impl Beam {
    fn total(&self) -> f64 {
        sum(self.blank, self.label)
    }
}

/// The best beams after one more step.
fn advanced(found: &[Beam], log_p: &[f64], beams: usize) -> Vec<Beam> {
    let mut next: BTreeMap<Vec<i64>, [f64; 2]> = BTreeMap::new();
    let mut add = |labels: &[i64], end: usize, p: f64| match next.get_mut(labels) {
        Some(ends) => ends[end] = sum(ends[end], p),
        None => {
            let mut ends = [f64::NEG_INFINITY; 2];
            ends[end] = p;
            next.insert(labels.to_vec(), ends);
        }
    };
    for beam in found {
        let (total, last) = (beam.total(), beam.labels.last().copied());
        add(&beam.labels, 0, total + log_p[0]);
        for (class, p) in (0_i64..).zip(log_p).skip(1) {
            let mut longer = beam.labels.clone();
            longer.push(class);
            if last == Some(class) {
                // The same class again is the same label, unless a blank stands between.
                add(&beam.labels, 1, beam.label + p);
                add(&longer, 1, beam.blank + p);
            } else {
                add(&longer, 1, total + p);
            }
        }
    }
    let mut all: Vec<Beam> =
        next.into_iter().map(|(labels, [blank, label])| Beam { labels, blank, label }).collect();
    // What is equally probable keeps the order of its labels.
    all.sort_by(|a, b| b.total().total_cmp(&a.total()));
    all.truncate(beams);
    all
}

/// `log(eᵃ + eᵇ)`.
fn sum(a: f64, b: f64) -> f64 {
    let (most, least) = if a > b { (a, b) } else { (b, a) };
    if most == f64::NEG_INFINITY { most } else { most + (least - most).exp().ln_1p() }
}

/// The number of steps of each sequence.
#[track_caller]
fn checked(y: &Tensor, lengths: Option<&[usize]>) -> Vec<usize> {
    if y.rank() != 3 || y.shape()[2] == 0 || !y.dtype().is_float() {
        fail!(
            "ctc_decode",
            "outputs [n, steps, k] of floats were expected, found {} {:?}",
            y.dtype(),
            y.shape()
        );
    }
    let (n, steps) = (y.shape()[0], y.shape()[1]);
    let Some(lengths) = lengths else { return vec![steps; n] };
    if lengths.len() != n || lengths.iter().any(|&len| len > steps) {
        fail!("ctc_decode", "lengths {lengths:?} do not fit {n} sequences of {steps} steps");
    }
    lengths.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[test]
    fn beams_that_give_up_nothing_find_the_probability_of_the_loss() {
        let y = Tensor::randn([2, 5, 3]);
        let found = ctc_beam_decode(&y, Some(&[5, 4]), 10_000);
        for (i, beams) in found.iter().enumerate() {
            assert!((beams.iter().map(|(_, p)| p.exp()).sum::<f64>() - 1.0).abs() < 1e-9);
            assert!(beams.is_sorted_by(|a, b| a.1 >= b.1));
            for (labels, p) in beams.iter().filter(|(labels, _)| !labels.is_empty()).take(10) {
                let target = Tensor::from_slice(labels, [1, labels.len()]);
                let one = y.slice(0, i as isize..i as isize + 1);
                let loss = ctc_lengths(&one, &[5 - i], &target).item() * labels.len() as f64;
                assert!((loss + p).abs() < 1e-5, "{labels:?}: {loss} and {p}");
            }
        }
    }

    #[test]
    fn one_beam_may_miss_what_many_find_and_mistakes_are_named() {
        let y = tensor![[[0.6, 0.4], [0.6, 0.4]]].log();
        let best = |beams| ctc_beam_decode(&y, None, beams)[0][0].clone();
        assert_eq!((best(1).0, best(2).0), (vec![], vec![1]));
        assert_eq!(ctc_greedy_decode(&Tensor::zeros([2, 0, 3]), None), [[0; 0], [0; 0]]);
        assert!(catch(|| ctc_beam_decode(&y, None, 0)).is_err());
        let e = catch(|| ctc_greedy_decode(&y, Some(&[3]))).unwrap_err();
        assert_eq!(e.message(), "ctc_decode: lengths [3] do not fit 1 sequences of 2 steps");
        assert!(catch(|| ctc_greedy_decode(&tensor![[1.0]], None)).is_err());
    }
}
