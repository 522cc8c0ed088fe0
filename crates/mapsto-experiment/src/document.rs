//! `Node`: a TOML document as a tree that keeps the order of its keys and the span of everything in it, which is what a
//! model's layers (ordered) and its errors (located) need and what plain deserialisation throws away.

use std::ops::Range;

use mapsto::spec::{Entry, Span, Value};
use mapsto::{Error, ErrorKind, Result};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value of a document and the bytes it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Tree,
    /// Where it stands.
    pub span: Range<usize>,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// A whole number.
    Int(i64),
    /// A number with a point or an exponent.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// A text.
    Str(String),
    /// `[a, b]`.
    List(Vec<Node>),
    /// `{ key = value }` or a section, in the order written.
    Table(Vec<(Key, Node)>),
}

/// The name of a table's member and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub span: Range<usize>,
}

/// Reads a whole document: a table.
///
/// # Errors
/// The first thing that is not TOML.
pub fn parse(text: &str) -> Result<Node> {
    let table = DeTable::parse(text).map_err(|e| unquoted(text, syntax(&e, text.len())))?;
    let span = table.span();
    Ok(Node { value: members(table.into_inner())?, span })
}

/// Reads one value, such as the text after `--train.epochs`; its spans are moved by `offset`.
///
/// A text that is no TOML value is a string, so that paths and names need no quotes on the command line.
///
/// # Errors
/// A text that opens a list, a table or a string and does not close it.
pub fn parse_value(text: &str, offset: usize) -> Result<Node> {
    let parsed = match DeValue::parse(text) {
        Ok(value) => node(value),
        Err(e) if text.trim_start().starts_with(['[', '{', '"', '\'']) => Err(syntax(&e, text.len())),
        Err(_) => Ok(Node { value: Tree::Str(text.to_string()), span: 0..text.len() }),
    };
    match parsed {
        Ok(mut node) => {
            node.shift(offset);
            Ok(node)
        }
        Err(e) => {
            let span = e.span().unwrap_or(0..text.len());
            Err(Error::new(e.kind(), e.message()).with_span(span.start + offset..span.end + offset))
        }
    }
}

impl Node {
    /// What kind of value it is, in words.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Tree::Int(_) => "a whole number",
            Tree::Float(_) => "a number",
            Tree::Bool(_) => "true or false",
            Tree::Str(_) => "a text",
            Tree::List(_) => "a list",
            Tree::Table(_) => "a table",
        }
    }

    /// The node as a value of a specification; a table becomes the entry its first key names.
    ///
    /// # Errors
    /// A table without keys.
    pub fn to_value(&self) -> Result<Value> {
        Ok(match &self.value {
            Tree::Int(i) => Value::Int(*i),
            Tree::Float(x) => Value::Float(*x),
            Tree::Bool(b) => Value::Bool(*b),
            Tree::Str(s) => Value::Str(s.clone()),
            Tree::List(items) => Value::List(items.iter().map(Node::to_value).collect::<Result<_>>()?),
            Tree::Table(_) => Value::Entry(Box::new(self.to_entry()?)),
        })
    }

    /// The node as an entry: `"relu"`, or `{ conv2d = 32, kernel = 3 }`, whose first key is its name.
    ///
    /// # Errors
    /// The node is neither a text nor a table with at least one key.
    pub fn to_entry(&self) -> Result<Entry> {
        let members = match &self.value {
            Tree::Str(name) => return Ok(Entry::new(name.as_str()).at(self.span.clone())),
            Tree::Table(members) => members,
            _ => {
                let message = format!("expected a name or a table, found {}", self.kind());
                return Err(refuse(message, &self.span).help("write \"relu\", or { linear = 10 }"));
            }
        };
        let Some(((key, main), options)) = members.split_first() else {
            return Err(refuse("an empty table names nothing".to_string(), &self.span));
        };
        let mut entry = Entry::new(key.name.as_str()).at(key.span.clone()).with_value(main.to_value()?);
        for (key, node) in options {
            let span = Span::new(key.span.start, node.span.end.max(key.span.end));
            entry = entry.with_option_at(key.name.as_str(), node.to_value()?, span);
        }
        Ok(entry)
    }

    fn shift(&mut self, by: usize) {
        self.span = self.span.start + by..self.span.end + by;
        match &mut self.value {
            Tree::List(items) => items.iter_mut().for_each(|n| n.shift(by)),
            Tree::Table(members) => members.iter_mut().for_each(|(key, n)| {
                key.span = key.span.start + by..key.span.end + by;
                n.shift(by);
            }),
            _ => {}
        }
    }
}

/// Adds to an error about a bare word that words stand in quotes.
fn unquoted(text: &str, error: Error) -> Error {
    let Some(span) = error.span() else { return error };
    let rest = text.get(span.start..).unwrap_or_default();
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || "_-./".contains(*c)).collect();
    let is_value = text.get(..span.start).is_some_and(|before| before.trim_end().ends_with(['=', ',', '[']));
    match is_value && word.starts_with(char::is_alphabetic) {
        true => error.help(format!("words stand in quotes: \"{word}\"")),
        false => error,
    }
}

fn syntax(e: &toml::de::Error, end: usize) -> Error {
    let mut message = e.message().chars();
    let first = message.next().into_iter().flat_map(char::to_lowercase);
    refuse(first.chain(message).collect(), &e.span().unwrap_or(end..end))
}

fn refuse(message: String, span: &Range<usize>) -> Error {
    Error::new(ErrorKind::Usage, message).with_span(span.clone())
}

fn members(table: DeTable<'_>) -> Result<Tree> {
    let mut members = Vec::new();
    for (key, value) in table {
        let key = Key { span: key.span(), name: key.into_inner().into_owned() };
        members.push((key, node(value)?));
    }
    // The parser's map is sorted by name; the order of the file is the order of the layers' options.
    members.sort_by_key(|(key, _)| key.span.start);
    Ok(Tree::Table(members))
}

fn node(value: Spanned<DeValue<'_>>) -> Result<Node> {
    let span = value.span();
    let value = match value.into_inner() {
        DeValue::String(s) => Tree::Str(s.into_owned()),
        DeValue::Integer(i) => Tree::Int(
            i64::from_str_radix(i.as_str(), i.radix())
                .map_err(|_| refuse(format!("{i} does not fit a 64-bit whole number"), &span))?,
        ),
        DeValue::Float(f) => {
            Tree::Float(f.as_str().parse().map_err(|_| refuse(format!("{f} is not a number"), &span))?)
        }
        DeValue::Boolean(b) => Tree::Bool(b),
        DeValue::Datetime(_) => return Err(refuse("a date has no meaning here".to_string(), &span)),
        DeValue::Array(items) => Tree::List(items.into_iter().map(node).collect::<Result<_, _>>()?),
        DeValue::Table(table) => members(table)?,
    };
    Ok(Node { value, span })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_the_order_of_the_file_and_their_spans() {
        let text = "[model]\nlayers = [{ conv2d = 32, kernel = 3, bias = false }, 'relu']\n";
        let Tree::Table(sections) = parse(text).unwrap().value else { panic!() };
        assert_eq!(sections[0].0.name, "model");
        let Tree::Table(model) = &sections[0].1.value else { panic!() };
        let Tree::List(layers) = &model[0].1.value else { panic!() };
        let Tree::Table(conv) = &layers[0].value else { panic!() };
        let names: Vec<&str> = conv.iter().map(|(k, _)| k.name.as_str()).collect();
        assert_eq!(names, ["conv2d", "kernel", "bias"]);
        assert_eq!(&text[conv[1].0.span.clone()], "kernel");
        assert_eq!(&text[conv[2].1.span.clone()], "false");
    }

    #[test]
    fn tables_are_entries_named_by_their_first_key() {
        let text = "{ conv2d = 0x10, kernel = [3, 5], init = { normal = 0.02 }, bias = false }";
        let entry = parse_value(text, 0).unwrap().to_entry().unwrap();
        assert_eq!(entry.to_string(), text.replace("0x10", "16"));
        let span = entry.option_span("kernel").unwrap();
        assert_eq!(&text[span.start..span.end], "kernel = [3, 5]");
        assert_eq!(parse_value("relu", 4).unwrap().to_entry().unwrap().span, Some(Span::new(4, 8)));
        assert!(parse_value("{}", 0).unwrap().to_entry().is_err());
        assert!(parse_value("3", 0).unwrap().to_value().is_ok());
        assert!(parse_value("3", 0).unwrap().to_entry().is_err());
    }

    #[test]
    fn words_on_the_command_line_need_no_quotes_and_open_brackets_are_errors() {
        assert_eq!(parse_value("data/my set", 0).unwrap().value, Tree::Str("data/my set".to_string()));
        assert_eq!(parse_value("3", 7).unwrap().span, 7..8);
        assert!(parse_value("[1, 2", 0).is_err());
        assert!(parse_value("{ adamw = ", 0).is_err());
    }

    #[test]
    fn hostile_documents_are_errors_never_panics() {
        let deep = "[".repeat(100_000);
        for text in
            ["a = 99999999999999999999", "a = ", "a = 1979-05-27", "[", "a=1\na=2", deep.as_str(), "\u{0}"]
        {
            assert!(parse(text).is_err(), "{text:.20}");
        }
        let nested = format!("a = {}", "[".repeat(100_000));
        assert!(parse(&nested).is_err());
    }
}
