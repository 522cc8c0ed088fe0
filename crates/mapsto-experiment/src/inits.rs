//! The key `init` of `[model]`: how weights begin, by patterns of their names.

use mapsto::nn::Sequential;
use mapsto::nn::init::{self, Init};
use mapsto::spec::{Entry, FromValue, Value, filled};
use mapsto::{Error, ErrorKind, Result, Tensor};

use crate::document::Tree;
use crate::section::Section;

/// The rules of a file, each a pattern with an initialiser.
///
/// # Errors
/// The value is no table, or what stands under a pattern names nothing.
pub fn read_init(section: &mut Section) -> Result<Vec<Entry>> {
    let Some(node) = section.node("init") else { return Ok(Vec::new()) };
    let Tree::Table(members) = &node.value else {
        let message = format!("`init` should be a table of patterns, found {}", node.kind());
        let error = Error::new(ErrorKind::Usage, message).with_span(node.span);
        return Err(
            error.help("write `init = { \"*.weight\" = \"orthogonal\", \"*.bias\" = { constant = 0.1 } }`")
        );
    };
    members
        .iter()
        .map(|(key, node)| {
            // As an entry, a single word too, so that it keeps its place.
            let init = Value::Entry(Box::new(node.to_entry()?));
            Ok(Entry::new(key.name.as_str()).at(key.span.clone()).with_value(init))
        })
        .collect()
}

/// The rules as they stand in a file; none where there is no rule.
pub fn written(rules: &[Entry]) -> Option<Value> {
    let pair = |rule: &Entry| Some((rule.name.clone(), rule.value.clone()?));
    let mut rules = rules.iter().filter_map(pair);
    let (first, value) = rules.next()?;
    let entry = Entry::new(first).with_value(value);
    Some(rules.fold(entry, |entry, (name, value)| entry.with_option(name, value)).into())
}

/// What stands under a pattern: a word, or an entry with its settings.
fn initialiser(rule: &Entry) -> Result<Entry> {
    rule.value.as_ref().and_then(<Entry as FromValue>::from_value).ok_or_else(|| {
        let message = format!("`init` has no initialiser for `{}`", rule.name);
        let error = Error::new(ErrorKind::Usage, message).help("write `\"*.bias\" = \"zeros\"`");
        rule.span.into_iter().fold(error, |e, span| e.with_span(span.into()))
    })
}

/// Fills in the defaults of the initialisers.
///
/// # Errors
/// An initialiser or a setting is unknown or out of range.
pub fn fill(rules: &mut [Entry]) -> Result<()> {
    for rule in rules {
        let init = initialiser(rule)?;
        rule.value = Some(Value::Entry(Box::new(filled::<dyn Init>(&init, &())?.1)));
    }
    Ok(())
}

/// Lets linear layers and convolutions begin with outputs of variance 1 on these samples.
///
/// # Errors
/// A layer whose outputs are all alike.
pub fn level(model: &mut Sequential, x: &Tensor) -> Result<()> {
    init::lsuv(model, x).map(drop).map_err(|e| {
        let help = "take more samples in a batch, or leave `lsuv` out";
        Error::new(e.kind(), format!("[model] {}", e.message())).help(help)
    })
}

/// Lets the weights of a model begin as the rules say.
///
/// # Errors
/// A pattern that fits no parameter, with the one that was meant, or whose parameters all go to later ones; an initialiser that cannot give a
/// parameter its shape.
pub fn begin(model: &mut Sequential, rules: &[Entry]) -> Result<()> {
    let mut built: Vec<(&str, Box<dyn Init>)> = Vec::new();
    for rule in rules {
        built.push((&rule.name, filled::<dyn Init>(&initialiser(rule)?, &())?.0));
    }
    let listed: Vec<(&str, &dyn Init)> = built.iter().map(|(pattern, init)| (*pattern, &**init)).collect();
    init::by_rule(model, &listed).map_err(|e| {
        let rule = rules.iter().find(|rule| e.message().contains(&format!("`{}`", rule.name)));
        let usage = Error::new(ErrorKind::Usage, e.message());
        let usage = e.help_text().into_iter().fold(usage, Error::help);
        rule.and_then(|rule| rule.span).into_iter().fold(usage, |e, span| e.with_span(span.into()))
    })
}
