//! `cargo xtask api`: the public Kotlin and Swift surface, compared with the snapshots in bindings/api.

use crate::declarations::{self, Syntax};
use crate::failure::{Failure, Result};
use crate::files;
use crate::generate::{self, Profile};
use crate::workspace::Workspace;
use std::path::{Path, PathBuf};

pub(crate) fn compare(workspace: &Workspace) -> Result<()> {
    let mut changed = Vec::new();
    let surfaces = surfaces(workspace)?;
    // The generated names all begin so. Swift's compiler keeps them out by itself.
    if let Some(line) = surfaces[0].1.lines().find(|line| line.contains("Bridge")) {
        return Err(Failure::new(format!("a generated type is in the public surface: `{}`", line.trim())));
    }
    for (path, current) in surfaces {
        let kept = if path.is_file() { files::read(&path)? } else { String::new() };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if kept == current {
            println!("{name}: {} declarations, unchanged", declarations_in(&current));
            continue;
        }
        println!("{name}: changed");
        for line in kept.lines().filter(|line| !current.lines().any(|other| other == *line)) {
            println!("  - {line}");
        }
        for line in current.lines().filter(|line| !kept.lines().any(|other| other == *line)) {
            println!("  + {line}");
        }
        changed.push(name);
    }
    if changed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} changed; if that is meant, `cargo xtask api --bless` and say it in CHANGELOG.md",
        changed.join(" and ")
    )))
}

pub(crate) fn bless(workspace: &Workspace) -> Result<()> {
    for (path, current) in surfaces(workspace)? {
        files::write(&path, current.as_bytes())?;
        println!("wrote {}: {} declarations", path.display(), declarations_in(&current));
    }
    Ok(())
}

/// Each snapshot's path and what it would say now.
fn surfaces(workspace: &Workspace) -> Result<[(PathBuf, String); 3]> {
    generate::run(workspace, Profile::Debug)?;
    let api = workspace.root.join("bindings/api");
    let kotlin = workspace.android().join("src/main/kotlin");
    let generated = kotlin.join("io/menshen/internal");
    let hand_written: Vec<PathBuf> =
        files::under(&kotlin, &["kt"])?.into_iter().filter(|path| !path.starts_with(&generated)).collect();
    let swift = workspace.swift().join("Sources/Menshen");
    Ok([
        (api.join("kotlin.txt"), surface(&kotlin, &hand_written, Syntax::Kotlin)?),
        (api.join("swift.txt"), surface(&swift, &files::under(&swift, &["swift"])?, Syntax::Swift)?),
        // One language stands for both: they come from the same metadata.
        (
            api.join("generated.txt"),
            without_machinery(&surface(&kotlin, &files::under(&generated, &["kt"])?, Syntax::Kotlin)?),
        ),
    ])
}

fn surface(base: &Path, sources: &[PathBuf], syntax: Syntax) -> Result<String> {
    let mut text = String::new();
    for path in sources {
        let declarations = declarations::public(&files::read(path)?, syntax);
        if declarations.is_empty() {
            continue;
        }
        let name = path.strip_prefix(base).unwrap_or(path);
        text.push_str(&format!("# {}\n", name.display()));
        for line in declarations {
            text.push_str(&line);
            text.push('\n');
        }
    }
    Ok(text)
}

/// Leaves out what the generator writes for itself, with everything inside it.
fn without_machinery(surface: &str) -> String {
    let mut hidden_depth = None;
    let mut text = String::new();
    for line in surface.lines() {
        let depth = line.len() - line.trim_start().len();
        if hidden_depth.is_some_and(|hidden| depth > hidden) {
            continue;
        }
        hidden_depth = None;
        if ["FfiConverter", "uniffi", "Uniffi", "UniFfi", "RustBuffer"].iter().any(|word| line.contains(word)) {
            hidden_depth = Some(depth);
            continue;
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn declarations_in(surface: &str) -> usize {
    surface.lines().filter(|line| !line.starts_with('#')).count()
}
