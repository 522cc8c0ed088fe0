//! Products of a handful of numbers, and of one row or column: plain loops, and one pass over the matrix.

use super::lanes::{Float, Kernel, Lanes, dispatch};
use super::mat::{Mat, shifted};
use super::read::Read;
use super::tile::Finish;
use crate::elements::elements;
use crate::simd;
use crate::threads::{Pieces, for_chunks, parallel};
use crate::workspace::scratch_copy;

/// C (+)= A·B by plain loops, for a handful of multiplications.
pub fn tiny<T: Float>(a: Mat<T>, b: Mat<T>, c: &mut [T], add: bool) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert!(c.len() >= elements([m, n]));
    let (rows, columns) = (a.data.as_ptr().wrapping_add(a.offset), b.data.as_ptr().wrapping_add(b.offset));
    for i in 0..m {
        for j in 0..n {
            let x = rows.wrapping_offset(i as isize * a.row_stride);
            let y = columns.wrapping_offset(j as isize * b.col_stride);
            let mut sum = if add { c[i * n + j] } else { T::default() };
            for k in 0..k as isize {
                // SAFETY: `Mat::check` found every element of both inside its slice.
                sum += unsafe { *x.wrapping_offset(k * a.col_stride) * *y.wrapping_offset(k * b.row_stride) };
            }
            c[i * n + j] = sum;
        }
    }
}

/// y (+)= x·B for a row x of B.rows numbers: one pass over B, the only cost.
///
/// Where B's rows are dense, blocks of columns are summed in registers down the rows; where its columns are, each is a
/// dot product; any other layout is read number by number. Long sums are made of halves, so that they keep their digits.
///
/// B may hold halves, which are widened as they are read: 1 × 4096 · 4096² in bf16 then takes half of the time of f32, as memory does.
pub fn row_times<T: Float, S: Read<T>>(x: Mat<T>, b: Mat<S>, y: &mut [T], add: bool) {
    let (k, n) = (b.rows, b.cols);
    let copy;
    let x = if x.col_stride == 1 {
        let start = x.index(0, 0) as usize;
        &x.data[start..start + k]
    } else {
        copy = scratch_copy((0..k).map(|i| x.at(0, i)));
        &*copy
    };
    let pieces = Pieces::new(y);
    parallel(n.div_ceil(BLOCK), elements([k, n]), |block| {
        let j = block * BLOCK;
        let cols = BLOCK.min(n - j);
        // SAFETY: each block of columns is given to one call.
        let y = unsafe { pieces.get(j, cols) };
        let b = Mat { cols, offset: b.index(0, j) as usize, ..b };
        if !add {
            y.fill(T::default());
        }
        add_product(x, b, y);
    });
}

/// Columns that are taken together.
const BLOCK: usize = 256;
/// So many numbers are added one to another; more are summed in parts, since each addition is rounded: a million equal
/// numbers lost two digits of their sum.
pub const SERIAL: usize = 256;
/// The same where they are shared among the lanes of four registers.
const SERIAL_ALONG: usize = 4096;

/// y += x·B for at most [`BLOCK`] columns. More rows than are added one to another are cut in the middle.
fn add_product<T: Float, S: Read<T>>(x: &[T], b: Mat<S>, y: &mut [T]) {
    let along = b.row_stride == 1 && (b.col_stride != 1 || b.cols == 1);
    let most = if along { SERIAL_ALONG } else { SERIAL };
    if x.len() > most {
        let middle = (x.len() / 2).next_multiple_of(most);
        let ((first, second), mut part) = (x.split_at(middle), [T::default(); BLOCK]);
        let part = &mut part[..y.len()];
        add_product(first, Mat { rows: middle, ..b }, y);
        let offset = shifted(b.offset, middle, b.row_stride);
        add_product(second, Mat { rows: second.len(), offset, ..b }, part);
        return y.iter_mut().zip(part).for_each(|(y, x)| *y += *x);
    }
    if along {
        dispatch(Along { x, b, y });
    } else if b.col_stride == 1 {
        dispatch(Down { x, b, y });
    } else {
        simd::vectorize(|| {
            for (j, y) in y.iter_mut().enumerate() {
                let mut sum = T::default();
                for (i, &x) in x.iter().enumerate() {
                    sum += x * b.at(i, j).wide();
                }
                *y += sum;
            }
        });
    }
}

/// y += x·B, B's rows dense: four registers of columns, summed down the rows.
struct Down<'a, T, S> {
    x: &'a [T],
    b: Mat<'a, S>,
    y: &'a mut [T],
}

impl<T: Float, S: Read<T>> Kernel<T> for Down<'_, T, S> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) {
        let Down { x, b, y } = self;
        let n = y.len();
        let mut j = 0;
        // SAFETY: `Mat` has checked that all of B lies in its slice; column j + 4N ≤ n, or only n - j lanes are used.
        unsafe {
            let base = b.data.as_ptr().add(b.offset);
            while j + 4 * L::N <= n {
                let mut sum = [L::splat(T::default()); 4];
                for (i, &x) in x.iter().enumerate() {
                    let (row, x) = (base.offset(i as isize * b.row_stride).add(j), L::splat(x));
                    for v in 0..4 {
                        sum[v] = sum[v].fma(x, S::load::<L>(row.add(v * L::N)));
                    }
                }
                for v in 0..4 {
                    let y = y.as_mut_ptr().add(j + v * L::N);
                    sum[v].add(L::load(y)).store(y);
                }
                j += 4 * L::N;
            }
            while j < n {
                // Four sums of every fourth row, which do not wait for each other.
                let (w, mut sums) = (L::N.min(n - j), [L::splat(T::default()); 4]);
                let start = base.add(j);
                for (i, x) in x.chunks(4).enumerate() {
                    for (r, &x) in x.iter().enumerate() {
                        let row = start.offset((4 * i + r) as isize * b.row_stride);
                        sums[r] = sums[r].fma(L::splat(x), S::load_first::<L>(row, w));
                    }
                }
                let sum = sums[0].add(sums[1]).add(sums[2].add(sums[3]));
                let y = y.as_mut_ptr().add(j);
                sum.add(L::load_first(y, w)).store_first(y, w);
                j += w;
            }
        }
    }
}

/// y += x·B, B's columns dense: each column's dot product, in four registers of partial sums.
struct Along<'a, T, S> {
    x: &'a [T],
    b: Mat<'a, S>,
    y: &'a mut [T],
}

impl<T: Float, S: Read<T>> Kernel<T> for Along<'_, T, S> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) {
        let Along { x, b, y } = self;
        for (j, y) in y.iter_mut().enumerate() {
            // SAFETY: `Mat` has checked that all of B lies in its slice, so column j has x.len() elements from here.
            unsafe {
                let column = b.data.as_ptr().offset(b.index(0, j));
                let mut sum = [L::splat(T::default()); 4];
                let mut i = 0;
                while i + 4 * L::N <= x.len() {
                    for v in 0..4 {
                        let at = i + v * L::N;
                        sum[v] = sum[v].fma(L::load(x.as_ptr().add(at)), S::load::<L>(column.add(at)));
                    }
                    i += 4 * L::N;
                }
                while i < x.len() {
                    let w = L::N.min(x.len() - i);
                    let x = L::load_first(x.as_ptr().add(i), w);
                    sum[0] = sum[0].fma(x, S::load_first::<L>(column.add(i), w));
                    i += w;
                }
                *y += sum[0].add(sum[1]).add(sum[2].add(sum[3])).sum();
            }
        }
    }
}

/// C (+)= Yᵀ, where C has `n` columns: by squares, so that both sides stay in the cache.
pub fn turn<T: Float>(y: &[T], c: &mut [T], n: usize, add: bool) {
    const SIDE: usize = 16;
    let m = c.len() / n;
    for_chunks(c, SIDE * n, y.len(), |block, c| {
        for j in (0..n).step_by(SIDE) {
            for (i, row) in c.chunks_exact_mut(n).enumerate() {
                for (j, c) in row.iter_mut().enumerate().skip(j).take(SIDE) {
                    let x = y[j * m + block * SIDE + i];
                    if add { *c += x } else { *c = x }
                }
            }
        }
    });
}

/// What finishes a product that was summed in memory.
pub fn after<T: Float>(c: &mut [T], n: usize, finish: Finish<T>) {
    if let Some(bias) = finish.bias {
        c.chunks_exact_mut(n).for_each(|row| row.iter_mut().zip(bias).for_each(|(y, &b)| *y += b));
    }
    if finish.relu {
        c.iter_mut().for_each(|y| *y = if *y <= T::default() { T::default() } else { *y });
    }
}
