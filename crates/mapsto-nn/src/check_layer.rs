//! The one harness for layers: what holds for every layer is checked by one line in its test.

use crate::{Exceptions, Item, ItemMut, Layer, LoadReport, Module, ModuleExt, Path};
use mapsto_tensor::{DType, Shape, Tensor, catch, record, seed, train};

/// Begins the check of the layer that `build` makes; [`gives`](LayerCheck::gives) runs it.
///
/// Use it for your own layers:
/// ```
/// use mapsto_nn::{check_layer, prelude::*};
/// check_layer(|| seq![Linear::new(3, 4), Tensor::tanh]).gives([5, 3], [5, 4]);
/// ```
pub fn check_layer<L: Layer>(build: impl Fn() -> L + 'static) -> LayerCheck<L> {
    LayerCheck { build: Box::new(build) }
}

/// A layer to be checked.
#[must_use]
pub struct LayerCheck<L> {
    build: Box<dyn Fn() -> L>,
}

impl<L: Layer> LayerCheck<L> {
    /// Checks the layer on inputs of shape `input`, which should give `output`:
    ///
    /// * the shape of the output, for floats or, where the layer asks for them, ids;
    /// * the same input gives the same bits in inference, which changes nothing and records nothing;
    /// * saved weights make a fresh layer equal, bit for bit; names are unique;
    /// * every parameter gets a finite gradient in training;
    /// * where the input is ids, they are drawn at random, and each matters;
    /// * gradients at the input and every parameter equal central differences in f64 (ε = 10⁻⁶, to 10⁻⁶ + 10⁻⁵ · |g|), in
    ///   inference and in training, there with one seed for all draws.
    ///
    /// # Panics
    /// When one of these does not hold.
    #[track_caller]
    pub fn gives(self, input: impl Into<Shape>, output: impl Into<Shape>) {
        let (input, output) = (input.into(), output.into());
        seed(17);
        let layer = (self.build)();
        let x = self.input(&layer, input);
        let name = layer.describe();

        let y = layer.forward(&x);
        assert_eq!(y.shape(), &*output, "{name}: the output's shape on {input:?}");
        assert!(!y.is_recorded(), "{name}: inference recorded something");
        assert_eq!(bits(&layer.forward(&x)), bits(&y), "{name}: inference is not repeatable");

        self.check_names(&layer);
        self.check_saving(&layer, &x, &y);
        self.check_training(&layer, &x);
        self.check_ids(&layer, &x, &y);
        self.check_gradients(input, Mode::Inference);
        self.check_gradients(input, Mode::Training);
    }

    fn input(&self, layer: &L, shape: Shape) -> Tensor {
        match layer.input_dtype() {
            d if d.is_float() => Tensor::randn(shape),
            d => {
                let count = ids_of(layer, &Tensor::full_of(shape, 0.0, d));
                let name = layer.describe();
                assert!(
                    count > 1,
                    "{name}: it takes one id alone, so nothing shows whether it reads it; give it two"
                );
                (Tensor::rand(shape) * count as f64).floor().to(d)
            }
        }
    }

    #[track_caller]
    fn check_names(&self, layer: &L) {
        let mut names: Vec<String> = layer.state_dict().into_iter().map(|(name, _)| name).collect();
        let mut read = Vec::new();
        layer.visit(&mut Path::new(), &mut |path, _| read.push(path.to_string()));
        let mut other = (self.build)();
        let mut written = Vec::new();
        other.visit_mut(&mut Path::new(), &mut |path, _| written.push(path.to_string()));
        assert_eq!(read, written, "visit and visit_mut show different items");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), read.len(), "two items have one name: {read:?}");
    }

    #[track_caller]
    fn check_saving(&self, layer: &L, x: &Tensor, y: &Tensor) {
        let mut fresh = (self.build)();
        let report: LoadReport =
            fresh.load_state_dict(layer.state_dict(), &Exceptions::none()).expect("weights fit");
        assert!(report.is_complete());
        assert_eq!(
            bits(&fresh.forward(x)),
            bits(y),
            "{}: saved weights give another output",
            layer.describe()
        );
    }

    #[track_caller]
    fn check_training(&self, layer: &L, x: &Tensor) {
        if layer.parameter_count() == 0 {
            return;
        }
        let grads = train(|| layer.forward(x).square().sum(..)).backward();
        layer.visit(&mut Path::new(), &mut |path, item| {
            if let Item::Param(p) = item {
                let g =
                    grads.get(p).unwrap_or_else(|| panic!("{}: `{path}` has no gradient", layer.describe()));
                assert_eq!(g.shape(), p.shape());
                assert!(g.is_finite(), "{}: the gradient of `{path}` is not finite", layer.describe());
            }
        });
    }

    /// Every id must matter: with another one in its place the output is another.
    #[track_caller]
    fn check_ids(&self, layer: &L, x: &Tensor, y: &Tensor) {
        if x.dtype().is_float() {
            return;
        }
        let (ids, count) = (x.to(DType::I64).to_vec::<i64>(), ids_of(layer, x));
        for i in 0..ids.len() {
            let mut other = ids.clone();
            other[i] = (ids[i] + 1) % count;
            let other = Tensor::from_vec(other, x.shape()).to(x.dtype());
            let name = layer.describe();
            assert_ne!(bits(&layer.forward(&other)), bits(y), "{name}: the output does not depend on id {i}");
        }
    }

    #[track_caller]
    fn check_gradients(&self, input: Shape, mode: Mode) {
        let mut layer = (self.build)();
        layer.convert(DType::F64);
        let x = self.input(&layer, input);
        let x = if x.dtype().is_float() { x.to(DType::F64) } else { x };
        let y = mode.run(|| layer.forward(&x));
        // Random weights on the outputs: a plain sum would hide errors that cancel, as in a softmax.
        let r = Tensor::randn(y.shape()).to(DType::F64);
        let at = |layer: &L, x: &Tensor| mode.run(|| (layer.forward(x) * &r).sum(..)).item();
        let name = format!("{}{}", layer.describe(), mode.words());

        if x.dtype().is_float() {
            let leaf = x.leaf();
            let loss = mode.run(|| (layer.forward(&leaf) * &r).sum(..));
            if loss.is_recorded() {
                let grads = loss.backward();
                let found = grads.get(&leaf).map_or(vec![0.0; x.len()], |g| g.to_vec::<f64>());
                compare(&name, "the input", &found, |i, e| at(&layer, &nudged(&x, i, e)));
            }
        }
        if layer.parameter_count() == 0 {
            return;
        }
        let grads = mode.run(|| (layer.forward(&x) * &r).sum(..)).backward();
        for (parameter, p) in layer.parameters() {
            let found = grads.of(&p).to_vec::<f64>();
            let values = p.detach();
            compare(&name, &parameter, &found, |i, e| {
                set(&mut layer, &parameter, &nudged(&values, i, e));
                at(&layer, &x)
            });
            set(&mut layer, &parameter, &values);
        }
    }
}

/// In which mode gradients are compared with differences.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Inference,
    Training,
}

impl Mode {
    /// Runs `body`, recorded, with the draws of one seed: what is dropped in training is the same every time.
    fn run(self, body: impl FnOnce() -> Tensor) -> Tensor {
        seed(29);
        match self {
            Mode::Inference => record(body),
            Mode::Training => train(body),
        }
    }

    fn words(self) -> &'static str {
        if self == Mode::Training { " in training" } else { "" }
    }
}

/// How many ids a layer takes, of eight at most.
fn ids_of<L: Layer>(layer: &L, like: &Tensor) -> i64 {
    let takes = |id: i64| {
        let all = Tensor::full_of(like.shape(), 0.0, DType::I64) + id;
        catch(|| layer.forward(&all.to(like.dtype()))).is_ok()
    };
    (1..8).find(|&id| !takes(id)).unwrap_or(8)
}

fn bits(t: &Tensor) -> Vec<u32> {
    t.to_vec::<f32>().into_iter().map(f32::to_bits).collect()
}

/// `x` with `e` added to element `i`.
fn nudged(x: &Tensor, i: usize, e: f64) -> Tensor {
    let mut values = x.to_vec::<f64>();
    values[i] += e;
    Tensor::from_vec(values, x.shape())
}

fn set<M: Module>(model: &mut M, name: &str, values: &Tensor) {
    model.visit_mut(&mut Path::new(), &mut |path, item| {
        if let ItemMut::Param(p) = item
            && path.to_string() == name
        {
            p.set(values).expect("the same shape");
        }
    });
}

#[track_caller]
fn compare(layer: &str, what: &str, found: &[f64], mut at: impl FnMut(usize, f64) -> f64) {
    const EPS: f64 = 1e-6;
    for (i, &g) in found.iter().enumerate() {
        let numeric = (at(i, EPS) - at(i, -EPS)) / (2.0 * EPS);
        // Differences in f64 lose about 10⁻¹⁰ / ε to rounding when sums are large.
        let tolerance = 1e-6 + 1e-5 * numeric.abs().max(g.abs());
        assert!(
            (g - numeric).abs() <= tolerance,
            "{layer}: gradient at {what}[{i}] is {g}, central differences give {numeric}"
        );
    }
}

#[test]
fn the_harness_finds_what_is_wrong() {
    use crate::prelude::*;
    /// Twice its input, as far as the derivative is told.
    #[derive(Module)]
    #[module(crate = crate)]
    struct Wrong {
        by: Param,
    }
    impl Layer for Wrong {
        fn forward(&self, x: &Tensor) -> Tensor {
            x * &self.by + x.detach() * 0.5
        }
    }
    let wrong = || Wrong { by: Param::new(tensor![2.0]) };
    let message = |f: &dyn Fn()| catch(f).unwrap_err().message().to_string();
    assert!(message(&|| check_layer(wrong).gives([3], [3])).contains("gradient at the input[0] is"));
    assert!(message(&|| check_layer(wrong).gives([3], [4])).contains("the output's shape"));
    /// An embedding that looks at no id.
    #[derive(Module)]
    #[module(crate = crate)]
    struct Blind {
        table: Embedding,
    }
    impl Layer for Blind {
        fn forward(&self, x: &Tensor) -> Tensor {
            // Wrong ids are refused, as by the real one.
            let _ = self.table.forward(x);
            self.table.forward(&Tensor::zeros_like(x))
        }
        fn input_dtype(&self) -> DType {
            DType::I64
        }
    }
    let blind = || Blind { table: Embedding::new(4, 2) };
    assert!(message(&|| check_layer(blind).gives([3], [3, 2])).contains("does not depend on id 0"));
    assert!(message(&|| check_layer(|| Embedding::new(1, 2)).gives([3], [3, 2])).contains("one id alone"));
    /// Right in inference; in training its derivative misses a factor.
    #[derive(Module)]
    #[module(crate = crate)]
    struct Trained {
        by: Param,
    }
    impl Layer for Trained {
        fn forward(&self, x: &Tensor) -> Tensor {
            let y = x * &self.by;
            if is_training() { &y + y.detach() } else { y }
        }
    }
    let trained = || Trained { by: Param::new(tensor![2.0]) };
    assert!(
        message(&|| check_layer(trained).gives([3], [3])).contains("in training: gradient at the input[0]")
    );
    assert!(
        message(&|| check_layer(|| |x: &Tensor| x + Tensor::randn(x.shape())).gives([3], [3]))
            .contains("repeatable")
    );
}
