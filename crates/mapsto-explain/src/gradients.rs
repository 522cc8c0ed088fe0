//! The gradient of the explained scores at the inputs, for all samples of a batch at once.

use crate::{Ask, Explanation, Model, Shown};
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor, catch, grad_with};

/// The gradient of each sample's score at that sample, as an explanation; samples of a batch must not depend on each other, as they do not
/// in inference.
pub(crate) fn at(model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
    let classes = ask.chosen(&model.scores(x)?)?;
    let (scores, g) = gradient(model, x, &classes)?;
    Ok(Explanation { classes, scores, ..Explanation::new(Shown::Attributions(g)) })
}

/// The scores of the given classes, and their gradients at the samples.
pub(crate) fn gradient(model: &Model<'_>, x: &Tensor, classes: &[usize]) -> Result<(Vec<f64>, Tensor)> {
    let x = leaf(x)?;
    let y = model.recorded(&x)?;
    let chosen = one_hot(classes, &y)?;
    let scores = (&y.detach() * &chosen).sum(1).to(DType::F64).to_vec::<f64>();
    if !y.is_recorded() {
        let message = "the scores were not computed from the inputs by operations with derivatives";
        return Err(Error::new(ErrorKind::Model, message)
            .help("use a method that only asks the model, such as kernel-shap or occlusion"));
    }
    let g = catch(|| grad_with(&y, &chosen, &[&x]))?.remove(0);
    Ok((scores, g.detach()))
}

/// The inputs as a leaf, at which gradients are taken.
pub(crate) fn leaf(x: &Tensor) -> Result<Tensor> {
    if !x.dtype().is_float() {
        let message = format!("inputs of type {} have no gradient", x.dtype());
        return Err(Error::new(ErrorKind::Usage, message)
            .help("explain the layers behind the embedding, or use a method that only asks the model, such as occlusion"));
    }
    Ok(x.detach().leaf())
}

/// 1 at the class of each sample and 0 elsewhere, in the shape and type of the scores.
pub(crate) fn one_hot(classes: &[usize], y: &Tensor) -> Result<Tensor> {
    let &[n, k] = y.shape() else {
        return Err(Error::new(
            ErrorKind::Model,
            format!("scores should be [samples, classes], found {:?}", y.shape()),
        ));
    };
    let mut ones = vec![0.0; n * k];
    for (i, class) in classes.iter().enumerate() {
        if i < n && *class < k {
            ones[i * k + class] = 1.0;
        }
    }
    Ok(Tensor::from_vec(ones, [n, k]).to(y.dtype()))
}

impl Explanation {
    /// The same with attributions changed.
    pub(crate) fn map(mut self, f: impl FnOnce(&Tensor) -> Tensor) -> Explanation {
        if let Shown::Attributions(found) = &self.shown {
            self.shown = Shown::Attributions(f(found));
        }
        self
    }
}
