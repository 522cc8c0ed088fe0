//! `Averaging`: averages of the weights that are judged and saved in place of those that are trained.

use mapsto_nn::Optimizer;
use mapsto_nn::schedules::{Schedule, SwaLr};
use mapsto_spec::{Bounds, Entry, Family, Kind, at_least_1};
use mapsto_tensor::{Error, ErrorKind, Result, fail};

/// What is validated and saved in place of the weights that are trained: a moving average of them (EMA), or their mean after some epochs
/// (SWA).
///
/// [`Averaging::ema`] follows the weights after each step, `a ← decay · a + (1 − decay) · w`, from the beginning of an epoch on; running
/// statistics are taken as they are. [`Averaging::swa`] takes the weights after each epoch into their mean, `a ← a + (w − a) / n`, from the end of an
/// epoch on, and computes the running statistics of batch norms again over the training set before the mean is judged
/// ([`update_bn`](mapsto_nn::update_bn)). Until there is an average, the weights themselves are judged.
///
/// Training goes on at its own weights. The best model, the last state and the model after [`fit`](crate::Trainer::fit) hold the average, and files say
/// so: [`ModelFile::note`](crate::ModelFile::note) of `weights`. A run that is resumed has the same bits as one that was not stopped; one that was interrupted
/// within an epoch leaves the weights of its last step under SWA.
///
/// PyTorch: `swa_utils.AveragedModel` with `update_bn` and `SWALR`; Keras: `use_ema=True` of an optimizer.
///
/// Source: Polyak, Juditsky (1992); Izmailov et al. (2018), Averaging weights leads to wider optima and better generalization,
/// arXiv:1803.05407.
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_nn::prelude::*;
/// use mapsto_nn::schedules::SwaLr;
/// use mapsto_train::{Averaging, Trainer};
/// seed(1);
/// let x = Tensor::linspace(-1.0, 1.0, 64).reshape([64, 1]);
/// let set = InMemory::new(x.clone(), &x * 3.0 + 1.0);
/// let mut line = Linear::new(1, 1);
/// let averaging = Averaging::swa(3).lr(SwaLr::new(0.2, 2));
/// let mut trainer = Trainer::new(Sgd::new(0.5), mse).averaging(averaging).epochs(6).quiet();
/// let history = trainer.fit(&mut line, set.batches(16).shuffle(), set.batches(64))?;
/// let rates: Vec<f64> = history.rows.iter().map(|row| (row.lr * 1e6).round() / 1e6).collect();
/// assert_eq!(rates, [0.5, 0.5, 0.5, 0.35, 0.2, 0.2]); // half of the way after one of two epochs
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Averaging {
    rule: Rule,
    /// The epoch, counted from 1.
    from: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    Ema { decay: f64 },
    Swa { lr: Option<SwaLr> },
}

impl Averaging {
    /// A moving average that keeps this share of itself at each step, from the first one on; 0.999 is usual.
    ///
    /// # Panics
    /// When it is not in 0..1.
    #[must_use]
    #[track_caller]
    pub fn ema(decay: f64) -> Averaging {
        Averaging { rule: Rule::Ema { decay: Bounds::SHARE.check("averaging", "decay", decay) }, from: 1 }
    }

    /// The mean of the weights after this epoch and each later one; epochs count from 1.
    ///
    /// # Panics
    /// When it is 0.
    #[must_use]
    #[track_caller]
    pub fn swa(from: usize) -> Averaging {
        Averaging { rule: Rule::Swa { lr: None }, from: at_least_1("averaging", "from", from) }
    }

    /// The same from another epoch on, counted from 1.
    ///
    /// # Panics
    /// When it is 0.
    #[must_use]
    #[track_caller]
    pub fn from(self, epoch: usize) -> Averaging {
        Averaging { from: at_least_1("averaging", "from", epoch), ..self }
    }

    /// The same with a learning rate for the epochs after the first that is averaged, in place of the schedule: from where it was at the end of
    /// that epoch, by a [`SwaLr`] that counts epochs.
    ///
    /// # Panics
    /// For an EMA, which leaves the learning rate to the schedule.
    #[must_use]
    #[track_caller]
    pub fn lr(self, lr: SwaLr) -> Averaging {
        if let Rule::Ema { .. } = self.rule {
            fail!("averaging", "an EMA has no learning rate of its own"; help = "take a schedule, or `Averaging::swa(from).lr(..)`");
        }
        Averaging { rule: Rule::Swa { lr: Some(lr) }, ..self }
    }

    /// The entry that a file names it by, with every setting.
    #[must_use]
    pub fn entry(&self) -> Entry {
        match self.rule {
            Rule::Ema { decay } => {
                Entry::new(EMA.name).with_option("decay", decay).with_option("from", self.from)
            }
            Rule::Swa { lr } => {
                let entry = Entry::new(SWA.name).with_option("from", self.from);
                let Some((lr, anneal, linear)) = lr.map(|lr| lr.settings()) else { return entry };
                let entry = entry.with_option("lr", lr).with_option("anneal", anneal as usize);
                entry.with_option("linear", linear)
            }
        }
    }

    /// The first epoch that is averaged.
    pub fn first(&self) -> usize {
        self.from
    }

    /// Checks that a training of so many epochs by this optimizer can be averaged.
    ///
    /// # Errors
    /// The optimizer averages itself; the first epoch is after the last of the training.
    pub fn check(&self, optimizer: &dyn Optimizer, epochs: usize) -> Result<()> {
        let refuse = |what: String, help: &str| {
            Err(Error::new(ErrorKind::Usage, format!("averaging: {what}")).help(help))
        };
        if optimizer.shows_other_weights() {
            let what = format!("`{}` averages its weights itself", optimizer.name());
            return refuse(what, "leave one of the two averages out");
        }
        if self.from > epochs {
            let what = format!("it begins with epoch {}, and the training has {epochs}", self.from);
            return refuse(what, "let it begin with an earlier epoch");
        }
        Ok(())
    }

    /// The same in the words of a training file: `{ from = 8, lr = 0.05 }`, under the key that the entry names.
    #[must_use]
    pub fn written(entry: &Entry) -> Entry {
        let mut options = entry.options.iter().cloned();
        let Some((name, value)) = options.next() else { return entry.clone() };
        options.fold(Entry::new(name).with_value(value), |e, (name, value)| e.with_option(name, value))
    }

    /// The share of the past that is kept at each step; none where epochs are averaged.
    pub(crate) fn decay(&self) -> Option<f64> {
        match self.rule {
            Rule::Ema { decay } => Some(decay),
            Rule::Swa { .. } => None,
        }
    }

    /// Whether it sets the learning rate of some epochs.
    pub(crate) fn sets_lr(&self) -> bool {
        matches!(self.rule, Rule::Swa { lr: Some(_) })
    }

    /// The learning rate of an epoch, when it was `base` at the end of the first that is averaged; none up to there.
    pub fn lr_of(&self, epoch: usize, base: f64) -> Option<f64> {
        let Rule::Swa { lr: Some(lr) } = self.rule else { return None };
        (epoch > self.from).then(|| lr.lr((epoch - self.from) as u64, base))
    }

    /// What the weights are that are judged after an epoch, in words; none where they are those that are trained.
    pub(crate) fn weights_after(&self, epoch: usize) -> Option<String> {
        if epoch < self.from {
            return None;
        }
        Some(match self.rule {
            Rule::Ema { decay } => format!("moving average with decay {decay} (EMA)"),
            Rule::Swa { .. } => format!("mean of the epochs {} to {epoch} (SWA)", self.from),
        })
    }
}

/// A kind of average that files can name.
pub type AveragingKind = Kind<Averaging>;

/// Every average of weights that a training file can name.
///
/// ```
/// use mapsto_spec::{Entry, build};
/// use mapsto_train::Averaging;
/// let averaging = build::<Averaging>(&Entry::new("ema").with_option("decay", 0.99), &())?;
/// assert_eq!(*averaging, Averaging::ema(0.99));
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub const AVERAGINGS: &[AveragingKind] = &[EMA, SWA];

impl Family for Averaging {
    const NOUN: &'static str = "average";
    type Given = ();
    fn kinds() -> &'static [AveragingKind] {
        AVERAGINGS
    }
    fn entry_of(averaging: &Averaging, (): &()) -> Option<Entry> {
        Some(averaging.entry())
    }
}

const EMA: AveragingKind = AveragingKind::new(
    "ema",
    "A moving average of the weights, which is judged and saved in place of them.",
    |args, ()| {
        let decay = Bounds::SHARE.option(args, "decay", 0.999)?;
        Ok(Box::new(Averaging::ema(decay).from(mapsto_spec::count_option(args, "from", 1_usize)?)))
    },
)
.options(&[
    ("decay", "the share of the past that the average keeps at each step"),
    ("from", "the epoch with which the average begins"),
])
.example(|| Entry::new("ema").with_option("decay", 0.999));

const SWA: AveragingKind = AveragingKind::new(
    "swa",
    "The mean of the weights after some epochs, which is judged and saved in place of them (Izmailov et al. 2018).",
    |args, ()| {
        let from: usize = args.required("from")?;
        if from == 0 {
            return Err(args.error("from", "`from` must be at least 1, got 0").help("epochs count from 1"));
        }
        let averaging = Averaging::swa(from);
        let Some(lr) = Bounds::AT_LEAST_0.optional(args, "lr")? else {
            for name in ["anneal", "linear"] {
                let given = if name == "anneal" { args.optional::<usize>(name)?.is_some() } else { args.optional::<bool>(name)?.is_some() };
                if given {
                    let error = args.error(name, format!("`{name}` is of the learning rate, and there is no `lr`"));
                    return Err(error.help("give the learning rate of the averaged epochs, such as `lr = 0.05`"));
                }
            }
            return Ok(Box::new(averaging));
        };
        let lr = SwaLr::new(lr, args.get_or("anneal", 10_usize)? as u64);
        let lr = if args.get_or("linear", false)? { lr.linear() } else { lr };
        Ok(Box::new(averaging.lr(lr)))
    },
)
.options(&[
    ("from", "the first epoch whose weights are averaged"),
    ("lr", "the learning rate that the epochs after it go to, in place of the schedule"),
    ("anneal", "over how many epochs it goes there"),
    ("linear", "whether it goes there along a line, and not along half a cosine"),
])
.example(|| Entry::new("swa").with_option("from", 8_usize).with_option("lr", 0.05));

#[test]
fn every_average_says_its_entry() {
    mapsto_spec::check_family::<Averaging>(&[&()]);
    let check = |entry: Entry| mapsto_spec::check_entry::<Averaging>(&entry, &());
    check(Entry::new("ema").with_option("decay", 0.5).with_option("from", 3_usize));
    let swa = Entry::new("swa").with_option("from", 3_usize);
    check(swa.clone());
    check(swa.clone().with_option("lr", 0.25).with_option("anneal", 4_usize).with_option("linear", true));
    for (entry, said) in [
        (Entry::new("swa"), "needs `from`"),
        (Entry::new("swa").with_option("from", 0_usize), "`from` must be at least 1"),
        (swa.clone().with_option("anneal", 4_usize), "there is no `lr`"),
        (swa.with_option("lr", -1.0), "must be finite and at least 0"),
        (Entry::new("ema").with_option("decay", 1.0), "`decay` must be"),
        (Entry::new("ema").with_option("deacy", 0.9), "no option `deacy`"),
    ] {
        let e = mapsto_spec::build::<Averaging>(&entry, &()).unwrap_err();
        assert!(e.message().contains(said), "{e}");
    }
}
