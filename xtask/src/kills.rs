//! `cargo xtask kills`: kills runs of the real command at 200 random moments, and requires what was never killed, to the bit.

use std::path::Path;
use std::process::Command;

/// Kills so often, and says what the test said.
pub fn run(root: &Path, kills: u64) -> Result<String, String> {
    let test =
        ["test", "--locked", "--quiet", "-p", "mapsto-cli", "--test", "cli", "kills::", "--", "--nocapture"];
    let mut command = Command::new("cargo");
    let status = command.args(test).env("MAPSTO_KILLS", kills.to_string()).current_dir(root).status();
    match status {
        Ok(status) if status.success() => Ok(String::new()),
        Ok(_) => {
            Err(format!("a run that was killed is not what it would have been, after at most {kills} kills"))
        }
        Err(e) => Err(format!("{command:?}: {e}")),
    }
}
