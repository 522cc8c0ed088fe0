//! `Preprocess`: the deterministic steps between raw inputs and a model, which travel with the model.

mod columns;
mod contrast;
mod normalize;
mod resize;
mod scale;
mod standardize;

pub use columns::Columns;
pub use normalize::Normalize;
pub use resize::Resize;
pub(crate) use resize::{Resampler, complaint};
pub use scale::Scale;
pub use standardize::Standardize;

use crate::{Column, Dataset, Reading};
use mapsto_kernels::simd::vectorize;
use mapsto_spec::{Args, Entry, Family, Kind, Value};
use mapsto_tensor::storage::Plain;
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor, catch};
use std::sync::Arc;

/// One deterministic step, such as a normalisation: the same in training, evaluation and prediction.
pub trait Step: Send + Sync {
    /// Its name, as in a model file.
    fn name(&self) -> &'static str;

    /// The changed inputs of a batch, `x: [n, ..]`: in `f64` where `x` is `f64`, as the cells of tables are until the
    /// last step, and in `f32` otherwise.
    fn apply(&self, x: Tensor) -> Tensor;

    /// The step as a model file writes it, with everything it has learnt.
    fn entry(&self) -> Entry;

    /// The step with what it learns from the training set, whose inputs have been through `before`.
    ///
    /// Steps that learn nothing are returned as they are by saying `None`.
    ///
    /// # Errors
    /// When the set cannot be read, or gives nothing to learn.
    fn fit(&self, _set: &dyn Dataset, _before: &Preprocess) -> Result<Option<Arc<dyn Step>>> {
        Ok(None)
    }

    /// The columns of the tables that it takes, and how these are read, where it takes raw columns of any kind.
    fn table(&self) -> Option<(Vec<Column>, Reading)> {
        None
    }

    /// Of the last columns that it makes, which are ids, how many ids each has.
    fn ids(&self) -> Vec<usize> {
        Vec::new()
    }

    /// Of each number that it makes of a row of a table, the column that it is made of; nothing where a number stays in its place.
    fn sources(&self) -> Vec<usize> {
        Vec::new()
    }

    /// Each column that it takes, and in words what becomes of it.
    fn said(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The columns of raw inputs that hold words which training never met, and how many cells do.
    fn unseen(&self, _x: &Tensor) -> Vec<(usize, usize)> {
        Vec::new()
    }

    /// The columns of raw inputs that lack cells, and lacked none in training, and how many cells are missing.
    fn newly_missing(&self, _x: &Tensor) -> Vec<(usize, usize)> {
        Vec::new()
    }
}

/// A list of [`Step`]s, applied to inputs in order.
///
/// A loader applies it last ([`Loader::preprocess`](crate::Loader::preprocess)); the model file carries it, so that
/// prediction sees exactly what training saw.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let steps = Preprocess::new().then(Scale::new(0.5)).then(Normalize::new([1.0], [2.0]));
/// assert_eq!(steps.apply(tensor![[2.0, 10.0]]).to_vec::<f32>(), [0.0, 2.0]);
/// let again = Preprocess::from_entries(&steps.entries())?;
/// assert_eq!(again, steps);
/// # Ok::<(), Error>(())
/// ```
#[must_use = "these are new steps, and the old ones stay as they are: `let steps = steps.fit(&train_set)?;`"]
#[derive(Clone, Default)]
pub struct Preprocess {
    steps: Vec<Arc<dyn Step>>,
}

/// A step as a model file names it: how one is built from its entry.
pub type StepKind = Kind<dyn Step>;

/// Every step that a model file can name.
pub const STEPS: &[StepKind] =
    &[scale::KIND, normalize::KIND, standardize::KIND, resize::KIND, columns::KIND];

impl Family for dyn Step {
    const NOUN: &'static str = "preprocessing step";
    type Given = ();
    fn kinds() -> &'static [StepKind] {
        STEPS
    }
    fn entry_of(step: &dyn Step, (): &()) -> Option<Entry> {
        Some(step.entry())
    }
}

impl Preprocess {
    /// No steps.
    pub fn new() -> Preprocess {
        Preprocess::default()
    }

    /// These steps and then one more.
    pub fn then(mut self, step: impl Step + 'static) -> Preprocess {
        self.steps.push(Arc::new(step));
        self
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The inputs of a batch, `x: [n, ..]`, after every step: computed in `f64`, and rounded to `f32` in the end.
    ///
    /// # Panics
    /// When a step does not fit the shape, or has learnt nothing yet ([`fit`](Preprocess::fit)).
    #[track_caller]
    pub fn apply(&self, x: Tensor) -> Tensor {
        if self.is_empty() { x } else { self.exactly(x).to(DType::F32) }
    }

    /// As [`apply`](Preprocess::apply), before inputs of `f64` or whole numbers are rounded.
    #[track_caller]
    fn exactly(&self, x: Tensor) -> Tensor {
        let wide = matches!(x.dtype(), DType::I64 | DType::I32);
        let x = if wide { x.to(DType::F64) } else { x };
        self.steps.iter().fold(x, |x, step| step.apply(x))
    }

    /// New steps, with what these learn from a training set: `standardize` learns means and standard deviations. These
    /// stay as they are, so it is `let steps = steps.fit(&train)?;`.
    ///
    /// Only ever fit on training data; what is learnt from test data leaks into the test.
    ///
    /// ```
    /// use mapsto_data::prelude::*;
    /// use mapsto_tensor::prelude::*;
    /// let train = InMemory::new(tensor![[1.0, 10.0], [3.0, 50.0]], Tensor::zeros([2, 1]));
    /// let steps = Preprocess::new().then(Standardize::new()).fit(&train)?;
    /// assert_eq!(steps.apply(tensor![[2.0, 50.0]]).to_vec::<f32>(), [0.0, 1.0]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// When the set cannot be read, or gives nothing to learn; when the steps leave next to nothing of its numbers, as
    /// `Scale::new(1.0 / 255.0)` does of pixels, which are between 0 and 1 already.
    pub fn fit(&self, train: &dyn Dataset) -> Result<Preprocess> {
        let mut fitted = Preprocess::new();
        for step in &self.steps {
            let learnt = step.fit(train, &fitted).map_err(|e| e.context(step.name()))?;
            fitted.steps.push(learnt.unwrap_or_else(|| step.clone()));
        }
        if let Some(range) = train.range()
            && !train.is_empty()
        {
            fitted.check(range, &train.batch(&[0])?.x)?;
        }
        Ok(fitted)
    }

    /// The columns of the tables that these steps take, and how these are read; nothing where they take numbers.
    pub fn table(&self) -> Option<(Vec<Column>, Reading)> {
        self.steps.iter().find_map(|step| step.table())
    }

    /// Of the last columns that they make, which are ids, how many ids each has.
    pub fn ids(&self) -> Vec<usize> {
        self.steps.iter().flat_map(|step| step.ids()).collect()
    }

    /// Of each number that they make of a row of a table, the column that it is made of; nothing where numbers stay in their places.
    pub fn sources(&self) -> Vec<usize> {
        self.steps.iter().map(|step| step.sources()).find(|of| !of.is_empty()).unwrap_or_default()
    }

    /// Each column of a table, and in words what becomes of it.
    pub fn said(&self) -> Vec<(String, String)> {
        self.steps.iter().flat_map(|step| step.said()).collect()
    }

    /// The columns of raw inputs that hold words which training never met, and how many cells do.
    pub fn unseen(&self, x: &Tensor) -> Vec<(usize, usize)> {
        self.steps.first().map_or(Vec::new(), |step| step.unseen(x))
    }

    /// The columns of raw inputs that lack cells, and lacked none in training, and how many cells are missing.
    pub fn newly_missing(&self, x: &Tensor) -> Vec<(usize, usize)> {
        self.steps.first().map_or(Vec::new(), |step| step.newly_missing(x))
    }

    /// The steps as a model file writes them.
    pub fn entries(&self) -> Vec<Entry> {
        self.steps.iter().map(|step| step.entry()).collect()
    }

    /// The steps that entries name, such as `{ normalize = 0.1307, std = 0.3081 }`.
    ///
    /// # Errors
    /// When there is no such step, or an option is unknown, missing or out of range.
    pub fn from_entries(entries: &[Entry]) -> Result<Preprocess> {
        let step = |entry: &Entry| Ok(Arc::from(mapsto_spec::build::<dyn Step>(entry, &())?));
        Ok(Preprocess { steps: entries.iter().map(step).collect::<Result<_>>()? })
    }
}

impl PartialEq for Preprocess {
    fn eq(&self, other: &Preprocess) -> bool {
        self.entries() == other.entries()
    }
}

impl std::fmt::Debug for Preprocess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.entries().iter().map(Entry::to_string)).finish()
    }
}

/// `x` as `f32`s in row-major order, without a copy where it is that already.
pub(crate) fn floats(x: Tensor) -> Tensor {
    if x.as_slice::<f32>().is_some() { x } else { x.to(DType::F32).contiguous() }
}

/// `y = f(channel, x)` for every element, in `f64`: `x: [n, channels, ..]`, or of any shape with one channel. Inputs of
/// `f64` stay that, all others become `f32`.
fn each_number(x: Tensor, channels: usize, f: impl Fn(usize, f64) -> f64) -> Tensor {
    if x.dtype() == DType::F64 {
        let mut x = x.contiguous();
        each_channel::<f64>(&mut x, channels, |channel, part| {
            part.iter_mut().for_each(|x| *x = f(channel, *x))
        });
        return x;
    }
    let mut x = floats(x);
    each_channel::<f32>(&mut x, channels, |channel, part| {
        vectorize(
            #[inline(always)]
            || part.iter_mut().for_each(|x| *x = f(channel, f64::from(*x)) as f32),
        );
    });
    x
}

/// Calls `f` on each stretch of elements of one channel: `x: [n, c, ..]`, elements of one `n` and `c` together.
fn each_channel<T: Plain>(x: &mut Tensor, channels: usize, mut f: impl FnMut(usize, &mut [T])) {
    if x.is_empty() {
        return;
    }
    let inner = if channels == 1 { x.len() } else { x.shape()[2..].iter().product() };
    for (i, part) in x.as_mut_slice::<T>().chunks_exact_mut(inner).enumerate() {
        f(i % channels, part);
    }
}

/// Reads an option that is a number or a list of numbers.
fn numbers(args: &Args, name: &str, value: Value) -> Result<Vec<f64>> {
    use mapsto_spec::FromValue;
    let list = f64::from_value(&value).map(|one| vec![one]).or_else(|| Vec::<f64>::from_value(&value));
    list.ok_or_else(|| args.error(name, format!("a number or a list of numbers was expected, found {value}")))
}

/// One number where there is one, else the list: the short form is what people write.
fn short(numbers: &[f64]) -> Value {
    match *numbers {
        [one] => one.into(),
        _ => numbers.to_vec().into(),
    }
}

/// The inputs of a set after the steps before, in `f64`, batch by batch.
fn batches(set: &dyn Dataset, before: &Preprocess, mut f: impl FnMut(Tensor) -> Result<()>) -> Result<()> {
    const SIZE: usize = 256;
    let all: Vec<usize> = (0..set.len()).collect();
    for indices in all.chunks(SIZE) {
        let crate::Sample { x, .. } = match set.exact_batch(indices)? {
            Some(batch) => batch,
            None => set.batch(indices)?,
        };
        f(catch(|| before.exactly(x).to(DType::F64).contiguous())?)?;
    }
    Ok(())
}

fn data(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Data, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_says_its_entry() {
        mapsto_spec::check_family::<dyn Step>(&[&()]);
        let check = |entry: Entry| mapsto_spec::check_entry::<dyn Step>(&entry, &());
        check(Entry::new("scale").with_value(0.5).with_option("offset", 2.0));
        check(Entry::new("normalize").with_value(vec![0.5, 1.0]).with_option("std", vec![1.0, 2.0]));
        check(Entry::new("resize").with_value(vec![3_usize, 4]));
        let columns = Entry::new("columns").with_option("one_hot", 3_usize).with_option("missing", "mean");
        check(columns.with_option("standardize", false));
        check(Entry::new("standardize").with_option("mean", 2.0).with_option("std", 3.0));
    }

    #[test]
    fn every_step_goes_through_its_entry_unchanged() {
        let x = Tensor::from_vec((0..48).map(|v| v as f32 * 0.37).collect::<Vec<f32>>(), [2, 2, 3, 4]);
        let set = crate::InMemory::new(x.clone(), Tensor::zeros([2, 1]));
        let steps = Preprocess::new()
            .then(Resize::new([2, 2]))
            .then(Scale::new(1.0 / 3.0).offset(0.1))
            .then(Normalize::new([0.1307, 0.5], [0.3081, 0.1]))
            .then(Standardize::new())
            .fit(&set)
            .unwrap();
        let again = Preprocess::from_entries(&steps.entries()).unwrap();
        assert_eq!(again, steps);
        assert_eq!(again.apply(x.clone()).to_vec::<f32>(), steps.apply(x).to_vec::<f32>());
        // Columns, which take tables and no images, are tried in their own tests.
        assert_eq!(steps.entries().len() + 1, STEPS.len(), "each kind of step is tried here");
    }

    #[test]
    fn entries_read_as_people_write_them() {
        let read = |entry| Preprocess::from_entries(&[entry]).map(|p| p.entries()[0].to_string());
        let normalize = Entry::new("normalize").with_value(0.1307).with_option("std", 0.3081);
        assert_eq!(read(normalize).unwrap(), "{ normalize = 0.1307, std = 0.3081 }");
        assert_eq!(read(Entry::new("standardize")).unwrap(), "\"standardize\"");
        assert_eq!(read(Entry::new("resize").with_value(28usize)).unwrap(), "{ resize = 28 }");
        assert_eq!(read(Entry::new("scale").with_value(2usize)).unwrap(), "{ scale = 2.0, offset = 0.0 }");
        let e = read(Entry::new("normalise")).unwrap_err();
        assert_eq!(e.to_string(), "unknown preprocessing step `normalise`\nhelp: did you mean `normalize`?");
        assert!(read(Entry::new("normalize").with_value(0.1).with_option("std", 0.0)).is_err());
        assert!(read(Entry::new("normalize").with_value("x").with_option("std", 1.0)).is_err());
        assert!(read(Entry::new("resize").with_value(0usize)).is_err());
    }
}
