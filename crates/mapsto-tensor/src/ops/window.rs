//! Sliding windows laid side by side (im2col) and their transpose: what convolution and pooling are made of.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
pub use crate::backend::{PerAxis, Size2, Window};
use crate::graph::{At, Attrs, Cost, Keep, Op, Outline, Ran, Say, Vjp, apply};
use crate::shape::Shape;
use crate::{Result, Tensor, fail};

impl Tensor {
    /// The windows of images as columns: `y[n, (c, i, j), (p, q)] = x[n, c, p·s + i·d − pad, q·s + j·d − pad]`, 0 in
    /// the padding.
    ///
    /// * Shape: `[n, c, h, w] → [n, c·kh·kw, oh·ow]`.   * Gradient: each `dy` is added where it came from.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[[[1.0, 2.0, 3.0]]]];
    /// assert_close!(x.window(Window::new([1, 2])), [[[1.0, 2.0], [2.0, 3.0]]]);
    /// ```
    /// # Panics
    /// When the images are not `[n, c, h, w]`, or not even one window fits.
    #[track_caller]
    pub fn window(&self, window: Window) -> Tensor {
        if self.rank() != 4 {
            fail!("window", "images [n, c, h, w] are needed, these are {:?}", self.shape());
        }
        let [n, c, h, w] = self.dims();
        let Some([oh, ow]) = window.out([h, w]) else {
            fail!("window", "no window fits: {window:?} on images {:?}", self.shape());
        };
        Shape::new(&[n, c, window.kernel[0], window.kernel[1], oh, ow]).fit("window");
        apply(Windows { window }, &[self])
    }
}

impl Tensor {
    /// The transpose of [`window`](Tensor::window): columns added back to the points that they came from, in images of `[h, w]`.
    ///
    /// * Shape: `[n, c·kh·kw, oh·ow] → [n, c, h, w]`.   * Gradient: `dy.window(..)`.   * PyTorch: `F.fold`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[[[1.0, 2.0, 3.0]]]];
    /// let again = x.window(Window::new([1, 2])).window_transpose(Window::new([1, 2]), [1, 3]);
    /// assert_close!(again.flatten(0), [1.0, 4.0, 3.0]);
    /// ```
    /// # Panics
    /// When the columns are not those of images of this size, or not floats.
    #[track_caller]
    pub fn window_transpose(&self, window: Window, image: impl Into<Size2>) -> Tensor {
        const OP: &str = "window_transpose";
        let image = image.into().0;
        if !self.dtype().is_float() {
            fail!(OP, "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        let Some([oh, ow]) = window.out(image) else {
            fail!(OP, "no window fits: {window:?} on images of {image:?}");
        };
        let (points, places) = (window.kernel[0].saturating_mul(window.kernel[1]), oh.saturating_mul(ow));
        if self.rank() != 3 || !self.shape()[1].is_multiple_of(points) || self.shape()[2] != places {
            fail!(OP, "columns [n, a multiple of {points}, {places}] were expected for images of {image:?}, found {:?}", self.shape());
        }
        let c = self.shape()[1] / points;
        Shape::new(&[self.shape()[0], c, image[0], image[1]]).fit(OP);
        transposed(self, window, image)
    }
}

struct Windows {
    window: Window,
}
impl Op for Windows {
    fn name(&self) -> &'static str {
        "window"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::moved(xs, y)
    }
    fn attrs(&self, say: Say<'_>) {
        say("kernel", self.window.kernel.into());
        say("stride", self.window.stride.into());
        say("padding", self.window.padding.into());
        say("dilation", self.window.dilation.into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        xs[0].device().backend().window(xs[0], &self.window).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        transposed(g, self.window, [at.shape(0)[2], at.shape(0)[3]]).into()
    }
}

/// The transpose of `window` for images of `[h, w]`.
#[track_caller]
fn transposed(cols: &Tensor, window: Window, image: [usize; 2]) -> Tensor {
    apply(Transposed { window, image }, &[cols])
}

struct Transposed {
    window: Window,
    image: [usize; 2],
}
impl Op for Transposed {
    fn name(&self) -> &'static str {
        "window_transpose"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 1)
    }
    fn attrs(&self, say: Say<'_>) {
        say("kernel", self.window.kernel.into());
        say("stride", self.window.stride.into());
        say("padding", self.window.padding.into());
        say("dilation", self.window.dilation.into());
        say("image", self.image.into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        xs[0].device().backend().window_transpose(xs[0], &self.window, self.image).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, _: &At<'_>, g: &Tensor) -> Vjp {
        g.window(self.window).into()
    }
}

/// The window of the samples, different in both directions.
const WIN: Window = Window { kernel: [2, 2], stride: [2, 1], padding: [1, 0], dilation: [1, 2] };

fn window_of(a: &mut Attrs) -> Result<Window> {
    Ok(Window {
        kernel: a.need("kernel")?,
        stride: a.need("stride")?,
        padding: a.need("padding")?,
        dilation: a.need("dilation")?,
    })
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("window", "The windows of images as columns: `y[n, (c, i, j), (p, q)] = x[n, c, p·s + i·d − pad, q·s + j·d − pad]`, 0 in the padding.", Takes::Floats, of_window).built(|a| Ok(Box::new(Windows { window: window_of(a)? }))),
    OpKind::new("window_transpose", "The transpose of `window`: each element is added to the point it came from.", Takes::Floats, of_window_transpose).built(|a| Ok(Box::new(Transposed { window: window_of(a)?, image: a.need("image")? }))),
];

fn of_window(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 5, 4], &d)], |x| x[0].window(WIN));
    s.of(&[(&[1, 1, 3, 3], &d)], |x| x[0].window(WIN));
}

fn of_window_transpose(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 12, 6], &d)], |x| transposed(&x[0], WIN, [5, 4]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;

    #[test]
    fn window() {
        let d = || floats(-2.0..2.0);
        check(|x| x.window(Window::new([2, 3])))
            .shapes([&[2, 2, 4, 5]])
            .formula(|[x]| {
                Numbers::from_fn(&[2, 12, 9], |at| {
                    let (tap, place) = (at[1], at[2]);
                    x.at(&[at[0], tap / 6, place / 3 + tap % 6 / 3, place % 3 + tap % 3])
                })
            })
            .on(d());
        check(|x| x.window(Window::new(2).stride([2, 1]).padding([1, 2]).dilation([1, 2]))).shapes([&[2, 1, 4, 3]]).on(d());
        check(|x| x.window(Window::new(3).padding(1).stride(3))).shapes([&[1, 3, 5, 4]]).on(d());
    }
}
