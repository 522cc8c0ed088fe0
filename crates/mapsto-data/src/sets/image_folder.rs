//! `ImageFolder`: PNG and JPEG files sorted into one folder a class, decoded when they are asked for.

use super::{SetKind, Sets};
use crate::preprocess::{Resize, Step};
use crate::{Dataset, Info, Sample};
use image::{DynamicImage, ImageReader, Limits};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Images by class: `root/cat/1.png` is of class `cat`. Classes and files are taken in the order of their names.
///
/// Files are read when a batch needs them; workers do this in the background
/// ([`Loader::workers`](crate::Loader::workers)).
///
/// * Shape: `x: [channels, h, w]`, `f32` in 0 ..= 1; `y: []`, the class id.
///
/// ```no_run
/// use mapsto_data::prelude::*;
/// let set = ImageFolder::open("pets")?.size([32, 32]);
/// println!("{} images of {:?}", set.len(), set.info().classes);
/// let loader = set.batches(64).shuffle().workers(2);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImageFolder {
    root: PathBuf,
    classes: Arc<[String]>,
    files: Arc<[(PathBuf, i64)]>,
    size: Option<[usize; 2]>,
    color: Color,
}

/// How many channels images are read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// One channel: luminance.
    Gray,
    /// Three channels: red, green, blue.
    Rgb,
}

impl ImageFolder {
    /// Lists the folder `root`; images are `Rgb` and of one size unless told otherwise.
    ///
    /// Hidden files and files that are neither `.png` nor `.jpg` / `.jpeg` are passed over.
    ///
    /// # Errors
    /// When the folder cannot be read, or holds no folders with images.
    pub fn open(root: impl AsRef<Path>) -> Result<ImageFolder> {
        let root = root.as_ref();
        let mut classes = Vec::new();
        let mut files = Vec::new();
        for folder in sorted(root)?.into_iter().filter(|path| path.is_dir()) {
            let id = classes.len() as i64;
            let images = sorted(&folder)?.into_iter().filter(|path| is_image(path));
            files.extend(images.map(|path| (path, id)));
            classes.push(name(&folder));
        }
        if files.is_empty() {
            return Err(Error::new(ErrorKind::Data, format!("{}: no images", root.display()))
                .help("put the .png and .jpg files of each class into a folder named after the class"));
        }
        let (root, classes, files) = (root.to_path_buf(), classes.into(), files.into());
        Ok(ImageFolder { root, classes, files, size: None, color: Color::Rgb })
    }

    /// Brings every image to `[height, width]`.
    pub fn size(self, size: [usize; 2]) -> ImageFolder {
        ImageFolder { size: Some(size), ..self }
    }

    /// Reads images as gray or in colour.
    pub fn color(self, color: Color) -> ImageFolder {
        ImageFolder { color, ..self }
    }

    /// The file of sample `i`.
    pub fn path(&self, i: usize) -> &Path {
        &self.files[i].0
    }
}

impl Dataset for ImageFolder {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn get(&self, i: usize) -> Result<Sample> {
        let (path, id) = &self.files[i];
        let x = read_image(path, self.color).map_err(|e| strip(e, path))?;
        let x = match self.size {
            Some(size) => Resize::new(size).apply(x.unsqueeze(0)).squeeze(0),
            None => x,
        };
        Ok(Sample { x, y: Tensor::from_slice(&[*id], ()) })
    }

    fn info(&self) -> Info {
        Info { classes: self.classes.to_vec(), ..Info::default() }
    }

    fn name(&self, i: usize) -> String {
        let path = self.path(i);
        format!("sample {i} ({})", path.strip_prefix(&self.root).unwrap_or(path).display())
    }

    fn label(&self, i: usize) -> Result<i64> {
        Ok(self.files[i].1)
    }
}

/// Reads a PNG or JPEG file: `[1, h, w]` or `[3, h, w]`, `f32` in 0 ..= 1 with 8 bits a channel; transparency is dropped.
///
/// # Errors
/// When the file cannot be read, is damaged, or would need more than 512 MiB.
pub fn read_image(path: impl AsRef<Path>, color: Color) -> Result<Tensor> {
    let path = path.as_ref();
    let mut reader = ImageReader::open(path).map_err(|e| Error::io(path, e))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(512 << 20);
    reader.limits(limits);
    let decoded = reader.with_guessed_format().map_err(|e| Error::io(path, e))?.decode();
    let image = decoded.map_err(|e| {
        Error::new(ErrorKind::Data, format!("{}: {}", path.display(), first_lower(&e.to_string())))
            .help("the file is damaged, or not the PNG or JPEG its name says")
    })?;
    let (h, w) = (image.height() as usize, image.width() as usize);
    let (channels, bytes) = match (color, image) {
        (Color::Gray, image) => (1, image.into_luma8().into_raw()),
        (Color::Rgb, DynamicImage::ImageRgb8(image)) => (3, image.into_raw()),
        (Color::Rgb, image) => (3, image.into_rgb8().into_raw()),
    };
    Ok(Tensor::filled_by::<f32>([channels, h, w], |to| {
        // [h, w, c] → [c, h, w]
        for (c, plane) in to.chunks_exact_mut(h * w).enumerate() {
            for (pixel, out) in bytes.chunks_exact(channels).zip(plane) {
                *out = f32::from(pixel[c]) / 255.0;
            }
        }
    }))
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |e| Error::io(folder, e);
    let mut paths = std::fs::read_dir(folder)
        .map_err(io)?
        .map(|entry| Ok(entry.map_err(io)?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.retain(|path| !name(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["png", "jpg", "jpeg"].contains(&extension.as_str())
}

/// Sample names already say the path within the folder.
fn strip(e: Error, path: &Path) -> Error {
    let prefix = format!("{}: ", path.display());
    match e.message().strip_prefix(&prefix) {
        Some(message) => {
            Error::new(e.kind(), message).help(e.help_text().unwrap_or("does the file still exist?"))
        }
        None => e,
    }
}

fn first_lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

pub(super) const KIND: SetKind = SetKind {
    name: "images",
    doc: "a folder of PNG and JPEG files, one folder a class; with `train` and `test` folders where it has both",
    build: |args| {
        let root = PathBuf::from(args.required::<String>("path")?);
        let color = match args.get_or("color", "rgb".to_string())?.as_str() {
            "rgb" => Color::Rgb,
            "gray" => Color::Gray,
            other => {
                return Err(args.error("color", format!("color `{other}` is neither \"rgb\" nor \"gray\"")));
            }
        };
        let size = args.optional::<[usize; 2]>("size")?;
        if size.is_some_and(|size| size.contains(&0)) {
            return Err(args.error("size", "an image of size 0 has no pixels"));
        }
        let open = |path: &Path| Ok(ImageFolder { size, ..ImageFolder::open(path)?.color(color) });
        let (train, test) = (root.join("train"), root.join("test"));
        if !(train.is_dir() && test.is_dir()) {
            return Ok(Sets { train: Arc::new(open(&root)?), test: None });
        }
        let (train, test) = (open(&train)?, open(&test)?);
        if train.classes != test.classes {
            let message = format!(
                "{}: the classes of `train` are {:?}, those of `test` {:?}",
                root.display(),
                train.classes,
                test.classes
            );
            return Err(Error::new(ErrorKind::Data, message));
        }
        Ok(Sets { train: Arc::new(train), test: Some(Arc::new(test)) })
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgb, RgbImage};
    use mapsto_tensor::random::Keyed;

    /// A folder of two classes: `dark/0.png` (gray 51), `light/a.png` and `light/b.jpg` (4 × 2 pixels each).
    fn folder(test: &str) -> PathBuf {
        let root = std::env::temp_dir().join(format!("mapsto-images-{test}-{}", std::process::id()));
        for class in ["light", "dark"] {
            std::fs::create_dir_all(root.join(class)).unwrap();
        }
        GrayImage::from_pixel(4, 2, Luma([51])).save(root.join("dark/0.png")).unwrap();
        RgbImage::from_fn(4, 2, |x, _| Rgb([255, (x * 51) as u8, 0])).save(root.join("light/a.png")).unwrap();
        RgbImage::from_pixel(4, 2, Rgb([204, 204, 204])).save(root.join("light/b.jpg")).unwrap();
        std::fs::write(root.join("light/notes.txt"), "passed over").unwrap();
        root
    }

    #[test]
    fn folders_are_classes() {
        let root = folder("classes");
        let set = ImageFolder::open(&root).unwrap();
        assert_eq!((set.len(), set.info().classes), (3, vec!["dark".into(), "light".into()]));
        assert_eq!([0, 1, 2].map(|i| set.label(i).unwrap()), [0, 1, 1]);
        let (x, y) = set.batch(&[1, 0]).unwrap();
        assert_eq!((x.shape(), y.to_vec::<i64>()), (&[2, 3, 2, 4][..], vec![1, 0]));
        let x = x.to_vec::<f32>();
        assert_eq!(x[..4], [1.0; 4]);
        assert_eq!(x[8..12], [0.0, 0.2, 0.4, 0.6]);
        assert_eq!(x[24..], [0.2; 24]);
        let gray = set.color(Color::Gray).size([3, 3]);
        assert_eq!(gray.get(0).unwrap().x.shape(), [1, 3, 3]);
        assert!((gray.get(2).unwrap().x.to_vec::<f32>()[4] - 0.8).abs() < 0.02, "JPEG is not exact");
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn damage_is_named_by_sample_and_file_and_never_panics() {
        let root = folder("damage");
        let set = ImageFolder::open(&root).unwrap();
        for (i, file) in ["dark/0.png", "light/a.png", "light/b.jpg"].into_iter().enumerate() {
            let good = std::fs::read(root.join(file)).unwrap();
            std::fs::write(root.join(file), &good[..good.len() / 2]).unwrap();
            let e = set.batch(&[i]).err().unwrap();
            assert!(e.message().starts_with(&format!("sample {i} ({file}): ")), "{e}");
            for round in 0..100 {
                let mut key = Keyed::new(&[round, 3]);
                let mut bytes = good.clone();
                for _ in 0..=key.below(3) {
                    let at = key.below(bytes.len());
                    bytes[at] = key.below(256) as u8;
                }
                std::fs::write(root.join(file), &bytes).unwrap();
                // A changed size or a changed pixel is no error in itself; a panic would be.
                if let Err(e) = read_image(root.join(file), Color::Rgb) {
                    assert_eq!(e.kind(), ErrorKind::Data, "{e}");
                }
            }
        }
        assert!(ImageFolder::open(root.join("light")).is_err());
        assert!(ImageFolder::open(root.join("none")).is_err());
        std::fs::remove_dir_all(root).unwrap();
    }
}
