//! `mapsto explain`: why the best model of a run says what it says of an image, of a row of a table, or on the whole.

mod heat;
mod shown;
mod subject;
mod svg;

use clap::{Arg, ArgAction, Command};
use mapsto::explain::{METHODS, Method, Needs, Sanity, method};
use mapsto::training::{readable, write_atomic};
use mapsto::{Error, ErrorKind, Result};
use mapsto_experiment::plain;

use super::{Invocation, Overriding, Verb, exceptions};
use crate::failure::Failure;
use crate::output::{remark, say};
use subject::{Question, Subject};

/// The subcommand.
pub const VERB: Verb = Verb { name: "explain", command, overriding: Overriding::None, run };

fn command(command: Command) -> Command {
    let number = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("N").value_parser(clap::value_parser!(u32).range(1..)).help(help)
    };
    command
        .about("Say why the best model of a run says what it says")
        .arg(
            Arg::new("run")
                .value_name("RUN|MODEL")
                .help("The folder of a run, such as runs/mnist-1, or a model file that holds its layers"),
        )
        .arg(Arg::new("file").value_name("IMAGE|CSV").help(
            "An image, or a table with the columns that the model was trained on [default: the run's validation samples]",
        ))
        .arg(
            Arg::new("how")
                .long("how")
                .value_name("METHOD")
                .help("The method; `list` shows all [default: one that suits the model]"),
        )
        .arg(
            Arg::new("class")
                .long("class")
                .value_name("NAME")
                .help("The class, or the output, to explain, by its name or number [default: the likeliest]"),
        )
        .arg(number("row", "The row of the table, or the validation sample, from 1 [default: 1]"))
        .arg(number("samples", "How many draws or steps the method takes [default: its own number]"))
        .arg(
            Arg::new("baseline")
                .long("baseline")
                .value_name("WHAT")
                .value_parser(["zeros", "mean", "train"])
                .help("What the input is compared with: zeros (black), the mean of the training samples, or 20 of them [default: zeros for images, train for tables]"),
        )
        .arg(
            Arg::new("layer")
                .long("layer")
                .value_name("PATH")
                .help("The layer that grad-cam looks at, such as 2 [default: the last one of convolutions]"),
        )
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("N")
                .default_value("0")
                .value_parser(clap::value_parser!(u64))
                .help("Where the draws of a method begin"),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(["table", "json"])
                .default_value("table")
                .help("Lines to read, or JSON"),
        )
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FILE")
                .help("Draw into a file: PNG for images, SVG for tables and charts"),
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
            "What each method says, what it costs and when it lies stands in docs/explaining.md. Each explanation is repeated with\n\
             weights of chance, and what stays the same then is said to ignore the model.\n\n\
             Examples:\n  mapsto explain --how list\n  mapsto explain runs/mnist-1 seven.png --how grad-cam -o why.png\n  \
             mapsto explain runs/adult-1 people.csv --row 3 -o why.svg\n  mapsto explain runs/adult-1 --how permutation",
        )
}

fn run(invocation: &Invocation) -> Result<(), Failure> {
    let how = invocation.optional("how");
    if how.is_some_and(|how| how.eq("list")) {
        list();
        return Ok(());
    }
    let Some(run) = invocation.optional("run") else {
        return Err(Error::new(ErrorKind::Usage, "no run was given")
            .help("write `mapsto explain RUN`, or `mapsto explain --how list` for the methods")
            .into());
    };
    let named = how.map(method).transpose()?;
    let subject = Subject::open(run, invocation, &exceptions(invocation))?;
    let (method, question, found) = match named {
        Some(method) => {
            let question = subject.question(method, invocation)?;
            let found = method.explain(&question.model, &question.x, &question.ask)?;
            (method, question, found)
        }
        None => by_default(&subject, invocation)?,
    };
    let sanity = sanity(method, &question, &found)?;
    let mut notes = found.notes.clone();
    notes.extend(sanity.as_ref().and_then(Sanity::warning));
    let explained = shown::Explained {
        subject: &subject,
        method,
        question: &question,
        found: &found,
        sanity: &sanity,
        notes: &notes,
    };
    if invocation.text("format").eq("json") {
        say!("{}", explained.json());
    } else {
        explained.lines()?.iter().for_each(|line| say!("{line}"));
        if let Some(sanity) = &sanity {
            say!("with weights of chance: rank correlation {}", readable(sanity.likeness, 2));
        }
        notes.iter().for_each(|note| remark(&plain(note)));
    }
    if let Some(path) = invocation.optional("output") {
        let bytes = explained.drawing(path)?;
        write_atomic(path, |w| w.write_all(&bytes))?;
        if !invocation.text("format").eq("json") {
            say!("{}", plain(path));
        }
    }
    Ok(())
}

fn list() {
    let wide = METHODS.iter().map(|method| method.name().len()).max().unwrap_or(0);
    for (needs, what) in [
        (Needs::Gradients, "by gradients of the model"),
        (Needs::Answers, "by asking the model"),
        (Needs::Layers, "by looking inside the model"),
    ] {
        say!("{what}");
        for method in METHODS.iter().filter(|method| method.needs() == needs) {
            say!("  {:wide$}  {}", method.name(), method.says());
        }
    }
}

type Answered<'a> = (&'static dyn Method, Question<'a>, mapsto::explain::Explanation);

/// The first of the methods that suit such inputs and do not refuse this model.
fn by_default<'a>(subject: &'a Subject, invocation: &Invocation) -> Result<Answered<'a>> {
    let mut refused = None;
    for method in subject.suited() {
        let question = subject.question(method, invocation)?;
        match method.explain(&question.model, &question.x, &question.ask) {
            Ok(found) => return Ok((method, question, found)),
            Err(e) => refused = refused.or(Some(e)),
        }
    }
    Err(refused.unwrap_or_else(|| Error::new(ErrorKind::Usage, "there is no method for such inputs")))
}

/// The randomisation check, with one model of chance where the method asks often, and three where it is quick.
fn sanity(
    method: &dyn Method,
    question: &Question<'_>,
    found: &mapsto::explain::Explanation,
) -> Result<Option<Sanity>> {
    let draws = if method.needs() == Needs::Answers { 1 } else { 3 };
    Sanity::of(method, &question.model, &question.x, &question.ask, found, draws)
}
