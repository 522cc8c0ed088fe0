//! Winograd's minimal filtering for 3 × 3 kernels of stride 1: 36 products for 4 × 4 outputs of a channel instead of 144.
//!
//! S. Winograd, "Arithmetic complexity of computations" (1980); A. Lavin and S. Gray, "Fast algorithms for convolutional
//! neural networks" (2016). The image is cut into tiles of 4 × 4 outputs. A tile's 6 × 6 inputs, the 3 × 3 taps and the
//! sums over channels are taken to 36 points, where convolving is multiplying; there a layer is 36 matrix products of
//! `[tiles, c_in]` by `[c_in, c_out]`. Inside, all channels of a point lie side by side, so that every transform works
//! on registers of channels and no tile is too narrow for a register.
//!
//! Loop nest: blocks of rows of tiles (in parallel) › inputs to points › panels of output channels › points › products ›
//! sums to outputs, with the bias and the activation. One block's points stay in L2.
//!
//! Measured on two cores of a Sapphire Rapids Xeon (multiply-adds in registers reach 370 GFLOP/s), counting the definition's
//! multiplications, taps' points kept: 64 channels of 56 × 56 0.32 ms (720 GFLOP/s), 128 of 28 × 28 0.28 ms (820), 256 of
//! 14 × 14 0.37 ms (620; directly 0.75), each for one image. 512 of 7 × 7 stay direct there (0.80 ms): their taps' points
//! are 38 MB, which is more to read than is saved.
//!
//! The price is accuracy: with 16 to 150 channels, errors reach 9e-6 of the results' root mean square, where the direct
//! way's reach 1e-6. The test holds both to 2e-5. Hence f32 only: f64 is asked for when digits count.

mod transform;
mod weight;

pub use weight::gradient;

use super::channels_last::{self, Finish, Patch};
use super::multiply::{Product, STEPS, panels};
use super::{ConvShape, Ending};
use crate::gemm::lanes::{Kernel, Lanes, dispatch};
use crate::gemm::pack::{Strip, interleave};
use crate::threads::{Pieces, for_chunks, parallel};
use crate::workspace::{Scratch, scratch};
use std::ops::Range;
use transform::{POINTS, input_square, output_square, taps_square};

/// Whether this way is the faster one of a shape's forward pass and gradients, by measurement: from 128 outputs of a channel
/// on, since the taps' points must be read for them.
pub fn pays(s: &ConvShape) -> bool {
    let square = s.kernel == [3, 3] && s.stride == [1, 1] && s.dilation == [1, 1] && s.groups == 1;
    let [oh, ow] = s.out();
    // An interpreter (Miri) has no time for more than a tile.
    let (channels, outputs) = if cfg!(miri) { (4, 16) } else { (16, 128) };
    square
        && s.padding.iter().all(|&p| p <= 2)
        && s.c_in.min(s.c_out) >= channels
        && oh.min(ow) >= 4
        && s.n * oh * ow >= outputs
}

/// The points of the weights, as [`forward`] wants them.
pub fn pack(s: &ConvShape, w: &[f32]) -> Scratch<f32> {
    let k = (s.c_in * 9) as isize;
    Tiles::of(s).taps(|panel, width, row, lanes| {
        let strip = Strip { data: w, start: row as isize * k, lane: k, step: 1 };
        interleave(panel, width, lanes, s.c_in * 9, strip)
    })
}

/// `y = ending(x ∗ w)` for packed weights; see [`conv2d`](super::conv2d).
pub fn forward(s: &ConvShape, x: &[f32], taps: &[f32], ending: &Ending<f32>, y: &mut [f32]) {
    Tiles::of(s).run(x, taps, ending, y);
}

/// The gradient of the input: a convolution of `g` with the taps turned around; see [`conv2d_data`](super::conv2d_data).
pub fn data(s: &ConvShape, g: &[f32], w: &[f32], dx: &mut [f32]) {
    let padding = s.padding.map(|p| 2 - p);
    let tiles = Tiles { n: s.n, from: s.c_out, to: s.c_in, size: s.out(), out: [s.h, s.w], padding };
    let taps = tiles.taps(|panel, width, row, lanes| {
        for (o, panel) in panel.chunks_exact_mut(9 * width).enumerate() {
            let start = ((o * s.c_in + row) * 9 + 8) as isize;
            interleave(panel, width, lanes, 9, Strip { data: w, start, lane: 9, step: -1 });
        }
    });
    tiles.run(g, &taps, &Ending::none(), dx);
}

/// A convolution as tiles: `from` channels of `size`, with `padding` zeros around them, to `to` channels of `out`.
struct Tiles {
    n: usize,
    from: usize,
    to: usize,
    size: [usize; 2],
    out: [usize; 2],
    padding: [usize; 2],
}

/// Bytes that the points of a block may take: of one operand, a third of an L2 cache.
const BLOCK: usize = 640 << 10;

/// Distance of two points' matrices: a cache line more than they need, or 36 of them could fall into one set of L1.
fn apart(elements: usize) -> usize {
    elements + 16
}

/// Bytes of taps from which blocks share their inputs' points and part the channels, so that each of the taps is read once
/// for many tiles. On two cores, 16 images: 256 channels of 14 × 14 7.1 → 5.5 ms, 512 channels of 7 × 7 11.7 → 5.2 ms.
const MANY_TAPS: usize = 4 << 20;

/// Tiles whose points are then shared.
const TOGETHER: usize = 128;

impl Tiles {
    fn of(s: &ConvShape) -> Tiles {
        Tiles { n: s.n, from: s.c_in, to: s.c_out, size: [s.h, s.w], out: s.out(), padding: s.padding }
    }

    /// Rows and columns of tiles of an image.
    fn grid(&self) -> [usize; 2] {
        self.out.map(|n| n.div_ceil(4))
    }

    /// The rows of tiles of all images in an even number of blocks, by size alone.
    fn blocks(&self, channels: usize) -> usize {
        let [rows, columns] = self.grid();
        let bytes = POINTS * channels * size_of::<f32>() * self.n * rows * columns;
        bytes.div_ceil(BLOCK).next_multiple_of(2).min(self.n * rows)
    }

    /// The taps' points, `[panel, point, from, width]`. `fill(panel, width, row, lanes)` writes taps `[from, 9, width]` of
    /// the `to` channels from `row` on.
    fn taps(&self, fill: impl Fn(&mut [f32], usize, usize, usize) + Sync) -> Scratch<f32> {
        let (_, width) = panels(self.to);
        let each = POINTS * self.from * width;
        let mut points = scratch(self.to.div_ceil(width) * each);
        for_chunks(&mut points, each, self.to * self.from * POINTS, |p, points| {
            let mut taps = scratch::<f32>(self.from * 9 * width);
            fill(&mut taps, width, p * width, width.min(self.to - p * width));
            dispatch(TapPoints { taps: &taps, points, width });
        });
        points
    }

    fn run(&self, x: &[f32], taps: &[f32], ending: &Ending<f32>, y: &mut [f32]) {
        let (high, columns) = (self.n * self.grid()[0], self.grid()[1]);
        let (from, _) = panels(self.from);
        let (_, width) = panels(self.to);
        let cost = self.n * self.from * self.to * self.out[0] * self.out[1] * 3;
        let out = Pieces::new(y);
        // SAFETY: each block below writes the outputs of its own rows of tiles and panel of channels.
        let finish = || Finish { y: unsafe { out.at(0) }, ending: *ending, plane: self.out[0] * self.out[1] };
        if size_of_val(taps) < MANY_TAPS {
            let blocks = self.blocks(self.from);
            return parallel(blocks, cost, |block| {
                let rows = high * block / blocks..high * (block + 1) / blocks;
                let each = apart(rows.len() * columns * from);
                let mut points = scratch::<f32>(POINTS * each);
                let to = Pieces::new(&mut points);
                dispatch(InputPoints { tiles: self, x, rows: rows.clone(), width: from, to, first: 0, each });
                for panel in 0..self.to.div_ceil(width) {
                    let (points, rows) = (&points[..], rows.clone());
                    dispatch(Sums { tiles: self, points, each, taps, rows, panel, finish: finish() });
                }
            });
        }
        let chunk = (TOGETHER / columns).max(1);
        let each = apart(chunk.min(high) * columns * from);
        let mut points = scratch::<f32>(POINTS * each);
        for first in (0..high).step_by(chunk) {
            let rows = first..high.min(first + chunk);
            let to = Pieces::new(&mut points);
            parallel(rows.len(), POINTS * rows.len() * columns * from, |row| {
                let (rows, first) = (first + row..first + row + 1, row * columns);
                dispatch(InputPoints { tiles: self, x, rows, width: from, to, first, each });
            });
            parallel(self.to.div_ceil(width), cost, |panel| {
                let (points, rows) = (&points[..], rows.clone());
                dispatch(Sums { tiles: self, points, each, taps, rows, panel, finish: finish() });
            });
        }
    }

    /// The images and their rows of tiles in a run of all images' rows: (image, first row, rows).
    fn images(&self, rows: Range<usize>) -> impl Iterator<Item = (usize, usize, usize)> {
        let [high, _] = self.grid();
        let images = rows.start / high..rows.end.div_ceil(high);
        images.map(move |n| {
            let (first, end) = (rows.start.max(n * high), rows.end.min((n + 1) * high));
            (n, first - n * high, end - first)
        })
    }

    /// The inputs of `count` rows of tiles of one image, channels last: 4 · count + 2 rows of 4 · columns + 2 points.
    fn unfold(&self, x: &[f32], first: usize, count: usize, width: usize, to: &mut [f32]) {
        let [h, w] = self.size;
        let columns = 4 * self.grid()[1] + 2;
        for (r, row) in to.chunks_exact_mut(columns * width).take(4 * count + 2).enumerate() {
            let y = (4 * first + r).wrapping_sub(self.padding[0]);
            if y >= h {
                row.fill(0.0);
                continue;
            }
            let (left, rest) = row.split_at_mut(self.padding[1] * width);
            let (inside, right) = rest.split_at_mut(w.min(columns - self.padding[1]) * width);
            left.fill(0.0);
            right.fill(0.0);
            channels_last::gather(inside, width, &x[y * w..], h * w, self.from);
        }
    }
}

/// `points[point, c, ..] = G taps[c] Gᵀ` for each input channel c and a panel of output channels.
struct TapPoints<'a> {
    taps: &'a [f32],
    points: &'a mut [f32],
    width: usize,
}

impl Kernel<f32> for TapPoints<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = f32>>(self) {
        let channels = self.taps.len() / (9 * self.width);
        assert!(self.points.len() >= POINTS * channels * self.width && self.width.is_multiple_of(L::N));
        for c in 0..channels {
            for v in (0..self.width).step_by(L::N) {
                // SAFETY: both slices hold a register at every (point, c, v).
                unsafe {
                    let from = self.taps.as_ptr().add(c * 9 * self.width + v);
                    let to = self.points.as_mut_ptr().add(c * self.width + v);
                    taps_square::<L>(
                        #[inline(always)]
                        |i, j| L::load(from.add((3 * i + j) * self.width)),
                        #[inline(always)]
                        |i, j, x| x.store(to.add((6 * i + j) * channels * self.width)),
                    );
                }
            }
        }
    }
}

/// The points of the inputs of a run of rows of tiles: `to[point][first + tile, channel]`, the points `each` apart.
struct InputPoints<'a> {
    tiles: &'a Tiles,
    x: &'a [f32],
    rows: Range<usize>,
    width: usize,
    to: Pieces<f32>,
    first: usize,
    each: usize,
}

impl Kernel<f32> for InputPoints<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = f32>>(self) {
        let InputPoints { tiles, width, each, .. } = self;
        let [high, columns] = tiles.grid();
        let count = self.rows.len() * columns;
        assert!((self.first + count) * width <= each && width.is_multiple_of(L::N));
        let line = (4 * columns + 2) * width;
        let mut store = scratch::<f32>((4 * self.rows.len().min(high) + 2) * line);
        // SAFETY: these tiles' points are written by this call alone; they lie in the slice, as its last shows.
        let mut to = unsafe {
            self.to.at((POINTS - 1) * each + (self.first + count) * width);
            self.to.at(self.first * width)
        };
        let image = tiles.from * tiles.size[0] * tiles.size[1];
        for (n, first, count) in tiles.images(self.rows) {
            tiles.unfold(&self.x[n * image..][..image], first, count, width, &mut store);
            for tile in 0..count * columns {
                let at = &store[tile / columns * 4 * line + tile % columns * 4 * width..];
                for c in (0..width).step_by(L::N) {
                    // SAFETY: the tile's 6 × 6 inputs lie in `store`, and its points in `to`.
                    unsafe {
                        let (from, to) = (at.as_ptr().add(c), to.add(c));
                        input_square::<L>(
                            #[inline(always)]
                            |i, j| L::load(from.add(i * line + j * width)),
                            #[inline(always)]
                            |i, j, x| x.store(to.add((6 * i + j) * each)),
                        );
                    }
                }
                to = to.wrapping_add(width);
            }
        }
    }
}

/// The outputs of some rows of tiles, of one panel of channels, from the points of their inputs.
struct Sums<'a> {
    tiles: &'a Tiles,
    points: &'a [f32],
    each: usize,
    taps: &'a [f32],
    rows: Range<usize>,
    panel: usize,
    finish: Finish<'a>,
}

impl Kernel<f32> for Sums<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = f32>>(self) {
        let Sums { tiles, points, each, .. } = self;
        let (from, _) = panels(tiles.from);
        let (_, width) = panels(tiles.to);
        let count = self.rows.len() * tiles.grid()[1];
        let sums_each = apart(count * width);
        let mut sums = scratch::<f32>(POINTS * sums_each);
        let matrix = tiles.from * width;
        let taps = &self.taps[self.panel * POINTS * matrix..][..POINTS * matrix];
        assert!(points.len() >= POINTS * each && count * from <= each);
        let pieces = tiles.from.div_ceil(STEPS);
        for point in 0..POINTS {
            for piece in 0..pieces {
                let steps = tiles.from * piece / pieces..tiles.from * (piece + 1) / pieces;
                // SAFETY: the three matrices of the point lie in their slices.
                unsafe {
                    Product {
                        rows: count,
                        runs: 1,
                        steps: steps.len(),
                        a: points.as_ptr().add(point * each + steps.start),
                        run: 0,
                        step: 1,
                        b: taps.as_ptr().add(point * matrix + steps.start * width),
                        width,
                        c: sums.as_mut_ptr().add(point * sums_each),
                        add: piece > 0,
                    }
                    .compute::<L>(
                        #[inline(always)]
                        |i| i * from,
                    );
                }
            }
        }
        // SAFETY: as above; the outputs are this call's own.
        unsafe { self.outputs::<L>(width, &sums, sums_each) };
    }
}

impl Sums<'_> {
    /// From sums to outputs.
    #[inline(always)]
    unsafe fn outputs<L: Lanes<Elem = f32>>(&self, width: usize, sums: &[f32], each: usize) {
        let Sums { tiles, panel, finish, .. } = self;
        let ([_, columns], [oh, ow]) = (tiles.grid(), tiles.out);
        let channel = panel * width;
        let mut patch = [0.0f32; 16 * 16];
        let mut sums = sums.as_ptr();
        for (n, first, count) in tiles.images(self.rows.clone()) {
            for tile in 0..count * columns {
                let (row, column) = (4 * (first + tile / columns), 4 * (tile % columns));
                let inside = Patch { rows: 4.min(oh - row), inside: 4.min(ow - column), columns: ow };
                for c in (0..width.min(tiles.to - channel)).step_by(L::N) {
                    let c0 = channel + c;
                    let there = L::N.min(tiles.to - c0);
                    // SAFETY: the points of a tile lie `each` apart; the patch lies inside its image's planes.
                    unsafe {
                        let bias = finish.ending.bias.map(
                            #[inline(always)]
                            |b| L::load_first(b[c0..].as_ptr(), there),
                        );
                        let norm = finish.ending.norm.map(
                            #[inline(always)]
                            |n| {
                                [n.mean, n.scale, n.shift].map(
                                    #[inline(always)]
                                    |values| L::load_first(values[c0..].as_ptr(), there),
                                )
                            },
                        );
                        let to = patch.as_mut_ptr();
                        output_square::<L>(
                            #[inline(always)]
                            |i, j| L::load(sums.add((6 * i + j) * each + c)),
                            #[inline(always)]
                            |i, j, mut x| {
                                if let Some(bias) = bias {
                                    x = x.add(bias);
                                }
                                if let Some([mean, scale, shift]) = norm {
                                    // A difference and a product, each rounded by itself; −0 leaves a product's sign.
                                    x = x.fma(mean, L::splat(-1.0));
                                    x = L::splat(-0.0).fma(x, scale).add(shift);
                                }
                                x.store(to.add((4 * i + j) * L::N))
                            },
                        );
                        let at = ((n * tiles.to + c0) * oh + row) * ow + column;
                        finish.patch(inside, to, L::N, there, at);
                    }
                }
                sums = sums.wrapping_add(width);
            }
        }
    }
}
