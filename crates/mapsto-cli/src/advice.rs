//! Advice for someone who wrote a file: the library's helps speak Rust, and here each is said as a key of the file.

use mapsto::Error;

/// What stands in a help for a program, and what stands there for a file.
const WORDS: &[(&str, &str)] = &[
    ("clip gradients with `.clip_norm(1.0)`", "clip gradients with `clip_norm = 1.0` in [train]"),
    (
        "is the set empty, or smaller than one batch with `.drop_last()`?",
        "is the set empty? `validation` and `test` in [data] may hold out less",
    ),
    (
        "train with a batch of at least 2; `drop_last` leaves out an incomplete batch",
        "choose a `batch` in [data] that does not leave a single sample over",
    ),
    (
        "class ids are integers: convert them with `.to(DType::I64)`",
        "name the column of labels with `class` in [data]; `target` is for numbers",
    ),
    (
        "resize or crop them when they are read",
        "pictures are brought to one size by `size = [16, 16]`, height and width, in [data]",
    ),
    ("give `fit` a validation loader", "hold out some samples with `validation = 0.1` in [data]"),
    (
        "resume from the file that `Checkpoint::last()` writes; a plain model file is only weights",
        "a run is resumed from its last.safetensors; best.safetensors holds only weights",
    ),
    (
        "only dtypes differ: load with `Exceptions::none().converting()` to convert them",
        "only dtypes differ: `--convert` converts them",
    ),
];

/// The error with a help that can be followed in a file: said in its words, or left out where it is about a program.
pub fn in_words_of_files(error: Error) -> Error {
    let Some(help) = error.help_text() else { return error };
    let said = WORDS.iter().fold(help.to_string(), |help, (program, file)| help.replace(program, file));
    if said == help && !speaks_rust(help) {
        return error;
    }
    // Advice in several parts keeps those that a file can follow.
    let parts: Vec<&str> = said.split("; ").filter(|part| !speaks_rust(part)).collect();
    if !parts.is_empty() {
        return error.help(parts.join("; "));
    }
    let bare = Error::new(error.kind(), error.message());
    let bare = error.parts().iter().rev().fold(bare, |bare, part| bare.inside(part.as_str()));
    error.location().into_iter().fold(bare, |bare, at| bare.at(at))
}

/// A text without the lines of the library's sources that stand in it in brackets: ` (src/losses/mse.rs:12)`.
pub fn without_lines(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(" (") {
        let inside = &rest[at + 2..];
        let end = inside.find(')').unwrap_or(inside.len());
        let line = inside[..end].rsplit_once(".rs:").map_or("", |(_, line)| line);
        let is_line =
            !line.is_empty() && line.chars().all(|c| c.is_ascii_digit() || c == ':') && end < inside.len();
        out.push_str(&rest[..at]);
        if !is_line {
            out.push_str(" (");
        }
        rest = if is_line { &inside[end + 1..] } else { inside };
    }
    out + rest
}

/// Whether a text has a path, a method call, a macro or a closure in it.
fn speaks_rust(text: &str) -> bool {
    let calls = |text: &str| {
        text.match_indices('.').any(|(at, _)| {
            let word = text[at + 1..].trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
            word.len() < text.len() - at - 1 && word.starts_with('(')
        })
    };
    text.contains("::")
        || text.contains("|| ")
        || text.contains("![")
        || text.contains("&mut ")
        || calls(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto::ErrorKind;
    use std::path::Path;

    fn advice(help: &str) -> Option<String> {
        in_words_of_files(Error::new(ErrorKind::Model, "m").help(help)).help_text().map(str::to_string)
    }

    #[test]
    fn helps_are_said_in_words_of_files_or_left_out() {
        assert_eq!(
            advice("lower the learning rate, clip gradients with `.clip_norm(1.0)`, or normalise the inputs")
                .unwrap(),
            "lower the learning rate, clip gradients with `clip_norm = 1.0` in [train], or normalise the inputs"
        );
        assert_eq!(advice("convert it with `.to(DType::F32)`"), None);
        assert_eq!(advice("fill the gaps; or call `.fill(0)`").unwrap(), "fill the gaps");
        assert_eq!(advice("give runs/mnist-1 (a folder)").unwrap(), "give runs/mnist-1 (a folder)");
    }

    #[test]
    fn lines_of_the_library_are_left_out() {
        assert_eq!(
            without_lines("`mse` (a/b.rs:12) of (1 + 2) (x.rs) (c.rs:3:4)"),
            "`mse` of (1 + 2) (x.rs)"
        );
        assert_eq!(without_lines("a (b.rs:12"), "a (b.rs:12");
    }

    /// Every help that stands in the library's sources, as a text: what the list above does not know is left out or is no Rust.
    #[test]
    fn no_help_of_the_library_speaks_rust_to_a_file() {
        fn helps(folder: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.path().is_dir() {
                    helps(&entry.path(), found);
                } else if entry.path().extension().is_some_and(|e| e == "rs") {
                    let text = std::fs::read_to_string(entry.path()).unwrap();
                    for (at, _) in text.match_indices("help(\"").chain(text.match_indices("help = \"")) {
                        let start = at + text[at..].find('"').unwrap() + 1;
                        let end = start + text[start..].find('"').unwrap();
                        found.push(text[start..end].to_string());
                    }
                }
            }
        }
        let mut found = Vec::new();
        for name in
            ["mapsto-tensor", "mapsto-nn", "mapsto-data", "mapsto-train", "mapsto-spec", "mapsto-experiment"]
        {
            helps(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src"), &mut found);
        }
        assert!(found.len() > 100, "{}", found.len());
        for help in &found {
            assert!(!advice(help).is_some_and(|said| speaks_rust(&said)), "{help}");
        }
    }
}
