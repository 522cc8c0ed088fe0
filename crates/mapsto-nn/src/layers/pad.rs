//! A border around sequences, images and volumes: of one value, of what is nearest, mirrored, or of the other side.

use super::LayerKind;
use crate::pooling::places;
use crate::{Layer, Module, budget};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::ops::Border;
use mapsto_tensor::{Tensor, fail};

/// Places added around `S / 2` axes, `S` numbers of them: before and after each axis, of images `top`, `bottom`, `left` and `right`.
///
/// They hold a value, 0 unless it is said otherwise; with [`reflect`](Pad::reflect) the input mirrored at its outermost places,
/// with [`replicate`](Pad::replicate) these themselves, with [`circular`](Pad::circular) the input continued from its other side.
///
/// * Shape: `[n, c, h, w] → [n, c, h + top + bottom, w + left + right]`; sequences and volumes likewise.
/// * PyTorch: `ZeroPad1d`, `ZeroPad2d`, `ZeroPad3d`, `ConstantPad1d`, `ConstantPad2d`, `ConstantPad3d`, `ReflectionPad1d`, `ReflectionPad2d`,
///   `ReflectionPad3d`, `ReplicationPad1d`, `ReplicationPad2d`, `ReplicationPad3d`, `CircularPad1d`, `CircularPad2d` and `CircularPad3d`, whose order is
///   left, right, top, bottom; Keras: `ZeroPadding1D`, `ZeroPadding2D`, `ZeroPadding3D`.
/// ```
/// use mapsto_nn::prelude::*;
/// let x = tensor![[[[1.0, 2.0, 3.0]]]];
/// let row = |pad: Pad2d| pad.forward(&x).flatten(0).to_vec::<f32>();
/// assert_eq!(row(Pad2d::new([0, 0, 1, 1])), [0.0, 1.0, 2.0, 3.0, 0.0]);
/// assert_eq!(row(Pad2d::new([0, 0, 2, 1]).reflect()), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
/// assert_eq!(row(Pad2d::new([0, 0, 2, 1]).replicate()), [1.0, 1.0, 1.0, 2.0, 3.0, 3.0]);
/// assert_eq!(row(Pad2d::new([0, 0, 2, 1]).circular()), [2.0, 3.0, 1.0, 2.0, 3.0, 1.0]);
/// assert_close!(Pad1d::new([1, 0]).forward(&tensor![[[5.0]]]), [[[0.0, 5.0]]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Pad<const S: usize> {
    #[module(skip)]
    around: [usize; S],
    #[module(skip)]
    border: Border,
}

/// A border around sequences, `[left, right]`.
pub type Pad1d = Pad<2>;
/// A border around images, `[top, bottom, left, right]`.
pub type Pad2d = Pad<4>;
/// A border around volumes, `[front, back, top, bottom, left, right]`.
pub type Pad3d = Pad<6>;

impl<const S: usize> Pad<S> {
    /// Zeros, so many before and after each axis.
    pub fn new(around: [usize; S]) -> Pad<S> {
        const { assert!(S == 2 || S == 4 || S == 6) }
        Pad { around, border: Border::Constant(0.0) }
    }

    /// The same of this value.
    ///
    /// # Panics
    /// When it is not finite.
    #[track_caller]
    #[must_use]
    pub fn constant(self, value: f64) -> Pad<S> {
        Pad { border: Border::Constant(Bounds::FINITE.check(name(S), "value", value)), ..self }
    }

    /// The same mirrored, without repeating the outermost places.
    #[must_use]
    pub fn reflect(self) -> Pad<S> {
        Pad { border: Border::Reflect, ..self }
    }

    /// The same repeating the outermost places.
    #[must_use]
    pub fn replicate(self) -> Pad<S> {
        Pad { border: Border::Replicate, ..self }
    }

    /// The same continued from the other side.
    #[must_use]
    pub fn circular(self) -> Pad<S> {
        Pad { border: Border::Circular, ..self }
    }

    /// What is wrong with sides of these sizes.
    fn misfit(&self, sizes: &[usize]) -> Option<String> {
        self.around.iter().enumerate().find_map(|(i, &more)| self.border.misfit(sizes[i / 2], more))
    }
}

fn name(sides: usize) -> &'static str {
    ["", "pad1d", "pad2d", "pad3d"][sides / 2]
}

impl<const S: usize> Layer for Pad<S> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if x.rank() != S / 2 + 2 {
            let wanted = ["", "[n, c, l]", "[n, c, h, w]", "[n, c, d, h, w]"][S / 2];
            fail!(name(S), "{wanted} was expected, found {:?}", x.shape());
        }
        if let Some(misfit) = self.misfit(&x.shape()[2..]) {
            fail!(name(S), "{misfit}");
        }
        let pairs: Vec<_> =
            [(0, 0); 2].into_iter().chain(self.around.chunks(2).map(|p| (p[0], p[1]))).collect();
        x.pad_with(&pairs, self.border)
    }

    fn describe(&self) -> String {
        format!("Pad{}d({:?}, {})", S / 2, self.around, self.border.word())
    }

    fn entry(&self) -> Option<Entry> {
        let entry =
            Entry::new(name(S)).with_value(self.around.to_vec()).with_option("mode", self.border.word());
        Some(match self.border {
            Border::Constant(value) => entry.with_option("value", value),
            _ => entry,
        })
    }
}

const fn kind<const S: usize, const N: usize>(
    doc: &'static str,
    sides: &'static [(&'static str, &'static str)],
    example: fn() -> Entry,
) -> LayerKind {
    LayerKind::new(["", "pad1d", "pad2d", "pad3d"][N], doc, |args, input| {
        let around: Vec<usize> = args.main()?;
        let mode: String = args.get_or("mode", "constant".to_string())?;
        let Ok(around) = <[usize; S]>::try_from(around) else {
            let wanted = match N {
                1 => "two numbers: [left, right]",
                2 => "four numbers: [top, bottom, left, right]",
                _ => "six numbers: [front, back, top, bottom, left, right]",
            };
            return Err(args.error("", format!("give {wanted}")));
        };
        let layer = Pad::new(around);
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
        let (channels, sizes) = places::<N>(args, input)?;
        if let Some(misfit) = layer.misfit(&sizes) {
            return Err(args.misfit("", misfit));
        }
        let wide = |d: usize| sizes[d].saturating_add(around[2 * d]).saturating_add(around[2 * d + 1]);
        let output: Vec<usize> = [channels].into_iter().chain((0..N).map(wide)).collect();
        budget::output(args, &output)?;
        Ok(Box::new(layer))
    })
    .options(sides)
    .example(example)
}

const MODE: (&str, &str) =
    ("mode", "what the border holds: `\"constant\"`, `\"reflect\"`, `\"replicate\"` or `\"circular\"`");
const VALUE: (&str, &str) = ("value", "the number of a constant border");

pub(super) const KIND_1D: LayerKind = kind::<2, 1>(
    "Places around a sequence: `[left, right]`, of a value or of the sequence itself.",
    &[("", "places to the left and to the right"), MODE, VALUE],
    || Entry::new("pad1d").with_value(vec![1_usize, 2]),
);
pub(super) const KIND_2D: LayerKind = kind::<4, 2>(
    "Rows and columns around an image: `[top, bottom, left, right]`, of a value or of the image itself.",
    &[("", "rows above and below, columns to the left and to the right"), MODE, VALUE],
    || Entry::new("pad2d").with_value(vec![1_usize, 1, 2, 2]),
);
pub(super) const KIND_3D: LayerKind = kind::<6, 3>(
    "Places around a volume: `[front, back, top, bottom, left, right]`, of a value or of the volume itself.",
    &[
        ("", "slices in front and behind, rows above and below, columns to the left and to the right"),
        MODE,
        VALUE,
    ],
    || Entry::new("pad3d").with_value(vec![1_usize, 0, 1, 1, 2, 2]),
);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn pads() {
        check_layer(|| Pad2d::new([1, 0, 2, 1]).constant(3.0)).gives([1, 2, 2, 3], [1, 2, 3, 6]);
        check_layer(|| Pad2d::new([1, 1, 2, 0]).reflect()).gives([1, 2, 2, 3], [1, 2, 4, 5]);
        check_layer(|| Pad2d::new([3, 1, 0, 4]).replicate()).gives([1, 2, 2, 3], [1, 2, 6, 7]);
        check_layer(|| Pad2d::new([2, 1, 0, 3]).circular()).gives([1, 2, 2, 3], [1, 2, 5, 6]);
        check_layer(|| Pad1d::new([2, 1]).reflect()).gives([2, 2, 3], [2, 2, 6]);
        check_layer(|| Pad3d::new([1, 0, 0, 2, 1, 1]).replicate()).gives([1, 2, 2, 1, 3], [1, 2, 3, 3, 5]);
        check_layer(|| Pad3d::new([1, 0, 0, 1, 1, 1]).constant(0.5)).gives([1, 1, 2, 1, 3], [1, 1, 3, 2, 5]);
        assert_eq!(Pad1d::new([1, 2]).circular().describe(), "Pad1d([1, 2], circular)");
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
        let row = Entry::new("pad1d").with_value(vec![1_usize, 0]).with_option("mode", "circular");
        check_entry::<dyn Layer>(&row, &[4, 6]);
        let volume =
            Entry::new("pad3d").with_value(vec![1_usize, 0, 1, 1, 2, 1]).with_option("mode", "reflect");
        check_entry::<dyn Layer>(&volume, &[2, 3, 4, 4]);
        let three = Entry::new("pad1d").with_value(vec![1_usize, 0, 1]);
        let e = ModelSpec::new([4, 6], [three]).build().err().unwrap();
        assert!(e.message().contains("give two numbers: [left, right]"), "{e}");
        let e = ModelSpec::new([2, 6, 6], [entry.with_option("mode", "mirror")]).build().err().unwrap();
        assert!(e.message().contains("`mode` is one of constant, reflect"), "{e}");
    }
}
