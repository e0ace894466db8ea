//! A key store that tells of every call: one that takes its time, or that remembers what went by.
#![allow(dead_code, reason = "each program uses a part of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use menshen_journal::{Alias, KeyError, KeyProvider, KeyState};
use zeroize::Zeroizing;

/// A call that was just answered.
pub(crate) enum Call<'a> {
    Create,
    /// With the secret in clear.
    Wrap(&'a [u8]),
    Unwrap,
    Exists,
    List,
    Destroy,
}

type Observer = Box<dyn Fn(Call<'_>) + Send + Sync>;

/// Another key store, and who is told before an answer is given back.
pub(crate) struct ObservedKeys {
    keys: Arc<dyn KeyProvider>,
    observer: Observer,
}

impl ObservedKeys {
    pub(crate) fn telling(
        keys: Arc<dyn KeyProvider>,
        observer: impl Fn(Call<'_>) + Send + Sync + 'static,
    ) -> Arc<dyn KeyProvider> {
        Arc::new(Self { keys, observer: Box::new(observer) })
    }

    /// As slow as a bad phone's, while the switch is on.
    pub(crate) fn slow(keys: Arc<dyn KeyProvider>, time: Duration) -> (Arc<dyn KeyProvider>, Arc<AtomicBool>) {
        let switch = Arc::new(AtomicBool::new(false));
        let is_slow = Arc::clone(&switch);
        let wait = move |_: Call<'_>| {
            if is_slow.load(Ordering::SeqCst) {
                thread::sleep(time);
            }
        };
        (Self::telling(keys, wait), switch)
    }

    fn told<T>(&self, call: Call<'_>, answer: T) -> T {
        (self.observer)(call);
        answer
    }
}

impl KeyProvider for ObservedKeys {
    fn create(&self, alias: &Alias) -> Result<(), KeyError> {
        self.told(Call::Create, self.keys.create(alias))
    }

    fn wrap(&self, alias: &Alias, secret: &[u8], aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.told(Call::Wrap(secret), self.keys.wrap(alias, secret, aad))
    }

    fn unwrap(&self, alias: &Alias, blob: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.told(Call::Unwrap, self.keys.unwrap(alias, blob, aad))
    }

    fn exists(&self, alias: &Alias) -> Result<bool, KeyError> {
        self.told(Call::Exists, self.keys.exists(alias))
    }

    fn list(&self) -> Result<Vec<Alias>, KeyError> {
        self.told(Call::List, self.keys.list())
    }

    fn destroy(&self, alias: &Alias) -> Result<(), KeyError> {
        self.told(Call::Destroy, self.keys.destroy(alias))
    }

    fn state(&self) -> KeyState {
        self.keys.state()
    }
}
