//! One protocol for every timing: warm up for a second, then samples of at least 20 ms for five seconds; the median counts.

use std::time::Instant;

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

/// Prints a line of the protocol: `mapsto NAME MEDIAN_MS MIN_MS`.
pub fn report(name: &str, (median, min): (f64, f64)) {
    println!("mapsto {name} {median:.5} {min:.5}");
}

/// The most memory the process has held, in MB; 0 where the system does not say.
pub fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM"));
    line.and_then(|l| l.split_whitespace().nth(1)).and_then(|k| k.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
