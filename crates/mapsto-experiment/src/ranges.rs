//! Values of keys that must lie in a range or be one of some words; an error says which, at the value's place.

use mapsto::spec::nearest;
use mapsto::{Error, ErrorKind, Result};

use crate::document::{Node, Tree};

/// What one of some words stands for.
pub fn one_of<T: Copy, const N: usize>(
    node: Option<Node>,
    key: &str,
    words: [(&'static str, T); N],
) -> Result<Option<T>> {
    let Some(node) = node else { return Ok(None) };
    let word = match &node.value {
        Tree::Str(word) => word.as_str(),
        _ => "",
    };
    if let Some((_, meant)) = words.iter().find(|(known, _)| *known == word) {
        return Ok(Some(*meant));
    }
    let known = words.map(|(word, _)| word);
    let error = Error::new(ErrorKind::Usage, format!("`{key}` should be one of {}", known.join(", ")));
    let error = match nearest(word, known) {
        Some(near) => error.help(format!("did you mean \"{near}\"?")),
        None => error,
    };
    Err(error.with_span(node.span.clone()))
}

fn wrong(node: &Node, key: &str, expected: &str) -> Error {
    let found = node.to_value().map_or_else(|_| node.kind().to_string(), |value| value.to_string());
    let error = Error::new(ErrorKind::Usage, format!("`{key}` should be {expected}, found {found}"));
    let error = error.with_span(node.span.clone());
    match &node.value {
        Tree::Str(text) if text.parse::<f64>().is_ok() => {
            error.help(format!("write numbers without quotes: `{key} = {text}`"))
        }
        _ => error,
    }
}

/// A whole number that is not below the least one, or its default.
pub fn at_least(least: usize, node: Option<Node>, key: &str, default: usize) -> Result<usize> {
    let Some(node) = node else { return Ok(default) };
    match node.value {
        Tree::Int(i) if i >= least as i64 => Ok(i as usize),
        _ => Err(wrong(&node, key, &format!("a whole number of at least {least}"))),
    }
}

fn number(node: &Node) -> Option<f64> {
    match node.value {
        Tree::Int(i) => Some(i as f64),
        Tree::Float(x) => Some(x),
        _ => None,
    }
}

/// A share of the samples.
pub fn fraction(node: Option<Node>, key: &str) -> Result<Option<f64>> {
    let Some(node) = node else { return Ok(None) };
    match number(&node).filter(|x| (0.0..1.0).contains(x)) {
        Some(share) => Ok(Some(share)),
        None => Err(wrong(&node, key, "a share from 0 to below 1")),
    }
}

/// A number above 0.
pub fn positive(node: Option<Node>, key: &str) -> Result<Option<f64>> {
    let Some(node) = node else { return Ok(None) };
    match number(&node).filter(|x| *x > 0.0 && x.is_finite()) {
        Some(x) => Ok(Some(x)),
        None => Err(wrong(&node, key, "a number above 0")),
    }
}
