//! The protocol: warm up, samples of at least 20 ms, the median and the minimum of them.

use std::time::Instant;

fn seconds(name: &str, default: f64) -> f64 {
    std::env::var(name).ok().and_then(|s| s.parse().ok()).unwrap_or(default)
}

/// Times `step` and prints `PEER WORKLOAD MEDIAN_MS MIN_MS`, with GFLOP/s where the number of operations is given.
pub fn report(peer: &str, workload: &str, operations: Option<f64>, mut step: impl FnMut()) {
    let (budget, warm) = (seconds("BENCH_SECS", 5.0), seconds("BENCH_WARM", 1.0));
    let start = Instant::now();
    let mut steps = 0;
    while steps < 3 || start.elapsed().as_secs_f64() < warm {
        step();
        steps += 1;
    }
    let together = (0.02 * steps as f64 / start.elapsed().as_secs_f64()).ceil().max(1.0) as usize;
    let mut samples = Vec::new();
    let start = Instant::now();
    while samples.len() < 5 || start.elapsed().as_secs_f64() < budget {
        let sample = Instant::now();
        (0..together).for_each(|_| step());
        samples.push(sample.elapsed().as_secs_f64() * 1e3 / together as f64);
    }
    samples.sort_by(f64::total_cmp);
    let (median, min) = (samples[samples.len() / 2], samples[0]);
    print!("{peer} {workload} {median:.5} {min:.5}");
    if let Some(n) = operations {
        print!(" GFLOP/s {:.1} {:.1}", n * 1e-6 / median, n * 1e-6 / min);
    }
    println!();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<f64>().ok());
    eprintln!("# {peer} {workload} peak memory {:.1} MB", peak.unwrap_or(0.0) / 1024.0);
}
