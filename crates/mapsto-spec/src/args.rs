//! The arguments of an entry, read one by one, with every default that was filled in written down.

use crate::{Entry, FromValue, Span, Value, nearest, synonyms};
use mapsto_tensor::{Error, ErrorKind, Result};

/// Reads an entry's main value and options, and remembers what was read and which defaults were used.
///
/// Code that builds from an entry asks for each argument once; [`finish`](Args::finish) then refuses what nobody asked
/// for and returns the entry with every default filled in.
/// ```
/// # use mapsto_spec::{Args, Entry};
/// let entry = Entry::new("conv2d").with_value(32_usize).with_option("kernel", 3_usize);
/// let mut args = Args::new("layer", &entry);
/// assert_eq!(args.main::<usize>()?, 32);
/// assert_eq!(args.required::<usize>("kernel")?, 3);
/// assert_eq!(args.get_or("stride", 1_usize)?, 1);
/// assert_eq!(args.finish()?.to_string(), "{ conv2d = 32, kernel = 3, stride = 1 }");
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Args {
    noun: &'static str,
    entry: Entry,
    /// Each option asked for, and what was found or filled in; `None` for one that may stay away.
    asked: Vec<(String, Option<Value>)>,
    main: Option<Value>,
    main_asked: bool,
    /// What was said of each argument while it was read, for the reference of options.
    told: Vec<Told>,
}

/// What reading an argument told of it; the main value is `""`.
#[derive(Clone, Debug)]
struct Told {
    name: String,
    expected: &'static str,
    range: Option<&'static str>,
    default: Option<Value>,
    required: bool,
}

/// An argument that was asked for, as the reference of options describes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked<'a> {
    /// Its name; `""` is the main value.
    pub name: &'a str,
    /// What it must be, in the words of an error message.
    pub expected: &'static str,
    /// Which values it may have, where that was checked by [`Bounds`](crate::Bounds).
    pub range: Option<&'static str>,
    /// What it is where nothing is said.
    pub default: Option<&'a Value>,
    /// Whether it must be given.
    pub required: bool,
}

impl Args {
    /// The arguments of `entry`, which is a `noun` ("layer", "optimizer"), for messages.
    pub fn new(noun: &'static str, entry: &Entry) -> Args {
        let mut entry = entry.clone();
        entry.value = entry.value.filter(|v| *v != Value::Bool(true));
        Args {
            noun,
            main: entry.value.clone(),
            entry,
            asked: Vec::new(),
            main_asked: false,
            told: Vec::new(),
        }
    }

    /// The entry's name.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// Where the entry stands.
    pub fn span(&self) -> Option<Span> {
        self.entry.span
    }

    /// The main value, as 32 in `{ conv2d = 32 }`.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn main<T: FromValue>(&mut self) -> Result<T> {
        self.tell("", T::EXPECTED, None, true);
        self.read_main()
    }

    fn read_main<T: FromValue>(&mut self) -> Result<T> {
        self.main_asked = true;
        let name = &self.entry.name;
        let Some(value) = &self.entry.value else {
            let message = format!("{} `{name}` needs a value: {}", self.noun, T::EXPECTED);
            return Err(
                self.located(Error::new(ErrorKind::Usage, message).help(format!("write {{ {name} = .. }}")))
            );
        };
        let read = T::from_value(value).map(|read| match self.entry.span {
            Some(span) => read.placed(span),
            None => read,
        });
        read.ok_or_else(|| self.mistyped::<T>("", value, None))
    }

    /// The main value, or `default` where there is none.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn main_or<T: FromValue + Into<Value> + Clone>(&mut self, default: T) -> Result<T> {
        self.tell("", T::EXPECTED, Some(default.clone().into()), false);
        if self.entry.value.is_some() {
            return self.read_main();
        }
        self.main_asked = true;
        self.main = Some(default.clone().into());
        Ok(default)
    }

    /// The main value, if there is one.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn main_optional<T: FromValue>(&mut self) -> Result<Option<T>> {
        self.tell("", T::EXPECTED, None, false);
        self.main_asked = true;
        if self.entry.value.is_none() { Ok(None) } else { self.read_main().map(Some) }
    }

    /// The option `name`.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn required<T: FromValue>(&mut self, name: &str) -> Result<T> {
        self.tell(name, T::EXPECTED, None, true);
        match self.read(name)? {
            Some(value) => Ok(value),
            None => {
                let message = format!("{} `{}` needs `{name}`: {}", self.noun, self.entry.name, T::EXPECTED);
                // The misspelt option that is probably the missing one, found among what nobody asked for.
                let near = nearest(name, self.unasked().map(|(n, _)| n.as_str())).map(str::to_string);
                let error = Error::new(ErrorKind::Usage, message);
                Err(self.located(match near {
                    Some(near) => error.help(format!("is `{near}` meant to be `{name}`?")),
                    None => error.help(format!("add `{name} = ..`")),
                }))
            }
        }
    }

    /// The option `name`, or `default` where it is not given.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn get_or<T: FromValue + Into<Value> + Clone>(&mut self, name: &str, default: T) -> Result<T> {
        self.tell(name, T::EXPECTED, Some(default.clone().into()), false);
        if let Some(value) = self.read(name)? {
            return Ok(value);
        }
        let at = self.asked.len() - 1;
        self.asked[at].1 = Some(default.clone().into());
        Ok(default)
    }

    /// The option `name`, if it is given.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn optional<T: FromValue>(&mut self, name: &str) -> Result<Option<T>> {
        self.tell(name, T::EXPECTED, None, false);
        self.read(name)
    }

    fn read<T: FromValue>(&mut self, name: &str) -> Result<Option<T>> {
        let value = self.entry.option(name).cloned();
        self.asked.retain(|(n, _)| n != name);
        self.asked.push((name.to_string(), value.clone()));
        let Some(value) = value else { return Ok(None) };
        let read = T::from_value(&value);
        let span = self.entry.option_span(name);
        let read = read.map(|read| span.into_iter().fold(read, T::placed));
        read.map(Some).ok_or_else(|| self.mistyped::<T>(name, &value, span))
    }

    /// The option `name` if given, removed from what [`finish`](Args::finish) writes: for values that are kept elsewhere.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn take<T: FromValue>(&mut self, name: &str) -> Result<Option<T>> {
        let value = self.optional(name)?;
        let at = self.asked.len() - 1;
        self.asked[at].1 = None;
        Ok(value)
    }

    /// The arguments that were asked for, in order; `""` is the main value.
    ///
    /// ```
    /// # use mapsto_spec::{Args, Entry, Value};
    /// let mut args = Args::new("layer", &Entry::new("dropout"));
    /// args.main_or(0.5)?;
    /// let asked: Vec<_> = args.asked().collect();
    /// assert_eq!((asked[0].name, asked[0].expected), ("", "a finite number"));
    /// assert_eq!(asked[0].default, Some(&Value::Float(0.5)));
    /// # Ok::<(), mapsto_tensor::Error>(())
    /// ```
    pub fn asked(&self) -> impl Iterator<Item = Asked<'_>> {
        self.told.iter().map(|told| Asked {
            name: &told.name,
            expected: told.expected,
            range: told.range,
            default: told.default.as_ref(),
            required: told.required,
        })
    }

    /// Says which values the argument `name` may have.
    pub(crate) fn tell_range(&mut self, name: &str, range: &'static str) {
        if let Some(told) = self.told.iter_mut().find(|told| told.name == name) {
            told.range = Some(range);
        }
    }

    /// Remembers what is asked for; the first question about an argument describes it.
    fn tell(&mut self, name: &str, expected: &'static str, default: Option<Value>, required: bool) {
        match self.told.iter_mut().find(|told| told.name == name) {
            Some(told) => {
                told.default = told.default.take().or(default);
                told.required &= required;
            }
            None => self.told.push(Told { name: name.to_string(), expected, range: None, default, required }),
        }
    }

    /// Writes down what an argument turned out to be, where the reader filled in a part of it.
    pub fn record(&mut self, name: &str, value: impl Into<Value>) {
        let value = Some(value.into());
        match self.asked.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value,
            None => self.asked.push((name.to_string(), value)),
        }
    }

    /// Writes down what the main value turned out to be.
    pub fn record_main(&mut self, value: impl Into<Value>) {
        self.main = Some(value.into());
    }

    /// An error about the option `name` (or the entry itself, for `""`), at its place: `layer `dropout`: {message}`.
    pub fn error(&self, name: &str, message: impl std::fmt::Display) -> Error {
        let error = Error::new(ErrorKind::Usage, format!("{} `{}`: {message}", self.noun, self.entry.name));
        match self.entry.option_span(name) {
            Some(span) => error.with_span(span.into()),
            None => error,
        }
    }

    /// As [`error`](Args::error), about a shape that does not fit and not about a value that is wrong by itself.
    pub fn misfit(&self, name: &str, message: impl std::fmt::Display) -> Error {
        let error = Error::new(ErrorKind::Model, format!("{} `{}`: {message}", self.noun, self.entry.name));
        match self.entry.option_span(name) {
            Some(span) => error.with_span(span.into()),
            None => error,
        }
    }

    /// The entry with every default filled in, in the order in which the arguments were asked for.
    ///
    /// # Errors
    /// When the entry has an option, or a main value, that was never asked for.
    pub fn finish(self) -> Result<Entry> {
        let (noun, name) = (self.noun, &self.entry.name);
        if let (Some(value), false) = (&self.entry.value, self.main_asked) {
            let error =
                Error::new(ErrorKind::Usage, format!("{noun} `{name}` takes no value, found {value}"));
            let written = match self.entry.options.is_empty() {
                true => format!("\"{name}\""),
                false => Entry { value: Some(true.into()), ..self.entry.clone() }.to_string(),
            };
            return Err(self.located(error.help(format!("write {written}"))));
        }
        if let Some((option, _)) = self.unasked().next() {
            let known: Vec<&str> = self.asked.iter().map(|(n, _)| n.as_str()).collect();
            let is_value = self.main_asked && synonyms::is_the_value(&option.to_lowercase());
            let help = match nearest(option, known.iter().copied()) {
                _ if is_value => {
                    let value = self.entry.option(option).map_or(String::new(), ToString::to_string);
                    format!("it is the value of `{name}` itself: {{ {name} = {value} }}")
                }
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => format!("`{name}` has no options"),
                None => format!("its options are {}", known.join(", ")),
            };
            let error =
                Error::new(ErrorKind::Usage, format!("{noun} `{name}` has no option `{option}`")).help(help);
            return Err(match self.entry.option_span(option) {
                Some(span) => error.with_span(span.into()),
                None => error,
            });
        }
        let options = self.asked.into_iter().filter_map(|(n, v)| v.map(|v| (n, v))).collect();
        Ok(Entry { value: self.main, options, option_spans: Vec::new(), ..self.entry })
    }

    fn unasked(&self) -> impl Iterator<Item = &(String, Value)> {
        self.entry.options.iter().filter(|(n, _)| !self.asked.iter().any(|(a, _)| a == n))
    }

    /// The option, or the main value for `""`, is of another type.
    fn mistyped<T: FromValue>(&self, option: &str, found: &Value, span: Option<Span>) -> Error {
        let (noun, name, expected) = (self.noun, &self.entry.name, T::EXPECTED);
        let (key, what) = match option {
            "" => (name.as_str(), format!("the value of `{name}`")),
            option => (option, format!("`{option}`")),
        };
        let message =
            format!("{noun} `{name}`: {what} should be {expected}, found {}: {found}", found.contents());
        let error = Error::new(ErrorKind::Usage, message);
        let error = match found {
            Value::Str(text) if text.parse::<f64>().is_ok() => {
                error.help(format!("write numbers without quotes: {text}"))
            }
            _ => match T::meant(found) {
                Some(meant) => error.help(format!("write `{key} = {meant}`")),
                None => error,
            },
        };
        match span.or(self.entry.span) {
            Some(span) => error.with_span(span.into()),
            None => error,
        }
    }

    fn located(&self, error: Error) -> Error {
        match self.entry.span {
            Some(span) => error.with_span(span.into()),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conv() -> Entry {
        Entry::new("conv2d").at(2..8).with_value(32_usize).with_option_at("kernl", 3_usize, Span::new(15, 24))
    }

    #[test]
    fn a_misspelt_option_is_named_with_the_right_one() {
        let mut args = Args::new("layer", &conv());
        args.main::<usize>().unwrap();
        let error = args.required::<usize>("kernel").unwrap_err().to_string();
        assert!(error.contains("layer `conv2d` needs `kernel`: a whole number, zero or more"), "{error}");
        assert!(error.contains("help: is `kernl` meant to be `kernel`?"), "{error}");
        args.get_or("kernel", 3_usize).unwrap();
        let error = args.finish().unwrap_err();
        assert_eq!(error.span(), Some(15..24));
        assert_eq!(error.to_string(), "layer `conv2d` has no option `kernl`\nhelp: did you mean `kernel`?");
    }

    #[test]
    fn types_are_checked() {
        let entry = Entry::new("dropout").with_value("half").with_option("p", -1_i64);
        let mut args = Args::new("layer", &entry);
        let error = args.main_or(0.5).unwrap_err().to_string();
        assert!(
            error.contains("the value of `dropout` should be a finite number, found a word: \"half\""),
            "{error}"
        );
        let error = args.optional::<usize>("p").unwrap_err().to_string();
        assert!(
            error.contains("`p` should be a whole number, zero or more, found a whole number: -1"),
            "{error}"
        );
    }

    #[test]
    fn a_value_nobody_takes_is_refused() {
        let args = Args::new("layer", &Entry::new("relu").with_value(3_usize));
        let error = args.finish().unwrap_err().to_string();
        assert!(error.contains("layer `relu` takes no value, found 3"), "{error}");
        let args = Args::new("layer", &Entry::new("conv").with_value(2_usize).with_option("kernel", 3_usize));
        let error = args.finish().unwrap_err();
        assert_eq!(error.help_text(), Some("write { conv = true, kernel = 3 }"), "{error}");
        assert!(Args::new("layer", &Entry::new("relu").with_value(true)).finish().is_ok());
    }

    #[test]
    fn defaults_are_written_down() {
        let entry = Entry::new("adam").with_option("eps", 1e-6);
        let mut args = Args::new("optimizer", &entry);
        assert_eq!(args.main_or(1e-3).unwrap(), 1e-3);
        assert_eq!(args.get_or("decay", 0.0).unwrap(), 0.0);
        assert_eq!(args.get_or("eps", 1e-8).unwrap(), 1e-6);
        assert_eq!(args.optional::<f64>("clip").unwrap(), None);
        assert_eq!(args.finish().unwrap().to_string(), "{ adam = 0.001, decay = 0.0, eps = 1e-6 }");
    }
}
