//! Pooling over windows that each of three axes lists by itself: dilated, cut off at an edge, or dividing a volume evenly.
//!
//! The loop nest: planes, rows of windows, rows of inputs, columns. What a row of windows has in each column is found first,
//! in vector registers; then each window takes its columns. So a window of k³ points costs k² + k steps and not k³.

use super::row::{self, Even};
use super::{add_at, beats, larger};
use crate::elements::elements;
use crate::real::Float;
use crate::reduce;
use crate::simd::vectorize_light;
use crate::threads::{Pieces, for_chunks, parallel};

/// The places `start, start + step, ..` below `end` of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first place.
    pub start: usize,
    /// Behind the last place.
    pub end: usize,
    /// From one place to the next.
    pub step: usize,
}

impl Span {
    /// The places in order.
    pub fn places(self) -> impl Iterator<Item = usize> {
        (self.start..self.end).step_by(self.step)
    }
}

/// The sizes of such a pooling: x is `[planes, size…]`, y has one element for each window, `[planes, number of spans…]`.
#[derive(Clone, Debug)]
pub struct Spans {
    /// Images × channels.
    pub planes: usize,
    /// Depth, height and width of a plane.
    pub size: [usize; 3],
    /// The windows along each axis.
    pub spans: [Vec<Span>; 3],
}

impl Spans {
    /// Windows along each axis.
    pub fn out(&self) -> [usize; 3] {
        [0, 1, 2].map(|axis| self.spans[axis].len())
    }

    /// Elements of a plane of x and of y, after a check of both.
    fn check(&self, x: usize, y: usize) -> (usize, usize) {
        let (size, outs) = (elements(self.size), elements(self.out()));
        assert_eq!(
            x,
            elements([self.planes, size]),
            "pooling: elements of the input of planes {:?}",
            self.size
        );
        assert_eq!(
            y,
            elements([self.planes, outs]),
            "pooling: elements of the output, windows {:?}",
            self.out()
        );
        for (spans, size) in self.spans.iter().zip(self.size) {
            let fits = |s: &Span| s.start < s.end && s.end <= size && s.step > 0;
            assert!(spans.iter().all(fits), "pooling: a window has no place among {size}");
        }
        (size, outs)
    }

    /// Whether the first window is all there is.
    fn is_whole(&self) -> bool {
        let whole = |(spans, size): (&Vec<Span>, usize)| spans[0] == Span { start: 0, end: size, step: 1 };
        self.spans.iter().zip(self.size).all(whole)
    }

    /// Planes handled by one block: enough that a block is worth telling a thread about.
    fn together(&self) -> usize {
        (16_384 / elements(self.size).max(1)).max(1)
    }

    /// For each row of windows: `row(columns, whether it is the first, start)` for each row of its inputs, then
    /// `end(columns, first output, outputs)`.
    #[inline(always)]
    fn rows<C>(
        &self,
        mut columns: C,
        mut row: impl FnMut(&mut C, bool, usize),
        mut end: impl FnMut(&mut C, usize, usize),
    ) {
        let [_, h, w] = self.size;
        let [_, oh, ow] = self.out();
        for (i, depth) in self.spans[0].iter().enumerate() {
            for (j, rows) in self.spans[1].iter().enumerate() {
                let mut first = true;
                let mut z = depth.start;
                while z < depth.end {
                    let mut r = rows.start;
                    while r < rows.end {
                        row(&mut columns, first, (z * h + r) * w);
                        first = false;
                        r += rows.step;
                    }
                    z += depth.step;
                }
                end(&mut columns, (i * oh + j) * ow, ow);
            }
        }
    }

    /// In how many windows a place may lie, at most.
    fn most(&self) -> usize {
        let along = |axis: usize| {
            let mut change = vec![0isize; self.size[axis] + 1];
            for span in &self.spans[axis] {
                change[span.start] += 1;
                change[span.end] -= 1;
            }
            let (most, _) =
                change.iter().fold((0, 0), |(most, now), step| (most.max(now + step), now + step));
            most as usize
        };
        elements([0, 1, 2].map(along))
    }
}

/// `y[p]` is the largest x of window p and `at[p]` its index in its plane, row-major: the first if several are equal, the
/// first NaN if there is one.
///
/// ```
/// # use mapsto_kernels::pool::{Span, Spans, max_pool_spans};
/// let [all, apart] = [Span { start: 0, end: 1, step: 1 }, Span { start: 0, end: 3, step: 2 }];
/// let s = Spans { planes: 1, size: [1, 1, 3], spans: [vec![all], vec![all], vec![apart]] };
/// let (mut y, mut at) = ([0.0f32], [0]);
/// max_pool_spans(&s, &[1., 5., 3.], &mut y, &mut at);
/// assert_eq!((y, at), ([3.], [2]));
/// ```
///
/// # Panics
/// If a slice's length is not that of the shape, a window has no place, or a plane has more than 2³¹ elements.
pub fn max_pool_spans<T: Float>(s: &Spans, x: &[T], y: &mut [T], at: &mut [i32]) {
    let (size, outs) = s.check(x.len(), y.len());
    assert_eq!(at.len(), y.len(), "max pooling: positions for {} outputs", y.len());
    assert!(size <= i32::MAX as usize, "max pooling: a plane of {:?}", s.size);
    let (together, w) = (s.together(), s.size[2]);
    let even = Even::of(&s.spans[2], w);
    let [left, right] = even.map_or([0, 0], |even| even.margins(s.spans[2].len(), w));
    let (ys, ats) = (Pieces::new(y), Pieces::new(at));
    parallel(s.planes.div_ceil(together), x.len(), |block| {
        // The largest in each column of a row of windows, and its place; in the margins nothing that could win.
        let mut best = vec![T::LOWEST; left + w + right];
        let mut places = vec![i32::MAX; best.len()];
        for plane in block * together..((block + 1) * together).min(s.planes) {
            let x = &x[plane * size..][..size];
            // SAFETY: each plane is visited by one call.
            let y = unsafe { ys.get(plane * outs, outs) };
            // SAFETY: as above.
            let at = unsafe { ats.get(plane * outs, outs) };
            vectorize_light(
                #[inline(always)]
                || {
                    s.rows(
                        (&mut best[..], &mut places[..]),
                        |(best, places), first, row| {
                            let (best, places) = (&mut best[left..][..w], &mut places[left..][..w]);
                            let x = &x[row..][..w];
                            if first {
                                best.copy_from_slice(x);
                                places.iter_mut().zip(row as i32..).for_each(|(place, i)| *place = i);
                                return;
                            }
                            for c in 0..w {
                                let wins = beats(x[c], best[c]);
                                best[c] = T::select(wins, x[c], best[c]);
                                places[c] = if wins { (row + c) as i32 } else { places[c] };
                            }
                        },
                        |(best, places), out, ow| {
                            let (y, at) = (&mut y[out..][..ow], &mut at[out..][..ow]);
                            let Some(even) = even else {
                                for ((span, y), at) in s.spans[2].iter().zip(y).zip(at) {
                                    (*y, *at) = row::largest(best, places, *span);
                                }
                                return;
                            };
                            y.fill(T::LOWEST);
                            at.fill(i32::MAX);
                            for t in 0..even.taps {
                                even.both(t, best, places, y, at);
                            }
                        },
                    )
                },
            );
        }
    });
}

/// [`max_pool_spans`] without the positions, for who wants no gradient.
///
/// # Panics
/// If a slice's length is not that of the shape, or a window has no place.
pub fn max_pool_spans_values<T: Float>(s: &Spans, x: &[T], y: &mut [T]) {
    let (size, outs) = s.check(x.len(), y.len());
    let (together, w) = (s.together(), s.size[2]);
    let even = Even::of(&s.spans[2], w);
    let [left, right] = even.map_or([0, 0], |even| even.margins(s.spans[2].len(), w));
    for_chunks(y, elements([together, outs]).max(1), x.len(), |block, y| {
        let mut best = vec![T::LOWEST; left + w + right];
        for (i, y) in y.chunks_exact_mut(outs).enumerate() {
            let x = &x[(block * together + i) * size..][..size];
            vectorize_light(
                #[inline(always)]
                || {
                    s.rows(
                        &mut best[..],
                        |best, first, row| {
                            let (best, x) = (&mut best[left..][..w], &x[row..][..w]);
                            match first {
                                true => best.copy_from_slice(x),
                                false => {
                                    best.iter_mut().zip(x).for_each(|(best, &x)| *best = larger(*best, x))
                                }
                            }
                        },
                        |best, out, ow| {
                            let y = &mut y[out..][..ow];
                            let Some(even) = even else {
                                for (span, y) in s.spans[2].iter().zip(y) {
                                    *y = match span.step {
                                        1 => row::largest_value(&best[span.start..span.end]),
                                        _ => span.places().map(|c| best[c]).reduce(larger).expect("a place"),
                                    };
                                }
                                return;
                            };
                            y.fill(T::LOWEST);
                            (0..even.taps).for_each(|t| even.tap(t, best, y, |y, x| *y = larger(*y, x)));
                        },
                    )
                },
            );
        }
    });
}

/// The gradient of the input of [`max_pool_spans`]: each output's gradient goes to the input it came from; `dx` is
/// overwritten.
///
/// # Panics
/// If a slice's length is not that of the shape, or `at` points out of a plane.
pub fn max_pool_spans_backward<T: Float>(s: &Spans, g: &[T], at: &[i32], dx: &mut [T]) {
    let (size, outs) = s.check(dx.len(), g.len());
    assert_eq!(at.len(), g.len(), "max pooling: positions for {} gradients", g.len());
    let (together, most) = (s.together(), s.most());
    for_chunks(dx, elements([together, size]).max(1), g.len(), |block, dx| {
        for (i, dx) in dx.chunks_exact_mut(size).enumerate() {
            let plane = block * together + i;
            add_at(dx, &g[plane * outs..][..outs], &at[plane * outs..][..outs], most);
        }
    });
}

/// What the sum of a window is divided by: the product of a number for its place along each axis.
pub type Divisors = [Vec<usize>; 3];

/// `y[p]` is the sum of window p over its divisor, added up in f64.
///
/// ```
/// # use mapsto_kernels::pool::{Span, Spans, mean_pool_spans};
/// let (one, two) = (Span { start: 0, end: 1, step: 1 }, Span { start: 1, end: 3, step: 1 });
/// let s = Spans { planes: 1, size: [1, 1, 3], spans: [vec![one], vec![one], vec![two]] };
/// let mut y = [0.0f32];
/// mean_pool_spans(&s, &[vec![1], vec![1], vec![2]], &[1., 5., 3.], &mut y);
/// assert_eq!(y, [4.]);
/// ```
///
/// # Panics
/// If a slice's length is not that of the shape, or a window has no place or no divisor.
pub fn mean_pool_spans<T: Float>(s: &Spans, divisors: &Divisors, x: &[T], y: &mut [T]) {
    let (size, outs) = s.check(x.len(), y.len());
    assert_eq!(divisors.each_ref().map(Vec::len), s.out(), "average pooling: divisors");
    if outs == 1 && s.is_whole() {
        let by = elements(divisors.each_ref().map(|d| d[0])) as f64;
        reduce::mean(x, [s.planes, size, 1], y);
        if by != size as f64 {
            y.iter_mut().for_each(|y| *y = T::from_f64(y.to_f64() * (size as f64 / by)));
        }
        return;
    }
    let (together, w, oh) = (s.together(), s.size[2], s.spans[1].len());
    let even = Even::of(&s.spans[2], w);
    let [left, right] = even.map_or([0, 0], |even| even.margins(s.spans[2].len(), w));
    let along: Vec<f64> = divisors[2].iter().map(|&n| n as f64).collect();
    for_chunks(y, elements([together, outs]).max(1), x.len(), |block, y| {
        let (mut sums, mut found) = (vec![0.0f64; left + w + right], vec![0.0f64; along.len()]);
        for (i, y) in y.chunks_exact_mut(outs).enumerate() {
            let x = &x[(block * together + i) * size..][..size];
            vectorize_light(
                #[inline(always)]
                || {
                    s.rows(
                        (&mut sums[..], &mut found[..]),
                        |(sums, _), first, row| {
                            let (sums, x) = (&mut sums[left..][..w], &x[row..][..w]);
                            match first {
                                true => sums.iter_mut().zip(x).for_each(|(sum, x)| *sum = x.to_f64()),
                                false => sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += x.to_f64()),
                            }
                        },
                        |(sums, found), out, ow| {
                            let (y, at) = (&mut y[out..][..ow], out / ow);
                            match even {
                                Some(even) => {
                                    found.fill(0.0);
                                    (0..even.taps).for_each(|t| even.tap(t, sums, found, |y, x| *y += x));
                                }
                                None => {
                                    for (span, found) in s.spans[2].iter().zip(found.iter_mut()) {
                                        *found = match span.step {
                                            1 => row::sum(&sums[span.start..span.end]),
                                            _ => span.places().map(|c| sums[c]).sum(),
                                        };
                                    }
                                }
                            }
                            let above = divisors[0][at / oh] as f64 * divisors[1][at % oh] as f64;
                            for ((y, sum), n) in y.iter_mut().zip(found.iter()).zip(&along) {
                                *y = T::from_f64(sum / (above * n));
                            }
                        },
                    )
                },
            );
        }
    });
}

/// The gradient of the input of [`mean_pool_spans`]: each output's gradient is shared out over its window; `dx` is
/// overwritten.
///
/// # Panics
/// If a slice's length is not that of the shape, or a window has no place or no divisor.
pub fn mean_pool_spans_backward<T: Float>(s: &Spans, divisors: &Divisors, g: &[T], dx: &mut [T]) {
    let (size, outs) = s.check(dx.len(), g.len());
    let dx_len = dx.len();
    assert_eq!(divisors.each_ref().map(Vec::len), s.out(), "average pooling: divisors");
    let (together, w, oh) = (s.together(), s.size[2], s.spans[1].len());
    if outs == 1 && s.is_whole() {
        let by = elements(divisors.each_ref().map(|d| d[0])) as f64;
        return for_chunks(dx, elements([together, size]), dx_len, |block, dx| {
            for (dx, g) in dx.chunks_exact_mut(size).zip(&g[block * together..]) {
                dx.fill(T::from_f64(g.to_f64() / by));
            }
        });
    }
    for_chunks(dx, elements([together, size]).max(1), dx_len, |block, dx| {
        // In f64, since one input may lie in very many windows.
        let (mut sums, mut each) = (vec![0.0f64; size], vec![0.0f64; w]);
        for (i, dx) in dx.chunks_exact_mut(size).enumerate() {
            let g = &g[(block * together + i) * outs..][..outs];
            sums.fill(0.0);
            vectorize_light(
                #[inline(always)]
                || {
                    for (out, g) in g.chunks_exact(s.spans[2].len()).enumerate() {
                        let above = divisors[0][out / oh] as f64 * divisors[1][out % oh] as f64;
                        each.fill(0.0);
                        for ((span, g), n) in s.spans[2].iter().zip(g).zip(&divisors[2]) {
                            let share = g.to_f64() / (above * *n as f64);
                            match span.step {
                                1 => each[span.start..span.end].iter_mut().for_each(|each| *each += share),
                                _ => span.places().for_each(|c| each[c] += share),
                            }
                        }
                        for z in s.spans[0][out / oh].places() {
                            for r in s.spans[1][out % oh].places() {
                                let sums = &mut sums[(z * s.size[1] + r) * w..][..w];
                                sums.iter_mut().zip(each.iter()).for_each(|(sum, each)| *sum += each);
                            }
                        }
                    }
                },
            );
            dx.iter_mut().zip(&sums).for_each(|(d, &sum)| *d = T::from_f64(sum));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows of 2 places with a step of 2, of 3 places, and the rest of the last axis.
    fn shape() -> Spans {
        let span = |start, end, step| Span { start, end, step };
        let spans = [
            vec![span(0, 3, 2), span(1, 4, 2)],
            vec![span(0, 2, 1), span(1, 3, 1), span(2, 3, 1)],
            vec![span(0, 5, 3), span(3, 5, 1)],
        ];
        Spans { planes: 2, size: [4, 3, 5], spans }
    }

    #[test]
    fn the_first_largest_of_a_window_row_by_row() {
        let s = shape();
        let x: Vec<f64> = (0..120).map(|i| (i * 7919 % 97 % 5) as f64).collect();
        let (mut y, mut at) = (vec![0.0; 24], vec![0; 24]);
        max_pool_spans(&s, &x, &mut y, &mut at);
        let mut p = 0;
        for plane in 0..2 {
            for a in &s.spans[0] {
                for b in &s.spans[1] {
                    for c in &s.spans[2] {
                        let (mut best, mut place) = (f64::MIN, 0);
                        for z in a.places() {
                            for r in b.places() {
                                for q in c.places() {
                                    let i = (z * 3 + r) * 5 + q;
                                    if x[plane * 60 + i] > best {
                                        (best, place) = (x[plane * 60 + i], i as i32);
                                    }
                                }
                            }
                        }
                        assert_eq!((y[p], at[p]), (best, place), "window {p}");
                        p += 1;
                    }
                }
            }
        }
        assert_eq!(s.most(), 2 * 2 * 2);
        let mut values = vec![0.0; 24];
        max_pool_spans_values(&s, &x, &mut values);
        assert_eq!(values, y);
    }

    #[test]
    fn the_backward_pass_is_the_transpose() {
        let s = shape();
        let divisors: Divisors = [vec![2, 2], vec![2, 2, 1], vec![2, 3]];
        let x: Vec<f64> = (0..120).map(|i| (i as f64 * 0.7).sin()).collect();
        let g: Vec<f64> = (0..24).map(|i| (i as f64 * 1.3).cos()).collect();
        let (mut y, mut dx) = (vec![0.0; 24], vec![0.0; 120]);
        mean_pool_spans(&s, &divisors, &x, &mut y);
        mean_pool_spans_backward(&s, &divisors, &g, &mut dx);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        assert!((dot(&y, &g) - dot(&x, &dx)).abs() < 1e-12);
        let ones = vec![1.0; 120];
        mean_pool_spans(&s, &divisors, &ones, &mut y);
        assert_eq!(y[..2], [1.0, 8.0 / 12.0]);
        let mut at = vec![0; 24];
        max_pool_spans(&s, &x, &mut y, &mut at);
        max_pool_spans_backward(&s, &g, &at, &mut dx);
        assert!((dot(&y, &g) - dot(&x, &dx)).abs() < 1e-12);
    }
}
