//! The programmes, and how one is run: its cases by number on every core, each failure with the number that gives it alone.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::{
    canaries, damage, days, errors, folder, full_disk, key_store, kill, known_answers, limits, memory, model, nonces,
    power, power_cut, soak, structure, timing,
};

/// How many cases are taken at once from the shared counter.
const CHUNK: u64 = 16;
/// After this many failures a programme ends: more would say nothing new.
const MOST_FAILURES: u64 = 20;

/// A case by its number; one that does not hold panics.
pub(crate) type Case = Box<dyn Fn(u64) + Send + Sync>;

/// A programme ready to run.
pub(crate) struct Prepared {
    /// How many cases there are, where their number is given by what is tortured.
    pub(crate) total: Option<u64>,
    pub(crate) case: Case,
}

impl Prepared {
    /// Cases without an end: each number gives another one.
    pub(crate) fn endless(case: impl Fn(u64) + Send + Sync + 'static) -> Result<Self, String> {
        Ok(Self { total: None, case: Box::new(case) })
    }

    /// Exactly so many cases.
    pub(crate) fn all(total: u64, case: impl Fn(u64) + Send + Sync + 'static) -> Result<Self, String> {
        Ok(Self { total: Some(total), case: Box::new(case) })
    }
}

/// One programme. Counts are cases.
pub(crate) struct Programme {
    id: &'static str,
    ci: u64,
    full: u64,
    /// The most minutes of a run in CI.
    share: f64,
    /// The planted bugs that it has to find.
    planted: &'static [&'static str],
    title: &'static str,
    /// Gets the seed; the error says why it cannot run here.
    prepare: fn(u64) -> Result<Prepared, String>,
}

const PROGRAMMES: &[Programme] = &[
    Programme {
        id: "S1",
        ci: 2_000,
        full: 300_000,
        share: 1.0,
        planted: &["write-behind", "acknowledged-early"],
        title: "a real kill -9 while records are appended, synced, acknowledged, withdrawn",
        prepare: kill::rounds,
    },
    Programme {
        id: "S2",
        ci: 200_000,
        full: 20_000_000,
        share: 3.0,
        planted: &["no-file-sync", "no-folder-sync", "acknowledged-early", "torn-batch-broken"],
        title: "power lost at every operation, what was not synced torn",
        prepare: power::losses,
    },
    Programme {
        id: "S3",
        ci: 72_000,
        full: 2_000_000,
        share: 1.2,
        planted: &["no-file-sync", "recovery-unsynced"],
        title: "power lost while recovering from a power loss",
        prepare: power::double,
    },
    Programme {
        id: "S4",
        ci: 30_000,
        full: u64::MAX,
        share: 0.6,
        planted: &["error-hidden", "secret-half-destroyed"],
        title: "an error at every operation, once and for ever, then none",
        prepare: errors::every_operation,
    },
    Programme {
        id: "S5",
        ci: 241,
        full: 241,
        share: 0.4,
        planted: &["no-reserve"],
        title: "a really full file system of 64 KiB to 1 MiB; withdrawing works",
        prepare: full_disk::sizes,
    },
    Programme {
        id: "S6",
        ci: 500,
        full: 50_000,
        share: 0.1,
        planted: &["failed-sync-retried"],
        title: "a sync fails, then says it works; the page is dropped",
        prepare: power::lying_syncs,
    },
    Programme {
        id: "S7",
        ci: u64::MAX,
        full: u64::MAX,
        share: 1.5,
        planted: &["checksum-ignored", "no-resync", "one-header"],
        title: "every bit of every file flipped",
        prepare: damage::flips,
    },
    Programme {
        id: "S8",
        ci: 10_000,
        full: 2_000_000,
        share: 0.5,
        planted: &["bookkeeping-unproven", "key-kept", "anchor-ignored"],
        title: "files cut, spliced, swapped, replaced by older ones",
        prepare: structure::attacks,
    },
    Programme {
        id: "S10",
        ci: 1_000,
        full: 100_000,
        share: 0.5,
        planted: &["acknowledged-early", "expired-readable"],
        title: "200 random steps beside a model",
        prepare: model::walks,
    },
    Programme {
        id: "S11",
        ci: 1_000,
        full: 100_000,
        share: 0.5,
        planted: &["no-lock"],
        title: "a second process gets busy at once; the holder is killed",
        prepare: kill::holders,
    },
    Programme {
        id: "S12",
        ci: 2_000,
        full: 200_000,
        share: 1.0,
        planted: &["expired-readable", "key-kept", "clock-since-boot-ignored"],
        title: "days of a store with clock jumps, restarts, a failing key store",
        prepare: days::lives,
    },
    Programme {
        id: "S14",
        ci: 200,
        full: 20_000,
        share: 0.2,
        planted: &["nothing-removed"],
        title: "three hours of a store's life after another: descriptors, threads, memory, files, bytes",
        prepare: soak::weeks,
    },
    Programme {
        id: "S15",
        ci: 2_000,
        full: 20_000,
        share: 0.8,
        planted: &["no-file-sync"],
        title: "a real ext4 shut down without a flush while a child writes",
        prepare: power_cut::cuts,
    },
    Programme {
        id: "K1",
        ci: u64::MAX,
        full: u64::MAX,
        share: 0.1,
        planted: &["key-made-anew", "shred-trusts-destroy"],
        title: "each fault of a key store at each point of a store's life",
        prepare: key_store::matrix,
    },
    Programme {
        id: "K2",
        ci: 10_000,
        full: 1_000_000,
        share: 0.4,
        planted: &["key-made-anew", "shred-trusts-destroy"],
        title: "random faults of a key store",
        prepare: key_store::sequences,
    },
    Programme {
        id: "K3",
        ci: 16,
        full: 16,
        share: 0.1,
        planted: &["key-kept", "anchor-ignored"],
        title: "halves of a store restored from before a withdrawal",
        prepare: key_store::halves,
    },
    Programme {
        id: "C1",
        ci: u64::MAX,
        full: u64::MAX,
        share: 0.1,
        planted: &["tag-ignored"],
        title: "the known answers of Wycheproof: ChaCha20-Poly1305, AES-256-GCM, HKDF, HMAC, Ed25519",
        prepare: known_answers::wycheproof,
    },
    Programme {
        id: "C3",
        ci: 500,
        full: 50_000,
        share: 0.4,
        planted: &["nonce-kept-after-error", "salt-constant"],
        title: "no nonce twice under a run's key, over errors, crashes and copies (about 250 seals each)",
        prepare: nonces::ledger,
    },
    Programme {
        id: "C4",
        ci: 1_000,
        full: 100_000,
        share: 0.2,
        planted: &["salt-constant"],
        title: "copies of a store in use go their own ways",
        prepare: nonces::clones,
    },
    Programme {
        id: "C5",
        ci: u64::MAX,
        full: u64::MAX,
        share: 0.1,
        planted: &["commitment-ignored"],
        title: "each authenticated byte changed under a checksum made anew",
        prepare: structure::fields,
    },
    Programme {
        id: "C8",
        ci: 40,
        full: 2_000,
        share: 0.1,
        planted: &["leaky-comparison"],
        title: "the time of a comparison does not tell where two secrets differ (50,000 and more of both kinds each)",
        prepare: timing::comparisons,
    },
    Programme {
        id: "C9",
        ci: 64,
        full: 10_000,
        share: 0.2,
        planted: &["forgeries-uncounted", "key-never-full"],
        title: "2^16 seals that do not open lock a domain; a key seals 2^20 records or 64 MiB",
        prepare: limits::keys,
    },
    Programme {
        id: "L4",
        ci: 20_000,
        full: 1_000_000,
        share: 0.4,
        planted: &["key-kept", "secret-kept"],
        title: "a crash at every operation of a withdrawal",
        prepare: power::withdrawals,
    },
    Programme {
        id: "P3",
        ci: 20,
        full: 1_000,
        share: 0.2,
        planted: &["key-left-in-memory", "stack-unscrubbed"],
        title: "the memory and the files of a process after a purpose was closed, was shredded, and the store dropped",
        prepare: memory::lives,
    },
    Programme {
        id: "P1",
        ci: 100,
        full: 20_000,
        share: 0.1,
        planted: &["body-in-debug", "body-in-clear"],
        title: "canaries of bodies and keys in files, errors, Debug",
        prepare: canaries::sweep,
    },
    Programme {
        id: "P2",
        ci: 100,
        full: 10_000,
        share: 0.1,
        planted: &["body-in-clear"],
        title: "the files that a store leaves: no name but those of the format, and sealed bytes that look like noise",
        prepare: folder::contents,
    },
];

/// One line for each programme, its fields separated by tabs.
pub(crate) fn list() {
    for Programme { id, ci, full, share, planted, title, .. } in PROGRAMMES {
        println!("{id}\t{ci}\t{full}\t{share}\t{}\t{title}", planted.join(","));
    }
}

thread_local! {
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs one case; what it said when it did not hold.
fn attempt(case: &Case, number: u64) -> Result<(), String> {
    MESSAGE.with(|message| message.borrow_mut().clear());
    let held = panic::catch_unwind(AssertUnwindSafe(|| case(number)));
    held.map_err(|_| MESSAGE.with(|message| message.borrow().replace('\n', " ")))
}

fn keep_messages() {
    panic::set_hook(Box::new(|information| {
        let payload = information.payload();
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let place = information.location().map(|place| format!("{}:{}", place.file(), place.line()));
        let text = format!("{} ({})", text.unwrap_or_default(), place.unwrap_or_default());
        MESSAGE.with(|message| *message.borrow_mut() = text);
    }));
}

struct Options {
    from: u64,
    count: u64,
    seed: u64,
    threads: usize,
    /// End with the first failure.
    first: bool,
    /// End after so many seconds.
    seconds: u64,
}

fn options(words: &[&str]) -> Option<Options> {
    let mut options = Options { from: 0, count: u64::MAX, seed: 1, threads: 1, first: false, seconds: u64::MAX };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if *word == "--first" {
            options.first = true;
            continue;
        }
        let value: u64 = words.next()?.parse().ok()?;
        match *word {
            "--from" => options.from = value,
            "--count" => options.count = value,
            "--seed" => options.seed = value,
            "--threads" => options.threads = usize::try_from(value).ok()?.max(1),
            "--seconds" => options.seconds = value,
            _ => return None,
        }
    }
    Some(options)
}

/// Runs a programme's cases `from .. from + count`.
pub(crate) fn run(id: &str, words: &[&str]) -> ExitCode {
    let Some(programme) = PROGRAMMES.iter().find(|programme| programme.id == id) else {
        eprintln!("`{id}` is no programme");
        return ExitCode::FAILURE;
    };
    let Some(options) = options(words) else {
        eprintln!("an option is not understood");
        return ExitCode::FAILURE;
    };
    keep_messages();
    let prepared = match panic::catch_unwind(|| (programme.prepare)(options.seed)) {
        Ok(Ok(prepared)) => prepared,
        Ok(Err(why)) => {
            println!("not run {why}");
            return ExitCode::SUCCESS;
        }
        Err(_) => {
            // With a bug planted even the workload may not come to its end.
            println!("total 1");
            println!("failure 0 {}", MESSAGE.with(|message| message.borrow().replace('\n', " ")));
            println!("done 1 1");
            return ExitCode::FAILURE;
        }
    };
    let end = prepared.total.unwrap_or(u64::MAX).min(options.from.saturating_add(options.count));
    println!("total {end}");
    let (next, done, failed) = (AtomicU64::new(options.from), AtomicU64::new(0), AtomicU64::new(0));
    let stop = AtomicBool::new(false);
    let (said, started) = (Mutex::new(Instant::now()), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let start = next.fetch_add(CHUNK, Ordering::Relaxed);
                    if start >= end {
                        break;
                    }
                    // A chunk that was begun is finished, so that the cases done have no hole.
                    for number in start..end.min(start + CHUNK) {
                        if let Err(message) = attempt(&prepared.case, number) {
                            println!("failure {number} {message}");
                            let failed = failed.fetch_add(1, Ordering::Relaxed) + 1;
                            if options.first || failed >= MOST_FAILURES {
                                stop.store(true, Ordering::Relaxed);
                            }
                        }
                        done.fetch_add(1, Ordering::Relaxed);
                        if options.first && stop.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                    if started.elapsed().as_secs() >= options.seconds {
                        stop.store(true, Ordering::Relaxed);
                    }
                    let mut said = said.lock().unwrap();
                    if said.elapsed() > Duration::from_millis(200) {
                        *said = Instant::now();
                        println!("progress {}", done.load(Ordering::Relaxed));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    println!("done {} {failed}", done.into_inner());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
