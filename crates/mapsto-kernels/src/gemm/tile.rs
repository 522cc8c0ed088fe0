//! The micro-kernel: a tile of C held in registers while the panels stream by, and what is done as it is stored.

use super::lanes::{Float, Kernel, Lanes};

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

/// The same for operands that lie where they may: lane `i` of A and register `v` of B at each step.
///
/// # Safety
/// As for [`tile`], for all that the runs reach.
#[inline(always)]
unsafe fn tile_of<L: Lanes, const MR: usize, const NV: usize>(
    steps: usize,
    a: Run<L::Elem>,
    b: Run<L::Elem>,
) -> [[L; NV]; MR] {
    const { assert!(MR <= 9) };
    // SAFETY: the caller's promise.
    unsafe {
        let mut acc = [[L::splat(L::Elem::default()); NV]; MR];
        // A pointer for three rows: an address holds one lane or two besides, and eight pointers would not fit.
        let mut rows = [0, 3, 6].map(|row| a.start.wrapping_offset(row * a.lane));
        let mut columns = b.start;
        for _ in 0..steps {
            step(
                &mut acc,
                #[inline(always)]
                |i| rows[i / 3].wrapping_offset((i % 3) as isize * a.lane),
                columns,
            );
            rows = [0, 1, 2].map(|g: usize| rows[g].wrapping_offset(a.step));
            columns = columns.wrapping_offset(b.step);
        }
        acc
    }
}

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

impl<'a, T> Side<'a, T> {
    /// All lanes in packed panels.
    pub fn packed(packed: &'a [T]) -> Side<'a, T> {
        Side { direct: Run { start: std::ptr::null(), lane: 0, step: 0 }, packed_from: 0, packed }
    }

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
/// Loop nest: runs of [`RUN`] panels of B (384 steps of them are 768 KiB of L2) › panels of A (384 steps are 9 KiB of
/// L1) › panels of B (streaming from L2) › steps.
pub struct Block<'a, T> {
    pub steps: usize,
    pub rows: usize,
    /// Rows of a panel of A: the family's `HIGH` or `ROWS`.
    pub high: usize,
    pub cols: Cut,
    pub a: Side<'a, T>,
    pub b: Side<'a, T>,
    pub c: *mut T,
    pub stride: usize,
    pub finish: Finish<'a, T>,
}

/// Panels of B that stay in L2 while those of A pass by.
const RUN: usize = 8;

impl<T: Float> Kernel<T> for Block<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) {
        let Block { steps, rows, high, cols, a, b, c, stride, finish } = self;
        assert!(finish.bias.is_none_or(|bias| bias.len() >= cols.lanes));
        for run in (0..cols.panels()).step_by(RUN) {
            for i in (0..rows).step_by(high) {
                // The last rows read in place come with those before them, which are not stored again.
                let height = (rows - i).min(high);
                let skip = if i < a.packed_from { high - height } else { 0 };
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
                        assert!(high == L::HIGH || high == L::ROWS);
                        match (high, (end - j) / L::N) {
                            (8, 1) => spot.compute::<L, 8, 1>(steps, left, right),
                            (8, 2) => spot.compute::<L, 8, 2>(steps, left, right),
                            (8, _) => spot.compute::<L, 8, 3>(steps, left, right),
                            (6, 1) => spot.compute::<L, 6, 1>(steps, left, right),
                            (6, 2) => spot.compute::<L, 6, 2>(steps, left, right),
                            (6, 3) => spot.compute::<L, 6, 3>(steps, left, right),
                            (6, _) => spot.compute::<L, 6, 4>(steps, left, right),
                            (_, 1) => spot.compute::<L, 4, 1>(steps, left, right),
                            (_, 2) => spot.compute::<L, 4, 2>(steps, left, right),
                            _ => spot.compute::<L, 4, 3>(steps, left, right),
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
            for i in 0..MR.min(self.height) {
                for v in 0..NV {
                    prefetch(self.c.add(i * self.stride + v * L::N));
                }
            }
            let acc = tile_of::<L, MR, NV>(steps, a, b);
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
                    if n == L::N { x.store(c) } else { x.store_first(c, n) }
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
