//! `Folds`: which samples each fold trains on and which it holds out; without shuffling, those of scikit-learn.

use mapsto::random::Keyed;
use mapsto::{Error, ErrorKind, Result};

/// Keeps the randomness of folds apart from that of splits and loaders with the same seed.
const WORD: u64 = 0x666f_6c64;

/// How samples are dealt to folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Parts of equal size; `KFold` of scikit-learn.
    Plain,
    /// With the same share of every class in each; `StratifiedKFold` of scikit-learn.
    Stratified,
    /// Each part follows the samples that it is predicted from; `TimeSeriesSplit` of scikit-learn.
    WalkForward {
        /// How many samples before each part are left out of its training.
        gap: usize,
    },
}

/// Places of samples, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Those to train on.
    pub train: Vec<usize>,
    /// Those to judge by.
    pub held_out: Vec<usize>,
}

/// A way to divide samples into folds.
///
/// ```
/// use mapsto_experiment::choosing::{Folds, Scheme};
/// let folds = Folds::new(3, Scheme::WalkForward { gap: 1 }).of(8, &[])?;
/// assert_eq!((&folds[0].train[..], &folds[0].held_out[..]), (&[0][..], &[2, 3][..]));
/// assert_eq!((&folds[2].train[..], &folds[2].held_out[..]), (&[0, 1, 2, 3, 4][..], &[6, 7][..]));
/// # Ok::<(), mapsto::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folds {
    count: usize,
    scheme: Scheme,
    seed: Option<u64>,
}

impl Folds {
    /// So many folds, of samples in the order of the data.
    pub fn new(count: usize, scheme: Scheme) -> Folds {
        Folds { count, scheme, seed: None }
    }

    /// Deals the samples at random; a walk forward keeps its order.
    pub fn shuffled(self, seed: u64) -> Folds {
        Folds { seed: Some(seed), ..self }
    }

    /// Plain folds in place of stratified ones.
    pub(crate) fn unstratified(self) -> Folds {
        match self.scheme {
            Scheme::Stratified => Folds { scheme: Scheme::Plain, ..self },
            _ => self,
        }
    }

    /// How many folds there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How samples are dealt.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The folds of `n` samples, of which `labels` has the classes where folds are stratified.
    ///
    /// # Errors
    /// Fewer than two folds; fewer samples, or samples of a class, than folds; a gap that leaves nothing to train on; no classes to
    /// stratify by.
    pub fn of(&self, n: usize, labels: &[i64]) -> Result<Vec<Fold>> {
        if self.count < 2 {
            let message = format!("{} folds cannot be trained and judged", self.count);
            return Err(Error::new(ErrorKind::Usage, message).help("take at least 2, such as `--folds 5`"));
        }
        if n < self.count {
            let message = format!("{n} samples are too few for {} folds", self.count);
            return Err(Error::new(ErrorKind::Data, message).help("take fewer folds"));
        }
        match self.scheme {
            Scheme::Plain => Ok(self.gather(&self.plain(n))),
            Scheme::Stratified => Ok(self.gather(&self.stratified(n, labels)?)),
            Scheme::WalkForward { gap } => self.forward(n, gap),
        }
    }

    /// For each sample the fold that holds it out.
    fn plain(&self, n: usize) -> Vec<usize> {
        let order = match self.seed {
            Some(seed) => Keyed::new(&[seed, WORD]).permutation(n),
            None => (0..n).collect(),
        };
        let (size, longer) = (n / self.count, n % self.count);
        let mut of = vec![0; n];
        let mut rest = order.into_iter();
        for fold in 0..self.count {
            rest.by_ref().take(size + usize::from(fold < longer)).for_each(|i| of[i] = fold);
        }
        of
    }

    /// As scikit-learn does it: classes in the order of their first sample, each dealt so that the folds stay equally long.
    fn stratified(&self, n: usize, labels: &[i64]) -> Result<Vec<usize>> {
        if labels.len() != n {
            let message = format!("{} labels for {n} samples", labels.len());
            return Err(Error::new(ErrorKind::Usage, message).help("plain folds need no classes"));
        }
        let mut classes: Vec<i64> = Vec::new();
        for label in labels {
            if !classes.contains(label) {
                classes.push(*label);
            }
        }
        let members: Vec<Vec<usize>> =
            classes.iter().map(|class| (0..n).filter(|&i| labels[i] == *class).collect()).collect();
        if members.iter().all(|members| members.len() < self.count) {
            let most = members.iter().map(Vec::len).max().unwrap_or(0);
            let message =
                format!("the largest class has {most} samples, fewer than the {} folds", self.count);
            return Err(Error::new(ErrorKind::Data, message).help("take fewer folds, or `--plain`"));
        }
        let sorted: Vec<usize> =
            members.iter().enumerate().flat_map(|(c, members)| vec![c; members.len()]).collect();
        let mut of = vec![0; n];
        for (class, members) in members.iter().enumerate() {
            let share =
                |fold: usize| sorted.iter().skip(fold).step_by(self.count).filter(|&&c| c == class).count();
            let mut dealt: Vec<usize> = (0..self.count).flat_map(|fold| vec![fold; share(fold)]).collect();
            if let Some(seed) = self.seed {
                let order = Keyed::new(&[seed, WORD, class as u64]).permutation(dealt.len());
                dealt = order.into_iter().map(|i| dealt[i]).collect();
            }
            members.iter().zip(dealt).for_each(|(&i, fold)| of[i] = fold);
        }
        Ok(of)
    }

    fn gather(&self, of: &[usize]) -> Vec<Fold> {
        let places = |wanted: &dyn Fn(usize) -> bool| (0..of.len()).filter(|&i| wanted(of[i])).collect();
        let fold = |k: usize| Fold { train: places(&|fold| fold != k), held_out: places(&|fold| fold == k) };
        (0..self.count).map(fold).collect()
    }

    fn forward(&self, n: usize, gap: usize) -> Result<Vec<Fold>> {
        let size = n / (self.count + 1);
        let first = n - self.count * size;
        if size == 0 || first <= gap {
            let message =
                format!("{n} samples are too few for a walk of {} folds with a gap of {gap}", self.count);
            return Err(Error::new(ErrorKind::Data, message).help("take fewer folds, or a smaller gap"));
        }
        let fold = |k: usize| {
            let start = first + k * size;
            Fold { train: (0..start - gap).collect(), held_out: (start..start + size).collect() }
        };
        Ok((0..self.count).map(fold).collect())
    }
}
