//! The report at the end of a training and on demand, and the page that follows a training.

use std::fs;

use crate::check_cli::{Folder, check_cli};
use crate::resume::{NET, ring};

fn started() -> Folder {
    let folder = Folder::new();
    folder.write("ring.csv", ring()).write("net.toml", NET.replace("[model]", "test = 0.2\n\n[model]"));
    folder
}

#[test]
fn a_training_says_where_its_report_is_and_writes_it_again_when_asked() {
    let folder = started();
    let said = folder.run("train net.toml --out run -q").ok();
    assert!(said.lines().any(|line| line == "report run/report.html"), "{said}");
    let page = folder.read("run/report.html");
    fs::remove_file(folder.path().join("run/report.html")).unwrap();
    assert_eq!(folder.run("report run").ok(), "report run/report.html\n");
    assert_eq!(folder.read("run/report.html"), page);
    // A run that is over is brought into order.
    fs::remove_file(folder.path().join("run/report.html")).unwrap();
    folder.run("train --resume run -q").ok();
    assert_eq!(folder.read("run/report.html"), page);
    let outcome = folder.run("report none");
    assert_eq!((outcome.code, outcome.out.as_str()), (3, ""));
    assert!(outcome.err.contains("none") && outcome.err.contains("help: "), "{}", outcome.err);
    folder.write("begun/config.toml", folder.read("run/config.toml"));
    check_cli(
        &folder,
        "report begun",
        3,
        "error: begun: no epoch of the run is finished yet\nhelp: ask for the report once the first one is",
    );
}

#[test]
fn a_training_that_is_followed_gives_the_same_numbers() {
    let folder = started();
    folder.run("train net.toml --out alone -q").ok();
    let output = folder
        .command("train net.toml --out followed -q --open")
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("\nlive   http://127.0.0.1:"), "{said}");
    let losses = |run: &str| {
        let text = folder.read(&format!("{run}/metrics.jsonl"));
        text.lines()
            .map(|row| row.split(",\"seconds\"").next().unwrap_or_default().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(losses("alone"), losses("followed"));
}

#[cfg(unix)]
#[test]
fn the_page_of_a_training_grows_is_for_this_machine_alone_and_ends_with_it() {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpStream;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    let folder = started();
    let mut child = folder
        .command("train net.toml --train.epochs 1000000 --out run -q --open")
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    let mut lines = said.lines().map(|line| line.unwrap());
    let address = lines.find_map(|line| line.strip_prefix("live   http://").map(str::to_string)).unwrap();
    let address = address.trim_end_matches('/').to_string();
    let get = |target: &str, host: &str| {
        let mut stream = TcpStream::connect(&address).ok()?;
        stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    };
    let page = get("/", &address).unwrap();
    assert!(page.starts_with("HTTP/1.1 200 OK") && page.contains("id=\"live\""), "{page}");
    assert!(get("/data", "evil.example").unwrap().starts_with("HTTP/1.1 403 "));
    let end = Instant::now() + Duration::from_secs(60);
    // How many epochs the curves show.
    let shown = || get("/data", &address).map_or(0, |data| data.matches("data-column=\\\"loss\\\"").count());
    let until = |enough: usize| {
        let mut n = 0;
        while n < enough && Instant::now() < end {
            n = shown();
        }
        n
    };
    let first = until(1);
    assert!(first > 0, "no curve in a minute");
    // Who connects and says nothing, and who says too much, holds up neither the training nor, for long, the page.
    let silent: Vec<TcpStream> = (0..30).filter_map(|_| TcpStream::connect(&address).ok()).collect();
    _ = get(&format!("/{}", "a".repeat(100_000)), &address);
    let rows = || folder.read("run/metrics.csv").lines().count();
    let before = rows();
    while rows() <= before {
        assert!(Instant::now() < end, "the training stands still");
    }
    drop(silent);
    assert!(until(first + 1) > first, "the curves do not grow");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code().is_some_and(|code| code != 0) && complaint.contains("--resume run"),
        "{complaint}"
    );
    assert!(get("/", &address).is_none(), "the page outlives the training");
}
