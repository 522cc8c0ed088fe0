//! Fractional max pooling: windows at random places shrink an image by any factor.

use super::LayerKind;
use crate::pooling::{by_all, places, positive};
use crate::{Layer, Module, budget};
use mapsto_spec::{Args, Entry};
use mapsto_tensor::ops::PerAxis;
use mapsto_tensor::{Result, Tensor, fail, is_training};

/// The maximum of each of so many windows, `[h', w']`, that lie at places drawn for each sample and channel:
/// window `i` of `n` begins at `⌊(i + u)·α⌋ − ⌊u·α⌋` with `α = (size − kernel)/(n − 1)` and `u` uniform in 0..1, and the last one at the end.
///
/// Outside of training there is no draw: `u` is ½, so that the same input gives the same output.
///
/// * Shape: `[n, c, h, w] → [n, c, h', w']`; three axes likewise.
/// * The gradient goes to the first maximum of a window.
/// * PyTorch: `FractionalMaxPool2d`, `FractionalMaxPool3d`, which draw in inference too; Keras has none.
///
/// Source: Graham (2014), Fractional max-pooling, arXiv:1412.6071, section 2, the pseudorandom kind.
/// ```
/// use mapsto_nn::prelude::*;
/// let layer = FractionalMaxPool2d::new(2, [5, 5]);
/// let y = train(|| layer.forward(&Tensor::randn([2, 3, 8, 8])));
/// assert_eq!(y.shape(), [2, 3, 5, 5]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct FractionalMaxPool<const N: usize> {
    #[module(skip)]
    kernel: [usize; N],
    #[module(skip)]
    windows: [usize; N],
}

/// Fractional max pooling of images, `[n, c, h, w]`.
pub type FractionalMaxPool2d = FractionalMaxPool<2>;
/// Fractional max pooling of volumes, `[n, c, d, h, w]`.
pub type FractionalMaxPool3d = FractionalMaxPool<3>;

const NAMES: [&str; 4] = ["", "", "fractional_max_pool2d", "fractional_max_pool3d"];

impl<const N: usize> FractionalMaxPool<N> {
    /// Windows of the size `kernel`, so many along each axis.
    ///
    /// # Panics
    /// When a side is 0, or there are no windows.
    #[track_caller]
    pub fn new(kernel: impl Into<PerAxis<N>>, windows: impl Into<PerAxis<N>>) -> FractionalMaxPool<N> {
        const { assert!(N == 2 || N == 3) }
        FractionalMaxPool {
            kernel: positive(NAMES[N], "kernel", kernel),
            windows: positive(NAMES[N], "windows", windows),
        }
    }

    /// The same with given draws `u`, `[n, c, N]`, the first one for the first axis of places. PyTorch: `_random_samples`, whose draws for images are
    /// in the other order.
    ///
    /// # Panics
    /// When the shapes do not fit, or the input has fewer places than windows and their size need.
    #[track_caller]
    pub fn forward_at(&self, x: &Tensor, u: &Tensor) -> Tensor {
        let name = NAMES[N];
        if x.rank() != N + 2 {
            fail!(name, "an input of {} axes was expected, found {:?}", N + 2, x.shape());
        }
        let (n, c) = (x.shape()[0], x.shape()[1]);
        if u.shape() != [n, c, N] {
            fail!(name, "draws {:?} were expected, found {:?}", [n, c, N], u.shape());
        }
        let sizes: [usize; N] = std::array::from_fn(|d| x.shape()[2 + d]);
        if let Some(wrong) = self.misfit(&sizes) {
            fail!(name, "{wrong}: the input is {:?}", x.shape());
        }
        let (per_window, count): (usize, usize) =
            (self.kernel.iter().product(), self.windows.iter().product());
        let draws: Vec<f64> = u.detach().to(mapsto_tensor::DType::F64).to_vec();
        let mut index: Vec<i64> = Vec::with_capacity(n * c * per_window * count);
        for u in draws.chunks(N) {
            let starts: [Vec<usize>; N] =
                std::array::from_fn(|d| begins(u[d], sizes[d], self.kernel[d], self.windows[d]));
            for window in 0..count {
                let at = digits(window, &self.windows);
                for inside in 0..per_window {
                    let within = digits(inside, &self.kernel);
                    let place = (0..N).fold(0, |place, d| place * sizes[d] + starts[d][at[d]] + within[d]);
                    index.push(place as i64);
                }
            }
        }
        let index = Tensor::from_vec(index, [n, c, count * per_window]).to_device(x.device());
        let found = x.flatten(2).gather(2, &index).reshape([n, c, count, per_window]);
        let first = found.detach().argmax(-1).unsqueeze(-1);
        found.gather(-1, &first).reshape(&[&[n, c][..], &self.windows].concat()[..])
    }

    /// What is wrong with an input of these sizes.
    fn misfit(&self, sizes: &[usize; N]) -> Option<String> {
        let d = (0..N).find(|&d| {
            let (size, kernel, windows) = (sizes[d], self.kernel[d], self.windows[d]);
            size.saturating_add(1) < kernel.saturating_add(windows)
        })?;
        let (size, kernel, windows) = (sizes[d], self.kernel[d], self.windows[d]);
        Some(format!(
            "{windows} windows of {kernel} need at least {} places, there are {size}",
            windows.saturating_add(kernel) - 1
        ))
    }
}

/// The first place of each window along one axis.
fn begins(u: f64, size: usize, kernel: usize, windows: usize) -> Vec<usize> {
    let last = size - kernel;
    if windows == 1 {
        return vec![last];
    }
    let alpha = last as f64 / (windows - 1) as f64;
    let at = |i: usize| ((i as f64 + u) * alpha) as usize - (u * alpha) as usize;
    (0..windows).map(|i| if i + 1 == windows { last } else { at(i).min(last) }).collect()
}

/// The position `i` along axes of these sizes.
fn digits<const N: usize>(mut i: usize, sizes: &[usize; N]) -> [usize; N] {
    let mut at = [0; N];
    for d in (0..N).rev() {
        at[d] = i % sizes[d];
        i /= sizes[d];
    }
    at
}

impl<const N: usize> Layer for FractionalMaxPool<N> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if x.rank() != N + 2 {
            fail!(NAMES[N], "an input of {} axes was expected, found {:?}", N + 2, x.shape());
        }
        let shape = [x.shape()[0], x.shape()[1], N];
        if x.device() == mapsto_tensor::Device::shape() {
            // Without numbers there is nothing to be compared.
            let sizes: [usize; N] = std::array::from_fn(|d| x.shape()[2 + d]);
            if let Some(wrong) = self.misfit(&sizes) {
                fail!(NAMES[N], "{wrong}: the input is {:?}", x.shape());
            }
            return x
                .device()
                .scope(|| Tensor::full_of(&[&x.shape()[..2], &self.windows].concat()[..], 0.0, x.dtype()));
        }
        let u = if is_training() { Tensor::rand(shape) } else { Tensor::full(shape, 0.5) };
        self.forward_at(x, &u)
    }

    fn describe(&self) -> String {
        format!("FractionalMaxPool{N}d({}, {} windows)", by_all(&self.kernel), by_all(&self.windows))
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(NAMES[N]).with_value(self.kernel).with_option("windows", self.windows))
    }
}

const fn kind<const N: usize>(doc: &'static str, example: fn() -> Entry) -> LayerKind {
    LayerKind::new(["", "", "fractional_max_pool2d", "fractional_max_pool3d"][N], doc, build::<N>)
        .options(&[
            ("", "the size of a window along each axis"),
            ("windows", "the number of windows along each axis, the size of the output"),
        ])
        .example(example)
}

fn build<const N: usize>(args: &mut Args, input: &[usize]) -> Result<Box<dyn Layer>> {
    let kernel: [usize; N] = args.main()?;
    let windows: [usize; N] = args.required("windows")?;
    if kernel.contains(&0) || windows.contains(&0) {
        return Err(args.error("windows", "a window and the number of windows are at least 1"));
    }
    let (channels, sizes) = places::<N>(args, input)?;
    let layer = FractionalMaxPool { kernel, windows };
    if let Some(wrong) = layer.misfit(&sizes) {
        return Err(args.misfit("", wrong));
    }
    budget::output(args, &[&[channels][..], &windows, &kernel].concat())?;
    Ok(Box::new(layer))
}

pub(super) const KIND_2D: LayerKind =
    kind::<2>("The maxima of so many windows at random places of an image.", || {
        Entry::new("fractional_max_pool2d").with_value(2_usize).with_option("windows", 3_usize)
    });
pub(super) const KIND_3D: LayerKind =
    kind::<3>("The maxima of so many windows at random places of a volume.", || {
        Entry::new("fractional_max_pool3d").with_value(1_usize).with_option("windows", 2_usize)
    });

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn fractional_max_pools() {
        check_layer(|| FractionalMaxPool2d::new([2, 3], [3, 2])).gives([2, 2, 5, 6], [2, 2, 3, 2]);
        check_layer(|| FractionalMaxPool3d::new(2, [1, 2, 2])).gives([1, 2, 2, 4, 3], [1, 2, 1, 2, 2]);
        let e = catch(|| FractionalMaxPool2d::new(3, 4).forward(&Tensor::ones([1, 1, 5, 9]))).unwrap_err();
        assert_eq!(
            e.message(),
            "fractional_max_pool2d: 4 windows of 3 need at least 6 places, there are 5: the input is [1, 1, 5, 9]"
        );
        let e = catch(|| FractionalMaxPool2d::new(3, 4).forward(&Tensor::ones([5, 9]))).unwrap_err();
        assert!(e.message().contains("an input of 4 axes was expected"), "{e}");
    }

    #[test]
    fn files_have_all_settings() {
        let entry = Entry::new("fractional_max_pool2d").with_value(2_usize);
        let all = entry.clone().with_option("windows", vec![3_usize, 4]);
        check_entry::<dyn Layer>(&all, &[2, 6, 6]);
        let e = ModelSpec::new([2, 3, 6], [all]).build().err().unwrap().to_string();
        assert!(e.contains("3 windows of 2 need at least 4 places, there are 3"), "{e}");
    }

    /// PyTorch 2's `F.fractional_max_pool2d` and `3d` of the same draws: `golden/fractional.py`.
    #[test]
    fn windows_lie_where_pytorch_puts_them() {
        use crate::golden::{numbers, tensor_of};
        let mut cases = 0;
        for line in include_str!("../../golden/fractional.jsonl").lines() {
            let json = mapsto_spec::Json::parse(line).unwrap();
            let sizes = |key: &str| -> Vec<usize> {
                numbers(json.get(key).unwrap()).iter().map(|&n| n as usize).collect()
            };
            let [x, u, y, dx] = ["x", "u", "y", "dx"].map(|key| tensor_of(json.get(key).unwrap()));
            let (kernel, windows, leaf) = (sizes("kernel"), sizes("windows"), x.leaf());
            let run = || match (&kernel[..], &windows[..]) {
                (&[a, b], &[c, d]) => FractionalMaxPool2d::new([a, b], [c, d]).forward_at(&leaf, &u),
                (&[a, b, c], &[d, e, f]) => {
                    FractionalMaxPool3d::new([a, b, c], [d, e, f]).forward_at(&leaf, &u)
                }
                _ => panic!("{line}"),
            };
            let out = train(run);
            assert_close!(out.detach(), y);
            assert_close!(train(|| out.square().sum(..)).backward().of(&leaf), dx);
            cases += 1;
        }
        assert!(cases >= 10, "{cases} cases");
    }
}
