//! Writes the golden stores: `cargo run -p menshen-journal --example golden`. Everything random comes from a seed, so
//! that a second run writes the same bytes. `tests/golden.rs` reads them, with this file as a module.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "not shipped")]
#![allow(dead_code, reason = "the test uses a part")]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use menshen_journal::simulated::{Fault, MemoryAnchor, SeededRandomness, SimulatedClock, SimulatedDisk};
use menshen_journal::{
    Algorithm, Alias, Anchor, Append, BoxTo, DeviceClock, DiskError, Domain, Effects, Expiry, FileKeys, Folder,
    Journal, KeyError, KeyProvider, KeyState, Label, LabelKind, Lane, LedgerContents, NewEntry, OpenReport, Options,
    Randomness, Read, RecordId, ServerKey, Shredding,
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::{Value, json};
use zeroize::Zeroizing;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// When the stores begin, and when they are read.
const START_MS: i64 = 1_700_000_000_000;
const READ_MS: i64 = START_MS + 2 * DAY_MS as i64;

/// What a store is made of, by path: its folder, the platform's keys, the marker folder, the anchor.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/0")
}

fn main() {
    let (stores, mut bytes) = (stores(), 0);
    for (name, files) in &stores {
        let folder = folder().join(name);
        let _ = fs::remove_dir_all(&folder);
        for (name, content) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            // Zeros at the end say nothing; the length is kept apart.
            let used = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            fs::write(path, &content[..used]).unwrap();
            bytes += used;
        }
        let lengths: BTreeMap<&String, usize> = files.iter().map(|(name, content)| (name, content.len())).collect();
        let expected = json!({ "files": lengths, "found": found(files) });
        let text = serde_json::to_string_pretty(&expected).unwrap() + "\n";
        bytes += text.len();
        fs::write(folder.join("expected.json"), text).unwrap();
    }
    println!("{} stores, {bytes} bytes", stores.len());
}

/// All golden stores.
pub(crate) fn stores() -> Vec<(&'static str, Files)> {
    let plain = plain();
    vec![
        ("flipped-record", flipped_record(plain.clone())),
        ("torn-tail", torn_tail(plain.clone())),
        ("lost-manifest", lost_manifest(plain.clone())),
        ("damaged-copies", damaged_copies(plain.clone())),
        ("plain", plain),
        ("ledger", ledger()),
        ("withdrawn", withdrawn()),
        ("rewritten", rewritten()),
        ("boxes", boxes()),
        ("pruned", pruned()),
        ("rekeyed", rekeyed()),
    ]
}

/// Two purposes and more, several runs, both algorithms; acknowledged out of order, refused, ended, retired.
pub(crate) fn plain() -> Files {
    let bench = Bench::new(1);
    let journal = bench.open(Algorithm::ChaCha20Poly1305);
    let [collector, other] = endpoints(&journal);
    let [analytics, crashes, startup] = ["analytics", "crashes", "startup"].map(|name| domain(&journal, name));
    journal.fill_spares(1).unwrap();
    let week = |bench: &Bench| Expiry::after(&bench.clock.now(), 7 * DAY_MS);
    let started: Vec<_> = (0..2).map(|n| put(&journal, startup, week(&bench), &[n; 3])).collect();
    let mut ids: Vec<_> = (0..6).map(|n| put(&journal, analytics, week(&bench), &[n; 40][..n as usize * 7])).collect();
    put(&journal, analytics, Expiry::after(&bench.clock.now(), HOUR_MS), b"ended when it is read");
    let mail = Append { domain: crashes, lane: Lane::Outbox, expiry: Expiry::never(), body: b"an item of the outbox" };
    journal.append(&mail).unwrap().id().unwrap();
    for number in 0..9 {
        put(&journal, crashes, week(&bench), &[number; 4]);
        journal.sync().unwrap();
    }
    [collector, other].iter().for_each(|endpoint| journal.acknowledge(*endpoint, &started).unwrap());
    assert_eq!(journal.retire_delivered(&|_, _| vec![collector, other]).unwrap(), 1);
    drop(journal);

    bench.clock.reboot();
    bench.clock.advance(1000);
    let journal = bench.open(Algorithm::ChaCha20Poly1305);
    ids.extend((6..10).map(|n| put(&journal, analytics, week(&bench), &[n; 33])));
    journal.sync().unwrap();
    journal.acknowledge(collector, &ids[..2]).unwrap();
    journal.acknowledge(collector, &[ids[5], ids[8]]).unwrap();
    journal.quarantine(other, &ids[2..3]).unwrap();
    drop(journal);

    let journal = bench.open(Algorithm::Aes256Gcm);
    let diagnostics = domain(&journal, "diagnostics");
    put(&journal, diagnostics, week(&bench), b"sealed with AES-256-GCM");
    journal.sync().unwrap();
    drop(journal);
    bench.files()
}

/// Entries whose payloads were erased, checkpoints before and after, a batch that was not finished and its successor.
fn ledger() -> Files {
    let bench = Bench::new(2);
    let journal = bench.open(Algorithm::ChaCha20Poly1305);
    let account = essential(&journal);
    enter(&journal, account, &["granted", "noticed"]);
    journal.ledger_checkpoint(account, b"erased with the payloads").unwrap();
    enter(&journal, account, &["changed"]);
    journal.erase_payloads(account).unwrap();
    enter(&journal, account, &["after the erasure"]);
    drop(journal);

    let journal = bench.open(Algorithm::ChaCha20Poly1305);
    enter(&journal, account, &["five", "six", "seven"]);
    journal.ledger_checkpoint(account, b"a state").unwrap();
    enter(&journal, account, &["behind the checkpoint"]);
    bench.disk.set_fault(Some(Fault::HalfThenNothing(0)));
    let halves = ["never", "finished"].map(|payload| NewEntry { statement: b"lost", payload: payload.as_bytes() });
    journal.ledger_append(account, &halves).unwrap_err();
    drop(journal);
    bench.disk.kill();

    let journal = bench.open(Algorithm::ChaCha20Poly1305);
    enter(&journal, account, &["in its place"]);
    drop(journal);
    bench.files()
}

/// A purpose denied, entered, shredded; its markers are still there. Another goes on.
fn withdrawn() -> Files {
    let bench = Bench::new(3);
    let journal = bench.open(Algorithm::ChaCha20Poly1305);
    let account = essential(&journal);
    let [analytics, crashes] = ["analytics", "crashes"].map(|name| domain(&journal, name));
    enter(&journal, account, &["granted"]);
    let expiry = Expiry::after(&bench.clock.now(), 7 * DAY_MS);
    put(&journal, analytics, expiry, b"nobody reads this again");
    put(&journal, crashes, expiry, b"kept");
    journal.sync().unwrap();
    journal.mark_denied(&analytics).unwrap();
    enter(&journal, account, &["withdrawn"]);
    assert_eq!(journal.shred(&analytics).unwrap(), Shredding::Done);
    drop(journal);
    bench.files()
}

/// A segment that did not sync, so that another took its place under the same sequence numbers.
fn rewritten() -> Files {
    let bench = Bench::new(4);
    let journal = bench.open(Algorithm::ChaCha20Poly1305);
    let [collector, _] = endpoints(&journal);
    let analytics = domain(&journal, "analytics");
    let expiry = Expiry::after(&bench.clock.now(), 7 * DAY_MS);
    let ids: Vec<_> = (0..5).map(|n| put(&journal, analytics, expiry, &[n; 5])).collect();
    journal.acknowledge(collector, &[ids[0], ids[3]]).unwrap();
    // The file grows, then it does not sync.
    bench.disk.set_fault(Some(Fault::Once(1, DiskError::Io)));
    journal.sync().unwrap();
    bench.disk.set_fault(None);
    put(&journal, analytics, expiry, &[5; 5]);
    journal.sync().unwrap();
    drop(journal);
    bench.files()
}

/// Boxes written while a purpose's key was not ready: of two events, one acknowledged, one whose time may be over when it is
/// read, one for another endpoint; then a record of its own again.
fn boxes() -> Files {
    let bench = Bench::new(5);
    let journal = bench.open(Algorithm::ChaCha20Poly1305);
    let [collector, other] = endpoints(&journal);
    let analytics = domain(&journal, "analytics");
    let [call, crash] = ["call_ended", "crashed"].map(|name| journal.label(LabelKind::Purpose, name).unwrap());
    let alias = journal.alias(&analytics).unwrap();
    drop(journal);
    bench.keys.make_wait(Some(alias));
    let journal = bench.open(Algorithm::ChaCha20Poly1305);
    let key = ServerKey(public_key(&SERVER));
    let week = Expiry::after(&bench.clock.now(), 7 * DAY_MS);
    let boxed = |endpoint, event, expiry, body: &[u8]| {
        let append = Append { domain: analytics, lane: Lane::Telemetry, expiry, body };
        journal.append_or_box(&append, &BoxTo { endpoint, event, key }).unwrap().id().unwrap()
    };
    let first = boxed(collector, call, week, b"acknowledged");
    boxed(collector, call, week, b"");
    boxed(collector, crash, week, &[7; 100]);
    boxed(other, call, week, b"for the other endpoint");
    boxed(collector, call, Expiry::after(&bench.clock.now(), DAY_MS), b"may be over when it is read");
    journal.sync().unwrap();
    journal.acknowledge(collector, &[first]).unwrap();
    drop(journal);
    bench.keys.make_wait(None);
    let journal = bench.open(Algorithm::ChaCha20Poly1305);
    put(&journal, analytics, week, b"sealed here");
    drop(journal);
    let mut files = bench.files();
    files.insert("server-key".to_owned(), SERVER.to_vec());
    files
}

/// A ledger whose first files are gone, with states of one part and of two.
fn pruned() -> Files {
    let bench = Bench::new(6);
    let journal = bench.open(Algorithm::ChaCha20Poly1305);
    let account = essential(&journal);
    for _ in 0..2 {
        enter(&journal, account, &[&"x".repeat(70_000)]);
    }
    enter(&journal, account, &["the last before the base"]);
    journal.ledger_checkpoint(account, b"the base's state").unwrap();
    enter(&journal, account, &["behind the base", "and another"]);
    let state: Vec<u8> = (0..66_000_u32).map(|at| (at / 300) as u8).collect();
    journal.ledger_checkpoint(account, &state).unwrap();
    assert_eq!(journal.prune_ledger(account), Ok(3));
    enter(&journal, account, &["behind the checkpoint"]);
    drop(journal);
    bench.files()
}

/// The key store lost the store's own key and the ledger's: both were given new ones when somebody asked for it.
fn rekeyed() -> Files {
    let bench = Bench::new(7);
    let journal = bench.open(Algorithm::ChaCha20Poly1305);
    let [collector, _] = endpoints(&journal);
    let account = essential(&journal);
    let analytics = domain(&journal, "analytics");
    enter(&journal, account, &["granted"]);
    let week = Expiry::after(&bench.clock.now(), 7 * DAY_MS);
    let ids: Vec<_> = (0..3).map(|n| put(&journal, analytics, week, &[n; 9])).collect();
    journal.acknowledge(collector, &ids[..2]).unwrap();
    let essential = journal.essential_domain(account);
    let lost = journal.alias(&essential).unwrap();
    drop(journal);
    bench.keys.destroy(&lost).unwrap();
    let own = bench.keys.list().unwrap().into_iter().find(|alias| bench.is_of_store(alias)).unwrap();
    bench.keys.destroy(&own).unwrap();
    let journal = bench.open_locked(Algorithm::ChaCha20Poly1305);
    assert_eq!(journal.replace_lost_store_key(), Ok(true));
    journal.begin_ledger_anew(account).unwrap();
    enter(&journal, account, &["begun anew"]);
    put(&journal, analytics, week, b"goes on");
    drop(journal);
    bench.files()
}

/// The secret key of the server for which boxes are.
const SERVER: [u8; 32] = [0x5A; 32];

fn public_key(secret: &[u8; 32]) -> [u8; 32] {
    use hpke::{Deserializable, Kem, Serializable};
    let secret = <hpke::kem::X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(secret).unwrap();
    <hpke::kem::X25519HkdfSha256 as Kem>::sk_to_pk(&secret).to_bytes().into()
}

/// The segment of the plain store that holds most of its analytics.
const ANALYTICS: &str = "store/segments/0000000000000002";

/// One bit of the third record.
fn flipped_record(mut files: Files) -> Files {
    let file = files.get_mut(ANALYTICS).unwrap();
    let at = record(file, 2);
    file[at + 40] ^= 4;
    files
}

/// The file ends within the last record.
fn torn_tail(mut files: Files) -> Files {
    let file = files.get_mut(ANALYTICS).unwrap();
    let at = record(file, 9);
    file.truncate(at + 33);
    files
}

fn lost_manifest(mut files: Files) -> Files {
    files.retain(|name, _| !name.starts_with("store/manifest."));
    files
}

/// The first copy of every used key slot and run header, and the header of each segment: nothing is lost.
fn damaged_copies(mut files: Files) -> Files {
    for slot in files.get_mut("store/keys").unwrap().chunks_mut(8192).flat_map(|chunk| chunk[..4096].chunks_mut(512)) {
        // A free slot stays one.
        slot[200] ^= if slot[0] == 0 { 0 } else { 0x20 };
    }
    for (_, file) in files.iter_mut().filter(|(name, _)| name.starts_with("store/segments/")) {
        file[20] ^= 0x20;
        file[128 + 30] ^= 0x20;
    }
    files
}

/// Where a record's frame begins.
fn record(file: &[u8], sequence: u64) -> usize {
    let start = [&[0xD6, 0x44][..], &sequence.to_le_bytes()].concat();
    file.windows(start.len()).position(|window| window == start).unwrap()
}

struct Bench {
    disk: SimulatedDisk,
    outside: SimulatedDisk,
    keys: SeededKeys,
    clock: SimulatedClock,
    anchor: MemoryAnchor,
    randomness: SeededRandomness,
}

impl Bench {
    fn new(seed: u64) -> Self {
        Self {
            disk: SimulatedDisk::new(),
            outside: SimulatedDisk::new(),
            keys: SeededKeys(Arc::default(), SeededRandomness::new(1000 + seed), Arc::default()),
            clock: SimulatedClock::at(START_MS),
            anchor: MemoryAnchor::new(),
            randomness: SeededRandomness::new(seed),
        }
    }

    fn open(&self, algorithm: Algorithm) -> Journal {
        let journal = self.open_locked(algorithm);
        journal.unlock().unwrap();
        journal
    }

    fn open_locked(&self, algorithm: Algorithm) -> Journal {
        let effects = Effects {
            disk: Arc::new(self.disk.clone()),
            keys: Arc::new(self.keys.clone()),
            clock: Arc::new(self.clock.clone()),
            randomness: Arc::new(self.randomness.clone()),
            anchor: Some(Arc::new(self.anchor.clone())),
            marker_disks: vec![Arc::new(self.outside.clone())],
        };
        Journal::open(effects, Options { algorithm, ..Options::default() }).unwrap()
    }

    /// Whether a key is the store's own: it was made first, so that no purpose names it.
    fn is_of_store(&self, alias: &Alias) -> bool {
        let keys = self.disk.contents("keys").unwrap();
        let own = keys
            .chunks(512)
            .find(|slot| slot[0] == 2 && slot[9..33] == [[0; 16].as_slice(), &1_u64.to_le_bytes()].concat());
        own.is_some_and(|slot| slot.windows(alias.as_str().len()).any(|part| part == alias.as_str().as_bytes()))
    }

    /// All but the reserve, which holds nothing and may be missing.
    fn files(&self) -> Files {
        let mut files = Files::new();
        for (folder, disk) in [("store", &self.disk), ("outside", &self.outside)] {
            for name in disk.names().into_iter().filter(|name| name != "reserve") {
                files.insert(format!("{folder}/{name}"), disk.contents(&name).unwrap());
            }
        }
        for (alias, key) in self.keys.0.lock().unwrap().iter() {
            files.insert(format!("platform-keys/{}", alias.as_str()), key.to_vec());
        }
        files.extend(self.anchor.read().unwrap().map(|value| ("anchor".to_owned(), value)));
        files
    }
}

/// Keys as [`FileKeys`] keeps and uses them, but with everything random from a seed.
#[derive(Clone)]
struct SeededKeys(Arc<Mutex<BTreeMap<Alias, [u8; 32]>>>, SeededRandomness, Arc<Mutex<Option<Alias>>>);

impl SeededKeys {
    /// Makes the key of one alias not ready.
    fn make_wait(&self, alias: Option<Alias>) {
        *self.2.lock().unwrap() = alias;
    }

    fn key(&self, alias: &Alias) -> Result<LessSafeKey, KeyError> {
        let key = *self.0.lock().unwrap().get(alias).ok_or(KeyError::NotFound)?;
        Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap()))
    }
}

impl KeyProvider for SeededKeys {
    fn create(&self, alias: &Alias) -> Result<(), KeyError> {
        let mut key = [0; 32];
        self.1.fill(&mut key).unwrap();
        self.0.lock().unwrap().insert(alias.clone(), key);
        Ok(())
    }

    fn wrap(&self, alias: &Alias, secret: &[u8], aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut nonce = [0; 12];
        self.1.fill(&mut nonce).unwrap();
        let mut sealed = secret.to_vec();
        let key = self.key(alias)?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed).unwrap();
        Ok([&nonce[..], &sealed].concat())
    }

    fn unwrap(&self, alias: &Alias, blob: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        if self.2.lock().unwrap().as_ref() == Some(alias) {
            return Err(KeyError::NotYet);
        }
        let (nonce, sealed) = blob.split_first_chunk::<12>().unwrap();
        let mut bytes = sealed.to_vec();
        let opened = self.key(alias)?.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut bytes);
        Ok(Zeroizing::new(opened.map_err(|_| KeyError::Refused)?.to_vec()))
    }

    fn exists(&self, alias: &Alias) -> Result<bool, KeyError> {
        Ok(self.0.lock().unwrap().contains_key(alias))
    }

    fn list(&self) -> Result<Vec<Alias>, KeyError> {
        Ok(self.0.lock().unwrap().keys().cloned().collect())
    }

    fn destroy(&self, alias: &Alias) -> Result<(), KeyError> {
        self.0.lock().unwrap().remove(alias);
        Ok(())
    }

    fn state(&self) -> KeyState {
        KeyState::Ready
    }
}

fn guest(journal: &Journal) -> Label {
    journal.label(LabelKind::Account, "guest").unwrap()
}

fn endpoints(journal: &Journal) -> [Label; 2] {
    ["collector", "other"].map(|name| journal.label(LabelKind::Endpoint, name).unwrap())
}

fn domain(journal: &Journal, purpose: &str) -> Domain {
    let purpose = journal.label(LabelKind::Purpose, purpose).unwrap();
    let domain = Domain { account: guest(journal), purpose, epoch: 1 };
    journal.create_domain(&domain).unwrap();
    domain
}

fn essential(journal: &Journal) -> Label {
    let account = guest(journal);
    journal.create_domain(&Domain { account, purpose: Label::ESSENTIAL, epoch: 1 }).unwrap();
    account
}

fn put(journal: &Journal, domain: Domain, expiry: Expiry, body: &[u8]) -> RecordId {
    journal.append(&Append { domain, lane: Lane::Telemetry, expiry, body }).unwrap().id().unwrap()
}

fn enter(journal: &Journal, account: Label, payloads: &[&str]) {
    let entries = payloads.iter().map(|payload| NewEntry { statement: b"statement", payload: payload.as_bytes() });
    journal.ledger_append(account, &entries.collect::<Vec<_>>()).unwrap();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Opens a copy of a store and says all that is in it.
pub(crate) fn found(files: &Files) -> Value {
    let folder = tempfile::tempdir().unwrap();
    for name in ["store", "outside", "platform-keys"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let anchor = MemoryAnchor::new();
    if let Some(value) = files.get("anchor") {
        anchor.write(value).unwrap();
    }
    let effects = Effects {
        disk: Arc::new(Folder::at(folder.path().join("store")).unwrap()),
        keys: Arc::new(FileKeys::at(folder.path().join("platform-keys")).unwrap()),
        clock: Arc::new(SimulatedClock::at(READ_MS)),
        randomness: Arc::new(SeededRandomness::new(0)),
        anchor: Some(Arc::new(anchor)),
        marker_disks: vec![Arc::new(Folder::at(folder.path().join("outside")).unwrap())],
    };
    let journal = Journal::open(effects, Options::default()).unwrap();
    let opened = report(&journal.report());
    let account = guest(&journal);
    // A first reading proves the bookkeeping.
    let purposes = ["analytics", "crashes", "diagnostics", "startup"];
    let lanes = [("telemetry", Lane::Telemetry), ("outbox", Lane::Outbox)];
    let all = purposes.iter().flat_map(|purpose| lanes.map(|lane| (*purpose, lane)));
    let records: Vec<Value> = all.filter_map(|(purpose, lane)| records(&journal, account, purpose, lane)).collect();
    let health = journal.health();
    let denied = journal.denied().unwrap().into_iter().map(|domain| {
        let purpose = journal.label_name(domain.purpose);
        json!({ "purpose": purpose, "epoch": domain.epoch, "proven": journal.is_denial_proven(&domain) })
    });
    json!({
        "read_ms": READ_MS,
        "opened": opened,
        "proven": report(&journal.report()),
        "records": records,
        "boxes": files.get("server-key").map(|server| boxes_of(&journal, account, server)),
        "refused": health.quarantined,
        "denied": denied.collect::<Vec<_>>(),
        "ledger": journal.ledger_read(account).ok().map(|whole| contents(&whole)),
        "ledger_tail": journal.ledger_tail(account).ok().map(|tail| contents(&tail)),
    })
}

fn report(report: &OpenReport) -> Value {
    json!({
        "segments": report.segments, "records": report.records, "adopted": report.adopted,
        "quarantined": report.quarantined, "missing": report.missing, "damaged_records": report.damaged_records,
        "torn_bytes": report.torn_bytes, "damaged_keys": report.damaged_keys,
        "manifest_damaged": report.manifest_damaged, "foreign_cursors": report.foreign_cursors,
    })
}

/// Every record that can be read, and what is still to be sent to each endpoint.
fn records(journal: &Journal, account: Label, purpose: &str, (name, lane): (&str, Lane)) -> Option<Value> {
    let domain = Domain { account, purpose: journal.label(LabelKind::Purpose, purpose).unwrap(), epoch: 1 };
    let skip = HashSet::new();
    let read = |endpoint| {
        let all = Read { endpoint, lane, domains: &[domain], max_records: 1000, max_bytes: usize::MAX, skip: &skip };
        journal.read_batch(&all).unwrap()
    };
    let hexes = |batch: menshen_journal::Batch| batch.records.iter().map(|r| hex(&r.body)).collect::<Vec<_>>();
    let [collector, other] = endpoints(journal);
    // Nobody acknowledges as this endpoint.
    let whole = read(Label::from_number(u64::MAX));
    let is_nothing = whole == menshen_journal::Batch::default();
    let (damaged, expired, locked) = (whole.damaged, whole.expired, whole.locked);
    (!is_nothing).then(|| {
        json!({
            "purpose": purpose, "lane": name, "damaged": damaged, "expired": expired, "locked": locked,
            "bodies": hexes(whole), "for_collector": hexes(read(collector)), "for_other": hexes(read(other)),
        })
    })
}

/// The boxes that are pending for the collector, opened.
fn boxes_of(journal: &Journal, account: Label, server: &[u8]) -> Value {
    let domain = Domain { account, purpose: journal.label(LabelKind::Purpose, "analytics").unwrap(), epoch: 1 };
    let (skip, lane) = (HashSet::new(), Lane::Telemetry);
    let [endpoint, _] = endpoints(journal);
    let all = Read { endpoint, lane, domains: &[domain], max_records: 1000, max_bytes: usize::MAX, skip: &skip };
    let batch = journal.read_boxed(&all).unwrap();
    let opened = batch.boxes.iter().map(|boxed| {
        let body = boxed.open(server.try_into().unwrap());
        json!({ "event": journal.label_name(boxed.event), "body": body.map(|body| hex(&body)) })
    });
    json!({ "expired": batch.expired, "damaged": batch.damaged, "opened": opened.collect::<Vec<_>>() })
}

fn contents(contents: &LedgerContents) -> Value {
    let entries = contents.entries.iter().map(|entry| {
        json!({
            "sequence": entry.sequence, "signed": entry.signed, "statement": hex(&entry.statement),
            "payload": entry.payload.as_ref().map(|payload| hex(&payload.bytes)),
            "commitment": hex(&entry.commitment), "leaf": hex(&entry.leaf),
            "head": entry.head.as_ref().map(|head| json!({ "size": head.size, "root": hex(&head.root) })),
        })
    });
    let checkpoint = contents.checkpoint.as_ref();
    json!({
        "verdict": format!("{:?}", contents.verdict), "manifest_rolled_back": contents.manifest_rolled_back,
        "public_key": contents.public_key.map(|key| hex(&key)), "base": contents.base.as_ref().map(|base| base.size),
        "checkpoint": checkpoint.map(|checkpoint| json!({ "size": checkpoint.size, "state": hex(&checkpoint.state) })),
        "entries": entries.collect::<Vec<_>>(),
    })
}
