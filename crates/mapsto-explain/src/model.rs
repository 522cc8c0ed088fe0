//! A model as methods see it: a map from a batch of inputs to scores, with its layers where it has some.

use mapsto_nn::Layer;
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor, catch, no_grad};
use std::rc::Rc;

type Map<'a> = Rc<dyn Fn(&Tensor) -> Tensor + 'a>;

/// A map from a batch `[n, ..]` to scores `[n, k]`: a layer, or any function.
///
/// ```
/// use mapsto_explain::Model;
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| x.square().sum(1));
/// assert_close!(model.scores(&tensor![[1.0, 2.0], [3.0, 0.0]])?, [[5.0], [9.0]]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Model<'a> {
    source: Source<'a>,
    before: Option<Map<'a>>,
    after: Option<Map<'a>>,
}

#[derive(Clone)]
enum Source<'a> {
    Layer(&'a dyn Layer),
    Asked(Map<'a>),
}

/// Inputs that are asked about at once where there are many.
const BATCH: usize = 256;

impl<'a> Model<'a> {
    /// A layer, such as a whole network.
    pub fn of(layer: &'a dyn Layer) -> Model<'a> {
        Model { source: Source::Layer(layer), before: None, after: None }
    }

    /// A function, whatever is behind it.
    pub fn asked(f: impl Fn(&Tensor) -> Tensor + 'a) -> Model<'a> {
        Model { source: Source::Asked(Rc::new(f)), before: None, after: None }
    }

    /// The same on inputs that are prepared first.
    #[must_use]
    pub fn before(self, f: impl Fn(&Tensor) -> Tensor + 'a) -> Model<'a> {
        Model { before: Some(Rc::new(f)), ..self }
    }

    /// The same with scores made of its outputs.
    #[must_use]
    pub fn after(self, f: impl Fn(&Tensor) -> Tensor + 'a) -> Model<'a> {
        Model { after: Some(Rc::new(f)), ..self }
    }

    /// Its layers, where it is known to have some.
    pub fn layer(&self) -> Option<&'a dyn Layer> {
        match &self.source {
            Source::Layer(layer) => Some(*layer),
            Source::Asked(_) => None,
        }
    }

    /// The same with another layer in the place of its own, such as one with other weights.
    #[must_use]
    pub fn with_layer<'b>(&self, layer: &'b dyn Layer) -> Model<'b>
    where
        'a: 'b,
    {
        Model { source: Source::Layer(layer), before: self.before.clone(), after: self.after.clone() }
    }

    /// The scores `[n, k]`, in the mode of the caller; recorded where `x` is a leaf.
    ///
    /// # Errors
    /// The model does not take `x`, or gives no row of scores for each input.
    pub fn recorded(&self, x: &Tensor) -> Result<Tensor> {
        let n = x.shape().first().copied().unwrap_or(0);
        if n == 0 {
            let message = format!("there is no sample in a batch of shape {:?}", x.shape());
            return Err(Error::new(ErrorKind::Usage, message).help("the first axis is that of the samples"));
        }
        let y = catch(|| {
            let x = self.before.as_ref().map_or_else(|| x.clone(), |f| f(x));
            let y = match &self.source {
                Source::Layer(layer) => layer.forward(&x),
                Source::Asked(f) => f(&x),
            };
            self.after.as_ref().map_or_else(|| y.clone(), |f| f(&y))
        })?;
        match *y.shape() {
            [rows] if rows == n => Ok(y.unsqueeze(1)),
            [rows, k] if rows == n && k > 0 => Ok(y),
            _ => {
                let message = format!("the model gives {:?} for {n} samples, not [{n}, scores]", y.shape());
                Err(Error::new(ErrorKind::Model, message).help(
                    "choose the scores to explain by `Model::after(|y| ..)`, such as those of the last step",
                ))
            }
        }
    }

    /// The scores `[n, k]` without a graph, in f64, asked for in batches.
    ///
    /// # Errors
    /// As [`recorded`](Model::recorded); scores that are not finite.
    pub fn scores(&self, x: &Tensor) -> Result<Tensor> {
        let n = x.shape().first().copied().unwrap_or(0);
        let starts = (0..n.max(1)).step_by(BATCH);
        let parts: Result<Vec<Tensor>> = starts
            .map(|from| no_grad(|| self.recorded(&x.slice(0, from..n.min(from + BATCH)))))
            .map(|y| y.map(|y| y.to(DType::F64)))
            .collect();
        let y = Tensor::cat(&parts?, 0);
        if !y.is_finite() {
            return Err(Error::new(ErrorKind::NonFinite, "the model's scores are not finite")
                .help("look for NaN in the inputs and in the weights"));
        }
        Ok(y)
    }

    /// The score of each input for its class.
    ///
    /// # Errors
    /// As [`scores`](Model::scores).
    pub fn answers(&self, x: &Tensor, classes: &[usize]) -> Result<Vec<f64>> {
        let y = self.scores(x)?;
        let (k, y) = (y.shape()[1], y.to_vec::<f64>());
        Ok(classes.iter().enumerate().map(|(i, class)| y[i * k + class]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto_nn::prelude::*;

    #[test]
    fn scores_are_rows_and_many_inputs_are_asked_in_batches() {
        let net = seq![Linear::new(2, 3)];
        let model = Model::of(&net).before(|x| x * 2.0).after(|y| y.slice(1, 0..2));
        let x = Tensor::randn([600, 2]);
        let y = model.scores(&x).unwrap();
        assert_eq!(y.shape(), [600, 2]);
        assert_close!(
            y.slice(0, 599..600),
            net.forward(&(x.slice(0, 599..600) * 2.0)).slice(1, 0..2).to(DType::F64)
        );
        let answers = model.answers(&x, &vec![1; 600]).unwrap();
        assert_eq!(answers[300], y.to_vec::<f64>()[601]);
        let deep = Model::asked(|x: &Tensor| x.unsqueeze(1));
        assert!(
            deep.scores(&x).unwrap_err().message().starts_with("the model gives [256, 1, 2] for 256 samples")
        );
        assert!(model.scores(&Tensor::zeros([0, 2])).is_err());
    }
}
