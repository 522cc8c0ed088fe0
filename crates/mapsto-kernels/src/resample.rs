//! Weighted sums of few elements: along an axis, where every line is resampled alike, and at listed places, where each output
//! has places of its own.
//!
//! Along an axis that others follow, the inner loop runs over what follows, in vector registers; along the last axis it runs
//! over outputs, whose weights lie one after the other.

use crate::elements::elements;
use crate::real::Float;
use crate::simd::vectorize_light;
use crate::threads::{Pieces, for_chunks, parallel};
use std::ops::Range;

/// What each of a number of outputs along an axis is made of: inputs, and their weights.
///
/// ```
/// use mapsto_kernels::resample::Taps;
/// let mean = Taps::new(2, [vec![(0, 0.5), (1, 0.5)]]);
/// let both = mean.transposed();
/// assert_eq!((mean.outputs(), both.outputs()), (1, 2));
/// assert_eq!(both.of(1).collect::<Vec<_>>(), [(0, 0.5)]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Taps {
    inputs: usize,
    /// Where the taps of each output begin, and their number at the end.
    starts: Vec<usize>,
    index: Vec<u32>,
    weight: Vec<f64>,
}

impl Taps {
    /// Of so many inputs, the place and the weight of each that an output is made of.
    ///
    /// # Panics
    /// When a place is not among the inputs.
    pub fn new(inputs: usize, outputs: impl IntoIterator<Item = Vec<(usize, f64)>>) -> Taps {
        let mut taps = Taps { inputs, starts: vec![0], index: Vec::new(), weight: Vec::new() };
        for list in outputs {
            for (i, w) in list {
                assert!(i < inputs, "resample: the place {i} of {inputs}");
                taps.index.push(u32::try_from(i).expect("fewer than 2³² places along an axis"));
                taps.weight.push(w);
            }
            taps.starts.push(taps.index.len());
        }
        taps
    }

    /// How many outputs there are.
    pub fn outputs(&self) -> usize {
        self.starts.len() - 1
    }

    /// How many inputs there are.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    fn range(&self, output: usize) -> Range<usize> {
        self.starts[output]..self.starts[output + 1]
    }

    /// The places and weights of an output.
    pub fn of(&self, output: usize) -> impl Iterator<Item = (usize, f64)> {
        self.range(output).map(|k| (self.index[k] as usize, self.weight[k]))
    }

    /// The transpose: what each input gives to outputs.
    pub fn transposed(&self) -> Taps {
        let mut lists = vec![Vec::new(); self.inputs];
        for output in 0..self.outputs() {
            self.of(output).for_each(|(i, w)| lists[i].push((output, w)));
        }
        Taps::new(self.outputs(), lists)
    }

    /// The number of taps, where it is the same for all outputs and small.
    fn each(&self) -> Option<usize> {
        let n = self.range(0).len();
        ((1..=4).contains(&n) && (0..self.outputs()).all(|i| self.range(i).len() == n)).then_some(n)
    }
}

/// `y[o, i, r] = Σ w · x[o, j, r]` over the taps `(j, w)` of output i, for `dims = [outer, inputs, inner]`. Sums of many are
/// made in f64.
///
/// ```
/// use mapsto_kernels::resample::{Taps, resample};
/// let mut y = [0.0f32; 2];
/// resample(&Taps::new(2, [vec![(1, 1.0)], vec![(0, 0.5), (1, 0.5)]]), &[1.0, 3.0], [1, 2, 1], &mut y);
/// assert_eq!(y, [3.0, 2.0]);
/// ```
///
/// # Panics
/// If a slice has not the elements of `dims`.
pub fn resample<T: Float>(taps: &Taps, x: &[T], [outer, n, inner]: [usize; 3], y: &mut [T]) {
    let m = taps.outputs();
    assert_eq!(n, taps.inputs, "resample: inputs along the axis");
    assert_eq!(x.len(), elements([outer, n, inner]), "resample: elements of the input");
    assert_eq!(y.len(), elements([outer, m, inner]), "resample: elements of the output");
    if y.is_empty() {
        return;
    }
    let weight: Vec<T> = taps.weight.iter().map(|&w| T::from_f64(w)).collect();
    let cost = elements([outer, taps.index.len(), inner]);
    if inner > 1 {
        let together = (16_384 / inner).max(1);
        return for_chunks(y, elements([together, inner]), cost, |block, y| {
            let mut sums = Vec::new();
            for (i, y) in y.chunks_exact_mut(inner).enumerate() {
                let (o, i) = ((block * together + i) / m, (block * together + i) % m);
                let range = taps.range(i);
                let row = |k: usize| &x[(o * n + taps.index[k] as usize) * inner..][..inner];
                vectorize_light(
                    #[inline(always)]
                    || match range.len() {
                        0 => y.fill(T::ZERO),
                        1 => {
                            let w = weight[range.start];
                            y.iter_mut().zip(row(range.start)).for_each(|(y, &x)| *y = w * x);
                        }
                        2..=8 => {
                            let [a, b] = [weight[range.start], weight[range.start + 1]];
                            let rows = row(range.start).iter().zip(row(range.start + 1));
                            y.iter_mut().zip(rows).for_each(|(y, (&p, &q))| *y = a * p + b * q);
                            for k in range.clone().skip(2) {
                                let w = weight[k];
                                y.iter_mut().zip(row(k)).for_each(|(y, &x)| *y += w * x);
                            }
                        }
                        _ => {
                            sums.clear();
                            sums.resize(inner, 0.0f64);
                            for k in range.clone() {
                                let w = taps.weight[k];
                                sums.iter_mut().zip(row(k)).for_each(|(y, x)| *y += w * x.to_f64());
                            }
                            y.iter_mut().zip(&sums).for_each(|(y, &sum)| *y = T::from_f64(sum));
                        }
                    },
                );
            }
        });
    }
    let (together, each) = ((16_384 / m).max(1), taps.each());
    for_chunks(y, elements([together, m]), cost, |block, y| {
        for (o, y) in y.chunks_exact_mut(m).enumerate() {
            let x = &x[(block * together + o) * n..][..n];
            match each {
                Some(1) => lines::<T, 1>(&taps.index, &weight, x, y),
                Some(2) => lines::<T, 2>(&taps.index, &weight, x, y),
                Some(4) => lines::<T, 4>(&taps.index, &weight, x, y),
                _ => {
                    for (i, y) in y.iter_mut().enumerate() {
                        *y = T::from_f64(taps.of(i).map(|(j, w)| w * x[j].to_f64()).sum());
                    }
                }
            }
        }
    });
}

/// A line of outputs of as many taps each.
fn lines<T: Float, const K: usize>(index: &[u32], weight: &[T], x: &[T], y: &mut [T]) {
    let (index, _) = index.as_chunks::<K>();
    let (weight, _) = weight.as_chunks::<K>();
    for ((y, at), w) in y.iter_mut().zip(index).zip(weight) {
        let mut sum = w[0] * x[at[0] as usize];
        for k in 1..K {
            sum += w[k] * x[at[k] as usize];
        }
        *y = sum;
    }
}

/// The sizes of a sampling at listed places: x is `[n, c, size]`, and each of `rows` lists of `outs` outputs reads the planes of
/// one image, by `taps` places an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places<'a> {
    /// Images.
    pub n: usize,
    /// Channels.
    pub c: usize,
    /// Elements of a plane.
    pub size: usize,
    /// The image that each row reads.
    pub image: &'a [i64],
    /// Outputs of a row.
    pub outs: usize,
    /// Places of an output.
    pub taps: usize,
    /// The places `[rows, outs, taps]`; below 0 for none.
    pub at: &'a [i64],
}

impl Places<'_> {
    fn check(&self, x: usize, w: usize, y: usize) {
        let rows = self.image.len();
        assert_eq!(x, elements([self.n, self.c, self.size]), "sample: elements of the input");
        assert_eq!(y, elements([rows, self.c, self.outs]), "sample: elements of the output");
        let count = elements([rows, self.outs, self.taps]);
        assert_eq!((w, self.at.len()), (count, count), "sample: weights and places");
        assert!(
            self.image.iter().all(|&i| (0..self.n as i64).contains(&i)),
            "sample: an image beyond {}",
            self.n
        );
        assert!(self.at.iter().all(|&i| i < self.size as i64), "sample: a place beyond {}", self.size);
    }

    /// The places and their numbers of a row, an output after the other.
    fn row(&self, row: usize) -> Range<usize> {
        row * self.outs * self.taps..(row + 1) * self.outs * self.taps
    }
}

/// `y[r, c, p] = Σₖ w[r, p, k] · x[image of r, c, at[r, p, k]]`.
///
/// ```
/// use mapsto_kernels::resample::{Places, sample};
/// let places = Places { n: 1, c: 1, size: 3, image: &[0], outs: 2, taps: 2, at: &[0, 2, 1, -1] };
/// let mut y = [0.0f32; 2];
/// sample(&places, &[1.0, 2.0, 4.0], &[0.5, 0.25, 1.0, 9.0], &mut y);
/// assert_eq!(y, [1.5, 2.0]);
/// ```
///
/// # Panics
/// If a slice has not the elements of the shape, or a place or an image is not there.
pub fn sample<T: Float>(s: &Places<'_>, x: &[T], w: &[T], y: &mut [T]) {
    s.check(x.len(), w.len(), y.len());
    for_chunks(y, s.outs.max(1), elements([s.image.len(), s.c, s.outs, s.taps]), |i, y| {
        let (row, channel) = (i / s.c, i % s.c);
        let x = &x[(s.image[row] as usize * s.c + channel) * s.size..][..s.size];
        let (at, w) = (&s.at[s.row(row)], &w[s.row(row)]);
        match s.taps {
            1 => points::<T, 1>(at, w, x, y),
            4 => points::<T, 4>(at, w, x, y),
            8 => points::<T, 8>(at, w, x, y),
            _ => {
                for ((y, at), w) in y.iter_mut().zip(at.chunks_exact(s.taps)).zip(w.chunks_exact(s.taps)) {
                    *y = T::from_f64(there(at, w).map(|(i, w)| w.to_f64() * x[i].to_f64()).sum());
                }
            }
        }
    });
}

/// The places that there are, with their weights.
fn there<'a, T: Float>(at: &'a [i64], w: &'a [T]) -> impl Iterator<Item = (usize, T)> + 'a {
    at.iter().zip(w).filter(|(i, _)| **i >= 0).map(|(i, w)| (*i as usize, *w))
}

/// Outputs of as many places each.
fn points<T: Float, const K: usize>(at: &[i64], w: &[T], x: &[T], y: &mut [T]) {
    let (at, _) = at.as_chunks::<K>();
    let (w, _) = w.as_chunks::<K>();
    for ((y, at), w) in y.iter_mut().zip(at).zip(w) {
        let mut sum = T::ZERO;
        for k in 0..K {
            if at[k] >= 0 {
                sum += w[k] * x[at[k] as usize];
            }
        }
        *y = sum;
    }
}

/// The gradient of the input of [`sample`]: each output's gradient, times its weights, is added where it came from, in f64;
/// `dx` is overwritten.
///
/// # Panics
/// As [`sample`].
pub fn sample_backward<T: Float>(s: &Places<'_>, w: &[T], g: &[T], dx: &mut [T]) {
    s.check(dx.len(), w.len(), g.len());
    let mut rows = vec![Vec::new(); s.n];
    s.image.iter().enumerate().for_each(|(row, &image)| rows[image as usize].push(row));
    for_chunks(dx, s.size.max(1), elements([s.image.len(), s.c, s.outs, s.taps]), |plane, dx| {
        let (image, channel) = (plane / s.c, plane % s.c);
        let mut sums = vec![0.0f64; s.size];
        for &row in &rows[image] {
            let g = &g[(row * s.c + channel) * s.outs..][..s.outs];
            let (at, w) = (&s.at[s.row(row)], &w[s.row(row)]);
            for ((g, at), w) in g.iter().zip(at.chunks_exact(s.taps)).zip(w.chunks_exact(s.taps)) {
                there(at, w).for_each(|(i, w)| sums[i] += g.to_f64() * w.to_f64());
            }
        }
        dx.iter_mut().zip(sums).for_each(|(d, sum)| *d = T::from_f64(sum));
    });
}

/// The gradient of the weights of [`sample`]: `dw[r, p, k] = Σ_c g[r, c, p] · x[image of r, c, at[r, p, k]]`, added up in f64;
/// `dw` is overwritten.
///
/// # Panics
/// As [`sample`].
pub fn sample_backward_weights<T: Float>(s: &Places<'_>, x: &[T], g: &[T], dw: &mut [T]) {
    s.check(x.len(), dw.len(), g.len());
    const OUTS: usize = 256;
    let (parts, each) = (s.outs.div_ceil(OUTS), Pieces::new(dw));
    parallel(s.image.len() * parts, elements([s.image.len(), s.c, s.outs, s.taps]), |block| {
        let (row, from) = (block / parts, block % parts * OUTS);
        let outs = OUTS.min(s.outs - from);
        let start = (row * s.outs + from) * s.taps;
        // SAFETY: each part of a row is visited by one call.
        let dw = unsafe { each.get(start, outs * s.taps) };
        let at = &s.at[start..][..outs * s.taps];
        let mut sums = vec![0.0f64; outs * s.taps];
        for channel in 0..s.c {
            let x = &x[(s.image[row] as usize * s.c + channel) * s.size..][..s.size];
            let g = &g[(row * s.c + channel) * s.outs + from..][..outs];
            for ((g, at), sums) in g.iter().zip(at.chunks_exact(s.taps)).zip(sums.chunks_exact_mut(s.taps)) {
                for (sum, &i) in sums.iter_mut().zip(at).filter(|(_, i)| **i >= 0) {
                    *sum += g.to_f64() * x[i as usize].to_f64();
                }
            }
        }
        dw.iter_mut().zip(sums).for_each(|(d, sum)| *d = T::from_f64(sum));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    fn waves(n: usize, step: f64) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * step).sin()).collect()
    }

    #[test]
    fn any_number_of_taps_along_any_axis() {
        for each in [0, 1, 2, 3, 4, 9] {
            let list =
                |i: usize| (0..each).map(|k| ((i * 5 + k * 3) % 12, 0.1 + (i * each + k) as f64)).collect();
            let taps = Taps::new(12, (0..7).map(list));
            for inner in [1, 5] {
                let (x, g) = (waves(3 * 12 * inner, 0.7), waves(3 * 7 * inner, 1.3));
                let (mut y, mut dx) = (vec![0.0; 3 * 7 * inner], vec![0.0; 3 * 12 * inner]);
                resample(&taps, &x, [3, 12, inner], &mut y);
                for (p, y) in y.iter().enumerate() {
                    let (o, i, r) = (p / (7 * inner), p / inner % 7, p % inner);
                    let sum: f64 = taps.of(i).map(|(j, w)| w * x[(o * 12 + j) * inner + r]).sum();
                    assert!((y - sum).abs() < 1e-12, "{each} taps, {inner}: {p}");
                }
                resample(&taps.transposed(), &g, [3, 7, inner], &mut dx);
                assert!((dot(&y, &g) - dot(&x, &dx)).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn places_and_their_derivatives() {
        for taps in [1, 3, 4, 8] {
            let at: Vec<i64> = (0..3 * 5 * taps).map(|i| (i as i64 * 7 % 11) - 1).collect();
            let s = Places { n: 2, c: 3, size: 10, image: &[1, 0, 1], outs: 5, taps, at: &at };
            let (x, w, g) = (waves(60, 0.7), waves(at.len(), 0.3), waves(45, 1.3));
            let (mut y, mut dx, mut dw) = (vec![0.0; 45], vec![0.0; 60], vec![0.0; at.len()]);
            sample(&s, &x, &w, &mut y);
            let value = |p: usize| {
                let (row, channel, out) = (p / 15, p / 5 % 3, p % 5);
                let of = (row * 5 + out) * taps..(row * 5 + out + 1) * taps;
                let plane = (s.image[row] as usize * 3 + channel) * 10;
                of.filter(|&k| at[k] >= 0).map(|k| w[k] * x[plane + at[k] as usize]).sum::<f64>()
            };
            assert!((0..45).all(|p| (y[p] - value(p)).abs() < 1e-12));
            sample_backward(&s, &w, &g, &mut dx);
            sample_backward_weights(&s, &x, &g, &mut dw);
            assert!((dot(&y, &g) - dot(&x, &dx)).abs() < 1e-12 && (dot(&y, &g) - dot(&w, &dw)).abs() < 1e-12);
        }
    }
}
