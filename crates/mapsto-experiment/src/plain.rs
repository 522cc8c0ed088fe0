//! Texts from outside, such as names of classes and files, made safe to show: nothing in them moves a terminal's cursor.

/// A text without control characters but for the ends of its lines.
pub fn printable(text: &str) -> String {
    escaped(text, |c| c != '\n' && is_control(c))
}

/// A name, such as that of a class or a file, on one line and without control characters.
pub fn plain(name: &str) -> String {
    escaped(name, is_control)
}

fn escaped(text: &str, must: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match must(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

/// Whether a terminal does something else with the character than show it: control characters, and those that turn the
/// direction of writing.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn nothing_that_is_printed_moves_the_cursor() {
    assert_eq!(
        plain("ö cat\u{1b}[2J\n\r\t\u{7}\u{9b}\u{202e}x"),
        "ö cat\\u{1b}[2J\\n\\r\\t\\u{7}\\u{9b}\\u{202e}x"
    );
    assert_eq!(printable("a\nb\u{1b}c → d"), "a\nb\\u{1b}c → d");
    assert!(
        (0..=0x10ffff).filter_map(char::from_u32).all(|c| !plain(&c.to_string()).contains(char::is_control))
    );
}
