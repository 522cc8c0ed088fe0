//! The activations as named layers, for model files and summaries; in code, `Tensor::relu` is a layer itself.

use super::LayerKind;
use crate::module::activation_then;
use crate::{AtLengths, Layer, Module, Then};
use mapsto_spec::{Bounds, Entry, type_of};
use mapsto_tensor::random::{self, Distribution, Stream};
use mapsto_tensor::{Tensor, fail, is_training};
use std::any::TypeId;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// An elementwise function, or a softmax, with its name: what `"relu"` in a model file becomes.
///
/// * Shape: `[..] → [..]`.
/// ```
/// use mapsto_nn::prelude::*;
/// let leaky = Activation::new("leaky_relu(0.1)", |x| x.leaky_relu(0.1));
/// assert_close!(leaky.forward(&tensor![-1.0, 2.0]), [-0.1, 2.0]);
/// assert_eq!(leaky.describe(), "leaky_relu(0.1)");
/// ```
#[derive(Clone, Module)]
#[module(crate = crate)]
pub struct Activation {
    #[module(skip)]
    name: Cow<'static, str>,
    #[module(skip)]
    f: Arc<dyn Fn(&Tensor) -> Tensor + Send + Sync>,
    #[module(skip)]
    function: TypeId,
    #[module(skip)]
    entry: Option<Entry>,
    /// Whether it works on each number, or each last axis, by itself.
    by_step: bool,
}

impl Activation {
    /// The function `f` under a name.
    pub fn new<F>(name: impl Into<Cow<'static, str>>, f: F) -> Activation
    where
        F: Fn(&Tensor) -> Tensor + Send + Sync + 'static,
    {
        let entry = mapsto_spec::entry_of_function::<dyn Layer, F>(&[]);
        // What a file can name by its function works along the last axis at most.
        let by_step = entry.is_some();
        Activation { name: name.into(), f: Arc::new(f), function: TypeId::of::<F>(), entry, by_step }
    }

    /// The function `f` of one number that a file gives.
    fn of(
        kind: &LayerKind,
        number: f64,
        f: impl Fn(&Tensor) -> Tensor + Send + Sync + 'static,
    ) -> Box<dyn Layer> {
        let entry = Some(Entry::new(kind.name).with_value(number));
        Box::new(Activation {
            entry,
            by_step: true,
            ..Activation::new(format!("{}({number})", kind.name), f)
        })
    }
}

impl Layer for Activation {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        (self.f)(x)
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        if self.by_step { AtLengths::each(self, x) } else { Err(self.describe()) }
    }

    fn name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    fn entry(&self) -> Option<Entry> {
        self.entry.clone()
    }

    fn as_then(&self) -> Option<Then<'_>> {
        Some(Then::Activation { layer: self, function: self.function })
    }

    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        activation_then(self, self.function, x, then)
    }
}

/// Whether a function is one of the activations below, of which a layer before it may ask for its kernel's sake.
pub(crate) fn is_activation<F: 'static>() -> bool {
    [
        type_of(&Tensor::relu),
        type_of(&Tensor::gelu),
        type_of(&Tensor::gelu_tanh),
        type_of(&Tensor::silu),
        type_of(&Tensor::sigmoid),
        type_of(&Tensor::tanh),
        type_of(&Tensor::softplus),
        type_of(&Tensor::relu6),
        type_of(&Tensor::hardsigmoid),
        type_of(&Tensor::hardswish),
        type_of(&Tensor::mish),
        type_of(&Tensor::softsign),
        type_of(&Tensor::tanhshrink),
        type_of(&Tensor::log_sigmoid),
        type_of(&Tensor::selu),
        type_of(&hardtanh),
        type_of(&softmax),
        type_of(&log_softmax),
        type_of(&softmin),
    ]
    .contains(&TypeId::of::<F>())
}

impl fmt::Debug for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Activation({})", self.name)
    }
}

pub(super) const RELU: LayerKind = LayerKind::new("relu", "`max(x, 0)`.", |_, _| Ok(Box::new(Tensor::relu)))
    .function(|| type_of(&Tensor::relu));

pub(super) const LEAKY_RELU: LayerKind =
    LayerKind::new("leaky_relu", "`x` above 0, the given slope times `x` below.", |args, _| {
        let slope = Bounds::FINITE.main(args, "slope", 0.01)?;
        Ok(Activation::of(&LEAKY_RELU, slope, move |x| x.leaky_relu(slope)))
    })
    .options(&[("", "the slope below 0")]);

pub(super) const ELU: LayerKind =
    LayerKind::new("elu", "`x` above 0, `alpha (eˣ − 1)` below.", |args, _| {
        let alpha = Bounds::AT_LEAST_0.main(args, "alpha", 1.0)?;
        Ok(Activation::of(&ELU, alpha, move |x| x.elu(alpha)))
    })
    .options(&[("", "how far below 0 it goes")]);

pub(super) const GELU: LayerKind =
    LayerKind::new("gelu", "`x Φ(x)`, exact.", |_, _| Ok(Box::new(Tensor::gelu)))
        .function(|| type_of(&Tensor::gelu));

pub(super) const GELU_TANH: LayerKind =
    LayerKind::new("gelu_tanh", "`x Φ(x)` by its tanh approximation.", |_, _| {
        Ok(Box::new(Tensor::gelu_tanh))
    })
    .function(|| type_of(&Tensor::gelu_tanh));

pub(super) const SILU: LayerKind = LayerKind::new("silu", "`x σ(x)`.", |_, _| Ok(Box::new(Tensor::silu)))
    .function(|| type_of(&Tensor::silu));

pub(super) const SIGMOID: LayerKind =
    LayerKind::new("sigmoid", "`1 / (1 + e⁻ˣ)`.", |_, _| Ok(Box::new(Tensor::sigmoid)))
        .function(|| type_of(&Tensor::sigmoid));

pub(super) const TANH: LayerKind =
    LayerKind::new("tanh", "Hyperbolic tangent.", |_, _| Ok(Box::new(Tensor::tanh)))
        .function(|| type_of(&Tensor::tanh));

pub(super) const SOFTPLUS: LayerKind =
    LayerKind::new("softplus", "`log(1 + eˣ)`, or `log(1 + e^(beta x)) / beta`.", |args, _| {
        let Some(beta) = args.main_optional()? else { return Ok(Box::new(Tensor::softplus)) };
        let beta = Bounds::ABOVE_0.within(args, "", "beta", beta)?;
        Ok(Activation::of(&SOFTPLUS, beta, move |x| (x * beta).softplus() / beta))
    })
    .function(|| type_of(&Tensor::softplus))
    .options(&[("", "how sharp its bend is; 1 where nothing is said")]);

pub(super) const SOFTMAX: LayerKind = LayerKind::new(
    "softmax",
    "Probabilities over the last axis; the cross-entropy loss wants the values before it.",
    |_, _| Ok(Box::new(softmax)),
)
.function(|| type_of(&softmax));

pub(super) const SOFTMAX2D: LayerKind = LayerKind::new(
    "softmax2d",
    "Probabilities over the channels of an image, at each place.",
    |args, input| {
        super::image(args, input)?;
        let entry = Some(Entry::new(SOFTMAX2D.name));
        Ok(Box::new(Activation { entry, ..Activation::new(SOFTMAX2D.name, softmax2d) }))
    },
);

pub(super) const LOG_SOFTMAX: LayerKind =
    LayerKind::new("log_softmax", "Logarithms of probabilities over the last axis.", |_, _| {
        Ok(Box::new(log_softmax))
    })
    .function(|| type_of(&log_softmax));

pub(super) const RELU6: LayerKind =
    LayerKind::new("relu6", "`min(max(x, 0), 6)`.", |_, _| Ok(Box::new(Tensor::relu6)))
        .function(|| type_of(&Tensor::relu6));

pub(super) const HARDTANH: LayerKind =
    LayerKind::new("hardtanh", "`min(max(x, −1), 1)`, or between other bounds.", |args, _| {
        let (min, max) = (Bounds::FINITE.optional(args, "min")?, Bounds::FINITE.optional(args, "max")?);
        if (min, max) == (None, None) {
            return Ok(Box::new(hardtanh));
        }
        let (min, max) = (min.unwrap_or(-1.0), max.unwrap_or(1.0));
        if min >= max {
            return Err(args.misfit("min", format!("the bounds from {min} to {max} do not rise")));
        }
        args.record("min", min);
        args.record("max", max);
        let entry = Some(Entry::new(HARDTANH.name).with_option("min", min).with_option("max", max));
        let layer = Activation::new(format!("hardtanh({min}, {max})"), move |x| x.hardtanh(min, max));
        Ok(Box::new(Activation { entry, by_step: true, ..layer }))
    })
    .function(|| type_of(&hardtanh))
    .options(&[
        ("min", "the least it gives; −1 where nothing is said"),
        ("max", "the most it gives; 1 where nothing is said"),
    ]);

pub(super) const HARDSIGMOID: LayerKind =
    LayerKind::new("hardsigmoid", "`min(max(x / 6 + 1/2, 0), 1)`.", |_, _| Ok(Box::new(Tensor::hardsigmoid)))
        .function(|| type_of(&Tensor::hardsigmoid));

pub(super) const HARDSWISH: LayerKind =
    LayerKind::new("hardswish", "`x` times the hardsigmoid of `x`.", |_, _| Ok(Box::new(Tensor::hardswish)))
        .function(|| type_of(&Tensor::hardswish));

pub(super) const MISH: LayerKind =
    LayerKind::new("mish", "`x tanh(softplus(x))` (Misra 2019).", |_, _| Ok(Box::new(Tensor::mish)))
        .function(|| type_of(&Tensor::mish));

pub(super) const SOFTSIGN: LayerKind =
    LayerKind::new("softsign", "`x / (1 + |x|)`.", |_, _| Ok(Box::new(Tensor::softsign)))
        .function(|| type_of(&Tensor::softsign));

pub(super) const TANHSHRINK: LayerKind =
    LayerKind::new("tanhshrink", "`x − tanh(x)`.", |_, _| Ok(Box::new(Tensor::tanhshrink)))
        .function(|| type_of(&Tensor::tanhshrink));

pub(super) const LOG_SIGMOID: LayerKind =
    LayerKind::new("log_sigmoid", "`log σ(x)`.", |_, _| Ok(Box::new(Tensor::log_sigmoid)))
        .function(|| type_of(&Tensor::log_sigmoid));

pub(super) const SELU: LayerKind = LayerKind::new(
    "selu",
    "`1.0507 x` above 0, `1.7581 (eˣ − 1)` below, which keeps mean 0 and variance 1 (Klambauer et al. 2017).",
    |_, _| Ok(Box::new(Tensor::selu)),
)
.function(|| type_of(&Tensor::selu));

pub(super) const SOFTMIN: LayerKind =
    LayerKind::new("softmin", "The softmax of `−x` over the last axis.", |_, _| Ok(Box::new(softmin)))
        .function(|| type_of(&softmin));

pub(super) const SOFTSHRINK: LayerKind =
    LayerKind::new("softshrink", "`x` moved towards 0 by the given number, and 0 near it.", |args, _| {
        let by = Bounds::AT_LEAST_0.main(args, "number", 0.5)?;
        Ok(Activation::of(&SOFTSHRINK, by, move |x| x.softshrink(by)))
    })
    .options(&[("", "how far it moves")]);

pub(super) const HARDSHRINK: LayerKind = LayerKind::new(
    "hardshrink",
    "`x` where it is farther from 0 than the given number, else 0.",
    |args, _| {
        let by = Bounds::AT_LEAST_0.main(args, "number", 0.5)?;
        Ok(Activation::of(&HARDSHRINK, by, move |x| x.hardshrink(by)))
    },
)
.options(&[("", "the distance up to which it is 0")]);

pub(super) const CELU: LayerKind =
    LayerKind::new("celu", "`x` above 0, `alpha (e^(x/alpha) − 1)` below.", |args, _| {
        let alpha = Bounds::ABOVE_0.main(args, "alpha", 1.0)?;
        Ok(Activation::of(&CELU, alpha, move |x| x.celu(alpha)))
    })
    .options(&[("", "how far below 0 it goes")]);

pub(super) const THRESHOLD: LayerKind =
    LayerKind::new("threshold", "`x` above the given number, `value` below.", |args, _| {
        let at = Bounds::FINITE.main(args, "threshold", 0.0)?;
        let value = Bounds::FINITE.option(args, "value", 0.0)?;
        let entry = Some(Entry::new(THRESHOLD.name).with_value(at).with_option("value", value));
        let layer = Activation::new(format!("threshold({at}, {value})"), move |x| x.gt(at).choose(x, value));
        Ok(Box::new(Activation { entry, by_step: true, ..layer }))
    })
    .options(&[("", "the number above which it is the identity"), ("value", "what it is below")]);

pub(super) const RRELU: LayerKind = LayerKind::new(
    "rrelu",
    "`x` above 0, below a slope times `x`, drawn for each element while training, else the mean of both ends.",
    |args, _| {
        let lower = Bounds::UP_TO_1.option(args, "lower", 0.125)?;
        let upper = Bounds::UP_TO_1.option(args, "upper", 1.0 / 3.0)?;
        if lower > upper {
            return Err(args.error("lower", format!("the slopes from {lower} to {upper} do not rise")));
        }
        let entry = Some(Entry::new(RRELU.name).with_option("lower", lower).with_option("upper", upper));
        let layer = Activation::new(format!("rrelu({lower}, {upper})"), move |x| {
            if !is_training() {
                return x.leaky_relu((lower + upper) / 2.0);
            }
            let (draw, slopes) = (random::next(Stream::Dropout), Distribution::Uniform(lower, upper));
            x.relu() - (-x).relu() * x.device().scope(|| Tensor::random(draw, slopes, x.shape(), x.dtype()))
        });
        Ok(Box::new(Activation { entry, by_step: true, ..layer }))
    },
)
.options(&[("lower", "the least slope below 0"), ("upper", "the largest slope below 0")]);

#[track_caller]
fn hardtanh(x: &Tensor) -> Tensor {
    x.hardtanh(-1.0, 1.0)
}

#[track_caller]
fn softmin(x: &Tensor) -> Tensor {
    (-x).softmax(-1)
}

#[track_caller]
fn softmax(x: &Tensor) -> Tensor {
    x.softmax(-1)
}

#[track_caller]
fn softmax2d(x: &Tensor) -> Tensor {
    if x.rank() < 3 {
        fail!("softmax2d", "images [.., channels, height, width] were expected, found {:?}", x.shape());
    }
    x.softmax(-3)
}

#[track_caller]
fn log_softmax(x: &Tensor) -> Tensor {
    x.log_softmax(-1)
}

#[cfg(test)]
mod tests {
    use crate::Then;
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn what_pytorchs_take_besides_can_be_said() {
        let build = |entry: Entry, input: &[usize]| {
            check_entry::<dyn Layer>(&entry, input);
            mapsto_spec::build::<dyn Layer>(&entry, input).unwrap()
        };
        let x = tensor![-3.0, 0.5, 4.0];
        let softplus = build(Entry::new("softplus").with_value(2.0), &[3]).forward(&x);
        assert_close!(softplus, [-3f64, 0.5, 4.0].map(|x| (1.0 + (2.0 * x).exp()).ln() / 2.0));
        let hardtanh = Entry::new("hardtanh").with_option("min", -2.0);
        assert_close!(build(hardtanh.clone(), &[3]).forward(&x), [-2.0, 0.5, 1.0]);
        let wrong = mapsto_spec::build::<dyn Layer>(&hardtanh.with_option("max", -2.0), &[3]).err().unwrap();
        assert!(wrong.message().contains("the bounds from -2 to -2 do not rise"), "{wrong}");
        let image = Tensor::randn([2, 3, 4, 5]);
        let softmax = build(Entry::new("softmax2d"), &[3, 4, 5]);
        assert_close!(softmax.forward(&image).sum(1), Tensor::ones([2, 4, 5]));
        assert!(catch(|| softmax.forward(&x)).unwrap_err().message().starts_with("softmax2d: images"));
        check_layer(|| super::Activation::new("softmax2d", super::softmax2d))
            .gives([1, 3, 2, 2], [1, 3, 2, 2]);
    }

    #[test]
    fn rrelu_draws_its_slopes_in_training() {
        let layer = mapsto_spec::build::<dyn Layer>(&Entry::new("rrelu"), &[2000]).unwrap();
        let x = Tensor::full([2000], -1.0).leaf();
        let y = train(|| layer.forward(&x));
        let slopes = (-y.detach()).to_vec::<f32>();
        assert!(slopes.iter().all(|s| (0.125..1.0 / 3.0 + 1e-6).contains(s)));
        let mean = slopes.iter().sum::<f32>() / 2000.0;
        assert!((mean - 0.229_17).abs() < 0.01, "{mean}");
        assert_close!(y.sum(..).backward().of(&x), Tensor::from_vec(slopes, [2000]));
    }

    #[test]
    fn every_activation_is_a_layer_with_its_values() {
        // Values by the formulas, evaluated in f64.
        let selu = 1.050_700_987_355_480_5;
        let softplus = [(1.0 + (-1f64).exp()).ln(), (1.0 + 2f64.exp()).ln()];
        let expected: [(&str, [f64; 2]); 26] = [
            ("relu", [0.0, 2.0]),
            ("leaky_relu", [-0.01, 2.0]),
            ("elu", [(-1f64).exp() - 1.0, 2.0]),
            ("gelu", [-0.158655, 1.954500]),
            ("gelu_tanh", [-0.158808, 1.954598]),
            ("silu", [-1.0 / (1.0 + 1f64.exp()), 2.0 / (1.0 + (-2f64).exp())]),
            ("sigmoid", [1.0 / (1.0 + 1f64.exp()), 1.0 / (1.0 + (-2f64).exp())]),
            ("tanh", [(-1f64).tanh(), 2f64.tanh()]),
            ("softplus", [(1.0 + (-1f64).exp()).ln(), (1.0 + 2f64.exp()).ln()]),
            ("softmax", [1.0 / (1.0 + 3f64.exp()), 1.0 / (1.0 + (-3f64).exp())]),
            ("log_softmax", [-(1.0 + 3f64.exp()).ln(), -(1.0 + (-3f64).exp()).ln()]),
            ("relu6", [0.0, 2.0]),
            ("hardtanh", [-1.0, 1.0]),
            ("hardsigmoid", [2.0 / 6.0, 5.0 / 6.0]),
            ("hardswish", [-2.0 / 6.0, 10.0 / 6.0]),
            ("mish", [-softplus[0].tanh(), 2.0 * softplus[1].tanh()]),
            ("softsign", [-0.5, 2.0 / 3.0]),
            ("tanhshrink", [-1.0 + 1f64.tanh(), 2.0 - 2f64.tanh()]),
            ("log_sigmoid", [-(1.0 + 1f64.exp()).ln(), -(1.0 + (-2f64).exp()).ln()]),
            ("selu", [selu * 1.673_263_242_354_377_2 * ((-1f64).exp() - 1.0), selu * 2.0]),
            ("softmin", [1.0 / (1.0 + (-3f64).exp()), 1.0 / (1.0 + 3f64.exp())]),
            ("softshrink", [-0.5, 1.5]),
            ("hardshrink", [-1.0, 2.0]),
            ("celu", [(-1f64).exp() - 1.0, 2.0]),
            ("threshold", [0.0, 2.0]),
            ("rrelu", [-(0.125 + 1.0 / 3.0) / 2.0, 2.0]),
        ];
        for (name, [a, b]) in expected {
            let build = move || ModelSpec::new([2], [Entry::new(name)]).build().unwrap();
            let y = build().forward(&tensor![[-1.0, 2.0]]).to_vec::<f32>();
            assert!((y[0] as f64 - a).abs() < 2e-6 && (y[1] as f64 - b).abs() < 2e-6, "{name}: {y:?}");
            let layer = mapsto_spec::build::<dyn Layer>(&Entry::new(name), &[2]).unwrap();
            assert!(matches!(Then::of(&*layer), Then::Activation { .. }), "{name}");
            check_layer(build).gives([3, 2], [3, 2]);
        }
    }
}
