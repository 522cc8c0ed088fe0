//! One protocol for every timing: warm up for a second, then samples of at least 20 ms for five seconds; the median counts.

use std::time::Instant;

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Check the results, then time the work.
    Time,
    /// Check the results only.
    Check,
    /// Say how long after the program's start the first step was done (`BENCH_FIRST=1`).
    First,
}

/// Seconds from the environment, so that a script can shorten a run.
fn seconds(name: &str, default: f64) -> f64 {
    std::env::var(name).ok().and_then(|s| s.parse().ok()).unwrap_or(default)
}

/// Times `step` and returns (median, minimum) in milliseconds a step.
pub fn time(mut step: impl FnMut()) -> (f64, f64) {
    let (budget, warm) = (seconds("BENCH_SECS", 5.0), seconds("BENCH_WARM", 1.0));
    let start = Instant::now();
    let mut steps = 0;
    while steps < 3 || start.elapsed().as_secs_f64() < warm {
        step();
        steps += 1;
    }
    let per = start.elapsed().as_secs_f64() / steps as f64;
    let batch = ((0.02 / per).ceil() as usize).max(1);
    let mut samples = Vec::new();
    let start = Instant::now();
    while samples.len() < 5 || start.elapsed().as_secs_f64() < budget {
        let sample = Instant::now();
        (0..batch).for_each(|_| step());
        samples.push(sample.elapsed().as_secs_f64() * 1e3 / batch as f64);
    }
    samples.sort_by(f64::total_cmp);
    (samples[samples.len() / 2], samples[0])
}

/// Prints a line of the protocol, `mapsto NAME MEDIAN_MS MIN_MS`, and on stderr the peak memory.
pub fn report(name: &str, (median, min): (f64, f64)) {
    println!("mapsto {name} {median:.5} {min:.5}");
    eprintln!("# mapsto {name} peak memory {:.1} MB", peak_mb());
}

/// Prints how long after the program's start a first step was done, and the peak memory.
pub fn report_first(name: &str) {
    println!("mapsto {name} first_step_ms {:.0} rss_MB {:.1}", age_ms(), peak_mb());
}

/// The most memory the process has held, in MB; 0 where the system does not say.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM"));
    line.and_then(|l| l.split_whitespace().nth(1)).and_then(|k| k.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Milliseconds since the process was started, to the system's ticks of 10 ms; 0 where the system does not say.
fn age_ms() -> f64 {
    let number = |path: &str, field: usize| -> Option<f64> {
        let text = std::fs::read_to_string(path).ok()?;
        // The program's name, in brackets, may hold spaces.
        let rest = text.rsplit(')').next()?;
        rest.split_whitespace().nth(field)?.parse().ok()
    };
    const TICKS: f64 = 100.0; // a second: fixed by Linux for everything it tells to programs
    match (number("/proc/uptime", 0), number("/proc/self/stat", 19)) {
        (Some(now), Some(start)) => (now - start / TICKS) * 1e3,
        _ => 0.0,
    }
}
