//! How light the core library is: the packages of others that it pulls in with no optional feature.

use mapsto_tests::root;
use std::collections::BTreeSet;
use std::process::Command;

/// The most packages of others that the core library may pull in.
const MOST: usize = 40;

#[test]
fn the_core_library_pulls_in_few_packages() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let out = Command::new(cargo)
        .args([
            "tree",
            "-p",
            "mapsto",
            "--no-default-features",
            "-e",
            "normal",
            "--prefix",
            "none",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let tree = String::from_utf8_lossy(&out.stdout);
    let others: BTreeSet<&str> = tree
        .lines()
        .map(|l| l.trim_end_matches(" (*)"))
        .filter(|l| !l.is_empty() && !l.starts_with("mapsto"))
        .collect();
    println!("{} packages of others: {others:?}", others.len());
    assert!(
        !others.is_empty() && others.len() <= MOST,
        "{} packages, the most is {MOST}: {others:#?}",
        others.len()
    );
}
