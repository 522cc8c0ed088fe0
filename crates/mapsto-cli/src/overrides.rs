//! Overrides: flags such as `--train.epochs 3`, which say on the command line what the file would say in that place.

use std::ops::Range;

use mapsto::{Error, ErrorKind, Result};

use crate::document::{Key, Node, Tree, parse_value};
use crate::source::Sources;

/// One flag: the dotted path it names and the value it gives, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// `train.epochs`.
    pub path: String,
    /// The text of the value; `None` when the flag stood last and had none.
    pub value: Option<String>,
    /// The flag as it was written: `--train.epochs 3` or `--train.epochs=3`.
    pub written: String,
}

/// Takes the overrides out of a command line: every `--a.b` (a dot before any `=`), with its value behind `=` or in the next
/// argument.
pub fn extract(args: impl IntoIterator<Item = String>) -> (Vec<String>, Vec<Override>) {
    let (mut rest, mut overrides) = (Vec::new(), Vec::new());
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next() {
        if arg == "--" {
            rest.push(arg);
            rest.extend(args);
            break;
        }
        let flag = arg.strip_prefix("--").filter(|f| f.split('=').next().is_some_and(|n| n.contains('.')));
        let Some(flag) = flag else {
            rest.push(arg);
            continue;
        };
        let given = match flag.split_once('=') {
            Some((path, value)) => {
                Override { path: path.to_string(), value: Some(value.to_string()), written: arg.clone() }
            }
            None => {
                let value = args.next_if(|next| !next.starts_with("--"));
                let written = value.as_ref().map_or(arg.clone(), |v| format!("{arg} {v}"));
                Override { path: flag.to_string(), value, written }
            }
        };
        overrides.push(given);
    }
    (rest, overrides)
}

/// Lays the overrides over a document, in order; their spans point into the flags, which are added to `sources`.
///
/// # Errors
/// A flag without a value, a value that is no TOML, or a path that leads through something that is no table or list.
pub fn apply(document: &mut Node, overrides: &[Override], sources: &mut Sources) -> Result<()> {
    for given in overrides {
        let start = sources.add_flag(&given.written);
        let name = start..start + 2 + given.path.len();
        let Some(value) = &given.value else {
            let error = Error::new(ErrorKind::Usage, format!("--{} needs a value", given.path));
            return Err(error.help(format!("write `--{} VALUE`", given.path)).with_span(name));
        };
        let value = parse_value(value, name.end + 1)?;
        set(document, &given.path, start + 2, value)?;
    }
    Ok(())
}

/// Sets the node at a dotted path whose text begins at `offset`.
fn set(node: &mut Node, path: &str, offset: usize, value: Node) -> Result<()> {
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
                error(format!("`{head}` is no place in a list of {count}: 0 to {}", count.max(1) - 1))
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

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_string).collect()
    }

    #[test]
    fn flags_with_a_dot_are_overrides_and_the_rest_is_left_alone() {
        let (rest, overrides) =
            extract(words("train net.toml --train.epochs 3 --data.batch=64 --out runs/a.b --train.last"));
        assert_eq!(rest, words("train net.toml --out runs/a.b"));
        let paths: Vec<_> = overrides.iter().map(|o| (o.path.as_str(), o.value.as_deref())).collect();
        assert_eq!(paths, [("train.epochs", Some("3")), ("data.batch", Some("64")), ("train.last", None)]);
        assert_eq!(overrides[0].written, "--train.epochs 3");
    }

    #[test]
    fn an_override_replaces_adds_and_reaches_into_lists() {
        let text = "[model]\nlayers = [{ linear = 8 }, 'relu']\n[train]\nepochs = 9\n";
        let mut document = parse(text).unwrap();
        let mut sources = Sources::new("net.toml", text);
        let flags = "--train.epochs 3 --train.seed=7 --model.layers.0.linear 16 --data.path some/where --train.lr=-1e-3";
        let (_, overrides) = extract(words(flags));
        apply(&mut document, &overrides, &mut sources).unwrap();
        assert_eq!(
            document.to_value().unwrap().to_string(),
            "{ model = { layers = [{ linear = 16 }, \"relu\"] }, train = { epochs = 3, seed = 7, lr = -0.001 }, \
             data = { path = \"some/where\" } }"
        );
    }

    #[test]
    fn a_path_through_a_plain_value_or_past_a_list_is_an_error_at_the_flag() {
        for (flag, wanted) in [
            ("--train.epochs.more=3", "cannot set `more` inside a whole number"),
            ("--model.layers.5=relu", "`5` is no place in a list of 1"),
            ("--train.epochs", "needs a value"),
        ] {
            let text = "[model]\nlayers = ['relu']\n[train]\nepochs = 9\n";
            let (mut document, mut sources) = (parse(text).unwrap(), Sources::new("net.toml", text));
            let (_, overrides) = extract(words(flag));
            let e = apply(&mut document, &overrides, &mut sources).unwrap_err();
            assert!(e.message().contains(wanted), "{e}");
            assert!(sources.locate(e).location().unwrap().starts_with("command line"), "{flag}");
        }
    }
}
