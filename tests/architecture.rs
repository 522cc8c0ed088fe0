//! The invariants of the architecture, each checked over the text of the repository.

use mapsto_tests::{code, root, rust_files, text};
use std::collections::{BTreeMap, BTreeSet};

/// The layers, lowest first: a crate may depend on crates of lower layers only.
const LAYERS: &[&[&str]] = &[
    &["mapsto-kernels", "mapsto-derive"],
    &["mapsto-tensor"],
    &["mapsto-spec"],
    &["mapsto-nn", "mapsto-data", "mapsto-fft", "mapsto-linalg"],
    &["mapsto-models", "mapsto-train", "mapsto-explain"],
    &["mapsto"],
    &["mapsto-experiment"],
    &["mapsto-cli", "mapsto-bench", "mapsto-examples", "mapsto-tests"],
];

fn layer(name: &str) -> usize {
    LAYERS
        .iter()
        .position(|l| l.contains(&name))
        .unwrap_or_else(|| panic!("{name} has no layer in tests/architecture.rs"))
}

/// The crates of the workspace with the text of their manifests.
fn manifests() -> Vec<(String, String)> {
    let crates = std::fs::read_dir(root().join("crates")).expect("crates/ exists");
    let mut out: Vec<(String, String)> = crates
        .flatten()
        .filter(|e| e.path().join("Cargo.toml").exists())
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .map(|name| (name.clone(), text(&format!("crates/{name}/Cargo.toml"))))
        .collect();
    out.extend(["examples", "tests"].map(|d| (format!("mapsto-{d}"), text(&format!("{d}/Cargo.toml")))));
    out.sort();
    out
}

/// The names on the left of `=` in the dependency sections of a manifest, but for optional development helpers.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut out = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies");
        } else if inside
            && !line.starts_with('#')
            && let Some((name, _)) = line.split_once(['.', '='])
        {
            out.push(name.trim().to_string());
        }
    }
    out
}

#[test]
fn arrows_point_down() {
    for (name, manifest) in manifests() {
        for dependency in dependencies(&manifest).iter().filter(|d| d.starts_with("mapsto")) {
            assert!(
                layer(dependency) < layer(&name),
                "{name} depends on {dependency}, which is not below it"
            );
        }
    }
}

/// The modules of the kernels, a folder and the file that opens it being one, and which others each names in its code.
fn modules_of_the_kernels() -> BTreeMap<String, BTreeSet<String>> {
    let folder = "crates/mapsto-kernels/src/";
    let mut modules = BTreeMap::<String, BTreeSet<String>>::new();
    for (file, body) in rust_files(folder) {
        let name = file[folder.len()..].split(['/', '.']).next().unwrap_or_default().to_string();
        let code = code(&body);
        assert!(!code.contains("crate::{"), "{file}: one `use` a module, so that this test sees it");
        let named = code.split("crate::").skip(1).map(|rest| rest.split(|c: char| !is_word(c)).next());
        let named: Vec<&str> = named.flatten().filter(|other| *other != name).collect();
        modules.entry(name).or_default().extend(named.into_iter().map(str::to_string));
    }
    modules
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What is left of a graph when whatever names nothing that is left is taken away, again and again: circles, and what leads
/// to them.
fn circles(mut graph: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    loop {
        let before = graph.len();
        let left: BTreeSet<String> = graph.keys().cloned().collect();
        graph.retain(|_, named| !named.is_disjoint(&left));
        if graph.len() == before {
            return graph;
        }
    }
}

#[test]
fn the_modules_of_the_kernels_form_no_circle() {
    let modules = modules_of_the_kernels();
    assert!(modules["conv"].contains("gemm") && modules["rnn"].contains("gemm"), "{modules:?}");
    assert_eq!(circles(modules), BTreeMap::new());

    let graph = |edges: &[(&str, &str)]| {
        let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
        for (from, to) in edges {
            graph.entry(from.to_string()).or_default().insert(to.to_string());
        }
        graph
    };
    assert!(circles(graph(&[("a", "b"), ("b", "c"), ("a", "c")])).is_empty());
    assert_eq!(circles(graph(&[("a", "b"), ("b", "c"), ("c", "b"), ("d", "e")])).len(), 3);
}

#[test]
fn unsafe_stays_in_the_kernels_and_the_storage_and_says_why() {
    for (file, text) in rust_files("crates") {
        let allowed = file.starts_with("crates/mapsto-kernels/")
            || file.starts_with("crates/mapsto-tensor/src/storage/");
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if !code.contains("unsafe ") || code.contains("unsafe_code") {
                continue;
            }
            assert!(allowed, "{file}:{}: unsafe outside of kernels and storage", i + 1);
            let opens = code.contains("unsafe {") || code.contains("unsafe impl");
            // An `unsafe fn` states its contract under `# Safety`; a block or impl has its reason on the lines above.
            let said = (i.saturating_sub(6)..i).any(|k| lines[k].contains("SAFETY:"));
            assert!(!opens || said, "{file}:{}: an unsafe block without a `// SAFETY:` line", i + 1);
        }
    }
}

/// The folders in which one file is one thing, named in the list of its `mod.rs`.
const LISTS: &[&str] = &[
    "crates/mapsto-tensor/src/ops",
    "crates/mapsto-nn/src/layers",
    "crates/mapsto-nn/src/losses",
    "crates/mapsto-nn/src/optim",
    "crates/mapsto-nn/src/schedules",
    "crates/mapsto-data/src/sets",
    "crates/mapsto-data/src/transforms",
    "crates/mapsto-train/src/metrics",
    "crates/mapsto-explain/src/methods",
];

#[test]
fn each_thing_is_one_documented_tested_file_and_one_line_of_a_list() {
    for folder in LISTS {
        let list = text(&format!("{folder}/mod.rs"));
        let mut files = 0;
        for (file, body) in rust_files(folder) {
            let name = file.strip_prefix(folder).and_then(|f| f.strip_prefix('/')).unwrap_or(&file);
            let Some(stem) = name.strip_suffix(".rs").filter(|s| *s != "mod" && !s.contains('/')) else {
                continue;
            };
            files += 1;
            assert!(body.starts_with("//! "), "{file}: the first line does not say what it is");
            let listed = list.lines().any(|l| {
                l.trim() == stem
                    || l.trim().trim_end_matches([';', ',']).ends_with(stem)
                    || l.contains(&format!("{stem}::"))
            });
            assert!(listed, "{file}: `{stem}` is not named in {folder}/mod.rs");
            assert!(body.contains("pub fn ") || body.contains("pub struct "), "{file}: nothing public in it");
            assert!(body.contains("/// ```"), "{file}: no runnable example");
            let beside = root().join(folder).join(stem).join("tests.rs");
            assert!(body.contains("#[test]") || beside.is_file(), "{file}: no test");
        }
        assert!(files > 0, "{folder} is empty");
    }
}

#[test]
fn every_file_says_what_it_is_and_none_is_a_drawer() {
    for (file, body) in
        rust_files("crates").into_iter().chain(rust_files("examples")).chain(rust_files("tests"))
    {
        assert!(body.starts_with("//!"), "{file}: the first line does not say what it is");
        let stem = file.rsplit('/').next().and_then(|f| f.strip_suffix(".rs")).unwrap_or_default();
        let drawers = ["util", "utils", "common", "types", "base", "helper", "helpers", "misc"];
        assert!(!drawers.contains(&stem), "{file}: name it after the one thing it holds");
    }
}

/// What text would look like that asks whether something has this name.
fn asks_for(name: &str) -> [String; 6] {
    let forms = ["\"{}\" =>", "\"{}\" |", "== \"{}\"", "!= \"{}\"", "(\"{}\", |", "| \"{}\")"];
    forms.map(|form| form.replace("{}", name))
}

#[test]
fn no_file_tells_operations_losses_or_layers_apart_by_name() {
    // Shorter names are words of other things too: `all`, `any`, `max`.
    let ops = mapsto::kinds().map(|kind| kind.name);
    let layers = mapsto_nn::layers::LAYERS.iter().map(|kind| kind.name);
    let losses = mapsto_nn::losses::LOSSES.iter().map(|kind| kind.name);
    let optimizers = mapsto_nn::optim::OPTIMIZERS.iter().map(|kind| kind.name);
    let names = ops.chain(layers).chain(losses).chain(optimizers).filter(|name| name.len() > 3);
    let patterns: Vec<String> = names.flat_map(asks_for).collect();
    for (file, body) in rust_files("crates") {
        if file.contains("/ops/") || file.contains("/tests/") {
            continue;
        }
        let code = code(&body);
        let found = patterns.iter().find(|p| code.contains(p.as_str()));
        assert!(
            found.is_none(),
            "{file} tells things apart by name ({found:?}): declare what it needs in their files"
        );
    }
}

#[test]
fn no_printed_name_of_a_type_is_compared() {
    let mut printed = 0;
    for (file, body) in rust_files("crates") {
        let code = code(&body);
        for (i, line) in code.lines().enumerate().filter(|(_, line)| line.contains("type_name")) {
            printed += 1;
            let compares = ["==", "!=", "match ", "starts_with", "ends_with", "contains(", "find("];
            let found = compares.iter().find(|word| line.contains(*word));
            // Code that says which program or type a failed assertion is about may stand beside what it asserts.
            let said = line.trim_start().starts_with("assert");
            assert!(
                found.is_none() || said,
                "{file}, code line {}: a type is known by its `TypeId`: {line}",
                i + 1
            );
        }
    }
    assert!(printed > 0, "nothing prints the name of a type: the word has changed");
}

#[test]
fn loops_over_the_cpus_memory_stand_in_its_backend_and_in_kernels_alone() {
    let words = ["as_slice", "as_mut_slice", "filled_by(", "with_type!", "backend::host"];
    let mut kernels = 0;
    for (file, body) in rust_files("crates") {
        let source =
            ["crates/mapsto-tensor/src/", "crates/mapsto-nn/src/"].iter().any(|c| file.starts_with(c));
        let inside = ["/backend/", "/storage/", "/check/"].iter().any(|folder| file.contains(folder));
        let code = code(&body);
        let Some(word) = words.iter().find(|w| code.contains(**w)).filter(|_| source && !inside) else {
            continue;
        };
        // The kernel of a fused operation stands in the operation's file, that of a rule in the rule's; both also say what
        // the operation is composed of, for all other devices.
        let fused = code.contains("fn cpu(") && code.contains("fn compose(");
        let rule =
            file.contains("/optim/") && code.contains("fn apply<T: Scalar>(") && code.contains("fn compose(");
        assert!(
            fused || rule,
            "{file} reaches for the CPU's memory by `{word}`: use the primitives of `Backend`"
        );
        kernels += 1;
    }
    assert!(kernels > 20, "{kernels} files of kernels were found: the words have changed");
}

#[test]
fn only_the_command_line_prints() {
    for (file, body) in rust_files("crates") {
        let prints = ["mapsto-cli/", "mapsto-bench/", "/tests/", "/benches/", "/examples/"];
        if prints.iter().any(|p| file.contains(p)) {
            continue;
        }
        for macro_name in ["println!", "eprintln!", "print!(", "eprint!(", "dbg!("] {
            assert!(!code(&body).contains(macro_name), "{file} prints with {macro_name}");
        }
        // The trainer's progress line, and the second Ctrl-C, which stops at once.
        if ["mapsto-train/src/progress.rs", "mapsto-train/src/interrupt.rs"].iter().any(|f| file.ends_with(f))
        {
            continue;
        }
        for word in ["stdout()", "stderr()", "process::exit"] {
            assert!(!code(&body).contains(word), "{file} reaches for the terminal with {word}");
        }
    }
}

#[test]
fn nothing_is_stubbed_skipped_or_silenced() {
    let all = rust_files("crates").into_iter().chain(rust_files("examples")).chain(rust_files("xtask"));
    for (file, body) in all {
        // Written in two parts, so that this file does not find itself.
        for bad in [
            ["todo", "!("],
            ["unimplemented", "!("],
            ["#[ign", "ore"],
            ["FIX", "ME"],
            ["allow(dead", "_code)"],
        ] {
            let bad = bad.concat();
            assert!(!body.contains(&bad), "{file} contains {bad}");
        }
    }
}

#[test]
fn building_and_testing_need_no_network_no_gpu_and_no_build_script() {
    for (name, manifest) in manifests() {
        for bad in ["git =", "reqwest", "ureq", "hyper", "cuda", "cudarc", "wgpu", "build ="] {
            let found = manifest.lines().any(|l| l.starts_with(bad) || l.contains(&format!("{{ {bad}")));
            assert!(!found, "{name}: its manifest names {bad}");
        }
        assert!(!root().join(format!("crates/{name}/build.rs")).exists(), "{name} has a build script");
    }
}

#[test]
fn every_dependency_has_its_reason_in_the_architecture() {
    let architecture = text("ARCHITECTURE.md");
    for (name, manifest) in manifests() {
        for dependency in dependencies(&manifest).iter().filter(|d| !d.starts_with("mapsto")) {
            assert!(
                architecture.contains(&format!("| `{dependency}` |")),
                "{name} depends on {dependency}, for which ARCHITECTURE.md gives no reason"
            );
        }
    }
}

/// What `use mapsto::prelude::*` brings: what first programs need, and nothing else.
const PRELUDE: &[&str] = &[
    // tensors
    "Tensor",
    "tensor",
    "DType",
    "seed",
    "keep",
    "assert_close", // gradients
    "train",
    "no_grad",
    "grad", // errors
    "Error",
    "Result",
    "catch", // models
    "Module",
    "ModuleExt",
    "Layer",
    "Apply",
    "Param",
    "Sequential",
    "seq",
    "Linear",
    "Conv2d",
    "MaxPool2d",
    "BatchNorm2d",
    "LayerNorm",
    "Dropout",
    "Embedding",
    "Flatten",
    "Lstm", // losses and optimizers
    "mse",
    "cross_entropy",
    "bce_with_logits",
    "Optimizer",
    "Sgd",
    "Adam",
    "AdamW", // data
    "Dataset",
    "InMemory",
    "Table",
    "mnist", // training
    "Trainer",
    "Accuracy",
    "EarlyStop",
    "evaluate",
    "save",
    "load",
];

#[test]
fn the_prelude_holds_the_names_of_first_programs_alone() {
    let facade = text("crates/mapsto/src/lib.rs");
    let prelude = facade.split("pub mod prelude {").nth(1).expect("the facade has a prelude");
    let body: String =
        prelude.lines().take_while(|line| *line != "}").map(|line| format!("{line} ")).collect();
    let mut found: Vec<&str> = Vec::new();
    for import in body.split(';').filter(|i| i.contains("pub use")) {
        assert!(!import.contains('*'), "a glob brings whatever is added elsewhere:{import}");
        let names = import.rsplit_once("::").map_or(import, |(_, names)| names);
        found.extend(names.split(['{', '}', ',', ' ']).filter(|name| !name.is_empty()));
    }
    found.sort_unstable();
    let mut expected = PRELUDE.to_vec();
    expected.sort_unstable();
    assert_eq!(
        found, expected,
        "change the prelude and this list together, and think twice about a name more"
    );
    assert!(
        found.len() <= 45,
        "{} names: what a first program does not need lives in its module",
        found.len()
    );
}

#[test]
fn unlisted_crates_are_found() {
    assert!(std::panic::catch_unwind(|| layer("mapsto-nonesuch")).is_err());
    assert_eq!(
        dependencies("[dependencies]\nhalf = \"2\"\nmapsto-nn.workspace = true\n[lints]\nx = 1"),
        ["half", "mapsto-nn"]
    );
}
