//! Images seen through a grid of places: how a spatial transformer turns, stretches and bends them.

use crate::backend::cpu::{in_class, slice, with_float};
use crate::check::floats;
use crate::graph::{At, Attrs, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::Shape;
use crate::{DType, Error, ErrorKind, Result, Tensor, fail};
use mapsto_kernels::grid::{self, Between, Grid, Outside};

/// How [`Tensor::grid_sample`] finds numbers: on lines between neighbours, with zeros outside, and −1 and 1 being the image's
/// edges, unless it is said otherwise.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let options = GridSample::new().nearest().border();
/// let at = tensor![[[[9.0, 0.0]]]];
/// assert_eq!(tensor![[[[1.0, 2.0]]]].grid_sample(&at, options).item(), 2.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GridSample {
    between: Between,
    outside: Outside,
    align_corners: bool,
}

impl GridSample {
    /// Lines between neighbours, zeros outside.
    pub fn new() -> GridSample {
        GridSample::default()
    }
    /// With the nearest element, of two the one at an even place.
    pub fn nearest(self) -> GridSample {
        GridSample { between: Between::Nearest, ..self }
    }
    /// With cubics through four neighbours along both axes, of images alone.
    pub fn bicubic(self) -> GridSample {
        GridSample { between: Between::Cubic, ..self }
    }
    /// With the outermost elements outside.
    pub fn border(self) -> GridSample {
        GridSample { outside: Outside::Border, ..self }
    }
    /// With the image mirrored outside, at its edges or at the centres of its outermost elements.
    pub fn reflection(self) -> GridSample {
        GridSample { outside: Outside::Reflection, ..self }
    }
    /// With −1 and 1 being the centres of the outermost elements, and not the edges.
    pub fn align_corners(self) -> GridSample {
        GridSample { align_corners: true, ..self }
    }
}

impl Tensor {
    /// The numbers of images at the places of a grid, whose last axis says column and row from −1 to 1 (of volumes column, row
    /// and slice): Jaderberg et al. (2015), Spatial transformer networks, arXiv:1506.02025.
    ///
    /// * Shape: `[n, c, h, w], [n, oh, ow, 2] → [n, c, oh, ow]`, or `[n, c, d, h, w], [n, od, oh, ow, 3] → [n, c, od, oh, ow]`.
    /// * A place that is NaN gives NaN. Of infinite places nothing is there, and what mirrors them gives NaN.
    /// * Gradient: to the images and to the grid; by the nearest, none to the grid.   * ONNX: `GridSample`.   * PyTorch: `F.grid_sample`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[[[1.0, 3.0]]]];
    /// let at = tensor![[[[-0.5, 0.0], [0.0, 0.0], [1.0, 0.0]]]];
    /// assert_close!(x.grid_sample(&at, GridSample::new()).flatten(0), [1.0, 2.0, 1.5]);
    /// assert_close!(x.grid_sample(&at, GridSample::new().align_corners()).flatten(0), [1.5, 2.0, 3.0]);
    /// ```
    /// # Panics
    /// When the shapes or dtypes do not fit, or a side of the images is 0.
    #[track_caller]
    pub fn grid_sample(&self, grid: &Tensor, options: GridSample) -> Tensor {
        options.check(self, grid);
        // By the nearest nothing changes with the place.
        let constant = (options.between == Between::Nearest).then(|| grid.detach());
        fused(Sampled { options }, &[self, constant.as_ref().unwrap_or(grid)])
    }
}

struct Sampled {
    options: GridSample,
}

impl Sampled {
    /// The sizes for the kernel; none of planes that it does not count.
    fn sizes(&self, x: &[usize], grid: &[usize]) -> Option<Grid> {
        let axes = x.len() - 2;
        let [d, h, w] = if axes == 3 { [x[2], x[3], x[4]] } else { [1, x[2], x[3]] };
        let GridSample { between, outside, align_corners } = self.options;
        let outs = grid[1..=axes].iter().product();
        let s = Grid { n: x[0], c: x[1], size: [d, h, w], axes, outs, between, outside, align_corners };
        (d * h * w <= grid::MOST).then_some(s)
    }
}

impl Fused for Sampled {
    fn name(&self) -> &'static str {
        "grid_sample"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=2
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        let each: u64 = match self.options.between {
            Between::Nearest => 1,
            Between::Linear => 2,
            Between::Cubic => 4,
        };
        Cost::each(xs, y, 2 * each.pow(xs[1].last() as u32))
    }
    fn attrs(&self, say: Say<'_>) {
        let GridSample { between, outside, align_corners } = self.options;
        say("between", word(&BETWEEN, between).into());
        say("outside", word(&OUTSIDE, outside).into());
        say("align_corners", align_corners.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let (x, grid, options) = (xs[0], xs[1], self.options);
        options.check(x, grid);
        let axes = x.rank() - 2;
        let [n, c] = [x.shape()[0], x.shape()[1]];
        let outs = grid.shape()[1..=axes].iter().product::<usize>();
        let taps: Vec<Taps> = (0..axes).map(|d| options.taps(&grid.select(-1, axes - 1 - d).reshape([n, outs, 1]), x.shape()[2 + d])).collect();
        let (at, weight) = all(&taps, &x.shape()[2..]);
        let image = x.device().scope(|| Tensor::arange(0..n));
        x.flatten(2).sample_places(&image, &at, &weight.expand(at.shape())).reshape([&[n, c][..], &grid.shape()[1..=axes]].concat())
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        self.options.check(xs[0], xs[1]);
        let s = self.sizes(xs[0].shape(), xs[1].shape())?;
        let [x, grid] = [xs[0], xs[1]].map(in_class);
        let out: Shape = x.shape()[..2].iter().chain(&grid.shape()[1..=s.axes]).copied().collect();
        let y = with_float!(x.dtype(), T => Tensor::filled_by(out, |y: &mut [T]| grid::grid_sample(&s, slice(&x), slice(&grid), y)));
        Some(y.to(xs[0].dtype()).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let s = self.sizes(at.shape(0), at.shape(1))?;
        let [x, grid, g] = [at.input(0), at.input(1), g].map(in_class);
        let dx = at.wants(0).then(|| with_float!(g.dtype(), T => Tensor::filled_by(at.shape(0), |dx: &mut [T]| grid::grid_sample_backward(&s, slice(&grid), slice(&g), dx))));
        let dgrid = at.wants(1).then(|| with_float!(g.dtype(), T => Tensor::filled_by(at.shape(1), |d: &mut [T]| grid::grid_sample_backward_grid(&s, slice(&x), slice(&grid), slice(&g), d))));
        Some(Vjp::from([dx, dgrid]))
    }
}

const BETWEEN: [(&str, Between); 3] = [("linear", Between::Linear), ("nearest", Between::Nearest), ("cubic", Between::Cubic)];
const OUTSIDE: [(&str, Outside); 3] = [("zeros", Outside::Zeros), ("border", Outside::Border), ("reflection", Outside::Reflection)];

fn word<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, of)| *of == value).expect("every one has a word").0
}

fn named<T: Copy>(words: &[(&'static str, T)], word: &str) -> Result<T> {
    let found = words.iter().find(|(name, _)| *name == word);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let all: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        Error::new(ErrorKind::Model, format!("grid_sample: there is no \"{word}\"; it is one of {}", all.join(", ")))
    })
}

fn built(a: &mut Attrs) -> Result<Sampled> {
    let (between, outside) = (named(&BETWEEN, a.need("between")?)?, named(&OUTSIDE, a.need("outside")?)?);
    Ok(Sampled { options: GridSample { between, outside, align_corners: a.need("align_corners")? } })
}

/// Of one axis: the places (whole numbers, −1 for none) and their weights, one column for each neighbour, `[n, outs, k]`.
struct Taps {
    at: Tensor,
    weight: Tensor,
}

/// The places and weights of all neighbours along all axes.
fn all(taps: &[Taps], sizes: &[usize]) -> (Tensor, Tensor) {
    let (first, rest) = taps.split_first().expect("an axis");
    let start = (first.at.clone(), first.weight.clone());
    rest.iter().zip(&sizes[1..]).fold(start, |(at, weight), (next, &size)| {
        let ([n, outs, k], [.., l]) = (at.dims(), next.at.dims::<3>());
        let (a, b) = (at.unsqueeze(3), next.at.unsqueeze(2));
        let there = a.ge(0).and(&b.ge(0));
        let joined = there.choose(a * size as i64 + b, -1).reshape([n, outs, k * l]);
        (joined, (weight.unsqueeze(3) * next.weight.unsqueeze(2)).reshape([n, outs, k * l]))
    })
}

impl GridSample {
    /// # Panics
    /// As [`Tensor::grid_sample`].
    #[track_caller]
    fn check(&self, x: &Tensor, grid: &Tensor) {
        const OP: &str = "grid_sample";
        if !x.dtype().is_float() || grid.dtype() != x.dtype() {
            fail!(OP, "images and grid are floats of one dtype, these are {} and {}", x.dtype(), grid.dtype());
        }
        let axes = x.rank().saturating_sub(2);
        let fits = (2..=3).contains(&axes)
            && grid.rank() == axes + 2
            && (grid.shape()[0], grid.shape()[axes + 1]) == (x.shape()[0], axes);
        if !fits {
            fail!(OP, "the images are {:?} and the grid is {:?}", x.shape(), grid.shape();
                  help = "images [n, c, h, w] take a grid [n, oh, ow, 2], volumes [n, c, d, h, w] one of [n, od, oh, ow, 3]");
        }
        if x.shape()[2..].contains(&0) {
            fail!(OP, "the images {:?} have no elements", x.shape());
        }
        if self.between == Between::Cubic && axes == 3 {
            fail!(OP, "cubics are of images [n, c, h, w], these are {:?}", x.shape());
        }
        let out: Shape = x.shape()[..2].iter().chain(&grid.shape()[1..=axes]).copied().collect();
        out.fit(OP);
    }

    /// What a coordinate `[n, outs, 1]` from −1 to 1 sees of an axis.
    fn taps(&self, grid: &Tensor, size: usize) -> Taps {
        let n = size as f64;
        let place = if self.align_corners { (grid + 1.0) * (0.5 * (n - 1.0)) } else { ((grid + 1.0) * n - 1.0) * 0.5 };
        let columns = |of: &[f64]| grid.device().scope(|| Tensor::from_slice(of, [of.len()]).to(grid.dtype()));
        match self.between {
            Between::Nearest => {
                let at = self.inside(&place.detach(), size).round();
                let weight = at.is_nan().choose(f64::NAN, Tensor::ones_like(&at));
                Taps { at: whole(&at, size), weight }
            }
            Between::Linear => {
                let place = self.inside(&place, size);
                let low = place.detach().floor();
                let t = place - &low;
                Taps { at: whole(&(low + columns(&[0.0, 1.0])), size), weight: Tensor::cat(&[1.0 - &t, t], 2) }
            }
            Between::Cubic => {
                let low = place.detach().floor();
                let t = place - &low;
                let (at, a) = (self.inside(&(low + columns(&[-1.0, 0.0, 1.0, 2.0])), size), -0.75);
                let near = |x: Tensor| ((&x * (a + 2.0) - (a + 3.0)) * x.square()) + 1.0;
                let far = |x: Tensor| (((&x - 5.0) * &x + 8.0) * x - 4.0) * a;
                let weight = Tensor::cat(&[far(&t + 1.0), near(t.clone()), near(1.0 - &t), far(2.0 - &t)], 2);
                Taps { at: whole(&at, size), weight }
            }
        }
    }

    /// Where a place lies in the image, if what is outside is of it too. At the edges and beyond there is no slope.
    fn inside(&self, place: &Tensor, size: usize) -> Tensor {
        let last = size as f64 - 1.0;
        let clipped = |x: &Tensor| {
            let within = x.gt(0.0).and(&x.lt(last)).or(&x.is_nan());
            within.choose(x, x.detach().clamp(0.0, last))
        };
        match self.outside {
            Outside::Zeros => place.clone(),
            Outside::Border => clipped(place),
            Outside::Reflection => {
                let (least, span) = if self.align_corners { (0.0, last) } else { (-0.5, size as f64) };
                if span == 0.0 {
                    return (place * 0.0).detach();
                }
                let away = place - least;
                let away = away.detach().lt(0.0).choose(-&away, &away);
                let turns = (away.detach() / span).floor();
                let rest = away - &turns * span;
                let odd = turns.remainder(2.0).gt(0.0);
                clipped(&odd.choose((span + least) - &rest, &rest + least))
            }
        }
    }
}

/// Places as whole numbers, −1 outside of the axis. What is no place is the first one, of which the weight makes NaN.
fn whole(at: &Tensor, size: usize) -> Tensor {
    let there = at.ge(0.0).and(&at.le(size as f64 - 1.0));
    let places = there.choose(at.detach(), -1.0);
    at.is_nan().choose(0.0, places).to(DType::I64)
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("grid_sample", "The numbers of images at the places of a grid.", Takes::Floats, samples).built(|a| Ok(boxed(built(a)?))),
];

fn samples(s: &mut Samples) {
    let (d, g) = (floats(-2.0..2.0), floats(-0.9..0.9));
    s.of(&[(&[2, 3, 4, 5], &d), (&[2, 3, 2, 2], &g)], |x| x[0].grid_sample(&x[1], GridSample::new()));
    s.of(&[(&[1, 2, 3, 4], &d), (&[1, 2, 3, 2], &g)], |x| x[0].grid_sample(&x[1], GridSample::new().bicubic().reflection()));
    s.of(&[(&[1, 2, 3, 4], &d), (&[1, 2, 3, 2], &g)], |x| x[0].grid_sample(&x[1], GridSample::new().nearest().border()));
    s.of(&[(&[1, 1, 2, 3, 4], &d), (&[1, 2, 1, 3, 3], &g)], |x| x[0].grid_sample(&x[1], GridSample::new().align_corners()));
    s.of(&[(&[0, 1, 3, 4], &d), (&[0, 1, 3, 2], &g)], |x| x[0].grid_sample(&x[1], GridSample::new()));
}

#[cfg(test)]
mod tests {
    use super::{BETWEEN, Between, OUTSIDE, Sampled};
    use crate::check::*;
    use crate::graph::Fused;
    use crate::prelude::*;

    #[test]
    fn grid_sample() {
        let d = || floats(-2.0..2.0);
        // Of the image's own places, the image.
        check(|x| {
            let half = Tensor::from_slice(&[-0.75, -0.25, 0.25, 0.75], [4]).to(x.dtype()).to_device(x.device());
            let grid = Tensor::stack(&[half.reshape([1, 4]).expand([4, 4]), half.reshape([4, 1]).expand([4, 4])], 2).unsqueeze(0);
            x.grid_sample(&grid, GridSample::new())
        })
        .shapes([&[1, 2, 4, 4]])
        .formula(|[x]| x.clone())
        .on(d());
        let base = GridSample::new();
        check2(move |x, g| x.grid_sample(g, base)).shapes([&[1, 2, 4, 3], &[1, 3, 2, 2]]).on(d(), floats(-1.3..1.3));
        check2(move |x, g| x.grid_sample(g, base.border().align_corners())).shapes([&[2, 1, 3, 4], &[2, 2, 2, 2]]).on(d(), floats(-1.3..1.3));
        check2(move |x, g| x.grid_sample(g, base.reflection())).shapes([&[1, 1, 3, 4], &[1, 3, 2, 2]]).on(d(), floats(-2.3..2.3));
        check2(move |x, g| x.grid_sample(g, base.bicubic())).shapes([&[1, 1, 3, 4], &[1, 3, 2, 2]]).tolerance(4.0).on(d(), floats(-1.1..1.1));
        check2(move |x, g| x.grid_sample(g, base.bicubic().reflection().align_corners())).shapes([&[1, 1, 3, 4], &[1, 3, 2, 2]]).tolerance(4.0).on(d(), floats(-1.1..1.1));
        check2(move |x, g| x.grid_sample(g, base)).shapes([&[1, 2, 2, 3, 4], &[1, 2, 2, 2, 3]]).on(d(), floats(-1.2..1.2));
        check2(move |x, g| x.grid_sample(g, base.nearest().reflection())).shapes([&[1, 2, 2, 3, 4], &[1, 2, 2, 2, 3]]).without_derivative().on(d(), floats(-1.2..1.2));
    }

    #[test]
    fn the_kernel_is_the_definition_in_every_way() {
        for (_, between) in BETWEEN {
            for (_, outside) in OUTSIDE {
                for align_corners in [false, true] {
                    let options = GridSample { between, outside, align_corners };
                    let (d, g) = (|| floats(-2.0..2.0), || floats(-1.7..1.7));
                    let volumes: (&[usize], &[usize]) = (&[2, 2, 3, 4, 2], &[2, 3, 5, 2, 3]);
                    let images: [(&[usize], &[usize]); 2] = [(&[2, 3, 5, 4], &[2, 9, 17, 2]), (&[1, 2, 1, 3], &[1, 2, 3, 2])];
                    for (x, grid) in images.into_iter().chain((between != Between::Cubic).then_some(volumes)) {
                        if between != Between::Nearest {
                            check_fused(|| Sampled { options }, &[(x, d()), (grid, g())]);
                            continue;
                        }
                        // The definition knows no slope of the grid, not even 0.
                        let (x, grid) = (d().draw(x, 1).leaf(), g().draw(grid, 2));
                        let of = |y: Tensor| (y.detach(), grad(&y.square().sum(..), [&x]));
                        let (y, [dx]) = of(record(|| x.grid_sample(&grid, options)));
                        let (wanted, [dwanted]) = of(record(|| Sampled { options }.compose(&[&x, &grid])));
                        assert_close!(y, wanted);
                        assert_close!(dx, dwanted);
                    }
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let error = |x: &[usize], g: &[usize], o| catch(|| Tensor::zeros(x).grid_sample(&Tensor::zeros(g), o)).unwrap_err().message().to_string();
        assert_eq!(error(&[1, 1, 2, 2], &[1, 1, 1, 3], GridSample::new()), "grid_sample: the images are [1, 1, 2, 2] and the grid is [1, 1, 1, 3]");
        assert_eq!(error(&[1, 1, 0, 2], &[1, 1, 1, 2], GridSample::new()), "grid_sample: the images [1, 1, 0, 2] have no elements");
        assert_eq!(error(&[1, 1, 1, 1, 1], &[1, 1, 1, 1, 3], GridSample::new().bicubic()), "grid_sample: cubics are of images [n, c, h, w], these are [1, 1, 1, 1, 1]");
        for options in [GridSample::new(), GridSample::new().border(), GridSample::new().nearest(), GridSample::new().bicubic().reflection()] {
            assert!(tensor![[[[1.0, 2.0]]]].grid_sample(&tensor![[[[f64::NAN, 0.0]]]], options).item().is_nan(), "{options:?}");
        }
    }
}
