//! Filters: the weights of each layer that looks at pictures or columns, as they are.

use crate::{Ask, Explanation, Method, Model, Needs, Shown};
use mapsto_nn::{Item, Path};
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor};

/// The weights of every layer with at least two axes, by their paths: `[out, in, h, w]` of a convolution, `[out, in]` of a linear layer.
///
/// Those of a first layer can be looked at as pictures. Those of later layers look at what earlier ones make and say little by themselves.
/// It costs nothing: the model is not run.
///
/// Source: Krizhevsky, Sutskever and Hinton, 2012, figure 3.
/// ```
/// use mapsto_explain::{Ask, Model, Shown, method};
/// use mapsto_nn::prelude::*;
/// let net = seq![Conv2d::new(1, 4, 3), Flatten::new(), Linear::new(144, 2)];
/// let found = method("filters")?.explain(&Model::of(&net), &Tensor::zeros([1, 1, 8, 8]), &Ask::new())?;
/// let Shown::Tensors(filters) = found.shown else { panic!() };
/// assert_eq!((filters[0].0.as_str(), filters[0].1.shape()), ("0.weight", &[4, 1, 3, 3][..]));
/// # Ok::<(), Error>(())
/// ```
pub struct Filters;

impl Method for Filters {
    fn name(&self) -> &'static str {
        "filters"
    }
    fn says(&self) -> &'static str {
        "the weights of each layer, as they are"
    }
    fn needs(&self) -> Needs {
        Needs::Layers
    }
    fn is_global(&self) -> bool {
        true
    }
    fn explain(&self, model: &Model<'_>, _x: &Tensor, _ask: &Ask) -> Result<Explanation> {
        let weights = parameters(model)?.into_iter().filter(|(_, w)| w.rank() >= 2).collect();
        Ok(Explanation::new(Shown::Tensors(weights)))
    }
}

/// The parameters of a model by their paths.
pub(super) fn parameters(model: &Model<'_>) -> Result<Vec<(String, Tensor)>> {
    let layer = model.layer().ok_or_else(|| {
        Error::new(ErrorKind::Usage, "the layers of this model are not known")
            .help("make it with `Model::of(&net)`")
    })?;
    let mut all = Vec::new();
    layer.visit(&mut Path::new(), &mut |path, item| {
        if let Item::Param(param) = item {
            all.push((path.to_string(), param.detach().to(DType::F64)));
        }
    });
    Ok(all)
}

#[test]
fn a_model_that_can_only_be_asked_is_refused() {
    let model = Model::asked(|x: &Tensor| x.sum(1));
    let refused = Filters.explain(&model, &Tensor::zeros([1, 2]), &Ask::new()).unwrap_err();
    assert_eq!(refused.message(), "the layers of this model are not known");
}
