//! A sample as a game: each feature takes part with its own numbers, or stays out with those of the baselines.

use crate::{Ask, Explanation, Features, Model, Shown};
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor};

/// Numbers that are asked about at once at most: 32 MB.
const NUMBERS: usize = 1 << 22;

/// The games of all samples of a batch.
pub(crate) struct Games<'a> {
    model: &'a Model<'a>,
    /// Which numbers of a sample play together.
    pub features: Features,
    samples: Vec<Vec<f64>>,
    baselines: Vec<Vec<f64>>,
    shape: Vec<usize>,
    dtype: DType,
    classes: Vec<usize>,
    /// The score of each sample for its class.
    pub scores: Vec<f64>,
    /// The mean score of the baselines for the class of each sample.
    pub base: Vec<f64>,
}

/// The numbers of each sample of a batch.
pub(crate) fn rows(x: &Tensor) -> Vec<Vec<f64>> {
    let numbers: usize = x.shape().iter().skip(1).product();
    x.to(DType::F64).to_vec::<f64>().chunks(numbers.max(1)).map(<[f64]>::to_vec).collect()
}

/// The features that `ask` names, or those that a method takes where it names none.
pub(crate) fn features(x: &Tensor, ask: &Ask, own: fn(&[usize]) -> Result<Features>) -> Result<Features> {
    let shape = x.shape().get(1..).unwrap_or_default();
    let numbers: usize = shape.iter().product();
    match &ask.features {
        Some(given) if given.of().len() != numbers => {
            let message =
                format!("features of {} numbers were given for samples {shape:?}", given.of().len());
            Err(Error::new(ErrorKind::Usage, message)
                .help(format!("say the feature of each of the {numbers} numbers")))
        }
        Some(given) => Ok(given.clone()),
        None => own(shape),
    }
}

/// Each number for itself.
pub(crate) fn each(shape: &[usize]) -> Result<Features> {
    Ok(Features::each(shape.iter().product()))
}

/// Seven cells by seven of a picture of more than 49 pixels, each number for itself elsewhere.
pub(crate) fn cells(shape: &[usize]) -> Result<Features> {
    match *shape {
        [_, h, w] if h * w > 49 => Features::patches(shape, [h.div_ceil(7), w.div_ceil(7)]),
        _ => each(shape),
    }
}

/// Three cells by three of a picture of more than 9 pixels, each number for itself elsewhere.
pub(crate) fn few_cells(shape: &[usize]) -> Result<Features> {
    match *shape {
        [_, h, w] if h * w > 9 => Features::patches(shape, [h.div_ceil(3), w.div_ceil(3)]),
        _ => each(shape),
    }
}

impl<'a> Games<'a> {
    /// The games of the batch `x`.
    pub fn of(
        model: &'a Model<'a>,
        x: &Tensor,
        ask: &Ask,
        own: fn(&[usize]) -> Result<Features>,
    ) -> Result<Games<'a>> {
        let y = model.scores(x)?;
        let classes = ask.chosen(&y)?;
        let features = features(x, ask, own)?;
        if features.is_empty() {
            let message = format!("samples of shape {:?} have no numbers to explain", &x.shape()[1..]);
            return Err(Error::new(ErrorKind::Usage, message).help("give samples with at least one number"));
        }
        let baselines = ask.baselines(x)?;
        let k = y.shape()[1];
        let (y, z) = (y.to_vec::<f64>(), rows(&model.scores(&baselines)?));
        let score = |(i, class): (usize, &usize)| y[i * k + class];
        let mean = |class: &usize| z.iter().map(|row| row[*class]).sum::<f64>() / z.len() as f64;
        Ok(Games {
            model,
            features,
            samples: rows(x),
            baselines: rows(&baselines),
            shape: x.shape()[1..].to_vec(),
            dtype: x.dtype(),
            scores: classes.iter().enumerate().map(score).collect(),
            base: classes.iter().map(mean).collect(),
            classes,
        })
    }

    /// The number of features.
    pub fn players(&self) -> usize {
        self.features.len()
    }

    /// The mean score of sample `i` over the baselines, for each list of the features that take part.
    pub fn worth(&self, i: usize, coalitions: &[Vec<bool>]) -> Result<Vec<f64>> {
        let of = self.features.of();
        self.worth_by(i, coalitions.len(), |c, number| coalitions[c][of[number]])
    }

    /// The same for `count` questions, where number `k` of the sample is its own in question `c` if `stays(c, k)`.
    pub fn worth_by(&self, i: usize, count: usize, stays: impl Fn(usize, usize) -> bool) -> Result<Vec<f64>> {
        let (sample, m) = (&self.samples[i], self.baselines.len());
        let at_once = (NUMBERS / (sample.len() * m).max(1)).clamp(1, 1024);
        let mut out = Vec::with_capacity(count);
        for from in (0..count).step_by(at_once) {
            let to = count.min(from + at_once);
            let mut x = Vec::with_capacity((to - from) * m * sample.len());
            for c in from..to {
                for baseline in &self.baselines {
                    x.extend((0..sample.len()).map(|k| if stays(c, k) { sample[k] } else { baseline[k] }));
                }
            }
            let shape: Vec<usize> = [(to - from) * m].iter().chain(&self.shape).copied().collect();
            let x = Tensor::from_vec(x, &shape[..]).to(self.dtype);
            let y = self.model.answers(&x, &vec![self.classes[i]; (to - from) * m])?;
            out.extend(y.chunks(m).map(|y| y.iter().sum::<f64>() / m as f64));
        }
        Ok(out)
    }

    /// The explanation that a value for each feature of each sample is; the numbers of a feature share its value.
    pub fn explained(self, value: impl Fn(&Games, usize) -> Result<Vec<f64>>) -> Result<Explanation> {
        let found: Result<Vec<Vec<f64>>> =
            (0..self.samples.len()).map(|i| Ok(self.features.spread(&value(&self, i)?))).collect();
        Ok(self.shows(found?))
    }

    /// The explanation that a value for each number of each sample is.
    pub fn shows(self, found: Vec<Vec<f64>>) -> Explanation {
        let shape: Vec<usize> = [self.samples.len()].iter().chain(&self.shape).copied().collect();
        let dtype = if self.dtype.is_float() { self.dtype } else { DType::F64 };
        let found = Tensor::from_vec(found.concat(), &shape[..]).to(dtype);
        Explanation {
            classes: self.classes,
            scores: self.scores,
            base: Some(self.base),
            ..Explanation::new(Shown::Attributions(found))
        }
    }
}

/// Who takes part in coalition `c` of `m` features: bit by bit.
pub(crate) fn members(c: usize, m: usize) -> Vec<bool> {
    (0..m).map(|j| c >> j & 1 == 1).collect()
}

#[test]
fn a_coalition_is_worth_its_mean_score_over_the_baselines() {
    use mapsto_tensor::tensor;
    let model = Model::asked(|x: &Tensor| x.prod(1));
    let ask = Ask::new().baseline(tensor![[1.0, 1.0, 1.0], [3.0, 2.0, 1.0]]);
    let games = Games::of(&model, &tensor![[5.0, 7.0, 2.0]], &ask, each).unwrap();
    assert_eq!((games.scores[0], games.base[0]), (70.0, 3.5));
    let worth = games.worth(0, &[members(0, 3), members(1, 3), members(6, 3), members(7, 3)]).unwrap();
    assert_eq!(worth, [3.5, 7.5, 28.0, 70.0]);
    let many = games.worth(0, &vec![members(1, 3); 3000]).unwrap();
    assert!(many.len() == 3000 && many.iter().all(|w| *w == 7.5));
    let wrong = Ask::new().features(Features::each(2));
    let found = Games::of(&model, &tensor![[5.0, 7.0, 2.0]], &wrong, each).err().unwrap();
    assert_eq!(found.message(), "features of 2 numbers were given for samples [3]");
    assert_eq!((cells(&[1, 28, 28]).unwrap().len(), few_cells(&[3, 28, 28]).unwrap().len()), (49, 9));
}
