//! Clones of boxed layers: what `net.clone()` does where layers of any type lie in boxes.

use super::Layer;
use mapsto_tensor::fail;

/// A layer with the same values under identities of its own; memory is shared until one of the two is written.
///
/// ```
/// use mapsto_nn::prelude::*;
/// let net = seq![Linear::new(2, 3), Tensor::tanh, |x: &Tensor| x * 2.0];
/// let target = net.clone();
/// let x = Tensor::randn([4, 2]);
/// assert_close!(target.forward(&x), net.forward(&x));
/// assert_ne!(target.parameters()[0].1.leaf_id(), net.parameters()[0].1.leaf_id());
/// ```
/// # Panics
/// When a layer inside cannot be cloned, which the message names: see [`Layer::clone_layer`].
impl Clone for Box<dyn Layer> {
    #[track_caller]
    fn clone(&self) -> Self {
        match self.clone_layer() {
            Some(layer) => layer,
            None => {
                let name = culprit(&**self);
                fail!("clone", "the layer `{name}` cannot be cloned";
                      help = "derive `Clone` beside `Module`; a type with type parameters also says in its `impl Layer`: \
                              `fn clone_layer(&self) -> Option<Box<dyn Layer>> {{ Some(Box::new(self.clone())) }}`")
            }
        }
    }
}

/// The innermost layer that keeps `layer` from being cloned.
fn culprit(layer: &dyn Layer) -> String {
    let inner = layer.inner();
    let deeper = inner.iter().find(|(_, layer)| layer.clone_layer().is_none());
    deeper.map_or_else(|| layer.name().into_owned(), |(_, layer)| culprit(*layer))
}

/// What `#[derive(Module)]` asks whether a type is a layer that has `Clone`: a method of the type itself goes before the one of the
/// trait [`NotCloned`] where its bounds hold.
#[doc(hidden)]
pub struct Cloner<'a, T>(pub &'a T);

impl<T: Layer + Clone + 'static> Cloner<'_, T> {
    /// The clone.
    pub fn boxed_clone(&self) -> Option<Box<dyn Layer>> {
        Some(Box::new(self.0.clone()))
    }
}

/// The answer of a type that is no layer or has no `Clone`.
#[doc(hidden)]
pub trait NotCloned {
    /// No clone.
    fn boxed_clone(&self) -> Option<Box<dyn Layer>> {
        None
    }
}
impl<T> NotCloned for Cloner<'_, T> {}

/// What `#[derive(Module)]` asks whether a field is a layer, for [`Layer::summary`]; as [`Cloner`].
#[doc(hidden)]
pub struct AsLayer<'a, T>(pub &'a T);

impl<'a, T: Layer> AsLayer<'a, T> {
    /// The layer.
    pub fn as_layer(&self) -> Option<&'a dyn Layer> {
        Some(self.0)
    }
}

/// The answer of a type that is no layer.
#[doc(hidden)]
pub trait NoLayer<'a> {
    /// No layer.
    fn as_layer(&self) -> Option<&'a dyn Layer> {
        None
    }
}
impl<'a, T> NoLayer<'a> for AsLayer<'a, T> {}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    #[derive(Clone, Module)]
    #[module(crate = crate)]
    struct Scale {
        by: Param,
    }
    impl Layer for Scale {
        fn forward(&self, x: &Tensor) -> Tensor {
            x * &self.by
        }
    }

    #[derive(Module)]
    #[module(crate = crate)]
    struct Bare;
    impl Layer for Bare {
        fn forward(&self, x: &Tensor) -> Tensor {
            x.clone()
        }
    }

    #[test]
    fn a_clone_of_any_layers_answers_alike_and_learns_by_itself() {
        let net = || {
            seq![
                Scale { by: Param::new(tensor![2.0, 3.0]) },
                Residual::new(seq![Linear::new(2, 2), Tensor::tanh]).shortcut(vec![Linear::new(2, 2)]),
                Some(Linear::new(2, 2)),
                None::<Linear>,
                vec![Linear::new(2, 2)],
                Activation::new("double", |x| x * 2.0),
                BatchNorm1d::new(2),
                Repeat::new(2, || seq![Linear::new(2, 2), |x: &Tensor| x + 1.0]),
            ]
        };
        let mut net = net();
        let (x, first) = (Tensor::randn([3, 2]), net.clone());
        let y = first.forward(&x).to_vec::<f32>();
        assert_eq!(net.forward(&x).to_vec::<f32>(), y);
        assert_eq!((first.summary(), first.parameter_count()), (net.summary(), net.parameter_count()));
        let grads = train(|| net.forward(&x).square().sum(..)).backward();
        Sgd::new(0.1).step(&mut net, grads);
        assert_eq!(first.forward(&x).to_vec::<f32>(), y);
        assert_ne!(net.forward(&x).to_vec::<f32>(), y);
    }

    #[test]
    fn a_layer_without_clone_is_named() {
        let net = seq![Tensor::relu, Residual::new(seq![Bare])];
        let error = catch(|| net.clone()).unwrap_err();
        assert_eq!(error.message(), "clone: the layer `Bare` cannot be cloned");
        assert!(error.help_text().unwrap().starts_with("derive `Clone` beside `Module`"), "{error}");
    }
}
