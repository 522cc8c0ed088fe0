//! The matrix of a convolution, written out (im2col), and its transpose: for what the implicit kernels do not cover.

use super::ConvShape;
use crate::elements::elements;
use crate::real::{Number, Value};
use crate::threads::for_chunks;

/// `cols[n, (c, i, j), p] = x[n, c, p·stride + (i, j)·dilation - padding]`, 0 in the padding; `cols` is
/// `[n, c_in · kernel, out]` and is overwritten.
///
/// # Panics
/// If a slice's length is not that of the shape.
pub fn window<T: Copy + Default + Send + Sync>(s: &ConvShape, x: &[T], cols: &mut [T]) {
    let [oh, ow] = check(s, x.len(), cols.len());
    let each = elements([s.kernel[0], s.kernel[1], oh, ow]);
    let cost = cols.len();
    for_chunks(cols, each, cost, |channel, cols| {
        let plane = &x[channel * s.h * s.w..][..s.h * s.w];
        cols.fill(T::default());
        overlaps(s, [oh, ow], |at, from, count| {
            let to = &mut cols[at..at + count];
            match s.stride[1] {
                1 => to.copy_from_slice(&plane[from..from + count]),
                step => to.iter_mut().zip(plane[from..].iter().step_by(step)).for_each(|(to, &x)| *to = x),
            }
        });
    });
}

/// The transpose of [`window`]: each element of `cols` is added to the input it was copied from; `x` is overwritten.
///
/// # Panics
/// If a slice's length is not that of the shape.
pub fn window_transpose<T: Number>(s: &ConvShape, cols: &[T], x: &mut [T]) {
    let [oh, ow] = check(s, x.len(), cols.len());
    let each = elements([s.kernel[0], s.kernel[1], oh, ow]);
    for_chunks(x, elements([s.h, s.w]), cols.len(), |channel, plane| {
        let cols = &cols[channel * each..][..each];
        // In a wider type, since one input may lie in very many windows.
        let mut sums = vec![T::Wide::ZERO; plane.len()];
        overlaps(s, [oh, ow], |at, from, count| {
            let to = sums[from..].iter_mut().step_by(s.stride[1]);
            to.zip(&cols[at..at + count]).for_each(|(to, g)| *to = to.plus(g.widen()));
        });
        plane.iter_mut().zip(sums).for_each(|(x, sum)| *x = T::narrow(sum));
    });
}

fn check(s: &ConvShape, x: usize, cols: usize) -> [usize; 2] {
    let [oh, ow] = s.out();
    assert_eq!(x, elements([s.n, s.c_in, s.h, s.w]), "window: elements of the input of {s:?}");
    assert_eq!(
        cols,
        elements([s.n, s.c_in, s.kernel[0], s.kernel[1], oh, ow]),
        "window: elements of the windows of {s:?}"
    );
    [oh, ow]
}

/// For each tap and output row that meet the image, in order: `f(first column element, first image element, count)`.
fn overlaps(s: &ConvShape, [oh, ow]: [usize; 2], mut f: impl FnMut(usize, usize, usize)) {
    for i in 0..s.kernel[0] {
        for j in 0..s.kernel[1] {
            let (tap_y, tap_x) = (i * s.dilation[0], j * s.dilation[1]);
            // Output columns `from..to` read inside the image: padding ≤ column·stride + tap < padding + w.
            let from = s.padding[1].saturating_sub(tap_x).div_ceil(s.stride[1]).min(ow);
            let to = (s.padding[1] + s.w).saturating_sub(tap_x).div_ceil(s.stride[1]).clamp(from, ow);
            if from == to {
                continue;
            }
            for r in 0..oh {
                let y = r * s.stride[0] + tap_y;
                if y < s.padding[0] || y >= s.padding[0] + s.h {
                    continue;
                }
                let image = (y - s.padding[0]) * s.w + from * s.stride[1] + tap_x - s.padding[1];
                f(((i * s.kernel[1] + j) * oh + r) * ow + from, image, to - from);
            }
        }
    }
}
