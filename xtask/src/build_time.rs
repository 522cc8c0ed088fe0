//! What a clean build costs, in CPU seconds: of the library alone, of the command, and of fifty more operations, which are
//! written for the measurement into a copy of the tree. CPU seconds are about the same on a busy machine.

use crate::new;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The limits in CPU seconds of the two clean builds, and of fifty operations.
const LIBRARY: f64 = 110.0;
const COMMAND: f64 = 170.0;
const OPERATIONS: (usize, f64) = (50, 10.0);

/// Builds all three from nothing, and fails where one is over its limit.
pub fn run(root: &Path) -> Result<String, String> {
    let work = root.join("target/build-time");
    let cleared = |folder: &Path| match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {e}", folder.display())),
        _ => Ok(()),
    };
    cleared(&work)?;
    let clean = |tree: &Path, args: &[&str]| {
        let target = work.join("target");
        cleared(&target)?;
        build(tree, &target, args)
    };
    let library = clean(root, &["-p", "mapsto", "--no-default-features"])?;
    let command = clean(root, &["-p", "mapsto-cli"])?;

    let tree = work.join("tree");
    copy(root, &tree)?;
    let tensor = ["-p", "mapsto-tensor"];
    let before = clean(&tree, &tensor)?;
    for i in 0..OPERATIONS.0 {
        operation(&tree, i)?;
    }
    let after = clean(&tree, &tensor)?;
    cleared(&work)?;

    let (count, most) = OPERATIONS;
    let rows = [
        ("library: -p mapsto --no-default-features".to_string(), library, LIBRARY),
        ("command: -p mapsto-cli".to_string(), command, COMMAND),
        (format!("{count} more operations ({before:.1} → {after:.1})"), after - before, most),
    ];
    let mut table = format!("{:48} {:>9} {:>9}\n", "clean build --release", "CPU s", "limit");
    for (name, seconds, limit) in &rows {
        let _ = writeln!(table, "{name:48} {seconds:>9.1} {limit:>9.1}");
    }
    match rows.iter().any(|(_, seconds, limit)| seconds > limit) {
        true => Err(format!("a build takes longer than its limit\n\n{table}")),
        false => Ok(table),
    }
}

/// The CPU seconds of a release build.
fn build(tree: &Path, target: &Path, args: &[&str]) -> Result<f64, String> {
    let before = spent()?;
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "--quiet"])
        .args(args)
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", target)
        .status()
        .map_err(|e| format!("cargo: {e}"))?;
    match status.success() {
        true => Ok(spent()? - before),
        false => Err(format!("`cargo build --release {}` fails", args.join(" "))),
    }
}

/// The CPU seconds of all processes that this one has started and that have ended, as Linux counts them.
fn spent() -> Result<f64, String> {
    let stat = fs::read_to_string("/proc/self/stat").map_err(|e| {
        format!(
            "/proc/self/stat: {e}\nhelp: build times are measured on Linux, which counts what processes took"
        )
    })?;
    // The name of the program, in parentheses, may hold spaces; the fields are counted behind it.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok());
    match (ticks(13), ticks(14)) {
        // In ticks of a hundredth of a second, on every processor that Rust's standard library knows.
        (Some(user), Some(system)) => Ok((user + system) / 100.0),
        _ => Err("/proc/self/stat has no times of children".to_string()),
    }
}

/// The files that git knows, and those that it does not ignore.
fn copy(root: &Path, tree: &Path) -> Result<(), String> {
    let list = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("git: {e}"))?;
    let names = String::from_utf8_lossy(&list.stdout);
    for name in names.split('\0').filter(|n| !n.is_empty() && root.join(n).is_file()) {
        let to = tree.join(name);
        let folder = to.parent().unwrap_or(tree);
        fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        fs::copy(root.join(name), &to).map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(())
}

/// An operation as a user would write it, from the template of `cargo xtask new op`; each computes something else.
fn operation(tree: &Path, i: usize) -> Result<(), String> {
    let name = format!("measured_{i:02}");
    new::write(tree, "op", &name)?;
    let path = tree.join(format!("crates/mapsto-tensor/src/ops/{name}.rs"));
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let body = format!("(x * R::from_f64({}.5)).tanh() * x.exp() + x.abs().sqrt()", i + 1);
    let filled = text.replace("        x // …", &format!("        {body}"));
    if filled == text {
        return Err("the template of an operation has no `x // …`, which stands for its formula".to_string());
    }
    fs::write(&path, filled).map_err(|e| format!("{}: {e}", path.display()))
}
