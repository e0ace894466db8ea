//! `cargo xtask test`: the tests of the three languages, and one table of what ran.

use crate::bad_input::Table;
use crate::disk::SmallDisk;
use crate::failure::{Failure, Result};
use crate::generate::{self, Profile};
use crate::kotlin::Maven;
use crate::process::{self, Watched};
use crate::reader;
use crate::swift::Swift;
use crate::workspace::{self, Workspace};
use std::time::{Duration, Instant};

/// Fewer shared vectors than this means that a runner did not find them.
const FEWEST_VECTORS: u64 = 60;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    Kotlin,
    Swift,
}

impl Language {
    const ALL: [Self; 3] = [Self::Rust, Self::Kotlin, Self::Swift];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Kotlin => "kotlin",
            Self::Swift => "swift",
        }
    }
}

/// What became of one language.
enum Outcome {
    Ran(Counts),
    /// With the sentence that says what to install.
    NotRun(String),
}

struct Counts {
    passed: u64,
    failed: u64,
    vectors: u64,
    success: bool,
}

pub(crate) fn run(workspace: &Workspace, names: &[&str]) -> Result<()> {
    let mut languages = Vec::new();
    for name in names {
        let found = Language::ALL.into_iter().find(|language| language.name() == *name);
        languages.push(found.ok_or_else(|| Failure::new(format!("`{name}` is not one of rust, kotlin, swift")))?);
    }
    if languages.is_empty() {
        languages.extend(Language::ALL);
    }

    // In the Swift package, because that is seen from inside Swift's root folder too.
    let disk = SmallDisk::at(workspace.swift().join(".build/disk"));
    if disk.is_none() {
        eprintln!("no small disk can be mounted here, so the tests that fill a disk are NOT RUN");
    }
    let mut rows = Vec::new();
    let (mut ran, mut bad_input) = (Vec::new(), Table::default());
    for language in languages {
        eprintln!("\n== {} ==", language.name());
        let start = Instant::now();
        let outcome = match run_one(workspace, language, disk.as_ref())? {
            Ok(watched) => {
                ran.push(language);
                bad_input.add(language, &watched.lines);
                Outcome::Ran(counts(language, &watched))
            }
            Err(missing) => Outcome::NotRun(missing),
        };
        rows.push((language, outcome, start.elapsed()));
    }
    let reader = ran.contains(&Language::Rust).then(|| reader::run(workspace)).transpose()?;
    bad_input.print(&ran);
    print_table(&rows);
    let is_ci = workspace::is_ci();
    let mut faults = faults(&rows, is_ci);
    match reader {
        Some(reader::Outcome::Read { failures, .. }) if failures > 0 => {
            faults.push("the independent reader reads a store otherwise".to_owned());
        }
        Some(reader::Outcome::NotRun(why)) => {
            println!("the independent reader: NOT RUN: {why}");
            if is_ci {
                faults.push("the independent reader could not run".to_owned());
            }
        }
        _ => {}
    }
    faults.extend(bad_input.faults(&ran, is_ci));
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(faults.join("; "))) }
}

/// What its tests printed, or the sentence that says what to install.
fn run_one(
    workspace: &Workspace,
    language: Language,
    disk: Option<&SmallDisk>,
) -> Result<std::result::Result<Watched, String>> {
    let watched = match language {
        Language::Rust => {
            let mut tests = process::cargo();
            tests
                .current_dir(&workspace.root)
                // Without the generator: its features of uniffi would be built into everything.
                .args(["test", "--workspace", "--exclude", "menshen-bindgen"])
                // The published schema is compared with the types that it comes from.
                .args(["--features", "menshen-policy/schema"])
                // The vectors' count is printed by a test that passes.
                .args(["--", "--show-output"]);
            process::watch(&mut SmallDisk::mounted(disk, tests))?
        }
        Language::Kotlin => {
            let maven = match Maven::ensure() {
                Ok(maven) => maven,
                Err(missing) => return Ok(Err(missing.to_string())),
            };
            let library = generate::run(workspace, Profile::Debug)?;
            maven.test(workspace, &library, None, disk)?
        }
        Language::Swift => {
            let swift = match Swift::ensure() {
                Ok(swift) => swift,
                Err(missing) => return Ok(Err(missing.to_string())),
            };
            let library = generate::run(workspace, Profile::Debug)?;
            swift.test(workspace, &library, &[], disk)?
        }
    };
    Ok(Ok(watched))
}

fn counts(language: Language, watched: &Watched) -> Counts {
    let lines = watched.lines.iter().map(String::as_str);
    let (passed, failed) = match language {
        Language::Rust => rust_results(&watched.lines),
        Language::Kotlin => lines.filter_map(kotlin_result).next_back().unwrap_or((0, 0)),
        Language::Swift => {
            // XCTest repeats its sum for every enclosing suite; Swift Testing adds one of its own.
            let xctest = lines.clone().filter_map(xctest_result).next_back();
            let testing = lines.filter_map(swift_testing_result).next_back();
            xctest.into_iter().chain(testing).fold((0, 0), add)
        }
    };
    let vectors = watched.lines.iter().filter_map(|line| vectors_executed(line)).sum();
    Counts { passed, failed, vectors, success: watched.success }
}

/// Passed and failed over all that `cargo test` printed.
pub(crate) fn rust_results(lines: &[String]) -> (u64, u64) {
    lines.iter().filter_map(|line| rust_result(line)).fold((0, 0), add)
}

fn add(sum: (u64, u64), more: (u64, u64)) -> (u64, u64) {
    (sum.0 + more.0, sum.1 + more.1)
}

/// `test result: ok. 5 passed; 0 failed; 0 ignored; …`
fn rust_result(line: &str) -> Option<(u64, u64)> {
    let counts = line.strip_prefix("test result: ")?;
    Some((number_before(counts, " passed")?, number_before(counts, " failed")?))
}

/// Maven's sum over all classes: `[INFO] Tests run: 5, Failures: 0, Errors: 0, Skipped: 0`, without a class name.
fn kotlin_result(line: &str) -> Option<(u64, u64)> {
    let counts = line.split_once("Tests run: ")?.1;
    if counts.contains("Time elapsed") {
        return None;
    }
    let mut numbers = counts.split(", ").map(|part| {
        let digits = part.rsplit(": ").next().unwrap_or(part);
        digits.trim().parse::<u64>().ok()
    });
    let (all, failures, errors, skipped) = (numbers.next()??, numbers.next()??, numbers.next()??, numbers.next()??);
    let failed = failures + errors;
    Some((all.saturating_sub(failed + skipped), failed))
}

/// `Executed 5 tests, with 1 failure (0 unexpected) in …`
fn xctest_result(line: &str) -> Option<(u64, u64)> {
    let counts = line.trim().strip_prefix("Executed ")?;
    let all = number_before(counts, " test")?;
    // With skips it reads `with 1 test skipped and 0 failures`.
    let failed = number_before(counts, " failure")?;
    let skipped = number_before(counts, " test skipped").or(number_before(counts, " tests skipped"));
    Some((all.saturating_sub(failed + skipped.unwrap_or(0)), failed))
}

/// `✔ Test run with 3 tests passed after …`, `✘ Test run with 3 tests in 1 suite failed after … with 1 issue.`
fn swift_testing_result(line: &str) -> Option<(u64, u64)> {
    let counts = line.split_once("Test run with ")?.1;
    let all = number_before(counts, " test")?;
    if counts.contains(" failed after ") {
        let failed = number_before(counts, " issue").unwrap_or(1).min(all);
        return Some((all - failed, failed));
    }
    Some((all, 0))
}

/// `vectors executed: 64`, alone or with the test framework's words before it.
fn vectors_executed(line: &str) -> Option<u64> {
    line.split_once("vectors executed: ")?.1.split_whitespace().next()?.parse().ok()
}

/// The number that ends where a word begins.
fn number_before(text: &str, word: &str) -> Option<u64> {
    let before = text.split_once(word)?.0;
    before.rsplit(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

fn print_table(rows: &[(Language, Outcome, Duration)]) {
    println!("\n{:<10}{:>8}{:>8}{:>10}{:>10}", "language", "passed", "failed", "vectors", "minutes");
    for (language, outcome, time) in rows {
        let minutes = time.as_secs_f64() / 60.0;
        match outcome {
            Outcome::Ran(counts) => println!(
                "{:<10}{:>8}{:>8}{:>10}{minutes:>10.1}",
                language.name(),
                counts.passed,
                counts.failed,
                counts.vectors
            ),
            Outcome::NotRun(missing) => println!("{:<10}NOT RUN: {missing}", language.name()),
        }
    }
}

/// What is wrong with what ran, or did not.
fn faults(rows: &[(Language, Outcome, Duration)], is_ci: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let mut first: Option<(Language, u64)> = None;
    for (language, outcome, _) in rows {
        let name = language.name();
        let counts = match outcome {
            Outcome::Ran(counts) => counts,
            Outcome::NotRun(_) if is_ci => {
                faults.push(format!("{name} could not run"));
                continue;
            }
            Outcome::NotRun(_) => continue,
        };
        if !counts.success || counts.failed > 0 {
            faults.push(format!("{name} failed"));
        } else if counts.passed == 0 {
            faults.push(format!("{name} ran no test"));
        } else if counts.vectors < FEWEST_VECTORS {
            faults.push(format!("{name} executed {} vectors, fewer than {FEWEST_VECTORS}", counts.vectors));
        }
        match first {
            None => first = Some((*language, counts.vectors)),
            Some((other, vectors)) if vectors != counts.vectors => {
                faults.push(format!("{} executed {vectors} vectors, {name} {}", other.name(), counts.vectors))
            }
            Some(_) => {}
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(vectors: u64) -> Outcome {
        Outcome::Ran(Counts { passed: 1, failed: 0, vectors, success: true })
    }

    fn judged(outcomes: [Outcome; 3], is_ci: bool) -> Option<String> {
        let rows: Vec<_> = Language::ALL
            .into_iter()
            .zip(outcomes)
            .map(|(language, outcome)| (language, outcome, Duration::ZERO))
            .collect();
        let faults = faults(&rows, is_ci);
        if faults.is_empty() { None } else { Some(faults.join("; ")) }
    }

    #[test]
    fn results_are_read_from_what_each_test_runner_prints() {
        let rust = "test result: FAILED. 5 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(rust_result(rust), Some((5, 1)));
        let class = "[INFO] Tests run: 2, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.1 s -- in T";
        assert_eq!(kotlin_result(class), None);
        let sum = "[ERROR] Tests run: 7, Failures: 1, Errors: 2, Skipped: 1";
        assert_eq!(kotlin_result(sum), Some((3, 3)));
        let xctest = "\t Executed 5 tests, with 1 failure (0 unexpected) in 0.0 (0.0) seconds";
        assert_eq!(xctest_result(xctest), Some((4, 1)));
        let skips = "Executed 5 tests, with 2 tests skipped and 0 failures (0 unexpected)";
        assert_eq!(xctest_result(skips), Some((3, 0)));
        let testing = "✔ Test run with 3 tests passed after 0.001 seconds.";
        assert_eq!(swift_testing_result(testing), Some((3, 0)));
        let testing = "✘ Test run with 3 tests in 1 suite failed after 0.001 seconds with 1 issue.";
        assert_eq!(swift_testing_result(testing), Some((2, 1)));
        assert_eq!(vectors_executed("T > vectors executed: 64"), Some(64));
    }

    #[test]
    fn three_languages_with_equal_vectors_pass() {
        assert_eq!(judged([ran(64), ran(64), ran(64)], true), None);
    }

    #[test]
    fn unequal_or_too_few_vectors_fail() {
        let unequal = judged([ran(64), ran(63), ran(64)], false);
        assert_eq!(unequal.as_deref(), Some("rust executed 64 vectors, kotlin 63"));
        assert!(judged([ran(0), ran(0), ran(0)], false).is_some());
    }

    #[test]
    fn a_language_that_could_not_run_fails_on_the_build_server_only() {
        let missing = || Outcome::NotRun("install it".into());
        assert_eq!(judged([ran(64), missing(), ran(64)], false), None);
        let failure = judged([ran(64), missing(), ran(64)], true);
        assert_eq!(failure.as_deref(), Some("kotlin could not run"));
    }

    #[test]
    fn a_runner_that_failed_fails_whatever_it_counted() {
        let crashed = Outcome::Ran(Counts { passed: 9, failed: 0, vectors: 64, success: false });
        assert_eq!(judged([crashed, ran(64), ran(64)], false).as_deref(), Some("rust failed"));
    }
}
