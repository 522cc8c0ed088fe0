//! What a layer does: one tensor in, one tensor out.

#[cfg(test)]
mod tests;

use super::then::{activation_then, following, is_apart};
use super::{Hooks, Module, Then, Weighted, then};
use crate::layers::{is_activation, sequence};
use mapsto_spec::Entry;
use mapsto_tensor::error::within;
use mapsto_tensor::{DType, Tensor, fail};
use std::any::TypeId;
use std::borrow::Cow;
use std::cell::Cell;

/// A mapping from tensor to tensor that may hold parameters.
///
/// Functions `Fn(&Tensor) -> Tensor`, such as `Tensor::relu`, are layers; so are vectors and arrays of layers (one after
/// the other), options (nothing is the identity) and `Box<dyn Layer>`.
/// ```
/// use mapsto_nn::prelude::*;
/// #[derive(Module)]
/// # #[module(crate = mapsto_nn)]
/// struct Scale { by: Param }
///
/// impl Layer for Scale {
///     fn forward(&self, x: &Tensor) -> Tensor { x * &self.by }
/// }
///
/// let scale = Scale { by: Param::new(tensor![3.0]) };
/// assert_close!(tensor![1.0, -2.0].apply(&scale).apply(&Tensor::relu), [3.0, 0.0]);
/// assert_eq!(scale.name(), "Scale");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer",
    label = "this cannot be applied to a tensor",
    note = "implement `Layer` for your type: `fn forward(&self, x: &Tensor) -> Tensor`, beside `#[derive(Module)]`",
    note = "a closure is a layer when its argument is annotated, `|x: &Tensor| ..`, and what it captures can be cloned; `Box<dyn Layer>` is a layer, and `&L` and `Box<L>` are not"
)]
pub trait Layer: Module {
    /// The output for the input `x`, whose first axis is the batch.
    fn forward(&self, x: &Tensor) -> Tensor;

    /// The name shown in summaries: of the type, or of the function.
    fn name(&self) -> Cow<'static, str> {
        short_name(std::any::type_name::<Self>())
    }

    /// The name with what distinguishes this layer: `Linear(784 → 64)`.
    fn describe(&self) -> String {
        self.name().into_owned()
    }

    /// The layers inside this one with their names, for [`Layer::summary`]; a layer that is one piece has none.
    fn inner(&self) -> Vec<(String, &dyn Layer)> {
        Vec::new()
    }

    /// The layer and those inside it, one on a line: the fields of a struct with `#[derive(Module)]` that are layers, too.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let net = seq![seq![Linear::new(2, 3), Tensor::relu], Linear::new(3, 1)];
    /// let text = "Sequential(\n  0: Sequential(\n    0: Linear(2 → 3)\n    1: relu\n  )\n  1: Linear(3 → 1)\n)";
    /// assert_eq!(net.summary(), text);
    /// ```
    fn summary(&self) -> String {
        let mut inner = self.inner();
        // A type that describes itself says there what it consists of.
        if inner.is_empty() && self.describe() == self.name() {
            inner = self.layers_of_fields();
        }
        if inner.is_empty() { self.describe() } else { nested(&self.name(), &inner) }
    }

    /// The dtype of the inputs it takes: floats, or ids for an embedding.
    fn input_dtype(&self) -> DType {
        DType::F32
    }

    /// The entry that a model file names it by, with every setting; `None` for what no file can hold, such as a closure.
    fn entry(&self) -> Option<Entry> {
        None
    }

    /// The entries of the layers that it consists of, where it is nothing but layers one after the other, named by their
    /// positions.
    fn entries(&self) -> Option<Vec<Entry>> {
        None
    }

    /// A clone in a box, by which `net.clone()` copies layers of any type; `None` where the layer has no `Clone`.
    ///
    /// `#[derive(Clone, Module)]` is enough for a type without type parameters. For another one the derive cannot find out, so it says
    /// `Some(Box::new(self.clone()))` here.
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let copy = Linear::new(2, 3).clone_layer().unwrap();
    /// assert_eq!(copy.describe(), "Linear(2 → 3)");
    /// ```
    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        self.boxed_clone()
    }

    /// The layer as one with a weight in whose place another can be put; `None` where it has none, or several.
    fn weighted(&self) -> Option<&dyn Weighted> {
        None
    }

    /// What this layer is to the layer before it, which may do it in its own pass; `None` where it never shares a pass.
    fn as_then(&self) -> Option<Then<'_>> {
        None
    }

    /// What the layer makes of sequences `[b, t, ..]` of these lengths, as [`Masking`](crate::Masking) asks it: what stands after the last
    /// step of a sequence must change no bit of what is given for its steps, or for it as a whole.
    ///
    /// A layer that does not say this is refused there, since it might mix steps with padding. One that works on each step by itself
    /// gives [`AtLengths::each`].
    ///
    /// # Errors
    /// The description of the layer that knows no lengths.
    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> Result<AtLengths, String> {
        let _ = (x, lengths);
        Err(self.describe())
    }

    /// The hooks of a layer that has some; see [`Hooked`](super::Hooked).
    #[doc(hidden)]
    fn hooks(&self) -> Option<&Hooks> {
        None
    }

    /// The layers one after the other that it consists of, to be exchanged, where it is a list of them.
    #[doc(hidden)]
    fn layers_mut(&mut self) -> Option<&mut Vec<Box<dyn Layer>>> {
        None
    }

    /// The output and as much of what follows as the layer does in the same pass: `forward(x)` with the first `n` of `then` applied,
    /// and `n`. The caller applies the rest.
    ///
    /// A layer whose kernel can do more as it stores its numbers has its own. Then the numbers must be those of one pass after the
    /// other, to the bit: what the kernel cannot do so it leaves.
    /// ```
    /// use mapsto_nn::{Then, prelude::*};
    /// let (x, relu) = (Tensor::randn([2, 3, 5, 5]), Then::of(&Tensor::relu));
    /// let (y, taken) = Conv2d::new(3, 4, 3).forward_then(&x, &[relu]);
    /// assert_eq!((taken, y.lt(0.0).any(..).item()), (1, 0.0));
    /// assert_eq!(Flatten::new().forward_then(&x, &[relu]).1, 0);
    /// ```
    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        let _ = then;
        (self.forward(x), 0)
    }
}

/// What a layer makes of sequences of different lengths; see [`Layer::at_lengths`].
#[derive(Clone, Debug)]
pub enum AtLengths {
    /// A result for each step, `[b, t, ..]`, of the same lengths; what stands after the last step does not count.
    Steps(Tensor),
    /// One for each sequence, `[b, ..]`.
    Samples(Tensor),
}

impl AtLengths {
    /// What a layer makes that works on each step by itself.
    ///
    /// # Errors
    /// The description of the layer, where numbers `[b, t]` have no features, so that it would take the steps for these.
    #[track_caller]
    pub fn each<L: Layer + ?Sized>(layer: &L, x: &Tensor) -> Result<AtLengths, String> {
        if x.dtype().is_float() && x.rank() < 3 {
            return Err(layer.describe());
        }
        Ok(AtLengths::Steps(layer.forward(x)))
    }
}

/// A layer with those inside it, one on a line.
fn nested(name: &str, inner: &[(String, &dyn Layer)]) -> String {
    let lines =
        inner.iter().map(|(name, layer)| format!("\n{name}: {}", layer.summary()).replace('\n', "\n  "));
    format!("{name}({}\n)", lines.collect::<String>())
}

/// `x.apply(&layer)`: layers in the order in which they are applied.
pub trait Apply {
    /// The layer's output for this input: `layer.forward(x)`, read from left to right.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let double = |x: &Tensor| x * 2.0;
    /// assert_close!(tensor![1.0].apply(&double).apply(&double), [4.0]);
    /// ```
    fn apply<L: Layer + ?Sized>(&self, layer: &L) -> Tensor;

    /// The layer's output and what follows it, in as few passes as the layer's kernel allows, see [`Then`].
    ///
    /// ```
    /// use mapsto_nn::{Then, prelude::*};
    /// let double = |x: &Tensor| x * 2.0;
    /// let y = tensor![1.0, -3.0].apply_then(&double, &[Then::Plus(&tensor![1.0, 1.0]), Then::of(&Tensor::relu)]);
    /// assert_close!(y, [3.0, 0.0]);
    /// ```
    fn apply_then<L: Layer + ?Sized>(&self, layer: &L, then: &[Then<'_>]) -> Tensor;
}

impl Apply for Tensor {
    #[track_caller]
    fn apply<L: Layer + ?Sized>(&self, layer: &L) -> Tensor {
        within(|| shown(layer), || layer.forward(self))
    }

    #[track_caller]
    fn apply_then<L: Layer + ?Sized>(&self, layer: &L, then: &[Then<'_>]) -> Tensor {
        let (mut y, taken) = within(|| shown(layer), || checked_then(layer, self, then));
        for next in &then[taken..] {
            y = within(|| format!("{next:?}"), || next.apply(&y));
        }
        y
    }
}

/// `forward_then` of a layer that may be a user's own, whose count must be one of those that it was offered.
#[track_caller]
fn checked_then<L: Layer + ?Sized>(layer: &L, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
    let then = if is_apart() { &[] } else { then };
    let (y, taken) = layer.forward_then(x, then);
    if taken > then.len() {
        fail!("forward_then", "the layer did {taken} of the {} that follow it", then.len();
              help = "`Layer::forward_then` answers how many of `then`, from the first on, it has done");
    }
    (y, taken)
}

/// A layer in a message: what it is, or its name alone where that would be long.
fn shown<L: Layer + ?Sized>(layer: &L) -> String {
    let text = layer.describe();
    if text.chars().count() > 60 { layer.name().into_owned() } else { text }
}

#[diagnostic::do_not_recommend]
impl<F: Fn(&Tensor) -> Tensor + Clone + Send + Sync + 'static> Layer for F {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self(x)
    }
    fn entry(&self) -> Option<Entry> {
        mapsto_spec::entry_of_function::<dyn Layer, F>(&[])
    }
    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        Some(Box::new(self.clone()))
    }
    fn as_then(&self) -> Option<Then<'_>> {
        is_activation::<F>().then(|| Then::Activation { layer: self, function: TypeId::of::<F>() })
    }
    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        activation_then(self, TypeId::of::<F>(), x, then)
    }
    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        // A function that a file can name works along the last axis at most.
        if self.entry().is_some() { AtLengths::each(self, x) } else { Err(self.describe()) }
    }
}

impl Layer for Box<dyn Layer> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        (**self).forward(x)
    }
    fn name(&self) -> Cow<'static, str> {
        (**self).name()
    }
    fn describe(&self) -> String {
        (**self).describe()
    }
    fn inner(&self) -> Vec<(String, &dyn Layer)> {
        (**self).inner()
    }
    fn summary(&self) -> String {
        (**self).summary()
    }
    fn input_dtype(&self) -> DType {
        (**self).input_dtype()
    }
    fn entry(&self) -> Option<Entry> {
        (**self).entry()
    }
    fn entries(&self) -> Option<Vec<Entry>> {
        (**self).entries()
    }
    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        (**self).clone_layer()
    }
    fn weighted(&self) -> Option<&dyn Weighted> {
        (**self).weighted()
    }
    fn as_then(&self) -> Option<Then<'_>> {
        (**self).as_then()
    }
    fn hooks(&self) -> Option<&Hooks> {
        (**self).hooks()
    }
    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> Result<AtLengths, String> {
        (**self).at_lengths(x, lengths)
    }
    fn layers_mut(&mut self) -> Option<&mut Vec<Box<dyn Layer>>> {
        (**self).layers_mut()
    }
    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        (**self).forward_then(x, then)
    }
}

impl<L: Layer> Layer for Option<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Some(layer) => layer.forward(x),
            None => x.clone(),
        }
    }
    fn name(&self) -> Cow<'static, str> {
        self.as_ref().map_or("identity".into(), Layer::name)
    }
    fn describe(&self) -> String {
        self.as_ref().map_or("identity".into(), Layer::describe)
    }
    fn inner(&self) -> Vec<(String, &dyn Layer)> {
        self.as_ref().map_or(Vec::new(), Layer::inner)
    }
    fn input_dtype(&self) -> DType {
        self.as_ref().map_or(DType::F32, Layer::input_dtype)
    }
    fn entry(&self) -> Option<Entry> {
        self.as_ref().map_or_else(|| Some(sequence(Vec::new())), Layer::entry)
    }
    fn entries(&self) -> Option<Vec<Entry>> {
        self.as_ref().map_or_else(|| Some(Vec::new()), Layer::entries)
    }
    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        // A layer that is there is visited under the same path alone as in an option.
        self.as_ref().map_or_else(|| Some(Box::new(None::<fn(&Tensor) -> Tensor>) as _), Layer::clone_layer)
    }
    fn as_then(&self) -> Option<Then<'_>> {
        self.as_ref().and_then(Layer::as_then)
    }
    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> Result<AtLengths, String> {
        self.as_ref().map_or_else(|| Ok(AtLengths::Steps(x.clone())), |layer| layer.at_lengths(x, lengths))
    }
    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        match self {
            Some(layer) => layer.forward_then(x, then),
            None => (x.clone(), 0),
        }
    }
}

/// Layers one after the other.
macro_rules! list {
    ([$($generics:tt)*] $list:ty) => {
        impl<$($generics)*> Layer for $list {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                in_order(self, x, &[]).0
            }
            fn clone_layer(&self) -> Option<Box<dyn Layer>> {
                Some(Box::new(clone_each(self)?))
            }
            #[track_caller]
            fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
                in_order(self, x, then)
            }
            #[track_caller]
            fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> Result<AtLengths, String> {
                ragged_in_order(self, x, lengths)
            }
            fn inner(&self) -> Vec<(String, &dyn Layer)> {
                numbered(self)
            }
            fn input_dtype(&self) -> DType {
                self.first().map_or(DType::F32, Layer::input_dtype)
            }
            fn entry(&self) -> Option<Entry> {
                self.entries().map(sequence)
            }
            fn entries(&self) -> Option<Vec<Entry>> {
                self.iter().map(Layer::entry).collect()
            }
        }
    };
}
list!([L: Layer] Vec<L>);
list!([L: Layer, const N: usize] [L; N]);

/// Clones in a list, where all can be cloned.
pub(crate) fn clone_each<L: Layer>(layers: &[L]) -> Option<Vec<Box<dyn Layer>>> {
    layers.iter().map(Layer::clone_layer).collect()
}

/// Layers under their positions.
fn numbered<L: Layer>(layers: &[L]) -> Vec<(String, &dyn Layer)> {
    layers.iter().enumerate().map(|(i, layer)| (i.to_string(), layer as &dyn Layer)).collect()
}

/// The layers applied one after the other, each with as much of what follows it as it does in the same pass; and as much of what
/// follows the last one, with how much that is.
#[track_caller]
fn in_order<L: Layer>(layers: &[L], x: &Tensor, after: &[Then<'_>]) -> (Tensor, usize) {
    let Some(first) = layers.first() else { return (x.clone(), 0) };
    let at = Cell::new(0);
    let step = |i: usize, x: &Tensor| {
        at.set(i);
        let mut room = [Then::Layer(first); then::MOST];
        let count = following(&layers[i + 1..], after, &mut room);
        // A ReLU takes everything, so a mistake is the pooling's.
        if matches!(room[0], Then::MaxPool(_)) && layers[i].as_then().is_some_and(|then| then.is_relu()) {
            at.set(i + 1);
        }
        let (y, taken) = checked_then(&layers[i], x, &room[..count]);
        (y, i + 1 + taken)
    };
    let run = || {
        let (mut y, mut i) = step(0, x);
        while i < layers.len() {
            (y, i) = step(i, &y);
        }
        (y, i - layers.len())
    };
    within(|| format!("layer {}: {}", at.get(), shown(&layers[at.get().min(layers.len() - 1)])), run)
}

/// The layers applied one after the other to sequences of these lengths, until one gives a result for each sequence as a whole.
#[track_caller]
fn ragged_in_order<L: Layer>(layers: &[L], x: &Tensor, lengths: &[usize]) -> Result<AtLengths, String> {
    let mut y = AtLengths::Steps(x.clone());
    for layer in layers {
        y = match y {
            AtLengths::Steps(x) => within(|| shown(layer), || layer.at_lengths(&x, lengths))?,
            AtLengths::Samples(x) => AtLengths::Samples(x.apply(layer)),
        };
    }
    Ok(y)
}

/// The last name of a path without generic arguments: `a::b::Net<c::D>` is `Net`, `t::<impl t::Tensor>::relu` is `relu`.
pub(crate) fn short_name(full: &'static str) -> Cow<'static, str> {
    let (mut depth, mut name, mut last) = (0, String::new(), ' ');
    for c in full.chars() {
        match c {
            '<' => depth += 1,
            '>' if last == '-' => {} // the arrow of a function's type closes nothing
            '>' => depth -= 1,
            ':' if depth == 0 => name.clear(),
            c if depth == 0 => name.push(c),
            _ => {}
        }
        last = c;
    }
    match name.as_str() {
        "{{closure}}" => "closure".into(),
        _ => name.into(),
    }
}
