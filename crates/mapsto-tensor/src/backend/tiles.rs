//! The one traversal of the CPU: any layout and dtype is read tile by tile into plain slices that kernels can run over.
//!
//! Axes are taken in the order in which the operands lie (`order.rs`), and neighbouring ones are merged; then a tile of the
//! result is a few even runs of each input. An input that lies in that order in its computing type is not copied at all.
//! Tiles are 1024 elements: three f64 inputs and the result stay within 32 KiB of L1.

use super::MapOp;
use super::across::{self, lies_across};
use super::order::{self, Order};
#[cfg(test)]
use super::proof;
use crate::Tensor;
use crate::dtype::DType;
use crate::layout::Layout;
use crate::shape::Shape;
use crate::storage::{Plain, Storage, numbers_of_mut};
use crate::written::Written;
use half::{bf16, f16};
use mapsto_kernels::cast::{Cast, cast, truths};
use mapsto_kernels::program::{Lane, Params};
use mapsto_kernels::real::Value;
use mapsto_kernels::threads::for_chunks;
use smallvec::SmallVec;
use std::sync::OnceLock;

const TILE: usize = 1024;
/// As much as one cache line of each input.
const SHORT: usize = 16;
/// Rows of so many elements are worth a call each.
const LONG: usize = 256;
/// The most inputs of an elementwise operation.
pub(super) const INPUTS: usize = 3;
/// What one thread takes at a time.
pub(crate) const CHUNK: usize = 16 * TILE;

/// A type that tiles are computed in.
pub(crate) trait Compute: Plain + Lane + Value {
    /// The dtypes that tiles of this type are read from.
    const READS: &[DType];
    /// A loop of the operation's own over slices that are as long as the result.
    fn own(op: &dyn MapOp, xs: &[&[Self]], y: &mut [Self]) -> bool {
        let _ = (op, xs, y);
        false
    }
    /// Reads the tile that starts at element `start` of a layout.
    fn load(x: &Tensor, layout: &Layout, start: usize, to: &mut [Self]);
    /// Reads the block of `width` columns that starts at a row and a column of a layout of two axes.
    fn load_block(x: &Tensor, layout: &Layout, at: [usize; 2], width: usize, to: &mut [Self]);
    /// Writes computed numbers as the bytes of `dtype`; booleans become 0 and 1.
    fn store(from: &[Self], dtype: DType, to: &mut [u8]);
}

/// Each type with the dtypes it is read from and those it is stored as; a pair costs a loop or two.
macro_rules! computes {
    ($($c:ty: [$($read:ident $r:ty),*] [$($write:ident $w:ty),*] {$($own:item)?})*) => {$(
        impl Compute for $c {
            const READS: &[DType] = &[$(DType::$read),*];
            $($own)?
            fn load(x: &Tensor, layout: &Layout, start: usize, to: &mut [$c]) {
                match x.dtype() {
                    $(DType::$read => load::<$r, $c>(x, layout, start, to),)*
                    other => unreachable!("{other} was converted"),
                }
            }
            fn load_block(x: &Tensor, layout: &Layout, at: [usize; 2], width: usize, to: &mut [$c]) {
                match x.dtype() {
                    $(DType::$read => across::load_block::<$r, $c>(x, layout, at, width, to),)*
                    other => unreachable!("{other} was converted"),
                }
            }
            fn store(from: &[$c], dtype: DType, to: &mut [u8]) {
                match dtype {
                    DType::Bool => truths(from, to),
                    $(DType::$write => cast::<$c, $w>(from, numbers_of_mut(to)),)*
                    #[allow(unreachable_patterns)] // the widest types are stored as all
                    other => unreachable!("{other} is computed in i64"),
                }
            }
        }
    )*};
}
computes! {
    f32: [F32 f32, F16 f16, BF16 bf16, U8 u8, Bool u8]
        [F32 f32, F64 f64, F16 f16, BF16 bf16, I64 i64, I32 i32, U8 u8, I8 i8]
        {fn own(op: &dyn MapOp, xs: &[&[f32]], y: &mut [f32]) -> bool {
            xs.iter().all(|x| x.len() == y.len()) && op.own(xs, y)
        }}
    f64: [F64 f64, F32 f32, I32 i32, U8 u8, Bool u8] [F32 f32, F64 f64, F16 f16, BF16 bf16, I64 i64, I32 i32, U8 u8, I8 i8] {}
    i64: [I64 i64, I32 i32, U8 u8, I8 i8, Bool u8]
        [F32 f32, F64 f64, F16 f16, BF16 bf16, I64 i64, I32 i32, U8 u8, I8 i8] {}
    i32: [I32 i32, Bool u8] [I32 i32] {}
    u8: [U8 u8, Bool u8] [U8 u8] {}
    i8: [I8 i8, Bool u8] [I8 i8] {}
}

/// The elementwise primitive of the CPU.
pub(super) fn map(op: &dyn MapOp, xs: &[&Tensor], shape: &Shape, dtype: DType) -> Tensor {
    let of = xs.last().map_or(dtype, |x| x.dtype());
    // First what is asked for most.
    if of == DType::F32 {
        return map_in::<f32>(op, xs, shape, dtype);
    }
    // Integers stay in their own type, in which sums and products wrap as they do when an i64 is stored; only what
    // becomes another type is computed in the widest.
    let native = dtype == of || dtype == DType::Bool;
    match of {
        DType::F16 | DType::BF16 => map_in::<f32>(op, xs, shape, dtype),
        DType::F64 => map_in::<f64>(op, xs, shape, dtype),
        DType::I32 if native => map_in::<i32>(op, xs, shape, dtype),
        DType::I8 if native => map_in::<i8>(op, xs, shape, dtype),
        DType::U8 | DType::Bool if native => map_in::<u8>(op, xs, shape, dtype),
        // f32 holds all bytes and f64 every i32, and both become the other floats faster than i64 does.
        DType::U8 | DType::Bool
            if op.is_identity() && matches!(dtype, DType::F32 | DType::F16 | DType::BF16) =>
        {
            map_in::<f32>(op, xs, shape, dtype)
        }
        DType::U8 | DType::Bool | DType::I32 if op.is_identity() && dtype.is_float() => {
            map_in::<f64>(op, xs, shape, dtype)
        }
        _ => map_in::<i64>(op, xs, shape, dtype),
    }
}

/// What one call computes with: the loop of the operation, or its program, which is looked up where it is needed.
pub(crate) struct Call<'a> {
    op: &'a dyn MapOp,
    program: OnceLock<(Written, Params)>,
    /// Whether the numbers are of single or half precision, whatever they are computed in.
    single: bool,
}

impl<'a> Call<'a> {
    fn new(op: &'a dyn MapOp, single: bool) -> Call<'a> {
        Call { op, program: OnceLock::new(), single }
    }

    pub(super) fn run<C: Compute>(&self, xs: &[&[C]], y: &mut [C]) {
        if C::own(self.op, xs, y) {
            return;
        }
        let (program, params) = self.program.get_or_init(|| {
            let other = if !C::DTYPE.is_float() {
                self.op.int_program()
            } else if self.single {
                self.op.single_program()
            } else {
                None
            };
            (other.unwrap_or_else(|| self.op.program()), self.op.params())
        });
        program.run(params, xs, y)
    }
}

/// Runs an operation over slices, on this thread.
pub(crate) fn over<C: Compute>(op: &dyn MapOp, xs: &[&[C]], y: &mut [C]) {
    #[cfg(test)]
    proof::see(op, C::DTYPE);
    Call::new(op, C::DTYPE == DType::F32).run(xs, y)
}

/// Elements from `start` on in row-major order: where they lie, or in `room`, which says how many.
pub(crate) fn piece<'a, C: Compute>(x: &'a Tensor, start: usize, room: &'a mut [C]) -> &'a [C] {
    match x.as_slice::<C>() {
        Some(x) => &x[start..][..room.len()],
        None => {
            C::load(x, x.layout(), start, room);
            room
        }
    }
}

/// The result of what `f(rows, results)` makes of rows of `n` numbers of 16 bits, some at a time in f32, so that the wide numbers
/// stay in the second cache; none where the numbers are others, do not lie in rows, or fill that cache with one row.
pub(crate) fn rows_in_f32(x: &Tensor, n: usize, f: &(dyn Fn(&[f32], &mut [f32]) + Sync)) -> Option<Tensor> {
    let halves = matches!(x.dtype(), DType::F16 | DType::BF16) && x.layout().is_contiguous();
    if !halves || x.is_empty() || n > 8 * CHUNK || x.len() < 2 * n {
        return None;
    }
    let (size, work) = (x.dtype().size(), 8 * x.len());
    let group = (CHUNK / n).max(1) * n;
    let mut out = Storage::host(x.len(), x.dtype());
    for_chunks(&mut out.as_mut_slice::<u8>()[..x.len() * size], group * size, work, |i, y| {
        let mut room = vec![0f32; 2 * y.len() / size];
        let (rows, results) = room.split_at_mut(y.len() / size);
        f32::load(x, x.layout(), i * group, rows);
        f(rows, results);
        f32::store(results, x.dtype(), y);
    });
    Some(Tensor::from_storage(out, *x.shape_of(), x.dtype()))
}

/// Writes over `a` what `f(piece of a, piece of b)` makes of it, where both are f32 of one shape that lie one after the other
/// in the CPU's memory and nobody else holds `a`; gives `false`, with nothing done, where they do not.
#[inline]
pub(crate) fn onto(a: &mut Tensor, b: &Tensor, f: impl Fn(&mut [f32], &[f32]) + Sync) -> bool {
    let plain = a.shape_of() == b.shape_of() && a.as_slice::<f32>().is_some();
    let Some(from) = b.as_slice::<f32>().filter(|_| plain && a.is_alone()) else { return false };
    for_chunks(
        a.as_mut_slice::<f32>(),
        CHUNK,
        2 * from.len(),
        #[inline(always)]
        |i, a| f(a, &from[i * CHUNK..][..a.len()]),
    );
    true
}

fn map_in<C: Compute>(op: &dyn MapOp, xs: &[&Tensor], shape: &Shape, dtype: DType) -> Tensor {
    #[cfg(test)]
    proof::see(op, C::DTYPE);
    let count = shape.known_count();
    let mut whole: [&[C]; INPUTS] = [&[]; INPUTS];
    let all =
        whole.iter_mut().zip(xs).all(|(whole, x)| straight(x, shape, count).map(|x| *whole = x).is_some());
    // The way of most small operations, in as few steps as there are.
    if all && dtype == C::DTYPE && count <= CHUNK {
        let mut out = Storage::host(count, dtype);
        if C::own(op, &whole[..xs.len()], &mut out.as_mut_slice::<C>()[..count]) {
            return Tensor::from_storage(out, *shape, dtype);
        }
        return map_any(op, xs, Some(&whole[..xs.len()]), shape, dtype, Some(out));
    }
    map_any(op, xs, all.then_some(&whole[..xs.len()]), shape, dtype, None)
}

/// The way of everything else; `whole` are the operands where each is a slice, and `out` is where the result is to lie if that
/// is there already. It stands alone, so that the short way above saves few registers.
#[inline(never)]
fn map_any<C: Compute>(
    op: &dyn MapOp,
    xs: &[&Tensor],
    whole: Option<&[&[C]]>,
    shape: &Shape,
    dtype: DType,
    out: Option<Storage>,
) -> Tensor {
    // Asked here, as such operations have no loop of their own, which is the short way.
    if C::DTYPE == DType::F32 && op.in_double() {
        return map_in::<f64>(op, xs, shape, dtype);
    }
    let count = shape.known_count();
    if whole.is_none() {
        if let Some(order) = Order::of(xs, shape) {
            return order.run(xs, shape, |xs, shape| map_in::<C>(op, xs, shape, dtype));
        }
        if let Some(y) = order::once(xs, shape, |xs, shape| map_in::<C>(op, xs, shape, dtype)) {
            return y;
        }
        if let Some(i) = xs.iter().position(|x| !C::READS.contains(&x.dtype())) {
            let x = xs[i].to(C::DTYPE);
            let mut xs: SmallVec<[&Tensor; INPUTS]> = xs.iter().copied().collect();
            xs[i] = &x;
            return map_in::<C>(op, &xs, shape, dtype);
        }
    }
    let mut out = out.unwrap_or_else(|| Storage::host(count, dtype));
    let single = xs.last().is_some_and(|x| matches!(x.dtype(), DType::F32 | DType::F16 | DType::BF16));
    let call = Call::new(op, single);
    let bools = dtype == DType::Bool && C::DTYPE == DType::U8;
    if let Some(whole) = whole
        && (dtype == C::DTYPE || bools)
    {
        let y = &mut out.as_mut_slice::<C>()[..count];
        let run = |xs: &[&[C]], y: &mut [C]| {
            call.run(xs, y);
            if bools {
                // A sum of booleans may be 2.
                y.iter_mut().for_each(|y| *y = if *y == C::ZERO { C::ZERO } else { C::ONE });
            }
        };
        if count <= CHUNK {
            run(whole, y);
        } else {
            for_chunks(y, CHUNK, 2 * count, |i, y| {
                let mut tiles: [&[C]; INPUTS] = [&[]; INPUTS];
                for (tile, x) in tiles.iter_mut().zip(whole) {
                    *tile = if x.len() <= 1 { x } else { &x[i * CHUNK..][..y.len()] };
                }
                run(&tiles[..whole.len()], y)
            });
        }
        return Tensor::from_storage(out, *shape, dtype);
    }
    tiled::<C>(&call, xs, shape, dtype, &mut out);
    Tensor::from_storage(out, *shape, dtype)
}

/// The way of any layout and dtype: tile by tile. The result is written as bytes, so that this is compiled for each type that
/// tiles are computed in, and not again for each that they are stored as.
fn tiled<C: Compute>(call: &Call<'_>, xs: &[&Tensor], shape: &Shape, dtype: DType, out: &mut Storage) {
    let (count, size) = (shape.count(), dtype.size());
    let straight: SmallVec<[Option<&[C]>; INPUTS]> = xs.iter().map(|x| straight(x, shape, count)).collect();
    let mut layouts: SmallVec<[Layout; INPUTS]> = xs.iter().map(|x| x.layout().broadcast_to(shape)).collect();
    Layout::coalesce(&mut layouts);
    let y = &mut out.as_mut_slice::<u8>()[..count * size];
    if lies_across(&layouts) {
        return across::run::<C>(call, xs, &layouts, dtype, y);
    }
    // Within long rows operands are read where they lie, and not tile by tile into buffers.
    let inner = layouts.first().and_then(|layout| layout.shape().last()).copied().unwrap_or(1);
    let long_rows = inner >= LONG;
    let as_it_lies = |((x, layout), straight): ((&&Tensor, &Layout), &Option<&[C]>)| {
        straight.is_some() || long_rows && is_even::<C>(x, layout)
    };
    let direct = dtype == C::DTYPE && xs.iter().zip(&layouts).zip(&straight).all(as_it_lies);
    let most = if direct { CHUNK } else { TILE };
    // Buffers are cleared once for each chunk, which is a tenth of the time of small ones.
    let chunk = if count < 32 * CHUNK { CHUNK } else { 4 * CHUNK };
    for_chunks(y, chunk * size, 4 * count, |i, y| {
        // Clearing whole tiles would take longer than all else on a few numbers.
        let (mut short, mut long);
        let mut buffers: [&mut [C]; 1 + INPUTS] = if y.len() <= SHORT * size {
            short = [[<C as Default>::default(); SHORT]; 1 + INPUTS];
            short.each_mut().map(|b| &mut b[..])
        } else {
            long = [[<C as Default>::default(); TILE]; 1 + INPUTS];
            long.each_mut().map(|b| &mut b[..])
        };
        let (mut start, mut left) = (i * chunk, y);
        while !left.is_empty() {
            let row = if long_rows { inner - start % inner } else { TILE };
            let len = row.min(most).min(left.len() / size);
            let (y, after) = std::mem::take(&mut left).split_at_mut(len * size);
            left = after;
            if call.op.is_identity() && dtype == C::DTYPE {
                C::load(xs[0], &layouts[0], start, numbers_of_mut(y));
                start += len;
                continue;
            }
            let (result, rest) = buffers.split_at_mut(1);
            let mut tiles: [&[C]; INPUTS] = [&[]; INPUTS];
            for (((tile, (x, layout)), straight), buffer) in
                tiles.iter_mut().zip(xs.iter().zip(&layouts)).zip(&straight).zip(rest)
            {
                *tile = match straight {
                    Some([x]) => std::slice::from_ref(x),
                    Some(s) => &s[start..start + len],
                    None if long_rows && is_even::<C>(x, layout) => part_of_row(x, layout, start, len),
                    None => {
                        C::load(x, layout, start, &mut buffer[..len]);
                        &buffer[..len]
                    }
                };
            }
            start += len;
            if dtype == C::DTYPE {
                call.run(&tiles[..xs.len()], numbers_of_mut(y));
            } else if call.op.is_identity() && tiles[0].len() == len {
                C::store(tiles[0], dtype, y);
            } else {
                call.run(&tiles[..xs.len()], &mut result[0][..len]);
                C::store(&result[0][..len], dtype, y);
            }
        }
    });
}

/// Whether rows of an input can be read where they lie, or are one element each.
fn is_even<C: Compute>(x: &Tensor, layout: &Layout) -> bool {
    let plain = x.dtype() == C::DTYPE || (x.dtype() == DType::Bool && C::DTYPE == DType::U8);
    plain && layout.strides().last().is_some_and(|step| matches!(step, 0 | 1))
}

/// Elements of one row, or the one that they all are.
fn part_of_row<'a, C: Compute>(x: &'a Tensor, layout: &Layout, start: usize, len: usize) -> &'a [C] {
    let (mut rest, mut at) = (start, layout.offset() as isize);
    for (n, stride) in layout.shape().iter().zip(layout.strides()).rev() {
        at += (rest % n) as isize * stride;
        rest /= n;
    }
    let one = layout.strides().last() == Some(&0);
    &x.storage().as_slice::<C>()[at as usize..][..if one { 1 } else { len }]
}

/// The elements of an input that needs neither conversion nor another order; one element stands for all.
///
/// It is part of its caller, since a call costs a small operation as much as the checks.
#[inline(always)]
fn straight<'a, C: Compute>(x: &'a Tensor, shape: &Shape, count: usize) -> Option<&'a [C]> {
    if x.shape_of() != shape {
        return single(x);
    }
    let plain = x.dtype() == C::DTYPE || (x.dtype() == DType::Bool && C::DTYPE == DType::U8);
    let (from, layout) = (x.storage(), x.layout());
    (plain && layout.is_contiguous()).then(|| &from.as_slice()[layout.offset()..][..count])
}

/// The element of an input that has one.
#[inline(never)]
#[cold]
fn single<C: Compute>(x: &Tensor) -> Option<&[C]> {
    (x.len() == 1 && x.dtype() == C::DTYPE).then(|| &x.storage().as_slice::<C>()[x.layout().offset()..][..1])
}

/// Reads the tile that starts at element `start` of a layout.
fn load<S: Plain + Cast<C>, C: Compute>(x: &Tensor, layout: &Layout, start: usize, to: &mut [C]) {
    let from = x.storage().as_slice::<S>();
    runs(layout, start, to.len(), |at, step, to_range| {
        let to = &mut to[to_range];
        match step {
            1 => cast(&from[at as usize..][..to.len()], to),
            0 => to.fill(from[at as usize].cast()),
            _ => to
                .iter_mut()
                .enumerate()
                .for_each(|(i, t)| *t = from[(at + i as isize * step) as usize].cast()),
        }
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
