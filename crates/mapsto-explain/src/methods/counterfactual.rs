//! Counterfactuals: the least that would have to be otherwise for another answer.

use crate::coalitions::{each, features, rows};
use crate::{Ask, Explanation, Features, Method, Model, Needs, Shown, Target};
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor};

/// Of each sample, another one near it that the model gives another class: few columns are changed, and those little.
///
/// The class reached is the one asked for, or any other one. Values stay within `range`, or within those of the reference rows: the
/// baselines where several are given, as rows of the training set, else the batch itself. A feature of several numbers, such as the columns of
/// a category, takes only combinations that reference rows have; so does a column whose reference values are all whole. Features in
/// `fixed` stay as they are. All changes of one feature are tried, then of two, and so on, keeping the 12 most promising
/// combinations each time (beam search); of what reaches the class with the fewest changes, the nearest is taken, by the sum of the
/// changes, each as a share of the feature's range. Numbers are then moved back towards the sample as far as the class allows.
///
/// It costs some hundred questions a feature and change. It does not say what would happen in the world: what is changed may not be
/// changeable, or not alone, and the nearest sample may be one that cannot be. A search by steps may miss a nearer one.
///
/// Source: Wachter, Mittelstadt and Russell, 2017; few changes and valid categories as in Mothilal, Sharma and Tan, 2020 (DiCE).
/// ```
/// use mapsto_explain::{Ask, Model, Shown, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| Tensor::stack(&[x.sum(1) * 0.0, x.select(1, 0) + x.select(1, 1) - 3.0], 1));
/// let ask = Ask::new().range(tensor![0.0, 0.0], tensor![4.0, 4.0]).fixed(vec![0]);
/// let found = method("counterfactual")?.explain(&model, &tensor![[0.5, 1.0]], &ask)?;
/// let Shown::Inputs(x) = found.shown else { panic!() };
/// assert!((x - tensor![[0.5, 2.5]]).abs().max(..).item() < 1e-3);
/// # Ok::<(), Error>(())
/// ```
pub struct Counterfactual;

/// Combinations of changes that are kept from one number of changes to the next.
const BEAM: usize = 12;
/// Values between the lowest and the highest that are tried for a number.
const STEPS: usize = 32;

impl Method for Counterfactual {
    fn name(&self) -> &'static str {
        "counterfactual"
    }
    fn says(&self) -> &'static str {
        "the least that would have to be otherwise for another answer"
    }
    fn needs(&self) -> Needs {
        Needs::Answers
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        let y = model.scores(x)?;
        if y.shape()[1] < 2 {
            let message = "a counterfactual needs classes, and the model gives one score";
            return Err(Error::new(ErrorKind::Usage, message).help(
                "make scores of two classes of it by `Model::after`, such as below and above a threshold",
            ));
        }
        let said = Ask::new().chosen(&y)?;
        let wanted: Vec<Option<usize>> = match &ask.target {
            Target::Likeliest => vec![None; said.len()],
            _ => ask.chosen(&y)?.into_iter().map(Some).collect(),
        };
        let search = Search::of(model, x, ask)?;
        let (mut found, mut notes, samples) = (Vec::new(), Vec::new(), rows(x));
        for (i, sample) in samples.iter().enumerate() {
            let goal = Goal { from: said[i], to: wanted[i] };
            if goal.to == Some(goal.from) {
                notes.push(format!("sample {}: it has class {} as it is", i + 1, goal.from));
                found.push(sample.clone());
                continue;
            }
            match search.nearest(sample, &goal)? {
                Some(near) => {
                    let count = search.changed(sample, &near).len();
                    let class = Ask::new().chosen(&search.scores(std::slice::from_ref(&near))?)?[0];
                    let of = search.features.len();
                    notes.push(format!(
                        "sample {}: class {class} instead of {} with {count} of {of} features changed",
                        i + 1,
                        goal.from
                    ));
                    found.push(near);
                }
                None => {
                    notes.push(format!(
                        "sample {}: no other sample within the ranges was found to have another answer that is asked for",
                        i + 1
                    ));
                    found.push(sample.clone());
                }
            }
        }
        let found = Tensor::from_vec(found.concat(), x.shape()).to(x.dtype());
        let k = y.shape()[1];
        let y = y.to_vec::<f64>();
        let scores = said.iter().enumerate().map(|(i, class)| y[i * k + class]).collect();
        Ok(Explanation { classes: said, scores, notes, ..Explanation::new(Shown::Inputs(found)) })
    }
}

/// Which answers will do.
struct Goal {
    from: usize,
    to: Option<usize>,
}

impl Goal {
    /// How far the scores of a sample are above those of the classes that will not do: positive where it is reached.
    fn margin(&self, scores: &[f64]) -> f64 {
        let will = |class: usize| self.to.map_or(class != self.from, |to| class == to);
        let most = |is: bool| {
            let of = scores.iter().enumerate().filter(|(class, _)| will(*class) == is);
            of.map(|(_, score)| *score).fold(f64::NEG_INFINITY, f64::max)
        };
        most(true) - most(false)
    }
}

/// What a search may do with the samples of one table.
struct Search<'a> {
    model: &'a Model<'a>,
    features: Features,
    /// The numbers of each feature.
    own: Vec<Vec<usize>>,
    /// The combinations that each feature may take; none where it is a number that may take any value between its ends.
    valid: Vec<Option<Vec<Vec<f64>>>>,
    lowest: Vec<f64>,
    highest: Vec<f64>,
    fixed: Vec<usize>,
    shape: Vec<usize>,
    dtype: DType,
}

impl<'a> Search<'a> {
    fn of(model: &'a Model<'a>, x: &Tensor, ask: &Ask) -> Result<Search<'a>> {
        let features = features(x, ask, each)?;
        if let Some(wrong) = ask.fixed.iter().find(|f| **f >= features.len()) {
            let message = format!("feature {wrong} is to stay fixed, and there are {}", features.len());
            return Err(Error::new(ErrorKind::Usage, message).help("features count from 0"));
        }
        let shape = x.shape()[1..].to_vec();
        let references = match &ask.baseline {
            Some(_) => rows(&ask.baselines(x)?),
            None => rows(x),
        };
        let ends = |pick: fn(f64, f64) -> f64| -> Vec<f64> {
            (0..features.of().len())
                .map(|k| references.iter().map(|r| r[k]).reduce(pick).unwrap_or(0.0))
                .collect()
        };
        let (mut lowest, mut highest) = (ends(f64::min), ends(f64::max));
        if let Some((low, high)) = &ask.range {
            if low.shape() != shape || high.shape() != shape {
                let message = format!(
                    "ranges of shapes {:?} and {:?} were given for samples {shape:?}",
                    low.shape(),
                    high.shape()
                );
                return Err(Error::new(ErrorKind::Usage, message)
                    .help("give a lowest and a highest value for each number of a sample"));
            }
            lowest = low.to(DType::F64).to_vec();
            highest = high.to(DType::F64).to_vec();
        } else if references.len() < 2 {
            let message = "one row says nothing about the values that a counterfactual may take";
            return Err(Error::new(ErrorKind::Usage, message)
                .help("give `Ask::range`, or rows of the training set as `Ask::baseline`"));
        }
        let own: Vec<Vec<usize>> = (0..features.len())
            .map(|f| (0..features.of().len()).filter(|k| features.of()[*k] == f).collect())
            .collect();
        let may = |own: &Vec<usize>| {
            let mut seen: Vec<Vec<f64>> =
                references.iter().map(|row| own.iter().map(|k| row[*k]).collect()).collect();
            let inside =
                |v: &Vec<f64>| own.iter().zip(v).all(|(k, v)| (lowest[*k]..=highest[*k]).contains(v));
            seen.retain(inside);
            seen.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
            seen.dedup();
            let whole =
                references.len() > 1 && own.iter().all(|k| references.iter().all(|r| r[*k].fract() == 0.0));
            (own.len() > 1 || whole || !x.dtype().is_float()).then_some(seen)
        };
        let valid = own.iter().map(may).collect();
        Ok(Search {
            model,
            features,
            own,
            valid,
            lowest,
            highest,
            fixed: ask.fixed.clone(),
            shape,
            dtype: x.dtype(),
        })
    }

    fn scores(&self, samples: &[Vec<f64>]) -> Result<Tensor> {
        let shape: Vec<usize> = [samples.len()].iter().chain(&self.shape).copied().collect();
        self.model.scores(&Tensor::from_vec(samples.concat(), &shape[..]).to(self.dtype))
    }

    fn margins(&self, samples: &[Vec<f64>], goal: &Goal) -> Result<Vec<f64>> {
        let y = self.scores(samples)?;
        Ok(y.to_vec::<f64>().chunks(y.shape()[1]).map(|scores| goal.margin(scores)).collect())
    }

    /// The features in which two samples differ; a cell that is missing in both does not.
    fn changed(&self, a: &[f64], b: &[f64]) -> Vec<usize> {
        (0..self.own.len())
            .filter(|f| self.own[*f].iter().any(|k| a[*k] != b[*k] && !(a[*k].is_nan() && b[*k].is_nan())))
            .collect()
    }

    /// The changes added up, each as a share of its range; a category that changed counts 1.
    fn distance(&self, a: &[f64], b: &[f64]) -> f64 {
        let far = |f: usize| match self.own[f][..] {
            [k] => {
                let range = self.highest[k] - self.lowest[k];
                let far = (a[k] - b[k]).abs() / if range > 0.0 { range } else { 1.0 };
                // A number in place of a missing one counts as a category does.
                if far.is_nan() { 1.0 } else { far }
            }
            _ => 1.0,
        };
        self.changed(a, b).into_iter().map(far).sum()
    }

    /// The sample with another value of feature `f`, for each that it may take.
    fn others(&self, sample: &[f64], f: usize) -> Vec<Vec<f64>> {
        let with = |values: &[f64]| {
            let mut other = sample.to_vec();
            self.own[f].iter().zip(values).for_each(|(k, v)| other[*k] = *v);
            other
        };
        match (&self.valid[f], &self.own[f][..]) {
            (Some(valid), _) => valid.iter().map(|v| with(v)).filter(|o| o != sample).collect(),
            (None, &[k, ..]) => {
                let at =
                    |s: usize| self.lowest[k] + (self.highest[k] - self.lowest[k]) * s as f64 / STEPS as f64;
                let ok = self.lowest[k] <= self.highest[k];
                (0..=STEPS).map(|s| with(&[at(s)])).filter(|o| ok && o != sample).collect()
            }
            (None, []) => Vec::new(),
        }
    }

    /// The nearest that was found with the fewest changes.
    fn nearest(&self, sample: &[f64], goal: &Goal) -> Result<Option<Vec<f64>>> {
        let free: Vec<usize> = (0..self.own.len()).filter(|f| !self.fixed.contains(f)).collect();
        let mut beam = vec![sample.to_vec()];
        for _ in 0..free.len() {
            let mut tried: Vec<Vec<f64>> = Vec::new();
            for from in &beam {
                let changed = self.changed(sample, from);
                free.iter()
                    .filter(|f| !changed.contains(f))
                    .for_each(|f| tried.extend(self.others(from, *f)));
            }
            if tried.is_empty() {
                break;
            }
            let margins = self.margins(&tried, goal)?;
            let reached: Vec<usize> = (0..tried.len()).filter(|c| margins[*c] > 0.0).collect();
            if !reached.is_empty() {
                // One of each set of changed features, the nearest: each of them is moved back.
                let mut best: Vec<(Vec<usize>, f64, usize)> = Vec::new();
                for c in reached {
                    let (set, far) = (self.changed(sample, &tried[c]), self.distance(sample, &tried[c]));
                    match best.iter_mut().find(|(other, ..)| *other == set) {
                        Some(known) if known.1 <= far => {}
                        Some(known) => *known = (set, far, c),
                        None => best.push((set, far, c)),
                    }
                }
                best.sort_by(|a, b| a.1.total_cmp(&b.1));
                let near: Result<Vec<Vec<f64>>> = best
                    .iter()
                    .take(BEAM)
                    .map(|(.., c)| self.moved_back(sample, tried[*c].clone(), goal))
                    .collect();
                let by = |a: &Vec<f64>, b: &Vec<f64>| {
                    self.distance(sample, a).total_cmp(&self.distance(sample, b))
                };
                return Ok(near?.into_iter().min_by(by));
            }
            let mut order: Vec<usize> = (0..tried.len()).collect();
            order.sort_by(|a, b| margins[*b].total_cmp(&margins[*a]));
            beam.clear();
            let mut sets: Vec<Vec<usize>> = Vec::new();
            for c in order {
                let set = self.changed(sample, &tried[c]);
                // Two of each set, or the beam fills with one feature's values.
                if beam.len() < BEAM && sets.iter().filter(|s| **s == set).count() < 2 {
                    sets.push(set);
                    beam.push(tried[c].clone());
                }
            }
        }
        Ok(None)
    }

    /// The same with every number moved back towards the sample as far as the class allows, by halving.
    fn moved_back(&self, sample: &[f64], mut found: Vec<f64>, goal: &Goal) -> Result<Vec<f64>> {
        for f in self.changed(sample, &found) {
            let (None, &[k, ..]) = (&self.valid[f], &self.own[f][..]) else { continue };
            // A sample that lies outside of the range is moved back to its end at most.
            let (mut near, mut far) = (sample[k].clamp(self.lowest[k], self.highest[k]), found[k]);
            for _ in 0..30 {
                let middle = near + (far - near) / 2.0;
                let mut tried = found.clone();
                tried[k] = middle;
                if self.margins(&[tried], goal)?[0] > 0.0 { far = middle } else { near = middle }
            }
            found[k] = far;
        }
        Ok(found)
    }
}

#[test]
fn few_columns_change_and_ranges_categories_and_fixed_columns_are_kept() {
    use mapsto_tensor::tensor;
    // Numbers a and b, a category of three columns, and a whole number: class 1 where their sum is above 10.
    let model = Model::asked(|x: &Tensor| {
        let sum =
            x.select(1, 0) + x.select(1, 1) + x.select(1, 3) * 3.0 + x.select(1, 4) * 6.0 + x.select(1, 5);
        Tensor::stack(&[sum.clone() * 0.0, sum - 10.0], 1)
    });
    let table = tensor![
        [0.5, 1.5, 1.0, 0.0, 0.0, 1.0],
        [4.5, 0.5, 0.0, 1.0, 0.0, 4.0],
        [2.5, 6.0, 0.0, 0.0, 1.0, 2.0]
    ];
    let features = Features::new(vec![0, 1, 2, 2, 2, 3]).unwrap();
    let ask = Ask::new().features(features).baseline(table);
    let sample = tensor![[1.0, 2.0, 1.0, 0.0, 0.0, 2.0]];
    let near = |ask: &Ask| {
        let found = Counterfactual.explain(&model, &sample, ask).unwrap();
        let Shown::Inputs(x) = &found.shown else { panic!("no inputs") };
        (x.to_vec::<f32>(), found.notes[0].clone())
    };
    // The sum is 5: one change of the category adds 6 at a distance of 1; b alone would have to be 7, and has at most 6.
    let (x, note) = near(&ask);
    assert_eq!(x, [1.0, 2.0, 0.0, 0.0, 1.0, 2.0]);
    assert_eq!(note, "sample 1: class 1 instead of 0 with 1 of 4 features changed");
    let (x, note) = near(&ask.clone().fixed(vec![2]));
    assert!(note.ends_with("with 2 of 4 features changed"), "{note}");
    let sum = x[0] + x[1] + x[5];
    assert!(sum > 10.0 && sum < 10.01 && x[2..5] == [1.0, 0.0, 0.0], "{x:?}");
    assert!(
        [1.0, 2.0, 4.0].contains(&x[5]) && (0.5..=4.5).contains(&x[0]) && (0.5..=6.0).contains(&x[1]),
        "{x:?}"
    );
    let (x, note) = near(&ask.clone().fixed(vec![0, 1, 2]));
    assert_eq!(x, sample.to_vec::<f32>());
    assert!(note.starts_with("sample 1: no other sample"), "{note}");
    assert_eq!(near(&ask.clone().class(0)).1, "sample 1: it has class 0 as it is");
    let says = |ask: &Ask| Counterfactual.explain(&model, &sample, ask).unwrap_err().message().to_string();
    assert_eq!(says(&ask.clone().fixed(vec![4])), "feature 4 is to stay fixed, and there are 4");
    assert!(says(&Ask::new()).starts_with("one row says nothing"));
}
