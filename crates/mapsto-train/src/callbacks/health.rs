//! The health of a training: gradients, changes and dead units of each layer, looked at every so often, and said once where they are bad.

use super::{Callback, CallbackKind, Inside, Moment, Run};
use crate::atomic_file::write_within;
use crate::readable;
use mapsto_spec::{Entry, Json};
use mapsto_tensor::{Error, Result};
use std::fs;

/// Looks into a few steps, keeps what it sees in `health.jsonl`, and says once what is wrong and what to try.
///
/// It looks into the steps 10, 30 and every hundredth, every thousandth from step 10,000 on, and so forth: less than 1 % of the time of
/// training. A line of the file is a step: the norm of the gradients and `‖Δw‖ / ‖w‖` of each layer, and of each activation within the
/// network the share of dead units (a ReLU that gives 0 on the whole batch) or of saturated values (within 1.5 % of the range of a tanh or
/// sigmoid from a bound). What it finds stands there too. No bit of the training changes, and a run that is resumed goes on with the same lines.
///
/// | said when, in three looks one after the other | |
/// |---|---|
/// | dead units | more than 80 % of the units of an activation; the MNIST example has half, and 99 % of its answers are right |
/// | saturated values | more than half of the values of an activation |
/// | vanishing gradients | a layer's gradients are below 1e-5 of those of the layer with the largest |
/// | large updates | a layer changes by more than 20 % of its size in a step, after step 100 |
/// | tiny updates | every layer changes by less than a millionth of its size, at a learning rate that has not fallen |
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_nn::prelude::*;
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::Trainer;
/// use mapsto_train::callbacks::Health;
/// seed(1);
/// let folder = std::env::temp_dir().join(format!("mapsto-health-{}", std::process::id()));
/// let set = InMemory::new(Tensor::randn([64, 4]), Tensor::randint([64], 0..2));
/// let mut first = Linear::new(4, 16);
/// first.bias.as_mut().unwrap().set(&Tensor::full([16], -100.0))?; // every ReLU is dead
/// let mut net = seq![first, Tensor::relu, Linear::new(16, 2)];
/// let mut trainer = Trainer::new(Sgd::new(0.1), cross_entropy).epochs(100).folder(&folder).on(Health::new()).quiet();
/// let history = trainer.fit(&mut net, set.batches(64), None)?;
/// assert_eq!(history.notes[0].text, "health: 100 % of the units of `relu` after layer `0` are dead at step 100: they give 0 for every sample of the batch");
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// The looks so far, and what was found among them.
    lines: Vec<Line>,
    /// Looks since a callback could say something.
    new: usize,
}

#[derive(Clone, Debug)]
enum Line {
    Look(Inside),
    Found { step: u64, kind: String, text: String, help: String },
}

/// So many looks one after the other.
const LOOKS: usize = 3;

/// More than this share of units is said to be dead; a network whose first hidden layer is half dead may still be a good one.
const DEAD: f64 = 0.8;

/// More than this share of values is said to be saturated.
const SATURATED: f64 = 0.5;

impl Health {
    /// The file in the trainer's folder.
    pub const FILE: &'static str = "health.jsonl";

    /// Into the trainer's folder.
    #[must_use]
    pub fn new() -> Health {
        Health::default()
    }

    /// Says what the last looks have in common that is bad, each kind once.
    fn judge(&mut self, run: &mut Run<'_>) {
        let looks: Vec<&Inside> = self
            .lines
            .iter()
            .filter_map(|line| if let Line::Look(look) = line { Some(look) } else { None })
            .collect();
        let first = looks.len() - std::mem::take(&mut self.new).min(looks.len());
        let mut found = Vec::new();
        for end in first + 1..=looks.len() {
            if end < LOOKS {
                continue;
            }
            let highest = looks[..end].iter().map(|look| look.lr).fold(0.0, f64::max);
            for check in CHECKS {
                found.extend(check(&looks[end - LOOKS..end], highest).map(|f| (looks[end - 1].step, f)));
            }
        }
        for (step, (kind, text, help)) in found {
            let is_known = |line: &Line| matches!(line, Line::Found { kind: known, .. } if known == kind);
            if !self.lines.iter().any(is_known) {
                run.say(format!("health: {text}"), help);
                self.lines.push(Line::Found { step, kind: kind.into(), text, help: help.into() });
            }
        }
    }

    /// The lines of the file that are of this run: a process that was killed may have written more.
    fn read(&mut self, run: &Run<'_>) -> Result<()> {
        let path = run.place(Health::FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(Error::io(path, e)),
        };
        // A line that somebody has damaged says nothing; training does not depend on it.
        let lines = text.lines().filter_map(|line| Json::parse(line).ok().as_ref().and_then(Line::from_json));
        self.lines = lines.filter(|line| line.step() <= run.pace.step).collect();
        Ok(())
    }

    fn write(&self, run: &Run<'_>) -> Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let text: String = self.lines.iter().map(|line| format!("{}\n", line.to_json())).collect();
        write_within(&run.place(Health::FILE), run.there, |w| w.write_all(text.as_bytes()))
    }
}

impl Callback for Health {
    fn name(&self) -> String {
        "look at gradients, changes and dead units of each layer".into()
    }

    fn moments(&self) -> &'static [Moment] {
        &[Moment::Start, Moment::Step, Moment::EpochEnd, Moment::Interrupted]
    }

    fn at(&mut self, moment: Moment, run: &mut Run<'_>) -> Result<()> {
        match moment {
            Moment::Start => {
                *self = Health::default();
                if run.pace.step > 0 { self.read(run) } else { Ok(()) }
            }
            Moment::Step => {
                if self.new > 0 {
                    self.judge(run);
                }
                Ok(())
            }
            _ => self.write(run),
        }
    }

    fn looks_into(&self, step: u64) -> bool {
        let every = 10_u64.pow(step.max(1).ilog10().saturating_sub(1).max(2));
        step == 10 || step == 30 || step.is_multiple_of(every)
    }

    fn inside(&mut self, look: &Inside) {
        // A task may take several steps for a batch: they are one look.
        if let Some(Line::Look(last)) = self.lines.last_mut().filter(|last| last.step() == look.step) {
            last.layers.extend(look.layers.iter().cloned());
            last.units.extend(look.units.iter().cloned());
            return;
        }
        self.lines.push(Line::Look(look.clone()));
        self.new += 1;
    }

    fn file(&self) -> Option<std::path::PathBuf> {
        Some(Health::FILE.into())
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: CallbackKind = CallbackKind::new(
    "health",
    "Looks at gradients, changes and dead units of each layer every hundredth step or so, and says once what is wrong.",
    |_, ()| Ok(Box::new(Health::new())),
);

type Found = (&'static str, String, &'static str);

/// A check of looks one after the other, beside the highest learning rate so far.
type Check = fn(&[&Inside], f64) -> Option<Found>;

const CHECKS: [Check; 5] = [dead, saturated, vanishing, large, tiny];

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// The activation of which the least share in the looks is the largest.
fn worst(looks: &[&Inside], kills: bool) -> Option<(usize, f64)> {
    let last = looks.last()?;
    let least = |i: usize| {
        let share = |look: &&Inside| {
            look.units.get(i).filter(|u| u.after == last.units[i].after).map_or(0.0, |u| u.share)
        };
        looks.iter().map(share).fold(1.0, f64::min)
    };
    let shares = (0..last.units.len()).filter(|&i| last.units[i].kills == kills).map(|i| (i, least(i)));
    shares
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|(_, share)| *share > if kills { DEAD } else { SATURATED })
}

fn dead(looks: &[&Inside], _: f64) -> Option<Found> {
    let (i, _) = worst(looks, true)?;
    let last = looks.last()?;
    let unit = &last.units[i];
    let text = format!(
        "{} of the units of `{}` after layer `{}` are dead at step {}: they give 0 for every sample of the batch",
        percent(unit.share),
        unit.op,
        unit.after,
        last.step
    );
    Some((
        "dead",
        text,
        "lower the learning rate, or take an activation without a dead side, such as `leaky_relu`, `elu` or `gelu`",
    ))
}

fn saturated(looks: &[&Inside], _: f64) -> Option<Found> {
    let (i, _) = worst(looks, false)?;
    let last = looks.last()?;
    let unit = &last.units[i];
    let text = format!(
        "{} of the values of `{}` after layer `{}` are saturated at step {}: hardly any gradient goes through them",
        percent(unit.share),
        unit.op,
        unit.after,
        last.step
    );
    Some((
        "saturated",
        text,
        "normalise the inputs, begin with smaller weights, lower the learning rate, or put a norm before the activation",
    ))
}

fn vanishing(looks: &[&Inside], _: f64) -> Option<Found> {
    let smallest = |look: &&Inside| {
        let largest = look.layers.iter().map(|layer| layer.gradient).fold(0.0, f64::max);
        let least = look.layers.iter().min_by(|a, b| a.gradient.total_cmp(&b.gradient))?;
        (largest > 0.0).then(|| (least.name.clone(), least.gradient / largest))
    };
    let all: Vec<(String, f64)> = looks.iter().map(smallest).collect::<Option<_>>()?;
    let (name, share) = all.last()?;
    let text = format!(
        "the gradients of layer `{name}` are {} of the largest layer's at step {}: they vanish on the way back",
        readable(*share, 2),
        looks.last()?.step
    );
    let is_bad = all.iter().all(|(_, share)| *share < 1e-5);
    is_bad.then_some((
        "vanishing",
        text,
        "put norms or residual connections between the layers, or take fewer of them",
    ))
}

fn large(looks: &[&Inside], _: f64) -> Option<Found> {
    let largest = |look: &&Inside| {
        let updates = look.layers.iter().filter_map(|layer| Some((layer.name.clone(), layer.update?)));
        updates.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, update)| *update > 0.2 && look.step >= 100)
    };
    let all: Vec<(String, f64)> = looks.iter().map(largest).collect::<Option<_>>()?;
    let (name, update) = all.last()?;
    let text = format!(
        "layer `{name}` changes by {} of its size in a step at step {}, where 0.1 % is usual",
        percent(*update),
        looks.last()?.step
    );
    Some(("large updates", text, "lower the learning rate, or clip gradients (`clip_norm`)"))
}

fn tiny(looks: &[&Inside], highest: f64) -> Option<Found> {
    let largest = |look: &&Inside| {
        let updates = look.layers.iter().filter_map(|layer| layer.update);
        updates.reduce(f64::max).filter(|update| *update < 1e-6 && look.lr >= 0.1 * highest)
    };
    let all: Vec<f64> = looks.iter().map(largest).collect::<Option<_>>()?;
    let last = looks.last()?;
    let text = format!(
        "no layer changes by more than {} of its size in a step at step {}, where 0.001 is usual",
        readable(*all.last()?, 2),
        last.step
    );
    Some(("tiny updates", text, "raise the learning rate"))
}

impl Line {
    fn step(&self) -> u64 {
        match self {
            Line::Look(look) => look.step,
            Line::Found { step, .. } => *step,
        }
    }

    fn to_json(&self) -> Json {
        let text = |s: &str| Json::from(s);
        let object = |pairs: Vec<(&str, Json)>| {
            Json::Object(pairs.into_iter().map(|(k, v)| (k.to_string(), v)).collect())
        };
        match self {
            Line::Look(look) => object(vec![
                ("step", Json::Int(look.step as i64)),
                ("epoch", Json::from(look.epoch)),
                ("lr", Json::Float(look.lr)),
                (
                    "layers",
                    Json::List(
                        look.layers
                            .iter()
                            .map(|layer| {
                                let update = layer.update.map_or(Json::Null, Json::Float);
                                object(vec![
                                    ("layer", text(&layer.name)),
                                    ("gradient", Json::Float(layer.gradient)),
                                    ("update", update),
                                ])
                            })
                            .collect(),
                    ),
                ),
                (
                    "units",
                    Json::List(
                        look.units
                            .iter()
                            .map(|u| {
                                let kind = if u.kills { "dead" } else { "saturated" };
                                object(vec![
                                    ("op", text(u.op)),
                                    ("after", text(&u.after)),
                                    (kind, Json::Float(u.share)),
                                ])
                            })
                            .collect(),
                    ),
                ),
            ]),
            Line::Found { step, kind, text: said, help } => object(vec![
                ("step", Json::Int(*step as i64)),
                ("found", text(kind)),
                ("text", text(said)),
                ("help", text(help)),
            ]),
        }
    }

    fn from_json(json: &Json) -> Option<Line> {
        let step = u64::try_from(json.get("step")?.int()?).ok()?;
        if let Some(kind) = json.get("found") {
            let text = |key: &str| Some(json.get(key)?.str()?.to_string());
            return Some(Line::Found {
                step,
                kind: kind.str()?.into(),
                text: text("text")?,
                help: text("help")?,
            });
        }
        let layer = |json: &Json| {
            Some(super::LayerInside {
                name: json.get("layer")?.str()?.into(),
                gradient: json.get("gradient")?.number()?,
                update: json.get("update")?.number(),
            })
        };
        let unit = |json: &Json| {
            let kills = json.get("dead").is_some();
            let op = crate::trainer::bounded(json.get("op")?.str()?)?;
            let share = json.get(if kills { "dead" } else { "saturated" })?.number()?;
            Some(super::UnitsInside { op, after: json.get("after")?.str()?.into(), kills, share })
        };
        Some(Line::Look(Inside {
            step,
            epoch: usize::try_from(json.get("epoch")?.int()?).ok()?,
            lr: json.get("lr")?.number()?,
            layers: json.get("layers")?.list()?.iter().map(layer).collect::<Option<_>>()?,
            units: json.get("units")?.list()?.iter().map(unit).collect::<Option<_>>()?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callbacks::{LayerInside, UnitsInside};

    fn look(step: u64, gradients: [f64; 2], updates: [f64; 2], share: f64, kills: bool) -> Inside {
        let layer = |i: usize| LayerInside {
            name: format!("{}", 2 * i),
            gradient: gradients[i],
            update: Some(updates[i]),
        };
        let op = if kills { "relu" } else { "tanh" };
        Inside {
            step,
            epoch: 1,
            lr: 0.1,
            layers: vec![layer(0), layer(1)],
            units: vec![UnitsInside { op, after: "0".into(), kills, share }],
        }
    }

    #[test]
    fn each_kind_is_found_in_three_looks_and_in_no_fewer() {
        for (kind, bad) in [
            ("dead", look(200, [1.0, 2.0], [1e-3, 2e-3], 0.85, true)),
            ("saturated", look(200, [1.0, 2.0], [1e-3, 2e-3], 0.75, false)),
            ("vanishing", look(200, [1e-7, 2.0], [1e-3, 2e-3], 0.1, true)),
            ("large updates", look(200, [1.0, 2.0], [1e-3, 0.3], 0.1, true)),
            ("tiny updates", look(200, [1.0, 2.0], [1e-8, 1e-9], 0.1, true)),
        ] {
            // Half of the units may rest.
            let share = if kind == "dead" { 0.75 } else { 0.1 };
            let fine = || look(200, [1.0, 2.0], [1e-3, 2e-3], share, true);
            let found = |looks: [&Inside; 3]| {
                CHECKS.iter().filter_map(|check| check(&looks, 0.1)).collect::<Vec<_>>()
            };
            let all = found([&bad, &bad, &bad]);
            assert_eq!(all.len(), 1, "{kind}: {all:?}");
            assert_eq!(all[0].0, kind);
            assert!(
                found([&bad, &fine(), &bad]).is_empty() && found([&bad, &bad, &fine()]).is_empty(),
                "{kind}"
            );
        }
        // The end of a schedule is meant.
        let slow = look(200, [1.0, 2.0], [1e-8, 1e-9], 0.1, true);
        assert!(tiny(&[&slow, &slow, &slow], 10.0).is_none());
    }

    #[test]
    fn lines_are_read_as_they_were_written() {
        let found = Line::Found { step: 9, kind: "dead".into(), text: "a".into(), help: "b".into() };
        let mut other = look(100, [0.1 + 0.2, 1e-30], [1e-3, 2.0 / 3.0], 1.0 / 3.0, false);
        other.layers[1].update = None;
        for line in [Line::Look(other), Line::Look(look(1, [1.0, 2.0], [0.5, 0.25], 0.0, true)), found] {
            let text = line.to_json().to_string();
            let again = Line::from_json(&Json::parse(&text).unwrap()).unwrap();
            assert_eq!(again.to_json().to_string(), text);
            assert_eq!(format!("{again:?}"), format!("{line:?}"));
        }
    }

    #[test]
    fn it_looks_at_most_a_hundred_and_ninety_times_in_any_decade() {
        let health = Health::new();
        let looks = |from: u64, to: u64| (from..to).filter(|step| health.looks_into(*step)).count();
        assert_eq!(
            [(1, 100), (100, 1000), (1000, 10_000), (10_000, 100_000)].map(|(a, b)| looks(a, b)),
            [2, 9, 90, 90]
        );
    }
}
