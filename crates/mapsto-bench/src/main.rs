//! The benchmarks of mapsto: `cargo run --release -p mapsto-bench -- [--threads N] NAME.. | all`.
//!
//! Each line is `mapsto NAME MEDIAN_MS MIN_MS` a step, by the protocol of `timing.rs`.

mod epoch;
mod nets;
mod op;
mod recurrent;
mod timing;

/// A workload: its name, what it is, and the function that times it.
struct Workload {
    name: &'static str,
    doc: &'static str,
    run: fn(),
}

const WORKLOADS: &[Workload] = &[
    Workload { name: "op", doc: "one operation on a scalar-sized tensor, recorded and not", run: op::run },
    Workload {
        name: "W1",
        doc: "XOR 2-4-1, tanh, sigmoid, BCE, batch 4, SGD 0.5: a training step",
        run: nets::xor,
    },
    Workload { name: "W2", doc: "MLP 784-64-64-10, batch 64, Adam: a training step", run: nets::mlp },
    Workload {
        name: "W2epoch",
        doc: "W2 over 60,000 rows, shuffled by the loader, loss read each step: an epoch",
        run: epoch::run,
    },
    Workload { name: "W2b1", doc: "inference of W2's network at batch 1", run: nets::mlp_inference },
    Workload {
        name: "W3",
        doc: "CNN 1→32→64, 3×3, pooling, 3136-128-10, batch 64, Adam: a training step",
        run: nets::cnn,
    },
    Workload {
        name: "W4",
        doc: "embedding 10,000×128, LSTM 256, last state, 256-2, 32 sequences of 64, Adam: a training step",
        run: recurrent::lstm,
    },
];

fn main() -> std::process::ExitCode {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    let threads = match names.iter().position(|a| a == "--threads") {
        Some(i) if i + 1 < names.len() => {
            let n = names.remove(i + 1).parse().unwrap_or(2);
            names.remove(i);
            n
        }
        _ => 2,
    };
    mapsto::set_threads(threads);
    let all = names.iter().any(|n| n == "all");
    let chosen: Vec<&Workload> =
        WORKLOADS.iter().filter(|w| all || names.iter().any(|n| n == w.name)).collect();
    if chosen.is_empty() || (!all && chosen.len() < names.len()) {
        eprintln!("usage: mapsto-bench [--threads N] NAME.. | all\n");
        WORKLOADS.iter().for_each(|w| eprintln!("  {:8} {}", w.name, w.doc));
        return std::process::ExitCode::from(2);
    }
    chosen.iter().for_each(|w| (w.run)());
    std::process::ExitCode::SUCCESS
}
