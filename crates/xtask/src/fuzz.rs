//! `cargo xtask fuzz`: the fuzz targets of `tests/fuzz` with libFuzzer, on the stable toolchain. Each first finds the
//! bug planted behind the seals; then it runs on from the corpus that it has grown.

use crate::failure::{During, Failure, Result};
use crate::process;
use crate::tools;
use crate::workspace::Workspace;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGETS: [&str; 8] = ["segment", "ledger", "keys", "manifest", "policy", "decide", "reply", "bridge"];
/// The planted bug of a target is to be found within so many seconds.
const PATIENCE: u64 = 60;
/// More memory than this is a failure: no length that is read makes room for itself.
const MOST_MEGABYTES: &str = "512";

/// What became of all targets.
pub(crate) struct Counts {
    /// Inputs that were run.
    pub(crate) runs: u64,
    pub(crate) failures: u64,
    /// Targets that did not find their planted bug.
    pub(crate) missed: Vec<&'static str>,
}

pub(crate) fn command(workspace: &Workspace, words: &[&str]) -> Result<()> {
    let mut seconds = 60;
    let mut names = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--seconds" => {
                let value = words.next().ok_or_else(|| Failure::new("`--seconds` needs a value"))?;
                seconds = value.parse().during("--seconds")?;
            }
            name => {
                let known = TARGETS.into_iter().find(|target| *target == name);
                names
                    .push(known.ok_or_else(|| Failure::new(format!("`{name}` is not one of {}", TARGETS.join(", "))))?);
            }
        }
    }
    let counts = run(workspace, if names.is_empty() { &TARGETS } else { &names }, seconds)?;
    println!("{} inputs, {} failures, planted bugs missed: {}", counts.runs, counts.failures, counts.missed.len());
    if counts.failures == 0 && counts.missed.is_empty() { Ok(()) } else { Err(Failure::new("a fuzz target failed")) }
}

/// Runs every target for so many seconds.
pub(crate) fn all(workspace: &Workspace, seconds: u64) -> Result<Counts> {
    run(workspace, &TARGETS, seconds)
}

fn run(workspace: &Workspace, targets: &[&'static str], seconds: u64) -> Result<Counts> {
    let programs = build(workspace)?;
    let mut counts = Counts { runs: 0, failures: 0, missed: Vec::new() };
    for target in targets {
        let folder = workspace.target.join("fuzz").join(target);
        let corpus = folder.join("corpus");
        fs::create_dir_all(&corpus).during(corpus.display())?;
        if !finds_the_planted(&programs, target, &folder)? {
            println!("{target}: the planted bug was NOT FOUND");
            counts.missed.push(target);
        }
        let mut fuzzer = fuzzer(&programs, target, &corpus, seconds);
        fuzzer.arg(format!("-artifact_prefix={}/", folder.display())).arg(&corpus);
        let regressions = workspace.root.join("tests/fuzz/regressions").join(target);
        if regressions.is_dir() {
            fuzzer.arg(regressions);
        }
        let (success, text) = process::attempt(&mut fuzzer, patience(seconds))?;
        let runs = runs(&text);
        counts.runs += runs;
        println!("{target}: {runs} inputs, {}", if success { "no failure" } else { "FAILED" });
        if !success {
            counts.failures += 1;
            let from = text.find("panicked at").or_else(|| text.find("ERROR")).unwrap_or(0);
            println!("{}", text.get(from..).unwrap_or_default().lines().take(4).collect::<Vec<_>>().join("\n"));
            text.lines().filter(|line| line.contains("Test unit written")).for_each(|line| println!("{line}"));
        }
    }
    Ok(counts)
}

/// Builds the targets; the folder they are in. No sanitizer: the code is safe Rust, and what is sought are panics and
/// broken promises. S16 runs the tests under AddressSanitizer.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.root.join("tests/fuzz");
    let mut cargo = Command::new(tools::cargo_fuzz()?);
    cargo.current_dir(&folder).args(["fuzz", "build", "--fuzz-dir", ".", "--sanitizer", "none"]);
    process::run(&mut cargo)?;
    let machine = process::capture(Command::new("rustc").args(["--print", "host-tuple"]))?;
    Ok(folder.join("target").join(machine.trim()).join("release"))
}

fn fuzzer(programs: &Path, target: &str, seeds: &Path, seconds: u64) -> Command {
    let mut fuzzer = Command::new(programs.join(target));
    fuzzer.env("MENSHEN_SEEDS", seeds).args(["-timeout=10", "-print_final_stats=1"]);
    fuzzer.arg(format!("-rss_limit_mb={MOST_MEGABYTES}")).arg(format!("-max_total_time={seconds}"));
    fuzzer
}

fn finds_the_planted(programs: &Path, target: &str, folder: &Path) -> Result<bool> {
    let corpus = folder.join("planted");
    let _ = fs::remove_dir_all(&corpus);
    fs::create_dir_all(&corpus).during(corpus.display())?;
    let mut fuzzer = fuzzer(programs, target, &corpus, PATIENCE);
    fuzzer.env("MENSHEN_PLANTED", "1").arg(format!("-artifact_prefix={}/", corpus.display())).arg(&corpus);
    let (success, text) = process::attempt(&mut fuzzer, patience(PATIENCE))?;
    Ok(!success && text.contains("the planted bug"))
}

/// Longer than the fuzzer itself would run.
fn patience(seconds: u64) -> std::time::Duration {
    std::time::Duration::from_secs(seconds + 120)
}

/// `stat::number_of_executed_units: 1537`
fn runs(text: &str) -> u64 {
    let stat = text.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    stat.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inputs_are_counted_from_what_libfuzzer_prints() {
        assert_eq!(runs("Done 3 runs\nstat::number_of_executed_units: 1537\nstat::average: 1"), 1537);
        assert_eq!(runs("nothing"), 0);
    }
}
