//! An operand of a product: which of its panels are packed, and where each is to be found.

use super::lanes::Float;
use super::mat::{Mat, shifted};
use super::pack::{Strip, deal, interleave};
use super::tile::{Cut, Run, Side};

/// One operand of a product: its lanes (A's rows or B's columns) by its steps, and which of its panels are packed.
#[derive(Clone, Copy)]
pub struct Operand<'a, T> {
    lanes: Mat<'a, T>,
    /// How they are cut into panels.
    pub cut: Cut,
    /// Whether they are read where they lie.
    pub in_place: bool,
}

impl<'a, T: Float> Operand<'a, T> {
    /// An operand whose panels are `cut`.
    pub fn new(lanes: Mat<'a, T>, cut: Cut, in_place: bool) -> Self {
        Operand { lanes, cut, in_place }
    }

    /// Some of its lanes.
    pub fn part(&self, at: usize, lanes: usize) -> Self {
        let offset = shifted(self.lanes.offset, at, self.lanes.row_stride);
        Operand { lanes: Mat { rows: lanes, offset, ..self.lanes }, cut: Cut { lanes, ..self.cut }, ..*self }
    }

    /// The panels that are packed: all of them, or of B in place the last if lanes are missing in it. (A's last panel in
    /// place is filled from the rows before it.)
    pub fn packed_panels(&self) -> std::ops::Range<usize> {
        let panels = self.cut.panels();
        let whole = self.cut.lanes == self.cut.padded() || self.cut.unit == self.cut.wide;
        (if !self.in_place {
            0
        } else if whole {
            panels
        } else {
            panels - 1
        })..panels
    }

    /// Where panel `p` begins among the packed lanes.
    pub fn place(&self, p: usize) -> usize {
        self.cut.start(p) - self.cut.start(self.packed_panels().start)
    }

    /// The number of packed lanes.
    pub fn packed(&self) -> usize {
        self.place(self.cut.panels())
    }

    /// Packs some of its panels, for some of its steps, one after the other.
    pub fn pack(&self, to: &mut [T], panels: std::ops::Range<usize>, steps: std::ops::Range<usize>) {
        let Mat { data, row_stride: lane, col_stride: step, .. } = self.lanes;
        let strip = |at| Strip { data, start: self.lanes.index(at, steps.start), lane, step };
        let first = self.cut.start(panels.start);
        let end = self.cut.start(panels.end).min(self.cut.lanes);
        if lane == 1 && self.cut.unit == self.cut.wide && first < end {
            return deal(to, self.cut.wide, end - first, steps.len(), strip(first));
        }
        for p in panels {
            let (at, width) = (self.cut.start(p), self.cut.start(p + 1) - self.cut.start(p));
            let panel = &mut to[(at - first) * steps.len()..][..width * steps.len()];
            interleave(panel, width, width.min(self.cut.lanes - at), steps.len(), strip(at));
        }
    }

    /// The steps from `step`, of which the packed lanes are in `packed`.
    pub fn side<'p>(&self, packed: &'p [T], step: usize) -> Side<'p, T> {
        let start = self.lanes.data.as_ptr().wrapping_offset(self.lanes.index(0, step));
        Side {
            direct: Run { start, lane: self.lanes.row_stride, step: self.lanes.col_stride },
            packed_from: self.cut.start(self.packed_panels().start),
            packed,
        }
    }
}

/// Whether B is better read in place than packed: where few rows pass over it, and each register of it is one cache line.
pub fn b_stays<T>(b: Mat<T>, m: usize, lanes: usize) -> bool {
    let line = lanes * size_of::<T>();
    let aligned = b.data.as_ptr().wrapping_add(b.offset).addr().is_multiple_of(line)
        && (b.row_stride as usize).wrapping_mul(size_of::<T>()).is_multiple_of(line);
    b.col_stride == 1 && (m <= 16 || aligned && m <= B_IN_PLACE)
}

/// Rows up to which B, if its rows are dense and aligned, is read in place.
const B_IN_PLACE: usize = 128;
