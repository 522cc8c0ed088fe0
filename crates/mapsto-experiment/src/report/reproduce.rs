//! How to get the same again: the command, the configuration and the machine.

use mapsto::Result;
use mapsto::spec::Json;

use super::html::text;
use super::{Facts, Section};

/// The section.
pub fn section(facts: &Facts<'_>) -> Result<Option<Section>> {
    let seed = facts.experiment.config.train.seed;
    let mut html = String::new();
    let words = facts.env.as_ref().and_then(|env| env.get("command")).and_then(Json::list);
    let words: Vec<&str> = words.into_iter().flatten().filter_map(Json::str).collect();
    if let [program, rest @ ..] = words.as_slice() {
        let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
        let command =
            std::iter::once(name).chain(rest.iter().copied()).map(quoted).collect::<Vec<_>>().join(" ");
        html += &format!("<p>This was the command:</p>\n{}", block("command", &command));
    }
    let folder = quoted(&facts.folder.path().display().to_string());
    html += &format!(
        "<p>The configuration below has every default filled in. On the same data, version and machine its seed {seed} gives the same weights to \
         the bit, in a folder of its own:</p>\n{}<p>To go on where the run ended, to judge its best model, and to ask it:</p>\n{}",
        block("command to train it again", &format!("mapsto train {folder}/config.toml --train.out again")),
        block(
            "commands to go on",
            &format!("mapsto train --resume {folder}\nmapsto eval {folder}\nmapsto predict {folder} FILE")
        ),
    );
    if let Ok(config) = facts.folder.config() {
        html += &format!(
            "<details><summary>config.toml</summary>\n{}</details>\n",
            block("configuration", &config)
        );
    }
    if let Some(pairs) = facts.env.as_ref().and_then(Json::object) {
        let said = |v: &Json| v.str().map_or_else(|| v.to_string(), str::to_string);
        let row = |(key, v): &(String, Json)| {
            format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", text(key), text(&said(v)))
        };
        let rows: String = pairs.iter().filter(|(key, _)| key != "command").map(row).collect();
        html += &format!(
            "<h3>Where it ran</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"environment\"><table class=\"env\"><tbody>\n{rows}</tbody></table></div>\n"
        );
    }
    Ok(Some(Section { id: "again", title: "How to get it again", html }))
}

/// Text as it is, which scrolls sideways where it is wide.
fn block(called: &str, content: &str) -> String {
    format!(
        "<pre tabindex=\"0\" role=\"region\" aria-label=\"{called}\">{}</pre>\n",
        text(content.trim_end())
    )
}

/// A word of a command, as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[test]
fn commands_are_quoted_as_a_shell_takes_them() {
    assert_eq!(
        ["a.toml", "--x=1", "two words", "it's", ""].map(quoted),
        ["a.toml", "--x=1", "'two words'", "'it'\\''s'", "''"]
    );
}
