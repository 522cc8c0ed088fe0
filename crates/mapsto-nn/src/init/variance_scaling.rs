//! Weights of a variance that is one over the numbers that enter or leave a unit.

use super::{Init, InitKind, Normal, TruncatedNormal, Uniform, fans};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;

/// Which numbers of a unit are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    In,
    Out,
    Average,
}

const COUNTED: [(&str, Counted); 3] =
    [("in", Counted::In), ("out", Counted::Out), ("average", Counted::Average)];

/// What weights are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drawn {
    Uniform,
    Normal,
    Truncated,
}

const DRAWN: [(&str, Drawn); 3] =
    [("uniform", Drawn::Uniform), ("normal", Drawn::Normal), ("truncated_normal", Drawn::Truncated)];

/// The standard deviation of a normal number that was cut off at twice its own, in units of it.
const CUT: f64 = 0.879_625_661_034_239_8;

/// Weights of the variance `scale / fan`, drawn uniformly unless it is said otherwise; `fan` are the numbers that enter a unit.
///
/// PyTorch has none by this name; Keras: `VarianceScaling`, and `lecun_uniform` and `lecun_normal`, which are those of scale 1.
///
/// Source: LeCun, Bottou, Orr, Müller (1998), Efficient backprop, equation 16, for scale 1.
/// ```
/// use mapsto_nn::init::{Init, VarianceScaling};
/// let w = VarianceScaling::new(4.0).normal().tensor(&[300, 100]);
/// assert!((w.square().mean(..).sqrt().item() - 0.2).abs() < 0.01);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VarianceScaling {
    scale: f64,
    counted: Counted,
    drawn: Drawn,
}

impl VarianceScaling {
    /// Uniform, of the variance `scale` over the numbers that enter a unit.
    ///
    /// # Panics
    /// When `scale` is not finite and above 0.
    #[track_caller]
    pub fn new(scale: f64) -> VarianceScaling {
        let scale = Bounds::ABOVE_0.check("variance_scaling", "scale", scale);
        VarianceScaling { scale, counted: Counted::In, drawn: Drawn::Uniform }
    }

    /// LeCun's: of scale 1, uniform.
    pub fn lecun() -> VarianceScaling {
        VarianceScaling::new(1.0)
    }

    /// The same by the numbers that leave a unit.
    #[must_use]
    pub fn fan_out(self) -> VarianceScaling {
        VarianceScaling { counted: Counted::Out, ..self }
    }

    /// The same by the mean of those that enter and those that leave.
    #[must_use]
    pub fn fan_average(self) -> VarianceScaling {
        VarianceScaling { counted: Counted::Average, ..self }
    }

    /// The same of normal numbers.
    #[must_use]
    pub fn normal(self) -> VarianceScaling {
        VarianceScaling { drawn: Drawn::Normal, ..self }
    }

    /// The same of normal numbers that are cut off at twice their standard deviation.
    #[must_use]
    pub fn truncated_normal(self) -> VarianceScaling {
        VarianceScaling { drawn: Drawn::Truncated, ..self }
    }
}

impl Init for VarianceScaling {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        let (fan_in, fan_out) = fans(shape);
        let fan = match self.counted {
            Counted::In => fan_in as f64,
            Counted::Out => fan_out as f64,
            Counted::Average => (fan_in as f64 + fan_out as f64) / 2.0,
        };
        let std = (self.scale / fan.max(1.0)).sqrt();
        match self.drawn {
            Drawn::Uniform => Uniform::symmetric(3f64.sqrt() * std).tensor(shape),
            Drawn::Normal => Normal::new(std).tensor(shape),
            Drawn::Truncated => TruncatedNormal::new(std / CUT).tensor(shape),
        }
    }

    fn entry(&self) -> Option<Entry> {
        let counted = COUNTED.iter().find(|(_, c)| *c == self.counted)?.0;
        let drawn = DRAWN.iter().find(|(_, d)| *d == self.drawn)?.0;
        Some(
            Entry::new(KIND.name)
                .with_value(self.scale)
                .with_option("fan", counted)
                .with_option("draw", drawn),
        )
    }
}

pub(super) const KIND: InitKind = InitKind::new(
    "variance_scaling",
    "Of the given number over the numbers that enter or leave a unit as variance; 1 is LeCun's.",
    |args, ()| {
        let scale = Bounds::ABOVE_0.main(args, "scale", 1.0)?;
        let fan: String = args.get_or("fan", "in".to_string())?;
        let draw: String = args.get_or("draw", "uniform".to_string())?;
        let Some((_, counted)) = COUNTED.iter().find(|(word, _)| *word == fan) else {
            return Err(args.error("fan", format!("`fan` is in, out or average, got \"{fan}\"")));
        };
        let Some((_, drawn)) = DRAWN.iter().find(|(word, _)| *word == draw) else {
            let message = format!("`draw` is uniform, normal or truncated_normal, got \"{draw}\"");
            return Err(args.error("draw", message));
        };
        Ok(Box::new(VarianceScaling { scale, counted: *counted, drawn: *drawn }))
    },
)
.options(&[
    ("", "the variance times the numbers counted"),
    ("fan", "which numbers of a unit are counted: `\"in\"`, `\"out\"` or their `\"average\"`"),
    ("draw", "`\"uniform\"`, `\"normal\"` or `\"truncated_normal\"`"),
]);

#[test]
fn every_form_has_its_variance() {
    let forms = [
        VarianceScaling::new,
        |s| VarianceScaling::new(s).fan_out(),
        |s| VarianceScaling::new(s).fan_average(),
    ];
    for (form, fan) in forms.into_iter().zip([200.0, 400.0, 300.0]) {
        let uniform = form(2.0);
        for init in [uniform, uniform.normal(), uniform.truncated_normal()] {
            let found = init.tensor(&[400, 200]).square().mean(..).item() * fan;
            assert!((found - 2.0).abs() < 0.05, "{init:?}: {found}");
            mapsto_spec::check_entry::<dyn Init>(&init.entry().unwrap(), &());
        }
    }
    let wrong = Entry::new("variance_scaling").with_option("fan", "both");
    assert!(
        mapsto_spec::build::<dyn Init>(&wrong, &()).err().unwrap().message().contains("`fan` is in, out")
    );
}
