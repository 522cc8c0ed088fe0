//! Sets: the kinds of data that mapsto reads, and the list by which a model file names them.

mod idx;
#[cfg(feature = "images")]
pub(crate) mod image_folder;
mod mnist;
pub(crate) mod table;

pub use idx::Idx;
#[cfg(feature = "images")]
pub use image_folder::ImageFolder;
pub use mnist::{idx_folder, mnist};
pub use table::Table;

pub use crate::selection::Selection;
use crate::{Dataset, Rounded};
use mapsto_spec::{Entry, Family, Kind};
use mapsto_tensor::{Error, Result};
use std::sync::Arc;

/// What a `[data]` section names: samples to train on, and to test on where the set comes with some.
pub struct Sets {
    /// The samples to train on.
    pub train: Arc<dyn Dataset>,
    /// The samples to test on.
    pub test: Option<Arc<dyn Dataset>>,
    /// The samples to watch the training by, where the set comes with some.
    pub validation: Option<Arc<dyn Dataset>>,
    /// What was found beside them and is not read, to be reported: a line each.
    pub left_out: Vec<String>,
    /// Columns in which values that differ in the file become equal as `f32`, unless they are standardized first.
    pub rounded: Vec<Rounded>,
    /// The first input that `f32` cannot hold, by file, row and column: an error unless preprocessing brings it into reach.
    pub too_large: Option<Error>,
    /// The rows of the file that the training samples are, counted from 0, where some were left out.
    pub kept: Option<Vec<usize>>,
    /// The same of the test samples.
    pub kept_test: Option<Vec<usize>>,
}

/// A set as a model file names it: how it is opened with its options.
pub type SetKind = Kind<Sets>;

/// Every set that a model file can name.
pub const SETS: &[SetKind] = &[
    mnist::KIND,
    mnist::IDX_KIND,
    table::KIND,
    #[cfg(feature = "images")]
    image_folder::KIND,
];

impl Family for Sets {
    const NOUN: &'static str = "set";
    type Given = ();
    fn kinds() -> &'static [SetKind] {
        SETS
    }
    /// Samples that were read do not say where from.
    fn entry_of(_: &Sets, (): &()) -> Option<Entry> {
        None
    }
}

/// The set that an entry such as `{ csv = true, path = "iris.csv", class = "species" }` names, and the entry with its
/// defaults filled in.
///
/// ```
/// use mapsto_spec::Entry;
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/mnist");
/// # /*
/// let folder = "data/mnist";
/// # */
/// let (sets, _) = mapsto_data::sets::from_entry(&Entry::new("mnist").with_option("path", folder))?;
/// assert_eq!((sets.train.len(), sets.test.unwrap().len()), (60_000, 10_000));
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
///
/// # Errors
/// When there is no such set, an option is unknown or missing, or the data is missing or damaged.
pub fn from_entry(entry: &Entry) -> Result<(Sets, Entry)> {
    let (sets, entry) = mapsto_spec::filled::<Sets>(entry, &())?;
    Ok((*sets, entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(entry: Entry) -> String {
        from_entry(&entry).err().unwrap().to_string()
    }

    #[test]
    fn unknown_sets_and_missing_folders_are_named() {
        assert_eq!(failure(Entry::new("mnits")), "unknown set `mnits`\nhelp: did you mean `mnist`?");
        let missing = failure(Entry::new("mnist").with_option("path", "no/such/place"));
        assert!(missing.starts_with("no/such/place: no such folder"), "{missing}");
        assert!(failure(Entry::new("csv")).contains("set `csv` needs `path`"));
    }

    #[test]
    fn a_table_is_read_by_its_entry() {
        let folder = std::env::temp_dir().join(format!("mapsto-sets-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let train = file("train.csv", "a;b;kind\n1;2;x\n3;4;y\n");
        let entry = Entry::new("csv").with_option("path", train.as_str()).with_option("delimiter", ";");
        let classes = entry.clone().with_option("class", "kind");
        let test = file("test.csv", "a;b;kind\n5;6;y\n");
        let (sets, rendered) = from_entry(&classes.clone().with_option("test", test.as_str())).unwrap();
        assert_eq!(sets.train.info().classes, ["x", "y"]);
        assert_eq!(sets.test.unwrap().label(0).unwrap(), 1);
        assert_eq!(rendered.option("features"), Some(&vec!["a", "b"].into()));
        let (sets, _) =
            from_entry(&entry.clone().with_option("target", "b").with_option("features", vec!["a"])).unwrap();
        assert_eq!(sets.train.batch(&[1]).unwrap().y.to_vec::<f32>(), [4.0]);

        let tabs = file("tabs.csv", "a\tb\tkind\n1\t2\tx\n3\t4\ty\n");
        for tab in ["\t", "\\t", "tab"] {
            let entry = Entry::new("csv").with_option("path", tabs.as_str()).with_option("class", "kind");
            let (sets, rendered) = from_entry(&entry.with_option("delimiter", tab)).unwrap();
            assert_eq!(sets.train.info().features, ["a", "b"]);
            assert_eq!(rendered.option("delimiter"), Some(&"\t".into()));
        }
        for wrong in ["", "é", ";;", "\"", "\n"] {
            assert!(
                failure(entry.clone().with_option("delimiter", wrong)).contains("is not one ASCII character")
            );
        }
        let commas = failure(entry.clone().with_option("delimiter", ",").with_option("target", "b"));
        assert!(commas.ends_with("help: add `delimiter = \";\"` to [data]"), "{commas}");

        let unknown = file("unknown.csv", "a;b;kind\n5;6;z\n");
        let e = failure(classes.with_option("test", unknown.as_str()));
        assert!(
            e.contains("unknown.csv:2: row 1, column `kind`: `z` is not one of the known classes"),
            "{e}"
        );
        assert!(failure(entry.clone()).contains("either `target` or `class`"));
        assert!(
            failure(
                entry.with_option("target", "b").with_option("features", vec!["a"]).with_option("clas", "k")
            )
            .contains("no option `clas`")
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}
