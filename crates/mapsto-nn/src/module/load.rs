//! Loading weights by name: everything must match, unless the caller names what need not.

use super::{Item, ItemMut, Module, Path, matches};
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor};
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// Which names may be missing, unexpected or of another shape when weights are loaded.
///
/// ```
/// use mapsto_nn::prelude::*;
/// assert!(Exceptions::of(["head.*"]).cover("head.weight"));
/// assert!(!Exceptions::none().cover("head.weight"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Exceptions {
    patterns: Vec<String>,
    converts: bool,
}

impl Exceptions {
    /// Everything must match.
    pub fn none() -> Exceptions {
        Exceptions::default()
    }

    /// Names that fit one of these patterns (`head.*`) need not match; what does match is loaded all the same. A pattern that fits
    /// no name of the model or the file is an error of loading.
    pub fn of<S: Into<String>>(patterns: impl IntoIterator<Item = S>) -> Exceptions {
        Exceptions { patterns: patterns.into_iter().map(Into::into).collect(), converts: false }
    }

    /// Converts floats of another dtype to the model's, such as the bf16 of a file to f32; a narrower dtype rounds.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// use mapsto_tensor::prelude::*;
    /// let mut model = Linear::new(2, 1);
    /// let file = [("weight", tensor![[0.5, 2.0]]), ("bias", tensor![1.5])]
    ///     .map(|(name, t)| (name.to_string(), t.to(DType::BF16)));
    /// assert!(model.load_state_dict(file.clone(), &Exceptions::none()).is_err());
    /// model.load_state_dict(file, &Exceptions::none().converting()).unwrap();
    /// assert_eq!(model.forward(&tensor![[1.0, 1.0]]).item(), 4.0);
    /// ```
    #[must_use]
    pub fn converting(self) -> Exceptions {
        Exceptions { converts: true, ..self }
    }

    /// Whether a name is among them.
    pub fn cover(&self, name: &str) -> bool {
        self.patterns.iter().any(|p| matches(p, name))
    }
}

/// What became of each name when weights were loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// In the file and in the model, and loaded.
    pub matched: Vec<String>,
    /// In the model only: these keep their values.
    pub missing: Vec<String>,
    /// In the file only.
    pub unexpected: Vec<String>,
    /// In both, with different shapes or dtypes, as `name: [2, 3] f32 in the model, [3, 2] f32 in the file`.
    pub mismatched: Vec<String>,
}

impl LoadReport {
    /// Whether every name matched.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.mismatched.is_empty()
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} matched",
            self.matched.len(),
            self.matched.len() + self.missing.len() + self.mismatched.len()
        )?;
        for (what, names) in [
            ("the file lacks", &self.missing),
            ("the model lacks", &self.unexpected),
            ("they differ in", &self.mismatched),
        ] {
            if names.is_empty() {
                continue;
            }
            // A model of another kind differs in every name; the first few say so.
            let shown: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
            let more =
                if names.len() > 8 { format!(", and {} more", names.len() - 8) } else { String::new() };
            write!(f, "\n  {what}: {}{more}", shown.join(", "))?;
        }
        Ok(())
    }
}

/// What is to be loaded under which name, and what became of every name.
type Compared = (HashMap<String, Tensor>, LoadReport);

/// Compares names, shapes and dtypes, and writes nothing.
pub(super) fn compare<M: Module + ?Sized>(
    model: &M,
    tensors: impl IntoIterator<Item = (String, Tensor)>,
    exceptions: &Exceptions,
) -> Result<Compared> {
    // Ordered, so that reports are the same every time.
    let mut given: BTreeMap<String, Tensor> = tensors.into_iter().collect();
    let mut fit: HashMap<String, Tensor> = HashMap::new();
    let mut report = LoadReport::default();
    let mut convertible: Vec<String> = Vec::new();
    model.visit(&mut Path::new(), &mut |path, item| {
        let (name, (shape, dtype)) = (path.to_string(), signature(item));
        let Some(t) = given.remove(&name) else {
            report.missing.push(name);
            return;
        };
        let are_floats = t.shape() == shape && t.dtype().is_float() && dtype.is_float();
        let converted = match are_floats && exceptions.converts {
            true => convert(&t, dtype),
            false => Some(t.clone()).filter(|t| (t.shape(), t.dtype()) == (&shape[..], dtype)),
        };
        match converted {
            Some(t) => {
                report.matched.push(name.clone());
                fit.insert(name, t);
            }
            None => {
                let (file, of_file) = (t.shape(), t.dtype());
                let line = format!("{name}: {shape:?} {dtype} in the model, {file:?} {of_file} in the file");
                if are_floats {
                    convertible.push(line.clone());
                }
                report.mismatched.push(line);
            }
        }
    });
    // PyTorch counts the batches of every batch norm beside its statistics; here the count is of cumulative ones alone.
    let is_counter = |(name, t): &(String, Tensor)| {
        name.rsplit('.').next() == Some("num_batches_tracked") && t.len() == 1 && !t.dtype().is_float()
    };
    report.unexpected = given.into_iter().filter(|given| !is_counter(given)).map(|(name, _)| name).collect();

    check_patterns(exceptions, &report)?;
    let excused = |line: &String| exceptions.cover(line.split(": ").next().unwrap_or(line));
    if ![&report.missing, &report.unexpected, &report.mismatched].into_iter().flatten().all(excused) {
        let message = format!("load: the file's weights are not the model's: {report}");
        let help = help(&report, &convertible, exceptions);
        return Err(Error::new(ErrorKind::Model, message).help(help));
    }
    Ok((fit, report))
}

/// Checks that every exception is of some name: one that is misspelt would excuse nothing, and say nothing.
fn check_patterns(exceptions: &Exceptions, report: &LoadReport) -> Result<()> {
    let lists = [&report.matched, &report.missing, &report.unexpected, &report.mismatched];
    let names: Vec<&str> =
        lists.into_iter().flatten().map(|line| line.split(": ").next().unwrap_or(line)).collect();
    let idle = exceptions.patterns.iter().find(|pattern| !names.iter().any(|name| matches(pattern, name)));
    let Some(pattern) = idle else { return Ok(()) };
    let message = format!("load: the exception `{pattern}` fits no name of the model or the file");
    let help = match mapsto_spec::nearest(pattern, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("names look like `{}`", names.first().unwrap_or(&"weight")),
    };
    Err(Error::new(ErrorKind::Model, message).help(help))
}

/// Checks everything first and then writes: a model is loaded as a whole or left as it was.
pub(super) fn load<M: Module + ?Sized>(
    model: &mut M,
    tensors: impl IntoIterator<Item = (String, Tensor)>,
    exceptions: &Exceptions,
) -> Result<LoadReport> {
    let (fit, report) = compare(model, tensors, exceptions)?;
    let mut outcome = Ok(());
    model.visit_mut(&mut Path::new(), &mut |path, item| {
        if let Some(values) = fit.get(&path.to_string()) {
            let set = match item {
                ItemMut::Param(p) => p.set(values),
                ItemMut::State(s) => s.load(values),
            };
            outcome = std::mem::replace(&mut outcome, Ok(())).and(set);
        }
    });
    outcome.map(|()| report)
}

/// The values in another float dtype; nothing where a finite value would become infinite.
fn convert(t: &Tensor, dtype: DType) -> Option<Tensor> {
    let converted = t.to(dtype);
    (converted.is_finite() || !t.is_finite()).then_some(converted)
}

/// What would help: conversion where only dtypes differ, and else the model that the file is of, or leaving names out.
fn help(report: &LoadReport, convertible: &[String], exceptions: &Exceptions) -> String {
    let is_converted = |line: &String| !exceptions.converts && convertible.contains(line);
    let names = [&report.missing, &report.unexpected, &report.mismatched].into_iter().flatten();
    if report.missing.is_empty()
        && report.unexpected.is_empty()
        && convertible.len() == report.mismatched.len()
    {
        return match exceptions.converts {
            false => "only dtypes differ: load with `Exceptions::none().converting()` to convert them".into(),
            true => "some values are too large for the model's dtype: give the model the file's".into(),
        };
    }
    if report.matched.is_empty() && report.mismatched.is_empty() {
        return "the file is of another model: build the layers that it was saved from".into();
    }
    let names = names.filter(|line| !is_converted(line));
    let mut patterns: Vec<String> =
        names.map(|name| name.split(": ").next().unwrap_or(name).to_string()).collect();
    // A few are named, as a pattern would excuse their neighbours too.
    if patterns.len() > 4 {
        let whole =
            |name: &String| name.split_once('.').map_or(name.clone(), |(first, _)| format!("{first}.*"));
        patterns = patterns.iter().map(whole).collect();
        patterns.dedup();
    }
    let more = if patterns.len() > 4 { ", .." } else { "" };
    let shown = patterns.iter().take(4).map(|p| format!("{p:?}")).collect::<Vec<_>>().join(", ");
    let (and, converting) = match report.mismatched.iter().any(is_converted) {
        true => (" and convert the rest", ".converting()"),
        false => ("", ""),
    };
    format!(
        "build the layers that the file was saved from, or leave these out{and}: `Exceptions::of([{shown}{more}]){converting}`"
    )
}

fn signature(item: Item<'_>) -> (Vec<usize>, DType) {
    match item {
        Item::Param(p) => (p.shape().to_vec(), p.dtype()),
        Item::State(s) => (s.get().shape().to_vec(), s.get().dtype()),
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    fn net() -> Sequential {
        seq![Linear::new(2, 3), BatchNorm1d::new(3), Linear::new(3, 1)]
    }

    #[test]
    fn a_state_dict_loads_into_another_model_and_makes_it_equal() {
        let (a, mut b) = (net(), net());
        let _ = train(|| a.forward(&Tensor::randn([8, 2])));
        let x = Tensor::randn([4, 2]);
        assert_ne!(a.forward(&x).to_vec::<f32>(), b.forward(&x).to_vec::<f32>());
        let report = b.load_state_dict(a.state_dict(), &Exceptions::none()).unwrap();
        assert!(report.is_complete() && report.matched.len() == 8, "{report}");
        assert_eq!(a.forward(&x).to_vec::<f32>(), b.forward(&x).to_vec::<f32>());
    }

    #[test]
    fn what_does_not_match_is_an_error_until_named_and_changes_nothing() {
        let mut b = net();
        let before = b.forward(&Tensor::ones([1, 2])).to_vec::<f32>();
        let mut dict = net().state_dict();
        dict.retain(|(name, _)| name != "0.bias");
        dict.push(("head.weight".into(), Tensor::ones([1])));
        dict.iter_mut().find(|(n, _)| n == "2.weight").unwrap().1 = Tensor::ones([1, 4]);
        let error = b.load_state_dict(dict.clone(), &Exceptions::none()).unwrap_err();
        assert_eq!(
            error.message(),
            "load: the file's weights are not the model's: 6 of 8 matched\n  the file lacks: 0.bias\n  \
             the model lacks: head.weight\n  \
             they differ in: 2.weight: [1, 3] f32 in the model, [1, 4] f32 in the file"
        );
        assert_eq!(
            error.help_text().unwrap(),
            "build the layers that the file was saved from, or leave these out: \
             `Exceptions::of([\"0.bias\", \"head.weight\", \"2.weight\"])`"
        );
        assert_eq!(b.forward(&Tensor::ones([1, 2])).to_vec::<f32>(), before);
        assert!(b.load_state_dict(dict.clone(), &Exceptions::of(["head.*", "0.bias"])).is_err());
        // An exception that fits nothing is a mistake.
        let e = b.load_state_dict(dict.clone(), &Exceptions::of(["zzz.*", "head.*"])).unwrap_err();
        assert_eq!(e.message(), "load: the exception `zzz.*` fits no name of the model or the file");
        let report = b.load_state_dict(dict, &Exceptions::of(["head.*", "0.bias", "2.*"])).unwrap();
        assert_eq!((report.matched.len(), report.missing), (6, vec!["0.bias".to_string()]));
    }

    #[test]
    fn floats_are_converted_when_asked_for_and_each_way_is_said() {
        let to = |dtype: DType| {
            net()
                .state_dict()
                .into_iter()
                .map(move |(n, t)| (n, if t.dtype().is_float() { t.to(dtype) } else { t }))
        };
        for dtype in [DType::F64, DType::F16, DType::BF16] {
            let mut b = net();
            let error = b.load_state_dict(to(dtype), &Exceptions::none()).unwrap_err();
            assert!(error.help_text().unwrap().contains("`Exceptions::none().converting()`"), "{error}");
            let report = b.load_state_dict(to(dtype), &Exceptions::none().converting()).unwrap();
            assert!(report.is_complete());
            assert!(b.state_dict().iter().all(|(_, t)| t.dtype() != dtype));
        }
        let large = to(DType::F64).map(|(n, t)| if n == "2.bias" { (n, t * 0.0 + 1e300) } else { (n, t) });
        let error = net().load_state_dict(large, &Exceptions::none().converting()).unwrap_err();
        assert!(error.help_text().unwrap().contains("too large"), "{error}");
        let error =
            net().load_state_dict([("a".to_string(), Tensor::ones([1]))], &Exceptions::none()).unwrap_err();
        assert!(error.help_text().unwrap().starts_with("the file is of another model"), "{error}");
    }

    #[test]
    fn a_batch_norm_of_pytorch_loads() {
        let mut norm = BatchNorm1d::new(2);
        let mut file = norm.state_dict();
        let counter = ("num_batches_tracked".to_string(), Tensor::from_vec(vec![7i64], [1]).squeeze(0));
        file.push(counter);
        norm.load_state_dict(file.clone(), &Exceptions::none()).unwrap();
        // In another dtype and with a name too many: what fits is converted, and not left out.
        let half = |t: &Tensor| if t.dtype().is_float() { t.to(DType::BF16) } else { t.clone() };
        let mut narrow: Vec<_> = file.iter().map(|(name, t)| (name.clone(), half(t))).collect();
        narrow.push(("extra".into(), Tensor::ones([3])));
        let e = norm.load_state_dict(narrow.clone(), &Exceptions::none()).unwrap_err();
        let help = "leave these out and convert the rest: `Exceptions::of([\"extra\"]).converting()`";
        assert!(e.help_text().is_some_and(|text| text.contains(help)), "{e}");
        let report = norm.load_state_dict(narrow, &Exceptions::of(["extra"]).converting()).unwrap();
        assert_eq!(report.matched.len(), 4);
    }
}
