//! The page around the sections: its head, its style, the list of sections and the little program that shows numbers under the pointer.

use mapsto::Result;
use mapsto::training::History;
use mapsto::training::callbacks::Pace;

use super::html::{duration, number, text};
use super::{Facts, Section, Write, curves, data, diagnosis, lead, network};

const STYLE: &str = include_str!("page.css");
const PROGRAM: &str = include_str!("page.js");

/// The whole page of a run.
pub(crate) fn whole(facts: &Facts<'_>) -> Result<String> {
    let sections = facts.sections()?;
    let body = lead::html(facts) + &sections.iter().map(of).collect::<String>();
    Ok(document(&facts.name, "", &list(&sections), &body))
}

/// The page of a training that goes on: what stands on it is asked for again and again.
pub(crate) fn live(name: &str) -> String {
    let bar = "<div class=\"live\" id=\"live\" role=\"status\"><span id=\"live-text\">waiting for the first step</span>\
               <div class=\"share\"><i id=\"live-share\"></i></div></div>";
    document(
        name,
        bar,
        "",
        "<noscript><p>This page follows the training by a little program, which this browser does not run: the \
                             report is written when the training ends.</p></noscript>",
    )
}

/// What of the page of a training does not change while it goes on: what stands above, and the sections below with their links.
pub(crate) fn around(facts: &Facts<'_>) -> Result<(String, Vec<(String, String)>)> {
    let below: [Write; 2] = [network::section, data::section];
    let below = below.iter().map(|write| write(facts)).collect::<Result<Vec<_>>>()?;
    Ok((lead::html(facts), below.iter().flatten().map(|s| (of(s), link(s))).collect()))
}

/// What of the page of a training grows with its history, and the links to it.
pub(crate) fn middle(history: &History, best: Option<usize>) -> (String, String) {
    let advice = (history.rows.len() > 2).then(|| diagnosis::render(&diagnosis::of(history, best))).flatten();
    let sections: Vec<Section> = [curves::of(history, best), advice].into_iter().flatten().collect();
    (sections.iter().map(of).collect(), list(&sections))
}

/// Where a training is, in words.
pub(crate) fn pace(p: &Pace) -> String {
    let left = if p.seconds_left.is_finite() && p.step > 0 {
        format!(", {} left", duration(p.seconds_left))
    } else {
        String::new()
    };
    format!(
        "epoch {} of {}, batch {} of {}, loss {}{left}",
        p.epoch,
        p.epochs,
        p.batch,
        p.batches,
        number(p.loss)
    )
}

/// A section with its title.
pub(crate) fn of(section: &Section) -> String {
    let Section { id, title, html } = section;
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n{html}</section>\n"
    )
}

/// The links to sections.
pub(crate) fn list(sections: &[Section]) -> String {
    sections.iter().map(link).collect()
}

fn link(section: &Section) -> String {
    format!("<li><a href=\"#{}\">{}</a></li>", section.id, section.title)
}

/// Nothing is ever loaded, which the page itself says to the browser; only the page of a training that goes on asks the one that serves it.
fn document(name: &str, bar: &str, list: &str, body: &str) -> String {
    let connect = if bar.is_empty() { "'none'" } else { "'self'" };
    let name = text(&crate::plain(name));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; connect-src {connect}; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"generator\" content=\"mapsto {version}\">\n<title>{name} · mapsto report</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>\n{STYLE}</style>\n</head>\n<body>\n<div class=\"page\">\n\
         <header><p>mapsto <span aria-hidden=\"true\">↦</span> report</p><button id=\"theme\" type=\"button\" hidden>Dark</button></header>\n\
         {bar}<nav aria-label=\"Sections\"><ol>{list}</ol></nav>\n<main>\n{body}</main>\n</div>\n<script>\n{PROGRAM}</script>\n</body>\n</html>\n",
        version = env!("CARGO_PKG_VERSION"),
    )
}
