//! `cargo xtask lint` and `cargo xtask audit`: what is checked without running the code.

use crate::failure::{Failure, Result};
use crate::process;
use crate::tools;
use crate::workspace::Workspace;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    process::run(cargo(workspace).args(["fmt", "--all", "--check"]))?;
    process::run(cargo(workspace).args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    process::run(deny(workspace)?.args(["bans", "licenses", "sources"]))?;
    the_ffi_library_has_no_http_client(workspace)?;
    files_are_tidy(workspace)
}

/// Looks for known vulnerabilities, where the advisory database can be reached.
pub(crate) fn audit(workspace: &Workspace) -> Result<()> {
    let patience = Duration::from_secs(180);
    let (success, text) = process::attempt(deny(workspace)?.arg("advisories"), patience)?;
    eprint!("{text}");
    if success {
        return Ok(());
    }
    // cargo-deny ends with `advisories FAILED` when it looked and found something.
    if text.contains("advisories FAILED") {
        return Err(Failure::new("a dependency has a known vulnerability"));
    }
    println!("audit: NOT RUN, the advisory database could not be fetched");
    Ok(())
}

fn cargo(workspace: &Workspace) -> Command {
    let mut cargo = process::cargo();
    cargo.current_dir(&workspace.root);
    cargo
}

fn deny(workspace: &Workspace) -> Result<Command> {
    let mut deny = Command::new(tools::cargo_deny()?);
    deny.current_dir(&workspace.root).args(["--workspace", "check"]);
    Ok(deny)
}

/// Phones bring their own transport; reqwest in the shipped library would be megabytes for nothing.
fn the_ffi_library_has_no_http_client(workspace: &Workspace) -> Result<()> {
    let tree = |package: &str| {
        let only_names = ["--edges", "normal", "--prefix", "none", "--format", "{p}"];
        process::capture(cargo(workspace).args(["tree", "--package", package]).args(only_names))
    };
    let has_client = |tree: &str| tree.lines().any(|line| line.starts_with("reqwest "));
    if has_client(&tree("menshen-ffi")?) {
        return Err(Failure::new("menshen-ffi depends on reqwest; `cargo tree -p menshen-ffi -i reqwest` says why"));
    }
    // The control: the same search finds it where it belongs.
    if !has_client(&tree("menshen")?) {
        return Err(Failure::new("the search for reqwest does not find it in menshen either"));
    }
    println!("menshen-ffi: no reqwest in its tree (control: menshen has it)");
    Ok(())
}

fn files_are_tidy(workspace: &Workspace) -> Result<()> {
    let list = process::capture(Command::new("git").current_dir(&workspace.root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let mut faults = Vec::new();
    let mut looked_at = 0;
    for name in list.split_terminator('\0') {
        let path = workspace.root.join(name);
        // A picture or a file that was just removed has no text.
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        looked_at += 1;
        faults.extend(fault_of(Path::new(name), &text));
    }
    if faults.is_empty() {
        println!("{looked_at} files: purpose stated, no registry host, no path of a machine");
        return Ok(());
    }
    Err(Failure::new(faults.join("\n")))
}

/// Files written by package managers, which name their registry.
const LOCK_FILES: [&str; 2] = ["Cargo.lock", "go.sum"];

fn fault_of(name: &Path, text: &str) -> Option<String> {
    let first = text.lines().next().unwrap_or_default();
    let opens_with: &[&str] = match name.extension()?.to_str()? {
        "rs" => &["//!"],
        "kt" | "kts" => &["//", "/*"],
        "swift" => &["//"],
        _ => &[""],
    };
    if !opens_with.iter().any(|mark| first.starts_with(mark)) {
        return Some(format!("{}:1: the first line does not say what the file is for", name.display()));
    }
    if LOCK_FILES.iter().any(|lock| name.ends_with(lock)) {
        return None;
    }
    text.lines().enumerate().find_map(|(index, line)| {
        let found = foreign_word(line)?;
        Some(format!("{}:{}: `{found}` belongs to a machine, not here", name.display(), index + 1))
    })
}

/// A registry's host, or a path that exists on somebody's machine only.
fn foreign_word(line: &str) -> Option<&'static str> {
    const HOSTS: [&str; 7] = [
        concat!("repo1.", "maven.org"),
        concat!("repo.", "maven.apache.org"),
        concat!("pypi", ".org"),
        concat!("proxy.", "golang.org"),
        concat!("registry.", "npmjs.org"),
        concat!("deb.", "debian.org"),
        concat!("index.", "crates.io"),
    ];
    const FOLDERS: [&str; 4] =
        [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];
    let starts_a_path = |folder: &&&str| {
        line.match_indices(**folder).any(|(at, _)| {
            // Inside a longer path or an address it is an ordinary word.
            let before = line.as_bytes().get(at.wrapping_sub(1));
            !before.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"._-~}*)".contains(byte))
        })
    };
    let host = HOSTS.iter().find(|host| line.contains(**host));
    host.or_else(|| FOLDERS.iter().find(starts_a_path)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_file_must_open_with_its_purpose() {
        let fault = |name: &str, text: &str| fault_of(Path::new(name), text);
        assert!(fault("a.rs", "use std::fs;\n").is_some());
        assert_eq!(fault("a.rs", "//! Reads.\nuse std::fs;\n"), None);
        assert_eq!(fault("Package.swift", "// swift-tools-version:6.0\n"), None);
        assert!(fault("A.kt", "package a\n").is_some());
        assert_eq!(fault("a.json", "{}"), None);
    }

    #[test]
    fn a_registry_or_a_machine_path_is_found_but_not_the_same_word_in_a_longer_path() {
        for line in [["see pypi", ".org/x"], ["open /ho", "me/me/x"], ["\"/ro", "ot/x\""]] {
            assert!(foreign_word(&line.concat()).is_some(), "{line:?}");
        }
        for line in [["https://a.test/ho", "me/x"], ["bindings/wo", "rk/x"]] {
            assert_eq!(foreign_word(&line.concat()), None, "{line:?}");
        }
    }
}
