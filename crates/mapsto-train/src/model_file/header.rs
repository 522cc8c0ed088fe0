//! The header of a safetensors file, read with nothing taken on trust.
//!
//! A reader of its own, for two reasons: memory stays in proportion to the bytes that are there, whatever the header
//! claims, and the `safetensors` crate with its JSON library would be a dozen packages for two hundred lines.

use mapsto_spec::Json;
use mapsto_tensor::{DType, Error, ErrorKind, MAX_RANK, Result};
use std::ops::Range;

/// The reference implementation's limit.
const MAX_HEADER: u64 = 100_000_000;

/// What a header says of one tensor, checked against the file.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) dtype: DType,
    pub(super) shape: Vec<usize>,
    /// Of the data part.
    pub(super) bytes: Range<usize>,
}

pub(super) struct Header<'a> {
    pub(super) metadata: Vec<(String, String)>,
    pub(super) entries: Vec<Entry>,
    pub(super) data: &'a [u8],
}

pub(super) fn error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Data, message).help("the file is damaged or no safetensors file")
}

/// Splits a file into its header and its data; every tensor's bytes are known to be there, and no byte to be shared or
/// left over.
pub(super) fn read(file: &[u8]) -> Result<Header<'_>> {
    let Some((size, rest)) = file.split_first_chunk::<8>() else {
        return Err(error(format!("{} bytes are too few for a model file", file.len())));
    };
    let size = u64::from_le_bytes(*size);
    if size > MAX_HEADER {
        return Err(error("it is no model file: it does not begin with the size of a header"));
    }
    if size > rest.len() as u64 {
        return Err(error(format!("a header of {size} bytes in a file of {}", file.len())));
    }
    let (header, data) = rest.split_at(size as usize);
    let text = std::str::from_utf8(header).map_err(|_| error("the header is not UTF-8"))?;
    let mut scan = Scan { text, at: 0, data: data.len() };
    let (metadata, entries) = scan.header()?;
    if !text[scan.at..].bytes().all(|b| b == b' ') {
        return Err(scan.error("text after the header"));
    }
    unique(entries.iter().map(|e| e.name.as_str()))?;
    unique(metadata.iter().map(|(key, _)| key.as_str()))?;
    covers(&entries, data.len())?;
    Ok(Header { metadata, entries, data })
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    match names.windows(2).find(|w| w[0] == w[1]) {
        Some(twice) => Err(error(format!("header: `{}` stands twice", twice[0]))),
        None => Ok(()),
    }
}

/// Every byte belongs to exactly one tensor.
fn covers(entries: &[Entry], data: usize) -> Result<()> {
    let mut order: Vec<&Entry> = entries.iter().collect();
    order.sort_by_key(|e| (e.bytes.start, e.bytes.end));
    let mut end = 0;
    for entry in order {
        if entry.bytes.start != end {
            return Err(error(format!(
                "`{}` starts at byte {}, the one before it ends at {end}",
                entry.name, entry.bytes.start
            )));
        }
        end = entry.bytes.end;
    }
    if end != data {
        return Err(error(format!("the tensors take {end} bytes, the file has {data}")));
    }
    Ok(())
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    data: usize,
}

type Parts = (Vec<(String, String)>, Vec<Entry>);

impl<'a> Scan<'a> {
    fn error(&self, message: &str) -> Error {
        error(format!("header: {message} at byte {}", self.at))
    }

    fn header(&mut self) -> Result<Parts> {
        let (mut metadata, mut entries) = (Vec::new(), Vec::new());
        self.object(|scan, name| {
            let name = scan.unescape(name)?;
            if name != "__metadata__" {
                let entry = scan.entry(name)?;
                entries.push(entry);
                return Ok(());
            }
            scan.object(|scan, key| {
                let key = scan.unescape(key)?;
                let value = scan.quoted()?;
                let value = scan.unescape(value)?;
                metadata.push((key, value));
                Ok(())
            })
        })?;
        Ok((metadata, entries))
    }

    fn entry(&mut self, name: String) -> Result<Entry> {
        let (mut dtype, mut shape, mut offsets) = (None, None, None);
        self.object(|scan, key| {
            let twice = match key {
                "\"dtype\"" => {
                    let word = scan.quoted()?;
                    dtype.replace(read_dtype(word, &name)?).is_some()
                }
                "\"shape\"" => shape.replace(scan.numbers()?).is_some(),
                "\"data_offsets\"" => offsets.replace(scan.numbers()?).is_some(),
                _ => return Err(scan.error("an unknown key")),
            };
            if twice { Err(scan.error("the same key twice")) } else { Ok(()) }
        })?;
        let (Some(dtype), Some(shape), Some(offsets)) = (dtype, shape, offsets) else {
            return Err(error(format!("`{name}` lacks its dtype, shape or data_offsets")));
        };
        let [start, end] = offsets[..] else {
            return Err(error(format!("`{name}`: {} data_offsets, not 2", offsets.len())));
        };
        // Strides are products too: an axis of 0 must not hide others that overflow.
        let strides = shape
            .iter()
            .try_fold(dtype.size(), |n, d| n.checked_mul((*d).max(1)))
            .filter(|&bytes| bytes < 1 << 60);
        let size = if shape.contains(&0) { strides.map(|_| 0) } else { strides };
        if start > end || end > self.data || size != Some(end - start) {
            return Err(error(format!(
                "`{name}`: {dtype} {shape:?} does not fill bytes {start}..{end} of {}",
                self.data
            )));
        }
        Ok(Entry { name, dtype, shape, bytes: start..end })
    }

    /// Calls `pair` with each quoted key, placed at its value.
    fn object(&mut self, mut pair: impl FnMut(&mut Self, &'a str) -> Result<()>) -> Result<()> {
        self.eat(b'{')?;
        if self.eat(b'}').is_ok() {
            return Ok(());
        }
        loop {
            let key = self.quoted()?;
            self.eat(b':')?;
            pair(self, key)?;
            if self.eat(b',').is_err() {
                return self.eat(b'}');
            }
        }
    }

    fn numbers(&mut self) -> Result<Vec<usize>> {
        let mut numbers = Vec::new();
        self.eat(b'[')?;
        if self.eat(b']').is_ok() {
            return Ok(numbers);
        }
        loop {
            if numbers.len() == MAX_RANK {
                return Err(self.error("too many axes"));
            }
            numbers.push(self.number()?);
            if self.eat(b',').is_err() {
                self.eat(b']')?;
                return Ok(numbers);
            }
        }
    }

    fn number(&mut self) -> Result<usize> {
        self.space();
        let digits = self.text.as_bytes()[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let number = self.text[self.at..self.at + digits].parse();
        let number = number.map_err(|_| self.error("expected a whole number that fits"))?;
        self.at += digits;
        Ok(number)
    }

    /// A string with its quotes, still escaped.
    fn quoted(&mut self) -> Result<&'a str> {
        self.space();
        let start = self.at;
        self.eat(b'"')?;
        let bytes = self.text.as_bytes();
        while let Some(&b) = bytes.get(self.at) {
            self.at += 1;
            match b {
                b'"' => return Ok(&self.text[start..self.at]),
                b'\\' if self.at < bytes.len() => self.at += 1,
                _ => {}
            }
        }
        Err(self.error("a string without an end"))
    }

    fn unescape(&self, quoted: &str) -> Result<String> {
        let plain = &quoted[1..quoted.len() - 1];
        if !plain.bytes().any(|b| b == b'\\' || b < 0x20) {
            return Ok(plain.to_string());
        }
        match Json::parse(quoted) {
            Ok(Json::Str(text)) => Ok(text),
            _ => Err(self.error("a malformed string")),
        }
    }

    fn eat(&mut self, byte: u8) -> Result<()> {
        self.space();
        if self.text.as_bytes().get(self.at) != Some(&byte) {
            return Err(self.error(&format!("expected `{}`", byte as char)));
        }
        self.at += 1;
        Ok(())
    }

    fn space(&mut self) {
        let blank = |b: &&u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r');
        self.at += self.text.as_bytes()[self.at..].iter().take_while(blank).count();
    }
}

/// The names of the format; types without a tensor dtype (`U16`, `F8_E4M3`, …) are refused by name.
const NAMES: [(&str, DType); 9] = [
    ("F32", DType::F32),
    ("F64", DType::F64),
    ("F16", DType::F16),
    ("BF16", DType::BF16),
    ("I64", DType::I64),
    ("I32", DType::I32),
    ("U8", DType::U8),
    ("I8", DType::I8),
    ("BOOL", DType::Bool),
];

pub(super) fn dtype_name(dtype: DType) -> &'static str {
    NAMES.iter().find(|(_, d)| *d == dtype).map_or("F32", |(name, _)| name)
}

fn read_dtype(quoted: &str, tensor: &str) -> Result<DType> {
    let word = quoted.trim_matches('"');
    NAMES.iter().find(|(name, _)| *name == word).map(|(_, d)| *d).ok_or_else(|| {
        let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        let short: String = word.chars().take(20).collect();
        Error::new(ErrorKind::Data, format!("`{tensor}` has the unknown dtype `{short}`"))
            .help(format!("known are {}", known.join(", ")))
    })
}

#[test]
fn memory_is_in_proportion_to_the_file() {
    let dense = |count: usize, shape: &str| {
        let entry = |i| format!("\"{i}\":{{\"dtype\":\"U8\",\"shape\":[{shape}],\"data_offsets\":[0,0]}}");
        let header = format!("{{{}}}", (0..count).map(entry).collect::<Vec<_>>().join(","));
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()
    };
    for shape in ["0", "0,0,0,0,0,0"] {
        let file = dense(5_000, shape);
        let entries = read(&file).unwrap_or_else(|e| panic!("{e}")).entries;
        let heap = |e: &Entry| e.name.capacity() + e.shape.capacity() * size_of::<usize>();
        let taken = entries.capacity() * size_of::<Entry>() + entries.iter().map(heap).sum::<usize>();
        assert!(taken < 6 * file.len(), "{taken} bytes for a file of {}", file.len());
    }
}
