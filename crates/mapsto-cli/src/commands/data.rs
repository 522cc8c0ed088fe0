//! `mapsto data`: what the data of a training file is, before anything is trained on it.

use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use mapsto::data::{day_of, encode_png};
use mapsto::spec::Json;
use mapsto::training::readable;
use mapsto::{DType, Error, Result, Tensor};
use mapsto_experiment::{Experiment, PartSurvey, Range, Survey, plain};

use super::{Invocation, Overriding, Verb, read_experiment};
use crate::failure::Failure;
use crate::output::say;
use crate::report::{self, grouped};

/// The subcommand.
pub const VERB: Verb = Verb { name: "data", command, overriding: Overriding::Configuration, run };

/// Classes that are shown; of more, the largest and the smallest.
const MOST_CLASSES: usize = 30;

fn command(command: Command) -> Command {
    command
        .about("Show what the data of a file is: classes, ranges, copies, and pictures of it")
        .arg(Arg::new("file").value_name("FILE.toml").required(true).help("The training file whose data is looked at"))
        .arg(
            Arg::new("out")
                .long("pictures")
                .value_name("FOLDER")
                .help("Where pictures are drawn: an augmented batch and examples of each class [default: runs/NAME-data]"),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(["table", "json"])
                .default_value("table")
                .help("A table to read, or JSON for other programs"),
        )
        .override_usage("mapsto data FILE.toml [--SECTION.KEY VALUE]...")
        .after_help("Examples:\n  mapsto data mnist.toml\n  mapsto data pets.toml --pictures looks --data.augment '[\"trivial_augment\"]'")
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let file = invocation.text("file");
    let experiment = read_experiment(file, invocation.overrides)?;
    let survey = experiment.survey()?;
    let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let out = invocation
        .optional("out")
        .map_or_else(|| Path::new("runs").join(format!("{stem}-data")), PathBuf::from);
    let drawn = if experiment.has_pictures()? { draw(&experiment, &out)? } else { Vec::new() };
    if invocation.optional("format") == Some("json") {
        let Json::Object(mut fields) = survey.to_json() else { unreachable!("a survey is an object") };
        let names = drawn.iter().map(|path| Json::Str(path.display().to_string())).collect();
        fields.push(("pictures".into(), Json::List(names)));
        say!("{}", Json::Object(fields));
        return Ok(());
    }
    show(&survey);
    for path in drawn {
        say!("drawn  {}", path.display());
    }
    Ok(())
}

/// Prints the survey.
fn show(survey: &Survey) {
    let sizes = survey.parts.iter().map(|part| match part.read == part.samples {
        true => format!("{} {}", grouped(part.samples), part.name),
        false => format!("{} {} ({} looked at)", grouped(part.samples), part.name, grouped(part.read)),
    });
    say!("data   {}  {} samples", survey.set, sizes.collect::<Vec<_>>().join(", "));
    say!("input  {:?}", survey.shape);
    if survey.parts.iter().any(|part| !part.counts.is_empty()) {
        say!();
        classes(survey).iter().for_each(|line| say!("{line}"));
    }
    if !survey.columns.is_empty() {
        say!("\n{}", report::columns(&survey.columns));
    }
    say!();
    let dates: Vec<&str> =
        survey.columns.iter().filter(|u| u.kind == "date").map(|u| u.column.as_str()).collect();
    ranges(&survey.ranges, &dates, &format!("inputs, of {} training samples", grouped(survey.ranges_of)));
    for PartSurvey { name, targets, .. } in survey.parts.iter().filter(|part| !part.targets.is_empty()) {
        ranges(targets, &[], &format!("targets, {name}"));
    }
    say!();
    report::findings(survey.findings.iter());
    match &survey.near[..] {
        [] => {}
        [(first, second), ..] => say!(
            "look   near copies: {} training samples are almost as another one, as {second} and {first}",
            grouped(survey.near.len())
        ),
    }
}

/// The table of classes, with a bar for the training samples of each.
fn classes(survey: &Survey) -> Vec<String> {
    const BAR: usize = 24;
    let n = survey.parts.iter().map(|part| part.counts.len()).max().unwrap_or(0);
    let count = |part: &PartSurvey, class: usize| part.counts.get(class).copied().unwrap_or(0);
    let train = &survey.parts[0];
    let mut order: Vec<usize> = (0..n).collect();
    let mut left_out = 0;
    if n > MOST_CLASSES {
        order.sort_by_key(|&class| std::cmp::Reverse(count(train, class)));
        left_out = n - MOST_CLASSES;
        order.drain(MOST_CLASSES * 2 / 3..n - MOST_CLASSES / 3);
    }
    let most = (0..n).map(|class| count(train, class)).max().unwrap_or(0).max(1);
    let name = |class: usize| survey.classes.get(class).map_or_else(|| class.to_string(), |name| plain(name));
    let mut rows = vec![["class".to_string(), String::new(), String::new(), String::new(), String::new()]];
    for (at, part) in survey.parts.iter().enumerate().take(3) {
        rows[0][at + 1] = part.name.to_string();
    }
    for &class in &order {
        let mut row =
            [name(class), String::new(), String::new(), String::new(), bar(count(train, class), most, BAR)];
        for (at, part) in survey.parts.iter().enumerate().take(3) {
            row[at + 1] = grouped(count(part, class));
        }
        rows.push(row);
    }
    let width = |i: usize| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0);
    let (name_width, widths) = (width(0), [1, 2, 3].map(width));
    let line = |row: &[String; 5]| {
        let [name, a, b, c, bar] = row;
        let numbers: Vec<String> = [a, b, c]
            .into_iter()
            .zip(widths)
            .filter(|(_, width)| *width > 0)
            .map(|(number, width)| format!("{number:>width$}"))
            .collect();
        format!("{name:<name_width$}  {}  {bar}", numbers.join("  ")).trim_end().to_string()
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if left_out > 0 {
        lines.push(format!("and {} more classes between the largest and the smallest", grouped(left_out)));
    }
    lines
}

/// A bar of `n` of `most`, in eighths of a cell.
fn bar(n: usize, most: usize, cells: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (n * cells * 8).div_ceil(most);
    "█".repeat(eighths / 8) + PARTS[eighths % 8]
}

/// The table of ranges; those of dates, which are seconds, are shown as days.
fn ranges(ranges: &[Range], dates: &[&str], what: &str) {
    const MOST: usize = 40;
    let number = |v: f64| readable(v, 4);
    let row = |r: &Range| match dates.contains(&r.name.as_str()) {
        true => {
            let deviation = format!("{:.1} days", r.deviation / 86_400.0);
            [r.name.clone(), day_of(r.least), day_of(r.most), day_of(r.mean), deviation]
        }
        false => [r.name.clone(), number(r.least), number(r.most), number(r.mean), number(r.deviation)],
    };
    let mut rows = vec![[what.to_string(), "min".into(), "max".into(), "mean".into(), "std".into()]];
    rows.extend(ranges.iter().take(MOST).map(row));
    let width = |i: usize| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0);
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(width);
    for [name, least, most, mean, deviation] in &rows {
        say!("{name:<a$}  {least:>b$}  {most:>c$}  {mean:>d$}  {deviation:>e$}");
    }
    if ranges.len() > MOST {
        say!("and {} more", ranges.len() - MOST);
    }
}

/// Draws an augmented batch, originals above, and examples of each class; the files that were written.
fn draw(experiment: &Experiment, folder: &Path) -> Result<Vec<PathBuf>> {
    let (originals, augmented) = experiment.augmented(16)?;
    let mut rows = Vec::new();
    let n = originals.shape()[0];
    for start in (0..n).step_by(8) {
        let some =
            |x: &Tensor| (start..n.min(start + 8)).map(|i| x.select(0, i as isize)).collect::<Vec<Tensor>>();
        rows.push(some(&originals));
        rows.push(some(&augmented));
    }
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let mut drawn = vec![(folder.join("batch.png"), rows)];
    let examples = experiment.examples(20, 8)?;
    if !examples.is_empty() {
        let row = |(_, x): &(String, Tensor)| (0..x.shape()[0]).map(|i| x.select(0, i as isize)).collect();
        drawn.push((folder.join("classes.png"), examples.iter().map(row).collect()));
    }
    let write = |(path, rows): (PathBuf, Vec<Vec<Tensor>>)| {
        // Beside the place and then into it, so that nothing half written is left.
        let beside = path.with_extension("png.part");
        std::fs::write(&beside, encode_png(&grid(&rows))?).map_err(|e| Error::io(&beside, e))?;
        std::fs::rename(&beside, &path).map_err(|e| Error::io(&path, e))?;
        Ok(path)
    };
    drawn.into_iter().map(write).collect()
}

/// Pictures in rows on white, each in a cell of the same size; small ones are enlarged, large ones lose pixels.
fn grid(rows: &[Vec<Tensor>]) -> Tensor {
    const CELL: usize = 96;
    const GAP: usize = 4;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let (high, wide) = (rows.len().max(1) * (CELL + GAP) + GAP, columns * (CELL + GAP) + GAP);
    let mut pixels = vec![1.0_f32; 3 * high * wide];
    for (r, row) in rows.iter().enumerate() {
        for (c, picture) in row.iter().enumerate() {
            let &[channels, h, w] = picture.shape() else { continue };
            let from = picture.to(DType::F32).to_vec::<f32>();
            let longest = h.max(w).max(1);
            let (shown_h, shown_w) = ((h * CELL / longest).max(1), (w * CELL / longest).max(1));
            let (top, left) = (
                GAP + r * (CELL + GAP) + (CELL - shown_h) / 2,
                GAP + c * (CELL + GAP) + (CELL - shown_w) / 2,
            );
            for plane in 0..3 {
                let of = &from[plane.min(channels - 1) * h * w..][..h * w];
                for y in 0..shown_h {
                    let to = &mut pixels[(plane * high + top + y) * wide + left..][..shown_w];
                    for (x, to) in to.iter_mut().enumerate() {
                        *to = of[(y * h / shown_h) * w + x * w / shown_w];
                    }
                }
            }
        }
    }
    Tensor::from_vec(pixels, [3, high, wide])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_numbers() {
        assert_eq!(
            [0, 1, 5, 8, 10].map(|n| bar(n, 10, 4)),
            ["", "▌", "██", "███▎", "████"].map(String::from)
        );
    }

    #[test]
    fn a_grid_shows_every_picture_in_its_cell() {
        let gray = Tensor::full([1, 2, 2], 0.25);
        let wide = Tensor::full([3, 10, 200], 0.5);
        let grid = grid(&[vec![gray.clone(), wide], vec![gray]]);
        assert_eq!(grid.shape(), [3, 204, 204]);
        let at = |y: isize, x: isize| grid.select(0, 1).select(0, y).select(0, x).item();
        assert_eq!(
            [at(50, 50), at(50, 150), at(10, 150), at(150, 50), at(150, 150)],
            [0.25, 0.5, 1.0, 0.25, 1.0]
        );
    }
}
