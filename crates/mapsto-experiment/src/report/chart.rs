//! A chart of lines over a common axis, as SVG that follows the colours of the page, with the numbers that the pointer finds.

use std::fmt::Write as _;

use mapsto::spec::Json;

use super::html::text;

/// A line of a chart.
pub struct Series<'a> {
    /// What it is called beside the chart.
    pub name: &'a str,
    /// One value for each place of the axis; those that are not finite leave a gap.
    pub values: Vec<f64>,
}

/// A chart of at most two lines.
pub struct Chart<'a> {
    pub title: &'a str,
    /// What the axis counts.
    pub of: &'a str,
    pub x: Vec<f64>,
    pub series: Vec<Series<'a>>,
    /// A place of the axis to mark.
    pub mark: Option<f64>,
    /// Whether values of very different sizes may stand on a logarithmic axis.
    pub may_be_log: bool,
    /// What stands behind the numbers of the axis.
    pub unit: &'a str,
    /// What stands below the title.
    pub caption: String,
    /// How a value is said.
    pub say: &'a dyn Fn(f64) -> String,
}

pub const WIDTH: f64 = 420.0;
pub const HEIGHT: f64 = 250.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = HEIGHT - 40.0;
/// More places than a page is wide are thinned out.
const MOST: usize = 600;

impl Chart<'_> {
    /// The chart as a figure.
    pub fn figure(&self) -> String {
        let keep = thinned(self.x.len(), self.mark.and_then(|mark| self.x.iter().position(|x| *x == mark)));
        let x: Vec<f64> = keep.iter().map(|&i| self.x[i]).collect();
        let lines: Vec<Vec<f64>> =
            self.series.iter().map(|s| keep.iter().map(|&i| s.values[i]).collect()).collect();
        let finite = || lines.iter().flatten().copied().filter(|v| v.is_finite());
        let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let is_log = self.may_be_log && low > 0.0 && high / low > 30.0;
        let scale = Scale::of(low, high, is_log);
        let labels: Vec<(f64, String)> =
            scale.ticks.iter().map(|t| (*t, scale.label(*t) + self.unit)).collect();
        let left = 10.0 + 7.2 * labels.iter().map(|(_, l)| l.chars().count()).max().unwrap_or(1) as f64;
        let right = WIDTH - 14.0;
        let (first, last) = (x.first().copied().unwrap_or(0.0), x.last().copied().unwrap_or(1.0));
        let px = |v: f64| {
            if last > first {
                left + (v - first) / (last - first) * (right - left)
            } else {
                (left + right) / 2.0
            }
        };
        let py = |v: f64| BOTTOM - scale.share(v) * (BOTTOM - TOP);
        let mut svg = open(&format!("{} by {}", self.title, self.of));
        for (tick, label) in &labels {
            let y = py(*tick);
            _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 6.0,
                y + 4.0,
                text(label)
            );
        }
        let mut free = f64::NEG_INFINITY;
        for tick in whole_ticks(first, last) {
            let label = format!("{tick}");
            let half = 3.7 * label.chars().count() as f64;
            let at = px(tick).clamp(half, WIDTH - half);
            if at - half < free {
                continue;
            }
            free = at + half + 8.0;
            _ = write!(
                svg,
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
                BOTTOM + 18.0
            );
        }
        _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <line class=\"axis\" x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{BOTTOM}\" y2=\"{BOTTOM}\"/>",
            (left + right) / 2.0,
            HEIGHT - 4.0,
            text(self.of)
        );
        if let Some(mark) = self.mark {
            let x = px(mark);
            _ = write!(
                svg,
                "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/>"
            );
        }
        // The line that counts lies above the others.
        for (i, line) in lines.iter().enumerate().rev() {
            svg += &path(&x, line, i, &px, &py);
        }
        if let (Some(mark), Some(line)) = (self.mark, lines.first())
            && let Some(at) = x.iter().position(|x| *x == mark).filter(|&at| line[at].is_finite())
        {
            _ = write!(
                svg,
                "<circle class=\"d0\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"/>",
                px(mark),
                py(line[at])
            );
        }
        svg += "</svg>";
        let numbers = self.numbers(&x, &lines, &px);
        let key = self.key();
        let log = if is_log { " The axis is logarithmic." } else { "" };
        format!(
            "<figure><h3>{}</h3>{key}<div class=\"plot\" tabindex=\"0\" role=\"group\" aria-label=\"{} by {}: arrow keys say the numbers\" \
             data-chart=\"{}\">{svg}</div><figcaption>{}{log}</figcaption></figure>\n",
            text(self.title),
            text(self.title),
            text(self.of),
            text(&numbers.to_string()),
            text(&self.caption)
        )
    }

    fn key(&self) -> String {
        if self.series.len() < 2 {
            return String::new();
        }
        let item = |(i, s): (usize, &Series<'_>)| format!("<li class=\"k{i}\"><i></i>{}</li>", text(s.name));
        format!("<ul class=\"key\">{}</ul>", self.series.iter().enumerate().map(item).collect::<String>())
    }

    /// What the page's program shows under the pointer.
    fn numbers(&self, x: &[f64], lines: &[Vec<f64>], px: &dyn Fn(f64) -> f64) -> Json {
        let tenth = |v: f64| Json::Float((10.0 * v).round() / 10.0);
        let said = |v: &f64| Json::Str(if v.is_nan() { String::new() } else { (self.say)(*v) });
        let one = |(series, line): (&Series<'_>, &Vec<f64>)| {
            Json::Object(vec![
                ("n".into(), Json::Str(series.name.into())),
                ("v".into(), Json::List(line.iter().map(said).collect())),
            ])
        };
        Json::Object(vec![
            ("of".into(), Json::Str(self.of.into())),
            ("width".into(), Json::Float(WIDTH)),
            ("top".into(), Json::Float(TOP)),
            ("bottom".into(), Json::Float(BOTTOM)),
            ("x".into(), Json::List(x.iter().map(|v| Json::Int(*v as i64)).collect())),
            ("px".into(), Json::List(x.iter().map(|v| tenth(px(*v))).collect())),
            ("s".into(), Json::List(self.series.iter().zip(lines).map(one).collect())),
        ])
    }
}

/// The beginning of a drawing of the usual size.
pub fn open(called: &str) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">", text(called))
}

/// Which places are shown: all, or evenly many of them with the first, the last and the marked one.
fn thinned(n: usize, marked: Option<usize>) -> Vec<usize> {
    let step = n.div_ceil(MOST).max(1);
    (0..n).filter(|i| i % step == 0 || *i + 1 == n || Some(*i) == marked).collect()
}

/// A line with gaps; a point that stands alone is a dot.
fn path(x: &[f64], y: &[f64], class: usize, px: &dyn Fn(f64) -> f64, py: &dyn Fn(f64) -> f64) -> String {
    let (mut d, mut dots) = (String::new(), String::new());
    let is_finite = |i: usize| y.get(i).is_some_and(|v| v.is_finite());
    for i in (0..x.len()).filter(|&i| is_finite(i)) {
        let begins = i == 0 || !is_finite(i - 1);
        let (cx, cy) = (px(x[i]), py(y[i]));
        if begins && !is_finite(i + 1) {
            _ = write!(dots, "<circle class=\"d{class}\" cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"3.5\"/>");
        } else {
            _ = write!(d, "{}{cx:.1} {cy:.1}", if begins { 'M' } else { 'L' });
        }
    }
    if d.is_empty() { dots } else { format!("<path class=\"s{class}\" d=\"{d}\"/>{dots}") }
}

/// An axis of values.
pub struct Scale {
    low: f64,
    high: f64,
    is_log: bool,
    pub ticks: Vec<f64>,
    step: f64,
}

impl Scale {
    /// The axis from a value to another, a little wider than they are apart.
    pub fn of(low: f64, high: f64, is_log: bool) -> Scale {
        let (low, high) = if low.is_finite() && high.is_finite() { (low, high) } else { (0.0, 1.0) };
        if is_log {
            let (from, to) = (low.log10(), high.log10());
            let margin = 0.05 * (to - from);
            let (low, high) = (from - margin, to + margin);
            let stride = ((high - low) / 6.0).ceil().max(1.0);
            // Of few powers of ten their halves and fifths are shown too.
            let parts: &[f64] = if high - low < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
            let mut ticks = Vec::new();
            let mut power = ((low - 1.0) / stride).floor() * stride;
            while power <= high {
                let found = parts.iter().map(|part| part * 10f64.powf(power));
                ticks.extend(found.filter(|t| (low..=high).contains(&t.log10())));
                power += stride;
            }
            return Scale { low, high, is_log, ticks, step: 0.0 };
        }
        let width = if high > low { high - low } else { low.abs().max(1e-12) };
        let (low, high) = (low - 0.05 * width, high + 0.05 * width);
        let step = nice((high - low) / 5.0);
        let first = (low / step).ceil();
        let ticks = (0..=12).map(|i| (first + f64::from(i)) * step).take_while(|t| *t <= high).collect();
        Scale { low, high, is_log, ticks, step }
    }

    /// How far up a value is, from 0 to 1.
    pub fn share(&self, v: f64) -> f64 {
        let v = if self.is_log { v.max(f64::MIN_POSITIVE).log10() } else { v };
        ((v - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// A tick in as few digits as tell it from the next one.
    pub fn label(&self, t: f64) -> String {
        let size = t.abs();
        if self.is_log {
            return if (1e-3..1e6).contains(&size) { format!("{}", t as f32) } else { format!("{t:.0e}") };
        }
        if size > 0.01 * self.step && (size >= 1e6 || self.step < 1e-4) {
            let digits = (size.log10().floor() - self.step.log10().floor()).clamp(0.0, 6.0) as usize;
            return format!("{t:.digits$e}");
        }
        let decimals = (-self.step.log10().floor()).clamp(0.0, 6.0) as usize;
        let label = format!("{t:.decimals$}");
        if label.trim_start_matches(['-', '0', '.']).is_empty() {
            label.trim_start_matches('-').into()
        } else {
            label
        }
    }
}

/// The next of 1, 2, 5, 10, .. upwards.
fn nice(width: f64) -> f64 {
    let power = 10f64.powf(width.log10().floor());
    let share = width / power;
    power
        * if share <= 1.0 {
            1.0
        } else if share <= 2.0 {
            2.0
        } else if share <= 5.0 {
            5.0
        } else {
            10.0
        }
}

/// Whole numbers at even distances, with the first and the last.
fn whole_ticks(first: f64, last: f64) -> Vec<f64> {
    let step = nice(((last - first) / 6.0).max(1.0)).round();
    let mut ticks = vec![first];
    let mut at = (first / step).floor() * step + step;
    while at < last {
        // The last one needs room for itself.
        if last - at >= 0.6 * step {
            ticks.push(at);
        }
        at += step;
    }
    if last > first {
        ticks.push(last);
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_tell_values_apart_at_every_size() {
        for power in -12..=12 {
            for (low, high) in [(0.0, 1.0), (0.97, 0.991), (-3.0, 4.0), (5.0, 5.0)] {
                let scale = Scale::of(low * 10f64.powi(power), high * 10f64.powi(power), false);
                assert!((2..=12).contains(&scale.ticks.len()), "{low} {high} 1e{power}: {:?}", scale.ticks);
                let labels: Vec<String> = scale.ticks.iter().map(|t| scale.label(*t)).collect();
                let mut apart = labels.clone();
                apart.dedup();
                assert_eq!(apart, labels, "1e{power}");
                assert!(labels.iter().all(|l| l.len() <= 10), "{labels:?}");
            }
        }
        assert_eq!(whole_ticks(1.0, 3.0), [1.0, 2.0, 3.0]);
        assert_eq!(whole_ticks(1.0, 60.0), [1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
        assert_eq!(whole_ticks(4.0, 4.0), [4.0]);
    }

    #[test]
    fn odd_lines_are_drawn_as_far_as_they_are_numbers() {
        let say = |v: f64| v.to_string();
        let drawn = |values: Vec<f64>| {
            let x = (1..=values.len()).map(|i| i as f64).collect();
            let series = vec![Series { name: "loss", values }];
            Chart {
                title: "loss",
                of: "epoch",
                x,
                series,
                mark: Some(1.0),
                may_be_log: true,
                unit: "",
                caption: String::new(),
                say: &say,
            }
            .figure()
        };
        for values in [
            vec![],
            vec![1.0],
            vec![f64::NAN],
            vec![f64::INFINITY, 1.0, f64::NAN, 2.0, 1e300],
            vec![0.5; 5000],
        ] {
            let figure = drawn(values);
            let drawing = &figure[figure.find("<svg").unwrap()..figure.find("</svg>").unwrap()];
            assert!(!drawing.contains("NaN") && !drawing.contains("inf"), "{drawing}");
            assert!(figure.len() < 80_000, "{}", figure.len());
        }
    }
}
