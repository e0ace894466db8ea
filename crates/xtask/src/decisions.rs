//! `cargo xtask decisions`: the engine beside a naive reading of the same words, and beside Cedar.

use crate::failure::Result;
use crate::process;
use crate::workspace::Workspace;

/// Cedar is in a workspace of its own, so that it never reaches the product's lock file.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let naive = ["test", "--release", "-p", "menshen-policy", "--test", "properties", "--", "--nocapture"];
    process::run(process::cargo().current_dir(&workspace.root).args(naive))?;
    let folder = workspace.root.join("tests/policy");
    process::run(process::cargo().current_dir(&folder).args(["fmt", "--check"]))?;
    process::run(process::cargo().current_dir(&folder).args([
        "run",
        "--release",
        "--locked",
        "--bin",
        "menshen-policy-proof",
    ]))
}
