//! The cells of a line, and where the lines begin: quotes, and the three ways in which a line may end.

use std::borrow::Cow;

/// The cells of one row, one after the other.
///
/// A cell that begins with a quote goes on to the next quote that is not doubled, over ends of lines too; what stands behind
/// it up to the delimiter belongs to the cell.
pub(crate) struct Cells<'a> {
    text: &'a [u8],
    at: usize,
    delimiter: u8,
    is_over: bool,
}

impl<'a> Cells<'a> {
    /// Those of the row that begins at this byte.
    pub(crate) fn of(text: &'a [u8], at: usize, delimiter: u8) -> Cells<'a> {
        Cells { text, at, delimiter, is_over: false }
    }

    /// The byte behind the row, which is that of a line's end, once all cells are taken.
    pub(crate) fn end(&self) -> usize {
        self.at
    }

    /// Goes past one cell: where it begins and ends, and whether it is quoted. Nothing behind the last one.
    fn pass(&mut self) -> Option<(usize, usize, bool)> {
        if self.is_over {
            return None;
        }
        let start = self.at;
        let mut at = start;
        let is_quoted = self.text.get(at) == Some(&b'"');
        if is_quoted {
            at += 1;
            while let Some(&byte) = self.text.get(at) {
                at += 1;
                if byte == b'"' {
                    if self.text.get(at) != Some(&b'"') {
                        break;
                    }
                    at += 1;
                }
            }
        }
        at = stop(self.text, at, self.delimiter);
        self.is_over = self.text.get(at) != Some(&self.delimiter);
        self.at = if self.is_over { at } else { at + 1 };
        Some((start, at, is_quoted))
    }

    /// Goes past all cells and counts them.
    pub(crate) fn count_all(&mut self) -> usize {
        let mut n = 0;
        while self.pass().is_some() {
            n += 1;
        }
        n
    }

    /// Goes past one cell.
    pub(crate) fn skip_one(&mut self) {
        self.pass();
    }

    /// The next cell without its quotes.
    pub(crate) fn bytes(&mut self) -> Option<Cow<'a, [u8]>> {
        let (start, end, is_quoted) = self.pass()?;
        let text = &self.text[start..end];
        Some(if is_quoted { unquoted(text) } else { text.into() })
    }
}

impl<'a> Iterator for Cells<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Cow<'a, str>> {
        // The text was found to be UTF-8 as a whole, and cells are cut at ASCII characters.
        self.bytes().map(as_text)
    }

    fn nth(&mut self, n: usize) -> Option<Cow<'a, str>> {
        for _ in 0..n {
            self.pass()?;
        }
        self.next()
    }
}

/// The text of a cell.
pub(crate) fn as_text(cell: Cow<'_, [u8]>) -> Cow<'_, str> {
    match cell {
        Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => String::from_utf8_lossy(bytes),
        },
        Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
    }
}

/// The first byte at or behind `at` that ends a cell: the delimiter, an end of a line, or the end of the text.
///
/// Eight bytes are looked at together. Source: the test for a zero byte in a word, H. S. Warren, Hacker's Delight, section 6-1.
fn stop(text: &[u8], mut at: usize, delimiter: u8) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let [delimiters, feeds, returns] = [delimiter, b'\n', b'\r'].map(|b| ONES * u64::from(b));
    // The lowest bit that is set is right; those above it may be set by a borrow.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*bytes);
        let found = zeros(word ^ delimiters) | zeros(word ^ feeds) | zeros(word ^ returns);
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|&b| b == delimiter || b == b'\n' || b == b'\r').unwrap_or(rest.len())
}

fn unquoted(text: &[u8]) -> Cow<'_, [u8]> {
    let inner = &text[1..];
    match inner.iter().position(|&b| b == b'"') {
        Some(at) if at + 1 == inner.len() => inner[..at].into(),
        None => inner.into(),
        Some(_) => {
            let (mut out, mut rest) = (Vec::with_capacity(inner.len()), inner.iter().copied().peekable());
            let mut is_open = true;
            while let Some(byte) = rest.next() {
                match byte {
                    b'"' if is_open && rest.peek() == Some(&b'"') => {
                        rest.next();
                        out.push(b'"');
                    }
                    b'"' if is_open => is_open = false,
                    byte => out.push(byte),
                }
            }
            out.into()
        }
    }
}

/// The first byte at or behind `at` that begins a row: lines that are empty are passed over. Nothing at the end of the text.
pub(crate) fn row_at(text: &[u8], mut at: usize) -> Option<usize> {
    while matches!(text.get(at), Some(b'\n' | b'\r')) {
        at += 1;
    }
    (at < text.len()).then_some(at)
}

/// Counts the lines of a text as editors do: one ends with `\n`, `\r\n` or `\r`.
pub(crate) fn line_of(text: &[u8], byte: usize) -> u64 {
    let text = &text[..byte.min(text.len())];
    let ends = text.iter().enumerate().filter(|&(at, &b)| match b {
        b'\n' => true,
        b'\r' => text.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    1 + ends.count() as u64
}

/// Where a quote is opened that nothing closes. All that follows would be one cell.
pub(crate) fn unclosed_quote(text: &[u8], delimiter: u8) -> Option<usize> {
    if !text.contains(&b'"') {
        return None;
    }
    let (mut opened, mut starts) = (None, true);
    let mut rest = text.iter().enumerate().peekable();
    while let Some((at, &byte)) = rest.next() {
        match opened {
            Some(_) if byte == b'"' && rest.peek().is_some_and(|(_, next)| **next == b'"') => {
                _ = rest.next();
            }
            Some(_) if byte == b'"' => opened = None,
            Some(_) => continue,
            None if byte == b'"' && starts => opened = Some(at),
            None => {}
        }
        starts = matches!(byte, b'\n' | b'\r') || byte == delimiter;
    }
    opened
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_cut_and_unquoted() {
        let cut = |text: &str| Cells::of(text.as_bytes(), 0, b',').map(|c| c.to_string()).collect::<Vec<_>>();
        assert_eq!(cut("a,b\nc"), ["a", "b"]);
        assert_eq!(cut("a,\r\n"), ["a", ""]);
        assert_eq!(cut(""), [""]);
        assert_eq!(cut("\"a,\n\",\"say \"\"so\"\"\"\n"), ["a,\n", "say \"so\""]);
        assert_eq!(cut("\"a\"b,5\" pipe\n"), ["ab", "5\" pipe"]);
        assert_eq!(cut("\"a\"b\"c\n"), ["ab\"c"]);
        assert_eq!(Cells::of(b"a,b,c\nd", 0, b',').nth(2).as_deref(), Some("c"));
        assert_eq!(Cells::of(b"a,b,c\nd", 0, b',').nth(3), None);
        let mut cells = Cells::of(b"a,b\nc", 0, b',');
        assert_eq!((cells.count_all(), cells.end()), (2, 3));
    }

    #[test]
    fn eight_bytes_at_a_time_stop_where_one_does() {
        use mapsto_tensor::random::Keyed;
        let alphabet = b"ab,\n\r;\x2b\x2d\x0b\x8d\xac\x80\xff\0";
        for round in 0..2000 {
            let mut key = Keyed::new(&[round, 7]);
            let text: Vec<u8> = (0..key.below(40)).map(|_| alphabet[key.below(alphabet.len())]).collect();
            for (at, delimiter) in (0..=text.len()).zip(b",;\xac\0".iter().cycle()) {
                let ends = |b: &u8| [*delimiter, b'\n', b'\r'].contains(b);
                let wanted = at + text[at..].iter().position(ends).unwrap_or(text.len() - at);
                assert_eq!(stop(&text, at, *delimiter), wanted, "{text:?} {at}");
            }
        }
    }

    #[test]
    fn a_quote_that_nothing_closes_is_found_where_it_is_opened() {
        let found = |text: &str| unclosed_quote(text.as_bytes(), b',').map(|at| line_of(text.as_bytes(), at));
        assert_eq!(found("a,b\n1,\"oops\n2,3\n"), Some(2));
        assert_eq!(found("a,b\n1,\"o\"\"k\"\n2,\"x\ny\"\n"), None);
        assert_eq!(found("a,b\n1,5\" pipe\n"), None); // a quote within a cell is one of its characters
        assert_eq!(found("a\n\"\"\n\"\n"), Some(3));
    }
}
