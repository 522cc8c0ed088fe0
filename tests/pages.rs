//! `docs/operations.md`, the list of every operation, from the documentation of the methods themselves.

use mapsto_tests::{root, rust_files};
use std::fmt::Write;

/// A public method of a tensor, or a function beside it, with the text above it.
struct Method {
    name: String,
    call: String,
    text: String,
}

/// The methods of a file of `ops/`, in the order in which they stand.
fn methods(source: &str) -> Vec<Method> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let (mut found, mut text, mut of_tensor) = (Vec::new(), String::new(), false);
    for line in code.lines() {
        if !line.starts_with(' ') && !line.starts_with("///") && !line.is_empty() && line != "}" {
            of_tensor = line.starts_with("impl Tensor") || line.starts_with("pub fn ");
        }
        let line = line.trim();
        if let Some(doc) = line.strip_prefix("///") {
            text.push_str(doc.strip_prefix(' ').unwrap_or(doc));
            text.push('\n');
        } else if let Some(rest) = line.strip_prefix("pub fn ").filter(|_| of_tensor) {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let call = if rest.contains("self") { format!("x.{name}") } else { name.clone() };
            found.push(Method { name, call, text: std::mem::take(&mut text) });
        } else if !line.starts_with("#[") {
            text.clear();
        }
    }
    found
}

/// What stands behind a mark such as `* Shape:`, up to the next one.
fn part(text: &str, mark: &str) -> Option<String> {
    let from = text.find(&format!("* {mark}:"))? + mark.len() + 3;
    let rest = &text[from..];
    let ends = ["   * ", "\n*", "\n```", "\n#", "\n\n"].iter().filter_map(|end| rest.find(end));
    let words = rest[..ends.min().unwrap_or(rest.len())].split_whitespace();
    Some(words.collect::<Vec<_>>().join(" ").trim_end_matches('.').to_string())
}

/// The first paragraph in one line.
fn summary(text: &str) -> String {
    let first = text.split("\n\n").next().unwrap_or_default();
    let lines = first.lines().take_while(|line| !line.starts_with("* ") && !line.starts_with("```"));
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// Links of the documentation lead nowhere on a page.
fn unlinked(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(i) = rest.find("](") {
        let (Some(open), Some(close)) = (rest[..i].rfind('['), rest[i..].find(')')) else { break };
        out.push_str(&rest[..open]);
        out.push_str(&rest[open + 1..i]);
        rest = &rest[i + close + 1..];
    }
    out + rest
}

fn page() -> (String, usize) {
    let mut files = rust_files("crates/mapsto-tensor/src/ops");
    files.sort();
    let mut rows: Vec<Method> = files
        .iter()
        .flat_map(|(_, source)| methods(source))
        // Setters of options have no shape; operations say theirs, or what they are in ONNX.
        .filter(|m| part(&m.text, "Shape").is_some() || part(&m.text, "ONNX").is_some())
        .collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows.dedup_by(|a, b| a.name == b.name && a.text == b.text);
    let mut page = String::from(
        "# Operations\n\nEvery operation of a tensor, as its own documentation says it; `cargo doc` shows examples and errors. The names of\n\
         PyTorch and Keras that differ stand in [From PyTorch](from-pytorch.md) and [From Keras](from-keras.md). This page is\n\
         written by `MAPSTO_BLESS=1 cargo test -p mapsto-tests --test pages`.\n\n| | what it does | shape | gradient | ONNX |\n|---|---|---|---|---|\n",
    );
    for m in &rows {
        let shown = |text: String| unlinked(&text).replace('|', "\\|");
        let cell = |mark: &str| shown(part(&m.text, mark).unwrap_or_default());
        let what = shown(summary(&m.text));
        writeln!(
            page,
            "| `{}` | {what} | {} | {} | {} |",
            m.call,
            cell("Shape"),
            cell("Gradient"),
            cell("ONNX")
        )
        .expect("text");
    }
    (page, rows.len())
}

#[test]
fn the_page_of_operations_is_what_they_say() {
    let path = root().join("docs/operations.md");
    let (page, count) = page();
    if std::env::var_os("MAPSTO_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(count > 150, "only {count} operations were found");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/operations.md is stale: run `MAPSTO_BLESS=1 cargo test -p mapsto-tests --test pages`"
    );
}
