//! Layer-sequential unit-variance initialisation: weights that give each layer's outputs the variance 1 on a batch.

use super::{Init, Orthogonal};
use crate::module::{Item, ItemMut, Layer, Path, apart};
use mapsto_tensor::{DType, Error, ErrorKind, LeafId, Result, Tensor, catch, no_grad, record, trace};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// What [`lsuv`] did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lsuv {
    /// The weights that it drew and scaled, in the order in which the model uses them, each with the variance of its outputs before it was scaled.
    pub scaled: Vec<(String, f64)>,
    /// The parameters that it left as they were.
    pub left: Vec<String>,
}

/// Draws the weights of linear layers and convolutions anew, so that the outputs of each have the variance 1 over this batch.
///
/// One after the other, as the model uses them: the weight begins orthonormal, its bias at 0, and is divided by the deviation of all numbers that
/// the layer gives, before any activation. A layer is a product of its input and one weight of at least two axes, wherever it stands in the model, such
/// as inside an attention. Left as they are: norms, embeddings, recurrent layers, whose products have several weights, frozen parameters, and what the
/// batch does not reach. The model runs in inference mode; no running statistic changes. In a training file: `lsuv = true` in `[model]`.
///
/// PyTorch and Keras have none.
///
/// Source: Mishkin, Matas (2016), All you need is a good init, arXiv:1511.06422, algorithm 1.
/// ```
/// use mapsto_nn::init::lsuv;
/// use mapsto_nn::prelude::*;
/// seed(1);
/// let x = Tensor::randn([64, 8]) * 5.0;
/// let mut net = seq![Linear::new(8, 16), Tensor::relu, Linear::new(16, 4)];
/// let done = lsuv(&mut net, &x)?;
/// assert_eq!(done.scaled.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["0.weight", "2.weight"]);
/// assert!((net.forward(&x).var(..).item() - 1.0).abs() < 1e-3);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
/// # Errors
/// A layer whose outputs are all alike, or not finite, by its name; a batch that the model does not take. The model is then left as it was.
pub fn lsuv(model: &mut (impl Layer + ?Sized), x: &Tensor) -> Result<Lsuv> {
    let before = values(model);
    let done = scale(model, x);
    if done.is_err() {
        let mut old = before.into_iter();
        model.visit_mut(&mut Path::new(), &mut |_, item| {
            if let (ItemMut::Param(p), Some(old)) = (item, old.next()) {
                _ = p.set(&old);
            }
        });
    }
    done
}

fn scale(model: &mut (impl Layer + ?Sized), x: &Tensor) -> Result<Lsuv> {
    let names = names(model);
    let layers = layers(model, x, &names)?;
    let biases: Vec<LeafId> = layers.iter().flat_map(|layer| layer.biases.clone()).collect();
    let weights: Vec<LeafId> = layers.iter().map(|layer| layer.weight).collect();
    write(model, &|id, p| {
        if biases.contains(&id) {
            return Some(p.detach() * 0.0);
        }
        let drawn = || Orthogonal::new().tensor(p.shape()).to(p.dtype()).to_device(p.device());
        weights.contains(&id).then(drawn)
    })?;
    let mut scaled = Vec::new();
    for weight in &weights {
        let name = names.get(weight).cloned().unwrap_or_default();
        let found = uses(model, x)?.into_iter().find(|layer| layer.weight == *weight);
        let variance = found.map_or(f64::NAN, |layer| layer.variance);
        if !variance.is_finite() || variance <= 0.0 {
            let message =
                format!("lsuv: the outputs of `{name}` have the variance {variance} over this batch");
            return Err(Error::new(ErrorKind::Data, message)
                .help("give a batch of different samples, with numbers that are finite; a layer before it may give zeros alone"));
        }
        write(model, &|id, p| (id == *weight).then(|| no_grad(|| p.detach() * (1.0 / variance.sqrt()))))?;
        scaled.push((name, variance));
    }
    let mut left: Vec<String> = Vec::new();
    model.visit(&mut Path::new(), &mut |path, item| {
        if let Item::Param(p) = item
            && !weights.contains(&p.id())
            && !biases.contains(&p.id())
        {
            left.push(path.to_string());
        }
    });
    Ok(Lsuv { scaled, left })
}

/// A product of an input and one weight.
#[derive(Clone, Debug)]
struct Product {
    weight: LeafId,
    biases: Vec<LeafId>,
    /// Of all that it gives.
    variance: f64,
}

/// The layers that are scaled: each by its first use, and by no product of several weights.
fn layers(
    model: &(impl Layer + ?Sized),
    x: &Tensor,
    names: &HashMap<LeafId, String>,
) -> Result<Vec<Product>> {
    let mut layers: Vec<Product> = Vec::new();
    for product in uses(model, x)? {
        let is_new = layers.iter().all(|layer| layer.weight != product.weight);
        if is_new && names.contains_key(&product.weight) {
            layers.push(product);
        }
    }
    Ok(layers)
}

/// Every product of the forward pass, in order, each in a pass of its own.
fn uses(model: &(impl Layer + ?Sized), x: &Tensor) -> Result<Vec<Product>> {
    let seen: Rc<RefCell<Vec<Product>>> = Rc::default();
    let out = seen.clone();
    let look = move |event: &trace::TraceEvent<'_>| {
        let leaves = |of: &dyn Fn(&Tensor) -> bool| -> Vec<LeafId> {
            event.inputs.iter().filter(|t| of(t)).filter_map(|t| t.leaf_id()).collect()
        };
        let weights = leaves(&|t| t.rank() >= 2);
        if let ([weight], true) = (&weights[..], event.cost().macs > 0) {
            let y = no_grad(|| event.output.detach().to(DType::F64));
            let variance = no_grad(|| (&y - y.mean(..)).square().mean(..)).item();
            out.borrow_mut().push(Product { weight: *weight, biases: leaves(&|t| t.rank() == 1), variance });
        }
    };
    catch(|| trace::with(look, || apart(|| record(|| drop(model.forward(x))))))
        .map_err(|e| e.inside("lsuv"))?;
    Ok(seen.take())
}

/// The names of parameters that are not frozen.
fn names(model: &(impl Layer + ?Sized)) -> HashMap<LeafId, String> {
    let mut names = HashMap::new();
    model.visit(&mut Path::new(), &mut |path, item| {
        if let Item::Param(p) = item
            && !p.is_frozen()
        {
            names.insert(p.id(), path.to_string());
        }
    });
    names
}

fn values(model: &(impl Layer + ?Sized)) -> Vec<Tensor> {
    let mut values = Vec::new();
    model.visit(&mut Path::new(), &mut |_, item| {
        if let Item::Param(p) = item {
            values.push(p.detach().contiguous());
        }
    });
    values
}

/// Gives the parameters new values for which there are any.
fn write(
    model: &mut (impl Layer + ?Sized),
    new: &dyn Fn(LeafId, &crate::Param) -> Option<Tensor>,
) -> Result<()> {
    let mut done = Ok(());
    model.visit_mut(&mut Path::new(), &mut |_, item| {
        if let ItemMut::Param(p) = item
            && !p.is_frozen()
            && let (true, Some(values)) = (done.is_ok(), new(p.id(), p))
        {
            done = p.set(&values);
        }
    });
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    /// The variance of what each product gives.
    fn variances(net: &Sequential, x: &Tensor) -> Vec<f64> {
        uses(net, x).unwrap().into_iter().map(|layer| layer.variance).collect()
    }

    #[test]
    fn every_layer_has_the_variance_1() {
        seed(2);
        let x = Tensor::randn([16, 3, 8, 8]) * 7.0 + 2.0;
        let mut net = seq![
            Conv2d::new(3, 6, 3).padding(1),
            Tensor::relu,
            BatchNorm2d::new(6),
            Conv2d::new(6, 4, 3).stride(2),
            Tensor::tanh,
            Flatten::new(),
            Linear::new(36, 20),
            Dropout::new(0.5),
            Tensor::sigmoid,
            Linear::new(20, 5).no_bias()
        ];
        let before = variances(&net, &x);
        assert!(before.iter().any(|v| (v - 1.0).abs() > 0.5), "{before:?}");
        let statistics = net.state_dict().into_iter().find(|(n, _)| n.ends_with("running_mean")).unwrap().1;
        let done = lsuv(&mut net, &x).unwrap();
        let after = variances(&net, &x);
        assert_eq!((done.scaled.len(), after.len()), (4, 4));
        assert!(after.iter().all(|v| (v - 1.0).abs() < 1e-4), "{after:?}");
        assert_eq!(done.left, ["2.weight", "2.bias"]);
        let now = net.state_dict().into_iter().find(|(n, _)| n.ends_with("running_mean")).unwrap().1;
        assert_eq!(now.to_vec::<f32>(), statistics.to_vec::<f32>());
        // The rows of a weight stay orthogonal.
        let w = &net.state_dict().into_iter().find(|(n, _)| n == "9.weight").unwrap().1;
        let gram = w.matmul(&w.t());
        let apart = (&gram - Tensor::eye(5) * gram.select(0, 0).select(0, 0).item()).abs().max(..).item();
        assert!(apart < 1e-5, "{apart}");
    }

    #[test]
    fn recurrent_layers_embeddings_and_frozen_weights_are_left() {
        let mut net = seq![Embedding::new(10, 4), Lstm::new(4, 3), Linear::new(3, 2), Linear::new(2, 2)];
        net.freeze("3.*").unwrap();
        let ids = tensor![[1, 2, 3], [4, 5, 6]];
        let frozen = net.state_dict().into_iter().find(|(n, _)| n == "3.weight").unwrap().1.to_vec::<f32>();
        let done = lsuv(&mut net, &ids).unwrap();
        assert_eq!(done.scaled.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), ["2.weight"]);
        assert!(done.left.contains(&"0.weight".to_string()) && done.left.iter().any(|n| n.starts_with("1.")));
        let now = net.state_dict().into_iter().find(|(n, _)| n == "3.weight").unwrap().1.to_vec::<f32>();
        assert_eq!(now, frozen);
    }

    #[test]
    fn a_batch_of_equal_numbers_is_refused_and_changes_nothing() {
        let mut net = seq![Linear::new(3, 3), Linear::new(3, 2)];
        let before: Vec<Vec<f32>> = net.state_dict().into_iter().map(|(_, t)| t.to_vec()).collect();
        let e = lsuv(&mut net, &Tensor::zeros([4, 3])).unwrap_err();
        assert!(e.message().contains("the outputs of `0.weight` have the variance 0"), "{e}");
        let e = lsuv(&mut net, &Tensor::zeros([4, 5])).unwrap_err();
        assert!(e.message().contains("linear"), "{e}");
        let after: Vec<Vec<f32>> = net.state_dict().into_iter().map(|(_, t)| t.to_vec()).collect();
        assert_eq!(after, before);
    }
}
