//! What went wrong, said so that it can be mended: one error type, its kinds, and the way programmer's mistakes are raised.

use crate::graph::NamedLayer;
use std::any::Any;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::Once;
use std::thread::LocalKey;

/// A result whose error is mapsto's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kinds of failure a caller may want to tell apart; each has its exit code in the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A wrong command, option or setting (exit code 2).
    Usage,
    /// Data that is missing, damaged or out of range (exit code 3).
    Data,
    /// A file that could not be read or written (exit code 3).
    Io,
    /// A model, a shape or a dtype that does not fit (exit code 4).
    Model,
    /// NaN or infinity where numbers were expected (exit code 5).
    NonFinite,
    /// Stopped by the user (exit code 130).
    Interrupted,
}

impl ErrorKind {
    /// The exit code of the command line for this kind.
    pub fn exit_code(self) -> i32 {
        match self {
            ErrorKind::Usage => 2,
            ErrorKind::Data | ErrorKind::Io => 3,
            ErrorKind::Model => 4,
            ErrorKind::NonFinite => 5,
            ErrorKind::Interrupted => 130,
        }
    }
}

/// What failed, where, and what would help.
///
/// ```
/// use mapsto_tensor::{Error, ErrorKind};
/// let e = Error::new(ErrorKind::Data, "label 12 is out of range 0..10").help("are the labels ids from 0?");
/// assert_eq!(e.to_string(), "label 12 is out of range 0..10\nhelp: are the labels ids from 0?");
/// assert_eq!(e.kind().exit_code(), 3);
/// ```
#[derive(Clone, PartialEq)]
pub struct Error(Box<Parts>);

#[derive(Clone, PartialEq)]
struct Parts {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    at: Option<String>,
    /// The parts of a program that were at work, the outermost first: `layer 2: Linear(9 → 2)`.
    inside: Vec<String>,
    /// The line that a programmer's mistake stands in.
    line: Option<&'static Location<'static>>,
    span: Option<std::ops::Range<usize>>,
}

impl Error {
    /// An error of a kind; the message is lower case, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        let message = message.into();
        Error(Box::new(Parts {
            kind,
            message,
            help: None,
            at: None,
            inside: Vec::new(),
            line: None,
            span: None,
        }))
    }

    /// A file that could not be read or written.
    pub fn io(path: impl AsRef<std::path::Path>, error: std::io::Error) -> Error {
        Error::new(ErrorKind::Io, format!("{}: {error}", path.as_ref().display()))
    }

    /// Adds what would help.
    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.0.help = Some(help.into());
        self
    }

    /// Adds where it happened, such as `mnist.toml:14:5`.
    pub fn at(mut self, location: impl Into<String>) -> Error {
        self.0.at = Some(location.into());
        self
    }

    /// Adds the part of a program in which it happened, such as a layer or a batch, around those already named.
    pub fn inside(mut self, part: impl Into<String>) -> Error {
        self.0.inside.insert(0, part.into());
        self
    }

    /// Adds the line of the program that it happened in, unless a line of the user's is known already: a line within
    /// mapsto or Rust's own library says nothing to a user, and gives way.
    pub fn on_line(mut self, line: &'static Location<'static>) -> Error {
        if self.0.line.is_none_or(is_library) {
            self.0.line = Some(line);
        }
        self
    }

    /// Adds the bytes of the source text that are at fault, unless a more precise place is already known.
    pub fn with_span(mut self, span: std::ops::Range<usize>) -> Error {
        self.0.span.get_or_insert(span);
        self
    }

    /// Puts a context before the message: `context: message`.
    pub fn context(mut self, context: impl fmt::Display) -> Error {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    /// The same in the name of another operation.
    fn of(mut self, op: &str) -> Error {
        if let Some((_, said)) = self.0.message.split_once(": ") {
            self.0.message = format!("{op}: {said}");
        }
        self
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message alone, without place and help.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What would help, if anything is known.
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// Where it happened, if known: a place in a file that was read, or the line of the program.
    pub fn location(&self) -> Option<Cow<'_, str>> {
        match (&self.0.at, self.0.line) {
            (Some(at), _) => Some(at.into()),
            (None, Some(line)) if !is_library(line) => Some(line.to_string().into()),
            _ => None,
        }
    }

    /// The parts of a program in which it happened, the outermost first.
    pub fn parts(&self) -> &[String] {
        &self.0.inside
    }

    /// The bytes of the source text that are at fault, if known.
    pub fn span(&self) -> Option<std::ops::Range<usize>> {
        self.0.span.clone()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.0.at {
            write!(f, "{at}: ")?;
        }
        f.write_str(&self.0.message)?;
        if !self.0.inside.is_empty() {
            write!(f, "\n  in {}", self.0.inside.join(" > "))?;
        }
        if let Some(help) = &self.0.help {
            write!(f, "\nhelp: {help}")?;
        }
        match self.0.line {
            Some(line) if !is_library(line) => write!(f, "\n  at {line}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Error {}

/// Whether a line belongs to mapsto's own sources or to Rust's library, and so tells a user nothing.
pub fn is_library(line: &Location<'_>) -> bool {
    // `.../mapsto-tensor/src/error.rs` or `.../mapsto-tensor-0.1.0/src/error.rs`: its siblings begin alike.
    const HERE: &str = file!();
    let file = line.file();
    let ours = HERE.rfind("mapsto-tensor").is_some_and(|end| {
        let (folder, rest) = (&HERE[..end], file.get(end..).unwrap_or_default());
        let inner = rest.find(['/', '\\']).map_or("", |slash| &rest[slash + 1..]);
        file.starts_with(folder) && rest.starts_with("mapsto") && inner.starts_with("src")
    });
    ours || file.starts_with("/rustc/") || file.contains("lib/rustlib/src") || file.starts_with("library/")
}

thread_local! {
    /// How many `catch`es are at work: every panic is theirs.
    static CATCHING: Cell<u32> = const { Cell::new(0) };
    /// How many `within`s and `mistakes` are at work: raised errors are theirs.
    static RELAYING: Cell<u32> = const { Cell::new(0) };
    /// The last error raised, and the text that its panic carries.
    static RAISED: RefCell<Option<(String, Error)>> = const { RefCell::new(None) };
}

/// Raises an error as a panic at the caller's line: for mistakes of the program, not of the world.
///
/// # Panics
/// Always; [`catch`] turns the panic back into the error.
#[track_caller]
pub fn raise(error: Error) -> ! {
    let place = Location::caller();
    let error = error.on_line(place);
    let mut text = error.to_string();
    if let Some(line) = error.0.line.filter(|line| is_library(line)) {
        text += &format!("\n  at {line}");
    }
    RAISED.with(|r| *r.borrow_mut() = Some((text.clone(), error)));
    panic::panic_any(text)
}

/// Whether a panic's payload is that of the error raised last. An older error may lie there, when others than mapsto
/// caught its panic.
fn is_raised(payload: &(dyn Any + Send)) -> bool {
    let text = payload.downcast_ref::<String>();
    RAISED.with(|r| r.try_borrow().is_ok_and(|r| r.as_ref().is_some_and(|(of, _)| Some(of) == text)))
}

/// The raised error that a panic carries, if it carries one.
fn take_raised(payload: &(dyn Any + Send)) -> Option<Error> {
    let mine = is_raised(payload);
    let last = RAISED.with(|r| r.borrow_mut().take());
    last.filter(|_| mine).map(|(_, error)| error)
}

/// Runs `body`, and keeps panics that will be turned into errors from being printed.
#[inline]
fn quietly<T>(
    counter: &'static LocalKey<Cell<u32>>,
    body: impl FnOnce() -> T,
) -> Result<T, Box<dyn Any + Send>> {
    let (mut body, mut made) = (Some(body), None);
    guarded(counter, &mut || made = body.take().map(|body| body()))?;
    Ok(made.expect("the body ran to its end"))
}

/// The same, compiled once for all bodies.
fn guarded(counter: &'static LocalKey<Cell<u32>>, body: &mut dyn FnMut()) -> Result<(), Box<dyn Any + Send>> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let relayed = RELAYING.with(Cell::get) > 0 && is_raised(info.payload());
            if CATCHING.with(Cell::get) == 0 && !relayed {
                before(info)
            }
        }));
    });
    counter.with(|c| c.set(c.get() + 1));
    let outcome = panic::catch_unwind(AssertUnwindSafe(body));
    counter.with(|c| c.set(c.get() - 1));
    outcome
}

/// Runs `body` as a part of the program that has a name: an error raised inside says that it happened `in` that part, and
/// at the caller's line where it knew only lines of mapsto.
///
/// ```
/// use mapsto_tensor::{error::within, prelude::*};
/// let e = catch(|| within(|| "layer 2".into(), || Tensor::ones([2, 3]).reshape([4]))).unwrap_err();
/// assert_eq!(e.parts(), ["layer 2"]);
/// ```
#[track_caller]
#[inline]
pub fn within<T>(name: impl Fn() -> String, body: impl FnOnce() -> T) -> T {
    let _layer = NamedLayer::enter(&name);
    retold(|error| error.inside(name()), body)
}

/// Runs `body`; an error raised inside names the caller's line where it knew only lines of mapsto. It stands around
/// closures of public functions, whose callers Rust does not hand on.
#[track_caller]
#[inline]
pub fn here<T>(body: impl FnOnce() -> T) -> T {
    retold(|error| error, body)
}

/// Runs `body`, the definition of an operation that is made of others: an error raised inside is told in its name and at the
/// caller's line.
#[track_caller]
#[inline]
pub fn named<T>(op: &str, body: impl FnOnce() -> T) -> T {
    retold(|error| error.of(op), body)
}

#[track_caller]
#[inline]
fn retold<T>(more: impl FnOnce(Error) -> Error, body: impl FnOnce() -> T) -> T {
    if cfg!(panic = "abort") {
        return body(); // nothing could be added after the panic, and its message must be printed at once
    }
    match quietly(&RELAYING, body) {
        Ok(value) => value,
        Err(payload) => raise(more(relayed(payload).on_line(Location::caller()))),
    }
}

/// The error that was raised; panics that are not mapsto's go on.
#[cold]
fn relayed(payload: Box<dyn Any + Send>) -> Error {
    take_raised(&*payload).unwrap_or_else(|| panic::resume_unwind(payload))
}

/// Runs `body` and returns an error raised inside as an error; panics that are not mapsto's go on.
///
/// # Errors
/// The error that was raised inside `body`.
pub fn mistakes<T>(body: impl FnOnce() -> T) -> Result<T> {
    quietly(&RELAYING, body).map_err(relayed)
}

/// Raises a model error: `fail!("matmul", "inner sizes differ: {a:?} × {b:?}"; help = "try `x.matmul(&w.t())`")`.
#[macro_export]
macro_rules! fail {
    ($op:expr, $($message:expr),+ ; help = $($help:expr),+) => {
        $crate::error::raise(
            $crate::Error::new($crate::ErrorKind::Model, format!("{}: {}", $op, format!($($message),+)))
                .help(format!($($help),+)))
    };
    ($op:expr, $($message:expr),+ $(,)?) => {
        $crate::error::raise(
            $crate::Error::new($crate::ErrorKind::Model, format!("{}: {}", $op, format!($($message),+))))
    };
}

/// Runs `body` and turns a panic inside it into an [`Error`]: for edges that must not die, such as servers.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let e = catch(|| Tensor::ones([2, 3]).reshape([4])).unwrap_err();
/// assert_eq!(e.message(), "reshape: [2, 3] has 6 elements, [4] has 4");
/// ```
/// # Errors
/// The error that was raised inside `body`, with its kind; any other panic as [`ErrorKind::Model`].
pub fn catch<T>(body: impl FnOnce() -> T) -> Result<T> {
    quietly(&CATCHING, body).map_err(|payload| {
        if let Some(error) = take_raised(&*payload) {
            return error;
        }
        let text = payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(|s| s.to_string()))
            .unwrap_or_else(|| "a panic without a message".into());
        Error::new(ErrorKind::Model, text)
    })
}

#[test]
#[allow(clippy::redundant_closure)] // a function passed by name has no caller's line
fn a_raised_error_names_the_callers_line_and_is_caught_whole() {
    #[track_caller]
    fn op() -> u8 {
        fail!("op", "{} and {} disagree", 1, 2; help = "make them equal")
    }
    let e = catch(|| op()).unwrap_err();
    assert_eq!(
        (e.message(), e.help_text(), e.kind()),
        ("op: 1 and 2 disagree", Some("make them equal"), ErrorKind::Model)
    );
    let text = panic::catch_unwind(|| op()).unwrap_err().downcast::<String>().unwrap();
    assert!(text.contains("error.rs:"), "{text}");
}

#[test]
fn an_error_that_others_caught_is_not_reported_later() {
    let _ = panic::catch_unwind(|| -> u8 { fail!("op", "an old mistake") });
    let e = catch(|| panic!("another cause")).unwrap_err();
    assert_eq!(e.message(), "another cause");
}

#[test]
fn a_part_is_named_around_the_parts_inside_it() {
    let inner = || within(|| "layer 2".into(), || -> u8 { fail!("op", "wrong"; help = "do it right") });
    let e = catch(|| within(|| "block 1".into(), inner)).unwrap_err();
    assert_eq!(e.to_string(), "op: wrong\n  in block 1 > layer 2\nhelp: do it right");
    let foreign = panic::catch_unwind(|| within(|| "layer 2".into(), || -> u8 { panic!("not ours") }));
    assert_eq!(foreign.unwrap_err().downcast_ref::<&str>(), Some(&"not ours"));
    let renamed = catch(|| named("outer", || -> u8 { fail!("op", "wrong: {}", 1) })).unwrap_err();
    assert_eq!(renamed.message(), "outer: wrong: 1");
    assert_eq!(mistakes(|| -> u8 { fail!("op", "wrong") }).unwrap_err().message(), "op: wrong");
}
