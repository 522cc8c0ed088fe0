//! `mnist`: the 70,000 handwritten digits, checked byte for byte before they are believed.

use super::{Idx, SetKind, Sets};
use crate::InMemory;
use mapsto_spec::{Entry, FromValue, Value};
use mapsto_tensor::{Error, ErrorKind, Result};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The MNIST digits: 60,000 to train on and 10,000 to test on, from the four canonical `.gz` files in `folder`.
///
/// * Shape: `x: [n, 1, 28, 28]`, `f32` in 0 ..= 1 (kept in memory as bytes); `y: [n]`, the digit.
///
/// The SHA-256 of each file is checked first. Other sets in the same format are read by [`idx_folder`].
///
/// Source: Y. LeCun, C. Cortes and C. J. C. Burges, 1998; CC BY-SA 3.0.
///
/// ```
/// use mapsto_data::prelude::*;
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/mnist");
/// # /*
/// let folder = "data/mnist";
/// # */
/// let (train, test) = mnist(folder)?;
/// assert_eq!((train.len(), test.len(), test.label(0)?), (60_000, 10_000, 7));
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
///
/// # Errors
/// When a file is missing or is not the original, byte for byte.
pub fn mnist(folder: impl AsRef<Path>) -> Result<(InMemory, InMemory)> {
    let [train_x, train_y, test_x, test_y] = &FILES;
    let part =
        |images, labels| checked(folder.as_ref(), images)?.labelled(checked(folder.as_ref(), labels)?, 10);
    Ok((part(train_x, train_y)?, part(test_x, test_y)?))
}

/// Any set laid out like MNIST, such as Fashion-MNIST: the same four file names, `.gz` or plain, without checksums.
///
/// * Shape: as the files; bytes `[n, h, w]` become `x: [n, 1, h, w]` in 0 ..= 1.
///
/// # Errors
/// When a file is missing or damaged, a label is not in `0..classes`, or the test images are of another type or shape.
pub fn idx_folder(folder: impl AsRef<Path>, classes: usize) -> Result<(InMemory, InMemory)> {
    let folder = folder.as_ref();
    let open = |file: &File| {
        let plain = folder.join(file.name.trim_end_matches(".gz"));
        Idx::open(if plain.is_file() { plain } else { present(folder, file)? })
    };
    let at = |file: &'static File| move |e: Error| e.context(folder.join(file.name).display());
    let part = |images: Idx, labels| images.labelled(open(labels)?, classes).map_err(at(labels));
    let [train_x, train_y, test_x, test_y] = &FILES;
    let (train, test) = (open(train_x)?, open(test_x)?);
    let alike = test.check_alike(&train).map_err(at(test_x));
    // Labels in the place of images are said first.
    let sets = (part(train, train_y)?, part(test, test_y)?);
    alike.map(|()| sets)
}

struct File {
    name: &'static str,
    sha256: &'static str,
}

const FILES: [File; 4] = [
    File {
        name: "train-images-idx3-ubyte.gz",
        sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    },
    File {
        name: "train-labels-idx1-ubyte.gz",
        sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    },
    File {
        name: "t10k-images-idx3-ubyte.gz",
        sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    },
    File {
        name: "t10k-labels-idx1-ubyte.gz",
        sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
];

fn checked(folder: &Path, file: &File) -> Result<Idx> {
    let path = present(folder, file)?;
    let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
    let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let array = Idx::parse(&bytes);
    if found != file.sha256 {
        let why = match array {
            Ok(_) => "a sound file, but not the original".to_string(),
            Err(e) => e.message().to_string(),
        };
        let message = format!("{}: {why}; its SHA-256 is {found}, expected {}", path.display(), file.sha256);
        return Err(Error::new(ErrorKind::Data, message).help(
            "copy the original file again; a set of your own in this format is set `idx` (`idx_folder`)",
        ));
    }
    array.map_err(|e| e.context(path.display()))
}

fn present(folder: &Path, file: &File) -> Result<std::path::PathBuf> {
    let path = folder.join(file.name);
    if path.is_file() {
        return Ok(path);
    }
    let names = FILES.each_ref().map(|file| file.name).join(", ");
    let what = if folder.is_dir() {
        format!("{}: no such file", path.display())
    } else {
        format!("{}: no such folder", folder.display())
    };
    Err(Error::new(ErrorKind::Data, what).help(format!("the folder should hold {names}")))
}

pub(super) const KIND: SetKind = SetKind::new(
    "mnist",
    "The 70,000 handwritten digits, from their four files in the folder `path`.",
    |args, ()| {
        let (train, test) = mnist(args.get_or("path", "data/mnist".to_string())?)?;
        Ok(Box::new(Sets {
            train: Arc::new(train),
            test: Some(Arc::new(test)),
            validation: None,
            left_out: Vec::new(),
            rounded: Vec::new(),
            too_large: None,
            kept: None,
            kept_test: None,
        }))
    },
)
.options(&[("path", "the folder of the four files")]);

pub(super) const IDX_KIND: SetKind = SetKind::new(
    "idx",
    "Any set laid out like MNIST, with `classes` classes, from four files in the folder `path`.",
    |args, ()| {
        let path = args.required::<String>("path")?;
        let names = args.optional::<Names>("names")?.map(Names::read).transpose();
        let names = names.map_err(|e| args.error("names", e.message()))?;
        let classes = match &names {
            Some(names) => args.get_or("classes", names.len())?,
            None => args.get_or("classes", 10usize)?,
        };
        if let Some(names) = names.as_ref().filter(|names| names.len() != classes) {
            let message = format!("there are {} names, and {classes} classes", names.len());
            return Err(args.error("names", message).help("give one name for each class, in the order of their ids"));
        }
        let (mut train, mut test) = idx_folder(path, classes)?;
        if let Some(names) = names {
            (train, test) = (train.classes(names.clone()), test.classes(names));
        }
        Ok(Box::new(Sets {
            train: Arc::new(train),
            test: Some(Arc::new(test)),
            validation: None,
            left_out: Vec::new(),
            rounded: Vec::new(),
            too_large: None,
            kept: None,
            kept_test: None,
        }))
    },
)
.example(|| Entry::new("idx").with_option("path", "data/idx"))
.options(&[
    ("path", "the folder of the four files"),
    ("classes", "the number of classes"),
    ("names", "what the classes are called, in the order of their ids: a list, or a text file with a name on each line"),
]);

/// What classes are called: said in place, or in a file.
#[derive(Debug)]
enum Names {
    Listed(Vec<String>),
    InFile(String),
}

impl FromValue for Names {
    const EXPECTED: &'static str = "a list of names, or the path of a file with a name on each line";
    fn from_value(value: &Value) -> Option<Names> {
        match value {
            Value::Str(path) => Some(Names::InFile(path.clone())),
            other => Vec::<String>::from_value(other).map(Names::Listed),
        }
    }
}

impl Names {
    /// The names, of which no two are alike.
    fn read(self) -> Result<Vec<String>> {
        let (names, file) = match self {
            Names::Listed(names) => (names, String::new()),
            Names::InFile(path) => {
                let text = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
                let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
                let lines: Vec<String> =
                    text.trim_end().lines().map(|line| line.trim().to_string()).collect();
                (lines, format!("{path}: "))
            }
        };
        let data = |message: String| Err(Error::new(ErrorKind::Data, format!("{file}{message}")));
        if let Some(i) = names.iter().position(String::is_empty) {
            return data(format!("the name of class {i} is empty"));
        }
        let mut seen = HashMap::new();
        for (i, name) in names.iter().enumerate() {
            if let Some(first) = seen.insert(name, i) {
                return data(format!(
                    "the classes {first} and {i} are both called `{}`",
                    name.escape_debug()
                ));
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;
    use mapsto_tensor::random::Keyed;
    use std::path::PathBuf;

    fn original() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/mnist")
    }

    /// A folder of this test's own with the test set under both names, so that little is copied.
    fn copy(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("mapsto-mnist-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (from, to) in [(2, 0), (3, 1), (2, 2), (3, 3)] {
            std::fs::copy(original().join(FILES[from].name), folder.join(FILES[to].name)).unwrap();
        }
        folder
    }

    #[test]
    fn the_real_set_is_whole() {
        let (train, test) = mnist(original()).unwrap();
        assert_eq!((train.len(), test.len()), (60_000, 10_000));
        // The first labels as printed in the database's own description of the files.
        let first: Vec<i64> = (0..5).map(|i| train.label(i).unwrap()).collect();
        assert_eq!(first, [5, 0, 4, 1, 9]);
        let crate::Sample { x, y } = test.batch(&[0, 9999]).unwrap();
        assert_eq!((x.shape(), y.to_vec::<i64>()), (&[2, 1, 28, 28][..], vec![7, 6]));
        // Mean and standard deviation of the training pixels, known since 1998 as 0.1307 and 0.3081.
        let (mut sum, mut squares) = (0.0, 0.0);
        for v in train.x().to_vec::<f32>() {
            sum += f64::from(v);
            squares += f64::from(v) * f64::from(v);
        }
        let n = 60_000.0 * 784.0;
        let mean: f64 = sum / n;
        let std = (squares / n - mean * mean).sqrt();
        assert!((mean - 0.1307).abs() < 5e-5 && (std - 0.3081).abs() < 5e-5, "{mean} {std}");
    }

    #[test]
    fn a_missing_folder_and_a_missing_file_are_named() {
        let e = mnist("no/such/place").err().unwrap();
        assert_eq!((e.message(), e.kind()), ("no/such/place: no such folder", ErrorKind::Data));
        assert!(e.help_text().unwrap().contains("t10k-labels-idx1-ubyte.gz"));
        let folder = copy("missing");
        std::fs::remove_file(folder.join(FILES[3].name)).unwrap();
        let e = idx_folder(&folder, 10).err().unwrap();
        assert!(e.message().ends_with("t10k-labels-idx1-ubyte.gz: no such file"), "{e}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn another_file_under_the_name_is_refused() {
        let folder = copy("other");
        let e = mnist(&folder).err().unwrap();
        assert!(e.message().contains("a sound file, but not the original; its SHA-256 is 8d422c7b"), "{e}");
        let (train, _) = idx_folder(&folder, 10).unwrap();
        assert_eq!(train.len(), 10_000);
        let e = idx_folder(&folder, 9).err().unwrap();
        assert!(
            e.message().contains("train-labels-idx1-ubyte.gz: label 9 of sample 7 is out of range 0..9"),
            "{e}"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn corrupt_files_are_errors_whatever_the_damage() {
        let folder = copy("corrupt");
        let path = folder.join(FILES[1].name);
        let good = std::fs::read(&path).unwrap();
        for round in 0..200 {
            let mut key = Keyed::new(&[round, 1]);
            let mut bytes = good.clone();
            match round % 2 {
                0 => bytes.truncate(key.below(good.len())),
                _ => {
                    let at = key.below(good.len());
                    bytes[at] ^= 1 << key.below(8);
                }
            }
            std::fs::write(&path, &bytes).unwrap();
            let e = checked(&folder, &FILES[1]).err().unwrap();
            assert_eq!(e.kind(), ErrorKind::Data);
            assert!(e.message().contains("SHA-256"), "{e}");
        }
        std::fs::write(&path, &good[..good.len() / 2]).unwrap();
        let e = idx_folder(&folder, 10).err().unwrap();
        assert!(e.message().contains("corrupt gzip data"), "{e}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
