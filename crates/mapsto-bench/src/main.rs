//! The benchmarks of mapsto: `cargo run --release -p mapsto-bench -- [check] [--threads N] NAME.. | all`.
//!
//! Each line is `mapsto NAME MEDIAN_MS MIN_MS` a step, by the protocol of `timing.rs`. Before anything is timed its
//! results are held to PyTorch's from the same weights; `check` does that and no more. `counts NAME N` does N steps of one
//! work untimed, for `cargo xtask counts`. `ops` measures single operations beside PyTorch, `products` matrix products of all
//! sizes, `table FILE TARGET` how long it takes to read a table (`benches/reading.py` runs it beside others).

mod bf16;
mod counts;
mod each;
mod epoch;
mod formula;
mod golden;
mod inference;
mod op;
mod ops;
mod product;
mod products;
mod table;
mod timing;
mod training;
mod watched;

use std::process::ExitCode;
use timing::Mode;

/// A workload: its name, what it is, and the function that runs it.
struct Workload {
    name: &'static str,
    doc: &'static str,
    run: fn(Mode),
}

const WORKLOADS: &[Workload] = &[
    Workload { name: "op", doc: "one operation on a scalar-sized tensor, recorded and not", run: op::run },
    Workload {
        name: "W1",
        doc: "XOR 2-4-1, tanh, sigmoid, BCE, batch 4, SGD 0.5: a training step",
        run: training::xor,
    },
    Workload { name: "W2", doc: "MLP 784-64-64-10, batch 64, Adam: a training step", run: training::mlp },
    Workload {
        name: "W2epoch",
        doc: "W2 over 60,000 rows, shuffled by the loader, loss read each step: an epoch",
        run: epoch::run,
    },
    Workload { name: "W2b1", doc: "inference of W2's network at batch 1", run: inference::mlp },
    Workload {
        name: "W3",
        doc: "CNN 1→32→64, 3×3, pooling, 3136-128-10, batch 64, Adam: a training step",
        run: training::cnn,
    },
    Workload {
        name: "W3watched",
        doc: "W3 by the trainer: bare, with its health looked at, and with all that every run has",
        run: watched::run,
    },
    Workload {
        name: "W4",
        doc: "embedding 10,000×128, LSTM 256, last state, 256-2, 32 sequences of 64, Adam: a training step",
        run: training::lstm,
    },
    Workload {
        name: "W5",
        doc: "GPT of 6 blocks, 6 heads, width 384, 8 texts of 256 characters, AdamW: a training step",
        run: training::gpt,
    },
    Workload {
        name: "W5high",
        doc: "W5 with the operands of its matrix products as sums of two bf16, where that is faster",
        run: training::gpt_high,
    },
    Workload {
        name: "W5bf16",
        doc: "W5 with the operands of its matrix products rounded to bf16",
        run: bf16::run,
    },
    Workload {
        name: "W6b1",
        doc: "inference of ResNet-18, one image of 224×224",
        run: inference::resnet_one,
    },
    Workload { name: "W6b16", doc: "likewise of 16 images", run: inference::resnet_sixteen },
    Workload { name: "each", doc: "gradients of each sample, beside a loop over samples", run: each::run },
    Workload { name: "W7", doc: "matrix products, 64³ to 2048³ and 64×784×64", run: product::run },
];

fn main() -> ExitCode {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if let ["counts", name, n] = names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        let counted = n.parse().is_ok_and(|n| counts::run(name, n));
        return if counted { ExitCode::SUCCESS } else { usage("`counts` wants a name and a number") };
    }
    if names.first().is_some_and(|n| n == "ops") {
        return ops::main(&names[1..]);
    }
    if let ["table", path, target] = names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return table::run(path, target);
    }
    if names.first().is_some_and(|n| n == "products") {
        return products::main(&names[1..]);
    }
    let mut threads = 2;
    if let Some(i) = names.iter().position(|a| a == "--threads") {
        match names.get(i + 1).and_then(|n| n.parse().ok()) {
            Some(n) => threads = n,
            None => return usage("`--threads` wants a number"),
        }
        names.drain(i..i + 2);
    }
    let mut mode = if std::env::var_os("BENCH_FIRST").is_some() { Mode::First } else { Mode::Time };
    if names.first().is_some_and(|n| n == "check") {
        names.remove(0);
        mode = Mode::Check;
    }
    let all = names.iter().any(|n| n == "all");
    if let Some(unknown) = names.iter().find(|n| *n != "all" && WORKLOADS.iter().all(|w| w.name != *n)) {
        return usage(&format!("no workload is called `{unknown}`"));
    }
    if names.is_empty() {
        return usage("which workload?");
    }
    mapsto::set_threads(threads);
    WORKLOADS.iter().filter(|w| all || names.iter().any(|n| n == w.name)).for_each(|w| (w.run)(mode));
    ExitCode::SUCCESS
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("{problem}\n\nusage: mapsto-bench [check] [--threads N] NAME.. | all\n");
    WORKLOADS.iter().for_each(|w| eprintln!("  {:8} {}", w.name, w.doc));
    ExitCode::from(2)
}
