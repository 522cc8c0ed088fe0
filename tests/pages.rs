//! `docs/operations.md`, `layers.md`, `losses.md`, `metrics.md`, `optimizers.md`, `schedules.md` and `initialisers.md`: the lists of everything that
//! there is, from the documentation of the things themselves.
//!
//! What something is called in PyTorch, Keras and ONNX stands in its documentation (`* PyTorch: ..; Keras: ..; ONNX: ..`, or
//! `PyTorch and Keras have none.`), and of operations and activations, which are many and mostly called alike, in `elsewhere.txt`.

use mapsto_nn::init::INITS;
use mapsto_nn::layers::LAYERS;
use mapsto_nn::losses::LOSSES;
use mapsto_nn::optim::OPTIMIZERS;
use mapsto_nn::schedules::SCHEDULES;
use mapsto_spec::{Family, Kind};
use mapsto_tests::{root, rust_files, text};
use mapsto_train::metrics::METRICS;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A public method of a tensor, or a function beside it, with the text above it.
struct Method {
    name: String,
    call: String,
    text: String,
}

/// The methods of a file of `ops/`, in the order in which they stand.
fn methods(source: &str) -> Vec<Method> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
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

/// What something is called elsewhere, by its documentation: `PyTorch: X; Keras: Y`, `Keras has none`, `PyTorch and Keras have none`. A
/// clause ends with a semicolon or a full stop outside of code.
fn elsewhere(text: &str, framework: &str) -> Option<String> {
    let text = text.split("\n```").next()?;
    let lines: Vec<&str> = text.lines().map(|line| line.trim_start_matches("* ").trim()).collect();
    let (mut clauses, mut clause, mut in_code) = (Vec::new(), String::new(), false);
    let all = format!("{} ", lines.join(" "));
    let mut chars = all.chars().peekable();
    while let Some(c) = chars.next() {
        in_code ^= c == '`';
        let ends = !in_code && (c == ';' || (c == '.' && chars.peek() == Some(&' ')));
        if ends {
            clauses.push(std::mem::take(&mut clause));
        } else {
            clause.push(c);
        }
    }
    clauses.push(clause);
    let found = clauses.iter().map(|clause| clause.trim()).find_map(|clause| {
        if let Some(at) = clause.find(&format!("{framework}: ")) {
            return Some(clause[at + framework.len() + 2..].to_string());
        }
        let none = format!("{framework} has none");
        if clause.starts_with("PyTorch and Keras have none") && framework != "ONNX" || clause.contains(&none)
        {
            return Some("none".to_string());
        }
        clause.strip_prefix(&format!("{framework} has ")).map(str::to_string)
    })?;
    Some(found.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The rows of `elsewhere.txt`: for each name, those in PyTorch and in `keras.ops`.
fn table() -> BTreeMap<String, [String; 2]> {
    let code = |names: &str| match names {
        "-" => "none".to_string(),
        names => names.split(", ").map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    };
    let row = |line: &str| match line.split(" | ").collect::<Vec<_>>()[..] {
        [name, torch, keras] => (name.to_string(), [code(torch), code(keras)]),
        _ => panic!("tests/elsewhere.txt: `{line}` is no row of three"),
    };
    text("tests/elsewhere.txt").lines().filter(|line| !line.starts_with('#')).map(row).collect()
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

/// A cell of a table.
fn cell(text: &str) -> String {
    unlinked(text).replace('|', "\\|")
}

/// The methods that are operations, by their names.
fn operations() -> Vec<Method> {
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
    rows
}

fn operations_page() -> (String, usize) {
    let (rows, names) = (operations(), table());
    let mut page = String::from(
        "# Operations\n\nEvery operation of a tensor, as its own documentation says it; `cargo doc` shows examples and errors. Of PyTorch, `F` is\n\
         `torch.nn.functional`; of Keras, the names are those of `keras.ops`. This page is written by\n\
         `MAPSTO_BLESS=1 cargo test -p mapsto-tests --test pages`.\n\n\
         | | what it does | shape | gradient | PyTorch | Keras | ONNX |\n|---|---|---|---|---|---|---|\n",
    );
    for m in &rows {
        let marked = |mark: &str| cell(&part(&m.text, mark).unwrap_or_default());
        let [torch, keras] = names.get(&m.name).unwrap_or_else(|| {
            panic!("tests/elsewhere.txt has no row `{} | PyTorch | Keras`: run tests/elsewhere.py", m.name)
        });
        assert!(!torch.contains('?'), "tests/elsewhere.txt: what is `{}` called in PyTorch?", m.name);
        let (shape, gradient, onnx) = (marked("Shape"), marked("Gradient"), marked("ONNX"));
        let (torch, keras) = (cell(torch), cell(keras));
        let what = cell(&summary(&m.text));
        writeln!(page, "| `{}` | {what} | {shape} | {gradient} | {torch} | {keras} | {onnx} |", m.call)
            .expect("text");
    }
    (page, rows.len())
}

/// A public item of a file, with the text above it.
struct Documented {
    name: String,
    text: String,
}

/// The public structs, aliases and functions of a file, in the order in which they stand.
fn items(source: &str) -> Vec<Documented> {
    let (mut found, mut text) = (Vec::new(), String::new());
    for line in source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines() {
        let item = ["pub struct ", "pub fn ", "pub type "].iter().find_map(|word| line.strip_prefix(word));
        if let Some(doc) = line.strip_prefix("///") {
            text.push_str(doc.strip_prefix(' ').unwrap_or(doc));
            text.push('\n');
        } else if let Some(rest) = item {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.push(Documented { name, text: std::mem::take(&mut text) });
        } else if !line.starts_with("#[") {
            text.clear();
        }
    }
    found
}

/// Whether a file makes the kind of this name: `Kind::new("name", ..)`.
fn makes(source: &str, name: &str) -> bool {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let quoted = format!("\"{name}\",");
    let before = |at: usize| code[..at].trim_end();
    code.match_indices(&quoted).any(|(at, _)| {
        let call = before(at).strip_suffix('(').unwrap_or_default().rsplit([' ', '\n']).next();
        call.is_some_and(|call| call.ends_with("Kind::new") || call.starts_with("kind"))
    }) || code.lines().any(|line| {
        // One kind for each number of axes.
        line.contains("[\"\", \"") && line.contains(&format!("\"{name}\""))
    })
}

/// The page of a registry: each kind under its names, by the documentation of the item that it is.
fn page_of<T: Family + ?Sized>(title: &str, folder: &str, kinds: &[Kind<T>]) -> String {
    page_beside(title, folder, kinds, ["PyTorch", "Keras", "ONNX"])
}

/// The same with the names in three other libraries.
fn page_beside<T: Family + ?Sized>(
    title: &str,
    folder: &str,
    kinds: &[Kind<T>],
    others: [&str; 3],
) -> String {
    let (files, methods, table) = (rust_files(folder), operations(), table());
    let heads = ["in files", "in Rust", "what it is", "shape", others[0], others[1], others[2]];
    let rows: Vec<[String; 7]> =
        kinds.iter().map(|kind| row_of(kind, folder, &files, &methods, &table, others)).collect();
    // A schedule has no shape, and nothing is called in ONNX what it is here.
    let shown: Vec<usize> = (0..7).filter(|&i| rows.iter().any(|row| !row[i].is_empty())).collect();
    let line = |row: &[String]| {
        let cells: Vec<&str> = shown.iter().map(|&i| &*row[i]).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let head = line(&heads.map(String::from)) + &"|---".repeat(shown.len()) + "|\n";
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!(
        "# {title}\n\nEvery {} that a file can name, as its own documentation says it; `cargo doc` shows examples and errors, and\n\
         [the reference of options](options.md) every setting. This page is written by\n\
         `MAPSTO_BLESS=1 cargo test -p mapsto-tests --test pages`.\n\n{head}{rows}",
        T::NOUN
    )
}

/// The cells of a kind: its names here, what it is, its shape, its names elsewhere.
fn row_of<T: Family + ?Sized>(
    kind: &Kind<T>,
    folder: &str,
    files: &[(String, String)],
    methods: &[Method],
    table: &BTreeMap<String, [String; 2]>,
    others: [&str; 3],
) -> [String; 7] {
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let found = files.iter().find(|(_, source)| makes(source, kind.name));
    let (path, source) = found.unwrap_or_else(|| panic!("no file of {folder} makes `{}`", kind.name));
    let items = items(source);
    let named: Vec<&Documented> = items.iter().filter(|item| plain(&item.name) == plain(kind.name)).collect();
    let first = items.first();
    let (rust, texts): (Vec<String>, Vec<&str>) = if path.ends_with("/activation.rs") {
        // Activations are operations, or variants of one.
        let method = methods.iter().find(|m| m.name == kind.name);
        (
            method.map(|m| format!("Tensor::{}", m.name)).into_iter().collect(),
            method.map(|m| &*m.text).into_iter().collect(),
        )
    } else if named.is_empty() {
        (
            first.map(|item| item.name.clone()).into_iter().collect(),
            first.map(|item| &*item.text).into_iter().collect(),
        )
    } else {
        let texts = named.iter().copied().chain(first).map(|item| &*item.text);
        (named.iter().map(|item| item.name.clone()).collect(), texts.collect())
    };
    let told = |find: &dyn Fn(&str) -> Option<String>| texts.iter().find_map(|text| find(text));
    let name_in = |framework: &str, column: usize| {
        let listed =
            || table.get(kind.name).filter(|_| others[0] == "PyTorch").map(|row| row[column].clone());
        told(&|text| elsewhere(text, framework)).or_else(listed).unwrap_or_else(|| {
            panic!("{path}: the documentation of `{}` does not say its name in {framework}: `{framework}: ..;`, or that it has none", kind.name)
        })
    };
    let last = match others[2] {
        "ONNX" => told(&|text| elsewhere(text, "ONNX").or_else(|| part(text, "ONNX"))).unwrap_or_default(),
        other => name_in(other, 2),
    };
    [
        format!("`{}`", kind.name),
        rust.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        texts.first().map_or(kind.doc.to_string(), |text| summary(text)),
        told(&|text| part(text, "Shape")).unwrap_or_default(),
        name_in(others[0], 0),
        name_in(others[1], 1),
        last,
    ]
    .map(|text| cell(&text))
}

/// Requires that a page is what it would be written as; writes it where that is asked for.
#[track_caller]
fn up_to_date(name: &str, page: &str) {
    let path = root().join("docs").join(name);
    if std::env::var_os("MAPSTO_BLESS").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/{name} is stale: run `MAPSTO_BLESS=1 cargo test -p mapsto-tests --test pages`"
    );
}

#[test]
fn the_page_of_operations_is_what_they_say() {
    let (page, count) = operations_page();
    assert!(count > 150, "only {count} operations were found");
    up_to_date("operations.md", &page);
}

#[test]
fn the_pages_of_the_registries_are_what_they_say() {
    up_to_date("layers.md", &page_of("Layers", "crates/mapsto-nn/src/layers", LAYERS));
    up_to_date("losses.md", &page_of("Losses", "crates/mapsto-nn/src/losses", LOSSES));
    let page = page_beside(
        "Metrics",
        "crates/mapsto-train/src/metrics",
        METRICS,
        ["scikit-learn", "torchmetrics", "Keras"],
    );
    up_to_date("metrics.md", &page);
    up_to_date("optimizers.md", &page_of("Optimizers", "crates/mapsto-nn/src/optim", OPTIMIZERS));
    up_to_date("schedules.md", &page_of("Schedules", "crates/mapsto-nn/src/schedules", SCHEDULES));
    up_to_date("initialisers.md", &page_of("Initialisers", "crates/mapsto-nn/src/init", INITS));
}

#[test]
fn names_elsewhere_are_read_from_the_documentation() {
    let text = "What it does.\n\n* Shape: `[n]`.\n* PyTorch: `A(x=.., y=1.5)`, and `B`; Keras has none; ONNX: `C`. With more.\n";
    let all = ["PyTorch", "Keras", "ONNX"].map(|framework| elsewhere(text, framework));
    assert_eq!(
        all,
        [Some("`A(x=.., y=1.5)`, and `B`"), Some("none"), Some("`C`")].map(|s| s.map(String::from))
    );
    assert_eq!(elsewhere("It is.\n\nPyTorch and Keras have none.\n", "Keras").as_deref(), Some("none"));
    assert_eq!(elsewhere("As PyTorch draws them.\n", "PyTorch"), None);
    assert!(
        makes("x: LayerKind = LayerKind::new(\n    \"lstm\", \"..\")", "lstm")
            && !makes("f(\"lstm\", 1)", "lstm")
    );
}

/// Every name of `torch.nn`, `torch.nn.functional` and `keras.layers` stands in a page, as a counterpart or as what is left out.
#[test]
fn every_name_elsewhere_has_a_place_in_the_documents() {
    let page = |name: &str| text(&format!("docs/{name}"));
    let pages =
        ["counterparts.md", "layers.md", "losses.md", "operations.md", "from-pytorch.md", "from-keras.md"];
    let pages = pages.map(page).join("\n") + &text("tests/elsewhere.txt");
    let words: std::collections::BTreeSet<&str> =
        pages.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let theirs = text("tests/theirs.txt");
    let names: Vec<&str> = theirs.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(names.len() > 400, "{} names", names.len());
    let missing: Vec<&&str> =
        names.iter().filter(|name| !words.contains(name.rsplit('.').next().unwrap_or_default())).collect();
    assert!(
        missing.is_empty(),
        "say in docs/counterparts.md what these are here, or why they are not: {missing:?}"
    );
}
