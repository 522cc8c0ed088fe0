//! The journal of a tuning: what each trial gave, one line of JSON each, written whole after every trial.

use mapsto::spec::Json;
use mapsto::training::RunFolder;
use mapsto::{Error, ErrorKind, Result};

use super::space::{Setting, Space};

/// What a trial gave after some epochs.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Which it is, from 1.
    pub number: usize,
    /// How many epochs it was given.
    pub epochs: usize,
    /// What its keys were.
    pub settings: Vec<Setting>,
    /// What it is judged by, at its best epoch; none where the trial failed.
    pub score: Option<f64>,
    /// Why it failed.
    pub failed: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

/// The file and what stands in it.
#[derive(Debug)]
pub struct Journal {
    folder: RunFolder,
    /// What the tuning was begun with.
    head: Json,
    lines: Vec<Json>,
}

impl Journal {
    /// The name of the file.
    pub const FILE: &str = "trials.jsonl";

    /// The journal in a folder, begun with a head where there is none.
    ///
    /// # Errors
    /// It was begun with other settings; a line is damaged.
    pub fn open(folder: RunFolder, settings: &str, data: &str) -> Result<Journal> {
        let head =
            Json::Object(vec![("settings".into(), Json::from(settings)), ("data".into(), Json::from(data))]);
        let path = folder.file(Journal::FILE);
        let shown = path.display().to_string();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let journal = Journal { folder, head, lines: Vec::new() };
                journal.write()?;
                return Ok(journal);
            }
            Err(e) => return Err(Error::io(shown, e)),
        };
        let mut lines = Vec::new();
        for (i, line) in text.lines().enumerate() {
            let line = Json::parse(line).map_err(|e| {
                Error::new(ErrorKind::Data, format!("{shown}:{}: {}", i + 1, e.message()))
                    .help("remove the line and those below it: their trials are trained again")
            })?;
            lines.push(line);
        }
        let before = if lines.is_empty() { Json::Null } else { lines.remove(0) };
        let differs = |key: &str| before.get(key) != head.get(key);
        if differs("settings") {
            let message = format!("{shown}: the tuning was begun with other settings");
            return Err(Error::new(ErrorKind::Usage, message)
                .help("say the same again (only `trials` may grow), or another `--train.out`"));
        }
        if differs("data") {
            let message = format!("{shown}: the data is not what the tuning was begun with");
            return Err(Error::new(ErrorKind::Data, message).help("begin again with another `--train.out`"));
        }
        Ok(Journal { folder, head, lines })
    }

    /// What a trial gave after so many epochs, if it is known.
    ///
    /// # Errors
    /// It had other settings, or the line is damaged.
    pub fn find(
        &self,
        space: &Space,
        number: usize,
        epochs: usize,
        settings: &[Setting],
    ) -> Result<Option<Trial>> {
        let int = |line: &Json, key: &str| line.get(key).and_then(Json::int);
        let is_it = |line: &&Json| {
            int(line, "trial") == Some(number as i64) && int(line, "epochs") == Some(epochs as i64)
        };
        let Some(line) = self.lines.iter().find(is_it) else { return Ok(None) };
        let score = line.get("score").and_then(Json::number);
        let failed = line.get("failed").and_then(Json::str).map(str::to_string);
        if line.get("values") != Some(&space.json(settings)) || score.is_some() == failed.is_some() {
            let path = self.folder.file(Journal::FILE);
            let message = format!("{}: trial {number} is not what this tuning tries there", path.display());
            return Err(Error::new(ErrorKind::Data, message).help(
                "the file was edited, or another version wrote it: begin again with another `--train.out`",
            ));
        }
        let seconds = line.get("seconds").and_then(Json::number).unwrap_or(0.0);
        Ok(Some(Trial { number, epochs, settings: settings.to_vec(), score, failed, seconds }))
    }

    /// Writes down what a trial gave.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, space: &Space, trial: &Trial) -> Result<()> {
        let mut line = vec![
            ("trial".to_string(), Json::from(trial.number)),
            ("epochs".to_string(), Json::from(trial.epochs)),
            ("values".to_string(), space.json(&trial.settings)),
        ];
        line.extend(trial.score.map(|score| ("score".to_string(), Json::Float(score))));
        line.extend(trial.failed.as_deref().map(|why| ("failed".to_string(), Json::from(why))));
        line.push(("seconds".to_string(), Json::Float((trial.seconds * 1e3).round() / 1e3)));
        self.lines.push(Json::Object(line));
        self.write()
    }

    fn write(&self) -> Result<()> {
        let lines = std::iter::once(&self.head).chain(&self.lines);
        self.folder.write(Journal::FILE, &lines.map(|line| format!("{line}\n")).collect::<String>())
    }
}
