//! Sequences, images and volumes of another size: each number repeated, or numbers between neighbours.

use super::LayerKind;
use crate::{Layer, Module, budget, pooling};
use mapsto_spec::{Bounds, Entry, Value, at_least_1};
use mapsto_tensor::Tensor;
use mapsto_tensor::ops::{Interpolation, Resize};

/// Inputs whose sides are `factor` times as long, or of a given size.
///
/// Each number becomes a square of its copies; with [`bilinear`](Upsample::bilinear) numbers lie on lines between the nearest ones, the centre of
/// a number staying the centre of its square: `y[i] = (1 − r) x[⌊s⌋] + r x[⌊s⌋ + 1]` with `s = max(0, (i + ½) / factor − ½)` and `r = s − ⌊s⌋`,
/// along both axes. [`mode`](Upsample::mode) has all the ways of [`Tensor::interpolate`].
///
/// * Shape: `[n, c, h, w] → [n, c, factor·h, factor·w]`; sequences and volumes likewise.
/// * PyTorch: `Upsample`; Keras: `UpSampling1D`, `UpSampling2D`, `UpSampling3D`, and `Resizing`; ONNX: `Resize`.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_tensor::ops::Interpolation;
/// let x = tensor![[[[0.0, 4.0]]]];
/// assert_close!(Upsample::new(2).forward(&x).squeeze(0), [[[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 4.0]]]);
/// let y = Upsample::new(2).bilinear().forward(&x);
/// assert_close!(y.select(2, 0), [[[0.0, 1.0, 3.0, 4.0]]]);
/// let wide = Upsample::to([3]).mode(Interpolation::Linear).align_corners();
/// assert_close!(wide.forward(&tensor![[[0.0, 4.0]]]), [[[0.0, 2.0, 4.0]]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Upsample {
    #[module(skip)]
    target: Target,
    #[module(skip)]
    mode: Interpolation,
    #[module(skip)]
    align_corners: bool,
    #[module(skip)]
    antialias: bool,
}

/// A size for each axis or one for all, or a factor for all.
#[derive(Clone, Debug, PartialEq)]
enum Target {
    Size(Vec<usize>),
    Factor(f64),
}

impl Upsample {
    /// Copies of each number.
    ///
    /// # Panics
    /// When `factor` is 0.
    #[track_caller]
    pub fn new(factor: usize) -> Upsample {
        Upsample::by(at_least_1("upsample", "factor", factor) as f64)
    }

    /// Sides of any factor, rounded down.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    pub fn by(factor: f64) -> Upsample {
        Upsample::of(Target::Factor(Bounds::ABOVE_0.check("upsample", "factor", factor)))
    }

    /// Sides of this size: one for each axis of places, or one for all.
    pub fn to(size: impl Into<Vec<usize>>) -> Upsample {
        Upsample::of(Target::Size(size.into()))
    }

    fn of(target: Target) -> Upsample {
        Upsample { target, mode: Interpolation::Nearest, align_corners: false, antialias: false }
    }

    /// The same with lines between neighbours, of images.
    #[must_use]
    pub fn bilinear(self) -> Upsample {
        self.mode(Interpolation::Bilinear)
    }

    /// The same in another way.
    #[must_use]
    pub fn mode(self, mode: Interpolation) -> Upsample {
        Upsample { mode, ..self }
    }

    /// The same with the centres of the outermost numbers in their places, and not the edges of their squares.
    #[must_use]
    pub fn align_corners(self) -> Upsample {
        Upsample { align_corners: true, ..self }
    }

    /// The same with a wider filter where sides become shorter.
    #[must_use]
    pub fn antialias(self) -> Upsample {
        Upsample { antialias: true, ..self }
    }

    fn resize(&self) -> Resize {
        let resize = match &self.target {
            Target::Size(size) => Resize::to(size.clone()),
            Target::Factor(factor) => Resize::by([*factor]),
        };
        let resize = resize.mode(self.mode);
        let resize = if self.align_corners { resize.align_corners() } else { resize };
        if self.antialias { resize.antialias() } else { resize }
    }
}

/// A factor as it is written: 2, and not 2.0.
fn written(factor: f64) -> Value {
    if factor.fract() == 0.0 && factor < 1e9 { Value::from(factor as usize) } else { Value::from(factor) }
}

impl Layer for Upsample {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.interpolate(&self.resize())
    }

    fn describe(&self) -> String {
        let target = match &self.target {
            Target::Size(size) => format!("to {}", pooling::by_all(size)),
            Target::Factor(factor) => factor.to_string(),
        };
        let corners = if self.align_corners { ", corners aligned" } else { "" };
        let antialias = if self.antialias { ", antialiased" } else { "" };
        format!("Upsample({target}, {}{corners}{antialias})", self.mode.word())
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name);
        let entry = match &self.target {
            Target::Size(size) => entry.with_option("size", size.clone()),
            Target::Factor(factor) => entry.with_value(written(*factor)),
        };
        let entry = entry.with_option("mode", self.mode.word());
        let entry = if self.align_corners { entry.with_option("align_corners", true) } else { entry };
        Some(if self.antialias { entry.with_option("antialias", true) } else { entry })
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("upsample", "Sides the given number of times as long, or of a given size.", |args, input| {
        let factor: Option<f64> = args.main_optional()?;
        let size: Option<Vec<usize>> = args.optional("size")?;
        let layer = match (factor, size) {
            (Some(factor), None) => {
                let factor = Bounds::ABOVE_0.within(args, "", "the factor", factor)?;
                args.record_main(written(factor));
                Upsample::of(Target::Factor(factor))
            }
            (None, Some(size)) => Upsample::to(size),
            _ => return Err(args.error("size", "give a factor, as in `{ upsample = 2 }`, or a `size`, and not both")),
        };
        let word: String = args.get_or("mode", "nearest".to_string())?;
        let mode = Interpolation::of(&word).map_err(|e| args.error("mode", format!("`mode`: {}", e.message())))?;
        let layer = layer.mode(mode);
        let layer = if pooling::unusual(args, "align_corners", false)? { layer.align_corners() } else { layer };
        let layer = if pooling::unusual(args, "antialias", false)? { layer.antialias() } else { layer };
        let [channels, places @ ..] = input else {
            return Err(args.misfit("", "the input has no axes, and its first one should be the channels"));
        };
        if !(1..=3).contains(&places.len()) {
            let message = format!("the input should be [channels] and one to three axes of places, it is {input:?}");
            let help = "rows of numbers, such as those of a table, are no sequences: `linear` takes them";
            return Err(args.misfit("", message).help(help));
        }
        let sizes = match layer.resize().sizes(places) {
            Ok(sizes) => sizes,
            Err((message, help)) => return Err(args.misfit("", message).help(help)),
        };
        let output: Vec<usize> = [*channels].into_iter().chain(sizes.iter().map(|(n, _)| *n)).collect();
        budget::output(args, &output)?;
        Ok(Box::new(layer))
    })
    .options(&[
        ("", "how many times as long each side becomes"),
        ("size", "the sizes of the sides, instead of a factor: a list of one for each, or one for all"),
        ("mode", "`\"nearest\"` for copies, `\"bilinear\"` for lines between neighbours; `\"nearest-exact\"`, `\"linear\"` of sequences, `\"trilinear\"` of volumes, `\"bicubic\"` and `\"area\"` besides"),
        ("align_corners", "whether the centres of the outermost numbers stay in their places; they do not where nothing is said"),
        ("antialias", "whether a wider filter is used where sides become shorter; it is not where nothing is said"),
    ])
    .example(|| Entry::new("upsample").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};
    use mapsto_tensor::ops::Interpolation;

    #[test]
    fn upsample() {
        check_layer(|| Upsample::new(2)).gives([1, 2, 2, 3], [1, 2, 4, 6]);
        check_layer(|| Upsample::new(3).bilinear()).gives([1, 2, 2, 3], [1, 2, 6, 9]);
        check_layer(|| Upsample::to([5]).mode(Interpolation::Linear)).gives([1, 2, 3], [1, 2, 5]);
        check_layer(|| Upsample::by(1.5).mode(Interpolation::Trilinear))
            .gives([1, 1, 2, 3, 2], [1, 1, 3, 4, 3]);
        check_layer(|| Upsample::to([2, 3]).bilinear().antialias()).gives([1, 2, 4, 5], [1, 2, 2, 3]);
        assert_eq!(Upsample::new(2).bilinear().describe(), "Upsample(2, bilinear)");
        assert_eq!(
            Upsample::to([4, 5]).align_corners().bilinear().describe(),
            "Upsample(to 4×5, bilinear, corners aligned)"
        );
    }

    #[test]
    fn files_have_all_settings() {
        let entry = Entry::new("upsample").with_value(2_usize);
        for mode in ["nearest", "nearest-exact", "bilinear", "bicubic", "area"] {
            check_entry::<dyn Layer>(&entry.clone().with_option("mode", mode), &[2, 6, 6]);
        }
        let sized =
            Entry::new("upsample").with_option("size", vec![3_usize, 4]).with_option("mode", "bicubic");
        check_entry::<dyn Layer>(&sized.clone().with_option("align_corners", true), &[2, 6, 6]);
        check_entry::<dyn Layer>(&sized.clone().with_option("antialias", true), &[2, 6, 6]);
        check_entry::<dyn Layer>(&Entry::new("upsample").with_value(0.5), &[2, 3, 4, 4]);
        let error =
            |entry: Entry, input: &[usize]| ModelSpec::new(input, [entry]).build().err().unwrap().to_string();
        let e = error(entry.clone().with_option("mode", "cubic"), &[2, 6, 6]);
        assert!(e.contains("there is no mode \"cubic\"; it is one of nearest, "), "{e}");
        let e = error(sized.with_value(2_usize), &[2, 6, 6]);
        assert!(e.contains("give a factor, as in `{ upsample = 2 }`, or a `size`, and not both"), "{e}");
        let e = error(entry.clone().with_option("mode", "linear"), &[2, 6, 6]);
        assert!(e.contains("\"linear\" is of 1 axes after batch and channels, these are 2"), "{e}");
        let e = error(entry, &[2]);
        assert!(
            e.contains("the input should be [channels] and one to three axes of places, it is [2]"),
            "{e}"
        );
    }
}
