//! Reading a typed Rust value out of a written one, exactly or not at all.

use crate::{Entry, Span, Value};

/// A type that an option can be read as.
///
/// Reading never guesses: a whole number is accepted where a float is wanted, and nothing else is converted.
/// ```
/// # use mapsto_spec::{FromValue, Value};
/// assert_eq!(f64::from_value(&Value::Int(2)), Some(2.0));
/// assert_eq!(usize::from_value(&Value::Int(-2)), None);
/// assert_eq!(<[usize; 2]>::from_value(&Value::Int(3)), Some([3, 3]));
/// ```
pub trait FromValue: Sized {
    /// What is expected, in the words of an error message.
    const EXPECTED: &'static str;

    /// What a list of these is called there.
    const LIST: &'static str = "a list";

    /// What a list of such lists is called there.
    const LISTS: &'static str = "a list of lists";

    /// The value as this type, or nothing when it is not one.
    fn from_value(value: &Value) -> Option<Self>;

    /// What was probably meant by a value that is not of this type: in a list where one is wanted.
    fn meant(_: &Value) -> Option<Value> {
        None
    }

    /// The same as it stands at this place: entries that were written as words have none of their own.
    #[must_use]
    fn placed(self, _: Span) -> Self {
        self
    }
}

impl FromValue for i64 {
    const EXPECTED: &'static str = "a whole number";
    const LIST: &'static str = "a list of whole numbers";
    fn from_value(value: &Value) -> Option<i64> {
        match value {
            Value::Int(x) => Some(*x),
            _ => None,
        }
    }
}

impl FromValue for usize {
    const EXPECTED: &'static str = "a whole number, zero or more";
    const LIST: &'static str = "a list of whole numbers, zero or more";
    fn from_value(value: &Value) -> Option<usize> {
        i64::from_value(value).and_then(|x| usize::try_from(x).ok())
    }
}

impl FromValue for u64 {
    const EXPECTED: &'static str = "a whole number, zero or more";
    const LIST: &'static str = "a list of whole numbers, zero or more";
    fn from_value(value: &Value) -> Option<u64> {
        i64::from_value(value).and_then(|x| u64::try_from(x).ok())
    }
}

impl FromValue for f64 {
    const EXPECTED: &'static str = "a finite number";
    const LIST: &'static str = "a list of finite numbers";
    fn from_value(value: &Value) -> Option<f64> {
        match value {
            Value::Int(x) => Some(*x as f64),
            Value::Float(x) if x.is_finite() => Some(*x),
            _ => None,
        }
    }
}

impl FromValue for bool {
    const EXPECTED: &'static str = "`true` or `false`";
    const LIST: &'static str = "a list of `true` or `false`";
    fn from_value(value: &Value) -> Option<bool> {
        match value {
            Value::Bool(x) => Some(*x),
            _ => None,
        }
    }
}

impl FromValue for String {
    const EXPECTED: &'static str = "a word in quotes";
    const LIST: &'static str = "a list of words in quotes";
    fn from_value(value: &Value) -> Option<String> {
        match value {
            Value::Str(x) => Some(x.clone()),
            _ => None,
        }
    }
}

impl FromValue for Entry {
    const EXPECTED: &'static str = "a name, or a table that begins with one";
    const LIST: &'static str = "a list of names, or of tables that begin with one";
    const LISTS: &'static str = "a list of lists of names, or of tables that begin with one";
    fn from_value(value: &Value) -> Option<Entry> {
        match value {
            Value::Str(name) => Some(Entry::new(name)),
            Value::Entry(entry) => Some((**entry).clone()),
            _ => None,
        }
    }
    fn placed(self, span: Span) -> Entry {
        Entry { span: self.span.or(Some(span)), ..self }
    }
}

impl FromValue for Value {
    const EXPECTED: &'static str = "a value";
    fn from_value(value: &Value) -> Option<Value> {
        Some(value.clone())
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    const EXPECTED: &'static str = T::LIST;
    const LIST: &'static str = T::LISTS;
    fn from_value(value: &Value) -> Option<Vec<T>> {
        match value {
            Value::List(items) => items.iter().map(T::from_value).collect(),
            _ => None,
        }
    }
    fn meant(value: &Value) -> Option<Value> {
        let item = |value: &Value| match T::from_value(value) {
            Some(_) => Some(value.clone()),
            None => T::meant(value),
        };
        match value {
            Value::List(items) => items.iter().map(item).collect::<Option<_>>().map(Value::List),
            one => item(one).map(|one| Value::List(vec![one])),
        }
    }
    fn placed(self, span: Span) -> Vec<T> {
        self.into_iter().map(|item| item.placed(span)).collect()
    }
}

/// A size along each of some axes; one number stands for all of them.
impl<const D: usize> FromValue for [usize; D] {
    const EXPECTED: &'static str = match D {
        1 => usize::EXPECTED,
        2 => "a whole number or a pair of them",
        _ => "a whole number or one for each axis",
    };
    fn from_value(value: &Value) -> Option<[usize; D]> {
        if let Some(all) = usize::from_value(value) {
            return Some([all; D]);
        }
        Vec::<usize>::from_value(value)?.try_into().ok()
    }
}

impl FromValue for [f64; 2] {
    const EXPECTED: &'static str = "a pair of numbers";
    fn from_value(value: &Value) -> Option<[f64; 2]> {
        Vec::<f64>::from_value(value)?.try_into().ok()
    }
}

#[test]
fn a_list_says_what_it_should_hold_and_what_it_holds() {
    use crate::Args;
    let read = |value: Value| {
        let entry = Entry::new("csv").with_option("features", value);
        Args::new("set", &entry).optional::<Vec<String>>("features").unwrap_err().message().to_string()
    };
    let said = "set `csv`: `features` should be a list of words in quotes, found";
    assert_eq!(read(Value::from(vec![1_i64, 2])), format!("{said} a list of whole numbers: [1, 2]"));
    let mixed = Value::List(vec![Value::from("a"), Value::Int(2)]);
    assert_eq!(read(mixed), format!("{said} a list whose item 2 is a whole number: [\"a\", 2]"));
    assert_eq!(read(Value::from("a")), format!("{said} a word: \"a\""));
}

/// A list that is missing around a value, at any depth, is written into the help, and what the help says can be read.
#[test]
fn a_missing_list_is_written_into_the_help() {
    use crate::Args;
    fn check<T: FromValue>(value: Value, meant: Option<&str>) {
        let entry = Entry::new("parallel").with_value(value);
        let error = Args::new("layer", &entry).main::<T>().err().unwrap();
        assert_eq!(error.help_text(), meant.map(|meant| format!("write `parallel = {meant}`")).as_deref());
        if meant.is_some() {
            let value = T::meant(entry.value.as_ref().unwrap()).unwrap();
            assert!(T::from_value(&value).is_some(), "{value}");
        }
    }
    let word = || Value::from("tanh");
    let two = || Value::List(vec![word(), Value::from("relu")]);
    check::<Vec<Entry>>(word(), Some("[\"tanh\"]"));
    check::<Vec<Vec<Entry>>>(word(), Some("[[\"tanh\"]]"));
    check::<Vec<Vec<Entry>>>(two(), Some("[[\"tanh\"], [\"relu\"]]"));
    check::<Vec<Vec<Entry>>>(Value::List(vec![two(), word()]), Some("[[\"tanh\", \"relu\"], [\"tanh\"]]"));
    check::<Vec<String>>(word(), Some("[\"tanh\"]"));
    check::<Vec<i64>>(Value::Int(2), Some("[2]"));
    check::<Vec<i64>>(word(), None);
    check::<Entry>(two(), None);
}

/// A word that becomes an entry stands where its option does, in a list too.
#[test]
fn entries_of_words_have_a_place() {
    use crate::Args;
    let (first, then) = (Span::new(0, 4), Span::new(9, 14));
    let entry = Entry::new("a").at(first).with_value("relu");
    let entry = entry.with_option_at("then", "cos", then).with_option_at("all", vec!["cos"], then);
    let mut args = Args::new("schedule", &entry);
    assert_eq!(args.main::<Entry>().unwrap().span, Some(first));
    assert_eq!(args.optional::<Entry>("then").unwrap().unwrap().span, Some(then));
    assert_eq!(args.optional::<Vec<Entry>>("all").unwrap().unwrap()[0].span, Some(then));
}
