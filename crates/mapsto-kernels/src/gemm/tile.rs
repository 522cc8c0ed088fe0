//! The micro-kernel: a tile of C held in registers while the panels stream by, and what is done as it is stored.

use super::lanes::{Float, Kernel, Lanes, dispatch};
use crate::simd::array;

/// `acc[i][v] = Σₖ a[k·ROWS + i] · b(k)[v·N ..]` for `i < MR`, `v < NV`: for each k, `NV` loads and `MR` broadcasts feed
/// `MR · NV` multiply-adds, which two ports retire two a cycle; 24 independent sums hide their latency of 4.
///
/// # Safety
/// As for [`Lanes`]: `a` has `steps` groups of `ROWS`, and each `b(k)` is valid for `NV` registers.
#[inline(always)]
pub unsafe fn tile<L: Lanes, const MR: usize, const NV: usize>(
    steps: usize,
    a: *const L::Elem,
    b: impl Fn(usize) -> *const L::Elem,
) -> [[L; NV]; MR] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut acc = [[L::splat(L::Elem::default()); NV]; MR];
        for k in 0..steps {
            let a = a.add(k * L::ROWS);
            prefetch(a.wrapping_add(16 * L::ROWS)); // 3 % in a convolution
            step(
                &mut acc,
                #[inline(always)]
                |i| a.wrapping_add(i),
                b(k),
            );
        }
        acc
    }
}

/// The same for operands that lie where they may: B's registers are any number of elements apart from step to step, A's
/// lanes lie side by side ([`Run`] with `lane` 1 and `step` `MR`) or each for itself (`step` 1).
///
/// [`UNROLL`] steps at a time, so that their distances are constants in the addresses: scalar additions take turns from
/// the multiply-adds (2 % with eight a step). Two or eight steps at a time do no better. Asking for B's lines ahead of
/// their use, four more loads a step, lost 6 %.
///
/// # Safety
/// As for [`tile`], for all that the runs reach.
#[inline(always)]
unsafe fn tile_of<L: Lanes, const MR: usize, const NV: usize, const SIDE_BY_SIDE: bool>(
    steps: usize,
    a: Run<L::Elem>,
    b: Run<L::Elem>,
) -> [[L; NV]; MR] {
    const { assert!(MR <= 9) };
    // SAFETY: the caller's promise.
    unsafe {
        let mut acc = [[L::splat(L::Elem::default()); NV]; MR];
        // A pointer for three rows: an address holds one lane or two besides, and eight pointers would not fit.
        let mut rows: [_; 3] = array(|i| a.start.wrapping_offset(3 * i as isize * a.lane));
        let mut columns = b.start;
        let at = |rows: [*const L::Elem; 3], i: usize, s: usize| {
            if SIDE_BY_SIDE {
                rows[0].wrapping_add(s * MR + i)
            } else {
                rows[i / 3].wrapping_offset((i % 3) as isize * a.lane).wrapping_add(s)
            }
        };
        let along = if SIDE_BY_SIDE { MR } else { 1 };
        for _ in 0..steps / UNROLL {
            for s in 0..UNROLL {
                step(
                    &mut acc,
                    #[inline(always)]
                    |i| at(rows, i, s),
                    columns,
                );
                columns = columns.wrapping_offset(b.step);
            }
            rows.iter_mut().for_each(|row| *row = row.wrapping_add(UNROLL * along));
        }
        for _ in 0..steps % UNROLL {
            step(
                &mut acc,
                #[inline(always)]
                |i| at(rows, i, 0),
                columns,
            );
            columns = columns.wrapping_offset(b.step);
            rows.iter_mut().for_each(|row| *row = row.wrapping_add(along));
        }
        acc
    }
}

/// Steps of [`tile_of`]'s inner loop.
const UNROLL: usize = 4;

/// One step of a tile.
#[inline(always)]
unsafe fn step<L: Lanes, const MR: usize, const NV: usize>(
    acc: &mut [[L; NV]; MR],
    a: impl Fn(usize) -> *const L::Elem,
    b: *const L::Elem,
) {
    // SAFETY: the callers' promise.
    unsafe {
        let mut row = [L::splat(L::Elem::default()); NV];
        for v in 0..NV {
            row[v] = L::load(b.wrapping_add(v * L::N));
        }
        for i in 0..MR {
            let x = L::splat(*a(i));
            for v in 0..NV {
                acc[i][v] = acc[i][v].fma(x, row[v]);
            }
        }
    }
}

/// Lanes of a panel: lane `j` at step `k` is `start[j·lane + k·step]`.
#[derive(Clone, Copy)]
pub struct Run<T> {
    pub start: *const T,
    pub lane: isize,
    pub step: isize,
}

/// What becomes of a finished tile.
#[derive(Clone, Copy)]
pub struct Finish<'a, T> {
    /// Add to what C holds.
    pub add: bool,
    /// Then add this, one for each column of C.
    pub bias: Option<&'a [T]>,
    /// Then take max(·, 0).
    pub relu: bool,
}

/// One operand of a block, lane by lane (A's rows or B's columns): those before `packed_from` are read where the matrix
/// lies, the others from packed panels.
#[derive(Clone, Copy)]
pub struct Side<'a, T> {
    /// Lane 0 at step 0 in the matrix.
    pub direct: Run<T>,
    /// A panel's first lane, or the number of lanes.
    pub packed_from: usize,
    pub packed: &'a [T],
}

impl<T> Side<'_, T> {
    /// The panel of `width` lanes that begins at `lane`.
    #[inline(always)]
    fn panel(&self, lane: usize, width: usize, steps: usize) -> Run<T> {
        if lane < self.packed_from {
            Run { start: self.direct.start.wrapping_offset(lane as isize * self.direct.lane), ..self.direct }
        } else {
            let start = self.packed[(lane - self.packed_from) * steps..][..width * steps].as_ptr();
            Run { start, lane: 1, step: width as isize }
        }
    }
}

/// How the lanes of one side are cut into panels: as wide as they may be, but the last takes a register from the last but
/// one rather than be left with one, whose few sums would wait for one another.
#[derive(Clone, Copy)]
pub struct Cut {
    /// Lanes, which the last panel pads to whole registers.
    pub lanes: usize,
    /// Lanes of a register (of B) or of the one panel there is (of A).
    pub unit: usize,
    /// Lanes of a panel at most.
    pub wide: usize,
}

impl Cut {
    fn units(&self) -> usize {
        self.lanes.div_ceil(self.unit)
    }

    /// Lanes, with those that pad the last panel.
    pub fn padded(&self) -> usize {
        self.units() * self.unit
    }

    /// How many panels.
    pub fn panels(&self) -> usize {
        self.lanes.div_ceil(self.wide)
    }

    /// The first lane of panel `p`; of the number of panels, the padded number of lanes.
    #[inline(always)]
    pub fn start(&self, p: usize) -> usize {
        let (units, most) = (self.units(), self.wide / self.unit);
        let evened = most > 1 && units > most && units % most == 1 && p + 1 == self.panels();
        if evened { (units - 2) * self.unit } else { (p * self.wide).min(self.padded()) }
    }
}

/// C (`rows × cols`, its rows `stride` apart) from panels of A (of `high` rows) and of B (of at most `WIDE` registers).
///
/// Loop nest: runs of [`RUN`] panels of B (512 steps of them are 512 KiB of L2) › panels of A (512 steps are 12 KiB of
/// L1) › panels of B (streaming from L2) › steps.
pub struct Block<'a, T> {
    pub steps: usize,
    pub rows: usize,
    /// Rows of a panel of A: the family's `HIGH`.
    pub high: usize,
    pub cols: Cut,
    pub a: Side<'a, T>,
    pub b: Side<'a, T>,
    pub c: *mut T,
    pub stride: usize,
    pub finish: Finish<'a, T>,
}

/// Panels of B that stay in L2 while those of A pass by.
const RUN: usize = 4;

impl<T: Float> Kernel<T> for Block<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) {
        let Block { steps, rows, high, cols, a, b, c, stride, finish } = self;
        assert!(finish.bias.is_none_or(|bias| bias.len() >= cols.lanes));
        for run in (0..cols.panels()).step_by(RUN) {
            for i in (0..rows).step_by(high) {
                // The last rows in place come with those before them, which are not stored again: four if that is enough.
                let (height, in_place) = ((rows - i).min(high), i < a.packed_from);
                let tall = if in_place && height <= 4 { 4.min(high) } else { high };
                let skip = if in_place { tall - height } else { 0 };
                let mut left = a.panel(i, high, steps);
                left.start = left.start.wrapping_offset(-(skip as isize) * left.lane);
                for p in run..cols.panels().min(run + RUN) {
                    let (j, end) = (cols.start(p), cols.start(p + 1));
                    let right = b.panel(j, end - j, steps);
                    let bias = finish.bias.map_or(std::ptr::null(), |bias| bias[j..].as_ptr());
                    // SAFETY: `in_panels` makes sides that hold all their lanes, and C's rows are the caller's promise.
                    unsafe {
                        let c = c.add(i * stride + j);
                        let width = end.min(cols.lanes) - j;
                        let spot =
                            Spot { c, stride, skip, height, width, bias, add: finish.add, relu: finish.relu };
                        assert!(high == L::HIGH);
                        let registers = (end - j) / L::N;
                        if L::MANY {
                            match (tall, registers) {
                                (6, 1) => spot.compute::<L, 6, 1>(steps, left, right),
                                (6, 2) => spot.compute::<L, 6, 2>(steps, left, right),
                                (6, 3) => spot.compute::<L, 6, 3>(steps, left, right),
                                (6, _) => spot.compute::<L, 6, 4>(steps, left, right),
                                (_, 1) => spot.compute::<L, 4, 1>(steps, left, right),
                                (_, 2) => spot.compute::<L, 4, 2>(steps, left, right),
                                (_, 3) => spot.compute::<L, 4, 3>(steps, left, right),
                                _ => spot.compute::<L, 4, 4>(steps, left, right),
                            }
                        } else {
                            match registers {
                                1 => spot.compute::<L, 4, 1>(steps, left, right),
                                2 => spot.compute::<L, 4, 2>(steps, left, right),
                                _ => spot.compute::<L, 4, 3>(steps, left, right),
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Where one tile goes.
struct Spot<T> {
    c: *mut T,
    stride: usize,
    /// Rows of the tile before those that are stored.
    skip: usize,
    height: usize,
    width: usize,
    bias: *const T,
    add: bool,
    relu: bool,
}

impl<T: Float> Spot<T> {
    #[inline(always)]
    unsafe fn compute<L: Lanes<Elem = T>, const MR: usize, const NV: usize>(
        &self,
        steps: usize,
        a: Run<T>,
        b: Run<T>,
    ) {
        // SAFETY: panels and C are valid by the caller's promise; only `height` rows of `width` are touched.
        unsafe {
            L::alone(
                #[inline(always)]
                || {
                    for i in 0..MR.min(self.height) {
                        for v in 0..NV {
                            prefetch(self.c.add(i * self.stride + v * L::N));
                        }
                    }
                    // Rows in place that overlap have a lane of 1 too.
                    let acc = if a.step == 1 {
                        tile_of::<L, MR, NV, false>(steps, a, b)
                    } else {
                        debug_assert!(a.lane == 1 && a.step == MR as isize);
                        tile_of::<L, MR, NV, true>(steps, a, b)
                    };
                    if self.height == MR && self.width == NV * L::N {
                        return self.store_whole(acc);
                    }
                    self.store_part(acc);
                },
            )
        }
    }

    /// Stores a tile that lies in C with all its rows and columns.
    #[inline(always)]
    unsafe fn store_whole<L: Lanes<Elem = T>, const MR: usize, const NV: usize>(
        &self,
        mut acc: [[L; NV]; MR],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let c = |i: usize, v: usize| self.c.add(i * self.stride + v * L::N);
            if self.add {
                for i in 0..MR {
                    for v in 0..NV {
                        acc[i][v] = acc[i][v].add(L::load(c(i, v)));
                    }
                }
            }
            if !self.bias.is_null() {
                for v in 0..NV {
                    let bias = L::load(self.bias.add(v * L::N));
                    for i in 0..MR {
                        acc[i][v] = acc[i][v].add(bias);
                    }
                }
            }
            if self.relu {
                for i in 0..MR {
                    for v in 0..NV {
                        acc[i][v] = acc[i][v].relu();
                    }
                }
            }
            for i in 0..MR {
                for v in 0..NV {
                    acc[i][v].store(c(i, v));
                }
            }
        }
    }

    /// Stores the rows and columns of a tile at C's edge.
    #[inline(always)]
    unsafe fn store_part<L: Lanes<Elem = T>, const MR: usize, const NV: usize>(&self, acc: [[L; NV]; MR]) {
        // SAFETY: the caller's promise.
        unsafe {
            for i in 0..MR {
                if i < self.skip || i >= self.skip + self.height {
                    continue;
                }
                for v in 0..NV {
                    let n = (self.width - v * L::N).min(L::N);
                    let (mut x, c) = (acc[i][v], self.c.add((i - self.skip) * self.stride + v * L::N));
                    if self.add {
                        x = x.add(L::load_first(c, n));
                    }
                    if !self.bias.is_null() {
                        x = x.add(L::load_first(self.bias.add(v * L::N), n));
                    }
                    if self.relu {
                        x = x.relu();
                    }
                    x.store_first(c, n)
                }
            }
        }
    }
}

/// Asks for the cache line of `p` ahead of its use.
#[inline(always)]
pub fn prefetch<T>(p: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults, whatever the address; SSE is part of x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(p.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = p;
}

/// Asks for the cache lines of `n` numbers from `p` on.
#[inline(always)]
pub fn prefetch_run<T>(p: *const T, n: usize) {
    (0..n).step_by(64 / size_of::<T>()).for_each(|j| prefetch(p.wrapping_add(j)));
}

/// The sizes of the family in use: rows of [`tile`] and lanes of a register, then rows and registers
/// across of a product's tile.
pub struct Sizes;
impl<T: Float> Kernel<T> for Sizes {
    type Out = [usize; 4];
    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) -> [usize; 4] {
        [L::ROWS, L::N, L::HIGH, L::WIDE]
    }
}

/// Rows of a panel of [`tile`]'s A and lanes of a register, in the family in use.
pub fn sizes<T: Float>() -> (usize, usize) {
    let [rows, lanes, ..] = dispatch::<T, _>(Sizes);
    (rows, lanes)
}
