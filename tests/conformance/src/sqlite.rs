//! The twin: the same promises kept by SQLite, with a write-ahead log that is synced at every commit, in rows whose
//! bodies are sealed under a key per domain. It is simple where the journal is quick.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use menshen_journal::{
    Alias, DeviceClock, Domain, Error, KeyError, KeyProvider, Label, Lane, MAX_RECORD_BYTES, Now, OpenError,
    Randomness, Shredding, SystemRandomness,
};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Params, params};
use tempfile::TempDir;

use crate::place::{Devices, Place, copy_folder, files_in};
use crate::sealer::Sealer;
use crate::store::{Appended, Found, Health, Read, Record, RecordStore};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS domains (
        account INTEGER, purpose INTEGER, epoch INTEGER, alias TEXT, wrapped BLOB,
        PRIMARY KEY (account, purpose, epoch)
    );
    CREATE TABLE IF NOT EXISTS records (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        account INTEGER, purpose INTEGER, epoch INTEGER, lane INTEGER,
        at_ms INTEGER, boot INTEGER, since_boot_ms INTEGER, lives_ms INTEGER, body BLOB
    );
    CREATE TABLE IF NOT EXISTS passed (
        sequence INTEGER REFERENCES records ON DELETE CASCADE, endpoint INTEGER, refused INTEGER,
        PRIMARY KEY (sequence, endpoint, refused)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS dropped (count INTEGER);
    INSERT INTO dropped SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM dropped);";

const OF_DOMAIN: &str = "account = ?1 AND purpose = ?2 AND epoch = ?3";

/// When a record ends: by the wall clock, or by the clock since the device's start while that is the same.
#[derive(Clone, Copy)]
struct Life {
    at_ms: i64,
    boot: u32,
    since_boot_ms: i64,
    lives_ms: i64,
}

impl Life {
    fn of(lives_ms: Option<u64>, now: &Now) -> Self {
        let lives = lives_ms.map_or(i64::MAX, signed);
        let at_ms = now.wall_ms.saturating_add(lives);
        Self { at_ms, boot: now.boot, since_boot_ms: signed(now.since_boot_ms), lives_ms: lives }
    }

    fn is_over(&self, now: &Now) -> bool {
        let lived = signed(now.since_boot_ms) - self.since_boot_ms;
        self.at_ms <= now.wall_ms || (self.boot == now.boot && lived >= self.lives_ms)
    }
}

/// [`Life::is_over`] in SQL, of what is now.
fn is_over(now: &Now) -> String {
    let Now { wall_ms, since_boot_ms, boot } = now;
    format!("(at_ms <= {wall_ms} OR (boot = {boot} AND {since_boot_ms} - since_boot_ms >= lives_ms))")
}

struct Waiting {
    domain: Domain,
    lane: Lane,
    life: Life,
    body: Vec<u8>,
}

pub struct SqliteStore {
    connection: Connection,
    keys: Arc<dyn KeyProvider>,
    clock: Arc<dyn DeviceClock>,
    cap_bytes: u64,
    open: HashMap<Domain, Sealer>,
    closed: HashSet<Domain>,
    held: VecDeque<Waiting>,
    /// Held records that ended, or whose key is gone, since the store was opened.
    held_lost: u64,
    next: u64,
    /// Of all sealed bodies.
    bytes: u64,
}

/// SQLite's integers have a sign; a label keeps its bits.
fn bits(number: u64) -> i64 {
    number.cast_signed()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number_of(lane: Lane) -> i64 {
    match lane {
        Lane::Essential => 1,
        Lane::Outbox => 2,
        Lane::Telemetry => 3,
    }
}

fn fields(domain: &Domain) -> [i64; 3] {
    [domain.account.number(), domain.purpose.number(), domain.epoch].map(bits)
}

fn domain_of([account, purpose, epoch]: [i64; 3]) -> Domain {
    let label = |number: i64| Label::from_number(number.cast_unsigned());
    Domain { account: label(account), purpose: label(purpose), epoch: epoch.cast_unsigned() }
}

impl SqliteStore {
    pub(crate) fn open(folder: &Path, devices: &Devices, clock: Arc<dyn DeviceClock>) -> Result<Self, OpenError> {
        let connection = connect(folder).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy) => OpenError::Busy,
            _ => OpenError::Io { operation: "open the database" },
        })?;
        let keys = Arc::new(devices.keys.clone());
        let cap_bytes = devices.cap_bytes;
        let (open, closed, held) = (HashMap::new(), HashSet::new(), VecDeque::new());
        let mut store =
            Self { connection, keys, clock, cap_bytes, open, closed, held, held_lost: 0, next: 0, bytes: 0 };
        store.next = store.number("SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence", []);
        store.weigh();
        Ok(store)
    }

    fn execute(&self, sql: &str, values: impl Params) -> u64 {
        self.connection.prepare_cached(sql).expect("a statement").execute(values).expect("an execution") as u64
    }

    fn number(&self, sql: &str, values: impl Params) -> u64 {
        let mut statement = self.connection.prepare_cached(sql).expect("a statement");
        statement.query_row(values, |row| row.get::<_, i64>(0)).expect("a number").cast_unsigned()
    }

    fn weigh(&mut self) {
        self.bytes = self.number("SELECT coalesce(sum(length(body)), 0) FROM records", []);
    }

    fn wrapped(&self, domain: &Domain) -> Option<(Alias, Vec<u8>)> {
        let sql = format!("SELECT alias, wrapped FROM domains WHERE {OF_DOMAIN}");
        let mut statement = self.connection.prepare_cached(&sql).expect("a statement");
        let row = statement.query_row(fields(domain), |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
        let (alias, wrapped) = row.optional().expect("a row")?;
        Some((Alias::parse(&alias).expect("an alias"), wrapped))
    }

    fn unlock(&mut self, domain: &Domain) -> Result<(), KeyError> {
        if !self.open.contains_key(domain) {
            let (alias, wrapped) = self.wrapped(domain).ok_or(KeyError::NotFound)?;
            let secret = self.keys.unwrap(&alias, &wrapped, alias.as_str().as_bytes())?;
            let secret: &[u8; 32] = secret.as_slice().try_into().map_err(|_| KeyError::Refused)?;
            self.open.insert(*domain, Sealer::new(secret));
        }
        Ok(())
    }

    /// The key of a domain that is not closed, unlocked at its first use.
    fn key_of(&mut self, domain: &Domain) -> Result<&Sealer, Error> {
        if self.closed.contains(domain) {
            return Err(Error::Closed);
        }
        self.unlock(domain)?;
        self.open.get(domain).ok_or(Error::Key(KeyError::NotFound))
    }

    fn is_waiting(&mut self, domain: &Domain) -> bool {
        matches!(self.key_of(domain), Err(Error::Key(KeyError::NotYet | KeyError::Suspect)))
    }

    fn insert(&mut self, waiting: &Waiting) -> Result<u64, Error> {
        let (sequence, mut sealed) = (self.next, Vec::new());
        self.key_of(&waiting.domain)?.seal(sequence, &waiting.body, &mut sealed);
        self.make_room(sealed.len() as u64)?;
        let [account, purpose, epoch] = fields(&waiting.domain);
        let Life { at_ms, boot, since_boot_ms, lives_ms } = waiting.life;
        let lane = number_of(waiting.lane);
        self.execute(
            "INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![bits(sequence), account, purpose, epoch, lane, at_ms, boot, since_boot_ms, lives_ms, sealed],
        );
        self.next += 1;
        self.bytes += sealed.len() as u64;
        Ok(sequence)
    }

    /// Telemetry's oldest goes, counted unless somebody has it; where there is none, the store is full.
    fn make_room(&mut self, bytes: u64) -> Result<(), Error> {
        while self.bytes + bytes > self.cap_bytes {
            let telemetry = number_of(Lane::Telemetry);
            let oldest = "SELECT coalesce(min(sequence), 0) FROM records WHERE lane = ?1";
            let oldest = bits(self.number(oldest, [telemetry]));
            let had = "SELECT count(*) FROM passed WHERE sequence = ?1 AND refused = 0";
            let is_lost = self.number(had, [oldest]) == 0;
            if self.execute("DELETE FROM records WHERE sequence = ?1", [oldest]) == 0 {
                return Err(Error::Full);
            }
            self.execute("UPDATE dropped SET count = count + ?1", [is_lost]);
            self.weigh();
        }
        Ok(())
    }

    /// Appends what is held of a domain, if its key is there.
    fn append_held_of(&mut self, domain: &Domain) -> Result<(), Error> {
        if self.is_waiting(domain) {
            return Ok(());
        }
        let is_lost = self.key_of(domain).is_err();
        let now = self.clock.now();
        let held = std::mem::take(&mut self.held);
        let mut of_domain: VecDeque<Waiting>;
        (of_domain, self.held) = held.into_iter().partition(|waiting| waiting.domain == *domain);
        while let Some(waiting) = of_domain.pop_front() {
            if is_lost || waiting.life.is_over(&now) {
                self.held_lost += 1;
                continue;
            }
            if let Err(error) = self.insert(&waiting) {
                of_domain.push_front(waiting);
                of_domain.append(&mut self.held);
                self.held = of_domain;
                return Err(error);
            }
        }
        Ok(())
    }

    fn pass(&mut self, endpoint: Label, records: &[u64], is_refused: bool) {
        let one = "INSERT OR IGNORE INTO passed SELECT sequence, ?2, ?3 FROM records WHERE sequence = ?1";
        self.connection.execute_batch("BEGIN").expect("a transaction");
        for record in records {
            self.execute(one, params![bits(*record), bits(endpoint.number()), is_refused]);
        }
        self.connection.execute_batch("COMMIT").expect("a commit");
    }
}

/// The lock is the database's own, kept until it is closed.
fn connect(folder: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(folder.join("twin.db"))?;
    connection.busy_timeout(std::time::Duration::ZERO)?;
    connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE;")?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    assert_eq!(mode, "wal");
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")?;
    connection.execute_batch(SCHEMA)?;
    Ok(connection)
}

impl RecordStore for SqliteStore {
    type Id = u64;

    fn create_domain(&mut self, domain: &Domain) -> Result<(), Error> {
        if self.wrapped(domain).is_some() {
            return Err(Error::AlreadyExists);
        }
        if self.count(domain) > 0 {
            return Err(Error::Key(KeyError::NotFound));
        }
        let (mut name, mut secret) = ([0; 16], [0; 32]);
        SystemRandomness::new().fill(&mut name)?;
        SystemRandomness::new().fill(&mut secret)?;
        let digits: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let alias = Alias::parse(&format!("menshen-{digits}")).expect("an alias");
        self.keys.create(&alias)?;
        let wrapped = self.keys.wrap(&alias, &secret, alias.as_str().as_bytes())?;
        let [account, purpose, epoch] = fields(domain);
        let values = params![account, purpose, epoch, alias.as_str(), wrapped];
        self.execute("INSERT INTO domains VALUES (?1, ?2, ?3, ?4, ?5)", values);
        self.closed.remove(domain);
        self.open.insert(*domain, Sealer::new(&secret));
        Ok(())
    }

    fn unlock_domain(&mut self, domain: &Domain) -> Result<(), KeyError> {
        self.unlock(domain)?;
        self.closed.remove(domain);
        Ok(())
    }

    fn is_open(&mut self, domain: &Domain) -> bool {
        self.key_of(domain).is_ok()
    }

    fn close_domain(&mut self, domain: &Domain) {
        self.open.remove(domain);
        self.held.retain(|waiting| waiting.domain != *domain);
        self.closed.insert(*domain);
    }

    fn shred(&mut self, domain: &Domain) -> Result<Shredding, Error> {
        self.close_domain(domain);
        let is_gone = match self.wrapped(domain) {
            None => true,
            Some((alias, _)) => {
                let _ = self.keys.destroy(&alias);
                self.keys.exists(&alias) == Ok(false)
            }
        };
        self.execute(&format!("DELETE FROM records WHERE {OF_DOMAIN}"), fields(domain));
        self.weigh();
        if !is_gone {
            return Ok(Shredding::Pending);
        }
        self.execute(&format!("DELETE FROM domains WHERE {OF_DOMAIN}"), fields(domain));
        Ok(Shredding::Done)
    }

    fn append(&mut self, record: &Record<'_>) -> Result<Appended<u64>, Error> {
        if record.body.len() > MAX_RECORD_BYTES {
            return Err(Error::TooLarge { limit: MAX_RECORD_BYTES });
        }
        let domain = record.domain;
        // What does not fit goes on waiting, and is in nobody's way.
        let _ = self.append_held_of(&domain);
        let life = Life::of(record.lives_ms, &self.clock.now());
        let waiting = Waiting { domain, lane: record.lane, life, body: record.body.to_vec() };
        if self.is_waiting(&domain) {
            let (before, now) = (self.held.len(), self.clock.now());
            self.held.retain(|waiting| !waiting.life.is_over(&now));
            self.held_lost += (before - self.held.len()) as u64;
            self.held.push_back(waiting);
            return Ok(Appended::Held);
        }
        self.insert(&waiting).map(Appended::Synced)
    }

    fn append_synced(&mut self, record: &Record<'_>) -> Result<Appended<u64>, Error> {
        self.append(record)
    }

    fn append_held(&mut self) -> Result<u64, Error> {
        let domains: Vec<Domain> = self.held.iter().map(|waiting| waiting.domain).collect();
        domains.iter().try_for_each(|domain| self.append_held_of(domain))?;
        Ok(self.held.len() as u64)
    }

    fn sync(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn read(&mut self, read: &Read<'_, u64>) -> Result<Vec<Found<u64>>, Error> {
        let open: Vec<Domain> = read.domains.iter().copied().filter(|domain| self.is_open(domain)).collect();
        let now = self.clock.now();
        let sql = format!(
            "SELECT account, purpose, epoch, sequence, at_ms, body FROM records
             WHERE lane = ?1 AND NOT {}
             AND NOT EXISTS (SELECT 1 FROM passed WHERE passed.sequence = records.sequence AND endpoint = ?2)
             ORDER BY sequence",
            is_over(&now)
        );
        let mut statement = self.connection.prepare(&sql).expect("a statement");
        let mut rows = statement.query([number_of(read.lane), bits(read.endpoint.number())]).expect("rows");
        let (mut found, mut left): (Vec<Found<u64>>, _) = (Vec::new(), read.max_bytes);
        while let Some(row) = rows.next().expect("a row") {
            let number = |column: usize| row.get::<_, i64>(column).expect("a number");
            let domain = domain_of([number(0), number(1), number(2)]);
            let id = number(3).cast_unsigned();
            if !open.contains(&domain) || read.skip.contains(&id) {
                continue;
            }
            let sealed = row.get_ref(5).expect("a value").as_blob().expect("bytes");
            let body = self.open.get(&domain).expect("an open domain").open(id, sealed);
            if found.len() >= read.max_records || (body.len() > left && !found.is_empty()) {
                break;
            }
            left = left.saturating_sub(body.len());
            found.push(Found { id, domain, expires_ms: number(4), body });
        }
        Ok(found)
    }

    fn acknowledge(&mut self, endpoint: Label, records: &[u64]) -> Result<(), Error> {
        self.pass(endpoint, records, false);
        Ok(())
    }

    fn quarantine(&mut self, endpoint: Label, records: &[u64]) -> Result<(), Error> {
        self.pass(endpoint, records, true);
        Ok(())
    }

    fn retire(&mut self, endpoints: &dyn Fn(&Domain, Lane) -> Vec<Label>) -> Result<(), Error> {
        let kinds: HashSet<[i64; 3]> = {
            let mut statement = self
                .connection
                .prepare_cached("SELECT DISTINCT account, purpose, epoch FROM records")
                .expect("a statement");
            let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?])).expect("rows");
            rows.map(|row| row.expect("a row")).collect()
        };
        let over = is_over(&self.clock.now());
        for domain in kinds {
            for lane in [Lane::Essential, Lane::Outbox, Lane::Telemetry] {
                let named: HashSet<i64> =
                    endpoints(&domain_of(domain), lane).iter().map(|label| bits(label.number())).collect();
                if named.is_empty() {
                    continue;
                }
                let list: Vec<String> = named.iter().map(i64::to_string).collect();
                let passed = "SELECT count(*) FROM passed WHERE passed.sequence = records.sequence";
                let sql = format!(
                    "DELETE FROM records WHERE {OF_DOMAIN} AND lane = {} AND ({passed} AND refused = 1) = 0
                     AND ({over} OR ({passed} AND refused = 0 AND endpoint IN ({})) = {})",
                    number_of(lane),
                    list.join(", "),
                    named.len()
                );
                self.connection.execute(&sql, domain).expect("a deletion");
            }
        }
        self.weigh();
        Ok(())
    }

    fn expire(&mut self) -> Result<u64, Error> {
        let gone = self.execute("DELETE FROM records WHERE at_ms <= ?1", [self.clock.now().wall_ms]);
        self.weigh();
        Ok(gone)
    }

    fn pending(&self, endpoint: Label, domain: &Domain) -> u64 {
        let [account, purpose, epoch] = fields(domain);
        let sql = format!(
            "SELECT count(*) FROM records WHERE {OF_DOMAIN} AND NOT {}
             AND NOT EXISTS (SELECT 1 FROM passed WHERE passed.sequence = records.sequence AND endpoint = ?4)",
            is_over(&self.clock.now())
        );
        self.number(&sql, [account, purpose, epoch, bits(endpoint.number())])
    }

    fn count(&self, domain: &Domain) -> u64 {
        self.number(&format!("SELECT count(*) FROM records WHERE {OF_DOMAIN}"), fields(domain))
    }

    fn health(&self) -> Health {
        Health {
            bytes: self.bytes,
            held: self.held.len() as u64,
            dropped: self.number("SELECT count FROM dropped", []) + self.held_lost,
            quarantined: self.number("SELECT count(*) FROM passed WHERE refused = 1", []),
        }
    }
}

/// The twin in a folder.
pub struct SqliteInFolder {
    folder: TempDir,
    devices: Devices,
}

/// A folder in memory, where a flush costs nothing.
const IN_MEMORY: &str = "/dev/shm";

impl SqliteInFolder {
    #[must_use]
    pub fn new(devices: Devices) -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), devices }
    }

    /// In memory where the system has a folder for that: for many stores, one after another.
    #[must_use]
    pub fn in_memory(devices: Devices) -> Self {
        let folder = tempfile::tempdir_in(IN_MEMORY).or_else(|_| tempfile::tempdir()).expect("a folder");
        Self { folder, devices }
    }

    pub(crate) fn open_with(&self, clock: Arc<dyn DeviceClock>) -> Result<SqliteStore, OpenError> {
        SqliteStore::open(self.folder.path(), &self.devices, clock)
    }
}

impl Place for SqliteInFolder {
    type Store = SqliteStore;
    const IN_CLEAR: &'static [u8] = b"SQLite format 3";

    fn devices(&self) -> &Devices {
        &self.devices
    }

    fn open(&self) -> Result<SqliteStore, OpenError> {
        self.open_with(Arc::new(self.devices.clock.clone()))
    }

    fn copy(&self, devices: Devices) -> Self {
        let copy = Self { folder: tempfile::tempdir().expect("a folder"), devices };
        copy_folder(self.folder.path(), copy.folder.path());
        copy
    }

    fn files(&self) -> Vec<Vec<u8>> {
        files_in(self.folder.path())
    }
}
