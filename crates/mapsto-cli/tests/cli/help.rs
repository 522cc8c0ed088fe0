//! What the command says about itself.

use crate::check_cli::{Folder, check_cli};

#[test]
fn help_names_every_command_and_exit_code() {
    let help = Folder::new().run("--help").ok();
    for word in [
        "train",
        "eval",
        "predict",
        "data",
        "lr-find",
        "summary",
        "plot",
        "new",
        "render",
        "doctor",
        "130",
        "MAPSTO_DEBUG=ops",
    ] {
        assert!(help.contains(word), "{word} is missing:\n{help}");
    }
    for command in [
        "train", "tune", "eval", "predict", "explain", "data", "cv", "lr-find", "summary", "plot", "new",
        "render", "doctor",
    ] {
        let help = Folder::new().run(&format!("{command} --help")).ok();
        assert!(help.contains("Example"), "{command}:\n{help}");
    }
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    let folder = Folder::new();
    assert_eq!(folder.run("trian net.toml").code, 2);
    assert_eq!(folder.run("").code, 2);
    assert_eq!(folder.run("train").code, 2);
    check_cli(
        &folder,
        "doctor --train.epochs 3",
        2,
        "error: `mapsto doctor` takes no overrides, and was given `--train.epochs 3`\n\
         help: `train`, `summary` and `render` of a .toml file do",
    );
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_is_no_error() {
    use std::process::Stdio;
    let folder = Folder::new();
    for args in ["doctor", "new net"] {
        let mut child = folder.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty());
    }
    assert_eq!(folder.names(), ["net"]);
}
