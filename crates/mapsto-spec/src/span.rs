//! A range of bytes in a source file, so that an error found late can still point at its cause.

use std::fmt;

/// A half-open byte range `start..end` in the text of one file.
///
/// An error is given its span as a location (`error.at(span.to_string())`); [`Source::locate`](crate::Source::locate),
/// which knows the file, turns it into `file:line:column` with the line and a caret.
/// ```
/// # use mapsto_spec::Span;
/// let span = Span::new(4, 10);
/// assert_eq!(span.to_string(), "bytes 4..10");
/// assert_eq!(Span::parse("bytes 4..10"), Some(span));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes `start..end`.
    pub fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    /// Reads what `Display` writes, or nothing when `text` is some other location.
    pub fn parse(text: &str) -> Option<Span> {
        let (start, end) = text.strip_prefix("bytes ")?.split_once("..")?;
        Some(Span { start: start.parse().ok()?, end: end.parse().ok()? })
    }
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Span {
        Span { start: range.start, end: range.end }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {}..{}", self.start, self.end)
    }
}
