//! Which cells are measured: few of them that hold all pairs of the five coordinates, or all.
//!
//! Pairs of a case with a dtype, size, layout or pass are all there; the other pairs are there for every two cases that stand
//! side by side in the list.

use super::cases::Case;
use super::cell::{Cell, DTYPES, Layout, Pass, SIZES};
use std::collections::HashSet;

/// All cells of a case.
fn all_of(case: &'static Case) -> Vec<Cell> {
    let mut cells = Vec::new();
    for dtype in 0..DTYPES.len() {
        for size in 0..SIZES.len() {
            for layout in Layout::ALL {
                for pass in [Pass::Forward, Pass::Both] {
                    cells.push(Cell { case, dtype, size, layout, pass });
                }
            }
        }
    }
    cells.retain(Cell::exists);
    cells
}

/// The cells of these cases: all, or the fewest found that hold every pair.
pub fn cells(wanted: impl Fn(&Case) -> bool, full: bool) -> Vec<Cell> {
    let cases: Vec<&'static Case> = super::cases::cases().filter(|case| wanted(case)).collect();
    let all = cases.chunks(2).map(|pair| pair.iter().flat_map(|case| all_of(case)).collect());
    all.enumerate()
        .flat_map(|(i, cells): (_, Vec<Cell>)| if full { cells } else { cover(cells, i) })
        .collect()
}

/// The pairs that a cell holds: of its case with each coordinate, and of the coordinates.
fn pairs(cell: &Cell) -> [(&'static str, usize, usize); 10] {
    let (d, s, l, p) = (cell.dtype, cell.size, cell.layout as usize, cell.pass as usize);
    let case = cell.case.name;
    [
        (case, 0, d),
        (case, 1, s),
        (case, 2, l),
        (case, 3, p),
        ("dtype and size", d, s),
        ("dtype and layout", d, l),
        ("dtype and pass", d, p),
        ("size and layout", s, l),
        ("size and pass", s, p),
        ("layout and pass", l, p),
    ]
}

/// Takes the cell with the most pairs that are new, again and again. `turn` starts at another cell each time, so that ties do
/// not always fall to the same.
fn cover(mut cells: Vec<Cell>, turn: usize) -> Vec<Cell> {
    let mut missing: HashSet<_> = cells.iter().flat_map(pairs).collect();
    if !cells.is_empty() {
        let n = cells.len();
        cells.rotate_left(turn * 7 % n);
    }
    let mut taken = Vec::new();
    while !missing.is_empty() {
        let news = |cell: &Cell| pairs(cell).iter().filter(|pair| missing.contains(*pair)).count();
        let Some(best) = cells.iter().rev().max_by_key(|cell| news(cell)).copied() else { break };
        pairs(&best).iter().for_each(|pair| {
            missing.remove(pair);
        });
        taken.push(best);
    }
    taken.sort_by_key(|cell| cell.case.name);
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_covered_by_far_fewer_cells_than_there_are() {
        let (full, some) = (cells(|_| true, true), cells(|_| true, false));
        let of = |cells: &[Cell]| -> HashSet<_> { cells.iter().flat_map(pairs).collect() };
        assert_eq!(of(&full), of(&some));
        assert!(some.len() < full.len() / 10, "{} of {}", some.len(), full.len());
        println!("{} cells of {}", some.len(), full.len());
    }
}
