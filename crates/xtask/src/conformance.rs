//! `cargo xtask conformance`: what a record store promises, over the journal and over its twin made of SQLite.

use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;
use std::time::Duration;

/// What the options set for the tests.
const OPTIONS: [(&str, &str); 2] = [("--walks", "CONFORMANCE_WALKS"), ("--seed", "CONFORMANCE_SEED")];
/// The tests begin every line that is for the reader of a good run with this.
const MARK: &str = "conformance: ";

/// SQLite is in a workspace of its own. A good run says its counts alone: the twins with a fault fail at length.
pub(crate) fn run(workspace: &Workspace, options: &[&str]) -> Result<()> {
    let folder = workspace.root.join("tests/conformance");
    process::run(process::cargo().current_dir(&folder).args(["fmt", "--check"]))?;
    let mut tests = process::cargo();
    tests.current_dir(&folder).args(["test", "--locked", "--", "--show-output"]);
    for option in options.chunks(2) {
        let named = OPTIONS.iter().find(|(name, _)| option.first() == Some(name));
        let (Some((_, variable)), Some(value)) = (named, option.get(1)) else {
            return Err(Failure::new("usage: cargo xtask conformance [--walks N] [--seed N]"));
        };
        tests.env(variable, value);
    }
    let (success, text) = process::attempt(&mut tests, Duration::from_secs(3600))?;
    if !success {
        return Err(Failure::new(format!("{text}\na behaviour does not hold, or the stores differ")));
    }
    let said = |line: &&str| line.starts_with(MARK);
    if !text.lines().any(|line| said(&line)) {
        return Err(Failure::new("the suite said nothing of what it ran"));
    }
    text.lines().filter(said).for_each(|line| println!("{line}"));
    Ok(())
}
