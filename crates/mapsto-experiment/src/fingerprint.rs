//! `fingerprint`: by what a run knows its data again when it is resumed: the bytes of the files, and which sample serves for what.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use mapsto::data::{is_picture_name, picture_depth};
use mapsto::spec::Value;
use mapsto::training::Digest;
use mapsto::{Error, ErrorKind, Result};

use crate::config::is_path;
use crate::experiment::Experiment;

/// Folders in folders that are gone into: enough for any set, and an end for links that lead back.
const DEEPEST: usize = 12;

/// One line for each thing that must be the same: `files: 5b0f..`, `training samples: 86 of 91aa..`.
///
/// # Errors
/// A file that cannot be read.
pub fn fingerprint(experiment: &Experiment) -> Result<String> {
    let rows = |rows: &[usize]| {
        let mut digest = Digest::new();
        rows.iter().for_each(|&row| digest.add(row as u64));
        format!("{} ({digest})", rows.len())
    };
    let mut classes = Digest::new();
    experiment.info.classes.iter().for_each(|class| classes.add_text(class));
    let lines = [
        ("training samples", rows(&experiment.rows.train)),
        ("validation samples", rows(&experiment.rows.validation)),
        ("test samples", rows(&experiment.rows.test)),
        ("classes", format!("{} ({classes})", experiment.info.classes.len())),
        ("files", files(experiment)?.to_string()),
    ];
    Ok(lines.map(|(what, found)| format!("{what}: {found}\n")).concat())
}

/// Refuses data that is not what a run was started with.
///
/// # Errors
/// The first line that differs.
pub fn compare(saved: &str, now: &str) -> Result<()> {
    let now: Vec<(&str, &str)> = now.lines().filter_map(|line| line.split_once(": ")).collect();
    // The files come last: where samples differ in number, that says more.
    for (what, saved) in saved.lines().filter_map(|line| line.split_once(": ")) {
        let found = now.iter().find(|(name, _)| *name == what).map_or("nothing", |(_, found)| found);
        if found == saved {
            continue;
        }
        let count = |text: &str| text.split(" (").next().unwrap_or_default().to_string();
        let message = match (what, count(saved), count(found)) {
            ("files", ..) => "the data's files have changed since this run was started".to_string(),
            (_, before, after) if before == after => {
                format!("the {what} are not those that this run was started with")
            }
            (_, before, after) => {
                format!("this run was started with {before} {what}, the data now has {after}")
            }
        };
        return Err(Error::new(ErrorKind::Data, message)
            .help("bring the data back as it was, or start a new run with `mapsto train FILE.toml`"));
    }
    Ok(())
}

fn files(experiment: &Experiment) -> Result<Digest> {
    let set = &experiment.config.data.set;
    let mut digest = Digest::new();
    for (option, value) in &set.options {
        let (true, Value::Str(path)) = (is_path(option), value) else { continue };
        digest.add_text(option);
        let root = Path::new(path);
        // A picture lies in the folder of its class, which may lie in `train`, `val` or `test`; what is deeper is not read.
        let deepest = (set.name == "images").then(|| picture_depth(root)).transpose()?;
        let mut found = Vec::new();
        list(root, DEEPEST, &mut found)?;
        found.sort();
        for file in found {
            let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
            if root.is_dir() && !is_data(&name, deepest) {
                continue;
            }
            digest.add_text(&name);
            let source = File::open(&file).map_err(|e| Error::io(&file, e))?;
            digest.add_bytes(source).map_err(|e| Error::io(&file, e))?;
        }
    }
    Ok(digest)
}

/// Whether a file in a folder of data is one of those that the set reads, by its name: beside pictures, which lie `deepest` names
/// deep, or arrays in the format of MNIST, notes and hidden files may come and go.
fn is_data(name: &str, deepest: Option<usize>) -> bool {
    let mut parts = Path::new(name).components();
    let hidden = parts.any(|part| part.as_os_str().to_string_lossy().starts_with('.'));
    let is_read = match deepest {
        Some(deepest) => is_picture_name(name) && Path::new(name).components().count() == deepest,
        None => name.contains("ubyte"),
    };
    !hidden && is_read
}

/// The files in a folder and in those in it. What is not a file, such as a pipe, whose reading would not end, is passed over.
fn list(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        if path.is_file() {
            found.push(path.to_path_buf());
        }
        return Ok(());
    }
    if depth == 0 {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(|e| Error::io(path, e))? {
        list(&entry.map_err(|e| Error::io(path, e))?.path(), depth - 1, found)?;
    }
    Ok(())
}

#[test]
fn the_first_difference_is_said() {
    let saved = "training samples: 86 (aa)\nclasses: 2 (bb)\nfiles: cc\n";
    let said = |now: &str| compare(saved, now).map_err(|e| e.message().to_string());
    assert_eq!(said(saved), Ok(()));
    for (from, to, message) in [
        ("86 (aa)", "87 (ab)", "this run was started with 86 training samples, the data now has 87"),
        ("86 (aa)", "86 (ab)", "the training samples are not those that this run was started with"),
        ("files: cc", "files: cd", "the data's files have changed since this run was started"),
    ] {
        assert_eq!(said(&saved.replace(from, to)), Err(message.to_string()));
    }
}

#[test]
fn notes_beside_the_data_may_come_and_go() {
    for (name, deepest, is) in [
        ("cat/1.PNG", Some(2), true),
        ("cat/notes.txt", Some(2), false),
        (".git/1.png", Some(2), false),
        ("1.png", Some(2), false),
        ("cat/2019/1.png", Some(2), false),
        ("test/cat/1.png", Some(3), true),
        ("test/cat/2019/1.png", Some(3), false),
        ("train-images-idx3-ubyte.gz", None, true),
        ("README", None, false),
    ] {
        assert_eq!(is_data(name, deepest), is, "{name}");
    }
}
