//! Sliding windows laid side by side (im2col) and their transpose: what convolution and pooling are made of.

pub use crate::backend::{Size2, Window};
use crate::graph::{At, Keep, Op, Vjp, record_at};
use crate::{Tensor, fail};
use std::panic::Location;

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
        let [_, _, h, w] = self.dims();
        if window.out([h, w]).is_none() {
            fail!("window", "no window fits: {window:?} on images {:?}", self.shape());
        }
        let y = self.device().backend().window(self, &window);
        record_at(Windows { window }, y, &[self], Vec::new(), Location::caller())
    }
}

struct Windows {
    window: Window,
}
impl Op for Windows {
    fn name(&self) -> &'static str {
        "window"
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let image = [at.shape(0)[2], at.shape(0)[3]];
        let y = g.device().backend().window_transpose(g, &self.window, image);
        record_at(Transposed { window: self.window }, y, &[g], Vec::new(), Location::caller()).into()
    }
}

struct Transposed {
    window: Window,
}
impl Op for Transposed {
    fn name(&self) -> &'static str {
        "window_transpose"
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, _: &At<'_>, g: &Tensor) -> Vjp {
        g.window(self.window).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;

    #[test]
    fn window() {
        let d = || floats(-2.0..2.0);
        check(|x| x.window(Window::new([2, 3]))).shapes([&[2, 2, 4, 5]]).on(d());
        check(|x| x.window(Window::new(2).stride([2, 1]).padding([1, 2]).dilation([1, 2]))).shapes([&[2, 1, 4, 3]]).on(d());
        check(|x| x.window(Window::new(3).padding(1).stride(3))).shapes([&[1, 3, 5, 4]]).on(d());
    }
}
