//! A line of a registry: a name and how to build what it names.

use crate::{Args, Entry, nearest};
use mapsto_tensor::{Error, ErrorKind, Result};

/// One named way to build something; a registry is a list of these (`LAYERS`, `OPTIMIZERS`, …).
///
/// `build` is a function pointer whose type the registry chooses, usually from [`Args`](crate::Args) to a boxed thing.
/// ```
/// # use mapsto_spec::{find, Args, Entry, Kind};
/// type Shape = Kind<fn(&mut Args) -> mapsto_tensor::Result<f64>>;
/// const SQUARE: Shape = Kind { name: "square", doc: "A square of a given side.", build: |args| Ok(args.main::<f64>()?.powi(2)) };
/// const SHAPES: &[Shape] = &[SQUARE];
///
/// let entry = Entry::new("square").with_value(3_usize);
/// let kind = find("shape", SHAPES, &entry)?;
/// let mut args = Args::new("shape", &entry);
/// assert_eq!((kind.build)(&mut args)?, 9.0);
/// let error = find("shape", SHAPES, &Entry::new("sqaure")).err().unwrap();
/// assert!(error.to_string().contains("did you mean `square`?"));
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub struct Kind<F: 'static> {
    /// The name in files, on the command line and in messages.
    pub name: &'static str,
    /// One sentence on what it is.
    pub doc: &'static str,
    /// Builds it from the arguments of an entry.
    pub build: F,
}

/// The kind that an entry names.
///
/// `noun` is what the list is of ("layer", "loss"), for the message.
///
/// # Errors
/// When no kind has the entry's name: points at the entry, and offers the nearest name or else all of them.
pub fn find<'a, F>(noun: &str, kinds: &'a [Kind<F>], entry: &Entry) -> Result<&'a Kind<F>> {
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

/// How most registries build: from the arguments alone.
pub type Build<T> = fn(&mut Args) -> Result<T>;

/// What an entry names, built, and the entry with every default filled in.
///
/// # Errors
/// When the name or an option is unknown, or a value does not fit; the error points at its place.
pub fn build<T>(noun: &'static str, kinds: &[Kind<Build<T>>], entry: &Entry) -> Result<(T, Entry)> {
    let kind = find(noun, kinds, entry)?;
    let mut args = Args::new(noun, entry);
    let built = (kind.build)(&mut args)?;
    Ok((built, args.finish()?))
}
