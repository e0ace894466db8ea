//! A C function that seals, signs and writes a file with ring and std, and with a feature puts the sealed bytes through
//! a store as well.

use std::io::{Read, Write};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::signature::Ed25519KeyPair;

/// Seals the bytes and stores them; 0 where that failed.
///
/// # Safety
/// `bytes` points to `length` bytes, and `path` to a string that ends with 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seal_and_store(path: *const std::ffi::c_char, bytes: *const u8, length: usize) -> usize {
    // SAFETY: as the caller promises.
    let (path, bytes) = unsafe { (std::ffi::CStr::from_ptr(path), std::slice::from_raw_parts(bytes, length)) };
    let mut sealed = bytes.to_vec();
    let Ok(key) = UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]) else { return 0 };
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    if LessSafeKey::new(key).seal_in_place_append_tag(nonce, Aad::empty(), &mut sealed).is_err() {
        return 0;
    }
    path.to_str().ok().and_then(|path| sign_and_write(path, &sealed).and_then(|()| store(path, &sealed))).unwrap_or(0)
}

/// What an app with signed records has anyway.
fn sign_and_write(path: &str, sealed: &[u8]) -> Option<()> {
    let salt = ring::hkdf::Salt::new(ring::hkdf::HKDF_SHA256, sealed);
    let mut seed = [0; 32];
    salt.extract(sealed).expand(&[sealed], ring::hkdf::HKDF_SHA256).ok()?.fill(&mut seed).ok()?;
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
    let signature = pair.sign(sealed);
    let public_key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, sealed);
    public_key.verify(sealed, signature.as_ref()).ok()?;
    let mut file = std::fs::OpenOptions::new().read(true).append(true).create(true).open(path).ok()?;
    file.write_all(sealed).and_then(|()| file.write_all(signature.as_ref())).and_then(|()| file.sync_data()).ok()?;
    let mut read = Vec::new();
    file.read_to_end(&mut read).ok()?;
    Some(())
}

#[cfg(not(any(feature = "journal", feature = "redb", feature = "sqlite", feature = "sqlcipher")))]
fn store(_path: &str, sealed: &[u8]) -> Option<usize> {
    Some(sealed.len())
}

#[cfg(feature = "journal")]
fn store(path: &str, sealed: &[u8]) -> Option<usize> {
    use menshen_journal::{
        Append, DeviceClock, Domain, Effects, Expiry, FileKeys, Folder, Journal, LabelKind, Lane, NewEntry, Options,
        Read, SystemClock, SystemRandomness,
    };
    use std::sync::Arc;
    let effects = Effects {
        disk: Arc::new(Folder::at(path).ok()?),
        keys: Arc::new(FileKeys::at(path).ok()?),
        clock: Arc::new(SystemClock::new()),
        randomness: Arc::new(SystemRandomness::new()),
        anchor: None,
        marker_disks: Vec::new(),
    };
    let journal = Journal::open(effects, Options::default()).ok()?;
    let account = journal.label(LabelKind::Account, "guest").ok()?;
    let domain = Domain { account, purpose: journal.label(LabelKind::Purpose, "purpose").ok()?, epoch: 1 };
    let endpoint = journal.label(LabelKind::Endpoint, "endpoint").ok()?;
    journal.create_domain(&domain).ok()?;
    let expiry = Expiry::after(&SystemClock::new().now(), 1 << 32);
    journal.append(&Append { domain, lane: Lane::Telemetry, expiry, body: sealed }).ok()?.id()?;
    journal.sync().ok()?;
    let skip = std::collections::HashSet::new();
    let read =
        Read { endpoint, lane: Lane::Telemetry, domains: &[domain], max_records: 100, max_bytes: 1 << 20, skip: &skip };
    let batch = journal.read_batch(&read).ok()?;
    let ids: Vec<_> = batch.records.iter().map(|record| record.id).collect();
    journal.acknowledge(endpoint, &ids).ok()?;
    journal.retire_delivered(&|_, _| vec![endpoint]).ok()?;
    journal.expire().ok()?;
    journal.ledger_append(account, &[NewEntry { statement: sealed, payload: sealed }]).ok()?;
    journal.ledger_read(account).ok()?;
    journal.mark_denied(&domain).ok()?;
    let _ = journal.shred(&domain).ok()?;
    Some(batch.records.len())
}

#[cfg(any(feature = "sqlite", feature = "sqlcipher"))]
fn store(path: &str, sealed: &[u8]) -> Option<usize> {
    let connection = rusqlite::Connection::open(path).ok()?;
    #[cfg(feature = "sqlcipher")]
    connection.execute_batch("PRAGMA key = \"x'00'\";").ok()?;
    let table =
        "PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS queue (sequence INTEGER PRIMARY KEY, body BLOB);";
    connection.execute_batch(table).ok()?;
    connection.execute("INSERT INTO queue (body) VALUES (?1)", [sealed]).ok()?;
    let read = connection.query_row("SELECT count(*) FROM queue", [], |row| row.get::<_, i64>(0)).ok()?;
    connection.execute("DELETE FROM queue WHERE sequence <= ?1", [read]).ok()?;
    usize::try_from(read).ok()
}

#[cfg(feature = "redb")]
fn store(path: &str, sealed: &[u8]) -> Option<usize> {
    use redb::{ReadableDatabase, ReadableTableMetadata};
    const TABLE: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("queue");
    let database = redb::Database::create(path).ok()?;
    let write = database.begin_write().ok()?;
    write.open_table(TABLE).ok()?.insert(1, sealed).ok()?;
    write.commit().ok()?;
    let count = database.begin_read().ok()?.open_table(TABLE).ok()?.len().ok()?;
    let write = database.begin_write().ok()?;
    write.open_table(TABLE).ok()?.remove(1).ok()?;
    write.commit().ok()?;
    usize::try_from(count).ok()
}
