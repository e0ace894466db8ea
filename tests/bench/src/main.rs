//! The journal against its peers, in one run on one machine: every contender's bursts in turn, medians and ratios.
//! `cargo xtask bench` runs it; `--full` takes more rounds, larger stores and builds every peer's library.

mod appending;
mod cost;
mod journal;
mod measure;
#[path = "../../support/observed_keys.rs"]
mod observed_keys;
mod opening;
mod peers;
mod plot;
mod queue;
mod removal;
mod report;
#[path = "../../conformance/src/sealer.rs"]
mod sealer;

use std::path::{Path, PathBuf};

/// How much is run.
pub struct Effort {
    pub full: bool,
    pub rounds: usize,
}

const USAGE: &str =
    "usage: menshen-bench [--full] [--bless] [--only append|sync|group|drain|open|restart|withdraw|size|instructions]…";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<usize>().expect("a number");
    match words.as_slice() {
        ["--child-open", name, folder] => opening::child_open(name, Path::new(folder)),
        ["--child-fill", name, count, every, folder] => {
            opening::child_fill(name, Path::new(folder), number(count), number(every));
        }
        ["--child-append", count, folder] => cost::child_append(number(count), Path::new(folder)),
        words => run(words),
    }
}

fn run(words: &[&str]) {
    let mut only: Vec<&str> = Vec::new();
    let (mut full, mut bless) = (false, false);
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match (*word, rest.clone().next()) {
            ("--full", _) => full = true,
            ("--bless", _) => bless = true,
            ("--only", Some(name)) => {
                only.push(name);
                rest.next();
            }
            _ => {
                eprintln!("{USAGE}");
                std::process::exit(2);
            }
        }
    }
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let plots: PathBuf = target.join("plots");
    std::fs::create_dir_all(&plots).expect("a folder for plots");
    // Beside the build and not in the system's folder for temporary files, which may be in memory.
    let folder = tempfile::tempdir_in(&target).expect("a folder");
    let effort = Effort { full, rounds: if full { 25 } else { 9 } };
    let mut report = report::Report::default();
    let wanted = |name: &str| {
        let wanted = only.is_empty() || only.contains(&name);
        if wanted {
            eprintln!("{name}");
        }
        wanted
    };
    let path = folder.path();
    if wanted("append") {
        appending::buffered(&effort, path, &mut report, &plots);
    }
    if wanted("sync") {
        appending::synced(&effort, path, &mut report);
    }
    if wanted("group") {
        appending::grouped(&effort, path, &mut report);
    }
    if wanted("drain") {
        removal::drain(&effort, path, &mut report, &plots);
    }
    if wanted("open") {
        opening::backlogs(&effort, path, &mut report, &plots);
    }
    if wanted("restart") {
        opening::restarts(&effort, path, &mut report);
    }
    if wanted("withdraw") {
        removal::withdrawal(&effort, path, &mut report);
    }
    if wanted("size") {
        cost::size(&effort, &mut report);
    }
    let as_recorded = !wanted("instructions") || cost::instructions(path, &mut report, bless);
    println!("{}", machine());
    println!("{} rounds; the machine may be shared: the ratios count", effort.rounds);
    report.note("SQLite is the one inside SQLCipher without a key: one program cannot hold both.");
    report.note("What redb does not sync it loses with its process; glean-core syncs nothing and seals nothing.");
    report.print();
    // The only figure that is the same on every machine of a kind, so the only one that fails.
    if !as_recorded {
        drop(folder);
        std::process::exit(1);
    }
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("{system} {processor}, {}, {cores} cores", model.trim_start_matches([' ', '\t', ':']))
}
