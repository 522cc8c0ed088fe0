//! Fields of comma-separated files, written so that any spreadsheet and RFC 4180 reader gets back what was meant.

/// A field, quoted when it holds a comma, a quote or a line break.
pub(crate) fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

/// The fields of one line.
pub(crate) fn fields(line: &str) -> Vec<String> {
    let (mut out, mut current, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => current.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => out.push(std::mem::take(&mut current)),
            c => current.push(c),
        }
    }
    out.push(current);
    out
}

#[test]
fn fields_come_back() {
    let words = ["plain", "a,b", "say \"hi\"", ""];
    let line: Vec<String> = words.iter().map(|w| field(w)).collect();
    assert_eq!(line.join(","), r#"plain,"a,b","say ""hi""","#);
    assert_eq!(fields(&line.join(",")), words);
}
