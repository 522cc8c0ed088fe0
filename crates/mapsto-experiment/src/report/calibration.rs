//! How sure the model is beside how often it is right.

use std::fmt::Write as _;

use mapsto::Result;

use super::chart::{HEIGHT, WIDTH, open};
use super::html::{grouped, prose, table};
use super::{Facts, Section};

const TOP: f64 = 12.0;
const BOTTOM: f64 = HEIGHT - 40.0;
const LEFT: f64 = 52.0;
const BINS: usize = 10;

/// Samples of about the same probability.
#[derive(Clone, Copy, Default)]
struct Bin {
    samples: usize,
    right: usize,
    sure: f64,
}

/// The section.
pub fn section(facts: &Facts<'_>) -> Result<Option<Section>> {
    let Some((_, predictions)) = facts.test else { return Ok(None) };
    let Some(rows) = predictions.classified(facts.experiment.outputs()) else { return Ok(None) };
    let mut bins = [Bin::default(); BINS];
    let mut all = 0;
    for row in rows.iter().filter(|row| row.confidence.is_finite()) {
        // Intervals are closed above, as in Guo et al. (2017).
        let bin = &mut bins[((row.confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1];
        bin.samples += 1;
        bin.right += usize::from(row.actual == row.predicted);
        bin.sure += row.confidence;
        all += 1;
    }
    if all == 0 {
        return Ok(None);
    }
    let error: f64 = bins.iter().map(|b| (b.right as f64 - b.sure).abs()).sum::<f64>() / all as f64;
    let (right, sure) =
        (bins.iter().map(|b| b.right).sum::<usize>() as f64, bins.iter().map(|b| b.sure).sum::<f64>());
    let lean = (sure - right) / all as f64;
    let words = match lean {
        l if l.abs() < 0.01 => "On the whole it is as sure as it should be.".to_string(),
        l if l > 0.0 => format!(
            "On the whole it is surer than it should be, by {:.1} percentage points: `mapsto eval` fits a temperature that mends this.",
            100.0 * l
        ),
        l => {
            format!("On the whole it is less sure than it could be, by {:.1} percentage points.", -100.0 * l)
        }
    };
    let row = |(i, b): (usize, &Bin)| {
        let share = |v: f64| format!("{:.1} %", 100.0 * v / b.samples.max(1) as f64);
        vec![
            format!("{} to {} %", 10 * i, 10 * i + 10),
            grouped(b.samples as u64),
            share(b.sure),
            share(b.right as f64),
        ]
    };
    let listed: Vec<_> = bins.iter().enumerate().filter(|(_, b)| b.samples > 0).map(row).collect();
    let head = [("how sure", false), ("samples", true), ("sure on average", true), ("right", true)];
    let html = format!(
        "<p>When the model says it is 80 % sure, it should be right 8 times in 10. The expected calibration error is {:.2} percentage points. {}</p>\n\
         <div class=\"charts\">\n<figure><h3>right by how sure</h3><ul class=\"key\"><li class=\"kb\"><i></i>right</li><li class=\"kg\"><i></i>how far off</li>\
         <li class=\"kd\"><i></i>as it should be</li></ul>{}<figcaption>Bars are as wide as the probabilities they stand for.</figcaption></figure>\n\
         <figure><h3>the same in numbers</h3>{}</figure>\n</div>\n",
        100.0 * error,
        prose(&words),
        drawing(&bins),
        table("calibration in numbers", &head, &listed)
    );
    Ok(Some(Section { id: "calibration", title: "How sure it is", html }))
}

fn drawing(bins: &[Bin; BINS]) -> String {
    let right = WIDTH - 18.0;
    let px = |v: f64| LEFT + v * (right - LEFT);
    let py = |v: f64| BOTTOM - v * (BOTTOM - TOP);
    let mut svg = open("share of right answers by how sure the model is");
    for i in 0..=5 {
        let (v, label) = (f64::from(i) / 5.0, format!("{} %", 20 * i));
        _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            LEFT - 6.0,
            py(v) + 4.0,
            px(v),
            BOTTOM + 18.0,
            y = py(v),
        );
    }
    for (i, b) in bins.iter().enumerate().filter(|(_, b)| b.samples > 0) {
        let (share, sure) = (b.right as f64 / b.samples as f64, b.sure / b.samples as f64);
        let (x, width) = (px(i as f64 / 10.0) + 1.0, px(0.1) - px(0.0) - 2.0);
        _ = write!(
            svg,
            "<rect class=\"bar\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\"/>",
            py(share),
            BOTTOM - py(share)
        );
        let (top, bottom) = (py(share.max(sure)), py(share.min(sure)));
        _ = write!(
            svg,
            "<rect class=\"gap\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\"/>",
            bottom - top
        );
    }
    _ = write!(
        svg,
        "<line class=\"ideal\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/><line class=\"axis\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{BOTTOM}\" y2=\"{BOTTOM}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">how sure the model is</text></svg>",
        px(0.0),
        py(0.0),
        px(1.0),
        py(1.0),
        (LEFT + right) / 2.0,
        HEIGHT - 4.0
    );
    svg
}
