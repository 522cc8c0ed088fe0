//! `Bounds`: which values a setting may have, said once for files and for Rust.

use crate::{Args, FromValue, Value};
use mapsto_tensor::{Result, fail};

/// The numbers that a setting may be; NaN and the infinities never are, and neither is what becomes another kind of number in
/// f32, in which models compute: 10³⁰⁰ is infinite there, 10⁻⁵⁰ is 0.
///
/// Builders in Rust call [`check`](Bounds::check), which panics at the caller's line; entries of files are read with
/// [`main`](Bounds::main) and [`option`](Bounds::option), which return an error that points at the place.
/// ```
/// # use mapsto_spec::Bounds;
/// assert!(Bounds::SHARE.hold(0.0) && !Bounds::SHARE.hold(1.0));
/// assert!(Bounds::ABOVE_0.hold(1e-8) && !Bounds::ABOVE_0.hold(1e-50));
/// let error = mapsto_tensor::catch(|| Bounds::AT_LEAST_0.check("sgd", "learning rate", -1.0)).unwrap_err();
/// assert_eq!(error.message(), "sgd: learning rate must be finite and at least 0, got -1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    words: &'static str,
    least: f64,
    most: f64,
    /// Whether `least` and `most` belong to the bounds.
    closed: [bool; 2],
    /// Whether 0 is held, where it lies between them.
    zero: bool,
}

impl Bounds {
    /// Any finite number.
    pub const FINITE: Bounds =
        Bounds { words: "finite", least: f64::MIN, most: f64::MAX, closed: [true, true], zero: true };
    /// Finite and at least 0: a learning rate, a weight decay.
    pub const AT_LEAST_0: Bounds = Bounds { words: "finite and at least 0", least: 0.0, ..Bounds::FINITE };
    /// Finite and above 0: what something is divided by, or a limit that lets nothing through at 0.
    pub const ABOVE_0: Bounds =
        Bounds { words: "finite and above 0", least: 0.0, closed: [false, true], ..Bounds::FINITE };
    /// Finite and at least 1: a divisor that makes something smaller.
    pub const AT_LEAST_1: Bounds = Bounds { words: "finite and at least 1", least: 1.0, ..Bounds::FINITE };
    /// From 0 to below 1: a momentum, the probability to drop an element.
    pub const SHARE: Bounds = Bounds {
        words: "at least 0 and below 1",
        least: 0.0,
        most: 1.0,
        closed: [true, false],
        ..Bounds::FINITE
    };
    /// From 0 to 1: label smoothing, the floor of a schedule.
    pub const UP_TO_1: Bounds =
        Bounds { words: "at least 0 and at most 1", least: 0.0, most: 1.0, ..Bounds::FINITE };

    /// From 0 to ½: what goes round as far either way.
    pub const UP_TO_HALF: Bounds =
        Bounds { words: "at least 0 and at most 0.5", least: 0.0, most: 0.5, ..Bounds::FINITE };

    /// From 0 to 180: degrees by which something is turned either way; more comes around again.
    pub const HALF_TURN: Bounds =
        Bounds { words: "at least 0 and at most 180", least: 0.0, most: 180.0, ..Bounds::FINITE };

    /// Any finite number but 0: a factor that shall leave something over.
    pub const NOT_0: Bounds = Bounds { words: "finite and not 0", zero: false, ..Bounds::FINITE };

    /// Whether `x` is within them, as it is and as it is rounded to f32.
    #[must_use]
    pub fn hold(&self, x: f64) -> bool {
        self.hold_exactly(x) && self.hold_exactly(f64::from(x as f32))
    }

    fn hold_exactly(&self, x: f64) -> bool {
        let low = if self.closed[0] { x >= self.least } else { x > self.least };
        let zero = self.zero || x != 0.0;
        zero && low && if self.closed[1] { x <= self.most } else { x < self.most }
    }

    /// `x`, the value of `setting`.
    ///
    /// # Panics
    /// When it is outside.
    #[track_caller]
    pub fn check(&self, op: &str, setting: &str, x: f64) -> f64 {
        if !self.hold(x) {
            fail!(op, "{}", self.complaint(setting, x));
        }
        x
    }

    /// What is said of a value outside.
    #[must_use]
    pub fn complaint(&self, setting: &str, x: f64) -> String {
        let got = brief(x);
        if !self.hold_exactly(x) {
            return format!("{setting} must be {}, got {got}", self.words);
        }
        let there = brief(f64::from(x as f32));
        format!("{setting} must be {}, also in f32, where {got} becomes {there}", self.words)
    }

    /// The main value of an entry, which is its `setting`; `default` where there is none.
    ///
    /// # Errors
    /// When it is not a number, or outside.
    pub fn main(&self, args: &mut Args, setting: &str, default: f64) -> Result<f64> {
        let x = args.main_or(default)?;
        self.within(args, "", setting, x)
    }

    /// An option of an entry; `default` where it is not given.
    ///
    /// # Errors
    /// When it is not a number, or outside.
    pub fn option(&self, args: &mut Args, name: &str, default: f64) -> Result<f64> {
        let x = args.get_or(name, default)?;
        self.within(args, name, &format!("`{name}`"), x)
    }

    /// An option of an entry that may stay away.
    ///
    /// # Errors
    /// When it is not a number, or outside.
    pub fn optional(&self, args: &mut Args, name: &str) -> Result<Option<f64>> {
        let x: Option<f64> = args.optional(name)?;
        args.tell_range(name, self.words);
        x.map(|x| self.within(args, name, &format!("`{name}`"), x)).transpose()
    }

    /// `x`, which was read from the option `name` (or the main value, for `""`).
    ///
    /// # Errors
    /// When it is outside.
    pub fn within(&self, args: &mut Args, name: &str, setting: &str, x: f64) -> Result<f64> {
        args.tell_range(name, self.words);
        if self.hold(x) { Ok(x) } else { Err(args.error(name, self.complaint(setting, x))) }
    }
}

/// A number as it is printed in messages: very large and very small ones with an exponent.
///
/// ```
/// # use mapsto_spec::brief;
/// assert_eq!([0.01, 1e300, -2.5e-50].map(brief), ["0.01", "1e300", "-2.5e-50"]);
/// ```
#[must_use]
pub fn brief(x: f64) -> String {
    let text = format!("{x:?}");
    text.strip_suffix(".0").unwrap_or(&text).to_string()
}

/// `n`, the value of `setting`, a count of which there must be one at least.
///
/// ```
/// # use mapsto_spec::at_least_1;
/// let error = mapsto_tensor::catch(|| at_least_1("early_stop", "patience", 0_usize)).unwrap_err();
/// assert_eq!(error.message(), "early_stop: patience must be at least 1, got 0");
/// ```
/// # Panics
/// When it is 0.
#[track_caller]
pub fn at_least_1<T: PartialEq + From<u8>>(op: &str, setting: &str, n: T) -> T {
    if n == T::from(0) {
        fail!(op, "{setting} must be at least 1, got 0");
    }
    n
}

/// The option `name` of an entry, a count of which there must be one at least; `default` where it is not given.
///
/// # Errors
/// When it is not a whole number, or 0.
pub fn count_option<T>(args: &mut Args, name: &str, default: T) -> Result<T>
where
    T: FromValue + Into<Value> + Clone + PartialEq + From<u8>,
{
    let n: T = args.get_or(name, default)?;
    args.tell_range(name, "at least 1");
    if n == T::from(0) {
        return Err(args.error(name, format!("`{name}` must be at least 1, got 0")));
    }
    Ok(n)
}

#[test]
fn no_bounds_hold_what_is_not_finite() {
    let all = [Bounds::FINITE, Bounds::AT_LEAST_0, Bounds::ABOVE_0, Bounds::SHARE, Bounds::UP_TO_1];
    for bounds in all.into_iter().chain([Bounds::HALF_TURN, Bounds::NOT_0, Bounds::AT_LEAST_1]) {
        for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e39] {
            assert!(!bounds.hold(x), "{bounds:?} {x}");
            assert!(!bounds.complaint("x", x).contains("00000"));
        }
        // What is held is held in f32 too.
        for x in [1e-50, 1e-46, -1e-46, 1.0 - 1e-12, 1.0 + 1e-12, 1e-30, 0.3, 180.0 + 1e-9, 1e38] {
            assert!(!bounds.hold(x) || bounds.hold(f64::from(x as f32)), "{bounds:?} {x}");
        }
    }
    let says = Bounds::ABOVE_0.complaint("eps", 1e-50);
    assert_eq!(says, "eps must be finite and above 0, also in f32, where 1e-50 becomes 0");
    let held = |b: Bounds| [-1.0, 0.0, 0.5, 1.0, 1e38].map(|x| b.hold(x));
    assert_eq!(held(Bounds::NOT_0), [true, false, true, true, true]);
    assert_eq!(held(Bounds::FINITE), [true; 5]);
    assert_eq!(held(Bounds::AT_LEAST_0), [false, true, true, true, true]);
    assert_eq!(held(Bounds::ABOVE_0), [false, false, true, true, true]);
    assert_eq!(held(Bounds::AT_LEAST_1), [false, false, false, true, true]);
    assert_eq!(held(Bounds::SHARE), [false, true, true, false, false]);
    assert_eq!(held(Bounds::UP_TO_1), [false, true, true, true, false]);
}
