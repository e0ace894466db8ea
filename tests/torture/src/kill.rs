//! Real processes: children that are killed while they write, and a second process that finds the store in use.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use menshen_journal::{
    Domain, Effects, FileKeys, Folder, Journal, OpenError, Options, Shredding, SystemClock, SystemRandomness, Verdict,
};

use rustix::time::{ClockId, clock_gettime};

use crate::planted;
use crate::programme::Prepared;
use crate::random::Random;
use crate::world::*;

fn open(folder: &std::path::Path) -> Result<Journal, OpenError> {
    let effects = Effects {
        disk: planted::disk(Arc::new(Folder::at(folder.join("store"))?)),
        keys: Arc::new(FileKeys::at(folder.join("keys"))?),
        clock: Arc::new(SystemClock::new()),
        randomness: Arc::new(SystemRandomness::new()),
        anchor: None,
        marker_disks: vec![Arc::new(Folder::at(folder.join("outside"))?)],
    };
    Journal::open(effects, Options { segment_bytes: 16 * 1024, ..Options::default() })
}

/// Written while a process is spawned, read while a store is open here: between fork and exec a child has a copy of
/// every lock that this process holds.
pub(crate) static SPAWNING: RwLock<()> = RwLock::new(());

pub(crate) fn spawn(role: &str, folder: &std::path::Path, seed: u64) -> Child {
    let _alone = SPAWNING.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    command.args(["child", role]).arg(folder).arg(seed.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::null()).stdin(Stdio::null()).spawn().unwrap()
}

/// A body names its record: the seed of the round and its number in it.
fn body(seed: u64, number: u64) -> Vec<u8> {
    let mut random = Random::of(seed, number);
    let length = if random.one_in(10) { 5_000 } else { random.below(300) };
    let mut body = format!("{seed} {number} ").into_bytes();
    body.extend((0..length).map(|at| (at * 7 + number) as u8 | 1));
    body
}

/// What a child says over its pipe: one letter and a number.
fn say(letter: char, number: u64) {
    say_line(&format!("{letter} {number}\n"));
}

/// One write for each line, so that a kill tears none that was promised, and when it was said. Nobody listens once the
/// parent is gone.
fn say_line(line: &str) {
    let now = clock_gettime(ClockId::Monotonic);
    let line = format!("{} {line}", i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec));
    if std::io::stdout().write_all(line.as_bytes()).is_err() {
        std::process::exit(0);
    }
}

pub(crate) fn child(role: &str, folder: &str, seed: u64) -> ExitCode {
    let folder = std::path::Path::new(folder);
    let Ok(journal) = open(folder) else { return ExitCode::from(3) };
    say('o', 0);
    if role == "holder" {
        let _ = domain(&journal, "analytics").and_then(|domain| {
            let world = World::new(seed);
            loop {
                put(&world, &journal, domain, b"held")?;
                journal.sync()?;
                say('h', 0);
            }
            #[expect(unreachable_code, reason = "it is killed")]
            Ok::<(), menshen_journal::Error>(())
        });
        return ExitCode::SUCCESS;
    }
    match write(&journal, seed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(4),
    }
}

/// Appends, syncs, acknowledges, withdraws until it is killed.
fn write(journal: &Journal, seed: u64) -> Result<(), menshen_journal::Error> {
    let world = {
        let world = World::new(seed);
        world.clock.set_wall(menshen_journal::DeviceClock::now(&SystemClock::new()).wall_ms);
        world
    };
    let mut random = Random::of(seed, 0xc411d);
    let account = essential(journal)?;
    let analytics = domain(journal, "analytics")?;
    let one = endpoint(journal)?;
    // An ended epoch is never begun again.
    let ended = journal.denied()?.iter().map(|domain| domain.epoch).max();
    let mut epoch = ended.unwrap_or(0) + 1;
    let mut crashes = domain_in(journal, "crashes", epoch)?;
    for number in 0.. {
        match random.below(12) {
            0..7 => {
                say('a', number);
                if planted::is("acknowledged-early") {
                    say('b', number);
                }
                put(&world, journal, analytics, &body(seed, number))?;
                say('b', number);
            }
            7 => {
                journal.sync()?;
                say('s', number);
            }
            8 => {
                let batch = read(journal, one, &[analytics])?;
                let take = random.below(4) as usize;
                let (ids, mine): (Vec<_>, Vec<_>) = batch.records.iter().take(take).map(|r| (r.id, &r.body)).unzip();
                let mine: Vec<String> = mine.iter().map(|body| name_of(body)).collect();
                for name in &mine {
                    say_line(&format!("k {name}\n"));
                }
                journal.acknowledge(one, &ids)?;
                for name in &mine {
                    say_line(&format!("K {name}\n"));
                }
                if random.one_in(4) {
                    journal.retire_delivered(&|_, _| vec![one])?;
                }
            }
            9 => {
                say('e', number);
                enter(journal, account, b"entry")?;
                say('E', number);
            }
            10 => {
                while journal.alias(&crashes).is_none() && with_key(journal, crashes).is_err() {
                    epoch += 1;
                    crashes = Domain { epoch, ..crashes };
                }
                put(&world, journal, crashes, b"crash")?;
            }
            _ => {
                journal.mark_denied(&crashes)?;
                say('m', crashes.epoch);
                if journal.shred(&crashes)? == Shredding::Done {
                    say('W', crashes.epoch);
                }
                epoch += 1;
                crashes = Domain { epoch, ..crashes };
            }
        }
    }
    Ok(())
}

/// "SEED NUMBER" at a body's beginning.
fn name_of(body: &[u8]) -> String {
    let text: String = body.iter().take(64).map(|byte| char::from(*byte)).collect();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// A chain of kills on one folder, and all that was promised in it.
struct Life {
    folder: tempfile::TempDir,
    promises: Said,
    rounds: u64,
}

/// What the children said, in the order in which they said it.
#[derive(Default)]
pub(crate) struct Said {
    attempted: std::collections::BTreeSet<String>,
    buffered: std::collections::BTreeSet<String>,
    synced: std::collections::BTreeSet<String>,
    acknowledging: std::collections::BTreeSet<String>,
    acknowledged: std::collections::BTreeSet<String>,
    batches_attempted: u64,
    batches: u64,
    marked: std::collections::BTreeSet<u64>,
    withdrawn: std::collections::BTreeSet<u64>,
}

impl Said {
    pub(crate) fn hear(&mut self, seed: u64, line: &str) {
        let Some((letter, rest)) = line.split_once(' ') else { return };
        let own = format!("{seed} {rest}");
        match letter {
            "a" => _ = self.attempted.insert(own),
            "b" => _ = self.buffered.insert(own),
            "s" => self.synced.extend(self.buffered.iter().cloned()),
            "k" => _ = self.acknowledging.insert(rest.to_owned()),
            "K" => _ = self.acknowledged.insert(rest.to_owned()),
            "e" => self.batches_attempted += 1,
            "E" => self.batches += 1,
            "m" => _ = self.marked.insert(rest.parse().unwrap()),
            "W" => _ = self.withdrawn.insert(rest.parse().unwrap()),
            _ => {}
        }
    }

    /// Whether a line only says what is about to be done: it promises nothing, and it may have been done.
    pub(crate) fn is_attempt(line: &str) -> bool {
        matches!(line.split_once(' '), Some(("a" | "k" | "e", _)))
    }

    /// What was only buffered is promised no more.
    pub(crate) fn lose_power(&mut self) {
        self.buffered.clone_from(&self.synced);
    }

    fn is_unbegun(&self) -> bool {
        self.buffered.is_empty() && self.marked.is_empty() && self.batches == 0
    }

    pub(crate) fn check(&self, folder: &std::path::Path) {
        let _open = SPAWNING.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let journal = match open(folder) {
            Ok(journal) => journal,
            // The making of the store was cut short; nothing was promised.
            Err(OpenError::NotAStore) if self.is_unbegun() => return,
            Err(error) => panic!("open: {error:?}"),
        };
        let (account, one) = (guest(&journal).unwrap(), endpoint(&journal).unwrap());
        let Ok(analytics) = domain_of(&journal, "analytics") else { return };
        let batch = read(&journal, one, &[analytics]).unwrap_or_else(|error| panic!("read: {error:?}"));
        let mut found = std::collections::BTreeSet::new();
        for record in &batch.records {
            let name = name_of(&record.body);
            let (seed, number) = name.split_once(' ').expect("an invented record");
            assert_eq!(*record.body, body(seed.parse().unwrap(), number.parse().unwrap()), "wrong data");
            assert!(self.attempted.contains(&name), "{name} was never appended");
            assert!(!self.acknowledged.contains(&name), "{name} was acknowledged and came back");
            assert!(found.insert(name.clone()), "{name} is there twice");
        }
        for name in &self.buffered {
            assert!(
                self.acknowledging.contains(name) || found.contains(name),
                "{name} is lost; {:?}",
                journal.report()
            );
        }
        if let Ok(contents) = journal.ledger_read(account) {
            assert_eq!(contents.verdict, Verdict::Sound);
            let batches = contents.entries.len() as u64 / 2;
            assert!((self.batches..=self.batches_attempted).contains(&batches), "{batches} batches");
        } else {
            assert_eq!(self.batches, 0, "the ledger is lost");
        }
        let denied = journal.denied().unwrap();
        for epoch in &self.marked {
            let domain = domain_in(&journal, "crashes", *epoch).unwrap();
            assert!(denied.contains(&domain), "a marker is lost");
        }
        for epoch in &self.withdrawn {
            let domain = domain_in(&journal, "crashes", *epoch).unwrap();
            assert!(read(&journal, one, &[domain]).unwrap().records.is_empty(), "withdrawn, and read");
        }
    }
}

/// Takes down what a child says, and when by the monotonic clock, in nanoseconds.
pub(crate) fn listen(child: &mut Child) -> std::thread::JoinHandle<Vec<(u128, String)>> {
    let out = child.stdout.take().unwrap();
    std::thread::spawn(move || {
        let mut lines = Vec::new();
        let mut reader = BufReader::new(out);
        let mut line = String::new();
        // A line without its end was not said.
        while reader.read_line(&mut line).is_ok_and(|count| count > 0) && line.ends_with('\n') {
            let (at, said) = line.trim_end().split_once(' ').unwrap();
            lines.push((at.parse().unwrap(), said.to_owned()));
            line.clear();
        }
        lines
    })
}

thread_local! {
    static LIFE: std::cell::RefCell<Option<Life>> = const { std::cell::RefCell::new(None) };
}

pub(crate) fn shared_memory() -> tempfile::TempDir {
    let fast = std::path::Path::new("/dev/shm");
    if fast.is_dir() { tempfile::tempdir_in(fast).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// S1. Sixteen kills follow one another on one folder.
pub(crate) fn rounds(seed: u64) -> Result<Prepared, String> {
    Prepared::endless(move |case| {
        LIFE.with(|life| {
            let mut life = life.borrow_mut();
            if life.as_ref().is_none_or(|life| life.rounds >= 16) {
                *life = Some(Life { folder: shared_memory(), promises: Said::default(), rounds: 0 });
            }
            let mut this = life.take().unwrap();
            let mut random = Random::of(seed, case);
            let round = seed.wrapping_mul(1_000_003).wrapping_add(case);
            let mut child = spawn("writer", this.folder.path(), round);
            let reader = listen(&mut child);
            std::thread::sleep(Duration::from_micros(500 + random.below(14_000)));
            let killed = child.kill();
            let status = child.wait().unwrap();
            assert!(killed.is_ok() && status.code().is_none(), "the child ended by itself: {status}");
            for (_, line) in reader.join().unwrap() {
                this.promises.hear(round, &line);
            }
            this.promises.check(this.folder.path());
            this.rounds += 1;
            *life = Some(this);
        });
    })
}

/// S11.
pub(crate) fn holders(seed: u64) -> Result<Prepared, String> {
    let folders: Mutex<Vec<tempfile::TempDir>> = Mutex::default();
    Prepared::endless(move |case| {
        let mut random = Random::of(seed, case);
        let taken = folders.lock().unwrap().pop();
        let folder = taken.unwrap_or_else(shared_memory);
        let mut child = spawn("holder", folder.path(), case);
        let mut first = [0_u8; 4];
        let opened = std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).is_ok();
        std::thread::sleep(Duration::from_micros(random.below(2_000)));
        let _open = SPAWNING.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let started = Instant::now();
        let second = open(folder.path()).err();
        let waited = started.elapsed();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(opened, "the holder did not open the store");
        assert_eq!(second, Some(OpenError::Busy));
        assert!(waited < Duration::from_millis(250), "a second opener waited {waited:?}");
        let journal = open(folder.path()).unwrap_or_else(|error| panic!("after the kill: {error:?}"));
        let analytics = domain_of(&journal, "analytics").unwrap();
        if let Ok(batch) = read(&journal, endpoint(&journal).unwrap(), &[analytics]) {
            assert!(batch.records.iter().all(|record| **record.body == *b"held"));
            let ids: Vec<_> = batch.records.iter().map(|record| record.id).collect();
            journal.acknowledge(endpoint(&journal).unwrap(), &ids).unwrap();
        }
        drop(journal);
        if !random.one_in(8) {
            folders.lock().unwrap().push(folder);
        }
    })
}
