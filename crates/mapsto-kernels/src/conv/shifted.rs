//! The convolution kernel: `y[r, q] = Σₖ w[r, k] · planes[offset(k) + q]`, a matrix product whose right operand is read
//! from shifted runs of the planes.

use crate::elements::elements;
use crate::gemm::lanes::{Kernel, Lanes, TILE, dispatch};
use crate::gemm::tile::{prefetch, tile};
use crate::gemm::{Gemm, SERIAL, sizes};
use crate::threads::for_chunks;
use crate::workspace::{Scratch, scratch};
use std::marker::PhantomData;
use std::ops::Range;

/// The offsets of the terms, and which positions of a plane are outputs.
pub struct Shifts<'a, T> {
    offsets: &'a [usize],
    /// Positions from the first output to the last, those between rows included.
    positions: usize,
    /// Outputs of one channel.
    outputs: usize,
    /// For each register of positions: how many outputs come before it, and which of its lanes are outputs.
    before: Scratch<u32>,
    masks: Scratch<u32>,
    high: usize,
    lanes: usize,
    element: PhantomData<T>,
}

/// One run of the kernel.
pub struct Output<'a, T> {
    /// The planes, with [`Shifts::slack`] elements after them.
    pub planes: &'a [T],
    /// From [`Shifts::pack`].
    pub weights: &'a [T],
    /// Which of the packed rows; they begin at a panel and end at one or at the group's end.
    pub rows: Range<usize>,
    /// Rows of a group.
    pub group: usize,
    /// The rows' outputs, dense.
    pub y: &'a mut [T],
    /// For all rows that were packed.
    pub bias: Option<&'a [T]>,
    pub relu: bool,
}

impl<'a, T: Gemm> Shifts<'a, T> {
    /// Outputs of `out` rows and columns in planes of `width` columns.
    pub fn new(offsets: &'a [usize], width: usize, out: [usize; 2]) -> Self {
        let (high, lanes) = sizes::<T>();
        let positions = (out[0] - 1) * width + out[1];
        let registers = positions.div_ceil(lanes);
        let (mut before, mut masks) = (scratch(registers), scratch(registers));
        let (mut count, mut column) = (0, 0);
        for r in 0..registers {
            let mut mask = 0u32;
            for lane in 0..lanes.min(positions - r * lanes) {
                mask |= ((column < out[1]) as u32) << lane;
                column = if column + 1 == width { 0 } else { column + 1 };
            }
            (before[r], masks[r]) = (count, mask);
            count += mask.count_ones();
        }
        Shifts {
            offsets,
            positions,
            outputs: out[0] * out[1],
            before,
            masks,
            high,
            lanes,
            element: PhantomData,
        }
    }

    /// Elements that the kernel may read beyond the last plane.
    pub fn slack(&self) -> usize {
        TILE * self.lanes
    }

    /// Panels of the rows of a group.
    pub fn panels(&self, group: usize) -> usize {
        group.div_ceil(self.high)
    }

    /// The rows of one of `parts` parts of a group.
    pub fn part(&self, group: usize, part: usize, parts: usize) -> (usize, usize) {
        let panels = self.panels(group);
        let row = |part: usize| (panels * part / parts * self.high).min(group);
        (row(part), row(part + 1))
    }

    /// The weights in panels, each group beginning a new one: `fill(panel, width, row, lanes)` writes rows
    /// `row..row + lanes`, each group of `width` numbers holding one term of all of them, then zeros.
    pub fn pack(
        &self,
        rows: usize,
        group: usize,
        terms: usize,
        fill: impl Fn(&mut [T], usize, usize, usize) + Sync,
    ) -> Scratch<T> {
        let high = self.high;
        let mut packed = scratch(rows / group * self.panels(group) * high * terms);
        for_chunks(&mut packed, high * terms, rows * terms, |p, panel| {
            let (g, first) = (p / self.panels(group), p % self.panels(group) * high);
            fill(panel, high, g * group + first, high.min(group - first));
        });
        packed
    }

    /// Computes the rows' outputs on this thread.
    pub fn run(&self, output: Output<T>) {
        let reach = self.positions.next_multiple_of(TILE * self.lanes);
        assert!(
            self.offsets.iter().all(|o| o + reach <= output.planes.len()),
            "convolution: planes without slack"
        );
        assert_eq!(output.y.len(), elements([output.rows.len(), self.outputs]));
        assert!(output.bias.is_none_or(|bias| bias.len() >= output.rows.end));
        dispatch(Run { shifts: self, output });
    }
}

/// Loop nest: tiles of 3 registers of positions › panels of 8 rows › terms. The planes under one tile of positions
/// stay in L1 while all rows' weights stream by from L2.
struct Run<'a, T> {
    shifts: &'a Shifts<'a, T>,
    output: Output<'a, T>,
}

impl<T: Gemm> Kernel<T> for Run<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) {
        let Run { shifts, output } = self;
        // Taken here, where `output` has come to rest: a move of the slice would end what the pointer may do.
        let y = output.y.as_mut_ptr();
        let registers = shifts.masks.len();
        let terms = shifts.offsets.len();
        let (g, first) = (output.rows.start / output.group, output.rows.start % output.group);
        let panel = g * shifts.panels(output.group) + first / L::ROWS;
        let rows = output.rows.len();
        let weights = &output.weights[panel * L::ROWS * terms..];
        assert!(weights.len() >= rows.next_multiple_of(L::ROWS) * terms);
        let tiles = registers.div_ceil(TILE);
        let panels = rows.div_ceil(L::ROWS);
        // Whichever operand is the larger is read once.
        let weights_once = size_of_val(weights) > L2_SHARE;
        for step in 0..tiles * panels {
            let (t, p) =
                if weights_once { (step % tiles, step / tiles) } else { (step / panels, step % panels) };
            let (from, row) = (registers * t / tiles, p * L::ROWS);
            let count = registers * (t + 1) / tiles - from;
            let (a, height) = (&weights[row * terms..], L::ROWS.min(rows - row));
            // SAFETY: `run` has checked that the planes reach as far as the last register of the last term.
            unsafe {
                if height == 1 {
                    rows_of::<L, 1, TILE>(shifts, &output, y, a, row, height, from, count)
                } else if L::MANY {
                    match count {
                        1 => rows_of::<L, 8, 1>(shifts, &output, y, a, row, height, from, count),
                        2 => rows_of::<L, 8, 2>(shifts, &output, y, a, row, height, from, count),
                        _ => rows_of::<L, 8, TILE>(shifts, &output, y, a, row, height, from, count),
                    }
                } else {
                    match count {
                        1 => rows_of::<L, 4, 1>(shifts, &output, y, a, row, height, from, count),
                        2 => rows_of::<L, 4, 2>(shifts, &output, y, a, row, height, from, count),
                        _ => rows_of::<L, 4, TILE>(shifts, &output, y, a, row, height, from, count),
                    }
                }
            }
        }
    }
}

/// Bytes of weights up to which they are read again for each tile of positions.
const L2_SHARE: usize = 1 << 20;

/// Terms that are added one to another; more are summed in parts, which are rounded less often.
const LONG: usize = 2 * SERIAL;
/// Parts whose sums are added one to another.
const PARTS: usize = 64;

#[inline(always)]
unsafe fn add<L: Lanes, const MR: usize, const NV: usize>(y: &mut [[L; NV]; MR], x: &[[L; NV]; MR]) {
    for i in 0..MR {
        for v in 0..NV {
            // SAFETY: the callers run in the register's family.
            y[i][v] = unsafe { y[i][v].add(x[i][v]) };
        }
    }
}

/// One tile: `height` rows from `row`, `count` registers from number `from`.
#[inline(always)]
unsafe fn rows_of<L: Lanes, const MR: usize, const NV: usize>(
    shifts: &Shifts<L::Elem>,
    output: &Output<L::Elem>,
    y: *mut L::Elem,
    a: &[L::Elem],
    row: usize,
    height: usize,
    from: usize,
    count: usize,
) where
    L::Elem: Gemm,
{
    let q = from * L::N;
    let offsets = shifts.offsets;
    // SAFETY: the planes hold NV registers from every offset + q (`slack` covers a last tile that is not full); `y` has
    // `outputs` elements a row, and each register's outputs, `before` and onwards, lie within its row.
    unsafe {
        let base = output.planes.as_ptr().add(q);
        for i in 0..MR.min(height) {
            for v in 0..NV.min(count) {
                prefetch(y.add((row + i) * shifts.outputs + shifts.before[from + v] as usize));
            }
        }
        let mut acc =
            tile::<L, MR, NV>(offsets.len().min(LONG), a.as_ptr(), |k| base.add(*offsets.get_unchecked(k)));
        for first in (LONG..offsets.len()).step_by(LONG * PARTS) {
            let mut sums = [[L::splat(L::Elem::default()); NV]; MR];
            for from in (first..offsets.len().min(first + LONG * PARTS)).step_by(LONG) {
                let (steps, a) = (LONG.min(offsets.len() - from), a.as_ptr().add(from * L::ROWS));
                let part = tile::<L, MR, NV>(steps, a, |k| base.add(*offsets.get_unchecked(from + k)));
                add(&mut sums, &part);
            }
            add(&mut acc, &sums);
        }
        for i in 0..MR {
            if i >= height {
                return;
            }
            let bias = output.bias.map(|bias| L::splat(bias[output.rows.start + row + i]));
            let y = y.add((row + i) * shifts.outputs);
            for v in 0..NV {
                if v >= count {
                    break;
                }
                let mut x = acc[i][v];
                if let Some(bias) = bias {
                    x = x.add(bias);
                }
                if output.relu {
                    x = x.relu();
                }
                x.store_dense(y.add(shifts.before[from + v] as usize), shifts.masks[from + v]);
            }
        }
    }
}
