//! Builds menshen-ffi and writes the Kotlin and Swift bindings generated from it.

use crate::failure::{During, Failure, Result};
use crate::workspace::Workspace;
use crate::{files, process};
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::PathBuf;

#[derive(Clone, Copy)]
pub(crate) enum Profile {
    Debug,
    Release,
}

/// Builds the host library, generates the bindings and returns the library's path.
pub(crate) fn run(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    let library = library(workspace, profile)?;
    let output = workspace.target.join("bindings");
    if output.exists() {
        fs::remove_dir_all(&output).during(output.display())?;
    }
    // A cargo call of its own: built together, the generator's features would end up in the library.
    process::run(
        process::cargo()
            .current_dir(&workspace.root)
            .args(["run", "--package", "menshen-bindgen", "--", "generate"])
            .args(["--config", "uniffi.toml", "--no-format"])
            .args(["--language", "kotlin", "--language", "swift", "--out-dir"])
            .args([&output, &library]),
    )?;

    let swift = workspace.swift().join("Sources");
    let places = [
        ("MenshenInternal.swift", swift.join("MenshenInternal/MenshenInternal.swift")),
        ("MenshenFFI.h", swift.join("MenshenFFI/MenshenFFI.h")),
        // SwiftPM looks for exactly this name.
        ("MenshenFFI.modulemap", swift.join("MenshenFFI/module.modulemap")),
        (
            "io/menshen/internal/menshen_ffi.kt",
            workspace.android().join("src/main/kotlin/io/menshen/internal/menshen_ffi.kt"),
        ),
    ];
    for (generated, place) in places {
        let generated = output.join(generated);
        if !generated.is_file() {
            return Err(Failure::new(format!(
                "the generator did not write {}: look at the names in uniffi.toml",
                generated.display()
            )));
        }
        let text = files::read(&generated)?;
        files::write(&place, tidy(&text).as_bytes())?;
    }
    Ok(library)
}

/// Builds the host library and returns its path.
pub(crate) fn library(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    let (flags, folder): (&[&str], _) = match profile {
        Profile::Debug => (&[], "debug"),
        Profile::Release => (&["--release"], "release"),
    };
    process::run(
        process::cargo().current_dir(&workspace.root).args(["build", "--package", "menshen-ffi"]).args(flags),
    )?;
    let library = workspace.target.join(folder);
    Ok(library.join(format!("{DLL_PREFIX}menshen_ffi{DLL_SUFFIX}")))
}

/// No trailing blanks, so that the files can be read in a diff.
fn tidy(text: &str) -> String {
    let mut clean: String = text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
    clean.truncate(clean.trim_end().len());
    clean.push('\n');
    clean
}
