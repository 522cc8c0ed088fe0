//! `MAPSTO_DEBUG=ops`: every tensor operation on standard error, with its shapes, the time since the last one and its caller.

use std::io::Write as _;
use std::time::Instant;

use mapsto::trace::{self, TraceEvent};

/// Runs `body`, showing its operations where the environment asks for it.
///
/// The time of a line is that since the line before it: of the operation, and of whatever the program did around it.
pub fn traced<R>(body: impl FnOnce() -> R) -> R {
    if std::env::var("MAPSTO_DEBUG").is_ok_and(|what| what == "ops") {
        trace::with(printer(), body)
    } else {
        body()
    }
}

fn printer() -> impl FnMut(&TraceEvent<'_>) {
    let mut last = Instant::now();
    move |event| {
        let spent = last.elapsed();
        let inputs: Vec<String> = event.inputs.iter().map(|x| format!("{:?}", x.shape())).collect();
        let caller = event.caller;
        let place = format!("{}:{}", caller.file(), caller.line());
        // A reader that has left is no reason to stop.
        _ = writeln!(
            std::io::stderr(),
            "{:>10.1} µs  {:<16} {} → {:?}  {place}",
            1e6 * spent.as_secs_f64(),
            event.op,
            inputs.join(", "),
            event.output.shape()
        );
        last = Instant::now();
    }
}
