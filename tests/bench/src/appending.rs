//! Appends: buffered by size, synced by one thread, and synced by many at once.

use std::path::Path;
use std::sync::{Arc, Barrier, Mutex};

use menshen_journal::{Domain, Journal};

use crate::journal::{self, CountingDisk};
use crate::measure::{Contender, Times, interleave, written_bytes};
use crate::plot::Line;
use crate::queue::{BARE, Durability, GLEAN, JOURNAL, Queue, RECORD, REDB, SQLCIPHER, SQLITE, body, open};
use crate::report::{Report, Row};
use crate::{Effort, plot};

const ALL: [&str; 6] = [JOURNAL, BARE, SQLITE, SQLCIPHER, REDB, GLEAN];
const DURABLE: [&str; 5] = [JOURNAL, BARE, SQLITE, SQLCIPHER, REDB];
const SIZES: [usize; 5] = [64, RECORD, 2048, 8192, 32_768];

pub fn buffered(effort: &Effort, folder: &Path, report: &mut Report, plots: &Path) {
    let mut lines: Vec<Line> = ALL.iter().map(|name| Line::new(name)).collect();
    for size in SIZES {
        let body = body(size, 1);
        // Many short bursts: few of them are interrupted by whatever else the machine does.
        let many = Effort { rounds: 12 * effort.rounds, ..*effort };
        let folder = folder.join(format!("buffered-{size}"));
        let times = burst_of(&ALL, &folder, Durability::Buffered, &many, 40, &body);
        for line in &mut lines {
            line.point(size as f64, times.median(line.name).unwrap_or(f64::NAN));
        }
        if size == RECORD {
            let met = times.ratio(JOURNAL, SQLCIPHER).is_some_and(|ratio| ratio <= 0.1)
                && times.ratio(JOURNAL, GLEAN).is_some_and(|ratio| ratio <= 1.0 / 1.5)
                && times.ratio(JOURNAL, BARE).is_some_and(|ratio| ratio <= 1.5);
            let target = "≥ 10× SQLCipher NORMAL, ≥ 1.5× glean-core, ≤ 1.5× bare";
            report.times("buffered append, 512 B", &times, target, Some(met));
        }
    }
    let axes = plot::Axes { title: "Buffered append", across: "bytes of a record", up: "µs", log_up: true };
    plot::write(&plots.join("append.svg"), &axes, &lines);
}

/// Bursts of appends of one body, by each contender into a queue of its own.
fn burst_of(
    names: &[&'static str],
    folder: &Path,
    durability: Durability,
    effort: &Effort,
    burst: usize,
    body: &[u8],
) -> Times {
    let contender = |name: &&'static str| {
        let mut queue = open(name, &folder.join(name), durability);
        Contender::new(name, move || (0..burst).for_each(|_| queue.append(body)))
    };
    let times = interleave(effort.rounds, burst, names.iter().map(contender).collect());
    let _ = std::fs::remove_dir_all(folder);
    times
}

pub fn synced(effort: &Effort, folder: &Path, report: &mut Report) {
    let body = body(RECORD, 2);
    let many = Effort { rounds: 6 * effort.rounds, ..*effort };
    let times = burst_of(&DURABLE, &folder.join("synced"), Durability::Synced, &many, 20, &body);
    let met = times.ratio(JOURNAL, BARE).is_some_and(|ratio| ratio <= 1.2);
    report.times("synced append, 512 B, one thread", &times, "≤ 1.2× bare", Some(met));
    let commits = 1000;
    let mut bytes = DURABLE.iter().map(|name| {
        let mut queue = open(name, &folder.join("bytes").join(name), Durability::Synced);
        (0..100).for_each(|_| queue.append(&body));
        let before = written_bytes()?;
        (0..commits).for_each(|_| queue.append(&body));
        Some((*name, (written_bytes()? - before) / commits))
    });
    let Some(bytes) = bytes.by_ref().collect::<Option<Vec<_>>>() else {
        report.note("bytes of a commit: NOT RUN: the system does not count them");
        return;
    };
    let peers = bytes.iter().skip(1).map(|(name, bytes)| (*name, format!("{bytes} B"))).collect();
    let figure = "… bytes given to write for each".to_owned();
    let journal = format!("{} B", bytes[0].1);
    report.row(Row { figure, journal, peers, target: "≤ 700 B", met: Some(bytes[0].1 <= 700) });
}

/// Lets `threads` run at once, each `count` times.
fn at_once(threads: usize, count: usize, act: impl Fn(usize) + Sync) {
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (barrier, act) = (&barrier, &act);
            scope.spawn(move || {
                barrier.wait();
                (0..count).for_each(|_| act(thread));
            });
        }
    });
}

const PURPOSES: &str = "journal, a purpose for each thread";

pub fn grouped(effort: &Effort, folder: &Path, report: &mut Report) {
    let body = body(RECORD, 3);
    for (threads, target, most) in [(8, "≤ 0.3 flushes a record", 0.3), (32, "≤ 0.1 flushes a record", 0.1)] {
        let folder = folder.join(format!("grouped-{threads}"));
        let each = 400 / threads;
        let (one, one_disk) = counted(&folder.join("one"));
        let (many, many_disk) = counted(&folder.join("many"));
        let single = [journal::domain(&one, "statistics")];
        let domains: Vec<Domain> = (0..8).map(|at| journal::domain(&many, &format!("purpose-{at}"))).collect();
        let commit = |journal: &Journal, domains: &[Domain]| {
            let expiry = journal::expiry();
            at_once(threads, each, |thread| {
                journal::append(journal, domains[thread % domains.len()], expiry, &body);
                journal.sync().expect("a sync");
            });
        };
        let flushes_before = (one_disk.flushes(), many_disk.flushes());
        let mut contenders = vec![
            Contender::new(JOURNAL, || commit(&one, &single)),
            Contender::new(PURPOSES, || commit(&many, &domains)),
        ];
        for name in [SQLITE, SQLCIPHER, REDB] {
            let queue: Mutex<Box<dyn Queue>> = Mutex::new(open(name, &folder.join(name), Durability::Synced));
            let body = &body;
            contenders.push(Contender::new(name, move || {
                at_once(threads, each, |_| queue.lock().expect("no panic").append(body));
            }));
        }
        let records = threads * each;
        let times = interleave(effort.rounds, records, contenders);
        let all = (records * (effort.rounds + 1)) as f64;
        let flushes = |disk: &CountingDisk, before: u64| (disk.flushes() - before) as f64 / all;
        let (of_one, of_many) = (flushes(&one_disk, flushes_before.0), flushes(&many_disk, flushes_before.1));
        report.times(format!("group commit, {threads} threads, one slice: a record"), &times, "", None);
        report.own("… flushes a record", format!("{of_one:.3}"), target, Some(of_one <= most));
        if threads == 8 {
            report.times_of("group commit, 8 threads on 8 purposes: a record", PURPOSES, &times, "", None);
            report.own("… flushes a record", format!("{of_many:.3}"), "", None);
        }
        let _ = std::fs::remove_dir_all(folder);
    }
}

fn counted(folder: &Path) -> (Journal, CountingDisk) {
    std::fs::create_dir_all(folder).expect("a folder");
    let disk = CountingDisk::at(&folder.join("store"));
    let effects = journal::effects(folder, Arc::new(disk.clone()));
    (Journal::open(effects, journal::options()).expect("a store"), disk)
}
