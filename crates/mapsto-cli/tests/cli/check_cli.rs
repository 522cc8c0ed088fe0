//! `check_cli`: runs the built command in a folder of its own, the one place that knows how.

use std::fs;
#[cfg(unix)]
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::{Child, ChildStderr, Stdio};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A temporary folder to run the command in; it is removed when dropped.
pub struct Folder(PathBuf);

/// What a command left behind.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it complained.
    pub err: String,
}

impl Folder {
    /// An empty folder.
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mapsto-cli-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into it, and the folders above that file.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Folder {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    /// The text of a file in it.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The names of all files and folders directly in it, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The command with these arguments, ready to run here.
    pub fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mapsto"));
        command.current_dir(&self.0).args(args.split_whitespace()).env_remove("MAPSTO_DEBUG");
        command
    }

    /// Runs `mapsto ARGS` here.
    pub fn run(&self, args: &str) -> Outcome {
        Outcome::of(self.command(args).output().unwrap())
    }
}

/// A run of training that goes on in a process of its own.
#[cfg(unix)]
pub struct UnderWay {
    child: Child,
    progress: BufReader<ChildStderr>,
}

#[cfg(unix)]
impl Folder {
    /// Starts `mapsto ARGS` here, and waits for the first rows of progress, which show that training is under way.
    pub fn under_way(&self, args: &str) -> UnderWay {
        let mut child = self.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut progress = BufReader::new(child.stderr.take().unwrap());
        for _ in 0..3 {
            let mut row = String::new();
            assert!(progress.read_line(&mut row).unwrap() > 0, "`mapsto {args}` ended at once");
        }
        UnderWay { child, progress }
    }
}

#[cfg(unix)]
impl UnderWay {
    /// Sends a signal, such as `-INT`.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end: the exit code, none after a signal that nothing caught, and the rest of what was complained.
    pub fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.progress.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Outcome {
    /// Reads a finished process.
    pub fn of(output: Output) -> Outcome {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Outcome {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// The output of a command that must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "failed:\n{}\n{}", self.out, self.err);
        self.out
    }
}

/// Runs `mapsto ARGS` in a folder: it must exit with `code`, say exactly `err`, and leave no file that was not there.
#[track_caller]
pub fn check_cli(folder: &Folder, args: &str, code: i32, err: &str) {
    let before = folder.names();
    let outcome = folder.run(args);
    assert_eq!((outcome.code, outcome.err.trim_end()), (code, err), "{}", outcome.out);
    assert_eq!(folder.names(), before, "something was left behind");
}
