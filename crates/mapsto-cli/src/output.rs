//! Standard output that may go away, and texts that may hold anything: what is printed cannot move the cursor, and what cannot
//! be printed is an error in the end. Remarks beside the results go to standard error.

use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use mapsto::{Error, Result};
use mapsto_experiment::printable;

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

/// Says beside the results what their reader should know.
pub fn remark(what: &str) {
    // Standard error may be closed; nothing is lost that a run needs.
    let _ = writeln!(io::stderr(), "note: {what}");
}

/// Says an error after which the work goes on.
pub fn complain(error: &Error) {
    let _ = writeln!(io::stderr(), "{}", crate::failure::Failure::from(error.clone()).text());
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
