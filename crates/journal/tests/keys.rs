//! Keys: spares that a grant need not wait for, a slow key store that holds up nobody, and keys that nothing names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use menshen_journal::simulated::Fault;
use menshen_journal::{
    Alias, DiskError, Effects, Error, Expiry, Journal, KeyError, KeyProvider, KeyState, MemoryKeys, SystemRandomness,
};
use support::*;
use zeroize::Zeroizing;

/// A key store that takes its time for every key.
#[derive(Clone)]
struct SlowKeys(MemoryKeys, Duration);

impl KeyProvider for SlowKeys {
    fn create(&self, alias: &Alias) -> Result<(), KeyError> {
        std::thread::sleep(self.1);
        self.0.create(alias)
    }

    fn wrap(&self, alias: &Alias, secret: &[u8], aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.0.wrap(alias, secret, aad)
    }

    fn unwrap(&self, alias: &Alias, blob: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        std::thread::sleep(self.1);
        self.0.unwrap(alias, blob, aad)
    }

    fn exists(&self, alias: &Alias) -> Result<bool, KeyError> {
        self.0.exists(alias)
    }

    fn list(&self) -> Result<Vec<Alias>, KeyError> {
        self.0.list()
    }

    fn destroy(&self, alias: &Alias) -> Result<(), KeyError> {
        self.0.destroy(alias)
    }

    fn state(&self) -> KeyState {
        self.0.state()
    }
}

fn slow(bench: &Bench, time: Duration) -> Journal {
    let effects = Effects {
        disk: Arc::new(bench.disk.clone()),
        keys: Arc::new(SlowKeys(bench.keys.clone(), time)),
        clock: Arc::new(bench.clock.clone()),
        randomness: Arc::new(SystemRandomness::new()),
        anchor: None,
        marker_disks: Vec::new(),
    };
    Journal::open(effects, bench.options.clone()).unwrap()
}

#[test]
fn a_grant_with_a_spare_needs_no_key_store() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    journal.fill_spares(2).unwrap();
    assert_eq!(bench.keys.list().unwrap().len(), 3, "the store's own and two spares");
    bench.keys.set_state(KeyState::NotYet);
    let one = domain(&journal, "one").unwrap();
    let two = domain(&journal, "two").unwrap();
    assert_ne!(journal.alias(&one), journal.alias(&two));
    put(&bench, &journal, one, b"x").unwrap();
    assert_eq!(domain(&journal, "three"), Err(Error::Key(KeyError::NotYet)), "there were two");
}

#[test]
fn spares_outlive_a_restart_and_are_given_once() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    journal.fill_spares(3).unwrap();
    let first = domain(&journal, "first").unwrap();
    let first = journal.alias(&first).unwrap();
    drop(journal);
    let journal = bench.open().unwrap();
    journal.fill_spares(2).unwrap();
    assert_eq!(bench.keys.list().unwrap().len(), 4, "none was made anew");
    let mut given = BTreeSet::from([first]);
    for purpose in ["second", "third", "fourth"] {
        let domain = domain(&journal, purpose).unwrap();
        assert!(given.insert(journal.alias(&domain).unwrap()), "an alias was given twice");
    }
}

#[test]
fn a_crash_while_a_spare_is_given_never_gives_it_twice() {
    let counted = {
        let bench = Bench::new();
        let journal = bench.open().unwrap();
        journal.fill_spares(1).unwrap();
        bench.disk.set_fault(None);
        domain(&journal, "first").unwrap();
        bench.disk.operations()
    };
    assert!(counted > 3);
    for at in 0..counted {
        let bench = Bench::new();
        let journal = bench.open().unwrap();
        journal.fill_spares(1).unwrap();
        bench.disk.set_fault(Some(Fault::From(at, DiskError::Io)));
        let _ = domain(&journal, "first");
        drop(journal);
        bench.disk.kill();
        let journal = bench.open().unwrap();
        journal.fill_spares(1).unwrap();
        let first = domain(&journal, "first").unwrap();
        let second = domain(&journal, "second").unwrap();
        assert_ne!(journal.alias(&first), journal.alias(&second), "at {at}");
        put(&bench, &journal, first, b"x").unwrap();
    }
}

#[test]
fn a_spare_whose_key_is_gone_is_replaced() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    journal.unlock().unwrap();
    let own: BTreeSet<Alias> = bench.keys.list().unwrap().into_iter().collect();
    journal.fill_spares(2).unwrap();
    drop(journal);
    let lost = bench.keys.list().unwrap().into_iter().find(|alias| !own.contains(alias)).unwrap();
    bench.keys.destroy(&lost).unwrap();
    let journal = bench.open().unwrap();
    journal.fill_spares(2).unwrap();
    assert_eq!(bench.keys.list().unwrap().len(), 3);
    for purpose in ["one", "two"] {
        let domain = domain(&journal, purpose).unwrap();
        assert_eq!(bench.keys.exists(&journal.alias(&domain).unwrap()), Ok(true));
    }
}

#[test]
fn a_slow_key_store_holds_up_nobody_else() {
    let bench = Bench::new();
    let journal = slow(&bench, Duration::ZERO);
    let analytics = domain(&journal, "analytics").unwrap();
    let other = domain(&journal, "other").unwrap();
    put(&bench, &journal, other, b"x").unwrap();
    drop(journal);
    let journal = slow(&bench, Duration::from_millis(400));
    journal.unlock().unwrap();
    journal.unlock_domain(&analytics).unwrap();
    std::thread::scope(|scope| {
        let start = Instant::now();
        scope.spawn(|| journal.fill_spares(1).unwrap());
        scope.spawn(|| journal.unlock_domain(&other).unwrap());
        scope.spawn(|| journal.create_domain(&menshen_journal::Domain { epoch: 2, ..other }).unwrap());
        std::thread::sleep(Duration::from_millis(50));
        for _ in 0..20 {
            put(&bench, &journal, analytics, b"meanwhile").unwrap();
        }
        assert!(start.elapsed() < Duration::from_millis(350), "{:?}", start.elapsed());
    });
    assert_eq!(read(&journal, endpoint(&journal), &[other]).records.len(), 1);
}

#[test]
fn only_keys_of_this_store_that_nothing_names_are_swept_up() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    journal.fill_spares(1).unwrap();
    let analytics = domain(&journal, "analytics").unwrap();
    journal.fill_spares(1).unwrap();
    // What a crash leaves: keys that are in no slot. One of them a ledger names.
    let own = journal.alias(&analytics).unwrap();
    let (beginning, _) = own.as_str().split_at(16);
    let stray = Alias::parse(&format!("{beginning}{}", "0".repeat(24))).unwrap();
    let named = Alias::parse(&format!("{beginning}{}", "1".repeat(24))).unwrap();
    let foreign = Alias::parse(&format!("menshen-{}", "2".repeat(32))).unwrap();
    for alias in [&stray, &named, &foreign] {
        bench.keys.create(alias).unwrap();
    }
    assert_eq!(journal.sweep_keys(&|alias| *alias == named).unwrap(), 1);
    assert_eq!(bench.keys.exists(&stray), Ok(false));
    assert_eq!(bench.keys.list().unwrap().len(), 5);
    bench.keys.set_state(KeyState::Suspect);
    assert!(journal.sweep_keys(&|_| false).is_err());
}

#[test]
fn a_record_ends_by_the_stricter_of_two_clocks() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let analytics = domain(&journal, "analytics").unwrap();
    put(&bench, &journal, analytics, b"eight days").unwrap();
    // Somebody sets the clock back; the time since the start goes on.
    bench.clock.set_wall(START_MS - 300 * i64::try_from(DAY_MS).unwrap());
    bench.clock.advance(8 * DAY_MS - 1);
    assert_eq!(read(&journal, endpoint(&journal), &[analytics]).records.len(), 1);
    bench.clock.advance(1);
    assert_eq!(read(&journal, endpoint(&journal), &[analytics]).records.len(), 0);
    // What never ends by time does not end by that clock either.
    let never = menshen_journal::Append {
        domain: analytics,
        lane: menshen_journal::Lane::Telemetry,
        expiry: Expiry::never(),
        body: b"never",
    };
    assert!(journal.append(&never).unwrap().id().is_some());
    bench.clock.advance(1000 * DAY_MS);
    assert_eq!(bodies(&read(&journal, endpoint(&journal), &[analytics])), [b"never"]);
}

#[test]
fn a_key_is_shredded_by_the_alias_that_evidence_names_and_nothing_else_goes_with_it() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let one = domain(&journal, "one").unwrap();
    let two = domain(&journal, "two").unwrap();
    let aliases = [journal.alias(&one).unwrap(), journal.alias(&two).unwrap()];
    for domain in [one, two] {
        put(&bench, &journal, domain, b"x").unwrap();
    }
    // A wrong name leads to the domain of another purpose: only the key of the evidence goes.
    assert_eq!(journal.shred_key(&two, &aliases[0]).unwrap(), menshen_journal::Shredding::Done);
    assert_eq!(bench.keys.exists(&aliases[0]), Ok(false));
    assert_eq!(bench.keys.exists(&aliases[1]), Ok(true));
    journal.unlock_domain(&two).unwrap();
    assert_eq!(bodies(&read(&journal, endpoint(&journal), &[two])), [b"x"]);
    // A name that leads nowhere is no proof that the key is gone.
    let nowhere = menshen_journal::Domain { epoch: 77, ..two };
    bench.keys.set_state(KeyState::NotYet);
    assert_eq!(journal.shred_key(&nowhere, &aliases[1]).unwrap(), menshen_journal::Shredding::Pending);
    bench.keys.set_state(KeyState::Ready);
    assert_eq!(journal.shred_key(&nowhere, &aliases[1]).unwrap(), menshen_journal::Shredding::Done);
    assert_eq!(bench.keys.exists(&aliases[1]), Ok(false));
    let essential = menshen_journal::Domain { purpose: menshen_journal::Label::ESSENTIAL, ..one };
    assert_eq!(journal.shred_key(&essential, &aliases[0]), Err(Error::Closed));
}
