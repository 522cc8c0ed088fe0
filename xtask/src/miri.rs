//! `cargo xtask miri`: the unsafe code of the kernels under Miri, on the portable path, with small sizes.
//!
//! Miri needs a nightly toolchain with its component and the standard library's source; it needs no network once it is
//! set up (`rustup component add --toolchain nightly miri rust-src && cargo +nightly miri setup`).

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// What is run: a crate, a kind of target, and which of its tests. Each pair is short enough for the interpreter.
const PARTS: [(&str, &[&str]); 3] = [
    ("mapsto-kernels", &["--test", "small"]),
    ("mapsto-kernels", &["--test", "payloads"]),
    ("mapsto-kernels", &["--test", "windowed", "random_shapes"]),
];

/// Runs every part until the time is over; says what ran, and what had no time left.
pub fn run(root: &Path, limit: Option<Duration>) -> Result<String, String> {
    if !available(root) {
        return Ok(
            "Miri did not run: no nightly toolchain with Miri and the library's source is installed here\n\
                   help: rustup component add --toolchain nightly miri rust-src\n"
                .into(),
        );
    }
    let (start, mut report) = (Instant::now(), String::new());
    for (name, model) in [("stacked borrows", ""), ("tree borrows", " -Zmiri-tree-borrows")] {
        for (package, args) in PARTS {
            let what = format!("{package} {} under {name}", args.join(" "));
            let left = limit.map(|limit| limit.saturating_sub(start.elapsed()));
            if left.is_some_and(|left| left < Duration::from_secs(30)) {
                report += &format!("{what}: not run, the time is over\n");
                continue;
            }
            report += &format!("{what}: {}\n", part(root, package, args, model, left)?);
        }
    }
    Ok(report)
}

fn available(root: &Path) -> bool {
    let setup = Command::new("cargo").args(["+nightly", "miri", "setup"]).current_dir(root).output();
    setup.is_ok_and(|output| output.status.success())
}

/// One run; the number of tests that passed, or that the time ran out while none had failed.
fn part(
    root: &Path,
    package: &str,
    args: &[&str],
    model: &str,
    left: Option<Duration>,
) -> Result<String, String> {
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
    match output.status.code() {
        Some(0) => {
            let words = text.lines().filter(|line| line.starts_with("test result"));
            Ok(words.collect::<Vec<_>>().join(", "))
        }
        Some(124) if left.is_some() => Ok("stopped, the time is over; nothing was found until then".into()),
        _ => Err(format!("{package} {}\n{text}{}", args.join(" "), String::from_utf8_lossy(&output.stderr))),
    }
}
