//! `Failure`: an error on its way to the user.

use mapsto::Error;
use mapsto_experiment::printable;

use crate::advice::{in_words_of_files, without_lines};

/// What a subcommand failed with.
#[derive(Debug)]
pub struct Failure(Error);

impl Failure {
    /// The text for standard error.
    pub fn text(&self) -> String {
        let error = in_words_of_files(self.0.clone());
        let text = error.to_string();
        let placed = error.location().is_some_and(|at| text.starts_with(&*at));
        printable(&without_lines(&if placed { text } else { format!("error: {text}") }))
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
