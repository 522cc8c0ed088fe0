//! The windows of images as columns, and their sum back into images.

use super::{LayerKind, image};
use crate::pooling::{by_all, positive};
use crate::{Layer, Module, budget};
use mapsto_spec::{Args, Entry};
use mapsto_tensor::ops::{PerAxis, Window};
use mapsto_tensor::{Result, Tensor};

/// The windows of images as columns: `y[n, (c, i, j), (p, q)] = x[n, c, p·s + i·d − pad, q·s + j·d − pad]`, 0 in the padding.
///
/// * Shape: `[n, c, h, w] → [n, c·kh·kw, oh·ow]` with `oh = (h + 2·pad − d(kh − 1) − 1)/s + 1`, rounded down.
/// * PyTorch: `Unfold`; Keras: `ops.image.extract_patches`, whose columns are the last axis.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_close!(Unfold::new([1, 2]).forward(&tensor![[[[1.0, 2.0, 3.0]]]]), [[[1.0, 2.0], [2.0, 3.0]]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Unfold {
    #[module(skip)]
    window: Window,
}

/// The sum of columns back into images of a given size: the transpose of [`Unfold`].
///
/// * Shape: `[n, c·kh·kw, oh·ow] → [n, c, h, w]`.
/// * PyTorch: `Fold`; Keras has none.
/// ```
/// use mapsto_nn::prelude::*;
/// let x = tensor![[[1.0, 2.0], [2.0, 3.0]]];
/// assert_close!(Fold::new([1, 3], [1, 2]).forward(&x).flatten(0), [1.0, 4.0, 3.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Fold {
    #[module(skip)]
    image: [usize; 2],
    #[module(skip)]
    window: Window,
}

impl Unfold {
    /// Dense windows of this size at every place.
    ///
    /// # Panics
    /// When a side is 0.
    #[track_caller]
    pub fn new(kernel: impl Into<PerAxis<2>>) -> Unfold {
        Unfold { window: Window::new(positive("unfold", "kernel", kernel)) }
    }

    /// The same with this distance between windows.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn stride(self, stride: impl Into<PerAxis<2>>) -> Unfold {
        Unfold { window: self.window.stride(positive("unfold", "stride", stride)) }
    }

    /// The same with zeros around the image.
    #[must_use]
    pub fn padding(self, padding: impl Into<PerAxis<2>>) -> Unfold {
        Unfold { window: self.window.padding(padding) }
    }

    /// The same with this distance between the places of a window.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn dilation(self, dilation: impl Into<PerAxis<2>>) -> Unfold {
        Unfold { window: self.window.dilation(positive("unfold", "dilation", dilation)) }
    }
}

impl Fold {
    /// Images of this size from dense windows of `kernel` at every place.
    ///
    /// # Panics
    /// When a side is 0.
    #[track_caller]
    pub fn new(image: impl Into<PerAxis<2>>, kernel: impl Into<PerAxis<2>>) -> Fold {
        let window = Window::new(positive("fold", "kernel", kernel));
        Fold { image: positive("fold", "image", image), window }
    }

    /// The same with this distance between windows.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn stride(self, stride: impl Into<PerAxis<2>>) -> Fold {
        Fold { window: self.window.stride(positive("fold", "stride", stride)), ..self }
    }

    /// The same with a border around the image, which is left out.
    #[must_use]
    pub fn padding(self, padding: impl Into<PerAxis<2>>) -> Fold {
        Fold { window: self.window.padding(padding), ..self }
    }

    /// The same with this distance between the places of a window.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn dilation(self, dilation: impl Into<PerAxis<2>>) -> Fold {
        Fold { window: self.window.dilation(positive("fold", "dilation", dilation)), ..self }
    }
}

impl Layer for Unfold {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.window(self.window)
    }

    fn describe(&self) -> String {
        format!("Unfold({})", by_all(&self.window.kernel))
    }

    fn entry(&self) -> Option<Entry> {
        Some(moves(Entry::new(UNFOLD.name).with_value(self.window.kernel), &self.window))
    }
}

impl Layer for Fold {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.window_transpose(self.window, self.image)
    }

    fn describe(&self) -> String {
        format!("Fold({} of {})", by_all(&self.image), by_all(&self.window.kernel))
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(FOLD.name).with_value(self.image).with_option("kernel", self.window.kernel);
        Some(moves(entry, &self.window))
    }
}

/// The entry with how windows move.
fn moves(entry: Entry, window: &Window) -> Entry {
    let entry = entry.with_option("stride", window.stride).with_option("padding", window.padding);
    entry.with_option("dilation", window.dilation)
}

/// Windows of a kernel, with what else is said of them, and how many there are of an image.
fn read(args: &mut Args, kernel: [usize; 2], image: [usize; 2]) -> Result<(Window, usize)> {
    let stride = args.get_or("stride", [1, 1])?;
    let padding = args.get_or("padding", [0, 0])?;
    let window = Window { kernel, stride, padding, dilation: args.get_or("dilation", [1, 1])? };
    match window.out(image).and_then(|[h, w]| h.checked_mul(w)) {
        Some(count) => Ok((window, count)),
        None => Err(args.misfit("", format!("windows of {kernel:?} do not fit an image of {image:?}"))
            .help("kernel, stride and dilation are at least 1, and a window reaches no further than the padded image")),
    }
}

pub(super) const UNFOLD: LayerKind =
    LayerKind::new("unfold", "The windows of an image as columns.", |args, input| {
        let kernel: [usize; 2] = args.main()?;
        let [c, h, w] = image(args, input)?;
        let (window, count) = read(args, kernel, [h, w])?;
        budget::output(args, &[c, kernel[0], kernel[1], count])?;
        Ok(Box::new(Unfold { window }))
    })
    .options(&[
        ("", "the height and width of the window"),
        ("stride", "how far the window moves"),
        ("padding", "zeros around the image"),
        ("dilation", "the distance of the window's places"),
    ])
    .example(|| Entry::new("unfold").with_value(2_usize));

pub(super) const FOLD: LayerKind =
    LayerKind::new("fold", "Columns of windows added up in an image of the given size.", |args, input| {
        let image: [usize; 2] = args.main()?;
        let kernel: [usize; 2] = args.required("kernel")?;
        let (window, count) = read(args, kernel, image)?;
        // What `window.out` has counted.
        let points = kernel[0] * kernel[1];
        let [columns, places] = input[..] else {
            let message = format!("the input should be [channels of windows, windows], it is {input:?}");
            let help = "`unfold` gives such columns; rows of numbers are none: `linear` takes them";
            return Err(args.misfit("", message).help(help));
        };
        if !columns.is_multiple_of(points) || places != count {
            let message = format!(
                "{count} windows of a multiple of {points} numbers are needed, the input is {input:?}"
            );
            return Err(args.misfit("", message));
        }
        budget::output(args, &[columns / points, image[0], image[1]])?;
        Ok(Box::new(Fold { image, window }))
    })
    .options(&[
        ("", "the height and width of the image"),
        ("kernel", "the height and width of the window"),
        ("stride", "how far the window moves"),
        ("padding", "a border around the image, which is left out"),
        ("dilation", "the distance of the window's places"),
    ])
    .example(|| Entry::new("fold").with_value(2_usize).with_option("kernel", 1_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn unfold_and_fold() {
        check_layer(|| Unfold::new([2, 3]).stride(2).padding(1).dilation([1, 2]))
            .gives([1, 2, 4, 5], [1, 12, 6]);
        check_layer(|| Fold::new([4, 5], [2, 3]).stride(2).padding(1).dilation([1, 2]))
            .gives([1, 12, 6], [1, 2, 4, 5]);
        assert_eq!(Fold::new([4, 5], 2).describe(), "Fold(4×5 of 2×2)");
        let folded = Entry::new("fold").with_value(vec![3_usize, 4]).with_option("kernel", vec![1_usize, 2]);
        check_entry::<dyn Layer>(&folded.with_option("padding", vec![0_usize, 1]), &[4, 15]);
        let unfolded =
            Entry::new("unfold").with_value(vec![3_usize, 2]).with_option("dilation", vec![2_usize, 1]);
        check_entry::<dyn Layer>(&unfolded.with_option("stride", 2_usize), &[2, 6, 6]);
        let e = ModelSpec::new([2, 2, 2], [Entry::new("unfold").with_value(3_usize)]).build().err().unwrap();
        assert!(e.message().contains("windows of [3, 3] do not fit an image of [2, 2]"), "{e}");
        let wrong = Entry::new("fold").with_value(3_usize).with_option("kernel", 2_usize);
        let e = ModelSpec::new([4, 5], [wrong]).build().err().unwrap();
        assert!(
            e.message().contains("4 windows of a multiple of 4 numbers are needed, the input is [4, 5]"),
            "{e}"
        );
    }
}
