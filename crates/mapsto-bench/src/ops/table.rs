//! What was measured: kept line by line, shown as a table from the worst and as a picture.

use super::cell::{DTYPES, Layout, Pass, SIZES};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// One cell's times in microseconds, or why PyTorch has none.
#[derive(Clone, Debug)]
pub struct Row {
    name: String,
    times: Result<(f64, f64), String>,
}

impl Row {
    pub fn measured(name: String, (mapsto, torch): (f64, f64)) -> Row {
        Row { name, times: Ok((mapsto, torch)) }
    }

    pub fn missing(name: String, reason: String) -> Row {
        Row { name, times: Err(reason) }
    }

    /// How many times PyTorch's time is mapsto's.
    fn ratio(&self) -> Option<f64> {
        self.times.as_ref().ok().map(|(mapsto, torch)| torch / mapsto)
    }

    fn parse(line: &str) -> Option<Row> {
        let mut parts = line.split('\t');
        let name = parts.next()?.to_string();
        let times = match (parts.next()?, parts.next()?) {
            ("missing", reason) => Err(reason.to_string()),
            (mapsto, torch) => Ok((mapsto.parse().ok()?, torch.parse().ok()?)),
        };
        Some(Row { name, times })
    }

    fn line(&self) -> String {
        match &self.times {
            Ok((mapsto, torch)) => format!("{}\t{mapsto:.4}\t{torch:.4}", self.name),
            Err(reason) => format!("{}\tmissing\t{}", self.name, reason.replace('\t', " ")),
        }
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.times, self.ratio()) {
            (Ok((mapsto, torch)), Some(ratio)) => {
                write!(f, "{ratio:6.2}  {mapsto:10.2} µs  {torch:10.2} µs  {}", self.name)
            }
            (Err(reason), _) => write!(f, "     -  {}: {reason}", self.name),
            _ => Ok(()),
        }
    }
}

/// The file of results.
pub struct Rows {
    rows: Vec<Row>,
    file: std::fs::File,
}

impl Rows {
    /// Reads what is there.
    pub fn open(out: &Path) -> Result<Rows, String> {
        let path = out.join("results.tsv");
        let failed = |e: std::io::Error| format!("{}: {e}", path.display());
        std::fs::create_dir_all(out).map_err(failed)?;
        let text =
            if path.exists() { std::fs::read_to_string(&path).map_err(failed)? } else { String::new() };
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        Ok(Rows { rows: text.lines().filter_map(Row::parse).collect(), file })
    }

    pub fn has(&self, name: &str) -> bool {
        self.rows.iter().any(|row| row.name == name)
    }

    pub fn push(&mut self, row: Row) -> Result<(), String> {
        writeln!(self.file, "{}", row.line()).map_err(|e| e.to_string())?;
        self.rows.push(row);
        Ok(())
    }

    pub fn of(&self, wanted: impl Fn(&str) -> bool) -> Vec<Row> {
        self.rows.iter().filter(|row| wanted(&row.name)).cloned().collect()
    }
}

/// The line of BENCHMARKS.md; `what` is what the rows are.
pub fn summary(what: &str, rows: &[Row]) -> String {
    let ratios: Vec<f64> = rows.iter().filter_map(Row::ratio).collect();
    let share = |least: f64| {
        100.0 * ratios.iter().filter(|r| **r >= least).count() as f64 / ratios.len().max(1) as f64
    };
    let worst = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    format!(
        "| {what} | share >= 0.9 | share >= 1.1 | worst |\n|---|---|---|---|\n| {} | {:.1} % | {:.1} % | {worst:.2} |",
        ratios.len(),
        share(0.9),
        share(1.1)
    )
}

/// Writes the table, from the worst row.
pub fn write(what: &str, out: &Path, rows: &mut [Row]) -> Result<(), String> {
    let key = |row: &Row| row.ratio().unwrap_or(f64::INFINITY);
    rows.sort_by(|a, b| key(a).total_cmp(&key(b)));
    let mut text = summary(what, rows) + "\n\n| times | mapsto, µs | PyTorch, µs | |\n|---|---|---|---|\n";
    for row in rows.iter() {
        let name = row.name.replace(" | ", ", ");
        let _ = match &row.times {
            Ok((mapsto, torch)) => {
                writeln!(text, "| {:.2} | {mapsto:.2} | {torch:.2} | {name} |", torch / mapsto)
            }
            Err(reason) => writeln!(text, "| - | | | {name}: {} |", reason.replace('|', "/")),
        };
    }
    save(out.join("table.md"), &text)
}

/// Draws the map of all cells.
pub fn draw(out: &Path, rows: &[Row]) -> Result<(), String> {
    save(out.join("map.svg"), &picture(rows))
}

fn save(path: PathBuf, text: &str) -> Result<(), String> {
    std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// A row for each case, a column for each dtype, size, layout and pass, coloured by the worst cell there.
fn picture(rows: &[Row]) -> String {
    let columns: Vec<&str> = DTYPES
        .iter()
        .map(|d| d.1)
        .chain(SIZES)
        .chain(Layout::ALL.map(Layout::name))
        .chain([Pass::Forward, Pass::Both].map(Pass::name))
        .collect();
    let mut worst: BTreeMap<(&str, usize), f64> = BTreeMap::new();
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        let Some(ratio) = row.ratio() else { continue };
        let mut parts = row.name.split(" | ");
        let Some(name) = parts.next() else { continue };
        names.push(name);
        for part in parts {
            let Some(column) = columns.iter().position(|c| *c == part) else { continue };
            let held = worst.entry((name, column)).or_insert(f64::INFINITY);
            *held = held.min(ratio);
        }
    }
    names.sort_unstable();
    names.dedup();
    let (side, left, top) = (16, 150, 120);
    let (width, height) = (left + side * columns.len() + 10, top + side * names.len() + 10);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (i, column) in columns.iter().enumerate() {
        let (x, y) = (left + i * side + 11, top - 6);
        let _ = writeln!(svg, "<text transform=\"translate({x} {y}) rotate(-60)\">{column}</text>");
    }
    for (j, name) in names.iter().enumerate() {
        let y = top + j * side;
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>", left - 6, y + 12);
        for (i, column) in columns.iter().enumerate() {
            let Some(ratio) = worst.get(&(*name, i)) else { continue };
            let (x, fill) = (left + i * side, colour(*ratio));
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{0}\" height=\"{0}\" fill=\"{fill}\"><title>{name}, {column}: {ratio:.2}</title></rect>",
                side - 1
            );
        }
    }
    svg + "</svg>\n"
}

/// From red (a third of PyTorch's speed or less) over white (the same) to blue (three times or more).
fn colour(ratio: f64) -> String {
    let t = (ratio.ln() / 3f64.ln()).clamp(-1.0, 1.0);
    let fade = (255.0 * (1.0 - t.abs())) as u8;
    if t < 0.0 { format!("rgb(255,{fade},{fade})") } else { format!("rgb({fade},{fade},255)") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_their_file_and_the_worst_stands_first() {
        let row = |name: &str, times| Row { name: format!("{name} | f32 | 1e3 | rows | forward"), times };
        let mut rows = vec![
            row("add", Ok((1.0, 2.0))),
            row("sub", Ok((4.0, 2.0))),
            row("mul", Err("not\tthere".to_string())),
        ];
        for r in &rows {
            let read = Row::parse(&r.line()).unwrap();
            assert_eq!((read.name.as_str(), read.ratio()), (r.name.as_str(), r.ratio()));
        }
        let out = std::env::temp_dir().join(format!("mapsto-ops-{}", std::process::id()));
        let mut file = Rows::open(&out).unwrap();
        rows.iter().for_each(|r| file.push(r.clone()).unwrap());
        assert!(Rows::open(&out).unwrap().has("sub | f32 | 1e3 | rows | forward"));
        write("cells", &out, &mut rows).unwrap();
        draw(&out, &rows).unwrap();
        let table = std::fs::read_to_string(out.join("table.md")).unwrap();
        assert!(table.contains("| 2 | 50.0 % | 50.0 % | 0.50 |"), "{table}");
        assert!(table.find("| 0.50 | 4.00 | 2.00 | sub").unwrap() < table.find("| 2.00 | 1.00").unwrap());
        let svg = std::fs::read_to_string(out.join("map.svg")).unwrap();
        assert_eq!(svg.matches("<rect x=").count(), 8);
        std::fs::remove_dir_all(&out).unwrap();
    }
}
