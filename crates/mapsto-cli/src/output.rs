//! Standard output that may go away, and texts that may hold anything: what is printed cannot move the cursor, and what cannot
//! be printed is an error in the end.

use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use mapsto::{Error, Result};

static CLOSED: AtomicBool = AtomicBool::new(false);
static FAILED: AtomicBool = AtomicBool::new(false);
static TERMINAL: OnceLock<bool> = OnceLock::new();

/// Prints a line, like `println!`, but survives `mapsto … | head`.
macro_rules! say {
    () => { $crate::output::line(format_args!("")) };
    ($($text:tt)*) => { $crate::output::line(format_args!($($text)*)) };
}
pub(crate) use say;

/// Writes one line to standard output unless its reader has gone.
///
/// A training run must not die, nor leave half a run folder, because somebody's pager was closed or the disk behind the output
/// is full; [`finish`] makes the latter a failure once the work is done.
pub fn line(text: fmt::Arguments<'_>) {
    if !CLOSED.load(Ordering::Relaxed) {
        let mut out = io::stdout().lock();
        // Asked while it is open: a terminal that was closed is none any more.
        TERMINAL.get_or_init(|| out.is_terminal());
        let text = printable(&text.to_string());
        note(writeln!(out, "{text}").and_then(|()| out.flush()));
    }
}

/// Remembers how writing to standard output went.
pub fn note(written: io::Result<()>) {
    let Err(e) = written else { return };
    CLOSED.store(true, Ordering::Relaxed);
    // A pipe whose reader has gone, or a terminal that was closed: nobody wanted to read on.
    if e.kind() != ErrorKind::BrokenPipe && TERMINAL.get() != Some(&true) {
        FAILED.store(true, Ordering::Relaxed);
        // The last resort may fail as well; there is nobody left to tell.
        let _ = writeln!(io::stderr(), "{}", Error::io("standard output", e));
    }
}

/// Whether all that was said could be written, or nobody wanted to read on.
///
/// # Errors
/// A write failed; the reason has been reported.
pub fn finish() -> Result<(), u8> {
    if FAILED.load(Ordering::Relaxed) { Err(mapsto::ErrorKind::Io.exit_code() as u8) } else { Ok(()) }
}

/// A text without control characters but for the ends of its lines.
pub fn printable(text: &str) -> String {
    escaped(text, |c| c != '\n' && is_control(c))
}

/// A name, such as that of a class or a file, on one line and without control characters.
pub fn plain(name: &str) -> String {
    escaped(name, is_control)
}

fn escaped(text: &str, must: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match must(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

/// Whether a terminal does something else with the character than show it: control characters, and those that turn the
/// direction of writing.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn nothing_that_is_printed_moves_the_cursor() {
    assert_eq!(
        plain("ö cat\u{1b}[2J\n\r\t\u{7}\u{9b}\u{202e}x"),
        "ö cat\\u{1b}[2J\\n\\r\\t\\u{7}\\u{9b}\\u{202e}x"
    );
    assert_eq!(printable("a\nb\u{1b}c → d"), "a\nb\\u{1b}c → d");
    assert!(
        (0..=0x10ffff).filter_map(char::from_u32).all(|c| !plain(&c.to_string()).contains(char::is_control))
    );
}
