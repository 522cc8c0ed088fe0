//! Instructions of small work, counted by valgrind's callgrind and compared with those written down: the one measure of
//! speed that is the same on a busy machine.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Where the counts are written down, from the root.
const FILE: &str = "crates/mapsto-bench/counts.txt";
/// What a count may grow by, in percent.
const TOLERANCE: u64 = 10;
/// Steps of the shorter and of the longer run; their difference is free of the start and of the first step's allocations.
const STEPS: [u64; 2] = [200, 1200];
/// Likewise of the works whose steps are long. Their first steps differ: the pool fills, the optimizer begins its moments.
const LONG: [(&str, [u64; 2]); 2] = [("W2", [8, 24]), ("W3", [2, 4])];

/// Counts, and compares with the file.
pub fn compare(root: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(root.join(FILE)).map_err(|e| format!("{FILE}: {e}"))?;
    let known = read(&text)?;
    build(root)?;
    let (mut table, mut worse) = (String::new(), Vec::new());
    for (name, before) in known {
        let now = count(root, &name)?;
        let change = 100.0 * (now as f64 / before as f64 - 1.0);
        let _ = writeln!(table, "{name:20} {before:>8} → {now:>8}  {change:+.1} %");
        if now * 100 > before * (100 + TOLERANCE) {
            worse.push(name);
        }
    }
    match worse.is_empty() {
        true => Ok(table),
        false => Err(format!(
            "{} took more than {TOLERANCE} % more instructions than {FILE} says\n\n{table}\n\
             help: where that is the price of something, say of what in the commit, and run `cargo xtask counts --bless`",
            worse.join(" and ")
        )),
    }
}

/// Counts, and rewrites the file.
pub fn bless(root: &Path) -> Result<String, String> {
    let path = root.join(FILE);
    let old = std::fs::read_to_string(&path).map_err(|e| format!("{FILE}: {e}"))?;
    build(root)?;
    let mut text = format!(
        "# Instructions a step of small work, on one thread, by `mapsto-bench counts NAME N` ({} steps less {};\n\
         # W2 and W3 fewer).\n\
         # {}, {}. Valgrind 3.19 knows no AVX-512, so kernels run their AVX2 versions.\n\
         # `cargo xtask counts` fails where a count is more than {TOLERANCE} % larger.\n",
        STEPS[1],
        STEPS[0],
        version("rustc")?,
        version("valgrind")?
    );
    for (name, _) in read(&old)? {
        let _ = writeln!(text, "{name} {}", count(root, &name)?);
    }
    std::fs::write(&path, &text).map_err(|e| format!("{FILE}: {e}"))?;
    Ok(text)
}

fn read(text: &str) -> Result<Vec<(String, u64)>, String> {
    let line = |line: &str| {
        let (name, count) = line.split_once(' ')?;
        Some((name.to_string(), count.parse().ok()?))
    };
    text.lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| line(l).ok_or_else(|| format!("{FILE}: `{l}` is no name and count")))
        .collect()
}

fn build(root: &Path) -> Result<(), String> {
    let build = ["build", "--release", "--locked", "--quiet", "-p", "mapsto-bench"];
    let status = Command::new("cargo").args(build).current_dir(root).status();
    match status.map_err(|e| format!("cargo: {e}"))?.success() {
        true => Ok(()),
        false => Err("mapsto-bench does not build".to_string()),
    }
}

/// The instructions of a step.
fn count(root: &Path, name: &str) -> Result<u64, String> {
    let steps = LONG.iter().find(|(long, _)| *long == name).map_or(STEPS, |(_, steps)| *steps);
    let [few, many] = [total(root, name, steps[0])?, total(root, name, steps[1])?];
    many.checked_sub(few)
        .map(|n| n / (steps[1] - steps[0]))
        .filter(|&n| n > 0)
        .ok_or_else(|| format!("{name}: {few} instructions for {} steps, {many} for {}", steps[0], steps[1]))
}

fn total(root: &Path, name: &str, steps: u64) -> Result<u64, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(target.join("release/mapsto-bench"))
        .args(["counts", name, &steps.to_string()])
        .current_dir(root)
        .output()
        .map_err(|e| format!("valgrind: {e}\nhelp: install it, e.g. by `apt-get install valgrind`"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|l| l.split_once("Collected :")).map(|(_, n)| n.trim().parse());
    match (output.status.success(), collected) {
        (true, Some(Ok(n))) => Ok(n),
        _ => Err(format!("valgrind counted nothing for {name}:\n{said}")),
    }
}

fn version(program: &str) -> Result<String, String> {
    let output = Command::new(program).arg("--version").output().map_err(|e| format!("{program}: {e}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

#[test]
fn the_file_holds_names_and_counts() {
    assert_eq!(read("# why\nW1 42\n").unwrap(), [("W1".to_string(), 42)]);
    assert_eq!(read("W1").unwrap_err(), format!("{FILE}: `W1` is no name and count"));
}
