//! Plots of a run as SVG text: curves, confusion matrix, pictures of samples, first-layer filters.
//!
//! One look throughout: ink on white, one accent a meaning, numbers where there is room, nothing that is not data.

mod confusion;
mod curves;
mod filters;
mod pictures;
mod precision_recall;
mod range_test;
mod reliability;
mod residuals;
mod roc;
mod schedule;
mod unit;

pub use confusion::confusion;
pub use curves::curves;
pub use filters::filters;
pub use pictures::{Picture, misclassified, pictures};
pub use precision_recall::precision_recall;
pub use range_test::range_test;
pub use reliability::reliability;
pub use residuals::residuals;
pub use roc::roc;
pub use schedule::schedule;

use mapsto_tensor::{Error, ErrorKind, Result};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, Pos, VPos};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

const INK: RGBColor = RGBColor(38, 42, 51);
const FAINT: RGBColor = RGBColor(118, 124, 138);
const GRID: RGBColor = RGBColor(232, 234, 239);
/// What the model is judged by.
const ACCENT: RGBColor = RGBColor(20, 99, 196);
/// What goes wrong.
const WRONG: RGBColor = RGBColor(203, 64, 42);

/// Draws on a white page of a size and gives its SVG text.
fn page(size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<String> {
    let mut text = String::new();
    let drawn = (|| {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)?;
        draw(&area)?;
        area.present()?;
        Ok(())
    })();
    drawn.map_err(|e: Box<dyn std::error::Error>| Error::new(ErrorKind::Io, format!("plot: {e}")))?;
    Ok(text)
}

/// Text of a size in pixels; plotters' own sizes are of the line, 1.24 times those of the letters.
fn text(size: i32, color: RGBColor, h: HPos, v: VPos) -> TextStyle<'static> {
    let style = TextStyle::from(("sans-serif", 1.24 * f64::from(size)).into_font()).pos(Pos::new(h, v));
    TextStyle { color: color.to_backend_color(), ..style }
}

/// A heading at the left, and a quieter line below it.
fn heading(area: &Area<'_>, title: &str, below: &str) -> Drawn {
    area.draw_text(title, &text(20, INK, HPos::Left, VPos::Top), (24, 16))?;
    area.draw_text(below, &text(13, FAINT, HPos::Left, VPos::Top), (24, 42))?;
    Ok(())
}

/// The colour a share `t` of the way from `a` to `b`.
fn between(a: RGBColor, b: RGBColor, t: f64) -> RGBColor {
    let mix = |x: u8, y: u8| (f64::from(x) + (f64::from(y) - f64::from(x)) * t.clamp(0.0, 1.0)).round() as u8;
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}
