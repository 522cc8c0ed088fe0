//! Predicted against true numbers, and how far they are off, as a picture.

use super::{ACCENT, FAINT, GRID, INK, heading, page, text};
use crate::curves::Residuals;
use crate::readable;
use mapsto_tensor::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Draws two clouds of the samples: predicted against true numbers, and residuals against predicted numbers. On the lines a model is right.
///
/// ```
/// use mapsto_train::{curves::Residuals, plots};
/// let found = Residuals::of(&[1.0, 2.0, 3.0], &[1.5, 2.0, 4.0]).unwrap();
/// assert!(plots::residuals("price", &found).unwrap().contains("half of them between 0.2500 and 0.7500"));
/// ```
///
/// # Errors
/// Only if the drawing library fails.
pub fn residuals(name: &str, found: &Residuals) -> Result<String> {
    let [low, high] = [found.quantiles[2], found.quantiles[4]].map(|v| readable(v, 4));
    let [mean, std] = [found.mean, found.std].map(|v| readable(v, 4));
    let below =
        format!("predicted − true: mean {mean}, deviation {std}, half of them between {low} and {high}");
    let predicted: Vec<(f64, f64)> = found.points.clone();
    let off: Vec<(f64, f64)> = found.points.iter().map(|&(t, p)| (p, p - t)).collect();
    page((860, 480), |area| {
        heading(area, &format!("residuals of {name}"), &below)?;
        let plots = area.margin(76, 12, 12, 24).split_evenly((1, 2));
        let both = || predicted.iter().flat_map(|&(t, p)| [t, p]);
        let all = range(both());
        for (plot, points, x, y, line) in [
            (&plots[0], &predicted, "true", "predicted", [(all.0, all.0), (all.1, all.1)]),
            (&plots[1], &off, "predicted", "predicted − true", {
                let x = range(off.iter().map(|p| p.0));
                [(x.0, 0.0), (x.1, 0.0)]
            }),
        ] {
            let is_first = y == "predicted";
            let (xs, ys) = match is_first {
                true => (all, all),
                false => (range(points.iter().map(|p| p.0)), range(points.iter().map(|p| p.1).chain([0.0]))),
            };
            let mut chart = ChartBuilder::on(plot)
                .x_label_area_size(48)
                .y_label_area_size(84)
                .build_cartesian_2d(xs.0..xs.1, ys.0..ys.1)?;
            chart
                .configure_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(GRID)
                .axis_style(FAINT)
                .label_style(text(12, FAINT, HPos::Left, VPos::Top))
                .x_labels(5)
                .y_labels(6)
                .x_label_formatter(&|v| label(*v))
                .y_label_formatter(&|v| label(*v))
                .x_desc(x)
                .y_desc(y)
                .axis_desc_style(text(13, INK, HPos::Left, VPos::Top))
                .draw()?;
            chart.draw_series(LineSeries::new(line, FAINT))?;
            chart.draw_series(points.iter().map(|&at| Circle::new(at, 2, ACCENT.mix(0.55).filled())))?;
        }
        Ok(())
    })
}

/// A number without the zeros at its end.
fn label(v: f64) -> String {
    let text = readable(v, 3);
    match text.contains('.') && !text.contains('e') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// A little more than the values take.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return (0.0, 1.0);
    }
    let margin = if high > low { 0.04 * (high - low) } else { 0.05 * high.abs().max(0.1) };
    (low - margin, high + margin)
}

#[test]
fn what_is_drawn_are_the_points() {
    let truth: Vec<f64> = (0..50).map(|i| f64::from(i * 37 % 50) * 3.0 - 20.0).collect();
    let predicted: Vec<f64> = truth.iter().enumerate().map(|(i, t)| t * 0.9 + (i % 7) as f64).collect();
    let found = Residuals::of(&truth, &predicted).unwrap();
    let svg = residuals("price", &found).unwrap();
    let number = |part: &str, name: &str| -> f64 {
        let rest = part.split(&format!(" {name}=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    };
    let circles: Vec<(f64, f64)> =
        svg.split("<circle").skip(1).map(|part| (number(part, "cx"), number(part, "cy"))).collect();
    assert_eq!(circles.len(), 100, "each sample in both clouds");
    let off: Vec<(f64, f64)> = found.points.iter().map(|&(t, p)| (p, p - t)).collect();
    for (cloud, points) in [(&circles[..50], &found.points), (&circles[50..], &off)] {
        // Two of the samples tell where zero is and how long a unit; all others must lie there too, to a pixel.
        let (a, b) = (
            (0..50).min_by(|&i, &j| points[i].0.total_cmp(&points[j].0)).unwrap(),
            (0..50).max_by(|&i, &j| points[i].0.total_cmp(&points[j].0)).unwrap(),
        );
        let scale = (cloud[b].0 - cloud[a].0) / (points[b].0 - points[a].0);
        for (at, point) in cloud.iter().zip(points) {
            assert!((at.0 - (cloud[a].0 + scale * (point.0 - points[a].0))).abs() < 1.6, "{at:?} {point:?}");
        }
        let (c, d) = (
            (0..50).min_by(|&i, &j| points[i].1.total_cmp(&points[j].1)).unwrap(),
            (0..50).max_by(|&i, &j| points[i].1.total_cmp(&points[j].1)).unwrap(),
        );
        let scale = (cloud[d].1 - cloud[c].1) / (points[d].1 - points[c].1);
        for (at, point) in cloud.iter().zip(points) {
            assert!((at.1 - (cloud[c].1 + scale * (point.1 - points[c].1))).abs() < 1.6, "{at:?} {point:?}");
        }
    }
    let one = Residuals::of(&[2.0], &[2.0]).unwrap();
    assert!(residuals("y", &one).unwrap().starts_with("<svg"));
}
