//! The section `[tune]` of a training file: ranges of keys, how many trials, how they are chosen and by what they are judged.

use std::ops::Range as Span;

use mapsto::spec::nearest;
use mapsto::{Error, ErrorKind, Result};

use super::search::Search;
use super::space::{Range, Space};
use crate::document::{Key, Node, Tree};
use crate::keys::section_of;
use crate::ranges::{at_least, one_of};
use crate::section::Section;

/// What `[tune]` says.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// How many trials there are.
    pub trials: usize,
    /// Where the randomness of the search starts.
    pub seed: u64,
    /// The loss or metric on the validation samples that trials are judged by; what the best epoch is chosen by where nothing is said.
    pub by: Option<String>,
    /// How settings are chosen.
    pub search: Search,
    /// With successive halving, one trial in so many goes on to the next rung.
    pub halving: Option<usize>,
    /// The ranges.
    pub space: Space,
    /// Where `by` stands.
    pub(crate) by_span: Option<Span<usize>>,
}

/// The keys of `[tune]` that are no ranges.
pub(crate) const KEYS: [&str; 5] = ["trials", "seed", "by", "search", "halving"];
const RANGE: &str =
    "a range stands under the path of its key in quotes: \"train.optimizer.adamw\" = { log = [1e-4, 1e-1] }";

impl Tuning {
    /// Trials where nothing is said.
    pub const TRIALS: usize = 20;

    /// Reads the section out of a file's text, which tells how keys are written.
    pub(crate) fn read(mut section: Section, text: &str) -> Result<Tuning> {
        let trials = at_least(1, section.node("trials"), "trials", Tuning::TRIALS)?;
        let seed = section.or("seed", 0_u64)?;
        let by_node = section.node("by");
        let by = match &by_node {
            None => None,
            Some(Node { value: Tree::Str(name), .. }) => Some(name.clone()),
            Some(node) => {
                let message = format!("`by` should be the name of a metric, found {}", node.kind());
                return Err(Error::new(ErrorKind::Usage, message).with_span(node.span.clone()));
            }
        };
        let by_span = by_node.map(|node| node.span);
        let search = one_of(section.node("search"), "search", Search::WORDS)?.unwrap_or(Search::Tpe);
        let halving = match section.node("halving") {
            None => None,
            Some(Node { value: Tree::Bool(is_on), .. }) => is_on.then_some(3),
            Some(Node { value: Tree::Int(by @ 2..=100), .. }) => Some(by as usize),
            Some(node) => {
                let message =
                    "`halving` should be true, or a whole number from 2 to 100: one trial in so many goes on";
                return Err(Error::new(ErrorKind::Usage, message).with_span(node.span));
            }
        };
        let mut ranges = Vec::new();
        for (key, node) in section.rest() {
            flatten(String::new(), &key, &node, text, &mut ranges)?;
        }
        let space = Space { ranges };
        for (i, range) in space.ranges.iter().enumerate() {
            let within = |a: &str, b: &str| {
                a.strip_prefix(b).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let before = &space.ranges[..i];
            let other = before.iter().find(|o| within(&o.path, &range.path) || within(&range.path, &o.path));
            if let Some(other) = other {
                let message = format!("`{}` and `{}` are ranges of the same value", other.path, range.path);
                return Err(Error::new(ErrorKind::Usage, message)
                    .help("leave one of the two out")
                    .with_span(range.span()));
            }
        }
        if halving.is_some()
            && let Some(range) = space.ranges.iter().find(|range| range.path == "train.epochs")
        {
            let message = "`train.epochs`: successive halving says itself how many epochs a trial has";
            return Err(Error::new(ErrorKind::Usage, message)
                .help("leave the range or `halving` out")
                .with_span(range.span()));
        }
        Ok(Tuning { trials, seed, by, search, halving, space, by_span })
    }
}

/// Reads a range, or the ranges of a table, since `train.epochs` without quotes is a table in TOML.
fn flatten(above: String, key: &Key, node: &Node, text: &str, ranges: &mut Vec<Range>) -> Result<()> {
    let path = if above.is_empty() { key.name.clone() } else { format!("{above}.{}", key.name) };
    let is_section = |name: &str| ["data", "model", "train"].contains(&name);
    let is_interval = |members: &[(Key, Node)]| {
        members.first().is_some_and(|(key, node)| {
            ["uniform", "log", "int", "log_int"].contains(&key.name.as_str())
                && matches!(node.value, Tree::List(_))
        })
    };
    match &node.value {
        Tree::Table(members)
            if (is_section(&path) || !above.is_empty() && path.matches('.').count() < 8)
                && !is_interval(members)
                && !members.is_empty() =>
        {
            members.iter().try_for_each(|(key, node)| flatten(path.clone(), key, node, text, ranges))
        }
        _ if !path.contains('.') => Err(unknown(key)),
        _ => {
            ranges.push(Range::read(path.clone(), written(&path, key, text), node)?);
            Ok(())
        }
    }
}

/// Where a path stands in the text: without its quotes, and with what stands before the last word.
fn written(path: &str, key: &Key, text: &str) -> Span<usize> {
    let quoted = key.span.start + 1..key.span.end.saturating_sub(1);
    if text.get(quoted.clone()) == Some(path) {
        return quoted;
    }
    let whole = key.span.end.saturating_sub(path.len())..key.span.end;
    if text.get(whole.clone()) == Some(path) { whole } else { key.span.clone() }
}

fn unknown(key: &Key) -> Error {
    let name = key.name.as_str();
    let help = match (nearest(name, KEYS), section_of(name)) {
        (_, Some(section)) => format!("write \"{section}.{name}\" for a range of that key"),
        (Some(near), _) => format!("did you mean `{near}`?"),
        _ => RANGE.to_string(),
    };
    Error::new(ErrorKind::Usage, format!("unknown key `{name}` in [tune]"))
        .help(help)
        .with_span(key.span.clone())
}
