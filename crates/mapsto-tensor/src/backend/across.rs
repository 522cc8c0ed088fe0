//! Operands that lie across the result, as the transpose in `a + bᵀ`: blocks of 16 rows, so that each cache line of such
//! an operand is read once and not once for each of the 16 numbers in it.

use super::tiles::{Call, Compute, INPUTS};
use crate::Tensor;
use crate::dtype::DType;
use crate::layout::Layout;
use crate::storage::Plain;
use mapsto_kernels::cast::{Cast, cast};
use mapsto_kernels::threads::for_chunks;

/// Rows of a block: as many f32 as a cache line holds.
const ROWS: usize = 16;
const COLUMNS: usize = 64;

/// Whether blocks pay: the merged layouts have two axes, and along the inner one an operand strides.
pub(super) fn lies_across(layouts: &[Layout]) -> bool {
    layouts.first().is_some_and(|l| l.shape().len() == 2 && l.shape().iter().all(|n| *n >= ROWS))
        && layouts.iter().any(|l| l.strides()[0] == 1 && l.strides()[1].unsigned_abs() > 1)
}

/// Runs an operation over two axes, block by block, into the bytes of row-major `y`.
pub(super) fn run<C: Compute>(
    call: &Call<'_>,
    xs: &[&Tensor],
    layouts: &[Layout],
    dtype: DType,
    y: &mut [u8],
) {
    let (columns, size) = (layouts[0].shape()[1], dtype.size());
    let work = 4 * (y.len() / size);
    for_chunks(y, ROWS * columns * size, work, |i, y| {
        let mut buffers = [[<C as Default>::default(); ROWS * COLUMNS]; 1 + INPUTS];
        let rows = y.len() / (columns * size);
        for first in (0..columns).step_by(COLUMNS) {
            let width = COLUMNS.min(columns - first);
            let (result, rest) = buffers.split_at_mut(1);
            let mut tiles: [&[C]; INPUTS] = [&[]; INPUTS];
            for (((x, layout), buffer), tile) in xs.iter().zip(layouts).zip(rest).zip(&mut tiles) {
                C::load_block(x, layout, [i * ROWS, first], width, &mut buffer[..rows * width]);
                *tile = &buffer[..rows * width];
            }
            let result = &mut result[0][..rows * width];
            call.run(&tiles[..xs.len()], result);
            for (from, to) in result.chunks(width).zip(y.chunks_mut(columns * size)) {
                C::store(from, dtype, &mut to[first * size..][..width * size]);
            }
        }
    });
}

/// Reads the block that starts at a row and a column, row by row or down the columns.
pub(super) fn load_block<S: Plain + Cast<C>, C: Compute>(
    x: &Tensor,
    layout: &Layout,
    [row, column]: [usize; 2],
    width: usize,
    to: &mut [C],
) {
    let from = x.storage().as_slice::<S>();
    let [down, along] = [layout.strides()[0], layout.strides()[1]];
    let at = |r: usize, c: usize| {
        (layout.offset() as isize + (row + r) as isize * down + (column + c) as isize * along) as usize
    };
    let rows = to.len() / width;
    if down == 1 {
        for c in 0..width {
            let from = &from[at(0, c)..][..rows];
            from.iter().enumerate().for_each(|(r, f)| to[r * width + c] = f.cast());
        }
        return;
    }
    for (r, to) in to.chunks_mut(width).enumerate() {
        match along {
            1 => cast(&from[at(r, 0)..][..width], to),
            0 => to.fill(from[at(r, 0)].cast()),
            _ => to.iter_mut().enumerate().for_each(|(c, t)| *t = from[at(r, c)].cast()),
        }
    }
}

#[test]
fn blocks_are_what_single_elements_are() {
    use crate::prelude::*;
    for (n, m) in [(16, 16), (17, 65), (70, 130), (33, 16)] {
        let a = Tensor::randn([n, m]);
        let b = Tensor::randn([m, n]);
        let (y, z) = (&a + b.permute([1, 0]), a.permute([1, 0]).exp());
        let (av, bv) = (a.to_vec::<f32>(), b.to_vec::<f32>());
        let (yv, zv) = (y.to_vec::<f32>(), z.to_vec::<f32>());
        let exp = a.exp().to_vec::<f32>();
        for i in 0..n {
            for j in 0..m {
                assert_eq!(yv[i * m + j], av[i * m + j] + bv[j * n + i], "{i}, {j} of {n} × {m}");
                assert_eq!(zv[j * n + i], exp[i * m + j], "{i}, {j} of {n} × {m}");
            }
        }
        let half = (a.to(DType::BF16) + b.to(DType::BF16).permute([1, 0])).to_vec::<f32>();
        let want = (a.to(DType::BF16) + b.permute([1, 0]).contiguous().to(DType::BF16)).to_vec::<f32>();
        assert_eq!(half, want);
        let row = Tensor::randn([m]);
        let broadcast = b.permute([1, 0]) * &row;
        assert_eq!(broadcast.to_vec::<f32>(), (b.permute([1, 0]).contiguous() * &row).to_vec::<f32>());
    }
}
