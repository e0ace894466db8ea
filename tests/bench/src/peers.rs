//! The peers: a bare file, SQLite with sealed values, SQLCipher, redb and glean-core.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use glean_core::metrics::EventMetric;
use glean_core::{CommonMetricData, Glean, InternalConfiguration, Lifetime, PingType, SessionMode};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use rusqlite::{Connection, params};

use crate::queue::{Durability, KEY, Queue};
use crate::sealer::Sealer;

/// How far a synced bare file is made longer at once, so that a flush need not write its length.
const GROWTH: u64 = 64 * 1024;

/// The least that a durable queue can do: seal, and one write; with a flush into a file that is long enough.
pub struct Bare {
    file: File,
    cursor: File,
    durability: Durability,
    sealer: Sealer,
    sequence: u64,
    end: u64,
    allocated: u64,
    sealed: Vec<u8>,
    /// Where records begin that were not drained.
    places: std::collections::VecDeque<(u64, u64, usize)>,
}

impl Bare {
    pub fn open(folder: &Path, durability: Durability) -> Self {
        let open = |name: &str| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(true).open(folder.join(name)).expect("a file")
        };
        let (file, cursor) = (open("records"), open("cursor"));
        cursor.set_len(4096).expect("a longer file");
        let sealer = Sealer::new(&KEY);
        let places = std::collections::VecDeque::new();
        Self { file, cursor, durability, sealer, sequence: 0, end: 0, allocated: 0, sealed: Vec::new(), places }
    }

    fn write(&mut self, body: &[u8]) {
        self.sealer.seal(self.sequence, body, &mut self.sealed);
        self.file.write_all_at(&self.sealed, self.end).expect("a write");
        self.places.push_back((self.sequence, self.end, self.sealed.len()));
        self.end += self.sealed.len() as u64;
        self.sequence += 1;
    }
}

impl Queue for Bare {
    fn append(&mut self, body: &[u8]) {
        if self.durability == Durability::Synced && self.allocated < self.end + 4096 {
            self.allocated = (self.end + GROWTH).next_multiple_of(GROWTH);
            self.file.set_len(self.allocated).expect("a longer file");
        }
        self.write(body);
        if self.durability == Durability::Synced {
            self.file.sync_data().expect("a flush");
        }
    }

    fn fill(&mut self, bodies: &[Vec<u8>]) {
        bodies.iter().for_each(|body| self.write(body));
        self.file.sync_data().expect("a flush");
    }

    fn drain(&mut self, count: usize) -> usize {
        let count = count.min(self.places.len());
        let taken: Vec<_> = self.places.drain(..count).collect();
        let (Some((_, start, _)), Some((last, end, length))) = (taken.first(), taken.last()) else { return 0 };
        let mut bytes = vec![0; (end - start) as usize + length];
        self.file.read_exact_at(&mut bytes, *start).expect("a read");
        for (sequence, offset, length) in &taken {
            let at = (offset - start) as usize;
            std::hint::black_box(self.sealer.open(*sequence, &bytes[at..at + length]));
        }
        self.cursor.write_all_at(&last.to_le_bytes(), 0).expect("a write");
        self.cursor.sync_data().expect("a flush");
        count
    }
}

/// SQLite with write-ahead log: with sealed values, or as SQLCipher with sealed pages.
pub struct Sqlite {
    connection: Connection,
    /// Absent where the pages are sealed.
    sealer: Option<Sealer>,
    sequence: u64,
    sealed: Vec<u8>,
}

impl Sqlite {
    pub fn open(folder: &Path, durability: Durability, cipher: bool) -> Self {
        let connection = Connection::open(folder.join("queue.db")).expect("a database");
        if cipher {
            let key: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
            connection.execute_batch(&format!("PRAGMA key = \"x'{key}'\";")).expect("a key");
        }
        let level = if durability == Durability::Synced { "FULL" } else { "NORMAL" };
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).expect("a mode");
        assert_eq!(mode, "wal");
        connection
            .execute_batch(&format!(
                "PRAGMA synchronous = {level};
                 CREATE TABLE IF NOT EXISTS queue (sequence INTEGER PRIMARY KEY, purpose INTEGER, at INTEGER, body BLOB);"
            ))
            .expect("a table");
        let next = "SELECT coalesce(max(sequence) + 1, 1) FROM queue";
        let sequence: i64 = connection.query_row(next, [], |row| row.get(0)).expect("a number");
        let sequence = sequence as u64;
        Self { connection, sealer: (!cipher).then(|| Sealer::new(&KEY)), sequence, sealed: Vec::new() }
    }

    fn insert(&mut self, body: &[u8]) {
        let body = match &self.sealer {
            Some(sealer) => {
                sealer.seal(self.sequence, body, &mut self.sealed);
                &self.sealed
            }
            None => body,
        };
        let mut statement =
            self.connection.prepare_cached("INSERT INTO queue VALUES (?1, 3, ?2, ?3)").expect("a statement");
        statement.execute(params![self.sequence as i64, 1_800_000_000_000_i64, body]).expect("an insertion");
        self.sequence += 1;
    }
}

impl Queue for Sqlite {
    fn append(&mut self, body: &[u8]) {
        self.insert(body);
    }

    fn fill(&mut self, bodies: &[Vec<u8>]) {
        for bodies in bodies.chunks(1000) {
            self.connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
            bodies.iter().for_each(|body| self.insert(body));
            self.connection.execute_batch("COMMIT").expect("a commit");
        }
    }

    fn drain(&mut self, count: usize) -> usize {
        let query = "SELECT sequence, body FROM queue ORDER BY sequence LIMIT ?1";
        let mut statement = self.connection.prepare_cached(query).expect("a statement");
        let mut rows = statement.query([count as i64]).expect("rows");
        let (mut read, mut last) = (0, 0_i64);
        while let Some(row) = rows.next().expect("a row") {
            let sequence: i64 = row.get(0).expect("a number");
            let body = row.get_ref(1).expect("a value").as_blob().expect("bytes");
            let opened =
                self.sealer.as_ref().map_or_else(|| body.to_vec(), |sealer| sealer.open(sequence as u64, body));
            std::hint::black_box(opened);
            (read, last) = (read + 1, sequence);
        }
        drop(rows);
        let mut delete = self.connection.prepare_cached("DELETE FROM queue WHERE sequence <= ?1").expect("a statement");
        delete.execute([last]).expect("a deletion");
        read
    }
}

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("queue");

/// redb with sealed values. What it does not sync it loses with the process.
pub struct Redb {
    database: Database,
    durability: Durability,
    sealer: Sealer,
    sequence: u64,
    sealed: Vec<u8>,
}

impl Redb {
    pub fn open(folder: &Path, durability: Durability) -> Self {
        let path = folder.join("queue.redb");
        let database = redb::Builder::new().set_cache_size(2 << 20).create(path).expect("a database");
        let write = database.begin_write().expect("a transaction");
        let last = {
            let table = write.open_table(TABLE).expect("a table");
            let last = table.last().expect("an entry");
            last.map_or(0, |(key, _)| key.value())
        };
        write.commit().expect("a commit");
        Self { database, durability, sealer: Sealer::new(&KEY), sequence: last + 1, sealed: Vec::new() }
    }

    fn insert(&mut self, bodies: &[&[u8]], durability: redb::Durability) {
        let mut write = self.database.begin_write().expect("a transaction");
        write.set_durability(durability).expect("a durability");
        {
            let mut table = write.open_table(TABLE).expect("a table");
            for body in bodies {
                self.sealer.seal(self.sequence, body, &mut self.sealed);
                table.insert(self.sequence, self.sealed.as_slice()).expect("an insertion");
                self.sequence += 1;
            }
        }
        write.commit().expect("a commit");
    }
}

impl Queue for Redb {
    fn append(&mut self, body: &[u8]) {
        let durability = match self.durability {
            Durability::Buffered => redb::Durability::None,
            Durability::Synced => redb::Durability::Immediate,
        };
        self.insert(&[body], durability);
    }

    fn fill(&mut self, bodies: &[Vec<u8>]) {
        for bodies in bodies.chunks(1000) {
            let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
            self.insert(&bodies, redb::Durability::Immediate);
        }
    }

    fn drain(&mut self, count: usize) -> usize {
        let mut sequences = Vec::with_capacity(count);
        {
            let read = self.database.begin_read().expect("a transaction");
            let table = read.open_table(TABLE).expect("a table");
            for entry in table.iter().expect("entries").take(count) {
                let (sequence, body) = entry.expect("an entry");
                std::hint::black_box(self.sealer.open(sequence.value(), body.value()));
                sequences.push(sequence.value());
            }
        }
        let write = self.database.begin_write().expect("a transaction");
        {
            let mut table = write.open_table(TABLE).expect("a table");
            for sequence in &sequences {
                table.remove(sequence).expect("a removal");
            }
        }
        write.commit().expect("a commit");
        sequences.len()
    }
}

/// glean-core's events: lines of plain JSON, never synced, all of them in memory, too.
pub struct GleanQueue {
    glean: Glean,
    event: EventMetric,
    stamp: u64,
}

/// The longest value that glean keeps of an event's extra.
const LONGEST_EXTRA: usize = 500;
const EXTRAS: usize = 100;

impl GleanQueue {
    pub fn open(folder: &Path) -> Self {
        let configuration = InternalConfiguration {
            data_path: folder.join("glean").display().to_string(),
            application_id: "io.menshen.bench".into(),
            language_binding_name: "Rust".into(),
            upload_enabled: true,
            // By itself it would submit a ping at each 500 events.
            max_events: Some(u32::MAX),
            delay_ping_lifetime_io: false,
            app_build: "1".into(),
            use_core_mps: false,
            trim_data_to_registered_pings: false,
            log_level: None,
            rate_limit: None,
            enable_event_timestamps: false,
            experimentation_id: None,
            enable_internal_pings: true,
            ping_schedule: HashMap::new(),
            ping_lifetime_threshold: 0,
            ping_lifetime_max_time: 0,
            max_pending_pings_count: None,
            max_pending_pings_directory_size: None,
            session_mode: SessionMode::Auto,
            session_sample_rate: 1.0,
            session_inactivity_timeout_ms: 1_800_000,
            events_ping_acceleration_factor: None,
            enable_store_submitted_pings: false,
        };
        let mut glean = Glean::new(configuration).expect("a glean");
        let ping = PingType::new(
            "queue",
            true,
            false,
            true,
            true,
            true,
            Vec::<String>::new(),
            Vec::<String>::new(),
            true,
            vec![],
        );
        glean.register_ping_type(&ping);
        let meta = CommonMetricData {
            name: "used".into(),
            category: "feature".into(),
            send_in_pings: vec!["queue".into()],
            lifetime: Lifetime::Ping,
            disabled: false,
            ..Default::default()
        };
        let event = EventMetric::new(meta, (0..EXTRAS).map(|at| format!("part{at}")).collect());
        Self { glean, event, stamp: 0 }
    }
}

impl Queue for GleanQueue {
    /// Records text of the same length, as glean takes no bytes.
    fn append(&mut self, body: &[u8]) {
        let text: String = body.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
        let parts = text.as_bytes().chunks(LONGEST_EXTRA).enumerate();
        let extra = parts.map(|(at, part)| (format!("part{at}"), String::from_utf8_lossy(part).into_owned())).collect();
        self.stamp += 1;
        // It says whether a ping is due, not whether it took the event; the first one is looked up.
        self.event.record_sync(&self.glean, self.stamp, extra, 0);
        if self.stamp == 1 {
            assert!(self.event.get_value(&self.glean, None).is_some(), "glean took no event");
        }
    }

    fn fill(&mut self, bodies: &[Vec<u8>]) {
        bodies.iter().for_each(|body| self.append(body));
    }

    fn drain(&mut self, _count: usize) -> usize {
        unreachable!("glean gives its events away in pings only")
    }
}
