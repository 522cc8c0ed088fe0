//! `mapsto new`: the project it makes trains from its file and from its program, which is compiled here as it is shipped.

use crate::check_cli::{Folder, check_cli};

#[path = "../../scaffold/src/main.rs"]
mod project;

#[test]
fn a_new_project_trains_from_its_file() {
    let folder = Folder::new();
    let said = folder.run("new moons").ok();
    assert!(said.contains("next: cd moons"), "{said}");
    let mut command = folder.command("train model.toml --train.epochs 20");
    let output = command.current_dir(folder.path().join("moons")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(folder.path().join("moons/runs/model-1/best.safetensors").is_file());
}

#[test]
fn a_new_project_trains_from_its_program() {
    let folder = Folder::new();
    folder.run("new moons").ok();
    // No other test of this process uses the current directory.
    std::env::set_current_dir(folder.path().join("moons")).unwrap();
    project::main().unwrap();
}

#[test]
fn nothing_is_overwritten_and_names_must_fit() {
    let folder = Folder::new();
    folder.write("net/keep.txt", "mine");
    check_cli(
        &folder,
        "new net",
        2,
        "error: net already exists\nhelp: choose another name, or remove it first",
    );
    check_cli(
        &folder,
        "new 7up",
        2,
        "error: `7up` cannot be the name of a project\nhelp: use ASCII letters, digits, - and _, beginning with a letter",
    );
    assert_eq!(folder.read("net/keep.txt"), "mine");
}
