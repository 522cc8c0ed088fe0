//! The windows of pooling: their settings, and where they lie along each of one, two or three axes.

use crate::backend::{PerAxis, Window};
use crate::graph::{Attrs, Say};
use crate::shape::{Shape, product};
use crate::{Result, Tensor, fail};
use mapsto_kernels::pool::{Divisors, PoolShape, Span, Spans};

/// The windows of a pooling along `N` axes: side by side unless a stride is given.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// assert_eq!(Pool2d::new(2).stride, [2, 2]);
/// assert_eq!(Pool2d::new(3).stride(2).padding(1).padding, [1, 1]);
/// assert_eq!(Pool3d::new([1, 2, 2]).ceil_mode().stride, [1, 2, 2]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pool<const N: usize> {
    /// Places of a window along each axis: of an image, rows and columns.
    pub kernel: [usize; N],
    /// From one window to the next.
    pub stride: [usize; N],
    /// By how much the first and last windows reach out of the image, at most half a window.
    pub padding: [usize; N],
    /// From one place of a window to the next; 1 for averages.
    pub dilation: [usize; N],
    /// Whether a last window that is cut off at the end counts.
    pub ceil_mode: bool,
    /// Whether an average counts the padding, as zeros.
    pub count_include_pad: bool,
    /// What an average divides each sum by, instead of the number of places.
    pub divisor_override: Option<usize>,
}

/// The windows of a pooling along a sequence.
pub type Pool1d = Pool<1>;
/// The windows of a pooling of images.
pub type Pool2d = Pool<2>;
/// The windows of a pooling of volumes.
pub type Pool3d = Pool<3>;

impl<const N: usize> Pool<N> {
    /// Windows side by side, without padding.
    pub fn new(kernel: impl Into<PerAxis<N>>) -> Pool<N> {
        let kernel = kernel.into().0;
        Pool {
            kernel,
            stride: kernel,
            padding: [0; N],
            dilation: [1; N],
            ceil_mode: false,
            count_include_pad: true,
            divisor_override: None,
        }
    }
    /// With another distance between windows.
    pub fn stride(self, stride: impl Into<PerAxis<N>>) -> Pool<N> {
        Pool { stride: stride.into().0, ..self }
    }
    /// With windows that reach out of the image.
    pub fn padding(self, padding: impl Into<PerAxis<N>>) -> Pool<N> {
        Pool { padding: padding.into().0, ..self }
    }
    /// With another distance between the places of a window, for maxima alone.
    pub fn dilation(self, dilation: impl Into<PerAxis<N>>) -> Pool<N> {
        Pool { dilation: dilation.into().0, ..self }
    }
    /// With a last window that is cut off at the end, where something is left over. It must not begin in the padding.
    pub fn ceil_mode(self) -> Pool<N> {
        Pool { ceil_mode: true, ..self }
    }
    /// With averages over the places in the image alone (PyTorch: `count_include_pad=False`).
    pub fn exclude_pad(self) -> Pool<N> {
        Pool { count_include_pad: false, ..self }
    }
    /// With sums over this number instead of averages.
    pub fn divisor_override(self, divisor: usize) -> Pool<N> {
        Pool { divisor_override: Some(divisor), ..self }
    }

    /// Whether it is of windows that lie in the padded image whole, as the kernels of images take them.
    pub(crate) fn is_plain(&self) -> bool {
        self.dilation == [1; N]
            && !self.ceil_mode
            && self.count_include_pad
            && self.divisor_override.is_none()
    }

    /// The same along three axes, those before being of one place.
    pub(crate) fn of_volumes(&self) -> Pool3d {
        let wide = |of: &[usize; N], usual: usize| {
            std::array::from_fn(|d| if d + N < 3 { usual } else { of[d + N - 3] })
        };
        Pool {
            kernel: wide(&self.kernel, 1),
            stride: wide(&self.stride, 1),
            padding: wide(&self.padding, 0),
            dilation: wide(&self.dilation, 1),
            ceil_mode: self.ceil_mode,
            count_include_pad: self.count_include_pad,
            divisor_override: self.divisor_override,
        }
    }

    /// How many windows there are along each axis of an image of these sizes.
    ///
    /// # Errors
    /// What is wrong, with a way out.
    pub fn out(&self, image: [usize; N]) -> std::result::Result<[usize; N], (String, &'static str)> {
        let Pool { kernel, stride, padding, dilation, .. } = self;
        let (mut out, mut rooms) = ([0; N], [0; N]);
        for d in 0..N {
            let reach = kernel[d]
                .checked_sub(1)
                .and_then(|k| k.checked_mul(dilation[d]))
                .map(|k| k.saturating_add(1));
            let none = || {
                let apart =
                    if *dilation == [1; N] { String::new() } else { format!(", dilation {dilation:?}") };
                let message = format!(
                    "the window {kernel:?} does not fit the image {image:?} (stride {stride:?}, padding {padding:?}{apart})"
                );
                (message, "a smaller window is needed; no size may be 0 but that of the padding")
            };
            let Some(reach) = reach.filter(|_| stride[d] > 0 && dilation[d] > 0) else { return Err(none()) };
            if padding[d] > kernel[d] / 2 {
                return Err((
                    format!("padding {padding:?} is more than half of the window {kernel:?}"),
                    "such windows would lie outside of the image",
                ));
            }
            let room = padding[d].checked_mul(2).and_then(|p| p.checked_add(image[d]));
            let Some(room) = room.filter(|room| image[d] > 0 && *room <= isize::MAX as usize / 4) else {
                return Err(none());
            };
            let more = if self.ceil_mode { stride[d] - 1 } else { 0 };
            let Some(left) = room.saturating_add(more).checked_sub(reach) else { return Err(none()) };
            out[d] = left / stride[d] + 1;
            // The last window must begin in the image or before it.
            if self.ceil_mode && (out[d] - 1) * stride[d] >= image[d] + padding[d] {
                out[d] -= 1;
            }
            // Windows that begin before an image shorter than their steps may step over it.
            let before = if dilation[d] > image[d] { out[d].min(padding[d] / stride[d] + 1) } else { 0 };
            if out[d] == 0 || (0..before).any(|i| self.span(d, i, image[d]).is_none()) {
                return Err(none());
            }
            rooms[d] = room;
        }
        match product(kernel).and(product(&rooms)) {
            Some(_) => Ok(out),
            None => Err((
                format!(
                    "the window {kernel:?} does not fit the image {image:?}: its places cannot be counted"
                ),
                "a smaller window is needed, or less padding",
            )),
        }
    }

    /// The places of window `i` along axis `d`, if it has any.
    fn span(&self, d: usize, i: usize, size: usize) -> Option<Span> {
        let (start, step) = (i * self.stride[d], self.dilation[d]);
        let end = (start + (self.kernel[d] - 1) * step + 1).saturating_sub(self.padding[d]).min(size);
        let start = match start.checked_sub(self.padding[d]) {
            Some(start) => start,
            None => (step - (self.padding[d] - start) % step) % step,
        };
        (start < end).then_some(Span { start, end, step })
    }

    /// The shape of the result, and its axes of windows.
    ///
    /// # Panics
    /// When the input is not `[n, c, ..]` of floats with `N` axes more, or the windows do not fit it.
    #[track_caller]
    pub(crate) fn out_of(&self, op: &str, x: &Tensor) -> [usize; N] {
        let image = image_of::<N>(op, x);
        match self.out(image) {
            Ok(out) => {
                let shape: Shape = x.shape()[..2].iter().copied().chain(out).collect();
                shape.fit(op);
                out
            }
            Err((message, help)) => fail!(op, "{message}"; help = "{help}"),
        }
    }

    /// Refuses what only averages have.
    #[track_caller]
    pub(crate) fn of_maxima(&self, op: &str) {
        if !self.count_include_pad || self.divisor_override.is_some() {
            fail!(op, "a maximum has no divisor: `exclude_pad` and `divisor_override` are of averages");
        }
    }

    /// Refuses what only maxima have, and a divisor of 0.
    #[track_caller]
    pub(crate) fn of_averages(&self, op: &str) {
        if self.dilation != [1; N] {
            fail!(op, "windows with dilation {:?} are averaged nowhere", self.dilation; help = "only maxima have it");
        }
        if self.divisor_override == Some(0) {
            fail!(op, "the divisor is 0");
        }
    }

    pub(crate) fn say(&self, say: Say<'_>) {
        say("kernel", self.kernel.into());
        say("stride", self.stride.into());
        say("padding", self.padding.into());
    }

    pub(crate) fn of(a: &mut Attrs) -> Result<Pool<N>> {
        Ok(Pool {
            stride: a.need("stride")?,
            padding: a.need("padding")?,
            ..Pool::new(a.need::<[usize; N]>("kernel")?)
        })
    }
}

impl<const N: usize> Pool<N> {
    /// The same of images, those of sequences having one row; of volumes none.
    pub(crate) fn of_images(&self) -> Option<Pool2d> {
        let last = |of: [usize; 3]| [of[1], of[2]];
        let Pool { kernel, stride, padding, .. } = self.of_volumes();
        (N < 3).then(|| Pool2d::new(last(kernel)).stride(last(stride)).padding(last(padding)))
    }
}

impl Pool2d {
    pub(crate) fn window(&self) -> Window {
        Window { kernel: self.kernel, stride: self.stride, padding: self.padding, dilation: [1, 1] }
    }

    /// The sizes for the kernels of images, of images known to fit.
    pub(crate) fn shape(&self, x: &[usize]) -> PoolShape {
        let Pool { kernel, stride, padding, .. } = *self;
        PoolShape { planes: x[0] * x[1], h: x[2], w: x[3], kernel, stride, padding }
    }

    /// The shape of the result.
    ///
    /// # Panics
    /// When the images are not `[n, c, h, w]` of floats, or the windows do not fit them.
    #[track_caller]
    pub(crate) fn check(&self, op: &str, x: &Tensor) -> [usize; 4] {
        let [oh, ow] = self.out_of(op, x);
        [x.shape()[0], x.shape()[1], oh, ow]
    }
}

/// The sizes of the `N` axes after batch and channels.
///
/// # Panics
/// When there are not as many, or they are not of floats.
#[track_caller]
pub(crate) fn image_of<const N: usize>(op: &str, x: &Tensor) -> [usize; N] {
    if !x.dtype().is_float() {
        fail!(op, "floats are needed, these are {}", x.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    let wanted = ["", "[n, c, l]", "[n, c, h, w]", "[n, c, d, h, w]"][N];
    match x.shape().get(2..).and_then(|image| image.try_into().ok()) {
        Some(image) => image,
        None => {
            fail!(op, "the input must be {wanted}, it is {:?}", x.shape(); help = "`unsqueeze` adds an axis")
        }
    }
}

/// A tensor of `N` axes after batch and channels, seen as one of three.
pub(crate) fn as_volumes<const N: usize>(x: &Tensor) -> Tensor {
    (N..3).fold(x.clone(), |x, _| x.unsqueeze(2))
}

/// The opposite of [`as_volumes`].
pub(crate) fn from_volumes<const N: usize>(y: Tensor) -> Tensor {
    (N..3).fold(y, |y, _| y.squeeze(2))
}

/// How the windows of a volume lie.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    /// They slide.
    Sliding(Pool3d),
    /// They divide it into this many.
    Adaptive([usize; 3]),
}

impl Rule {
    /// How many windows there are of volumes `[n, c, d, h, w]`.
    ///
    /// # Panics
    /// When they do not fit.
    #[track_caller]
    pub(crate) fn out(&self, op: &str, x: &Tensor) -> [usize; 3] {
        match self {
            Rule::Sliding(pool) => pool.out_of(op, x),
            Rule::Adaptive(out) => {
                check_divided(op, x, *out);
                *out
            }
        }
    }

    /// The windows of volumes `[n, c, d, h, w]`.
    ///
    /// # Panics
    /// When they do not fit.
    #[track_caller]
    pub(crate) fn spans(&self, op: &str, x: &Tensor) -> Spans {
        let (size, out) = (image_of::<3>(op, x), self.out(op, x));
        let spans = match self {
            Rule::Sliding(pool) => {
                let along = |d: usize| {
                    (0..out[d]).map(|i| pool.span(d, i, size[d]).expect("it was checked")).collect()
                };
                [along(0), along(1), along(2)]
            }
            Rule::Adaptive(_) => {
                let along = |d: usize| (0..out[d]).map(|i| part(size[d], out[d], i)).collect();
                [along(0), along(1), along(2)]
            }
        };
        Spans { planes: x.shape()[0] * x.shape()[1], size, spans }
    }

    /// What the sum of each window is divided by, as a number for each place along each axis.
    pub(crate) fn divisors(&self, s: &Spans) -> Divisors {
        let counts = |d: usize| s.spans[d].iter().map(|span| span.end - span.start).collect();
        match self {
            Rule::Sliding(Pool { divisor_override: Some(n), .. }) => {
                let one = |d: usize| vec![if d == 0 { *n } else { 1 }; s.spans[d].len()];
                [one(0), one(1), one(2)]
            }
            Rule::Sliding(pool @ Pool { count_include_pad: true, .. }) => {
                // Windows end with the padding behind the image, even where they would reach further.
                let along = |d: usize| {
                    let end = s.size[d] + 2 * pool.padding[d];
                    let count = |i: usize| pool.kernel[d].min(end - i * pool.stride[d]);
                    (0..s.spans[d].len()).map(count).collect()
                };
                [along(0), along(1), along(2)]
            }
            _ => [counts(0), counts(1), counts(2)],
        }
    }

    pub(crate) fn say(&self, say: Say<'_>) {
        match self {
            Rule::Sliding(pool) => {
                pool.say(say);
                say("dilation", pool.dilation.into());
                say("ceil_mode", pool.ceil_mode.into());
                say("count_include_pad", pool.count_include_pad.into());
                say("divisor_override", pool.divisor_override.unwrap_or(0).into());
            }
            Rule::Adaptive(out) => say("out", (*out).into()),
        }
    }

    pub(crate) fn sliding(a: &mut Attrs) -> Result<Rule> {
        Ok(Rule::Sliding(Pool {
            dilation: a.need("dilation")?,
            ceil_mode: a.need("ceil_mode")?,
            count_include_pad: a.need("count_include_pad")?,
            divisor_override: Some(a.need::<usize>("divisor_override")?).filter(|n| *n > 0),
            ..Pool::of(a)?
        }))
    }

    pub(crate) fn adaptive(a: &mut Attrs) -> Result<Rule> {
        Ok(Rule::Adaptive(a.need("out")?))
    }
}

/// Window `i` of `n` along an axis of `size`: from `⌊i·size / n⌋` up to `⌈(i + 1)·size / n⌉`.
fn part(size: usize, n: usize, i: usize) -> Span {
    let (size, n, i) = (size as u128, n as u128, i as u128);
    Span { start: (i * size / n) as usize, end: ((i + 1) * size).div_ceil(n) as usize, step: 1 }
}

/// # Panics
/// When the input is not `[n, c, ..]` of floats with `N` axes more, or a size is 0.
#[track_caller]
pub(crate) fn check_divided<const N: usize>(op: &str, x: &Tensor, out: [usize; N]) {
    let image = image_of::<N>(op, x);
    if image.contains(&0) || out.contains(&0) {
        fail!(op, "an image {image:?} cannot be divided into {out:?} windows"; help = "no size may be 0");
    }
    let shape: Shape = x.shape()[..2].iter().copied().chain(out).collect();
    shape.fit(op);
}

/// Of each window the indices of its places in a plane, row-major, `[windows, places]`; where it has fewer than others, the
/// index behind the plane: what the definitions of poolings are made of.
pub(crate) fn table(s: &Spans) -> (Vec<i64>, usize) {
    let count = |d: usize| s.spans[d].iter().map(|span| span.places().count()).max().unwrap_or(0);
    let most = count(0) * count(1) * count(2);
    let [depth, h, w] = s.size;
    let mut all = Vec::new();
    for a in &s.spans[0] {
        for b in &s.spans[1] {
            for c in &s.spans[2] {
                let from = all.len();
                for z in a.places() {
                    for r in b.places() {
                        all.extend(c.places().map(|q| ((z * h + r) * w + q) as i64));
                    }
                }
                all.resize(from + most, (depth * h * w) as i64);
            }
        }
    }
    (all, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_window_of_ceil_mode_begins_in_the_image() {
        // Numbers of torch.nn.functional.max_pool1d.
        let out = |size: usize, pool: Pool1d| pool.out([size]).map(|out| out[0]).ok();
        assert_eq!(out(5, Pool::new(2)), Some(2));
        assert_eq!(out(5, Pool::new(2).ceil_mode()), Some(3));
        assert_eq!(out(4, Pool::new(3).stride(3).padding(1).ceil_mode()), Some(2));
        assert_eq!(out(2, Pool::new(3).stride(2).ceil_mode()), Some(1));
        assert_eq!(out(1, Pool::new(4).ceil_mode()), Some(1));
        assert_eq!(out(1, Pool::new(3).padding(1)), Some(1));
        assert_eq!(out(1, Pool::new(4)), None);
        assert_eq!(out(5, Pool::new(2).dilation(5)), None);
        assert_eq!(out(6, Pool::new(2).dilation(5)), Some(1));
    }
}
