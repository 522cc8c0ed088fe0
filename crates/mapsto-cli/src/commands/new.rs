//! `mapsto new`: a project of one's own that builds, trains and can be changed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use mapsto::{Error, ErrorKind, Result};

use super::{Invocation, Overriding, Verb};
use crate::failure::Failure;
use crate::output::say;

/// The subcommand.
pub const VERB: Verb = Verb { name: "new", command, overriding: Overriding::None, run };

const MANIFEST: &str = include_str!("../../scaffold/Cargo.toml.in");
const MAIN: &str = include_str!("../../scaffold/src/main.rs");
const MODEL: &str = include_str!("../../scaffold/model.toml");

fn command(command: Command) -> Command {
    command
        .about("Make a project: Cargo.toml, src/main.rs, model.toml and a little data")
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .required(true)
                .help("The project's name, or a path that ends in it"),
        )
        .arg(Arg::new("mapsto").long("mapsto").value_name("FOLDER").help(
            "Where mapsto's sources are [default: where this command was built, if they are still there]",
        ))
        .after_help(
            "Example:\n  mapsto new moons && cd moons && mapsto train model.toml && cargo run --release",
        )
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let folder = Path::new(invocation.text("name"));
    let name = package_name(folder)?;
    if folder.exists() {
        let error = Error::new(ErrorKind::Usage, format!("{} already exists", folder.display()));
        return Err(error.help("choose another name, or remove it first").into());
    }
    let manifest =
        MANIFEST.replace("NAME", name).replace("MAPSTO", &dependency(invocation.optional("mapsto"))?);
    // Public in our copy only, so that a test can call it as a module.
    let program = MAIN.replace("pub fn main()", "fn main()");
    let files = [
        ("Cargo.toml", manifest.as_str()),
        ("src/main.rs", &program),
        ("model.toml", MODEL),
        ("points.csv", &moons()),
        (".gitignore", "/target\n/runs\n"),
    ];
    write_project(folder, &files)?;
    say!("made {}", folder.display());
    for (file, _) in &files {
        say!("  {file}");
    }
    say!("next: cd {} && mapsto train model.toml && cargo run --release", folder.display());
    Ok(())
}

/// The last part of the path, if cargo takes it as a package's name.
fn package_name(folder: &Path) -> Result<&str> {
    let name = folder.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if fits && !["test", "core", "std", "mapsto"].contains(&name) {
        return Ok(name);
    }
    let error = Error::new(ErrorKind::Usage, format!("`{name}` cannot be the name of a project"));
    Err(error.help("use ASCII letters, digits, - and _, beginning with a letter"))
}

/// How the new project finds mapsto.
fn dependency(given: Option<&str>) -> Result<String> {
    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/../mapsto");
    let folder = given.map_or_else(|| PathBuf::from(built_in), PathBuf::from);
    // Either the workspace or the crate itself may be named.
    let found = [folder.clone(), folder.join("crates/mapsto")].into_iter().find_map(|path| {
        let manifest = fs::read_to_string(path.join("Cargo.toml")).ok()?;
        manifest.contains("name = \"mapsto\"").then(|| path.canonicalize().unwrap_or(path))
    });
    match (found, given) {
        (Some(path), _) => Ok(format!("{{ path = {:?} }}", path.display().to_string())),
        (None, Some(given)) => {
            let error = Error::new(ErrorKind::Usage, format!("{given} does not hold mapsto's sources"));
            Err(error.help("name the folder that holds crates/mapsto"))
        }
        (None, None) => Ok(format!("{{ git = \"{}\" }}", env!("CARGO_PKG_REPOSITORY"))),
    }
}

/// Writes all files or none: into a folder beside the target, which then takes its name.
fn write_project(folder: &Path, files: &[(&str, &str)]) -> Result<()> {
    let mut draft = folder.as_os_str().to_owned();
    draft.push(".tmp");
    let draft = PathBuf::from(draft);
    let write = || -> Result<()> {
        for (file, text) in files {
            let path = draft.join(file);
            let parent = path.parent().unwrap_or(&draft);
            fs::create_dir_all(parent).map_err(|e| Error::io(parent, e))?;
            fs::write(&path, text).map_err(|e| Error::io(&path, e))?;
        }
        fs::rename(&draft, folder).map_err(|e| Error::io(folder, e))
    };
    write().inspect_err(|_| _ = fs::remove_dir_all(&draft))
}

/// 100 points on each of two interleaved half circles of radius 1, scattered by ±0.15.
fn moons() -> String {
    let mut table = String::from("x,y,moon\n");
    let mut draw = mapsto::random::Keyed::new(&[1]);
    for i in 0..200 {
        let angle = std::f64::consts::PI * draw.uniform(0.0, 1.0);
        let (x, y, moon) = match i % 2 {
            0 => (angle.cos(), angle.sin(), "upper"),
            _ => (1.0 - angle.cos(), 0.5 - angle.sin(), "lower"),
        };
        let (x, y) = (x + draw.uniform(-0.15, 0.15), y + draw.uniform(-0.15, 0.15));
        _ = writeln!(table, "{x:.4},{y:.4},{moon}");
    }
    table
}
