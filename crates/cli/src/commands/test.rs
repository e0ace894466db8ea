//! `menshen test`: plays scenarios against the library under a policy.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use clap::Args;
use menshen::Policy;
use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::output::{self, BAD, FAINT, GOOD, NOTE, styled};
use crate::policy_file::{PolicyFile, unreadable};
use crate::scenario::format::{File, Scenario};
use crate::scenario::junit::{self, Case, Outcome};
use crate::scenario::mutation::{Caught, mutate};
use crate::scenario::play::{Failed, Verdict, Why, play};
use crate::words::count;

/// Play scenarios: what a person does, and what must follow
///
/// A scenario is a person, steps and what is expected of them, written as JSON (crates/cli/SCENARIOS.md). The steps are
/// carried out by the library itself, on a store in memory and with a clock that is moved by hand.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Test {
    /// Files of scenarios, and folders with such files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Play only the scenarios whose name holds this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Play them under this policy instead of the one that each file names: a new version, say
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Write the verdicts to a file as JUnit XML, too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Delete every rule of the policies in turn, and tell which of them no scenario would miss
    ///
    /// A rule is everything in a policy that has a source of its own, every endpoint, and every field of an event.
    #[arg(long, conflicts_with = "junit")]
    mutate: bool,
}

const EXAMPLES: &str = "\
Examples:
  menshen test tests/scenarios
  menshen test tests/scenarios/generic --filter refused
  menshen test tests/scenarios/generic --policy generic-2.0.json
  menshen test tests/scenarios --junit target/scenarios.xml
  menshen test tests/scenarios/generic --mutate

Exit codes: 0 all is as expected, 1 a scenario failed (or a rule would not be missed), 2 a file can't be read.";

/// A file of scenarios, with the bytes of its policy.
struct Loaded {
    name: String,
    file: File,
    policy: Vec<u8>,
}

#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    waiting: usize,
    /// Those that say that they wait, and pass.
    unmarked: usize,
}

impl Test {
    pub(crate) fn run(self) -> Result {
        let mut files = Vec::new();
        for path in &self.paths {
            find(path, &mut files)?;
        }
        files.sort();
        files.dedup();
        let mut loaded = files.iter().map(|path| load(path, self.policy.as_deref())).collect::<Result<Vec<_>>>()?;
        if let Some(text) = &self.filter {
            for one in &mut loaded {
                one.file.scenarios.retain(|scenario| scenario.name.contains(text));
            }
        }
        if loaded.iter().all(|one| one.file.scenarios.is_empty()) {
            return Err(Failure::new("there is no such scenario"));
        }
        if self.mutate { mutations(&loaded) } else { self.play(&loaded) }
    }

    fn play(&self, loaded: &[Loaded]) -> Result {
        let start = Instant::now();
        let (mut counts, mut cases) = (Counts::default(), Vec::new());
        for one in loaded.iter().filter(|one| !one.file.scenarios.is_empty()) {
            output::print(&format!("{}\n", styled(FAINT, &one.name)))?;
            for scenario in &one.file.scenarios {
                let begun = Instant::now();
                let verdict = play(scenario, &one.policy);
                output::print(&told(&verdict, scenario, &one.name, &mut counts))?;
                let outcome = match &verdict {
                    Verdict::Passed | Verdict::WaitsNoMore => Outcome::Passed,
                    Verdict::Waiting { .. } => Outcome::Skipped(scenario.waiting.clone().unwrap_or_default()),
                    Verdict::Failed(failed) => {
                        Outcome::Failed(anstream::adapter::strip_str(&report(failed, &one.name)).to_string())
                    }
                };
                let (class, name) = (one.name.clone(), scenario.name.clone());
                cases.push(Case { class, name, time: begun.elapsed(), outcome });
            }
        }
        let Counts { passed, failed, waiting, unmarked } = counts;
        let mut sum = format!("\n{passed} passed, {failed} failed, {waiting} waiting");
        if unmarked > 0 {
            let _ = write!(sum, ", {unmarked} marked as waiting and passed: remove the mark");
        }
        output::print(&format!("{sum} ({:.1} s)\n", start.elapsed().as_secs_f64()))?;
        if let Some(path) = &self.junit {
            fs::write(path, junit::report(&cases))
                .map_err(|error| Failure::new(format!("`{}` cannot be written: {error}", path.display())))?;
        }
        Ok(ExitCode::from(u8::from(failed > 0)))
    }
}

/// All files of scenarios at a path, in the order of their names.
fn find(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let name = path.display().to_string();
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(|error| unreadable(&name, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| unreadable(&name, &error))?.path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "json") {
            find(&path, files)?;
        }
    }
    Ok(())
}

fn load(path: &Path, policy: Option<&Path>) -> Result<Loaded> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| unreadable(&name, &error))?;
    let mut file =
        File::parse(path, &text).map_err(|wrong| Failure::new(format!("{name}:{}: {}", wrong.line, wrong.message)))?;
    if let Some(policy) = policy {
        policy.clone_into(&mut file.policy);
    }
    let policy = PolicyFile::read(&file.policy)?.checked()?;
    Ok(Loaded { name, policy: policy.canonical().to_vec(), file })
}

fn told(verdict: &Verdict, scenario: &Scenario, file: &str, counts: &mut Counts) -> String {
    let name = &scenario.name;
    match verdict {
        Verdict::Passed => {
            counts.passed += 1;
            format!("  {} {name}\n", styled(GOOD, "ok     "))
        }
        Verdict::Waiting { line } => {
            counts.waiting += 1;
            let why = scenario.waiting.as_deref().unwrap_or_default();
            let why = format!("for {why}, at {file}:{line}");
            format!("  {} {name}\n          {}\n", styled(NOTE, "waiting"), styled(FAINT, &why))
        }
        Verdict::WaitsNoMore => {
            counts.unmarked += 1;
            let place = format!("{file}:{}", scenario.line);
            format!("  {} {name}\n          it is marked as waiting: {place}\n", styled(NOTE, "passes "))
        }
        Verdict::Failed(failed) => {
            counts.failed += 1;
            format!("  {} {name}\n{}", styled(BAD, "FAILED "), report(failed, file))
        }
    }
}

/// Where and how a scenario failed.
fn report(failed: &Failed, file: &str) -> String {
    let mut text = format!("      --> {file}:{}\n", failed.line);
    // Writing to a string cannot fail.
    if !failed.step.is_empty() {
        let _ = writeln!(text, "      {}", styled(FAINT, &failed.step));
    }
    match &failed.why {
        Why::Said(message) => {
            for line in message.lines() {
                let _ = writeln!(text, "      {line}");
            }
        }
        Why::Differs(differences) => {
            for one in differences {
                let _ = writeln!(text, "      {}:", one.key);
                compare(&mut text, &one.expected, &one.got);
            }
        }
    }
    text
}

/// Expected and got, one line each; of lists only the items that differ are marked.
fn compare(text: &mut String, expected: &Value, got: &Value) {
    let (Value::Array(wanted), Value::Array(found)) = (expected, got) else {
        let _ = writeln!(text, "        {}", styled(BAD, &format!("- {expected}")));
        let _ = writeln!(text, "        {}", styled(GOOD, &format!("+ {got}")));
        return;
    };
    for one in wanted.iter().filter(|one| !found.contains(one)) {
        let _ = writeln!(text, "        {}", styled(BAD, &format!("- {one}")));
    }
    for one in found {
        let line = if wanted.contains(one) { format!("  {one}") } else { styled(GOOD, &format!("+ {one}")) };
        let _ = writeln!(text, "        {line}");
    }
    if wanted.len() != found.len() || wanted.iter().all(|one| found.contains(one)) {
        let _ = writeln!(text, "        expected {}: {expected}", count(wanted.len(), "item"));
    }
}

fn mutations(loaded: &[Loaded]) -> Result {
    let mut by_policy: BTreeMap<String, (&[u8], Vec<&Scenario>)> = BTreeMap::new();
    for one in loaded {
        let name = fs::canonicalize(&one.file.policy).unwrap_or_else(|_| one.file.policy.clone());
        let name = name.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        by_policy.entry(name).or_insert((&one.policy, Vec::new())).1.extend(&one.file.scenarios);
    }
    let mut missed = 0;
    for (name, (policy, scenarios)) in by_policy {
        let document: Value =
            serde_json::from_slice(policy).map_err(|_| Failure::new(format!("`{name}` has no canonical form")))?;
        // The control: with nothing deleted all is as expected.
        let failing = scenarios.iter().find(|scenario| matches!(play(scenario, policy), Verdict::Failed(_)));
        if let Some(scenario) = failing {
            return Err(Failure::new(format!(
                "`{}` fails with nothing deleted: play the scenarios first",
                scenario.name
            )));
        }
        debug_assert!(Policy::read(policy).is_ok());
        let done = AtomicUsize::new(0);
        let watched = std::io::stderr().is_terminal();
        let mutants = mutate(&document, &scenarios, |mutant| {
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            if watched {
                // Nobody is left to be told that this cannot be written.
                let _ = write!(std::io::stderr(), "\r\x1b[K{name}: {done} {}", mutant.pointer);
            }
        });
        if watched {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        let number = |caught| mutants.iter().filter(|one| one.caught == caught).count();
        output::print(&format!(
            "{name}: {} deleted: {} caught by the check, {} by what the library does, {} by what the policy says, {} by nothing\n",
            count(mutants.len(), "rule"),
            number(Caught::ByCheck),
            number(Caught::ByScenario),
            number(Caught::ByReading),
            number(Caught::Not),
        ))?;
        for one in mutants.iter().filter(|one| one.caught == Caught::Not) {
            missed += 1;
            output::print(&format!("  {} {}\n", styled(BAD, "not missed"), one.pointer))?;
        }
    }
    Ok(ExitCode::from(u8::from(missed > 0)))
}
