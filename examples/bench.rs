//! The figures that the README quotes, measured in one run on this machine: `cargo xtask bench`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "an example stops at what it did not expect"
)]
#![allow(missing_docs, dead_code, reason = "the stage offers more than this example needs")]

#[path = "../tests/support/observed_keys.rs"]
mod observed_keys;
#[path = "support/stage.rs"]
mod stage;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use menshen::policy::{AgeBand, Consent, Month, Question};
use menshen::{FileKeys, Menshen, Policy, Recorded, Session, Step, Store, Withdrawal, fields};
use observed_keys::ObservedKeys;
use stage::{FakePlatform, Person};

const POLICY: &[u8] = include_bytes!("policies/justalk-family.json");
const BACKLOG: u32 = 100_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    println!("{}", machine());
    println!("one run; trust the ratios more than the values\n");
    decisions()?;
    let (menshen, session) = open(folder.path())?;
    answers(&session);
    events(&menshen, &session)?;
    drop(session);
    drop(menshen);
    opening(folder.path())?;
    Ok(())
}

fn line(what: &str, value: String) {
    println!("{what:<52} {value}");
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|l| l.strip_prefix("model name")).map_or("", |l| l.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{} {}, {model}, {cores} cores", std::env::consts::OS, std::env::consts::ARCH)
}

/// Repeats for about a second, and gives the time of one in the median batch.
fn median(mut act: impl FnMut()) -> Duration {
    let mut times = Vec::new();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(1) {
        let batch = Instant::now();
        for _ in 0..1000 {
            act();
        }
        times.push(batch.elapsed() / 1000);
    }
    times.sort();
    times[times.len() / 2]
}

fn decisions() -> Result<(), Box<dyn std::error::Error>> {
    let policy = Policy::read(POLICY)?;
    let place = menshen::policy::document::Place::parse("DE").ok();
    let rules = policy.rules_in_force(place.as_ref());
    let question = Question {
        purpose: policy.purpose_id("usage-statistics").unwrap(),
        age: Some(AgeBand::of(Month::new(1990, 5).unwrap(), Month::new(2026, 11).unwrap(), policy.thresholds())),
        notice_agreed: true,
        consent: Consent::NotAsked,
        restricted: false,
        now_ms: 1_800_000_000_000,
    };
    let one = median(|| {
        black_box(rules.decide(black_box(&question)));
    });
    let count = format!("one purpose of {}, {} law packs", policy.purposes().count(), rules.identity().law_packs.len());
    line(&format!("decide, {count}"), format!("{} ns, {:.1} M a second", one.as_nanos(), 1e3 / one.as_nanos() as f64));
    let unknown = policy.rules_in_force(None);
    let one = median(|| {
        black_box(unknown.decide(black_box(&Question { age: None, ..question })));
    });
    let packs = unknown.identity().law_packs.len();
    line(&format!("decide, age and place unknown, {packs} law packs"), format!("{} ns", one.as_nanos()));
    let one = median(|| {
        black_box(policy.rules_in_force(black_box(place.as_ref())));
    });
    line("the rules in force where somebody lives, compiled", format!("{:.1} µs", one.as_nanos() as f64 / 1e3));
    Ok(())
}

fn open(folder: &std::path::Path) -> Result<(Menshen, Session), Box<dyn std::error::Error>> {
    let platform = FakePlatform::new();
    let keys = Arc::new(FileKeys::at(folder.join("keys")).map_err(menshen::Error::from)?);
    let store = Store::at(folder.join("store"))?.with_cap(256 * 1024 * 1024);
    let menshen = Menshen::open_on(Policy::read(POLICY)?, store, keys, platform.platform())?;
    let session = menshen.guest()?;
    let mut person = Person {
        born: "1990-05".to_owned(),
        place: "DE",
        yes: vec!["usage-statistics", "share-location"],
        interactive: false,
        platform,
        log: Vec::new(),
    };
    session.first_launch()?.drive(&mut |step: &Step| person.answer(step))?;
    Ok((menshen, session))
}

fn answers(session: &Session) {
    let one = median(|| {
        black_box(session.is_allowed(black_box("voice-call")));
    });
    line("is_allowed from Rust", format!("{} ns", one.as_nanos()));
}

fn events(menshen: &Menshen, session: &Session) -> Result<(), Box<dyn std::error::Error>> {
    let record = |number: u32| -> Result<(), menshen::Error> {
        let recorded =
            session.record("feature_used", fields! { "feature" => "map", "seconds" => 1.5, "times" => number })?;
        assert!(matches!(recorded, Recorded::Buffered));
        Ok(())
    };
    let began = Instant::now();
    for number in 0..BACKLOG {
        record(number)?;
    }
    let took = began.elapsed();
    line(
        "record, sealed, unsynced",
        format!("{:.1} µs, {:.0} events a second", micros(took, BACKLOG), f64::from(BACKLOG) / took.as_secs_f64()),
    );
    let began = Instant::now();
    for number in 0..500 {
        record(number)?;
        menshen.sync()?;
    }
    let took = began.elapsed();
    line(
        "record, sealed, each synced",
        format!("{:.1} µs, {:.0} events a second", micros(took, 500), 500.0 / took.as_secs_f64()),
    );
    Ok(())
}

fn micros(took: Duration, count: u32) -> f64 {
    took.as_secs_f64() * 1e6 / f64::from(count)
}

fn opening(folder: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let keys = FileKeys::at(folder.join("keys"))?;
    let (keys, is_slow) = ObservedKeys::slow(Arc::new(keys), Duration::from_millis(200));
    let began = Instant::now();
    let store = Store::at(folder.join("store"))?;
    let provider = Arc::clone(&keys);
    let menshen = Menshen::open_on(Policy::read(POLICY)?, store, provider, FakePlatform::new().platform())?;
    let structural = began.elapsed();
    let began = Instant::now();
    let session = menshen.guest()?;
    let gate = began.elapsed();
    assert!(session.is_purpose_allowed("usage-statistics"));
    line("open with 100,000 records, policy read and checked", format!("{:.1} ms", structural.as_secs_f64() * 1e3));
    line("… and the ledger to an open gate", format!("{:.1} ms", gate.as_secs_f64() * 1e3));
    is_slow.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let withdrawal = session.withdraw("usage-statistics")?;
    let took = began.elapsed();
    assert!(matches!(withdrawal, Withdrawal::Done { .. }) && !session.is_purpose_allowed("usage-statistics"));
    line("withdraw it, until closed and entered; a key store of 200 ms", format!("{:.1} ms", took.as_secs_f64() * 1e3));
    Ok(())
}
