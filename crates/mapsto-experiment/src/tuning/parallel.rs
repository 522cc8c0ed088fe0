//! Parallel coordinates of trials, an SVG picture: one axis a key and one for what trials are judged by, one line a trial.

use std::fmt::Write as _;

use mapsto::training::metrics::Better;

use super::journal::Trial;
use super::space::{Domain, Range, Space, few};

const TOP: f64 = 70.0;
const HEIGHT: f64 = 280.0;
/// From one axis to the next.
const APART: f64 = 150.0;
const LEFT: f64 = 110.0;

/// The picture; trials that failed are left out, since they stand nowhere on the last axis.
pub fn plot(space: &Space, trials: &[Trial], column: &str, better: Better, best: Option<usize>) -> String {
    let mut scored: Vec<(&Trial, f64)> =
        trials.iter().filter_map(|trial| Some((trial, trial.score?))).collect();
    // Better ones are drawn above others, and the best at last.
    let worth = |score: f64| if better == Better::Higher { score } else { -score };
    scored.sort_by(|a, b| {
        let key = |trial: &Trial| (Some(trial.number) == best, trial.epochs);
        key(a.0).cmp(&key(b.0)).then(worth(a.1).total_cmp(&worth(b.1)))
    });
    let scores = || scored.iter().map(|(_, score)| *score);
    let (low, high) = (scores().fold(f64::INFINITY, f64::min), scores().fold(f64::NEG_INFINITY, f64::max));
    let n = space.ranges.len();
    let width = LEFT * 2.0 + APART * n as f64;
    let height = TOP + HEIGHT + 70.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\" role=\"img\"><title>{} trials by {}</title>\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n",
        trials.len(),
        escaped(column)
    );
    let x = |k: usize| LEFT + APART * k as f64;
    // A single score stands in the middle.
    let share = |score: f64| if high > low { (score - low) / (high - low) } else { 0.5 };
    let y = |share: f64| TOP + HEIGHT * (1.0 - share);
    for (trial, score) in &scored {
        let mut path = String::new();
        for (k, (range, setting)) in space.ranges.iter().zip(&trial.settings).enumerate() {
            let at = y(place(range, range.domain.place(*setting).0));
            _ = write!(path, "{}{:.1} {at:.1}", if k == 0 { "M" } else { "L" }, x(k));
        }
        _ = write!(path, "L{:.1} {:.1}", x(n), y(share(*score)));
        let good = if better == Better::Higher { share(*score) } else { 1.0 - share(*score) };
        let is_best = Some(trial.number) == best;
        let (color, thick, opacity) = match is_best {
            true => ("#cb402a".to_string(), 2.5, 1.0),
            false => (blend(good), 1.2, 0.35 + 0.5 * good),
        };
        _ = writeln!(
            svg,
            "<path class=\"trial\" d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{thick}\" opacity=\"{opacity:.2}\">\
             <title>trial {}, {} epochs: {} {}</title></path>",
            trial.number,
            trial.epochs,
            escaped(column),
            few(*score)
        );
    }
    for (k, range) in space.ranges.iter().enumerate() {
        axis(&mut svg, x(k), &range.path, k);
        for (at, label) in ticks(range) {
            tick(&mut svg, x(k), y(at), &label);
        }
    }
    axis(&mut svg, x(n), column, n);
    if high >= low {
        let labels = if high > low { vec![0.0, 0.25, 0.5, 0.75, 1.0] } else { vec![0.5] };
        for at in labels {
            tick(&mut svg, x(n), y(at), &few(low + (high - low) * if high > low { at } else { 0.0 }));
        }
    }
    let failed = trials.len() - scored.len();
    let mut said = format!(
        "One line is a trial, the darker the better; the red one is the best{}.",
        match best {
            Some(best) => format!(", trial {best}"),
            None => String::new(),
        }
    );
    if failed > 0 {
        _ = write!(said, " {failed} that failed are left out.");
    }
    _ = writeln!(svg, "<text x=\"16\" y=\"{:.0}\" fill=\"#767c8a\">{said}</text></svg>", height - 14.0);
    svg
}

/// Where a place of the line of a range stands on its axis, from 0 to 1.
fn place(range: &Range, u: f64) -> f64 {
    let (low, high) = match (&range.domain, range.domain.line()) {
        (Domain::Choice(values), _) => (-0.5, values.len() as f64 - 0.5),
        (_, line) => line.unwrap_or((0.0, 1.0)),
    };
    if high > low { ((u - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 }
}

/// Places of an axis with what stands beside them: all choices, or ends and some between.
fn ticks(range: &Range) -> Vec<(f64, String)> {
    const MOST: usize = 12;
    let domain = &range.domain;
    let at = |u: f64, text: String| (place(range, u), short(&text));
    if let Domain::Choice(values) = domain {
        let step = values.len().div_ceil(MOST);
        return (0..values.len())
            .step_by(step)
            .map(|i| at(i as f64, range.text(super::Setting::Choice(i))))
            .collect();
    }
    let Some((low, high)) = domain.line() else { return Vec::new() };
    let mut ticks: Vec<(f64, String)> = Vec::new();
    for i in 0..=4 {
        let setting = domain.at(low + (high - low) * f64::from(i) / 4.0);
        let text = range.brief(setting);
        let tick = at(domain.place(setting).0, text);
        if ticks.last().is_none_or(|before| before.1 != tick.1) {
            ticks.push(tick);
        }
    }
    ticks
}

/// A line with its name above; names of neighbours stand at two heights, so that long ones do not meet.
fn axis(svg: &mut String, x: f64, name: &str, k: usize) {
    let name = name.strip_prefix("train.").or(name.strip_prefix("model.")).unwrap_or(name);
    _ = writeln!(
        svg,
        "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\" stroke=\"#262a33\"/>\
         <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#262a33\" font-weight=\"bold\">{}</text>",
        TOP + HEIGHT,
        TOP - if k.is_multiple_of(2) { 18.0 } else { 40.0 },
        escaped(&end_of(name))
    );
}

/// A number or word beside an axis, on a white ground that keeps it readable above lines.
fn tick(svg: &mut String, x: f64, y: f64, label: &str) {
    _ = writeln!(
        svg,
        "<line x1=\"{:.1}\" x2=\"{x:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#262a33\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#262a33\" stroke=\"#fff\" stroke-width=\"3\" \
         paint-order=\"stroke\">{}</text>",
        x - 4.0,
        x - 7.0,
        y + 4.0,
        escaped(label)
    );
}

/// From light grey-blue to a deep blue.
fn blend(good: f64) -> String {
    let mix = |from: f64, to: f64| (from + (to - from) * good).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(176.0, 20.0), mix(190.0, 60.0), mix(212.0, 160.0))
}

/// The first letters of a long word.
fn short(text: &str) -> String {
    const MOST: usize = 12;
    if text.chars().count() <= MOST {
        text.to_string()
    } else {
        text.chars().take(MOST - 1).chain(['…']).collect()
    }
}

/// The last letters of a long path, which tell it from others.
fn end_of(path: &str) -> String {
    const MOST: usize = 36;
    let n = path.chars().count();
    if n <= MOST {
        path.to_string()
    } else {
        std::iter::once('…').chain(path.chars().skip(n - MOST + 1)).collect()
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
