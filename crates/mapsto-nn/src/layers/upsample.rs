//! Images made larger: each number repeated, or the numbers between two neighbours along a line.

use super::{LayerKind, image};
use crate::{Layer, Module, budget};
use mapsto_spec::{Entry, at_least_1};
use mapsto_tensor::{Tensor, fail};

/// Images whose sides are `factor` times as long.
///
/// Each number becomes a square of its copies; with [`bilinear`](Upsample::bilinear) numbers lie on lines between the nearest ones, the centre of
/// a number staying the centre of its square: `y[i] = (1 − r) x[⌊s⌋] + r x[⌊s⌋ + 1]` with `s = max(0, (i + ½) / factor − ½)` and `r = s − ⌊s⌋`,
/// along both axes.
///
/// * Shape: `[n, c, h, w] → [n, c, factor·h, factor·w]`.
/// * PyTorch: `Upsample(scale_factor=factor, mode="nearest")` and `"bilinear"` with `align_corners=False`; Keras: `UpSampling2D`; ONNX: `Resize`.
/// ```
/// use mapsto_nn::prelude::*;
/// let x = tensor![[[[0.0, 4.0]]]];
/// assert_close!(Upsample::new(2).forward(&x).squeeze(0), [[[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 4.0]]]);
/// let y = Upsample::new(2).bilinear().forward(&x);
/// assert_close!(y.select(2, 0), [[[0.0, 1.0, 3.0, 4.0]]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Upsample {
    #[module(skip)]
    factor: usize,
    #[module(skip)]
    bilinear: bool,
}

impl Upsample {
    /// Copies of each number.
    ///
    /// # Panics
    /// When `factor` is 0.
    #[track_caller]
    pub fn new(factor: usize) -> Upsample {
        Upsample { factor: at_least_1("upsample", "factor", factor), bilinear: false }
    }

    /// The same with lines between neighbours.
    #[must_use]
    pub fn bilinear(self) -> Upsample {
        Upsample { bilinear: true, ..self }
    }

    /// The share of each of `size` numbers in each of `factor · size`.
    fn shares(&self, size: usize, like: &Tensor) -> Tensor {
        let out = self.factor * size;
        let mut shares = vec![0.0; out * size];
        for i in 0..out {
            let s = ((i as f64 + 0.5) / self.factor as f64 - 0.5).max(0.0);
            let low = s.floor() as usize;
            shares[i * size + low] += 1.0 - s.fract();
            shares[i * size + (low + 1).min(size - 1)] += s.fract();
        }
        like.device().scope(|| Tensor::from_vec(shares, [out, size]).to(like.dtype()))
    }
}

impl Layer for Upsample {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if x.rank() != 4 || x.shape()[2..].contains(&0) {
            fail!("upsample", "[n, c, h, w] was expected, found {:?}", x.shape());
        }
        let ([n, c, h, w], f) = (x.dims(), self.factor);
        if self.bilinear {
            return self.shares(h, x).matmul(&x.matmul(&self.shares(w, x).t()));
        }
        let squares = x.reshape([n, c, h, 1, w, 1]).expand([n, c, h, f, w, f]);
        squares.reshape([n, c, h * f, w * f])
    }

    fn describe(&self) -> String {
        format!("Upsample({}, {})", self.factor, self.mode())
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.factor).with_option("mode", self.mode()))
    }
}

impl Upsample {
    fn mode(&self) -> &'static str {
        if self.bilinear { "bilinear" } else { "nearest" }
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("upsample", "Images whose sides are the given number of times as long.", |args, input| {
        let factor: usize = args.main()?;
        let mode: String = args.get_or("mode", "nearest".to_string())?;
        let [c, h, w] = image(args, input)?;
        if factor == 0 || h * w == 0 {
            return Err(args.misfit("", format!("an image {input:?} cannot be made {factor} times as large")));
        }
        let (high, wide) = (h.saturating_mul(factor), w.saturating_mul(factor));
        budget::output(args, &[c, high, wide])?;
        match mode.as_str() {
            "nearest" => Ok(Box::new(Upsample::new(factor))),
            "bilinear" => {
                // The shares of all numbers in all others are a matrix for each axis.
                budget::output(args, &[high, h])?;
                budget::output(args, &[wide, w])?;
                Ok(Box::new(Upsample::new(factor).bilinear()))
            }
            other => Err(args.error("mode", format!("`mode` is nearest or bilinear, got \"{other}\""))),
        }
    })
    .options(&[
        ("", "how many times as long each side becomes"),
        ("mode", "`\"nearest\"` for copies, `\"bilinear\"` for lines between neighbours"),
    ])
    .example(|| Entry::new("upsample").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn upsample() {
        check_layer(|| Upsample::new(2)).gives([1, 2, 2, 3], [1, 2, 4, 6]);
        check_layer(|| Upsample::new(3).bilinear()).gives([1, 2, 2, 3], [1, 2, 6, 9]);
        let entry = Entry::new("upsample").with_value(2_usize).with_option("mode", "bilinear");
        check_entry::<dyn Layer>(&entry, &[2, 6, 6]);
        let cubic = Entry::new("upsample").with_value(2_usize).with_option("mode", "cubic");
        let e = ModelSpec::new([2, 6, 6], [cubic]).build().err().unwrap();
        assert!(e.message().contains("`mode` is nearest or bilinear"), "{e}");
    }
}
