//! A policy read from a file, with the text that its errors and findings point into.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use menshen::{Errors, Policy};

use crate::failure::{Failure, Result};
use crate::output;

/// A policy's text, and the name that messages call it by.
pub(crate) struct PolicyFile {
    pub(crate) name: String,
    bytes: Vec<u8>,
}

impl PolicyFile {
    /// Reads a file; `-` stands for standard input.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if path.as_os_str() == "-" {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(|error| Failure::new(format!("standard input cannot be read: {error}")))?;
            return Ok(Self { name: "stdin".to_owned(), bytes });
        }
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| unreadable(&name, &error))?;
        Ok(Self { name, bytes })
    }

    /// Reads and checks the policy.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn policy(&self) -> std::result::Result<Policy, Errors> {
        Policy::read(&self.bytes)
    }

    /// The policy, for a command that can do nothing without one.
    pub(crate) fn checked(&self) -> Result<Policy> {
        self.policy()
            .map_err(|errors| Failure::new(format!("`{}` is not a right policy\n{}", self.name, self.render(&errors))))
    }

    /// The errors, each with the line that it speaks of.
    pub(crate) fn render(&self, errors: &Errors) -> String {
        let text = self.text();
        let drawn = errors.iter().map(|error| output::drawn(&error.drawing(&text, &self.name), output::BAD));
        let mut drawn = drawn.collect::<Vec<_>>().join("\n");
        if errors.omitted() > 0 {
            // Writing to a string cannot fail.
            let _ = writeln!(drawn, "\nand {} more", errors.omitted());
        }
        drawn
    }

    /// The document as it was read.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text, for places in it.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Says that a file cannot be read, and what to do where that is known.
pub(crate) fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    let why = match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    };
    Failure::new(format!("`{name}` cannot be read: {why}"))
}
