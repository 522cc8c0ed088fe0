//! What a layer does: one tensor in, one tensor out.

use super::Module;
use mapsto_tensor::{DType, Tensor};
use std::borrow::Cow;

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
    note = "a closure is a layer when its argument is annotated: `|x: &Tensor| ..`; `&L` and `Box<L>` are none, `Box<dyn Layer>` is"
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

    /// The dtype of the inputs it takes: floats, or ids for an embedding.
    fn input_dtype(&self) -> DType {
        DType::F32
    }
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
}

impl Apply for Tensor {
    #[track_caller]
    fn apply<L: Layer + ?Sized>(&self, layer: &L) -> Tensor {
        layer.forward(self)
    }
}

impl<F: Fn(&Tensor) -> Tensor + Send + Sync> Layer for F {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self(x)
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
    fn input_dtype(&self) -> DType {
        (**self).input_dtype()
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
    fn input_dtype(&self) -> DType {
        self.as_ref().map_or(DType::F32, Layer::input_dtype)
    }
}

impl<L: Layer> Layer for Vec<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        in_order(self, x)
    }
    fn input_dtype(&self) -> DType {
        self.first().map_or(DType::F32, Layer::input_dtype)
    }
}

impl<L: Layer, const N: usize> Layer for [L; N] {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        in_order(self, x)
    }
    fn input_dtype(&self) -> DType {
        self.first().map_or(DType::F32, Layer::input_dtype)
    }
}

/// The layers applied one after the other.
#[track_caller]
pub(crate) fn in_order<L: Layer>(layers: &[L], x: &Tensor) -> Tensor {
    let Some((first, rest)) = layers.split_first() else { return x.clone() };
    rest.iter().fold(first.forward(x), |x, layer| layer.forward(&x))
}

/// The last name of a path without generic arguments: `a::b::Net<c::D>` is `Net`, `t::<impl t::Tensor>::relu` is `relu`.
pub(crate) fn short_name(full: &'static str) -> Cow<'static, str> {
    let (mut depth, mut name) = (0, String::new());
    for c in full.chars() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            ':' if depth == 0 => name.clear(),
            c if depth == 0 => name.push(c),
            _ => {}
        }
    }
    match name.as_str() {
        "{{closure}}" => "closure".into(),
        _ => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::short_name;
    use crate::prelude::*;

    /// The proof that the blanket implementation for functions stands beside all the others, also for types of others.
    #[test]
    fn functions_lists_options_boxes_and_derived_modules_are_layers() {
        #[derive(Module)]
        #[module(crate = crate)]
        struct Block<L> {
            inner: L,
            shortcut: Option<Linear>,
        }
        impl<L: Layer> Layer for Block<L> {
            fn forward(&self, x: &Tensor) -> Tensor {
                self.inner.forward(x) + self.shortcut.forward(x)
            }
        }
        fn layer<L: Layer + 'static>(layer: L) -> Box<dyn Layer> {
            Box::new(layer)
        }
        let double = |x: &Tensor| x * 2.0;
        let factor = 3.0;
        let captured = move |x: &Tensor| x * factor;
        fn plain(x: &Tensor) -> Tensor {
            x + 1.0
        }
        let pointer: fn(&Tensor) -> Tensor = Tensor::relu;
        let all: Vec<Box<dyn Layer>> = vec![
            layer(double),
            layer(captured),
            layer(plain),
            layer(pointer),
            layer(Tensor::relu),
            layer(vec![double, double]),
            layer([pointer, Tensor::abs]),
            layer(Some(double)),
            layer(None::<Linear>),
            layer(vec![layer(double), layer(plain)]),
            layer(Block { inner: double, shortcut: None }),
            layer(Block { inner: vec![layer(Tensor::relu)], shortcut: None }),
        ];
        // ((1·2·3 + 1)·4·2·2 + 1)·3·2, step by step
        let y = tensor![1.0].apply(&all);
        assert_close!(y, [((((1.0 * 2.0 * 3.0 + 1.0) * 4.0) * 2.0) * 2.0 + 1.0) * 3.0 * 2.0]);
        let model: &dyn Layer = &all;
        let module: &dyn Module = model;
        assert_eq!(module.parameter_count(), 0);
    }

    #[test]
    fn names_are_short() {
        assert_eq!(short_name("a::b::Net<c::D, e::F>"), "Net");
        assert_eq!(short_name("t::ops::relu::<impl t::Tensor>::relu"), "relu");
        assert_eq!(short_name("a::b::{{closure}}"), "closure");
        let relu: &dyn Layer = &Tensor::relu;
        assert_eq!(relu.name(), "relu");
        assert_eq!(Linear::new(2, 3).name(), "Linear");
    }
}
