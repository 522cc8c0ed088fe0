//! `ImageFolder`: pictures sorted into one folder a class, decoded when they are asked for.

use super::SetKind;
use crate::image_parts;
use crate::picture::{Color, KINDS, PICTURE_ENDINGS, START, is_picture_name, read_image, starts_as_picture};
use crate::preprocess::{Resize, Step, complaint};
use crate::{Dataset, Info, Sample};
use mapsto_spec::Entry;
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};
use std::io::Read;
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
/// set.left_out().iter().for_each(|what| println!("{what}"));
/// let loader = set.batches(64).shuffle().workers(2);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImageFolder {
    root: PathBuf,
    classes: Arc<[String]>,
    files: Arc<[(PathBuf, i64)]>,
    left_out: Arc<[String]>,
    size: Option<[usize; 2]>,
    color: Color,
}

impl ImageFolder {
    /// Lists the folder `root`; images are `Rgb` and of one size unless told otherwise.
    ///
    /// Images lie directly in the folder of their class. Whatever else there is, is left out and counted by
    /// [`left_out`](ImageFolder::left_out): hidden files, files that are no pictures by
    /// their names ([`is_picture_name`]), files beside the classes, folders inside a class.
    ///
    /// # Errors
    /// When a folder cannot be read, a class has no images, or files named like images are not images.
    pub fn open(root: impl AsRef<Path>) -> Result<ImageFolder> {
        let root = root.as_ref();
        if let Some(e) = image_parts::in_place_of_classes(root)? {
            return Err(e);
        }
        let mut classes = Vec::new();
        let mut files = Vec::new();
        let mut left = LeftOut::default();
        let mut broken = Vec::new();
        for folder in entries(root)? {
            if is_hidden(&folder) {
                left.hidden.push(below(root, &folder));
                continue;
            }
            if !folder.is_dir() {
                left.beside.push(below(root, &folder));
                continue;
            }
            let (before, mut deeper) = (files.len(), 0);
            for path in entries(&folder)? {
                let name = below(root, &path);
                if is_hidden(&path) {
                    left.hidden.push(name);
                } else if path.is_dir() {
                    let images = images_below(&path)?;
                    deeper += images;
                    left.images_deeper += images;
                    left.deeper.push(name);
                } else if !(has_image_name(&path) && path.is_file()) {
                    left.others.push(name);
                } else if is_picture_inside(&path)? {
                    files.push((path, classes.len() as i64));
                } else {
                    broken.push(name);
                }
            }
            if files.len() == before && broken.is_empty() {
                return Err(empty(&folder, deeper));
            }
            // Two names that no text can hold would be the same in every report.
            if folder.file_name().is_some_and(|name| name.to_str().is_none()) {
                let message = format!("{}: the name of this class is not UTF-8", folder.display());
                return Err(Error::new(ErrorKind::Data, message)
                    .help("rename the folder: the class is called as it is"));
            }
            classes.push(name(&folder));
        }
        if !broken.is_empty() {
            let message = format!(
                "{}: {} of {} images are neither {KINDS} inside: {}",
                root.display(),
                broken.len(),
                broken.len() + files.len(),
                some(&broken)
            );
            return Err(Error::new(ErrorKind::Data, message).help("copy them again, or remove them"));
        }
        if classes.is_empty() {
            return Err(Error::new(ErrorKind::Data, format!("{}: no images in folders", root.display()))
                .help("put the pictures of each class into a folder named after the class"));
        }
        let (root, classes, files) = (root.to_path_buf(), classes.into(), files.into());
        Ok(ImageFolder { root, classes, files, left_out: left.said().into(), size: None, color: Color::Rgb })
    }

    /// What lies in the folder and is not read, one line for each kind: how many there are, and their names.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Brings every image to `[height, width]`.
    ///
    /// # Panics
    /// As [`Resize::new`].
    #[must_use]
    #[track_caller]
    pub fn size(self, size: [usize; 2]) -> ImageFolder {
        _ = Resize::new(size);
        ImageFolder { size: Some(size), ..self }
    }

    /// Reads images as gray or in colour.
    #[must_use]
    pub fn color(self, color: Color) -> ImageFolder {
        ImageFolder { color, ..self }
    }

    /// The same pictures, their classes counted as another folder counts them.
    ///
    /// # Errors
    /// A class that the other does not have.
    pub(crate) fn counted_as(self, other: &ImageFolder) -> Result<ImageFolder> {
        let place = |class: &String| other.classes.iter().position(|known| known == class);
        let places: Vec<Option<usize>> = self.classes.iter().map(place).collect();
        let unknown: Vec<String> =
            self.classes.iter().zip(&places).filter(|(_, at)| at.is_none()).map(|(c, _)| c.clone()).collect();
        if !unknown.is_empty() {
            let message = format!(
                "{}: there are classes that {} does not have: {}",
                self.root.display(),
                other.root.display(),
                some(&unknown)
            );
            return Err(Error::new(ErrorKind::Data, message)
                .help("a class that is not trained on can never be right: name the folders alike"));
        }
        let files = self.files.iter().map(|(path, id)| {
            let at = places[*id as usize].unwrap_or_else(|| unreachable!("all of them were found"));
            (path.clone(), at as i64)
        });
        Ok(ImageFolder { files: files.collect(), classes: other.classes.clone(), ..self })
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

    fn range(&self) -> Option<[f64; 2]> {
        Some([0.0, 1.0])
    }

    fn label(&self, i: usize) -> Result<i64> {
        Ok(self.files[i].1)
    }
}

/// The files of a folder that are not samples, by the reason.
#[derive(Default)]
struct LeftOut {
    hidden: Vec<String>,
    beside: Vec<String>,
    others: Vec<String>,
    deeper: Vec<String>,
    images_deeper: usize,
}

impl LeftOut {
    fn said(&self) -> Vec<String> {
        let line = |names: &[String], one: &str, many: &str| {
            let what = if names.len() == 1 { one } else { many };
            (!names.is_empty()).then(|| format!("left out: {} {what}: {}", names.len(), some(names)))
        };
        let images = match self.images_deeper {
            1 => "1 image".to_string(),
            n => format!("{n} images"),
        };
        [
            line(&self.hidden, "hidden file or folder", "hidden files or folders"),
            line(&self.beside, "file beside the classes", "files beside the classes"),
            line(
                &self.others,
                &format!("file that is not {}", endings()),
                &format!("files that are not {}", endings()),
            ),
            line(
                &self.deeper,
                &format!("folder inside a class, with {images}"),
                &format!("folders inside classes, with {images}"),
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The first few names, and how many more there are.
pub(crate) fn some(names: &[String]) -> String {
    const MOST: usize = 5;
    let shown =
        names.iter().take(MOST).map(|name| name.escape_debug().to_string()).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn empty(class: &Path, deeper: usize) -> Error {
    let mut message = format!("{}: a class without images", class.display());
    if deeper > 0 {
        message += &format!("; {deeper} lie in folders below it, which are not read");
    }
    Error::new(ErrorKind::Data, message)
        .help("put the pictures of a class directly into its folder, or remove the folder")
}

/// Everything in a folder, in the order of the names.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |e| Error::io(folder, e);
    let mut paths = std::fs::read_dir(folder)
        .map_err(io)?
        .map(|entry| Ok(entry.map_err(io)?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// How many files below a folder are named like images; links to folders are not followed, since they may lead back.
pub(crate) fn images_below(folder: &Path) -> Result<usize> {
    let mut count = 0;
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            match path.is_dir() {
                true if path.is_symlink() => {}
                true => folders.push(path),
                false => count += usize::from(has_image_name(&path) && !is_hidden(&path)),
            }
        }
    }
    Ok(count)
}

pub(crate) fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn below(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

pub(crate) fn is_hidden(path: &Path) -> bool {
    name(path).starts_with('.')
}

pub(crate) fn has_image_name(path: &Path) -> bool {
    is_picture_name(path)
}

/// `.png, .jpg or .gif`
fn endings() -> String {
    let all = PICTURE_ENDINGS.map(|ending| format!(".{ending}"));
    let [first @ .., last] = &all;
    format!("{} or {last}", first.join(", "))
}

fn is_picture_inside(path: &Path) -> Result<bool> {
    let io = |e| Error::io(path, e);
    let mut start = Vec::new();
    std::fs::File::open(path).map_err(io)?.take(START as u64).read_to_end(&mut start).map_err(io)?;
    Ok(starts_as_picture(&start))
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

pub(super) const KIND: SetKind = SetKind::new(
    "images",
    "A folder of pictures, one folder a class; or of folders `train`, `val` and `test` with such folders in them.",
    |args, ()| {
        let root = PathBuf::from(args.required::<String>("path")?);
        let color = match args.get_or("color", "rgb".to_string())?.as_str() {
            "rgb" => Color::Rgb,
            "gray" => Color::Gray,
            other => {
                return Err(args.error("color", format!("color `{other}` is neither \"rgb\" nor \"gray\"")));
            }
        };
        let size = args.optional::<[usize; 2]>("size")?;
        if let Some(complaint) = size.and_then(complaint) {
            return Err(args.error("size", complaint));
        }
        image_parts::sets(&root, |path| Ok(ImageFolder { size, ..ImageFolder::open(path)?.color(color) }))
            .map(Box::new)
    },
)
.example(|| Entry::new("images").with_option("path", "data/images"))
.options(&[
    ("path", "the folder"),
    ("color", "`\"rgb\"` or `\"gray\"`"),
    ("size", "the height and width that images are brought to"),
]);

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
        let Sample { x, y } = set.batch(&[1, 0]).unwrap();
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
    fn whatever_is_not_read_is_counted_and_named() {
        let root = folder("left-out");
        let write = |path: &str, bytes: &[u8]| {
            std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            std::fs::write(root.join(path), bytes).unwrap();
        };
        let png = std::fs::read(root.join("dark/0.png")).unwrap();
        write("labels.csv", b"");
        write(".DS_Store", b"");
        write("dark/._0.png", &png);
        write("dark/2019/a.png", &png);
        write("dark/2019/jan/b.png", &png);
        write("dark/old.psd", b"BM");
        write("light/c.PNG", &png);
        let set = ImageFolder::open(&root).unwrap();
        assert_eq!(set.len(), 4);
        let want = [
            "left out: 2 hidden files or folders: .DS_Store, dark/._0.png",
            "left out: 1 file beside the classes: labels.csv",
            "left out: 2 files that are not .png, .jpg, .jpeg, .webp, .gif, .bmp, .tif or .tiff: dark/old.psd, light/notes.txt",
            "left out: 1 folder inside a class, with 2 images: dark/2019",
        ];
        assert_eq!(set.left_out(), want);
        let entry = mapsto_spec::Entry::new("images").with_option("path", root.display().to_string());
        assert_eq!(crate::sets::from_entry(&entry).unwrap().0.left_out, want);

        let failure =
            || ImageFolder::open(&root).unwrap_err().message().replace(root.to_str().unwrap(), "root");
        write("dusk/2019/a.png", &png);
        let want = "root/dusk: a class without images; 1 lie in folders below it, which are not read";
        assert_eq!(failure(), want);
        std::fs::remove_dir_all(root.join("dusk")).unwrap();
        std::fs::create_dir(root.join("dusk")).unwrap();
        assert_eq!(failure(), "root/dusk: a class without images");
        write("dusk/a.png", b"");
        write("light/x.jpg", b"<html>");
        assert_eq!(
            failure(),
            "root: 2 of 6 images are neither PNG, JPEG, WebP, GIF, BMP nor TIFF inside: dusk/a.png, light/x.jpg"
        );
        std::fs::remove_dir_all(root).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_class_is_called_as_its_folder_or_refused() {
        use std::os::unix::ffi::OsStrExt;
        let root = folder("names");
        for (name, is_text) in [(&b"\xff"[..], false), (b"a\xc3", false), ("ö ï".as_bytes(), true)] {
            let class = root.join(std::ffi::OsStr::from_bytes(name));
            std::fs::create_dir(&class).unwrap();
            std::fs::copy(root.join("dark/0.png"), class.join("0.png")).unwrap();
            match ImageFolder::open(&root) {
                Ok(set) => assert!(is_text && set.info().classes.contains(&"ö ï".to_string())),
                Err(e) => assert!(!is_text && e.message().contains("is not UTF-8"), "{e}"),
            }
            std::fs::remove_dir_all(class).unwrap();
        }
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
                // A changed size or a changed pixel is not an error in itself; a panic would be.
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
