//! `Reading`: how the text of a table is to be read, where it is not as most are.

use crate::DateOrder;
use mapsto_spec::{Args, Entry};
use mapsto_tensor::{Error, Result, fail};

/// How a table is read: what separates its cells, whether it has names, and what stands for a value that is missing.
///
/// ```
/// use mapsto_data::prelude::*;
/// let text = "1,5;-\n2,5;3\n";
/// let how = Reading::new().no_header().decimal_comma().na_values(["-"]);
/// let table = Table::parse_as(text, "t.csv", &how)?;
/// assert_eq!(table.columns(), ["column_1", "column_2"]);
/// assert_eq!(table.features(["column_1"])?.inputs()?.to_vec::<f32>(), [1.5, 2.5]);
/// assert!(table.features(["column_2"])?.inputs().unwrap_err().message().contains("the value is missing: `-`"));
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub(crate) delimiter: Option<u8>,
    pub(crate) is_headless: bool,
    pub(crate) na_values: Vec<String>,
    pub(crate) has_decimal_comma: bool,
    pub(crate) encoding: Encoding,
    pub(crate) dates: Option<DateOrder>,
}

/// In which way the bytes of a file are characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, as nearly all files are today.
    #[default]
    Utf8,
    /// ISO 8859-1, of older files of western Europe.
    Latin1,
    /// What older versions of Windows call ANSI: Latin-1 with quotes, dashes and the euro.
    Windows1252,
}

const ENCODINGS: [(&str, Encoding); 6] = [
    ("utf-8", Encoding::Utf8),
    ("latin1", Encoding::Latin1),
    ("windows-1252", Encoding::Windows1252),
    ("utf8", Encoding::Utf8),
    ("latin-1", Encoding::Latin1),
    ("cp1252", Encoding::Windows1252),
];

impl Reading {
    /// A first line with names, a delimiter that is found by looking, decimals with a point, and UTF-8.
    pub fn new() -> Reading {
        Reading::default()
    }

    /// The character that separates cells, such as `b';'`; it is found by looking where nothing is said.
    ///
    /// # Panics
    /// When it is a quote, an end of a line, or no ASCII character.
    #[track_caller]
    #[must_use]
    pub fn delimiter(self, delimiter: u8) -> Reading {
        if !separates(delimiter) {
            fail!("reading", "{:?} cannot separate cells", char::from(delimiter); help = "usual are b',', b';', b'|' and b'\\t'");
        }
        Reading { delimiter: Some(delimiter), ..self }
    }

    /// The first line is a row, and columns are called `column_1`, `column_2` and so on.
    #[must_use]
    pub fn no_header(self) -> Reading {
        Reading { is_headless: true, ..self }
    }

    /// Further words that stand for a value that is missing, beside `NA`, `N/A`, `NaN`, `null`, `none`, `?` and nothing.
    #[must_use]
    pub fn na_values<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> Reading {
        Reading { na_values: words.into_iter().map(Into::into).collect(), ..self }
    }

    /// Decimals have a comma: `1,5` is one and a half, and `1.000,5` a thousand and a half.
    #[must_use]
    pub fn decimal_comma(self) -> Reading {
        Reading { has_decimal_comma: true, ..self }
    }

    /// Bytes that are characters in an older way.
    #[must_use]
    pub fn encoding(self, encoding: Encoding) -> Reading {
        Reading { encoding, ..self }
    }

    /// In which order days, months and years stand, where cells such as `01/02/2024` can be read in two ways.
    #[must_use]
    pub fn dates(self, order: DateOrder) -> Reading {
        Reading { dates: Some(order), ..self }
    }

    /// The same with the delimiter found by looking: for another file with the same columns.
    #[must_use]
    pub fn any_delimiter(self) -> Reading {
        Reading { delimiter: None, ..self }
    }

    /// Whether a cell, without the blanks around it, stands for nothing.
    pub(crate) fn is_missing(&self, cell: &str) -> bool {
        const WORDS: [&str; 9] = ["", "?", "na", "n/a", "nan", "-nan", "null", "none", "#n/a"];
        (cell.len() <= 4 && WORDS.iter().any(|word| cell.eq_ignore_ascii_case(word)))
            || self.na_values.iter().any(|word| word == cell)
    }

    /// The number in a cell, if it is one, also an infinite one.
    pub(crate) fn number(&self, cell: &str) -> Option<f64> {
        match self.has_decimal_comma {
            false => cell.parse().ok(),
            true => {
                let whole = cell.split(',').next().unwrap_or_default();
                // Points are for thousands: three digits behind each.
                let are_thousands = whole.split('.').skip(1).all(|part| part.len() == 3);
                let has_rest = cell.len() == whole.len() || !cell[whole.len()..].contains('.');
                if !are_thousands || !has_rest {
                    return None;
                }
                cell.replace('.', "").replacen(',', ".", 1).parse().ok()
            }
        }
    }

    /// What an entry says of it, such as the set `csv` of a training file, whose other options are passed over.
    ///
    /// ```
    /// use mapsto_data::Reading;
    /// let set = mapsto_spec::Entry::new("csv").with_option("path", "t.csv").with_option("header", false);
    /// assert_eq!(Reading::of_entry(&set)?, Reading::new().no_header());
    /// # Ok::<(), mapsto_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// An option that cannot be what it is.
    pub fn of_entry(entry: &Entry) -> Result<Reading> {
        Reading::of(&mut Args::new("reading", entry))
    }

    /// The number in a cell that is written plainly, which most are; nothing where [`number`](Reading::number) has to look.
    pub(crate) fn plain(&self, cell: &[u8]) -> Option<f64> {
        (self.na_values.is_empty() && !self.has_decimal_comma).then(|| plain(cell.trim_ascii()))?
    }

    /// Reads the options of a file that say how tables are read.
    pub(crate) fn of(args: &mut Args) -> Result<Reading> {
        let delimiter = delimiter(args)?;
        let is_headless = !args.get_or("header", true)?;
        let na_values = args.optional::<Vec<String>>("na_values")?.unwrap_or_default();
        let has_decimal_comma = match args.get_or("decimal", ".".to_string())?.as_str() {
            "." => false,
            "," => true,
            other => {
                return Err(args.error("decimal", format!("decimal {other:?} is neither \".\" nor \",\"")));
            }
        };
        let word = args.get_or("encoding", "utf-8".to_string())?;
        let known = ENCODINGS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
        let Some((_, encoding)) = known else {
            let message = format!("encoding {word:?} is not one of utf-8, latin1, windows-1252");
            return Err(args.error("encoding", message));
        };
        let dates =
            match args.optional::<String>("dates")? {
                None => None,
                Some(word) => Some(DateOrder::named(&word).ok_or_else(|| {
                    args.error("dates", format!("dates {word:?} is not one of ymd, dmy, mdy"))
                })?),
            };
        if has_decimal_comma && delimiter == Some(b',') {
            return Err(args.error("decimal", "a comma cannot stand in numbers and between cells"));
        }
        Ok(Reading { delimiter, is_headless, na_values, has_decimal_comma, encoding: *encoding, dates })
    }

    /// The options of a file that say this.
    pub(crate) fn options(&self) -> Vec<(&'static str, mapsto_spec::Value)> {
        let mut options: Vec<(&'static str, mapsto_spec::Value)> = Vec::new();
        if let Some(delimiter) = self.delimiter {
            options.push(("delimiter", char::from(delimiter).to_string().into()));
        }
        if self.is_headless {
            options.push(("header", false.into()));
        }
        if !self.na_values.is_empty() {
            options.push(("na_values", self.na_values.clone().into()));
        }
        if self.has_decimal_comma {
            options.push(("decimal", ",".into()));
        }
        if self.encoding != Encoding::Utf8 {
            let word = ENCODINGS.iter().find(|(_, e)| *e == self.encoding).map_or("", |(word, _)| word);
            options.push(("encoding", word.into()));
        }
        if let Some(order) = self.dates {
            options.push(("dates", order.word().into()));
        }
        options
    }
}

/// Powers of ten that `f64` holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// A sign, digits and a point, with so few digits that one rounding gives the number: a whole number below 2⁵³ divided by a power
/// of ten, both exact.
///
/// Source: W. D. Clinger, How to read floating point numbers accurately, 1990.
fn plain(cell: &[u8]) -> Option<f64> {
    let (is_negative, digits) = match cell {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    // With 19 digits the whole number cannot overflow.
    if digits.is_empty() || digits.len() > 20 {
        return None;
    }
    let (mut whole, mut point) = (0_u64, None);
    for (at, &byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            whole = whole.wrapping_mul(10).wrapping_add(digit.into());
        } else if byte == b'.' && point.is_none() {
            point = Some(at);
        } else {
            return None;
        }
    }
    let behind = point.map_or(0, |at| digits.len() - at - 1);
    let count = digits.len() - usize::from(point.is_some());
    if count == 0 || count > 19 || whole >= 1 << 53 {
        return None;
    }
    let value = whole as f64 / TENS[behind];
    Some(if is_negative { -value } else { value })
}

fn separates(delimiter: u8) -> bool {
    delimiter.is_ascii() && !b"\"\r\n".contains(&delimiter)
}

/// The option `delimiter`: one ASCII character; a shell does not write tabs easily, so `\\t` and `tab` are tabs too.
fn delimiter(args: &mut Args) -> Result<Option<u8>> {
    let Some(text) = args.optional::<String>("delimiter")? else { return Ok(None) };
    let text = if ["\\t", "tab"].contains(&text.as_str()) { "\t".to_string() } else { text };
    let wrong = |args: &Args| -> Error {
        let message = format!("delimiter {text:?} is not one ASCII character that can separate cells");
        args.error("delimiter", message).help("usual are \",\", \";\", \"|\" and \"\\t\"")
    };
    match *text.as_bytes() {
        [delimiter] if separates(delimiter) => {
            args.record("delimiter", text);
            Ok(Some(delimiter))
        }
        _ => Err(wrong(args)),
    }
}

#[test]
fn decimal_commas_are_no_thousands() {
    let how = Reading::new().decimal_comma();
    for (cell, wanted) in [
        ("1,5", Some(1.5)),
        ("-1.234,5", Some(-1234.5)),
        ("1.234.567", Some(1_234_567.0)),
        ("12", Some(12.0)),
        ("1.5", None),
        ("1,5,2", None),
        ("1,234.5", None),
        ("x", None),
    ] {
        assert_eq!(how.number(cell), wanted, "{cell}");
    }
}

/// Bit for bit what the standard library reads, which rounds correctly, as Python's `float` does.
#[test]
fn plain_numbers_are_those_that_the_standard_library_reads() {
    use mapsto_tensor::random::Keyed;
    let mut plainly = 0;
    let mut check = |text: &str| {
        if let Some(value) = plain(text.as_bytes()) {
            plainly += 1;
            assert_eq!(text.parse().map(f64::to_bits), Ok(value.to_bits()), "{text}");
        }
    };
    for text in [
        "0",
        "-0",
        "-0.0",
        "00012",
        ".5",
        "5.",
        "-.5",
        "-5.",
        "0.1",
        "0.3",
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "900719925474099.3",
        "0.000000000000000001",
        "9999999999999999999",
        "18446744073709551616",
        "1.7976931348623157",
        "2.2250738585072014",
        "0.30000000000000004",
        "0.0000000000000000000000001",
        "123456.789",
    ] {
        check(text);
    }
    for text in
        ["", "-", ".", "-.", "+1", "1e5", "1.2.3", "--1", "1-", "inf", "nan", "0x1", "1_0", " 1", "1,5", "١"]
    {
        assert_eq!(plain(text.as_bytes()), None, "{text}");
    }
    for round in 0..100_000 {
        let mut key = Keyed::new(&[round, 11]);
        let mut text = String::new();
        if key.below(2) == 0 {
            text.push('-');
        }
        let (digits, point) = (1 + key.below(20), key.below(24));
        for at in 0..digits {
            if at == point {
                text.push('.');
            }
            text.push(char::from(b'0' + key.below(10) as u8));
        }
        check(&text);
        let value = f64::from_bits(u64::from(key.below(1 << 30) as u32) << 32 | round);
        check(&format!("{value}"));
        check(&format!("{:.4}", (key.below(1 << 30) as f64 - 5e8) / 9_973.0));
    }
    assert!(plainly > 100_000, "{plainly}");
}
