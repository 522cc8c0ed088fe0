//! Curves between 0 and 1 in a square, with the diagonal and the names beside it: what plots of shares have in common.

use super::{FAINT, GRID, INK, heading, page, text};
use mapsto_tensor::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// A curve, what it is called, and how it is marked.
pub(super) struct Curve {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
    /// The radius of a circle around each point; none where there is no mark.
    pub(super) marks: Vec<i32>,
}

/// What a plot of shares says around its curves.
pub(super) struct Words<'a> {
    pub(super) title: &'a str,
    pub(super) below: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    /// Whether the diagonal from the lower left to the upper right means something: chance, or honesty.
    pub(super) has_diagonal: bool,
}

/// As many curves can be told apart.
pub(super) const MOST: usize = 10;

const COLORS: [RGBColor; MOST] = [
    RGBColor(20, 99, 196),
    RGBColor(203, 64, 42),
    RGBColor(32, 135, 84),
    RGBColor(140, 86, 190),
    RGBColor(200, 130, 10),
    RGBColor(14, 148, 160),
    RGBColor(196, 60, 130),
    RGBColor(104, 112, 30),
    RGBColor(96, 80, 70),
    RGBColor(118, 124, 138),
];

/// Draws the frame from (0, 0) to (1, 1), the diagonal and then each curve: lines in this order.
pub(super) fn unit(words: &Words<'_>, curves: &[Curve]) -> Result<String> {
    const SIDE: u32 = 420;
    let longest = curves.iter().map(|curve| curve.name.chars().count()).max().unwrap_or(0).min(40) as u32;
    let (left, top) = (84, 76);
    let width = left + SIDE + 40 + (7 * longest).max(60);
    page((width.max(560), top + SIDE + 56), |area| {
        heading(area, words.title, words.below)?;
        let plot = area.margin(top, 0, 24, width.max(560) - left - SIDE);
        let mut chart = ChartBuilder::on(&plot)
            .x_label_area_size(56)
            .y_label_area_size(left - 24)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(FAINT)
            .label_style(text(12, FAINT, HPos::Left, VPos::Top))
            .x_labels(6)
            .y_labels(6)
            .x_desc(words.x)
            .y_desc(words.y)
            .axis_desc_style(text(13, INK, HPos::Left, VPos::Top))
            .draw()?;
        let frame = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)];
        chart.draw_series(LineSeries::new(frame, GRID))?;
        if words.has_diagonal {
            chart.draw_series(LineSeries::new([(0.0, 0.0), (1.0, 1.0)], FAINT))?;
        }
        for (i, curve) in curves.iter().enumerate() {
            let color = COLORS[i % MOST];
            chart.draw_series(LineSeries::new(curve.points.iter().copied(), color.stroke_width(2)))?;
            let marks = curve.points.iter().zip(&curve.marks);
            chart.draw_series(marks.map(|(&at, &radius)| Circle::new(at, radius, color.filled())))?;
            if curves.len() > 1 {
                let (x, y) = ((left + SIDE + 16) as i32, top as i32 + 20 * i as i32);
                area.draw(&Rectangle::new([(x, y + 3), (x + 12, y + 11)], color.filled()))?;
                let name: String = curve.name.chars().take(40).collect();
                area.draw_text(&name, &text(12, INK, HPos::Left, VPos::Top), (x + 18, y))?;
            }
        }
        Ok(())
    })
}

/// The points of each line of a plot of shares, read from its text: the frame says where 0 and 1 are.
#[cfg(test)]
pub(super) fn lines_of(svg: &str) -> Vec<Vec<(f64, f64)>> {
    let parts = svg.split("<polyline").skip(1);
    let lines = parts.map(|part| {
        let points = part.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let pair = |pair: &str| {
            let (x, y) = pair.split_once(',').unwrap();
            (x.parse::<f64>().unwrap(), y.parse::<f64>().unwrap())
        };
        points.split_whitespace().map(pair).collect::<Vec<_>>()
    });
    let lines: Vec<Vec<(f64, f64)>> = lines.collect();
    let frame = lines.iter().position(|line| line.len() == 5 && line[0] == line[4]).unwrap();
    let ((left, bottom), (right, top)) = (lines[frame][0], lines[frame][2]);
    let unit = |&(x, y): &(f64, f64)| ((x - left) / (right - left), (bottom - y) / (bottom - top));
    lines[frame + 1..].iter().map(|line| line.iter().map(unit).collect()).collect()
}

/// Whether a line that was drawn has the points that it should, to a pixel.
#[cfg(test)]
#[track_caller]
pub(super) fn check_drawn(line: &[(f64, f64)], points: &[(f64, f64)]) {
    assert_eq!(line.len(), points.len());
    for ((a, b), (x, y)) in line.iter().zip(points) {
        assert!((a - x).abs() < 1.01 / 360.0 && (b - y).abs() < 1.01 / 360.0, "({a}, {b}) is not ({x}, {y})");
    }
}
