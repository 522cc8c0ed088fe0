//! One thing written down by name: `"relu"`, or `{ conv2d = 32, kernel = 3 }`.

use crate::{Json, Span, Value, json, value::write_quoted};
use mapsto_tensor::{Error, ErrorKind, Result};
use std::fmt;

/// A name, its main value and its options, with their places in the file they were read from.
///
/// Two entries are equal when they say the same, wherever they stand. `Display` writes TOML.
/// ```
/// # use mapsto_spec::Entry;
/// let conv = Entry::new("conv2d").with_value(32_usize).with_option("kernel", 3_usize);
/// assert_eq!(conv.to_string(), "{ conv2d = 32, kernel = 3 }");
/// assert_eq!(Entry::new("relu").to_string(), "\"relu\"");
/// assert_eq!(Entry::from_json(&conv.to_json())?, conv);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it is: the key under which a registry knows it.
    pub name: String,
    /// The main value, as 32 in `{ conv2d = 32 }`. `true` says the same as leaving it out.
    pub value: Option<Value>,
    /// The options in the order in which they were written.
    pub options: Vec<(String, Value)>,
    /// Where the name stands.
    pub span: Option<Span>,
    /// Where each option's key and value stand, in the order of `options`; empty when they came from no file.
    pub option_spans: Vec<Span>,
}

impl Entry {
    /// The entry that is only a name.
    pub fn new(name: impl Into<String>) -> Entry {
        Entry { name: name.into(), value: None, options: Vec::new(), span: None, option_spans: Vec::new() }
    }

    /// The same with a main value.
    pub fn with_value(mut self, value: impl Into<Value>) -> Entry {
        self.value = Some(value.into());
        self
    }

    /// The same with one more option; an option of that name already there is replaced.
    pub fn with_option(mut self, name: impl Into<String>, value: impl Into<Value>) -> Entry {
        let (name, value) = (name.into(), value.into());
        match self.options.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.options.push((name, value)),
        }
        self
    }

    /// The same with one more option that stands at `span`.
    pub fn with_option_at(mut self, name: impl Into<String>, value: impl Into<Value>, span: Span) -> Entry {
        // Options added without a place point at the name.
        let here = self.span.unwrap_or(span);
        self.option_spans.resize(self.options.len(), here);
        self.options.push((name.into(), value.into()));
        self.option_spans.push(span);
        self
    }

    /// The same, its name standing at `span`.
    pub fn at(mut self, span: impl Into<Span>) -> Entry {
        self.span = Some(span.into());
        self
    }

    /// Leaves an option out, here and in all entries within.
    ///
    /// ```
    /// # use mapsto_spec::Entry;
    /// let mut entry = Entry::new("linear").with_value(2_usize).with_option("init", "zeros");
    /// entry.forget("init");
    /// assert_eq!(entry, Entry::new("linear").with_value(2_usize));
    /// ```
    pub fn forget(&mut self, option: &str) {
        fn within(value: &mut Value, option: &str) {
            match value {
                Value::List(values) => values.iter_mut().for_each(|value| within(value, option)),
                Value::Entry(entry) => entry.forget(option),
                _ => {}
            }
        }
        while let Some(i) = self.options.iter().position(|(name, _)| name == option) {
            self.options.remove(i);
            if i < self.option_spans.len() {
                self.option_spans.remove(i);
            }
        }
        self.value.iter_mut().chain(self.options.iter_mut().map(|(_, v)| v)).for_each(|v| within(v, option));
    }

    /// The value of an option, if it is there.
    pub fn option(&self, name: &str) -> Option<&Value> {
        self.options.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// Whether both say the same with numbers that are equal: 2 and 2.0, and a pair of equal sizes and the one size.
    ///
    /// ```
    /// # use mapsto_spec::Entry;
    /// let (whole, float) = (Entry::new("rotate").with_value(10_usize), Entry::new("rotate").with_value(10.0));
    /// assert!(whole.agrees(&float) && whole != float);
    /// ```
    #[must_use]
    pub fn agrees(&self, other: &Entry) -> bool {
        let main = |e: &Entry| e.value.clone().filter(|v| *v != Value::Bool(true));
        let main = match (main(self), main(other)) {
            (Some(a), Some(b)) => a.agrees(&b),
            (a, b) => a == b,
        };
        let options = self.options.len() == other.options.len()
            && self.options.iter().zip(&other.options).all(|((n, a), (m, b))| n == m && a.agrees(b));
        self.name == other.name && main && options
    }

    /// Where an option stands, or else the entry.
    pub fn option_span(&self, name: &str) -> Option<Span> {
        let i = self.options.iter().position(|(n, _)| n == name);
        i.and_then(|i| self.option_spans.get(i)).copied().or(self.span)
    }

    /// Reads an entry from a value: a word, or a table.
    ///
    /// # Errors
    /// When the value is a number, a truth value or a list.
    pub fn from_value(value: &Value) -> Result<Entry> {
        <Entry as crate::FromValue>::from_value(value).ok_or_else(|| {
            Error::new(
                ErrorKind::Usage,
                format!("expected a name or a table, found {}: {value}", value.kind()),
            )
            .help("write \"relu\", or { linear = 10 }")
        })
    }

    /// The entry as JSON, in the same form as TOML: `"relu"`, or `{"conv2d":32,"kernel":3}`.
    pub fn to_json(&self) -> Json {
        json::from_entry(self)
    }

    /// Reads what [`to_json`](Entry::to_json) writes.
    ///
    /// # Errors
    /// When `json` is neither a text nor an object with at least one key, or holds a null.
    pub fn from_json(json: &Json) -> Result<Entry> {
        json::to_entry(json)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        let main = |e: &Entry| e.value.clone().filter(|v| *v != Value::Bool(true));
        self.name == other.name && main(self) == main(other) && self.options == other.options
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value.is_none() && self.options.is_empty() {
            return write_quoted(f, &self.name);
        }
        f.write_str("{ ")?;
        write_key(f, &self.name)?;
        match &self.value {
            Some(value) => write!(f, " = {value}")?,
            None => f.write_str(" = true")?,
        }
        for (name, value) in &self.options {
            f.write_str(", ")?;
            write_key(f, name)?;
            write!(f, " = {value}")?;
        }
        f.write_str(" }")
    }
}

/// A bare key where TOML allows one, a quoted one otherwise.
fn write_key(f: &mut fmt::Formatter<'_>, key: &str) -> fmt::Result {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { f.write_str(key) } else { write_quoted(f, key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_ignores_places_and_a_true_main_value() {
        let a = Entry::new("max_pool2d").at(3..8).with_option_at("stride", 2_usize, Span::new(10, 20));
        let b = Entry::new("max_pool2d").with_value(true).with_option("stride", 2_usize);
        assert_eq!(a, b);
        assert_eq!(a.to_string(), "{ max_pool2d = true, stride = 2 }");
        assert_eq!(a.option_span("stride"), Some(Span::new(10, 20)));
        assert_eq!(a.option_span("padding"), Some(Span::new(3, 8)));
        assert_ne!(a, Entry::new("max_pool2d"));
    }

    #[test]
    fn entries_nest_and_quote() {
        let inner = Entry::new("normal").with_value(0.02);
        let e =
            Entry::new("linear").with_value(4_usize).with_option("init", inner).with_option("a b", "q\"\\");
        assert_eq!(e.to_string(), r#"{ linear = 4, init = { normal = 0.02 }, "a b" = "q\"\\" }"#);
        assert_eq!(Entry::from_json(&Json::parse(&e.to_json().to_string()).unwrap()).unwrap(), e);
    }
}
