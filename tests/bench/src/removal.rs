//! What goes: batches that were delivered, and a purpose that was withdrawn.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use menshen_journal::{Alias, Effects, FileKeys, Folder, Journal, KeyError, KeyProvider, KeyState, NewEntry};
use zeroize::Zeroizing;

use crate::measure::{Contender, interleave};
use crate::opening::begin_ledger;
use crate::plot::{self, Line};
use crate::queue::{BARE, Durability, JOURNAL, RECORD, REDB, SQLCIPHER, SQLITE, body, open};
use crate::report::{Report, Row, micros, ratio};
use crate::{Effort, journal};

const STORES: [&str; 5] = [JOURNAL, BARE, SQLITE, SQLCIPHER, REDB];

pub fn drain(effort: &Effort, folder: &Path, report: &mut Report, plots: &Path) {
    let mut lines: Vec<Line> = STORES.iter().map(|name| Line::new(name)).collect();
    for batch in [10, 30, 100, 300, 1000] {
        let folder = folder.join(format!("drain-{batch}"));
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
        for line in &mut lines {
            line.point(batch as f64, times.median(line.name).unwrap_or(f64::NAN));
        }
        if batch == 100 {
            let met = times.ratio(JOURNAL, SQLCIPHER).map(|ratio| ratio <= 0.2);
            report.times("read, open and acknowledge in hundreds: a record", &times, "≤ SQLCipher / 5", met);
        }
        let _ = std::fs::remove_dir_all(folder);
    }
    let axes = plot::Axes {
        title: "Read, open, acknowledge: a record of 512 B",
        across: "records in a batch",
        up: "µs",
        log_up: true,
    };
    plot::write(&plots.join("drain.svg"), &axes, &lines);
}

/// A key store as slow as a bad phone's, once it is told to be.
struct SlowKeys {
    keys: FileKeys,
    slow: AtomicBool,
}

impl SlowKeys {
    fn keys(&self) -> &FileKeys {
        if self.slow.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(200));
        }
        &self.keys
    }
}

impl KeyProvider for SlowKeys {
    fn create(&self, alias: &Alias) -> Result<(), KeyError> {
        self.keys().create(alias)
    }

    fn wrap(&self, alias: &Alias, secret: &[u8], aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.keys().wrap(alias, secret, aad)
    }

    fn unwrap(&self, alias: &Alias, blob: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.keys().unwrap(alias, blob, aad)
    }

    fn exists(&self, alias: &Alias) -> Result<bool, KeyError> {
        self.keys().exists(alias)
    }

    fn list(&self) -> Result<Vec<Alias>, KeyError> {
        self.keys().list()
    }

    fn destroy(&self, alias: &Alias) -> Result<(), KeyError> {
        self.keys().destroy(alias)
    }

    fn state(&self) -> KeyState {
        self.keys.state()
    }
}

/// A withdrawal up to its return: the domain closed, the denial marked, the ledger's entry synced. What comes after
/// it, the destruction of the key, is not measured: it runs in the background.
pub fn withdrawal(effort: &Effort, folder: &Path, report: &mut Report) {
    let counts: &[usize] = if effort.full { &[10_000, 100_000, 1_000_000] } else { &[10_000, 100_000] };
    let mut medians = Vec::new();
    for count in counts {
        let folder = folder.join(format!("withdrawal-{count}"));
        let platform = folder.join("platform-keys");
        let slow = SlowKeys { keys: FileKeys::at(platform).expect("a folder for keys"), slow: AtomicBool::new(false) };
        let keys = Arc::new(slow);
        let disk = Arc::new(Folder::at(folder.join("store")).expect("a folder for the store"));
        let effects = Effects { keys: Arc::<SlowKeys>::clone(&keys), ..journal::effects(&folder, disk) };
        let journal = Journal::open(effects, journal::options()).expect("a store");
        let account = begin_ledger(&journal);
        let domain = journal::domain(&journal, "statistics");
        let expiry = journal::expiry();
        let body = body(RECORD, 6);
        (0..*count).for_each(|_| journal::append(&journal, domain, expiry, &body));
        journal.sync().expect("a sync");
        assert_eq!(journal.count(&domain), *count as u64);
        let bare = File::create(folder.join("bare")).expect("a file");
        bare.write_all_at(&[1; 64 * 1024], 0).expect("a write");
        bare.sync_all().expect("a flush");
        let mut at = 0;
        let entry = NewEntry { statement: &[3; 200], payload: &[4; 100] };
        let times = interleave(
            effort.rounds.max(15),
            1,
            vec![
                Contender::timed(JOURNAL, || {
                    keys.slow.store(true, Ordering::Relaxed);
                    let began = Instant::now();
                    journal.close_domain(&domain);
                    journal.mark_denied(&domain).expect("a marker");
                    journal.ledger_append_denial(account, &[entry]).expect("an entry");
                    let took = began.elapsed();
                    keys.slow.store(false, Ordering::Relaxed);
                    // As if it had not been: for the next round.
                    journal.clear_mark(&domain).expect("no marker");
                    journal.unlock_domain(&domain).expect("an open domain");
                    journal::append(&journal, domain, expiry, &body);
                    took
                }),
                Contender::new(BARE, || {
                    at = (at + 528) % (60 * 1024);
                    bare.write_all_at(&[2; 528], at).expect("a write");
                    bare.sync_data().expect("a flush");
                }),
            ],
        );
        let (Some(median), Some(times_bare)) = (times.median(JOURNAL), times.ratio(JOURNAL, BARE)) else { continue };
        medians.push(median);
        let bare = times.median(BARE).map(|median| format!("{} ({})", micros(median), ratio(times_bare)));
        report.row(Row {
            figure: format!("withdrawal's return, {count} records, key store of 200 ms"),
            journal: micros(median),
            peers: bare.map(|bare| (BARE, bare)).into_iter().collect(),
            target: "≤ 10 ms, ≤ 4× a bare write with its flush",
            met: Some(median <= 10_000.0 && times_bare <= 4.0),
        });
        drop(journal);
        let _ = std::fs::remove_dir_all(folder);
    }
    if let (Some(few), Some(many)) = (medians.first(), medians.last()) {
        let grown = many / few;
        let figure = format!("… {} records against {}", counts[counts.len() - 1], counts[0]);
        report.own(figure, format!("{grown:.2}×"), "within 2×", Some(grown <= 2.0));
    }
}
