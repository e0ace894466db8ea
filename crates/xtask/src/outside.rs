//! The programmes of `cargo xtask torture` that are none of `menshen-torture`'s, because they need another program: the
//! golden stores, the fuzz targets, the sanitizers.

use crate::failure::{During, Result};
use crate::fuzz;
use crate::process;
use crate::reader;
use crate::torture::{Counts, Outcome};
use crate::workspace::Workspace;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Runs one: in full or at the figure of CI, at most so many seconds where there is a limit.
pub(crate) type Outside = fn(&Workspace, bool, Option<f64>) -> Result<Outcome>;

/// Each with its share of the minutes and its title.
pub(crate) const PROGRAMMES: &[(&str, f64, &str, Outside)] = &[
    (
        "S9",
        1.5,
        "eight fuzz targets: segment, ledger, keys, manifest, policy, decision, server's reply, bridge",
        fuzzing,
    ),
    ("S16", 1.0, "the journal's tests under AddressSanitizer and ThreadSanitizer", sanitizers),
    ("C2", 0.3, "vectors made by an independent implementation, seals of two keys (C6) among them", vectors),
    ("S13", 0.2, "the golden stores of every format, read by this version and by the independent reader", golden),
];

/// The targets share the seconds; without a limit each has a minute, in full an hour.
fn fuzzing(workspace: &Workspace, full: bool, seconds: Option<f64>) -> Result<Outcome> {
    let started = Instant::now();
    let each = match seconds {
        Some(seconds) => (seconds / 8.0).max(1.0) as u64,
        None if full => 3600,
        None => 60,
    };
    let counts = fuzz::all(workspace, each)?;
    let planted = match counts.missed.as_slice() {
        [] => "found".to_owned(),
        missed => format!("NOT FOUND: {}", missed.join(", ")),
    };
    Ok(Outcome::Ran(Counts {
        count: counts.runs,
        failures: counts.failures,
        seconds: started.elapsed().as_secs_f64(),
        planted,
        is_found: counts.missed.is_empty(),
    }))
}

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

/// The test fails if fewer than 150 of them differ from their golden stores, so a reader that changes nothing fails.
fn vectors(workspace: &Workspace, _full: bool, _seconds: Option<f64>) -> Result<Outcome> {
    let started = Instant::now();
    let mut cargo = process::cargo();
    cargo.current_dir(&workspace.root).args(["test", "-p", "menshen-journal", "--test", "golden", "every_vector"]);
    let watched = process::watch(cargo.args(["--", "--nocapture"]))?;
    let sum = watched.lines.iter().find_map(|line| line.split_once("store vectors: ")?.1.split_once(", "));
    let (count, failures) = sum.unwrap_or(("0", "1 failures"));
    let failures: u64 = failures.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(1);
    Ok(Outcome::Ran(Counts {
        count: count.parse().unwrap_or(0),
        failures: failures.max(u64::from(!watched.success)),
        seconds: started.elapsed().as_secs_f64(),
        planted: "found: every change is seen".to_owned(),
        is_found: watched.success,
    }))
}

/// A program with the error that each sanitizer has to see.
const OVERFLOW: &str = "fn main() { let v = vec![1_u8; 8]; let p = v.as_ptr(); \
    std::hint::black_box(unsafe { std::ptr::read_volatile(p.add(std::hint::black_box(9))) }); }";

/// The tests of the journal under AddressSanitizer. ThreadSanitizer needs a standard library built with it, so the
/// toolchain's source of that; where that is not to be had it is said aloud.
fn sanitizers(workspace: &Workspace, _full: bool, _seconds: Option<f64>) -> Result<Outcome> {
    let started = Instant::now();
    let machine = process::capture(Command::new("rustc").args(["--print", "host-tuple"]))?.trim().to_owned();
    let root = process::capture(Command::new("rustc").args(["--print", "sysroot"]))?;
    let is_found = address_sees_the_planted(&workspace.target.join("sanitized"))?;
    let has_source = Path::new(root.trim()).join("lib/rustlib/src/rust/library").is_dir();
    let mut kinds = vec!["address"];
    if has_source {
        kinds.push("thread");
    } else {
        println!("ThreadSanitizer: NOT RUN: this toolchain comes without the source of its library (rust-src)");
    }
    let (mut count, mut failures) = (0, 0);
    for kind in kinds {
        let mut cargo = process::cargo();
        cargo.current_dir(&workspace.root).env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", format!("-Zsanitizer={kind}"));
        cargo.args(["test", "-p", "menshen-journal", "--tests", "--target", &machine]);
        cargo.arg("--target-dir").arg(workspace.target.join("sanitized").join(kind));
        if kind == "thread" {
            cargo.arg("-Zbuild-std");
        }
        // A child that forked has one thread only, and AddressSanitizer none of the locks that it needs in it.
        cargo.args(["--", "--skip", "fork"]);
        let watched = process::watch(&mut cargo)?;
        let (passed, failed) = crate::test::rust_results(&watched.lines);
        count += passed + failed;
        failures += failed + u64::from(!watched.success && failed == 0);
    }
    let planted = if is_found { "found" } else { "NOT FOUND: a read behind a buffer" };
    let planted = if has_source { planted.to_owned() } else { format!("{planted}; ThreadSanitizer NOT RUN") };
    Ok(Outcome::Ran(Counts { count, failures, seconds: started.elapsed().as_secs_f64(), planted, is_found }))
}

fn address_sees_the_planted(folder: &Path) -> Result<bool> {
    fs::create_dir_all(folder).during(folder.display())?;
    let (source, program) = (folder.join("planted.rs"), folder.join("planted"));
    fs::write(&source, OVERFLOW).during(source.display())?;
    let mut rustc = Command::new("rustc");
    rustc.env("RUSTC_BOOTSTRAP", "1").args(["-Zsanitizer=address", "-o"]).arg(&program).arg(&source);
    process::run(&mut rustc)?;
    let (success, text) = process::attempt(&mut Command::new(program), std::time::Duration::from_secs(30))?;
    Ok(!success && text.contains("AddressSanitizer"))
}
