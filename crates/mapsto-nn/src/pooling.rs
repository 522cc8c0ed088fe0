//! What the pooling layers share: how their windows are read from a model file, and how they are spoken of.

use crate::layers::{by, image};
use mapsto_spec::{Args, Entry};
use mapsto_tensor::Result;
use mapsto_tensor::ops::Pool2d;

/// The windows of an entry such as `{ max_pool2d = 3, stride = 2, padding = 1 }`, which must fit the image.
pub(crate) fn read(args: &mut Args, input: &[usize]) -> Result<Pool2d> {
    let kernel: [usize; 2] = args.main()?;
    let stride: [usize; 2] = args.optional("stride")?.unwrap_or(kernel);
    args.record("stride", stride);
    let padding: [usize; 2] = args.get_or("padding", [0, 0])?;
    let [_, h, w] = image(args, input)?;
    if kernel.contains(&0) || stride.contains(&0) {
        return Err(args.error("stride", "a window and its stride are at least 1"));
    }
    for (size, kernel, padding) in [(h, kernel[0], padding[0]), (w, kernel[1], padding[1])] {
        if padding > kernel / 2 {
            return Err(args.error(
                "padding",
                format!("a padding of {padding} is more than half the window of {kernel}"),
            ));
        }
        if kernel > size.saturating_add(padding).saturating_add(padding) {
            return Err(
                args.misfit("", format!("a window of {kernel} does not fit the image {input:?} of {size}"))
            );
        }
    }
    Ok(Pool2d::new(kernel).stride(stride).padding(padding))
}

/// `MaxPool2d(3×3, stride 2×2, padding 1×1)`, without what is as usual.
pub(crate) fn spoken(name: &str, pool: &Pool2d) -> String {
    let Pool2d { kernel, stride, padding, .. } = *pool;
    let stride = if stride == kernel { String::new() } else { format!(", stride {}", by(stride)) };
    let padding = if padding == [0, 0] { String::new() } else { format!(", padding {}", by(padding)) };
    format!("{name}({}{stride}{padding})", by(kernel))
}

/// The entry of a pooling layer.
pub(crate) fn entry(name: &str, pool: &Pool2d) -> Entry {
    let Pool2d { kernel, stride, padding, .. } = *pool;
    Entry::new(name).with_value(kernel).with_option("stride", stride).with_option("padding", padding)
}
