//! `mapsto predict`: what the best model of a run says of new images or of the rows of tables.

mod inputs;
mod sheet;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, Command};
use mapsto::training::{Outputs, readable, write_atomic};
use mapsto::{Error, ErrorKind, Result};
use mapsto_experiment::{Answer, Predictor, plain};

use super::{Invocation, Overriding, Verb, exceptions};
use crate::failure::Failure;
use crate::output::{complain, remark, say};
use inputs::{Input, expand};
use sheet::{Format, Line, Sheet};

/// The subcommand.
pub const VERB: Verb = Verb { name: "predict", command, overriding: Overriding::None, run };

/// So many rows of a file are complained of one by one; the others are counted.
const MOST: usize = 100;

fn command(command: Command) -> Command {
    command
        .about("Ask the best model of a run about images, or about the rows of tables")
        .arg(
            Arg::new("run")
                .value_name("RUN|MODEL")
                .required(true)
                .help("The folder of a run, such as runs/mnist-1, or a model file that holds its layers"),
        )
        .arg(Arg::new("files").value_name("FILE|FOLDER|GLOB|-").required(true).num_args(1..).help(
            "Images, or tables with the columns that the model was trained on; all of a folder; \"*.png\" in quotes; - reads a table, lines of JSON or of numbers",
        ))
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(["table", "csv", "json", "jsonl"])
                .help("Lines to read, or what programs read [default: by the ending of -o, else table]"),
        )
        .arg(
            Arg::new("top")
                .long("top")
                .value_name("K")
                .value_parser(clap::value_parser!(u32).range(1..))
                .help("How many classes to name, the likeliest first [default: 3 in a table, all in other formats]"),
        )
        .arg(
            Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .conflicts_with("top")
                .help("Name every class with its probability"),
        )
        .arg(
            Arg::new("id")
                .long("id")
                .value_name("COLUMN")
                .help("A column of the table that is kept beside each answer"),
        )
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FILE")
                .help("Write the answers into a file, which is there as a whole or not at all"),
        )
        .arg(
            Arg::new("invert")
                .long("invert")
                .action(ArgAction::SetTrue)
                .help("Exchange black and white in images: MNIST's digits are white on black"),
        )
        .arg(
            Arg::new("convert")
                .long("convert")
                .action(ArgAction::SetTrue)
                .help("Convert weights of another float type, such as bf16, to the model's"),
        )
        .after_help(
            "Images are brought to the size and channels that the model takes. A row or a file that is wrong is reported with its line,\n\
             the others are answered, and the exit code is 3.\n\n\
             Examples:\n  mapsto predict runs/mnist-1 seven.png\n  mapsto predict runs/mnist-1 --invert \"scans/*.jpg\" -o digits.csv\n  \
             mapsto predict runs/adult-1 new.csv --id name --format jsonl\n  cat new.csv | mapsto predict runs/adult-1 - --format csv",
        )
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let predictor = Predictor::open(invocation.text("run"), &exceptions(invocation))?;
    let (inputs, mut failures) = expand(&predictor, &invocation.texts("files"))?;
    check_flags(&predictor, &inputs, invocation)?;
    let output = invocation.optional("output").map(PathBuf::from);
    let format = Format::of(invocation.optional("format"), output.as_deref());
    if let Some(t) = predictor.temperature() {
        remark(&format!("the probabilities are calibrated: logits are divided by {}", readable(t, 4)));
    }
    let mut asking = Asking {
        predictor: &predictor,
        invocation,
        failures: Vec::new(),
        answered: 0,
        wrong: 0,
        first: None,
    };
    asking.failures.append(&mut failures);
    let is_single = inputs.len() + asking.failures.len() == 1;
    let mut sheet = Sheet::new(&predictor, format, &inputs, invocation);
    let finished = match &output {
        None => asking.ask(&inputs, &mut sheet, &mut |text| {
            let text = text.trim_matches('\n');
            if !text.is_empty() {
                say!("{text}");
            }
            Ok(())
        }),
        Some(path) => write_whole(path, |w| {
            asking.ask(&inputs, &mut sheet, &mut |text| {
                w.write_all(text.as_bytes()).map_err(|e| Error::io(path.display().to_string(), e))
            })
        }),
    };
    finished?;
    if let (Some(path), true) = (&output, asking.answered > 0) {
        say!("{} answers in {}", asking.answered, plain(&path.display().to_string()));
    }
    asking.verdict(is_single)
}

/// Writes a file, or leaves none where `write` fails.
fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut failed = None;
    let written = write_atomic(path, |w| {
        write(w).map_err(|e| {
            failed = Some(e);
            io::Error::other("stopped")
        })
    });
    failed.map_or(written, Err)
}

/// What was answered, and what could not be.
struct Asking<'a> {
    predictor: &'a Predictor,
    invocation: &'a Invocation<'a>,
    /// Files that could not be asked about at all.
    failures: Vec<Error>,
    answered: usize,
    /// Rows that could not be answered.
    wrong: usize,
    /// What kind of error the first of them is.
    first: Option<ErrorKind>,
}

impl Asking<'_> {
    fn ask(
        &mut self,
        inputs: &[Input],
        sheet: &mut Sheet,
        write: &mut dyn FnMut(&str) -> Result<()>,
    ) -> Result<()> {
        let is_single = inputs.len() == 1 && self.failures.is_empty();
        for input in inputs {
            let asked = match input {
                Input::Image(path) => self.image(path, sheet, write),
                Input::Table(path) => self.table(Some(path), sheet, write),
                Input::Standard => self.table(None, sheet, write),
            };
            match asked {
                // What cannot be written ends it all.
                Err(Stop::Writing(e)) => return Err(e),
                // Nothing else is there to go on with.
                Err(Stop::Input(e)) if is_single && self.answered == 0 => return Err(e),
                Err(Stop::Input(e)) => {
                    complain(&e);
                    self.failures.push(e);
                }
                Ok(()) => {}
            }
        }
        write(&sheet.end())
    }

    fn image(
        &mut self,
        path: &Path,
        sheet: &mut Sheet,
        write: &mut dyn FnMut(&str) -> Result<()>,
    ) -> Result<(), Stop> {
        let x = self.predictor.image(path).map_err(Stop::Input)?;
        let x = if self.invocation.matches.get_flag("invert") { 1.0 - x } else { x };
        let answers = self.predictor.predict(x).map_err(Stop::Input)?;
        let name = path.display().to_string();
        for answer in &answers {
            self.answered += 1;
            sheet.add(&Line { file: &name, row: None, id: None, answer });
        }
        write(&sheet.take()).map_err(Stop::Writing)
    }

    fn table(
        &mut self,
        path: Option<&PathBuf>,
        sheet: &mut Sheet,
        write: &mut dyn FnMut(&str) -> Result<()>,
    ) -> Result<(), Stop> {
        let (name, input): (String, Box<dyn Read>) = match path {
            Some(path) => {
                let file = std::fs::File::open(path).map_err(|e| Stop::Input(Error::io(path, e)))?;
                (path.display().to_string(), Box::new(file))
            }
            None => ("standard input".into(), Box::new(io::stdin())),
        };
        let (mut failed, mut wrong, mut first) = (None, 0, None);
        let (answered, id) = (&mut self.answered, self.invocation.optional("id"));
        let asked = self.predictor.ask_rows(input, &plain(&name), id, &mut |Answer { row, id, found }| {
            match found {
                Ok(answer) => {
                    *answered += 1;
                    sheet.add(&Line { file: &name, row: Some(row), id: id.as_deref(), answer: &answer });
                    if sheet.is_full() {
                        write(&sheet.take()).inspect_err(|e| failed = Some(e.clone()))?;
                    }
                }
                Err(e) => {
                    wrong += 1;
                    if wrong <= MOST {
                        complain(&e);
                    }
                    first.get_or_insert(e.kind());
                }
            }
            Ok(())
        });
        if wrong > MOST {
            remark(&format!("{}: {} more rows are wrong", plain(&name), wrong - MOST));
        }
        self.wrong += wrong;
        self.first = self.first.or(first);
        if let Some(e) = failed {
            return Err(Stop::Writing(e));
        }
        write(&sheet.take()).map_err(Stop::Writing)?;
        let asked = asked.map_err(Stop::Input)?;
        asked.notes.iter().for_each(|note| remark(&format!("{}: {note}", plain(&name))));
        Ok(())
    }

    /// A failure where something could not be answered, with a count.
    fn verdict(&self, is_single: bool) -> Result<(), Failure> {
        if self.wrong == 0 && self.failures.is_empty() {
            return Ok(());
        }
        let many = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
        let mut lost = Vec::new();
        if self.wrong > 0 {
            lost.push(many(self.wrong, "row"));
        }
        match self.failures.len() {
            0 => {}
            _ if is_single => lost.push("the rest of the file".into()),
            n => lost.push(many(n, "file")),
        }
        let is_one = lost.len() == 1 && (lost[0].starts_with("1 ") || is_single && self.wrong == 0);
        let verb = if is_one { "was" } else { "were" };
        let answered =
            if self.answered == 1 { "1 was".to_string() } else { format!("{} were", self.answered) };
        let message = format!("{} {verb} not answered, {answered} answered", lost.join(" and "));
        // Where nothing was answered at all, it may be the model that is wrong.
        let kind = self.first.filter(|_| self.answered == 0).unwrap_or(ErrorKind::Data);
        Err(Error::new(kind, message).help("mend what is named above, or leave it out").into())
    }
}

/// Why no more is asked about an input, or about any.
enum Stop {
    Input(Error),
    Writing(Error),
}

/// Refuses flags that change nothing about this model and these files: a user who gives one expects that it does.
fn check_flags(predictor: &Predictor, inputs: &[Input], invocation: &Invocation) -> Result<()> {
    let is_given = |flag| invocation.matches.value_source(flag) == Some(ValueSource::CommandLine);
    let refuse = |flag: &str, why: String| {
        Err(Error::new(ErrorKind::Usage, format!("`--{flag}` {why}")).help(format!("leave `--{flag}` out")))
    };
    let table = inputs.iter().find(|input| !matches!(input, Input::Image(_)));
    if let (Some(table), true) = (table, is_given("invert")) {
        let name = table.name();
        return refuse("invert", format!("exchanges black and white in images, and {name} is a table"));
    }
    if predictor.outputs() == Outputs::Values {
        for flag in ["top", "all"] {
            if is_given(flag) {
                return refuse(flag, "says how many classes are named, and the model gives numbers".into());
            }
        }
    }
    if is_given("id") && table.is_none() {
        return refuse("id", "names a column of a table, and there are images only".into());
    }
    Ok(())
}
