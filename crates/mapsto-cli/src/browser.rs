//! Opening a page in the browser of whoever sits at this machine, where there is one.

use std::process::{Command, Stdio};

/// Asks the system to show an address. That it cannot is no error: the address has been said.
pub fn open(address: &str) {
    let Some(program) = opener(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) else {
        return;
    };
    let mut command = Command::new(program);
    command.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // A browser of its own group is not ended by Ctrl-C here.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let Ok(mut opened) = command.spawn() else { return };
    // What has ended is taken note of; the program itself waits for nobody.
    _ = std::thread::Builder::new().name("browser".into()).spawn(move || opened.wait());
}

/// The program that opens addresses. Without a screen it would start a browser of text in this very terminal.
fn opener(is_set: impl Fn(&str) -> bool) -> Option<&'static str> {
    match std::env::consts::OS {
        "macos" => Some("open"),
        "windows" => Some("explorer"),
        _ => (is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")).then_some("xdg-open"),
    }
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_opened_without_a_screen() {
    assert_eq!(opener(|_| false), None);
    assert_eq!(opener(|name| name == "WAYLAND_DISPLAY"), Some("xdg-open"));
}
