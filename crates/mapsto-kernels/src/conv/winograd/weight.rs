//! The gradient of the weights in Winograd's points: `Gᵀ (Σ (Bᵀ x B) (A g Aᵀ)) G`, a product over all tiles at each point.

use super::super::channels_last;
use super::super::multiply::{Product, panels};
use super::transform::{POINTS, output_square_adjoint, taps_square_adjoint};
use super::{InputPoints, Tiles, apart};
use crate::conv::ConvShape;
use crate::gemm::lanes::{Kernel, Lanes, dispatch};
use crate::gemm::pack::{Strip, interleave};
use crate::threads::{Pieces, parallel};
use crate::workspace::scratch;

/// Blocks of tiles are summed in at most this many runs, whose sums are then added in order.
const RUNS: usize = 8;

/// Loop nest: runs of blocks of tiles (in parallel) › blocks › inputs and gradients to points › panels of output channels ›
/// points › products over the block's tiles. See [`conv2d_weight`](crate::conv::conv2d_weight).
pub fn gradient(s: &ConvShape, x: &[f32], g: &[f32], dw: &mut [f32]) {
    let tiles = Tiles::of(s);
    let (_, width) = panels(s.c_out);
    let wide = s.c_out.div_ceil(width);
    let size = POINTS * s.c_in * width;
    let blocks = tiles.blocks(s.c_in.max(s.c_out));
    let runs = RUNS.min(blocks);
    let rows = s.n * tiles.grid()[0];
    let mut partial = scratch::<f32>(runs * wide * size);
    let out = Pieces::new(&mut partial);
    parallel(runs, s.macs() / 3, |run| {
        // SAFETY: each run has its own piece.
        let sums = unsafe { out.get(run * wide * size, wide * size) };
        sums.fill(0.0);
        for block in blocks * run / runs..blocks * (run + 1) / runs {
            let rows = rows * block / blocks..rows * (block + 1) / blocks;
            dispatch(Correlate { tiles: &tiles, x, g, rows, sums });
        }
    });
    let partial: &[f32] = &partial;
    let out = Pieces::new(dw);
    parallel(wide, runs * wide * size, |panel| {
        let channels = width.min(s.c_out - panel * width);
        let mut taps = scratch::<f32>(s.c_in * 9 * width);
        dispatch(Taps { partial, runs, panel, wide, size, width, taps: &mut taps });
        // SAFETY: each panel has channels of its own.
        let dw = unsafe { out.get(panel * width * s.c_in * 9, channels * s.c_in * 9) };
        let strip = Strip { data: &taps, start: 0, lane: width as isize, step: 1 };
        interleave(dw, s.c_in * 9, s.c_in * 9, channels, strip);
    });
}

/// `sums[panel][point][c, o] += Σ input[point][tile, c] · gradient[point][tile, o]` over some rows of tiles.
struct Correlate<'a> {
    tiles: &'a Tiles,
    x: &'a [f32],
    g: &'a [f32],
    rows: std::ops::Range<usize>,
    sums: &'a mut [f32],
}

impl Kernel<f32> for Correlate<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = f32>>(self) {
        let tiles = self.tiles;
        let ((from, _), (_, width)) = (panels(tiles.from), panels(tiles.to));
        let wide = tiles.to.div_ceil(width);
        assert!(self.sums.len() >= wide * POINTS * tiles.from * width);
        let count = self.rows.len() * tiles.grid()[1];
        let (each, gradients_each) = (apart(count * from), apart(count * width));
        let mut inputs = scratch::<f32>(POINTS * each);
        let mut gradients = scratch::<f32>(wide * POINTS * gradients_each);
        let rows = self.rows.clone();
        // SAFETY: this runs in the register's family; each point's matrices lie in their slices.
        unsafe {
            let to = Pieces::new(&mut inputs);
            InputPoints { tiles, x: self.x, rows, width: from, to, first: 0, each }.run::<L>();
            self.gradient_points::<L>(width, &mut gradients, gradients_each);
            for panel in 0..wide {
                for point in 0..POINTS {
                    Product {
                        rows: tiles.from,
                        runs: 1,
                        steps: count,
                        a: inputs.as_ptr().add(point * each),
                        run: 0,
                        step: from,
                        b: gradients.as_ptr().add((panel * POINTS + point) * gradients_each),
                        width,
                        c: self.sums.as_mut_ptr().add((panel * POINTS + point) * tiles.from * width),
                        add: true,
                    }
                    .compute::<L>(
                        #[inline(always)]
                        |c| c,
                    );
                }
            }
        }
    }
}

impl Correlate<'_> {
    /// `points[panel][point][tile, o]`, each matrix `each` elements from the next.
    #[inline(always)]
    unsafe fn gradient_points<L: Lanes<Elem = f32>>(&self, width: usize, points: &mut [f32], each: usize) {
        let tiles = self.tiles;
        let ([high, columns], [oh, ow]) = (tiles.grid(), tiles.out);
        let (line, channels) = (4 * columns * width, tiles.to);
        let mut store = scratch::<f32>(4 * self.rows.len().min(high) * line);
        for panel in 0..channels.div_ceil(width) {
            let there = width.min(channels - panel * width);
            let mut to = points[panel * POINTS * each..][..POINTS * each].as_mut_ptr();
            for (n, first, count) in tiles.images(self.rows.clone()) {
                let g = &self.g[(n * channels + panel * width) * oh * ow..][..there * oh * ow];
                for (r, row) in store.chunks_exact_mut(line).take(4 * count).enumerate() {
                    let y = 4 * first + r;
                    let (inside, right) = row.split_at_mut(if y < oh { ow * width } else { 0 });
                    right.fill(0.0);
                    if y < oh {
                        channels_last::gather(inside, width, &g[y * ow..], oh * ow, there);
                    }
                }
                for tile in 0..count * columns {
                    let at = &store[tile / columns * 4 * line + tile % columns * 4 * width..];
                    for c in (0..width).step_by(L::N) {
                        // SAFETY: the tile's 4 × 4 gradients lie in `store`, and its points in `points`.
                        unsafe {
                            let (from, to) = (at.as_ptr().add(c), to.add(c));
                            output_square_adjoint::<L>(
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
}

/// `taps[c, tap, o]` of one panel: the runs' sums, added in order, taken back from points to taps.
struct Taps<'a> {
    partial: &'a [f32],
    runs: usize,
    panel: usize,
    wide: usize,
    size: usize,
    width: usize,
    taps: &'a mut [f32],
}

impl Kernel<f32> for Taps<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = f32>>(self) {
        let Taps { partial, runs, panel, wide, size, width, taps } = self;
        let channels = size / (POINTS * width);
        assert!(partial.len() >= runs * wide * size && taps.len() >= channels * 9 * width);
        for c in 0..channels {
            for v in (0..width).step_by(L::N) {
                // SAFETY: both slices hold a register at every place named.
                unsafe {
                    let to = taps.as_mut_ptr().add(c * 9 * width + v);
                    let from = partial.as_ptr().add(panel * size + c * width + v);
                    taps_square_adjoint::<L>(
                        #[inline(always)]
                        |i, j| {
                            let from = from.add((6 * i + j) * channels * width);
                            let mut sum = L::load(from);
                            for run in 1..runs {
                                sum = sum.add(L::load(from.add(run * wide * size)));
                            }
                            sum
                        },
                        #[inline(always)]
                        |i, j, x| x.store(to.add((3 * i + j) * width)),
                    );
                }
            }
        }
    }
}
