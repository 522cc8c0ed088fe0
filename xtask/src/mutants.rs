//! `cargo xtask mutants`: operations are broken one at a time, and the tests of their files must notice.
//!
//! One build holds every mutant (`crates/mapsto-tensor/src/graph/mutant.rs`); each runs the tests of the file that its
//! operation stands in. A mutant that changed a number and passed them has survived. Those that cannot be told from the
//! original are listed, with the reason, in `crates/mapsto-tensor/mutants.txt`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const EQUIVALENT: &str = "crates/mapsto-tensor/mutants.txt";
/// A mutant that loops is stopped, and counts as noticed.
const LONGEST: Duration = Duration::from_secs(120);

#[derive(Clone, Debug, PartialEq)]
struct Mutant {
    file: String,
    /// `NAME:DOOR:FAULT`.
    id: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// A test failed.
    Noticed,
    /// A number was changed, and all tests passed.
    Survived,
    /// No test came by.
    NotReached,
}

/// Runs every mutant, or those of one operation, and reports the survivors.
pub fn run(root: &Path, only: Option<&str>) -> Result<String, String> {
    let tests = build(root)?;
    let mut mutants = list(&tests)?;
    mutants.retain(|m| only.is_none_or(|name| m.id.split(':').next() == Some(name)));
    let equivalent = equivalents(&std::fs::read_to_string(root.join(EQUIVALENT)).unwrap_or_default())?;
    let start = Instant::now();
    // `scaled` changes every number, so where it is not reached nothing at that door is.
    let (probes, rest): (Vec<_>, Vec<_>) = mutants.into_iter().partition(|m| m.id.ends_with(":scaled"));
    let mut fates = fates(&tests, &probes);
    let reached = |m: &Mutant, fates: &BTreeMap<String, Fate>| {
        let door = m.id.rsplit_once(':').map_or("", |(door, _)| door);
        fates.get(&format!("{door}:scaled")).is_some_and(|f| *f != Fate::NotReached)
    };
    let rest: Vec<Mutant> = rest.into_iter().filter(|m| reached(m, &fates)).collect();
    fates.extend(self::fates(&tests, &rest));
    let ids = |fate: Fate| fates.iter().filter(move |(_, f)| **f == fate).map(|(id, _)| id);
    let (known, new): (Vec<_>, Vec<_>) = ids(Fate::Survived).partition(|id| equivalent.contains_key(*id));
    let noticed = ids(Fate::Noticed).count();
    let mut text = format!(
        "{} mutants changed a number: {noticed} noticed, {} survived and are listed as equivalent, {} survived \
         ({} were not reached; {:.0} s)\n",
        noticed + known.len() + new.len(),
        known.len(),
        new.len(),
        ids(Fate::NotReached).count(),
        start.elapsed().as_secs_f64()
    );
    new.iter().for_each(|id| text += &format!("  survived: {id}\n"));
    if new.is_empty() { Ok(text) } else { Err(text) }
}

/// Builds the tests with all mutants in them, in a folder of their own, and finds the program.
fn build(root: &Path) -> Result<PathBuf, String> {
    let output = Command::new("cargo")
        .args(["test", "--locked", "-p", "mapsto-tensor", "--lib", "--no-run", "--message-format", "json"])
        .env("RUSTFLAGS", "--cfg mutants")
        .env("CARGO_TARGET_DIR", root.join("target/mutants"))
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cargo: {e}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let program = said.lines().rev().find_map(|line| {
        let rest = line.split_once("\"executable\":\"")?.1;
        Some(PathBuf::from(rest.split_once('"')?.0))
    });
    program.filter(|_| output.status.success()).ok_or_else(|| "the tests do not build".to_string())
}

fn list(tests: &Path) -> Result<Vec<Mutant>, String> {
    let output = Command::new(tests)
        .args(["graph::mutant::every_mutant", "--exact", "--nocapture"])
        .output()
        .map_err(|e| format!("{}: {e}", tests.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let mutants: Vec<Mutant> = said
        .lines()
        .filter_map(|line| {
            let (file, id) = line.split_once("mutant ")?.1.split_once(' ')?;
            Some(Mutant { file: file.into(), id: id.into() })
        })
        .collect();
    if mutants.is_empty() { Err("no mutants are listed".into()) } else { Ok(mutants) }
}

fn fates(tests: &Path, mutants: &[Mutant]) -> BTreeMap<String, Fate> {
    let (next, found) = (Mutex::new(mutants.iter().enumerate()), Mutex::new(BTreeMap::new()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (next, found) = (&next, &found);
            scope.spawn(move || {
                loop {
                    let Some((i, mutant)) = next.lock().expect("no panics").next() else { return };
                    let fate = fate(tests, mutant, worker);
                    found.lock().expect("no panics").insert(mutant.id.clone(), fate);
                    if (i + 1) % 200 == 0 {
                        eprintln!("{} of {} mutants", i + 1, mutants.len());
                    }
                }
            });
        }
    });
    found.into_inner().expect("no panics")
}

fn fate(tests: &Path, mutant: &Mutant, worker: usize) -> Fate {
    let mark = std::env::temp_dir().join(format!("mapsto-mutant-{}-{worker}", std::process::id()));
    let _ = std::fs::remove_file(&mark);
    let child = Command::new(tests)
        .args([&format!("ops::{}::", mutant.file), "--test-threads", "1"])
        .env("MAPSTO_MUTANT", &mutant.id)
        .env("MAPSTO_MUTANT_REACHED", &mark)
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return Fate::NotReached };
    let start = Instant::now();
    let passed = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status.success(),
            Ok(None) if start.elapsed() > LONGEST => {
                let _ = child.kill();
                let _ = child.wait();
                break false;
            }
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let reached = mark.exists();
    let _ = std::fs::remove_file(&mark);
    match (passed, reached) {
        (false, _) => Fate::Noticed,
        (true, true) => Fate::Survived,
        (true, false) => Fate::NotReached,
    }
}

/// The mutants that cannot be told from the original, each with its reason.
fn equivalents(text: &str) -> Result<BTreeMap<String, String>, String> {
    let line = |line: &str| {
        let (id, reason) = line.split_once(' ')?;
        (id.split(':').count() == 3 && !reason.trim().is_empty())
            .then(|| (id.to_string(), reason.to_string()))
    };
    text.lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty())
        .map(|l| line(l).ok_or_else(|| format!("{EQUIVALENT}: `{l}` is not a mutant and a reason")))
        .collect()
}

#[test]
fn an_equivalent_mutant_has_a_reason() {
    let known = equivalents("# why\na:kernel:last nobody reads it\n").unwrap();
    assert_eq!(known["a:kernel:last"], "nobody reads it");
    assert!(equivalents("a:kernel:last").is_err());
}
