//! Who was taken for whom, and how well each class is found.

use mapsto::Result;
use mapsto::training::metrics::ConfusionMatrix;
use mapsto::training::{ClassReport, ClassRow};

use super::html::{grouped, scroll, table, text};
use super::{Facts, Section};

/// Beyond so many classes a matrix is no table to read.
const MOST: usize = 24;

/// The section.
pub fn section(facts: &Facts<'_>) -> Result<Option<Section>> {
    let Some(matrix) = facts.test.and_then(|(found, _)| found.confusion.as_ref()) else { return Ok(None) };
    let mut html = String::new();
    if matrix.classes() <= MOST {
        html += &grid(facts, matrix);
    }
    html += &format!("<div class=\"side\">\n<div>{}</div>\n<div>", pairs(facts, matrix));
    let names: Vec<String> = (0..matrix.classes()).map(|c| facts.class(c)).collect();
    let report = ClassReport::of(&matrix.clone().named(&names));
    let row = |r: &ClassRow| {
        let [p, q, f] = [r.precision, r.recall, r.f1].map(|v| format!("{v:.3}"));
        vec![text(&r.name), p, q, f, grouped(r.support)]
    };
    let rows: Vec<_> = report.rows.iter().chain(&report.averages).map(row).collect();
    let head = [("class", false), ("precision", true), ("recall", true), ("F1", true), ("samples", true)];
    html += "<h3>Each class</h3>\n<p class=\"note\">Precision: how many of those given the class have it. Recall: how many of those that have the \
             class were given it.</p>\n";
    let listed = table("precision, recall and F1 of each class", &head, &rows);
    html += &match rows.len() {
        0..=40 => listed,
        n => format!("<details><summary>All {} classes</summary>\n{listed}</details>\n", n - 2),
    };
    html += "</div>\n</div>\n";
    Ok(Some(Section { id: "classes", title: "Classes and mistakes", html }))
}

fn grid(facts: &Facts<'_>, matrix: &ConfusionMatrix) -> String {
    let k = matrix.classes();
    let mut out = String::from(
        "<p class=\"note\">A row is a true class, a column the class that was given; the diagonal is right.</p>\n",
    );
    out += &scroll("confusion matrix");
    out += "<table class=\"matrix\"><thead><tr><td></td>";
    for p in 0..k {
        let name = text(&facts.class(p));
        out += &format!("<th scope=\"col\" title=\"{name}\">{name}</th>");
    }
    out += "</tr></thead><tbody>\n";
    for a in 0..k {
        let name = text(&facts.class(a));
        out += &format!("<tr><th scope=\"row\" title=\"{name}\">{name}</th>");
        let all: u64 = (0..k).map(|p| matrix.get(a, p)).sum();
        for p in 0..k {
            let n = matrix.get(a, p);
            let share = n as f64 / all.max(1) as f64;
            // Of mistakes the root is shown, so that 1 % can still be seen; no shade is so dark that its number could not be read.
            let (class, shade) = match a == p {
                _ if n == 0 => ("nil", 0.0),
                true => ("ok", 35.0 * share),
                false => ("no", 8.0 + 37.0 * share.sqrt()),
            };
            out += &format!("<td class=\"{class}\" style=\"--s:{shade:.0}%\">{}</td>", grouped(n));
        }
        out += "</tr>\n";
    }
    out + "</tbody></table></div>\n"
}

/// The classes that are taken for one another most often.
fn pairs(facts: &Facts<'_>, matrix: &ConfusionMatrix) -> String {
    let mistakes = matrix.mistakes();
    if mistakes.is_empty() {
        return "<p>There is not one mistake.</p>\n".into();
    }
    let all: u64 = mistakes.iter().map(|m| m.2).sum();
    let row = |&(a, p, n): &(usize, usize, u64)| {
        let of: u64 = (0..matrix.classes()).map(|p| matrix.get(a, p)).sum();
        let share = format!("{:.1} %", 100.0 * n as f64 / of.max(1) as f64);
        vec![text(&facts.class(a)), text(&facts.class(p)), grouped(n), share]
    };
    let rows: Vec<_> = mistakes.iter().take(8).map(row).collect();
    let head = [("true class", false), ("taken for", false), ("times", true), ("of the class", true)];
    format!(
        "<h3>Most frequent mistakes</h3>\n<p class=\"note\">{} mistakes in {} samples.</p>\n{}",
        grouped(all),
        grouped(matrix.samples()),
        table("most frequent mistakes", &head, &rows)
    )
}
