//! What an entry or one of its options is set to.

use crate::Entry;
use mapsto_tensor::ops::Padding;
use std::fmt;

/// A value as written in a model file: a number, a word, a list, or an entry inside an entry.
///
/// `Display` writes it the way TOML would.
/// ```
/// # use mapsto_spec::Value;
/// assert_eq!(Value::from(3_usize).to_string(), "3");
/// assert_eq!(Value::from(1e-3).to_string(), "0.001");
/// assert_eq!(Value::from(vec![1.0, 2.5]).to_string(), "[1.0, 2.5]");
/// assert_eq!(Value::from("same").to_string(), "\"same\"");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// A word; where an entry is expected it stands for the entry of that name without options.
    Str(String),
    /// Values in order.
    List(Vec<Value>),
    /// An entry with a value or options of its own, as in `init = { normal = 0.02 }`.
    Entry(Box<Entry>),
}

impl Value {
    /// As [`kind`](Value::kind), and of a list, what it holds.
    ///
    /// ```
    /// # use mapsto_spec::Value;
    /// assert_eq!(Value::from(vec![1.0, 2.5]).contents(), "a list of numbers");
    /// assert_eq!(Value::List(vec![Value::Int(1), Value::from("a")]).contents(), "a list whose item 2 is a word");
    /// ```
    #[must_use]
    pub fn contents(&self) -> String {
        let Value::List(items) = self else { return self.kind().to_string() };
        let Some(first) = items.first() else { return "an empty list".to_string() };
        match items.iter().position(|item| item.kind() != first.kind()) {
            Some(i) => format!("a list whose item {} is {}", i + 1, items[i].kind()),
            None => {
                let one = first.kind();
                let one = one.strip_prefix("a ").or(one.strip_prefix("an ")).unwrap_or(one);
                format!(
                    "a list of {}s",
                    one.strip_suffix('y').map_or(one.to_string(), |stem| format!("{stem}ie"))
                )
            }
        }
    }

    /// What kind of value this is, in the words of an error message.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Int(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Bool(_) => "a truth value",
            Value::Str(_) => "a word",
            Value::List(_) => "a list",
            Value::Entry(_) => "an entry",
        }
    }

    /// Whether both say the same, as [`Entry::agrees`] has it.
    pub(crate) fn agrees(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Int(i), Value::Float(x)) | (Value::Float(x), Value::Int(i)) => *i as f64 == *x,
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.agrees(b))
            }
            (Value::List(pair), one) | (one, Value::List(pair)) => {
                matches!(one, Value::Int(_)) && !pair.is_empty() && pair.iter().all(|size| size == one)
            }
            (Value::Entry(a), Value::Entry(b)) => a.agrees(b),
            (Value::Entry(entry), Value::Str(name)) | (Value::Str(name), Value::Entry(entry)) => {
                entry.agrees(&Entry::new(name))
            }
            (a, b) => a == b,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(i) => write!(f, "{i}"),
            Value::Float(x) if x.is_nan() => f.write_str("nan"),
            Value::Float(x) => write!(f, "{x:?}"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Str(s) => write_quoted(f, s),
            Value::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Value::Entry(entry) => write!(f, "{entry}"),
        }
    }
}

/// A basic string of TOML, which is also one of JSON.
pub(crate) fn write_quoted(f: &mut dyn fmt::Write, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if (c as u32) < 0x20 || c as u32 == 0x7f => write!(f, "\\u{:04x}", c as u32)?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

impl From<i64> for Value {
    fn from(x: i64) -> Value {
        Value::Int(x)
    }
}

impl From<usize> for Value {
    /// Numbers beyond `i64::MAX` are not sizes of anything; they become `i64::MAX`.
    fn from(x: usize) -> Value {
        Value::Int(i64::try_from(x).unwrap_or(i64::MAX))
    }
}

impl From<u64> for Value {
    /// Numbers beyond `i64::MAX` become `i64::MAX`: TOML has no larger ones.
    fn from(x: u64) -> Value {
        Value::Int(i64::try_from(x).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Value {
        Value::Float(x)
    }
}

impl From<bool> for Value {
    fn from(x: bool) -> Value {
        Value::Bool(x)
    }
}

impl From<&str> for Value {
    fn from(x: &str) -> Value {
        Value::Str(x.to_string())
    }
}

impl From<String> for Value {
    fn from(x: String) -> Value {
        Value::Str(x)
    }
}

impl From<Entry> for Value {
    /// An entry that is only a name becomes the word, as it would be written.
    fn from(x: Entry) -> Value {
        match x {
            Entry { name, value: None, options, .. } if options.is_empty() => Value::Str(name),
            entry => Value::Entry(Box::new(entry)),
        }
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Value {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}

impl<const D: usize> From<[usize; D]> for Value {
    /// Sizes that are all equal are written as one number, the way `kernel = 3` means 3 × 3.
    fn from(sizes: [usize; D]) -> Value {
        match sizes.first() {
            Some(&first) if sizes == [first; D] => first.into(),
            _ => Value::List(sizes.map(Value::from).to_vec()),
        }
    }
}

impl<const D: usize> From<Padding<D>> for Value {
    fn from(padding: Padding<D>) -> Value {
        match padding {
            Padding::Each(sizes) => sizes.into(),
            Padding::Same => "same".into(),
        }
    }
}
