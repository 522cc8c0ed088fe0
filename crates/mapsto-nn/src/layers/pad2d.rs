//! A border around images: of one value, of what is nearest, mirrored, or of the other side.

use super::{LayerKind, image};
use crate::{Layer, Module, budget};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, fail};

/// What a border is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Border {
    Constant(f64),
    Reflect,
    Replicate,
    Circular,
}

/// Rows and columns added around images: `top`, `bottom`, `left` and `right` of them.
///
/// They hold a value, 0 unless it is said otherwise; with [`reflect`](Pad2d::reflect) the image mirrored at its outermost rows and columns,
/// with [`replicate`](Pad2d::replicate) these themselves, with [`circular`](Pad2d::circular) the image continued from its other side.
///
/// * Shape: `[n, c, h, w] → [n, c, h + top + bottom, w + left + right]`.
/// * PyTorch: `ZeroPad2d`, `ConstantPad2d`, `ReflectionPad2d`, `ReplicationPad2d` and `CircularPad2d`, whose order is left, right, top,
///   bottom; Keras: `ZeroPadding2D`; ONNX: `Pad`.
/// ```
/// use mapsto_nn::prelude::*;
/// let x = tensor![[[[1.0, 2.0, 3.0]]]];
/// let row = |pad: Pad2d| pad.forward(&x).flatten(0).to_vec::<f32>();
/// assert_eq!(row(Pad2d::new([0, 0, 1, 1])), [0.0, 1.0, 2.0, 3.0, 0.0]);
/// assert_eq!(row(Pad2d::new([0, 0, 2, 1]).reflect()), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
/// assert_eq!(row(Pad2d::new([0, 0, 2, 1]).replicate()), [1.0, 1.0, 1.0, 2.0, 3.0, 3.0]);
/// assert_eq!(row(Pad2d::new([0, 0, 2, 1]).circular()), [2.0, 3.0, 1.0, 2.0, 3.0, 1.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Pad2d {
    #[module(skip)]
    around: [usize; 4],
    #[module(skip)]
    border: Border,
}

impl Pad2d {
    /// Zeros: `[top, bottom, left, right]`.
    pub fn new(around: [usize; 4]) -> Pad2d {
        Pad2d { around, border: Border::Constant(0.0) }
    }

    /// The same of this value.
    ///
    /// # Panics
    /// When it is not finite.
    #[track_caller]
    #[must_use]
    pub fn constant(self, value: f64) -> Pad2d {
        Pad2d { border: Border::Constant(Bounds::FINITE.check("pad2d", "value", value)), ..self }
    }

    /// The same mirrored, without repeating the outermost rows and columns.
    #[must_use]
    pub fn reflect(self) -> Pad2d {
        Pad2d { border: Border::Reflect, ..self }
    }

    /// The same repeating the outermost rows and columns.
    #[must_use]
    pub fn replicate(self) -> Pad2d {
        Pad2d { border: Border::Replicate, ..self }
    }

    /// The same continued from the other side.
    #[must_use]
    pub fn circular(self) -> Pad2d {
        Pad2d { border: Border::Circular, ..self }
    }

    /// What is wrong with a side of this size.
    fn misfit(&self, sizes: [usize; 2]) -> Option<String> {
        let [top, bottom, left, right] = self.around;
        let most = |size: usize| match self.border {
            Border::Constant(_) => usize::MAX,
            Border::Replicate if size > 0 => usize::MAX,
            Border::Reflect => size.saturating_sub(1),
            _ => size,
        };
        let wide = [(top, sizes[0]), (bottom, sizes[0]), (left, sizes[1]), (right, sizes[1])];
        let (more, size) = wide.into_iter().find(|&(more, size)| more > most(size))?;
        Some(format!("{more} rows or columns cannot be made of {size}: at most {}", most(size)))
    }

    /// The positions that an axis of so many is made of.
    fn positions(&self, size: usize, before: usize, after: usize) -> Vec<i64> {
        let (n, last) = (size as i64, size as i64 - 1);
        let at = |i: i64| match self.border {
            Border::Constant(_) | Border::Replicate => i.clamp(0, last),
            Border::Reflect => last - (last - i.abs()).abs(),
            Border::Circular => i.rem_euclid(n),
        };
        (-(before as i64)..n + after as i64).map(at).collect()
    }
}

impl Layer for Pad2d {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if x.rank() != 4 {
            fail!("pad2d", "[n, c, h, w] was expected, found {:?}", x.shape());
        }
        let [.., h, w] = x.dims::<4>();
        if let Some(misfit) = self.misfit([h, w]) {
            fail!("pad2d", "{misfit}");
        }
        let [top, bottom, left, right] = self.around;
        if let Border::Constant(value) = self.border {
            return x.pad(&[(0, 0), (0, 0), (top, bottom), (left, right)], value);
        }
        let along = |x: &Tensor, axis: isize, size, before, after| {
            let positions = self.positions(size, before, after);
            let n = positions.len();
            x.index_select(axis, &x.device().scope(|| Tensor::from_vec(positions, n)))
        };
        along(&along(x, 2, h, top, bottom), 3, w, left, right)
    }

    fn describe(&self) -> String {
        format!("Pad2d({:?}, {})", self.around, self.mode())
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_value(self.around.to_vec()).with_option("mode", self.mode());
        Some(match self.border {
            Border::Constant(value) => entry.with_option("value", value),
            _ => entry,
        })
    }
}

impl Pad2d {
    fn mode(&self) -> &'static str {
        match self.border {
            Border::Constant(_) => "constant",
            Border::Reflect => "reflect",
            Border::Replicate => "replicate",
            Border::Circular => "circular",
        }
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "pad2d",
    "Rows and columns around an image: `[top, bottom, left, right]`, of a value or of the image itself.",
    |args, input| {
        let around: Vec<usize> = args.main()?;
        let mode: String = args.get_or("mode", "constant".to_string())?;
        let Ok(around) = <[usize; 4]>::try_from(around) else {
            return Err(args.error("", "give four numbers: [top, bottom, left, right]"));
        };
        let layer = Pad2d::new(around);
        let layer = match mode.as_str() {
            "constant" => layer.constant(Bounds::FINITE.option(args, "value", 0.0)?),
            "reflect" => layer.reflect(),
            "replicate" => layer.replicate(),
            "circular" => layer.circular(),
            other => {
                let message =
                    format!("`mode` is one of constant, reflect, replicate and circular, got \"{other}\"");
                return Err(args.error("mode", message));
            }
        };
        let [c, h, w] = image(args, input)?;
        if let Some(misfit) = layer.misfit([h, w]) {
            return Err(args.misfit("", misfit));
        }
        let [top, bottom, left, right] = around;
        let sum = |parts: [usize; 3]| parts.into_iter().fold(0, usize::saturating_add);
        budget::output(args, &[c, sum([h, top, bottom]), sum([w, left, right])])?;
        Ok(Box::new(layer))
    },
)
.options(&[
    ("", "rows above and below, columns to the left and to the right"),
    ("mode", "what the border holds: `\"constant\"`, `\"reflect\"`, `\"replicate\"` or `\"circular\"`"),
    ("value", "the number of a constant border"),
])
.example(|| Entry::new("pad2d").with_value(vec![1_usize, 1, 2, 2]));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn pad2d() {
        check_layer(|| Pad2d::new([1, 0, 2, 1]).constant(3.0)).gives([1, 2, 2, 3], [1, 2, 3, 6]);
        check_layer(|| Pad2d::new([1, 1, 2, 0]).reflect()).gives([1, 2, 2, 3], [1, 2, 4, 5]);
        check_layer(|| Pad2d::new([3, 1, 0, 4]).replicate()).gives([1, 2, 2, 3], [1, 2, 6, 7]);
        check_layer(|| Pad2d::new([2, 1, 0, 3]).circular()).gives([1, 2, 2, 3], [1, 2, 5, 6]);
        let e =
            catch(|| Pad2d::new([2, 0, 0, 0]).reflect().forward(&Tensor::ones([1, 1, 2, 2]))).unwrap_err();
        assert_eq!(e.message(), "pad2d: 2 rows or columns cannot be made of 2: at most 1");
    }

    #[test]
    fn every_mode_is_said() {
        let entry = Entry::new("pad2d").with_value(vec![1_usize, 0, 2, 1]);
        for mode in ["constant", "reflect", "replicate", "circular"] {
            check_entry::<dyn Layer>(&entry.clone().with_option("mode", mode), &[2, 6, 6]);
        }
        let e = ModelSpec::new([2, 6, 6], [entry.with_option("mode", "mirror")]).build().err().unwrap();
        assert!(e.message().contains("`mode` is one of constant, reflect"), "{e}");
    }
}
