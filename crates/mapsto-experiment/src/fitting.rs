//! Whether a model, a loss, metrics and data fit together, found with one batch before a run folder exists.

use mapsto::data::Sample;
use mapsto::data::transforms::Transform;
use mapsto::graph::Meaning;
use mapsto::nn::Layer;
use mapsto::spec::{Entry, build};
use mapsto::training::Outputs;
use mapsto::training::metrics::Metric;
use mapsto::{DType, Error, ErrorKind, Result, Tensor, catch, no_grad, record};

use crate::experiment::Experiment;
use crate::inputs::prepared;
use crate::plain::plain;

impl Experiment {
    /// Runs one batch through model, loss and metrics, so that what does not fit is found before a run folder exists.
    pub(crate) fn check_fit(&self) -> Result<()> {
        let first: Vec<usize> = (0..self.train.dataset().len().min(2)).collect();
        let Sample { x, y: target } = self.samples(&first)?;
        let x = prepared(self.train.preprocessing(), x)?;
        // Recorded, so that the outputs say what they mean.
        let y = catch(|| record(|| self.model.forward(&x)))?;
        self.check_outputs(&y, &target)?;
        let classes = &self.info.classes;
        if let ([only], true) = (&classes[..], self.outputs() != Outputs::Values) {
            let message =
                format!("the data has one class only, {}: there is nothing to tell apart", plain(only));
            return Err(Error::new(ErrorKind::Data, message).help(
                "is it the column, or the folder, that was meant? each class needs samples of its own",
            ));
        }
        if self.outputs() != Outputs::Values && !classes.is_empty() {
            let width = y.shape().last().copied().unwrap_or(1);
            if y.rank() == 2
                && width != classes.len()
                && !(width == 1 && classes.len() == 2 && target.rank() == 2)
            {
                let message = format!(
                    "the model gives {width} value{}, the data has {} classes: {}",
                    if width == 1 { "" } else { "s" },
                    classes.len(),
                    shortened(classes)
                );
                let error = Error::new(ErrorKind::Model, message);
                let end = format!("end the layers with {{ linear = {} }}", classes.len());
                return Err(error.help(match self.takes_class_ids() {
                    true => end,
                    false => {
                        format!("{end} and choose `loss = \"cross_entropy\"`, or {}", self.numbers_help())
                    }
                }));
            }
        }
        if !classes.is_empty() && !target.dtype().is_float() && !self.takes_class_ids() {
            let name = self.loss.name();
            let message = format!(
                "`{name}` takes no classes, and the data has {}: {}",
                classes.len(),
                shortened(classes)
            );
            let end = match y.shape().last() == Some(&classes.len()) {
                true => String::new(),
                false => format!(" and end the layers with {{ linear = {} }}", classes.len()),
            };
            let error = Error::new(ErrorKind::Usage, message)
                .help(format!("choose `loss = \"cross_entropy\"`{end}, or {}", self.numbers_help()));
            let place = self.config.train.loss.span.map(Into::into);
            return Err(place.into_iter().fold(error, Error::with_span));
        }
        if let (Outputs::Values, [_, gives], [_, wants]) = (self.outputs(), y.shape(), target.shape())
            && *gives != wants * self.loss.values_per_target()
        {
            let values = |n: usize| format!("{n} value{}", if n == 1 { "" } else { "s" });
            let (each, name) = (self.loss.values_per_target(), self.loss.name());
            let message = match each {
                1 => format!("the model gives {}, and there are {} to fit", values(*gives), values(*wants)),
                _ => format!(
                    "the model gives {}, and `{name}` takes {each} for each of the targets, {wants}",
                    values(*gives)
                ),
            };
            let wanted = wants * each;
            let help = format!("end the layers with {{ linear = {wanted} }}");
            return Err(Error::new(ErrorKind::Model, message).help(help));
        }
        let context = |e: Error| {
            e.context(format!("the model's output {:?} and the target {:?}", y.shape(), target.shape()))
        };
        let y = y.detach();
        if let Err(e) = catch(|| self.loss.loss(&y, &target)) {
            // Two rows may all be of a class that weighs nothing.
            self.check_loss_of_each_class().unwrap_or(Err(e)).map_err(context)?;
        }
        for (metric, entry) in self.metrics.iter().zip(&self.config.train.metrics) {
            self.check_scale(&**metric, entry)?;
            let counted = catch(|| metric.count(&y, &target)).and_then(|counts| counts);
            counted.map_err(|e| context(self.metric_advice(entry, e)))?;
        }
        self.check_mixing(&y, &target)
    }

    /// Finds a loss or a metric that does not take the probabilities which mixed samples have in place of class ids.
    fn check_mixing(&self, y: &Tensor, target: &Tensor) -> Result<()> {
        let mixes =
            |entry: &&Entry| build::<dyn Transform>(entry, &()).is_ok_and(|transform| transform.mixes());
        let Some(mix) = self.config.data.augment.iter().find(mixes) else { return Ok(()) };
        if target.dtype().is_float() || target.rank() != 1 {
            return Ok(());
        }
        let soft = target.to(DType::I64).one_hot(self.info.classes.len()).to(DType::F32);
        let refused = |what: &str, name: &str, help: &str| {
            let message = format!(
                "`{}` makes probabilities of class ids, which the {what} `{name}` does not take",
                mix.name
            );
            let error = Error::new(ErrorKind::Usage, message).help(help);
            Err(mix.span.into_iter().fold(error, |e, span| e.with_span(span.into())))
        };
        if catch(|| self.loss.loss(y, &soft)).is_err() {
            let help = format!("choose `loss = \"cross_entropy\"`, or leave `{}` out", mix.name);
            return refused("loss", &self.loss.name(), &help);
        }
        for (metric, entry) in self.metrics.iter().zip(&self.config.train.metrics) {
            if catch(|| metric.count(y, &soft)).and_then(|counts| counts).is_err() {
                let help = format!("leave `{}` or the metric out; `accuracy` takes both", mix.name);
                return refused("metric", &entry.name, &help);
            }
        }
        Ok(())
    }

    /// The loss of a batch with a sample of each class that is soon found; nothing where targets are no classes.
    fn check_loss_of_each_class(&self) -> Option<Result<()>> {
        const SOON: usize = 4096;
        let mut found: Vec<Option<usize>> = vec![None; self.info.classes.len()];
        for i in 0..self.train.dataset().len().min(SOON) {
            let target = self.samples(&[i]).ok()?.y;
            if target.dtype().is_float() || target.len() != 1 {
                return None;
            }
            found.get_mut(target.item() as usize)?.get_or_insert(i);
            if found.iter().all(Option::is_some) {
                break;
            }
        }
        let indices: Vec<usize> = found.into_iter().flatten().collect();
        let loss = || -> Result<()> {
            let Sample { x, y: target } = self.samples(&indices)?;
            let x = prepared(self.train.preprocessing(), x)?;
            let y = catch(|| no_grad(|| self.model.forward(&x)))?;
            catch(|| self.loss.loss(&y, &target)).map(drop)
        };
        (!indices.is_empty()).then(loss)
    }

    /// Finds a last layer or a column that the loss would train badly with, and without a word.
    fn check_outputs(&self, y: &Tensor, target: &Tensor) -> Result<()> {
        let (outputs, name) = (self.outputs(), self.loss.name());
        let as_usage = |e: &Error| {
            let usage = Error::new(ErrorKind::Usage, e.message()).help(e.help_text().unwrap_or_default());
            let last = self.config.model.layers.last().and_then(|layer| layer.span);
            last.map(Into::into).into_iter().fold(usage, Error::with_span)
        };
        outputs.check(&name, y).map_err(|e| as_usage(&e))?;
        let of_classes = matches!(outputs, Outputs::Logits | Outputs::LogProbabilities);
        if of_classes
            && self.info.classes.is_empty()
            && target.dtype().is_float()
            && target.shape()[1..] == [1]
        {
            let column = match self.config.data.set.option("target") {
                Some(column) => format!("the target {column} is a column of numbers"),
                None => "the targets are numbers".to_string(),
            };
            let error = Error::new(ErrorKind::Usage, format!("`{name}` tells classes apart, and {column}"));
            let error = error.help("name a column of classes with `class = \"..\"` in [data], or fit numbers with `loss = \"mse\"`");
            let place = self.config.train.loss.span.map(Into::into);
            return Err(place.into_iter().fold(error, Error::with_span));
        }
        if outputs == Outputs::Values && target.dtype().is_float() {
            return self.check_reach(y).map_err(|e| as_usage(&e));
        }
        Ok(())
    }

    /// Finds a last layer that cannot give a single one of the targets: `sigmoid` before prices in thousands.
    fn check_reach(&self, y: &Tensor) -> Result<()> {
        const ENOUGH: usize = 64;
        let Some((meaning, by)) = y.meaning() else { return Ok(()) };
        let (low, high) = match meaning {
            Meaning::Probabilities | Meaning::Distribution => (0.0, 1.0),
            Meaning::Bounded => (-1.0, 1.0),
            Meaning::Rectified => (Meaning::LEAST_RECTIFIED, f64::INFINITY),
            Meaning::LogProbabilities | Meaning::LogDistribution => (f64::NEG_INFINITY, 0.0),
            // Scores reach everywhere, and a constant is found by the loss.
            _ => return Ok(()),
        };
        let some: Vec<usize> = (0..self.train.dataset().len().min(ENOUGH)).collect();
        let targets = self.samples(&some)?.y;
        let (least, most) = (targets.min(..).item(), targets.max(..).item());
        if most >= low && least <= high {
            return Ok(());
        }
        let message =
            format!("`{by}` ends the model and cannot give the targets, which reach from {least} to {most}");
        Err(Error::new(ErrorKind::Usage, message).help(format!("leave `{by}` out at the end of the model")))
    }

    /// Samples of the training set as they are before any preprocessing: the cells of tables with all their digits.
    pub(crate) fn samples(&self, indices: &[usize]) -> Result<Sample> {
        let set = self.train.dataset();
        match set.exact_batch(indices)? {
            Some(samples) => Ok(samples),
            None => set.batch(indices),
        }
    }

    /// Whether the loss takes class ids, one a sample.
    fn takes_class_ids(&self) -> bool {
        matches!(self.outputs(), Outputs::Logits | Outputs::LogProbabilities)
    }

    /// How data gives numbers to a loss that takes no classes.
    fn numbers_help(&self) -> String {
        let name = self.loss.name();
        let what = if self.outputs() == Outputs::Values { "numbers" } else { "0 and 1" };
        match self.config.data.set.option("class") {
            Some(_) => format!("give `{name}` a column of {what} with `target = \"..\"` in place of `class`"),
            None => format!("keep `{name}` for data whose targets are {what}"),
        }
    }

    /// Finds a metric that takes the outputs for something else than the loss does.
    fn check_scale(&self, metric: &dyn Metric, entry: &Entry) -> Result<()> {
        if self.loss.takes_logarithms() && metric.outputs().is_none() && !is_of_order(metric) {
            let message = format!(
                "`{}` compares the outputs with the targets, and `{}` takes them for logarithms of these",
                entry.name,
                self.loss.name()
            );
            let error = Error::new(ErrorKind::Usage, message).help(
                "write `log_input = false` in the loss and end the layers with \"softplus\", so that the model gives the \
                 numbers themselves; or take a metric of their order, `metrics = [\"spearman\"]`",
            );
            return Err(entry.span.into_iter().fold(error, |e, span| e.with_span(span.into())));
        }
        let given = match self.outputs() {
            Outputs::Logit => Outputs::Logits,
            given => given,
        };
        let Some(taken) = metric.outputs().filter(|taken| *taken != given) else { return Ok(()) };
        let word = |outputs| match outputs {
            Outputs::Probabilities => "probabilities",
            Outputs::LogProbabilities => "log_probabilities",
            Outputs::Values => "plain numbers",
            _ => "logits",
        };
        let (loss, name) = (self.loss.name(), &entry.name);
        let message =
            format!("`{name}` takes the outputs for {}, and `{loss}` for {}", word(taken), word(given));
        let error = Error::new(ErrorKind::Usage, message).help(match given {
            Outputs::Values => {
                format!("`{name}` judges probabilities: take `metrics = [\"mae\"]` or `[\"r2\"]`")
            }
            given => {
                let with = entry.clone();
                let with = Entry {
                    options: with.options.into_iter().filter(|(n, _)| n != "outputs").collect(),
                    ..with
                };
                format!("write `metrics = [{}]`", with.with_option("outputs", word(given)))
            }
        });
        Err(entry.span.into_iter().fold(error, |e, span| e.with_span(span.into())))
    }

    /// A metric's refusal with a help that a file can follow: which metrics are for numbers, or which threshold.
    fn metric_advice(&self, entry: &Entry, e: Error) -> Error {
        let threshold = match self.outputs() {
            Outputs::Values => {
                return e.help(format!(
                    "`{}` judges classes, and `{}` fits numbers: take `metrics = [\"mae\"]` or `[\"rmse\"]`",
                    entry.name,
                    self.loss.name()
                ));
            }
            Outputs::Logit => 0.0,
            Outputs::Probabilities => 0.5,
            Outputs::Logits | Outputs::LogProbabilities => return judges_values(entry, e, &self.loss.name()),
        };
        let with = entry.clone().with_option("threshold", threshold);
        match entry.option("threshold").is_none() && build::<dyn Metric>(&with, &()).is_ok() {
            true => e.help(format!("write the threshold: `metrics = [{with}]`")),
            false => e,
        }
    }
}

/// Whether a metric sees the order of numbers alone, so that it judges logarithms as it judges the numbers.
fn is_of_order(metric: &dyn Metric) -> bool {
    let target = Tensor::from_vec(vec![1.0f32, 2.0, 5.0, 3.0], [4, 1]);
    let value = |y: &Tensor| {
        catch(|| metric.count(y, &target)).and_then(|counts| counts).map(|counts| metric.value(&counts))
    };
    matches!((value(&target), value(&target.log())), (Ok(a), Ok(b)) if a == b)
}

/// A refusal of classes by a metric that takes values, with a help that says so.
fn judges_values(entry: &Entry, e: Error, loss: &str) -> Error {
    let values = Tensor::zeros([2, 1]);
    let takes =
        |metric: &dyn Metric| catch(|| metric.count(&values, &values)).and_then(|counts| counts).is_ok();
    match build::<dyn Metric>(entry, &()).is_ok_and(|metric| takes(&*metric)) {
        true => e.help(format!(
            "`{}` judges numbers, and `{loss}` tells classes apart: take `metrics = [\"accuracy\"]`",
            entry.name
        )),
        false => e,
    }
}

fn shortened(names: &[String]) -> String {
    const MOST: usize = 12;
    let shown = names.iter().take(MOST).map(|name| plain(name)).collect::<Vec<_>>().join(", ");
    if names.len() > MOST { format!("{shown}, …") } else { shown }
}
