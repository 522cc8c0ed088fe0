//! Tests of `layer`.

use super::short_name;
use crate::prelude::*;

#[test]
fn a_summary_shows_the_fields_of_a_struct() {
    #[derive(Clone, Module)]
    #[module(crate = crate)]
    struct Net {
        body: Sequential,
        scale: Param,
        rate: f64,
        heads: Vec<Linear>,
    }
    impl Layer for Net {
        fn forward(&self, x: &Tensor) -> Tensor {
            x.apply(&self.body).apply(&self.heads)
        }
    }
    let body = seq![Linear::new(2, 3), Tensor::relu];
    let net = Net { body, scale: Param::new(tensor![1.0]), rate: 0.5, heads: vec![Linear::new(3, 1)] };
    let text = "Net(\n  body: Sequential(\n    0: Linear(2 → 3)\n    1: relu\n  )\n  heads: Vec(\n    0: Linear(3 → 1)\n  )\n)";
    assert_eq!(net.summary(), text);
    assert_eq!(seq![net].summary(), format!("Sequential(\n  0: {}\n)", text.replace('\n', "\n  ")));
}

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
fn a_relu_runs_with_its_neighbour_and_changes_nothing() {
    use crate::Layer;
    let pointer: fn(&Tensor) -> Tensor = Tensor::relu;
    let known = |layer: &dyn Layer| layer.as_then().is_some_and(|then| then.is_relu());
    assert!(known(&Tensor::relu) && !known(&Tensor::abs) && !known(&Tensor::tanh) && !known(&pointer));
    assert!(!known(&|x: &Tensor| x.relu()));
    let net = seq![Conv2d::new(1, 3, 3), Tensor::relu, MaxPool2d::new(2), Conv2d::new(3, 2, 2), Tensor::relu];
    let x = Tensor::randn([2, 1, 9, 8]);
    let run = |forward: &dyn Fn() -> Tensor| {
        let y = train(forward);
        let grads = y.square().sum(..).backward();
        (y.to_vec::<f32>(), net.parameters().iter().map(|(_, p)| grads.of(p).clone()).collect::<Vec<_>>())
    };
    let one_by_one = || net.layers().iter().fold(x.clone(), |x, layer| layer.forward(&x));
    let ((y, grads), (z, others)) = (run(&|| net.forward(&x)), run(&one_by_one));
    assert_eq!(y, z);
    grads.iter().zip(&others).for_each(|(a, b)| assert_close!(a, b));
    let layers: [fn(&Tensor) -> Tensor; 0] = [];
    assert_close!(tensor![-1.0].apply(&layers), [-1.0]);
    assert_close!(tensor![-1.0].apply(&[Tensor::relu, Tensor::relu]), [0.0]);
}

#[test]
fn names_are_short() {
    assert_eq!(short_name("a::b::Net<c::D, e::F>"), "Net");
    assert_eq!(short_name("a::Residual<b::Net, for<'a> fn(&'a t::Tensor) -> t::Tensor>"), "Residual");
    assert_eq!(short_name("t::ops::relu::<impl t::Tensor>::relu"), "relu");
    assert_eq!(short_name("a::b::{{closure}}"), "closure");
    let relu: &dyn Layer = &Tensor::relu;
    assert_eq!(relu.name(), "relu");
    assert_eq!(Linear::new(2, 3).name(), "Linear");
}
