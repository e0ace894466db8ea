//! Bugs planted on purpose: a programme's zero counts only if it finds them. Each sleeps until its name stands in the
//! environment. Those here are effects that do not do what they promise; those in the store itself are the patches
//! in `planted/`, applied to a copy of it.

use std::sync::{Arc, LazyLock, Mutex};

use menshen_journal::{Alias, Disk, DiskError, DiskFile, DiskLock, KeyError, KeyProvider, KeyState, MemoryKeys};
use zeroize::Zeroizing;

static NAME: LazyLock<String> = LazyLock::new(|| std::env::var("MENSHEN_PLANTED").unwrap_or_default());

/// Whether this bug is planted now.
pub(crate) fn is(name: &str) -> bool {
    NAME.as_str() == name
}

/// The disk itself, or one with the planted bug.
pub(crate) fn disk(inner: Arc<dyn Disk>) -> Arc<dyn Disk> {
    let planted = ["no-file-sync", "no-folder-sync", "no-lock", "write-behind", "nothing-removed"].into_iter().any(is);
    if planted { Arc::new(FaultyDisk(inner)) } else { inner }
}

/// A disk that leaves out what the planted bug says.
struct FaultyDisk(Arc<dyn Disk>);

struct NoLock;

impl DiskLock for NoLock {}

struct FaultyFile {
    inner: Arc<dyn DiskFile>,
    /// Writes kept back until the next sync.
    behind: Mutex<Vec<(u64, Vec<u8>)>>,
}

impl FaultyDisk {
    fn file(inner: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(FaultyFile { inner, behind: Mutex::default() })
    }
}

impl Disk for FaultyDisk {
    fn lock(&self) -> Result<Box<dyn DiskLock>, DiskError> {
        if is("no-lock") { Ok(Box::new(NoLock)) } else { self.0.lock() }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        self.0.list(folder)
    }

    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        self.0.open(name).map(Self::file)
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        self.0.create(name).map(Self::file)
    }

    fn create_folder(&self, name: &str) -> Result<(), DiskError> {
        self.0.create_folder(name)
    }

    fn sync_folder(&self, name: &str) -> Result<(), DiskError> {
        if is("no-folder-sync") { Ok(()) } else { self.0.sync_folder(name) }
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        if is("nothing-removed") { Ok(()) } else { self.0.remove(name) }
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        self.0.rename(from, to)
    }
}

impl DiskFile for FaultyFile {
    fn length(&self) -> Result<u64, DiskError> {
        self.inner.length()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        self.inner.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        if is("write-behind") {
            self.behind.lock().unwrap().push((offset, bytes.to_vec()));
            return Ok(());
        }
        self.inner.write_at(offset, bytes)
    }

    fn set_length(&self, length: u64) -> Result<(), DiskError> {
        self.inner.set_length(length)
    }

    fn sync(&self) -> Result<(), DiskError> {
        for (offset, bytes) in self.behind.lock().unwrap().drain(..) {
            self.inner.write_at(offset, &bytes)?;
        }
        if is("no-file-sync") { Ok(()) } else { self.inner.sync() }
    }
}

/// The key store itself, or one with the planted bug.
pub(crate) fn keys(inner: MemoryKeys) -> Arc<dyn KeyProvider> {
    if is("key-kept") { Arc::new(KeepingKeys(inner)) } else { Arc::new(inner) }
}

/// A key store that says that a key is gone, and keeps it.
struct KeepingKeys(MemoryKeys);

static GONE: Mutex<Vec<Alias>> = Mutex::new(Vec::new());

impl KeyProvider for KeepingKeys {
    fn create(&self, alias: &Alias) -> Result<(), KeyError> {
        self.0.create(alias)
    }

    fn wrap(&self, alias: &Alias, secret: &[u8], aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.0.wrap(alias, secret, aad)
    }

    fn unwrap(&self, alias: &Alias, blob: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.0.unwrap(alias, blob, aad)
    }

    fn exists(&self, alias: &Alias) -> Result<bool, KeyError> {
        Ok(self.0.exists(alias)? && !GONE.lock().unwrap().contains(alias))
    }

    fn list(&self) -> Result<Vec<Alias>, KeyError> {
        self.0.list()
    }

    fn destroy(&self, alias: &Alias) -> Result<(), KeyError> {
        GONE.lock().unwrap().push(alias.clone());
        Ok(())
    }

    fn state(&self) -> KeyState {
        self.0.state()
    }
}
