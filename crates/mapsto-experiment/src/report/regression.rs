//! Numbers beside the truth: how far off they are, and where.

use std::fmt::Write as _;

use mapsto::training::Outputs;
use mapsto::{DType, Result};

use super::chart::{HEIGHT, Scale, WIDTH, open};
use super::html::{counted, number, table, text};
use super::{Facts, Section};

const TOP: f64 = 12.0;
const BOTTOM: f64 = HEIGHT - 40.0;
/// So many targets are drawn, and so many points of each.
const MOST: usize = 4;
const POINTS: usize = 1200;

/// The section.
pub fn section(facts: &Facts<'_>) -> Result<Option<Section>> {
    let Some((_, predictions)) = facts.test else { return Ok(None) };
    let (y, target) = (&predictions.y, &predictions.target);
    let is_numbers = facts.experiment.outputs() == Outputs::Values
        && target.dtype().is_float()
        && y.shape() == target.shape();
    let n = predictions.indices.len();
    let width = y.len() / n.max(1);
    // What has a shape of its own, as the pictures of an autoencoder have, is no list of numbers.
    if !is_numbers
        || y.rank() > 2
        || width == 0
        || width > 64
        || facts.picture().is_some_and(|[c, h, w]| c * h * w == width)
    {
        return Ok(None);
    }
    let (y, target) = (y.to(DType::F64).to_vec::<f64>(), target.to(DType::F64).to_vec::<f64>());
    let info = &facts.experiment.info;
    let name = |i: usize| match info.targets.get(i) {
        Some(name) => crate::plain(name),
        None if width == 1 => "target".to_string(),
        None => format!("target {i}"),
    };
    let of = |i: usize| -> Vec<(f64, f64)> {
        let pairs =
            target.iter().skip(i).step_by(width).copied().zip(y.iter().skip(i).step_by(width).copied());
        pairs.filter(|(t, y)| t.is_finite() && y.is_finite()).collect()
    };
    let mut rows = Vec::new();
    let mut figures = String::new();
    for i in 0..width {
        let pairs = of(i);
        let Some(sizes) = Sizes::of(&pairs) else { continue };
        rows.push(vec![
            text(&name(i)),
            number(sizes.mae),
            number(sizes.rmse),
            format!("{:.4}", sizes.r2),
            number(sizes.bias),
        ]);
        if i < MOST {
            figures += &scatter(&name(i), &pairs);
            figures += &residuals(&name(i), &pairs);
        }
    }
    if rows.is_empty() {
        return Ok(None);
    }
    let head = [
        ("target", false),
        ("mean error", true),
        ("RMSE", true),
        ("R²", true),
        ("mean of predicted − true", true),
    ];
    let html =
        format!("{}<div class=\"charts\">\n{figures}</div>\n", table("errors of each target", &head, &rows));
    Ok(Some(Section { id: "errors", title: "Predicted and true", html }))
}

/// How far off numbers are.
struct Sizes {
    mae: f64,
    rmse: f64,
    r2: f64,
    bias: f64,
}

impl Sizes {
    fn of(pairs: &[(f64, f64)]) -> Option<Sizes> {
        let n = pairs.len() as f64;
        let mean = |f: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(f).sum::<f64>() / n;
        let centre = mean(&|p| p.0);
        let (error, spread) = (mean(&|p| (p.1 - p.0).powi(2)), mean(&|p| (p.0 - centre).powi(2)));
        (!pairs.is_empty()).then(|| Sizes {
            mae: mean(&|p| (p.1 - p.0).abs()),
            rmse: error.sqrt(),
            r2: if spread > 0.0 { 1.0 - error / spread } else { f64::NAN },
            bias: mean(&|p| p.1 - p.0),
        })
    }
}

/// The axes of a drawing with their numbers.
fn axes(called: &str, x: &Scale, y: &Scale, under: &str) -> (String, f64) {
    let labels: Vec<String> = y.ticks.iter().map(|t| y.label(*t)).collect();
    let left = 10.0 + 7.2 * labels.iter().map(|l| l.chars().count()).max().unwrap_or(1) as f64;
    let right = WIDTH - 14.0;
    let mut svg = open(called);
    for (tick, label) in y.ticks.iter().zip(&labels) {
        let at = BOTTOM - y.share(*tick) * (BOTTOM - TOP);
        _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            at + 4.0,
            text(label)
        );
    }
    let mut free = f64::NEG_INFINITY;
    for tick in &x.ticks {
        let label = x.label(*tick);
        let half = 3.7 * label.chars().count() as f64;
        let at = left + x.share(*tick) * (right - left);
        if at - half < free || at + half > WIDTH {
            continue;
        }
        free = at + half + 8.0;
        _ = write!(
            svg,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            BOTTOM + 18.0,
            text(&label)
        );
    }
    _ = write!(
        svg,
        "<line class=\"axis\" x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{BOTTOM}\" y2=\"{BOTTOM}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
        (left + right) / 2.0,
        HEIGHT - 4.0,
        text(under)
    );
    (svg, left)
}

fn scatter(name: &str, pairs: &[(f64, f64)]) -> String {
    let all = || pairs.iter().flat_map(|p| [p.0, p.1]);
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let scale = Scale::of(low, high, false);
    let (mut svg, left) = axes(&format!("{name}: predicted by true"), &scale, &scale, "true");
    let right = WIDTH - 14.0;
    let px = |v: f64| left + scale.share(v) * (right - left);
    let py = |v: f64| BOTTOM - scale.share(v) * (BOTTOM - TOP);
    let step = pairs.len().div_ceil(POINTS).max(1);
    _ = write!(
        svg,
        "<line class=\"ideal\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
        px(low),
        py(low),
        px(high),
        py(high)
    );
    for (t, y) in pairs.iter().step_by(step) {
        _ = write!(svg, "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>", px(*t), py(*y));
    }
    let shown = pairs.len().div_ceil(step);
    let of = if step > 1 {
        format!("{shown} of {}", counted(pairs.len(), "sample"))
    } else {
        counted(shown, "sample")
    };
    format!(
        "<figure><h3>{}: predicted</h3>{svg}</svg><figcaption>{of}; on the dashed line a prediction is right.</figcaption></figure>\n",
        text(name)
    )
}

fn residuals(name: &str, pairs: &[(f64, f64)]) -> String {
    let mut off: Vec<f64> = pairs.iter().map(|p| p.1 - p.0).collect();
    off.sort_by(f64::total_cmp);
    // What is far outside would press all others into one bar.
    let at = |share: f64| off[((off.len() - 1) as f64 * share).round() as usize];
    let (low, high) = (at(0.005), at(0.995));
    let (low, high) = if high > low { (low, high) } else { (low - 0.5, low + 0.5) };
    let bins = ((off.len() as f64).sqrt() as usize).clamp(6, 30);
    let mut counts = vec![0usize; bins];
    let inside = off.iter().filter(|v| (low..=high).contains(*v));
    inside.for_each(|v| counts[(((v - low) / (high - low) * bins as f64) as usize).min(bins - 1)] += 1);
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let (x, y) = (Scale::of(low, high, false), Scale::of(0.0, most as f64, false));
    let (mut svg, left) = axes(&format!("{name}: how far off"), &x, &y, "predicted − true");
    let right = WIDTH - 14.0;
    let px = |v: f64| left + x.share(v) * (right - left);
    let py = |v: f64| BOTTOM - y.share(v) * (BOTTOM - TOP);
    let base = py(0.0);
    for (i, n) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
        let edge = |i: usize| px(low + (high - low) * i as f64 / bins as f64);
        let (from, to, top) = (edge(i), edge(i + 1), py(*n as f64));
        _ = write!(
            svg,
            "<rect class=\"bar\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            from + 0.5,
            (to - from - 1.0).max(0.5),
            base - top
        );
    }
    let outside = off.len() - counts.iter().sum::<usize>();
    let rest =
        if outside > 0 { format!("; {} lie outside", counted(outside, "sample")) } else { String::new() };
    format!(
        "<figure><h3>{}: how far off</h3>{svg}</svg><figcaption>Samples by error{rest}.</figcaption></figure>\n",
        text(name)
    )
}

#[test]
fn sizes_of_errors_are_those_of_the_textbook() {
    // scikit-learn's example of r2_score: 0.9486081370449679, mean_absolute_error 0.5, mean_squared_error 0.375.
    let pairs = [(3.0, 2.5), (-0.5, 0.0), (2.0, 2.0), (7.0, 8.0)];
    let found = Sizes::of(&pairs).unwrap();
    assert!((found.r2 - 0.948_608_137_044_967_9).abs() < 1e-12);
    assert_eq!((found.mae, found.rmse, found.bias), (0.5, 0.375_f64.sqrt(), 0.25));
    assert!(Sizes::of(&[]).is_none());
    for pairs in [vec![(1.0, 1.0)], vec![(0.0, 0.0); 3], vec![(1e300, -1e300), (0.0, 1.0)]] {
        let drawn = scatter("t", &pairs) + &residuals("t", &pairs);
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
    }
}
