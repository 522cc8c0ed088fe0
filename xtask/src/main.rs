//! The chores of this repository: `cargo xtask ci`, `cargo xtask new op NAME`, `cargo xtask bless`, `cargo xtask counts`,
//! `cargo xtask build-time`, `cargo xtask miri`, `cargo xtask report`, `cargo xtask bench --compare`.

mod build_time;
mod compare;
mod counts;
mod kills;
mod miri;
mod mutants;
mod new;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
The chores of this repository.

  cargo xtask ci               run what CI runs
  cargo xtask new op NAME      write crates/mapsto-tensor/src/ops/NAME.rs with blanks, name it in the list, and say what is left
  cargo xtask new layer NAME   likewise for a layer, a loss, an optimizer, a schedule or a metric
  cargo xtask bless            rewrite the snapshots of messages and transcripts
  cargo xtask options          rewrite docs/options.md, the reference of every option of a training file
  cargo xtask counts           count the instructions of small work by valgrind, and fail where they grew by a tenth
  cargo xtask counts --bless   likewise, and write them down
  cargo xtask build-time       the CPU seconds of clean builds and of fifty more operations, against their limits
  cargo xtask mutants [OP]     break operations one at a time, and fail where the tests of their files do not notice
  cargo xtask fuzz             damage inputs of every parser for a minute (--seconds N), and fail where one panics
  cargo xtask kills            kill runs at 200 random moments (or as many as said), and fail where one does not end as it would have
  cargo xtask miri             the unsafe code of the kernels under Miri, where a nightly toolchain has it
  cargo xtask miri SECONDS     likewise, as much of it as fits
  cargo xtask report [SHOTS]   look at reports of runs and at the live page in a real Chromium, and keep screenshots in a folder
  cargo xtask bench --compare  time the benchmarks here and in other frameworks, in turn
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["ci"] => run(Command::new("bash").arg(".ci/run")),
        ["bless"] => {
            run(Command::new("cargo").args(["test", "--workspace", "--tests"]).env("MAPSTO_BLESS", "1"))
        }
        ["options"] => {
            let test = ["test", "--locked", "--quiet", "-p", "mapsto-experiment", "--lib", "options"];
            run(Command::new("cargo").args(test).env("MAPSTO_BLESS", "1"))
        }
        ["new", kind, name] => match new::write(&root(), kind, name) {
            Ok(paths) => {
                paths.iter().for_each(|p| println!("{p}"));
                ExitCode::SUCCESS
            }
            Err(message) => {
                eprintln!("xtask new: {message}");
                ExitCode::from(2)
            }
        },
        ["counts"] => report(counts::compare(&root())),
        ["counts", "--bless"] => report(counts::bless(&root())),
        ["build-time"] => report(build_time::run(&root())),
        ["mutants"] => report(mutants::run(&root(), None)),
        ["mutants", name] => report(mutants::run(&root(), Some(name))),
        ["fuzz", ref rest @ ..] => {
            let fuzz = ["run", "--locked", "--quiet", "-p", "mapsto-experiment", "--example", "fuzz", "--"];
            run(Command::new("cargo").args(fuzz).args(rest))
        }
        ["kills"] => report(kills::run(&root(), 200)),
        ["kills", kills] => match kills.parse() {
            Ok(kills) => report(kills::run(&root(), kills)),
            Err(_) => {
                eprintln!("xtask kills: `{kills}` is not a number of kills\nhelp: cargo xtask kills 200");
                ExitCode::from(2)
            }
        },
        ["miri"] => report(miri::run(&root(), None)),
        ["miri", seconds] => match seconds.parse() {
            Ok(seconds) => report(miri::run(&root(), Some(std::time::Duration::from_secs(seconds)))),
            Err(_) => {
                eprintln!("xtask miri: `{seconds}` is not a number of seconds\nhelp: cargo xtask miri 300");
                ExitCode::from(2)
            }
        },
        ["report", ref rest @ ..] => run(Command::new("bash").arg("tests/report/run.sh").args(rest)),
        ["bench", "--compare", ref rest @ ..] => report(compare::run(&root(), rest)),
        [] | ["help" | "-h" | "--help"] => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("unknown chore `{}`\n\n{HELP}", words.join(" "));
            ExitCode::from(2)
        }
    }
}

fn report(result: Result<String, String>) -> ExitCode {
    match result {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ lies in the root").to_path_buf()
}

fn run(command: &mut Command) -> ExitCode {
    match command.current_dir(root()).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("{command:?}: {e}");
            ExitCode::FAILURE
        }
    }
}
