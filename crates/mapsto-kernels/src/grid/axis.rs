//! What a run of places sees along one axis: its neighbours, their weights, and how these change with the place.

use super::{Between, Grid, Outside};
use crate::real::Float;

/// Outputs of a run: what is seen along three axes (18 KB in f32, of lines) stays in the first cache.
pub(super) const RUN: usize = 128;

/// Below 0 by more than any place: a neighbour that is not there.
const NONE: i32 = i32::MIN / 4;

/// The neighbours of a run of places along an axis, neighbour by neighbour.
pub(super) struct Axis<T> {
    /// Their places, times the elements from one to the next; far below 0 where nothing is there.
    pub at: [[i32; RUN]; 4],
    /// What they weigh; 0 where nothing is there.
    pub weight: [[T; RUN]; 4],
    /// The derivative of the weight by the coordinate from −1 to 1.
    pub slope: [[T; RUN]; 4],
}

impl<T: Float> Axis<T> {
    /// Along slices, rows and columns; where nothing is looked at, one slice.
    pub fn three() -> [Axis<T>; 3] {
        [(); 3].map(|()| Axis { at: [[0; RUN]; 4], weight: [[T::ONE; RUN]; 4], slope: [[T::ZERO; RUN]; 4] })
    }

    /// Looks along an axis of `size` elements, `stride` apart: coordinate p of `len` is `grid[p · axes]`.
    #[inline(always)]
    pub fn see(&mut self, s: &Grid, grid: &[T], axes: usize, len: usize, size: usize, stride: i32) {
        let n = size as f64;
        let (scale, back) = if s.align_corners { (0.5 * (n - 1.0), 0.0) } else { (0.5 * n, 0.5) };
        let (scale, back) = (T::from_f64(scale), T::from_f64(back));
        let (mut place, mut slope) = ([T::ZERO; RUN], [scale; RUN]);
        let of = |g: T| (g + T::ONE) * scale - back;
        match axes {
            2 => place.iter_mut().zip(grid.chunks(2)).for_each(|(p, g)| *p = of(g[0])),
            _ => place.iter_mut().zip(grid.chunks(3)).for_each(|(p, g)| *p = of(g[0])),
        }
        let end = Ends::of(s, size);
        let len = len.min(RUN);
        match s.between {
            Between::Nearest => {
                end.keep_inside(&mut place, &mut slope);
                for p in 0..len {
                    let at = place[p].round();
                    (self.at[0][p], self.weight[0][p]) = end.there(at, T::ONE, stride);
                    self.weight[0][p] = T::select(at.is_nan(), T::NAN, self.weight[0][p]);
                }
            }
            Between::Linear => {
                end.keep_inside(&mut place, &mut slope);
                for p in 0..len {
                    let low = place[p].floor();
                    let t = place[p] - low;
                    (self.at[0][p], self.weight[0][p]) = end.there(low, T::ONE - t, stride);
                    (self.at[1][p], self.weight[1][p]) = end.there(low + T::ONE, t, stride);
                    self.slope[0][p] = T::select(self.at[0][p] >= 0, -slope[p], T::ZERO);
                    self.slope[1][p] = T::select(self.at[1][p] >= 0, slope[p], T::ZERO);
                }
            }
            Between::Cubic => {
                let mut low = [T::ZERO; RUN];
                for p in 0..RUN {
                    low[p] = place[p].floor();
                    place[p] -= low[p];
                }
                for k in 0..4 {
                    let mut at = [T::ZERO; RUN];
                    let step = T::from_f64(k as f64 - 1.0);
                    at.iter_mut().zip(&low).for_each(|(at, &low)| *at = low + step);
                    end.keep_inside(&mut at, &mut slope);
                    for p in 0..len {
                        let t = place[p];
                        // At a distance of t + 1, t, 1 − t and 2 − t.
                        let (weight, change) = match k {
                            0 => far(t + T::ONE),
                            1 => near(t),
                            2 => near(T::ONE - t),
                            _ => far(T::TWO - t),
                        };
                        (self.at[k][p], self.weight[k][p]) = end.there(at[p], weight, stride);
                        let change = if k < 2 { change * scale } else { -(change * scale) };
                        self.slope[k][p] = T::select(self.at[k][p] >= 0, change, T::ZERO);
                    }
                }
            }
        }
    }
}

/// The weight of a neighbour at a distance up to 1, and its derivative: Keys (1981), with `a = −0.75`.
#[inline(always)]
fn near<T: Float>(x: T) -> (T, T) {
    let of = T::from_f64;
    ((x * of(1.25) - of(2.25)) * (x * x) + T::ONE, (x * of(3.75) - of(4.5)) * x)
}

/// The weight of a neighbour at a distance from 1 to 2, and its derivative.
#[inline(always)]
fn far<T: Float>(x: T) -> (T, T) {
    let of = T::from_f64;
    (
        (((x - of(5.0)) * x + of(8.0)) * x - of(4.0)) * of(-0.75),
        ((x * of(3.0) - of(10.0)) * x + of(8.0)) * of(-0.75),
    )
}

/// The neighbours of a run of places along all axes together, neighbour by neighbour.
pub(super) struct Taps<T> {
    /// Their places in a plane; below 0 where nothing is there.
    pub at: [[i32; RUN]; 16],
    /// What they weigh.
    pub weight: [[T; RUN]; 16],
}

impl<T: Float> Taps<T> {
    /// Of none yet.
    pub fn new() -> Taps<T> {
        Taps { at: [[0; RUN]; 16], weight: [[T::ZERO; RUN]; 16] }
    }

    /// Joins `Z` neighbours along the first axis and `L` along each of the others.
    #[inline(always)]
    pub fn join<const Z: usize, const L: usize>(&mut self, seen: &[Axis<T>; 3], len: usize) {
        let len = len.min(RUN);
        for k in 0..Z * L * L {
            let (z, i, j) = (k / (L * L), k / L % L, k % L);
            let (at, weight) = (&mut self.at[k], &mut self.weight[k]);
            for p in 0..len {
                at[p] = seen[0].at[z][p] + seen[1].at[i][p] + seen[2].at[j][p];
                weight[p] = seen[0].weight[z][p] * seen[1].weight[i][p] * seen[2].weight[j][p];
            }
        }
    }
}

/// Where an axis ends, and what lies behind its ends.
struct Ends<T> {
    outside: Outside,
    /// The last place, as a number and exactly.
    last: T,
    most: i32,
    /// Of a mirrored axis: where it begins, and how long it is.
    least: T,
    span: T,
}

impl<T: Float> Ends<T> {
    fn of(s: &Grid, size: usize) -> Ends<T> {
        let n = size as f64;
        let (least, span) = if s.align_corners { (0.0, n - 1.0) } else { (-0.5, n) };
        Ends {
            outside: s.outside,
            last: T::from_f64(n - 1.0),
            most: size as i32 - 1,
            least: T::from_f64(least),
            span: T::from_f64(span),
        }
    }

    /// Moves places into the axis, if what is outside is of it too. At its ends and beyond there is no slope.
    #[inline(always)]
    fn keep_inside(&self, place: &mut [T; RUN], slope: &mut [T; RUN]) {
        match self.outside {
            Outside::Zeros => {}
            Outside::Border => self.clip(place, slope),
            Outside::Reflection if self.span == T::ZERO => {
                for (x, slope) in place.iter_mut().zip(slope) {
                    (*x, *slope) = (*x * T::ZERO, T::ZERO);
                }
            }
            Outside::Reflection => {
                for (x, slope) in place.iter_mut().zip(slope.iter_mut()) {
                    let away = *x - self.least;
                    let before = away < T::ZERO;
                    let away = T::select(before, -away, away);
                    let turns = (away / self.span).floor();
                    let rest = away - turns * self.span;
                    let odd = turns - T::TWO * (turns * T::HALF).floor() > T::ZERO;
                    *x = T::select(odd, (self.span + self.least) - rest, rest + self.least);
                    *slope = T::select(before ^ odd, -*slope, *slope);
                }
                self.clip(place, slope);
            }
        }
    }

    #[inline(always)]
    fn clip(&self, place: &mut [T; RUN], slope: &mut [T; RUN]) {
        for (x, slope) in place.iter_mut().zip(slope) {
            let within = ((*x > T::ZERO) & (*x < self.last)) | x.is_nan();
            *slope = T::select(within, *slope, T::ZERO);
            let x0 = T::select(*x > T::ZERO, *x, T::ZERO);
            let inner = T::select(x0 < self.last, x0, self.last);
            *x = T::select(within, *x, inner);
        }
    }

    /// Where the neighbour at a whole place lies, and its weight. What is no number is the first place.
    #[inline(always)]
    fn there(&self, at: T, weight: T, stride: i32) -> (i32, T) {
        let nan = at.is_nan();
        let is = ((at >= T::ZERO) & (at <= self.last)) | nan;
        // A size that T cannot hold may be rounded up.
        let whole = T::select(is & !nan, at, T::ZERO).to_i32().min(self.most) * stride;
        (if is { whole } else { NONE }, T::select(is, weight, T::ZERO))
    }
}
