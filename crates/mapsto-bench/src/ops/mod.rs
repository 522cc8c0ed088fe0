//! `mapsto-bench ops`: every operation, by dtype, size, layout and pass, beside PyTorch in the same run.
//!
//! The two take turns, sample by sample, and the minima count. A cell in which mapsto is slower is measured again with nine
//! rounds. Results are written down one by one, so that a run that was stopped goes on where it was.

mod cases;
mod cell;
mod cover;
pub mod peer;
pub mod table;

use cell::Cell;
use peer::Peer;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use table::{Row, Rows};

const USAGE: &str = "usage: mapsto-bench ops --python PYTHON [--out DIR] [--full] [--with TEXT]
                        [--threads N] [--secs S] [NAME..]

PYTHON has PyTorch (BENCHMARKS.md says how to install it). DIR (target/ops) gets results.tsv, table.md and map.svg; cells that are
in results.tsv already are not measured again. A NAME (`sum`, `sum/first`) picks cases; --full measures every cell of them
rather than a cover of all pairs, --with only those whose line holds the TEXT (`f32 | 1e6 | rows`); --secs stops after so many seconds.";

/// A sample takes at least this long.
const SAMPLE: Duration = Duration::from_millis(2);

struct Options {
    python: String,
    out: std::path::PathBuf,
    full: bool,
    with: String,
    threads: usize,
    secs: f64,
    names: Vec<String>,
}

fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options {
        python: String::new(),
        out: "target/ops".into(),
        full: false,
        with: String::new(),
        threads: 2,
        secs: f64::INFINITY,
        names: Vec::new(),
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} wants a value"));
        match arg.as_str() {
            "--python" => options.python = value()?.clone(),
            "--out" => options.out = value()?.into(),
            "--full" => options.full = true,
            "--with" => options.with = value()?.clone(),
            "--threads" => options.threads = value()?.parse().map_err(|_| "--threads wants a number")?,
            "--secs" => options.secs = value()?.parse().map_err(|_| "--secs wants a number")?,
            flag if flag.starts_with('-') => return Err(format!("no option is called {flag}")),
            name => options.names.push(name.to_string()),
        }
    }
    if options.python.is_empty() {
        return Err("--python is needed".into());
    }
    let is_known = |n: &String| cases::cases().any(|case| picks(n, case.name));
    match options.names.iter().find(|n| !is_known(n)) {
        Some(unknown) => Err(format!("no case is called {unknown}")),
        None => Ok(options),
    }
}

/// Whether a name given means this case: the case itself, or its kind for all ways to use it.
fn picks(name: &str, case: &str) -> bool {
    case == name || case.split('/').next() == Some(name)
}

/// Runs the command with the arguments after `ops`.
pub fn main(args: &[String]) -> ExitCode {
    let done = parse(args).map_err(|e| format!("{e}\n\n{USAGE}")).and_then(|options| measure(&options));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

fn measure(options: &Options) -> Result<(), String> {
    mapsto::set_threads(options.threads);
    let wanted =
        |case: &cases::Case| options.names.is_empty() || options.names.iter().any(|n| picks(n, case.name));
    let mut cells = cover::cells(wanted, options.full);
    cells.retain(|cell| cell.name().contains(&options.with));
    let mut rows = Rows::open(&options.out)?;
    let mut peer = Peer::start(&options.python, options.threads)?;
    let start = Instant::now();
    for (i, cell) in cells.iter().enumerate() {
        if start.elapsed().as_secs_f64() > options.secs {
            eprintln!("stopped after {i} of {} cells; the same command goes on", cells.len());
            break;
        }
        if rows.has(&cell.name()) {
            continue;
        }
        let row = compare(cell, &mut peer)?;
        eprintln!("{:4}/{} {row}", i + 1, cells.len());
        rows.push(row)?;
    }
    let mut measured = rows.of(|name| cells.iter().any(|cell| cell.name() == name));
    table::write("cells", &options.out, &mut measured)?;
    table::draw(&options.out, &measured)?;
    println!("{}", table::summary("cells", &measured));
    println!("{}, {}", options.out.join("table.md").display(), options.out.join("map.svg").display());
    Ok(())
}

/// Measures a cell on both sides.
fn compare(cell: &Cell, peer: &mut Peer) -> Result<Row, String> {
    let shape = match peer.prepare(cell)? {
        Ok(shape) => shape,
        Err(reason) => return Ok(Row::missing(cell.name(), reason)),
    };
    let work = cell.prepare();
    if shape != work.shape {
        return Err(format!("{}: mapsto's result is {:?}, PyTorch's {shape:?}", cell.name(), work.shape));
    }
    Ok(Row::measured(cell.name(), in_turn(&|| work.call(), peer)?))
}

/// The least microseconds a call, mapsto's and the peer's, of five rounds in which they take turns; of fourteen where mapsto
/// is slower.
pub fn in_turn(call: &dyn Fn(), peer: &mut Peer) -> Result<(f64, f64), String> {
    let calls = calls_of(call);
    let mut best = (f64::INFINITY, f64::INFINITY);
    let mut rounds = |n: usize| -> Result<f64, String> {
        for _ in 0..n {
            best.0 = best.0.min(sample(call, calls));
            best.1 = best.1.min(peer.sample()?);
            // The peer's threads spin a little while before they sleep.
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(best.1 / best.0)
    };
    if rounds(5)? < 0.9 {
        rounds(9)?;
    }
    Ok(best)
}

/// Microseconds a call.
fn sample(call: &dyn Fn(), calls: u32) -> f64 {
    let start = Instant::now();
    (0..calls).for_each(|_| call());
    start.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

/// How many calls a sample has, after some that warm up.
fn calls_of(call: &dyn Fn()) -> u32 {
    let mut calls = 1;
    loop {
        let took = sample(call, calls) * f64::from(calls) * 1e-6;
        if took > SAMPLE.as_secs_f64() || calls >= 1 << 14 {
            let fit = f64::from(calls) * SAMPLE.as_secs_f64() / took.max(1e-9);
            return (fit as u32 + 1).min(1 << 14);
        }
        calls *= 4;
    }
}
