//! What a host supplies: small synchronous traits. A host that throws is answered closed, never trusted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use menshen::journal::AnchorError;
use menshen::{
    Alias, Anchor, ChangeListener, DeviceClock, Identifier, IdentifierReader, KeyError, KeyProvider, KeyState, Now,
    Permission, PermissionState, PermissionStatus, SystemClock,
};

/// What a host's key store could not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Error)]
pub enum BridgeKeyError {
    /// There is no such key.
    NotFound,
    /// There is one already.
    AlreadyExists,
    /// Locked, busy, or before the first unlock.
    NotYet,
    /// It failed, and nobody knows why.
    Suspect,
    /// What was sealed was sealed with another key.
    Refused,
}

impl std::fmt::Display for BridgeKeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "key store: {self:?}")
    }
}

impl std::error::Error for BridgeKeyError {}

impl From<uniffi::UnexpectedUniFFICallbackError> for BridgeKeyError {
    // The text of a foreign exception may hold anything, so it is dropped.
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Suspect
    }
}

impl From<BridgeKeyError> for KeyError {
    fn from(error: BridgeKeyError) -> Self {
        match error {
            BridgeKeyError::NotFound => Self::NotFound,
            BridgeKeyError::AlreadyExists => Self::AlreadyExists,
            BridgeKeyError::NotYet => Self::NotYet,
            BridgeKeyError::Suspect => Self::Suspect,
            BridgeKeyError::Refused => Self::Refused,
        }
    }
}

/// The state of a host's key store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum BridgeKeyState {
    /// It works.
    Ready,
    /// Locked, busy, or before the first unlock.
    NotYet,
    /// It failed, and nobody knows why.
    Suspect,
    /// It belongs to another install.
    Mismatch,
    /// The keys are gone.
    Lost,
}

/// The platform's key store: one key for each alias, that never leaves it.
#[uniffi::export(foreign)]
pub trait BridgeKeyProvider: Send + Sync {
    /// Makes a key.
    fn create(&self, alias: String) -> Result<(), BridgeKeyError>;
    /// Seals a secret, bound to `aad`.
    fn wrap(&self, alias: String, secret: Vec<u8>, aad: Vec<u8>) -> Result<Vec<u8>, BridgeKeyError>;
    /// Opens what `wrap` sealed.
    fn unwrap(&self, alias: String, blob: Vec<u8>, aad: Vec<u8>) -> Result<Vec<u8>, BridgeKeyError>;
    /// Whether the key is there; an error if that cannot be told.
    fn exists(&self, alias: String) -> Result<bool, BridgeKeyError>;
    /// Every alias of this app.
    fn list(&self) -> Result<Vec<String>, BridgeKeyError>;
    /// Destroys a key; one that is not there is no error.
    fn destroy(&self, alias: String) -> Result<(), BridgeKeyError>;
    /// How the key store is.
    fn state(&self) -> Result<BridgeKeyState, BridgeKeyError>;
}

/// The clocks of the device.
#[derive(Clone, Copy, Debug, uniffi::Record)]
pub struct BridgeNow {
    /// The wall clock, in milliseconds since 1970.
    pub wall_ms: i64,
    /// Milliseconds since the device started, sleep included.
    pub since_boot_ms: i64,
    /// Which start of the device it is.
    pub boot: i32,
}

/// A host's clock.
#[uniffi::export(foreign)]
pub trait BridgeClock: Send + Sync {
    /// The time now.
    fn now(&self) -> Result<BridgeNow, BridgeKeyError>;
}

/// A small value that a host keeps outside the store.
#[uniffi::export(foreign)]
pub trait BridgeAnchor: Send + Sync {
    /// The value, if one was ever written.
    fn read(&self) -> Result<Option<Vec<u8>>, BridgeKeyError>;
    /// Replaces the value.
    fn write(&self, value: Vec<u8>) -> Result<(), BridgeKeyError>;
}

/// The state of a system permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum BridgePermissionState {
    /// Never asked.
    NotAsked,
    /// There.
    Granted,
    /// There in a lesser form.
    Limited,
    /// Refused; the system would ask again.
    Denied,
    /// Refused for good.
    Blocked,
}

impl From<BridgePermissionState> for PermissionState {
    fn from(state: BridgePermissionState) -> Self {
        match state {
            BridgePermissionState::NotAsked => Self::NotAsked,
            BridgePermissionState::Granted => Self::Granted,
            BridgePermissionState::Limited => Self::Limited,
            BridgePermissionState::Denied => Self::Denied,
            BridgePermissionState::Blocked => Self::Blocked,
        }
    }
}

/// A host's permissions, identifiers and ear for changes.
#[uniffi::export(foreign)]
pub trait BridgePlatform: Send + Sync {
    /// The state of a permission, by its id.
    fn permission(&self, permission: String) -> Result<BridgePermissionState, BridgeKeyError>;
    /// The raw identifier, by its id, or nothing.
    fn identifier(&self, identifier: String) -> Result<Option<String>, BridgeKeyError>;
}

/// A host's ear for changes.
#[uniffi::export(foreign)]
pub trait BridgeListener: Send + Sync {
    /// The answers changed.
    fn changed(&self, generation: i64) -> Result<(), BridgeKeyError>;
}

pub(crate) struct Keys(pub(crate) Arc<dyn BridgeKeyProvider>);

impl KeyProvider for Keys {
    fn create(&self, alias: &Alias) -> Result<(), KeyError> {
        Ok(self.0.create(alias.as_str().to_owned())?)
    }
    fn wrap(&self, alias: &Alias, secret: &[u8], aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(self.0.wrap(alias.as_str().to_owned(), secret.to_vec(), aad.to_vec())?)
    }
    fn unwrap(&self, alias: &Alias, blob: &[u8], aad: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, KeyError> {
        Ok(self.0.unwrap(alias.as_str().to_owned(), blob.to_vec(), aad.to_vec())?.into())
    }
    fn exists(&self, alias: &Alias) -> Result<bool, KeyError> {
        Ok(self.0.exists(alias.as_str().to_owned())?)
    }
    fn list(&self) -> Result<Vec<Alias>, KeyError> {
        // Other keys of the app's are none of ours.
        Ok(self.0.list()?.iter().filter_map(|alias| Alias::parse(alias).ok()).collect())
    }
    fn destroy(&self, alias: &Alias) -> Result<(), KeyError> {
        Ok(self.0.destroy(alias.as_str().to_owned())?)
    }
    fn state(&self) -> KeyState {
        match self.0.state() {
            Ok(BridgeKeyState::Ready) => KeyState::Ready,
            Ok(BridgeKeyState::NotYet) => KeyState::NotYet,
            Ok(BridgeKeyState::Mismatch) => KeyState::Mismatch,
            Ok(BridgeKeyState::Lost) => KeyState::Lost,
            Ok(BridgeKeyState::Suspect) | Err(_) => KeyState::Suspect,
        }
    }
}

/// A clock that throws is answered from its last good reading and the time that passed in this process since, so that
/// time neither stands still nor runs backwards to an open gate.
pub(crate) struct Clock {
    foreign: Arc<dyn BridgeClock>,
    last: Mutex<(Now, Instant)>,
}

impl Clock {
    pub(crate) fn new(foreign: Arc<dyn BridgeClock>) -> Self {
        Self { foreign, last: Mutex::new((SystemClock::new().now(), Instant::now())) }
    }
}

impl DeviceClock for Clock {
    fn now(&self) -> Now {
        let read = self.foreign.now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(now) = read {
            let now = Now {
                wall_ms: now.wall_ms,
                since_boot_ms: u64::try_from(now.since_boot_ms).unwrap_or(0),
                boot: u32::try_from(now.boot).unwrap_or(0),
            };
            *last = (now, Instant::now());
            return now;
        }
        let (now, read_at) = *last;
        let passed = u64::try_from(read_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now {
            wall_ms: now.wall_ms.saturating_add_unsigned(passed),
            since_boot_ms: now.since_boot_ms.saturating_add(passed),
            boot: now.boot,
        }
    }
}

pub(crate) struct Outside(pub(crate) Arc<dyn BridgeAnchor>);

impl Anchor for Outside {
    fn read(&self) -> Result<Option<Vec<u8>>, AnchorError> {
        self.0.read().map_err(|_| AnchorError)
    }
    fn write(&self, value: &[u8]) -> Result<(), AnchorError> {
        self.0.write(value.to_vec()).map_err(|_| AnchorError)
    }
}

pub(crate) struct Host(pub(crate) Arc<dyn BridgePlatform>);

impl PermissionStatus for Host {
    fn state(&self, permission: Permission) -> PermissionState {
        self.0.permission(permission.id().to_owned()).map_or(PermissionState::Blocked, Into::into)
    }
}

impl IdentifierReader for Host {
    fn read(&self, identifier: Identifier) -> Option<String> {
        self.0.identifier(identifier.id().to_owned()).ok().flatten()
    }
}

pub(crate) struct Listener(pub(crate) Arc<dyn BridgeListener>);

impl ChangeListener for Listener {
    fn changed(&self, generation: u64) {
        // A listener that throws changes nothing here.
        let _ = self.0.changed(i64::try_from(generation).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    struct Failing(AtomicBool);

    impl BridgeClock for Failing {
        fn now(&self) -> Result<BridgeNow, BridgeKeyError> {
            if self.0.load(Ordering::Relaxed) {
                return Err(BridgeKeyError::Suspect);
            }
            Ok(BridgeNow { wall_ms: 1_000_000, since_boot_ms: 500, boot: 3 })
        }
    }

    #[test]
    fn a_clock_that_begins_to_throw_goes_on_from_where_it_was() {
        let foreign = Arc::new(Failing(AtomicBool::new(false)));
        let clock = Clock::new(Arc::clone(&foreign) as _);
        assert_eq!(clock.now().wall_ms, 1_000_000);
        foreign.0.store(true, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(30));
        let later = clock.now();
        assert!((1_000_030..1_060_000).contains(&later.wall_ms), "{later:?}");
        assert_eq!(u64::try_from(later.wall_ms - 1_000_000), Ok(later.since_boot_ms - 500));
        assert_eq!(later.boot, 3);
    }
}
