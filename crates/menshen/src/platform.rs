//! What the SDK needs of the platform, behind small synchronous traits that a host implements.

use std::sync::Arc;

pub use menshen_policy::document::{Identifier, Permission};

/// The state of a system permission, as the system tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PermissionState {
    /// The person was never asked, or the system would ask again.
    NotAsked,
    /// It is there.
    Granted,
    /// It is there in a lesser form than asked: approximate location, selected photos.
    Limited,
    /// Refused; the system would still show its dialog.
    Denied,
    /// Refused, and only the system's settings can change that.
    Blocked,
}

/// Tells whether a system permission is there. Reading this is not reading the person's data.
///
/// Called without any lock of the library held.
pub trait PermissionStatus: Send + Sync {
    /// The state now.
    fn state(&self, permission: Permission) -> PermissionState;
}

/// Reads device identifiers. The library calls it only through an open gate and for a declared form that
/// needs the value.
pub trait IdentifierReader: Send + Sync {
    /// The raw value, or `None` where the platform has none or refuses it.
    fn read(&self, identifier: Identifier) -> Option<String>;
}

/// Is told that a session's answers changed. Called without any lock of the library held.
pub trait ChangeListener: Send + Sync {
    /// The answers are now those of this generation.
    fn changed(&self, generation: u64);
}

/// The platform under a [`Menshen`](crate::Menshen).
#[derive(Clone)]
pub struct Platform {
    /// The system permissions.
    pub permissions: Arc<dyn PermissionStatus>,
    /// The device identifiers.
    pub identifiers: Arc<dyn IdentifierReader>,
}

impl Default for Platform {
    /// A platform without any permission or identifier, as a server is.
    fn default() -> Self {
        Self { permissions: Arc::new(Bare), identifiers: Arc::new(Bare) }
    }
}

struct Bare;

impl PermissionStatus for Bare {
    fn state(&self, _: Permission) -> PermissionState {
        PermissionState::Blocked
    }
}

impl IdentifierReader for Bare {
    fn read(&self, _: Identifier) -> Option<String> {
        None
    }
}
