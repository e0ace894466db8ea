//! `cargo xtask bench`: the figures that the README quotes, from one run on this machine, and the store beside its
//! peers.

use crate::failure::{Failure, Result};
use crate::generate::{self, Profile};
use crate::kotlin::Maven;
use crate::process::{self, Watched};
use crate::swift::Swift;
use crate::workspace::{self, Workspace};

/// The tests that measure one `is_allowed` through the hand-written layers; they print `is_allowed: N ns`.
const KOTLIN_COST: &str = "SessionTest";
const SWIFT_COST: &str = "testIsAllowedIsCheap";

/// `arguments` go to the bench of the store: `--full`, `--only FIGURE`, `--bless`. With one that picks figures of it,
/// only those are measured.
pub(crate) fn run(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    store(workspace, arguments)?;
    if arguments.iter().any(|argument| matches!(*argument, "--only" | "--bless")) {
        return Ok(());
    }
    process::run(process::cargo().current_dir(&workspace.root).args(["run", "--release", "--example", "bench"]))?;
    let mut rows = Vec::new();
    let mut missing = Vec::new();
    let kotlin = Maven::ensure().map(|maven| {
        let library = generate::run(workspace, Profile::Release)?;
        maven.test(workspace, &library, Some(KOTLIN_COST), None)
    });
    let swift = Swift::ensure().map(|swift| {
        let library = generate::run(workspace, Profile::Release)?;
        let only = ["--configuration", "release", "--filter", SWIFT_COST];
        swift.test(workspace, &library, &only, None)
    });
    for (language, outcome) in [("Kotlin (JVM)", kotlin), ("Swift", swift)] {
        match outcome {
            Ok(watched) => rows.push((language, cost(language, &watched?)?)),
            Err(absent) => missing.push(format!("{language}: NOT RUN: {absent}")),
        }
    }
    println!();
    for (language, cost) in rows {
        println!("is_allowed from {language}: {cost}");
    }
    for sentence in &missing {
        println!("{sentence}");
    }
    if workspace::is_ci() && !missing.is_empty() {
        return Err(Failure::new("a language could not run"));
    }
    Ok(())
}

/// The journal beside its peers. They are a workspace of their own, and SQLCipher needs OpenSSL of the system.
fn store(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let mut bench = process::cargo();
    bench.current_dir(workspace.root.join("tests/bench")).args(["run", "--release", "--locked", "--"]).args(arguments);
    process::run(&mut bench).map_err(|failure| {
        Failure::new(format!("{failure}\nits peers need pkg-config and OpenSSL's headers (Debian: libssl-dev)"))
    })
}

fn cost(language: &str, watched: &Watched) -> Result<String> {
    let figure = watched.lines.iter().find_map(|line| line.split_once("is_allowed: "));
    match figure {
        Some((_, cost)) if watched.success => Ok(cost.to_owned()),
        _ => Err(Failure::new(format!("{language}: the cost test printed no `is_allowed: N ns`"))),
    }
}
