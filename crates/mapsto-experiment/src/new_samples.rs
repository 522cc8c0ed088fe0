//! Samples that a run did not have: files with their targets, on which its model is judged as on its own test samples.

use std::path::Path;
use std::sync::Arc;

use mapsto::data::sets::Selection;
use mapsto::data::{Color, Dataset, Idx, ImageFolder, Info, Loader, Reading, Sample, Table, idx_folder};
use mapsto::spec::{FromValue, Value};
use mapsto::{Error, ErrorKind, Result, Tensor};

use crate::experiment::Experiment;
use crate::plain::plain;

/// Samples of new files, prepared as those of the run are.
pub struct NewSamples {
    /// Batches of them.
    pub loader: Loader,
    /// What each is called: its file, or its file and row.
    pub names: Vec<String>,
}

impl Experiment {
    /// Reads files with targets: tables with the columns of the run, folders with a folder for each class, folders laid out like MNIST, or a
    /// file of pictures and one of labels in that format.
    ///
    /// # Errors
    /// A file that cannot be read, that lacks a column, or that has a class which the run has not.
    pub fn new_samples<P: AsRef<Path>>(&self, files: &[P]) -> Result<NewSamples> {
        let files: Vec<&Path> = files.iter().map(AsRef::as_ref).collect();
        let mut parts = Vec::new();
        match self.config.data.set.name.as_str() {
            "csv" => {
                for file in &files {
                    parts.push(self.table(file)?);
                }
            }
            "images" => {
                for file in &files {
                    parts.push(self.folder(file)?);
                }
            }
            "mnist" | "idx" => parts = self.idx(&files)?,
            other => {
                let message =
                    format!("the run was trained on `{other}`, and its model cannot be judged on files");
                return Err(Error::new(ErrorKind::Usage, message)
                    .help("leave the files out: `mapsto eval RUN` scores the test samples"));
            }
        }
        let names = parts.iter().flat_map(|part| part.names.clone()).collect();
        let sets = parts.into_iter().map(|part| part.set).collect();
        let loader = Loader::new(Joined::of(sets), self.config.data.batch);
        Ok(NewSamples { loader: loader.preprocess(self.train.preprocessing().clone()), names })
    }

    /// The words of an option of the set, one or several.
    fn columns(&self, option: &str) -> Option<Vec<String>> {
        let value = self.config.data.set.option(option)?;
        String::from_value(value).map(|one| vec![one]).or_else(|| Vec::from_value(value))
    }

    fn table(&self, path: &Path) -> Result<Part> {
        let steps = self.train.preprocessing();
        let reading = match steps.table() {
            Some((_, reading)) => reading.any_delimiter(),
            None => Reading::of_entry(&self.config.data.set)?,
        };
        let table = Table::open(path, &reading)?;
        let chosen: Selection = table.features(&self.info.features)?;
        let chosen = match steps.table() {
            Some((columns, _)) => chosen.understood_as(&columns),
            None => chosen,
        };
        let set = if let Some(columns) = self.columns("class") {
            chosen.class_of(&columns[0], &self.info.classes)?
        } else if let Some(columns) = self.columns("labels") {
            chosen.labels(&columns)?
        } else {
            chosen.targets(self.columns("target").unwrap_or_default())?
        };
        let name = plain(&path.display().to_string());
        let names = (1..=set.len()).map(|row| format!("{name} row {row}")).collect();
        Ok(Part { set: Arc::new(set), names })
    }

    fn folder(&self, path: &Path) -> Result<Part> {
        let option = |name: &str| self.config.data.set.option(name);
        let gray = option("color") == Some(&Value::from("gray"));
        let set = ImageFolder::open(path)?.color(if gray { Color::Gray } else { Color::Rgb });
        let set = match option("size").and_then(<[usize; 2]>::from_value) {
            Some(size) => set.size(size),
            None => set,
        };
        let names = (0..set.len()).map(|i| set.path(i).display().to_string()).collect();
        let known = &self.info.classes;
        let place = |class: &String| {
            known.iter().position(|name| name == class).map(|at| at as i64).ok_or_else(|| {
                let names: Vec<String> = known.iter().take(12).map(|name| plain(name)).collect();
                let message = format!("{}: the run knows no class `{}`", path.display(), plain(class));
                Error::new(ErrorKind::Data, message)
                    .help(format!("folders are called as its classes: {}", names.join(", ")))
            })
        };
        let ids = set.info().classes.iter().map(place).collect::<Result<Vec<i64>>>()?;
        Ok(Part { set: Arc::new(Renumbered { set, ids }), names })
    }

    fn idx(&self, files: &[&Path]) -> Result<Vec<Part>> {
        let classes = self.info.classes.len();
        let part = |set: Arc<dyn Dataset>, name: String| Part {
            names: (0..set.len()).map(|i| format!("{name} {i}")).collect(),
            set,
        };
        let name = |path: &Path| plain(&path.display().to_string());
        match files {
            [pictures, labels] if pictures.is_file() && labels.is_file() => {
                let at = |e: Error| e.context(pictures.display());
                let set = Idx::open(pictures)?.labelled(Idx::open(labels)?, classes).map_err(at)?;
                Ok(vec![part(Arc::new(set), name(pictures))])
            }
            folders if folders.iter().all(|path| path.is_dir()) => {
                let open = |path: &&Path| Ok(part(Arc::new(idx_folder(path, classes)?.1), name(path)));
                folders.iter().map(open).collect()
            }
            _ => Err(Error::new(ErrorKind::Usage, "these are neither a file of pictures and one of labels nor folders")
                .help("give both files, such as `t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz`, or a folder with all four")),
        }
    }
}

/// A file's samples with their names.
struct Part {
    set: Arc<dyn Dataset>,
    names: Vec<String>,
}

/// Pictures whose classes are numbered as those of the run.
struct Renumbered {
    set: ImageFolder,
    ids: Vec<i64>,
}

impl Dataset for Renumbered {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn get(&self, i: usize) -> Result<Sample> {
        let sample = self.set.get(i)?;
        Ok(Sample { y: Tensor::from_slice(&[self.label(i)?], ()), x: sample.x })
    }

    fn name(&self, i: usize) -> String {
        self.set.name(i)
    }

    fn label(&self, i: usize) -> Result<i64> {
        Ok(self.ids[self.set.label(i)? as usize])
    }
}

/// Several sets, one after the other.
struct Joined {
    sets: Vec<Arc<dyn Dataset>>,
    /// Where each begins.
    starts: Vec<usize>,
}

impl Joined {
    fn of(sets: Vec<Arc<dyn Dataset>>) -> Joined {
        let ends = sets.iter().scan(0, |at, set| {
            *at += set.len();
            Some(*at)
        });
        let starts = std::iter::once(0).chain(ends).take(sets.len()).collect();
        Joined { sets, starts }
    }

    fn place(&self, i: usize) -> (usize, usize) {
        let part = self.starts.partition_point(|&start| start <= i) - 1;
        (part, i - self.starts[part])
    }

    /// The places of some samples in the set that all of them are of, if it is one.
    fn alone(&self, indices: &[usize]) -> Option<(usize, Vec<usize>)> {
        let (part, _) = self.place(*indices.first()?);
        let within = |&i: &usize| Some(self.place(i)).filter(|(p, _)| *p == part).map(|(_, at)| at);
        Some((part, indices.iter().map(within).collect::<Option<Vec<usize>>>()?))
    }
}

impl Dataset for Joined {
    fn len(&self) -> usize {
        self.sets.iter().map(|set| set.len()).sum()
    }

    fn get(&self, i: usize) -> Result<Sample> {
        let (part, at) = self.place(i);
        self.sets[part].get(at)
    }

    fn name(&self, i: usize) -> String {
        let (part, at) = self.place(i);
        self.sets[part].name(at)
    }

    fn info(&self) -> Info {
        self.sets.first().map_or(Info::default(), |set| set.info())
    }

    fn exact_batch(&self, indices: &[usize]) -> Result<Option<Sample>> {
        if let Some((part, places)) = self.alone(indices) {
            return self.sets[part].exact_batch(&places);
        }
        let mut batches = Vec::new();
        for &i in indices {
            let (part, at) = self.place(i);
            let Some(batch) = self.sets[part].exact_batch(&[at])? else { return Ok(None) };
            batches.push(batch);
        }
        let joined =
            |f: fn(&Sample) -> Tensor| Tensor::cat(&batches.iter().map(f).collect::<Vec<Tensor>>(), 0);
        Ok(Some(Sample { x: joined(|b| b.x.clone()), y: joined(|b| b.y.clone()) }))
    }
}
