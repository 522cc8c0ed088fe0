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
}

impl Exceptions {
    /// Everything must match.
    pub fn none() -> Exceptions {
        Exceptions::default()
    }

    /// Names that fit one of these patterns (`head.*`) need not match; what does match is loaded all the same.
    pub fn of<S: Into<String>>(patterns: impl IntoIterator<Item = S>) -> Exceptions {
        Exceptions { patterns: patterns.into_iter().map(Into::into).collect() }
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
    /// In both, with different shapes or dtypes, as `name: [model's shape] dtype, found [file's shape] dtype`.
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
        for (what, names) in
            [("missing", &self.missing), ("unexpected", &self.unexpected), ("mismatched", &self.mismatched)]
        {
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

/// Checks everything first and then writes: a model is loaded as a whole or left as it was.
pub(super) fn load<M: Module + ?Sized>(
    model: &mut M,
    tensors: impl IntoIterator<Item = (String, Tensor)>,
    exceptions: &Exceptions,
) -> Result<LoadReport> {
    // Ordered, so that reports are the same every time.
    let mut given: BTreeMap<String, Tensor> = tensors.into_iter().collect();
    let mut fit: HashMap<String, Tensor> = HashMap::new();
    let mut report = LoadReport::default();
    model.visit(&mut Path::new(), &mut |path, item| {
        let (name, want) = (path.to_string(), signature(item));
        match given.remove(&name) {
            None => report.missing.push(name),
            Some(t) if (t.shape(), t.dtype()) == (&want.0[..], want.1) => {
                report.matched.push(name.clone());
                fit.insert(name, t);
            }
            Some(t) => {
                let line = format!("{name}: {:?} {}, found {:?} {}", want.0, want.1, t.shape(), t.dtype());
                report.mismatched.push(line);
            }
        }
    });
    report.unexpected = given.into_keys().collect();

    let excused = |line: &String| exceptions.cover(line.split(": ").next().unwrap_or(line));
    if ![&report.missing, &report.unexpected, &report.mismatched].into_iter().flatten().all(excused) {
        let message = format!("load: the weights do not fit the model: {report}");
        let help = "name what need not match, as in `Exceptions::of([\"head.*\"])`";
        return Err(Error::new(ErrorKind::Model, message).help(help));
    }

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
            "load: the weights do not fit the model: 6 of 8 matched\n  missing: 0.bias\n  unexpected: head.weight\n  \
             mismatched: 2.weight: [1, 3] f32, found [1, 4] f32"
        );
        assert_eq!(b.forward(&Tensor::ones([1, 2])).to_vec::<f32>(), before);
        assert!(b.load_state_dict(dict.clone(), &Exceptions::of(["head.*", "0.bias"])).is_err());
        let report = b.load_state_dict(dict, &Exceptions::of(["head.*", "0.bias", "2.*"])).unwrap();
        assert_eq!((report.matched.len(), report.missing), (6, vec!["0.bias".to_string()]));
    }
}
