//! A range of bytes in a source file, so that an error found late can still point at its cause.

use std::ops::Range;

/// A half-open byte range `start..end` in the text of one file.
///
/// An error carries it (`error.with_span(span.into())`); [`Source::locate`](crate::Source::locate), which knows the
/// file, turns it into `file:line:column` with the line and a caret.
/// ```
/// # use mapsto_spec::Span;
/// assert_eq!(Span::from(4..10), Span::new(4, 10));
/// assert_eq!(std::ops::Range::from(Span::new(4, 10)).len(), 6);
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
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Span {
        Span { start: range.start, end: range.end }
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Range<usize> {
        span.start..span.end
    }
}
