//! What a method found.

use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// How scores change as one feature does, all others being as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The feature, counted from 0.
    pub feature: usize,
    /// The values that it was given.
    pub at: Vec<f64>,
    /// The mean score at each.
    pub scores: Vec<f64>,
    /// The scores of each sample, whose mean that is: its individual curve.
    pub each: Vec<Vec<f64>>,
}

/// How often numbers lie in each of some ranges.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// What was counted: the path of a parameter, or of a layer.
    pub name: String,
    /// The ends of the ranges, one more than there are ranges.
    pub edges: Vec<f64>,
    /// How many numbers lie in each.
    pub counts: Vec<usize>,
}

/// What a method shows.
#[derive(Clone, Debug)]
pub enum Shown {
    /// How much each number of each sample adds to the score, in the shape of the inputs.
    Attributions(Tensor),
    /// How much each feature matters to the model as a whole, and how far that differs between draws.
    Importance {
        /// One for each feature.
        values: Vec<f64>,
        /// Its standard deviation.
        spread: Vec<f64>,
    },
    /// How the score changes with each feature.
    Curves(Vec<Curve>),
    /// Inputs that the model was found to answer otherwise, in the shape of the inputs.
    Inputs(Tensor),
    /// A place in the plane for each sample, `[n, 2]`.
    Points(Tensor),
    /// Named tensors, such as the filters of each layer.
    Tensors(Vec<(String, Tensor)>),
    /// Counts of weights and activations.
    Histograms(Vec<Histogram>),
}

/// An explanation: what is shown, of which scores, and what should be known about it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What the method shows.
    pub shown: Shown,
    /// The class that was explained for each sample; empty where none was.
    pub classes: Vec<usize>,
    /// The score of each sample for that class.
    pub scores: Vec<f64>,
    /// The score of the baseline, the mean over several, where the method has one.
    pub base: Option<Vec<f64>>,
    /// Sentences about what was found.
    pub notes: Vec<String>,
}

impl Explanation {
    /// One that shows this, without classes.
    pub fn new(shown: Shown) -> Explanation {
        Explanation { shown, classes: Vec::new(), scores: Vec::new(), base: None, notes: Vec::new() }
    }

    /// The attributions, in the shape of the inputs.
    ///
    /// # Errors
    /// The method shows something else.
    pub fn attributions(&self) -> Result<Tensor> {
        match &self.shown {
            Shown::Attributions(found) => Ok(found.clone()),
            _ => {
                Err(Error::new(ErrorKind::Usage, "this method attributes nothing to the numbers of an input")
                    .help("match on `Explanation::shown`"))
            }
        }
    }
}
