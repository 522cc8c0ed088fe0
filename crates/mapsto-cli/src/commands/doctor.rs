//! `mapsto doctor`: what this machine offers, and whether the installation computes and learns as it should.

use std::time::Instant;

use clap::Command;
use mapsto::nn::{Adam, Layer, Linear, Optimizer, bce_with_logits};
use mapsto::{
    Error, ErrorKind, MatmulPrecision, Operands, Result, Tensor, memory, tensor, train, with_matmul_precision,
};

use super::{Invocation, Overriding, Verb};
use crate::failure::Failure;
use crate::output::say;

/// The subcommand.
pub const VERB: Verb = Verb { name: "doctor", command, overriding: Overriding::None, run };

fn command(command: Command) -> Command {
    command
        .about("Show what this machine offers and check that training works on it")
        .after_help("Example:\n  mapsto doctor")
}

fn run(_: &Invocation) -> Result<(), Failure> {
    say!("mapsto       {}", env!("CARGO_PKG_VERSION"));
    say!("system       {} on {}", std::env::consts::OS, std::env::consts::ARCH);
    for (key, value) in mapsto::training::environment() {
        if key == "cpu" && value.str().is_some() {
            say!("processor    {}", value.str().unwrap_or_default());
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    say!("threads      {} in use, {cores} cores", mapsto::threads());
    say!("vectors      {:?}", mapsto::isa());
    if let Some((free, total)) = machine_memory() {
        say!("memory       {free:.1} GiB free of {total:.1} GiB");
    }
    for precision in MatmulPrecision::ALL {
        // A coarser precision is of use only where it leaves something out for speed.
        let name = match precision {
            MatmulPrecision::Highest => "matrices",
            MatmulPrecision::Bf16 => continue,
            _ if precision.operands() == Operands::Whole => continue,
            _ => &format!("  {precision}"),
        };
        let speed = || with_matmul_precision(precision, gemm_speed);
        let (one, all) = (mapsto::with_threads(1, speed), speed());
        say!("{name:<12} {one:.0} GFLOP/s on one thread, {all:.0} on {}", mapsto::threads());
    }
    self_test()?;
    Ok(())
}

/// The speed of a product of two 512 × 512 matrices, the best of several: 10⁹ operations a second.
fn gemm_speed() -> f64 {
    const N: usize = 512;
    let (a, b) = (Tensor::ones([N, N]), Tensor::ones([N, N]));
    let once = || {
        let start = Instant::now();
        let _ = std::hint::black_box(a.matmul(&b));
        start.elapsed().as_secs_f64()
    };
    let best = (0..8).map(|_| once()).fold(f64::INFINITY, f64::min);
    2e-9 * (N * N * N) as f64 / best
}

/// Trains XOR, the smallest thing that a single layer cannot learn, twice: it must be learnt, and to the same bits.
fn self_test() -> Result<()> {
    let start = Instant::now();
    let (first, second) = (xor(), xor());
    let seconds = start.elapsed().as_secs_f64();
    let learnt = first.iter().zip([0.0, 1.0, 1.0, 0.0]).all(|(p, target)| (p - target).abs() < 0.1);
    let failure = match (learnt, first == second) {
        (false, _) => format!("XOR was not learnt: {first:?}"),
        (true, false) => format!("the same seed gave different numbers: {first:?} and {second:?}"),
        (true, true) => {
            let kept = memory::stats().live_bytes;
            say!(
                "self-test    XOR learnt twice to the same bits in {:.0} ms, {kept} bytes left over",
                1e3 * seconds
            );
            return Ok(());
        }
    };
    Err(Error::new(ErrorKind::Model, failure)
        .help("this is a defect of mapsto or of this machine: please report it"))
}

fn xor() -> Vec<f32> {
    mapsto::seed(1);
    let x = tensor![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let y = tensor![[0.0], [1.0], [1.0], [0.0]];
    let mut net = mapsto::seq![Linear::new(2, 8), Tensor::tanh, Linear::new(8, 1)];
    let mut opt = Adam::new(0.05);
    for _ in 0..500 {
        let loss = train(|| bce_with_logits(&net.forward(&x), &y));
        opt.step(&mut net, loss.backward());
    }
    net.forward(&x).sigmoid().to_vec::<f32>()
}

/// Free and total memory in GiB, where the system tells them in a file.
fn machine_memory() -> Option<(f64, f64)> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let gib = |key: &str| -> Option<f64> {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1048576.0)
    };
    Some((gib("MemAvailable:")?, gib("MemTotal:")?))
}
