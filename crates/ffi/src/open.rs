//! Opening a store from a host.

use std::path::PathBuf;
use std::sync::Arc;

use menshen::{Anchor, DeviceClock, FileKeys, KeyProvider, Menshen, Platform, Policy, Store};

use crate::answers::BridgeVerdict;
use crate::condition::{BridgeHealth, BridgeOpenReport};
use crate::error::BridgeError;
use crate::foreign::{BridgeAnchor, BridgeClock, BridgeKeyProvider, BridgePlatform, Clock, Host, Keys, Outside};
use crate::session::BridgeSession;

/// How to open a store.
#[derive(Clone, uniffi::Record)]
pub struct BridgeConfiguration {
    /// The policy document.
    pub policy: Vec<u8>,
    /// The store's folder.
    pub store: String,
    /// The folder of a file key, for tests and servers; without it the host's key provider is used.
    pub file_keys: Option<String>,
    /// Folders outside the store in which denials are marked.
    pub markers: Vec<String>,
    /// The most bytes the store takes.
    pub cap_bytes: Option<i64>,
}

/// An open store under a policy.
#[derive(uniffi::Object)]
pub struct BridgeMenshen {
    menshen: Menshen,
}

#[uniffi::export]
impl BridgeMenshen {
    /// Opens a store.
    #[uniffi::constructor]
    pub fn open(
        configuration: BridgeConfiguration,
        keys: Option<Arc<dyn BridgeKeyProvider>>,
        platform: Option<Arc<dyn BridgePlatform>>,
        clock: Option<Arc<dyn BridgeClock>>,
        anchor: Option<Arc<dyn BridgeAnchor>>,
    ) -> Result<Arc<Self>, BridgeError> {
        let policy = Policy::read(&configuration.policy).map_err(menshen::Error::from)?;
        let markers: Vec<PathBuf> = configuration.markers.iter().map(PathBuf::from).collect();
        let mut store = Store::at(&configuration.store)?.marking_denials_in(&markers)?;
        if let Some(cap) = configuration.cap_bytes {
            store = store.with_cap(u64::try_from(cap).unwrap_or(0));
        }
        if let Some(clock) = clock {
            let clock: Arc<dyn DeviceClock> = Arc::new(Clock::new(clock));
            store = store.with_clock(clock);
        }
        if let Some(anchor) = anchor {
            let anchor: Arc<dyn Anchor> = Arc::new(Outside(anchor));
            store = store.with_anchor(anchor);
        }
        let keys: Arc<dyn KeyProvider> = match (keys, configuration.file_keys) {
            (Some(keys), _) => Arc::new(Keys(keys)),
            (None, Some(folder)) => Arc::new(FileKeys::at(folder).map_err(menshen::Error::from)?),
            (None, None) => return Err(menshen::Error::KeyNotReady.into()),
        };
        let platform = platform.map_or_else(Platform::default, |platform| {
            let host = Arc::new(Host(platform));
            Platform { permissions: Arc::clone(&host) as _, identifiers: host }
        });
        Ok(Arc::new(Self { menshen: Menshen::open_on(policy, store, keys, platform)? }))
    }

    /// The session of nobody in particular.
    pub fn guest(&self) -> Result<Arc<BridgeSession>, BridgeError> {
        Ok(Arc::new(BridgeSession::new(self.menshen.guest()?)))
    }

    /// The session of an account.
    pub fn session(&self, account: String) -> Result<Arc<BridgeSession>, BridgeError> {
        Ok(Arc::new(BridgeSession::new(self.menshen.session(&account)?)))
    }

    /// The session of whoever uses the app now.
    pub fn current(&self) -> Result<Arc<BridgeSession>, BridgeError> {
        Ok(Arc::new(BridgeSession::new(self.menshen.current()?)))
    }

    /// Signs an account in.
    pub fn sign_in(&self, account: String) -> Result<Arc<BridgeSession>, BridgeError> {
        Ok(Arc::new(BridgeSession::new(self.menshen.sign_in(&account)?)))
    }

    /// Signs the current account out.
    pub fn sign_out(&self) -> Result<Arc<BridgeSession>, BridgeError> {
        Ok(Arc::new(BridgeSession::new(self.menshen.sign_out()?)))
    }

    /// What was found when the store was opened.
    pub fn opened(&self) -> BridgeOpenReport {
        self.menshen.opened().into()
    }

    /// How the store is.
    pub fn health(&self) -> BridgeHealth {
        self.menshen.health().into()
    }

    /// Makes everything recorded so far survive a power loss.
    pub fn sync(&self) -> Result<(), BridgeError> {
        Ok(self.menshen.sync()?)
    }
}

/// Checks a policy document without opening anything.
#[uniffi::export]
pub fn check_policy(policy: Vec<u8>) -> Result<String, BridgeError> {
    let policy = Policy::read(&policy).map_err(menshen::Error::from)?;
    Ok(policy.hash().to_owned())
}

/// Verifies an exported ledger.
#[uniffi::export]
pub fn verify_ledger(export: String) -> BridgeVerdict {
    menshen::verify_ledger(&export).into()
}
