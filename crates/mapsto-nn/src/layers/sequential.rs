//! Layers one after the other, each taking what the one before it gives.

use super::LayerKind;
use crate::module::Hooks;
use crate::module::{Item, ItemMut, Path, clone_each};
use crate::spec::build_layers;
use crate::{AtLengths, Hooked, Layer, LayerHook, Module, Then};
use mapsto_spec::Entry;
use mapsto_tensor::graph::HookResult;
use mapsto_tensor::{DType, Tensor, fail};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Layers of any kind, one after the other; [`seq!`](crate::seq) makes one.
///
/// Its parameters are named by position: `0.weight`, `0.bias`, `2.weight`. A clone, such as a target network, has the same values
/// under identities of its own.
///
/// PyTorch: `Sequential`; Keras: `Sequential`.
/// ```
/// use mapsto_nn::prelude::*;
/// let net = seq![Linear::new(784, 64), Tensor::relu, Linear::new(64, 10)];
/// assert_eq!(net.forward(&Tensor::zeros([32, 784])).shape(), [32, 10]);
/// assert_eq!(net.to_string(), "Sequential(\n  0: Linear(784 → 64)\n  1: relu\n  2: Linear(64 → 10)\n)");
/// ```
#[derive(Clone, Default)]
pub struct Sequential {
    layers: Vec<Box<dyn Layer>>,
}

impl Sequential {
    /// These layers in this order.
    pub fn new(layers: Vec<Box<dyn Layer>>) -> Sequential {
        Sequential { layers }
    }

    /// The same with one more layer at the end.
    #[must_use]
    pub fn then(mut self, layer: impl Layer + 'static) -> Sequential {
        self.layers.push(Box::new(layer));
        self
    }

    /// Adds a layer at the end.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let mut net = seq![];
    /// for width in [4, 3] {
    ///     net.push(Linear::new(width, width - 1));
    /// }
    /// assert_eq!((net.len(), net.forward(&Tensor::zeros([1, 4])).shape()), (2, &[1, 2][..]));
    /// ```
    pub fn push(&mut self, layer: impl Layer + 'static) {
        self.layers.push(Box::new(layer));
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there are no layers, so that the output is the input.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// The layer at a position from 0, if there is one.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let net = seq![Linear::new(2, 3), Tensor::relu];
    /// assert_eq!(net.get(0).unwrap().describe(), "Linear(2 → 3)");
    /// assert!(net.get(2).is_none());
    /// ```
    pub fn get(&self, position: usize) -> Option<&dyn Layer> {
        self.layers.get(position).map(|layer| &**layer)
    }

    /// The layers.
    pub fn layers(&self) -> &[Box<dyn Layer>] {
        &self.layers
    }

    /// The layers, to be exchanged, put in or taken out.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let mut net = seq![Linear::new(2, 3), Tensor::relu, Linear::new(3, 10)];
    /// net.layers_mut()[2] = Box::new(Linear::new(3, 4));
    /// assert_eq!(net.forward(&Tensor::zeros([1, 2])).shape(), [1, 4]);
    /// ```
    pub fn layers_mut(&mut self) -> &mut Vec<Box<dyn Layer>> {
        &mut self.layers
    }
}

impl Sequential {
    /// Shows the input and the output of the layer with this name to `f` in every forward pass, until the handle is dropped. `f` gives nothing, or
    /// the output to go on with. In lists within the list names have dots: `"2.0"`.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let mut net = seq![Linear::new(2, 3), Tensor::relu];
    /// let hook = net.register_forward_hook("0", |_x: &Tensor, y: &Tensor| y.clamp(-1.0, 1.0));
    /// assert!(net.forward(&tensor![[100.0, 100.0]]).max(..).item() <= 1.0);
    /// drop(hook);
    /// ```
    /// # Panics
    /// When no layer has that name.
    #[track_caller]
    pub fn register_forward_hook<R: HookResult>(
        &mut self,
        name: &str,
        f: impl Fn(&Tensor, &Tensor) -> R + Send + Sync + 'static,
    ) -> LayerHook {
        let f = Arc::new(move |x: &Tensor, y: &Tensor| f(x, y).seen());
        hooked(self, name, &mut |hooks| hooks.after(f.clone()))
    }

    /// Shows the input of the layer with this name to `f` before every forward pass, until the handle is dropped. `f` gives nothing, or what is to
    /// be the input.
    ///
    /// # Panics
    /// When no layer has that name.
    #[track_caller]
    pub fn register_forward_pre_hook<R: HookResult>(
        &mut self,
        name: &str,
        f: impl Fn(&Tensor) -> R + Send + Sync + 'static,
    ) -> LayerHook {
        let f = Arc::new(move |x: &Tensor| f(x).seen());
        hooked(self, name, &mut |hooks| hooks.before(f.clone()))
    }
}

/// Hooks the layer with this name, which becomes one with hooks in its place.
#[track_caller]
fn hooked(net: &mut Sequential, name: &str, hook: &mut dyn FnMut(&Hooks) -> LayerHook) -> LayerHook {
    let mut layers = &mut net.layers;
    let mut rest = name;
    loop {
        let (first, behind) =
            rest.split_once('.').map_or((rest, None), |(first, behind)| (first, Some(behind)));
        let (count, before) = (layers.len(), &name[..name.len() - rest.len()]);
        let Some(layer) = first.parse::<usize>().ok().and_then(|i| layers.get_mut(i)) else {
            let names: Vec<String> = (0..count).map(|i| format!("{before}{i}")).collect();
            fail!("register_forward_hook", "no layer is called `{name}`"; help = "there are {}", names.join(", "));
        };
        let Some(behind) = behind else {
            if layer.hooks().is_none() {
                let plain = std::mem::replace(layer, Box::new(Sequential::default()));
                *layer = Box::new(Hooked::new(plain));
            }
            return hook(layer.hooks().expect("it is hooked"));
        };
        if layer.layers_mut().is_none() {
            fail!("register_forward_hook", "`{before}{first}`, {}, is no list of layers, so `{name}` is not found by its name", layer.describe();
                  help = "hook the layer as a whole, or make it with a `Hooked` field");
        }
        layers = layer.layers_mut().expect("it has layers");
        rest = behind;
    }
}

// By hand, because the layers stand directly under the model: `0.weight`, not `layers.0.weight`.
impl Module for Sequential {
    fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
        self.layers.visit(path, f);
    }
    fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>)) {
        self.layers.visit_mut(path, f);
    }
}

impl Layer for Sequential {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.layers.forward(x)
    }

    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        self.layers.forward_then(x, then)
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> Result<AtLengths, String> {
        self.layers.at_lengths(x, lengths)
    }

    fn name(&self) -> Cow<'static, str> {
        "Sequential".into()
    }

    fn describe(&self) -> String {
        let inner: Vec<String> = self.layers.iter().map(|l| l.describe()).collect();
        format!("Sequential({})", inner.join(", "))
    }

    fn layers_mut(&mut self) -> Option<&mut Vec<Box<dyn Layer>>> {
        Some(&mut self.layers)
    }

    fn inner(&self) -> Vec<(String, &dyn Layer)> {
        self.layers.inner()
    }

    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        Some(Box::new(Sequential { layers: clone_each(&self.layers)? }))
    }

    fn input_dtype(&self) -> DType {
        self.layers.input_dtype()
    }

    fn entry(&self) -> Option<Entry> {
        self.layers.entry()
    }

    fn entries(&self) -> Option<Vec<Entry>> {
        self.layers.entries()
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("sequential", "The given layers one after the other, as one.", |args, input| {
        let built = build_layers(&args.main::<Vec<Entry>>()?, input)?;
        args.record_main(built.entries);
        Ok(Box::new(built.layers))
    })
    .options(&[("", "the layers")])
    .example(|| sequence(vec![Entry::new("relu"), Entry::new("tanh")]));

/// The entry of layers one after the other.
pub(crate) fn sequence(layers: Vec<Entry>) -> Entry {
    Entry::new(KIND.name).with_value(layers)
}

impl fmt::Display for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())
    }
}

impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

/// Layers one after the other: `seq![Linear::new(2, 8), Tensor::tanh, Linear::new(8, 1)]` is a
/// [`Sequential`](crate::Sequential).
///
/// A closure is a layer when its argument is annotated.
/// ```
/// use mapsto_nn::prelude::*;
/// let net = seq![Tensor::relu, |x: &Tensor| x * 2.0];
/// assert_close!(net.forward(&tensor![-1.0, 3.0]), [0.0, 6.0]);
/// ```
#[macro_export]
macro_rules! seq {
    ($($layer:expr),* $(,)?) => {
        $crate::Sequential::new(::std::vec![
            $(::std::boxed::Box::new($layer) as ::std::boxed::Box<dyn $crate::Layer>),*
        ])
    };
}

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn sequential() {
        check_layer(|| seq![Linear::new(3, 4), Tensor::tanh, Linear::new(4, 2)]).gives([5, 3], [5, 2]);
        check_layer(|| seq![]).gives([5, 3], [5, 3]);
        check_layer(|| seq![].then(Linear::new(3, 1)).then(Tensor::square)).gives([5, 3], [5, 1]);
        assert_eq!(seq![Embedding::new(2, 2)].input_dtype(), DType::I64);
    }

    #[test]
    fn networks_in_networks_are_printed_in_steps() {
        let block = seq![Linear::new(4, 4), Tensor::relu];
        let net = seq![block, Residual::new(seq![Linear::new(4, 4)]), Tensor::tanh];
        let expected = "Sequential(
  0: Sequential(
    0: Linear(4 → 4)
    1: relu
  )
  1: Residual(
    body: Sequential(
      0: Linear(4 → 4)
    )
  )
  2: tanh
)";
        assert_eq!(net.to_string(), expected);
        assert_eq!((seq![].to_string().as_str(), seq![].is_empty()), ("Sequential()", true));
        assert_eq!(vec![Linear::new(1, 2)].summary(), "Vec(\n  0: Linear(1 → 2)\n)");
    }

    #[test]
    fn layers_are_added_read_and_exchanged() {
        let mut net = seq![Linear::new(2, 2)];
        net.push(Tensor::relu);
        assert_eq!((net.len(), net.is_empty()), (2, false));
        assert_eq!(net.get(1).map(|layer| layer.name().into_owned()), Some("relu".to_string()));
        drop(net.layers_mut().remove(0));
        assert_eq!((net.len(), net.parameter_count(), net.get(1).is_none()), (1, 0, true));
    }
}
