//! What the tests across crates share: the repository's files, read as text.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root").to_path_buf()
}

/// Every Rust file below a folder of the repository, with its path from the root and its text.
pub fn rust_files(folder: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(next) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                if path.file_name().is_some_and(|n| n != "target") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let name =
                    path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
                out.push((name, text));
            }
        }
    }
    out.sort();
    out
}

/// The text of a file of the repository.
///
/// # Panics
/// When it cannot be read.
pub fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// A Rust file without its comments and without its tests: what remains is what runs.
pub fn code(text: &str) -> String {
    if text.contains("\n#![cfg(test)]\n") {
        return String::new(); // a file of tests
    }
    let mut out = String::new();
    let mut skipping = false;
    let mut before = "";
    for line in text.lines() {
        // A module of tests is the last thing of a file; one in a file of its own is only named.
        if std::mem::replace(&mut before, line) == "#[cfg(test)]"
            && line.starts_with("mod ")
            && line.ends_with('{')
        {
            break;
        }
        // A test function at the end of a file runs to the closing brace in the first column.
        if line.starts_with("#[test]") {
            skipping = true;
        }
        if !skipping && !line.trim_start().starts_with("//") {
            out += line.split(" // ").next().unwrap_or_default();
            out.push('\n');
        }
        if skipping && line == "}" {
            skipping = false;
        }
    }
    out
}

/// The guide and the README: every block of code in them is compiled and run as a documentation test.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../crates/mapsto/README.md")]
    mod facade {}
    #[doc = include_str!("../docs/tensors.md")]
    mod tensors {}
    #[doc = include_str!("../docs/gradients.md")]
    mod gradients {}
    #[doc = include_str!("../docs/models.md")]
    mod models {}
    #[doc = include_str!("../docs/data.md")]
    mod data {}
    #[doc = include_str!("../docs/pictures.md")]
    mod pictures {}
    #[doc = include_str!("../docs/training.md")]
    mod training {}
    #[doc = include_str!("../docs/saving.md")]
    mod saving {}
    #[doc = include_str!("../docs/debugging.md")]
    mod debugging {}
    #[doc = include_str!("../docs/numeric.md")]
    mod numeric {}
    #[doc = include_str!("../docs/from-pytorch.md")]
    mod from_pytorch {}
    #[doc = include_str!("../docs/from-keras.md")]
    mod from_keras {}
    #[doc = include_str!("../docs/command-line.md")]
    mod command_line {}
    #[doc = include_str!("../docs/extending.md")]
    mod extending {}
}
