//! Charts of explanations as SVG: bars with names, curves, points and counts, in colours that everybody tells apart.

use mapsto::explain::{Curve, Histogram};
use mapsto::training::readable;

const FOR: &str = "#d55e00";
const AGAINST: &str = "#0072b2";

/// A named bar with the value that its feature has.
pub struct Bar {
    /// The feature.
    pub name: String,
    /// Its value, in words.
    pub value: String,
    /// What it adds.
    pub adds: f64,
    /// How far that differs between draws; 0 where it does not.
    pub spread: f64,
}

/// Letters of a text that XML takes for its own.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn page(width: usize, height: usize, title: &str, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#333333\" role=\"img\">\n<title>{0}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n<text x=\"12\" y=\"22\" font-size=\"14\">{0}</text>\n{body}</svg>\n",
        escaped(title)
    )
}

/// Bars to the right for what speaks for the score, to the left for what speaks against it.
pub fn bars(title: &str, bars: &[Bar]) -> String {
    let most = bars.iter().fold(f64::MIN_POSITIVE, |most, bar| most.max(bar.adds.abs() + bar.spread));
    let (left, half) = (280.0, 170.0);
    let is_signed = bars.iter().any(|bar| bar.adds < 0.0);
    let (zero, room) = if is_signed { (left + half, half) } else { (left, 2.0 * half) };
    let mut body = String::new();
    for (i, bar) in bars.iter().enumerate() {
        let y = 40 + 22 * i;
        let length = bar.adds.abs() / most * room;
        let x = if bar.adds < 0.0 { zero - length } else { zero };
        let color = if bar.adds < 0.0 { AGAINST } else { FOR };
        let name =
            if bar.value.is_empty() { bar.name.clone() } else { format!("{} = {}", bar.name, bar.value) };
        let name = escaped(&shortened(&name, 42));
        body += &format!("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\n", left - 10.0, y + 12);
        body +=
            &format!("<rect x=\"{x:.1}\" y=\"{y}\" width=\"{length:.1}\" height=\"16\" fill=\"{color}\"/>\n");
        if bar.spread > 0.0 {
            let (a, b) = (bar.adds - bar.spread, bar.adds + bar.spread);
            let at = |v: f64| zero + v / most * room;
            let (from, to, middle) = (at(a), at(b), y + 8);
            body += &format!(
                "<line x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{middle}\" y2=\"{middle}\" stroke=\"#333333\"/>\n"
            );
        }
        body += &format!(
            "<text x=\"{}\" y=\"{}\">{}</text>\n",
            left + 2.0 * half + 12.0,
            y + 12,
            readable(bar.adds, 4)
        );
    }
    let height = 52 + 22 * bars.len();
    body +=
        &format!("<line x1=\"{zero}\" x2=\"{zero}\" y1=\"34\" y2=\"{}\" stroke=\"#888888\"/>\n", height - 12);
    page(720, height, title, &body)
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        text.to_string()
    } else {
        text.chars().take(most - 1).collect::<String>() + "…"
    }
}

/// Where small charts stand, three in a line, and the height of all.
fn places(n: usize) -> (impl Fn(usize) -> (f64, f64), usize) {
    (|i: usize| (12.0 + 236.0 * (i % 3) as f64, 40.0 + 150.0 * (i / 3) as f64), 50 + 150 * n.div_ceil(3))
}

/// A small chart for each curve: the feature's values to the right, the score upwards, one scale for all.
pub fn curves(title: &str, curves: &[Curve], names: &dyn Fn(usize) -> String) -> String {
    let all = || curves.iter().flat_map(|c| c.scores.iter().copied());
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let span = if high > low { high - low } else { 1.0 };
    let (place, height) = places(curves.len());
    let mut body = String::new();
    for (i, curve) in curves.iter().enumerate() {
        let (x, y) = place(i);
        let (from, to) = (curve.at.first().copied().unwrap_or(0.0), curve.at.last().copied().unwrap_or(1.0));
        let width = if to > from { to - from } else { 1.0 };
        let point = |(at, score): (&f64, &f64)| {
            format!("{:.1},{:.1}", x + 220.0 * (at - from) / width, y + 110.0 - 90.0 * (score - low) / span)
        };
        let points: Vec<String> = curve.at.iter().zip(&curve.scores).map(point).collect();
        body += &format!(
            "<text x=\"{x}\" y=\"{}\">{}</text>\n",
            y + 10.0,
            escaped(&shortened(&names(curve.feature), 30))
        );
        body += &format!(
            "<line x1=\"{x}\" x2=\"{}\" y1=\"{1}\" y2=\"{1}\" stroke=\"#888888\"/>\n",
            x + 220.0,
            y + 112.0
        );
        body += &format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{AGAINST}\" stroke-width=\"2\"/>\n",
            points.join(" ")
        );
        body +=
            &format!("<text x=\"{x}\" y=\"{}\" font-size=\"10\">{}</text>\n", y + 124.0, readable(from, 2));
        body += &format!(
            "<text x=\"{}\" y=\"{}\" font-size=\"10\" text-anchor=\"end\">{}</text>\n",
            x + 220.0,
            y + 124.0,
            readable(to, 2)
        );
    }
    let title = format!("{title}: scores from {} to {}", readable(low, 3), readable(high, 3));
    page(720, height, &title, &body)
}

/// A small chart of counts for each histogram.
pub fn histograms(title: &str, all: &[Histogram]) -> String {
    let (place, height) = places(all.len());
    let mut body = String::new();
    for (i, histogram) in all.iter().enumerate() {
        let (x, y) = place(i);
        let most = histogram.counts.iter().copied().max().unwrap_or(1).max(1) as f64;
        let wide = 220.0 / histogram.counts.len().max(1) as f64;
        body += &format!(
            "<text x=\"{x}\" y=\"{}\">{}</text>\n",
            y + 10.0,
            escaped(&shortened(&histogram.name, 30))
        );
        for (k, count) in histogram.counts.iter().enumerate() {
            let tall = 90.0 * *count as f64 / most;
            body += &format!(
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\" fill=\"{AGAINST}\"/>\n",
                x + wide * k as f64,
                y + 110.0 - tall,
                (wide - 0.5).max(0.5)
            );
        }
        let ends =
            (histogram.edges.first().copied().unwrap_or(0.0), histogram.edges.last().copied().unwrap_or(0.0));
        body +=
            &format!("<text x=\"{x}\" y=\"{}\" font-size=\"10\">{}</text>\n", y + 124.0, readable(ends.0, 3));
        body += &format!(
            "<text x=\"{}\" y=\"{}\" font-size=\"10\" text-anchor=\"end\">{}</text>\n",
            x + 220.0,
            y + 124.0,
            readable(ends.1, 3)
        );
    }
    page(720, height, title, &body)
}

/// A point for each sample, in the colour and shape of its class.
pub fn points(title: &str, at: &[f64], classes: &[usize]) -> String {
    const COLORS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
    let end =
        |k: usize, f: fn(f64, f64) -> f64, start: f64| at.iter().skip(k).step_by(2).copied().fold(start, f);
    let of = |k: usize| (end(k, f64::min, f64::INFINITY), end(k, f64::max, f64::NEG_INFINITY));
    let ((x0, x1), (y0, y1)) = (of(0), of(1));
    let scale = (x1 - x0).max(y1 - y0).max(f64::MIN_POSITIVE);
    let mut body = String::new();
    for (i, point) in at.chunks(2).enumerate() {
        let class = classes.get(i).copied().unwrap_or(0);
        let (x, y) = (20.0 + 640.0 * (point[0] - x0) / scale, 690.0 - 640.0 * (point[1] - y0) / scale);
        let color = COLORS[class % COLORS.len()];
        body += &match class / COLORS.len() % 2 {
            0 => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>\n"),
            _ => format!(
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"5\" height=\"5\" fill=\"{color}\"/>\n",
                x - 2.5,
                y - 2.5
            ),
        };
    }
    page(720, 720, title, &body)
}

#[test]
fn names_are_escaped_and_bars_go_to_both_sides() {
    let bar = |name: &str, adds: f64| Bar { name: name.into(), value: "1".into(), adds, spread: 0.1 };
    let svg = bars("a < b", &[bar("x & y", 2.0), bar("z", -1.0)]);
    assert!(svg.contains("x &amp; y = 1") && svg.contains("a &lt; b") && !svg.contains("a < b"));
    assert!(svg.contains(FOR) && svg.contains(AGAINST));
    assert!(!bars("t", &[bar("x", 2.0)]).contains(AGAINST));
}
