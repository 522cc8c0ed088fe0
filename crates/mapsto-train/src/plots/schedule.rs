//! The learning rate over the steps of a training.

use super::{ACCENT, FAINT, GRID, INK, heading, page, text};
use mapsto_tensor::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// The most points that a line is drawn of.
const POINTS: usize = 1500;

/// Draws the learning rate of each step, of which `epoch` make an epoch.
///
/// ```
/// use mapsto_train::plots;
/// let svg = plots::schedule(&[0.1, 0.05, 0.025], 1)?;
/// assert!(svg.contains("learning rate") && svg.contains("from 0.1 to 0.025"));
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
///
/// # Errors
/// Only if the drawing library fails.
pub fn schedule(rates: &[f64], epoch: u64) -> Result<String> {
    let (first, last) = (rates.first().copied().unwrap_or(0.0), rates.last().copied().unwrap_or(0.0));
    let most = rates.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let end = rates.len().saturating_sub(1).max(1);
    let every = rates.len().div_ceil(POINTS).max(1);
    let mut points: Vec<(f64, f64)> =
        rates.iter().enumerate().step_by(every).map(|(t, lr)| (t as f64, *lr)).collect();
    points.push((rates.len().saturating_sub(1) as f64, last));
    let below = format!("from {first} to {last}, in {} steps of {epoch} an epoch", rates.len());
    page((760, 460), |area| {
        heading(area, "learning rate", &below)?;
        let plot = area.margin(72, 16, 24, 24);
        let mut chart = ChartBuilder::on(&plot)
            .x_label_area_size(38)
            .y_label_area_size(72)
            .build_cartesian_2d(0.0..end as f64, 0.0..most * 1.05)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(FAINT)
            .label_style(text(12, FAINT, HPos::Left, VPos::Top))
            .x_labels(10)
            .y_labels(7)
            .x_label_formatter(&|t| format!("{t:.0}"))
            .y_label_formatter(&|lr| format!("{lr:.1e}"))
            .x_desc("step")
            .axis_desc_style(text(13, INK, HPos::Left, VPos::Top))
            .draw()?;
        chart.draw_series(LineSeries::new(points.iter().copied(), ACCENT.stroke_width(2)))?;
        Ok(())
    })
}

#[test]
fn it_draws_whatever_it_is_given() {
    for rates in [&[][..], &[0.0], &[0.0; 9], &[1e-30, 1e30]] {
        assert!(schedule(rates, 3).unwrap().starts_with("<svg"));
    }
    assert!(schedule(&vec![0.5; 100_000], 100).unwrap().len() < 60_000);
}
