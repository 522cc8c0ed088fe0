//! `Experiment`: a configuration brought to life: data opened and split, layers built, trainer put together.

use std::cell::{Cell, OnceCell};
use std::path::Path;
use std::sync::Arc;

use mapsto::data::transforms::Transform;
use mapsto::data::{Dataset, Info, Loader, Preprocess, Weighted, sets};
use mapsto::nn::{Horizon, Layer, Loss, ModelSpec, Optimizer, Schedule, Sequential};
use mapsto::spec::{Entry, Family, FromValue, Json, Value, build, filled, find};
use mapsto::training::callbacks::{Callback, Health, MetricsLog};
use mapsto::training::metrics::Metric;
use mapsto::training::{Averaging, Evaluation, ModelInfo, Outputs, Trainer, evaluate};
use mapsto::{Device, Error, ErrorKind, Result, Tensor, catch, no_grad};

use crate::balance;
use crate::config::Config;
use crate::lr_find::{check_auto, for_now, is_auto, unsettled};
use crate::parts::{Parts, Rows, Samples, divide};
use crate::preflight::Preflight;
use crate::tabular::{self, Understood};
use crate::watching::{HEALTH, is_bystander};
use crate::{averages, fingerprint, inits};

/// Everything a run needs, checked: data, split, preprocessing, model, loss and metrics.
///
/// ```
/// use mapsto_experiment::Config;
/// let file = "[data]\nset = 'csv'\npath = '../../data/iris/iris.csv'\nclass = 'species'\nstandardize = true\n\
///             [model]\nlayers = [{ linear = 16 }, 'tanh', { linear = 3 }]\n\
///             [train]\nloss = 'cross_entropy'\nmetrics = ['accuracy']\noptimizer = { adam = 1e-2 }\nepochs = 40\n";
/// let folder = std::env::temp_dir().join(format!("mapsto-experiment-{}", std::process::id()));
/// let overrides = [mapsto_experiment::Override::new("train.out", folder.display())];
/// let experiment = Config::parse(file, &overrides)?.prepare(|note| eprintln!("note: {note}"))?;
/// assert_eq!(experiment.train.dataset().len(), 108);
/// let trained = experiment.train(|trainer| trainer)?;
/// let found = mapsto_experiment::Run::open(trained.folder().path())?.evaluate()?;
/// assert!(found.value("accuracy").unwrap_or(0.0) > 0.9);
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), mapsto::Error>(())
/// ```
pub struct Experiment {
    /// The configuration with every default filled in.
    pub config: Config,
    /// The model, its weights drawn with the seed.
    pub model: Sequential,
    /// Batches to learn from.
    pub train: Loader,
    /// Batches to watch the training by.
    pub validation: Option<Loader>,
    /// Batches that are looked at once, at the end.
    pub test: Option<Loader>,
    /// What is known about the data.
    pub info: Info,
    /// What was understood of the columns of a table; none where all are numbers that are taken as they are.
    pub understood: Vec<Understood>,
    /// Which rows of its file the test samples are taken of, where rows were left out.
    kept: Option<Vec<usize>>,
    /// What travels with the weights.
    pub(crate) model_info: ModelInfo,
    /// Which samples of the data serve for what, by their place in it.
    pub(crate) rows: Rows,
    /// What the data was when it was first asked for; see [`Experiment::fingerprint`].
    fingerprint: OnceCell<String>,
    /// What was found before the first step, once it was asked for.
    pub(crate) preflight: OnceCell<Preflight>,
    /// The learning rate that a range test found, once it was asked for.
    pub(crate) auto_rate: OnceCell<f64>,
    /// Set once every sample that is held out has been read and found good.
    pub(crate) is_held_out_read: Cell<bool>,
    pub(crate) loss: Box<dyn Loss>,
    pub(crate) metrics: Vec<Box<dyn Metric>>,
}

impl Config {
    /// Opens the data and builds the model, and checks that they, the loss and the metrics fit together; nothing is written.
    ///
    /// `note` is told what the data's reader should know, such as files that were left out. The number of threads and the seed of
    /// this thread's randomness are set to those of `[train]`.
    ///
    /// # Errors
    /// Data that is missing, damaged or out of range; a model that does not fit it; an unknown name or option.
    pub fn prepare(self, mut note: impl FnMut(&str)) -> Result<Experiment> {
        // A program may have written into the fields, which are then checked as the text of a file is.
        Config::parse(&self.render(), &[])?;
        let sources = self.sources.clone();
        Experiment::of(self, &mut note).map_err(|e| sources.locate(e))
    }
}

impl Experiment {
    /// The experiment of a configuration; the spans of errors point into its sources.
    fn of(mut config: Config, note: &mut dyn FnMut(&str)) -> Result<Experiment> {
        mapsto::set_threads(config.train.threads);
        // What costs nothing to check comes before what is slow to open.
        // Classes have numbers once the data is known that names them.
        let names_classes = config.train.metrics.iter().any(balance::names_class);
        let filled_metrics =
            if names_classes { None } else { Some(fill::<dyn Metric>(&mut config.train.metrics)?) };
        let (_, entry) = filled::<dyn Loss>(&config.train.loss, &())?;
        config.train.loss = entry;
        let is_auto = is_auto(&config.train.optimizer);
        if is_auto {
            check_auto(&config.train.optimizer)?;
        }
        let (optimizer, entry) = filled::<dyn Optimizer>(&for_now(&config.train.optimizer), &())?;
        config.train.optimizer = if is_auto { unsettled(&entry) } else { entry };
        averages::fill(&mut config.train, &*optimizer)?;
        inits::fill(&mut config.model.init)?;
        if let Some(schedule) = &mut config.train.schedule {
            let horizon = Horizon { steps: config.train.epochs as u64, epoch: 1 };
            let (built, said) = filled::<dyn Schedule>(schedule, &horizon)?;
            if built.momentum(0).is_some() && optimizer.momentum().is_none() {
                let message = format!(
                    "`{}` cycles the momentum, and the optimizer `{}` has none",
                    schedule.name, config.train.optimizer.name
                );
                let error = Error::new(ErrorKind::Usage, message)
                    .help("write `optimizer = { sgd = 0.1, momentum = 0.9 }`, take one with `beta1`, such as `adam`, or leave out `cycle_momentum`");
                return Err(schedule.span.into_iter().fold(error, |e, span| e.with_span(span.into())));
            }
            *schedule = said;
        }
        let augment = fill::<dyn Transform>(&mut config.data.augment)?
            .into_iter()
            .map(Arc::from)
            .collect::<Vec<Arc<dyn Transform>>>();
        _ = Preprocess::from_entries(&config.data.preprocess)?;
        if !names_classes {
            add_callbacks(&mut config);
        }
        fill::<dyn Callback>(&mut config.train.callbacks)?;
        check_rates(&config)?;
        check_layers(&config)?;

        let (opened, set) =
            sets::from_entry(&config.data.set).map_err(|e| config.data.explain(missing(e)))?;
        config.data.set = set;
        opened.left_out.iter().for_each(|what| note(what));
        let mut opened = opened;
        let kept = if opened.test.is_some() && config.fold.is_none() {
            opened.kept_test.take()
        } else {
            opened.kept.take()
        };
        let info = opened.train.info();
        tabular::prepare(&mut config, &info.columns)?;
        let preprocess = Preprocess::from_entries(&config.data.preprocess)?;
        if let Some(e) = opened.too_large.as_ref().filter(|_| config.data.preprocess.is_empty()) {
            return Err(e.clone());
        }
        let standardized = config
            .data
            .preprocess
            .iter()
            .any(|step| ["standardize", "columns"].contains(&step.name.as_str()));
        for rounded in opened.rounded.iter().filter(|rounded| rounded.is_target || !standardized) {
            let help = match rounded.is_target {
                true => {
                    "subtract a common number from the column, or divide it: targets are not standardized"
                }
                false => "`standardize = true` in [data] keeps them apart",
            };
            note(&format!("{rounded}; {help}"));
        }
        let parts = divide(&mut config, opened)?;
        let labels = balance::labels(&*parts.train)?;
        balance::apply(&mut config, &info.classes, &labels)?;
        let metrics = match filled_metrics {
            Some(metrics) => metrics,
            None => {
                let names = if info.classes.is_empty() { &info.targets } else { &info.classes };
                for entry in &mut config.train.metrics {
                    *entry = balance::numbered(entry, names)?;
                }
                let metrics = fill::<dyn Metric>(&mut config.train.metrics)?;
                add_callbacks(&mut config);
                fill::<dyn Callback>(&mut config.train.callbacks)?;
                metrics
            }
        };
        let (loss, _) = filled::<dyn Loss>(&config.train.loss, &())?;
        let preprocess = preprocess.fit(&*parts.train).map_err(|e| at_entries(e, &config.data.preprocess))?;
        tabular::complete(&mut config, &preprocess, &*parts.train)?;
        let understood = tabular::understood(&info.columns, &preprocess);
        let spec = model_spec(&mut config, &parts, &augment, &preprocess)?;
        mapsto::seed(config.train.seed);
        let mut model = spec.build()?;
        inits::begin(&mut model, &config.model.init)?;
        if config.model.lsuv {
            let first: Vec<usize> = (0..parts.train.len().min(config.data.batch)).collect();
            let mut probe = Loader::new(parts.train.subset(first), config.data.batch)
                .preprocess(preprocess.clone())
                .epoch(0);
            if let Some(batch) = probe.next() {
                inits::level(&mut model, &batch?.x)?;
            }
        }
        check_groups(&config, &model)?;
        let spec = spec.rendered()?;
        config.model.layers = spec.layers.clone();

        let loader = |set: Samples| {
            let loader = Loader::new(set, config.data.batch).seed(config.train.seed);
            loader.workers(config.data.workers).preprocess(preprocess.clone())
        };
        let rows = parts.rows;
        let most = |batches: usize| batches.saturating_mul(config.data.batch);
        let test = match (config.train.dev_run, config.train.overfit_batches) {
            (Some(batches), _) => parts.test.map(|set| -> Samples {
                let first: Vec<usize> = (0..set.len().min(most(batches))).collect();
                Arc::new(set.subset(first))
            }),
            // What was learnt by heart is not judged.
            (None, Some(_)) => None,
            (None, None) => parts.test,
        };
        let (validation, test) = (parts.validation.map(loader), test.map(loader));
        let mut train = loader(parts.train);
        if config.data.sampler.is_some() {
            train = train.sampler(Weighted::balanced(&labels));
        } else if config.data.shuffle {
            train = train.shuffle();
        }
        let train = augment.into_iter().fold(train, Loader::transform);
        let entries = preprocess.entries().iter().map(Entry::to_json).collect();
        let model_info = ModelInfo {
            spec: Some(spec.to_json()),
            preprocess: Some(Json::List(entries)),
            classes: info.classes.clone(),
            loss: Some(config.train.loss.to_json()),
            features: info.features.clone(),
            targets: info.targets.clone(),
            temperature: None,
        };
        let experiment = Experiment {
            config,
            model,
            train,
            validation,
            test,
            info,
            understood,
            kept,
            model_info,
            rows,
            fingerprint: OnceCell::new(),
            preflight: OnceCell::new(),
            auto_rate: OnceCell::new(),
            is_held_out_read: Cell::new(false),
            loss,
            metrics,
        };
        experiment.check_fit()?;
        Ok(experiment)
    }

    /// By what the data is known again: its files as they were when this was first asked for, which is before the first step. Files
    /// that grow while a run is under way do not change what it was made of.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn fingerprint(&self) -> Result<&str> {
        if let Some(found) = self.fingerprint.get() {
            return Ok(found);
        }
        let found = fingerprint::fingerprint(self)?;
        Ok(self.fingerprint.get_or_init(|| found))
    }

    /// The trainer of this experiment, which shows no progress; the callbacks write into `folder`.
    ///
    /// # Errors
    /// None that opening has not found.
    pub(crate) fn trainer(&self, folder: &Path) -> Result<Trainer> {
        let train = &self.config.train;
        let mut trainer = Trainer::boxed(
            build::<dyn Optimizer>(&train.optimizer, &())?,
            build::<dyn Loss>(&train.loss, &())?,
        )
        .epochs(train.epochs)
        .seed(train.seed)
        .accumulate(train.accumulate)
        .precision(train.precision)
        .folder(folder)
        .quiet()
        .info(self.model_info.clone());
        for entry in &train.metrics {
            trainer = trainer.boxed_metric(build::<dyn Metric>(entry, &())?);
        }
        if let Some(schedule) = &train.schedule {
            trainer = trainer.boxed_schedule(build::<dyn Schedule>(schedule, &self.horizon())?);
        }
        if let Some(averaging) = &train.averaging {
            trainer = trainer.averaging(*build::<Averaging>(averaging, &())?);
        }
        if let Some(most) = train.clip_norm {
            trainer = trainer.clip_norm(most);
        }
        if let Some(batches) = train.overfit_batches {
            trainer = trainer.overfit_batches(batches);
        }
        if let Some(batches) = train.dev_run {
            trainer = trainer.limit_batches(batches).epochs(self.epochs_of_dev_run()?);
        }
        // Those that a resumed run may add or leave out come last: the state of the others is known by their place.
        let (last, first): (Vec<&Entry>, Vec<&Entry>) = train.callbacks.iter().partition(|c| is_bystander(c));
        for entry in first {
            trainer = trainer.boxed_callback(build::<dyn Callback>(entry, &())?);
        }
        trainer = trainer.on(MetricsLog::new());
        let watches_health = last.iter().any(|entry| entry.name == HEALTH);
        for entry in last {
            trainer = trainer.boxed_callback(build::<dyn Callback>(entry, &())?);
        }
        Ok(if train.health && !watches_health { trainer.on(Health::new()) } else { trainer })
    }

    /// One, or as many as an average of the weights needs to begin.
    fn epochs_of_dev_run(&self) -> Result<usize> {
        let train = &self.config.train;
        let average = train.averaging.as_ref().map(|entry| build::<Averaging>(entry, &())).transpose()?;
        Ok(average.map_or(1, |average| average.first()).clamp(1, train.epochs))
    }

    /// The steps of the training.
    pub(crate) fn horizon(&self) -> Horizon {
        let train = &self.config.train;
        let most = train.dev_run.or(train.overfit_batches).unwrap_or(usize::MAX);
        let epoch = self.train.len().min(most).div_ceil(train.accumulate) as u64;
        Horizon { steps: epoch.saturating_mul(train.epochs as u64), epoch }
    }

    /// The learning rate of each step of the training, as its schedule will have it, and the steps of an epoch.
    ///
    /// # Errors
    /// Those of [`auto_rate`](Experiment::auto_rate); more steps than can be drawn.
    pub fn learning_rates(&self) -> Result<(Vec<f64>, u64)> {
        let (horizon, train) = (self.horizon(), &self.config.train);
        let base = match self.auto_rate()? {
            Some(rate) => rate,
            None => build::<dyn Optimizer>(&train.optimizer, &())?.lr(),
        };
        let schedule =
            train.schedule.as_ref().map(|entry| build::<dyn Schedule>(entry, &horizon)).transpose()?;
        const MOST: u64 = 10_000_000;
        if horizon.steps > MOST {
            let message =
                format!("the training has {} steps, of which at most {MOST} can be drawn", horizon.steps);
            return Err(Error::new(ErrorKind::Usage, message).help("draw it with fewer epochs"));
        }
        let averaging = train.averaging.as_ref().map(|entry| build::<Averaging>(entry, &())).transpose()?;
        let plain = |t| schedule.as_ref().map_or(base, |schedule| schedule.lr(t, base));
        let rate = |t: u64| {
            let of_average = averaging.as_ref().and_then(|averaging| {
                let last = (averaging.first() as u64 * horizon.epoch).saturating_sub(1);
                averaging.lr_of((t / horizon.epoch.max(1)) as usize + 1, plain(last))
            });
            of_average.unwrap_or_else(|| plain(t))
        };
        Ok(((0..horizon.steps).map(rate).collect(), horizon.epoch))
    }

    /// The loss and metrics of the model, as it is now, on a loader.
    ///
    /// # Errors
    /// A damaged sample.
    pub fn evaluate(&self, loader: &Loader) -> Result<Evaluation> {
        let metrics: Vec<&dyn Metric> = self.metrics.iter().map(|metric| &**metric).collect();
        evaluate(&self.model, loader, &*self.loss, &metrics)
    }

    /// What the model's outputs mean.
    pub fn outputs(&self) -> Outputs {
        outputs(&*self.loss)
    }

    /// From which output on a metric takes a single one for class 1, where one says so: the first.
    pub(crate) fn threshold(&self) -> Option<f64> {
        let metrics = self.metrics.iter().filter_map(|metric| metric.entry());
        metrics.filter_map(|entry| f64::from_value(entry.option("threshold")?)).next()
    }

    /// What each test sample is called in `predictions.csv`: a heading, and the row of a table, counted from 1, the file, or the
    /// place in the set.
    pub(crate) fn test_names(&self) -> (&'static str, Vec<String>) {
        let Some(test) = &self.test else { return ("index", Vec::new()) };
        let is_table = !self.info.features.is_empty();
        let file = |i: usize| {
            let name = test.dataset().name(i);
            name.split_once(" (").and_then(|(_, file)| file.strip_suffix(')')).map(str::to_string)
        };
        let row = |place: usize| self.kept.as_ref().map_or(place, |kept| kept[place]);
        let places = self.rows.test.iter();
        match file(0) {
            Some(_) => ("file", (0..test.dataset().len()).map(|i| file(i).unwrap_or_default()).collect()),
            None if is_table => ("row", places.map(|&place| (row(place) + 1).to_string()).collect()),
            None => ("index", places.map(usize::to_string).collect()),
        }
    }
}

/// What a model's outputs mean, told by the loss it was trained with.
pub(crate) fn outputs(loss: &dyn Loss) -> Outputs {
    loss.outputs().unwrap_or(Outputs::Values)
}

/// Says of a file that is not there where it was looked for.
fn missing(e: Error) -> Error {
    match e.kind() == ErrorKind::Io && e.help_text().is_none() {
        true => e.help("a path in a file is relative to that file, one in a flag to the current folder"),
        false => e,
    }
}

/// Whether a model takes inputs of another shape than it is built for, as one that ends with an adaptive pooling does.
fn takes(spec: &ModelSpec, input: &[usize]) -> Result<bool> {
    let (model, dtype) = (spec.outline()?, spec.input_dtype()?);
    let batch: Vec<usize> = [1].iter().chain(input).copied().collect();
    let forward = || no_grad(|| model.forward(&Tensor::zeros(&batch[..]).to(dtype)));
    Ok(Device::shape().scope(|| catch(forward)).is_ok())
}

/// An error about a list of entries as a whole, with the place of the list.
fn at_entries(e: Error, entries: &[Entry]) -> Error {
    let spans = || entries.iter().filter_map(|entry| entry.span);
    match (spans().next(), spans().next_back()) {
        (Some(first), Some(last)) if e.span().is_none() => e.with_span(first.start..last.end),
        _ => e,
    }
}

/// Builds what each entry names and writes its defaults into it.
fn fill<T: Family<Given = ()> + ?Sized>(entries: &mut [Entry]) -> Result<Vec<Box<T>>> {
    let one = |entry: &mut Entry| {
        let (built, said) = filled::<T>(entry, &())?;
        *entry = said;
        Ok(built)
    };
    entries.iter_mut().map(one).collect()
}

/// Every run keeps its best and its last state; what "best" watches is the first metric, or else the loss.
pub(crate) fn add_callbacks(config: &mut Config) {
    let first = config.train.metrics.first().and_then(|entry| build::<dyn Metric>(entry, &()).ok());
    let callbacks = &mut config.train.callbacks;
    let prefix = if config.data.validation > 0.0 { "val " } else { "" };
    let column = first.map_or("loss".to_string(), |metric| metric.name());
    let column = format!("{prefix}{column}");
    match callbacks.iter_mut().find(|c| c.name == "best") {
        // Written down without a column, it watches what it does where it is not written down.
        Some(best) if matches!(best.value, None | Some(Value::Bool(true))) => {
            best.value = Some(column.into())
        }
        Some(_) => {}
        None => callbacks.push(Entry::new("best").with_value(column)),
    }
    if !callbacks.iter().any(|c| c.name == "last") {
        callbacks.push(Entry::new("last"));
    }
    let column = callbacks.iter().find(|c| c.name == "best").and_then(|best| best.value.clone());
    for kept in callbacks.iter_mut().filter(|c| c.name == "keep_best" && c.option("watch").is_none()) {
        *kept =
            column.clone().into_iter().fold(kept.clone(), |kept, column| kept.with_option("watch", column));
    }
}

/// Finds a callback that sets the learning rate beside what sets it at every step.
fn check_rates(config: &Config) -> Result<()> {
    let train = &config.train;
    let Some(callback) = train.callbacks.iter().find(|c| c.name == "reduce_on_plateau") else {
        return Ok(());
    };
    let swa = || train.averaging.iter().any(|entry| entry.option("lr").is_some());
    let other = match train.schedule {
        Some(_) => "`schedule`",
        None if swa() => "`lr` of `swa`",
        None => return Ok(()),
    };
    let message = format!("`{}` and {other} both set the learning rate", callback.name);
    let error = Error::new(ErrorKind::Usage, message).help("leave one of the two out");
    Err(callback.span.into_iter().fold(error, |e, span| e.with_span(span.into())))
}

/// Finds groups of the optimizer that fit no parameter.
fn check_groups(config: &Config, model: &Sequential) -> Result<()> {
    let optimizer = &config.train.optimizer;
    build::<dyn Optimizer>(&for_now(optimizer), &())?.check(model).map_err(|e| {
        let help = e.help_text().map_or(String::new(), |help| format!("{help}; "));
        let usage = Error::new(ErrorKind::Usage, e.message())
            .help(format!("{help}a group is `{{ \"0.*\" = true, lr = 0.1 }}`"));
        optimizer.option_span("groups").into_iter().fold(usage, |usage, span| usage.with_span(span.into()))
    })
}

/// Finds unknown layers and options before the data is opened, wherever the input shape is known.
fn check_layers(config: &Config) -> Result<()> {
    for layer in &config.model.layers {
        find::<dyn Layer>(layer)?;
    }
    let Some(input) = &config.model.input else { return Ok(()) };
    ModelSpec::new(input.clone(), config.model.layers.clone()).shapes().map(drop)
}

/// The model's specification, its input shape taken from the data, or checked against it.
fn model_spec(
    config: &mut Config,
    parts: &Parts,
    augment: &[Arc<dyn Transform>],
    preprocess: &Preprocess,
) -> Result<ModelSpec> {
    let probe = Loader::new(parts.train.subset([0]), 1).preprocess(preprocess.clone());
    let one =
        |probe: &Loader| probe.epoch(0).next().unwrap_or_else(|| unreachable!("one sample is one batch"));
    let plain = one(&probe)?.x.shape()[1..].to_vec();
    let changed = augment.iter().fold(probe, |probe, transform| probe.transform(transform.clone()));
    let batch = one(&changed)?;
    let found = batch.x.shape()[1..].to_vec();
    let input = config.model.input.get_or_insert_with(|| found.clone());
    if *input != found {
        let message = format!("[model] input is {input:?}, the data's is {found:?}");
        return Err(Error::new(ErrorKind::Model, message).help("leave `input` out to take the data's"));
    }
    let spec = ModelSpec::new(found, config.model.layers.clone());
    if batch.x.dtype().is_float() && !spec.input_dtype()?.is_float() {
        let (data, layers) = (&config.data.set.name, &config.model.layers);
        let message = format!(
            "the model takes ids, which are whole numbers, and the set `{data}` gives {}",
            batch.x.dtype()
        );
        return Err(at_entries(Error::new(ErrorKind::Model, message), layers.get(..1).unwrap_or_default())
            .help("begin the model with a layer that takes numbers, such as `linear`; ids come from a program's own `Dataset`"));
    }
    if plain != spec.input && !takes(&spec, &plain)? {
        let message = format!(
            "`augment` makes inputs of {found:?} for training, and the model does not take those of {plain:?} that validation, test and prediction have",
            found = spec.input
        );
        return Err(at_entries(Error::new(ErrorKind::Model, message), &config.data.augment)
            .help(format!("keep the size, as `padding` does of a crop, or bring all inputs to the other one with `preprocess = [{{ resize = {:?} }}]`", spec.input.get(1..).unwrap_or_default())));
    }
    Ok(spec)
}
