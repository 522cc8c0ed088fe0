//! Folders of pictures that are parts of the data, such as `train` and `val`: taken for classes, they would be learnt as such.

use crate::Dataset;
use crate::sets::Sets;
use crate::sets::image_folder::{ImageFolder, entries, has_image_name, images_below, is_hidden, name, some};
use mapsto_tensor::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a part is for.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Train,
    Validation,
    Test,
}

/// What a folder is for by its name, whatever its case.
fn role(name: &str) -> Option<Role> {
    match name.to_lowercase().as_str() {
        "train" | "training" => Some(Role::Train),
        "val" | "valid" | "validation" | "dev" => Some(Role::Validation),
        "test" | "testing" => Some(Role::Test),
        _ => None,
    }
}

/// The parts in a folder.
struct Parts {
    found: Vec<(PathBuf, Role)>,
    /// Whether one of them holds folders of pictures and no pictures, as classes never do.
    is_nested: bool,
    /// Whether there is no other folder.
    is_all: bool,
}

impl Parts {
    fn of(root: &Path) -> Result<Parts> {
        let folders: Vec<PathBuf> =
            entries(root)?.into_iter().filter(|path| path.is_dir() && !is_hidden(path)).collect();
        let found: Vec<(PathBuf, Role)> =
            folders.iter().filter_map(|path| Some((path.clone(), role(&name(path))?))).collect();
        let mut is_nested = false;
        for (path, _) in &found {
            let is_picture = |path: &PathBuf| path.is_file() && has_image_name(path);
            is_nested |= !entries(path)?.iter().any(is_picture) && images_below(path)? > 0;
        }
        Ok(Parts { is_nested, is_all: found.len() == folders.len(), found })
    }

    fn named(&self, wanted: Role) -> Option<&Path> {
        self.found.iter().find(|(_, role)| *role == wanted).map(|(path, _)| path.as_path())
    }

    /// `` `train` and `val` ``
    fn names(&self) -> String {
        let names: Vec<String> =
            self.found.iter().map(|(path, _)| format!("`{}`", name(path).escape_debug())).collect();
        names.join(" and ")
    }

    fn error(&self, root: &Path, beside: &str) -> Error {
        let (names, root) = (self.names(), root.display());
        let (noun, verb) = match self.found.len() {
            1 => ("folder", "is a part of the data and no class"),
            _ => ("folders", "are parts of the data and no classes"),
        };
        Error::new(ErrorKind::Data, format!("{root}: the {noun} {names} {verb}{beside}"))
    }
}

/// The folders of training, validation and test samples in `root`, where it is one of parts.
///
/// Training samples must have a folder, and so must one of the others; each has one at most.
fn parted(root: &Path) -> Result<Option<[Option<PathBuf>; 3]>> {
    let parts = Parts::of(root)?;
    let has = |role| parts.named(role).is_some();
    if !parts.is_nested || !has(Role::Train) || !(has(Role::Test) || has(Role::Validation)) {
        return Ok(None);
    }
    for role in [Role::Train, Role::Validation, Role::Test] {
        let same: Vec<String> =
            parts.found.iter().filter(|(_, r)| *r == role).map(|(p, _)| name(p)).collect();
        if same.len() > 1 {
            let same = same.join("` and `");
            let message =
                format!("{}: the folders `{same}` are for the same part of the data", root.display());
            return Err(
                Error::new(ErrorKind::Data, message).help("keep one of them, with all of its pictures")
            );
        }
    }
    Ok(Some([Role::Train, Role::Validation, Role::Test].map(|role| parts.named(role).map(Path::to_path_buf))))
}

/// How many names deep the pictures of the set in `root` lie: `CLASS/1.png`, or `train/CLASS/1.png`.
///
/// # Errors
/// A folder that cannot be read.
pub fn picture_depth(root: impl AsRef<Path>) -> Result<usize> {
    Ok(if parted(root.as_ref())?.is_some() { 3 } else { 2 })
}

/// The samples in `root`: those of a folder of classes, or of a folder for each part of the data.
pub(crate) fn sets(root: &Path, open: impl Fn(&Path) -> Result<ImageFolder>) -> Result<Sets> {
    let none = |train: ImageFolder, left_out| Sets {
        train: Arc::new(train),
        test: None,
        validation: None,
        left_out,
        rounded: Vec::new(),
        too_large: None,
        kept: None,
        kept_test: None,
    };
    let Some([Some(train), validation, test]) = parted(root)? else {
        if let Some(e) = unparted(root)? {
            return Err(e);
        }
        let set = open(root)?;
        let left_out = set.left_out().to_vec();
        return Ok(none(set, left_out));
    };
    let used = [Some(&train), validation.as_ref(), test.as_ref()];
    let used: Vec<String> = used.into_iter().flatten().map(|path| name(path)).collect();
    let mut left_out = Vec::new();
    let others: Vec<String> =
        entries(root)?.iter().map(|path| name(path)).filter(|name| !used.contains(name)).collect();
    if !others.is_empty() {
        let beside = used.join("`, `");
        left_out.push(format!("left out: {} beside `{beside}`: {}", others.len(), some(&others)));
    }
    let mut part = |path: &Path, train: Option<&ImageFolder>| {
        let set = open(path)?;
        left_out.extend(set.left_out().iter().map(|line| format!("{}: {line}", name(path))));
        train.map_or(Ok(set.clone()), |train| set.counted_as(train))
    };
    let train = part(&train, None)?;
    let validation = validation.map(|path| part(&path, Some(&train))).transpose()?;
    let test = test.map(|path| part(&path, Some(&train))).transpose()?;
    let shared = |set: Option<ImageFolder>| set.map(|set| Arc::new(set) as Arc<dyn Dataset>);
    Ok(Sets { validation: shared(validation), test: shared(test), ..none(train, left_out) })
}

/// The error about a folder whose parts lack one, or hold no folders of classes, where it has parts.
fn unparted(root: &Path) -> Result<Option<Error>> {
    let parts = Parts::of(root)?;
    let [(first, _), ..] = &parts.found[..] else { return Ok(None) };
    if !(parts.is_nested || parts.is_all) {
        return Ok(None);
    }
    if !parts.is_nested {
        let inner = name(first);
        return Ok(Some(parts.error(root, ", and there are no folders of classes in them").help(format!(
            "put the pictures of each class into a folder named after the class: `{inner}/CLASS/1.png`"
        ))));
    }
    let help = format!(
        "write `path = {:?}`, of which shares are held out for validation and test, or have a folder `train` beside one of `val` and `test`",
        first.display().to_string()
    );
    Ok(Some(parts.error(root, ", which are read where there is `train` and `val` or `test`").help(help)))
}

/// The error about a folder of parts that is opened as one of classes.
pub(crate) fn in_place_of_classes(root: &Path) -> Result<Option<Error>> {
    let parts = Parts::of(root)?;
    let [(first, _), ..] = &parts.found[..] else { return Ok(None) };
    let help = format!("open each by itself: `ImageFolder::open({:?})?`", first.display().to_string());
    Ok(parts.is_nested.then(|| parts.error(root, "").help(help)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageFolder;
    use crate::sets::from_entry;
    use mapsto_spec::Entry;

    /// Every pair of names that parts go by, as folders of classes and as folders of pictures: a folder for training beside one
    /// of the others is read, anything else is refused with a help that can be followed; and a class may be called so.
    #[test]
    fn parts_are_not_taken_for_classes() {
        let names =
            ["train", "Train", "training", "TEST", "test", "testing", "val", "valid", "Validation", "dev"];
        let root = std::env::temp_dir().join(format!("mapsto-parts-{}", std::process::id()));
        let open = |folders: &[String]| {
            _ = std::fs::remove_dir_all(&root);
            for folder in folders {
                std::fs::create_dir_all(root.join(folder)).unwrap();
                image::RgbImage::new(2, 2).save(root.join(folder).join("1.png")).unwrap();
            }
            let path = root.display().to_string();
            from_entry(&Entry::new("images").with_option("path", path.as_str())).map(|(sets, _)| sets)
        };
        let help = |e: &Error| e.help_text().unwrap_or_default().to_string();
        for first in names {
            let e = open(&[format!("{first}/a"), format!("{first}/b")]).err().unwrap();
            assert!(help(&e).contains(&format!("{first}\"`, of which")), "{e}");
            let alone = Entry::new("images").with_option("path", root.join(first).display().to_string());
            assert!(from_entry(&alone).is_ok(), "{first}");
            let e = ImageFolder::open(&root).unwrap_err();
            assert!(help(&e).contains("open each by itself") && help(&e).contains(first), "{e}");
            assert!(help(&open(&[first.to_string()]).err().unwrap()).contains("/CLASS/1.png"));
            // One of several classes, with pictures in it.
            assert!(open(&[first.to_string(), "bus".into()]).is_ok(), "{first}");
            for second in names.iter().filter(|second| role(second) != role(first)) {
                let nested = ["a", "b"].map(|c| [format!("{first}/{c}"), format!("{second}/{c}")]).concat();
                let roles = [role(first), role(second)];
                match open(&nested) {
                    Ok(sets) => {
                        assert!(roles.contains(&Some(Role::Train)), "{first} {second}");
                        assert_eq!(sets.test.is_some(), roles.contains(&Some(Role::Test)));
                        assert_eq!(sets.validation.is_some(), roles.contains(&Some(Role::Validation)));
                        assert_eq!(picture_depth(&root).unwrap(), 3);
                    }
                    Err(e) => {
                        assert!(
                            help(&e).contains("write `path = ") && !roles.contains(&Some(Role::Train)),
                            "{e}"
                        );
                        assert_eq!(picture_depth(&root).unwrap(), 2);
                    }
                }
                let pictures = open(&[first.to_string(), second.to_string()]);
                assert!(help(&pictures.err().unwrap()).contains("/CLASS/1.png"), "{first} {second}");
            }
            for second in names.iter().filter(|second| **second != first && role(second) == role(first)) {
                let other = if role(first) == Some(Role::Train) { "test" } else { "train" };
                let folders = [first, second, other].map(|part| format!("{part}/a"));
                assert!(
                    open(&folders).err().unwrap().message().contains("the same part"),
                    "{first} {second}"
                );
            }
        }
        std::fs::remove_dir_all(root).unwrap();
    }

    /// Three parts are three sets; classes go by their names, not by their places, and one that is not learnt is refused.
    #[test]
    fn classes_of_held_out_folders_are_those_of_training() {
        let root = std::env::temp_dir().join(format!("mapsto-three-{}", std::process::id()));
        for folder in ["train/a", "train/b", "train/c", "valid/c", "test/b", "test/c", "docs"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
            image::RgbImage::new(2, 2).save(root.join(folder).join("1.webp")).unwrap();
        }
        let entry = Entry::new("images").with_option("path", root.display().to_string());
        let (sets, _) = from_entry(&entry).unwrap();
        let labels = |set: &dyn Dataset| (0..set.len()).map(|i| set.label(i).unwrap()).collect::<Vec<_>>();
        assert_eq!(labels(&*sets.train), [0, 1, 2]);
        assert_eq!(labels(&*sets.validation.unwrap()), [2]);
        let test = sets.test.unwrap();
        assert_eq!((labels(&*test), test.info().classes.len()), (vec![1, 2], 3));
        assert_eq!(sets.left_out, ["left out: 1 beside `train`, `valid`, `test`: docs"]);
        std::fs::create_dir_all(root.join("test/d")).unwrap();
        image::RgbImage::new(2, 2).save(root.join("test/d/1.bmp")).unwrap();
        let e = from_entry(&entry).err().unwrap();
        assert!(e.message().contains("classes that") && e.message().ends_with("does not have: d"), "{e}");
        std::fs::remove_dir_all(root).unwrap();
    }
}
