//! What is asked of a method: which class, against which baseline, how often, with which seed.

use crate::Features;
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// Which score of each sample is explained.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// The highest.
    Likeliest,
    /// That of one class, or one output, for every sample.
    Class(usize),
    /// One for each sample.
    Each(Vec<usize>),
}

/// The question that a method answers; every part has a default.
///
/// ```
/// use mapsto_explain::Ask;
/// let ask = Ask::new().class(3).samples(50).seed(1);
/// assert_eq!(ask.count(10), 50);
/// assert_eq!(Ask::new().count(10), 10);
/// ```
#[derive(Clone, Debug)]
pub struct Ask {
    /// Which score is explained; the highest of each sample by default.
    pub target: Target,
    /// What the inputs are compared with: one sample `[..]`, or several `[m, ..]`; zeros by default.
    pub baseline: Option<Tensor>,
    /// How many draws or steps a method takes; its own number by default.
    pub samples: Option<usize>,
    /// Where draws begin.
    pub seed: u64,
    /// Which numbers of a sample belong together, as the cells of a picture or the columns that one category was spread over; each
    /// number for itself by default.
    pub features: Option<Features>,
    /// The scale of the noise or of the kernel, where a method has one.
    pub width: Option<f64>,
    /// The layer that a method looks at, by its path, where it looks at one.
    pub layer: Option<String>,
    /// What would have been right, `[n]` classes or numbers, for methods that score the model.
    pub truth: Option<Tensor>,
    /// The lowest and the highest value that each number of an input may take, where a method searches inputs.
    pub range: Option<(Tensor, Tensor)>,
    /// The features that must stay as they are, where a method searches inputs.
    pub fixed: Vec<usize>,
    /// The features whose numbers stand for words, between which there is nothing.
    pub words: Vec<usize>,
}

impl Default for Ask {
    fn default() -> Ask {
        Ask::new()
    }
}

impl Ask {
    /// About the likeliest class, against zeros.
    pub fn new() -> Ask {
        Ask {
            target: Target::Likeliest,
            baseline: None,
            samples: None,
            seed: 0,
            features: None,
            width: None,
            layer: None,
            truth: None,
            range: None,
            fixed: Vec::new(),
            words: Vec::new(),
        }
    }

    /// About one class, or one output.
    #[must_use]
    pub fn class(self, class: usize) -> Ask {
        Ask { target: Target::Class(class), ..self }
    }

    /// About a class for each sample.
    #[must_use]
    pub fn classes(self, classes: Vec<usize>) -> Ask {
        Ask { target: Target::Each(classes), ..self }
    }

    /// Against one sample `[..]`, or several `[m, ..]`.
    #[must_use]
    pub fn baseline(self, baseline: Tensor) -> Ask {
        Ask { baseline: Some(baseline), ..self }
    }

    /// With so many draws or steps.
    #[must_use]
    pub fn samples(self, samples: usize) -> Ask {
        Ask { samples: Some(samples), ..self }
    }

    /// With draws that begin there.
    #[must_use]
    pub fn seed(self, seed: u64) -> Ask {
        Ask { seed, ..self }
    }

    /// With numbers that belong together.
    #[must_use]
    pub fn features(self, features: Features) -> Ask {
        Ask { features: Some(features), ..self }
    }

    /// With noise or a kernel of this scale.
    #[must_use]
    pub fn width(self, width: f64) -> Ask {
        Ask { width: Some(width), ..self }
    }

    /// Looking at the layer with this path.
    #[must_use]
    pub fn layer(self, path: impl Into<String>) -> Ask {
        Ask { layer: Some(path.into()), ..self }
    }

    /// Knowing what would have been right.
    #[must_use]
    pub fn truth(self, truth: Tensor) -> Ask {
        Ask { truth: Some(truth), ..self }
    }

    /// Knowing which features are words.
    #[must_use]
    pub fn words(self, words: Vec<usize>) -> Ask {
        Ask { words, ..self }
    }

    /// Searching between these lowest and highest values, each of the shape of one sample.
    #[must_use]
    pub fn range(self, lowest: Tensor, highest: Tensor) -> Ask {
        Ask { range: Some((lowest, highest)), ..self }
    }

    /// Leaving these features as they are.
    #[must_use]
    pub fn fixed(self, features: Vec<usize>) -> Ask {
        Ask { fixed: features, ..self }
    }

    /// How many draws or steps to take, where the method's own number is `own`.
    pub fn count(&self, own: usize) -> usize {
        self.samples.unwrap_or(own)
    }

    /// The class of each sample, given their scores `[n, k]`.
    ///
    /// # Errors
    /// A class that the model does not know, or another number of classes than samples.
    pub fn chosen(&self, scores: &Tensor) -> Result<Vec<usize>> {
        let &[n, k] = scores.shape() else {
            let message = format!("scores should be [samples, classes], found {:?}", scores.shape());
            return Err(Error::new(ErrorKind::Model, message).help("explain one output of the model"));
        };
        let classes = match &self.target {
            Target::Likeliest => scores.argmax(1).to_vec::<i64>().iter().map(|c| *c as usize).collect(),
            Target::Class(class) => vec![*class; n],
            Target::Each(classes) => classes.clone(),
        };
        if classes.len() != n {
            let message = format!("{} classes were given for {n} samples", classes.len());
            return Err(Error::new(ErrorKind::Usage, message).help("give one class for each sample"));
        }
        if let Some(class) = classes.iter().find(|class| **class >= k) {
            let message = format!("class {class} was asked for, and the model gives {k} scores");
            return Err(
                Error::new(ErrorKind::Usage, message).help(format!("classes count from 0 to {}", k - 1))
            );
        }
        Ok(classes)
    }

    /// The baselines for the batch `x`, `[m, ..]`: zeros `[1, ..]` where none was given.
    ///
    /// # Errors
    /// It has the shape of no sample of `x`.
    pub fn baselines(&self, x: &Tensor) -> Result<Tensor> {
        let one = x.shape().get(1..).unwrap_or_default();
        let many = match &self.baseline {
            None => return Ok(Tensor::zeros_like(&x.slice(0, 0..1))),
            Some(given) if given.shape() == one => given.unsqueeze(0),
            Some(given) if given.shape().get(1..) == Some(one) && given.shape()[0] > 0 => given.clone(),
            Some(given) => {
                let message =
                    format!("a baseline of shape {:?} was given for samples {one:?}", given.shape());
                return Err(Error::new(ErrorKind::Usage, message)
                    .help("a baseline is one sample, or several along the first axis"));
            }
        };
        Ok(many.to(x.dtype()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto_tensor::tensor;

    #[test]
    fn classes_are_checked_against_the_scores() {
        let scores = tensor![[0.1, 0.9], [3.0, 2.0]];
        assert_eq!(Ask::new().chosen(&scores).unwrap(), [1, 0]);
        assert_eq!(Ask::new().class(1).chosen(&scores).unwrap(), [1, 1]);
        let message = |ask: Ask| ask.chosen(&scores).unwrap_err().message().to_string();
        assert_eq!(message(Ask::new().class(2)), "class 2 was asked for, and the model gives 2 scores");
        assert_eq!(message(Ask::new().classes(vec![0])), "1 classes were given for 2 samples");
    }

    #[test]
    fn baselines_are_one_sample_or_several() {
        let x = Tensor::ones([3, 2]);
        assert_eq!(Ask::new().baselines(&x).unwrap().shape(), [1, 2]);
        assert_eq!(Ask::new().baseline(tensor![1.0, 2.0]).baselines(&x).unwrap().shape(), [1, 2]);
        assert_eq!(Ask::new().baseline(Tensor::ones([5, 2])).baselines(&x).unwrap().shape(), [5, 2]);
        assert!(Ask::new().baseline(Tensor::ones([5])).baselines(&x).is_err());
    }
}
