//! A policy read from a file, with the text that its errors and findings point into.

use std::path::Path;

use menshen::{Errors, Policy};

use crate::failure::{Failure, Result};

/// A policy's text, and the name that messages call it by.
pub(crate) struct PolicyFile {
    pub(crate) name: String,
    bytes: Vec<u8>,
}

impl PolicyFile {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| Failure::new(format!("`{name}` cannot be read: {error}")))?;
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
        self.policy().map_err(|errors| Failure::new(format!("not a right policy\n{}", self.render(&errors))))
    }

    pub(crate) fn render(&self, errors: &Errors) -> String {
        errors.render(&self.text(), &self.name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}
