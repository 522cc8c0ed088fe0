//! Operations built from attributes: whatever their public methods would have checked before, an error tells here.

use crate::graph::{At, Attr, Attrs, Cost, Keep, Meaning, Meant, Op, Outline, Owned, Ran, Say, Vjp};
use crate::{Error, ErrorKind, Result, Tensor, error, fail};

/// Makes an operation of attributes that are within their ranges.
pub(super) fn checked(attrs: &mut Attrs, make: fn(&mut Attrs) -> Result<Box<dyn Op>>) -> Result<Box<dyn Op>> {
    let given = attrs.clone();
    // A shape of too many elements is raised where it is made.
    let op = error::mistakes(|| make(attrs))??;
    match given.iter().find_map(|(name, value)| wrong(name, value, &given)) {
        Some(message) => Err(Error::new(ErrorKind::Model, message)),
        None => Ok(op),
    }
}

/// The ranges of the attributes that several operations share, by their meanings.
fn wrong(name: &str, value: &Attr, given: &Attrs) -> Option<String> {
    let distinct = |v: &[i64]| v.iter().enumerate().all(|(i, a)| !v[..i].contains(a));
    let message = match (name, value) {
        ("eps", Attr::Float(v)) if !(v.is_finite() && *v >= 0.0) => "be finite and at least 0",
        ("label_smoothing", Attr::Float(v)) if !(0.0..=1.0).contains(v) => "be from 0 to 1",
        ("scale" | "alpha" | "slope" | "lo" | "hi" | "p", Attr::Float(v)) if v.is_nan() => "be a number",
        ("kernel" | "stride" | "dilation" | "out", Attr::Ints(v)) if v.iter().any(|&n| n < 1) => {
            "be at least 1"
        }
        ("groups", Attr::Int(v)) if *v < 1 => "be at least 1",
        ("lo", Attr::Float(lo))
            if given.get("hi").is_some_and(|hi| matches!(hi, Attr::Float(hi) if hi < lo)) =>
        {
            "be at most `hi`"
        }
        ("axes", Attr::Ints(v)) if !distinct(v) => "name no axis twice",
        _ => return None,
    };
    Some(format!("the attribute `{name}` must {message}, got {value}"))
}

/// An operation that names itself where its inputs do not fit it.
pub(super) fn guarded(op: Box<dyn Op>) -> Box<dyn Op> {
    Box::new(Built(op))
}

struct Built(Box<dyn Op>);

impl Built {
    #[track_caller]
    fn guard<T>(&self, shapes: impl Fn() -> String, body: impl FnOnce() -> T) -> T {
        match error::catch(body) {
            Ok(value) => value,
            Err(e) if e.message().starts_with(&format!("{}: ", self.0.name())) => error::raise(e),
            Err(e) => fail!(self.0.name(), "it cannot run on {}: {}", shapes(), e.message();
                            help = "give it inputs that its public method would take; what that checks and converts before is not done again"),
        }
    }
}

impl Built {
    /// Requires as many inputs as the operation takes, and the axes that its attributes name.
    #[track_caller]
    fn check_inputs(&self, xs: &[&Tensor]) {
        let (name, takes) = (self.0.name(), self.0.takes());
        if !takes.contains(&xs.len()) {
            let (least, most) = (takes.start(), takes.end());
            let wanted = match (*least, *most) {
                (least, usize::MAX) => format!("at least {least}"),
                (least, most) if least == most => least.to_string(),
                (least, most) => format!("{least} to {most}"),
            };
            fail!(name, "it takes {wanted} inputs and got {}", xs.len(); help = "give it {wanted}");
        }
        let Some(rank) = xs.first().map(|x| x.rank()) else { return };
        for (attr, value) in Attrs::of(&*self.0).iter() {
            let named: &[i64] = match (attr, value) {
                ("axis", Attr::Int(axis)) => std::slice::from_ref(axis),
                ("axes", Attr::Ints(axes)) => axes,
                _ => continue,
            };
            if let Some(axis) = named.iter().find(|&&axis| axis as usize >= rank) {
                fail!(name, "there is no axis {axis} in {:?}", xs[0].shape(); help = "the axes are numbered from 0 to {}", rank.max(1) - 1);
            }
        }
    }
}

fn shapes(xs: &[&Tensor]) -> String {
    let of = |x: &&Tensor| format!("{} {:?}", x.dtype(), x.shape());
    if xs.is_empty() { "no inputs".into() } else { xs.iter().map(of).collect::<Vec<_>>().join(", ") }
}

impl Op for Built {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn attrs(&self, say: Say<'_>) {
        self.0.attrs(say)
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        self.guard(|| shapes(xs), || {
            self.check_inputs(xs);
            let ran = self.0.run(xs);
            let elements = ran.y.storage().bytes() / ran.y.dtype().size();
            if ran.y.storage().is_host() && !ran.y.layout().lies_in(elements) {
                fail!(self.0.name(), "the result {:?} would reach beyond the elements of {}", ran.y.shape(), shapes(xs);
                      help = "give positions and sizes that the input has");
            }
            ran
        })
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        self.0.takes()
    }
    fn run_onto(&self, xs: Owned) -> Ran {
        self.run(&xs.refs())
    }
    fn keep(&self) -> Keep {
        self.0.keep()
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        self.0.vjp(at, g)
    }
    fn vjp_onto(&self, at: &At<'_>, g: Tensor) -> Vjp {
        self.0.vjp_onto(at, g)
    }
    fn jvp(&self, at: &At<'_>, dxs: &[Option<Tensor>]) -> Tensor {
        self.0.jvp(at, dxs)
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        self.0.cost(xs, y)
    }
    fn is_flat(&self) -> bool {
        self.0.is_flat()
    }
    fn sums_along(&self, xs: &Meant<'_>) -> Option<usize> {
        self.0.sums_along(xs)
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        self.0.meaning(xs)
    }
    fn part(&self) -> Option<(usize, usize)> {
        self.0.part()
    }
}
