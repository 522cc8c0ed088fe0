//! Writes the file of a new operation, layer, optimizer or metric with blanks, and names it in the list of its folder.

use std::fs;
use std::path::Path;

/// Where a kind of thing lives, and its template: `NAME` is the file's name, `Name` the item's.
struct Kind {
    name: &'static str,
    folder: &'static str,
    template: &'static str,
}

const KINDS: &[Kind] = &[
    Kind { name: "op", folder: "crates/mapsto-tensor/src/ops", template: include_str!("templates/op.txt") },
    Kind {
        name: "layer",
        folder: "crates/mapsto-nn/src/layers",
        template: include_str!("templates/layer.txt"),
    },
    Kind {
        name: "optimizer",
        folder: "crates/mapsto-nn/src/optim",
        template: include_str!("templates/optimizer.txt"),
    },
    Kind {
        name: "metric",
        folder: "crates/mapsto-train/src/metrics",
        template: include_str!("templates/metric.txt"),
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
    match named(&list, name) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_operation_is_written_and_named_in_order() {
        let root = std::env::temp_dir().join(format!("mapsto-xtask-{}", std::process::id()));
        let ops = root.join("crates/mapsto-tensor/src/ops");
        fs::create_dir_all(&ops).expect("a temporary folder");
        fs::write(ops.join("mod.rs"), "//! Ops.\n\nops! {\n    add\n    tanh\n}\n").expect("written");
        assert_eq!(write(&root, "op", "soft_sign").map(|d| d.len()), Ok(2));
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
}
