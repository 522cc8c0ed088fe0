//! What windows take of the columns of a row: windows at even distances all at once, others one by one in lanes.

use super::{Span, beats};
use crate::real::Float;

/// Windows at even distances: window `i` takes the columns `first + i·stride + t·step`, `0 ≤ t < taps`, that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Even {
    first: isize,
    pub stride: usize,
    pub step: usize,
    pub taps: usize,
}

impl Even {
    /// If windows of a row of `w` columns are so, and more of them than each has columns, so that it pays to take them at once.
    pub fn of(spans: &[Span], w: usize) -> Option<Even> {
        let [.., before, last] = spans else { return None };
        let (step, stride) = (last.step, last.start.checked_sub(before.start).filter(|n| *n > 0)?);
        let first = last.start as isize - ((spans.len() - 1) * stride) as isize;
        let reach = |(i, span): (usize, &Span)| span.end as isize - first - (i * stride) as isize;
        let taps = (spans.iter().enumerate().map(reach).max()?.max(0) as usize).div_ceil(step);
        let even = Even { first, stride, step, taps };
        let fits = |(i, span): (usize, &Span)| *span == even.span(i, w);
        (taps <= spans.len().max(4) && spans.iter().enumerate().all(fits)).then_some(even)
    }

    /// The columns of window `i` that there are.
    fn span(&self, i: usize, w: usize) -> Span {
        let start = self.first + (i * self.stride) as isize;
        let end = (start + ((self.taps - 1) * self.step) as isize + 1).clamp(0, w as isize) as usize;
        let start = if start < 0 { (start.rem_euclid(self.step as isize)) as usize } else { start as usize };
        Span { start, end, step: self.step }
    }

    /// Columns before the first one and behind the last that windows reach.
    pub fn margins(&self, windows: usize, w: usize) -> [usize; 2] {
        let before = (-self.first).max(0) as usize;
        // As many as are read in groups of a stride.
        let reach =
            before as isize + self.first + (windows * self.stride + (self.taps - 1) * self.step) as isize;
        [before, (reach.max(0) as usize).saturating_sub(before + w)]
    }

    /// Calls `f(window, column)` for tap `t` of all windows, of columns with their margins.
    #[inline(always)]
    pub fn tap<A: Copy, Y>(&self, t: usize, columns: &[A], y: &mut [Y], mut f: impl FnMut(&mut Y, A)) {
        let from = &columns[(self.first.max(0) as usize) + t * self.step..];
        match self.stride {
            1 => y.iter_mut().zip(from).for_each(|(y, x)| f(y, *x)),
            2 => y.iter_mut().zip(from.as_chunks::<2>().0).for_each(|(y, x)| f(y, x[0])),
            n => y.iter_mut().zip(from.iter().step_by(n)).for_each(|(y, x)| f(y, *x)),
        }
    }

    /// [`Even::tap`] of the largest and its place, of equals the one in front.
    #[inline(always)]
    pub fn both<T: Float>(&self, t: usize, best: &[T], places: &[i32], y: &mut [T], at: &mut [i32]) {
        let from = self.first.max(0) as usize + t * self.step;
        let n = y.len().min(at.len());
        let (y, at) = (&mut y[..n], &mut at[..n]);
        let mut see = |q: usize, x: T, place: i32| {
            let wins = before(x, place, y[q], at[q]);
            y[q] = T::select(wins, x, y[q]);
            at[q] = if wins { place } else { at[q] };
        };
        match self.stride {
            1 => {
                let (best, places) = (&best[from..][..n], &places[from..][..n]);
                (0..n).for_each(|q| see(q, best[q], places[q]));
            }
            2 => {
                let (best, places) =
                    (&best[from..].as_chunks::<2>().0[..n], &places[from..].as_chunks::<2>().0[..n]);
                (0..n).for_each(|q| see(q, best[q][0], places[q][0]));
            }
            s => (0..n).for_each(|q| see(q, best[from + q * s], places[from + q * s])),
        }
    }
}

const LANES: usize = 16;

/// The largest of a window's columns and the place of it: of equals the one with the least place, and the first NaN.
#[inline(always)]
pub(super) fn largest<T: Float>(best: &[T], places: &[i32], span: Span) -> (T, i32) {
    let (mut most, mut at) = (best[span.start], places[span.start]);
    let mut see = |x: T, place: i32| {
        if before(x, place, most, at) {
            (most, at) = (x, place);
        }
    };
    if span.step > 1 || span.end - span.start < 2 * LANES {
        span.places().for_each(|c| see(best[c], places[c]));
        return (most, at);
    }
    let (xs, rest) = best[span.start..span.end].as_chunks::<LANES>();
    let (at_xs, at_rest) = places[span.start..span.end].as_chunks::<LANES>();
    let (mut lane, mut lane_at) = (xs[0], at_xs[0]);
    for (x, place) in xs.iter().zip(at_xs) {
        for i in 0..LANES {
            let wins = before(x[i], place[i], lane[i], lane_at[i]);
            lane[i] = T::select(wins, x[i], lane[i]);
            lane_at[i] = if wins { place[i] } else { lane_at[i] };
        }
    }
    lane.iter().zip(&lane_at).for_each(|(x, place)| see(*x, *place));
    rest.iter().zip(at_rest).for_each(|(x, place)| see(*x, *place));
    (most, at)
}

/// Whether a number takes the place of another: it is larger, or as large and in front of it.
#[inline(always)]
pub(super) fn before<T: Float>(x: T, place: i32, best: T, at: i32) -> bool {
    let equal = (x == best) | (x.is_nan() & best.is_nan());
    beats(x, best) | (equal & (place < at))
}

/// The largest of neighbours.
#[inline(always)]
pub(super) fn largest_value<T: Float>(xs: &[T]) -> T {
    let (groups, rest) = xs.as_chunks::<LANES>();
    let mut lane = [xs[0]; LANES];
    for x in groups {
        for i in 0..LANES {
            lane[i] = T::select(beats(x[i], lane[i]), x[i], lane[i]);
        }
    }
    lane.iter().chain(rest).fold(xs[0], |best, &x| T::select(beats(x, best), x, best))
}

/// The sum of neighbours, in eight lanes.
#[inline(always)]
pub(super) fn sum(xs: &[f64]) -> f64 {
    let (groups, rest) = xs.as_chunks::<8>();
    let mut lane = [0.0; 8];
    for x in groups {
        for i in 0..8 {
            lane[i] += x[i];
        }
    }
    lane.iter().chain(rest).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_windows_are_found_and_have_their_columns() {
        let span = |start, end, step| Span { start, end, step };
        let cases = [
            (vec![span(0, 2, 1), span(1, 4, 1), span(3, 6, 1), span(5, 7, 1)], 7, Some((-1, 2, 1, 3))),
            (vec![span(1, 4, 2), span(0, 5, 2), span(1, 6, 2), span(2, 7, 2)], 9, Some((-1, 1, 2, 3))),
            (vec![span(0, 2, 1), span(2, 4, 1), span(5, 7, 1)], 7, None),
            (vec![span(0, 9, 1), span(9, 18, 1)], 18, None),
            (vec![span(0, 2, 1)], 2, None),
        ];
        for (spans, w, want) in cases {
            let even = Even::of(&spans, w);
            assert_eq!(even.map(|e| (e.first, e.stride, e.step, e.taps)), want, "{spans:?}");
            let Some(even) = even else { continue };
            let [left, right] = even.margins(spans.len(), w);
            let columns: Vec<usize> = (0..left + w + right).collect();
            let mut seen = vec![Vec::new(); spans.len()];
            for t in 0..even.taps {
                even.tap(t, &columns, &mut seen, |seen, c| seen.push(c));
            }
            for (span, seen) in spans.iter().zip(seen) {
                let inside: Vec<usize> =
                    seen.iter().filter_map(|c| c.checked_sub(left)).filter(|c| *c < w).collect();
                assert_eq!((seen.len(), inside), (even.taps, span.places().collect()), "{span:?}");
            }
        }
    }

    #[test]
    fn the_largest_in_lanes() {
        for n in [1, 2, 31, 32, 33, 100] {
            for nan in [false, true] {
                let mut x: Vec<f32> = (0..n).map(|i| ((i * 37) % 11) as f32).collect();
                if nan {
                    x[n / 2] = f32::NAN;
                    x[n - 1] = f32::NAN;
                }
                // Places that do not rise, as those of several rows.
                let places: Vec<i32> = (0..n as i32).map(|i| (i % 3) * 1000 + i).collect();
                let all = Span { start: 0, end: n, step: 1 };
                let first = |a: usize, b: usize| if before(x[b], places[b], x[a], places[a]) { b } else { a };
                let want = (0..n).reduce(first).unwrap();
                let (y, at) = largest(&x, &places, all);
                assert_eq!((y.to_bits(), at), (x[want].to_bits(), places[want]), "{n}");
                assert_eq!(largest_value(&x).is_nan(), nan);
                assert!(nan || largest_value(&x) == y);
            }
        }
        assert_eq!(sum(&(0..100).map(f64::from).collect::<Vec<_>>()), 4950.0);
    }
}
