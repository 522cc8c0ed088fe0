//! Sequences, images and volumes of another size: the numbers between neighbours, by several rules.

use crate::backend::cpu::{around, in_class, slice, with_float};
use crate::check::floats;
use crate::error::named;
use crate::graph::{At, Attrs, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::Shape;
use crate::storage::pool::room_for;
use crate::{DType, Error, ErrorKind, Result, Tensor, fail};
use mapsto_kernels::resample::{Taps, resample};

/// Which numbers a place between others takes: [`Tensor::interpolate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The element whose place, times the factor and rounded down, it is. Of images it is half a place off at most.
    Nearest,
    /// The element whose square its centre lies in.
    NearestExact,
    /// On lines between the two neighbours, of a sequence `[n, c, l]`.
    Linear,
    /// On lines between neighbours along both axes, of an image `[n, c, h, w]`.
    Bilinear,
    /// On lines between neighbours along all axes, of a volume `[n, c, d, h, w]`.
    Trilinear,
    /// On cubics through four neighbours along both axes, of an image: Keys (1981) with `a = −0.75`, or −0.5 with antialiasing.
    Bicubic,
    /// The mean of the elements in its window, as [`adaptive_avg_pool2d`](Tensor::adaptive_avg_pool2d) divides them.
    Area,
}

impl Interpolation {
    const WORDS: [(&'static str, Interpolation); 7] = [
        ("nearest", Interpolation::Nearest),
        ("nearest-exact", Interpolation::NearestExact),
        ("linear", Interpolation::Linear),
        ("bilinear", Interpolation::Bilinear),
        ("trilinear", Interpolation::Trilinear),
        ("bicubic", Interpolation::Bicubic),
        ("area", Interpolation::Area),
    ];

    /// PyTorch's word for it.
    pub fn word(self) -> &'static str {
        Interpolation::WORDS.iter().find(|(_, mode)| *mode == self).expect("every mode has a word").0
    }

    /// The one with this word.
    ///
    /// # Errors
    /// When there is none; the message lists all.
    pub fn of(word: &str) -> Result<Interpolation> {
        let found = Interpolation::WORDS.iter().find(|(name, _)| *name == word);
        found.map(|(_, mode)| *mode).ok_or_else(|| {
            let all = Interpolation::WORDS.map(|(name, _)| name).join(", ");
            Error::new(ErrorKind::Model, format!("there is no mode \"{word}\"; it is one of {all}"))
        })
    }

    /// How many axes of places it takes, where that is fixed.
    pub fn axes(self) -> Option<usize> {
        match self {
            Interpolation::Linear => Some(1),
            Interpolation::Bilinear | Interpolation::Bicubic => Some(2),
            Interpolation::Trilinear => Some(3),
            _ => None,
        }
    }

    fn is_nearest(self) -> bool {
        matches!(self, Interpolation::Nearest | Interpolation::NearestExact)
    }
}

/// A new size, and how its numbers are found: [`Tensor::interpolate`].
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = Tensor::zeros([1, 3, 20, 30]);
/// assert_eq!(x.interpolate(&Resize::to([32, 32]).mode(Interpolation::Bicubic).antialias()).shape(), [1, 3, 32, 32]);
/// assert_eq!(x.interpolate(&Resize::by([0.5, 1.5])).shape(), [1, 3, 10, 45]);
/// assert_eq!(x.interpolate(&Resize::by([2.0])).shape(), [1, 3, 40, 60]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Resize {
    target: Target,
    mode: Interpolation,
    align_corners: bool,
    antialias: bool,
    recompute: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Target {
    Size(Vec<usize>),
    Factor(Vec<f64>),
}

/// The size of an axis, and the factor that it was made by, where one was given.
pub type Resized = (usize, Option<f64>);

impl Resize {
    /// To a size: one for each axis of places, or one for all.
    pub fn to(size: impl Into<Vec<usize>>) -> Resize {
        Resize::new(Target::Size(size.into()))
    }
    /// By factors: one for each axis of places, or one for all. Sizes are rounded down, and places are found by the factor itself.
    pub fn by(factor: impl Into<Vec<f64>>) -> Resize {
        Resize::new(Target::Factor(factor.into()))
    }
    fn new(target: Target) -> Resize {
        Resize { target, mode: Interpolation::Nearest, align_corners: false, antialias: false, recompute: false }
    }
    /// By another rule than the nearest.
    pub fn mode(self, mode: Interpolation) -> Resize {
        Resize { mode, ..self }
    }
    /// With the centres of the outermost elements kept in their places, rather than the outer edges of the whole.
    pub fn align_corners(self) -> Resize {
        Resize { align_corners: true, ..self }
    }
    /// With a wider filter where the result is smaller, so that no element is left out.
    pub fn antialias(self) -> Resize {
        Resize { antialias: true, ..self }
    }
    /// With places found by the sizes, which are rounded, and not by the factor.
    pub fn recompute_scale_factor(self) -> Resize {
        Resize { recompute: true, ..self }
    }

    /// The sizes of the result for places of these sizes, and the factor that each was made by.
    ///
    /// # Errors
    /// What is wrong, and what would work.
    pub fn sizes(&self, places: &[usize]) -> std::result::Result<Vec<Resized>, (String, &'static str)> {
        let axes = places.len();
        let word = self.mode.word();
        if let Some(wanted) = self.mode.axes().filter(|wanted| *wanted != axes) {
            let message = format!("\"{word}\" is of {wanted} axes after batch and channels, these are {axes}");
            return Err((message, "linear is of sequences, bilinear and bicubic of images, trilinear of volumes; the others of all"));
        }
        let smooth = self.mode.axes().is_some();
        if self.align_corners && !smooth {
            return Err((format!("\"{word}\" has no corners to align"), "linear, bilinear, bicubic and trilinear have"));
        }
        if self.antialias && !matches!(self.mode, Interpolation::Bilinear | Interpolation::Bicubic) {
            return Err((format!("\"{word}\" has no antialiasing"), "bilinear and bicubic have"));
        }
        let given = match &self.target {
            Target::Size(sizes) => sizes.len(),
            Target::Factor(factors) => factors.len(),
        };
        if given != axes && given != 1 {
            return Err((format!("{given} sizes for {axes} axes"), "give one for each, or one for all"));
        }
        if places.contains(&0) {
            return Err((format!("nothing can be made of places {places:?}"), "no size may be 0"));
        }
        let of = |d: usize| match &self.target {
            Target::Size(sizes) => (sizes[if given == 1 { 0 } else { d }], None),
            Target::Factor(factors) => {
                let factor = factors[if given == 1 { 0 } else { d }];
                ((places[d] as f64 * factor).floor() as usize, Some(factor).filter(|_| !self.recompute))
            }
        };
        let made: Vec<_> = (0..axes).map(of).collect();
        if let Target::Factor(factors) = &self.target
            && factors.iter().any(|f| !f.is_finite() || *f <= 0.0)
        {
            return Err((format!("the factors {factors:?}"), "they are above 0"));
        }
        match made.iter().any(|(n, _)| *n == 0) {
            true => Err((format!("places {places:?} would become {:?}", made.iter().map(|m| m.0).collect::<Vec<_>>()), "no size may be 0")),
            false => Ok(made),
        }
    }
}

impl Tensor {
    /// The same with places of another size after batch and channels: copies of elements, or numbers between them.
    ///
    /// Place i of the result looks at `s = (i + ½) · size / new − ½` of the input, at least 0, or at
    /// `s = i · (size − 1) / (new − 1)` with aligned corners; along each axis by itself.
    ///
    /// * Shape: `[n, c, places..] → [n, c, new..]` for one, two or three axes of places; floats, and with the nearest any number.
    /// * Gradient: the transpose.   * ONNX: `Resize`.   * PyTorch: `F.interpolate`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[[0.0, 4.0]]];
    /// assert_close!(x.interpolate(&Resize::by([2.0])), [[[0.0, 0.0, 4.0, 4.0]]]);
    /// assert_close!(x.interpolate(&Resize::to([4]).mode(Interpolation::Linear)), [[[0.0, 1.0, 3.0, 4.0]]]);
    /// ```
    /// # Panics
    /// When there are no axes of places or more than three, the rule is not one of as many axes, or a size is 0.
    #[track_caller]
    pub fn interpolate(&self, resize: &Resize) -> Tensor {
        const OP: &str = "interpolate";
        let Some(places) = self.shape().get(2..).filter(|places| (1..=3).contains(&places.len())) else {
            fail!(OP, "the input must be [n, c] and one to three axes of places, it is {:?}", self.shape());
        };
        let nearest = resize.mode.is_nearest();
        if !self.dtype().is_float() && (!nearest || self.dtype() == DType::Bool) {
            fail!(OP, "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        let sizes = match resize.sizes(places) {
            Ok(sizes) => sizes,
            Err((message, help)) => fail!(OP, "{message}"; help = "{help}"),
        };
        let shape: Shape = self.shape()[..2].iter().copied().chain(sizes.iter().map(|s| s.0)).collect();
        shape.fit(OP);
        named(OP, || {
            if resize.mode == Interpolation::Area {
                let out: Vec<usize> = sizes.iter().map(|s| s.0).collect();
                return match out[..] {
                    [l] => self.adaptive_avg_pool1d(l),
                    [h, w] => self.adaptive_avg_pool2d([h, w]),
                    _ => self.adaptive_avg_pool3d([out[0], out[1], out[2]]),
                };
            }
            let axis = |d: usize| {
                let (out, factor) = sizes[d];
                let Resize { mode, align_corners, antialias, .. } = *resize;
                Along { axis: d + 2, out, factor, mode, align_corners, antialias }
            };
            // The axis that shrinks most comes first, so that the others have less to do.
            let mut order: Vec<usize> = (0..sizes.len()).collect();
            order.sort_by(|a, b| (sizes[*a].0 * places[*b]).cmp(&(sizes[*b].0 * places[*a])));
            if !self.dtype().is_float() {
                return order.into_iter().fold(self.clone(), |x, d| {
                    let n = sizes[d].0;
                    let mut at = room_for::<i64>(n);
                    let taps = axis(d).taps(places[d], true, places.len());
                    at.extend((0..n).flat_map(|i| taps.of(i).map(|(j, _)| j as i64)));
                    x.index_select(d + 2, &x.device().scope(|| Tensor::from_vec(at, n)))
                });
            }
            // Between the axes 16 bits would be rounded once more.
            let x = if self.dtype().size() < 4 && !nearest { self.to(DType::F32) } else { self.clone() };
            let y = order.into_iter().fold(x, |x, d| {
                let along = axis(d);
                if along.is_identity(places[d], places.len()) { x } else { fused(along, &[&x]) }
            });
            y.stored_as(self.dtype())
        })
    }
}

/// The resampling of one axis.
#[derive(Clone, Copy)]
struct Along {
    axis: usize,
    out: usize,
    factor: Option<f64>,
    mode: Interpolation,
    align_corners: bool,
    antialias: bool,
}

impl Along {
    /// Whether each place is its own: as in PyTorch also where a factor was rounded to as many places, but for some modes.
    fn is_identity(&self, n: usize, axes: usize) -> bool {
        let by_factor = (self.mode == Interpolation::Nearest && axes != 2) || self.mode == Interpolation::NearestExact || (self.mode == Interpolation::Bicubic && !self.antialias);
        self.out == n && (!by_factor || self.factor.is_none_or(|f| f == 1.0))
    }

    /// What each output is made of, of `n` places; in f32 as PyTorch computes them for it, since at an edge the last bit decides.
    fn taps(&self, n: usize, single: bool, axes: usize) -> Taps {
        let r = |x: f64| if single { f64::from(x as f32) } else { x };
        let (last, size) = (n - 1, n as f64);
        let scale = match (self.align_corners, self.factor) {
            (true, _) if self.out > 1 => r(last as f64 / (self.out - 1) as f64),
            (true, _) => 0.0,
            (false, Some(factor)) => r(1.0 / factor),
            (false, None) => r(size / self.out as f64),
        };
        let source = |i: usize| if self.align_corners { r(scale * i as f64) } else { r(r(scale * (i as f64 + 0.5)) - 0.5) };
        let filter = |of: &dyn Fn(f64) -> f64, reach: f64, i: usize| -> Vec<(usize, f64)> {
            let (support, narrow) = if scale >= 1.0 { (reach * scale, 1.0 / scale) } else { (reach, 1.0) };
            let center = scale * (i as f64 + 0.5);
            let from = (center - support + 0.5).max(0.0) as usize;
            let to = ((center + support + 0.5).max(0.0) as usize).min(n);
            let weights: Vec<f64> = (from..to).map(|j| of((j as f64 - center + 0.5) * narrow)).collect();
            let sum: f64 = weights.iter().sum();
            (from..to).zip(weights.into_iter().map(|w| if sum == 0.0 { w } else { w / sum })).collect()
        };
        Taps::new(n, (0..self.out).map(|i| match self.mode {
            // Of images of as many places, and of twice as many, by the sizes alone, as PyTorch does it.
            Interpolation::Nearest if axes == 2 && (self.out == n || self.out == 2 * n) => vec![(i * n / self.out, 1.0)],
            Interpolation::Nearest => vec![((r(i as f64 * scale).floor() as usize).min(last), 1.0)],
            Interpolation::NearestExact => vec![((r((i as f64 + 0.5) * scale).floor() as usize).min(last), 1.0)],
            Interpolation::Bicubic if self.antialias => filter(&|x| cubic(x, -0.5), 2.0, i),
            _ if self.antialias => filter(&|x| (1.0 - x.abs()).max(0.0), 1.0, i),
            Interpolation::Bicubic => {
                let s = source(i);
                let low = s.floor().min(last as f64);
                let t = (s - low).clamp(0.0, 1.0);
                let place = |k: i64| (low as i64 + k).clamp(0, last as i64) as usize;
                (-1..3).map(|k| (place(k), cubic(t - k as f64, -0.75))).collect()
            }
            _ => {
                let s = source(i).max(0.0);
                let low = (s.floor() as usize).min(last);
                let t = (s - low as f64).clamp(0.0, 1.0);
                vec![(low, 1.0 - t), ((low + 1).min(last), t)]
            }
        }))
    }

    #[track_caller]
    fn taps_of(&self, x: &[usize], dtype: DType) -> Taps {
        self.taps(self.check(x), dtype != DType::F64, x.len().saturating_sub(2))
    }

    /// The places there are.
    #[track_caller]
    fn check(&self, x: &[usize]) -> usize {
        match x.get(self.axis) {
            Some(&n) if n > 0 && self.out > 0 => n,
            _ => fail!("interpolate", "axis {} of {x:?} cannot become {} places", self.axis, self.out),
        }
    }
}

/// Keys' cubic convolution at a distance, with the slope `a` at 1.
fn cubic(x: f64, a: f64) -> f64 {
    let x = x.abs();
    match x {
        x if x < 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
        x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * a,
        _ => 0.0,
    }
}

impl Fused for Along {
    fn name(&self) -> &'static str {
        "interpolate"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each(xs, y, 4)
    }
    fn attrs(&self, say: Say<'_>) {
        say("axis", self.axis.into());
        say("out", self.out.into());
        say("factor", self.factor.unwrap_or(0.0).into());
        say("mode", self.mode.word().into());
        say("align_corners", self.align_corners.into());
        say("antialias", self.antialias.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let x = xs[0];
        let taps = self.taps_of(x.shape(), x.dtype());
        let ([outer, n, inner], m) = (around(x.shape(), self.axis), self.out);
        let mut shares = vec![0.0f64; m * n];
        (0..m).for_each(|i| taps.of(i).for_each(|(j, w)| shares[i * n + j] += w));
        let shares = x.device().scope(|| Tensor::from_vec(shares, [m, n])).to(x.dtype());
        shares.matmul(&x.reshape([outer, n, inner])).reshape(x.shape_of().with(self.axis, m))
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let dtype = xs[0].dtype();
        self.check(xs[0].shape());
        let (x, dims) = (in_class(xs[0]), around(xs[0].shape(), self.axis));
        let shape = xs[0].shape_of().with(self.axis, self.out).fit("interpolate");
        let y = with_float!(x.dtype(), T => Tensor::filled_by(shape, |y: &mut [T]| {
            // Where there is no memory for the result, there is none for its taps.
            resample(&self.taps_of(xs[0].shape(), dtype), slice(&x), dims, y)
        }));
        Some(y.to(xs[0].dtype()).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let taps = self.taps_of(at.shape(0), at.dtype(0)).transposed();
        let (g, dims) = (in_class(g), around(g.shape(), self.axis));
        let dx = with_float!(g.dtype(), T => Tensor::filled_by(at.shape(0), |dx: &mut [T]| resample(&taps, slice(&g), dims, dx)));
        Some(dx.into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("interpolate", "Places of another size along an axis: copies of elements, or numbers between them.", Takes::Floats, samples).built(|a| Ok(boxed(built(a)?))),
];

fn built(a: &mut Attrs) -> Result<Along> {
    let factor = a.need::<f64>("factor")?;
    let mode = Interpolation::of(a.need::<&'static str>("mode")?)?;
    Ok(Along {
        axis: a.need("axis")?,
        out: a.need("out")?,
        factor: Some(factor).filter(|f| f.is_finite() && *f > 0.0),
        mode,
        align_corners: a.need("align_corners")?,
        antialias: a.need("antialias")?,
    })
}

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 4, 5], &d)], |x| x[0].interpolate(&Resize::to([3, 8])));
    s.of(&[(&[1, 2, 5], &d)], |x| x[0].interpolate(&Resize::by([1.7]).mode(Interpolation::NearestExact)));
    s.of(&[(&[2, 1, 5], &d)], |x| x[0].interpolate(&Resize::to([8]).mode(Interpolation::Linear).align_corners()));
    s.of(&[(&[1, 2, 3, 4], &d)], |x| x[0].interpolate(&Resize::to([5, 2]).mode(Interpolation::Bilinear)));
    s.of(&[(&[1, 2, 3, 4], &d)], |x| x[0].interpolate(&Resize::by([2.0]).mode(Interpolation::Bicubic)));
    s.of(&[(&[1, 1, 6, 5], &d)], |x| x[0].interpolate(&Resize::to([2, 3]).mode(Interpolation::Bicubic).antialias()));
    s.of(&[(&[1, 1, 2, 3, 2], &d)], |x| x[0].interpolate(&Resize::to([3, 2, 4]).mode(Interpolation::Trilinear)));
    s.of(&[(&[1, 2, 3, 4], &d)], |x| x[0].interpolate(&Resize::to([2, 5]).mode(Interpolation::Area)));
    s.of(&[(&[0, 2, 3, 4], &d)], |x| x[0].interpolate(&Resize::to([2, 5])));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn interpolate() {
        let d = || floats(-2.0..2.0);
        check(|x| x.interpolate(&Resize::to([7]))).shapes([&[2, 2, 5]]).formula(|[x]| Numbers::from_fn(&[2, 2, 7], |at| x.at(&[at[0], at[1], at[2] * 5 / 7]))).on(d());
        check(|x| x.interpolate(&Resize::by([2.0, 3.0]).mode(Interpolation::NearestExact))).shapes([&[1, 2, 2, 3]]).on(d());
        check(|x| x.interpolate(&Resize::to([9]).mode(Interpolation::Linear).align_corners())).shapes([&[1, 2, 3]])
            .formula(|[x]| Numbers::from_fn(&[1, 2, 9], |at| {
                let (low, t) = ((at[2] / 4).min(1), at[2] as f64 / 4.0);
                let value = |i| x.at(&[0, at[1], i]);
                value(low) + (t - low as f64) * (value(low + 1) - value(low))
            }))
            .on(d());
        check(|x| x.interpolate(&Resize::to([5, 2]).mode(Interpolation::Bilinear))).shapes([&[1, 2, 3, 4]]).on(d());
        check(|x| x.interpolate(&Resize::by([1.6, 0.7]).mode(Interpolation::Bicubic))).shapes([&[1, 2, 4, 3]]).on(d());
        check(|x| x.interpolate(&Resize::to([2, 3]).mode(Interpolation::Bilinear).antialias())).shapes([&[1, 2, 5, 4]]).on(d());
        check(|x| x.interpolate(&Resize::to([2, 5, 3]).mode(Interpolation::Trilinear))).shapes([&[1, 1, 3, 2, 4]]).on(d());
        check(|x| x.interpolate(&Resize::to([3]).mode(Interpolation::Area))).shapes([&[1, 2, 5]]).on(d());
        for mode in [Interpolation::Nearest, Interpolation::NearestExact, Interpolation::Bilinear, Interpolation::Bicubic] {
            for (axis, out, align_corners, antialias) in [(2, 9, false, false), (3, 3, false, false), (3, 4, true, false), (2, 2, false, true), (3, 13, false, true)] {
                let (align_corners, antialias) = (align_corners && !mode.is_nearest(), antialias && !mode.is_nearest());
                let op = Along { axis, out, factor: None, mode, align_corners, antialias };
                check_fused(|| op, &[(&[2, 2, 5, 6], d())]);
            }
        }
    }

    #[test]
    fn integers_and_16_bits_have_their_nearest() {
        let resize = Resize::to([3, 5]);
        let x = Tensor::arange(0..12).reshape([1, 1, 4, 3]);
        let y = x.interpolate(&resize);
        assert_eq!((y.dtype(), y.to_vec::<i64>()), (DType::I64, x.to(DType::F32).interpolate(&resize).to(DType::I64).to_vec::<i64>()));
        let half = x.to(DType::BF16).interpolate(&Resize::to([7, 7]).mode(Interpolation::Bicubic));
        let single = x.to(DType::F32).interpolate(&Resize::to([7, 7]).mode(Interpolation::Bicubic));
        assert_eq!(half.to_vec::<f32>(), single.to(DType::BF16).to_vec::<f32>());
    }

    #[test]
    fn what_cannot_be_is_named() {
        let error = |x: &[usize], resize: Resize| catch(|| Tensor::zeros(x).interpolate(&resize)).unwrap_err().message().to_string();
        assert_eq!(error(&[1, 2], Resize::to([2])), "interpolate: the input must be [n, c] and one to three axes of places, it is [1, 2]");
        assert_eq!(error(&[1, 2, 3], Resize::to([2]).mode(Interpolation::Bilinear)), "interpolate: \"bilinear\" is of 2 axes after batch and channels, these are 1");
        assert_eq!(error(&[1, 2, 3], Resize::to([2]).align_corners()), "interpolate: \"nearest\" has no corners to align");
        assert_eq!(error(&[1, 2, 3], Resize::to([2]).mode(Interpolation::Linear).antialias()), "interpolate: \"linear\" has no antialiasing");
        assert_eq!(error(&[1, 2, 3], Resize::to([2, 2])), "interpolate: 2 sizes for 1 axes");
        assert_eq!(error(&[1, 2, 3], Resize::by([0.1])), "interpolate: places [3] would become [0]");
        assert_eq!(error(&[1, 2, 3], Resize::by([-1.0])), "interpolate: the factors [-1.0]");
        assert_eq!(error(&[1, 2, 0], Resize::to([1])), "interpolate: nothing can be made of places [0]");
        assert!(Interpolation::of("cubic").unwrap_err().message().contains("there is no mode \"cubic\""));
    }
}
