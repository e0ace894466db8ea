//! Key stores, clock and randomness for servers, desktops and tests. Phones bring their own key store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use rustix::time::{ClockId, clock_gettime};
use zeroize::Zeroizing;

use crate::effects::{DeviceClock, Disk, DiskError, KeyError, KeyProvider, KeyState, Now, Randomness, RandomnessError};
use crate::error::FolderError;
use crate::folder::Folder;
use crate::names::Alias;

const NONCE: usize = 12;

fn gcm(key: &[u8; 32]) -> Result<LessSafeKey, KeyError> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| KeyError::Suspect)
}

fn wrap(key: &[u8; 32], secret: &[u8], aad: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut nonce = [0; NONCE];
    SystemRandomness::new().fill(&mut nonce).map_err(|_| KeyError::Suspect)?;
    let mut sealed = Zeroizing::new(secret.to_vec());
    let nonce_used = Nonce::assume_unique_for_key(nonce);
    let tag = gcm(key)?.seal_in_place_separate_tag(nonce_used, Aad::from(aad), &mut sealed);
    let tag = tag.map_err(|_| KeyError::Suspect)?;
    Ok([&nonce[..], &sealed, tag.as_ref()].concat())
}

fn unwrap(key: &[u8; 32], blob: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (nonce, sealed) = blob.split_first_chunk::<NONCE>().ok_or(KeyError::Refused)?;
    let mut bytes = Zeroizing::new(sealed.to_vec());
    let opened = gcm(key)?.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut bytes);
    let length = opened.map_err(|_| KeyError::Refused)?.len();
    bytes.truncate(length);
    Ok(bytes)
}

/// Keys in files of their own, readable by their owner only.
///
/// Weaker than a phone's key store: whoever can read the folder has the keys, and on flash an overwritten file may
/// survive in old blocks. For servers, desktops and examples; keep the folder out of backups.
#[derive(Debug)]
pub struct FileKeys {
    folder: Folder,
}

impl FileKeys {
    /// Keys in the folder at a path, which is created if it is not there.
    ///
    /// # Errors
    /// The path is there and is no folder, or the folder cannot be created.
    pub fn at(path: impl AsRef<Path>) -> Result<Self, FolderError> {
        Ok(Self { folder: Folder::at(path)? })
    }

    /// Where the folder is away, nobody knows whether the keys are gone: a disk may not be mounted.
    fn is_there(&self) -> Result<(), KeyError> {
        if self.folder.path().is_dir() { Ok(()) } else { Err(KeyError::Suspect) }
    }

    fn key(&self, alias: &Alias) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let file = self.folder.open(alias.as_str()).map_err(|error| match error {
            DiskError::NotFound if self.is_there().is_err() => KeyError::Suspect,
            other => key_error(other),
        })?;
        let mut key = Zeroizing::new([0; 32]);
        match file.read_at(0, key.as_mut()) {
            Ok(32) => Ok(key),
            // Cut: what is left is another key, and no waiting brings it back.
            Ok(_) => Err(KeyError::Refused),
            Err(_) => Err(KeyError::Suspect),
        }
    }
}

fn key_error(error: DiskError) -> KeyError {
    match error {
        DiskError::NotFound => KeyError::NotFound,
        DiskError::AlreadyExists => KeyError::AlreadyExists,
        _ => KeyError::Suspect,
    }
}

impl KeyProvider for FileKeys {
    fn create(&self, alias: &Alias) -> Result<(), KeyError> {
        let mut key = Zeroizing::new([0; 32]);
        SystemRandomness::new().fill(key.as_mut()).map_err(|_| KeyError::Suspect)?;
        let file = self.folder.create(alias.as_str()).map_err(key_error)?;
        let written = file.write_at(0, key.as_ref()).and_then(|()| file.sync());
        written.and_then(|()| self.folder.sync_folder("")).map_err(key_error)
    }

    fn wrap(&self, alias: &Alias, secret: &[u8], aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        wrap(&*self.key(alias)?, secret, aad)
    }

    fn unwrap(&self, alias: &Alias, blob: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        unwrap(&*self.key(alias)?, blob, aad)
    }

    fn exists(&self, alias: &Alias) -> Result<bool, KeyError> {
        match self.folder.open(alias.as_str()) {
            Ok(_) => Ok(true),
            Err(DiskError::NotFound) => self.is_there().map(|()| false),
            Err(_) => Err(KeyError::Suspect),
        }
    }

    fn list(&self) -> Result<Vec<Alias>, KeyError> {
        self.is_there()?;
        let names = self.folder.list("").map_err(key_error)?;
        Ok(names.iter().filter_map(|name| Alias::parse(name).ok()).collect())
    }

    fn destroy(&self, alias: &Alias) -> Result<(), KeyError> {
        let file = match self.folder.open(alias.as_str()) {
            Err(DiskError::NotFound) => return self.is_there(),
            other => other.map_err(key_error)?,
        };
        let gone = file.write_at(0, &[0; 32]).and_then(|()| file.sync());
        gone.and_then(|()| self.folder.remove(alias.as_str()))
            .and_then(|()| self.folder.sync_folder(""))
            .map_err(key_error)
    }

    fn state(&self) -> KeyState {
        if self.is_there().is_ok() && self.folder.list("").is_ok() { KeyState::Ready } else { KeyState::Suspect }
    }

    fn folder(&self) -> Option<&Path> {
        Some(self.folder.path())
    }
}

#[derive(Clone)]
struct Keys {
    keys: BTreeMap<Alias, Zeroizing<[u8; 32]>>,
    state: KeyState,
}

/// Keys in memory, for tests. Clones share them; they are gone with the last one.
#[derive(Clone)]
pub struct MemoryKeys(Arc<Mutex<Keys>>);

impl Default for MemoryKeys {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryKeys {
    /// No keys, ready.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Keys { keys: BTreeMap::new(), state: KeyState::Ready })))
    }

    /// Makes every call answer as a key store in this state does.
    pub fn set_state(&self, state: KeyState) {
        self.inner().state = state;
    }

    /// A copy as of now that goes its own way.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self(Arc::new(Mutex::new(self.inner().clone())))
    }

    /// Replaces every key by another one: what the store sealed does not open any more.
    pub fn replace_all(&self) {
        for key in self.inner().keys.values_mut() {
            key.iter_mut().for_each(|byte| *byte = !*byte);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ready(&self) -> Result<MutexGuard<'_, Keys>, KeyError> {
        let inner = self.inner();
        match inner.state {
            KeyState::Ready => Ok(inner),
            KeyState::NotYet => Err(KeyError::NotYet),
            KeyState::Suspect => Err(KeyError::Suspect),
            KeyState::Mismatch => Err(KeyError::Refused),
            KeyState::Lost => Err(KeyError::NotFound),
        }
    }
}

impl std::fmt::Debug for MemoryKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryKeys").finish_non_exhaustive()
    }
}

impl KeyProvider for MemoryKeys {
    fn create(&self, alias: &Alias) -> Result<(), KeyError> {
        let mut inner = self.ready()?;
        if inner.keys.contains_key(alias) {
            return Err(KeyError::AlreadyExists);
        }
        let mut key = Zeroizing::new([0; 32]);
        SystemRandomness::new().fill(key.as_mut()).map_err(|_| KeyError::Suspect)?;
        inner.keys.insert(alias.clone(), key);
        Ok(())
    }

    fn wrap(&self, alias: &Alias, secret: &[u8], aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        wrap(self.ready()?.keys.get(alias).ok_or(KeyError::NotFound)?, secret, aad)
    }

    fn unwrap(&self, alias: &Alias, blob: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        unwrap(self.ready()?.keys.get(alias).ok_or(KeyError::NotFound)?, blob, aad)
    }

    fn exists(&self, alias: &Alias) -> Result<bool, KeyError> {
        Ok(self.ready()?.keys.contains_key(alias))
    }

    fn list(&self) -> Result<Vec<Alias>, KeyError> {
        Ok(self.ready()?.keys.keys().cloned().collect())
    }

    fn destroy(&self, alias: &Alias) -> Result<(), KeyError> {
        self.ready()?.keys.remove(alias);
        Ok(())
    }

    fn state(&self) -> KeyState {
        self.inner().state
    }
}

/// The system's clocks.
#[derive(Clone, Debug, Default)]
pub struct SystemClock {
    boot: u32,
}

impl SystemClock {
    /// Reads once which start of the device this is, where the system tells.
    #[must_use]
    pub fn new() -> Self {
        let boot = std::fs::read("/proc/sys/kernel/random/boot_id").map_or(0, |id| crc32c::crc32c(&id));
        Self { boot }
    }
}

impl DeviceClock for SystemClock {
    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let clock = ClockId::Boottime;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let clock = ClockId::Monotonic;
        let since_boot = clock_gettime(clock);
        let seconds = u64::try_from(since_boot.tv_sec).unwrap_or(0);
        let nanoseconds = u64::try_from(since_boot.tv_nsec).unwrap_or(0);
        Now {
            wall_ms: i64::try_from(wall).unwrap_or(i64::MAX),
            since_boot_ms: seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000),
            boot: self.boot,
        }
    }
}

/// The system's source of random bytes.
#[derive(Clone, Debug)]
pub struct SystemRandomness(SystemRandom);

impl Default for SystemRandomness {
    fn default() -> Self {
        Self::new()
    }
}

impl SystemRandomness {
    /// The source.
    #[must_use]
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        self.0.fill(bytes).map_err(|_| RandomnessError)
    }
}
