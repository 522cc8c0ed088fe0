//! `Failure`: an error on its way to the user, its place already looked up in the source it came from.

use mapsto::Error;

use crate::source::Sources;

/// What a subcommand failed with.
#[derive(Debug)]
pub struct Failure(Error);

impl Failure {
    /// An error whose span points into `sources`.
    pub fn within(sources: &Sources) -> impl Fn(Error) -> Failure + '_ {
        |error| Failure(sources.locate(error))
    }

    /// The text for standard error.
    pub fn text(&self) -> String {
        let text = self.0.to_string();
        let placed = self.0.location().is_some_and(|at| text.starts_with(&*at));
        if placed { text } else { format!("error: {text}") }
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        self.0.kind().exit_code() as u8
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure(error)
    }
}
