//! A run that is killed at any moment and resumed ends as one that was never killed: the same metrics, weights and files, to the bit.
//!
//! `cargo xtask kills` kills more often: the environment says how often (`MAPSTO_KILLS`) and from where the moments are drawn
//! (`MAPSTO_KILLS_SEED`, which a failure names).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mapsto::training::ModelFile;

use crate::check_cli::Folder;
use crate::resume::{NET, ring};

/// Everything that has a state: dropout, running statistics, an average of the weights, momenta, early stopping, kept models.
fn net() -> String {
    NET.replace("\"tanh\"", "\"batch_norm1d\", \"tanh\"")
        .replace("epochs = 3", "epochs = 40\nema = 0.9\ntensorboard = true\ncheckpoints = { keep = 3, every = 5 }\ntime_limit = \"1h\"\ncallbacks = [{ early_stop = \"val loss\", patience = 100 }]")
}

/// What a run leaves, without the times: files of tensors as tensors, tables without their last columns.
fn left(run: &Path) -> BTreeMap<String, String> {
    crate::resume::content(run)
        .into_iter()
        .filter(|(name, _)| !name.ends_with("env.json"))
        .map(|(name, bytes)| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let said = match name.rsplit_once('.').map_or("", |(_, end)| end) {
                "csv" if name == "metrics.csv" => {
                    let rows =
                        text.lines().map(|row| row.rsplitn(4, ',').last().unwrap_or_default().to_string());
                    rows.collect::<Vec<_>>().join("\n")
                }
                "jsonl" if name == "metrics.jsonl" => {
                    let row = |row: &str| row.split(",\"seconds\"").next().unwrap_or_default().to_string();
                    text.lines().map(row).collect::<Vec<_>>().join("\n")
                }
                "json" => text.split("\"seconds\"").next().unwrap_or_default().to_string(),
                // A state knows the seconds of its epochs too; of everything else it has the weights.
                "safetensors" => tensors(&run.join(&name)),
                "svg" => "a plot".to_string(),
                // The report says how long it took and what the folder is called; of it the numbers of the curves count.
                "html" => {
                    text.split("data-column=").skip(1).filter_map(|rest| rest.split('>').next()).collect()
                }
                // Records of the same lengths, which hold the time at which they were written.
                "mapsto" => bytes.len().to_string(),
                _ => text,
            };
            (name, said)
        })
        .collect()
}

fn tensors(path: &Path) -> String {
    let file = ModelFile::read(path).unwrap();
    let one = |(name, t): &(String, mapsto::Tensor)| {
        let numbers: Vec<u32> = t.to_vec::<f32>().into_iter().map(f32::to_bits).collect();
        format!("{name} {:?} {numbers:?}", t.shape())
    };
    let lines: Vec<String> = file.tensors.iter().map(one).collect();
    format!("{:?}\n{}", file.best_epoch(), lines.join("\n"))
}

/// Numbers that are drawn from a seed: Weyl's sequence, mixed.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % n.max(1)
    }
}

fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).map_or(or, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: no number")))
}

/// Runs the command, and kills it after a time unless it has ended; whether it was killed.
fn killed(folder: &Folder, args: &str, after: Duration) -> bool {
    let mut child = folder.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (_hold, never) = channel::<()>();
    assert!(never.recv_timeout(after).is_err());
    let had_ended = child.try_wait().unwrap().is_some();
    // On Unix this is SIGKILL, which nothing can catch.
    child.kill().unwrap();
    child.wait().unwrap();
    !had_ended
}

#[test]
fn a_run_that_is_killed_at_random_moments_ends_as_one_that_was_not() {
    let kills = number("MAPSTO_KILLS", 20);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = number("MAPSTO_KILLS_SEED", now);
    let mut draws = Draws(seed);
    let folder = Folder::new();
    folder.write("ring.csv", ring()).write("net.toml", net());
    let start = Instant::now();
    folder.run("train net.toml --out whole -q").ok();
    let whole = start.elapsed().as_micros() as u64;
    let wanted = left(&folder.path().join("whole"));
    assert!(wanted.contains_key("checkpoints/epoch-0040.safetensors"), "{:?}", wanted.keys());
    let run = folder.path().join("run");
    let check = || {
        // A run that is over says so again, and brings its folder into order.
        folder.run("train --resume run -q").ok();
        let found = left(&run).into_iter().map(|(name, said)| (name, said.replace("/run", "/whole")));
        let found: BTreeMap<String, String> = found.collect();
        let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(&wanted), "other files are left with MAPSTO_KILLS_SEED={seed}");
        for (name, said) in &wanted {
            assert!(
                found[name] == *said,
                "{name} differs with MAPSTO_KILLS_SEED={seed}:\n{}\n{said}",
                found[name]
            );
        }
        fs::remove_dir_all(&run).unwrap();
    };
    let args = || match run.join("last.safetensors").exists() {
        true => "train --resume run -q",
        false => "train net.toml --out run -q",
    };
    let (mut done, mut resumed, mut finished) = (0, 0, 0);
    while done < kills {
        let is_resumed = args().contains("--resume");
        // Most of the moments are within the training of a process, and some are in what comes before and after it.
        if !killed(&folder, args(), Duration::from_micros(draws.below(whole))) {
            check();
            finished += 1;
            continue;
        }
        done += 1;
        resumed += u64::from(is_resumed);
        let has_model = ["best.safetensors", "checkpoints"].iter().any(|name| run.join(name).exists());
        if has_model && !run.join("last.safetensors").exists() {
            // Killed between the first model and the first state: there is nothing to go on from.
            fs::remove_dir_all(&run).unwrap();
        }
    }
    folder.run(args()).ok();
    check();
    assert!(resumed > 0, "no kill came after the first state with MAPSTO_KILLS_SEED={seed}");
    println!(
        "{kills} kills in {} runs, {resumed} of them after a resume: the same metrics, weights and files",
        finished + 1
    );
}
