//! `cargo xtask size`: the bytes that the library adds to an app.

use crate::failure::{During, Failure, Result};
use crate::process;
use crate::workspace::Workspace;
use std::env::consts::{ARCH, DLL_PREFIX, DLL_SUFFIX, OS};
use std::fs;
use std::process::Command;

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    process::run(process::cargo().current_dir(&workspace.root).args([
        "build",
        "--package",
        "menshen-ffi",
        "--profile",
        "mobile",
    ]))?;
    let file = format!("{DLL_PREFIX}menshen_ffi{DLL_SUFFIX}");
    let built = workspace.target.join("mobile").join(&file);
    // A copy: the bindings can be generated from the unstripped library only.
    let stripped = workspace.target.join("size").join(&file);
    if let Some(folder) = stripped.parent() {
        fs::create_dir_all(folder).during(folder.display())?;
    }
    fs::copy(&built, &stripped).during(built.display())?;
    let strip = ["llvm-strip", "strip"]
        .into_iter()
        .find_map(process::find)
        .ok_or_else(|| Failure::new("neither `llvm-strip` nor `strip` is there: install binutils"))?;
    process::run(Command::new(strip).arg(&stripped))?;
    let bytes = fs::metadata(&stripped).during(stripped.display())?.len();
    let gzip = Command::new("gzip").args(["-9", "-c"]).arg(&stripped).output().during("gzip")?;
    println!("{file} for {OS} {ARCH}: {bytes} bytes stripped, {} bytes gzip", gzip.stdout.len());
    Ok(())
}
