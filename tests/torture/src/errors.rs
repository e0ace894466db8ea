//! Errors of the disk at every operation, reads included, once and for ever; then none, and the store has to be whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use menshen_journal::simulated::PowerLoss;
use menshen_journal::{Disk, DiskError, DiskFile, DiskLock};

use crate::planted;
use crate::programme::Prepared;
use crate::workload::{Kept, Promises, check, work, world_of};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fails(DiskError),
    /// Half of a write is done, then it fails.
    ShortWrite,
    /// Half of what is there is read.
    ShortRead,
}

const KINDS: [Kind; 7] = [
    Kind::Fails(DiskError::Io),
    Kind::Fails(DiskError::Full),
    Kind::Fails(DiskError::ReadOnly),
    Kind::Fails(DiskError::NotFound),
    Kind::Fails(DiskError::AlreadyExists),
    Kind::ShortWrite,
    Kind::ShortRead,
];

/// A disk that fails at an operation, counted from 0, or from it on.
#[derive(Clone)]
struct FailingDisk {
    inner: Arc<dyn Disk>,
    operations: Arc<AtomicU64>,
    fault: Option<(Kind, u64, bool)>,
}

struct FailingFile {
    inner: Arc<dyn DiskFile>,
    disk: FailingDisk,
}

impl FailingDisk {
    fn new(inner: Arc<dyn Disk>, fault: Option<(Kind, u64, bool)>) -> Self {
        Self { inner, operations: Arc::default(), fault }
    }

    fn step(&self) -> Option<Kind> {
        let now = self.operations.fetch_add(1, Ordering::Relaxed);
        let struck = self.fault.filter(|(_, at, for_ever)| now == *at || (*for_ever && now > *at));
        if struck.is_some_and(|(_, at, _)| now == at) && std::env::var_os("MENSHEN_TRACE").is_some() {
            eprintln!("the fault strikes here:\n{}", std::backtrace::Backtrace::force_capture());
        }
        struck.map(|(kind, ..)| kind)
    }

    fn fail(&self) -> Result<(), DiskError> {
        match self.step() {
            Some(Kind::Fails(error)) => Err(error),
            _ => Ok(()),
        }
    }

    fn file(&self, inner: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(FailingFile { inner, disk: self.clone() })
    }
}

impl Disk for FailingDisk {
    fn lock(&self) -> Result<Box<dyn DiskLock>, DiskError> {
        self.fail()?;
        self.inner.lock()
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        self.fail()?;
        self.inner.list(folder)
    }

    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        // Whether a file is there is what a disk knows best: this answer is not falsified.
        match self.step() {
            Some(Kind::Fails(error)) if error != DiskError::NotFound => Err(error),
            _ => self.inner.open(name).map(|file| self.file(file)),
        }
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        self.fail()?;
        self.inner.create(name).map(|file| self.file(file))
    }

    fn create_folder(&self, name: &str) -> Result<(), DiskError> {
        self.fail()?;
        self.inner.create_folder(name)
    }

    fn sync_folder(&self, name: &str) -> Result<(), DiskError> {
        self.fail()?;
        self.inner.sync_folder(name)
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        self.fail()?;
        self.inner.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        self.fail()?;
        self.inner.rename(from, to)
    }
}

impl DiskFile for FailingFile {
    fn length(&self) -> Result<u64, DiskError> {
        self.disk.fail()?;
        self.inner.length()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        match self.disk.step() {
            Some(Kind::Fails(error)) => Err(error),
            Some(Kind::ShortRead) => {
                let half = buffer.len() / 2;
                self.inner.read_at(offset, &mut buffer[..half])
            }
            _ => self.inner.read_at(offset, buffer),
        }
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        match self.disk.step() {
            Some(Kind::Fails(error)) => Err(error),
            Some(Kind::ShortWrite) => {
                self.inner.write_at(offset, &bytes[..bytes.len() / 2])?;
                Err(DiskError::Full)
            }
            _ => self.inner.write_at(offset, bytes),
        }
    }

    fn set_length(&self, length: u64) -> Result<(), DiskError> {
        self.disk.fail()?;
        self.inner.set_length(length)
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.disk.fail()?;
        self.inner.sync()
    }
}

fn operations(workload: u64) -> u64 {
    let world = world_of(workload);
    let disk = FailingDisk::new(Arc::new(world.disk.clone()), None);
    let open = || world.open_with(Arc::new(disk.clone()), planted::keys(world.keys.clone()));
    work(&world, &open, &mut Promises::default(), workload, &mut |_| {});
    disk.operations.load(Ordering::Relaxed)
}

/// S4.
pub(crate) fn every_operation(seed: u64) -> Result<Prepared, String> {
    let workloads: Vec<u64> = (0..50).map(|workload| seed.wrapping_mul(1_000) + workload).collect();
    let mut starts = Vec::new();
    let mut total = 0;
    for workload in workloads {
        starts.push((total, workload));
        total += operations(workload) * KINDS.len() as u64 * 2;
    }
    Prepared::all(total, move |case| {
        let (start, workload) = *starts.iter().rev().find(|(start, _)| *start <= case).unwrap();
        let within = case - start;
        let kind = KINDS[(within % 7) as usize];
        let (for_ever, at) = (within / 7 % 2 == 1, within / 14);
        let world = world_of(workload);
        let disk = FailingDisk::new(Arc::new(world.disk.clone()), Some((kind, at, for_ever)));
        let open = || world.open_with(Arc::new(disk.clone()), planted::keys(world.keys.clone()));
        let mut promises = Promises::default();
        work(&world, &open, &mut promises, workload, &mut |_| {});
        let kept = if kind == Kind::ShortRead && for_ever {
            // A disk that goes on claiming that files are shorter than they are is not believed in vain: what it
            // showed may be taken for the truth. Nothing is invented and the store opens.
            world.disk.kill();
            Kept::Nothing
        } else if case % 2 == 0 {
            world.disk.kill();
            Kept::Buffered
        } else {
            world.disk.lose_power(PowerLoss::LosesAll);
            Kept::Synced
        };
        check(&world, &promises, kept, true);
    })
}
