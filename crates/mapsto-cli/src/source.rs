//! `Sources`: the file a run was configured from and the flags laid over it, in one space of byte offsets, so that every error
//! can point at the characters that caused it, wherever the user wrote them.

use mapsto::Error;
use mapsto::spec::Source;

/// A configuration file and the flags that override it.
///
/// The file occupies the offsets `0..text.len()`; each flag is given a region of its own after that. A span is therefore
/// enough to find the place again, whether the value came from the file or from `--train.epochs 3`.
#[derive(Debug, Clone)]
pub struct Sources {
    file: Source,
    flags: Vec<(usize, Source)>,
}

impl Sources {
    /// A file under the name the user gave it.
    pub fn new(name: &str, text: &str) -> Sources {
        Sources { file: Source::new(name, text), flags: Vec::new() }
    }

    /// The text of the file.
    pub fn text(&self) -> &str {
        self.file.text()
    }

    /// Adds a flag as it was written and returns the offset of its first byte.
    pub fn add_flag(&mut self, written: &str) -> usize {
        let last =
            self.flags.last().map_or(self.file.text().len(), |(start, flag)| start + flag.text().len());
        // One byte of distance: the end of one region is never the start of the next.
        self.flags.push((last + 1, Source::new("command line", written)));
        last + 1
    }

    /// Turns an error that carries a span into one that shows the place.
    pub fn locate(&self, error: Error) -> Error {
        let Some(span) = error.span() else { return error };
        let Some((start, flag)) = self.flags.iter().rev().find(|(start, _)| *start <= span.start) else {
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
    fn an_error_is_shown_where_it_was_written() {
        let mut sources = Sources::new("net.toml", "a = 1\n  b = { é = 2, linaer = 3 }\n");
        let first = sources.add_flag("--train.epochs three");
        let second = sources.add_flag("--data.batch=x");
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
