//! A platform's key store without chance: an input does in the next process what it did in this one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use menshen_journal::{Alias, KeyError, KeyProvider, KeyState};
use zeroize::Zeroizing;

/// Keys by their aliases. What is wrapped is what is in clear, behind its alias: nothing here is secret.
#[derive(Clone)]
pub struct Keys(Arc<Mutex<BTreeMap<Alias, ()>>>);

impl Keys {
    #[expect(clippy::new_without_default, reason = "there is one")]
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// A copy that goes its own way.
    pub fn snapshot(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().unwrap().clone())))
    }

    fn known(&self, alias: &Alias) -> Result<(), KeyError> {
        self.0.lock().unwrap().get(alias).copied().ok_or(KeyError::NotFound)
    }
}

impl KeyProvider for Keys {
    fn create(&self, alias: &Alias) -> Result<(), KeyError> {
        self.0.lock().unwrap().insert(alias.clone(), ());
        Ok(())
    }

    fn wrap(&self, alias: &Alias, secret: &[u8], _aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.known(alias)?;
        Ok([alias.as_str().as_bytes(), secret].concat())
    }

    fn unwrap(&self, alias: &Alias, blob: &[u8], _aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.known(alias)?;
        let secret = blob.strip_prefix(alias.as_str().as_bytes()).ok_or(KeyError::Refused)?;
        Ok(Zeroizing::new(secret.to_vec()))
    }

    fn exists(&self, alias: &Alias) -> Result<bool, KeyError> {
        Ok(self.0.lock().unwrap().contains_key(alias))
    }

    fn list(&self) -> Result<Vec<Alias>, KeyError> {
        Ok(self.0.lock().unwrap().keys().cloned().collect())
    }

    fn destroy(&self, alias: &Alias) -> Result<(), KeyError> {
        self.0.lock().unwrap().remove(alias);
        Ok(())
    }

    fn state(&self) -> KeyState {
        KeyState::Ready
    }
}
