//! Opening a store: with a backlog, after a kill, and after many restarts. Each opening is a process of its own.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use menshen_journal::{Domain, Journal, Label, LabelKind, NewEntry};

use crate::measure::{Contender, Times, interleave, median, memory_kib, processor_time};
use crate::plot::{self, Line};
use crate::queue::{Durability, GLEAN, JOURNAL, RECORD, REDB, SQLCIPHER, SQLITE, body, open};
use crate::report::{Report, Row, micros};
use crate::{Effort, journal};

const STORES: [&str; 5] = [JOURNAL, SQLITE, SQLCIPHER, REDB, GLEAN];
const BACKLOG: usize = 100_000;
/// A process that was killed had synced every so many records.
const SYNC_EVERY: usize = 100;

/// What one opening was like.
#[derive(Clone, Copy, Debug)]
struct Opening {
    opened: Duration,
    /// What that used of a processor.
    used: Duration,
    /// From there to an open gate, where there is one.
    gate: Duration,
    /// Memory in KiB: of the process at its peak, and by how much opening made it grow.
    peak: u64,
    grown: u64,
}

/// A child: opens the store in a folder and tells how that was.
pub fn child_open(name: &str, folder: &Path) {
    let before = memory_kib("VmRSS").unwrap_or(0);
    let (began, used) = (Instant::now(), processor_time());
    let journal = (name == JOURNAL).then(|| journal::open(folder));
    let peer = (name != JOURNAL).then(|| open(name, folder, Durability::Synced));
    let (opened, used) = (began.elapsed(), processor_time() - used);
    let peak = memory_kib("VmHWM").unwrap_or(0);
    let began = Instant::now();
    journal.as_ref().inspect(|journal| open_gate(journal));
    let gate = began.elapsed();
    let grown = peak.saturating_sub(before);
    println!("{} {} {} {peak} {grown}", opened.as_nanos(), used.as_nanos(), gate.as_nanos());
    drop(peer);
}

/// Unlocks the store and reads the account's ledger, which is what a gate waits for.
fn open_gate(journal: &Journal) {
    let account = journal.label(LabelKind::Account, "guest").expect("a label");
    if journal.alias(&essential(account)).is_some() {
        let contents = journal.ledger_tail(account).expect("a ledger");
        assert!(!contents.entries.is_empty());
    }
}

pub fn essential(account: Label) -> Domain {
    Domain { account, purpose: Label::ESSENTIAL, epoch: 1 }
}

/// Gives the account a ledger of a few entries, as an agreed notice and some grants leave.
pub fn begin_ledger(journal: &Journal) -> Label {
    let account = journal.label(LabelKind::Account, "guest").expect("a label");
    if journal.alias(&essential(account)).is_none() {
        journal.create_domain(&essential(account)).expect("a domain");
        let entry = NewEntry { statement: &[1; 200], payload: &[2; 100] };
        journal.ledger_append(account, &[entry; 20]).expect("entries");
    }
    account
}

/// A child: appends to the store in a folder, syncing at every so many records (0: never), says so, and waits for
/// its end.
pub fn child_fill(name: &str, folder: &Path, count: usize, every: usize) {
    let mut queue = open(name, folder, Durability::Buffered);
    let bodies: Vec<Vec<u8>> = (0..every.max(1)).map(|at| body(RECORD, at as u64)).collect();
    if every == 0 {
        (0..count).for_each(|_| queue.append(&bodies[0]));
    } else {
        (0..count / every).for_each(|_| queue.fill(&bodies));
    }
    println!("filled");
    std::thread::sleep(Duration::from_secs(600));
}

fn child(words: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(words).arg(folder);
    command
}

/// Fills a store in a process that is then killed.
fn fill_and_kill(name: &str, folder: &Path, count: usize, every: usize) {
    let mut fill = child(&["--child-fill", name, &count.to_string(), &every.to_string()], folder);
    let mut filling = fill.stdout(Stdio::piped()).spawn().expect("a process");
    let mut line = String::new();
    let said = BufReader::new(filling.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    assert!(said > 0, "{name} did not fill its store");
    filling.kill().expect("a kill");
    filling.wait().expect("its end");
}

fn open_once(name: &str, folder: &Path) -> Opening {
    let output = child(&["--child-open", name], folder).output().expect("a process");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<u64> = text.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let [opened, used, gate, peak, grown] = numbers[..] else {
        panic!("{name} did not open: {}", String::from_utf8_lossy(&output.stderr));
    };
    let [opened, used, gate] = [opened, used, gate].map(Duration::from_nanos);
    Opening { opened, used, gate, peak, grown }
}

/// Writes a folder's files out and drops them from the page cache.
fn make_cold(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            make_cold(&path);
        } else if let Ok(file) = std::fs::File::open(&path) {
            let _ = file.sync_all();
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        }
    }
}

pub fn backlogs(effort: &Effort, folder: &Path, report: &mut Report, plots: &Path) {
    let folder = folder.join("opening");
    let mut lines: Vec<Line> = STORES.iter().map(|name| Line::new(name)).collect();
    for count in [100, 1000, 10_000, BACKLOG] {
        let of = |name: &str| folder.join(name).join(count.to_string());
        let stores: Vec<&str> =
            STORES.into_iter().filter(|name| *name != GLEAN || count < BACKLOG || effort.full).collect();
        for name in &stores {
            if *name == JOURNAL {
                std::fs::create_dir_all(of(name)).expect("a folder");
                begin_ledger(&journal::open(&of(name)));
            }
            fill_and_kill(name, &of(name), count, SYNC_EVERY);
            open_once(name, &of(name));
        }
        let (times, seen) = openings(effort, &stores, &of, |name| make_cold(&of(name)));
        for line in &mut lines {
            line.point(count as f64, times.median(line.name).unwrap_or(f64::NAN));
        }
        if count < BACKLOG {
            continue;
        }
        opened("structural open, 100,000 records, files cold", &times, &seen, report);
        let of_journal = |pick: fn(&Opening) -> f64| median(seen_of(&seen, JOURNAL).map(pick).collect());
        let grown = of_journal(|opening| opening.grown as f64 / 1024.0);
        let peak = of_journal(|opening| opening.peak as f64 / 1024.0);
        let memory = format!("{grown:.1} MB by opening, {peak:.1} MB with this program");
        report.own("… memory", memory, "≤ 4 MB", Some(grown <= 4.0));
        let gate = of_journal(|opening| opening.gate.as_secs_f64() * 1e6);
        report.own("… from there to an open gate, keys in files", micros(gate), "", None);
        let (times, seen) = openings(effort, &stores, &of, |name| {
            fill_and_kill(name, &of(name), 2 * SYNC_EVERY, SYNC_EVERY);
            make_cold(&of(name));
        });
        opened("structural open, 100,000 records, killed, files cold", &times, &seen, report);
        let unsynced = folder.join("unsynced");
        fill_and_kill(JOURNAL, &unsynced, BACKLOG, 0);
        make_cold(&unsynced);
        let first = open_once(JOURNAL, &unsynced);
        let first_time = micros(first.opened.as_secs_f64() * 1e6);
        report.own("… killed before its first sync, once", first_time, "", None);
    }
    let axes = plot::Axes { title: "Opening, files cold", across: "records in the store", up: "µs", log_up: true };
    plot::write(&plots.join("open.svg"), &axes, &lines);
    let _ = std::fs::remove_dir_all(folder);
}

fn openings(
    effort: &Effort,
    names: &[&'static str],
    of: &impl Fn(&str) -> std::path::PathBuf,
    before: impl Fn(&str),
) -> (Times, Seen) {
    let seen = std::cell::RefCell::new(Vec::new());
    let contender = |name: &&'static str| {
        let (name, seen, before) = (*name, &seen, &before);
        Contender::timed(name, move || {
            before(name);
            let opening = open_once(name, &of(name));
            seen.borrow_mut().push((name, opening));
            opening.opened
        })
    };
    let times = interleave(effort.rounds, 1, names.iter().map(contender).collect());
    (times, seen.into_inner())
}

type Seen = Vec<(&'static str, Opening)>;

fn seen_of<'a>(seen: &'a Seen, name: &'a str) -> impl Iterator<Item = &'a Opening> {
    seen.iter().filter(move |(of, _)| *of == name).map(|(_, opening)| opening)
}

/// Two rows: the time that passed, which on a busy machine is mostly waiting, and the processor's.
fn opened(figure: &str, times: &Times, seen: &Seen, report: &mut Report) {
    let met = times.median(JOURNAL).map(|median| median <= 2000.0);
    report.times(figure, times, "≤ 2 ms", met);
    let used = |name: &str| micros(median(seen_of(seen, name).map(|one| one.used.as_secs_f64() * 1e6).collect()));
    let peers = STORES[1..].iter().filter(|name| times.names.contains(name)).map(|name| (*name, used(name))).collect();
    let least = seen_of(seen, JOURNAL).map(|one| one.opened.as_secs_f64() * 1e6).fold(f64::MAX, f64::min);
    let figure = "… the processor's share of it; the quickest of all".to_owned();
    let journal = format!("{}; {}", used(JOURNAL), micros(least));
    report.row(Row { figure, journal, peers, target: "", met: None });
}

const PURPOSES: usize = 6;
const RESTARTS: usize = 500;
const RECORDS: usize = 3;

/// A store that was opened many times and got a few records of each purpose every time.
pub fn restarts(effort: &Effort, folder: &Path, report: &mut Report) {
    let folder = folder.join("restarts");
    let body = body(RECORD, 5);
    let mut length = 0;
    for _ in 0..RESTARTS {
        let journal = journal::open(&folder);
        for purpose in 0..PURPOSES {
            let domain = journal::domain(&journal, &format!("purpose-{purpose}"));
            for _ in 0..RECORDS {
                let before = journal.health().bytes;
                journal::append(&journal, domain, journal::expiry(), &body);
                length = journal.health().bytes - before;
            }
        }
        journal.sync().expect("a sync");
    }
    let (times, _) = openings(effort, &[JOURNAL], &|_| folder.clone(), |_| make_cold(&folder));
    let time = times.median(JOURNAL).unwrap_or(f64::NAN);
    report.own("open after 500 restarts × 6 purposes × 3 records", micros(time), "≤ 20 ms", Some(time <= 20_000.0));
    let sealed = length * (RESTARTS * PURPOSES * RECORDS) as u64;
    let blocks = allocated(&folder.join("store"));
    let value = format!("{:.2}× ({blocks} B for {sealed} B)", blocks as f64 / sealed as f64);
    report.own("… allocated blocks to sealed frames", value, "≤ 2×", Some(blocks <= 2 * sealed));
    let _ = std::fs::remove_dir_all(folder);
}

fn allocated(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| match entry.metadata().expect("its size") {
            metadata if metadata.is_dir() => allocated(&entry.path()),
            metadata => metadata.blocks() * 512,
        })
        .sum()
}
