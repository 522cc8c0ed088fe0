//! `cargo xtask miri`: the unsafe code of the kernels and of the tensor's storage under Miri, on the portable path, with
//! small sizes.
//!
//! Miri needs a nightly toolchain with its component and the standard library's source; it needs no network once it is
//! set up (`rustup component add --toolchain nightly miri rust-src && cargo +nightly miri setup`).

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const KERNELS: &str = "mapsto-kernels";
const TENSOR: &str = "mapsto-tensor";

/// What is run: a crate, a kind of target, and which of its tests. Each is short enough for the interpreter.
const PARTS: &[(&str, &[&str])] = &[
    (KERNELS, &["--test", "payloads"]),
    (KERNELS, &["--test", "small", "the_pool"]),
    (KERNELS, &["--test", "small", "products_in_place"]),
    (KERNELS, &["--test", "small", "products_in_panels"]),
    (KERNELS, &["--test", "small", "direct_convolutions"]),
    (KERNELS, &["--test", "small", "winograds_convolution"]),
    (KERNELS, &["--test", "small", "attention"]),
    (KERNELS, &["--test", "small", "recurrent"]),
    (TENSOR, &["--lib", "storage::"]),
    (TENSOR, &["--lib", "tensor::"]),
    (KERNELS, &["--test", "windowed", "random_shapes"]),
];

/// Both models of who may use a pointer.
const MODELS: [(&str, &str); 2] = [("tree borrows", " -Zmiri-tree-borrows"), ("stacked borrows", "")];

/// How a part ended.
enum Found {
    Passed(usize),
    Failed(String),
    NoTime,
}

/// Runs every part until the time is over; a table of what ran, in which time, and with which result.
pub fn run(root: &Path, limit: Option<Duration>) -> Result<String, String> {
    if !available(root) {
        return Ok(
            "Miri did not run: no nightly toolchain with Miri and the library's source is installed here\n\
                   help: rustup component add --toolchain nightly miri rust-src\n"
                .into(),
        );
    }
    let (start, mut rows, mut failures) = (Instant::now(), Vec::new(), String::new());
    for &(package, args) in PARTS {
        for (name, model) in MODELS {
            let what = format!("{package} {} under {name}", args.join(" "));
            let left = limit.map(|limit| limit.saturating_sub(start.elapsed()));
            let began = Instant::now();
            let found = match left {
                Some(left) if left < Duration::from_secs(20) => Found::NoTime,
                left => part(root, package, args, model, left)?,
            };
            if let Found::Failed(text) = &found {
                failures += &format!("{what}\n{text}\n");
            }
            let row = row(&what, &found, began.elapsed());
            eprint!("{row}");
            rows.push((row, found));
        }
    }
    let of = |count: fn(&Found) -> usize| rows.iter().map(|(_, found)| count(found)).sum::<usize>();
    let mut table = format!("{:66} {:>6} {:>7}  result\n", "part", "tests", "seconds");
    rows.iter().for_each(|(row, _)| table += row);
    table += &format!(
        "Miri: {} tests passed in {} of {} parts, {} parts failed, {} had no time left ({} s)\n",
        of(|found| if let Found::Passed(count) = found { *count } else { 0 }),
        of(|found| matches!(found, Found::Passed(_)) as usize),
        rows.len(),
        of(|found| matches!(found, Found::Failed(_)) as usize),
        of(|found| matches!(found, Found::NoTime) as usize),
        start.elapsed().as_secs()
    );
    match failures.is_empty() {
        true => Ok(table),
        false => Err(format!("{failures}\n{table}")),
    }
}

/// A line of the table.
fn row(what: &str, found: &Found, time: Duration) -> String {
    let (tests, result) = match found {
        Found::Passed(count) => (count.to_string(), "passed"),
        Found::Failed(_) => ("-".into(), "FAILED"),
        Found::NoTime => ("-".into(), "no result, the time is over"),
    };
    format!("{what:66} {tests:>6} {:>7}  {result}\n", time.as_secs())
}

fn available(root: &Path) -> bool {
    let setup = Command::new("cargo").args(["+nightly", "miri", "setup"]).current_dir(root).output();
    setup.is_ok_and(|output| output.status.success())
}

/// One run.
fn part(
    root: &Path,
    package: &str,
    args: &[&str],
    model: &str,
    left: Option<Duration>,
) -> Result<Found, String> {
    let mut command = match left {
        Some(left) => {
            let mut command = Command::new("timeout");
            command.arg(left.as_secs().to_string()).arg("cargo");
            command
        }
        None => Command::new("cargo"),
    };
    // The pool's threads never end, and what they hold is not a leak.
    command.env("MIRIFLAGS", format!("-Zmiri-disable-isolation -Zmiri-ignore-leaks{model}"));
    command.args(["+nightly", "miri", "test", "--quiet", "-p", package]).args(args).current_dir(root);
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let what = format!("{package} {}", args.join(" "));
    match output.status.code() {
        Some(0) => match passed(&text) {
            0 => Err(format!("{what}: no test has that name")),
            count => Ok(Found::Passed(count)),
        },
        Some(124) if left.is_some() => Ok(Found::NoTime),
        _ => Ok(Found::Failed(format!("{text}{}", String::from_utf8_lossy(&output.stderr)))),
    }
}

/// How many tests passed, by what the test programs say.
fn passed(text: &str) -> usize {
    let count = |line: &str| line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse::<usize>().ok();
    text.lines().filter_map(count).sum()
}

#[test]
fn passed_tests_are_counted() {
    assert_eq!(passed("\ntest result: ok. 3 passed; 0 failed\ntest result: ok. 4 passed; 0 failed"), 7);
    assert_eq!(passed("running 0 tests"), 0);
}

#[test]
fn a_row_says_how_a_part_ended() {
    let row = |found| row("kernels under tree borrows", &found, Duration::from_secs(61));
    assert!(row(Found::Passed(3)).ends_with("      3      61  passed\n"));
    assert!(row(Found::Failed("it broke".into())).ends_with("      -      61  FAILED\n"));
    assert_eq!(row(Found::NoTime).find("      -"), row(Found::Passed(3)).find("      3"));
}
