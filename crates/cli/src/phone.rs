//! A simulated phone: permissions that are as they are set, and identifiers that read as told raw values.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use menshen::{Identifier, IdentifierReader, Permission, PermissionState, PermissionStatus, Platform};

/// Clones are the same phone.
#[derive(Clone, Default)]
pub(crate) struct Phone(Arc<Mutex<BTreeMap<Permission, PermissionState>>>);

impl Phone {
    fn states(&self) -> MutexGuard<'_, BTreeMap<Permission, PermissionState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, permission: Permission, state: PermissionState) {
        self.states().insert(permission, state);
    }

    /// As a phone on which no permission was asked for yet.
    pub(crate) fn forget(&self) {
        self.states().clear();
    }

    pub(crate) fn platform(&self) -> Platform {
        Platform { permissions: Arc::new(self.clone()), identifiers: Arc::new(self.clone()) }
    }
}

impl PermissionStatus for Phone {
    fn state(&self, permission: Permission) -> PermissionState {
        self.states().get(&permission).copied().unwrap_or(PermissionState::NotAsked)
    }
}

impl IdentifierReader for Phone {
    fn read(&self, identifier: Identifier) -> Option<String> {
        Some(raw(identifier))
    }
}

/// What an identifier reads as.
pub(crate) fn raw(identifier: Identifier) -> String {
    if identifier == Identifier::IpAddress { "203.0.113.77".to_owned() } else { format!("raw-{}", identifier.id()) }
}
