//! Loss, metrics and learning rate by epoch, and all their numbers as a table.

use std::fmt::Write as _;

use mapsto::Result;
use mapsto::training::History;
use mapsto::training::metrics::{Better, better_of};
use mapsto::training::readable;

use super::chart::{Chart, Series};
use super::html::{counted, duration, is_share, scroll, text, value};
use super::{Facts, Section};

/// The section.
pub fn section(facts: &Facts<'_>) -> Result<Option<Section>> {
    Ok(of(facts.history, facts.best))
}

/// The section of a history whose best epoch is known.
pub fn of(history: &History, best: Option<usize>) -> Option<Section> {
    if history.rows.is_empty() {
        return None;
    }
    let columns = history.columns();
    let x: Vec<f64> = history.rows.iter().map(|row| row.epoch as f64).collect();
    let values = |column: &str| -> Vec<f64> {
        history.rows.iter().map(|row| row.value(column).unwrap_or(f64::NAN)).collect()
    };
    let mut html = String::from("<div class=\"charts\">\n");
    for column in columns.iter().filter(|column| !column.starts_with("val ")) {
        let val = format!("val {column}");
        let mut series = Vec::new();
        if columns.contains(&val) {
            series.push(Series { name: "validation", values: values(&val) });
        }
        series.push(Series { name: "training", values: values(column) });
        let caption = caption(history, column, if series.len() == 2 { &val } else { column }, best);
        let (times, unit) = if is_share(column) { (100.0, " %") } else { (1.0, "") };
        series.iter_mut().flat_map(|s| &mut s.values).for_each(|v| *v *= times);
        let say = |v: f64| value(column, v / times);
        let mark = best.map(|best| best as f64);
        let may_be_log = better_of(column) == Better::Lower;
        html += &Chart {
            title: column,
            of: "epoch",
            x: x.clone(),
            series,
            mark,
            may_be_log,
            unit,
            caption,
            say: &say,
        }
        .figure();
    }
    let rates = values("lr");
    if rates.iter().any(|lr| *lr != rates[0]) {
        let caption = "At the last step of each epoch.".to_string();
        let say = |v: f64| readable(v, 6);
        let series = vec![Series { name: "learning rate", values: rates }];
        html += &Chart {
            title: "learning rate",
            of: "epoch",
            x,
            series,
            mark: None,
            may_be_log: false,
            unit: "",
            caption,
            say: &say,
        }
        .figure();
    } else {
        _ = writeln!(
            html,
            "<figure><h3>learning rate</h3><figcaption>It is {} in every epoch.</figcaption></figure>",
            readable(rates[0], 6)
        );
    }
    html += "</div>\n";
    html += &table(history, &columns, best);
    Some(Section { id: "curves", title: "Curves", html })
}

/// What the curve says in words.
fn caption(history: &History, column: &str, judged: &str, best: Option<usize>) -> String {
    let lower = better_of(column) == Better::Lower;
    let found = if lower { history.min(judged) } else { history.max(judged) };
    let Some((epoch, v)) = found.filter(|(_, v)| v.is_finite()) else {
        return "It is no finite number.".into();
    };
    let word = if lower { "Lowest" } else { "Highest" };
    let marked = match best {
        Some(best) if best != epoch => {
            let there = history.rows.iter().find(|row| row.epoch == best).and_then(|row| row.value(judged));
            there.map_or(String::new(), |v| {
                format!("; {} in epoch {best}, whose weights were kept", value(column, v))
            })
        }
        Some(_) => ", whose weights were kept".into(),
        None => String::new(),
    };
    format!("{word} at {} in epoch {epoch}{marked}.", value(column, v))
}

/// Every number of the history, or of a long one as many rows as can be read.
fn table(history: &History, columns: &[String], best: Option<usize>) -> String {
    const MOST: usize = 300;
    let n = history.rows.len();
    let step = n.div_ceil(MOST).max(1);
    let rows: Vec<_> = history
        .rows
        .iter()
        .enumerate()
        .filter(|(i, row)| i % step == 0 || i + 1 == n || Some(row.epoch) == best)
        .map(|(_, row)| row)
        .collect();
    let mut out = String::from("<details><summary>All numbers of the curves</summary>\n");
    if rows.len() < n {
        _ = writeln!(
            out,
            "<p class=\"note\">{} of {}; metrics.csv holds all.</p>",
            rows.len(),
            counted(n, "epoch")
        );
    }
    out += &scroll("numbers of each epoch");
    out += "<table class=\"history\"><thead><tr><th scope=\"col\" class=\"n\">epoch</th>";
    for column in columns {
        _ = write!(out, "<th scope=\"col\" class=\"n\">{}</th>", text(column));
    }
    out += "<th scope=\"col\" class=\"n\">learning rate</th><th scope=\"col\" class=\"n\">time</th></tr></thead><tbody>\n";
    for row in rows {
        let class = if Some(row.epoch) == best { " class=\"best\"" } else { "" };
        _ = write!(out, "<tr{class}><th scope=\"row\" class=\"n\">{}</th>", row.epoch);
        for column in columns {
            match row.value(column) {
                Some(v) => {
                    let (name, said) = (text(column), value(column, v));
                    _ = write!(
                        out,
                        "<td class=\"n\" data-column=\"{name}\" data-value=\"{v:?}\">{said}</td>"
                    );
                }
                None => out += "<td class=\"n\"></td>",
            }
        }
        _ = writeln!(
            out,
            "<td class=\"n\" data-column=\"lr\" data-value=\"{:?}\">{}</td><td class=\"n\">{}</td></tr>",
            row.lr,
            readable(row.lr, 6),
            duration(row.seconds)
        );
    }
    out + "</tbody></table></div></details>\n"
}
