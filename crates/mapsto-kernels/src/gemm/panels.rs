//! The general way of a product, by panels: the loop nest of `gemm.rs`.

use super::direct::after;
use super::lanes::{Float, dispatch};
use super::mat::{Mat, shifted};
use super::operand::{Operand, b_stays};
use super::tile::{Block, Cut, Finish, Sizes};
use super::{Gemm, MACS, whole};
use crate::elements::elements;
use crate::threads::{Pieces, WORTH_SHARING, for_chunks, parallel};
use crate::workspace::scratch;

/// Steps of k in one piece: a panel of A is then 12 KiB of the L1 cache. (384 steps: 2 to 4 % less from 512³ on, C being
/// passed over more often.)
pub const STEPS: usize = if cfg!(miri) { 16 } else { 512 };
/// Elements of the shared operand packed at a time: 1 MiB of f32, half of an L2 cache. (Tests pack in many rounds.)
const SHARED: usize = if cfg!(test) { 1 << 12 } else { 1 << 18 };

/// C (+)= A·B, then what finishes it.
pub fn product<T: Float>(a: Mat<T>, b: Mat<T>, c: &mut [T], finish: Finish<T>) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    if k == 0 {
        if !finish.add {
            c.fill(T::default());
        }
        return after(c, n, finish);
    }
    let [_, lanes, high, wide] = dispatch::<T, _>(Sizes);
    let rows = Cut { lanes: m, unit: high, wide: high };
    let cols = Cut { lanes: n, unit: lanes, wide: wide * lanes };
    let pieces = k.div_ceil(STEPS);
    let steps = k.div_ceil(pieces);
    let of_a = Operand::new(a, rows, a.col_stride == 1 && m >= high);
    let of_b = Operand::new(b.t(), cols, b_stays(b, m, lanes));
    // C's longer side is cut, into 8 tasks or a multiple of 8 where there is enough to do, as even as they come. (A last task
    // of a few rows left a thread waiting: 5 % of 256³; nine tasks on two threads 6 % of 2048³.) What the shorter side is
    // multiplied by is packed once for all tasks, some panels each, and then they wait for each other, so where A stays in
    // place and C is not much higher than wide, it is cut by columns instead: each task packs its own part of B, and none
    // waits (2048³ on two threads 8 % faster, 1024³ 5 %; where C was five times as high as wide, one thread lost 5 %).
    let alone = of_a.in_place && !of_b.in_place && n >= 4 * cols.wide && m < 2 * n;
    let by_rows = m >= n && !alone;
    let (shared, own, most) =
        if by_rows { (of_b, of_a, 256usize.div_ceil(rows.wide)) } else { (of_a, of_b, 4) };
    let (long, unit) = (own.cut.lanes, own.cut.wide);
    let panels = long.div_ceil(unit);
    let tasks = match elements([m, n, k]) / MACS {
        little if little < WORTH_SHARING => 1,
        _ => panels.div_ceil(most).next_multiple_of(8).min(panels),
    };
    let edge = |t: usize| (panels * t / tasks * unit).min(long);
    let packed = shared.packed();
    let at_once = (SHARED / (packed * steps).max(1)).clamp(1, pieces);

    let mut store = scratch::<T>(at_once * steps * packed);
    let out = Pieces::new(c);
    for first in (0..pieces).step_by(at_once) {
        let count = at_once.min(pieces - first);
        let depth = |p: usize| ((first + p) * steps).min(k)..((first + p + 1) * steps).min(k);
        // One block for each piece of k and run of 4 panels.
        let panels = shared.packed_panels();
        let runs = panels.len().div_ceil(4);
        let pieces_of_store = Pieces::new(&mut store);
        parallel(count * runs, count * steps * packed, |block| {
            let (p, run) = (block / runs, panels.start + block % runs * 4);
            let range = depth(p);
            let panels = run..(run + 4).min(panels.end);
            let (from, to) = (shared.place(panels.start), shared.place(panels.end));
            // SAFETY: runs of one piece, and pieces, lie one after the other; each is packed by one call.
            let to = unsafe {
                pieces_of_store.get(p * packed * steps + from * range.len(), (to - from) * range.len())
            };
            shared.pack(to, panels, range);
        });
        let store: &[T] = &store;
        parallel(tasks, count * steps * (m * n / MACS), |t| {
            let (at, size) = (edge(t), edge(t + 1) - edge(t));
            let own = own.part(at, size);
            let mut mine = scratch::<T>(steps * own.packed());
            for p in 0..count {
                let range = depth(p);
                own.pack(&mut mine, own.packed_panels(), range.clone());
                let last = first + p + 1 == pieces;
                let (shared, own) =
                    (shared.side(&store[p * packed * steps..], range.start), own.side(&mine, range.start));
                dispatch(Block {
                    steps: range.len(),
                    rows: if by_rows { size } else { m },
                    high,
                    cols: if by_rows { cols } else { Cut { lanes: size, ..cols } },
                    a: if by_rows { own } else { shared },
                    b: if by_rows { shared } else { own },
                    // SAFETY: tasks cover disjoint rows or columns of C, which is borrowed throughout.
                    c: unsafe { out.at(if by_rows { at * n } else { at }) },
                    stride: n,
                    finish: Finish {
                        add: finish.add || first + p > 0,
                        bias: finish
                            .bias
                            .filter(|_| last)
                            .map(|bias| if by_rows { bias } else { &bias[at..] }),
                        relu: last && finish.relu,
                    },
                });
            }
        });
    }
}

/// A few rows and columns, many steps: a fixed number of pieces of k, each summed alone, then added in order.
pub fn in_pieces_of_k<T: Gemm>(a: Mat<T>, b: Mat<T>, c: &mut [T], finish: Finish<T>, pieces: usize) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    let each = k.div_ceil(pieces);
    let mut parts = scratch::<T>(pieces * m * n);
    for_chunks(&mut parts, m * n, elements([m, n, k]) / MACS, |p, part| {
        let (from, to) = (p.saturating_mul(each).min(k), (p + 1).saturating_mul(each).min(k));
        let a = Mat { cols: to - from, offset: shifted(a.offset, from, a.col_stride), ..a };
        let b = Mat { rows: to - from, offset: shifted(b.offset, from, b.row_stride), ..b };
        whole(a, b, part, Finish { add: false, bias: None, relu: false });
    });
    if !finish.add {
        c.fill(T::default());
    }
    for part in parts.chunks_exact(m * n) {
        c.iter_mut().zip(part).for_each(|(y, &x)| *y += x);
    }
    after(c, n, finish);
}
