//! The words of a column of text, and the place of each among the inputs.

use crate::column::code;
use mapsto_spec::{Entry, FromValue, Value};
use std::collections::{HashMap, HashSet};

/// The words that training knows, each with a place of its own from 1 on; place 0 is shared by all others.
#[derive(Clone, Debug)]
pub(super) struct Words {
    list: Vec<String>,
    /// Words that came too seldom to have a place of their own; they are no news where they come again.
    rare: Vec<String>,
    /// Whether a missing cell has a place of its own, the last one.
    has_missing: bool,
    places: HashMap<u64, usize>,
    seldom: HashSet<u64>,
}

impl Words {
    pub(super) fn new(list: Vec<String>, rare: Vec<String>, has_missing: bool) -> Words {
        let places = list.iter().enumerate().map(|(i, word)| (code(word).to_bits(), i + 1)).collect();
        let seldom = rare.iter().map(|word| code(word).to_bits()).collect();
        Words { list, rare, has_missing, places, seldom }
    }

    /// The words with a place of their own.
    pub(super) fn list(&self) -> &[String] {
        &self.list
    }

    /// How many words have a place of their own.
    pub(super) fn known(&self) -> usize {
        self.list.len()
    }

    /// Whether a cell was missing in training.
    pub(super) fn has_missing(&self) -> bool {
        self.has_missing
    }

    /// The number of places.
    pub(super) fn places(&self) -> usize {
        1 + self.list.len() + usize::from(self.has_missing)
    }

    /// The place of a cell.
    pub(super) fn place(&self, value: f64) -> usize {
        match value.is_nan() {
            true if self.has_missing => self.list.len() + 1,
            true => 0,
            false => self.places.get(&value.to_bits()).copied().unwrap_or(0),
        }
    }

    /// Whether training met it.
    pub(super) fn knows(&self, value: f64) -> bool {
        let bits = value.to_bits();
        value.is_nan() || self.places.contains_key(&bits) || self.seldom.contains(&bits)
    }

    pub(super) fn write(&self, entry: Entry) -> Entry {
        entry
            .with_option("words", self.list.clone())
            .with_option("rare", self.rare.clone())
            .with_option("missing", self.has_missing)
    }

    pub(super) fn read(entry: &Entry) -> Result<Words, String> {
        let list = |option: &str| match entry.option(option) {
            None => Ok(Vec::new()),
            Some(value) => Vec::<String>::from_value(value).ok_or_else(|| {
                format!("`{option}` should be a list of words in quotes, found {}", value.kind())
            }),
        };
        let (words, rare) = (list("words")?, list("rare")?);
        let codes: HashSet<u64> = words.iter().chain(&rare).map(|word| code(word).to_bits()).collect();
        if codes.len() < words.len() + rare.len() {
            return Err("a word is there twice".into());
        }
        Ok(Words::new(words, rare, entry.option("missing") == Some(&Value::Bool(true))))
    }
}
