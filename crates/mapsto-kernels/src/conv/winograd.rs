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
//! The price is accuracy: with 16 to 150 channels, errors reach 9e-6 of the results' root mean square, where the direct
//! way's reach 1e-6. The test holds both to 2e-5. Hence f32 only: f64 is asked for when digits count.

mod multiply;
mod transform;
mod weight;

pub use weight::gradient;

use super::ConvShape;
use super::channels_last::{self, Patch};
use crate::gemm::lanes::{Kernel, Lanes, dispatch};
use crate::gemm::pack::{Strip, interleave};
use crate::gemm::{Activation, sizes};
use crate::threads::{Pieces, for_chunks, parallel};
use crate::workspace::{Scratch, scratch};
use multiply::{Product, across};
use std::ops::Range;
use transform::{POINTS, input_square, output_square, taps_square};

/// Whether this way is the faster one of a shape's forward pass and gradients, by measurement.
pub fn pays(s: &ConvShape) -> bool {
    let square = s.kernel == [3, 3] && s.stride == [1, 1] && s.dilation == [1, 1] && s.groups == 1;
    let [oh, ow] = s.out();
    square
        && s.padding.iter().all(|&p| p <= 2)
        && s.c_in.min(s.c_out) >= 16
        && oh.min(ow) >= 4
        && s.n * oh * ow >= 256
}

/// `y = activation(bias + x ∗ w)`; see [`conv2d`](super::conv2d).
pub fn forward(
    s: &ConvShape,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    activation: Activation,
    y: &mut [f32],
) {
    let tiles =
        Tiles { n: s.n, from: s.c_in, to: s.c_out, size: [s.h, s.w], out: s.out(), padding: s.padding };
    let taps = tiles.taps(|panel, width, row, lanes| {
        let k = s.c_in * 9;
        interleave(
            panel,
            width,
            lanes,
            k,
            Strip { data: w, start: (row * k) as isize, lane: k as isize, step: 1 },
        )
    });
    tiles.run(x, &taps, bias, activation == Activation::Relu, y);
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
    tiles.run(g, &taps, None, false, dx);
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

/// Channels rounded up to registers, and the width of equal panels of them.
fn panels(channels: usize) -> (usize, usize) {
    struct Across;
    impl Kernel<f32> for Across {
        type Out = usize;
        #[inline(always)]
        unsafe fn run<L: Lanes<Elem = f32>>(self) -> usize {
            across::<L>()
        }
    }
    let (_, lanes) = sizes::<f32>();
    let registers = channels.div_ceil(lanes);
    let width = registers.div_ceil(registers.div_ceil(dispatch(Across))) * lanes;
    (registers * lanes, width)
}

impl Tiles {
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

    fn run(&self, x: &[f32], taps: &[f32], bias: Option<&[f32]>, relu: bool, y: &mut [f32]) {
        let [rows, _] = self.grid();
        let blocks = self.blocks(self.from);
        let out = Pieces::new(y);
        parallel(blocks, self.n * self.from * self.to * self.out[0] * self.out[1] * 3, |block| {
            let range = self.n * rows * block / blocks..self.n * rows * (block + 1) / blocks;
            // SAFETY: each block writes the outputs of its own rows of tiles.
            dispatch(Block { tiles: self, x, taps, bias, relu, rows: range, y: unsafe { out.at(0) } });
        });
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

/// The points of the inputs of a run of rows of tiles: `points[point][tile, channel]`, [`apart`].
struct InputPoints<'a> {
    tiles: &'a Tiles,
    x: &'a [f32],
    rows: Range<usize>,
    width: usize,
    points: &'a mut [f32],
}

impl InputPoints<'_> {
    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = f32>>(self) {
        let (tiles, width) = (self.tiles, self.width);
        let [high, columns] = tiles.grid();
        let each = apart(self.rows.len() * columns * width);
        assert!(self.points.len() >= POINTS * each && width.is_multiple_of(L::N));
        let line = (4 * columns + 2) * width;
        let mut store = scratch::<f32>((4 * self.rows.len().min(high) + 2) * line);
        let mut to = self.points.as_mut_ptr();
        let image = tiles.from * tiles.size[0] * tiles.size[1];
        for (n, first, count) in tiles.images(self.rows) {
            tiles.unfold(&self.x[n * image..][..image], first, count, width, &mut store);
            for tile in 0..count * columns {
                let at = &store[tile / columns * 4 * line + tile % columns * 4 * width..];
                for c in (0..width).step_by(L::N) {
                    // SAFETY: the tile's 6 × 6 inputs lie in `store`, and its points in `self.points`.
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

/// One block: some rows of tiles, all output channels.
struct Block<'a> {
    tiles: &'a Tiles,
    x: &'a [f32],
    taps: &'a [f32],
    bias: Option<&'a [f32]>,
    relu: bool,
    rows: Range<usize>,
    y: *mut f32,
}

impl Kernel<f32> for Block<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = f32>>(self) {
        let tiles = self.tiles;
        let (from, _) = panels(tiles.from);
        let (_, width) = panels(tiles.to);
        let count = self.rows.len() * tiles.grid()[1];
        let (each, sums_each) = (apart(count * from), apart(count * width));
        let mut points = scratch::<f32>(POINTS * each);
        let mut sums = scratch::<f32>(POINTS * sums_each);
        let rows = self.rows.clone();
        // SAFETY: this runs in the register's family.
        unsafe {
            InputPoints { tiles, x: self.x, rows, width: from, points: &mut points }.run::<L>();
        }
        for (p, taps) in self.taps.chunks_exact(POINTS * tiles.from * width).enumerate() {
            for point in 0..POINTS {
                // SAFETY: the three matrices of the point lie in their slices.
                unsafe {
                    Product {
                        rows: count,
                        steps: tiles.from,
                        a: points.as_ptr().add(point * each),
                        row: from,
                        step: 1,
                        b: taps.as_ptr().add(point * tiles.from * width),
                        width,
                        c: sums.as_mut_ptr().add(point * sums_each),
                        add: false,
                    }
                    .run::<L>();
                }
            }
            // SAFETY: as above; the block's outputs are its own.
            unsafe { self.outputs::<L>(p * width, width, &sums, sums_each) };
        }
    }
}

impl Block<'_> {
    /// From sums to outputs, for the panel of channels from `channel` on.
    #[inline(always)]
    unsafe fn outputs<L: Lanes<Elem = f32>>(&self, channel: usize, width: usize, sums: &[f32], each: usize) {
        let tiles = self.tiles;
        let ([_, columns], [oh, ow]) = (tiles.grid(), tiles.out);
        let mut patch = [0.0f32; 16 * 16];
        let mut sums = sums.as_ptr();
        for (n, first, count) in tiles.images(self.rows.clone()) {
            for tile in 0..count * columns {
                let (row, column) = (4 * (first + tile / columns), 4 * (tile % columns));
                for c in (0..width.min(tiles.to - channel)).step_by(L::N) {
                    let c0 = channel + c;
                    let there = L::N.min(tiles.to - c0);
                    // SAFETY: the points of a tile lie `each` apart; the patch lies inside its image's planes.
                    unsafe {
                        let bias = match self.bias {
                            Some(bias) => L::load_first(bias[c0..].as_ptr(), there),
                            None => L::splat(0.0),
                        };
                        let to = patch.as_mut_ptr();
                        output_square::<L>(
                            #[inline(always)]
                            |i, j| L::load(sums.add((6 * i + j) * each + c)),
                            #[inline(always)]
                            |i, j, x| {
                                let x = x.add(bias);
                                let x = if self.relu { x.relu() } else { x };
                                x.store(to.add((4 * i + j) * L::N))
                            },
                        );
                        Patch {
                            channels: there,
                            plane: oh * ow,
                            columns: ow,
                            rows: 4.min(oh - row),
                            inside: 4.min(ow - column),
                        }
                        .scatter(
                            to,
                            L::N,
                            self.y.add(((n * tiles.to + c0) * oh + row) * ow + column),
                        );
                    }
                }
                sums = sums.wrapping_add(width);
            }
        }
    }
}
