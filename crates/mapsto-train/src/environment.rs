//! Where a run ran: what whoever repeats it wants to know of the machine.

use mapsto_spec::Json;
use std::fs;

/// Where a run ran: the version of mapsto, system, processor and number of cores, the time, and the command.
///
/// ```
/// let env = mapsto_train::environment();
/// assert_eq!(env[0].0, "mapsto");
/// ```
#[must_use]
pub fn environment() -> Vec<(String, Json)> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let command: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let pairs = [
        ("mapsto", Json::from(env!("CARGO_PKG_VERSION"))),
        ("os", Json::from(std::env::consts::OS)),
        ("arch", Json::from(std::env::consts::ARCH)),
        ("cpu", processor().map_or(Json::Null, Json::from)),
        ("cores", Json::from(cores)),
        ("started", Json::from(utc(now))),
        ("command", Json::from(command)),
    ];
    pairs.map(|(k, v)| (k.to_string(), v)).to_vec()
}

/// The processor's name, where the system tells it in a file.
fn processor() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|l| l.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

/// Seconds since 1970 as `2026-01-31T12:00:00Z` (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn utc(seconds: u64) -> String {
    let (days, rest) = ((seconds / 86_400) as i64, seconds % 86_400);
    let z = days + 719_468;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let (d, m) = (day - (153 * march + 2) / 5 + 1, if march < 10 { march + 3 } else { march - 9 });
    let y = year + era * 400 + i64::from(m <= 2);
    format!("{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[test]
fn dates() {
    // date -u -d @1709164800 = 2024-02-29 00:00:00; date -u -d @4102444799 = 2099-12-31 23:59:59
    let dates = [0, 1_709_164_800, 4_102_444_799].map(utc);
    assert_eq!(dates, ["1970-01-01T00:00:00Z", "2024-02-29T00:00:00Z", "2099-12-31T23:59:59Z"]);
}
