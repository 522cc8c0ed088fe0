//! `GaussianBlur`: smooths a picture, more or less, or not at all.

use super::{SampleKey, Transform, TransformKind};
use crate::planes::single;
use crate::retouch::{blur, each_picture};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, fail};

/// Smooths a picture by a Gaussian window of `kernel` × `kernel` pixels, whose standard deviation is uniform in `sigma`, with probability
/// `p`. The picture goes on mirrored beyond its edges.
///
/// * Shape: `[.., h, w] → [.., h, w]`.   * Units: numbers in 0 ..= 1, pixels.   * torchvision: `GaussianBlur`.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
/// let y = GaussianBlur::new(3).sigma([1.0, 1.0]).apply(tensor![[[0.0, 0.0, 1.0, 0.0, 0.0]]], key);
/// assert_close!(y, [[[0.0, 0.27406862, 0.45186276, 0.27406862, 0.0]]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct GaussianBlur {
    kernel: usize,
    sigma: [f64; 2],
    p: f64,
}

impl GaussianBlur {
    /// With a window of `kernel` pixels and a standard deviation in 0.1 ..= 2, every time.
    ///
    /// # Panics
    /// When `kernel` is not odd, or larger than 255.
    #[track_caller]
    pub fn new(kernel: usize) -> GaussianBlur {
        if let Some(wrong) = complaint(kernel, [1.0, 1.0]) {
            fail!("gaussian_blur", "{wrong}");
        }
        GaussianBlur { kernel, sigma: [0.1, 2.0], p: 1.0 }
    }

    /// With a standard deviation between these, in pixels.
    ///
    /// # Panics
    /// When they are not above 0, or the first is larger.
    #[track_caller]
    #[must_use]
    pub fn sigma(self, sigma: [f64; 2]) -> GaussianBlur {
        if let Some(wrong) = complaint(self.kernel, sigma) {
            fail!("gaussian_blur", "{wrong}");
        }
        GaussianBlur { sigma, ..self }
    }

    /// With probability `p`.
    ///
    /// # Panics
    /// When `p` is not in 0 ..= 1.
    #[track_caller]
    #[must_use]
    pub fn probability(self, p: f64) -> GaussianBlur {
        GaussianBlur { p: Bounds::UP_TO_1.check(KIND.name, "probability", p), ..self }
    }
}

fn complaint(kernel: usize, [least, most]: [f64; 2]) -> Option<String> {
    if kernel.is_multiple_of(2) || kernel > 255 {
        return Some(format!("gaussian_blur has a window of 1, 3, 5, .. 255 pixels, got {kernel}"));
    }
    let fits = Bounds::ABOVE_0.hold(least) && Bounds::ABOVE_0.hold(most) && least <= most;
    (!fits).then(|| {
        format!("gaussian_blur: sigma must go from above 0 to as much or more, got [{least}, {most}]")
    })
}

impl Transform for GaussianBlur {
    fn name(&self) -> &str {
        KIND.name
    }

    fn apply(&self, x: Tensor, key: SampleKey) -> Tensor {
        single(x, |x| self.apply_batch(x, &[key]))
    }

    fn apply_batch(&self, x: Tensor, keys: &[SampleKey]) -> Tensor {
        each_picture(KIND.name, x, keys, |random, picture| {
            let sigma = random.uniform(self.sigma[0], self.sigma[1]);
            if random.bernoulli(self.p) {
                blur(picture, self.kernel, sigma);
            }
        })
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_value(self.kernel).with_option("sigma", self.sigma.to_vec());
        Some(entry.with_option("probability", self.p))
    }
}

pub(super) const KIND: TransformKind = TransformKind::new(
    "gaussian_blur",
    "Smooths a picture by a Gaussian window of the given size.",
    |args, ()| {
        let kernel = args.main_or(3_usize)?;
        let sigma = args.get_or("sigma", vec![0.1, 2.0])?;
        let Ok(sigma) = <[f64; 2]>::try_from(sigma.clone()) else {
            return Err(args.error("sigma", format!("sigma should be a pair of numbers, got {sigma:?}")));
        };
        if let Some(wrong) = complaint(kernel, [1.0, 1.0]) {
            return Err(args.error("", wrong));
        }
        if let Some(wrong) = complaint(kernel, sigma) {
            return Err(args.error("sigma", wrong));
        }
        let p = Bounds::UP_TO_1.option(args, "probability", 1.0)?;
        Ok(Box::new(GaussianBlur::new(kernel).sigma(sigma).probability(p)))
    },
)
.options(&[
    ("", "the height and width of the window, an odd number"),
    ("sigma", "the least and the largest standard deviation, in pixels"),
    ("probability", "how often it happens"),
]);

#[test]
fn more_of_it_is_smoother() {
    let x = Tensor::from_vec((0..49).map(|i| ((i * 5) % 7) as f32 / 7.0).collect::<Vec<f32>>(), [1, 7, 7]);
    let spread = |sigma| {
        let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
        let y = GaussianBlur::new(5).sigma([sigma, sigma]).apply(x.clone(), key).to_vec::<f32>();
        let mean = y.iter().sum::<f32>() / 49.0;
        y.iter().map(|v| (v - mean).powi(2)).sum::<f32>()
    };
    assert!(spread(0.05) > spread(0.7) && spread(0.7) > spread(2.0));
    // A window that is larger than the picture goes on mirrored, again and again.
    let key = SampleKey { seed: 1, epoch: 0, sample: 0, place: 0 };
    let one = GaussianBlur::new(9).apply(Tensor::full([1, 1, 2], 0.5), key).to_vec::<f32>();
    assert!(one.iter().all(|v| (v - 0.5).abs() < 1e-6), "{one:?}");
}
