//! `Ragged`: sequences of different lengths in one tensor, padded for computing and packed for losses and metrics.

use crate::{Collate, Names, Rows};
use mapsto_tensor::{Element, Result, Tensor, catch, fail};
use std::ops::Range;
use std::sync::Arc;

/// Sequences of different lengths, padded with zeros to the longest, and their lengths.
///
/// Recurrent layers and attention read [`padded`](Ragged::padded), the former with lengths: `lstm.forward_lengths(x.padded(), x.lengths())`. Losses and metrics read rows without padding: what a model
/// says of the padded sequences goes through [`pack`](Ragged::pack), so no padding can get into a mean. A vector of numbers is a
/// sample that becomes a `Ragged`.
///
/// * Shape: `[n, t, ..]` with `n` sequences, of which the longest has `t` steps.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let words = Collate::collate(vec![vec![1_i64, 2, 3], vec![4]])?;
/// assert_eq!(words.padded().to_vec::<i64>(), [1, 2, 3, 4, 0, 0]);
/// assert_eq!(words.packed().to_vec::<i64>(), [1, 2, 3, 4]);
/// let (given, wanted) = words.shifted(); // teacher forcing: the second has no next word
/// assert_eq!((given.packed().to_vec::<i64>(), wanted.packed().to_vec::<i64>()), (vec![1, 2], vec![2, 3]));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ragged {
    padded: Tensor,
    lengths: Arc<[usize]>,
}

impl Ragged {
    /// One sequence.
    ///
    /// * Shape: `[t, ..]`.
    ///
    /// # Panics
    /// When it has no axis.
    #[track_caller]
    pub fn of(sequence: Tensor) -> Ragged {
        let Some(&t) = sequence.shape().first() else {
            fail!("ragged", "a tensor without axes is no sequence"; help = "the first axis counts the steps");
        };
        Ragged { padded: sequence.unsqueeze(0), lengths: [t].into() }
    }

    /// Sequences that are padded already: row `i` has `lengths[i]` steps, and what comes after them is not read.
    ///
    /// * Shape: `[n, t, ..]`.
    ///
    /// # Panics
    /// When there are not as many lengths as rows, or one is above `t`.
    #[track_caller]
    pub fn new(padded: Tensor, lengths: impl Into<Arc<[usize]>>) -> Ragged {
        let lengths = lengths.into();
        let fits = padded.rank() >= 2
            && padded.shape()[0] == lengths.len()
            && lengths.iter().all(|&n| n <= padded.shape()[1]);
        if !fits {
            fail!("ragged", "lengths {lengths:?} do not fit sequences of shape {:?}", padded.shape();
                help = "the first axis counts the sequences, the second their steps");
        }
        Ragged { padded, lengths }
    }

    /// The sequences padded to the longest: `[n, t, ..]`.
    pub fn padded(&self) -> &Tensor {
        &self.padded
    }

    /// The number of steps of each sequence.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// The number of steps of all sequences together.
    pub fn total(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// The rows of `y` that belong to a step and not to padding, sequence after sequence.
    ///
    /// * Shape: `y: [n, t, ..]`, with the first two axes of the padded sequences; `[Σ lengths, ..]`.
    ///
    /// # Panics
    /// When the first two axes are others.
    #[track_caller]
    pub fn pack(&self, y: &Tensor) -> Tensor {
        self.check("pack", y);
        let t = y.shape()[1];
        let rows: Vec<i64> = self
            .lengths
            .iter()
            .enumerate()
            .flat_map(|(i, &n)| (i * t..i * t + n).map(|row| row as i64))
            .collect();
        let shape = [&[y.shape()[0] * t], &y.shape()[2..]].concat();
        y.reshape(&shape[..]).index_select(0, &Tensor::from_vec(rows, self.total()))
    }

    /// The sequences themselves, packed: `[Σ lengths, ..]`.
    pub fn packed(&self) -> Tensor {
        self.pack(&self.padded)
    }

    /// What `y` has at the last step of each sequence.
    ///
    /// * Shape: `y: [n, t, ..]`; `[n, ..]`.
    ///
    /// # Panics
    /// When the first two axes are not those of the padded sequences, or a sequence is empty.
    #[track_caller]
    pub fn last_of(&self, y: &Tensor) -> Tensor {
        self.check("last_of", y);
        self.check_length("last_of", 1);
        let t = y.shape()[1];
        let rows: Vec<i64> = self.lengths.iter().enumerate().map(|(i, &n)| (i * t + n - 1) as i64).collect();
        let shape = [&[y.shape()[0] * t], &y.shape()[2..]].concat();
        y.reshape(&shape[..]).index_select(0, &Tensor::from_vec(rows, self.lengths.len()))
    }

    /// Teacher forcing: what goes in, all steps but the last of each sequence, and what should come out, all but the first.
    ///
    /// # Panics
    /// When a sequence is empty.
    #[track_caller]
    pub fn shifted(&self) -> (Ragged, Ragged) {
        self.check_length("shifted", 1);
        let t = self.padded.shape()[1] as isize;
        let lengths: Arc<[usize]> = self.lengths.iter().map(|n| n - 1).collect();
        let part = |steps| Ragged { padded: self.padded.slice(1, steps), lengths: lengths.clone() };
        (part(0..t - 1), part(1..t))
    }

    /// Each sequence without its padding: `[lengths[i], ..]`.
    pub fn each(&self) -> impl Iterator<Item = Tensor> {
        let row = |(i, &n): (usize, &usize)| self.padded.select(0, i as isize).slice(0, 0..n as isize);
        self.lengths.iter().enumerate().map(row)
    }

    /// Where there is a step and not padding, for attention: `[n, t]`, true or false.
    pub fn mask(&self) -> Tensor {
        let t = self.padded.shape()[1];
        let is_step: Vec<bool> = self.lengths.iter().flat_map(|&n| (0..t).map(move |j| j < n)).collect();
        Tensor::from_vec(is_step, [self.lengths.len(), t])
    }

    #[track_caller]
    fn check(&self, op: &str, y: &Tensor) {
        if y.rank() < 2 || y.shape()[..2] != self.padded.shape()[..2] {
            fail!(op, "{:?} is not of the sequences {:?}", y.shape(), self.padded.shape();
                help = "the first two axes count the sequences and their steps: use outputs for the padded sequences");
        }
    }

    #[track_caller]
    fn check_length(&self, op: &str, least: usize) {
        if let Some(i) = self.lengths.iter().position(|&n| n < least) {
            fail!(op, "sequence {i} of {} is empty", self.lengths.len(); help = "leave empty sequences out of the set");
        }
    }
}

impl Rows for Ragged {
    fn rows(&self) -> usize {
        self.lengths.len()
    }

    fn part(&self, rows: Range<usize>) -> Ragged {
        Ragged { padded: self.padded.part(rows.clone()), lengths: self.lengths[rows].into() }
    }

    fn each_tensor(&self, see: &mut dyn FnMut(&Tensor)) {
        see(&self.padded);
    }
}

impl Collate for Ragged {
    type Batch = Ragged;

    fn collate_named(samples: Vec<Ragged>, names: &Names<'_>) -> Result<Ragged> {
        names.alike(samples.iter().map(|s| (&s.padded, &s.padded.shape()[2..])))?;
        let lengths: Arc<[usize]> = samples.iter().flat_map(|s| s.lengths.iter().copied()).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let fill = |s: &Ragged| {
            let t = s.padded.shape()[1];
            if t >= longest {
                return s.padded.slice(1, 0..longest as isize);
            }
            let mut shape = s.padded.shape().to_vec();
            shape[1] = longest - t;
            Tensor::cat(&[s.padded.clone(), Tensor::full_of(&shape[..], 0.0, s.padded.dtype())], 1)
        };
        catch(|| Ragged { padded: Tensor::cat(&samples.iter().map(fill).collect::<Vec<_>>(), 0), lengths })
    }
}

impl<T: Element + Send + 'static> Collate for Vec<T> {
    type Batch = Ragged;

    fn collate_named(samples: Vec<Vec<T>>, names: &Names<'_>) -> Result<Ragged> {
        let one = |v: Vec<T>| {
            let n = v.len();
            Ragged::of(Tensor::from_vec(v, n))
        };
        Ragged::collate_named(samples.into_iter().map(one).collect(), names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_again_among_the_padding() {
        let sequences = [vec![1.0_f32, 2.0], vec![], vec![3.0, 4.0, 5.0]];
        let batch = Collate::collate(sequences.to_vec()).unwrap();
        assert_eq!(
            (batch.padded().shape(), batch.lengths(), batch.total()),
            (&[3, 3][..], &[2, 0, 3][..], 5)
        );
        let y = Tensor::stack(&[batch.padded().clone(), batch.padded().clone()], -1);
        assert_eq!(batch.pack(&y).select(1, 0).to_vec::<f32>(), [1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(batch.each().map(|t| t.to_vec::<f32>()).collect::<Vec<_>>(), sequences);
        let full = batch.part(2..3);
        assert_eq!(full.last_of(full.padded()).to_vec::<f32>(), [5.0]);
        let mask = batch.mask().to(mapsto_tensor::DType::F32).sum(-1);
        assert_eq!(mask.to_vec::<f32>(), [2.0, 0.0, 3.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let batch = Collate::collate(vec![vec![1_i64, 2], vec![]]).unwrap();
        let message = |f: &dyn Fn() -> Tensor| catch(f).err().unwrap().message().to_string();
        assert!(
            message(&|| batch.pack(&Tensor::zeros([2, 3])))
                .starts_with("pack: [2, 3] is not of the sequences [2, 2]")
        );
        assert!(message(&|| batch.last_of(batch.padded())).starts_with("last_of: sequence 1 of 2 is empty"));
        assert!(catch(|| batch.shifted()).is_err());
        assert!(catch(|| Ragged::new(Tensor::zeros([2, 2]), vec![1, 3])).is_err());
        let samples = vec![Ragged::of(Tensor::zeros([2, 3])), Ragged::of(Tensor::zeros([1, 4]))];
        let e = Ragged::collate(samples).unwrap_err();
        assert_eq!(e.message(), "sample 1: its value is f32 [4], that of sample 0 is f32 [3]");
    }
}
