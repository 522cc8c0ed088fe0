//! Words and numbers as parts of a page: nothing that comes from data or files is taken for markup.

use mapsto::training::readable;

/// A text as it stands on the page.
pub fn text(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for c in crate::printable(words).chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

/// A text in which what stands between backticks is code.
pub fn prose(words: &str) -> String {
    let parts = words.split('`').enumerate();
    parts
        .map(|(i, part)| if i % 2 == 1 { format!("<code>{}</code>", text(part)) } else { text(part) })
        .collect()
}

/// `1234567` as `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 sample`, `1,000 samples`.
pub fn counted(n: usize, what: &str) -> String {
    format!("{} {what}{}", grouped(n as u64), if n == 1 { "" } else { "s" })
}

/// A number of many sizes in short: `1.23 M`.
pub fn short(n: u64) -> String {
    match n as f64 {
        v if v < 1e4 => grouped(n),
        v if v < 999_500.0 => format!("{:.0} k", v / 1e3),
        v if v < 9.995e6 => format!("{:.2} M", v / 1e6),
        v if v < 999.5e6 => format!("{:.0} M", v / 1e6),
        v => format!("{:.2} G", v / 1e9),
    }
}

/// The value of a loss or a metric: a share of right answers reads best in percent.
pub fn value(name: &str, v: f64) -> String {
    if is_share(name) && v.is_finite() { format!("{:.2} %", 100.0 * v) } else { number(v) }
}

/// Whether a metric is said in percent.
pub fn is_share(name: &str) -> bool {
    name.ends_with("accuracy")
}

/// A number in about five digits.
pub fn number(v: f64) -> String {
    match v.abs() {
        size if size < 10.0 => readable(v, 4),
        size if size < 100.0 => format!("{v:.3}"),
        size if size < 1e3 => format!("{v:.2}"),
        size if size < 1e6 => format!("{v:.1}"),
        _ => readable(v, 4),
    }
}

/// Seconds in words of at most two units.
pub fn duration(seconds: f64) -> String {
    let (whole, minutes) = (seconds.round(), (seconds / 60.0).round());
    match seconds {
        s if s < 0.0995 => format!("{:.0} ms", 1e3 * s),
        s if s < 119.95 => format!("{s:.1} s"),
        _ if whole < 7200.0 => format!("{:.0} min {:.0} s", (whole / 60.0).floor(), whole % 60.0),
        _ => format!("{:.0} h {:.0} min", (minutes / 60.0).floor(), minutes % 60.0),
    }
}

/// A table that scrolls by itself where it is wider than the page; `called` says what it is to those who do not see it. Columns of
/// numbers stand to the right. Cells are markup already.
pub fn table(called: &str, head: &[(&str, bool)], rows: &[Vec<String>]) -> String {
    let class = |numeric: bool| if numeric { " class=\"n\"" } else { "" };
    let mut out = scroll(called);
    out += "<table><thead><tr>";
    for (name, numeric) in head {
        out += &format!("<th scope=\"col\"{}>{}</th>", class(*numeric), text(name));
    }
    out += "</tr></thead><tbody>\n";
    for row in rows {
        out += "<tr>";
        for (i, (cell, (_, numeric))) in row.iter().zip(head).enumerate() {
            match i {
                0 => out += &format!("<th scope=\"row\"{}>{cell}</th>", class(*numeric)),
                _ => out += &format!("<td{}>{cell}</td>", class(*numeric)),
            }
        }
        out += "</tr>\n";
    }
    out + "</tbody></table></div>\n"
}

/// The beginning of a part that scrolls sideways by itself, with the keyboard too.
pub fn scroll(called: &str) -> String {
    format!("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">", text(called))
}

#[test]
fn nothing_is_taken_for_markup() {
    assert_eq!(text("<script>'\"&\u{202e}\u{7}"), "&lt;script&gt;&#39;&quot;&amp;\\u{202e}\\u{7}");
    assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    assert_eq!([9999, 50_000, 421_642, 12_345_678].map(short), ["9,999", "50 k", "422 k", "12 M"]);
    assert_eq!(value("val accuracy", 0.99114), "99.11 %");
}
