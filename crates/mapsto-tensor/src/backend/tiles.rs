//! The one traversal of the CPU: any layout and dtype is read tile by tile into plain slices that kernels can run over.
//!
//! Neighbouring axes are merged first; then a tile of the result is a few even runs of each input. An input that lies
//! in row-major order in its computing type is not copied at all. Tiles are 1024 elements: three f64 inputs and the
//! result stay within 32 KiB of L1.

use super::MapOp;
use super::host::with_type;
use crate::dtype::{Class, DType, Element};
use crate::layout::Layout;
use crate::shape::Shape;
use crate::storage::{Plain, Storage};
use crate::{Device, Tensor};
use mapsto_kernels::threads::for_chunks;
use smallvec::SmallVec;

const TILE: usize = 1024;
/// As much as one cache line of each input.
const SHORT: usize = 16;
/// The most inputs of an elementwise operation.
const INPUTS: usize = 3;
/// What one thread takes at a time.
pub(crate) const CHUNK: usize = 16 * TILE;

/// A type that tiles are computed in.
trait Compute: Plain {
    fn run(op: &dyn MapOp, xs: &[&[Self]], y: &mut [Self]);
}
impl Compute for f32 {
    fn run(op: &dyn MapOp, xs: &[&[f32]], y: &mut [f32]) {
        op.f32(xs, y)
    }
}
impl Compute for f64 {
    fn run(op: &dyn MapOp, xs: &[&[f64]], y: &mut [f64]) {
        op.f64(xs, y)
    }
}
impl Compute for i64 {
    fn run(op: &dyn MapOp, xs: &[&[i64]], y: &mut [i64]) {
        op.i64(xs, y)
    }
}

/// The elementwise primitive of the CPU.
pub(super) fn map(op: &dyn MapOp, xs: &[&Tensor], shape: &Shape, dtype: DType) -> Tensor {
    let class = xs.last().map_or(dtype.class(), |x| x.dtype().class());
    match class {
        Class::F32 => map_in::<f32>(op, xs, shape, dtype),
        Class::F64 => map_in::<f64>(op, xs, shape, dtype),
        Class::I64 => map_in::<i64>(op, xs, shape, dtype),
    }
}

fn map_in<C: Compute>(op: &dyn MapOp, xs: &[&Tensor], shape: &Shape, dtype: DType) -> Tensor {
    let count = shape.count();
    let mut out = Storage::new(Device::cpu(), count, dtype);
    let mut whole: [&[C]; INPUTS] = [&[]; INPUTS];
    let all = whole.iter_mut().zip(xs).all(|(whole, x)| straight(x, shape).map(|x| *whole = x).is_some());
    if all && dtype == C::DTYPE {
        let y = &mut out.as_mut_slice::<C>()[..count];
        if count <= CHUNK {
            C::run(op, &whole[..xs.len()], y);
        } else {
            for_chunks(y, CHUNK, 2 * count, |i, y| {
                let tiles = whole.map(|x| x.get(i * CHUNK..i * CHUNK + y.len()).unwrap_or_default());
                C::run(op, &tiles[..xs.len()], y)
            });
        }
        return Tensor::from_storage(out, *shape, dtype);
    }
    let straight: SmallVec<[Option<&[C]>; INPUTS]> = xs.iter().map(|x| straight(x, shape)).collect();
    let mut layouts: SmallVec<[Layout; INPUTS]> = xs.iter().map(|x| x.layout().broadcast_to(shape)).collect();
    Layout::coalesce(&mut layouts);
    with_type!(dtype, S => {
        let y = &mut out.as_mut_slice::<S>()[..count];
        for_chunks(y, CHUNK, 4 * count, |i, y| {
            // Clearing whole tiles would take longer than all else on a few numbers.
            let (mut short, mut long);
            let mut buffers: [&mut [C]; 1 + INPUTS] = if y.len() <= SHORT {
                short = [[C::default(); SHORT]; 1 + INPUTS];
                short.each_mut().map(|b| &mut b[..])
            } else {
                long = [[C::default(); TILE]; 1 + INPUTS];
                long.each_mut().map(|b| &mut b[..])
            };
            for (j, y) in y.chunks_mut(TILE).enumerate() {
                let start = i * CHUNK + j * TILE;
                let (result, rest) = buffers.split_at_mut(1);
                let mut tiles: [&[C]; INPUTS] = [&[]; INPUTS];
                for (((tile, (x, layout)), straight), buffer) in tiles.iter_mut().zip(xs.iter().zip(&layouts)).zip(&straight).zip(rest) {
                    *tile = match straight {
                        Some(s) => &s[start..start + y.len()],
                        None => {
                            load(x, layout, start, &mut buffer[..y.len()]);
                            &buffer[..y.len()]
                        }
                    };
                }
                C::run(op, &tiles[..xs.len()], &mut result[0][..y.len()]);
                store(&result[0][..y.len()], dtype, y);
            }
        });
    });
    Tensor::from_storage(out, *shape, dtype)
}

/// The elements of an input that needs neither conversion nor another order.
fn straight<'a, C: Compute>(x: &'a Tensor, shape: &Shape) -> Option<&'a [C]> {
    if x.shape_of() == shape { x.as_slice() } else { None }
}

/// Writes computed numbers in the type they are stored in; booleans become 0 and 1.
fn store<C: Element, S: Element>(from: &[C], dtype: DType, to: &mut [S]) {
    if dtype == DType::Bool {
        to.iter_mut().zip(from).for_each(|(t, f)| *t = S::from_i64((*f != C::default()) as i64));
    } else {
        to.iter_mut().zip(from).for_each(|(t, f)| *t = f.convert());
    }
}

/// Reads the tile that starts at element `start` of a layout.
fn load<C: Compute>(x: &Tensor, layout: &Layout, start: usize, to: &mut [C]) {
    with_type!(x.dtype(), S => {
        let from = x.storage().as_slice::<S>();
        runs(layout, start, to.len(), |at, step, to_range| {
            let to = &mut to[to_range];
            match step {
                1 => to.iter_mut().zip(&from[at as usize..]).for_each(|(t, f)| *t = f.convert()),
                0 => to.fill(from[at as usize].convert()),
                _ => to.iter_mut().enumerate().for_each(|(i, t)| *t = from[(at + i as isize * step) as usize].convert()),
            }
        })
    })
}

/// Walks `count` elements of a layout from element `start` on, in even runs: `visit(address, step, range)`.
fn runs(
    layout: &Layout,
    start: usize,
    count: usize,
    mut visit: impl FnMut(isize, isize, std::ops::Range<usize>),
) {
    let rank = layout.shape().len();
    if rank == 0 {
        if count > 0 {
            visit(layout.offset() as isize, 0, 0..count);
        }
        return;
    }
    let (shape, strides) = (layout.shape(), layout.strides());
    let mut at = [0usize; crate::MAX_RANK];
    let (mut rest, mut address) = (start, layout.offset() as isize);
    for i in (0..rank).rev() {
        at[i] = rest % shape[i].max(1);
        rest /= shape[i].max(1);
        address += at[i] as isize * strides[i];
    }
    let (inner, step) = (shape[rank - 1], strides[rank - 1]);
    let mut done = 0;
    while done < count {
        let run = (inner - at[rank - 1]).min(count - done);
        visit(address, step, done..done + run);
        done += run;
        at[rank - 1] += run;
        address += run as isize * step;
        let mut i = rank - 1;
        while at[i] == shape[i] && i > 0 {
            address += strides[i - 1] - at[i] as isize * strides[i];
            at[i] = 0;
            i -= 1;
            at[i] += 1;
        }
    }
}

/// Reads every element in row-major order, in the type it is stored in.
pub(super) fn read_all<T: Plain>(x: &Tensor, to: &mut [T]) {
    let mut layouts = [*x.layout()];
    Layout::coalesce(&mut layouts);
    let from = x.storage().as_slice::<T>();
    for_chunks(to, CHUNK, x.len(), |i, to| {
        runs(&layouts[0], i * CHUNK, to.len(), |at, step, range| {
            let to = &mut to[range];
            match step {
                1 => to.copy_from_slice(&from[at as usize..at as usize + to.len()]),
                0 => to.fill(from[at as usize]),
                _ => {
                    to.iter_mut().enumerate().for_each(|(i, t)| *t = from[(at + i as isize * step) as usize])
                }
            }
        })
    });
}
