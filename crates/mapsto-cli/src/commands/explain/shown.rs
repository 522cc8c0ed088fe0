//! An explanation as lines for a terminal, as JSON and as a drawing.

use mapsto::data::encode_png;
use mapsto::explain::{Explanation, Method, Sanity, Shown};
use mapsto::spec::Json;
use mapsto::training::readable;
use mapsto::{DType, Error, ErrorKind, Result, Tensor};

use super::heat;
use super::subject::{Question, Subject};
use super::svg::{self, Bar};

/// An explanation with all that is said beside it.
pub struct Explained<'a> {
    pub subject: &'a Subject,
    pub method: &'a dyn Method,
    pub question: &'a Question<'a>,
    pub found: &'a Explanation,
    pub sanity: &'a Option<Sanity>,
    pub notes: &'a [String],
}

/// Bars that a terminal shows; those of lesser weight are added up.
const MOST: usize = 20;

impl Explained<'_> {
    /// What is explained, in a line.
    fn title(&self) -> String {
        let of = match (self.found.classes.first(), self.method.is_global()) {
            (Some(class), false) => {
                let score = self.found.scores.first().map_or(String::new(), |s| {
                    format!(", {} {}", self.subject.score_name(), readable(*s, 4))
                });
                let base = self.found.base.as_ref().and_then(|b| b.first());
                let base = base.map_or(String::new(), |b| format!(", baseline {}", readable(*b, 4)));
                format!("{}: {}{score}{base}", self.subject.name, self.subject.class(*class))
            }
            (Some(class), true) => format!("the model: {}", self.subject.class(*class)),
            (None, _) => "the model".to_string(),
        };
        format!("{} — {of}", self.method.name())
    }

    /// What each feature of a table adds, with its cell, the greatest first; none for other samples.
    fn bars(&self) -> Result<Option<Vec<Bar>>> {
        let cells = || self.subject.sample().to(DType::F64).to_vec::<f64>();
        let bar = |i: usize, value: String, adds: f64, spread: f64| Bar {
            name: self.subject.feature(i),
            value,
            adds,
            spread,
        };
        let mut bars: Vec<Bar> = match &self.found.shown {
            Shown::Attributions(found) if self.subject.is_table() => {
                let numbers = found.to(DType::F64).to_vec::<f64>();
                let joined = match self.subject.sources(numbers.len())? {
                    Some(features) if !self.question.is_raw => features.joined(&numbers),
                    _ => numbers,
                };
                let cells = cells();
                let cell = |i: usize| cells.get(i).map_or(String::new(), |v| self.subject.cell(i, *v));
                joined.iter().enumerate().map(|(i, adds)| bar(i, cell(i), *adds, 0.0)).collect()
            }
            Shown::Importance { values, spread } => {
                let spread = |i: usize| spread.get(i).copied().unwrap_or(0.0);
                values.iter().enumerate().map(|(i, v)| bar(i, String::new(), *v, spread(i))).collect()
            }
            _ => return Ok(None),
        };
        bars.sort_by(|a, b| b.adds.abs().total_cmp(&a.adds.abs()));
        Ok(Some(bars))
    }

    /// Lines for a terminal.
    ///
    /// # Errors
    /// Numbers that do not fit the columns.
    pub fn lines(&self) -> Result<Vec<String>> {
        let mut lines = vec![self.title(), String::new()];
        if let Some(bars) = self.bars()? {
            lines.extend(in_letters(&bars));
            return Ok(lines);
        }
        match &self.found.shown {
            Shown::Attributions(found) if found.rank() == 4 => {
                lines.extend(heat::letters(&found.squeeze(0), 56)?);
                let of = found.to(DType::F64).to_vec::<f64>();
                let part = |sign: f64| of.iter().filter(|v| **v * sign > 0.0).fold(0.0, |sum, v| sum + v);
                lines.push(String::new());
                lines.push(format!("for {}, against {}", readable(part(1.0), 4), readable(part(-1.0), 4)));
            }
            Shown::Attributions(found) | Shown::Inputs(found) if found.rank() != 2 => {
                lines
                    .push(format!("an input of shape {:?}; draw it with `-o FILE.png`", &found.shape()[1..]));
            }
            Shown::Attributions(found) | Shown::Inputs(found) => lines.extend(self.changed(found)?),
            Shown::Curves(curves) => {
                for curve in curves {
                    let (low, high) = ends(&curve.scores);
                    lines.push(format!(
                        "{:<24} {}  {} to {}",
                        self.subject.feature(curve.feature),
                        sparks(&curve.scores),
                        readable(low, 4),
                        readable(high, 4)
                    ));
                }
            }
            Shown::Points(points) => {
                lines
                    .push(format!("{} points in the plane; draw them with `-o FILE.svg`", points.shape()[0]));
            }
            Shown::Tensors(all) => {
                for (path, weights) in all {
                    let (low, high) = ends(&weights.to(DType::F64).to_vec::<f64>());
                    lines.push(format!(
                        "{path:<24} {:<20} {} to {}",
                        format!("{:?}", weights.shape()),
                        readable(low, 3),
                        readable(high, 3)
                    ));
                }
            }
            Shown::Histograms(all) => {
                for h in all {
                    let counts: Vec<f64> = h.counts.iter().map(|c| *c as f64).collect();
                    let (from, to) =
                        (h.edges.first().copied().unwrap_or(0.0), h.edges.last().copied().unwrap_or(0.0));
                    lines.push(format!(
                        "{:<24} {}  {} to {}",
                        h.name,
                        sparks(&counts),
                        readable(from, 3),
                        readable(to, 3)
                    ));
                }
            }
            Shown::Importance { .. } => {}
        }
        Ok(lines)
    }

    /// What an input that was found says in place of the sample's cells.
    fn changed(&self, found: &Tensor) -> Result<Vec<String>> {
        let rows = found.to(DType::F64).to_vec::<f64>();
        let width = found.shape()[1];
        let before = if self.question.is_raw { self.subject.sample() } else { self.question.x.clone() };
        let before = before.to(DType::F64).to_vec::<f64>();
        let sources = if self.question.is_raw { None } else { self.subject.sources(width)? };
        let mut lines = Vec::new();
        for (k, row) in rows.chunks(width.max(1)).enumerate() {
            if rows.len() > width {
                lines.push(format!("{}:", k + 1));
            }
            for (i, (now, was)) in row.iter().zip(before.iter().cycle()).enumerate() {
                let is_same = now == was || (now.is_nan() && was.is_nan());
                if is_same && self.question.is_raw {
                    continue;
                }
                let column = sources.as_ref().map_or(i, |of| of.of()[i]);
                let shown =
                    |v: f64| if self.question.is_raw { self.subject.cell(i, v) } else { readable(v, 4) };
                lines.push(format!(
                    "  {:<24} {}  (was {})",
                    self.subject.feature(column),
                    shown(*now),
                    shown(*was)
                ));
            }
        }
        Ok(lines)
    }

    /// All of it for programs.
    pub fn json(&self) -> String {
        let text = |t: &str| Json::Str(t.to_string());
        let numbers = |v: &[f64]| Json::List(v.iter().map(|x| Json::Float(*x)).collect());
        // What the numbers of a column say to a reader.
        let cells = |column: usize, v: &[f64]| match self.question.is_raw && self.subject.is_table() {
            true => Json::List(v.iter().map(|v| text(&self.subject.cell(column, *v))).collect()),
            false => numbers(v),
        };
        let tensor = |x: &Tensor| {
            let shape = x.shape().iter().map(|n| Json::Int(*n as i64)).collect();
            Json::Object(vec![
                ("shape".into(), Json::List(shape)),
                ("values".into(), numbers(&x.to(DType::F64).to_vec::<f64>())),
            ])
        };
        let mut all = vec![
            ("method".to_string(), text(self.method.name())),
            ("says".to_string(), text(self.method.says())),
            ("sample".to_string(), text(&self.subject.name)),
            (
                "classes".to_string(),
                Json::List(self.found.classes.iter().map(|c| text(&self.subject.class(*c))).collect()),
            ),
            ("score is".to_string(), text(self.subject.score_name())),
            ("scores".to_string(), numbers(&self.found.scores)),
        ];
        if let Some(base) = &self.found.base {
            all.push(("baseline".to_string(), numbers(base)));
        }
        if let Ok(Some(bars)) = self.bars() {
            let one = |bar: &Bar| {
                let mut of = vec![("feature".to_string(), text(&bar.name))];
                if !bar.value.is_empty() {
                    of.push(("value".to_string(), text(&bar.value)));
                }
                of.push(("adds".to_string(), Json::Float(bar.adds)));
                if bar.spread > 0.0 {
                    of.push(("spread".to_string(), Json::Float(bar.spread)));
                }
                Json::Object(of)
            };
            all.push(("features".to_string(), Json::List(bars.iter().map(one).collect())));
        } else {
            let (key, value) = match &self.found.shown {
                Shown::Attributions(x) => ("attributions", tensor(x)),
                Shown::Inputs(x) if self.question.is_raw && self.subject.is_table() && x.rank() == 2 => {
                    let width = x.shape()[1];
                    let one = |(i, v): (usize, f64)| {
                        (self.subject.feature(i % width), text(&self.subject.cell(i % width, v)))
                    };
                    let all = x.to(DType::F64).to_vec::<f64>();
                    let rows = all
                        .chunks(width.max(1))
                        .map(|row| Json::Object(row.iter().copied().enumerate().map(one).collect()));
                    ("inputs", Json::List(rows.collect()))
                }
                Shown::Inputs(x) => ("inputs", tensor(x)),
                Shown::Points(x) => ("points", tensor(x)),
                Shown::Tensors(list) => (
                    "tensors",
                    Json::Object(list.iter().map(|(name, x)| (name.clone(), tensor(x))).collect()),
                ),
                Shown::Curves(curves) => {
                    let one = |c: &mapsto::explain::Curve| {
                        Json::Object(vec![
                            ("feature".into(), text(&self.subject.feature(c.feature))),
                            ("at".into(), numbers(&c.at)),
                            ("cells".into(), cells(c.feature, &c.at)),
                            ("scores".into(), numbers(&c.scores)),
                        ])
                    };
                    ("curves", Json::List(curves.iter().map(one).collect()))
                }
                Shown::Histograms(list) => {
                    let one = |h: &mapsto::explain::Histogram| {
                        Json::Object(vec![
                            ("name".into(), text(&h.name)),
                            ("edges".into(), numbers(&h.edges)),
                            (
                                "counts".into(),
                                Json::List(h.counts.iter().map(|c| Json::Int(*c as i64)).collect()),
                            ),
                        ])
                    };
                    ("histograms", Json::List(list.iter().map(one).collect()))
                }
                Shown::Importance { .. } => ("features", Json::List(Vec::new())),
            };
            all.push((key.to_string(), value));
        }
        if let Some(sanity) = self.sanity {
            all.push(("likeness with weights of chance".to_string(), Json::Float(sanity.likeness)));
        }
        all.push(("notes".to_string(), Json::List(self.notes.iter().map(|note| text(note)).collect())));
        Json::Object(all).to_string()
    }

    /// The bytes of a file that draws it: PNG where it is a picture, SVG elsewhere.
    ///
    /// # Errors
    /// The file's ending says another format than this is drawn in.
    pub fn drawing(&self, path: &str) -> Result<Vec<u8>> {
        let picture = match &self.found.shown {
            Shown::Attributions(found) if found.rank() == 4 => {
                Some(heat::beside(&self.subject.sample().squeeze(0), &found.squeeze(0)))
            }
            Shown::Inputs(found) if found.rank() == 4 => Some(heat::row(
                &(0..found.shape()[0]).map(|i| found.slice(0, i..i + 1).squeeze(0)).collect::<Vec<_>>(),
            )),
            Shown::Tensors(all) => first_filters(all).map(|filters| heat::row(&filters)),
            _ => None,
        };
        let ends_in = |ending: &str| path.to_ascii_lowercase().ends_with(ending);
        let wants = |ending: &str| {
            let message = format!("{}: this is drawn as {ending}", mapsto_experiment::plain(path));
            Error::new(ErrorKind::Usage, message)
                .help(format!("give a file that ends in .{}", ending.to_lowercase()))
        };
        if let Some(picture) = picture {
            return if ends_in(".png") { encode_png(&picture) } else { Err(wants("PNG")) };
        }
        if !ends_in(".svg") {
            return Err(wants("SVG"));
        }
        let title = self.title();
        let text = match (&self.found.shown, self.bars()?) {
            (_, Some(bars)) => svg::bars(&title, &bars),
            (Shown::Curves(curves), _) => svg::curves(&title, curves, &|i| self.subject.feature(i)),
            (Shown::Histograms(all), _) => svg::histograms(&title, all),
            (Shown::Points(points), _) => {
                svg::points(&title, &points.to(DType::F64).to_vec::<f64>(), &self.found.classes)
            }
            _ => {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("`{}` has nothing to draw here", self.method.name()),
                )
                .help("leave `-o` out, and read the lines or the JSON"));
            }
        };
        Ok(text.into_bytes())
    }
}

/// The filters of the first layer that looks at pictures, each as a picture.
fn first_filters(all: &[(String, Tensor)]) -> Option<Vec<Tensor>> {
    let (_, weights) = all.iter().find(|(_, w)| w.rank() == 4)?;
    let color = weights.shape()[1] == 3;
    let one = |i: usize| {
        let filter = weights.slice(0, i..i + 1).squeeze(0);
        if color { filter } else { filter.slice(0, 0..1) }
    };
    Some((0..weights.shape()[0].min(64)).map(one).collect())
}

fn ends(values: &[f64]) -> (f64, f64) {
    (
        values.iter().copied().fold(f64::INFINITY, f64::min),
        values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    )
}

/// Numbers as a line of small bars, at most 30 wide.
fn sparks(values: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let (low, high) = ends(values);
    let span = if high > low { high - low } else { 1.0 };
    let step = values.len().div_ceil(30).max(1);
    values
        .iter()
        .step_by(step)
        .map(|v| BARS[((v - low) / span * 7.0).round().clamp(0.0, 7.0) as usize])
        .collect()
}

/// Bars with names, cells and numbers.
fn in_letters(bars: &[Bar]) -> Vec<String> {
    const WIDE: usize = 24;
    let label = |bar: &Bar| {
        if bar.value.is_empty() { bar.name.clone() } else { format!("{} = {}", bar.name, bar.value) }
    };
    let shown = &bars[..bars.len().min(MOST)];
    let wide = shown.iter().map(|bar| label(bar).chars().count()).max().unwrap_or(0).min(44);
    let most = bars.iter().fold(f64::MIN_POSITIVE, |most, bar| most.max(bar.adds.abs()));
    let mut lines: Vec<String> = shown
        .iter()
        .map(|bar| {
            let letters = (bar.adds.abs() / most * WIDE as f64).round() as usize;
            let letter = if bar.adds < 0.0 { '-' } else { '+' };
            let spread =
                if bar.spread > 0.0 { format!(" ± {}", readable(bar.spread, 4)) } else { String::new() };
            let bars: String = std::iter::repeat_n(letter, letters).collect();
            let label: String = label(bar).chars().take(44).collect();
            format!("{label:<wide$}  {:>12}{spread}  {bars}", readable(bar.adds, 4)).trim_end().to_string()
        })
        .collect();
    if bars.len() > MOST {
        let rest: f64 = bars[MOST..].iter().map(|bar| bar.adds).sum();
        lines.push(format!("and {} others, {} together", bars.len() - MOST, readable(rest, 4)));
    }
    lines
}

#[test]
fn lesser_bars_are_added_up() {
    let bar = |i: usize| Bar {
        name: format!("x{i}"),
        value: String::new(),
        adds: 1.0 / (i + 1) as f64,
        spread: 0.0,
    };
    let lines = in_letters(&(0..22).map(bar).collect::<Vec<_>>());
    assert_eq!(lines[0], format!("x0         1.0000  {}", "+".repeat(24)));
    assert_eq!(lines[20], "and 2 others, 0.0931 together");
    assert_eq!(sparks(&[0.0, 1.0]), "▁█");
}
