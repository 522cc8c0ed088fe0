//! What a transform may be told: its length, its axis, and where the factor 1/n goes.

use mapsto_tensor::{Axis, Tensor, fail};

/// Where the factor goes that makes a transform and its inverse cancel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Norm {
    /// The inverse is divided by `n`: the default.
    #[default]
    Backward,
    /// Both are divided by `√n`, so that lengths are kept (Parseval).
    Ortho,
    /// The forward transform is divided by `n`.
    Forward,
}

impl Norm {
    /// The factor of a transform of length `n`.
    pub(crate) fn scale(self, n: usize, inverse: bool) -> f64 {
        match self {
            Norm::Ortho => 1.0 / (n as f64).sqrt(),
            Norm::Backward if inverse => 1.0 / n as f64,
            Norm::Forward if !inverse => 1.0 / n as f64,
            _ => 1.0,
        }
    }
}

/// Length, axis and norm of a transform along one axis; the last axis, whole, by default.
///
/// ```
/// use mapsto_fft::*;
/// use mapsto_tensor::prelude::*;
/// let x = tensor![[1.0, 2.0], [3.0, 4.0]];
/// let z = rfft_with(&x, Transform::new().axis(0).n(4).norm(Norm::Forward));
/// assert_eq!(z.shape(), [3, 2, 2]);
/// assert_close!(z.select(0, 0), [[1.0, 0.0], [1.5, 0.0]]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transform {
    n: Option<usize>,
    axis: Axis,
    norm: Norm,
}

impl Default for Transform {
    fn default() -> Transform {
        Transform { n: None, axis: Axis(-1), norm: Norm::Backward }
    }
}

impl Transform {
    /// The last axis as long as it is, the factor in the inverse.
    pub fn new() -> Transform {
        Transform::default()
    }
    /// The length of the transform (of its real side, where one side is real): a longer axis is cut, a shorter one filled with zeros.
    pub fn n(self, n: usize) -> Transform {
        Transform { n: Some(n), ..self }
    }
    /// The axis, counted without the pair of a complex tensor. PyTorch calls it `dim`.
    pub fn axis(self, axis: impl Into<Axis>) -> Transform {
        Transform { axis: axis.into(), ..self }
    }
    /// Where the factor goes.
    pub fn norm(self, norm: Norm) -> Transform {
        Transform { norm, ..self }
    }

    pub(crate) fn of(n: Option<usize>, axis: usize, norm: Norm) -> Transform {
        Transform { n, axis: axis.into(), norm }
    }

    /// The axis in a signal of this shape, and the length: the one that was asked for, or the one given here for the axis's size.
    #[track_caller]
    pub(crate) fn fit(&self, op: &str, signal: &[usize], n: impl Fn(usize) -> usize) -> (usize, usize, Norm) {
        let axis = self.axis.of(op, signal);
        let n = self.n.unwrap_or_else(|| n(signal[axis]));
        if n == 0 {
            fail!(op, "a transform of length 0 was asked for, of axis {axis} of a signal {signal:?}";
                  help = "a transform has at least one number; `.n(..)` sets its length");
        }
        (axis, n, self.norm)
    }
}

/// Sizes, axes and norm of a transform along several axes.
///
/// ```
/// use mapsto_fft::*;
/// use mapsto_tensor::prelude::*;
/// let z = rfftn_with(&Tensor::ones([2, 3, 4]), &TransformN::new().axes(&[0, 2]).sizes(&[2, 6]));
/// assert_eq!(z.shape(), [2, 3, 4, 2]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransformN {
    sizes: Option<Vec<usize>>,
    axes: Option<Vec<isize>>,
    norm: Norm,
}

impl TransformN {
    /// All axes as long as they are (the last two, for `fft2` and its kin), the factor in the inverse.
    pub fn new() -> TransformN {
        TransformN::default()
    }
    /// The length along each axis; without [`axes`](TransformN::axes) these are of the last ones. PyTorch calls it `s`.
    pub fn sizes(self, sizes: &[usize]) -> TransformN {
        TransformN { sizes: Some(sizes.to_vec()), ..self }
    }
    /// The axes, counted without the pair of a complex tensor. PyTorch calls it `dim`.
    pub fn axes(self, axes: &[isize]) -> TransformN {
        TransformN { axes: Some(axes.to_vec()), ..self }
    }
    /// Where the factor goes.
    pub fn norm(self, norm: Norm) -> TransformN {
        TransformN { norm, ..self }
    }

    /// The same over the last two axes, unless others are named.
    pub(crate) fn plane(&self) -> TransformN {
        TransformN { axes: Some(self.axes.clone().unwrap_or(vec![-2, -1])), ..self.clone() }
    }

    /// The transform along each axis, in their order.
    #[track_caller]
    pub(crate) fn each(&self, op: &str, signal: &[usize]) -> Vec<(usize, Option<usize>, Norm)> {
        let rank = signal.len();
        let axes: Vec<usize> = match (&self.axes, &self.sizes) {
            (Some(axes), _) => axes.iter().map(|a| Axis(*a).of(op, signal)).collect(),
            (None, Some(sizes)) if sizes.len() > rank => {
                fail!(op, "{} sizes for a signal {signal:?}", sizes.len(); help = "give at most one size for each axis")
            }
            (None, Some(sizes)) => (rank - sizes.len()..rank).collect(),
            (None, None) => (0..rank).collect(),
        };
        if let Some(sizes) = self.sizes.as_ref().filter(|sizes| sizes.len() != axes.len()) {
            fail!(op, "{} sizes for {} axes", sizes.len(), axes.len(); help = "give one size for each axis");
        }
        if let Some(twice) = axes.iter().enumerate().find(|(i, a)| axes[..*i].contains(a)) {
            fail!(op, "axis {} is named twice", twice.1);
        }
        let size = |i: usize| self.sizes.as_ref().map(|sizes| sizes[i]);
        axes.iter().enumerate().map(|(i, &axis)| (axis, size(i), self.norm)).collect()
    }
}

/// The signal's shape: that of a complex tensor without its pair.
#[track_caller]
pub(crate) fn signal<'a>(op: &str, z: &'a Tensor) -> &'a [usize] {
    match z.shape() {
        [signal @ .., 2] if z.dtype().is_float() => signal,
        shape => {
            fail!(op, "a complex tensor [.., 2] of floats is needed, this is {shape:?} of {}", z.dtype();
                       help = "the last axis holds the real and the imaginary part; `fft::from_real` makes a complex tensor of a real one")
        }
    }
}

/// The signal's shape of a real tensor.
#[track_caller]
pub(crate) fn real_signal<'a>(op: &str, x: &'a Tensor) -> &'a [usize] {
    if !x.dtype().is_float() {
        fail!(op, "floats are needed, these are {}", x.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    x.shape()
}

/// An axis cut to a length, or filled up with zeros.
#[track_caller]
pub(crate) fn resized(x: &Tensor, axis: usize, n: usize) -> Tensor {
    match x.shape()[axis] {
        size if size == n => x.clone(),
        size if size > n => x.slice(axis, ..n),
        size => {
            let around: Vec<(usize, usize)> =
                (0..x.rank()).map(|i| (0, if i == axis { n - size } else { 0 })).collect();
            x.pad(&around, 0.0)
        }
    }
}

/// A view whose axis `from` stands at `to`.
#[track_caller]
pub(crate) fn moved(x: &Tensor, from: usize, to: usize) -> Tensor {
    if from == to { x.clone() } else { x.movedim(from, to) }
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let x = Tensor::ones([2, 3]);
        let said = |f: &dyn Fn() -> Tensor| catch(f).unwrap_err().message().to_string();
        assert_eq!(
            said(&|| rfft_with(&x, Transform::new().axis(2))),
            "rfft: axis 2 of [2, 3], which has 2 axes"
        );
        assert_eq!(
            said(&|| rfft_with(&x, Transform::new().n(0))),
            "rfft: a transform of length 0 was asked for, of axis 1 of a signal [2, 3]"
        );
        assert_eq!(
            said(&|| fft(&x)),
            "fft: a complex tensor [.., 2] of floats is needed, this is [2, 3] of f32"
        );
        assert_eq!(said(&|| rfft(&tensor![1, 2])), "rfft: floats are needed, these are i64");
        let n = |t: TransformN| said(&|| rfftn_with(&x, &t));
        assert_eq!(n(TransformN::new().sizes(&[1, 2, 3])), "rfftn: 3 sizes for a signal [2, 3]");
        assert_eq!(n(TransformN::new().sizes(&[1]).axes(&[0, 1])), "rfftn: 1 sizes for 2 axes");
        assert_eq!(n(TransformN::new().axes(&[0, -2])), "rfftn: axis 0 is named twice");
        assert_eq!(said(&|| rfft2(&tensor![1.0])), "rfft2: axis -2 of [1], which has 1 axes");
        assert!(said(&|| fft(&Tensor::ones([0, 2]))).starts_with("fft: a transform of length 0"));
    }
}
