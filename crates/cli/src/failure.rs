//! What keeps a command from doing its work. Exit code 2; 1 is what a command found.

use std::fmt;
use std::process::ExitCode;

/// A command could not do its work: what happened, and where.
#[derive(Debug)]
pub(crate) struct Failure(String);

/// What a command answers: the exit code that says what it found.
pub(crate) type Result<T = ExitCode> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The exit code of every failure.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(2)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
