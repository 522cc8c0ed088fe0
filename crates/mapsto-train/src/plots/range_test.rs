//! The loss over the learning rate, as a range test finds it.

use super::{ACCENT, FAINT, GRID, INK, WRONG, heading, page, text};
use mapsto_tensor::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Draws the smoothed loss over the rates, on an axis of their logarithms, those of the steps behind it, and the rates that are
/// suggested, each with what it is called.
///
/// ```
/// use mapsto_train::plots;
/// let svg = plots::range_test(&[0.001, 0.01, 0.1], &[2.0, 1.0, 3.0], &[2.0, 1.5, 2.0], &[("valley", 0.01)])?;
/// assert!(svg.contains("valley 1.0e-2") && svg.contains("learning rate"));
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
///
/// # Errors
/// Only if the drawing library fails.
pub fn range_test(rates: &[f64], losses: &[f64], smoothed: &[f64], marks: &[(&str, f64)]) -> Result<String> {
    let x = |rate: f64| rate.max(f64::MIN_POSITIVE).log10();
    let (left, right) = match (rates.first(), rates.last()) {
        (Some(a), Some(b)) if b > a => (x(*a), x(*b)),
        (Some(a), _) => (x(*a) - 0.5, x(*a) + 0.5),
        _ => (-1.0, 0.0),
    };
    let finite = || smoothed.iter().copied().filter(|v| v.is_finite());
    let first = finite().next().unwrap_or(1.0);
    let (least, most) = finite().fold((first, first), |(a, b), v| (a.min(v), b.max(v)));
    // What the rising end costs in height would flatten the fall, which is what is looked for.
    let unit = (first - least).max(1e-3 * first.abs()).max(f64::MIN_POSITIVE);
    let (low, high) = (least - 0.15 * unit, most.min(first + unit) + 0.15 * unit);
    let points = |values: &[f64]| -> Vec<(f64, f64)> {
        let pairs = rates.iter().zip(values).filter(|(_, v)| v.is_finite());
        pairs.map(|(&rate, &v)| (x(rate), v.clamp(low, high))).collect()
    };
    let below = format!("smoothed, and that of each of {} steps", rates.len());
    page((760, 460), |area| {
        heading(area, "loss over the learning rate", &below)?;
        let plot = area.margin(72, 16, 24, 24);
        let mut chart = ChartBuilder::on(&plot)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(left..right, low..high)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(FAINT)
            .label_style(text(12, FAINT, HPos::Left, VPos::Top))
            .x_labels(10)
            .y_labels(7)
            .x_label_formatter(&|t| format!("{:.0e}", 10f64.powf(*t)))
            .y_label_formatter(&|loss| crate::readable(*loss, 3))
            .x_desc("learning rate")
            .axis_desc_style(text(13, INK, HPos::Left, VPos::Top))
            .draw()?;
        chart.draw_series(LineSeries::new(points(losses), GRID.stroke_width(2)))?;
        chart.draw_series(LineSeries::new(points(smoothed), ACCENT.stroke_width(2)))?;
        for (i, (name, rate)) in marks.iter().enumerate() {
            let color = [WRONG, FAINT][i % 2];
            let ends = [(x(*rate), low), (x(*rate), high)];
            chart.draw_series(LineSeries::new(ends, color.stroke_width(1)))?;
            // One below the other, and to the side where there is room.
            let (at, side) = match x(*rate) > (left + right) / 2.0 {
                true => (-6, HPos::Right),
                false => (6, HPos::Left),
            };
            let (px, py) = chart.backend_coord(&(x(*rate), low));
            let label = format!("{name} {rate:.1e}");
            area.draw_text(&label, &text(12, color, side, VPos::Top), (px + at, py - 20 * (i as i32 + 1)))?;
        }
        Ok(())
    })
}

#[test]
fn it_draws_whatever_it_is_given() {
    for losses in [&[][..], &[1.0], &[0.0; 9], &[1e-30, f64::NAN, 1e30], &[-5.0, -6.0, f64::INFINITY]] {
        let rates: Vec<f64> = (0..losses.len()).map(|i| 1e-7 * 2f64.powi(i as i32)).collect();
        let svg = range_test(&rates, losses, losses, &[("valley", 1e-7), ("steepest", 1e-6)]).unwrap();
        assert!(svg.starts_with("<svg") && !svg.contains("NaN"), "{losses:?}");
    }
}
