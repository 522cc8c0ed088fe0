//! What is to be asked about: files, all files of a folder, files that a pattern names, and standard input.

use std::path::{Path, PathBuf};

use mapsto::data::PICTURE_ENDINGS;
use mapsto::{Error, ErrorKind, Result};
use mapsto_experiment::{Predictor, plain};

use crate::output::remark;

/// The endings of files that are taken for tables in a folder.
const TABLES: &[&str] = &["csv", "tsv", "csv.gz", "tsv.gz", "jsonl", "ndjson"];

/// Something to ask about.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A picture.
    Image(PathBuf),
    /// A table, or lines.
    Table(PathBuf),
    /// Standard input: a table, or lines.
    Standard,
}

impl Input {
    /// What messages call it.
    pub fn name(&self) -> String {
        match self {
            Input::Image(path) | Input::Table(path) => plain(&path.display().to_string()),
            Input::Standard => "standard input".into(),
        }
    }
}

/// What the arguments name, and what could not be found, which has been said.
///
/// # Errors
/// There is a single argument, and nothing is found by it.
pub fn expand(predictor: &Predictor, words: &[&str]) -> Result<(Vec<Input>, Vec<Error>)> {
    let (mut inputs, mut failures) = (Vec::new(), Vec::new());
    for word in words {
        match of_word(predictor, word) {
            Ok(found) => inputs.extend(found),
            Err(e) if words.len() == 1 => return Err(e),
            Err(e) => {
                crate::output::complain(&e);
                failures.push(e);
            }
        }
    }
    Ok((inputs, failures))
}

fn of_word(predictor: &Predictor, word: &str) -> Result<Vec<Input>> {
    if word == "-" {
        return Ok(vec![Input::Standard]);
    }
    let path = Path::new(word);
    let input = |path: PathBuf| match predictor.is_table(&path) {
        true => Input::Table(path),
        false => Input::Image(path),
    };
    if path.is_dir() {
        return folder(predictor, path).map(|files| files.into_iter().map(input).collect());
    }
    if path.exists() || !word.contains(['*', '?']) {
        return Ok(vec![input(path.to_path_buf())]);
    }
    let found: Vec<PathBuf> = matching(path).into_iter().filter(|path| path.is_file()).collect();
    match found.is_empty() {
        true => Err(Error::new(ErrorKind::Io, format!("no file fits the pattern `{}`", plain(word)))
            .help("`*` stands for any letters of a name, `?` for one, and `**` for any folders")),
        false => Ok(found.into_iter().map(input).collect()),
    }
}

/// The pictures of a folder, or its tables where the model takes tables, by name.
fn folder(predictor: &Predictor, path: &Path) -> Result<Vec<PathBuf>> {
    let (what, endings) = match predictor.features().is_empty() {
        true => ("picture", &PICTURE_ENDINGS[..]),
        false => ("table", TABLES),
    };
    let all = listed(path).map_err(|e| Error::io(path, e))?;
    let files: Vec<PathBuf> = all.into_iter().filter(|path| path.is_file()).collect();
    let (found, others): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(|path| {
        let name = file_name(path).to_ascii_lowercase();
        endings.iter().any(|ending| name.ends_with(&format!(".{ending}")))
    });
    let name = plain(&path.display().to_string());
    if found.is_empty() {
        let message = format!("{name}: there is no {what} in the folder");
        return Err(Error::new(ErrorKind::Data, message)
            .help(format!(
                "files that end in .{} are taken for a {what}; \"{}/**/*.{}\" in quotes names those of folders below",
                endings.join(", ."),
                name.trim_end_matches('/'),
                endings[0]
            )));
    }
    let others: Vec<String> =
        others.iter().map(|path| file_name(path)).filter(|name| !name.starts_with('.')).collect();
    if !others.is_empty() {
        let more = if others.len() > 3 { ", …" } else { "" };
        let names = plain(&others.iter().take(3).cloned().collect::<Vec<_>>().join(", "));
        remark(&format!("{name}: left out: {} files that are no {what}s: {names}{more}", others.len()));
    }
    Ok(found)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What lies in a folder, by name.
fn listed(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut all =
        std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    all.sort();
    Ok(all)
}

/// The paths that a pattern names, sorted.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let part = part.as_os_str().to_string_lossy().into_owned();
        found = match &*part {
            "**" => found.iter().flat_map(|path| below(path)).collect(),
            part if part.contains(['*', '?']) => {
                let inside = |path: &PathBuf| listed(here(path)).unwrap_or_default();
                let names = found.iter().flat_map(|path| inside(path).into_iter().map(move |at| (path, at)));
                let fits = names.filter(|(_, at)| fits(part, &file_name(at)));
                // `.` is no part of what is found in this folder.
                fits.map(|(path, at)| path.join(file_name(&at))).collect()
            }
            part => found.iter().map(|path| path.join(part)).filter(|path| path.exists()).collect(),
        };
    }
    found.sort();
    found
}

fn here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// A folder and all folders below it; links are not followed.
fn below(path: &Path) -> Vec<PathBuf> {
    let mut all = vec![path.to_path_buf()];
    for at in listed(here(path)).unwrap_or_default() {
        if at.is_dir() && !at.is_symlink() {
            all.extend(below(&path.join(file_name(&at))));
        }
    }
    all
}

/// Whether a name fits a pattern; what begins with a dot is hidden from stars.
fn fits(pattern: &str, name: &str) -> bool {
    let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    if n.first() == Some(&'.') && p.first() != Some(&'.') {
        return false;
    }
    // The last star, and how much of the name it has taken: on a mismatch it takes one more.
    let (mut i, mut j, mut star) = (0, 0, None);
    while j < n.len() {
        if p.get(i) == Some(&'*') {
            star = Some((i, j));
            i += 1;
        } else if p.get(i).is_some_and(|&c| c == '?' || c == n[j]) {
            (i, j) = (i + 1, j + 1);
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            (i, j) = (at + 1, taken + 1);
        } else {
            return false;
        }
    }
    p[i..].iter().all(|&c| c == '*')
}

#[test]
fn patterns_fit_as_a_shells_do() {
    for (pattern, name, wanted) in [
        ("*.png", "a.png", true),
        ("*.png", ".a.png", false),
        ("a?c*", "abcd", true),
        ("a?c", "ac", false),
        ("*a*b*", "xxaxxbxx", true),
        ("*ab", "aab", true),
        ("*", "", true),
        ("a*b", "a", false),
    ] {
        assert_eq!(fits(pattern, name), wanted, "{pattern} {name}");
    }
}
