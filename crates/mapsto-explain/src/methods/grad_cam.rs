//! Grad-CAM: where in a picture a layer of convolutions saw what speaks for the score.

use super::deep_lift::is_of_single_numbers;
use crate::by_rule::Pass;
use crate::gradients::{leaf, one_hot};
use crate::{Ask, Explanation, Method, Model, Needs, Shown};
use mapsto_nn::{Layer, Sequential};
use mapsto_tensor::graph::{Outline, Recorded};
use mapsto_tensor::ops::{Interpolation, Resize};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor, catch, grad_with};
use std::sync::{Arc, Mutex, PoisonError};

/// The channels of a layer added up, each by the mean of its gradient, and what is positive of them: `max(0, Σ_c mean(∂f/∂A_c) · A_c)`.
///
/// The map has the layer's size and is enlarged to the picture's; every channel of the picture gets the same. The layer is the last one
/// of convolutions with the activation behind it, or the one that `layer` names. It says where, coarsely, and not what: of two things of one class it may show one, and a
/// small map cannot show fine parts. It costs a forward pass and a backward pass to the layer.
///
/// Source: Selvaraju and others, 2016, equations 1 and 2. captum: `LayerGradCam`, `relu_attributions = True`.
/// ```
/// use mapsto_explain::{Ask, Model, method};
/// use mapsto_nn::prelude::*;
/// seed(1);
/// let net = seq![Conv2d::new(1, 4, 3), Tensor::relu, Flatten::new(), Linear::new(4 * 36, 2)];
/// let x = Tensor::rand([1, 1, 8, 8]);
/// let found = method("grad-cam")?.explain(&Model::of(&net), &x, &Ask::new())?;
/// assert_eq!(found.attributions()?.shape(), [1, 1, 8, 8]);
/// assert_eq!(found.attributions()?.lt(0.0).any(..).item(), 0.0);
/// # Ok::<(), Error>(())
/// ```
pub struct GradCam;

impl Method for GradCam {
    fn name(&self) -> &'static str {
        "grad-cam"
    }
    fn says(&self) -> &'static str {
        "where in the picture a layer of convolutions saw what speaks for the score"
    }
    fn needs(&self) -> Needs {
        Needs::Gradients
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        let &[n, _, h, w] = x.shape() else {
            let message = format!("grad-cam looks at pictures [n, channels, h, w], found {:?}", x.shape());
            return Err(Error::new(ErrorKind::Usage, message)
                .help("use integrated-gradients or kernel-shap for tables"));
        };
        let classes = ask.chosen(&model.scores(x)?)?;
        let scores = model.answers(x, &classes)?;
        let (y, maps) = match &ask.layer {
            Some(path) => at_layer(model, x, path)?,
            None => last_convolution(model, x)?,
        };
        let &[rows, _, high, wide] = maps.shape() else {
            let message = format!("the layer gives {:?}, no maps [n, channels, h, w]", maps.shape());
            return Err(Error::new(ErrorKind::Usage, message).help("name a layer of convolutions"));
        };
        if rows != n || !maps.is_recorded() {
            let message = format!("the layer's maps {:?} do not come from the {n} pictures", maps.shape());
            return Err(Error::new(ErrorKind::Model, message).help("name another layer"));
        }
        let g =
            catch(|| grad_with(&y, &one_hot(&classes, &y)?, &[&maps]).pop().ok_or_else(nothing))??.detach();
        let map = (g.mean([2, 3]).reshape([n, g.shape()[1], 1, 1]) * maps.detach()).sum(1).relu();
        let map =
            map.reshape([n, 1, high, wide]).interpolate(&Resize::to([h, w]).mode(Interpolation::Bilinear));
        let found = map.expand(x.shape()).contiguous();
        let mut notes = vec![format!("the maps of the layer are {high} x {wide}, enlarged to {h} x {w}")];
        if found.max(..).item() == 0.0 {
            notes.push("nothing that the layer saw speaks for the score, so the map is empty".into());
        }
        Ok(Explanation { classes, scores, notes, ..Explanation::new(Shown::Attributions(found)) })
    }
}

fn nothing() -> Error {
    Error::new(ErrorKind::Model, "the score does not depend on the layer")
}

/// The scores, and the maps of the last step that adds up products and gives maps of more than one place.
fn last_convolution(model: &Model<'_>, x: &Tensor) -> Result<(Tensor, Tensor)> {
    let pass = Pass::of(model, x)?;
    let is_one = |step: &Recorded| {
        let xs: Vec<Outline> = step.inputs().iter().map(Outline::from).collect();
        let y = step.output();
        y.rank() == 4 && y.shape()[2] * y.shape()[3] > 1 && step.op().cost(&xs, &Outline::from(y)).macs > 0
    };
    let steps = pass.recording.steps();
    let Some(at) = steps.iter().rposition(is_one) else {
        let message = "the model has no layer of convolutions for grad-cam to look at";
        return Err(Error::new(ErrorKind::Model, message).help("use integrated-gradients or occlusion"));
    };
    // What the layer's activation makes of it, where one follows: it says what was found, and not what was not.
    let follows = steps.get(at + 1).filter(|next| is_of_single_numbers(next));
    let maps = follows.unwrap_or(&steps[at]).output().clone();
    Ok((pass.y.clone(), maps))
}

/// The scores, and what the layer with this path gives.
fn at_layer(model: &Model<'_>, x: &Tensor, path: &str) -> Result<(Tensor, Tensor)> {
    let copy = model.layer().and_then(Layer::clone_layer).ok_or_else(|| {
        Error::new(ErrorKind::Usage, format!("the layers of this model are not known, so not `{path}`"))
            .help("make it with `Model::of(&net)`, of layers that can be cloned")
    })?;
    let seen = Arc::new(Mutex::new(None));
    let mut net = Sequential::new(vec![copy]);
    let slot = seen.clone();
    let hook = catch(|| {
        net.register_forward_hook(&format!("0.{path}"), move |_x: &Tensor, y: &Tensor| {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(y.clone());
        })
    });
    let hook = hook.map_err(|e| {
        let message = format!("the model has no layer `{path}`");
        Error::new(ErrorKind::Usage, message).help(e.help_text().unwrap_or_default().replace("0.", ""))
    })?;
    let y = model.with_layer(&net).recorded(&leaf(x)?)?;
    drop(hook);
    let maps = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok((y, maps.ok_or_else(nothing)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto_nn::prelude::*;

    #[test]
    fn the_last_convolution_is_found_and_layers_are_named() {
        seed(2);
        let net = seq![
            Conv2d::new(1, 3, 3),
            Tensor::relu,
            Conv2d::new(3, 4, 3),
            Tensor::tanh,
            Flatten::new(),
            Linear::new(64, 2)
        ];
        let (model, x) = (Model::of(&net), Tensor::rand([2, 1, 8, 8]));
        let found =
            |ask: &Ask| GradCam.explain(&model, &x, ask).unwrap().attributions().unwrap().to_vec::<f32>();
        assert_eq!(found(&Ask::new()), found(&Ask::new().layer("3")));
        assert_ne!(found(&Ask::new()), found(&Ask::new().layer("0")));
        let refused = |ask: Ask| GradCam.explain(&model, &x, &ask).unwrap_err().message().to_string();
        assert_eq!(refused(Ask::new().layer("7")), "the model has no layer `7`");
        assert_eq!(refused(Ask::new().layer("5")), "the layer gives [2, 2], no maps [n, channels, h, w]");
    }
}
