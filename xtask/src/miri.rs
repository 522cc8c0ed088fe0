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

/// Runs every part until the time is over; says what ran, what had no time left, and how many tests passed.
pub fn run(root: &Path, limit: Option<Duration>) -> Result<String, String> {
    if !available(root) {
        return Ok(
            "Miri did not run: no nightly toolchain with Miri and the library's source is installed here\n\
                   help: rustup component add --toolchain nightly miri rust-src\n"
                .into(),
        );
    }
    let (start, mut report, mut passed, mut left_out) = (Instant::now(), String::new(), 0, 0);
    for &(package, args) in PARTS {
        for (name, model) in MODELS {
            let what = format!("{package} {} under {name}", args.join(" "));
            let left = limit.map(|limit| limit.saturating_sub(start.elapsed()));
            let began = Instant::now();
            let found = match left {
                Some(left) if left < Duration::from_secs(20) => None,
                left => part(root, package, args, model, left)?,
            };
            let said = match found {
                Some(count) => {
                    passed += count;
                    format!("{count} passed ({} s)", began.elapsed().as_secs())
                }
                None => {
                    left_out += 1;
                    "no result, the time is over".into()
                }
            };
            report += &format!("{what}: {said}\n");
            eprintln!("{what}: {said}");
        }
    }
    let of = PARTS.len() * MODELS.len();
    report += &format!(
        "Miri: {passed} tests passed in {} of {of} parts ({} s), none failed\n",
        of - left_out,
        start.elapsed().as_secs()
    );
    Ok(report)
}

fn available(root: &Path) -> bool {
    let setup = Command::new("cargo").args(["+nightly", "miri", "setup"]).current_dir(root).output();
    setup.is_ok_and(|output| output.status.success())
}

/// One run; the number of tests that passed, or none where the time ran out while none had failed.
fn part(
    root: &Path,
    package: &str,
    args: &[&str],
    model: &str,
    left: Option<Duration>,
) -> Result<Option<usize>, String> {
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
            count => Ok(Some(count)),
        },
        Some(124) if left.is_some() => Ok(None),
        _ => Err(format!("{what}\n{text}{}", String::from_utf8_lossy(&output.stderr))),
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
