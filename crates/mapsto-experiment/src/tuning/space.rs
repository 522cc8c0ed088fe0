//! `Space`: the ranges that a training file says for some of its keys, and the values that are drawn from them.

use std::ops::Range as Span;

use mapsto::random::Keyed;
use mapsto::spec::{Json, Value, nearest};
use mapsto::{Error, ErrorKind, Result};

use crate::document::{Key, Node, Tree};
use crate::keys::section_of;

/// The values that a key may take.
#[derive(Debug, Clone, PartialEq)]
pub enum Domain {
    /// `{ uniform = [low, high] }`: every number between the two alike.
    Uniform(f64, f64),
    /// `{ log = [low, high] }`: numbers whose logarithm is uniform, as suits learning rates.
    Log(f64, f64),
    /// `{ int = [low, high], step = 1 }`: whole numbers, both ends among them.
    Int(i64, i64, i64),
    /// `{ log_int = [low, high] }`: whole numbers whose logarithm is uniform, as suits widths of layers.
    LogInt(i64, i64),
    /// `[a, b, c]`: one of these.
    Choice(Vec<Value>),
}

/// What a key is in a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Setting {
    /// A number.
    Number(f64),
    /// A whole number.
    Whole(i64),
    /// Which of the choices, from 0.
    Choice(usize),
}

/// A key with the values that it may take.
#[derive(Debug, Clone)]
pub struct Range {
    /// The dotted path of the key: `train.optimizer.adamw`.
    pub path: String,
    /// Its values.
    pub domain: Domain,
    /// Where the path begins and where the values stand in the file.
    key: Span<usize>,
    /// The nodes of the choices, or of both ends.
    nodes: Vec<Node>,
}

/// The ranges of a tuning, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Space {
    /// Each range.
    pub ranges: Vec<Range>,
}

/// What decides which samples trials are judged by, or what they are judged by; where that differs, they cannot be compared.
const JUDGES: [&str; 15] = [
    "data.set",
    "data.path",
    "data.class",
    "data.target",
    "data.labels",
    "data.names",
    "data.validation",
    "data.test",
    "data.split",
    "train.metrics",
    "train.seed",
    "train.out",
    "train.dev_run",
    "train.overfit_batches",
    "train.callbacks",
];

impl Domain {
    /// How many values there are; none where there is no end of them.
    ///
    /// ```
    /// use mapsto_experiment::tuning::Domain;
    /// assert_eq!((Domain::Int(2, 10, 4).count(), Domain::Log(1e-4, 1e-1).count()), (Some(3), None));
    /// ```
    pub fn count(&self) -> Option<usize> {
        match self {
            Domain::Uniform(..) | Domain::Log(..) => None,
            Domain::Int(low, high, step) => Some(((high - low) / step) as usize + 1),
            Domain::LogInt(low, high) => Some((high - low) as usize + 1),
            Domain::Choice(values) => Some(values.len()),
        }
    }

    /// The value at a place, counted from 0, where they can be counted.
    pub(crate) fn nth(&self, i: usize) -> Option<Setting> {
        if i >= self.count()? {
            return None;
        }
        Some(match self {
            Domain::Int(low, _, step) => Setting::Whole(low + i as i64 * step),
            Domain::LogInt(low, _) => Setting::Whole(low + i as i64),
            _ => Setting::Choice(i),
        })
    }

    /// The ends of the line on which numbers are drawn evenly; whole numbers stand in the middle of a piece of it.
    pub(crate) fn line(&self) -> Option<(f64, f64)> {
        match *self {
            Domain::Uniform(low, high) => Some((low, high)),
            Domain::Log(low, high) => Some((low.ln(), high.ln())),
            Domain::Int(low, high, step) => Some((-0.5, ((high - low) / step) as f64 + 0.5)),
            Domain::LogInt(low, high) => Some(((low as f64 - 0.5).ln(), (high as f64 + 0.5).ln())),
            Domain::Choice(_) => None,
        }
    }

    /// The setting at a place of the line.
    pub(crate) fn at(&self, u: f64) -> Setting {
        match *self {
            Domain::Uniform(low, high) => Setting::Number(u.clamp(low, high)),
            Domain::Log(low, high) => Setting::Number(u.exp().clamp(low, high)),
            Domain::Int(low, high, step) => {
                let most = (high - low) / step;
                Setting::Whole(low + step * (u.round() as i64).clamp(0, most))
            }
            Domain::LogInt(low, high) => Setting::Whole((u.exp().round() as i64).clamp(low, high)),
            Domain::Choice(_) => Setting::Choice(u as usize),
        }
    }

    /// The place of a setting on the line, and the piece of it that gives the same setting, where there is one.
    pub(crate) fn place(&self, setting: Setting) -> (f64, Option<(f64, f64)>) {
        match (self, setting) {
            (Domain::Uniform(..), Setting::Number(x)) => (x, None),
            (Domain::Log(..), Setting::Number(x)) => (x.ln(), None),
            (Domain::Int(low, _, step), Setting::Whole(x)) => {
                let u = ((x - low) / step) as f64;
                (u, Some((u - 0.5, u + 0.5)))
            }
            (Domain::LogInt(..), Setting::Whole(x)) => {
                let x = x as f64;
                (x.ln(), Some(((x - 0.5).ln(), (x + 0.5).ln())))
            }
            (_, Setting::Choice(i)) => (i as f64, None),
            (_, Setting::Number(x)) => (x, None),
            (_, Setting::Whole(x)) => (x as f64, None),
        }
    }

    /// A setting at random.
    pub(crate) fn draw(&self, random: &mut Keyed) -> Setting {
        match (self, self.line()) {
            (Domain::Choice(values), _) => Setting::Choice(random.below(values.len())),
            (_, Some((low, high))) => self.at(random.uniform(low, high)),
            (_, None) => unreachable!("only choices have no line"),
        }
    }
}

impl Range {
    /// A range of a program's own.
    pub fn new(path: impl Into<String>, domain: Domain) -> Range {
        Range { path: path.into(), domain, key: 0..0, nodes: Vec::new() }
    }

    /// The range of a key of `[tune]`.
    pub(crate) fn read(path: String, key: Span<usize>, node: &Node) -> Result<Range> {
        let error = |message: String, span: &Span<usize>| {
            Error::new(ErrorKind::Usage, format!("`{path}`: {message}")).with_span(span.clone())
        };
        if let Some(judge) = JUDGES.iter().find(|judge| is_within(&path, judge)) {
            let message = format!("trials that differ in `{judge}` cannot be compared");
            return Err(error(message, &key).help("leave it as it is in all trials"));
        }
        if !["data.", "model.", "train."].iter().any(|section| path.starts_with(section)) {
            let name = path.rsplit('.').next().unwrap_or_default();
            let e = error("the path of a key begins with data, model or train".to_string(), &key);
            return Err(match section_of(name) {
                Some(section) => e.help(format!("write \"{section}.{name}\"")),
                None => e,
            });
        }
        let (domain, nodes) = match &node.value {
            Tree::List(items) if items.is_empty() => {
                return Err(error("the list of choices is empty".to_string(), &node.span)
                    .help("write what may be chosen: [16, 32, 64]"));
            }
            Tree::List(items) => {
                let values = items.iter().map(Node::to_value).collect::<Result<Vec<Value>>>()?;
                if let Some(i) = (1..values.len()).find(|&i| values[..i].contains(&values[i])) {
                    return Err(error(
                        format!("{} stands twice among the choices", values[i]),
                        &items[i].span,
                    ));
                }
                (Domain::Choice(values), items.clone())
            }
            Tree::Table(members) => interval(members, &node.span).map_err(|e| {
                let span = e.span().unwrap_or(node.span.clone());
                let said = error(e.message().to_string(), &span);
                e.help_text().into_iter().fold(said, |said, help| said.help(help))
            })?,
            _ => {
                return Err(error(
                    format!("a range should be a list or a table, found {}", node.kind()),
                    &node.span,
                )
                .help(HOW));
            }
        };
        Ok(Range { path, domain, key, nodes })
    }

    /// What must work for the range to make sense: both ends, or every choice.
    pub(crate) fn tries(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    /// Where the path begins in the file.
    pub(crate) fn offset(&self) -> usize {
        self.key.start
    }

    /// Where the path stands in the file.
    pub(crate) fn span(&self) -> Span<usize> {
        self.key.clone()
    }

    /// A setting as it would stand in the file.
    pub(crate) fn node(&self, setting: Setting) -> Node {
        let span = match (self.nodes.first(), self.nodes.last()) {
            (Some(first), Some(last)) => first.span.start..last.span.end,
            _ => self.key.clone(),
        };
        match setting {
            Setting::Number(x) => Node { value: Tree::Float(x), span },
            Setting::Whole(i) => Node { value: Tree::Int(i), span },
            Setting::Choice(i) => self.nodes[i].clone(),
        }
    }

    /// A setting as text: all digits of a number, a choice as a file has it.
    pub fn text(&self, setting: Setting) -> String {
        match (setting, &self.domain) {
            (Setting::Choice(i), Domain::Choice(values)) => match &values[i] {
                Value::Str(word) => word.clone(),
                value => value.to_string(),
            },
            (Setting::Choice(i), _) => i.to_string(),
            (Setting::Number(x), _) => Value::Float(x).to_string(),
            (Setting::Whole(i), _) => i.to_string(),
        }
    }

    /// A setting as text that is read at a glance: three digits of a number.
    pub fn brief(&self, setting: Setting) -> String {
        match setting {
            Setting::Number(x) => few(x),
            setting => self.text(setting),
        }
    }

    /// A setting as JSON: a number where it is one.
    pub(crate) fn json(&self, setting: Setting) -> Json {
        match (setting, &self.domain) {
            (Setting::Number(x), _) => Json::Float(x),
            (Setting::Whole(i), _) => Json::Int(i),
            (Setting::Choice(i), Domain::Choice(values)) => match &values[i] {
                Value::Int(i) => Json::Int(*i),
                Value::Float(x) => Json::Float(*x),
                Value::Bool(b) => Json::Bool(*b),
                _ => Json::Str(self.text(setting)),
            },
            (Setting::Choice(i), _) => Json::from(i),
        }
    }
}

const HOW: &str = "write `{ log = [1e-4, 1e-1] }`, `{ uniform = [0.0, 0.5] }`, `{ int = [1, 5] }`, `{ log_int = [8, 512] }`, \
                   or a list of choices, `[16, 32, 64]`";

fn is_within(path: &str, judge: &str) -> bool {
    path.strip_prefix(judge).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The domain of a table such as `{ log = [1e-4, 1e-1] }`.
fn interval(members: &[(Key, Node)], span: &Span<usize>) -> Result<(Domain, Vec<Node>)> {
    const KINDS: [&str; 4] = ["uniform", "log", "int", "log_int"];
    let error =
        |message: String, span: &Span<usize>| Error::new(ErrorKind::Usage, message).with_span(span.clone());
    let Some(((key, ends), options)) = members.split_first() else {
        return Err(error("an empty table is no range".to_string(), span).help(HOW));
    };
    let kind = key.name.as_str();
    if !KINDS.contains(&kind) {
        let help = nearest(kind, KINDS).map_or(HOW.to_string(), |near| format!("did you mean `{near}`?"));
        return Err(error(format!("there is no kind of range `{kind}`"), &key.span).help(help));
    }
    let Tree::List(nodes) = &ends.value else {
        let message = format!("`{kind}` should be a list of two numbers, found {}", ends.kind());
        return Err(error(message, &ends.span).help(HOW));
    };
    let [low, high] = nodes.as_slice() else {
        let message = format!("`{kind}` should have two ends, found {}", nodes.len());
        return Err(error(message, &ends.span).help(
            "write the lowest and the highest value; choices stand in a list without a word before it",
        ));
    };
    let mut step = 1;
    for (option, node) in options {
        match (option.name.as_str(), &node.value) {
            ("step", Tree::Int(by)) if kind == "int" && *by > 0 => step = *by,
            ("step", _) if kind == "int" => {
                return Err(error("`step` should be a whole number of at least 1".to_string(), &node.span));
            }
            (name, _) => {
                let help = if kind == "int" { "`step` is the only one" } else { "it has none" };
                return Err(error(format!("`{kind}` has no option `{name}`"), &option.span).help(help));
            }
        }
    }
    let number = |node: &Node| match node.value {
        Tree::Int(i) => Ok(i as f64),
        Tree::Float(x) if x.is_finite() => Ok(x),
        _ => Err(error(
            format!("an end of `{kind}` should be a finite number, found {}", node.kind()),
            &node.span,
        )),
    };
    let whole = |node: &Node| match node.value {
        Tree::Int(i) => Ok(i),
        _ => Err(error(
            format!("an end of `{kind}` should be a whole number, found {}", node.kind()),
            &node.span,
        )
        .help("`uniform` and `log` take fractions")),
    };
    let (from, to) = (number(low)?, number(high)?);
    if from >= to {
        let message = format!("the lowest value {from} is not below the highest, {to}");
        return Err(error(message, &ends.span).help("write the lowest value first"));
    }
    let is_log = kind.starts_with("log");
    if is_log && from <= 0.0 {
        let message = format!("`{kind}` needs numbers above 0, found {from}");
        return Err(error(message, &low.span).help("take `uniform` or `int`, or begin above 0"));
    }
    let domain = match kind {
        "uniform" => Domain::Uniform(from, to),
        "log" => Domain::Log(from, to),
        _ => {
            let (low, high) = (whole(low)?, whole(high)?);
            // More are as good as continuous, and their count is no longer exact.
            if high.checked_sub(low).is_none_or(|count| count > 1 << 40) {
                return Err(error("the ends are too far apart".to_string(), &ends.span).help("take `log`"));
            }
            if kind == "int" { Domain::Int(low, high, step) } else { Domain::LogInt(low, high) }
        }
    };
    Ok((domain, nodes.clone()))
}

impl Space {
    /// How many combinations there are; none where there is no end of them.
    pub fn count(&self) -> Option<usize> {
        self.ranges.iter().try_fold(1_usize, |n, range| n.checked_mul(range.domain.count()?))
    }

    /// The combination at a place, the last range changing fastest.
    pub(crate) fn nth(&self, mut i: usize) -> Option<Vec<Setting>> {
        let mut settings = Vec::new();
        for range in self.ranges.iter().rev() {
            let n = range.domain.count()?;
            settings.push(range.domain.nth(i % n)?);
            i /= n;
        }
        settings.reverse();
        (i == 0).then_some(settings)
    }

    /// The settings as a JSON object by path.
    pub(crate) fn json(&self, settings: &[Setting]) -> Json {
        let pairs = self.ranges.iter().zip(settings);
        Json::Object(pairs.map(|(range, setting)| (range.path.clone(), range.json(*setting))).collect())
    }
}

/// A number with three digits.
pub fn few(x: f64) -> String {
    let size = x.abs();
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{x:.1e}");
    }
    let digits = if size == 0.0 { 0 } else { (2 - size.log10().floor() as i32).clamp(0, 5) as usize };
    let text = format!("{x:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}
