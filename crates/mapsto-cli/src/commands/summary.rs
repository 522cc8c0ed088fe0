//! `mapsto summary`: the layers of a model, what they give, hold and cost.

use std::path::Path;

use clap::{Arg, Command};
use mapsto::nn::ModelSpec;
use mapsto::training::{ModelFile, RunFolder};
use mapsto::{Device, Error, ErrorKind, Result};
use mapsto_experiment::LayerRow;

use super::{Invocation, Overriding, Verb, read_experiment};
use crate::failure::Failure;
use crate::output::say;
use crate::report::grouped;

/// The subcommand.
pub const VERB: Verb = Verb { name: "summary", command, overriding: Overriding::Configuration, run };

fn command(command: Command) -> Command {
    command
        .about("List the layers of a model: output shape, parameters, multiplications, memory")
        .arg(
            Arg::new("model")
                .value_name("FILE.toml|RUN|FILE.safetensors")
                .required(true)
                .help("A training file, the folder of a run, or a model file"),
        )
        .override_usage("mapsto summary FILE.toml [--SECTION.KEY VALUE]...\n       mapsto summary RUN|FILE.safetensors")
        .after_help(
            "Numbers are for one sample. MACs are multiplications each followed by an addition, of matrix products\n\
             and convolutions; memory is that of the layer's output.\n\n\
             Examples:\n  mapsto summary mnist.toml\n  mapsto summary runs/mnist-1",
        )
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let name = invocation.text("model");
    let path = Path::new(name);
    let spec = if path.is_dir() {
        stored_spec(&RunFolder::open(path)?.best())?
    } else if path.extension().is_some_and(|extension| extension == "safetensors") {
        stored_spec(path)?
    } else {
        let config = read_experiment(name, invocation.overrides)?.config;
        ModelSpec::new(config.model.input.unwrap_or_default(), config.model.layers)
    };
    // A file may ask for more than there is memory for: shapes and costs are known without any number.
    let rows = Device::shape().scope(|| LayerRow::of(&spec))?;
    for line in table(&spec.input, &rows) {
        say!("{line}");
    }
    Ok(())
}

fn stored_spec(file: &Path) -> Result<ModelSpec> {
    let spec = ModelFile::read(file)?.info.model_spec().map_err(|e| e.context(file.display()))?;
    spec.ok_or_else(|| {
        Error::new(
            ErrorKind::Model,
            format!("{}: the file holds weights without the layers they belong to", file.display()),
        )
    })
}

fn table(input: &[usize], rows: &[LayerRow]) -> Vec<String> {
    let shape = |shape: &[usize]| format!("{shape:?}");
    let mut cells = vec![["layer", "output", "parameters", "MACs", "memory"].map(str::to_string)];
    cells.push(["input".into(), shape(input), String::new(), String::new(), String::new()]);
    for row in rows {
        let count = |n: usize| if n == 0 { "-".to_string() } else { grouped(n) };
        cells.push([
            row.layer.clone(),
            shape(&row.shape),
            count(row.parameters),
            count(row.macs as usize),
            bytes(row.bytes),
        ]);
        for (depth, part, parameters) in &row.inside {
            cells.push([
                format!("{}{part}", "  ".repeat(*depth)),
                String::new(),
                count(*parameters),
                String::new(),
                String::new(),
            ]);
        }
    }
    let total = |f: fn(&LayerRow) -> usize| rows.iter().map(f).sum::<usize>();
    cells.push([
        "total".into(),
        String::new(),
        grouped(total(|r| r.parameters)),
        grouped(total(|r| r.macs as usize)),
        bytes(total(|r| r.bytes)),
    ]);
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |row: &[String; 5]| {
        let [a, b, c, d, e] = row;
        let [wa, wb, wc, wd, we] = widths;
        format!("{a:<wa$}  {b:<wb$}  {c:>wc$}  {d:>wd$}  {e:>we$}").trim_end().to_string()
    };
    let rule = "─".repeat(widths.iter().sum::<usize>() + 8);
    let mut lines: Vec<String> = cells.iter().map(line).collect();
    lines.insert(lines.len() - 1, rule.clone());
    lines.insert(1, rule);
    lines
}

fn bytes(n: usize) -> String {
    match n {
        n if n < 1 << 10 => format!("{n} B"),
        n if n < 1 << 20 => format!("{:.1} KiB", n as f64 / 1024.0),
        n if n < 1 << 30 => format!("{:.1} MiB", n as f64 / 1048576.0),
        n => format!("{:.1} GiB", n as f64 / 1073741824.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto::spec::{Entry, Value};

    #[test]
    fn the_numbers_of_a_small_network_are_those_done_by_hand() {
        let layers = [
            Entry::new("conv2d").with_value(8_usize).with_option("kernel", 3_usize),
            Entry::new("relu"),
            Entry::new("flatten"),
            Entry::new("linear").with_value(10_usize),
        ];
        let spec = ModelSpec::new([2, 6, 6], layers);
        let numbers = |rows: &[LayerRow]| -> Vec<_> {
            rows.iter().map(|r| (r.shape.clone(), r.parameters, r.macs, r.bytes)).collect()
        };
        let rows = Device::shape().scope(|| LayerRow::of(&spec)).unwrap();
        let found = numbers(&rows);
        assert_eq!(found, numbers(&LayerRow::of(&spec).unwrap()), "the device changes nothing");
        // conv: 8 filters of 2·3·3 weights and a bias, at 4·4 places; linear: 8·4·4 inputs to 10 outputs.
        assert_eq!(
            found,
            [
                (vec![8, 4, 4], 8 * 18 + 8, 8 * 18 * 16, 4 * 128),
                (vec![8, 4, 4], 0, 0, 4 * 128),
                (vec![128], 0, 0, 4 * 128),
                (vec![10], 1290, 1280, 40),
            ]
        );
        let lines = table(&[2, 6, 6], &rows);
        assert!(
            lines.last().unwrap().contains("1,442") && lines.last().unwrap().contains("3,584"),
            "{lines:?}"
        );
    }

    #[test]
    fn layers_inside_a_layer_stand_below_it() {
        let body =
            Value::List(vec![Entry::new("linear").with_value(4_usize).into(), Entry::new("relu").into()]);
        let spec = ModelSpec::new([4], [Entry::new("residual").with_value(body)]);
        let lines = table(&[4], &LayerRow::of(&spec).unwrap());
        let starts = ["Residual", "  body: Sequential", "    0: Linear(4 → 4)", "    1: relu"];
        for (line, start) in lines[3..].iter().zip(starts) {
            assert!(line.starts_with(start), "{line}");
        }
        assert!(lines[5].ends_with("20"), "4·4 weights and 4 biases: {}", lines[5]);
        assert!(lines.last().unwrap().contains("20"), "inner layers are counted once: {lines:?}");
    }
}
