//! Standard output that may go away: when the reader of a pipe has left, writing stops and the work goes on.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Prints a line, like `println!`, but survives `mapsto … | head`.
macro_rules! say {
    () => { $crate::output::line(format_args!("")) };
    ($($text:tt)*) => { $crate::output::line(format_args!($($text)*)) };
}
pub(crate) use say;

/// Writes one line to standard output unless its reader has gone.
///
/// A training run must not die, nor leave half a run folder, because somebody's pager was closed; any other failure to write
/// (a full disk) is reported once on standard error.
pub fn line(text: fmt::Arguments<'_>) {
    if CLOSED.load(Ordering::Relaxed) {
        return;
    }
    let mut out = std::io::stdout().lock();
    if let Err(e) = writeln!(out, "{text}").and_then(|()| out.flush()) {
        CLOSED.store(true, Ordering::Relaxed);
        if e.kind() != ErrorKind::BrokenPipe {
            // The last resort may fail as well; there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "standard output: {e}");
        }
    }
}
