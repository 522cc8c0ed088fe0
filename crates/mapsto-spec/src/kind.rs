//! Families and their kinds: what can be named in a file, how it is built, and how it says its own entry again.

use crate::{Args, Entry, Value, nearest};
use mapsto_tensor::{Error, ErrorKind, Result};
use std::any::TypeId;
use std::fmt;

/// Things that entries name: all layers, all losses, all schedules.
///
/// It is implemented for the trait object (`dyn Layer`), which [`build`] then makes of any entry of the family.
/// ```
/// use mapsto_spec::{Args, Entry, Family, Kind, build};
/// trait Shape { fn area(&self) -> f64; fn entry(&self) -> Option<Entry>; }
/// struct Square { side: f64 }
/// impl Shape for Square {
///     fn area(&self) -> f64 { self.side * self.side }
///     fn entry(&self) -> Option<Entry> { Some(Entry::new("square").with_value(self.side)) }
/// }
/// const SHAPES: &[Kind<dyn Shape>] = &[
///     Kind::<dyn Shape>::new("square", "A square of a given side.", |args, ()| Ok(Box::new(Square { side: args.main_or(1.0)? })))
///         .options(&[("", "the length of a side")]),
/// ];
/// impl Family for dyn Shape {
///     const NOUN: &'static str = "shape";
///     type Given = ();
///     fn kinds() -> &'static [Kind<dyn Shape>] { SHAPES }
///     fn entry_of(shape: &dyn Shape, (): &()) -> Option<Entry> { shape.entry() }
/// }
///
/// let square = build::<dyn Shape>(&Entry::new("square").with_value(3_usize), &())?;
/// assert_eq!(square.area(), 9.0);
/// assert_eq!(square.entry().unwrap().to_string(), "{ square = 3.0 }");
/// let error = build::<dyn Shape>(&Entry::new("sqaure"), &()).err().unwrap();
/// assert!(error.to_string().contains("did you mean `square`?"));
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub trait Family: 'static {
    /// What one of them is called in messages: "layer".
    const NOUN: &'static str;

    /// What a thing is built from beside its entry: the shape of a layer's input, the length of a training, or nothing.
    type Given: ?Sized;

    /// Every kind that can be named.
    fn kinds() -> &'static [Kind<Self>];

    /// The entry that builds `built` again, with every setting; `None` for what no file can hold, such as a closure.
    fn entry_of(built: &Self, given: &Self::Given) -> Option<Entry>;

    /// Reads the options that all kinds of the family take, after those of the kind itself.
    ///
    /// # Errors
    /// When a value does not fit.
    fn finish(built: Box<Self>, args: &mut Args) -> Result<Box<Self>> {
        let _ = args;
        Ok(built)
    }
}

/// How a kind is built: from the arguments of its entry and what is given beside them.
pub type Build<T> = fn(&mut Args, &<T as Family>::Given) -> Result<Box<T>>;

/// One named way to build something; a registry is a list of these (`LAYERS`, `OPTIMIZERS`, …).
pub struct Kind<T: Family + ?Sized> {
    /// The name in files, on the command line and in messages.
    pub name: &'static str,
    /// One sentence on what it is.
    pub doc: &'static str,
    /// Builds it from the arguments of an entry.
    pub build: Build<T>,
    /// Each option in the order in which `build` asks for it, with what it means; `""` is the main value.
    pub options: &'static [(&'static str, &'static str)],
    /// An entry with what it cannot do without, where the name alone is not enough.
    sample: Option<fn() -> Entry>,
    /// The type of the plain function that is this kind, as that of `Tensor::relu`.
    function: Option<fn() -> TypeId>,
}

impl<T: Family + ?Sized> Kind<T> {
    /// A kind without options.
    #[must_use]
    pub const fn new(name: &'static str, doc: &'static str, build: Build<T>) -> Kind<T> {
        Kind { name, doc, build, options: &[], sample: None, function: None }
    }

    /// The same with the meaning of its options; `""` is the main value.
    #[must_use]
    pub const fn options(self, options: &'static [(&'static str, &'static str)]) -> Kind<T> {
        Kind { options, ..self }
    }

    /// The same with an entry that can be built: for tests, and as an example in the reference.
    #[must_use]
    pub const fn example(self, sample: fn() -> Entry) -> Kind<T> {
        Kind { sample: Some(sample), ..self }
    }

    /// The same for what is a plain function: `|| type_of(&Tensor::relu)`.
    #[must_use]
    pub const fn function(self, function: fn() -> TypeId) -> Kind<T> {
        Kind { function: Some(function), ..self }
    }

    /// An entry that can be built: the name, with what it cannot do without.
    #[must_use]
    pub fn sample(&self) -> Entry {
        self.sample.map_or_else(|| Entry::new(self.name), |sample| sample())
    }
}

impl<T: Family + ?Sized> Kind<T> {
    /// What it asks for while its example is built with the first of `givens` that fits; what it asks for before it fails
    /// where none does, as a set of data whose files are not there.
    #[must_use]
    pub fn questions(&self, givens: &[&T::Given]) -> Args {
        let mut args = Args::new(T::NOUN, &self.sample());
        for given in givens {
            let (asked, built) = self.asking(&self.sample(), given);
            args = asked;
            if built {
                break;
            }
        }
        args
    }

    /// What it asks for while an entry is built with what is given, and whether it could be built.
    fn asking(&self, entry: &Entry, given: &T::Given) -> (Args, bool) {
        let mut args = Args::new(T::NOUN, entry);
        let built = (self.build)(&mut args, given).and_then(|built| T::finish(built, &mut args)).is_ok();
        (args, built)
    }

    /// The options whose default is no number of their own, but follows from the other options or from what is given: it is another one where
    /// whole numbers of the example are doubled, or with another of `givens`.
    #[must_use]
    pub fn following(&self, givens: &[&T::Given]) -> Vec<String> {
        let double = |value: &Value| match value {
            Value::Int(n) => Some(Value::Int(n.saturating_mul(2))),
            _ => None,
        };
        let sample = self.sample();
        let mut entries = vec![sample.clone()];
        if let Some(value) = sample.value.as_ref().and_then(double) {
            entries.push(sample.clone().with_value(value));
        }
        for (name, value) in &sample.options {
            let value = double(value);
            entries.extend(value.map(|value| sample.clone().with_option(name.as_str(), value)));
        }
        let mut first: Vec<(String, Option<Value>)> = Vec::new();
        let mut following = Vec::new();
        for entry in &entries {
            for given in givens {
                let (args, built) = self.asking(entry, given);
                for asked in args.asked().filter(|_| built) {
                    let default = asked.default.cloned();
                    match first.iter().find(|(name, _)| name == asked.name) {
                        None => first.push((asked.name.to_string(), default)),
                        Some((name, other)) if *other != default && !following.contains(name) => {
                            following.push(name.clone());
                        }
                        Some(_) => {}
                    }
                }
            }
        }
        following
    }
}

impl<T: Family + ?Sized> fmt::Debug for Kind<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", T::NOUN, self.name)
    }
}

/// The type of a value, which may be a function that has no written type: `type_of(&Tensor::relu)`.
///
/// ```
/// use mapsto_spec::type_of;
/// use mapsto_tensor::Tensor;
/// assert_eq!(type_of(&Tensor::relu), type_of(&Tensor::relu));
/// assert_ne!(type_of(&Tensor::relu), type_of(&Tensor::abs));
/// ```
pub fn type_of<F: 'static>(_: &F) -> TypeId {
    TypeId::of::<F>()
}

/// The kind that an entry names.
///
/// # Errors
/// When no kind has the entry's name: points at the entry, and offers the nearest name or else all of them.
pub fn find<T: Family + ?Sized>(entry: &Entry) -> Result<&'static Kind<T>> {
    let (noun, kinds) = (T::NOUN, T::kinds());
    if let Some(kind) = kinds.iter().find(|k| k.name == entry.name) {
        return Ok(kind);
    }
    let help = match nearest(&entry.name, kinds.iter().map(|k| k.name)) {
        Some(name) => format!("did you mean `{name}`?"),
        None => {
            let names: Vec<_> = kinds.iter().map(|k| k.name).collect();
            format!("known are {}", names.join(", "))
        }
    };
    let error = Error::new(ErrorKind::Usage, format!("unknown {noun} `{}`", entry.name)).help(help);
    Err(match entry.span {
        Some(span) => error.with_span(span.into()),
        None => error,
    })
}

/// What an entry names, built.
///
/// # Errors
/// When the name or an option is unknown, or a value does not fit; the error points at its place.
pub fn build<T: Family + ?Sized>(entry: &Entry, given: &T::Given) -> Result<Box<T>> {
    filled(entry, given).map(|(built, _)| built)
}

/// What an entry names, built, and the entry as it was written with every default filled in.
///
/// # Errors
/// As [`build`].
pub fn filled<T: Family + ?Sized>(entry: &Entry, given: &T::Given) -> Result<(Box<T>, Entry)> {
    let kind = find::<T>(entry)?;
    let mut args = Args::new(T::NOUN, entry);
    let built = (kind.build)(&mut args, given)?;
    let built = T::finish(built, &mut args)?;
    Ok((built, args.finish()?))
}

/// The entry of the kind that is the plain function `F`, with its defaults; `None` for any other function.
///
/// Functions are told apart by their types, so a function of somebody else that has the same name is not taken for it.
pub fn entry_of_function<T: Family + ?Sized, F: 'static>(given: &T::Given) -> Option<Entry> {
    let kind = kind_of_function::<T, F>()?;
    filled::<T>(&Entry::new(kind.name), given).ok().map(|(_, entry)| entry)
}

/// The kind that is the plain function `F`.
pub fn kind_of_function<T: Family + ?Sized, F: 'static>() -> Option<&'static Kind<T>> {
    let id = TypeId::of::<F>();
    T::kinds().iter().find(|kind| kind.function.is_some_and(|function| function() == id))
}

/// What every family promises of all its kinds, for tests: each is built from its example, says an entry that builds the
/// same again, with the settings that it was built with, and its options are those that are documented.
///
/// `givens` are tried one after the other until one fits.
/// # Panics
/// When a kind breaks the promise.
pub fn check_family<T: Family + ?Sized>(givens: &[&T::Given]) {
    for (i, kind) in T::kinds().iter().enumerate() {
        let sample = kind.sample();
        assert!(T::kinds()[..i].iter().all(|other| other.name != kind.name), "{kind:?} stands twice");
        assert!(kind.doc.ends_with('.'), "{kind:?}: its sentence ends without a full stop");
        let fitting = givens.iter().find(|given| filled::<T>(&sample, given).is_ok());
        let given = fitting.unwrap_or_else(|| panic!("{kind:?} cannot be built from {sample}"));
        check_entry::<T>(&sample, given);
        let args = kind.questions(&[given]);
        let asked: Vec<&str> = args.asked().map(|asked| asked.name).collect();
        let told: Vec<&str> = kind.options.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            asked.iter().filter(|name| !told.contains(name)).count(),
            0,
            "{kind:?} asks for {asked:?}"
        );
        assert!(
            told.iter().all(|name| asked.contains(name)),
            "{kind:?} documents {told:?}, asks for {asked:?}"
        );
        check_numbers(kind, &sample, given);
    }
}

/// No setting takes a number that is infinite in f32, in which models compute, nor one that is 0 there where 0 is refused.
fn check_numbers<T: Family + ?Sized>(kind: &'static Kind<T>, sample: &Entry, given: &T::Given) {
    for (name, _) in kind.options {
        let with = |x: f64| {
            let sample = sample.clone();
            let entry = if name.is_empty() { sample.with_value(x) } else { sample.with_option(*name, x) };
            filled::<T>(&entry, given).map(drop)
        };
        for x in [1e300, -1e300, 1e39] {
            let Err(e) = with(x) else { panic!("{kind:?}: `{name}` = {x:e} is taken") };
            assert!(!e.to_string().contains("00000000"), "{kind:?}: {e}");
        }
        for x in [1e-300, 1e-50] {
            assert!(
                with(x).is_err() || with(0.0).is_ok(),
                "{kind:?}: `{name}` = {x:e} is taken, and 0 is not"
            );
        }
    }
}

/// That what an entry builds says the same entry again, and that this one builds what says it again.
///
/// # Panics
/// When it does not.
pub fn check_entry<T: Family + ?Sized>(entry: &Entry, given: &T::Given) {
    let (built, filled) = filled::<T>(entry, given).unwrap_or_else(|e| panic!("{entry}: {e}"));
    let said = T::entry_of(&built, given).unwrap_or_else(|| panic!("{entry}: it says no entry of its own"));
    assert!(said.agrees(&filled), "{entry}: it was built from {filled} and says {said}");
    let again = build::<T>(&said, given).unwrap_or_else(|e| panic!("{said}: {e}"));
    assert_eq!(T::entry_of(&again, given), Some(said), "{entry}");
}
