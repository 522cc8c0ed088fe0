//! The short-time Fourier transform: transforms of overlapping pieces of a signal, and the signal of such pieces.

use crate::complex::from_real;
use crate::fft::fft_with;
use crate::rfft::{irfft_with, rfft_with};
use crate::transform::{Norm, Transform, real_signal, signal};
use mapsto_tensor::ops::Border;
use mapsto_tensor::{DType, MAX_RANK, Tensor, fail};

/// How a signal is cut into pieces: the length of a transform, the step between pieces, the window.
///
/// ```
/// use mapsto_fft::*;
/// use mapsto_tensor::prelude::*;
/// let how = Stft::new(400).hop(160).window(&SignalWindow::Hann.periodic(400));
/// let z = stft(&Tensor::ones([2, 16000]), &how);
/// assert_eq!(z.shape(), [2, 201, 101, 2]);               // [batch, frequencies, frames, pair]
/// ```
#[derive(Clone, Debug)]
pub struct Stft {
    n: usize,
    hop: Option<usize>,
    win_length: Option<usize>,
    window: Option<Tensor>,
    centered: bool,
    border: Border,
    norm: Norm,
    one_sided: bool,
}

impl Stft {
    /// Pieces of `n` samples, a quarter of that apart, without a window; the first is centred at the first sample, so that the signal is
    /// continued by its mirror image. PyTorch calls it `n_fft`.
    pub fn new(n: usize) -> Stft {
        Stft {
            n,
            hop: None,
            win_length: None,
            window: None,
            centered: true,
            border: Border::Reflect,
            norm: Norm::Backward,
            one_sided: true,
        }
    }
    /// Samples from one piece to the next. PyTorch calls it `hop_length`.
    pub fn hop(self, hop: usize) -> Stft {
        Stft { hop: Some(hop), ..self }
    }
    /// The length of the window, at most `n`: it stands in the middle of the piece, and the rest of the piece counts 0.
    pub fn win_length(self, length: usize) -> Stft {
        Stft { win_length: Some(length), ..self }
    }
    /// The window that each piece is multiplied with, as long as `win_length`; usually one of [`SignalWindow`](crate::SignalWindow). It may be a
    /// parameter.
    pub fn window(self, window: &Tensor) -> Stft {
        Stft { window: Some(window.clone()), ..self }
    }
    /// The first piece begins at the first sample. PyTorch calls it `center=False`.
    pub fn not_centered(self) -> Stft {
        Stft { centered: false, ..self }
    }
    /// What lies beyond the ends of the signal, where the pieces are centred.
    pub fn border(self, border: Border) -> Stft {
        Stft { border, ..self }
    }
    /// Each transform is divided by `√n`. PyTorch calls it `normalized=True`.
    pub fn normalized(self) -> Stft {
        Stft { norm: Norm::Ortho, ..self }
    }
    /// All `n` numbers of each transform, rather than the half that is enough for a real signal. PyTorch calls it `onesided=False`.
    pub fn two_sided(self) -> Stft {
        Stft { one_sided: false, ..self }
    }

    fn step(&self) -> usize {
        self.hop.unwrap_or(self.n / 4)
    }

    /// The numbers of a transform.
    fn frequencies(&self) -> usize {
        if self.one_sided { self.n / 2 + 1 } else { self.n }
    }

    /// The window, filled with zeros to the length of a piece.
    #[track_caller]
    fn weights(&self, op: &str, like: &Tensor) -> Tensor {
        let (n, hop) = (self.n, self.step());
        let length = self.win_length.unwrap_or(n);
        if n == 0 || hop == 0 {
            fail!(op, "pieces of {n} samples every {hop}"; help = "both must be at least 1; the step is a quarter of `n` unless `.hop(..)` says it");
        }
        if length == 0 || length > n {
            fail!(op, "a window of {length} samples for pieces of {n}"; help = "`win_length` must be from 1 to {n}");
        }
        let window = match &self.window {
            Some(window) => window.clone(),
            None => like.device().scope(|| Tensor::full_of(length, 1.0, like.dtype())),
        };
        if window.shape() != [length] || window.dtype() != like.dtype() {
            fail!(op, "the window is {:?} of {}, [{length}] of {} is needed", window.shape(), window.dtype(), like.dtype();
                  help = "`SignalWindow::Hann.periodic_of({length}, DType::{:?})` makes one; `.win_length(..)` says its length", like.dtype());
        }
        let before = (n - length) / 2;
        window.pad(&[(before, n - length - before)], 0.0)
    }
}

/// The short-time Fourier transform of real signals: frame `t` is the transform of the window times the piece of the signal around
/// sample `t · hop`.
///
/// * Shape: `[.., n] → [.., frequencies, frames, 2]`, complex, floats only; one signal or a batch.
/// * Gradient: that of its parts, at the window too.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let z = stft(&tensor![1.0, 2.0, 3.0, 4.0], &Stft::new(2).hop(2).not_centered());
/// assert_close!(real(&z), [[3.0, 7.0], [-1.0, -1.0]]);
/// ```
/// # Panics
/// When a setting is not possible, the window does not fit, or the signal is shorter than a piece, or than its border.
#[track_caller]
pub fn stft(x: &Tensor, how: &Stft) -> Tensor {
    let size = match real_signal("stft", x) {
        [.., size] if x.rank() + 2 <= MAX_RANK => *size,
        shape => {
            fail!("stft", "signals [.., n] of at most {} axes are needed, this is {shape:?}", MAX_RANK - 2)
        }
    };
    let (n, weights) = (how.n, how.weights("stft", x));
    let x = if how.centered { bordered(x, n / 2, how.border) } else { x.clone() };
    let whole = x.shape()[x.rank() - 1];
    if whole < n {
        fail!("stft", "pieces of {n} samples do not fit a signal of {size}"; help = "a shorter `n` or a longer signal is needed");
    }
    let frames = x.unfold(-1, n, how.step()) * weights; // [.., frames, n]
    let by = Transform::new().norm(how.norm);
    let z = if how.one_sided { rfft_with(&frames, by) } else { fft_with(&from_real(&frames), by) };
    z.swap(-2, -3)
}

/// The signal continued by `by` samples at both ends.
#[track_caller]
fn bordered(x: &Tensor, by: usize, border: Border) -> Tensor {
    let (axis, n) = (x.rank() - 1, x.shape()[x.rank() - 1]);
    if border.misfit(n, by).is_some() {
        fail!("stft", "a signal of {n} samples cannot be continued by {by} ({})", border.word(); help = "a shorter `n`, `Border::Constant(0.0)` or `.not_centered()` can");
    }
    let around: Vec<(usize, usize)> = (0..=axis).map(|i| if i == axis { (by, by) } else { (0, 0) }).collect();
    x.pad_with(&around, border)
}

/// The signal of a short-time Fourier transform: the pieces, each times the window, added up and divided by the sum of the squared
/// windows. With the settings of [`stft`] it gives the signal back, but for an end that no whole piece covered; [`istft_to`] says its length.
/// Of a transform of two sides the first half is read, as in PyTorch: the signal is real.
///
/// * Shape: `[.., frequencies, frames, 2] → [.., n]`, floats only.   * Gradient: that of its parts.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let x = Tensor::randn([2, 64]);
/// let how = Stft::new(16).hop(4).window(&SignalWindow::Hann.periodic(16));
/// assert_close!(istft(&stft(&x, &how), &how), x);
/// ```
/// # Panics
/// When a setting is not possible, the transform has another number of frequencies, or the squared windows leave a sample at 0, which
/// cannot be told then. Source: Griffin and Lim, *Signal estimation from modified short-time Fourier transform* (1984).
#[track_caller]
pub fn istft(z: &Tensor, how: &Stft) -> Tensor {
    inverse(z, how, None)
}

/// [`istft`] of a length: the signal is cut, or filled with zeros where no piece reaches.
///
/// * Shape: `[.., frequencies, frames, 2] → [.., length]`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// # use mapsto_fft::*;
/// let x = Tensor::randn([66]);
/// let how = Stft::new(16).hop(4).window(&SignalWindow::Hann.periodic(16));
/// assert_close!(istft_to(&stft(&x, &how), &how, 66), x);
/// ```
/// # Panics
/// As [`istft`].
#[track_caller]
pub fn istft_to(z: &Tensor, how: &Stft, length: usize) -> Tensor {
    inverse(z, how, Some(length))
}

#[track_caller]
fn inverse(z: &Tensor, how: &Stft, length: Option<usize>) -> Tensor {
    let (n, hop, frequencies) = (how.n, how.step(), how.frequencies());
    let frames = match signal("istft", z) {
        [.., f, frames] if *f == frequencies && *frames > 0 => *frames,
        shape => {
            fail!("istft", "[.., {frequencies}, frames] of at least one frame is needed, this is {shape:?}";
                       help = "`n` and `two_sided` must be those of the `stft`")
        }
    };
    let weights = how.weights("istft", z);
    let length_of_window = how.win_length.unwrap_or(n);
    if hop > length_of_window {
        fail!("istft", "windows of {length_of_window} samples every {hop} leave gaps"; help = "a step of at most {length_of_window} is needed");
    }
    let by = Transform::new().n(n).norm(how.norm);
    let z = z.swap(-2, -3); // [.., frames, frequencies, 2]
    let pieces = irfft_with(&z.slice(-2, ..n / 2 + 1), by);
    let signal = overlapped(&(pieces * &weights), hop); // [.., whole]
    let squares = weights.square().unsqueeze(0).expand([frames, n]);
    let envelope = overlapped(&squares, hop);
    let whole = n + hop * (frames - 1);
    let start = if how.centered { n / 2 } else { 0 };
    let end = match length {
        Some(length) => start + length,
        None if how.centered => whole - n / 2,
        None => whole,
    };
    let until = end.clamp(start, whole.max(start));
    let cut = |x: &Tensor| x.slice(-1, start.min(whole)..until.min(whole));
    let envelope = cut(&envelope);
    if envelope.device().backend().has_numbers() {
        let sizes = envelope.detach().to(DType::F64).to_vec::<f64>();
        if let Some((i, v)) = sizes.iter().enumerate().find(|(_, v)| v.is_nan() || v.abs() <= 1e-11) {
            fail!("istft", "the squared windows add up to {v} at sample {i}, which cannot be told";
                  help = "a smaller step, a window that is not 0 there, or pieces that are centred");
        }
    }
    let y = cut(&signal) / envelope;
    let missing = end - start - y.shape()[y.rank() - 1];
    let around: Vec<(usize, usize)> =
        (0..y.rank()).map(|i| (0, if i + 1 == y.rank() { missing } else { 0 })).collect();
    if missing > 0 { y.pad(&around, 0.0) } else { y }
}

/// Pieces `[.., frames, n]` added up, each `hop` samples after the one before.
#[track_caller]
fn overlapped(pieces: &Tensor, hop: usize) -> Tensor {
    let rank = pieces.rank();
    let (frames, n) = (pieces.shape()[rank - 2], pieces.shape()[rank - 1]);
    let places: Vec<i64> = (0..frames).flat_map(|t| (0..n).map(move |i| (t * hop + i) as i64)).collect();
    let mut shape = pieces.shape()[..rank - 1].to_vec();
    shape[rank - 2] = frames * n;
    let flat = pieces.reshape(&shape[..]);
    shape[rank - 2] = n + hop * (frames - 1);
    pieces.device().scope(|| {
        let zeros = Tensor::full_of(&shape[..], 0.0, pieces.dtype());
        zeros.index_add(rank - 2, &Tensor::from_vec(places, frames * n), &flat)
    })
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    fn hann(n: usize) -> Tensor {
        SignalWindow::Hann.periodic_of(n, DType::F64)
    }

    #[test]
    fn the_signal_comes_back_and_so_do_derivatives() {
        seed(4);
        let x = Tensor::randn([2, 50]).to(DType::F64);
        for border in [Border::Reflect, Border::Constant(0.0), Border::Replicate, Border::Circular] {
            for how in [
                Stft::new(16).hop(4).window(&hann(16)),
                Stft::new(15).hop(3).window(&hann(11)).win_length(11).normalized(),
                Stft::new(8).two_sided(),
            ] {
                let how = how.border(border);
                let y = istft_to(&stft(&x, &how), &how, 50);
                assert_tensors_close(&y, &x, 1e-12, 0.0, &format!("{how:?}"));
            }
        }
        let how = |x: &Tensor| Stft::new(4).hop(2).window(&hann(4).to(x.dtype()).to_device(x.device()));
        check(move |x| stft(x, &how(x))).shapes([&[2, 7]]).on(floats(-2.0..2.0));
        check(move |z| istft(z, &how(z))).shapes([&[3, 4, 2]]).on(floats(-2.0..2.0));
        let w = hann(4).leaf();
        let loss =
            |w: &Tensor| stft(&Tensor::arange(0..9).to(DType::F64), &Stft::new(4).window(w)).square().sum(..);
        let g = loss(&w).backward().of(&w).clone();
        let up = Tensor::from_slice(&[0.0, 1e-6, 0.0, 0.0], 4);
        let numeric = (loss(&(hann(4) + &up)).item() - loss(&(hann(4) - &up)).item()) / 2e-6;
        assert!((g.to_vec::<f64>()[1] / numeric - 1.0).abs() < 1e-6, "{g} {numeric}");
    }

    #[test]
    fn settings_that_do_not_fit_are_named() {
        let x = Tensor::ones([6]);
        let said = |how: Stft| catch(|| stft(&x, &how)).unwrap_err().message().to_string();
        assert_eq!(said(Stft::new(0)), "stft: pieces of 0 samples every 0");
        assert_eq!(said(Stft::new(4).hop(0)), "stft: pieces of 4 samples every 0");
        assert_eq!(said(Stft::new(4).win_length(5)), "stft: a window of 5 samples for pieces of 4");
        assert_eq!(
            said(Stft::new(4).window(&Tensor::ones([3]))),
            "stft: the window is [3] of f32, [4] of f32 is needed"
        );
        assert_eq!(said(Stft::new(8).not_centered()), "stft: pieces of 8 samples do not fit a signal of 6");
        assert_eq!(said(Stft::new(12)), "stft: a signal of 6 samples cannot be continued by 6 (reflect)");
        let back = |z: &Tensor, how: Stft| catch(|| istft(z, &how)).unwrap_err().message().to_string();
        let z = Tensor::ones([3, 5, 2]);
        assert_eq!(
            back(&z, Stft::new(6)),
            "istft: [.., 4, frames] of at least one frame is needed, this is [3, 5]"
        );
        assert_eq!(back(&z, Stft::new(4).hop(5)), "istft: windows of 4 samples every 5 leave gaps");
        assert_eq!(
            back(&z, Stft::new(4).hop(4).window(&SignalWindow::Hann.periodic(4)).not_centered()),
            "istft: the squared windows add up to 0 at sample 0, which cannot be told"
        );
    }
}
