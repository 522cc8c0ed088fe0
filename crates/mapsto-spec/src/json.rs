//! JSON as it travels in model files and run folders: a small reader that trusts nothing, and its writer.
//!
//! Kept here instead of a dependency because what is needed is small: ordered objects, exact 64-bit integers, an error
//! that says where, bounded depth, and memory in proportion to the text.

use crate::{Entry, Value, value::write_quoted};
use mapsto_tensor::{Error, ErrorKind, Result};
use std::fmt;

/// A JSON value; objects keep the order of their keys.
///
/// ```
/// # use mapsto_spec::Json;
/// let json = Json::parse(r#"{"shape": [2, 3], "scale": 0.5}"#)?;
/// assert_eq!(json.get("shape").and_then(|s| s.index(1)), Some(&Json::Int(3)));
/// assert_eq!(json.to_string(), r#"{"shape":[2,3],"scale":0.5}"#);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`; also what a number that JSON cannot write (NaN, ∞) becomes.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number written without fraction or exponent that fits 64 bits.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Str(String),
    /// Values in order.
    List(Vec<Json>),
    /// Keys and values in order; the reader refuses the same key twice.
    Object(Vec<(String, Json)>),
}

/// Deeper nesting than any file of ours has; deeper still would only serve to overflow the stack.
const MAX_DEPTH: usize = 64;

impl Json {
    /// Reads one JSON value that fills the whole text.
    ///
    /// # Errors
    /// On anything that is not JSON (RFC 8259), on a key that stands twice, and on nesting deeper than 64.
    pub fn parse(text: &str) -> Result<Json> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        reader.space();
        if reader.at < text.len() { Err(reader.error("text after the end of the value")) } else { Ok(value) }
    }

    /// The value under a key, when this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.object()?.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// The value at a position, when this is a list that long.
    pub fn index(&self, i: usize) -> Option<&Json> {
        self.list()?.get(i)
    }

    /// The keys and values, when this is an object.
    pub fn object(&self) -> Option<&[(String, Json)]> {
        if let Json::Object(pairs) = self { Some(pairs) } else { None }
    }

    /// The values, when this is a list.
    pub fn list(&self) -> Option<&[Json]> {
        if let Json::List(items) = self { Some(items) } else { None }
    }

    /// The text, when this is one.
    pub fn str(&self) -> Option<&str> {
        if let Json::Str(text) = self { Some(text) } else { None }
    }

    /// The whole number, when this is one.
    pub fn int(&self) -> Option<i64> {
        if let Json::Int(x) = self { Some(*x) } else { None }
    }

    /// The number as a float, when this is a number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Json::Int(x) => Some(*x as f64),
            Json::Float(x) => Some(*x),
            _ => None,
        }
    }

    /// The truth value, when this is one.
    pub fn bool(&self) -> Option<bool> {
        if let Json::Bool(x) = self { Some(*x) } else { None }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(b) => write!(f, "{b}"),
            Json::Int(i) => write!(f, "{i}"),
            Json::Float(x) if !x.is_finite() => f.write_str("null"),
            Json::Float(x) => write!(f, "{x:?}"),
            Json::Str(s) => write_quoted(f, s),
            Json::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Json::Object(pairs) => {
                f.write_str("{")?;
                for (i, (key, value)) in pairs.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "," })?;
                    write_quoted(f, key)?;
                    write!(f, ":{value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

macro_rules! json_from {
    ($($from:ty => |$x:ident| $to:expr;)*) => {$(
        impl From<$from> for Json {
            fn from($x: $from) -> Json { $to }
        }
    )*};
}
json_from! {
    bool => |x| Json::Bool(x);
    i64 => |x| Json::Int(x);
    usize => |x| Json::Int(i64::try_from(x).unwrap_or(i64::MAX));
    f64 => |x| Json::Float(x);
    &str => |x| Json::Str(x.to_string());
    String => |x| Json::Str(x);
    &Entry => |x| from_entry(x);
}

impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(items: Vec<T>) -> Json {
        Json::List(items.into_iter().map(Into::into).collect())
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Json {
        match value {
            Value::Int(x) => Json::Int(*x),
            Value::Float(x) => Json::Float(*x),
            Value::Bool(x) => Json::Bool(*x),
            Value::Str(x) => Json::Str(x.clone()),
            Value::List(items) => Json::List(items.iter().map(Json::from).collect()),
            Value::Entry(entry) => from_entry(entry),
        }
    }
}

impl TryFrom<&Json> for Value {
    type Error = Error;
    fn try_from(json: &Json) -> Result<Value> {
        Ok(match json {
            Json::Null => {
                return Err(Error::new(ErrorKind::Model, "spec: a null stands where a value should be"));
            }
            Json::Bool(x) => Value::Bool(*x),
            Json::Int(x) => Value::Int(*x),
            Json::Float(x) => Value::Float(*x),
            Json::Str(x) => Value::Str(x.clone()),
            Json::List(items) => Value::List(items.iter().map(Value::try_from).collect::<Result<_>>()?),
            Json::Object(_) => Value::Entry(Box::new(to_entry(json)?)),
        })
    }
}

pub(crate) fn from_entry(entry: &Entry) -> Json {
    if entry.value.is_none() && entry.options.is_empty() {
        return Json::Str(entry.name.clone());
    }
    let main = entry.value.as_ref().map_or(Json::Bool(true), Json::from);
    let options = entry.options.iter().map(|(name, value)| (name.clone(), Json::from(value)));
    Json::Object(std::iter::once((entry.name.clone(), main)).chain(options).collect())
}

pub(crate) fn to_entry(json: &Json) -> Result<Entry> {
    let pairs = match json {
        Json::Str(name) => return Ok(Entry::new(name)),
        Json::Object(pairs) if !pairs.is_empty() => pairs,
        other => {
            let text: String = other.to_string().chars().take(60).collect();
            let message = format!("spec: expected a name or an object that begins with one, found {text}");
            return Err(Error::new(ErrorKind::Model, message));
        }
    };
    let mut entry = Entry::new(&pairs[0].0);
    entry.value = Some(Value::try_from(&pairs[0].1)?).filter(|v| *v != Value::Bool(true));
    for (name, value) in &pairs[1..] {
        entry.options.push((name.clone(), Value::try_from(value)?));
    }
    Ok(entry)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn error(&self, what: &str) -> Error {
        Error::new(ErrorKind::Data, format!("json: {what} at byte {}", self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Result<()> {
        self.space();
        if self.peek() != Some(byte) {
            return Err(self.error(&format!("expected `{}`", byte as char)));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Json> {
        if depth > MAX_DEPTH {
            return Err(self.error("nesting deeper than 64"));
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.pairs(depth),
            Some(b'[') => self.items(depth),
            Some(b'"') => Ok(Json::Str(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(_) => Err(self.error("expected a value")),
            None => Err(self.error("the text ends where a value should be")),
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.error("expected a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn items(&mut self, depth: usize) -> Result<Json> {
        self.eat(b'[')?;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.peek() != Some(b',') {
                self.eat(b']')?;
                return Ok(Json::List(items));
            }
            self.at += 1;
        }
    }

    fn pairs(&mut self, depth: usize) -> Result<Json> {
        self.eat(b'{')?;
        let mut pairs: Vec<(String, Json)> = Vec::new();
        // A set beside the list: looking for each key in the list would cost a hostile file n² time.
        let mut seen = std::collections::HashSet::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(pairs));
        }
        loop {
            self.space();
            let key = self.string()?;
            if !seen.insert(key.clone()) {
                return Err(self.error("the same key twice"));
            }
            self.eat(b':')?;
            pairs.push((key, self.value(depth + 1)?));
            self.space();
            if self.peek() != Some(b',') {
                self.eat(b'}')?;
                return Ok(Json::Object(pairs));
            }
            self.at += 1;
        }
    }

    fn number(&mut self) -> Result<Json> {
        let start = self.at;
        let digits = |r: &mut Self| {
            let from = r.at;
            while matches!(r.peek(), Some(b'0'..=b'9')) {
                r.at += 1;
            }
            r.at - from
        };
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let leading_zero = self.peek() == Some(b'0');
        let n = digits(self);
        if n == 0 || (leading_zero && n > 1) {
            return Err(self.error("expected a number"));
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            whole = false;
            if digits(self) == 0 {
                return Err(self.error("expected a digit"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            whole = false;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if digits(self) == 0 {
                return Err(self.error("expected a digit"));
            }
        }
        let text = &self.text[start..self.at];
        match text.parse::<i64>() {
            Ok(x) if whole => Ok(Json::Int(x)),
            _ => text.parse().map(Json::Float).map_err(|_| self.error("expected a number")),
        }
    }

    fn string(&mut self) -> Result<String> {
        self.eat(b'"')?;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(c) = rest.chars().next() else {
                return Err(self.error("the text ends inside a string"));
            };
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                c if (c as u32) < 0x20 => return Err(self.error("a control character in a string")),
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let Some(c) = self.peek() else { return Err(self.error("the text ends inside a string")) };
        self.at += 1;
        Ok(match c {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex()?;
                let code = if (0xd800..0xdc00).contains(&high) {
                    if !self.text[self.at..].starts_with("\\u") {
                        return Err(self.error("half a surrogate pair"));
                    }
                    self.at += 2;
                    let low = self.hex()?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return Err(self.error("half a surrogate pair"));
                    }
                    0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
                } else {
                    high
                };
                char::from_u32(code).ok_or_else(|| self.error("half a surrogate pair"))?
            }
            _ => return Err(self.error("an unknown escape")),
        })
    }

    fn hex(&mut self) -> Result<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let valid = digits.filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = valid.and_then(|d| std::str::from_utf8(d).ok()) else {
            return Err(self.error("expected four hexadecimal digits"));
        };
        let code =
            u32::from_str_radix(digits, 16).map_err(|_| self.error("expected four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "null",
            "true",
            "-12",
            "9223372036854775807",
            "0.1",
            "1e-5",
            r#""a\"\\\nü😀""#,
            r#"[1,[2.5,[]],{}]"#,
            r#"{"a":1,"b":{"c":[null,false]}}"#,
        ] {
            assert_eq!(Json::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Json::parse(" [ 1 , 2 ] ").unwrap(), Json::from(vec![1_i64, 2]));
        assert_eq!(Json::parse(r#""\u00e9\ud83d\ude00\/""#).unwrap(), Json::from("é😀/"));
        assert_eq!(Json::parse("18446744073709551616").unwrap(), Json::Float(18446744073709551616.0));
        assert_eq!(Json::Float(f64::NAN).to_string(), "null");
    }

    #[test]
    fn refuses_what_is_not_json() {
        let deep = "[".repeat(100_000);
        for text in [
            "",
            " ",
            "nul",
            "01",
            "-",
            "1.",
            "1e",
            ".5",
            "+1",
            "'a'",
            "\"",
            "\"\\",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "\"\n\"",
            "[1,]",
            "[1 2]",
            "[",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "{\"a\":1,\"a\":2}",
            "1 2",
            "NaN",
            "\u{feff}1",
            "\"\\u+123\"",
            &deep,
        ] {
            let error = Json::parse(text).expect_err(text).to_string();
            assert!(error.contains("at byte"), "{error}");
        }
    }

    #[test]
    fn a_spec_refuses_what_is_no_entry() {
        for text in ["1", "{}", "[]", "null", r#"{"a":null}"#, r#"{"a":1,"b":[null]}"#] {
            assert!(Entry::from_json(&Json::parse(text).unwrap()).is_err(), "{text}");
        }
    }
}
