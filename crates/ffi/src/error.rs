//! One error with a stable code and fields, for the layers to turn into their own typed errors.

use std::collections::HashMap;
use std::fmt;

use menshen::Error;

/// Why a call could not be carried out.
#[derive(Debug, uniffi::Error)]
#[uniffi::export(Debug)]
pub enum BridgeError {
    /// A failure of the library.
    Failed {
        /// The stable code, in kebab-case.
        code: String,
        /// What happened and what to do, in English.
        text: String,
        /// The parts of the message by name.
        fields: HashMap<String, String>,
        /// Everything wrong with a policy document.
        problems: Vec<BridgeProblem>,
    },
}

/// One thing wrong with a policy document.
#[derive(Clone, Debug, uniffi::Record)]
pub struct BridgeProblem {
    /// The stable code, in kebab-case.
    pub code: String,
    /// What is wrong.
    pub text: String,
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// The line, counted from 1.
    pub line: i32,
    /// The column, counted from 1.
    pub column: i32,
    /// What to do, where the library has an idea.
    pub help: Option<String>,
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Failed { text, .. } = self;
        f.write_str(text)
    }
}

impl std::error::Error for BridgeError {}

impl From<Error> for BridgeError {
    fn from(error: Error) -> Self {
        let fields = error.fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let problems = match &error {
            Error::Policy(errors) => errors.iter().map(problem).collect(),
            _ => Vec::new(),
        };
        Self::Failed { code: error.code().to_owned(), text: error.to_string(), fields, problems }
    }
}

fn problem(error: &menshen::PolicyError) -> BridgeProblem {
    let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    BridgeProblem {
        code: error.code().to_owned(),
        text: error.message.clone(),
        pointer: error.pointer.clone(),
        line: number(error.position.line),
        column: number(error.position.column),
        help: error.help.clone(),
    }
}
