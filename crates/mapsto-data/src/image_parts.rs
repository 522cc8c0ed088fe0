//! Folders of pictures that are parts of the data, such as `train` and `val`: taken for classes, they would be learnt as such.

use crate::sets::image_folder::{entries, has_image_name, images_below, is_hidden, name};
use mapsto_tensor::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

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

/// The error about a folder whose parts are not called `train` and `test`, where it has parts.
pub(crate) fn misnamed(root: &Path) -> Result<Option<Error>> {
    let parts = Parts::of(root)?;
    let [(first, _), ..] = &parts.found[..] else { return Ok(None) };
    if !(parts.is_nested || parts.is_all) {
        return Ok(None);
    }
    if !parts.is_nested {
        let inner = name(first);
        return Ok(Some(parts.error(root, ", and there are no folders of classes in them").help(format!(
            "put the .png and .jpg files of each class into a folder named after the class: `{inner}/CLASS/1.png`"
        ))));
    }
    let (train, held_out) =
        (parts.named(Role::Train), parts.named(Role::Test).or_else(|| parts.named(Role::Validation)));
    let renamed = |path: &Path, to: &str| {
        let from = name(path);
        (from != to).then(|| format!("the folder `{}` to `{to}`", from.escape_debug()))
    };
    let help = match (train, held_out) {
        (Some(train), Some(held_out)) => {
            let names: Vec<String> =
                [renamed(train, "train"), renamed(held_out, "test")].into_iter().flatten().collect();
            format!("rename {}; samples for validation are held out of `train`", names.join(", and "))
        }
        _ => format!(
            "write `path = {:?}`, of which shares are held out for validation and test, or have both folders, `train` and `test`",
            first.display().to_string()
        ),
    };
    Ok(Some(parts.error(root, ", which are read from `train` and `test`").help(help)))
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

    /// Every pair of names that parts go by, as folders of classes and as folders of pictures: each is refused with a help that
    /// can be followed, but for `train` and `test` themselves; and a class may be called so.
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
                let is_right = [first, *second].iter().all(|name| ["train", "test"].contains(name));
                match open(&nested) {
                    Ok(sets) => assert!(is_right && sets.test.is_some(), "{first} {second}"),
                    Err(e) => {
                        let renames = |name: &str| match ["train", "test"].contains(&name) {
                            true => !help(&e).contains(&format!("the folder `{name}` to")),
                            false => help(&e).contains(&format!("the folder `{name}` to `t")),
                        };
                        let is_followed = match [role(first), role(second)].contains(&Some(Role::Train)) {
                            true => renames(first) && renames(second),
                            false => help(&e).contains("write `path = "),
                        };
                        assert!(is_followed && !is_right, "{e}");
                    }
                }
                if !is_right {
                    assert!(open(&[first.to_string(), second.to_string()]).is_err(), "{first} {second}");
                }
            }
        }
        std::fs::remove_dir_all(root).unwrap();
    }
}
