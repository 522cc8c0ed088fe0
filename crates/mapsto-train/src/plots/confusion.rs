//! The confusion matrix as a picture: what is right in one colour, what goes wrong in another.

use super::{ACCENT, FAINT, INK, WRONG, between, heading, page, text};
use crate::metrics::ConfusionMatrix;
use mapsto_tensor::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Draws each class's samples (rows) by the class they were given (columns), coloured by their share of the row.
///
/// Mistakes are coloured by the square root of their share, so that 1 % can still be seen. Numbers are written where
/// there are at most 20 classes.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::{metrics::{ConfusionMatrix, Decision}, plots};
/// let mut matrix = ConfusionMatrix::new(2).named(&["cat".into(), "dog".into()]);
/// matrix.add(Decision::Argmax, &tensor![[1.0, 0.0], [1.0, 0.0]], &tensor![0, 1]).unwrap();
/// assert!(plots::confusion(&matrix).unwrap().contains("1 of 2 right (50.00 %)"));
/// ```
///
/// # Errors
/// Only if the drawing library fails.
pub fn confusion(matrix: &ConfusionMatrix) -> Result<String> {
    let k = matrix.classes();
    let cell = match k {
        0..=12 => 48,
        13..=20 => 36,
        _ => (720 / k as i32).max(1),
    };
    let longest = matrix.names().iter().map(|n| n.chars().count()).max().unwrap_or(1).min(16) as i32;
    let (left, top) = (56 + 8 * longest, 112);
    let side = cell * k as i32;
    let size = ((left + side + 32).max(360) as u32, (top + side + 56) as u32);
    let right: u64 = (0..k).map(|c| matrix.get(c, c)).sum();
    let below = format!("{right} of {} right ({:.2} %)", matrix.samples(), 100.0 * matrix.accuracy());
    page(size, |area| {
        heading(area, "confusion matrix", &below)?;
        area.draw_text("true class", &text(13, INK, HPos::Left, VPos::Bottom), (24, top - 8))?;
        let middle = left + side / 2;
        area.draw_text(
            "predicted class",
            &text(13, INK, HPos::Center, VPos::Top),
            (middle, top + side + 30),
        )?;
        // Names of many classes would overlap: every so many are written.
        let every = (16 / cell.max(1)).max(1) as usize;
        for a in 0..k {
            let samples: u64 = (0..k).map(|p| matrix.get(a, p)).sum();
            let y = top + a as i32 * cell;
            if a % every == 0 {
                let name: String = matrix.names()[a].chars().take(16).collect();
                area.draw_text(&name, &text(12, FAINT, HPos::Right, VPos::Center), (left - 8, y + cell / 2))?;
                let column: String = name.chars().take((cell / 7).max(1) as usize).collect();
                let x = left + a as i32 * cell + cell / 2;
                area.draw_text(&column, &text(12, FAINT, HPos::Center, VPos::Top), (x, top + side + 8))?;
            }
            for p in 0..k {
                let n = matrix.get(a, p);
                let share = n as f64 / samples.max(1) as f64;
                let (hue, depth) = if a == p { (ACCENT, share) } else { (WRONG, share.sqrt()) };
                let color =
                    if n == 0 { RGBColor(247, 248, 250) } else { between(WHITE, hue, 0.12 + 0.88 * depth) };
                let x = left + p as i32 * cell;
                let gap = i32::from(cell > 8);
                area.draw(&Rectangle::new([(x, y), (x + cell - gap, y + cell - gap)], color.filled()))?;
                if k <= 20 && n > 0 {
                    let ink = if depth > 0.55 { WHITE } else { INK };
                    let style = text(if n < 10_000 { 13 } else { 10 }, ink, HPos::Center, VPos::Center);
                    area.draw_text(&n.to_string(), &style, (x + cell / 2, y + cell / 2))?;
                }
            }
        }
        Ok(())
    })
}

#[test]
fn any_number_of_classes_is_drawn() {
    for k in [1, 2, 10, 20, 21, 300] {
        let svg = confusion(&ConfusionMatrix::new(k)).unwrap();
        assert!(svg.contains("predicted class"), "{k} classes");
    }
}
