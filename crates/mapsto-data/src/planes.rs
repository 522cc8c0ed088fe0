//! The loop that image transforms share: over the images of a batch and the planes of an image.

use crate::preprocess::floats;
use crate::transforms::SampleKey;
use mapsto_tensor::{Tensor, fail};

/// A batch with each image changed on its own.
///
/// `x: [n, .., h, w]` becomes `[n, .., size]` (`f32`). `start` draws what is random about an image and returns what
/// changes each of its planes, from `h · w` numbers to all of the numbers of the new size.
#[track_caller]
pub(crate) fn each_image<G: FnMut(&[f32], &mut [f32])>(
    name: &str,
    x: Tensor,
    keys: &[SampleKey],
    size: [usize; 2],
    start: impl Fn(SampleKey) -> G,
) -> Tensor {
    let [h, w] = image_size(name, &x);
    let x = floats(x);
    let mut shape = x.shape().to_vec();
    let rank = shape.len();
    shape[rank - 2..].copy_from_slice(&size);
    let planes: usize = shape[1..rank - 2].iter().product();
    let from = x.as_slice::<f32>().expect("contiguous f32 on the host");
    Tensor::filled_by::<f32>(shape, |to| {
        for (image, &key) in keys.iter().enumerate() {
            let mut change = start(key);
            for plane in image * planes..(image + 1) * planes {
                change(
                    &from[plane * h * w..(plane + 1) * h * w],
                    &mut to[plane * size[0] * size[1]..(plane + 1) * size[0] * size[1]],
                );
            }
        }
    })
}

/// Height and width of the images in a batch `[n, .., h, w]`.
#[track_caller]
pub(crate) fn image_size(name: &str, x: &Tensor) -> [usize; 2] {
    match *x.shape() {
        [_, .., h, w] if x.rank() >= 3 => [h, w],
        _ => {
            fail!(name, "not a batch of images: {:?}", x.shape(); help = "images are [channels, height, width]")
        }
    }
}

/// One sample `[.., h, w]` through a transform of batches.
pub(crate) fn single(x: Tensor, batch: impl FnOnce(Tensor) -> Tensor) -> Tensor {
    batch(x.unsqueeze(0)).squeeze(0)
}
