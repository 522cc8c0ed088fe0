//! Which character separates the cells of a table, found by looking at its first rows.

use super::cells::{Cells, row_at};

/// The characters that are looked for, the most usual first.
const USUAL: [u8; 5] = *b",;\t|:";

/// As many rows are looked at.
const ROWS: usize = 64;

/// The cells of each of the first rows.
fn counts(text: &[u8], delimiter: u8) -> Vec<usize> {
    let (mut counts, mut at) = (Vec::new(), 0);
    while let Some(start) = row_at(text, at).filter(|_| counts.len() < ROWS) {
        let mut cells = Cells::of(text, start, delimiter);
        counts.push(cells.count_all());
        at = cells.end();
    }
    counts
}

/// The character by which the first rows have equally many cells, and more than one; a comma where there is none.
///
/// A comma is taken where it fits, even if another character gives more cells, but for a semicolon: a file in which every row has
/// as many of these has commas in its numbers. A comma that is known to stand in numbers separates nothing.
pub(super) fn found(text: &[u8], has_decimal_comma: bool) -> u8 {
    let fits = |delimiter: u8| {
        let counts = counts(text, delimiter);
        let first = counts.first().copied().unwrap_or(0);
        if first > 1 && counts.iter().all(|&n| n == first) { first } else { 0 }
    };
    if fits(b',') > 0 && fits(b';') == 0 && !has_decimal_comma {
        return b',';
    }
    if fits(b';') > 0 {
        return b';';
    }
    let others = USUAL[1..].iter().map(|&other| (fits(other), other));
    let none = if has_decimal_comma { b';' } else { b',' };
    others.fold((1, none), |best, found| if found.0 > best.0 { found } else { best }).1
}

/// Another character by which the names and the first row have equally many cells, where `delimiter` finds one column only.
pub(super) fn other(text: &[u8], delimiter: u8) -> Option<char> {
    let fits = |other: u8| {
        let counts = counts(text, other);
        counts.first().is_some_and(|&names| names > 1 && counts.get(1) == Some(&names))
    };
    b",;\t|".iter().copied().filter(|&other| other != delimiter).find(|&other| fits(other)).map(char::from)
}

#[test]
fn delimiters_are_found_by_looking() {
    for (text, wanted) in [
        ("a,b\n1,2\n", b','),
        ("a;b\n1;2\n", b';'),
        ("a;b\n1,5;2,5\n", b';'),
        ("a;b;c\n1,5;2;\"x;y\"\n", b';'),
        ("a\tb\n1\t2\n", b'\t'),
        ("a|b\n1|2\n", b'|'),
        ("time,b\n12:30,2\n", b','),
        ("a\n1\n", b','),
        ("price; net\n3\n", b','),
        ("a,b;c\n1,2\n", b','),
        ("", b','),
    ] {
        assert_eq!(char::from(found(text.as_bytes(), false)), char::from(wanted), "{text:?}");
    }
    // As many commas as semicolons in every row.
    for is_said in [false, true] {
        assert_eq!(found(b"1,5;2\n2,5;3\n", is_said), b';');
    }
    for (text, wanted) in [("1,5\n2,5\n", b';'), ("1,5\t2\n2,5\t3\n", b'\t'), ("", b';')] {
        assert_eq!(char::from(found(text.as_bytes(), true)), char::from(wanted), "{text:?}");
    }
}
