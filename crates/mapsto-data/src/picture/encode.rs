//! Pictures written: a tensor as the bytes of a PNG file.

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor};

/// The bytes of a PNG file of a picture `[h, w]`, `[1, h, w]` or `[3, h, w]` with numbers in 0 ..= 1, in 8 bits a channel; what is
/// outside of the range is cut off.
///
/// ```
/// use mapsto_data::{Color, encode_png, parse_image};
/// use mapsto_tensor::prelude::*;
/// let picture = tensor![[[0.0, 0.2], [0.4, 1.0]]];
/// assert_close!(parse_image(&encode_png(&picture)?, Color::Gray)?, picture);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// A tensor of another shape, or one that is too large for a file.
pub fn encode_png(picture: &Tensor) -> Result<Vec<u8>> {
    let (channels, h, w) = match *picture.shape() {
        [h, w] => (1, h, w),
        [c @ (1 | 3), h, w] => (c, h, w),
        _ => {
            let message = format!("no picture: {:?}", picture.shape());
            return Err(Error::new(ErrorKind::Data, message).help("pictures are [1, h, w] or [3, h, w]"));
        }
    };
    let numbers = picture.to(DType::F32).to_vec::<f32>();
    let byte = |v: f32| (v * 255.0).round().clamp(0.0, 255.0) as u8;
    let bytes: Vec<u8> = (0..h * w)
        .flat_map(|i| (0..channels).map(move |c| c * h * w + i))
        .map(|at| byte(numbers[at]))
        .collect();
    let color = if channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let wrong = |e: &dyn std::fmt::Display| Error::new(ErrorKind::Data, format!("no PNG file: {e}"));
    let (high, wide) = (u32::try_from(h).map_err(|e| wrong(&e))?, u32::try_from(w).map_err(|e| wrong(&e))?);
    let mut file = Vec::new();
    PngEncoder::new(&mut file).write_image(&bytes, wide, high, color).map_err(|e| wrong(&e))?;
    Ok(file)
}

#[test]
fn what_is_written_is_read_again() {
    let numbers: Vec<f32> = (0..60).map(|v| v as f32 / 255.0 * 4.0).collect();
    for shape in [vec![3, 4, 5], vec![1, 6, 10], vec![5, 12]] {
        let picture = Tensor::from_vec(numbers.clone(), &shape[..]);
        let color = if shape[0] == 3 { crate::Color::Rgb } else { crate::Color::Gray };
        let read = crate::parse_image(&encode_png(&picture).unwrap(), color).unwrap();
        assert_eq!(read.to_vec::<f32>(), numbers);
    }
    assert!(encode_png(&Tensor::zeros([2, 4, 4])).is_err() && encode_png(&Tensor::zeros([0, 4])).is_err());
}
