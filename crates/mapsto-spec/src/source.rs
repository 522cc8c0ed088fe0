//! A source file's text, to show an error at its line and column.

use mapsto_tensor::Error;

/// The name and text of a file that entries were read from.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    text: String,
}

impl Source {
    /// The text of the file called `name`.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Source {
        Source { name: name.into(), text: text.into() }
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte, both from 1; columns count characters.
    pub fn position(&self, byte: usize) -> (usize, usize) {
        let byte = self.floor(byte);
        let line_start = self.text[..byte].rfind('\n').map_or(0, |i| i + 1);
        let line = self.text[..byte].matches('\n').count() + 1;
        (line, self.text[line_start..byte].chars().count() + 1)
    }

    /// Turns an error that carries a [`Span`](crate::Span) into one at `file:line:column` that shows the line and a caret.
    ///
    /// Any other error is returned as it is.
    /// ```
    /// # use mapsto_spec::Source;
    /// # use mapsto_tensor::{Error, ErrorKind};
    /// let source = Source::new("mnist.toml", "layers = [\n  { linaer = 128 },\n]");
    /// let error = Error::new(ErrorKind::Model, "unknown layer `linaer`").help("did you mean `linear`?");
    /// let shown = source.locate(error.with_span(15..21)).to_string();
    /// assert_eq!(shown, "mnist.toml:2:5: unknown layer `linaer`\n  { linaer = 128 },\n    ^^^^^^  help: did you mean `linear`?");
    /// ```
    pub fn locate(&self, error: Error) -> Error {
        let Some(span) = error.span() else { return error };
        let (start, end) = (self.floor(span.start), self.floor(span.end.max(span.start)));
        let (line, column) = self.position(start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = self.text[line_start..].find('\n').map_or(self.text.len(), |i| line_start + i);
        let shown = self.text[line_start..line_end].trim_end_matches('\r');
        // Tabs stay tabs, so that the caret stands under its word however wide they are shown.
        let indent: String =
            self.text[line_start..start].chars().map(|c| if c == '\t' { c } else { ' ' }).collect();
        let carets = "^".repeat(self.text[start..end.min(line_end).max(start)].chars().count().max(1));
        let help = error.help_text().map_or(String::new(), |h| format!("  help: {h}"));
        let message = format!("{}\n{shown}\n{indent}{carets}{help}", error.message());
        Error::new(error.kind(), message).at(format!("{}:{line}:{column}", self.name))
    }

    /// The nearest character boundary at or before `byte`.
    fn floor(&self, byte: usize) -> usize {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;
    use mapsto_tensor::ErrorKind;

    #[test]
    fn columns_count_characters_and_spans_may_be_anywhere() {
        let source = Source::new("a.toml", "äö = 1\r\n\tb = 2");
        assert_eq!(source.position(4), (1, 3));
        assert_eq!(source.position(11), (2, 2));
        assert_eq!(source.position(1000), (2, 7));
        for span in [Span::new(0, 1000), Span::new(1, 1), Span::new(999, 1000), Span::new(9, 3)] {
            let error = source.locate(Error::new(ErrorKind::Model, "m").with_span(span.into()));
            assert!(error.to_string().starts_with("a.toml:"), "{error}");
        }
        let tabbed = source.locate(Error::new(ErrorKind::Model, "m").with_span(11..12)).to_string();
        assert_eq!(tabbed, "a.toml:2:2: m\n\tb = 2\n\t^");
    }

    #[test]
    fn an_error_from_elsewhere_is_left_alone() {
        let source = Source::new("a.toml", "x");
        assert_eq!(source.locate(Error::new(ErrorKind::Data, "m")).to_string(), "m");
        assert_eq!(source.locate(Error::new(ErrorKind::Data, "m").at("b.csv:3")).to_string(), "b.csv:3: m");
    }
}
