//! The direct way: each output is its sum of products, read from planes that every tap shifts over.
//!
//! An image is copied once into *planes* that include the padding. For one tap (c, i, j) of the kernel, the inputs of
//! all outputs then lie in one run of a plane, shifted by the tap's offset; so the matrix that im2col would build is
//! never built, its rows are read from the planes where they lie. Strides split the image into one plane for each
//! phase, which makes every convolution one of stride 1; dilation and groups only change the offsets.
//!
//! The price is computing the outputs "between" rows, `(kernel - 1) / (width + kernel - 1)` of the work (13 % for 14
//! columns and a 3 × 3 kernel), which are left out as a register is stored. Letting neighbouring rows share their
//! zeros (rows of 15 instead of 16) was no gain: 14 × 14 outputs still take 14 registers.

use super::planes::{Along, Planes, phases};
use super::shifted::{Output, Shifts};
use super::{ConvShape, Ending, dots, weight};
use crate::elements::elements;
use crate::gemm::Gemm;
use crate::gemm::pack::{Strip, interleave};
use crate::threads::{Pieces, parallel};
use crate::workspace::scratch;

/// [`conv2d`](super::conv2d) with lengths checked; a bias and a ReLU are applied at once, any other ending in its own pass.
pub fn forward<T: Gemm>(s: &ConvShape, x: &[T], w: &[T], ending: &Ending<T>, y: &mut [T]) {
    let later = ending.norm.is_some() || ending.add.is_some() || x.is_empty() || w.is_empty();
    let now = if later { Ending::none() } else { *ending };
    if x.is_empty() || w.is_empty() {
        y.fill(T::default()); // no terms
    } else {
        sums(s, x, w, &now, y);
    }
    if later {
        let [oh, ow] = s.out();
        ending.pass(y, s.c_out, oh * ow);
    }
}

fn sums<T: Gemm>(s: &ConvShape, x: &[T], w: &[T], ending: &Ending<T>, y: &mut [T]) {
    let ([oh, ow], (ci, co), k) = (s.out(), s.per_group(), s.taps());
    let planes = Planes::of_input(s);
    let mut offsets = scratch::<usize>(k);
    planes.offsets(s, &mut offsets);
    let shifts = Shifts::<T>::new(&offsets, planes.size[1], [oh, ow]);
    let weights = shifts.pack(s.groups * co, co, k, |panel, width, row, lanes| {
        let strip = Strip { data: w, start: (row * k) as isize, lane: k as isize, step: 1 };
        interleave(panel, width, lanes, k, strip)
    });
    let parts = s.parts(shifts.panels(co));
    let out = Pieces::new(y);
    parallel(s.n * s.groups * parts, s.macs(), |block| {
        let (image, part) = (block / parts, block % parts);
        let (n, g) = (image / s.groups, image % s.groups);
        let mut store = scratch::<T>(planes.len(ci) + shifts.slack());
        planes.fill(&mut store, &x[(n * s.c_in + g * ci) * s.h * s.w..][..ci * s.h * s.w], [s.h, s.w]);
        let (from, to) = shifts.part(co, part, parts);
        // SAFETY: every (image, group, part) is a run of output planes of its own.
        let y = unsafe { out.get((n * s.c_out + g * co + from) * oh * ow, (to - from) * oh * ow) };
        shifts.run(Output {
            planes: &store,
            weights: &weights,
            rows: g * co + from..g * co + to,
            group: co,
            y,
            bias: ending.bias,
            relu: ending.relu(),
        });
    });
}

/// [`conv2d_data`](super::conv2d_data) with lengths checked.
pub fn data<T: Gemm>(s: &ConvShape, g: &[T], w: &[T], dx: &mut [T]) {
    let [oh, ow] = s.out();
    let ((ci, co), [kh, kw]) = (s.per_group(), s.kernel);
    let whole = s.stride == [1, 1];
    if !whole {
        dx.fill(T::default()); // a stride may step over phases that no tap reaches
    }
    let (down, right) = (phases(s, 0), phases(s, 1));
    for (&y, &x) in down.iter().flat_map(|y| right.iter().map(move |x| (y, x))) {
        let (rows, cols) = (Along::phase(s, 0, y), Along::phase(s, 1, x));
        let (u, v, taps) = (rows.count, cols.count, rows.taps.len() * cols.taps.len());
        if u * v * taps == 0 {
            continue;
        }
        let planes = Planes::of_gradient(&rows, &cols);
        let mut offsets = scratch::<usize>(co * taps);
        planes.offsets_of_gradient(&rows, &cols, &mut offsets);
        let shifts = Shifts::<T>::new(&offsets, planes.size[1], [u, v]);
        let weights = shifts.pack(s.groups * ci, ci, co * taps, |panel, width, row, lanes| {
            let (group, c) = (row / ci, row % ci);
            for (o, panel) in panel.chunks_exact_mut(width * taps).enumerate() {
                let w = &w[((group * co + o) * ci + c) * kh * kw..][..lanes * kh * kw];
                for (tap, panel) in panel.chunks_exact_mut(width).enumerate() {
                    let (i, j) = (rows.taps[tap / cols.taps.len()].0, cols.taps[tap % cols.taps.len()].0);
                    let strip =
                        Strip { data: w, start: (i * kw + j) as isize, lane: (kh * kw) as isize, step: 0 };
                    interleave(panel, width, lanes, 1, strip);
                }
            }
        });
        let parts = s.parts(shifts.panels(ci));
        let out = Pieces::new(dx);
        parallel(s.n * s.groups * parts, elements([s.n, s.c_in, u, v, co, taps]), |block| {
            let (image, part) = (block / parts, block % parts);
            let (n, group) = (image / s.groups, image % s.groups);
            let (from, to) = shifts.part(ci, part, parts);
            // SAFETY: every (image, group, part) is a run of input planes of its own.
            let dx =
                unsafe { out.get((n * s.c_in + group * ci + from) * s.h * s.w, (to - from) * s.h * s.w) };
            let mut store = scratch::<T>(planes.len(co) + shifts.slack());
            planes.fill(&mut store, &g[(n * s.c_out + group * co) * oh * ow..][..co * oh * ow], [oh, ow]);
            let rows_of = group * ci + from..group * ci + to;
            let output = |y| Output {
                planes: &store,
                weights: &weights,
                rows: rows_of,
                group: ci,
                y,
                bias: None,
                relu: false,
            };
            if whole {
                return shifts.run(output(dx));
            }
            let mut dense = scratch::<T>((to - from) * u * v);
            shifts.run(output(&mut dense));
            for (plane, dense) in dx.chunks_exact_mut(s.h * s.w).zip(dense.chunks_exact(u * v)) {
                for (r, dense) in dense.chunks_exact(v).enumerate() {
                    let row = &mut plane[(rows.first + r * s.stride[0]) * s.w..][..s.w];
                    row[cols.first..].iter_mut().step_by(s.stride[1]).zip(dense).for_each(|(to, &x)| *to = x);
                }
            }
        });
    }
}

/// [`conv2d_weight`](super::conv2d_weight) with lengths checked.
pub fn weights<T: Gemm>(s: &ConvShape, x: &[T], g: &[T], dw: &mut [T]) {
    if dots::pays::<T>(s) { dots::gradient(s, x, g, dw) } else { weight::gradient(s, x, g, dw) }
}
