//! Writes the file of a new operation, layer, optimizer or metric with blanks, and names it in the list of its folder.

use std::fs;
use std::path::Path;

/// Where a kind of thing lives, its template, and what is left to do: `NAME` is the file's name, `Name` the item's.
struct Kind {
    name: &'static str,
    folder: &'static str,
    template: &'static str,
    then: &'static [&'static str],
}

/// What is left to do of everything with numbers in files and in Rust.
const SETTINGS: &str =
    "its settings in `in_files` and its functions in `IN_RUST`, in crates/mapsto-nn/src/settings/";

const KINDS: &[Kind] = &[
    Kind {
        name: "op",
        folder: "crates/mapsto-tensor/src/ops",
        template: include_str!("templates/op.txt"),
        then: &[
            "a line each in crates/mapsto-tensor/tests/references.rs (the formula), names.rs and sizes.rs (a call)",
            "for an activation that files can name: its `LayerKind` in crates/mapsto-nn/src/layers/activation.rs, as a layer",
            "cargo test -p mapsto-tensor",
        ],
    },
    Kind {
        name: "layer",
        folder: "crates/mapsto-nn/src/layers",
        template: include_str!("templates/layer.txt"),
        then: &[
            "a line in `in_files` of crates/mapsto-nn/src/settings/in_files.rs: what its numbers may be in a file",
            "where PyTorch has it: a line in crates/mapsto-nn/golden/layers.py, whose output is layers.jsonl",
            "cargo test -p mapsto-nn, and cargo xtask options",
        ],
    },
    Kind {
        name: "optimizer",
        folder: "crates/mapsto-nn/src/optim",
        template: include_str!("templates/optimizer.txt"),
        then: &[
            SETTINGS,
            "a line in crates/mapsto-nn/golden/optimizers.py, whose output is optimizers.jsonl",
            "cargo test -p mapsto-nn, and cargo xtask options",
        ],
    },
    Kind {
        name: "loss",
        folder: "crates/mapsto-nn/src/losses",
        template: include_str!("templates/loss.txt"),
        then: &[
            SETTINGS,
            "a line in crates/mapsto-nn/golden/losses.py, whose output is losses.jsonl",
            "cargo test -p mapsto-nn, and cargo xtask options",
        ],
    },
    Kind {
        name: "schedule",
        folder: "crates/mapsto-nn/src/schedules",
        template: include_str!("templates/schedule.txt"),
        then: &[
            SETTINGS,
            "a line in crates/mapsto-nn/golden/schedules.py, whose output is schedules.jsonl",
            "cargo test -p mapsto-nn, and cargo xtask options",
        ],
    },
    Kind {
        name: "metric",
        folder: "crates/mapsto-train/src/metrics",
        template: include_str!("templates/metric.txt"),
        then: &[
            "a line in crates/mapsto-train/tests/settings.rs: what its numbers may be in a file",
            "cargo test -p mapsto-train, and cargo xtask options",
        ],
    },
];

/// Writes the file and the line of the list; returns what was written or is left to do.
pub fn write(root: &Path, kind: &str, name: &str) -> Result<Vec<String>, String> {
    let Some(kind) = KINDS.iter().find(|k| k.name == kind) else {
        let known: Vec<&str> = KINDS.iter().map(|k| k.name).collect();
        return Err(format!("unknown kind `{kind}`; one of {}", known.join(", ")));
    };
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !fits {
        return Err(format!("`{name}` is no name of a file; write it in snake_case"));
    }
    let path = root.join(kind.folder).join(format!("{name}.rs"));
    if path.exists() {
        return Err(format!("{}/{name}.rs exists", kind.folder));
    }
    let list_path = root.join(kind.folder).join("mod.rs");
    let list = fs::read_to_string(&list_path).map_err(|e| format!("{}: {e}", list_path.display()))?;
    let mut done = vec![format!("wrote {}/{name}.rs: fill in the blanks marked `…`", kind.folder)];
    match named(&list, name).or_else(|| declared(&list, name)) {
        Some(longer) => {
            fs::write(&list_path, longer).map_err(|e| format!("{}: {e}", list_path.display()))?;
            done.push(format!("named `{name}` in {}/mod.rs", kind.folder));
        }
        None => done.push(format!(
            "left to you in {}/mod.rs: `mod {name};`, `pub use {name}::{};` and `{name}::KIND` in its list",
            kind.folder,
            camel(name)
        )),
    }
    let text = kind.template.replace("NAME", name).replace("Name", &camel(name)).replace("N\\AME", "NAME");
    fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    done.extend(kind.then.iter().map(|then| format!("then: {then}")));
    done.push("then: cargo fmt, and cargo test -p mapsto-tests --test architecture".into());
    Ok(done)
}

/// `soft_sign` → `SoftSign`.
fn camel(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
        })
        .collect()
}

/// The text of a `mod.rs` with `name` added to its sorted list: the lines of one bare word inside `ops! { .. }`.
fn named(list: &str, name: &str) -> Option<String> {
    let lines: Vec<&str> = list.lines().collect();
    let start = lines.iter().position(|l| l.ends_with("! {") && !l.starts_with("macro"))? + 1;
    let end = start + lines[start..].iter().position(|l| *l == "}")?;
    let bare = |l: &&str| l.trim().chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !lines[start..end].iter().all(bare) {
        return None;
    }
    let at = start + lines[start..end].iter().take_while(|l| l.trim() < name).count();
    let mut out: Vec<String> = lines.iter().map(|l| l.to_string()).collect();
    out.insert(at, format!("    {name}"));
    Some(out.join("\n") + "\n")
}

/// The text of a `mod.rs` with the module, its item and its `KIND` added: the first two in order, the last at the end of the
/// first list of kinds.
fn declared(list: &str, name: &str) -> Option<String> {
    let mut lines: Vec<String> = list.lines().map(str::to_string).collect();
    let place = |lines: &[String], before: &str, line: &str| {
        let listed = |l: &String| l.starts_with(before) && l.ends_with(';');
        let start = lines.iter().position(listed)?;
        let run = lines[start..].iter().take_while(|l| listed(l));
        Some(start + run.take_while(|l| l.as_str() < line).count())
    };
    let start = lines.iter().position(|l| l.starts_with("pub const ") && l.contains("Kind] ="))?;
    let end = start + lines[start..].iter().position(|l| l.ends_with("];"))?;
    match lines[end].as_str() {
        "];" => lines.insert(end, format!("    {name}::KIND,")),
        last => lines[end] = format!("{}, {name}::KIND];", last.strip_suffix("];")?.trim_end_matches(',')),
    }
    for (before, line) in
        [("pub use ", format!("pub use {name}::{};", camel(name))), ("mod ", format!("mod {name};"))]
    {
        let at = place(&lines, before, &line)?;
        lines.insert(at, line);
    }
    Some(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_operation_is_written_and_named_in_order() {
        let root = std::env::temp_dir().join(format!("mapsto-xtask-{}", std::process::id()));
        let ops = root.join("crates/mapsto-tensor/src/ops");
        fs::create_dir_all(&ops).expect("a temporary folder");
        fs::write(ops.join("mod.rs"), "//! Ops.\n\nops! {\n    add\n    tanh\n}\n").expect("written");
        let said = write(&root, "op", "soft_sign").unwrap().join("\n");
        assert!(said.contains("named `soft_sign`") && said.contains("references.rs"), "{said}");
        assert_eq!(
            fs::read_to_string(ops.join("mod.rs")).unwrap(),
            "//! Ops.\n\nops! {\n    add\n    soft_sign\n    tanh\n}\n"
        );
        let text = fs::read_to_string(ops.join("soft_sign.rs")).unwrap();
        assert!(text.contains("struct SoftSign") && text.contains("pub fn soft_sign"), "{text}");
        assert!(write(&root, "op", "soft_sign").unwrap_err().contains("exists"));
        assert!(write(&root, "op", "SoftSign").unwrap_err().contains("snake_case"));
        assert!(write(&root, "opp", "x").unwrap_err().contains("unknown kind"));
        fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn a_module_its_item_and_its_kind_are_named_in_order() {
        let before = "//! All.\n\nmod adam;\nmod sgd;\n\npub use adam::Adam;\npub use sgd::{Form, Sgd};\n\n";
        let after = "mod adam;\nmod lion;\nmod sgd;\n\npub use adam::Adam;\npub use lion::Lion;\npub use sgd::{Form, Sgd};\n";
        for (list, longer) in [
            ("&[adam::KIND];\n", "&[adam::KIND, lion::KIND];\n"),
            ("\n    &[adam::KIND];\n", "\n    &[adam::KIND, lion::KIND];\n"),
            ("&[\n    adam::KIND,\n];\n", "&[\n    adam::KIND,\n    lion::KIND,\n];\n"),
        ] {
            let text = declared(&format!("{before}pub const OPTIMIZERS: &[OptimizerKind] = {list}"), "lion")
                .unwrap();
            assert!(text.contains(after), "{text}");
            assert!(text.ends_with(longer), "{text}");
        }
        for folder in KINDS.iter().map(|kind| kind.folder).filter(|folder| !folder.ends_with("/ops")) {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
            let list = fs::read_to_string(root.join(folder).join("mod.rs")).unwrap();
            let longer = declared(&list, "kangaroo")
                .unwrap_or_else(|| panic!("{folder}/mod.rs is written differently now"));
            for line in ["\nmod kangaroo;\n", "\npub use kangaroo::Kangaroo;\n", "kangaroo::KIND"] {
                assert_eq!(longer.matches(line).count(), 1, "{folder}: {line}");
            }
        }
    }
}
