//! What the model was trained on: how many samples, the columns as they were understood, and what was found before the first step.

use mapsto::Result;
use mapsto::data::{Column, Loader};
use mapsto::spec::Json;

use super::html::{grouped, table, text};
use super::{Facts, Section};

/// Beyond so many columns the list is folded up.
const MOST: usize = 30;

/// The section.
pub fn section(facts: &Facts<'_>) -> Result<Option<Section>> {
    let experiment = facts.experiment;
    let size = |loader: &Option<Loader>| loader.as_ref().map_or(0, |l| l.dataset().len());
    let parts = [
        ("training", experiment.train.dataset().len(), "to learn from"),
        ("validation", size(&experiment.validation), "to watch the training by and to choose the best epoch"),
        ("test", size(&experiment.test), "looked at once, at the end"),
    ];
    let rows: Vec<_> = parts
        .iter()
        .filter(|(_, n, _)| *n > 0)
        .map(|(name, n, why)| vec![(*name).to_string(), grouped(*n as u64), (*why).to_string()])
        .collect();
    let mut html = table("samples", &[("part", false), ("samples", true), ("", false)], &rows);
    let input = experiment.config.model.input.clone().unwrap_or_default();
    let shape = input.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
    let set = text(&crate::plain(&experiment.config.data.set.name));
    html += &format!(
        "<p>The set is “{set}”, and one input of the model {}.</p>\n",
        if shape.is_empty() { "one number".into() } else { shape }
    );
    html += &columns(facts);
    html += &checks(facts);
    Ok(Some(Section { id: "data", title: "The data", html }))
}

fn columns(facts: &Facts<'_>) -> String {
    let understood = &facts.experiment.understood;
    if understood.is_empty() {
        let features = &facts.experiment.info.features;
        if features.is_empty() {
            return String::new();
        }
        let names: Vec<String> = features.iter().take(200).map(|name| text(&crate::plain(name))).collect();
        return format!("<p>Its columns, all of them numbers: {}.</p>\n", names.join(", "));
    }
    let distinct = |n: usize| {
        if n == Column::MOST_COUNTED { format!("{}+", grouped(n as u64)) } else { grouped(n as u64) }
    };
    let row = |u: &crate::Understood| {
        let missing = if u.missing == 0 { "–".to_string() } else { grouped(u.missing as u64) };
        vec![text(&crate::plain(&u.column)), text(&u.kind), distinct(u.distinct), missing, text(&u.used_as)]
    };
    let rows: Vec<_> = understood.iter().take(500).map(row).collect();
    let head =
        [("column", false), ("type", false), ("distinct", true), ("missing", true), ("used as", false)];
    let listed = table("columns as they were understood", &head, &rows);
    match understood.len() {
        0..=MOST => format!("<h3>Columns as they were understood</h3>\n{listed}"),
        n => format!(
            "<h3>Columns as they were understood</h3>\n<details><summary>All {n} columns</summary>\n{listed}</details>\n"
        ),
    }
}

/// What was found before the first step.
fn checks(facts: &Facts<'_>) -> String {
    let findings = facts.preflight.as_ref().and_then(|found| found.get("findings")).and_then(Json::list);
    let item = |f: &Json| {
        let word = |key: &str| f.get(key).and_then(Json::str).map(text);
        let (check, verdict, said) = (word("check")?, word("verdict")?, word("text")?);
        let help = word("help").map_or(String::new(), |help| format!("<span class=\"help\">{help}</span>"));
        let meant = match verdict.as_str() {
            "fine" => "",
            "look" => "<span class=\"over\">look: </span>",
            _ => "<span class=\"over\">warning: </span>",
        };
        Some(format!("<li class=\"{verdict}\">{meant}<b>{check}</b> {said}{help}</li>\n"))
    };
    let list: String = findings.into_iter().flatten().filter_map(item).collect();
    if list.is_empty() {
        String::new()
    } else {
        format!("<h3>Found before the first step</h3>\n<ul class=\"checks\">\n{list}</ul>\n")
    }
}
