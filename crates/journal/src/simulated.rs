//! A disk, a clock and randomness that a test holds in its hand: power loss at any operation, errors, one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::effects::{
    Anchor, AnchorError, DeviceClock, Disk, DiskError, DiskFile, DiskLock, Now, Randomness, RandomnessError,
};

/// What a torn write is torn at: a sector, or a page of the system's memory.
const SECTOR: u64 = 512;
const PAGE: u64 = 4096;

/// What a power loss leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerLoss {
    /// Nothing.
    LosesAll,
    /// Everything: no better and no worse than a kill.
    KeepsAll,
    /// By the seed, each write whole, torn at a sector or a page with noise where it was under way, or not at all; each
    /// name there or not.
    Torn(u64),
}

/// What happens at an operation, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This operation fails.
    Once(u64, DiskError),
    /// This operation and all that follow fail. With [`DiskError::Io`] it is the end of the process.
    From(u64, DiskError),
    /// This operation, if it is a write, does its first half and fails, and all that follow fail.
    HalfThenNothing(u64),
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Arc<Vec<u8>>),
    Length(u64),
}

/// A file. Copies share what neither changes, so that a copy of a whole disk costs little.
#[derive(Clone, Debug, Default)]
struct Node {
    live: Arc<Vec<u8>>,
    durable: Arc<Vec<u8>>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug, Default)]
struct Image {
    nodes: Vec<Node>,
    live: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    operations: u64,
    written: u64,
    syncs: u64,
    fault: Option<Fault>,
    locked: bool,
    /// Bytes that all files may have together.
    capacity: Option<u64>,
    sync_time: Duration,
    opens_fail: bool,
    reads_fail: Option<DiskError>,
    /// A failed sync takes what it could not write out of the system's memory, too.
    failed_sync_drops: bool,
    /// The disk as it was before each changing operation, while that is recorded.
    recorded: Option<Vec<Image>>,
}

fn apply(data: &mut Arc<Vec<u8>>, change: &Change) {
    match change {
        Change::Write(offset, bytes) => write(data, *offset, bytes),
        Change::Length(length) => Arc::make_mut(data).resize(usize::try_from(*length).unwrap_or(usize::MAX), 0),
    }
}

fn write(data: &mut Arc<Vec<u8>>, offset: u64, bytes: &[u8]) {
    let data = Arc::make_mut(data);
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = start.saturating_add(bytes.len());
    if data.len() < end {
        data.resize(end, 0);
    }
    if let Some(to) = data.get_mut(start..end) {
        to.copy_from_slice(bytes);
    }
}

/// Writes some of the sectors, in any order, as a disk may; one in eight of them was under way and holds noise.
fn tear(data: &mut Arc<Vec<u8>>, offset: u64, bytes: &[u8], random: &mut Xorshift) {
    let sector = if random.next() & 1 == 0 { SECTOR } else { PAGE };
    let mut at = 0;
    while at < bytes.len() {
        let place = offset + at as u64;
        let to_end = usize::try_from(sector - place % sector).unwrap_or(1);
        let end = (at + to_end).min(bytes.len());
        let part = bytes.get(at..end).unwrap_or_default();
        match random.next() % 8 {
            0 => {
                let noise: Vec<u8> = part.iter().map(|_| random.next().to_le_bytes()[3]).collect();
                write(data, place, &noise);
            }
            1..4 => write(data, place, part),
            _ => {}
        }
        at = end;
    }
}

fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Image {
    /// Counts a changing operation; `Ok(true)` where only half of it is to happen.
    fn step(&mut self) -> Result<bool, DiskError> {
        if let Some(mut recorded) = self.recorded.take() {
            recorded.push(self.clone());
            self.recorded = Some(recorded);
        }
        let at = self.operations;
        self.operations += 1;
        match self.fault {
            Some(Fault::Once(n, error)) if n == at => Err(error),
            Some(Fault::From(n, error)) if n <= at => Err(error),
            Some(Fault::HalfThenNothing(n)) if n == at => Ok(true),
            Some(Fault::HalfThenNothing(n)) if n < at => Err(DiskError::Io),
            _ => Ok(false),
        }
    }

    fn used(&self) -> u64 {
        self.live.values().filter_map(|node| self.nodes.get(*node)).map(|node| node.live.len() as u64).sum()
    }

    /// Whether a file may grow to a length.
    fn has_room(&self, node: usize, length: u64) -> Result<(), DiskError> {
        let now = self.nodes.get(node).map_or(0, |node| node.live.len() as u64);
        let more = length.saturating_sub(now);
        match self.capacity {
            Some(capacity) if more > 0 && self.used() + more > capacity => Err(DiskError::Full),
            _ => Ok(()),
        }
    }

    fn change(&mut self, node: usize, change: Change) {
        if let Some(node) = self.nodes.get_mut(node) {
            apply(&mut node.live, &change);
            node.pending.push(change);
        }
    }
}

/// A folder in memory. Clones are the same folder; [`SimulatedDisk::snapshot`] is another.
#[derive(Clone, Debug, Default)]
pub struct SimulatedDisk(Arc<Mutex<Image>>);

impl SimulatedDisk {
    /// An empty folder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn image(&self) -> MutexGuard<'_, Image> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy as of now, as if all of it had been synced.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        let image = self.image();
        let mut copy = Image::default();
        for (name, node) in &image.live {
            let live = image.nodes.get(*node).map(|node| Arc::clone(&node.live)).unwrap_or_default();
            copy.live.insert(name.clone(), copy.nodes.len());
            copy.nodes.push(Node { durable: Arc::clone(&live), live, pending: Vec::new() });
        }
        copy.durable = copy.live.clone();
        Self(Arc::new(Mutex::new(copy)))
    }

    /// A copy as of now, with what was not synced still not synced, that goes its own way; nobody holds its lock.
    #[must_use]
    pub fn fork(&self) -> Self {
        let image = self.image().clone();
        Self(Arc::new(Mutex::new(Image { fault: None, locked: false, recorded: None, ..image })))
    }

    /// From now on keeps the disk as it was before each changing operation.
    pub fn record(&self) {
        self.image().recorded = Some(Vec::new());
    }

    /// The disk as it was before each changing operation since [`SimulatedDisk::record`]; recording ends.
    #[must_use]
    pub fn recorded(&self) -> Vec<Self> {
        let recorded = self.image().recorded.take().unwrap_or_default();
        recorded.into_iter().map(|image| Self(Arc::new(Mutex::new(image))).fork()).collect()
    }

    /// Loses the power: what was not synced is lost as said, and no fault is left.
    pub fn lose_power(&self, loss: PowerLoss) {
        let mut image = self.image();
        let mut random = match loss {
            PowerLoss::Torn(seed) => Xorshift::new(seed),
            PowerLoss::LosesAll | PowerLoss::KeepsAll => Xorshift::new(0),
        };
        let torn = matches!(loss, PowerLoss::Torn(_));
        let names: BTreeSet<String> = image.live.keys().chain(image.durable.keys()).cloned().collect();
        let mut kept = BTreeMap::new();
        for name in names {
            let keep_live = loss == PowerLoss::KeepsAll || (torn && random.next() & 1 == 0);
            let node = if keep_live { image.live.get(&name) } else { image.durable.get(&name) };
            if let Some(node) = node {
                kept.insert(name, *node);
            }
        }
        image.live = kept.clone();
        image.durable = kept;
        for node in &mut image.nodes {
            let mut data = Arc::clone(if loss == PowerLoss::KeepsAll { &node.live } else { &node.durable });
            for change in std::mem::take(&mut node.pending).into_iter().filter(|_| torn) {
                match (random.next() % 3, change) {
                    (0, _) => {}
                    (2, Change::Write(offset, bytes)) => tear(&mut data, offset, &bytes, &mut random),
                    (_, change) => apply(&mut data, &change),
                }
            }
            node.live = Arc::clone(&data);
            node.durable = data;
        }
        image.fault = None;
        image.locked = false;
    }

    /// The process ends here: what was written stays, the lock goes, and no fault is left.
    pub fn kill(&self) {
        let mut image = self.image();
        image.fault = None;
        image.locked = false;
    }

    /// Sets what goes wrong; operations are counted anew from 0.
    pub fn set_fault(&self, fault: Option<Fault>) {
        let mut image = self.image();
        image.fault = fault;
        image.operations = 0;
    }

    /// Changing operations since the last [`SimulatedDisk::set_fault`].
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.image().operations
    }

    /// How many bytes all files may have together, holes not counted out; no limit without it.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.image().capacity = bytes;
    }

    /// How long a sync takes, with nothing else held up.
    pub fn set_sync_time(&self, time: Duration) {
        self.image().sync_time = time;
    }

    /// Whether a failed sync also takes what it could not write out of the system's memory, as some file systems do.
    pub fn set_failed_sync_drops(&self, drops: bool) {
        self.image().failed_sync_drops = drops;
    }

    /// Whether no file can be opened.
    pub fn set_failed_opens(&self, fail: bool) {
        self.image().opens_fail = fail;
    }

    /// What reading the length or the content of any file answers instead.
    pub fn set_failed_reads(&self, error: Option<DiskError>) {
        self.image().reads_fail = error;
    }

    /// Bytes of all files.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.image().used()
    }

    /// Bytes given to writes, and syncs of files, so far.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        let image = self.image();
        (image.written, image.syncs)
    }

    /// Every file's name.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.image().live.keys().cloned().collect()
    }

    /// What a file holds.
    #[must_use]
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let image = self.image();
        image.live.get(name).and_then(|node| image.nodes.get(*node)).map(|node| node.live.to_vec())
    }

    /// Puts a file there, or other content into one, durable at once.
    pub fn put(&self, name: &str, contents: &[u8]) {
        let mut image = self.image();
        let node = image.nodes.len();
        let contents = Arc::new(contents.to_vec());
        image.nodes.push(Node { live: Arc::clone(&contents), durable: contents, pending: Vec::new() });
        image.live.insert(name.to_owned(), node);
        image.durable.insert(name.to_owned(), node);
    }

    /// Takes a file away, durable at once.
    pub fn delete(&self, name: &str) {
        let mut image = self.image();
        image.live.remove(name);
        image.durable.remove(name);
    }
}

struct Locked(SimulatedDisk);

impl DiskLock for Locked {}

impl Drop for Locked {
    fn drop(&mut self) {
        self.0.image().locked = false;
    }
}

impl Disk for SimulatedDisk {
    fn lock(&self) -> Result<Box<dyn DiskLock>, DiskError> {
        let mut image = self.image();
        image.step()?;
        if std::mem::replace(&mut image.locked, true) {
            return Err(DiskError::Busy);
        }
        drop(image);
        Ok(Box::new(Locked(self.clone())))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        let image = self.image();
        let mut names = BTreeSet::new();
        for name in image.live.keys() {
            let inside = if folder.is_empty() {
                Some(name.as_str())
            } else {
                name.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'))
            };
            if let Some(inside) = inside {
                names.insert(inside.split('/').next().unwrap_or_default().to_owned());
            }
        }
        Ok(names.into_iter().collect())
    }

    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        if self.image().opens_fail {
            return Err(DiskError::Io);
        }
        let node = self.image().live.get(name).copied().ok_or(DiskError::NotFound)?;
        Ok(Arc::new(SimulatedFile { disk: self.clone(), node }))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        let mut image = self.image();
        image.step()?;
        if image.live.contains_key(name) {
            return Err(DiskError::AlreadyExists);
        }
        let node = image.nodes.len();
        image.nodes.push(Node::default());
        image.live.insert(name.to_owned(), node);
        drop(image);
        Ok(Arc::new(SimulatedFile { disk: self.clone(), node }))
    }

    fn create_folder(&self, _: &str) -> Result<(), DiskError> {
        self.image().step().map(|_| ())
    }

    fn sync_folder(&self, folder: &str) -> Result<(), DiskError> {
        let mut image = self.image();
        image.step()?;
        let live: Vec<(String, usize)> = image.live.iter().map(|(name, node)| (name.clone(), *node)).collect();
        image.durable.retain(|name, _| folder_of(name) != folder);
        image.durable.extend(live.into_iter().filter(|(name, _)| folder_of(name) == folder));
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        let mut image = self.image();
        image.step()?;
        image.live.remove(name).map(|_| ()).ok_or(DiskError::NotFound)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        let mut image = self.image();
        image.step()?;
        let node = image.live.remove(from).ok_or(DiskError::NotFound)?;
        image.live.insert(to.to_owned(), node);
        Ok(())
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    node: usize,
}

impl DiskFile for SimulatedFile {
    fn length(&self) -> Result<u64, DiskError> {
        let image = self.disk.image();
        image.reads_fail.map_or(Ok(()), Err)?;
        image.nodes.get(self.node).map(|node| node.live.len() as u64).ok_or(DiskError::Io)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let image = self.disk.image();
        image.reads_fail.map_or(Ok(()), Err)?;
        let data = image.nodes.get(self.node).map_or(&[][..], |node| &node.live);
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = data.get(start..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let mut image = self.disk.image();
        let half = image.step()?;
        image.has_room(self.node, offset.saturating_add(bytes.len() as u64))?;
        let length = if half { bytes.len() / 2 } else { bytes.len() };
        let done = bytes.get(..length).unwrap_or(bytes).to_vec();
        image.written += done.len() as u64;
        image.change(self.node, Change::Write(offset, Arc::new(done)));
        if half { Err(DiskError::Io) } else { Ok(()) }
    }

    fn set_length(&self, length: u64) -> Result<(), DiskError> {
        let mut image = self.disk.image();
        image.step()?;
        image.has_room(self.node, length)?;
        image.change(self.node, Change::Length(length));
        Ok(())
    }

    fn sync(&self) -> Result<(), DiskError> {
        let time = self.disk.image().sync_time;
        if !time.is_zero() {
            std::thread::sleep(time);
        }
        let mut image = self.disk.image();
        let stepped = image.step();
        image.syncs += 1;
        let drops = image.failed_sync_drops;
        let Some(node) = image.nodes.get_mut(self.node) else { return Err(DiskError::Io) };
        if let Err(error) = stepped {
            // As Linux does: what failed to be written counts as clean from now on and is lost with the power.
            node.pending.clear();
            if drops {
                node.live = Arc::clone(&node.durable);
            }
            return Err(error);
        }
        // Only what is pending becomes durable: what an earlier failed sync dropped does not.
        for change in std::mem::take(&mut node.pending) {
            apply(&mut node.durable, &change);
        }
        Ok(())
    }
}

/// A clock that stands until it is moved.
#[derive(Clone, Debug)]
pub struct SimulatedClock(Arc<Mutex<Now>>);

impl SimulatedClock {
    /// A clock at this time since 1970, in milliseconds, at the device's first start.
    #[must_use]
    pub fn at(wall_ms: i64) -> Self {
        Self(Arc::new(Mutex::new(Now { wall_ms, since_boot_ms: 0, boot: 1 })))
    }

    fn time(&self) -> MutexGuard<'_, Now> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass.
    pub fn advance(&self, ms: u64) {
        let mut now = self.time();
        now.wall_ms = now.wall_ms.saturating_add_unsigned(ms);
        now.since_boot_ms = now.since_boot_ms.saturating_add(ms);
    }

    /// Sets the wall clock, as a person may; the time since the start goes on.
    pub fn set_wall(&self, wall_ms: i64) {
        self.time().wall_ms = wall_ms;
    }

    /// Starts the device anew.
    pub fn reboot(&self) {
        let mut now = self.time();
        now.since_boot_ms = 0;
        now.boot += 1;
    }
}

impl DeviceClock for SimulatedClock {
    fn now(&self) -> Now {
        *self.time()
    }
}

#[derive(Clone, Debug)]
struct Xorshift(u64);

impl Xorshift {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Random-looking bytes from a seed: for tests only, as anybody can compute them.
#[derive(Clone, Debug)]
pub struct SeededRandomness(Arc<Mutex<Xorshift>>);

impl SeededRandomness {
    /// The same seed gives the same bytes.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Xorshift::new(seed))))
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        let mut random = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(8) {
            for (to, from) in chunk.iter_mut().zip(random.next().to_le_bytes()) {
                *to = from;
            }
        }
        Ok(())
    }
}

/// An anchor in memory. Clones share its value.
#[derive(Clone, Debug, Default)]
pub struct MemoryAnchor(Arc<Mutex<Option<Vec<u8>>>>);

impl MemoryAnchor {
    /// An anchor without a value.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Anchor for MemoryAnchor {
    fn read(&self) -> Result<Option<Vec<u8>>, AnchorError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn write(&self, head: &[u8]) -> Result<(), AnchorError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(head.to_vec());
        Ok(())
    }
}
