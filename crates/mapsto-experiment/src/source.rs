//! `Sources`: the file a run was configured from and the overrides laid over it, in one space of byte offsets, so that every error
//! can point at the characters that caused it, wherever the user wrote them.

use std::path::{Path, PathBuf};

use mapsto::Error;
use mapsto::spec::Source;

/// A configuration file and the overrides laid over it.
///
/// The file occupies the offsets `0..text.len()`; each override is given a region of its own after that. A span is therefore
/// enough to find the place again, whether the value came from the file or from `--train.epochs 3`.
#[derive(Debug, Clone)]
pub struct Sources {
    file: Source,
    overrides: Vec<(usize, Source)>,
    folder: PathBuf,
    is_run: bool,
}

impl Sources {
    /// A file under the name the user gave it.
    pub fn new(name: &str, text: &str) -> Sources {
        let folder = Path::new(name).parent().unwrap_or(Path::new("")).to_path_buf();
        Sources { file: Source::new(name, text), overrides: Vec::new(), folder, is_run: false }
    }

    /// The configuration that a run left in its folder.
    pub fn of_run(name: &str, text: &str) -> Sources {
        Sources { is_run: true, ..Sources::new(name, text) }
    }

    /// A path as this process finds it: what the file says is relative to the file, what a flag says to the current folder.
    ///
    /// Runs keep absolute paths; those of the first version kept what was relative to where they were started, and are
    /// looked for there too.
    pub fn path(&self, written: &str, at: usize) -> String {
        let inside = self.folder.join(written);
        let is_flag = at >= self.file.text().len();
        if is_flag || self.folder.as_os_str().is_empty() || (self.is_run && !inside.exists()) {
            return written.to_string();
        }
        inside.display().to_string()
    }

    /// The name of the file without folder and ending.
    pub fn stem(&self) -> &str {
        Path::new(self.file.name()).file_stem().and_then(|stem| stem.to_str()).unwrap_or("run")
    }

    /// The text of the file.
    pub fn text(&self) -> &str {
        self.file.text()
    }

    /// Adds an override as it was written at a place, and returns the offset of its first byte.
    pub fn add_override(&mut self, place: &str, written: &str) -> usize {
        let last =
            self.overrides.last().map_or(self.file.text().len(), |(start, flag)| start + flag.text().len());
        // One byte of distance: the end of one region is never the start of the next.
        self.overrides.push((last + 1, Source::new(place, written)));
        last + 1
    }

    /// Turns an error that carries a span into one that shows the place.
    pub fn locate(&self, error: Error) -> Error {
        let Some(span) = error.span() else { return error };
        let Some((start, flag)) = self.overrides.iter().rev().find(|(start, _)| *start <= span.start) else {
            return self.file.locate(error);
        };
        let moved = Error::new(error.kind(), error.message()).with_span(span.start - start..span.end - start);
        flag.locate(match error.help_text() {
            Some(help) => moved.help(help),
            None => moved,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto::ErrorKind;

    #[test]
    fn paths_of_a_file_are_relative_to_it_and_those_of_overrides_are_not() {
        let sources = Sources::new("some/where/net.toml", "path = 'a.csv'\n");
        assert_eq!(sources.path("a.csv", 7), Path::new("some/where").join("a.csv").display().to_string());
        assert_eq!(sources.path("a.csv", 30), "a.csv");
        assert_eq!(Sources::new("net.toml", "path = 'a.csv'\n").path("a.csv", 7), "a.csv");
        assert_eq!(Sources::of_run("no/such/run/config.toml", "path = 'a'\n").path("a.csv", 7), "a.csv");
    }

    #[test]
    fn an_error_is_shown_where_it_was_written() {
        let mut sources = Sources::new("net.toml", "a = 1\n  b = { é = 2, linaer = 3 }\n");
        let first = sources.add_override("command line", "--train.epochs three");
        let second = sources.add_override("command line", "--data.batch=x");
        let error = |start: usize, end: usize| {
            Error::new(ErrorKind::Usage, "wrong").help("mend it").with_span(start..end)
        };
        assert_eq!(
            sources.locate(error(first + 15, first + 20)).to_string(),
            "command line:1:16: wrong\n--train.epochs three\n               ^^^^^  help: mend it"
        );
        assert_eq!(
            sources.locate(error(second + 13, second + 14)).to_string(),
            "command line:1:14: wrong\n--data.batch=x\n             ^  help: mend it"
        );
        assert!(sources.locate(error(22, 28)).to_string().starts_with("net.toml:2:16: wrong\n"));
        assert_eq!(sources.locate(Error::new(ErrorKind::Data, "bare")).to_string(), "bare");
    }
}
