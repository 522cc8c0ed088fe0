//! `Override`: a value that is laid over a training file, such as a flag `--train.epochs 3` or a pair of a program.

use std::ops::Range;

use mapsto::{Error, ErrorKind, Result};

use crate::document::{Key, Node, Tree, parse_value};
use crate::source::Sources;

/// A value in place of what a training file says, under the dotted path of its key.
///
/// ```
/// use mapsto_experiment::{Config, Override};
/// let file = "[data]\nset = 'mnist'\n[model]\nlayers = ['flatten']\n[train]\nloss = 'mse'\n";
/// let config = Config::parse(file, &[Override::new("train.epochs", 3)])?;
/// assert_eq!(config.train.epochs, 3);
/// # Ok::<(), mapsto::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    path: String,
    /// The text of the value; `None` when a flag had none.
    value: Option<String>,
    /// All of it as its author wrote it, which errors show.
    written: String,
    /// Where the path, or its end where the section was left out, stands in what was written.
    name: Range<usize>,
    /// Where it was written, in words.
    place: &'static str,
}

impl Override {
    /// The value under a path, such as `3` under `train.epochs` or `16` under `model.layers.0.linear`.
    ///
    /// The value is read as TOML; a text that is not TOML is taken as a string, so words and paths need no quotes.
    pub fn new(path: impl Into<String>, value: impl ToString) -> Override {
        let (path, value) = (path.into(), value.to_string());
        let (name, written) = (0..path.len(), format!("{path} = {value}"));
        Override { path, value: Some(value), written, name, place: "override" }
    }

    /// A flag of the command line: the path that it means, its value, and the flag as it was written, in which `name` says where
    /// the path stands, and which ends with the value.
    pub fn flag(
        path: impl Into<String>,
        value: Option<String>,
        written: impl Into<String>,
        name: Range<usize>,
    ) -> Override {
        Override { path: path.into(), value, written: written.into(), name, place: "command line" }
    }

    /// The dotted path of the key: `train.epochs`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The override as it was written.
    pub fn written(&self) -> &str {
        &self.written
    }
}

/// Lays the overrides over a document, in order; their spans point into what was written, which is added to `sources`.
///
/// # Errors
/// A flag without a value, a value that is no TOML, or a path that leads through something that is not a table or list.
pub fn apply(document: &mut Node, overrides: &[Override], sources: &mut Sources) -> Result<()> {
    for given in overrides {
        let start = sources.add_override(given.place, &given.written);
        let name = start + given.name.start..start + given.name.end;
        let Some(value) = &given.value else {
            let error = Error::new(ErrorKind::Usage, format!("--{} needs a value", given.path));
            return Err(error.help(format!("write `--{} VALUE`", given.path)).with_span(start..name.end));
        };
        let value = parse_value(value, start + given.written.len().saturating_sub(value.len()))?;
        // Where the section was left out, its place is before the flag, and the key's is where it stands.
        let offset = name.end.saturating_sub(given.path.len());
        set(document, &given.path, offset, value)?;
    }
    Ok(())
}

/// Sets the node at a dotted path whose text begins at `offset`.
pub(crate) fn set(node: &mut Node, path: &str, offset: usize, value: Node) -> Result<()> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let span: Range<usize> = offset..offset + head.len();
    let error = |message: String| Error::new(ErrorKind::Usage, message).with_span(span.clone());
    let kind = node.kind();
    let member = match &mut node.value {
        Tree::Table(members) => {
            let key = Key { name: head.to_string(), span: span.clone() };
            let at = members.iter().position(|(k, _)| k.name == head).unwrap_or_else(|| {
                members.push((key.clone(), Node { value: Tree::Table(Vec::new()), span: span.clone() }));
                members.len() - 1
            });
            if rest.is_none() {
                // From here on the flag is what the member was read from, key and all.
                members[at].0 = key;
            }
            &mut members[at].1
        }
        Tree::List(items) => {
            let count = items.len();
            let index = head.parse::<usize>().ok().filter(|&i| i < count);
            let index = index.ok_or_else(|| {
                error(format!(
                    "the list has {count} places, 0 to {}, and `{head}` is not one of them",
                    count.max(1) - 1
                ))
            })?;
            &mut items[index]
        }
        _ => {
            return Err(
                error(format!("cannot set `{head}` inside {kind}")).help("give the whole value instead")
            );
        }
    };
    match rest {
        None => {
            *member = value;
            Ok(())
        }
        Some(rest) => set(member, rest, offset + head.len() + 1, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse;

    #[test]
    fn an_override_replaces_adds_and_reaches_into_lists() {
        let text = "[model]\nlayers = [{ linear = 8 }, 'relu']\n[train]\nepochs = 9\n";
        let mut document = parse(text).unwrap();
        let mut sources = Sources::new("net.toml", text);
        let overrides = [
            Override::new("train.epochs", 3),
            Override::flag("train.seed", Some("7".into()), "--seed=7", 2..6),
            Override::new("model.layers.0.linear", "16"),
            Override::new("data.path", "some/where"),
            Override::new("train.lr", "-1e-3"),
        ];
        apply(&mut document, &overrides, &mut sources).unwrap();
        assert_eq!(
            document.to_value().unwrap().to_string(),
            "{ model = { layers = [{ linear = 16 }, \"relu\"] }, train = { epochs = 3, seed = 7, lr = -0.001 }, \
             data = { path = \"some/where\" } }"
        );
    }

    #[test]
    fn a_path_through_a_plain_value_or_past_a_list_is_an_error_at_the_override() {
        let text = "[model]\nlayers = ['relu']\n[train]\nepochs = 9\n";
        for (given, wanted) in [
            (
                Override::new("train.epochs.more", 3),
                "override:1:14: cannot set `more` inside a whole number\ntrain.epochs.more = 3\n             ^^^^  ",
            ),
            (
                Override::new("model.layers.5", "relu"),
                "override:1:14: the list has 1 places, 0 to 0, and `5` is not one of them\nmodel.layers.5 = relu\n             ^",
            ),
            (
                Override::flag("train.epochs", None, "--epochs", 2..8),
                "command line:1:1: --train.epochs needs a value\n--epochs\n^^^^^^^^  ",
            ),
            (Override::new("train.seed", "[1"), "override:1:16: unclosed array"),
        ] {
            let (mut document, mut sources) = (parse(text).unwrap(), Sources::new("net.toml", text));
            let e = apply(&mut document, &[given], &mut sources).unwrap_err();
            let shown = sources.locate(e).to_string();
            assert!(shown.starts_with(wanted), "{shown}");
        }
    }
}
