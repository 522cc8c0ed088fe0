//! `Section`: reads the keys of `[data]`, `[model]` and `[train]` by name and type, and refuses what it was not asked for.

use std::ops::Range;

use mapsto::spec::{Entry, FromValue, nearest};
use mapsto::{Error, ErrorKind, Result};

use crate::document::{Key, Node, Tree};
use crate::keys::{KEYS, section_of};

/// One section of a configuration while it is being read.
#[derive(Debug)]
pub struct Section {
    name: &'static str,
    span: Option<Range<usize>>,
    members: Vec<(Key, Node)>,
    known: Vec<&'static str>,
}

impl Section {
    /// Takes a section out of a document; one that is absent is empty.
    ///
    /// # Errors
    /// The name stands for a plain value.
    pub fn take(document: &mut Node, name: &'static str) -> Result<Section> {
        let Tree::Table(sections) = &mut document.value else { unreachable!("a document is a table") };
        let Some(at) = sections.iter().position(|(key, _)| key.name == name) else {
            return Ok(Section { name, span: None, members: Vec::new(), known: Vec::new() });
        };
        let (key, node) = sections.remove(at);
        match node.value {
            Tree::Table(members) => Ok(Section { name, span: Some(key.span), members, known: Vec::new() }),
            _ => Err(Error::new(ErrorKind::Usage, format!("`{name}` is {}, not a section", node.kind()))
                .help(format!("write [{name}] on a line of its own, its keys below"))
                .with_span(key.span)),
        }
    }

    /// The node of a key, unread.
    pub fn node(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        let at = self.members.iter().position(|(k, _)| k.name == key)?;
        Some(self.members.remove(at).1)
    }

    /// The value of a key, left in its place.
    pub fn peek(&self, key: &str) -> Option<&Tree> {
        self.members.iter().find(|(k, _)| k.name == key).map(|(_, node)| &node.value)
    }

    /// Where the value of a key stands.
    pub fn place(&self, key: &str) -> usize {
        self.members.iter().find(|(k, _)| k.name == key).map_or(0, |(_, node)| node.span.start)
    }

    /// What has not been read yet, for a reader that knows it.
    pub fn rest(self) -> Vec<(Key, Node)> {
        self.members
    }

    /// The value of a key that may be absent.
    ///
    /// # Errors
    /// The value is of another type.
    pub fn optional<T: FromValue>(&mut self, key: &'static str) -> Result<Option<T>> {
        let Some(node) = self.node(key) else { return Ok(None) };
        let value = node.to_value()?;
        T::from_value(&value).map(Some).ok_or_else(|| {
            let message = format!("`{key}` should be {}, found {}: {value}", T::EXPECTED, value.kind());
            Error::new(ErrorKind::Usage, message).with_span(node.span)
        })
    }

    /// The value of a key, or its default.
    ///
    /// # Errors
    /// The value is of another type.
    pub fn or<T: FromValue>(&mut self, key: &'static str, default: T) -> Result<T> {
        Ok(self.optional(key)?.unwrap_or(default))
    }

    /// The entry under a key, such as `optimizer = { adamw = 1e-3 }`, with its places.
    ///
    /// # Errors
    /// The value is not an entry.
    pub fn entry(&mut self, key: &'static str) -> Result<Option<Entry>> {
        let Some(node) = self.node(key) else { return Ok(None) };
        if matches!(node.value, Tree::Str(_) | Tree::Table(_)) {
            return node.to_entry().map(Some);
        }
        let message = format!(
            "`{key}` should be a name in quotes, or a table that begins with one, found {}",
            node.kind()
        );
        let error = Error::new(ErrorKind::Usage, message).with_span(node.span.clone());
        Err(match &node.value {
            Tree::List(items) if items.len() == 1 && items[0].to_entry().is_ok() => {
                error.help(format!("write `{key} = {}`", items[0].to_entry()?))
            }
            _ => error.help(format!("write `{key} = \"NAME\"` or `{key} = {{ NAME = VALUE }}`")),
        })
    }

    /// The entries under a key, such as `layers = [..]`, each with its places; none where the key is absent.
    ///
    /// # Errors
    /// The value is not a list of entries.
    pub fn entries(&mut self, key: &'static str) -> Result<Vec<Entry>> {
        let Some(node) = self.node(key) else { return Ok(Vec::new()) };
        match &node.value {
            Tree::List(items) => items.iter().map(Node::to_entry).collect(),
            _ => {
                let message = format!("`{key}` should be a list, found {}", node.kind());
                let error = Error::new(ErrorKind::Usage, message).with_span(node.span.clone());
                Err(match node.to_entry() {
                    Ok(entry) => error.help(format!("write `{key} = [{entry}]`")),
                    Err(_) => error,
                })
            }
        }
    }

    /// The error that a key is not there.
    pub fn missing(&self, key: &str, help: &str) -> Error {
        let error = Error::new(ErrorKind::Usage, format!("[{}] needs `{key}`", self.name)).help(help);
        match &self.span {
            Some(span) => error.with_span(span.clone()),
            None => error,
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// A key is left that nothing has asked for.
    pub fn finish(self) -> Result<()> {
        let Some((key, _)) = self.members.first() else { return Ok(()) };
        let error = Error::new(ErrorKind::Usage, format!("unknown key `{}` in [{}]", key.name, self.name));
        Err(error.help(suggest(&key.name, &self.known)).with_span(key.span.clone()))
    }
}

/// Refuses what is left of a document after its sections were taken.
///
/// # Errors
/// A section nothing has asked for.
pub fn refuse_unknown(document: &Node, known: &[&'static str]) -> Result<()> {
    let Tree::Table(sections) = &document.value else { unreachable!("a document is a table") };
    let Some((key, _)) = sections.first() else { return Ok(()) };
    let error = Error::new(ErrorKind::Usage, format!("unknown section `{}`", key.name));
    Err(error.help(suggest(&key.name, known)).with_span(key.span.clone()))
}

fn suggest(name: &str, known: &[&'static str]) -> String {
    match nearest(name, known.iter().copied()) {
        _ if section_of(name).is_some() => elsewhere(name).unwrap_or_default(),
        Some("optimizer") if nearest(name, ["lr", "learning_rate"]).is_some() => {
            "the learning rate is the optimizer's value: `optimizer = { adam = 1e-3 }`".to_string()
        }
        Some(near) => format!("did you mean `{near}`?"),
        None => elsewhere(name).unwrap_or_else(|| format!("known are {}", known.join(", "))),
    }
}

/// What to say of a key that is known in another section, or is near to one that is.
pub fn elsewhere(name: &str) -> Option<String> {
    if let Some(section) = section_of(name) {
        return Some(format!("`{name}` belongs in [{section}]"));
    }
    let near = nearest(name, KEYS.iter().flat_map(|(_, keys)| keys.iter().copied()))?;
    if near == "optimizer" {
        return Some(
            "the learning rate is the optimizer's value: `optimizer = { adam = 1e-3 }` in [train]"
                .to_string(),
        );
    }
    Some(format!("did you mean `{near}` in [{}]?", section_of(near)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse;

    #[test]
    fn keys_are_read_by_type_and_defaults_fill_in() {
        let text = "[train]\nepochs = 3\nloss = 'mse'\nclip_norm = 1\noptimizer = { sgd = 0.1 }\n";
        let mut document = parse(text).unwrap();
        let mut train = Section::take(&mut document, "train").unwrap();
        assert_eq!(train.or("epochs", 10_usize).unwrap(), 3);
        assert_eq!(train.or("seed", 42_u64).unwrap(), 42);
        assert_eq!(train.optional::<f64>("clip_norm").unwrap(), Some(1.0));
        assert_eq!(train.or("loss", String::new()).unwrap(), "mse");
        assert_eq!(train.entry("optimizer").unwrap().unwrap().to_string(), "{ sgd = 0.1 }");
        train.finish().unwrap();
        refuse_unknown(&document, &["train"]).unwrap();
    }

    #[test]
    fn what_nobody_asked_for_and_wrong_types_are_errors_at_their_place() {
        let text = "[train]\nepochs = 'three'\nsede = 7\n[modle]\n";
        let mut document = parse(text).unwrap();
        let mut train = Section::take(&mut document, "train").unwrap();
        let e = train.optional::<usize>("epochs").unwrap_err();
        assert_eq!(e.message(), "`epochs` should be a whole number, zero or more, found a word: \"three\"");
        assert_eq!(&text[e.span().unwrap()], "'three'");
        train.optional::<u64>("seed").unwrap();
        let e = train.finish().unwrap_err();
        assert_eq!(
            (e.message(), e.help_text()),
            ("unknown key `sede` in [train]", Some("did you mean `seed`?"))
        );
        let e = refuse_unknown(&document, &["data", "model", "train"]).unwrap_err();
        assert_eq!(e.help_text(), Some("did you mean `model`?"));
    }
}
