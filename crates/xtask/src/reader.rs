//! The independent reader of the store, written in Python from `FORMAT.md` alone: it reads every golden store, after it
//! noticed every copy that was spoiled for it.

use crate::failure::Result;
use crate::process;
use crate::tools;
use crate::workspace::Workspace;

/// What became of it.
pub(crate) enum Outcome {
    Read {
        stores: u64,
        /// Stores that were read otherwise than expected and spoiled copies that were not noticed.
        failures: u64,
    },
    NotRun(String),
}

pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    let mut python = match tools::python_with_cryptography() {
        Ok(python) => python,
        Err(why) => return Ok(Outcome::NotRun(why.to_string())),
    };
    let tests = workspace.root.join("tests");
    let watched = process::watch(python.arg(tests.join("reader/check.py")).arg(tests.join("golden/0")))?;
    Ok(outcome(&watched.lines, watched.success))
}

/// `reader: 8 stores read, 13 of 13 spoiled copies noticed`, and a line `FAILED …` for each failure.
fn outcome(lines: &[String], success: bool) -> Outcome {
    let stores = lines.iter().find_map(|line| {
        let (stores, _) = line.strip_prefix("reader: ")?.split_once(' ')?;
        stores.parse().ok()
    });
    let failures = lines.iter().filter(|line| line.starts_with("FAILED ")).count() as u64;
    // One that ended without a word failed, too.
    let failures = if success && stores.is_some() { failures } else { failures.max(1) };
    Outcome::Read { stores: stores.unwrap_or(0), failures }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(lines: &[&str], success: bool) -> (u64, u64) {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        match outcome(&lines, success) {
            Outcome::Read { stores, failures } => (stores, failures),
            Outcome::NotRun(why) => panic!("{why}"),
        }
    }

    #[test]
    fn stores_and_failures_are_read_from_what_the_reader_prints() {
        let sum = "reader: 8 stores read, 13 of 13 spoiled copies noticed";
        assert_eq!(counted(&[sum], true), (8, 0));
        assert_eq!(counted(&["plain: records", sum, "FAILED plain: otherwise", "FAILED ledger"], false), (8, 2));
    }

    #[test]
    fn a_reader_that_fell_over_failed() {
        assert_eq!(counted(&["Traceback (most recent call last):"], false), (0, 1));
        assert_eq!(counted(&[], true), (0, 1));
    }
}
