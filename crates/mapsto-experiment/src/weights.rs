//! The weights of a model file, which an experiment takes only where the file is of this experiment.

use std::path::Path;

use mapsto::nn::{Exceptions, ModelSpec, ModuleExt};
use mapsto::spec::Json;
use mapsto::training::ModelFile;
use mapsto::{Error, ErrorKind, Result};

use crate::experiment::{Experiment, outputs};
use crate::fingerprint;
use crate::plain::plain;

impl Experiment {
    /// Loads the weights of a model file.
    ///
    /// # Errors
    /// The file is damaged, or of another model.
    pub(crate) fn load(&mut self, path: &Path, except: &Exceptions) -> Result<()> {
        let file = ModelFile::read(path)?;
        self.check(&file, path, except)?;
        file.load_into_except(&mut self.model, except).map(drop).map_err(|e| e.context(path.display()))
    }

    /// Checks that a model file is of this experiment: its classes, layers, preprocessing and weights.
    ///
    /// # Errors
    /// What differs, with the file's name.
    pub(crate) fn check(&self, file: &ModelFile, path: &Path, except: &Exceptions) -> Result<()> {
        let (trained, found) = (&file.info.classes, &self.info.classes);
        if !trained.is_empty() && trained != found {
            let names = |classes: &[String]| {
                let shown: Vec<String> = classes.iter().take(5).map(|name| plain(name)).collect();
                let more = if classes.len() > 5 {
                    format!(" and {} more", classes.len() - 5)
                } else {
                    String::new()
                };
                format!("{}{more}", shown.join(", "))
            };
            let trained = names(trained);
            let found = if found.is_empty() { "no classes".to_string() } else { names(found) };
            let message = format!(
                "{}: the model tells the classes {trained} apart, the data has {found}",
                path.display()
            );
            if self.info.classes.is_empty() {
                return Err(Error::new(ErrorKind::Data, message)
                    .help("the file is of another run: name one of a run that fits the same numbers"));
            }
            return Err(Error::new(ErrorKind::Data, message)
                .help("every answer would be taken for another class: bring the data back as it was when the run was trained"));
        }
        self.model.compare_state_dict(file.tensors.iter().cloned(), except).map_err(|e| {
            let advice = e.help_text().is_some_and(|help| help.starts_with("only dtypes differ"));
            let e = e.context(path.display());
            // The author of a file cannot name exceptions, only choose another model.
            if advice {
                e
            } else {
                e.help("is it of a run with the same [model]? `mapsto summary FILE` lists its layers")
            }
        })?;
        let differs = |what: &str| {
            let message = format!("{}: the model was trained with {what}", path.display());
            Err(Error::new(ErrorKind::Data, message)
                .help("bring data and configuration back as they were when the run was trained"))
        };
        let spec = |json: &Option<Json>| {
            json.as_ref().and_then(|json| ModelSpec::from_json(json).ok()?.rendered().ok())
        };
        if let (Some(trained), Some(found)) = (spec(&file.info.spec), spec(&self.model_info.spec))
            && trained != found
        {
            let at = trained.layers.iter().zip(&found.layers).position(|(a, b)| a != b);
            return differs(&match at {
                Some(i) => format!("{} as layer {i}, and [model] has {}", trained.layers[i], found.layers[i]),
                None => format!(
                    "{} layers for inputs {:?}, and [model] has {} for {:?}",
                    trained.layers.len(),
                    trained.input,
                    found.layers.len(),
                    found.input
                ),
            });
        }
        if let (Some(trained), Some(found)) = (&file.info.preprocess, &self.model_info.preprocess)
            && !is_near(trained, found)
        {
            return differs(&format!("the preprocessing {trained}, and the data now gives {found}"));
        }
        let (trained, found) = (&file.info.features, &self.info.features);
        if !trained.is_empty() && trained != found {
            return differs(&format!("the columns {trained:?}, and [data] has {found:?}"));
        }
        let loss = file.info.built_loss().map_err(|e| e.context(path.display()))?;
        if let Some(loss) = loss.filter(|loss| outputs(&**loss) != self.outputs()) {
            let (trained, found) = (loss.name(), self.loss.name());
            return differs(&format!(
                "the loss `{trained}`, and [train] has `{found}`, which takes outputs for something else"
            ));
        }
        if let Some(saved) = file.note("data") {
            fingerprint::compare(saved, self.fingerprint()?).map_err(|e| e.context(path.display()))?;
        }
        Ok(())
    }
}

/// Whether two values are the same but for rounding, which other processors do otherwise.
fn is_near(a: &Json, b: &Json) -> bool {
    let number = |json: &Json| match json {
        Json::Int(i) => Some(*i as f64),
        Json::Float(x) => Some(*x),
        _ => None,
    };
    match (a, b) {
        (Json::List(a), Json::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_near(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && is_near(a, b))
        }
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-5 * a.abs().max(b.abs()) + 1e-7,
            _ => a == b,
        },
    }
}
