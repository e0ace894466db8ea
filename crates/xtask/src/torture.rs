//! `cargo xtask torture`: the test programmes of the store. Each first finds the bugs planted for it, else its zero
//! counts for nothing; then it runs its cases. What was counted is kept in `target/torture`.

use crate::failure::{During, Failure, Result};
use crate::files;
use crate::outside::{self, Outside};
use crate::process;
use crate::workspace::{self, Workspace};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a run in CI may take on two busy cores.
const CI_MINUTES: f64 = 10.0;
/// A planted bug is to be found within so many seconds.
const PATIENCE: &str = "40";

struct Options {
    full: bool,
    seed: u64,
    /// The most minutes of this run; the next one goes on.
    minutes: Option<f64>,
    /// One case alone, of one programme.
    case: Option<String>,
    names: Vec<String>,
}

/// One line of `menshen-torture list`.
#[derive(Debug)]
struct Programme {
    id: String,
    ci: u64,
    full: u64,
    share: f64,
    planted: Vec<String>,
    title: String,
    /// How it is run where it is none of `menshen-torture`'s.
    outside: Option<Outside>,
}

/// What became of a programme.
pub(crate) enum Outcome {
    Ran(Counts),
    NotRun(String),
}

/// What was counted of a programme.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) count: u64,
    pub(crate) failures: u64,
    pub(crate) seconds: f64,
    /// Whether the planted bugs were found, in words.
    pub(crate) planted: String,
    pub(crate) is_found: bool,
}

pub(crate) fn run(workspace: &Workspace, words: &[&str]) -> Result<()> {
    let options = options(words)?;
    let started = Instant::now();
    let program = build(&workspace.root, &workspace.target)?;
    let programmes = list(&program, &options.names)?;
    if let Some(case) = &options.case {
        return alone(&program, &programmes, case, options.seed);
    }
    let is_inside = programmes.iter().any(|programme| programme.outside.is_none());
    let planted = is_inside.then(|| Planted::build(workspace)).transpose()?;
    let mut books = Books::open(workspace, &options)?;
    let all_shares: f64 = programmes.iter().map(|programme| programme.share).sum();
    let mut rows = Vec::new();
    for programme in &programmes {
        println!("\n== {}: {} ==", programme.id, programme.title);
        let seconds = options.minutes.map(|minutes| 60.0 * minutes * programme.share / all_shares);
        let outcome = match (programme.outside, &planted) {
            (Some(run), _) => run(workspace, options.full, seconds)?,
            (None, Some(planted)) => one(&program, planted, programme, &options, &books, seconds)?,
            (None, None) => continue,
        };
        if let Outcome::Ran(counts) = &outcome {
            books.enter(&programme.id, counts)?;
        }
        rows.push((programme, outcome));
    }
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    print_table(&rows, all_shares);
    println!("{minutes:.1} minutes; results in {}", books.file.display());
    verdict(&rows, minutes, &options)
}

fn options(words: &[&str]) -> Result<Options> {
    let mut options = Options { full: false, seed: 1, minutes: None, case: None, names: Vec::new() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| Failure::new(format!("`{word}` needs a value")));
        match *word {
            "--full" => options.full = true,
            "--seed" => options.seed = value()?.parse().during("--seed")?,
            "--minutes" => options.minutes = Some(value()?.parse().during("--minutes")?),
            "--case" => options.case = Some((*value()?).to_owned()),
            name if name.starts_with('-') => return Err(Failure::new(format!("`{name}` is not an option"))),
            name => options.names.push(name.to_owned()),
        }
    }
    Ok(options)
}

/// Builds the programmes of a workspace; where they are.
fn build(root: &Path, target: &Path) -> Result<PathBuf> {
    let mut cargo = process::cargo();
    cargo.current_dir(root).args(["build", "--release", "-p", "menshen-torture", "--target-dir"]).arg(target);
    process::run(&mut cargo)?;
    Ok(target.join("release/menshen-torture"))
}

fn list(program: &Path, names: &[String]) -> Result<Vec<Programme>> {
    let listed = process::capture(Command::new(program).arg("list"))?;
    let mut all: Vec<Programme> = listed.lines().filter_map(listed_programme).collect();
    all.extend(outside::PROGRAMMES.iter().map(|(id, share, title, run)| Programme {
        id: (*id).to_owned(),
        ci: 0,
        full: 0,
        share: *share,
        planted: Vec::new(),
        title: (*title).to_owned(),
        outside: Some(*run),
    }));
    if let Some(name) = names.iter().find(|name| !all.iter().any(|programme| programme.id == **name)) {
        let known: Vec<&str> = all.iter().map(|programme| programme.id.as_str()).collect();
        return Err(Failure::new(format!("`{name}` is not one of {}", known.join(", "))));
    }
    Ok(all.into_iter().filter(|programme| names.is_empty() || names.contains(&programme.id)).collect())
}

fn listed_programme(line: &str) -> Option<Programme> {
    let mut fields = line.split('\t');
    let id = fields.next()?.to_owned();
    let (ci, full) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let share = fields.next()?.parse().ok()?;
    let planted = fields.next()?.split(',').map(str::to_owned).collect();
    Some(Programme { id, ci, full, share, planted, title: fields.next()?.to_owned(), outside: None })
}

/// Runs the case of a failure again, alone.
fn alone(program: &Path, programmes: &[Programme], case: &str, seed: u64) -> Result<()> {
    let [programme] = programmes else { return Err(Failure::new("`--case` needs one programme")) };
    if programme.outside.is_some() {
        return Err(Failure::new(format!("{} has no cases by number", programme.id)));
    }
    let seed = seed.to_string();
    process::run(Command::new(program).args(["run", &programme.id, "--from", case, "--count", "1", "--seed", &seed]))
}

/// A copy of the store with every patch of `tests/torture/planted` in it. Each bug sleeps until its name stands in the
/// environment.
struct Planted {
    program: PathBuf,
}

impl Planted {
    fn build(workspace: &Workspace) -> Result<Self> {
        let root = workspace.target.join("torture/planted");
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).during("make the folder of the planted copy")?;
        for folder in ["crates/journal", "tests/support", "tests/torture"] {
            copy(&workspace.root.join(folder), &root.join(folder))?;
        }
        let manifest = fs::read_to_string(workspace.root.join("Cargo.toml")).during("read Cargo.toml")?;
        fs::write(root.join("Cargo.toml"), copied_manifest(&manifest)).during("write Cargo.toml")?;
        fs::copy(workspace.root.join("Cargo.lock"), root.join("Cargo.lock")).during("copy Cargo.lock")?;
        for patch in files::under(&workspace.root.join("tests/torture/planted"), &["patch"])? {
            let mut git = Command::new("git");
            // Not the repository around it: the patch is for the copy.
            git.current_dir(&root).env("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(&root));
            let applied = git.args(["apply", "-C1"]).arg(&patch).status().during("git apply")?;
            if !applied.success() {
                let name = patch.file_name().unwrap_or_default().to_string_lossy().into_owned();
                return Err(Failure::new(format!("`{name}` no longer fits the store: plant its bug anew")));
            }
        }
        // In a folder of its own: cargo takes the copy's packages for those that they are copies of.
        let program = build(&root, &workspace.target.join("torture/build"))?;
        Ok(Self { program })
    }

    /// The bugs of a programme that it did not find.
    fn missed(&self, programme: &Programme, seed: u64) -> Result<Vec<String>> {
        let mut missed = Vec::new();
        for bug in &programme.planted {
            let mut command = Command::new(&self.program);
            command.env("MENSHEN_PLANTED", bug);
            command.args(["run", &programme.id, "--first", "--threads", "2", "--seconds", PATIENCE]);
            command.args(["--count", &programme.ci.to_string(), "--seed", &seed.to_string()]);
            let lines = process::capture_whatever(&mut command)?;
            match lines.lines().find_map(|line| line.strip_prefix("failure ")) {
                Some(failure) => println!("planted {bug}: found: {}", shortened(failure, 100)),
                None => {
                    println!("planted {bug}: NOT FOUND");
                    missed.push(bug.clone());
                }
            }
        }
        Ok(missed)
    }
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most).chain(['…']).collect() }
}

/// The root's manifest for a workspace of the store and its programmes only.
fn copied_manifest(root: &str) -> String {
    let mut out = String::from("[workspace]\nmembers = [\"crates/journal\", \"tests/torture\"]\nresolver = \"3\"\n");
    let mut is_kept = false;
    for line in root.lines() {
        if line.starts_with('[') {
            is_kept = line.starts_with("[workspace.") || line.starts_with("[profile.release]");
        }
        let is_elsewhere = line.starts_with("menshen = ") || line.starts_with("menshen-policy = ");
        if is_kept && !is_elsewhere {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).during(to.display())?;
    for entry in fs::read_dir(from).during(from.display())? {
        let path = entry.during(from.display())?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target).during(path.display())?;
        }
    }
    Ok(())
}

fn one(
    program: &Path,
    planted: &Planted,
    programme: &Programme,
    options: &Options,
    books: &Books,
    seconds: Option<f64>,
) -> Result<Outcome> {
    let missed = planted.missed(programme, options.seed)?;
    let before = books.counted(&programme.id);
    let goal = if options.full { programme.full } else { programme.ci };
    let found = if missed.is_empty() { "found".to_owned() } else { format!("NOT FOUND: {}", missed.join(", ")) };
    let start = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut command = Command::new(program);
    command.args(["run", &programme.id, "--threads", &threads.to_string(), "--seed", &options.seed.to_string()]);
    command.args(["--from", &before.count.to_string(), "--count", &goal.saturating_sub(before.count).to_string()]);
    if let Some(seconds) = seconds {
        command.args(["--seconds", &(seconds.max(1.0) as u64).to_string()]);
    }
    let run = follow(&mut command, programme, options.seed, before.count)?;
    Ok(match run {
        Run::Done { count, failures } => Outcome::Ran(Counts {
            count: before.count + count,
            failures: before.failures + failures,
            seconds: before.seconds + start.elapsed().as_secs_f64(),
            planted: found,
            is_found: missed.is_empty(),
        }),
        Run::NotRun(why) => Outcome::NotRun(why),
    })
}

enum Run {
    Done { count: u64, failures: u64 },
    NotRun(String),
}

/// Runs a programme and shows how far it is.
fn follow(command: &mut Command, programme: &Programme, seed: u64, before: u64) -> Result<Run> {
    let mut child = command.stdout(Stdio::piped()).spawn().during(&programme.id)?;
    let mut result = None;
    let mut total = 0;
    let mut progress = Progress::new(&programme.id);
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.during(&programme.id)?;
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match word {
                "total" => total = rest.parse().unwrap_or(0),
                "progress" => progress.show(before + rest.parse::<u64>().unwrap_or(0), total),
                "failure" => {
                    let (case, message) = rest.split_once(' ').unwrap_or((rest, ""));
                    progress.clear();
                    println!("FAILED {}: {message}", programme.id);
                    println!("  again: cargo xtask torture {} --seed {seed} --case {case}", programme.id);
                }
                "done" => {
                    let mut numbers = rest.split(' ').filter_map(|number| number.parse().ok());
                    let (count, failures) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
                    result = Some(Run::Done { count, failures });
                }
                "not" => result = Some(Run::NotRun(rest.trim_start_matches("run ").to_owned())),
                _ => {}
            }
        }
    }
    progress.clear();
    child.wait().during(&programme.id)?;
    result.ok_or_else(|| Failure::new(format!("{} ended without a result", programme.id)))
}

/// A bar on a terminal; elsewhere a line every ten seconds.
struct Progress<'a> {
    id: &'a str,
    is_terminal: bool,
    said: Instant,
}

impl<'a> Progress<'a> {
    fn new(id: &'a str) -> Self {
        Self { id, is_terminal: std::io::stderr().is_terminal(), said: Instant::now() }
    }

    fn show(&mut self, done: u64, total: u64) {
        let part = (done as f64 / total.max(1) as f64).clamp(0.0, 1.0);
        if self.is_terminal {
            let full = (part * 40.0) as usize;
            eprint!("\r{} [{}{}] {done} of {total}", self.id, "#".repeat(full), " ".repeat(40 - full));
            let _ = std::io::stderr().flush();
        } else if self.said.elapsed() > Duration::from_secs(10) {
            self.said = Instant::now();
            println!("{}: {done} of {total}, {:.0} %", self.id, part * 100.0);
        }
    }

    fn clear(&self) {
        if self.is_terminal {
            eprint!("\r{:78}\r", "");
        }
    }
}

/// What was counted, by programme. Full counts add up over runs while the store is the same.
struct Books {
    file: PathBuf,
    commit: String,
    seed: u64,
    counts: BTreeMap<String, Counts>,
}

impl Books {
    fn open(workspace: &Workspace, options: &Options) -> Result<Self> {
        let folder = workspace.target.join("torture");
        fs::create_dir_all(&folder).during("make target/torture")?;
        let file = folder.join(if options.full { "full.json" } else { "ci.json" });
        let commit = commit(&workspace.root)?;
        let mut books = Self { file, commit, seed: options.seed, counts: BTreeMap::new() };
        if options.full
            && let Ok(text) = fs::read_to_string(&books.file)
        {
            let known: serde_json::Value = serde_json::from_str(&text).during("read the results")?;
            for entry in known.as_array().into_iter().flatten() {
                books.take_in(entry);
            }
        }
        Ok(books)
    }

    /// An entry of another store, or of other cases, counts no more. Nor does one that failed: its bug may be gone.
    fn take_in(&mut self, entry: &serde_json::Value) {
        let number = |key: &str| entry.get(key).and_then(serde_json::Value::as_u64);
        let text = |key: &str| entry.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        if text("commit") != self.commit || self.commit.ends_with(CHANGED) || number("seed") != Some(self.seed) {
            return;
        }
        let (Some(count), Some(0)) = (number("count"), number("failures")) else { return };
        let seconds = entry.get("seconds").and_then(serde_json::Value::as_f64).unwrap_or(0.0);
        let planted = text("planted");
        let is_found = planted == "found";
        self.counts.insert(text("programme"), Counts { count, failures: 0, seconds, planted, is_found });
    }

    fn counted(&self, id: &str) -> Counts {
        self.counts.get(id).cloned().unwrap_or_default()
    }

    fn enter(&mut self, id: &str, counts: &Counts) -> Result<()> {
        self.counts.insert(id.to_owned(), counts.clone());
        let rows = self.counts.iter().map(|(id, counts)| {
            serde_json::json!({
                "programme": id,
                "count": counts.count,
                "failures": counts.failures,
                "seed": self.seed,
                "commit": self.commit,
                "seconds": counts.seconds.round(),
                "planted": counts.planted,
            })
        });
        let text = serde_json::to_string_pretty(&rows.collect::<Vec<_>>()).during("write the results")?;
        fs::write(&self.file, text + "\n").during("write the results")
    }
}

/// What is added to a commit where the store was changed since.
const CHANGED: &str = " and changes";

/// The last commit that touched the store.
fn commit(root: &Path) -> Result<String> {
    let git = |words: &[&str]| {
        process::capture(Command::new("git").current_dir(root).args(words).args([
            "--",
            "crates/journal",
            "tests/torture",
        ]))
    };
    let commit = git(&["log", "-1", "--format=%H"])?.trim().to_owned();
    let is_changed = !git(&["status", "--porcelain"])?.trim().is_empty();
    Ok(if is_changed { commit + CHANGED } else { commit })
}

/// With no failure in n cases fewer than 3/n fail, at 95 %.
fn bound(counts: &Counts) -> String {
    match (counts.failures, counts.count) {
        (0, count) if count > 0 => format!("{:.1e}", 3.0 / count as f64),
        _ => "-".to_owned(),
    }
}

fn print_table(rows: &[(&Programme, Outcome)], all_shares: f64) {
    println!(
        "\n{:<10}{:>12}{:>10}{:>12}{:>9}{:>8}  planted",
        "programme", "count", "failures", "95 % bound", "minutes", "share"
    );
    for (programme, outcome) in rows {
        let share = 100.0 * programme.share / all_shares;
        match outcome {
            Outcome::Ran(counts) => println!(
                "{:<10}{:>12}{:>10}{:>12}{:>9.1}{:>6.0} %  {}",
                programme.id,
                counts.count,
                counts.failures,
                bound(counts),
                counts.seconds / 60.0,
                share,
                counts.planted,
            ),
            Outcome::NotRun(why) => println!("{:<10}NOT RUN: {why}", programme.id),
        }
    }
}

fn verdict(rows: &[(&Programme, Outcome)], minutes: f64, options: &Options) -> Result<()> {
    let is_ci = workspace::is_ci();
    let mut faults = Vec::new();
    for (programme, outcome) in rows {
        let id = &programme.id;
        match outcome {
            Outcome::NotRun(_) if is_ci => faults.push(format!("{id} could not run")),
            Outcome::NotRun(_) => {}
            Outcome::Ran(counts) if counts.failures > 0 => {
                faults.push(format!("{id} failed {} times", counts.failures))
            }
            Outcome::Ran(counts) if !counts.is_found => faults.push(format!("{id} missed a planted bug")),
            Outcome::Ran(_) => {}
        }
    }
    if !options.full && minutes > CI_MINUTES {
        println!("more than the {CI_MINUTES} minutes that CI has for this");
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(faults.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_failure_in_n_cases_bounds_the_rate_at_three_in_n() {
        assert_eq!(bound(&Counts { count: 300_000, ..Counts::default() }), "1.0e-5");
        assert_eq!(bound(&Counts { count: 5, failures: 1, ..Counts::default() }), "-");
    }

    #[test]
    fn the_copied_workspace_holds_the_store_and_nothing_else() {
        let root =
            "[workspace]\nmembers = [\"a\"]\n[workspace.dependencies]\nmenshen = 1\nring = 1\n[package]\nname = 1\n";
        let copied = copied_manifest(root);
        assert!(copied.contains("ring = 1") && !copied.contains("menshen = 1") && !copied.contains("[package]"));
    }

    #[test]
    fn a_count_of_another_store_counts_no_more() {
        let mut books = Books { file: PathBuf::new(), commit: "one".to_owned(), seed: 1, counts: BTreeMap::new() };
        let entry = |commit: &str, failures: u64| serde_json::json!({"programme": "S1", "count": 9, "failures": failures, "seed": 1, "commit": commit});
        books.take_in(&entry("other", 0));
        books.take_in(&entry("one", 2));
        assert_eq!(books.counted("S1").count, 0);
        books.take_in(&entry("one", 0));
        assert_eq!(books.counted("S1").count, 9);
    }
}
