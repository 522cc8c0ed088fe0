//! A column of the history over the epochs, in training and in validation.

use super::{ACCENT, FAINT, GRID, INK, heading, page, text};
use crate::history::History;
use crate::metrics::{Better, better_of};
use mapsto_tensor::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Draws `column` (training, dashed) and `val column` (validation), the best epoch marked.
///
/// Best is the lowest for a loss or error and the highest for anything else ([`better_of`]). Values that are not finite leave a gap.
///
/// ```
/// use mapsto_train::{History, Row, plots};
/// let row = |epoch: usize, a: f64| Row {
///     epoch, step: 0, lr: 0.1, seconds: 1.0, samples_per_second: 1.0, waiting: 0.0,
///     values: vec![("accuracy".into(), a), ("val accuracy".into(), a - 0.01)],
/// };
/// let history = History { rows: vec![row(1, 0.90), row(2, 0.97), row(3, 0.96)], ..History::default() };
/// let svg = plots::curves(&history, "accuracy").unwrap();
/// assert!(svg.contains("best validation 0.9600 in epoch 2"));
/// ```
///
/// # Errors
/// Only if the drawing library fails.
pub fn curves(history: &History, column: &str) -> Result<String> {
    let val = format!("val {column}");
    let finite = |name: &str| -> Vec<(i32, f64)> {
        let points = history.column(name).into_iter().filter(|(_, v)| v.is_finite());
        points.map(|(e, v)| (e as i32, v)).collect()
    };
    let (train_points, val_points) = (finite(column), finite(&val));
    let lower = better_of(column) == Better::Lower;
    let (judged, word) = if val_points.is_empty() { (column, "training") } else { (&*val, "validation") };
    let best = if lower { history.min(judged) } else { history.max(judged) }.filter(|(_, v)| v.is_finite());
    let below = match best {
        Some((epoch, v)) => format!("best {word} {} in epoch {epoch}", short(v)),
        None => "no finite value".into(),
    };
    let last = history.rows.last().map_or(1, |r| r.epoch as i32);
    let first = history.rows.first().map_or(0, |r| r.epoch as i32).min(last - 1);
    let (low, high) = range(train_points.iter().chain(&val_points).map(|p| p.1));
    page((760, 460), |area| {
        heading(area, column, &below)?;
        let plot = area.margin(72, 16, 24, 112);
        let mut chart = ChartBuilder::on(&plot)
            .x_label_area_size(38)
            .y_label_area_size(56)
            .build_cartesian_2d(first..last, low..high)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(FAINT)
            .label_style(text(12, FAINT, HPos::Left, VPos::Top))
            .x_labels(12)
            .y_labels(7)
            .y_label_formatter(&|v| label(*v))
            .x_desc("epoch")
            .axis_desc_style(text(13, INK, HPos::Left, VPos::Top))
            .draw()?;
        let lines = [(&train_points, FAINT, "training"), (&val_points, ACCENT, "validation")];
        let mut lowest_label = i32::MIN;
        for (points, color, name) in lines.into_iter().rev() {
            let Some(end) = points.last() else { continue };
            match name {
                "training" => chart.draw_series(DashedLineSeries::new(
                    points.iter().copied(),
                    6,
                    4,
                    color.stroke_width(2),
                ))?,
                _ => chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?,
            };
            if points.len() == 1 {
                chart.draw_series([Circle::new(*end, 3, color.filled())])?;
            }
            // Each line is named at its end, where the eye is; two names keep apart.
            let (x, y) = chart.backend_coord(end);
            let y = if lowest_label != i32::MIN && (y - lowest_label).abs() < 16 {
                if y >= lowest_label { lowest_label + 16 } else { lowest_label - 16 }
            } else {
                y
            };
            lowest_label = y;
            area.draw_text(name, &text(13, color, HPos::Left, VPos::Center), (x + 10, y))?;
        }
        if let Some((epoch, v)) = best {
            let color = if val_points.is_empty() { FAINT } else { ACCENT };
            chart.draw_series([Circle::new((epoch as i32, v), 5, WHITE.filled())])?;
            chart.draw_series([Circle::new((epoch as i32, v), 5, color.stroke_width(2))])?;
        }
        Ok(())
    })
}

/// A little more than the values take.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return (0.0, 1.0);
    }
    let margin = if high > low { 0.06 * (high - low) } else { 0.05 * high.abs().max(0.1) };
    (low - margin, high + margin)
}

fn short(v: f64) -> String {
    if v == 0.0 || (1e-3..1e5).contains(&v.abs()) { format!("{v:.4}") } else { format!("{v:.1e}") }
}

/// As [`short`], without the zeros at the end.
fn label(v: f64) -> String {
    let text = short(v);
    match text.contains(['.']) && !text.contains('e') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Row;

    fn history(values: &[(f64, f64)]) -> History {
        let row = |(i, (train, val)): (usize, &(f64, f64))| Row {
            epoch: i + 1,
            step: 0,
            lr: 0.0,
            values: vec![("loss".into(), *train), ("val loss".into(), *val)],
            seconds: 0.0,
            samples_per_second: 0.0,
            waiting: 0.0,
        };
        History { rows: values.iter().enumerate().map(row).collect(), ..History::default() }
    }

    #[test]
    fn marks_the_lowest_loss() {
        let svg = curves(&history(&[(0.9, 0.8), (0.5, 0.4), (0.2, 0.6)]), "loss").unwrap();
        assert!(svg.contains("best validation 0.4000 in epoch 2"));
        assert!(svg.contains("training") && svg.contains("epoch"));
    }

    #[test]
    fn labels_are_short() {
        assert_eq!(
            [0.6, 0.0, 0.985, 20.0, 1e-7, 1e9].map(label),
            ["0.6", "0", "0.985", "20", "1.0e-7", "1.0e9"]
        );
    }

    #[test]
    fn draws_whatever_it_is_given() {
        for values in [
            &[][..],
            &[(0.5, f64::NAN)],
            &[(f64::INFINITY, f64::NAN)],
            &[(1.0, 1.0), (1.0, 1.0)],
            &[(1e300, -1e300)],
        ] {
            assert!(curves(&history(values), "loss").unwrap().starts_with("<svg"));
        }
    }
}
