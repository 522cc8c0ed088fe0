//! `cargo xtask bench --compare`: the benchmarks here and in every other framework that is installed, in turn.
//!
//! One process a measurement, and several rounds of all of them, so that noise hits all alike. Peers live in
//! `benches/peers`; those that cannot be imported or are not built are named, not timed.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How to use it.
const HELP: &str = "\
cargo xtask bench --compare [OPTIONS] [WORKLOAD..]

  WORKLOAD        W1 W2 W2epoch W2b1 W3 W4 W5 W5high W5bf16 W6b1 W6b16 W7; all of them if none is named
  --python PATH   the interpreter that has the peers (python3)
  --only A,B      peers whose names begin so, besides mapsto
  --rounds N      rounds of all peers, of whose medians the median counts (3)
  --secs N        seconds of samples a round (2)
  --threads N     threads (2)
  --prefix CMD    run each measurement by this command, such as \"taskset -c 0,1\"
";

/// Someone who does the work.
struct Peer {
    name: &'static str,
    by: By,
    workloads: &'static [&'static str],
}

/// What runs it.
enum By {
    /// This repository's own program.
    Mapsto,
    /// A script of `benches/peers` that needs these modules, the first of which gives the version.
    Python { script: &'static str, variant: &'static str, needs: &'static str },
    /// The program of `benches/peers/rust`; the crate whose version counts.
    Rust { library: &'static str, package: &'static str },
}

const fn torch(name: &'static str, variant: &'static str, workloads: &'static [&'static str]) -> Peer {
    Peer { name, by: By::Python { script: "torch_peer.py", variant, needs: "torch" }, workloads }
}

const ALL: &[&str] =
    &["W1", "W2", "W2epoch", "W2b1", "W3", "W4", "W5", "W5high", "W5bf16", "W6b1", "W6b16", "W7"];

const PEERS: &[Peer] = &[
    Peer { name: "mapsto", by: By::Mapsto, workloads: ALL },
    torch("torch-eager", "eager", &["W1", "W2", "W2epoch", "W2b1", "W3", "W4", "W5", "W6b1", "W6b16", "W7"]),
    torch("torch-fused", "fused", &["W1", "W2", "W2epoch", "W2b1", "W3", "W4", "W5", "W6b1", "W6b16"]),
    torch("torch-compile", "compile", &["W1", "W2", "W2b1", "W3", "W5", "W6b1", "W6b16"]),
    torch("torch-compile_cl", "compile_cl", &["W3", "W6b1", "W6b16"]),
    torch("torch-freeze_cl", "freeze_cl", &["W6b1", "W6b16"]),
    torch("torch-high", "high", &["W5high"]),
    torch("torch-bf16", "bf16", &["W5bf16"]),
    torch("torch-medium", "medium", &["W5bf16"]),
    Peer {
        name: "jax-jit",
        by: By::Python { script: "jax_peer.py", variant: "jit", needs: "jax, optax" },
        workloads: &["W1", "W2", "W2b1", "W3", "W4", "W5"],
    },
    Peer {
        name: "jax-scan",
        by: By::Python { script: "jax_peer.py", variant: "scan", needs: "jax, optax" },
        workloads: &["W1", "W2"],
    },
    Peer {
        name: "tensorflow-function",
        by: By::Python { script: "tensorflow_peer.py", variant: "function", needs: "tensorflow, keras" },
        workloads: &["W1", "W2", "W3", "W4", "W5"],
    },
    Peer {
        name: "onnxruntime",
        by: By::Python { script: "onnxruntime_peer.py", variant: "", needs: "onnxruntime, onnx, torch" },
        workloads: &["W2b1", "W6b1", "W6b16"],
    },
    Peer {
        name: "numpy",
        by: By::Python { script: "numpy_peer.py", variant: "", needs: "numpy" },
        workloads: &["W7"],
    },
    Peer {
        name: "candle",
        by: By::Rust { library: "candle", package: "candle-core" },
        workloads: &["W1", "W2", "W3"],
    },
    Peer { name: "gemm", by: By::Rust { library: "gemm", package: "gemm" }, workloads: &["W7"] },
    Peer { name: "faer", by: By::Rust { library: "faer", package: "faer" }, workloads: &["W7"] },
];

struct Options {
    workloads: Vec<String>,
    python: String,
    only: Vec<String>,
    rounds: usize,
    seconds: String,
    threads: String,
    prefix: Vec<String>,
}

impl Options {
    fn read(args: &[&str]) -> Result<Options, String> {
        let mut options = Options {
            workloads: Vec::new(),
            python: "python3".into(),
            only: Vec::new(),
            rounds: 3,
            seconds: "2".into(),
            threads: "2".into(),
            prefix: Vec::new(),
        };
        let mut args = args.iter();
        while let Some(&arg) = args.next() {
            if arg == "--help" {
                return Err(HELP.into());
            }
            if !arg.starts_with('-') {
                if !ALL.contains(&arg) {
                    return Err(format!("no workload is called `{arg}`\n\n{HELP}"));
                }
                options.workloads.push(arg.into());
                continue;
            }
            let value = args.next().ok_or_else(|| format!("`{arg}` wants a value\n\n{HELP}"))?.to_string();
            match arg {
                "--python" => options.python = value,
                "--only" => options.only = value.split(',').map(str::to_string).collect(),
                "--rounds" => options.rounds = number(arg, &value)?.max(1),
                "--secs" => options.seconds = value,
                "--threads" => options.threads = value,
                "--prefix" => options.prefix = value.split_whitespace().map(str::to_string).collect(),
                _ => return Err(format!("no option is called `{arg}`\n\n{HELP}")),
            }
        }
        if options.workloads.is_empty() {
            options.workloads = ALL.iter().map(|w| w.to_string()).collect();
        }
        Ok(options)
    }
}

fn number(option: &str, value: &str) -> Result<usize, String> {
    value.parse().map_err(|_| format!("`{option}` wants a number, not `{value}`"))
}

/// What one process measured: lines of name, median and minimum in ms, and the most memory it held.
struct Measured {
    lines: Vec<(String, f64, f64)>,
    peak_mb: f64,
}

/// A row of the table as it grows: a workload of a peer.
struct Row {
    workload: String,
    peer: &'static str,
    medians: Vec<f64>,
    minimum: f64,
    peak_mb: f64,
}

/// Runs the comparison and gives its table.
pub fn run(root: &Path, args: &[&str]) -> Result<String, String> {
    let options = Options::read(args)?;
    build(root)?;
    let mut notes = String::new();
    let mut peers = Vec::new();
    for peer in PEERS {
        let wanted = matches!(peer.by, By::Mapsto)
            || options.only.is_empty()
            || options.only.iter().any(|o| peer.name.starts_with(o.as_str()));
        if !wanted || !peer.workloads.iter().any(|w| options.workloads.iter().any(|o| o == w)) {
            continue;
        }
        match version(root, &options, &peer.by) {
            Some(version) => {
                let _ = writeln!(notes, "* {} {version}", peer.name);
                peers.push(peer);
            }
            None => {
                let _ = writeln!(notes, "* {}: not installed", peer.name);
            }
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    for workload in &options.workloads {
        let mut able: Vec<&Peer> =
            peers.iter().copied().filter(|p| p.workloads.contains(&workload.as_str())).collect();
        for round in 1..=options.rounds {
            able.retain(|peer| {
                eprintln!("{workload}, round {round} of {}: {}", options.rounds, peer.name);
                match measure(root, &options, peer, workload) {
                    Ok(measured) => {
                        gather(&mut rows, peer.name, measured);
                        true
                    }
                    Err(message) => {
                        eprintln!("{message}");
                        let _ = writeln!(notes, "* {} failed at {workload}: {message}", peer.name);
                        false
                    }
                }
            });
        }
    }
    Ok(format!("{}\n{}\n{notes}", machine(root, &options), table(&rows)))
}

fn gather(rows: &mut Vec<Row>, peer: &'static str, measured: Measured) {
    let several = measured.lines.len() > 1;
    for (workload, median, minimum) in measured.lines {
        let at = rows.iter().position(|r| r.workload == workload && r.peer == peer).unwrap_or_else(|| {
            rows.push(Row { workload, peer, medians: Vec::new(), minimum: f64::INFINITY, peak_mb: 0.0 });
            rows.len() - 1
        });
        let row = &mut rows[at];
        row.medians.push(median);
        row.minimum = row.minimum.min(minimum);
        // One process that did several sizes held what the largest needs.
        row.peak_mb = if several { 0.0 } else { row.peak_mb.max(measured.peak_mb) };
    }
}

/// A table in Markdown, in the order in which workloads were first measured.
fn table(rows: &[Row]) -> String {
    let mut names: Vec<&str> = Vec::new();
    rows.iter().for_each(|r| {
        if !names.contains(&r.workload.as_str()) {
            names.push(&r.workload);
        }
    });
    let mut text = String::from(
        "| | | median, ms | minimum, ms | × mapsto's median | GFLOP/s | peak memory, MB |\n|---|---|---|---|---|---|---|\n",
    );
    for name in names {
        let of: Vec<&Row> = rows.iter().filter(|r| r.workload == name).collect();
        let ours = of.iter().find(|r| r.peer == "mapsto").map(|r| median(&r.medians));
        for row in of {
            let ms = median(&row.medians);
            let ratio = ours.map_or(String::new(), |o| format!("{:.2}", ms / o));
            let rate = operations(name).map_or(String::new(), |n| format!("{:.0}", n * 1e-6 / ms));
            let peak = if row.peak_mb > 0.0 { format!("{:.0}", row.peak_mb) } else { String::new() };
            let Row { workload, peer, minimum, .. } = row;
            let _ = writeln!(
                text,
                "| {workload} | {peer} | {ms:.4} | {minimum:.4} | {ratio} | {rate} | {peak} |"
            );
        }
    }
    text
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The multiplications and additions of `W7_64x784x64`.
fn operations(workload: &str) -> Option<f64> {
    let mut sizes = workload.strip_prefix("W7_")?.split('x').map(|n| n.parse::<f64>().ok());
    sizes.try_fold(2.0, |product, n| n.map(|n| product * n))
}

fn measure(root: &Path, options: &Options, peer: &Peer, workload: &str) -> Result<Measured, String> {
    let program: Vec<String> = match &peer.by {
        By::Mapsto => {
            let path = target(root).join("release/mapsto-bench").display().to_string();
            vec![path, "--threads".into(), options.threads.clone(), workload.into()]
        }
        By::Python { script, variant, .. } => {
            let path = root.join("benches/peers").join(script).display().to_string();
            let variant = (!variant.is_empty()).then(|| variant.to_string());
            [options.python.clone(), path, workload.into()].into_iter().chain(variant).collect()
        }
        By::Rust { library, .. } => {
            vec![rust_peers(root).display().to_string(), library.to_string(), workload.into()]
        }
    };
    let words: Vec<&String> = options.prefix.iter().chain(&program).collect();
    let out = Command::new(words[0])
        .args(&words[1..])
        .current_dir(root)
        .env("BENCH_SECS", &options.seconds)
        .env("BENCH_WARM", "0.5")
        .env("THREADS", &options.threads)
        .env("RAYON_NUM_THREADS", &options.threads)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("RUST_BACKTRACE", "0")
        .output()
        .map_err(|e| format!("{}: {e}", words[0]))?;
    let (text, errors) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    let lines: Vec<(String, f64, f64)> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            Some((words.next()?.to_string(), words.next()?.parse().ok()?, words.next()?.parse().ok()?))
        })
        .collect();
    if !out.status.success() || lines.is_empty() {
        let why = errors.lines().rfind(|l| !l.starts_with("note:") && !l.is_empty());
        return Err(why.unwrap_or("no output").to_string());
    }
    let peak = |line: &str| line.split_once("peak memory ")?.1.strip_suffix(" MB")?.parse::<f64>().ok();
    Ok(Measured { lines, peak_mb: errors.lines().filter_map(peak).fold(0.0, f64::max) })
}

/// The version of a peer, if it is there.
fn version(root: &Path, options: &Options, by: &By) -> Option<String> {
    match by {
        By::Mapsto => {
            let describe =
                Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(root).output();
            Some(String::from_utf8_lossy(&describe.ok()?.stdout).trim().to_string())
        }
        By::Python { needs, .. } => {
            let first = needs.split(',').next()?;
            let code = format!("import {needs}; print({first}.__version__)");
            let out = Command::new(&options.python).args(["-W", "ignore", "-c", &code]).output().ok()?;
            out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_string())
        }
        By::Rust { package, .. } => {
            let lock = std::fs::read_to_string(root.join("benches/peers/rust/Cargo.lock")).ok()?;
            let version =
                lock.split_once(&format!("name = \"{package}\"\nversion = \""))?.1.split('"').next()?;
            rust_peers(root).exists().then(|| version.to_string())
        }
    }
}

fn rust_peers(root: &Path) -> PathBuf {
    root.join("benches/peers/rust/target/release/mapsto-peers")
}

fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

fn build(root: &Path) -> Result<(), String> {
    let build = ["build", "--release", "--locked", "--quiet", "-p", "mapsto-bench"];
    match Command::new("cargo").args(build).current_dir(root).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("the benchmarks do not build".into()),
        Err(e) => Err(format!("cargo: {e}")),
    }
}

/// A line about the machine and the protocol.
fn machine(root: &Path, options: &Options) -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|l| l.strip_prefix("model name")?.split_once(':'))
        .map_or("", |(_, m)| m.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rustc = Command::new("rustc").arg("--version").current_dir(root).output();
    let rustc = rustc.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_string()).unwrap_or_default();
    format!(
        "{model}, {cores} cores, {} threads, {rustc}; {} rounds of {} s each, medians of the rounds' medians.\n",
        options.threads, options.rounds, options.seconds
    )
}

#[test]
fn a_table_compares_with_our_median() {
    let mut rows = Vec::new();
    let line = |ms: f64| Measured { lines: vec![("W7_10x10x10".into(), ms, ms / 2.0)], peak_mb: 8.4 };
    [1.0, 3.0, 2.0].into_iter().for_each(|ms| gather(&mut rows, "mapsto", line(ms)));
    gather(&mut rows, "numpy", line(5.0));
    let text = table(&rows);
    assert!(text.contains("| W7_10x10x10 | mapsto | 2.0000 | 0.5000 | 1.00 | 0 | 8 |"), "{text}");
    assert!(text.contains("| W7_10x10x10 | numpy | 5.0000 | 2.5000 | 2.50 | 0 | 8 |"), "{text}");
    assert_eq!(operations("W7_64x784x64"), Some(2.0 * 64.0 * 784.0 * 64.0));
    assert!(Options::read(&["W9"]).err().expect("an error").contains("no workload is called `W9`"));
}
