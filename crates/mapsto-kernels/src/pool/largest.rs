//! The largest of each window, where it is, and the gradient that goes there.

use super::{PoolShape, max_pool_spans, planes_together};
use crate::elements::elements;
use crate::gemm::{Activation, SERIAL};
use crate::real::Float;
use crate::simd;
use crate::threads::{Pieces, for_chunks, parallel};

/// `y[p]` is the largest x of window p and `at[p]` its index `row · w + column` in its plane: the first if several are
/// equal, the first NaN if there is one. With a ReLU, `y[p]` is then 0 where it was less.
///
/// ```
/// # use mapsto_kernels::{gemm::Activation, pool::{PoolShape, max_pool2d}};
/// let s = PoolShape { planes: 1, h: 2, w: 4, kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
/// let (mut y, mut at) = ([0.0f32; 2], [0; 2]);
/// max_pool2d(&s, &[1., 2., 3., 3., 4., 0., 3., 1.], Activation::None, &mut y, &mut at);
/// assert_eq!((y, at), ([4., 3.], [4, 2]));
/// ```
///
/// # Panics
/// If a slice's length is not that of the shape, or a plane has more than 2³¹ elements.
pub fn max_pool2d<T: Float>(s: &PoolShape, x: &[T], activation: Activation, y: &mut [T], at: &mut [i32]) {
    let [oh, ow] = s.check(x.len(), y.len());
    assert_eq!(at.len(), y.len(), "max_pool2d: positions for {} outputs", y.len());
    assert!(elements([s.h, s.w]) <= i32::MAX as usize, "max_pool2d: a plane of {} × {}", s.h, s.w);
    let (together, relu) = (planes_together(s), activation == Activation::Relu);
    if !s.is_halving() {
        max_pool_spans(&s.spans(), x, y, at);
        if relu {
            for_chunks(y, 1 << 14, x.len(), |_, y| y.iter_mut().for_each(|y| *y = y.max(T::ZERO)));
        }
        return;
    }
    let (ys, ats) = (Pieces::new(y), Pieces::new(at));
    parallel(s.planes.div_ceil(together), x.len(), |block| {
        for plane in block * together..((block + 1) * together).min(s.planes) {
            let x = &x[plane * s.h * s.w..][..s.h * s.w];
            // SAFETY: each plane is visited by one call.
            let y = unsafe { ys.get(plane * oh * ow, oh * ow) };
            // SAFETY: as above.
            let at = unsafe { ats.get(plane * oh * ow, oh * ow) };
            halve(s.w, ow, x, relu, y, at);
        }
    });
}

/// [`max_pool2d`] without the positions, for who wants no gradient: 64 planes of 112 × 112, windows of 3 × 3 and stride 2,
/// take 0.60 ms on one core instead of 3.5.
///
/// # Panics
/// If a slice's length is not that of the shape.
pub fn max_pool2d_values<T: Float>(s: &PoolShape, x: &[T], activation: Activation, y: &mut [T]) {
    let [oh, ow] = s.check(x.len(), y.len());
    let (together, relu) = (planes_together(s), activation == Activation::Relu);
    for_chunks(y, (together * oh * ow).max(1), x.len(), |block, y| {
        // The largest of each column of a row of windows, with the padding on both sides, and behind it what pairs read.
        let slack = if s.stride[1] == 2 { 2 } else { 0 };
        let mut columns = vec![T::LOWEST; s.w + 2 * s.padding[1] + slack];
        for (i, y) in y.chunks_exact_mut(oh * ow).enumerate() {
            let x = &x[(block * together + i) * s.h * s.w..][..s.h * s.w];
            simd::vectorize_light(
                #[inline(always)]
                || {
                    for (r, y) in y.chunks_exact_mut(ow).enumerate() {
                        let rows = s.inside(0, r);
                        let first = &x[rows.start * s.w..][..s.w];
                        // Pairs side by side are read where they lie.
                        let pairs = (s.kernel[1], s.stride[1], s.padding[1]) == (2, 2, 0);
                        let inside = &mut columns[s.padding[1]..][..s.w];
                        if !pairs || rows.len() > 1 {
                            inside.copy_from_slice(first);
                        }
                        for row in x[(rows.start + 1) * s.w..rows.end * s.w].chunks_exact(s.w) {
                            inside.iter_mut().zip(row).for_each(|(best, &x)| *best = larger(*best, x));
                        }
                        if pairs {
                            let columns = if rows.len() > 1 { &columns[..s.w] } else { first };
                            let both = columns.as_chunks::<2>().0;
                            y.iter_mut().zip(both).for_each(|(y, x)| *y = larger(x[0], x[1]));
                        } else {
                            y.fill(T::LOWEST);
                            for j in 0..s.kernel[1] {
                                let from = &columns[j..];
                                let see = |(y, x): (&mut T, &T)| *y = larger(*y, *x);
                                match s.stride[1] {
                                    1 => y.iter_mut().zip(from).for_each(see),
                                    2 => {
                                        let all = from.as_chunks::<2>().0;
                                        y.iter_mut().zip(all).for_each(|(y, x)| see((y, &x[0])))
                                    }
                                    n => y.iter_mut().zip(from.iter().step_by(n)).for_each(see),
                                }
                            }
                        }
                        if relu {
                            y.iter_mut().for_each(|y| *y = y.max(T::ZERO));
                        }
                    }
                },
            );
        }
    });
}

/// The gradient of the input of [`max_pool2d`]: each output's gradient goes to the input it came from; `dx` is
/// overwritten. With a ReLU it takes the outputs `y` besides: where they are not above 0, nothing passes.
///
/// For 2 × 2 windows, writing both rows once by comparing places with the maximum's lost to clearing and scattering: 2048
/// planes of 28 × 28 took 0.69 ms on one core instead of 0.43, 4096 of 14 × 14 0.60 instead of 0.16.
///
/// # Panics
/// If a slice's length is not that of the shape, or `at` points out of a plane.
pub fn max_pool2d_backward<T: Float>(s: &PoolShape, g: &[T], at: &[i32], y: Option<&[T]>, dx: &mut [T]) {
    let [oh, ow] = s.check(dx.len(), g.len());
    assert_eq!(at.len(), g.len(), "max_pool2d_backward: positions for {} outputs", g.len());
    assert!(y.is_none_or(|y| y.len() == g.len()), "max_pool2d_backward: outputs for {} gradients", g.len());
    let (together, size, outs) = (planes_together(s), s.h * s.w, oh * ow);
    // Of the windows that one input lies in.
    let most = s.kernel[0].div_ceil(s.stride[0]).saturating_mul(s.kernel[1].div_ceil(s.stride[1]));
    for_chunks(dx, (together * size).max(1), s.planes * size, |block, dx| {
        let mut passed = vec![T::ZERO; if y.is_some() { outs } else { 0 }];
        for (i, dx) in dx.chunks_exact_mut(size).enumerate() {
            let range = (block * together + i) * outs..(block * together + i + 1) * outs;
            let (mut g, at) = (&g[range.clone()], &at[range.clone()]);
            if let Some(y) = y {
                // At NaN the gradient passes, so that it shows.
                for (p, (&g, &y)) in passed.iter_mut().zip(g.iter().zip(&y[range])) {
                    *p = T::select(y <= T::ZERO, T::ZERO, g);
                }
                g = &passed;
            }
            add_at(dx, g, at, most);
        }
    });
}

/// `x` is 0 but for what each of `g` adds at its place, where `most` may come together; very many are summed in f64.
pub(crate) fn add_at<T: Float>(x: &mut [T], g: &[T], at: &[i32], most: usize) {
    if most <= SERIAL {
        x.fill(T::ZERO);
        return g.iter().zip(at).for_each(|(&g, &at)| x[at as usize] += g);
    }
    let mut sums = vec![0.0; x.len()];
    g.iter().zip(at).for_each(|(g, &at)| sums[at as usize] += g.to_f64());
    x.iter_mut().zip(sums).for_each(|(x, sum)| *x = T::from_f64(sum));
}

/// The one that a maximum keeps.
#[inline(always)]
pub(crate) fn larger<T: Float>(best: T, x: T) -> T {
    T::select(beats(x, best), x, best)
}

/// Windows of 2 × 2 side by side, in runs of a fixed length that LLVM turns into registers (a loop over the columns of
/// a narrow plane would stay scalar); the last run overlaps the one before.
fn halve<T: Float>(w: usize, ow: usize, x: &[T], relu: bool, y: &mut [T], at: &mut [i32]) {
    simd::vectorize_light(|| {
        for (r, (y, at)) in y.chunks_exact_mut(ow).zip(at.chunks_exact_mut(ow)).enumerate() {
            let row = Row { x: &x[2 * r * w..][..2 * w], w, start: 2 * r * w };
            match ow {
                16.. => row.in_runs::<16>(y, at),
                8.. => row.in_runs::<8>(y, at),
                4.. => row.in_runs::<4>(y, at),
                _ => row.in_runs::<1>(y, at),
            }
            if relu {
                y.iter_mut().for_each(|y| *y = y.max(T::ZERO));
            }
        }
    });
}

/// Two rows of a plane, of `w` columns, from index `start`.
struct Row<'a, T> {
    x: &'a [T],
    w: usize,
    start: usize,
}

impl<T> Row<'_, T> {
    #[inline(always)]
    fn in_runs<const N: usize>(&self, y: &mut [T], at: &mut [i32])
    where
        T: Float,
    {
        let last = y.len() - N;
        let mut c = 0;
        loop {
            let (a, b) = (&self.x[2 * c..][..2 * N], &self.x[self.w + 2 * c..][..2 * N]);
            let (mut best, mut place) = ([T::ZERO; N], [0i32; N]);
            let first = (self.start + 2 * c) as i32;
            for i in 0..N {
                let left = first + 2 * i as i32;
                let above = beats(a[2 * i + 1], a[2 * i]);
                let (x, p) = (T::select(above, a[2 * i + 1], a[2 * i]), left + above as i32);
                let below = beats(b[2 * i + 1], b[2 * i]);
                let (z, q) = (T::select(below, b[2 * i + 1], b[2 * i]), left + self.w as i32 + below as i32);
                let lower = beats(z, x);
                best[i] = T::select(lower, z, x);
                place[i] = if lower { q } else { p };
            }
            y[c..c + N].copy_from_slice(&best);
            at[c..c + N].copy_from_slice(&place);
            if c == last {
                return;
            }
            c = (c + N).min(last);
        }
    }
}

/// Whether `x` takes the place of an earlier `best`: it is larger, or the first NaN.
#[inline(always)]
pub(crate) fn beats<T: Float>(x: T, best: T) -> bool {
    (x > best) | (x.is_nan() & !best.is_nan())
}
