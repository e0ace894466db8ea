//! The programmes of `cargo xtask torture` that are none of `menshen-torture`'s, because they need another program: the
//! golden stores.

use crate::failure::Result;
use crate::process;
use crate::reader;
use crate::torture::{Counts, Outcome};
use crate::workspace::Workspace;
use std::time::Instant;

/// Runs one: in full or at the figure of CI, at most so many seconds where there is a limit.
pub(crate) type Outside = fn(&Workspace, bool, Option<f64>) -> Result<Outcome>;

/// Each with its share of the minutes and its title.
pub(crate) const PROGRAMMES: &[(&str, f64, &str, Outside)] =
    &[("S13", 0.2, "the golden stores of every format, read by this version and by the independent reader", golden)];

/// Every store is read twice: by this version, which also writes it anew byte by byte, and by the independent reader.
fn golden(workspace: &Workspace, _full: bool, _seconds: Option<f64>) -> Result<Outcome> {
    let started = Instant::now();
    let mut cargo = process::cargo();
    cargo.current_dir(&workspace.root).args(["test", "-p", "menshen-journal", "--test", "golden"]);
    let own = process::watch(&mut cargo)?;
    let (stores, failures) = match reader::run(workspace)? {
        reader::Outcome::Read { stores, failures } => (stores, failures),
        reader::Outcome::NotRun(why) => return Ok(Outcome::NotRun(why)),
    };
    Ok(Outcome::Ran(Counts {
        count: 2 * stores,
        failures: failures + u64::from(!own.success),
        seconds: started.elapsed().as_secs_f64(),
        planted: "found: spoiled copies".to_owned(),
        is_found: failures == 0,
    }))
}
