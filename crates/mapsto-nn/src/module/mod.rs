//! What a model holds: parameters and states, each found under the path of its fields.

mod averages;
mod cloned;
mod ema;
mod frozen;
mod hooked;
mod layer;
mod load;
mod named;
mod param;
mod path;
mod pattern;
mod state;
mod swa;
mod then;
mod tied;
mod update_bn;
mod weighted;

pub use averages::Averages;
pub use cloned::{AsLayer, Cloner, NoLayer, NotCloned};
pub use ema::Ema;
pub use frozen::frozen;
pub use hooked::{Hooked, Hooks, LayerHook};
pub use layer::{Apply, AtLengths, Layer};
pub(crate) use layer::{clone_each, short_name};
pub use load::{Exceptions, LoadReport};
pub use named::ModuleExt;
pub use param::Param;
pub use path::{Path, Segment};
pub use pattern::matches;
pub(crate) use pattern::unknown;
pub use state::State;
pub use swa::Swa;
pub use then::{ByChannel, Line, Then, apart};
pub(crate) use then::{MOST, activation_then};
pub use tied::{Tied, deep_copy};
pub(crate) use update_bn::share_of;
pub use update_bn::{cumulative, update_bn};
pub use weighted::Weighted;

use mapsto_tensor::{DType, Tensor};
use std::marker::PhantomData;

/// Something that holds parameters: a layer, a model, or a part of one.
///
/// Derived, never written by hand: `#[derive(Module)]` visits the fields in order under their own names. Everything that
/// concerns a whole model (saving, loading, counting, freezing, optimizing) is a function over these two visits.
/// ```
/// use mapsto_nn::prelude::*;
/// #[derive(Module)]
/// # #[module(crate = mapsto_nn)]
/// struct Net { fc1: Linear, fc2: Linear }
///
/// let net = Net { fc1: Linear::new(784, 64), fc2: Linear::new(64, 10) };
/// let names: Vec<String> = net.parameters().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]);
/// assert_eq!(net.parameter_count(), 784 * 64 + 64 + 64 * 10 + 10);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a module",
    label = "this has no parameters that mapsto can find",
    note = "a plain `Tensor` would be neither trained nor saved: write `Param` for what is trained, `State` for what is saved only, or mark a constant `#[module(skip)]`",
    note = "add `#[derive(Module)]` to your type, or `#[module(skip)]` to the field if it holds no parameters",
    note = "functions from `&Tensor` to `Tensor`, `Vec`, `Option` and `Box<dyn Layer>` are modules; `&L` and `Box<L>` are not",
    note = "a boxed function needs its threads named: `Box<dyn Fn(&Tensor) -> Tensor + Send + Sync>`",
    note = "a layer that is used in two places has one owner, who applies it twice, or is a `Tied` layer in both; `Rc` and `Arc` are not modules, since an optimizer could not write through them"
)]
pub trait Module: Send + Sync {
    /// Shows every parameter and state with its path, in the order of the fields; what several owners share ([`Tied`]) at the first.
    fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>));

    /// Shows every parameter and state with its path, in the order of the fields, to be written.
    fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>));

    /// What [`Layer::clone_layer`] says where nothing else is written: `#[derive(Module)]` finds out whether the type has `Clone`.
    #[doc(hidden)]
    fn boxed_clone(&self) -> Option<Box<dyn Layer>> {
        None
    }

    /// The fields that are layers, for [`Layer::summary`]: `#[derive(Module)]` finds them.
    #[doc(hidden)]
    fn layers_of_fields(&self) -> Vec<(String, &dyn Layer)> {
        Vec::new()
    }
}

/// What a visit shows.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// Trained and saved.
    Param(&'a Param),
    /// Saved only.
    State(&'a State),
}

/// What a writing visit shows.
#[derive(Debug)]
pub enum ItemMut<'a> {
    /// Trained and saved.
    Param(&'a mut Param),
    /// Saved only.
    State(&'a mut State),
}

impl Module for Param {
    fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
        f(path, Item::Param(self));
    }
    fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>)) {
        f(path, ItemMut::Param(self));
    }
}

impl Module for State {
    fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
        f(path, Item::State(self));
    }
    fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>)) {
        f(path, ItemMut::State(self));
    }
}

/// A function holds nothing.
#[diagnostic::do_not_recommend]
impl<F: Fn(&Tensor) -> Tensor + Send + Sync> Module for F {
    fn visit(&self, _: &mut Path, _: &mut dyn FnMut(&Path, Item<'_>)) {}
    fn visit_mut(&mut self, _: &mut Path, _: &mut dyn FnMut(&Path, ItemMut<'_>)) {}
}

impl Module for Box<dyn Layer> {
    fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
        (**self).visit(path, f);
    }
    fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>)) {
        (**self).visit_mut(path, f);
    }
}

impl<M: Module> Module for Option<M> {
    fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
        if let Some(m) = self {
            m.visit(path, f);
        }
    }
    fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>)) {
        if let Some(m) = self {
            m.visit_mut(path, f);
        }
    }
}

macro_rules! visit_in_order {
    () => {
        fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
            for (i, m) in self.iter().enumerate() {
                path.enter(i, |path| m.visit(path, f));
            }
        }
        fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>)) {
            for (i, m) in self.iter_mut().enumerate() {
                path.enter(i, |path| m.visit_mut(path, f));
            }
        }
    };
}
impl<M: Module> Module for Vec<M> {
    visit_in_order!();
}
impl<M: Module, const N: usize> Module for [M; N] {
    visit_in_order!();
}

macro_rules! visit_tuple {
    ($($m:ident $i:tt),*) => {
        impl<$($m: Module),*> Module for ($($m,)*) {
            fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
                $(path.enter($i, |path| self.$i.visit(path, f));)*
            }
            fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>)) {
                $(path.enter($i, |path| self.$i.visit_mut(path, f));)*
            }
        }
    };
}
visit_tuple!(A 0);
visit_tuple!(A 0, B 1);
visit_tuple!(A 0, B 1, C 2);
visit_tuple!(A 0, B 1, C 2, D 3);

macro_rules! holds_nothing {
    ($($t:ty),*) => {$(
        impl Module for $t {
            fn visit(&self, _: &mut Path, _: &mut dyn FnMut(&Path, Item<'_>)) {}
            fn visit_mut(&mut self, _: &mut Path, _: &mut dyn FnMut(&Path, ItemMut<'_>)) {}
        }
    )*};
}
// `Tensor` is missing on purpose: who forgets `Param` gets a compile error instead of numbers that are neither trained nor
// saved. A constant is marked `#[module(skip)]`.
holds_nothing!(
    (),
    bool,
    char,
    i8,
    i16,
    i32,
    i64,
    isize,
    u8,
    u16,
    u32,
    u64,
    usize,
    f32,
    f64,
    String,
    &'static str,
    DType
);

impl<T: Send + Sync + ?Sized> Module for PhantomData<T> {
    fn visit(&self, _: &mut Path, _: &mut dyn FnMut(&Path, Item<'_>)) {}
    fn visit_mut(&mut self, _: &mut Path, _: &mut dyn FnMut(&Path, ItemMut<'_>)) {}
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use std::marker::PhantomData;

    #[derive(Module)]
    #[module(crate = crate)]
    struct Inner {
        w: Param,
        running: State,
        count: usize,
        label: String,
    }

    struct NotAModule;

    #[derive(Module)]
    #[module(crate = crate)]
    struct Outer<L, T> {
        first: L,
        blocks: Vec<Inner>,
        maybe: Option<Inner>,
        none: Option<Inner>,
        pair: (Inner, [Param; 2]),
        boxed: Box<dyn Layer>,
        r#type: Param,
        #[module(skip)]
        constant: Tensor,
        activation: fn(&Tensor) -> Tensor,
        held: Box<dyn Fn(&Tensor) -> Tensor + Send + Sync>,
        marker: PhantomData<T>,
        #[module(skip)]
        other: NotAModule,
    }

    #[derive(Module)]
    #[module(crate = crate)]
    struct Tuple(Param, State);

    #[derive(Module)]
    #[module(crate = crate)]
    enum Either {
        Left { p: Param },
        Right(Inner),
        Neither,
    }

    #[derive(Module)]
    #[module(crate = crate)]
    struct Empty;

    fn inner() -> Inner {
        Inner {
            w: Param::new(Tensor::ones([2])),
            running: State::new(Tensor::zeros([1])),
            count: 1,
            label: "x".into(),
        }
    }

    fn names(m: &dyn Module) -> Vec<String> {
        let mut names = Vec::new();
        m.visit(&mut Path::new(), &mut |path, item| {
            let kind = if matches!(item, Item::Param(_)) { 'p' } else { 's' };
            names.push(format!("{kind} {path}"));
        });
        names
    }

    #[test]
    fn a_derived_module_shows_every_item_in_field_order() {
        let mut outer = Outer::<_, NotAModule> {
            first: inner(),
            blocks: vec![inner(), inner()],
            maybe: Some(inner()),
            none: None,
            pair: (inner(), [Param::new(Tensor::ones([1])), Param::new(Tensor::ones([1]))]),
            boxed: Box::new(Linear::new(1, 1).no_bias()),
            r#type: Param::new(Tensor::ones([1])),
            constant: Tensor::ones([1]),
            activation: Tensor::relu,
            held: Box::new(|x| x * 2.0),
            marker: PhantomData,
            other: NotAModule,
        };
        let expected = [
            "p first.w",
            "s first.running",
            "p blocks.0.w",
            "s blocks.0.running",
            "p blocks.1.w",
            "s blocks.1.running",
            "p maybe.w",
            "s maybe.running",
            "p pair.0.w",
            "s pair.0.running",
            "p pair.1.0",
            "p pair.1.1",
            "p boxed.weight",
            "p type",
        ];
        let mut seen = Vec::new();
        outer.visit_mut(&mut Path::new(), &mut |path, _| seen.push(path.to_string()));
        assert_eq!(seen, expected.map(|e| e[2..].to_string()));
        let Outer {
            first: Inner { count, label, .. },
            none,
            constant,
            activation,
            held,
            other: NotAModule,
            ..
        } = &outer;
        assert_eq!((*count, label.as_str(), none.is_none()), (1, "x", true));
        assert_eq!((activation(constant).item(), held(constant).item()), (1.0, 2.0));
    }

    #[test]
    fn tuples_enums_and_units_derive() {
        let p = || Param::new(Tensor::ones([1]));
        assert_eq!(names(&Tuple(p(), State::new(Tensor::ones([1])))), ["p 0", "s 1"]);
        assert_eq!(names(&Either::Left { p: p() }), ["p p"]);
        assert_eq!(names(&Either::Right(inner())), ["p 0.w", "s 0.running"]);
        assert_eq!(names(&Either::Neither), Vec::<String>::new());
        assert_eq!(names(&Empty), Vec::<String>::new());
    }
}
