//! What went wrong, said so that it can be mended: one error type, its kinds, and the way programmer's mistakes are raised.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::Once;

/// A result whose error is mapsto's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kinds of failure a caller may want to tell apart; each has its exit code in the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    span: Option<std::ops::Range<usize>>,
}

impl Error {
    /// An error of a kind; the message is lower case, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Parts { kind, message: message.into(), help: None, at: None, span: None }))
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

    /// Where it happened, if known.
    pub fn location(&self) -> Option<&str> {
        self.0.at.as_deref()
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
        if let Some(help) = &self.0.help {
            write!(f, "\nhelp: {help}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Error {}

thread_local! {
    static CATCHING: Cell<u32> = const { Cell::new(0) };
    static RAISED: RefCell<Option<Error>> = const { RefCell::new(None) };
}

/// Raises an error as a panic at the caller's line: for mistakes of the program, not of the world.
///
/// # Panics
/// Always; [`catch`] turns the panic back into the error.
#[track_caller]
pub fn raise(error: Error) -> ! {
    let place = Location::caller();
    let text = format!("{error}\n  at {}:{}:{}", place.file(), place.line(), place.column());
    RAISED.with(|r| *r.borrow_mut() = Some(error));
    panic::panic_any(text)
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
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CATCHING.with(Cell::get) == 0 {
                before(info)
            }
        }));
    });
    CATCHING.with(|c| c.set(c.get() + 1));
    let outcome = panic::catch_unwind(AssertUnwindSafe(body));
    CATCHING.with(|c| c.set(c.get() - 1));
    outcome.map_err(|payload| {
        if let Some(error) = RAISED.with(|r| r.borrow_mut().take()) {
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
