//! The network as a picture: a block for each layer with the shape of what it gives, its parameters and its cost.

use std::fmt::Write as _;

use mapsto::nn::ModelSpec;
use mapsto::{Device, Result};

use super::html::{counted, grouped, short, text};
use super::{Facts, Section};
use crate::layers::LayerRow;

/// So many layers, and layers inside one, are drawn; of longer networks those that follow are folded up.
const MOST: usize = 60;

/// The section.
pub fn section(facts: &Facts<'_>) -> Result<Option<Section>> {
    let model = &facts.experiment.config.model;
    let spec = ModelSpec::new(model.input.clone().unwrap_or_default(), model.layers.clone());
    let rows = Device::shape().scope(|| LayerRow::of(&spec))?;
    let parameters: usize = rows.iter().map(|row| row.parameters).sum();
    let macs: u64 = rows.iter().map(|row| row.macs).sum();
    let most = rows.iter().map(|row| row.parameters).max().unwrap_or(0).max(1);
    let input = block(&spec.input, false, "<div class=\"what\"><b>input</b>", "");
    let drawn: Vec<String> = rows.iter().map(|row| layer(row, parameters, most)).collect();
    let (shown, rest) = drawn.split_at(drawn.len().min(MOST));
    let mut html = format!(
        "<p>{} and {} for one sample. The bar under a layer is its share of the parameters.</p>\n<ol class=\"net\">\n{input}{}</ol>\n",
        counted(parameters, "parameter"),
        counted(macs as usize, "multiplication"),
        shown.concat()
    );
    if !rest.is_empty() {
        _ = writeln!(
            html,
            "<details><summary>{} more</summary><ol class=\"net\">\n{}</ol></details>",
            counted(rest.len(), "layer"),
            rest.concat()
        );
    }
    Ok(Some(Section { id: "network", title: "The network", html }))
}

fn layer(row: &LayerRow, all: usize, most: usize) -> String {
    let (name, rest) = match row.layer.split_once('(') {
        Some((name, rest)) => (name, rest.strip_suffix(')').unwrap_or(rest)),
        None => (row.layer.as_str(), ""),
    };
    let settings = if rest.is_empty() {
        String::new()
    } else {
        format!(" <span class=\"quiet\">{}</span>", text(&rounded(rest)))
    };
    let what = format!("<div class=\"what\"><span><b>{}</b>{settings}</span>", text(name));
    let mut below = String::new();
    if row.parameters > 0 || row.macs > 0 {
        let share = 100.0 * row.parameters as f64 / all.max(1) as f64;
        let mut costs = Vec::new();
        if row.parameters > 0 {
            let share = if share < 1.0 { "< 1".to_string() } else { format!("{share:.0}") };
            costs.push(format!("{} · {} %", counted(row.parameters, "parameter"), text(&share)));
        }
        if row.macs > 0 {
            costs.push(format!("{} multiplications", short(row.macs)));
        }
        _ = write!(
            below,
            "<div class=\"cost\">{}</div>",
            costs.iter().map(|c| format!("<span>{c}</span>")).collect::<String>()
        );
    }
    if row.parameters > 0 {
        let width = 100.0 * row.parameters as f64 / most as f64;
        _ = write!(below, "<div class=\"share\"><i style=\"width:{width:.1}%\"></i></div>");
    }
    if !row.inside.is_empty() {
        let item = |(depth, part, parameters): &(usize, String, usize)| {
            let holds = if *parameters == 0 {
                String::new()
            } else {
                format!(" <span class=\"quiet\">{}</span>", grouped(*parameters as u64))
            };
            format!("<li style=\"--d:{depth}\">{}{holds}</li>", text(part))
        };
        let list: String = row.inside.iter().take(400).map(item).collect();
        let list = format!("<ul class=\"inside\">{list}</ul>");
        below += &match row.inside.len() {
            0..=12 => list,
            n => format!("<details><summary>{} inside</summary>{list}</details>", counted(n, "layer")),
        };
    }
    block(&row.shape, row.parameters > 0, &what, &below)
}

/// Settings as they read best: numbers of many decimals are rounded to four.
fn rounded(settings: &str) -> String {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let mut out = String::new();
    let mut rest = settings;
    while let Some(start) = rest.find(is_part) {
        let end = rest[start..].find(|c| !is_part(c)).map_or(rest.len(), |end| start + end);
        let word = &rest[start..end];
        let decimals = word.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        out += &rest[..start];
        match word.parse::<f64>() {
            Ok(v) if decimals > 4 && v >= 0.001 => out += &((v * 1e4).round() / 1e4).to_string(),
            _ => out += word,
        }
        rest = &rest[end..];
    }
    out + rest
}

/// A block with the shape of what comes out of it at its left.
fn block(shape: &[usize], has_parameters: bool, what: &str, below: &str) -> String {
    let said = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
    let said = if said.is_empty() { "one number".to_string() } else { said };
    format!(
        "<li{}><span class=\"glyph\" aria-hidden=\"true\">{}</span><div class=\"block\">{what}<span class=\"shape\">{said}</span></div>{below}</div></li>\n",
        if has_parameters { " class=\"has\"" } else { "" },
        glyph(shape)
    )
}

/// A shape as a drawing: a stack of sheets for channels of a picture, a bar for a row of numbers. Sides grow with the logarithm.
fn glyph(shape: &[usize]) -> String {
    let grown = |n: usize, most: f64| ((1.0 + n as f64).log2() / 10.0).min(1.0) * most;
    let mut svg = String::from("<svg viewBox=\"0 0 60 56\">");
    let face = |svg: &mut String, x: f64, y: f64, w: f64, h: f64| {
        _ = write!(
            svg,
            "<rect class=\"face\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\"/>"
        );
    };
    match shape {
        [c, h, w] => {
            let (w, h) = (grown(*w, 46.0).max(4.0), grown(*h, 42.0).max(4.0));
            let sheets = ((*c as f64).log2().round() as usize + 1).clamp(1, 8);
            let step = 2.0;
            let (left, top) = (
                (60.0 - w - step * (sheets - 1) as f64) / 2.0,
                (56.0 - h - step * (sheets - 1) as f64) / 2.0,
            );
            for sheet in (0..sheets).rev() {
                let place = step * sheet as f64;
                face(&mut svg, left + place, top + step * (sheets - 1) as f64 - place, w, h);
            }
        }
        [rows, columns] => {
            let (w, h) = (grown(*columns, 46.0).max(4.0), grown(*rows, 46.0).max(4.0));
            face(&mut svg, (60.0 - w) / 2.0, (56.0 - h) / 2.0, w, h);
        }
        [n] => {
            let w = grown(*n, 54.0).max(5.0);
            face(&mut svg, (60.0 - w) / 2.0, 23.0, w, 10.0);
        }
        _ => face(&mut svg, 25.0, 23.0, 10.0, 10.0),
    }
    svg + "</svg>"
}
