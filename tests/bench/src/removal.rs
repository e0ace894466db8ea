//! What goes: batches that were delivered, and a purpose that was withdrawn.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use menshen_journal::{Domain, Effects, FileKeys, Folder, Journal, Label, NewEntry};

use crate::measure::{Contender, Times, interleave};
use crate::observed_keys::ObservedKeys;
use crate::opening::begin_ledger;
use crate::plot::{self, Line};
use crate::queue::{BARE, Durability, JOURNAL, RECORD, REDB, SQLCIPHER, SQLITE, body, open};
use crate::report::Report;
use crate::{Effort, journal};

const STORES: [&str; 5] = [JOURNAL, BARE, SQLITE, SQLCIPHER, REDB];

/// A folder in memory, where a flush costs nothing and only the store's own work is left.
const IN_MEMORY: &str = "/dev/shm";

/// How many records a batch has: some, and what the uploader takes.
const BATCHES: [usize; 5] = [10, 30, 100, UPLOADED, 1000];
const UPLOADED: usize = 512;

pub fn drain(effort: &Effort, folder: &Path, report: &mut Report, plots: &Path) {
    let mut lines: Vec<Line> = STORES.iter().map(|name| Line::new(name)).collect();
    let met = |times: &Times| times.ratio(JOURNAL, SQLCIPHER).map(|ratio| ratio <= 0.2);
    for batch in BATCHES {
        let times = drains(effort, &folder.join("drain"), batch);
        for line in &mut lines {
            line.point(batch as f64, times.median(line.name).unwrap_or(f64::NAN));
        }
        if batch == 100 || batch == UPLOADED {
            let figure = format!("read, open and acknowledge {batch} at a time: a record");
            report.times(figure, &times, "≤ SQLCipher / 5", met(&times));
        }
    }
    match tempfile::tempdir_in(IN_MEMORY) {
        Ok(folder) => {
            let times = drains(effort, folder.path(), UPLOADED);
            let figure = format!("… {UPLOADED} at a time, files in memory: no device is waited for");
            report.times(figure, &times, "≤ SQLCipher / 5", met(&times));
        }
        Err(_) => report.note(format!("draining in memory: NOT RUN: there is no {IN_MEMORY}")),
    }
    let axes = plot::Axes {
        title: "Read, open, acknowledge: a record of 512 B",
        across: "records in a batch",
        up: "µs",
        log_up: true,
    };
    plot::write(&plots.join("drain.svg"), &axes, &lines);
}

/// Fills the queues and drains them in batches of so many.
fn drains(effort: &Effort, folder: &Path, batch: usize) -> Times {
    let backlog = (batch * 10).max(1000);
    let bodies: Vec<Vec<u8>> = (0..backlog).map(|at| body(RECORD, at as u64)).collect();
    let contender = |name: &&'static str| {
        let mut queue = open(name, &folder.join(name), Durability::Synced);
        let bodies = &bodies;
        Contender::timed(name, move || {
            queue.fill(bodies);
            let began = Instant::now();
            let mut left = backlog;
            while left > 0 {
                let got = queue.drain(batch);
                assert!(got > 0, "the backlog ended early");
                left -= got;
            }
            assert_eq!(queue.drain(batch), 0);
            began.elapsed()
        })
    };
    let times = interleave(effort.rounds, backlog, STORES.iter().map(contender).collect());
    let _ = std::fs::remove_dir_all(folder);
    times
}

/// A store with so many records of one purpose, which can be withdrawn again and again.
struct Withdrawing {
    is_slow: Arc<AtomicBool>,
    journal: Journal,
    account: Label,
    domain: Domain,
}

impl Withdrawing {
    fn of(folder: &Path, count: usize) -> Self {
        let platform = FileKeys::at(folder.join("platform-keys")).expect("a folder for keys");
        let (keys, is_slow) = ObservedKeys::slow(Arc::new(platform), Duration::from_millis(200));
        let disk = Arc::new(Folder::at(folder.join("store")).expect("a folder for the store"));
        let effects = Effects { keys, ..journal::effects(folder, disk) };
        let journal = Journal::open(effects, journal::options()).expect("a store");
        let account = begin_ledger(&journal);
        let domain = journal::domain(&journal, "statistics");
        let this = Self { is_slow, journal, account, domain };
        (0..count).for_each(|_| this.append());
        this.journal.sync().expect("a sync");
        assert_eq!(this.journal.count(&domain), count as u64);
        this
    }

    fn append(&self) {
        journal::append(&self.journal, self.domain, journal::expiry(), &[6; RECORD]);
    }

    /// Up to its return: the domain closed, the denial marked, the ledger's entry synced. What comes after it, the
    /// destruction of the key, is not measured: it runs in the background.
    fn withdraw(&self) -> Duration {
        let entry = NewEntry { statement: &[3; 200], payload: &[4; 100] };
        self.is_slow.store(true, Ordering::SeqCst);
        let began = Instant::now();
        self.journal.close_domain(&self.domain);
        self.journal.mark_denied(&self.domain).expect("a marker");
        self.journal.ledger_append_denial(self.account, &[entry]).expect("an entry");
        let took = began.elapsed();
        self.is_slow.store(false, Ordering::SeqCst);
        // As if it had not been: for the next round.
        self.journal.clear_mark(&self.domain).expect("no marker");
        self.journal.unlock_domain(&self.domain).expect("an open domain");
        self.append();
        took
    }
}

const WITHDRAWALS: [(usize, &str); 3] = [(10_000, "10,000"), (100_000, "100,000"), (1_000_000, "1,000,000")];

pub fn withdrawal(effort: &Effort, folder: &Path, report: &mut Report) {
    let folder = folder.join("withdrawal");
    let counts = if effort.full { &WITHDRAWALS[..] } else { &WITHDRAWALS[..2] };
    let stores: Vec<(&'static str, Withdrawing)> =
        counts.iter().map(|(count, name)| (*name, Withdrawing::of(&folder.join(name), *count))).collect();
    let bare = File::create(folder.join("bare")).expect("a file");
    bare.write_all_at(&[1; 64 * 1024], 0).expect("a write");
    bare.sync_all().expect("a flush");
    let mut at = 0;
    let mut contenders: Vec<Contender<'_>> =
        stores.iter().map(|(name, store)| Contender::timed(name, || store.withdraw())).collect();
    contenders.push(Contender::new(BARE, || {
        at = (at + 528) % (60 * 1024);
        bare.write_all_at(&[2; 528], at).expect("a write");
        bare.sync_data().expect("a flush");
    }));
    let times = interleave(3 * effort.rounds, 1, contenders);
    for (name, _) in &stores {
        let (Some(median), Some(flushes)) = (times.median(name), times.ratio(name, BARE)) else { continue };
        let figure = format!("withdrawal's return, {name} records, a key store of 200 ms");
        let met = median <= 10_000.0 && flushes <= 4.0;
        report.times_of(figure, name, &times, "≤ 10 ms, ≤ 4× a bare write and flush", Some(met));
    }
    let (few, many) = (stores[0].0, stores[stores.len() - 1].0);
    if let Some(grown) = times.ratio(many, few) {
        report.own(format!("… {many} records against {few}"), format!("{grown:.2}×"), "within 2×", Some(grown <= 2.0));
    }
    drop(times);
    drop(stores);
    let _ = std::fs::remove_dir_all(folder);
}
