//! Images and volumes seen through a grid of places, and the gradients of both.
//!
//! The loop nest: images, runs of 128 outputs, axes, then channels, neighbours, outputs. Where the neighbours of a run lie along
//! each axis and what they weigh is found once for all channels, in vector registers, and joined: a neighbour's place in a plane is
//! the sum of its places along the axes, and its weight their product. The gradient of the images is added up plane by plane, in f64,
//! that of the grid run by run, so both are the same bits for any number of threads.

mod axis;
mod gather;

use crate::elements::elements;
use crate::real::Float;
use crate::simd::{vectorize, vectorize_light};
use crate::threads::{Pieces, for_chunks, parallel};
use axis::{Axis, RUN, Taps};
pub use gather::Seen;

/// What a place between elements takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Between {
    /// Lines between the two neighbours along each axis.
    #[default]
    Linear,
    /// The nearest element, of two the one at an even place.
    Nearest,
    /// Keys' cubics with `a = −0.75` through four neighbours along each axis, of images alone.
    Cubic,
}

/// What lies outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outside {
    /// Nothing.
    #[default]
    Zeros,
    /// The outermost elements.
    Border,
    /// The mirror image.
    Reflection,
}

/// The sizes of such a view: x is `[n, c, size…]`, the grid `[n, outs, axes]` with the last axis of x first and places from −1
/// to 1, y is `[n, c, outs]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Images.
    pub n: usize,
    /// Channels.
    pub c: usize,
    /// Slices, rows and columns; of an image one slice.
    pub size: [usize; 3],
    /// Axes of a place: 2 of images, 3 of volumes.
    pub axes: usize,
    /// Places of an image.
    pub outs: usize,
    /// What a place between elements takes.
    pub between: Between,
    /// What lies outside.
    pub outside: Outside,
    /// Whether −1 and 1 are the centres of the outermost elements, and not their edges.
    pub align_corners: bool,
}

/// Elements of a plane, at most: three places along axes, each of which may be none, add up in an i32.
pub const MOST: usize = i32::MAX as usize / 4;

impl Grid {
    fn check(&self, x: usize, grid: usize, y: usize) -> usize {
        let size = elements(self.size);
        assert!(size > 0 && size <= MOST, "grid: planes of {:?}", self.size);
        assert!(
            self.axes == 3 || self.axes == 2 && self.size[0] == 1,
            "grid: {} axes of {:?}",
            self.axes,
            self.size
        );
        assert!(self.axes == 2 || self.between != Between::Cubic, "grid: cubics of volumes");
        assert_eq!(x, elements([self.n, self.c, size]), "grid: elements of the input");
        assert_eq!(grid, elements([self.n, self.outs, self.axes]), "grid: places");
        assert_eq!(y, elements([self.n, self.c, self.outs]), "grid: elements of the output");
        size
    }

    /// Neighbours along an axis.
    fn taps(&self) -> usize {
        match self.between {
            Between::Nearest => 1,
            Between::Linear => 2,
            Between::Cubic => 4,
        }
    }

    /// Roughly the steps of one pass for every channel.
    fn cost(&self) -> usize {
        elements([self.n, self.c + 4, self.outs, self.taps().pow(self.axes as u32)])
    }

    /// What a run of places of image `i` sees along each axis.
    fn see<T: Float>(&self, grid: &[T], i: usize, from: usize, len: usize, seen: &mut [Axis<T>; 3]) {
        let grid = &grid[(i * self.outs + from) * self.axes..][..len * self.axes];
        let mut stride = 1;
        for d in (3 - self.axes..3).rev() {
            let size = self.size[d];
            vectorize_light(
                #[inline(always)]
                || seen[d].see(self, &grid[2 - d..], self.axes, len, size, stride),
            );
            stride *= size as i32;
        }
    }
}

/// Outputs that one block of work sees.
const TOGETHER: usize = 16 * RUN;

/// Calls `f(image, first output, outputs)` for each run of outputs.
fn runs(s: &Grid, f: impl Fn(usize, &mut dyn FnMut(&mut dyn FnMut(usize, usize))) + Sync) {
    let parts = s.outs.div_ceil(TOGETHER);
    parallel(s.n * parts, s.cost(), |block| {
        let (image, start) = (block / parts, block % parts * TOGETHER);
        let end = (start + TOGETHER).min(s.outs);
        f(image, &mut |run| {
            for from in (start..end).step_by(RUN) {
                run(from, RUN.min(end - from));
            }
        });
    });
}

/// Calls the loop for as many axes and neighbours.
macro_rules! by_taps {
    ($s:ident, $f:ident($($arg:expr),*)) => {
        match ($s.axes, $s.between) {
            (_, Between::Nearest) => $f::<_, 1, 1>($($arg),*),
            (2, Between::Linear) => $f::<_, 1, 2>($($arg),*),
            (2, Between::Cubic) => $f::<_, 1, 4>($($arg),*),
            (_, _) => $f::<_, 2, 2>($($arg),*),
        }
    };
}

/// `y[i, c, p]` is what place p of the grid sees of plane c of image i.
///
/// ```
/// use mapsto_kernels::grid::{Between, Grid, Outside, grid_sample};
/// let s = Grid { n: 1, c: 1, size: [1, 1, 2], axes: 2, outs: 2, between: Between::Linear, outside: Outside::Zeros, align_corners: false };
/// let mut y = [0.0f32; 2];
/// grid_sample(&s, &[1.0, 3.0], &[0.0, 0.0, 1.0, 0.0], &mut y);
/// assert_eq!(y, [2.0, 1.5]);
/// ```
///
/// # Panics
/// If a slice has not the elements of the shape, or a plane has none or more than [`MOST`].
pub fn grid_sample<T: Seen>(s: &Grid, x: &[T], grid: &[T], y: &mut [T]) {
    let size = s.check(x.len(), grid.len(), y.len());
    let ys = Pieces::new(y);
    runs(s, |image, each| {
        let (mut seen, mut taps) = (Axis::three(), Taps::new());
        each(&mut |from, len| {
            s.see(grid, image, from, len, &mut seen);
            by_taps!(s, join(&seen, len, &mut taps));
            for plane in image * s.c..(image + 1) * s.c {
                // SAFETY: each run of a plane is visited by one call.
                let y = unsafe { ys.get(plane * s.outs + from, len) };
                by_taps!(s, gathered(&taps, &x[plane * size..][..size], y));
            }
        });
    });
}

fn join<T: Float, const Z: usize, const L: usize>(seen: &[Axis<T>; 3], len: usize, taps: &mut Taps<T>) {
    vectorize_light(
        #[inline(always)]
        || taps.join::<Z, L>(seen, len),
    );
}

/// The sums of a run, of `Z · L²` neighbours.
fn gathered<T: Seen, const Z: usize, const L: usize>(taps: &Taps<T>, x: &[T], y: &mut [T]) {
    let k = Z * L * L;
    // SAFETY: `Taps::join` adds places of each axis, which `Axis::see` keeps below its size times its stride, so that sums lie in
    // the plane or below 0; what is left of an earlier run is of planes of the same size.
    if unsafe { T::gather(&taps.at[..k], &taps.weight[..k], x, y) } {
        return;
    }
    vectorize_light(
        #[inline(always)]
        || {
            let len = y.len().min(RUN);
            let y = &mut y[..len];
            for p in 0..len {
                let mut sum = T::ZERO;
                for k in 0..Z * L * L {
                    let at = taps.at[k][p];
                    sum += T::select(at >= 0, taps.weight[k][p] * element(x, at), T::ZERO);
                }
                y[p] = sum;
            }
        },
    );
}

/// The element at a place; any, where that is none.
#[inline(always)]
fn element<T: Float>(x: &[T], at: i32) -> T {
    debug_assert!(!x.is_empty() && at < x.len() as i32);
    // SAFETY: `Axis::see` gives places of each axis below its size times its stride, whose sum is below the elements of the
    // plane, which are as many as x has and not none, and those that are none are so far below 0 that every sum with one is too.
    unsafe { *x.get_unchecked(at.max(0) as usize) }
}

/// The gradient of the images of [`grid_sample`]; `dx` is overwritten.
///
/// # Panics
/// As [`grid_sample`].
pub fn grid_sample_backward<T: Float>(s: &Grid, grid: &[T], g: &[T], dx: &mut [T]) {
    let size = s.check(dx.len(), grid.len(), g.len());
    // Planes that one block fills: several share what is seen, but few enough that there are blocks for threads.
    let together = if s.n > 8 || s.c >= 32 { 4 } else { 1 };
    let blocks = s.c.div_ceil(together);
    let planes = Pieces::new(dx);
    parallel(s.n * blocks, s.cost(), |block| {
        let (image, first) = (block / blocks, block % blocks * together);
        let channels = first..(first + together).min(s.c);
        let (mut seen, mut taps) = (Axis::three(), Taps::new());
        // Behind each plane a place for what goes nowhere.
        let mut sums = vec![0.0f64; channels.len() * (size + 1)];
        for from in (0..s.outs).step_by(RUN) {
            let len = RUN.min(s.outs - from);
            s.see(grid, image, from, len, &mut seen);
            by_taps!(s, join(&seen, len, &mut taps));
            for (c, sums) in channels.clone().zip(sums.chunks_exact_mut(size + 1)) {
                let g = &g[(image * s.c + c) * s.outs + from..][..len];
                by_taps!(s, scattered(&taps, g, sums));
            }
        }
        // SAFETY: each plane is visited by one call.
        let dx = unsafe { planes.get((image * s.c + first) * size, channels.len() * size) };
        for (dx, sums) in dx.chunks_exact_mut(size).zip(sums.chunks_exact(size + 1)) {
            dx.iter_mut().zip(sums).for_each(|(d, &sum)| *d = T::from_f64(sum));
        }
    });
}

/// Adds what a run gives to its neighbours' places; the last of the sums is for those that are none.
fn scattered<T: Float, const Z: usize, const L: usize>(taps: &Taps<T>, g: &[T], sums: &mut [f64]) {
    let nowhere = (sums.len() - 1) as u32;
    for (p, g) in g.iter().enumerate().take(RUN) {
        for k in 0..Z * L * L {
            // Below 0 is a large number without a sign.
            let at = (taps.at[k][p] as u32).min(nowhere) as usize;
            // SAFETY: `at` is at most the last place.
            unsafe { *sums.get_unchecked_mut(at) += (taps.weight[k][p] * *g).to_f64() };
        }
    }
}

/// The gradient of the grid of [`grid_sample`], added up over channels in f64; `dgrid` is overwritten. By the nearest it is 0.
///
/// # Panics
/// As [`grid_sample`].
pub fn grid_sample_backward_grid<T: Float>(s: &Grid, x: &[T], grid: &[T], g: &[T], dgrid: &mut [T]) {
    let size = s.check(x.len(), dgrid.len(), g.len());
    if s.between == Between::Nearest {
        return for_chunks(dgrid, 1 << 16, 0, |_, dgrid| dgrid.fill(T::ZERO));
    }
    let places = Pieces::new(dgrid);
    runs(s, |image, each| {
        let (mut seen, mut sums) = (Axis::three(), [[0.0f64; RUN]; 3]);
        each(&mut |from, len| {
            s.see(grid, image, from, len, &mut seen);
            sums.iter_mut().for_each(|sums| sums.fill(0.0));
            for plane in image * s.c..(image + 1) * s.c {
                let (x, g) = (&x[plane * size..][..size], &g[plane * s.outs + from..][..len]);
                by_taps!(s, sloped(&seen, x, g, &mut sums));
            }
            // SAFETY: each run of an image is visited by one call.
            let dgrid = unsafe { places.get((image * s.outs + from) * s.axes, len * s.axes) };
            for (p, dgrid) in dgrid.chunks_exact_mut(s.axes).enumerate() {
                dgrid.iter_mut().zip(sums.iter().rev()).for_each(|(d, sums)| *d = T::from_f64(sums[p]));
            }
        });
    });
}

/// Adds what a plane gives to the slopes of a run, along each axis.
fn sloped<T: Float, const Z: usize, const L: usize>(
    seen: &[Axis<T>; 3],
    x: &[T],
    g: &[T],
    sums: &mut [[f64; RUN]; 3],
) {
    vectorize(
        #[inline(always)]
        || {
            let g = &g[..g.len().min(RUN)];
            for (p, g) in g.iter().enumerate() {
                let mut slopes = [T::ZERO; 3];
                for k in 0..Z {
                    let slice = seen[0].at[k][p];
                    // The sum over rows and columns, and its slopes along both.
                    let mut of_slice = [T::ZERO; 3];
                    for i in 0..L {
                        let row = slice + seen[1].at[i][p];
                        let (mut of_row, mut slope) = (T::ZERO, T::ZERO);
                        for j in 0..L {
                            let at = row + seen[2].at[j][p];
                            let x = T::select(at >= 0, element(x, at), T::ZERO);
                            of_row += seen[2].weight[j][p] * x;
                            slope += seen[2].slope[j][p] * x;
                        }
                        of_slice[0] += seen[1].weight[i][p] * of_row;
                        of_slice[1] += seen[1].slope[i][p] * of_row;
                        of_slice[2] += seen[1].weight[i][p] * slope;
                    }
                    if Z > 1 {
                        slopes[0] += seen[0].slope[k][p] * of_slice[0];
                        slopes[1] += seen[0].weight[k][p] * of_slice[1];
                        slopes[2] += seen[0].weight[k][p] * of_slice[2];
                    } else {
                        slopes = of_slice;
                    }
                }
                for d in 0..3 {
                    sums[d][p] += (*g * slopes[d]).to_f64();
                }
            }
        },
    );
}

#[cfg(test)]
mod tests;
